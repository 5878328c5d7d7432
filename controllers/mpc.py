"""MPC: receding-horizon control: plan ahead with iLQR, act for a moment, plan again from there.

Tassa, Erez, Todorov: Synthesis and stabilization of complex behaviors through online trajectory optimization,
IROS 2012.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from controllers.controller import whole
from controllers.ilqr import ILQR
from controllers.linear_feedback import LinearFeedback
from controllers.optimize.method import Method
from engine.diff.tape import Tape
from engine.model import Model, require_model
from engine.simulator import Simulator

# What an iteration may try while the robot waits: a full step, and three shorter ones, once. Where actuators are at
# their force limits none may gain anything: the plan is then the rest of the last one, the next regularised more.
STEPS = 1, 3


class MPC(Method):
    """Runs a robot for `steps` control steps, planning `horizon` control steps ahead.

    objective: of every plan (its terminal part stands for what lies beyond the horizon); it sees the time of the run.
    every: control steps that are carried out of each plan, with its feedback; iterations: of iLQR for each plan; the
    next plan starts from the rest of the last one (warm start), followed by its last control, or by those of `ahead`
    (n, nu), controls of the whole run as somebody supposes them, which hold on after their end. together, searches,
    tolerance: as in ILQR; more searches than by default are for a run that need not keep up with a clock.
    The first plan waits for the compiler, also for kernels that only later ones need; after it none does.
    One `iterate()` is one plan and what is carried out of it; `done_qpos` and its like are the run so far, and
    `controller()` is the LinearFeedback that makes the same run again. The cost is the objective's over what was
    carried out.
    """

    kept = ("controls", "mu", "qpos", "qvel", "act", "warm", "done_ctrl", "done_gains", "done_qpos", "done_qvel",
            "done_act", "done_sensordata", "spent", "way")  # fmt: skip
    growing = {"done_ctrl": 0, "done_gains": 0, "done_sensordata": 0, "done_qpos": 1, "done_qvel": 1, "done_act": 1}
    ending = "the run is complete"

    def __init__(
        self, model: Model, objective: Any, horizon: int, steps: int, frame_skip: int = 1, every: int = 1,
        iterations: int = 1, start: Any = None, controls: Any = None, limits: Any = "model", measure: Any = None,
        ahead: Any = None, together: Sequence[int] = STEPS, searches: int | None = 1, tolerance: float = 0.0,
    ) -> None:  # fmt: skip
        m = self.model = require_model(model, "MPC: model")
        self.objective, self.ahead = objective, ahead
        for name, value in {"horizon": horizon, "steps": steps, "every": every, "iterations": iterations}.items():
            whole(f"MPC: {name}", value)
        if every > horizon:
            raise ValueError(f"MPC: every: got {every}, allowed: 1 to the horizon, {horizon}")
        self.steps, self.every, self.per_plan, self.measure = steps - steps % every, every, iterations, measure
        qpos, qvel = (m.qpos0, np.zeros(m.nv)) if start is None else start
        self.planner = ILQR(m, objective, horizon, frame_skip, (qpos, qvel), controls, limits, tolerance,
                            together=together, searches=searches)  # fmt: skip
        self.sim = Simulator(m)
        self.tape = Tape(self.sim, every, frame_skip)
        self.qpos, self.qvel = np.array(qpos, float)[None], np.array(qvel, float)[None]
        self.act, self.warm = np.zeros((1, m.na)), np.zeros((1, m.nv))
        self.mu, self.controls, self.spent, self.way = self.planner.mu, self.planner.controls, 0.0, 0.0
        nx = 2 * m.nv + m.na
        self.done_ctrl, self.done_gains = np.zeros((0, m.nu)), np.zeros((0, m.nu, nx))
        self.done_qpos, self.done_qvel = self.qpos.copy(), self.qvel.copy()
        self.done_act, self.done_sensordata = self.act.copy(), np.zeros((0, m.nsensordata))
        super().__init__(self.planner.problem)
        self.dt = frame_skip * m.opt.timestep

    def _searched(self):
        done = f"{len(self.done_ctrl)} of {self.steps} control steps done"
        return f"plans {self.controls.shape} of {self.model.name!r}, {self.every} carried out of each, {done}"

    @property
    def finished(self) -> bool:
        return len(self.done_ctrl) >= self.steps

    def plan(self, qpos: ArrayLike, qvel: ArrayLike, act: Any = None, time: float = 0.0, others: Any = None) -> Any:
        """Plan from this state, starting from the last plan; returns (u (nu,), K (nu, nx)) for now.

        others: further controls to start from, as in `ILQR.rollout`.
        """
        p = self.planner
        p.start, p.act, p.time = (qpos, qvel), self.act[0] * 0 if act is None else act, time
        p.controls, p.mu, p.delta, p.done = self.controls, self.mu, 1.0, False
        if not p.tries:
            p.prepare()
        p.rollout(others)
        for _ in range(self.per_plan):
            p.iterate()
            if p.finished:
                break
        self.controls, self.mu = p.controls, min(max(p.mu, 1e-6), 1.0)
        return p.controls[0], p.K[0]

    def _iterate(self):
        self.plan(self.qpos[0], self.qvel[0], self.act[0], len(self.done_ctrl) * self.dt)
        self._carry_out()
        return self._row()

    def _row(self):
        """Metrics of the run so far."""
        self.best, self.best_measured = self.spent, self.way
        self.best_params = self.done_ctrl.ravel().copy()
        self.problem.measured = np.array([self.way])
        return {"cost": self.spent, "median": self.spent, "measured": self.way, "plan": float(self.planner.cost),
                "seconds_simulated": len(self.done_ctrl) * self.dt}  # fmt: skip

    def _carry_out(self):
        """The next `every` control steps of the plan."""
        n, p, sim = self.every, self.planner, self.sim
        time, feedback = len(self.done_ctrl) * self.dt, p.controller()
        sim.reset(self.qpos, self.qvel)
        sim.data.act[:], sim.data.qacc_warmstart[:], sim.data.time[:] = self.act, self.warm, time
        t = self.tape.rollout(feedback)
        self.problem.counter.steps += n * self.tape.frame_skip
        self.qpos, self.qvel, self.act = t.qpos[-1].copy(), t.qvel[-1].copy(), t.act[-1].copy()
        self.warm = sim.data.qacc_warmstart.copy()
        for name in ("qpos", "qvel", "act"):
            self._append(name, getattr(t, name)[1:, 0])
        self._append("ctrl", t.ctrl[:, 0])
        self._append("gains", p.K[:n])
        self._append("sensordata", t.sensordata[:-1, 0])
        self.spent += float(self.objective(t)[0][0])
        self.way = np.nan if self.measure is None else self.way + float(self.measure(t)[0])
        more = np.repeat(p.controls[-1:], n, axis=0)
        if self.ahead is not None:
            first = len(self.done_ctrl) + p.steps - n
            more = self.ahead[np.minimum(first + np.arange(n), len(self.ahead) - 1)]
        self.controls = np.concatenate([p.controls[n:], more])

    def _append(self, name, rows):
        setattr(self, f"done_{name}", np.concatenate([getattr(self, f"done_{name}"), rows]))

    def controller(self) -> Any:
        """The run so far as a controller: its controls, with the plans' feedback about its states."""
        return LinearFeedback(self.model, -self.done_gains, self.done_qpos[:-1], self.done_qvel[:-1],
                              self.done_act[:-1], self.done_ctrl, limits=self.planner.limits)  # fmt: skip
