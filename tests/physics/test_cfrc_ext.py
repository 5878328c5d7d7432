"""External forces on bodies against MuJoCo's cfrc_ext: contacts between bodies and with the world, applied forces."""

import mujoco
import numpy as np
import pytest

XML = """
<mujoco>
  <option cone="{cone}"/>
  <worldbody>
    <geom type="plane" size="5 5 1"/>
    <body pos="0 0 0.19"> <freejoint/> <geom type="box" size="0.3 0.3 0.2"/>
      <body pos="0.5 0 0"> <joint axis="0 1 0"/> <geom type="capsule" fromto="0 0 0 0.4 0 -0.18" size="0.05"/> </body>
    </body>
    <body pos="0.05 0.1 0.48"> <freejoint/> <geom size="0.1"/> </body>
    <body pos="0 2 1"> <freejoint/> <geom size="0.1"/> </body>
  </worldbody>
</mujoco>
"""


@pytest.mark.parametrize("cone", ["pyramidal", "elliptic"])
def test_cfrc_ext(cone, simulators):
    mj, sim = simulators(XML.format(cone=cone), worlds=2)
    rng = np.random.default_rng(0)
    md = mujoco.MjData(mj)
    sim.reset(qvel=0.3 * rng.normal(size=(2, mj.nv)))
    sim.data.xfrc_applied[1] = rng.normal(size=(mj.nbody, 6))
    touching = 0
    for _ in range(20):
        sim.step(3)
        before = {n: getattr(sim.data, n).copy() for n in ("qpos", "qvel")}
        sim.forward()
        ours = sim.cfrc_ext()
        for w in range(2):
            md.qpos, md.qvel, md.xfrc_applied = before["qpos"][w], before["qvel"][w], sim.data.xfrc_applied[w]
            mujoco.mj_forward(mj, md)
            mujoco.mj_rnePostConstraint(mj, md)
            theirs = md.cfrc_ext[1:]
            np.testing.assert_allclose(ours[w, 1:], theirs, rtol=0, atol=1e-6 * max(np.abs(theirs).max(), 1.0))
            touching += md.ncon
    assert touching > 100
