"""The limit of a hinge or slide on the sum of actuator forces that act on it (MJCF's actuatorfrcrange)."""

import taichi as ti

from engine.compiler.features import serves
from engine.math.types import real


@serves("actfrc")
@ti.func
def clamp_joint_forces(m: ti.template(), d: ti.template(), w: ti.i32):
    for j in range(m.njnt):
        if m.jnt_actfrclimited[j] and m.nu > 0:  # without actuators MuJoCo asks no joint
            i = m.jnt_dofadr[j]
            f = d.qfrc_actuator[w, i]
            d.qfrc_actuator[w, i] = ti.min(ti.max(f, m.jnt_actfrcrange[j, 0]), m.jnt_actfrcrange[j, 1])


@serves("actfrc")
@ti.func
def force_slope(m: ti.template(), d: ti.template(), w: ti.i32, i: ti.i32):
    """d qfrc_actuator / d (what actuators exert) at dof i: 1, or 0 at the ends of its joint's limit and beyond.

    Expects qfrc_actuator after the limit; a force that is an end by itself counts as limited.
    """
    s = real(1.0)
    j = m.dof_jntid[i]
    if m.jnt_actfrclimited[j]:
        f = d.qfrc_actuator[w, i]
        if f <= m.jnt_actfrcrange[j, 0] or f >= m.jnt_actfrcrange[j, 1]:
            s = 0.0
    return s
