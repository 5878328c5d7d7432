"""GaitSearch: of the gaits of a robot (tasks/trot.py) one that runs, by the cross-entropy method on whole runs.

Rubinstein, Kroese: The Cross-Entropy Method (2004). A run is rolled out with its feedback, many at once; what falls is
left where it lies.
"""

import numpy as np

from controllers.ilqr import Ledger
from controllers.optimize.method import Method
from controllers.tasks.hold import hold
from controllers.tasks.trot import LEAST, MOST, SPREAD, Pace, Stepper, feedback
from engine.errors import ContactOverflowError
from engine.model.coordinates import difference
from engine.simulator import Simulator

ELITE = 0.25  # share of a generation that the next one is drawn around
KEPT = 0.5  # of the last spread, in the next
LOOK = 25  # control steps between looks at what has fallen
GOOD = 0.8  # of the speed that is aimed at, from the start on: enough
SIDE, TILTED, STRAIN = 0.2, 1.0, 0.02  # prices: of drift in the way's length, rad^2, and the controls' range squared
FALLEN, CALM = 10.0, 0.5  # price of a fall; cost below which a robot stands


STAND = Pace(0.0, 2.6, 0.74, 0.08, 0.01, 0.8, 1.2, 1.0, 1.4, 0.03, 0.03, 0.8, 1.4, 0.1, 10.0)
WALK = Pace(1.0, 2.4, 0.6, 0.1, 0.0, 0.3, 1.5, 1.0, 1.0, 0.0, 0.0, 0.9, 1.0)  # on two legs
STANDING = 1.5  # s
MOVED, REST = 0.2, 0.05  # prices of standing: of the way, in heights, and of the speed at the end, 1/s


class GaitSearch(Method):
    """The best Pace for a run of `steps` control steps from `start`.

    model; stance; feet: its Feet; speed: m/s, aimed at; frame_skip: physics steps with one control; every: control
    steps with one row of the feedback; worlds: gaits of a generation. cost: at most 0.1 or so where it runs; it has
    finished where a gait is good.
    """

    kept = ("mean", "spread", "done")
    ending = "a gait runs as fast as asked"
    look = LOOK
    first, spreads, least, most = None, SPREAD, LEAST, MOST

    def __init__(self, model, stance, feet, speed, steps, frame_skip, every, start, worlds=32, seed=0, measure=None):
        self.model, self.stance, self.steps, self.frame_skip, self.every = model, stance, steps, frame_skip, every
        self.start, self.speed, self.measure = start, speed, measure
        self.dt = frame_skip * model.opt.timestep
        self.stepper = Stepper(model, stance, feet, speed, dt=self.dt)
        if not speed:
            self.stepper.hold = hold(self.stepper, frame_skip)
        self.sim = Simulator(model, worlds)
        first = self.first or ((Pace() if len(feet) > 2 else WALK) if speed else STAND)
        self.mean, self.spread, self.done = np.array(first), np.array(self.spreads), False
        super().__init__(Ledger(self.mean[None]), seed)

    @property
    def finished(self):
        return bool(self.done)

    def controller(self):
        """The LinearFeedback of the best gait."""
        return feedback(self.model, self._gait(self.best_params), self.steps, self.dt, self.every)

    def _gait(self, row):
        """The gait of these numbers; one that would stand for less than `STANDING` at the end steps on."""
        gait = self.stepper.gait(Pace(*row))
        return gait if gait.until <= self.steps * self.dt - STANDING else gait._replace(until=np.inf)

    def _iterate(self):
        n = self.sim.worlds
        rows = self.mean + self.spread * self.rng.normal(size=(n, len(self.mean)))
        rows[0] = self.best_params
        if self.first is None:
            self._without_steps(rows)
        rows = np.clip(rows, self.least, self.most)
        cost, way = self._runs([self._gait(r) for r in rows])
        self.problem.measured = way
        elite = rows[np.argsort(cost, kind="stable")[: max(2, round(ELITE * n))]]
        self.mean = elite.mean(axis=0)
        self.spread = np.maximum(KEPT * self.spread + (1 - KEPT) * elite.std(axis=0), 0.1 * np.array(self.spreads))
        row = self.note(rows, cost)
        self.done = self.best < (1.0 - GOOD if self.speed else CALM)
        return row

    def _without_steps(self, rows):
        """What stands is tried without a step first, and on one leg always."""
        if not self.speed and not self.iteration:
            rows[1, -1] = 0.0
        if len(self.stepper.feet) == 1:
            rows[:, -1] = 0.0

    def _runs(self, gaits):
        """(cost (worlds,), way (worlds,)) of runs with these gaits, m."""
        m, sim, n, look = self.model, self.sim, len(gaits), self.look
        sim.reset(*self.start)
        limited = np.asarray(m.actuator_ctrllimited, bool)
        lo, hi = np.where(limited[:, None], m.actuator_ctrlrange, (-np.inf, np.inf)).T
        scale = np.where(limited, self.stance.scale, self.stepper.most_controls())
        down, last, strain = np.zeros(n, bool), np.full(n, self.steps), np.zeros(n)
        seen = np.zeros((self.steps // look + 1, n, m.nq))
        seen[:] = sim.data.qpos
        x = np.zeros((n, 2 * m.nv + m.na))
        for t in range(self.steps // look * look):
            if t % self.every == 0:
                qpos, qvel, ctrl, gains = (np.array(a) for a in zip(*(g.row(t * self.dt) for g in gaits), strict=True))
            d = sim.data
            x[:, : m.nv], x[:, m.nv : 2 * m.nv] = difference(m, d.qpos, qpos), qvel - d.qvel
            u = np.clip(ctrl + np.einsum("wux,wx->wu", gains, x), lo, hi)
            u[down] = 0.0
            d.ctrl[:] = u
            strain += np.square((u - self.stance.ctrl) / scale).mean(axis=1)
            self._advance(down, last, t)
            if (t + 1) % look == 0:
                row = (t + 1) // look
                seen[row:] = sim.data.qpos
                fell = ~self.stance.upright(seen[: row + 1])[-1] & ~down
                last[fell] = t
                down |= fell
                if down.all():
                    break
        self.problem.counter.steps += int(np.minimum(last + 1, self.steps).sum()) * self.frame_skip
        return self._judged(seen, down, last, strain / self.steps)

    def _advance(self, down, last, t):
        """One control step of the worlds that have not fallen; what diverges has."""
        sim = self.sim
        try:
            lost = sim.advance(self.frame_skip, down if down.any() else None)
        except ContactOverflowError as error:
            lost = np.arange(sim.worlds) == error.world
        if lost is not None and lost.any():
            sim.reset(*self.start, worlds=np.flatnonzero(lost))
            down |= lost
            last[lost] = t

    def _judged(self, seen, down, last, strain):
        root, seconds = self.stance.root, self.steps // self.look * self.look * self.dt
        way = seen[-1][:, root.x] - seen[0][:, root.x]
        cost = STRAIN * strain + TILTED * np.square(self.stance._tilt(seen)).mean(axis=0)
        aside = np.abs(seen[-1] - seen[0])[:, root.x + 1] if self.stance.free else 0.0
        if self.speed:
            wanted = self.speed * seconds
            cost += np.maximum(1.0 - way / wanted, 0.0) + SIDE * aside / wanted
        else:
            cost += MOVED * np.hypot(way, aside) / self.stance.height + REST * np.abs(self.sim.data.qvel).max(axis=1)
        cost = np.where(down, FALLEN * (2.0 - last / self.steps), np.minimum(cost, FALLEN))
        return cost, np.where(down, 0.0, way)
