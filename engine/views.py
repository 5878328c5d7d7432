"""Live NumPy views of a pack's buffers under MuJoCo's names; the first axis is the world."""

import numpy as np

from engine import schema as s

# name -> (buffer, symbol counted, width, column or None, layout)
_ROWS, _BLOCKS = "rows", "blocks"
_DATA = {
    "time": ("time", "one", 1, None, _ROWS),
    "qpos": ("qpos", "nq", 1, None, _ROWS),
    "qvel": ("qvel", "nv", 1, None, _ROWS),
    "act": ("act", "na", 1, None, _ROWS),
    "ctrl": ("ctrl", "nu", 1, None, _ROWS),
    "qacc_warmstart": ("qacc_warmstart", "nv", 1, None, _ROWS),
    "qfrc_applied": ("qfrc_applied", "nv", 1, None, _ROWS),
    "sensordata": ("sensordata", "nsensordata", 1, None, _ROWS),
    "actuator_force": ("actuator_force", "nu", 1, None, _ROWS),
    "act_dot": ("act_dot", "na", 1, None, _ROWS),
    "xpos": ("body", "nbody", s.NXV, s.X_POS, _ROWS),
    "xipos": ("body", "nbody", s.NXV, s.X_IPOS, _ROWS),
    "xquat": ("xquat", "nbody", 1, None, _ROWS),
    "geom_xpos": ("geom_xpos", "ngeom", 1, None, _ROWS),
    "geom_xquat": ("geom_xquat", "ngeom", 1, None, _ROWS),
    "dof_ang": ("dof", "nv", s.NSV_DOF, s.S_ANG, _ROWS),
    "dof_lin": ("dof", "nv", s.NSV_DOF, s.S_LIN, _ROWS),
    "qacc": ("dofr", "nv", s.NQR, s.QACC, _BLOCKS),
    "qfrc_bias": ("dofr", "nv", s.NQR, s.QFRC_BIAS, _BLOCKS),
    "qfrc_passive": ("dofr", "nv", s.NQR, s.QFRC_PASSIVE, _BLOCKS),
    "qfrc_actuator": ("dofr", "nv", s.NQR, s.QFRC_ACTUATOR, _BLOCKS),
    "qfrc_smooth": ("dofr", "nv", s.NQR, s.QFRC_SMOOTH, _BLOCKS),
    "qfrc_constraint": ("dofr", "nv", s.NQR, s.QFRC_CONSTRAINT, _BLOCKS),
}


class DataViews:
    """State and work of all worlds as arrays of shape (worlds, ...) that share the engine's memory.

    Writing to the state (`qpos qvel act ctrl qacc_warmstart qfrc_applied xfrc_applied time`) is how a simulation is
    set; the other arrays are results of the last `forward` or `step`. A copy of it has memory of its own: the state as
    it was. That of a simulator's copy is live there.
    """

    def __init__(self, pack, sizes, worlds):
        self._pack, self._sizes, self._worlds = pack, sizes, worlds
        views = {}
        for name, (buffer, symbol, width, column, layout) in _DATA.items():
            views[name] = _view(pack[buffer], worlds, sizes[symbol], width, column, layout)
        views["time"] = views["time"][:, 0]
        force = pack["xfrc_applied"][: worlds * sizes["nbody"] * 2]
        views["xfrc_applied"] = force.reshape(worlds, sizes["nbody"], 6)
        self.__dict__.update(views)  # found without a call; __setattr__ keeps them
        self._status = pack["world_i"].reshape(worlds, s.NWI)

    def __getstate__(self):
        return {name: a for name, a in self.__dict__.items() if name in ("_pack", "_sizes", "_worlds", "_tree")}

    def __setstate__(self, state):
        self.__init__(state["_pack"], state["_sizes"], state["_worlds"])
        self.__dict__.update(state)

    def __getattr__(self, name):
        raise AttributeError(f"data has no array {name!r}; it has: {', '.join(_DATA)}, xfrc_applied")

    def arrays(self):
        """{name: array}, all of them."""
        return {name: a for name, a in self.__dict__.items() if not name.startswith("_")}

    def __setattr__(self, name, value):
        if not name.startswith("_"):
            raise AttributeError(f"data.{name}: assign into the array, data.{name}[...] = value")
        super().__setattr__(name, value)

    @property
    def ncon(self):
        """Contacts of every world, shape (worlds,)."""
        return self._status[:, s.W_NCON]

    @property
    def solver_niter(self):
        """Newton iterations of the last acceleration, shape (worlds,)."""
        return self._status[:, s.W_NITER]

    def contacts(self, world=0):
        """Contacts of one world: a dict of arrays (pair, geom1, geom2 through pair; dist, pos, frame, force, dim).

        frame: (n, 3, 3), rows normal (from geom 1 to geom 2) and two tangents; force: in that frame, N.
        """
        n = int(self.ncon[world])
        cap = self._sizes["nconmax"]
        rows = slice(world * cap, world * cap + n)
        vec = self._pack["con_v"].reshape(-1, s.NCV, 3)[rows]
        ints = self._pack["con_i"].reshape(-1, s.NCI)[rows]
        real = self._pack["con_r"].reshape(-1, s.NCR)[rows]
        keep = ints[:, s.C_PAIR] >= 0
        vec, ints, real = vec[keep], ints[keep], real[keep]
        return {
            "pair": ints[:, s.C_PAIR].copy(),
            "dim": ints[:, s.C_DIM].copy(),
            "dist": real[:, s.C_DIST].copy(),
            "pos": vec[:, s.C_POS].copy(),
            "frame": vec[:, [s.C_N, s.C_T1, s.C_T2]].copy(),
            "force": vec[:, s.C_F].copy(),
        }

    def mass_matrix(self, world=0):
        """Dense joint-space mass matrix of one world, (nv, nv)."""
        nm = self._sizes["nm"]
        entries = self._pack["M"][world * nm :][:nm]
        full = np.zeros((self._sizes["nv"],) * 2)
        for k, (_, _, depth, row) in enumerate(self._tree):
            i, at = k, 4 * row + depth
            while i >= 0:
                full[k, i] = full[i, k] = entries[at]
                i, at = self._tree[i, s.E_PARENT], at - 1
        return full


def _view(array, worlds, count, width, column, layout):
    inner = array.shape[1:]
    flat = array[: worlds * count * width]
    if layout == _BLOCKS:
        return flat.reshape(worlds, width, count, *inner)[:, column]
    table = flat.reshape(worlds, count, width, *inner)
    return table[:, :, 0] if column is None else table[:, :, column]
