"""linearize: the derivative of a physics step, made beside the step in one launch (engine/linearized.py).

Several steps are a product of theirs.
"""

from copy import deepcopy
from sys import getrefcount

import numpy as np

from engine import schema as s
from engine.arguments import whole
from engine.arrays import Pack, join, state_of
from engine.compiler.backend import np_real, settings
from engine.compiler.memory import copy
from engine.diff.budget import adjoint_elements
from engine.diff.forward_only import require_gradient
from engine.diff.tape import HELD, MOCAP, Tape
from engine.model.arms import arms
from engine.model.constants import DISCRETE, DYN_DCMOTOR, DYN_PID, EQ_JOINT, EQ_TENDON, IMPLICIT, IMPLICITFAST, RK4
from engine.model.coordinates import qpos_to_tangent, tangent_to_qpos
from engine.model.delays import samples_of_sensors
from engine.model.elements.equality import ties
from engine.model.orientations import orientation_columns
from engine.model.tendons import is_spatial
from engine.simulator import Simulator
from engine.words import required

COST = 6  # of a step with its derivatives, in steps, roughly
SPARE = 1 << 15  # numbers of A and B that are allocated at a time, or those of one call
HANDED = 2  # places for A and B that are handed out: a caller often holds the last ones while it asks for the next


def linearize(sim: Simulator, frame_skip: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A (worlds, 2nv+na, 2nv+na), B (worlds, 2nv+na, nu): dx' = A dx + B du at the simulator's state and controls.

    x = (dq, qvel, act), dq in the tangent space, as in MuJoCo's mjd_transitionFD. One control step is `frame_skip`
    physics steps. The simulator does not move. Where a contact or a limit is just being made or broken the derivative
    is one-sided, that of the present contacts.
    """
    return required("sim", sim, Simulator, "engine.Simulator(model)").linearize(frame_skip)


def linearization(sim):
    """What `sim.linearize` calls with itself and frame_skip: made once, and asked again and again."""
    m = sim.model
    require_gradient(sim, "linearize")
    if m.nv == 0 and m.na == 0:
        return NothingMoves(sim)
    moving = "geom_surfacevel" in sim.leaves
    return AdjointRows(sim) if moving or coupled(m) else Linearizer(sim)


class NothingMoves:
    """The matrices are there, and empty."""

    def __init__(self, sim):
        pass

    def __call__(self, sim, frame_skip):
        whole("frame_skip", frame_skip)
        sim.check_state()
        return np.zeros((sim.worlds, 0, 0), np_real()), np.zeros((sim.worlds, 0, sim.model.nu), np_real())


def coupled(model):
    """Whether something that the kernel of Linearizer does not know makes dofs of several joints feel each other."""
    fluid = model.opt.density > 0 or model.opt.viscosity > 0
    integrator = model.opt.integrator
    kinds = {tie["kind"] for tie in ties(model)}
    paths = EQ_TENDON in kinds and is_spatial(model).any()
    moving = model.npair > 0 and model.geom_surfacevel.any()
    if turning(model, model.tendon_armature) or paths or kinds - {EQ_JOINT, EQ_TENDON} or moving:
        return True
    if np.isin(model.actuator_dyntype, (DYN_PID, DYN_DCMOTOR)).any():  # whose states feel lengths
        return True
    if orientation_columns(model)["so3_within"].any():  # whose states feel each other
        return True
    if model.opt.diagexact:  # the inertia of all dofs that a constraint feels
        return True
    if samples_of_sensors(model).any():  # whose values are a part of the state
        return True
    if integrator in (IMPLICIT, DISCRETE):
        return True
    return len(arms(model)[0]) > 0 or fluid and integrator == IMPLICITFAST


def turning(model, armature):
    """Whether a tendon of a path has inertia, whose force depends on where the bodies are."""
    return bool(((np.asarray(armature) != 0) & is_spatial(model)).any())


class Linearizer:
    """The worlds of a simulator once more, for steps that do not move it; they have its parameters."""

    def __init__(self, sim):
        from engine.compiler.forms import LINEARIZE, WorldsKernel

        m = sim.model
        self.sim = Simulator(m, sim.worlds, sim.ncon_max, sim.features, sim.leaves, sim.own_params)
        self.sim.model_pack, self.sim.params = deepcopy(sim.model_pack), sim.params
        # A and B are by states and controls
        for asked in (name for name in s.PLACES["m", "dims"].columns if name.endswith("leaf")):
            self.sim.model_pack["dims"][s.start("m", asked)] = 0
        n = 2 * m.nv + m.na
        row = -(-(2 * sim.sizes["ld"] + m.na + m.nu) // 8) * 8
        size = Place.size(sim.worlds, n, m.nu)
        handed = HANDED if settings().arch == "cpu" and HANDED * size <= SPARE else 0
        count = {**sim.sizes, "sides": 12, "nstate2": (handed + 1) * size, "nstatenu": 0}
        count["nlinturn"] = m.nv if count["nrolling"] else 0
        count["nlinear"] = row * m.nv * (4 if m.opt.integrator == RK4 else 2)
        worlds = dict.fromkeys((b.name for b in s.LINEAR), sim.worlds) | {"lin_A": 1}
        linear = Pack("linear", {b.name: worlds[b.name] * count[b.count] * b.width for b in s.LINEAR})
        adjoint = Pack("adjoint", adjoint_elements(sim, 1, 1))
        packs = [self.sim.model_pack, self.sim.pack, adjoint, linear]
        join(packs)
        self.sim.data = self.sim.views(self.sim.pack)
        self.sim._derive()
        self.status, self.all_ok = self.sim._status, self.sim._all_ok
        self.parameters = self.instead = None
        self.kernel = WorldsKernel(self.sim, LINEARIZE, packs)
        self.linear, self.sizes = linear, (sim.worlds, n, m.nu)
        first = linear.starts["lin_A"]
        self.own, *self.handed = (Place(linear, first + k * size, *self.sizes) for k in range(handed + 1))
        self.place = None
        self.states, self.on_cpu = (state_of(self.sim.pack), state_of(sim.pack)), settings().arch == "cpu"
        self.spare = []

    def __call__(self, sim, frame_skip):
        if frame_skip.__class__ is not int or frame_skip < 1:
            frame_skip = whole("frame_skip", frame_skip)
        # the kernel looks at the state
        if sim.leaves or not sim._checked_theta == sim._theta:  # as check_parameters, mostly without the call
            sim.check_parameters()
        if self.parameters is not sim._checked_theta:  # another object where a parameter has changed
            for b in s.MODEL:
                if b.name in s.STRIDES or sim.leaves and b.name != "dims":
                    copy(self.sim.model_pack[b.name], sim.model_pack[b.name])
            self.parameters = sim._checked_theta
            self.instead = AdjointRows(sim) if turning(sim.model, sim.params.tendon_armature) else None
        if self.instead is not None:
            return self.instead(sim, frame_skip)
        to, source = self.states
        if self.on_cpu:
            to[...] = source  # as `copy`, without the call
        else:
            copy(to, source)
        place = self.own
        if frame_skip == 1:
            for other in self.handed:
                if getrefcount(other.both) == other.alone:  # nobody holds an array of it
                    place = other
                    break
        self._step(place, sim)
        if place is not self.own:
            return place.A[...], place.B[...]
        both, A, B = self._room()
        both[...] = place.both
        for _ in range(frame_skip - 1):
            self._step(place, sim)
            A, B = place.A @ A, place.A @ B + place.B
        return A, B

    def _room(self):
        """Memory for A and B, and both in it; made by the dozen, since to allocate takes longer than to fill it."""
        if not self.spare:
            size = self.own.both.size
            memory = np.empty((min(max(SPARE // size, 1), 16), size), np_real())
            self.spare = [(both, *parts(both, *self.sizes)) for both in memory]
        return self.spare.pop()

    def _step(self, place, sim):
        if place is not self.place:
            place.use()
            self.place = place
        self.kernel.once(COST)
        if not (self.status.tobytes() == self.all_ok if self.on_cpu else self.sim._well()):
            sim.check_state()
            self.sim.raise_status(self.sim.data)


class Place:
    """Where the kernel puts A and B. It may be handed out without a copy: while an array of it is held, by whomever,
    its memory is not used again."""

    def __init__(self, linear, at, *sizes):
        self.linear, self.at = linear, at
        memory = linear.blocks["real"][at : at + self.size(*sizes)]
        self.both = np.asarray(Owner(memory))  # arrays of it refer to this one
        self.A, self.B = parts(self.both, *sizes)
        self.alone = getrefcount(self.both)

    @staticmethod
    def size(worlds, n, nu):
        """Numbers of a place."""
        return aligned(worlds * n * n) + aligned(worlds * n * nu)

    def use(self):
        """The next launches put A and B here."""
        second = self.at + aligned(self.A.size)
        for name, at in (("lin_A", self.at), ("lin_B", second)):
            self.linear.starts[name] = self.linear.table[s.NUMBERS["l", name]] = at


class Owner:
    """Memory of an array, as NumPy takes it from anybody: arrays made of it do not refer to that one."""

    def __init__(self, memory):
        self.memory, self.__array_interface__ = memory, memory.__array_interface__


def aligned(size):
    """Numbers, rounded up to whole cache lines."""
    return -(-size // 16) * 16


def parts(memory, worlds, n, nu):
    """A and B in memory of a place's size."""
    second = aligned(worlds * n * n)
    A, B = memory[: worlds * n * n], memory[second : second + worlds * n * nu]
    return A.reshape(worlds, n, n), B.reshape(worlds, n, nu)


class AdjointRows:
    """The same of a model with what the kernel of Linearizer does not know: each row is the
    adjoint of a step, in a world of its own."""

    COPIED = ("qpos", "qvel", "act", "ctrl", "qacc_warmstart", "time", *HELD, *MOCAP)

    def __init__(self, sim):
        self.worlds, self.n = sim.worlds, 2 * sim.model.nv + sim.model.na
        self.sim = Simulator(sim.model, self.n * sim.worlds, sim.ncon_max, sim.features, sim.leaves, sim.own_params)
        if not sim.own_params:
            self.sim.model_pack, self.sim.params = sim.model_pack, sim.params
        self.tape = Tape(self.sim, 1)

    def __call__(self, sim, frame_skip):
        frame_skip = whole("frame_skip", frame_skip)
        sim.check_state()
        data = self.sim.data
        for name in self.COPIED:
            getattr(data, name)[:] = np.repeat(getattr(sim.data, name), self.n, axis=0)
        if sim.own_params:
            for name in sim.params:
                self.sim.params[name][...] = np.repeat(sim.params[name], self.n, axis=0)
        A, B = self.rows()
        for _ in range(frame_skip - 1):
            a, b = self.rows()
            A, B = a @ A, a @ B + b
        return A, B

    def rows(self):
        """A and B of one step, which is made."""
        model, n, nv = self.sim.model, self.n, self.sim.model.nv
        start = self.sim.data.qpos.copy()
        qpos = self.tape.rollout(self.sim.data.ctrl[None].copy()).qpos
        unit = np.zeros((2, self.sim.worlds, n), np_real())
        unit[1] = np.tile(np.eye(n), (self.worlds, 1))
        bar = np.zeros_like(qpos)
        bar[1] = tangent_to_qpos(model, qpos[1], unit[1, :, :nv])
        grads = self.tape.backward(qpos=bar, qvel=unit[..., nv : 2 * nv], act=unit[..., 2 * nv :])
        rows = np.concatenate([qpos_to_tangent(model, start, grads.qpos0), grads.qvel0, grads.act0], axis=-1)
        shape = self.worlds, n
        return rows.reshape(*shape, n), grads.ctrl[0].reshape(*shape, model.nu)
