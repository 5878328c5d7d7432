"""The demo of residuals: friction learned from logs, as it stands, and with a tiny budget."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # its kernels have features of their own


def demo():
    pytest.importorskip("mujoco")
    return runpy.run_path(str(ROOT / "demos" / "residual_arm.py"))["main"]


def test_with_a_tiny_budget(tmp_path):
    arm, picture = str(ROOT / "demos" / "arm.xml"), tmp_path / "arm.png"
    found, power, model = demo()(arm, picture, seconds=1.0, iterations=2, starts=1)
    assert (tmp_path / "arm.png").stat().st_size > 10_000
    assert power.max() <= 0 and model.nresidual == 2 and list(found) == ["numbers", "with a network"]


def test_what_it_claims(capsys):
    """In runs that no fit has seen the network leaves at most a third of the error, and puts no energy in."""
    found, power, _ = demo()(str(ROOT / "demos" / "arm.xml"))
    assert found["with a network"][0] < found["numbers"][0] / 3
    assert power.max() <= 0 and power.min() < -1
    assert "mrad off in runs that no fit has seen" in capsys.readouterr().out
