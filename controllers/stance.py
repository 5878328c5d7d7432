"""Stance: how a robot stands, from its model alone: what plans that make it walk aim at, and when it has fallen."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine.model import Model
from engine.model.constants import BALL, BOX, CAPSULE, CHART_QUAT, FREE, PLANE, TRN_JOINT, TRN_TENDON
from engine.model.coordinates import quat_log
from engine.model.orientations import first_of
from engine.objectives import find_root
from engine.simulator import Simulator

SETTLING = 2.0  # s
UPRIGHT = 0.3  # rad: a robot that tilts more than this while it settles does not stand by itself
GRAVITY = 9.81


class Stance:
    """How a robot stands on the ground under its start.

    model; qpos0: where it starts. A robot that comes to rest on its feet when nothing drives it (or its servos hold
    the start's angles) stands as it then does; any other one stands in the pose of its start, lowered or lifted until
    it touches the ground (a plane), as all do without `settle`.

    qpos (nq,): standing. steady: whether it does so by itself. height: of the root above the ground then, m, at least
    0.05. ctrl (nu,): what holds servos there, zero for motors. scale (nu,): half the range of the controls, 1 where
    there is none.
    """

    def __init__(
        self, model: Model, qpos0: Any = None, angle: float = 0.7, drop: float = 0.3, settle: bool = True,
    ) -> None:  # fmt: skip
        m, self.root = model, find_root(model, "standing")
        self.model = model
        self.qpos0 = np.array(m.qpos0 if qpos0 is None else qpos0, float)
        self.angle, self.drop = angle, drop
        self.free = m.jnt_type[m.dof_jntid[self.root.vx]] == FREE
        self.scale = control_scale(m)
        self.ctrl = holding(m, self.qpos0)
        self.qpos = self._lowered(m)
        settled = self._settled(m)
        self.steady = settled is not None
        if self.steady and settle:
            self.qpos, self.ctrl = settled, holding(m, settled)
        self.height = max(self._trunk(m, self.qpos), 0.05)

    def __repr__(self):
        how = "steady" if self.steady else "not steady by itself"
        return f"<Stance of {self.model.name!r}: {how}, height {self.height:.4g} m, qpos {self.qpos.shape}>"

    def upright(self, qpos: ArrayLike) -> Any:
        """Has it not fallen until then? Booleans (rows, worlds) of qpos (rows, worlds, nq).

        It has where its trunk is lower than it stands by more than `drop` times its height, or tilts by more than
        `angle` (rad) from how it stands.
        """
        root, up = self.root, self._tilt(qpos) < self.angle
        if root.z >= 0:
            up &= self.qpos[root.z] - qpos[:, :, root.z] < self.drop * self.height
        return np.logical_and.accumulate(up, axis=0)

    def _tilt(self, qpos):
        """Angle (...) of the trunk to how it stands, however it is turned about the vertical."""
        root = self.root
        if not self.free:
            return np.abs(qpos[..., root.tilt] - self.qpos[root.tilt]).max(axis=-1, initial=0.0)
        at = slice(root.x + 3, root.x + 7)
        up, stood = (_up(q / np.linalg.norm(q, axis=-1, keepdims=True)) for q in (qpos[..., at], self.qpos[at]))
        return np.arccos(np.clip((up * stood).sum(axis=-1), -1.0, 1.0))

    def walking_speed(self, trots: Any = None) -> Any:
        """m/s: of the Froude number v^2 / (g height) 0.2, at which animals of any size walk, or 0.4, a slow trot, of
        one that `trots`, by default a robot that stands by itself (Alexander: The gaits of bipedal and quadrupedal
        animals, IJRR 1984)."""
        trots = self.steady if trots is None else trots
        return float(np.sqrt((0.4 if trots else 0.2) * GRAVITY * self.height))

    def _lowered(self, m):
        """The start, its lowest point moved to the plane that it can touch; as it is where there is none."""
        qpos, gap = self.qpos0.copy(), _gap(m, self.qpos0)
        if self.root.z >= 0 and np.isfinite(gap):
            qpos[self.root.z] -= gap
        return qpos

    def _settled(self, m):
        """qpos at rest after `SETTLING`, back over the start's place; None where it did not come to rest upright."""
        sim, root = Simulator(m), self.root
        sim.reset(self.qpos)
        sim.data.ctrl[0] = self.ctrl
        sim.advance(max(1, round(SETTLING / m.opt.timestep)))
        qpos, qvel = sim.data.qpos[0].copy(), sim.data.qvel[0]
        if not np.isfinite(qpos).all() or np.abs(qvel).max() > 0.1:
            return None
        if self._tilt(qpos) > UPRIGHT or self._lies(m, sim):
            return None
        kept = [root.x, *((root.x + 1, *range(root.x + 3, root.x + 7)) if self.free else root.tilt)]
        qpos[kept] = self.qpos[kept]
        return qpos

    def _lies(self, m, sim):
        """Whether the trunk itself touches the ground: it is no stance then."""
        trunk, contacts = m.body_weldid[m.jnt_bodyid[m.dof_jntid[self.root.vx]]], sim.data.contacts()
        pair = np.stack([contacts["geom1"], contacts["geom2"]], axis=1)
        on_ground = (m.geom_type[pair] == PLANE).any(axis=1)
        return bool((on_ground & (m.body_weldid[m.geom_bodyid[pair]] == trunk).any(axis=1)).any())

    def _trunk(self, m, qpos):
        """Height of the root above the ground: above the plane, else the lowest point of the start's pose."""
        sim = Simulator(m)
        sim.reset(qpos)
        sim.forward()
        body = m.jnt_bodyid[m.dof_jntid[self.root.vx]]
        ground = _ground(m, sim)
        return float(sim.data.xpos[0, body, 2] - (0.0 if ground is None else ground))


def control_scale(model):
    """(nu,): half the range of each control, 1 where there is none."""
    lo, hi = model.actuator_ctrlrange.T
    return np.where(np.asarray(model.actuator_ctrllimited, bool), 0.5 * (hi - lo), 1.0)


def holding(model, qpos):
    """(nu,): controls at which servos of joints and tendons hold these joint angles, within their range; zero for
    others, as between sites."""
    m = model
    bias = m.actuator_biasprm
    on_tendon = m.actuator_trntype == TRN_TENDON
    on_joint = m.actuator_trntype == TRN_JOINT
    tendons = _lengths(m, qpos) if on_tendon.any() else np.zeros(1)
    joints = qpos[m.jnt_qposadr[np.where(on_joint, m.actuator_trnid, 0)]]
    at = np.where(on_tendon, tendons[np.where(on_tendon, m.actuator_trnid, 0)], joints) * m.actuator_gear[:, 0]
    for u in np.flatnonzero(on_joint):
        kind, first = m.jnt_type[m.actuator_trnid[u]], m.jnt_qposadr[m.actuator_trnid[u]]
        if kind in (BALL, FREE):  # of which the former alone has a length, that of its turn
            turn = quat_log(np.array([1.0, 0, 0, 0]), qpos[first : first + 4]) if kind == BALL else np.zeros(3)
            at[u] = m.actuator_gear[u, :3] @ turn
    gain = m.actuator_gainprm[:, 0] * (on_joint | on_tendon)
    ctrl = np.where((bias[:, 1] != 0) & (gain != 0), -(bias[:, 0] + bias[:, 1] * at) / np.where(gain, gain, 1.0), 0.0)
    for u in np.flatnonzero(on_joint & (first_of(m) == np.arange(m.nu))):
        first = m.jnt_qposadr[m.actuator_trnid[u]]
        whole = m.actuator_inputs[u] == CHART_QUAT
        ctrl[u : u + 3 + whole] = qpos[first : first + 4] if whole else at[u : u + 3]
    lo, hi = m.actuator_ctrlrange.T
    return np.where(np.asarray(m.actuator_ctrllimited, bool), np.clip(ctrl, lo, hi), ctrl)


def _lengths(m, qpos):
    """(ntendon,): the tendons' lengths there."""
    sim = Simulator(m)
    sim.reset(qpos)
    sim.forward()
    return sim.data.ten_length[0].copy()


def _ground(m, sim):
    """Height of the plane that lies level and can be touched; None where there is none."""
    for g in np.flatnonzero(m.geom_type == PLANE):
        if ((m.pair_geom1 == g) | (m.pair_geom2 == g)).any() and sim.data.geom_xquat[0, g, 1:3].any() == 0:
            return float(sim.data.geom_xpos[0, g, 2])
    return None


def _gap(m, qpos):
    """Distance of the lowest point of the geoms that can touch the level plane from it; inf where there is none."""
    sim = Simulator(m)
    sim.reset(qpos)
    sim.forward()
    ground, lowest = _ground(m, sim), np.inf
    if ground is None:
        return np.inf
    for a, b in zip(m.pair_geom1, m.pair_geom2, strict=True):
        for g, other in ((a, b), (b, a)):
            if m.geom_type[other] == PLANE and m.geom_type[g] != PLANE:
                lowest = min(lowest, sim.data.geom_xpos[0, g, 2] - _reach_down(m, g, sim.data.geom_xquat[0, g]))
    return lowest - ground


def _reach_down(m, g, quat):
    """How far a geom reaches below its centre."""
    down, size = _up(quat), m.geom_size[g]
    if m.geom_type[g] == BOX:
        return float(np.abs(down) @ size)
    return float(size[0] + (abs(down[2]) * size[1] if m.geom_type[g] == CAPSULE else 0.0))


def _up(quat):
    """The world's z axis in the axes of unit quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(quat, -1, 0)
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1)
