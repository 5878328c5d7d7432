"""Adhesion: forces, contacts within the gap and what they pull, against MuJoCo."""

import mujoco
import numpy as np
import pytest

from engine.model import ModelBuilder, load
from engine.model.errors import ModelError, UnsupportedError
from tests import zoo
from tests.physics.reference import worst


@pytest.mark.parametrize("cone", zoo.CONES)
def test_pulls_at_contacts_and_within_the_gap(simulators, cone):
    mj, sim = simulators(zoo.adhesive(f'cone="{cone}"'))
    rng, data = np.random.default_rng(0), mujoco.MjData(mj)
    states, felt = [], set()
    while len(states) < 30:
        state = zoo.random_state(mujoco, mj, rng, 0.15)
        data.qpos[:] = state[0]
        mujoco.mj_forward(mj, data)
        if data.ncon:
            states.append(state)
            felt |= set(data.contact.exclude.tolist())
    assert felt == {0, 1}
    found = worst(mj, sim, states)
    print({k: float(f"{v:.1e}") for k, v in found.items()})
    assert found.pop("ncon") == 0
    assert max(v for n, v in found.items() if n not in ("qacc", "qfrc_constraint", "sensordata")) < 1e-10
    assert found["qacc"] < 1e-8 and found["qfrc_constraint"] < 1e-8 and found["sensordata"] < 1e-8


def test_what_is_refused():
    slow = zoo.adhesive('integrator="implicitfast"')
    with pytest.raises(UnsupportedError, match="of a body by its velocity with the integrator implicitfast"):
        load(slow)
    load(slow.replace('biasprm=".3 0 -.2"', 'biasprm=".3 0 0"'))


def test_a_builder_has_it():
    b = ModelBuilder()
    b.body("ball")
    b.joint("ball", "f", type="free")
    b.geom("ball", type="sphere", size=0.1, mass=1.0, gap=0.1)
    b.geom("world", type="plane", size=(1, 1, 0.1))
    b.adhesion("ball", "a", gain=3, ctrlrange=(0, 1))
    m = b.compile()
    assert (m.actuator_trntype[0], m.actuator_trnid[0], m.actuator_gainprm[0, 0]) == (5, 1, 3)
    with pytest.raises(ModelError, match="ctrlrange.0. = -1; allowed: zero or more"):
        b.adhesion("ball", "b", ctrlrange=(-1, 1))
