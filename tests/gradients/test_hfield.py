"""Gradients of rollouts on height fields, and of rays that meet them, against differences."""

import mujoco
import numpy as np
import pytest

from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.physics.test_hfield import looking
from tests.quick import some

CASES = [(kinds, attributes) for kinds in zoo.FIELDS for attributes in ("", 'margin=".02"')]


@pytest.mark.parametrize("case", some(CASES, 3), ids=str)
def test_contacts(simulators, case):
    """A field on a body of its own, so that both sides move; with frames and sizes of geoms and contact parameters."""
    kinds, attributes = case
    mj, sim = simulators(zoo.touching(*kinds, attributes))
    for seed, steps in ((0, 1), (1, 3)):
        state = zoo.touching_state(mujoco, mj, mujoco.MjData(mj), np.random.default_rng(seed))
        rollout = Rollout(sim, mj, state, steps, seed=seed)
        assert_gradients(rollout.errors(leaves=seed == 0))
        rollout.loss(rollout.inputs)


STILL = "<geom type='hfield' hfield='hills'/><body pos='0 0 {}'><freejoint/><geom {} mass='1'/></body>"
LEVEL = """<asset><hfield name="hills" nrow="5" ncol="4" size=".4 .5 .12 .1"/></asset>"""
DEGENERATE = {
    "ball at rest on level ground": (LEVEL, STILL.format(0.0993, "type='sphere' size='.1'"), 5),
    "ball over an edge of the grid": (LEVEL, STILL.format(0.0993, "type='sphere' size='.1' pos='-.1333333 .25 0'"), 2),
    "cylinder upright": (LEVEL, STILL.format(0.1193, "type='cylinder' size='.1 .12'"), 3),
    "capsule upright": (LEVEL, STILL.format(0.2193, "type='capsule' size='.1 .12'"), 3),
    "ball just above": (LEVEL, STILL.format(0.1, "type='sphere' size='.1'"), 1),
    "box flat": (LEVEL, STILL.format(0.1193, "type='box' size='.2 .15 .12'"), 3),
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_places_have_finite_gradients(simulators, name):
    """On level ground each prism under a shape touches alike, and which of its points does is a choice that is held."""
    asset, body, steps = DEGENERATE[name]
    mj, sim = simulators(zoo.model(body, default=asset).replace("0.3 -0.2 -9.81", "0 0 -9.81"))
    state = mj.qpos0.copy(), np.zeros(mj.nv), np.zeros(0), np.zeros((steps, 0))
    rollout = Rollout(sim, mj, state, steps)
    rollout.loss(rollout.inputs)
    grads = rollout.gradients()
    for value in (grads.qpos0, grads.qvel0, *(grads.model[n] for n in sim.params)):
        assert np.isfinite(value).all()


SLOPE = " ".join(str(6 - row + col) for row in range(7) for col in range(6))
DEEP = f"""<mujoco><option timestep=".004" integrator="implicitfast" ccd_tolerance="1e-14" ccd_iterations="1000"/>
<asset><hfield name="slope" nrow="7" ncol="6" size=".2533 .2215 .4973 .2756" elevation="{SLOPE}"/></asset>
<worldbody><body pos=".1185 .129 .2088" quat=".7221 .1962 -.6634 -.0024"><geom type="hfield" hfield="slope"/></body>
<body><freejoint/><geom type="ellipsoid" size=".1181 .1153 .1418" pos=".0291 .0647 -.0377" condim="1"/></body>
</worldbody></mujoco>"""


@pytest.mark.parametrize("qpos", (
    (0.0422, 0.2559, 0.1657, 0.1257, 0.2455, -0.7312, 0.6239),
    (-0.0551, 0.1289, -0.0563, -0.7916, -0.5391, 0.2682, 0.1044),
    (0.0298, 0.2482, 0.3706, -0.5744, -0.7145, 0.3209, 0.2381),
))  # fmt: skip
def test_deep_in_the_ground(simulators, qpos):
    """Prisms that are left by one of their sides, of which the search's polytope has one corner alone: the normal is
    the side's, and does not turn. (It had counted as that of the corner.)"""
    mj, sim = simulators(DEEP)
    qpos = np.array(qpos)
    qpos[3:] /= np.linalg.norm(qpos[3:])
    state = qpos, np.array([0.2, 0.7, -0.7, -0.2, -0.8, 0.9]), np.zeros(0), np.zeros((1, 0))
    rollout = Rollout(sim, mj, state, 1)
    assert_gradients(rollout.errors(["qpos0", "qvel0"]))


@pytest.mark.parametrize("seed", (0, 1))
def test_rays(simulators, seed):
    mj, sim = simulators(looking())
    state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.1)
    assert_gradients(Rollout(sim, mj, state, 1, seed=seed).errors(leaves=True))


def test_sliding_down(simulators):
    """A ball and an ellipsoid that roll over cells, many steps."""
    bodies = "<geom type='hfield' hfield='hills' euler='8 6 0'/>"
    for x, shape in ((-0.2, "type='sphere' size='.07'"), (0.15, "type='ellipsoid' size='.09 .07 .06'")):
        bodies += f"<body pos='{x} .1 .2'><freejoint/><geom {shape} mass='.5' condim='1'/></body>"
    mj, sim = simulators(zoo.model(bodies, default=zoo.HILLS))
    state = mj.qpos0.copy(), np.zeros(mj.nv), np.zeros(0), np.zeros((40, 0))
    rollout = Rollout(sim, mj, state, 40)
    errors = rollout.errors(["qpos0", "qvel0", "body_mass", "gravity", "hfield_data", "hfield_size"])
    rollout.loss(rollout.inputs)
    assert sim.data.ncon[0] > 0
    assert max(errors.values()) < max(1e-6, 3 * max(rollout.known.values())), (errors, rollout.known)
