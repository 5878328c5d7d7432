"""Sensors that sum over bodies: a subtree's angular momentum about its centre of mass, potential and kinetic energy.

A sum of y_b . I_b V_b with a motion y = T (momentum) or y = V (energy) has the adjoints V_bar = I T and, since I moves
with its body and T stays, X_bar = -(T x* I V + V x* I T).
"""

import taichi as ti

from engine.compiler.features import has
from engine.dynamics.frame_leaves import add_inertia_bars
from engine.dynamics.kinematics import origin
from engine.dynamics.passive import ball_spring, nonlinear_spring
from engine.dynamics.plastic import ball_rest_vjp, rest_length_vjp, spring_rest, spring_rest_vjp
from engine.dynamics.rnea import moved_inertia
from engine.dynamics.tendon import spring_of, tendon_stretch
from engine.math.index import bounded
from engine.math.quat import quat_mul, rotate_back
from engine.math.spatial import cross_force, inertia_mul
from engine.math.types import real, vec3
from engine.model.coordinates import QUATERNION
from engine.model.sensors import LEVEL, SENS
from engine.sensing.frames import narrow, own_inertia, wide
from engine.sensing.points import add_point, in_subtree
from engine.sensing.subtree import subtree
from engine.sensing.values import cotangent, write_sensor


@ti.func
def turns_about(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """The first body that sensor s sums over, with all below it, and their centre of mass and its velocity: all bodies
    for the kinetic energy."""
    top = ti.max(m.sensor_objid[s], 0)
    mass, com, vel = subtree(m, d, w, top)
    return top, com, vel


@ti.func
def momentum_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    """Angular momentum of a subtree about its centre of mass; or the kinetic energy."""
    top, com, vel = turns_about(m, d, w, s)
    x = vec3(0.0, 0.0, 0.0)
    for b in range(ti.max(top, 1), m.nbody):
        if in_subtree(m, b, top):
            o = bounded(w * m.nbody + b)
            r, idiag, ioff = own_inertia(m, d, w, b)
            ha, hl = inertia_mul(m.body_mass[b], r, idiag, ioff, d.vel_ang[o], d.vel_lin[o])
            if m.sensor_type[s] == SENS.e_kinetic:
                x[0] = x[0] + 0.5 * (d.vel_ang[o].dot(ha) + d.vel_lin[o].dot(hl))
            else:
                x = x + ha - (com - origin(m, d, w, b)).cross(hl)
    if m.sensor_type[s] == SENS.e_kinetic:
        for i in range(m.nv):
            v = d.qvel[w * m.nv + i]
            x[0] = x[0] + 0.5 * m.dof_armature[i] * v * v
        x[0] = x[0] + tendon_kinetic(m, d, w)
    return x


@ti.func
def momentum_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec3):
    """For the momentum T turns with `bar` about the centre of mass c; c itself has the cotangent bar x p, p the linear
    momentum. For the energy T = bar V / 2, and V has once more what T makes of it."""
    top, com, vel = turns_about(m, d, w, s)
    energy = m.sensor_type[s] == SENS.e_kinetic
    c_bar = bar.cross(vel)  # over the mass
    twice = real(1.0)
    if energy:
        c_bar = vec3(0.0, 0.0, 0.0)
        twice = 2.0
    for b in range(ti.max(top, 1), m.nbody):
        if in_subtree(m, b, top):
            o = bounded(w * m.nbody + b)
            mass = m.body_mass[b]
            c0 = origin(m, d, w, b)
            x = d.xipos[o]
            r = x - c0
            va = d.vel_ang[o]
            vl = d.vel_lin[o]
            ang = bar
            lin = (com - c0).cross(bar)
            if energy:
                ang = 0.5 * bar[0] * va
                lin = 0.5 * bar[0] * vl
            ha, hl = inertia_mul(mass, r, d.inertia_diag[o], d.inertia_off[o], va, vl)
            ta, tl = inertia_mul(mass, r, d.inertia_diag[o], d.inertia_off[o], ang, lin)
            g.vel_ang[o] = g.vel_ang[o] + twice * ta
            g.vel_lin[o] = g.vel_lin[o] + twice * tl
            xa, xl = cross_force(ang, lin, ha, hl)
            ya, yl = cross_force(va, vl, ta, tl)
            add_point(g.pose_ang, g.pose_lin, o, r, mass * c_bar, -1.0 * (xa + ya))
            g.pose_lin[o] = g.pose_lin[o] - xl - yl
            if ti.static(has.inertia_leaf):
                place, turn = moved_inertia(mass, r, d.inertia_diag[o], d.inertia_off[o], va, vl, ang, lin)
                add_inertia_bars(m, d, g, w, b, place + mass * c_bar, turn)
            mass_bar = (lin + ang.cross(r)).dot(vl + va.cross(r)) + c_bar.dot(x - com)
            g.body_mass[w, b] = g.body_mass[w, b] + mass_bar
            q = quat_mul(d.xquat[o], m.body_iquat[b])
            inertia_bar = rotate_back(q, ang) * rotate_back(q, va)
            for i in ti.static(range(3)):
                g.body_inertia[w, b, i] = g.body_inertia[w, b, i] + inertia_bar[i]
    if energy:
        for i in range(m.nv):
            k = w * m.nv + i
            v = d.qvel[k]
            g.qvel_bar[k] = g.qvel_bar[k] + bar[0] * m.dof_armature[i] * v
            g.dof_armature[w, i] = g.dof_armature[w, i] + 0.5 * bar[0] * v * v
        if ti.static(has.tendon):
            tendon_kinetic_vjp(m, d, g, w, bar[0])


@ti.func
def potential(m: ti.template(), d: ti.template(), w: ti.i32):
    """Of gravity and of springs."""
    gravity = vec3(m.gravity[0], m.gravity[1], m.gravity[2])
    x = real(0.0)
    for b in range(1, m.nbody):
        x = x - m.body_mass[b] * gravity.dot(d.xipos[bounded(w * m.nbody + b)])
    for j in range(m.ncoord):
        r = stretch(m, d, w, j)
        joint = m.coord_jntid[j]
        x = x + 0.5 * m.jnt_stiffness[joint] * r.dot(r)
        if ti.static(has.polynomial):
            s = reach(m, j, r)
            x = x + (m.jnt_stiffnesspoly[joint, 0] / 3.0 + m.jnt_stiffnesspoly[joint, 1] * s / 4.0) * s * s * s
    if ti.static(has.tendon):
        for t in range(m.ntendon):
            s, end = tendon_stretch(m, d, w, t)
            k = 0.5 * m.tendon_stiffness[t]
            k = k + (m.tendon_stiffnesspoly[t, 0] / 3.0 + m.tendon_stiffnesspoly[t, 1] * s / 4.0) * s
            x = x + k * s * s
    return x


@ti.func
def tendon_kinetic(m: ti.template(), d: ti.template(), w: ti.i32):
    """What the tendons' armature adds to the kinetic energy, as M has it."""
    x = real(0.0)
    if ti.static(has.tendon):
        for t in range(m.ntendon):
            first = m.tendon_pairadr[t]
            for p in range(first, first + m.tendon_pairnum[t]):
                i = m.couple_deep[p]
                j = m.couple_above[p]
                twice = ti.cast(2 - (i == j), real)
                v = d.qvel[w * m.nv + m.ten_J_colind[i]] * d.qvel[w * m.nv + m.ten_J_colind[j]]
                x = x + 0.5 * twice * m.tendon_armature[t] * d.ten_J[w, i] * d.ten_J[w, j] * v
    return x


@ti.func
def tendon_kinetic_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, bar: real):
    for t in range(m.ntendon):
        first = m.tendon_pairadr[t]
        for p in range(first, first + m.tendon_pairnum[t]):
            i = m.couple_deep[p]
            j = m.couple_above[p]
            k = w * m.nv + m.ten_J_colind[i]
            n = w * m.nv + m.ten_J_colind[j]
            a = 0.5 * ti.cast(2 - (i == j), real) * bar
            x = d.ten_J[w, i] * d.ten_J[w, j]
            v = d.qvel[k] * d.qvel[n]
            g.tendon_armature[w, t] = g.tendon_armature[w, t] + a * x * v
            a = a * m.tendon_armature[t]
            g.qvel_bar[k] = g.qvel_bar[k] + a * x * d.qvel[n]
            g.qvel_bar[n] = g.qvel_bar[n] + a * x * d.qvel[k]
            g.ten_J_bar[w, i] = g.ten_J_bar[w, i] + a * v * d.ten_J[w, j]
            g.ten_J_bar[w, j] = g.ten_J_bar[w, j] + a * v * d.ten_J[w, i]


@ti.func
def reach(m: ti.template(), j: ti.i32, r: vec3):
    """The stretch as the number that a polynomial takes: of a ball the angle."""
    x = r[0]
    if m.coord_kind[j] == QUATERNION:
        x = r.norm()
    return x


@ti.func
def stretch(m: ti.template(), d: ti.template(), w: ti.i32, j: ti.i32):
    """Of the spring at coordinate j: a rotation vector, or a number in its place."""
    q = w * m.nq + m.coord_qposadr[j]
    ref = m.coord_qposadr[j]
    r = vec3(0.0, 0.0, 0.0)
    if m.coord_kind[j] == QUATERNION:
        if ti.static(has.quaternion):
            r = ball_spring(m, d, w, m.coord_jntid[j], q, ref)
    else:
        r[0] = d.qpos[q] - spring_rest(m, d, w, m.coord_jntid[j], ref)
    return r


@ti.func
def potential_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, bar: real):
    """A spring's stretch r is its own gradient of r . r / 2, since Jr(r)^-T r = r."""
    gravity = vec3(m.gravity[0], m.gravity[1], m.gravity[2])
    for b in range(1, m.nbody):
        o = bounded(w * m.nbody + b)
        x = d.xipos[o]
        mass = m.body_mass[b]
        zero = vec3(0.0, 0.0, 0.0)
        add_point(g.pose_ang, g.pose_lin, o, x - origin(m, d, w, b), -bar * mass * gravity, zero)
        add_inertia_bars(m, d, g, w, b, -bar * mass * gravity, zero)
        g.body_mass[w, b] = g.body_mass[w, b] - bar * gravity.dot(x)
        for i in ti.static(range(3)):
            g.gravity[w, i] = g.gravity[w, i] - bar * mass * x[i]
    for j in range(m.ncoord):
        joint = m.coord_jntid[j]
        k = w * m.nv + m.coord_dofadr[j]
        r = stretch(m, d, w, j)
        g.jnt_stiffness[w, joint] = g.jnt_stiffness[w, joint] + 0.5 * bar * r.dot(r)
        k1 = m.jnt_stiffness[joint]
        if ti.static(has.polynomial):
            more, slope = nonlinear_spring(m, joint, reach(m, j, r))
            k1 = k1 + more
        f = bar * k1 * r
        g.qpos_bar[k] = g.qpos_bar[k] + f[0]
        if m.coord_kind[j] == QUATERNION:
            g.qpos_bar[k + 1] = g.qpos_bar[k + 1] + f[1]
            g.qpos_bar[k + 2] = g.qpos_bar[k + 2] + f[2]
            if ti.static(has.quaternion):
                ball_rest_vjp(m, d, g, w, joint, r, f)
        else:
            spring_rest_vjp(m, g, w, joint, f[0])
    if ti.static(has.tendon):
        for t in range(m.ntendon):
            s, end = tendon_stretch(m, d, w, t)
            k, slope = spring_of(m, t, s)
            g.tendon_stiffness[w, t] = g.tendon_stiffness[w, t] + 0.5 * bar * s * s
            g.ten_length_bar[w, t] = g.ten_length_bar[w, t] + bar * k * s
            if end >= 0:
                rest_length_vjp(m, g, w, t, end, -bar * k * s)


@ti.func
def energy_sensor(m: ti.template(), d: ti.template(), w: ti.i32, s: ti.i32):
    x = vec3(0.0, 0.0, 0.0)
    if m.sensor_type[s] == SENS.e_potential:
        x[0] = potential(m, d, w)
    else:
        x = momentum_sensor(m, d, w, s)
    return x


@ti.func
def energy_sensor_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, s: ti.i32, bar: vec3):
    if m.sensor_type[s] == SENS.e_potential:
        potential_vjp(m, d, g, w, bar[0])
    else:
        momentum_sensor_vjp(m, d, g, w, s, bar)


@ti.func
def energies(m: ti.template(), d: ti.template(), w: ti.i32):
    """The readings of all of them."""
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.energy:
            write_sensor(m, d, w, s, wide(energy_sensor(m, d, w, s)))


@ti.func
def energies_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                 row: ti.i32):  # fmt: skip
    for s in range(m.nsensor):
        if m.sensor_level[s] == LEVEL.energy:
            energy_sensor_vjp(m, d, g, w, s, narrow(cotangent(m, r, b, s, row)))
