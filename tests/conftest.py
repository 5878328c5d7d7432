"""Simulators are made once per model and session; all of them share the kernels, which compile once per process."""

import os
import signal
import sys

import mujoco
import pytest

import engine
from engine.model import load
from tests.asked import leaves_of
from tests.quick import mark_quick

# What a shell starts in the background, or nohup, ignores Ctrl-C, and so would what the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# One kernel for all robots of this process; tests/test_features.py compares it with those of each robot's own, and
# PULLBACK_TEST_FEATURES=robot runs any test as a user's process would. Of several test processes each has about one
# core, so it compiles no kernels for several threads; tests/physics/test_forms.py and test_invariance.py use those.
# `pytest -m smoke` is a look at one robot, for which everything would take too long.
THREADS = 1 if "PYTEST_XDIST_WORKER" in os.environ else None
SMOKE = "smoke" in sys.argv
engine.init(features=os.environ.get("PULLBACK_TEST_FEATURES", "robot" if SMOKE else "all"), threads=THREADS)

# Tests of one line share a kernel that takes most of a minute to compile: one of several test processes does, not each.
TOGETHER = (
    ("tests/adjoints/",),  # one stage at a time, adjoint/probe.py
    ("tests/diff/", "tests/papers/test_pages", "tests/controllers/", "tests/faults/", "tests/optimize/",
     "tests/scenes/test_parity", "tests/physics/test_random_robots", "tests/physics/test_mocap",
     "tests/physics/test_own_params", "::test_linearize", "tests/demos/test_commands", "tests/demos/test_notebooks",
     "tests/demos/test_gallery", "tests/demos/test_optimize"),  # linearize, push
)  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    mark_quick(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByKernel(LoadFileScheduling):
        def _split_scope(self, nodeid):
            groups = (group[0] for group in TOGETHER if any(words in nodeid for words in group))
            return next(groups, super()._split_scope(nodeid))

    return ByKernel(config, log)


@pytest.fixture(scope="session")
def simulators():
    """simulators(xml, integrator=None, worlds=1) -> (MjModel, Simulator), MuJoCo solving as exactly as it can."""
    from engine.simulator import Simulator

    cache = {}

    def make(xml, integrator=None, worlds=1):
        key = (xml, integrator, worlds)
        if key not in cache:
            text = xml.lstrip().startswith("<")
            mj = mujoco.MjModel.from_xml_string(xml) if text else mujoco.MjModel.from_xml_path(xml)
            mj.opt.solver, mj.opt.jacobian = mujoco.mjtSolver.mjSOL_NEWTON, mujoco.mjtJacobian.mjJAC_DENSE
            mj.opt.tolerance, mj.opt.ls_tolerance = 1e-14, 1e-9
            mj.opt.iterations, mj.opt.ls_iterations = 500, 200
            if integrator is not None:
                mj.opt.integrator = integrator
            model = load(mj)
            model.opt.tolerance, model.opt.iterations = 1e-14, 100
            sim = Simulator(model, worlds, leaves=leaves_of(model))
            cache[key] = mj, sim, {name: sim.params[name].copy() for name in sim.params}
        mj, sim, params = cache[key]
        for name, value in params.items():
            sim.params[name][...] = value
        sim.reset()
        return mj, sim

    return make
