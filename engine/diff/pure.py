"""A rollout as a pure function of its arguments, and its reverse: what the doors to torch and JAX stand on.

A Tape records what its simulator does and is good for one rollout at a time. Here every call returns the little that
its own reverse reads (the record: per physics step qpos, qvel, act, qacc of every stage, time), so any number of calls
may wait for their reverse at once, in any order. Buffers and bound kernels are made once for each size of call; values
are copied in and out, which for these sizes is cheaper than binding other arrays (some 80 us for all of a launch).
What a call keeps for its reverse is one array, since a door to another program takes time for each.

The Newton solver starts every call from a zero acceleration instead of the last step's. This costs a few per cent of a
single step and makes the result depend on the arguments alone, bit for bit.
"""

import math
import threading
from collections import OrderedDict

import numpy as np

from engine import schema as s
from engine.arguments import whole
from engine.arrays import REACH, Pack, pack_end
from engine.compiler.backend import np_real
from engine.diff.arguments import ARGUMENTS, COTANGENTS, ON_DIVERGENCE, Gradient, Saved, Values, theta_slots
from engine.diff.budget import mocap_elements, record_numbers
from engine.diff.forward_only import require_gradient
from engine.diff.program import Program
from engine.diff.schedule import parse_bytes
from engine.diff.space import HOST
from engine.diff.tape import APPLIED, MOCAP, Tape
from engine.model.coordinates import qpos_to_tangent, quaternions, tangent_to_qpos
from engine.simulator import Simulator

KEPT = 8  # sizes of calls whose buffers a simulator keeps


def pure_rollout(sim, worlds, *, steps=1, frame_skip=1, record_every=0, sensors=False, memory="1GiB", space=HOST,
                 forces=(), on_divergence="raise", own=False, following=None):  # fmt: skip
    """The PureRollout of this size on the model of `sim`, made at the first call and kept on the simulator.

    following: what follows from parameters (`followed`), by default what does now.
    """
    following = followed(sim) if following is None else following
    key = (worlds, steps, frame_skip, record_every, sensors, memory, space, forces, on_divergence, own, following)
    kept = sim.__dict__.setdefault("_pure", OrderedDict())
    with _lock:
        if key not in kept:
            kept[key] = PureRollout(sim, *key)
        kept.move_to_end(key)
        while len(kept) > KEPT:
            kept.popitem(last=False)
        return kept[key]


_lock = threading.Lock()


def followed(sim):
    """What follows from the parameters of a simulator (Simulator.set_const), as bytes: a call and its reverse go by
    that of the moment when the call was made."""
    if sim._following is None:
        sim._following = sim.model_pack["following"].tobytes()
    return sim._following


class PureRollout:
    """`steps` control steps of `worlds` worlds of a simulator's model. The simulator's own data is not touched.

    record_every: control steps between output rows, row 0 being the start; 0: the final state is the only output.
    sensors: sensor values are an output too, at the last row those of the final state under the last control.
    memory: bytes that the record of one call may take. A longer one is not kept: the reverse then repeats the rollout
    on a Tape with this budget. space: where arguments and results live (space.py). forces: those of APPLIED that are
    arguments, constant over a call; the others are zero. on_divergence: "raise", or "mask": a world that diverges is
    told, not raised, and does not disturb the others (`_hold`, `reverse`). own: each world has parameters of its own.
    following: see `followed`.
    Raises ValueError for what is not allowed.

    Calls may come from any thread; they wait for each other.
    """

    def __init__(
        self, sim, worlds, steps, frame_skip, record_every, sensors, memory, space, forces, on_divergence,
        own=False, following=None,
    ):  # fmt: skip
        if on_divergence not in ON_DIVERGENCE:
            raise ValueError(f"on_divergence: got {on_divergence!r}, allowed: {' or '.join(map(repr, ON_DIVERGENCE))}")
        require_gradient(sim, "a call of torch or JAX")
        if sim.sizes["nlatetime"]:
            raise ValueError(
                "a call of torch or JAX: each begins at time 0, and sensors with an interval go by the time; allowed: "
                "sensors without an interval, or a Tape"
            )
        self.space, self.forces, self.masked = space, forces, on_divergence == "mask"
        self.steps, self.frame_skip = whole("steps", steps), whole("frame_skip", frame_skip)
        self.sensors, self.output_every = bool(sensors), record_every
        if record_every and self.steps % whole("record_every", record_every):
            raise ValueError(f"record_every: got {record_every}, allowed: a divisor of steps = {self.steps}")
        if sensors and not sim.model.nsensordata:
            raise ValueError("sensordata: this model has no sensors")
        self.every = record_every or (self.steps if sensors else 0)
        self.rows = self.steps // self.every + 1 if self.every else 1
        self.worlds, self.model = worlds, sim.model
        # its pack is the state and work of both directions
        self.sim = Simulator(sim.model, worlds, sim.ncon_max, sim.features, sim.leaves, own)
        for b in s.MODEL:  # what the given simulator steps with; the parameters are an argument
            if b.name == "following":
                n = self.sim.sizes[b.count]
                if n:
                    values = np.frombuffer(followed(sim) if following is None else following, np_real())
                    self.sim.model_pack[b.name].reshape(-1, n)[:] = values.reshape(-1, n)
            elif b.name != "theta":
                self.sim.model_pack[b.name][:] = sim.model_pack[b.name]
        self.quaternions = bool(quaternions(sim.model))
        self._lock = threading.Lock()
        self.record_shape = self.steps * self.frame_skip + int(self.sensors), worlds, record_numbers(sim.model)
        self.budget = parse_bytes(memory)
        rows = self._elements()
        size = rows["record"] * np.dtype(np_real()).itemsize
        self.repeats = size > self.budget or pack_end("trajectory", rows) > REACH
        self._tape = None
        if self.repeats:
            rows = {"record_every": self.every or self.steps}
            self._tape = Tape(self.sim, self.steps, self.frame_skip, memory=self.budget, **rows)
        self._allocate()

    def _elements(self):
        """{buffer: entries} of the packs of outputs, records and cotangents."""
        sim, w = self.sim, self.worlds
        rows = {b.name: self.rows * w * sim.sizes.get(b.count, 0) for b in s.TRAJECTORY + s.COTANGENT}
        rows |= {name: self.steps * w * self.model.nu for name in rows if "ctrl" in name}
        rows |= mocap_elements(self.steps * w * self.model.nmocap)
        return rows | {"record": math.prod(self.record_shape)}

    def _allocate(self):
        sim, w = self.sim, self.worlds
        rows = self._elements()
        if self.repeats:
            rows["record"] = 1
        self._traj, self._cot = Pack("trajectory", rows), Pack("cotangent", rows)
        for name in MOCAP if self.model.nmocap else ():  # held where the model has them
            held = sim.pack[name][: w * self.model.nmocap]
            self._traj[f"traj_{name}"][:] = np.tile(held, (self.steps, 1))
        program = Program(nu=self.model.nu)
        count = {**sim.sizes, "nparam": 1, "nscratch": program.nscratch + self.model.nq}
        self._adj = Pack("adjoint", {b.name: w * count[b.count] * b.width for b in s.ADJOINT})
        self._forward = sim.bind_rollout(sim.pack, program.pack, self._traj)
        self._reverse = sim.bind_reverse(sim.pack, program.pack, self._traj, self._adj, self._cot)
        self._name_parts()

    def _name_parts(self):
        """Views of what every call reads or writes in the buffers, and the layout of what it keeps."""
        sim, w, m, d, adj, view = self.sim, self.worlds, self.model, self.sim.data, self._adj, self.space.view
        self._theta = view(sim.model_pack["theta"])
        self._cleared = [view(a) for a in (d._status, sim.pack["time"], sim.pack["qacc_warmstart"])]
        self._state = [view(a) for a in (d.qpos, d.qvel, d.act)]
        self._forces = {name: view(getattr(d, name)) for name in self.forces}
        self._names = (*ARGUMENTS, *self.forces)
        self._given = *self._state, self._rows(self._traj, "traj_ctrl", self.steps, m.nu), *self._forces.values()
        if not self.repeats:
            self._record = view(self._traj["record"].reshape(self.record_shape))
        widths = {"qpos": m.nv, "qvel": m.nv, "act": m.na}
        self._bars = {n: view(adj[f"{n}_bar"][: w * width].reshape(w, width)) for n, width in widths.items()}
        # what the reverse adds to lies together
        first, last = adj.starts["qpos_bar"], adj.starts["theta_bar"] + adj["theta_bar"].size
        self._summed = view(adj.blocks["real"][first:last])
        self._force_bars = {
            name: view(adj[f"{name[:4]}_bar"].reshape(-1)[: a.size].reshape(a.shape))
            for name, a in ((name, getattr(d, name)) for name in self.forces)
        }
        self._theta_bar = view(adj["theta_bar"][: w * sim.sizes["ntheta"]].reshape(w, -1))
        self._ctrl_total = self._rows(self._cot, "ctrl_total", self.steps, m.nu)
        if self.output_every:
            sizes = {"qpos": m.nq, "qvel": m.nv, "act": m.na}
            self._traj_rows = [self._rows(self._traj, f"traj_{n}", self.rows, size) for n, size in sizes.items()]
            self._cot_rows = {n: self._rows(self._cot, f"cot_{n}", self.rows, size) for n, size in widths.items()}
        if self.every and m.nsensordata:
            self._sensed = self._rows(self._traj, "traj_sensordata", self.rows, m.nsensordata)
            self._cot_sensed = self._rows(self._cot, "cot_sensordata", self.rows, m.nsensordata)
        rows = (self.rows,) if self.output_every else ()
        shapes = Saved(
            ctrl=(self.steps, w, m.nu),
            theta=self._theta.shape,
            qpos=(*rows, w, m.nq) if self.quaternions else (0,),
            record=(0,) if self.repeats else self.record_shape,
            start=(w, m.nq + m.nv + m.na) if self.repeats else (0,),
            **{name: getattr(d, name).shape if name in self.forces else (0,) for name in APPLIED},
            diverged=(w,) if self.masked else (0,),
        )
        ends = np.cumsum([0, *(math.prod(shape) for shape in shapes)]).tolist()
        self._layout = [(slice(*ends[i : i + 2]), shape) for i, shape in enumerate(shapes)]
        self._kept = ends[-1]
        sources = {"ctrl": self._given[3], "theta": self._theta, **self._forces}
        sources |= {} if self.repeats else {"record": self._record}
        self._sources = [(self._layout[Saved._fields.index(name)][0], a.reshape(-1)) for name, a in sources.items()]

    def saved(self, kept):
        """The parts, views, of the array that a call kept for its reverse."""
        return Saved(*[kept[where].reshape(shape) for where, shape in self._layout])

    def _launch(self, kernel, row0):
        last = int(self.sensors)
        kernel.launch(0, self.steps, self.frame_skip, last, row0, self.every)

    def _rows(self, pack, name, rows, width):
        return self.space.view(pack[name][: rows * self.worlds * width].reshape(rows, self.worlds, width))

    def _load(self, theta, check=False):
        """The start of a call, forward or back, but for the state."""
        self._theta[:] = theta.reshape(-1)
        if check or self.sim.leaves:
            self.space.host(self._theta)  # waits for it
            if check:
                self.sim.check_parameters()
            else:
                self.sim.refresh()
        for a in self._cleared:
            a[:] = 0

    # --------------------------------------------------------------------------------------------------- forward

    def __call__(self, qpos, qvel, act, ctrl, theta, forces=(), record=True, check=True):
        """(Values, kept or None, diverged or None).

        qpos (worlds, nq), qvel, act, ctrl (steps, worlds, nu), theta (ntheta,) or, with `own`, (worlds, ntheta), forces
        in the order of `self.forces`: qfrc_applied (worlds, nv), xfrc_applied (worlds, nbody, 6). kept: one array with
        all that `reverse` reads, see `saved`; None with record=False. diverged: which worlds did, NumPy's booleans
        (worlds,), with on_divergence="mask". check: whether parameters are asked what they mean; False for those that
        the simulator has. Raises ValueError for a value that is not finite and for a parameter that means nothing,
        DivergenceError and ContactOverflowError as Simulator does.
        """
        given = qpos, qvel, act, ctrl, *forces
        self.space.require_finite(self._names, given)
        with self._lock:
            self._load(theta, check)
            for buffer, a in zip(self._given, given, strict=True):
                buffer[:] = a
            self._launch(self._forward, 0 if record and not self.repeats else -1)
            diverged = None
            if self.masked:
                diverged = self._diverged()
                if diverged.any():
                    self._hold(np.flatnonzero(diverged).tolist(), given)
            else:
                self.sim.raise_status(self.sim.data)
            values = self._outputs()
            return values, self._keep(given, values, diverged) if record else None, diverged

    def _diverged(self):
        """Which worlds diverged; what else stopped a world is raised."""
        status = self.sim.data._status[:, s.start("d", "status")]
        diverged = status == s.DIVERGED
        if (status == s.OVERFLOW).any():
            status[diverged] = s.OK
            self.sim.raise_status(self.sim.data)
        return diverged

    def _hold(self, bad, given):
        """Finite outputs of the worlds `bad`: the last state that an output row saw, or the given one; sensors of the
        control step in which it diverged, and later ones, are zero."""
        for w in bad:
            if not self.output_every:
                for a, start in zip(self._state, given, strict=False):
                    a[w] = start[w]
                if self.sensors:
                    self._sensed[-1, w] = 0
                continue
            step = int(self.sim.data._status[w, s.start("d", "stop_step")])
            row = step // self.every
            for a in self._traj_rows:
                a[row + 1 :, w] = a[row, w]
            if self.sensors:
                self._sensed[-(-step // self.every) :, w] = 0

    def _outputs(self):
        copy = self.space.copy
        state = [copy(a) for a in (self._traj_rows if self.output_every else self._state)]
        sensors = None
        if self.sensors:
            sensors = copy(self._sensed if self.output_every else self._sensed[-1])
        return Values(*state, sensors)

    def _keep(self, given, values, diverged):
        kept = self.space.empty(self._kept)
        for where, source in self._sources:
            kept[where] = source
        if self.quaternions:
            self.saved(kept).qpos[:] = values.qpos
        if self.masked:
            self.saved(kept).diverged[:] = self.space.ours(diverged)
        if self.repeats:
            at = 0
            for a in given[:3]:
                self.saved(kept).start[:, at : at + a.shape[1]] = a
                at += a.shape[1]
        return kept

    # --------------------------------------------------------------------------------------------------- reverse

    def reverse(self, saved, bars, theta=True):
        """Gradient of a loss with cotangents `bars` (Values; None for zero) of what the call that saved returned.

        theta=False: without that of the parameters, which is as large as all the others together. A world that diverged
        has the gradient zero, whatever its cotangents are.
        """
        if not self.masked:
            return self._reversed(saved, bars, theta)
        diverged = self.space.host(saved.diverged) != 0
        if not diverged.any():
            return self._reversed(saved, bars, theta)
        return self._reversed_rest(saved, bars, theta, diverged)

    def _reversed(self, saved, bars, theta):
        self.space.require_finite(COTANGENTS, bars)
        with self._lock:
            self._load(saved.theta)
            if self.repeats:
                return self._repeat(saved, bars)
            self._record[:], self._given[3][:] = saved.record, saved.ctrl
            for name, a in self._forces.items():
                a[:] = getattr(saved, name)
            direct = self._load_cotangents(saved, bars)
            self._launch(self._reverse, 0)
            return self._collect(saved.record[0, :, : self.model.nq], direct, theta)

    def _reversed_rest(self, saved, bars, theta, diverged):
        """`_reversed` of the worlds that did not diverge. In place of the others the first of them runs along."""
        bad, rows = np.flatnonzero(diverged).tolist(), int(bool(self.output_every))
        worlds = np.where(diverged, np.argmin(diverged), np.arange(self.worlds)).tolist()
        axes = {"ctrl": 1, "qpos": rows, "record": 1, "start": 0, **dict.fromkeys(APPLIED, 0)}
        taken = {name: _of_worlds(getattr(saved, name), worlds, axis) for name, axis in axes.items()}
        if self.sim.own_params:
            taken["theta"] = saved.theta.reshape(self.worlds, -1)[worlds].reshape(-1)
        bars = [None if b is None else _of_worlds(b, worlds, rows) for b in bars]
        for b in bars:
            if b is not None:
                b[(slice(None),) * rows + (bad,)] = 0
        if diverged.all():  # no world is left that could run
            w, m, zeros = self.worlds, self.model, self.space.zeros
            shapes = (w, m.nq), (w, m.nv), (w, m.na), (self.steps, w, m.nu), self._theta_bar.shape
            forces = (zeros(self._force_bars[n].shape) if n in self.forces else None for n in APPLIED)
            return Gradient(*map(zeros, shapes), *forces)
        gradient = self._reversed(saved._replace(**taken), Values(*bars), theta)
        for name, a in gradient._asdict().items():
            if a is not None:
                a[(slice(None), bad) if name == "ctrl" else bad] = 0
        return gradient

    def _load_cotangents(self, saved, bars):
        """Into the kernel's rows; the final row goes where the reverse begins. Returns that of the start's own row."""
        m = self.model
        self._summed[:] = 0
        rows = {"qpos": bars.qpos, "qvel": bars.qvel, "act": bars.act}
        if rows["qpos"] is not None and self.quaternions:
            tangent = self.space.empty((*bars.qpos.shape[:-1], m.nv))
            rows["qpos"] = qpos_to_tangent(m, saved.qpos, bars.qpos, tangent)
        for name, bar in rows.items():
            end = self._bars[name]
            if self.output_every:
                cot = self._cot_rows[name]
                cot[:] = 0 if bar is None else bar
                end[:] = cot[-1]
                cot[-1] = 0
                if name == "qpos":
                    cot[0] = 0  # the start's own is not that of its tangent space alone
            elif bar is not None:
                end[:] = bar
        if self.every and m.nsensordata:
            cot = self._cot_sensed
            cot[:] = 0
            if bars.sensordata is not None:
                cot[slice(None) if self.output_every else -1] = bars.sensordata
        return bars.qpos[0] if self.output_every and bars.qpos is not None else None

    def _collect(self, qpos, direct, theta):
        bar, copy = self._bars["qpos"], self.space.copy
        start = copy(bar)
        if self.quaternions:
            start = tangent_to_qpos(self.model, qpos, bar, self.space.empty((self.worlds, self.model.nq)))
        if direct is not None:
            start += direct
        return Gradient(
            qpos=start,
            qvel=copy(self._bars["qvel"]),
            act=copy(self._bars["act"]),
            ctrl=copy(self._ctrl_total),
            theta=copy(self._theta_bar) if theta else None,
            **({name: copy(a) for name, a in self._force_bars.items()} if self.forces else {}),
        )

    def _repeat(self, saved, bars):
        """The whole rollout again, on a tape whose schedule keeps to the budget."""
        m, d, host = self.model, self.sim.data, self.space.host
        d.qpos[:], d.qvel[:], d.act[:] = np.split(host(saved.start), (m.nq, m.nq + m.nv), axis=1)
        for name in self.forces:
            getattr(d, name)[:] = host(getattr(saved, name))
        self._tape.rollout(host(saved.ctrl))
        bars = Values(*(None if b is None else host(b) for b in bars))
        if not self.output_every:
            bars = Values(*(None if b is None else np.stack([np.zeros_like(b), b]) for b in bars))
        grads = self._tape.backward(**bars._asdict())
        theta = np.zeros((self.worlds, self.sim.sizes["ntheta"]), np_real())
        for name, (where, _) in theta_slots(m, self.sim.params, self.sim.leaves).items():
            theta[:, where] = grads.model.per_world(name).reshape(self.worlds, -1)
        forces = {name: self.space.ours(getattr(grads, name)) if name in self.forces else None for name in APPLIED}
        return Gradient(*map(self.space.ours, (grads.qpos0, grads.qvel0, grads.act0, grads.ctrl, theta)), **forces)


def _of_worlds(a, worlds, axis):
    """A copy of an array with these of its worlds; of an array that has none, itself."""
    return a if a.ndim == 1 else a[worlds] if axis == 0 else a[:, worlds]
