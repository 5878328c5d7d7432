"""The terms of a step, in the order in which they are computed, of two models at the same states."""

from typing import NamedTuple

import numpy as np

from .aligned import Aligned


class Term(NamedTuple):
    """A term of the equation of motion. kind: of what it has a number or row for each; words: what it is; arrays: the
    numbers of a Model that enter here first."""

    name: str
    words: str
    kind: str
    arrays: tuple


TERMS = (
    Term("xpos", "places of bodies", "body", (
        "body_parentid", "body_pos", "jnt_type", "jnt_pos", "jnt_axis", "jnt_bodyid", "qpos0")),
    Term("xquat", "orientations of bodies", "body", ("body_quat", "jnt_axis", "jnt_type", "qpos0")),
    Term("xipos", "centres of mass", "body", ("body_ipos",)),
    Term("geom_xpos", "places of geoms", "geom", ("geom_pos", "geom_bodyid")),
    Term("geom_xquat", "orientations of geoms", "geom", ("geom_quat",)),
    Term("M", "mass matrix", "dof", ("body_mass", "body_inertia", "dof_armature", "tendon_armature")),
    Term("qfrc_bias", "gravity and velocity-dependent forces", "dof", ("opt.gravity", "body_mass", "body_inertia")),
    Term("qfrc_passive", "springs, dampers, fluid, gravity compensation", "dof", (
        "jnt_stiffness", "jnt_stiffnesspoly", "qpos_spring", "dof_damping", "dof_dampingpoly", "body_gravcomp",
        "tendon_stiffness", "tendon_stiffnesspoly", "tendon_damping", "tendon_dampingpoly", "tendon_lengthspring",
        "opt.density", "opt.viscosity", "opt.wind")),
    Term("actuator_force", "forces of actuators", "actuator", (
        "actuator_gainprm", "actuator_biasprm", "actuator_gaintype", "actuator_biastype", "actuator_gear",
        "actuator_dyntype", "actuator_dynprm", "actuator_ctrllimited", "actuator_ctrlrange", "actuator_forcelimited",
        "actuator_forcerange", "actuator_actlimited", "actuator_actrange", "actuator_actearly", "actuator_delay",
        "actuator_history", "actuator_lengthrange", "actuator_gaincurve", "actuator_biascurve", "actuator_trnid",
        "actuator_trntype", "actuator_cranklength")),
    Term("qfrc_actuator", "what actuators exert on joints", "dof", (
        "actuator_gear", "actuator_trnid", "actuator_trntype", "jnt_actfrclimited", "jnt_actfrcrange",
        "tendon_actfrclimited", "tendon_actfrcrange", "jnt_actgravcomp")),
    Term("contacts", "which geoms touch, and how deep", "pair of geoms", (
        "geom_type", "geom_size", "hull_vert", "geom_contype", "geom_conaffinity", "geom_margin", "geom_gap",
        "opt.multiccd")),
    Term("qfrc_constraint", "contact, limit, friction and equality forces", "dof", (
        "geom_friction", "geom_condim", "geom_solref", "geom_solimp", "geom_solmix", "geom_priority", "geom_surfacevel",
        "opt.cone", "opt.impratio", "opt.refsafe", "opt.noslip_iterations", "opt.island", "opt.diagexact",
        "opt.timestep", "dof_frictionloss",
        "dof_solref", "dof_solimp", "jnt_limited", "jnt_range", "jnt_margin", "jnt_solref", "jnt_solimp",
        "tendon_limited", "tendon_range", "tendon_margin", "tendon_frictionloss", "tendon_solref_lim",
        "tendon_solimp_lim", "tendon_solref_fri", "tendon_solimp_fri", "eq_type", "eq_data", "eq_active0", "eq_solref",
        "eq_solimp")),
    Term("qacc", "accelerations", "dof", ()),
    Term("sensordata", "sensors", "sensor", (
        "sensor_type", "sensor_objtype", "sensor_cutoff", "site_pos", "site_quat")),
    Term("qvel", "velocities after the step", "dof", (
        "opt.timestep", "opt.integrator", "opt.eulerdamp", "dof_damping", "tendon_damping")),
)  # fmt: skip
_FORCES = ("qfrc_bias", "qfrc_passive", "qfrc_actuator", "qfrc_constraint")


class Evaluated(NamedTuple):
    """Terms of one model at several states. values {term: (states, elements, ...)} of the elements that both have.
    contacts: for each state {(geom, geom): distances}, geoms numbered as in the first model."""

    values: dict
    contacts: list


def evaluated(aligned: Aligned, which, sim, states):
    """Those of model 0 or 1 at `states`: {array of the state: (n, ...)}, of that model; `sim` has at least n worlds."""
    n = len(states["qpos"])
    d, m = sim.data, sim.model
    sim.reset()
    for name, value in states.items():
        getattr(d, name)[:n] = value
        getattr(d, name)[n:] = value[-1]
    sim.forward()
    of = {kind: aligned[kind][which] for kind in ("body", "geom", "actuator")} | {"dof": aligned.dofs[which]}
    sensed = sensor_rows(aligned)[which]
    values = {}
    for term in TERMS:
        if term.name == "M":
            values["M"] = d.mass_matrices()[:n][:, of["dof"]][:, :, of["dof"]]
        elif term.name == "sensordata":
            values["sensordata"] = d.sensordata[:n][:, sensed]
        elif term.name not in ("contacts", "qvel"):
            values[term.name] = getattr(d, term.name)[:n][:, of[term.kind]]
    number = dict(zip(aligned["geom"][which].tolist(), aligned["geom"].first.tolist(), strict=True))
    contacts = [_touching(d.contacts(w), number, m) for w in range(n)]
    sim.step()
    values["qvel"] = d.qvel[:n][:, of["dof"]].copy()
    return Evaluated(values, contacts)


def sensor_rows(aligned):
    """Places in sensordata of the sensors that both have and that give as many numbers."""
    rows, (a, b) = ([], []), aligned.models
    for i, j in zip(*aligned["sensor"][:2], strict=True):
        if a.sensor_dim[i] == b.sensor_dim[j]:
            rows[0].extend(range(a.sensor_adr[i], a.sensor_adr[i] + a.sensor_dim[i]))
            rows[1].extend(range(b.sensor_adr[j], b.sensor_adr[j] + b.sensor_dim[j]))
    return tuple(np.array(r, int) for r in rows)


def _touching(contacts, number, m):
    """{(geom, geom): sorted distances}. A geom that the other model lacks is called by its name."""
    found = {}
    for one, other, dist in zip(contacts["geom1"], contacts["geom2"], contacts["dist"], strict=True):
        words = [number.get(int(g), m.label("geom", int(g))) for g in (one, other)]
        found.setdefault(tuple(sorted(words, key=str)), []).append(float(dist))
    return {pair: np.sort(dist) for pair, dist in found.items()}


def differences(term, a, b, tolerance):
    """Of one term between two Evaluated: (excess (states,), where (states,)); excess is the largest difference over
    what is allowed, where its element."""
    if term.name == "contacts":
        return _contact_differences(a.contacts, b.contacts, tolerance)
    x, y = a.values[term.name], b.values[term.name]
    if term.name == "xquat" or term.name == "geom_xquat":
        y = y * np.where(np.sum(x * y, axis=-1, keepdims=True) < 0, -1, 1)
    n = len(x)
    if not x.size:
        return np.zeros(n), np.zeros(n, int), np.zeros(n)
    apart, allowed = np.abs(x - y), _allowed(term, a, b)
    excess = (apart / (tolerance * allowed)).reshape(n, x.shape[1], -1).max(axis=2)
    if term.name in _FORCES:  # by the acceleration that they make together
        together = np.linalg.solve(a.values["M"], (x - y)[..., None])[..., 0]
        excess = np.maximum(excess, 0) / excess.max(axis=1, initial=1e-300, keepdims=True)
        excess *= np.abs(together).max(axis=1, keepdims=True) / (tolerance * _size(a, b, "qacc", 1e-6))[:, None]
    where = excess.argmax(axis=1)
    rows = np.arange(n)
    return excess[rows, where], where, apart.reshape(n, x.shape[1], -1).max(axis=2)[rows, where]


def _allowed(term, a, b):
    """What a difference is measured by: the larger of its own two values, of places and motions that of the state."""
    x, y = a.values[term.name], b.values[term.name]
    if term.name == "M":
        own = np.sqrt(np.einsum("wii->wi", x))
        return own[:, :, None] * own[:, None]
    if term.name in _FORCES:
        return np.sqrt(np.einsum("wii->wi", a.values["M"]))
    if term.name == "actuator_force":
        return np.maximum(np.maximum(np.abs(x), np.abs(y)), 1e-6)
    floor = 1.0 if term.name not in ("qacc", "sensordata") else 1e-6
    return _size(a, b, term.name, floor).reshape(-1, *[1] * (x.ndim - 1))


def _size(a, b, name, floor):
    """The largest number of a term in each state."""
    values = (e.values[name] for e in (a, b))
    return np.maximum(*(np.abs(v).max(axis=tuple(range(1, v.ndim)), initial=floor) for v in values))


def _contact_differences(a, b, tolerance):
    """Pairs of geoms that touch in one model alone or with another number of points, or whose distances differ, m."""
    excess, where, worst = np.zeros(len(a)), np.full(len(a), None), np.zeros(len(a))
    for k, (one, other) in enumerate(zip(a, b, strict=True)):
        for pair in one.keys() | other.keys():
            x, y = one.get(pair), other.get(pair)
            if x is None or y is None or len(x) != len(y):
                deep = max(-min(d) for d in (x, y) if d is not None)
                apart = max(deep, 0.0)
                # a contact of no depth may be rounding: it counts as its depth
            else:
                apart = np.abs(x - y).max()
            if apart / tolerance > excess[k]:
                excess[k], where[k], worst[k] = apart / tolerance, pair, apart
    return excess, where, worst
