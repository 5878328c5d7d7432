"""Where a tendon touches a circle from within, and its adjoint, carried out in Python (interpreter.py), down to a
straight way that passes the circle at a hair's breadth."""

import numpy as np
import pytest

from tests.adjoints.interpreter import Vec, interpreted
from tests.gradients.differences import derivative

RADIUS = 0.1


@pytest.mark.parametrize("clearance", [1.0, 1e-2, 1e-4, 1e-6])
def test_from_within(clearance):
    python = interpreted().device
    rng = np.random.default_rng(0)
    for sense in (1.0, -1.0):
        n = Vec(0.0, 0.0, sense)
        x, y = 10 ** rng.uniform(-1.5, 0, 2) * [-1, 1], RADIUS * (1 + clearance)
        turn = rng.uniform(0, 2 * np.pi)
        c, s = np.cos(turn), np.sin(turn)
        flat = np.array([c * x[0] - s * y, s * x[0] + c * y, c * x[1] - s * y, s * x[1] + c * y, RADIUS])
        bar, along = rng.normal(size=3), rng.normal(size=5) * min(1.0, 0.1 * RADIUS * clearance)

        def place(t, flat=flat, along=along, n=n):
            a, b, c, d, r = flat + t * along
            return python.from_within(n, Vec(a, b, 0.0), Vec(c, d, 0.0), r)

        kind, q, way, u = place(0.0)
        assert kind == 2 and way != 0 and np.hypot(q[0], q[1]) == pytest.approx(RADIUS, rel=1e-14)
        y1, y2 = Vec(flat[0], flat[1], 0.0), Vec(flat[2], flat[3], 0.0)
        y1_bar, y2_bar, _, r_bar = python.from_within_vjp(n, y1, y2, RADIUS, way, u, Vec(*bar))
        got = np.dot([y1_bar[0], y1_bar[1], y2_bar[0], y2_bar[1], r_bar], along)
        wanted, unsure = derivative(
            lambda t, bar=bar, place=place: float(np.dot(bar, place(t)[1].x)), 10.0 ** -np.arange(0, 5), 1e-17
        )
        assert unsure < 1e-5 * abs(wanted)
        assert got == pytest.approx(wanted, rel=1e-6, abs=2 * unsure)
