"""Actuators that a file has and the engine makes of others: pid and dcmotor, one of ours for each of their controls,
the first of which has the states, but where an option switches them off (MuJoCo documentation, XML reference, "pid",
"dcmotor").

    pid        force = kp (pos - l) + kv (vel - l') + ff
    dcmotor    force = K/R voltage - K^2/R l'; with a controller, which compensates that: as pid, and K/R voltage
A dcmotor with more than that keeps its law (motors.py).
"""

import numpy as np

from . import constants as c
from .motors import FF, POS, TOKENS, VEL, VOLTAGE, read_bristles, slots, states_of_motor
from .orientations import INPUTS, is_orientation

PID, DCMOTOR = "pid", "dcmotor"
NEVER = 1e30  # s, a time constant after which nothing has changed


def kind_of(mujoco, mj, a):
    """Which of the two actuator a of an MjModel is, or None."""
    names = {int(getattr(mujoco.mjtGain, f"mjGAIN_{n.upper()}", -1)): n for n in (PID, DCMOTOR)}
    return names.get(int(mj.actuator_gaintype[a]))


def tokens(mj, a):
    """Its controls by their words, in their order."""
    return [word for bit, word in enumerate(TOKENS) if mj.actuator_ctrlspec[a] >> bit & 1]


def _controls(mj):
    """How many controls each actuator of an MjModel has, (nactuator,)."""
    return getattr(mj, "actuator_ctrlnum", np.ones(mj.nactuator, int))


def silent(mujoco, mj):
    """Which actuators an option switches off, (nactuator,)."""
    if mj.opt.disableflags & int(mujoco.mjtDisableBit.mjDSBL_ACTUATION):
        return np.ones(mj.nactuator, bool)
    group = np.asarray(mj.actuator_group)
    return (group >= 0) & (group <= 30) & ((mj.opt.disableactuator >> np.clip(group, 0, 30)) & 1 > 0)


def _numbers(mj):
    """How many of ours each actuator becomes, (nactuator,): one for each control, and one at least; one for each state
    where it has more states and an option switches it off, since they stay."""
    found = np.maximum(_controls(mj), 1)
    if (mj.actuator_actnum > found).any():
        import mujoco

        found = np.where(silent(mujoco, mj), np.maximum(found, mj.actuator_actnum), found)
    return found


def rows_of(mj):
    """The actuator of an MjModel that each of our controls belongs to, (nu,): a motor without inputs has one, too."""
    return np.repeat(np.arange(mj.nactuator), _numbers(mj))


def ours(mj, values):
    """Numbers of an MjModel's controls, (..., its nu), as those of ours, zeros for those that it has not."""
    rows = rows_of(mj)
    found = np.zeros((*np.shape(values)[:-1], len(rows)), np.asarray(values).dtype)
    found[..., np.arange(len(rows)) - first_rows(mj)[rows] < _controls(mj)[rows]] = values
    return found


def first_rows(mj):
    """The first control of each actuator, (nactuator,)."""
    return np.searchsorted(rows_of(mj), np.arange(mj.nactuator))


def names_of(mujoco, mj, names):
    """Names of our actuators: of the first control that of the actuator, of others with their word behind it."""
    found = []
    for a, (name, number) in enumerate(zip(names, _numbers(mj), strict=True)):
        words = tokens(mj, a)[1:number] if kind_of(mujoco, mj, a) else []
        if is_orientation(mujoco, mj, a):
            words = list(INPUTS[int(mj.actuator_ctrlspec[a])][1:])
        words += [""] * (number - 1 - len(words))
        found += [name, *(f"{name} {word}" if name and word else "" for word in words)]
    return found


def laws(mujoco, mj, a):
    """(gain, bias) of each control of a pid or dcmotor."""
    gain, bias = mj.actuator_gainprm[a], mj.actuator_biasprm[a]
    words, none = tokens(mj, a), (0.0, 0.0, 0.0)
    if kind_of(mujoco, mj, a) == PID:
        kp, kv, drive = -bias[1], -bias[2], 0.0
    else:
        kp, kv, drive = gain[4], gain[6], gain[1] / gain[0]
    first = (bias[0] if kind_of(mujoco, mj, a) == PID else 0.0, -kp, -kv)
    if words == [VOLTAGE]:
        first = (0.0, 0.0, -gain[1] * drive)
    gains = {POS: kp, VEL: kv, FF: 1.0, VOLTAGE: drive}
    return [(gains[word], none if k else first) for k, word in enumerate(words)]


def states_of(m):
    """How many states of its own each actuator of a Model has, (nu,)."""
    pid = np.asarray(m.actuator_dyntype) == c.DYN_PID
    of_pid = (np.asarray(m.actuator_dynprm)[:, 1:3] > 0).sum(axis=1)
    states = np.where(pid, of_pid, np.asarray(m.actuator_dyntype) != c.DYN_NONE)
    for u in np.flatnonzero(np.asarray(m.actuator_dyntype) == c.DYN_DCMOTOR):
        dyn = (*np.asarray(m.actuator_dynprm)[u], *np.asarray(m.actuator_dynrest)[u])
        states[u] = states_of_motor(dyn, np.asarray(m.actuator_gaincurve)[u])
    return states


def turns(mj, a):
    """Whether actuator a of an MjModel is on turns, of a ball joint or between sites."""
    if mj.actuator_trntype[a] in (c.TRN_JOINT, c.TRN_JOINTINPARENT):
        return bool(mj.jnt_type[mj.actuator_trnid[a, 0]] == c.BALL)
    between = mj.actuator_trntype[a] == c.TRN_SITE and mj.actuator_trnid[a, 1] >= 0
    return bool(between and not mj.actuator_gear[a, :3].any())


def is_motor(mujoco, mj, a):
    """Whether actuator a of an MjModel is a dcmotor whose law is more than that of a pid and a back-EMF."""
    if kind_of(mujoco, mj, a) != DCMOTOR:
        return False
    if not tokens(mj, a) or turns(mj, a) and tokens(mj, a) != [VOLTAGE]:
        return True
    gain, dyn = mj.actuator_gainprm[a], mj.actuator_dynprm[a]
    controlled = tokens(mj, a) != [VOLTAGE]
    own = dyn[0] > 0 or dyn[2] > 0 or dyn[5] > 0 or mj.actuator_biasprm[a, 0] != 0
    own = own or controlled and (gain[7] > 0 or gain[5] > 0 and dyn[8] > 0)
    own = own or dyn[7] > 0 and POS not in tokens(mj, a)  # which is no pid
    return bool(own or len(tokens(mj, a)) > 1 and (mj.actuator_forcelimited[a] or _felt(mujoco, mj, a)))


def _felt(mujoco, mj, a):
    """Whether a sensor reads the force of actuator a."""
    actuator = mj.sensor_objtype == int(mujoco.mjtObj.mjOBJ_ACTUATOR)
    force = mj.sensor_type == int(mujoco.mjtSensor.mjSENS_ACTUATORFRC)
    return bool(np.any(actuator & force & (mj.sensor_objid == a)))


def controller(mujoco, mj, a):
    """imax, slewmax and ki of a pid or dcmotor: dynprm of its first control, where one of the latter is there."""
    gain, dyn = mj.actuator_gainprm[a], mj.actuator_dynprm[a]
    return (dyn[0], dyn[1], gain[0]) if kind_of(mujoco, mj, a) == PID else (dyn[8], dyn[7], gain[5])


def freeze(mujoco, mj, a, rows, arrays):
    """A pid or dcmotor that an option switches off, of our actuators `rows`: its states, which stay, are theirs, one
    each. MuJoCo clamps the integral of a dcmotor all the same, where it steps any state at all, and bends its bristles,
    whose law asks for no rate."""
    states, (imax, slew, ki) = int(mj.actuator_actnum[a]), controller(mujoco, mj, a)
    still = mj.opt.disableflags & int(mujoco.mjtDisableBit.mjDSBL_ACTUATION)
    motor = kind_of(mujoco, mj, a) == DCMOTOR
    there = slots(mj.actuator_dynprm[a], mj.actuator_gainprm[a, 3:]) if motor else {}
    names = [word for word, one in there.items() if one]
    for k, i in enumerate(rows):
        arrays["actuator_dyntype"][i] = c.DYN_FILTER if k < states else c.DYN_NONE
        arrays["actuator_dynprm"][i] = (NEVER if k < states else 0, 0, 0)
        arrays["actuator_actadr"][i] = mj.actuator_actadr[a] + k if k < states else -1
        arrays["actuator_actearly"][i] = False
        if motor and not still and k < states and names[k] == "bristle":
            read_bristles(mj, a, i, arrays)
        if motor:
            clamped = k == (slew > 0) and ki > 0 and imax > 0
            arrays["actuator_actlimited"][i] = clamped and not still
            arrays["actuator_actrange"][i] = (-imax, imax) if clamped else (0, 0)


def lacking(mujoco, mj, a, off):
    """What of a pid or dcmotor the engine lacks: (what, what is allowed). off: whether an option switches it off."""
    kind, words = kind_of(mujoco, mj, a), tokens(mj, a)
    motor = is_motor(mujoco, mj, a)
    if mj.actuator_delay[a] and not words:
        yield "delay without inputs", "an input, or no delay"
    if len(words) > 1:
        if mj.actuator_forcelimited[a] and not motor and not off:
            yield f"forcerange of the sum of {len(words)} controls", "one control, or no forcerange"
        if _felt(mujoco, mj, a) and not motor and not off:
            yield f"sensor actuatorfrc of {len(words)} controls", "one control, or no such sensor"
    if off:
        return
    gain, (_, by_length, _) = laws(mujoco, mj, a)[0] if kind == PID else (0, (0, 0, 0))
    if turns(mj, a) and kind == PID and POS not in words and gain and gain == -by_length:
        yield f"pid of turns with kp = {gain:g}, that of its input {words[0]}", "the input pos, or another kp"
    for name, value in zip(("slewmax", "ki"), controller(mujoco, mj, a)[1:], strict=True):
        if kind == PID and mj.actuator_actearly[a] and value > 0:
            yield f"{kind} with actearly with {name} = {value:g}", "0"
