"""Impedance, reference stiffness and damping of a constraint (MuJoCo documentation, "Solver parameters")."""

import taichi as ti

from engine.math.types import MINVAL, real

MINIMP, MAXIMP = 0.0001, 0.9999  # bounds of the impedance (mjMINIMP, mjMAXIMP)


@ti.func
def impedance(a: ti.template(), o: ti.i32, x: real):
    """Impedance and its derivative at penetration x = pos - margin; a[o:] = (dmin, dmax, width, midpoint, power)."""
    dmin = ti.min(ti.max(a[o], MINIMP), MAXIMP)
    dmax = ti.min(ti.max(a[o + 1], MINIMP), MAXIMP)
    width = ti.max(a[o + 2], 0.0)
    mid = ti.min(ti.max(a[o + 3], MINIMP), MAXIMP)
    power = ti.max(a[o + 4], 1.0)
    imp = dmax
    slope = real(0.0)
    if dmin == dmax or width <= MINVAL:
        imp = 0.5 * (dmin + dmax)
    else:
        s = ti.abs(x) / width
        if s < 1:
            # up to the midpoint and beyond it the same power, of what is left on that side
            side = mid
            u = s / mid
            if s > mid:
                side = 1 - mid
                u = (1 - s) / side
            t = u
            if power != 2:
                t = ti.pow(u, power - 1)
            y = side * u * t
            if s > mid:
                y = 1 - y
            dy = power * t
            imp = dmin + y * (dmax - dmin)
            slope = dy * (dmax - dmin) / width
            if x < 0:
                slope = -slope
    return imp, slope


@ti.func
def reference(a: ti.template(), ref: ti.i32, imp: ti.i32, h: real, refsafe: real):
    """Stiffness and damping of the reference acceleration from solref at a[ref] and dmax at a[imp + 1]."""
    dmax = ti.min(ti.max(a[imp + 1], MINIMP), MAXIMP)
    k = -a[ref] / (dmax * dmax)
    b = -a[ref + 1] / dmax
    if a[ref] > 0:
        time = a[ref]
        if refsafe != 0:
            time = ti.max(time, 2 * h)
        k = 1.0 / ti.max(MINVAL, dmax * dmax * time * time * a[ref + 1] * a[ref + 1])
        b = 2.0 / ti.max(MINVAL, dmax * time)
    return k, b
