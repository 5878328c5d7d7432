"""Gaits: find a controller that makes a robot run forward, by gradient through its rollouts.

The controller is a PD on a CPG, so it has a frequency, and an amplitude, phase and offset for every joint. Many worlds
try different starts of it at once, each with parameters of its own. The gradient of a whole rollout with impacts grows
without bound (it is right, and useless); so each rollout is differentiated in windows, with the speed at a window's
end as what the rest is worth (truncated backpropagation), and every window's gradient is clipped. The best rollout of
all, found with its own parameters, is the result.
"""

from dataclasses import dataclass, field

import numpy as np

from controllers.adam import Adam
from controllers.cpg import CPG
from controllers.pd import PD
from engine.errors import DivergenceError
from engine.model import ModelError
from engine.model.constants import FREE, HINGE, SLIDE


@dataclass
class Root:
    """Where the state keeps what running is about: indices into qpos and qvel, -1 where the robot has none."""

    x: int
    vx: int
    z: int
    tilt: list = field(default_factory=list)  # entries of qpos that are 0 when the trunk is as it started


def find_root(model):
    """The forward, height and tilt coordinates of the first moving body (a free joint, or slides and hinges)."""
    for b in range(1, model.nbody):
        j0, n = model.body_jntadr[b], model.body_jntnum[b]
        joints = range(j0, j0 + n)
        if n and model.jnt_type[j0] == FREE:
            q, v = int(model.jnt_qposadr[j0]), int(model.jnt_dofadr[j0])
            return Root(q, v, q + 2, [q + 4, q + 5])
        root = Root(-1, -1, -1)
        for j in joints:
            axis, q = model.jnt_axis[j], int(model.jnt_qposadr[j])
            if model.jnt_type[j] == SLIDE and abs(axis[0]) > 0.99:
                root.x, root.vx = q, int(model.jnt_dofadr[j])
            elif model.jnt_type[j] == SLIDE and abs(axis[2]) > 0.99:
                root.z = q
            elif model.jnt_type[j] == HINGE:
                root.tilt.append(q)
        if root.x >= 0:
            return root
    raise ModelError("running needs a body with a free joint or a slide joint along x; this model has none")


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


class RunForward:
    """Cost of a window: minus the distance, tilting more than 0.3, sinking below 60 % of the start's height, effort."""

    def __init__(self, model, qpos0, tilt=3.0, height=10.0, effort=0.02, speed=0.3):
        self.root = find_root(model)
        self.qpos0 = np.asarray(qpos0)
        self.tilt, self.height, self.effort, self.speed = tilt, height, effort, speed

    def __call__(self, trajectory):
        """Cost of every world (worlds,) without the end's worth, and cotangents of the outputs."""
        q, u, root = trajectory.qpos, trajectory.ctrl, self.root
        n = len(q)
        q_bar, v_bar = np.zeros_like(q), np.zeros_like(trajectory.qvel)
        cost = q[0, :, root.x] - q[-1, :, root.x]
        q_bar[-1, :, root.x] -= 1.0
        q_bar[0, :, root.x] += 1.0
        v_bar[-1, :, root.vx] -= self.speed
        for i in root.tilt:
            over = np.maximum(np.abs(q[:, :, i] - self.qpos0[i]) - 0.3, 0.0)
            cost = cost + self.tilt * np.mean(over**2, axis=0)
            q_bar[:, :, i] += 2 * self.tilt / n * over * np.sign(q[:, :, i] - self.qpos0[i])
        if root.z >= 0:
            drop = max(0.4 * abs(self.qpos0[root.z]), 0.25)
            low = np.maximum(self.qpos0[root.z] - drop - q[:, :, root.z], 0.0)
            cost = cost + self.height * np.mean(low**2, axis=0)
            q_bar[:, :, root.z] -= 2 * self.height / n * low
        cost = cost + self.effort * np.mean(u**2, axis=0).sum(axis=-1)
        return cost, {"qpos": q_bar, "qvel": v_bar, "ctrl": 2 * self.effort / len(u) * u}


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
