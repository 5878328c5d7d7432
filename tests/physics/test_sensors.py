"""Sensor values against MuJoCo's: every kind, every kind of object, cutoffs, touch sites of every shape."""

import mujoco
import numpy as np
import pytest

from engine.model.sensors import NAMES
from tests import zoo
from tests.physics.reference import errors, resting_accelerometer, set_reference, worst


def test_every_kind_is_covered():
    xml = zoo.sensing() + zoo.touch()
    assert [name for name in NAMES if f"<{name} " not in xml] == []


@resting_accelerometer
def test_values(simulators):
    mj, sim = simulators(zoo.sensing())
    rng = np.random.default_rng(0)
    found = worst(mj, sim, [zoo.random_state(mujoco, mj, rng) for _ in range(60)])
    assert found["sensordata"] < 1e-12
    clipped = [k for k in range(mj.nsensor) if mj.sensor_cutoff[k] > 0]
    values = [sim.data.sensordata[0, mj.sensor_adr[k] : mj.sensor_adr[k] + mj.sensor_dim[k]] for k in clipped]
    assert any(np.abs(v).max() == mj.sensor_cutoff[k] for k, v in zip(clipped, values, strict=True))


@pytest.mark.parametrize("cone", zoo.CONES)
def test_touch(simulators, cone):
    mj, sim = simulators(zoo.touch(f'cone="{cone}"'))
    rng, data = np.random.default_rng(0), mujoco.MjData(mj)
    seen, worst_error = np.zeros(mj.nsensordata), 0.0
    for _ in range(150):
        set_reference(mj, data, zoo.random_state(mujoco, mj, rng, 0.1))
        worst_error = max(worst_error, errors(mj, sim, data)["sensordata"])
        seen += data.sensordata > 0
    assert worst_error < 1e-10
    assert seen.min() > 0, "every site must be touched at least once"
