"""First guesses of the states in which windows begin, from the measurements around."""

import numpy as np

NEAR = 9  # samples of a position that a parabola is laid through


def first_starts(model, windows, shown, qpos=None, qvel=None):
    """{"qpos": (windows, nq), "qvel", "act"}: where the logs measure positions, value and slope of a parabola through
    the samples around; elsewhere qpos (nq,), qvel (nv,), by default the model's own state at rest. shown (nv,): what
    encoders show too much."""
    W = windows.count
    out = {
        "qpos": np.tile(model.qpos0 if qpos is None else qpos, (W, 1)),
        "qvel": np.tile(np.zeros(model.nv) if qvel is None else qvel, (W, 1)),
        "act": np.zeros((W, model.na)),
    }
    direct = {m.what.first for measured, _ in windows.logs for m in measured if m.what.kind == "qvel"}
    for i, (measured, _) in enumerate(windows.logs):
        mine = np.flatnonzero(windows.log == i)
        for m in measured:
            kind, first = m.what.kind, m.what.first
            for w in mine:
                if kind == "qpos":
                    value, slope = parabola(m.time, m.values[:, 0], windows.start[w])
                    out["qpos"][w, model.jnt_qposadr[model.dof_jntid[first]]] = value - shown[first]
                    if first not in direct:
                        out["qvel"][w, first] = slope
                elif kind == "qvel":
                    out["qvel"][w, first] = np.interp(windows.start[w], m.time, m.values[:, 0])
                elif kind == "pose":
                    _pose(m, windows.start[w], out["qpos"][w], out["qvel"][w])
    return out


def parabola(time, values, at):
    """Value and slope at a time of the parabola through the samples around it."""
    k = int(np.clip(np.searchsorted(time, at) - NEAR // 2, 0, max(len(time) - NEAR, 0)))
    t, v = time[k : k + NEAR] - at, values[k : k + NEAR]
    scale = np.abs(t).max() or 1.0
    found = np.polyfit(t / scale, v, min(2, len(t) - 1))
    return found[-1], found[-2] / scale if len(found) > 1 else 0.0


def _pose(m, at, qpos, qvel):
    """A free joint's: places as above, the quaternion of the nearest sample, its turn between two."""
    adr, dof = m.what.qposadr, m.what.first
    for k in range(3):
        qpos[adr + k], qvel[dof + k] = parabola(m.time, m.values[:, k], at)
    k = int(np.clip(np.searchsorted(m.time, at), 0, len(m.time) - 1))
    quat = m.values[k, 3:] / np.linalg.norm(m.values[k, 3:])
    qpos[adr + 3 : adr + 7] = quat
    # rotation vectors from that quaternion, in the body's axes, of the samples around
    lo = int(np.clip(k - NEAR // 2, 0, max(len(m.time) - NEAR, 0)))
    near = slice(lo, lo + NEAR)
    b = m.values[near, 3:] / np.linalg.norm(m.values[near, 3:], axis=1, keepdims=True)
    c = b @ quat
    v = quat[0] * b[:, 1:] - b[:, :1] * quat[1:] - np.cross(quat[1:], b[:, 1:])
    turns = 2 * v * np.where(c < 0, -1.0, 1.0)[:, None]
    for j in range(3):
        qvel[dof + 3 + j] = parabola(m.time[near], turns[:, j], at)[1]
