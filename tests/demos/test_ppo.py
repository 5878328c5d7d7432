"""Both PPO demos learn: the cartpole a little with a tiny budget, and (slow) up to its threshold."""

import importlib.util

import pytest

pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')
SB3 = importlib.util.find_spec("stable_baselines3") is not None
DEMOS = [
    pytest.param("demos.ppo_cleanrl_style"),
    pytest.param(
        "demos.ppo_stable_baselines",
        marks=pytest.mark.skipif(not SB3, reason="Stable-Baselines3 is not installed (extra sb3)"),
    ),
]


@pytest.mark.parametrize("demo", DEMOS)
def test_a_tiny_budget_teaches_something(demo, tmp_path):
    module = importlib.import_module(demo)
    assert module.main(["cartpole", "--steps", "16384", "--out", str(tmp_path)]) in (0, 1)
    header, *rows = (tmp_path / "curve.csv").read_text().splitlines()
    curve = [[float(x) for x in row.split(",")] for row in rows]
    assert header == "steps,seconds,return"
    assert [row[0] for row in curve] == sorted(row[0] for row in curve) and curve[-1][0] <= 16384
    assert curve[-1][2] > 2 * curve[0][2]


@pytest.mark.slow
@pytest.mark.parametrize("demo", DEMOS)
def test_the_cartpole_reaches_its_threshold(demo, tmp_path):
    assert importlib.import_module(demo).main(["cartpole", "--out", str(tmp_path)]) == 0
