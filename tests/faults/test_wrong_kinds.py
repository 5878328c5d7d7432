"""What is given in the place of a Model, a Simulator or a Tape, and other wrong uses: refused at the door, by name."""

import importlib
import inspect
import re

import numpy as np
import pytest

import controllers
import engine
import scenes
from controllers.optimize import Restarts, Stop
from engine.objectives import Effort, Reach, Track
from engine.replay import replay

MODULES = (
    "engine", "engine.objectives", "engine.replay", "engine.view", "engine.identify", "engine.rays", "engine.residuals",
    "controllers", "controllers.optimize", "scenes",
)  # fmt: skip
KINDS = {"model": "Model", "sim": "Simulator", "tape": "Tape"}
NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
RECORDS = ("Recording", "Gradients", "ImportReport")  # made by what measures, not by hand


def takers():
    """{name: (function or class, its parameter, others that it needs)} of all public ones that take such a thing."""
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", dir(module)):
            thing = None if public.startswith("_") else getattr(module, public)
            at = getattr(thing, "__module__", None) or ""
            made_here = at.startswith(("engine", "controllers", "scenes")) if hasattr(module, "__all__") else at == name
            error = inspect.isclass(thing) and issubclass(thing, Exception)
            if not callable(thing) or not made_here or error or public in RECORDS:
                continue
            given = inspect.signature(thing).parameters.values()
            which = next((p.name for p in given if p.name in KINDS), None)
            needed = {p.name for p in given if p.default is p.empty and p.kind in NAMED}
            if which is not None and hasattr(thing, "__qualname__"):
                found[f"{thing.__module__}.{thing.__qualname__}"] = thing, which, sorted(needed - {which})
    return found


TAKERS = takers()
GIVEN = {"name": "qpos", "observe": ("qpos",), "features": ("qpos",), "factor": 2.0, "function": len}


@pytest.mark.parametrize("name", TAKERS)
def test_a_file_name_instead(name):
    taker, which, others = TAKERS[name]
    path = {"path": {"save_animation": "run.gif", "save_html": "run.html"}.get(taker.__name__, "run.png")}
    with pytest.raises(TypeError, match=rf"\b{which}: got str, allowed: a {KINDS[which]} \("):
        taker(**{which: "robot.xml"}, **{other: (GIVEN | path).get(other) for other in others})


def test_there_are_many():
    assert {"engine.diff.tape.Tape", "controllers.mlp.MLP", "engine.replay.replay"} < set(TAKERS) and len(TAKERS) > 40


@pytest.fixture(scope="module")
def hopper():
    return scenes.load("hopper").model


@pytest.fixture(scope="module")
def sim(hopper):
    """No kernel of it runs, but for a picture."""
    return engine.Simulator(hopper)


@pytest.mark.parametrize(("trajectory", "more", "message"), [
    (3, {}, "trajectory: got int, allowed: a Trajectory"),
    ("run.npz", {}, "trajectory: got str, allowed: a Trajectory"),
    ([[0.0] * 5], {}, "trajectory: got an array of shape (1, 1, 5), allowed: (rows, worlds, 6)"),
    (np.zeros((2, 6)), {"world": 1}, "world: got 1, allowed: 0 to 0"),
    (np.zeros((2, 6)), {"every": 0}, "every: got 0, allowed: a whole number from 1"),
])  # fmt: skip
def test_no_trajectory(hopper, trajectory, more, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        replay(hopper, trajectory, **more)


@pytest.mark.parametrize(("kind", "index", "message"), [
    ("geom", 99, "geom: got 99, allowed: 0 to 4"), ("geom", -1, "geom: got -1"), ("geom", "foot", "geom: got 'foot'"),
    ("goem", 0, "kind: got 'goem' (did you mean 'geom'?), allowed: body, joint"), (3, 0, "kind: got 3"),
    ("mesh", 0, "hopper has no mesh"),
])  # fmt: skip
def test_labels(hopper, kind, index, message):
    with pytest.raises(engine.ModelError, match=re.escape(message)):
        hopper.label(kind, index)


def test_leaves(hopper):
    assert engine.Simulator(hopper, leaves=None).leaves == ()
    with pytest.raises(TypeError, match="leaves: got int, allowed: names"):
        engine.Simulator(hopper, leaves=3)
    with pytest.raises(TypeError, match="features: got int, allowed: names"):
        engine.Simulator(hopper, features=3)


def test_folders_and_numbers(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        engine.load(tmp_path)
    with pytest.raises(TypeError, match="name: got int, allowed: the name of a scene"):
        scenes.load(3)
    for save in (engine.view.save_frame, engine.view.save_html):
        with pytest.raises(TypeError, match="path: got int"):
            save(3, None, None, None) if save is engine.view.save_frame else save(3, None, None)


WRONG = {
    "hidden": (lambda m, s: controllers.MLP(m, hidden=3), "MLP: hidden: got 3, allowed: a list"),
    "observe": (lambda m, s: controllers.MLP(m, observe=3), "MLP: observe: got 3, allowed: a list"),
    "observed": (lambda m, s: controllers.MLP(m, observe=[3]), "MLP: observe: got 3, allowed: 'qpos'"),
    "indices": (lambda m, s: Reach(m, [0], qpos=99), "qpos: got 99, allowed: indices below 6"),
    "target": (lambda m, s: Reach(m, "up", qpos=0), "Reach: target: got 'up', allowed: finite numbers of shape (1,)"),
    "reference": (lambda m, s: Track(m, 3, qpos=0), "Track: reference: got 3, allowed: finite numbers of shape"),
    "objective": (lambda m, s: controllers.ILQR(m, 3, 5), "objective: got int, allowed: an Objective"),
    "controls": (lambda m, s: controllers.ILQR(m, Effort(), 5, controls="a"), "controls: got 'a', allowed: real"),
    "iterations": (lambda m, s: Stop(iterations=-1), "iterations: got -1, allowed: a whole number from 1"),
    "seconds": (lambda m, s: Stop(seconds="a"), "seconds: got 'a', allowed: a number or None"),
    "solved": (lambda m, s: Stop(solved=3), "solved: got int, allowed: a function of the search"),
    "every": (lambda m, s: controllers.MPC(m, Effort(), 5, 5, every=0), "MPC: every: got 0, allowed: a whole number"),
    "steps": (lambda m, s: controllers.MPC(m, Effort(), 5, -5), "MPC: steps: got -5, allowed: a whole number from 1"),
    "together": (lambda m, s: controllers.MPC(m, Effort(), 5, 5, together=(1, 9)), "ILQR: together: got (1, 9)"),
    "searches": (lambda m, s: controllers.ILQR(m, Effort(), 5, searches=0), "ILQR: searches: got 0, allowed"),
    "frame_skip": (lambda m, s: controllers.ILQR(m, Effort(), 5, 0), "frame_skip: got 0, allowed: a whole number"),
    "loss": (lambda m, s: engine.gradcheck(engine.Tape(s, 2), 3), "loss: got int, allowed: a function"),
    "tapes": (lambda m, s: engine.Recording.of(3), "tapes: got int, allowed: a Tape (engine.Tape(sim, steps))"),
    "trajectory": (lambda m, s: engine.view.columns(m, "qpos", 3), "trajectory: got int, allowed: a Trajectory"),
    "world": (lambda m, s: s.data.contacts("a"), "world: got 'a', allowed: a number below 1"),
    "matrix": (lambda m, s: s.data.mass_matrix(9), "world: got 9, allowed: a number below 1"),
    "camera": (lambda m, s: engine.view.image(s, camera={"azimut": 9}), "got 'azimut' (did you mean 'azimuth'?)"),
    "cameras": (lambda m, s: engine.view.image(s, camera=3), "camera: got int, allowed: an engine.view.Camera, or a"),
    "angle": (lambda m, s: engine.view.Camera(azimuth="a"), "camera azimuth='a' must be a number of degrees"),
    "image": (lambda m, s: engine.view.image(s, "a"), "worlds: got 'a', allowed: numbers from 0 to 0"),
    "fps": (lambda m, s: engine.view.save_animation("a.gif", m, 0, 0, fps="a"), "fps: got str, allowed: a number"),
    "array": (lambda m, s: m.body_mas, "a Model has no 'body_mas' (did you mean 'body_mass'?)"),
    "arrays": (lambda m, s: setattr(m, "body_mas", 1), "a Model has no 'body_mas' (did you mean 'body_mass'?)"),
    "option": (lambda m, s: setattr(m.opt, "timestp", 0.1), "no option 'timestp' (did you mean 'timestep'?); there"),
    "problem": (lambda m, s: Restarts(3, np.zeros((1, 2))), "problem: got int, allowed: a Problem"),
    "weight": (lambda m, s: Effort() * "a", "multiply"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_uses(hopper, sim, what):
    use, message = WRONG[what]
    with pytest.raises((TypeError, ValueError, IndexError, AttributeError), match=re.escape(message)):
        use(hopper, sim)
