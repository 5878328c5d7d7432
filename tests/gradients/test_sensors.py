"""Gradients of sensor readings against differences, each sensor by itself so that none hides behind another."""

import mujoco
import numpy as np
import pytest

import engine
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.quick import some


def only(rollout, mj, k):
    """Leave the weights of sensor k alone."""
    rows = slice(mj.sensor_adr[k], mj.sensor_adr[k] + mj.sensor_dim[k])
    kept = rollout.weights["sensordata"][..., rows].copy()
    rollout.weights["sensordata"][:] = 0
    rollout.weights["sensordata"][..., rows] = kept / 0.03
    return rollout


COUNT = mujoco.MjModel.from_xml_string(zoo.sensing()).nsensor


@pytest.mark.parametrize("k", some(range(1, COUNT)) + [0])
def test_each_sensor(simulators, k):
    mj, sim = simulators(zoo.sensing())
    state = zoo.random_state(mujoco, mj, np.random.default_rng(5), 0.3)
    rollout = only(Rollout(sim, mj, state, 3, seed=1, applied=True, outputs=("sensordata",)), mj, k)
    errors = rollout.errors()
    assert max(rollout.known.values()) < 1e-5
    # how well the differences are known is no error of the adjoint: of gravity, which hardly moves some, not to 1e-6
    assert_gradients({name: error - rollout.known[name] for name, error in errors.items()})


@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
def test_all_sensors_together(simulators, integrator):
    mj, sim = simulators(zoo.sensing(), integrator)
    state = zoo.random_state(mujoco, mj, np.random.default_rng(2), 0.3)
    for steps in (1, 20):
        assert_gradients(Rollout(sim, mj, state, steps, seed=1, applied=True).errors(leaves=True))


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize("integrator", (0, 1), ids=("Euler", "RK4"))
def test_touch(simulators, integrator, cone):
    mj, sim = simulators(zoo.touch(f'cone="{cone}"'), integrator)
    touched = np.zeros(mj.nsensordata)
    for seed in range(8):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.1)
        rollout = Rollout(sim, mj, state, 3, seed=seed)
        assert_gradients(rollout.errors(leaves=seed == 0))
        rollout.loss(rollout.inputs)
        touched += (rollout.tape.trajectory.sensordata > 0).sum(axis=(0, 1))
    assert (touched > 0).sum() >= 5


@pytest.mark.parametrize("integrator", (0, 1), ids=("Euler", "RK4"))
def test_limits(simulators, integrator):
    """All together, and each alone where it reads anything."""
    mj, sim = simulators(zoo.limit_sensors(), integrator)
    read = np.zeros(mj.nsensordata)
    for seed in range(6):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.15)
        rollout = Rollout(sim, mj, state, 3, seed=seed, applied=True)
        assert_gradients(rollout.errors())
        rollout.loss(rollout.inputs)
        read += (rollout.tape.trajectory.sensordata != 0).sum(axis=(0, 1))
    assert read.min() > 0


@pytest.mark.parametrize("k", range(mujoco.MjModel.from_xml_string(zoo.limit_sensors()).nsensor))
def test_each_limit(simulators, k):
    mj, sim = simulators(zoo.limit_sensors())
    for seed in (0, 1):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.15)
        rollout = Rollout(sim, mj, state, 1, seed=seed, outputs=("sensordata",))
        assert_gradients(only(rollout, mj, k).errors(leaves=seed == 0))


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize(("condim", "integrator"), ((3, 0), (3, 1), (6, 1), (3, 3)))
def test_forces_between_bodies_in_contact(simulators, condim, integrator, cone):
    mj, sim = simulators(zoo.feeling(f'cone="{cone}"', zoo.CONDIMS[condim]), integrator)
    touched = 0
    for seed, steps in ((0, 1), (1, 5), (4, 2), (5, 3)):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        rollout = Rollout(sim, mj, state, steps, seed=seed, applied=True, outputs=("sensordata",))
        assert_gradients(rollout.errors(leaves=seed == 1))
        touched += int(sim.data.ncon[0])
    assert touched


UNFELT = {
    "fluid": zoo.feeling('density="300" viscosity=".2" wind="1 2 3"'),
    "arms": zoo.ARMS["thrusters"].replace("</mujoco>", f"{zoo.TENSE}</mujoco>"),
}


@pytest.mark.parametrize("integrator", (0, 3), ids=("Euler", "implicitfast"))
@pytest.mark.parametrize("name", UNFELT)
def test_forces_that_are_none_between_bodies(simulators, name, integrator):
    """What fluids and actuators on sites do to a body is no part of the force between it and its parent."""
    mj, sim = simulators(UNFELT[name], integrator)
    for seed in (0, 1):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        assert_gradients(Rollout(sim, mj, state, 2, seed=seed, outputs=("sensordata",)).errors(leaves=True))


@pytest.mark.parametrize(("condim", "integrator"), ((3, 0), (3, 1), (6, 0)))
@pytest.mark.parametrize("cone", zoo.CONES)
def test_contact_sensors(simulators, condim, integrator, cone):
    mj, sim = simulators(zoo.contact_sensors(f'cone="{cone}"', zoo.CONDIMS[condim]), integrator)
    read = np.zeros(mj.nsensordata)
    for seed in range(3):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        rollout = Rollout(sim, mj, state, 2, seed=seed, outputs=("sensordata",))
        assert_gradients(rollout.errors(leaves=seed == 1))
        rollout.loss(rollout.inputs)
        read += (rollout.tape.trajectory.sensordata != 0).sum(axis=(0, 1))
    assert (read > 0).sum() > 100


@pytest.mark.parametrize("k", range(mujoco.MjModel.from_xml_string(zoo.contact_sensors()).nsensor))
def test_each_contact_sensor(simulators, k):
    mj, sim = simulators(zoo.contact_sensors(contact=zoo.CONDIMS[(3, 6)[k % 2]]))
    for seed in (1, 2):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        rollout = Rollout(sim, mj, state, 1, seed=seed, outputs=("sensordata",))
        assert_gradients(only(rollout, mj, k).errors())


@pytest.mark.parametrize("integrator", (0, 1), ids=("Euler", "RK4"))
def test_ranges(simulators, integrator):
    mj, sim = simulators(zoo.ranging(), integrator)
    for seed in range(4):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.1)
        rollout = Rollout(sim, mj, state, 2, seed=seed, applied=True, outputs=("sensordata",))
        assert_gradients(rollout.errors(leaves=seed == 1))


@pytest.mark.parametrize("seed", (0, 1))
def test_a_ray_for_each_pixel(simulators, seed):
    """Normals on round shapes, depths and points of cameras, by sizes and frames, too."""
    mj, sim = simulators(zoo.watching())
    state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.1)
    rollout = Rollout(sim, mj, state, 2, seed=seed, applied=True, outputs=("sensordata",))
    assert_gradients(rollout.errors(leaves=True))


@pytest.mark.parametrize("seed", (0, pytest.param(1, marks=pytest.mark.slow)))
def test_cameras_that_follow(simulators, seed):
    """By states, masses and poses of what they follow and look at."""
    mj, sim = simulators(zoo.following())
    state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.1)
    rollout = Rollout(sim, mj, state, 2, seed=seed, applied=True, outputs=("sensordata",))
    assert_gradients(rollout.errors(leaves=seed == 1))


@pytest.mark.parametrize("integrator", (0, 1), ids=("Euler", "RK4"))
def test_distances(simulators, integrator):
    mj, sim = simulators(zoo.apart(), integrator)
    for seed in range(3):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        rollout = Rollout(sim, mj, state, 2, seed=seed, applied=True, outputs=("sensordata",))
        assert_gradients(rollout.errors(leaves=seed == 1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_sought_distances(simulators, seed):
    """Between all shapes, apart and overlapping, some beyond their cutoff."""
    mj, sim = simulators(zoo.sought('ccd_tolerance="1e-10"'))
    state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.15)
    rollout = Rollout(sim, mj, state, 2, seed=seed, applied=True, outputs=("sensordata",))
    assert_gradients(rollout.errors(leaves=seed == 1))


@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
def test_tendons(simulators, integrator):
    """All together, and each limit read at least once."""
    mj, sim = simulators(zoo.tendon_sensors(), integrator)
    read = np.zeros(mj.nsensordata)
    for seed in range(4):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.2)
        rollout = Rollout(sim, mj, state, 3, seed=seed, applied=True)
        assert_gradients(rollout.errors())
        rollout.loss(rollout.inputs)
        read += (rollout.tape.trajectory.sensordata != 0).sum(axis=(0, 1))
    assert np.delete(read, 8).min() > 0  # the ninth is the force on a tendon without actuator


@pytest.mark.parametrize("k", some(range(mujoco.MjModel.from_xml_string(zoo.tendon_sensors()).nsensor), 3))
def test_each_sensor_of_tendons(simulators, k):
    mj, sim = simulators(zoo.tendon_sensors())
    for seed in (0, 1):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.15)
        rollout = Rollout(sim, mj, state, 1, seed=seed, outputs=("sensordata",))
        assert_gradients(only(rollout, mj, k).errors())


@pytest.mark.parametrize("make", (zoo.sensing, zoo.ranging), ids=("sensing", "ranging"))
def test_rows_that_nothing_asks_of(simulators, make):
    """The reverse step of a row whose sensors have no cotangent looks at none: gradients add up all the same."""
    mj, sim = simulators(make())
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(3), 0.1)
    tape, rng = engine.Tape(sim, 6), np.random.default_rng(0)
    sim.reset(qpos, qvel)
    sim.data.act[0] = act
    rows = tape.rollout(np.tile(ctrl, (6, 1)))
    states = {"qpos": rng.normal(size=rows.qpos.shape), "qvel": rng.normal(size=rows.qvel.shape)}
    read = rng.normal(size=rows.sensordata.shape)
    each = [np.where(np.arange(7)[:, None, None] == k, read, 0) for k in range(7)]

    def gradients(**bars):
        g = tape.backward(**bars)
        return np.concatenate([g.qpos0.ravel(), g.qvel0.ravel(), g.ctrl.ravel(), g.model.theta_bar.ravel()])

    parts = [gradients(**states), *(gradients(sensordata=bar) for bar in each)]
    whole = gradients(**states, sensordata=read)
    assert all(np.abs(part).max() > 0 for part in parts)
    np.testing.assert_allclose(sum(parts), whole, rtol=1e-10, atol=1e-10 * np.abs(whole).max())
