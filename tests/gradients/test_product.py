"""Gradients of rollouts with contact: every kind of joint x pair of geoms x cone x condim x integrator, while the
contact is made, kept, or broken, and while it slides or rolls. The quick set takes one choice of the rest for every
second joint and pair; `pytest -m slow` takes all."""

import itertools

import numpy as np
import pytest

from engine.theta import LEAF_NAMES
from tests import zoo
from tests.gradients import contacts as c
from tests.gradients.differences import Rollout

REST = list(itertools.product(zoo.CONES, zoo.CONDIMS, c.INTEGRATORS))
PAIRS = list(itertools.product(c.JOINTS, zoo.PAIRS))
FEW = [rest for rest in REST if rest[1] < 4]  # tests/gradients/test_contact.py rolls
QUICK = [(j, k, *FEW[(7 * i) % len(FEW)], list(c.EVENTS)[i % 3]) for i, (j, k) in enumerate(PAIRS)]
ALL = [(j, k, *rest, event) for (j, k), rest, event in itertools.product(PAIRS, REST, c.EVENTS)]


def name(case):
    joint, kinds, cone, condim, integrator, event = case
    return f"{joint}-{kinds[0]}-{kinds[1]}-{cone}-{condim}-{integrator}-{event}"


class NoStart(AssertionError):
    """No start was found from which the event happens, or along which the loss is smooth."""


def settled_errors(rollout):
    """Errors where the differences settle, or None if one does not: an event lies within the smallest steps.

    Dry friction is left out: it is zero here, and where a dof turns round its derivative there settles slowly. So are
    leaves, which tests/gradients/test_contact.py has.
    """
    out = {"dof_frictionloss", *LEAF_NAMES}
    errors = rollout.errors([n for n in (*rollout.inputs, *rollout.params) if n not in out])
    return errors if all(k < 1e-6 for k in rollout.known.values()) else None


def check(mj, sim, states, steps, seed=0):
    """The gradient of the first start along which the loss is smooth, judged by the differences alone."""
    tried = 0
    for state in itertools.islice(states, 6):
        tried += 1
        rollout = Rollout(sim, mj, (*state[:3], state[3][:steps]), steps, seed=seed)
        errors = settled_errors(rollout)
        if errors is not None:
            bad = {k: v for k, v in errors.items() if not v < 1e-6}
            assert not bad, bad
            return state
    raise NoStart(f"no smooth start among {tried}")


def product(simulators, case):
    joint, kinds, cone, condim, integrator, event = case
    mj, sim = simulators(c.model(joint, kinds, cone, condim), c.INTEGRATORS[integrator])
    seed = sum(map(ord, name(case)))
    state = check(mj, sim, c.starts(mj, sim, joint, event, seed), c.STEPS)
    assert c.happened(sim, state, c.STEPS) == event
    if event != "made":  # the contact is there from the start
        check(mj, sim, iter([state]), 1)
        sim.reset(state[0], state[1])  # after the step it may be gone
        sim.forward()
        assert sim.data.contacts()["force"][:, 0].max() >= 0


@pytest.mark.parametrize("case", QUICK[::2], ids=name)
def test_product(simulators, case):
    product(simulators, case)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL, ids=name)
def test_whole_product(simulators, case):
    try:
        product(simulators, case)
    except NoStart as reason:
        pytest.skip(f"this joint hardly lets it happen: {reason}")


# In their plane ("several") a tilted capsule and a box on a ball pivot and slide, but do not roll.
MOVING = [
    (joint, pair, way)
    for joint, pair, way in itertools.product(
        ("free", "several", "slides and ball"), ("plane-sphere", "plane-capsule", "sphere-sphere", "sphere-box"),
        ("sliding", "rolling"),
    )
    if (joint, way) != ("several", "rolling") or pair.endswith("-sphere")
]  # fmt: skip


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize(("joint", "pair", "way"), MOVING)
def test_sliding_and_rolling(simulators, joint, pair, way, cone):
    """Kept contact that slides, or turns with hardly any sliding (20 steps)."""
    mj, sim = simulators(c.model(joint, tuple(pair.split("-")), cone, 3), 0)

    def states():
        rng = np.random.default_rng(0)
        for qpos, qvel, act, ctrl in c.starts(mj, sim, joint, "kept", 3):
            if way == "sliding":
                kick = 1.5 * rng.normal(size=mj.nv)
                if c.happened(sim, (qpos, qvel + kick), c.STEPS) != "kept":
                    continue
                qvel = qvel + kick
            else:  # what contact makes of a spin after a while
                sim.reset(qpos, qvel + 2.0 * rng.normal(size=mj.nv))
                sim.step(10)
                qpos, qvel = sim.data.qpos[0].copy(), sim.data.qvel[0].copy()
                if c.happened(sim, (qpos, qvel), c.STEPS) != "kept":
                    continue
            sim.reset(qpos, qvel)
            slip, spin = c.slip_and_spin(mj, sim)
            if slip > 0.2 if way == "sliding" else spin > 0.3 and slip < 0.02 * spin:
                yield qpos, qvel, act, ctrl

    check(mj, sim, states(), c.STEPS)
