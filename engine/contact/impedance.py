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
            y = s
            dy = real(1.0)
            if power > 1:
                if s <= mid:
                    c = 1.0 / ti.pow(mid, power - 1)
                    y = c * ti.pow(s, power)
                    dy = c * power * ti.pow(s, power - 1)
                else:
                    c = 1.0 / ti.pow(1 - mid, power - 1)
                    y = 1 - c * ti.pow(1 - s, power)
                    dy = c * power * ti.pow(1 - s, power - 1)
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
