"""Bringing a body that no actuator drives to a place: the way of a tool behind it and along (its cost: bring.py).

The tool goes behind the body, seen from its target, and then straight on, so that the body moves ahead of it. No
friction is known beforehand: the tool slows down so gently that what slides stays with it (`BRAKING`), and aims beside
the target by what a trial has missed it (`aimed`). A body that is pushed at a point turns away from the line, a round
one without friction slides off: the tool goes further that way than the body does (`STEER`), which turns it back. What
the body does beside that is left to the plan, whose derivatives go through the contact.
"""

from typing import NamedTuple

import numpy as np

from controllers.linear_feedback import LinearFeedback
from controllers.tasks.forces import controls_for, forces_along, gains_along, servo_gains
from controllers.tasks.kinematics import Point, driven, reaching
from controllers.tasks.way import DEEP, POSES, SHARE, STARTS, Way, judged, poses_to, smooth, states_on
from engine.diff.tape import Tape
from engine.errors import ContactOverflowError, DivergenceError
from engine.model import ModelError
from engine.model.constants import FREE, SLIDE
from engine.model.coordinates import difference
from engine.simulator import Simulator

STEP = 0.01  # m: between the places at which it is asked whether the tool touches the body
FINER = 5  # places between two of these, where it does
ROOM = 0.02  # m: between the tool and the body before the push
GONE = 1e-3  # m: a line is reached where the tool is never farther from it
FARTHEST = 0.4  # m: beyond the body's own size, the tool's place before the push
HEIGHTS = (0.0, 0.3, 0.6)  # of the body's size, above its middle: where the tool pushes; higher where it meets a table
CLEAR = 0.06  # m: between the body and where the tool passes it
TURNS = np.arange(8) * np.pi / 4
AROUND = np.array([[np.cos(a), np.sin(a), up] for up in (0.0, 1.0) for a in TURNS] + [[0, 0, 1.0]])  # ways to pass it
TRIALS, ENOUGH = 8, 3e-3  # of the aim, until it ends so near, m
BRAKING = 1.0  # m/s^2, of what is pushed
SHORTEST = 0.6  # s, of a push
SLOWER = 1.3  # where the actuators cannot, tried again and again
GIVES, SLOW = 5e-3, 2.5  # m that a tool may sink into the body; how much slower it then pushes, where there is time
LOOKS = 24  # at a trial
STEER = 2.0  # of how far the body is beside the line: so far the tool goes that way
SOFT = 1e-3  # of the tool's Jacobian, squared: that of what it may leave undone to do so
SLANT = 0.2  # sine of an angle to the line: so much makes a pose worse
MIDDLE = 1e-3  # m: nearer to the line a contact is in the middle of the body


class Push(NamedTuple):
    """way: the Way of the joints. place (rows, 3): where the body is to be, not a number before it is touched. behind:
    (3,): the tool's place less the body's, while it pushes. poses: those that the tool goes through to where it begins
    to push, (nq,) each. up (3,): how much higher than the body's middle it pushes, and beside it, m. K (rows - 1, nu,
    nx): feedback about the way, u + K (x* - x). aslant: the sine of the angle between the way and what presses on the
    body, in `SLANT`, rounded. sinks: m that the tool came into the body in its trial."""

    way: Way
    place: np.ndarray
    behind: np.ndarray
    poses: list
    up: np.ndarray
    K: np.ndarray
    aslant: int
    sinks: float = 0.0

    def cut(self, steps):
        """The first so many control steps of it."""
        return self._replace(way=self.way.cut(steps), place=self.place[: steps + 1], K=self.K[:steps])


def loose_dofs(model, name):
    """The dofs of the tree of a body that nothing drives. Raises ModelError where it has none, or an actuator."""
    m, b = model, model.body(name)
    dofs = np.flatnonzero(m.body_rootid[m.dof_bodyid] == m.body_rootid[b])
    if not len(dofs) or set(dofs.tolist()) & set(driven(m)):
        why = "an actuator drives it" if len(dofs) else "it cannot move"
        raise ModelError(f"--object {name}: {why}, allowed: a body that moves and that no actuator drives")
    return dofs


def tool_of(model, name):
    """Name of the geom, else the body, that is to push the body `name`: of what can touch it the one that most driven
    joints move. Raises ModelError where there is none."""
    m, root, actuated = model, model.body_rootid[model.body(name)], driven(model)
    ours, best, most = m.body_rootid[m.geom_bodyid] == root, None, 0
    for a, b in zip(m.pair_geom1, m.pair_geom2, strict=True):
        for g, other in ((a, b), (b, a)):
            if ours[other] and not ours[g]:
                joints = len([i for i in Point.on(m, m.geom_bodyid[g], np.zeros(3)).dofs if i in actuated])
                if joints > most:
                    best, most = int(g), joints
    if best is None:
        raise ModelError(f"--object {name}: nothing that an actuator moves can touch it")
    tool = m.geom_names[best] or m.body_names[m.geom_bodyid[best]]
    if not tool:
        raise ModelError(f"--object {name}: what can touch it has no name, say --site")
    return tool


def aimed(model, tool, name, target, start, ctrl0, steps, dt, seed=0, rest=0.0):
    """(Push, physics steps of the trials), or None where `push_way` finds none: of the trials the one that ends
    nearest. Each aims beside the target by what those before have missed it and by how they differed (Broyden: A class
    of methods for solving nonlinear simultaneous equations, Mathematics of Computation 19, 1965): what is pushed at a
    point turns away, and misses by more than the aim was moved. The rollout follows the way with its feedback, until
    `rest` s after its end."""
    m, best, least, aim, found, work = model, None, np.inf, np.asarray(target, float), None, 0
    skip, slope, last, slow = round(dt / m.opt.timestep), np.eye(3), None, 1.0
    for _ in range(TRIALS):
        found = push_way(m, tool, name, target, start, ctrl0, steps, dt, seed, aim, found, slow)
        if found is None:
            return None
        n = min(steps, int(np.ceil((found.way.arrival + rest) / dt)))
        work += n * skip
        place, sinks = _played(m, name, found.cut(n), start, skip)
        missed, found = place - target, found._replace(sinks=sinks)
        off = float(np.linalg.norm(missed))
        if off < least:
            best, least = found, off
        if off < ENOUGH or not np.isfinite(off) or found.way.away > STEP:
            break
        if sinks > GIVES and found.way.arrival < 0.9 * steps * dt:
            slow, last = SLOW * slow, None
            continue
        if last is not None:
            moved = aim - last[0]
            slope += np.outer(missed - last[1] - slope @ moved, moved) / (moved @ moved)
        last = aim, missed
        move = -np.linalg.lstsq(slope, missed, rcond=0.1)[0]
        aim = aim + move * min(1.0, 2 * off / max(np.linalg.norm(move), 1e-12))
    return best or found, work


def _played(m, name, push, start, skip):
    """((3,): where the body is after the way was followed, m: how deep the tool was in it); not a number where that
    diverges."""
    way, n, sim, body = push.way, len(push.way.ctrl), Simulator(m), Point(m, name)
    sim.reset(start)
    feedback = LinearFeedback(m, push.K, way.qpos[:-1], way.qvel[:-1], np.zeros((n, m.na)), way.ctrl)
    try:
        qpos = Tape(sim, n, skip).rollout(feedback).qpos[:, 0]
    except (DivergenceError, ContactOverflowError):
        return np.full(3, np.nan), 0.0
    sim, ours = Simulator(m, LOOKS), m.body_rootid[m.geom_bodyid] == m.body_rootid[body.body]
    sim.reset(qpos[np.linspace(0, n, LOOKS).round().astype(int)])
    sim.forward()
    contacts = [sim.data.contacts(w) for w in range(LOOKS)]
    deep = max((-float(c["dist"][crossing].min()) for c in contacts
                if (crossing := _crossing(m, ours, c)).any()), default=0.0)  # fmt: skip
    return body.place(sim.data)[-1], max(deep, 0.0)


def _crossing(m, ours, c):
    """Booleans (n,): which contacts (views.contacts) are between geoms that are `ours` and others that move."""
    a, b = c["geom1"], c["geom2"]
    fixed = (m.body_weldid[m.geom_bodyid[a]] == 0) | (m.body_weldid[m.geom_bodyid[b]] == 0)
    return (ours[a] != ours[b]) & ~fixed


def push_way(model, tool, name, target, start, ctrl0, steps, dt, seed=0, aim=None, like=None,
             slow=1.0):  # fmt: skip
    """The Push of a body `name` by a site, body or geom `tool` from `start` (nq,) to `target` (3,), in `steps` control
    steps of `dt` s. aim (3,): where the tool is to push it instead. like: a Push whose poses it goes through. slow: how
    many times as long it takes, in the steps that there are. None where no joint with an actuator of its own moves the
    tool, or where its base is free."""
    m, point, body = model, Point(model, tool), Point(model, name)
    dofs = [i for i in point.dofs if i in driven(m)]
    if not dofs or FREE in m.jnt_type[m.dof_jntid[point.dofs]]:
        return None
    sim, aim = Simulator(m), np.asarray(target if aim is None else aim, float)
    sim.reset(start)
    sim.forward()
    there = body.place(sim.data)[0]
    length = float(np.linalg.norm(aim - there))
    along = (aim - there) / max(length, 1e-9)
    line = _Line(m, point, body, along, there, start, dofs, seed).found(aim, like)
    if like is None:
        legs = _approach(m, point, body, there, start, line.poses[0], dofs, ctrl0, 0.5 * steps * dt)
    else:
        through = [start, *like.poses[:-1], line.poses[0]]
        legs = [judged(m, a, b, ctrl0, 0.5 * steps * dt) for a, b in zip(through[:-1], through[1:], strict=True)]
    begins = sum(leg.arrival for leg in legs)
    shortest = max(SHORTEST, float(np.sqrt(5.7735 * (length + ROOM) / BRAKING)))
    seconds = max(shortest, min(slow * shortest, steps * dt - begins))
    for _ in range(6):
        way = _whole(m, point, line, legs, start, dofs, seconds, ctrl0, steps, dt)
        if way.share < SHARE or begins + SLOWER * seconds > steps * dt:
            break
        seconds *= SLOWER
    times = np.arange(steps + 1) * dt
    gone = np.maximum(line.length * smooth((times - begins) / seconds)[0] - line.gap, 0.0)
    place = there + np.minimum(gone / max(length, 1e-9), 1.0)[:, None] * (target - there)
    place[gone <= 0] = np.nan
    K = gains_along(m, way.qpos[:-1], way.qvel[:-1], dt)
    _steer(m, point, body, along, way, dofs, np.isfinite(place[:-1, 0]), K)
    place[-1] = target
    return Push(way, place, line.up - line.behind * along, [leg.goal for leg in legs], line.up, K, line.worse[2])


def _steer(m, point, body, along, way, dofs, pushes, K):
    """Adds to K (rows, nu, nx) in rows that push (rows,): the tool goes `STEER` times as far beside the line as the
    body is. A body is turned back by that, whether it is round or the tool turns it by friction."""
    side = np.array([-along[1], along[0], 0.0])
    far, rows = np.linalg.norm(side), np.flatnonzero(pushes)
    if far < 0.1 or not len(rows):
        return  # up or down
    side /= far
    sim, at = Simulator(m), m.dof_jntid[body.dofs]
    loose = [i for k, i in enumerate(body.dofs) if i not in driven(m) and (m.jnt_type[at[k]] == SLIDE or
             m.jnt_type[at[k]] == FREE and i - int(m.jnt_dofadr[at[k]]) < 3)]  # fmt: skip
    sim.reset(way.qpos[0])
    sim.forward()
    moved = side @ body.jacobian(sim.data)[0][:, loose]
    own, last, turn = servo_gains(m), -np.inf, None
    for k in rows:
        if k - last >= FINER:
            sim.reset(way.qpos[k])
            sim.forward()
            J, last = point.jacobian(sim.data)[0][:, dofs], k
            turn = np.zeros(m.nv)
            turn[dofs] = J.T @ np.linalg.solve(J @ J.T + SOFT * np.sum(J * J) * np.eye(3), STEER * side)
        K[k][:, loose] -= np.outer((K[k][:, : m.nv] + own) @ turn, moved)


class _Line:
    """Poses on the tool's straight way, from behind a body at `there` on, for one beginning of the inverse kinematics.

    poses (n, nq); places (n, 3); gap: m until the tool touches the body; length: m from the first pose to the last;
    behind: m from the body to the tool then, up (3,): and how much higher or beside. worse: (away, touches something
    else, presses aslant, turned), to be least."""

    def __init__(self, m, point, body, along, there, start, dofs, seed):
        self.m, self.point, self.along, self.there, self.dofs = m, point, along, there, dofs
        self.ours = m.body_rootid[m.geom_bodyid] == m.body_rootid[body.body]
        self.start, self.seed = start, seed

    def found(self, target, like=None):
        """Of the poses behind the body, or of that of the Push `like`, the one from which the line goes best, in the
        middle of the body where it can, else above that; self."""
        best, size = None, _size(self.m, self.ours)
        for up in [[0.0, 0.0, x * size] for x in HEIGHTS] if like is None else [like.up]:
            tried = self._at_height(target, size, np.array(up), like and like.poses[-1])
            if tried is not None and (best is None or tried[0] < best[0]):
                best = tried
            if best is not None and best[0][0] < GONE and not any(best[0][1:3]):
                break
        if best is None:
            raise ModelError("--task push: the tool can be nowhere behind the body without touching it")
        if like is None and best[-1] is not None:
            # a tool that meets the body beside its middle is moved by so much
            tried = self._at_height(target, size, best[1] - best[-1], best[2][0])
            if tried is not None and tried[0][:3] <= best[0][:3]:
                best = tried
        self.worse, self.up, self.poses, self.places, self.gap, self.behind, self.length, self.away, _ = best
        return self

    def _at_height(self, target, size, up, like):
        """(worse, ...) of the best line higher than the body's middle by `up` (3,), from the pose `like` or any;
        None where there is none."""
        s, rng, best = np.arange(0.0, size + FARTHEST, STEP)[::-1], np.random.default_rng(self.seed), None
        for far in (size + ROOM, size + 0.1, size + 0.2):
            goals = [like]
            if like is None:
                place = self.there + up - far * self.along
                goals, _ = poses_to(self.m, self.point, place, self.start, self.dofs, rng, most=STARTS)
                near, other = self._touching(np.array(goals))
                goals = [g for _, g in sorted(enumerate(goals), key=lambda p: (near[p[0]] | other[p[0]], p[0]))][:POSES]
            for goal in goals:
                tried = self._from(goal, s[s <= far + 1e-9], target, up)
                if tried is not None and (best is None or tried[0] < best[0]):
                    best = tried
            if best is not None and best[0][0] < GONE and not any(best[0][1:3]):
                break
        return best

    def _from(self, goal, s, target, up):
        """(worse, ...) of the line that begins in the pose `goal`; None where that touches the body."""
        m, there = self.m, self.there + up
        places = there - s[:, None] * self.along
        poses, _ = self._along(goal, places)
        near, _ = self._touching(poses)
        if near[0] or not near.any():
            return None
        first = int(np.argmax(near))
        finer = np.linspace(s[first - 1], s[first], FINER + 1)[1:]
        closer, _ = self._along(poses[first - 1], there - finer[:, None] * self.along)
        touch = int(np.argmax(self._touching(closer)[0]))
        behind, (aslant, beside) = float(finer[touch]), self._meets(closer[touch])
        begin = max(0, first - 1 - round(ROOM / STEP))
        # from there to where the body is at its target
        length = float((target - self.there) @ self.along) + float(s[begin] - behind)
        places = places[begin] + np.linspace(0.0, length, max(2, int(length / STEP)))[:, None] * self.along
        poses, away = self._along(poses[begin], places)
        other = self._touching(poses)[1]
        turned = float(np.abs(difference(m, self.start, poses[0])[self.dofs]).max())
        worse = (round(float(away.max()), 4), bool(other[1:].any()), round(aslant / SLANT), turned)
        return worse, up, poses, places, float(s[begin] - behind), behind, length, float(away.max()), beside

    def _meets(self, pose):
        """(aslant, beside) of where the robot touches the body in a pose: the sine of the angle between the line and
        what presses on the body, and (3,), m, how far that is beside the body's middle, None where it is there."""
        m, sim, side = self.m, Simulator(self.m), np.array([-self.along[1], self.along[0], 0.0])
        sim.reset(pose)
        sim.forward()
        c = sim.data.contacts(0)
        met = _crossing(m, self.ours, c) & (c["dist"] < 0)
        if not met.any():
            return 0.0, None
        normal = (np.where(self.ours[c["geom2"]], 1.0, -1.0)[:, None] * c["frame"][:, 0])[met].sum(axis=0)
        aslant = float(np.linalg.norm(np.cross(normal, self.along)) / max(np.linalg.norm(normal), 1e-9))
        far = np.linalg.norm(side)
        off = float((c["pos"][met].mean(axis=0) - self.there) @ side) / max(far, 1e-9)
        return aslant, off / far * side if far > 0.1 and abs(off) > MIDDLE else None

    def _along(self, q, places):
        """(poses, away) one after the other through these places."""
        one, poses, away = Simulator(self.m), [], []
        for place in places:
            q, far = (a[0] for a in reaching(one, self.point, place, q[None], self.dofs))
            poses.append(q)
            away.append(far)
        return np.array(poses), np.array(away)

    def _touching(self, poses):
        """Booleans (n,): whether the robot touches the body, and whether it touches something else that it does not
        at the start."""
        m, sim = self.m, Simulator(self.m, len(poses) + 1)
        sim.reset(np.concatenate([self.start[None], poses]))
        sim.forward()
        near, others = [], []
        for w in range(sim.worlds):
            c = sim.data.contacts(w)
            a, b, deep = c["geom1"], c["geom2"], c["dist"] < -DEEP
            near.append(bool((_crossing(m, self.ours, c) & (c["dist"] < 0)).any()))
            deep &= ~self.ours[a] & ~self.ours[b]
            others.append(set(zip(a[deep].tolist(), b[deep].tolist(), strict=True)))
        return np.array(near[1:]), np.array([bool(o - others[0]) for o in others[1:]])


def _size(m, ours):
    """m: the radius of the ball about a body's origin that holds its geoms."""
    return float((np.linalg.norm(m.geom_pos, axis=1) + m.geom_rbound)[ours].max(initial=0.0))


def _approach(m, point, body, there, start, goal, dofs, ctrl0, seconds):
    """[Judged, ...]: straight legs in joint space from the start to the pose `goal`, past the body: over one place or
    two around it, where the straight leg touches something. Where every way does, the straight leg."""
    straight = judged(m, start, goal, ctrl0, seconds)
    if not straight.touches:
        return [straight]
    away, sim = _size(m, m.body_rootid[m.geom_bodyid] == m.body_rootid[body.body]) + CLEAR, Simulator(m, len(AROUND))
    places = there + away * AROUND / np.linalg.norm(AROUND, axis=1, keepdims=True)
    poses, found = [], []
    for q in (start, goal):
        qpos, off = reaching(sim, point, places, np.tile(q, (len(AROUND), 1)), dofs)
        poses += [p for p, far in zip(qpos, off, strict=True) if far < STEP]
    first = [judged(m, start, p, ctrl0, seconds) for p in poses]
    last = [judged(m, p, goal, ctrl0, seconds) for p in poses]
    for a, b in zip(first, last, strict=True):
        if not (a.touches or b.touches):
            found.append([a, b])
    if not found:
        for p, a in zip(poses, first, strict=True):
            for q, b in zip(poses, last, strict=True):
                if p is not q and not (a.touches or b.touches):
                    amid = judged(m, p, q, ctrl0, seconds)
                    if not amid.touches:
                        found.append([a, amid, b])
    return min(found, key=lambda legs: sum(leg.arrival for leg in legs), default=[straight])


def _whole(m, point, line, legs, start, dofs, seconds, ctrl0, steps, dt):
    """The Way: over the legs to the line's beginning, along it in so many seconds, and at rest there."""
    times, begins, begin = np.arange(steps + 1) * dt, 0.0, start
    qpos = np.tile(np.asarray(start, float), (steps + 1, 1))
    for leg in legs:
        now = times >= begins
        x = (times[now] - begins) / leg.arrival
        qpos[now] = states_on(begin, leg.goal, difference(m, begin, leg.goal), x, leg.arrival)[0]
        begins, begin = begins + leg.arrival, leg.goal
    share = smooth((times - begins) / seconds)[0]
    at = share * (len(line.poses) - 1)
    k = np.minimum(at.astype(int), len(line.poses) - 2)
    near = line.poses[k] + (at - k)[:, None] * (line.poses[k + 1] - line.poses[k])
    places = line.places[0] + (share * line.length)[:, None] * line.along
    pushed, _ = reaching(Simulator(m, steps + 1), point, places, near, dofs)
    joints = m.jnt_qposadr[m.dof_jntid[dofs]]
    qpos[:, joints] = np.where((times >= begins)[:, None], pushed[:, joints], qpos[:, joints])
    qvel = np.zeros((steps + 1, m.nv))
    qvel[:, dofs] = np.gradient(qpos[:, joints], dt, axis=0)
    half = [0.5 * (a[1:] + a[:-1]) for a in (qpos, qvel)]  # amid the controls
    states = *half, np.diff(qvel, axis=0) / dt
    ctrl, load = controls_for(m, forces_along(m, *states), *states, ctrl0)
    touches = bool(line.worse[1]) or any(leg.touches for leg in legs)
    return Way(qpos, qvel, ctrl, np.array(dofs), qpos[-1], line.away, begins + seconds, float(load.max(initial=0.0)),
               touches)  # fmt: skip
