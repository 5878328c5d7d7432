"""Kernels with a controller of the user's own inside: the same kernel traced again with the user's functions called.

`own.act` and `own.act_vjp` are what the part OWN calls (feedback.py). Usually they do nothing; while the kernels of a
user's controller are traced they are the user's pair. Each pair costs one compile of the kernels that it is used in,
announced on standard error; Taichi keeps the result on disk like any other kernel.
"""

import contextlib
import sys
from types import SimpleNamespace

import taichi as ti


@ti.func
def no_act(m: ti.template(), d: ti.template(), c: ti.template(), w: ti.i32, t: ti.i32, p: ti.i32, i0: ti.i32,
           o: ti.i32):  # fmt: skip
    pass


@ti.func
def no_act_vjp(m: ti.template(), d: ti.template(), c: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, p: ti.i32,
               i0: ti.i32, o: ti.i32, pb: ti.i32, qb: ti.i32, b: ti.i32):  # fmt: skip
    pass


own = SimpleNamespace(act=no_act, act_vjp=no_act_vjp)
_variants = {}


@contextlib.contextmanager
def variant(kernel, packs):
    """The kernel to compile for these packs: itself, or its variant for the user's pair in the controller's pack."""
    pair = next((p.own for p in packs if getattr(p, "own", None)), None)
    if pair is None:
        yield kernel
        return
    key = (kernel, *pair)
    if key not in _variants:
        _variants[key] = ti.kernel(kernel._primal.func)
        print(f"pullback: compiling {kernel._primal.func.__name__} with {pair[0].__name__} inside (kept on disk "
              f"afterwards)", file=sys.stderr, flush=True)  # fmt: skip
    own.act, own.act_vjp = pair
    try:
        yield _variants[key]
    finally:
        own.act, own.act_vjp = no_act, no_act_vjp
