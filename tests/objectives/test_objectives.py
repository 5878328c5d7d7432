"""Objectives: each cotangent against differences, windows add up, wrong ones are refused."""

import copy
import pickle

import numpy as np
import pytest

import engine
import scenes
from engine.model import ModelBuilder
from engine.objectives import (
    ContactForceLimit,
    Effort,
    Energy,
    HostCost,
    Objective,
    Reach,
    RunForward,
    Smoothness,
    Stand,
    TaichiCost,
    Track,
    Walk,
)
from engine.objectives.check import Sample, check_objective
from tests.objectives import costs
from tests.quick import some

ANT = scenes.load("ant").model
HOPPER = scenes.load("hopper").model
REFERENCE = np.random.default_rng(0).normal(size=(4, 3))

READY = {
    "reach a sensor": lambda: (ANT, Reach(ANT, [1, 2, 3], sensor="torso_pos", running=0.3)),
    "reach a site": lambda: (ANT, Reach(ANT, [1, 2, 3], site="foot_1")),
    "reach a pose": lambda: (HOPPER, Reach(HOPPER, np.ones(2), qpos=[1, 3], terminal=2.0)),
    "reach a velocity": lambda: (HOPPER, Reach(HOPPER, np.ones(6), qvel=slice(None))),
    "track a table": lambda: (HOPPER, Track(HOPPER, REFERENCE, qpos=[3, 4, 5], weight=[1, 2, 3])),
    "track a function": lambda: (HOPPER, Track(HOPPER, lambda t: [np.sin(t), t], qpos=[3, 4])),
    "run": lambda: (HOPPER, RunForward(HOPPER)),
    "run in space": lambda: (ANT, RunForward(ANT)),
    "run at a speed": lambda: (HOPPER, RunForward(HOPPER, speed=2.0)),
    "run without falling": lambda: (HOPPER, RunForward(HOPPER, fall=(1.5, 1.2, 3.0))),
    "stand": lambda: (ANT, Stand(ANT)),
    "walk": lambda: (ANT, Walk(ANT, speed=1.2)),
    "walk in a plane": lambda: (HOPPER, Walk(HOPPER)),
    "walk, low and with servos": lambda: (ANT, Walk(ANT, speed=0.5, size=0.4, ctrl0=0.2, ctrl_scale=2.0, above=0.1)),
    "walk on a high place": lambda: (HOPPER, Walk(HOPPER, np.array([0, 9, 0, 0, 0, 0.0]), above=0.3)),
    "effort": lambda: (ANT, Effort()),
    "energy of motors": lambda: (HOPPER, Energy(HOPPER)),
    "energy by sensors": lambda: (servo(), Energy(servo())),
    "smoothness": lambda: (ANT, Smoothness()),
    "contact force limit": lambda: (ANT, ContactForceLimit(ANT, 0.4)),
    "a sum": lambda: (HOPPER, 2 * RunForward(HOPPER) + Effort() * 0.1 + Smoothness() + Energy(HOPPER)),
    "taichi": lambda: (ANT, TaichiCost(ANT, costs.running, costs.terminal)),
    "taichi, running only": lambda: (ANT, TaichiCost(ANT, costs.running)),
    "taichi, terminal only": lambda: (ANT, TaichiCost(ANT, terminal=costs.terminal)),
    "taichi, in loops": lambda: (HOPPER, TaichiCost(HOPPER, costs.within)),
}  # fmt: skip

# Taichi differentiates and compiles each one's functions for a quarter of a minute.
LONG = ("taichi, running only", "taichi, terminal only", "taichi, in loops")
EACH = [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in READY]


def servo():
    b = ModelBuilder("servo")
    b.body("arm", pos=(0, 0, 1))
    b.joint("arm", "hinge", axis=(0, 1, 0))
    b.geom("arm", "arm", size=0.1)
    b.position("hinge", "servo", kp=3.0)
    b.sensor("actuatorfrc", "force", objname="servo")
    return b.compile()


@pytest.mark.parametrize("name", EACH)
def test_cotangents(name):
    model, objective = READY[name]()
    for seed in range(4):
        check_objective(objective, model, seed=seed)


@pytest.mark.parametrize("name", ["run", "taichi", "contact force limit", "a sum"])
def test_gradient_through_a_rollout(name):
    model, objective = READY[name]()
    sim = engine.Simulator(model, worlds=2)
    rng = np.random.default_rng(1)
    start = model.qpos0.copy()
    if model is HOPPER:
        start[3:] = -0.3  # off its limits, at which there is a kink
    sim.reset(start, 0.3 * rng.normal(size=(2, model.nv)))
    tape = engine.Tape(sim, 12, frame_skip=2)
    report = engine.gradcheck(tape, objective.total, ("ctrl", "qpos0", "qvel0"), 0.3 * rng.normal(size=(12, model.nu)))
    assert report.ok, f"\n{report}"
    assert report.verdicts["ctrl"] == "ok"


def halves(sample):
    """A sample of 7 rows as windows of 4 and 4, the row in the middle in both."""
    for a, b in ((0, 4), (3, 7)):
        part = sample.moved("qpos", 0.0)
        for n in ("qpos", "qvel", "act", "sensordata", "time"):
            setattr(part, n, getattr(sample, n)[a:b])
        part.ctrl = sample.ctrl[a : b - 1]
        yield part


@pytest.mark.parametrize("name", ["run at a speed", "stand", "effort", "energy of motors", "contact force limit"])
def test_costs_of_windows_add_up(name):
    model, objective = READY[name]()
    if hasattr(objective, "momentum"):
        objective.momentum = 0.0
    sample = Sample(model, np.random.default_rng(0), 1.0, rows=7)
    whole = objective(sample)[0]
    np.testing.assert_allclose(sum(objective(part)[0] for part in halves(sample)), whole, rtol=1e-12)


def test_falling_ends_the_pay():
    """A world that topples earns the way until then and pays per second afterwards; the others run on."""
    objective = RunForward(HOPPER, tilt=0, height=0, effort=0, momentum=0, fall=(1.0, 0.5, 3.0))
    sample = Sample(HOPPER, np.random.default_rng(0), 0.0, rows=11)
    sample.qpos[:, :, 1] = HOPPER.qpos0[1]
    sample.qpos[:, :, 0] = np.arange(11.0)[:, None]
    sample.qpos[4:, 1, 2] = 1.2
    cost, bars = objective(sample)
    np.testing.assert_allclose(cost, [-10.0, -4.0 + 3.0 * 6 * 0.01])
    assert bars["qpos"][5:, 1].any() == 0 and bars["qpos"][10, 0, 0] == -1
    np.testing.assert_allclose(objective.distance(sample), [10.0, 4.0])


WRONG = {
    "factor": lambda t: (t.qpos[-1].sum(-1) ** 2, {"qpos": _last(t, t.qpos[-1].sum(-1)[:, None])}),
    "missing": lambda t: (t.ctrl.sum((0, 2)), {}),
    "worlds mixed": lambda t: (np.full(t.qpos.shape[1], t.qpos[-1].sum()), {"qpos": _last(t, 2.0)}),
    "shape": lambda t: (t.qpos.sum((0, 2)), {"qpos": np.ones(3)}),
    "name": lambda t: (t.qpos.sum((0, 2)), {"xpos": np.ones_like(t.qpos)}),
    "total": lambda t: (t.qpos.sum(), {"qpos": np.ones_like(t.qpos)}),
}  # fmt: skip


def _last(trajectory, value):
    bar = np.zeros_like(trajectory.qpos)
    bar[-1] = value
    return bar


@pytest.mark.parametrize("name", WRONG)
def test_wrong_numpy_costs_are_refused(name):
    with pytest.raises(ValueError, match="objective"):
        HostCost(HOPPER, WRONG[name])


def test_a_right_numpy_cost():
    cost = HostCost(HOPPER, lambda t: (t.qpos[-1].sum(-1) ** 2, {"qpos": _last(t, 2 * t.qpos[-1].sum(-1)[:, None])}))
    assert isinstance(cost + Effort(), Objective)


REFUSED = {
    "run_time_loop": "run-time loop", "while_loop": "while", "breaks": "break", "selects": "select",
    "ternary": "if c else b", "norm": "norm", "in_place": "in place", "cut_to_whole": "whole number",
    "through_a_callee": "run_time_loop", "modulo": "//", "before": r"qpos\[-1\]: allowed: 0 to 5",
    # the process would end
    "beyond": r"qpos\[6\]: allowed: 0 to 5", "beyond_in_a_loop": r"ctrl\[3\]: allowed: 0 to 2",
    "beyond_in_a_callee": r"in seventh: x\[6\]: allowed: 0 to 5",
    "nothing": "returns nothing, allowed: one number", "a_vector": r"returns a vector .*\(6\).* allowed: one number",
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_taichi_gets_wrong_is_refused_with_its_line(name):
    with pytest.raises(ValueError, match=rf'File ".*costs.py", line \d+.*{REFUSED[name]}'):
        TaichiCost(HOPPER, getattr(costs, name))


@pytest.mark.parametrize("name", some(sorted(set(READY) - {"track a function"}), 3))  # a lambda, which nothing pickles
def test_copies(name):
    """By `copy` and by pickle, as a search has them that is copied or sent to a worker."""
    model, objective = READY[name]()
    trajectory = Sample(model, np.random.default_rng(0), 0.3)
    cost, bars = objective(trajectory)
    for other in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
        again, same = other(trajectory)
        assert np.array_equal(again, cost) and same.keys() == bars.keys()
        assert all(np.array_equal(same[k], bars[k]) for k in bars)


def test_the_named_line_is_the_one():
    import inspect

    with pytest.raises(ValueError, match="line") as e:
        TaichiCost(HOPPER, costs.norm)
    line = int(str(e.value).split("line ")[1].split(",")[0])
    assert "qvel.norm()" in inspect.getsource(costs).splitlines()[line - 1]


def test_mistakes_are_named():
    for make, message in (
        (lambda: Reach(HOPPER, [0, 0, 0], site="nowhere"), "no site 'nowhere'"),
        (lambda: Reach(HOPPER, [0, 0], sensor="com"), r"shape \(3,\)"),
        (lambda: Reach(HOPPER, [0, 0, 0]), "one of qpos, qvel"),
        (lambda: Reach(scenes.load("cartpole").model, [0, 0, 0], body="cart"), "no framepos sensor"),
        (lambda: ContactForceLimit(HOPPER, 1.0, ["com"]), "no touch sensor"),
        (lambda: Energy(_unsensed()), "no plain motor"),
        (lambda: Energy(_limited()), "joint 'thigh_joint' limits the force of its actuators"),
        (lambda: RunForward(scenes.load("pendulum").model), "slide joint along x"),
        (lambda: TaichiCost(HOPPER), "neither"),
        (lambda: TaichiCost(HOPPER, lambda *a: 0.0), "@ti.func"),
    ):  # fmt: skip
        with pytest.raises((ValueError, engine.ModelError), match=message):
            make()


def _limited():
    model = HOPPER.copy()
    model.jnt_actfrclimited[model.actuator_trnid[0]] = True
    return model


def _unsensed():
    model = servo()
    model.sensor_type[:] = 0
    return model
