"""Standing and stepping as inverse kinematics and statics have them: what an action is counted from, and what a policy
of a legged robot imitates before it learns.

A foot swings while its clock lifts it, and goes back under the trunk as fast as the trunk is told to move over it
while it stands. Feet on the ground share the weight. Nothing here asks whether the robot stays up.
"""

from typing import NamedTuple

import numpy as np

from controllers.tasks.feet import ROUNDS, hips, placed_at
from controllers.tasks.trot import step
from engine.simulator import Simulator

GRAVITY = 9.81
STANDS = 0.5  # share of the clock's period
QUICK = 5  # rounds of inverse kinematics of flat feet, whose strides are searched for
CHUNK = 256  # poses that are found at once


def held(sim, feet, stands, height):
    """(n, nv): forces of joints, N m or N, that hold a Simulator's poses still after a `forward`, while the feet on the
    ground, stands (n, feet), carry the weight: as little as balances it, each upwards. height: m, the robot's."""
    m, d = sim.model, sim.data
    mass = np.asarray(m.body_mass)
    middle = np.einsum("b,wbi->wi", mass, d.xipos) / mass.sum()
    arms = np.stack([f.point.place(d) for f in feet], axis=2)[:, :2] - middle[:, :2, None]
    balance = np.concatenate([np.ones_like(arms[:, :1]), arms / height], axis=1) * stands[:, None]
    carried = np.linalg.pinv(balance)[:, :, 0].clip(min=0.0) * GRAVITY * mass.sum()
    force = d.qfrc_bias - d.qfrc_passive
    for k, f in enumerate(feet):
        force = force - f.point.jacobian(d)[:, 2] * carried[:, k, None]
    return force


class Stride(NamedTuple):
    """How feet step. period: of the clock, and lift: of a foot, in pendulums' times and heights. lead: by how much of
    their lag servos are told before. speed: of the feet to what is told. shift, aside: of the feet in heights, forward
    and away from the middle. catch, catch_aside: by how much a foot is put further where the trunk goes too fast ahead
    or aside, in pendulums' times. upright, upright_aside: of flat feet, the turn that standing legs give a tilted trunk
    back, to its pitch and roll. lag: of what a tilt will be, in pendulums' times. push: of the weight that standing
    legs are told to carry."""

    period: float = 2.7
    lift: float = 0.2
    lead: float = 1.0
    speed: float = 1.0
    shift: float = 0.0
    aside: float = 0.0
    catch: float = 0.0
    catch_aside: float = 0.0
    upright: float = 0.0
    upright_aside: float = 0.0
    lag: float = 0.0
    push: float = 1.0


class Motion(NamedTuple):
    """Of a trunk: velocity (n, 2), ahead and to the left of where it looks, m/s; tilt (n, 2): roll and pitch from where
    it stands, rad; rate (n, 2): of both, rad/s."""

    velocity: np.ndarray
    tilt: np.ndarray
    rate: np.ndarray


class Stepping:
    """model; stance: how the robot stands (controllers/stance.py), with its `feet` (controllers/tasks/feet.py).

    time: s, of the pendulum that it is. trunk: its body. heading (2,): where it looks there. begins (feet,): of a
    period. lag: s, by which servos follow. stride: a Stride.
    """

    def __init__(self, model, stance, feet, time, trunk, heading, begins, lag, stride):
        self.model, self.feet, self.height, self.time = model, feet, stance.height, time
        # poses are found in the air, where no contact costs time
        qpos, self.root = np.array(stance.qpos, float), stance.root
        self.above, self.raised = 2 * stance.height if self.root.z >= 0 else 0.0, qpos.copy()
        if self.above:
            self.raised[self.root.z] += self.above
        self.begins, self.lag, self.stride = begins, lag, stride
        self.flat = all(f.flat for f in feet)
        self.rounds = QUICK if self.flat else ROUNDS
        self.sims = {}  # of so many worlds
        sim = self._simulator(1)
        sim.reset(qpos)
        sim.forward()
        self.places = np.array([f.point.place(sim.data)[0] for f in feet])
        self.ahead = heading / (np.linalg.norm(heading) + 1e-9)
        self.left = np.array([-self.ahead[1], self.ahead[0]])
        self.arms = (self.places - sim.data.xpos[0, trunk])[:, :2]
        self.legs = self.places - np.array([hips(model, sim, f)[0] for f in feet])

    @property
    def period(self):
        """s."""
        return self.stride.period * self.time

    @property
    def lift(self):
        """m."""
        return self.stride.lift * self.height

    def _simulator(self, n):
        if n not in self.sims:
            self.sims[n] = Simulator(self.model, n)
        return self.sims[n]

    def __call__(self, told, clock, motion=None, strides=None):
        """(qpos (n, nq), forces of joints (n, nv) there) at what is told (n, 3), as the task has it, at clocks (n,) and
        while the trunk moves so, a Motion; by default as told. strides: others, rows of a Stride's numbers (n, .)."""
        rows = np.broadcast_to(self.stride if strides is None else strides, (len(told), len(Stride._fields)))
        parts = []
        for k in range(0, len(told), CHUNK):
            at = slice(k, k + CHUNK)
            now = None if motion is None else Motion(*(x[at] for x in motion))
            parts.append(self._at(told[at], clock[at], now, Stride(*rows[at].T)))
        return tuple(np.concatenate(x) for x in zip(*parts, strict=True))

    def _at(self, told, clock, motion, s):
        period = s.period * self.time
        phase = (clock[:, None] + self.begins) % 1.0
        _, _, _, stands = step((phase + STANDS) % 1.0, STANDS)
        phase = (phase + (s.lead * self.lag / period)[:, None]) % 1.0
        along, _, left, _ = step((phase + STANDS) % 1.0, STANDS)
        targets = np.broadcast_to(self.places, (len(told), *self.places.shape)).copy()
        targets[..., :2] += self._way(told, s) * (STANDS * period[:, None] * along)[..., None]
        targets[..., :2] += self.height * s.shift[:, None, None] * self.ahead
        out = np.sign(self.arms @ self.left)
        targets[..., :2] += self.height * s.aside[:, None, None] * out[:, None] * self.left
        targets[..., 2] += (s.lift * self.height)[:, None] * np.maximum(np.sin(2 * np.pi * phase), 0.0)
        turns = np.zeros_like(targets)
        turns[..., 2] = told[:, 2:] * STANDS * period[:, None] * along
        if motion is not None:
            self._caught(motion, told, s, targets, left)
            if self.flat:
                self._turned_back(motion, s, stands, targets, turns)
        sim = self._simulator(len(told))
        qpos = placed_at(sim, self.feet, targets + [0, 0, self.above], self.raised, turns, self.rounds)
        force = s.push[:, None] * held(sim, self.feet, stands, self.height)
        if self.above:
            qpos[:, self.root.z] -= self.above
        return qpos, force

    def _way(self, told, s):
        """(n, feet, 2): how fast the ground is to move under each foot."""
        way = s.speed[:, None] * (told[:, :1] * self.ahead + told[:, 1:2] * self.left)
        across = np.stack([-self.arms[:, 1], self.arms[:, 0]], axis=-1)
        return way[:, None] + told[:, 2, None, None] * across

    def _caught(self, motion, told, s, targets, left):
        """Feet are put further the way that the trunk goes too fast (Raibert, Legged Robots That Balance, 1986)."""
        off = self.time * (motion.velocity - told[:, :2]) * np.stack([s.catch, s.catch_aside], axis=1)
        targets[..., :2] += left[..., None] * (off[:, :1] * self.ahead + off[:, 1:] * self.left)[:, None]

    def _turned_back(self, motion, s, stands, targets, turns):
        """A foot in the air stays turned as it is in the world; those on the ground turn the trunk upright."""
        tilt = motion.tilt + (s.lag * self.time)[:, None] * motion.rate
        back = tilt * np.stack([s.upright_aside, s.upright], axis=1)
        for share, where in ((-tilt, ~stands), (back, stands)):
            turn = np.zeros((len(tilt), 3))
            turn[:, :2] = share[:, :1] * self.ahead + share[:, 1:] * self.left
            targets += np.where(where[..., None], np.cross(turn[:, None], self.legs), 0.0)
            turns += np.where(where[..., None], turn[:, None], 0.0)
