"""The two scenes that Gymnasium does not have, as MJCF, and Gymnasium's own files."""

from pathlib import Path

import numpy as np
import pytest

from engine.model.constants import DISCRETE
from engine.model.fields import FIELDS
from engine.model.pairs import contact_parameters
from engine.model.rotation import quat_to_mat

SEED = 5
GYMNASIUM = {
    "cartpole": ("InvertedPendulum-v5", "inverted_pendulum.xml"),
    "hopper": ("Hopper-v5", "hopper.xml"),
    "half_cheetah": ("HalfCheetah-v5", "half_cheetah.xml"),
    "walker2d": ("Walker2d-v5", "walker2d_v5.xml"),
    "ant": ("Ant-v5", "ant.xml"),
    "humanoid_run": ("Humanoid-v5", "humanoid.xml"),
}

PENDULUM = """
<mujoco>
  <option timestep="0.005" integrator="RK4"/>
  <worldbody>
    <body pos="0 0 0.9">
      <joint name="hinge" axis="0 1 0" damping="0.01"/>
      <geom size="0.04" mass="0.1"/>
      <geom type="capsule" fromto="0 0 0 0 0 -0.6" size="0.02" mass="0.2"/>
      <geom size="0.07" pos="0 0 -0.6" mass="0.5"/>
    </body>
  </worldbody>
  <actuator> <motor joint="hinge" ctrlrange="-1 1" gear="1.2"/> </actuator>
</mujoco>
"""

# The bars touch the ball (radius 0.05) at a distance 0.062 from its middle: 0.062 cos 45 = 0.0438406204, and for the
# outer one 0.062 cos 15 = 0.0598874 and 0.062 sin 15 = 0.0160468.
BALL_TOSS = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.002"/>
  <default>
    <geom type="capsule" contype="0" conaffinity="0"/>
    <joint axis="0 1 0" damping="0.05" armature="0.01"/>
    <motor ctrlrange="-1 1"/>
    <default class="bar"> <geom size="0.012" mass="0.01" contype="2" friction="0.5"/> </default>
  </default>
  <worldbody>
    <geom type="plane" size="40 40 40" contype="1"/>
    <body pos="0 0 0.8">
      <joint name="shoulder" range="0 1"/>
      <geom type="sphere" size="0.05" mass="0.2"/>
      <geom fromto="0 0 0 -0.55 0 0" size="0.03" mass="0.5"/>
      <body pos="-0.55 0 0">
        <joint name="wrist" range="0 1.2"/>
        <geom fromto="0 0 0 -0.1761593796 0 0" size="0.02" mass="0.08"/>
        <geom class="bar" fromto="-0.2638406204 0.0438406204 0 -0.1761593796 0.0438406204 0"/>
        <geom class="bar" fromto="-0.2638406204 -0.0438406204 0 -0.1761593796 -0.0438406204 0"/>
        <geom class="bar" fromto="-0.1761593796 -0.0438406204 0 -0.1761593796 0.0438406204 0"/>
        <geom class="bar" fromto="-0.2798874012 -0.0438406204 0.0277938396 -0.2798874012 0.0438406204 0.0277938396"/>
      </body>
    </body>
    <body pos="-0.77 0 0.8438406204">
      <freejoint name="ball"/>
      <geom type="sphere" size="0.05" mass="0.15" conaffinity="3"/>
    </body>
  </worldbody>
  <actuator>
    <motor joint="shoulder" gear="12"/>
    <motor joint="wrist" gear="2"/>
  </actuator>
</mujoco>
"""


def asset(name):
    """Path of the MJCF file that Gymnasium uses for one of our scenes."""
    gymnasium = pytest.importorskip("gymnasium")
    return Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / GYMNASIUM[name][1]


def environment(name, **options):
    """Gymnasium's environment, reset with a seed; skips where its extra "mujoco" is not installed completely."""
    gymnasium = pytest.importorskip("gymnasium")
    pytest.importorskip("gymnasium.envs.mujoco", exc_type=ImportError)
    env = gymnasium.make(GYMNASIUM[name][0], **options).unwrapped
    env.reset(seed=SEED)
    return env


def inertias(model):
    """Inertia matrices of the bodies in their own axes, (nbody, 3, 3)."""
    turn = np.array([quat_to_mat(quat) for quat in model.body_iquat])
    return turn @ (model.body_inertia[:, :, None] * turn.transpose(0, 2, 1))


def assert_same_motion(model, reference, geoms, rtol=1e-9, atol=1e-12):
    """All that moves a robot is equal: every array but sites, sensors and colours, and every option.

    Geoms that touch nothing need not be there: then `geoms` is false, and the pairs are compared without numbers. Of a
    body with an axis of symmetry any principal axes will do, so inertias are compared as matrices.
    """
    np.testing.assert_allclose(inertias(model), inertias(reference), rtol=rtol, atol=atol, err_msg="inertias")
    left_out = {"nsite", "nsensor"} | (set() if geoms else {"ngeom"})
    numbers = () if geoms else ("pair_geom1", "pair_geom2")
    for name, (size, _, _) in FIELDS.items():
        if size not in left_out and not name.endswith("rgba") and name not in (*numbers, "body_iquat"):
            ours, theirs = getattr(model, name), getattr(reference, name)
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol, err_msg=name)
    theirs = contact_parameters(reference)
    for name, ours in contact_parameters(model).items():
        np.testing.assert_allclose(ours, theirs[name], rtol=rtol, atol=atol, err_msg=f"{name} of pairs")
    for name, value in vars(reference.opt).items():
        if name != "solver" or reference.opt.integrator == DISCRETE:  # which alone asks
            np.testing.assert_array_equal(getattr(model.opt, name), value, err_msg=name)
    assert model.joint_names == reference.joint_names
