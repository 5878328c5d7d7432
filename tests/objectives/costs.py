"""Costs as Taichi functions: right ones, and one for each construct that must be refused."""

import taichi as ti


@ti.func
def bump(x):
    return ti.exp(-x * x)


@ti.func
def running(qpos, qvel, ctrl, sensordata, time):
    c = (qpos[0] - 1.0) ** 2 + 0.1 * ctrl.norm_sqr() + ti.sin(time) * qvel[0]
    c += ti.tanh(sensordata[0]) * ti.sqrt(1.0 + qvel.norm_sqr())
    for i in ti.static(range(3)):
        c += bump(qpos[i]) * qpos[i]
    if qpos[2] > 0.3:
        c += (qpos[2] - 0.3) ** 2
    return c


@ti.func
def terminal(qpos, qvel, ctrl, sensordata, time):
    return qpos[1] ** 2 * time


@ti.func
def run_time_loop(qpos, qvel, ctrl, sensordata, time):
    a = time
    for _ in range(5):
        a = ti.tanh(a) + 0.5 * a
    return a * qpos[0]


@ti.func
def while_loop(qpos, qvel, ctrl, sensordata, time):
    a = 0.0
    while a < 1.0:
        a += 0.3 + qpos[0] ** 2
    return a


@ti.func
def breaks(qpos, qvel, ctrl, sensordata, time):
    a = 0.0
    for i in ti.static(range(3)):
        if i == 2:
            break
        a += qpos[i]
    return a


@ti.func
def selects(qpos, qvel, ctrl, sensordata, time):
    return ti.select(qpos[0] > 0.0, ti.sqrt(ti.abs(qpos[0])), 0.0)


@ti.func
def ternary(qpos, qvel, ctrl, sensordata, time):
    return qpos[0] if qpos[0] > 0.0 else 0.0


@ti.func
def norm(qpos, qvel, ctrl, sensordata, time):
    return qvel.norm()


@ti.func
def in_place(qpos, qvel, ctrl, sensordata, time):
    x = qpos
    x[0] = ti.sin(x[0])
    return x[0]


@ti.func
def cut_to_whole(qpos, qvel, ctrl, sensordata, time):
    c = 0
    c += qpos[0]
    return c


@ti.func
def through_a_callee(qpos, qvel, ctrl, sensordata, time):
    return run_time_loop(qpos, qvel, ctrl, sensordata, time)


@ti.func
def modulo(qpos, qvel, ctrl, sensordata, time):
    return (qpos[0] % 1.0) ** 2


@ti.func
def follow(qpos, qvel, ctrl, sensordata, time):
    return (qpos[0] - ti.sin(3.0 * time)) ** 2


BEYOND = 6


@ti.func
def beyond(qpos, qvel, ctrl, sensordata, time):
    return qpos[BEYOND]


@ti.func
def beyond_in_a_loop(qpos, qvel, ctrl, sensordata, time):
    c = 0.0
    for i in ti.static(range(4)):
        c += ctrl[i]
    return c


@ti.func
def seventh(x):
    return x[BEYOND]


@ti.func
def beyond_in_a_callee(qpos, qvel, ctrl, sensordata, time):
    return seventh(qvel) ** 2


@ti.func
def before(qpos, qvel, ctrl, sensordata, time):
    return qpos[-1]


@ti.func
def within(qpos, qvel, ctrl, sensordata, time):
    """Every index that is traced is there."""
    c = seventh(sensordata)
    for i in ti.static(range(3)):
        c += ctrl[i]
    for i in ti.static(range(2 * BEYOND)):
        if ti.static(i < BEYOND):
            c += qpos[i]
    for i in ti.static(range(2)):
        for j in ti.static(range(3 * i)):
            c += qvel[i + 2 * j]
    if ti.static(BEYOND < 3):
        c += qpos[BEYOND]
    return c


@ti.func
def nothing(qpos, qvel, ctrl, sensordata, time):
    qpos[0] ** 2


@ti.func
def a_vector(qpos, qvel, ctrl, sensordata, time):
    return qpos * 2.0
