"""Carrying a body to a pose: the way of a hand that grasps it, lifts it, brings it there and holds it.

The hand comes from above where it can, along a line; it closes, lifts, goes to a place above the target and comes
down. Arms follow that by inverse kinematics and inverse dynamics, with the body's weight from when it is held on, and
by feedback. The body gives way to the fingers a little, and soft arms sag: later trials aim beside the target by what
those before have missed it.
"""

from typing import NamedTuple

import numpy as np

from controllers.linear_feedback import LinearFeedback
from controllers.tasks.forces import PIECE, controls_for, forces_along, gains_along
from controllers.tasks.gripper import Grasp, Grip, grasps, grip_of, gripper_of
from controllers.tasks.kinematics import Point, driven, ranges, reaching, times
from controllers.tasks.way import DEEP, STARTS, Way, judged, smooth, states_on
from engine.diff.tape import Tape
from engine.errors import ContactOverflowError, DivergenceError
from engine.model import ModelError
from engine.model.constants import FREE
from engine.model.coordinates import difference
from engine.model.rotation import quat_to_mat
from engine.simulator import Simulator

ABOVE = 0.1  # m: the hand comes from so far, and lifts so far
STEP = 0.01  # m: between the places of a line
DOWN = 1 + round(ABOVE / STEP)
NEAR = 1e-3  # m: a pose is reached; a turn of 0.3 degrees counts as much
LOOKED_AT = 24  # grasps, at most
SPEED, GENTLE = 0.2, 1.0  # m/s of lines, m/s^2 of what is held
SHORTEST = 0.4  # s, of a line
GRASPING, RESTING = 0.4, 0.3  # s: of the hand's closing, and of rest at the end
TRIALS, ENOUGH = 4, 2e-3  # of the aim, until it ends so near, m


class Carry(NamedTuple):
    """way: the Way of the arm's joints. K (steps, nu, nx): feedback about it, u + K (x* - x). place (rows, 3): where
    the body is to be, not a number before the end. grip: how hard it is held."""

    way: Way
    K: np.ndarray
    place: np.ndarray
    grip: Grip


def carried(model, name, target, quat, start, ctrl0, steps, dt, site=None, seed=0):
    """(Carry, physics steps of its trials): of the trials the one that ends nearest to the target.

    name: of the body; target (3,); quat (4,), or None: as it is turned. start (nq,), ctrl0 (nu,): what holds it. steps:
    control steps of dt s at most. site: as of `gripper_of`. Raises ModelError where no hand can take the body, or the
    arm cannot bring it there."""
    m, target, skip, work = model, np.asarray(target, float), round(dt / model.opt.timestep), 0
    carrying = _Carrying(m, name, quat, start, ctrl0, steps, dt, site, seed)
    best, least, aim = None, np.inf, target.copy()
    for _ in range(TRIALS):
        found = carrying.to(aim, target)
        work += len(found.way.ctrl) * skip
        missed = _played(m, name, found, start, skip) - target
        off = float(np.linalg.norm(missed))
        if best is None or off < least:
            best, least = found, off
        if off < ENOUGH or not off < ABOVE:
            break
        aim = aim - missed
    return best, work


def _played(m, name, carry, start, skip):
    """(3,): where the body is in the end; not a number where that diverges."""
    way, n, sim = carry.way, len(carry.way.ctrl), Simulator(m)
    sim.reset(start)
    feedback = LinearFeedback(m, carry.K, way.qpos[:-1], way.qvel[:-1], np.zeros((n, m.na)), way.ctrl)
    try:
        last = Tape(sim, n, skip).rollout(feedback).qpos[-1]
    except (DivergenceError, ContactOverflowError):
        return np.full(3, np.nan)
    sim.reset(last)
    sim.forward()
    return Point(m, name).place(sim.data)[0]


class _Carrying:
    """How one robot takes one body from where it is; `to` makes a Carry of it."""

    def __init__(self, m, name, quat, start, ctrl0, steps, dt, site, seed):
        self.m, self.steps, self.dt, self.seed = m, steps, dt, seed
        self.body, self.ctrl0, self.start = m.body(name), np.asarray(ctrl0, float), np.asarray(start, float)
        self.gripper = gripper_of(m, self.body, start, ctrl0, site)
        self.point, self.hand = self.gripper.point, self.gripper.hand
        self.arm = [u for u in range(m.nu) if u not in self.hand]
        self.dofs = [i for i in self.point.dofs if i in driven(m)]
        if not self.dofs or FREE in m.jnt_type[m.dof_jntid[self.point.dofs]]:
            raise ModelError("--task carry: allowed: a palm that joints with an actuator of their own move from a "
                             f"fixed base ({m.name})")  # fmt: skip
        sim = Simulator(m)
        sim.reset(start)
        sim.forward()
        at = sim.data.xquat[0, self.body]
        self.there = Point(m, name).place(sim.data)[0]
        self.turn = np.array([1.0, 0, 0, 0]) if quat is None else times(np.asarray(quat, float), at * [1, -1, -1, -1])
        self.ours = m.body_rootid[m.geom_bodyid] == m.body_rootid[self.body]
        self.weight = np.asarray(m.body_mass)[m.body_rootid == m.body_rootid[self.body]].sum() * m.opt.gravity
        self.chosen = None

    def to(self, aim, target):
        """The Carry to `aim` (3,), in the first call of the grasp that goes best."""
        if self.chosen is None:
            self.chosen = self._choose(aim)
            self.grip = grip_of(self.m, self.gripper, self.body, self.chosen[0].width)
        grasp, hold = self.chosen
        return self._carry(self._poses(grasp, hold, aim), aim, target, self.grip)

    def _choose(self, aim):
        """(Grasp, the pose (nq,) that takes the body): the first from which it can be brought without touching anything
        else, else the best of those looked at."""
        best, least = None, (2, np.inf)
        for grasp in grasps(self.m, self.gripper, self.body, self.start)[:LOOKED_AT]:
            hold, worse = self._holding(grasp)
            if worse == (0, 0.0):
                worse = self._poses(grasp, hold, aim).worse
            if worse < least:
                best, least = (grasp, hold), worse
            if worse == (0, 0.0):
                break
        if least[1]:
            raise ModelError(f"--task carry: {self.gripper.name} cannot take {self.m.body_names[self.body]} and bring "
                             f"it to {np.round(aim, 3).tolist()}: in the best pose found it is {1e3 * least[1]:.0f} mm "
                             "from where it should be")  # fmt: skip
        return best

    def _holding(self, grasp):
        """(pose (nq,), worse) that takes the body: of those that reach it the one nearest to the start."""
        m, (at, low, high) = self.m, ranges(self.m, self.dofs)
        rng = np.random.default_rng(self.seed)
        first = np.tile(self.gripper.qpos, (STARTS, 1))
        bounded = np.isfinite(low) & np.isfinite(high)
        low, high = np.where(bounded, low, self.start[at] - np.pi), np.where(bounded, high, self.start[at] + np.pi)
        first[1:, at] = rng.uniform(low, high, (STARTS, len(at)))[1:]
        goals, away = reaching(Simulator(m, STARTS), self.point, grasp.place, first, self.dofs, grasp.quat)
        k = int(np.argmin(np.abs(goals[:, at] - self.start[at]).max(axis=1) + 100.0 * (away > max(NEAR, away.min()))))
        return goals[k], self._worse(goals[k][None], float(away[k]))

    def _worse(self, poses, far):
        """(touches something?, the farthest off, m), to be least; what is near is there."""
        return int(self._touches(poses)), round(far, 4) if far > NEAR else 0.0

    def _poses(self, grasp, hold, aim):
        """The _Poses of a grasp whose body is taken in the pose `hold`."""
        g, turn, share = grasp, quat_to_mat(self.turn), np.linspace(0, 1, DOWN)[:, None]
        placed = Grasp(aim + turn @ (g.place - self.there), times(self.turn, g.quat), turn @ g.down)
        up = np.array([0.0, 0.0, ABOVE])
        down, a = self._line(hold, g.place - ABOVE * share * g.down, g.quat)
        lift, b = self._line(hold, g.place + share * up, g.quat)
        over, c = self._line(lift[-1], (placed.place + up)[None], placed.quat)
        lower, d = self._line(over[0], placed.place + up - share * up, placed.quat)
        return _Poses(down[::-1], lift, lower, self._worse(np.concatenate([down, lift, lower]), max(a, b, c, d)))

    def _line(self, q, places, quat):
        """(poses, the farthest off) through these places, one after the other."""
        one, poses, far = Simulator(self.m), [], 0.0
        for place in places:
            q, away = (a[0] for a in reaching(one, self.point, place, q[None], self.dofs, quat))
            poses.append(q)
            far = max(far, float(away))
        return np.array(poses), far

    def _touches(self, poses):
        """Whether the robot touches something that it does not at the start. The body, which lies where it was, counts
        in the first `DOWN` of these poses alone; then it is held."""
        m, found = self.m, []
        for sim, rows in self._at(np.concatenate([self.start[None], poses])):
            for w, row in enumerate(rows):
                c = sim.data.contacts(w)
                a, b, deep = c["geom1"], c["geom2"], c["dist"] < -DEEP
                deep &= ~(self.ours[a] | self.ours[b]) if row > DOWN else ~(self.ours[a] & self.ours[b])
                found.append(set(map(tuple, m.geom_bodyid[np.stack([a[deep], b[deep]], axis=1)].tolist())))
        return any(f - found[0] for f in found)

    def _carry(self, poses, aim, target, grip):
        """The Carry through these poses."""
        m, dt = self.m, self.dt
        half = 0.4 * self.steps * dt
        come, bring = (judged(m, a, b, self.ctrl0, half, self.arm) for a, b in
                       ((self.start, poses.down[0]), (poses.lift[-1], poses.lower[0])))  # fmt: skip
        way, touches = float(np.linalg.norm(aim - self.there)), bool(poses.worse[0]) or come.touches
        come, bring = come.arrival, max(bring.arrival, float(np.sqrt(5.7735 * way / GENTLE)), SHORTEST)
        line = max(SHORTEST, 1.875 * ABOVE / SPEED)
        rows = [self._leg(self.start, poses.down[0], come), self._through(poses.down, line),
                self._rest(poses.down[-1], GRASPING), self._through(poses.lift, line),
                self._leg(poses.lift[-1], poses.lower[0], bring), self._through(poses.lower, line),
                self._rest(poses.lower[-1], RESTING)]  # fmt: skip
        qpos = np.concatenate([self.start[None], *rows])
        closes = len(rows[0]) + len(rows[1])
        held = closes + len(rows[2])
        if len(qpos) > self.steps + 1:
            raise ModelError(f"--task carry takes {dt * (len(qpos) - 1):.1f} s; more --seconds")
        joints = m.jnt_qposadr[m.dof_jntid[self.dofs]]
        full = np.tile(self.start, (len(qpos), 1))
        full[:, joints] = qpos[:, joints]
        qvel = np.zeros((len(qpos), m.nv))
        qvel[:, self.dofs] = np.gradient(full[:, joints], dt, axis=0)
        mid = [0.5 * (a[1:] + a[:-1]) for a in (full, qvel)]  # amid the controls
        states = *mid, np.diff(qvel, axis=0) / dt
        force = forces_along(m, *states)
        force[held:] -= self._load(states[0][held:])
        ctrl, share = controls_for(m, force, *states, self.ctrl0)
        ctrl[:, self.hand] = self._closing(len(ctrl), closes)
        K = gains_along(m, full[:-1], qvel[:-1], dt)
        K[:, self.hand] = 0.0
        fingers = self.gripper.fingers
        K[:, :, fingers], K[:, :, m.nv + fingers] = 0.0, 0.0
        arrival = (len(qpos) - 1) * dt - RESTING
        way = Way(full, qvel, ctrl, np.array(self.dofs), full[-1], poses.worse[1], arrival,
                  float(share[:, self.arm].max(initial=0.0)), touches)  # fmt: skip
        place = np.full((len(qpos), 3), np.nan)
        place[round(arrival / dt) :] = target
        return Carry(way, K, place, grip)

    def _leg(self, a, b, seconds):
        x = np.arange(1, max(2, int(np.ceil(seconds / self.dt))) + 1) * self.dt / seconds
        return states_on(a, b, difference(self.m, a, b), x, seconds)[0]

    def _through(self, poses, seconds):
        """Rows along poses that lie on a line, from rest to rest."""
        n = max(2, int(np.ceil(seconds / self.dt)))
        at = smooth(np.arange(1, n + 1) / n)[0] * (len(poses) - 1)
        k = np.minimum(at.astype(int), len(poses) - 2)
        return poses[k] + (at - k)[:, None] * (poses[k + 1] - poses[k])

    def _rest(self, pose, seconds):
        return np.tile(pose, (max(1, int(np.ceil(seconds / self.dt))), 1))

    def _load(self, qpos):
        """(rows, nv): what the weight of the body does in the joints."""
        found = [np.einsum("wiv,i->wv", self.point.jacobian(sim.data)[: len(rows)], self.weight)
                 for sim, rows in self._at(qpos)]  # fmt: skip
        return np.concatenate(found)

    def _at(self, qpos):
        """Yields (Simulator, rows): after `forward` in rows of qpos (rows, nq), `PIECE` at a time."""
        sim = Simulator(self.m, PIECE)
        for first in range(0, len(qpos), PIECE):
            rows = np.arange(first, min(first + PIECE, len(qpos)))
            sim.reset(qpos[np.minimum(first + np.arange(PIECE), len(qpos) - 1)])
            sim.forward()
            yield sim, rows

    def _closing(self, n, closes):
        """(n, hand): controls of the hand, opened until row `closes`, then closing within half of `GRASPING`."""
        share = np.clip((np.arange(n) - closes) * self.dt / (0.5 * GRASPING), 0.0, 1.0)[:, None]
        a, b = self.gripper.opened[self.hand], self.gripper.closed[self.hand]
        return a + share * (b - a)


class _Poses(NamedTuple):
    """(n, nq) each: down to the body, up with it, and down to its target. worse: (touches something?, the farthest off,
    m), to be least."""

    down: np.ndarray
    lift: np.ndarray
    lower: np.ndarray
    worse: tuple
