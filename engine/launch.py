"""Bound kernel launches: compile a kernel once, bind its buffers once, then launch with nothing but new integers.

Taichi's own call path costs tens of microseconds for a kernel with packs and refuses more than 64 array arguments. A
launch context, made once, takes microseconds. With backend.py and outline.py, one of the three files that touch
Taichi's internals.
"""

import gc

import numpy as np
import taichi as ti

from engine import schema
from engine.arrays import DTYPES, pack_type
from engine.variant import variant

_types = {}
_compiled = {}


def _packs(names):
    """Tiny packs of the right types, which tracing needs, one set for the life of the process."""
    for name in names:
        if name not in _types:
            made = pack_type(name)(**{b.name: ti.ndarray(DTYPES[b.dtype], shape=1) for b in schema.PACKS[name]})
            _types[name] = made
    return [_types[n] for n in names]


def compile_kernel(kernel, names, nints):
    """Trace and compile (or load from the cache on disk) a kernel of the given packs and `nints` integers."""
    key = (kernel, tuple(names))
    if key not in _compiled:
        primal = kernel._primal
        program = ti.lang.impl.get_runtime().prog
        # Tracing makes a million objects that live until it ends; collecting in between finds nothing.
        collecting = gc.isenabled()
        gc.disable()
        try:
            traced = primal.compiled_kernels[primal.ensure_compiled(*_packs(names), *([0] * nints))]
            data = program.compile_kernel(program.config(), program.get_device_caps(), traced)
        finally:
            if collecting:
                gc.enable()
        _compiled[key] = (traced, data)
    return _compiled[key]


class BoundKernel:
    """A kernel bound to packs: `launch(*ints)`.

    packs: Pack objects in the kernel's order. The arrays stay the packs' own; a pack that replaced one is bound again.
    """

    def __init__(self, kernel, packs, nints):
        self.packs = packs
        self.nints = nints
        self.names = [p.name for p in packs]
        self.program = ti.lang.impl.get_runtime().prog
        with variant(kernel, packs) as kernel:
            self.traced, self.data = compile_kernel(kernel, self.names, nints)
        self.versions = self.ints = None

    def _bind(self):
        self.context = self.traced.make_launch_context()
        for i, made in enumerate(_packs(self.names)):
            self.context.set_arg_argpack((i,), made._ArgPack__argpack)
        # members of packs follow the ordinary arguments, in order
        at = len(self.packs) + self.nints
        for pack in self.packs:
            for b in schema.PACKS[pack.name]:
                a = pack[b.name]
                if not (isinstance(a, np.ndarray) and a.flags.c_contiguous):
                    raise ValueError(f"{pack.name}.{b.name}: a contiguous NumPy array is needed")
                self.context.set_arg_external_array_with_shape((at,), int(a.ctypes.data), a.nbytes, (a.shape[0],), 0)
                at += 1
        self.versions, self.ints = [p.version for p in self.packs], None

    def launch(self, *ints):
        if self.versions != [p.version for p in self.packs]:
            self._bind()
        if self.ints != ints:  # half a microsecond each
            for i, value in enumerate(ints):
                self.context.set_arg_int((len(self.packs) + i,), value)
            self.ints = ints
        self.program.launch_kernel(self.data, self.context)
