"""Sensors as differentiable outputs (MuJoCo documentation, XML reference, "sensor"), and their adjoint.

Frames of sites, geoms and bodies are all a point and a quaternion fixed to a body, so one function serves every sensor
of position, velocity and acceleration. A cotangent becomes a pose adjoint, a wrench on V or A of the body, a demand on
the acceleration (a_bar), or a demand on a contact's force (con_fbar).
"""

import taichi as ti

from engine.compiler.features import has
from engine.contact.ray import ray_hits
from engine.dynamics.kinematics import origin
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate, rotate_back
from engine.math.types import real, vec3, vec4
from engine.model.constants import (
    OBJ_BODY,
    OBJ_GEOM,
    OBJ_SITE,
    SENS_ACCELEROMETER,
    SENS_ACTUATORFRC,
    SENS_FRAMEANGVEL,
    SENS_FRAMELINVEL,
    SENS_FRAMEPOS,
    SENS_FRAMEQUAT,
    SENS_GYRO,
    SENS_JOINTPOS,
    SENS_JOINTVEL,
    SENS_SUBTREECOM,
    SENS_SUBTREELINVEL,
    SENS_TOUCH,
    SENS_VELOCIMETER,
)  # fmt: skip


@ti.func
def object_frame(m: ti.template(), d: ti.template(), w: ti.i32, kind: ti.i32, obj: ti.i32):
    """Body, position and orientation of a body (inertial frame), xbody, site or geom."""
    b = obj
    p = vec3(0.0, 0.0, 0.0)
    q = vec4(1.0, 0.0, 0.0, 0.0)
    if kind == OBJ_SITE:
        b = m.site_bodyid[obj]
        p = m.site_pos[obj]
        q = m.site_quat[obj]
    elif kind == OBJ_GEOM:
        b = m.geom_bodyid[obj]
        p = m.geom_pos[obj]
        q = m.geom_quat[obj]
    elif kind == OBJ_BODY:
        p = m.body_ipos[obj]
        q = m.body_iquat[obj]
    o = bounded(w * m.nbody + b)
    return b, d.xpos[o] + rotate(d.xquat[o], p), quat_mul(d.xquat[o], q)


@ti.func
def in_subtree(m: ti.template(), b: ti.i32, top: ti.i32):
    k = b
    while k > top:
        k = m.body_parentid[k]
    return k == top


@ti.func
def touches(m: ti.template(), d: ti.template(), w: ti.i32, c: ti.i32, site: ti.i32):
    """Whether contact c counts for a touch sensor: on the site's body, its normal force passing through the site."""
    b, p, q = object_frame(m, d, w, OBJ_SITE, site)
    hit = False
    if d.con_pair[c] >= 0 and d.con_force[c][0] > 0:
        n = d.con_normal[c]
        if d.con_body2[c] == b:
            n = -1.0 * n
        if d.con_body1[c] == b or d.con_body2[c] == b:
            hit = ray_hits(
                m.site_type[site],
                m.site_size[site],
                rotate_back(q, d.con_pos[c] - p),
                rotate_back(q, n),
            )
    return hit


@ti.func
def subtree(m: ti.template(), d: ti.template(), w: ti.i32, top: ti.i32):
    """Mass, centre of mass and its velocity of the bodies at and below `top`."""
    mass = real(0.0)
    com = vec3(0.0, 0.0, 0.0)
    vel = vec3(0.0, 0.0, 0.0)
    for b in range(top, m.nbody):
        if in_subtree(m, b, top):
            o = bounded(w * m.nbody + b)
            x = d.xipos[o]
            mb = m.body_mass[b]
            mass = mass + mb
            com = com + mb * x
            vel = vel + mb * (d.vel_lin[o] + d.vel_ang[o].cross(x - origin(m, d, w, b)))
    inv = 1.0 / ti.max(mass, 1e-15)
    return mass, com * inv, vel * inv


@ti.func
def frame_sensor(m: ti.template(), d: ti.template(), w: ti.i32, t: ti.i32, kind: ti.i32, obj: ti.i32):
    """Value of a sensor with three numbers that reads the motion of a frame."""
    b, p, q = object_frame(m, d, w, kind, obj)
    o = bounded(w * m.nbody + b)
    r = p - origin(m, d, w, b)
    omega = d.vel_ang[o]
    v = d.vel_lin[o] + omega.cross(r)
    x = p
    if t == SENS_FRAMELINVEL:
        x = v
    elif t == SENS_FRAMEANGVEL:
        x = omega
    elif t == SENS_GYRO:
        x = rotate_back(q, omega)
    elif t == SENS_VELOCIMETER:
        x = rotate_back(q, v)
    elif t == SENS_ACCELEROMETER:
        aa, al = spatial_acceleration(m, d, w, b)
        x = rotate_back(q, al + aa.cross(r) + omega.cross(v))
    return x


@ti.func
def spatial_acceleration(m: ti.template(), d: ti.template(), w: ti.i32, b: ti.i32):
    """A of body b with S a included; minus gravity at the root, so a body at rest reads upward acceleration."""
    nv = m.nv
    o = bounded(w * m.nbody + b)
    aa = d.acc_ang[o]
    al = d.acc_lin[o]
    i = m.body_lastdof[b]
    while i >= 0:
        s = bounded(w * nv + i)
        a = d.qacc[w, i]
        aa = aa + d.cdof_ang[s] * a
        al = al + d.cdof_lin[s] * a
        i = m.tree_parent[i]
    return aa, al


@ti.func
def sensors(m: ti.template(), d: ti.template(), w: ti.i32):
    """sensordata at the state and acceleration of this step."""
    for s in range(m.nsensor):
        t = m.sensor_type[s]
        obj = m.sensor_objid[s]
        kind = m.sensor_objtype[s]
        o = w * m.nsensordata + m.sensor_adr[s]
        if t == SENS_JOINTPOS:
            d.sensordata[o] = d.qpos[w * m.nq + m.jnt_qposadr[obj]]
        elif t == SENS_JOINTVEL:
            d.sensordata[o] = d.qvel[w * m.nv + m.jnt_dofadr[obj]]
        elif t == SENS_ACTUATORFRC:
            d.sensordata[o] = d.actuator_force[w * m.nu + obj]
        elif t == SENS_TOUCH:
            total = real(0.0)
            if ti.static(has.contact):
                for k in range(d.ncon[w]):
                    c = bounded(w * m.nconmax + k)
                    if touches(m, d, w, c, obj):
                        total = total + d.con_force[c][0]
            d.sensordata[o] = total
        elif t == SENS_FRAMEQUAT:
            b, p, q = object_frame(m, d, w, kind, obj)
            for i in ti.static(range(4)):
                d.sensordata[o + i] = q[i]
        else:
            x = vec3(0.0, 0.0, 0.0)
            if t == SENS_SUBTREECOM or t == SENS_SUBTREELINVEL:
                mass, com, vel = subtree(m, d, w, obj)
                x = com
                if t == SENS_SUBTREELINVEL:
                    x = vel
            else:
                x = frame_sensor(m, d, w, t, kind, obj)
            for i in ti.static(range(3)):
                d.sensordata[o + i] = x[i]
        cutoff = m.sensor_cutoff[s]
        if cutoff > 0 and t != SENS_FRAMEQUAT:
            for i in range(m.sensor_dim[s]):
                d.sensordata[o + i] = ti.min(ti.max(d.sensordata[o + i], -cutoff), cutoff)


@ti.func
def add_point(ang: ti.template(), lin: ti.template(), h: ti.i32, r: vec3, f: vec3, torque: vec3):
    """Adds a force at r (from the origin) and a torque to body h's motion or pose adjoint in columns (ang, lin)."""
    ang[h] = ang[h] + torque + r.cross(f)
    lin[h] = lin[h] + f


@ti.func
def frame_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, t: ti.i32, kind: ti.i32,
                     obj: ti.i32, bar: vec3):  # fmt: skip
    nv = m.nv
    b, p, q = object_frame(m, d, w, kind, obj)
    o = bounded(w * m.nbody + b)
    r = p - origin(m, d, w, b)
    omega = d.vel_ang[o]
    v = d.vel_lin[o] + omega.cross(r)
    zero = vec3(0.0, 0.0, 0.0)
    p_bar = zero  # of the point
    v_bar = zero  # of its velocity
    o_bar = zero  # of the angular velocity
    torque = zero  # of the orientation
    if t == SENS_FRAMEPOS:
        p_bar = bar
    elif t == SENS_FRAMELINVEL:
        v_bar = bar
    elif t == SENS_FRAMEANGVEL:
        o_bar = bar
    else:
        # read in the object's frame: R^T x, so x_bar = f = R bar and the frame feels the torque f x x
        f = rotate(q, bar)
        x = omega
        if t == SENS_GYRO:
            o_bar = f
        elif t == SENS_VELOCIMETER:
            x = v
            v_bar = f
        else:
            aa, al = spatial_acceleration(m, d, w, b)
            x = al + aa.cross(r) + omega.cross(v)
            o_bar = v.cross(f)
            v_bar = f.cross(omega)
            p_bar = f.cross(aa)
            add_point(g.acc_ang, g.acc_lin, o, r, f, zero)
            add_point(g.u_ang, g.u_lin, o, r, f, zero)
            ang = r.cross(f)
            i = m.body_lastdof[b]
            while i >= 0:
                s = bounded(w * nv + i)
                d.a_bar[w, i] = d.a_bar[w, i] + d.cdof_ang[s].dot(ang) + d.cdof_lin[s].dot(f)
                i = m.tree_parent[i]
        torque = f.cross(x)
    add_point(g.vel_ang, g.vel_lin, o, r, v_bar, o_bar)
    # v = v_origin + omega x r: the point's own motion
    add_point(g.pose_ang, g.pose_lin, o, r, p_bar + v_bar.cross(omega), torque)


@ti.func
def subtree_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, top: ti.i32, com_bar: vec3,
                vel_bar: vec3):  # fmt: skip
    mass, com, vel = subtree(m, d, w, top)
    zero = vec3(0.0, 0.0, 0.0)
    for b in range(top, m.nbody):
        if in_subtree(m, b, top):
            o = bounded(w * m.nbody + b)
            x = d.xipos[o]
            r = x - origin(m, d, w, b)
            omega = d.vel_ang[o]
            v = d.vel_lin[o] + omega.cross(r)
            share = m.body_mass[b] / ti.max(mass, 1e-15)
            add_point(g.vel_ang, g.vel_lin, o, r, share * vel_bar, zero)
            add_point(g.pose_ang, g.pose_lin, o, r, share * (com_bar + vel_bar.cross(omega)), zero)
            g.body_mass[w, b] = g.body_mass[w, b] + (com_bar.dot(x - com) + vel_bar.dot(v - vel)) / ti.max(mass, 1e-15)


@ti.func
def sensors_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                row: ti.i32):  # fmt: skip
    """Adds the cotangents of the sensordata recorded from `row` on; expects the law evaluated for touch sensors."""
    for s in range(m.nsensor):
        t = m.sensor_type[s]
        obj = m.sensor_objid[s]
        kind = m.sensor_objtype[s]
        o = row + m.sensor_adr[s]
        cutoff = m.sensor_cutoff[s]
        f = vec4(0.0, 0.0, 0.0, 0.0)
        for i in ti.static(range(4)):
            if i < m.sensor_dim[s]:
                clipped = cutoff > 0 and t != SENS_FRAMEQUAT and ti.abs(r.traj_sensordata[o + i]) >= cutoff
                if not clipped:
                    f[i] = b.cot_sensordata[o + i]
        if t == SENS_JOINTPOS:
            k = w * m.nv + m.jnt_dofadr[obj]
            g.qpos_bar[k] = g.qpos_bar[k] + f[0]
        elif t == SENS_JOINTVEL:
            k = w * m.nv + m.jnt_dofadr[obj]
            g.qvel_bar[k] = g.qvel_bar[k] + f[0]
        elif t == SENS_ACTUATORFRC:
            k = w * m.nu + obj
            g.force_bar[k] = g.force_bar[k] + f[0]
        elif t == SENS_TOUCH:
            if ti.static(has.contact):
                for k in range(d.ncon[w]):
                    c = bounded(w * m.nconmax + k)
                    if touches(m, d, w, c, obj):
                        d.con_fbar[c][0] = d.con_fbar[c][0] + f[0]
        elif t == SENS_FRAMEQUAT:
            body, p, q = object_frame(m, d, w, kind, obj)
            torque = quat_mul(f, vec4(q[0], -q[1], -q[2], -q[3]))
            h = bounded(w * m.nbody + body)
            g.pose_ang[h] = g.pose_ang[h] + 0.5 * vec3(torque[1], torque[2], torque[3])
        else:
            x = vec3(f[0], f[1], f[2])
            zero = vec3(0.0, 0.0, 0.0)
            if t == SENS_SUBTREECOM or t == SENS_SUBTREELINVEL:
                if t == SENS_SUBTREECOM:
                    subtree_vjp(m, d, g, w, obj, x, zero)
                else:
                    subtree_vjp(m, d, g, w, obj, zero, x)
            else:
                frame_sensor_vjp(m, d, g, w, t, kind, obj, x)
