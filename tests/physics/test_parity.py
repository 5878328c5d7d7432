"""Forward dynamics against MuJoCo, on models that isolate one feature each, at random kicked states."""

import mujoco
import numpy as np
import pytest

import engine
from tests import zoo
from tests.physics.reference import BEFORE_4, gymnasium_asset, worst

CONTACT = 1e-10


def assert_close(found, qacc, others=1e-10):
    print({k: float(f"{v:.1e}") for k, v in found.items()})
    loose = {"qacc", "qfrc_constraint", "sensordata"}
    assert found.pop("ncon") == 0
    bad = {k: v for k, v in found.items() if not v < (qacc if k in loose else others)}
    assert not bad, bad


def random_states(mj, count, kick=1.0, seed=0):
    rng = np.random.default_rng(seed)
    return [zoo.random_state(mujoco, mj, rng, kick) for _ in range(count)]


def touching_states(mj, count, seed=0):
    rng, data = np.random.default_rng(seed), mujoco.MjData(mj)
    return [zoo.touching_state(mujoco, mj, data, rng) for _ in range(count)]


@pytest.mark.parametrize("name", zoo.SMOOTH)
def test_unconstrained(simulators, name):
    mj, sim = simulators(zoo.SMOOTH[name])
    assert_close(worst(mj, sim, random_states(mj, 30)), 1e-10)


def test_what_joints_feel_of_actuators(simulators):
    mj, sim = simulators(zoo.SENSED)
    assert_close(worst(mj, sim, random_states(mj, 30, kick=0.5)), 1e-10)


@pytest.mark.parametrize("name", zoo.TENDONS | zoo.TAUT)
def test_tendons(simulators, name):
    mj, sim = simulators((zoo.TENDONS | zoo.TAUT)[name])
    found = worst(mj, sim, random_states(mj, 30, kick=0.5))
    assert found.get("ten_length", 0) < 1e-12
    assert_close(found, *([1e-6, 1e-6] if name in zoo.WITHIN else [1e-10]))


OFF = {"all": '<option><flag actuation="disable"/></option>', "a group": '<option actuatorgroupdisable="1"/>'}


@pytest.mark.parametrize("option", OFF.values(), ids=OFF)
def test_actuators_that_an_option_switches_off(simulators, option):
    """Their states stay, too, whatever the controls."""
    xml = zoo.SMOOTH["activation"].replace("<size", f"{option}<size")
    xml = xml.replace('joint="k" dyn', 'joint="k" group="1" dyn')
    mj, sim = simulators(xml)
    data = mujoco.MjData(mj)
    (state,) = random_states(mj, 1)
    data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = state
    sim.reset(*state[:2])
    sim.data.act[0], sim.data.ctrl[0] = state[2:]
    sim.step(5)
    mujoco.mj_step(mj, data, 5)
    for name in ("qpos", "qvel", "act"):
        np.testing.assert_allclose(getattr(sim.data, name)[0], getattr(data, name), rtol=1e-12, atol=1e-12)
    assert (data.act == state[2]).any()


OVERRIDE = """<option o_friction=".6 .3 .02 .01 .03" o_solref=".03 .8" o_solimp=".8 .9 .01 .4 2" o_margin=".02">
<flag override="enable"/></option><size"""


@pytest.mark.parametrize("cone", zoo.CONES)
def test_contact_parameters_that_an_option_overrides(simulators, cone):
    """Those of pairs with their own, too; dimensions and gaps stay. A file that is written has them as pairs."""
    own = '<contact><pair geom1="a" geom2="b" condim="6" gap=".01" friction="1"/></contact>'
    ball = '<body pos="0 0 {}"><freejoint/><geom name="{}" size=".1" mass="1"{}/></body>'
    balls = ball.format(".11", "a", ' priority="1" condim="4"') + ball.format(".31", "b", ' friction="2 .1 .1"')
    text = zoo.model('<geom type="plane" size="1 1 1" margin=".1"/>' + balls, own, "", f'cone="{cone}"')
    mj, sim = simulators(text.replace("<size", OVERRIDE))
    rng = np.random.default_rng(0)
    states = [zoo.random_state(mujoco, mj, rng, 0.01) for _ in range(20)]
    found = worst(mj, sim, states)
    assert found.pop("ncon") == 0 and sim.data.ncon[0] > 0
    assert max(found.values()) < CONTACT, found
    assert any("flag override is enabled" in line for line in sim.model.report.changed)
    again = engine.load(sim.model.to_mjcf())
    for name in ("pair_dim", "pair_friction", "pair_solref", "pair_solimp", "pair_margin", "pair_gap"):
        np.testing.assert_array_equal(getattr(again, name), getattr(sim.model, name), err_msg=name)


@pytest.mark.parametrize("name", zoo.ARMS)
def test_arms_that_depend_on_the_pose(simulators, name):
    mj, sim = simulators(zoo.ARMS[name])
    assert_close(worst(mj, sim, random_states(mj, 30, kick=0.4)), 1e-10)


@pytest.mark.parametrize("name", zoo.MUSCLES)
def test_muscles(simulators, name):
    """Where they pull, and where their force, their velocity, their control or their state is at an end."""
    mj, sim = simulators(zoo.MUSCLES[name])
    states = [(qpos, qvel, 2 * act, ctrl) for qpos, qvel, act, ctrl in random_states(mj, 60, kick=0.7)]
    assert any((act < 0).any() for *_, act, _ in states) and any((act > 1).any() for *_, act, _ in states)
    assert_close(worst(mj, sim, states), 1e-10)


@pytest.mark.parametrize("name", zoo.ROWS)
def test_limits_and_dry_friction(simulators, name):
    mj, sim = simulators(zoo.ROWS[name])
    assert_close(worst(mj, sim, random_states(mj, 30, kick=0.5)), 1e-10)


@pytest.mark.skipif(BEFORE_4, reason="MuJoCo before 4.0 leaves out dJ/dt v")
@pytest.mark.parametrize("name", zoo.EQUALITIES)
def test_equalities(simulators, name):
    mj, sim = simulators(zoo.EQUALITIES[name])
    assert_close(worst(mj, sim, random_states(mj, 30, kick=0.5)), 1e-10)


@pytest.mark.skipif(BEFORE_4, reason="MuJoCo before 4.0 leaves out dJ/dt v")
@pytest.mark.parametrize("name", zoo.MOCAPS)
def test_mocap_bodies(simulators, name):
    mj, sim = simulators(zoo.MOCAPS[name])
    found = worst(mj, sim, random_states(mj, 30, kick=0.05))
    assert found["ncon"] == 0
    assert_close(found, 1e-10)
    assert sim.data.ncon[0] > 0 or mj.neq or mj.ntendon


def test_a_ball_limit_that_acts_at_angle_zero(simulators):
    """The axis is x there, from either quaternion of no turn."""
    mj, sim = simulators(zoo.AT_ZERO)
    rng = np.random.default_rng(0)
    states = [
        (np.array([w, *vector]), rng.normal(size=3), np.zeros(0), np.zeros(0))
        for w in (1.0, -1.0)
        for vector in ([0, 0, 0], [0, 1e-16, 0], [0, 0, -1e-14], [0, 3e-13, 4e-13], [0, 1e-9, 0])
    ]
    assert_close(worst(mj, sim, states), 1e-10)
    sim.reset(mj.qpos0)
    sim.forward()
    assert sim.data.qfrc_constraint[0, 0] != 0


@pytest.mark.skipif(BEFORE_4, reason="MuJoCo before 4.0 has another rule for capsules that are nearly parallel")
@pytest.mark.parametrize("length", (1e-3, 0.1, 10), ids="{}".format)
def test_nearly_parallel_capsules(simulators, length):
    """The same contacts in the same order, at all angles and whatever of the capsules lies side by side."""
    capsule = "<body><freejoint/><geom type='capsule' size='{} {}'/></body>"
    bodies = capsule.format(0.3 * length, 3 * length) + capsule.format(0.3 * length, 2 * length)
    mj, sim = simulators(f"<mujoco><worldbody>{bodies}</worldbody></mujoco>")
    rng, data = np.random.default_rng(2), mujoco.MjData(mj)
    counts = []
    for angle in (0, 1e-9, 1e-6, 9e-5, 1.1e-4, 1e-3, 1e-2) * 8:
        side = length * np.array([0.59, 0, rng.uniform(-5, 5)])
        turn = np.array([np.cos(angle / 2), np.sin(angle / 2), 0, 0])
        flip = np.array([0, 1.0, 0, 0]) if rng.random() < 0.5 else np.array([1.0, 0, 0, 0])
        base, own, place, turned = rng.normal(size=4), np.zeros(4), np.zeros(3), np.zeros(4)
        base /= np.linalg.norm(base)
        mujoco.mju_mulQuat(own, turn, flip)
        mujoco.mju_mulQuat(turned, base, own)
        mujoco.mju_rotVecQuat(place, side, base)
        data.qpos[:] = np.concatenate([np.zeros(3), base, place, turned])
        mujoco.mj_forward(mj, data)
        sim.reset(data.qpos)
        sim.forward()
        ours = sim.data.contacts()
        counts.append(data.ncon)
        assert len(ours["pos"]) == data.ncon
        if data.ncon:
            np.testing.assert_allclose(ours["pos"], data.contact.pos, atol=1e-11 * length)
            np.testing.assert_allclose(ours["dist"], data.contact.dist, atol=1e-14 * length)
    assert {1, 2} <= set(counts)


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize("condim", zoo.CONDIMS)
@pytest.mark.parametrize("kinds", zoo.PAIRS, ids="-".join)
def test_pairs_of_geoms(simulators, kinds, condim, cone):
    mj, sim = simulators(zoo.touching(*kinds, zoo.CONDIMS[condim], f'cone="{cone}"'))
    assert_close(worst(mj, sim, touching_states(mj, 60)), CONTACT)


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize("name", zoo.PARAMETERS)
@pytest.mark.parametrize("kinds", (("plane", "capsule"), ("capsule", "capsule")), ids="-".join)
def test_contact_parameters(simulators, kinds, name, cone):
    attributes, option = zoo.PARAMETERS[name]
    mj, sim = simulators(zoo.touching(*kinds, attributes, f'cone="{cone}" {option}'))
    assert_close(worst(mj, sim, touching_states(mj, 20)), CONTACT)


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize("name", zoo.UNLIKE)
def test_mixed_parameters(simulators, name, cone):
    mj, sim = simulators(zoo.unlike(name, f'cone="{cone}"'))
    assert_close(worst(mj, sim, touching_states(mj, 40)), CONTACT)


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize("name", zoo.FRICTIONS)
def test_explicit_pairs(simulators, name, cone):
    mj, sim = simulators(zoo.explicit_pair(zoo.FRICTIONS[name], f'cone="{cone}"'))
    assert_close(worst(mj, sim, touching_states(mj, 40)), CONTACT)


@pytest.mark.parametrize("condim", (3, 6))
@pytest.mark.parametrize("cone", zoo.CONES)
def test_contacts_that_couple_branches(simulators, cone, condim):
    mj, sim = simulators(zoo.one_tree(f'cone="{cone}"', zoo.CONDIMS[condim]))
    assert_close(worst(mj, sim, random_states(mj, 100, kick=0.3)), CONTACT)


CAPSULE_ON_BOX = {  # axis and position of the capsule's centre, box of half size (.2, .15, .12)
    "flat on a face": ((1, 0.2, 0), (0.01, 0.02, 0.19)),
    "tilted over a face": ((1, 0.2, 0.3), (0.05, 0.02, 0.2)),
    "end on a face": ((0.1, 0.2, 1), (0.05, 0.02, 0.39)),
    "across an edge": ((0.7, 0, -0.7), (0.24, 0.02, 0.16)),
    "along an edge": ((0.02, 1, 0.01), (0.24, 0.01, 0.16)),
    "along a longer edge": ((1, 0.01, 0.03), (0.1, 0.19, 0.16)),
    "at a corner": ((1, -1, 0.1), (0.23, 0.18, 0.14)),
    "pointing at a corner": ((1, 1, 1), (0.34, 0.28, 0.25)),
    "sticking out over a face": ((1, 0.1, 0), (0.25, 0.1, 0.18)),
    "passing through": ((0.3, 0.1, 1), (0.02, 0.03, 0.01)),
    "passing through a corner": ((1, -1, 0.2), (0.15, 0.1, 0.1)),
    "one end inside": ((1, 0.1, 0.3), (0.25, 0.02, 0.03)),
}


@pytest.mark.parametrize("region", CAPSULE_ON_BOX)
def test_regions_of_capsule_and_box(simulators, region):
    mj, sim = simulators(zoo.touching("capsule", "box", "", 'cone="pyramidal"'))
    rng = np.random.default_rng(3)
    axis, centre = (np.array(x) for x in CAPSULE_ON_BOX[region])
    states, kinds = [], set()
    data = mujoco.MjData(mj)
    for _ in range(40):
        quat = np.zeros(4)
        mujoco.mju_quatZ2Vec(quat, (axis + 0.02 * rng.normal(size=3)) / np.linalg.norm(axis))
        mirror = rng.choice((-1, 1), size=3)
        quat = quat * np.array([1, mirror[1] * mirror[2], mirror[0] * mirror[2], mirror[0] * mirror[1]])
        box = rng.normal(size=4)
        box /= np.linalg.norm(box)
        pos, turned = np.zeros(3), np.zeros(4)
        mujoco.mju_rotVecQuat(pos, mirror * centre + 0.002 * rng.normal(size=3), box)
        mujoco.mju_mulQuat(turned, box, quat)
        qpos = np.concatenate([pos + [0, 0, 0.5], turned, [0, 0, 0.5], box])
        states.append((qpos, rng.normal(size=mj.nv), np.zeros(0), np.zeros(0)))
        data.qpos[:] = qpos
        mujoco.mj_fwdPosition(mj, data)
        kinds.add(data.ncon)
    assert kinds - {0}, "no contact at all"
    assert_close(worst(mj, sim, states), CONTACT)


# places of a ball's centre, cylinder of radius .15 and half length .12
BALL_ON_CYLINDER = {
    "side": (0.1, -0.25, 0.05), "cap": (0.05, 0.08, -0.2), "rim": (0.15, 0.12, 0.2), "inside, side": (0.1, 0.08, 0.02),
    "inside, cap": (0.02, 0.01, 0.1), "on the axis": (0.0, 0.0, 0.25), "on the axis, inside": (0.0, 0.0, 0.08),
}  # fmt: skip


@pytest.mark.parametrize("region", BALL_ON_CYLINDER)
def test_regions_of_ball_and_cylinder(simulators, region):
    mj, sim = simulators(zoo.touching("sphere", "cylinder", "", 'cone="pyramidal"'))
    rng, states, place = np.random.default_rng(1), [], np.zeros(3)
    for turned in [np.array([1.0, 0, 0, 0])] + [q / np.linalg.norm(q) for q in rng.normal(size=(10, 4))]:
        mujoco.mju_rotVecQuat(place, np.array(BALL_ON_CYLINDER[region]), turned)
        qpos = np.concatenate([place + [0, 0, 0.5], [1.0, 0, 0, 0], [0, 0, 0.5], turned])
        states.append((qpos, rng.normal(size=mj.nv), np.zeros(0), np.zeros(0)))
        sim.reset(qpos)
        sim.forward()
        assert sim.data.ncon[0] == 1
    assert_close(worst(mj, sim, states), CONTACT)


@pytest.mark.parametrize(
    "turned, ncon", (((1, 0, 0, 0), 3), ((0, 1, 0, 0), 3), ((1, 1, 0, 0), 2), ((1, 0.01, 0, 0), 3)), ids=str
)
def test_cylinder_that_lies_on_a_plane(simulators, turned, ncon):
    """Flat on either cap, on its side, nearly flat."""
    floor = '<geom type="plane" size="3 3 .1"/>'
    mj, sim = simulators(zoo.model(f"{floor}<body><freejoint/><geom {zoo.SHAPES['cylinder']}/></body>", default=""))
    turned = np.array(turned) / np.linalg.norm(turned)
    height = 0.149 if ncon == 2 else 0.115
    rng = np.random.default_rng(0)
    states = [(np.array([0, 0, height, *turned]), rng.normal(size=6), np.zeros(0), np.zeros(0)) for _ in range(5)]
    assert_close(worst(mj, sim, states), CONTACT)
    assert sim.data.ncon[0] == ncon


@pytest.mark.parametrize("cone", (0, 1), ids=zoo.CONES)
@pytest.mark.parametrize("name", ("half_cheetah", "hopper", "walker2d", "ant", "humanoid"))
def test_robots(simulators, name, cone):
    mj, sim = simulators(zoo.with_cone(gymnasium_asset(name), cone))
    rng = np.random.default_rng(0)
    states = []
    for k in range(60):
        qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, rng, 0.3)
        qpos[min(2, mj.nq - 1)] -= 0.3 * (k % 3)
        states.append((qpos, qvel, act, ctrl))
    assert_close(worst(mj, sim, states), CONTACT)
