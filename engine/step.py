"""The forward pipeline of a step, and under it the same list reversed for the adjoint.

Stages are compiled as functions of their own (stages.py). A stage is entered only where the state needs it: without
pairs, limits and dry friction there is no contact stage, where nothing constrains often no solver, without a contact
no adjoint of one.
"""

import taichi as ti

from engine.compiler.stages import outline
from engine.contact.broad import sweep
from engine.contact.collide import geom_poses
from engine.contact.constraint import constraint, contacts_vjp, detect, evaluate
from engine.contact.rows import rows_vjp
from engine.contact.solver import acceleration, acceleration_vjp
from engine.dynamics.actuation import act_rates, actuation, actuation_vjp
from engine.dynamics.advance import advance, advance_vjp
from engine.dynamics.applied import applied_vjp, smooth_forces
from engine.dynamics.crba import mass_mul
from engine.dynamics.implicit import effective_acceleration, has_implicit
from engine.dynamics.passive import passive, passive_vjp
from engine.dynamics.rk4 import (
    advance_rk4_vjp,
    enter_stage,
    enter_stage_vjp,
    leave_stage,
    leave_stage_vjp,
    start_stages,
)  # fmt: skip
from engine.dynamics.rnea import motion, rnea_vjp, rnea_vjp_own
from engine.dynamics.sensors import sensors, sensors_vjp
from engine.dynamics.sweeps import inwards, outwards
from engine.math.index import bounded
from engine.math.types import vec3
from engine.model.constants import MAXVAL
from engine.records import load_qacc, load_record, record_qacc, record_state, stages
from engine.schema import (
    A_BAR,
    AB_ANG,
    D_JNT,
    DIVERGED,
    J_DOFADR,
    J_LIMITED,
    J_QPOSADR,
    L_ANG,
    LB_ANG,
    MA,
    MU,
    NBAR,
    NBODY,
    NCONMAX,
    NDI,
    NJI,
    NJNT,
    NPAIR,
    NQ,
    NQR,
    NSENSORDATA,
    NU,
    NV,
    NWI,
    OK,
    OVERFLOW,
    P_ANG,
    Q_ANG,
    QACC,
    QACC_EFF,
    QFRC_SMOOTH,
    T_FRICTIONLOSS,
    TIMESTEP,
    U_ANG,
    UB_ANG,
    VB_ANG,
    W_INDEX,
    W_NCON,
    W_NEED,
    W_NROW,
    W_STATUS,
    W_STEP,
    XB_ANG,
    Z,
)  # fmt: skip

EULER_STAGE, FINAL_STAGE = -1, -2


@ti.func
def constrained(m: ti.template()):
    """Whether the model has anything that can constrain: pairs, limits, dry friction."""
    r = m.dims[NPAIR] > 0
    for i in range(m.dims[NV]):
        r = r or m.theta[m.dims[T_FRICTIONLOSS] + i] > 0
    for j in range(m.dims[NJNT]):
        r = r or m.jnt_i[j * NJI + J_LIMITED] != 0
    return r


@outline("md", "w", when="broad")
@ti.func
def near_pairs(m: ti.template(), d: ti.template(), w: ti.i32):
    """The candidate pairs that are worth a try."""
    sweep(m, d, w)


@outline("md", "w")
@ti.func
def contact_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    geom_poses(m, d, w, 1)
    near_pairs(m, d, w)
    detect(m, d, w)


@outline("md", "w forces")
@ti.func
def smooth_terms(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Velocities and the constraints that are active; with `forces` everything else that acts, too."""
    outwards(m, d, w, forces)
    inwards(m, d, w, forces)
    if forces:
        passive(m, d, w)
        actuation(m, d, w)
        smooth_forces(m, d, w)
    if constrained(m):
        contact_terms(m, d, w)
    else:
        for k in ti.static((W_NCON, W_NROW, W_NEED)):
            d.world_i[w * NWI + k] = 0


@outline("md", "w", when="sensor")
@ti.func
def sensed(m: ti.template(), d: ti.template(), w: ti.i32):
    sensors(m, d, w)


@outline("md", "w read_sensors")
@ti.func
def solved(m: ti.template(), d: ti.template(), w: ti.i32, read_sensors: ti.i32):
    """The acceleration QACC, warm-started with d.qacc_warmstart, and, if asked, the sensors."""
    nv = m.dims[NV]
    for i in range(nv):
        d.dofr[w * nv * NQR + QACC * nv + i] = d.qacc_warmstart[w * nv + i]
    constraint(m, d, w)
    acceleration(m, d, w)
    for i in range(nv):
        d.qacc_warmstart[w * nv + i] = d.dofr[w * nv * NQR + QACC * nv + i]
    if read_sensors:
        sensed(m, d, w)


@ti.func
def unconstrained(d: ti.template(), w: ti.i32):
    """Whether nothing constrains at this state."""
    return d.world_i[w * NWI + W_NCON] + d.world_i[w * NWI + W_NROW] == 0


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
            solved(m, d, w, ti.cast(read and i == 0, ti.i32))
        if row >= 0 and i == 0:
            n = m.dims[NSENSORDATA]
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
    first one's sensors are asked. row: the output row that they go to, or -1. closing: the last one is the launch's.
    """
    nv = m.dims[NV]
    time = d.time[w]  # written only where it is read: eight worlds' times share a cache line
    k = 0
    while k < count and d.world_i[w * NWI + W_STATUS] == OK:
        here = -1
        if o >= 0:
            here = o + k * stride
            d.time[w] = time
            record_state(m, d, r, w, here)
        first = k == 0
        # a step in passing: nobody looks at its acceleration QACC
        passing = ti.cast(implicit and o < 0 and not (read and first) and not (closing and k == count - 1), ti.i32)
        evaluated(m, d, r, w, here, final, ti.cast(read and first, ti.i32), row if first else -1, passing)
        check_capacity(m, d, w, t)
        if not final:
            # implicit integrators read M a alone; where nothing constrains it is the smooth force
            force = MA
            if unconstrained(d, w):
                force = QFRC_SMOOTH
            advance(m, d, w, implicit, force)
            if implicit and unconstrained(d, w):
                for i in range(nv):
                    a = d.dofr[w * nv * NQR + QACC_EFF * nv + i]
                    d.qacc_warmstart[w * nv + i] = a
                    if passing:
                        d.dofr[w * nv * NQR + QACC * nv + i] = a
            time = time + m.opt[TIMESTEP]
            check(m, d, w, t)
        k = k + 1
    d.time[w] = time


@outline("md", "w implicit")
@ti.func
def relinearized(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32):
    """What the adjoint reads of the state alone, recomputed at the recorded solution QACC without iterating."""
    nv = m.dims[NV]
    o = w * nv * NQR
    smooth_terms(m, d, w, 0)
    constraint(m, d, w)
    evaluate(m, d, w, 0.0, o + QACC * nv)
    mass_mul(m, d, w, o + QACC * nv, o + MA * nv)
    effective_acceleration(m, d, w, implicit, MA)


@outline("mdg", "w implicit stage")
@ti.func
def advance_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32, stage: ti.i32):
    """A_BAR and MU, from the integrator.

    stage: of RK4; EULER_STAGE for the other integrators; FINAL_STAGE where no step follows, so only sensors ask.
    """
    nv = m.dims[NV]
    motion(m, d, w, U_ANG, w * nv * NQR + QACC * nv)
    clear_bodies(m, g, w)
    if stage == FINAL_STAGE:
        for k in range(nv):
            d.dofr[w * nv * NQR + A_BAR * nv + k] = 0.0
            d.dofr[w * nv * NQR + MU * nv + k] = 0.0
    elif stage == EULER_STAGE:
        advance_vjp(m, d, g, w, implicit)
    else:
        enter_stage_vjp(m, d, g, w, stage)


@outline("mdrgb", "w row", when="sensor")
@ti.func
def sensed_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
               row: ti.i32):  # fmt: skip
    sensors_vjp(m, d, r, g, b, w, row * m.dims[NSENSORDATA])


@outline("mdg", "w", when="block")
@ti.func
def contact_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The adjoint of contacts and of ball limits."""
    contacts_vjp(m, d, g, w)


@outline("mdg", "w implicit")
@ti.func
def motion_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32):
    """The adjoint of RNEA and kinematics, to which all others have added."""
    rnea_vjp_own(m, d, g, w, implicit)
    rnea_vjp(m, d, g, w, implicit)


@outline("mdrgb", "w implicit stage row")
@ti.func
def forward_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                implicit: ti.i32, stage: ti.i32, row: ti.i32):  # fmt: skip
    """What depends on the cotangent: the adjoint of an evaluation, of the sensors in output row `row` if it is not
    negative, and of the integrator, at a state that is `relinearized`.

    Adds to g.qpos_bar, qvel_bar, act_bar, ctrl_bar, theta_bar, qfrc_bar, xfrc_bar.
    """
    nv = m.dims[NV]
    o = w * nv * NQR
    advance_adjoint(m, d, g, w, implicit, stage)
    for u in range(m.dims[NU]):
        g.force_bar[w * m.dims[NU] + u] = 0.0
    if row >= 0:
        sensed_vjp(m, d, r, g, b, w, row)
    acceleration_vjp(m, d, w)
    for i in range(nv):
        d.dofr[o + MA * nv + i] = d.dofr[o + QACC_EFF * nv + i] - d.dofr[o + QACC * nv + i]
    for k in range(1 + 2 * implicit):
        column = L_ANG
        source = Z
        if k == 1:
            column = P_ANG
            source = MU
        if k == 2:
            column = Q_ANG
            source = MA
        motion(m, d, w, column, o + source * nv)
    if d.world_i[w * NWI + W_NCON] > 0:
        contact_adjoint(m, d, g, w)
    rows_vjp(m, d, g, w)
    applied_vjp(m, d, g, w)
    actuation_vjp(m, d, g, w)
    passive_vjp(m, d, g, w)
    motion_adjoint(m, d, g, w, implicit)


@outline("mdrgb", "w o final row")
@ti.func
def stepped_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                o: ti.i32, final: ti.i32, row: ti.i32):  # fmt: skip
    """The adjoint of `stepped` at the record o; `final` that of the sensors where no step follows.

    row: the output row whose sensors were read in the step, or -1.
    """
    load_record(m, d, r, w, o)
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
        act_rates(m, d, w)
        if backwards:
            kind = stage
            if final:
                kind = FINAL_STAGE
            elif nstage == 1:
                kind = EULER_STAGE
            asked = -1
            if stage == 0:
                asked = row
            implicit = has_implicit(m, 1)
            relinearized(m, d, w, implicit)
            forward_vjp(m, d, r, g, b, w, implicit, kind, asked)
            if nstage > 1:
                leave_stage_vjp(m, d, g, w, stage)
        else:
            leave_stage(m, d, w, stage)
            if stage == nstage - 1:
                advance_rk4_vjp(m, d, g, w)


@ti.func
def clear_bodies(m: ti.template(), g: ti.template(), w: ti.i32):
    """Zero the bodies' adjoints that sensors and contact add to."""
    zero = vec3(0.0, 0.0, 0.0)
    for b in range(m.dims[NBODY]):
        h = bounded(w * m.dims[NBODY] + b) * NBAR
        for k in ti.static((LB_ANG, AB_ANG, UB_ANG, VB_ANG, XB_ANG)):
            g.body_bar[h + k] = zero
            g.body_bar[h + k + 1] = zero


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
