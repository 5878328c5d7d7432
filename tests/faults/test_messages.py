"""What is too large or has no joint: named with what is allowed, before anything is allocated, or simply right."""

import re

import numpy as np
import pytest

import engine
import scenes
from controllers import lqr, riccati
from engine.diff import budget, pure
from engine.model import ModelBuilder


@pytest.fixture(scope="module")
def sim():
    return engine.Simulator(scenes.load("hopper").model, 2)


@pytest.fixture(scope="module")
def rock():
    b = ModelBuilder("rock")
    b.geom("world", type="plane", size=(1, 1, 0.1))
    return engine.Simulator(b.compile(), 2)


@pytest.mark.parametrize(("steps", "options", "named"), [
    (10**8, {}, "steps: got 100000000.*steps=100000000, record_every=1 and worlds=2.*numbers"),
    (10**8, {"memory": "1000GiB"}, "steps: got 100000000.*numbers"),
    (4 * 10**6, {}, r"memory: got 1 GiB, but .*steps=4000000, record_every=1 and worlds=2 alone take .* GiB"),
    (4 * 10**6, {"memory": 10**6}, "memory: got 976.6 KiB"),
])  # fmt: skip
def test_a_tape_that_is_too_long(sim, steps, options, named):
    """The ways that the message names are ways: the longest tape, or the memory, with which it can be made."""
    with pytest.raises(ValueError, match=named) as caught:
        engine.Tape(sim, steps, **options)
    most = int(re.search(r"steps up to (\d+) with this memory", str(caught.value))[1])
    least = re.search(r"allowed: memory=(\d+)", str(caught.value))
    fits = budget.Budget(sim, 1, engine.Tape(sim, 1, **options).memory)
    assert fits.for_schedule(most, 1) >= fits.least(most)
    with pytest.raises(ValueError, match="allowed: "):
        fits.for_schedule(most + 1, 1)
    if least:
        fits = budget.Budget(sim, 1, int(least[1]))
        assert fits.for_schedule(steps, 1) == fits.least(steps)


def test_a_larger_record_every_is_named_where_it_helps(sim):
    fixed = engine.Tape(sim, 1000, record_every=1000).fixed_bytes
    with pytest.raises(ValueError, match=r"memory: got .*, a larger record_every$"):
        engine.Tape(sim, 1000, memory=2 * fixed)
    engine.Tape(sim, 1000, memory=2 * fixed, record_every=1000)


@pytest.mark.parametrize(("memory", "named"), [
    ("1GiB", "frame_skip: got 1000000000, but the records of one control step .* are 74,0.* numbers .*allowed: frame"),
    ("20MB", "memory: got 19.07 MiB, .*allowed: memory="),
])  # fmt: skip
def test_control_steps_of_too_many_physics_steps(sim, memory, named):
    """They are what is named, with the longest that fit."""
    skip = 10**9 if memory == "1GiB" else 10**6
    with pytest.raises(ValueError, match=named) as caught:
        engine.Tape(sim, 10, frame_skip=skip, memory=memory)
    most = int(re.search(r"frame_skip up to (\d+)$", str(caught.value))[1])
    total = engine.Tape(sim, 1, memory=memory).memory
    budget.Budget(sim, most, total).for_schedule(10, 1)
    with pytest.raises(ValueError, match="allowed: "):
        budget.Budget(sim, most + 1, total).for_schedule(10, 1)


def test_records_end_where_indices_do(sim, monkeypatch):
    """However large the budget: 16 GiB hold more numbers than the kernels' indices reach."""
    whole = engine.Tape(sim, 1000)
    reach = len(whole.traj.blocks["real"]) - 5000
    for module in (budget, pure):
        monkeypatch.setattr(module, "REACH", reach)
    tape = engine.Tape(sim, 1000)
    assert len(tape.traj.blocks["real"]) <= reach and tape.schedule.rows < 1000
    assert pure.PureRollout(sim, 2, 1000, 1, 1, False, "1GiB", pure.HOST, (), "raise").repeats
    sim.reset()
    expected = whole.rollout(np.zeros((1000, 3))).qpos
    sim.reset()
    assert np.array_equal(tape.rollout(np.zeros((1000, 3))).qpos, expected)
    bars = np.ones_like(expected)
    assert np.array_equal(tape.backward(qpos=bars).ctrl, whole.backward(qpos=bars).ctrl)


def test_a_model_without_joints(rock):
    """There is nothing to move: empty matrices; a regulator says what it lacks."""
    A, B = rock.linearize()
    assert A.shape == (2, 0, 0) and B.shape == (2, 0, 0)
    with pytest.raises(ValueError, match="frame_skip: got 0"):
        rock.linearize(0)
    trajectory = engine.Tape(rock, 3).rollout(np.zeros((3, 0)))
    assert [a.shape for a in riccati.linearization(rock.model, trajectory)] == [(3, 0, 0), (3, 0, 0)]
    with pytest.raises(ValueError, match=r"B: got shape \(0, 0\), allowed: .*a robot with joints and actuators"):
        lqr(A[0], B[0], 1.0, 1.0)
