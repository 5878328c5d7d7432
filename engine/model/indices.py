"""Every index of a Model: what follows from something else is derived again and compared, the rest is bounded.

The kernels look up without asking, so an index that leaves its array would read and write foreign memory. What a Model
may choose is little: `body_parentid`, `jnt_type`, `jnt_bodyid`, types, and what geoms, sites, actuators, sensors and
pairs are attached to. All addresses, counts, roots and dof parents follow.
"""

from types import SimpleNamespace

import numpy as np

from . import constants as c
from .errors import ModelError
from .pairs import CONDIMS, SUPPORTED
from .setconst import set_topology

NAMED = {"body": "nbody", "joint": "njnt", "geom": "ngeom", "site": "nsite", "actuator": "nu", "sensor": "nsensor"}
KEYS = {"qpos": "nq", "qvel": "nv", "act": "na", "ctrl": "nu"}  # key_*: width of a row

_KINDS = {"body": "body", "jnt": "joint", "geom": "geom", "site": "site", "actuator": "actuator", "sensor": "sensor"}
_GEOM_CONDIMS = (1, 3, 4, 6)  # of a geom that touches nothing; pairs.py says which of them can touch
_DYN_NAMES = {c.DYN_NONE: "none", c.DYN_INTEGRATOR: "integrator", c.DYN_FILTER: "filter",
              c.DYN_FILTEREXACT: "filterexact"}  # fmt: skip
_OBJ_SIZES = {c.OBJ_BODY: "nbody", c.OBJ_XBODY: "nbody", c.OBJ_SITE: "nsite", c.OBJ_GEOM: "ngeom",
              c.OBJ_JOINT: "njnt", c.OBJ_ACTUATOR: "nu"}  # fmt: skip


def check_indices(m):
    """Raise ModelError at the first index, count or type of Model `m` that points nowhere or contradicts another.

    Asks for arrays of the right shapes and dtypes, and for nothing else.
    """
    for check in (_names, _bodies, _joints, _geoms, _meshes, _sites, _actuators, _sensors, _pairs, _keyframes):
        check(m)


def addresses(counts):
    """Where each group starts; -1 for an empty one."""
    counts = np.asarray(counts, int)
    return np.where(counts > 0, np.cumsum(counts) - counts, -1)


def derived_topology(m):
    """{array: values} of all that follows from `body_parentid`, `jnt_type` and `jnt_bodyid` of Model `m`."""
    nq, nv = _per_joint(m, c.NQ), _per_joint(m, c.NV)
    jntnum = np.bincount(m.jnt_bodyid, minlength=m.nbody)
    jntid = np.repeat(np.arange(m.njnt), nv)
    bodyid = m.jnt_bodyid[jntid]
    dofnum = np.bincount(bodyid, minlength=m.nbody)
    found = {
        "jnt_qposadr": addresses(nq), "jnt_dofadr": addresses(nv), "dof_jntid": jntid, "dof_bodyid": bodyid,
        "body_jntnum": jntnum, "body_jntadr": addresses(jntnum), "body_dofnum": dofnum,
        "body_dofadr": addresses(dofnum),
    }  # fmt: skip
    tree = SimpleNamespace(
        body_parentid=m.body_parentid, body_dofnum=dofnum, body_dofadr=found["body_dofadr"],
        body_rootid=np.zeros(m.nbody, int), body_weldid=np.zeros(m.nbody, int), dof_parentid=np.zeros(len(jntid), int),
    )  # fmt: skip
    set_topology(tree)
    return found | {name: getattr(tree, name) for name in ("body_rootid", "body_weldid", "dof_parentid")}


def _per_joint(m, table):
    return np.array([table[int(kind)] for kind in m.jnt_type], int)


def _refuse(m, array, index, allowed):
    kind = array.split("_")[0]
    who = m.label(_KINDS[kind], index) if kind in _KINDS else f"{kind} {index}"
    raise ModelError(f"{who}: {array} = {getattr(m, array)[index]}; allowed: {allowed}")


def _require(m, array, good, allowed):
    """Refuse the first entry of an array for which `good` is false."""
    bad = np.flatnonzero(~np.asarray(good, bool))
    if len(bad):
        _refuse(m, array, int(bad[0]), allowed(int(bad[0])) if callable(allowed) else allowed)


def _one_of(m, array, names):
    words = ", ".join(f"{k} ({name})" for k, name in names.items())
    _require(m, array, np.isin(getattr(m, array), list(names)), words)


def _below(m, array, size, word, low=0):
    value, n = getattr(m, array), getattr(m, size)
    words = f"a {word}, {low} to {n - 1}" if n > low else f"none, since the model has no {word} to name"
    _require(m, array, (value >= low) & (value < n), words)


def _follows(m, array, want, source):
    _require(m, array, getattr(m, array) == want, lambda i: f"{want[i]}, which follows from {source}")


def _same_count(m, size, want, source):
    if getattr(m, size) != want:
        raise ModelError(f"{size} = {getattr(m, size)}; allowed: {want}, which follows from {source}")


def _names(m):
    for kind, size in NAMED.items():
        names = getattr(m, f"{kind}_names")
        if len(names) != getattr(m, size) or not all(isinstance(name, str) for name in names):
            raise ModelError(f"{kind}_names = {names}; allowed: a string for each of {getattr(m, size)}")


def _bodies(m):
    if m.nbody == 0:
        raise ModelError("nbody = 0; allowed: 1 or more, the first being the world")
    parent, number = m.body_parentid, np.arange(m.nbody)
    if parent[0] != 0:
        _refuse(m, "body_parentid", 0, "0, since the world has no parent")
    good = (parent >= 0) & (parent < np.maximum(number, 1))
    _require(m, "body_parentid", good, "a body before it (a tree, parents first)")


def _joints(m):
    _one_of(m, "jnt_type", c.JOINT_NAMES)
    _below(m, "jnt_bodyid", "nbody", "body", low=1)
    in_order = np.diff(m.jnt_bodyid.astype(int), prepend=0) >= 0
    _require(m, "jnt_bodyid", in_order, "not before the body of the joint before it")
    _same_count(m, "nq", _per_joint(m, c.NQ).sum(), "jnt_type")
    _same_count(m, "nv", _per_joint(m, c.NV).sum(), "jnt_type")
    for array, want in derived_topology(m).items():
        _follows(m, array, want, "body_parentid, jnt_type and jnt_bodyid")


def _geoms(m):
    _one_of(m, "geom_type", c.GEOM_NAMES)
    _below(m, "geom_bodyid", "nbody", "body")
    _require(m, "geom_condim", np.isin(m.geom_condim, _GEOM_CONDIMS), ", ".join(map(str, _GEOM_CONDIMS)))
    nmesh = len(m.mesh_vert)
    least = np.where(m.geom_type == c.MESH, 0, -1)
    good = (m.geom_dataid >= least) & (m.geom_dataid < nmesh)
    _require(m, "geom_dataid", good, lambda g: f"{least[g]} to {nmesh - 1}, a mesh" + ", or -1" * int(-least[g]))


def _meshes(m):
    if len(m.mesh_vert) != len(m.mesh_face):
        raise ModelError(f"mesh_face has {len(m.mesh_face)} meshes; allowed: {len(m.mesh_vert)}, as mesh_vert")
    for i, (vert, face) in enumerate(zip(m.mesh_vert, m.mesh_face, strict=True)):
        if vert.ndim != 2 or vert.shape[1] != 3 or not np.isfinite(vert).all():
            raise ModelError(f"mesh {i}: mesh_vert has shape {vert.shape}; allowed: finite numbers of shape (n, 3)")
        if face.ndim != 2 or face.shape[1] != 3:
            raise ModelError(f"mesh {i}: mesh_face has shape {face.shape}; allowed: (n, 3)")
        bad = face[(face < 0) | (face >= len(vert))]
        if len(bad):
            raise ModelError(f"mesh {i}: mesh_face names vertex {bad[0]}; allowed: 0 to {len(vert) - 1}")


def _sites(m):
    _one_of(m, "site_type", c.GEOM_NAMES)
    _below(m, "site_bodyid", "nbody", "body")


def _actuators(m):
    _one_of(m, "actuator_dyntype", _DYN_NAMES)
    _below(m, "actuator_trnid", "njnt", "joint")
    states = m.actuator_dyntype != c.DYN_NONE
    _follows(m, "actuator_actadr", addresses(states), "actuator_dyntype")
    _same_count(m, "na", np.count_nonzero(states), "actuator_dyntype")


def _sensors(m):
    _one_of(m, "sensor_type", dict(enumerate(c.SENSOR_NAMES)))
    for i, kind in enumerate(m.sensor_type):
        name = c.SENSOR_NAMES[kind]
        objects = c.SENSOR_OBJECTS[name]
        objtype, objid = int(m.sensor_objtype[i]), int(m.sensor_objid[i])
        if objtype not in objects.values():
            words = ", ".join(f"{number} ({word})" for word, number in objects.items())
            _refuse(m, "sensor_objtype", i, f"{words}, since it is a {name}")
        word, size = c.OBJ_NAMES[objtype], getattr(m, _OBJ_SIZES[objtype])
        if not 0 <= objid < size:
            _refuse(m, "sensor_objid", i, f"a {word}, 0 to {size - 1}")
        if objtype == c.OBJ_JOINT and m.jnt_type[objid] not in (c.SLIDE, c.HINGE):
            _refuse(m, "sensor_objid", i, f"a slide or hinge joint, and {m.label('joint', objid)} is neither")
    dims = np.array([c.SENSOR_DIM[kind] for kind in m.sensor_type], int)
    _follows(m, "sensor_dim", dims, "sensor_type")
    _follows(m, "sensor_adr", addresses(dims), "sensor_type")
    _same_count(m, "nsensordata", dims.sum(), "sensor_type")


def _pairs(m):
    for array in ("pair_geom1", "pair_geom2"):
        _below(m, array, "ngeom", "geom")
    _require(m, "pair_dim", np.isin(m.pair_dim, CONDIMS), ", ".join(map(str, CONDIMS)))
    kinds1, kinds2 = m.geom_type[m.pair_geom1], m.geom_type[m.pair_geom2]
    good = [kinds in SUPPORTED for kinds in zip(kinds1.tolist(), kinds2.tolist(), strict=True)]
    words = ", ".join("-".join(c.GEOM_NAMES[k] for k in kinds) for kinds in sorted(SUPPORTED))
    _require(
        m, "pair_geom2", good,
        lambda i: f"a {c.GEOM_NAMES[int(kinds1[i])]} in geom {m.pair_geom1[i]} and a {c.GEOM_NAMES[int(kinds2[i])]} "
        f"do not collide; what does, in this order: {words}",
    )  # fmt: skip
    weld1, weld2 = (m.body_weldid[m.geom_bodyid[geoms]] for geoms in (m.pair_geom1, m.pair_geom2))
    _require(m, "pair_geom2", weld1 != weld2, "a geom that can move against the first of the pair")


def _keyframes(m):
    names = m.key_names
    if not all(isinstance(name, str) for name in names):
        raise ModelError(f"key_names = {names}; allowed: strings")
    for name, size in KEYS.items():
        value, want = getattr(m, f"key_{name}"), (len(names), getattr(m, size))
        if not isinstance(value, np.ndarray) or value.shape != want or value.dtype.kind not in "biuf":
            raise ModelError(f"key_{name} has shape {np.shape(value)}; allowed: numbers of shape {want}")
