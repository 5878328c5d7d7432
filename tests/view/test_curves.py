"""Named columns with units, and the plots drawn from them: what is on the axes, and what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

import scenes
from engine.model import ModelBuilder, load
from engine.model.sensors import NAMES
from engine.view import columns, curves, phase_pairs, plot_columns, plot_gradient_norms, plot_phase
from engine.view.quantities import Column, chosen, qpos_labels, qvel_labels, sensor_labels
from tests import zoo

T = np.linspace(0.0, 1.0, 11)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that would have been written."""
    figures = []
    monkeypatch.setattr(curves, "save_figure", lambda figure, path: figures.append(figure) or path)
    return figures


def trajectory(model, worlds=2):
    rng = np.random.default_rng(0)
    sizes = {"qpos": model.nq, "qvel": model.nv, "act": model.na, "sensordata": model.nsensordata}
    parts = {n: rng.standard_normal((11, worlds, k)) for n, k in sizes.items()}
    return SimpleNamespace(time=T, ctrl=rng.standard_normal((10, worlds, model.nu)), **parts)


def test_every_scene_has_a_name_and_unit_for_every_column():
    for name in scenes.names():
        model = scenes.load(name).model
        run = trajectory(model)
        for quantity in ("qpos", "qvel", "act", "ctrl", "sensordata"):
            found = columns(model, quantity, run, world=1)
            values = getattr(run, quantity)
            assert len(found) == values.shape[2], (name, quantity)
            for i, c in enumerate(found):
                assert c.name and c.group and c.unit
                np.testing.assert_array_equal(c.values, values[:, 1, i])
                assert len(c.times) == len(c.values)


def test_units_follow_the_joints():
    b = ModelBuilder("all")
    for i, kind in enumerate(("free", "ball", "slide", "hinge")):
        b.body(f"b{i}", pos=(0, 0, i))
        b.joint(f"b{i}", kind, type=kind)
        b.geom(f"b{i}", type="sphere", size=0.1, contype=0, conaffinity=0)
    model = b.compile()
    assert [unit for *_, unit in qpos_labels(model)] == ["m"] * 3 + ["1"] * 4 + ["1"] * 4 + ["m", "rad"]
    assert [unit for *_, unit in qvel_labels(model)] == ["m/s"] * 3 + ["rad/s"] * 3 + ["rad/s"] * 3 + ["m/s", "rad/s"]
    assert [name for name, *_ in qvel_labels(model)][-2:] == ["slide", "hinge"]
    assert len(qpos_labels(model)) == model.nq and len(qvel_labels(model)) == model.nv


def test_controls_have_the_times_at_which_they_begin():
    model = scenes.load("hopper").model
    (first, *_) = columns(model, "ctrl", trajectory(model))
    np.testing.assert_allclose(first.times, T[:-1])


def test_every_kind_of_sensor_has_its_unit():
    pytest.importorskip("mujoco")
    units = {}
    made = (zoo.sensing, zoo.limit_sensors, zoo.touch, zoo.ranging, zoo.apart, zoo.tendon_sensors, zoo.seen,
            zoo.contact_sensors)  # fmt: skip
    for xml in (make() for make in made):
        model = load(xml)
        labels = sensor_labels(model)
        assert len(labels) == model.nsensordata
        for s, kind in enumerate(model.sensor_type):
            units.setdefault(NAMES[kind], set()).add(labels[model.sensor_adr[s]][2])
    assert set(units) == set(NAMES)
    assert units["jointlimitfrc"] == {"N", "N m"} and units["jointlimitvel"] == {"m/s", "rad/s"}
    names = [label[0] for label in labels]  # of the last model
    assert names[:5] == ["sensor 0 found", "sensor 0 force x", "sensor 0 force y", "sensor 0 force z", "sensor 0 dist"]
    assert names[5] == "sensor 1 1 found" and "sensor 1 3 angvel z" in names
    assert units["torque"] == {"N m"} and units["clock"] == {"s"} and units["e_kinetic"] == {"J"}


def test_names_choose_columns():
    model = scenes.load("half_cheetah").model
    found = columns(model, "sensordata", trajectory(model))
    assert [c.name for c in chosen(found, ["com"])] == ["com x", "com y", "com z"]
    with pytest.raises(ValueError, match="no column 'knee'; there are: torso_pos x"):
        chosen(found, ["knee"])
    with pytest.raises(ValueError, match="no quantity 'speed'; there are: qpos, qvel"):
        columns(model, "speed", trajectory(model))
    with pytest.raises(ValueError, match="energy: needs a Replay"):
        columns(model, "energy", trajectory(model))


def test_columns_are_drawn_by_unit_with_labels(drawn):
    model = scenes.load("half_cheetah").model
    plot_columns("x", columns(model, "qvel", trajectory(model)))
    slides, hinges = drawn[0].axes
    assert (slides.get_ylabel(), hinges.get_ylabel()) == ("velocity (m/s)", "angular velocity (rad/s)")
    assert [line.get_label() for line in slides.lines] == ["rootx", "rootz"] and len(hinges.lines) == 7
    assert hinges.get_xlabel() == "time (s)"


def test_runs_are_compared_by_style(drawn):
    model = scenes.load("hopper").model
    run = trajectory(model)
    plot_columns("x", {w: columns(model, "ctrl", run, world=i) for i, w in enumerate(("before", "after"))})
    lines = drawn[0].axes[0].lines
    assert [line.get_label() for line in lines[:2]] == ["thigh_joint, before", "thigh_joint, after"]
    assert lines[0].get_color() == lines[1].get_color() and lines[0].get_linestyle() != lines[1].get_linestyle()


def test_more_runs_than_styles_or_other_columns_are_refused():
    a, b = ([Column(name, "speed", "m/s", T, T)] for name in "ab")
    for runs in ({str(i): a for i in range(4)}, {"one": a, "two": b}):
        with pytest.raises(ValueError, match="at most 3 runs with columns of the same names"):
            plot_columns("x", runs)


def test_many_columns_get_more_plots(drawn):
    plot_columns("x", [Column(f"c{i}", "speed", "m/s", T, i * T) for i in range(16)])
    assert [len(axes.lines) for axes in drawn[0].axes] == [7, 7, 2]


def test_phase_plots_pair_angle_and_velocity(drawn):
    model = scenes.load("half_cheetah").model
    run = trajectory(model)
    pairs = phase_pairs(columns(model, "qpos", run), columns(model, "qvel", run))
    assert [p.name for p, _ in pairs] == [v.name for _, v in pairs] and len(pairs) == 9
    plot_phase("x", pairs)
    axes = drawn[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("position (m)", "velocity (m/s)")
    np.testing.assert_allclose(axes.collections[0].get_segments()[3][0], [run.qpos[3, 0, 0], run.qvel[3, 0, 0]])


def test_gradient_norms_and_their_growth(drawn):
    norms = {"qvel": 2.0 ** np.arange(10, -1, -1), "ctrl": np.ones((10, 3)), "act": np.zeros((11, 0))}
    plot_gradient_norms("x", T, norms)
    above, below = drawn[0].axes
    assert above.get_yscale() == below.get_yscale() == "log" and len(above.lines) == 2
    np.testing.assert_allclose(below.lines[1].get_ydata(), 2.0)
    assert above.lines[0].get_label() == "qvel (per m/s or rad/s)" and "time (s)" == below.get_xlabel()
    with pytest.raises(ValueError, match="does not depend on the state"):
        plot_gradient_norms("x", T, {"qvel": np.zeros(11)})


@pytest.mark.parametrize("suffix", (".png", ".svg"))
def test_they_are_written(tmp_path, suffix):
    found = [Column("a", "speed", "m/s", T, T), Column("b", "angle", "rad", T, T**2)]
    for path in (
        plot_columns(tmp_path / f"a{suffix}", found), plot_phase(tmp_path / f"b{suffix}", [tuple(found)]),
        plot_gradient_norms(tmp_path / f"c{suffix}", T, {"qvel": 1 + T}),
    ):  # fmt: skip
        assert path.stat().st_size > 1000
