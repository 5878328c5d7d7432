"""Sensors of distances beside MuJoCo's, whose search between convex shapes ends at a tolerance, or where they overlap
at a depth that is not the least. The engine's number is right if along its direction the shapes are farther apart."""

import mujoco
import numpy as np

from engine.model.delays import sensor_columns
from engine.model.sensors import FORMULAS, words_of_mujoco
from tests.physics.test_convex import farthest

SAME, ROUNDING = 1e-7, 1e-9


def separation(mj, data, sensor, n):
    """How far apart the two geoms of a sensor are along n, from the first to the second: their distance is the most."""
    g1, g2 = mj.sensor_objid[sensor], mj.sensor_refid[sensor]
    return -farthest(mj, data, g1, n) - farthest(mj, data, g2, -n)


def climbed(mj, data, sensor):
    """The separation along the best direction that steps from several others find."""
    rng, best = np.random.default_rng(0), -np.inf
    for _ in range(8):
        n, radius = rng.normal(size=3), 0.5
        n /= np.linalg.norm(n)
        at = separation(mj, data, sensor, n)
        while radius > 1e-6:
            tried = n + radius * rng.normal(size=(12, 3))
            tried /= np.linalg.norm(tried, axis=1, keepdims=True)
            found = [separation(mj, data, sensor, v) for v in tried]
            k = int(np.argmax(found))
            n, at, radius = (tried[k], found[k], radius) if found[k] > at else (n, at, 0.6 * radius)
        best = max(best, at)
    return best


def right(mj, data, sensor, ours, theirs):
    """Whether our reading is as good as MuJoCo's or better: its direction is, or its distance the most there is."""
    if len(ours) == 1:
        return abs(climbed(mj, data, sensor) - ours[0]) < SAME
    found = []
    for reading in (ours, theirs):
        v = reading[-3:] - (reading[:3] if len(reading) == 6 else 0.0)
        n = v / np.linalg.norm(v)
        found.append(max((separation(mj, data, sensor, n), 1.0), (separation(mj, data, sensor, -n), -1.0)))
        found[-1] += (np.linalg.norm(v),)
    (best, side, length), (other, _, _) = found
    return best >= other - ROUNDING and (len(ours) == 3 or abs(best - side * length) < SAME)


def excused(mj, data, ours, theirs):
    """Our readings of places, with MuJoCo's in their place where ours of a distance that is sought are right."""
    types, geom = words_of_mujoco(mujoco)
    readings = ours.copy()
    of_geoms = (mj.sensor_objtype == geom) & (mj.sensor_reftype == geom)
    for s in np.flatnonzero(np.isin(mj.sensor_type, types) & of_geoms & (mj.sensor_history[:, 0] == 0)):
        part = slice(mj.sensor_adr[s], mj.sensor_adr[s] + mj.sensor_dim[s])
        kinds = tuple(sorted(mj.geom_type[[mj.sensor_objid[s], mj.sensor_refid[s]]].tolist()))
        if np.abs(ours[part] - theirs[part]).max() < SAME or kinds in FORMULAS or not theirs[part].any():
            continue
        if ours[part].any() and right(mj, data, s, ours[part], theirs[part]):
            readings[part] = theirs[part]
    return readings


def told_right(mj, data, model, ours, theirs):
    """Which numbers of act are what sensors of distances that are sought told, where the newest ones of ours are as
    right as MuJoCo's. data: MjData after the step, whose geoms are where they were before it."""
    found, late = np.zeros(model.na, bool), sensor_columns(model)
    for s in np.flatnonzero(np.isin(mj.sensor_type, words_of_mujoco(mujoco)[0])) if len(late["late_num"]) else ():
        part = np.arange(mj.sensor_adr[s], mj.sensor_adr[s] + mj.sensor_dim[s])
        first, count = late["late_adr"][part], late["late_num"][part]
        last = first + count - 1
        if count.all() and np.abs(ours - theirs)[last].max() > SAME and theirs[last].any():
            if right(mj, data, s, ours[last], theirs[last]):
                for begin, n in zip(first, count, strict=True):
                    found[begin : begin + n] = True
    return found
