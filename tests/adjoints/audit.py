"""Which test of an adjoint fails without it: a pytest plugin, `-p tests.adjoints.audit` with `-s`, says it of the tests
that run; with AUDIT=named in the environment it checks the table in named.py.

Every stage of a test runs in the interpreter, and instead of a comparison with differences the adjoints that it would
compare are kept. For each function x_vjp that a stage of the test calls and that does something there, the test runs
once more with what that function does undone. Where an adjoint then differs by more than the comparison lets pass, the
comparison would have failed.
"""

import os
import traceback

import numpy as np
import pytest

TRIES = 40  # tests that call a function, until one is found that notices
SEEN = 3.0  # times the tolerance of a comparison, of the greatest number of an adjoint


FOLDER = "tests/adjoints/"


class Enough(Exception):
    pass


class Audit:
    def __init__(self):
        self.called, self.muted, self.bars, self.packs, self.used = set(), None, None, (), {}
        self.found, self.tried = {}, {}
        from tests.adjoints.interpreter import interpreted  # after tests/conftest.py, which starts the engine

        self.python = interpreted()
        self.python.watch = self.watch
        self.named, self.comparisons = None, 1

    def watch(self, name, call):
        if name != self.muted and (self.muted or name in self.called):
            return call()
        here = [a for pack in self.packs for a in pack.blocks.values()]
        before = [a.copy() for a in here]
        result = call()
        if not self.muted:
            if something(result) or any(a.tobytes() != b.tobytes() for a, b in zip(here, before, strict=True)):
                self.called.add(name)
            return result
        for a, b in zip(here, before, strict=True):
            a[:] = b
        return nothing(result)

    def run(self, probe, what, i=0):
        self.of(probe)
        self.python.run(probe, what, i)

    def of(self, probe):
        """What functions may change from now on."""
        self.packs = probe.g, probe.sim.pack
        self.used[id(probe)] = probe

    def refresh(self):
        """Probes that have been used are as they were made: what a run before has left would stand where a function
        that is undone writes."""
        for probe in self.used.values():
            for a, b in zip(blocks(probe), probe.fresh, strict=True):
                a[:] = b
        self.used = {}

    def compare(self, case, forward, bars, tolerance=1e-7, **options):
        self.bars.append((tolerance, {n: np.array(b) for n, b in bars.items()}))
        if len(self.bars) >= self.comparisons:
            raise Enough
        return {"nothing": 0.0}

    def once(self, item, muted=None):
        """(adjoints compared, whether the test ended by itself)"""
        self.muted, self.bars, self.called = muted, [], set()
        self.refresh()
        try:
            item.runtest()
        except Enough:
            pass
        except Exception:
            if muted is None:
                print(item.nodeid, *traceback.format_exc().splitlines()[-3:], sep="\n")
            return self.bars, False
        finally:
            self.muted = None
        return self.bars, True

    def take(self, item):
        """By the first comparison of the test; where that leaves a name of the table open, by its first six."""
        for comparisons in (1, 6) if self.named else (1,):
            self.comparisons = comparisons
            self._take(item, self.named.get(item.nodeid.removeprefix(FOLDER), "").split() if self.named else None)

    def _take(self, item, names):
        if names is not None and self.found.keys() >= set(names):
            return
        bars, fine = self.once(item)
        if not fine or not bars:
            return
        for name in sorted((self.called & set(names) if names else self.called.copy()) - self.found.keys()):
            if self.tried.setdefault(name, 0) >= TRIES:
                continue
            self.tried[name] += 1
            others, fine = self.once(item, name)
            if not fine or differ(bars, others):
                self.found[name] = item.nodeid


def blocks(probe):
    return [a for pack in (probe.g, probe.sim.pack) for a in pack.blocks.values()]


def nothing(result):
    if isinstance(result, tuple):
        return tuple(map(nothing, result))
    return None if result is None else result * 0


def something(result):
    """Whether any number of what a function returns is another one than zero."""
    if isinstance(result, tuple):
        return any(map(something, result))
    return result is not None and bool(np.any(getattr(result, "x", result)))


def differ(bars, others):
    if len(bars) != len(others):
        return True
    for (tolerance, one), (_, other) in zip(bars, others, strict=True):
        for name, bar in one.items():
            scale = np.abs(bar).max(initial=1e-12)
            if not np.abs(bar - other[name]).max(initial=0.0) <= SEEN * tolerance * scale:
                return True
    return False


def pytest_configure(config):
    from engine.simulator import Simulator
    from tests.adjoints import probe as p

    config.audit = audit = Audit()
    if os.environ.get("AUDIT") == "named":
        from tests.adjoints.named import NAMED

        audit.named = NAMED
    p.Probe.run = lambda probe, what, i=0: audit.run(probe, what, i)
    p.Case.compare = lambda case, forward, bars, *a, **options: audit.compare(case, forward, bars, *a, **options)
    Simulator.forward = lambda sim: audit.python.forward(sim)
    clear, make = p.Probe.clear, p.Probe.__init__
    p.Probe.clear = lambda probe: (audit.of(probe), clear(probe))

    def start(probe, *args, **options):
        make(probe, *args, **options)
        probe.fresh = [a.copy() for a in blocks(probe)]

    p.Probe.__init__ = start


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if getattr(pyfuncitem, "audited", False):
        return None
    pyfuncitem.audited = True
    pyfuncitem.config.audit.take(pyfuncitem)
    return True


def pytest_sessionfinish(session):
    audit = session.config.audit
    if audit.named:
        for nodeid, names in audit.named.items():
            for name in set(names.split()) - audit.found.keys():
                print(f"\n{nodeid} does not miss {name}")
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return
    print("\n")
    for name, nodeid in sorted(audit.found.items()):
        print(f"{name}: {nodeid}")
    print(f"no test of these misses {sorted(audit.tried.keys() - audit.found.keys())}")
