"""The two kernels of the engine: a rollout of many worlds, and its reverse. Everything else is called from here.

One worker runs one world for a whole segment of steps. A control step is `frame_skip` physics steps with one control.

Outputs, when asked for, hold row t of the trajectory (state before control step t) for t = 0, every, 2 every ...
Records hold what the reverse of a physics step reads: qpos, qvel, act, the acceleration of every stage, and the time.
"""

import taichi as ti

from engine.arrays import pack_type
from engine.dynamics.actuation import act_rates
from engine.dynamics.integrate import advance, has_implicit
from engine.dynamics.rk4 import (
    advance_rk4,
    advance_rk4_vjp,
    enter_stage,
    leave_stage,
    leave_stage_vjp,
    start_stages,
)  # fmt: skip
from engine.feedback import act_controller, act_controller_vjp
from engine.model.constants import RK4
from engine.schema import (
    D_JNT,
    DIVERGED,
    INTEGRATOR,
    J_DOFADR,
    J_QPOSADR,
    NA,
    NCONMAX,
    NDI,
    NJI,
    NQ,
    NQR,
    NSENSORDATA,
    NU,
    NV,
    NWI,
    OK,
    OVERFLOW,
    QACC,
    TIMESTEP,
    W_ID,
    W_INDEX,
    W_NEED,
    W_STATUS,
    W_STEP,
)  # fmt: skip
from engine.step import EULER_STAGE, FINAL_STAGE, forward, forward_vjp

MAXVAL = 1e10  # the largest coordinate, velocity or acceleration taken for a finite state (mjMAXVAL)

ModelPack = pack_type("model")
DataPack = pack_type("data")
ControllerPack = pack_type("controller")
TrajectoryPack = pack_type("trajectory")
AdjointPack = pack_type("adjoint")
CotangentPack = pack_type("cotangent")


@ti.func
def stages(m: ti.template()):
    n = 1
    if m.dims[INTEGRATOR] == RK4:
        n = 4
    return n


@ti.func
def record_state(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32):
    nq = m.dims[NQ]
    nv = m.dims[NV]
    na = m.dims[NA]
    for k in range(nq):
        r.record[o + k] = d.qpos[w * nq + k]
    for k in range(nv):
        r.record[o + nq + k] = d.qvel[w * nv + k]
    for k in range(na):
        r.record[o + nq + nv + k] = d.act[w * na + k]


@ti.func
def record_qacc(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32, stage: ti.i32):
    nv = m.dims[NV]
    k = o + m.dims[NQ] + nv + m.dims[NA] + stage * nv
    for i in range(nv):
        r.record[k + i] = d.dofr[w * nv * NQR + QACC * nv + i]


@ti.func
def write_outputs(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, row: ti.i32):
    """Row `row * worlds + w` of the state outputs."""
    nq = m.dims[NQ]
    nv = m.dims[NV]
    na = m.dims[NA]
    for k in range(nq):
        r.traj_qpos[row * nq + k] = d.qpos[w * nq + k]
    for k in range(nv):
        r.traj_qvel[row * nv + k] = d.qvel[w * nv + k]
    for k in range(na):
        r.traj_act[row * na + k] = d.act[w * na + k]


@ti.func
def check(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """Stop the world where the state is not finite, naming the first bad dof."""
    nv = m.dims[NV]
    for k in range(nv):
        i = nv - 1 - k
        good = ti.abs(d.qvel[w * nv + i]) < MAXVAL and ti.abs(d.dofr[w * nv * NQR + QACC * nv + i]) < MAXVAL
        j = m.dof_i[i * NDI + D_JNT]
        k_q = w * m.dims[NQ] + m.jnt_i[j * NJI + J_QPOSADR] + i - m.jnt_i[j * NJI + J_DOFADR]
        good = good and ti.abs(d.qpos[k_q]) < MAXVAL
        if not good:
            d.world_i[w * NWI + W_STATUS] = DIVERGED
            d.world_i[w * NWI + W_STEP] = t
            d.world_i[w * NWI + W_INDEX] = i


@ti.func
def check_capacity(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    if d.world_i[w * NWI + W_NEED] > m.dims[NCONMAX]:
        d.world_i[w * NWI + W_STATUS] = OVERFLOW
        d.world_i[w * NWI + W_STEP] = t


@ti.func
def run_world(m: ti.template(), d: ti.template(), c: ti.template(), r: ti.template(), w: ti.i32, nworld: ti.i32,
              t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32, row0: ti.i32, every: ti.i32):  # fmt: skip
    """Control steps t0 .. t1 - 1. `last`: evaluate step t1 too, for the sensors, without moving.

    row0: first physics step's row in the records, or -1. every: control steps per output row, or 0 for none.
    """
    nv = m.dims[NV]
    nrec = m.dims[NQ] + nv + m.dims[NA] + stages(m) * nv + 1
    nstage = stages(m)
    implicit = has_implicit(m)
    k = 0
    end = (t1 - t0) * frame_skip + last
    while k < end and d.world_i[w * NWI + W_STATUS] == OK:
        t = t0 + k // frame_skip
        s = k % frame_skip
        final = t == t1
        if s == 0:
            if every > 0 and t % every == 0:
                write_outputs(m, d, r, w, (t // every) * nworld + w)
            if not final:
                act_controller(m, d, c, r, w, nworld, t)
        o = ((row0 + k) * nworld + w) * nrec
        if row0 >= 0:
            record_state(m, d, r, w, o)
            r.record[o + nrec - 1] = d.time[w]
        if nstage > 1 and not final:
            start_stages(m, d, w)
        i = 0
        while i < nstage:
            if nstage > 1 and not final:
                enter_stage(m, d, w, i)
            n = m.dims[NSENSORDATA]
            read = ti.cast(i == 0 and s == 0 and every > 0 and n > 0, ti.i32)
            forward(m, d, w, read)
            check_capacity(m, d, w, t)
            if read and t % every == 0:
                for x in range(n):
                    r.traj_sensordata[((t // every) * nworld + w) * n + x] = d.sensordata[w * n + x]
            if row0 >= 0:
                record_qacc(m, d, r, w, o, i)
            if nstage > 1 and not final:
                leave_stage(m, d, w, i)
            i = i + 1
            if final:
                i = nstage
        if not final:
            if nstage > 1:
                advance_rk4(m, d, w)
            else:
                advance(m, d, w, implicit)
            d.time[w] = d.time[w] + m.opt[TIMESTEP]
            check(m, d, w, t)
        k = k + 1
    if every > 0 and last == 0 and t1 % every == 0 and d.world_i[w * NWI + W_STATUS] == OK:
        write_outputs(m, d, r, w, (t1 // every) * nworld + w)


@ti.func
def load_record(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32):
    """State and, for RK4, all stages from a record."""
    nq = m.dims[NQ]
    nv = m.dims[NV]
    na = m.dims[NA]
    for k in range(nq):
        d.qpos[w * nq + k] = r.record[o + k]
    for k in range(nv):
        d.qvel[w * nv + k] = r.record[o + nq + k]
    for k in range(na):
        d.act[w * na + k] = r.record[o + nq + nv + k]
    if stages(m) > 1:
        start_stages(m, d, w)
        for i in range(4):
            enter_stage(m, d, w, i)
            act_rates(m, d, w)
            load_qacc(m, d, r, w, o, i)
            leave_stage(m, d, w, i)


@ti.func
def load_qacc(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32, stage: ti.i32):
    nv = m.dims[NV]
    k = o + m.dims[NQ] + nv + m.dims[NA] + stage * nv
    for i in range(nv):
        d.dofr[w * nv * NQR + QACC * nv + i] = r.record[k + i]


@ti.func
def inject(m: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32):
    """Add the cotangents of an output row of the state (qpos already in the tangent space)."""
    nv = m.dims[NV]
    na = m.dims[NA]
    for k in range(nv):
        g.qpos_bar[w * nv + k] = g.qpos_bar[w * nv + k] + b.cot_qpos[row * nv + k]
        g.qvel_bar[w * nv + k] = g.qvel_bar[w * nv + k] + b.cot_qvel[row * nv + k]
    for k in range(na):
        g.act_bar[w * na + k] = g.act_bar[w * na + k] + b.cot_act[row * na + k]


@ti.func
def reverse_world(m: ti.template(), d: ti.template(), c: ti.template(), r: ti.template(), g: ti.template(),
                  b: ti.template(), w: ti.i32, nworld: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32,
                  last: ti.i32, row0: ti.i32, every: ti.i32):  # fmt: skip
    """The adjoint of control steps t1 - 1 .. t0, whose records begin at row0; `last` also that of the final sensors.

    On entry g holds the adjoint of the state before step t1, without the cotangents of output row t1 if `last`.
    On exit it holds that of the state before step t0, with the cotangents of row t0.
    """
    nv = m.dims[NV]
    nu = m.dims[NU]
    nsd = m.dims[NSENSORDATA]
    nrec = m.dims[NQ] + nv + m.dims[NA] + stages(m) * nv + 1
    nstage = stages(m)
    implicit = has_implicit(m)
    if last and t1 % every == 0:
        inject(m, g, b, w, (t1 // every) * nworld + w)
    k = (t1 - t0) * frame_skip - 1
    if last and nsd > 0:
        k = k + 1
    while k >= 0:
        t = t0 + k // frame_skip
        s = k % frame_skip
        # beyond the last step: the sensors at the final state, which the records keep as one more row
        final = t == t1
        control = ti.min(t, t1 - 1)
        output = every > 0 and t % every == 0 and s == 0
        row = nworld * (t // ti.max(every, 1)) + w
        for i in range(nu):
            d.ctrl[w * nu + i] = r.traj_ctrl[(control * nworld + w) * nu + i]
        if final:
            for i in range(nu):
                g.ctrl_bar[w * nu + i] = 0.0
        elif s == frame_skip - 1:
            # the final sensors have already asked something of the last control
            keep = last and t == t1 - 1 and nsd > 0
            for i in range(nu):
                x = b.cot_ctrl[(t * nworld + w) * nu + i]
                if keep:
                    x = x + g.ctrl_bar[w * nu + i]
                g.ctrl_bar[w * nu + i] = x
        o = ((row0 + k) * nworld + w) * nrec
        load_record(m, d, r, w, o)
        stage = nstage - 1
        if final:
            stage = 0
        if not final and nstage > 1:
            advance_rk4_vjp(m, d, g, w)
        while stage >= 0:
            if nstage > 1:
                enter_stage(m, d, w, stage)
            load_qacc(m, d, r, w, o, stage)
            act_rates(m, d, w)
            asked = -1
            if output and stage == 0 and nsd > 0:
                asked = row
            kind = stage
            if final:
                kind = FINAL_STAGE
            elif nstage == 1:
                kind = EULER_STAGE
            forward_vjp(m, d, r, g, b, w, implicit, kind, asked)
            if nstage > 1 and not final:
                leave_stage_vjp(m, d, g, w, stage)
            stage = stage - 1
        if s == 0 and not final:
            d.time[w] = r.record[o + nrec - 1]
            act_controller_vjp(m, d, c, g, w, t)
            for i in range(nu):
                b.ctrl_total[(t * nworld + w) * nu + i] = g.ctrl_bar[w * nu + i]
            if output:
                inject(m, g, b, w, row)
        k = k - 1


@ti.kernel
def rollout_serial(m: ModelPack, d: DataPack, c: ControllerPack, r: TrajectoryPack, nworld: ti.i32, nchunk: ti.i32,
                   t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32, row0: ti.i32, every: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(nworld):
        run_world(m, d, c, r, d.world_i[w * NWI + W_ID], nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def rollout_parallel(m: ModelPack, d: DataPack, c: ControllerPack, r: TrajectoryPack, nworld: ti.i32, nchunk: ti.i32,
                     t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32, row0: ti.i32,
                     every: ti.i32):  # fmt: skip
    # the CPU backend hands out blocks of 512 iterations
    for k in range(nchunk * 512):
        if k % 512 == 0:
            for w in range(k // 512 * nworld // nchunk, (k // 512 + 1) * nworld // nchunk):
                run_world(m, d, c, r, d.world_i[w * NWI + W_ID], nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def reverse_serial(m: ModelPack, d: DataPack, c: ControllerPack, r: TrajectoryPack, g: AdjointPack, b: CotangentPack,
                   nworld: ti.i32, nchunk: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32,
                   row0: ti.i32, every: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(nworld):
        reverse_world(m, d, c, r, g, b, d.world_i[w * NWI + W_ID], nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def reverse_parallel(m: ModelPack, d: DataPack, c: ControllerPack, r: TrajectoryPack, g: AdjointPack, b: CotangentPack,
                     nworld: ti.i32, nchunk: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32,
                     row0: ti.i32, every: ti.i32):  # fmt: skip
    # the CPU backend hands out blocks of 512 iterations
    for k in range(nchunk * 512):
        if k % 512 == 0:
            for w in range(k // 512 * nworld // nchunk, (k // 512 + 1) * nworld // nchunk):
                world = d.world_i[w * NWI + W_ID]
                reverse_world(m, d, c, r, g, b, world, nworld, t0, t1, frame_skip, last, row0, every)
