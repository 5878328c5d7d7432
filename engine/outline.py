"""Compile a stage of the pipeline as a function of its own instead of inlining it into the kernel.

Taichi inlines every `ti.func` at each call site, and LLVM's time grows faster than the size of a function: the whole
step as one function took 20 s to load from the cache, as a dozen functions a few. A Taichi "real function" is
compiled once, but takes arrays one by one, so this decorator writes the passing of the arrays that the stage reads:

    @outline("md", "w")
    @ti.func
    def kinematics(m: ti.template(), d: ti.template(), w: ti.i32): ...

`packs` are the letters of its pack parameters, `ints` the names of its integer parameters, in order. Stages return
nothing. Inside, the packs are objects with the same attributes, so the code of a stage does not know the difference.
"""

import ast
import ctypes
import functools
import inspect
import linecache
import textwrap

import taichi as ti
from taichi._lib import core as ti_core
from taichi.lang import impl, kernel_impl

from engine import schema
from engine.arrays import DTYPES
from engine.tracing import function_tree
from engine.variant import own

# Which pack a letter stands for, everywhere in the engine.
LETTERS = {"m": "model", "d": "data", "c": "controller", "r": "trajectory", "g": "adjoint", "b": "cotangent"}

_youngest = [0]  # address of the youngest `_body`
TRIES = 100_000


def _compile_in_order(self, key, args, arg_features):
    """Func.do_compile, with a stage's Function behind all older ones in memory.

    Taichi computes a kernel's key for the cache on disk from the functions that each function calls, in the order of
    their addresses. Where a stage calls two, the key would be another one in every process that has used its memory
    in another way.
    """
    tree, ctx = kernel_impl._get_tree_and_ctx(
        self, is_kernel=False, args=args, arg_features=arg_features, is_real_function=self.is_real_function
    )
    name = self.func.__name__
    for again in range(TRIES if name.endswith("_body") else 1):
        names = ti_core.FunctionKey(name, self.func_id, key.instance_id + 1000 * again)
        function = impl.get_runtime().prog.create_function(names)
        if _address(function) > _youngest[0]:
            break
    if name.endswith("_body"):
        _youngest[0] = _address(function)

    def body():
        outer = impl.get_runtime().compiling_callable
        impl.get_runtime().compiling_callable = function
        ctx.ast_builder = function.ast_builder()
        kernel_impl.transform_tree(tree, ctx)
        impl.get_runtime().compiling_callable = outer

    self.taichi_functions[key.instance_id] = function
    self.compiled[key.instance_id] = body
    function.set_function_body(body)


def _address(function):
    """Where the C++ object of a pybind11 object lies: the pointer behind Python's own header."""
    return ctypes.c_void_p.from_address(id(function) + object.__basicsize__).value


kernel_impl.Func.do_compile = _compile_in_order

# Loops of a function inlined into a real function must go into that function's code, not into the kernel's.
kernel_impl.Kernel.ast_builder = lambda self: impl.get_runtime().compiling_callable.ast_builder()


class Arrays:
    """The arrays of one pack that a stage reads, by name."""

    _is_wrapped_kernel = False  # lets Taichi's tracer call the class without a warning

    def __init__(self, **arrays):
        self.__dict__.update(arrays)


def outline(packs, ints):
    """Decorator: see the module's text."""
    return lambda stage: Stage(stage, packs, ints.split())


class Stage:
    """A stage; builds its functions when the first kernel that calls it is traced."""

    _is_wrapped_kernel = False

    def __init__(self, function, packs, ints):
        self.function, self.packs, self.ints = function, packs, ints
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self._calls = {}

    def __call__(self, *args):
        # a kernel with a user's controller inside has functions of its own
        key = own.act, own.act_vjp
        if key not in self._calls:
            self._calls[key] = self._build()
        return self._calls[key](*args)

    def _build(self):
        name, names = self.function.__name__, self.ints
        uses = sorted((u for u in arrays_of(self.function) if u[0] in self.packs), key=_order)
        packs = {
            letter: f"Arrays({', '.join(f'{n}={p}_{n}' for p, n in uses if p == letter)})" for letter in self.packs
        }
        arrays = [f"{p}_{n}" for p, n in uses]
        passed = ", ".join(arrays + names)
        typed = ", ".join([f"{p}_{n}: {p}_{n}_t" for p, n in uses] + [f"{i}: ti.i32" for i in names])
        call = f"{name}_body({', '.join([f'{p}.{n}' for p, n in uses] + names)})"
        # A second call, which never happens, keeps LLVM from inlining the only one. It makes the function that holds it
        # longer: the stage itself, as a caller of several has no room; but the caller of those that pass the most.
        inside = "r" not in self.packs
        text = (
            f"@ti.real_func\n"
            f"def {name}_core({typed}):\n"
            f"    inlined_stage({', '.join([*packs.values(), *names])})\n"
            + (f"    if m_dims[0] < 0:\n        {name}_body({passed})\n" if inside else "")
            + f"\n@ti.real_func\n"
            f"def {name}_body({typed}):\n"
            f"    {name}_core({passed})\n\n"
            f"@ti.func\n"
            f"def {name}({', '.join([f'{p}: ti.template()' for p in self.packs] + [f'{i}: ti.i32' for i in names])}):\n"
            f"    {call}\n" + ("" if inside else f"    if m.dims[0] < 0:\n        {call}\n")
        )
        scope = {"__name__": __name__, "ti": ti, "inlined_stage": self.function, "Arrays": Arrays}
        scope.update({f"{p}_{n}_t": array_type(p, n) for p, n in uses})
        file = f"<stage {self.function.__module__}.{name}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        exec(compile(text, file, "exec"), scope)
        return scope[name]


def _order(use):
    letter, name = use
    return list(LETTERS).index(letter), [b.name for b in schema.PACKS[LETTERS[letter]]].index(name)


def array_type(letter, name):
    buffer = next(b for b in schema.PACKS[LETTERS[letter]] if b.name == name)
    return ti.types.ndarray(dtype=DTYPES[buffer.dtype], ndim=1)


def arrays_of(function):
    """(letter, array) pairs that a ti.func or stage reads or writes, its callees included."""
    found, open_, seen = set(), [function], set()
    while open_:
        f = open_.pop()
        f = inspect.unwrap(f.function if isinstance(f, Stage) else f)
        if f not in seen:
            seen.add(f)
            uses, callees = _read(f)
            found |= uses
            open_ += callees
    return found


@functools.cache
def _read(function):
    """The arrays that a function's own text names, and the ti.funcs and stages that it calls."""
    known = {(letter, b.name) for letter, pack in LETTERS.items() for b in schema.PACKS[pack]}
    uses, called = set(), set()
    tree = function_tree(function)
    for node in tree.nodes if tree else ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            uses.add((node.value.id, node.attr))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called.add(function.__globals__.get(node.func.id))
    return uses & known, [f for f in called if isinstance(f, Stage) or getattr(f, "_is_taichi_function", False)]
