"""Memory that kernels and NumPy share.

On the CPU that is any memory. For CUDA it is managed memory of the driver, which both sides address alike: a page lies
where it was last used, so what only kernels touch stays on the device, and what the host reads or writes comes over by
itself; views are as live as on the CPU. `copy` and `clear` leave it where it is.
"""

import ctypes
import functools
import weakref

import numpy as np

from engine.compiler.backend import cuda_driver, settings

LINES = 128  # bytes
ATTACH_GLOBAL, READ_MOSTLY = 1, 1  # CU_MEM_ATTACH_GLOBAL, CU_MEM_ADVISE_SET_READ_MOSTLY of the driver's interface


def zeros(shape, dtype, constant=False):
    """Like np.zeros, in memory for kernels, alone on its cache lines (and on the neighbours, which processors fetch).

    What one thread writes must not share a line with what all threads read, such as the sizes: measured, two threads
    were then no faster than one. constant: mostly read, so that a device and the host may both have a copy.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if settings().arch == "cpu":
        raw = np.zeros(size + 2 * LINES, np.uint8)
        start = -raw.ctypes.data % LINES
        return raw[start : start + size].view(dtype).reshape(shape)
    return np.asarray(Managed(max(size, 1), constant))[:size].view(dtype).reshape(shape)


def copy(to, source):
    """to[:] = source, of two contiguous arrays of one type and size that `zeros` made."""
    if settings().arch == "cpu":
        to[...] = source  # a slice would take three times as long
    else:
        driver().call("cuMemcpyDtoD_v2", to.ctypes.data, source.ctypes.data, to.nbytes)


def duplicate(a):
    """A contiguous copy of an array that `zeros` made, or of a contiguous part of one; it lies where that lies."""
    if settings().arch == "cpu" or a.size == 0:
        return a.copy()
    made = zeros(a.shape, a.dtype)
    copy(made, a)
    return made


def clear(a):
    """a[:] = 0, of a contiguous array that `zeros` made."""
    if settings().arch == "cpu":
        a.fill(0)
    else:
        driver().call("cuMemsetD8_v2", a.ctypes.data, 0, a.nbytes)


class Managed:
    """Managed memory as bytes that NumPy takes over without a copy, freed with the last array on it."""

    def __init__(self, size, constant):
        # a device that is asked for more managed memory than it has begins to swap with the host
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        driver().call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        if size > free.value:
            raise MemoryError(f"CUDA: {size:,} bytes asked for, {free.value:,} of {total.value:,} are free")
        address = ctypes.c_void_p()
        driver().call("cuMemAllocManaged", ctypes.byref(address), size, ATTACH_GLOBAL)
        weakref.finalize(self, driver().free, address.value)
        driver().call("cuMemsetD8_v2", address.value, 0, size)
        if constant:
            driver().call("cuMemAdvise", address.value, size, READ_MOSTLY, 0)
        self.__array_interface__ = {"shape": (size,), "typestr": "|u1", "data": (address.value, False), "version": 3}


@functools.cache
def driver():
    return Driver()


class Driver:
    """The CUDA driver's C interface, in the context of the device that Taichi uses (device 0)."""

    def __init__(self):
        self.library = cuda_driver()
        self.context = ctypes.c_void_p()
        self._check("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), 0)

    def call(self, name, *arguments):
        """Call a function; addresses and sizes are Python integers. Raises RuntimeError with the driver's number."""
        self._check("cuCtxSetCurrent", self.context)  # of this thread
        self._check(name, *[ctypes.c_size_t(a) if isinstance(a, int) else a for a in arguments])

    def free(self, address):
        self.call("cuMemFree_v2", address)

    def _check(self, name, *arguments):
        status = getattr(self.library, name)(*arguments)
        if status:
            raise RuntimeError(f"CUDA: {name} returned error {status}")
