"""Linear-quadratic regulators: at a point, and along a trajectory.

Anderson and Moore, Optimal Control: Linear Quadratic Methods (1990), chapter 2 and section 2.4. With
x_(t+1) = A x_t + B u_t the gain that minimises sum x'Qx + u'Ru is K = (R + B'PB)^-1 B'PA, u = -K x.
"""

from typing import Any

import numpy as np

from controllers.linear_feedback import LinearFeedback
from engine.model import Model, require_model
from engine.replay import set_inputs
from engine.simulator import Simulator

GROWS = 1e-3  # a step: slower is as good as still
SAME, LOST = 1e-9, 1e-9  # eigenvalues that differ by less are one; what less than this moves, nothing does


def lqr(A: Any, B: Any, Q: Any, R: Any) -> Any:
    """(K (nu, nx), P (nx, nx)): u = -K x minimises sum x'Qx + u'Ru for ever; P solves the discrete Riccati equation.

    A (nx, nx), B (nx, nu) of one control step (`sim.linearize(frame_skip)`), Q positive semidefinite, R positive
    definite; numbers stand for multiples of the identity. Needs SciPy (extra `scipy`). Raises ValueError when there is
    no stabilising solution, which is so when something unstable cannot be controlled.
    """
    A, B, Q, R = _checked(A, B, Q, R)
    try:
        from scipy.linalg import LinAlgError, solve_discrete_are
    except ImportError as e:
        raise ImportError('lqr needs SciPy: pip install "pullback[scipy]"') from e
    try:
        P = solve_discrete_are(A, B, Q, R)
    except (LinAlgError, ValueError) as e:
        raise ValueError(f"lqr: no stabilising solution ({e}); is what is unstable controllable?") from None
    K = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    # near the edge rounding decides whether SciPy notices
    radius = np.abs(np.linalg.eigvals(A - B @ K)).max()
    if not radius < 1:
        raise ValueError(
            f"lqr: no stabilising solution (the closed loop's largest eigenvalue is {radius:.6g}, allowed: below 1); "
            f"is what is unstable controllable?"
        )
    return K, P


def riccati(A, B, Q, R, last):
    """Gains (T, nu, nx) of the time-varying problem by the Riccati recursion from P_T = `last` backwards.

    A (T, nx, nx), B (T, nx, nu); Q, R as in `lqr`, the same at every step.
    """
    P, gains = np.array(last, float), np.zeros((len(A), B.shape[2], A.shape[1]))
    for t in reversed(range(len(A))):
        G = B[t].T @ P
        gains[t] = np.linalg.solve(R + G @ B[t], G @ A[t])
        P = Q + A[t].T @ P @ (A[t] - B[t] @ gains[t])
        P = 0.5 * (P + P.T)
    return gains


def settled(A, B, Q, R, steps=2000):
    """(K (nu, nx), P (nx, nx)) that the Riccati recursion has come to after so many steps, without SciPy.

    As `lqr`, which also tells whether there is anything to come to.
    """
    P = np.array(Q, float)
    for _ in range(steps):
        G = B.T @ P
        K = np.linalg.solve(R + G @ B, G @ A)
        P = Q + A.T @ P @ (A - B @ K)
        P = 0.5 * (P + P.T)
    return K, P


def uncontrolled(A, B):
    """(nx, k), orthonormal columns: the directions w of x of which w'x grows by itself whatever the controls do.

    By Hautus' test: w is a left eigenvector of A whose eigenvalue is beyond 1 by GROWS, with w'B = 0.
    """
    values = np.linalg.eigvals(A)
    values = values[(np.abs(values) > 1.0 + GROWS) & (values.imag >= 0)]
    B = B / max(np.abs(B).max(initial=0.0), 1e-300)
    found = []
    for value in values[np.r_[True, np.abs(np.diff(values)) > SAME]] if len(values) else ():
        _, size, rows = np.linalg.svd(np.concatenate([A.T - value * np.eye(len(A)), B.T + 0.0 * value]))
        found += [part for w in rows[size < LOST].conj() for part in (w.real, w.imag)]
    u, size, _ = np.linalg.svd(np.array(found).reshape(-1, len(A)).T, full_matrices=False)
    return u[:, size > 1e-6]


def linearization(model: Model, trajectory: Any, frame_skip: int = 1, world: int = 0, sim: Any = None) -> Any:
    """A (T, nx, nx), B (T, nx, nu) of every control step along one world of a recorded trajectory (record_every=1).

    Every step is linearised in a world of its own, as many at once as `sim`, a Simulator of `model` to use again, has
    worlds; default all.
    """
    require_model(model)
    steps = len(trajectory.ctrl)
    if len(trajectory.qpos) != steps + 1:
        raise ValueError(f"linearization: {steps} steps but {len(trajectory.qpos)} rows; record with record_every=1")
    sim = sim or Simulator(model, steps)
    found = []
    for first in range(0, steps, sim.worlds):
        rows = np.minimum(first + np.arange(sim.worlds), steps - 1)  # the last ones more than once
        sim.reset(trajectory.qpos[rows, world], trajectory.qvel[rows, world])
        sim.data.act[:] = trajectory.act[rows, world]
        set_inputs(sim.data, trajectory, rows, world)
        found.append(sim.linearize(frame_skip))
    A, B = found[0] if len(found) == 1 else (np.concatenate(each)[:steps] for each in zip(*found, strict=True))
    return A, B


def tvlqr(
    model: Model, trajectory: Any, Q: Any, R: Any, last: Any = None, frame_skip: int = 1, world: int = 0,
    limits: Any = "model",
) -> Any:  # fmt: skip
    """LinearFeedback that keeps the robot on one world of a recorded trajectory, by time-varying LQR.

    Q (nx, nx), R (nu, nu) or numbers; last: weight of the final state, default Q. Returns the controller; after its
    last step it holds the last gain and reference.
    """
    A, B = linearization(model, trajectory, frame_skip, world)
    _, _, Q, R = _checked(A[0], B[0], Q, R)
    K = riccati(A, B, Q, R, Q if last is None else _matrix("last", last, len(Q)))
    steps = slice(0, len(K))
    return LinearFeedback(
        model, K, trajectory.qpos[steps, world], trajectory.qvel[steps, world], trajectory.act[steps, world],
        trajectory.ctrl[:, world], limits=limits,
    )  # fmt: skip


def _checked(A, B, Q, R):
    A, B = np.asarray(A, float), np.asarray(B, float)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or B.ndim != 2 or len(B) != len(A):
        raise ValueError(f"A, B: got shapes {A.shape}, {B.shape}, allowed: (nx, nx), (nx, nu) of one world")
    if B.size == 0:
        raise ValueError(f"B: got shape {B.shape}, allowed: (nx, nu) of a robot with joints and actuators")
    R = _matrix("R", R, B.shape[1])
    if np.linalg.eigvalsh(R).min() <= 0:
        raise ValueError("R: allowed: a positive definite matrix")
    return A, B, _matrix("Q", Q, len(A)), R


def _matrix(name, value, n):
    a = np.asarray(value, float)
    a = a * np.eye(n) if a.ndim == 0 else np.diag(a) if a.ndim == 1 else a
    if a.shape != (n, n) or not np.allclose(a, a.T):
        raise ValueError(f"{name}: got shape {np.shape(value)}, allowed: a number, ({n},) or a symmetric ({n}, {n})")
    return a
