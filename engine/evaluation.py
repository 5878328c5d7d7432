"""The acceleration at a state, and under it the same list of stages reversed for the adjoint.

Stages are compiled as functions of their own (stages.py). A stage is entered only where the state needs it: without
pairs, limits and dry friction there is no contact stage, where nothing constrains often no solver, without a contact
no adjoint of one.
"""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.adhesion import adhesions, adhesions_vjp
from engine.constraint.ball_limit import ball_limits
from engine.constraint.blocks import (
    ball_limit_blocks_vjp,
    blocks,
    contact_blocks_vjp,
    equality_blocks_vjp,
    tendon_blocks_vjp,
)  # fmt: skip
from engine.constraint.discrete import clear_diagonals, follows_diagonal
from engine.constraint.equality import equalities
from engine.constraint.exact import exact_vjp
from engine.constraint.friction_law import clear_rubs, rubs, rubs_vjp
from engine.constraint.metric import metric_terms, metric_vjp, shift
from engine.constraint.metric_blocks import without_metric
from engine.constraint.rows import rows, rows_vjp
from engine.constraint.solver import acceleration, acceleration_vjp
from engine.constraint.system import constraint, evaluate
from engine.constraint.tendon import tendon_limits
from engine.constraint.turned import turned_acceleration, turned_acceleration_vjp
from engine.constraint.wake import wake_tied, wake_touched
from engine.contact.broad import sweep
from engine.contact.collide import geom_poses
from engine.dynamics.activation import act_rates, pids_vjp
from engine.dynamics.actuation import actuation, actuation_vjp, sum_forces, sum_forces_vjp
from engine.dynamics.advance import advance_vjp
from engine.dynamics.applied import applied_vjp, smooth_forces
from engine.dynamics.arm import arms, arms_vjp, clear_arms
from engine.dynamics.bias_slope import bias_slopes_vjp
from engine.dynamics.crba import mass_entries_vjp, mass_mul
from engine.dynamics.delay import begin_late, late_controls, late_controls_vjp, remember_vjp
from engine.dynamics.fluid import drags, flows, fluid_slopes_vjp, fluid_vjp
from engine.dynamics.gravcomp import gravcomp_vjp
from engine.dynamics.implicit import effective_acceleration, has_slopes
from engine.dynamics.kinematics import mocap_vjp
from engine.dynamics.motors import clear_motors, motors, motors_vjp, start_reach_vjp
from engine.dynamics.muscles import clear_muscles, muscles, muscles_vjp
from engine.dynamics.orientation import clear_orientations, orientations, orientations_vjp
from engine.dynamics.passive import passive, passive_vjp
from engine.dynamics.plastic import start_lengths_vjp
from engine.dynamics.residual import add_residuals, residuals_vjp
from engine.dynamics.rk4 import enter_stage_vjp
from engine.dynamics.rnea import motion, rnea_vjp, rnea_vjp_own
from engine.dynamics.sleep import rest_forces, wake_disturbed
from engine.dynamics.sweeps import inwards, outwards
from engine.dynamics.taken import clear_taken, tree_leaves_vjp
from engine.dynamics.tendon import armatures, clear_tendons, lengths, pulls, tendons_vjp
from engine.dynamics.turns import turn_lengths
from engine.math.index import bounded
from engine.math.types import vec3
from engine.model.constants import DISCRETE, IMPLICIT
from engine.sensing.actuator import ask_joint_forces, joint_forces_asked
from engine.sensing.stages import sensed_vjp, tested_wrenches

EULER_STAGE, FINAL_STAGE = -1, -2


@ti.func
def constrained(m: ti.template()):
    """Whether the model has anything that can constrain: pairs, equalities, limits, dry friction, tendons."""
    r = m.npair + m.neq > 0
    for i in range(m.nv):
        r = r or m.dof_frictionloss[i] > 0
    for j in range(m.njnt):
        r = r or m.jnt_limited[j] != 0
    if ti.static(has.friction_law):
        r = r or m.nrub > 0
    if ti.static(has.tendon):
        r = r or m.ntendon > 0
    return r


@outline("md", "w", when="broad")
@ti.func
def near_pairs(m: ti.template(), d: ti.template(), w: ti.i32):
    """The candidate pairs that are worth a try."""
    sweep(m, d, w)


@outline("md", "w", when="ball_limit")
@ti.func
def ball_limit_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    ball_limits(m, d, w)


@outline("md", "w", when="equality")
@ti.func
def equality_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    equalities(m, d, w)


@outline("md", "w forces", when="fluid")
@ti.func
def fluid_terms(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    flows(m, d, w)
    if forces:
        drags(m, d, w)


@outline("md", "w", when="residual")
@ti.func
def residual_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    add_residuals(m, d, w)


@outline("md", "w forces", when="tendon")
@ti.func
def tendon_terms(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Lengths of tendons, what their armature adds to M and, with `forces`, what springs and dampers exert."""
    lengths(m, d, w)
    armatures(m, d, w, forces)
    if forces:
        pulls(m, d, w)


@outline("md", "w", when="arm")
@ti.func
def arm_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    arms(m, d, w)


@outline("md", "w", when="activation")
@ti.func
def state_rates(m: ti.template(), d: ti.template(), w: ti.i32):
    act_rates(m, d, w)


@outline("md", "w", when="muscle")
@ti.func
def muscle_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    muscles(m, d, w)


@outline("md", "w", when="dcmotor")
@ti.func
def motor_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    late_controls(m, d, w)
    motors(m, d, w)


@outline("md", "w", when="so3")
@ti.func
def orientation_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    orientations(m, d, w)


@outline("md", "w", when="tendon_actfrc")
@ti.func
def tendon_sums(m: ti.template(), d: ti.template(), w: ti.i32):
    sum_forces(m, d, w)


@outline("md", "w", when="tendon")
@ti.func
def tendon_constraints(m: ti.template(), d: ti.template(), w: ti.i32):
    tendon_limits(m, d, w)


@outline("md", "w", when="adhesion")
@ti.func
def adhesion_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    adhesions(m, d, w)


@outline("md", "w")
@ti.func
def contact_terms(m: ti.template(), d: ti.template(), w: ti.i32):
    geom_poses(m, d, w, 1)
    near_pairs(m, d, w)
    rubs(m, d, w)
    again = 1
    while again:
        again = 0
        blocks(m, d, w)
        if ti.static(has.sleep):
            if m.nsleeptree > 0:
                wake_touched(m, d, w)
                again = d.woken[w]
    wake_tied(m, d, w)
    rows(m, d, w)
    ball_limit_terms(m, d, w)
    equality_terms(m, d, w)
    tendon_constraints(m, d, w)


@outline("md", "w forces")
@ti.func
def smooth_terms(m: ti.template(), d: ti.template(), w: ti.i32, forces: ti.i32):
    """Velocities and the constraints that are active; with `forces` everything else that acts, too."""
    outwards(m, d, w, forces)
    inwards(m, d, w, forces)
    if forces:
        passive(m, d, w)
        residual_terms(m, d, w)
    fluid_terms(m, d, w, forces)
    tendon_terms(m, d, w, forces)
    arm_terms(m, d, w)
    wake_disturbed(m, d, w)
    if constrained(m):
        contact_terms(m, d, w)
    else:
        d.ncon[w] = 0
        d.nblock[w] = 0
        d.nrow[w] = 0
        d.nneed[w] = 0
    adhesion_terms(m, d, w)
    muscle_terms(m, d, w)
    motor_terms(m, d, w)
    turn_lengths(m, d, w)
    driven = forces
    if ti.static(has.actfrc or has.tendon_actfrc or has.so3):
        driven = 1  # an adjoint asks whether a joint, a tendon or a servo limits what acts on it
    if driven:
        state_rates(m, d, w)
        orientation_terms(m, d, w)
        tendon_sums(m, d, w)
        actuation(m, d, w, forces)
    if forces:
        smooth_forces(m, d, w)
        rest_forces(m, d, w)
    metric_terms(m, d, w)


@outline("md", "w", when="discrete")
@ti.func
def shift_forces(m: ti.template(), d: ti.template(), w: ti.i32):
    """The smooth force as the solver of the integrator discrete sees it."""
    if m.integrator == DISCRETE:
        shift(m, d, w, 1.0)


@outline("md", "w", when="discrete")
@ti.func
def shift_back(m: ti.template(), d: ti.template(), w: ti.i32):
    """Forces without what its metric has added to them."""
    if m.integrator == DISCRETE:
        shift(m, d, w, -1.0)
        without_metric(m, d, w)


@outline("md", "w")
@ti.func
def solved(m: ti.template(), d: ti.template(), w: ti.i32):
    """The acceleration qacc, warm-started with d.qacc_warmstart."""
    nv = m.nv
    for i in range(nv):
        d.qacc[w, i] = d.qacc_warmstart[w * nv + i]
    constraint(m, d, w)
    shift_forces(m, d, w)
    acceleration(m, d, w)
    shift_back(m, d, w)
    if m.integrator == DISCRETE:
        turned_acceleration(m, d, w)
    for i in range(nv):
        d.qacc_warmstart[w * nv + i] = d.qacc[w, i]
    if ti.static(has.lone and has.discrete):
        if m.integrator == DISCRETE:
            show_turned(m, d, w)


@ti.func
def show_turned(m: ti.template(), d: ti.template(), w: ti.i32):
    """qacc, as others read it, is the acceleration that lone free bodies have (constraint/metric.py); records keep the
    one that was solved for, solved_acc."""
    for i in range(m.nv):
        d.solved_acc[w, i] = d.qacc[w, i]
        d.qacc[w, i] = d.qacc_eff[w, i]


@ti.func
def unconstrained(d: ti.template(), w: ti.i32):
    """Whether nothing constrains at this state."""
    return d.nblock[w] + d.nrow[w] == 0


@outline("md", "w implicit damped")
@ti.func
def relinearized(m: ti.template(), d: ti.template(), w: ti.i32, implicit: ti.i32, damped: ti.i32):
    """What the adjoint reads of the state alone, recomputed at the recorded solution qacc without iterating. damped:
    whether a_eff is another than a, which it is not with Euler where no dof is damped."""
    smooth_terms(m, d, w, 0)
    constraint(m, d, w)
    evaluate(m, d, w, 0.0, d.qacc)
    if m.integrator == DISCRETE:
        turned_acceleration(m, d, w)
    else:
        if damped:
            mass_mul(m, d, w, d.qacc, d.ma)
        effective_acceleration(m, d, w, implicit, 0, damped)


@outline("mdg", "w implicit stage kept")
@ti.func
def advance_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32, stage: ti.i32,
                    kept: ti.i32):  # fmt: skip
    """a_bar and mu, from the integrator. kept: a_bar stays that of a_eff.

    stage: of RK4; EULER_STAGE for the other integrators; FINAL_STAGE where no step follows, so only sensors ask.
    """
    nv = m.nv
    motion(m, d, w, d.u_ang, d.u_lin, d.qacc)
    if ti.static(has.lone and has.discrete):
        if m.integrator == DISCRETE:  # as sensors read them
            motion(m, d, w, d.u_ang, d.u_lin, d.qacc_eff)
    clear_bodies(m, g, w)
    if ti.static(has.spatial or has.gravcomp or has.lone):
        clear_taken(m, g, w)
    if ti.static(has.tendon):
        clear_tendons(m, g, w)
    clear_arms(m, g, w)
    clear_muscles(m, g, w)
    if stage != 3:  # the first one backwards, whose motors have what the end of an RK4 step asks
        clear_motors(m, g, w)
    clear_orientations(m, g, w)
    if ti.static(has.delay):
        if stage == EULER_STAGE:
            remember_vjp(m, g, w)
        begin_late(m, g, w)
    if stage == FINAL_STAGE:
        for k in range(nv):
            d.a_bar[w, k] = 0.0
            d.mu[w, k] = 0.0
    elif stage == EULER_STAGE:
        advance_vjp(m, d, g, w, implicit, kept)
    else:
        enter_stage_vjp(m, d, g, w, stage)
        if stage == 0:
            start_lengths_vjp(m, d, g, w, d.v_stage.at(w, 0))
            start_reach_vjp(m, g, w)
    if stage != FINAL_STAGE:
        pids_vjp(m, d, g, w)


@ti.func
def law_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """What actuators and their slopes have added to muscles, motors, orientations and the controls of delayed ones."""
    muscles_vjp(m, d, g, w)
    motors_vjp(m, d, g, w)
    orientations_vjp(m, d, g, w)
    late_controls_vjp(m, d, g, w)


@outline("mdg", "w")
@ti.func
def actuation_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    sum_forces_vjp(m, d, g, w)
    actuation_vjp(m, d, g, w)
    law_adjoint(m, d, g, w)


@outline("mdg", "w turned", when="fluid")
@ti.func
def resistance_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, turned: ti.i32):
    """What the fluid adds to D or to the metric of the integrator discrete, whose adjoint is that of motions."""
    if ti.static(has.wrench_sensor and has.discrete):  # which does not feel the metric: without T
        if m.integrator == DISCRETE:
            for ang, lin, x in ti.static(((d.l_ang, d.l_lin, d.z), (d.p_ang, d.p_lin, d.mu))):
                motion(m, d, w, ang, lin, x)
    fluid_slopes_vjp(m, d, g, w, turned)


@outline("mdg", "w", when="lone")
@ti.func
def turned_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """Of the accelerations of lone free bodies, which sensors and the integrator read; what follows is of those that
    were solved for."""
    if ti.static(has.discrete):
        turned_acceleration_vjp(m, d, g, w)
        motion(m, d, w, d.u_ang, d.u_lin, d.qacc)


@outline("mdg", "w", when="diagonal")
@ti.func
def mass_entries_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    if follows_diagonal(m) and d.nblock[w] + d.nrow[w] > 0:
        mass_entries_vjp(m, d, g, w)


@outline("mdg", "w", when="arm")
@ti.func
def arm_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The adjoint of arms, to whose lengths, velocities and rows all others have added."""
    if ti.static(has.wrench_sensor):  # which feels none of their forces: without T
        motion(m, d, w, d.l_ang, d.l_lin, d.z)
    arms_vjp(m, d, g, w)


@outline("mdg", "w implicit")
@ti.func
def motion_adjoint(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, implicit: ti.i32):
    """The adjoint of RNEA and kinematics, to which all others have added."""
    rnea_vjp_own(m, d, g, w, implicit)
    mass_entries_adjoint(m, d, g, w)
    arm_adjoint(m, d, g, w)
    adhesions_vjp(m, d, g, w)
    sloped = ti.cast(m.integrator == DISCRETE, ti.i32)
    if ti.static(has.implicitfast):
        sloped = sloped or (implicit and has_slopes(m))
    if ti.static(has.implicitfast or has.discrete):
        if sloped:
            resistance_adjoint(m, d, g, w, implicit)
    if ti.static(has.implicitfast):
        if implicit and m.integrator == IMPLICIT:
            bias_slopes_vjp(m, d, g, w)
    rnea_vjp(m, d, g, w, implicit)
    if ti.static(has.spatial or has.gravcomp or has.lone):
        if m.ntaken > 0:
            tree_leaves_vjp(m, d, g, w)
    mocap_vjp(m, d, g, w)


@ti.func
def is_plain(m: ti.template()):
    """Whether a_eff may stand for a where z is mu, since a then drops out of z^T r + mu^T ((M + h D) a_eff - M a), and
    with it P and Q: D has no slopes of forces on moving bodies, a fluid's or those of the bias, and no tendon asks
    which way its first bit of dry friction would push. Dofs, which do, find a in msearch."""
    r = ti.cast(m.integrator != IMPLICIT, ti.i32)
    if ti.static(has.fluid):
        if m.density > 0 or m.viscosity > 0:
            r = 0
    if ti.static(has.tendon):
        if m.ntendon > 0:
            r = 0
    return r


@outline("mdrgb", "w implicit damped stage row")
@ti.func
def forward_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                implicit: ti.i32, damped: ti.i32, stage: ti.i32, row: ti.i32):  # fmt: skip
    """What depends on the cotangent: the adjoint of an evaluation, of the sensors in output row `row` if it is not
    negative, and of the integrator, at a state that is `relinearized`. damped: see there.

    Adds to g.qpos_bar, qvel_bar, act_bar, ctrl_bar, mocap_bar, theta_bar, qfrc_bar, xfrc_bar.
    """
    nv = m.nv
    # nobody but the integrator asks for a: nothing constrains, no sensors were read
    mu_alone = ti.cast(implicit and row < 0 and m.integrator != DISCRETE and unconstrained(d, w), ti.i32)
    plain = mu_alone and is_plain(m)
    by_both = damped  # whether a_eff - a is asked for
    if m.integrator == DISCRETE:
        by_both = implicit
    if plain:
        by_both = 0
        for i in range(nv):
            d.msearch[w, i] = d.qacc[w, i]
            d.qacc[w, i] = d.qacc_eff[w, i]
    advance_adjoint(m, d, g, w, implicit, stage, ti.cast(mu_alone or not damped, ti.i32))
    for u in range(m.nu):
        g.force_bar[w * m.nu + u] = 0.0
    clear_diagonals(m, d, g, w)
    clear_rubs(m, g, w)
    if row >= 0:
        sensed_vjp(m, d, r, g, b, w, row)
    if ti.static(has.lone and has.discrete):
        if implicit and m.integrator == DISCRETE:
            turned_adjoint(m, d, g, w)
    acceleration_vjp(m, d, w, mu_alone)
    for i in range(nv):
        d.ma[w, i] = d.qacc_eff[w, i] - d.qacc[w, i]
    motion(m, d, w, d.l_ang, d.l_lin, d.z)
    fluid_vjp(m, d, g, w)  # whose forces a sensor of forces and torques does not feel
    if row >= 0:
        tested_wrenches(m, d, r, b, w, row, 0)
    if by_both:
        motion(m, d, w, d.p_ang, d.p_lin, d.mu)
        motion(m, d, w, d.q_ang, d.q_lin, d.ma)
        if ti.static(has.lone and has.discrete):
            if row >= 0 and m.integrator == DISCRETE:  # which read the accelerations that lone free bodies have
                tested_wrenches(m, d, r, b, w, row, 1)
    exact_vjp(m, d, w)
    if d.nblock[w] > 0:
        contact_blocks_vjp(m, d, g, w)
        ball_limit_blocks_vjp(m, d, g, w)
        equality_blocks_vjp(m, d, g, w)
    tendon_blocks_vjp(m, d, g, w)
    rows_vjp(m, d, g, w, plain)
    rubs_vjp(m, d, g, w)
    applied_vjp(m, d, g, w)
    metric_vjp(m, d, g, w)  # before the adjoint of actuation, which passes on what muscles and delayed controls have
    if row >= 0:
        ask_joint_forces(m, d, r, b, w, row * m.nsensordata)
    actuation_adjoint(m, d, g, w)
    gravcomp_vjp(m, d, g, w, 1)
    if row >= 0:
        joint_forces_asked(m, d, w)
    passive_vjp(m, d, g, w)
    residuals_vjp(m, d, g, w)
    gravcomp_vjp(m, d, g, w, 0)
    tendons_vjp(m, d, g, w, by_both)
    motion_adjoint(m, d, g, w, by_both)


@ti.func
def clear_bodies(m: ti.template(), g: ti.template(), w: ti.i32):
    """Zero the bodies' adjoints that sensors and contact add to."""
    zero = vec3(0.0, 0.0, 0.0)
    for b in range(m.nbody):
        h = bounded(w * m.nbody + b)
        for x in ti.static((
            g.l_ang, g.l_lin, g.acc_ang, g.acc_lin, g.u_ang, g.u_lin, g.vel_ang, g.vel_lin, g.pose_ang, g.pose_lin
        )):
            x[h] = zero
