"""Adjoints of integrate_pos, of advance with its implicit damping (factor_lone and lone_inertia included), and of
RK4's start_stages, enter_stage, leave_stage and advance_rk4, at given accelerations."""

import mujoco
import numpy as np
import pytest

from engine.model.coordinates import qpos_to_tangent
from tests import zoo
from tests.adjoints import probe as p
from tests.physics.test_integrators import LONE

pytestmark = pytest.mark.slow  # the kernel that takes each stage alone compiles for a minute

EULER, RK4, IMPLICIT, IMPLICITFAST = range(4)
MODELS = {**zoo.SMOOTH, "lone free bodies": LONE, **{f"tendon {name}": xml for name, xml in zoo.TENDONS.items()}}
JOINTS = ("hinge", "slide", "ball", "free", "slides and ball", "trees")
DAMPING = ("qpos", "qvel", "act", "ctrl", "dof_damping", "dof_armature", "body_mass", "body_inertia",
           "actuator_gear", "actuator_gainprm", "actuator_biasprm", "tendon_damping", "tendon_armature",
           "wrap_prm")  # fmt: skip


def states(mj):
    yield zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.7)
    yield mj.qpos0, np.zeros(mj.nv), np.zeros(mj.na), np.zeros(mj.nu)


class NextState:
    """A random linear function of the state after a step, and its cotangents in the tangent space."""

    def __init__(self, case):
        m = case.model
        self.case = case
        self.q, self.v, self.a = (case.rng.normal(size=n) for n in (m.nq, m.nv, m.na))
        self.v, self.a = 30 * self.v, 30 * self.a  # what a step changes of them is small

    def value(self):
        d = self.case.sim.data
        return float(self.q @ d.qpos[0] + self.v @ d.qvel[0] + self.a @ d.act[0])

    def inject(self, qpos):
        """Cotangents after the step to the packs' adjoints; qpos after the step."""
        m, g = self.case.model, self.case.probe.g
        g["qpos_bar"][: m.nv] = qpos_to_tangent(m, qpos, self.q)
        g["qvel_bar"][: m.nv] = self.v
        g["act_bar"][: m.na] = self.a


@pytest.mark.parametrize("name", JOINTS)
def test_integrate_pos(probes, name):
    mj, probe = probes(zoo.SMOOTH[name])
    for state in states(mj):
        case = p.Case(probe, state)
        out = NextState(case)

        def forward(case=case, out=out):
            case.run(p.INTEGRATE_POS)
            return out.value()

        case.set()
        forward()
        qpos = case.sim.data.qpos[0].copy()
        case.set()
        probe.clear()
        out.inject(qpos)
        case.run(p.INTEGRATE_POS_VJP)
        case.compare(forward, {n: probe.bar(n) for n in ("qpos", "qvel")})


@pytest.mark.parametrize("integrator", (EULER, IMPLICIT, IMPLICITFAST), ids=("Euler", "implicit", "implicitfast"))
@pytest.mark.parametrize("name", MODELS)
def test_advance(probes, name, integrator):
    """The mass matrix moves with q, so rnea_vjp belongs to it (motions P and Q, no test motion L)."""
    mj, probe = probes(MODELS[name], integrator)
    for state in states(mj):
        case = p.Case(probe, state)
        out = NextState(case)
        damped = int(integrator != EULER or bool((case.x["dof_damping"] > 0).any()))

        def forward(case=case, out=out):
            # without any damping, that with a bit of it
            case.run(p.TERMS, (p.ADVANCE, 1))
            return out.value()

        case.set()
        forward()
        qpos = case.sim.data.qpos[0].copy()
        case.set()
        case.run(p.TERMS, (p.EFFECTIVE, 1))  # the adjoint is implicit without damping too
        probe.clear()
        out.inject(qpos)
        case.run((p.ADVANCE_VJP, 1))
        qacc = probe.column("a_bar").copy()
        probe.column("z")[:] = 0
        case.run((p.MOTIONS, 1), (p.TENDON_VJP, 1), (p.RNEA_VJP, 1))
        bars = {n: probe.bar(n) for n in DAMPING} | {"qacc": qacc}
        skip = () if damped else ("dof_damping",)
        case.compare(forward, bars, skip=skip)
        if not damped:
            case.direction = lambda name, case=case: np.abs(case.rng.normal(size=case.model.nv))
            case.compare(forward, {"dof_damping": bars["dof_damping"]}, side=1)


@pytest.mark.parametrize("name", MODELS)
def test_rk4(probes, name):
    mj, probe = probes(MODELS[name], RK4)
    check_rk4(probe, states(mj))


def test_rk4_of_long_steps(probes):
    """Stages turn by more than half a turn, up to several; of such vectors the shortest counts."""
    mj, probe = probes(zoo.SMOOTH["ball"].replace('timestep="0.004"', 'timestep="1"'), RK4)
    rng = np.random.default_rng(0)
    spun = [zoo.random_state(mujoco, mj, rng, 0.3, 0.0) for _ in range(4)]
    for state, speed in zip(spun, (3.0, 5.0, 9.0, 20.0), strict=True):
        state[1][:] = speed * np.array((0.36, -0.48, 0.8))
    check_rk4(probe, spun)


def check_rk4(probe, states):
    for state in states:
        case = p.Case(probe, state)
        out = NextState(case)
        for i in range(4):
            case.x[f"qacc{i}"] = 5 * case.rng.normal(size=case.model.nv)

        def stages(case):
            case.run(p.START_STAGES)
            for i in range(4):
                case.run((p.ENTER_STAGE, i), p.ACT_RATES)
                case.probe.column("qacc")[:] = case.now[f"qacc{i}"]
                case.run((p.LEAVE_STAGE, i))

        def set_(case=case, **changed):
            case.now = {**case.x, **changed}
            p.Case.set(case, **changed)

        case.set = set_

        def forward(case=case, out=out, stages=stages):
            stages(case)
            case.run(p.ADVANCE_RK4)
            return out.value()

        case.set()
        forward()
        qpos = case.sim.data.qpos[0].copy()
        case.set()
        stages(case)
        probe.clear()
        out.inject(qpos)
        case.run(p.ADVANCE_RK4_VJP)
        bars = {}
        for i in (3, 2, 1, 0):
            case.run((p.ENTER_STAGE, i), (p.ENTER_STAGE_VJP, i))
            bars[f"qacc{i}"] = probe.column("a_bar").copy()
            case.run((p.LEAVE_STAGE_VJP, i))
        bars |= {n: probe.bar(n) for n in ("qpos", "qvel", "act", "ctrl")}
        case.compare(forward, bars)
