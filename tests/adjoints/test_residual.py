"""The adjoint of residuals alone: networks of the state, passive ones, a bound of power, against differences."""

import mujoco
import numpy as np
import pytest

from engine import Simulator
from tests import zoo
from tests.adjoints import probe as p
from tests.zoo.residuals import LIMBS, limbs

pytestmark = pytest.mark.slow  # the kernel that takes each stage alone compiles for a minute


@pytest.fixture(scope="module")
def probe():
    return p.Probe(Simulator(limbs()))


@pytest.mark.parametrize("kick", (1.0, 0.3, 0.0))
def test_residuals(probe, kick):
    """At random states, and at rest in qpos0, where passive forces and their slopes by parameters are zero."""
    mj = mujoco.MjModel.from_xml_string(LIMBS.format(integrator="Euler"))
    for seed in range(3 if kick else 1):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), kick, kick)
        case = p.Case(probe, state, seed)
        z = case.rng.normal(size=case.model.nv)

        def forward(case=case, z=z):
            case.run(p.TERMS)
            return float(-z @ case.sim.data.qfrc_passive[0])

        case.set()
        probe.clear()
        probe.column("z")[:] = z
        case.run(p.PASSIVE_VJP)
        bars = {n: probe.bar(n) for n in ("qpos", "qvel", "act", "ctrl", "residual_prm", "dof_damping")}
        assert all(np.abs(bars[n]).min() > 0 for n in ("act", "ctrl")) and np.abs(bars["residual_prm"]).max() > 0.1
        case.compare(forward, bars)


def test_what_the_bound_of_power_does(probe):
    """In some of these states it holds, in others not: both have been compared above."""
    held = []
    for seed in range(3):
        mj = mujoco.MjModel.from_xml_string(LIMBS.format(integrator="Euler"))
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 1.0)
        p.Case(probe, state, seed).set()
        probe.sim.forward()
        pack, v = probe.sim.pack, probe.sim.data.qvel[0]
        power = pack["residual"][:2] @ v[[4, 3]]  # the last one's forces are what is left there
        assert power <= 0.05 + 1e-15
        held.append(abs(power - 0.05) < 1e-12)
    assert any(held) and not all(held), held
