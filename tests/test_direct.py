"""Kernels that are called as the functions they are (engine/compiler/direct.py), and where they are not."""

import platform
import sys

import numpy as np

import engine
import scenes
from engine.compiler import direct

KNOWN = sys.platform.startswith("linux") and platform.machine() == "x86_64"


def states():
    """qpos after some launches, and what later ones call."""
    sim = engine.Simulator(scenes.load("pendulum").model)
    sim.data.qvel[:] = 1.0
    rows = []
    for n in (1, 2, 1, 1, 3):
        sim.step(n)
        rows.append(sim.data.qpos.copy())
    return np.array(rows), sim._kernel.bound["serial"].call


def test_a_kernel_is_called_where_taichis_code_is_known_and_else_launched_by_taichi(monkeypatch):
    found, call = states()
    assert (call is not None) == KNOWN
    function, offset, code = direct.CODE[-1]
    monkeypatch.setattr(direct, "CODE", (*direct.CODE[:-1], (function, offset, code[:-2] + "90")))
    ordinary, call = states()
    assert call is None
    assert found.tobytes() == ordinary.tobytes()
