"""The flag diagexact: softness by the exact diagonal of J M^-1 J^T. Accelerations and steps against MuJoCo's, gradients
against differences, in all integrators and rows."""

import mujoco
import numpy as np
import pytest

from engine import Simulator, Tape
from engine.compiler.features import features_of
from engine.model import load
from engine.model.constants import DISCRETE, EULER, IMPLICIT, IMPLICITFAST, RK4
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.physics.random_robots import Robot
from tests.physics.reference import worst
from tests.physics.test_discrete import landed, off_kinks, steps_apart, stiff
from tests.physics.test_integrators import LONE
from tests.physics.test_noslip import OTHERWISE, TOLD
from tests.physics.test_parity import CONTACT, assert_close, random_states, touching_states
from tests.physics.test_random_robots import check_gradient, check_linearize, check_motion

FLAG = '<option><flag diagexact="enable"/></option>'
INTEGRATORS = {"Euler": EULER, "RK4": RK4, "implicit": IMPLICIT, "implicitfast": IMPLICITFAST, "discrete": DISCRETE}


def exactly(xml):
    assert xml.count("<mujoco>") == 1
    return xml.replace("<mujoco>", f"<mujoco>{FLAG}")


ARMED = """<mujoco><option timestep="0.004"/><worldbody><body pos="0 0 1"><joint name="a" type="ball"/>
<geom type="box" size=".1 .2 .05" mass="1"/><body pos=".3 0 0"><joint name="b" axis="0 1 0" frictionloss=".2"
 limited="true" range="-20 5"/><geom size=".1" pos=".2 .05 0"/></body></body></worldbody>
<tendon><fixed name="t" armature=".3" limited="true" range="-1 .1" frictionloss=".1"><joint joint="b" coef="1.4"/>
</fixed></tendon><actuator><motor joint="b"/></actuator></mujoco>"""
WET = f"{zoo.WATER}/>"
ROBOTS = {
    **zoo.ROWS, **zoo.EQUALITIES, **zoo.TAUT,
    "armature of tendons": ARMED,
    "limits in a fluid": zoo.ROWS["friction and limits"].replace("<mujoco>", f"<mujoco>{WET}"),
    "equalities in a fluid": zoo.EQUALITIES["several equalities"].replace("<mujoco>", f"<mujoco>{WET}"),
}  # fmt: skip
QUICK = {
    "friction and limits": "implicitfast", "several equalities": "Euler", "limits of paths": "RK4",
    "tendon follows tendon": "discrete", "connect within a tree": "discrete", "armature of tendons": "implicit",
    "weld": "discrete", "limits in a fluid": "discrete",
}  # fmt: skip
CASES = [pytest.param(name, word, marks=() if QUICK.get(name) == word else pytest.mark.slow)
         for name in ROBOTS for word in INTEGRATORS]  # fmt: skip


def assert_steps(mj, sim, states, steps=1, bar=1e-12):
    worst, forces, met = steps_apart(mj, sim, states, steps)
    print(worst, forces, met)
    assert met > 0
    assert max(worst, 0.01 * forces) < bar


@pytest.mark.parametrize(("name", "integrator"), CASES)
def test_rows(simulators, name, integrator):
    mj, sim = simulators(exactly(ROBOTS[name]), INTEGRATORS[integrator])
    rng = np.random.default_rng(0)
    states = [zoo.random_state(mujoco, mj, rng, 1.0, 2.0) for _ in range(8)]
    assert_steps(mj, sim, states, bar=1e-7 if name in zoo.WITHIN else 1e-12)
    off_kinks(sim)
    for steps in (1, 4):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(steps), 0.4)
        rollout = Rollout(sim, mj, state, steps, seed=steps)
        assert_gradients(rollout.errors([n for n in (*rollout.inputs, *rollout.params) if not n.endswith("loss")]))


TOUCH = [(kinds, cone, condim, word) for kinds in (("plane", "box"), ("capsule", "box"), ("mesh", "box"))
         for cone in zoo.CONES for condim in zoo.CONDIMS for word in INTEGRATORS]  # fmt: skip
TRIED = {("pyramidal", 3, "Euler"), ("pyramidal", 6, "discrete"), ("elliptic", 4, "discrete"),
         ("elliptic", 1, "RK4"), ("elliptic", 6, "implicitfast")}  # fmt: skip


@pytest.mark.parametrize(("kinds", "cone", "condim", "integrator"), [
    pytest.param(*case, marks=() if case[0] == ("plane", "box") and case[1:] in TRIED else pytest.mark.slow)
    for case in TOUCH
])  # fmt: skip
def test_contacts(simulators, kinds, cone, condim, integrator):
    """Of two bodies, or of one with the world; impratio is not one."""
    option = f'cone="{cone}" impratio="2.5"'
    mj, sim = simulators(exactly(zoo.touching(*kinds, zoo.CONDIMS[condim], option)), INTEGRATORS[integrator])
    states = touching_states(mj, 8)
    # within a step of RK4 MuJoCo's solver stops where curved cones let it, as `steps_apart` tells
    assert_steps(mj, sim, states, bar=1e-8 if (integrator, cone) == ("RK4", "elliptic") else 1e-10)
    for seed, state in enumerate(states[:2]):
        rollout = Rollout(sim, mj, state, 2, seed=seed)
        errors = rollout.errors()
        assert_gradients({n: e for n, e in errors.items() if e > rollout.known[n]})  # no difference tells more


@pytest.mark.parametrize("integrator", [
    word if word in ("implicit", "discrete") else pytest.param(word, marks=pytest.mark.slow) for word in INTEGRATORS
])  # fmt: skip
@pytest.mark.parametrize("cone", zoo.CONES)
def test_branches_that_touch(simulators, cone, integrator):
    """Chains that contacts couple, far from where the file has them."""
    mj, sim = simulators(exactly(zoo.one_tree(f'cone="{cone}"', zoo.CONDIMS[3])), INTEGRATORS[integrator])
    rng = np.random.default_rng(0)
    assert_steps(mj, sim, [zoo.random_state(mujoco, mj, rng, 0.3) for _ in range(10)], bar=1e-10)
    off_kinks(sim)
    state = zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.3)
    rollout = Rollout(sim, mj, state, 3)
    assert_gradients(rollout.errors([n for n in (*rollout.inputs, *rollout.params) if not n.endswith("loss")]))


@pytest.mark.parametrize(("name", "cone"), [
    pytest.param(name, cone, marks=() if (name, cone) == ("usual", "pyramidal") else pytest.mark.slow)
    for name in ("usual", "hard", "greatest impedance", "rolling", "margins") for cone in zoo.CONES
])  # fmt: skip
def test_stiff_robots_in_discrete_time(simulators, name, cone):
    """MuJoCo's metric has of servos and tendons the diagonal alone where it has its diagonals from."""
    mj, sim = simulators(exactly(stiff(name, cone)))
    rng = np.random.default_rng(1)
    assert_steps(mj, sim, [landed(mj, rng) for _ in range(4)], 12)
    off_kinks(sim)
    for seed, steps in ((2, 1), (3, 12)):
        rollout = Rollout(sim, mj, landed(mj, np.random.default_rng(seed)), steps, seed=seed)
        held = {n for n in rollout.params if n.endswith("solimp") and name == "greatest impedance"}
        assert_gradients(rollout.errors([
            n for n in (*rollout.inputs, *rollout.params) if n not in held | {"dof_frictionloss"}
        ]))  # fmt: skip


def test_from_rest(simulators):
    mj, sim = simulators(exactly(zoo.one_tree('cone="elliptic"', zoo.CONDIMS[6])))
    state = mj.qpos0, np.zeros(mj.nv), np.zeros(mj.na), np.zeros((2, mj.nu))
    rollout = Rollout(sim, mj, state, 2)
    assert_gradients(rollout.errors([n for n in (*rollout.inputs, *rollout.params) if not n.endswith("loss")]))


@pytest.mark.slow
@pytest.mark.parametrize("integrator", ("Euler", "discrete"))
def test_lone_free_bodies(simulators, integrator):
    mj, sim = simulators(exactly(LONE), INTEGRATORS[integrator])
    rng = np.random.default_rng(0)
    worst, forces, _ = steps_apart(mj, sim, [zoo.random_state(mujoco, mj, rng, 0.5, 4.0) for _ in range(8)])
    assert max(worst, 0.01 * forces) < 1e-12


@OTHERWISE
@pytest.mark.parametrize(("integrator", "cone"), [
    pytest.param(word, cone, marks=() if (word, cone) == ("discrete", "elliptic") else pytest.mark.slow)
    for word in ("Euler", "discrete") for cone in zoo.CONES
])  # fmt: skip
def test_without_slip(simulators, integrator, cone):
    """Whose sweeps are credited with R; forward only."""
    text = exactly(zoo.one_tree(f'cone="{cone}" {TOLD.format(30, 1e-3)}', zoo.CONDIMS[4]))
    mj, sim = simulators(text, INTEGRATORS[integrator])
    assert_close(worst(mj, sim, random_states(mj, 40, kick=0.3)), CONTACT)
    with pytest.raises(ValueError, match="noslip_iterations = 30 has no gradient"):
        Tape(sim, 1)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 60)])
def test_random_robots(simulators, seed):
    mj, sim = simulators(exactly(Robot(seed).xml))
    check_motion(mj, sim, seed)
    check_gradient(mj, sim, seed)
    if seed % 8 == 3:
        check_linearize(mj, sim, seed)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=pytest.mark.slow) for seed in range(20)])
def test_random_robots_in_discrete_time(simulators, seed):
    mj, sim = simulators(exactly(Robot(seed).xml), DISCRETE)
    check_motion(mj, sim, seed)
    check_gradient(mj, sim, seed)


def test_it_changes_the_motion(simulators):
    """So that agreeing with MuJoCo means something."""
    found = []
    for xml in (zoo.EQUALITIES["weld"], exactly(zoo.EQUALITIES["weld"])):
        mj, sim = simulators(xml)
        sim.reset(*zoo.random_state(mujoco, mj, np.random.default_rng(0), 1.0, 2.0)[:2])
        sim.forward()
        found.append(sim.data.qacc[0].copy())
    assert np.abs(found[0] - found[1]).max() > 0.1 * np.abs(found[0]).max()


def test_who_has_it():
    model = load(exactly(zoo.one_tree()))
    assert model.opt.diagexact and {"diagexact", "diagonal"} <= features_of(model)
    assert load(model.to_mjcf()).opt.diagexact
    plain = load(zoo.one_tree())
    assert not plain.opt.diagexact and not {"diagexact", "diagonal", "backbone"} & features_of(plain)
    sim = Simulator(plain)
    assert sim.sizes["nexactM"] == sim.sizes["ndiagcon"] == sim.sizes["naxis"] == 0
