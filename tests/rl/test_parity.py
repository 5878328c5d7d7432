"""Our environments and Gymnasium's own, side by side: same start, same actions, same observations, rewards and ends."""

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")
pytest.importorskip("gymnasium.envs.mujoco", exc_type=ImportError)

import engine.rl  # noqa: E402
from tests.physics.reference import skip_older_rk4  # noqa: E402
from tests.scenes.scene_references import GYMNASIUM  # noqa: E402

STEPS = 400
WORKSPACE = {"ant": 27, "humanoid_run": 270}  # where contact forces begin in the observation
INFO = {"reward_forward", "reward_ctrl", "reward_survive", "reward_contact", "x_position", "y_position", "x_velocity"}


def pair(name):
    """(ours, Gymnasium's, made to solve its contacts as exactly as it can)."""
    import mujoco

    theirs = gymnasium.make(GYMNASIUM[name][0])
    option = theirs.unwrapped.model.opt
    option.solver, option.tolerance, option.ls_tolerance = mujoco.mjtSolver.mjSOL_NEWTON, 1e-14, 1e-9
    option.iterations, option.ls_iterations = 500, 200
    ours = gymnasium.make(engine.rl.env_id(name))
    return ours, theirs


def copy_state(ours, theirs):
    data, sim = theirs.unwrapped.data, ours.unwrapped.sim
    sim.data.qpos[0], sim.data.qvel[0] = data.qpos, data.qvel


@pytest.mark.parametrize("name", GYMNASIUM)
def test_steps_are_gymnasiums(name):
    """From each of Gymnasium's states one step of both: chaos would otherwise part them, though not before step 40."""
    ours, theirs = pair(name)
    skip_older_rk4(theirs.unwrapped.model)
    assert ours.observation_space.shape == theirs.observation_space.shape
    assert ours.observation_space.dtype == theirs.observation_space.dtype
    assert ours.action_space == theirs.action_space
    assert ours.spec.max_episode_steps == theirs.spec.max_episode_steps
    rng = np.random.default_rng(0)
    low, high = theirs.action_space.low.astype(float), theirs.action_space.high.astype(float)
    episode, ends, seed, pushed = 0, 0, 0, False
    for step in range(STEPS):
        if episode == 0:
            theirs.reset(seed=seed)
            data = theirs.unwrapped.data
            seen, _ = ours.reset(options={"qpos": data.qpos.copy(), "qvel": data.qvel.copy()})
            np.testing.assert_allclose(seen, theirs.unwrapped._get_obs(), rtol=0, atol=1e-12)
        action = rng.uniform(1.3 * low, 1.3 * high)  # also beyond the range: clamped by the physics, paid in full
        want, got = theirs.step(action), ours.step(action)
        where = f"{name}, step {step}, {episode} after a reset"
        np.testing.assert_allclose(got[0], want[0], rtol=1e-7, atol=1e-7, err_msg=where)
        assert got[1] == pytest.approx(want[1], rel=1e-6, abs=1e-6), where
        assert got[2:4] == want[2:4], where
        for key in INFO & set(want[4]) & set(got[4]):
            # those of ant and humanoid are between places in the last Runge-Kutta stages, which only rewards have here
            if key != "x_velocity" or name not in WORKSPACE:
                assert got[4][key] == pytest.approx(want[4][key], rel=1e-6, abs=1e-6), f"{where}: {key}"
        assert {"reward_forward", "reward_ctrl"} & set(want[4]) <= set(got[4])
        pushed |= name in WORKSPACE and np.abs(want[0][WORKSPACE[name] :]).max() > 0.1
        over = want[2] or want[3]
        ends += over
        episode, seed = (0, seed + 1) if over else (episode + 1, seed)
        if not over and episode > 30:
            copy_state(ours, theirs)
    assert ends > 5 or name in ("half_cheetah", "ant")
    assert pushed == (name in WORKSPACE)  # contact forces were there to compare


@pytest.mark.parametrize("name", ["cartpole", "hopper", "half_cheetah", "walker2d", "humanoid_run"])
def test_a_seed_starts_as_gymnasiums(name):
    """The same random numbers in the same order (but not the ant).

    Gymnasium's humanoid starts with a quaternion that is no unit, ours with the same turn.
    """
    ours, theirs = pair(name)
    for seed in (0, 7):
        got, want = ours.reset(seed=seed)[0], theirs.reset(seed=seed)[0]
        if name == "humanoid_run":
            want[1:5] /= np.linalg.norm(want[1:5])
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)


def test_the_time_limit_is_gymnasiums():
    ours, theirs = pair("half_cheetah")
    ours.reset(seed=0), theirs.reset(seed=0)
    for step in range(1, 1001):
        want, got = (env.step(np.zeros(6))[2:4] for env in (theirs, ours))
        assert got == want == (False, step == 1000)
