"""How Taichi traces the engine's Python source: the same code as without this file, in a third of the time.

Taichi traces every kernel again in every process, also when its binary is cached. Most of that time goes into things
that need doing once (reading and parsing the source of a function at each of its call sites), into text for error
messages, and into products of vectors, which Taichi writes out element by element in Python. Besides, the loops get
what keeps LLVM from unrolling them. All of it holds only while the engine is entered (session.py). With that file,
stages.py and launch.py, one of the files that touch Taichi's internals.
"""

import ast
import copy
import functools
import inspect
import linecache
import textwrap

from taichi._lib import core as ti_core
from taichi.lang import impl, kernel_impl, matrix_ops
from taichi.lang.ast.ast_transformer_utils import ASTTransformerContext, Builder
from taichi.lang.exception import TaichiCompilationError, handle_exception_from_cpp
from taichi.lang.expr import Expr, make_expr_group
from taichi.lang.matrix import Vector

from engine.compiler.features import has, in_force
from engine.compiler.session import replace
from engine.schema import MOST, SHARED

_build = Builder.__call__
_get_tree_and_ctx = kernel_impl._get_tree_and_ctx
_expr = Expr.__init__
_dot, _cross, _matmul = matrix_ops.dot, matrix_ops.cross, matrix_ops.matmul


def _position(self, node):
    """Where an error is, without the wrapped text of its line."""
    return f'File "{self.file}", line {node.lineno + self.lineno_offset}, in {self.func.func.__name__}:\n'


def _built(self, ctx, node):
    """Trace a node. Taichi writes down where it is before each one; here only functions do. A node that fails says
    where it stands, as each call on the way there does, without Python's tracebacks of both tracers."""
    method = getattr(self, f"build_{type(node).__name__}", None)
    if method is None or isinstance(node, (ast.Module, ast.FunctionDef)):
        return _build(self, ctx, node)
    try:
        return method(ctx, node)
    except Exception as error:
        if ctx.raised or not isinstance(node, (ast.stmt, ast.expr)):
            raise error.with_traceback(None) from None
        ctx.raised = True
        error = handle_exception_from_cpp(error)
        if isinstance(error, TaichiCompilationError):
            raise type(error)(ctx.get_pos_info(node) + str(error)) from None
        text = f"{ctx.get_pos_info(node)}{type(error).__name__}: {error}"
        raise TaichiCompilationError(text) from None


# ------------------------------------------------------------------------------------------- source, parsed once


def _parsed_once(self, excluded_parameters=(), is_kernel=True, arg_features=None, args=None, ast_builder=None,
                 is_real_function=False):  # fmt: skip
    tree = None if is_kernel or self.template_slot_locations and is_real_function else function_tree(self.func)
    if tree is None:
        return _get_tree_and_ctx(
            self, excluded_parameters, is_kernel, arg_features, args, ast_builder, is_real_function
        )
    if is_real_function:
        # Taichi takes the arguments out of the tree of one
        node = copy.copy(tree.body[0])
        node.args = copy.copy(node.args)
        tree = ast.Module(body=[node], type_ignores=[])
    return tree, ASTTransformerContext(
        excluded_parameters=excluded_parameters, is_kernel=False, func=self, arg_features=arg_features,
        global_vars=kernel_impl._get_global_vars(self.func), argument_data=args, src=[""], start_lineno=1,
        file=self.func.__code__.co_filename, ast_builder=ast_builder, is_real_function=is_real_function,
    )  # fmt: skip


@functools.cache
def function_tree(function):
    """The syntax tree of a function of the engine (its loops guarded) or of Taichi, with all its nodes as they were in
    `nodes`; None for anybody else's."""
    if not (function.__module__ or "").startswith(("engine.", "taichi.")):
        return None
    node = _functions_of(function.__code__.co_filename).get(function.__code__.co_firstlineno)
    if node is None:
        return None
    tree = ast.Module(body=[node], type_ignores=[])
    tree.nodes = _walk(node)
    if any(a.arg == "m" for a in node.args.args):
        _guard(tree.nodes)
    return tree


def names_in(function):
    """What a text, with the features in force, asks for and calls: pairs (name, attribute), and objects."""
    return _names_in(function, in_force())


@functools.cache
def _names_in(function, features):
    tree = function_tree(function)
    node = tree.body[0] if tree else ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    pairs, called = set(), []
    for n in _walk(node, _taken):
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name):
            pairs.add((n.value.id, n.attr))
        elif isinstance(n, ast.Call) and isinstance(n.func, ast.Name):
            called.append(function.__globals__.get(n.func.id))
    return pairs, called


def _taken(node):
    """The parts of a node that are traced: of a branch on features, only the one that they decide for."""
    if isinstance(node, ast.If) and ast.unparse(node.test).startswith("ti.static(has."):
        test = ast.Expression(node.test.args[0])
        there = eval(compile(test, "<features>", "eval"), {"has": has})
        return [node.test, *(node.body if there else node.orelse)]
    return None


def _walk(node, chosen=None):
    """A node and all below it: ast.walk in half the time."""
    nodes = [node]
    for n in nodes:
        some = chosen(n) if chosen else None
        if some is not None:
            nodes += some
            continue
        for field in n._fields:
            child = getattr(n, field, None)
            if isinstance(child, list):
                nodes += [x for x in child if isinstance(x, ast.AST)]
            elif isinstance(child, ast.AST) and field != "ctx":
                nodes.append(child)
    return nodes


@functools.cache
def _functions_of(file):
    """{first line, decorators included: function} of a file."""
    functions = {}
    for node in ast.parse("".join(linecache.getlines(file))).body:
        if isinstance(node, ast.FunctionDef):
            functions[min(d.lineno for d in [*node.decorator_list, node])] = node
            node.decorator_list = []
    return functions


_EXIT = ast.parse("if m.dims[0] < 0:\n    break").body[0]


def _guard(nodes):
    """Gives every run-time loop of an engine function an exit that never happens, so that LLVM does not unroll it, and
    its counter a bound where it numbers entities.

    These loops have a handful of iterations. LLVM unrolls each eightfold, with what is left over behind it: measured,
    that doubled the code and took 12 of 17 s of machine code generation, for no gain in speed. A counter by
    which a column among others is read numbers entities; what its bound is good for, math/index.py says.
    """
    numbers = []
    for n in nodes:
        if isinstance(n, ast.Subscript) and isinstance(n.value, ast.Attribute) and n.value.attr in SHARED:
            entity = n.slice.elts[0] if isinstance(n.slice, ast.Tuple) else n.slice
            if isinstance(entity, ast.Name):
                numbers.append((entity.id, n.lineno))
    for n in nodes:
        if isinstance(n, ast.For) and isinstance(n.iter, ast.Call) and getattr(n.iter.func, "id", "") == "range":
            name = n.target.id
            if any(m == name and n.lineno < line <= n.end_lineno for m, line in numbers):
                n.target.id = f"{name}_"
                n.body.insert(0, _bound(name))
            n.body.insert(0, _EXIT)


@functools.cache
def _bound(name):
    return ast.parse(f"{name} = {name}_ & {MOST - 1}").body[0]


# --------------------------------------------------------------------------------------------------- expressions


def _expression(self, *args, dbg_info=None, dtype=None):
    """Expr.__init__, with a short way for what most expressions are made from: one of C++'s, or a number."""
    x = args[0] if len(args) == 1 else None
    if type(x) is ti_core.Expr:
        self.ptr = x
    elif type(x) is float and dtype is None:
        self.ptr = ti_core.make_const_expr_fp(impl.pytaichi.default_fp, x)
    elif type(x) is int and dtype is None and -(2**31) <= x < 2**31:
        self.ptr = ti_core.make_const_expr_int(impl.pytaichi.default_ip, x)
    else:
        _expr(self, *args, dbg_info=dbg_info, dtype=dtype)
        return
    self.dbg_info = dbg_info
    if dbg_info:
        self.ptr.set_dbg_info(dbg_info)
    self.ptr.type_check(impl.pytaichi.config)
    self.ptr_type_checked = True


# ------------------------------------------------------------------------------------------- products of vectors


def dot(x, y):
    """x . y of two vectors in Taichi's scope."""
    n = _length(x, y)
    if n is None:
        return _dot(x, y)
    p = impl.expr_init(x * y)
    total = impl.subscript(_builder(), p, 0)
    for i in range(1, n):
        total = total + impl.subscript(_builder(), p, i)
    return impl.expr_init(total)


def cross(x, y):
    """x cross y of two vectors of three elements in Taichi's scope."""
    if _length(x, y) != 3:
        return _cross(x, y)
    x, y = impl.expr_init(x), impl.expr_init(y)
    one, two = (1, 2, 0), (2, 0, 1)
    return impl.expr_init(_swizzle(x, one) * _swizzle(y, two) - _swizzle(x, two) * _swizzle(y, one))


def matmul(x, y):
    """Matrix times vector in Taichi's scope."""
    if not (isinstance(x, Expr) and x.is_tensor() and isinstance(y, Expr) and y.is_tensor()):
        return _matmul(x, y)
    shape = x.get_shape()
    if len(shape) != 2 or tuple(y.get_shape()) != (shape[1],):
        return _matmul(x, y)
    x, y = impl.expr_init(x), impl.expr_init(y)
    v = [impl.subscript(_builder(), y, j) for j in range(shape[1])]
    rows = []
    for i in range(shape[0]):
        row = impl.subscript(_builder(), x, i, 0) * v[0]
        for j in range(1, shape[1]):
            row = row + impl.subscript(_builder(), x, i, j) * v[j]
        rows.append(row)
    return impl.expr_init(Vector(rows))


def _length(x, y):
    """Number of elements of two vectors of expressions, or None where they are something else."""
    shapes = [v.get_shape() if isinstance(v, Expr) and v.is_tensor() else None for v in (x, y)]
    return shapes[0][0] if shapes[0] is not None and shapes[0] == shapes[1] and len(shapes[0]) == 1 else None


def _swizzle(x, order):
    info = ti_core.DebugInfo(impl.get_runtime().get_current_src_info())
    return Expr(ti_core.subscript_with_multiple_indices(x.ptr, [make_expr_group(i) for i in order], (3,), info))


def _builder():
    return impl.get_runtime().compiling_callable.ast_builder()


# the tracer warns of calls to functions that it does not know
dot._is_wrapped_kernel = cross._is_wrapped_kernel = False

replace(ASTTransformerContext, "get_pos_info", _position)
replace(Builder, "__call__", _built)
replace(kernel_impl, "_get_tree_and_ctx", _parsed_once)
replace(Expr, "__init__", _expression)
for _product in (dot, cross, matmul):
    replace(matrix_ops, _product.__name__, _product)
