"""Gradients of rollouts with contact against differences: every pair of geoms, cone, dimension, contact parameter."""

import mujoco
import numpy as np
import pytest

from engine.diff.tape import Tape
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.quick import contacts_of_pairs

CONES = pytest.mark.parametrize("cone", zoo.CONES)


def touching(simulators, xml, seed, integrator=None):
    mj, sim = simulators(xml, integrator)
    return mj, sim, zoo.touching_state(mujoco, mj, mujoco.MjData(mj), np.random.default_rng(seed))


@pytest.mark.parametrize(("kinds", "condim", "cone"), contacts_of_pairs())
def test_pairs_of_geoms(simulators, kinds, condim, cone):
    xml = zoo.touching(*kinds, zoo.CONDIMS[condim], f'cone="{cone}"')
    for seed, steps in ((0, 1), (1, 3), (4, 1), (5, 2)):
        mj, sim, state = touching(simulators, xml, seed)
        rollout = Rollout(sim, mj, state, steps, seed=seed)
        assert_gradients(rollout.errors(leaves=seed == 1))


@CONES
@pytest.mark.parametrize("name", zoo.PARAMETERS)
@pytest.mark.parametrize("kinds", (("plane", "capsule"), ("capsule", "capsule")), ids="-".join)
def test_contact_parameters(simulators, kinds, name, cone):
    attributes, option = zoo.PARAMETERS[name]
    xml = zoo.touching(*kinds, attributes, f'cone="{cone}" {option}')
    mj, sim, state = touching(simulators, xml, 1)
    assert_gradients(Rollout(sim, mj, state, 3).errors(leaves=True))


@CONES
@pytest.mark.parametrize("name", zoo.UNLIKE)
def test_mixed_parameters(simulators, name, cone):
    mj, sim, state = touching(simulators, zoo.unlike(name, f'cone="{cone}"'), 1)
    assert_gradients(Rollout(sim, mj, state, 3).errors(leaves=True))


@CONES
@pytest.mark.parametrize("name", zoo.FRICTIONS)
def test_explicit_pairs(simulators, name, cone):
    xml = zoo.explicit_pair(zoo.FRICTIONS[name], f'cone="{cone}"')
    for seed in (0, 3):
        mj, sim, state = touching(simulators, xml, seed)
        assert_gradients(Rollout(sim, mj, state, 3, seed=seed).errors(leaves=True))


@CONES
@pytest.mark.parametrize("condim", (3, 6))
@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
def test_contacts_that_couple_branches(simulators, integrator, cone, condim):
    mj, sim = simulators(zoo.one_tree(f'cone="{cone}"', zoo.CONDIMS[condim]), integrator)
    for seed, steps in ((0, 1), (1, 20)):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        assert_gradients(Rollout(sim, mj, state, steps, seed=seed, applied=True).errors())


def plain(body, cone, option=""):
    return zoo.model(body, default="", option=f'cone="{cone}" {option}').replace("0.3 -0.2 -9.81", "0 0 -9.81")


FLOOR = '<geom type="plane" size="3 3 .1"/>'
SPHERE = FLOOR + '<body><freejoint/><geom type="sphere" size=".1" mass="1" {}/></body>'
BOX = FLOOR + '<body><freejoint/><geom type="box" size=".2 .15 .12" mass="1"/></body>'
UPRIGHT = FLOOR + '<body><freejoint/><geom type="capsule" size=".08 .2" mass="1"/></body>'
CYLINDER = FLOOR + f'<body><freejoint/><geom {zoo.SHAPES["cylinder"]} mass="1"/></body>'
SLIDES = '<joint type="slide" axis="0 0 1"/><joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/>'
PARALLEL = (
    '<geom type="capsule" size=".08 .2" euler="0 90 0"/><body pos="0 0 .16">' + SLIDES
    + '<joint axis="1 0 0"/><geom type="capsule" size=".08 .2" euler="0 90 0" mass="1"/></body>'
)  # fmt: skip
ON_BOX = (
    '<geom type="box" size=".2 .15 .12"/><body pos="0 0 .2">' + SLIDES
    + '<joint axis="0 0 1"/><geom type="capsule" size=".08 .15" euler="0 90 0" mass="1"/></body>'
)  # fmt: skip
STACK = BOX + '<body><freejoint/><geom type="sphere" size=".1" mass="1"/></body>'
BOXES = BOX + '<body><freejoint/><geom type="box" size=".1 .08 .06" mass=".3"/></body>'
POSE = [1.0, 0.0, 0.0, 0.0]
# model, start (qpos, qvel), steps, contacts at the end
DEGENERATE = {
    "sphere at rest": (SPHERE.format(""), [0, 0, 0.0993, *POSE], [0.0] * 6, 5, 1),
    "sphere lands": (SPHERE.format(""), [0, 0, 0.11, *POSE], [0.5, 0, -1, 0, 1, 0], 40, 1),
    "sphere bounces": (SPHERE.format('solref="-4000 -5"'), [0, 0, 0.11, *POSE], [0.5, 0, -1, 0, 1, 0], 60, 0),
    "sphere slides": (
        SPHERE.format('friction=".2 .005 .001"'), [0, 0, 0.0996, *POSE], [2.0, 1, 0, 0, 0, 1], 30, 1
    ),
    "sphere spins in place": (SPHERE.format(""), [0, 0, 0.0993, *POSE], [0, 0, 0, 0, 0, 3.0], 5, 1),
    "sphere spins and stops": (
        SPHERE.format('condim="4" friction="1 .01 .001"'), [0, 0, 0.0993, *POSE], [0, 0, 0, 0, 0, 0.5], 5, 1
    ),
    "sphere spins against friction": (
        SPHERE.format('condim="4" friction="1 .01 .001"'), [0, 0, 0.0993, *POSE], [0, 0, 0, 0, 0, 2.0], 2, 1
    ),
    "sphere at rest on condim 6": (SPHERE.format('condim="6"'), [0, 0, 0.0993, *POSE], [0.0] * 6, 5, 1),
    "sphere rolls and stops": (
        SPHERE.format('condim="6" friction="1 .01 .01"'), [0, 0, 0.0993, *POSE], [0.1, 0, 0, 0, 1.0, 0], 20, 1
    ),
    "box flat": (BOX, [0, 0, 0.1193, *POSE], [0.0] * 6, 10, 4),
    "box slides flat": (BOX, [0, 0, 0.1193, *POSE], [0.2, 0.1, 0, 0, 0, 0.1], 2, 4),
    "box on an edge": (BOX, [0, 0, 0.1899, np.cos(np.pi / 8), np.sin(np.pi / 8), 0, 0], [0.0] * 6, 5, 2),
    "capsule upright": (UPRIGHT, [0, 0, 0.2793, *POSE], [0.0] * 6, 3, 1),
    "capsule upright spins": (UPRIGHT, [0, 0, 0.2793, *POSE], [0, 0, 0, 0, 0, 2.0], 3, 1),
    "cylinder on its side": (
        CYLINDER, [0, 0, 0.1493, np.cos(np.pi / 4), np.sin(np.pi / 4), 0, 0], [0.1, 0.2, 0, 0.3, 0, 0.5], 5, 2
    ),
    "parallel capsules": (PARALLEL, [-0.0007, 0.05, 0.01, 0], [-0.1, 0.2, 0.1, 0.5], 5, 2),
    "capsule flat on a box": (ON_BOX, [-0.0007, 0.02, 0.01, 0.2], [-0.1, 0.2, 0.1, 0.5], 5, 2),
    "sphere on box": (STACK, [0, 0, 0.1193, *POSE, 0, 0, 0.3386, *POSE], [0.0] * 12, 10, 5),
    "box on a box": (
        BOXES, [0, 0, 0.1193, *POSE, 0.02, 0.03, 0.2986, *POSE], [0.0] * 6 + [0.1, 0.2, 0, 0, 0, 0.3], 3, 8
    ),
    "centre inside the box": (STACK, [0, 0, 0.5, *POSE, 0.02, 0.03, 0.58, *POSE], [0.0] * 12, 3, 1),
}


@CONES
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_and_changing_contact(simulators, name, cone):
    body, qpos, qvel, steps, ncon = DEGENERATE[name]
    mj, sim = simulators(plain(body, cone))
    state = np.array(qpos, float), np.array(qvel, float), np.zeros(0), np.zeros((steps, 0))
    rollout = Rollout(sim, mj, state, steps)
    # the first bit of friction is a kink; axes of inertia that nothing turns about are zero, which differences are not
    names = [n for n in (*rollout.inputs, *rollout.params) if n not in ("dof_frictionloss", "body_iquat")]
    assert_gradients(rollout.errors(names))
    rollout.loss(rollout.inputs)
    assert sim.data.ncon[0] == ncon
    assert np.isfinite(rollout.gradients().model["dof_frictionloss"]).all()


OVERLAPPING = {
    "cylinder and box": ('type="cylinder" size=".043 .033"', 'type="box" size=".1 .14 .135"'),
    "ellipsoid and mesh": ('type="ellipsoid" size=".05 .08 .11"', 'type="mesh" mesh="cube"'),
}
CUBE = " ".join(f"{x} {y} {z}" for x in (-0.1, 0.1) for y in (-0.14, 0.14) for z in (-0.13, 0.13))


@pytest.mark.parametrize("name", OVERLAPPING)
def test_deep_overlaps(simulators, name):
    """At random, about one in twenty of which the search's polytope does not come close to the feature."""
    bodies = "".join(f"<body><freejoint/><geom {a} mass='1' condim='1'/></body>" for a in OVERLAPPING[name])
    mj, sim = simulators(
        f"""<mujoco><asset><mesh name="cube" vertex="{CUBE}"/></asset><option><flag multiccd="disable"/></option>
        <worldbody>{bodies}</worldbody><sensor><contact data="dist pos normal"/></sensor></mujoco>"""
    )
    rng, tape, judged = np.random.default_rng(1), Tape(sim, 1), 0
    weights = rng.normal(size=(2, 1, mj.nsensordata)) * np.array([1, 0])[:, None, None]
    for _ in range(300):
        start, move = mj.qpos0.copy(), rng.normal(size=mj.nv)
        mujoco.mj_integratePos(mj, start, np.tile([0.08] * 3 + [2.0] * 3, 2) * rng.normal(size=mj.nv), 1.0)
        ways = [start.copy() for _ in range(2)]
        for way, h in zip(ways, (1e-6, -1e-6), strict=True):
            mujoco.mj_integratePos(mj, way, move, h)
        read = []
        for qpos in (*ways, start):
            sim.reset(qpos)
            sim.forward()
            read.append(float(weights[0, 0] @ sim.data.sensordata[0]))
        if not sim.data.ncon[0] or abs(read[0] + read[1] - 2 * read[2]) > 1e-8:
            continue
        tape.rollout(np.zeros((1, 0)))
        found = tape.backward(sensordata=weights).qpos0[0] @ (ways[0] - ways[1])
        assert abs(found - (read[0] - read[1])) < 1e-4 * 2e-6 * max(1, abs(read[0] - read[1]) / 2e-6)
        judged += 1
    assert judged > 100


@CONES
def test_just_touching(simulators, cone):
    """dist = 0 is not yet contact: the gradient is that of the side without."""
    mj, sim = simulators(plain(SPHERE.format(""), cone))
    state = np.array([0, 0, 0.1, *POSE]), np.array([0.3, 0.2, 0.5, 0.1, 0.2, 0.3]), np.zeros(0), np.zeros((1, 0))
    rollout = Rollout(sim, mj, state, 1)
    assert sim.data.ncon[0] == 0
    rollout.direction = lambda name, tangent=None: np.array([0.3, -0.2, 1.0, 0.4, 0.5, -0.3])
    assert_gradients(rollout.errors(["qpos0"], one_sided=1))


POLE = '<geom type="capsule" size=".04" fromto="0 0 0 0 0 -.5" mass="1"/>'
LIMITED = f'<body><joint axis="0 1 0" range="-20 20"/>{POLE}</body>'


@pytest.mark.parametrize(
    "case", ((21.0, 0.0, 10), (19.0, 2.0, 40), (-22.0, -1.0, 20)), ids=("rests", "returns", "deep")
)
def test_joint_limit(simulators, case):
    angle, speed, steps = case
    mj, sim = simulators(plain(LIMITED, "pyramidal"))
    state = np.deg2rad([angle]), np.array([speed]), np.zeros(0), np.zeros((steps, 0))
    assert_gradients(Rollout(sim, mj, state, steps).errors())


@pytest.mark.parametrize("side", (-1, 1))
def test_exactly_at_a_joint_limit(simulators, side):
    """At the limit the gradient is that of the inner side."""
    mj, sim = simulators(plain(LIMITED, "pyramidal"))
    state = side * np.abs(mj.jnt_range[0, :1]), np.array([side * 0.3]), np.zeros(0), np.zeros((1, 0))
    rollout = Rollout(sim, mj, state, 1)
    rollout.direction = lambda name, tangent=None: np.ones(1)
    assert_gradients(rollout.errors(["qpos0"], one_sided=-side))


@pytest.mark.slow
@CONES
@pytest.mark.parametrize("seed", (0, 1, 2, 4, 5, 7))  # after 3 and 6, few differences are known well
def test_long_rollouts(simulators, seed, cone):
    """Dry friction is left out: it is zero here, and where a dof turns round its derivative there converges slowly."""
    mj, sim = simulators(zoo.one_tree(f'cone="{cone}"'))
    state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.1, 0.3)
    rollout = Rollout(sim, mj, state, 200, seed=seed)
    errors = rollout.errors([n for n in (*rollout.inputs, *rollout.params) if n != "dof_frictionloss"])
    # impacts amplify rounding, so some differences are known worse than the bar: those only have to agree as far
    settled = {n: e for n, e in errors.items() if rollout.known[n] < 1e-6}
    assert len(settled) > len(errors) / 2
    assert_gradients(settled)
    assert all(e < 3 * rollout.known[n] for n, e in errors.items() if n not in settled), (errors, rollout.known)
