"""Replicas: logs that the robot found would leave, fitted as its log was (a parametric bootstrap; Efron 1979).

An interval made of the curvature at a minimum holds where the search finds the least one. Through contact it may not:
starts have kinks, minima lie side by side, and the one found may be far above the least. How far replicas end from the
numbers that made them is what the search and the noise do together. Where that is more than the intervals say, by more
than chance (95 %), it takes their place.
"""

import numpy as np

from engine.errors import ContactOverflowError, DivergenceError
from engine.identify.logs import Log

LEAST = 3  # replicas


def replica_logs(problem, fit, rng):
    """Logs as the Fit's own, whose values in its windows are those of the fit and new noise."""
    point, windows, m = fit.point, fit.problem.windows, problem.model
    residuals = fit.problem.residuals(point.p, point.starts)
    channels = [{} for _ in windows.logs]
    for i, (measured, controls) in enumerate(windows.logs):
        for one in measured:
            channels[i][one.what.label] = one.time, one.values.copy()
        for u, channel in controls.items():
            name = m.actuator_names[u]
            if not name:
                raise ValueError(f"replicas: actuator {u} has no name; allowed: names for all that the log commands")
            channels[i][f"ctrl:{name}"] = channel.time, channel.values
    for s, r in zip(windows.samples, residuals, strict=True):
        noise = s.sd * rng.normal(size=r.shape)
        value = s.value.copy()
        if s.what.kind == "pose":
            value[:, :3] += s.sd[:3] * r[:, :3] + noise[:, :3]
            value[:, 3:] = times(times(value[:, 3:], turned_by(s.sd[3:] * r[:, 3:])), turned_by(noise[:, 3:]))
        else:
            value += s.sd * r + noise
        of = windows.log[s.window]
        for i in np.unique(of):
            time, values = channels[i][s.what.label]
            values[np.searchsorted(time, s.time[of == i])] = value[of == i]
    return [Log(c, f"replica of log {i}") for i, c in enumerate(channels)]


def times(a, b):
    """Products of quaternions (n, 4)."""
    v = a[:, :1] * b[:, 1:] + b[:, :1] * a[:, 1:] + np.cross(a[:, 1:], b[:, 1:])
    return np.concatenate([(a[:, 0] * b[:, 0] - (a[:, 1:] * b[:, 1:]).sum(axis=1))[:, None], v], axis=1)


def turned_by(r):
    """Quaternions (n, 4) of rotation vectors (n, 3)."""
    angle = np.linalg.norm(r, axis=1, keepdims=True)
    return np.concatenate([np.cos(0.5 * angle), 0.5 * r * np.sinc(0.5 * angle / np.pi)], axis=1)


def replicated(problem, fit, solve, count, seed=0):
    """Numbers (count, np) that replicas end at, NaN of those that diverge. solve(problem) -> Fit."""
    rng, found = np.random.default_rng(seed), np.full((count, len(fit.names)), np.nan)
    for k in range(count):
        try:
            found[k] = solve(problem.with_logs(replica_logs(problem, fit, rng))).values
        except (DivergenceError, ContactOverflowError):
            continue
    return found


def factors(off, sd):
    """By how much standard deviations (np,) must grow so that errors (n, np) of replicas are what chance makes: 1 where
    they are."""
    off = off[np.isfinite(off).all(axis=1)]
    n = len(off)
    if n < LEAST:
        raise ValueError(f"replicas: only {n} did not diverge; allowed: {LEAST} or more")
    size = (off**2).mean(axis=0) / np.maximum(sd, 1e-300) ** 2
    chance = (1 - 2 / (9 * n) + 1.6449 * np.sqrt(2 / (9 * n))) ** 3  # of chi^2 / n, 95 % (Wilson and Hilferty 1931)
    return np.where(size > chance, np.sqrt(size), 1.0)
