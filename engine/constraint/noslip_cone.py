"""One contact's friction without slip (noslip.py): the least of 1/2 v^T A v + b^T v over what its cone allows.

Rows across the normal are numbered 0 to 4: two tangents, the spin, two rolls. A stands in slip_A, of the contact at
hand the residuals, forces and coefficients in slip_r, slip_f, slip_mu; what the forces gain goes to slip_x.
"""

import taichi as ti

from engine.compiler.features import has
from engine.constraint.rolling_cone import five
from engine.math.index import vector_at
from engine.math.types import MINVAL, real, vec3

# as in MuJoCo: below which a matrix is not positive, and which step or violation of a bound is none
TINY = 1e-10
MULTIPLIER_STEPS = 20


@ti.func
def across(d: ti.template(), q: ti.i32, k: ti.i32):
    """Row k of a contact's Jacobian at place q."""
    J = d.con_J[vector_at(q)]
    x = J[1]
    if k == 1:
        x = J[2]
    if ti.static(has.rolling):
        if k > 1:
            turn = d.turn_J[vector_at(q)]
            x = turn.dot(vec3(k == 2, k == 3, k == 4))
    return x


@ti.func
def load_contact(d: ti.template(), w: ti.i32, c: ti.i32):
    """slip_f, slip_mu and, of the two edges of a pyramid that each row tells apart, half the sum of their forces as the
    solver left them, slip_mean."""
    f = d.con_force[c]
    jar = d.con_jar[c]
    g = vec3(0.0, 0.0, 0.0)
    turn = g
    fr = g
    if ti.static(has.rolling):
        if d.con_dim[c] > 3:
            g = d.turn_force[c]
            turn = d.turn_jar[c]
            fr = d.turn_friction[c]
    force = five(f[1], f[2], g)
    slip = five(jar[1], jar[2], turn)
    mu = five(d.con_mu1[c], d.con_mu2[c], fr)
    for k in ti.static(range(5)):
        side = mu[k] * slip[k]
        d.slip_f[w, k] = force[k]
        d.slip_mu[w, k] = mu[k]
        d.slip_mean[w, k] = 0.5 * d.con_d[c] * (ti.max(0.0, -jar[0] - side) + ti.max(0.0, side - jar[0]))


@ti.func
def pyramid(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, n: ti.i32):
    """slip_x: what the forces of a pyramid gain, one after the other. Returns by how much the sum falls."""
    gain = real(0.0)
    for k in range(n):
        mu = d.slip_mu[w, k]
        mean = d.slip_mean[w, k]
        y = 0.5 * d.slip_f[w, k] / mu
        slope = d.slip_r[w, k]
        for j in range(k):
            slope = slope + d.slip_A[c, 5 * k + j] * d.slip_x[w, j]
        slope = 2 * mu * slope
        curve = 4 * mu * mu * d.slip_A[c, 6 * k]
        delta = -y
        if curve >= MINVAL:
            delta = ti.min(ti.max(y - slope / curve, -mean), mean) - y
        change = (0.5 * delta * curve + slope) * delta
        if change > TINY:
            delta = 0.0
            change = 0.0
        d.slip_x[w, k] = 2 * mu * delta
        gain = gain - change
    return gain


@ti.func
def cholesky(d: ti.template(), w: ti.i32, c: ti.i32, n: ti.i32, la: real):
    """slip_L: the factor of A + la, scaled so that the ellipsoid is a ball. Returns whether that is positive."""
    positive = 1
    det = real(1.0)
    for j in range(n):
        for i in range(j, n):
            x = d.slip_A[c, 5 * i + j] * d.slip_mu[w, i] * d.slip_mu[w, j]
            if i == j:
                x = x + la
            for k in range(j):
                x = x - d.slip_L[w, 5 * i + k] * d.slip_L[w, 5 * j + k]
            if i == j:
                det = det * x
                # MuJoCo asks for the determinant of two or three rows, for each pivot of five
                if x <= 0 or (n == 5 and x < TINY):
                    positive = 0
                    x = TINY
                d.slip_L[w, 6 * j] = ti.sqrt(x)
            else:
                d.slip_L[w, 5 * i + j] = x / d.slip_L[w, 6 * j]
    if n < 5 and det < TINY:
        positive = 0
    return positive


@ti.func
def forward_solve(d: ti.template(), w: ti.i32, n: ti.i32, x: ti.template()):
    """slip_y = L^-1 x; returns |slip_y|^2."""
    total = real(0.0)
    for i in range(n):
        y = x[w, i]
        for j in range(i):
            y = y - d.slip_L[w, 5 * i + j] * d.slip_y[w, j]
        y = y / d.slip_L[w, 6 * i]
        d.slip_y[w, i] = y
        total = total + y * y
    return total


@ti.func
def ellipsoid(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, n: ti.i32):
    """slip_x: what the forces of an elliptic cone gain. Returns by how much the sum falls.

    v = -(A + la)^-1 b in the scaled space, la the least from 0 on for which |v| <= f_n, by Newton's method.
    """
    fn = d.con_force[c][0]
    for i in range(n):
        b = d.slip_r[w, i]
        for j in range(n):
            b = b - d.slip_A[c, 5 * i + j] * d.slip_f[w, j]
        d.slip_b[w, i] = b * d.slip_mu[w, i]
        d.slip_x[w, i] = 0.0
    la = real(0.0)
    bound = 0
    steps = 0
    while steps < MULTIPLIER_STEPS:
        steps = steps + 1
        if cholesky(d, w, c, n, la) == 0:
            for i in range(n):
                d.slip_x[w, i] = 0.0
            bound = 0
            break
        forward_solve(d, w, n, d.slip_b)
        size = real(0.0)
        for ii in range(n):
            i = n - 1 - ii
            x = -d.slip_y[w, i]
            for j in range(i + 1, n):
                x = x - d.slip_L[w, 5 * j + i] * d.slip_x[w, j]
            x = x / d.slip_L[w, 6 * i]
            d.slip_x[w, i] = x
            size = size + x * x
        over = size - fn * fn
        if over < TINY:
            break
        step = over / (2 * forward_solve(d, w, n, d.slip_x))
        if step < TINY:
            break
        la = la + step
        bound = 1
    # on the bound, as far as rounding lets it
    scale = real(1.0)
    if bound:
        size = real(0.0)
        for i in range(n):
            size = size + d.slip_x[w, i] * d.slip_x[w, i]
        scale = ti.sqrt(fn * fn / ti.max(MINVAL, size))
    change = real(0.0)
    for i in range(n):
        d.slip_x[w, i] = scale * d.slip_x[w, i] * d.slip_mu[w, i] - d.slip_f[w, i]
    for i in range(n):
        slope = d.slip_r[w, i]
        for j in range(n):
            slope = slope + 0.5 * d.slip_A[c, 5 * i + j] * d.slip_x[w, j]
        change = change + slope * d.slip_x[w, i]
    if change > TINY:
        change = 0.0
        for i in range(n):
            d.slip_x[w, i] = 0.0
    return -change
