"""Where adjoints of actuators' time constants and curves go, of a simulator that is asked for them (engine/leaves.py).

actuator_dynprm, dynrest, gaincurve and biascurve hold what the laws of activation.py, muscle.py, pid.py and dcmotor.py
take beside gainprm and biasprm.
"""

import taichi as ti

from engine.math.types import real


@ti.func
def add_dyn(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, k: ti.template(), bar: real):
    if m.at_actuator_dynprm >= 0:
        g.actuator_dynprm[w, u, k] = g.actuator_dynprm[w, u, k] + bar


@ti.func
def add_rest(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, k: ti.template(), bar: real):
    if m.at_actuator_dynrest >= 0:
        g.actuator_dynrest[w, u, k - 3] = g.actuator_dynrest[w, u, k - 3] + bar


@ti.func
def add_gain(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, k: ti.template(), bar: real):
    if m.at_actuator_gaincurve >= 0:
        g.actuator_gaincurve[w, u, k] = g.actuator_gaincurve[w, u, k] + bar


@ti.func
def add_bias(m: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, k: ti.template(), bar: real):
    if m.at_actuator_biascurve >= 0:
        g.actuator_biascurve[w, u, k] = g.actuator_biascurve[w, u, k] + bar
