"""GNMS: trajectory optimisation by multiple shooting, for robots that fall or swing away when they are only simulated.

Giftthaler, Neunert, Staeuble, Buchli, Diehl: A family of iterative Gauss-Newton shooting methods for nonlinear optimal
control, IROS 2018, there iLQR-GNMS(M). Multiple shooting is Bock's and Plitt's (A multiple shooting algorithm for
direct solution of optimal control problems, IFAC World Congress 1984). Which step is taken a filter says (Waechter and
Biegler: Line search filter methods for nonlinear programming, SIAM Journal on Optimization 16, 2005): cost and gaps are
two numbers, of which one must become less. Limits of the controls as in ILQR.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np

from controllers.controller import whole
from controllers.ilqr import ALPHAS, ILQR, MU_MAX, Tries
from engine.diff.trajectory import Trajectory
from engine.errors import ContactOverflowError, DivergenceError
from engine.model.coordinates import difference, displace, quaternions

CLOSED = 1e-6  # gaps (rad, m, per s) that count as none
NEAR = 1e-2  # gaps of a plan that holds together; and by how much (of its cost) a run of it may miss it
LESS = 1e-3  # of the gaps, by which a step must lower them, or the cost
ARMIJO = 1e-2  # of what the linear model promises, where the plan holds together
SLOW = 0.1  # of its cost, by which a run is better than the last one where the search gets on
BETTER = 0.5  # of the cost of a plan with gaps: a run that costs less has left the plan behind
PATIENCE = 25  # iterations without a better run
SHORT = 0.3  # step lengths below which the next backward pass is regularised more
INTERVAL = 0.1  # s from node to node
FEW = 1e-3  # sum of gaps of a plan that holds together
WIDE = 0.1  # rad, m, or per s, of each interval: gaps that may come of a step, or as much as there was to begin with


class Nodes:
    """States of a plan, qpos (T + 1, nq), qvel (T + 1, nv), act (T + 1, na), controls ctrl (T, nu), and of these states
    those that begin an interval are free. With what a launch of all intervals has made of it: trajectory, cost, bars,
    gaps (T, nx), from the node after a step to where the step ends, in the tangent space of the node."""

    def __init__(self, qpos, qvel, act, ctrl):
        self.qpos, self.qvel, self.act, self.ctrl = qpos, qvel, act, ctrl
        self.trajectory, self.cost, self.bars, self.gaps = None, np.inf, None, None

    @property
    def apart(self):
        """The sum of all gaps."""
        return float(np.abs(self.gaps).sum())

    def rows(self, which):
        """(qpos, qvel, act) of some rows."""
        return self.qpos[which], self.qvel[which], self.act[which]


class GNMS(ILQR):
    """Controls of one rollout that minimise an objective, and the feedback around them, by multiple shooting.

    All as in ILQR but for `interval`, control steps from one node to the next (default: those of 0.1 s), and `nodes`:
    (qpos (steps + 1, nq), qvel (steps + 1, nv)), states through which the plan is thought to go, or a function of
    `start` that returns them; default: those of `about`, else the start's place, at rest there. They need not be a
    motion: an interval ends a gap away from the next node, and the search closes the gaps while it lowers the cost. So
    nothing is simulated for longer than an interval before the plan holds together, and a robot that cannot stand by
    itself does not have to fall first.

    One iteration linearises every step in a world of its own, makes one backward pass, moves the nodes by what the
    linear model says, runs all intervals, each in a world of its own, with feedback about the plan before, and the plan
    from the start: `controls`, `trajectory`, `cost` and `controller()` are of the best of these runs. Once such a run
    is what was planned, or costs half as much, or none has become better for long, the search goes on as ILQR from the
    best one. `gap`: the largest gap of the plan (rad, m, or per s).
    """

    kept = (*ILQR.kept, "inputs", "places", "speeds", "acts", "filter", "held", "waited")
    growing = {"filter": None}

    def __init__(
        self, model: Any, objective: Any, steps: int, *args: Any, nodes: Any = None, interval: int | None = None,
        **named: Any,
    ) -> None:  # fmt: skip
        super().__init__(model, objective, steps, *args, **named)
        wanted = max(1, round(INTERVAL / (self.frame_skip * model.opt.timestep)))
        self.interval = min(wanted if interval is None else whole("interval", interval), steps)
        self.given, self.shots = nodes, {}  # shots: by the number of plans side by side
        self.node = None
        self._begin_at_nodes()

    @property
    def gap(self) -> float:
        """The largest entry of the gaps of the plan so far, in the units of the state; inf before the first one."""
        return np.inf if self.node is None else float(np.abs(self.node.gaps).max(initial=0.0))

    def begin(self, controls: Any) -> None:
        super().begin(controls)
        self._begin_at_nodes()

    def _begin_at_nodes(self):
        """The nodes that the search begins with."""
        T, m = self.steps, self.model
        rows = self.given(self.start) if callable(self.given) else self.given
        rows = rows or (self.about and self.about[:2])
        qpos, qvel = rows or (np.tile(self.start[0], (T + 1, 1)), np.zeros((T + 1, m.nv)))
        self.places, self.speeds = np.array(qpos[: T + 1], float), np.array(qvel[: T + 1], float)
        if self.places.shape != (T + 1, m.nq) or self.speeds.shape != (T + 1, m.nv):
            shapes = f"{self.places.shape}, {self.speeds.shape}"
            raise ValueError(f"GNMS: nodes: got shapes {shapes}, allowed: {(T + 1, m.nq)}, {(T + 1, m.nv)}")
        self.inputs, self.acts = np.clip(self.controls, self.lo, self.hi), np.tile(self.act, (T + 1, 1))
        self.node, self.filter, self.held, self.waited = None, np.zeros((0, 2)), False, 0

    def _iterate(self):
        if self.about is not None and self.trajectory is None and not np.isfinite(self.cost):
            return {**self._begin(), "gap": np.nan, "nodes": np.nan}  # which is all where the motion is good enough
        if self.held:
            return {**super()._iterate(), "gap": 0.0, "nodes": float(self.cost)}
        if self.node is None:
            self._shoot_nodes()
        node, length, settled = self.node, 0.0, False
        A, B = self._linearize_at(node)
        work = self.steps * (2 * self.model.nv + self.model.na) * self.frame_skip
        self.problem.counter.steps += work
        self.problem.counter.reversed += work
        expansion = self.quadratic.expansion(node.trajectory, node.bars)
        K = self.K
        while not length and not settled and self.mu < MU_MAX:
            priced = expansion._replace(slope=self._priced(expansion.slope, B))
            found = self.backward(A, B, *priced, node.ctrl, self.lo, self.hi, self.mu, node.gaps)
            if found is not None:
                k, K, _ = found
                settled = self.gap < CLOSED and np.abs(k).max(initial=0.0) < 1e-9 * (1 + np.abs(node.ctrl).max())
                length = 0.0 if settled else self._search_along(A, B, k, K, expansion)
            if not settled:
                self._regularise(length > SHORT)
        stuck = not length and not settled
        if stuck:  # nodes that no motion goes through, or contacts: the next best is what a run does
            self.mu, self.delta = 1e-3, 1.0
            self._run(np.zeros_like(K))
        before = self.cost
        self._run(K.copy())
        self._keep_nodes()
        gain = node.cost - self.node.cost
        self.held = self._holds(before)
        self.held = self.held or stuck and self.trajectory is not None
        self.done = not length and not self.held
        row = self.note(self.controls.ravel()[None], np.array([self.cost]))
        return {**row, "gain": float(gain), "mu": float(self.mu), "gap": self.gap, "nodes": float(self.node.cost)}

    def _holds(self, before):
        """Whether what was run is to be improved from now on, by single shooting; before: what the best run had cost.

        A run that does what was planned has nothing to learn from gaps, once these are small or the search gets slow;
        nor has one that costs far less than the plan, or where no run has become better for long: contacts, or nodes
        that no motion goes through."""
        planned = self.node.cost
        if not self.cost < before:
            self.waited += 1
            return self.waited >= PATIENCE and self.trajectory is not None
        self.waited = 0
        near = self.gap < NEAR or self.gap < WIDE and before - self.cost < SLOW * before
        return near and self.cost < (1.0 + NEAR) * planned or self.cost < BETTER * planned

    def _keep_nodes(self):
        n = self.node
        self.inputs, self.places, self.speeds, self.acts = n.ctrl, n.qpos, n.qvel, n.act

    def _shoot_nodes(self):
        """What the intervals make of the nodes that are kept."""
        self.places[0], self.speeds[0], self.acts[0] = *self.start, self.act
        plan = Nodes(self.places, self.speeds, self.acts, self.inputs)
        self.node = self._shoot([plan], plan, self.K if self.about else None)[0]
        if not np.isfinite(self.node.cost):
            raise DivergenceError("GNMS: an interval of the plan to begin with diverges", 0, 0, 0)
        self._keep_nodes()

    def _linearize_at(self, node):
        """A and B of every step from its node to the next: (dx' - gap) = A dx + B du, each dx in the tangent space of
        its node. What a step turns, in axes of where it ends, the gap turns on into those of the node: with gap f
        log(exp(-d) exp(f) exp(e)) = 0 to first order where d = f + exp(f) e."""
        kept, self.trajectory = self.trajectory, node.trajectory
        A, B = self._linearize()
        self.trajectory = kept
        for c in quaternions(self.model):
            at = slice(c.dofadr, c.dofadr + 3)
            turn = rotations(node.gaps[:, at])
            A[:, at], B[:, at] = turn @ A[:, at], turn @ B[:, at]
        return A, B

    def _priced(self, slope, B):
        """The cost's slope with mu B'f by the controls of a step that ends in a gap f. mu is the price of states that
        are off where the step ends, mu/2 |A dx + B du + f|^2; without its share of the gap the feedback alone would pay
        it, and no mu, however large, would make controls answer gaps, which grow along an unstable robot."""
        slope = slope.copy()
        slope[:-1, B.shape[1] :] += self.mu * (self.node.gaps[:, None] @ B)[:, 0]
        return slope

    def _linear_rollout(self, A, B, k, K, lengths):
        """(dx (n, T + 1, nx), du (n, T, nu)): the way of the linear model with its feedback, through that share of the
        gaps, for n lengths of a step. Controls stay in their limits, each length's for itself: where those of a long
        step would leave them, the feedback no longer holds the model, and a part of that way is none of a short one."""
        node, n, a = self.node, len(lengths), np.asarray(lengths)[:, None]
        dx, du = np.zeros((n, self.steps + 1, A.shape[1])), np.empty((n, *k.shape))
        lo, hi = self.lo - node.ctrl, self.hi - node.ctrl
        for t in range(self.steps):
            du[:, t] = np.minimum(np.maximum(a * k[t] + dx[:, t] @ K[t].T, lo[t]), hi[t])
            dx[:, t + 1] = dx[:, t] @ A[t].T + du[:, t] @ B[t].T + a * node.gaps[t]
        return dx, du

    def _search_along(self, A, B, k, K, expansion):
        """Take the longest step that the filter lets through; returns its length, 0 where there is none."""
        node, tried = self.node, 0
        for n in self.together:
            lengths = ALPHAS[tried : tried + n]
            dx, du = self._linear_rollout(A, B, k, K, lengths)
            plans = self._shoot([self._moved(x, a * k) for a, x in zip(lengths, dx, strict=True)], node, K)
            tried += n
            for plan, length, x, u in zip(plans, lengths, dx, du, strict=True):
                if np.isfinite(plan.cost) and self._lets_through(node, plan, -self._along(x, u, expansion)):
                    self.node = plan
                    return float(length)
        return 0.0

    def _lets_through(self, node, plan, promised):
        """Whether a step from one plan to another is progress: of a plan that holds together less cost, as the linear
        model promises; else smaller gaps or less cost, than of any plan that was left behind."""
        here, there = node.apart, plan.apart
        first = self.filter[0, 0] if len(self.filter) else here
        most = max(WIDE * (self.steps // self.interval), first)
        if there > most:
            return False
        if here < FEW:
            return node.cost - plan.cost > ARMIJO * max(promised, 0.0) and plan.cost < node.cost
        apart, cost = np.concatenate([self.filter, [[here, node.cost]]]).T
        if not ((there < (1 - LESS) * apart) | (plan.cost < cost - LESS * apart)).all():
            return False
        self.filter = np.concatenate([self.filter, [[here, node.cost]]])
        return True

    def _along(self, dx, du, expansion):
        """Derivative of the cost along (dx, du)."""
        n = dx.shape[1]
        return np.vdot(expansion.slope[:, :n], dx) + np.vdot(expansion.slope[:-1, n:], du)

    def _moved(self, dx, du):
        """The plan with states moved along dx (T + 1, nx) and controls by du (T, nu)."""
        m, n = self.model, self.node
        qpos = displace(m, n.qpos, dx[:, : m.nv])
        return Nodes(qpos, n.qvel + dx[:, m.nv : 2 * m.nv], n.act + dx[:, 2 * m.nv :], n.ctrl + du)

    def _shoot(self, plans, about, K):
        """The plans that come of running all intervals, each from its node, with their controls and gains K about the
        states of a plan (None: no feedback)."""
        M, T, count = self.interval, self.steps, len(plans)
        firsts = np.arange(0, T, M)
        many = len(firsts)
        if count not in self.shots:
            self.shots[count] = Tries(self.model, count * many, M, self.frame_skip, self.limits)
        shot, lost = self.shots[count], np.zeros(count, bool)
        rows = np.minimum(firsts[:, None] + np.arange(M), T - 1)  # of each interval; the last goes on after its end
        for name in ("qpos", "qvel", "act"):
            shot.live[name][...] = np.concatenate([getattr(about, name)[rows]] * count)
        shot.live["K"][...] = 0.0 if K is None else np.concatenate([-K[rows]] * count)
        time = self.time + np.tile(firsts * (self.frame_skip * self.model.opt.timestep), count)
        while not lost.all():
            used = [plans[np.flatnonzero(~lost)[0]] if gone else p for p, gone in zip(plans, lost, strict=True)]
            shot.live["ctrl"][...] = np.concatenate([p.ctrl[rows] for p in used])
            begun = [np.concatenate(a) for a in zip(*(p.rows(firsts) for p in used), strict=True)]
            try:
                t = shot.rollout(*begun, time)
            except (DivergenceError, ContactOverflowError):
                lost |= shot.stopped().reshape(count, many).any(axis=1)
                continue
            self.problem.counter.steps += count * many * M * self.frame_skip
            return [p if gone else self._made(t, slice(k * many, (k + 1) * many))
                    for k, (p, gone) in enumerate(zip(plans, lost, strict=True))]  # fmt: skip
        return plans

    def _made(self, t, worlds):
        """The plan whose intervals are some worlds of a Trajectory."""
        m, T = self.model, self.steps
        times = self.time + (np.arange(T + 1) * self.frame_skip * m.opt.timestep)[:, None]
        arrays, ends = {}, {}
        for name in ("qpos", "qvel", "act", "sensordata"):
            a = np.swapaxes(getattr(t, name)[:, worlds], 0, 1)  # (intervals, rows, .)
            left = T - self.interval * (len(a) - 1)  # steps of the last interval
            arrays[name] = np.concatenate([*a[:-1, :-1], a[-1, : left + 1]])
            ends[name] = a[:-1, -1]
        arrays["ctrl"] = np.concatenate([*np.swapaxes(t.ctrl[:, worlds], 0, 1)])[:T]
        plan = Nodes(*(arrays[n] for n in ("qpos", "qvel", "act", "ctrl")))
        plan.trajectory = Trajectory({n: a[:, None] for n, a in arrays.items()}, times)
        cost, plan.bars = self.objective(plan.trajectory)
        plan.gaps = np.zeros((T, self.K.shape[2]))
        nodes = np.arange(self.interval, T, self.interval)
        plan.gaps[nodes - 1] = np.concatenate([difference(m, plan.qpos[nodes], ends["qpos"]),
                                               ends["qvel"] - plan.qvel[nodes], ends["act"] - plan.act[nodes]],
                                              axis=1)  # fmt: skip
        plan.cost = float(cost[0])
        return plan

    def _run(self, K):
        """Run the plan from the start, with its feedback; keep what costs least. A run may be good long before the gaps
        are closed, since the feedback belongs to a plan that goes where it should."""
        node = self.node
        about = SimpleNamespace(**{n: getattr(node, n)[:, None] for n in ("qpos", "qvel", "act")})
        cost, trajectory, bars = self._try(node.ctrl[None], K, about)
        if cost[0] < self.cost:
            self.K = K
            self._take(0, cost, trajectory, bars)

    def aim_at(self, objective: Any) -> Any:
        super().aim_at(objective)
        self.node, self.filter, self.held, self.waited = None, np.zeros((0, 2)), False, 0

    def load_state(self, state: Any) -> None:
        super().load_state(state)
        counted, self.node = self.problem.counter.steps, None
        if self.iteration and not self.held and not (self.about and self.iteration == 1):
            self._shoot_nodes()
        self.problem.counter.steps = counted
        return self


def rotations(turns):
    """exp of rotation vectors (rows, 3), rad: matrices (rows, 3, 3)."""
    angle = np.linalg.norm(turns, axis=1)[:, None, None]
    x, y, z = turns.T
    zero = np.zeros_like(x)
    S = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=1).reshape(-1, 3, 3)
    half = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2  # (1 - cos) / angle^2
    return np.eye(3) + np.sinc(angle / np.pi) * S + half * (S @ S)
