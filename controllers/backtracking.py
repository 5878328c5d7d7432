"""BacktrackingMPC: MPC that does not accept a fall, but goes back to where it can still be avoided.

A plan ends after its horizon, and what it leaves behind may be a state from which every continuation falls. The run is
simulated, so it may be taken back: depth-first search over plans, with steps back that double while the same fall
returns (as in Luby, Sinclair and Zuckerman's restarts, the price is then within a factor of the best step back).
"""

from typing import Any

import numpy as np

from controllers.ilqr import ALPHAS, TOGETHER
from controllers.mpc import MPC
from engine.model import Model, ModelError
from engine.objectives import find_root

OTHERS = len(ALPHAS) - 1  # plans tried beside the warm start, one world each
ENDS = 4  # of those, how many differ in the last piece alone
SPREAD = np.geomspace(0.03, 0.6, OTHERS)  # standard deviations of noise, relative to the controls' limits
SMOOTH = 5  # control steps over which their noise is correlated
ENOUGH = 0.003  # relative gain of an iteration below which a plan is left as it is
PATIENCE = 10  # falls at one place, after which the run goes on as it is


class BacktrackingMPC(MPC):
    """MPC for a robot that must not fall.

    upright: function of qpos (rows, worlds, nq) that says at which rows the robot has not fallen until then, numbers
    or booleans (rows, worlds), as `RunForward.upright`. cautious: objectives, each more careful than the one before;
    the second time at one place the first of them is followed, the third time the second, and so on. seed: of the
    noise in what plans start from.

    Each plan starts from the best of the warm start and `OTHERS` noisy ones. A plan that foresees a fall is improved
    by up to `rescues` more rounds of noise and iterations. When a fall is carried out, or is nearer than what is
    carried out next, the run is taken back by half a horizon, next time by a whole one, then two, ...

    Metrics: `back`, seconds that this iteration took back; `falls`, at the present place so far; `gave_up`, falls that
    were left in the run since `PATIENCE` tries did not avoid them.
    """

    kept = (*MPC.kept, "falls", "front", "gave_up", "course", "courses", "plans", "warms", "costs", "ways")
    growing = MPC.growing | dict.fromkeys(("courses", "plans", "warms", "costs", "ways"))

    def __init__(
        self, model: Model, objective: Any, horizon: int, steps: int, frame_skip: int = 1, every: int = 1,
        iterations: int = 1, start: Any = None, controls: Any = None, limits: Any = "model", measure: Any = None, *,
        upright: Any, cautious: Any = (), rescues: int = 3, seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(model, objective, horizon, steps, frame_skip, every, iterations, start, controls, limits,
                         measure, together=TOGETHER, searches=None, tolerance=ENOUGH)  # fmt: skip
        self.upright, self.rescues = upright, rescues
        self.objectives = [objective, *cautious]
        self.rng = np.random.default_rng(seed)
        self.falls, self.front, self.gave_up = 0, 0, 0
        self.course = np.zeros((horizon + 1, model.nq + model.nv))  # states along the last plan
        # what there was at the start of every piece that was carried out
        self.courses = np.zeros((0, *self.course.shape))
        self.plans, self.warms = np.zeros((0, horizon, model.nu)), np.zeros((0, model.nv))
        self.costs, self.ways = np.zeros(0), np.zeros(0)
        p = self.planner
        self.seen = np.arange(model.nq) != _way(model)
        self.scale = np.where(np.isfinite(p.hi - p.lo), 0.5 * (p.hi - p.lo), 1.0)

    def _iterate(self):
        k = len(self.done_ctrl) // self.every
        if k > self.front + self.planner.steps // self.every:
            self.falls = 0  # that place is behind us
        self.planner.aim_at(self.objectives[min(self.falls, len(self.objectives) - 1)])
        here = {"courses": self.course, "plans": self.controls, "warms": self.warm[0], "costs": self.spent,
                "ways": self.way}  # fmt: skip
        for name, value in here.items():
            setattr(self, name, np.concatenate([getattr(self, name), np.array(value)[None]]))
        time = len(self.done_ctrl) * self.dt
        self.plan(self.qpos[0], self.qvel[0], self.act[0], time, self._others())
        foreseen = self._foreseen()
        for _ in range(self.rescues):
            if foreseen > self.planner.steps:
                break
            foreseen = self._rescue(foreseen)
        self._carry_out()
        t = self.planner.trajectory
        self.course = np.concatenate([t.qpos[:, 0], t.qvel[:, 0]], axis=1)
        down = foreseen <= self.every or not self.upright(self.done_qpos[:, None])[-1, 0]
        back = 0
        if down and not self.gave_up:
            back = self._fell(k)
        return {**self._row(), "back": back * self.every * self.dt, "falls": int(self.falls),
                "gave_up": int(self.gave_up)}  # fmt: skip

    def _others(self):
        """(OTHERS, horizon, nu): the warm start with other ends, and with noise."""
        others = self._noisy(self.controls)
        n, nq = self.every, self.model.nq
        if not len(self.done_ctrl):
            return others
        # the last plan ends n steps before this one: what the run or the plan did where it was in a similar state
        ctrl = np.concatenate([self.done_ctrl, self.controls[:-n]])
        x = np.concatenate([self.done_qpos, self.done_qvel], axis=1)[:-1]
        x = np.concatenate([x, self.course[n:]])
        x = np.concatenate([x[:, :nq][:, self.seen], 0.1 * x[:, nq:]], axis=1)
        last = len(ctrl) - n
        first = max(0, last - self.planner.steps)
        off = np.square(x[first : last + 1] - x[-1]).sum(axis=1)
        for k, i in enumerate(np.argsort(off, kind="stable")[:ENDS]):
            others[k] = self.controls
            others[k, -n:] = ctrl[first + i : first + i + n]
        return others

    def _noisy(self, controls):
        """(OTHERS, horizon, nu): the controls with noise that grows from the first to the last."""
        T, nu = controls.shape
        knots = self.rng.normal(size=(OTHERS, T // SMOOTH + 2, nu))
        at = np.arange(T) / SMOOTH
        i, share = at.astype(int), (at % 1.0)[:, None]
        noise = (1 - share) * knots[:, i] + share * knots[:, i + 1]
        return controls + SPREAD[:, None, None] * self.scale * noise

    def _foreseen(self):
        """Rows of the plan until it falls; more than its steps when it does not."""
        return int(np.asarray(self.upright(self.planner.trajectory.qpos))[:, 0].sum())

    def _rescue(self, foreseen):
        """Iterate on from the plan and from noise around it; keeps what falls later, or as late and costs less."""
        p = self.planner
        before = p.controls, p.K, p.mu, p.trajectory, p.cost
        p.done, p.delta = False, 1.0
        p.rollout(self._noisy(p.controls))
        for _ in range(self.per_plan):
            p.iterate()
            if p.finished:
                break
        now = self._foreseen()
        if now < foreseen or now == foreseen and p.cost > before[-1]:
            p.controls, p.K, p.mu, p.trajectory, p.cost = before
            return foreseen
        return now

    def _fell(self, k):
        """Take the run back; returns by how many pieces."""
        self.falls += 1
        self.front = max(self.front, k)
        if self.falls > PATIENCE:
            self.gave_up, self.falls = self.gave_up + 1, 0
            return 0
        half = max(1, self.planner.steps // (2 * self.every))
        back = min(k + 1, half * 2 ** (self.falls - 1))
        self._rewind(k + 1 - back)
        return back

    def _rewind(self, k):
        """The run as it was before piece k."""
        rows = k * self.every
        for name in ("ctrl", "gains", "sensordata"):
            setattr(self, f"done_{name}", getattr(self, f"done_{name}")[:rows])
        for name in ("qpos", "qvel", "act"):
            kept = getattr(self, f"done_{name}")[: rows + 1]
            setattr(self, f"done_{name}", kept)
            setattr(self, name, kept[-1:].copy())
        self.controls, self.warm, self.course = self.plans[k].copy(), self.warms[k : k + 1].copy(), self.courses[k]
        self.spent, self.way = float(self.costs[k]), float(self.ways[k])
        for name in ("courses", "plans", "warms", "costs", "ways"):
            setattr(self, name, getattr(self, name)[:k])


def _way(model):
    """Index in qpos of the way that a robot has gone, which says nothing about where in its gait it is; -1: none."""
    try:
        return find_root(model).x
    except ModelError:
        return -1
