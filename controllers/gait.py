"""Gaits: find a controller that makes a robot run forward, by gradient through its rollouts.

The controller is a PD on a CPG, so it has a frequency, and an amplitude, phase and offset for every joint. Many worlds
try different starts of it at once, each with parameters of its own. The gradient of a whole rollout with impacts grows
without bound (it is right, and useless); so each rollout is differentiated in windows, with the speed at a window's
end as what the rest is worth (truncated backpropagation), and every window's gradient is clipped. The best rollout of
all, found with its own parameters, is the result.
"""

import numpy as np

from controllers.adam import Adam
from controllers.cpg import CPG
from controllers.pd import PD
from engine.errors import DivergenceError
from engine.model import ModelError
from engine.model.constants import HINGE, SLIDE
from engine.objectives import RunForward


def gait_controller(model, worlds, rng, kp=1.0, kd=0.1):
    """A PD tracking a CPG, one row of parameters per world, drawn around small smooth motions."""
    usable = [j for j in model.actuator_trnid if model.jnt_type[j] in (HINGE, SLIDE)]
    if len(usable) < model.nu or not model.nu:
        raise ModelError("the gait controller needs an actuator on hinge or slide joints for every control")
    cpg = CPG(model.nu)
    controller = PD(model, kp=kp, kd=kd).tracking(cpg)
    rows = np.tile(controller.params, (worlds, 1))
    nu = model.nu
    rows[:, 0] = 2 * np.pi * rng.uniform(1.5, 3.5, worlds)
    rows[:, 1 : 1 + nu] = rng.uniform(0.1, 0.4, (worlds, nu))
    rows[:, 1 + nu : 1 + 2 * nu] = rng.uniform(-np.pi, np.pi, (worlds, nu))
    rows[:, 1 + 2 * nu : 1 + 3 * nu] = rng.uniform(-0.1, 0.1, (worlds, nu))
    controller.params = rows
    scale = np.ones(rows.shape[1])
    scale[0] = scale[1 + nu : 1 + 2 * nu] = 2.0  # frequency and phase move further than angles
    return controller, scale


class GaitSearch:
    """The optimisation, one `iterate()` at a time; `state()` and `load_state()` stop and resume it bit for bit.

    tape: one window; windows of it make the rollout. start: (qpos, qvel).
    """

    def __init__(self, tape, windows, start, seed=0, lr=0.012, clip=3.0):
        self.tape, self.windows, self.start, self.clip = tape, windows, start, clip
        sim = tape.sim
        self.controller, self.scale = gait_controller(sim.model, sim.worlds, np.random.default_rng(seed))
        self.objective = RunForward(sim.model, start[0])
        # Adam works on parameters in units of their scale
        self.scaled = self.controller.params / self.scale
        self.first = self.controller.params.copy()
        self.adam = Adam(lr=lr, betas=(0.9, 0.98))
        # each world's own best, to which it returns with half the step when a step has lost much
        self.own_loss = np.full(sim.worlds, np.inf)
        self.own = self.scaled.copy()
        self.step_size = np.ones(sim.worlds)
        self.iteration = 0
        self.best = {"loss": np.inf, "params": self.first[0].copy(), "first": self.first[0].copy(), "distance": 0.0}

    def iterate(self):
        """One rollout of every world and one step of every world's parameters; returns the metrics of the iteration.

        A world whose state diverges goes on with the best parameters so far.
        """
        for _ in range(self.tape.sim.worlds):
            try:
                return self._iterate()
            except DivergenceError as e:
                self.scaled[e.world] = self.best["params"] / self.scale
        raise DivergenceError("every world diverges, also with the best parameters", 0, 0, 0)

    def _iterate(self):
        sim, root = self.tape.sim, self.objective.root
        self.controller.params = self.scaled * self.scale
        sim.reset(*self.start)
        loss, grad = np.zeros(sim.worlds), np.zeros_like(self.scaled)
        norms = []
        for _ in range(self.windows):
            cost, bars = self.objective(self.tape.rollout(self.controller))
            loss += cost
            g = self.tape.backward(**bars).params * self.scale
            norm = np.linalg.norm(g, axis=1)
            norms.append(norm)
            grad += g * np.minimum(1.0, self.clip / np.maximum(norm, 1e-12))[:, None]
        distance = sim.data.qpos[:, root.x] - self.start[0][root.x]
        i = int(np.argmin(loss))
        if loss[i] < self.best["loss"]:
            self.best = {
                "loss": float(loss[i]), "distance": float(distance[i]), "params": self.controller.params[i].copy(),
                "first": self.first[i].copy(),
            }  # fmt: skip
        self._move(loss, grad)
        self.iteration += 1
        return {
            "iteration": self.iteration, "loss": float(loss[i]), "distance": float(distance[i]),
            "median_distance": float(np.median(distance)), "best_loss": self.best["loss"],
            "best_distance": self.best["distance"], "gradient_norm": float(np.median(norms)),
        }  # fmt: skip

    def _move(self, loss, grad):
        """Step every world's parameters; one that fell far behind its own best goes back to it, with half the step."""
        better = loss < self.own_loss
        self.own[better], self.own_loss[better] = self.scaled[better], loss[better]
        lost = loss > self.own_loss + 0.5
        self.step_size[lost] *= 0.5
        before = self.scaled.copy()
        self.adam.step(self.scaled, grad)
        self.scaled = before + self.step_size[:, None] * (self.scaled - before)
        self.scaled[lost] = self.own[lost]

    def state(self):
        """Everything that the next iteration depends on, as arrays."""
        adam = {f"adam_{k}": np.asarray(v) for k, v in self.adam.state().items()}
        best = {f"best_{k}": np.asarray(v) for k, v in self.best.items()}
        return {"iteration": np.asarray(self.iteration), "scaled": self.scaled, "first": self.first, "own": self.own,
                "own_loss": self.own_loss, "step_size": self.step_size, **adam, **best}  # fmt: skip

    def load_state(self, state):
        self.iteration = int(state["iteration"])
        for name in ("scaled", "first", "own", "own_loss", "step_size"):
            setattr(self, name, np.array(state[name]))
        self.adam.load_state({k[5:]: np.array(state[k]) for k in state if k.startswith("adam_")})
        self.best = {k[5:]: np.array(state[k]) for k in state if k.startswith("best_")}
        for k in ("loss", "distance"):
            self.best[k] = float(self.best[k])
