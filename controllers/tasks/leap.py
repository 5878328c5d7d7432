"""A jump for any robot with legs, from its model: crouch, push off, land on bent legs, stand.

A leg is told how much lower than standing the trunk is at each time, its *depth* (negative: higher), and the ground's
force for that acceleration; inverse kinematics and inverse dynamics make joints and controls of it. In the air the
trunk flies as it left the ground, so a jump is decided by then: by how deep, how fast and how far forward feet push.
"""

from typing import NamedTuple

import numpy as np

from controllers.tasks.feet import across, placed_at
from controllers.tasks.forces import controls_for
from controllers.tasks.hold import FIRM
from controllers.tasks.kinematics import ranges
from controllers.tasks.trot import GRAVITY, PHASES
from engine.model.coordinates import difference

DEEPEST, HIGHEST = 0.4, -0.4  # of its height: depths that are looked at
FOUND = 0.01  # of its height: feet this near are where they were put
STRONGEST = 5.0  # weights that the ground is told to push with, at most


class Leap(NamedTuple):
    """crouch: depth, in heights. down, push, fly, settle: time to crouch, to push off, in the air, and to stand up from
    landing, in pendulums' times sqrt(height / g). reach: how much higher than standing the legs end, in heights. tuck:
    depth of landing, in heights. shift, land: of the feet forward in pushing and in landing, in heights. stiff, damp,
    level, upright: as of a Pace. carry: of the ground's force, what legs are told to make."""

    crouch: float = 0.2
    down: float = 2.5
    push: float = 1.0
    fly: float = 1.5
    settle: float = 3.0
    reach: float = 0.15
    tuck: float = 0.05
    shift: float = 0.0
    land: float = 0.0
    stiff: float = 2.0
    damp: float = 1.0
    level: float = 0.1
    upright: float = 0.5
    carry: float = 1.0


SPREAD = Leap(0.06, 0.5, 0.3, 0.4, 0.8, 0.08, 0.06, 0.06, 0.06, 0.7, 0.4, 0.15, 0.5, 0.3)  # standard deviations
LEAST = Leap(0.02, 1.0, 0.3, 0.3, 1.0, 0.0, -0.1, -0.3, -0.3, 0.5, 0.2, 0.0, 0.0, 0.3)
MOST = Leap(0.27, 5.0, 2.5, 4.0, 6.0, 0.35, 0.25, 0.3, 0.3, 5.0, 3.0, 0.6, 3.0, 2.0)


class Rows:
    """What a jump is made of, a row each `spacing` s, the last one for ever: qpos, qvel, ctrl (rows, .), and gains
    (2, nu, nx), of which `which` (rows,) says one."""

    def __init__(self, qpos, qvel, ctrl, gains, which, spacing):
        self.qpos, self.qvel, self.ctrl, self.gains, self.which, self.spacing = qpos, qvel, ctrl, gains, which, spacing

    def row(self, time):
        """(qpos, qvel, ctrl, gains) at this time, s."""
        k = min(int(time / self.spacing + 1e-6), len(self.qpos) - 1)
        return self.qpos[k], self.qvel[k], self.ctrl[k], self.gains[self.which[k]]


class Leaper:
    """Jumps of one robot. stepper: a Stepper (trot.py) that stands, with `hold`; spacing: s between rows.

    tallest: how much higher than standing (m) its legs lift it without leaving the ground."""

    def __init__(self, stepper, spacing):
        self.stepper, self.spacing = stepper, spacing
        m, s, sim = stepper.model, stepper.stance, stepper.sim
        self.depth = s.height * np.linspace(HIGHEST, DEEPEST, PHASES)
        targets = stepper.places + self.depth[:, None, None] * [0.0, 0.0, 1.0]
        self.qpos = placed_at(sim, stepper.feet, targets, s.qpos)
        at = np.stack([f.point.place(sim.data) for f in stepper.feet], axis=1)
        there = np.linalg.norm(at - targets, axis=2).max(axis=1) < FOUND * s.height
        self.tallest = float(max(0.0, -self.depth[there].min(initial=0.0)))
        self.force = sim.data.qfrc_bias - sim.data.qfrc_passive
        self.weight = stepper._carrying(sim, 1.0, np.ones((PHASES, len(stepper.feet)), bool))
        self.moved = np.zeros_like(self.qpos)  # by feet that are a metre further forward
        forward = np.tile([[[1.0], [0.0], [0.0]]], (PHASES, 1, 1))
        for f in stepper.feet:
            self.moved[:, ranges(m, f.dofs)[0]] = across(f, sim.data, forward)[..., 0]

    def jump(self, leap):
        """The Rows of a Leap, with the regulator of standing at their end."""
        p, s, m, st = leap, self.stepper.stance, self.stepper.model, self.stepper
        ends = np.cumsum([p.down, p.push, p.fly, p.settle]) * st.time
        t = np.arange(int(np.ceil(ends[-1] / self.spacing)) + 1) * self.spacing
        phase = np.searchsorted(ends, t, side="right")
        depth, rate, rise = self._depth(p, t, phase, ends)
        qpos, force, weight, moved = (self._at(depth, a) for a in (self.qpos, self.force, self.weight, self.moved))
        share = np.interp(t, [0.0, ends[0], ends[1], ends[2], ends[3]], [0.0, p.shift, p.shift, p.land, 0.0])
        qpos = qpos + s.height * share[:, None] * moved
        low, high = (self._at(depth + e * s.height, self.qpos) for e in (-0.01, 0.01))
        qvel = rate[:, None] * difference(m, low, high) / (0.02 * s.height)
        push = np.where(phase == 2, 0.0, p.carry * np.clip(1.0 + rise / GRAVITY, 0.0, STRONGEST))
        ctrl, _ = controls_for(m, force - push[:, None] * weight, qpos, qvel, 0 * qvel, s.ctrl)
        firm = st.gait(FIRM._replace(stiff=p.stiff, damp=p.damp, level=p.level, upright=p.upright)).gains[0]
        rest, held, regulator = st.hold
        last = phase == 4
        qpos[last], qvel[last], ctrl[last] = rest, 0.0, held
        return Rows(qpos, qvel, ctrl, np.array([firm, regulator]), last.astype(int), self.spacing)

    def _depth(self, p, t, phase, ends):
        """(depth, its rate, the trunk's acceleration upwards) at times t, m and s."""
        h, T = self.stepper.stance.height, np.diff(ends, prepend=0.0)
        x = [np.clip((t - a) / d, 0.0, 1.0) for a, d in zip([0.0, *ends[:-1]], T, strict=True)]
        down, fly, up = (smooth_step(x[k]) for k in (0, 2, 3))
        way = (p.crouch + p.reach) * h
        depth = np.select([phase == 0, phase == 1, phase == 2], [
            p.crouch * h * down[0], p.crouch * h - way * x[1] ** 2, h * (-p.reach + (p.reach + p.tuck) * fly[0]),
        ], h * p.tuck * (1 - up[0]))  # fmt: skip
        rate = np.select([phase == 0, phase == 1, phase == 2], [
            p.crouch * h * down[1] / T[0], -2 * way * x[1] / T[1], h * (p.reach + p.tuck) * fly[1] / T[2],
        ], -h * p.tuck * up[1] / T[3])  # fmt: skip
        rise = np.where(phase == 1, 2 * way / T[1] ** 2, 0.0)
        return depth, rate, rise

    def _at(self, depth, table):
        """Rows of a table by depth, in between."""
        x = np.clip((depth - self.depth[0]) / (self.depth[1] - self.depth[0]), 0.0, PHASES - 1.0)
        k = np.minimum(x.astype(int), PHASES - 2)
        return table[k] + (x - k)[:, None] * (table[k + 1] - table[k])


def smooth_step(x):
    """(value, rate) of a step from 0 to 1 that begins and ends at rest."""
    return x * x * (3 - 2 * x), 6 * x * (1 - x)
