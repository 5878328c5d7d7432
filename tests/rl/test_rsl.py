"""RSL-RL's view of the vector environment is Gymnasium's in tensors; with the package, or with its interface alone."""

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import engine.rl  # noqa: E402

REAL = importlib.util.find_spec("rsl_rl") is not None


@pytest.fixture
def adapter(monkeypatch):
    """The class; where RSL-RL is missing, over an interface with nothing in it and a dictionary of tensors."""
    if not REAL:

        class TensorDict(dict):
            def __init__(self, groups, batch_size):
                super().__init__(groups)
                self.batch_size = batch_size

        there = {"rsl_rl": {}, "rsl_rl.env": {"VecEnv": object}, "tensordict": {"TensorDict": TensorDict}}
        for name, things in there.items():
            module = ModuleType(name)
            vars(module).update(things)
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.delitem(sys.modules, "engine.rl.rsl", raising=False)
    from engine.rl.rsl import RslVecEnv

    return RslVecEnv


def test_the_adapter_is_the_vector_environment_in_tensors(adapter):
    n, limit = 4, 12
    made = [engine.rl.VectorEnv("hopper", n, limit, "SameStep") for _ in range(2)]
    ours, theirs = adapter(made[0], seed=3), made[1]
    assert (ours.num_envs, ours.num_actions, ours.max_episode_length) == (n, 3, limit) and ours.cfg["scene"] == "hopper"
    seen, _ = theirs.reset(seed=3)
    rng, outs = np.random.default_rng(0), set()
    for k in range(40):
        np.testing.assert_array_equal(ours.get_observations()["policy"].numpy(), seen.astype(np.float32))
        if k == 20:  # as a runner does at first, so that episodes end apart
            ours.episode_length_buf = torch.tensor([0, 3, 6, 9])
            theirs.episode_lengths[:] = 0, 3, 6, 9
        actions = rng.uniform(-1.5, 1.5, (n, 3)).astype(np.float32)
        got, rewards, dones, extras = ours.step(torch.tensor(actions))
        seen, want, terminated, truncated, infos = theirs.step(np.clip(actions, -1, 1))
        np.testing.assert_array_equal(rewards.numpy(), want.astype(np.float32))
        np.testing.assert_array_equal(dones.numpy(), terminated | truncated)
        np.testing.assert_array_equal(extras["time_outs"].numpy(), truncated & ~terminated)
        np.testing.assert_array_equal(ours.episode_length_buf.numpy(), theirs.episode_lengths)
        assert got["policy"].dtype == rewards.dtype == torch.float32 and list(got.batch_size) == [n]
        outs |= {bool(truncated.any())}
        if not dones.any():
            assert extras["log"]["/x_velocity"] == pytest.approx(infos["x_velocity"].mean())
    assert outs == {False, True}
    ours.close()


def test_only_same_step_will_do(adapter):
    with pytest.raises(ValueError, match="SAME_STEP, the one of RSL-RL"):
        adapter(engine.rl.VectorEnv("hopper", 2))


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rsl_rl.env", None)
    monkeypatch.delitem(sys.modules, "engine.rl.rsl", raising=False)
    with pytest.raises(ImportError, match=r'pip install "pullback\[rsl\]"'):
        import engine.rl.rsl  # noqa: F401


CONFIG = {
    "num_steps_per_env": 16, "save_interval": 100, "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
    "actor": {"class_name": "MLPModel", "hidden_dims": [32], "activation": "elu",
              "distribution_cfg": {"class_name": "GaussianDistribution", "init_std": 1.0}},
    "critic": {"class_name": "MLPModel", "hidden_dims": [32], "activation": "elu"},
    "algorithm": {"class_name": "PPO", "num_learning_epochs": 2, "num_mini_batches": 2},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason='needs RSL-RL: pip install "pullback[rsl]"')
def test_its_runner_learns(adapter, tmp_path):
    from rsl_rl.runners import OnPolicyRunner

    envs = adapter(engine.rl.VectorEnv("hopper", 8, autoreset_mode="SameStep"), seed=0)
    runner = OnPolicyRunner(envs, CONFIG, log_dir=str(tmp_path), device="cpu")
    before = [p.detach().clone() for p in runner.alg.actor.parameters()]
    runner.learn(3, init_at_random_ep_len=True)
    after = list(runner.alg.actor.parameters())
    assert any((a != b).any() for a, b in zip(before, after, strict=True)) and list(tmp_path.glob("model_*.pt"))
