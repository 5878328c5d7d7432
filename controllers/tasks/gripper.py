"""What a robot grasps with, from its model: which actuators close its hand, where the fingers meet, which way they
close and come; and how that fits round a body."""

from typing import NamedTuple

import numpy as np

from controllers.tasks.kinematics import Point, driven
from engine.model import ModelError
from engine.model.constants import BOX, CAPSULE, CYLINDER, ELLIPSOID, MESH, SPHERE, TRN_JOINT, TRN_TENDON, WRAP_JOINT
from engine.model.pairs import condims, contact_parameters
from engine.model.rotation import quat_to_mat
from engine.simulator import Simulator

MOVES, INNER = 1e-3, 2e-3  # m: less does not move; shapes that reach so far are a finger's inner side
CLOSING = 0.6  # s, in which a hand opens and closes
SPARE = 0.005  # m: what fingers leave between their ends and what a body lies on
ROOMY = 0.95  # of what the fingers open to: what they can take is narrower
TILTS = np.radians([0.0, 30.0, -30.0, 60.0, -60.0, 90.0, -90.0])  # of the way to the body, from straight down


class Gripper(NamedTuple):
    """point: where the fingers meet, a Point of the palm. hand: the actuators that close it. opened, closed (nu,):
    their controls, the others' zero. qpos, shut (nq,): the start with the fingers opened, and closed. fingers: their
    dofs. frame (3, 3): columns in the palm's axes, along which it closes, the third, and along which it comes to a
    body. width: m that it opens to. beyond: m that the fingers reach beyond the point. name: of the palm."""

    point: Point
    hand: np.ndarray
    opened: np.ndarray
    closed: np.ndarray
    qpos: np.ndarray
    shut: np.ndarray
    fingers: np.ndarray
    frame: np.ndarray
    width: float
    beyond: float
    name: str


class Grasp(NamedTuple):
    """place (3,): of the gripper's point in the world; quat (4,): of its palm; down (3,): the way it comes. width: m,
    that is between the fingers."""

    place: np.ndarray
    quat: np.ndarray
    down: np.ndarray
    width: float = 0.0


class Grip(NamedTuple):
    """press: N with which each of two sides presses on what is between them; friction: the most between the fingers and
    the body; holds, weight: kg that these carry where nothing is under it, and that there are."""

    press: float
    friction: float
    holds: float
    weight: float


def gripper_of(model, body, start, ctrl0, site=None):
    """The Gripper with which a robot can hold the body `body` (a number), from `start` (nq,) and the controls (nu,)
    that hold it there. site: a site, body or geom of the palm; a site says where the fingers meet where they do not
    touch each other. By default it is the last palm along the arm. Raises ModelError where there is none."""
    m = model
    palm = Point(m, site).body if site is not None else _palm(m, body)
    below = _below(m, palm)
    hand = [u for u in range(m.nu) if (moved := _moved(m, u)) and set(moved) <= below]
    limited = np.asarray(m.actuator_ctrllimited, bool)
    if palm is None or not hand or not limited[hand].all():
        who = m.body_names[palm] if palm is not None else m.name
        raise ModelError(f"--task carry: {who}: allowed: a palm with fingers below it that actuators with control "
                         "ranges close (--site says which)")  # fmt: skip
    fingers = np.array([i for i in range(m.nv) if int(m.dof_bodyid[i]) in below], int)
    opened, closed, poses = _ends(m, palm, below, hand, fingers, start, ctrl0)
    point, axis = _meeting(m, palm, below, poses, site)
    toward = point.offset - (point.offset @ axis) * axis
    if np.linalg.norm(toward) < 1e-3:
        raise ModelError(f"--task carry: {m.body_names[palm]}: its fingers meet where it is itself, which does not say "
                         "from where it grasps; say another --site")  # fmt: skip
    toward /= np.linalg.norm(toward)
    frame = np.stack([axis, np.cross(toward, axis), toward], axis=1)
    width = _travel(m, point, below, poses)
    beyond = _beyond(m, point, below, poses, toward)
    return Gripper(point, np.array(hand), opened, closed, *poses, fingers, frame, width, beyond,
                   m.body_names[palm])  # fmt: skip


def grasps(model, gripper, body, qpos):
    """[Grasp, ...] of a body (number) as it is in `qpos` (nq,): those from above first. Raises ModelError where it is
    too wide for the fingers from every side."""
    m, sim, found, narrowest = model, Simulator(model), [], np.inf
    sim.reset(qpos)
    sim.forward()
    geoms = np.flatnonzero(m.body_rootid[m.geom_bodyid] == m.body_rootid[body])
    middle = np.array([0.5 * sum(_ends_along(m, sim, 0, geoms, e)) for e in np.eye(3)])
    for k, c in enumerate(quat_to_mat(sim.data.geom_xquat[0, geoms[0]]).T):
        width = float(np.subtract(*_ends_along(m, sim, 0, geoms, c)[::-1]))
        narrowest = min(narrowest, width)
        if width > ROOMY * gripper.width:
            continue
        down = np.array([0.0, 0.0, -1.0]) + c[2] * c
        if np.linalg.norm(down) < 0.1:
            continue  # it would close upright: another axis, or a tilt of it, does that
        down /= np.linalg.norm(down)
        for tilt in TILTS:
            way = np.cos(tilt) * down + np.sin(tilt) * np.cross(c, down)
            # long fingers hold it with their ends, which reach no deeper than it does
            deep = _ends_along(m, sim, 0, geoms, way)[1] - middle @ way
            place = middle - max(0.0, gripper.beyond - deep + SPARE) * way
            for sign in (1.0, -1.0):
                axes = np.stack([sign * c, np.cross(way, sign * c), way], axis=1)
                found.append((abs(tilt) + 0.01 * k, Grasp(place, quat_of(axes @ gripper.frame.T), way, width)))
    if not found:
        raise ModelError(f"--task carry: {m.body_names[body]} is {1e3 * narrowest:.0f} mm wide, {gripper.name} opens "
                         f"to {1e3 * gripper.width:.0f} mm")  # fmt: skip
    return [grasp for _, grasp in sorted(found, key=lambda pair: pair[0])]


def grip_of(model, gripper, body, width):
    """The Grip of a closed hand on a body (number) of this width (m), at rest.

    By virtual work: what actuators and springs do in the fingers' joints on the way from opened to closed is done by
    two sides that press along the width that it takes. The way is taken as straight, in joints and in space.
    """
    m, g, sim = model, gripper, Simulator(model)
    at = m.jnt_qposadr[m.dof_jntid[g.fingers]]
    pose = g.shut.copy()
    pose[at] += width / g.width * (g.qpos - g.shut)[at]
    sim.reset(pose)
    sim.data.ctrl[0, g.hand] = g.closed[g.hand]
    sim.forward()
    force = (sim.data.qfrc_actuator + sim.data.qfrc_passive)[0, g.fingers]
    press = max(0.0, float(force @ (g.shut - g.qpos)[at]) / g.width)
    ours, fingers = m.body_rootid[m.geom_bodyid] == m.body_rootid[body], m.dof_bodyid[g.fingers]
    a, b = m.pair_geom1, m.pair_geom2
    met = ours[a] & np.isin(m.geom_bodyid[b], fingers) | ours[b] & np.isin(m.geom_bodyid[a], fingers)
    sliding = np.where(condims(m) > 1, contact_parameters(m)["friction"][:, 0], 0.0)
    friction = float(sliding[met].max(initial=0.0))
    mass = float(np.asarray(m.body_mass)[m.body_rootid == m.body_rootid[body]].sum())
    pull = max(float(np.linalg.norm(m.opt.gravity)), 1e-9)
    return Grip(press, friction, 2 * friction * press / pull, mass)


def quat_of(R):
    """(4,): the quaternion of a rotation matrix, by its largest component (Shepperd: Quaternion from rotation matrix,
    Journal of Guidance and Control 1, 1978)."""
    d = np.array([np.trace(R), *np.diag(R)])
    k = int(np.argmax(d))
    q = np.empty(4)
    if k == 0:
        q[:] = 1.0 + d[0], R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1]
    else:
        i, j, l = k - 1, k % 3, (k + 1) % 3
        q[0] = R[l, j] - R[j, l]
        q[1 + i], q[1 + j], q[1 + l] = 1.0 + 2 * R[i, i] - d[0], R[j, i] + R[i, j], R[l, i] + R[i, l]
    return q / np.linalg.norm(q)


def _below(m, palm):
    """The bodies that hang on a palm."""
    found = set()
    for b in range(1, m.nbody):
        if int(m.body_parentid[b]) == palm or int(m.body_parentid[b]) in found:
            found.add(b)
    return found


def _moved(m, u):
    """Bodies that an actuator moves first, through a joint or a tendon's joints; none of others."""
    joints = []
    if m.actuator_trntype[u] == TRN_JOINT:
        joints = [int(m.actuator_trnid[u])]
    elif m.actuator_trntype[u] == TRN_TENDON:
        t = int(m.actuator_trnid[u])
        at = slice(int(m.tendon_adr[t]), int(m.tendon_adr[t] + m.tendon_num[t]))
        joints = [int(j) for kind, j in zip(m.wrap_type[at], m.wrap_objid[at], strict=True) if kind == WRAP_JOINT]
    return [int(m.jnt_bodyid[j]) for j in joints]


def _touching(m, body):
    """Bodies with a geom that can touch those of a body's tree."""
    ours, found = m.body_rootid[m.geom_bodyid] == m.body_rootid[body], set()
    for a, b in zip(m.pair_geom1, m.pair_geom2, strict=True):
        for g, other in ((a, b), (b, a)):
            if ours[other] and not ours[g] and m.body_weldid[m.geom_bodyid[g]] != 0:
                found.add(int(m.geom_bodyid[g]))
    return found


def _palm(m, body):
    """The body on which fingers hang: below it, or itself, two bodies can touch what is to be held; most driven joints
    move it. None where there is none."""
    touching, actuated, best, most = _touching(m, body), driven(m), None, 0
    for u in range(m.nu):
        for moved in _moved(m, u)[:1]:
            palm = int(m.body_parentid[moved])
            if len(touching & (_below(m, palm) | {palm})) >= 2:
                joints = len([i for i in Point.on(m, palm, np.zeros(3)).dofs if i in actuated])
                best, most = (palm, joints) if joints > most else (best, most)
    return best


def _ends(m, palm, below, hand, fingers, start, ctrl0):
    """(opened, closed (nu,), (2, nq)): controls of the hand at both ends, and poses with the fingers there. Which end
    is open, the distances between the fingers say."""
    sim, ends = Simulator(m, 2), np.zeros((2, m.nu))
    ends[:, hand] = m.actuator_ctrlrange[hand].T
    gaps = np.zeros((2, len(hand)))
    for k, u in enumerate(hand):  # one after the other, the others as at the start
        poses = _settled(m, sim, start, ctrl0, [u], ends, fingers)
        gaps[:, k] = _spread(m, sim, poses, palm, below)
    turned = gaps[0] < gaps[1]  # the upper end is open
    opened, closed = np.zeros(m.nu), np.zeros(m.nu)
    opened[hand] = np.where(turned, ends[1, hand], ends[0, hand])
    closed[hand] = np.where(turned, ends[0, hand], ends[1, hand])
    return opened, closed, _settled(m, sim, start, ctrl0, hand, np.stack([opened, closed]), fingers)


def _settled(m, sim, start, ctrl0, hand, ends, fingers):
    """(2, nq): the start, with the fingers where these controls of the hand bring them."""
    sim.reset(start)
    sim.data.ctrl[:] = ctrl0
    sim.data.ctrl[:, hand] = ends[:, hand]
    sim.advance(max(1, round(CLOSING / m.opt.timestep)))
    at = m.jnt_qposadr[m.dof_jntid[fingers]]
    poses = np.tile(np.asarray(start, float), (2, 1))
    poses[:, at] = sim.data.qpos[:, at]
    return poses


def _spread(m, sim, poses, palm, below):
    """(2,): the sum of the distances between the middles of the bodies of a hand, m."""
    sim.reset(poses)
    sim.forward()
    bodies = sorted({palm, *below})
    places = []
    for b in bodies:
        geoms = np.flatnonzero(m.geom_bodyid == b)
        places.append(sim.data.geom_xpos[:, geoms].mean(axis=1) if len(geoms) else sim.data.xpos[:, b])
    places = np.array(places)
    return np.linalg.norm(places[:, None] - places[None], axis=-1).sum(axis=(0, 1))


def _meeting(m, palm, below, poses, site):
    """(Point of the palm where the fingers meet, the axis along which they close, in the palm's axes)."""
    sim = Simulator(m, 2)
    sim.reset(poses)
    sim.forward()
    R, where = quat_to_mat(sim.data.xquat[1, palm]), sim.data.xpos[1, palm]
    c, ours = sim.data.contacts(1), {palm, *below}
    a, b = (m.geom_bodyid[c[name]] for name in ("geom1", "geom2"))
    met = np.array([x in ours and y in ours and x != y for x, y in zip(a.tolist(), b.tolist(), strict=True)], bool)
    if met.any():
        point = Point.on(m, palm, R.T @ (c["pos"][met].mean(axis=0) - where))
    elif site is not None and site in m.site_names:
        point = Point.on(m, palm, np.asarray(m.site_pos[m.site(site)], float))
    else:
        point = _between(m, sim, palm, below, poses)
    moves = _motions(m, point, below, poses)
    far = max(((x - y) for x in [*moves, 0 * moves[0]] for y in moves), key=np.linalg.norm)
    if np.linalg.norm(far) < MOVES:
        raise ModelError(f"--task carry: the fingers of {m.label('body', palm)} do not move where they are to hold")
    return point, far / np.linalg.norm(far)


def _between(m, sim, palm, below, poses):
    """The Point of a palm between two fingers that move and do not touch each other when they close: the middle of what
    of them is nearest to the other. sim: a Simulator in `poses`."""
    sides = {}
    for g in range(m.ngeom):
        b = int(m.geom_bodyid[g])
        if b in below and _collides(m, g):
            while int(m.body_parentid[b]) != palm:
                b = int(m.body_parentid[b])
            sides.setdefault(b, []).append(g)
    R, where, places = quat_to_mat(sim.data.xquat[1, palm]), sim.data.xpos[1, palm], sim.data.geom_xpos
    pair = [gs for gs in sides.values() if np.linalg.norm(places[0, gs] - places[1, gs], axis=1).max() > MOVES]
    if len(pair) != 2:
        raise ModelError(f"--task carry: the fingers of {m.label('body', palm)} do not touch each other when they "
                         "close, so --site must name a site of it where they hold")  # fmt: skip
    middles = [places[1, gs].mean(axis=0) for gs in pair]
    guess = Point.on(m, palm, R.T @ (np.mean(middles, axis=0) - where))
    moves = _motions(m, guess, below, poses)
    axis = R @ max(((x - y) for x in moves for y in moves), key=np.linalg.norm)
    axis *= np.sign((middles[1] - middles[0]) @ axis) / np.linalg.norm(axis)
    inner = []
    for gs, along in zip(pair, (axis, -axis), strict=True):
        ends = [_ends_along(m, sim, 1, [g], along)[1] for g in gs]
        inner.append(places[1, [g for g, end in zip(gs, ends, strict=True) if end > max(ends) - INNER]].mean(axis=0))
    return Point.on(m, palm, R.T @ (np.mean(inner, axis=0) - where))


def _motions(m, point, below, poses):
    """[(3,), ...]: how each finger's place at the point moves from closed to opened, in the palm's axes, m."""
    sim = Simulator(m, 2)
    sim.reset(poses)
    sim.forward()
    places, palm = point.place(sim.data), point.body
    found = []
    for b in sorted(below):
        if not (m.geom_bodyid == b).any():
            continue
        Ro, Rc = (quat_to_mat(sim.data.xquat[k, b]) for k in (0, 1))
        local = Rc.T @ (places[1] - sim.data.xpos[1, b])
        moved = sim.data.xpos[0, b] + Ro @ local - places[0]
        found.append(quat_to_mat(sim.data.xquat[0, palm]).T @ moved)
    return found


def _travel(m, point, below, poses):
    """m: how far apart the fingers are opened, where they meet when they are closed."""
    moves = _motions(m, point, below, poses)
    return max(float(np.linalg.norm(x - y)) for x in [*moves, 0 * moves[0]] for y in moves)


def _beyond(m, point, below, poses, toward):
    """m: how far the fingers reach beyond the point along `toward` (3,), in the palm's axes, opened or closed."""
    sim, far = Simulator(m, 2), 0.0
    sim.reset(poses)
    sim.forward()
    geoms = [g for g in range(m.ngeom) if int(m.geom_bodyid[g]) in below and _collides(m, g)]
    for k, place in enumerate(point.place(sim.data)):
        along = quat_to_mat(sim.data.xquat[k, point.body]) @ toward
        far = max(far, _ends_along(m, sim, k, geoms, along)[1] - float(place @ along)) if geoms else far
    return far


def _collides(m, g):
    """Whether a geom can touch anything."""
    return bool(((m.pair_geom1 == g) | (m.pair_geom2 == g)).any())


def _reach(m, g, R, along):
    """m: how far a geom, whose frame is R (3, 3), reaches from its middle along a unit vector in the world."""
    size, kind, axis = m.geom_size[g], m.geom_type[g], R.T @ along
    a = np.abs(axis)
    if kind == BOX:
        return float(a @ size)
    if kind == SPHERE:
        return float(size[0])
    if kind == CAPSULE:
        return float(size[0] + size[1] * a[2])
    if kind == CYLINDER:
        return float(size[0] * np.hypot(a[0], a[1]) + size[1] * a[2])
    if kind == ELLIPSOID:
        return float(np.linalg.norm(a * size))
    if kind == MESH:
        return float((np.asarray(m.mesh_vert[int(m.geom_dataid[g])]) @ axis).max())
    return float(m.geom_rbound[g])


def _ends_along(m, sim, world, geoms, along):
    """(low, high): between which these geoms lie along a unit vector, m."""
    places = sim.data.geom_xpos[world]
    frames = {g: quat_to_mat(sim.data.geom_xquat[world, g]) for g in geoms}
    high = max(float(places[g] @ along) + _reach(m, g, frames[g], along) for g in geoms)
    return min(float(places[g] @ along) - _reach(m, g, frames[g], -along) for g in geoms), high
