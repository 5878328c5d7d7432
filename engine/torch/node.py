"""A call as a node of torch's graph, in the form that torch.func can transform too.

Where a gradient could be differentiated again, a node's backward is a node itself (Reverse), which tells that there is
no second derivative. Under `vmap` both become one launch of more worlds; where parameters, or nothing but cotangents,
are mapped, one launch for each.
"""

import torch
from torch.autograd import forward_ad


def transformed():
    """Whether torch.func's transforms are at work, whose tensors are wrapped."""
    return torch._C._are_functorch_transforms_active()  # as Function.apply asks


def refuse_tangents(tensors):
    """Raise NotImplementedError for tensors with a tangent: torch would drop it where no gradient is recorded."""
    if forward_ad._current_level >= 0 and any(forward_ad.unpack_dual(t).tangent is not None for t in tensors):
        raise NotImplementedError(FORWARD)


FORWARD = (
    "engine.torch: forward-mode derivatives of the simulator (jvp, jacfwd, dual tensors) do not exist, allowed: "
    "reverse mode (backward, torch.autograd.grad, torch.func.grad, vjp, jacrev)"
)
SECOND = (
    "engine.torch: second derivatives of the simulator do not exist; a gradient that passed through a step or a "
    "rollout was differentiated again (create_graph=True, or one torch.func transform in another)"
)


class PureRollout(torch.autograd.Function):
    """The node of one call. Its record is saved as a tensor, so torch frees it with the graph."""

    @staticmethod
    def forward(ctx, call, *tensors):
        kept, *values = call.run(tensors)
        ctx.call = call
        if call.pure.masked:
            ctx.mark_non_differentiable(values[-1])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(kept, *tensors)
        return tuple(values)

    @staticmethod
    def backward(ctx, *bars):
        call, (kept, *tensors), needed = ctx.call, ctx.saved_tensors, ctx.needs_input_grad[1:]
        if call.pure.masked:
            bars = bars[:-1]
        if torch.is_grad_enabled() or transformed():
            found = iter(Reverse.apply(call, needed, kept, *tensors, *bars))
            return None, *[next(found) if need else None for need in needed]
        return None, *call.reverse(kept, bars, needed)

    @staticmethod
    def jvp(ctx, *tangents):
        raise NotImplementedError(FORWARD)


class TransformedRollout(PureRollout):
    """The same node in the form that torch.func's transforms need, with which torch takes half as long again.

    What is kept is an output here, the first, so that transforms can wrap it.
    """

    @staticmethod
    def forward(call, *tensors):
        return call.run(tensors)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.call, *tensors = inputs
        ctx.mark_non_differentiable(output[0], *output[len(output) - ctx.call.pure.masked :])
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(output[0], *tensors)

    @staticmethod
    def backward(ctx, _, *bars):
        return PureRollout.backward(ctx, *bars)

    @staticmethod
    def vmap(info, in_dims, call, *tensors):
        n, dims = info.batch_size, in_dims[1:]
        if any(d is not None for d in dims[len(call.gradients) :]):
            found = [TransformedRollout.apply(call, *_entry(i, dims, tensors)) for i in range(n)]
            return tuple(torch.stack(values) for values in zip(*found, strict=True)), 0
        wide = call.widened(n)
        out = TransformedRollout.apply(wide, *_merged(n, call, dims, tensors))
        rows = len(wide.rows)
        told = [0] * call.pure.masked
        return out, (None, *[rows] * (len(out) - 1 - len(told)), *told)


class Reverse(torch.autograd.Function):
    """The gradients of a call, as functions of all that they depend on, which cannot be differentiated again."""

    @staticmethod
    def forward(call, needed, kept, *tensors_and_bars):
        found = call.reverse(kept, tensors_and_bars[len(needed) :], needed)
        return tuple(a for a in found if a is not None)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *bars):
        raise RuntimeError(SECOND)

    @staticmethod
    def jvp(ctx, *tangents):
        raise NotImplementedError(FORWARD)

    @staticmethod
    def vmap(info, in_dims, call, needed, kept, *tensors_and_bars):
        n, kept_dim, dims = info.batch_size, in_dims[2], in_dims[3:]
        if kept_dim is not None or all(d is None for d in dims[: len(needed)]):
            # parameters of their own for each, or nothing but cotangents: as many records as there were launches
            given, dims = (kept, *tensors_and_bars), (kept_dim, *dims)
            found = [Reverse.apply(call, needed, *_entry(i, dims, given)) for i in range(n)]
            return tuple(torch.stack(values) for values in zip(*found, strict=True)), 0
        wide, count = call.widened(n, mapped=True), len(needed)
        tensors = _merged(n, call, dims[:count], tensors_and_bars[:count])
        rows = len(call.rows)
        bars = [b if b is None else _moved(n, b, d, rows) for b, d in
                zip(tensors_and_bars[count:], dims[count:], strict=True)]  # fmt: skip
        axes = _world_axes(call, count)
        return (
            Reverse.apply(wide, needed, kept, *tensors, *bars),
            tuple(axis or 0 for axis, need in zip(axes, needed, strict=True) if need),
        )


def _entry(i, dims, tensors):
    """One of a vmap."""
    return [t if d is None else t.select(d, i) for t, d in zip(tensors, dims, strict=True)]


def _world_axes(call, count):
    """Where the worlds' axes of a call's tensors begin; None for parameters, which have none."""
    axes = [len(call.leading) if name == "ctrl" else 0 for name in call.gradients]
    return axes + [None] * (count - len(axes))


def _merged(n, call, dims, tensors):
    """Tensors whose axis of a vmap is the first of the worlds' axes."""
    axes = _world_axes(call, len(tensors))
    return [t if axis is None else _moved(n, t, d, axis) for t, d, axis in zip(tensors, dims, axes, strict=True)]


def _moved(n, tensor, dim, axis):
    if dim is not None:
        return tensor.movedim(dim, axis)
    return tensor.unsqueeze(axis).expand(*tensor.shape[:axis], n, *tensor.shape[axis:])
