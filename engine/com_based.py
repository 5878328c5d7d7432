"""MuJoCo's quantities about the centre of mass of each body's tree: `cinert`, `cvel`, `cfrc_ext`.

Nothing in a step needs them, so the engine keeps none; a kernel of its own makes them from what the last evaluation
left. The engine's spatial vectors are in world axes, too, but about the place of the tree's root body, and the inertias
that it keeps are composite ones: a body's own is that less its children's. External forces are summed over contacts
and equalities of frames.
"""

from typing import NamedTuple

import numpy as np
import taichi as ti

from engine.compiler.launch import BoundKernel
from engine.compiler.memory import zeros
from engine.compiler.stages import INTS, REALS
from engine.constraint.block import EQUALITY, TENDON_LIMIT
from engine.math.types import real, vec3
from engine.model.constants import EQ_JOINT
from engine.model.tendons import is_spatial
from engine.schema import NUMBERS, PLACES

DIMS, THETA, STRIDE, BODY_I, GEOM_I, PAIR_I, EQ_I = (
    NUMBERS["m", n] for n in ("dims", "theta", "stride", "body_i", "geom_i", "pair_i", "eq_i")
)
BODY, MASS, CON_I, CON_V, CON_TURN, WORLD, XFRC = (
    NUMBERS["d", n] for n in ("body", "crb_mass", "con_i", "con_v", "con_turn", "world_i", "xfrc_applied")
)
NXV, NCI, NCV, NCT, NWI = (PLACES["d", n].width for n in ("body", "con_i", "con_v", "con_turn", "world_i"))
NBI, NGI, NPI, NEI = (PLACES["m", n].width for n in ("body_i", "geom_i", "pair_i", "eq_i"))


def columns(letter, names):
    """Where columns begin within an entity."""
    return [PLACES[letter, name].columns[name].start for name in names.split()]


X_POS, X_IPOS, V_ANG, V_LIN, H_COM, ID_CRB, IO_CRB = columns("d", "xpos xipos vel_ang vel_lin crb_com crb_diag crb_off")
C_PAIR, C_F, C_N, C_T1, C_T2, C_POS = columns("d", "con_pair con_force con_normal con_tangent1 con_tangent2 con_pos")
C_DIM, C_TURN = columns("d", "con_dim turn_force")
NBODY, AT_MASS, NCONMAX, B_ROOT, B_PARENT = columns("m", "nbody at_body_mass nconmax body_rootid body_parentid")
P_GEOM1, P_GEOM2, G_BODY = columns("m", "pair_geom1 pair_geom2 geom_bodyid")
W_NBLOCK = columns("d", "nblock")[0]
C_Y, C_KIND = columns("d", "con_y con_kind1")
E_KIND, E_BODY1, E_BODY2 = columns("m", "eq_kind eq_body1 eq_body2")
# Numbers of a body: centre of mass of its tree, then the three
COM, CINERT, CVEL, CFRC, WIDTH = 0, 3, 13, 19, 25


@ti.func
def read(a: ti.template(), i: ti.i32):
    return vec3(a[i], a[i + 1], a[i + 2])


@ti.func
def write(a: ti.template(), i: ti.i32, x: vec3):
    for k in ti.static(range(3)):
        a[i + k] = x[k]


@ti.func
def add(a: ti.template(), i: ti.i32, x: vec3):
    write(a, i, read(a, i) + x)


@ti.func
def of_world(s: ti.template(), mi: ti.template(), mr: ti.template(), di: ti.template(), dr: ti.template(),
             out: ti.template(), w: ti.i32, motions: ti.i32):  # fmt: skip
    """All of one world, without `motions` the forces alone. s: where each buffer begins in the blocks of model (mi, mr)
    and data (di, dr); out: WIDTH numbers for each body, one quantity after the other."""
    nbody = mi[s[DIMS] + NBODY]
    body = s[BODY] + 3 * NXV * w * nbody
    base = WIDTH * w * nbody
    theta = s[THETA] + w * s[STRIDE]
    if motions:
        own_inertias(s, mi, dr, out, base + CINERT * nbody, body, nbody)
    for b in range(1, nbody):
        at = body + 3 * NXV * b
        root = mi[s[BODY_I] + NBI * b + B_ROOT]
        top = body + 3 * NXV * root
        place = read(dr, top + 3 * X_POS)
        c = read(dr, top + 3 * X_IPOS) - place  # MuJoCo's centre of a tree without mass
        mass = dr[s[MASS] + w * nbody + root]
        if mass > 0.0:
            c = read(dr, top + 3 * H_COM) / mass
        write(out, base + COM * nbody + 3 * b, place + c)
        if motions:
            shift_inertia(out, base + CINERT * nbody + 10 * b, mr[theta + mi[s[DIMS] + AT_MASS] + b], c)
            turning = read(dr, at + 3 * V_ANG)
            write(out, base + CVEL * nbody + 6 * b, turning)
            write(out, base + CVEL * nbody + 6 * b + 3, read(dr, at + 3 * V_LIN) + turning.cross(c))
        applied = s[XFRC] + 6 * (w * nbody + b)  # force, torque
        force = read(dr, applied)
        torque = read(dr, applied + 3) + (read(dr, at + 3 * X_IPOS) - place - c).cross(force)
        write(out, base + CFRC * nbody + 6 * b, torque)
        write(out, base + CFRC * nbody + 6 * b + 3, force)
    constraint_forces(s, mi, di, dr, out, base, nbody, w)


@ti.func
def own_inertias(s: ti.template(), mi: ti.template(), dr: ti.template(), out: ti.template(), cinert: ti.i32,
                 body: ti.i32, nbody: ti.i32):  # fmt: skip
    """Inertia about the root's place and first moment of each body: of its composite body, less its children's."""
    for b in range(1, nbody):  # children come later
        at = body + 3 * NXV * b
        parent = mi[s[BODY_I] + NBI * b + B_PARENT]
        for k, column in ti.static(enumerate((ID_CRB, IO_CRB, H_COM))):
            x = read(dr, at + 3 * column)
            write(out, cinert + 10 * b + 3 * k, x)
            if parent > 0:
                add(out, cinert + 10 * parent + 3 * k, -x)


@ti.func
def shift_inertia(out: ti.template(), i: ti.i32, mass: real, c: vec3):
    """Parallel axes, to the origin c: with h' = h - m c and w = h + h',

    I' = I - (c.w) 1 + (c w^T + w c^T) / 2.
    """
    h = read(out, i + 6)
    moved = h - mass * c
    w = h + moved
    p = c * w
    write(out, i, read(out, i) - vec3(p[1] + p[2], p[0] + p[2], p[0] + p[1]))
    off = 0.5 * vec3(c[0] * w[1] + c[1] * w[0], c[0] * w[2] + c[2] * w[0], c[1] * w[2] + c[2] * w[1])
    add(out, i + 3, off)
    write(out, i + 6, moved)
    out[i + 9] = mass


@ti.func
def constraint_forces(s: ti.template(), mi: ti.template(), di: ti.template(), dr: ti.template(), out: ti.template(),
                      base: ti.i32, nbody: ti.i32, w: ti.i32):  # fmt: skip
    """A contact pushes its pair's second body, and the first one back, but not the world (mj_rnePostConstraint). An
    equality of frames does so with the first one, and at the anchor of each."""
    for k in range(di[s[WORLD] + NWI * w + W_NBLOCK]):
        block = w * mi[s[DIMS] + NCONMAX] + k
        pair = di[s[CON_I] + NCI * block + C_PAIR]
        at = s[CON_V] + 3 * NCV * block
        f = read(dr, at + 3 * C_F)
        force = out_of_frame(dr, at, f)
        if pair >= 0:
            torque = vec3(0.0, 0.0, 0.0)
            if di[s[CON_I] + NCI * block + C_DIM] > 3:
                torque = out_of_frame(dr, at, read(dr, s[CON_TURN] + 3 * (NCT * block + C_TURN)))
            for side, sign in ti.static(((P_GEOM2, 1.0), (P_GEOM1, -1.0))):
                b = mi[s[GEOM_I] + NGI * mi[s[PAIR_I] + NPI * pair + side] + G_BODY]
                push(out, base, nbody, b, read(dr, at + 3 * C_POS), sign * force)
                if b > 0:
                    add(out, base + CFRC * nbody + 6 * b, sign * torque)
        elif pair <= EQUALITY and pair > TENDON_LIMIT:
            e = s[EQ_I] + NEI * (EQUALITY - pair)
            if mi[e + E_KIND] < EQ_JOINT:  # connect, weld
                for side, place, sign in ti.static(((E_BODY1, C_POS, 1.0), (E_BODY2, C_Y, -1.0))):
                    b = mi[e + side]
                    if di[s[CON_I] + NCI * block + C_KIND] == 0:
                        push(out, base, nbody, b, read(dr, at + 3 * place), sign * force)
                    elif b > 0:
                        add(out, base + CFRC * nbody + 6 * b, sign * force)


@ti.func
def out_of_frame(dr: ti.template(), at: ti.i32, x: vec3):
    """A vector along the normal and tangents of the contact whose vectors begin at `at`, in the world's axes."""
    return x[0] * read(dr, at + 3 * C_N) + x[1] * read(dr, at + 3 * C_T1) + x[2] * read(dr, at + 3 * C_T2)


@ti.func
def push(out: ti.template(), base: ti.i32, nbody: ti.i32, b: ti.i32, x: vec3, force: vec3):
    """A force at x on body b, unless that is the world."""
    if b > 0:
        arm = x - read(out, base + COM * nbody + 3 * b)
        add(out, base + CFRC * nbody + 6 * b, arm.cross(force))
        add(out, base + CFRC * nbody + 6 * b + 3, force)


@ti.kernel
def serial(s: INTS, mi: INTS, mr: REALS, di: INTS, dr: REALS, out: REALS, nworld: ti.i32,
           motions: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(nworld):
        of_world(s, mi, mr, di, dr, out, w, motions)


@ti.kernel
def parallel(s: INTS, mi: INTS, mr: REALS, di: INTS, dr: REALS, out: REALS, nworld: ti.i32,
             motions: ti.i32):  # fmt: skip
    for w in range(nworld):
        of_world(s, mi, mr, di, dr, out, w, motions)


class ComBased(NamedTuple):
    """By MuJoCo's names, (worlds, nbody, n); com: of the tree that the body belongs to."""

    com: np.ndarray
    cinert: np.ndarray
    cvel: np.ndarray
    cfrc_ext: np.ndarray


class ComBasedOf:
    """Makes them for one simulator; calls return new arrays. ValueError with spatial tendons, whose forces on bodies
    MuJoCo 4.0 adds to cfrc_ext."""

    def __init__(self, sim):
        if is_spatial(sim.model).any():
            names = ", ".join(sim.model.label("tendon", t) for t in np.flatnonzero(is_spatial(sim.model)))
            raise ValueError(f"com_based and cfrc_ext: got spatial tendons ({names}), allowed: fixed ones")
        n, nbody = sim.worlds, sim.model.nbody
        self.worlds, self.out = n, zeros(n * nbody * WIDTH, sim.pack["body"].dtype)
        rows, ends = self.out.reshape(n, -1), [k * nbody for k in (COM, CINERT, CVEL, CFRC, WIDTH)]
        # the world's own stay zero
        self.parts = [rows[:, a:b].reshape(n, nbody, -1) for a, b in zip(ends[:-1], ends[1:], strict=True)]
        kernel = parallel if sim.form == "device" else serial
        self.kernel = BoundKernel(kernel, [sim.model_pack, sim.pack], 2, [self.out])

    def __call__(self):
        self.kernel.launch(self.worlds, 1)
        return ComBased(*[part.copy() for part in self.parts])

    def cfrc_ext(self):
        self.kernel.launch(self.worlds, 0)
        return self.parts[3].copy()
