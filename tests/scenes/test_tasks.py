"""The tasks: equal to Gymnasium's environments step by step, and the same for one state and for many."""

import numpy as np
import pytest

import scenes
from scenes.task import Locomotion, Task, coordinate
from tests.physics.reference import skip_older_rk4
from tests.scenes.scene_references import GYMNASIUM, environment

WORKSPACE = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
STATE_ONLY = {
    "ant": {"include_cfrc_ext_in_observation": False, "contact_cost_weight": 0},
    "humanoid_run": {**{f"include_{name}_in_observation": False for name in WORKSPACE}, "contact_cost_weight": 0},
}
TERM_NAMES = {"forward": "reward_forward", "ctrl": "reward_ctrl", "survive": "reward_survive"}


def record(name, steps=60):
    """Steps of Gymnasium's environment under large random controls, through falls and on: one dict per step."""
    env = environment(name, **STATE_ONLY.get(name, {}))
    low, high = env.model.actuator_ctrlrange.T
    rng = np.random.default_rng(2)
    for _ in range(steps):
        step = {"qpos_before": env.data.qpos.copy(), "qvel_before": env.data.qvel.copy()}
        step["ctrl"] = rng.uniform(low, high)
        observation, reward, terminated, _, info = env.step(step["ctrl"])
        step |= {"qpos_after": env.data.qpos.copy(), "qvel_after": env.data.qvel.copy(), "dt": env.dt}
        yield step, observation, reward, terminated, info


@pytest.mark.parametrize("name", GYMNASIUM)
def test_task_is_gymnasiums(name):
    skip_older_rk4(environment(name).model)
    scene = scenes.load(name)
    task, ended = scene.task, []
    for step, observation, reward, terminated, info in record(name):
        assert scene.dt == pytest.approx(step["dt"], rel=1e-12)
        after = step["qpos_after"], step["qvel_after"]
        np.testing.assert_allclose(task.observation(*after), observation, rtol=0, atol=1e-9)
        assert task.terminated(*after) == terminated
        ours, terms = task.reward(**step)
        if name in STATE_ONLY:  # Gymnasium takes the place from another stage of the Runge-Kutta step, or another place
            speed = (info["x_position"] - step["qpos_before"][0]) / step["dt"]
            assert name != "ant" or abs(speed - info["reward_forward"]) < 1e-3 / step["dt"]
            reward += task.forward_weight * speed - info["reward_forward"]
            info["reward_forward"] = task.forward_weight * speed
        assert ours == pytest.approx(reward, abs=1e-9)
        for term, value in terms.items():
            assert value == pytest.approx(info[TERM_NAMES[term]], abs=1e-9), term
        ended.append(terminated)
    # What is healthy and what is not must both have come up, where there is such a thing.
    assert any(ended) == (name != "half_cheetah")
    assert not all(ended)


@pytest.mark.parametrize("name", scenes.names())
def test_many_states_at_once(name):
    """Leading axes are worlds and steps, of any number; each entry is what the state alone would give."""
    scene = scenes.load(name)
    task, model, rng = scene.task, scene.model, np.random.default_rng(0)
    shape = (4, 3)
    before = scene.qpos0 + rng.normal(scale=0.5, size=(*shape, model.nq)), rng.normal(size=(*shape, model.nv)) * 20
    after = scene.qpos0 + rng.normal(scale=0.5, size=(*shape, model.nq)), rng.normal(size=(*shape, model.nv)) * 20
    ctrl = rng.uniform(-1, 1, (*shape, model.nu))
    observation, terminated = task.observation(*after), task.terminated(*after)
    reward, terms = task.reward(*before, ctrl, *after, scene.dt)
    assert observation.shape[:-1] == reward.shape == terminated.shape == shape
    np.testing.assert_allclose(sum(terms.values()), reward)
    for i in np.ndindex(shape):
        np.testing.assert_array_equal(observation[i], task.observation(after[0][i], after[1][i]))
        assert terminated[i] == task.terminated(after[0][i], after[1][i])
        alone, alone_terms = task.reward(before[0][i], before[1][i], ctrl[i], after[0][i], after[1][i], scene.dt)
        np.testing.assert_allclose(alone, reward[i])
        np.testing.assert_allclose([alone_terms[k] for k in terms], [terms[k][i] for k in terms])
        outcome = task.outcome(before[0][i], before[1][i], ctrl[i], after[0][i], after[1][i], scene.dt)
        assert outcome == (alone, alone_terms, terminated[i])


@pytest.mark.parametrize("name", scenes.names())
def test_a_state_that_is_not_finite_is_the_end(name):
    scene = scenes.load(name)
    for what in (np.nan, np.inf):
        qpos, qvel = scene.start(worlds=2)
        qvel[1, -1] = what
        assert scene.task.terminated(qpos, qvel).tolist() == [False, True]
        qpos[0, -1] = what
        assert scene.task.terminated(qpos, qvel).all()


def test_base_task_has_no_reward():
    assert Task().observation(np.zeros((2, 3)), np.zeros((2, 4))).shape == (2, 7)
    with pytest.raises(NotImplementedError):
        Task().reward(None, None, None, None, None, 0.1)


def test_healthy_state_range_leaves_out_the_first_two_coordinates():
    task = Locomotion(healthy_state=(-1, 1))
    assert task.healthy(np.array([9.0, 9.0, 0.5]), np.zeros(3))
    assert not task.healthy(np.zeros(3), np.array([0.0, 2.0, 0.0]))


def test_a_reward_or_an_end_of_ones_own_counts():
    """In `outcome` too, which a task of this kind otherwise works out at one go."""

    class Slow(Locomotion):
        def reward(self, *step):
            return -super().reward(*step)[0], {}

    class Short(Locomotion):
        def terminated(self, qpos, qvel):
            return coordinate(qpos, 0) > 0.5

    class Both(Slow, Short):
        pass

    class Healthy(Locomotion):
        def healthy(self, qpos, qvel):
            return np.bool_(False)

    step = np.zeros(3), np.zeros(3), np.zeros(2), np.ones(3), np.zeros(3), 0.5
    expected = {Locomotion: (2.0, False), Slow: (-2.0, False), Short: (2.0, True), Both: (-2.0, True)}
    for kind, (reward, terminated) in {**expected, Healthy: (2.0, True)}.items():
        outcome = kind().outcome(*step)
        assert (outcome[0], outcome[2]) == (reward, terminated), kind


@pytest.mark.parametrize("name", ["half_cheetah", "hopper", "walker2d", "ant", "humanoid_run"])
def test_one_state_is_as_healthy_as_among_many(name):
    """Inside of every bound, on it, outside, and not finite: one state is judged by other code than many."""
    scene = scenes.load(name)
    task, (qpos, qvel) = scene.task, scene.start(worlds=1)
    values = [np.nan, np.inf, -np.inf, 1e300, 99.99, 100.0, -100.0, 100.01]
    values += [np.nextafter(end, end + by) for bounds in (task.healthy_z, task.healthy_angle) for end in bounds
               for by in (-1, 0, 1)]  # fmt: skip
    states = np.concatenate([qpos, qvel], axis=1)[0]
    states = np.array([np.where(np.arange(states.size) == i, value, states)
                       for i in range(states.size) for value in values])  # fmt: skip
    states[::7] *= -1
    states = np.concatenate([states, np.concatenate([qpos, qvel], axis=1)])
    q, v = np.split(states, [qpos.size], axis=1)
    many = task.healthy(q, v)
    assert 0 < many.sum() < len(many)
    for k in range(len(many)):
        assert task.healthy(q[k], v[k]) == many[k] == task.healthy(q[k : k + 1], v[k : k + 1])[0], states[k]


def test_swing_up_is_best_upright_and_wraps_around():
    task, still = scenes.load("pendulum").task, np.zeros(1)
    for q in (np.pi, -np.pi, 3 * np.pi):
        assert task.reward(None, None, still, np.array([q]), still, 0.02)[0] == pytest.approx(0, abs=1e-20)
        np.testing.assert_allclose(task.observation(np.array([q]), still), [1, 0, 0], atol=1e-12)
    assert task.reward(None, None, still, np.array([0.0]), still, 0.02)[0] == pytest.approx(-(np.pi**2))
    left, right = (task.reward(None, None, still, np.array([q]), still, 0.02)[0] for q in (-0.3, 0.3))
    assert left == pytest.approx(right)


def test_toss_is_judged_where_the_ball_passes_the_hoop():
    scene = scenes.load("ball_toss")
    task, (x, y, z) = scene.task, scene.task.target

    def toss(before, after):
        states = np.stack([scene.qpos0, scene.qpos0])
        states[:, 2:5] = before, after
        rest, ctrl = np.zeros(scene.model.nv), np.zeros(scene.model.nu)
        return task.reward(states[0], rest, ctrl, states[1], rest, scene.dt)[1]["toss"]

    assert toss((x - 0.1, y, z + 0.1), (x + 0.1, y, z - 0.1)) == pytest.approx(1)
    assert toss((x + 0.2, y, z + 0.1), (x + 0.4, y, z - 0.3)) == pytest.approx(1 / (1 + (0.25 / task.width) ** 2))
    assert toss((x, y, z + 0.3), (x, y, z + 0.1)) == 0  # still above
    assert toss((x, y, z - 0.1), (x, y, z + 0.1)) == 0  # from below
    assert toss((x, y, z - 0.1), (x, y, z - 0.2)) == 0  # once is enough
