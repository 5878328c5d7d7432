"""Central differences of whole rollouts, one input at a time, against the tape's gradients."""

import contextlib

import mujoco
import numpy as np

from engine.diff.gradcheck import alike
from engine.diff.tape import APPLIED, MOCAP, Tape
from engine.errors import DivergenceError
from engine.model.delays import clocks, first_of_sensors, late
from engine.theta import ANY, LEAF_NAMES, RISING, RISING_TOGETHER, SIGNS
from tests import zoo

OUTPUTS = ("qpos", "qvel", "act", "sensordata")
# The smallest are for long rollouts, where contact may be made or broken within 1e-7 m of the start.
STEPS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9)
TINY = 1e-9  # steps over which no loss here bends visibly
SETTLED = 1e-9  # smaller steps are not asked where quotients agree that well, relative
ROUNDING = 1e-15  # of a loss, relative to the sum of its terms without their signs


def clock_entries(m):
    """Which entries of act are those of sensors' clocks, (na,)."""
    found, at = np.zeros(m.na, bool), first_of_sensors(m)
    for s in np.flatnonzero(late(m)):
        n = m.sensor_history[s, 0]
        at += n * m.sensor_dim[s]
        if clocks(m)[s]:
            found[at : at + 1 + n] = True
            at += 1 + n
    return found


class Rollout:
    """A loss with random weights on every output of a rollout from a given start, and its derivatives.

    state: qpos, qvel, act, ctrl; ctrl of shape (nu,) or (steps, nu). applied: forces act, and are inputs too.
    """

    def __init__(self, sim, mj, state, steps, seed=0, outputs=OUTPUTS, applied=False, **tape):
        self.sim, self.mj, self.rng = sim, mj, np.random.default_rng(seed)
        self.tape = Tape(sim, steps, **tape)
        self.known = {}  # how well `errors` knew the derivatives, relative as the errors are
        qpos, qvel, act, ctrl = state
        self.inputs = {
            "qpos0": np.array(qpos), "qvel0": np.array(qvel), "act0": np.array(act),
            "ctrl": np.array(np.broadcast_to(ctrl, (steps, sim.model.nu))),
        }  # fmt: skip
        if np.ndim(ctrl) == 1:
            self.inputs["ctrl"] += 0.1 * self.rng.normal(size=(steps, sim.model.nu))
        self.params = {n: sim.params[n].copy() for n in sim.params}
        self.forces = np.random.default_rng(seed)
        if applied:  # in proportion to the masses, so that light bodies do not fly off
            force = mj.body_mass[:, None] * self.rng.normal(size=(mj.nbody, 6)) * [1, 1, 1, 0.1, 0.1, 0.1]
            self.inputs |= {"qfrc_applied": 0.05 * mj.dof_M0 * self.rng.normal(size=mj.nv), "xfrc_applied": force}
        if mj.nmocap:  # a way of poses
            poses = [zoo.random_poses(mj, self.forces) for _ in range(steps)]
            self.inputs |= {n: np.array(way) for n, way in zip(MOCAP, zip(*poses, strict=True), strict=True)}
        rows = self.tape.rows
        size = {"qpos": mj.nq, "qvel": mj.nv, "act": sim.model.na, "sensordata": mj.nsensordata}
        scale = {"qpos": 1.0, "qvel": 0.1, "act": 1.0, "sensordata": 0.03}
        self.weights = {n: scale[n] * self.rng.normal(size=(rows, 1, size[n])) for n in outputs}
        self.weights = {n: w for n, w in self.weights.items() if w.size}

    def loss(self, inputs, name=None, value=None):
        sim = self.sim
        for n, p in self.params.items():
            sim.params[n][...] = value if n == name else p
        sim.reset(inputs["qpos0"], inputs["qvel0"])
        sim.data.act[0] = inputs["act0"]
        for n in APPLIED:
            getattr(sim.data, n)[0] = inputs.get(n, 0.0)
        traj = self.tape.rollout(inputs["ctrl"], *(inputs[n][:, None] for n in MOCAP if n in inputs))
        terms = [getattr(traj, n) * w for n, w in self.weights.items()]
        self.size = sum(float(np.abs(t).sum()) for t in terms)  # what the differences' rounding errors grow with
        return sum(float(t.sum()) for t in terms)

    def gradients(self):
        self.loss(self.inputs)
        return self.tape.backward(**self.weights)

    def moved(self, name, direction, eps):
        x = self.inputs[name]
        if name != "qpos0":
            return x + eps * direction
        q = x.copy()
        mujoco.mj_integratePos(self.mj, q, direction, eps)
        return q

    def along(self, name, direction):
        """The loss as a function of one number, the distance along a direction of one input or parameter."""
        if name in self.inputs:
            return lambda eps: self.loss({**self.inputs, name: self.moved(name, direction, eps)})
        return lambda eps: self.loss(self.inputs, name, self.params[name] + eps * direction)

    def direction(self, name, tangent=None):
        if name in self.inputs:
            n = self.mj.nv if name == "qpos0" else self.inputs[name].shape
            if name in APPLIED:
                return self.forces.normal(size=n) * np.abs(self.inputs[name])
            d = self.rng.normal(size=n)
            if name == "act0":
                d = np.where(clock_entries(self.sim.model), 0.0, d)  # whose derivatives are held
            return d if tangent is None or name not in ("qpos0", "qvel0") else d * tangent
        p, sign = self.params[name], SIGNS[name]
        # what must stay positive is changed in proportion to itself, so that the change keeps its sign
        d = self.rng.normal(size=p.shape)
        if "equals" in sign.zeros:
            d = alike(d, p)
        d = d * (np.abs(p) if sign is not ANY else np.where(p != 0, np.abs(p), 0.1))
        d = d * zoo.smooth_entries(self.sim.model, name, p)
        if sign in (RISING, RISING_TOGETHER):  # where it is zero its derivative is that to the right
            d = np.where(p != 0, d, np.abs(self.rng.normal(size=p.shape)) * 0.1)
        return d

    def adjoint(self, grads, name, direction):
        """The tape's derivative along the direction, and the size that errors are measured against."""
        if name == "qpos0":
            dq = (self.moved(name, direction, 1e-6) - self.moved(name, direction, -1e-6)) / 2e-6
            g, direction = grads.qpos0[0], dq
        elif name in ("ctrl", *MOCAP):
            g = getattr(grads, name)[:, 0]
        elif name in self.inputs:
            g = getattr(grads, name)[0]
        else:
            g = grads.model[name]
        return float((g * direction).sum()), float(np.abs(g * direction).max(initial=0.0))

    def errors(self, names=None, tangent=None, one_sided=0, leaves=False):
        """{input: relative error against `derivative`}. one_sided: only differences to that side. leaves: also those
        that the simulator has beyond what all have."""
        grads = self.gradients()
        out = {}
        leaves = LEAF_NAMES if leaves else ()
        for name in names or [*self.inputs, *(n for n in self.params if n in leaves or n not in LEAF_NAMES)]:
            direction = self.direction(name, tangent)
            if not direction.size or not np.any(direction):
                continue
            adjoint, size = self.adjoint(grads, name, direction)
            f = self.along(name, direction)
            side = one_sided
            if SIGNS.get(name) in (RISING, RISING_TOGETHER) and (self.params[name] == 0).any():
                direction, side = np.where(self.params[name] == 0, direction, np.abs(direction)), 1
                adjoint, size = self.adjoint(grads, name, direction)
                f = self.along(name, direction)
            estimate, known = derivative(f, STEPS, ROUNDING * self.size, side)
            scale = max(abs(adjoint), 0.1 * size, 1e-6 * max(1.0, self.size))
            self.known[name] = known / scale
            error = abs(estimate - adjoint) / scale
            out[name] = float(error) if np.isfinite(error) else np.inf
        for n, p in self.params.items():  # another rollout of the simulator begins with what this one began with
            self.sim.params[n][...] = p
        return out


def derivative(f, steps, noise, side=0):
    """(estimate, uncertainty) of df/dt at 0, from the two neighbouring steps whose difference quotients agree best.

    Nothing here knows what the derivative should be (Ridders, Adv. Eng. Software 4(2), 1982, chooses alike). steps:
    falling. noise: rounding error of a value of f, without which the quotients of steps too small to change f would
    agree on zero; a solver that stops at a tolerance makes more, which the bends at the smallest steps show. A quotient
    is NaN where f is or diverges. Central quotients may agree on what holds beyond a jump to either side of 0 only:
    then f bends the more, for its step, the smaller the step is, and the pair does not count.
    """
    steps, f0 = np.asarray(steps), None
    last = len(steps) - int((steps <= TINY).sum())
    with contextlib.suppress(DivergenceError):
        f0 = f(0)
    samples = {i: sample(f, f0, steps[i], side) for i in range(last, len(steps))}
    bends = [samples[i][1] * steps[i] for i in samples]
    if bends and not np.isnan(bends).all():
        noise = max(noise, 0.5 * np.nanmax(bends))
    best = np.nan, np.inf
    for i, h in enumerate(steps):
        if noise / h >= best[1]:  # no smaller step can agree better than that
            break
        if i < last:
            samples[i] = sample(f, f0, h, side)
        if i:
            (before, bend_before), (quotient, bend) = samples[i - 1], samples[i]
            rounding = 10 * noise / h + 1e-5 * abs(quotient)
            spread = abs(quotient - before) + noise / h
            if spread < best[1] and not bend > 1.5 * bend_before + rounding:
                best = 0.5 * (quotient + before), spread
                if spread < SETTLED * abs(quotient):
                    break
    return float(best[0]), float(best[1])


def sample(f, f0, h, side):
    """Fourth-order difference quotient, central or to one side, and how far a central one's halves are apart; NaN where
    a step that large leads to a rollout that diverges. f0: f(0), None where that diverges."""
    if f0 is None:
        return np.nan, np.nan
    try:
        if side:
            h = h * side
            return (-25 * f0 + 48 * f(h) - 36 * f(2 * h) + 16 * f(3 * h) - 3 * f(4 * h)) / (12 * h), 0.0
        ahead, behind = f(h), f(-h)
        return (8 * (ahead - behind) - (f(2 * h) - f(-2 * h))) / (12 * h), abs(ahead + behind - 2 * f0) / h
    except DivergenceError:
        return np.nan, np.nan
