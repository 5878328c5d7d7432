"""Judge: an objective that keeps the rollouts it sees, so that whole ones can be held against a scene's threshold."""

from types import SimpleNamespace

import numpy as np

_KEPT = ("qpos", "qvel", "act", "ctrl", "sensordata")


class Judge:
    """Calls `objective` and remembers copies of the windows of the last rollout (one that starts at time 0)."""

    def __init__(self, scene, objective=None):
        self.scene, self.objective = scene, objective or scene.objective()
        self.windows = []

    def __call__(self, trajectory):
        if trajectory.time[0] < 1e-9:
            self.windows = []
        self.windows.append((trajectory.time.copy(), {name: getattr(trajectory, name).copy() for name in _KEPT}))
        return self.objective(trajectory)

    def trial(self):
        """The windows of the last rollout as one trajectory."""
        parts = [part for _, part in self.windows]
        joined = {
            name: np.concatenate([p[name][1 if i and name != "ctrl" else 0 :] for i, p in enumerate(parts)])
            for name in _KEPT
        }
        time = np.concatenate([t[1 if i else 0 :] for i, (t, _) in enumerate(self.windows)])
        return SimpleNamespace(time=time, **joined)

    def verdict(self):
        """(solved (worlds,), measured (worlds, goals)) of the last rollout."""
        trial = self.trial()
        return self.scene.solved(trial), self.scene.task.measure(trial)
