"""What is compared of a state: the engine's numbers and MuJoCo's, by name, and what an error of each is relative to."""

import copy

import mujoco
import numpy as np

from engine.model.delays import clocks, first_of_sensors, first_times, late, sensor_columns
from engine.model.elements.tendon import taken_tendons
from engine.model.plastic import count, taken
from engine.model.servos import ours, rows_of
from tests.physics.reference import SMOOTH
from tests.random_files.nearby import FEELING
from tests.random_files.verdict import wrong

CONSTRAINED = ("qacc", "qfrc_constraint", "sensordata")


def copied(mj, sim, data):
    """The state of MjData."""
    sim.reset(data.qpos, data.qvel)
    for name in ("act", "ctrl", "qfrc_applied", "xfrc_applied", "mocap_pos", "mocap_quat", "eq_active"):
        if name != "eq_active" or sim.model.neq == len(data.eq_active):  # those that are switched off are left out
            given = {"act": lambda: state_of(sim.model, mj, data), "ctrl": lambda: ours(mj, data.ctrl)}
            getattr(sim.data, name)[0] = given.get(name, lambda name=name: getattr(data, name))()
    sim.data.time[0] = data.time


def state_of(model, mj, data):
    """act of MjData, with the numbers of the past that delayed actuators and sensors have, the oldest one first, and
    how far springs have yielded."""
    past = []
    for a in np.flatnonzero((mj.actuator_history[:, 0] > 0) & (mj.actuator_delay > 0)):
        n, at, number = mj.actuator_history[a, 0], mj.actuator_historyadr[a], max(int(mj.actuator_ctrlnum[a]), 1)
        newest, values = int(data.history[at + 1]), data.history[at + 2 + n :][: n * number].reshape(n, number)
        past.append(np.roll(values, -newest - 1, axis=0).T.ravel())
    for s in np.flatnonzero(late(mj)) if mj.nsensor and not unsensed(mj) else ():
        n, at, dim = mj.sensor_history[s, 0], mj.sensor_historyadr[s], mj.sensor_dim[s]
        newest, values = int(data.history[at + 1]), data.history[at + 2 + n :][: n * dim].reshape(n, dim)
        past.append(np.roll(values, -newest - 1, axis=0).T.ravel())
        if clocks(mj)[s]:
            (period, phase), times = mj.sensor_interval[s], np.roll(data.history[at + 2 :][:n], -newest - 1)
            tick = data.history[at] + period - (period + phase if phase else 0.0)
            past.append([tick, *(times - first_times(n, (period, phase), mj.opt.timestep))])
    if count(model):
        past.append(taken(mj, model, taken_tendons(mujoco, mj), data.plastic))
    return np.concatenate([data.act, *past])


def act_of(model, act):
    """act of a simulator as `state_of` has it: MuJoCo keeps what sensors told after their cutoff, the engine before."""
    found, late = act.copy(), sensor_columns(model)
    for n, at, most in zip(late["late_num"], late["late_adr"], late["late_cutoff"], strict=True):
        if most > 0:
            found[at : at + n] = np.clip(found[at : at + n], -most, most)
    return found


def act_errors(mj, model, ours, theirs):
    """Of each number of act: what acts, and controls of the past, relative to the largest of them; what sensors told
    and springs remember relative to the largest of those, or to one."""
    first, late = first_of_sensors(model), np.abs(ours - theirs)
    late[:first] /= max(np.abs(theirs[:first]).max(initial=0), 1e-6)
    late[first:] /= max(np.abs(theirs[first:]).max(initial=0), 1.0)
    return late


def told_of_forces(mj, model):
    """Which numbers of act are what force and torque sensors told."""
    return told_of(mj, model, np.isin(mj.sensor_type, [int(kind) for kind in FEELING]))


def told_of(mj, model, which):
    """Which numbers of act are what these sensors told."""
    found, late = np.zeros(model.na, bool), sensor_columns(model)
    for s in np.flatnonzero(which) if len(late["late_num"]) else ():
        for e in range(mj.sensor_adr[s], mj.sensor_adr[s] + mj.sensor_dim[s]):
            found[late["late_adr"][e] :][: late["late_num"][e]] = True
    return found


def of_sim(mj, sim):
    d = sim.data
    for name in (*SMOOTH, "xquat", "qacc", "qfrc_constraint"):
        value = getattr(d, name)[0]
        if name == "actuator_force" and sim.model.nu != mj.nactuator:  # each control of a pid has a force of its own
            value = np.bincount(outputs_of(mj), value, len(mj.actuator_gear))
        yield name, value[: mj.na] if name == "act_dot" else value
    yield from sensed(mj, np.zeros(mj.nsensordata) if unsensed(mj) else d.sensordata[0]).items()
    yield "mass_matrix", d.mass_matrix()
    if sim.model.ntendon == mj.ntendon:
        yield "ten_length", d.ten_length[0]
        yield "ten_velocity", d.ten_velocity[0]


def outputs_of(mj):
    """To which of MuJoCo's forces that of each of our actuators belongs."""
    rows = rows_of(mj)
    number = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return mj.actuator_outadr[rows] + np.minimum(number, mj.actuator_outnum[rows] - 1)


def unsensed(mj):
    """Whether a file switches its sensors off."""
    return bool(mj.opt.disableflags & int(mujoco.mjtDisableBit.mjDSBL_SENSOR))


def aligned(quat, other):
    """The quaternions with the signs of the others."""
    return np.array(quat) * np.where((quat * other).sum(axis=1, keepdims=True) < 0, -1, 1)


def quantities(mj, data):
    """{name: array} of MjData, and {name: what an error of it is relative to}."""
    found = {name: np.array(getattr(data, name)) for name in (*SMOOTH, "xquat", "qacc", "qfrc_constraint")}
    found |= sensed(mj, unspared(mj, data))
    # MuJoCo tells how the states of actuators that an option switches off would move, and leaves them where they are
    for i in np.flatnonzero((mj.opt.disableactuator >> np.clip(mj.actuator_group, 0, 30)) & 1):
        found["act_dot"][mj.actuator_actadr[i] :][: mj.actuator_actnum[i]] = 0
    found["mass_matrix"] = np.zeros((mj.nv, mj.nv))
    mujoco.mj_fullM(mj, data, found["mass_matrix"])
    found |= {"ten_length": np.array(data.ten_length), "ten_velocity": np.array(data.ten_velocity)}
    scales = {name: max(np.abs(x).max(initial=0), 1e-6) for name, x in found.items()}
    forces = max(np.abs(getattr(data, f"qfrc_{name}")).max(initial=0) for name in ("bias", "passive", "actuator"))
    for name in ("qfrc_bias", "qfrc_passive", "qfrc_actuator", "qfrc_smooth", "qfrc_constraint"):
        scales[name] = max(scales[name], forces, np.abs(data.qfrc_applied).max(initial=0))
    # what a sensor reads is a difference of larger numbers
    scales |= {name: max(scales[name], 1.0) for name in sensed(mj, data.sensordata)}
    return found, scales


def rays_of_cameras(mj):
    """Which sensors are rangefinders of cameras."""
    camera = mj.sensor_objtype == int(mujoco.mjtObj.mjOBJ_CAMERA)
    return camera & (mj.sensor_type == int(mujoco.mjtSensor.mjSENS_RANGEFINDER))


def unspared(mj, data):
    """MuJoCo's readings, where a rangefinder of a camera is not late without what it spares: by the ball around a body,
    whose centre it does not turn with the body, rays that hit."""
    readings, now = data.sensordata.copy(), rays_of_cameras(mj) & (mj.sensor_history[:, 0] == 0)
    if now.any():
        every = copy.copy(mj)
        every.body_bvhadr[:] = -1
        other = mujoco.MjData(every)
        mujoco.mj_copyData(other, every, data)
        mujoco.mj_sensorPos(every, other)
        where = np.repeat(now, mj.sensor_dim)
        readings[where] = other.sensordata[where]
    return readings


def told_of_cameras(mj, model):
    """Which numbers of act are what late rangefinders of cameras told."""
    return told_of(mj, model, rays_of_cameras(mj))


def sensed(mj, sensordata):
    """Of sensors the numbers of each stage by themselves, zero elsewhere: of places, velocities, accelerations. With
    these stand those that hang on contacts, which are held: contact sensors, and how fast adhesion's contacts part."""
    late = mj.sensor_type == int(mujoco.mjtSensor.mjSENS_CONTACT)
    of_actuators = mj.sensor_objtype == int(mujoco.mjtObj.mjOBJ_ACTUATOR)
    trn = np.append(mj.actuator_trntype, -1)[np.where(of_actuators, mj.sensor_objid, -1)]
    late |= trn == int(mujoco.mjtTrn.mjTRN_BODY)
    stages = np.repeat(np.where(late, 3, mj.sensor_needstage), mj.sensor_dim)
    names = {"sensed places": 1, "sensed velocities": 2, "sensordata": 3}
    return {name: np.where(stages == stage, sensordata, 0.0) for name, stage in names.items()}


def errors(ours, theirs, scales):
    out = {}
    for name, value in ours.items():
        if value.shape != theirs[name].shape:
            wrong(f"{name} of shape {value.shape}, MuJoCo {theirs[name].shape}")
        error = np.abs(value - theirs[name]).max(initial=0) / scales[name]
        out[name] = error if np.isfinite(error) else np.inf
    return out
