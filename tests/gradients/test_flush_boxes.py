"""Boxes that lie flush have finite gradients, though rounding has edges pass through the sides that they lie in."""

import mujoco
import numpy as np

import engine

PADS = """<mujoco><option gravity="0 0 0"/><worldbody><body><freejoint/>
  <inertial pos="0 0 0" mass=".1" diaginertia="1e-4 1e-4 1e-4"/>
  <body pos="0 .004 0"><joint type="slide" axis="0 1 0"/><geom type="box" size=".0085 .004 .0085"/></body>
  <body pos="0 -.004 0" quat="0 0 0 1"><joint type="slide" axis="0 1 0"/>
  <geom type="box" size=".0085 .004 .0085"/></body>
  </body></worldbody></mujoco>"""


def test_pads_that_are_closed(simulators):
    """Of a gripper: two equal boxes whose faces coincide, turned anyhow."""
    mj, sim = simulators(PADS, mujoco.mjtIntegrator.mjINT_EULER)
    tape, rng, touched = engine.Tape(sim, 1), np.random.default_rng(0), 0
    for _ in range(100):
        qpos, turn = np.zeros(mj.nq), rng.normal(size=4)
        qpos[:3], qpos[3:7] = rng.normal(size=3), turn / np.linalg.norm(turn)
        sim.reset(qpos, np.zeros(mj.nv))
        tape.rollout(np.zeros((1, 0)))
        touched += sim.data.ncon[0] > 0
        grads = tape.backward(qpos=rng.normal(size=(2, 1, mj.nq)), qvel=rng.normal(size=(2, 1, mj.nv)))
        assert np.isfinite(grads.qpos0).all() and np.abs(grads.qpos0).max() < 1e6
    assert touched > 50
