"""Bound kernel launches: compile a kernel once, bind its buffers once, then launch with nothing but new integers.

Taichi's own call path costs tens of microseconds. A launch context, made once, takes a few: 0.4 us for each array, of
which there are two for a pack (arrays.Pack) and a table of where the packs' buffers begin. With backend.py, tracing.py
and outline.py, one of the files that touch Taichi's internals.
"""

import gc

import numpy as np
import taichi as ti

from engine.arrays import NP_REAL
from engine.backend import settings
from engine.memory import zeros
from engine.schema import LETTERS, NUMBERS, PACKS, kinds_of
from engine.variant import variant

_compiled = {}


def compile_kernel(kernel, narrays, nints):
    """Trace and compile (or load from the cache on disk) a kernel of `narrays` arrays and `nints` integers."""
    if kernel not in _compiled:
        primal = kernel._primal
        program = ti.lang.impl.get_runtime().prog
        types = [a.annotation.dtype for a in primal.arguments[:narrays]]
        # Tracing makes a million objects that live until it ends; collecting in between finds nothing.
        collecting = gc.isenabled()
        gc.disable()
        try:
            arrays = [np.zeros(1, np.int32 if t == ti.i32 else NP_REAL) for t in types]
            traced = primal.compiled_kernels[primal.ensure_compiled(*arrays, *([0] * nints))]
            data = program.compile_kernel(program.config(), program.get_device_caps(), traced)
        finally:
            if collecting:
                gc.enable()
        _compiled[kernel] = (traced, data)
    return _compiled[kernel]


class BoundKernel:
    """A kernel bound to packs: `launch(*ints)`.

    packs: Pack objects in the order of schema.LETTERS. The kernel takes the table of where their buffers begin, the
    blocks of each pack, integers first, then the arrays `others` and `nints` integers.
    """

    def __init__(self, kernel, packs, nints, others=()):
        self.packs = packs
        self.program = ti.lang.impl.get_runtime().prog
        letters = {pack: letter for letter, pack in LETTERS.items()}
        self.starts = zeros(len(NUMBERS), np.int32)
        blocks = [self.starts]
        for pack in packs:
            letter = letters[pack.name]
            for b in PACKS[pack.name]:
                self.starts[NUMBERS[letter, b.name]] = pack.starts[b.name]
            blocks += [pack.blocks[kind] for kind in kinds_of(letter)]
        blocks += others
        with variant(kernel, packs) as kernel:
            traced, self.data = compile_kernel(kernel, len(blocks), nints)
        self.context = traced.make_launch_context()
        for at, a in enumerate(blocks):
            self.context.set_arg_external_array_with_shape((at,), int(a.ctypes.data), a.nbytes, (a.shape[0],), 0)
        self.blocks = blocks  # alive as long as they are bound
        self.first, self.ints = len(blocks), None
        self.waits = settings().arch != "cpu"

    def launch(self, *ints):
        if self.ints != ints:  # half a microsecond each
            for i, value in enumerate(ints, self.first):
                self.context.set_arg_int((i,), value)
            self.ints = ints
        self.program.launch_kernel(self.data, self.context)
        if self.waits:  # NumPy reads the arrays without asking whether a device has finished with them
            self.program.synchronize()
