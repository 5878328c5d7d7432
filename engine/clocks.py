"""The clocks of recorded worlds. Each world has its own: `reset(worlds=[0])` sets one of them back and no other.

The time of a row is the clock at the start plus a whole number of timesteps, in f64. The simulator adds the timestep
to `data.time` again and again in its own precision, so the last digits of the two may differ.
"""

import numpy as np


def row_times(start, rows, seconds):
    """Times (rows, worlds), s, of rows that are `seconds` apart, from clocks `start` (worlds,)."""
    return np.asarray(start, float) + (np.arange(rows) * seconds)[:, None]


def one_clock(times):
    """The times (rows,) that all worlds share; ValueError where they do not, since one world's would be wrong for all.

    times: (rows, worlds).
    """
    first = times[0]
    if (first != first[0]).any():
        w = int(np.flatnonzero(first != first[0])[0])
        raise ValueError(
            f"time: the worlds' clocks differ (at row 0 world 0 is at {first[0]:g} s, world {w} at {first[w]:g} s), "
            f"allowed: `times`, (rows, worlds), which has each world's own"
        )
    return times[:, 0].copy()


def times_of(trajectory):
    """Times (rows, worlds), s, of anything with recorded rows: its `times`, or its `time` (rows,) for all worlds."""
    times = getattr(trajectory, "times", None)
    if times is None:
        shape = np.shape(trajectory.qpos)[:2]
        times = np.broadcast_to(np.asarray(trajectory.time)[:, None], shape)
    return times
