"""Which form a launch takes changes nothing but its time; worker threads have a core each."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engine
import scenes
from controllers import PD
from engine.compiler import backend
from engine.compiler.backend import cores, settings
from tests.asked import leaves_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def two_threads():
    """As in a user's process on two cores, with the kernels of the robot alone."""
    before = settings()
    backend._settings = backend.Settings(before.arch, before.precision, 2, "robot")
    yield
    backend._settings = before


@pytest.mark.slow
def test_all_kernels_for_several_threads_give_the_same_bits(two_threads):
    """A rollout with a controller, its reverse and a linearized step, of many worlds in one launch each or alone."""
    scene = scenes.load("hopper")
    tape = engine.Tape(engine.Simulator(scene.model, 7, leaves=leaves_of(scene.model)), 40, frame_skip=5)
    start, controller = scene.start(np.random.default_rng(0), 7), PD(scene.model)
    bar = np.random.default_rng(1).normal(size=(41, 7, scene.model.nq))

    def derived(tape, rows):
        tape.sim.reset(start[0][rows], start[1][rows])
        traj = tape.rollout(controller)
        grads = tape.backward(qpos=bar[:, rows])
        A, B = tape.sim.linearize()
        return traj.qpos, grads.qpos0, grads.ctrl, A, B, grads.model.theta_bar

    together = derived(tape, slice(None))
    slopes = tape.backward(qpos=bar).model
    assert all(slopes[name].any() for name in ("geom_size", "geom_solimp", "body_pos"))
    assert "parallel" in tape._rollout.bound and "parallel" in tape._reverse.bound
    one = engine.Tape(engine.Simulator(scene.model, 1, leaves=leaves_of(scene.model)), 40, frame_skip=5)
    for w in range(7):
        for many, alone in zip(together, derived(one, [w]), strict=True):
            axis = 0 if many.ndim == 2 or many.shape[0] == 7 else 1
            assert np.array_equal(np.take(many, w, axis), np.take(alone, 0, axis))
    assert set(one._rollout.bound) == {"serial"}


@pytest.mark.skipif(len(cores()) < 2, reason="needs two cores")
def test_little_work_wakes_no_threads_and_gives_the_same_bits(two_threads):
    scene = scenes.load("hopper")
    one, many = (engine.Simulator(scene.model, 5) for _ in range(2))
    start, ctrl = scene.start(np.random.default_rng(0), 5), np.full((5, scene.model.nu), 0.3)
    for sim in (one, many):
        sim.reset(*start)
        sim.data.ctrl[:] = ctrl
    for _ in range(300):
        one.step()
    many.step(300)
    assert set(one._kernel.bound) == {"serial"} and set(many._kernel.bound) == {"parallel"}
    assert np.array_equal(one.data.qpos, many.data.qpos) and np.array_equal(one.data.qvel, many.data.qvel)
    many.step()
    one.step(1)
    assert set(many._kernel.bound) == {"serial", "parallel"}
    assert np.array_equal(one.data.qpos, many.data.qpos)


def test_one_core_takes_no_threads():
    sim = engine.Simulator(scenes.load("pendulum").model, 1)
    sim.step(10_000)
    assert set(sim._kernel.bound) == {"serial"}


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not list threads")
@pytest.mark.parametrize("other", (0, 1), ids=("as many as cores", "another number"))
def test_threads_have_a_core_each(other):
    code = f"""if True:
        import os, engine
        from engine.compiler.backend import cores
        from engine.compiler.session import session
        allowed = os.sched_getaffinity(0)
        engine.init(threads=len(cores()) + {other})
        session()
        assert os.sched_getaffinity(0) == allowed  # the calling thread goes where it likes
        at = [os.sched_getaffinity(int(t)) for t in os.listdir("/proc/self/task")]
        print(sorted(min(s) for s in at if len(s) == 1 < len(allowed)) == sorted(allowed))"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    expected = other == 0 and len(cores()) > 1
    assert done.stdout.split() == [str(expected)], done.stderr
