"""Steps and trajectories against MuJoCo's, for every integrator."""

import mujoco
import numpy as np
import pytest

from tests import zoo
from tests.physics.reference import gymnasium_asset, skip_older_rk4, skip_older_slopes

INTEGRATORS = {"Euler": 0, "RK4": 1, "implicit": 2, "implicitfast": 3}
EULER, RK4, IMPLICIT, IMPLICITFAST = INTEGRATORS.values()
LONE = zoo.model(
    f'<body pos="0 0 1"><joint name="j" type="free" damping=".5"/>{zoo.BRICK}'
    f'<body pos=".1 0 0" euler="10 20 30">{zoo.ROD}</body></body>'
    f"{zoo.FLOATER}<body pos='0 3 1'><freejoint/>{zoo.BRICK}</body>",
    '<actuator><velocity joint="j" kv="1.4" gear=".3 .5 -1 .4 -.2 1"/></actuator>',
)
MODELS = {**zoo.SMOOTH, **zoo.MUSCLES, **zoo.ARMS, **zoo.ROWS, **zoo.EQUALITIES, **zoo.TAUT,
          **{f"tendon {name}": xml for name, xml in zoo.TENDONS.items()}, "lone free bodies": LONE}


def difference(sim, data):
    """Largest error of the state, relative to its size but at least 1."""
    pairs = [(getattr(sim.data, n)[0], getattr(data, n)) for n in ("qpos", "qvel", "act")]
    return max(float(np.abs(a - b).max() / max(1.0, np.abs(b).max())) for a, b in pairs if b.size)


@pytest.mark.parametrize("integrator", tuple(INTEGRATORS.values()), ids=tuple(INTEGRATORS))
@pytest.mark.parametrize("name", MODELS)
def test_one_step_of_fast_motion(simulators, name, integrator):
    mj, sim = simulators(MODELS[name], integrator)
    skip_older_rk4(mj)
    skip_older_slopes(mj)
    data, rng, worst = mujoco.MjData(mj), np.random.default_rng(0), 0.0
    for _ in range(15):
        qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, rng, 1.0, 4.0)
        mujoco.mj_resetData(mj, data)
        data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = qpos, qvel, act, ctrl
        mujoco.mj_forward(mj, data)
        data.qacc_warmstart[:] = data.qacc
        sim.reset(qpos, qvel)
        sim.data.act[0], sim.data.ctrl[0] = act, ctrl
        mujoco.mj_step(mj, data)
        sim.step()
        worst = max(worst, difference(sim, data))
    print(worst)
    assert worst < (1e-7 if name.removeprefix("tendon ") in zoo.WITHIN else 1e-12)


def run(mj, sim, steps, controls, start=None):
    """Errors of the free-running trajectory before the first contact, and of each step from MuJoCo's own state.

    start: (qpos, qvel); by default qpos0, at rest.
    """
    data = mujoco.MjData(mj)
    free, stepwise, untouched = 0.0, 0.0, 0
    running = type(sim)(sim.model)
    if start is not None:
        data.qpos[:], data.qvel[:] = start
        running.reset(*start)
    touched = False
    for t in range(steps):
        data.ctrl[:] = running.data.ctrl[0] = controls[t]
        sim.reset(data.qpos, data.qvel)
        sim.data.ctrl[0], sim.data.qacc_warmstart[0] = controls[t], data.qacc_warmstart
        if mj.na:
            sim.data.act[0] = data.act
        mujoco.mj_step(mj, data)
        running.step()
        sim.step()
        touched |= data.ncon > 0
        if not touched:
            untouched += 1
            free = max(free, float(np.abs(running.data.qpos[0] - data.qpos).max()))
        stepwise = max(stepwise, difference(sim, data))
    return free, stepwise, untouched, touched


ROBOTS = (
    "half_cheetah", "hopper", "walker2d", "ant", "swimmer", "inverted_pendulum", "inverted_double_pendulum", "reacher",
)  # fmt: skip


@pytest.mark.parametrize("integrator", tuple(INTEGRATORS.values()), ids=tuple(INTEGRATORS))
@pytest.mark.parametrize("name", ROBOTS)
def test_trajectories(simulators, name, integrator):
    mj, sim = simulators(gymnasium_asset(name), integrator)
    skip_older_rk4(mj)
    controls = np.random.default_rng(0).uniform(-1, 1, size=(500, mj.nu))
    free, stepwise, untouched, touched = run(mj, sim, 500, controls)
    print(f"free {free:.1e} over {untouched} steps, stepwise {stepwise:.1e}")
    assert touched == (name in ROBOTS[:4])
    assert untouched >= 10
    assert free < 1e-6
    assert stepwise < 1e-7


@pytest.mark.parametrize("condim", (3, 6))
@pytest.mark.parametrize("cone", (0, 1), ids=zoo.CONES)
@pytest.mark.parametrize("integrator", tuple(INTEGRATORS.values()), ids=tuple(INTEGRATORS))
def test_tumbling_bodies_in_contact(simulators, integrator, cone, condim):
    mj, sim = simulators(zoo.one_tree(f'cone="{zoo.CONES[cone]}"', zoo.CONDIMS[condim]), integrator)
    skip_older_rk4(mj)
    controls = np.random.default_rng(1).uniform(-1, 1, size=(300, mj.nu))
    free, stepwise, untouched, touched = run(mj, sim, 300, controls)
    print(f"stepwise {stepwise:.1e}")
    assert touched
    assert stepwise < 1e-7


def test_rk4_is_of_fourth_order_on_rotations(simulators):
    """A spinning brick without gravity: halving the step divides the error of the orientation by about 16."""
    xml = zoo.SMOOTH["ball"].replace('gravity="0.3 -0.2 -9.81"', 'gravity="0 0 0"')
    ends = []
    for n in (20, 40, 80, 640):
        mj, sim = simulators(xml.replace('timestep="0.004"', f'timestep="{0.4 / n}"'), RK4)
        sim.reset(qvel=np.array([5.0, -3.0, 4.0]))
        sim.step(n)
        ends.append(sim.data.qpos[0].copy())
    errors = [np.abs(q - ends[-1]).max() for q in ends[:-1]]
    assert 13 < errors[0] / errors[1] < 19
    assert 13 < errors[1] / errors[2] < 19


def test_rk4_of_long_steps(simulators):
    """Of what a stage turns by, the shortest vector of that rotation counts, as in MuJoCo: by up to several turns."""
    xml = zoo.SMOOTH["ball"].replace('gravity="0.3 -0.2 -9.81"', 'gravity="0 0 0"')
    mj, sim = simulators(xml.replace('timestep="0.004"', 'timestep="1"'), RK4)
    skip_older_rk4(mj)
    data = mujoco.MjData(mj)
    for speed in (1.0, 3.0, 3.3, 5.0, 6.2, 6.4, 9.0):
        mujoco.mj_resetData(mj, data)
        data.qvel[:] = speed * np.array((0.36, -0.48, 0.8))
        sim.reset(data.qpos, data.qvel)
        mujoco.mj_step(mj, data)
        sim.step()
        np.testing.assert_allclose(sim.data.qpos[0], data.qpos, atol=1e-10)
        np.testing.assert_allclose(sim.data.qvel[0], data.qvel, rtol=1e-10, atol=1e-10)
