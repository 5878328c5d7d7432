"""The notebooks that need an extra (tests/demos/test_notebooks.py has the others)."""

import pytest

from tests.demos.test_notebooks import carried_out


@pytest.mark.slow
def test_torch(monkeypatch):
    pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')
    losses = carried_out("torch", monkeypatch)["losses"]
    assert losses[-1] < losses[0]


def test_own_task(monkeypatch):
    pytest.importorskip("stable_baselines3", reason='needs Stable-Baselines3: pip install "pullback[sb3]"')
    assert carried_out("own_task", monkeypatch)["agent"].num_timesteps == 256
