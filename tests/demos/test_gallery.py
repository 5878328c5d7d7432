"""The gallery's demos: with a tiny budget they do what they are for, and in full what their page says."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from demos import arm_inertia, cart_pole_mpc, two_poles

PAGE = Path(__file__).parents[2] / "demos" / "GALLERY.md"
has_batch = pytest.mark.skipif(find_spec("mujoco.batch") is None, reason="mujoco.batch came with MuJoCo 4.0")


def test_pictures_of_the_page_exist_and_are_small():
    names = re.findall(r"\]\((pictures/[^)]+)\)", PAGE.read_text())
    assert len(names) >= 4
    for name in names:
        assert 2_000 < (PAGE.parent / name).stat().st_size < 200_000, name


@has_batch
def test_both_ways_minimise_the_same():
    """The cost of one motion is the same number for MuJoCo's rollout and for ours; and a few iterations lower it."""
    from demos.by_differences import Differences

    t = two_poles
    plan, search = t.search(), Differences(t.CART, t.cost_for_rival(), t.STEPS, t.SKIP)
    start = np.r_[t.HANGING, np.zeros(3)]
    plan.rollout()
    first = plan.cost
    x, u = search.rollout(search.one, start[None], t.GUESS[None], None)
    assert search.cost(x, u)[0] == pytest.approx(first, rel=1e-9)
    for _ in range(3):
        plan.iterate()
    assert plan.cost < 0.9 * first and search.solve(start, t.GUESS, 3)[2] < 0.9 * first


BALL = """<mujoco><option timestep="0.002"/><worldbody><geom type="plane" size="1 1 1"/><body pos="0 0 0.1">
<joint name="z" type="slide" axis="0 0 1"/><geom size=".1" mass="1"/></body></worldbody>
<actuator><motor joint="z"/></actuator></mujoco>"""


@has_batch
def test_differences_that_meet_a_contact_on_one_side_take_the_other(tmp_path):
    """A ball in the floor, and one 0.2 um above it that comes down at 1 m/s: the difference downwards sees a blow."""
    from demos.by_differences import Transitions

    (tmp_path / "ball.xml").write_text(BALL)
    qpos, qvel, ctrl = np.array([[-1e-3], [2e-7]]), np.array([[0.0], [-1.0]]), np.zeros((2, 1))
    sim = pb.Simulator(pb.load(BALL), 2)
    sim.reset(qpos, qvel)
    A, B = (x.copy() for x in sim.linearize(1))
    found = Transitions(tmp_path / "ball.xml", 2, 1)(qpos, qvel, ctrl)
    for ours, theirs in zip((A, B), found, strict=True):
        np.testing.assert_allclose(theirs, ours, atol=2e-4)
    assert np.abs(A[0] - A[1]).max() > 0.1


def test_mpc_brings_the_pole_towards_upright():
    rows = cart_pole_mpc.main(seconds=1.4)["iLQR by gradient"][0]
    tilt = np.abs((rows[:, 2] + np.pi) % (2 * np.pi) - np.pi)
    assert tilt[0] == pytest.approx(np.pi) and tilt[-1] < 0.3 and np.abs(rows[:, 3]).max() <= 1


@pytest.mark.slow
@has_batch
def test_the_two_poles_stand(tmp_path, capsys):
    plan, share = two_poles.main(tmp_path / "two.gif", by_differences=True)
    assert share == 1.0 and plan.cost < 10
    assert np.abs(plan.trajectory.qpos[-1]).max() < 0.05
    assert "by differences" in capsys.readouterr().out and (tmp_path / "two.gif").stat().st_size > 10_000


@pytest.mark.slow
@has_batch
def test_mpc_keeps_the_pole_up_through_strikes(tmp_path):
    runs = cart_pole_mpc.main(tmp_path / "mpc.png", 10.0, True)
    rows = runs["iLQR by gradient"][0]
    tilt = np.abs((rows[:, 2] + np.pi) % (2 * np.pi) - np.pi)
    assert tilt[100:].max() < 0.6 and "predictive sampling" in runs
    still = (rows[:, 0] > 4.5) & (rows[:, 0] < 4.9)  # before the next target is in sight
    assert np.abs(rows[still, 1] - cart_pole_mpc.target(4.7)).max() < 0.05
    assert (tmp_path / "mpc.png").stat().st_size > 10_000


@pytest.mark.slow
@has_batch
def test_the_load_is_found(tmp_path, capsys):
    """All seven numbers, though a second moment steps far down on the way there; MuJoCo's own least squares agrees."""
    numbers, half, fit = arm_inertia.main(tmp_path / "arm.png", 4.0)
    assert (np.abs(numbers - arm_inertia.TRUTH) < 2 * half).all() and not fit.unknown
    assert (half < 0.25 * np.abs(arm_inertia.GUESS - arm_inertia.TRUTH)).all()
    theirs, _ = arm_inertia.rival(arm_inertia.logged(4.0))
    assert (np.abs(theirs - numbers) < half).all()
    assert "+-" in capsys.readouterr().out and (tmp_path / "arm.png").stat().st_size > 5_000
