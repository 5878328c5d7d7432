"""The position update that all integrators share: qpos (+) h v, quaternions by the exponential map."""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.kinematics import read_quat, read_vec
from engine.math.quat import jr_transpose, quat_exp, quat_mul, quat_normalize, rotate
from engine.math.types import real
from engine.model.coordinates import QUATERNION


@ti.func
def integrate_pos(m: ti.template(), d: ti.template(), w: ti.i32, v: ti.template(), vo: ti.i32, h: real):
    """qpos = qpos + h v in place; quaternions by the exponential map."""
    for j in range(m.ncoord):
        q = w * m.nq + m.coord_qposadr[j]
        i = vo + m.coord_dofadr[j]
        if m.coord_kind[j] == QUATERNION:
            if ti.static(has.quaternion):
                x = quat_normalize(quat_mul(read_quat(d.qpos, q), quat_exp(h * read_vec(v, i))))
                for c in ti.static(range(4)):
                    d.qpos[q + c] = x[c]
        else:
            d.qpos[q] = d.qpos[q] + h * v[i]


@ti.func
def integrate_pos_vjp(m: ti.template(), w: ti.i32, v: ti.template(), vo: ti.i32, h: real, q_bar: ti.template(),
                      qo: ti.i32, v_bar: ti.template(), vbo: ti.i32):  # fmt: skip
    """In place: q_bar (tangent) from after the update to before it; adds to v_bar."""
    for j in range(m.ncoord):
        i = m.coord_dofadr[j]
        if m.coord_kind[j] == QUATERNION:
            if ti.static(has.quaternion):
                r = h * read_vec(v, vo + i)
                x = read_vec(q_bar, qo + i)
                y = rotate(quat_exp(r), x)
                z = h * jr_transpose(r, x)
                for c in ti.static(range(3)):
                    q_bar[qo + i + c] = y[c]
                    v_bar[vbo + i + c] = v_bar[vbo + i + c] + z[c]
        else:
            v_bar[vbo + i] = v_bar[vbo + i] + h * q_bar[qo + i]
