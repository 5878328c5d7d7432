"""Simulator: many worlds of one model, stepped by one kernel.

Files with kernels are imported inside functions: their types have the precision that `engine.init` decides on, and
that may come after this import.
"""

import copy
import math
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from engine import schema as s
from engine.arguments import checked, steps_number, whole
from engine.arrays import (
    Pack,
    contact_capacity,
    data_pack,
    default_contacts,
    model_pack,
    most_worlds,
    sizes_of,
    state_of,
    tree,
)  # fmt: skip
from engine.compiler.backend import settings
from engine.compiler.features import chosen, features_of_parts
from engine.errors import ContactOverflowError, DivergenceError
from engine.finite import pieces, require_finite
from engine.leaves import Leaves, checked_leaves, owned_buffers
from engine.model import Model, require_model, validate
from engine.model.elements.key import start_state
from engine.model.portable import fingerprint
from engine.model.sleeping import sleeps, wake
from engine.parameters import Parameters, check, owned, renew
from engine.quantities import Energy, Jacobian, energy, inverse, jacobian
from engine.state import NAMES as STATE
from engine.state import State
from engine.views import DataViews
from engine.words import counted

if TYPE_CHECKING:
    from engine.com_based import ComBased
    from engine.rays import Rays

STATUS = s.start("d", "status")

# Worlds from which a parallel launch pays: waking threads costs tens of microseconds.
PARALLEL_FROM = 2
# What a user may write before a step, and must be finite.
CHECKED = (
    "qpos", "qvel", "act", "ctrl", "mocap_pos", "mocap_quat", "qfrc_applied", "xfrc_applied", "qacc_warmstart", "time",
)  # fmt: skip


class Simulator:
    """`worlds` independent copies of a model's state, advanced together.

    model: Model. worlds: number of worlds. ncon: contacts that a world can hold; by default what the model's candidate
    pairs can make at most or, where these are many, 16 for each geom besides those with planes. Exceeding it raises
    ContactOverflowError. features: names of what to compile for; by default what the model needs, or what `engine.init`
    says. leaves: names of further parameters, of geometry and of contacts, that `params` and gradients shall have
    (theta.LEAVES: geom_size geom_pos geom_quat geom_solref geom_solimp geom_margin ...). own_params: each world has
    parameters of its own, leaves among them, at first the model's. The model is checked and read here, once: what is
    changed in it later has no effect.

    `data` holds live views (worlds first), `params` live views of the differentiable parameters, of the model's shapes
    or with `own_params` worlds first, `params.body_mass[world, body]`.

    A copy, or what pickle makes in this process or another, has memory of its own and goes on with the same bits.
    Unpickling raises ValueError in a process of another precision.
    """

    model: Model
    worlds: int
    ncon_max: int
    leaves: tuple[str, ...]
    own_params: bool = False
    data: DataViews
    params: Parameters

    def __init__(
        self, model: Model, worlds: int = 1, ncon: int | None = None, features: Iterable[str] | None = None,
        leaves: Iterable[str] = (), own_params: bool = False,
    ) -> None:  # fmt: skip
        self.model = validate(require_model(model))  # a program may have changed its arrays since it was made
        self.worlds = whole("worlds", worlds)
        self.ncon_max = max(default_contacts(model) if ncon is None else whole("ncon", ncon), 1)
        self.leaves = checked_leaves(model, leaves)
        self.sizes = sizes_of(model, self.ncon_max, self.leaves)
        if ncon is not None and most_worlds(self.sizes) < 1:
            raise ValueError(
                f"ncon: got {ncon}, allowed: so many that a world's arrays can be indexed; this model's candidate "
                f"pairs make at most {contact_capacity(model)}"
            )
        self.features = chosen(model, features, self.leaves)
        self.own_params = owned(own_params)
        owners, of_leaves = self.worlds if own_params else 0, owned_buffers(self.leaves) if own_params else ()
        self.features |= {"own_leaf"} if of_leaves else set()
        self.model_pack = model_pack(model, self.ncon_max, self.features, self.leaves, owners, of_leaves)
        self.params = Parameters(self.model_pack, model)
        self.pack = data_pack(model, self.worlds, self.ncon_max, self.leaves)
        self.data = self.views(self.pack)
        self._derive()
        self.reset()

    def _derive(self):
        """Everything that follows from model, packs and sizes, and is made again for a copy: what begins with _."""
        self._status = self.data._status[:, STATUS]
        self._all_ok = np.full(self.worlds, s.OK, self._status.dtype).tobytes()
        self._checked = [(f"data.{name}", getattr(self.data, name)) for name in CHECKED]
        self._pieces = pieces(state_of(self.pack))
        self._theta, self._checked_theta = self.model_pack["theta"], bytearray()
        self._leaves = Leaves(self.model, self.model_pack)
        self._kernel = self._start = None
        self._following = None  # what follows from parameters, for pure calls (diff/pure.py)
        self._guard = self._device_guard() if self.form == "device" else None

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._derive()

    def __copy__(self):  # two simulators on one memory would move each other
        return copy.deepcopy(self)

    def __repr__(self):
        m, worlds = self.model, counted(self.worlds, "world")
        return f"<Simulator of {m.name!r}: {worlds}, nq={m.nq} nv={m.nv} nu={m.nu}, timestep {m.opt.timestep:g} s>"

    def views(self, pack):
        """Live views of a pack of this simulator's sizes."""
        return DataViews(pack, self.sizes, self.worlds, self.model, tree(self.model)[0])

    def reset(
        self, qpos: ArrayLike | None = None, qvel: ArrayLike | None = None, worlds: ArrayLike | None = None,
        keyframe: str | int | None = None,
    ) -> "Simulator":  # fmt: skip
        """State to the model's qpos0 (or the given qpos, qvel), mocap bodies to their poses in the model, equality
        constraints as they act at first, everything else to zero; or to a keyframe.

        qpos: (nq,) or (n, nq); qvel: (nv,) or (n, nv), n the number of reset worlds; worlds: indices, default all.
        keyframe: name or number of one of the model's, which has a whole state: qpos, qvel, act, ctrl, the mocap
        bodies' poses, time. Raises ModelError where there is none of this name, ValueError for a number out of range or
        with qpos or qvel beside it.
        """
        rows = self._rows(worlds)
        n, m = len(rows), self.model
        start = start_state(m, keyframe, qpos, qvel)
        for name, width in (("qpos", m.nq), ("qvel", m.nv)):
            start[name] = checked(name, start[name], (n, width))
        d = self.data
        for name in ("qacc_warmstart", "qfrc_applied", "xfrc_applied"):
            getattr(d, name)[rows] = 0
        for name, value in start.items():
            getattr(d, name)[rows] = value
        d._status[rows] = 0
        return self

    def state(self, worlds: ArrayLike | None = None) -> State:
        """A State: a copy of all that the next step depends on beside the model and `params`, the same bits.

        Chosen worlds, or all: `sim.load_state(sim.state())` changes nothing. It can be pickled.
        """
        rows, d = self._rows(worlds), self.data
        return State(self.model.name, self._fingerprint, {name: getattr(d, name)[rows].copy() for name in STATE})

    def load_state(self, state: State, worlds: ArrayLike | None = None) -> "Simulator":
        """Put a State into all worlds or the chosen ones, which go on from it with the same bits; one of a single world
        goes into each. `params` and results stay as they are until the next step. Returns the simulator.

        Raises TypeError for what is no State, ValueError for that of another model, or of another number of worlds.
        """
        if not isinstance(state, State):
            raise TypeError(f"state: got {type(state).__name__}, allowed: what Simulator.state() returns")
        rows = self._rows(worlds)
        state.check(self.model.name, self._fingerprint, len(rows))
        for name in STATE:
            getattr(self.data, name)[rows] = getattr(state, name)
        self.data._status[rows] = 0
        return self

    @cached_property
    def _fingerprint(self):
        return fingerprint(self.model)

    def _rows(self, worlds):
        """Numbers of the chosen worlds: all, indices, or a mask."""
        if worlds is None:
            return np.arange(self.worlds)
        rows = np.atleast_1d(np.asarray(worlds))
        if rows.dtype == bool and rows.shape == (self.worlds,):
            return np.flatnonzero(rows)
        rows = rows.astype(int) if rows.size == 0 else rows
        if rows.ndim != 1 or rows.dtype.kind not in "iu" or (rows < -self.worlds).any() or (rows >= self.worlds).any():
            raise ValueError(
                f"worlds: got {worlds!r}, allowed: numbers from 0 to {self.worlds - 1}, or a mask of {self.worlds}"
            )
        return rows

    def set_const(self, worlds: ArrayLike | None = None) -> "Simulator":
        """What follows from parameters (body_invweight0, dof_invweight0, tendon_length0, ...) anew from those of now,
        as MuJoCo's mj_setConst: how soft contacts, limits and equalities are is measured by it.

        worlds: of those with parameters of their own, numbers or a mask, default all; the others keep theirs. Gradients
        hold it (CHOICES.md). What sleeps wakes. Returns the simulator. Raises ValueError for parameters that mean
        nothing, with nothing changed, and for `worlds` where all share their parameters.
        """
        if worlds is not None and not self.own_params:
            raise ValueError(f"set_const: got worlds={worlds!r}, allowed: None, since worlds share their parameters")
        rows = self._rows(worlds) % self.worlds
        renew(self.params, rows.tolist())
        if sleeps(self.model):
            wake(self.model, self.data.act, rows)
        self._forget_following()
        return self

    def _forget_following(self):
        """What follows from parameters has changed: linearize and calls of torch and JAX take it anew."""
        self._checked_theta = bytearray()
        self._following = None

    def step(self, n: int = 1) -> None:
        """Advance every world by n physics steps with the controls in data.ctrl.

        Ctrl-C ends a long call within a fraction of a second, with the worlds at some step on the way.
        """
        self._run(steps_number(n), 0)

    def advance(self, n: int = 1, held: np.ndarray | None = None) -> np.ndarray | None:
        """As `step`, but a world that diverges ends nobody else's step: the others finish, and nothing is raised.

        held: worlds that stay as they are, booleans (worlds,). Returns which worlds diverged, booleans (worlds,), or
        None where none did; their state is not finite, so they must be reset before the next step.
        """
        self._launch(steps_number(n), 0, held)
        if self._well():
            return None
        status = self._status
        if (status == s.OVERFLOW).any():
            self.raise_status(self.data)
        return status == s.DIVERGED

    def forward(self, held: np.ndarray | None = None) -> None:
        """Compute everything up to the acceleration and the sensors at the current state, without moving.

        held: worlds in which nothing is computed, booleans (worlds,).
        """
        self._run(0, 1, held)

    def linearize(self, frame_skip: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """A (worlds, 2nv+na, 2nv+na) and B (worlds, 2nv+na, nu) of a step from here; see engine.linearize."""
        return self._linearization(self, frame_skip)

    @cached_property
    def _linearization(self):
        from engine.diff.linearize import linearization  # which is built on this class

        return linearization(self)

    def cfrc_ext(self) -> np.ndarray:
        """Contact forces and applied forces on every body in the last evaluation, shape (worlds, nbody, 6).

        Torque (N m) about the centre of mass of the body's tree, then force (N), in world axes. After a step the last
        evaluation is the one in that step: for RK4 its last stage, not the state in which the step ended.
        """
        return self._com_based.cfrc_ext()

    def com_based(self) -> "ComBased":
        """Quantities about centres of mass in the last evaluation, a named tuple: `com cinert cvel cfrc_ext`.

        Of bodies, about the centre of mass of the tree that a body belongs to, in world axes; the world's are zero.
        com (worlds, nbody, 3): this centre, m. cinert (worlds, nbody, 10): inertia xx yy zz xy xz yz (kg m^2), mass
        times place of the body's own centre (kg m), mass (kg). cvel (worlds, nbody, 6): angular velocity (rad/s), then
        velocity (m/s). cfrc_ext: as above.
        """
        return self._com_based()

    @cached_property
    def _com_based(self):
        from engine.com_based import ComBasedOf

        return ComBasedOf(self)

    def energy(self) -> Energy:
        """Kinetic and potential energy of the present state, a named tuple of arrays (worlds,), J.

        MuJoCo's definitions: v^T M v / 2; gravity, zero at the origin, and springs of joints and tendons. This,
        `jacobian` and `inverse` evaluate a second set of work arrays, made when first asked: `data` and coming steps
        keep their bits. They are numbers, without gradients; what a loss may read is a rollout, with the sensors
        e_kinetic, e_potential, framepos, framelinvel, ...
        """
        now = self._evaluated()
        return energy(self.model, self.params, now)

    def jacobian(
        self, body: str | int | None = None, *, site: str | int | None = None, geom: str | int | None = None,
        point: ArrayLike | None = None,
    ) -> Jacobian:  # fmt: skip
        """How a point of an element moves with qvel at the present state (mj_jac), without gradients: named tuple jacp
        (worlds, 3, nv), its velocity, and jacr (worlds, 3, nv), angular velocity, in world axes.

        One of body, site, geom: name or number. point: (3,) or (worlds, 3), m, in the world, moving with the element;
        default its frame's origin, as in mj_jacBody, mj_jacSite, mj_jacGeom.
        """
        given = {kind: name for kind, name in (("body", body), ("site", site), ("geom", geom)) if name is not None}
        if len(given) != 1:
            raise ValueError(f"jacobian: got {', '.join(given) or 'nothing'}, allowed: one of body, site, geom")
        (kind, name), now = *given.items(), self._evaluated()
        element = getattr(now, kind)(name)
        at = element.xpos if point is None else checked("point", point, (self.worlds, 3))
        owner = element.id if kind == "body" else getattr(self.model, f"{kind}_bodyid")[element.id]
        return jacobian(self.model, now, owner, at)

    def inverse(self, qacc: ArrayLike) -> np.ndarray:
        """Inverse dynamics of the present state: M qacc + qfrc_bias - qfrc_passive, (worlds, nv), N m or N.

        qacc: (nv,) or (worlds, nv). It is what actuators, applied forces and constraints exert together where the state
        accelerates so; without gradients. MuJoCo's `qfrc_inverse` is this less the constraints' forces at qacc, which
        are known for the acceleration that was found: `sim.inverse(d.qacc) - d.qfrc_constraint`, after `forward`.
        """
        return inverse(self._evaluated(), checked("qacc", qacc, (self.worlds, self.model.nv)))

    def rays(
        self, points: ArrayLike, directions: ArrayLike, exclude: str | int | None = None,
        geoms: Iterable[str | int] | None = None,
    ) -> "Rays":  # fmt: skip
        """Where rays from points (n, 3) or (worlds, n, 3), m, along directions of the same shape meet the geoms of each
        world at its present state: a Rays, whose dist (worlds, n) are in lengths of the direction, -1 for none
        (mj_multiRay), whose geom (worlds, n) are numbers, and whose `pull` has gradients.

        exclude: name or number of a body whose geoms are not seen. geoms: those that are, by default all that are not
        quite transparent. Meshes are seen by their triangles from both sides, planes from their front, height fields as
        they are; from inside, a ray meets a shape where it leaves it.
        """
        from engine.rays import rays  # which is built on this class

        return rays(self, points, directions, exclude, geoms)

    def _evaluated(self):
        """Views of worlds of its own, evaluated at the present state: these here stay as they are."""
        for name in (b.name for b in s.STATE):
            self._shadow.pack[name][:] = self.pack[name]
        self._shadow.forward()
        return self._shadow.data

    @cached_property
    def _shadow(self):
        shadow = object.__new__(Simulator)
        shadow.__dict__.update(self.__getstate__(), pack=data_pack(self.model, self.worlds, self.ncon_max, self.leaves))
        shadow.data = shadow.views(shadow.pack)
        shadow._derive()
        return shadow

    def _run(self, n, last, held=None):
        self._launch(n, last, held)
        self.raise_status(self.data)

    def _launch(self, n, last, held=None):
        if self._kernel is None:
            self._bind()
        self.check_state()
        if self._start:
            self._start()
        else:
            self._status.fill(s.OK)
            acting, given = self._controls
            acting[...] = given
        for acting, given in self._poses:
            acting[...] = given
        if held is not None:
            self._status[held] = s.DIVERGED  # any status but OK keeps a world from moving
        self._kernel.hold(n, last)
        if held is not None:
            self._status[held] = s.OK

    def _bind(self):
        """Make ready what every launch of a step needs; the first one waits for the compiler."""
        self._held = hold_controls(self)
        self._kernel = self.bind_rollout(self.pack, *self._held)
        count = self.worlds * self.model.nu
        self._controls = self._held[1]["traj_ctrl"][:count], self.pack["ctrl"][:count]
        count = self.worlds * self.model.nmocap
        names = ("mocap_pos", "mocap_quat") if count else ()
        self._poses = [(self._held[1][f"traj_{name}"][:count], self.pack[name][:count]) for name in names]
        if self._guard:
            from engine.guard import Start

            self._start = Start(self.pack, self._held[1], self.worlds, self.model.nu)

    def _device_guard(self):
        from engine.guard import Guard

        return Guard(self.pack, self.worlds)

    @property
    def form(self):
        """Where these worlds are stepped: on a device, or by one thread or several (forms.py)."""
        if settings().arch != "cpu":
            return "device"
        return "parallel" if self.worlds >= PARALLEL_FROM and settings().threads > 1 else "serial"

    def bind_rollout(self, data, controller, trajectory):
        """A launch of a rollout on these packs, for `Tape`."""
        from engine.compiler.forms import ROLLOUT, WorldsKernel

        return WorldsKernel(self, ROLLOUT, [self.model_pack, data, controller, trajectory])

    def bind_reverse(self, data, controller, trajectory, adjoint, cotangent):
        """A launch of its reverse pass, for `Tape`."""
        from engine.compiler.forms import REVERSE, WorldsKernel

        return WorldsKernel(self, REVERSE, [self.model_pack, data, controller, trajectory, adjoint, cotangent])

    def check_state(self):
        """Refuse a state, controls or parameters that mean nothing, before anything moves."""
        if self._guard:
            fit = self._guard.fit()
        else:
            fit = True
            vdot = np.vdot
            for piece in self._pieces:
                fit = fit and vdot(piece, piece) < math.inf  # as finite.within, without the call
        if not fit:
            for name, array in self._checked:
                require_finite(name, array)
        self.check_parameters()

    def check_parameters(self):
        """Refuse parameters that mean nothing, and fill what kernels read of them."""
        if not self._checked_theta == self._theta:  # of a bytearray's: bytes, without a copy
            check(self.params)
            self.refresh()
            self._checked_theta = bytearray(self._theta)
        elif self.leaves:  # another simulator of the same parameters may have followed others since
            self.refresh()

    def refresh(self) -> None:
        """Fill what the kernels read of `leaves` that have changed; every launch does so by itself."""
        self._leaves.refresh()

    def _well(self):
        """Has no world stopped?"""
        if self._guard:
            return self._guard.well()
        return self._status.tobytes() == self._all_ok  # a tenth of the time of any()

    def raise_status(self, data):
        """Raise what a launch left in the worlds' status."""
        if self._well():
            return
        w = int(np.flatnonzero(data._status[:, STATUS])[0])
        row = data._status[w]
        step = int(row[s.start("d", "stop_step")])
        if row[STATUS] == s.OVERFLOW:
            need = int(row[s.start("d", "nneed")])
            raise ContactOverflowError(
                f"world {w}, control step {step}: {need} contacts, but the capacity is {self.ncon_max}; "
                f"make the simulator with ncon={need} or more",
                w, step, need,
            )  # fmt: skip
        dof = int(row[s.start("d", "stop_index")])
        joint = self.model.label("joint", int(self.model.dof_jntid[dof]))
        raise DivergenceError(
            f"world {w}, control step {step}: the state is no longer finite (dof {dof}, {joint}). "
            f"A smaller timestep (now {self.model.opt.timestep} s) or softer contacts usually help.",
            w, step, dof,
        )  # fmt: skip


def hold_controls(sim):
    """Controller and trajectory packs of a plain step: no parts, controls held."""
    controller = Pack("controller", {b.name: 8 for b in s.CONTROLLER})
    controller.features = features_of_parts(())
    rows = 2 * sim.worlds
    return controller, Pack("trajectory", {b.name: rows * sim.sizes.get(b.count, 0) for b in s.TRAJECTORY})
