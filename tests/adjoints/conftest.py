"""One probe for every simulator."""

import pytest


@pytest.fixture(scope="session")
def probes(simulators):
    """probes(xml, integrator=None) -> (MjModel, Probe)."""
    from tests.adjoints.probe import Probe

    made = {}

    def make(xml, integrator=None):
        mj, sim = simulators(xml, integrator)
        if id(sim) not in made:
            made[id(sim)] = Probe(sim)
        return mj, made[id(sim)]

    return make
