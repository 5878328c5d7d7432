"""Cameras that follow a body or look at one, for the sensors that read their frames (MuJoCo documentation, XML
reference, "camera", mode).

    track, trackcom              p = x + pos0, x the body's place or its subtree's centre of mass; orientation held
    targetbody, targetbodycom    p as of any site; with y = p - x of the target, z = y / |y|, x level, across z

Where dz turns z, the frame turns by
    omega = -x (y . dz) + y (x . dz) + z (x . dz) z_2 / s,      s = |(z_0, z_1)|
so a torque T on it is the force k / |y| on p and its opposite on the target,
    k = (T . y) x - (T . x) y + (T . z) z_2 / s x
A camera that looks straight up or down has its x along the world's, as in MuJoCo; its turn about z jumps there and is
held. Sensors add the adjoints of a camera's frame to its body and its site, as of one that is fixed, and to `cam_force`
and `cam_turn`: what is too much there is taken away again, and what follows of it goes to what the camera follows.
"""

import taichi as ti

from engine.dynamics.frame_leaves import add_site_bars
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate
from engine.math.types import MINVAL, real, vec3, vec4
from engine.model.constants import CAM_TARGETBODYCOM, CAM_TRACKCOM
from engine.sensing.points import add_point
from engine.sensing.subtree import subtree, subtree_vjp


@ti.func
def half_turn(c: real, s: real):
    """Cosine and sine of half the angle that has cosine c and sine s; the former is not negative."""
    near = ti.sqrt(0.5 * (1.0 + ti.abs(c)))
    x = near
    y = 0.5 * s / near
    if c < 0:
        x = 0.5 * ti.abs(s) / near
        y = near if s >= 0 else -near
    return x, y


@ti.func
def level_of(z: vec3):
    """x of a camera, and the length s of z on the ground, 0 where it looks straight up or down."""
    s = ti.sqrt(z[0] * z[0] + z[1] * z[1])
    x = vec3(1.0, 0.0, 0.0)
    if s >= MINVAL:
        x = vec3(-z[1], z[0], 0.0) / s
    else:
        s = 0.0
    return x, s


@ti.func
def looking(y: vec3):
    """The orientation of a camera whose target is away by -y: about the vertical, then about x."""
    z = vec3(1.0, 0.0, 0.0)
    n = y.norm()
    if n >= MINVAL:
        z = y / n
    x, s = level_of(z)
    c1, s1 = half_turn(x[0], x[1])
    c2, s2 = half_turn(z[2], s)
    return quat_mul(vec4(c1, 0.0, 0.0, s1), vec4(c2, s2, 0.0, 0.0))


@ti.func
def followed(m: ti.template(), k: ti.i32):
    """The body that camera k follows or looks at, and whether by its subtree's centre of mass."""
    mode = m.cam_mode[k]
    b = m.site_bodyid[m.cam_siteid[k]]
    if mode > CAM_TRACKCOM:
        b = m.cam_targetbodyid[k]
    return b, mode == CAM_TRACKCOM or mode == CAM_TARGETBODYCOM


@ti.func
def place_cameras(m: ti.template(), d: ti.template(), w: ti.i32):
    """cam_xpos, cam_xquat and cam_aim."""
    for k in range(m.ncam):
        site = m.cam_siteid[k]
        h = bounded(w * m.nbody + m.site_bodyid[site])
        b, by_com = followed(m, k)
        x = d.xpos[bounded(w * m.nbody + b)]
        if by_com:
            mass, com, vel = subtree(m, d, w, b)
            x = com
        p = x + m.cam_pos0[k]
        q = m.cam_quat0[k]
        if m.cam_mode[k] > CAM_TRACKCOM:
            p = d.xpos[h] + rotate(d.xquat[h], m.site_pos[site])
            q = looking(p - x)
        c = bounded(w * m.ncam + k)
        d.cam_xpos[c] = p
        d.cam_aim[c] = x
        d.cam_xquat[c] = q


@ti.func
def place_cameras_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """From cam_force and cam_turn, which are then zero again, to bodies, masses, and the sites that cameras are, less
    what sensors gave these."""
    zero = vec3(0.0, 0.0, 0.0)
    for k in range(m.ncam):
        site = m.cam_siteid[k]
        c = bounded(w * m.ncam + k)
        f = g.cam_force[c]
        t = g.cam_turn[c]
        g.cam_force[c] = zero
        g.cam_turn[c] = zero
        b, by_com = followed(m, k)
        o = bounded(w * m.nbody + b)
        p = d.cam_xpos[c]
        rest = -1.0 * f
        if m.cam_mode[k] > CAM_TRACKCOM:
            y = p - d.cam_aim[c]
            n = y.norm()
            rest = zero
            if n >= MINVAL:
                z = y / n
                across, s = level_of(z)
                up = z.cross(across)
                by = t.dot(up)
                if s > 0:
                    by += t.dot(z) * z[2] / s
                rest = (by * across - t.dot(across) * up) / n
            f = -1.0 * rest
        own = m.site_bodyid[site]
        add_point(g.pose_ang, g.pose_lin, bounded(w * m.nbody + own), p - origin(m, d, w, own), rest, -1.0 * t)
        add_site_bars(m, d, g, w, site, rest, -1.0 * t)
        if by_com:
            subtree_vjp(m, d, g, w, b, f, zero)
        else:
            add_point(g.pose_ang, g.pose_lin, o, d.xpos[o] - origin(m, d, w, b), f, zero)
