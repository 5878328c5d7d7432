"""The judge of steps that hang on rounding (tests/whose.py): ours must be one of those that MuJoCo takes."""

from types import SimpleNamespace

import mujoco
import numpy as np
import pytest

from tests.whose import nearest

BALL = """<mujoco><worldbody><geom type="plane" size="1 1 1"/><body><joint type="slide" axis="0 0 1"/>
<geom size=".125"/></body></worldbody></mujoco>"""


def stepped(mj, start, z):
    """What `sim.data` would be after a step from a height."""
    data = mujoco.MjData(mj)
    mujoco.mj_copyData(data, mj, start)
    data.qpos[0] = z
    mujoco.mj_step(mj, data)
    return SimpleNamespace(qpos=data.qpos[None].copy(), qvel=data.qvel[None].copy(), act=np.zeros((1, 0)))


@pytest.mark.parametrize("height", (0.125, 0.2), ids=("just touching", "in the air"))
def test_only_rounding_is_excused(height):
    mj = mujoco.MjModel.from_xml_string(BALL)
    start = mujoco.MjData(mj)
    start.qpos[0], start.qvel[0] = height, -1.0
    ends = [stepped(mj, start, z) for z in (height - 1e-15, height + 1e-15)]
    jump = np.abs(ends[0].qvel - ends[1].qvel).max()
    assert jump > 0.05 if height == 0.125 else jump < 1e-12
    for ours in ends:
        assert nearest(mj, start, ours) < 1e-12
        ours.qvel += 1e-5
        assert nearest(mj, start, ours) > 0.9e-5
