"""The gallery's problems solved with the `mujoco` package alone (4.0, whose `mujoco.batch` steps many simulations at
once, as mjbatch does): iLQR by finite differences, predictive sampling, least squares by finite differences, a design
by finite differences.

A `--rival` of a demo runs them beside the gradient, on the same cost, of iLQR and sampling, for robots with one motor,
hinges and slides:
dt sum (x - goal)'Q(x - goal) + R u^2, and at the end (x - goal)'Q_end(x - goal), x = (qpos, qvel); Q and Q_end are
diagonals. `goal` is (nx,), or rows of it, one for each control step and the end.
"""

import mujoco
import mujoco.batch
import mujoco.minimize
import numpy as np

ALPHAS = 0.4 ** np.arange(8.0)  # step sizes of the line search
EPS = 1e-5


class Cost:
    def __init__(self, Q, Q_end, R, goal, dt):
        self.Q, self.Q_end, self.R, self.goal, self.dt = np.array(Q), np.array(Q_end), R, np.atleast_2d(goal), dt

    def weights(self, steps):
        """(steps + 1, nx): of each row of states."""
        return np.concatenate([np.tile(self.dt * self.Q, (steps, 1)), self.Q_end[None]])

    def __call__(self, x, u):
        """(worlds,) from states (worlds, steps + 1, nx) and controls (worlds, steps)."""
        effort = self.dt * self.R * (u**2).sum(axis=1)
        return (self.weights(u.shape[1]) * (x - self.goal) ** 2).sum(axis=(1, 2)) + effort


class Steps:
    """Control steps of `skip` physics steps of many states at once."""

    def __init__(self, xml, worlds, skip):
        self.model = mujoco.MjModel.from_xml_string(xml)
        self.batch, self.skip = mujoco.batch.Batch(self.model, worlds), skip
        self.qpos, self.qvel, self.ctrl = (self.batch.bind(name) for name in ("qpos", "qvel", "ctrl"))
        self.warm = self.batch.bind("qacc_warmstart")

    def __call__(self, x, u):
        """x (worlds, nx), u (worlds,): the states after it."""
        nq = self.model.nq
        self.qpos[:], self.qvel[:], self.ctrl[:, 0], self.warm[:] = x[:, :nq], x[:, nq:], u, 0.0
        self.batch.step(nstep=self.skip)
        return np.concatenate([self.qpos, self.qvel], axis=1)


class Differences:
    """iLQR (Tassa, Erez, Todorov 2012, with the control's limits of 2014) for one motor, derivatives by differences."""

    def __init__(self, xml, cost, steps, skip):
        self.cost, self.steps = cost, steps
        self.one, self.tries = Steps(xml, 1, skip), Steps(xml, len(ALPHAS), skip)
        self.nx = 2 * self.one.model.nv
        self.near = Steps(xml, 2 * steps * (self.nx + 1), skip)
        self.lo, self.hi = self.one.model.actuator_ctrlrange[0]
        self.mu, self.delta = 1e-3, 1.0

    def linearize(self, x, u):
        """A (steps, nx, nx), B (steps, nx): central differences, all in one launch."""
        n = self.nx + 1
        offsets = EPS * np.concatenate([np.eye(n), -np.eye(n)])
        z = (np.concatenate([x[:-1], u[:, None]], axis=1)[:, None] + offsets).reshape(-1, n)
        end = self.near(z[:, :-1], z[:, -1]).reshape(self.steps, 2 * n, self.nx)
        slope = ((end[:, :n] - end[:, n:]) / (2 * EPS)).transpose(0, 2, 1)
        return slope[:, :, :-1], slope[:, :, -1]

    def backward(self, x, u, A, B):
        """(k (steps,), K (steps, nx), expected change (2,)), or None where the control's curvature is not positive."""
        Q, c = self.cost.weights(self.steps), self.cost
        V, v = np.diag(2 * Q[-1]), 2 * Q[-1] * (x[-1] - c.goal[-1])
        k, K, expected = np.zeros(self.steps), np.zeros((self.steps, self.nx)), np.zeros(2)
        for t in reversed(range(self.steps)):
            goal = c.goal[min(t, len(c.goal) - 1)]
            q_x, q_u = 2 * Q[t] * (x[t] - goal) + A[t].T @ v, 2 * c.dt * c.R * u[t] + B[t] @ v
            VB = V @ B[t]
            q_xx, q_ux, q_uu = np.diag(2 * Q[t]) + A[t].T @ V @ A[t], VB @ A[t], 2 * c.dt * c.R + B[t] @ VB
            firm, firm_ux = q_uu + self.mu * B[t] @ B[t], q_ux + self.mu * B[t] @ A[t]
            if firm <= 0:
                return None
            k[t] = np.clip(-q_u / firm, self.lo - u[t], self.hi - u[t])
            if k[t] == -q_u / firm:
                K[t] = -firm_ux / firm
            expected += k[t] * q_u, 0.5 * k[t] ** 2 * q_uu
            v = q_x + K[t] * (q_uu * k[t] + q_u) + q_ux * k[t]
            V = q_xx + q_uu * np.outer(K[t], K[t]) + np.outer(K[t], q_ux) + np.outer(q_ux, K[t])
        return k, K, expected

    def rollout(self, tries, x, u, K):
        """States and controls of controls u (worlds, steps) with feedback K about x."""
        seen, done = [np.tile(x[0], (len(u), 1))], []
        for t in range(self.steps):
            done.append(np.clip(u[:, t] + (0.0 if K is None else (seen[-1] - x[t]) @ K[t]), self.lo, self.hi))
            seen.append(tries(seen[-1], done[-1]))
        return np.stack(seen, axis=1), np.stack(done, axis=1)

    def solve(self, start, u, iterations, tolerance=1e-6):
        """(states, controls, cost, gains, iterations done)."""
        x, u = self.rollout(self.one, np.asarray(start)[None], np.array(u)[None], None)
        x, u, cost, gains = x[0], u[0], self.cost(x, u)[0], np.zeros((self.steps, self.nx))
        done = 0
        while done < iterations:
            done += 1
            A, B = self.linearize(x, u)
            before, taken = cost, False
            while not taken and self.mu < 1e10:
                plan = self.backward(x, u, A, B)
                if plan is not None:
                    k, K, expected = plan
                    for tries, alphas, share in ((self.one, ALPHAS[:1], 0.5), (self.tries, ALPHAS, 1e-4)):
                        xs, us = self.rollout(tries, x, u + alphas[:, None] * k, K)
                        costs = self.cost(xs, us)
                        promised = -(alphas * expected[0] + alphas**2 * expected[1])
                        costs = np.where(cost - costs > np.maximum(share * promised, 0), costs, np.inf)
                        best = int(np.argmin(costs))
                        if np.isfinite(costs[best]):
                            x, u, cost, gains, taken = xs[best], us[best], costs[best], K, True
                            break
                self.delta = min(1 / 1.6, self.delta / 1.6) if taken else max(1.6, self.delta * 1.6)
                self.mu = self.mu * self.delta if taken else max(1e-6, self.mu * self.delta)
            if not taken or before - cost < tolerance * cost:
                break
        return x, u, cost, gains, done


class Sampling:
    """Predictive sampling (Howell et al. 2022) of a cart: plans of 10 knots, the best of 64 about the last one."""

    KNOTS, SAMPLES, WIDTH = 10, 64, 0.3

    def __init__(self, xml, cost, horizon, skip, target):
        """cost: a Cost, whose goal is (target(t), 0, 0, ...); a knot is held for an equal part of the horizon."""
        self.steps, self.cost, self.horizon, self.target = Steps(xml, self.SAMPLES, skip), cost, horizon, target
        self.knots, self.rng, self.held = np.zeros(self.KNOTS), np.random.default_rng(0), horizon // self.KNOTS

    def __call__(self, qpos, qvel, t):
        """The control (1,) for now."""
        steps, x, later = self.steps, np.r_[qpos, qvel], np.arange(self.KNOTS) + 1 / self.held
        self.cost.goal = np.zeros((self.horizon + 1, len(x)))
        self.cost.goal[:, 0] = [self.target(t + self.cost.dt * k) for k in range(self.horizon + 1)]
        kept = np.interp(later, np.arange(self.KNOTS), self.knots)  # what is left of the last plan
        noise = self.WIDTH * self.rng.normal(size=(self.SAMPLES - 1, self.KNOTS))
        plans = np.clip(kept + np.concatenate([np.zeros((1, self.KNOTS)), noise]), *steps.model.actuator_ctrlrange[0])
        steps.qpos[:], steps.qvel[:], steps.warm[:] = qpos, qvel, 0.0
        u = np.repeat(plans, self.held, axis=1)
        every = np.repeat(u, steps.skip, axis=1)[..., None]
        seen = steps.batch.rollout(every.shape[1], every, record=("qpos", "qvel"))
        after = np.concatenate([seen["qpos"], seen["qvel"]], axis=2)[:, steps.skip - 1 :: steps.skip]
        costs = self.cost(np.concatenate([np.tile(x, (self.SAMPLES, 1, 1)), after], axis=1), u)
        self.knots = plans[np.argmin(costs)]
        return self.knots[:1]


def load_by_least_squares(xml, guess, data, noise, step, window):
    """(a load's mass, centre and moments (7,), iterations), found with the windows' starts by MuJoCo's `minimize`."""
    m, rows, (t, angles, torques) = mujoco.MjModel.from_xml_string(xml), round(window / step), data
    load, first = m.body("load").id, np.arange(0, len(t) - rows + 1, rows)
    W = len(first)
    shown = np.stack([angles[k : k + rows] for k in first])
    push = np.stack([torques[k : k + rows] for k in first])
    speed = np.stack([(angles[k + 4] - angles[max(k - 4, 0)]) / (4 + min(k, 4)) / step for k in first])

    def residual(x):
        """(numbers measured, columns): each column of x is as many simulations as there are windows."""
        x, columns = x.T, x.shape[1]
        batch = mujoco.batch.Batch(m, columns * W)
        mass, centre, moments = (batch.expand(name) for name in ("body_mass", "body_ipos", "body_inertia"))
        load_of = np.repeat(x[:, :7], W, axis=0)
        mass[:, load], centre[:, load], moments[:, load] = load_of[:, 0], load_of[:, 1:4], load_of[:, 4:]
        batch.set_const()
        starts = x[:, 7:].reshape(columns * W, 8)
        batch.qpos, batch.qvel = starts[:, :4], starts[:, 4:]
        after = batch.rollout(rows - 1, np.tile(push[:, :-1], (columns, 1, 1)))["qpos"]
        moved = np.concatenate([starts[:, None, :4], after], axis=1).reshape(columns, W, rows, 4)
        return ((moved - shown) / noise).reshape(columns, -1).T

    x = np.r_[guess, np.concatenate([angles[first], speed], axis=1).ravel()]
    far = np.full(8 * W, 30.0)
    low, high = np.r_[0.1, np.full(3, -0.2), np.full(3, 1e-4)], np.r_[10.0, np.full(3, 0.2), np.full(3, 0.1)]
    bounds = [np.r_[low, -far], np.r_[high, far]]
    found, trace = mujoco.minimize.least_squares(x, residual, bounds, x_scale="jac", verbose=0)
    return found.ravel()[:7], len(trace)


class Throws:
    """Many throws of an arm at once, each with torques and proportions of its own."""

    def __init__(self, xml, worlds, flight):
        """flight(x, z, vx, vz): (how far a ball flies that is let go so, its slopes)."""
        self.model = m = mujoco.MjModel.from_xml_string(xml)
        self.batch, self.flight = mujoco.batch.Batch(m, worlds), flight
        self.places, self.sensors = self.batch.expand("body_pos"), self.batch.bind("sensordata")
        self.fore, self.hand = m.body("fore").id, m.body("hand").id

    def __call__(self, torques, elbow):
        """m, (worlds,), of torques (worlds, steps, 2) and elbows (worlds,), m from the shoulder."""
        self.places[:, self.fore, 2], self.places[:, self.hand, 2] = -elbow, elbow - 1
        self.batch.set_const()
        self.batch.reset()
        self.batch.rollout(torques.shape[1], torques, record=("qpos",))
        self.batch.forward()
        return np.array([self.flight(*row[[0, 2, 3, 5]])[0] for row in self.sensors])


def throw_slopes(throws, torques, elbow):
    """(distance, its slopes by torques (steps, 2) and by the elbow): central differences, all in one launch."""
    z = np.r_[torques.ravel(), elbow]
    offsets = np.concatenate([np.zeros((1, z.size)), EPS * np.eye(z.size), -EPS * np.eye(z.size)])
    rows = z + offsets
    found = throws(rows[:, :-1].reshape(-1, *torques.shape), rows[:, -1])
    slopes = (found[1 : z.size + 1] - found[z.size + 1 :]) / (2 * EPS)
    return found[0], slopes[:-1].reshape(torques.shape), slopes[-1:]


class Robots:
    """Control steps of `skip` physics steps of many robots at once, for a learner."""

    def __init__(self, path, worlds, skip):
        self.batch, self.skip = mujoco.batch.Batch(mujoco.MjModel.from_xml_path(str(path)), worlds), skip
        self.qpos, self.qvel, self.ctrl = (self.batch.bind(name) for name in ("qpos", "qvel", "ctrl"))

    def __call__(self, qpos, qvel, ctrl):
        """(qpos (worlds, nq), qvel, which worlds are no longer finite and stay where they were)."""
        self.qpos[:], self.qvel[:], self.ctrl[:] = qpos, qvel, ctrl
        self.batch.step(nstep=self.skip)
        lost = ~(np.isfinite(self.qpos).all(axis=1) & np.isfinite(self.qvel).all(axis=1))
        self.qpos[lost], self.qvel[lost] = qpos[lost], qvel[lost]
        return self.qpos.copy(), self.qvel.copy(), lost


class Transitions:
    """What control steps of any robot do, by one-sided differences both ways, all in one launch.

    Of both the smaller one is taken: where a contact begins or ends within a difference, on one side as a rule, that
    slope is the jump divided by EPS, and one such step in a plan spoils its whole backward pass.
    """

    def __init__(self, path, steps, skip, eps=1e-6):
        self.model, self.steps, self.skip, self.eps = mujoco.MjModel.from_xml_path(str(path)), steps, skip, eps
        m = self.model
        self.n = 2 * m.nv + m.nu
        self.batch = mujoco.batch.Batch(m, steps * (2 * self.n + 1))
        self.qpos, self.qvel, self.ctrl = (self.batch.bind(name) for name in ("qpos", "qvel", "ctrl"))
        self.warm = self.batch.bind("qacc_warmstart")

    def __call__(self, qpos, qvel, ctrl):
        """A (steps, nx, nx), B (steps, nx, nu) at rows of states and controls, of a robot whose actuators have no
        states."""
        m, n, each = self.model, self.n, 2 * self.n + 1
        offsets = self.eps * np.concatenate([np.zeros((1, n)), np.eye(n), -np.eye(n)])
        self.warm[:] = 0.0
        for k in range(self.steps):
            rows = slice(k * each, (k + 1) * each)
            for q, z in zip(self.qpos[rows], offsets, strict=True):
                q[:] = qpos[k]
                mujoco.mj_integratePos(m, q, z[: m.nv], 1.0)
            self.qvel[rows] = qvel[k] + offsets[:, m.nv : 2 * m.nv]
            self.ctrl[rows] = ctrl[k] + offsets[:, 2 * m.nv :]
        self.batch.step(nstep=self.skip)
        found = np.zeros((self.steps, each, 2 * m.nv))
        for k in range(self.steps):
            rows = slice(k * each, (k + 1) * each)
            for q, out in zip(self.qpos[rows], found[k], strict=True):
                mujoco.mj_differentiatePos(m, out[: m.nv], 1.0, self.qpos[k * each], q)
            found[k, :, m.nv :] = self.qvel[rows] - self.qvel[k * each]
        up, down = found[:, 1 : n + 1] / self.eps, -found[:, n + 1 :] / self.eps
        calm = np.where(np.square(up).sum(axis=2) < np.square(down).sum(axis=2), 1.0, 0.0)[..., None]
        slopes = (calm * up + (1 - calm) * down).transpose(0, 2, 1)
        return slopes[:, :, : 2 * m.nv].copy(), slopes[:, :, 2 * m.nv :].copy()
