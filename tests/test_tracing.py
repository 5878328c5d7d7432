"""What compiler/tracing.py replaces in Taichi does the same: products of vectors, errors with their place, classes."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
import taichi as ti

from engine.compiler.session import defining
from engine.math.types import mat3, real, vec3, vec4
from tests.kernels import kernel


@kernel
def products(x: ti.types.ndarray(dtype=real, ndim=1), y: ti.types.ndarray(dtype=real, ndim=1)):
    a = vec3(x[0], x[1], x[2])
    b = vec3(x[3], x[4], x[5])
    p = vec4(x[0], x[1], x[2], x[3])
    m = mat3([[x[0], x[1], x[2]], [x[3], x[4], x[5]], [x[6], x[7], x[8]]])
    y[0] = (a + b).dot(b)
    y[1] = p.dot(p)
    for i in ti.static(range(3)):
        y[2 + i] = (a - b).cross(2 * b)[i]
        y[5 + i] = (m @ (a + b))[i]
        for j in ti.static(range(3)):
            y[8 + 3 * i + j] = (m @ m)[i, j]


def test_products_are_numpys():
    x, y = np.random.default_rng(0).normal(size=9), np.zeros(17)
    products(x, y)
    a, b, m = x[:3], x[3:6], x.reshape(3, 3)
    expected = [(a + b) @ b, x[:4] @ x[:4], *np.cross(a - b, 2 * b), *(m @ (a + b)), *(m @ m).ravel()]
    np.testing.assert_allclose(y, expected, rtol=1e-14, atol=1e-14)


def test_an_error_names_its_place():
    @ti.func
    def wrong(x):
        return x + nowhere  # noqa: F821

    @kernel
    def caller() -> real:
        return wrong(1.0)

    with pytest.raises(ti.TaichiNameError, match="nowhere") as e:
        caller()
    assert "test_tracing.py" in str(e.value) and "in wrong" in str(e.value)


def told():
    """Whether Taichi takes a function in a class, and one beside it, for a method."""

    @ti.data_oriented
    class Class:
        @ti.func
        def inside(self):
            pass

    @ti.func
    def outside():
        pass

    return Class.inside.func.classfunc, outside.func.classfunc


def test_methods_are_told_while_the_engine_defines_its_functions():
    taichis = ti.lang.kernel_impl._inside_class
    with defining():
        assert ti.lang.kernel_impl._inside_class is not taichis
        assert told() == (True, False)
    assert ti.lang.kernel_impl._inside_class is taichis and told() == (True, False)


SCRIPT = """
import engine
import scenes
import taichi as ti
ti.init(arch=ti.cpu)
engine.Simulator(scenes.load("pendulum").model).step()

@ti.func
def twice(x):
    return 2 * x

@ti.data_oriented
class Adder:
    def __init__(self):
        self.more = 3

    @ti.kernel
    def add(self, x: ti.i32) -> ti.i32:
        return twice(x) + self.more

print(Adder().add(5))
"""


def test_scripts_and_classes_of_a_user(tmp_path):
    """Decorators at the top of a script, where no frame is above, and in a class."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "13"


def test_tracing_deep_in_a_users_program():
    """Stages within stages take most of the calls that Python allows within each other; those of a user are left."""
    import engine
    import scenes
    from engine.compiler.features import features_of

    model = scenes.load("pendulum").model
    sim = engine.Simulator(model, features=features_of(model) | {"ellipsoid", "polynomial"})  # which nobody else traces
    limit = sys.getrecursionlimit()

    def deep(calls):
        return deep(calls - 1) if calls else sim.step()

    used = len(inspect.stack(0))
    deep(limit - used - 150)
    assert sys.getrecursionlimit() == limit and np.isfinite(sim.data.qpos).all()
