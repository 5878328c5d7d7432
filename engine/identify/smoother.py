"""Starts of all windows and the numbers they share, from what each window says: least squares in a chain.

    [H  F_1' F_2' ..  ] [dp  ]     [g  ]
    [F_1  D_1  U_1    ] [dx_1] = - [g_1]          a log's windows, of which each hangs on the next by where it ends
    [F_2  U_1' D_2  ..] [dx_2]     [g_2]

From the first window to the last the starts are eliminated; backwards go their values and covariances, those of a
start with the numbers included (Rauch, Tung and Striebel 1965, with numbers; Takahashi 1973). A log that is held out
finds its starts for the present numbers and tells them nothing.
"""

from typing import NamedTuple

import numpy as np


class Smoothed(NamedTuple):
    """dp (np,), dx (windows, n): the step. covariance (windows, np + n, np + n) of numbers and each start. known (np,
    np): what all windows say about the numbers, priors included."""

    dp: np.ndarray
    dx: np.ndarray
    covariance: np.ndarray
    known: np.ndarray


def smoothed(value, slope, noise, follows, used, prior, pull, weak):
    """The Smoothed of windows that say value + slope (dp, dx) + noise = 0, (windows, m + n) of them. The last n rows
    are where a window ends, less where the next begins.

    noise (windows, m + n, m + n): covariances. follows (windows,): begins where the one before ends. used (windows,):
    what tells the numbers. prior (np,): information on numbers; pull (np,): its slope. weak (n,): information on each
    start.
    """
    W, rows, columns = slope.shape
    n = len(weak)
    P, m = columns - n, rows - n
    last = np.append(~follows[1:], True)
    K = np.zeros((W, rows, P + 2 * n))
    K[:, :, : P + n], K[:, m:, P + n :] = slope, -np.eye(n)
    value, R = value.copy(), noise.copy()
    K[last, m:], value[last, m:] = 0.0, 0.0
    R[last, m:], R[last, :, m:], R[last, m:, m:] = 0.0, 0.0, np.eye(n)
    both = np.linalg.solve(np.linalg.cholesky(R), np.concatenate([K, value[:, :, None]], axis=2))
    K, y = both[:, :, :-1], both[:, :, -1]
    N, g = np.swapaxes(K, 1, 2) @ K, np.einsum("wij,wi->wj", K, y)
    x, after = slice(P, P + n), slice(P + n, None)
    D, F, U = N[:, x, x] + np.diag(weak), N[:, x, :P], N[:, x, after]
    D[1:] += N[:-1, after, after]
    F[1:], gx = F[1:] + N[:-1, after, :P], g[:, x]
    gx[1:] += g[:-1, after]
    H, gp = N[used, :P, :P].sum(axis=0) + np.diag(prior), g[used, :P].sum(axis=0) + pull
    E = np.empty((W, n, n + P + 1))  # D^-1 (U, F, g), of what is left when the windows before are gone
    inverse = np.empty((W, n, n))
    for w in range(W):
        if follows[w]:
            back = U[w - 1].T
            D[w] -= back @ E[w - 1, :, :n]
            F[w] -= back @ E[w - 1, :, n:-1]
            gx[w] -= back @ E[w - 1, :, -1]
        inverse[w] = np.linalg.inv(0.5 * (D[w] + D[w].T))
        E[w] = inverse[w] @ np.concatenate([U[w], F[w], gx[w][:, None]], axis=1)
        if used[w]:
            H -= F[w].T @ E[w, :, n:-1]
            gp = gp - F[w].T @ E[w, :, -1]
    H = 0.5 * (H + H.T)
    of_p = np.linalg.inv(H)
    dp, dx, covariance = -of_p @ gp, np.empty((W, n)), np.empty((W, P + n, P + n))
    for w in reversed(range(W)):
        A, dx[w] = -E[w, :, n:-1], -E[w, :, -1] - E[w, :, n:-1] @ dp
        joint = of_p
        if not last[w]:  # a start hangs on the next one, too
            A, dx[w] = np.concatenate([A, -E[w, :, :n]], axis=1), dx[w] - E[w, :, :n] @ dx[w + 1]
            joint = covariance[w + 1]
        cross = A @ joint[:, :P]
        covariance[w, :P, :P], covariance[w, P:, :P], covariance[w, :P, P:] = of_p, cross, cross.T
        covariance[w, P:, P:] = inverse[w] + A @ joint @ A.T
    return Smoothed(dp, dx, covariance, H)
