"""Standing and stepping as inverse kinematics and statics have them: what an action is counted from, and what a policy
of a legged robot imitates before it learns.

A foot swings while its clock lifts it, and goes back under the trunk as fast as the trunk is told to move over it
while it stands. Feet on the ground share the weight. Nothing here asks whether the robot stays up.
"""

import numpy as np

from controllers.tasks.feet import placed_at
from controllers.tasks.trot import step
from engine.simulator import Simulator

GRAVITY = 9.81
STANDS = 0.5  # share of the clock's period
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


class Stepping:
    """model; qpos (nq,): how the robot stands, with its `feet` (controllers/tasks/feet.py). height: m, of its trunk.
    trunk: its body. heading (2,): where it looks there. period: s, of the clock. begins (feet,): of a period. lift: m,
    of a foot. lead: s, by which servos are told where a foot is to be, since their dampers hold them back as long."""

    def __init__(self, model, qpos, feet, height, trunk, heading, period, begins, lift, lead=0.0):
        self.model, self.qpos, self.feet, self.height = model, qpos, feet, height
        self.period, self.begins, self.lift, self.lead = period, begins, lift, lead / period
        self.sims = {}  # of so many worlds
        sim = self._simulator(1)
        sim.reset(qpos)
        sim.forward()
        self.places = np.array([f.point.place(sim.data)[0] for f in feet])
        self.ahead = heading / (np.linalg.norm(heading) + 1e-9)
        self.arms = (self.places - sim.data.xpos[0, trunk])[:, :2]

    def _simulator(self, n):
        if n not in self.sims:
            self.sims[n] = Simulator(self.model, n)
        return self.sims[n]

    def __call__(self, told, clock):
        """(qpos (n, nq), forces of joints (n, nv) there) at what is told (n, 3), as the task has it, and at clocks
        (n,)."""
        parts = [self._at(told[k : k + CHUNK], clock[k : k + CHUNK]) for k in range(0, len(told), CHUNK)]
        return tuple(np.concatenate(x) for x in zip(*parts, strict=True))

    def _at(self, told, clock):
        aside = np.array([-self.ahead[1], self.ahead[0]])
        moves = told[:, :1] * self.ahead + told[:, 1:2] * aside
        across = np.stack([-self.arms[:, 1], self.arms[:, 0]], axis=-1)
        moves = moves[:, None] + told[:, 2, None, None] * across
        phase = (clock[:, None] + self.begins) % 1.0
        _, _, _, stands = step((phase + STANDS) % 1.0, STANDS)
        phase = (phase + self.lead) % 1.0
        along, _, _, _ = step((phase + STANDS) % 1.0, STANDS)
        targets = np.broadcast_to(self.places, (len(told), *self.places.shape)).copy()
        targets[..., :2] += moves * (STANDS * self.period * along)[..., None]
        targets[..., 2] += self.lift * np.maximum(np.sin(2 * np.pi * phase), 0.0)
        sim = self._simulator(len(told))
        return placed_at(sim, self.feet, targets, self.qpos), held(sim, self.feet, stands, self.height)
