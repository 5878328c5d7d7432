"""Import of MJCF and URDF: the `mujoco` package compiles the file, this module takes the result over by name.

Nothing is approximated: what a file uses is taken over, translated exactly (and listed as changed), or refused.
"""

import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from . import constants as c
from .elements.key import Keyframes
from .elements.option import Option
from .errors import ModelError, UnsupportedError
from .fields import FIELDS
from .mjcf_refusals import frame_object, inert_force_range, inert_tendon, refusals
from .model import Model
from .pairs import PARAMETERS, Pair, find_pairs, no_pairs, pair_arrays, pair_refusals
from .report import ImportReport
from .urdf import left_out, mimics, robot_of, unknown_address
from .validate import validate

OLDEST = (3, 17)  # the last for Python 3.10; long before, margins meant something else, and refused arrays were missing

_OBJECTS = {"body": "BODY", "joint": "JOINT", "geom": "GEOM", "site": "SITE", "actuator": "ACTUATOR",
            "sensor": "SENSOR"}  # fmt: skip
BYTE_ORDER_MARK = "\ufeff"  # what a text begins with that was read from a file of some editors
_COUNTS = {"body": "nbody", "joint": "njnt", "geom": "ngeom", "site": "nsite", "actuator": "nactuator",
           "sensor": "nsensor", "key": "nkey"}  # fmt: skip
# Options that end MuJoCo's solver early: their usual values, and +1 where larger ones do or -1 where smaller ones do.
_STOPS = (("iterations", 100, -1), ("ls_iterations", 50, -1), ("tolerance", 1e-8, 1), ("ls_tolerance", 1e-2, 1))
_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)
_JOINT_SENSORS = (c.SENS_JOINTPOS, c.SENS_JOINTVEL)
_SUBTREE_SENSORS = (c.SENS_SUBTREECOM, c.SENS_SUBTREELINVEL)


def load(source, *, assets=None):
    """Model from an MJCF or URDF file (a path), from XML text, or from a compiled mujoco.MjModel.

    `assets` maps file names to bytes for XML text that refers to meshes. What the engine lacks raises
    UnsupportedError, which lists every such use at once; `model.report` tells what was taken over and what changed.

    An MjModel is taken as it is. Where masses, inertias, armature, sizes or frames of one were changed by hand, call
    mujoco.mj_setConst(mj, mujoco.MjData(mj)) first: body_invweight0, dof_invweight0 and the like follow from them,
    and nothing here recomputes them (nor does MuJoCo's own step).
    """
    mujoco = _mujoco()
    title, mj, robot = _compile(mujoco, source, assets)
    report = ImportReport(title)
    arrays, names = _arrays(mj), _names(mujoco, mj)
    _apply_flags(mujoco, mj, arrays, report)
    pairs = _pairs(mujoco, mj, arrays, names)
    report.refused += _refusals(mujoco, mj, robot)
    report.refused += pair_refusals(_view(arrays, names), pairs)
    if report.refused:
        raise UnsupportedError(title, report.refused)
    arrays |= pair_arrays(pairs) | _actuators(mujoco, mj) | _sensors(mujoco, mj)
    if mj.opt.disableflags & mujoco.mjtDisableBit.mjDSBL_CLAMPCTRL:
        arrays["actuator_ctrllimited"] = np.zeros(mj.nu, bool)
    keys = Keyframes(_names_of(mujoco, mj, "key", "KEY"), mj.key_qpos, mj.key_qvel, mj.key_act, mj.key_ctrl)
    model = Model(
        _option(mujoco, mj), arrays, names, name=_model_name(mj), meshes=_meshes(mj), keyframes=keys, report=report
    )
    _fill_report(mujoco, mj, model)
    report.changed += left_out(robot, model.body_names) if robot is not None else ()
    return validate(model)


def _mujoco():
    try:
        import mujoco
    except ImportError as error:
        raise ImportError('MJCF and URDF need the mujoco package: pip install "pullback[mjcf]"') from error
    if tuple(int(part) for part in mujoco.__version__.split(".")[:2]) < OLDEST:
        raise ImportError(
            f"mujoco {mujoco.__version__} is older than {OLDEST[0]}.{OLDEST[1]}, which the importer reads: "
            'pip install --upgrade "pullback[mjcf]"'
        )
    return mujoco


def _compile(mujoco, source, assets):
    """(title for messages, MjModel, the root of a URDF or None)"""
    if isinstance(source, mujoco.MjModel):
        return "the MjModel", source, None
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(f"load takes a path, XML text or a mujoco.MjModel, not {type(source).__name__}")
    if isinstance(source, str) and not source.strip():
        raise ValueError(f"source: got {source!r}, an empty text; allowed: a path of an MJCF or URDF file, or XML text")
    text = source.removeprefix(BYTE_ORDER_MARK).lstrip() if isinstance(source, str) else ""
    if text.startswith("<"):
        title, robot, compiled, argument = "the XML text", robot_of(text), mujoco.MjModel.from_xml_string, text
    else:
        path = Path(source).expanduser()
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path} (load takes a path of an MJCF or URDF file, or XML text)")
        title, robot = path.name, robot_of(path.read_bytes())
        compiled, argument = mujoco.MjModel.from_xml_path, str(path)
    try:
        return title, compiled(argument, assets), robot
    except ValueError as error:
        advice = None if robot is None else unknown_address(robot, str(error))
        if advice is None:
            raise
        raise ModelError(f"{title}: {advice}") from error


def _refusals(mujoco, mj, robot):
    """What a file uses and the engine lacks; of a URDF, a joint that mimics another instead of the constraint it is."""
    lines = refusals(mujoco, mj)
    following = [] if robot is None else list(mimics(robot))
    return following + [line for line in lines if not (following and line.startswith("equality "))]


def _names(mujoco, mj):
    return {kind: _names_of(mujoco, mj, kind, object_) for kind, object_ in _OBJECTS.items()}


def _names_of(mujoco, mj, kind, object_):
    number = getattr(mujoco.mjtObj, f"mjOBJ_{object_}")
    return [mujoco.mj_id2name(mj, number, i) or "" for i in range(getattr(mj, _COUNTS[kind]))]


def _model_name(mj):
    return mj.names[: mj.names.index(b"\0")].decode()


def _arrays(mj):
    """The arrays that are MuJoCo's own, except those of actuators, sensors and pairs."""
    elsewhere = ("nu", "nsensor", "npair")
    arrays = {name: np.array(getattr(mj, name)) for name, field in FIELDS.items() if field[0] not in elsewhere}
    drawn_by_material = (arrays["geom_rgba"] == _DEFAULT_RGBA).all(axis=1) & (mj.geom_matid >= 0)
    arrays["geom_rgba"][drawn_by_material] = mj.mat_rgba[mj.geom_matid[drawn_by_material]]
    arrays["geom_dataid"][mj.geom_type != c.MESH] = -1  # only meshes are kept for drawing
    return arrays


def _meshes(mj):
    meshes = []
    for i in range(mj.nmesh):
        vert, face = mj.mesh_vertadr[i], mj.mesh_faceadr[i]
        meshes.append((mj.mesh_vert[vert : vert + mj.mesh_vertnum[i]], mj.mesh_face[face : face + mj.mesh_facenum[i]]))
    return meshes


def _option(mujoco, mj):
    opt, disable = mj.opt, mujoco.mjtDisableBit
    return Option(
        timestep=opt.timestep,
        gravity=np.zeros(3) if opt.disableflags & disable.mjDSBL_GRAVITY else np.array(opt.gravity),
        integrator=opt.integrator,
        cone=opt.cone,
        impratio=opt.impratio,
        tolerance=opt.tolerance,
        iterations=opt.iterations,
        ls_iterations=opt.ls_iterations,
        eulerdamp=not opt.disableflags & disable.mjDSBL_EULERDAMP,
        refsafe=not opt.disableflags & disable.mjDSBL_REFSAFE,
    )


def _apply_flags(mujoco, mj, arrays, report):
    """Disable flags that mean the same as other numbers in the arrays; the rest is harmless or refused."""
    disable = mujoco.mjtDisableBit
    no_constraint = disable.mjDSBL_CONSTRAINT
    translations = (
        ("frictionloss", disable.mjDSBL_FRICTIONLOSS | no_constraint, "dof_frictionloss"),
        ("limit", disable.mjDSBL_LIMIT | no_constraint, "jnt_limited"),
        ("spring", disable.mjDSBL_SPRING, "jnt_stiffness"),
        ("damper", disable.mjDSBL_DAMPER, "dof_damping"),
    )
    for flag, bits, array in translations:
        if mj.opt.disableflags & int(bits):
            arrays[array][:] = 0
            report.changed.append(f"option flag {flag} is disabled: {array} set to zero")
    for flag, bits, words in (
        ("gravity", disable.mjDSBL_GRAVITY, "gravity set to zero"),
        ("contact", disable.mjDSBL_CONTACT | no_constraint, "no pair of geoms collides"),
        ("clampctrl", disable.mjDSBL_CLAMPCTRL, "actuator_ctrllimited set to false"),
        ("filterparent", disable.mjDSBL_FILTERPARENT, "pairs of parent and child kept"),
    ):
        if mj.opt.disableflags & int(bits):
            report.changed.append(f"option flag {flag} is disabled: {words}")


def _view(arrays, names):
    return SimpleNamespace(**arrays, geom_names=names["geom"], body_names=names["body"])


def _pairs(mujoco, mj, arrays, names):
    disable, flags = mujoco.mjtDisableBit, mj.opt.disableflags
    if flags & (disable.mjDSBL_CONTACT | disable.mjDSBL_CONSTRAINT):
        return no_pairs(_view(arrays, names))
    explicit = [Pair(**{name: getattr(mj, f"pair_{name}")[i] for name in PARAMETERS}) for i in range(mj.npair)]
    exclude = [(signature >> 16, signature & 0xFFFF) for signature in mj.exclude_signature]
    return find_pairs(_view(arrays, names), explicit, exclude, not flags & disable.mjDSBL_FILTERPARENT)


def _actuators(mujoco, mj):
    own = ("dyntype", "actlimited", "actrange", "forcelimited", "forcerange", "ctrllimited", "ctrlrange", "gear")
    arrays = {f"actuator_{name}": getattr(mj, f"actuator_{name}") for name in own}
    arrays["actuator_trnid"] = mj.actuator_trnid[:, 0]
    arrays["actuator_actadr"] = mj.actuator_actadr
    arrays["actuator_dynprm"] = mj.actuator_dynprm[:, :3]
    gain, bias = np.array(mj.actuator_gainprm[:, :3]), np.array(mj.actuator_biasprm[:, :3])
    gain[mj.actuator_gaintype == int(mujoco.mjtGain.mjGAIN_FIXED), 1:] = 0
    bias[mj.actuator_biastype == int(mujoco.mjtBias.mjBIAS_NONE)] = 0
    return arrays | {"actuator_gainprm": gain, "actuator_biasprm": bias}


def _sensors(mujoco, mj):
    numbers = {int(getattr(mujoco.mjtSensor, f"mjSENS_{name.upper()}")): i for i, name in enumerate(c.SENSOR_NAMES)}
    types = [numbers[int(kind)] for kind in mj.sensor_type]
    return {
        "sensor_type": types,
        "sensor_objtype": [_sensor_object(mujoco, t, o) for t, o in zip(types, mj.sensor_objtype, strict=True)],
        "sensor_objid": mj.sensor_objid,
        "sensor_dim": mj.sensor_dim,
        "sensor_adr": mj.sensor_adr,
        "sensor_cutoff": mj.sensor_cutoff,
    }


def _sensor_object(mujoco, kind, objtype):
    if kind in _JOINT_SENSORS:
        return c.OBJ_JOINT
    if kind == c.SENS_ACTUATORFRC:
        return c.OBJ_ACTUATOR
    return c.OBJ_BODY if kind in _SUBTREE_SENSORS else frame_object(mujoco, objtype)


def _fill_report(mujoco, mj, model):
    report = model.report
    joints = Counter(c.JOINT_NAMES[kind] for kind in model.jnt_type)
    report.used += [
        f"{model.nbody - 1} bodies, {model.njnt} joints ({', '.join(f'{n} {kind}' for kind, n in joints.items())})",
        f"integrator {c.INTEGRATOR_NAMES[model.opt.integrator]}, timestep {model.opt.timestep:g}, "
        f"{c.CONE_NAMES[model.opt.cone]} friction cone",
        f"{model.nu} actuators, {model.nsensor} sensors, {len(model.key_names)} keyframes",
        f"{model.ngeom} geoms in {model.npair} pairs that may touch",
    ]
    solver = mujoco.mjtSolver(mj.opt.solver).name.removeprefix("mjSOL_")
    if solver != "NEWTON":
        report.changed.append(f"solver {solver}: the engine solves the same problem by Newton's method")
    early = [f"{name} = {getattr(mj.opt, name):g}" for name, usual, sign in _STOPS if
             sign * getattr(mj.opt, name) > sign * usual]  # fmt: skip
    if early:
        report.changed.append(
            f"option {', '.join(early)}: MuJoCo's solver may stop before its minimum; the engine's comes closer to it, "
            "in at most as many iterations of its own"
        )
    report.changed += _left_out(mujoco, mj)


def _left_out(mujoco, mj):
    """What is in the file and has no effect on the motion, one line each."""
    for t in range(mj.ntendon):
        if inert_tendon(mj, t):
            name = mujoco.mj_id2name(mj, mujoco.mjtObj.mjOBJ_TENDON, t) or t
            yield f"tendon {name!r} exerts no force: left out"
    idle = sum(inert_force_range(mj, j) for j in np.flatnonzero(mj.jnt_actfrclimited))
    if idle:
        yield f"actuatorfrcrange (effort) of {idle} joints without an actuator: left out"
    if mj.neq:
        yield f"{mj.neq} equality constraints are switched off: left out"
    weld1, weld2 = (mj.body_weldid[mj.geom_bodyid[geoms]] for geoms in (mj.pair_geom1, mj.pair_geom2))
    if (weld1 == weld2).any():
        yield f"{(weld1 == weld2).sum()} contact pairs of geoms fixed to each other: left out"
    if mj.geom_fluid[:, 0].any():
        yield "fluidshape of geoms: left out, since there is no fluid"
    if mj.nskin or mj.nhfield:
        yield f"{mj.nskin} skins and {mj.nhfield} height fields are not drawn"
