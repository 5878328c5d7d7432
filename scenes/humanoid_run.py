"""A humanoid runs forward: the robot and the task of Gymnasium's Humanoid-v5.

Gymnasium observes inertias, velocities and contact forces of all bodies and pays for the speed of the centre of mass;
it reads them from MuJoCo's workspace, where they are those of the last stage of the Runge-Kutta step. Environments have
a simulator and take them from it (`Run.workspace`, as in scenes/ant.py); for everybody else the task is that of the
state: without them, with the speed of the trunk.

`pullback optimize humanoid_run` meets its goals by planning, but takes longer for it than a cell of the board may: the
scene has no recipe there (controllers/board/recipes.py).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.model import ModelBuilder

from .parts import APRICOT, BLUE, ORANGE, SKY, SLATE, TEAL, foot_sensors, ground, trunk_sensors
from .scene import Scene
from .task import Locomotion, coordinate

HEIGHT = 1.4  # of the trunk's middle at the start
ROOT = 6  # dofs of the free joint, which no motor drives


@dataclass(frozen=True)
class Run(Locomotion):
    """Gymnasium's task, with a cost of the squared external forces on the bodies, at most `most_contact`."""

    contact_weight: float = 5e-7
    most_contact: float = 10.0

    def workspace(self, sim):
        """What the state does not hold, after the simulator's last evaluation: (worlds, n).

        Place of the centre of mass along x, sum of the squared forces; then what is observed: of all bodies `cinert`
        and `cvel`, of the joints `qfrc_actuator`, of all bodies `cfrc_ext`.
        """
        n, found = sim.worlds, sim.com_based()
        forces = found.cfrc_ext[:, 1:].reshape(n, -1)
        parts = (
            found.com[:, 1, :1], np.add.reduce(np.square(forces), axis=1, keepdims=True),
            found.cinert[:, 1:].reshape(n, -1), found.cvel[:, 1:].reshape(n, -1), sim.data.qfrc_actuator[:, ROOT:],
            forces,
        )  # fmt: skip
        return np.concatenate(parts, axis=1)

    def start_workspace(self, sim, rows):
        """The same of worlds that were reset, evaluated where they are; Gymnasium's contact forces are zero there."""
        held = np.ones(sim.worlds, bool)
        held[rows] = False
        sim.forward(held)
        start = self.workspace(sim)[rows]
        start[:, 1] = start[:, -6 * (sim.model.nbody - 1) :] = 0.0
        return start

    def observation_with(self, qpos, qvel, workspace):
        """What the observation of the state has, followed by what of the workspace is observed."""
        return np.concatenate([qpos[..., self.horizontal :], qvel, workspace[..., 2:]], axis=-1)

    def reward_with(self, terms, workspace_before, workspace_after, dt):
        """(reward, its terms) from those of the state and the workspace."""
        velocity = (coordinate(workspace_after, 0) - coordinate(workspace_before, 0)) / dt
        contact = np.minimum(self.contact_weight * coordinate(workspace_after, 1), self.most_contact)
        terms = terms | {"forward": self.forward_weight * velocity, "contact": -contact}
        return sum(terms.values()), terms


def build() -> Scene:
    """The humanoid upright, its hands before it, a hand's breadth above the ground."""
    task = Run(
        horizontal=2,
        forward_weight=1.25,
        ctrl_weight=0.1,
        healthy_reward=5.0,
        healthy_z=(1.0, 2.0),
        least_speed=0.5,
        least_height=1.0,
        settle=1.0,
    )
    return Scene(
        name="humanoid_run",
        env="Humanoid",  # as Gymnasium calls it; ours that stands is HumanoidStand
        description="a humanoid runs forward as fast as it can without falling",
        model=_model(),
        task=task,
        frame_skip=5,
        duration=15.0,
        trial=4.5,
        reset_noise=1e-2,
        noise_of="coordinates",
        camera={"azimuth": 60.0, "elevation": -10.0},
    )


class Hinge(NamedTuple):
    """One hinge: axis, range in degrees, stiffness, damping, armature, and where it lies on its body."""

    axis: tuple[float, float, float]
    range: tuple[float, float]
    stiffness: float
    damping: float = 5.0
    armature: float = 0.01
    pos: tuple[float, float, float] = (0.0, 0.0, 0.0)


def _model():
    b = ModelBuilder("humanoid_run", integrator="RK4", timestep=0.003, iterations=50)
    b.default("geom", condim=1, margin=0.001)
    b.default("joint", armature=1, damping=1)
    b.default("actuator", ctrlrange=(-0.4, 0.4))
    ground(b, size=(20, 20, 0.125), condim=3, friction=(1, 0.1, 0.1))
    b.body("torso", pos=(0, 0, HEIGHT))
    b.joint("torso", "root", type="free", armature=0, damping=0)
    _bar(b, "torso", "torso1", (0, -0.07, 0), (0, 0.07, 0), 0.07, BLUE)
    b.geom("torso", "head", pos=(0, 0, 0.19), size=0.09, rgba=APRICOT)
    _bar(b, "torso", "uwaist", (-0.01, -0.06, -0.12), (-0.01, 0.06, -0.12), 0.06, BLUE)
    _waist(b)
    for side, sign in (("right", -1), ("left", 1)):
        _leg(b, side, sign)
    for side, sign in (("right", -1), ("left", 1)):
        _arm(b, side, sign)
    for joint in ("abdomen_y", "abdomen_z", "abdomen_x"):
        b.motor(joint, joint, gear=100)
    for side in ("right", "left"):
        for joint, gear in (("hip_x", 100), ("hip_z", 100), ("hip_y", 300), ("knee", 200)):
            b.motor(f"{side}_{joint}", f"{side}_{joint}", gear=gear)
    for side in ("right", "left"):
        for joint in ("shoulder1", "shoulder2", "elbow"):
            b.motor(f"{side}_{joint}", f"{side}_{joint}", gear=25)
    trunk_sensors(b, "torso")
    for side in ("right", "left"):
        foot_sensors(b, f"{side}_foot")
    return b.compile()


def _waist(b):
    """Two bodies below the trunk, each leaning a little, with three hinges between them."""
    lean = (1.0, 0.0, -0.002, 0.0)
    b.body("lwaist", "torso", pos=(-0.01, 0, -0.26), quat=lean)
    _bar(b, "lwaist", "lwaist", (0, -0.06, 0), (0, 0.06, 0), 0.06, SKY)
    at = {"armature": 0.02, "pos": (0, 0, 0.065)}
    _hinge(b, "lwaist", "abdomen_z", Hinge((0, 0, 1), (-45, 45), 20, **at))
    _hinge(b, "lwaist", "abdomen_y", Hinge((0, 1, 0), (-75, 30), 10, **at))
    b.body("pelvis", "lwaist", pos=(0, 0, -0.165), quat=lean)
    _hinge(b, "pelvis", "abdomen_x", Hinge((1, 0, 0), (-35, 35), 10, armature=0.02, pos=(0, 0, 0.1)))
    _bar(b, "pelvis", "butt", (-0.02, -0.07, 0), (-0.02, 0.07, 0), 0.09, SLATE)


def _leg(b, side, sign):
    """Hip (x, z, y), knee, and a ball for a foot. Right and left differ in Gymnasium's file by more than the sign."""
    colour, out = (TEAL, 1.0) if sign < 0 else (ORANGE, -1.0)
    thigh, shin, foot = (f"{side}_{part}" for part in ("thigh", "shin", "foot"))
    b.body(thigh, "pelvis", pos=(0, 0.1 * sign, -0.04))
    _hinge(b, thigh, f"{side}_hip_x", Hinge((out, 0, 0), (-25, 5), 10))
    _hinge(b, thigh, f"{side}_hip_z", Hinge((0, 0, out), (-60, 35), 10))
    _hinge(b, thigh, f"{side}_hip_y", Hinge((0, 1, 0), (-110, 20), 20, armature=0.008 if sign < 0 else 0.01))
    _bar(b, thigh, f"{side}_thigh1", (0, 0, 0), (0, -0.01 * sign, -0.34), 0.06, colour)
    b.body(shin, thigh, pos=(0, -0.01 * sign, -0.403))
    knee = Hinge((0, -1, 0), (-160, -2), 0 if sign < 0 else 1, damping=1.0, armature=0.006, pos=(0, 0, 0.02))
    _hinge(b, shin, f"{side}_knee", knee)
    _bar(b, shin, f"{side}_shin1", (0, 0, 0), (0, 0, -0.3), 0.049, SKY)
    b.body(foot, shin, pos=(0, 0, -0.45))
    b.geom(foot, foot, pos=(0, 0, 0.1), size=0.075, rgba=SLATE)
    b.site(foot, foot, pos=(0, 0, 0.1), size=0.085)


def _arm(b, side, sign):
    """Shoulder with two hinges, elbow, and a ball for a hand."""
    colour, bounds = (TEAL, (-85, 60)) if sign < 0 else (ORANGE, (-60, 85))
    upper, lower = f"{side}_upper_arm", f"{side}_lower_arm"
    b.body(upper, "torso", pos=(0, 0.17 * sign, 0.06))
    _hinge(b, upper, f"{side}_shoulder1", Hinge((2, -sign, 1), bounds, 1, damping=1.0, armature=0.0068))
    _hinge(b, upper, f"{side}_shoulder2", Hinge((0, sign, 1), bounds, 1, damping=1.0, armature=0.0051))
    _bar(b, upper, f"{side}_uarm1", (0, 0, 0), (0.16, 0.16 * sign, -0.16), 0.04, colour)
    b.body(lower, upper, pos=(0.18, 0.18 * sign, -0.18))
    _hinge(b, lower, f"{side}_elbow", Hinge((0, -1, -sign), (-90, 50), 0, damping=1.0, armature=0.0028))
    _bar(b, lower, f"{side}_larm", (0.01, -0.01 * sign, 0.01), (0.17, -0.17 * sign, 0.17), 0.031, APRICOT)
    b.geom(lower, f"{side}_hand", pos=(0.18, -0.18 * sign, 0.18), size=0.04, rgba=APRICOT)


def _hinge(b, body, name, hinge):
    b.joint(body, name, **hinge._asdict() | {"range": np.radians(hinge.range)})


def _bar(b, body, name, start, end, radius, colour):
    b.geom(body, name, type="capsule", fromto=(*start, *end), size=radius, rgba=colour)
