"""One stage of the step at a time, primal or adjoint, on the packs of a small model with one world.

A single kernel holds every stage that is tested (so it compiles once); `Probe.run(NAME, i)` executes one of them. The
stages' inputs and results are the packs' own arrays, as NumPy views.
"""

import numpy as np
import taichi as ti

from engine.arrays import theta_layout
from engine.compiler.launch import BoundKernel
from engine.compiler.stages import INTS, REALS, Block, outline
from engine.constraint.adhesion import adhesions_vjp
from engine.constraint.blocks import ball_limit_blocks_vjp, contact_blocks_vjp, equality_blocks_vjp, tendon_blocks_vjp
from engine.constraint.rows import rows_vjp
from engine.constraint.solver import acceleration_vjp, gradient
from engine.constraint.system import constraint, evaluate
from engine.diff.gradcheck import alike
from engine.diff.program import bind_program
from engine.diff.tape import MOCAP, Tape
from engine.dynamics.activation import act_dot_vjp, act_rates, pids_vjp
from engine.dynamics.actuation import actuation_vjp, sum_forces_vjp
from engine.dynamics.advance import advance, advance_vjp
from engine.dynamics.applied import applied_vjp
from engine.dynamics.arm import arms_vjp
from engine.dynamics.bias_slope import bias_slopes_vjp
from engine.dynamics.crba import mass_mul
from engine.dynamics.fluid import fluid_slopes_vjp, fluid_vjp
from engine.dynamics.gravcomp import gravcomp_vjp
from engine.dynamics.implicit import effective_acceleration, has_slopes
from engine.dynamics.integrate import integrate_pos, integrate_pos_vjp
from engine.dynamics.kinematics import mocap_vjp
from engine.dynamics.motors import clear_motors, motors_vjp
from engine.dynamics.muscles import clear_muscles, muscles_vjp
from engine.dynamics.orientation import orientations_vjp
from engine.dynamics.passive import passive_vjp
from engine.dynamics.pid import states_of
from engine.dynamics.residual import residuals_vjp
from engine.dynamics.rk4 import (
    advance_rk4_vjp,
    enter_stage,
    enter_stage_vjp,
    leave_stage,
    leave_stage_vjp,
    start_stages,
)  # fmt: skip
from engine.dynamics.rnea import motion, rnea_vjp, rnea_vjp_own
from engine.dynamics.taken import tree_leaves_vjp
from engine.dynamics.tendon import tendons_vjp
from engine.evaluation import clear_bodies, smooth_terms
from engine.feedback import act_controller, act_controller_vjp
from engine.math.types import real
from engine.model.constants import IMPLICIT
from engine.model.coordinates import displace, quat_gradient
from engine.sensing.actuator import ask_joint_forces
from engine.sensing.stages import sensed, sensed_vjp, tested_wrenches
from engine.theta import ANY, SIGNS
from engine.views import column
from tests import zoo
from tests.gradients.differences import derivative

STAGES = (
    "TERMS EFFECTIVE SENSORS ADVANCE INTEGRATE_POS START_STAGES ENTER_STAGE LEAVE_STAGE ADVANCE_RK4 ACT_RATES "
    "CONTROLLER MOTIONS PASSIVE_VJP ACTUATION_VJP ACT_DOT_VJP APPLIED_VJP CONSTRAINT_VJP RNEA_VJP SENSORS_VJP "
    "ADVANCE_VJP INTEGRATE_POS_VJP ADVANCE_RK4_VJP ENTER_STAGE_VJP LEAVE_STAGE_VJP CONTROLLER_VJP GRAVCOMP_VJP "
    "ACCELERATION_VJP TENDON_VJP FLUID_VJP TREE_LEAVES_VJP"
).split()
(
    TERMS, EFFECTIVE, SENSORS, ADVANCE, INTEGRATE_POS, START_STAGES, ENTER_STAGE, LEAVE_STAGE, ADVANCE_RK4, ACT_RATES,
    CONTROLLER, MOTIONS, PASSIVE_VJP, ACTUATION_VJP, ACT_DOT_VJP, APPLIED_VJP, CONSTRAINT_VJP, RNEA_VJP, SENSORS_VJP,
    ADVANCE_VJP, INTEGRATE_POS_VJP, ADVANCE_RK4_VJP, ENTER_STAGE_VJP, LEAVE_STAGE_VJP, CONTROLLER_VJP,
    GRAVCOMP_VJP, ACCELERATION_VJP, TENDON_VJP, FLUID_VJP, TREE_LEAVES_VJP,
) = range(len(STAGES))  # fmt: skip


@outline("mdcrgb", "w what i")
@ti.func
def stage(m: ti.template(), d: ti.template(), c: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
          w: ti.i32, what: ti.i32, i: ti.i32):  # fmt: skip
    nv = m.nv
    h = m.timestep
    if what == TERMS:
        # everything up to the acceleration QACC, which is given; the constraint forces in QFRC_CONSTRAINT
        smooth_terms(m, d, w, 1)
        # what the adjoints alone read
        smooth_terms(m, d, w, 0)
        constraint(m, d, w)
        evaluate(m, d, w, 0.0, d.qacc)
        mass_mul(m, d, w, d.qacc, d.ma)
        gradient(m, d, w)
        motion(m, d, w, d.u_ang, d.u_lin, d.qacc)
    elif what == EFFECTIVE:
        effective_acceleration(m, d, w, i, 0, i)
    elif what == SENSORS:
        sensed(m, d, w)
    elif what == ADVANCE:
        advance(m, d, w, i, 0)
    elif what == INTEGRATE_POS:
        integrate_pos(m, d, w, d.qvel, 0, h)
    elif what == START_STAGES:
        start_stages(m, d, w)
    elif what == ENTER_STAGE:
        enter_stage(m, d, w, i)
    elif what == LEAVE_STAGE:
        leave_stage(m, d, w, i)
    elif what == ADVANCE_RK4:
        advance(m, d, w, 0, 0)
    elif what == ACT_RATES:
        act_rates(m, d, w)
    elif what == CONTROLLER:
        act_controller(m, d, c, r, w, 1, i)
    elif what == MOTIONS:
        # test motions L of Z and, with i, P of MU and Q of QACC_EFF - QACC; no adjoints of bodies yet
        clear_bodies(m, g, w)
        for k in range(nv):
            d.ma[w, k] = d.qacc_eff[w, k] - d.qacc[w, k]
        motion(m, d, w, d.l_ang, d.l_lin, d.z)
        if i:
            motion(m, d, w, d.p_ang, d.p_lin, d.mu)
            motion(m, d, w, d.q_ang, d.q_lin, d.ma)
    elif what == PASSIVE_VJP:
        passive_vjp(m, d, g, w)
        residuals_vjp(m, d, g, w)
    elif what == ACTUATION_VJP:
        clear_muscles(m, g, w)
        clear_motors(m, g, w)
        sum_forces_vjp(m, d, g, w)
        actuation_vjp(m, d, g, w)
        muscles_vjp(m, d, g, w)
        motors_vjp(m, d, g, w)
        orientations_vjp(m, d, g, w)
    elif what == ACT_DOT_VJP:
        # the cotangents of act_dot are in act_dot itself
        clear_motors(m, g, w)
        for u in range(m.nu):
            k = m.actuator_actadr[u]
            if k >= 0:
                for x in range(k, k + states_of(m, u)):
                    act_dot_vjp(m, d, g, w, u, x, d.act_dot[x])
        pids_vjp(m, d, g, w)
        motors_vjp(m, d, g, w)
    elif what == APPLIED_VJP:
        applied_vjp(m, d, g, w)
    elif what == CONSTRAINT_VJP:
        rows_vjp(m, d, g, w, 0)
        contact_blocks_vjp(m, d, g, w)
        ball_limit_blocks_vjp(m, d, g, w)
        equality_blocks_vjp(m, d, g, w)
        tendon_blocks_vjp(m, d, g, w)
    elif what == RNEA_VJP:
        rnea_vjp_own(m, d, g, w, i)
        arms_vjp(m, d, g, w)
        adhesions_vjp(m, d, g, w)
        if i and has_slopes(m):
            fluid_slopes_vjp(m, d, g, w, i)
            if m.integrator == IMPLICIT:
                bias_slopes_vjp(m, d, g, w)
        rnea_vjp(m, d, g, w, i)
        mocap_vjp(m, d, g, w)
    elif what == SENSORS_VJP:
        # what sensors add to the test motion L and, for ACTUATION_VJP, to the test vector Z
        sensed_vjp(m, d, r, g, b, w, 0)
        tested_wrenches(m, d, r, b, w, 0, 0)
        ask_joint_forces(m, d, r, b, w, 0)
    elif what == ADVANCE_VJP:
        advance_vjp(m, d, g, w, i, 0)
        pids_vjp(m, d, g, w)
    elif what == INTEGRATE_POS_VJP:
        integrate_pos_vjp(m, w, d.qvel, 0, h, g.qpos_bar, 0, g.qvel_bar, 0)
    elif what == ADVANCE_RK4_VJP:
        advance_rk4_vjp(m, d, g, w)
    elif what == ENTER_STAGE_VJP:
        enter_stage_vjp(m, d, g, w, i)
        pids_vjp(m, d, g, w)
    elif what == LEAVE_STAGE_VJP:
        leave_stage_vjp(m, d, g, w, i)
    elif what == CONTROLLER_VJP:
        act_controller_vjp(m, d, c, g, w, i)
    elif what == GRAVCOMP_VJP:
        gravcomp_vjp(m, d, g, w, 1)
        gravcomp_vjp(m, d, g, w, 0)
    elif what == TREE_LEAVES_VJP:
        tree_leaves_vjp(m, d, g, w)
    elif what == FLUID_VJP:
        fluid_vjp(m, d, g, w)
    elif what == TENDON_VJP:
        # after all others; springs and dampers, armature
        tendons_vjp(m, d, g, w, i)
    else:
        acceleration_vjp(m, d, w, 0)


@ti.kernel
def probe(o: INTS, mi: INTS, mr: REALS, di: INTS, dr: REALS, ci: INTS, cr: REALS, rr: REALS, gr: REALS, br: REALS,
          what: ti.i32, i: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(1):
        stage(Block(o, mi, mr), Block(o, di, dr), Block(o, ci, cr), Block(o, None, rr), Block(o, None, gr),
              Block(o, None, br), w, what, i)  # fmt: skip


STEPS = 10.0 ** -np.arange(2.0, 8.0)
BARS = (
    "qpos_bar", "qvel_bar", "act_bar", "ctrl_bar", "theta_bar", "qfrc_bar", "xfrc_bar", "force_bar", "stage_bar",
    "params_bar", "mocap_bar", "tendon_bar", "ten_J_bar", "arm_bar", "taken_pose", "taken_axis",
    "arm_J_bar", "axis_bar", "so3_bar",
)  # fmt: skip


class Probe:
    """The packs of a simulator with one world, and the kernel bound to them. Keep one for each simulator."""

    def __init__(self, sim, controller=None, steps=1):
        assert real == ti.f64
        assert sim.worlds == 1
        self.sim, self.model = sim, sim.model
        self.tape = Tape(sim, steps=steps)
        held = np.zeros((steps, 1, sim.model.nu))
        self.program = bind_program(self.tape, held if controller is None else controller)
        self.tape._use(self.program)
        self.g, self.b, self.traj = self.tape.adj, self.tape.cot, self.tape.traj
        packs = [sim.model_pack, sim.pack, self.program.pack, self.traj, self.g, self.b]
        self.kernel = BoundKernel(probe, packs, 2)

    def run(self, what, i=0):
        self.kernel.launch(what, i)

    def column(self, name):
        """Live view of a vector over the dofs, (nv,), or of another column of Data by its name in schema.py."""
        return column(self.sim.pack, self.sim.sizes, 1, name)[0]

    def clear(self):
        for name in BARS:
            self.g[name][:] = 0

    def bar(self, name):
        """Adjoint of a state, a parameter, or the controls."""
        m = self.model
        if name in self.sim.params:
            at, live = theta_layout(m, self.sim.leaves)[0][name][0], self.sim.params[name]
            return self.g["theta_bar"][at : at + live.size].copy().reshape(live.shape)
        if name == "xfrc_applied":
            return self.g["xfrc_bar"].reshape(m.nbody, 6).copy()
        if name in MOCAP:
            bars = self.g["mocap_bar"].reshape(m.nmocap, 6)
            quat = self.sim.data.mocap_quat[0]
            return bars[:, :3].copy() if name == "mocap_pos" else quat_gradient(quat, bars[:, 3:])
        count = {"qpos": m.nv, "qvel": m.nv, "act": m.na, "ctrl": m.nu}[name]
        return self.g[f"{name}_bar"][:count].copy()


class Case:
    """A scalar made of stages' results at a state, and its derivatives.

    inputs: qpos, qvel, act, ctrl, xfrc_applied, mocap_pos, mocap_quat, every parameter, and qacc (the acceleration that
    the stages are given).
    """

    parting = False  # whether equal entries of which the greater counts move apart

    def __init__(self, probe, state, seed=0, qacc=None, applied=False):
        self.probe, self.sim, self.model = probe, probe.sim, probe.model
        self.rng = rng = np.random.default_rng(seed)
        qpos, qvel, act, ctrl = (np.array(a, float) for a in state)
        m = self.model
        self.x = {"qpos": qpos, "qvel": qvel, "act": act, "ctrl": ctrl}
        self.x["qacc"] = rng.normal(size=m.nv) if qacc is None else np.array(qacc)
        self.x |= {n: self.sim.params[n].copy() for n in self.sim.params}
        self.qfrc = rng.normal(size=m.nv) if applied else np.zeros(m.nv)
        self.x |= dict(zip(MOCAP, zoo.random_poses(m, rng), strict=True)) if m.nmocap else {}
        self.x["xfrc_applied"] = rng.normal(size=(m.nbody, 6)) if applied else np.zeros((m.nbody, 6))

    def set(self, **changed):
        """The whole state and all parameters, those of `changed` instead of the case's own."""
        x = {**self.x, **changed}
        sim = self.sim
        sim.reset(x["qpos"], x["qvel"])
        sim.data.act[0], sim.data.ctrl[0] = x["act"], x["ctrl"]
        sim.data.qfrc_applied[0], sim.data.xfrc_applied[0] = self.qfrc, x["xfrc_applied"]
        for name in MOCAP:
            getattr(sim.data, name)[0] = x.get(name, 0)
        for name in sim.params:
            sim.params[name][...] = x[name]
        sim.refresh()
        self.probe.column("qacc")[:] = x["qacc"]

    def run(self, *stages):
        for what in stages:
            self.probe.run(*(what if isinstance(what, tuple) else (what,)))

    def direction(self, name):
        x = self.x[name]
        d = self.rng.normal(size=self.model.nv if name == "qpos" else x.shape)
        if name in self.sim.params:
            if "equals" in SIGNS[name].zeros and not self.parting:
                d = alike(d, x)
            # what makes no sense below zero is changed in proportion to itself
            d = d * (np.abs(x) if SIGNS[name] is not ANY else np.where(x != 0, np.abs(x), 0.1))
            d = d * zoo.smooth_entries(self.model, name, x)
        return d

    def moved(self, name, direction, t):
        x = self.x[name]
        return displace(self.model, x, t * direction) if name == "qpos" else x + t * direction

    def compare(self, forward, bars, tolerance=1e-7, side=0, skip=(), steps=STEPS):
        """bars: {input: adjoint}; forward() -> scalar, after `set`; NaN where a difference may not go."""

        def value(name, direction, t):
            self.set(**{name: self.moved(name, direction, t)})
            return forward()

        self.set()
        here = abs(forward())
        errors = {}
        for name, bar in bars.items():
            if name in skip or not np.size(bar):
                continue
            assert np.isfinite(bar).all(), name
            for _ in range(2):
                direction = self.direction(name)
                if not np.any(direction):
                    continue
                found, known = derivative(lambda t, n=name, d=direction: value(n, d, t), steps, 3e-15 * here, side)
                adjoint = float((bar * direction).sum())
                # what rounding leaves of a difference is in proportion to the value
                scale = max(abs(found), abs(adjoint), 0.1 * np.abs(bar * direction).max(), 1e-3 * here, 1e-9)
                assert known < 100 * tolerance * scale, f"{name}: differences do not settle"
                errors[name] = max(errors.get(name, 0.0), (abs(found - adjoint) - known) / scale)
        print({k: f"{v:.1e}" for k, v in errors.items()})
        assert errors
        assert all(e <= tolerance for e in errors.values()), errors
        return errors
