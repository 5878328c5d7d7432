"""Goals, rewards, ends and objectives of the scenes agree on what is good: judged on episodes made by hand."""

import numpy as np
import pytest

import scenes
from tests.scenes import episodes


@pytest.fixture(params=scenes.names())
def scene(request):
    return scenes.load(request.param)


def made(scene, *changes):
    t = episodes.still(scene)
    for change in changes:
        change(scene, t)
    return t


def kept(scene, t):
    """Which goals the episode keeps."""
    measured = scene.task.measure(t)[0]
    return [goal.low <= value <= goal.high for goal, value in zip(scene.task.goals, measured, strict=True)]


def pay(scene, t):
    """Sum of the rewards until the episode ends."""
    q, v, total = t.qpos[:, 0], t.qvel[:, 0], 0.0
    for k, u in enumerate(t.ctrl[:, 0]):
        total += float(scene.task.reward(q[k], v[k], u, q[k + 1], v[k + 1], scene.dt)[0])
        if scene.task.terminated(q[k + 1], v[k + 1]):
            break
    return total


def test_a_solved_episode_is_solved_and_each_miss_is_that_miss(scene):
    t = made(scene, episodes.SOLVED[scene.name])
    assert scene.solved(t).tolist() == [True], scene.task.measure(t)
    misses = episodes.MISSES[scene.name]
    assert len(misses) == len(scene.task.goals)
    for k, miss in enumerate(misses):
        t = made(scene, episodes.SOLVED[scene.name], miss)
        assert scene.solved(t).tolist() == [False]
        assert kept(scene, t) == [i != k for i in range(len(misses))], scene.task.measure(t)


def test_a_solved_episode_costs_less_and_pays_more(scene):
    """Than one in which nothing happens, or the robot falls."""
    good = made(scene, episodes.SOLVED[scene.name])
    falls = scene.name in episodes.FALLS
    others = [made(scene, episodes.SOLVED[scene.name], episodes.fell)] if falls else []
    if episodes.SOLVED[scene.name] is not episodes.balanced:
        others.append(made(scene))
    for other in others:
        assert scene.objective()(good)[0] < scene.objective()(other)[0]
        if not scene.name.startswith("sysid"):  # nothing to earn there
            assert pay(scene, good) > pay(scene, other)


def test_only_a_fall_ends_an_episode(scene):
    """And a ball that has been thrown."""
    t = made(scene, episodes.SOLVED[scene.name])
    ends = scene.task.terminated(t.qpos, t.qvel)[:, 0]
    below = t.qpos[:, 0, 4] < scene.task.target[2] if scene.name == "ball_toss" else np.zeros(len(ends), bool)
    np.testing.assert_array_equal(ends, below)
    if scene.name in episodes.FALLS:
        t = made(scene, episodes.SOLVED[scene.name], episodes.fell)
        ends = scene.task.terminated(t.qpos, t.qvel)[:, 0]
        assert ends[10:].all() and not ends[:10].any()
