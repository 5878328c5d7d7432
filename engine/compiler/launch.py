"""Bound kernel launches: compile a kernel once, bind its buffers once, then launch with nothing but new integers.

Taichi's own call path costs tens of microseconds. A launch context, made once, takes a few: 0.4 us for each array, of
which there are two for a pack (arrays.Pack) and a table of where the packs' buffers begin. Where direct.py knows how,
later launches call the kernel itself. With these, session.py, tracing.py and stages.py, one of the files that touch
Taichi's internals.
"""

import contextlib
import gc

import numpy as np
import taichi as ti
from taichi.lang import impl

from engine.compiler.backend import PLAIN, np_real, settings
from engine.compiler.direct import function_of
from engine.compiler.inlined import inlined
from engine.compiler.memory import zeros
from engine.compiler.session import adopted, entered, ready_to_compile, require_compiler, session
from engine.compiler.variant import announce_code, variant
from engine.schema import LETTERS, NUMBERS, OWN_LEAVES, PACKS, STRIDES, kinds_of


def compile_kernel(kernel, narrays, nints):
    """Trace and compile (or load from the cache on disk) a kernel of `narrays` arrays and `nints` integers."""
    compiled = session().compiled
    if kernel not in compiled:
        require_compiler()
        ready_to_compile()
        program = session().program
        types = [a.annotation.dtype for a in kernel._primal.arguments[:narrays]]
        shapes = [(1, t.n) if hasattr(t, "n") else 1 for t in types]
        arrays = [np.zeros(n, np.int32 if t == ti.i32 else np_real()) for n, t in zip(shapes, types, strict=True)]
        with adopted(kernel._primal) as primal:
            traced = primal.compiled_kernels[primal.ensure_compiled(*arrays, *([0] * nints))]
        data = program.compile_kernel(program.config(), program.get_device_caps(), traced)
        compiled[kernel] = (traced, data)
    return compiled[kernel]


@contextlib.contextmanager
def without_collecting():
    """Reading the source and tracing it make a million objects that live until it ends; collecting in between finds
    nothing."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class BoundKernel:
    """A kernel bound to packs: `launch(*ints)`.

    packs: Pack objects in the order of schema.LETTERS. The kernel takes the table of where their buffers begin, the
    blocks of each pack, integers first, then the arrays `others` and `nints` integers; of packs that are joined
    (arrays.join) their blocks alone, in which the table is. features: those of a kernel that takes no pack.
    """

    def __init__(self, kernel, packs, nints, others=(), features=None):
        self.kernel, self.packs, self.features = kernel, packs, features
        self.program = False  # the one that the kernel is compiled in
        letters = {pack: letter for letter, pack in LETTERS.items()}
        joined = packs[0].table if packs else None
        self.starts = zeros(len(NUMBERS), np.int32) if joined is None else joined
        blocks = [self.starts] if joined is None else []
        for pack in packs:
            letter = letters[pack.name]
            for b in PACKS[pack.name]:
                self.starts[NUMBERS[letter, b.name]] = pack.starts[b.name]
            if letter == "m":
                for name, stride in (STRIDES | OWN_LEAVES).items():
                    self.starts[NUMBERS["m", stride]] = pack.strides[name]
            for block in (pack.blocks[kind] for kind in kinds_of(letter)):
                if not any(block is b for b in blocks):  # packs that share their memory (arrays.join)
                    blocks.append(block)
        if PLAIN and (made := inlined(kernel, tuple(letters[p.name] for p in packs))):
            self.kernel, blocks = made, [pack[b.name] for pack in packs for b in PACKS[pack.name]]
        self.own = len(blocks)
        blocks += others
        self.blocks = blocks  # alive as long as they are bound
        self.first, self.nints, self.ints = len(blocks), nints, None
        self.call = self.found = None  # the kernel itself, where direct.py knows it
        self.waits = settings().arch != "cpu"

    def _bind(self):
        """Compile the kernel in the program that runs, and give it its arrays."""
        with without_collecting(), variant(self.kernel, self.packs, self.features) as kernel:
            traced, self.data = compile_kernel(kernel, len(self.blocks), self.nints)
            announce_code(kernel)
        self.context = traced.make_launch_context()
        for at in range(len(self.blocks)):
            self._point(at)
        self.ints = self.call = self.found = None

    def _point(self, at):
        a = self.blocks[at]
        self.context.set_arg_external_array_with_shape((at,), int(a.ctypes.data), a.nbytes, (a.shape[0],), 0)

    def give(self, at, array):
        """From the next launch on a contiguous array, of any size, in the place of others[at]."""
        self.blocks[self.own + at] = array.reshape(-1)
        if self.program is impl.pytaichi.prog:
            self._point(self.own + at)
            self.call = None  # until Taichi has written the address where the kernel reads it

    def launch(self, *ints):
        if self.program is impl.pytaichi.prog:
            if self.ints == ints and self.call:
                self.call(self.argument)
            else:
                self._launch(ints)
            return
        # The first launch, or the first since the user started another program. Machine code is made only now, with the
        # options of this moment.
        with entered() as now:
            self._bind()
            self.program = now.program
            self._launch(ints)
            if not self.waits:
                self.found, self.argument = function_of(self.program, self.data, self.context) or (None, None)
                self.call = self.found

    def _launch(self, ints):
        if self.ints != ints:  # half a microsecond each
            for i, value in enumerate(ints, self.first):
                self.context.set_arg_int((i,), value)
            self.ints = ints
        if self.call:
            self.call(self.argument)
            return
        self.program.launch_kernel(self.data, self.context)
        self.call = self.found
        if self.waits:  # NumPy reads the arrays without asking whether a device has finished with them
            self.program.synchronize()
