"""Friction without slip against MuJoCo's: forces, accelerations and sensors of contact forces, sweep by sweep."""

import mujoco
import numpy as np
import pytest

import engine
from engine.compiler.features import features_of
from tests import zoo
from tests.physics.reference import BEFORE_4, worst
from tests.physics.test_parity import CONTACT, assert_close, random_states, touching_states

TOLD = 'noslip_iterations="{}" noslip_tolerance="{}"'
OTHERWISE = pytest.mark.skipif(BEFORE_4, reason="MuJoCo before 4.0 scales the tolerance by another inertia")
SWEEPS = ((6, 0), pytest.param(30, 1e-3, marks=OTHERWISE))


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize("condim", zoo.CONDIMS)
def test_contacts(simulators, condim, cone):
    """A box on the floor: four contacts, which the sweeps ask one after the other."""
    option = f'cone="{cone}" {TOLD.format(3, 0)}'
    mj, sim = simulators(zoo.touching("plane", "box", zoo.CONDIMS[condim], option))
    assert_close(worst(mj, sim, touching_states(mj, 40)), CONTACT)


@pytest.mark.parametrize(("sweeps", "tolerance"), SWEEPS)
@pytest.mark.parametrize("cone", zoo.CONES)
def test_sweeps_end_as_in_mujoco(simulators, cone, sweeps, tolerance):
    """Branches, islands of several bodies, touch sensors: each island by itself."""
    option = f'cone="{cone}" {TOLD.format(sweeps, tolerance)}'
    mj, sim = simulators(zoo.one_tree(option, zoo.CONDIMS[4]))
    assert_close(worst(mj, sim, random_states(mj, 40, kick=0.3)), CONTACT)
    mj, sim = simulators(zoo.touch(option))
    assert_close(worst(mj, sim, touching_states(mj, 20)), CONTACT)


def with_option(xml, option):
    return xml.replace("<option", f"<option {option}", 1)


@OTHERWISE
def test_sweeps_end_together(simulators):
    """With the flag island disabled: those of the hand and of the ball."""
    option = f'{TOLD.format(30, 1e-2)}><flag island="disable"/></option><option'
    mj, sim = simulators(zoo.one_tree(option, zoo.CONDIMS[4]))
    assert_close(worst(mj, sim, random_states(mj, 40, kick=0.3)), CONTACT)


@OTHERWISE
def test_sweeps_end_together_in_a_heap(simulators):
    """The same of balls that touch in turn, whose dofs are eliminated in another order than that of the file."""
    balls = "".join(
        f'<body pos="{0.19 * x} 0 0.099"><freejoint/><geom size=".1" mass="{4 + x}"/></body>'
        for x in (7, 0, 1, -1, 2, -2, 3, -3, 4)
    )
    xml = f"""<mujoco><option {TOLD.format(30, 1e-3)}><flag island="disable"/></option><worldbody>
      <geom type="plane" size="1 1 1"/>{balls}</worldbody></mujoco>"""
    mj, sim = simulators(xml)
    rng, still = np.random.default_rng(0), (np.zeros(0), np.zeros(0))
    states = [(mj.qpos0, 0.3 * rng.normal(size=mj.nv), *still) for _ in range(10)]
    assert_close(worst(mj, sim, states), CONTACT)


@OTHERWISE
def test_sweeps_end_by_masses_alone(simulators):
    """With the integrator discrete a stiff spring is in the metric, not in what ends the sweeps."""
    xml = zoo.one_tree(f'integrator="discrete" {TOLD.format(30, 1e-4)}', zoo.CONDIMS[4])
    mj, sim = simulators(xml.replace('name="l1"', 'name="l1" stiffness="1e7"'))
    assert_close(worst(mj, sim, random_states(mj, 40, kick=0.3)), CONTACT)


@pytest.mark.parametrize("name", ("friction and limits", "ball friction", "tendon friction", "tendon held"))
def test_dry_friction(simulators, name):
    mj, sim = simulators(with_option((zoo.ROWS | zoo.TAUT)[name], TOLD.format(4, 0)))
    assert_close(worst(mj, sim, random_states(mj, 30, kick=0.5)), CONTACT)


@pytest.mark.parametrize("cone", zoo.CONES)
def test_two_frictions_of_a_pair(simulators, cone):
    mj, sim = simulators(zoo.explicit_pair(zoo.FRICTIONS["pair rolling"], f'cone="{cone}" {TOLD.format(5, 0)}'))
    assert_close(worst(mj, sim, touching_states(mj, 30)), CONTACT)


SPIN = """<mujoco><option cone="pyramidal" {}/><worldbody><body pos="0 0 1"><freejoint/>
<geom type="box" size=".2 .2 .1" condim="4" friction=".8 .05 .01"/>
<body pos=".02 .03 .18"><joint type="slide" axis="0 .1 1"/><site name="s"/>
<geom size=".1" surfacevel="0 0 0 0 0 3" condim="4" friction=".8 .05 .01"/></body></body></worldbody>
<sensor><torque site="s"/></sensor></mujoco>"""


def test_friction_along_what_cannot_move(simulators):
    """A surface that spins on what no joint lets turn: of a pyramid's edges that move alike the forces stay."""
    option = TOLD.format(3, 0) + '><flag filterparent="disable"/></option><option'
    mj, sim = simulators(SPIN.format(option))
    data = mujoco.MjData(mj)
    mujoco.mj_forward(mj, data)
    sim.forward()
    assert data.ncon == 1 and abs(data.sensordata).max() > 0.1
    np.testing.assert_allclose(sim.data.sensordata[0], data.sensordata, rtol=1e-7, atol=1e-9)


RAMP = """<mujoco><option cone="elliptic" timestep="0.004" {}/><worldbody>
<geom type="plane" size="9 9 1" euler="0 20 0"/><body euler="0 20 0" pos="0 0 .1064"><freejoint/>
<geom type="box" size=".1 .1 .1"/></body></worldbody></mujoco>"""


def test_a_box_on_a_slope_stays(simulators):
    """What the option is for: in two seconds it sinks in and goes nowhere, along MuJoCo's trajectory."""
    ways = []
    for option in ("", TOLD.format(10, 0)):
        mj, sim = simulators(RAMP.format(option))
        data = mujoco.MjData(mj)
        sim.step(500)
        for _ in range(500):
            mujoco.mj_step(mj, data)
        np.testing.assert_allclose(sim.data.qpos[0], data.qpos, atol=1e-9)
        ways.append(np.linalg.norm(sim.data.qpos[0, :3] - mj.qpos0[:3]))
    print(ways)
    assert ways[1] < 0.1 * ways[0]


def test_no_gradient():
    sim = engine.Simulator(engine.load(RAMP.format(TOLD.format(2, 0))))
    for ask in (lambda: engine.Tape(sim, 2), sim.linearize):
        with pytest.raises(ValueError, match="noslip_iterations = 2 has no gradient.*noslip_iterations = 0"):
            ask()
    model = engine.load(RAMP.format(TOLD.format(2, 0)))
    model.opt.noslip_iterations = 0
    assert "noslip" not in features_of(model) and "noslip" in features_of(sim.model)
    engine.Tape(engine.Simulator(model), 2)
