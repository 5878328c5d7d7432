"""Adam against the published update written out, and what it promises about resuming and clipping."""

import numpy as np
import pytest

from controllers import CPG, Adam


def gradient(x):
    return 2 * (x - np.array([1.0, -2.0, 0.5])) * np.array([1.0, 10.0, 0.1])


def test_against_the_published_update():
    opt, x = Adam(lr=0.1, betas=(0.8, 0.9)), np.zeros(3)
    y, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    for t in range(1, 30):
        opt.step(x, gradient(x))
        g = gradient(y)
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g**2
        y = y - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-8)
        np.testing.assert_allclose(x, y, rtol=1e-12)


def test_finds_a_minimum_through_a_controllers_params():
    cpg, goal = CPG(2), np.arange(7.0)
    opt = Adam(lr=0.05)
    for _ in range(2000):
        opt.step(cpg.params, cpg.params - goal)
    np.testing.assert_allclose(cpg.params, goal, atol=1e-3)


def test_resumes_exactly(tmp_path):
    opt, x = Adam(lr=0.05, clip=1.0), np.zeros(3)
    for _ in range(7):
        opt.step(x, gradient(x))
    np.savez(tmp_path / "adam.npz", x=x, **opt.state())
    with np.load(tmp_path / "adam.npz") as kept:
        other, y = Adam().load_state(kept), kept["x"].copy()
    for _ in range(5):
        assert opt.step(x, gradient(x)) == other.step(y, gradient(y))
    assert np.array_equal(x, y)
    assert Adam().load_state(Adam(clip=2.0).state()).clip == 2.0


def test_clips_the_norm():
    a, b, g = Adam(clip=1.0), Adam(), np.array([3.0, 4.0])
    x, y = np.zeros(2), np.zeros(2)
    for scale in (1.0, 0.1):
        assert a.step(x, g * scale) == pytest.approx(5.0 * scale)
        b.step(y, g * scale / max(1.0, 5.0 * scale))
    np.testing.assert_allclose(x, y, rtol=1e-14)


@pytest.mark.parametrize(
    "mistake, message",
    [
        (lambda: Adam(lr=-1), "lr: got -1"),
        (lambda: Adam(betas=(0.9, 1.0)), "betas"),
        (lambda: Adam(clip=0), "clip: got 0"),
        (lambda: Adam().step(np.zeros(2), np.zeros(3)), r"shape \(3,\), allowed: \(2,\)"),
        (lambda: Adam().step(np.zeros(2), np.array([0, np.nan])), "entry 1 of the gradient is not finite"),
        (lambda: Adam().step([0.0], [0.0]), "got list"),
        (lambda: Adam().load_state({"t": 1}), "lacks"),
    ],
)
def test_mistakes_are_named(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
