"""Live NumPy views of a pack's buffers under MuJoCo's names; the first axis is the world."""

import numpy as np

from engine import schema as s
from engine.named import KINDS

# MuJoCo's name, and that of the column where it is another
_DATA = dict.fromkeys(
    "time qpos qvel act ctrl qacc_warmstart qfrc_applied sensordata actuator_force act_dot xpos xipos xquat geom_xpos "
    "geom_xquat qacc qfrc_bias qfrc_passive qfrc_actuator qfrc_smooth qfrc_constraint".split()
) | {"dof_ang": "cdof_ang", "dof_lin": "cdof_lin"}


def column(pack, sizes, worlds, name):
    """A column of a pack of worlds, by its name in schema.py: (worlds, entities, ...)."""
    letter = next(k for k, v in s.LETTERS.items() if v == pack.name)
    b = s.PLACES[letter, name]
    n, inner, k = sizes[b.count], pack[b.name].shape[1:], b.columns[name].start
    flat = pack[b.name][: worlds * n * b.width]
    if b.blocks:
        return flat.reshape(worlds, b.width, n, *inner)[:, k]
    return flat.reshape(worlds, n, b.width, *inner)[:, :, k]


_CONTACT = ("pair", "dim", "dist", "pos", "force", "normal", "tangent1", "tangent2")


class DataViews:
    """State and work of all worlds as arrays of shape (worlds, ...) that share the engine's memory.

    Writing to the state (`qpos qvel act ctrl qacc_warmstart qfrc_applied xfrc_applied time`) is how a simulation is
    set; the other arrays are results of the last `forward` or `step`. A copy of it has memory of its own: the state as
    it was. That of a simulator's copy is live there.

    `body(name)`, and likewise `joint geom site actuator sensor`, is one element by its name or number (named.py), so
    `data.body("torso").xpos` is (worlds, 3).
    """

    def __init__(self, pack, sizes, worlds, model, tree):
        self._pack, self._sizes, self._worlds, self._model, self._tree = pack, sizes, worlds, model, tree
        views = {name: column(pack, sizes, worlds, other or name) for name, other in _DATA.items()}
        views["time"] = views["time"][:, 0]
        force = pack["xfrc_applied"][: worlds * sizes["nbody"] * 2]
        views["xfrc_applied"] = force.reshape(worlds, sizes["nbody"], 6)
        self.__dict__.update(views)  # found without a call; __setattr__ keeps them
        self._status = pack["world_i"].reshape(worlds, -1)

    def __getstate__(self):
        return self._pack, self._sizes, self._worlds, self._model, self._tree

    def __setstate__(self, state):
        self.__init__(*state)

    def __getattr__(self, name):
        raise AttributeError(
            f"data has no array {name!r}; it has: {', '.join(_DATA)}, xfrc_applied; of one element: {', '.join(KINDS)}"
        )

    def __repr__(self):
        arrays = ", ".join(f"{name} {a.shape[1:]}" for name, a in self.arrays().items())
        return f"<data of {self._worlds} worlds: {arrays}>"

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
        return self._status[:, s.start("d", "ncon")]

    @property
    def solver_niter(self):
        """Newton iterations of the last acceleration, shape (worlds,)."""
        return self._status[:, s.start("d", "solver_niter")]

    def contacts(self, world=0):
        """Contacts of one world: a dict of arrays (geom1, geom2, pair: of the model's candidates; dist, pos, frame,
        force, dim).

        frame: (n, 3, 3), rows normal (from geom 1 to geom 2) and two tangents; force: in that frame, N.
        """
        n = int(self.ncon[world])
        of = {c: column(self._pack, self._sizes, self._worlds, f"con_{c}")[world, :n] for c in _CONTACT}
        frame = np.stack([of.pop("normal"), of.pop("tangent1"), of.pop("tangent2")], axis=1)
        geoms = {f"geom{k}": getattr(self._model, f"pair_geom{k}")[of["pair"]] for k in (1, 2)}
        return geoms | of | {"frame": frame}

    def mass_matrix(self, world=0):
        """Dense joint-space mass matrix of one world, (nv, nv)."""
        nm = self._sizes["nm"]
        entries = self._pack["M"][world * nm :][:nm]
        full = np.zeros((self._sizes["nv"],) * 2)
        for k, (_, _, depth, row) in enumerate(self._tree):
            i, at = k, 4 * row + depth
            while i >= 0:
                full[k, i] = full[i, k] = entries[at]
                i, at = self._tree[i, 0], at - 1
        return full


def _element_of(kind):
    def element(self, name):
        if isinstance(name, str):
            return KINDS[kind](self, self._model, getattr(self._model, kind)(name))
        count = len(getattr(self._model, f"{kind}_names"))
        if isinstance(name, bool) or not isinstance(name, (int, np.integer)) or not 0 <= name < count:
            raise ValueError(f"{kind}: got {name!r}, allowed: a name, or a number below {count}")
        return KINDS[kind](self, self._model, name)

    element.__name__, element.__doc__ = kind, f"The {kind} of this name or number: {KINDS[kind].__doc__}"
    return element


for _kind in KINDS:
    setattr(DataViews, _kind, _element_of(_kind))
