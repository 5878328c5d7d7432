"""Animations and pictures: what is in the files, and what is refused."""

import subprocess
import sys

import matplotlib.image
import numpy as np
import pytest
from PIL import Image

from engine.model.constants import BOX, MESH, PLANE, SDF
from engine.view import Camera, save_animation, save_frame, save_strobe
from engine.view.painter import paint, shapes_of
from engine.view.panel import BACKGROUND, metres
from engine.view.take import takes_of
from tests.view.walker import HULL_RADIUS, walk


def red(picture):
    """Where the red hull is seen in an image (height, width, 3 or 4) with values up to 1."""
    return (picture[..., 0] > 0.5) & (picture[..., 1] < 0.45) & (picture[..., 2] < 0.45)


def gif_frames(path):
    with Image.open(path) as image:
        for k in range(image.n_frames):
            image.seek(k)
            yield np.asarray(image.convert("RGB")) / 255.0, image.info["duration"]


def test_animation_has_all_frames_and_runs_in_real_time(tmp_path, robot):
    path = save_animation(tmp_path / "run.gif", robot, *walk(13, speed=0.1), fps=30, title="Walk")
    frames = list(gif_frames(path))
    assert len(frames) == 13
    assert sum(duration for _, duration in frames) == pytest.approx(1000 * 13 / 30, abs=10)


def test_camera_follows_the_robot_over_moving_ground(tmp_path, robot):
    path = save_animation(tmp_path / "run.gif", robot, *walk(20, speed=0.23))
    pictures = [picture for picture, _ in gif_frames(path)]
    columns = [np.flatnonzero(red(picture).any(axis=0)) for picture in pictures]
    middles = [column.mean() for column in columns]
    assert np.ptp(middles) < 4 and abs(middles[0] - 450) < 4
    below = pictures[0].shape[0] - 80  # a row of the checker in front of the robot
    assert np.abs(pictures[10][below] - pictures[11][below]).max() > 0.05


def test_robots_one_above_another_keep_their_own_pace(tmp_path, robot):
    slow, fast = walk(8, speed=0.0), walk(12, speed=0.3)
    path = save_animation(
        tmp_path / "two.gif", robot, [slow[0], fast[0]], [slow[1], fast[1]], labels=["before", "after"], title="Two"
    )
    pictures = [picture for picture, _ in gif_frames(path)]
    assert len(pictures) == 12
    half = pictures[0].shape[0] // 2
    assert red(pictures[-1][:half]).any() and red(pictures[-1][half:]).any()


def test_plain_surfaces_keep_their_colour(tmp_path, robot):
    for picture, _ in gif_frames(save_animation(tmp_path / "a.gif", robot, *walk(3, speed=0.2))):
        np.testing.assert_array_equal(picture[0], 1.0)
        np.testing.assert_allclose(picture[30, 100:500], np.tile(BACKGROUND, (400, 1)), atol=1 / 255)


def test_the_same_arguments_write_the_same_bytes(tmp_path, robot):
    first = save_animation(tmp_path / "a.gif", robot, *walk(3, speed=0.2))
    second = save_animation(tmp_path / "b.gif", robot, *walk(3, speed=0.2))
    assert first.read_bytes() == second.read_bytes()


def test_lines_are_drawn_over_the_robot_where_they_are(tmp_path, robot):
    """From the hull's middle upwards, in the last of two frames alone."""
    xpos, xquat = walk(2, speed=0.0)
    lines = np.zeros((2, 1, 2, 3)) + xpos[:, 1, None, None]
    lines[1, 0, 1, 2] += 2 * HULL_RADIUS
    violet = []
    for frame in (0, 1):
        picture = matplotlib.image.imread(save_frame(tmp_path / "a.png", robot, xpos, xquat, frame=frame, lines=lines))
        violet.append((picture[..., 2] > 0.55) & (picture[..., 1] < 0.35) & (picture[..., 0] < 0.55))
    rows, columns = np.nonzero(violet[1] & ~violet[0])
    assert np.ptp(rows) > 20 and np.ptp(columns) < 4
    save_animation(tmp_path / "a.gif", robot, [xpos], [xquat], lines=[lines])
    with pytest.raises(ValueError, match=r"lines has the shape \(1, 1, 2, 3\), but must have \(2, n, 2, 3\)"):
        save_strobe(tmp_path / "a.png", robot, xpos, xquat, lines=lines[:1])
    with pytest.raises(ValueError, match="2 arrays of lines"):
        save_animation(tmp_path / "a.gif", robot, [xpos], [xquat], lines=[lines, lines])


def test_what_lines_show_is_in_the_frame_and_notes_take_the_distances_place(tmp_path, robot):
    """A target two metres ahead of a robot that stands: both are seen, and each frame has its own text."""
    xpos, xquat = walk(2, speed=0.0)
    ahead = xpos[:, 1] + [2.0, 0.0, 0.0]
    lines = np.stack([ahead, ahead + [0.0, 0.0, 0.4]], axis=1)[:, None]
    picture = matplotlib.image.imread(save_frame(tmp_path / "a.png", robot, xpos, xquat, lines=lines))
    violet = (picture[..., 2] > 0.55) & (picture[..., 1] < 0.35) & (picture[..., 0] < 0.55)
    assert violet.any() and red(picture).any()
    plain = [f for f, _ in gif_frames(save_animation(tmp_path / "a.gif", robot, xpos, xquat))]
    other = save_animation(tmp_path / "b.gif", robot, [xpos], [xquat], notes=[["far", "near"]])
    noted = [f for f, _ in gif_frames(other)]
    changed = np.abs(plain[1] - noted[1]).max(axis=-1) > 0.4
    assert changed.any() and np.flatnonzero(changed.any(axis=1)).max() < 0.2 * len(changed)


def test_whole_robot_is_in_the_frame(tmp_path, robot):
    xpos, xquat = walk(5, speed=0.3)
    xpos[3, 1, 2] = 2.5  # a jump: the picture must have room for it at all times
    picture = matplotlib.image.imread(save_frame(tmp_path / "jump.png", robot, xpos, xquat, frame=3, title="Jump"))
    seen = red(picture)
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert rows.min() > 60 and columns.min() > 20
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=3)  # a sphere is round: both axes have one scale


def test_width_of_the_camera_sets_the_scale(tmp_path, robot):
    picture = matplotlib.image.imread(save_frame(tmp_path / "a.png", robot, *walk(1, 0.0), camera=Camera(width=4.0)))
    panel = 900 - 16  # pixels across
    assert np.ptp(np.flatnonzero(red(picture).any(axis=0))) == pytest.approx(2 * HULL_RADIUS / 4.0 * panel, abs=3)


def test_lookat_stays_in_the_middle(tmp_path, robot):
    camera = Camera(lookat=(0.0, 0.0, 0.65), width=4.0)
    seen = red(matplotlib.image.imread(save_frame(tmp_path / "a.png", robot, *walk(1, 0.0), camera=camera)))
    assert np.flatnonzero(seen.any(axis=0)).mean() == pytest.approx(450, abs=2)
    assert np.flatnonzero(seen.any(axis=1)).mean() == pytest.approx(0.5 * seen.shape[0], abs=6)


def test_strobe_shows_each_pose_once_and_fades_the_old_ones(tmp_path, robot):
    path = save_strobe(tmp_path / "s.png", robot, *walk(9, speed=0.5), poses=3, times=np.arange(9.0))
    picture = matplotlib.image.imread(path)
    redness = (picture[..., 0] - picture[..., 1]).max(axis=0)
    starts = np.flatnonzero(np.diff((redness > 0.1).astype(int)) == 1)
    assert len(starts) == 3
    old, middle, new = (redness[start + 20] for start in starts)
    assert old < 0.6 * middle < 0.6 * new


def test_nearer_geoms_are_drawn_over_farther_ones(robot):
    xpos, xquat = walk(1, speed=0.0)
    xpos[0, 2, 1], xpos[0, 3, 1] = -0.3, 0.3
    take = takes_of(robot, xpos, xquat, Camera())[0]
    polygons, colours = paint(take.shapes, *take.pose(0)[:2], Camera(), edge=0.01)
    last_of_each = polygons.reshape(3, -1, *polygons.shape[1:])[:, -1].mean(axis=1)[:, 0]
    assert last_of_each[0] > last_of_each[2]  # the leg at +y, farther away, comes first
    assert colours.min() >= 0.0 and colours.max() <= 1.0


def test_robot_without_ground_and_pictures_of_every_shape(tmp_path, robot):
    robot.geom_type = np.array([BOX, MESH, 4, 5])
    robot.geom_size = np.full((4, 3), 0.2)
    robot.geom_dataid = np.array([-1, 0, -1, -1])
    robot.mesh_vert = [np.eye(3)]
    path = save_frame(tmp_path / "shapes.svg", robot, *walk(2, speed=0.1), time=1.0)
    assert path.stat().st_size > 1000


def test_a_model_for_each_trajectory(tmp_path, robot):
    xpos, xquat = walk(2, speed=0.1)
    save_frame(tmp_path / "a.png", [robot, robot], [xpos, xpos], [xquat, xquat])
    with pytest.raises(ValueError, match="2 geom_xpos, 2 geom_xquat and 1 models"):
        save_frame(tmp_path / "a.png", [robot], [xpos, xpos], [xquat, xquat])


@pytest.mark.parametrize(
    "options, message",
    (
        ({"fps": 60}, "fps=60 must lie above 0 and not above 50"),
        ({"labels": ["a", "b"]}, "one label for each of 1 trajectories"),
        ({"labels": "ab"}, "must be a list"),
        ({"times": [0.0]}, r"times has the shape \(1,\), but must have \(3,\)"),
    ),
)
def test_bad_options_are_refused_by_name(tmp_path, robot, options, message):
    with pytest.raises(ValueError, match=message):
        save_animation(tmp_path / "a.gif", robot, *walk(3, 0.1), **options)


def test_bad_paths_frames_and_poses_are_refused_by_name(tmp_path, robot):
    poses = walk(3, 0.1)
    with pytest.raises(ValueError, match=r"must end in one of \.gif"):
        save_animation(tmp_path / "a.avi", robot, *poses)
    with pytest.raises(ValueError, match=r"must end in one of \.png, \.svg, \.pdf"):
        save_frame(tmp_path / "a.gif", robot, *poses)
    with pytest.raises(ValueError, match="frame=3 is outside"):
        save_frame(tmp_path / "a.png", robot, *poses, frame=3)
    with pytest.raises(ValueError, match="poses=0 must be at least 1"):
        save_strobe(tmp_path / "a.png", robot, *poses, poses=0)
    with pytest.raises(ValueError, match="must be frames from 0 to 2"):
        save_strobe(tmp_path / "a.png", robot, *poses, poses=[0, 3])


def test_bad_poses_are_refused_by_name(tmp_path, robot):
    xpos, xquat = walk(3, 0.1)
    broken = xpos.copy()
    broken[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match="geom_xpos is not finite at frame 1, geom 2"):
        save_frame(tmp_path / "a.png", robot, broken, xquat)
    with pytest.raises(ValueError, match=r"geom_xquat has the shape \(3, 4, 3\), but must have \(frames, 4, 4\)"):
        save_frame(tmp_path / "a.png", robot, xpos, xquat[..., :3])
    with pytest.raises(ValueError, match="geom_xpos has 3 frames, but geom_xquat has 2"):
        save_frame(tmp_path / "a.png", robot, xpos, xquat[:2])
    with pytest.raises(ValueError, match="geom_xquat is zero at frame 0, geom 0"):
        save_frame(tmp_path / "a.png", robot, xpos, 0.0 * xquat)


def test_models_without_a_picture_are_refused_by_name(robot):
    robot.geom_type[1] = SDF
    with pytest.raises(ValueError, match="geom 1 is a signed distance field.*allowed: plane, hfield, sphere"):
        shapes_of(robot)
    robot.geom_type[1] = MESH
    with pytest.raises(ValueError, match="geom 1 is a mesh, but the model has no mesh_vert"):
        shapes_of(robot)
    robot.geom_type[:] = PLANE
    with pytest.raises(ValueError, match="nothing to draw"):
        shapes_of(robot)


def test_lengths_are_written_without_a_negative_zero():
    assert [metres(value, ".2f") for value in (-0.001, -1.5, 2.0)] == ["0.00 m", "\N{MINUS SIGN}1.50 m", "2.00 m"]


def test_drawing_leaves_the_callers_matplotlib_alone():
    code = "import sys, engine.view; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
