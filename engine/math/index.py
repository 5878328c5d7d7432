"""Indices of which LLVM can see that arithmetic on them does not overflow.

An array's index has 32 bits and wraps around as far as LLVM knows, so it computes and widens that of every component of
every vector anew: half of all instructions. Of a number without its upper bits it knows better. (tracing.py bounds the
counters of loops.)
"""

import taichi as ti

from engine.schema import MOST


@ti.func
def bounded(i: ti.i32):
    """i, the number of an entity: from 0 to MOST - 1."""
    return i & (MOST - 1)


@ti.func
def vector_at(i: ti.i32):
    """i, where a vector of three lies: from 0 to 2^29 - 1."""
    return i & ((1 << 29) - 1)
