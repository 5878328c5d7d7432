"""`pullback plot` and `pullback view`: the files they write, what they refuse, and how the served page ends."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engine
import scenes
from engine.cli import main
from engine.commands.plot import telling
from engine.recording import Recording

ROOT = Path(__file__).parents[2]
needs_viser = pytest.mark.skipif(
    importlib.util.find_spec("viser") is None, reason="viser is not installed (extra `view`)"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run folder with two worlds of a cheetah and its metrics."""
    out = tmp_path_factory.mktemp("run")
    scene = scenes.load("half_cheetah")
    sim = engine.Simulator(scene.model, worlds=2)
    tape = engine.Tape(sim, 40)
    tape.rollout(np.random.default_rng(0).uniform(-1, 1, (40, 2, scene.model.nu)))
    Recording.of(tape, name="half_cheetah", labels=["before", "after"], seed=0).save(out / "run.npz")
    (out / "metrics.csv").write_text("iteration,loss,distance\n1,3.0,0.1\n2,1.0,0.5\n")
    return out


def test_metrics_that_say_something():
    """A plan's median is its cost, and where nothing is measured that is zero."""
    cost, zero, none = np.array([3.0, 2.0, 1.0]), np.zeros(3), np.full(3, np.nan)
    metrics = {"cost": cost, "median": cost.copy(), "measured": zero, "best_measured": none, "steps": 9 * cost}
    assert list(telling(metrics)) == ["cost"]
    assert list(telling({"cost": cost, "best": -cost, "seconds": cost + 1})) == ["cost", "best"]
    assert list(telling({"cost": cost[:1], "steps": cost[:1]})) == ["cost"]
    assert list(telling({"cost": zero})) == ["cost"]  # better than nothing


def test_plot_writes_every_picture(folder, capsys):
    assert main(["plot", str(folder), "--json"]) == 0
    written = {row["quantity"]: Path(row["path"]) for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert set(written) == {
        "qpos", "qvel", "ctrl", "sensordata", "energy", "contact", "phase", "gradient", "strobe", "loss"
    }  # fmt: skip
    for path in written.values():
        assert path.parent == folder / "plots" and path.stat().st_size > 5000, path


def test_plot_takes_columns_a_world_and_a_folder(folder, tmp_path):
    assert main(["plot", str(folder / "run.npz"), "qpos:rootx,bthigh", "--world", "after", "--out", str(tmp_path)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["qpos.png"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["speed"], "allowed: qpos, qvel"),
        (["qpos:knee"], "no column 'knee'; there are: rootx"),
        (["qpos", "--world", "later"], "allowed: before, after"),
        (["act"], "act: this run has none"),
        (["loss:speed"], "there are: loss, distance"),
    ],
)
def test_plot_names_what_is_wrong(folder, arguments, named, capsys, tmp_path):
    assert main(["plot", str(folder), *arguments, "--out", str(tmp_path)]) == 2
    assert named in capsys.readouterr().err


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    for command in ("plot", "view"):
        assert main([command, str(tmp_path)]) == 2
        assert "has no run.npz" in capsys.readouterr().err


needs_ffmpeg = pytest.mark.skipif(
    importlib.util.find_spec("imageio_ffmpeg") is None, reason="imageio-ffmpeg is not installed (extra `video`)"
)


@needs_ffmpeg
def test_video(folder, tmp_path):
    import imageio_ffmpeg

    assert main(["plot", str(folder), "video", "--out", str(tmp_path)]) == 0
    frames = imageio_ffmpeg.read_frames(str(tmp_path / "animation.mp4"))
    about = next(frames)
    assert about["codec"] == "h264" and about["fps"] == 25.0 and about["duration"] == pytest.approx(0.44, abs=0.05)
    pictures = [np.frombuffer(f, np.uint8).astype(int) for f in frames]
    assert len(pictures) == 11 and np.abs(pictures[0] - pictures[-1]).mean() > 0.1


def test_video_without_its_extra_is_named(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert main(["plot", str(folder), "video", "--out", str(tmp_path)]) == 2
    assert 'pip install "pullback[video]"' in capsys.readouterr().err


@needs_viser
def test_view_writes_one_file_of_a_run_and_of_a_scene(folder, tmp_path, capsys):
    run, scene = tmp_path / "run.html", tmp_path / "scene.html"
    assert main(["view", str(folder), "--pushes", "--html", str(run)]) == 0
    assert main(["view", "pendulum", "--html", str(scene), "--seconds", "0.5"]) == 0
    said = capsys.readouterr().out
    for path in (run, scene):
        assert "__VISER_EMBED_DATA__" in path.read_text() and path.stat().st_size > 500_000
        assert f"wrote {path}" in said
    assert main(["view", str(folder), "--html", str(tmp_path / "run.txt")]) == 2
    assert "must end in .html" in capsys.readouterr().err


@needs_viser
@pytest.mark.slow
@pytest.mark.parametrize("what", ["run", "pendulum"])
def test_view_serves_until_it_is_interrupted(folder, what):
    what = str(folder) if what == "run" else what
    command = [sys.executable, "-m", "engine.cli", "view", what, "--no-browser", "--port", "8230"]
    served = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ)
    try:
        line = served.stdout.readline()
        assert line.startswith("look at http://127.0.0.1:82"), line
        served.send_signal(signal.SIGINT)
        assert served.wait(60) == 0
    finally:
        served.kill()
