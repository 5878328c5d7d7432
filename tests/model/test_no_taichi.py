"""The model package is NumPy only: robots can be built and inspected where Taichi is not installed."""

import ast
from pathlib import Path

import engine.files
import engine.model
import engine.parts
import engine.words

# with what stored models are read by, which imports nothing of the project
OUTSIDE = (engine.files, engine.parts, engine.words)
SOURCES = [*sorted(Path(engine.model.__file__).parent.rglob("*.py")), *(Path(m.__file__) for m in OUTSIDE)]


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module, node


def test_imports_only_numpy_and_the_standard_library():
    for source in SOURCES:
        tree = ast.parse(source.read_text())
        for module, node in imports(tree):
            allowed = module.split(".")[0] not in ("taichi", "engine") or module in {m.__name__ for m in OUTSIDE}
            assert allowed, source.name
            assert module != "mujoco" or node not in tree.body, f"{source.name} imports mujoco at the top"
