"""The engine's device code as plain Python, on the arrays that the kernels use: stages without Taichi.

    python = interpreted()                 the stages, made once
    python.run(probe, what, i)             what probe.run(what, i) does, on the same packs
    python.step(probe), .step_vjp(probe)   a whole step, recorded, and its adjoint
    python.watch = lambda name, call: call()        called for every function x_vjp that a stage calls

The files that kernels are made of are imported once more with something else in the place of Taichi: there a function
is a Python function, a vector is a `Vec`, and a name that is assigned another one's vector has a copy of it. Nothing is
compiled; a step of a small robot takes some 10 ms.
"""

import ast
import contextlib
import functools
import importlib
import importlib.machinery
import math
import sys
import types

import numpy as np

from engine.compiler.columns import Column, Group, Sizes
from engine.schema import LETTERS, PACKS, parameters_of

DEVICE = (
    "engine.math", "engine.dynamics", "engine.contact", "engine.constraint", "engine.sensing", "engine.evaluation",
    "engine.step", "engine.feedback", "engine.linear_feedback", "engine.joint_rows", "engine.records",
)  # fmt: skip
PROBE = "tests.adjoints.probe"


# ----------------------------------------------------------------------------------------------------- vectors


class Vec:
    """A short vector of numbers; operations are by element."""

    __slots__ = ("x",)
    __array_ufunc__ = None  # a NumPy number times a vector is the vector's business

    def __init__(self, *x):
        self.x = list(x[0]) if len(x) == 1 else list(x)

    def __getitem__(self, i):
        return self.x[i]

    def __setitem__(self, i, value):
        self.x[i] = value

    def __len__(self):
        return len(self.x)

    def _like(self, other):
        return other.x if isinstance(other, Vec) else [other] * len(self.x)

    def _with(self, other, f):
        return Vec([f(a, b) for a, b in zip(self.x, self._like(other), strict=True)])

    def __add__(self, other):
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other):
        return self._with(other, lambda a, b: a - b)

    def __rsub__(self, other):
        return self._with(other, lambda a, b: b - a)

    def __mul__(self, other):
        return self._with(other, lambda a, b: a * b)

    def __truediv__(self, other):
        return self._with(other, lambda a, b: a / b)

    def __rtruediv__(self, other):
        return self._with(other, lambda a, b: b / a)

    __radd__, __rmul__ = __add__, __mul__

    def __ge__(self, other):
        return self._with(other, lambda a, b: a >= b)

    def __gt__(self, other):
        return self._with(other, lambda a, b: a > b)

    def __neg__(self):
        return Vec([-a for a in self.x])

    def dot(self, other):
        return sum(a * b for a, b in zip(self.x, other.x, strict=True))

    def cross(self, other):
        (a, b, c), (x, y, z) = self.x, other.x
        return Vec(b * z - c * y, c * x - a * z, a * y - b * x)

    def norm(self):
        return np.sqrt(self.dot(self))

    def sum(self):
        return sum(self.x)

    def max(self):
        return max(self.x)

    def min(self):
        return min(self.x)


class Placed(Vec):
    """A vector in an array, until a name is given its copy: what is written to an element is written there."""

    __slots__ = ("row",)

    def __init__(self, row):
        super().__init__(list(row))
        self.row = row

    def __setitem__(self, i, value):
        self.x[i] = self.row[i] = value


class Mat:
    """A matrix of 3 x 3: read by entry, times a vector or a matrix."""

    __array_ufunc__ = None

    def __init__(self, rows):
        self.a = np.array(rows)

    def __getitem__(self, at):
        return self.a[at]

    def __matmul__(self, other):
        return Mat(self.a @ other.a) if isinstance(other, Mat) else Vec(self.a @ other.x)

    def __add__(self, number):
        return Mat(self.a + number)

    def __abs__(self):
        return Mat(abs(self.a))

    def transpose(self):
        return Mat(self.a.T)


def _each(f):
    """f of numbers or, by element, of vectors."""

    def call(first, *others):
        if isinstance(first, Vec):
            rows = zip(first.x, *(o.x if isinstance(o, Vec) else [o] * len(first) for o in others), strict=True)
            return Vec([call(*row) for row in rows])
        return f(first, *others)

    return call


def copied(x):
    return Vec(x.x) if isinstance(x, Vec) else x


def _cast(x, kind):
    return _each(int if kind is int else np.float64)(x)


# ----------------------------------------------------------------------------------------- in the place of Taichi


class _Annotation:
    """ti.template(), ti.types.ndarray(...): nothing reads them."""

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        return self


def _taichi():
    made = types.ModuleType("taichi")
    same = lambda x: x  # noqa: E731
    made.func = made.kernel = made.real_func = made.static = same
    made.template = made.types = made.loop_config = _Annotation()
    made.i32, made.f64, made.Vector = int, np.float64, Vec
    made.cast = _cast
    made.max, made.min = _each(max), _each(min)
    made.pow, made.abs, made.round = _each(pow), _each(abs), _each(round)
    made.atan2 = _each(np.arctan2)
    for name in ("sqrt", "sin", "cos", "tan", "tanh", "floor", "ceil", "log", "exp"):
        setattr(made, name, _each(getattr(np, name)))
    made.asin, made.acos = _each(np.arcsin), _each(np.arccos)
    made.math = types.SimpleNamespace(pi=math.pi, sign=_each(np.sign))
    return made


def _types():
    made = types.ModuleType("engine.math.types")
    made.real, made.vec3, made.vec4, made.mat3 = np.float64, Vec, Vec, Mat
    made.BITS, made.MINVAL, made.EPS, made.HUGE = 64, 1e-15, 2.3e-16, 1e300
    return made


def _stages():
    made = types.ModuleType("engine.compiler.stages")
    made.outline = lambda packs, ints, when=None: lambda function: function
    made.INTS = made.REALS = made.Block = _Annotation()
    return made


class _Copies(ast.NodeTransformer):
    """`x = y` becomes `x = copied(y)` where y is a name or an element: Taichi's variables are values. A function x_vjp
    is called through the watch."""

    def visit_Assign(self, node):
        self.generic_visit(node)
        node.value = self._copy(node.value)
        return node

    def _copy(self, value):
        if isinstance(value, (ast.Name, ast.Subscript)):
            return ast.Call(ast.Name("copied", ast.Load()), [value], [])
        if isinstance(value, ast.Tuple):
            value.elts = [self._copy(e) for e in value.elts]
        if isinstance(value, ast.IfExp):
            value.body, value.orelse = self._copy(value.body), self._copy(value.orelse)
        return value

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        if "_vjp" in node.name:
            node.decorator_list.insert(0, ast.Name("watched", ast.Load()))
        return node


class _Loader(importlib.machinery.SourceFileLoader):
    extra = None

    def source_to_code(self, data, path, *, _optimize=-1):
        tree = ast.fix_missing_locations(_Copies().visit(ast.parse(data)))
        return compile(tree, path, "exec", dont_inherit=True, optimize=_optimize)

    def get_code(self, fullname):  # neither read from nor written to the cache of compiled files
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)

    def exec_module(self, module):
        vars(module).update(self.extra)
        super().exec_module(module)


class _Finder:
    def __init__(self, extra):
        self.extra = extra

    def find_spec(self, name, path, target=None):
        if not _fresh(name):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path or sys.path)
        loader = _Loader(name, spec.origin)
        loader.extra = self.extra
        found = importlib.util.spec_from_file_location(
            name, spec.origin, loader=loader, submodule_search_locations=spec.submodule_search_locations
        )
        return found


def _fresh(name):
    return name == PROBE or any(name == d or name.startswith(d + ".") for d in DEVICE)


@contextlib.contextmanager
def _instead(fakes, finder):
    """Modules of device code are imported anew, with `fakes` in the place of others; afterwards all is as before."""
    kept = {n: sys.modules.pop(n) for n in list(sys.modules) if _fresh(n) or n in fakes}
    import engine
    import tests.adjoints

    held = [(package, dict(vars(package))) for package in (engine, sys.modules["engine.compiler"], tests.adjoints)]
    sys.modules |= fakes
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in list(sys.modules):
            if _fresh(name) or name in fakes:
                del sys.modules[name]
        sys.modules |= kept
        for package, names in held:
            vars(package).clear()
            vars(package).update(names)


# ------------------------------------------------------------------------------------------------------- packs


class Flat:
    """A buffer: numbers, or vectors as `Vec`."""

    __slots__ = ("a", "reals")

    def __init__(self, a):
        self.a, self.reals = a, a.dtype.kind == "f"

    def __getitem__(self, i):
        if self.a.ndim > 1:
            return Placed(self.a[i])
        return self.a[i] if self.reals else int(self.a[i])

    def __setitem__(self, i, value):
        self.a[i] = value.x if isinstance(value, Vec) else value


class _Of:
    """Reading and writing of a column."""

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        self._check(len(index))
        return self.array[self.at(*index)]

    def __setitem__(self, index, value):
        index = index if isinstance(index, tuple) else (index,)
        self._check(len(index))
        self.array[self.at(*index)] = value


class _Column(_Of, Column):
    pass


class _Group(_Of, Group):
    pass


class _Numbers(Sizes):
    """Sizes and options, read when they are asked for."""

    def __getitem__(self, name):
        from engine.compiler.columns import SCALARS

        buffer, number = SCALARS[name]
        return self.arrays[buffer][number]


class Named:
    """A pack's columns as attributes, as compiler/columns.py gives them to a stage."""

    def __init__(self, pack, letter, sizes):
        self.sizes = sizes
        for b in PACKS[LETTERS[letter]]:
            array = Flat(pack[b.name])
            setattr(self, b.name, array)
            for column in b.columns.values():
                if b.count != "one" or letter != "m":
                    setattr(self, column.name, _Column(array, b, column, sizes))
            for p in parameters_of(letter, b):
                setattr(self, p.name, _Group(array, p, sizes, letter != "m"))

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self.sizes[name]


# ---------------------------------------------------------------------------------------------------- the stages


class Interpreted:
    def __init__(self):
        self.watch = lambda name, call: call()
        extra = {"copied": copied, "watched": self._watched}
        fakes = {"taichi": _taichi(), "engine.math.types": _types(), "engine.compiler.stages": _stages()}
        import tests.adjoints.probe  # noqa: F401  what is not device code is imported as it is

        with _instead(fakes, _Finder(extra)):
            self.stage = importlib.import_module(PROBE).stage
            self.device = types.SimpleNamespace(**{
                name: getattr(importlib.import_module(f"engine.{module}"), name) for module, name in (
                    ("step", "stepped"), ("step", "stepped_vjp"), ("dynamics.implicit", "has_implicit"),
                    ("records", "record_size"), ("constraint.solver", "hessian"),
                    ("constraint.solver", "solve_hessian"), ("constraint.system", "evaluate"),
                    ("dynamics.wrapping", "from_within"), ("dynamics.wrapping", "from_within_vjp"))
            })  # fmt: skip
        self.packs = {}

    def _watched(self, function):
        @functools.wraps(function)
        def call(*args):
            return self.watch(function.__name__, lambda: function(*args))

        return call

    def named(self, sim, *others):
        key = id(sim), *map(id, others)
        if key not in self.packs:
            sizes = _Numbers(Flat(sim.model_pack["dims"]), Flat(sim.model_pack["opt"]))
            packs = zip((sim.model_pack, sim.pack, *others), "mdcrgb", strict=False)
            self.packs[key] = (sim, others), [Named(pack, letter, sizes) for pack, letter in packs]
        return self.packs[key][1]

    def _packs(self, probe):
        return self.named(probe.sim, probe.program.pack, probe.traj, probe.g, probe.b)

    def run(self, probe, what, i=0):
        with np.errstate(all="ignore"):
            self.stage(*self._packs(probe), 0, what, i)

    def forward(self, sim):
        """What sim.forward() leaves, of one world and but for its sensors."""
        with np.errstate(all="ignore"):
            m, d = self.named(sim)
            self.device.stepped(m, d, None, 0, 0, 1, -1, 0, 1, -1, -1, self.device.has_implicit(m)[0], 1)

    def step(self, probe):
        """A step from here, recorded, with its sensors in output row 0."""
        with np.errstate(all="ignore"):
            m, d, c, r, g, b = self._packs(probe)
            here, implicit = self.device.record_size(m), self.device.has_implicit(m)[0]
            self.device.stepped(m, d, r, 0, 0, 1, 0, here, 0, 0, 0, implicit, 1)

    def step_vjp(self, probe):
        """Its adjoint, from that of the state after it and the cotangents of row 0."""
        with np.errstate(all="ignore"):
            m, d, c, r, g, b = self._packs(probe)
            self.device.stepped_vjp(m, d, r, g, b, 0, 0, 0, 0)


@functools.cache
def interpreted():
    return Interpreted()
