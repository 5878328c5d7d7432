"""Ray workers against one process, and against death."""

import os
import types

import numpy as np
import pytest

ray = pytest.importorskip("ray", reason='needs Ray: pip install "pullback[ray]"')

import engine  # noqa: E402
import scenes  # noqa: E402
from controllers import MLP  # noqa: E402
from engine.compiler import backend  # noqa: E402
from engine.distributed import Workers, started_ray  # noqa: E402

WORLDS, STEPS = 5, 30


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """One of this machine, with a place for a third worker beside the two of most tests. As in a user's process it
    compiles for the robot alone: each worker makes all its kernels itself, and one that dies leaves none on disk."""
    before = backend.settings()
    backend._settings = backend.Settings(before.arch, before.precision, before.threads, "robot")
    started_ray(3)
    yield
    ray.shutdown()
    backend._settings = before


@pytest.fixture(scope="module")
def scene():
    return scenes.load("hopper")


@pytest.fixture(scope="module")
def start(scene):
    return scene.start(3, WORLDS)


@pytest.fixture(scope="module")
def workers(scene):
    with Workers(scene.model, WORLDS, STEPS, workers=2, frame_skip=2) as made:
        yield made


def goal(trajectory):
    """Distance at the end, effort, and where the feet are: a sum over worlds."""
    q, u, s = trajectory.qpos, trajectory.ctrl, trajectory.sensordata
    value = q[-1, :, 0].sum() - 0.01 * np.square(u).sum() + np.square(s).mean(axis=0).sum()
    q_bar = np.zeros_like(q)
    q_bar[-1, :, 0] = 1.0
    return value, {"qpos": q_bar, "ctrl": -0.02 * u, "sensordata": 2.0 * s / len(s)}


def sent():
    """`goal` without the name of its module, which workers cannot import: pickled as code."""
    f = types.FunctionType(goal.__code__, {"np": np, "__builtins__": __builtins__}, "goal")
    f.__module__ = "__main__"
    return f


def one_process(scene, start, controls, mass=None):
    sim = engine.Simulator(scene.model, WORLDS)
    if mass is not None:
        sim.params.body_mass[:] = mass
    tape = engine.Tape(sim, STEPS, frame_skip=2)
    sim.reset(*start)
    trajectory = tape.rollout(controls)
    outputs = {n: getattr(trajectory, n).copy() for n in ("qpos", "qvel", "ctrl", "sensordata")}
    value, bars = goal(trajectory)
    return outputs, value, tape.backward(**bars)


def assert_equal(ours, theirs, rtol=1e-12):
    """Gradients within 1e-12 of their size."""
    pairs = [(n, getattr(ours, n), getattr(theirs, n)) for n in ("ctrl", "params", "qpos0", "qvel0", "act0")]
    pairs += [(n, ours.model[n], theirs.model[n]) for n in theirs.model]
    compared = 0
    for name, a, b in pairs:
        if b is None:
            assert a is None
        elif b.size:
            assert a.shape == b.shape
            assert np.abs(a - b).max() <= rtol * np.abs(b).max(), name
            compared += np.abs(b).max() > 0
    assert compared >= 10


def controllers_of(scene):
    rng = np.random.default_rng(0)
    shared, own = (MLP(scene.model, hidden=(8,), seed=1) for _ in range(2))
    own.params = shared.params + 0.1 * rng.normal(size=(WORLDS, shared.nparam))
    return {
        "for all": rng.uniform(-1, 1, (STEPS, scene.model.nu)),
        "for each": rng.uniform(-1, 1, (STEPS, WORLDS, scene.model.nu)),
        "shared network": shared,
        "own networks": own,
    }


@pytest.mark.parametrize("kind", ["for all", "for each", "shared network", "own networks"])
def test_workers_give_one_processs_gradient(kind, scene, start, workers):
    controls = controllers_of(scene)[kind]
    outputs, value, grads = one_process(scene, start, controls)
    got = workers.rollout(controls, *start)
    for name, a in outputs.items():
        np.testing.assert_array_equal(getattr(got, name), a, err_msg=name)
    ours, gradients = workers.gradient(sent(), controls, *start)
    assert ours == pytest.approx(value, rel=1e-13)
    assert_equal(gradients, grads)


def test_parameters_of_the_model(scene, start, workers):
    mass = scene.model.body_mass * 1.3
    controls = controllers_of(scene)["for all"]
    _, value, grads = one_process(scene, start, controls, mass)
    ours, gradients = workers.gradient(sent(), controls, *start, params={"body_mass": mass})
    assert ours == pytest.approx(value, rel=1e-13)
    assert_equal(gradients, grads)
    # and the next call is without them again
    _, value, grads = one_process(scene, start, controls)
    assert workers.gradient(sent(), controls, *start)[0] == pytest.approx(value, rel=1e-13)


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(scene, start, workers, tmp_path):
    """Killed in the middle of an iteration, and again between two."""
    controls, inner, mark = controllers_of(scene)["for each"], sent(), str(tmp_path / "died")
    want, grads = workers.gradient(inner, controls, *start)

    def deadly(trajectory):
        if 0 in trajectory.worlds and not os.path.exists(mark):
            open(mark, "w").close()
            os.kill(os.getpid(), 9)
        return inner(trajectory)

    before = list(workers._workers)
    value, again = workers.gradient(deadly, controls, *start)
    assert os.path.exists(mark)
    assert workers._workers[0] is not before[0] and workers._workers[1] is before[1]
    assert value == want
    assert_equal(again, grads, rtol=0.0)
    ray.kill(workers._workers[1])
    value, again = workers.gradient(inner, controls, *start)
    assert value == want
    assert_equal(again, grads, rtol=0.0)


class Fatal:
    """Ends the process that unpickles it, before its engine starts."""

    def __reduce__(self):
        return os._exit, (1,)


def test_workers_that_always_die_are_an_error(scene):
    with Workers(scene.model, 2, 2, workers=1, retries=1) as few, pytest.raises(RuntimeError, match="2 workers died"):
        few.gradient(Fatal(), np.zeros((2, 3)))


def test_closed_workers_say_so(scene):
    with Workers(scene.model, 2, 3) as ended:
        pass
    ended.close()
    with pytest.raises(RuntimeError, match="closed"):
        ended.rollout(np.zeros((3, scene.model.nu)))


def test_errors_name_the_world_among_all(scene, workers):
    qvel = np.zeros((WORLDS, 6))
    qvel[4] = 1e9 * np.array([1, -1, 1, -1, 1, -1])
    with pytest.raises(engine.DivergenceError, match="^world 4, control step 0") as e:
        workers.rollout(np.zeros((STEPS, 3)), qvel0=qvel)
    assert e.value.world == 4
    assert np.isfinite(workers.rollout(np.zeros((STEPS, 3))).qpos).all()


def test_bad_input_is_named(scene, workers):
    for arguments, named in (
        ({"qpos0": np.zeros(3)}, "qpos0"), ({"params": {"mass": 1.0}}, "body_mass"),
        ({"params": {"body_mass": [1.0]}}, "body_mass"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=named):
            workers.rollout(np.zeros((STEPS, 3)), **arguments)
    with pytest.raises(ValueError, match="controls"):
        workers.rollout(np.zeros((STEPS, 7)))
    with pytest.raises(ValueError, match="number of worlds"):
        Workers(scene.model, 2, STEPS, workers=3)
