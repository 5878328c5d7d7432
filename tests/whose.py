"""Whose number is the right one, where ours and MuJoCo's, which both search, are apart.

Of a contact between convex shapes it is the normal along which they overlap least. How far a shape reaches along a
direction follows from its definition, here in long doubles, so that a normal is told from one beside it by 1e-6, where
overlaps differ by 1e-14. (Where shapes are apart, the overlap is negative.)

A step of MuJoCo's may hang on rounding: from a state that is beside by a few units in the last digit it takes another
one, and ours is as right as it is near to any of them.

A tendon's velocity is the derivative of its length along the motion. A length is found to more digits than the place on
a round side where a tendon touches it, since it is the least one there.
"""

import mujoco
import numpy as np

from engine.model import constants as c
from tests.physics.reference import paired, pairs_of

BAR, SPEED, STEP = 1e-6, 1e-10, 1e-3
NUDGE, NUDGES = 1e-15, 8
ALONE = {c.PLANE, c.HFIELD}  # the first has its own normal, the second is not convex
ROUND = np.linspace(0, 2 * np.pi, 8, endpoint=False)


def reach(mj, data, geom, n, origin):
    """How far a geom reaches along n, from origin."""
    size, kind = mj.geom_size[geom].astype(np.longdouble), int(mj.geom_type[geom])
    v = data.geom_xmat[geom].reshape(3, 3).astype(np.longdouble).T @ n
    if kind == c.MESH:
        mesh = mj.geom_dataid[geom]
        h = (mj.mesh_vert[mj.mesh_vertadr[mesh] :][: mj.mesh_vertnum[mesh]].astype(np.longdouble) @ v).max()
    else:
        across = np.sqrt(v[0] ** 2 + v[1] ** 2)
        h = {
            c.SPHERE: lambda: size[0],
            c.CAPSULE: lambda: size[0] + size[1] * abs(v[2]),
            c.ELLIPSOID: lambda: np.sqrt(((size * v) ** 2).sum()),
            c.CYLINDER: lambda: size[0] * across + size[1] * abs(v[2]),
            c.BOX: lambda: size @ np.abs(v),
        }[kind]()
    return h + n @ (data.geom_xpos[geom].astype(np.longdouble) - origin)


def overlap(mj, data, geoms, n):
    """How far the first of two geoms reaches into the second one along n, of any length."""
    n = np.asarray(n, np.longdouble) / np.sqrt((np.asarray(n, np.longdouble) ** 2).sum())
    origin = data.geom_xpos[geoms[0]].astype(np.longdouble)
    return reach(mj, data, geoms[0], n, origin) + reach(mj, data, geoms[1], -n, origin)


def beside(n, by):
    """Eight directions around n, by an angle."""
    u = np.cross(n, np.eye(3)[np.abs(n).argmin()])
    u, n = u / np.linalg.norm(u), np.asarray(n, np.longdouble)
    return [n + by * (np.cos(t) * u + np.sin(t) * np.cross(n, u)) for t in ROUND]


def least(mj, data, geoms, ours, theirs):
    """Whether two geoms overlap less along our normal than along MuJoCo's, and along none beside ours still less."""
    if ALONE & {int(mj.geom_type[g]) for g in geoms}:
        return False
    along = overlap(mj, data, geoms, ours)
    return bool(min(overlap(mj, data, geoms, n) for n in (theirs, *beside(ours, BAR))) > along)


def judged(mj, data, ours):
    """Of contacts, paired with MuJoCo's, whose normals are further apart than BAR: how many ours are `least` of, and
    how many there are."""
    found, theirs = [], data.contact
    for k, at in zip(*paired(ours, theirs), strict=True):
        normal, other = ours["frame"][k, 0], theirs.frame[at, :3]
        if np.abs(normal - other).max() > BAR:
            found.append(least(mj, data, (int(ours["geom1"][k]), int(ours["geom2"][k])), normal, other))
    return np.array([sum(found), len(found)])


def deeper(mj, data, ours):
    """Whether MuJoCo's number of contacts is another than ours since its search ends beside the least overlap: of every
    pair with another number both have contacts, and ours is `least`."""
    lists = [pairs_of(ours), pairs_of(data.contact)]
    for pair in set(lists[0]) | set(lists[1]):
        mine, other = (found.get(pair, []) for found in lists)
        if len(mine) != len(other):
            normals = [ours["frame"][k, 0] for k in mine[:1]] + [data.contact.frame[k, :3] for k in other[:1]]
            if len(normals) < 2 or not least(mj, data, pair, *normals):
                return False
    return True


def differences(mj, data):
    """The velocities of tendons at MuJoCo's state, by differences of MuJoCo's own lengths of three steps."""
    other, h = mujoco.MjData(mj), STEP / max(1.0, np.abs(data.qvel).max())

    def length(at):
        mujoco.mj_copyData(other, mj, data)
        mujoco.mj_integratePos(mj, other.qpos, data.qvel, at)
        for f in (mujoco.mj_kinematics, mujoco.mj_comPos, mujoco.mj_tendon):
            f(mj, other)
        return other.ten_length.copy()

    slopes = [(length(x) - length(-x)) / (2 * x) for x in (h, h / 2, h / 4)]
    first = [(4 * b - a) / 3 for a, b in zip(slopes, slopes[1:], strict=False)]
    return (16 * first[1] - first[0]) / 15


def strung(mj, sim, data):
    """Of tendons with another velocity than MuJoCo's: of how many ours is ten times nearer to the differences, and how
    many there are."""
    if not sim.model.ntendon:
        return np.zeros(2, int)
    same = [mj.tendon(name).id for name in sim.model.tendon_names if name]
    if len(same) != sim.model.ntendon:  # nameless ones are those of the file where none is left out
        same = np.arange(mj.ntendon) if sim.model.ntendon == mj.ntendon else []
    if not len(same):
        return np.zeros(2, int)
    ours, theirs = sim.data.ten_velocity[0], data.ten_velocity[same]
    apart = np.flatnonzero(np.abs(ours - theirs) > SPEED * np.maximum(1.0, np.abs(theirs)))
    if not apart.size:
        return np.zeros(2, int)
    right = differences(mj, data)[same]
    return np.array([np.sum(np.abs(ours - right)[apart] < 0.1 * np.abs(theirs - right)[apart]), apart.size])


def nearest(mj, before, ours):
    """How far `sim.data` after a step is from the nearest of MuJoCo's steps from states NUDGE beside one, relative as
    in tests/physics/test_integrators.py."""
    rng, other, found = np.random.default_rng(0), mujoco.MjData(mj), []
    for _ in range(NUDGES):
        mujoco.mj_copyData(other, mj, before)
        mujoco.mj_integratePos(mj, other.qpos, NUDGE * rng.normal(size=mj.nv), 1.0)
        mujoco.mj_step(mj, other)
        pairs = [(getattr(ours, name)[0], getattr(other, name)) for name in ("qpos", "qvel", "act")]
        found.append(max(np.abs(a - b).max(initial=0) / max(1.0, np.abs(b).max(initial=0)) for a, b in pairs))
    return min(found)
