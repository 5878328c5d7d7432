"""External forces on bodies, MuJoCo's `cfrc_ext`: not stored by the engine, but a sum over its contacts."""

import numpy as np

from engine import schema as s


class TreeCentres:
    """Centre of mass of each tree of bodies, as the last evaluation left it.

    `tree` (nbody,): which row of the answer is a body's; the world's own is without meaning.
    """

    def __init__(self, sim):
        m, n = sim.model, sim.worlds
        root = np.asarray(m.body_rootid)
        roots = np.unique(root[1:]) if m.nbody > 1 else np.zeros(1, int)
        self.tree = np.searchsorted(roots, root).clip(0, len(roots) - 1)
        self.fixed = bool((np.bincount(self.tree, m.body_dofnum, len(roots)) == 0).any())
        # a slice makes views, in a third of the time of indices
        self.roots = slice(roots[0], roots[0] + 1) if len(roots) == 1 else roots
        self.body, self.mass = sim.pack["body"].reshape(n, m.nbody, s.NXV, 3), sim.pack["crb_mass"].reshape(n, m.nbody)

    def __call__(self):
        """(worlds, trees, 3), m: the root's place and, from there, the composite body's first moment over its mass."""
        mass, moment = self.mass[:, self.roots, None], self.body[:, self.roots, s.H_COM]
        if self.fixed and not mass.all():
            # only what does not move can be without mass; MuJoCo then takes the root body's own centre
            own = self.body[:, self.roots, s.X_IPOS] - self.body[:, self.roots, s.X_POS]
            mass, moment = np.where(mass > 0.0, mass, 1.0), np.where(mass > 0.0, moment, own)
        return moment / mass + self.body[:, self.roots, s.X_POS]


class ExternalForces:
    """`Simulator.cfrc_ext` of one simulator, with what does not change from step to step.

    Follows the definition of mj_rnePostConstraint. NumPy calls of a few numbers cost some half a microsecond each, so
    there are few: what depends on a contact's pair is looked up, and the world's own, which nobody asks for, is summed
    like the others. No result depends on how many worlds there are.
    """

    def __init__(self, sim):
        m, n, cap = sim.model, sim.worlds, sim.ncon_max
        self.shape, self.size, self.capacity = (n, m.nbody, 6), 6 * n * m.nbody, cap
        self.applied, self.xipos, self.ncon = sim.data.xfrc_applied, sim.data.xipos, sim.data.ncon
        vectors = sim.pack["con_v"].reshape(n * cap, s.NCV, 3)
        pair = sim.pack["con_i"].reshape(n * cap, s.NCI)[:, s.C_PAIR]
        # the frame's rows are N, T1, T2
        self.contacts = vectors[:, s.C_POS], vectors[:, s.C_N : s.C_T2 + 1], vectors[:, s.C_F, None], pair
        self.slots = np.arange(cap)
        self.centres = TreeCentres(sim)
        self.one_tree = not self.centres.tree.any()
        # of each pair its second body, which a contact pushes, and its first; a ball joint's limit is pair -1 - joint
        body, limits = np.asarray(m.geom_bodyid), np.zeros(m.njnt, int)
        sides = (np.append(body[m.pair_geom2], limits), True), (np.append(body[m.pair_geom1], limits), False)
        self.sides = [
            (self.centres.tree[bodies], 6 * bodies + np.arange(6)[:, None], pushed)
            for bodies, pushed in sides if bodies.any()
        ]  # fmt: skip

    def __call__(self):
        """Torque about the tree's centre of mass and force, (worlds, nbody, 6); the world's own are zero."""
        applied = np.count_nonzero(self.applied)
        if not applied and not np.count_nonzero(self.ncon):
            return np.zeros(self.shape)
        com = self.centres()
        wrench = self._contacts(com).reshape(self.shape)
        if applied:
            force, torque = self.applied[..., :3], self.applied[..., 3:]
            wrench[..., :3] += torque + np.cross(self.xipos - com[:, self.centres.tree], force)
            wrench[..., 3:] += force
        wrench[:, 0] = 0.0
        return wrench

    def _contacts(self, com):
        """The part of the contacts, flat; `com` (worlds, trees, 3)."""
        worlds, trees, _ = com.shape
        if worlds == 1:
            at, world = slice(self.ncon[0]), None
        else:
            at = np.flatnonzero(self.slots < self.ncon[:, None])
            world = at // self.capacity
        place, frame, force, pair = [a[at] for a in self.contacts]
        com, each, total = com.reshape(-1, 3), None, None
        for tree, entries, pushed in self.sides:
            entries = entries.take(pair, axis=1)
            if world is not None:
                entries += 6 * self.shape[1] * world
            if each is None or not self.one_tree:
                each = _wrenches(place, self._origin(com, tree, trees, pair, world), frame, force)
            part = np.bincount(entries.ravel(), each.ravel(), self.size)  # sums where contacts share a body
            if not pushed:
                part = -part
            total = part if total is None else total + part
        return np.zeros(self.size) if total is None else total

    def _origin(self, com, tree, trees, pair, world):
        """Centres of mass of the trees that one of the contacts' bodies belongs to, (n, 3) or the same for all."""
        if self.one_tree:
            return com if world is None else com.take(world, axis=0)
        tree = tree.take(pair)
        return com.take(tree if world is None else tree + trees * world, axis=0)


# rows of (force, arm), (6, n), whose products make arm x force: the first three less the last three
_CROSS = np.array([2, 0, 1, 1, 2, 0, 4, 5, 3, 5, 3, 4])


def _wrenches(place, origin, frame, force):
    """Torque and force, (6, n), of forces (n, 1, 3), given in frames (n, 3, 3), that act at places (n, 3).

    origin: what the torque is about, (n, 3) or the same for all.
    """
    n = len(place)  # comes last, because NumPy takes thrice as long for pieces of rows as for whole ones
    wrench, both = np.empty((6, n)), np.empty((6, n))
    both[:3] = (force @ frame)[:, 0].T
    np.subtract(place.T, origin.T, out=both[3:])
    factors = both.take(_CROSS, axis=0)
    products = factors[:6] * factors[6:]
    np.subtract(products[:3], products[3:], out=wrench[:3])
    wrench[3:] = both[:3]
    return wrench
