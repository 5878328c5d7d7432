"""What is drawn at one instant of one world, as plain arrays: poses, contacts, limits of joints, pushes.

Nothing here knows the browser. Lengths are metres in the axes of the world.
"""

from dataclasses import dataclass

import numpy as np

from engine.model.constants import BALL, HINGE, SLIDE
from engine.view.cords import cords
from engine.view.exits import way_out
from engine.view.extent import leading_body, moves, robot_size
from engine.view.marks import marks

__all__ = ["Frame", "frame", "frames_of", "joint_limits", "leading_body", "robot_size"]

_ARC_STEP = np.radians(12.0)
_LIMIT_TOLERANCE = 1e-3  # a joint that rests on its limit gives by about this, rad or m


@dataclass(frozen=True)
class Frame:
    """One instant of one world.

    xpos (nbody, 3), xquat (nbody, 4): poses of the bodies. contact_pos (n, 3). contact_force (n, 3): N, on the robot.
    contact_clear (n,): how far a force's direction leads through the geom that it pushes.
    range_lines (m, 2, 3): the ranges of the limited joints; limit_lines (k, 2, 3): those of joints at a limit.
    push_pos, push (b, 3): centres of mass, and the pushes wanted there, as long as the longest is 1. marks (l, 2, 3):
    lines of equality constraints and of mocap bodies. cords (t, 2, 3): those of tendons.
    """

    xpos: np.ndarray
    xquat: np.ndarray
    contact_pos: np.ndarray
    contact_force: np.ndarray
    contact_clear: np.ndarray
    range_lines: np.ndarray
    limit_lines: np.ndarray
    push_pos: np.ndarray
    push: np.ndarray
    marks: np.ndarray
    cords: np.ndarray


def frames_of(model, seen, pushes=None):
    """Frames of every row of a Replay; `pushes` (rows, nbody, 3) as `engine.replay.pushes` gives them."""
    size = robot_size(model)
    return [
        frame(
            model, size, seen.xpos[k], seen.xquat[k], seen.xipos[k], seen.dof_ang[k], seen.dof_lin[k], seen.qpos[k],
            seen.contacts[k], None if pushes is None else pushes[k], seen.eq_active,
        )
        for k in range(len(seen.time))
    ]  # fmt: skip


def frame(model, size, xpos, xquat, xipos, dof_ang, dof_lin, qpos, contacts, push=None, eq_active=None):
    """A Frame from the poses, axes, coordinates and contacts of one world (those of a Replay's row). eq_active (neq,):
    which equality constraints act; by default those that act at first."""
    ranges, limits = joint_limits(model, size, xpos, xquat, xipos, dof_ang, dof_lin, qpos)
    second = moves(model)[model.geom_bodyid[contacts["geom2"]]]
    force = contacts["force"] * np.where(second, 1.0, -1.0)[:, None]
    pushed = np.where(second, contacts["geom2"], contacts["geom1"])
    clear = [way_out(model, g, xpos, xquat, *at) for g, *at in zip(pushed, contacts["pos"], force, strict=True)]
    push_pos, push = _largest_first(model, xipos, push)
    lines = marks(model, size, xpos, xquat, eq_active)
    return Frame(
        xpos, xquat, contacts["pos"], force, np.array(clear), ranges, limits, push_pos, push, lines,
        cords(model, xpos, xquat),
    )  # fmt: skip


def joint_limits(model, size, xpos, xquat, xipos, dof_ang, dof_lin, qpos):
    """Lines (n, 2, 3) of the ranges of limited hinges and slides, and those of the joints at a limit.

    A hinge has an arc about its axis, and a spoke where the joint is now: at a limit the spoke is at the arc's end.
    """
    ranges, limits = [], []
    for j in np.flatnonzero(model.jnt_limited):
        dof, body, x = model.jnt_dofadr[j], model.jnt_bodyid[j], qpos[model.jnt_qposadr[j]]
        anchor = xpos[body] + _rotate(xquat[body], model.jnt_pos[j])
        low, high = model.jnt_range[j]
        kind = model.jnt_type[j]
        if kind == HINGE:
            spoke = _across(dof_ang[dof], xipos[body] - anchor) * 0.12 * size
            lines = _arc(anchor, dof_ang[dof], spoke, low - x, high - x)
        elif kind == SLIDE:
            axis = dof_lin[dof]
            ends = np.stack([anchor + axis * (low - x), anchor + axis * (high - x)])
            tick = _across(axis, np.array([0.0, 0.0, 1.0])) * 0.04 * size
            lines = np.concatenate([ends[None], np.stack([ends - tick, ends + tick], axis=1)])
        elif kind == BALL:
            x, low = 2.0 * np.arccos(min(abs(qpos[model.jnt_qposadr[j]]), 1.0)), -np.inf
            axis = dof_ang[dof + 2]
            lines = _arc(anchor, axis, _across(axis, np.ones(3)) * 0.12 * size, -np.pi, np.pi)
        else:
            continue
        tolerance = model.jnt_margin[j] + _LIMIT_TOLERANCE
        (limits if x < low + tolerance or x > high - tolerance else ranges).append(lines)
    return tuple(np.concatenate(lines) if lines else np.zeros((0, 2, 3)) for lines in (ranges, limits))


def _largest_first(model, xipos, push):
    """Pushes at moving bodies of more than a twentieth of the largest, in units of the largest."""
    if push is None:
        return np.zeros((0, 3)), np.zeros((0, 3))
    length = np.linalg.norm(push, axis=1) * moves(model)
    largest = length.max()
    if not largest > 0.0:
        return np.zeros((0, 3)), np.zeros((0, 3))
    shown = np.flatnonzero(length > 0.05 * largest)
    return xipos[shown], push[shown] / largest


def _arc(anchor, axis, spoke, start, stop):
    """Lines along spoke turned about a unit axis from angle start to stop, with the spoke itself and the two ends."""
    start, stop = max(start, -2.0 * np.pi), min(stop, 2.0 * np.pi)
    angles = np.linspace(start, stop, max(2, int(np.ceil((stop - start) / _ARC_STEP)) + 1))
    turned = spoke * np.cos(angles)[:, None] + np.cross(axis, spoke) * np.sin(angles)[:, None]
    rim = anchor + turned
    ends = np.stack([anchor + 0.75 * turned[[0, -1]], rim[[0, -1]]], axis=1)
    return np.concatenate([np.stack([rim[:-1], rim[1:]], axis=1), ends, [[anchor, anchor + spoke]]])


def _across(axis, towards):
    """Unit vector across a unit axis, as near as can be to `towards`."""
    across = towards - axis * (axis @ towards)
    if np.linalg.norm(across) < 1e-6 * (1.0 + np.linalg.norm(towards)):
        other = np.eye(3)[np.argmin(np.abs(axis))]
        across = other - axis * (axis @ other)
    return across / np.linalg.norm(across)


def _rotate(quat, v):
    t = 2.0 * np.cross(quat[1:], v)
    return v + quat[0] * t + np.cross(quat[1:], t)
