"""The humanoid's backflip: what it follows obeys mechanics, and it comes to stand on its feet."""

from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from demos import backflip

G1 = Path(__file__).parents[3] / "shared" / "robots" / "unitree_g1" / "g1_29dof.xml"
LONG = 0.16  # m, from an ankle to the end of the toes
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not G1.exists(), reason="the robots are not beside the checkout"),
]


def test_the_reference_flies_as_gravity_and_momentum_have_it():
    model = pb.load(G1, floor=True, collide="ground")
    qpos, qvel = backflip.reference(model, 0.4)
    sim = pb.Simulator(model, len(qpos))
    sim.reset(qpos, qvel)
    sim.forward()
    share = model.body_mass / model.body_mass.sum()
    middle = np.einsum("b,wbi->wi", share, sim.data.xipos)
    ankles = sim.data.xpos[:, [model.body(name) for name in backflip.FEET]]
    air = np.flatnonzero((ankles[..., 2] > backflip.SOLE + 0.02).all(axis=1))
    assert (np.diff(air) == 1).all() and 0.5 < len(air) * backflip.DT < 0.65
    within = air[3:-3]
    fall = np.diff(middle[within, 2], 2) / backflip.DT**2
    np.testing.assert_allclose(fall, -backflip.G, atol=1e-6)
    assert np.ptp(np.diff(middle[within, 0])) < 1e-9 and middle[:, 2].max() > middle[air[0], 2] + 0.3
    still = np.r_[: air[0] - 3], np.r_[air[-1] + 4 : len(qpos)]
    for rows in still:
        assert np.ptp(ankles[rows], axis=0).max() < 1e-6
    turn = np.unwrap(2 * np.arctan2(qpos[:, 5], qpos[:, 3]))
    assert abs(turn[-1] + 2 * np.pi) < 1e-9 and qpos[-1, 3] < -0.999  # the other cover: a turn is no standing still
    rates = np.abs(qvel[within, 4] * backflip.placed(model, poses(model, qpos[within]))[3])
    assert np.ptp(rates) < 0.03 * rates.mean()


def poses(model, qpos):
    """What `placed` takes, (n, 6), without a turn of the trunk, about which the inertia is the same."""
    at = [model.jnt_qposadr[model.joint(f"left_{name}_joint")] for name in backflip.JOINTS]
    return np.concatenate([qpos[:, at], np.zeros((len(qpos), 1))], axis=1)


def test_a_g1_flips_within_its_torques_and_stands(tmp_path, capsys):
    turned, away, upright = backflip.main(G1, tmp_path / "flip.gif")
    assert abs(turned + 360) < 5 and away < LONG and upright > 0.5
    assert "at most" in capsys.readouterr().out
    assert (tmp_path / "flip.gif").stat().st_size > 100_000
