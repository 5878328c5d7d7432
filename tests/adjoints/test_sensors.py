"""Adjoint of the sensors at a given acceleration, each sensor alone."""

import mujoco
import numpy as np
import pytest

from tests import zoo
from tests.adjoints import probe as p
from tests.quick import some

pytestmark = pytest.mark.slow  # the kernel that takes each stage alone compiles for a minute

COUNT = mujoco.MjModel.from_xml_string(zoo.sensing()).nsensor


def sensor(probe, state, weights):
    case = p.Case(probe, state)

    def forward():
        case.run(p.TERMS, p.SENSORS)
        return float(weights @ case.sim.data.sensordata[0])

    case.set()
    forward()
    n = case.model.nsensordata
    probe.traj["traj_sensordata"][:n] = case.sim.data.sensordata[0]
    probe.b["cot_sensordata"][:n] = weights
    probe.clear()
    probe.column("z")[:] = 0
    probe.column("a_bar")[:] = 0
    case.run((p.MOTIONS, 0), p.SENSORS_VJP, p.ACTUATION_VJP)
    probe.column("z")[:] = 0
    case.run((p.TENDON_VJP, 0), (p.RNEA_VJP, 0))
    names = (
        "qpos", "qvel", "ctrl", "body_mass", "body_inertia", "gravity", "dof_armature", "jnt_stiffness",
        "actuator_gear", "actuator_gainprm", "actuator_biasprm", "tendon_stiffness", "tendon_armature",
        "tendon_lengthspring", "wrap_prm",
    )  # fmt: skip
    bars = {n: probe.bar(n) for n in names} | {"qacc": probe.column("a_bar").copy()}
    return case.compare(forward, bars)


@pytest.mark.parametrize("k", some(range(COUNT)))
def test_sensors(probes, k):
    mj, probe = probes(zoo.sensing())
    rng = np.random.default_rng(0)
    weights = np.zeros(mj.nsensordata)
    weights[mj.sensor_adr[k] : mj.sensor_adr[k] + mj.sensor_dim[k]] = rng.normal(size=mj.sensor_dim[k])
    moving = zoo.random_state(mujoco, mj, rng, 0.4)
    sensor(probe, moving, weights)
    if not mj.sensor_cutoff[k]:  # which one reading reaches exactly, at rest
        sensor(probe, (mj.qpos0, np.zeros(mj.nv), np.zeros(mj.na), np.zeros(mj.nu)), weights)


OF_TENDONS = mujoco.MjModel.from_xml_string(zoo.tendon_sensors())
LIMITS = range(int(mujoco.mjtSensor.mjSENS_TENDONLIMITPOS), int(mujoco.mjtSensor.mjSENS_TENDONLIMITFRC) + 1)


@pytest.mark.parametrize("k", some(np.flatnonzero(~np.isin(OF_TENDONS.sensor_type, LIMITS)).tolist()))
def test_sensors_of_tendons(probes, k):
    """But those of limits, which tests/gradients has."""
    mj, probe = probes(zoo.tendon_sensors())
    rng = np.random.default_rng(0)
    weights = np.zeros(mj.nsensordata)
    weights[k] = rng.normal()
    sensor(probe, zoo.random_state(mujoco, mj, rng, 0.4), weights)
