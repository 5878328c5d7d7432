"""ModelBuilder: a robot written in Python, with MJCF's elements and attributes; needs no MuJoCo.

    b = ModelBuilder("pendulum", timestep=0.002)
    pole = b.body("pole", pos=(0, 0, 1))
    b.joint(pole, "swing", axis=(0, 1, 0), damping=0.1)
    b.geom(pole, type="capsule", fromto=(0, 0, 0, 0, 0, -0.5), size=0.05)
    b.motor("swing", ctrlrange=(-1, 1))
    model = b.compile()

Angles are radians, `euler` turns about the moving x, y, z axes. An element must exist before it is referred to; every
call checks everything before it changes the builder. Bodies end up in the order MuJoCo gives them: depth first.
"""

from types import SimpleNamespace

import numpy as np

from . import constants as c
from .assemble import assemble
from .elements import check_values, read_attributes
from .errors import ModelError
from .inertia import principal_axes
from .model import Option
from .shapes import place, quat_of

_DEFAULTED = ("joint", "geom", "site", "actuator", "pair")


def _body(name, parent, pos, quat):
    return SimpleNamespace(
        name=name, parent=parent, pos=pos, quat=quat, children=[], inertial=None, joints=[], geoms=[], sites=[]
    )


class ModelBuilder:
    """Collects elements; `compile` makes the Model. Methods that add an element return its name."""

    def __init__(self, name="model", *, settotalmass=None, **option):
        self.name, self.settotalmass = name, settotalmass
        if settotalmass is not None and not (np.isfinite(settotalmass) and settotalmass > 0):
            raise ModelError(f"{name}: settotalmass = {settotalmass!r}; allowed: a positive number")
        self.option = Option(**vars(read_attributes("option", f"options of {name!r}", option)))
        self.bodies = {"world": _body("world", None, np.zeros(3), np.array([1.0, 0.0, 0.0, 0.0]))}
        self.joints, self.geoms, self.sites, self.actuators, self.sensors = {}, {}, {}, {}, {}
        self.pairs, self.excludes, self.keys = [], [], {}
        self._defaults = {kind: {} for kind in _DEFAULTED}

    def default(self, kind, **attributes):
        """Attributes of elements of a kind (joint, geom, site, actuator, pair) that are added from now on."""
        if kind not in _DEFAULTED:
            raise ModelError(f"default {kind!r}; allowed: {', '.join(_DEFAULTED)}")
        check_values(kind, f"default {kind}", attributes)
        self._defaults[kind].update(attributes)

    # ------------------------------------------------------------------------------------------- the tree

    def body(self, name, parent="world", **attributes):
        """A body in the frame of `parent`: pos, and quat or euler."""
        who = f"body {name!r}"
        if not name:
            raise ModelError(f"{who}; allowed: a name (bodies are referred to)")
        self._check_new("body", self.bodies, name)
        above = self._find("body", parent, who)
        a = read_attributes("body", who, attributes)
        self.bodies[name] = _body(name, above, a.pos, quat_of(who, a))
        above.children.append(self.bodies[name])
        return name

    def inertial(self, body, mass, **attributes):
        """Mass and inertia of a body, instead of its geoms': pos, and diaginertia (with quat or euler) or fullinertia.

        `fullinertia` is [Ixx, Iyy, Izz, Ixy, Ixz, Iyz] about the centre of mass, in the body's axes.
        """
        who = f"inertial of body {body!r}"
        target = self._find("body", body, who)
        a = read_attributes("inertial", who, {"mass": mass, **attributes})
        if target.name == "world" or target.inertial:
            raise ModelError(f"{who}; allowed: one, and none of the world")
        if (a.diaginertia is None) == (a.fullinertia is None):
            raise ModelError(f"{who}: allowed: one of diaginertia, fullinertia")
        quat, inertia = quat_of(who, a), a.diaginertia
        if a.fullinertia is not None:
            if a.quat is not None or a.euler is not None:
                raise ModelError(f"{who}: fullinertia with quat or euler; allowed: it alone fixes the axes")
            xx, yy, zz, xy, xz, yz = a.fullinertia
            quat, inertia = principal_axes(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
        if (inertia < 0).any():
            raise ModelError(f"{who}: moments of inertia {inertia}; allowed: zero or more")
        target.inertial = (a.mass, a.pos, quat, inertia)

    def joint(self, body, name=None, **attributes):
        """A joint between `body` and its parent; several joints of a body act in the order they are added."""
        return self._add_joint(body, name, attributes, self._defaults["joint"])

    def freejoint(self, body, name=None):
        """A free joint that no default touches, like MJCF's freejoint."""
        return self._add_joint(body, name, {"type": "free"}, {})

    def _add_joint(self, body, name, attributes, defaults):
        who = f"joint {name or ''!r} of body {body!r}"
        target = self._find("body", body, who)
        a = read_attributes("joint", who, attributes, defaults)
        if target.name == "world":
            raise ModelError(f"{who}; allowed: a body other than the world")
        if a.type in (c.FREE, c.BALL):
            a.axis = np.array([0.0, 0.0, 1.0])  # has no meaning there; MuJoCo stores this
        if a.type == c.FREE:
            a.pos = np.zeros(3)
        self._set_limits(who, a, "range", "limited")
        return self._add("joint", self.joints, name, a, target.joints)

    def geom(self, body, name=None, **attributes):
        """A shape: mass (or density) and contact. Types: plane, sphere, capsule, ellipsoid, cylinder, box."""
        who = f"geom {name or ''!r} of body {body!r}"
        target = self._find("body", body, who)
        a = read_attributes("geom", who, attributes, self._defaults["geom"])
        a.pos, a.quat, a.size = place(who, a, attributes)
        if a.type == c.PLANE and a.mass:
            raise ModelError(f"{who}: mass = {a.mass}; allowed: none for a plane")
        return self._add("geom", self.geoms, name, a, target.geoms)

    def site(self, body, name=None, **attributes):
        """A place on a body, for sensors."""
        who = f"site {name or ''!r} of body {body!r}"
        target = self._find("body", body, who)
        a = read_attributes("site", who, attributes, self._defaults["site"])
        a.pos, a.quat, a.size = place(who, a, attributes)
        return self._add("site", self.sites, name, a, target.sites)

    # -------------------------------------------------------------------------------------- actuators, sensors

    def general(self, joint, name=None, **attributes):
        """An actuator of a joint: force = gain * (ctrl or act) + bias, both affine in length and velocity."""
        who = f"actuator {name or ''!r} of joint {joint!r}"
        target = self._find("joint", joint, who)
        a = read_attributes("actuator", who, attributes, self._defaults["actuator"])
        a.joint = target
        for limited in ("ctrl", "force", "act"):
            self._set_limits(who, a, f"{limited}range", f"{limited}limited")
        if a.dyntype in (c.DYN_FILTER, c.DYN_FILTEREXACT) and a.dynprm[0] <= 0:
            raise ModelError(f"{who}: dynprm = {a.dynprm}; allowed: a positive time constant first")
        return self._add("actuator", self.actuators, name, a)

    actuator = general

    def motor(self, joint, name=None, **attributes):
        """Force = ctrl (times gear)."""
        return self.general(joint, name, gainprm=1.0, biasprm=0.0, **attributes)

    def position(self, joint, name=None, kp=1.0, kv=0.0, **attributes):
        """Force = kp (ctrl - length) - kv velocity."""
        self._check_gains(f"actuator {name or ''!r} of joint {joint!r}", kp=kp, kv=kv)
        return self.general(joint, name, gainprm=kp, biasprm=(0.0, -kp, -kv), **attributes)

    def velocity(self, joint, name=None, kv=1.0, **attributes):
        """Force = kv (ctrl - velocity)."""
        self._check_gains(f"actuator {name or ''!r} of joint {joint!r}", kv=kv)
        return self.general(joint, name, gainprm=kv, biasprm=(0.0, 0.0, -kv), **attributes)

    def sensor(self, type, name=None, *, objname, objtype=None, cutoff=0.0):
        """A sensor of constants.SENSOR_NAMES on the element `objname`; frame sensors need an objtype as well."""
        who = f"sensor {name or type!r}"
        if type not in c.SENSOR_OBJECTS:
            raise ModelError(f"{who}: type {type!r}; allowed: {', '.join(c.SENSOR_OBJECTS)}")
        allowed = c.SENSOR_OBJECTS[type]
        if objtype is None and len(allowed) == 1:
            objtype = next(iter(allowed))
        if objtype not in allowed:
            raise ModelError(f"{who}: objtype = {objtype!r}; allowed: {', '.join(allowed)}")
        target = self._find("body" if objtype == "xbody" else objtype, objname, who)
        if type in ("jointpos", "jointvel") and target.type not in (c.SLIDE, c.HINGE):
            raise ModelError(f"{who}: joint {objname!r} is {c.JOINT_NAMES[target.type]}; allowed: slide, hinge")
        a = read_attributes("sensor", who, {"cutoff": cutoff})
        a.type, a.objtype, a.target = c.SENSOR_NAMES.index(type), allowed[objtype], target
        return self._add("sensor", self.sensors, name, a)

    # ------------------------------------------------------------------------------------- contact, keyframes

    def pair(self, geom1, geom2, **attributes):
        """A contact pair with parameters of its own, whatever contype, conaffinity and exclude say."""
        who = f"pair of geoms {geom1!r} and {geom2!r}"
        geoms = [self._find("geom", geom, who) for geom in (geom1, geom2)]
        a = read_attributes("pair", who, attributes, self._defaults["pair"])
        known = [{id(g) for g in pair.geoms} for pair in self.pairs]
        if geoms[0] is geoms[1] or {id(g) for g in geoms} in known:
            raise ModelError(f"{who}; allowed: two different geoms, each pair once")
        a.geoms = geoms
        self.pairs.append(a)

    def exclude(self, body1, body2):
        """No contact between the geoms of two bodies."""
        who = f"exclude of bodies {body1!r} and {body2!r}"
        self.excludes.append(tuple(self._find("body", body, who) for body in (body1, body2)))

    def key(self, name, qpos=None, qvel=None, act=None, ctrl=None):
        """A named state to start from; what is left out is the rest position, or zero. Sizes are checked by compile."""
        self._check_new("key", self.keys, name)
        self.keys[name] = {"qpos": qpos, "qvel": qvel, "act": act, "ctrl": ctrl}
        return name

    def compile(self):
        """The Model of everything added so far; the builder can go on being used."""
        return assemble(self)

    # -------------------------------------------------------------------------------------------- checks

    def _add(self, kind, table, name, element, siblings=None):
        self._check_new(kind, table, name)
        element.name = name or ""
        table[name or (kind, len(table))] = element  # unnamed elements get a key that nobody can ask for
        if siblings is not None:
            siblings.append(element)
        return name

    @staticmethod
    def _check_new(kind, table, name):
        if name is not None and not isinstance(name, str):
            raise ModelError(f"{kind} {name!r}: the name is a {type(name).__name__}; allowed: a string")
        if name and name in table:
            raise ModelError(f"{kind} {name!r} exists already; allowed: a new name")

    def _find(self, kind, name, who):
        table = {"body": self.bodies, "joint": self.joints, "geom": self.geoms, "site": self.sites,
                 "actuator": self.actuators}[kind]  # fmt: skip
        if not isinstance(name, str) or name not in table:
            known = ", ".join(repr(n) for n in table if isinstance(n, str)) or "none has a name"
            raise ModelError(f"{who}: no {kind} {name!r}; there are: {known}")
        return table[name]

    @staticmethod
    def _set_limits(who, a, range_, limited):
        """A range given means limited, as with MuJoCo's autolimits."""
        if getattr(a, limited) is None:
            setattr(a, limited, getattr(a, range_) is not None)
        if getattr(a, limited) and getattr(a, range_) is None:
            raise ModelError(f"{who}: {limited} = True without {range_}; allowed: with {range_}")
        if getattr(a, range_) is None:
            setattr(a, range_, np.zeros(2))

    @staticmethod
    def _check_gains(who, **gains):
        for name, value in gains.items():
            if not np.isscalar(value) or not np.isfinite(value) or value < 0:
                raise ModelError(f"{who}: {name} = {value!r}; allowed: a finite number, 0 or more")
