"""The other commands, and what `optimize` does on files, tasks and bad input."""

import json
import sys

import numpy as np
import pytest

from controllers.optimize.job import METHODS, TASKS
from engine.cli import main
from engine.commands import common, optimize
from engine.model import load
from tests.quick import some

ARM = """<mujoco model="arm"><option timestep="0.01"/><worldbody><body pos="0 0 1">
  <joint name="shoulder" axis="0 1 0" damping="0.5"/><geom type="capsule" fromto="0 0 0 0 0 -0.4" size="0.03"/>
  <body pos="0 0 -0.4"><joint name="elbow" axis="0 1 0" damping="0.5"/>
  <geom type="capsule" fromto="0 0 0 0 0 -0.3" size="0.03"/><site name="hand" pos="0 0 -0.3"/></body></body></worldbody>
  <actuator><motor joint="shoulder" ctrlrange="-5 5"/><motor joint="elbow" ctrlrange="-5 5"/></actuator></mujoco>"""


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]


def test_the_command_offers_what_the_searches_have():
    assert set(optimize.METHODS) == set(METHODS) and set(optimize.TASKS) == set(TASKS)


@pytest.mark.parametrize(("words", "said"), [
    (["train", "hopper", "--push", "nan"], "--push: got nan, allowed: a number from 0 on"),
    (["train", "hopper", "--push", "-1"], "--push: got -1.0, allowed: a number from 0 on"),
    (["train", "hopper", "--speed", "inf"], "--speed: got inf, allowed: a positive number"),
    (["train", "hopper", "--budget", "nan"], "--budget: got nan, allowed: a positive number"),
    (["optimize", "hopper", "--seconds", "inf"], "--seconds: got inf, allowed: a positive number"),
    (["optimize", "hopper", "--push", "inf"], "--push: got inf, allowed: a finite number"),
    (["optimize", "hopper", "--cost", "nan"], "--cost: got nan, allowed: a finite number"),
])  # fmt: skip
def test_numbers_that_mean_nothing(words, said, capsys):
    assert main(words) == common.BAD_INPUT and said in capsys.readouterr().err
    for seed in ("-1", str(2**63)):
        with pytest.raises(SystemExit):
            main([*words[:2], "--seed", seed])
        assert f"--seed: got {seed}, allowed: a whole number" in capsys.readouterr().err


def test_an_arm_from_a_file_reaches(tmp_path, capsys):
    """By iLQR, for machines, until it has done what was asked, or to a stated cost; the exit code says whether."""
    path = tmp_path / "arm.xml"
    path.write_text(ARM)
    command = ["optimize", str(path), "--task", "reach", "--site", "hand", "--target", "0.4", "0", "0.7", "--seconds",
               "0.8", "--iterations", "60", "--json", "--out"]  # fmt: skip
    assert main([*command, str(tmp_path / "run")]) == 0
    events = lines(capsys)
    result = events[-1]
    assert result["event"] == "result" and result["cost"] <= events[0]["cost"] and result["iterations"] < 10
    assert result["solved"] and result["reason"] == "solved" and result["distance_to_target"] < 2e-3
    assert json.loads((tmp_path / "run" / "verdict.json").read_text())["verdict"] == result["verdict"]
    assert events[0]["event"] == "iteration" and result["iterations"] == len(events) - 1
    import controllers

    table = controllers.load(tmp_path / "run" / "controller.npz")
    assert table.K.shape == (40, 2, 4) and np.abs(table.ctrl).max() <= 5.0
    far = ["0.9" if word == "0.4" else "3" if word == "60" else word for word in command]
    assert main([*far, str(tmp_path / "far")]) == common.NOT_REACHED
    result = lines(capsys)[-1]
    assert not result["solved"] and 0.2 < result["out_of_reach"] < 0.3 and "beyond what" in result["hindered"][0]
    assert main([*command, str(tmp_path / "again"), "--cost", "1e-9"]) == common.NOT_REACHED


@pytest.mark.parametrize("task", some(["stand", "run", "jump"], 3))
def test_what_has_nothing_to_stand_on_is_told_so(tmp_path, capsys, task):
    """Before anything is made for it; with a floor it is not."""
    path = tmp_path / "loose.xml"
    path.write_text('<mujoco><worldbody><body><freejoint/><geom size=".1"/><body pos="0 0 -.2"><joint name="leg"/>'
                    '<geom size=".1"/></body></body></worldbody><actuator><motor joint="leg"/></actuator></mujoco>')
    assert main(["optimize", str(path), "--task", task, "--out", str(tmp_path / "x")]) == common.BAD_INPUT
    assert f"--task {task}: loose would fall" in capsys.readouterr().err
    assert optimize.groundless(load(path)) and not optimize.groundless(load(path, floor=-1.0))


@pytest.mark.slow
def test_a_scene_is_optimised_for_what_it_asks(tmp_path, capsys):
    command = ["optimize", "pendulum", "--seconds", "0.5", "--iterations", "3", "--json", "--out", str(tmp_path)]
    assert main(command) == 0
    costs = [e["cost"] for e in lines(capsys) if e["event"] == "iteration"]
    assert costs[-1] < costs[0]


@pytest.mark.slow
def test_nodes_of_multiple_shooting_are_drawn(tmp_path, capsys):
    """From the first iteration, with gaps, to those that go on as iLQR."""
    command = ["optimize", "pendulum", "--method", "gnms", "--seconds", "0.5", "--iterations", "12", "--json"]
    main([*command, "--out", str(tmp_path)])
    rows = [e for e in lines(capsys) if e["event"] == "iteration"]
    assert rows[0]["gap"] > 0 == rows[-1]["gap"] and rows[-1]["nodes"] == rows[-1]["cost"] < rows[0]["cost"]
    assert (tmp_path / "loss.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_robot_that_can_fall_is_planned(tmp_path, capsys):
    """The default of the hopper is MPC; a moment of it, with its folder."""
    short = ["optimize", "hopper", "--seconds", "0.12", "--json", "--out", str(tmp_path)]
    assert main(short) == common.NOT_REACHED  # too short for the speed that is aimed at
    events = lines(capsys)
    assert "plan" in events[0] and events[-1]["distance"] > -0.1 and events[-1]["upright"]
    assert (tmp_path / "animation.gif").stat().st_size > 1000


@pytest.mark.parametrize("method", some(["gradient", "random", "es"], 3))
def test_other_methods_run(method, tmp_path, capsys):
    command = ["optimize", "half_cheetah", "--method", method, "--worlds", "4", "--seconds", "0.2", "--iterations", "2"]
    assert main([*command, "--json", "--out", str(tmp_path)]) == common.NOT_REACHED
    assert lines(capsys)[-1]["iterations"] == 2


def test_interrupting_leaves_a_folder_that_goes_on(tmp_path, monkeypatch, capsys):
    options = ["--worlds", "2", "--seconds", "0.2", "--iterations", "3", "--out", str(tmp_path)]
    command = ["optimize", "half_cheetah", *options]
    shown = optimize.Show.__call__

    def stop_after_two(self, row):
        shown(self, row)
        if row["iteration"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(optimize.Show, "__call__", stop_after_two)
    assert main(command) == common.INTERRUPTED
    assert "--resume" in capsys.readouterr().out
    monkeypatch.setattr(optimize.Show, "__call__", shown)
    assert main([*command, "--resume"]) == common.NOT_REACHED
    with np.load(tmp_path / "checkpoint.npz") as state:
        assert int(state["iteration"]) == 3


def test_check_says_ok_and_wrong(capsys, monkeypatch):
    assert main(["check", "pendulum", "--steps", "10", "--json"]) == 0
    assert {e["verdict"] for e in lines(capsys)} == {"ok"}
    import engine

    real = engine.Tape.backward

    def broken(self, **bars):
        grads = real(self, **bars)
        grads.ctrl *= 1.01
        return grads

    monkeypatch.setattr(engine.Tape, "backward", broken)
    assert main(["check", "pendulum", "--steps", "10", "--wrt", "ctrl"]) == common.NOT_REACHED
    assert "wrong: ctrl" in capsys.readouterr().out


def test_bench_and_info(tmp_path, capsys):
    path = tmp_path / "arm.xml"
    path.write_text(ARM)
    assert main(["bench", str(path), "--steps", "20", "--worlds", "1", "2", "--json"]) == 0
    events = lines(capsys)
    assert [e["worlds"] for e in events[:2]] == [1, 2] and all(e["gradient_us"] > e["forward_us"] for e in events[:2])
    assert events[2]["event"] == "mujoco" and events[2]["forward_us"] > 0
    assert main(["info", str(path), "--json"]) == 0
    told = lines(capsys)[0]
    assert told["nv"] == 2 and told["refused"] == [] and told["used"][0].startswith("2 bodies")


def test_info_of_a_robot_that_is_refused(tmp_path, capsys):
    path = tmp_path / "arm.xml"
    path.write_text(ARM.replace("<geom ", "<geom adhesion='1' "))
    assert main(["info", str(path)]) == common.BAD_INPUT
    told = capsys.readouterr().out
    assert "import of arm.xml" in told and "refused:\n  2 times geom" in told and "adhesion" in told
    assert main(["info", str(path), "--json"]) == common.BAD_INPUT
    (refused,) = lines(capsys)[0]["refused"]
    assert (refused["kind"], refused["count"]) == ("geom: adhesion", 2) and "allowed" in refused["line"]
    assert main(["info", "pendulum"]) == 0 and "<Model 'pendulum'" in capsys.readouterr().out


def test_what_is_asked_for_of_a_file(tmp_path, capsys):
    path = tmp_path / "arm.xml"
    path.write_text(ARM)
    asked = ["--ground", "-2", "--actuators", "position", "--kp", "3", "--collide", "none"]
    assert main(["info", str(path), "--json", *asked]) == 0
    told = lines(capsys)[0]
    assert (told["ngeom"], told["npair"]) == (3, 0) and "floor added, a plane at a height of -2 m" in told["changed"]
    for arguments, words in (
        (["info", str(path), "--kp", "3"], "kp = 3.0 without actuators"),
        (["info", str(path), "--actuators", "elbo"], "no hinge or slide joint 'elbo' (did you mean 'elbow'?)"),
        (["info", str(path), "--exclude", "a"], "--exclude: got a, allowed: pairs of bodies a:b, overlapping, or none"),
        (["info", str(path), "--exclude", "a:b"], "exclude: no body 'a'"),
        (["info", str(path), "--actuators", "position"], "allowed: with a kp, their gain"),
        (["info", "pendulum", "--floor"], "--floor: for a robot file, not for the built-in scene 'pendulum'"),
        (["check", "pendulum", "--floating", "1"], "--floating: for a robot file"),
    ):
        assert main(arguments) == common.BAD_INPUT
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["pendulum", "--task", "run"], "--task run needs a body with a free joint or a slide joint along x"),
        (["acrobot", "--task", "stand"], "--task stand needs a body with a free joint or a slide joint along x; this"),
        (["acrobot", "--task", "stand"], "(acrobot), allowed: balance, swingup, reach, track, push, carry, scene"),
        (["pendulum", "--task", "reach"], "--site"), (["pendulum", "--task", "reach", "--method", "cem"], "--site"),
        (["pendulum", "--start", "home"], "--start: for a robot file"),
        (["hopper", "--max-steps", "0"], "--max-steps"), (["hopper", "--speed", "-1"], "--speed"),
        (["pendulum", "--speed", "2"], "--speed: --task scene does not read it, allowed: with --task run"),
        (["half_cheetah", "--horizon", "1"], "--horizon: --method windows does not read it"),
        (["half_cheetah", "--speed", "6", "--window", "1"], "--window: --method mpc does not read it"),
    ],
)  # fmt: skip
def test_bad_input_is_named(arguments, named, tmp_path, capsys):
    assert main(["optimize", *arguments, "--out", str(tmp_path / "x")]) == common.BAD_INPUT
    assert named in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


GIVEN = {"speed": ["1"], "height": ["1"], "site": ["hand"], "target": ["0", "0", "1"], "quat": ["1", "0", "0", "0"],
         "object": ["box"], "path": ["way.csv"], "push": ["1"], "worlds": ["4"], "window": ["1"], "horizon": ["1"],
         "plateau": ["3"]}  # fmt: skip


@pytest.mark.parametrize(("of", "readers"), [("task", optimize.TASKS_OF), ("method", optimize.METHODS_OF)])
def test_an_option_that_nobody_reads_is_refused(of, readers, tmp_path, monkeypatch, capsys):
    """Every option with every task and method, before the robot is loaded; those that are read come that far."""
    monkeypatch.setattr(optimize, "robot", None)  # which would be called
    for name, who in readers.items():
        for chosen in optimize.TASKS if of == "task" else optimize.METHODS:
            command = ["optimize", "half_cheetah", f"--{of}", chosen, f"--{name}", *GIVEN[name]]
            if chosen in who:
                with pytest.raises(TypeError):
                    main([*command, "--out", str(tmp_path / "x")])
                continue
            assert main([*command, "--out", str(tmp_path / "x")]) == common.BAD_INPUT
            said = f"--{name}: --{of} {chosen} does not read it, allowed: with --{of} {', '.join(who)}"
            assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_every_option_is_read_by_all_or_said_by_whom():
    """An option that is added must say who reads it, or be one that all do."""
    from engine.cli import parser

    given = vars(parser().parse_args(["optimize"])).keys()
    everybody = {"robot", "task", "method", "out", "iterations", "seconds", "start", "budget", "cost", "max_steps",
                 "seed", "resume", "json", "floating", "floor", "actuators", "kp", "kd", "collide",
                 "exclude"}  # fmt: skip
    assert optimize.TASKS_OF.keys() | optimize.METHODS_OF.keys() | everybody >= given - {"run", "command"}
    assert set(optimize.DEFAULTS) <= set(optimize.METHODS_OF)


def test_a_robot_without_a_root_is_offered_what_it_can_do(tmp_path, capsys):
    path = tmp_path / "arm.xml"
    path.write_text(ARM)
    for task in ([], ["--task", "stand"], ["--task", "run"]):
        assert main(["optimize", str(path), *task, "--out", str(tmp_path / "x")]) == common.BAD_INPUT
        told = capsys.readouterr().err
        assert "reach" in told and "stand" not in told.partition("needs")[2] and (not task or " ".join(task) in told)
    assert main(["optimize", str(path), "--task", "scene", "--out", str(tmp_path / "x")]) == common.BAD_INPUT
    said = "states no objective of its own, allowed: balance, swingup, reach, track, push, carry\n"
    assert capsys.readouterr().err.endswith(said)


def test_no_bar_without_a_person():
    """Standard error of a test is no terminal: plain lines, whether tqdm is installed or not."""
    assert not sys.stderr.isatty()
    with common.progress(3, "x") as bar:
        bar.update(1)
        bar.set_postfix_str("y")
        assert not hasattr(bar, "n")
