"""An arm throws a ball through a hoop: what decides is how the ball leaves the cup that it only lies in.

The cup is a cradle of four bars around the ball: two rails along the hand keep it in the middle, a low bar keeps it
from rolling to the wrist, a high one holds it against the centrifugal force while the arm speeds up. When the arm slows
down, or runs into the end of its range, the ball flies on. Without controls the arm lies on its lower stops.
"""

from dataclasses import dataclass

import numpy as np

from engine.model import ModelBuilder
from engine.objectives import Effort, Objective

from .parts import BLUE, GROUND, ORANGE, RED, SKY, SLATE, STEEL, UNTOUCHED, ground
from .scene import Scene
from .task import Goal, Task

HOOP = np.array([2.4, 0.0, 0.5])
HOOP_RADIUS = 0.2
HOOP_BAR = 0.012  # radius of the ring, m
SHOULDER = np.array([0.0, 0.0, 0.8])
ARM = 0.55  # from shoulder to wrist, m
BALL_RADIUS = 0.05
BAR_RADIUS = 0.012
GRIP = BALL_RADIUS + BAR_RADIUS  # from the ball's middle to the axes of the bars that touch it
LOW = GRIP * np.sqrt(0.5)  # the rails and the inner bar touch the ball 45 degrees below its middle
BALL = np.array([-0.22, 0.0, LOW])  # middle of the ball, seen from the wrist
# Bits of contype and conaffinity: the ball touches the floor and the cup, and nothing else touches anything.
ON_FLOOR, ON_CUP = 1, 2
# Stops and contacts give a little under the weight: where shoulder (rad), wrist (rad) and ball (m) come to rest.
SAG = np.array([-0.714554e-3, -0.852425e-3, -0.128508e-3, 0.0, -1.069221e-3, 0.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True)
class Toss(Task):
    """Throw the ball so that it falls through the target; the episode ends when it falls below the target's height.

    The control step in which it does so earns 1 / (1 + (d / width)^2), d being the distance (m) at which the ball
    passes the target: a miss of any size still tells which way to improve, and any throw beats none.
    """

    target: tuple[float, float, float] = tuple(HOOP)
    width: float = 0.5
    ctrl_weight: float = 1e-4
    ball: int = 2  # first coordinate of the ball in qpos, and in qvel
    opening: float = HOOP_RADIUS - HOOP_BAR - BALL_RADIUS  # m within which the ball's middle passes clear of the ring

    @property
    def goals(self):
        return (Goal("distance of the falling ball to the middle of the hoop", "m", high=self.opening),)

    def measure(self, trajectory):
        """Infinite for a ball that never falls through the hoop's height."""
        place = self.place(trajectory.qpos)
        missed, falls = self.pass_by(place[:-1], place[1:])
        first = np.argmax(falls, axis=0)
        distance = np.take_along_axis(missed, first[None], axis=0)[0]
        return np.where(falls.any(axis=0), distance, np.inf)[:, None]

    def objective(self, scene):
        return PassBy(self) + 1e-3 * Effort()

    def observation(self, qpos, qvel):
        """Angles of the arm, the way from the ball to the target, and all velocities without the ball's spin."""
        qpos, qvel = np.asarray(qpos), np.asarray(qvel)
        return np.concatenate([qpos[..., : self.ball], self.target - self.place(qpos), qvel[..., : self.ball + 3]], -1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        missed, falls = self.pass_by(self.place(qpos_before), self.place(qpos_after))
        terms = {
            "toss": np.where(falls, 1.0 / (1.0 + np.square(missed / self.width)), 0.0),
            "ctrl": -self.ctrl_weight * np.square(ctrl).sum(axis=-1),
        }
        return sum(terms.values()), terms

    def terminated(self, qpos, qvel):
        return super().terminated(qpos, qvel) | (self.place(qpos)[..., 2] < self.target[2])

    def pass_by(self, before, after):
        """At what distance (m) the ball passes the target on its way down, and whether it does so on this step."""
        height = self.target[2]
        falls = (before[..., 2] >= height) & (after[..., 2] < height)
        drop = np.where(falls, before[..., 2] - after[..., 2], 1.0)
        share = ((before[..., 2] - height) / drop)[..., None]
        return np.linalg.norm(before + share * (after - before) - self.target, axis=-1), falls

    def place(self, qpos):
        """Middle of the ball, (..., 3)."""
        return np.asarray(qpos)[..., self.ball : self.ball + 3]


class PassBy(Objective):
    """Squared horizontal distance (m^2) at which the falling ball first passes the target's height.

    A ball that never does so is a throw too low: it costs the squared distance of its highest place to the target, and
    MISSED. The step in which it passes is held; where within the step depends on the places before and after.
    """

    MISSED = 10.0

    def __init__(self, toss):
        self.toss = toss

    def evaluate(self, trajectory):
        place, n = self.toss.place(trajectory.qpos), self.toss.ball
        worlds = np.arange(place.shape[1])
        _, falls = self.toss.pass_by(place[:-1], place[1:])
        k, passes = np.argmax(falls, axis=0), falls.any(axis=0)
        a, b = place[k, worlds], place[k + 1, worlds]
        drop = np.where(passes, a[:, 2] - b[:, 2], 1.0)
        share = (a[:, 2] - self.toss.target[2]) / drop
        step = b - a
        away = (a + share[:, None] * step - self.toss.target) * (1, 1, 0)
        along = (2 * away * step).sum(axis=-1) / drop  # d(cost)/d(share) / drop
        bar = np.zeros_like(trajectory.qpos)
        ball = bar[:, :, n : n + 3]
        a_bar, b_bar = 2 * away * (1 - share)[:, None], 2 * away * share[:, None]
        a_bar[:, 2], b_bar[:, 2] = along * (1 - share), along * share
        top = np.argmax(place[:, :, 2], axis=0)
        low = place[top, worlds] - self.toss.target
        cost = np.where(passes, np.square(away).sum(axis=-1), self.MISSED + np.square(low).sum(axis=-1))
        ball[k, worlds] += np.where(passes[:, None], a_bar, 0.0)
        ball[k + 1, worlds] += np.where(passes[:, None], b_bar, 0.0)
        ball[top, worlds] += np.where(passes[:, None], 0.0, 2 * low)
        return cost, {"qpos": bar}


def build() -> Scene:
    """The arm stretched out backwards on its stops, the ball at rest in its cup."""
    model = _model()
    return Scene(
        name="ball_toss",
        description="an arm throws a ball, which lies loose in its cup, through a hoop",
        model=model,
        task=Toss(),
        frame_skip=10,
        duration=1.6,
        qpos0=model.qpos0 + SAG,
        camera={"azimuth": 90.0, "elevation": -10.0, "width": 4.6, "lookat": (0.95, 0.0, 0.85)},
    )


def _model():
    b = ModelBuilder("ball_toss", timestep=0.002)
    b.default("geom", type="capsule", **UNTOUCHED)
    b.default("actuator", ctrlrange=(-1, 1))
    ground(b, contype=ON_FLOOR)
    b.geom("world", "stand", fromto=(0, 0.1, 0, 0, 0.1, SHOULDER[2]), size=0.035, rgba=STEEL)
    _hoop(b)
    _arm(b)
    _cup(b)
    b.body("ball", pos=SHOULDER + (-ARM, 0, 0) + BALL)
    b.freejoint("ball", "ball")
    b.geom("ball", "ball", type="sphere", size=BALL_RADIUS, mass=0.15, conaffinity=ON_FLOOR | ON_CUP, rgba=ORANGE)
    b.sensor("framepos", "ball_pos", objtype="xbody", objname="ball")
    b.sensor("framelinvel", "ball_velocity", objtype="xbody", objname="ball")
    b.sensor("framepos", "cup_pos", objtype="site", objname="cup")
    return b.compile()


def _arm(b):
    b.default("joint", axis=(0, 1, 0), damping=0.05, armature=0.01)
    b.body("arm", pos=SHOULDER)
    b.joint("arm", "shoulder", range=(0, 1))
    b.geom("arm", "hub", type="sphere", size=0.05, mass=0.2, rgba=SLATE)
    b.geom("arm", "arm", fromto=(0, 0, 0, -ARM, 0, 0), size=0.03, mass=0.5, rgba=BLUE)
    b.body("hand", "arm", pos=(-ARM, 0, 0))
    b.joint("hand", "wrist", range=(0, 1.2))
    b.geom("hand", "hand", fromto=(0, 0, 0, BALL[0] + LOW, 0, 0), size=0.02, mass=0.08, rgba=SKY)
    b.motor("shoulder", "shoulder", gear=12)
    b.motor("wrist", "wrist", gear=2)


def _cup(b):
    """Four bars around the ball; the outer one is high, 15 degrees below the ball's middle."""
    x, outer = BALL[0], np.radians(15)
    high = (x - GRIP * np.cos(outer), LOW - GRIP * np.sin(outer))
    bars = {
        "rail_left": (x - LOW, LOW, 0, x + LOW, LOW, 0),
        "rail_right": (x - LOW, -LOW, 0, x + LOW, -LOW, 0),
        "inner_bar": (x + LOW, -LOW, 0, x + LOW, LOW, 0),
        "outer_bar": (high[0], -LOW, high[1], high[0], LOW, high[1]),
    }
    for name, ends in bars.items():
        b.geom("hand", name, fromto=ends, size=BAR_RADIUS, mass=0.01, contype=ON_CUP, friction=0.5, rgba=RED)
    b.site("hand", "cup", pos=BALL)


def _hoop(b, sides=14):
    """A ring of capsules on a post, only looked at."""
    corner = 2 * np.pi * np.arange(sides + 1) / sides
    ring = HOOP + HOOP_RADIUS * np.stack([np.cos(corner), np.sin(corner), 0 * corner], axis=-1)
    for start, end in zip(ring[:-1], ring[1:], strict=True):
        b.geom("world", fromto=(*start, *end), size=HOOP_BAR, rgba=RED)
    foot = HOOP + (HOOP_RADIUS, 0, 0)
    b.geom("world", "post", fromto=(*(foot * (1, 1, 0)), *foot), size=0.018, rgba=STEEL)
    b.site("world", "target", pos=HOOP, size=0.03, rgba=GROUND)
