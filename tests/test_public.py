"""The package `pullback`: all public names, and types that a strict checker accepts in a user's script."""

import ast
import importlib
import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import engine
import pullback as pb
from tests.papers.reference import modules, names_of

ROOT = Path(__file__).parents[1]
DEMOS = ("load_my_robot", "pd_by_gradient", "torch_policy", "own_task_ppo", "look_in_notebook")
SOURCE = ROOT / "engine" / "public" / "pullback" / "__init__.py"


@pytest.mark.smoke
def test_names():
    assert pb.__version__ == engine.__version__ and pb.load is engine.load and pb.Simulator is engine.Simulator
    assert pb.scenes.names() and pb.controllers.PD and pb.objectives.Effort
    assert set(dir(engine)) < set(dir(pb))
    with pytest.raises(AttributeError, match=r"'pullback' has no attribute 'Tap' \(did you mean 'Tape'\?\); it has: "):
        pb.Tap  # noqa: B018


@pytest.mark.smoke
def test_types_are_told_of_every_name():
    """What type checkers read is what there is."""
    nodes = [n for n in ast.walk(ast.parse(SOURCE.read_text())) if isinstance(n, (ast.Import, ast.ImportFrom))]
    told = {alias.asname for node in nodes for alias in node.names if alias.asname}
    assert told == set(dir(pb))
    for package in (ROOT / "engine", ROOT / "scenes", ROOT / "controllers", SOURCE.parent):
        assert (package / "py.typed").exists()


def lacking(function):
    """Parameters of a function that have no type, and "return"."""
    of = inspect.signature(function)
    found = [p.name for p in of.parameters.values() if p.annotation is p.empty and p.name != "self"]
    return found + ["return"] * (of.return_annotation is of.empty)


PARTS = ("pullback", "engine.objectives", "engine.view", "engine.replay", "controllers", "scenes")


@pytest.mark.parametrize("module", PARTS)
def test_public_functions_have_types(module):
    """Functions, and how an object of a class is made; methods are looked at by the checker of types."""
    module = importlib.import_module(module)
    made_from_files = (pb.Model,)  # which nobody makes by hand
    for name in getattr(module, "__all__", ("replay", "pushes", "body_jacobian")):
        thing = getattr(module, name)
        own = "__init__" in vars(thing) if inspect.isclass(thing) else inspect.isfunction(thing)
        if own and thing not in made_from_files:
            function = vars(thing)["__init__"] if inspect.isclass(thing) else thing
            assert not lacking(function), f"{name}: {lacking(function)}"


def undocumented(module):
    """Public names of a module, and those of its classes, that have no docstring."""
    for name, thing in names_of(module).items():
        if not inspect.isclass(thing) and not inspect.isroutine(thing):
            continue
        if not thing.__module__.startswith(("engine", "scenes", "controllers", "pullback")):
            continue
        if not inspect.getdoc(thing):
            yield name
        for member, value in vars(thing).items() if inspect.isclass(thing) else ():
            told = inspect.isroutine(value) or isinstance(value, (property, classmethod, staticmethod))
            if member[0] != "_" and told and not inspect.getdoc(getattr(thing, member)):
                yield f"{name}.{member}"


def test_public_names_have_docstrings():
    """Of all that the reference shows (tests/papers/reference.py), with the extras that are there."""
    for name in modules():
        module = importlib.import_module(name)
        assert module.__doc__, name
        assert not list(undocumented(module)), name


@pytest.mark.smoke
def test_importing_imports_little():
    code = "import sys, pullback; sys.exit(bool({'taichi', 'torch', 'scenes', 'controllers'} & set(sys.modules)))"
    paths = f"{ROOT}:{SOURCE.parents[1]}"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": paths}).returncode == 0


@pytest.mark.smoke
def test_the_strangers_scripts_are_short():
    for name in DEMOS:
        assert (ROOT / "demos" / f"{name}.py").read_text().count("\n") <= 25, name


WRONG = """import pullback as pb

sim = pb.Simulator(pb.load("robot.xml"), wrlds=2)
print(sim.data.qpso, pb.Tap)
sim.load_state(sim.energy())
"""


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_a_strict_checker_accepts_them_and_finds_mistakes(tmp_path):
    (tmp_path / "wrong.py").write_text(WRONG)
    files = [*(f"demos/{name}.py" for name in DEMOS), str(tmp_path / "wrong.py")]
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", f"--cache-dir={tmp_path}", *files]
    paths = {"MYPYPATH": f"{ROOT}:{SOURCE.parents[1]}"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | paths)
    found = [line for line in done.stdout.splitlines() if ": error:" in line]
    ours = [line for line in found if not line.startswith(str(tmp_path)) and "import-not-found" not in line
            and 'untyped function "backward"' not in line]  # fmt: skip
    assert not ours, done.stdout  # torch says nothing of its own backward, nor what is not installed of itself
    assert len(found) - len(ours) >= 4 and all(w in done.stdout for w in ("wrlds", "qpso", "Tap", "load_state"))


@pytest.mark.skipif(importlib.util.find_spec("pdoc") is None, reason="pdoc is not installed")
def test_the_reference_has_all_names(tmp_path):
    from tests.papers.reference import write

    for module in write(tmp_path):
        page = (tmp_path / f"{module.replace('.', '/')}.html").read_text()
        assert module != "pullback" or "copies of a model's state, advanced" in page.replace("&#39;", "'")
        module = importlib.import_module(module)
        assert not hasattr(module, "__all__") or all(f'id="{name}"' in page for name in names_of(module)), module
