"""A four-legged robot runs in three dimensions: the robot and the task of Gymnasium's Ant-v5.

Two things that Gymnasium reads from MuJoCo's workspace are no functions of the state: the clipped contact forces, in
its observation (after the 27 numbers of the state) and as a cost; and, in the forward reward, the torso's place in the
last stage of the Runge-Kutta step, up to some 0.1 mm from where the step ends. Environments have a simulator and take
them from it (`Run.workspace`); for everybody else the task is that of the state, without them.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.model import ModelBuilder

from .parts import BLUE, ORANGE, SKY, SLATE, TEAL, foot_sensors, ground, trunk_sensors
from .scene import Scene
from .task import Locomotion, coordinate, sum_of_squares

RADIUS = 0.08  # of every capsule
HIP = np.radians((-30, 30))
KNEE = np.radians((30, 70))


class Leg(NamedTuple):
    """A leg's number in the names of joints, and the quadrant (signs of x and y) in which it lies."""

    number: int
    sx: int
    sy: int


LEGS = (Leg(1, 1, 1), Leg(2, -1, 1), Leg(3, -1, -1), Leg(4, 1, -1))
MOTOR_ORDER = (4, 1, 2, 3)  # Gymnasium's actions begin with the last leg


@dataclass(frozen=True)
class Run(Locomotion):
    """Gymnasium's task, with a cost of the squared external forces on the bodies, each clipped to `contact_range`."""

    contact_weight: float = 5e-4
    contact_range: tuple[float, float] = (-1.0, 1.0)

    def workspace(self, sim):
        """What the state does not hold, after the simulator's last evaluation: (worlds, 1 + 6 bodies).

        The torso's x, then `cfrc_ext` of all bodies, clipped.
        """
        forces = sim.cfrc_ext().reshape(sim.worlds, -1).clip(*self.contact_range)
        forces[:, 5] = sim.data.xpos[:, 1, 0]  # the world's own, which come first, are of no use
        return forces[:, 5:]

    def start_workspace(self, sim, rows):
        """The same of worlds that were reset: no contact has been evaluated, and Gymnasium's forces are zero."""
        start = np.zeros((len(rows), 1 + 6 * (sim.model.nbody - 1)))
        start[:, 0] = sim.data.qpos[rows, 0]
        return start

    def observation_with(self, qpos, qvel, workspace):
        """What the observation of the state has, followed by the forces."""
        return np.concatenate([qpos[..., self.horizontal :], qvel, workspace[..., 1:]], axis=-1)

    def reward_with(self, terms, workspace_before, workspace_after, dt):
        """(reward, its terms) from those of the state and the workspace."""
        velocity = (coordinate(workspace_after, 0) - coordinate(workspace_before, 0)) / dt
        terms = terms | {
            "forward": self.forward_weight * velocity,
            "contact": -self.contact_weight * sum_of_squares(workspace_after[..., 1:]),
        }
        return sum(terms.values()), terms


def build() -> Scene:
    """The ant with its legs stretched out, a little above the ground; key "stand" of the model stands on four feet."""
    return Scene(
        name="ant",
        description="a four-legged robot runs forward as fast as it can without falling",
        model=_model(),
        task=Run(horizontal=2, ctrl_weight=0.5, healthy_reward=1.0, healthy_z=(0.2, 1.0), least_height=0.2),
        frame_skip=5,
        duration=50.0,
        trial=5.0,
        reset_noise=0.1,
        velocity_noise="normal",
        camera={"azimuth": 62.0, "elevation": -24.0},
    )


def _model():
    b = ModelBuilder("ant", integrator="RK4", timestep=0.01)
    b.default("joint", armature=1, damping=1)
    b.default("geom", conaffinity=0, density=5.0, friction=(1, 0.5, 0.5), margin=0.01)
    b.default("actuator", ctrlrange=(-1, 1), gear=150)
    ground(b, conaffinity=1)
    b.body("torso", pos=(0, 0, 0.75))
    b.geom("torso", "torso_geom", size=0.25, rgba=SLATE)
    b.joint("torso", "root", type="free", armature=0, damping=0, margin=0.01)
    for leg in LEGS:
        _leg(b, leg)
    for number in MOTOR_ORDER:
        b.motor(f"hip_{number}", f"hip_{number}")
        b.motor(f"ankle_{number}", f"ankle_{number}")
    trunk_sensors(b, "torso")
    for leg in LEGS:
        foot_sensors(b, f"foot_{leg.number}")
    knees = [angle for leg in LEGS for angle in (0.0, float(leg.sx))]
    b.key("stand", qpos=[0.0, 0.0, 0.55, 1.0, 0.0, 0.0, 0.0, *knees])
    return b.compile()


def _leg(b, leg):
    """A shoulder fixed to the torso, an upper leg that swings about z, and a lower leg whose knee bends it down."""
    n, out = leg.number, np.array([leg.sx, leg.sy, 0.0])
    colour = BLUE if leg.sx > 0 else TEAL
    b.body(f"shoulder_{n}", "torso")
    b.geom(f"shoulder_{n}", f"shoulder_geom_{n}", rgba=SKY, **_capsule(0.2 * out))
    b.body(f"upper_{n}", f"shoulder_{n}", pos=0.2 * out)
    b.joint(f"upper_{n}", f"hip_{n}", axis=(0, 0, 1), range=HIP)
    b.geom(f"upper_{n}", f"upper_geom_{n}", rgba=colour, **_capsule(0.2 * out))
    b.body(f"lower_{n}", f"upper_{n}", pos=0.2 * out)
    # The axes of opposite legs are the same, so those of the legs behind bend down with negative angles.
    down = KNEE if leg.sx > 0 else -KNEE[::-1]
    b.joint(f"lower_{n}", f"ankle_{n}", axis=(-leg.sx * leg.sy, 1, 0), range=down)
    b.geom(f"lower_{n}", f"lower_geom_{n}", rgba=ORANGE, **_capsule(0.4 * out))
    b.site(f"lower_{n}", f"foot_{n}", pos=0.4 * out, size=1.3 * RADIUS)


def _capsule(end):
    return {"type": "capsule", "fromto": (0, 0, 0, *end), "size": RADIUS}
