"""What in logs looks like a mistake: sentences for those who made them."""

import numpy as np

from engine.model.constants import HINGE
from engine.words import counted

TURNS = 4 * np.pi  # rad, more than which no hinge is likely to turn
BEYOND = 1.0  # rad beyond a joint's range


def require_samples(logs, found, window):
    """Raises ValueError where samples are so far apart that windows (s, or None) have none, as with times in ms."""
    for log, (measured, _) in zip(logs, found, strict=True):
        apart = [np.median(np.diff(m.time)) for m in measured if len(m.time) > 1]
        if window is not None and apart and min(apart) > window:
            raise ValueError(f"{log.name}: its samples are {min(apart):g} s apart, a window is {window:g} s; allowed: "
                             "windows of several samples (are its times in seconds?)")  # fmt: skip


def doubts(model, logs, found, ctrl0):
    """[sentence] on what looks like a mistake. ctrl0 (nu,): what actuators without a channel are given."""
    sentences = []
    for log, (measured, controls) in zip(logs, found, strict=True):
        missing = [u for u in range(model.nu) if u not in controls]
        if missing:
            value = np.unique(np.asarray(ctrl0, float)[missing])
            held = f"{value[0]:g}" if len(value) == 1 else "what the keyframe says"
            names = ", ".join(model.actuator_names[u] or str(u) for u in missing)
            sentences.append(f"{log.name}: no channel commands {counted(len(missing), 'actuator')} ({names}), which "
                             f"{'is' if len(missing) == 1 else 'are'} taken to hold {held}")  # fmt: skip
        for m in measured:
            if len(m.values) > 1 and not _moves(m.values):
                sentences.append(f"{log.name}: {m.what.label} never changes")
            far = _too_far(model, m)
            if far is not None:
                sentences.append(f"{log.name}: {m.what.label} goes to {far:.4g}, which would be rad: is it in degrees?")
    return sentences


def _moves(values):
    return bool((np.ptp(values, axis=0) > 0).any())


def _too_far(model, m):
    """The value farthest off of a hinge's position that no hinge is likely to have, or None."""
    if m.what.kind != "qpos":
        return None
    joint, values = model.dof_jntid[m.what.first], m.values[:, 0]
    if model.jnt_type[joint] != HINGE:
        return None
    low, high = model.jnt_range[joint] if model.jnt_limited[joint] else (-TURNS, TURNS)
    off = np.maximum(low - values, values - high)
    k = int(np.argmax(off))
    return float(values[k]) if off[k] > BEYOND * bool(model.jnt_limited[joint]) else None
