"""MuJoCo's Runge-Kutta step in its parts: of rotations the sums take place in the rotation vector from the start of the
step (engine/dynamics/rk4.py has the formula and its source)."""

import mujoco
import numpy as np

SHARES, WEIGHTS = (0.0, 0.5, 0.5, 1.0), (1, 2, 2, 1)


def rates_of(mj, data, before, h):
    """How fast q, v and act move at a stage that the rates `before` led to in a time h; None where it is the start."""
    velocity = data.qvel.copy()
    for j in np.flatnonzero(np.isin(mj.jnt_type, (0, 1))) if before is not None else ():
        at = mj.jnt_dofadr[j] + 3 * (mj.jnt_type[j] == int(mujoco.mjtJoint.mjJNT_FREE))
        velocity[at : at + 3] = turned(h * before[0][at : at + 3], velocity[at : at + 3])
    return velocity, data.qacc.copy(), data.act_dot.copy()


def turned(u, v):
    """The rate of a rotation vector u, of which the shortest of the same rotation counts, at the angular velocity v in
    the body."""
    angle = np.linalg.norm(u)
    if angle < 1e-6:
        return v + np.cross(u, v) / 2
    short = (angle + np.pi) % (2 * np.pi) - np.pi
    u, angle = u * short / angle, abs(short)
    curve = 1 / angle**2 - (1 + np.cos(angle)) / (2 * angle * np.sin(angle))
    return v + np.cross(u, v) / 2 + curve * np.cross(u, np.cross(u, v))


def mean(rates):
    """That of the four stages, by which the step goes."""
    return tuple(np.average(rate, axis=0, weights=WEIGHTS) for rate in zip(*rates, strict=True))


def further(mj, data, rates, h):
    """MjData after a time h at these rates."""
    velocity, acceleration, act = rates
    mujoco.mj_integratePos(mj, data.qpos, velocity, h)
    data.qvel[:] += h * acceleration
    data.act[:] += h * act


def act_after(mj, start, rate):
    """act after the step, at these rates: states of laws of their own, as bristles, go by the velocity at its start.
    start: MjData of the first stage."""
    other = mujoco.MjData(mj)
    mujoco.mj_copyData(other, mj, start)
    other.act_dot[:] = rate
    mujoco.mj_Euler(mj, other)
    return other.act
