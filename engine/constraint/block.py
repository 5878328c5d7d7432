"""What a block of constraint rows is: one to three rows with one law, over the dofs of one chain (a contact of condim 4
or 6 has three more, which rolling.py keeps apart).

A source (contact.py, ball_limit.py, equality.py, tendon.py) finds a block and gives it all that others read: its
violation (`con_x` of one row, `con_res` of three), the law `con_law`, the parameters (`resolve`), friction, and the
ends of the two chains that it couples (`con_last1 con_last2`, -1 without). Then, on the elimination tree, it writes
the columns of J (`write_column`) and their number (`con_ndof`). Who found it stands in con_pair: the number of a
candidate pair, or `BALL_LIMIT - joint`, or `EQUALITY - number`, or `TENDON_LIMIT - tendon`, or `TENDON_FRICTION -
tendon`, or `METRIC - tendon`.

Reference acceleration: aref = -B J v - K imp residual. B is that of the first row or of the others.
"""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.impedance import DRY, PUSHING, at_end_of_step, hardened, impedance, reference
from engine.math.index import bounded, vector_at
from engine.math.types import MINVAL, real, vec3
from engine.model.constants import DISCRETE

# con_pair of the first of each
BALL_LIMIT, EQUALITY, TENDON_LIMIT, TENDON_FRICTION = -1, -(1 << 24), -(2 << 24), -(3 << 24)
METRIC = -(4 << 24)
# con_law: pushes only, with friction in two more rows where con_dim says so; holds all rows; dry friction of con_mu1
CONE, ALWAYS, TWO_SIDED = range(3)
SCATTERED = -2  # con_last1 of a block whose columns stand there already, and whose dofs lie on several chains


@ti.func
def is_contact(pair: ti.i32):
    return pair >= 0


@ti.func
def is_equality(pair: ti.i32):
    return pair <= EQUALITY and pair > TENDON_LIMIT


@ti.func
def is_tendon(pair: ti.i32):
    """Whether a block is a limit or dry friction of a tendon."""
    return pair <= TENDON_LIMIT and pair > METRIC


@ti.func
def is_metric(pair: ti.i32):
    """Whether a block is what springs and servos on a tendon add to the metric of the integrator discrete."""
    return pair <= METRIC


@ti.func
def new_block(m: ti.template(), d: ti.template(), w: ti.i32, source: ti.i32, law: ti.i32, dim: ti.i32):
    """The next block of world w, as far as all have it in common, or -1 beyond the capacity, which only counts."""
    k = d.nblock[w]
    d.nneed[w] = d.nneed[w] + 1
    c = -1
    if k < m.nconmax:
        d.nblock[w] = k + 1
        c = bounded(w * m.nconmax + k)
        d.con_pair[c] = source
        d.con_law[c] = law
        d.con_dim[c] = dim
        d.con_zone[c] = -1
        d.con_last1[c] = -1
        d.con_last2[c] = -1
    return c


@ti.func
def resolve(m: ti.template(), d: ti.template(), c: ti.i32, solref: ti.template(), solimp: ti.template(), p: ti.i32,
            x: real, diag: real, kind: ti.i32):  # fmt: skip
    """The parameters of block c at the violation x, from those numbered p. diag: J M^-1 J^T of a row, roughly. kind:
    DRY, TIED or PUSHING."""
    imp, slope = impedance(solimp, p, x)
    k, b = reference(solref, solimp, p, m.timestep, m.refsafe)
    if ti.static(has.tendon):
        if kind == DRY:
            k = 0.0
    size = diag
    if ti.static(has.diagexact):
        if m.diagexact:  # which follows (exact.py)
            size = 1.0
    d.con_d[c] = 1.0 / ti.max(MINVAL, (1 - imp) / imp * size)
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            k, b, s, by_x, by_v, grows = at_end_of_step(m, k, b, imp, solref, p, ti.cast(kind == PUSHING, ti.i32))
            D, by_d = hardened(imp, size, s, grows)
            d.con_d[c] = D
            d.con_by_x[c] = by_x
            d.con_by_v[c] = by_v
            d.con_by_bias[c] = grows
            d.con_by_d[c] = by_d
            d.con_share[c] = 1.0 / s
    d.con_b[c] = b
    d.con_bt[c] = b
    d.con_kp[c] = k
    d.con_imp[c] = imp
    d.con_impp[c] = slope
    d.con_x[c] = x


@ti.func
def damping_of(d: ti.template(), c: ti.i32):
    """B of block c's three rows."""
    bt = d.con_bt[c]
    return vec3(d.con_b[c], bt, bt)


@ti.func
def write_column(m: ti.template(), d: ti.template(), w: ti.i32, q: ti.i32, dof: ti.i32, x: vec3):
    """The column x of a block's Jacobian at a dof, at place q of all. Dofs come from the deepest on."""
    d.chain_dof[q] = dof
    d.chain_place[q] = d.tree_depth[w * m.nv + dof]
    d.con_J[vector_at(q)] = x


@ti.func
def place_columns(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32):
    """Of a block whose dofs are known: their places on the elimination tree."""
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        d.chain_place[q] = d.tree_depth[w * m.nv + d.chain_dof[q]]


@ti.func
def chain_mul(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, x: ti.template()):
    """J x of block c; x: a vector over the dofs of all worlds."""
    y = vec3(0.0, 0.0, 0.0)
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        k = d.chain_dof[q]
        if k < 0:  # never: it keeps LLVM from making vectors of entries that lie apart, at several times the code
            break
        y = y + x[w, k] * d.con_J[vector_at(q)]
    return y


@ti.func
def add_transpose(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, f: vec3, x: ti.template()):
    """x += J^T f of block c."""
    at = c * m.nchain
    for q in range(at, at + d.con_ndof[c]):
        k = d.chain_dof[q]
        x[w, k] = x[w, k] + d.con_J[vector_at(q)].dot(f)
