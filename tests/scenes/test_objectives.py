"""What a gradient follows in each scene: cotangents at random episodes, and the whole gradient through rollouts."""

import numpy as np
import pytest

import engine
import scenes
from engine.diff.gradcheck import OK, WRONG
from engine.objectives.check import Sample
from scenes.scene import displace
from tests.gradients.differences import ROUNDING, STEPS, derivative

OUTPUTS = ("qpos", "qvel", "act", "ctrl", "sensordata")
# Scenes whose whole trial is smooth; of the others only the beginning is: contacts come and go later, or it is chaotic.
WHOLE = ("pendulum", "double_pendulum", "reacher", "arm_reach", "arm_track", "sysid_pendulum", "sysid_box")
FIRST = {"billiards": 80}  # control steps, by default 25
DRIVEN = {"billiards": (0.8, 0.0)}  # where controls are random around this, so that the cue meets the ball
SCALES = (0.02, 0.2, 1.0)  # of random episodes around the start: on its feet, staggering, anywhere


@pytest.fixture(params=scenes.names(), scope="module")
def scene(request):
    return scenes.load(request.param)


def episode(scene, rng, scale, worlds=2):
    """A random recording of a whole trial, around the scene's start; physics did not make it."""
    sample = Sample(scene.model, rng, scale, scene.trial_steps + 1, worlds)
    moved = displace(scene.model, np.tile(scene.qpos0, (sample.qpos[..., 0].size, 1)), scale * rng.normal(
        size=(sample.qpos[..., 0].size, scene.model.nv)))  # fmt: skip
    sample.qpos = moved.reshape(sample.qpos.shape)
    sample.time = scene.dt * np.arange(scene.trial_steps + 1)
    return sample


def slope(objective, sample, name, along, world):
    """(derivative of the world's cost along a direction of one output by differences, how well it is known)."""
    size = float(objective(sample)[0][world])
    return derivative(
        lambda h: objective(sample.moved(name, h * along))[0][world], STEPS, ROUNDING * max(1.0, abs(size))
    )


def test_cotangents_at_random_episodes(scene):
    """Every output moved along random directions in one world; the other world's cost must not change."""
    objective, rng, live, settled = scene.objective(), np.random.default_rng(0), set(), 0
    for scale in SCALES:
        sample = episode(scene, rng, scale)
        cost, bars = objective(sample)
        assert cost.shape == (2,) and np.isfinite(cost).all()
        for name in OUTPUTS:
            value = getattr(sample, name)
            if not value.shape[-1]:
                continue
            bar = bars.get(name, np.zeros_like(value))
            live |= {name} if np.any(bar) else set()
            for world in (0, 1):
                along = np.zeros_like(value)
                along[:, world] = rng.normal(size=along[:, world].shape)
                assert objective(sample.moved(name, along))[0][1 - world] == cost[1 - world]
                terms = bar * along
                found, known = slope(objective, sample, name, along, world)
                floor = 1e-6 * max(np.linalg.norm(terms), 1e-3 * abs(cost[world]))
                if known > floor:
                    continue  # an end of the pay or a kink lies within the smallest step
                settled += 1
                assert abs(found - terms.sum()) < 1e-5 * np.linalg.norm(terms) + floor, (name, scale)
    assert live, "the objective follows nothing"
    assert settled >= 10


@pytest.mark.parametrize("passes", (True, False))
def test_both_ways_of_a_toss(passes):
    """A ball that falls through the height of the hoop, and one that never gets so high."""
    scene = scenes.load("ball_toss")
    objective, rng = scene.objective(), np.random.default_rng(1)
    sample = episode(scene, rng, 0.02, worlds=1)
    height = (0.3 if passes else -0.2) * np.sin(np.linspace(0.1, 3.5, len(sample.time)))
    n = scene.task.ball
    sample.qpos[:, 0, n : n + 3] += scene.task.target - sample.qpos[:1, 0, n : n + 3]
    sample.qpos[:, 0, n + 2] += height
    if not passes:
        sample.qpos[:, 0, n + 2] -= 0.4
    cost, bars = objective(sample)
    assert (cost[0] < 10) == passes
    for _ in range(4):
        along = rng.normal(size=sample.qpos.shape)
        found, known = slope(objective, sample, "qpos", along, 0)
        assert known < 1e-6
        assert found == pytest.approx((bars["qpos"] * along).sum(), rel=1e-6, abs=1e-8)


def test_gradient_through_rollouts(scene):
    """Of the whole trial, or of its beginning with contacts made, kept and broken; from several starts."""
    steps = scene.trial_steps if scene.name in WHOLE else FIRST.get(scene.name, 25)
    sim = engine.Simulator(scene.model)
    tape, objective, smooth = engine.Tape(sim, steps, scene.frame_skip), scene.objective(), set()
    low, high = scene.model.actuator_ctrlrange.T
    middle, half = DRIVEN.get(scene.name, (low + high) / 2), (high - low) / 2
    near, share = (1e-3, 0.05) if scene.name in DRIVEN else (0.02, 0.3)
    wrt = ("ctrl", "qpos0", "qvel0")
    for seed in range(4):
        rng = np.random.default_rng(seed)
        qpos = displace(scene.model, scene.qpos0, near * rng.normal(size=scene.model.nv))
        qvel = scene.qvel0 + 5 * near * rng.normal(size=scene.model.nv)
        controls = middle + share * half * rng.uniform(-1, 1, (steps, scene.model.nu))
        report = engine.gradcheck(tape, objective.total, wrt, controls, qpos, qvel)
        assert WRONG not in report.verdicts.values(), f"\n{report}"
        smooth |= {n for n, verdict in report.verdicts.items() if verdict == OK}
        if smooth.issuperset(wrt):
            return
    raise AssertionError(f"only {sorted(smooth)} were smooth from some start:\n{report}")
