"""What the arguments of a fit may be. Each function returns the argument, or raises an error that names it."""

import math
from numbers import Real

import numpy as np

from engine.words import meant


def number(name, value, allowed, fits=math.isfinite):
    """A real number, as a float, for which `fits` holds."""
    if isinstance(value, bool) or not isinstance(value, (Real, np.number)) or not fits(float(value)):
        raise ValueError(f"{name}: got {value!r}, allowed: {allowed}")
    return float(value)


def whole(name, value):
    """A whole number from 0."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"{name}: got {value!r}, allowed: a whole number from 0")
    return int(value)


def controls(model, given):
    """One finite number for each actuator, or one for all."""
    try:
        value = np.broadcast_to(np.asarray(given, float), (model.nu,))
    except (TypeError, ValueError):
        value = np.full(1, np.nan)
    if not np.isfinite(value).all():
        raise ValueError(f"ctrl0: got {given!r}, allowed: finite numbers, one or ({model.nu},)")
    return value


def noises(given, logs, measured):
    """Standard deviations: None, one, or {channel, measured thing or word: one}, for these Logs and Measureds."""
    if given is None:
        return None
    if not isinstance(given, dict):
        return _deviation("noise", given, {what.size for what in measured})
    sizes = {}
    for what in measured:
        for key in (what.label, what.label.partition(":")[0]):
            sizes.setdefault(key, set()).add(what.size)
    channels = [name for log in logs for name in log.channels]
    known = [*sizes, *(name for name in channels if name not in sizes and name.partition(":")[0] != "ctrl")]
    for key, value in given.items():
        if key not in known:
            near = meant(key, known)
            raise ValueError(f"noise: nothing measured is called {key!r}{near}; there are: {', '.join(known)}")
        _deviation(f"noise of {key}", value, sizes.get(key, {what.size for what in measured}))
    return given


def _deviation(name, value, sizes):
    try:
        sd = np.asarray(value, float)
    except (TypeError, ValueError):
        sd = np.zeros(1)
    if sd.ndim > 1 or sd.ndim and {sd.size} != sizes or not np.isfinite(sd).all() or not (sd > 0).all():
        many = f", one or {sizes.pop()}" if len(sizes) == 1 and sizes != {1} else ""
        raise ValueError(f"{name}: got {value!r}, allowed: a positive standard deviation{many}")
    return value
