"""Kernels of the tests, traced as the engine traces its own."""

import functools

import taichi as ti

from engine.compiler.session import entered


def kernel(function):
    """Decorator: ti.kernel, called while the engine is entered."""
    made = ti.kernel(function)

    @functools.wraps(function)
    def call(*args):
        with entered():
            return made(*args)

    return call
