"""Tendons that a sphere or a cylinder holds from within, also where an end all but touches it."""

import mujoco
import numpy as np
import pytest

RADIUS = 0.1
SLIDES = "".join(f'<joint type="slide" axis="{axis}"/>' for axis in ("1 0 0", "0 1 0", "0 0 1"))
BODY = '<body>{}<geom size=".02" contype="0" conaffinity="0"/><site name="{}"/></body>'


def held(shape):
    size = f"{RADIUS}" if shape == "sphere" else f"{RADIUS} .3"
    return f"""<mujoco><worldbody>
    <geom name="g" type="{shape}" size="{size}" contype="0" conaffinity="0"/><site name="inner" pos=".02 0 0"/>
    {BODY.format(SLIDES, "a")}{BODY.format(SLIDES, "b")}</worldbody><tendon><spatial name="t" stiffness="1">
    <site site="a"/><geom geom="g" sidesite="inner"/><site site="b"/></spatial></tendon></mujoco>"""


def ends(rng, near):
    """Two places in the plane: anywhere, or such that the straight way passes the circle at a hair's breadth."""
    turn = rng.uniform(0, 2 * np.pi) + np.array([0, 10 ** rng.uniform(-4, 0.4)])
    far = RADIUS * (1 + 10 ** rng.uniform(-9, 0, 2))
    if near:
        x = 10 ** rng.uniform(-2, 0, 2) * [-1, 1]
        y = RADIUS * (1 + 10 ** rng.uniform(-9, -1))
        turn, far = turn[0] + np.arctan2(y, x), np.hypot(x, y)
    return far * np.cos(turn), far * np.sin(turn)


@pytest.mark.parametrize("shape", ["sphere", "cylinder"])
def test_lengths(simulators, shape):
    mj, sim = simulators(held(shape))
    data, rng, bent = mujoco.MjData(mj), np.random.default_rng(0), 0
    for k in range(400):
        data.qpos[:] = np.stack([*ends(rng, k % 2), rng.uniform(-0.05, 0.05, 2)], 1).ravel()
        if shape == "sphere":
            data.qpos[2::3] = 0
        mujoco.mj_forward(mj, data)
        sim.data.qpos[0], sim.data.qvel[0] = data.qpos, 0
        sim.forward()
        # whose search for the place ends within 1e-6
        np.testing.assert_allclose(sim.data.ten_length[0], data.ten_length, atol=2e-7)
        bent += data.ten_length[0] > np.linalg.norm(data.qpos[:3] - data.qpos[3:]) * (1 + 1e-6)
    assert bent > 50
