"""The main job, end to end: its files, stopping and resuming, refusals, and (slow) what it must reach."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from controllers.tasks.kinematics import Point
from engine.cli import main
from engine.commands.common import DIVERGED, DONE, NOT_REACHED

TINY = ["--worlds", "2", "--seconds", "0.4", "--window", "0.2"]


def run(folder, *more):
    return main(["optimize", "half_cheetah", "--out", str(folder), *TINY, *more])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    assert run(out, "--iterations", "4") == NOT_REACHED  # in 0.4 s nobody runs
    return out


def test_the_folder_holds_parameters_metrics_plots_and_animation(folder):
    for name in ("controller.npz", "metrics.csv", "loss.png", "joints.png", "animation.gif", "settings.json"):
        assert (folder / name).stat().st_size > 50, name
    with open(folder / "metrics.csv") as f:
        rows = list(csv.DictReader(f))
    assert [int(r["iteration"]) for r in rows] == [1, 2, 3, 4]
    best = [float(r["best"]) for r in rows]
    assert best == sorted(best, reverse=True) and best[-1] < best[0]


def test_a_resumed_run_ends_with_the_same_numbers(folder, tmp_path):
    assert run(tmp_path, "--iterations", "2") == NOT_REACHED
    assert run(tmp_path, "--iterations", "4", "--resume") == NOT_REACHED
    with np.load(folder / "checkpoint.npz") as a, np.load(tmp_path / "checkpoint.npz") as b:
        for name in set(a.files) - {"metrics"}:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_resuming_with_other_settings_is_refused(folder, capsys):
    assert run(folder, "--iterations", "5", "--resume", "--seed", "3") == 2
    assert "made with seed 0, asked for seed 3" in capsys.readouterr().err


def test_resuming_with_another_robot_of_the_same_name_is_refused(tmp_path, capsys):
    """Its best cost would be the other's."""
    slider = "<body><joint name='x' type='slide' axis='1 0 0'/><geom size='0.1' mass='{}'/></body>"
    file = "<mujoco><worldbody>" + slider + "</worldbody><actuator><motor joint='x'/></actuator></mujoco>"
    path, out = tmp_path / "slider.xml", tmp_path / "run"

    def search(mass, *more):
        path.write_text(file.format(mass))
        return main(["optimize", str(path), "--method", "random", "--out", str(out), *TINY[:4], *more])

    assert search(1.0, "--iterations", "1") == search("1.00", "--iterations", "2", "--resume") == NOT_REACHED
    before = (out / "checkpoint.npz").read_bytes()
    assert search(2.0, "--iterations", "3", "--resume") == 2
    assert "the folder was made with model '" in capsys.readouterr().err
    assert (out / "checkpoint.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "named"), [(["no_such_robot"], "half_cheetah"), (["half_cheetah", "--worlds", "0"], "--worlds")]
)
def test_bad_input_is_named_before_anything_runs(arguments, named, tmp_path, capsys):
    assert main(["optimize", *arguments, "--out", str(tmp_path / "x")]) == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_a_target_that_moves_is_caught(tmp_path):
    """A file as the target of a reach: the arm begins where it is, and what is written shows the target."""
    robot, way, out = Path(__file__).parents[2] / "demos" / "arm.xml", tmp_path / "way.csv", tmp_path / "run"
    model = pb.load(robot)
    sim = pb.Simulator(model, 13)
    sim.data.qpos[:] = np.linspace(0.2, 0.5, 13)[:, None]
    sim.forward()
    rows = np.c_[np.linspace(0.0, 0.6, 13), Point(model, "hand").place(sim.data)]
    np.savetxt(way, rows, delimiter=",", header="time,x,y,z", comments="")
    words = ["optimize", str(robot), "--task", "reach", "--site", "hand", "--target", str(way), "--out", str(out)]
    assert main(words) in (DONE, NOT_REACHED)
    found, asked = (json.loads((out / f"{name}.json").read_text()) for name in ("verdict", "settings"))
    assert asked["catch"] is True and asked["path"] == [str(way)] and "from its moving target" in found["verdict"]
    with np.load(out / "run.npz") as f:
        np.testing.assert_array_equal(f["qpos"][0, -1], model.qpos0)
    assert (out / "error.png").stat().st_size > 5_000


FALLS = """<mujoco><option timestep="0.02"/><default><geom contype="0" conaffinity="0"/></default><worldbody>
<body><freejoint name="loose"/><geom type="box" pos=".1 .2 .3" size=".1 .2 .3"/></body>
<body pos="1 0 0"><joint name="held" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 .5" size=".03"/></body>
<body pos="2 0 0"><joint name="top" axis="0 1 0"/><geom type="capsule" fromto="0 0 0 0 0 .5" size=".03"/></body>
</worldbody><actuator><motor joint="held"/>%s</actuator></mujoco>"""


@pytest.mark.parametrize("more, code", [('<motor joint="loose" gear="5 6 7 8 9 10"/>', DIVERGED), ("", NOT_REACHED)])
def test_what_no_actuator_holds_is_named_and_an_infinite_cost_is_not_solved(more, code, tmp_path, capsys):
    """The motor on the loose body makes it spin ever faster."""
    path, out = tmp_path / "falls.xml", tmp_path / "run"
    path.write_text(FALLS % more)
    assert main(["optimize", str(path), "--task", "balance", "--seconds", "0.6", "--out", str(out), "--json"]) == code
    found = json.loads((out / "verdict.json").read_text())
    assert found["solved"] is False and found["hindered"][-1 if code == NOT_REACHED else 0] == (
        "no actuator can keep loose, top from falling")
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["cost"] is None) == (code == DIVERGED) == ("diverged_at" in found)
    assert (out / "run.npz").exists() and (out / "animation.gif").exists()


@pytest.mark.slow
def test_the_cheetah_runs_five_metres(tmp_path):
    assert main(["optimize", "half_cheetah", "--out", str(tmp_path)]) == 0
    with open(tmp_path / "metrics.csv") as f:
        assert float(list(csv.DictReader(f))[-1]["best_measured"]) > 5.0
