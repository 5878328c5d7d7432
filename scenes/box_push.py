"""A round finger pushes a box over the floor to a marked place, and turns it on the way."""

from dataclasses import dataclass

import numpy as np

from engine.model import ModelBuilder
from engine.objectives import Effort, Reach

from .parts import BLUE, ORANGE, RED, SLATE, UNTOUCHED, ground
from .scene import Scene
from .task import Goal, Task

HALF = (0.12, 0.12, 0.08)  # of the box, m
FINGER = 0.05  # its radius, m
PLACE, TURN = (0.45, 0.12), 0.4  # where the box should end (m), and how far turned (rad)


@dataclass(frozen=True)
class Push(Task):
    """Bring the box to its place and angle: costs of the distance (m), of the angle (rad) and of the control."""

    place: tuple[float, float] = PLACE
    turn: float = TURN
    angle_weight: float = 0.2
    ctrl_weight: float = 1e-3
    most_distance: float = 0.02
    most_angle: float = 0.1
    most_speed: float = 0.02
    box: int = 2  # first coordinate of the box in qpos, and in qvel

    @property
    def goals(self):
        return (
            Goal("distance of the box to its place at the end", "m", high=self.most_distance),
            Goal("angle of the box to its goal at the end", "rad", high=self.most_angle),
            Goal("speed of the box at the end", "m/s", high=self.most_speed),
        )

    def measure(self, trajectory):
        qpos, qvel = trajectory.qpos[-1], trajectory.qvel[-1]
        speed = np.linalg.norm(qvel[:, self.box : self.box + 3], axis=-1)
        return np.stack([self.distance(qpos), np.abs(self.angle(qpos)), speed], axis=-1)

    def objective(self, scene):
        """Squared distance (m) and angle (half of it, through the quaternion's w and z), speed at the end, effort."""
        m, k = scene.model, self.box
        place = Reach(m, self.place, qpos=[k, k + 1], terminal=4.0, running=0.2)
        half = 0.5 * self.turn
        turn = Reach(m, (np.cos(half), np.sin(half)), qpos=[k + 3, k + 6], terminal=1.0, running=0.05)
        still = Reach(m, np.zeros(3), qvel=[k, k + 1, k + 5], terminal=0.05, running=0.0)
        return place + turn + still + 1e-4 * Effort()

    def observation(self, qpos, qvel):
        """The finger, the way from the box to its place, the angle left to turn, and the planar velocities."""
        qpos, qvel = np.asarray(qpos), np.asarray(qvel)
        way = self.place - qpos[..., self.box : self.box + 2]
        planar = qvel[..., [0, 1, self.box, self.box + 1, self.box + 5]]
        return np.concatenate([qpos[..., :2], way, self.angle(qpos)[..., None], planar], axis=-1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        terms = {
            "distance": -self.distance(np.asarray(qpos_after)),
            "angle": -self.angle_weight * np.abs(self.angle(np.asarray(qpos_after))),
            "ctrl": -self.ctrl_weight * np.square(ctrl).sum(axis=-1),
        }
        return sum(terms.values()), terms

    def distance(self, qpos):
        return np.linalg.norm(qpos[..., self.box : self.box + 2] - self.place, axis=-1)

    def angle(self, qpos):
        """How far the box is turned about z beyond its goal, rad in [-pi, pi)."""
        w, x, y, z = np.moveaxis(qpos[..., self.box + 3 : self.box + 7], -1, 0)
        yaw = np.arctan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)
        return np.mod(yaw - self.turn + np.pi, 2.0 * np.pi) - np.pi


def build() -> Scene:
    """The box at rest, the finger a hand's breadth behind it."""
    return Scene(
        name="box_push",
        description="a finger pushes a box to a place and turns it on the way",
        model=_model(),
        task=Push(),
        frame_skip=4,
        duration=3.0,
        camera={"azimuth": 90.0, "elevation": -45.0, "width": 2.2, "lookat": (0.1, 0.0, 0.0)},
    )


def _model():
    b = ModelBuilder("box_push", timestep=0.005)
    b.default("geom", friction=0.4)
    ground(b)
    _mark(b)
    b.body("finger", pos=(-HALF[0] - FINGER - 0.08, 0, HALF[2]))
    b.joint("finger", "finger_x", type="slide", axis=(1, 0, 0), range=(-0.6, 1.2), damping=4.0)
    b.joint("finger", "finger_y", type="slide", axis=(0, 1, 0), range=(-0.8, 0.8), damping=4.0)
    b.geom("finger", "finger", type="sphere", size=FINGER, mass=0.4, rgba=BLUE)
    b.body("box", pos=(0, 0, HALF[2]))
    b.freejoint("box", "box")
    b.geom("box", "box", type="box", size=HALF, mass=1.0, rgba=ORANGE)
    for axis in "xy":
        b.motor(f"finger_{axis}", f"finger_{axis}", ctrlrange=(-1, 1), gear=12)
    b.sensor("framepos", "finger_pos", objtype="xbody", objname="finger")
    b.sensor("framepos", "box_pos", objtype="xbody", objname="box")
    return b.compile()


def _mark(b):
    """The outline of the box in its place, flat on the floor, and its front edge in another colour."""
    c, s = np.cos(TURN), np.sin(TURN)
    corners = np.array([(1, -1), (1, 1), (-1, 1), (-1, -1), (1, -1)]) * HALF[:2] @ np.array([[c, s], [-s, c]]) + PLACE
    for k, ((x0, y0), (x1, y1)) in enumerate(zip(corners[:-1], corners[1:], strict=True)):
        line = {"type": "capsule", "fromto": (x0, y0, 0, x1, y1, 0), "size": 0.006, "rgba": SLATE if k else RED}
        b.geom("world", **line, **UNTOUCHED)
