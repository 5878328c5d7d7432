"""A pack's arrays by the names of their columns, while a function of the engine is traced.

    m.nv, m.timestep        a size or an option
    m.body_parentid[b]      a column by the number of its entity; over all worlds: d.vel_ang[w * m.nbody + b]
    d.qacc[w, i]            the same by world and entity
    m.jnt_solref[j, 1]      of a column that is several numbers, one
    d.qacc.at(w, i)         where the entry lies in d.qacc.array, for functions that take an array and a place in it
    m.body_mass[b]          a differentiable parameter; its adjoint, of each world: g.body_mass[w, b]

Where each lies, the table in schema.py says, and nothing else knows.
"""

from taichi.lang import impl

from engine.schema import LETTERS, MOST, PACKS, parameters_of

SCALARS = {name: (b.name, c.start) for b in PACKS["model"] if b.count == "one" for name, c in b.columns.items()}


def _element(array, i):
    return impl.subscript(impl.get_runtime().compiling_callable.ast_builder(), array, i)


class Sizes:
    """The model's sizes and options by name, those that are known as numbers read before, the others in its arrays."""

    _is_wrapped_kernel = False  # lets Taichi's tracer call the class without a warning

    def __init__(self, dims, opt=None, /, **known):
        self.arrays, self.known = {"dims": dims, "opt": opt}, known

    def __getitem__(self, name):
        if name in self.known:
            return self.known[name]
        buffer, number = SCALARS[name]
        return _element(self.arrays[buffer], number)


class Named:
    """A pack's columns as attributes. buffers: arrays by their buffers' names."""

    def __init__(self, letter, sizes, buffers):
        self.sizes = sizes
        table = {b.name: b for b in PACKS[LETTERS[letter]]}
        for name, array in buffers.items():
            b = table[name]
            setattr(self, name, array)
            for column in b.columns.values():
                if column.name not in SCALARS:
                    setattr(self, column.name, Column(array, b, column, sizes))
            for p in parameters_of(letter, b):
                setattr(self, p.name, Group(array, p, sizes, letter != "m"))

    def __getattr__(self, name):
        if name.startswith("_") or name not in SCALARS:
            raise AttributeError(f"no array, size or option {name!r} (engine/schema.py has them)")
        return self.sizes[name]


class Column:
    """One named quantity of all entities."""

    _is_wrapped_kernel = False  # lets Taichi's tracer call its methods without a warning

    def __init__(self, array, buffer, column, sizes):
        self.array, self.buffer, self.column, self.sizes = array, buffer, column, sizes

    def __getitem__(self, index):
        index = index if isinstance(index, (tuple, list)) else (index,)
        self._check(len(index))
        return _element(self.array, self.at(*index))

    def _check(self, n):
        allowed = (2,) if self.buffer.blocks or self.column.size > 1 else (1, 2)
        if n not in allowed:
            raise IndexError(f"{self.column.name}: got {n} numbers in brackets, allowed: {allowed[0]} to {allowed[-1]}")

    def at(self, first, second=None):
        """Where an entry lies, by (entity, element) of a column of several numbers, else by world and entity or by the
        number of the entity over all worlds."""
        width, start, blocks = self.buffer.width, self.column.start, self.buffer.blocks
        if blocks:
            return _sum((first * width + start) * self.sizes[self.buffer.count], second)
        if self.column.size > 1:
            return _sum(_sum(first * width, start), second)
        if second is not None:
            first = first * self.sizes[self.buffer.count] + second
            if width > 1 or self.buffer.dtype.startswith("vec"):
                first = first & (MOST - 1)  # math/index.py
        return _sum(first * width if width > 1 else first, start)

    at._is_wrapped_kernel = False


class Group(Column):
    """One parameter, of the model, or with `worlds` of each world; first the world, then the entity, then the number
    within the entity where it has several."""

    def __init__(self, array, parameter, sizes, worlds):
        self.array, self.parameter, self.sizes, self.worlds = array, parameter, sizes, worlds

    def _check(self, n):
        p = self.parameter
        allowed = self.worlds + (1 if p.width == 1 or p.name == "gravity" else 2)
        if n != allowed:
            raise IndexError(f"{p.name}: got {n} numbers in brackets, allowed: {allowed}")

    def at(self, *index):
        base = self.sizes[self.parameter.offset]
        if self.worlds:
            base, index = index[0] * self.sizes["ntheta"] + base, index[1:]
        if len(index) == 1:
            return base + index[0]
        return _sum(base + index[0] * self.parameter.width, index[1])

    at._is_wrapped_kernel = False


def _sum(a, b):
    return a if b is None or isinstance(b, int) and b == 0 else a + b
