"""Plots: the data, units and labels on the axes, and what is refused."""

import numpy as np
import pytest

from engine.model.constants import BALL, FREE
from engine.view import plot_contact_forces, plot_joints, plot_loss, plot_series, plots

T = np.linspace(0.0, 1.0, 11)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that would have been written."""
    figures = []
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: figures.append(figure) or path)
    return figures


def legend_texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize("suffix", (".png", ".svg", ".pdf"))
def test_plots_are_written(tmp_path, suffix):
    path = plot_series(tmp_path / f"speed{suffix}", T, {"a": T, "b": T**2}, "speed (m/s)", "Speed")
    assert path.stat().st_size > 1000


def test_plot_refuses_other_files(tmp_path):
    with pytest.raises(ValueError, match=r"must end in one of \.png, \.svg, \.pdf"):
        plot_series(tmp_path / "a.jpeg", T, {"a": T}, "speed (m/s)")


def test_series_has_one_line_each_and_tells_many_apart(drawn):
    plot_series("x", T, {f"s{i}": i * T for i in range(9)}, "speed (m/s)", "Speed")
    (axes,) = drawn[0].axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == 9 and legend_texts(drawn[0]) == [f"s{i}" for i in range(9)]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (s)", "speed (m/s)")
    np.testing.assert_array_equal(axes.lines[4].get_ydata(), 4 * T)


def test_series_of_another_length_is_refused_by_name():
    with pytest.raises(ValueError, match=r"series\['a'\] has the shape \(3,\)"):
        plot_series("x.png", T, {"a": np.zeros(3)}, "m")
    with pytest.raises(ValueError, match="series is empty"):
        plot_series("x.png", T, {}, "m")


def test_loss_has_a_panel_for_each_metric(drawn):
    metrics = {"loss": [100.0, 10.0, 1.0], "grad_norm": [3.0, 2.0, 1.0], "distance (m)": [-1.0, 0.0, 200.0]}
    plot_loss("x", metrics)
    plot_loss("x", [dict(zip(metrics, row, strict=True)) for row in zip(*metrics.values(), strict=True)])
    for figure in drawn:
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "grad norm", "distance (m)"]
        assert [axes.get_yscale() for axes in figure.axes] == ["log", "linear", "linear"]
        assert figure.axes[-1].get_xlabel() == "iteration"
        np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), metrics["loss"])


@pytest.mark.parametrize("metrics", ({}, [], {"loss": []}))
def test_empty_metrics_are_refused(metrics):
    with pytest.raises(ValueError, match="metrics is empty"):
        plot_loss("x.png", metrics)


def test_joints_are_in_degrees_and_metres_with_their_limits(drawn, robot):
    before, after = np.stack([T, 0.1 * T], axis=1), np.stack([2 * T, 0.5 * T], axis=1)
    plot_joints("x", robot, T, before, after)
    slide, hinge = drawn[0].axes
    assert [slide.get_ylabel(), hinge.get_ylabel()] == ["position (m)", "angle (deg)"]
    assert [slide.get_title(), hinge.get_title()] == ["slider", "joint 1"]
    np.testing.assert_allclose(slide.lines[1].get_ydata(), 2 * T)
    np.testing.assert_allclose(hinge.lines[0].get_ydata(), np.degrees(0.1 * T))
    limits = [line.get_ydata()[0] for line in hinge.lines[2:4]]
    np.testing.assert_allclose(limits, np.degrees([-1.0, 0.5]))
    assert legend_texts(drawn[0]) == ["before", "after", "joint limit"]


def test_free_and_ball_joints_give_their_position_and_rotation(drawn, robot):
    robot.jnt_type, robot.jnt_qposadr = np.array([FREE, BALL]), np.array([0, 7])
    angle = 0.3 * T
    quat = np.stack([-np.cos(angle / 2), 0 * T, -np.sin(angle / 2), 0 * T], axis=1)
    plot_joints("x", robot, T, np.hstack([np.stack([T, 2 * T, 3 * T], axis=1), quat, quat]), names=["root", "hip"])
    assert [axes.get_title() for axes in drawn[0].axes] == [
        "root, x", "root, y", "root, z", "root, rotation", "hip, rotation"
    ]  # fmt: skip
    for axes in drawn[0].axes[3:]:
        np.testing.assert_allclose(axes.lines[0].get_ydata(), np.degrees(angle), atol=1e-9)


def test_joints_of_another_shape_are_refused_by_name(robot):
    with pytest.raises(ValueError, match=r"qpos_after has the shape \(3, 2\).*11 times"):
        plot_joints("x.png", robot, T, np.zeros((11, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="names has 1 entries, but the model has 2 joints"):
        plot_joints("x.png", robot, T, np.zeros((11, 2)), names=["a"])


def test_contact_forces_share_one_scale_in_newtons(drawn):
    plot_contact_forces("x", T, np.stack([100 * T, 10 * T], axis=1), ["back foot", "front foot"])
    first, second = drawn[0].axes
    assert first.get_ylim() == second.get_ylim() == (0.0, 108.0)
    assert [axes.get_title(loc="left") for axes in drawn[0].axes] == ["back foot", "front foot"]
    assert drawn[0].get_supylabel() == "contact force (N)"
    with pytest.raises(ValueError, match=r"forces has the shape \(11, 1\), but must have \(11, 2\)"):
        plot_contact_forces("x.png", T, np.zeros((11, 1)), ["a", "b"])
