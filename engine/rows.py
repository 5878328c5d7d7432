"""Rows of dense matrices in one array, in blocks of four numbers, and sums of their products.

A row begins anywhere and takes whole blocks; what lies behind its last entry in its block is computed with and never
used. Blocks are worked on as one vector instruction (dynamics/factor.py says when LLVM makes one).
"""

import taichi as ti

from engine.compiler.stages import INTS, REALS
from engine.dynamics.factor import four_at
from engine.math.types import real

TILE = 3  # blocks of four rows whose sums the registers hold


class Exit:
    """What loops of a function with an `m` ask for (compiler/tracing.py), so that LLVM leaves them as they are."""

    _is_wrapped_kernel = False  # lets Taichi's tracer call the class without a warning

    def __init__(self, dims):
        self.dims = dims


@ti.func
def add_four(m: ti.template(), x: ti.template(), y: ti.i32, further: ti.i32, a: ti.template(), b: ti.template(),
             z: ti.i32, lz: ti.i32, blocks: ti.i32):  # fmt: skip
    """Two rows, at x[y] and `further` on, gain four rows of x[z], lz apart, times a and times b: what is read of these
    serves both."""
    for q in range(blocks):
        i = four_at(y + 4 * q)
        j = four_at(y + further + 4 * q)
        g = ti.Vector([x[i + c] for c in range(4)])
        h = ti.Vector([x[j + c] for c in range(4)])
        for s in ti.static(range(4)):
            k = four_at(z + s * lz + 4 * q)
            for c in ti.static(range(4)):
                g[c] = g[c] + a[s] * x[k + c]
                h[c] = h[c] + b[s] * x[k + c]
        for c in ti.static(range(4)):
            x[i + c] = g[c]
        for c in ti.static(range(4)):
            x[j + c] = h[c]


@ti.func
def add_some(m: ti.template(), x: ti.template(), y: ti.i32, a: ti.template(), z: ti.i32, lz: ti.i32, blocks: ti.i32,
             n: ti.template()):  # fmt: skip
    """One row, at x[y], gains n rows times a."""
    for q in range(blocks):
        i = four_at(y + 4 * q)
        g = ti.Vector([x[i + c] for c in range(4)])
        for s in ti.static(range(n)):
            k = four_at(z + s * lz + 4 * q)
            for c in ti.static(range(4)):
                g[c] = g[c] + a[s] * x[k + c]
        for c in ti.static(range(4)):
            x[i + c] = g[c]


@ti.func
def add_tile(m: ti.template(), x: ti.template(), y: ti.i32, ly: ti.i32, scale: real, w: ti.i32, by_row: ti.i32,
             by_term: ti.i32, z: ti.i32, lz: ti.i32, terms: ti.i32, n: ti.template()):  # fmt: skip
    """Four rows of n blocks, at x[y], ly apart, gain their products: sums stay in registers over all terms."""
    total = ti.Vector([real(0.0) for _ in range(16 * n)])
    for k in range(terms):
        j = four_at(z + k * lz)
        b = ti.Vector([x[j + c] for c in range(4 * n)])
        for r in ti.static(range(4)):
            a = x[w + r * by_row + k * by_term]
            for c in ti.static(range(4 * n)):
                total[4 * n * r + c] = total[4 * n * r + c] + a * b[c]
    for r in ti.static(range(4)):
        i = four_at(y + r * ly)
        for c in ti.static(range(4 * n)):
            x[i + c] = x[i + c] + scale * total[4 * n * r + c]


@ti.func
def gain(m: ti.template(), x: ti.template(), y: ti.i32, ly: ti.i32, scale: real, w: ti.i32, by_row: ti.i32,
         by_term: ti.i32, z: ti.i32, lz: ti.i32, rows: ti.i32, terms: ti.i32, blocks: ti.i32):  # fmt: skip
    fours = rows >> 2
    for p in range(fours):
        row = y + 4 * p * ly
        wide = blocks
        if blocks == 0:
            wide = p + 1
        for q in range(wide // TILE):
            k = 4 * TILE * q
            add_tile(m, x, row + k, ly, scale, w + 4 * p * by_row, by_row, by_term, z + k, lz, terms, TILE)
        for q in range(wide // TILE * TILE, wide):
            k = 4 * q
            add_tile(m, x, row + k, ly, scale, w + 4 * p * by_row, by_row, by_term, z + k, lz, terms, 1)
    for p in range(2 * fours, (rows + 1) >> 1):
        row = y + 2 * p * ly
        both = ti.min(rows - 2 * p, 2)
        wide = blocks
        if blocks == 0:
            wide = (p >> 1) + 1
        for e in range(terms >> 2):
            i = w + 2 * p * by_row + 4 * e * by_term
            k = z + 4 * e * lz
            a = ti.Vector([scale * x[i + s * by_term] for s in range(4)])
            if both == 2:
                b = ti.Vector([scale * x[i + by_row + s * by_term] for s in range(4)])
                add_four(m, x, row, ly, a, b, k, lz, wide)
            else:
                add_some(m, x, row, a, k, lz, wide, 4)
        for e in range(both):
            for k in range(terms >> 2 << 2, terms):
                a = ti.Vector([scale * x[w + (2 * p + e) * by_row + k * by_term]])
                add_some(m, x, row + e * ly, a, z + k * lz, lz, wide, 1)


@ti.real_func
def gain_core(table: INTS, x: REALS, y: ti.i32, ly: ti.i32, scale: real, w: ti.i32, by_row: ti.i32, by_term: ti.i32,
              z: ti.i32, lz: ti.i32, rows: ti.i32, terms: ti.i32, blocks: ti.i32):  # fmt: skip
    gain(Exit(table), x, y, ly, scale, w, by_row, by_term, z, lz, rows, terms, blocks)


@ti.real_func
def gain_body(table: INTS, x: REALS, y: ti.i32, ly: ti.i32, scale: real, w: ti.i32, by_row: ti.i32, by_term: ti.i32,
              z: ti.i32, lz: ti.i32, rows: ti.i32, terms: ti.i32, blocks: ti.i32):  # fmt: skip
    gain_core(table, x, y, ly, scale, w, by_row, by_term, z, lz, rows, terms, blocks)


@ti.func
def add_product(m: ti.template(), x: ti.template(), y: ti.i32, ly: ti.i32, scale: real, w: ti.i32, by_row: ti.i32,
                by_term: ti.i32, z: ti.i32, lz: ti.i32, rows: ti.i32, terms: ti.i32, blocks: ti.i32):  # fmt: skip
    """Row i at x[y + i ly], of so many blocks, gains scale times the sum of x[w + i by_row + k by_term] times row k at
    x[z + k lz]. No blocks: of a square matrix those up to the diagonal.

    A function of its own within another, as stages are (COMPILER.md): the array's address then lives in a register.
    """
    gain_body(m.dims, x, y, ly, scale, w, by_row, by_term, z, lz, rows, terms, blocks)


@ti.func
def put_row(m: ti.template(), x: ti.template(), y: ti.i32, z: ti.i32, blocks: ti.i32):
    for q in range(blocks):
        i = four_at(y + 4 * q)
        j = four_at(z + 4 * q)
        for c in ti.static(range(4)):
            x[i + c] = x[j + c]


@ti.func
def copy_row(m: ti.template(), to: ti.template(), y: ti.i32, source: ti.template(), z: ti.i32, n: ti.i32):
    """n numbers of another array, and no more of a last block."""
    for q in range(n >> 2):
        i = four_at(y + 4 * q)
        j = four_at(z + 4 * q)
        for c in ti.static(range(4)):
            to[i + c] = source[j + c]
    for k in range(n >> 2 << 2, n):
        to[y + k] = source[z + k]


@ti.func
def clear_row(m: ti.template(), x: ti.template(), y: ti.i32, blocks: ti.i32):
    for q in range(blocks):
        i = four_at(y + 4 * q)
        for c in ti.static(range(4)):
            x[i + c] = 0.0


@ti.func
def scale_row(m: ti.template(), x: ti.template(), y: ti.i32, a: real, blocks: ti.i32):
    for q in range(blocks):
        i = four_at(y + 4 * q)
        for c in ti.static(range(4)):
            x[i + c] = a * x[i + c]
