"""What a Replay says of a rollout, against MuJoCo: energies, Jacobians, contact forces, poses."""

import numpy as np
import pytest

import engine
from engine.replay import body_jacobian, replay

mujoco = pytest.importorskip("mujoco")
XML = """<mujoco><option timestep="0.005"><flag energy="enable"/></option><worldbody>
<geom type='plane' size='5 5 1'/>
<body pos='0 0 .3'><freejoint/><geom type='sphere' size='.1'/>
  <body pos='.2 0 0'><joint type='hinge' axis='0 1 0' stiffness='3 .5 2' springref='.4'/>
    <joint type='slide' axis='1 0 0' stiffness='40' springref='.05' ref='.01'/>
    <geom type='capsule' fromto='0 0 0 .2 0 0' size='.04'/>
    <body pos='.2 0 0'><joint type='ball' stiffness='2 1 .5'/><geom type='box' pos='.1 0 0' size='.05 .03 .02'/></body>
  </body></body>
</worldbody></mujoco>"""


@pytest.fixture(scope="module")
def both():
    """(our model, MjModel, trajectory, replay) of a jointed thing that falls and lies on the ground."""
    model = engine.load(XML)
    sim = engine.Simulator(model)
    rng = np.random.default_rng(0)
    sim.data.qvel[:] = 0.4 * rng.standard_normal((1, model.nv))
    run = engine.Tape(sim, 120).rollout(np.zeros((120, 0)))
    return model, mujoco.MjModel.from_xml_string(XML), run, replay(model, run)


def test_energies_poses_and_jacobians(both):
    model, mj, run, seen = both
    data = mujoco.MjData(mj)
    for row in (0, 30, 119):
        data.qpos[:], data.qvel[:] = run.qpos[row, 0], run.qvel[row, 0]
        mujoco.mj_forward(mj, data)
        assert seen.potential[row] == pytest.approx(data.energy[0], rel=1e-9, abs=1e-9)
        assert seen.kinetic[row] == pytest.approx(data.energy[1], rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(seen.geom_xpos[row], data.geom_xpos, atol=1e-10)
        for body in range(1, model.nbody):
            jacobian = np.zeros((3, mj.nv))
            mujoco.mj_jacBodyCom(mj, data, jacobian, None, body)
            np.testing.assert_allclose(body_jacobian(model, seen, row, body), jacobian, atol=1e-10)


def test_positions_alone(both):
    model, _, run, seen = both
    found = replay(model, run.qpos[:, 0], every=40)
    np.testing.assert_array_equal(found.xpos, seen.xpos[::40])
    assert found.time[1] == pytest.approx(40 * 0.005) and not found.kinetic.any()
    with pytest.raises(ValueError, match=r"trajectory: got an array of shape \(3,\), allowed: \(rows, worlds, "):
        replay(model, np.zeros(3))


def test_contact_forces_are_in_world_axes_and_carry_the_weight(both):
    model, mj, run, seen = both
    data = mujoco.MjData(mj)
    touched = [row for row in range(121) if len(seen.contacts[row]["pos"])]
    assert touched
    for row in touched[::10]:
        data.qpos[:], data.qvel[:] = run.qpos[row, 0], run.qvel[row, 0]
        mujoco.mj_forward(mj, data)
        total = np.zeros(3)
        for i, contact in enumerate(data.contact):
            force = np.zeros(6)
            mujoco.mj_contactForce(mj, data, i, force)
            total += contact.frame.reshape(3, 3).T @ force[:3]
        found = seen.contacts[row]["force"].sum(axis=0)
        np.testing.assert_allclose(found, total, rtol=1e-6, atol=1e-6)
        places = np.array(data.contact.pos).reshape(-1, 3)
        for place in seen.contacts[row]["pos"]:  # those of this row, also after the later ones were computed
            assert np.linalg.norm(places - place, axis=1).min() < 1e-6
