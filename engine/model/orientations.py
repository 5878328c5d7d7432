"""Orientation servos (dynamics/orientation.py): an actuator for each control, of which the first one has the gains and
the range of all. The first three turn about the axes of what they are on, each with a force; the fourth control, of a
quaternion, has none.

A servo that an option's group switches off keeps its states, as those of an exact filter without an end, and MuJoCo
goes on taking them within half a turn; where all actuation is off, as those of a filter, it does not.
"""

import numpy as np

from . import constants as c
from .errors import ModelError

SO3 = "so3"
CHARTS = {"expmap": c.CHART_EXPMAP, "quat": c.CHART_QUAT}
INPUTS = {c.CHART_EXPMAP: ("rx", "ry", "rz"), c.CHART_QUAT: ("qw", "qx", "qy", "qz")}  # as MuJoCo calls them
_OWN = ("gainprm", "biasprm", "inputs", "forcelimited", "forcerange")  # of the first one alone
_SAME = ("trntype", "trnid", "refid", "dyntype")


def is_orientation(mujoco, mj, a):
    """Whether actuator a of an MjModel is one."""
    return int(mj.actuator_gaintype[a]) == int(getattr(mujoco.mjtGain, "mjGAIN_SO3", -1))


def first_of(m):
    """Of each actuator of a Model the first one of its orientation servo, or -1, (nu,)."""
    first = np.full(m.nu, -1)
    for u in np.flatnonzero(np.asarray(m.actuator_gaintype) == c.GAIN_SO3):
        first[u] = u if m.actuator_inputs[u] else first[u - 1]
    return first


def behind_first(m):
    """Which actuators of a Model are but further axes of the servo before them, (nu,)."""
    return (first_of(m) >= 0) & (np.asarray(m.actuator_inputs) == 0)


def forces_of(element):
    """How many forces an element of a builder exerts as one actuator."""
    return 3 if getattr(element, "gaintype", None) == c.GAIN_SO3 else 1


def rest_controls(m):
    """The controls that a Model begins with, (nu,): zeros, but quaternions of no turn."""
    whole = (np.asarray(m.actuator_gaintype) == c.GAIN_SO3) & (np.asarray(m.actuator_inputs) == c.CHART_QUAT)
    return whole.astype(float)


def orientation_columns(m):
    """What the device's arrays hold of them, {column: values}."""
    size = m.nu * bool(np.any(m.actuator_gaintype == c.GAIN_SO3))
    kept = np.isin(m.actuator_dyntype, (c.DYN_INTEGRATOR, c.DYN_FILTEREXACT)) & (first_of(m) == np.arange(m.nu))
    return {"so3_first": first_of(m)[:size], "so3_quat": (m.actuator_inputs == c.CHART_QUAT)[:size],
            "so3_within": kept[:size]}  # fmt: skip


def axes_of(trntype, number):
    """The gears of `number` actuators of a servo, (number, 6): an axis of a ball joint each, or of a site."""
    gear = np.zeros((number, 6))
    gear[np.arange(3), np.arange(3) + (3 if trntype == c.TRN_SO3 else 0)] = 1
    return gear


def read_orientation(mj, a, i, number, arrays, still):
    """Servo a of an MjModel, of `number` controls from row i on. still: whether all actuation is off; `arrays` has the
    gains of one that is off."""
    rows = slice(i, i + number)
    kp, (b, _, kv) = arrays["actuator_gainprm"][i, 0], arrays["actuator_biasprm"][i]
    for name in _OWN:
        arrays[f"actuator_{name}"][i + 1 : rows.stop] = 0
    arrays["actuator_gainprm"][i], arrays["actuator_biasprm"][i] = (kp, 0, 0), (b, -kp, kv)
    arrays["actuator_inputs"][i] = mj.actuator_ctrlspec[a]
    arrays["actuator_gaintype"][rows], arrays["actuator_biastype"][rows] = c.GAIN_SO3, c.BIAS_SO3
    on_sites = mj.actuator_trnid[a, 1] >= 0
    arrays["actuator_trntype"][rows] = c.TRN_SO3 if on_sites else c.TRN_JOINT
    if not on_sites:
        arrays["actuator_cranklength"][rows] = 0
    arrays["actuator_gear"][rows] = axes_of(arrays["actuator_trntype"][i], number)
    if mj.actuator_actnum[a]:
        arrays["actuator_actadr"][rows] = mj.actuator_actadr[a] + np.arange(number)
        if arrays["actuator_dyntype"][i] == c.DYN_FILTER and not still:
            arrays["actuator_dyntype"][rows] = c.DYN_FILTEREXACT


def check_orientations(m):
    """Servos that mean nothing are refused."""
    of_servos = (m.actuator_gaintype == c.GAIN_SO3) | (m.actuator_biastype == c.BIAS_SO3)
    first = first_of(m)
    for u in np.flatnonzero(of_servos | (m.actuator_trntype == c.TRN_SO3)).tolist():
        k, chart = int(first[u]), int(m.actuator_inputs[first[u]])
        number = len(INPUTS.get(chart, ()))
        on_ball = m.actuator_trntype[u] == c.TRN_JOINT and m.jnt_type[m.actuator_trnid[u]] == c.BALL
        between = m.actuator_trntype[u] == c.TRN_SO3 and m.actuator_refid[u] >= 0
        same = k < 0 or all(getattr(m, f"actuator_{n}")[u] == getattr(m, f"actuator_{n}")[k] for n in _SAME)
        own = [getattr(m, f"actuator_{name}")[u] for name in _OWN]
        kinds = (c.DYN_NONE, c.DYN_INTEGRATOR, c.DYN_FILTER, c.DYN_FILTEREXACT) if chart == c.CHART_EXPMAP else (0,)
        axes = np.zeros((4, 6), bool)
        axes[:3] = np.arange(6) // 3 == (m.actuator_trntype[u] == c.TRN_SO3)
        for what, there, allowed in (
            ("its kinds of gain and bias", m.actuator_gaintype[u] == c.GAIN_SO3
             and m.actuator_biastype[u] == c.BIAS_SO3, "so3 of both, or of neither and a transmission other than so3"),
            (f"actuator_inputs = {int(m.actuator_inputs[u])}", k >= 0 and number > 0,
             "1 (expmap) or 2 (quat) of the first one of an orientation servo"),
            (f"number {u - k} of an orientation servo", u - k < number and k + number <= m.nu
             and (first[k : k + number] == k).all(), f"{number} of them for each"),
            ("what it is on and its dynamics", same and (on_ball or between) and m.actuator_dyntype[u] in kinds,
             "those of the first one: a ball joint, or a site and its refsite; with expmap also an integrator"),
            (f"gear = {m.actuator_gear[u].tolist()}", not m.actuator_gear[u][~axes[min(u - k, 3)]].any(),
             "numbers of its turn, and none of the fourth"),
            ("gains, bias and forcerange", u == k or not any(np.any(x) for x in own), "those of the first one alone"),
            (f"forcerange = {m.actuator_forcerange[u].tolist()}", not m.actuator_forcelimited[u]
             or m.actuator_forcerange[u, 0] == 0, "0 and the largest torque"),
        ):  # fmt: skip
            if not there:
                raise ModelError(f"{m.label('actuator', u)}: {what}; allowed: {allowed}")


def written_orientation(m, u):
    """The attributes of a servo in MJCF that others do not have, {name: word or numbers}. Raises ModelError where MJCF
    has no words for it."""
    who, chart = m.label("actuator", u), int(m.actuator_inputs[u])
    number, kp, (b, _, by_velocity) = len(INPUTS[chart]), m.actuator_gainprm[u, 0], m.actuator_biasprm[u]
    rows = slice(u, u + number)
    for name in ("ctrllimited", "ctrlrange", "actlimited", "actrange", "actearly", "delay", "history"):
        own = getattr(m, f"actuator_{name}")[rows]
        if (own != own[0]).any():
            raise ModelError(f"{who}: {name} {own.tolist()}; allowed in MJCF: one for all controls")
    if m.actuator_dyntype[u] not in (c.DYN_NONE, c.DYN_INTEGRATOR):
        raise ModelError(f"{who}: an orientation servo with a filter; allowed in MJCF: an integrator, or no state")
    if (m.actuator_gear[rows] != axes_of(m.actuator_trntype[u], number)).any():
        raise ModelError(f"{who}: gear of an orientation servo; allowed in MJCF: an axis each")
    if by_velocity > 0:
        raise ModelError(f"{who}: kv = {-by_velocity:g}; allowed in MJCF: zero or more")
    dynamics = {"dyntype": "integrator"} if m.actuator_dyntype[u] == c.DYN_INTEGRATOR else {}
    word = next(word for word, kind in CHARTS.items() if kind == chart)
    return dynamics | {"gaintype": SO3, "biastype": SO3, "input": word, "gainprm": (kp, 0, 0),
                       "biasprm": (b, -kp, by_velocity)}  # fmt: skip
