"""The controller with which searches begin that make a robot run: a PD on a CPG, drawn around small smooth motions."""

import numpy as np

from controllers.cpg import CPG
from controllers.pd import PD
from engine.model import ModelError
from engine.model.constants import HINGE, SLIDE, TRN_JOINT


def gait_controller(model, worlds, rng, kp=1.0, kd=0.1):
    """A PD tracking a CPG, one row of parameters per world, drawn around small smooth motions."""
    on_joints = model.actuator_trnid[model.actuator_trntype == TRN_JOINT]
    usable = [j for j in on_joints if model.jnt_type[j] in (HINGE, SLIDE)]
    if len(usable) < model.nu or not model.nu:
        raise ModelError("the gait controller needs an actuator on hinge or slide joints for every control")
    cpg = CPG(model.nu)
    controller = PD(model, kp=kp, kd=kd).tracking(cpg)
    rows = np.tile(controller.params, (worlds, 1))
    nu = model.nu
    rows[:, 0] = 2 * np.pi * rng.uniform(1.5, 3.5, worlds)
    rows[:, 1 : 1 + nu] = rng.uniform(0.1, 0.4, (worlds, nu))
    rows[:, 1 + nu : 1 + 2 * nu] = rng.uniform(-np.pi, np.pi, (worlds, nu))
    rows[:, 1 + 2 * nu : 1 + 3 * nu] = rng.uniform(-0.1, 0.1, (worlds, nu))
    controller.params = rows
    scale = np.ones(rows.shape[1])
    scale[0] = scale[1 + nu : 1 + 2 * nu] = 2.0  # frequency and phase move further than angles
    return controller, scale
