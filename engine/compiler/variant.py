"""Variants of a kernel: the same source traced for the features of a robot, and with functions of the user's inside.

`has` (features.py) answers for the robot's features while its kernels are traced. `own.act` and `own.act_vjp` are what
the part OWN calls (feedback.py): usually they do nothing; for a user's controller they are the user's pair. So are
`own.force` and `own.force_vjp` for a residual (dynamics/residual.py). A variant
that is new to the machine costs a compile of the kernels that it is used in, announced on standard error; Taichi keeps
the result on disk like any other kernel.
"""

import contextlib
import functools
import hashlib
import inspect
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import taichi as ti

from engine.compiler.backend import settings
from engine.compiler.features import ALL, NAMES, compiled_for, has
from engine.compiler.session import cache_folder, first_time
from engine.compiler.tracing import names_in
from engine.files import read_json, write_json
from engine.schema import OWN_LEAVES, PLACES


@ti.func
def no_act(m: ti.template(), d: ti.template(), c: ti.template(), w: ti.i32, t: ti.i32, p: ti.i32, i0: ti.i32,
           o: ti.i32):  # fmt: skip
    pass


@ti.func
def no_act_vjp(m: ti.template(), d: ti.template(), c: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, p: ti.i32,
               i0: ti.i32, o: ti.i32, pb: ti.i32, qb: ti.i32, b: ti.i32):  # fmt: skip
    pass


@ti.func
def no_force(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32, i0: ti.i32, o: ti.i32):
    pass


@ti.func
def no_force_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, p: ti.i32, i0: ti.i32, o: ti.i32,
                 q: ti.i32, b: ti.i32):  # fmt: skip
    pass


class Pair(NamedTuple):
    """A function of the user's with its adjoint: the feature that has the first called, the pack that brings them, and
    what is called where it brings none."""

    feature: str
    pack: str
    nothing: tuple


PAIRS = {
    "act": Pair("own", "controller", (no_act, no_act_vjp)),
    "force": Pair("own_residual", "model", (no_force, no_force_vjp)),
}
CALLED = {f"{name}{end}": kind for name, kind in PAIRS.items() for end in ("", "_vjp")}
own = SimpleNamespace()
_variants = {}


def _put(pairs):
    """Functions of the user's in their places; of those that are not there, nothing."""
    for name, kind in PAIRS.items():
        call, vjp = pairs.get(name, kind.nothing)
        vars(own).update({name: call, f"{name}_vjp": vjp})


def _users():
    """The user's functions that are in their places now."""
    here = {name: (getattr(own, name), getattr(own, f"{name}_vjp")) for name in PAIRS}
    return {name: pair for name, pair in here.items() if pair != PAIRS[name].nothing}


_put({})


@contextlib.contextmanager
def variant(kernel, packs, features=None):
    """The kernel to compile for these packs: of the robot's features and, where they bring one, with the user's
    pair inside; and what tells it from others, for an announcement. features: without packs."""
    brought = {p.name: p.own for p in packs if getattr(p, "own", None)}
    pairs = {name: brought[kind.pack] for name, kind in PAIRS.items() if kind.pack in brought}
    sets = [p.features for p in packs if getattr(p, "features", None) is not None]
    sets += [] if features is None else [features]
    before = _users()
    with compiled_for(frozenset().union(*sets) if sets else ALL):
        _put(pairs)
        try:
            key = kernel, variant_of(kernel._primal.func)
            if key not in _variants:
                said = _announce(kernel._primal.func.__name__, *key[1])
                _variants[key] = ti.kernel(kernel._primal.func)
                _variants[key].announced = said
            yield _variants[key]
        finally:
            _put(before)


def _announce(name, features, pairs):
    """Say why the user is about to wait, once on a machine for a set of features, always for a user's functions;
    returns whether it was said."""
    if pairs:
        inside = " and ".join(pair[0].__name__ for pair in pairs)
        print(f"pullback: compiling {name} with {inside} inside (kept on disk afterwards)", file=sys.stderr, flush=True)
        return True
    if features and first_time(f"{name} {' '.join(features)} {settings().key()}"):
        print(f"pullback: compiling {name} for: {', '.join(features)} (kept on disk afterwards)", file=sys.stderr,
              flush=True)  # fmt: skip
        return True
    return False


def announce_code(kernel):
    """Of a kernel that was announced, that tracing is done: what follows cannot say how far it is."""
    if kernel.announced:
        print(f"pullback: compiling {kernel._primal.func.__name__}: traced, now its machine code", file=sys.stderr,
              flush=True)  # fmt: skip
        kernel.announced = False


def variant_of(function):
    """What tells the code of a function or stage from that of other robots: those of the features in force that it asks
    for, and the user's pairs that it calls."""
    features, calls_own = asked_by(function)
    found = tuple(name for name in NAMES if name in features and getattr(has, name))
    called = {name for name in PAIRS if calls_own and PAIRS[name].feature in found}
    return found, tuple(pair for name, pair in _users().items() if name in called)


@functools.cache
def asked_by(function):
    """The features that a function, its callees and their stages ask for, and whether one calls a user's function.

    The engine's own functions have the same answer in every process, so it is kept beside the kernels: to find it, all
    source is read that any robot could need.
    """
    plain = inspect.unwrap(getattr(function, "function", function))
    name = f"{plain.__module__}.{plain.__qualname__}"
    ours = name.startswith("engine.") and "<" not in name and not _users()
    path = answers_file() if ours else None
    kept = read_answers(path)
    if name not in kept:
        features, calls_own = _asked_by(function)
        kept = read_answers(path) | {name: [sorted(features), calls_own]}
        write_answers(path, kept)
    features, calls_own = kept[name]
    return frozenset(features), calls_own


def _asked_by(function):
    features, calls_own = set(), False
    with compiled_for(ALL):
        for f, serves in reached(function, stages=True).items():
            pairs = names_in(f)[0]
            features |= {name for base, name in pairs if base == "has"} | ({serves} if serves else set())
            # a stage finds these in another way where worlds have leaves of their own (stages.py)
            owned = any(base == "m" and (base, n) in PLACES and PLACES[base, n].name in OWN_LEAVES for base, n in pairs)
            features |= {"own_leaf"} if owned else set()
            calls_own = calls_own or any(("own", n) in pairs for n in CALLED)
    return features, calls_own


@functools.cache
def answers_file():
    """Where the answers of asked_by are kept, of this very source; None where that is in no folder."""
    told, files = hashlib.sha1(), sorted(Path(__file__).parents[1].rglob("*.py"))
    for path in files:
        told.update(path.read_bytes())
    return Path(cache_folder()) / f"{told.hexdigest()}.json" if files else None


def read_answers(path):
    """{function: [features, whether it calls a user's]} of a file; nothing where there is none, or a damaged one."""
    with contextlib.suppress(OSError, TypeError, ValueError):
        found = read_json(path) if path else {}
        if all(set(features) <= ALL and isinstance(own, bool) for features, own in found.values()):
            return found
    return {}


def write_answers(path, answers):
    with contextlib.suppress(OSError):
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, answers)


def reached(function, stages=False):
    """{Python function: feature that it serves, or None} of a ti.func and all that it calls with the features in force;
    with `stages` through stages, too."""
    found, open_ = {}, [function]
    while open_:
        f = open_.pop()
        plain = inspect.unwrap(getattr(f, "function", f))
        if plain in found:
            continue
        found[plain] = getattr(f, "serves", None)
        pairs, called = names_in(plain)
        users = [getattr(own, n) for n, kind in CALLED.items() if ("own", n) in pairs and getattr(has, kind.feature)]
        for callee in [*called, *users]:
            feature = getattr(callee, "serves", None)
            ours = getattr(callee, "_is_taichi_function", False) or stages and getattr(callee, "is_stage", False)
            if ours and (feature is None or getattr(has, feature)):
                open_.append(callee)
    return found
