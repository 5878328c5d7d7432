"""Derived constants against MuJoCo's compiler."""

import os

import numpy as np
import pytest

from engine.model import load, set_const
from engine.model.setconst import set_topology, trees
from tests.model.model_zoo import CHEETAH, MENAGERIE

mujoco = pytest.importorskip("mujoco")
gymnasium = pytest.importorskip("gymnasium")

ASSETS = os.path.join(os.path.dirname(gymnasium.__file__), "envs", "mujoco", "assets")
ROBOTS = ["ant.xml", "half_cheetah.xml", "hopper.xml", "humanoid.xml", "reacher.xml", "walker2d_v5.xml"]
DERIVED = ("body_invweight0", "dof_invweight0", "body_subtreemass", "geom_rbound")
TOPOLOGY = ("body_rootid", "body_weldid", "dof_parentid")


@pytest.mark.parametrize("source", [*ROBOTS, CHEETAH, MENAGERIE], ids=[*ROBOTS, "cheetah", "menagerie"])
def test_equals_mujoco(source):
    m = load(os.path.join(ASSETS, source) if source.endswith(".xml") else source)
    want = {name: getattr(m, name).copy() for name in DERIVED + TOPOLOGY}
    for name in want:
        getattr(m, name)[:] = -7  # poison
    set_topology(m)
    set_const(m)
    for name, value in want.items():
        np.testing.assert_allclose(getattr(m, name), value, rtol=1e-9, atol=1e-9, err_msg=name)


def test_mass_matrix_equals_mujoco():
    mj = mujoco.MjModel.from_xml_string(MENAGERIE)
    data = mujoco.MjData(mj)
    mujoco.mj_forward(mj, data)
    full = np.zeros((mj.nv, mj.nv))
    for dof in range(mj.nv):
        mujoco.mj_mulM(mj, data, full[dof], np.eye(mj.nv)[dof])
    found = np.zeros_like(full)
    for dofs, _, mass in trees(load(MENAGERIE)):
        found[np.ix_(dofs, dofs)] = mass
    np.testing.assert_allclose(found, full, atol=1e-10)


def test_follows_a_changed_mass():
    mj = mujoco.MjModel.from_xml_string(CHEETAH)
    m = load(mj)
    for model in (m, mj):
        model.body_mass[2] *= 3
    mujoco.mj_setConst(mj, mujoco.MjData(mj))
    set_const(m)
    np.testing.assert_allclose(m.body_invweight0, mj.body_invweight0, rtol=1e-9, atol=1e-12)


BALL = "<geom size='0.1' mass='2'/>"
SLIDE = "<joint type='slide' axis='1 0 0' armature='3'/>"
SLIDERS = [
    f"<body>{SLIDE}{BALL}</body>",
    f"<body euler='10 20 30'>{SLIDE}<joint type='slide' axis='0 1 0'/>{BALL}</body>",
    f"<body><joint type='slide' axis='1 1 0'/>{BALL}</body>",
    f"<body><joint type='slide' pos='1 0 0'/>{BALL}</body>",
    f"<body>{SLIDE}{BALL}<body>{BALL}</body></body>",
    f"<body><body>{SLIDE}{BALL}</body></body>",
    f"<body><body><body>{SLIDE}{BALL}</body></body></body>",
    f"<body>{SLIDE}<geom size='0.1' pos='0.1 0 0'/></body>",
    f"<body>{SLIDE}<joint axis='0 1 0'/>{BALL}</body>",
    f"<body><joint axis='0 0 1'/>{BALL}<body pos='1 0 0'>{SLIDE}{BALL}</body></body>",
]


@pytest.mark.parametrize("body", SLIDERS)
def test_lone_sliders_follow_mujocos_shortcut(body):
    m = load(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
    want = m.copy()
    m.body_invweight0[:] = m.dof_invweight0[:] = -7
    set_const(m)
    np.testing.assert_allclose(m.body_invweight0, want.body_invweight0, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(m.dof_invweight0, want.dof_invweight0, rtol=1e-9)
