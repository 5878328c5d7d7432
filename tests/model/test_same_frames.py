"""Frames that MuJoCo takes for one another, less than 1e-6 apart, are one here, too."""

import mujoco
import numpy as np
import pytest

from engine.model import load
from engine.model.rotation import quat_mul, quat_to_mat

ONES = """<mujoco><worldbody><body pos="1 2 3" euler="10 20 30"><freejoint/>
<inertial pos="{com}" quat="{axes}" mass="1" diaginertia="1 2 2.5"/>
<geom name="as the inertia" type="box" size=".1 .2 .3" pos="4e-7 .1 0" quat=".8 .6000001 0 0"/>
<geom name="turned as it" type="box" size=".1 .2 .3" pos="1 .1 0" quat="-.8 -.6000001 0 0"/>
<geom name="as the body" type="box" size=".1 .2 .3" pos="0 0 3e-7" quat="1 0 2e-7 0"/>
<geom name="turned as the body" type="box" size=".1 .2 .3" pos="0 1 0" quat="1 0 0 -2e-7"/>
<geom name="of its own" type="box" size=".1 .2 .3" pos="3e-6 .1 0" quat=".8 .600003 0 0"/>
<site name="s" type="box" size=".1 .2 .3" pos="4e-7 .1 0" quat=".8 .6000001 0 0"/></body></worldbody></mujoco>"""


@pytest.mark.parametrize(
    ("com", "axes"), (("0 .1 0", ".8 .6 0 0"), ("0 2e-7 0", "1 1e-7 0 0"), ("0 .1 0", "1 1e-7 0 0"))
)
def test_places_are_those_of_mujoco(com, axes):
    mj = mujoco.MjModel.from_xml_string(ONES.format(com=com, axes=axes))
    data, m = mujoco.MjData(mj), load(mj)
    mujoco.mj_forward(mj, data)
    frames = [(m.body_ipos, m.body_iquat, range(m.nbody), data.xipos, data.ximat)]
    frames += [(getattr(m, f"{word}_pos"), getattr(m, f"{word}_quat"), getattr(m, f"{word}_bodyid"),
                getattr(data, f"{word}_xpos"), getattr(data, f"{word}_xmat")) for word in ("geom", "site")]  # fmt: skip
    for pos, quat, owner, there, turned in frames:
        for k, b in enumerate(owner):
            place = data.xpos[b] + quat_to_mat(data.xquat[b]) @ pos[k]
            np.testing.assert_allclose(place, there[k], rtol=0, atol=1e-14)
            np.testing.assert_allclose(quat_to_mat(quat_mul(data.xquat[b], quat[k])).ravel(), turned[k], atol=1e-14)


def test_what_is_changed_in_an_mjmodel_counts():
    mj = mujoco.MjModel.from_xml_string(ONES.format(com="0 .1 0", axes=".8 .6 0 0"))
    mj.geom_pos[0] += 0.1
    np.testing.assert_array_equal(load(mj).geom_pos[0], mj.geom_pos[0])
