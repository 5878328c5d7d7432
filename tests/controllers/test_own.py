"""A controller of one's own: the example of controllers/README.md, word for word, with its gradient checked, and the
other blocks of that page, which use the same kernels."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import taichi as ti

import engine
from controllers import CPG, Own
from engine.compiler import backend
from engine.errors import StaleTapeError
from tests.controllers.test_controllers import Robot, check_twin
from tests.papers.pages import Reader
from tests.papers.test_pages import cases, run

pytestmark = pytest.mark.slow  # a user's own functions make two kernels of their own, a minute of compiling

README = Path(__file__).parents[2] / "controllers" / "README.md"


def example(folder, name, wrong=None):
    """The example as a module from a file, which Taichi needs; with another name in place of `qvel`, a wrong one."""
    text = README.read_text().split("<!-- own controller -->\n```python\n")[1].split("```\n<!-- end -->")[0]
    text = text.replace("d.qvel[", f"d.{wrong}[") if wrong else text
    path = folder / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def of_the_robot():
    """Kernels of a user's own are compiled for one robot: all features in them would take most of a minute."""
    before = backend.settings()
    backend._settings = backend.Settings(before.arch, before.precision, before.threads, "robot")
    yield
    backend._settings = before


@pytest.fixture(scope="module")
def robot():
    return Robot("hopper")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return Reader("controllers/README.md", tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def pump(reader):
    reader.run(next(block for block in reader.blocks if "class Pump" in block.text))
    return reader.module.Pump


def test_twin_and_gradients(robot, pump):
    for controller in (pump(3), pump(3) + CPG(3)):
        controller.params += 0.3
        tape = robot.start().tape(2)
        check_twin(tape, controller)
        robot.start()
        report = engine.gradcheck(tape, robot.loss, ("params", "ctrl", "qpos0", "qvel0"), controller, directions=1)
        assert report.ok and set(report.verdicts.values()) == {"ok"}, f"\n{report}"


def test_the_ordinary_kernel_stays_itself(robot, pump):
    """A rollout without the user's functions is the same before and after one with them, bit for bit."""
    tape, cpg = robot.tape(), CPG(3)
    cpg.params += 0.2
    robot.start()
    before = tape.rollout(cpg).qpos.copy()
    mine = pump(3)
    mine.params = [0.5, 0.4, 0.3]
    robot.start()
    other = tape.rollout(mine).qpos.copy()
    robot.start()
    assert np.array_equal(tape.rollout(cpg).qpos, before) and not np.array_equal(other, before)


def test_saved_and_loaded(pump, tmp_path):
    import controllers

    mine = pump(2)
    mine.params = [0.25, 0.5]
    mine.save(tmp_path / "c.npz")
    assert np.array_equal(controllers.load(tmp_path / "c.npz").params, mine.params)


@ti.func
def nothing():
    pass


def test_mistakes_are_named(robot, pump):
    class NoFunctions(Own):
        act = act_vjp = None

    with pytest.raises(ValueError, match="act: got None, allowed: a function decorated with @ti.func"):
        NoFunctions(2, {})

    class Other(pump):
        act = staticmethod(nothing)

    with pytest.raises(ValueError, match="2 different pairs"):
        robot.start().tape().rollout(pump(3) + Other(3))
    with pytest.raises(NotImplementedError, match="no NumPy twin"):
        type("Twinless", (pump,), {"_control": Own._control})(3).control(0, 0.0, np.zeros(6), np.zeros(6))
    with pytest.raises(StaleTapeError):
        engine.Tape(robot.sim, 3).backward()


def test_a_mistake_says_where_it_is(robot, tmp_path):
    """A few lines, the last of which names the user's own; then a right controller runs."""
    from taichi.lang.exception import TaichiCompilationError

    with pytest.raises(TaichiCompilationError) as caught:
        robot.start().tape().rollout(example(tmp_path, "wrong", "qvelocity").Pump(3))
    lines = str(caught.value).splitlines()
    assert len(lines) < 15
    assert "wrong.py" in lines[-2] and "in pump" in lines[-2] and "no array, size or option 'qvelocity'" in lines[-1]
    robot.start().tape().rollout(example(tmp_path, "right").Pump(3))


def test_with_the_features_of_the_robot_alone(tmp_path):
    """A process that asks for no others, as a user's: the arrays that the pair reads are the kernel's, too."""
    example(tmp_path, "alone")
    path = tmp_path / "script.py"
    path.write_text("""
import numpy as np
import alone, engine, scenes

model = scenes.load("pendulum").model
controller = alone.Pump(model.nu)
controller.params[:] = 0.3
tape = engine.Tape(engine.Simulator(model), 5)
tape.sim.data.qvel[:] = 0.5
bars = np.ones_like(tape.rollout(controller).qpos)
assert np.abs(tape.backward(qpos=bars).params).min() > 0
""")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(README.parents[1]), str(tmp_path)))}
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=600, env=env)
    assert done.returncode == 0, done.stderr[-1000:]


@pytest.mark.parametrize("block", cases(["controllers/README.md"]))
def test_block_of_the_page(block, reader):
    run(reader, block)
