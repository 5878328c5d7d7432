"""Tape: a rollout that can be differentiated.

The tape owns every buffer it needs, allocated once and used again in every iteration. Steps are linked by the state
alone, so a snapshot of the state is enough to compute a stretch of the rollout again, bit for bit, and the schedule
(diff/schedule.py) decides which stretches are stored and which are repeated.
"""

import math
import weakref
from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine import schema as s
from engine.arguments import checked, numbers, whole
from engine.arrays import Pack, data_pack, pack_bytes
from engine.compiler.backend import np_real
from engine.compiler.memory import clear, copy, zeros
from engine.diff.budget import SNAPSHOT, Budget, adjoint_elements, record_numbers, row_elements
from engine.diff.forward_only import require_gradient
from engine.diff.gradients import Gradients, ModelGradients
from engine.diff.program import bind_program
from engine.diff.push import Tangents, pushed
from engine.diff.schedule import Forward, Record, Restore, Reverse, Save, choose, format_bytes, parse_bytes
from engine.diff.trajectory import Trajectory
from engine.errors import StaleTapeError
from engine.finite import require_finite
from engine.model.coordinates import qpos_to_tangent, quat_gradient, tangent_to_qpos
from engine.simulator import Simulator
from engine.words import counted, required

# What a rollout holds: the reverse pass takes it as it was at its start.
APPLIED = ("qfrc_applied", "xfrc_applied")
HELD = (*APPLIED, "eq_active")
OUTPUTS = ("qpos", "qvel", "act", "sensordata")
MOCAP = ("mocap_pos", "mocap_quat")  # poses of mocap bodies: inputs of each control step


class Tape:
    """Rollouts of `steps` control steps of a simulator, and their gradients.

    steps: control steps. frame_skip: physics steps with one control. memory: budget in bytes (int or "64MiB") of all
    buffers that the tape owns. record_every: control steps between recorded output rows; must divide steps.

    A copy, also by pickle, has a simulator and buffers of its own, and goes on with the same bits: after a finished
    rollout, also backward.

    Raises ValueError where the model has an option without a gradient (noslip_iterations) and when the budget is too
    small, before anything is allocated, naming what is possible.
    """

    sim: Simulator
    steps: int
    frame_skip: int
    every: int
    rows: int

    def __init__(
        self, sim: Simulator, steps: int, frame_skip: int = 1, memory: int | str = "1GiB", record_every: int = 1,
    ) -> None:  # fmt: skip
        self.sim = required("sim", sim, Simulator, "engine.Simulator(model)")
        require_gradient(sim, "tape")
        self.steps = whole("steps", steps)
        self.frame_skip = whole("frame_skip", frame_skip)
        self.every = whole("record_every", record_every)
        if self.steps % self.every:
            raise ValueError(f"record_every: got {self.every}, allowed: a divisor of steps = {self.steps}")
        self.memory = parse_bytes(memory)
        self.rows = self.steps // self.every + 1
        self.bar = None
        self._allocate()
        self._rollout = self._reverse = self._replay = None
        self._program = self._plain = None
        self._start = self._trajectory = None

    # -------------------------------------------------------------------------------------------------- buffers

    def _allocate(self):
        sim = self.sim
        budget = Budget(sim, self.frame_skip, self.memory)
        left = budget.for_schedule(self.steps, self.every)
        self.schedule = choose(self.steps, budget.snapshot, budget.record, left)
        self.record_width = record_numbers(sim.model)
        self.extra = 1 if sim.model.nsensordata else 0  # the final state's record, for its sensors
        self.pack = data_pack(sim.model, sim.worlds, sim.ncon_max, sim.leaves)  # state and work of the reverse pass
        self.data = sim.views(self.pack)
        self._elements = row_elements(sim, self.steps, self.every)
        self.cot = Pack("cotangent", self._elements)
        self.adj = self._adjoint(1, 1)  # made again for a controller
        rows = self.schedule.rows * self.frame_skip + self.extra
        self.traj = Pack("trajectory", {**self._elements, "record": rows * sim.worlds * self.record_width})
        self.outputs = self._views()
        self.slots = self._slots()

    def _adjoint(self, nparam, nscratch):
        return Pack("adjoint", adjoint_elements(self.sim, nparam, nscratch))

    def _slots(self):
        return [{n: zeros(self.sim.pack[n].shape, np_real()) for n in SNAPSHOT} for _ in range(self.schedule.slots)]

    def __getstate__(self):
        made_again = dict.fromkeys(("_rollout", "_replay", "_reverse", "_trajectory"))
        return {n: a for n, a in self.__dict__.items() if n != "outputs"} | made_again

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.outputs = self._views()
        self.slots = self._slots()
        for slot, kept in zip(self.slots, state["slots"], strict=True):
            for n, a in slot.items():
                a[:] = kept[n]
        if self._program is not None:
            self._bind()

    def __copy__(self):  # two tapes on one memory would spoil each other's gradients
        return deepcopy(self)

    def __repr__(self):
        sim = self.sim
        steps = f"{counted(self.steps, 'control step')} of {self.frame_skip}, {counted(sim.worlds, 'world')}"
        held = "no rollout yet" if self._start is None else "holds a rollout"
        return f"<Tape: {steps} of {sim.model.name!r}, {self.rows} rows, {format_bytes(self.bytes)}; {held}>"

    @property
    def fixed_bytes(self) -> int:
        """Bytes of everything but records and snapshots."""
        outputs = pack_bytes("trajectory", self._elements)
        return outputs + sum(p.nbytes for p in (self.pack, self.cot, self.adj))

    @property
    def bytes(self) -> int:
        """Bytes of all buffers that the tape owns."""
        return sum(p.nbytes for p in (self.pack, self.traj, self.cot, self.adj)) + sum(
            a.nbytes for slot in self.slots for a in slot.values()
        )

    def plan(self) -> str:
        """The schedule in words: what is stored, how much is computed twice, and all bytes."""
        return f"{self.schedule}\ntape buffers in all: {format_bytes(self.bytes)} of {format_bytes(self.memory)}"

    @property
    def start(self) -> dict[str, np.ndarray]:
        """The state before the last rollout, {name: (worlds, ...)}: all that decides it, with model and controls."""
        if self._start is None:
            raise StaleTapeError("start: this tape has no finished rollout; call rollout first")
        return {name: a.copy() for name, a in self._start["state"].items()}

    @property
    def trajectory(self) -> Trajectory:
        """The Trajectory of the last rollout."""
        if self._start is None:
            raise StaleTapeError("trajectory: this tape has no finished rollout; call rollout first")
        if self._trajectory is None:
            seconds = self.every * self.frame_skip * self.sim.model.opt.timestep
            state = self._start["state"]
            views = self.outputs | {"eq_active": state["eq_active"]}
            self._trajectory = Trajectory.of_buffers(views, state["time"], self.rows, seconds)
        return self._trajectory

    # -------------------------------------------------------------------------------------------------- rollout

    def rollout(
        self, controls: Any, mocap_pos: ArrayLike | None = None, mocap_quat: ArrayLike | None = None,
    ) -> Trajectory:  # fmt: skip
        """Run all steps from the simulator's state; the simulator ends in the last state.

        controls: array (steps, worlds, nu) or (steps, nu), or a controller (package `controllers`). mocap_pos,
        mocap_quat: poses of the mocap bodies in each control step, (steps, worlds, nmocap, 3 or 4) or without the
        worlds; by default those in `data` are held. Which equality constraints act stays as `data.eq_active` says.
        Returns a Trajectory. Raises ValueError for controls of a wrong shape or not finite, before anything moves.
        """
        sim = self.sim
        program = bind_program(self, controls)
        if program.controls is not None:
            shape = (self.steps, sim.worlds, sim.model.nu)
            a = np.asarray(program.controls)
            if a.shape == (self.steps, sim.model.nu):
                a = np.broadcast_to(a[:, None], shape) if a.ndim == 2 else a
            program.controls = checked("controls", a, shape)
        poses = {n: self._poses(n, a) for n, a in zip(MOCAP, (mocap_pos, mocap_quat), strict=True)}
        sim.check_state()
        self._let_go()
        self._start = None  # until the rollout is finished: one that is broken off has no gradient
        if program.controls is not None:
            self.outputs["ctrl"][:] = program.controls
        if sim.model.nmocap:
            for n, a in poses.items():
                self.outputs[n][:] = a
        self._use(program)
        start = {
            **{name: sim.model_pack[name].copy() for name in s.STRIDES},
            "params": program.pack["params"].copy(),
            "qpos0": sim.data.qpos.copy(),
            "state": {n: getattr(sim.data, n).copy() for n in (*SNAPSHOT, *HELD)},
            **{n: sim.pack[n].copy() for n in HELD},
        }
        sim.data._status[:, s.start("d", "status")] = s.OK
        for action in self.schedule.primal:
            self._act(action, sim.pack, self._rollout, self.every)
            sim.raise_status(sim.data)
        self._start, self._spent = start, False
        return self.trajectory

    def again(self) -> Trajectory:
        """One more rollout with the last one's controller, whose parameters are in the kernel's buffer already, from a
        state that needs no look: for searches, which make thousands. It leaves nothing that `backward` takes.
        """
        sim = self.sim
        self._let_go()
        self._start = None
        sim.data._status[:] = s.OK
        start = sim.data.time.copy()
        for action in self.schedule.primal:
            self._act(action, sim.pack, self._rollout, self.every)
            sim.raise_status(sim.data)
        views = self.outputs | {"eq_active": sim.data.eq_active.copy()}
        seconds = self.every * self.frame_skip * sim.model.opt.timestep
        self._trajectory = Trajectory.of_buffers(views, start, self.rows, seconds)
        return self._trajectory

    def _let_go(self):
        """The buffers are about to be used again: the last Trajectory, if anybody holds it, takes its outputs."""
        if self._trajectory is not None:
            held, self._trajectory = weakref.ref(self._trajectory), None
            if held() is not None:
                held().keep()

    def _views(self):
        """Views of the outputs' buffers, which the reverse pass reads too."""
        rows = dict.fromkeys(OUTPUTS, self.rows) | {"ctrl": self.steps}
        views = {n: self._shape(self.traj[f"traj_{n}"], count, self._width(n)) for n, count in rows.items()}
        return views | {n: self._of_mocap(self.traj[f"traj_{n}"], k) for n, k in zip(MOCAP, (3, 4), strict=True)}

    def _of_mocap(self, buffer, width):
        """A view of a buffer of `width` numbers for each control step, world and mocap body."""
        shape = self.steps, self.sim.worlds, self.sim.model.nmocap, width
        return buffer.reshape(-1)[: math.prod(shape)].reshape(shape)

    def _poses(self, name, given):
        """Poses of mocap bodies in each control step, as the kernels take them."""
        held, view = getattr(self.sim.data, name), self.outputs[name]
        if given is None:
            return held
        a = numbers(name, given, view.shape)
        if a.shape not in (view.shape, (self.steps, *view.shape[2:])):
            raise ValueError(f"{name}: got shape {a.shape}, allowed: {view.shape} or {(self.steps, *view.shape[2:])}")
        require_finite(name, a)
        return a if a.ndim == 4 else a[:, None]

    def _width(self, name):
        m = self.sim.model
        return {"qpos": m.nq, "qvel": m.nv, "act": m.na, "sensordata": m.nsensordata, "ctrl": m.nu}[name]

    def _shape(self, flat, rows, width):
        return flat[: rows * self.sim.worlds * width].reshape(rows, self.sim.worlds, width)

    def _use(self, program):
        """Bind the kernels to a program's buffers, once per program."""
        if self._program is program:
            return
        self._program = program
        self.adj = self._adjoint(program.nparam, program.nscratch + self.sim.model.nq)
        self._bind()

    def _bind(self):
        sim, controller = self.sim, self._program.pack
        self._rollout = sim.bind_rollout(sim.pack, controller, self.traj)
        self._replay = sim.bind_rollout(self.pack, controller, self.traj)
        self._reverse = None

    def _act(self, action, pack, kernel, every):
        """Carry out one action of the schedule on the state in `pack`."""
        if isinstance(action, Save):
            for n, a in self.slots[action.slot].items():
                copy(a, pack[n])
        elif isinstance(action, Restore):
            for n, a in self.slots[action.slot].items():
                copy(pack[n], a)
        elif isinstance(action, (Forward, Record)):
            last = int(self.extra and action.stop == self.steps)
            row = 0 if isinstance(action, Record) else -1
            kernel.launch(action.start, action.stop, self.frame_skip, last, row, every)
        elif isinstance(action, Reverse):
            self.reverse(action.start, action.stop, 0)

    def reverse(self, start, stop, row):
        """The adjoint of control steps stop - 1 down to start, whose records begin at `row`; one launch."""
        last = int(stop == self.steps)
        self._reverse.launch(start, stop, self.frame_skip, last, row, self.every)

    # -------------------------------------------------------------------------------------------------- derivatives

    def push(
        self, qpos0: ArrayLike | None = None, qvel0: ArrayLike | None = None, act0: ArrayLike | None = None,
        ctrl: ArrayLike | None = None,
    ) -> Tangents:  # fmt: skip
        """Tangents of the last rollout along a direction of its start and controls: the forward twin of `backward`.

        qpos0 (worlds, nq; in its own coordinates), qvel0 (worlds, nv), act0 (worlds, na), ctrl (steps, worlds, nu): the
        direction, zero where it is not given. Returns Tangents: qpos qvel act (rows, ...), ctrl; of row 0 what was
        given. Costs some eight times the rollout (`linearize` of every step). Raises StaleTapeError as `backward` does,
        ValueError after a rollout with a controller.
        """
        self.check_fresh("push")
        if self._program.owner is not None:
            raise ValueError("push: got a rollout with a controller, allowed: one of controls given as an array")
        return pushed(self, self.outputs["ctrl"], qpos0, qvel0, act0, ctrl)

    def backward(
        self, qpos: ArrayLike | None = None, qvel: ArrayLike | None = None, act: ArrayLike | None = None,
        ctrl: ArrayLike | None = None, sensordata: ArrayLike | None = None,
    ) -> Gradients:  # fmt: skip
        """Gradients of a loss from its cotangents: dloss/d(output), arrays of the outputs' shapes, any subset.

        qpos' cotangent is in its own coordinates (nq). May be called again for another loss of the same rollout.
        Raises StaleTapeError when parameters of the model or of the controller changed since the rollout.
        """
        bars = self.begin_backward({"qpos": qpos, "qvel": qvel, "act": act, "ctrl": ctrl, "sensordata": sensordata})
        for action in self.schedule.reverse:
            self.carry_out(action)
        return self.collect(bars)

    def carry_out(self, action):
        """One action of the reverse pass, on the tape's own state."""
        self._act(action, self.pack, self._replay, 0)

    def begin_backward(self, bars):
        """Check and load the cotangents {output: array or None}, and clear what the reverse pass adds to."""
        self.check_fresh()
        bars = {n: self._cotangent(n, a) for n, a in bars.items()}
        sim = self.sim
        self._load_cotangents(bars)
        if self._reverse is None:
            self._reverse = sim.bind_reverse(self.pack, self._program.pack, self.traj, self.adj, self.cot)
        self.clear_adjoint()
        for n in HELD:
            self.pack[n][:] = self._start[n]
        self.data._status[:] = 0
        if self._spent:
            self._record_again()
        self._spent = self.schedule.slots > 0
        return bars

    def clear_adjoint(self):
        """Zero what a reverse pass adds to."""
        for n in ("qpos_bar", "qvel_bar", "act_bar", "ctrl_bar", "theta_bar", "params_bar", "qfrc_bar", "xfrc_bar"):
            clear(self.adj[n])

    def _record_again(self):
        """Records and snapshots as the rollout left them: a reverse pass that computes again overwrites them.

        The snapshot of the start is the one that every schedule keeps to the end.
        """
        start = next(a for a in self.schedule.primal if isinstance(a, Save) and a.step == 0)
        self._act(Restore(start.slot, 0), self.pack, self._replay, 0)
        for action in self.schedule.primal:
            self._act(action, self.pack, self._replay, 0)

    def check_fresh(self, what_for: str = "backward", of_model: bool = False) -> None:
        """Raise StaleTapeError unless there is a rollout whose parameters are still in force. of_model: those of its
        controller may have changed."""
        if self._start is None:
            raise StaleTapeError(f"{what_for}: this tape has no finished rollout; call rollout first")
        now = {name: self.sim.model_pack[name] for name in s.STRIDES} | {"params": self._program.current_params()}
        whats = "a parameter of the model", "what follows from parameters", "a parameter of the controller"
        for name, what in zip(now, whats, strict=True):
            then, skipped = self._start[name], of_model and name == "params"
            if not skipped and then.tobytes() != now[name].tobytes() and not np.array_equal(then, now[name]):
                raise StaleTapeError(f"{what_for}: {what} changed since the rollout; call rollout again")
        self.sim.refresh()  # others may have been in force in the meantime

    def _cotangent(self, name, value):
        rows = self.steps if name == "ctrl" else self.rows
        shape = (rows, self.sim.worlds, self._width(name))
        if value is None:
            return None
        a = numbers(f"backward: cotangent of {name}", value, shape)
        if a.ndim == 2 and self.sim.worlds == 1:
            a = a[:, None]
        if a.shape != shape:
            raise ValueError(f"backward: cotangent of {name} has shape {np.shape(value)}, allowed: {shape}")
        require_finite(f"backward: cotangent of {name}", a)
        return a

    def _load_cotangents(self, bars):
        for name in ("qpos", "qvel", "act", "ctrl", "sensordata"):
            buffer, bar = self.cot[f"cot_{name}"], bars[name]
            if bar is None:
                clear(buffer)
            elif name == "qpos":
                tangent = qpos_to_tangent(self.sim.model, self.outputs["qpos"], bar)
                tangent[0] = 0  # the start's own goes to qpos0 directly
                buffer[: tangent.size] = tangent.ravel()
            else:
                buffer[: bar.size] = bar.ravel()

    def collect(self, bars):
        """The Gradients that a reverse pass left; bars: the cotangents that it took."""
        sim, m, w = self.sim, self.sim.model, self.sim.worlds
        qpos0 = tangent_to_qpos(m, self._start["qpos0"], self.adj["qpos_bar"][: w * m.nv].reshape(w, m.nv))
        if bars["qpos"] is not None:
            qpos0 += bars["qpos"][0]
        return Gradients(
            ctrl=self._shape(self.cot["ctrl_total"], self.steps, m.nu).copy(),
            params=self._program.gradient(self.adj["params_bar"], w),
            qpos0=qpos0,
            qvel0=self.adj["qvel_bar"][: w * m.nv].reshape(w, m.nv).copy(),
            act0=self.adj["act_bar"][: w * m.na].reshape(w, m.na).copy(),
            model=ModelGradients(m, self._theta_bar().copy(), sim.leaves, sim.own_params),
            qfrc_applied=self.adj["qfrc_bar"][: w * m.nv].reshape(w, m.nv).copy(),
            xfrc_applied=self.adj["xfrc_bar"][: 2 * w * m.nbody].reshape(w, m.nbody, 6).copy(),
            **self._mocap_gradients(),
        )

    def _theta_bar(self):
        w, n = self.sim.worlds, self.sim.sizes["ntheta"]
        return self.adj["theta_bar"][: w * n].reshape(w, n)

    def _mocap_gradients(self):
        if not self.sim.model.nmocap:
            return {n: np.empty(self.outputs[n].shape, np_real()) for n in MOCAP}
        bars, quat = self._of_mocap(self.cot["mocap_total"], 6), self.outputs["mocap_quat"]
        there = np.linalg.norm(quat, axis=-1, keepdims=True) > 1e-15  # a zero is no turn, and stays one
        turned = quat_gradient(np.where(there, quat, 1.0), bars[..., 3:]) * there
        return {"mocap_pos": bars[..., :3].copy(), "mocap_quat": turned}
