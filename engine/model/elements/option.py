"""The options of a simulation: timestep, gravity, integrator, cone, solver; and what an MJCF's flags switch off."""

from dataclasses import dataclass, field

import numpy as np

from engine.words import meant

from .. import bounds, sleeping
from .. import constants as c
from ..attributes import choice, flag, number, vector, whole
from ..errors import ModelError
from ..flows import simple_bodies
from ..sensors import apart_pairs, words_of_mujoco
from .kind import Kind


@dataclass
class Option:
    """Simulation options, MuJoCo's mjOption; `integrator`, `cone` and `solver` are the numbers of constants.py.

    The solver is always Newton's method. With the integrator discrete, PGS has actuators and tendons explicit, as
    MuJoCo has them there; else `solver` changes nothing."""

    timestep: float = 0.002
    gravity: np.ndarray = field(default_factory=lambda: np.array([0.0, 0.0, -9.81]))
    integrator: int = c.EULER
    cone: int = c.PYRAMIDAL
    impratio: float = 1.0
    tolerance: float = 1e-8
    iterations: int = 100
    ls_iterations: int = 50
    eulerdamp: bool = True
    refsafe: bool = True
    magnetic: np.ndarray = field(default_factory=lambda: np.array([0.0, -0.5, 0.0]))
    ccd_tolerance: float = 1e-6
    ccd_iterations: int = 35
    multiccd: bool = True
    island: bool = True
    density: float = 0.0
    viscosity: float = 0.0
    wind: np.ndarray = field(default_factory=lambda: np.zeros(3))
    noslip_iterations: int = 0
    noslip_tolerance: float = 1e-6
    diagexact: bool = False
    sleep: bool = False
    sleep_tolerance: float = 1e-3
    speculative: bool = False
    solver: int = c.NEWTON

    def __setattr__(self, name, value):  # a word that is written wrongly would change nothing, without a sign
        if name not in self.__dataclass_fields__:
            known = ", ".join(self.__dataclass_fields__)
            raise AttributeError(f"no option {name!r}{meant(name, self.__dataclass_fields__)}; there are: {known}")
        super().__setattr__(name, value)


# Flags whose being disabled means the same as other numbers: bits in an MjModel, arrays that are zero then, words.
_FLAGS = (
    ("frictionloss", ("FRICTIONLOSS", "CONSTRAINT"), "dof_frictionloss tendon_frictionloss",
     "dof_frictionloss set to zero"),
    ("limit", ("LIMIT", "CONSTRAINT"), "jnt_limited tendon_limited", "jnt_limited set to zero"),
    ("spring", ("SPRING",),
     "jnt_stiffness jnt_stiffnesspoly jnt_springyield tendon_stiffness tendon_stiffnesspoly tendon_springyield",
     "jnt_stiffness set to zero"),
    ("damper", ("DAMPER",), "dof_damping dof_dampingpoly tendon_damping tendon_dampingpoly",
     "dof_damping set to zero"),
    ("gravity", ("GRAVITY",), None, "gravity set to zero"),
    ("contact", ("CONTACT", "CONSTRAINT"), None, "no pair of geoms collides"),
    ("clampctrl", ("CLAMPCTRL",), "actuator_ctrllimited", "actuator_ctrllimited set to false"),
    ("filterparent", ("FILTERPARENT",), None, "pairs of parent and child kept"),
)
_REFUSED_ENABLE = {"IPC": "ipc"}
# Options that end MuJoCo's solver early: their usual values, and +1 where larger ones do or -1 where smaller ones do.
_STOPS = (("iterations", 100, -1), ("ls_iterations", 50, -1), ("tolerance", 1e-8, 1), ("ls_tolerance", 1e-2, 1))
_INTEGRATORS, _CONES = tuple(c.INTEGRATOR_NAMES), (c.PYRAMIDAL, c.ELLIPTIC)


def disabled(mujoco, mj, *flags):
    """Whether one of these flags of an MjModel is disabled, by the ends of their names: "CONTACT"."""
    return any(mj.opt.disableflags & int(getattr(mujoco.mjtDisableBit, f"mjDSBL_{flag}")) for flag in flags)


def enabled(mujoco, mj, flag):
    """Whether a flag of an MjModel is enabled, by the end of its name: "OVERRIDE"."""
    return bool(mj.opt.enableflags & getattr(mujoco.mjtEnableBit, f"mjENBL_{flag}", 0))


def option_of(mujoco, mj):
    """The Option of an MjModel."""
    same = ("timestep", "integrator", "cone", "impratio", "tolerance", "iterations", "ls_iterations", "solver")
    same += ("ccd_tolerance", "ccd_iterations", "noslip_tolerance")
    moved = not _without_passive(mujoco, mj)
    return Option(
        gravity=np.zeros(3) if disabled(mujoco, mj, "GRAVITY") else np.array(mj.opt.gravity),
        magnetic=np.array(mj.opt.magnetic),
        density=max(mj.opt.density, 0.0) * moved,  # MuJoCo asks whether they are above zero
        viscosity=max(mj.opt.viscosity, 0.0) * moved,
        wind=np.array(mj.opt.wind),
        eulerdamp=not disabled(mujoco, mj, "EULERDAMP"),
        refsafe=not disabled(mujoco, mj, "REFSAFE"),
        multiccd=not disabled(mujoco, mj, "MULTICCD"),
        island=not disabled(mujoco, mj, "ISLAND"),
        noslip_iterations=max(mj.opt.noslip_iterations, 0),
        diagexact=enabled(mujoco, mj, "DIAGEXACT"),
        sleep=enabled(mujoco, mj, "SLEEP"),
        speculative=enabled(mujoco, mj, "SPECULATIVE"),
        sleep_tolerance=getattr(mj.opt, "sleep_tolerance", 1e-3),
        **{name: getattr(mj.opt, name) for name in same},
    )


class OptionKind(Kind):
    name = "option"
    attributes = {
        "timestep": number(0.002),
        "gravity": vector((0, 0, -9.81), 3),
        "integrator": choice("Euler", {c.INTEGRATOR_NAMES[kind]: kind for kind in _INTEGRATORS}),
        "cone": choice("pyramidal", {name: kind for kind, name in c.CONE_NAMES.items()}),
        "impratio": number(1.0),
        "tolerance": number(1e-8, 0),
        "iterations": whole(100),
        "ls_iterations": whole(50),
        "eulerdamp": flag()._replace(default=True),
        "refsafe": flag()._replace(default=True),
        "magnetic": vector((0, -0.5, 0), 3),
        "ccd_tolerance": number(1e-6, 0),
        "ccd_iterations": whole(35),
        "multiccd": flag()._replace(default=True),
        "island": flag()._replace(default=True),
        "density": number(0.0, 0),
        "viscosity": number(0.0, 0),
        "wind": vector((0, 0, 0), 3),
        "noslip_iterations": whole(0),
        "noslip_tolerance": number(1e-6, 0),
        "diagexact": flag(default=False),
        "sleep_tolerance": number(1e-3, 0),
        "speculative": flag(default=False),
        "solver": choice("Newton", {name: kind for kind, name in c.SOLVER_NAMES.items()}),
    }

    def refusals(self, mujoco, mj):
        opt = mj.opt
        if opt.integrator == c.DISCRETE and (opt.density > 0 or opt.viscosity > 0):
            for b in np.flatnonzero(simple_bodies(mj) & (mj.body_dofnum > 0) & (mj.body_simple == 0)):
                yield f"body {mj.body(b).name!r}: simple = false in a fluid with integrator discrete; allowed: auto"
        if disabled(mujoco, mj, "NATIVECCD") and _searched(mujoco, mj):
            yield "option flag nativeccd = disable (another search between convex shapes); allowed: enable"
        for bit, words in _REFUSED_ENABLE.items():
            if bit == "IPC" and mj.nflex == 0 and opt.integrator == c.DISCRETE:
                continue  # which changes how contacts of flexes are found and solved, and nothing else
            if enabled(mujoco, mj, bit):
                yield f"option flag {words} = enable; allowed: disable"

    def changed(self, mujoco, mj):
        for flag_, bits, _, words in _FLAGS:
            if disabled(mujoco, mj, *bits):
                yield f"option flag {flag_} is disabled: {words}"
        if _without_passive(mujoco, mj) and max(mj.opt.density, mj.opt.viscosity) > 0:
            yield "option flags spring and damper are disabled: density and viscosity set to zero"
        solver = mujoco.mjtSolver(mj.opt.solver).name.removeprefix("mjSOL_")
        if solver != "NEWTON":
            yield f"solver {solver}: the engine solves the same problem by Newton's method"
        if enabled(mujoco, mj, "IPC"):
            yield "option flag ipc = enable: without effect, since there is no flex"
        early = [f"{name} = {getattr(mj.opt, name):g}" for name, usual, sign in _STOPS if
                 sign * getattr(mj.opt, name) > sign * usual]  # fmt: skip
        if early:
            yield (
                f"option {', '.join(early)}: MuJoCo's solver may stop before its minimum; the engine's comes closer to "
                "it, in at most as many iterations of its own"
            )

    def switched_off(self, mujoco, mj):
        """The arrays that are zero since a flag is disabled."""
        found = [arrays for _, bits, arrays, _ in _FLAGS if arrays and disabled(mujoco, mj, *bits)]
        return " ".join(found).split()

    def check(self, m):
        for name, good, allowed in (
            ("timestep", lambda x: x > 0, "more than zero"),
            ("impratio", lambda x: x > 0, "more than zero"),
            ("iterations", _counts, "more than zero, whole"),
            ("ls_iterations", _counts, "more than zero, whole"),
            ("tolerance", lambda x: x >= 0, "zero or more"),
            ("ccd_tolerance", lambda x: x >= 0, "zero or more"),
            ("ccd_iterations", lambda x: _counts(x) and x <= 1000, "1 to 1000, whole"),
            ("noslip_iterations", lambda x: x == 0 or _counts(x), "zero or more, whole"),
            ("noslip_tolerance", lambda x: x >= 0, "zero or more"),
            ("sleep", lambda x: x in (0, 1), "True, False"),
            ("sleep_tolerance", lambda x: x >= 0, "zero or more"),
            ("speculative", lambda x: x in (0, 1), "True, False"),
            ("multiccd", lambda x: x in (0, 1), "True, False"),
            ("island", lambda x: x in (0, 1), "True, False"),
            ("diagexact", lambda x: x in (0, 1), "True, False"),
            ("density", lambda x: x >= 0, "zero or more"),
            ("viscosity", lambda x: x >= 0, "zero or more"),
            ("eulerdamp", lambda x: x in (0, 1), "True, False"),
            ("refsafe", lambda x: x in (0, 1), "True, False"),
        ):
            value = getattr(m.opt, name)
            if not (_finite(value, ()) and good(value)):
                raise ModelError(f"option {name} = {value}; allowed: {allowed}")
        for name in ("gravity", "magnetic", "wind"):
            if not _finite(getattr(m.opt, name), (3,)):
                raise ModelError(f"option {name} = {getattr(m.opt, name)}; allowed: three finite numbers")
        for name, kinds, names in (
            ("integrator", _INTEGRATORS, c.INTEGRATOR_NAMES),
            ("cone", _CONES, c.CONE_NAMES),
            ("solver", tuple(c.SOLVER_NAMES), c.SOLVER_NAMES),
        ):
            if getattr(m.opt, name) not in kinds:
                words = ", ".join(f"{k} ({names[k]})" for k in kinds)
                raise ModelError(f"option {name} = {getattr(m.opt, name)}; allowed: {words}")
        for line in (*sleeping.lines(m, m.opt), *bounds.lines(m, m.opt)):
            raise ModelError(line)


def _without_passive(mujoco, mj):
    """Whether no passive force acts: MuJoCo asks neither fluids nor compensated weight then."""
    return disabled(mujoco, mj, "SPRING") and disabled(mujoco, mj, "DAMPER")


def _searched(mujoco, mj):
    """Whether shapes may touch whose contact needs a search, or a sensor asks for a distance that does."""
    touching = (mj.geom_contype | mj.geom_conaffinity) != 0
    sought = mj.geom_type[apart_pairs(mj, *words_of_mujoco(mujoco))[0]].tolist()
    if any(kinds not in ([c.PLANE, c.MESH], [c.CAPSULE, c.BOX]) for kinds in sought):
        return True
    return bool((touching & np.isin(mj.geom_type, (c.ELLIPSOID, c.CYLINDER, c.MESH))).any())


def _finite(value, shape):
    value = np.asarray(value)
    return value.dtype.kind in "biuf" and value.shape == shape and bool(np.isfinite(value).all())


def _counts(value):
    return 0 < value < 2**31 and value == int(value)
