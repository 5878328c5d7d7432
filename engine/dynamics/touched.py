"""Contacts of bodies with what cannot move, in the rows of derivatives: wrenches that go with a body's motion.

They are summed over what hangs on a dof, as inertias are. constraint/derivatives.py finds them.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.derivative_rows import STRIP, row_strips
from engine.math.index import bounded
from engine.math.spatial import cross_force
from engine.math.types import vec3


@ti.func
def untouched(m: ti.template(), l: ti.template(), w: ti.i32):
    """No body has sums of contacts."""
    for b in range(m.nbody):
        l.touched[bounded(w * m.nbody + b)] = 0.0


@ti.func
def touch(m: ti.template(), l: ti.template(), w: ti.i32, b: ti.i32):
    """Body b has sums of contacts: matrices of wrenches by its pose and by U, and F (constraint/derivatives.py). Of a
    matrix the numbers 2 k and 2 k + 1 are row k, the torque and the force of a unit motion L: k < 3 turns about the
    axes, k >= 3 goes along them. That by U is symmetric, and that by V is B times it."""
    h = bounded(w * m.nbody + b)
    if l.touched[h] == 0:
        l.touched[h] = 1.0
        zero = vec3(0.0, 0.0, 0.0)
        l.touch_ang[h] = zero
        l.touch_lin[h] = zero
        for T in ti.static((l.touch_x, l.touch_u)):
            for k in range(12):
                T[h, k] = zero


@ti.func
def hand_on(m: ti.template(), l: ti.template(), w: ti.i32, b: ti.i32):
    """The sums of contacts of body b's parent gain those of b."""
    h = bounded(w * m.nbody + b)
    if b != m.body_rootid[b]:
        p = m.body_parentid[b]
        touch(m, l, w, p)
        y = bounded(w * m.nbody + p)
        l.touch_ang[y] = l.touch_ang[y] + l.touch_ang[h]
        l.touch_lin[y] = l.touch_lin[y] + l.touch_lin[h]
        for T in ti.static((l.touch_x, l.touch_u)):
            for k in range(12):
                T[y, k] = T[y, k] + T[h, k]


@ti.func
def wrench_of(T: ti.template(), h: ti.i32, ang: vec3, lin: vec3):
    """T x of a body's matrix and a motion x = (ang, lin)."""
    return (
        vec3(
            T[h, 0].dot(ang) + T[h, 1].dot(lin), T[h, 2].dot(ang) + T[h, 3].dot(lin),
            T[h, 4].dot(ang) + T[h, 5].dot(lin),
        ),
        vec3(
            T[h, 6].dot(ang) + T[h, 7].dot(lin), T[h, 8].dot(ang) + T[h, 9].dot(lin),
            T[h, 10].dot(ang) + T[h, 11].dot(lin),
        ),
    )  # fmt: skip


@ti.func
def seen_along(T: ti.template(), h: ti.i32, ang: vec3, lin: vec3):
    """x^T T of a motion x = (ang, lin) and a body's matrix."""
    a = ang[0] * T[h, 0] + ang[1] * T[h, 2] + ang[2] * T[h, 4]
    b = ang[0] * T[h, 1] + ang[1] * T[h, 3] + ang[2] * T[h, 5]
    a = a + lin[0] * T[h, 6] + lin[1] * T[h, 8] + lin[2] * T[h, 10]
    b = b + lin[0] * T[h, 7] + lin[1] * T[h, 9] + lin[2] * T[h, 11]
    return a, b


@serves("contact")
@ti.func
def touched_jacobian(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, o: ti.i32):
    """Tip to base: the rows at lin_rows[o:] gain what contacts that hang on dofs add, from the bodies' sums."""
    for k in range(1, m.nbody):
        b = m.nbody - k
        h = bounded(w * m.nbody + b)
        if l.touched[h] != 0:
            for i in range(m.body_dofadr[b], m.body_dofadr[b] + m.body_dofnum[b]):
                touched_dof(m, d, l, w, h, i, o)
            hand_on(m, l, w, b)


@ti.func
def touched_dof(m: ti.template(), d: ti.template(), l: ti.template(), w: ti.i32, h: ti.i32, i: ti.i32, o: ti.i32):
    """The rows of dof i, whose body's number is h, and of the dofs above it, by these dofs."""
    nv = m.nv
    ld = m.ld
    width = STRIP * row_strips(m)
    rate = l.touched[w * m.nbody]
    e = bounded(w * nv + i)
    sa = d.cdof_ang[e]
    sl = d.cdof_lin[e]
    ka, kl = wrench_of(l.touch_u, h, sa, sl)
    qa, ql = wrench_of(l.touch_x, h, sa, sl)
    ya, yl = wrench_of(l.touch_u, h, l.kap_ang[e] + rate * l.psi_ang[e], l.kap_lin[e] + rate * l.psi_lin[e])
    qa = qa + ya
    ql = ql + yl
    xa, xl = seen_along(l.touch_x, h, sa, sl)
    ta, tl = cross_force(sa, sl, l.touch_ang[h], l.touch_lin[h])
    xa = xa + ta
    xl = xl + tl
    j = i
    while j >= 0:
        y = bounded(w * nv + j)
        ua = d.cdof_ang[y]
        ul = d.cdof_lin[y]
        q = qa.dot(ua) + ql.dot(ul)
        if m.dof_group[j] == m.dof_group[i]:
            q = q - ta.dot(ua) - tl.dot(ul)
        v = rate * (ka.dot(ua) + kl.dot(ul))
        x = o + j * width + i
        l.lin_rows[x] = l.lin_rows[x] + q
        l.lin_rows[x + ld] = l.lin_rows[x + ld] + v
        if j != i:
            x = o + i * width + j
            l.lin_rows[x] = (
                l.lin_rows[x] + xa.dot(ua) + xl.dot(ul) + ka.dot(l.kap_ang[y] + rate * l.psi_ang[y])
                + kl.dot(l.kap_lin[y] + rate * l.psi_lin[y])
            )  # fmt: skip
            l.lin_rows[x + ld] = l.lin_rows[x + ld] + v
        j = m.tree_parent[j]
