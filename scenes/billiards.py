"""Billiards: a cue strikes the white ball, which strikes the orange one, which must come to rest on a marked spot.

The cloth's rolling resistance is a damping of the balls' spin: a ball that rolls loses its speed with a time constant
of ROLLING seconds. Balls and cushions bounce (a soft, hardly damped contact).
"""

from dataclasses import dataclass

import numpy as np

from engine.model import ModelBuilder
from engine.objectives import Reach

from .parts import APRICOT, GROUND, ORANGE, RED, STEEL, TEAL, UNTOUCHED, ground
from .scene import Scene
from .task import Goal, Task

RADIUS, MASS = 0.0286, 0.17  # of a ball, m and kg
ROLLING = 1.0  # s
WHITE, COLOURED, SPOT = (-0.4, 0.0), (0.1, 0.05), (0.5, 0.22)  # on the table, m
TABLE = (0.75, 0.4)  # half length and half width between the cushions, m
TIP = 0.012  # radius of the cue's tip, m
STROKE = 0.1  # way of the cue before it meets the white ball, m


@dataclass(frozen=True)
class Pot(Task):
    """Bring the coloured ball to rest on the spot: costs of its distance (m) and speed (m/s), and of the control."""

    spot: tuple[float, float] = SPOT
    speed_weight: float = 0.1
    ctrl_weight: float = 1e-4
    most_distance: float = 0.03
    most_speed: float = 0.02
    ball: int = 9  # first coordinate of the coloured ball in qpos
    ball_dof: int = 8  # and in qvel

    @property
    def goals(self):
        return (
            Goal("distance of the coloured ball to the spot at the end", "m", high=self.most_distance),
            Goal("its speed at the end", "m/s", high=self.most_speed),
        )

    def measure(self, trajectory):
        return np.stack(self._at(trajectory.qpos[-1], trajectory.qvel[-1]), axis=-1)

    def objective(self, scene):
        return Reach(scene.model, self.spot, qpos=slice(self.ball, self.ball + 2), running=0.0)

    def observation(self, qpos, qvel):
        """The cue, the places of the balls, the way from the coloured one to the spot, and the velocities."""
        qpos, qvel = np.asarray(qpos), np.asarray(qvel)
        way = self.spot - qpos[..., self.ball : self.ball + 2]
        spins = [5, 6, 7, 11, 12, 13]
        return np.concatenate([qpos[..., :5], qpos[..., 9:12], way, np.delete(qvel, spins, axis=-1)], axis=-1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        distance, speed = self._at(np.asarray(qpos_after), np.asarray(qvel_after))
        terms = {
            "distance": -distance,
            "speed": -self.speed_weight * speed,
            "ctrl": -self.ctrl_weight * np.square(ctrl).sum(axis=-1),
        }
        return sum(terms.values()), terms

    def _at(self, qpos, qvel):
        away = qpos[..., self.ball : self.ball + 2] - self.spot
        speed = qvel[..., self.ball_dof : self.ball_dof + 3]
        return np.linalg.norm(away, axis=-1), np.linalg.norm(speed, axis=-1)


def build() -> Scene:
    """The balls at rest, the cue drawn back behind the white one."""
    model = _model()
    return Scene(
        name="billiards",
        description="a cue plays a ball against another one, which comes to rest on a spot",
        model=model,
        task=Pot(),
        frame_skip=10,
        duration=4.0,
        camera={"azimuth": 90.0, "elevation": -55.0, "width": 2.2, "lookat": (-0.05, 0.0, 0.0)},
    )


def _model():
    b = ModelBuilder("billiards", timestep=0.001)
    b.default("geom", condim=3, solref=(0.02, 0.1), solimp=(0.95, 0.95, 0.001), friction=0.2)
    ground(b, rgba=TEAL, size=(1.2, 1.2, 1), priority=1, solref=(0.02, 1.0))  # no bouncing on the cloth
    corners = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1)]) * TABLE
    cushion = {"type": "capsule", "size": RADIUS, "rgba": STEEL, "condim": 1}
    for (x0, y0), (x1, y1) in zip(corners[:-1], corners[1:], strict=True):
        b.geom("world", fromto=(x0, y0, RADIUS, x1, y1, RADIUS), contype=2, conaffinity=0, **cushion)
    spot = {"type": "sphere", "pos": (*SPOT, 0.0), "size": 0.012, "rgba": RED}
    b.geom("world", "spot", **spot, **UNTOUCHED)
    _cue(b)
    for name, place, colour in (("white", WHITE, GROUND), ("coloured", COLOURED, ORANGE)):
        b.body(name, pos=(*place, RADIUS))
        b.joint(name, name, type="free", damping=1.4 * MASS * RADIUS**2 / ROLLING)
        b.geom(name, name, type="sphere", size=RADIUS, mass=MASS, conaffinity=3, rgba=colour)
        b.sensor("framepos", f"{name}_pos", objtype="xbody", objname=name)
        b.sensor("framelinvel", f"{name}_velocity", objtype="xbody", objname=name)
    return b.compile()


def _cue(b):
    """A stick on two slides: a motor pushes it along x, a servo sets where it stands across (m)."""
    b.body("cue", pos=(WHITE[0] - RADIUS - TIP - STROKE, WHITE[1], RADIUS))
    b.joint("cue", "push", type="slide", axis=(1, 0, 0), range=(-0.05, STROKE + 0.03), damping=1.0)
    b.joint("cue", "aim", type="slide", axis=(0, 1, 0), range=(-0.02, 0.02), damping=5.0)
    tip = {"type": "sphere", "size": TIP, "mass": 0.1, "condim": 1, "contype": 2, "conaffinity": 0}
    b.geom("cue", "tip", rgba=RED, **tip)
    stick = {"type": "capsule", "fromto": (-0.03, 0, 0, -0.5, 0, 0), "size": 0.009, "mass": 0.4}
    b.geom("cue", "stick", rgba=APRICOT, **stick, **UNTOUCHED)
    b.motor("push", "push", ctrlrange=(-1, 1), gear=10)
    b.position("aim", "aim", kp=200, kv=20, ctrlrange=(-0.02, 0.02))
