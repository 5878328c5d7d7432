"""Where the tensors of a call live (diff/space.py), and the engine's memory as tensors."""

import functools

import torch

from engine.compiler.backend import settings
from engine.diff.space import Host
from engine.finite import require_finite


class CpuTensors(Host):
    """Tensors on the CPU as NumPy arrays on the same memory, which take half of torch's time for each operation."""

    def array(self, tensor):
        """What a pure call takes for a tensor."""
        tensor = tensor.detach()
        try:
            return tensor.numpy()
        except (TypeError, RuntimeError):
            # a type that NumPy has not (bfloat16), or a view that torch negates when it is read
            return tensor.to(precision()).resolve_neg().numpy()

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

    def zeros(self, shape):
        return torch.zeros(shape, dtype=precision(), device=self.device)

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
                require_finite(name, a.double().cpu().numpy())


class _CudaMemory:
    """What `torch.as_tensor` asks of a NumPy array on memory that the GPU addresses too (engine/compiler/memory.py)."""

    def __init__(self, a):
        self.array = a  # alive as long as the tensor
        described = {"shape": a.shape, "strides": a.strides, "typestr": a.dtype.str, "version": 3}
        self.__cuda_array_interface__ = {**described, "data": (a.ctypes.data, False)}


def on_device(a, device):
    """A NumPy view of the engine's memory as a tensor on the same memory."""
    if torch.device(device).type == "cpu" or a.size == 0:
        return torch.from_numpy(a).to(device)
    return torch.as_tensor(_CudaMemory(a), device=device)


CPU = CpuTensors()


def precision():
    """torch's type of real numbers in the engine's precision."""
    return torch.float64 if settings().precision == "f64" else torch.float32


@functools.cache
def space_of(device):
    return CPU if device.type == "cpu" else DeviceTensors(device)
