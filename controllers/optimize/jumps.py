"""JumpSearch: of the jumps of a robot (tasks/leap.py) one that is as high as asked and lands, by whole runs."""

import numpy as np

from controllers.optimize.gaits import FALLEN, MOVED, REST, STRAIN, TILTED, GaitSearch
from controllers.tasks.leap import LEAST, MOST, SPREAD, Leap, Leaper
from engine.model import ModelError

SHORT = 1.0  # price of a jump that is not high enough, and of all that lacks


class JumpSearch(GaitSearch):
    """The best Leap for a run of `steps` control steps from `start`.

    height: how much higher than standing (m) the trunk is to be at its highest; where stretched legs alone lift it so
    far, so much higher that they leave the ground. As GaitSearch otherwise.
    """

    look = 5
    ending = "a jump is high enough and lands"
    first, spreads, least, most = Leap(), SPREAD, LEAST, MOST

    def __init__(self, model, stance, feet, height, steps, frame_skip, every, start, worlds=32, seed=0):
        if stance.root.z < 0:
            raise ModelError(f"--task jump needs a trunk that moves up and down; that of {model.name} does not")
        self.height = height
        super().__init__(model, stance, feet, 0.0, steps, frame_skip, every, start, worlds, seed)
        self.leaper = Leaper(self.stepper, every * self.dt)
        self.aim = max(height, self.leaper.tallest + 0.05 * stance.height)

    def _gait(self, row):
        return self.leaper.jump(Leap(*row))

    def _judged(self, seen, down, last, strain):
        root = self.stance.root
        short = np.maximum(1.0 - (seen[:, :, root.z].max(axis=0) - self.stance.qpos[root.z]) / self.aim, 0.0)
        moved = np.abs(seen[-1] - seen[0])[:, root.x]
        if self.stance.free:
            moved = np.hypot(moved, np.abs(seen[-1] - seen[0])[:, root.x + 1])
        cost = STRAIN * strain + TILTED * np.square(self.stance._tilt(seen)).mean(axis=0)
        cost += SHORT * ((short > 0) + short) + 0.5 * MOVED * moved / self.stance.height
        cost += REST * np.abs(self.sim.data.qvel).max(axis=1)
        return np.where(down, FALLEN * (2.0 - last / self.steps), np.minimum(cost, FALLEN)), np.zeros(len(down))
