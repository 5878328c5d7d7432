"""Compile a stage of the pipeline as a function of its own instead of inlining it into the kernel.

Taichi inlines every `ti.func` at each call site, and LLVM's time grows faster than the size of a function: the whole
step as one function took 20 s to load from the cache, as a dozen functions a few. A Taichi "real function" is
compiled once, but takes arrays one by one. This decorator writes the functions that take the packs' blocks (two for a
pack, whatever it holds) and find the arrays that the stage reads in them:

    @outline("md", "w")
    @ti.func
    def kinematics(m: ti.template(), d: ti.template(), w: ti.i32): ...

`packs` are the letters of its pack parameters, `ints` the names of its integer parameters, in order. Stages return
nothing. Inside, the packs are objects with those arrays as attributes, so the code of a stage does not know the
difference; only stages read arrays, kernels just hand on blocks.
"""

import ctypes
import itertools
import linecache

import taichi as ti
from taichi._lib import core as ti_core
from taichi.lang import impl, kernel_impl, ops
from taichi.lang.any_array import AnyArray
from taichi.lang.expr import make_constant_expr, make_expr_group
from taichi.types.ndarray_type import NdarrayTypeMetadata

from engine import schema
from engine.compiler.backend import PLAIN
from engine.compiler.columns import SCALARS, Named, Sizes
from engine.compiler.features import has
from engine.compiler.inlined import array_type
from engine.compiler.session import replace, session
from engine.compiler.tracing import names_in
from engine.compiler.variant import reached, variant_of
from engine.math.types import real
from engine.schema import LETTERS, NUMBERS, PLACES, kind_of, kinds_of

MADE = 512
_count, _places = itertools.count(), itertools.count()


def _compile_in_order(self, key, args, arg_features):
    """Func.do_compile, with a stage's Function behind all older ones in memory.

    Taichi computes a kernel's key for the cache on disk from the functions that each function calls, in the order of
    their addresses. Where a stage calls two, the key would be another one in every process that has used its memory
    in another way.
    """
    tree, ctx = kernel_impl._get_tree_and_ctx(
        self, is_kernel=False, args=args, arg_features=arg_features, is_real_function=self.is_real_function
    )
    if hasattr(self, "broken"):
        raise self.broken
    now = session()
    if self.func.__name__.endswith("_body"):
        function = _next_place(now)
    else:
        self.begun = getattr(self, "begun", -1) + 1  # Taichi makes no second Function of a key
        names = ti_core.FunctionKey(self.func.__name__, self.func_id, key.instance_id + 1000 * self.begun)
        function = now.program.create_function(names)
    now.real.append(self)

    def body():
        outer = impl.get_runtime().compiling_callable
        impl.get_runtime().compiling_callable = function
        ctx.ast_builder = function.ast_builder()
        kernel_impl.transform_tree(tree, ctx)
        impl.get_runtime().compiling_callable = outer

    self.taichi_functions[key.instance_id] = function
    self.compiled[key.instance_id] = body
    try:
        function.set_function_body(body)
    except BaseException as error:
        # Whoever comes again must not find the half of it: after Ctrl-C another launch, and the tracer, which calls
        # once more for its message.
        del self.compiled[key.instance_id]
        if isinstance(error, Exception):
            self.broken = error
        raise


def _address(function):
    """Where the C++ object of a pybind11 object lies: the pointer behind Python's own header."""
    return ctypes.c_void_p.from_address(id(function) + object.__basicsize__).value


def _next_place(now):
    """An empty Function of the session's program, behind those that were taken before.

    Many are made at once and taken by their addresses. The memory allocator places them as it likes.
    """
    if not now.places:
        # no number twice: a child of os.fork has its parent's program, but a session of its own
        keys = (ti_core.FunctionKey("stage", -1, next(_places)) for _ in range(MADE))
        made = sorted(map(now.program.create_function, keys), key=_address)
        # the later ones of a process with hundreds of robots may lie before; their kernels are compiled anew
        now.places = [f for f in made if _address(f) > now.youngest][::-1] or made[::-1]
    now.youngest = _address(now.places[-1])
    return now.places.pop()


class Block:
    """A pack as a kernel gets it: its two blocks of memory, and the table of where its buffers begin in them."""

    _is_wrapped_kernel = False  # lets Taichi's tracer call the class without a warning

    def __init__(self, starts, ints, reals, /):
        self._starts, self._ints, self._reals = starts, ints, reals


class Arrays(Block, Named):
    """The same inside a stage, with the arrays that the stage itself reads, by name."""

    def __init__(self, letter, sizes, starts, ints, reals, /, **arrays):
        Block.__init__(self, starts, ints, reals)
        Named.__init__(self, letter, sizes, arrays)


class Part(AnyArray):
    """The array that begins within a block at starts[k], or `further` on: an argument for a real function."""

    _is_wrapped_kernel = False
    shape = (0,)  # one axis

    def __init__(self, block, starts, k, dtype, further=None):
        self.block, self.starts, self.k, self.dtype, self.further = block, starts, k, dtype, further

    def get_type(self):
        return NdarrayTypeMetadata(getattr(self.dtype, "tensor_type", self.dtype), None, False)

    def arguments(self, info):
        """What a real function takes for an array: its length, which nobody asks for, and its address."""
        builder = impl.get_runtime().compiling_callable.ast_builder()
        at = impl.subscript(builder, self.starts, self.k)
        if self.further is not None:
            at = ops.add(at, self.further)
        first = impl.subscript(builder, self.block, at)
        return [make_constant_expr(0, ti.i32), ti_core.make_reference(first.ptr, info)]


_rvalue = kernel_impl.Func.func_call_rvalue


def _call(self, key, args):
    """Func.func_call_rvalue, which knows parts of arrays as well: a stage's core takes them, arrays and integers."""
    if not any(isinstance(value, Part) for value in args):
        return _rvalue(self, key, args)
    info = ti_core.DebugInfo(impl.get_runtime().get_current_src_info())
    passed = []
    for parameter, value in zip(self.arguments, args, strict=True):
        if isinstance(value, Part):
            passed += value.arguments(info)
        elif isinstance(value, AnyArray):
            passed += ti_core.get_external_tensor_real_func_args(value.ptr, info)
        else:
            passed.append(ops.cast(value, parameter.annotation))
    builder = impl.get_runtime().compiling_callable.ast_builder()
    return builder.insert_func_call(self.taichi_functions[key.instance_id], make_expr_group(passed), info)


replace(kernel_impl.Func, "do_compile", _compile_in_order)
replace(kernel_impl.Func, "func_call_rvalue", _call)
# Loops of a function inlined into a real function must go into that function's code, not into the kernel's.
replace(kernel_impl.Kernel, "ast_builder", lambda self: impl.get_runtime().compiling_callable.ast_builder())


def outline(packs, ints, when=None):
    """Decorator: see the module's text. when: the feature that the stage serves; without it a call is nothing."""
    return lambda stage: Stage(stage, packs, ints.split(), when)


class Stage:
    """A stage; builds its functions when the first kernel that calls it is traced."""

    _is_wrapped_kernel = False
    is_stage = True

    def __init__(self, function, packs, ints, when):
        self.function, self.packs, self.ints, self.serves = function, packs, ints, when
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def __call__(self, *args):
        if self.serves and not getattr(has, self.serves):
            return
        if PLAIN:
            self.function(*args)
            return
        # robots share a stage whose code does not ask for what tells them apart; no two programs share any
        functions, key = session().functions, (self, variant_of(self))
        if key not in functions:
            functions[key] = self._build()
        functions[key](*args)

    def _build(self):
        """Three functions: `x` takes packs and calls `x_body`, which takes their blocks, finds in them the arrays that
        the stage itself reads and calls `x_core`, where the stage's text is."""
        name, ints = self.function.__name__, self.ints
        named = {u for u in names_of(self.function) if u[0] in self.packs}
        read = {(letter, PLACES[letter, name].name) for letter, name in named}
        uses = sorted(read | {("m", "dims")}, key=NUMBERS.get)
        # read once, before any loop: no store that follows could be to them, which LLVM does not know
        sizes = {n for letter, n in named if letter == "m"} | {_buffer(*use).count for use in uses}
        sizes |= {p.offset for u in uses for p in schema.parameters_of(u[0], _buffer(*u)) if (u[0], p.name) in named}
        sizes = {n: SCALARS[n] for n in sorted(sizes) if n in SCALARS and n not in ("dims", "opt")}
        known = "".join(f", {n}=size_{n}" for n in sizes)
        blocks = [_block(p, kind) for p in self.packs for kind in kinds_of(p)]
        typed = [f"starts: ints_t, {', '.join(f'{b}: {b[:-2]}s_t' for b in blocks)}", *(f"{i}: ti.i32" for i in ints)]
        given = ", ".join(["starts", *blocks, *ints])
        arrays = ", ".join(f"{p}_{n}: {p}_{n}_t" for p, n in uses)
        # a world's parameters, where worlds have their own (launch.py)
        strides = schema.STRIDES | (schema.OWN_LEAVES if has.own_leaf else {})
        own = {("m", name): f", {ints[0]} * starts[{NUMBERS['m', stride]}]" for name, stride in strides.items()}
        parts = ", ".join(
            f"Part({_block(p, _kind(p, n))}, starts, {NUMBERS[p, n]}, {p}_{n}_d{own.get((p, n), '')})" for p, n in uses
        )
        packs = ", ".join(
            f"Arrays('{p}', Sizes(m_dims, None{known}), starts, {_block(p, 'int')}, {_block(p, 'real')}"
            + "".join(f", {n}={p}_{n}" for q, n in uses if q == p) + ")"
            for p in self.packs
        )  # fmt: skip
        outer = ", ".join(["m._starts", *(f"{b[-1]}._{b[:-2]}s" for b in blocks), *ints])
        # A second call, which never happens, keeps LLVM from inlining the only one. It makes the function that holds it
        # longer: the stage itself, as a caller of several has no room; but the caller of those that pass the most.
        inside = "r" not in self.packs
        text = (
            f"@ti.real_func\n"
            f"def {name}_core({', '.join(typed)}, {arrays}):\n"
            + "".join(f"    size_{n} = m_{b}[{k}]\n" for n, (b, k) in sizes.items())
            + f"    inlined_stage({', '.join([packs, *ints])})\n"
            + (f"    if m_dims[0] < 0:\n        {name}_body({given})\n" if inside else "")
            + f"\n@ti.real_func\n"
            f"def {name}_body({', '.join(typed)}):\n"
            f"    {name}_core({given}, {parts})\n\n"
            f"@ti.func\n"
            f"def {name}({', '.join([f'{p}: ti.template()' for p in self.packs] + [f'{i}: ti.i32' for i in ints])}):\n"
            f"    {name}_body({outer})\n"
            + ("" if inside else f"    if m._ints[0] < 0:\n        {name}_body({outer})\n")
        )
        scope = {"__name__": __name__, "ti": ti, "inlined_stage": self.function, "ints_t": INTS, "reals_t": REALS}
        scope |= {"Arrays": Arrays, "Part": Part, "Sizes": Sizes}
        scope |= {f"{p}_{n}_t": array_type(_buffer(p, n)) for p, n in uses}
        scope |= {f"{p}_{n}_d": array_type(_buffer(p, n)).dtype for p, n in uses}
        # what is read of a file is kept by its name
        file = f"<stage {self.function.__module__}.{name} {next(_count)}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        exec(compile(text, file, "exec"), scope)
        return scope[name]


INTS = ti.types.ndarray(dtype=ti.i32, ndim=1)
REALS = ti.types.ndarray(dtype=real, ndim=1)


def _kind(letter, name):
    return kind_of(_buffer(letter, name))


def _block(letter, kind):
    return f"{kind}_{letter}" if kind in kinds_of(letter) else "None"


def _buffer(letter, name):
    return next(b for b in schema.PACKS[LETTERS[letter]] if b.name == name)


def names_of(function):
    """(letter, name) of the columns, sizes and options that a ti.func reads or writes, its callees included; stages
    among these find their own."""
    named = {pair for f in reached(function) for pair in names_in(f)[0]}
    # t: a tree over dofs, of the model or of Data (dynamics/factor.py)
    named |= {(letter, name) for t, name in named if t == "t" for letter in "md"}
    return named & PLACES.keys()
