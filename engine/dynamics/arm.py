"""Actuators whose moment arms depend on the pose: a length l and a row of moments (MuJoCo documentation, XML reference,
"general"), which transmission.py reads as it does those of joints.

    site      a wrench, the gear in the site's axes; l = 0
    refsite   the gear in the reference site's axes, of the site's place and turn seen from there; dofs that move both
              have no moment
    so3       the same of a turn alone, in the site's own axes (orientation.py)
    crank     l = gear (a . v - s),  s^2 = (a . v)^2 + r^2 - v . v:  v from slider to crank, a the slider's z, r the rod
    parent    the gear in the axes that a ball or free joint turns from
    body      along the normals of its contacts (constraint/adhesion.py)

All but these two are a force f at p and a torque t on each of two bodies. Their moment along a motion X is
    E(X) = sum over both of f . u + t . omega,     u and omega: X's velocities at p,
for refsite without the motion that both have in common. Readers add to g.arm_length_bar and to the factors of E, one
for each of Z and V; where it is no motion that they read a row along, as with what a joint's limit cuts off, with
velocity slopes of which M holds but a part, and with the metric of the integrator discrete, to arm_J_bar. `arms_vjp`,
which comes last, knows what an arm is made of.
"""

import taichi as ti

from engine.compiler.features import serves
from engine.dynamics.frame_leaves import add_site_bars
from engine.dynamics.kinematics import origin, read_quat
from engine.math.index import bounded
from engine.math.quat import jr_inverse_transpose, quat_log, quat_mul, rotate, rotate_back
from engine.math.types import real, vec3, vec4
from engine.model.constants import FREE, TRN_BODY, TRN_JOINTINPARENT, TRN_SLIDERCRANK, TRN_SO3


@ti.func
def gear_of(m: ti.template(), u: ti.i32, first: ti.i32):
    """Three numbers of an actuator's gear."""
    return vec3(m.actuator_gear[u, first], m.actuator_gear[u, first + 1], m.actuator_gear[u, first + 2])


@ti.func
def add_gear_bar(g: ti.template(), w: ti.i32, u: ti.i32, first: ti.i32, x: vec3):
    for i in ti.static(range(3)):
        g.actuator_gear[w, u, first + i] = g.actuator_gear[w, u, first + i] + x[i]


@ti.func
def arm_site(m: ti.template(), d: ti.template(), w: ti.i32, x: ti.i32):
    """Place and orientation of a site of an arm, x being 2 arm or, for the second one, 2 arm + 1."""
    b = bounded(w * m.nbody + m.arm_body[x])
    return d.xpos[b] + rotate(d.xquat[b], m.arm_pos[x]), quat_mul(d.xquat[b], m.arm_quat[x])


@ti.func
def between(q1: vec4, q2: vec4):
    """The rotation vector from q2 to q1, in the axes of either."""
    return quat_log(quat_mul(vec4(q2[0], -q2[1], -q2[2], -q2[3]), q1))


@ti.func
def crank(m: ti.template(), u: ti.i32, v: vec3, a: vec3):
    """Length for a gear of one, a . v, s (negative where the rod is too short, and l = a . v) and 1 - a . v / s."""
    av = a.dot(v)
    rod = m.actuator_cranklength[u]
    det = av * av + rod * rod - v.dot(v)
    length = av
    s = real(-1.0)
    k = real(1.0)
    if det > 0:
        s = ti.sqrt(det)
        length = av - s
        k = 1.0 - av / s
    return length, av, s, k


@ti.func
def write_wrench(d: ti.template(), i: ti.i32, p: vec3, f: vec3, t: vec3):
    d.arm_p[i] = p
    d.arm_f[i] = f
    d.arm_t[i] = t


@serves("arm")
@ti.func
def arms(m: ti.template(), d: ti.template(), w: ti.i32):
    """arm_length and arm_J of all arms, and the wrenches that they are made of."""
    nv = m.nv
    for s in range(m.narm):
        u = m.arm_actuator[s]
        row = (w * m.narm + s) * nv
        for k in range(nv):
            d.arm_J[row + k] = 0.0
        if m.actuator_trntype[u] == TRN_JOINTINPARENT:
            d.arm_length[w, s] = parent_arm(m, d, w, u, row)
        elif m.actuator_trntype[u] != TRN_BODY:
            d.arm_length[w, s] = site_arm(m, d, w, s, u)
            site_row(m, d, w, s, row)


@ti.func
def parent_arm(m: ti.template(), d: ti.template(), w: ti.i32, u: ti.i32, row: ti.i32):
    """The row of an arm of a ball or free joint; returns the length."""
    j = m.actuator_trnid[u]
    qa = w * m.nq + m.jnt_qposadr[j]
    at = row + m.jnt_dofadr[j]
    free = ti.cast(m.jnt_type[j] == FREE, ti.i32)
    q = read_quat(d.qpos, qa + 3 * free)
    c = rotate_back(q, gear_of(m, u, 3 * free))
    for k in ti.static(range(3)):
        if free:
            d.arm_J[at + k] = m.actuator_gear[u, k]
        d.arm_J[at + 3 * free + k] = c[k]
    return (1 - free) * quat_log(q).dot(c)


@ti.func
def site_arm(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, u: ti.i32):
    """The wrenches of an arm of sites; returns the length."""
    i = bounded(2 * (w * m.narm + s))
    zero = vec3(0.0, 0.0, 0.0)
    length = real(0.0)
    p1, q1 = arm_site(m, d, w, 2 * s)
    if m.arm_body[2 * s + 1] < 0:
        write_wrench(d, i, p1, rotate(q1, gear_of(m, u, 0)), rotate(q1, gear_of(m, u, 3)))
    else:
        p2, q2 = arm_site(m, d, w, 2 * s + 1)
        v = p1 - p2
        if m.actuator_trntype[u] == TRN_SLIDERCRANK:
            gear = m.actuator_gear[u, 0]
            a = rotate(q2, vec3(0.0, 0.0, 1.0))
            length, av, root, k = crank(m, u, v, a)
            f = gear * k * a
            if root > 0:
                f = f + (gear / root) * v
            write_wrench(d, i, p1, f, zero)
            write_wrench(d, i + 1, p2, -f, (gear * k) * a.cross(v))
            length = gear * length
        else:
            f = rotate(q2, gear_of(m, u, 0))
            t = gear_of(m, u, 3)
            if m.actuator_trntype[u] == TRN_SO3:
                t = rotate(q1, t)
            else:
                t = rotate(q2, t)
            write_wrench(d, i, p1, f, t)
            write_wrench(d, i + 1, p2, -f, -t)
            length = f.dot(v) + gear_of(m, u, 3).dot(between(q1, q2))
    return length


@ti.func
def site_row(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32, row: ti.i32):
    """What these wrenches are along the dofs."""
    for side in range(2):
        b = m.arm_body[2 * s + side]
        if b >= 0:
            i = bounded(2 * (w * m.narm + s) + side)
            f = d.arm_f[i]
            t = d.arm_t[i] + (d.arm_p[i] - origin(m, d, w, b)).cross(f)
            k = m.body_lastdof[b]
            while k >= 0:
                x = bounded(w * m.nv + k)
                d.arm_J[row + k] = d.arm_J[row + k] + d.cdof_ang[x].dot(t) + d.cdof_lin[x].dot(f)
                k = m.tree_parent[k]
    if m.arm_common[s] >= 0:
        k = m.body_lastdof[m.arm_common[s]]
        while k >= 0:
            d.arm_J[row + k] = 0.0
            k = m.tree_parent[k]


@serves("arm")
@ti.func
def clear_arms(m: ti.template(), g: ti.template(), w: ti.i32):
    """No adjoint of any arm yet, nor of dofs' axes."""
    for s in range(m.narm):
        for x in ti.static((g.arm_length_bar, g.arm_z, g.arm_v)):
            x[w, s] = 0.0
        for k in range(m.nv):
            g.arm_J_bar[(w * m.narm + s) * m.nv + k] = 0.0
    if m.narm > 0:
        for k in range(m.nv):
            x = bounded(w * m.nv + k)
            g.axis_ang[x] = vec3(0.0, 0.0, 0.0)
            g.axis_lin[x] = vec3(0.0, 0.0, 0.0)


@ti.func
def along(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, e: real, ang: ti.template(),
          lin: ti.template(), ang_bar: ti.template(), lin_bar: ti.template()):  # fmt: skip
    """Adds the adjoints of e E(X) of arm s to those of the motion X in columns (ang, lin) and of the wrenches."""
    common = m.arm_common[s]
    for side in range(2):
        b = m.arm_body[2 * s + side]
        if b >= 0:
            i = bounded(2 * (w * m.narm + s) + side)
            r = d.arm_p[i] - origin(m, d, w, b)
            f = e * d.arm_f[i]
            t = e * d.arm_t[i] + r.cross(f)
            h = bounded(w * m.nbody + b)
            omega = ang[h]
            u = lin[h]
            ang_bar[h] = ang_bar[h] + t
            lin_bar[h] = lin_bar[h] + f
            if common >= 0:
                h = bounded(w * m.nbody + common)
                omega = omega - ang[h]
                u = u - lin[h]
                ang_bar[h] = ang_bar[h] - t
                lin_bar[h] = lin_bar[h] - f
            g.arm_f_bar[i] = g.arm_f_bar[i] + e * (u + omega.cross(r))
            g.arm_t_bar[i] = g.arm_t_bar[i] + e * omega
            g.arm_p_bar[i] = g.arm_p_bar[i] + f.cross(omega)


@ti.func
def site_moves(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, x: ti.i32, p: vec3, p_bar: vec3,
               turn: vec3):  # fmt: skip
    """From the adjoints of a site's place p and orientation to the pose of its body."""
    b = m.arm_body[x]
    h = bounded(w * m.nbody + b)
    g.pose_ang[h] = g.pose_ang[h] + turn + (p - origin(m, d, w, b)).cross(p_bar)
    g.pose_lin[h] = g.pose_lin[h] + p_bar
    add_site_bars(m, d, g, w, m.arm_site[x], p_bar, turn)


@ti.func
def crank_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, u: ti.i32, l_bar: real, v: vec3, a: vec3,
              force: vec3, torque: vec3):  # fmt: skip
    """From the adjoints of a crank's length, force and torque to its gear; returns those of v and a."""
    gear = m.actuator_gear[u, 0]
    length, av, s, k = crank(m, u, v, a)
    x = torque.cross(a)
    # the sum of l_bar l + force . (k a + v / s) + x . k v, for a gear of one
    v_bar = k * x + l_bar * k * a
    a_bar = k * force + k * v.cross(torque) + l_bar * k * v
    total = l_bar * length + k * (force.dot(a) + x.dot(v))
    if s > 0:
        total = total + force.dot(v) / s
        v_bar = v_bar + (force + l_bar * v) / s
        k_bar = force.dot(a) + x.dot(v)
        s_bar = (k_bar * av - force.dot(v)) / (s * s)
        av_bar = (s_bar * av - k_bar) / s
        v_bar = v_bar - (s_bar / s) * v + av_bar * a
        a_bar = a_bar + av_bar * v
    g.actuator_gear[w, u, 0] = g.actuator_gear[w, u, 0] + total
    return gear * v_bar, gear * a_bar


@ti.func
def site_arm_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, u: ti.i32):
    """From the adjoints of length and wrenches to gear and poses."""
    i = bounded(2 * (w * m.narm + s))
    l_bar = g.arm_length_bar[w, s]
    p1, q1 = arm_site(m, d, w, 2 * s)
    f_bar = g.arm_f_bar[i]
    t_bar = g.arm_t_bar[i]
    p1_bar = g.arm_p_bar[i]
    turn1 = vec3(0.0, 0.0, 0.0)
    if m.arm_body[2 * s + 1] < 0:
        turn1 = d.arm_f[i].cross(f_bar) + d.arm_t[i].cross(t_bar)
        add_gear_bar(g, w, u, 0, rotate_back(q1, f_bar))
        add_gear_bar(g, w, u, 3, rotate_back(q1, t_bar))
    else:
        p2, q2 = arm_site(m, d, w, 2 * s + 1)
        v = p1 - p2
        f_bar = f_bar - g.arm_f_bar[i + 1]
        p2_bar = g.arm_p_bar[i + 1]
        turn2 = turn1
        if m.actuator_trntype[u] == TRN_SLIDERCRANK:
            a = rotate(q2, vec3(0.0, 0.0, 1.0))
            v_bar, a_bar = crank_vjp(m, d, g, w, u, l_bar, v, a, f_bar, g.arm_t_bar[i + 1])
            p1_bar = p1_bar + v_bar
            p2_bar = p2_bar - v_bar
            turn2 = a.cross(a_bar)
        else:
            t_bar = t_bar - g.arm_t_bar[i + 1]
            f_bar = f_bar + l_bar * v
            p1_bar = p1_bar + l_bar * d.arm_f[i]
            p2_bar = p2_bar - l_bar * d.arm_f[i]
            r = between(q1, q2)
            turn1 = rotate(q1, jr_inverse_transpose(r, l_bar * gear_of(m, u, 3)))
            turn2 = d.arm_f[i].cross(f_bar) - turn1
            add_gear_bar(g, w, u, 0, rotate_back(q2, f_bar))
            turned = d.arm_t[i].cross(t_bar)
            if m.actuator_trntype[u] == TRN_SO3:
                turn1 = turn1 + turned
                t_bar = rotate_back(q1, t_bar)
            else:
                turn2 = turn2 + turned
                t_bar = rotate_back(q2, t_bar)
            add_gear_bar(g, w, u, 3, t_bar + l_bar * r)
        site_moves(m, d, g, w, 2 * s + 1, p2, p2_bar, turn2)
    site_moves(m, d, g, w, 2 * s, p1, p1_bar, turn1)


@ti.func
def parent_arm_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, u: ti.i32):
    """The same of an arm of a ball or free joint, whose row moves with its own quaternion alone."""
    j = m.actuator_trnid[u]
    free = ti.cast(m.jnt_type[j] == FREE, ti.i32)
    q = read_quat(d.qpos, w * m.nq + m.jnt_qposadr[j] + 3 * free)
    c = rotate_back(q, gear_of(m, u, 3 * free))
    c_bar = vec3(0.0, 0.0, 0.0)
    for k in ti.static(range(6)):
        if k < 3 or free:
            i = m.jnt_dofadr[j] + k
            e = g.arm_v[w, s] * d.arm_J[(w * m.narm + s) * m.nv + i]
            g.qvel_bar[w * m.nv + i] = g.qvel_bar[w * m.nv + i] + e
            bar = g.arm_z[w, s] * d.z[w, i] + g.arm_v[w, s] * d.qvel[w * m.nv + i]
            bar = bar + g.arm_J_bar[(w * m.narm + s) * m.nv + i]
            if free and k < 3:
                g.actuator_gear[w, u, k] = g.actuator_gear[w, u, k] + bar
            else:
                c_bar[k % 3] = bar
    turn = c_bar.cross(c)
    if not free:
        l_bar = g.arm_length_bar[w, s]
        r = quat_log(q)
        turn = turn + jr_inverse_transpose(r, l_bar * gear_of(m, u, 0))
        add_gear_bar(g, w, u, 0, l_bar * r)
    add_gear_bar(g, w, u, 3 * free, rotate(q, c_bar))
    for k in ti.static(range(3)):
        i = w * m.nv + m.jnt_dofadr[j] + 3 * free + k
        g.qpos_bar[i] = g.qpos_bar[i] + turn[k]


@ti.func
def arm_row_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32):
    """From arm_J_bar, the adjoint of the row of an arm of sites, to its wrenches and the axes of its dofs."""
    row = (w * m.narm + s) * m.nv
    if m.arm_common[s] >= 0:
        k = m.body_lastdof[m.arm_common[s]]
        while k >= 0:
            g.arm_J_bar[row + k] = 0.0
            k = m.tree_parent[k]
    for side in range(2):
        b = m.arm_body[2 * s + side]
        if b >= 0:
            i = bounded(2 * (w * m.narm + s) + side)
            r = d.arm_p[i] - origin(m, d, w, b)
            f = d.arm_f[i]
            t = d.arm_t[i] + r.cross(f)
            k = m.body_lastdof[b]
            while k >= 0:
                x = bounded(w * m.nv + k)
                e = g.arm_J_bar[row + k]
                if e != 0:
                    g.axis_ang[x] = g.axis_ang[x] + e * t
                    g.axis_lin[x] = g.axis_lin[x] + e * f
                    g.arm_f_bar[i] = g.arm_f_bar[i] + e * (d.cdof_lin[x] + d.cdof_ang[x].cross(r))
                    g.arm_t_bar[i] = g.arm_t_bar[i] + e * d.cdof_ang[x]
                    g.arm_p_bar[i] = g.arm_p_bar[i] + e * f.cross(d.cdof_ang[x])
                k = m.tree_parent[k]


@serves("arm")
@ti.func
def arms_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    """The adjoint of all arms, after what else reads them has added to theirs."""
    zero = vec3(0.0, 0.0, 0.0)
    for s in range(m.narm):
        u = m.arm_actuator[s]
        if m.actuator_trntype[u] == TRN_JOINTINPARENT:
            parent_arm_vjp(m, d, g, w, s, u)
        elif m.actuator_trntype[u] != TRN_BODY:
            for side in range(2):
                i = bounded(2 * (w * m.narm + s) + side)
                g.arm_f_bar[i] = zero
                g.arm_t_bar[i] = zero
                g.arm_p_bar[i] = zero
            for x in ti.static(range(2)):
                e, ang, lin, ang_bar, lin_bar = ti.static((
                    (g.arm_z, d.l_ang, d.l_lin, g.l_ang, g.l_lin),
                    (g.arm_v, d.vel_ang, d.vel_lin, g.vel_ang, g.vel_lin),
                )[x])  # fmt: skip
                along(m, d, g, w, s, e[w, s], ang, lin, ang_bar, lin_bar)
            arm_row_vjp(m, d, g, w, s)
            site_arm_vjp(m, d, g, w, s, u)
