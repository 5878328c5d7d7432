"""Actuators that act on controls of the past, and sensors that tell what was: how many numbers of the past there are,
and how they are read."""

import numpy as np

from . import plastic
from .sensors import ROWS
from .servos import states_of

INTERPOLATIONS = {"zoh": 0, "linear": 1, "cubic": 2}


_LATE_I = ("late_num", "late_adr", "late_from", "late_owner", "late_times", "late_interp")
_LATE_R = ("late_cutoff", "late_delay", "late_period", "late_start")


def samples(m):
    """How many controls of the past each actuator of a Model has, (nu,)."""
    return np.asarray(m.actuator_history)[:, 0]


def samples_of_sensors(m):
    """How many of its values of the past each sensor of a Model has, (nsensor,)."""
    return np.asarray(m.sensor_history)[:, 0] if len(m.sensor_history) else np.zeros(0, int)


def clocks(m):
    """Which sensors of a Model, or of an MjModel, tell something new at intervals only, (nsensor,)."""
    return np.reshape(m.sensor_interval, (-1, 2))[:, 0] > 0


def late(m):
    """Which of them tell what was, (nsensor,)."""
    return (np.asarray(m.sensor_delay) > 0) | clocks(m)


def past_of_sensors(m):
    """Numbers of the past in act that sensors have: of each number its values, and behind those of a sensor with an
    interval its clock, that is the next tick and when each value was taken."""
    n = samples_of_sensors(m)
    return int(np.sum(n * np.asarray(m.sensor_dim, int)) + np.sum((1 + n)[clocks(m)]))


def first_of_sensors(m):
    """Where they begin in act."""
    return int(np.sum(states_of(m)) + np.sum(samples(m)))


def past(m):
    """Numbers of the past in act: controls, and behind them those of sensors."""
    return int(np.sum(samples(m))) + past_of_sensors(m)


def first_times(n, interval, timestep):
    """When the n values of a sensor with an interval, period and phase, were taken that it begins with: at the steps
    of its ticks before the start, of which there is one a step at most."""
    period, phase = max(interval[0], timestep), interval[1]
    ticks = (phase or -period) - np.arange(n - 1, -1, -1) * period
    return np.ceil(ticks / timestep - 1e-9) * timestep


def clock_times(m):
    """How many values have such a time."""
    return int(np.sum(samples_of_sensors(m)[clocks(m)]))


def sensor_columns(m):
    """What the device's arrays hold of the latter, {column: values}, one for each number of sensordata."""
    size = m.nsensordata if samples_of_sensors(m).any() else 0
    found = {name: np.zeros(size, int) for name in _LATE_I} | {name: np.zeros(size) for name in _LATE_R}
    found |= {"late_weight": np.zeros((size, 4)), "late_clock": np.full(size, -1)}
    at, times = first_of_sensors(m), []
    for s in np.flatnonzero(samples_of_sensors(m)):
        n, interp = m.sensor_history[s].tolist()
        period, phase = m.sensor_interval[s].tolist()
        first, weights = reading(n, interp, n - m.sensor_delay[s] / m.opt.timestep)
        cutoff = m.sensor_cutoff[s] * (ROWS[m.sensor_type[s]].level != "distance")  # which looks no further itself
        of = range(m.sensor_adr[s], m.sensor_adr[s] + m.sensor_dim[s])
        one = {"late_num": n, "late_from": first, "late_weight": weights, "late_cutoff": cutoff, "late_interp": interp,
               "late_delay": m.sensor_delay[s], "late_period": period, "late_start": period + phase if phase else 0.0,
               "late_times": len(times), "late_clock": at + n * len(of) if period > 0 else -1}  # fmt: skip
        for k, e in enumerate(of):
            for name, value in (one | {"late_adr": at, "late_owner": period > 0 and k == 0}).items():
                found[name][e] = value
            at += n
        if period > 0:
            times += first_times(n, (period, phase), m.opt.timestep).tolist()
            at += 1 + n
    return found | {"late_time": np.array(times)}


def addresses_of_controls(m):
    """Where they begin in act, behind the activations, or -1, (nu,)."""
    n = samples(m)
    return np.where(n > 0, np.sum(states_of(m)) + np.cumsum(n) - n, -1)


def reading(n, interp, place):
    """The first of four samples to read, and their weights, at a place between the oldest sample, 0, and the newest,
    n - 1: MuJoCo's mju_historyRead for samples at equal times."""
    place = min(max(place, 0.0), n - 1.0)
    if abs(place - round(place)) < 1e-9:
        place = round(place)
    low = int(place)
    weights = np.zeros(4)  # of low - 1 to low + 2
    x = place - low
    weights[1] = 1
    if x and interp:
        weights[1:3] = 1 - x, x
    if x and interp == 2:
        h00, h10, h01, h11 = 2 * x**3 - 3 * x**2 + 1, x**3 - 2 * x**2 + x, 3 * x**2 - 2 * x**3, x**3 - x**2
        weights[1:3] = h00, h01
        if low > 0:
            weights += h10 / 2 * np.array([-1, 0, 1, 0])
        if low < n - 2:
            weights += h11 / 2 * np.array([0, -1, 0, 1])
    return low - 1, weights


def delay_columns(m):
    """What the device's arrays hold of them, {column: values}; of a robot without any, nothing."""
    n = samples(m)
    size = m.nu if n.any() else 0
    first, weights = np.zeros((size, 3), int), np.zeros((size, 3, 4))
    for u in np.flatnonzero(n):
        for stage, later in enumerate((0.0, 0.5, 1.0)):  # nodes of RK4
            place = n[u] - m.actuator_delay[u] / m.opt.timestep + later
            first[u, stage], weights[u, stage] = reading(n[u], m.actuator_history[u, 1], place)
    return {
        "delay_num": n[:size], "delay_adr": addresses_of_controls(m)[:size], "delay_from": first,
        "delay_weight": weights.reshape(size, 12),
    }  # fmt: skip


def joined(m):
    """Names of an actuator's entries of act, (na,): those of activations, then those of controls of the past,
    of delayed sensors, and of springs whose rest yields."""
    names = [m.actuator_names[u] or f"actuator {u}" for u in range(m.nu)]
    states = [name for name, n in zip(names, states_of(m), strict=True) for _ in range(n)]
    past = [f"{names[u]} {n - k} steps ago" for u, n in enumerate(samples(m)) for k in range(n)]
    told = [m.sensor_names[s] or f"sensor {s}" for s in range(m.nsensor)]
    sensed = []
    for s, n in enumerate(samples_of_sensors(m)):
        ago = "ticks" if clocks(m)[s] else "steps"
        sensed += [f"{told[s]}[{e}] {n - k} {ago} ago" for e in range(m.sensor_dim[s]) for k in range(n)]
        if clocks(m)[s]:
            sensed += [f"{told[s]} tick", *(f"{told[s]} time {n - k} ticks ago" for k in range(n))]
    return states + past + sensed + plastic.names(m)
