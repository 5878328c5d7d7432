"""The shortest demos, which a newcomer could have written: they run as they stand, with tiny budgets.

tests/bridges/test_short.py runs those that need an extra.
"""

import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
ROBOT, ARM = (str(ROOT / "demos" / f"{name}.xml") for name in ("robot", "arm"))


def carried_out(name, arguments, folder, monkeypatch):
    """The names that a demo leaves, run in a folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    return runpy.run_path(str(ROOT / "demos" / f"{name}.py"), run_name="__main__")


def test_load_my_robot(tmp_path, monkeypatch, capsys):
    carried_out("load_my_robot", [ROBOT], tmp_path, monkeypatch)
    told = capsys.readouterr().out
    assert "import of robot.xml" in told and " meets " in told and "\naccelerometer [" in told and "potential" in told


def test_throwing_arm(tmp_path, monkeypatch, capsys):
    """The design's slope is that of the distance, and a few iterations throw farther with it than without."""
    demo = carried_out("throwing_arm", ["20"], tmp_path, monkeypatch)
    assert "by gradient: torques alone " in capsys.readouterr().out
    assert demo["together"] > demo["alone"] + 0.5 > demo["start"] + 4
    torques, elbow, throw = demo["torques"], demo["elbow"], demo["throw"]
    slope = throw(torques, elbow)[2][0]
    difference = (throw(torques, elbow + 1e-5)[0] - throw(torques, elbow - 1e-5)[0]) / 2e-5
    assert abs(slope - difference) < 1e-6 * abs(slope)
    if find_spec("mujoco.batch") is not None:  # the way of `--rival`: the same throw, the same slopes
        from demos.by_differences import Throws, throw_slopes

        torques *= 0.9  # at a limit differences see half of a slope
        ours, theirs = throw(torques, elbow), throw_slopes(Throws(demo["ARM"], 323, demo["flight"]), torques, elbow)
        assert abs(ours[0] - theirs[0]) < 1e-9
        for a, b in zip(ours[1:], theirs[1:], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_identify_arm(tmp_path, monkeypatch, capsys):
    """The numbers are those of the arm that made the log."""
    fit = carried_out("identify_arm", [ARM], tmp_path, monkeypatch)["fit"]
    assert "delay:*" in capsys.readouterr().out and (tmp_path / "identified" / "fitted.xml").exists()
    assert np.abs((fit.values - (0.8, 0.3, 0.02, 0.01, 0.017)) / fit.sd).max() < 4
    assert (fit.sd / fit.values < (0.01, 0.01, 0.2, 0.2, 0.05)).all() and not fit.unknown


def test_look_in_notebook(tmp_path, monkeypatch, capsys):
    pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    page = carried_out("look_in_notebook", [ARM], tmp_path, monkeypatch)["page"]
    assert "<Trajectory: qpos (51, 1, 2)" in capsys.readouterr().out
    assert (tmp_path / "robot.html").read_text() == page.text and page.text.startswith("<!")
    assert page._repr_html_().startswith("<iframe srcdoc=") and "<script" not in page._repr_html_()
    from engine.view import show

    with pytest.raises(TypeError, match="show: got int, allowed: a Tape after a rollout, a Recording, a Simulator"):
        show(3)
    assert "<html" in show(carried_out("look_in_notebook", [ARM], tmp_path, monkeypatch)["tape"].sim).text
