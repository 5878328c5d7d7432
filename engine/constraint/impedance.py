"""Impedance, reference stiffness and damping of a constraint (MuJoCo documentation, "Solver parameters")."""

import taichi as ti

from engine.math.types import MINVAL, real

MINIMP, MAXIMP = 0.0001, 0.9999  # bounds of the impedance (mjMINIMP, mjMAXIMP)


@ti.func
def impedance(solimp: ti.template(), i: ti.i32, x: real):
    """Impedance and its derivative at penetration x = pos - margin; solimp[i]: dmin, dmax, width, midpoint, power."""
    dmin = ti.min(ti.max(solimp[i, 0], MINIMP), MAXIMP)
    dmax = ti.min(ti.max(solimp[i, 1], MINIMP), MAXIMP)
    width = ti.max(solimp[i, 2], 0.0)
    mid = ti.min(ti.max(solimp[i, 3], MINIMP), MAXIMP)
    power = ti.max(solimp[i, 4], 1.0)
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
def reference(solref: ti.template(), solimp: ti.template(), i: ti.i32, h: real, refsafe: real):
    """Stiffness and damping of the reference acceleration from solref[i] and dmax, which is solimp[i, 1]."""
    dmax = ti.min(ti.max(solimp[i, 1], MINIMP), MAXIMP)
    k = -solref[i, 0] / (dmax * dmax)
    b = -solref[i, 1] / dmax
    if solref[i, 0] > 0:
        time = solref[i, 0]
        if refsafe != 0:
            time = ti.max(time, 2 * h)
        k = 1.0 / ti.max(MINVAL, dmax * dmax * time * time * solref[i, 1] * solref[i, 1])
        b = 2.0 / ti.max(MINVAL, dmax * time)
    return k, b
