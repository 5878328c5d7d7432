"""The stages of sensors: those of a level that a robot lacks are nothing."""

import taichi as ti

from engine.compiler.stages import outline
from engine.dynamics.sensor_delay import read_late
from engine.dynamics.sleep import tell_asleep
from engine.sensing.actuator import sensed_actuators, sensed_actuators_vjp
from engine.sensing.camera import place_cameras, place_cameras_vjp
from engine.sensing.contact import contact_sensors, contact_sensors_vjp
from engine.sensing.distance import distances, distances_vjp
from engine.sensing.energy import energies, energies_vjp
from engine.sensing.limit import limits, limits_vjp
from engine.sensing.range import ranges, ranges_vjp
from engine.sensing.sensors import sensors, sensors_vjp
from engine.sensing.tendon import sensed_tendons, sensed_tendons_vjp
from engine.sensing.wrench import add_test_motion, wrenches, wrenches_vjp


@outline("md", "w", when="sensor")
@ti.func
def sensed(m: ti.template(), d: ti.template(), w: ti.i32):
    cameras(m, d, w)
    sensors(m, d, w)
    actuator_readings(m, d, w)
    tendon_readings(m, d, w)
    sensed_limits(m, d, w)
    sensed_wrenches(m, d, w)
    sensed_energies(m, d, w)
    sensed_contacts(m, d, w)
    sensed_ranges(m, d, w)
    sensed_distances(m, d, w)
    read_late(m, d, w)
    tell_asleep(m, d, w)


@outline("md", "w", when="camera")
@ti.func
def cameras(m: ti.template(), d: ti.template(), w: ti.i32):
    place_cameras(m, d, w)


@outline("md", "w", when="actuator_sensor")
@ti.func
def actuator_readings(m: ti.template(), d: ti.template(), w: ti.i32):
    sensed_actuators(m, d, w)


@outline("md", "w", when="tendon_sensor")
@ti.func
def tendon_readings(m: ti.template(), d: ti.template(), w: ti.i32):
    sensed_tendons(m, d, w)


@outline("md", "w", when="limit_sensor")
@ti.func
def sensed_limits(m: ti.template(), d: ti.template(), w: ti.i32):
    limits(m, d, w)


@outline("md", "w", when="wrench_sensor")
@ti.func
def sensed_wrenches(m: ti.template(), d: ti.template(), w: ti.i32):
    wrenches(m, d, w)


@outline("md", "w", when="energy_sensor")
@ti.func
def sensed_energies(m: ti.template(), d: ti.template(), w: ti.i32):
    energies(m, d, w)


@outline("md", "w", when="contact_sensor")
@ti.func
def sensed_contacts(m: ti.template(), d: ti.template(), w: ti.i32):
    contact_sensors(m, d, w)


@outline("md", "w", when="range_sensor")
@ti.func
def sensed_ranges(m: ti.template(), d: ti.template(), w: ti.i32):
    ranges(m, d, w)


@outline("md", "w", when="distance_sensor")
@ti.func
def sensed_distances(m: ti.template(), d: ti.template(), w: ti.i32):
    distances(m, d, w)


@outline("mdrgb", "w row", when="sensor")
@ti.func
def sensed_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
               row: ti.i32):  # fmt: skip
    cameras(m, d, w)
    sensors_vjp(m, d, r, g, b, w, row * m.nsensordata)
    actuator_readings_vjp(m, d, r, g, b, w, row)
    tendon_readings_vjp(m, d, r, g, b, w, row)
    sensed_limits_vjp(m, d, r, g, b, w, row)
    sensed_wrenches_vjp(m, d, r, g, b, w, row)
    sensed_energies_vjp(m, d, r, g, b, w, row)
    sensed_contacts_vjp(m, d, g, b, w, row)
    sensed_ranges_vjp(m, d, r, g, b, w, row)
    sensed_distances_vjp(m, d, g, b, w, row)
    cameras_vjp(m, d, g, w)


@outline("mdg", "w", when="camera")
@ti.func
def cameras_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32):
    place_cameras_vjp(m, d, g, w)


@outline("mdrgb", "w row", when="actuator_sensor")
@ti.func
def actuator_readings_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                          w: ti.i32, row: ti.i32):  # fmt: skip
    sensed_actuators_vjp(m, d, r, g, b, w, row * m.nsensordata)


@outline("mdrgb", "w row", when="tendon_sensor")
@ti.func
def tendon_readings_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                        w: ti.i32, row: ti.i32):  # fmt: skip
    sensed_tendons_vjp(m, d, r, g, b, w, row * m.nsensordata)


@outline("mdrgb", "w row", when="limit_sensor")
@ti.func
def sensed_limits_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                      w: ti.i32, row: ti.i32):  # fmt: skip
    limits_vjp(m, d, r, g, b, w, row * m.nsensordata)


@outline("mdrgb", "w row", when="wrench_sensor")
@ti.func
def sensed_wrenches_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                        w: ti.i32, row: ti.i32):  # fmt: skip
    wrenches_vjp(m, d, r, g, b, w, row * m.nsensordata)


@outline("mdrgb", "w row", when="energy_sensor")
@ti.func
def sensed_energies_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                        w: ti.i32, row: ti.i32):  # fmt: skip
    energies_vjp(m, d, r, g, b, w, row * m.nsensordata)


@outline("mdgb", "w row", when="contact_sensor")
@ti.func
def sensed_contacts_vjp(m: ti.template(), d: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32):
    contact_sensors_vjp(m, d, g, b, w, row * m.nsensordata)


@outline("mdrgb", "w row", when="range_sensor")
@ti.func
def sensed_ranges_vjp(m: ti.template(), d: ti.template(), r: ti.template(), g: ti.template(), b: ti.template(),
                      w: ti.i32, row: ti.i32):  # fmt: skip
    ranges_vjp(m, d, r, g, b, w, row * m.nsensordata)


@outline("mdgb", "w row", when="distance_sensor")
@ti.func
def sensed_distances_vjp(m: ti.template(), d: ti.template(), g: ti.template(), b: ti.template(), w: ti.i32,
                         row: ti.i32):  # fmt: skip
    distances_vjp(m, d, g, b, w, row * m.nsensordata)


@outline("mdrb", "w row further", when="wrench_sensor")
@ti.func
def tested_wrenches(m: ti.template(), d: ti.template(), r: ti.template(), b: ti.template(), w: ti.i32, row: ti.i32,
                    further: ti.i32):  # fmt: skip
    add_test_motion(m, d, r, b, w, row * m.nsensordata, further)
