"""A cost's cotangents against central differences, once, when the cost is made."""

import numpy as np

from engine.model.coordinates import normalized
from engine.objectives.objective import OUTPUTS

ROWS, WORLDS, DT = 4, 2, 0.01
SCALES = (0.3, 1.0, 3.0)  # of the random points: a cost may be flat near zero or far from it
STEPS = np.finfo(float).eps ** (1 / 3) * np.array([10.0, 1.0, 0.1, 0.01])


class Sample:
    """A random trajectory with the shapes of a model's, whose outputs may be set."""

    def __init__(self, model, rng, scale, rows=ROWS, worlds=WORLDS):
        m = model
        self.time = DT * np.arange(rows)
        for name, n, size in (("qpos", rows, m.nq), ("qvel", rows, m.nv), ("act", rows, m.na),
                              ("ctrl", rows - 1, m.nu), ("sensordata", rows, m.nsensordata)):  # fmt: skip
            setattr(self, name, scale * rng.normal(size=(n, worlds, size)))
        normalized(m, self.qpos)

    def moved(self, name, by):
        """The same with one output moved."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        setattr(other, name, getattr(self, name) + by)
        return other


def check_objective(objective, model, seed=0, rtol=1e-5):
    """Raise ValueError where cotangents disagree with central differences at three random trajectories of `model`.

    Every output is moved along two random directions in one world; that world's cost must change as the cotangents
    say, the other's not at all. A point where the differences themselves do not settle says nothing and is skipped.
    """
    rng = np.random.default_rng(seed)
    for scale in SCALES:
        sample = Sample(model, rng, scale)
        cost, bars = checked_result(objective, sample)
        for name in OUTPUTS:
            value = getattr(sample, name)
            for world in range(WORLDS) if value.shape[-1] else ():
                along = np.zeros_like(value)
                along[:, world] = rng.normal(size=along[:, world].shape)
                _compare(objective, sample, name, world, along, cost, bars, rtol)


def _compare(objective, sample, name, world, along, cost, bars, rtol):
    from engine.diff.gradcheck import NOT_SMOOTH, WRONG, judge  # which starts Taichi

    bar = np.asarray(bars.get(name, np.zeros(along.shape)))
    slope, size = float((bar * along).sum()), float(np.linalg.norm(bar * along))
    plus, minus = (
        np.array([checked_result(objective, sample.moved(name, sign * t * along))[0] for t in STEPS])
        for sign in (1, -1)
    )
    other = np.delete(plus - minus, world, axis=1)
    if other.any():
        raise ValueError(f"objective: moving {name} of world {world} changes the cost of another world")
    noise = 100 * np.finfo(float).eps * (abs(cost[world]) + size)
    difference, _, _, verdict = judge(
        slope, size, STEPS, plus[:, world], minus[:, world], cost[world], noise, rtol
    )
    # what does not settle at these steps but is far off is no kink: kinks are met with probability zero
    off = abs(slope - difference) > 0.05 * max(abs(slope), abs(difference)) + 1e3 * noise
    if verdict == WRONG or verdict == NOT_SMOOTH and off:
        raise ValueError(
            f"objective: the cotangent of {name} is wrong: along a random direction it says {slope:.9g}, central "
            f"differences say {difference:.9g}"
        )


def checked_result(objective, trajectory):
    """What an objective returned, or ValueError saying what it should have."""
    result = objective(trajectory)
    if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
        raise ValueError(f"objective: returned {type(result).__name__}, allowed: (cost, dict of cotangents)")
    cost, bars = np.asarray(result[0], float), result[1]
    worlds = trajectory.qpos.shape[1]
    if cost.shape != (worlds,):
        raise ValueError(f"objective: the cost has shape {cost.shape}, allowed: (worlds,) = ({worlds},)")
    if not np.isfinite(cost).all():
        raise ValueError(f"objective: the cost of world {int(np.argmin(np.isfinite(cost)))} is not finite")
    for name, bar in bars.items():
        if name not in OUTPUTS:
            raise ValueError(f"objective: a cotangent of {name!r}, allowed: {', '.join(OUTPUTS)}")
        want = getattr(trajectory, name).shape
        if np.shape(bar) != want:
            raise ValueError(f"objective: the cotangent of {name} has shape {np.shape(bar)}, allowed: {want}")
        if not np.isfinite(bar).all():
            raise ValueError(f"objective: the cotangent of {name} is not finite")
    return cost, bars
