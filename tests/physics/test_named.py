"""Elements by name, against what MuJoCo's own package says of the same ones."""

import mujoco
import numpy as np
import pytest

from engine.model.errors import ModelError
from tests import zoo
from tests.physics.random_robots import Robot
from tests.physics.reference import copy_state, set_reference

SAME = {
    "body": ("xpos", "xmat", "xipos", "xfrc_applied"),
    "geom": ("xpos", "xmat"),
    "site": ("xpos", "xmat"),
    "joint": ("qpos", "qvel", "qacc", "qfrc_bias", "qfrc_passive", "qfrc_actuator", "qfrc_constraint"),
    "actuator": ("ctrl", "force"),
    "sensor": ("data",),
}


def test_as_mujoco_has_them(simulators):
    mj, sim = simulators(Robot(2).xml)
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    set_reference(mj, data, zoo.random_state(mujoco, mj, rng, 0.3, 1.0), rng)
    copy_state(sim, data)
    sim.forward()
    for kind, names in SAME.items():
        found = getattr(sim.model, f"{kind}_names")
        assert found
        for i, name in enumerate(found):
            ours = getattr(sim.data, kind)(name or i)
            theirs = getattr(data, kind)(name or i)
            assert ours.id == i and ours.name == name
            for array in names:
                mine = getattr(ours, array)
                assert mine.shape[0] == sim.worlds
                np.testing.assert_allclose(np.ravel(mine[0]), np.ravel(getattr(theirs, array)), rtol=1e-6, atol=1e-6)


def test_they_are_live(simulators):
    _, sim = simulators(Robot(2).xml)
    sim.reset()
    joint = next(sim.data.joint(j) for j in range(sim.model.njnt) if sim.model.jnt_type[j] == 3)
    joint.qpos[...] = 0.25
    assert (sim.data.qpos == 0.25).any() and (sim.data.joint(joint.name).qpos == 0.25).all()
    sim.data.body("b0").xfrc_applied[:, 2] = 3.0
    assert (sim.data.xfrc_applied[:, sim.model.body("b0"), 2] == 3.0).all()
    sim.reset()
    assert "qpos (1, 1)" in repr(joint) and "xpos" in dir(sim.data.body("b0"))


def test_mistakes_are_named(simulators):
    _, sim = simulators(Robot(2).xml)
    with pytest.raises(ModelError, match="has no body 'torso'"):
        sim.data.body("torso")
    with pytest.raises(AttributeError, match="body 'b0' has no 'velocity'; it has: xpos"):
        sim.data.body("b0").velocity  # noqa: B018
    with pytest.raises(AttributeError, match="assign into the array"):
        sim.data.body("b0").xpos = 1.0
    with pytest.raises(ValueError, match="joint: got 99, allowed: a name, or a number below"):
        sim.data.joint(99)
