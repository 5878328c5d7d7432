"""What a task with `stateful` sees of an environment's worlds, and the worlds of such a task."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces

from engine.compiler.backend import np_real
from engine.finite import require_finite, within
from engine.model.constants import MAXVAL
from engine.parameters import owned_rows, put_rows
from engine.rl.registration import find_scene
from engine.rl.worlds import Worlds

RESERVED = ("sim", "data", "params", "model", "time", "steps", "dt", "action", "last_action", "draw", "rngs")


class _Shared:
    """Parameters that all worlds share, as arrays that cannot be written."""

    def __init__(self, params):
        self.__dict__["_params"] = params

    def __getattr__(self, name):
        if name == "_params":  # absent while a copy is being made
            raise AttributeError(name)
        array = getattr(self._params, name)
        if isinstance(array, np.ndarray):
            array = array.view()
            array.flags.writeable = False
        return array

    def __getitem__(self, name):
        return getattr(self, name)

    def __setattr__(self, name, value):
        raise AttributeError(f"params.{name}: all worlds share it; allowed: own_params = True in the task")

    def __iter__(self):
        return iter(self._params)

    def __dir__(self):
        return dir(self._params)

    def __repr__(self):
        return repr(self._params)


class StateView:
    """Live arrays of all worlds, and what a task remembers of each (`remembered`, by its names).

    sim: Simulator; data, params, model: its. dt: s of a control step. time (worlds,): s since the episode began; steps
    (worlds,): its control steps so far. action, last_action (worlds, size). Writing changes the simulation.
    """

    def __init__(self, sim: Any, dt: float, size: int, remembered: dict[str, int]) -> None:
        self.sim, self.dt, n = sim, dt, sim.worlds
        taken = sorted(set(remembered) & set(RESERVED))
        if taken:
            raise ValueError(f"remembered: got {', '.join(taken)}, allowed: other names than {', '.join(RESERVED)}")
        self.steps = np.zeros(n, int)
        self.action, self.last_action = np.zeros((n, size)), np.zeros((n, size))
        self.rngs: list[Any] = [None] * n
        self.remembered = tuple(remembered)
        for name, width in remembered.items():
            setattr(self, name, np.zeros((n, width)))

    @property
    def data(self) -> Any:
        """The simulator's data, live: arrays with the worlds first."""
        return self.sim.data

    @property
    def params(self) -> Any:
        """The simulator's parameters, live; with `own_params` of the task, worlds first, else only to be read, since an
        episode of one world would change those of all."""
        return self.sim.params if self.sim.own_params else _Shared(self.sim.params)

    @property
    def model(self) -> Any:
        """The Model."""
        return self.sim.model

    @property
    def time(self) -> np.ndarray:
        """Seconds since the episode of each world began (worlds,)."""
        return self.steps * self.dt

    def draw(self, function: Callable[[np.random.Generator], Any], rows: Any = None) -> np.ndarray:
        """function(rng) of each of the worlds `rows` (default: all), stacked. Each world has a generator of its own."""
        rows = range(len(self.rngs)) if rows is None else rows
        if len(rows) == 0:
            return np.zeros((0, *np.shape(function(np.random.default_rng(0)))))  # shaped like one
        return np.array([function(self.rngs[w]) for w in rows])

    def begin(self, rows: np.ndarray, rngs: Any) -> None:
        """Forget the episodes of `rows`."""
        for w, rng in zip(rows, rngs, strict=True):
            self.rngs[w] = rng
        for a in (self.steps, self.action, self.last_action, *(getattr(self, n) for n in self.remembered)):
            a[rows] = 0


class StatefulWorlds(Worlds):
    """Worlds of a StateTask (scenes/state_task.py)."""

    def _prepare(self):
        low, high = (np.asarray(a, np.float32) for a in self.task.actions(self.model))
        self.single_action_space = spaces.Box(low, high, dtype=np.float32)
        self.state = StateView(self.sim, self.dt, len(low), self.task.remembered)
        self.nominal = owned_rows(self.sim, 0) if self.sim.own_params else {}
        self.all = np.arange(self.sim.worlds)
        self.state.begin(self.all, [np.random.default_rng(w) for w in self.all])
        self.sim.forward()
        size = self.observe().shape[-1]
        self.single_observation_space = spaces.Box(-MAXVAL, MAXVAL, (size,), np_real())

    def observe(self):
        return np.array(self._of_worlds("observe", self.task.observe(self.state), None)[self.row])

    def _of_worlds(self, what, values, shape):
        values = np.asarray(values)
        if values.shape[:1] != (self.sim.worlds,) or shape is not None and values.shape[1:] != shape:
            wanted = "(worlds, ...)" if shape is None else "(worlds,)"
            raise ValueError(f"{what}: got shape {values.shape}, allowed: {wanted} of {self.sim.worlds} worlds")
        return values

    def reset(self, rows, rngs, options=None):
        rows = np.asarray(rows, int)
        super().reset(rows, rngs, options)
        self.state.begin(rows, rngs)
        if self.nominal:
            put_rows(self.sim, rows, self.nominal)
        self.task.begin(self.state, rows)
        for name in options or {}:  # what the caller asks for outlasts what the task did
            array = getattr(self.sim.data, name)
            array[rows] = np.broadcast_to(options[name], array.shape)[rows]
        held = np.ones(self.sim.worlds, bool)
        held[rows] = False
        self.sim.forward(held if held.any() else None)

    def controls(self, action):
        action, wanted = np.asarray(action, float), self.state.action[self.row].shape
        if action.shape != wanted:
            raise ValueError(f"action: got shape {action.shape}, allowed: {wanted}")
        require_finite("action", action)
        return action

    def step(self, action, held=None):
        s, task, data = self.state, self.task, self.sim.data
        rows = self.all if held is None else np.flatnonzero(~held)
        s.last_action[rows] = s.action[rows]
        s.action[rows] = np.reshape(action, s.action.shape)[rows]
        task.before(s, rows)
        data.ctrl[:] = task.controls(s)
        if held is not None:
            data.ctrl[held] = 0.0
        diverged = self._advance(held)
        if task.evaluated:
            self.sim.forward(held)
        elif diverged is not None:
            self.sim.forward(~diverged)  # results of the state that they are back in, not of where they went
        s.steps[rows] += 1
        observation = self.observe()
        if not within(observation, MAXVAL):
            self._finite("observe", observation.reshape(self.sim.worlds, -1), diverged)
            diverged = self._outside(observation, diverged)
        terms = {n: self._of_worlds(f"terms[{n!r}]", a, ()) for n, a in task.terms(s).items()}
        terms = {n: self._finite(f"terms[{n!r}]", np.array(a, float), diverged)[self.row] for n, a in terms.items()}
        ended = self._of_worlds("ended", task.ended(s), ())[self.row]
        return observation, *self._judged(sum(terms.values(), np.zeros(ended.shape)), terms, ended, diverged)

    def _finite(self, name, values, diverged):
        """`values`, (worlds, ...), made numbers in worlds that diverged; ValueError for others that are none."""
        if not within(values):
            if diverged is not None:
                values[diverged] = np.nan_to_num(values[diverged])
            require_finite(name, values)
        return values

    def info(self):
        """Of all worlds, or of the one."""
        return {n: self._of_worlds(f"info[{n!r}]", a, None)[self.row] for n, a in self.task.info(self.state).items()}


def worlds_of(scene, worlds=None):
    """The Worlds of a scene's task, whichever kind that is."""
    scene = find_scene(scene)
    return (StatefulWorlds if getattr(scene.task, "stateful", False) else Worlds)(scene, worlds)
