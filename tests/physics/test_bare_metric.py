"""The integrator discrete beside MuJoCo's solver PGS, whose metric has nothing of actuators and tendons: steps and rows
against MuJoCo's, whose sweeps go on until nothing changes, and gradients against differences."""

import mujoco
import numpy as np
import pytest

from engine import Simulator
from engine.model import load
from engine.model.constants import DISCRETE, NEWTON, PGS
from tests import zoo
from tests.asked import leaves_of
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.physics.reference import BEFORE_4
from tests.physics.test_diagexact import exactly
from tests.physics.test_discrete import landed, off_kinks, steps_apart, stiff
from tests.physics.test_integrators import LONE, MODELS


def quicker(name, cone):
    """In steps that explicit servos take."""
    return stiff(name, cone).replace('timestep="0.01"', 'timestep="0.001"')


ROBOTS = {
    **{f"{name}, {cone}": quicker(name, cone) for name in ("usual", "hard", "rolling") for cone in zoo.CONES},
    **{name: MODELS[name] for name in (
        "position", "servo on ball", "tendon motors", "several equalities", "tendon limited actuators",
        "muscles along paths", "reference sites",
    )},
    "lone free bodies": LONE,
    "exact diagonals": exactly(quicker("usual", "pyramidal")),
}  # fmt: skip
QUICK = {"tendon limited actuators", "lone free bodies", "reference sites"}


def swept(xml):
    mj = mujoco.MjModel.from_xml_string(xml)
    mj.opt.integrator, mj.opt.solver, mj.opt.jacobian = DISCRETE, PGS, mujoco.mjtJacobian.mjJAC_DENSE
    mj.opt.tolerance, mj.opt.iterations = 0, 20000
    model = load(mj)
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    return mj, Simulator(model, leaves=leaves_of(model))


@pytest.mark.parametrize("name", [
    name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ROBOTS
])  # fmt: skip
def test_steps_and_gradients(name):
    mj, sim = swept(ROBOTS[name])
    rng, touched = np.random.default_rng(0), "," in name or name == "exact diagonals"
    states = [landed(mj, rng) if touched else zoo.random_state(mujoco, mj, rng, 0.5, 3.0) for _ in range(3)]
    worst, forces, met = steps_apart(mj, sim, states, 2)
    print(worst, forces, met)
    assert max(worst, 0.01 * forces) < 1e-11 and met >= 4 * touched
    off_kinks(sim)
    for steps in (1, 6):
        rollout = Rollout(sim, mj, states[0], steps, seed=steps)
        assert_gradients(rollout.errors([n for n in (*rollout.inputs, *rollout.params) if not n.endswith("loss")]))


def test_servos_are_explicit():
    """So that agreeing with MuJoCo means something: with another solver the step is another one."""
    found = []
    for solver in (PGS, NEWTON):
        model = load(stiff("usual", "elliptic"))
        model.opt.solver = solver
        sim = Simulator(model)
        sim.data.ctrl[:] = 0.3
        sim.step()
        found.append(sim.data.qvel[0].copy())
    assert np.abs(found[0] - found[1]).max() > 0.1 * np.abs(found[1]).max()


def test_written_and_read_again():
    model = load(stiff("usual", "elliptic").replace("<option ", '<option solver="PGS" ', 1))
    assert model.opt.solver == PGS and load(model.to_mjcf()).opt.solver == PGS
    assert load(load(stiff("usual", "elliptic")).to_mjcf()).opt.solver == NEWTON


WITHOUT_FLEX = """<mujoco><option integrator="{}"><flag ipc="enable"/></option><worldbody>
<geom type="plane" size="1 1 1"/>
<body pos="0 0 .09"><freejoint/><geom type="box" size=".1 .1 .1"/></body></worldbody></mujoco>"""


@pytest.mark.skipif(BEFORE_4, reason="MuJoCo 4.0 or later has this")
def test_the_flag_ipc_without_a_flex(simulators):
    """Changes nothing."""
    model = load(WITHOUT_FLEX.format("discrete"))
    assert any("ipc" in line for line in model.report.changed)
    mj, sim = simulators(WITHOUT_FLEX.format("discrete"))
    data = mujoco.MjData(mj)
    for _ in range(20):
        mujoco.mj_step(mj, data)
    sim.step(20)
    assert data.ncon == 4
    np.testing.assert_allclose(sim.data.qpos[0], data.qpos, atol=1e-10)
