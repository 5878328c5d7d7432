"""Replicas: logs that a fitted robot would leave, and what their scatter does to intervals."""

from types import SimpleNamespace

import numpy as np
import pytest

import engine
from engine.identify import Problem, fit, solved
from engine.identify.replicas import factors, replica_logs, replicated, times, turned_by
from engine.identify.targets import turn

from . import boxes
from .twin import arm, random_log


def test_intervals_grow_only_beyond_chance():
    """Of errors that the intervals explain one in twenty grows; of others all, to their size."""
    rng, sd = np.random.default_rng(0), np.full(400, 0.3)
    grown = factors(0.3 * rng.normal(size=(6, 400)), sd)
    assert 0.02 < np.mean(grown > 1) < 0.09
    grown = factors(1.2 * rng.normal(size=(30, 400)), sd)
    assert (grown > 1).all() and abs(grown.mean() / 4 - 1) < 0.05
    off = np.array([[0.1, 3.0], [np.nan, np.nan], [-0.1, 3.0], [0.1, -3.0]])  # one diverged
    assert np.allclose(factors(off, np.array([1.0, 1.0])), [1.0, 3.0])
    with pytest.raises(ValueError, match="replicas: only 1 did not diverge"):
        factors(np.array([[np.nan], [1.0]]), np.ones(1))
    with pytest.raises(ValueError, match="replicas: got 2, allowed: 0, or 3 and more"):
        solved(None, replicas=2)


def test_quaternions():
    rng = np.random.default_rng(1)
    a, r = rng.normal(size=(5, 4)), 0.5 * rng.normal(size=(5, 3))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    assert np.allclose(turn(a, times(a, turned_by(r))), r) and np.allclose(turned_by(0 * r), (1, 0, 0, 0))


def test_a_replica_is_the_fit_and_new_noise():
    """Its residuals at the numbers that made it are the noise alone, of positions, velocities and sensors."""
    problem = Problem(engine.load(arm()), random_log(), ["dof_damping:*"], window=0.2, held_out=0,
                      noise={"qpos": 1e-3, "qvel": 2e-3})  # fmt: skip
    point = SimpleNamespace(p=problem.unknowns.guess * 1.5, starts=problem.starts)
    made = SimpleNamespace(point=point, problem=problem, names=problem.unknowns.names)
    again = problem.with_logs(replica_logs(problem, made, np.random.default_rng(2)))
    assert again.windows.count == problem.windows.count
    left = np.concatenate([r.ravel() for r in again.residuals(point.p, point.starts)])
    assert abs(np.mean(left)) < 0.2 and abs(np.std(left) - 1) < 0.15
    fits = iter([1.0, 2.0, 3.0])
    values = replicated(problem, made, lambda p: SimpleNamespace(values=np.full(3, next(fits))), 3)
    assert values.tolist() == [[1.0] * 3, [2.0] * 3, [3.0] * 3]


@pytest.mark.slow
def test_intervals_that_hold_do_not_grow():
    """A box that bounces, whose search finds the least minimum: replicas end as near as its intervals say."""
    case = boxes.CASES["tossed, bouncing"]
    got = fit(engine.load(boxes.model(**case.guess)), boxes.log(case)[0], case.unknowns, window=0.1, chained=True,
              held_out=0, replicas=4)  # fmt: skip
    assert (got.factors == 1).all() and np.isfinite(got.replicas).all()
    assert (np.abs(got.values - case.values) < 1.96 * got.sd).all() and "4 replicas end as near" in str(got)
