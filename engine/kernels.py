"""The kernels of the engine: a rollout of many worlds, its reverse, and a step with its derivatives. Everything else is
called from here.

Each comes in three forms: worlds one after the other, in chunks on the threads of a CPU, each on a thread of a GPU.
They take the table `s` of where buffers begin and the packs' blocks (launch.py), of integers and of real numbers; those
of a linearized step share theirs, in which the table is.

One worker runs one world for a whole segment of steps. A control step is `frame_skip` physics steps with one control.
What a rollout leaves behind is described in records.py.
"""

import taichi as ti

from engine.compiler.stages import INTS as Ints
from engine.compiler.stages import REALS as Reals
from engine.compiler.stages import Block, outline
from engine.contact.collide import geom_poses
from engine.dynamics.implicit import has_implicit
from engine.feedback import act_controller, act_controller_vjp
from engine.linearized import linearized
from engine.records import asks_sensors, clear_mocap_bar, inject, put_mocap_bar, record_size, take_mocap, write_outputs
from engine.schema import OK
from engine.step import stepped, stepped_vjp


@outline("mdcr", "w nworld t0 t1 frame_skip last row0 every")
@ti.func
def run_world(m: ti.template(), d: ti.template(), c: ti.template(), r: ti.template(), w: ti.i32, nworld: ti.i32,
              t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32, row0: ti.i32, every: ti.i32):  # fmt: skip
    """Control steps t0 .. t1 - 1. `last`: evaluate step t1 too, for the sensors, without moving.

    row0: first physics step's row in the records, or -1. every: control steps per output row; or 0 for none, nor
    sensors; or -1 for none, but the sensors of each control step's last physics step.
    """
    implicit, back = has_implicit(m)
    t = t0
    while t < t1 + last and d.status[w] == OK:
        final = ti.cast(t == t1, ti.i32)
        output = every > 0 and t % every == 0
        row = -1
        if output:
            row = (t // every) * nworld + w
            write_outputs(m, d, r, w, row)
        if not final:
            take_mocap(m, d, r, w, t * nworld + w)
            act_controller(m, d, c, r, w, nworld, t)
        o = -1
        if row0 >= 0:
            o = ((row0 + (t - t0) * frame_skip) * nworld + w) * record_size(m)
        count = frame_skip
        if final:
            count = 1
        # an output row's sensors are those of the state in it
        read = -1
        if m.nsensordata > 0 and every != 0:
            read = 0 if every > 0 else count - 1
        closing = ti.cast(t == t1 + last - 1, ti.i32)
        stepped(m, d, r, w, t, count, o, nworld * record_size(m), final, read, row, implicit, closing)
        t = t + 1
    geom_poses(m, d, w, 0)
    if every > 0 and last == 0 and t1 % every == 0 and d.status[w] == OK:
        write_outputs(m, d, r, w, (t1 // every) * nworld + w)


@outline("mdcrgb", "w nworld t0 t1 frame_skip last row0 every")
@ti.func
def reverse_world(m: ti.template(), d: ti.template(), c: ti.template(), r: ti.template(), g: ti.template(),
                  b: ti.template(), w: ti.i32, nworld: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32,
                  last: ti.i32, row0: ti.i32, every: ti.i32):  # fmt: skip
    """The adjoint of control steps t1 - 1 .. t0, whose records begin at row0; `last` also that of the final sensors.

    On entry g holds the adjoint of the state before step t1, without the cotangents of output row t1 if `last`.
    On exit it holds that of the state before step t0, with the cotangents of row t0.
    """
    nu = m.nu
    sensing = m.nsensordata > 0
    if last and t1 % every == 0:
        inject(m, g, b, w, (t1 // every) * nworld + w)
    k = (t1 - t0) * frame_skip - 1
    if last and sensing:
        k = k + 1
    while k >= 0:
        t = t0 + k // frame_skip
        s = k % frame_skip
        # beyond the last step: the sensors at the final state, which the records keep as one more row
        final = ti.cast(t == t1, ti.i32)
        output = every > 0 and t % every == 0 and s == 0
        row = -1
        if output:
            row = (t // every) * nworld + w
        for i in range(nu):
            d.ctrl[w * nu + i] = r.traj_ctrl[(ti.min(t, t1 - 1) * nworld + w) * nu + i]
        take_mocap(m, d, r, w, ti.min(t, t1 - 1) * nworld + w)
        if final:
            clear_mocap_bar(m, g, w)
            for i in range(nu):
                g.ctrl_bar[w * nu + i] = 0.0
        elif s == frame_skip - 1:
            # the final sensors have already asked something of the last control
            keep = last and t == t1 - 1 and sensing
            if not keep:
                clear_mocap_bar(m, g, w)
            for i in range(nu):
                x = b.cot_ctrl[(t * nworld + w) * nu + i]
                if keep:
                    x = x + g.ctrl_bar[w * nu + i]
                g.ctrl_bar[w * nu + i] = x
        asked = -1
        if sensing and row >= 0 and asks_sensors(m, b, row):
            asked = row
        stepped_vjp(m, d, r, g, b, w, ((row0 + k) * nworld + w) * record_size(m), final, asked)
        if s == 0 and not final:
            act_controller_vjp(m, d, c, g, w, t)
            for i in range(nu):
                b.ctrl_total[(t * nworld + w) * nu + i] = g.ctrl_bar[w * nu + i]
            put_mocap_bar(m, g, b, w, t * nworld + w)
            if output:
                inject(m, g, b, w, row)
        k = k - 1


@ti.kernel
def rollout_serial(s: Ints, mi: Ints, mr: Reals, di: Ints, dr: Reals, ci: Ints, cr: Reals, rr: Reals,
                   nworld: ti.i32, nchunk: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32,
                   row0: ti.i32, every: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(nworld):
        run_world(Block(s, mi, mr), Block(s, di, dr), Block(s, ci, cr), Block(s, None, rr),
                  w, nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def rollout_parallel(s: Ints, mi: Ints, mr: Reals, di: Ints, dr: Reals, ci: Ints, cr: Reals, rr: Reals,
                     nworld: ti.i32, nchunk: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32,
                     row0: ti.i32, every: ti.i32):  # fmt: skip
    # the CPU backend hands out blocks of 512 iterations
    for k in range(nchunk * 512):
        if k % 512 == 0:
            for w in range(k // 512 * nworld // nchunk, (k // 512 + 1) * nworld // nchunk):
                run_world(Block(s, mi, mr), Block(s, di, dr), Block(s, ci, cr), Block(s, None, rr),
                          w, nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def rollout_device(s: Ints, mi: Ints, mr: Reals, di: Ints, dr: Reals, ci: Ints, cr: Reals, rr: Reals,
                   nworld: ti.i32, nchunk: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32, last: ti.i32,
                   row0: ti.i32, every: ti.i32):  # fmt: skip
    # few threads in a block: a few thousand worlds then already reach all multiprocessors
    ti.loop_config(block_dim=32)
    for w in range(nworld):
        run_world(Block(s, mi, mr), Block(s, di, dr), Block(s, ci, cr), Block(s, None, rr),
                  w, nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def reverse_serial(s: Ints, mi: Ints, mr: Reals, di: Ints, dr: Reals, ci: Ints, cr: Reals, rr: Reals,
                   gr: Reals, br: Reals, nworld: ti.i32, nchunk: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32,
                   last: ti.i32, row0: ti.i32, every: ti.i32):  # fmt: skip
    ti.loop_config(serialize=True)
    for w in range(nworld):
        reverse_world(Block(s, mi, mr), Block(s, di, dr), Block(s, ci, cr), Block(s, None, rr),
                      Block(s, None, gr), Block(s, None, br), w, nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def reverse_parallel(s: Ints, mi: Ints, mr: Reals, di: Ints, dr: Reals, ci: Ints, cr: Reals, rr: Reals,
                     gr: Reals, br: Reals, nworld: ti.i32, nchunk: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32,
                     last: ti.i32, row0: ti.i32, every: ti.i32):  # fmt: skip
    # the CPU backend hands out blocks of 512 iterations
    for k in range(nchunk * 512):
        if k % 512 == 0:
            for w in range(k // 512 * nworld // nchunk, (k // 512 + 1) * nworld // nchunk):
                reverse_world(Block(s, mi, mr), Block(s, di, dr), Block(s, ci, cr), Block(s, None, rr),
                              Block(s, None, gr), Block(s, None, br), w, nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def reverse_device(s: Ints, mi: Ints, mr: Reals, di: Ints, dr: Reals, ci: Ints, cr: Reals, rr: Reals,
                   gr: Reals, br: Reals, nworld: ti.i32, nchunk: ti.i32, t0: ti.i32, t1: ti.i32, frame_skip: ti.i32,
                   last: ti.i32, row0: ti.i32, every: ti.i32):  # fmt: skip
    ti.loop_config(block_dim=32)
    for w in range(nworld):
        reverse_world(Block(s, mi, mr), Block(s, di, dr), Block(s, ci, cr), Block(s, None, rr),
                      Block(s, None, gr), Block(s, None, br), w, nworld, t0, t1, frame_skip, last, row0, every)


@ti.kernel
def linearize_serial(i: Ints, r: Reals, nworld: ti.i32, nchunk: ti.i32):
    ti.loop_config(serialize=True)
    for w in range(nworld):
        linearized(Block(i, i, r), Block(i, i, r), Block(i, None, r), Block(i, None, r), w)


@ti.kernel
def linearize_parallel(i: Ints, r: Reals, nworld: ti.i32, nchunk: ti.i32):
    # the CPU backend hands out blocks of 512 iterations
    for k in range(nchunk * 512):
        if k % 512 == 0:
            for w in range(k // 512 * nworld // nchunk, (k // 512 + 1) * nworld // nchunk):
                linearized(Block(i, i, r), Block(i, i, r), Block(i, None, r), Block(i, None, r), w)


@ti.kernel
def linearize_device(i: Ints, r: Reals, nworld: ti.i32, nchunk: ti.i32):
    ti.loop_config(block_dim=32)
    for w in range(nworld):
        linearized(Block(i, i, r), Block(i, i, r), Block(i, None, r), Block(i, None, r), w)
