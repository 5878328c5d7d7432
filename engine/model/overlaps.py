"""Bodies that overlap wherever the joints between them are: parts drawn into each other, which no one means to collide.

MuJoCo leaves out contacts of a body with its parent, but not those with a parent that stands on the world, nor with
bodies further up. MoveIt's setup assistant calls such pairs "always in collision" and switches them off, too.
"""

import numpy as np

DEEP = 1e-4  # m; what touches less may be drawn so
TRIES = 32  # positions of the joints
OVERLAP = "they overlap"  # why a contact is left out, as reports say it


def overlapping(mujoco, mj):
    """{(body 1, body 2): the least depth, m} of pairs that are in contact at all of some positions of their joints."""
    data, rng, depths = mujoco.MjData(mj), np.random.default_rng(0), None
    for k in range(TRIES):
        data.qpos[:] = mj.qpos0 if k == 0 else _anywhere(mujoco, mj, rng)
        mujoco.mj_kinematics(mj, data)
        mujoco.mj_collision(mj, data)
        depths = _shared(depths, _touching(mj, data))
        if k == 0:
            depths = {pair: depth for pair, depth in depths.items() if _bounded(mujoco, mj, *pair)}
        if not depths:
            break
    return depths


def _touching(mj, data):
    """{(body 1, body 2): depth} of what overlaps now; explicit pairs are meant."""
    meant = set(zip(mj.pair_geom1.tolist(), mj.pair_geom2.tolist(), strict=True))
    found = {}
    for geoms, dist in zip(data.contact.geom.tolist(), data.contact.dist.tolist(), strict=True):
        if min(geoms) >= 0 and dist < -DEEP and not meant & {tuple(geoms), tuple(geoms[::-1])}:
            pair = tuple(sorted(int(mj.geom_bodyid[g]) for g in geoms))
            found[pair] = max(found.get(pair, 0.0), -dist)
    return found


def _shared(depths, now):
    if depths is None:
        return now
    return {pair: min(depth, now[pair]) for pair, depth in depths.items() if pair in now}


def _bounded(mujoco, mj, one, other):
    """Whether the joints between two bodies have positions to try: none is free, or a slide without a range."""
    ways = []
    for body in (one, other):
        way = set()
        while body:
            way.add(body)
            body = int(mj.body_parentid[body])
        ways.append(way)
    between = ways[0] ^ ways[1]
    if any(mj.body_mocapid[body] >= 0 for body in between):
        return False
    joints = [j for j in range(mj.njnt) if int(mj.jnt_bodyid[j]) in between]
    kinds = [mujoco.mjtJoint(mj.jnt_type[j]) for j in joints]
    unknown = [kind == mujoco.mjtJoint.mjJNT_FREE or kind == mujoco.mjtJoint.mjJNT_SLIDE and not mj.jnt_limited[j]
               for kind, j in zip(kinds, joints, strict=True)]  # fmt: skip
    return bool(joints) and not any(unknown)


def _anywhere(mujoco, mj, rng):
    """A random position of all joints within their ranges; of hinges without one any angle, of others qpos0."""
    qpos = mj.qpos0.copy()
    for j in range(mj.njnt):
        at, kind = mj.jnt_qposadr[j], mj.jnt_type[j]
        if kind == mujoco.mjtJoint.mjJNT_BALL:
            q = rng.normal(size=4)
            qpos[at : at + 4] = q / np.linalg.norm(q)
        elif kind in (mujoco.mjtJoint.mjJNT_HINGE, mujoco.mjtJoint.mjJNT_SLIDE) and mj.jnt_limited[j]:
            qpos[at] = rng.uniform(*mj.jnt_range[j])
        elif kind == mujoco.mjtJoint.mjJNT_HINGE:
            qpos[at] = rng.uniform(-np.pi, np.pi)
    return qpos
