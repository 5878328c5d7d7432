"""DC motors with a law of their own (dynamics/dcmotor.py): all of it is that of one actuator, and the further controls
of the motor are those of actuators behind it, without a force. One without inputs has a control that nothing reads.

MuJoCo's parameters: gainprm R K alpha | T0 kp ki kd Vmax, biasprm A N phi | Fc Fs vs, dynprm te dimax RT | C Ta s0 s1
slew imax; what is behind the third lies in gaincurve, biascurve and dynrest.
"""

from types import SimpleNamespace

import numpy as np

from . import constants as c
from .errors import ModelError

POS, VEL, FF, VOLTAGE = "pos", "vel", "ff", "voltage"
TOKENS = (POS, VEL, FF, VOLTAGE)  # bits of actuator_ctrlspec, mjtInput


def slots(dyn, gain):
    """{word: whether a motor has this state}, in the order of its states. dyn: MuJoCo's dynprm, gain: what of gainprm
    is behind the first three."""
    return {"slew": dyn[7] > 0, "integral": gain[2] > 0, "heat": dyn[2] > 0, "bristle": dyn[5] > 0,
            "current": dyn[0] > 0}  # fmt: skip


def states_of_motor(dyn, gain):
    return int(sum(slots(dyn, gain).values()))


def motor_columns(m, size):
    """What the device's arrays hold of motors, {column: values}."""
    inputs, first, states = np.full((size, 4), -1), np.zeros(size, int), np.zeros(size, int)
    dyn = np.concatenate([m.actuator_dynprm, m.actuator_dynrest], axis=1)[:size]
    at = {word: np.full(size, -1) for word in ("slew", "integral", "heat", "bristle", "current")}
    for u in np.flatnonzero(m.actuator_dyntype[:size] == c.DYN_DCMOTOR):
        words = [k for k in range(4) if m.actuator_inputs[u] >> k & 1]
        inputs[u, words], first[u] = u + np.arange(len(words)), min(words, default=0)
        for word, there in slots(dyn[u], m.actuator_gaincurve[u]).items():
            if there:
                at[word][u] = m.actuator_actadr[u] + states[u]
                states[u] += 1
    return {
        "motor_input": inputs, "motor_first": first, "motor_states": states, **{f"motor_{k}": a for k, a in at.items()},
        "motor_controlled": m.actuator_inputs[:size] & 7 > 0, "motor_dyn": dyn,
        "motor_gain": m.actuator_gaincurve[:size], "motor_bias": m.actuator_biascurve[:size],
    }  # fmt: skip


def further_inputs(m):
    """Which actuators of a Model are but further controls of the motor before them, (nu,)."""
    found = np.zeros(m.nu, bool)
    for u in np.flatnonzero(m.actuator_dyntype == c.DYN_DCMOTOR):
        found[u + 1 : u + bin(int(m.actuator_inputs[u])).count("1")] = True
    return found


def check_motors(m):
    """Numbers of motors that mean nothing are refused."""
    motor = m.actuator_dyntype == c.DYN_DCMOTOR
    alone = bristles_alone(m) & (m.actuator_dynrest[:, 2] > 0)
    laws = (m.actuator_gaintype == c.GAIN_DCMOTOR) | (m.actuator_biastype == c.BIAS_DCMOTOR)
    for u in np.flatnonzero(~alone & (motor | laws)):
        who, (R, K, _) = m.label("actuator", int(u)), m.actuator_gainprm[u]
        dyn, gain = (*m.actuator_dynprm[u], *m.actuator_dynrest[u]), m.actuator_gaincurve[u]
        bits = int(m.actuator_inputs[u])
        rest = slice(u + 1, u + max(bin(bits).count("1"), 1))
        same = [len(set(np.ravel(getattr(m, f"actuator_{name}")[u : rest.stop]))) == 1 for name in ("trntype", "trnid")]
        empty = not (m.actuator_gainprm[rest].any() or m.actuator_biasprm[rest].any() or m.actuator_dyntype[rest].any())
        for what, there, allowed in (
            ("its kinds of dynamics, gain and bias", motor[u] and m.actuator_gaintype[u] == c.GAIN_DCMOTOR
             and m.actuator_biastype[u] == c.BIAS_DCMOTOR, "dcmotor of all three"),
            (f"actuator_inputs = {bits}", 0 <= bits < 16, "the bits of " + ", ".join(TOKENS)),
            ("the actuators behind it", rest.stop <= m.nu and all(same) and empty,
             "one without gain, bias and state on the same for each further control"),
            (f"R, K = {R:g}, {K:g}", R > 0 and K >= 0 and (K > 0 or not bits & 7), "above zero"),
            (f"numbers of its dynamics {dyn}", min(dyn[:4] + dyn[5:]) >= 0, "zero or more"),
            (f"heat capacity = {dyn[3]:g}", dyn[3] > 0 or not dyn[2] > 0, "above zero"),
            (f"controller {gain[1:5].tolist()}", bits & 7 or not (gain[1:4].any() or dyn[7] > 0),
             "zeros without the controls pos, vel and ff"),
            (f"ki = {gain[2]:g}", bits & 1 or not gain[2] > 0, "0 without the control pos"),
        ):  # fmt: skip
            if not there:
                raise ModelError(f"{who}: {what}; allowed: {allowed}")


def motor(who, words, motorconst, resistance, inductance, thermal, lugre, cogging, saturation, controller):
    """MuJoCo's parameters of a dcmotor from its attributes: gain, bias, dyn, the greatest force `most` and the bits of
    its controls. Raises ModelError for what means nothing."""

    def numbers(name, value, size):
        try:
            given = np.zeros(0) if value is None else np.atleast_1d(np.asarray(value, float))
        except (TypeError, ValueError):
            given = np.full(1, np.nan)
        if given.ndim > 1 or len(given) > size or not np.isfinite(given).all():
            raise ModelError(f"{who}: {name} = {value!r}; allowed: at most {size} finite numbers")
        return np.pad(given, (0, size - len(given)))

    if words != [word for word in TOKENS if word in words]:
        allowed = f"none, or some of {', '.join(TOKENS)}, in this order"
        raise ModelError(f"{who}: input = {' '.join(words)!r}; allowed: {allowed}")
    kt, ke = numbers("motorconst", motorconst, 2)
    (R,) = numbers("resistance", resistance, 1)
    K = np.sqrt(kt * ke) if kt > 0 and ke > 0 else max(kt, ke)
    for name, value, got in (("motorconst", K, motorconst), ("resistance", R, resistance)):
        if not value > 0:
            raise ModelError(f"{who}: {name} = {got!r}; allowed: above zero")
    L, te = numbers("inductance", inductance, 2)
    torque, current, dimax = numbers("saturation", saturation, 3)
    kp, ki, kd, slew, imax, vmax = numbers("controller", controller, 6)
    RT, C, tth, alpha, T0, Ta = numbers("thermal", thermal, 6)
    if tth > 0 and not (RT > 0 and C > 0):
        RT, C = (RT, tth / RT) if RT > 0 else (tth / C if C > 0 else 0.0, C)
    if (RT > 0) != (C > 0) or tth > 0 and not RT > 0:
        raise ModelError(f"{who}: thermal = {thermal!r}; allowed: two of resistance, capacitance and time constant")
    s0, s1, fc, fs, vs = numbers("lugre", lugre, 5)
    if not s0 > 0:  # none
        s0 = s1 = fc = fs = vs = 0.0
    return SimpleNamespace(
        gain=(R, K, alpha if RT > 0 else 0.0, T0 if RT > 0 else 0.0, kp, ki, kd, vmax, 0.0),
        bias=(*numbers("cogging", cogging, 3), fc, fs, vs, 0.0, 0.0, 0.0),
        dyn=(L / R if L > 0 else te, dimax, RT, C, Ta if RT > 0 else 0.0, s0, s1, slew, imax),
        most=torque or K * current, bits=sum(1 << TOKENS.index(word) for word in words),
    )  # fmt: skip


def read_bristles(mj, a, i, arrays):
    """In row i what bends the bristles of a dcmotor that an option switches off, which push nothing."""
    arrays["actuator_dyntype"][i], arrays["actuator_dynprm"][i] = c.DYN_DCMOTOR, 0
    arrays["actuator_dynrest"][i] = (0, 0, mj.actuator_dynprm[a, 5], 0, 0, 0)
    arrays["actuator_biascurve"][i] = mj.actuator_biasprm[a, 3:9]
    arrays["actuator_gaincurve"][i], arrays["actuator_inputs"][i] = 0, 0


def bristles_alone(m):
    """Which actuators of a Model are but the bristles of a motor that is switched off, (nu,)."""
    empty = ~np.concatenate([m.actuator_gainprm, m.actuator_biasprm, m.actuator_gaincurve], axis=1).any(axis=1)
    others = np.concatenate([m.actuator_dynprm, np.delete(m.actuator_dynrest, 2, axis=1)], axis=1).any(axis=1)
    laws = (m.actuator_gaintype == c.GAIN_AFFINE) & (m.actuator_biastype == c.BIAS_AFFINE)
    return (m.actuator_dyntype == c.DYN_DCMOTOR) & laws & empty & ~others & (m.actuator_inputs == 0)


def read_motor(mj, a, i, number, arrays):
    """A dcmotor with a law of its own, of `number` controls from row i on: all of it in the first of these rows."""
    rows = range(i, i + number)
    for name in ("gainprm", "gaincurve", "biasprm", "biascurve", "dynprm", "dynrest", "inputs", "forcelimited",
                 "forcerange"):
        arrays[f"actuator_{name}"][i + 1 : rows.stop] = 0
    arrays["actuator_gaintype"][i + 1 : rows.stop], arrays["actuator_biastype"][i + 1 : rows.stop] = (
        c.GAIN_AFFINE, c.BIAS_AFFINE)  # fmt: skip
    arrays["actuator_dyntype"][i + 1 : rows.stop], arrays["actuator_actadr"][i + 1 : rows.stop] = c.DYN_NONE, -1
    arrays["actuator_actearly"][i : rows.stop], arrays["actuator_actlimited"][i : rows.stop] = False, False
    gain, bias, dyn = mj.actuator_gainprm[a], mj.actuator_biasprm[a], mj.actuator_dynprm[a]
    for name, prm in (("gain", gain), ("bias", bias), ("dyn", dyn)):
        arrays[f"actuator_{name}prm"][i] = prm[:3]
        arrays[f"actuator_{name}type"][i] = getattr(c, f"{name.upper()}_DCMOTOR")
    arrays["actuator_gaincurve"][i], arrays["actuator_biascurve"][i] = gain[3:9], bias[3:9]
    arrays["actuator_dynrest"][i] = dyn[3:9]
    arrays["actuator_inputs"][i] = mj.actuator_ctrlspec[a] if mj.actuator_ctrlnum[a] else 0
