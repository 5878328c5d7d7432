"""The forward pipeline of a step, and under it the same list reversed for the adjoint.

Stages are compiled as functions of their own (outline.py), and each begins by calling the one before it. The chain is
needed: Taichi makes a kernel's key for the cache on disk from its functions in the order of a hash table of addresses,
which is the same in every process only where a function calls at most one other.
"""

import taichi as ti

from engine.contact.constraint import constraint, constraint_vjp, evaluate
from engine.contact.solver import acceleration, acceleration_vjp
from engine.dynamics.actuation import actuation, actuation_vjp
from engine.dynamics.applied import smooth_forces, xfrc_vjp
from engine.dynamics.crba import crba, mass_mul
from engine.dynamics.integrate import advance_vjp, effective_acceleration
from engine.dynamics.kinematics import kinematics
from engine.dynamics.passive import passive, passive_vjp
from engine.dynamics.rk4 import enter_stage_vjp
from engine.dynamics.rnea import bias, motion, rnea_vjp, rnea_vjp_own, velocity
from engine.dynamics.sensors import sensors, sensors_vjp
from engine.math.types import vec3
from engine.outline import outline
from engine.schema import (
    A_BAR,
    AB_ANG,
    L_ANG,
    LB_ANG,
    MA,
    MU,
    NBAR,
    NBODY,
    NQR,
    NSENSORDATA,
    NU,
    NV,
    P_ANG,
    Q_ANG,
    QACC,
    QACC_EFF,
    U_ANG,
    UB_ANG,
    VB_ANG,
    XB_ANG,
    Z,
)  # fmt: skip

EULER_STAGE, FINAL_STAGE = -1, -2


@outline("md", "w")
@ti.func
def position_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    kinematics(m, d, w)
    crba(m, d, w)


@outline("md", "w forces")
@ti.func
def smooth_terms(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Velocities and, with `forces`, everything that acts but constraints."""
    position_terms(m, d, w)
    velocity(m, d, w)
    if forces:
        bias(m, d, w)
        passive(m, d, w)
        actuation(m, d, w)
        smooth_forces(m, d, w)


@outline("md", "w forces")
@ti.func
def constraint_terms(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    smooth_terms(m, d, w, forces)
    constraint(m, d, w)


@outline("md", "w")
@ti.func
def solved(m: ti.template(), d: ti.template(), w: ti.i32):
    """Everything up to the acceleration QACC, warm-started with d.qacc_warmstart."""
    nv = m.dims[NV]
    for i in range(nv):
        d.dofr[w * nv * NQR + QACC * nv + i] = d.qacc_warmstart[w * nv + i]
    constraint_terms(m, d, w, 1)
    acceleration(m, d, w)
    for i in range(nv):
        d.qacc_warmstart[w * nv + i] = d.dofr[w * nv * NQR + QACC * nv + i]


@outline("md", "w read_sensors")
@ti.func
def forward(m: ti.template(), d: ti.template(), w: ti.i32, read_sensors: ti.i32):
    """The forward pipeline: acceleration and, if asked, sensors at the current state."""
    solved(m, d, w)
    if read_sensors:
        sensors(m, d, w)


@outline("md", "w implicit")
@ti.func
def relinearized(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32):
    """What the adjoint reads, recomputed at the state and the recorded solution QACC without iterating."""
    nv = m.dims[NV]
    o = w * nv * NQR
    constraint_terms(m, d, w, 0)
    evaluate(m, d, w, 0.0, o + QACC * nv)
    mass_mul(m, d, w, o + QACC * nv, o + MA * nv)
    effective_acceleration(m, d, w, implicit)
    motion(m, d, w, U_ANG, o + QACC * nv)


@outline("mdrgb", "w implicit stage row")
@ti.func
def integrator_adjoint(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                       w: ti.i32, implicit: ti.i32, stage: ti.i32, row: ti.i32):  # fmt: skip
    """A_BAR and MU, from the integrator and from the sensors of output row `row` (none for row < 0).

    stage: of RK4; EULER_STAGE for the other integrators; FINAL_STAGE where no step follows, so only sensors ask.
    """
    nv = m.dims[NV]
    relinearized(m, d, w, implicit)
    clear_bodies(m, g, w)
    if stage == FINAL_STAGE:
        for k in range(nv):
            d.dofr[w * nv * NQR + A_BAR * nv + k] = 0.0
            d.dofr[w * nv * NQR + MU * nv + k] = 0.0
    elif stage == EULER_STAGE:
        advance_vjp(m, d, g, w, implicit)
    else:
        enter_stage_vjp(m, d, g, w, stage)
    for u in range(m.dims[NU]):
        g.force_bar[w * m.dims[NU] + u] = 0.0
    if row >= 0:
        sensors_vjp(m, d, r, g, b, w, row * m.dims[NSENSORDATA])


@outline("mdrgb", "w implicit stage row")
@ti.func
def constraint_adjoint(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                       w: ti.i32, implicit: ti.i32, stage: ti.i32, row: ti.i32):  # fmt: skip
    """Z from A_BAR, the motions of the test vectors, and the adjoint of contacts, limits and dry friction."""
    nv = m.dims[NV]
    o = w * nv * NQR
    integrator_adjoint(m, d, r, g, b, w, implicit, stage, row)
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
    constraint_vjp(m, d, g, w)


@outline("mdrgb", "w implicit stage row")
@ti.func
def forward_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                implicit: ti.i32, stage: ti.i32, row: ti.i32):  # fmt: skip
    """The adjoint of `forward` and of the integrator: adds to g.qpos_bar, qvel_bar, act_bar, ctrl_bar, theta_bar."""
    constraint_adjoint(m, d, r, g, b, w, implicit, stage, row)
    xfrc_vjp(m, d, g, w)
    actuation_vjp(m, d, g, w)
    passive_vjp(m, d, g, w)
    rnea_vjp_own(m, d, g, w, implicit)
    rnea_vjp(m, d, g, w, implicit)


@ti.func
def clear_bodies(m: ti.template(), g: ti.template(), w: ti.i32):
    """Zero the bodies' adjoints that sensors and contact add to."""
    zero = vec3(0.0, 0.0, 0.0)
    for b in range(m.dims[NBODY]):
        h = (w * m.dims[NBODY] + b) * NBAR
        for k in ti.static((LB_ANG, AB_ANG, UB_ANG, VB_ANG, XB_ANG)):
            g.body_bar[h + k] = zero
            g.body_bar[h + k + 1] = zero
