"""Run files: what was recorded comes back bit for bit and is computed again bit for bit, in another process too."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engine
import scenes
from engine.compiler.features import features_of
from engine.model import ModelError
from engine.model.fields import FIELDS
from engine.model.pairs import contact_parameters
from engine.recording import OUTPUTS, Recording
from tests.model.test_elements import before_mixing

STEPS = 40


@pytest.fixture(scope="module")
def tape():
    """Two cheetahs from states of their own, in mid-motion, under random controls, of a changed mass."""
    scene = scenes.load("half_cheetah")
    sim = engine.Simulator(scene.model, worlds=2)
    sim.params.body_mass[2] *= 1.25
    qpos, qvel = scene.start(rng=1, worlds=2)
    sim.reset(qpos, qvel)
    sim.data.ctrl[:] = 0.3
    sim.step(12)  # leaves a warm start behind, which is part of the state
    sim.data.xfrc_applied[:, 3, 2] = 1.5
    tape = engine.Tape(sim, STEPS, frame_skip=2, record_every=4)
    tape.rollout(np.random.default_rng(0).uniform(-1.5, 1.5, (STEPS, 2, scene.model.nu)))
    return tape


@pytest.fixture(scope="module")
def path(tape, tmp_path_factory):
    recording = Recording.of(tape, name="two", labels=["a", "b"], seed=7)
    return recording.save(tmp_path_factory.mktemp("run") / "run.npz")


def test_the_file_holds_what_was_recorded(tape, path):
    r = Recording.load(path)
    assert (r.name, r.labels, r.seed, r.frame_skip, r.record_every, r.worlds) == ("two", ["a", "b"], 7, 2, 4, 2)
    assert r.versions["taichi"] == "1.7.4" and r.precision == "f64"
    assert r.differences(tape.trajectory) == []
    for name in FIELDS:
        expected = getattr(tape.sim.model, name)
        if name == "body_mass":
            expected = tape.sim.params.body_mass
        np.testing.assert_array_equal(getattr(r.model, name), expected, err_msg=name)
    assert r.model.opt.timestep == tape.sim.model.opt.timestep and r.model.joint_names == tape.sim.model.joint_names


def test_a_replay_has_the_same_bits(path):
    r = Recording.load(path)
    assert r.differences(r.replay()) == []


def test_a_file_from_before_contacts_were_mixed_has_the_same_bits(path, tmp_path):
    model = Recording.load(path).model
    with np.load(path) as file:
        arrays = dict(file)
    robot = {n.removeprefix("model."): a for n, a in arrays.items() if n.startswith("model.")}
    older = {f"model.{n}": a for n, a in before_mixing(robot, contact_parameters(model)).items()}
    info = json.loads(str(arrays["info"]))
    info["features"].remove("own_pair")
    arrays = {n: a for n, a in arrays.items() if not n.startswith("model.")} | older | {"info": json.dumps(info)}
    np.savez(tmp_path / "older.npz", **arrays)
    r = Recording.load(tmp_path / "older.npz")
    assert r.model.nown == r.model.npair == model.npair and "own_pair" in r.features
    assert r.differences(r.replay()) == []


def test_a_replay_of_one_world_has_the_bits_of_that_world(path):
    r = Recording.load(path)
    again = r.tape([1]).trajectory
    for name in OUTPUTS[:-1]:
        np.testing.assert_array_equal(getattr(again, name)[:, 0], getattr(r, name)[:, 1], err_msg=name)


@pytest.mark.slow
def test_another_process_replays_the_same_bits(path, tmp_path):
    code = (
        "import sys, engine\n"
        "r = engine.Recording.load(sys.argv[1])\n"
        "found = r.differences(r.replay())\n"
        "sys.exit(f'differ: {found}' if found else 0)\n"
    )
    script = tmp_path / "again.py"
    script.write_text(code)
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, str(script), str(path)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["qpos", "qvel", "xfrc_applied", "time"])
def test_each_part_of_the_start_matters(path, name):
    """Nothing in the file is decoration: without one part of the state the bits are others."""
    r = Recording.load(path)
    r.start[name] = r.start[name] + 1e-3
    assert r.differences(r.replay()) != []


def test_a_controller_is_replayed_from_its_controls(tmp_path):
    from controllers import PD

    scene = scenes.load("hopper")
    sim = engine.Simulator(scene.model)
    tape = engine.Tape(sim, 30, frame_skip=scene.frame_skip)
    tape.rollout(PD(scene.model, kp=5.0, kd=0.2))
    r = Recording.load(Recording.of(tape).save(tmp_path / "pd.npz"))
    assert r.differences(r.replay()) == []


def test_runs_of_several_tapes_stand_side_by_side(tape):
    r = Recording.of([tape, tape])
    assert r.worlds == 4 and r.labels[3] == "world 3"
    np.testing.assert_array_equal(r.qpos[:, 2:], tape.trajectory.qpos)
    with pytest.raises(ValueError, match="labels"):
        Recording.of([tape, tape], labels=["a"])


@pytest.mark.parametrize(
    "seed, kept",
    [(np.int64(3), 3), (np.array([1, 2]), [1, 2]), ((np.uint8(1), "a"), [1, "a"]), (2**70, 2**70), (None, None)],
)
def test_seeds(tape, tmp_path, seed, kept):
    r = Recording.of(tape, name=3, seed=seed)
    loaded = Recording.load(r.save(tmp_path / "seed.npz"))
    assert r.seed == loaded.seed == kept and loaded.name == "3"


def test_in_older_files_sensor_stands_for_all_sensors(path, tmp_path):
    arrays = dict(np.load(path))
    info = json.loads(str(arrays["info"]))
    info["features"] = [name for name in info["features"] if not name.endswith("_sensor")]
    np.savez(tmp_path / "old.npz", **arrays | {"info": np.array(json.dumps(info))})
    old = Recording.load(tmp_path / "old.npz")
    needed = {name for name in features_of(old.model) if name.endswith("_sensor")}
    assert needed and needed <= set(old.features)


def test_what_no_recording_can_be_made_of(tape):
    for seed in (np.random.SeedSequence(3), object(), np.random.default_rng(0)):
        with pytest.raises(TypeError, match="seed: got (?s:.)*, allowed: numbers, text"):
            Recording.of(tape, seed=seed)
    with pytest.raises(ValueError, match="tapes: got none"):
        Recording.of([])
    mass = tape.sim.params.body_mass
    mass *= 2
    with pytest.raises(engine.StaleTapeError, match="Recording.of: a parameter of the model changed since the rollout"):
        Recording.of(tape)
    mass /= 2
    assert Recording.of(tape).worlds == tape.sim.worlds
    other = copy.copy(tape)
    other.sim.params.body_inertia[1] *= 1, 3, 1
    other.rollout(np.zeros((STEPS, 2, other.sim.model.nu)))
    with pytest.raises(ModelError, match="body_inertia = .*; allowed: moments that obey"):
        Recording.of(other)


def test_a_run_file_with_an_index_that_leads_outside_is_refused(path, tmp_path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    arrays["model.site_bodyid"] += 10**6
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match="site_bodyid = 100.*; allowed: a body, 0 to"):
        Recording.load(tmp_path / "bad.npz")


def test_what_is_not_a_run_file_is_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        Recording.load(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match="not a run file"):
        Recording.load(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ValueError, match="not a run file"):
        Recording.load(tmp_path / "text.npz")


def test_another_precision_is_refused(path):
    r = Recording.load(path)
    r.precision = "f32"
    with pytest.raises(ValueError, match='engine.init\\(precision="f32"\\)'):
        r.replay()
