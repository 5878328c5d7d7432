"""State and results by the names of a robot's elements: `data.body("torso").xpos`, as in MuJoCo's own Python package.

What is asked for is a slice of the live arrays, worlds first: (worlds, ...). Rotation matrices and the poses of sites
are worked out when they are asked for.
"""

from typing import TYPE_CHECKING

import numpy as np

from engine.model.cameras import placed
from engine.model.constants import CAM_TRACK, NQ, NV
from engine.model.servos import states_of
from engine.words import meant


class Named:
    """One element of all worlds; its attributes are live arrays or, where nothing holds them, new ones."""

    id: int
    name: str
    _fields = {}  # name -> function of (data, model, index)

    def __init__(self, data, model, index):
        self.__dict__.update(_data=data, _model=model, id=int(index), name=getattr(model, f"{self._kind}_names")[index])

    if not TYPE_CHECKING:  # which would think that it has anything

        def __getattr__(self, name):
            if name in self._fields:
                return self._fields[name](self._data, self._model, self.id)
            near, known = meant(name, self._fields), ", ".join(self._fields)
            raise AttributeError(f"{self._kind} {self.name!r} has no {name!r}{near}; it has: {known}, id, name")

    def __setattr__(self, name, value):
        raise AttributeError(f"{self._kind}.{name}: assign into the array, ....{name}[...] = value")

    def __dir__(self):
        return [*self._fields, "id", "name"]

    def __repr__(self):
        shapes = ", ".join(f"{name} {np.shape(getattr(self, name))}" for name in self._fields)
        return f"<{self._kind} {self.name!r}: {shapes}>"


def rotation(quat):
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    w, x, y, z = np.moveaxis(quat, -1, 0)
    rows = (
        (w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z),
    )
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _row(array):
    return lambda d, m, i: getattr(d, array)[:, i]


def _matrix(array):
    return lambda d, m, i: rotation(getattr(d, array)[:, i])


def _dofs(array):
    return lambda d, m, i: getattr(d, array)[:, m.jnt_dofadr[i] :][:, : NV[int(m.jnt_type[i])]]


def _subtree(d, m, i):
    return d.subtree_com[:, i]


def _site_place(d, m, i):
    if m.site_camera[i] >= CAM_TRACK:
        return _camera(d, m, i)[0]
    b = m.site_bodyid[i]
    return d.xpos[:, b] + rotation(d.xquat[:, b]) @ m.site_pos[i]


def _site_turn(d, m, i):
    if m.site_camera[i] >= CAM_TRACK:
        return _camera(d, m, i)[1]
    return rotation(d.xquat[:, m.site_bodyid[i]]) @ rotation(m.site_quat[i])


def _camera(d, m, i):
    return placed(m, i, d.xpos, rotation(d.xquat), d.subtree_com)


def _activation(d, m, i):
    return d.act[:, m.actuator_actadr[i] :][:, : int(states_of(m)[i])]


def _reading(d, m, i):
    return d.sensordata[:, m.sensor_adr[i] :][:, : m.sensor_dim[i]]


class Body(Named):
    """A body. xpos, xquat, xmat: its frame; xipos: centre of mass, m; subtree_com: that of it and all that hangs on it;
    xfrc_applied: force and torque on it (input)."""

    xpos: np.ndarray
    xquat: np.ndarray
    xmat: np.ndarray
    xipos: np.ndarray
    subtree_com: np.ndarray
    xfrc_applied: np.ndarray

    _kind = "body"
    _fields = {
        "xpos": _row("xpos"), "xquat": _row("xquat"), "xmat": _matrix("xquat"), "xipos": _row("xipos"),
        "subtree_com": _subtree, "xfrc_applied": _row("xfrc_applied"),
    }  # fmt: skip


class Geom(Named):
    """A geom: xpos, xquat, xmat of its frame."""

    xpos: np.ndarray
    xquat: np.ndarray
    xmat: np.ndarray

    _kind = "geom"
    _fields = {"xpos": _row("geom_xpos"), "xquat": _row("geom_xquat"), "xmat": _matrix("geom_xquat")}


class Site(Named):
    """A site: xpos, xmat of its frame."""

    xpos: np.ndarray
    xmat: np.ndarray

    _kind = "site"
    _fields = {"xpos": _site_place, "xmat": _site_turn}


class Joint(Named):
    """A joint: its own entries of qpos (input), of the arrays over dofs, and what acts on them."""

    qpos: np.ndarray
    qvel: np.ndarray
    qacc: np.ndarray
    qfrc_applied: np.ndarray
    qfrc_bias: np.ndarray
    qfrc_passive: np.ndarray
    qfrc_actuator: np.ndarray
    qfrc_smooth: np.ndarray
    qfrc_constraint: np.ndarray

    _kind = "joint"
    _fields = {
        "qpos": lambda d, m, i: d.qpos[:, m.jnt_qposadr[i] :][:, : NQ[int(m.jnt_type[i])]],
        **{name: _dofs(name) for name in ("qvel", "qacc", "qfrc_applied", "qfrc_bias", "qfrc_passive", "qfrc_actuator",
                                          "qfrc_smooth", "qfrc_constraint")},
    }  # fmt: skip


class Actuator(Named):
    """An actuator: ctrl (input) and force (worlds,); act (worlds, 1), or (worlds, 0) where it has no activation."""

    ctrl: np.ndarray
    force: np.ndarray
    act: np.ndarray

    _kind = "actuator"
    _fields = {"ctrl": _row("ctrl"), "force": _row("actuator_force"), "act": _activation}


class Sensor(Named):
    """A sensor: data, what it measured, (worlds, its numbers)."""

    data: np.ndarray

    _kind = "sensor"
    _fields = {"data": _reading}


KINDS = {kind._kind: kind for kind in (Body, Geom, Site, Joint, Actuator, Sensor)}
