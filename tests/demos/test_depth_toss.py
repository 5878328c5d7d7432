"""The box that a depth camera watches: its Jacobian is exact, a few steps find it, and the whole program does."""

import numpy as np
import pytest

from demos import depth_toss
from tests.gradients.differences import derivative


def test_images_follow_the_guess_and_steps_find_it():
    toss, rows = depth_toss.Toss(1, 0.1, 1), depth_toss.Slopes()
    guess = depth_toss.TRUTH * [1.2, 0.9, 1.1, 0.8]
    image, slopes = toss.images(guess), rows(guess)
    moved = toss.eye.push(image, slopes)[0]
    weight = np.random.default_rng(0).normal(size=image.depth.shape)
    for k in range(4):
        got = float((weight * moved[k]).sum())

        def loss(h, k=k):
            return float((weight * toss.images(guess + h * np.eye(4)[k]).depth).sum())

        want, known = derivative(loss, (1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6), 1e-12)
        assert abs(got - want) <= 1e-6 * abs(want) + known, k
    measured = toss.images(depth_toss.TRUTH).depth
    loss, found = depth_toss.improved(guess, measured, toss, rows)
    start = ((image.depth - measured) ** 2).mean()
    assert loss < 0.01 * start and (abs(found - depth_toss.TRUTH) < 0.5 * abs(guess - depth_toss.TRUTH)).all()


@pytest.mark.slow
def test_the_program_finds_all_within_a_twentieth(capsys, tmp_path):
    found = depth_toss.main(tmp_path / "toss.png")
    np.testing.assert_allclose(found, depth_toss.TRUTH, rtol=0.05)
    assert "friction" in capsys.readouterr().out and (tmp_path / "toss.png").stat().st_size > 10_000
