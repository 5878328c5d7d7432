"""External forces on bodies, MuJoCo's `cfrc_ext`: not stored by the engine, but a sum over its contacts."""

import numpy as np

from engine import schema as s


def cfrc_ext(sim):
    """`Simulator.cfrc_ext`, which says what it is; as mj_rnePostConstraint defines it."""
    m, d = sim.model, sim.data
    root = np.asarray(m.body_rootid)
    com = _tree_com(m, d.xipos)[:, root]
    wrench = np.zeros((sim.worlds, m.nbody, 6))
    force, torque = d.xfrc_applied[..., :3], d.xfrc_applied[..., 3:]
    wrench[..., :3] = torque + np.cross(d.xipos - com, force)
    wrench[..., 3:] = force
    world, pos, push, body1, body2 = _contacts(sim)
    for body, sign in ((body1, -1.0), (body2, 1.0)):
        arm = pos - com[world, body]
        np.add.at(wrench, (world, body), sign * np.concatenate([np.cross(arm, push), push], axis=-1))
    wrench[:, 0] = 0.0
    return wrench


def _tree_com(m, xipos):
    """Centre of mass of the tree that each root body carries, (worlds, nbody, 3); nothing for other bodies."""
    mass = np.asarray(m.body_mass)
    tree = (np.asarray(m.body_rootid)[:, None] == np.arange(m.nbody)).T * mass
    total = tree.sum(axis=1, keepdims=True)
    return np.einsum("rb,wbk->wrk", np.divide(tree, total, out=np.zeros_like(tree), where=total > 0.0), xipos)


def _contacts(sim):
    """World, place, force (world axes, N, on the second body), and the two bodies of every contact that acts."""
    m, pack, cap = sim.model, sim.pack, sim.ncon_max
    pair = pack["con_i"].reshape(sim.worlds, cap, s.NCI)[..., s.C_PAIR]
    world, k = np.nonzero((np.arange(cap) < sim.data.ncon[:, None]) & (pair >= 0))
    vec = pack["con_v"].reshape(sim.worlds, cap, s.NCV, 3)[world, k]
    f = vec[:, s.C_F]
    push = f[:, :1] * vec[:, s.C_N] + f[:, 1:2] * vec[:, s.C_T1] + f[:, 2:] * vec[:, s.C_T2]
    pair = pair[world, k]
    body = np.asarray(m.geom_bodyid)
    return world, vec[:, s.C_POS], push, body[m.pair_geom1[pair]], body[m.pair_geom2[pair]]
