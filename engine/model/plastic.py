"""Springs whose rest yields: which numbers of act say by how much, and MuJoCo's own state of them, mjData.plastic.

They stand last in act, zero where a spring is at rest where the model says: of a hinge or slide how far its rest is
from qpos_spring, of a ball the rotation vector from there, of a tendon how far each end of tendon_lengthspring is from
there.
"""

import numpy as np

from .constants import BALL
from .coordinates import quat_log, turned


def yields(mj, kind):
    """The springyield of all joints or tendons, "jnt" or "tendon", of an MjModel. MuJoCo before 4.0 has none."""
    there = np.asarray(getattr(mj, f"{kind}_plasticadr", -np.ones(mj.njnt if kind == "jnt" else mj.ntendon))) >= 0
    return np.where(there, getattr(mj, f"{kind}_springyield"), 0.0) if there.any() else np.zeros(len(there))


def numbers(m):
    """How many of them each joint has, and each tendon: (njnt,), (ntendon,). m: a Model, or what has its arrays."""
    joints = np.where(np.asarray(m.jnt_type) == BALL, 3, 1) * (np.asarray(m.jnt_springyield) > 0)
    return joints.astype(int), 2 * (np.asarray(m.tendon_springyield) > 0).astype(int)


def count(m):
    """How many there are."""
    return int(sum(n.sum() for n in numbers(m)))


def addresses(m):
    """Where those of each joint and each tendon begin in act, or -1: (njnt,), (ntendon,)."""
    joints, tendons = numbers(m)
    both = np.concatenate([joints, tendons])
    first = np.where(both > 0, m.na - both.sum() + np.cumsum(both) - both, -1)
    return first[: len(joints)], first[len(joints) :]


def columns(m):
    """What the device's arrays hold of them, {column: values}; of a robot without any, nothing."""
    joints, tendons = addresses(m)
    njnt, ntendon = (n * (count(m) > 0) for n in (m.njnt, m.ntendon))
    return {
        "jnt_rest": joints[:njnt], "jnt_yield": m.jnt_springyield[:njnt],
        "ten_rest": tendons[:ntendon], "ten_yield": m.tendon_springyield[:ntendon],
    }  # fmt: skip


def names(m):
    """What each of them is called, (count,)."""
    joints, tendons = numbers(m)
    of_joints = [(m.label("joint", j), k) for j, n in enumerate(joints) for k in range(n)]
    of_tendons = [(m.label("tendon", t), k) for t, n in enumerate(tendons) for k in range(n)]
    return [f"{who} yielded[{k}]" for who, k in of_joints + of_tendons]


def taken(mj, m, tendons, state):
    """The numbers of act, (..., count), of states of an MjModel, (..., nplastic). m: a Model, or what has the arrays
    that are made of it; tendons: its tendons that are kept."""
    chosen = [np.zeros(0, int)]
    for j in np.flatnonzero(numbers(m)[0]):
        chosen.append(mj.jnt_plasticadr[j] + np.arange(4 if m.jnt_type[j] == BALL else 1))
    chosen += [mj.tendon_plasticadr[t] + np.arange(2) for t, n in zip(tendons, numbers(m)[1], strict=True) if n]
    chosen = np.concatenate(chosen)
    return yielded(m, np.asarray(state)[..., chosen])


def rest_positions(m, act):
    """qpos (..., nq) at which the springs of joints are at rest, of act (..., na)."""
    rest = np.broadcast_to(m.qpos_spring, (*act.shape[:-1], m.nq)).copy()
    for j, a in enumerate(addresses(m)[0]):
        q = m.jnt_qposadr[j]
        if a >= 0 and m.jnt_type[j] == BALL:
            rest[..., q : q + 4] = turned(rest[..., q : q + 4], act[..., a : a + 3])
        elif a >= 0:
            rest[..., q] += act[..., a]
    return rest


def rest_lengths(m, lengthspring, act):
    """The lengths (..., ntendon, 2) between which the springs of tendons are at rest, of act (..., na)."""
    rest = np.broadcast_to(lengthspring, (*act.shape[:-1], m.ntendon, 2)).copy()
    for t, a in enumerate(addresses(m)[1]):
        if a >= 0:
            rest[..., t, :] += act[..., a : a + 2]
    return rest


def plastic(m, act):
    """MuJoCo's mjData.plastic, (..., nplastic), of act (..., na): where springs whose rest yields are at rest. First
    those of joints, of a ball its quaternion, then the two lengths of each tendon."""
    act = np.asarray(act)
    joints, tendons = numbers(m)
    places = [m.jnt_qposadr[j] + np.arange(n + (n == 3)) for j, n in enumerate(joints)]
    positions = rest_positions(m, act)[..., np.concatenate([*places, []]).astype(int)]
    lengths = rest_lengths(m, m.tendon_lengthspring, act)[..., tendons > 0, :]
    return np.concatenate([positions, lengths.reshape(*act.shape[:-1], -1)], axis=-1)


def yielded(m, state):
    """The numbers of act of mjData.plastic `state` (..., nplastic): the inverse of `plastic`. m: a Model, or what has
    the arrays that say where springs are at rest."""
    parts, at = [np.zeros((*state.shape[:-1], 0))], 0
    for j, n in enumerate(numbers(m)[0]):
        q = m.jnt_qposadr[j]
        if n == 3:
            parts.append(quat_log(m.qpos_spring[q : q + 4], state[..., at : at + 4]))
        elif n:
            parts.append(state[..., at : at + 1] - m.qpos_spring[q])
        at += n + (n == 3)
    for t, n in enumerate(numbers(m)[1]):
        if n:
            parts.append(state[..., at : at + 2] - m.tendon_lengthspring[t])
            at += 2
    return np.concatenate(parts, axis=-1)
