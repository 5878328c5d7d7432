"""Live NumPy views of a pack's buffers under MuJoCo's names; the first axis is the world."""

from typing import TYPE_CHECKING

import numpy as np

from engine import schema as s
from engine.model import sleeping
from engine.model.cameras import followers, placed
from engine.model.constants import DISCRETE
from engine.model.plastic import plastic
from engine.named import KINDS, Actuator, Body, Geom, Joint, Sensor, Site, rotation
from engine.words import counted, meant, shapes

# MuJoCo's name, and that of the column where it is another
_DATA = dict.fromkeys(
    "time qpos qvel act ctrl mocap_pos mocap_quat eq_active qacc_warmstart qfrc_applied sensordata actuator_force "
    "act_dot xpos xipos xquat geom_xpos geom_xquat ten_length ten_velocity qacc qfrc_bias qfrc_passive qfrc_actuator "
    "qfrc_smooth qfrc_constraint".split()
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


# Worked out from others when they are asked for, by the properties of these names
_MADE = ("xmat", "geom_xmat", "site_xpos", "site_xmat", "subtree_com", "plastic", "tree_asleep")
_ARRAYS = (*_DATA, "xfrc_applied", *_MADE)

_CONTACT = ("pair", "dim", "dist", "pos", "force", "normal", "tangent1", "tangent2")


class DataViews:
    """State and work of all worlds as arrays of shape (worlds, ...) that share the engine's memory.

    Writing to the state (`qpos qvel act ctrl mocap_pos mocap_quat eq_active qacc_warmstart qfrc_applied xfrc_applied
    time`) is how a simulation is set. mocap_pos (worlds, nmocap, 3), mocap_quat (worlds, nmocap, 4): the poses of mocap
    bodies, whose quaternions count normalised. eq_active (worlds, neq): which equality constraints act, 0 or 1, from
    the next step on. The other arrays are results of the last `forward` or `step`. A copy of it has memory of its own:
    the state as it was. That of a simulator's copy is live there.

    `body(name)`, and likewise `joint geom site actuator sensor`, is one element by its name or number (named.py), so
    `data.body("torso").xpos` is (worlds, 3). xmat, geom_xmat, site_xpos, site_xmat, subtree_com, plastic and
    tree_asleep are worked out when they are asked for.
    """

    if TYPE_CHECKING:  # what the methods below and __init__ make
        time: np.ndarray
        qpos: np.ndarray
        qvel: np.ndarray
        act: np.ndarray
        ctrl: np.ndarray
        mocap_pos: np.ndarray
        mocap_quat: np.ndarray
        eq_active: np.ndarray
        qacc_warmstart: np.ndarray
        qfrc_applied: np.ndarray
        xfrc_applied: np.ndarray
        sensordata: np.ndarray
        actuator_force: np.ndarray
        act_dot: np.ndarray
        xpos: np.ndarray
        xipos: np.ndarray
        xquat: np.ndarray
        geom_xpos: np.ndarray
        geom_xquat: np.ndarray
        ten_length: np.ndarray
        ten_velocity: np.ndarray
        qacc: np.ndarray
        qfrc_bias: np.ndarray
        qfrc_passive: np.ndarray
        qfrc_actuator: np.ndarray
        qfrc_smooth: np.ndarray
        qfrc_constraint: np.ndarray
        dof_ang: np.ndarray
        dof_lin: np.ndarray

        def body(self, name: str | int) -> Body: ...
        def geom(self, name: str | int) -> Geom: ...
        def site(self, name: str | int) -> Site: ...
        def joint(self, name: str | int) -> Joint: ...
        def actuator(self, name: str | int) -> Actuator: ...
        def sensor(self, name: str | int) -> Sensor: ...

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

    if not TYPE_CHECKING:  # which would think that it has anything

        def __getattr__(self, name):
            near = meant(name, (*_ARRAYS, *KINDS, "contacts", "mass_matrix"))
            known, kinds = ", ".join(_ARRAYS), ", ".join(KINDS)
            raise AttributeError(f"data has no array {name!r}{near}; it has: {known}; of one element: {kinds}")

    def __repr__(self):
        return f"<data of {counted(self._worlds, 'world')}: {shapes(self.arrays())}>"

    def arrays(self) -> dict[str, np.ndarray]:
        """{name: array}, all of them."""
        return {name: a for name, a in self.__dict__.items() if not name.startswith("_")}

    def __setattr__(self, name, value):
        if not name.startswith("_"):
            raise AttributeError(f"data.{name}: assign into the array, data.{name}[...] = value")
        super().__setattr__(name, value)

    @property
    def ncon(self) -> np.ndarray:
        """Contacts of every world, shape (worlds,)."""
        return self._status[:, s.start("d", "ncon")]

    @property
    def solver_niter(self) -> np.ndarray:
        """Newton iterations of the last acceleration, shape (worlds,)."""
        return self._status[:, s.start("d", "solver_niter")]

    @property
    def xmat(self) -> np.ndarray:
        """Rotation matrices of the bodies' frames, (worlds, nbody, 3, 3): a new array, as are all of these."""
        return rotation(self.xquat)

    @property
    def geom_xmat(self) -> np.ndarray:
        """Rotation matrices of the geoms' frames, (worlds, ngeom, 3, 3)."""
        return rotation(self.geom_xquat)

    @property
    def site_xpos(self) -> np.ndarray:
        """Places of the sites, (worlds, nsite, 3), m."""
        m = self._model
        places = self.xpos[:, m.site_bodyid] + np.einsum("wsij,sj->wsi", self._site_bodies(), m.site_pos)
        for k in followers(m):
            places[:, k] = self._camera(k)[0]
        return places

    @property
    def site_xmat(self) -> np.ndarray:
        """Rotation matrices of the sites' frames, (worlds, nsite, 3, 3)."""
        turns = self._site_bodies() @ rotation(self._model.site_quat)
        for k in followers(self._model):
            turns[:, k] = self._camera(k)[1]
        return turns

    def _camera(self, k):
        return placed(self._model, k, self.xpos, self.xmat, self.subtree_com)

    def _site_bodies(self):
        return rotation(self.xquat[:, self._model.site_bodyid])

    @property
    def tree_asleep(self) -> np.ndarray:
        """Of each tree of bodies, (worlds, trees): from -11 up to -1 while it is awake, the longer slow the greater,
        else which tree sleeps with it next, in a cycle. Of a robot that cannot sleep -11."""
        if not sleeping.sleeps(self._model):
            return np.full((self._worlds, len(sleeping.first_bodies(self._model))), sleeping.AWAKE)
        return sleeping.tree_asleep(self._model, self.act)

    @property
    def subtree_com(self) -> np.ndarray:
        """Centre of mass of each body with all that hangs on it, (worlds, nbody, 3), m."""
        m = self._model
        mass, moment = (column(self._pack, self._sizes, self._worlds, f"crb_{name}") for name in ("mass", "com"))
        mass, moment = mass.copy(), moment + mass[..., None] * self.xpos[:, m.body_rootid]
        trees = np.flatnonzero(m.body_parentid == 0)[1:]  # the world's own are no part of the sweep
        mass[:, 0], moment[:, 0] = mass[:, trees].sum(axis=1), moment[:, trees].sum(axis=1)
        heavy = (mass > 0)[..., None]
        return np.where(heavy, moment / np.where(heavy, mass[..., None], 1), self.xipos)

    @property
    def plastic(self) -> np.ndarray:
        """Where springs whose rest yields are at rest, (worlds, nplastic): the coordinate of a hinge or slide, the
        quaternion of a ball, then the two lengths of each tendon, as in MuJoCo's mjData.plastic. How far these have
        moved from where the model has them stands last in `act`."""
        return plastic(self._model, self.act)

    def contacts(self, world: int = 0) -> dict[str, np.ndarray]:
        """Contacts of one world: arrays (geom1, geom2, pair: of the model's candidates; dist, pos, dim, frame, force,
        torque).

        frame: (n, 3, 3), rows normal (from geom 1 to geom 2) and two tangents; in that frame force, N, and torque, that
        of torsional and rolling friction, N m.
        """
        self._check(world)
        n = int(self.ncon[world])
        felt = column(self._pack, self._sizes, self._worlds, "con_d")[world, :n] > 0
        which = slice(n) if felt.all() else np.flatnonzero(felt)  # adhesion keeps those within a gap, too
        of = {c: column(self._pack, self._sizes, self._worlds, f"con_{c}")[world, which] for c in _CONTACT}
        frame = np.stack([of.pop("normal"), of.pop("tangent1"), of.pop("tangent2")], axis=1)
        geoms = {f"geom{k}": getattr(self._model, f"pair_geom{k}")[of["pair"]] for k in (1, 2)}
        torque = np.zeros_like(of["force"])
        turns = of["dim"] > 3
        if turns.any():
            torque[turns] = column(self._pack, self._sizes, self._worlds, "turn_force")[world, which][turns]
        return geoms | of | {"frame": frame, "torque": torque}

    def mass_matrix(self, world: int = 0) -> np.ndarray:
        """Dense joint-space mass matrix of one world, (nv, nv)."""
        self._check(world)
        return self.mass_matrices([world])[0]

    def _check(self, world):
        """Refuse what is no number of a world; negative ones count from the end, as in a list."""
        whole = isinstance(world, (int, np.integer)) and not isinstance(world, bool)
        if not whole or not -self._worlds <= world < self._worlds:
            raise IndexError(f"world: got {world!r}, allowed: a number below {self._worlds}")

    def mass_matrices(self, worlds: slice | list[int] = slice(None)) -> np.ndarray:
        """Dense joint-space mass matrices, (worlds, nv, nv)."""
        nm, nv = self._sizes["nm"], self._sizes["nv"]
        bare = "MhD" if self._model.opt.integrator == DISCRETE else "M"  # there M has become the metric
        entries = self._pack[bare][: self._worlds * nm].reshape(self._worlds, nm)[worlds]
        full = np.zeros((len(entries), nv, nv))
        for k, (_, _, depth, row) in enumerate(self._tree):
            i, at = k, 4 * row + depth
            while i >= 0:
                full[:, k, i] = full[:, i, k] = entries[:, at]
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
