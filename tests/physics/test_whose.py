"""The judge of tests/whose.py: it takes the side of the normal along which two shapes overlap least, and no other."""

import mujoco
import numpy as np

from tests.whose import deeper, least

BODIES = """<mujoco><worldbody>
  <body><freejoint/><geom type="box" size=".1 .2 .3" mass="1"/></body>
  <body pos=".17 .02 .01"><freejoint/><geom type="cylinder" size=".08 .1" mass="1"/></body>
</worldbody></mujoco>"""


def overlapping():
    mj = mujoco.MjModel.from_xml_string(BODIES)
    data = mujoco.MjData(mj)
    mujoco.mj_forward(mj, data)
    return mj, data


def told(data, normal, count):
    """What `Data.contacts` would say of so many contacts with a normal, from the first geom to the second."""
    n = np.array(normal, float)
    return {"geom1": np.full(count, data.contact.geom[0, 0]), "geom2": np.full(count, data.contact.geom[0, 1]),
            "dist": np.zeros(count), "frame": np.tile(n / np.linalg.norm(n), (count, 3, 1))}  # fmt: skip


def test_judge_takes_the_least_overlap():
    mj, data = overlapping()
    pair = tuple(int(g) for g in data.contact.geom[0])
    along, across = np.array([1.0, 0, 0]), np.array([0, 0, 1.0])
    if pair != (0, 1):
        along = -along
    assert least(mj, data, pair, along, across)
    assert not least(mj, data, pair, across, along)
    assert not least(mj, data, pair, along + 1e-5 * across, across)


def test_judge_of_numbers_of_contacts():
    """Where MuJoCo's normal is the least one, another number of ours is ours to explain; also where ours are none."""
    mj, data = overlapping()
    right = data.contact.frame[0, :3].copy()
    assert deeper(mj, data, told(data, right, len(data.contact.dist)))
    assert not deeper(mj, data, told(data, right, len(data.contact.dist) + 1))
    assert not deeper(mj, data, told(data, right, 0))
    data.contact.frame[:, :3] = [0, 0, 1]
    assert deeper(mj, data, told(data, right, len(data.contact.dist) + 1))
