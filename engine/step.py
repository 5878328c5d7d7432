"""A step: evaluations (evaluation.py), the integrator and what is recorded; and the reverse of it."""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.noslip import without_slip
from engine.constraint.wake import fall_asleep
from engine.dynamics.advance import advance
from engine.dynamics.implicit import has_implicit
from engine.dynamics.rk4 import advance_rk4_vjp, enter_stage, leave_stage, leave_stage_vjp, start_stages
from engine.dynamics.sensor_delay import give_back, remember_sensed_vjp
from engine.dynamics.sleep import settle
from engine.evaluation import (
    EULER_STAGE,
    FINAL_STAGE,
    forward_vjp,
    relinearized,
    smooth_terms,
    solved,
    state_rates,
    unconstrained,
)  # fmt: skip
from engine.model.constants import MAXVAL
from engine.records import load_qacc, load_record, record_qacc, record_state, stages
from engine.schema import DIVERGED, OK, OVERFLOW
from engine.sensing.stages import sensed


@ti.func
def evaluated(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, o: ti.i32, final: ti.i32,
              read: ti.i32, row: ti.i32, passing: ti.i32):  # fmt: skip
    """The accelerations of a physics step: one, or for RK4 those of its stages.

    o: the step's record, or -1. final: only the first, since no step follows. read: sensors are asked, and written to
    output row `row` if that is not negative. passing: no acceleration where nothing constrains.
    """
    nstage = stages(m)
    if final:
        nstage = 1
    if nstage > 1:
        start_stages(m, d, w)
    for i in range(nstage):
        if nstage > 1:
            enter_stage(m, d, w, i)
        smooth_terms(m, d, w, 1)
        if not (passing and unconstrained(d, w)):
            solved(m, d, w)
            without_slip(m, d, w)
            if read and i == 0:
                sensed(m, d, w)
        if row >= 0 and i == 0:
            n = m.nsensordata
            for x in range(n):
                r.traj_sensordata[row * n + x] = d.sensordata[w * n + x]
        if o >= 0:
            record_qacc(m, d, r, w, o, i)
        if nstage > 1:
            leave_stage(m, d, w, i)


@outline("mdr", "w t count o stride final read row implicit closing")
@ti.func
def stepped(m: ti.template(), d: ti.template(), r: ti.template(), w: ti.i32, t: ti.i32, count: ti.i32, o: ti.i32,
            stride: ti.i32, final: ti.i32, read: ti.i32, row: ti.i32, implicit: ti.i32, closing: ti.i32):  # fmt: skip
    """The `count` physics steps of control step t: of each `evaluated`, and the state after it.

    o: the first one's record, or -1, `stride` before the second one's. final: no step follows, so no state. read: the
    one whose sensors are asked, or -1. row: the output row that they go to, or -1. closing: the last one is the
    launch's.
    """
    nv = m.nv
    time = d.time[w]  # written only where it is read: eight worlds' times share a cache line
    k = 0
    settling = 0  # trees have fallen asleep, and the step is taken once more
    while k < count and d.status[w] == OK:
        here = -1
        asked = k == read
        told = asked
        if ti.static(has.sleep):
            asked = asked or settling == 1
        if ti.static(has.sensor_delay):
            asked = asked or m.nlate > 0
        if asked or o >= 0:
            d.time[w] = time
        if o >= 0:
            here = o + k * stride
            record_state(m, d, r, w, here)
        # a step in passing: nobody looks at its acceleration qacc
        passing = ti.cast(implicit and o < 0 and not asked and not (closing and k == count - 1), ti.i32)
        evaluated(m, d, r, w, here, final, ti.cast(asked, ti.i32), row if told else -1, passing)
        check_capacity(m, d, w, t)
        if ti.static(has.sleep):
            settling = settled(m, d, w, final, settling)
        if not (final or settling):
            # implicit integrators read M a alone; where nothing constrains it is the smooth force
            advance(m, d, w, implicit, ti.cast(unconstrained(d, w), ti.i32))
            if implicit and unconstrained(d, w):
                for i in range(nv):
                    a = d.qacc_eff[w, i]
                    d.qacc_warmstart[w * nv + i] = a
                    if passing:
                        d.qacc[w, i] = a
            time = time + m.timestep
            check(m, d, w, t)
        k = k + 1 - settling
    d.time[w] = time


@ti.func
def settled(m: ti.template(), d: ti.template(), w: ti.i32, final: ti.i32, settling: ti.i32):
    """Whether trees fall asleep in this step, which is then to be evaluated again; or did so, and now sleep."""
    falling = 0
    if m.nsleeptree > 0 and not final:
        if settling:
            settle(m, d, w)
        else:
            fall_asleep(m, d, w)
            falling = d.falling[w]
    return falling


@outline("mdrgb", "w o final row")
@ti.func
def stepped_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                o: ti.i32, final: ti.i32, row: ti.i32):  # fmt: skip
    """The adjoint of `stepped` at the record o; `final` that of the sensors where no step follows.

    row: the output row whose sensors were read in the step, or -1.
    """
    load_record(m, d, r, w, o)
    told = row
    if ti.static(has.sensor_delay):
        if m.nlate > 0:
            remember_sensed_vjp(m, d, r, g, b, w, row, final)
            told = w if row < 0 else row
    nstage = stages(m)
    if final:
        nstage = 1
    if nstage > 1:
        start_stages(m, d, w)
    # RK4's stages once forwards, for what each leaves to the next, then backwards
    turns = 1
    if nstage > 1:
        turns = 2 * nstage
    for turn in range(turns):
        stage = turn
        backwards = turns == 1 or turn >= nstage
        if backwards:
            stage = turns - 1 - turn
        if nstage > 1:
            enter_stage(m, d, w, stage)
        load_qacc(m, d, r, w, o, stage)
        if ti.static(has.pid or has.dcmotor or has.plastic or has.turns):
            if nstage > 1 and not backwards:
                smooth_terms(m, d, w, 0)  # whose lengths rates of a pid or a motor, rests that yield and turns read
        state_rates(m, d, w)
        if backwards:
            kind = stage
            if final:
                kind = FINAL_STAGE
            elif nstage == 1:
                kind = EULER_STAGE
            asked = -1
            if stage == 0:
                asked = told
            damped, implicit = has_implicit(m)
            relinearized(m, d, w, implicit, damped)
            forward_vjp(m, d, r, g, b, w, implicit, damped, kind, asked)
            if nstage > 1:
                leave_stage_vjp(m, d, g, w, stage)
        else:
            leave_stage(m, d, w, stage)
            if stage == nstage - 1:
                advance_rk4_vjp(m, d, g, w)
    if ti.static(has.sensor_delay):
        if m.nlate > 0:
            give_back(m, g, b, w, row)


@ti.func
def check(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    """Stop the world where the state is not finite, naming the first bad dof."""
    nv = m.nv
    for k in range(nv):
        i = nv - 1 - k
        good = ti.abs(d.qvel[w * nv + i]) < MAXVAL and ti.abs(d.qacc[w, i]) < MAXVAL
        j = m.dof_jntid[i]
        k_q = w * m.nq + m.jnt_qposadr[j] + i - m.jnt_dofadr[j]
        good = good and ti.abs(d.qpos[k_q]) < MAXVAL
        if not good:
            d.status[w] = DIVERGED
            d.stop_step[w] = t
            d.stop_index[w] = i


@ti.func
def check_capacity(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32):
    if d.nneed[w] > m.nconmax:
        d.status[w] = OVERFLOW
        d.stop_step[w] = t
