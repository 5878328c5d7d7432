"""The engine in the life of a process: settings after imports, forks, warnings, pipes, interrupts."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import engine
import scenes


def run(code, *options, **more):
    return subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, timeout=600, **more)


def test_imports_decide_nothing():
    """`engine.init` chooses after any import, and the choice holds."""
    done = run("""
import importlib, pkgutil
import engine, scenes, controllers
from engine.compiler import backend
kernels = {"engine.math", "engine.compiler.launch", "engine.compiler.stages", "engine.dynamics", "engine.contact",
           "engine.constraint", "engine.sensing", "engine.feedback", "engine.linear_feedback", "engine.linearized",
           "engine.evaluation", "engine.records", "engine.step", "engine.kernels", "engine.com_based", "engine.guard",
           "engine.compiler.forms", "engine.compiler.inlined", "engine.joint_rows", "engine.box_ddp", "engine.box_qp",
           "engine.rows", "engine.rays.casting"}
for package in (engine, scenes, controllers):
    for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not any(info.name == k or info.name.startswith(k + ".") for k in kernels):
            try:
                importlib.import_module(info.name)
            except ImportError as e:  # an extra that is not installed
                assert not (e.name or "").startswith(("engine", "scenes", "controllers")), e
for name in engine.__all__:
    getattr(engine, name)
assert backend._settings is None
engine.init(precision="f32", threads=1)
sim = engine.Simulator(scenes.load("pendulum").model)
sim.step()
assert str(sim.data.qpos.dtype) == "float32"
""")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no os.fork on this system")
def test_a_forked_child_steps_many_worlds():
    """With the parent's bits, in workers of multiprocessing and in a plain child that ends by itself."""
    done = run("""
import multiprocessing as mp, os, sys
import engine, scenes
m = scenes.load("pendulum").model
parent = engine.Simulator(m, 512)
def work(v):
    s = engine.Simulator(m, 512)
    s.data.qvel[:] = v
    s.step(50)
    parent.step(50)
    return float(s.data.qpos.sum())
right = work(0.1)
with mp.get_context("fork").Pool(2) as pool:
    assert pool.map_async(work, [0.1, 0.1]).get(300) == [right, right]
child = os.fork()
if child == 0:
    assert work(0.1) == right
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert work(0.1) == right
""")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no os.fork on this system")
def test_a_fork_of_a_users_program_is_told_what_to_do():
    """Its threads that compile are the parent's, and waiting for them would never end."""
    done = run("""
import os
import taichi as ti
ti.init(arch=ti.cpu)
import engine, scenes
sim = engine.Simulator(scenes.load("pendulum").model)
sim.step()
child = os.fork()
if child == 0:
    sim.step()  # compiled before the fork
    try:
        engine.Tape(sim, 3).rollout([[0.0]] * 3)
        engine.linearize(sim)
    except RuntimeError as e:
        if "spawn" not in str(e):
            os._exit(1)
    ti.init(arch=ti.cpu)  # another program, with threads of its own
    engine.Tape(sim, 3).rollout([[0.0]] * 3)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
""")
    assert done.returncode == 0, done.stderr


def test_nothing_is_printed_and_nobody_is_warned():
    done = run("""
import engine, scenes
print(engine.Simulator(scenes.load("pendulum").model).step())
""", "-W", "error")  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "None\n"), done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith("pullback: compiling")]
    assert not said, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no os.fork on this system")
def test_a_fork_by_a_thread_while_another_traces():
    """The thread that traces is not in the child, nor is what it had half made."""
    done = run("""
import os, threading
import engine, scenes
from taichi.lang import impl, kernel_impl
m = scenes.load("pendulum").model
trace, left, codes = kernel_impl.transform_tree, [60], []

def stepped():
    sim = engine.Simulator(m)
    sim.data.qvel[:] = 0.5
    sim.step(5)
    return sim.data.qpos[0, 0]

def forks():
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 7 if stepped() > 0 and not impl.pytaichi.inside_kernel else 2
        finally:
            os._exit(code)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

def forking(tree, ctx):
    left[0] -= 1
    if left[0] == 0:
        thread = threading.Thread(target=forks)
        thread.start()
        thread.join()
    return trace(tree, ctx)

kernel_impl.transform_tree = forking
assert stepped() > 0
assert codes == [7], codes
""")
    assert done.returncode == 0, done.stderr


@pytest.fixture
def hopper():
    sim = engine.Simulator(scenes.load("hopper").model, 3)
    sim.data.qvel[:] = 0.1
    return sim


def test_ctrl_c_ends_a_long_step(hopper):
    hopper.step()
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        hopper.step(20_000_000)
    assert time.perf_counter() - start < 20
    assert 0 < hopper.data.time[0] < 20_000_000 * hopper.model.opt.timestep
    hopper.step()


def test_ctrl_c_while_a_kernel_is_traced():
    """Leaves nothing half made that the next launch would take for a whole stage, and moves no world."""
    done = run("""
import engine, scenes
from taichi.lang import kernel_impl
trace, left = kernel_impl.transform_tree, [60]
def interrupted(tree, ctx):
    result = trace(tree, ctx)
    left[0] -= 1
    if left[0] == 0:
        raise KeyboardInterrupt
    return result
kernel_impl.transform_tree = interrupted
sim = engine.Simulator(scenes.load("pendulum").model)
sim.data.qvel[:] = 0.5
try:
    sim.step(5)
except KeyboardInterrupt:
    sim.step(5)
    print(sim.data.qpos[0, 0] > 0, round(sim.data.time[0] / sim.model.opt.timestep))
""")
    assert (done.returncode, done.stdout) == (0, "True 5\n"), done.stderr


THREAD = """
import sys, threading
import numpy as np
import taichi as ti
import engine
from engine.compiler.launch import compile_kernel
from engine.math.types import real
from engine.compiler.session import entered
A = ti.types.ndarray(dtype=real, ndim=1)

def kernel(k):
    @ti.kernel
    def scaled(x: A, n: ti.i32):
        for i in range(n):
            x[i] = k * x[i]
    return scaled

def compiled(k):
    with entered():
        print(k, compile_kernel(kernel(k), 1, 1)[1] is not None, flush=True)

compiled(1.0)
for k in (2.0, 3.0):
    thread = threading.Thread(target=compiled, args=(k,))
    thread.start()
    thread.join()
"""


def test_another_thread_compiles(tmp_path):
    """With nothing in the cache: LLVM ended the process where the program had been started by another thread."""
    path = tmp_path / "script.py"
    path.write_text(THREAD)
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=600,
                          env={**os.environ, "TI_OFFLINE_CACHE_FILE_PATH": str(tmp_path)})  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "1.0 True\n2.0 True\n3.0 True\n"), done.stderr


def test_slices_give_the_bits_of_one_launch(hopper, monkeypatch):
    """Of a step, of a rollout that keeps its records and one that repeats itself, and of their reverse."""
    from engine.compiler.forms import WorldsKernel

    make, launched = WorldsKernel.__init__, []
    controls = np.sin(np.arange(40 * hopper.model.nu)).reshape(40, -1)

    def results(most):
        def init(self, *args):
            make(self, *args)
            self.guess = self.most = most

        monkeypatch.setattr(WorldsKernel, "__init__", init)
        hopper._kernel = None
        hopper.reset()
        hopper.data.qvel[:] = 0.1
        hopper.step(50)
        found = [a.copy() for a in hopper.data.arrays().values()]
        for memory in ("1GiB", "300KiB"):
            tape = engine.Tape(hopper, 40, frame_skip=2, memory=memory)
            rows = tape.rollout(controls)
            bars = {n: np.ones_like(getattr(rows, n)) for n in ("qpos", "qvel", "sensordata")}
            grads = tape.backward(**bars)
            found += [rows.qpos.copy(), rows.sensordata.copy(), grads.ctrl, grads.qpos0, grads.model.theta_bar]
        return found

    launch = WorldsKernel._launch
    monkeypatch.setattr(WorldsKernel, "_launch", lambda self, *ints: (launched.append(ints), launch(self, *ints)))
    whole, few = results(10**9), len(launched)
    sliced = results(7)
    assert len(launched) > 4 * few
    for a, b in zip(whole, sliced, strict=True):
        np.testing.assert_array_equal(a, b)
