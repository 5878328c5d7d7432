"""The vector environment is as many single ones, to the bit, in all three autoreset modes; and its own promises."""

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import data_equivalence  # noqa: E402
from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402

import engine.rl  # noqa: E402
import scenes  # noqa: E402
from scenes.task import Task  # noqa: E402
from tests.quick import some  # noqa: E402

IDS = engine.rl.register_scenes()
FALLS = "Pullback/Hopper-v0"


def vector(env_id, n=4, **options):
    return gymnasium.make_vec(env_id, n, **options)


def single(env_id, n=4, mode=AutoresetMode.NEXT_STEP, **options):
    """Gymnasium's vector environment of our single ones."""
    return SyncVectorEnv([lambda: gymnasium.make(env_id, **options)] * n, autoreset_mode=mode)


def assert_same(ours, theirs, where):
    parts = ("observations", "rewards", "terminations", "truncations", "infos")
    for part, a, b in zip(parts, ours, theirs, strict=True):
        assert data_equivalence(a, b, exact=True), f"{where}: {part}\n{a}\n{b}"


@pytest.mark.parametrize("mode", AutoresetMode)
@pytest.mark.parametrize("env_id", some(IDS, 3))
def test_is_as_many_single_environments(env_id, mode):
    limit = 15  # of the steps, so that all kinds of ends come up
    envs = vector(env_id, autoreset_mode=mode, max_episode_steps=limit)
    reference = single(env_id, mode=mode, max_episode_steps=limit)
    assert envs.observation_space == reference.observation_space and envs.action_space == reference.action_space
    assert envs.metadata["autoreset_mode"] == mode
    envs.action_space.seed(5)
    a, b = envs.reset(seed=3), reference.reset(seed=3)
    assert data_equivalence(a[0], b[0], exact=True) and data_equivalence(a[1], b[1], exact=True)
    ended = 0
    for step in range(40):
        actions = envs.action_space.sample()
        ours, theirs = envs.step(actions), reference.step(actions)
        assert_same(ours, theirs, f"step {step}")
        over = ours[2] | ours[3]
        ended += over.sum()
        if mode == AutoresetMode.DISABLED and over.any():
            a = envs.reset(options={"reset_mask": over})
            b = reference.reset(options={"reset_mask": over.copy()})
            assert data_equivalence(a[0], b[0], exact=True)
            for k, value in a[1].items():  # Gymnasium's arrays are zero where no environment was reset
                assert data_equivalence(value, b[1][k], exact=True), k
    assert ended >= 8
    assert envs.np_random_seed == (3, 4, 5, 6) == reference.np_random_seed


def test_autoreset_at_ends_of_both_kinds():
    """Falls and time limits at different times: what the modes promise, said without another implementation."""
    for mode in AutoresetMode:
        envs = vector(FALLS, 8, autoreset_mode=mode, max_episode_steps=12)
        observations, _ = envs.reset(seed=0)
        age, before = np.zeros(8, int), np.zeros(8, bool)
        kinds = set()
        envs.action_space.seed(1)
        for _ in range(60):
            seen, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
            age = np.where(before & (mode == AutoresetMode.NEXT_STEP), 0, age + 1)
            kinds |= {"fell"} if terminations.any() else set()
            kinds |= {"time"} if (truncations & ~terminations).any() else set()
            np.testing.assert_array_equal(truncations, age == 12)
            over = terminations | truncations
            if mode == AutoresetMode.NEXT_STEP:
                assert not over[before].any() and not rewards[before].any()
                np.testing.assert_array_equal(infos["_reward_forward"], ~before) if not before.all() else None
            if mode == AutoresetMode.SAME_STEP and over.any():
                np.testing.assert_array_equal(infos["_final_obs"], over)
                for k in np.flatnonzero(over):
                    assert np.abs(seen[k]).max() < 1.3 and not np.array_equal(infos["final_obs"][k], seen[k])
                    assert infos["final_info"]["x_velocity"][k] == infos["final_info"]["reward_forward"][k]
                age[over] = 0
            if mode == AutoresetMode.DISABLED and over.any():
                with pytest.raises(gymnasium.error.ResetNeeded):
                    envs.step(envs.action_space.sample())
                others, _ = envs.reset(options={"reset_mask": over})
                np.testing.assert_array_equal(others[~over], seen[~over])
                assert not np.array_equal(others[over], seen[over])
                age[over] = 0
            before = over
        assert kinds == {"fell", "time"}


def test_seeds():
    envs = vector(FALLS, 3)
    first, _ = envs.reset(seed=10)
    np.testing.assert_array_equal(envs.reset(seed=[10, 11, 12])[0], first)
    again, _ = envs.reset()
    assert not np.array_equal(again, first)  # the generators go on
    mixed, _ = envs.reset(seed=[10, None, 12])
    np.testing.assert_array_equal(mixed[[0, 2]], first[[0, 2]])
    one = gymnasium.make(FALLS)
    np.testing.assert_array_equal(one.reset(seed=11)[0], first[1])
    with pytest.raises(ValueError, match="one for each of 3"):
        envs.reset(seed=[1, 2])


def test_options_start_from_a_given_state():
    scene = scenes.load("hopper")
    envs = vector(FALLS, 3)
    qpos = scene.qpos0 + np.array([[0.0], [1.0], [2.0]])
    envs.reset(seed=0, options={"qpos": qpos, "qvel": np.zeros(6)})
    np.testing.assert_array_equal(envs.unwrapped.sim.data.qpos, qpos)
    assert not envs.unwrapped.sim.data.qvel.any()
    mask = np.array([False, True, False])
    envs.reset(options={"reset_mask": mask, "qpos": qpos + 1.0})
    np.testing.assert_array_equal(envs.unwrapped.sim.data.qpos, qpos + mask[:, None])
    assert envs.unwrapped.sim.data.qvel[1].any()  # what is not given is drawn as always
    for options, named in (({"position": 1}, "position"), ({"qpos": [0.0]}, "qpos"), ({"qvel": [np.nan] * 6}, "qvel")):
        with pytest.raises(ValueError, match=named):
            envs.reset(options=options)
    for mask in ([True] * 3, np.ones(3)):
        with pytest.raises(TypeError, match="reset_mask"):
            envs.reset(options={"reset_mask": mask})
    for mask in (np.ones(2, bool), np.zeros(3, bool)):
        with pytest.raises(ValueError, match="reset_mask"):
            envs.reset(options={"reset_mask": mask})


@pytest.mark.parametrize("mode", AutoresetMode)
def test_a_diverging_world_ends_alone(mode):
    """One world is thrown far out of any sense; the others must get the same numbers as without it."""
    envs, calm = (vector(FALLS, 4, autoreset_mode=mode) for _ in range(2))
    envs.reset(seed=0), calm.reset(seed=0)
    envs.unwrapped.sim.data.qvel[2] = 1e9 * np.array([1, -1, 1, -1, 1, -1])
    others = [0, 1, 3]
    start = envs.unwrapped.sim.data.qpos[2].copy()
    for step in range(4):
        actions = np.zeros((4, 3), np.float32)
        got, want = envs.step(actions), calm.step(actions)
        for a, b in zip(got[:4], want[:4], strict=True):
            np.testing.assert_array_equal(a[others], b[others])
        assert got[0] in envs.observation_space
        if step == 0:
            assert got[2].tolist() == [False, False, True, False] and got[1][2] == 0.0
            info = got[4]["final_info"] if mode == AutoresetMode.SAME_STEP else got[4]
            assert info["diverged"].tolist() == info["_diverged"].tolist() == [False, False, True, False]
            last = got[4]["final_obs"][2] if mode == AutoresetMode.SAME_STEP else got[0][2]
            np.testing.assert_array_equal(last[:5], start[1:])  # the last state that was finite
            if mode == AutoresetMode.DISABLED:
                envs.reset(options={"reset_mask": got[2]})
        else:
            assert not got[2].any() and "diverged" not in got[4]


def test_a_single_environment_that_diverges_terminates():
    env = gymnasium.make(FALLS)
    env.reset(seed=0)
    env.unwrapped.sim.data.qvel[0] = 1e9 * np.array([1, -1, 1, -1, 1, -1])
    observation, reward, terminated, truncated, info = env.step(np.zeros(3, np.float32))
    assert terminated and not truncated and reward == 0.0 and info["diverged"] is True
    assert observation in env.observation_space
    env.reset()
    assert not env.step(np.zeros(3, np.float32))[2]


def test_what_was_returned_stays():
    """Users keep what they get: nothing may change it later, and one part may not change another."""
    for mode in AutoresetMode:
        envs = vector("Pullback/Cartpole-v0", 3, autoreset_mode=mode, max_episode_steps=3)
        kept = [envs.reset(seed=0)]
        envs.action_space.seed(0)
        for _ in range(3):
            observations, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
            assert not np.shares_memory(rewards, infos.get("reward_survive", np.zeros(1)))
            assert not np.shares_memory(terminations, truncations)
            kept.append((observations, infos))
        for i, (obs, info) in enumerate(kept):
            for a in arrays(obs, info):
                assert not any(np.shares_memory(a, b) for other in kept[:i] for b in arrays(*other))


def arrays(*parts):
    """All arrays of numbers in observations and infos."""
    for part in parts:
        if isinstance(part, dict):
            yield from arrays(*part.values())
        elif isinstance(part, np.ndarray) and part.dtype == object:
            yield from arrays(*part)
        elif isinstance(part, np.ndarray):
            yield part


def test_bad_arguments_are_named():
    envs = vector(FALLS, 2, max_episode_steps=1)
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step(envs.action_space.sample())
    envs.reset(seed=0)
    for over in (False, True):  # also when environments are about to start again
        before = envs.unwrapped.sim.data.qpos.copy()
        for actions in (np.zeros(3), np.full((2, 3), np.nan)):
            with pytest.raises(ValueError, match="action"):
                envs.step(actions)
        np.testing.assert_array_equal(envs.unwrapped.sim.data.qpos, before)
        assert (envs.step(np.zeros((2, 3)))[1] == 0.0).all() == over
    for arguments, named in (
        ({"num_envs": 0}, "worlds"), ({"max_episode_steps": 0}, "max_episode_steps"), ({"width": 0}, "width"),
        ({"render_mode": "tv"}, "rgb_array"), ({"autoreset_mode": "never"}, "never"), ({"scene": "x"}, "half_cheetah"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=named):
            engine.rl.VectorEnv(**{"scene": "hopper", "render_mode": "rgb_array", **arguments})


def test_a_scene_of_ones_own():
    """Any Scene will do, and its task may return what it likes, even the live state."""

    class Bare(Task):
        def observation(self, qpos, qvel):
            return qpos

        def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
            return qpos_after[..., 0], {"first": qpos_after[..., 0]}

    scene = scenes.load("cartpole")
    scene.task, scene.duration = Bare(), 5 * scene.dt
    envs = engine.rl.VectorEnv(scene, 2)
    first, _ = envs.reset(seed=0)
    kept = first.copy()
    results = [envs.step(np.ones((2, 1))) for _ in range(6)]
    np.testing.assert_array_equal(first, kept)
    assert len({r[0].tobytes() for r in results}) == 6
    assert len({r[4]["reward_first"].tobytes() for r in results[:5]}) == 5
    assert results[4][3].all() and not results[5][3].any()
    scene.task = None
    with pytest.raises(ValueError, match="no task"):
        engine.rl.VectorEnv(scene)


def test_gymnasiums_wrappers_work():
    from gymnasium.wrappers.vector import NormalizeObservation, RecordEpisodeStatistics

    envs = NormalizeObservation(RecordEpisodeStatistics(vector(FALLS, 4, max_episode_steps=10)))
    envs.reset(seed=0)
    lengths = []
    for _ in range(25):
        observations, *_, infos = envs.step(np.zeros((4, 3), np.float32))
        assert observations.shape == (4, 11)
        lengths += infos["episode"]["l"][infos["_episode"]].tolist() if "episode" in infos else []
    assert lengths == [10] * 8
