"""The same gradients, bit for bit, whatever is stored and whatever is computed again; outputs that skip steps."""

import mujoco
import numpy as np
import pytest

from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients

XML = pytest.mark.parametrize(
    "xml", (zoo.one_tree(), zoo.SMOOTH["activation"], zoo.sensing()), ids=("contact", "act", "sensors")
)
INTEGRATORS = pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))


def flat(grads):
    parts = [grads.ctrl, grads.qpos0, grads.qvel0, grads.act0, *(grads.model[n] for n in grads.model)]
    return np.concatenate([np.ravel(p) for p in parts])


@INTEGRATORS
@XML
def test_memory_does_not_matter(simulators, xml, integrator):
    mj, sim = simulators(xml, integrator)
    state = zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.2, 0.3)
    rich = Rollout(sim, mj, state, 24, frame_skip=2, record_every=3)
    stored = flat(rich.gradients())
    tape = rich.tape
    fixed = tape.bytes - tape.traj["record"].nbytes - sum(a.nbytes for s in tape.slots for a in s.values())
    plans = {str(rich.tape.schedule)}
    for extra in (0.5, 0.25, 0.12):
        memory = int(fixed + extra * (tape.bytes - fixed))
        poor = Rollout(sim, mj, state, 24, frame_skip=2, record_every=3, memory=memory)
        again = flat(poor.gradients())
        plans.add(str(poor.tape.schedule))
        assert np.array_equal(stored, again)
    assert len(plans) > 2, plans
    assert np.isfinite(stored).all()
    assert np.abs(stored).max() > 0


@INTEGRATORS
@XML
def test_frame_skip_and_sparse_outputs(simulators, xml, integrator):
    mj, sim = simulators(xml, integrator)
    state = zoo.random_state(mujoco, mj, np.random.default_rng(1), 0.2, 0.3)
    assert_gradients(Rollout(sim, mj, state, 6, frame_skip=3, record_every=2, applied=True).errors())


def test_raw_coordinates_of_a_quaternion(simulators):
    """The cotangent of qpos and the gradient of qpos0 are in qpos' own coordinates, off the unit sphere too."""
    mj, sim = simulators(zoo.SMOOTH["trees"])
    state = zoo.random_state(mujoco, mj, np.random.default_rng(3), 0.4)
    state[0][3:7] *= 1.3
    rollout = Rollout(sim, mj, state, 4)
    rollout.moved = lambda name, direction, eps: rollout.inputs[name] + eps * direction
    rollout.direction = lambda name, tangent=None: np.random.default_rng(0).normal(size=mj.nq)
    assert_gradients(rollout.errors(["qpos0"]))
