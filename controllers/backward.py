"""The backward pass of iLQR: compiled (engine/box_ddp.py), and the same in NumPy, for where that does not run, and what
the tests compare it with. Some thirty calls for each step take longer than their work."""

import numpy as np

from controllers.box_qp import guessed, newton
from engine.compiler.backend import settings


def backward_pass(steps, nx, nu):
    """What goes backwards over a plan of `steps` steps, nx entries of the state and nu controls: compiled, but for a
    device, whose threads are slow one by one, and for f32, in which H is often not definite."""
    if settings().arch != "cpu" or settings().precision != "f64":
        return DensePass(steps, nx, nu)
    from engine.box_ddp import BackwardPass

    return BackwardPass(steps, nx, nu)


class DensePass:
    """As engine.box_ddp.BackwardPass."""

    def __init__(self, steps, nx, nu):
        self.sizes = steps, nx, nu

    def __call__(self, A, B, slope, places, curve, now, lo, hi, mu, gaps=None):
        T, nx, nu = self.sizes
        k, K = np.zeros((T, nu)), np.zeros((T, nu, nx))
        # x and u together: of all that is quadratic one product, of all that is solved one call; what needs no order
        # is done for all steps at once
        F, whole = np.concatenate([A, B], axis=2), np.zeros((T + 1, nx + nu, nx + nu))
        for (i, j), values in zip(places.tolist(), curve.T, strict=True):
            whole[:, i, j] += values
            if i != j:
                whole[:, j, i] += values
        stiffer = mu * (np.swapaxes(B, 1, 2) @ F)
        stiffer[:, np.arange(nu), nx + np.arange(nu)] += 1e-9
        lo, hi = lo - now, hi - now
        limited = bool(np.isfinite(lo).any() or np.isfinite(hi).any())
        H, Qu, curved = np.empty((T, nu, nx + nu)), np.empty((T, nu)), np.empty((T, nu))
        wanted, side = np.empty((nu, 1 + nx)), np.zeros(nu, int)
        Vx, V = slope[T, :nx], whole[T, :nx, :nx]
        try:
            for t in range(T - 1, -1, -1):
                f = F[t]
                Vx = Vx if gaps is None else Vx + V @ gaps[t]
                g, Q = slope[t] + Vx @ f, whole[t] + f.T @ (V @ f)
                gu, Qux, Quu = g[nx:], Q[nx:, :nx], Q[nx:, nx:]
                Huu = np.add(Q[nx:], stiffer[t], out=H[t])[:, nx:]
                wanted[:, 0], wanted[:, 1:] = gu, H[t, :, :nx]
                if limited:
                    u, gains, side = _held(Huu, wanted, lo[t], hi[t], side, k[min(t + 1, T - 1)])
                else:
                    found = -np.linalg.solve(Huu, wanted)
                    u, gains = found[:, 0], found[:, 1:]
                k[t], K[t], Qu[t] = u, gains, gu
                curved[t] = b = Quu @ u
                Vx = g[:nx] + (b + gu) @ gains + u @ Qux
                both = Qux.T @ gains
                V = Q[:nx, :nx] + gains.T @ (Quu @ gains) + (both + both.T)
            np.linalg.cholesky(H[:, :, nx:])
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(K).all():
            return None
        return k, K, np.array([np.vdot(k, Qu), 0.5 * np.vdot(k, curved)])


def _held(H, wanted, lo, hi, side, guess):
    """(u, gains, which limits hold); side: those that did a step later."""
    if not side.any():
        found = -np.linalg.solve(H, wanted)
        u = found[:, 0]
        if not ((u < lo) | (u > hi)).any():
            return u, found[:, 1:], side
    found = guessed(H, wanted, lo, hi, side)
    if found is not None:
        return found
    np.linalg.cholesky(H)
    u, free = newton(H, wanted[:, 0], lo, hi, guess)
    gains = np.zeros((len(H), wanted.shape[1] - 1))
    if free.any():
        gains[free] = -np.linalg.solve(H[np.ix_(free, free)], wanted[free, 1:])
    return u, gains, np.where(free, 0, np.where(u <= lo, -1, 1))
