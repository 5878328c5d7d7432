"""Places of points of a robot as functions of its joints, for torch: what rewards and observations are made of."""

import numpy as np
import torch

from engine.model.constants import HINGE, SLIDE


class Chains:
    """Points on a robot, each at the end of a chain of hinges and slides that begins at a body.

    points: [(body, offset (3,)), ...]. base: the body in whose axes they are given, 0 for the world. Chains are filled
    up with joints that do not move to the longest one, so that all are found at once. Raises ValueError where a ball or
    free joint lies in between.
    """

    def __init__(self, model, points, base=0):
        self.model, rows = model, [self._links(model, body, base) for body, _ in points]
        deep = max((len(r) for r in rows), default=0)
        still = (np.zeros(3), np.array([1.0, 0, 0, 0]), np.zeros(3), np.zeros(3), model.nq, False, 0.0)
        rows = [r + [still] * (deep - len(r)) for r in rows]
        self.offset = torch.tensor(np.array([offset for _, offset in points], float).reshape(-1, 3))
        # (deep, points, .), from the base outwards
        parts = [np.array([[r[d][k] for r in rows] for d in range(deep)]) for k in range(7)]
        self.pos, self.anchor, self.axis = (torch.tensor(parts[k].reshape(deep, -1, 3)) for k in (0, 2, 3))
        self.turn = _matrix(torch.tensor(parts[1].reshape(deep, -1, 4)))
        self.at, self.ref = torch.tensor(parts[4].astype(int)), torch.tensor(parts[6].astype(float))
        self.slides = torch.tensor(parts[5].astype(bool))

    @staticmethod
    def _links(m, body, base):
        """[(pos, quat, anchor, axis, qposadr, slides, ref), ...] of a chain, from the base outwards."""
        links, b, one = [], int(body), np.array([1.0, 0, 0, 0])
        while b not in (0, base):
            first = m.body_jntadr[b]
            joints = list(range(first, first + m.body_jntnum[b])) or [None]
            mine = []
            for k, j in enumerate(joints):
                pos, quat = (m.body_pos[b], m.body_quat[b]) if k == 0 else (np.zeros(3), one)
                if j is None:
                    mine.append((pos, quat, np.zeros(3), np.zeros(3), m.nq, False, 0.0))
                    continue
                if m.jnt_type[j] not in (HINGE, SLIDE):
                    raise ValueError(f"{m.label('joint', j)}: got a ball or free joint, allowed: hinges and slides")
                at = int(m.jnt_qposadr[j])
                mine.append((pos, quat, m.jnt_pos[j], m.jnt_axis[j], at, m.jnt_type[j] == SLIDE, m.qpos0[at]))
            links, b = mine + links, int(m.body_parentid[b])
        return links

    def places(self, qpos):
        """(..., points, 3), m, of states (..., nq)."""
        q = torch.cat([qpos, torch.zeros_like(qpos[..., :1])], dim=-1)
        p = self.offset.expand(*qpos.shape[:-1], *self.offset.shape)
        for d in range(len(self.pos) - 1, -1, -1):
            angle = (q[..., self.at[d]] - self.ref[d])[..., None]
            axis, moved = self.axis[d], angle * self.axis[d]
            slides, r = self.slides[d][:, None], p - self.anchor[d]
            a = torch.where(slides, 0.0, angle)
            sine, less = torch.sin(a), 1.0 - torch.cos(a)
            side = torch.linalg.cross(axis.expand_as(r), r, dim=-1)
            r = r + sine * side + less * torch.linalg.cross(axis.expand_as(r), side, dim=-1)
            p = r + self.anchor[d] + torch.where(slides, moved, 0.0)
            p = self.pos[d] + (self.turn[d] @ p[..., None])[..., 0]
        return p


def _matrix(quat):
    """Rotation matrices (..., 3, 3) of quaternions (..., 4) of any length."""
    w, x, y, z = (quat / quat.norm(dim=-1, keepdim=True)).unbind(dim=-1)
    rows = [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y), 2 * (x * y + w * z),
            1 - 2 * (x * x + z * z), 2 * (y * z - w * x), 2 * (x * z - w * y), 2 * (y * z + w * x),
            1 - 2 * (x * x + y * y)]  # fmt: skip
    return torch.stack(rows, dim=-1).reshape(*quat.shape[:-1], 3, 3)


class Trunk:
    """How the trunk of a robot with a root (engine.objectives.find_root) moves, of a free joint or of slides and hinges
    in a plane. Raises ValueError where the root is neither."""

    def __init__(self, model, root):
        m, self.root = model, root
        self.joint = int(m.dof_jntid[root.vx])
        self.body = int(m.jnt_bodyid[self.joint])
        self.free = m.jnt_type[self.joint] not in (HINGE, SLIDE)
        own = range(m.body_jntadr[self.body], m.body_jntadr[self.body] + m.body_jntnum[self.body])
        self.joints = [int(j) for j in own]
        if self.free:
            return
        self.body_turn = _matrix(torch.tensor(np.asarray(m.body_quat[self.body], float)))
        self.z = [int(m.jnt_dofadr[j]) for j in own if m.jnt_qposadr[j] == root.z and m.jnt_type[j] == SLIDE]
        tilts = [j for j in own if m.jnt_type[j] == HINGE]
        if len(tilts) > 1:
            raise ValueError("a trunk on several hinges, allowed: a free joint, or slides and one hinge in a plane")
        self.tilt = tilts[0] if tilts else None
        if self.tilt is not None:
            self.axis = torch.tensor(np.asarray(m.jnt_axis[self.tilt], float))
            self.tilt_q, self.tilt_v = int(m.jnt_qposadr[self.tilt]), int(m.jnt_dofadr[self.tilt])

    def turn(self, qpos):
        """(..., 3, 3): rotation matrices from the trunk's axes to the world's."""
        if self.free:
            return _matrix(qpos[..., self.root.x + 3 : self.root.x + 7])
        if self.tilt is None:
            return self.body_turn.expand(*qpos.shape[:-1], 3, 3)
        half = 0.5 * qpos[..., self.tilt_q, None]
        return self.body_turn @ _matrix(torch.cat([torch.cos(half), torch.sin(half) * self.axis], dim=-1))

    def gyro(self, qvel):
        """(..., 3): angular velocity in the trunk's axes, rad/s."""
        if self.free:
            return qvel[..., self.root.vx + 3 : self.root.vx + 6]
        if self.tilt is None:
            return torch.zeros_like(qvel[..., :1]).expand(*qvel.shape[:-1], 3)
        return qvel[..., self.tilt_v, None] * self.axis

    def velocity(self, qvel):
        """(..., 3): of the trunk's origin in the world, m/s."""
        vx = self.root.vx
        if self.free:
            return qvel[..., vx : vx + 3]
        none = torch.zeros_like(qvel[..., vx])
        return torch.stack([qvel[..., vx], none, qvel[..., self.z[0]] if self.z else none], dim=-1)

    def place(self, qpos):
        """(..., 3): where the root's coordinates say that it is, m; in a plane from its own zero."""
        x, z = self.root.x, self.root.z
        if self.free:
            return qpos[..., x : x + 3]
        none = torch.zeros_like(qpos[..., x])
        return torch.stack([qpos[..., x], none, qpos[..., z] if z >= 0 else none], dim=-1)
