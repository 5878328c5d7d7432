"""What people read: one line about each thing, what a wrong name may have meant, and the lists of the command line."""

import json
import re

import numpy as np
import pytest

import engine
import scenes
from engine.cli import main
from engine.diff.gradients import Gradients, ModelGradients
from engine.diff.trajectory import Trajectory
from engine.model import ModelError
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
        (lambda: engine.load(tmp_path / "robt.xml"), FileNotFoundError, str(tmp_path / "robot.xml")),
    ):  # fmt: skip
        with pytest.raises(kind, match=re.escape(f"(did you mean '{near}'?)")):
            what()
    assert meant("wing", ["torso", "foot"]) == meant("x", []) == meant("velocity", ["ten_velocity"]) == ""
    assert neighbours(tmp_path / "none" / "x") == neighbours("a" * 5000 + "/x") == []
    assert shapes({"a": None, "b": np.zeros((0, 3))}) == ""


@pytest.mark.parametrize(
    ("arguments", "near"),
    [(["info", "hoper"], "hopper"), (["optimise"], "optimize"), (["optimize", "hopper", "--method", "ilqt"], "ilqr")],
)
def test_the_command_line_guesses_too(arguments, near, capsys):
    try:
        assert main(arguments) == 2
    except SystemExit as end:
        assert end.code == 2
    assert f"(did you mean '{near}'?)" in capsys.readouterr().err


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


def test_the_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"pullback {engine.__version__}\n"


def test_what_is_lazy_is_listed():
    assert {"Simulator", "Tape", "torch", "jax", "rl", "view", "objectives", "load"} <= set(dir(engine))
    assert "PD" in dir(__import__("controllers")) and "show" in dir(__import__("engine.view").view)
