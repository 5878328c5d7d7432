"""What a robot needs compiled: features from its types and counts, stages and budgets in lines, the same results."""

import ast
import functools
import inspect
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import engine
import scenes
from engine.compiler import features
from engine.compiler.features import ALL, FEATURES, NAMES, compiled_for, features_of, features_of_parts
from engine.parts import MLP, OPEN

SCENES = ("pendulum", "hopper", "half_cheetah", "humanoid", "billiards", "box_push")


def of(name):
    return features_of(scenes.load(name).model)


def test_features_of_robots():
    assert of("pendulum") == {"rk4", "sensor"}
    assert of("hopper") == {
        "block", "contact", "plane", "pyramidal", "rk4", "segment", "sensor", "subtree_sensor", "touch_sensor",
    }  # fmt: skip
    assert "quaternion" in of("humanoid") and "quaternion" not in of("half_cheetah")
    assert "box" in of("box_push") and "box" not in of("humanoid")
    assert features_of_parts({OPEN, MLP}) == {"part", "open", "mlp"}
    assert features_of_parts(()) == set()


def test_every_feature_is_asked_for():
    """By a stage or a branch; and nobody asks for one that does not exist."""
    import engine.kernels as kernels
    from engine.compiler.variant import asked_by

    asked = asked_by(kernels.rollout_serial._primal.func)[0] | asked_by(kernels.reverse_serial._primal.func)[0]
    assert asked == ALL, (ALL - asked, asked - ALL)
    assert set(FEATURES) == set(vars(features.has))


def test_kept_answers_are_those_of_the_source(tmp_path):
    import engine.kernels as kernels
    from engine.compiler import variant

    for kernel in (kernels.rollout_serial, kernels.reverse_serial):
        function = kernel._primal.func
        features, own = variant.asked_by(function)
        assert (features, own) == tuple(variant._asked_by(function))
        assert variant.read_answers(variant.answers_file())[f"engine.kernels.{function.__name__}"][1] is own
    for text in ("{", "[]", '{"f": 3}', '{"f": [["wings"], false]}', '{"f": [["box"], 1]}'):
        (tmp_path / "answers.json").write_text(text)
        assert variant.read_answers(tmp_path / "answers.json") == {}
    assert variant.read_answers(tmp_path / "none.json") == {}


def test_values_of_parameters_decide_nothing():
    model = scenes.load("hopper").model.copy()
    before = features_of(model)
    for name in ("dof_damping", "dof_frictionloss", "jnt_stiffness", "dof_armature"):
        getattr(model, name)[...] += 1.0
    assert features_of(model) == before


def test_what_may_be_asked_for():
    model = scenes.load("pendulum").model
    assert engine.Simulator(model).features == ALL  # of this process
    assert engine.Simulator(model, features={"rk4", "sensor", "box"}).features == {"rk4", "sensor", "box"}
    with pytest.raises(ValueError, match="features: unknown wings, allowed: .*this model needs"):
        engine.Simulator(model, features=["rk4", "sensor", "wings"])
    with pytest.raises(ValueError, match="features: without sensor"):
        engine.Simulator(model, features="rk4")
    with pytest.raises(ValueError, match="features: got 'some', allowed: robot, all"):
        engine.init(features="some")


@pytest.mark.parametrize("name", [
    n if n == "pendulum" else pytest.param(n, marks=pytest.mark.slow) for n in SCENES
])  # fmt: skip
def test_a_robots_own_kernels_give_the_same(name, tmp_path):
    """As those compiled for everything: steps and gradients to 1e-12, and a recording of either to the bit."""
    model, found = scenes.load(name).model, []
    controls = 0.3 * np.sin(np.arange(20 * model.nu)).reshape(20, model.nu)
    for which in (None, features_of(model)):
        sim = engine.Simulator(model, features=which)
        sim.step(3)
        tape = engine.Tape(sim, 20)
        rows = tape.rollout(controls)
        grads = tape.backward(qpos=np.ones_like(rows.qpos), sensordata=np.ones_like(rows.sensordata))
        found.append([rows.qpos.copy(), rows.qvel.copy(), rows.sensordata.copy(), grads.ctrl, grads.qpos0,
                      grads.model.theta_bar])  # fmt: skip
        path = engine.Recording.of(tape).save(tmp_path / "run.npz")
        again = engine.Recording.load(path)
        assert set(again.features) == sim.features
        assert again.differences(again.replay()) == []
    for a, b in zip(*found, strict=True):
        assert np.abs(a - b).max(initial=0) <= 1e-12 * max(np.abs(a).max(initial=0), 1)


@pytest.mark.slow
def test_a_controller_brings_its_own_parts():
    from controllers import MLP as Network

    model = scenes.load("pendulum").model
    found = []
    for which in (None, features_of(model)):
        tape = engine.Tape(engine.Simulator(model, features=which), 10)
        tape.sim.data.qpos[:] = 0.4
        net = Network(model, hidden=(4,), seed=1)
        rows = tape.rollout(net)
        found.append((rows.qpos.copy(), tape.backward(qpos=np.ones_like(rows.qpos)).params))
    assert all(np.abs(a).max() > 0 for a in found[0])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


# ------------------------------------------------------------------------------------------------ lines, not seconds


def traced_lines(model_features):
    """{stage: lines that are traced for it} of the rollout and its reverse; a function counts at each of its calls."""
    import engine.kernels as kernels
    from engine.compiler.tracing import names_in

    def lines(function, stages):
        plain = inspect.unwrap(getattr(function, "function", function))
        total = own_lines(plain)
        for callee in names_in(plain)[1]:
            feature = getattr(callee, "serves", None)
            if feature is not None and feature not in model_features:
                continue
            if getattr(callee, "is_stage", False):
                if callee.__name__ not in stages:
                    stages[callee.__name__] = 0
                    stages[callee.__name__] = lines(callee, stages)
            elif getattr(callee, "_is_taichi_function", False):
                total += lines(callee, stages)
        return total

    def own_lines(plain):
        """Statements, without the branches that no feature in force takes."""
        tree = ast.parse(textwrap.dedent(inspect.getsource(plain)))
        gone = 0
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test).startswith("ti.static(has."):
                names = [n.attr for n in ast.walk(node.test) if isinstance(n, ast.Attribute) and n.attr in NAMES]
                if not any(name in model_features for name in names):
                    gone += sum(b.end_lineno - b.lineno + 1 for b in node.body)
        return len(inspect.getsource(plain).splitlines()) - gone

    found = {}
    with compiled_for(model_features):
        for top in (kernels.run_world, kernels.reverse_world):
            found[top.__name__] = 0
            found[top.__name__] = lines(top, found)
    return found


@functools.cache
def budget(name):
    return traced_lines(ALL if name == "everything" else of(name))


# What the features and stages of today take, and a little: whoever needs more says why here.
# everything: long chains are eliminated by fours, in four stages; many pairs are swept, in one of its own; so are balls
# and capsules put against boxes, boxes against boxes, and planes against meshes; cylinders and ellipsoids; sensors of
# all levels take 4,600, most of which a robot lacks; compensation of gravity, limits of joints on actuators and springs
# and dampers that are polynomials take 340, a robot without 25; equalities; torsional and rolling friction takes 650;
# tendons take 2,000, a robot without 50, their paths round geoms 1,300; sensors of distance take 1,100, those that
# search 1,000, mocap bodies 100; the search between convex
# shapes takes 2,300, their several contacts 2,000; a fluid takes 600,
# the slope of the bias force 800, ellipsoids in a fluid 1,000,
# what tells one face of a shape from another 250, gradients by frames, shapes, contact parameters and
# limits 1,250, corners of uneven faces 100, the face across the direction of a search that did not come close, rims and
# faces that the end of a deep search does not show 320, what MuJoCo does of rings and within margins 150; friction
# without slip 830, actuators on sites and cranks 890, surfaces that move 220, muscles 750, adhesion 280, delays 120,
# height fields 600, rays that meet them 250, and meshes 125, what more rangefinders tell 120, ellipsoids in a fluid
# 600, integrals and limited setpoints of pids 950, the integrator discrete 5,500, DC motors 1,000, gradients by time
# constants and curves of actuators 600, delayed
# sensors 100, residuals 400, a law of friction 290, gradients by frames of joints, sites and inertias 300, those of
# frames beside tendons and compensated weight 700, by numbers of tendons, dry friction and equalities 800, those of
# inertias in fluids, metrics, slopes of the bias and beside sensors 200, those of what sensors read 100, by height
# fields 340, springs that yield 1,450, setpoints of turns 400, motors in discrete time and rows of arms beside limits
# 150, motors without inputs and on turns, clocks and images of sensors and leaves of surfaces 1,400, islands that keep
# their factors 60, the order in which trees are eliminated 420; what spares the adjoint of a step without constraints
# or damping two motions takes 40, of every robot; gradients by sizes of ellipsoids in a fluid and a second, closer
# search between convex shapes 300, distances that are searched 1,000, a first polytope without hollows 60, faces by all
# their edges and edges that are nearly parallel 250; what spares rays geoms that they pass, cells of height fields and
# adjoints of sensors that nothing asks of takes 140, 10 of every robot; normals that rangefinders tell, and cameras of
# them, 230; orientation servos 1,160; exact diagonals of constraints 990, a robot without 11; cameras that follow or
# target bodies 620, trees that sleep 920, 15 of every robot; contacts before an impact 1,960.
# The lines that ask for these count for a robot that has
# none of it, too: 170 of a hopper's, though nothing of them is compiled.
MOST = {"pendulum": 4500, "hopper": 6580, "humanoid": 7260, "everything": 60150}


@pytest.mark.parametrize("name", MOST)
def test_traced_lines(name):
    """Lines do not depend on how busy a machine is: an idle one takes about a millisecond for each, cold."""
    lines = budget(name)
    total = sum(lines.values())
    print(name, total, dict(sorted(lines.items(), key=lambda x: -x[1])[:4]))
    assert total <= MOST[name], total
    # the adjoint of a contact alone holds boxes, cones, rolling and moving surfaces, of which a robot has a part, that
    # of a fluid's resistance boxes, ellipsoids, metrics and the leaves of inertias
    assert max(lines.values()) <= (1300 if name == "everything" else 900), lines


ABSENT = """
import os, sys
import numpy as np
import engine, scenes
from engine.compiler import stages
built = []
build = stages.Stage._build
stages.Stage._build = lambda self: built.append(self.__name__) or build(self)
sim = engine.Simulator(scenes.load("pendulum").model)
tape = engine.Tape(sim, 2)
rows = tape.rollout(np.zeros((2, 1)))
tape.backward(qpos=np.ones_like(rows.qpos))
print(*built)
"""


def test_a_stage_without_its_feature_is_not_traced():
    done = subprocess.run([sys.executable, "-c", ABSENT], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    built = done.stdout.split()
    assert "contact_blocks_vjp" not in built and {"run_world", "stepped", "solved", "sensed"} <= set(built)


@pytest.mark.slow
def test_plain_kernels_give_the_same():
    """PULLBACK_PLAIN=1: Taichi's own tracing, everything inlined. Where they differ, the way of compiling is wrong."""
    code = """
import numpy as np
import engine, scenes
sim = engine.Simulator(scenes.load("pendulum").model)
tape = engine.Tape(sim, 20)
rows = tape.rollout(0.3 * np.sin(np.arange(20)).reshape(20, 1))
grads = tape.backward(qpos=np.ones_like(rows.qpos), sensordata=np.ones_like(rows.sensordata))
print(*rows.qpos.ravel(), *rows.sensordata.ravel(), *grads.ctrl.ravel(), *grads.model.theta_bar.ravel())
"""
    found = []
    for environment in ({}, {"PULLBACK_PLAIN": "1"}):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1200,
                              env={**os.environ, **environment})  # fmt: skip
        assert done.returncode == 0, done.stderr
        found.append(np.array(done.stdout.split(), float))
    assert np.abs(found[0]).max() > 0.1
    np.testing.assert_allclose(*found, rtol=1e-12, atol=1e-12)
