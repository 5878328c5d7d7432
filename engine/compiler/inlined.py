"""PULLBACK_PLAIN=1: kernels as Taichi makes them of the same source, with nothing of Taichi's replaced.

A stage is inlined at its calls, and a kernel takes every buffer as an array of its own. It compiles for minutes and is
slower; where its results differ from the usual way's, the fault lies in how the engine has Taichi trace and compile.
"""

import functools
import inspect
import linecache
import re
import textwrap

import taichi as ti

from engine.compiler.columns import Named, Sizes
from engine.math.types import real, vec3, vec4
from engine.schema import LETTERS, PACKS

DTYPES = {"real": real, "int": ti.i32, "vec3": vec3, "vec4": vec4}


def array_type(buffer):
    return ti.types.ndarray(dtype=DTYPES[buffer.dtype], ndim=1)


class Buffers(Named):
    """A pack's arrays by name, inside a kernel."""

    _is_wrapped_kernel = False  # lets Taichi's tracer call the class without a warning

    def __init__(self, letter, sizes, /, **arrays):
        super().__init__(letter, sizes, arrays)


@functools.cache
def inlined(kernel, letters):
    """A kernel of the stages' source that takes the buffers of the packs, in order; None where it has no stages."""
    function = kernel._primal.func
    text = textwrap.dedent(inspect.getsource(function))
    if "Block(" not in text:
        return None
    uses = [(p, b) for p in letters for b in PACKS[LETTERS[p]]]
    body = text[text.index("):") + 2 :].partition("\n")[2]
    order = iter(letters)  # that of the blocks, too
    body = re.sub(r"Block\(\w+, \w+, \w+\)", lambda m: _pack(next(order)), body)
    ints = re.findall(r"(\w+): ti\.i32", text)
    arguments = [*(f"{p}_{b.name}: {p}_{b.name}_t" for p, b in uses), *(f"{i}: ti.i32" for i in ints)]
    text = f"@ti.kernel\ndef {function.__name__}({', '.join(arguments)}):\n{body}"
    scope = {**function.__globals__, "Buffers": Buffers, "Sizes": Sizes}
    scope |= {f"{p}_{b.name}_t": array_type(b) for p, b in uses}
    file = f"<inlined {function.__module__}.{function.__name__} {kernel._primal.kernel_counter}>"
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    exec(compile(text, file, "exec"), scope)
    return scope[function.__name__]


def _pack(letter):
    arrays = ", ".join(f"{b.name}={letter}_{b.name}" for b in PACKS[LETTERS[letter]])
    return f"Buffers('{letter}', Sizes(m_dims, m_opt), {arrays})"
