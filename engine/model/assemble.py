"""From the builder's elements to the arrays of a Model, in MuJoCo's order: bodies depth first, the rest along them."""

import copy
from types import SimpleNamespace

import numpy as np

from . import constants as c
from .errors import ModelError, UnsupportedError
from .fields import FIELDS
from .indices import addresses
from .inertia import combine, unit_inertia, volume
from .model import Keyframes, Model
from .pairs import Pair, find_pairs, pair_arrays, pair_refusals
from .setconst import set_const, set_topology
from .validate import validate

_IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


def assemble(builder):
    """The Model of a ModelBuilder."""
    bodies = _depth_first(builder.bodies["world"])
    order = _Order(builder, bodies)
    arrays = _bodies(bodies, builder.settotalmass) | _joints(order) | _dofs(order) | _geoms(order) | _sites(order)
    arrays |= _actuators(order) | _sensors(order)
    m = _namespace(arrays, order)
    set_topology(m)
    pairs = find_pairs(m, _explicit(builder, order), [tuple(map(order.of, pair)) for pair in builder.excludes])
    refused = pair_refusals(m, pairs)
    if refused:
        raise UnsupportedError(f"model {builder.name!r}", refused)
    arrays = {name: getattr(m, name) for name in FIELDS if hasattr(m, name)} | pair_arrays(pairs)
    option = copy.deepcopy(builder.option)
    model = Model(option, arrays, order.names, name=builder.name, keyframes=_keyframes(builder, m))
    set_const(validate(model))
    return model


class _Order:
    """The elements in the Model's order; `of` is the number of an element there."""

    def __init__(self, builder, bodies):
        self.bodies = bodies
        self.joints = [joint for body in bodies for joint in body.joints]
        self.geoms = [geom for body in bodies for geom in body.geoms]
        self.sites = [site for body in bodies for site in body.sites]
        self.actuators, self.sensors = list(builder.actuators.values()), list(builder.sensors.values())
        groups = {"body": bodies, "joint": self.joints, "geom": self.geoms, "site": self.sites,
                  "actuator": self.actuators, "sensor": self.sensors}  # fmt: skip
        self._number = {id(element): i for group in groups.values() for i, element in enumerate(group)}
        self.names = {kind: [element.name for element in group] for kind, group in groups.items()}

    def of(self, element):
        return self._number[id(element)]

    def owners(self, kind):
        """Body number of every joint, geom or site."""
        return [i for i, body in enumerate(self.bodies) for _ in getattr(body, kind)]


def _depth_first(body):
    return [body] + [below for child in body.children for below in _depth_first(child)]


def _column(elements, name):
    return [getattr(element, name) for element in elements]


def _bodies(bodies, settotalmass):
    number = {id(body): i for i, body in enumerate(bodies)}
    mass, ipos, iquat, inertia = map(np.array, zip(*(_inertial(body) for body in bodies), strict=True))
    if settotalmass is not None and mass.sum() > 0:
        mass, inertia = mass * (settotalmass / mass.sum()), inertia * (settotalmass / mass.sum())
    nq, nv = _counts(bodies, c.NQ), _counts(bodies, c.NV)
    jntnum = np.array([len(body.joints) for body in bodies])
    return {
        "body_parentid": [0] + [number[id(body.parent)] for body in bodies[1:]],
        "body_jntnum": jntnum,
        "body_jntadr": addresses(jntnum),
        "body_dofnum": nv,
        "body_dofadr": addresses(nv),
        "body_pos": _column(bodies, "pos"),
        "body_quat": _column(bodies, "quat"),
        "body_ipos": ipos,
        "body_iquat": iquat,
        "body_mass": mass,
        "body_inertia": inertia,
        "qpos0": np.zeros(nq.sum()),
        "qpos_spring": np.zeros(nq.sum()),
    }


def _inertial(body):
    """(mass, ipos, iquat, inertia), the body's own or its geoms'."""
    if body.inertial:
        return body.inertial
    if body.parent is None:
        return 0.0, np.zeros(3), _IDENTITY, np.zeros(3)  # what the world weighs is nobody's business
    parts = []
    for geom in body.geoms:
        mass = geom.density * volume(geom.type, geom.size) if geom.mass is None else geom.mass
        parts.append((mass, geom.pos, geom.quat, mass * unit_inertia(geom.type, geom.size)))
    combined = combine(parts)
    # MuJoCo's compiler leaves the body's own pos and quat as the inertial frame of a body without mass; it matters
    # only to body_invweight0 and to sensors of that frame, and there it does.
    return combined if combined[0] else (0.0, body.pos, body.quat, np.zeros(3))


def _counts(bodies, table):
    return np.array([sum(table[joint.type] for joint in body.joints) for body in bodies])


def _joints(order):
    joints, types = order.joints, _column(order.joints, "type")
    return {
        "jnt_type": types,
        "jnt_qposadr": addresses([c.NQ[kind] for kind in types]),
        "jnt_dofadr": addresses([c.NV[kind] for kind in types]),
        "jnt_bodyid": order.owners("joints"),
        "jnt_solref": _column(joints, "solreflimit"),
        "jnt_solimp": _column(joints, "solimplimit"),
    } | {f"jnt_{name}": _column(joints, name) for name in ("pos", "axis", "stiffness", "range", "limited", "margin")}


def _dofs(order):
    owners = np.repeat(np.arange(len(order.joints)), [c.NV[joint.type] for joint in order.joints]).astype(int)
    joints = [order.joints[j] for j in owners]
    bodies = np.array(order.owners("joints"), int)
    return {
        "dof_jntid": owners,
        "dof_bodyid": bodies[owners] if len(owners) else owners,
        "dof_solref": _column(joints, "solreffriction"),
        "dof_solimp": _column(joints, "solimpfriction"),
    } | {f"dof_{name}": _column(joints, name) for name in ("armature", "damping", "frictionloss")}


def _geoms(order):
    geoms = order.geoms
    same = ("type", "pos", "quat", "size", "rgba", "group", "contype", "conaffinity", "condim", "priority", "solmix",
            "solref", "solimp", "friction", "margin", "gap")  # fmt: skip
    return {"geom_bodyid": order.owners("geoms"), "geom_dataid": [-1] * len(geoms)} | {
        f"geom_{name}": _column(geoms, name) for name in same
    }


def _sites(order):
    same = ("type", "pos", "quat", "size", "rgba")
    return {"site_bodyid": order.owners("sites")} | {f"site_{name}": _column(order.sites, name) for name in same}


def _actuators(order):
    actuators = order.actuators
    same = ("gear", "dyntype", "dynprm", "gainprm", "biasprm", "ctrllimited", "ctrlrange", "forcelimited",
            "forcerange", "actlimited", "actrange")  # fmt: skip
    return {
        "actuator_trnid": [order.of(a.joint) for a in actuators],
        "actuator_actadr": addresses([a.dyntype != c.DYN_NONE for a in actuators]),
    } | {f"actuator_{name}": _column(actuators, name) for name in same}


def _sensors(order):
    sensors = order.sensors
    dims = [c.SENSOR_DIM[sensor.type] for sensor in sensors]
    return {
        "sensor_type": _column(sensors, "type"),
        "sensor_objtype": _column(sensors, "objtype"),
        "sensor_objid": [order.of(sensor.target) for sensor in sensors],
        "sensor_dim": dims,
        "sensor_adr": addresses(dims),
        "sensor_cutoff": _column(sensors, "cutoff"),
    }


def _namespace(arrays, order):
    """The arrays with their dtypes, those still to be derived as zeros, and the rest position filled in."""
    sizes = {"nbody": len(order.bodies), "nv": len(arrays["dof_jntid"]), "ngeom": len(order.geoms)}
    m = SimpleNamespace(geom_names=order.names["geom"], body_names=order.names["body"])
    for name, (size, entry, dtype) in FIELDS.items():
        if name in arrays:
            value = np.array(arrays[name], dtype=dtype)
            setattr(m, name, value.reshape(-1, *entry))
        elif size != "npair":
            setattr(m, name, np.zeros((sizes[size], *entry), dtype))
    for joint, adr in zip(order.joints, m.jnt_qposadr, strict=True):
        _rest_position(m, order, joint, adr)
    return m


def _rest_position(m, order, joint, adr):
    if joint.type == c.FREE:
        body = m.jnt_bodyid[order.of(joint)]
        rest = spring = np.concatenate([m.body_pos[body], m.body_quat[body]])
    elif joint.type == c.BALL:
        rest = spring = _IDENTITY
    else:
        rest, spring = joint.ref, joint.springref
    m.qpos0[adr : adr + c.NQ[joint.type]] = rest
    m.qpos_spring[adr : adr + c.NQ[joint.type]] = spring


def _explicit(builder, order):
    for a in builder.pairs:
        g1, g2 = (order.of(geom) for geom in a.geoms)
        yield Pair(g1, g2, a.condim, a.friction, a.solref, a.solimp, a.margin, a.gap, a.solreffriction)


def _keyframes(builder, m):
    rest = {
        "qpos": m.qpos0,
        "qvel": np.zeros(len(m.dof_jntid)),
        "act": np.zeros(np.sum(m.actuator_actadr >= 0)),
        "ctrl": np.zeros(len(m.actuator_trnid)),
    }
    columns = {name: [] for name in rest}
    for key, given in builder.keys.items():
        for name, value in rest.items():
            chosen = value if given[name] is None else np.asarray(given[name], float)
            if chosen.shape != value.shape:
                raise ModelError(f"key {key!r}: {name} has shape {chosen.shape}; allowed: {value.shape}")
            columns[name].append(chosen)
    return Keyframes(list(builder.keys), **columns)
