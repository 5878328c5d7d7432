"""The scenes' robots that no file has: their twins in MuJoCo move, sense and linearise alike; gradients of rollouts.

Of the other scenes Gymnasium's own files are compared (tests/physics, tests/diff), which the robots are equal to.
"""

import mujoco
import numpy as np
import pytest

import scenes
from engine import Simulator
from engine.model import load
from tests.diff.test_linearize import mujocos, relative
from tests.gradients.differences import Rollout
from tests.physics.reference import worst
from tests.physics.test_integrators import run
from tests.quick import some
from tests.scenes.scene_references import GYMNASIUM, assert_same_motion
from tests.scenes.twin import mjcf

BUILT = [name for name in scenes.names() if name not in GYMNASIUM]
TOUCHING = {"ball_toss", "billiards", "box_push", "sysid_box", "quadruped", "humanoid"}
QACC, WITH_CONTACT = 1e-10, 1e-6  # relative


@pytest.fixture(scope="module")
def twins():
    """twins(name) -> (scene, MjModel that solves as exactly as it can, Simulator), made once."""
    made = {}

    def make(name):
        if name not in made:
            scene = scenes.load(name)
            mj = mujoco.MjModel.from_xml_string(mjcf(scene.model))
            mj.opt.solver, mj.opt.jacobian = mujoco.mjtSolver.mjSOL_NEWTON, mujoco.mjtJacobian.mjJAC_DENSE
            mj.opt.tolerance, mj.opt.ls_tolerance, mj.opt.iterations, mj.opt.ls_iterations = 1e-14, 1e-9, 500, 200
            scene.model.opt.tolerance = 1e-14
            sim = Simulator(scene.model)
            made[name] = scene, mj, sim, {n: sim.params[n].copy() for n in sim.params}
        scene, mj, sim, params = made[name]
        for n, value in params.items():
            sim.params[n][...] = value
        sim.reset()
        return scene, mj, sim

    return make


def controls(scene, rng, count):
    low, high = scene.model.actuator_ctrlrange.T
    return rng.uniform(low, high, (count, len(low)))


def start(scene, rng, spread, speed=0.5):
    """The scene's start, moved by a random way of size `spread` in every dof (m, rad), with random velocities."""
    moved = scenes.scene.displace(scene.model, scene.qpos0, spread * rng.normal(size=scene.model.nv))
    return moved, speed * rng.normal(size=scene.model.nv), np.zeros(scene.model.na), controls(scene, rng, 1)[0]


@pytest.mark.parametrize("name", scenes.names())
def test_the_twin_is_the_same_robot(name):
    model = scenes.load(name).model
    assert_same_motion(model, load(mjcf(model)), geoms=True)


@pytest.mark.parametrize("name", BUILT)
def test_dynamics_at_kicked_states(twins, name):
    """Accelerations, forces and sensors, with random applied forces, around the start and far from it."""
    scene, mj, sim = twins(name)
    rng = np.random.default_rng(0)
    states = [start(scene, rng, spread, 2.0) for spread in (0.01, 0.1, 0.5) for _ in range(25)]
    found = worst(mj, sim, states)
    print({k: float(f"{v:.1e}") for k, v in found.items()})
    assert found.pop("ncon") == 0
    assert ("dist" in found) == (name in TOUCHING)
    solved = {"qacc", "qfrc_constraint", "sensordata"} if name in TOUCHING else set()
    bad = {k: v for k, v in found.items() if not v < (WITH_CONTACT if k in solved else QACC)}
    assert not bad, bad


@pytest.mark.parametrize("name", BUILT)
def test_trajectories(twins, name):
    """500 steps under random controls, each held a while: free until something touches, and step by step."""
    scene, mj, sim = twins(name)
    rng = np.random.default_rng(1)
    u = controls(scene, rng, 25).repeat(20, axis=0)
    free, stepwise, untouched, touched = run(mj, sim, len(u), u, start(scene, rng, 0.02)[:2])
    print(f"free {free:.1e} over {untouched} steps, stepwise {stepwise:.1e}")
    assert touched == (name in TOUCHING)
    assert free < 1e-6
    assert stepwise < 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT)
def test_linearize(twins, name):
    """A and B along a rollout of MuJoCo's under random controls."""
    scene, mj, sim = twins(name)
    rng, data = np.random.default_rng(2), mujoco.MjData(mj)
    data.qpos[:], data.qvel[:], _, _ = start(scene, rng, 1e-3, 0.1)
    touched = False
    for t, u in enumerate(controls(scene, rng, 15).repeat(20, axis=0)):
        data.ctrl[:] = u
        if t in (4, 25, 60, 130, 299):
            state = [x.copy() for x in (data.qpos, data.qvel, data.act, data.ctrl)]
            sim.reset(*state[:2])
            sim.data.act[0], sim.data.ctrl[0] = state[2:]
            ours, theirs = sim.linearize(), mujocos(mj, mujoco.MjData(mj), state)
            for x, reference in zip(ours, theirs, strict=True):
                assert relative(x[0], reference) < 1e-5, t
            sim.forward()
            touched |= len(sim.data.contacts()["dist"]) > 0
        mujoco.mj_step(mj, data)
    assert touched == (name in TOUCHING)


@pytest.mark.parametrize("steps", (1, 20, 100))
@pytest.mark.parametrize("name", some(BUILT))
def test_gradient_of_a_rollout(twins, name, steps):
    """Every input and parameter, from the first of a few starts along which the differences themselves settle."""
    scene, mj, sim = twins(name)
    rng, unsettled = np.random.default_rng(steps), []
    for seed in range(6):
        state = start(scene, rng, 0.02)
        rollout = Rollout(sim, mj, state, steps, seed=seed)
        names = [n for n in (*rollout.inputs, *rollout.params) if n != "dof_frictionloss" or name == "sysid_pendulum"]
        errors = rollout.errors(names)
        unsettled = [n for n, known in rollout.known.items() if not known < 1e-6]
        if not unsettled:
            print({k: f"{v:.1e}" for k, v in errors.items()})
            bad = {k: v for k, v in errors.items() if not v < 1e-6}
            assert not bad, bad
            return
    raise AssertionError(f"no start along which the loss is smooth; the last one's differences in {unsettled}")
