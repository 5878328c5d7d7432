"""Torsional and rolling friction (condim 4 and 6): laws that need no other program, 300 steps of tops, balls and
cylinders beside MuJoCo's, and which of two geoms decides."""

import mujoco
import numpy as np
import pytest

from engine.compiler.features import features_of
from engine.model import ModelBuilder
from engine.model.pairs import contact_parameters
from tests import zoo
from tests.physics.reference import relative, set_reference, worst
from tests.physics.test_integrators import INTEGRATORS, difference

CONES = pytest.mark.parametrize("cone", zoo.CONES)
FLOOR = '<geom type="plane" size="9 9 .1"/>'
UPRIGHT = [1.0, 0, 0, 0]
LEANING = [np.cos(0.1), np.sin(0.1), 0, 0]
LYING = [np.sqrt(0.5), np.sqrt(0.5), 0, 0]
TOP = '<geom type="capsule" size=".02 .06" mass=".2"/><geom type="cylinder" size=".1 .01" pos="0 0 .03" mass=".5" ' \
    'contype="0" conaffinity="0"/>'  # fmt: skip
# geoms, their contact, start (place, orientation), velocity
SCENES = {
    "top": (TOP, 'condim="4" friction=".4 .002 .0001"', [0, 0, 0.0795, *LEANING], [0, 0, 0, 0, 0, 60.0]),
    "top on condim 6": (TOP, 'condim="6" friction=".4 .004 .001"', [0, 0, 0.0795, *LEANING], [0.1, 0, 0, 0, 0, 40.0]),
    "ball": ('<geom size=".1" mass="1"/>', 'condim="6" friction=".8 .01 .004"', [0, 0, 0.0995, *UPRIGHT],
             [0.7, 0.2, 0, 1, 3, 5.0]),
    "ball that slides": ('<geom size=".1" mass="1"/>', 'condim="4" friction=".1 .01 .004"', [0, 0, 0.0995, *UPRIGHT],
                         [2.0, 0.2, 0, 1, -9, 15.0]),
    "cylinder": ('<geom type="cylinder" size=".1 .2" mass="1"/>', 'condim="6" friction=".8 .03 .01"',
                 [0, 0, 0.0995, *LYING], [0, 0, 0, 0.1, 0.2, 8.0]),
    "coin": ('<geom type="cylinder" size=".1 .01" mass="1"/>', 'condim="6" friction=".5 .005 .001"',
             [0, 0, 0.0965, np.cos(0.6), np.sin(0.6), 0, 0], [0, 0, 0, 0, 0, 15.0]),
    "box that turns": ('<geom type="box" size=".1 .07 .05" mass="1"/>', 'condim="4" friction=".5 .05 .01"',
                       [0, 0, 0.0495, *UPRIGHT], [0.5, 0, 0, 0, 0, 6.0]),
}  # fmt: skip


def scene(name, option):
    geoms, contact, qpos, qvel = SCENES[name]
    xml = zoo.model(
        f"{FLOOR}<body><freejoint/>{geoms}</body>", default=f"<default><geom {contact}/></default>", option=option
    )
    return xml.replace("0.3 -0.2 -9.81", "0 0 -9.81"), np.array(qpos, float), np.array(qvel, float)


# with each cone and an impratio, every integrator in turn
CASES = [
    (name, cone, impratio, list(INTEGRATORS)[(i + j) % 3])
    for i, name in enumerate(SCENES)
    for j, (cone, impratio) in enumerate((("pyramidal", 1), ("elliptic", 1), ("elliptic", 7)))
]


@pytest.mark.parametrize(("name", "cone", "impratio", "integrator"), CASES)
def test_300_steps(simulators, name, cone, impratio, integrator):
    """Freely beside MuJoCo's, and each step from its state. (None comes to lie on a flat side: which three points of
    a rim touch is then decided by rounding, whatever the friction.)"""
    xml, qpos, qvel = scene(name, f'cone="{cone}" impratio="{impratio}"')
    mj, sim = simulators(xml, INTEGRATORS[integrator])
    running, data = type(sim)(sim.model), mujoco.MjData(mj)
    data.qpos[:], data.qvel[:] = qpos, qvel
    running.reset(qpos, qvel)
    stepwise = touched = 0
    for _ in range(300):
        sim.reset(data.qpos, data.qvel)
        sim.data.qacc_warmstart[0] = data.qacc_warmstart
        mujoco.mj_step(mj, data)
        running.step()
        sim.step()
        touched += data.ncon > 0
        stepwise = max(stepwise, difference(sim, data))
    free = difference(running, data)
    print(f"stepwise {stepwise:.1e}, freely {free:.1e}, {touched} steps in contact")
    assert touched > 100
    assert stepwise < 1e-7 and free < 1e-6


@CONES
def test_a_ball_that_spins_stops(simulators, cone):
    """Torsional friction takes mu N of torque while it slips, and then holds it."""
    spin, mu, mass, radius = 20.0, 0.01, 1.0, 0.1
    xml = zoo.model(f'{FLOOR}<body><freejoint/><geom size="{radius}" mass="{mass}"/></body>', option=f'cone="{cone}"',
                    default=f'<default><geom condim="4" friction="1 {mu} .001"/></default>')  # fmt: skip
    mj, sim = simulators(xml.replace("0.3 -0.2 -9.81", "0 0 -9.81"))
    slowing = mu * mass * 9.81 / (0.4 * mass * radius**2)
    sim.reset(np.array([0, 0, 0.0995, *UPRIGHT]), np.array([0, 0, 0, 0, 0, spin]))
    sim.step(50)  # comes to rest on the floor
    first = sim.data.qvel[0, 5]
    sim.step(25)
    assert first - sim.data.qvel[0, 5] == pytest.approx(slowing * 25 * mj.opt.timestep, rel=5e-2)
    sim.forward()
    contact = sim.data.contacts()
    assert abs(contact["torque"][0, 0]) == pytest.approx(mu * contact["force"][0, 0], rel=2e-2)
    sim.step(400)
    assert abs(sim.data.qvel[0, 5]) < 1e-2


@CONES
def test_a_ball_that_rolls_stops(simulators, cone):
    """Rolling friction slows it by mu_r N / r of force on 7/5 of its mass; on condim 4 it rolls on."""
    speed, mu, radius, ends = 1.0, 0.004, 0.1, []
    for condim in (4, 6):
        xml = zoo.model(f'{FLOOR}<body><freejoint/><geom size="{radius}" mass="1"/></body>',
                        option=f'cone="{cone}" impratio="20"',
                        default=f'<default><geom condim="{condim}" friction="1 .005 {mu}"/></default>')  # fmt: skip
        _, sim = simulators(xml.replace("0.3 -0.2 -9.81", "0 0 -9.81"))
        sim.reset(np.array([0, 0, 0.0995, *UPRIGHT]), np.array([speed, 0, 0, 0, speed / radius, 0]))
        sim.step(50)
        first = sim.data.qvel[0, 0]
        sim.step(100)
        ends.append((first - sim.data.qvel[0, 0]) / (100 * 0.004))
    assert abs(ends[0]) < 1e-2
    assert ends[1] == pytest.approx(mu * 9.81 / radius / 1.4, rel=3e-2)


MIXED = (  # geom attributes, pair
    ('condim="1"', 'condim="6" friction="1 .1 .05"', ""),
    ('condim="4" friction=".2 .1 .05"', 'condim="3" friction=".9 .02 .07"', ""),
    ('condim="6" friction=".5 0 0"', 'condim="4" friction=".9 0 0"', ""),  # no coefficient is less than 1e-5
    ('condim="4" friction=".2 .1 .05" priority="1"', 'condim="6" friction=".9 .02 .07"', ""),
    ('condim="1"', 'condim="6"', 'condim="4" friction=".5 .3 .1 .2 .05"'),
    ('condim="1"', 'condim="3"', 'condim="6" friction=".5 .3 .1 .2 .05"'),
)


@CONES
@pytest.mark.parametrize("first, second, pair", MIXED)
def test_which_geom_decides(simulators, first, second, pair, cone):
    xml = zoo.touching("plane", "capsule", "", f'cone="{cone}" impratio="3"')
    for name, attributes in (("g1", first), ("g2", second)):
        xml = xml.replace(f'name="{name}"', f'name="{name}" {attributes}')
    if pair:
        xml = xml.replace("</mujoco>", f'<contact><pair geom1="g1" geom2="g2" {pair}/></contact></mujoco>')
    mj, sim = simulators(xml)
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    states = [zoo.touching_state(mujoco, mj, data, rng) for _ in range(10)]
    found = worst(mj, sim, states)
    assert found["ncon"] == 0 and found["qacc"] < 1e-10
    set_reference(mj, data, states[0])
    sim.reset(*states[0][:2])
    sim.forward()
    ours, theirs, wrench = sim.data.contacts(), data.contact, np.zeros(6)
    np.testing.assert_array_equal(ours["dim"], theirs.dim)
    friction = contact_parameters(sim.model)["friction"]
    np.testing.assert_allclose(friction[ours["pair"]], theirs.friction, rtol=1e-15)
    for k in range(data.ncon):
        mujoco.mj_contactForce(mj, data, k, wrench)
        assert relative(np.concatenate([ours["force"][k], ours["torque"][k]]), wrench) < 1e-10


def test_built_as_read():
    """The builder takes condim 4 and 6, of geoms and of pairs, as the file does."""
    b = ModelBuilder()
    b.geom("world", "floor", type="plane", size=(1, 1, 1), condim=4)
    b.body("body")
    b.freejoint("body")
    b.geom("body", "ball", size=0.1, condim=6, friction=(1, 0.2, 0.3))
    b.geom("body", "other", size=0.1, pos=(0.3, 0, 0))
    b.pair("floor", "other", condim=6, friction=(1, 2, 3, 4, 5))
    model = b.compile()
    of = contact_parameters(model)
    assert dict(zip(model.pair_geom2.tolist(), of["dim"].tolist(), strict=True)) == {1: 6, 2: 6}
    assert {tuple(f) for f in of["friction"].tolist()} == {(1, 2, 3, 4, 5), (1, 1, 0.2, 0.3, 0.3)}
    assert "rolling" in features_of(model)
