"""MuJoCo's quantities about the centre of mass of each body's tree: `cinert`, `cvel`, `cfrc_ext`.

The engine keeps none of them. Its own spatial vectors are in world axes, too, but about the place of the tree's root
body, and of the inertias it keeps composite ones; so inertias are differences of those of a body and its children, and
with velocities moved to the other origin. External forces are a sum over contacts.
"""

from typing import NamedTuple

import numpy as np

from engine import schema as s


class TreeCentres:
    """Where each tree of bodies has its root and its centre of mass, as the last evaluation left them.

    `tree` (nbody,): which row of the answers is a body's; the world's own is without meaning.
    """

    def __init__(self, sim):
        m, n = sim.model, sim.worlds
        root = np.asarray(m.body_rootid)
        roots = np.unique(root[1:]) if m.nbody > 1 else np.zeros(1, int)
        self.trees = len(roots)
        self.tree = np.searchsorted(roots, root).clip(0, len(roots) - 1)
        self.fixed = bool((np.bincount(self.tree, m.body_dofnum, len(roots)) == 0).any())
        # a slice makes views, in a third of the time of indices
        self.roots = slice(roots[0], roots[0] + 1) if len(roots) == 1 else roots
        self.body, self.mass = sim.pack["body"].reshape(n, m.nbody, s.NXV, 3), sim.pack["crb_mass"].reshape(n, m.nbody)

    def __call__(self):
        """Places of the root bodies and, from there, of the centres of mass, (worlds, trees, 3) each, m."""
        root = self.body[:, self.roots, s.X_POS]
        # the composite body's first moment over its mass
        mass, moment = self.mass[:, self.roots, None], self.body[:, self.roots, s.H_COM]
        if self.fixed and not mass.all():
            # only what does not move can be without mass; MuJoCo then takes the root body's own centre
            own = self.body[:, self.roots, s.X_IPOS] - root
            mass, moment = np.where(mass > 0.0, mass, 1.0), np.where(mass > 0.0, moment, own)
        return root, moment / mass


# What moves with the origin, as one row of 16 numbers: inertia about the origin (xx yy zz, xy xz yz), mass times
# place of the centre of mass, mass, angular velocity, velocity of the point at the origin
_DIAGONAL, _OFF, _MOMENT, _MASS, _TURN, _SLIDE = (0, 1, 2), {(0, 1): 3, (0, 2): 4, (1, 2): 5}, 6, 9, 10, 13
_ROW = 16


def _shifts():
    """(13, 256): (1, c, c c^T) times it is the matrix X, of 16 x 16, that takes a row to the origin c: row @ X.

    Parallel axes: I' = I - 2 (c.h) 1 + c h^T + h c^T + m (c.c 1 - c c^T), h' = h - m c, v' = v + w x c. Each entry of X
    is one term or the sum of two, so that no order of summation matters.
    """
    one, first, second = 0, np.array([1, 2, 3]), 4 + np.arange(9).reshape(3, 3)
    x = np.zeros((13, _ROW, _ROW))
    x[one] = np.eye(_ROW)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        for a in (j, k):
            x[first[a], _MOMENT + a, _DIAGONAL[i]] = -2.0
            x[second[a, a], _MASS, _DIAGONAL[i]] = 1.0
        x[first[i], _MASS, _MOMENT + i] = -1.0
        x[first[k], _TURN + j, _SLIDE + i], x[first[j], _TURN + k, _SLIDE + i] = 1.0, -1.0
    for (i, j), off in _OFF.items():
        x[first[i], _MOMENT + j, off] = x[first[j], _MOMENT + i, off] = 1.0
        x[second[i, j], _MASS, off] = -1.0
    return x.reshape(13, -1)


class BodyMotions:
    """`cinert` and `cvel` of one simulator, made together."""

    def __init__(self, sim, centres):
        m, n = sim.model, sim.worlds
        self.shape, self.tree, self.mass = (n, m.nbody), centres.tree, sim.params.body_mass
        self.table = sim.pack["body"].reshape(n * m.nbody, 3 * s.NXV)
        columns = [s.ID_CRB, s.IO_CRB, s.H_COM, s.V_ANG, s.V_LIN]
        self.columns = (3 * np.array(columns)[:, None] + np.arange(3)).ravel()
        self.alone = np.eye(m.nbody)  # bodies by themselves, of composite ones: less their children
        children = np.flatnonzero(m.body_parentid > 0)
        self.alone[np.asarray(m.body_parentid)[children], children] = -1.0
        self.shifts, self.powers = _shifts(), np.ones((n * centres.trees, 13))
        self.first, self.second = self.powers[:, 1:4], self.powers[:, 4:].reshape(-1, 3, 3)

    def __call__(self, centre):
        """(worlds, nbody, 16): of each body `cinert` (10) and `cvel` (6); the world's are zero.

        centre: of mass of each tree, from the place of its root.
        """
        worlds, trees, _ = centre.shape
        c = centre.reshape(-1, 3)
        self.first[:] = c
        np.multiply(c[:, :, None], c[:, None], out=self.second)
        shift = self.powers.dot(self.shifts).reshape(worlds, trees, _ROW, _ROW)
        found = self.table.take(self.columns, axis=1).reshape(*self.shape, 15)
        rows = np.empty((*self.shape, _ROW))
        np.matmul(self.alone, found[..., :9], out=rows[..., :9])
        rows[..., 9], rows[..., 10:] = self.mass, found[..., 9:]
        if trees == 1:
            return rows @ shift[:, 0]
        return (rows[:, :, None] @ shift[:, self.tree])[:, :, 0]


class ExternalForces:
    """`Simulator.cfrc_ext` of one simulator, with what does not change from step to step.

    Follows the definition of mj_rnePostConstraint. NumPy calls of a few numbers cost some half a microsecond each, so
    there are few: what depends on a contact's pair is looked up, and the world's own, which nobody asks for, is summed
    like the others. No result depends on how many worlds there are.
    """

    def __init__(self, sim, centres):
        m, n, cap = sim.model, sim.worlds, sim.ncon_max
        self.shape, self.size, self.capacity = (n, m.nbody, 6), 6 * n * m.nbody, cap
        self.applied, self.xipos, self.ncon = sim.data.xfrc_applied, sim.data.xipos, sim.data.ncon
        vectors = sim.pack["con_v"].reshape(n * cap, s.NCV, 3)
        pair = sim.pack["con_i"].reshape(n * cap, s.NCI)[:, s.C_PAIR]
        # the frame's rows are N, T1, T2
        self.contacts = vectors[:, s.C_POS], vectors[:, s.C_N : s.C_T2 + 1], vectors[:, s.C_F, None], pair
        self.slots = np.arange(cap)
        self.tree, self.trees = centres.tree, centres.trees
        # of each pair its second body, which a contact pushes, and its first; a ball joint's limit is pair -1 - joint
        body, limits = np.asarray(m.geom_bodyid), np.zeros(m.njnt, int)
        sides = (np.append(body[m.pair_geom2], limits), True), (np.append(body[m.pair_geom1], limits), False)
        sides = [(bodies, pushed) for bodies, pushed in sides if bodies.any()]
        self.sides = [(self.tree[bodies], pushed) for bodies, pushed in sides]
        entries = [6 * bodies + np.arange(6)[:, None] for bodies, _ in sides]
        self.entries = np.concatenate(entries) if sides else np.zeros((0, 1), int)

    def __call__(self, com):
        """Torque about the tree's centre of mass and force, (worlds, nbody, 6); the world's own are zero.

        com: the centres of mass, (worlds, trees, 3).
        """
        applied = np.count_nonzero(self.applied)
        if not applied and not (self.sides and np.count_nonzero(self.ncon)):
            return np.zeros(self.shape)
        wrench = self._contacts(com).reshape(self.shape) if self.sides else np.zeros(self.shape)
        if applied:
            force, torque = self.applied[..., :3], self.applied[..., 3:]
            wrench[..., :3] += torque + np.cross(self.xipos - com[:, self.tree], force)
            wrench[..., 3:] += force
        wrench[:, 0] = 0.0
        return wrench

    def _contacts(self, com):
        """The part of the contacts, flat."""
        if self.shape[0] == 1:
            at, world = slice(self.ncon[0]), None
        else:
            at = np.flatnonzero(self.slots < self.ncon[:, None])
            world = at // self.capacity
        place, frame, force, pair = [a[at] for a in self.contacts]
        entries, com = self.entries.take(pair, axis=1), com.reshape(-1, 3)
        if world is not None:
            entries += 6 * self.shape[1] * world
        wrench = np.empty(entries.shape)
        (tree, pushed), *others = self.sides
        _wrenches(place, self._origin(com, tree, pair, world), frame, force, out=wrench[:6])
        for tree, _ in others:
            if self.trees > 1:
                _wrenches(place, self._origin(com, tree, pair, world), frame, force, out=wrench[6:])
                np.negative(wrench[6:], out=wrench[6:])
            else:
                np.negative(wrench[:6], out=wrench[6:])
        if not pushed:
            np.negative(wrench, out=wrench)
        # sums where contacts share a body
        return np.bincount(entries.ravel(), wrench.ravel(), self.size)

    def _origin(self, com, tree, pair, world):
        """Centres of mass of the trees that one of the contacts' bodies belongs to, (n, 3) or the same for all."""
        if self.trees == 1:
            return com if world is None else com.take(world, axis=0)
        tree = tree.take(pair)
        return com.take(tree if world is None else tree + self.trees * world, axis=0)


# rows of (force, arm), (6, n), whose products make arm x force: the first three less the last three
_CROSS = np.array([2, 0, 1, 1, 2, 0, 4, 5, 3, 5, 3, 4])


def _wrenches(place, origin, frame, force, out):
    """Torque and force, (6, n), of forces (n, 1, 3), given in frames (n, 3, 3), that act at places (n, 3).

    origin: what the torque is about, (n, 3) or the same for all.
    """
    both = np.empty(out.shape)  # contacts come last, because NumPy takes thrice as long for pieces of rows
    both[:3] = (force @ frame)[:, 0].T
    np.subtract(place.T, origin.T, out=both[3:])
    factors = both.take(_CROSS, axis=0)
    products = factors[:6] * factors[6:]
    np.subtract(products[:3], products[3:], out=out[:3])
    out[3:] = both[:3]


class ComBased(NamedTuple):
    """Of every tree its centre of mass, (worlds, trees, 3), by their roots; of every body the rest, (worlds, nbody, n),
    by MuJoCo's names, about the centre of mass of its tree, in world axes."""

    com: np.ndarray
    cinert: np.ndarray
    cvel: np.ndarray
    cfrc_ext: np.ndarray


class ComBasedOf:
    """Makes them for one simulator."""

    def __init__(self, sim):
        self.centres = TreeCentres(sim)
        self.motions, self.forces = BodyMotions(sim, self.centres), ExternalForces(sim, self.centres)

    def cfrc_ext(self):
        root, centre = self.centres()
        return self.forces(root + centre)

    def all(self):
        root, centre = self.centres()
        com, motions = root + centre, self.motions(centre)
        return ComBased(com, motions[..., :10], motions[..., 10:], self.forces(com))
