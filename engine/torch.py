"""PyTorch: steps and rollouts as differentiable functions of tensors (extra `torch`).

    qpos, qvel, act, _ = engine.torch.step(sim, qpos, qvel, act, policy(observation(qpos, qvel)), frame_skip=5)
    loss(qpos).backward()

Both are pure functions of their arguments. The simulator gives the model, its parameters (`sim.params`) and the contact
capacity; its own state is neither read nor moved. The number of worlds is that of the tensors, whose leading axes are
worlds. What a step's backward reads is kept in the graph (a few hundred bytes per world), so it does not matter what
happened since; `detach()` cuts the graph as everywhere in torch, which is how windows are made.

Tensors are on the CPU or, after `engine.init(arch="cuda")`, on the GPU, where nothing passes through the host:
arguments are copied into the engine's buffers on the device, results out of them. Tensors of another floating type than
the engine's precision are converted; outputs have the engine's (`torch.float64` by default, `torch.float32` on CUDA),
gradients that of their tensor. Where qpos holds quaternions, gradients are in
its own coordinates, without a part along a quaternion's length, as those of `engine.Tape`.

With small networks call `torch.set_num_threads(1)`: torch's second thread is no help there, and while it waits for work
it takes a core from the simulator.

The solver's warm start is no argument: every call starts the solver afresh, so that the same arguments give the same
numbers, bit for bit, whatever ran before. Second derivatives do not exist and raise.
"""

import functools
import math
from typing import NamedTuple

from engine.backend import settings
from engine.diff.pure import ARGUMENTS, Values, check_simulator, pure_rollout, theta_slots
from engine.diff.space import Host
from engine.finite import require_finite

try:
    import torch
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('engine.torch needs PyTorch: pip install "pullback[torch]"') from error


class CpuTensors(Host):
    """Tensors on the CPU as NumPy arrays on the same memory, which take half of torch's time for each operation."""

    def array(self, tensor):
        """What a pure call takes for a tensor."""
        return tensor.detach().numpy()

    def tensor(self, a):
        """What a pure call returned, as a tensor on the same memory."""
        return torch.from_numpy(a)


class DeviceTensors:
    """Tensors on a device as they are, and the engine's buffers as tensors there: see space.Host."""

    def __init__(self, device):
        self.device = device

    def view(self, a):
        return on_device(a, self.device)

    def empty(self, shape):
        return torch.empty(shape, dtype=precision(), device=self.device)

    def copy(self, a):
        return a.clone()

    def host(self, a):
        return a.cpu().numpy()

    def ours(self, a):
        return torch.from_numpy(a).to(self.device)

    def array(self, tensor):
        return tensor.detach()

    def tensor(self, a):
        return a

    def require_finite(self, names, arrays):
        there = [(name, a) for name, a in zip(names, arrays, strict=True) if a is not None]
        # one question for all of them, since the host waits for its answer
        if not torch.stack([torch.isfinite(a).all() for _, a in there]).all():
            for name, a in there:
                require_finite(name, a.cpu().numpy())


class _CudaMemory:
    """What `torch.as_tensor` asks of a NumPy array on memory that the GPU addresses too (engine/memory.py)."""

    def __init__(self, a):
        self.array = a  # alive as long as the tensor
        described = {"shape": a.shape, "strides": a.strides, "typestr": a.dtype.str, "version": 3}
        self.__cuda_array_interface__ = {**described, "data": (a.ctypes.data, False)}


def on_device(a, device):
    """A NumPy view of the engine's memory as a tensor on the same memory."""
    if torch.device(device).type == "cpu" or a.size == 0:
        return torch.from_numpy(a).to(device)
    return torch.as_tensor(_CudaMemory(a), device=device)


def data(sim):
    """The simulator's own state and work as tensors that share its memory, {name: tensor (worlds, ...)}.

    The names and shapes are those of `sim.data`; on CUDA the tensors are on the GPU, and a loop of writing `ctrl`,
    `sim.step()` and reading `qpos` moves nothing to the host. Without gradients: those are for `step` and `rollout`.
    """
    device = "cpu" if settings().arch == "cpu" else torch.device("cuda", 0)
    return {name: on_device(a, device) for name, a in sim.data.arrays().items()}


CPU = CpuTensors()


def precision():
    """torch's type of real numbers in the engine's precision."""
    return torch.float64 if settings().precision == "f64" else torch.float32


@functools.cache
def _space(device):
    return CPU if device.type == "cpu" else DeviceTensors(device)


class State(NamedTuple):
    """What `step` returns: qpos (..., nq), qvel (..., nv), act (..., na), sensordata (..., nsensordata) or None."""

    qpos: torch.Tensor
    qvel: torch.Tensor
    act: torch.Tensor
    sensordata: torch.Tensor | None


class Trajectory(NamedTuple):
    """What `rollout` returns: as State with rows first, steps // record_every + 1 of them, row 0 being the start.

    ctrl: (steps, ..., nu), the controls that acted.
    """

    qpos: torch.Tensor
    qvel: torch.Tensor
    act: torch.Tensor
    sensordata: torch.Tensor | None
    ctrl: torch.Tensor


def step(sim, qpos, qvel, act=None, ctrl=None, *, params=None, frame_skip=1, sensordata=False):
    """The state after one control step: `frame_skip` physics steps under the same control. Returns a State.

    qpos (..., nq), qvel (..., nv), act (..., na), ctrl (..., nu): the same leading axes, which are worlds; act and ctrl
    may be None where the model has none. params: {name: tensor} of differentiable parameters of the model (the names
    of `sim.params`, the model's shapes) to be used instead of the simulator's, the same in all worlds.
    sensordata: also return the sensors of the new state, under the same control.

    Raises ValueError for shapes, devices, names or values that are not allowed, and DivergenceError and
    ContactOverflowError as Simulator.step does; a world's number in them counts the leading axes row by row.
    """
    options = {"frame_skip": frame_skip, "sensors": sensordata}
    return State(*_Call(sim, qpos, params, None, options)(qpos, qvel, act, ctrl))


def rollout(sim, qpos, qvel, act=None, ctrl=None, *, steps=None, params=None, frame_skip=1, record_every=1,
            sensordata=False, memory="1GiB"):  # fmt: skip
    """Many control steps from a state. Returns a Trajectory.

    ctrl: controls (steps, ..., nu), all steps in one launch; or a function ctrl(t, qpos, qvel, act) -> (..., nu) of
    torch, called before each of `steps` steps. Other arguments are as in `step`. record_every: control steps between
    output rows (controls only). memory: bytes of what is kept for backward; a longer rollout is repeated there, on a
    checkpointed tape of this size (controls only). The sensors of a row are those of its state and its control, at the
    last row of the last control.
    """
    if not callable(ctrl):
        if steps is not None and ctrl is not None and steps != len(ctrl):
            raise ValueError(f"steps: got {steps}, but ctrl has {len(ctrl)} rows")
        count = steps if ctrl is None else len(ctrl)
        options = {"frame_skip": frame_skip, "record_every": record_every, "sensors": sensordata, "memory": memory}
        values = _Call(sim, qpos, params, count, options)(qpos, qvel, act, ctrl)
        return Trajectory(*values, _empty(_space(qpos.device), (count, *qpos.shape[:-1])) if ctrl is None else ctrl)
    if record_every != 1 or sensordata:
        raise ValueError("record_every, sensordata: not with a function as ctrl; call `step` in a loop of your own")
    call = _Call(sim, qpos, params, None, {"frame_skip": frame_skip})
    space, rows, controls = call.pure.space, [], []
    state = State(qpos, qvel, _empty(space, qpos.shape[:-1]) if act is None else act, None)
    for t in range(steps):
        rows.append(state)
        controls.append(ctrl(t, *state[:3]))
        state = State(*call(*state[:3], controls[-1]))
    rows.append(state)
    rows[0] = [x.to(state.qpos.dtype) for x in rows[0][:3]]  # the caller's may be others
    return Trajectory(*(torch.stack([r[i] for r in rows]) for i in range(3)), None, torch.stack(controls))


def _empty(space, batch):
    """Numbers of a kind of which the model has none, (..., 0): made by NumPy, which takes a fifth of torch's time."""
    return space.tensor(space.empty((*batch, 0)))


class _Call:
    """Size, parameters and buffers, found out once: of one launch, or of each launch of a loop."""

    def __init__(self, sim, qpos, params, steps, options):
        check_simulator(sim)
        if not isinstance(qpos, torch.Tensor):
            raise TypeError(f"qpos: got {type(qpos).__name__}, allowed: a torch.Tensor")
        m, batch = sim.model, tuple(qpos.shape[:-1])
        steps = () if steps is None else (steps,)
        self.sim, self.batch, self.device = sim, batch, qpos.device
        if self.device.type not in ("cpu", settings().arch):
            raise ValueError(f"qpos: got a tensor on {self.device}, allowed: {_devices()}")
        self.shapes = (*batch, m.nq), (*batch, m.nv), (*batch, m.na), (*steps, *batch, m.nu)
        slots = theta_slots(m, params or {})
        self.params = [
            _checked(f"params[{name!r}]", params[name], shape, self.device) for name, (_, shape) in slots.items()
        ]
        self.slots = [where for where, _ in slots.values()]
        worlds = math.prod(batch)
        if worlds == 0:
            raise ValueError(f"qpos: got shape {tuple(qpos.shape)}, allowed: at least one world")
        self.pure = pure_rollout(
            sim, worlds, steps=steps[0] if steps else 1, space=_space(self.device), **options
        )
        self.none = [_empty(self.pure.space, shape[:-1]) if shape[-1] == 0 else None for shape in self.shapes]

    def __call__(self, *arguments):
        """qpos, qvel, act, sensordata (or None); a node of the graph where somebody wants gradients."""
        pure, tensors = self.pure, []
        for name, value, shape, none in zip(ARGUMENTS, arguments, self.shapes, self.none, strict=True):
            value = none if value is None else value
            tensors.append(value if value is none is not None else _checked(name, value, shape, self.device))
        if not pure.model.na:
            del tensors[2]
        tensors += self.params
        theta = pure.space.ours(self.sim.model_pack["theta"])
        if self.params:
            theta = pure.space.copy(theta)
            for tensor, where in zip(self.params, self.slots, strict=True):
                theta[where] = pure.space.array(tensor).reshape(-1)
        if torch.is_grad_enabled() and any([t.requires_grad for t in tensors]):
            values = _PureRollout.apply((pure, theta, self.slots), *tensors)
        else:
            values = _outputs(pure, pure(*_arrays(pure, tensors), theta, record=False)[0], self.batch)
        qpos, qvel, *others = values
        act = others.pop(0) if pure.model.na else self.acts(qpos)
        return qpos, qvel, act, others[0] if others else None

    def acts(self, qpos):
        """Activations of a model without any, for as many rows as qpos has."""
        return self.none[2] if qpos.dim() == len(self.shapes[0]) else _empty(self.pure.space, qpos.shape[:-1])


def _devices():
    return "tensors on the CPU" if settings().arch == "cpu" else "tensors on the CPU or, all of them, on the GPU"


def _checked(name, value, shape, device):
    known = isinstance(value, torch.Tensor) and value.shape == shape and value.is_floating_point()
    if known and value.device == device:
        return value
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name}: got {type(value).__name__}, allowed: a torch.Tensor of shape {shape}")
    if tuple(value.shape) != shape:
        raise ValueError(f"{name}: got shape {tuple(value.shape)}, allowed: {shape}")
    if value.device != device:
        raise ValueError(f"{name}: got a tensor on {value.device} beside qpos on {device}, allowed: {_devices()}")
    raise ValueError(f"{name}: got {value.dtype}, allowed: floating-point tensors")


def _arrays(pure, tensors):
    """qpos, qvel, act (worlds, .) and ctrl (steps, worlds, nu) as the call's arrays, on the tensors' memory."""
    m, w, array = pure.model, pure.worlds, pure.space.array
    qpos, qvel, *act, ctrl = [array(t) for t in tensors[: 4 if m.na else 3]]
    act = act[0].reshape(w, m.na) if act else pure.space.empty((w, 0))
    return qpos.reshape(w, m.nq), qvel.reshape(w, m.nv), act, ctrl.reshape(pure.steps, w, m.nu)


def _outputs(pure, values, batch):
    """Tensors of what a call returned and the model has: worlds back to the leading axes of the arguments."""
    rows = (pure.rows,) if pure.output_every else ()
    there = [a for a in (*values[:2], values.act if pure.model.na else None, values.sensordata) if a is not None]
    # reshaped before torch sees it: a view made inside a node could not be changed in place outside
    return tuple([pure.space.tensor(a.reshape(*rows, *batch, a.shape[-1])) for a in there])


class _PureRollout(torch.autograd.Function):
    """The node of one call. Its record is saved as a tensor, so torch frees it with the graph."""

    @staticmethod
    def forward(ctx, call, *tensors):
        pure, theta, ctx.slots = call
        values, kept = pure(*_arrays(pure, tensors), theta)
        ctx.pure = pure
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(pure.space.tensor(kept), *tensors)
        return _outputs(pure, values, tensors[0].shape[:-1])

    @staticmethod
    def backward(ctx, *bars):
        pure, (kept, *tensors), na = ctx.pure, ctx.saved_tensors, ctx.pure.model.na
        rows = (pure.rows,) if pure.output_every else ()
        array, tensor = pure.space.array, pure.space.tensor
        arrays = [b if b is None else array(b).reshape(*rows, pure.worlds, b.shape[-1]) for b in bars]
        if not na:
            arrays.insert(2, None)
        bar = Values(*arrays, *([None] * (4 - len(arrays))))
        gradient = pure.reverse(pure.saved(array(kept)), bar, theta=bool(ctx.slots))
        found = [gradient.qpos, gradient.qvel, gradient.act, gradient.ctrl]
        if not na:
            del found[2]
        if ctx.slots:
            total = gradient.theta.sum(0)
            found += [total[where] for where in ctx.slots]
        needed = ctx.needs_input_grad[1:]
        found = [tensor(a.reshape(t.shape)) if need else None
                 for a, t, need in zip(found, tensors, needed, strict=True)]  # fmt: skip
        if torch.is_grad_enabled():  # create_graph=True
            found = _once(found, [t for t in (*tensors, *bars) if t is not None])
        return None, *found


def _once(gradients, asked):
    """The gradients, as functions of all that they depend on, which cannot be differentiated again."""
    there = [g for g in gradients if g is not None]
    marked = iter(_FirstDerivative.apply(len(there), *there, *asked))
    return [g if g is None else next(marked) for g in gradients]


class _FirstDerivative(torch.autograd.Function):
    """Gradients as they are, but whoever differentiates them again is told that this does not exist."""

    @staticmethod
    def forward(ctx, n, *tensors):
        return tuple(t.clone() for t in tensors[:n])

    @staticmethod
    def backward(ctx, *bars):
        raise RuntimeError(
            "engine.torch: second derivatives of the simulator do not exist; a gradient that passed through a step or "
            "a rollout was differentiated again (create_graph=True)"
        )
