"""Problem: what a search minimises: rollouts of many worlds from a start, their cost, and its gradient."""

import numpy as np

from controllers.optimize.clip import clip_rows
from engine.diff.tape import Tape
from engine.errors import ContactOverflowError, DivergenceError
from engine.words import required


class Counter:
    """Work done, counted in one way for every method.

    steps: physics steps forward, over all worlds: one rollout costs worlds * control steps * frame_skip.
    reversed: physics steps of the reverse pass, which a gradient costs on top. Reversing takes 1 to 2 times as long as
    stepping (tests/benchmarks/SPEED.md has the measured ratios), so `steps + 2 * reversed` is an upper estimate in
    forward steps.
    """

    def __init__(self):
        self.steps = self.reversed = 0


class Problem:
    """Cost of a controller's parameters, a row of them for every world.

    tape: one window of the rollout; windows: how many make the whole. objective: called on each window; costs add up.
    controller: its parameters are what is searched. start: (qpos, qvel), of one world or of every world.
    clip: largest norm of a world's gradient of one window, in units of 1 / scale; None: never.
    value: objective of what a window's end is worth to the rest, whose cotangents enter the gradient of every window
    but the last and whose cost is not counted (truncated backpropagation with a terminal value); a FittedValue learns
    after every rollout. measure:
    trajectory -> (worlds,), summed over windows into `measured` (a distance, say). scale: size of a usual change of
    every parameter; searches work on params / scale.
    """

    def __init__(self, tape, objective, controller, start, windows=1, *, clip=None, value=None, measure=None,
                 scale=1.0):  # fmt: skip
        self.tape = required("tape", tape, Tape, "engine.Tape(sim, steps)")
        self.objective, self.controller, self.start = objective, controller, start
        self.windows, self.clip, self.value, self.measure = windows, clip, value, measure
        base = np.asarray(controller.params, float)
        self.first = (base if base.ndim == 1 else base[0]).copy()
        self.n = self.first.size
        self.scale = np.broadcast_to(np.asarray(scale, float), (self.n,))
        self.counter = Counter()
        self.measured = np.zeros(self.worlds)
        self.window_norms = np.zeros((0, self.worlds))

    @property
    def worlds(self):
        """The number of trials that run side by side."""
        return self.tape.sim.worlds

    @property
    def rollout_steps(self):
        """Physics steps of one rollout of one world."""
        return self.windows * self.tape.steps * self.tape.frame_skip

    def cost(self, rows):
        """(worlds,) costs of parameter rows (worlds, n) in units of scale; inf where the state diverged."""
        return self._evaluate(rows, False)[0]

    def gradient(self, rows):
        """Costs (worlds,) and their gradients (worlds, n) in units of 1 / scale; inf and 0 where the state diverged."""
        return self._evaluate(rows, True)

    def _evaluate(self, rows, reverse):
        rows = np.array(np.broadcast_to(rows, (self.worlds, self.n)), float)
        lost = np.zeros(self.worlds, bool)
        while not lost.all():
            try:
                cost, grad = self._rollout(rows, reverse)
                cost[lost] = np.inf
                grad[lost] = 0.0
                return cost, grad
            except (DivergenceError, ContactOverflowError) as e:
                # its place is taken by a world that runs; the result of that one is not counted
                lost[e.world] = True
                if not lost.all():
                    rows[lost] = rows[np.flatnonzero(~lost)[0]]
        raise DivergenceError("every world diverges", 0, 0, 0)

    def _rollout(self, rows, reverse):
        sim = self.tape.sim
        self.controller.params = rows * self.scale
        sim.reset(*self.start)
        cost, grad = np.zeros(self.worlds), np.zeros((self.worlds, self.n))
        self.measured, norms, ends, costs = np.zeros(self.worlds), [], [], []
        work = self.worlds * self.tape.steps * self.tape.frame_skip
        for k in range(self.windows):
            trajectory = self.tape.rollout(self.controller)
            self.counter.steps += work
            c, bars = self.objective(trajectory)
            cost += c
            costs.append(c)
            ends.append(np.concatenate([trajectory.qpos[-1], trajectory.qvel[-1]], axis=-1))
            if self.measure is not None:
                self.measured += self.measure(trajectory)
            if reverse:
                if self.value is not None and k < self.windows - 1:
                    for name, bar in self.value(trajectory)[1].items():
                        bars[name] = bars[name] + bar if name in bars else bar
                g = self.tape.backward(**bars).params * self.scale
                self.counter.reversed += work
                norms.append(np.linalg.norm(g, axis=1))
                grad += clip_rows(g, self.clip)
        self.window_norms = np.array(norms)
        if reverse and self.windows > 1 and hasattr(self.value, "fit"):
            togo = np.cumsum(costs[::-1], axis=0)[::-1]  # from the start of a window on
            self.value.fit(np.concatenate(ends[:-1]), np.concatenate(togo[1:]))
        return cost, grad
