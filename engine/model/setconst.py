"""What follows from the tree and from inertias at qpos0, as in MuJoCo's mj_setConst, in NumPy.

    J_b    (6, nv) Jacobian of body b at its centre of mass: three rows of translation, three of rotation
    M      sum_b J_b^T diag(m_b, I_b) J_b + armature (of tendons, where M has entries: tendons.py): one block for each
           tree of dofs, so trees are taken one by one
    body_invweight0[b] = mean of the diagonal of J_b M^-1 J_b^T, translation and rotation apart
    dof_invweight0     = diagonal of M^-1, averaged over the three axes of a ball or of each half of a free joint

At qpos0 no joint is displaced, so a body's frame is the product of the `body_pos`, `body_quat` above it.
"""

from types import SimpleNamespace

import numpy as np

from . import constants as c
from .inertia import MINVAL
from .path import courses, length, moment
from .rotation import axis_angle, quat_mul, quat_to_mat
from .tendons import bodies_along, inertia, rows

ALIGNED = 1e-6  # MuJoCo's tolerance for "at the origin of the body"; along an axis it takes literally


def addresses(counts):
    """Where each group starts; -1 for an empty one."""
    counts = np.asarray(counts, int)
    return np.where(counts > 0, np.cumsum(counts) - counts, -1)


def per_joint(m, table):
    """The numbers of a table by joint type, NQ or NV, one for each joint."""
    return np.array([table[int(kind)] for kind in m.jnt_type], int)


def derived_topology(m):
    """{array: values} of all that follows from `body_parentid`, `jnt_type` and `jnt_bodyid` of `m`."""
    nbody, jntid = len(m.body_parentid), np.repeat(np.arange(len(m.jnt_type)), per_joint(m, c.NV))
    bodyid = m.jnt_bodyid[jntid]
    jntnum, dofnum = (np.bincount(owners, minlength=nbody) for owners in (m.jnt_bodyid, bodyid))
    found = {
        "jnt_qposadr": addresses(per_joint(m, c.NQ)), "jnt_dofadr": addresses(per_joint(m, c.NV)),
        "dof_jntid": jntid, "dof_bodyid": bodyid, "body_jntnum": jntnum, "body_jntadr": addresses(jntnum),
        "body_dofnum": dofnum, "body_dofadr": addresses(dofnum), "body_rootid": np.zeros(nbody, int),
        "body_weldid": np.zeros(nbody, int), "dof_parentid": np.zeros(len(jntid), int),
    }  # fmt: skip
    set_topology(SimpleNamespace(body_parentid=m.body_parentid, body_mocapid=m.body_mocapid, **found))
    return found


def set_topology(m):
    """Roots, weld groups and dof parents from `body_parentid` and the joints' addresses, in place."""
    last_dof = np.full(len(m.body_parentid), -1)  # the last dof of a body or of the nearest ancestor that has any
    for b, parent in enumerate(m.body_parentid):
        m.body_rootid[b] = b if parent == 0 else m.body_rootid[parent]
        moves = b == 0 or m.body_dofnum[b] or m.body_mocapid[b] >= 0
        m.body_weldid[b] = b if moves else m.body_weldid[parent]
        last_dof[b] = last_dof[parent]
        for dof in range(m.body_dofadr[b], m.body_dofadr[b] + m.body_dofnum[b]):
            m.dof_parentid[dof] = last_dof[b]
            last_dof[b] = dof


def set_invweight0(m):
    """`body_invweight0` and `dof_invweight0`, in place."""
    nbody, nv = len(m.body_mass), len(m.dof_bodyid)
    m.body_invweight0[:] = 0  # and stays so for what cannot move
    if nv == 0:
        return
    for dofs, jacobians, mass in trees(m):
        inverse = np.linalg.inv(mass)
        for b, (above, jacobian) in jacobians.items():
            diagonal = np.einsum("ij,jk,ik->i", jacobian, inverse[np.ix_(above, above)], jacobian)
            m.body_invweight0[b] = diagonal[:3].mean(), diagonal[3:].mean()
        m.dof_invweight0[dofs] = np.diag(inverse)
    for kind, adr in zip(m.jnt_type, m.jnt_dofadr, strict=True):
        for first in {c.FREE: (adr, adr + 3), c.BALL: (adr,)}.get(kind, ()):
            m.dof_invweight0[first : first + 3] = m.dof_invweight0[first : first + 3].mean()
    for b in range(1, nbody):
        if _only_slides(m, b):
            m.body_invweight0[b, 0] = 1 / m.body_mass[b]
            m.dof_invweight0[m.dof_bodyid == b] = 1 / m.body_mass[b]


def _only_slides(m, b):
    """Whether MuJoCo takes body b for one whose mass matrix is `mass * identity`, and reads 1 / mass off it.

    A lone body near the world that slides along its own axes. The weight then counts the axes that move instead of
    all three, and leaves armature out (of a tendon it makes the body one like any other); the solver's regularisation
    depends on it, so we follow.
    """
    joints = np.flatnonzero(m.jnt_bodyid == b)
    parent = m.body_parentid[b]
    near_world = parent == 0 or (m.body_dofnum[parent] == 0 and m.body_parentid[parent] == 0)
    if any(b in bodies_along(m, t) for t in np.flatnonzero(m.tendon_armature)):
        return False
    if not near_world or b in m.body_parentid or not len(joints) or (m.jnt_type[joints] != c.SLIDE).any():
        return False
    off_axis = np.sort(abs(m.jnt_axis[joints]), axis=1)[:, :2]
    off_origin = (m.jnt_pos[joints], m.body_ipos[b], m.body_iquat[b, 1:])
    return off_axis.max() < MINVAL and max(abs(part).max() for part in off_origin) < ALIGNED


def trees(m):
    """(dofs, Jacobians, mass matrix) at qpos0 of each tree of dofs: what no entry of the mass matrix joins.

    dofs (n,): their numbers, rising. Jacobians {body: (above (k,), jacobian (6, k))}: which of the tree's dofs move a
    body, from the root down, and their columns; all others are zero. Mass matrix (n, n).
    """
    xpos, xquat = frames(m)
    points, axes, rotates = _motion_axes(m, xpos, xquat)
    chains = _chains(m)
    members = {}  # the dof at the root of each tree: the bodies that the tree moves
    for b, chain in chains.items():
        members.setdefault(int(chain[0]), []).append(b)
    root = np.arange(len(m.dof_bodyid))
    for dof, parent in enumerate(m.dof_parentid):
        if parent >= 0:
            root[dof] = root[parent]
    armed = np.any(m.tendon_armature)
    moments = tendons0(m)[1] if armed else None
    in_order = np.argsort(root, kind="stable")
    for dofs in np.split(in_order, np.flatnonzero(np.diff(root[in_order])) + 1):
        jacobians, mass = {}, np.diag(m.dof_armature[dofs].astype(float))
        for b in members[int(dofs[0])]:
            chain = chains[b]
            com = xpos[b] + quat_to_mat(xquat[b]) @ m.body_ipos[b]
            turns = rotates[chain]
            arm = np.where(turns[:, None], com - points[chain], 0.0)
            linear = np.where(turns[:, None], np.cross(axes[chain], arm), axes[chain]).T
            angular = np.where(turns, axes[chain].T, 0.0)
            above = np.searchsorted(dofs, chain)
            jacobians[b] = above, np.concatenate([linear, angular])
            turned = quat_to_mat(quat_mul(xquat[b], m.body_iquat[b])).T @ angular
            own = m.body_mass[b] * linear.T @ linear + turned.T @ (m.body_inertia[b][:, None] * turned)
            mass[np.ix_(above, above)] += own
        for i, j, own in inertia(m, {int(dof): i for i, dof in enumerate(dofs)}, moments) if armed else ():
            mass[i, j] += own
            mass[j, i] += own * (i != j)
        yield dofs, jacobians, mass


def lengths_at(m, qpos):
    """(ntendon,): lengths of all tendons at qpos."""
    along = courses(m, *frames(m, qpos))
    own = [slice(a, a + n) for a, n in zip(m.tendon_adr, m.tendon_num, strict=True)]
    return np.array([
        length(path) if path else m.wrap_prm[part] @ qpos[m.jnt_qposadr[m.wrap_objid[part]]]
        for path, part in zip(along, own, strict=True)
    ])  # fmt: skip


def tendons0(m):
    """Lengths (ntendon,) and rows (nJten,) of all tendons at qpos0."""
    adr, number, colind, entry = rows(m)
    xpos, xquat = frames(m)
    points, axes, rotates = _motion_axes(m, xpos, xquat)
    chains = _chains(m)

    def jacobian(body, place):
        columns = np.zeros((3, len(m.dof_bodyid)))
        for dof in chains.get(body, ()):
            columns[:, dof] = np.cross(axes[dof], place - points[dof]) if rotates[dof] else axes[dof]
        return columns

    moments = np.zeros(len(colind))
    for t, along in enumerate(courses(m, xpos, xquat)):
        part = slice(adr[t], adr[t] + number[t])
        if along:
            moments[part] = moment(along, jacobian, len(m.dof_bodyid))[colind[part]]
        else:
            own = slice(m.tendon_adr[t], m.tendon_adr[t] + m.tendon_num[t])
            moments[entry[own]] = m.wrap_prm[own]
    return lengths_at(m, m.qpos0), moments


def frames(m, qpos=None):
    """World position and orientation of every body, by default at qpos0."""
    xpos, xquat = np.zeros((len(m.body_mass), 3)), np.tile([1.0, 0, 0, 0], (len(m.body_mass), 1))
    for b in range(1, len(xpos)):
        parent = m.body_parentid[b]
        xpos[b] = xpos[parent] + quat_to_mat(xquat[parent]) @ m.body_pos[b]
        quat = quat_mul(xquat[parent], m.body_quat[b])
        xquat[b] = quat / np.linalg.norm(quat)
        for j in np.flatnonzero(m.jnt_bodyid == b) if qpos is not None else ():
            xpos[b], xquat[b] = _moved(m, j, qpos[m.jnt_qposadr[j] :], xpos[b], xquat[b])
    return xpos, xquat


def _moved(m, j, q, pos, quat):
    """The frame (pos, quat) behind joint j, whose coordinates are the first of q."""
    kind, x = m.jnt_type[j], q[0] - m.qpos0[m.jnt_qposadr[j]]
    if kind == c.FREE:
        return q[:3], q[3:7] / np.linalg.norm(q[3:7])
    if kind == c.SLIDE:
        return pos + quat_to_mat(quat) @ m.jnt_axis[j] * x, quat
    anchor = pos + quat_to_mat(quat) @ m.jnt_pos[j]
    turn = q[:4] / np.linalg.norm(q[:4]) if kind == c.BALL else axis_angle(m.jnt_axis[j], x)
    quat = quat_mul(quat, turn)
    return anchor - quat_to_mat(quat) @ m.jnt_pos[j], quat


def _motion_axes(m, xpos, xquat):
    """Per dof, in the world: a point of its axis, the axis, and whether it turns (or else slides)."""
    nv = len(m.dof_bodyid)
    points, axes, rotates = np.zeros((nv, 3)), np.zeros((nv, 3)), np.ones(nv, bool)
    for j, kind in enumerate(m.jnt_type):
        b, adr = m.jnt_bodyid[j], m.jnt_dofadr[j]
        R = quat_to_mat(xquat[b])
        if kind == c.FREE:  # slides along the world's axes, turns about the body's
            points[adr : adr + 6], axes[adr : adr + 3], axes[adr + 3 : adr + 6] = xpos[b], np.eye(3), R.T
            rotates[adr : adr + 3] = False
        elif kind == c.BALL:
            points[adr : adr + 3], axes[adr : adr + 3] = xpos[b] + R @ m.jnt_pos[j], R.T
        else:
            points[adr], axes[adr], rotates[adr] = xpos[b] + R @ m.jnt_pos[j], R @ m.jnt_axis[j], kind == c.HINGE
    return points, axes, rotates


def _chains(m):
    """{body: the dofs that move it, from the root down} of all bodies that any dof moves."""
    of_dof, chains = {-1: ()}, {}
    for dof, parent in enumerate(m.dof_parentid):
        of_dof[dof] = (*of_dof[int(parent)], dof)
    for b, weld in enumerate(m.body_weldid):
        if m.body_dofnum[weld]:
            chains[b] = np.array(of_dof[int(m.body_dofadr[weld] + m.body_dofnum[weld] - 1)])
    return chains
