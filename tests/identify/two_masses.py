"""Two masses on equal springs upon a driven cart whose encoder is all that is logged: exchanged, they log the same."""

import mujoco
import numpy as np

import engine
from engine.identify import Log, Posterior, Uniform

XML = """<mujoco><option timestep="0.01" integrator="implicitfast"/><worldbody>
<body name="cart"><joint name="cart" type="slide" axis="1 0 0" damping="0.5" stiffness="20"/>
 <geom type="box" size=".2 .1 .05" mass="1" contype="0" conaffinity="0"/>
 <body name="left" pos="0 .2 0"><joint name="left" type="slide" axis="1 0 0" stiffness="30" damping="0.3"/>
  <geom size=".05" mass="0.8" contype="0" conaffinity="0"/></body>
 <body name="right" pos="0 -.2 0"><joint name="right" type="slide" axis="1 0 0" stiffness="30" damping="0.3"/>
  <geom size=".05" mass="0.8" contype="0" conaffinity="0"/></body>
</body></worldbody><actuator><motor name="push" joint="cart"/></actuator></mujoco>"""
TRUTH = np.array([0.4, 1.1])
NOISE = 2e-3


def model(masses=None):
    mj = mujoco.MjModel.from_xml_string(XML)
    if masses is not None:
        mj.body_mass[2:] = masses
    return engine.load(mj)


def log(masses=TRUTH, steps=200, seed=0):
    """Its encoder, by MuJoCo."""
    mj = mujoco.MjModel.from_xml_string(XML)
    mj.body_mass[2:] = masses
    data, t = mujoco.MjData(mj), 0.01 * np.arange(steps)
    push, shown = 3.0 * np.sin(2 * np.pi * (0.4 * t + 0.4 * t**2)), np.empty(steps)
    for k in range(steps):
        shown[k], data.ctrl[0] = data.qpos[0], push[k]
        mujoco.mj_step(mj, data)
    shown += NOISE * np.random.default_rng(seed).normal(size=steps)
    return Log({"cart": (t, shown), "ctrl:push": (t, push)}, "a cart")


def posterior(particles=16, **more):
    masses = {"body_mass:left": Uniform(0.1, 2.0), "body_mass:right": Uniform(0.1, 2.0)}
    return Posterior(model(), log(**more), masses, noise=NOISE, start="known", particles=particles)
