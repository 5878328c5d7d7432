"""What Taichi differentiates wrongly without saying so, found in the source of a cost before it is compiled.

Taichi's reverse mode is right on straight code; it is silently wrong, NaN or does not compile for the constructs
below (measured with 1.7.4). Each is refused with file and line; callees are read too.
"""

import ast
import inspect
import operator
import textwrap

# attribute or function name -> why
_CALLS = {
    "select": "NaN where it guards a square root at 0; write an `if`",
    "norm": "NaN at a zero vector; use norm_sqr(), or ti.sqrt(x.norm_sqr() + eps)",
    "normalized": "NaN at a zero vector; divide by ti.sqrt(x.norm_sqr() + eps)",
    "norm_inv": "NaN at a zero vector; use 1 / ti.sqrt(x.norm_sqr() + eps)",
    "random": "a cost must be the same for the same trajectory",
    **dict.fromkeys(("svd", "eig", "sym_eig", "polar_decompose"), "its derivative is not there"),
}  # fmt: skip


def refuse(function, what, sizes=()):
    """Raise ValueError, with file and line, for the first construct in a ti.func or its callees that is not safe.

    sizes: of the vectors that are its first arguments. Taichi ends the process for an index beyond one.
    """
    open_, seen = [(function, tuple(sizes))], set()
    while open_:
        f, lengths = open_.pop()
        f = inspect.unwrap(f)
        if (f, lengths) in seen:
            continue
        seen.add((f, lengths))
        try:
            lines, first = inspect.getsourcelines(f)
        except (OSError, TypeError):
            raise ValueError(f"{what}: the source of {f!r} cannot be read, so it cannot be checked") from None
        tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
        scope = {**f.__globals__, **dict(zip(f.__code__.co_freevars, _cells(f), strict=True))}
        stored = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        names = [a.arg for a in tree.args.args]
        vectors = {name: n for name, n in zip(names, lengths, strict=False) if n and name not in stored}
        constants = {name: value for name, value in scope.items() if name not in stored | set(names)}
        for node, why in (*_faults(tree), *_beyond(tree.body, vectors, constants)):
            raise ValueError(
                f'{what}: File "{inspect.getsourcefile(f)}", line {first + node.lineno - 1}, in {f.__name__}: {why}'
            )
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                callee = scope.get(node.func.id)
                if getattr(callee, "_is_taichi_function", False):
                    open_.append((callee, tuple(vectors.get(getattr(a, "id", None)) for a in node.args)))


def _cells(f):
    return [c.cell_contents for c in f.__closure__ or ()]


def _faults(tree):
    """(node, why) of everything that is refused."""
    integers, assigned = {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.For) and not _static(node.iter):
            yield node, "a run-time loop is differentiated wrongly; write `for i in ti.static(range(n))`"
        elif isinstance(node, (ast.While, ast.Break, ast.Continue)):
            yield node, f"`{type(node).__name__.lower()}` has no derivative here; use a static loop and `if`"
        elif isinstance(node, ast.IfExp) and not _static(node.test):
            yield node, "`a if c else b` evaluates both sides and gives NaN where one is not finite; write an `if`"
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in _CALLS or name.startswith("atomic_"):
                yield node, f"{name}: {_CALLS.get(name, 'a cost has no shared memory to write to')}"
            if name == "cast" or name in ("int", "i32", "i64"):
                yield node, f"{name}: the derivative through a cast is lost"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.FloorDiv, ast.Mod)):
            yield node, "// and % are flat with jumps; their derivative is lost"
        elif isinstance(node, (ast.Assign, ast.AugAssign)):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if not isinstance(target, (ast.Name, ast.Tuple)):
                    yield target, "an update in place is differentiated wrongly; make a new local instead"
                elif isinstance(target, ast.Name):
                    if isinstance(node, ast.Assign) and _integer(node.value):
                        integers.setdefault(target.id, node)
                    assigned[target.id] = assigned.get(target.id, 0) + 1
    for name, node in integers.items():
        if assigned[name] > 1:
            yield node, f"{name} starts as a whole number and everything added to it is cut to one; write 0.0"


def _beyond(nodes, vectors, scope):
    """(node, why) of every constant index beyond a vector, static loops and branches followed as Taichi does."""
    for node in nodes:
        if isinstance(node, ast.If) and _static(node.test):
            for taken in _evaluated(node.test.args[0], scope, bool):
                yield from _beyond(node.body if taken else node.orelse, vectors, scope)
            continue
        if isinstance(node, ast.For) and _static(node.iter) and isinstance(node.target, ast.Name):
            for values in _evaluated(node.iter.args[0], scope, list):
                for value in values:
                    yield from _beyond(node.body, vectors, scope | {node.target.id: value})
            continue
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", None) in vectors:
            name = node.value.id
            for index in _evaluated(node.slice, scope, operator.index):
                if not 0 <= index < vectors[name]:
                    yield node, f"{name}[{index}]: allowed: 0 to {vectors[name] - 1}"
        yield from _beyond(ast.iter_child_nodes(node), vectors, scope)


def _evaluated(node, scope, kind):
    """[kind(what an expression is)] where constants alone tell, else []."""
    calls = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
    if not all(getattr(f, "id", None) in ("range", "len", "min", "max", "abs", "enumerate", "zip") for f in calls):
        return []
    try:
        return [kind(eval(compile(ast.Expression(node), "<cost>", "eval"), dict(scope)))]
    except Exception:  # it takes a value that only a run has
        return []


def _static(node):
    return isinstance(node, ast.Call) and ast.unparse(node.func) in ("ti.static", "static", "taichi.static")


def _integer(node):
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and not isinstance(node.value, bool)
