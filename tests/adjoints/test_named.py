"""That every adjoint is named by a test that fails without it, and that the interpreter, which finds this out, computes
what the kernels do."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import mujoco
import numpy as np
import pytest

from tests import zoo
from tests.adjoints import probe as p
from tests.adjoints.interpreter import interpreted
from tests.adjoints.named import ELSEWHERE, NAMED

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def functions(path):
    return [n.name for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef)]


def test_every_adjoint_is_named():
    found = [name for path in (ROOT / "engine").rglob("*.py") for name in functions(path) if "_vjp" in name]
    adjoints = set(found)
    assert len(found) == len(adjoints), "two of one name"  # of which the audit would tell no one from the other
    named = [name for names in NAMED.values() for name in names.split()]
    assert len(named) == len(set(named))
    assert adjoints == {*named, *ELSEWHERE}, adjoints ^ {*named, *ELSEWHERE}
    assert not set(named) & ELSEWHERE.keys()
    for nodeid in NAMED:
        file, _, test = nodeid.partition("::")
        assert test.partition("[")[0] in functions(HERE / file), nodeid


@pytest.mark.slow
@pytest.mark.parametrize("name", ("trees", "contact"))
def test_the_interpreter_computes_what_kernels_do(probes, name):
    mj, probe = probes(zoo.SMOOTH["trees"] if name == "trees" else zoo.one_tree("", zoo.CONDIMS[6]))
    case = p.Case(probe, zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.3), applied=True)
    found = []
    z = case.rng.normal(size=mj.nv)
    stages = p.TERMS, p.MOTIONS, p.APPLIED_VJP, p.PASSIVE_VJP, p.CONSTRAINT_VJP, p.ACCELERATION_VJP, p.RNEA_VJP
    for run in (probe.run, lambda what: interpreted().run(probe, what)):
        case.set()
        probe.clear()
        probe.column("a_bar")[:] = 0
        for what in stages:
            probe.column("z")[:] = z
            run(what)
        found.append([case.sim.data.qfrc_smooth[0].copy(), probe.column("z").copy(), *(b.copy() for b in map(
            probe.bar, ("qpos", "qvel", "xfrc_applied", *probe.sim.params)))])  # fmt: skip
    for compiled, python in zip(*found, strict=True):
        np.testing.assert_allclose(python, compiled, rtol=1e-11, atol=1e-11 * np.abs(compiled).max(initial=1.0))


@pytest.mark.slow
def test_the_tests_that_are_named_miss_what_they_name():
    command = [sys.executable, "-m", "pytest", "-s", "-m", "", "-p", "tests.adjoints.audit"]
    done = subprocess.run([*command, *(f"tests/adjoints/{nodeid}" for nodeid in NAMED)], cwd=ROOT, text=True,
                          env={**os.environ, "AUDIT": "named"}, capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
