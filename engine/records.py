"""What a rollout leaves behind: output rows for people, and records for its adjoint.

Outputs, when asked for, hold row t of the trajectory (state before control step t) for t = 0, every, 2 every ...
Records hold what the reverse of a physics step reads: qpos, qvel, act, the acceleration of every stage, and the time.
"""

import taichi as ti

from engine.compiler.features import has, serves
from engine.math.types import vec3
from engine.model.constants import DISCRETE, RK4
from engine.sensing.values import is_asked


@ti.func
def stages(m: ti.template()):
    n = 1
    if m.integrator == RK4:
        n = 4
    return n


@ti.func
def record_size(m: ti.template()):
    """Numbers in the record of a physics step: qpos, qvel, act, the acceleration of every stage, the time."""
    return m.nq + m.nv + m.na + stages(m) * m.nv + 1


@ti.func
def record_state(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32):
    nq = m.nq
    nv = m.nv
    na = m.na
    for k in range(nq):
        r.record[o + k] = d.qpos[w * nq + k]
    for k in range(nv):
        r.record[o + nq + k] = d.qvel[w * nv + k]
    for k in range(na):
        r.record[o + nq + nv + k] = d.act[w * na + k]
    r.record[o + record_size(m) - 1] = d.time[w]


@ti.func
def record_qacc(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32, stage: ti.i32):
    nv = m.nv
    k = o + m.nq + nv + m.na + stage * nv
    for i in range(nv):
        r.record[k + i] = d.qacc[w, i]
        if ti.static(has.lone and has.discrete):
            if m.integrator == DISCRETE:
                r.record[k + i] = d.solved_acc[w, i]


@ti.func
def write_outputs(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, row: ti.i32):
    """Row `row * worlds + w` of the state outputs."""
    nq = m.nq
    nv = m.nv
    na = m.na
    for k in range(nq):
        r.traj_qpos[row * nq + k] = d.qpos[w * nq + k]
    for k in range(nv):
        r.traj_qvel[row * nv + k] = d.qvel[w * nv + k]
    for k in range(na):
        r.traj_act[row * na + k] = d.act[w * na + k]


@ti.func
def load_record(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32):
    """The state of a record."""
    nq = m.nq
    nv = m.nv
    na = m.na
    for k in range(nq):
        d.qpos[w * nq + k] = r.record[o + k]
    for k in range(nv):
        d.qvel[w * nv + k] = r.record[o + nq + k]
    for k in range(na):
        d.act[w * na + k] = r.record[o + nq + nv + k]
    d.time[w] = r.record[o + record_size(m) - 1]


@ti.func
def load_qacc(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32, stage: ti.i32):
    nv = m.nv
    k = o + m.nq + nv + m.na + stage * nv
    for i in range(nv):
        d.qacc[w, i] = r.record[k + i]


@ti.func
def inject(m: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32):
    """Add the cotangents of an output row of the state (qpos already in the tangent space)."""
    nv = m.nv
    na = m.na
    for k in range(nv):
        g.qpos_bar[w * nv + k] = g.qpos_bar[w * nv + k] + b.cot_qpos[row * nv + k]
        g.qvel_bar[w * nv + k] = g.qvel_bar[w * nv + k] + b.cot_qvel[row * nv + k]
    for k in range(na):
        g.act_bar[w * na + k] = g.act_bar[w * na + k] + b.cot_act[row * na + k]


@ti.func
def asks_sensors(m: ti.template(), b: ti.template(), row: ti.i32):
    """Whether an output row of sensors has a cotangent other than zero: most losses read none of most rows, and the
    adjoint of a ray takes as long as the ray."""
    return is_asked(b, row * m.nsensordata, m.nsensordata)


@serves("mocap")
@ti.func
def take_mocap(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, row: ti.i32):
    """The poses of mocap bodies that act in a control step, which row `row` of the trajectory holds."""
    n = m.nmocap
    for i in range(n):
        d.mocap_pos[w, i] = r.traj_mocap_pos[row * n + i]
        d.mocap_quat[w, i] = r.traj_mocap_quat[row * n + i]


@serves("mocap")
@ti.func
def clear_mocap_bar(m: ti.template(), g: ti.template(), w: ti.i32):
    zero = vec3(0.0, 0.0, 0.0)
    for i in range(w * m.nmocap, (w + 1) * m.nmocap):
        g.mocap_place_bar[i] = zero
        g.mocap_turn_bar[i] = zero


@serves("mocap")
@ti.func
def put_mocap_bar(m: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32):
    """The adjoint of the poses in a control step goes to row `row`."""
    n = m.nmocap
    for i in range(n):
        b.mocap_place_total[row * n + i] = g.mocap_place_bar[w * n + i]
        b.mocap_turn_total[row * n + i] = g.mocap_turn_bar[w * n + i]
