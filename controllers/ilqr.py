"""ILQR: trajectory optimisation with control limits (box-DDP).

Tassa, Mansard, Todorov: Control-limited differential dynamic programming, ICRA 2014; regularisation and its schedule
from Tassa, Erez, Todorov: Synthesis and stabilization of complex behaviors, IROS 2012, sections II.F and II.G. The
dynamics enter by their first derivatives (`linearize`), the objective by its Gauss-Newton quadratic model.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from controllers.backward import backward_pass
from controllers.controller import whole
from controllers.linear_feedback import LinearFeedback, control_limits
from controllers.optimize.method import Method
from controllers.optimize.problem import Counter
from controllers.quadratic import Quadratic
from controllers.riccati import linearization
from engine.arguments import checked
from engine.arrays import state_of
from engine.compiler.backend import settings
from engine.diff.linearize import coupled
from engine.diff.tape import Tape
from engine.errors import ContactOverflowError, DivergenceError
from engine.finite import require_finite
from engine.model import require_model
from engine.replay import set_inputs
from engine.schema import OK
from engine.simulator import Simulator
from engine.words import counted

ALPHAS = 0.4 ** np.arange(8.0)  # step sizes of the line search, one world each
TOGETHER = (1, 3, 4)  # how many are tried at once
ENOUGH = 0.5  # of what a full step promised: it is taken, and no other is tried
LEAST = 1e-4  # of what any step promised
TIED = 256  # worlds for the derivatives of robots of which each row of A takes one
MU_MIN, MU_MAX, FACTOR = 1e-6, 1e10, 1.6


def line_searches(what, together, searches):
    """Both as numbers, the second inf where nobody says it; ValueError where they mean nothing."""
    together = tuple(whole(f"{what}: together", n) for n in together)
    if not 0 < sum(together) <= len(ALPHAS):
        raise ValueError(f"{what}: together: got {together}, allowed: whole numbers, 1 to {len(ALPHAS)} in all")
    return together, np.inf if searches is None else whole(f"{what}: searches", searches)


class Ledger:
    """What Method wants of a problem, for searches of one trajectory: work, and controls as the parameters."""

    def __init__(self, controls):
        self.first, self.n, self.scale = controls.ravel().copy(), controls.size, 1.0
        self.counter = Counter()
        self.measured = np.zeros(1)


class Tries:
    """Rollouts of `worlds` plans side by side, with feedback around a trajectory."""

    def __init__(self, model, worlds, steps, frame_skip, limits):
        self.tape = Tape(Simulator(model, worlds), steps, frame_skip)
        K = np.zeros((steps, model.nu, 2 * model.nv + model.na))
        self.feedback = LinearFeedback(model, K, limits=limits).spread(worlds)
        self._look()
        self.state, self.shared = state_of(self.tape.sim.pack), False
        self.start, self.begun = None, np.zeros_like(self.state)

    def _look(self):
        self.live = {name: self.feedback.view(name) for name in ("K", "qpos", "qvel", "act", "ctrl")}

    def _share(self):
        """From now on the feedback's parameters are those in the kernel's buffer, so that nothing copies them."""
        rows, buffer = self.feedback.params, self.tape._program.pack["params"]
        self.feedback._hold(buffer[: rows.size].reshape(rows.shape))
        self._look()
        self.shared = True

    def follow(self, controls, K, trajectory):
        """Feedforward (worlds, steps, nu); gains (steps, nu, nx) about a trajectory, or None."""
        live = self.live
        require_finite("controls", controls)
        if K is None:
            live["K"][...] = 0.0
        else:
            np.negative(K, out=live["K"])
            for name in ("qpos", "qvel", "act"):
                live[name][...] = getattr(trajectory, name)[:-1, 0]
        live["ctrl"][...] = controls

    def rollout(self, qpos, qvel, act, time):
        """The Trajectory from a start."""
        sim, start = self.tape.sim, [np.array(a, float) for a in (qpos, qvel, act, time)]
        if self.start is None or not all(map(np.array_equal, start, self.start)):
            sim.reset(qpos, qvel)
            sim.data.act[:], sim.data.time[:] = act, time
            sim.check_state()
            self.start, self.begun[:] = start, self.state
        sim.data._status[:] = 0
        self.state[:] = self.begun
        if self.shared:
            return self.tape.again()
        trajectory = self.tape.rollout(self.feedback)
        if settings().arch == "cpu":
            self._share()
        return trajectory

    def stopped(self):
        """Which worlds did not get to the end, (worlds,)."""
        return self.tape.sim._status != OK

    def pass_over(self, lost):
        """Worlds that are lost try what one of the others does."""
        self.feedback.params[lost] = self.feedback.params[np.flatnonzero(~lost)[-1]]


class ILQR(Method):
    """Controls of one rollout that minimise an objective, and the feedback around them.

    model, objective; steps: control steps; frame_skip: physics steps with one control; start: (qpos, qvel).
    controls: to start from, (steps, nu) or (nu,), default zero. about: (qpos (rows, nq), qvel (rows, nv), K (steps,
    nu, nx)), a motion that these controls are for and feedback about it, u + K (x - x*): with them the first iteration
    is a rollout and nothing else, for who asks whether a search is needed at all. limits: as in LinearFeedback.
    tolerance: relative gain below which the search is finished. together: how many steps are tried side by side, first
    and after that, the full one first, each next one 0.4 times as long; at most eight in all. searches: where no step
    gains an iteration regularises more and tries again, so many times at most (default: as far as that leads). Both
    bound what an iteration takes. The result: `controls`, `trajectory`, and `controller()`.

    One iteration linearises every step in a world of its own, makes one backward pass and tries a full step; where that
    does not gain half of what it promised three shorter ones, and where the shortest of these is the best yet the other
    four (`together`), a world each. All count in `steps` and `reversed` (see Counter; linearising a step costs 2 nv +
    na forward and reverse steps).
    """

    kept = ("controls", "K", "mu", "delta", "cost", "done")

    def __init__(
        self, model: Any, objective: Any, steps: int, frame_skip: int = 1, start: Any = None, controls: Any = None,
        limits: Any = "model", tolerance: float = 1e-6, measure: Any = None, about: Any = None,
        together: Sequence[int] = TOGETHER, searches: int | None = None,
    ) -> None:  # fmt: skip
        m = self.model = require_model(model, f"{type(self).__name__}: model")
        whole("steps", steps)
        whole("frame_skip", frame_skip)
        if not callable(objective):
            raise TypeError(f"objective: got {type(objective).__name__}, allowed: an Objective (engine.objectives)")
        self.objective, self.steps, self.frame_skip, self.tolerance = objective, steps, frame_skip, tolerance
        self.measure = measure
        self.start = (m.qpos0, np.zeros(m.nv)) if start is None else start
        self.act, self.time = np.zeros(m.na), 0.0
        self.controls = np.zeros((steps, m.nu))
        if controls is not None:
            self.controls = np.array(checked("controls", controls, (steps, m.nu)), float)
        limited, lo, hi = control_limits(m, limits)
        self.lo, self.hi, self.limits = np.where(limited, lo, -np.inf), np.where(limited, hi, np.inf), limits
        self.K, self.about = np.zeros((steps, m.nu, 2 * m.nv + m.na)), about
        self.mu, self.delta, self.cost, self.done = 1e-3, 1.0, np.inf, False
        self.together, self.searches = line_searches(type(self).__name__, together, searches)
        self.tries = {}  # by the number of worlds
        # of a robot whose frames are tied each row of A takes a world, and its memory
        self.lines = Simulator(m, min(steps, max(1, TIED // (2 * m.nv + m.na))) if coupled(m) else steps)
        self.begun = False  # whether these worlds' inputs are those of a reset
        self.quadratic = Quadratic(m, objective, steps)
        self.backward = backward_pass(steps, *self.K.shape[:0:-1])
        self.lost = None  # the last error of a rollout
        self.trajectory, self.bars = None, (None, None)  # the objective's cotangents, and where
        super().__init__(Ledger(self.controls))

    @property
    def finished(self) -> bool:
        return bool(self.done)

    def _searched(self):
        return f"controls {self.controls.shape} of {self.model.name!r}, {counted(self.frame_skip, 'physics step')} each"

    def controller(self) -> Any:
        """The plan with its feedback: LinearFeedback along the trajectory."""
        if self.trajectory is None:
            self.rollout()
        t = self.trajectory
        return LinearFeedback(self.model, -self.K, t.qpos[:-1, 0], t.qvel[:-1, 0], t.act[:-1, 0], self.controls,
                              limits=self.limits)  # fmt: skip

    def aim_at(self, objective: Any) -> Any:
        """Minimise this from now on."""
        self.objective = self.quadratic.objective = objective
        self.bars = None, None

    def begin(self, controls: Any) -> None:
        """Search again, from these controls (steps, nu)."""
        self.controls, self.mu, self.delta, self.done = controls, 1e-3, 1.0, False
        self.trajectory, self.cost, self.K = None, np.inf, np.zeros_like(self.K)

    def rollout(self, others: Any = None) -> Any:
        """The rollout of the present controls: sets `trajectory` and `cost`.

        others: (len(ALPHAS) - 1, steps, nu), further controls to try; those that cost least are taken.
        """
        tried = self.controls[None] if others is None else np.stack([self.controls, *others])
        cost, trajectory, bars = self._try(np.clip(tried, self.lo, self.hi), None)
        i = int(np.argmin(cost))
        if not np.isfinite(cost[i]):
            why, told = self.lost, f"{type(self).__name__}: the rollout of the controls to start from diverges"
            where = (why.world, why.step, getattr(why, "dof", 0)) if why is not None else (0, 0, 0)
            raise DivergenceError(f"{told}: {why}" if why is not None else told, *where) from why
        self._take(i, cost, trajectory, bars)

    def prepare(self) -> None:
        """Make now what iterations may need later, and compile its kernels: for who plans while a run goes on."""
        counted = self.problem.counter.steps
        for n in self.together:
            self._try(np.repeat(np.clip(self.controls, self.lo, self.hi)[None], n, axis=0), None)
        self.problem.counter.steps = counted

    def _begin(self):
        """The rollout of the controls to start from, with the feedback that they came with; its row of metrics."""
        m, (qpos, qvel, K) = self.model, self.about
        act = np.broadcast_to(self.act, (len(qpos), m.na))
        motion = SimpleNamespace(**{n: a[:, None] for n, a in (("qpos", qpos), ("qvel", qvel), ("act", act))})
        cost, trajectory, bars = self._try(self.controls[None], K, motion)
        if not np.isfinite(cost[0]):
            self.rollout()
        else:
            self.K = K.copy()
            self._take(0, cost, trajectory, bars)
        row = self.note(self.controls.ravel()[None], np.array([self.cost]))
        return {**row, "gain": 0.0, "mu": float(self.mu)}

    def _iterate(self):
        if self.trajectory is None and self.about is not None and not np.isfinite(self.cost):
            return self._begin()
        if self.trajectory is None or not np.isfinite(self.cost):
            self.rollout()
        m, T = self.model, self.steps
        A, B = self._linearize()
        work = T * (2 * m.nv + m.na) * self.frame_skip
        self.problem.counter.steps += work
        self.problem.counter.reversed += work
        known = self.bars[1] if self.bars[0] is self.trajectory else None
        expansion = self.quadratic.expansion(self.trajectory, known)
        before, taken, searched = self.cost, False, 0
        while not taken and self.mu < MU_MAX and searched < self.searches:
            plan = self._backward(A, B, expansion)
            if plan is not None:
                k, K, expected = plan
                if np.abs(k).max() < 1e-9 * (1 + np.abs(self.controls).max()):
                    break
                taken, searched = self._line_search(k, K, expected), searched + 1
            self._regularise(taken)
        gain = before - self.cost
        self.done = not taken or gain < self.tolerance * (abs(self.cost) + 1e-9)
        row = self.note(self.controls.ravel()[None], np.array([self.cost]))
        return {**row, "gain": float(gain), "mu": float(self.mu)}

    def _regularise(self, taken):
        if taken:
            self.delta = min(1 / FACTOR, self.delta / FACTOR)
            self.mu = self.mu * self.delta if self.mu * self.delta > MU_MIN else 0.0
        else:
            self.delta = max(FACTOR, self.delta * FACTOR)
            self.mu = max(MU_MIN, self.mu * self.delta)

    def _backward(self, A, B, expansion):
        """(k, K, expected change for a full step) or None where a control Hessian is not positive definite."""
        return self.backward(A, B, *expansion, self.controls, self.lo, self.hi, self.mu)

    def _linearize(self):
        """A and B of every step, arrays that nobody else has."""
        t, sim = self.trajectory, self.lines
        if not self.begun or sim.worlds != self.steps:
            self.begun = True
            return linearization(self.model, t, self.frame_skip, sim=sim)
        for name in ("qpos", "qvel", "act"):
            getattr(sim.data, name)[:] = getattr(t, name)[:-1, 0]
        set_inputs(sim.data, t, slice(None))
        return sim.linearize(self.frame_skip)

    def _line_search(self, k, K, expected):
        """Take the full step if it gains enough of what was expected, else the best of those that gain something."""
        promised = np.maximum(-(ALPHAS * expected[0] + ALPHAS**2 * expected[1]), 0.0)
        costs, found = np.zeros(0), []
        for n in self.together:
            first, last = len(costs), len(costs) + n
            cost, trajectory, bars = self._try(self.controls + ALPHAS[first:last, None, None] * k, K)
            found += [(i, cost, trajectory, bars) for i in range(n)]
            costs = np.concatenate([costs, cost])
            gain, share = self.cost - costs, LEAST if first else ENOUGH
            good = np.where((gain > share * promised[:last]) & (gain > 0), costs, np.inf)
            best = int(np.argmin(good))
            # the best so far may be the end of what was tried
            if np.isfinite(good[best]) and (first == 0 or best < last - 1 or last == sum(self.together)):
                self.K = K.copy()
                self._take(*found[best])
                return True
        return False

    def _take(self, i, cost, t, bars):
        """World i of a Trajectory is the new one, and what acted in it the new controls."""
        arrays = {n: getattr(t, n) for n in ("qpos", "qvel", "act", "ctrl", "sensordata")}
        if t.ctrl.shape[1] > 1:
            arrays = {n: a[:, i : i + 1].copy() for n, a in arrays.items()}
        self.trajectory = type(t)(arrays, t.times[:, i : i + 1])
        self.controls, self.cost = arrays["ctrl"][:, 0].copy(), float(cost[i])
        self.bars = self.trajectory, {n: bar[:, i : i + 1] for n, bar in bars.items()}
        if self.measure is not None:
            self.problem.measured = self.measure(self.trajectory)

    def _try(self, controls, K, about=None):
        """(costs (n,), Trajectory, cotangents) of rollouts with feedforward `controls` (n, T, nu) and gains K about the
        trajectory, or another motion."""
        worlds = len(controls)
        if worlds not in self.tries:
            self.tries[worlds] = Tries(self.model, worlds, self.steps, self.frame_skip, self.limits)
        tries = self.tries[worlds]
        tries.follow(controls, K, about or self.trajectory)
        lost = np.zeros(worlds, bool)
        while not lost.all():
            try:
                trajectory = tries.rollout(*self.start, self.act, self.time)
            except (DivergenceError, ContactOverflowError) as error:
                self.lost = error
                lost |= tries.stopped()
                if not lost.all():
                    tries.pass_over(lost)
                continue
            self.problem.counter.steps += worlds * self.steps * self.frame_skip
            cost, bars = self.objective(trajectory)
            return np.where(lost, np.inf, cost), trajectory, bars
        return np.full(worlds, np.inf), None, None

    def load_state(self, state: Any) -> None:
        super().load_state(state)
        self.trajectory = None
        if np.isfinite(self.cost):
            counted = self.problem.counter.steps
            self.rollout()
            self.problem.counter.steps = counted
        return self

