"""What people read: one line about each thing, what a wrong name may have meant, and the lists of the command line."""

import json
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

import controllers
import engine
import scenes
from engine.cli import main
from engine.commands.common import Output, called, interrupted
from engine.diff.gradients import Gradients, ModelGradients
from engine.diff.trajectory import Trajectory
from engine.files import write_text
from engine.model import ModelError
from engine.objectives import Effort, RunForward
from engine.view import still as view
from engine.words import meant, neighbours, shapes

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def scene():
    return scenes.load("hopper")


def test_each_thing_is_one_line(scene):
    """Of nothing here a kernel runs."""
    sim = engine.Simulator(scene.model, worlds=2)
    tape = engine.Tape(sim, 5, frame_skip=2)
    arrays = {"qpos": np.zeros((6, 2, 6)), "ctrl": np.zeros((5, 2, 3)), "act": np.zeros((6, 2, 0))}
    zeros = [np.zeros((2, 3))] * 5
    of_model, poses = ModelGradients(scene.model, np.zeros((2, 90))), [np.zeros((5, 2, 0, k)) for k in (3, 4)]
    gradients = Gradients(np.zeros((5, 2, 3)), None, *zeros[:3], of_model, *zeros[:2], *poses)
    for thing, words in (
        (sim, "<Simulator of 'hopper': 2 worlds, nq=6 nv=6 nu=3, timestep 0.002 s>"),
        (sim.data, "<data of 2 worlds: time (2,), qpos (2, 6), "),
        (sim.params, "<parameters: gravity (3,), body_mass (5,), "),
        (tape, "<Tape: 5 control steps of 2, 2 worlds of 'hopper', 6 rows, "),
        (Trajectory(arrays, np.zeros((6, 2))), "<Trajectory: qpos (6, 2, 6), ctrl (5, 2, 3), times (6, 2)>"),
        (gradients, "<Gradients: ctrl (5, 2, 3), qpos0 (2, 3), qvel0 (2, 3), act0 (2, 3), qfrc_applied (2, 3), xfrc_"),
        (gradients.model, "<gradients of parameters, each summed over 2 worlds: gravity, body_mass, "),
        (scene, "<Scene 'hopper': a one-legged robot hops forward"),
        (sim.state(worlds=[0]), "<State of 'hopper' ("),
        (engine.Simulator(scene.model).data, "<data of 1 world: "),
        (engine.Tape(engine.Simulator(scene.model), 1), "<Tape: 1 control step of 1, 1 world of 'hopper', 2 rows, "),
        (controllers.OpenLoop(5, 1), "<OpenLoop: 1 control, params (5,)>"),
        (controllers.Stance(scene.model), "<Stance of 'hopper': "),
        (controllers.ILQR(scene.model, Effort(), 5), "<ILQR: controls (5, 3) of 'hopper', 1 physics step each; no it"),
        (controllers.GNMS(scene.model, Effort(), 5, 2), "<GNMS: controls (5, 3) of 'hopper', 2 physics steps each; "),
        (controllers.MPC(scene.model, Effort(), 5, 6), "<MPC: plans (5, 3) of 'hopper', 1 carried out of each, 0 of 6"),
        (-2 * (RunForward(scene.model) + 0.1 * Effort()), "<-2 (RunForward + 0.1 Effort)>"),
    ):
        assert repr(thing).startswith(words) and "\n" not in repr(thing), repr(thing)


def test_what_a_name_may_have_meant(scene, tmp_path):
    (tmp_path / "robot.xml").write_text("")
    sim, model = engine.Simulator(scene.model), scene.model
    for what, kind, near in (
        (lambda: model.body("tors"), ModelError, "torso"), (lambda: sim.data.site("foot_sit"), ModelError, "foot_site"),
        (lambda: sim.data.qpso, AttributeError, "qpos"), (lambda: sim.data.contact, AttributeError, "contacts"),
        (lambda: sim.data.body("torso").xpo, AttributeError, "xpos"),
        (lambda: sim.params.body_mas, AttributeError, "body_mass"),
        (lambda: engine.Simulatr, AttributeError, "Simulator"),
        (lambda: scenes.load("hoper"), ValueError, "hopper"),
        (lambda: engine.Simulator(model, leaves=("geom_siz",)), ValueError, "geom_size"),
        (lambda: engine.load(tmp_path / "robt.xml"), FileNotFoundError, str(tmp_path / "robot.xml")),
    ):  # fmt: skip
        with pytest.raises(kind, match=re.escape(f"(did you mean '{near}'?)")):
            what()
    assert meant("wing", ["torso", "foot"]) == meant("x", []) == meant("velocity", ["ten_velocity"]) == ""
    assert neighbours(tmp_path / "none" / "x") == neighbours("a" * 5000 + "/x") == []
    assert shapes({"a": None, "b": np.zeros((0, 3))}) == ""


@pytest.mark.parametrize(
    ("arguments", "near"),
    [(["info", "hoper"], "hopper"), (["optimise"], "optimize"), (["optimize", "hopper", "--method", "ilqt"], "ilqr"),
     (["optimize", "hopper", "--methd=cem"], "--method")],
)
def test_the_command_line_guesses_too(arguments, near, capsys):
    try:
        assert main(arguments) == 2
    except SystemExit as end:
        assert end.code == 2
    assert f"(did you mean '{near}'?)" in capsys.readouterr().err


def test_what_is_asked_of_the_wrong_thing(scene):
    sim = engine.Simulator(scene.model, worlds=2)
    for what, kind, words in (
        (lambda: engine.Simulator(scene.model, leaves="body_mass"), ValueError, "has body_mass without being asked"),
        (lambda: sim.data.contacts(world=2), IndexError, "world: got 2, allowed: a number below 2"),
        (lambda: controllers.ILQR(scene.model, None, steps=0), ValueError, "steps: got 0, allowed"),
        (lambda: view.image(scene.model), TypeError, "sim: got Model, allowed: a Simulator"),
    ):
        with pytest.raises(kind, match=words):
            what()


def test_a_reader_who_wants_no_more():
    """As `pullback list | head -1`: no words, and the code of what was interrupted."""
    command = [sys.executable, "-m", "engine.cli", "list", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ended:
        ended.stdout.close()
        assert ended.stderr.read() == "" and ended.wait() == 130


def test_files_that_say_less(tmp_path, capsys):
    """Errors name the file or the folder, and elements without a name their kind."""
    pytest.importorskip("mujoco")
    broken, log, robot = tmp_path / "broken.xml", tmp_path / "log.csv", tmp_path / "robot.xml"
    broken.write_text("<mujoco> <")
    log.write_text("time,a,b\n" + "".join(f"{0.01 * k},{k * k},0\n" for k in range(200)))
    body = "<body name='{0}'><joint name='{0}' type='slide'/><geom size='1'/></body>"
    tied = "<equality><joint joint1='a' joint2='b'/></equality>"
    robot.write_text(f"<mujoco><worldbody>{body.format('a')}{body.format('b')}</worldbody>{tied}</mujoco>")
    assert main(["info", str(robot)]) == 0 and "  (equality 0), joint\n" in capsys.readouterr().out
    for arguments, words in (
        (["info", str(broken)], "broken.xml: XML parse error"),
        (["info", str(robot), "--mjcf", str(tmp_path / "none" / "out.xml")], "none"),
        (["compare", str(log), str(robot)], "the log is the second"),
        (["compare", str(robot), str(log), "--steps", "3"], "--steps: a comparison of a robot and a log does not read"),
        (["compare", str(robot), str(robot), "--window", "3"], "--window: a comparison of two robots does not read"),
        (["view", str(robot), "--ghosts", "--html", "x.html"], "--ghosts: for a run, not for a scene or a robot file"),
        (["view", str(robot), "--names"], "--names: with --html"),
        (["view", str(robot), "--html", "x"], "--html: 'x' must end in .html"),
        (["view", str(robot), "--html", str(tmp_path / "none" / "x.html")], "--html: there is no folder"),
        (["view", str(robot), "--port", "70000"], "port: got 70000, allowed: a whole number from 1 to 65535"),
        (["identify", str(robot), str(tmp_path), "--fit", "body_mass:*"], "a folder, allowed: a file that ends in"),
        (["identify", str(robot), str(log), "--fit", "body_mass:*", "--suggest", "0.5"], "--suggest: got 0.5 s"),
        (["optimize", str(robot), "--task", "carry", "--object", "a", "--target", "0", "0", "nan"], "allowed: finite"),
        (["optimize", str(robot), "--task", "reach", "--site", "words", "--target", "0", "0", "1"], "no site, body or"),
    ):
        assert main(arguments) == 2, arguments
        assert words in capsys.readouterr().err, arguments
    with pytest.raises(FileNotFoundError, match="no such folder: .*none'"):
        write_text(tmp_path / "none" / "x.html", "")


def test_lists(capsys):
    assert main(["list"]) == 0
    assert all(f"\n{name} " in f"\n{told}" for told in [capsys.readouterr().out] for name in scenes.names())
    assert main(["list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == list(scenes.names()) and all(row["nv"] and row["threshold"] for row in rows)
    assert main(["info", "hopper"]) == 0
    told = capsys.readouterr().out
    assert "goal: 5 s: mean speed" in told and "\n  foot_joint, hinge, on foot, from -0.785398 to 0.785398\n" in told
    assert main(["info", "hopper", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [len(told[kind]) for kind in ("joints", "actuators", "sites", "sensors", "keyframes")] == [6, 3, 1, 5, 0]
    assert told["sensors"][0] == {"name": "torso_pos", "type": "framepos", "of": "body 'torso'", "dim": 3, "adr": 0}


def test_how_an_interrupted_run_goes_on(tmp_path, capsys):
    """What is told can be pasted into a shell; where nothing was kept, nothing is promised."""
    folder = tmp_path / "my runs" / "ö"
    folder.mkdir(parents=True)
    command = ["optimize", "my robot.xml"]
    assert interrupted(Output(False), command, folder, folder / "checkpoint.npz") == 130
    assert "there is nothing to go on from" in capsys.readouterr().out
    (folder / "checkpoint.npz").touch()
    assert interrupted(Output(False), command, folder, folder / "checkpoint.npz") == 130
    told = capsys.readouterr().out.partition("go on with: ")[2].rpartition(", and the same options")[0]
    assert shlex.split(told) == ["pullback", *command, "--out", str(folder), "--resume"]
    interrupted(Output(True), command, folder, folder / "checkpoint.npz")
    assert json.loads(capsys.readouterr().out) == {"event": "interrupted", "folder": str(folder), "resumable": True}


@pytest.mark.parametrize("command", ["optimize", "train", "view"])
def test_help_fits_a_narrow_terminal(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 60 and ("swingup" in told or command != "optimize")


def test_what_a_file_s_robot_is_called():
    """Of two robots whose files are called scene.xml the runs do not share a folder."""
    assert called("robots/go1/scene.xml") == "go1" and called("robots/go1/go1.xml") == "go1"
    assert called("arm.xml") == "arm" and called("my robots/r 1/scene.urdf") == "r 1"


def test_the_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"pullback {engine.__version__}\n"


def test_what_is_lazy_is_listed():
    assert {"Simulator", "Tape", "torch", "jax", "rl", "view", "objectives", "load"} <= set(dir(engine))
    assert "PD" in dir(__import__("controllers")) and "show" in dir(__import__("engine.view").view)
