"""A four-legged robot trots at a commanded speed: twelve joints with position servos, feet of rubber."""

from dataclasses import dataclass

import numpy as np

from engine.model import ModelBuilder
from engine.objectives import Reach, RunForward

from .parts import BLUE, ORANGE, SKY, SLATE, TEAL, foot_sensors, ground, link, trunk_sensors
from .scene import Scene
from .task import Goal, Task, elapsed, last_seconds, tilt

THIGH = SHANK = 0.2  # m
FOOT = 0.025  # its radius, m
HIP, KNEE = 0.7, -1.4  # rad, of the standing legs: thighs to the back, knees bent forward
HEIGHT = 2 * THIGH * np.cos(HIP) + FOOT  # of the hips when it stands
LEGS = {"fl": (1, 1), "fr": (1, -1), "rl": (-1, 1), "rr": (-1, -1)}  # signs of x and y


@dataclass(frozen=True)
class Trot(Task):
    """Walk at the commanded speed (m/s along x) in a trot: rewards of the speed, costs of drift, tilt and control.

    A trot is a gait in which the legs of a diagonal touch the ground together and the two diagonals take turns. With
    c_i in {0, 1} telling whether foot i touches, in the last two seconds: the part of the time in which both legs of a
    diagonal agree is `most`ly more than `least_together`, and the two diagonals agree less than `most_alike`.
    """

    command: float = 0.5
    home: tuple[float, ...] = ()  # servo positions of the standing robot, what controls are compared with
    touch: tuple[int, ...] = ()  # where the feet's touch sensors are in sensordata, in the order of LEGS
    ctrl_weight: float = 0.05
    most_error: float = 0.15
    least_together: float = 0.75
    most_alike: float = 0.5
    most_tilt: float = 0.5
    seconds: float = 2.0
    least_height: float = 0.15

    @property
    def goals(self):
        last = f"in the last {self.seconds:g} s"
        return (
            Goal(f"mean speed {last} beyond the command", "m/s", -self.most_error, self.most_error),
            Goal(f"part of the time {last} in which both legs of a diagonal do the same", "", self.least_together),
            Goal(f"part of the time {last} in which both diagonals do the same", "", high=self.most_alike),
            Goal("largest tilt of the trunk", "rad", high=self.most_tilt),
            Goal("sideways drift", "m", high=0.5),
        )

    def measure(self, trajectory):
        k, q = last_seconds(trajectory, self.seconds), trajectory.qpos
        time = elapsed(trajectory)
        speed = (q[-1, :, 0] - q[k, :, 0]) / (time[-1] - time[k])
        fl, fr, rl, rr = (trajectory.sensordata[k:, :, i] > 1.0 for i in self.touch)  # N
        together = 0.5 * ((fl == rr).mean(axis=0) + (fr == rl).mean(axis=0))
        alike = 0.5 * ((fl == fr).mean(axis=0) + (rl == rr).mean(axis=0))
        drift = np.abs(q[:, :, 1]).max(axis=0)
        return np.stack([speed - self.command, together, alike, tilt(q, 2).max(axis=0), drift], axis=-1)

    def objective(self, scene):
        m = scene.model
        drift = Reach(m, (0.0,), qvel=[1], terminal=0.0) + Reach(m, (0.0,), qpos=[1], terminal=0.0)
        return RunForward(m, scene.qpos0, speed=self.command, effort=0.0, momentum=0.0) + drift

    def observation(self, qpos, qvel):
        """The command, height, orientation and joint angles, and all velocities; not where it is."""
        qpos = np.asarray(qpos)
        command = np.full((*qpos.shape[:-1], 1), self.command)
        return np.concatenate([command, qpos[..., 2:], qvel], axis=-1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        moved = np.asarray(qpos_after)[..., :2] - np.asarray(qpos_before)[..., :2]
        off = moved[..., 0] / dt - self.command
        terms = {
            "speed": np.exp(-np.square(off / 0.25)),
            "drift": -np.abs(moved[..., 1]) / dt,
            "tilt": -np.square(tilt(np.asarray(qpos_after), 2)),
            "ctrl": -self.ctrl_weight * np.square(np.asarray(ctrl) - self.home).sum(axis=-1),
        }
        return sum(terms.values()), terms

    def terminated(self, qpos, qvel):
        low = np.asarray(qpos)[..., 2] < self.least_height
        return super().terminated(qpos, qvel) | low | (tilt(np.asarray(qpos), 2) > 1.0)


def build() -> Scene:
    """The robot standing on its four feet."""
    model = _model()
    standing = model.key_qpos[model.key("stand")]
    touch = [int(model.sensor_adr[model.sensor(f"{leg}_foot_touch")]) for leg in LEGS]
    return Scene(
        name="quadruped",
        description="a four-legged robot trots at a commanded speed",
        model=model,
        task=Trot(home=tuple(standing[7:]), touch=tuple(touch)),
        frame_skip=4,
        duration=4.0,
        qpos0=standing,
        reset_noise=0.02,
        camera={"azimuth": 62.0, "elevation": -18.0},
    )


def _model():
    b = ModelBuilder("quadruped", timestep=0.005, integrator="implicitfast")
    b.default("geom", contype=0, conaffinity=0)
    b.default("joint", damping=0.5, armature=0.02)
    ground(b, conaffinity=1)
    b.body("trunk", pos=(0, 0, HEIGHT))
    b.freejoint("trunk", "root")
    b.geom("trunk", "trunk", type="box", size=(0.19, 0.07, 0.05), mass=6.0, contype=1, rgba=SLATE)
    b.geom("trunk", "head", type="box", pos=(0.2, 0, 0.03), size=(0.04, 0.05, 0.035), mass=0.5, rgba=ORANGE)
    for name, (sx, sy) in LEGS.items():
        _leg(b, name, sx, sy)
    trunk_sensors(b, "trunk")
    for name in LEGS:
        foot_sensors(b, f"{name}_foot")
    b.key("stand", qpos=[0, 0, HEIGHT - 4e-4, 1, 0, 0, 0, *(0.0, HIP, KNEE) * 4], ctrl=(0.0, HIP, KNEE) * 4)
    return b.compile()


def _leg(b, name, sx, sy):
    """Hip (about x, then y), thigh, knee (about y), shank and a round foot; three servos whose controls are angles."""
    colour = BLUE if sx == sy else TEAL  # a diagonal has one colour
    hip = {
        f"{name}_roll": {"axis": (1, 0, 0), "range": (-0.6, 0.6)},
        f"{name}_hip": {"axis": (0, 1, 0), "range": (-0.8, 2.0)},
    }
    place = (sx * 0.17, sy * 0.11, 0)
    link(b, f"{name}_thigh", "trunk", (0, 0, -THIGH), hip, place, size=0.025, mass=0.6, rgba=colour)
    knee = {f"{name}_knee": {"axis": (0, 1, 0), "range": (-2.4, -0.4)}}
    shank = f"{name}_shank"
    link(b, shank, f"{name}_thigh", (0, 0, -SHANK), knee, (0, 0, -THIGH), size=0.016, mass=0.15, rgba=SKY)
    foot = {"type": "sphere", "pos": (0, 0, -SHANK), "size": FOOT, "mass": 0.05, "contype": 1}
    b.geom(shank, f"{name}_foot", friction=0.9, rgba=ORANGE, **foot)
    b.site(shank, f"{name}_foot", pos=(0, 0, -SHANK), size=1.3 * FOOT)
    for joint, (low, high) in (("roll", (-0.5, 0.5)), ("hip", (-0.6, 1.8)), ("knee", (-2.3, -0.5))):
        b.position(f"{name}_{joint}", f"{name}_{joint}", kp=60, kv=1.5, ctrlrange=(low, high), forcerange=(-30, 30))
