"""The engine beside a user's own Taichi program, in one process: neither runs or loses the other's kernels."""

import subprocess
import sys

import pytest

from tests.quick import some

START = """
import numpy as np
import engine, scenes, taichi as ti

m = scenes.load("cartpole").model

def six(sim):
    sim.reset()
    sim.data.qvel[:] = 0.5
    sim.step(6)
    return *sim.data.qpos[-1], sim.data.time[-1]

def users(options):
    ti.init(arch=ti.cpu, **options)
    x = ti.field(ti.f32, shape=4)

    @ti.kernel
    def fill(a: ti.f32):
        for i in x:
            x[i] = a * i / 2

    def check():
        fill(2.0)
        assert x.to_numpy().tolist() == [0, 1, 2, 3], x.to_numpy()
        assert x.dtype == ti.f32 and ti.lang.impl.get_runtime().default_fp == options.get("default_fp", ti.f32)

    return check

def same(found, wanted):
    assert found == wanted, (found, wanted)
"""

CASES = {
    "another program after the first simulator": """
sims = engine.Simulator(m, 2), engine.Simulator(m, 512)
right = six(sims[0])
same(six(sims[1]), right)
tape = engine.Tape(sims[0], 20)
sims[0].reset()
bar = np.ones_like(tape.rollout(np.zeros((20, 1))).qpos)
qvel0 = tape.backward(qpos=bar).qvel0
for options in ({}, {"default_fp": ti.f64, "debug": True, "random_seed": 3, "offline_cache": False}):
    check = users(options)
    check()
    same(six(engine.Simulator(m, 2)), right)
    for sim in sims:
        same(six(sim), right)
    same(tape.backward(qpos=bar).qvel0.tolist(), qvel0.tolist())
    check()
ti.reset()
same(six(sims[1]), right)
""",
    "the user's program first, fields placed late": """
check = users({})
later = ti.field(ti.f32)
sim = engine.Simulator(m, 2)
first = six(sim)
ti.root.dense(ti.i, 3).place(later)
check()
assert later.to_numpy().tolist() == [0, 0, 0]
same(six(sim), first)
ti.init(arch=ti.cpu)
same(six(sim), first)
""",
    "engine.init, then ti.init, then the first simulator": """
engine.init()
check = users({})
sim = engine.Simulator(m, 2)
first = six(sim)
check()
ti.reset()
same(six(sim), first)
""",
    "a cost of Taichi functions, before and after": """
from engine.objectives import TaichiCost

@ti.func
def cost(qpos, qvel, ctrl, sensordata, time):
    return (qpos[0] - ti.sin(3.0 * time)) ** 2 + 1 / 3

def run():
    sim = engine.Simulator(m)
    return TaichiCost(m, cost)(engine.Tape(sim, 10).rollout(np.zeros((10, m.nu))))[0].tolist()

right = run()
check = users({})
with ti.ad.Tape(ti.field(ti.f32, shape=(), needs_grad=True)):
    same(run(), right)
check()
""",
    "kernels of another thread while the engine compiles": """
import threading
check = users({})

@ti.kernel
def third() -> ti.f64:
    one = 1.0  # of the user's default type
    return one / 3

right, found, done = third(), [], threading.Event()
assert right == np.float32(1 / 3)

def user():
    while not done.is_set():
        try:
            check()
            inside = ti.lang.impl.inside_kernel(), ti.lang.impl.get_runtime().default_fp
            found.append(third() == right and inside == (False, ti.f32))
        except BaseException as e:
            found.append(e)
        done.wait(0.01)

thread = threading.Thread(target=user)
thread.start()
try:
    engine.Simulator(m).step()
finally:
    done.set()
    thread.join()
assert len(found) > 2 and all(f is True for f in found), found
check()
""",
    "Taichi's functions are its own": """
from taichi.lang import kernel_impl, matrix_ops, expr
from taichi.lang.ast.ast_transformer_utils import Builder
def state():
    return (vars(kernel_impl.Func)["do_compile"], vars(kernel_impl.Kernel)["ast_builder"], matrix_ops.dot,
            vars(expr.Expr)["__init__"], vars(Builder)["__call__"], vars(kernel_impl.Kernel)["__call__"],
            ti.lang.impl.get_runtime, ti.lang.impl.inside_kernel)
before = state()
engine.Simulator(m).step()
assert state() == before
assert all(f.__module__.startswith("taichi.") for f in before)
""",
}


@pytest.mark.parametrize("case", some(CASES))
def test_both_work(case, tmp_path):
    path = tmp_path / "script.py"  # Taichi reads a kernel's source
    path.write_text(START + CASES[case])
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_a_program_on_another_device_is_refused(monkeypatch):
    """Nothing of it is touched; the message says what to do."""
    from types import SimpleNamespace

    import taichi as ti
    from taichi.lang import impl

    from engine.compiler.session import session

    program = SimpleNamespace(config=lambda: SimpleNamespace(arch=ti.vulkan))
    with monkeypatch.context() as patch:
        patch.setattr(impl.pytaichi, "prog", program)
        with pytest.raises(RuntimeError, match=r"already runs in this process, on arch .vulkan.*ti\.init\(arch="):
            session()
        assert impl.pytaichi.prog is program
