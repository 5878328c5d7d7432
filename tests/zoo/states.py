"""Random states of the models."""

import numpy as np

from tests.zoo.contacts import CONES


def random_state(mujoco, mj, rng, kick=1.0, speed=1.0):
    """qpos, qvel, act, ctrl: qpos0 moved by a random velocity for a second."""
    qpos = mj.qpos0.copy()
    mujoco.mj_integratePos(mj, qpos, rng.normal(size=mj.nv) * kick, 1.0)
    act = rng.normal(size=mj.na) * 0.4
    return qpos, rng.normal(size=mj.nv) * speed, act, rng.normal(size=mj.nu)


def smooth_entries(m, name, value):
    """Which entries of a parameter a difference may move to both sides: not the size of a mesh or a height
    field, nor the power of an impedance that is at its bound."""
    moves = np.ones(value.shape, bool)
    if name == "geom_size":
        moves[np.isin(m.geom_type, (1, 7))] = False
    if "solimp" in name:
        moves[..., 4] = value[..., 4] > 1
    return moves


def random_poses(mj, rng, kick=0.03):
    """mocap_pos, mocap_quat: those of the model moved, the quaternions of any length."""
    bodies = np.flatnonzero(mj.body_mocapid >= 0)
    pos = mj.body_pos[bodies] + kick * rng.normal(size=(mj.nmocap, 3))
    quat = mj.body_quat[bodies] + kick * rng.normal(size=(mj.nmocap, 4))
    return pos, quat * rng.uniform(0.5, 2, size=(mj.nmocap, 1))


def touching_state(mujoco, mj, data, rng, speed=1.0, reach=0.55):
    """A random state with at least one contact, found by moving the last body close to the first."""
    for _ in range(1000):
        qpos, qvel, act, ctrl = random_state(mujoco, mj, rng, 1.0, speed)
        quat = rng.normal(size=4)
        qpos[-7:-4] = mj.body_pos[1] + rng.normal(size=3) * reach * 0.4
        if mj.nbody == 2:
            qpos[-7:-4] = rng.uniform(0, 0.25, size=3)
        else:
            qpos[:3] = mj.body_pos[1]
        qpos[-4:] = quat / np.linalg.norm(quat)
        data.qpos[:] = qpos
        mujoco.mj_fwdPosition(mj, data)
        if data.ncon:
            return qpos, qvel, act, ctrl
    raise AssertionError("no state with a contact found")


def with_cone(path, cone):
    """XML text of a file with another friction cone."""
    text = open(path).read()
    head, mark, tail = text.partition("<worldbody>")
    return f'{head}<option cone="{CONES[cone]}"/>{mark}{tail}'
