"""PlanAndHold: iLQR for the way to an equilibrium, LQR to stay there (dual-mode control).

Michalska and Mayne: Robust receding horizon control of constrained nonlinear systems, IEEE TAC 38 (1993): a plan only
has to end where a linear regulator takes over. A swing-up so becomes short, and what is unstable is never planned.
"""

from typing import Any

import numpy as np

from controllers.ilqr import ILQR, Ledger
from controllers.linear_feedback import LinearFeedback, control_limits
from controllers.optimize.method import Method
from controllers.riccati import settled, uncontrolled
from engine.diff.tape import Tape
from engine.errors import ContactOverflowError, DivergenceError
from engine.model import Model, require_model
from engine.model.coordinates import difference, displace, quaternions
from engine.objectives import Effort, Objective, Reach
from engine.simulator import Simulator
from engine.words import counted

SHOWS = 0.05  # of a direction of unit length: so much of it belongs to a dof that it moves
DROPS = 0.05  # of gravity's acceleration: what gets faster so is not held


class CostToGo(Objective):
    """x'Px at the end, x = (qpos - goal, qvel): what a regulator that starts there will spend. Hinges and slides only.

    P: (2 nv, 2 nv), symmetric.
    """

    def __init__(self, model, goal, P):
        for c in quaternions(model):
            raise ValueError(f"CostToGo: {model.label('joint', c.joint)}: allowed: hinge and slide joints")
        self.goal, self.P, self.nq = np.asarray(goal, float), P, model.nq

    def evaluate(self, trajectory):
        x = np.concatenate([trajectory.qpos[-1] - self.goal, trajectory.qvel[-1]], axis=-1)
        slope = x @ self.P
        bars = {"qpos": np.zeros_like(trajectory.qpos), "qvel": np.zeros_like(trajectory.qvel)}
        bars["qpos"][-1], bars["qvel"][-1] = 2 * slope[:, : self.nq], 2 * slope[:, self.nq :]
        return (slope * x).sum(axis=-1), bars


class PlanAndHold(Method):
    """Brings a robot to the state (goal, at rest) within `steps` control steps, and holds it there.

    goal: (nq,), an equilibrium under constant controls, which are found by `balance`. objective: what a run costs, of
    which the lowest is kept. trial: control steps of a run; start: (qpos, qvel), of one world or of several, all of
    which are run; the plan is made for the first. steps = 0: nothing is planned, the regulator alone must do.
    Q (nx,), R: of the regulator, per control step.
    weights: (near, place, still, effort) of what a plan minimises: `near` times the regulator's cost to go over its
    largest eigenvalue, where x is off in ways that it can hardly correct; plain squares of the way to the goal (m, rad)
    and of the velocity (per s), for ends that are far off; the integral of the squared controls.
    beginnings: controls (n, nu) that the first plans begin with, one after the other, n from `steps` to `trial`. Of a
    longer one the last `steps` are planned, and what comes before them is kept; after the last one the first of them
    comes again, with noise.
    planner: ILQR, or GNMS, whose nodes begin on the straight way to the goal.
    spark: standard deviation of the random controls that a plan begins with, at knots a tenth of a second apart; a
    plan of which the regulator has not made a success after `patience` iterations is dropped for another beginning.

    One iteration is one of iLQR, and a run of plan and regulator: `trajectory` (worlds of `start`; None if it
    diverged), `controller()`. falling: dofs that fall from the goal and that no control moves, for which nothing is
    done.
    """

    kept, members = ("attempt", "tried"), ("plan",)

    def __init__(
        self, model: Model, goal: Any, objective: Any, steps: int, trial: Any, frame_skip: int = 1, start: Any = None,
        *, Q: Any = 1.0, R: Any = 1.0, weights: Any = (100.0, 10.0, 1.0, 0.01), spark: float = 0.3,
        patience: int = 40, seed: int = 0, beginnings: Any = (), planner: Any = ILQR,
    ) -> None:  # fmt: skip
        m = self.model = require_model(model, "PlanAndHold: model")
        self.goal, self.steps, self.trial, self.frame_skip = np.array(goal, float), steps, trial, frame_skip
        self.objective = objective
        if self.goal.shape != (m.nq,):
            raise ValueError(f"PlanAndHold: goal: got shape {self.goal.shape}, allowed: {(m.nq,)}")
        if not 0 <= steps <= trial:
            raise ValueError(f"PlanAndHold: steps: got {steps}, allowed: 0 to the trial's {trial}")
        qpos, qvel = (m.qpos0, np.zeros(m.nv)) if start is None else start
        self.start = np.atleast_2d(qpos), np.atleast_2d(qvel)
        self.spark, self.patience, self.attempt, self.tried = spark, patience, 0, 0
        self.beginnings, self.planner = beginnings, planner
        self.tape = Tape(Simulator(m, len(self.start[0])), trial, frame_skip)
        self.trajectory = None
        super().__init__(Ledger(np.zeros((max(steps, 1), m.nu))), seed)
        self.ctrl, self.K, P = self._regulator(Q, R)
        self.plan = self._planner(weights, P) if steps else None
        self.members = self.members if steps else ()

    def _searched(self):
        return f"a plan of {counted(self.steps, 'control step')} to a goal {self.goal.shape} of {self.model.name!r}"

    def _planner(self, weights, P):
        m, (near, place, still, effort) = self.model, weights
        end = near / np.linalg.eigvalsh(P)[-1] * CostToGo(m, self.goal, P)
        way = Reach(m, self.goal, qpos=slice(None), terminal=place, running=0.0)
        rest = Reach(m, np.zeros(m.nv), qvel=slice(None), terminal=still, running=0.0)
        first = self.start[0][0], self.start[1][0]
        cost = end + way + rest + effort * Effort()
        more = {} if self.planner is ILQR else {"nodes": self._straight}
        plan = self.planner(m, cost, self.steps, self.frame_skip, first, self._beginning(), **more)
        plan.problem = self.problem
        self._approach(plan)
        plan.begin(plan.controls)
        return plan

    def _straight(self, start):
        """(qpos (steps + 1, nq), qvel (steps + 1, nv)) of the straight way to the goal, at the speed that it takes."""
        m, share = self.model, np.linspace(0.0, 1.0, self.steps + 1)[:, None]
        way = difference(m, start[0], self.goal)
        speed = way / (self.steps * self.frame_skip * m.opt.timestep)
        return displace(m, start[0], share * way), np.tile(speed, (self.steps + 1, 1))

    def _beginning(self):
        """Controls that the next plan begins with, (steps, nu): one of those that are given, else random ones."""
        whole = self._whole()
        if whole is None:
            return self._noise()
        again = self.attempt >= len(self.beginnings)
        return np.array(whole[len(whole) - self.steps :], float) + (self._noise() if again else 0.0)

    def _whole(self):
        """The controls of which the present plan is the end; None where it has no such beginning."""
        n, k = len(self.beginnings), self.attempt
        return self.beginnings[k % n] if k < n or n and len(self.beginnings[k % n]) > self.steps else None

    def _approach(self, plan):
        """What a run does before the plan: its controls (n, nu); the plan starts where it ends."""
        m, whole = self.model, self._whole()
        before = np.zeros((0, m.nu)) if whole is None else np.asarray(whole[: len(whole) - self.steps], float)
        sim = Simulator(m)
        sim.reset(self.start[0][0], self.start[1][0])
        for u in before:
            sim.data.ctrl[0] = u
            sim.step(self.frame_skip)
        self.problem.counter.steps += len(before) * self.frame_skip
        d = sim.data
        plan.start, plan.act, plan.time = (d.qpos[0].copy(), d.qvel[0].copy()), d.act[0].copy(), float(d.time[0])
        self.before = before

    def _noise(self):
        """Random controls along straight lines between knots, (steps, nu)."""
        every = max(1, round(0.1 / (self.frame_skip * self.model.opt.timestep)))
        knots = self.rng.normal(scale=self.spark, size=(self.steps // every + 2, self.model.nu))
        at = np.arange(self.steps) / every
        return np.stack([np.interp(at, np.arange(len(knots)), k) for k in knots.T], axis=1)

    def _regulator(self, Q, R):
        """Controls (nu,) that balance the goal, gain (nu, nx) and cost to go (nx, nx) of what keeps the robot there."""
        m, sim = self.model, Simulator(self.model)
        ctrl, A, B, (steps, reverse) = balance(sim, self.goal, self.frame_skip)
        weight = DROPS * np.linalg.norm(m.opt.gravity) * self.frame_skip * m.opt.timestep or np.inf
        dropped = np.abs(sim.data.qvel[0]) > weight
        self.problem.counter.steps += steps
        self.problem.counter.reversed += reverse
        Q, R = (np.broadcast_to(x, n) * np.eye(n) for x, n in ((Q, len(A)), (R, m.nu)))
        falls = uncontrolled(A, B)
        self.falling = np.flatnonzero(dropped | (np.abs(falls[: m.nv]).max(axis=1, initial=0.0) > SHOWS))
        # of what falls whatever is done the cost to go has no end, and would leave no digit for the rest
        return ctrl, *settled(A - A @ falls @ falls.T, B, Q, R)

    @property
    def finished(self) -> bool:
        return self.plan is None and self.iteration > 0

    def controller(self) -> Any:
        """LinearFeedback along the plan, whose last row is the regulator at the goal."""
        m = self.model
        rows = hold = self.K[None], self.goal[None], np.zeros((1, m.nv)), np.zeros((1, m.na)), self.ctrl[None]
        if self.plan is not None:
            p, t = self.plan, self.plan.trajectory
            plan = -p.K, t.qpos[:-1, 0], t.qvel[:-1, 0], t.act[:-1, 0], p.controls
            n = len(self.before)
            first = [np.zeros((n, *a.shape[1:])) for a in plan[:-1]] + [self.before]
            rows = [np.concatenate(parts) for parts in zip(first, plan, hold, strict=True)]
        return LinearFeedback(m, *rows)

    def _iterate(self):
        row = {}
        if self.plan is not None:
            if self.plan.finished or self.tried >= self.patience:
                self._again()
            row = self.plan.iterate()
            self.tried += 1
        cost = self._run()
        if cost < self.best:
            self.best, self.best_params = cost, self.controller().params.copy()
        return {**row, "cost": cost, "median": cost, "measured": np.nan}

    def _again(self):
        """Begin another plan."""
        p = self.plan
        self.attempt, self.tried = self.attempt + 1, 0
        self._approach(p)
        p.begin(self._beginning())

    def load_state(self, state):
        self._check(state)
        if self.plan is not None:
            self.attempt = int(state["attempt"])
            self._approach(self.plan)  # the plan is rolled out from there
        return super().load_state(state)

    def _run(self):
        """Rolls out plan and regulator; the cost, a mean over the worlds, is infinite where one diverges."""
        sim = self.tape.sim
        sim.reset(*self.start)
        try:
            self.trajectory = self.tape.rollout(self.controller())
        except (DivergenceError, ContactOverflowError):
            self.trajectory = None
            return np.inf
        self.problem.counter.steps += sim.worlds * self.trial * self.frame_skip
        return float(self.objective(self.trajectory)[0].mean())


def balance(sim, goal, frame_skip=1, rounds=4):
    """(ctrl, A, B, (steps, reversed)): controls (nu,) that keep a one-world simulator at rest in `goal`, and what a
    control step does there.

    Gauss-Newton on the velocity after one control step from rest, by `linearize`; controls stay in their ranges.
    """
    m, ctrl = sim.model, np.zeros(sim.model.nu)
    limited, lo, hi = control_limits(m)
    lo, hi = np.where(limited, lo, -np.inf), np.where(limited, hi, np.inf)
    for _ in range(rounds):
        sim.reset(goal)
        sim.data.ctrl[:] = ctrl
        A, B = (x[0] for x in sim.linearize(frame_skip))
        sim.step(frame_skip)
        ctrl = np.clip(ctrl - np.linalg.pinv(B[m.nv : 2 * m.nv]) @ sim.data.qvel[0], lo, hi)
    lines = rounds * (2 * m.nv + m.na) * frame_skip
    return ctrl, A, B, (lines + rounds * frame_skip, lines)
