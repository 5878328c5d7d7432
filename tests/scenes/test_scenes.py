"""Every built-in scene: its robot equals an independent one, its start is sound, its task can be done."""

import ast
from pathlib import Path

import numpy as np
import pytest

import scenes
from engine import Simulator, Tape
from engine.model import load
from engine.model.constants import FREE
from engine.view.camera import Camera
from scenes.scene import Scene, displace, normalized
from tests.scenes.scene_references import BALL_TOSS, GYMNASIUM, PENDULUM, SEED, assert_same_motion, asset, environment

SHARED = {"scene", "task", "parts", "swing_up", "reach", "identify", "state_task"}  # files that scenes have in common


@pytest.fixture(params=scenes.names())
def scene(request):
    return scenes.load(request.param)


def test_load_names_what_there_is():
    with pytest.raises(ValueError, match="no scene 'hoper' .did you mean 'hopper'.*; there are: .*hopper"):
        scenes.load("hoper")
    with pytest.raises(ValueError, match="pendulum"):
        scenes.load("__init__")


def test_scenes_import_numpy_and_the_model_alone():
    for source in Path(scenes.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            if modules == ["engine"]:
                modules = [f"engine.{alias.name}" for alias in node.names]
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                allowed = ("numpy", "numpy.typing", "dataclasses", "functools", "typing", "importlib")
                below = module.startswith(("engine.model", "engine.objectives", "engine.clocks", "engine.words"))
                records = source.stem == "identify" and module in ("engine.Simulator", "engine.Tape")  # in a function
                finds = source.stem == "__init__" and module in ("os", "sys", "collections.abc")  # scenes of one's own
                assert module in allowed or below or records or finds, f"{source.name} imports {module}"


def test_every_file_is_a_scene_that_can_be_loaded():
    files = {path.stem for path in Path(scenes.__file__).parent.glob("*.py")}
    assert files - {"__init__", *SHARED} == set(scenes.names())


def test_scenes_are_complete(scene):
    assert scene.name in scenes.names() and scene.model.name == scene.name
    assert scene.description and "\n" not in scene.description
    assert scene.model.nu > 0 and scene.model.nsensor > 0 and scene.model.actuator_ctrllimited.all()
    assert all(scene.model.actuator_names) and all(scene.model.sensor_names) and all(scene.model.joint_names)
    assert scene.steps * scene.dt == pytest.approx(scene.duration)
    Camera(**scene.camera)


def test_each_load_is_independent(scene):
    scene.model.body_mass[:] = 0
    scene.qpos0[:] = 7
    again = scenes.load(scene.name)
    assert again.model.body_mass.sum() > 0 and not (again.qpos0 == 7).all()


@pytest.mark.parametrize("name", GYMNASIUM)
def test_robot_equals_gymnasiums(name):
    pytest.importorskip("mujoco")
    # Our cart has a floor to stand over, which touches nothing.
    assert_same_motion(scenes.load(name).model, load(asset(name)), geoms=name != "cartpole")


@pytest.mark.parametrize("name, xml", [("pendulum", PENDULUM), ("ball_toss", BALL_TOSS)])
def test_robot_equals_the_mjcf(name, xml):
    pytest.importorskip("mujoco")
    assert_same_motion(scenes.load(name).model, load(xml), geoms=False, rtol=1e-7, atol=1e-9)


# ------------------------------------------------------------------------------------------------- start states


def test_start_without_noise_is_the_start_state(scene):
    qpos, qvel = scene.start(worlds=3)
    np.testing.assert_array_equal(qpos, np.tile(scene.qpos0, (3, 1)))
    np.testing.assert_array_equal(qvel, np.tile(scene.qvel0, (3, 1)))


def test_start_with_noise_is_near_and_repeatable(scene):
    scene.reset_noise = max(scene.reset_noise, 0.01)
    qpos, qvel = scene.start(3, worlds=500)
    assert qpos.shape == (500, scene.model.nq) and qvel.shape == (500, scene.model.nv)
    np.testing.assert_array_equal(qpos, scene.start(np.random.default_rng(3), worlds=500)[0])
    assert (abs(qpos - scene.qpos0) <= 1.02 * scene.reset_noise).all()  # a quaternion is made a unit again
    spread = scene.reset_noise if scene.velocity_noise == "normal" else scene.reset_noise / np.sqrt(3)
    np.testing.assert_allclose(qvel.std(axis=0), spread, rtol=0.15)
    for adr in scene.model.jnt_qposadr[scene.model.jnt_type == FREE]:
        np.testing.assert_allclose(np.linalg.norm(qpos[:, adr + 3 : adr + 7], axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize("name", ["hopper", "walker2d", "cartpole", "half_cheetah", "humanoid_run"])
def test_start_with_a_seed_is_gymnasiums(name):
    """But for the length of the humanoid's quaternion, which Gymnasium leaves to MuJoCo to make a unit."""
    env = environment(name)
    qpos, qvel = scenes.load(name).start(SEED)
    want = normalized(scenes.load(name).model, env.data.qpos.copy())
    np.testing.assert_allclose(qpos[0], want, rtol=1e-12)
    np.testing.assert_allclose(qvel[0], env.data.qvel, rtol=1e-12)


def test_displacement_is_mujocos():
    mujoco = pytest.importorskip("mujoco")
    mj, rng = mujoco.MjModel.from_xml_path(str(asset("ant"))), np.random.default_rng(0)
    model = scenes.load("ant").model
    qpos = np.tile(model.qpos0, (4, 1))
    qpos[:, 3:7] = [0.5, -0.5, 0.1, 0.7]
    qpos[:, 3:7] /= np.linalg.norm(qpos[0, 3:7])
    tangent = rng.normal(size=(4, model.nv)) * [[0], [1e-9], [0.1], [2]]
    moved = displace(model, qpos, tangent)
    for before, after, move in zip(qpos, moved, tangent, strict=True):
        mujoco.mj_integratePos(mj, before, move, 1.0)
        np.testing.assert_allclose(after, before, atol=1e-14)


def test_start_state_is_sound(scene):
    sim = Simulator(scene.model)
    sim.reset(*scene.start())
    sim.forward()
    assert np.isfinite(sim.data.qacc).all()
    assert min(sim.data.contacts()["dist"], default=0.0) > -0.002
    assert not scene.task.terminated(scene.qpos0, scene.qvel0)


def test_ant_can_stand():
    scene = scenes.load("ant")
    scene.qpos0 = scene.model.key_qpos[scene.model.key("stand")]
    mujoco = pytest.importorskip("mujoco")
    mj, data = _mujoco_twin(mujoco, scene)
    mujoco.mj_forward(mj, data)
    assert len(data.contact) == 4 and -0.01 < min(contact.dist for contact in data.contact)


def test_refuses_what_is_no_start_state(scene):
    given = {key: getattr(scene, key) for key in ("name", "description", "model", "task", "frame_skip", "duration")}
    with pytest.raises(ValueError, match="qpos0"):
        Scene(**given, qpos0=np.zeros(scene.model.nq + 1))
    with pytest.raises(ValueError, match="qvel0"):
        Scene(**given, qvel0=np.full(scene.model.nv, np.nan))
    with pytest.raises(ValueError, match="normal"):
        Scene(**given, velocity_noise="gaussian")
    with pytest.raises(ValueError, match="noise_of='joints'; allowed: tangent, coordinates"):
        Scene(**given, noise_of="joints")
    with pytest.raises(ValueError, match="reset_noise"):
        Scene(**given, reset_noise=-1.0)
    with pytest.raises(ValueError, match="worlds"):
        scene.start(worlds=0)


# ------------------------------------------------------------------------------------------------ what is solved


def test_thresholds_are_in_words_and_numbers(scene):
    assert scene.task.goals
    for goal in scene.task.goals:
        assert np.isfinite(goal.low) or np.isfinite(goal.high)
        assert str(goal) in scene.threshold
    assert "nan" not in scene.threshold and "inf" not in scene.threshold


def test_doing_nothing_solves_nothing(scene):
    """An unmoved robot is measured, in every world alike, and does not pass; nor do random controls."""
    sim = Simulator(scene.model, worlds=2)
    tape = Tape(sim, scene.trial_steps, scene.frame_skip)
    low, high = scene.model.actuator_ctrlrange.T
    for controls in (np.zeros(scene.model.nu), np.random.default_rng(0).uniform(low, high, (len(low),))):
        sim.reset(scene.qpos0, scene.qvel0)
        trajectory = tape.rollout(np.tile(controls, (scene.trial_steps, 1)))
        trajectory.params = sim.params
        measured = scene.task.measure(trajectory)
        assert measured.shape == (2, len(scene.task.goals)) and not np.isnan(measured).any()
        np.testing.assert_array_equal(*measured)
        if scene.name != "cartpole" or controls.any():
            assert not scene.solved(trajectory).any()


def test_a_goal_is_a_range_with_its_ends():
    task = scenes.load("quadruped").task
    task_of = type("Measured", (type(task),), {"measure": lambda self, t: t})()
    good = [0.15, 0.75, 0.5, 0.0, 0.0]
    assert task_of.solved(np.array([good, [-0.15, *good[1:]]])).all()
    assert not task_of.solved(np.array([[0.151, *good[1:]], [0.15, 0.74, 0.5, 0, 0], [0.15, 0.75, 0.51, 0, 0]])).any()


def test_trial_lies_within_the_episode(scene):
    given = {key: getattr(scene, key) for key in ("name", "description", "model", "task", "frame_skip", "duration")}
    assert scene.trial_steps * scene.dt == pytest.approx(scene.trial)
    for trial in (0.0, 2 * scene.duration):
        with pytest.raises(ValueError, match="trial"):
            Scene(**given, trial=trial)


def test_a_chain_is_where_the_engine_says():
    for name in ("reacher", "arm_reach", "arm_track"):
        scene = scenes.load(name)
        qpos = np.random.default_rng(1).uniform(-2, 2, (5, scene.model.nq))
        sim = Simulator(scene.model, worlds=5)
        sim.reset(qpos)
        sim.forward()
        np.testing.assert_allclose(scene.task.chain.place(qpos), sim.data.sensordata[:, :3], atol=1e-12)


@pytest.mark.parametrize("name", ["sysid_pendulum", "sysid_box"])
def test_recording_is_of_the_real_robot_with_noise(name):
    task = scenes.load(name).task
    again = scenes.load(name).task.recording
    np.testing.assert_array_equal(task.recording.sensordata, again.sensordata)
    sim = Simulator(task.real)
    sim.reset(task.qpos0)
    clean = Tape(sim, len(task.ctrl), task.frame_skip).rollout(task.ctrl).sensordata[:, 0]
    error = task.recording.sensordata - clean
    np.testing.assert_allclose(error.std(), task.noise, rtol=0.1)
    assert abs(error.mean()) < 0.2 * task.noise
    for u in task.unknowns:  # what is to be found is well away from the guess
        assert abs(np.mean(getattr(task.real, u.array)[u.entries]) / u.guess - 1) > 0.3


# ------------------------------------------------------------------------------------------------ it can be done


def test_pendulum_can_swing_up_but_not_at_once():
    mujoco = pytest.importorskip("mujoco")
    scene = scenes.load("pendulum")
    mj, data = _mujoco_twin(mujoco, scene)
    for pump in (lambda velocity: 1.0, lambda velocity: 1.0 if velocity >= 0 else -1.0):
        mujoco.mj_resetData(mj, data)
        highest = np.pi
        for _ in range(scene.steps):
            data.ctrl[0] = pump(data.qvel[0])
            mujoco.mj_step(mj, data, nstep=scene.frame_skip)
            highest = min(highest, abs(scene.task.angle(data.qpos)[0]))
        swung_up = highest < 0.2
        assert swung_up == (pump(-1.0) < 0)


def test_ball_rests_in_its_cup():
    mujoco = pytest.importorskip("mujoco")
    scene = scenes.load("ball_toss")
    mj, data = _mujoco_twin(mujoco, scene)
    mujoco.mj_step(mj, data, nstep=1000)
    assert len(data.contact) == 4
    np.testing.assert_allclose(data.qpos, scene.qpos0, atol=1e-6)


@pytest.mark.parametrize("torque, reaches", [(0.4, False), (0.58, True), (0.8, False)])
def test_ball_is_thrown_by_a_constant_torque(torque, reaches):
    mujoco = pytest.importorskip("mujoco")
    scene = scenes.load("ball_toss")
    mj, data = _mujoco_twin(mujoco, scene)
    data.ctrl[0] = torque
    total, highest = 0.0, 0.0
    for _ in range(scene.steps):
        before = data.qpos.copy(), data.qvel.copy()
        mujoco.mj_step(mj, data, nstep=scene.frame_skip)
        reward, terms = scene.task.reward(*before, data.ctrl, data.qpos, data.qvel, scene.dt)
        total, highest = total + terms["toss"], max(highest, data.qpos[4])
        if scene.task.terminated(data.qpos, data.qvel):
            break
    assert highest > 1.4 and len(data.contact) == 0 and abs(data.qpos[3]) < 1e-6
    assert scene.task.terminated(data.qpos, data.qvel) and 0 < total < 1
    through = 1 / (1 + (0.15 / scene.task.width) ** 2)  # the ball's radius within the hoop's
    assert (total > through) == reaches


def _mujoco_twin(mujoco, scene):
    """The same robot in MuJoCo, in the scene's start state."""
    texts = {"pendulum": PENDULUM, "ball_toss": BALL_TOSS}
    text = texts.get(scene.name) or asset(scene.name).read_text()
    mj = mujoco.MjModel.from_xml_string(text)
    data = mujoco.MjData(mj)
    data.qpos, data.qvel = scene.qpos0, scene.qvel0
    return mj, data
