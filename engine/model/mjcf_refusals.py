"""What an MjModel uses and the engine lacks, one line for each use: element, attribute, value, what is allowed.

Everything here looks at the compiled MjModel, so it holds for MJCF, URDF, and models made in Python alike.
"""

import numpy as np

from .constants import BALL, HINGE, OBJ_BODY, OBJ_GEOM, OBJ_SITE, OBJ_XBODY, SENSOR_NAMES, SLIDE

# Arrays that must be zero: array, MjModel's object type, element, attribute.
_MUST_BE_ZERO = (
    ("body_gravcomp", "BODY", "body", "gravcomp"),
    ("jnt_stiffnesspoly", "JOINT", "joint", "second and third stiffness"),
    ("jnt_springyield", "JOINT", "joint", "springyield"),
    ("geom_surfacevel", "GEOM", "geom", "surfacevel"),
    ("geom_adhesion", "GEOM", "geom", "adhesion"),
    ("pair_adhesion", "PAIR", "contact pair", "adhesion"),
    ("actuator_actearly", "ACTUATOR", "actuator", "actearly"),
    ("actuator_damping", "ACTUATOR", "actuator", "damping"),
    ("actuator_dampingpoly", "ACTUATOR", "actuator", "second and third damping"),
    ("actuator_armature", "ACTUATOR", "actuator", "armature"),
    ("actuator_delay", "ACTUATOR", "actuator", "delay"),
    ("sensor_delay", "SENSOR", "sensor", "delay"),
    ("sensor_interval", "SENSOR", "sensor", "interval"),
)
_REFUSED_ENABLE = {
    "OVERRIDE": "override (replaces the contact parameters)", "SLEEP": "sleep", "DIAGEXACT": "diagexact", "IPC": "ipc",
    "SPECULATIVE": "speculative",
}  # fmt: skip
_FRAME_OBJECTS = {"BODY": OBJ_BODY, "XBODY": OBJ_XBODY, "GEOM": OBJ_GEOM, "SITE": OBJ_SITE}


def refusals(mujoco, mj):
    """Every use of something the engine lacks, except the pairs of geoms it cannot collide (pairs.py)."""
    checks = (_options, _flags, _elements, _zeros, _joints, _tendons, _actuators, _sensors)
    return [line for check in checks for line in check(mujoco, mj)]


def name_of(mujoco, mj, kind, index, element=None):
    """How a line calls an element: "joint 'knee'", or its number where it has no name."""
    name = mujoco.mj_id2name(mj, getattr(mujoco.mjtObj, f"mjOBJ_{kind}"), index)
    return f"{element or kind.lower()} {name!r}" if name else f"{element or kind.lower()} {index}"


def frame_object(mujoco, objtype):
    """Our OBJ_ number of what a frame sensor looks at, or None."""
    return {int(getattr(mujoco.mjtObj, f"mjOBJ_{k}")): v for k, v in _FRAME_OBJECTS.items()}.get(int(objtype))


def inert_force_range(mj, j):
    """Whether the limit on actuator forces at joint `j` (a URDF's effort) limits none, since no actuator acts there."""
    low, high = mj.jnt_actfrcrange[j]
    return low <= 0 <= high and j not in mj.actuator_trnid[:, 0]


def inert_tendon(mj, t):
    """Whether tendon `t` exerts no force and has no inertia, so that leaving it out changes nothing."""
    forces = ("stiffness", "stiffnesspoly", "damping", "dampingpoly", "armature", "frictionloss", "limited")
    return not any(np.any(getattr(mj, f"tendon_{name}")[t]) for name in forces)


def _options(mujoco, mj):
    opt = mj.opt
    integrator = mujoco.mjtIntegrator(opt.integrator).name.removeprefix("mjINT_")
    if integrator not in ("EULER", "RK4", "IMPLICITFAST"):
        yield f"option integrator = {integrator.lower()}; allowed: Euler, RK4, implicitfast"
    for name in ("density", "viscosity"):
        if getattr(opt, name):
            yield f"option {name} = {getattr(opt, name):g} (forces of a fluid); allowed: 0"
    if opt.noslip_iterations:
        yield f"option noslip_iterations = {opt.noslip_iterations}; allowed: 0"
    if opt.disableactuator:
        yield "option actuatorgroupdisable; allowed: none (leave those actuators out)"


def _flags(mujoco, mj):
    disable, enable = mujoco.mjtDisableBit, mujoco.mjtEnableBit
    if mj.opt.disableflags & disable.mjDSBL_ACTUATION:
        yield "option flag actuation = disable; allowed: enable (leave the actuators out)"
    if mj.opt.disableflags & disable.mjDSBL_SENSOR and mj.nsensor:
        yield "option flag sensor = disable; allowed: enable (leave the sensors out)"
    for bit, words in _REFUSED_ENABLE.items():
        if mj.opt.enableflags & getattr(enable, f"mjENBL_{bit}", 0):
            yield f"option flag {words} = enable; allowed: disable"


def _elements(mujoco, mj):
    for b in np.flatnonzero(np.asarray(mj.body_mocapid) >= 0):
        yield f"{name_of(mujoco, mj, 'BODY', b)}: mocap = true; allowed: false"
    if not mj.opt.disableflags & (mujoco.mjtDisableBit.mjDSBL_EQUALITY | mujoco.mjtDisableBit.mjDSBL_CONSTRAINT):
        for e in np.flatnonzero(mj.eq_active0):
            kind = mujoco.mjtEq(mj.eq_type[e]).name.removeprefix("mjEQ_").lower()
            yield f"{name_of(mujoco, mj, 'EQUALITY', e)}: constraint {kind}; allowed: none that is active"
    for f in range(mj.nflex):
        yield f"{name_of(mujoco, mj, 'FLEX', f)}: deformable body; allowed: rigid bodies"
    for p in range(mj.nplugin):
        yield f"{name_of(mujoco, mj, 'PLUGIN', p)}: plugin; allowed: none"


def _zeros(mujoco, mj):
    for array, kind, element, attribute in _MUST_BE_ZERO:
        value = np.asarray(getattr(mj, array, ()))  # MuJoCo 3.17 has not all of them
        for i in np.flatnonzero(value.reshape(len(value), -1).any(axis=1)) if value.size else ():
            allowed = "false" if value.dtype == bool else "0"
            yield f"{name_of(mujoco, mj, kind, i, element)}: {attribute} = {value[i]}; allowed: {allowed}"


def _joints(mujoco, mj):
    for j in range(mj.njnt):
        poly = mj.dof_dampingpoly[mj.jnt_dofadr[j]]
        if poly.any():
            yield f"{name_of(mujoco, mj, 'JOINT', j)}: second and third damping = {poly}; allowed: 0"
    for j in np.flatnonzero(mj.jnt_actfrclimited):
        if not inert_force_range(mj, j):
            yield (
                f"{name_of(mujoco, mj, 'JOINT', j)}: actuatorfrcrange = {mj.jnt_actfrcrange[j]}; "
                "allowed: none where an actuator acts (give the actuator a forcerange)"
            )
    for j in np.flatnonzero(np.asarray(getattr(mj, "jnt_plasticadr", ())) >= 0):
        if not mj.jnt_springyield[j]:  # otherwise named above
            yield f"{name_of(mujoco, mj, 'JOINT', j)}: plastic spring; allowed: an elastic one"


def _tendons(mujoco, mj):
    for t in range(mj.ntendon):
        if not inert_tendon(mj, t):
            yield (
                f"{name_of(mujoco, mj, 'TENDON', t)}: tendon with a spring, damper, limit, friction or armature; "
                "allowed: none of these"
            )


def _actuators(mujoco, mj):
    for a in range(mj.nactuator):
        who = name_of(mujoco, mj, "ACTUATOR", a)
        trn = mujoco.mjtTrn(mj.actuator_trntype[a]).name.removeprefix("mjTRN_").lower()
        if trn not in ("joint", "jointinparent"):
            yield f"{who}: transmission {trn}; allowed: joint, and jointinparent for hinge and slide"
        elif trn == "jointinparent" and mj.jnt_type[mj.actuator_trnid[a, 0]] not in (SLIDE, HINGE):
            yield f"{who}: transmission jointinparent of a ball or free joint; allowed: hinge and slide"
        for part, allowed in (
            ("dyn", ("none", "integrator", "filter", "filterexact")),
            ("gain", ("fixed", "affine")),
            ("bias", ("none", "affine")),
        ):
            kind = getattr(mujoco, f"mjt{part.capitalize()}")(getattr(mj, f"actuator_{part}type")[a])
            word = kind.name.split("_")[1].lower()
            if word not in allowed:
                yield f"{who}: {part}type = {word}; allowed: {', '.join(allowed)}"
        fixed = mj.actuator_gaintype[a] == mujoco.mjtGain.mjGAIN_FIXED and mj.actuator_dyntype[a] != 0
        servo = fixed and mj.actuator_gainprm[a, 0] and mj.actuator_biasprm[a, 1] == -mj.actuator_gainprm[a, 0]
        if servo and "joint" in trn and mj.jnt_type[mj.actuator_trnid[a, 0]] == BALL:
            yield f"{who}: position servo of a ball joint with an activation state; allowed: dyntype none"
        if mj.actuator_history[a].any() and not mj.actuator_delay[a]:
            yield f"{who}: history of {mj.actuator_history[a, 0]} samples; allowed: none"


def _sensors(mujoco, mj):
    supported = {int(getattr(mujoco.mjtSensor, f"mjSENS_{name.upper()}")): name for name in SENSOR_NAMES}
    for s in range(mj.nsensor):
        who = name_of(mujoco, mj, "SENSOR", s)
        kind = supported.get(int(mj.sensor_type[s]))
        if kind is None:
            found = mujoco.mjtSensor(mj.sensor_type[s]).name.removeprefix("mjSENS_").lower()
            yield f"{who}: type {found}; allowed: {', '.join(SENSOR_NAMES)}"
            continue
        if kind.startswith("frame") and frame_object(mujoco, mj.sensor_objtype[s]) is None:
            found = mujoco.mjtObj(mj.sensor_objtype[s]).name.removeprefix("mjOBJ_").lower()
            yield f"{who}: objtype = {found}; allowed: body, xbody, geom, site"
        if mj.sensor_refid[s] >= 0:
            yield f"{who}: reference frame (reftype, refname); allowed: the world's"
        if mj.sensor_history[s].any() and not mj.sensor_delay[s]:
            yield f"{who}: history of {mj.sensor_history[s, 0]} samples; allowed: none"
