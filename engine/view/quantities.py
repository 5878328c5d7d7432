"""The recorded quantities as named columns with units, for plots: what a column of `qpos` is depends on its joint."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.clocks import times_of
from engine.model import Model, require_model
from engine.model import constants as c
from engine.model.coordinates import QUATERNION, coordinates
from engine.model.delays import joined
from engine.model.sensors import CONTACT_FIELDS, RANGE_FIELDS, ROWS, SENS, fields_of_contact, fields_of_range, pixels_of
from engine.words import meant

NAMES = ("qpos", "qvel", "act", "ctrl", "sensordata", "energy", "contact")
_AXES = {1: ("",), 2: (" x", " y"), 3: (" x", " y", " z"), 4: (" w", " x", " y", " z")}
_AXES[6] = tuple(f" {end}{axis}" for end in ("from", "to") for axis in _AXES[3])


@dataclass(frozen=True)
class Column:
    """One curve: values (T,) at times (T,), s. `group` is the word on the axis, e.g. "velocity"."""

    name: str
    group: str
    unit: str
    times: np.ndarray
    values: np.ndarray


def columns(model: Model, name: str, trajectory: Any, seen: Any = None, world: int = 0) -> Any:
    """Columns of one quantity of `NAMES`, of one world of a Trajectory or a Recording.

    "energy" and "contact" read the Replay `seen` of that world. Raises ValueError for a name that does not exist.
    """
    require_model(model, like="jnt_type")
    if name not in NAMES:
        raise ValueError(f"no quantity {name!r}{meant(name, NAMES)}; there are: {', '.join(NAMES)}")
    if name in ("energy", "contact"):
        if seen is None:
            raise ValueError(f"{name}: needs a Replay of the trajectory (engine.replay.replay)")
        return _energy(seen) if name == "energy" else _contact(seen)
    if not hasattr(trajectory, name):
        got = type(trajectory).__name__
        raise TypeError(f"trajectory: got {got}, allowed: a Trajectory (what tape.rollout returns) or a Recording")
    values = np.asarray(getattr(trajectory, name))[:, world]
    times = times_of(trajectory)[:, world]
    if name == "ctrl":  # held over a control step, of which rows may skip some
        times = times[0] + (times[-1] - times[0]) / max(len(values), 1) * np.arange(len(values))
    labels = {"qpos": qpos_labels, "qvel": qvel_labels, "act": act_labels, "ctrl": ctrl_labels,
              "sensordata": sensor_labels}[name](model)  # fmt: skip
    return [Column(*label, times, values[:, i]) for i, label in enumerate(labels)]


def distinct(words):
    """The words, those that were there before with a number after them: what is called alike is still told apart."""
    found = {}
    for word in words:
        name, k = word, 2
        while name in found:
            name, k = f"{word} {k}", k + 1
        found[name] = None
    return list(found)


def chosen(found, words):
    """The columns whose names are, or begin with, one of `words`; all of them without words."""
    if not words:
        return list(found)
    for word in words:
        if not any(_is(f.name, word) for f in found):
            names = [f.name for f in found]
            raise ValueError(f"no column {word!r}{meant(word, names)}; there are: {', '.join(names)}")
    return [f for word in words for f in found if _is(f.name, word)]


def _is(name, word):
    return name == word or name.startswith(f"{word} ")


def qpos_labels(model):
    """(name, group, unit) of every entry of qpos."""
    return _labels(model, "", "position m", "quaternion 1", "angle rad", [f"q{a}" for a in "wxyz"])


def qvel_labels(model):
    """(name, group, unit) of every entry of qvel."""
    omega = [f"\N{GREEK SMALL LETTER OMEGA}{a}" for a in "xyz"]
    return _labels(model, "v", "velocity m/s", "angular velocity rad/s", "angular velocity rad/s", omega)


def _labels(model, letter, slide, quaternion, hinge, entries):
    """Of every coordinate; slide, quaternion, hinge: group and unit."""
    labels = []
    for kind, q, _, j in coordinates(model):
        name, first = _joint(model, j), q - model.jnt_qposadr[j]
        if kind == QUATERNION:
            labels += [(f"{name} {e}", *quaternion.rsplit(" ", 1)) for e in entries]
        elif model.jnt_type[j] == c.HINGE:
            labels.append((name, *hinge.rsplit(" ", 1)))
        else:
            axis = f" {letter}{'xyz'[first]}" if model.jnt_type[j] == c.FREE else ""
            labels.append((f"{name}{axis}", *slide.rsplit(" ", 1)))
    return labels


def ctrl_labels(model):
    """A control's unit depends on its actuator: it is that of the actuator's input."""
    names = enumerate(model.actuator_names)
    return [(name or f"actuator {i}", "control", "input of the actuator") for i, name in names]


def act_labels(model):
    return [(name, "activation", "input of the actuator") for name in joined(model)]


_OBJECTS = {c.OBJ_JOINT: "joint", c.OBJ_ACTUATOR: "actuator", c.OBJ_TENDON: "tendon"}


def sensor_labels(model):
    labels = []
    for s, kind in enumerate(model.sensor_type):
        name = model.sensor_names[s] or f"sensor {s}"
        word = _OBJECTS.get(int(model.sensor_objtype[s]), "")
        group = f"{ROWS[kind].name}{' of ' + word if word else ''}"
        if kind == SENS.contact:
            labels += _contact_labels(model, s, name)
        elif kind == SENS.rangefinder and (model.sensor_intprm[s, 0] or model.sensor_lens[s, 1]):
            width, height = pixels_of(kind, model.sensor_lens[s])
            for ray in range(max(width * height, 1)):
                who = f"{name} {ray // width},{ray % width}" if width else name
                for field in fields_of_range(model.sensor_intprm[s, 0]):
                    size, unit = RANGE_FIELDS[field]
                    labels += [(f"{who} {field}{axis}", f"rangefinder {field}", unit) for axis in _AXES[size]]
        else:
            labels += [(f"{name}{axis}", group, _sensor_unit(model, s)) for axis in _AXES[model.sensor_dim[s]]]
    return labels


def _contact_labels(model, s, name):
    """Of each contact that a sensor gives, of each of its quantities."""
    data, _, num = model.sensor_intprm[s]
    labels = []
    for k in range(num):
        which = f"{name} {k + 1}" if num > 1 else name
        for word in fields_of_contact(data):
            size, unit = CONTACT_FIELDS[word]
            labels += [(f"{which} {word}{axis}", f"contact {word}", unit) for axis in _AXES[size]]
    return labels


def _sensor_unit(model, s):
    """The unit of a sensor, in which q and tau stand for those of its joint's coordinate and force."""
    unit, j = ROWS[model.sensor_type[s]].unit, int(model.sensor_objid[s])
    if model.sensor_objtype[s] == c.OBJ_ACTUATOR:  # before the gear turns its force into the joint's
        if model.actuator_trntype[j] in (c.TRN_TENDON, c.TRN_SITE, c.TRN_SLIDERCRANK, c.TRN_BODY):
            return unit.replace("q", "m").replace("tau", "N")
        if model.actuator_trntype[j] == c.TRN_SO3:
            return unit.replace("q", "rad").replace("tau", "N m")
        j = model.actuator_trnid[j]
    elif model.sensor_objtype[s] != c.OBJ_JOINT:
        return unit
    slides = model.jnt_type[j] == c.SLIDE
    return unit.replace("q", "m" if slides else "rad").replace("tau", "N" if slides else "N m")


def _energy(seen):
    total = seen.kinetic + seen.potential
    curves = {"kinetic": seen.kinetic, "potential": seen.potential, "total": total}
    return [Column(name, "energy", "J", seen.time, values) for name, values in curves.items()]


def _contact(seen):
    return [Column(name, "normal force", "N", seen.time, force) for name, force in seen.normal_force.items()]


def _joint(model, j):
    return model.joint_names[j] or f"joint {j}"
