"""Where a ray meets a height field, by MuJoCo's rule (engine_ray's): the nearest of the box below the elevation 0, of
the triangles of the surface, and of the sides between both. From within it meets what it leaves by."""

import taichi as ti

from engine.compiler.features import serves
from engine.math.types import EPS, HUGE, real, vec3, vec4

SLACK = 1e3 * EPS  # of a share of a triangle: no ray goes through between two


@ti.func
def side_hit(half: vec3, p: vec3, v: vec3, i: ti.template(), side: ti.template()):
    """Along the ray p + t v, t >= 0, to one side of a box about the origin; -1 where it misses it."""
    t = real(-1.0)
    if ti.abs(v[i]) > 1e-15:
        s = (side * half[i] - p[i]) / v[i]
        y = p + s * v
        j = ti.static((i + 1) % 3)
        k = ti.static((i + 2) % 3)
        if s >= 0 and ti.abs(y[j]) <= half[j] and ti.abs(y[k]) <= half[k]:
            t = s
    return t


@ti.func
def corner(size: vec4, nrow: ti.i32, ncol: ti.i32, data: ti.template(), adr: ti.i32, r: ti.i32, c: ti.i32):
    """Point of the surface in row r and column c."""
    x = 2.0 * size[0] / (ncol - 1) * c - size[0]
    y = 2.0 * size[1] / (nrow - 1) * r - size[1]
    return vec3(x, y, data[adr + r * ncol + c] * size[2])


@ti.func
def triangle_hit(a: vec3, b: vec3, c: vec3, p: vec3, v: vec3):
    """Along the ray to a triangle, -1 where it misses it, and the triangle's normal, of any length."""
    n = (b - a).cross(c - a)
    t = real(-1.0)
    if ti.abs(n.dot(v)) > 0:
        s = n.dot(a - p) / n.dot(v)
        y = p + s * v - a
        share1 = n.dot(y.cross(c - a)) / n.dot(n)
        share2 = n.dot((b - a).cross(y)) / n.dot(n)
        if s >= 0 and ti.min(share1, share2, 1 - share1 - share2) >= -SLACK:
            t = s
    return t, n


@ti.func
def between(a: real, b: real, width: real, half: real, n: ti.i32):
    """The first and the last of n - 1 cells of a width that an interval of coordinates reaches over, and one more at
    either end."""
    first = ti.cast(ti.floor((ti.min(a, b) + half) / width), ti.i32) - 1
    last = ti.cast(ti.floor((ti.max(a, b) + half) / width), ti.i32) + 1
    return ti.max(first, 0), ti.min(last, n - 2)


@ti.func
def height_at(t: real, begin: real, end: real, p: vec3, v: vec3):
    """Of the ray p + t v, at the t from begin to end that is the nearest to the given one."""
    return p[2] + ti.min(ti.max(t, begin), end) * v[2]


@serves("field_range")
@ti.func
def field_hit(size: vec4, nrow: ti.i32, ncol: ti.i32, data: ti.template(), adr: ti.i32, p: vec3, v: vec3):
    """Along the ray p + t v, t >= 0, in the frame of a height field, to where it meets it, -1 where it does not, and a
    normal there, of any length, outwards. size: half its lengths, its height and that of its base; data[adr:]:
    elevations, row by row, as shares of the height."""
    half = vec3(size[0], size[1], 0.5 * size[3])
    x = real(-1.0)
    n = vec3(0.0, 0.0, 1.0)
    low = p + vec3(0.0, 0.0, half[2])
    for i in ti.static(range(3)):
        for side in ti.static((-1, 1)):
            t = side_hit(half, low, v, i, side)
            if t >= 0 and (x < 0 or t < x):
                x = t
                n = vec3(0.0, 0.0, 0.0)
                n[i] = side
    half[2] = 0.5 * size[2]
    above = p - vec3(0.0, 0.0, half[2])
    first = real(HUGE)
    last = real(-1.0)
    for i in ti.static(range(3)):
        for side in ti.static((-1, 1)):
            t = side_hit(half, above, v, i, side)
            if t >= 0:
                first = ti.min(first, t)
                last = ti.max(last, t)
    if last >= 0:
        if first == last:
            first = 0.0
        dx = 2.0 * half[0] / (ncol - 1)
        dy = 2.0 * half[1] / (nrow - 1)
        # of heights along the ray, of which rounding must not hide any; no cell hides from one that is across
        slack = 4 * SLACK * size[2] + 16 * EPS * (ti.abs(p[2]) + ti.abs(v[2]) * last)
        for i in ti.static(range(2)):
            if ti.abs(v[i]) > 1e-15:
                slack += 16 * EPS * ti.abs(v[2]) * (half[i] + ti.abs(p[i])) / ti.abs(v[i])
        slow = real(0.0)
        if ti.abs(v[0]) > 1e-15:
            slow = 1.0 / v[0]
        else:
            slack = HUGE
        row, rowend = between(p[1] + first * v[1], p[1] + last * v[1], dy, half[1], nrow)
        for r in range(row, rowend + 1):
            # of the ray what is over this row
            begin = first
            end = last
            if ti.abs(v[1]) > 1e-15:
                t0 = (dy * r - half[1] - p[1]) / v[1]
                t1 = (dy * (r + 1) - half[1] - p[1]) / v[1]
                begin = ti.min(ti.max(begin, ti.min(t0, t1)), last)
                end = ti.max(ti.min(end, ti.max(t0, t1)), first)
            col, colend = between(p[0] + begin * v[0], p[0] + end * v[0], dx, half[0], ncol)
            o = adr + r * ncol + col
            left = height_at((dx * col - half[0] - p[0]) * slow, begin, end, p, v)
            least = ti.min(data[o], data[o + ncol])
            most = ti.max(data[o], data[o + ncol])
            for c in range(col, colend + 1):
                o = adr + r * ncol + c + 1
                right = height_at((dx * (c + 1) - half[0] - p[0]) * slow, begin, end, p, v)
                low1 = ti.min(data[o], data[o + ncol])
                high1 = ti.max(data[o], data[o + ncol])
                # most cells lie below or above what of the ray is over them
                near = ti.max(left, right) + slack >= size[2] * ti.min(least, low1)
                near = near and ti.min(left, right) - slack <= size[2] * ti.max(most, high1)
                if near:
                    for k in range(2):
                        x0 = corner(size, nrow, ncol, data, adr, r, c)
                        x1 = corner(size, nrow, ncol, data, adr, r + k, c + 1 - k)
                        t, u = triangle_hit(x0, x1, corner(size, nrow, ncol, data, adr, r + 1, c + 1), p, v)
                        if t >= 0 and (x < 0 or t < x):
                            x = t
                            n = (1 - 2 * k) * u  # upwards
                left = right
                least = low1
                most = high1
        for i in ti.static(range(2)):
            for side in ti.static((-1, 1)):
                t = side_hit(half, above, v, i, side)
                if t >= 0 and (x < 0 or t < x):
                    # the profile of that side
                    j = ti.static(1 - i)
                    count = nrow
                    across = ncol
                    if ti.static(i == 1):
                        count = ncol
                        across = nrow
                    s = (p[j] + t * v[j] + half[j]) / (2.0 * half[j]) * (count - 1)
                    k = ti.max(ti.min(ti.cast(ti.floor(s), ti.i32), count - 2), 0)
                    edge = 0
                    if ti.static(side > 0):
                        edge = across - 1
                    z0 = real(0.0)
                    z1 = real(0.0)
                    if ti.static(i == 0):
                        z0 = corner(size, nrow, ncol, data, adr, k, edge)[2]
                        z1 = corner(size, nrow, ncol, data, adr, k + 1, edge)[2]
                    else:
                        z0 = corner(size, nrow, ncol, data, adr, edge, k)[2]
                        z1 = corner(size, nrow, ncol, data, adr, edge, k + 1)[2]
                    if p[2] + t * v[2] < z0 * (k + 1 - s) + z1 * (s - k):
                        x = t
                        n = vec3(0.0, 0.0, 0.0)
                        n[i] = side
    return x, n
