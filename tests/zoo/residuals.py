"""A robot with all kinds of joints, actuators with states, a ball that meets the floor, and all kinds of residuals."""

import numpy as np

import engine
from engine.parts import RESIDUAL_MLP

LIMBS = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.005" integrator="{integrator}"/>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1"/>
    <body name="a" pos="0 0 0.6">
      <joint name="shoulder" type="ball" damping="0.1"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.05"/>
      <body name="b" pos="0.3 0 0">
        <joint name="rail" type="slide" axis="1 0.5 0" damping="0.5"/>
        <joint name="elbow" axis="0 1 0" damping="0.2"/>
        <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.04"/>
      </body>
    </body>
    <body name="ball" pos="0.2 0.1 0.095"><freejoint name="ball"/><geom size="0.1"/></body>
  </worldbody>
  <actuator>
    <general name="slow" joint="elbow" dyntype="filter" dynprm="0.05" gainprm="5" biastype="affine"
      biasprm="0 -1 -0.3"/>
    <position name="quick" joint="rail" kp="3" kv="0.4"/>
  </actuator>
</mujoco>
"""
JOINTS = ["shoulder", "rail", "elbow", "ball"]


def friction(model):
    """A Friction of its rail, whose servo's force is its load."""
    return engine.residuals.Friction(model, ["rail"], 0.5, 0.3, load=0.2)


def limbs(integrator="Euler", bare=False):
    """The Model: `bare`, without residuals; else with one of each kind, whose weights are far from zero."""
    model = engine.load(LIMBS.format(integrator=integrator))
    if bare:
        return model
    seen = ["qpos", "qvel", "act", ("ctrl", "slow"), ("ctrl", "quick"), ("sin_qpos", "elbow"), ("cos_qpos", "elbow"),
            ("up", "shoulder")]  # fmt: skip
    made = engine.residuals.MLP(model, seen, JOINTS, hidden=(7, 5))
    seen = ["qvel", ("speed", "elbow"), ("qpos", "elbow")]
    made = engine.residuals.MLP(made.model, seen, JOINTS, hidden=(6,), passive=True)
    made = engine.residuals.MLP(made.model, [("qvel", "elbow")], ["elbow", "rail"], hidden=(), passive=0.3)
    rubs = friction(engine.residuals.Friction(made.model, ["elbow"], 0.3, 0.4).model)
    made = engine.residuals.MLP(rubs.model, ["qpos", "ctrl"], ["elbow", "rail"], hidden=(4,), power=0.05)
    rng, learned = np.random.default_rng(3), np.isin(made.model.residual_kind, RESIDUAL_MLP)
    learned = np.repeat(learned, made.model.residual_prmnum)
    made.model.residual_prm[learned] = 0.5 * rng.normal(size=learned.sum())
    made.params[:] = 2.0 * rng.normal(size=made.params.shape)  # whose power meets its bound
    return made.model
