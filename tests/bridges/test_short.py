"""The shortest demos that need an extra (tests/demos/test_short.py has the others), with tiny budgets."""

import pytest

from tests.demos.test_short import ARM, ROBOT, carried_out


def last_words(capsys):
    return capsys.readouterr().out.strip().splitlines()


def test_pd_by_gradient(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')
    carried_out("pd_by_gradient", [ARM, "8"], tmp_path, monkeypatch)
    costs = [float(line.split()[1]) for line in last_words(capsys)]
    assert len(costs) == 8 and costs[-1] < 0.9 * costs[0]


def test_torch_policy(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')
    torch.manual_seed(2)  # of the policy that it begins with
    carried_out("torch_policy", [ROBOT, "5"], tmp_path, monkeypatch)
    lines = last_words(capsys)
    losses = [float(line.split()[1]) for line in lines]
    assert losses[-1] < losses[0] - 0.05 and all(line.endswith("torch.float32") for line in lines)


def test_own_task_ppo(tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3", reason='needs Stable-Baselines3: pip install "pullback[sb3]"')
    carried_out("own_task_ppo", [ROBOT, "128"], tmp_path, monkeypatch)
    assert (tmp_path / "walk.zip").stat().st_size > 1000
