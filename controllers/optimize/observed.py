"""What a recorded rollout shows when it is looked at again: contacts of a robot with itself, the load of its
actuators."""

import numpy as np

from engine.clocks import times_of
from engine.model.constants import FREE
from engine.replay import set_inputs
from engine.simulator import Simulator

DEEP = 1e-3  # m
SATURATED = 0.98  # of its range: where a control stands at a limit
PIECE = 24  # worlds: for so few no thread is woken, nor a kernel for several loaded


def observed(m, trajectory):
    """A Simulator after `forward` in every row of the first world of a rollout, a world each."""
    sim = Simulator(m, len(trajectory.qpos))
    return _evaluated(sim, trajectory, np.arange(sim.worlds))


def _evaluated(sim, trajectory, rows):
    """The Simulator after `forward` in these rows of the first world of a rollout, a world each."""
    controls = len(trajectory.ctrl)
    sim.reset(trajectory.qpos[rows, 0], trajectory.qvel[rows, 0])
    sim.data.act[:] = trajectory.act[rows, 0]
    stride = max(controls // max(len(trajectory.qpos) - 1, 1), 1)
    set_inputs(sim.data, trajectory, np.minimum(rows * stride, controls - 1))
    sim.forward()
    return sim


def touching_itself(sim):
    """Share of the rows with a contact between two bodies of one robot that do not touch each other in the first."""
    m, found = sim.model, []
    root = np.asarray(m.body_rootid)
    for w in range(sim.worlds):
        c = sim.data.contacts(w)
        a, b = (np.asarray(m.geom_bodyid)[c[name]] for name in ("geom1", "geom2"))
        own = (root[a] == root[b]) & (c["dist"] < 0)
        found.append(set(zip(a[own].tolist(), b[own].tolist(), strict=True)))
    return float(np.mean([bool(pairs - found[0]) for pairs in found]))


def pushed_by(sim, loose):
    """Whether the tree of the dofs `loose` touches, in any row, what moves and is not of that tree."""
    m = sim.model
    ours = np.asarray(m.body_rootid) == m.body_rootid[m.dof_bodyid[loose[0]]]
    moves = np.asarray(m.body_weldid) != 0
    for w in range(sim.worlds):
        c = sim.data.contacts(w)
        a, b = (np.asarray(m.geom_bodyid)[c[name]] for name in ("geom1", "geom2"))
        if ((ours[a] != ours[b]) & moves[a] & moves[b] & (c["dist"] < 0)).any():
            return True
    return False


def in_the_air(m, trajectory, root):
    """(rows,): whether the robot of a root (engine.objectives.find_root) touches nothing but itself, `PIECE` rows at a
    time, since such a run is long."""
    ours, found = np.asarray(m.body_rootid) == m.body_rootid[m.dof_bodyid[root.vx]], []
    sim = Simulator(m, PIECE)
    for first in range(0, len(trajectory.qpos), PIECE):
        _evaluated(sim, trajectory, np.minimum(first + np.arange(PIECE), len(trajectory.qpos) - 1))
        for w in range(PIECE):
            c = sim.data.contacts(w)
            a, b = (ours[np.asarray(m.geom_bodyid)[c[name]]] for name in ("geom1", "geom2"))
            found.append(not ((a != b) & (c["dist"] < 0)).any())
    return np.array(found[: len(trajectory.qpos)])


def overlapping(sim):
    """[(body, body, m), ...] of one robot that lie in each other by a millimetre or more from the first row to the
    last, and how deep at the start: shapes that rub where they were drawn too large. By names, the deepest first."""
    m, rows = sim.model, []
    root = np.asarray(m.body_rootid)
    for w in (0, sim.worlds - 1):
        c = sim.data.contacts(w)
        pairs = np.sort(np.asarray(m.geom_bodyid)[np.stack([c["geom1"], c["geom2"]], axis=1)], axis=1)
        deep = {}
        for (a, b), dist in zip(pairs.tolist(), c["dist"].tolist(), strict=True):
            if root[a] == root[b] and dist < -DEEP:
                deep[a, b] = max(deep.get((a, b), 0.0), -dist)
        rows.append(deep)
    names = [name or f"body {b}" for b, name in enumerate(m.body_names)]
    found = [(names[a], names[b], deep) for (a, b), deep in rows[0].items() if (a, b) in rows[1]]
    return sorted(found, key=lambda one: -one[2])


def falls_freely(m, body, trajectory):
    """Whether the free base of a body has come at least half as far as it would without anything below it."""
    root = m.body_rootid[body]
    j = int(m.body_jntadr[root])
    if not m.body_jntnum[root] or m.jnt_type[j] != FREE:
        return False
    g, time = np.asarray(m.opt.gravity, float), times_of(trajectory)[:, 0]
    way = np.diff(trajectory.qpos[[0, -1], 0, m.jnt_qposadr[j] :][:, :3], axis=0)[0]
    return bool(g @ g > 0 and way @ g > 0.25 * (g @ g) * (time[-1] - time[0]) ** 2)


def peak_load(sim, trajectory):
    """(share, actuator): the largest force of all actuators as a share of what it can be, and whose. None where nothing
    limits any: the force range, and of motors the range of the control."""
    m, u = sim.model, trajectory.ctrl[:, 0]
    share = np.zeros(m.nu)
    known = np.asarray(m.actuator_forcelimited, bool)
    most = np.abs(m.actuator_forcerange).max(axis=1)
    share[known] = (np.abs(sim.data.actuator_force[:-1]).max(axis=0) / np.maximum(most, 1e-12))[known]
    motors = ~known & np.asarray(m.actuator_ctrllimited, bool) & ~np.asarray(m.actuator_biasprm).any(axis=1)
    share[motors] = (np.abs(u).max(axis=0) / np.maximum(np.abs(m.actuator_ctrlrange).max(axis=1), 1e-12))[motors]
    if not (known | motors).any():
        return None
    k = int(np.argmax(share))
    return min(float(share[k]), 1.0), m.actuator_names[k] or f"actuator {k}"


def share_at_limit(m, trajectory):
    """Share of (row, actuator) with a control at an end of its range; None without such ranges."""
    limited = np.asarray(m.actuator_ctrllimited, bool)
    if not limited.any():
        return None
    low, high = m.actuator_ctrlrange[limited].T
    half = np.maximum(0.5 * (high - low), 1e-12)
    return float((np.abs(trajectory.ctrl[:, 0, limited] - 0.5 * (low + high)) >= SATURATED * half).mean())


def fallen(m, dofs):
    """What moves dofs that fall whatever the controls do, in words: a list of one, or none."""
    names = [m.joint_names[j] or f"joint {j}" for j in dict.fromkeys(m.dof_jntid[list(dofs)].tolist())]
    return [f"no actuator can keep {', '.join(names)} from falling"] if names else []
