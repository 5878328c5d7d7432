"""What a person may ask for at load, and a file does not say: a floating base, a floor, actuators, what collides
or does not, whose place is measured.

MuJoCo's own description of the robot (mujoco.MjSpec) is edited before it is compiled, so that all of it is derived as
if it stood in the file.
"""

import numbers
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from engine.words import counted, meant

from .constants import FREE
from .errors import ModelError
from .overlaps import OVERLAP, overlapping

COLLIDE = ("all", "ground", "none")
OVERLAPPING = "overlapping"
IMPLICIT = "integrator implicitfast, for the damping of servos"
KINDS = ("motor", "position")  # of actuators that are added, in a word; with kp they are servos anyway


@dataclass
class Wishes:
    """The arguments of `load` of these names."""

    floating: object = False
    floor: object = False
    actuators: object = None
    kp: float | None = None
    kd: float | None = None
    collide: str | None = None
    sense: object = None
    exclude: object = None

    def __post_init__(self):
        self.floating, self.floor = (_height(name, getattr(self, name)) for name in ("floating", "floor"))
        if self.collide is not None and self.collide not in COLLIDE:
            raise ValueError(f"collide = {self.collide!r}; allowed: None (as in the file), {', '.join(COLLIDE)}")
        self.actuators = None if self.actuators is False else self.actuators
        if self.sense is not None:
            self.sense = (self.sense,) if isinstance(self.sense, str) else self.sense
            if not _are_names(self.sense):
                raise ValueError(f"sense = {self.sense!r}; allowed: names of sites, bodies or geoms")
        if self.exclude is not None and self.exclude != OVERLAPPING:
            self.exclude = _pairs(self.exclude)
        for name in ("kp", "kd"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value >= 0):
                raise ValueError(f"{name} = {value!r}; allowed: a finite number, 0 or more")
            if value is not None and self.actuators is None:
                raise ValueError(f"{name} = {value!r} without actuators; allowed: with actuators, True or names")
        if isinstance(self.actuators, str) and self.actuators in KINDS:
            if (self.actuators == "position") != (self.kp is not None):
                allowed = "with a kp, their gain" if self.kp is None else "without kp, which makes servos"
                raise ValueError(f"actuators = {self.actuators!r}, kp = {self.kp!r}; allowed: {allowed}")
            self.actuators = True

    def __bool__(self):
        return bool(self._said())

    def _said(self):
        return [name for name in ("floating", "floor", "actuators", "collide", "sense", "exclude")
                if getattr(self, name) is not None]  # fmt: skip

    def names(self):
        return ", ".join(self._said())

    def granted(self, mujoco, title, spec, urdf=False):
        """Edit a MjSpec; lines about what was added. Raises ModelError where the robot has no place for it."""
        lines = []
        if self.floating is not None:
            lines += _float(title, spec, self.floating)
        if self.collide is not None:
            lines += _collide(spec, self.collide)
        if self.floor is not None:
            lines += _add_floor(mujoco, title, spec, self.floor)
        if self.actuators is not None:
            lines += self._actuate(mujoco, title, spec, urdf)
        for name in self.sense or ():
            lines += _sense(mujoco, title, spec, name)
        if self.exclude is not None and self.exclude != OVERLAPPING:
            lines += _exclude(title, spec, self.exclude)
        return lines

    def compiled(self, mujoco, spec):
        """(MjModel of a MjSpec, lines about contacts left out because it shows them everywhere)."""
        mj, lines = spec.compile(), []
        if self.actuators is not None and _too_damped(mujoco, mj):
            spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
            mj, lines = spec.compile(), [IMPLICIT]
        found = overlapping(mujoco, mj) if self.exclude == OVERLAPPING else {}
        if not found:
            return mj, lines
        bodies = {body.id: body for body in spec.bodies}
        for pair, depth in found.items():
            names = [_named(bodies[b]) for b in pair]
            spec.add_exclude(bodyname1=names[0], bodyname2=names[1])
            lines.append(f"contact of body {names[0]!r} with {names[1]!r} left out: {OVERLAP} by "
                         f"{1000 * depth:.2g} mm or more wherever the joints between them are")  # fmt: skip
        return spec.compile(), lines

    def _actuate(self, mujoco, title, spec, urdf):
        single = {joint.name: joint for joint in spec.joints if joint.name and int(joint.type) in _single(mujoco)}
        driven = {actuator.target for actuator in spec.actuators}
        following = {equality.name1 for equality in spec.equalities if equality.type == mujoco.mjtEq.mjEQ_JOINT}
        wanted = self.actuators
        if wanted is True:
            wanted = [name for name in single if name not in driven | following]
        settings = dict(wanted) if isinstance(wanted, dict) else dict.fromkeys(_names(wanted))
        damped = False
        for name, own in settings.items():
            if name not in single:
                known = ", ".join(single) or "none has a name"
                raise ModelError(f"{title}: actuators: no hinge or slide joint {name!r}{meant(name, single)}; "
                                 f"there are: {known}")  # fmt: skip
            if spec.actuator(name) is not None:
                raise ModelError(f"{title}: actuators: an actuator of that name exists, {name!r}; allowed: a new name")
            kp, kd = self.kp, self.kd
            if own is not None:
                known = isinstance(own, dict) and set(own) <= {"kp", "kd"}
                if not known or not all(_is_number(value) and value >= 0 for value in own.values()):
                    raise ValueError(f"actuators: {name!r}: {own!r}; allowed: kp and kd, finite numbers, 0 or more")
                kp, kd = own.get("kp", kp), own.get("kd", kd)
            _drive(mujoco, spec, single[name], kp, kd or 0.0, name in driven)
            damped = damped or bool(kd)
        s = "" if len(settings) == 1 else "s"
        kind = f"motor{s}" if self.kp is None else f"servo{s} of kp {self.kp:g}"
        kind = "as given" if isinstance(wanted, dict) else kind
        yield f"{counted(len(settings), 'actuator')} added, {kind}: limits are the joints' effort and range"
        if urdf and damped and spec.option.integrator == mujoco.mjtIntegrator.mjINT_EULER:
            # a URDF names no integrator, and Euler takes the damping of a servo at the start of the step: on a light
            # link it diverges
            spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
            yield IMPLICIT


def _too_damped(mujoco, mj):
    """Whether Euler's method, which takes a servo's damping at the start of the step, turns a velocity round by it."""
    on_joint = np.flatnonzero(mj.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT)
    joint = mj.actuator_trnid[on_joint, 0]
    damping = -mj.actuator_biasprm[on_joint, 2] * mj.actuator_gear[on_joint, 0] ** 2
    turned = mj.opt.timestep * damping > mj.dof_M0[mj.jnt_dofadr[joint]]
    euler = mj.opt.integrator == mujoco.mjtIntegrator.mjINT_EULER
    return euler and bool((turned & np.isin(mj.jnt_type[joint], _single(mujoco))).any())


def _float(title, spec, height):
    """A free joint for the body that stands on the world and carries the joints."""
    standing = [body for body in spec.worldbody.bodies if not body.joints and not body.mocap]
    carrying = [body for body in standing if any(below.joints for below in _below(body))] or standing
    if len(carrying) != 1:
        on_joints = [body.name for body in spec.worldbody.bodies if body.joints]
        found = f"{len(carrying)} bodies stand on the world without a joint" if carrying else (
            f"the bodies on the world have joints already ({', '.join(map(repr, on_joints[:4]))})"
        )  # fmt: skip
        raise ModelError(f"{title}: floating: {found}; allowed: one, which becomes the base")
    base = carrying[0]
    free = [body.name for body in _below(base) if any(int(joint.type) == FREE for joint in body.joints)]
    if free:
        raise ModelError(f"{title}: floating: body {free[0]!r} floats already, in body {base.name!r}; allowed: a robot "
                         "that does not float yet")  # fmt: skip
    base.add_freejoint(name=f"{base.name or 'base'}_free")
    if height is not True:
        base.pos = [base.pos[0], base.pos[1], height]
    at = "" if height is True else f", at a height of {height:g} m"
    yield f"body {base.name!r} floats: a free joint added{at}"


def _add_floor(mujoco, title, spec, height):
    if spec.geom("floor") is not None:
        raise ModelError(f"{title}: floor: a geom of that name exists already; allowed: a file without one")
    z = 0.0 if height is True else height
    spec.worldbody.add_geom(name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], pos=[0, 0, z], contype=1,
                            conaffinity=1)  # fmt: skip
    yield f"floor added, a plane at a height of {z:g} m"


def _collide(spec, what):
    """all: what collides in the file, with all of it. ground: with what is the world's own. none: nothing."""
    colliding = [geom for geom in spec.geoms if geom.contype or geom.conaffinity]
    for geom in colliding:
        of_world = geom.parent.name == spec.worldbody.name
        geom.contype = int(what == "all" or what == "ground" and not of_world)
        geom.conaffinity = int(what == "all" or what == "ground" and of_world)
    pairs = list(spec.pairs) if what != "all" else []
    for pair in pairs:
        spec.delete(pair)
    words = {"all": "meet each other", "ground": "meet the world's own alone", "none": "meet nothing"}[what]
    yield f"collide = {what}: {counted(len(colliding), 'geom')} of those that collide in the file {words}" + (
        f"; {counted(len(pairs), 'explicit pair')} left out" if pairs else ""
    )


def _exclude(title, spec, pairs):
    known = [body.name for body in spec.bodies if body.name]
    for pair in pairs:
        for name in pair:
            if name not in known:
                there = ", ".join(known)
                raise ModelError(f"{title}: exclude: no body {name!r}{meant(name, known)}; there are: {there}")
        spec.add_exclude(bodyname1=pair[0], bodyname2=pair[1])
        yield f"contact of body {pair[0]!r} with {pair[1]!r} left out"


def _named(body):
    """A body's name, which it gets where it has none."""
    body.name = body.name or f"body {body.id}"
    return body.name


def _pairs(pairs):
    """[(body, body)] of what was asked for, a pair or several."""
    given, pairs = pairs, pairs if isinstance(pairs, Collection) else "?"
    if not isinstance(pairs, str) and len(pairs) == 2 and all(isinstance(name, str) for name in pairs):
        pairs = [pairs]
    made = [tuple(pair) for pair in pairs if not isinstance(pair, str)] if not isinstance(pairs, str) else []
    whole = len(made) == len(pairs) and all(len(p) == 2 and all(isinstance(name, str) for name in p) for p in made)
    if not whole:
        raise ValueError(f"exclude = {given!r}; allowed: {OVERLAPPING!r}, or pairs of names of bodies")
    return made


def _sense(mujoco, title, spec, name):
    """A framepos sensor of a site, where no site is called so of a body, else of a geom, unless the file has one."""
    of = {"site": (spec.site, mujoco.mjtObj.mjOBJ_SITE), "body": (spec.body, mujoco.mjtObj.mjOBJ_XBODY),
          "geom": (spec.geom, mujoco.mjtObj.mjOBJ_GEOM)}  # fmt: skip
    kind = next((kind for kind, (found, _) in of.items() if found(name) is not None), None)
    if kind is None:
        known = [e.name for e in [*spec.sites, *spec.bodies, *spec.geoms] if e.name]
        near, known = meant(name, known), ", ".join(map(repr, known))
        raise ModelError(f"{title}: no site, body or geom {name!r}{near}; there are: {known}")
    objtype = of[kind][1]
    place = mujoco.mjtSensor.mjSENS_FRAMEPOS
    if any((s.type, s.objtype, s.objname) == (place, objtype, name) and not s.refname for s in spec.sensors):
        return
    own = f"{name}_pos"
    while spec.sensor(own) is not None:
        own += "_"
    spec.add_sensor(name=own, type=place, objtype=objtype, objname=name)
    yield f"sensor {own!r} added: the place of {kind} {name!r}"


def _drive(mujoco, spec, joint, kp, kd, shared):
    """A motor, or with kp a servo; the joint's limit on actuator forces becomes the actuator's, unless it is `shared`
    with another."""
    actuator = spec.add_actuator(name=joint.name, target=joint.name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    low, high = joint.actfrcrange
    limited = _is_limited(mujoco, joint.actfrclimited, low, high)
    if kp is None:
        actuator.set_to_motor()
        if limited:
            actuator.ctrlrange, actuator.ctrllimited = [low, high], 1
    else:
        actuator.set_to_position(kp=kp, kv=kd)
        turns = int(joint.type) == int(mujoco.mjtJoint.mjJNT_HINGE) and joint.compiler.degree
        if _is_limited(mujoco, joint.limited, *joint.range):
            actuator.ctrlrange, actuator.ctrllimited = np.radians(joint.range) if turns else joint.range, 1
        if limited:
            actuator.forcerange, actuator.forcelimited = [low, high], 1
    if limited and not shared:
        joint.actfrclimited = 0


def _is_limited(mujoco, flag, low, high):
    return int(flag) == 1 or int(flag) == int(mujoco.mjtLimited.mjLIMITED_AUTO) and low < high


def _single(mujoco):
    return int(mujoco.mjtJoint.mjJNT_HINGE), int(mujoco.mjtJoint.mjJNT_SLIDE)


def _below(body):
    for child in body.bodies:
        yield child
        yield from _below(child)


def _names(names):
    if not _are_names(names):
        raise ValueError(f"actuators = {names!r}; allowed: True, names of joints, 'motor', "
                         f"'position', or {{name: {{'kp': .., 'kd': ..}}}}")
    return names


def _are_names(names):
    return isinstance(names, Collection) and not isinstance(names, str) and all(isinstance(n, str) for n in names)


def _height(name, value):
    """None: not asked for. True, or a height in m."""
    if value is False or value is None:
        return None
    if value is True:
        return True
    if _is_number(value):
        return float(value)
    raise ValueError(f"{name} = {value!r}; allowed: True, or a height in m, a finite number")


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and bool(np.isfinite(value))
