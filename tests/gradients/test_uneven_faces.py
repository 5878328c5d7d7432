"""Faces of meshes are not quite even: MuJoCo takes triangles that lean by milliradians for one face. What is clipped
out of two such faces has the gradient that differences have, where corners of one lie on the other, too."""

import mujoco
import numpy as np
import pytest

import engine
from engine.contact.witness import CORNER, TILTED
from engine.schema import PLACES
from tests.gradients.differences import Rollout
from tests.whose import beside, overlap

SIDES = 8


def asked(xml, leaves):
    mj = mujoco.MjModel.from_xml_string(xml)
    model = engine.load(mj)
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    return mj, engine.Simulator(model, leaves=leaves)


def prism(rng, radius):
    """Corners of a prism whose two faces are uneven by less than a milliradian."""
    angle = 2 * np.pi * (np.arange(SIDES) + 0.3 * rng.uniform(size=SIDES)) / SIDES
    ring = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    heights = (0.05 + 3e-4 * radius * rng.uniform(-1, 1, SIDES) for _ in range(2))
    return np.concatenate([np.column_stack([ring, sign * h]) for sign, h in zip((1, -1), heights, strict=True)])


def model(seed):
    rng = np.random.default_rng(seed)
    meshes = [" ".join(f"{x:.9g}" for x in prism(rng, r).ravel()) for r in (0.1, 0.11)]
    return f"""<mujoco><option gravity="0 0 0" timestep=".001"/><asset>
      <mesh name="a" vertex="{meshes[0]}"/><mesh name="b" vertex="{meshes[1]}"/></asset><worldbody>
      <body><freejoint/><geom type="mesh" mesh="a"/></body>
      <body pos="0.06 0.05 0.0985"><freejoint/><geom type="mesh" mesh="b"/></body></worldbody></mujoco>"""


def kinds_of(sim):
    """Of the first contact's features' columns, of each contact."""
    place = PLACES["d", "con_kind1"]
    table = sim.pack[place.name].reshape(-1, place.width)
    return table[: int(sim.data.ncon[0]), place.columns["con_kind1"].start] - TILTED


@pytest.mark.parametrize("seed", (1, 4, 7))
def test_corners(simulators, seed):
    mj, sim = simulators(model(seed), mujoco.mjtIntegrator.mjINT_EULER)
    rng = np.random.default_rng(seed)
    qpos, qvel = mj.qpos0.copy(), 0.1 * rng.normal(size=mj.nv)
    mujoco.mj_integratePos(mj, qpos, 2e-3 * rng.normal(size=mj.nv), 1.0)
    sim.reset(qpos, qvel)
    sim.forward()
    kinds = kinds_of(sim)
    assert CORNER in kinds
    data = mujoco.MjData(mj)
    data.qpos[:], data.qvel[:] = qpos, qvel
    mujoco.mj_forward(mj, data)
    assert data.ncon == len(kinds)
    rollout = Rollout(sim, mj, (qpos, qvel, np.zeros(0), np.zeros(0)), 1)
    errors = rollout.errors(["qpos0", "qvel0", "body_mass"])
    assert max(errors.values()) < 1e-6, errors


def test_a_capsule_along_a_face_within_its_margin():
    """MuJoCo places the side of such a capsule by half of margin and gap, which have a gradient by it, too."""
    box = " ".join(f"{x} {y} {z}" for x in (-0.5, 0.5) for y in (-0.4, 0.4) for z in (-0.1, 0))
    xml = f"""<mujoco><asset><mesh name="plate" vertex="{box}"/></asset><worldbody>
      <geom type="mesh" mesh="plate" margin=".01"/><body pos="0 0 .063"><freejoint/>
      <geom type="capsule" size=".05 .15" euler="3 87 20" margin=".04" gap=".01"/></body></worldbody></mujoco>"""
    mj, sim = asked(xml, ("geom_margin", "geom_gap", "geom_size"))
    rollout = Rollout(sim, mj, (mj.qpos0, 0.1 * np.random.default_rng(0).normal(size=6), *np.zeros((2, 0))), 2)
    errors = rollout.errors(["geom_margin", "geom_gap", "geom_size"], leaves=True)
    assert len(errors) == 3 and max(errors.values()) < 1e-6, (errors, rollout.known)
    grads = rollout.gradients().model
    assert np.abs(grads["geom_gap"]).min() > 2e-4


def test_the_facet_that_is_touched(simulators):
    """Of a face that is uneven by some nanometres the normal is the facet's along which an ellipsoid overlaps least."""
    rng, angle = np.random.default_rng(5), 2 * np.pi * np.arange(24) / 24
    ring = 0.1 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    corners = [np.column_stack([ring, side * (0.05 + 4e-8 * rng.uniform(-1, 1, 24))]) for side in (1, -1)]
    xml = f"""<mujoco><asset><mesh name="a" vertex="{" ".join(f"{x:.12g}" for x in np.ravel(corners))}"/></asset>
      <worldbody><body><freejoint/><geom type="mesh" mesh="a"/></body>
      <body><freejoint/><geom type="ellipsoid" size=".5 .4 .45"/></body></worldbody></mujoco>"""
    mj, sim = simulators(xml, mujoco.mjtIntegrator.mjINT_EULER)
    data = mujoco.MjData(mj)
    for _ in range(40):
        data.qpos[7:10] = *rng.uniform(-0.06, 0.06, 2), 0.48
        mujoco.mj_forward(mj, data)
        sim.reset(data.qpos, np.zeros(mj.nv))
        sim.forward()
        contacts = sim.data.contacts()
        pair, n = tuple(int(contacts[f"geom{k}"][0]) for k in (1, 2)), contacts["frame"][0, 0]
        around = min(overlap(mj, data, pair, m) for by in (3e-7, 1e-6) for m in beside(n, by))
        assert around > overlap(mj, data, pair, n)
