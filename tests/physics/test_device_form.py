"""The form of the kernels for a GPU, and what is asked on the device around a launch, run by the CPU's threads.

tests/cuda runs them on a GPU.
"""

import numpy as np
import pytest

import engine
import scenes
from engine import schema as s
from engine.simulator import Simulator

WORLDS = 5
pytestmark = pytest.mark.slow  # kernels of their own


@pytest.fixture(scope="module")
def on_device():
    """Simulators and tapes of this class launch as on a GPU."""

    class OnDevice(Simulator):
        form = "device"

    return OnDevice


@pytest.fixture(scope="module", params=("hopper", "ant"))
def scene(request):
    return scenes.load(request.param)


def started(kind, scene):
    sim = kind(scene.model, WORLDS)
    sim.reset(*scene.start(np.random.default_rng(3), WORLDS))
    sim.data.ctrl[:] = np.random.default_rng(4).uniform(-0.5, 0.5, sim.data.ctrl.shape)
    return sim


def test_steps_and_gradients_are_those_of_the_other_forms(on_device, scene):
    found = []
    for kind in (Simulator, on_device):
        sim = started(kind, scene)
        sim.step(7)
        sim.forward()
        values = [sim.data.qpos.copy(), sim.data.qvel.copy(), sim.data.sensordata.copy()]
        tape = engine.Tape(sim, 6, frame_skip=2, memory=engine.Tape(sim, 6, frame_skip=2).fixed_bytes + 40000)
        u = np.random.default_rng(5).uniform(-0.5, 0.5, (6, WORLDS, scene.model.nu))
        trajectory = tape.rollout(u)
        bar = np.random.default_rng(6).normal(size=trajectory.qpos.shape)
        g = tape.backward(qpos=bar)
        found.append([*values, trajectory.qpos.copy(), g.ctrl, g.qpos0, g.qvel0, g.model.theta_bar])
    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    assert np.abs(found[0][4]).max() > 0


@pytest.mark.parametrize("bad", (np.nan, np.inf, -np.inf))
def test_a_state_that_is_not_finite_is_refused_before_anything_moves(on_device, scene, bad):
    sim = started(on_device, scene)
    sim.step()
    before = sim.data.qpos.copy()
    for array, name in ((sim.data.qvel, "qvel"), (sim.data.xfrc_applied, "xfrc_applied")):
        array[3].flat[-1] = bad
        with pytest.raises(ValueError, match=f"data.{name}: entry"):
            sim.step()
        array[3].flat[-1] = 0
    assert np.array_equal(before, sim.data.qpos)
    sim.data.qfrc_applied[0, 0] = 1e30  # large, but a number: looked at again on the host
    with pytest.raises(engine.DivergenceError, match="world 0"):
        sim.step()


def test_a_world_that_diverges_is_named_and_ends_alone(on_device, scene):
    sim = started(on_device, scene)
    sim.data.qvel[2, -1] = 1e9
    with pytest.raises(engine.DivergenceError, match="world 2"):
        sim.step(50)
    sim = started(on_device, scene)
    sim.data.qvel[2, -1] = 1e9
    diverged = sim.advance(50, held=np.arange(WORLDS) == 1)
    assert diverged.tolist() == [False, False, True, False, False]
    assert (sim.data._status[:, s.start("d", "status")] == [0, 0, 1, 0, 0]).all()


def test_too_many_contacts_are_named(on_device):
    scene = scenes.load("ant")
    sim = on_device(scene.model, WORLDS, ncon=1)
    sim.reset(*scene.start(np.random.default_rng(3), WORLDS))
    with pytest.raises(engine.ContactOverflowError, match="capacity is 1"):
        sim.step(400)
