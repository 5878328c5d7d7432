"""The notebooks of demos/notebooks: their cells run, one after another, as they stand, and are kept without outputs.

tests/bridges/test_notebooks.py runs those that need an extra.
"""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "demos" / "notebooks"
ELSEWHERE = {"torch", "own_task"}


def carried_out(name, monkeypatch):
    """The names that the cells of a notebook leave, run in its folder."""
    monkeypatch.chdir(FOLDER)
    names = {"__name__": "__main__"}
    for k, cell in enumerate(code_of(FOLDER / f"{name}.ipynb")):
        exec(compile(cell, f"{name}.ipynb, cell {k}", "exec"), names)
    return names


def code_of(path):
    """The texts of the code cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_they_are_kept_without_outputs_and_listed():
    listed = (ROOT / "demos" / "README.md").read_text()
    paths = sorted(FOLDER.glob("*.ipynb"))
    assert len(paths) == 6
    for path in paths:
        book = json.loads(path.read_text(encoding="utf-8"))
        assert book["nbformat"] == 4 and f"notebooks/{path.name}" in listed
        for cell in book["cells"]:
            assert cell["cell_type"] == "markdown" or cell["outputs"] == [] and cell["execution_count"] is None
        assert path.stem in ELSEWHERE or f"test_{path.stem}" in globals()


@pytest.mark.slow
def test_load(monkeypatch, capsys):
    names = carried_out("load", monkeypatch)
    told = capsys.readouterr().out
    assert names["same"] and "import of robot.xml" in told and " meets " in told and "accelerometer [" in told


@pytest.mark.slow
def test_gradient(monkeypatch):
    names = carried_out("gradient", monkeypatch)
    assert abs(names["slope"] - names["difference"]) < 1e-7 * abs(names["slope"])


def test_optimise(monkeypatch):
    costs = carried_out("optimise", monkeypatch)["costs"]
    assert costs[-1] < 0.2 * costs[0]


def test_look(monkeypatch):
    pytest.importorskip("viser", reason="viser is not installed (extra `view`)")
    names = carried_out("look", monkeypatch)
    assert names["picture"].ndim == 3 and names["picture"].std() > 5 and "<html" in names["page"].text
