"""Laws of mechanics that need no other program to compare with."""

import mujoco
import numpy as np
import pytest

from tests import zoo

RK4 = 1
FLOATING = zoo.model(zoo.FLOATER.split('<body name="u"')[0]).replace('gravity="0.3 -0.2 -9.81"', 'gravity="0 0 0"')


def momentum(mj, sim):
    """Kinetic energy, momentum and angular momentum about the world's origin, by MuJoCo's sums at our state."""
    data = mujoco.MjData(mj)
    data.qpos[:], data.qvel[:] = sim.data.qpos[0], sim.data.qvel[0]
    mujoco.mj_forward(mj, data)
    mujoco.mj_subtreeVel(mj, data)
    mujoco.mj_energyVel(mj, data)
    mass = mj.body_subtreemass[0]
    linear = mass * data.subtree_linvel[0]
    return data.energy[1], linear, data.subtree_angmom[0] + np.cross(data.subtree_com[0], linear)


def test_floating_chain_keeps_energy_and_momentum(simulators):
    mj, sim = simulators(FLOATING, RK4)
    rng = np.random.default_rng(0)
    sim.reset(qvel=rng.normal(size=mj.nv))
    energy, linear, angular = momentum(mj, sim)
    sim.step(500)
    energy1, linear1, angular1 = momentum(mj, sim)
    assert abs(energy1 - energy) < 1e-7 * energy
    assert np.abs(linear1 - linear).max() < 1e-8
    assert np.abs(angular1 - angular).max() < 1e-8


def incline(angle, friction, cone):
    default = f'<default><geom friction="{friction} .005 .0001" condim="3" solref=".02 1"/></default>'
    return zoo.model(
        f'<geom type="plane" size="5 5 .1" euler="0 {angle} 0"/>'
        '<body><freejoint/><geom type="box" size=".2 .2 .05" mass="1"/></body>',
        default=default, option=f'cone="{cone}"',
    ).replace('gravity="0.3 -0.2 -9.81"', 'gravity="0 0 -9.81"')  # fmt: skip


@pytest.mark.parametrize("cone", zoo.CONES)
def test_block_slides_on_a_steep_incline_and_sticks_on_a_flat_one(simulators, cone):
    """tan 20 deg = 0.36: with friction 0.2 the block accelerates by g (sin - mu cos), with 0.6 it stays."""
    angle = np.deg2rad(20)
    down = np.array([np.sin(angle) * np.cos(angle), 0, -np.sin(angle) ** 2]) / np.sin(angle)
    speeds = []
    for friction in (0.2, 0.6):
        mj, sim = simulators(incline(20, friction, cone))
        pos = 0.05 * np.array([np.sin(angle), 0, np.cos(angle)])
        quat = np.array([np.cos(angle / 2), 0, np.sin(angle / 2), 0])
        sim.reset(np.concatenate([pos, quat]))
        # the block hops and rocks while it slides, so the mean over a second counts
        sim.step(250)
        first = sim.data.qvel[0, :3] @ down
        sim.step(500)
        speeds.append((sim.data.qvel[0, :3] @ down - first) / (500 * mj.opt.timestep))
    assert speeds[0] == pytest.approx(9.81 * (np.sin(angle) - 0.2 * np.cos(angle)), rel=0.02)
    assert abs(speeds[1]) < 0.02


def test_ball_rolls_without_slipping(simulators):
    """It starts sliding at speed 1; rolling keeps 5 / 7 of that. Compliant friction creeps a little."""
    xml = zoo.model(
        '<geom type="plane" size="9 9 .1"/><body><freejoint/><geom type="sphere" size=".15" mass="1"/></body>',
        default="", option='cone="elliptic" impratio="100"',
    ).replace("0.3 -0.2 -9.81", "0 0 -9.81")  # fmt: skip
    mj, sim = simulators(xml)
    sim.reset(np.array([0, 0, 0.149, 1, 0, 0, 0]), np.array([1.0, 0, 0, 0, 0, 0]))
    sim.step(300)
    speed, spin = sim.data.qvel[0, 0], sim.data.qvel[0, 4]
    assert speed == pytest.approx(5 / 7, rel=5e-3)
    assert speed == pytest.approx(0.15 * spin, rel=5e-3)
