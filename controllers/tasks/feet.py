"""What a robot stands on: the lowest point of each limb, and joint positions that put it somewhere else."""

from typing import NamedTuple

import numpy as np

from controllers.stance import _reach_down
from controllers.tasks.kinematics import Point, driven, ranges, times, turn_to
from engine.model.constants import FREE, PLANE
from engine.simulator import Simulator

LOW = 0.2  # of the robot's height: a limb that ends higher than this above the lowest one is no leg
SOLE = 0.02  # of its height: a foot is the middle of all that is as low
ROUNDS = 8  # of inverse kinematics
DAMPING = 1e-3  # of it, in leg lengths
STRIDE = 0.3  # rad or m, of a round at most
FLAT, IN_PLANE = 5, 3  # joints that a leg needs to keep its foot turned as it is, and those of a robot in a plane
TURN = 0.2  # share of a robot's height for which a radian of a foot counts
SAMPLES = 512  # random poses in which a limb's reach is looked for
BENT = 0.8  # of its reach that a leg without a pose of its own stands on
KNEES, GUESS = 0.05, 0.25  # of its height that flat feet are raised by; of the way to the middle of joints' ranges
OVER = 0.05  # rad or m beyond its range: a joint that rests at its limit gives a little
SINGULAR = 0.08  # least ratio of what a leg can do across to along: less is a straight leg


class Foot(NamedTuple):
    """point: a Point on a limb. dofs: the driven hinges and slides between trunk and foot. place (3,), quat (4,): where
    it is in the pose that it was found in, m, and how its body is turned. planar: of a robot that moves in a plane."""

    point: Point
    dofs: np.ndarray
    place: np.ndarray
    quat: np.ndarray
    planar: bool = False

    @property
    def flat(self):
        """Whether it is kept turned as it is: with five joints a leg can, in a plane with three."""
        return len(self.dofs) >= (IN_PLANE if self.planar else FLAT)


def feet_of(model, root, qpos):
    """[Foot, ...] of the limbs that begin at the body of `root` (engine.objectives.find_root), in the order in which
    their feet lie about their middle. A foot is the lowest point of what can touch a plane, in a pose (nq,)."""
    m, sim = model, Simulator(model)
    sim.reset(qpos)
    sim.forward()
    trunk, act, planar = int(m.dof_bodyid[root.vx]), driven(m), m.jnt_type[m.dof_jntid[root.vx]] != FREE
    touching = {int(g) for a, b in zip(m.pair_geom1, m.pair_geom2, strict=True) for g, other in ((a, b), (b, a))
                if m.geom_type[other] == PLANE and m.geom_type[g] != PLANE}  # fmt: skip
    limbs = {}
    for g in touching:
        limb = _limb(m, trunk, int(m.geom_bodyid[g]))
        if limb is not None:
            place = sim.data.geom_xpos[0, g] - [0, 0, _reach_down(m, g, sim.data.geom_xquat[0, g])]
            limbs.setdefault(limb, []).append((place[2], int(m.geom_bodyid[g]), place))
    if not limbs:
        return []
    ground = min(end[0] for ends in limbs.values() for end in ends)
    height, feet = max(float(sim.data.xpos[0, trunk, 2]) - ground, 1e-6), []
    for ends in limbs.values():
        z = min(end[0] for end in ends)
        # of bodies that are as low the last one, which most joints move
        body = max((b for h, b, _ in ends if h < z + SOLE * height), key=lambda b: len(Point.on(m, b, 3 * [0.0]).dofs))
        place = np.mean([p for h, b, p in ends if b == body and h < z + SOLE * height], axis=0)
        place[2] = z
        point = Point.on(m, body, _in_frame(sim.data.xpos[0, body], sim.data.xquat[0, body], place))
        dofs = np.array([i for i in point.dofs if i in act], int)
        if z - ground < LOW * height and len(dofs):
            feet.append(Foot(point, dofs, place, sim.data.xquat[0, body].copy(), planar))
    middle = np.mean([f.place for f in feet], axis=0) if feet else 0.0
    return sorted(feet, key=lambda f: float(np.arctan2(*(f.place - middle)[1::-1])))


def _limb(m, trunk, body):
    """The first body that moves on the way from the trunk to `body`; None for what is no limb of it."""
    while body > 0 and m.body_weldid[m.body_parentid[body]] != m.body_weldid[trunk]:
        body = int(m.body_parentid[body])
    return body if body > 0 and m.body_dofnum[body] else None


def _in_frame(pos, quat, place):
    w, u = quat[0], -quat[1:]
    x = place - pos
    return x + 2 * np.cross(u, np.cross(u, x) + w * x)


def placed_at(sim, feet, targets, start, turns=None, rounds=ROUNDS):
    """qpos (worlds, nq): from `start` with each of `feet` at its `targets` (worlds, feet, 3), as near as its joints let
    it. turns (worlds, feet, 3): how flat ones are turned from where they are, rotation vectors in the world's axes,
    rad; default not at all. sim: a Simulator with as many worlds, which is left in these poses."""
    m, q = sim.model, np.array(np.broadcast_to(start, (sim.worlds, sim.model.nq)), float)
    for k in range(rounds + 1):
        sim.reset(q)
        sim.forward()
        if k == rounds:
            return q
        for i, (f, target) in enumerate(zip(feet, np.moveaxis(targets, 1, 0), strict=True)):
            at, low, high = ranges(m, f.dofs)
            way = target - f.point.place(sim.data)
            if f.flat:
                goal = f.quat if turns is None else times(_turned(turns[:, i]), f.quat)
                way = np.concatenate([way, turn_to(sim.data.xquat[:, f.point.body], goal)], axis=1)
            step = across(f, sim.data, way[..., None])[..., 0]
            q[:, at] = np.clip(q[:, at] + np.clip(step, -STRIDE, STRIDE), low, high)
    return q


def _turned(turn):
    """Unit quaternions (n, 4) of rotation vectors (n, 3)."""
    angle = np.linalg.norm(turn, axis=1, keepdims=True)
    return np.concatenate([np.cos(angle / 2), 0.5 * np.sinc(angle / (2 * np.pi)) * turn], axis=1)


def across(foot, data, way):
    """(worlds, dofs, n): how much the joints of a foot move where it moves by `way` (worlds, 3 or 6, n), m and rad; a
    flat one that moves by three does not turn."""
    J = foot.point.jacobian(data)[:, :, foot.dofs]
    size = np.einsum("wia,wia->w", J, J)[:, None, None]
    if foot.flat:
        length = np.sqrt(size) * TURN
        J = np.concatenate([J, length * foot.point.turning(data)[:, :, foot.dofs]], axis=1)
        turn = length * way[:, 3:] if way.shape[1] == 6 else np.zeros_like(way)
        way = np.concatenate([way[:, :3], turn], axis=1)
    H = J @ np.swapaxes(J, 1, 2) + DAMPING * size * np.eye(J.shape[1])
    return np.swapaxes(J, 1, 2) @ np.linalg.solve(H, way)


def stands_straight(model, feet, qpos):
    """Whether this pose is none to walk in: a leg is straight, or a joint beyond its range."""
    sim = Simulator(model)
    sim.reset(qpos)
    sim.forward()
    for f in feet:
        at, low, high = ranges(model, f.dofs)
        if (qpos[at] < low - OVER).any() or (qpos[at] > high + OVER).any():
            return True
        values = np.linalg.svd(f.point.jacobian(sim.data)[0][:, f.dofs], compute_uv=False)
        if values[min(len(f.dofs), 2 if f.planar else 3) - 1] < SINGULAR * values[0]:
            return True
    return False


def bent_pose(model, feet, qpos):
    """qpos (nq,) to stand in: each foot straight below where its limb begins, at `BENT` of how far it reaches down
    there; flat feet where they are, the knees bent, the centre of mass over their middle."""
    qpos = np.asarray(qpos, float)
    return _on_knees(model, feet, qpos) if all(f.flat for f in feet) else _below_hips(model, feet, qpos)


def _on_knees(m, feet, qpos):
    one, q = Simulator(m), qpos.copy()
    one.reset(q)
    one.forward()
    targets = np.array([[f.place for f in feet]])
    targets[..., 2] += KNEES * (float(one.data.xpos[0, m.body_rootid[feet[0].point.body], 2]) - targets[0, 0, 2])
    for f in feet:
        at, low, high = ranges(m, f.dofs)
        q[at] += GUESS * np.where(np.isfinite(high - low), 0.5 * (low + high) - q[at], 0.0)
    mass = np.asarray(m.body_mass) / np.sum(m.body_mass)
    for _ in range(6):
        q = placed_at(one, feet, targets, q)[0]
        targets[..., :2] += (mass @ one.data.xipos[0] - np.mean([f.point.place(one.data)[0] for f in feet], axis=0))[:2]
    return q


def _below_hips(m, feet, qpos):
    rng, sim = np.random.default_rng(0), Simulator(m, SAMPLES)
    q = np.tile(qpos, (SAMPLES, 1))
    for f in feet:
        at, low, high = ranges(m, f.dofs)
        low, high = np.maximum(low, qpos[at] - np.pi), np.minimum(high, qpos[at] + np.pi)
        q[1:, at] = rng.uniform(np.minimum(low, high), np.maximum(low, high), (SAMPLES, len(at)))[1:]
    sim.reset(q)
    sim.forward()
    targets, nearest = np.zeros((1, len(feet), 3)), qpos.copy()
    ways = [f.point.place(sim.data) - hips(m, sim, f) for f in feet]
    reach = np.median([np.linalg.norm(way, axis=1).max() for way in ways])
    for k, f in enumerate(feet):
        targets[0, k] = hips(m, sim, f)[0] - [0, 0, BENT * reach]
        at, _, _ = ranges(m, f.dofs)
        # of all poses that are about there the one that bends least, and as the leg before
        off = np.linalg.norm(ways[k] + [0, 0, BENT * reach], axis=1) / reach
        off += 0.1 * np.abs(q[:, at] - qpos[at]).max(axis=1)
        if k and len(feet[k - 1].dofs) == len(f.dofs):
            before = nearest[ranges(m, feet[k - 1].dofs)[0]]
            off += 0.2 * np.abs(q[:, at] - before)[:, 1:].max(axis=1)
        nearest[at] = q[np.argmin(off)][at]
    one = Simulator(m)
    for _ in range(4):
        nearest = placed_at(one, feet, targets, nearest)[0]
    return nearest


def hips(m, sim, foot):
    """(worlds, 3): where the second joint of a leg is (its first one turns it sideways), in a plane its first."""
    dofs = foot.dofs[1:] if len(foot.dofs) > 2 and not foot.planar else foot.dofs
    return sim.data.xpos[:, m.dof_bodyid[dofs[0]]]
