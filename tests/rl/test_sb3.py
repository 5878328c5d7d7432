"""Stable-Baselines3's view of the vector environment is its view of as many single ones."""

import gymnasium
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="Stable-Baselines3 is not installed (extra sb3)")

from stable_baselines3.common.env_checker import check_env  # noqa: E402
from stable_baselines3.common.vec_env import DummyVecEnv  # noqa: E402

import engine.rl  # noqa: E402

HOPPER = "Pullback/Hopper-v0"


def test_the_adapter_is_the_dummy_of_single_environments():
    n, limit = 4, 12
    envs = gymnasium.make_vec(HOPPER, n, autoreset_mode="SameStep", max_episode_steps=limit)
    ours = engine.rl.SB3VecEnv(envs)
    theirs = DummyVecEnv([lambda: gymnasium.make(HOPPER, max_episode_steps=limit)] * n)
    ours.seed(3), theirs.seed(3)
    assert ours.observation_space == theirs.observation_space and ours.action_space == theirs.action_space
    np.testing.assert_array_equal(ours.reset(), theirs.reset().astype(float))
    rng, kinds = np.random.default_rng(0), set()
    for _ in range(60):
        actions = rng.uniform(-1, 1, (n, 3)).astype(np.float32)
        seen, rewards, ends, infos = ours.step(actions)
        want, want_rewards, want_ends, want_infos = theirs.step(actions)
        np.testing.assert_array_equal(seen, want)
        np.testing.assert_array_equal(rewards, want_rewards)
        np.testing.assert_array_equal(ends, want_ends)
        for k in range(n):
            for name, value in want_infos[k].items():
                if name != "TimeLimit.truncated" or ends[k]:
                    np.testing.assert_array_equal(infos[k][name], value, err_msg=name)
            kinds |= {infos[k]["TimeLimit.truncated"]} if ends[k] else set()
    assert kinds == {False, True}


def test_each_environment_starts_by_its_own_options():
    envs = engine.rl.SB3VecEnv(gymnasium.make_vec(HOPPER, 3, autoreset_mode="SameStep"))
    simulator = envs.envs.unwrapped.sim
    given = np.tile(simulator.model.qpos0, (3, 1)) + 0.01 * np.arange(3)[:, None]
    envs.set_options([{"qpos": q} for q in given])
    envs.reset()
    np.testing.assert_array_equal(simulator.data.qpos, given)
    for options, all_of_them in (({"qpos": given[1]}, given[[1, 1, 1]]), ({"qpos": given[::-1]}, given[::-1])):
        envs.set_options(options)
        envs.reset()
        np.testing.assert_array_equal(simulator.data.qpos, all_of_them)
    envs.set_options([{"qpos": given[0]}, {}, {}])
    with pytest.raises(ValueError, match="set_options: got other names for some environments"):
        envs.reset()


def test_only_same_step_will_do():
    with pytest.raises(ValueError, match="SAME_STEP"):
        engine.rl.SB3VecEnv(gymnasium.make_vec(HOPPER, 2))


def test_methods_reach_the_vector_environment():
    envs = gymnasium.make_vec(HOPPER, 3, autoreset_mode="SameStep")
    adapter = engine.rl.SB3VecEnv(envs)
    assert adapter.get_attr("num_envs", [0, 2]) == [3, 3]
    assert adapter.env_is_wrapped(gymnasium.Wrapper) == [False] * 3
    adapter.reset()
    assert len(adapter.env_method("render")) == 3
    adapter.close()
    assert envs.closed


@pytest.mark.filterwarnings("ignore:.*")
def test_their_checks_pass():
    check_env(gymnasium.make(HOPPER).unwrapped)
