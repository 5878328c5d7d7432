"""Taichi's own real functions, of a user's program, work beside the engine's."""

import numpy as np
import taichi as ti

import engine
import scenes


def test_a_real_function_of_the_users_returns_its_value():
    engine.Simulator(scenes.load("pendulum").model).step()
    reals = ti.types.ndarray(dtype=ti.f64, ndim=1)

    @ti.real_func
    def twice(a: reals, i: ti.i32) -> ti.f64:
        return 2.0 * a[i]

    @ti.kernel
    def run(a: reals) -> ti.f64:
        return twice(a, 1)

    assert run(np.array([1.0, 2.5])) == 5.0
