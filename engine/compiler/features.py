"""Features: what of the engine a robot needs compiled. A stage, or a branch of one, serves a feature; a robot without
it neither traces nor compiles that, and never waits for it.

Features follow from types and counts of a Model and from the kinds of a controller's parts, never from values, which
change from step to step. Device code asks in two ways, answered while a kernel is traced:

    @serves("box")                   a ti.func that is nothing without the feature (a stage: outline(..., when="box"))
    if ti.static(has.box): ...       a branch

What a function and its callees ask for decides which robots share its code (variant.py).
"""

import contextlib
import functools
from collections.abc import Iterable
from types import SimpleNamespace

import numpy as np

from engine import parts
from engine.compiler.backend import settings
from engine.model import sleeping
from engine.model.arms import adhesive, arms, muscles
from engine.model.bounds import clipped, looked_ahead, searched
from engine.model.broad import broad_phase
from engine.model.cameras import followers
from engine.model.constants import (
    BALL,
    BOX,
    CYLINDER,
    DISCRETE,
    DYN_DCMOTOR,
    DYN_PID,
    ELLIPSOID,
    FREE,
    GAIN_SO3,
    HFIELD,
    IMPLICIT,
    IMPLICITFAST,
    MESH,
    PLANE,
    RK4,
)  # fmt: skip
from engine.model.coordinates import quaternions
from engine.model.delays import clocks, samples, samples_of_sensors
from engine.model.elements.actuator import turning_servos
from engine.model.elements.equality import ties
from engine.model.flows import in_flow
from engine.model.pairs import condims
from engine.model.plastic import count
from engine.model.sensors import features_of_sensors
from engine.model.tendons import is_spatial
from engine.model.triangles import ranged
from engine.theta import (
    BODY_LEAVES,
    CONTACT_LEAVES,
    DRIVE_LEAVES,
    EQUALITY_LEAVES,
    FIELD_LEAVES,
    FRICTION_LEAVES,
    INERTIA_LEAVES,
    JOINT_LEAVES,
    LIMIT_LEAVES,
    SHAPE_LEAVES,
    SITE_LEAVES,
    TENDON_LEAVES,
)

_expected = frozenset()  # kinds of parts, beside those that a controller has
KINDS = ("open", "spline", "cpg", "pd", "mlp", "linear", "own")  # of a controller's parts

# name: what it stands for
FEATURES = {
    "rk4": "the stages of Runge-Kutta",
    "implicitfast": "velocity slopes of actuators, tendons and free bodies in the integrator",
    "implicit": "the slope of the bias force in the integrator, too",
    "discrete": "constraints and forces at the end of the step, in one solve with the integrator",
    "diagexact": "constraints whose softness follows the exact diagonal of J M^-1 J^T",
    "diagonal": "constraints whose softness follows the state's inertia, as with either of these two",
    "backbone": "the metric of the integrator discrete as MuJoCo factors it, which noslip and diagexact ask",
    "lone": "a free body alone in its tree, which implicitfast and discrete solve with the slope of its bias",
    "quaternion": "free and ball joints",
    "long": "chains of so many dofs that rows of matrices are eliminated by fours",
    "mocap": "bodies whose poses are inputs",
    "activation": "actuators with a state of their own",
    "muscle": "muscles",
    "pid": "actuators with the states of a PID controller",
    "dcmotor": "DC motors with more than a back-EMF",
    "so3": "orientation servos",
    "turns": "position servos of turns with a state of their own",
    "delay": "actuators that act on controls of the past",
    "image_sensor": "sensors of where a camera sees a site",
    "camera": "sensors of cameras that follow or target bodies",
    "inside_sensor": "sensors of what lies within a site",
    "sensor_delay": "sensors that tell what was",
    "sensor_interval": "sensors that tell something new at intervals",
    "plastic": "springs whose rest yields",
    "actfrc": "joints that limit the sum of actuator forces on them",
    "fluid": "forces of a fluid on bodies",
    "ellipsoid_fluid": "geoms that a fluid takes for ellipsoids",
    "gravcomp": "bodies whose weight is compensated",
    "polynomial": "springs and dampers that are polynomials",
    "tendon": "tendons",
    "spatial": "tendons along paths of sites",
    "arm": "actuators on sites and cranks, and in the axes of joints' parents",
    "adhesion": "actuators that pull bodies at what they touch",
    "tendon_actfrc": "tendons that limit the sum of actuator forces on them",
    "contact": "candidate pairs",
    "own_pair": "pairs with contact parameters of their own",
    "broad": "so many candidate pairs that those which are near are found by a sweep",
    "plane": "pairs with a plane",
    "segment": "pairs of spheres and capsules",
    "box": "spheres and capsules against boxes",
    "box_box": "boxes against boxes",
    "cylinder": "planes and spheres against cylinders",
    "ellipsoid": "planes against ellipsoids",
    "mesh": "planes against meshes",
    "hull": "meshes against all but planes",
    "convex": "shapes between which a search finds the contact",
    "hfield": "height fields, of whose prisms each is such a shape",
    "clipped": "those of them that may touch in several points",
    "body_leaf": "gradients by frames of bodies, where a simulator is asked for them",
    "shape_leaf": "gradients by sizes and frames of geoms, where a simulator is asked for them",
    "contact_leaf": "gradients by solref, solimp and margins of contacts, where a simulator is asked for them",
    "limit_leaf": "gradients by ranges, solref, solimp and margins of joints, where a simulator is asked for them",
    "drive_leaf": "gradients by actuators' time constants and curves, where a simulator is asked for them",
    "joint_leaf": "gradients by places and axes of joints, where a simulator is asked for them",
    "tree_leaf": "gradients by frames of bodies or joints, beside what has adjoints that go to joints by themselves",
    "frame_leaf": "gradients by frames of sites, geoms or inertias, which sensors read",
    "site_leaf": "gradients by frames of sites, where a simulator is asked for them",
    "own_leaf": "leaves that each world has for itself, where a simulator is asked for it",
    "friction_leaf": "gradients by solref and solimp of dry friction of dofs, where a simulator is asked for them",
    "tendon_leaf": "gradients by limits of tendons and the parameters of those and of dry friction, in the same way",
    "equality_leaf": "gradients by solref, solimp and the data of equalities, in the same way",
    "field_leaf": "gradients by elevations and sizes of height fields, where a simulator is asked for them",
    "inertia_leaf": "gradients by centres of mass and principal axes, where a simulator is asked for them",
    "ball_limit": "limited ball joints",
    "equality": "equality constraints",
    "block": "contacts, ball limits, equalities or tendons",
    "surface": "geoms whose surfaces move",
    "pyramidal": "the pyramidal cone",
    "elliptic": "the elliptic cone",
    "sleep": "trees of bodies that may sleep",
    "speculative": "contacts before an impact",
    "noslip": "friction without slip after the solver",
    "rolling": "torsional and rolling friction, that is condim 4 and 6",
    "sensor": "sensors; of scalar coordinates, actuator forces, time and places of frames",
    "velocity_sensor": "sensors of a frame's velocity",
    "acceleration_sensor": "sensors of a frame's acceleration",
    "subtree_sensor": "sensors of a subtree's centre of mass",
    "touch_sensor": "sensors of contact forces through a site",
    "axis_sensor": "sensors of a frame's axes and of the magnetic flux",
    "ball_sensor": "sensors of ball joints",
    "actuator_sensor": "sensors of an actuator's length and velocity, and of actuator forces on a joint",
    "tendon_sensor": "sensors of a tendon's length, velocity and actuator forces",
    "limit_sensor": "sensors of limits of joints and tendons",
    "wrench_sensor": "sensors of the force and torque between a body and its parent",
    "energy_sensor": "sensors of angular momentum and of energy",
    "contact_sensor": "sensors of contacts by what touches what",
    "range_sensor": "rangefinders",
    "range_data": "rangefinders that tell more than a distance",
    "range_camera": "rangefinders with a ray for each pixel of a camera",
    "field_range": "rays beside height fields",
    "mesh_range": "rays beside meshes",
    "distance_sensor": "sensors of the distance between geoms",
    "distance_search": "those of shapes between which a search finds it, of capsules and boxes, and of meshes",
    "local_sensor": "sensors that read in the axes of their own frame or of a reference",
    "residual": "forces that a network makes of the state",
    "friction_law": "dry friction that falls with speed or grows with load",
    "own_residual": "forces that a user's function makes of it",
    "part": "a controller inside the kernel",
    **{name: f"a part of the kind {name.upper()}" for name in KINDS},
}
NAMES = tuple(FEATURES)
ALL = frozenset(NAMES)
LONG = 24  # dofs

has = SimpleNamespace(**dict.fromkeys(NAMES, True))
_in_force = ALL


def features_of(model):
    """The features of a Model, a set of names."""
    types = model.geom_type[np.stack([model.pair_geom1, model.pair_geom2])] if model.npair else np.zeros((2, 0), int)
    planes, boxes, cylinders = types[0] == PLANE, types[1] == BOX, types[1] == CYLINDER
    ball_limit = bool(((model.jnt_type == BALL) & (model.jnt_limited != 0)).any())
    implicitfast = model.opt.integrator == IMPLICITFAST
    discrete, exact = model.opt.integrator == DISCRETE, bool(model.opt.diagexact)
    contact = model.npair > 0
    convex = searched(model)
    ahead = looked_ahead(model).any()
    equality = len(ties(model)) > 0
    sensed = features_of_sensors(model)
    return sensed | _named(
        rk4=model.opt.integrator == RK4,
        implicitfast=implicitfast or model.opt.integrator == IMPLICIT,
        implicit=model.opt.integrator == IMPLICIT,
        discrete=discrete,
        diagexact=exact,
        diagonal=discrete or exact,
        backbone=discrete and (exact or model.opt.noslip_iterations > 0),
        lone=(implicitfast or discrete) and (model.jnt_type == FREE).any(),
        quaternion=bool(quaternions(model)),
        long=_long(model),
        mocap=model.nmocap > 0,
        camera=len(followers(model)) > 0,
        activation=model.na > 0,
        turns=(turning_servos(model) & (model.actuator_actadr >= 0) & (model.actuator_dyntype != DYN_PID)).any(),
        delay=samples(model).any(),
        sensor_delay=samples_of_sensors(model).any(),
        sensor_interval=clocks(model).any(),
        plastic=count(model) > 0,
        muscle=muscles(model).any(),
        pid=(model.actuator_dyntype == DYN_PID).any(),
        dcmotor=(model.actuator_dyntype == DYN_DCMOTOR).any(),
        so3=(model.actuator_gaintype == GAIN_SO3).any(),
        actfrc=model.jnt_actfrclimited.any(),
        fluid=model.opt.density > 0 or model.opt.viscosity > 0,
        ellipsoid_fluid=in_flow(model).any(),
        gravcomp=model.body_gravcomp.any(),
        polynomial=model.jnt_stiffnesspoly.any() or model.dof_dampingpoly.any(),
        tendon=model.ntendon > 0,
        spatial=is_spatial(model).any(),
        arm=len(arms(model)[0]) > 0,
        adhesion=adhesive(model).any(),
        tendon_actfrc=model.tendon_actfrclimited.any(),
        contact=contact,
        own_pair=model.nown > 0,
        broad=len(broad_phase(model)[0]) > 0,
        plane=planes.any(),
        segment=(~convex & ~planes & ~boxes & ~cylinders).any(),
        box=(~convex & ~planes & boxes & (types[0] != BOX)).any(),
        box_box=(boxes & (types[0] == BOX)).any(),
        cylinder=(~convex & cylinders).any(),
        ellipsoid=(planes & (types[1] == ELLIPSOID)).any(),
        mesh=(planes & (types[1] == MESH)).any(),
        hull="hull" in sensed or ((~planes | ahead) & (types[1] == MESH)).any(),
        convex="convex" in sensed or convex.any() or ahead,
        hfield=(types[0] == HFIELD).any(),
        field_range="range_sensor" in sensed and (model.geom_type == HFIELD).any(),
        mesh_range=len(ranged(model)) > 0,
        clipped=clipped(model).any() or ahead,
        ball_limit=ball_limit,
        equality=equality,
        block=contact or ball_limit or equality or model.ntendon > 0 or discrete and len(arms(model)[0]) > 0,
        surface=contact and model.geom_surfacevel.any(),
        pyramidal=contact and model.opt.cone == 0,
        elliptic=contact and model.opt.cone == 1,
        sleep=sleeping.sleeps(model),
        speculative=ahead,
        noslip=model.opt.noslip_iterations > 0,
        rolling=(condims(model) > 3).any(),
        residual=(model.residual_kind != parts.RESIDUAL_FRICTION).any(),
        friction_law=(model.residual_kind == parts.RESIDUAL_FRICTION).any(),
        own_residual=model.own_residual is not None,
    )


def _long(model):
    """Whether a dof has many ancestors, or may have where pairs couple moving bodies."""
    depth = []
    for parent in model.dof_parentid.tolist():
        depth.append(depth[parent] + 1 if parent >= 0 else 1)
    moves = model.body_dofnum[model.body_weldid[model.geom_bodyid[np.stack([model.pair_geom1, model.pair_geom2])]]] > 0
    return max(depth, default=0) >= LONG or (model.nv >= 2 * LONG and bool(moves.all(axis=0).any()))


def features_of_leaves(leaves):
    """The features of the parameters that a simulator is asked for beyond those that it always has."""
    return _named(
        body_leaf=any(p.name in leaves for p in BODY_LEAVES),
        shape_leaf=any(p.name in leaves for p in SHAPE_LEAVES),
        contact_leaf=any(p.name in leaves for p in CONTACT_LEAVES),
        surface="geom_surfacevel" in leaves,
        limit_leaf=any(p.name in leaves for p in LIMIT_LEAVES),
        drive_leaf=any(p.name in leaves for p in DRIVE_LEAVES),
        inertia_leaf=any(p.name in leaves for p in INERTIA_LEAVES),
        field_leaf=any(p.name in leaves for p in FIELD_LEAVES),
        site_leaf=any(p.name in leaves for p in SITE_LEAVES),
        frame_leaf=any(p.name in leaves for p in SITE_LEAVES + SHAPE_LEAVES + INERTIA_LEAVES),
        friction_leaf=any(p.name in leaves for p in FRICTION_LEAVES),
        tendon_leaf=any(p.name in leaves for p in TENDON_LEAVES),
        equality_leaf=any(p.name in leaves for p in EQUALITY_LEAVES),
        joint_leaf=any(p.name in leaves for p in JOINT_LEAVES),
        tree_leaf=any(p.name in leaves for p in BODY_LEAVES + JOINT_LEAVES),
    )


def chosen(model, asked, leaves=()):
    """The features to compile for: the robot's, all of them where `engine.init` says so, or those asked for; and those
    of `leaves`.

    Raises ValueError for names that do not exist, and where the robot needs one that is not among them.
    """
    need = features_of(model)
    if asked is None:
        return ALL if settings().features == "all" else need | features_of_leaves(leaves)
    if not isinstance(asked, Iterable):
        raise TypeError(f"features: got {type(asked).__name__}, allowed: names, or None")
    asked = frozenset([asked] if isinstance(asked, str) else asked) | features_of_leaves(leaves)
    unknown, missing = asked - ALL, need - asked
    if unknown or missing:
        what = f"unknown {', '.join(sorted(unknown))}" if unknown else f"without {', '.join(sorted(missing))}"
        raise ValueError(f"features: {what}, allowed: names of {', '.join(NAMES)}; this model needs {sorted(need)}")
    return asked


def features_of_parts(kinds):
    """The features of a controller with these kinds of parts (engine/parts.py), and of those that are expected."""
    kinds = {*kinds, *_expected}
    return _named(part=len(kinds) > 0, **{name: getattr(parts, name.upper()) in kinds for name in KINDS})


@contextlib.contextmanager
def expecting(*kinds):
    """Every rollout that is bound meanwhile is compiled for these kinds of parts, too: what runs with such a controller
    and without one then shares a kernel, of which each takes seconds to load."""
    global _expected
    before, _expected = _expected, _expected | set(kinds)
    try:
        yield
    finally:
        _expected = before


def _named(**which):
    return frozenset(name for name, there in which.items() if there)


def serves(feature, otherwise=None):
    """Decorator, above @ti.func: calls of the function are nothing where the feature is not compiled for, or one of
    their own arguments, the one of the number `otherwise`."""

    def mark(function):
        @functools.wraps(function)
        def call(*args):
            if getattr(has, feature):
                return function(*args)
            return None if otherwise is None else args[otherwise]

        call.serves = feature
        return call

    return mark


def in_force():
    """The features that `has` answers for now."""
    return _in_force


@contextlib.contextmanager
def compiled_for(features):
    """`has` answers for these features while kernels are traced."""
    global _in_force
    before, _in_force = _in_force, frozenset(features)
    vars(has).update({name: name in features for name in NAMES})
    try:
        yield
    finally:
        _in_force = before
        vars(has).update({name: name in before for name in NAMES})
