"""Impedance, reference stiffness and damping of a constraint (MuJoCo documentation, "Solver parameters")."""

import taichi as ti

from engine.compiler.features import has, serves
from engine.math.types import HUGE, MINVAL, real

MINIMP, MAXIMP = 0.0001, 0.9999  # bounds of the impedance (mjMINIMP, mjMAXIMP)
DRY, TIED, PUSHING = range(3)  # dry friction, which knows no residual; what holds; what only pushes


@ti.func
def is_exact(m: ti.template()):
    """Whether the flag diagexact is enabled (exact.py)."""
    r = 0
    if ti.static(has.diagexact):
        r = m.diagexact
    return r


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
def inside(x: real, low: real, high: real):
    """How much of a change of x counts that is bounded: exactly at a bound half of it."""
    return 0.25 * (ti.cast(x >= low, real) + ti.cast(x > low, real)) * (
        ti.cast(x <= high, real) + ti.cast(x < high, real)
    )


@ti.func
def impedance_vjp(solimp: ti.template(), i: ti.i32, x: real, imp_bar: real):
    """Adjoints of the five numbers, of which those beyond their bounds have none (`inside`)."""
    dmin = ti.min(ti.max(solimp[i, 0], MINIMP), MAXIMP)
    dmax = ti.min(ti.max(solimp[i, 1], MINIMP), MAXIMP)
    mid = ti.min(ti.max(solimp[i, 3], MINIMP), MAXIMP)
    power = ti.max(solimp[i, 4], 1.0)
    y = real(0.5)
    width_bar = real(0.0)
    mid_bar = real(0.0)
    power_bar = real(0.0)
    if solimp[i, 2] > MINVAL:
        s = ti.abs(x) / solimp[i, 2]
        y = 1.0
        if s < 1:
            side = mid
            u = s / mid
            sign = real(1.0)
            if s > mid:
                side = 1 - mid
                u = (1 - s) / side
                sign = -1.0
            t = ti.pow(u, power - 1)
            y_bar = imp_bar * (dmax - dmin)
            y = side * u * t
            mid_bar = y_bar * (1 - power) * u * t
            width_bar = -y_bar * power * t * s / solimp[i, 2]
            if u > 0:
                power_bar = y_bar * sign * y * ti.log(u)
            if s > mid:
                y = 1 - y
    dmin_bar = imp_bar * (1 - y) * inside(solimp[i, 0], MINIMP, MAXIMP)
    dmax_bar = imp_bar * y * inside(solimp[i, 1], MINIMP, MAXIMP)
    mid_bar = mid_bar * inside(solimp[i, 3], MINIMP, MAXIMP)
    power_bar = power_bar * inside(solimp[i, 4], 1.0, HUGE)
    return dmin_bar, dmax_bar, width_bar, mid_bar, power_bar


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


@ti.func
def reference_vjp(solref: ti.template(), solimp: ti.template(), i: ti.i32, h: real, refsafe: real, k_bar: real,
                  b_bar: real):  # fmt: skip
    """Adjoints of both numbers of solref and of dmax. A time constant of exactly two steps, below which refsafe lets
    none count, has half of the adjoint: what a central difference gives."""
    k, b = reference(solref, solimp, i, h, refsafe)
    dmax = ti.min(ti.max(solimp[i, 1], MINIMP), MAXIMP)
    ref0 = -k_bar / (dmax * dmax)
    ref1 = -b_bar / dmax
    dmax_bar = -(2 * k * k_bar + b * b_bar) / dmax
    if solref[i, 0] > 0:
        time = solref[i, 0]
        share = real(1.0)
        if refsafe != 0:
            share = inside(time, 2 * h, HUGE)
            time = ti.max(time, 2 * h)
        ref0 = -share * (2 * k * k_bar + b * b_bar) / time
        ref1 = -2 * k * k_bar / solref[i, 1]
    return ref0, ref1, dmax_bar * inside(solimp[i, 1], MINIMP, MAXIMP)


@serves("discrete")
@ti.func
def at_end_of_step(m: ti.template(), k: real, b: real, imp: real, solref: ti.template(), i: ti.i32,
                   pushes: ti.i32):  # fmt: skip
    """A spring and damper of stiffness k and damping b that act at the end of a step h, as the integrator discrete has
    them (MuJoCo documentation, Computation, "Integrators"). With S = k imp, J v, the bias dJ/dt v and the residual r

        force = -D0 (J a + B (J v + h J a) + S (r + h J v + h^2 J a) + dJ/dt v) = -D0 s (J a - aref'),
        s = 1 + h B + h^2 S,    -aref' = (S / s) r + ((B + h S) / s) J v + dJ/dt v / s

    pushes: with refsafe, one that the step cannot resolve, h^2 S > 1, becomes the stiffest that does not rebound,
    h^2 S = 1, with the damping ratio that it had; so does none of a solref of stiffness and damping.

    Returns k / s, (B + h S) / s, s, and the derivatives by imp of those of r and J v above, and of log s.
    """
    h = m.timestep
    by_imp = k  # derivative of S
    b1 = real(0.0)  # of B
    if pushes and m.resolved != 0 and solref[i, 0] > 0 and k * imp * h * h > 1:
        stiff = 1.0 / (h * h * imp)
        b = b * ti.sqrt(stiff / k)
        k = stiff
        by_imp = 0.0
        b1 = -0.5 * b / imp
    s = 1.0 + h * b + h * h * k * imp
    grows = (h * b1 + h * h * by_imp) / s
    by_x = (by_imp - grows * k * imp) / s
    by_v = (b1 + h * by_imp - grows * (b + h * k * imp)) / s
    return k / s, (b + h * k * imp) / s, s, by_x, by_v, grows


@serves("discrete")
@ti.func
def at_end_of_step_vjp(m: ti.template(), solref: ti.template(), solimp: ti.template(), i: ti.i32, kind: ti.i32,
                       imp: real, x_bar: real, v_bar: real, along: real, share_bar: real):  # fmt: skip
    """From the adjoints of S / s, (B + h S) / s and 1 / s, and minus that of log D, to the k and b that `reference`
    gives, at a fixed imp. Where D is the greatest it follows neither. Dry friction has no k."""
    h = m.timestep
    k0, b0 = reference(solref, solimp, i, h, m.refsafe)
    if kind == DRY:
        k0 = 0.0
    k = k0
    b = b0
    replaced = 0
    if kind == PUSHING and m.resolved != 0 and solref[i, 0] > 0 and k0 * imp * h * h > 1:
        replaced = 1
        k = 1.0 / (h * h * imp)
        b = b0 * ti.sqrt(k / k0)
    s = 1.0 + h * b + h * h * k * imp
    rate = (b + h * k * imp) / s
    hard = along
    if s * imp * (1 - MAXIMP) > (1 - imp) * MAXIMP:
        hard = 0.0
    hard = hard + share_bar / s
    b_bar = (-imp * k * h / s * x_bar + (1 - h * rate) * v_bar - h * hard) / s
    k_bar = imp * ((1 + h * b) / s * x_bar + h * (1 - h * rate) * v_bar - h * h * hard) / s
    if replaced:
        k_bar = -0.5 * b / k0 * b_bar
        b_bar = b / b0 * b_bar
    return k_bar, b_bar


@serves("discrete")
@ti.func
def hardened(imp: real, diag: real, s: real, grows: real):
    """D0 s, of which MAXIMP is the greatest impedance, and the derivative of its logarithm by imp."""
    D = s / ti.max(MINVAL, (1 - imp) / imp * diag)
    slope = grows + 1.0 / (imp * (1 - imp))
    least = (1 - MAXIMP) / MAXIMP * diag
    if D * least > 1:
        D = 1.0 / ti.max(MINVAL, least)
        slope = 0.0
    return D, slope
