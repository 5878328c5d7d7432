"""Which numbers of a row a Hessian couples, and what becomes of its entries in the tangent space."""

import numpy as np

from controllers.sparse import components, distinct
from engine.model.coordinates import QUATERNION, coordinates, quaternions


class Pattern:
    """Entries of a symmetric matrix by numbers y of a row, those at and below its diagonal, which is there.

    y: numbers of a row (qpos, qvel, act, ctrl, sensordata) that count, n: how many of all there are without sensors,
    width: with those that a gradient has. pattern (len(y), len(y)): booleans.

    rows, columns: where in y an entry lies. colour (len(y),): numbers of the same colour share no row. ways: directions
    in which all of a colour are moved, and at last all at random.
    places (ne, 2): where entries lie in the tangent space, (x, u) and behind them the sensors of y; many an entry of
    quaternions becomes several, and several become one.
    """

    def __init__(self, model, pattern, y, n, width):
        self.model, self.y, self.unread = model, y, np.setdiff1d(np.arange(width), y)
        self.rows, self.columns = np.nonzero(np.tril(pattern))
        self.colour = distinct(pattern)
        self.ways = np.zeros((self.colour.max(initial=0) + 2, width))
        self.ways[self.colour, y] = 1.0
        self.ways[-1] = np.random.default_rng(0).uniform(0.5, 1.5, width)
        self.nx, self.size = 2 * model.nv + model.na, 2 * model.nv + model.na + model.nu
        self.quaternions = quaternions(model)
        scalars = [c for c in coordinates(model) if c.kind != QUATERNION]
        self.scalars, self.dofs = (np.array([getattr(c, n) for c in scalars], int) for n in ("qposadr", "dofadr"))
        self._place(n)
        self._split()
        self.active = None

    def times(self, curve, v):
        """The matrices (rows, ne) times vectors (rows or 1, len(y))."""
        off = np.flatnonzero(self.rows != self.columns)
        into = np.concatenate([self.rows, self.columns[off]])
        values = np.concatenate([curve * v[:, self.columns], curve[:, off] * v[:, self.rows[off]]], axis=1)
        order = np.argsort(into, kind="stable")  # every row has its diagonal
        return np.add.reduceat(values[:, order], np.searchsorted(into[order], np.arange(len(self.y))), axis=1)

    # ------------------------------------------------------------------------------------------ the tangent space

    def _place(self, n):
        """Where entries go: `plain` ones as they are, others in terms with the turns of quaternions."""
        m, there = self.model, {}
        for k, (kind, q, v, _) in enumerate(sorted(coordinates(m), key=lambda c: c.kind != QUATERNION)):
            if kind == QUATERNION:
                there |= {q + c: [(v + a, 1 + 12 * k + 3 * c + a) for a in range(3)] for c in range(4)}
            else:
                there[q] = [(v, 0)]
        there |= {m.nq + i: [(m.nv + i, 0)] for i in range(n - m.nq)}
        there |= {s: [(self.size + i, 0)] for i, s in enumerate(self.y[self.y >= n].tolist())}
        found, self.plain, terms = {}, [], []
        for e, (i, j) in enumerate(zip(self.y[self.rows].tolist(), self.y[self.columns].tolist(), strict=True)):
            for a, p in there[i]:
                for b, q in there[j]:
                    if i == j and b > a:
                        continue
                    place = found.setdefault((max(a, b), min(a, b)), len(found))
                    if p == q == 0:
                        self.plain.append((place, e))
                    else:
                        terms.append((place, e, p, q, 2.0 if i != j and a == b else 1.0))
        self.own = [(c, [found[c.dofadr + a, c.dofadr + a] for a in range(3)]) for c in self.quaternions]
        self.places = np.array(list(found), np.int32).reshape(-1, 2)
        self.plain = np.array(self.plain, int).reshape(-1, 2).T
        terms = sorted(terms)
        self.into = np.array(sorted({t[0] for t in terms}), int)
        self.starts = np.searchsorted([t[0] for t in terms], self.into)
        self.terms = [np.array([t[k] for t in terms], int) for k in (1, 2, 3)]
        self.twice = np.array([t[4] for t in terms])

    def _split(self):
        """What is coupled there, part by part: numbers of entries, and where they lie in the part."""
        many = int(self.places.max(initial=0)) + 1
        coupled = np.zeros((many, many), bool)
        coupled[self.places[:, 0], self.places[:, 1]] = coupled[self.places[:, 1], self.places[:, 0]] = True
        parts = components(coupled)
        alone = np.concatenate([part for part in parts if len(part) == 1] or [np.zeros(0, int)])
        self.alone = np.flatnonzero(np.isin(self.places, alone).all(axis=1))
        self.parts = []
        for part in parts:
            if len(part) > 1:
                entries = np.flatnonzero(np.isin(self.places, part).all(axis=1))
                self.parts.append((len(part), entries, *np.searchsorted(part, self.places[entries]).T))

    def in_tangent(self, qpos, gradient, curve):
        """(slope, places, curve): gradient (rows, width) by all numbers and curve (rows, ne) at qpos (rows, nq) in the
        tangent space, sensors of y last; the matrices are made positive semidefinite."""
        m = self.model
        slope = np.empty((len(gradient), len(self.y) + m.nv - m.nq))
        slope[:, self.dofs] = gradient[:, self.scalars]
        slope[:, m.nv :] = gradient[:, self.y[m.nq :]]
        values = np.empty((len(gradient), len(self.places)))
        values[:, self.plain[0]] = curve[:, self.plain[1]]
        if self.quaternions:
            turns = self._turns(qpos)
            entry, p, q = self.terms
            terms = curve[:, entry] * (self.twice * turns[:, p] * turns[:, q])
            values[:, self.into] = np.add.reduceat(terms, self.starts, axis=1)
            for k, (c, diagonal) in enumerate(self.own):
                at, turn = slice(c.qposadr, c.qposadr + 4), turns[:, 1 + 12 * k : 13 + 12 * k].reshape(-1, 4, 3)
                slope[:, c.dofadr : c.dofadr + 3] = (gradient[:, at, None] * turn).sum(axis=1)
                # a turn bends the way of its quaternion, by -q / 4
                values[:, diagonal] -= 0.25 * (gradient[:, at] * qpos[:, at]).sum(axis=1)[:, None]
        self._positive(values)
        return slope, self.places, values

    def _turns(self, qpos):
        """d(quaternion) / d(turn about its own axes), (rows, 1 + 12 quaternions), q (0, e) / 2; the first column is
        one."""
        turns = np.empty((len(qpos), 1 + 12 * len(self.quaternions)))
        turns[:, 0] = 1.0
        for k, c in enumerate(self.quaternions):
            w, x, y, z = 0.5 * qpos[:, c.qposadr : c.qposadr + 4].T
            for i, column in enumerate((-x, -y, -z, w, -z, y, z, w, -x, -y, x, w)):
                turns[:, 1 + 12 * k + i] = column
        return turns

    def _positive(self, values):
        """The nearest positive semidefinite matrices, in place, part by part of what is coupled."""
        values[:, self.alone] = np.maximum(values[:, self.alone], 0.0)
        for size, entries, i, j in self.parts:
            of_part = values[:, entries]
            off = i != j
            if not of_part[:, off].any():
                values[:, entries[~off]] = np.maximum(of_part[:, ~off], 0.0)
                continue
            block = np.zeros((len(values), size, size))
            block[:, i, j] = block[:, j, i] = of_part
            rows = np.flatnonzero(of_part.any(axis=1))
            if _definite(block[rows]):
                continue
            eigenvalues, vectors = np.linalg.eigh(block[rows])
            block[rows] = (vectors * np.maximum(eigenvalues, 0.0)[:, None, :]) @ np.swapaxes(vectors, 1, 2)
            values[:, entries] = block[:, i, j]

    # ---------------------------------------------------------------------------------------------------- sensors

    def through(self, S, slope, curve):
        """The same by x and u alone, sensors being linear in them: S (rows, sensors, nx + nu)."""
        n, places = self.size, self.places
        sensed, own = (places[:, 0] >= n) & (places[:, 1] >= n), places[:, 0] < n
        r = slope.shape[1] - n
        H = np.zeros((len(S), r, r))
        i, j = places[sensed].T - n
        H[:, i, j] = H[:, j, i] = curve[:, sensed]
        crossing = np.flatnonzero((places[:, 0] >= n) & (places[:, 1] < n))
        cross = np.zeros((len(S), n, r))
        cross[:, places[crossing, 1], places[crossing, 0] - n] = curve[:, crossing]
        active = np.flatnonzero(S.any(axis=(0, 1)) | cross.any(axis=(0, 2)))
        if self.active is None or not np.array_equal(active, self.active[0]):
            i, j = np.tril_indices(len(active))
            more = np.stack([active[i], active[j]], axis=1)
            self.active = active, i, j, np.concatenate([places[own], more]).astype(np.int32)
        active, i, j, places = self.active
        S = np.ascontiguousarray(S[:, :, active])
        T = np.swapaxes(S, 1, 2)
        both = T @ (H @ S)
        if len(crossing):
            half = cross[:, active] @ S
            both = both + half + np.swapaxes(half, 1, 2)
        slope, sensors = slope[:, :n].copy(), slope[:, n:]
        slope[:, active] += (T @ sensors[:, :, None])[..., 0]
        return slope, places, np.concatenate([curve[:, own], both[:, i, j]], axis=1)


def _definite(matrices):
    """Whether all are positive definite: asked in a fraction of the time that eigenvalues take."""
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        return False
    return True
