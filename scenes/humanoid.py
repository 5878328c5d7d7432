"""A humanoid with twenty motors is pushed while it stands, and keeps standing."""

from dataclasses import dataclass

import numpy as np

from engine import objectives
from engine.model import ModelBuilder

from .parts import APRICOT, BLUE, ORANGE, SKY, SLATE, TEAL, foot_sensors, ground, link, trunk_sensors
from .scene import Scene
from .task import Goal, Task, tilt

THIGH, SHANK = 0.42, 0.40  # m
ANKLE = 0.07  # height of the ankle, m
BEND = 0.25  # rad at hip and ankle of the start, twice as much at the knee
HEIGHT = (THIGH + SHANK) * np.cos(BEND) + ANKLE  # of the hips when it stands
PUSH = 0.25  # m/s, forward
HIP, KNEE, FOOT, BACK, ARM = 120, 120, 70, 100, 30  # N m


@dataclass(frozen=True)
class Stand(Task):
    """Keep the hips high and the body upright: rewards of both, costs of speed and control."""

    height: float = HEIGHT
    velocity_weight: float = 1e-3
    ctrl_weight: float = 1e-2
    least_height: float = HEIGHT - 0.1
    most_tilt: float = 0.3
    most_way: float = 0.25

    @property
    def goals(self):
        return (
            Goal("lowest hips", "m", low=self.least_height),
            Goal("largest tilt of the hips", "rad", high=self.most_tilt),
            Goal("largest way of the hips from the start", "m", high=self.most_way),
            Goal("speed of the hips at the end", "m/s", high=0.1),
        )

    def measure(self, trajectory):
        q = trajectory.qpos
        way = np.linalg.norm(q[:, :, :2] - q[0, :, :2], axis=-1).max(axis=0)
        speed = np.linalg.norm(trajectory.qvel[-1, :, :3], axis=-1)
        return np.stack([q[:, :, 2].min(axis=0), tilt(q, 2).max(axis=0), way, speed], axis=-1)

    def objective(self, scene):
        return objectives.Stand(scene.model, scene.qpos0)

    def observation(self, qpos, qvel):
        """Height, orientation and joint angles, and all velocities."""
        return np.concatenate([np.asarray(qpos)[..., 2:], qvel], axis=-1)

    def reward(self, qpos_before, qvel_before, ctrl, qpos_after, qvel_after, dt):
        terms = {
            "high": 1.0 - np.square((np.asarray(qpos_after)[..., 2] - self.height) / 0.2),
            "upright": -np.square(tilt(np.asarray(qpos_after), 2)),
            "still": -self.velocity_weight * np.square(qvel_after).sum(axis=-1),
            "ctrl": -self.ctrl_weight * np.square(ctrl).sum(axis=-1),
        }
        return sum(terms.values()), terms

    def terminated(self, qpos, qvel):
        low = np.asarray(qpos)[..., 2] < 0.5 * self.height
        return super().terminated(qpos, qvel) | low | (tilt(np.asarray(qpos), 2) > 1.2)


def build() -> Scene:
    """The humanoid on both feet with its knees a little bent, pushed forward."""
    model = _model()
    qvel0 = np.zeros(model.nv)
    qvel0[0] = PUSH
    return Scene(
        name="humanoid",
        env="HumanoidStand",  # Gymnasium's Humanoid is humanoid_run
        description="a humanoid is pushed while it stands, and keeps standing",
        model=model,
        task=Stand(),
        frame_skip=2,
        duration=5.0,
        qpos0=model.key_qpos[model.key("stand")],
        qvel0=qvel0,
        reset_noise=0.01,
        camera={"azimuth": 60.0, "elevation": -10.0},
    )


def _model():
    b = ModelBuilder("humanoid", timestep=0.005, integrator="implicitfast")
    b.default("geom", contype=0, conaffinity=0)
    b.default("joint", damping=2.0, armature=0.02)
    b.default("actuator", ctrlrange=(-1, 1))
    ground(b, conaffinity=1)
    b.body("pelvis", pos=(0, 0, HEIGHT))
    b.freejoint("pelvis", "root")
    b.geom("pelvis", "pelvis", type="capsule", fromto=(0, -0.09, 0, 0, 0.09, 0), size=0.085, mass=8.0, rgba=SLATE)
    back = {
        "back_pitch": {"axis": (0, 1, 0), "range": (-0.6, 1.2)},
        "back_roll": {"axis": (1, 0, 0), "range": (-0.6, 0.6)},
    }
    link(b, "trunk", "pelvis", (0, 0, 0.3), back, (0, 0, 0.12), size=0.11, mass=16.0, rgba=BLUE)
    b.geom("trunk", "head", type="sphere", pos=(0, 0, 0.52), size=0.1, mass=4.0, rgba=APRICOT)
    for name in back:
        b.motor(name, name, gear=BACK)
    for side, sign in (("right", -1), ("left", 1)):
        _arm(b, side, sign)
    for side, sign in (("right", -1), ("left", 1)):
        _leg(b, side, sign)
    trunk_sensors(b, "pelvis")
    for side in ("right", "left"):
        foot_sensors(b, f"{side}_foot")
    leg = (0.0, -BEND, 2 * BEND, -BEND, 0.0, 0.0)
    b.key("stand", qpos=[0, 0, HEIGHT - 1e-4, 1, 0, 0, 0, *(0.0,) * 8, *leg, *leg])
    return b.compile()


def _arm(b, side, sign):
    shoulder = {
        f"{side}_shoulder_pitch": {"axis": (0, 1, 0), "range": (-2.0, 1.0)},
        f"{side}_shoulder_roll": {"axis": (sign, 0, 0), "range": (-0.2, 1.5)},
    }
    colour = TEAL if sign < 0 else ORANGE
    place = (0, sign * 0.19, 0.3)
    link(b, f"{side}_upper_arm", "trunk", (0, sign * 0.02, -0.28), shoulder, place, size=0.045, mass=2.0, rgba=colour)
    elbow = {f"{side}_elbow": {"axis": (0, -1, 0), "range": (0, 2.4)}}
    place = (0, sign * 0.02, -0.28)
    link(b, f"{side}_forearm", f"{side}_upper_arm", (0, 0, -0.24), elbow, place, size=0.038, mass=1.3, rgba=APRICOT)
    for joint in (*shoulder, *elbow):
        b.motor(joint, joint, gear=ARM)


def _leg(b, side, sign):
    """Hip (about x, then y), knee (y), ankle (y, x, z) and a flat foot."""
    colour = TEAL if sign < 0 else ORANGE
    thigh, shank, foot = (f"{side}_{part}" for part in ("thigh", "shank", "foot"))
    hip = {
        f"{side}_hip_roll": {"axis": (1, 0, 0), "range": (-0.6, 0.6)},
        f"{side}_hip_pitch": {"axis": (0, 1, 0), "range": (-1.8, 0.6)},
    }
    link(b, thigh, "pelvis", (0, 0, -THIGH), hip, (0, sign * 0.1, 0), size=0.065, mass=6.0, rgba=colour)
    knee = {f"{side}_knee": {"axis": (0, 1, 0), "range": (0, 2.4)}}
    link(b, shank, thigh, (0, 0, -SHANK), knee, (0, 0, -THIGH), size=0.05, mass=3.0, rgba=SKY)
    b.body(foot, shank, pos=(0, 0, -SHANK))
    ankle = {
        f"{side}_ankle_pitch": {"axis": (0, 1, 0), "range": (-0.8, 0.8)},
        f"{side}_ankle_roll": {"axis": (1, 0, 0), "range": (-0.4, 0.4)},
        f"{side}_ankle_yaw": {"axis": (0, 0, 1), "range": (-0.5, 0.5)},
    }
    for name, attributes in ankle.items():
        b.joint(foot, name, **attributes)
    sole = {"type": "box", "pos": (0.05, 0, 0.02 - ANKLE), "size": (0.12, 0.05, 0.02)}
    b.geom(foot, foot, mass=1.0, contype=1, rgba=SLATE, **sole)
    b.site(foot, foot, **{**sole, "size": (0.13, 0.06, 0.03)})
    for joint in (*hip, *knee, *ankle):
        b.motor(joint, joint, gear=HIP if joint in hip else KNEE if joint in knee else FOOT)
