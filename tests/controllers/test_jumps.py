"""Jumps made from a model: what legs are told, the search among them, what is said of one."""

import numpy as np
import pytest

import engine
import scenes
from controllers.optimize.jumps import JumpSearch
from controllers.tasks.feet import placed_at
from controllers.tasks.hold import hold
from controllers.tasks.leap import Leap, Leaper
from controllers.tasks.trot import Stepper, footing
from engine.cli import main
from engine.simulator import Simulator


@pytest.fixture(scope="module")
def dog():
    scene = scenes.load("quadruped")
    return (scene.model, *footing(scene.model, scene.qpos0, "stand"))


@pytest.fixture(scope="module")
def leaper(dog):
    model, stance, feet = dog
    stepper = Stepper(model, stance, feet, 0.0)
    stepper.hold = hold(stepper, 1)
    return Leaper(stepper, 0.01)


def test_feet_push_off_from_where_they_stand(dog, leaper):
    """The depth that is asked for is that of the feet below the trunk, with its rate; it grows and falls steadily."""
    model, stance, feet = dog
    leap = Leap(crouch=0.2, reach=0.1, tuck=0.05)
    rows, t, T = leaper.jump(leap), np.arange(400) * 0.002, leaper.stepper.time
    ends = np.cumsum([leap.down, leap.push, leap.fly, leap.settle]) * T
    t = np.linspace(0.0, ends[-1], 2001)
    depth, rate, rise = leaper._depth(leap, t, np.searchsorted(ends, t, side="right"), ends)
    assert depth[0] == depth[-1] == 0.0 and depth.max() == pytest.approx(0.2 * stance.height, rel=1e-3)
    assert depth.min() == pytest.approx(-0.1 * stance.height, rel=1e-2) and np.abs(np.diff(depth)).max() < 0.01
    smooth = np.abs(t[:, None] - [*ends]).min(axis=1) > 2 * t[1]
    np.testing.assert_allclose(np.gradient(depth, t)[smooth], rate[smooth], atol=2e-3)
    pushing = (t > ends[0] + 2 * t[1]) & (t < ends[1] - 2 * t[1])
    np.testing.assert_allclose(-np.gradient(rate, t)[pushing], rise[pushing], rtol=1e-6)
    sim = Simulator(model)
    for time in (0.5 * ends[0], ends[0] + 0.7 * leap.push * T):
        qpos, qvel, _, gains = rows.row(time)
        k = int(time / 0.01 + 1e-6) * 0.01
        sim.reset(qpos, qvel)
        sim.forward()
        for f, place in zip(feet, leaper.stepper.places, strict=True):
            wanted = np.interp(k, t, depth), np.interp(k, t, rate)
            moved = f.point.place(sim.data)[0] - place
            np.testing.assert_allclose(moved, [0.0, 0.0, wanted[0]], atol=0.01 * stance.height)
            speed = f.point.jacobian(sim.data)[0] @ qvel
            np.testing.assert_allclose(speed, [0.0, 0.0, wanted[1]], atol=0.08 * abs(wanted[1]) + 0.01)
    qpos, qvel, ctrl, gains = rows.row(99.0)
    rest, held, regulator = leaper.stepper.hold
    assert not qvel.any() and np.array_equal(qpos, rest) and np.array_equal(ctrl, held)
    np.testing.assert_array_equal(gains, regulator)


def test_legs_that_are_stretched_lift_the_trunk_so_far(dog, leaper):
    model, stance, feet = dog
    assert 0.02 < leaper.tallest < 0.4 * stance.height
    sim = Simulator(model)
    for further, reached in ((0.9, True), (1.3, False)):
        targets = leaper.stepper.places[None] - [0.0, 0.0, further * leaper.tallest]
        placed_at(sim, feet, targets, stance.qpos)
        away = max(np.linalg.norm(f.point.place(sim.data)[0] - p) for f, p in zip(feet, targets[0], strict=True))
        assert (away < 0.01 * stance.height) == reached


def test_a_jump_is_found_and_goes_on_bit_for_bit(dog):
    model, stance, feet = dog

    def search():
        return JumpSearch(model, stance, feet, 0.1, 200, 2, 3, (stance.qpos, np.zeros(model.nv)), worlds=4, seed=1)

    one = search()
    one.iterate()
    other = search().load_state(one.state())
    assert one.iterate()["cost"] == other.iterate()["cost"]
    np.testing.assert_array_equal(one.best_params, other.best_params)
    sim = Simulator(model)
    sim.reset(stance.qpos)
    after = engine.Tape(sim, 200, frame_skip=2).rollout(one.controller())
    rise = after.qpos[:, 0, stance.root.z].max() - stance.qpos[stance.root.z]
    assert rise > 0.05 and stance.upright(after.qpos)[-1, 0]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["hopper", "--task", "jump"], "--method gait needs four legs"),
     (["acrobot", "--task", "jump"], "--task jump needs a body with a free joint"),
     (["quadruped", "--task", "jump", "--method", "mpc"], "--task jump: got --method mpc, allowed: gait"),
     (["quadruped", "--task", "jump", "--height", "0"], "--height")],
)  # fmt: skip
def test_what_cannot_jump_is_told(arguments, named, tmp_path, capsys):
    assert main(["optimize", *arguments, "--out", str(tmp_path / "x")]) == 2
    assert named in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("height", [0.1, 0.25])
def test_the_quadruped_jumps_as_high_as_asked(height, tmp_path):
    assert main(["optimize", "quadruped", "--task", "jump", "--height", str(height), "--out", str(tmp_path)]) == 0
    with np.load(tmp_path / "run.npz") as data:
        z = data["qpos"][:, -1, 2]
    assert z.max() - z[-1] > height - 0.02
