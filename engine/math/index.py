"""Indices of which LLVM can see that arithmetic on them does not overflow.

An array's index is 32 bits wide and wraps around as far as LLVM knows, so it computes and widens that of every component
of every vector anew, which was half of all instructions. Of a number without its upper bits it knows better.
"""

import taichi as ti

# Entities (bodies, dofs, ...) over all worlds are fewer; `arrays.data_pack` checks it.
MOST = 1 << 23


@ti.func
def bounded(i: ti.i32):
    """i, which is from 0 to MOST - 1."""
    return i & (MOST - 1)
