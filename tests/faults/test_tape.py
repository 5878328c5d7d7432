"""A tape that is broken off, misused or shared: it raises by name, and what it returns is never of another rollout."""

import numpy as np
import pytest

import scenes
from controllers import PD
from engine import Simulator, Tape
from engine.errors import DivergenceError, StaleTapeError

STEPS = 20


@pytest.fixture(scope="module")
def model():
    return scenes.load("hopper").model


def controls(model, seed=0, worlds=1, steps=STEPS):
    return 0.3 * np.random.default_rng(seed).normal(size=(steps, worlds, model.nu))


def weights(tape, seed=1):
    m = tape.sim.model
    return np.random.default_rng(seed).normal(size=(tape.rows, tape.sim.worlds, m.nq))


def gradient(tape, u):
    tape.sim.reset()
    tape.rollout(u)
    return flat(tape.backward(qpos=weights(tape)))


def flat(grads):
    parts = [grads.ctrl, grads.qpos0, grads.qvel0, *(grads.model[n] for n in grads.model)]
    return np.concatenate([np.ravel(part) for part in parts])


def smallest(sim, steps=STEPS):
    """A tape with the least memory, so that its schedule has many actions."""
    try:
        Tape(sim, steps, memory=1)
    except ValueError:
        rich = Tape(sim, steps)
    fixed = rich.bytes - rich.traj["record"].nbytes - sum(a.nbytes for s in rich.slots for a in s.values())
    record = rich.traj["record"].nbytes
    for part in np.linspace(0.05, 1, 20):
        try:
            return Tape(sim, steps, memory=int(fixed + part * record))
        except ValueError:
            continue
    raise AssertionError("no schedule with little memory")


# ---------------------------------------------------------------------------------------------------- broken off


class Interrupted:
    """A bound kernel that is interrupted at its n-th launch."""

    def __init__(self, kernel, n):
        self.kernel, self.n = kernel, n

    def launch(self, *ints):
        self.n -= 1
        if self.n < 0:
            raise KeyboardInterrupt
        self.kernel.launch(*ints)


def test_no_gradient_of_an_interrupted_rollout(model):
    sim = Simulator(model)
    tape = smallest(sim)
    u = controls(model)
    expected = gradient(tape, u)
    for n in (0, 1):
        kernel, tape._rollout = tape._rollout, Interrupted(tape._rollout, n)
        with pytest.raises(KeyboardInterrupt):
            tape.rollout(controls(model, 3))
        tape._rollout = kernel
        with pytest.raises(StaleTapeError, match="no finished rollout"):
            tape.backward(qpos=weights(tape))
        assert np.array_equal(gradient(tape, u), expected)


def test_an_interrupted_backward_leaves_the_next_one_right(model):
    sim = Simulator(model)
    tape = smallest(sim)
    expected = gradient(tape, controls(model))
    for n in (0, 1, 2):
        kernel, tape._reverse = tape._reverse, Interrupted(tape._reverse, n)
        with pytest.raises(KeyboardInterrupt):
            tape.backward(qpos=weights(tape))
        tape._reverse = kernel
        assert np.array_equal(flat(tape.backward(qpos=weights(tape))), expected)


def test_no_gradient_of_a_rollout_that_diverged(model):
    sim = Simulator(model)
    tape = Tape(sim, STEPS)
    expected = gradient(tape, controls(model))
    sim.reset()
    sim.data.qvel[:] = 1e9
    with pytest.raises(DivergenceError):
        tape.rollout(controls(model))
    with pytest.raises(StaleTapeError, match="no finished rollout"):
        tape.backward(qpos=weights(tape))
    assert np.array_equal(gradient(tape, controls(model)), expected)


# ------------------------------------------------------------------------------------------------------ used again


def test_backward_twice(model):
    """Another loss of the same rollout, and the first one again, whatever is stored and whatever computed again."""
    sim = Simulator(model)
    u = controls(model)
    for tape in (Tape(sim, STEPS), smallest(sim)):
        first = gradient(tape, u)
        other = flat(tape.backward(qpos=weights(tape, 7)))
        again = flat(tape.backward(qpos=weights(tape)))
        assert np.array_equal(first, again)
        assert not np.allclose(first, other)
        sim.reset()
        tape.rollout(u)
        assert np.array_equal(other, flat(tape.backward(qpos=weights(tape, 7))))


def test_stale(model):
    """Parameters of the model or of the controller that are no longer those of the rollout."""
    sim = Simulator(model)
    tape = Tape(sim, STEPS)
    controller = PD(model)
    sim.reset()
    tape.rollout(controller)
    ones = np.ones((STEPS + 1, 1, model.nq))
    expected = flat(tape.backward(qpos=ones))
    for array in (controller.params, sim.params.body_mass, sim.params.gravity):
        kept = array.copy()
        array[-1] += 1e-9
        with pytest.raises(StaleTapeError, match="changed since the rollout; call rollout again"):
            tape.backward(qpos=ones)
        array[...] = kept
    theta = sim.model_pack["theta"].copy()
    sim.model_pack["theta"][:] *= 1.01
    with pytest.raises(StaleTapeError, match="parameter of the model changed"):
        tape.backward(qpos=ones)
    sim.model_pack["theta"][:] = theta
    assert np.array_equal(flat(tape.backward(qpos=ones)), expected)


def test_the_state_after_the_rollout_does_not_matter(model):
    """Neither moving the simulator on, nor other controls, nor applied forces, nor another tape."""
    sim = Simulator(model)
    tape, other = Tape(sim, STEPS), Tape(sim, STEPS)
    u = controls(model)
    expected = gradient(tape, u)
    sim.step(10)
    sim.data.ctrl[:] = 0.7
    sim.data.qfrc_applied[:] = 3.0
    sim.data.qpos[:] += 0.1
    other.rollout(2 * u)
    u[:] = 0
    assert np.array_equal(flat(tape.backward(qpos=weights(tape))), expected)


BAD = {
    "too few": (lambda m: np.zeros((STEPS - 1, m.nu)), r"controls: got shape \(19, 3\), allowed: \(20, 1, 3\)"),
    "nan": (lambda m: np.full((STEPS, m.nu), np.nan), r"controls: entry \(0, 0, 0\) is nan"),
    "words": (lambda m: "walk", "controls: got .*allowed: real numbers"),
    "complex": (lambda m: 1j * np.zeros((STEPS, m.nu)), "controls: got .*allowed: real numbers"),
    "nothing": (lambda m: None, "controls: got None, allowed: an array"),
    "a class": (lambda m: PD, "controls: got <class .*PD.*allowed: an array .* or a controller"),
    "a spoilt controller": (lambda m: spoilt(PD(m)), "controller: parameter 4 is not finite"),
}


def spoilt(controller):
    controller.params[4] = np.inf
    return controller


@pytest.mark.parametrize("what", BAD)
def test_bad_controls(model, what):
    """Refused before anything moves; the rollout before them keeps its gradient."""
    bad, match = BAD[what]
    sim = Simulator(model)
    tape = Tape(sim, STEPS)
    expected = gradient(tape, controls(model))
    end = sim.data.qpos.copy()
    with pytest.raises(ValueError, match=match):
        tape.rollout(bad(model))
    assert np.array_equal(sim.data.qpos, end)
    assert np.array_equal(flat(tape.backward(qpos=weights(tape))), expected)


def test_bad_cotangents(model):
    sim = Simulator(model)
    tape = Tape(sim, STEPS)
    with pytest.raises(StaleTapeError, match="no finished rollout; call rollout first"):
        tape.backward()
    expected = gradient(tape, controls(model))
    ones = np.ones((STEPS + 1, 1, model.nq))
    for bad, match in (
        (ones[:-1], r"cotangent of qpos has shape \(20, 1, 6\), allowed: \(21, 1, 6\)"),
        (ones * np.inf, r"cotangent of qpos: entry \(0, 0, 0\) is inf, allowed: finite"),
        ("up", "cotangent of qpos: got 'up', allowed: real numbers"),
        (ones * 1j, "cotangent of qpos: got .* allowed: real numbers"),
    ):
        with pytest.raises(ValueError, match=match):
            tape.backward(qpos=bad)
    with pytest.raises(TypeError, match="velocity"):
        tape.backward(velocity=ones)
    with pytest.raises(KeyError, match="no gradient with respect to 'geom_rgba'; there are: gravity"):
        _ = tape.backward().model["geom_rgba"]
    assert np.array_equal(flat(tape.backward(qpos=weights(tape))), expected)
    assert not flat(tape.backward()).any()
