"""Sensors as differentiable outputs (MuJoCo documentation, XML reference, "sensor"), and their adjoint.

`engine/model/sensors.py` has the table of their kinds. A cotangent becomes a pose adjoint, a wrench on V or A of the
body, a demand on the acceleration (a_bar), or a demand on a contact's force (con_fbar) or an actuator's (force_bar).
"""

import taichi as ti

from engine.compiler.features import has
from engine.math.types import vec4
from engine.model.sensors import LEVEL
from engine.sensing.frame import frame_sensor, frame_sensor_vjp
from engine.sensing.frames import narrow, wide
from engine.sensing.image import image_sensor, image_sensor_vjp, inside_sensor
from engine.sensing.position import orientation_sensor, orientation_sensor_vjp
from engine.sensing.state import ball_sensor, ball_sensor_vjp, state_sensor, state_sensor_vjp
from engine.sensing.subtree import subtree_sensor, subtree_sensor_vjp
from engine.sensing.touch import touch_sensor, touch_sensor_vjp
from engine.sensing.values import cotangent, write_sensor


@ti.func
def sensors(m: ti.template(), d: ti.template(), w: ti.i32):
    """sensordata at the state and acceleration of this step, but for the levels that have stages of their own."""
    for s in range(m.nsensor):
        level = m.sensor_level[s]
        x = vec4(0.0, 0.0, 0.0, 0.0)
        if level <= LEVEL.acceleration:
            x = wide(frame_sensor(m, d, w, s))
        elif level == LEVEL.orientation:
            x = orientation_sensor(m, d, w, s)
        elif level == LEVEL.state:
            x = state_sensor(m, d, w, s)
        elif level == LEVEL.subtree:
            if ti.static(has.subtree_sensor):
                x = wide(subtree_sensor(m, d, w, s))
        elif level == LEVEL.touch:
            if ti.static(has.touch_sensor):
                x[0] = touch_sensor(m, d, w, s)
        elif level == LEVEL.ball:
            if ti.static(has.ball_sensor):
                x = ball_sensor(m, d, w, s)
        elif level == LEVEL.image:
            if ti.static(has.image_sensor):
                x = image_sensor(m, d, w, s)
        elif level == LEVEL.inside:
            if ti.static(has.inside_sensor):
                x[0] = inside_sensor(m, d, w, s)
        if level <= LEVEL.inside:
            write_sensor(m, d, w, s, x)


@ti.func
def sensors_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                row: ti.i32):  # fmt: skip
    """Adds the cotangents of the sensordata recorded from `row` on; expects the law evaluated."""
    for s in range(m.nsensor):
        level = m.sensor_level[s]
        f = cotangent(m, r, b, s, row)
        if level <= LEVEL.acceleration:
            frame_sensor_vjp(m, d, g, w, s, narrow(f))
        elif level == LEVEL.orientation:
            orientation_sensor_vjp(m, d, g, w, s, f)
        elif level == LEVEL.state:
            state_sensor_vjp(m, d, g, w, s, f)
        elif level == LEVEL.subtree:
            subtree_sensor_vjp(m, d, g, w, s, narrow(f))
        elif level == LEVEL.touch:
            touch_sensor_vjp(m, d, w, s, f[0])
        elif level == LEVEL.ball:
            ball_sensor_vjp(m, d, g, w, s, f)
        elif level == LEVEL.image:
            image_sensor_vjp(m, d, g, w, s, f)
