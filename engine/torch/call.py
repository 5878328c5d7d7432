"""One call of a pure function with tensors: its checks, its arrays, and the same call for the worlds of a vmap."""

import copy
import math

import torch

from engine.compiler.backend import settings
from engine.diff.arguments import ARGUMENTS, Values, check_own, check_simulator, theta_slots
from engine.diff.pure import followed, pure_rollout
from engine.diff.tape import APPLIED
from engine.torch import space as spaces
from engine.torch.node import PureRollout, TransformedRollout, refuse_tangents, transformed


class Call:
    """Size, parameters and buffers, found out once: of one launch, or of each launch of a loop.

    batch: leading axes, which are worlds. gradients: {name: shape} of the tensors of a call, in order: qpos, qvel, act
    where the model has any, ctrl, forces that are given; parameters come after them. slots: of parameters, parts of
    theta; each: whether one is given for each world. own: worlds have parameters of their own, the simulator's or the
    call's. mapped: axes of a vmap over the reverse, for each of which a gradient of the parameters is asked.
    """

    def __init__(self, sim, qpos, params, forces, steps, options):
        given = {name: a for name, a in zip(APPLIED, forces, strict=True) if a is not None}
        check_simulator(sim, given)
        if not isinstance(qpos, torch.Tensor):
            raise TypeError(f"qpos: got {type(qpos).__name__}, allowed: a torch.Tensor")
        m, self.sim, self.batch, self.device, self.mapped = sim.model, sim, tuple(qpos.shape[:-1]), qpos.device, ()
        if self.device.type not in ("cpu", settings().arch):
            raise ValueError(f"qpos: got a tensor on {self.device}, allowed: {_devices()}")
        self.options = {"steps": 1 if steps is None else steps, "forces": tuple(given), **options}
        self.leading = () if steps is None else (steps,)  # axes of ctrl before the worlds
        self.slots = theta_slots(m, params, sim.leaves) if params else {}
        if math.prod(self.batch) == 0:
            raise ValueError(f"qpos: got shape {tuple(qpos.shape)}, allowed: at least one world")
        self.params, self.each = [], []
        for name, (_, shape) in self.slots.items():
            own = self.batch != () and getattr(params[name], "shape", None) == (*self.batch, *shape)
            self.each.append(own)
            wanted = (*self.batch, *shape) if own else shape
            self.params.append(_checked(f"params[{name!r}]", params[name], wanted, self.device))
        self.own = check_own(sim, math.prod(self.batch)) or any(self.each)
        self.options |= {"own": self.own, "following": followed(sim)}
        self._find_buffers()
        self.forces = [_checked(name, a, self.gradients[name], self.device) for name, a in given.items()]
        self.none = [_empty(self.space, shape[:-1]) if shape[-1] == 0 else None for shape in self.shapes]

    def _find_buffers(self):
        m, batch, steps = self.sim.model, self.batch, self.leading
        self.space = spaces.space_of(self.device)
        self.pure = pure_rollout(self.sim, math.prod(batch), space=self.space, **self.options)
        self.rows = (self.pure.rows,) if self.pure.output_every else ()
        self.shapes = (*batch, m.nq), (*batch, m.nv), (*batch, m.na), (*steps, *batch, m.nu)
        self.gradients = dict(zip(ARGUMENTS, self.shapes, strict=True))
        if not m.na:
            del self.gradients["act"]
        if self.pure.forces:
            there = {"qfrc_applied": (*batch, m.nv), "xfrc_applied": (*batch, m.nbody, 6)}
            self.gradients |= {name: there[name] for name in self.pure.forces}

    def widened(self, n, mapped=False):
        """The same call of n times as many worlds, a new first axis. mapped: gradients of parameters for each of n."""
        if self.own:
            raise NotImplementedError(
                "engine.torch: vmap over a call in which worlds have parameters of their own, allowed: what would be "
                "mapped as leading axes of all arguments, which are worlds too"
            )
        wide = copy.copy(self)
        wide.batch, wide.mapped = (n, *self.batch), (n, *self.mapped) if mapped else ()
        wide._find_buffers()
        return wide

    def __call__(self, *arguments):
        """qpos, qvel, act, sensordata (or None), and with on_divergence="mask" which worlds did; a node of the graph
        where somebody wants gradients."""
        tensors = []
        for name, value, shape, none in zip(ARGUMENTS, arguments, self.shapes, self.none, strict=True):
            value = none if value is None else value
            tensors.append(value if value is none is not None else _checked(name, value, shape, self.device))
        self.dtype = _state_type(tensors[:3] if self.pure.model.na else tensors[:2])
        if not self.pure.model.na:
            del tensors[2]
        tensors += self.forces + self.params
        refuse_tangents(tensors)
        if transformed():
            values = TransformedRollout.apply(self, *tensors)[1:]
        elif torch.is_grad_enabled() and any([t.requires_grad for t in tensors]):
            values = PureRollout.apply(self, *tensors)
        else:
            values = self.run(tensors, record=False)[1:]
        values = list(values)
        diverged = [values.pop()] if self.pure.masked else []
        qpos, qvel, *others = values
        act = others.pop(0) if self.pure.model.na else self._acts(qpos)
        return qpos, qvel, act, others[0] if others else None, *diverged

    def _acts(self, qpos):
        """Activations of a model without any, for as many rows as qpos has."""
        here = qpos.dim() == len(self.shapes[0]) and self.none[2].dtype is self.dtype
        return self.none[2] if here else _empty(self.space, qpos.shape[:-1]).to(self.dtype)

    # ------------------------------------------------------------------------------------- on tensors without wrappers

    def run(self, tensors, record=True):
        """(kept or None, qpos, qvel, act if there is any, sensordata if asked, diverged if told) as tensors."""
        pure, space = self.pure, self.space
        m, w, n = pure.model, pure.worlds, len(self.batch)
        qpos, qvel, *act, ctrl = [space.array(t) for t in tensors[: 4 if m.na else 3]]
        act = act[0].reshape(w, m.na) if act else space.empty((w, 0))
        state = qpos.reshape(w, m.nq), qvel.reshape(w, m.nv), act, ctrl.reshape(pure.steps, w, m.nu)
        forces = [space.array(t).reshape(w, *t.shape[n:]) for t in tensors[4 if m.na else 3 : len(self.gradients)]]
        theta = space.ours(self.sim.model_pack["theta"])
        if self.slots or self.own:
            rows = w if self.own else 1
            shared, theta = theta, space.empty((rows, pure.sim.sizes["ntheta"]))
            theta[:] = shared.reshape(-1, theta.shape[1])
            given = tensors[len(self.gradients) :]
            for tensor, (where, _), each in zip(given, self.slots.values(), self.each, strict=True):
                theta[:, where] = space.array(tensor).reshape(rows if each else 1, -1)
        values, kept, diverged = pure(*state, theta, forces, record, check=bool(self.slots))
        there = [a for a in (*values[:2], values.act if m.na else None, values.sensordata) if a is not None]
        # reshaped before torch sees it: a view made inside a node could not be changed in place outside
        out = [space.tensor(a.reshape(*self.rows, *self.batch, a.shape[-1])) for a in there]
        if self.dtype is not out[0].dtype:
            out = [a.to(self.dtype) for a in out]
        if diverged is not None:
            out.append(torch.from_numpy(diverged.reshape(self.batch)).to(self.device))
        return space.tensor(kept) if record else None, *out

    def reverse(self, kept, bars, needed):
        """Gradients with respect to the tensors, None for those that need none, from cotangents of the outputs."""
        pure, array, tensor = self.pure, self.space.array, self.space.tensor
        arrays = [b if b is None else array(b).reshape(*self.rows, pure.worlds, b.shape[-1]) for b in bars]
        if not pure.model.na:
            arrays.insert(2, None)
        bars = Values(*arrays, *([None] * (4 - len(arrays))))
        gradient = pure.reverse(pure.saved(array(kept)), bars, theta=bool(self.slots))
        found = [getattr(gradient, name).reshape(shape) for name, shape in self.gradients.items()]
        if self.slots:
            total = gradient.theta.reshape(*self.mapped, -1, gradient.theta.shape[-1]).sum(len(self.mapped))
            for (where, shape), each in zip(self.slots.values(), self.each, strict=True):
                part = gradient.theta[:, where] if each else total[..., where]
                found.append(part.reshape(*(self.batch if each else self.mapped), *shape))
        return [tensor(a) if need else None for a, need in zip(found, needed, strict=True)]


def _state_type(state):
    """The type of a call's outputs: that of the state that it is given, by torch's rule if that has several."""
    first, *others = [t.dtype for t in state]
    for other in others:
        first = first if other is first else torch.promote_types(first, other)
    return first


def _empty(space, batch):
    """Numbers of a kind of which the model has none, (..., 0): made by NumPy, which takes a fifth of torch's time."""
    return space.tensor(space.empty((*batch, 0)))


def _devices():
    return "tensors on the CPU" if settings().arch == "cpu" else "tensors on the CPU or, all of them, on the GPU"


def _checked(name, value, shape, device):
    known = isinstance(value, torch.Tensor) and value.shape == shape and value.is_floating_point()
    if known and value.device == device and value.layout is torch.strided:
        return value
    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name}: got {type(value).__name__}, allowed: a torch.Tensor of shape {shape}")
    if tuple(value.shape) != shape:
        raise ValueError(f"{name}: got shape {tuple(value.shape)}, allowed: {shape}")
    if value.device != device:
        raise ValueError(f"{name}: got a tensor on {value.device} beside qpos on {device}, allowed: {_devices()}")
    if value.layout is not torch.strided:
        raise ValueError(f"{name}: got {value.layout}, allowed: dense tensors")
    raise ValueError(f"{name}: got {value.dtype}, allowed: floating-point tensors")
