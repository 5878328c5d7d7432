"""IdentificationProblem: physical parameters as what a search minimises over, in the protocol of optimize.Problem."""

import numpy as np

from controllers.optimize.problem import Counter
from engine.errors import DivergenceError


class IdentificationProblem:
    """Cost of the unknowns of an identification scene: how far the model's sensors are from the recording.

    What is searched are the logarithms of the unknowns over their guesses, so they stay positive and are of one size.
    Parameters are shared by all worlds of a simulator, so rows are rolled out one after the other, in one world.
    """

    def __init__(self, tape, judge, scene, rows):
        self.tape, self.judge, self.task = tape, judge, scene.task
        self.start = scene.start()
        self.n, self.worlds = len(self.task.unknowns), rows
        self.first, self.scale = np.zeros(self.n), np.ones(self.n)
        self.counter = Counter()
        self.measured, self.window_norms = np.zeros(rows), np.zeros((0, rows))
        self.solved, self.numbers = np.zeros(rows, bool), np.zeros((rows, len(self.task.goals)))

    def cost(self, rows):
        return self._evaluate(rows, False)[0]

    def gradient(self, rows):
        return self._evaluate(rows, True)

    def verdict(self):
        """As Judge.verdict, of the rows evaluated last."""
        return self.solved, self.numbers

    def _evaluate(self, rows, reverse):
        rows = np.array(np.broadcast_to(rows, (self.worlds, self.n)), float)
        cost, grad = np.full(self.worlds, np.inf), np.zeros((self.worlds, self.n))
        self.solved[:], self.numbers[:] = False, np.inf
        for k, row in enumerate(rows):
            try:
                cost[k], grad[k] = self._rollout(row, k, reverse)
            except DivergenceError:
                continue
        self.window_norms = np.linalg.norm(grad, axis=1)[None]
        return cost, grad

    def _rollout(self, row, k, reverse):
        sim, work = self.tape.sim, self.tape.steps * self.tape.frame_skip
        values = [u.guess * np.exp(x) for u, x in zip(self.task.unknowns, row, strict=True)]
        for u, value in zip(self.task.unknowns, values, strict=True):
            sim.params[u.array][u.entries] = value
        sim.reset(*self.start)
        trajectory = self.tape.rollout(self.task.ctrl)
        self.counter.steps += work
        cost, bars = self.judge(trajectory)
        trial = self.judge.trial()
        trial.params = sim.params
        self.solved[k], self.numbers[k] = self.task.solved(trial)[0], self.task.measure(trial)[0]
        if not reverse:
            return cost[0], 0.0
        grads = self.tape.backward(**bars)
        self.counter.reversed += work
        pairs = zip(self.task.unknowns, values, strict=True)
        return cost[0], [value * grads.model[u.array][u.entries].sum() for u, value in pairs]
