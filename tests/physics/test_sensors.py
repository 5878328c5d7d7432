"""Sensor values against MuJoCo's: every kind, every kind of object, cutoffs, touch sites of every shape."""

import re

import mujoco
import numpy as np
import pytest

from engine import Simulator
from engine.diff.tape import Tape
from engine.model import ModelBuilder, ModelError, load, set_const
from engine.model.elements.sensor import lenses
from engine.model.portable import model_from_arrays, model_to_arrays
from engine.model.sensors import NAMES
from engine.rays import Depth
from engine.view.quantities import sensor_labels
from tests import zoo
from tests.gradients.differences import Rollout
from tests.physics.reference import errors, relative, resting_accelerometer, set_reference, worst
from tests.physics.test_parity import assert_close, random_states
from tests.random_files.measured import separation


def test_every_kind_is_covered():
    xml = zoo.sensing() + zoo.touch() + zoo.limit_sensors() + zoo.contact_sensors() + zoo.ranging() + zoo.apart()
    xml += zoo.tendon_sensors() + zoo.seen()
    assert [name for name in NAMES if not re.search(f"<{name}[ /]", xml)] == []


@resting_accelerometer
def test_values(simulators):
    mj, sim = simulators(zoo.sensing())
    rng = np.random.default_rng(0)
    found = worst(mj, sim, [zoo.random_state(mujoco, mj, rng) for _ in range(60)])
    assert found["sensordata"] < 1e-12
    clipped = [k for k in range(mj.nsensor) if mj.sensor_cutoff[k] > 0]
    values = [sim.data.sensordata[0, mj.sensor_adr[k] : mj.sensor_adr[k] + mj.sensor_dim[k]] for k in clipped]
    assert any(np.abs(v).max() == mj.sensor_cutoff[k] for k, v in zip(clipped, values, strict=True))


def test_images_and_what_is_inside(simulators):
    mj, sim = simulators(zoo.seen())
    data, rng, told = mujoco.MjData(mj), np.random.default_rng(0), []
    for _ in range(60):
        data.qpos[:], data.qvel[:] = zoo.random_state(mujoco, mj, rng, 0.5)[:2]
        mujoco.mj_forward(mj, data)
        sim.reset(data.qpos, data.qvel)
        sim.forward()
        np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-10)
        told.append(data.sensordata.copy())
    assert (np.ptp(told, axis=0)[6:10] == 1).all()  # within and without
    assert sim.model.sensor_lens[1].tolist()[1:3] == [32, 20]
    same_cameras(load(sim.model.to_mjcf()), sim.model)


CAMERAS = (
    "site_bodyid site_pos site_quat site_camera site_targetbodyid site_pos0 site_quat0 sensor_objtype sensor_objid "
    "sensor_reftype sensor_refid sensor_lens sensor_view sensor_dim"
).split()  # fmt: skip


def same_cameras(read, model):
    assert read.site_names == model.site_names
    for name in CAMERAS:
        np.testing.assert_allclose(getattr(read, name), getattr(model, name), rtol=1e-12, atol=1e-14, err_msg=name)


@pytest.mark.parametrize("straight", (False, True), ids=("", "straight up and down"))
def test_cameras_that_follow(simulators, straight):
    """As mj_camlight places them, also where one looks along the vertical, or at where it is."""
    mj, sim = simulators(zoo.following())
    data, rng, m = mujoco.MjData(mj), np.random.default_rng(0), sim.model
    same_cameras(load(m.to_mjcf()), m)
    for k in range(20):
        data.qpos[:], data.qvel[:] = zoo.random_state(mujoco, mj, rng, 0.5)[:2]
        data.mocap_pos[:] = mj.body("m").pos + 0.3 * rng.normal(size=3)
        if straight:
            data.qpos[:] = mj.qpos0
            data.qpos[3:7] = 1, 0, 0, 0
            mujoco.mj_kinematics(mj, data)
            mujoco.mj_comPos(mj, data)
            data.mocap_pos[:] = data.body("a").subtree_com + ((0, 0, 1.5), (0, 0, -1.5), (0, 0, 0))[k % 3]
        mujoco.mj_forward(mj, data)
        sim.reset(data.qpos, data.qvel)
        sim.data.mocap_pos[0] = data.mocap_pos
        sim.forward()
        near = np.abs(sim.data.sensordata[0] - data.sensordata) < 1e-10
        if straight:  # the camera's turn about the vertical is that of rounding, here as there
            own = np.flatnonzero((mj.sensor_refid == mj.camera("mocap_targets").id) | (mj.sensor_objid == mj.camera(
                "mocap_targets").id))  # fmt: skip
            for s in own:
                near[mj.sensor_adr[s] : mj.sensor_adr[s] + mj.sensor_dim[s]] = True
        assert near.all(), np.flatnonzero(~near)
        for i in np.flatnonzero(m.site_camera):
            eye = data.camera(m.site_names[i].removeprefix("camera "))
            if not straight or eye.name != "mocap_targets":
                np.testing.assert_allclose(sim.data.site_xmat[0, i].ravel(), eye.xmat, atol=1e-12)
            np.testing.assert_allclose(sim.data.site_xpos[0, i], eye.xpos, atol=1e-12)
            np.testing.assert_array_equal(sim.data.site(m.site_names[i]).xpos[0], sim.data.site_xpos[0, i])


def test_what_reads_a_camera_that_follows(simulators):
    """Nothing that takes it for a place on its body; and it has a target where it looks at one."""
    _, sim = simulators(zoo.following())
    m = model_from_arrays(model_to_arrays(sim.model))
    eye = m.site("camera tracks")
    with pytest.raises(ValueError, match="site: got site 'camera tracks', a camera that follows .*allowed: a place on"):
        Depth(sim, "camera tracks")
    m.site_targetbodyid[m.site("camera targets")] = -1
    with pytest.raises(ModelError, match="'camera targets': site_targetbodyid = -1; allowed: a body, since the camera"):
        Simulator(m)
    m = model_from_arrays(model_to_arrays(sim.model))
    m.sensor_objid[0] = eye
    with pytest.raises(ModelError, match="'camera tracks': site_camera = 2; allowed: 0 or 1, since a camprojection"):
        Simulator(m)
    m = model_from_arrays(model_to_arrays(sim.model))
    before = m.site_pos0.copy(), m.site_quat0.copy()
    assert np.abs(before[0]).any(axis=1).sum() == 3
    m.site_pos0[:], m.site_quat0[:] = 0, 0
    set_const(m)
    np.testing.assert_allclose(m.site_pos0, before[0], atol=1e-12)
    np.testing.assert_allclose(m.site_quat0, before[1], atol=1e-12)


def test_a_builder_has_images():
    b = ModelBuilder()
    b.body("a")
    b.joint("a", "j")
    b.geom("a", type="sphere", size=0.1, mass=1.0)
    b.site("world", "eye", pos=(0, 0, 3))
    b.site("a", "s", pos=(0.2, 0.1, 0))
    b.sensor("camprojection", objname="s", reftype="site", refname="eye", fovy=90, resolution=(200, 100))
    b.sensor("insidesite", objtype="site", objname="s", reftype="site", refname="eye")
    model = b.compile()
    lens = lenses(model)
    assert lens["lens_middle"][0].tolist() == [100, 50]
    np.testing.assert_allclose(lens["lens_focal"][0], 50)
    with pytest.raises(ModelError, match="sensor 'camprojection': reftype = None; allowed: site, with a refname"):
        b.sensor("camprojection", objname="s")
    model.sensor_lens[0, 0] = 180
    with pytest.raises(ModelError, match="sensor_lens.*allowed: an angle above 0 and below 180, and pixels"):
        Simulator(model)


def test_clock(simulators):
    """Of the state that a row shows, on the world's own clock."""
    mj, sim = simulators(zoo.sensing())
    clock = mj.sensor_adr[list(mj.sensor_type).index(mujoco.mjtSensor.mjSENS_CLOCK)]
    sim.data.time[0] = 0.7
    tape = Tape(sim, 3, frame_skip=2)
    rows = tape.rollout(np.zeros((3, mj.nu)))
    np.testing.assert_array_equal(rows.sensordata[:, 0, clock], rows.times[:, 0])
    np.testing.assert_allclose(rows.times[:, 0], 0.7 + 2 * mj.opt.timestep * np.arange(4), rtol=1e-14)


@resting_accelerometer
@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
@pytest.mark.parametrize("most", (100, 3), ids=("one launch", "several launches"))
def test_after_several_steps(simulators, integrator, most):
    """Those of the last step, as in MuJoCo, in however many launches it is reached."""
    mj, sim = simulators(zoo.sensing(), integrator)
    data = mujoco.MjData(mj)
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(4))
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, ctrl
    mujoco.mj_step(mj, data, 7)
    sim.forward()
    sim.reset(qpos, qvel)
    sim.data.ctrl[0] = ctrl
    sim._kernel.most = most
    sim.step(7)
    assert relative(sim.data.sensordata[0], data.sensordata) < 1e-10
    before = sim.data.sensordata[0].copy()
    sim.step()
    assert relative(sim.data.sensordata[0], before) > 1e-6


def test_limits(simulators):
    """Of either side of scalar joints and of a ball joint; where none acts the sensors read zero."""
    mj, sim = simulators(zoo.limit_sensors())
    rng, data = np.random.default_rng(0), mujoco.MjData(mj)
    seen, worst_error = np.zeros((mj.nsensordata, 2)), 0.0
    for _ in range(60):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, 0.15))
        worst_error = max(worst_error, errors(mj, sim, data)["sensordata"])
        seen += np.stack([data.sensordata != 0, data.sensordata == 0], 1)
    assert worst_error < 1e-10
    assert seen[:9].min() > 0, "every limit must act at least once, and not act"


def test_tendons(simulators):
    """Lengths, limits of either side, what actuators exert, energies."""
    mj, sim = simulators(zoo.tendon_sensors())
    mj.opt.enableflags |= int(mujoco.mjtEnableBit.mjENBL_ENERGY)
    rng, data = np.random.default_rng(0), mujoco.MjData(mj)
    seen, worst_error = np.zeros((mj.nsensordata, 2)), 0.0
    for _ in range(60):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, 0.15), rng)
        found = errors(mj, sim, data)
        worst_error = max(worst_error, found["sensordata"])
        seen += np.stack([data.sensordata != 0, data.sensordata == 0], 1)
    assert worst_error < 1e-10
    limits = np.isin(mj.sensor_type, range(int(mujoco.mjtSensor.mjSENS_TENDONLIMITPOS),
                                           int(mujoco.mjtSensor.mjSENS_TENDONLIMITFRC) + 1))  # fmt: skip
    assert limits.sum() == 6 and seen[limits].min() > 0, "every limit must act at least once, and not act"


PAST = zoo.model(
    f"""<site name="w" pos="-.5 0 .7"/><site name="v" pos=".5 0 .7"/>
    <body pos="0 0 1"><joint axis="0 1 0"/>{zoo.ROD}<geom name="ball" size=".2" pos=".07 0 -.3"/></body>""",
    '<tendon><spatial name="t" range="0 .5" frictionloss=".2"><site site="w"/><geom geom="ball"/><site site="v"/>'
    '</spatial></tendon><sensor><tendonlimitpos tendon="t"/><tendonlimitfrc tendon="t"/></sensor>',
)


def test_a_limit_that_nothing_moves_against(simulators):
    """A path between places of the world feels its limit while it goes round a body, and not where it passes by."""
    mj, sim = simulators(PAST)
    seen, data = [], mujoco.MjData(mj)
    for angle in (0.0, 0.3, 1.0, 2.0, 3.0):
        set_reference(mj, data, (np.array([angle]), np.array([0.5]), np.zeros(0), np.zeros(0)))
        assert errors(mj, sim, data)["sensordata"] < 1e-8
        seen.append(data.sensordata[0] != 0)
    assert {*seen} == {True, False}


@pytest.mark.parametrize("condim", (3, 6))
@pytest.mark.parametrize("cone", zoo.CONES)
def test_forces_between_bodies_in_contact(simulators, cone, condim):
    mj, sim = simulators(zoo.feeling(f'cone="{cone}"', zoo.CONDIMS[condim]))
    rng, data, touched = np.random.default_rng(0), mujoco.MjData(mj), 0
    for _ in range(60):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, 0.3), rng)
        found = errors(mj, sim, data)
        assert found["ncon"] == 0 and found["sensordata"] < 1e-9
        touched += data.ncon > 0
    assert touched > 20


def test_ranges(simulators):
    mj, sim = simulators(zoo.ranging())
    alone = mj.sensor_adr[mj.sensor_dim == 1]  # those that tell a distance alone
    rng, data, seen = np.random.default_rng(0), mujoco.MjData(mj), np.zeros((len(alone), 2))
    assert len(alone) > 25 and (mj.sensor_dim[-8:] > 1).all()
    for kick in np.repeat((0.05, 0.2, 1.0), 60):  # the farthest bodies overlap
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, kick))
        assert errors(mj, sim, data)["sensordata"] < 1e-9
        seen += np.stack([data.sensordata[alone] >= 0, data.sensordata[alone] < 0], 1)
    assert seen.min() > 0, "every ray must meet something at least once, and nothing"


def test_a_ray_for_each_pixel(simulators):
    mj, sim = simulators(zoo.watching())
    rng, data = np.random.default_rng(0), mujoco.MjData(mj)
    dim, adr = mj.sensor_dim[2] // 12, mj.sensor_adr[2]
    seen = np.zeros((2, 12))
    for kick in np.repeat((0.05, 0.2, 1.0), 20):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, kick))
        assert errors(mj, sim, data)["sensordata"] < 1e-9
        dist = data.sensordata[adr : adr + 12 * dim : dim]
        seen += np.stack([dist >= 0, dist < 0])
    assert dim == 14 and seen.min() > 0, "every ray must meet something at least once, and nothing"
    labels = [label for label, _, _ in sensor_labels(sim.model)]
    assert len(labels) == mj.nsensordata and labels[5] == "sensor 0 1,1 dist"
    same_cameras(load(sim.model.to_mjcf()), sim.model)
    assert load(zoo.watching()).sensor_view[2:].tolist()[2] == [1, 0, 0]
    arrays = model_to_arrays(sim.model)
    np.testing.assert_array_equal(model_from_arrays(arrays).sensor_view, sim.model.sensor_view)


def test_a_camera_made_of_a_site(simulators):
    """A builder's camera has the rays of a file's."""
    _, sim = simulators(zoo.watching())
    b = ModelBuilder()
    b.body("a")
    b.joint("a", "j")
    b.geom("a", type="sphere", size=0.1, mass=1.0)
    b.site("a", "eye", euler=(20, 10, 0))
    b.sensor("rangefinder", "r", objname="eye", data="dist normal", fovy=70, resolution=(4, 3))
    made, read = b.compile(), sim.model
    assert made.sensor_dim.tolist() == [48]
    read_again = load(made.to_mjcf())  # with a camera beside the site, and focal lengths that do not count
    np.testing.assert_array_equal(read_again.sensor_lens[:, :5], made.sensor_lens[:, :5])
    assert read_again.site_names == ["eye", "camera eye"] and read_again.site_camera.tolist() == [0, 1]
    for name, column in lenses(made).items():
        np.testing.assert_array_equal(column[0], lenses(read)[name][0])
    made.sensor_lens[0, 1] = 2.5
    with pytest.raises(ModelError, match="sensor 'r': sensor_lens.*allowed: whole pixels"):
        Simulator(made)


def test_what_a_rangefinder_tells_is_written_and_named(simulators):
    _, sim = simulators(zoo.ranging())
    np.testing.assert_array_equal(load(sim.model.to_mjcf()).sensor_intprm, sim.model.sensor_intprm)
    b = ModelBuilder()
    b.body("a")
    b.joint("a", "j")
    b.geom("a", type="sphere", size=0.1, mass=1.0)
    b.site("a", "s")
    for name, data in (("far", "dist"), ("more", "dist point"), ("plain", None)):
        b.sensor("rangefinder", name, objname="s", data=data)
    model = b.compile()
    assert model.sensor_dim.tolist() == [1, 4, 1] and model.sensor_intprm[:, 0].tolist() == [0, 9, 0]
    labels = [label for label, _, _ in sensor_labels(model)]
    assert labels == ["far", "more dist", "more point x", "more point y", "more point z", "plain"]
    with pytest.raises(ModelError, match="data = 'depth normal'; allowed: some of dist, dir, origin, point, normal"):
        b.sensor("rangefinder", objname="s", data="depth normal")
    model.sensor_intprm[0, 0] = 64
    with pytest.raises(ModelError, match="sensor 'far': sensor_intprm = .64  0  0.; allowed: bits of 63"):
        Simulator(model)


def test_distances(simulators):
    mj, sim = simulators(zoo.apart())
    rng, data, seen = np.random.default_rng(0), mujoco.MjData(mj), np.zeros((mj.nsensor, 3))
    for kick in np.repeat((0.05, 0.2, 0.5), 60):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, kick))
        assert errors(mj, sim, data)["sensordata"] < 1e-9
        dist, cutoff = data.sensordata[mj.sensor_adr[: mj.nsensor // 3]], mj.sensor_cutoff[: mj.nsensor // 3]
        seen[: mj.nsensor // 3] += np.stack([dist > 0, dist < 0, dist == cutoff], 1)
    assert (seen[: mj.nsensor // 3, :2] > 0).all(), "every pair must be apart at least once, and overlap"
    assert (seen[:, 2] > 0).sum() >= 2, "beyond the cutoff"


@pytest.mark.parametrize("alone", ("1 2", pytest.param("0 0", marks=pytest.mark.slow)), ids=("hulls", "no hulls"))
def test_sought_distances(simulators, alone):
    """Of all other pairs. MuJoCo's search ends where the distance is known, its normal is off by more: along ours the
    shapes are as far apart as we say, along its own a little less."""
    quiet = 'contype="{}" conaffinity="{}"'.format(*alone.split())
    mj, sim = simulators(zoo.sought('ccd_tolerance="1e-15" ccd_iterations="200"', quiet))
    rng, data, n = np.random.default_rng(0), mujoco.MjData(mj), mj.nsensor // 3
    seen, coarse = np.zeros((n, 3)), 0
    for kick in np.repeat((0.05, 0.2, 0.5), 60):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, kick))
        sim.reset(data.qpos, data.qvel)
        sim.forward()
        ours = sim.data.sensordata[0]
        theirs = data.sensordata
        for k in range(n):
            dist, normal, points = (slice(a, a + mj.sensor_dim[s]) for s in (k, k + n, k + 2 * n)
                                    for a in [mj.sensor_adr[s]])  # fmt: skip
            assert abs(ours[dist] - theirs[dist]) < 1e-8
            seen[k] += theirs[dist][0] > 0, theirs[dist][0] < 0, theirs[dist][0] == mj.sensor_cutoff[k]
            off = max(np.abs(ours[part] - theirs[part]).max() for part in (normal, points))
            if off > 1e-6 and mj.sensor_objtype[k] == mujoco.mjtObj.mjOBJ_GEOM:
                side = 1.0 if ours[dist][0] > 0 else -1.0
                best = separation(mj, data, k, side * ours[normal])
                assert abs(best - ours[dist][0]) < 1e-12 and off < 1e-4
                assert separation(mj, data, k, side * theirs[normal]) < best
                coarse += 1
    assert (seen[:, 0] > 0).all() and (seen[2:, 1] > 0).sum() >= n - 4, "every pair must be apart, and most overlap"
    assert (seen[:, 2] > 0).sum() >= 2 and coarse < 60


@pytest.mark.parametrize("condim", (3, 4, 6))
@pytest.mark.parametrize("cone", zoo.CONES)
def test_contact_sensors(simulators, cone, condim):
    mj, sim = simulators(zoo.contact_sensors(f'cone="{cone}"', zoo.CONDIMS[condim]))
    rng, data, seen = np.random.default_rng(0), mujoco.MjData(mj), np.zeros(mj.nsensordata)
    for _ in range(80):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, 0.3), rng)
        found = errors(mj, sim, data)
        assert found["ncon"] == 0 and found["sensordata"] < 1e-9
        seen += data.sensordata != 0
    ends = [(a, a + n) for a, n in zip(mj.sensor_adr, mj.sensor_dim, strict=True)]
    assert all(seen[a:b].any() for a, b in ends), "every sensor must find a contact at least once"


@pytest.mark.parametrize("cone", zoo.CONES)
def test_touch(simulators, cone):
    mj, sim = simulators(zoo.touch(f'cone="{cone}"'))
    rng, data = np.random.default_rng(0), mujoco.MjData(mj)
    seen, worst_error = np.zeros(mj.nsensordata), 0.0
    for _ in range(150):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, 0.1))
        worst_error = max(worst_error, errors(mj, sim, data)["sensordata"])
        seen += data.sensordata > 0
    assert worst_error < 1e-10
    assert seen.min() > 0, "every site must be touched at least once"


@pytest.mark.parametrize("cone", zoo.CONES)
def test_contact_sensors_beside_gaps(simulators, cone):
    """Which tell of contacts that do not push, too."""
    xml = zoo.contact_sensors(f'cone="{cone}"', zoo.CONDIMS[6])
    mj, sim = simulators(xml.replace("<mujoco>", '<mujoco><default><geom margin=".01" gap=".08"/></default>'))
    states, data, inside = random_states(mj, 20, kick=0.3), mujoco.MjData(mj), 0
    for state in states:
        data.qpos[:] = state[0]
        mujoco.mj_forward(mj, data)
        inside += int((np.asarray(data.contact.exclude) == 1).sum())
    assert inside > 20
    assert_close(worst(mj, sim, states), 1e-10)
    rollout = Rollout(sim, mj, states[0], 2)
    bad = {k: v for k, v in rollout.errors().items() if not v < 1e-6}
    assert not bad, bad


@pytest.mark.parametrize("make", (zoo.contact_sensors, zoo.limit_sensors, zoo.ranging, zoo.sensing, zoo.apart,
                                  zoo.tendon_sensors))  # fmt: skip
def test_worlds_do_not_mix(simulators, make):
    """Three worlds at once read what each reads alone, to the bit."""
    mj, sims = simulators(make(), None, 3)
    mj, one = simulators(make())
    rng = np.random.default_rng(3)
    states = [zoo.random_state(mujoco, mj, rng, 0.2) for _ in range(3)]
    for w, (qpos, qvel, act, ctrl) in enumerate(states):
        for name, value in (("qpos", qpos), ("qvel", qvel), ("act", act), ("ctrl", ctrl)):
            getattr(sims.data, name)[w] = value
    sims.forward()
    for w, (qpos, qvel, act, ctrl) in enumerate(states):
        one.reset(qpos, qvel)
        one.data.act[0], one.data.ctrl[0] = act, ctrl
        one.forward()
        np.testing.assert_array_equal(sims.data.sensordata[w], one.data.sensordata[0])
    assert np.abs(sims.data.sensordata[0] - sims.data.sensordata[1]).max() > 0
