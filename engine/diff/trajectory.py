"""Trajectory: what a rollout recorded, in memory of its own."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from engine.clocks import one_clock, row_times
from engine.compiler.memory import duplicate
from engine.words import meant, shapes


class Trajectory:
    """Recorded outputs of a rollout. They are the caller's: nothing that is written into them reaches the tape, and
    no later rollout changes them.

    qpos (rows, worlds, nq), qvel, act, sensordata: rows = steps // record_every + 1; row 0 is the start.
    ctrl (steps, worlds, nu); of mocap bodies in each control step mocap_pos (steps, worlds, nmocap, 3) and mocap_quat.
    eq_active (worlds, neq): which equality constraints act. times (rows, worlds): s, each world's own clock. time
    (rows,): s, the clock that all worlds share; raises ValueError where they do not.

    An output is copied from the tape's buffers when it is first asked for, or when the tape's next rollout begins while
    somebody still holds this object: so two trajectories of one tape can be compared, and a rollout that nobody looks
    at copies nothing. Views would cost less and could not be both: `backward` reads the controls that acted, and the
    next rollout uses the buffers again. The copies count beyond the tape's budget of memory.
    """

    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    sensordata: np.ndarray
    ctrl: np.ndarray
    mocap_pos: np.ndarray
    mocap_quat: np.ndarray
    eq_active: np.ndarray

    def __init__(self, outputs, times):
        """outputs: {name: array}, the caller's own. times: (rows, worlds)."""
        self.__dict__.update(outputs, times=times)
        self._views = {}

    @classmethod
    def of_buffers(cls, views, start, rows, seconds):
        """Outputs that are copied from `views` when asked for; start: clocks (worlds,) of rows `seconds` apart."""
        made = cls.__new__(cls)
        made._views, made._clock = dict(views), (start, rows, seconds)
        return made

    if not TYPE_CHECKING:  # which would think that it has anything

        def __getattr__(self, name):  # what has not been asked for yet
            views = self.__dict__.get("_views", {})
            view = views.get(name)
            if view is None:
                if name in self.__dict__:  # another thread has just asked for it
                    return self.__dict__[name]
                known = [n for n in (*self.__dict__, *views) if not n.startswith("_")]
                near = meant(name, known)
                raise AttributeError(f"trajectory has no {name!r}{near}; it has: {', '.join(known)}, times, time")
            copied = self.__dict__.setdefault(name, duplicate(view))
            views.pop(name, None)
            return copied

    def __repr__(self):
        """Shapes alone: what has not been asked for is not copied."""
        arrays = self.__dict__ | self._views
        return f"<Trajectory: {shapes({n: a for n, a in arrays.items() if not n.startswith('_')})}>"

    @cached_property
    def times(self) -> np.ndarray:
        return row_times(*self._clock)

    @property
    def time(self) -> np.ndarray:
        return one_clock(self.times)

    def keep(self) -> "Trajectory":
        """Copy what has not been asked for yet: the buffers are about to be used again. Returns self."""
        for name in list(self._views):
            getattr(self, name)
        return self

    def __getstate__(self):
        return {**self.keep().__dict__, "times": self.times}
