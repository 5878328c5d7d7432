"""The pose in which a robot's weight stands highest, where gravity pulls at no joint: what there is to balance in."""

import numpy as np

from controllers.tasks.kinematics import ranges
from engine.model import ModelError
from engine.model.constants import HINGE
from engine.simulator import Simulator

STARTS = 64
ROUNDS = 200
SAME = 1e-7  # of the height: poses that differ by less are as high
STRIDE = 0.3  # rad or m, of the first rounds


def extreme_pose(model, qpos, lowest=False, seed=0):
    """qpos (nq,): where the potential of gravity and springs is greatest, or least, over the hinges; slides and what a
    quaternion turns stay as in `qpos`. Of several such poses the one next to `qpos`.

    Raises ModelError where gravity pulls at no hinge.
    """
    m = model
    dofs = [int(m.jnt_dofadr[j]) for j in np.flatnonzero(m.jnt_type == HINGE)]
    sim, sign = Simulator(m, STARTS), -1.0 if lowest else 1.0
    at, low, high = ranges(m, dofs)
    bounded = np.isfinite(low) & np.isfinite(high)
    rng = np.random.default_rng(seed)
    low_, high_ = np.where(bounded, low, qpos[at] - np.pi), np.where(bounded, high, qpos[at] + np.pi)
    q = np.tile(np.asarray(qpos, float), (STARTS, 1))
    q[1:, at] = rng.uniform(low_, high_, (STARTS, len(dofs)))[1:]
    stride = np.full(STARTS, STRIDE)
    slope = None
    for _ in range(ROUNDS):
        sim.reset(q)
        sim.forward()
        now = sign * (sim.data.qfrc_bias - sim.data.qfrc_passive)[:, dofs]  # d potential / d q
        if slope is None and np.abs(now).max(initial=0.0) < 1e-6 * max(float(m.body_mass.sum()), 1e-9):
            raise ModelError("balancing needs hinges at which gravity pulls; this model has none")
        if slope is not None:
            turned = (now * slope).sum(axis=1) < 0  # beyond the top
            stride = np.where(turned, 0.5 * stride, 1.05 * stride)
        slope = now
        length = np.abs(now).max(axis=1, keepdims=True)
        q[:, at] = np.clip(q[:, at] + stride[:, None] * now / np.maximum(length, 1e-12), low, high)
    height = sign * height_of(m, sim, q)
    best = np.flatnonzero(height >= height.max() - SAME * np.abs(height).max())
    round_ = at[~bounded]
    q[:, round_] = qpos[round_] + (q[:, round_] - qpos[round_] + np.pi) % (2 * np.pi) - np.pi
    return q[best[np.argmin(np.abs(q[best][:, at] - qpos[at]).max(axis=1))]]


def from_upright(model, qpos, goal):
    """rad, (rows,): the most by which a hinge is off its place in `goal` (nq,), of qpos (rows, nq). A hinge without a
    range is where it was after a whole turn."""
    hinges = np.flatnonzero(model.jnt_type == HINGE)
    off = (qpos - goal)[:, model.jnt_qposadr[hinges]]
    round_ = ~np.asarray(model.jnt_limited, bool)[hinges]
    return np.abs(np.where(round_, (off + np.pi) % (2 * np.pi) - np.pi, off)).max(axis=1)


def height_of(m, sim, q):
    """(worlds,): the potential of gravity, J, of rows of qpos."""
    sim.reset(q)
    sim.forward()
    return -(sim.data.xipos @ np.asarray(m.opt.gravity)) @ np.asarray(m.body_mass)
