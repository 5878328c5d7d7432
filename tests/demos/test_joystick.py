"""The quadruped that is driven: where a course leads, and what a policy learned in a minute makes of it."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (extra `torch`)")
from demos import joystick  # noqa: E402

GO1 = Path(__file__).parents[3] / "shared" / "robots" / "unitree_go1" / "scene.xml"


def test_a_course_is_the_integral_of_what_is_told():
    told = np.tile([0.5, 0.2, 2 * np.pi / 4], (400, 1))
    way = joystick.asked(told, 0.01)
    np.testing.assert_allclose(way[-1], 0.0, atol=1e-12)  # once around
    radius = np.hypot(0.5, 0.2) / told[0, 2]
    np.testing.assert_allclose(np.ptp(way, axis=0), 2 * radius, rtol=1e-3)
    assert way[1, 0] > 0 and way[1, 1] > 0 and way[:, 1].mean() > 0.5 * radius  # to the left


@pytest.mark.slow
@pytest.mark.skipif(not GO1.exists(), reason="the robots are not beside the checkout")
def test_a_go1_goes_where_the_stick_says(tmp_path, capsys):
    """It learns, drives a course, and the file that it keeps drives the same course again."""
    course = tmp_path / "course.csv"
    course.write_text("seconds,forward,left,turn\n3,1,0,0\n3,0.5,0,1\n3,0,1,0\n2,0,0,0\n")
    errors, up = joystick.main(GO1, tmp_path / "drive.gif", course, folder=tmp_path / "run")
    assert up and np.linalg.norm(errors[:, :2], axis=1).max() < 0.16 and abs(errors[:, 2]).max() < 0.15
    assert "s of processor time: solved" in capsys.readouterr().out
    assert (tmp_path / "drive.gif").stat().st_size > 100_000 and (tmp_path / "drive.png").stat().st_size > 20_000
    again, _ = joystick.main(GO1, drive=course, policy=tmp_path / "run" / "policy.npz")
    np.testing.assert_array_equal(again, errors)
