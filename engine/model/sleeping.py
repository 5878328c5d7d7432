"""Trees of bodies that may sleep (the flag sleep): which do, what wakes them, and where their state stands in act.

A tree is what joints tie together below what cannot move. MuJoCo counts for each of them (`tree_asleep`): from AWAKE up
to -1 while it rests, and the next tree of its island, a cycle, while it sleeps. Behind what sensors have of the past,
act has for each tree this number less that of the start (`body_asleep0`), and whether it has fallen asleep since; then
qpos as it was then, and of sensors that tell forces and accelerations the numbers that they told last.
"""

import numpy as np

from . import constants as c
from .delays import first_of_sensors, late, past_of_sensors
from .sensors import ROWS
from .trees import tree_ids

AUTO, AUTO_NEVER, AUTO_ALLOWED, NEVER, ALLOWED, INIT = range(6)  # body_sleep (mjtSleepPolicy)
POLICY_NAMES = dict(enumerate(("auto", "auto, never", "auto, allowed", "never", "allowed", "init")))
MINAWAKE = 10  # steps (mjMINAWAKE)
AWAKE = -(1 + MINAWAKE)
STATIC, MOVED, NOTHING = -1, -2, -3  # in place of a tree: the world's, of a mocap body or the like, no element
# Of these levels a reading does not follow from where a tree rests.
_HELD = ("acceleration", "touch", "wrench", "contact", "limit", "actuator")
_HELD_NAMES = ("actuatorfrc", "tendonactuatorfrc")


def body_trees(m):
    """Of each body the number of its tree, or STATIC or MOVED, (nbody,)."""
    ids = tree_ids(m)
    first = m.body_dofadr[m.body_weldid]
    moved = np.where(m.body_mocapid[m.body_rootid] >= 0, MOVED, STATIC)
    return np.where(m.body_dofnum[m.body_weldid] > 0, ids[first] if len(ids) else -1, moved)


def first_bodies(m):
    """The first body of each tree, (ntree,)."""
    trees = body_trees(m)
    return np.array([int(np.flatnonzero(trees == t)[0]) for t in range(int(tree_ids(m).max(initial=-1)) + 1)], int)


def may_sleep(m):
    """Whether each tree may sleep, (ntree,)."""
    return np.isin(m.body_sleep[first_bodies(m)], (AUTO_ALLOWED, ALLOWED, INIT))


def sleeps(m):
    """Whether any tree of Model `m` may sleep."""
    return bool(m.opt.sleep) and may_sleep(m).any()


def qpos_trees(m):
    """The tree of each number of qpos, (nq,)."""
    found, ids = np.zeros(len(m.qpos0), int), tree_ids(m)
    for j in range(len(m.jnt_type)):
        q = m.jnt_qposadr[j]
        found[q : q + c.NQ[int(m.jnt_type[j])]] = ids[m.jnt_dofadr[j]]
    return found


def tendon_trees(m):
    """The trees that each tendon's joints, sites and geoms are in, [[...]]."""
    trees, found = body_trees(m), []
    bodies = {c.WRAP_JOINT: m.jnt_bodyid, c.WRAP_SITE: m.site_bodyid}
    for adr, num in zip(m.tendon_adr, m.tendon_num, strict=True):
        along = [k for k in range(adr, adr + num) if m.wrap_type[k] != c.WRAP_PULLEY]
        at = [int(trees[bodies.get(int(m.wrap_type[k]), m.geom_bodyid)[m.wrap_objid[k]]]) for k in along]
        found.append(list(dict.fromkeys(t for t in at if t >= 0)))
    return found


def actuator_tree(m, u):
    """The trees that an actuator on a joint or a tendon moves."""
    k = int(m.actuator_trnid[u])
    if m.actuator_trntype[u] == c.TRN_TENDON:
        return tendon_trees(m)[k]
    if m.actuator_trntype[u] in (c.TRN_JOINT, c.TRN_JOINTINPARENT):
        return [int(body_trees(m)[m.jnt_bodyid[k]])]
    body = k if m.actuator_trntype[u] == c.TRN_BODY else m.site_bodyid[k]
    return [int(body_trees(m)[body])]


def _ends_of_actuator(m, u):
    """The same, with what its reference is on."""
    other = int(m.actuator_refid[u])
    beyond = [int(body_trees(m)[m.site_bodyid[other]])] if other >= 0 else []
    return [t for t in (*actuator_tree(m, u), *beyond) if t >= 0]


def _states(m, kind, i):
    """Trees, or what stands for them, of an element that a sensor reads."""
    trees = body_trees(m)
    if kind == c.OBJ_NONE or i < 0:
        return [NOTHING]
    if kind == c.OBJ_TENDON:
        return tendon_trees(m)[i] or [STATIC]
    if kind == c.OBJ_ACTUATOR:
        return actuator_tree(m, i) or [STATIC]
    bodies = {c.OBJ_JOINT: m.jnt_bodyid, c.OBJ_SITE: m.site_bodyid, c.OBJ_GEOM: m.geom_bodyid}
    return [int(trees[bodies[kind][i] if kind in bodies else i])]


def sensor_trees(m):
    """The trees that sleep where a sensor does, two of each sensor, -1: none. One without any is always awake."""
    found = np.full((len(m.sensor_type), 2), -1)
    for s in range(len(m.sensor_type)):
        row = ROWS[m.sensor_type[s]]
        ends = ((m.sensor_objtype[s], m.sensor_objid[s]), (m.sensor_reftype[s], m.sensor_refid[s]))
        own, other = (_states(m, *end) for end in ends)
        through_site = row.level == "contact" and c.OBJ_SITE in (m.sensor_objtype[s], m.sensor_reftype[s])
        trees = list(dict.fromkeys(t for t in own + other if t >= 0))
        if row.level != "range" and not through_site and trees and MOVED not in own + other and len(trees) < 3:
            found[s, : len(trees)] = trees
    return found


def held(m):
    """How many numbers each sensor's last readings take, (nsensor,): none of one that follows from where trees rest."""
    rows = [ROWS[kind] for kind in m.sensor_type]
    kept = [row.level in _HELD or row.name in _HELD_NAMES for row in rows]
    some = (sensor_trees(m) >= 0).any(axis=1) & np.array(kept, bool)
    return np.where(some, m.sensor_dim, 0).astype(int)


def count(m):
    """Numbers of act that the sleep of Model `m` takes, whether or not the option has it."""
    if not np.any(m.body_sleep) or not may_sleep(m).any():
        return 0
    return 2 * len(first_bodies(m)) + len(m.qpos0) + int(held(m).sum())


def first(m):
    """Where they begin in act."""
    return first_of_sensors(m) + past_of_sensors(m)


def cycles(m):
    """Of each body whether body_asleep0 says that its tree is awake, or leads to one that sleeps, as no other does."""
    start = m.body_asleep0[first_bodies(m)]
    asleep = np.flatnonzero(start >= 0)
    good = np.array_equal(np.sort(start[asleep]), asleep)
    return (m.body_asleep0 < 0) | good


def tree_asleep(m, act):
    """MuJoCo's numbers of all trees, (..., ntree), from act (..., na)."""
    n, at = len(first_bodies(m)), first(m)
    return act[..., at : at + n].astype(int) + m.body_asleep0[first_bodies(m)]


def wake(m, act, rows):
    """All trees of these worlds are awake, in place."""
    at, start = first(m), m.body_asleep0[first_bodies(m)]
    act[rows, at : at + len(start)] = AWAKE - start


def device(m):
    """{column: values} of the device's arrays, of none where nothing sleeps."""
    on = sleeps(m)
    n = len(first_bodies(m)) * on
    roots, trees = first_bodies(m)[:n], tendon_trees(m) if on else []
    pairs = np.array([(t + [-1, -1])[:2] if len(t) < 3 else [-1, -1] for t in trees], int).reshape(-1, 2)
    sensors, numbers = (sensor_trees(m), held(m)) if on else (np.zeros((0, 2), int), np.zeros(0, int))
    at = first(m) + 2 * n + m.nq + np.cumsum(numbers) - numbers if on else numbers
    ends = np.array([_ends(m, e) for e in range(m.neq)] if on else [], int).reshape(-1, 2)
    return {
        "sleep_policy": may_sleep(m)[:n], "sleep_start": m.body_asleep0[roots],
        "sleep_body": body_trees(m) if on else roots, "sleep_qpos": qpos_trees(m) if on else roots,
        "sleep_length": m.dof_length[: m.nv * on],
        "ten_tree1": pairs[:, 0], "ten_tree2": pairs[:, 1], "eq_tree1": ends[:, 0], "eq_tree2": ends[:, 1],
        "sensor_tree1": sensors[:, 0], "sensor_tree2": sensors[:, 1], "sensor_held": np.where(numbers > 0, at, -1),
    }  # fmt: skip


def _ends(m, e):
    """Trees, or what stands for them, of the two sides of an equality of joints or frames."""
    bodies = {c.OBJ_JOINT: m.jnt_bodyid, c.OBJ_SITE: m.site_bodyid}.get(int(m.eq_objtype[e]), np.arange(m.nbody))
    trees = body_trees(m)
    return [int(trees[bodies[i]]) if i >= 0 else STATIC for i in (m.eq_obj1id[e], m.eq_obj2id[e])]


def lines(m, opt):
    """Lines: what the engine lacks beside trees that may sleep. m: a Model, or what has its arrays and names."""
    if not opt.sleep:
        return

    def label(kind, i):
        name = getattr(m, f"{kind}_names")[i]
        return f"{kind} {name!r}" if name else f"{kind} {i}"

    roots, rests = first_bodies(m), may_sleep(m)
    for t in np.flatnonzero(m.body_sleep[roots] == AUTO):
        yield f"{label('body', roots[t])}: body_sleep = 0 with the option sleep; allowed: a file that has the flag"
    if not rests.any():
        return
    if opt.integrator == c.RK4:
        yield "option flag sleep = enable with the integrator RK4; allowed: Euler, implicit, implicitfast, discrete"
    asleep = set(np.flatnonzero(rests).tolist())
    for t in np.flatnonzero(rests & (m.body_mocapid[m.body_rootid[roots]] >= 0)):
        yield f"{label('body', roots[t])}: may sleep, on a mocap body; allowed: sleep = never"
    for u in range(len(m.actuator_trnid)):
        moved = set(_ends_of_actuator(m, u))
        if asleep & moved and m.actuator_dyntype[u] != c.DYN_NONE:
            yield f"{label('actuator', u)}: on a tree that may sleep; allowed: one without states"
        if asleep & moved and len(moved) > 1 and m.actuator_trntype[u] != c.TRN_TENDON:
            yield f"{label('actuator', u)}: between trees that may sleep; allowed: one on a joint, tendon or one site"
    for e in np.flatnonzero(m.eq_type == c.EQ_TENDON):
        who = label("equality", e)
        yield f"{who}: of tendons beside trees that may sleep, which MuJoCo refuses; allowed: connect, weld, joint"
    late_ones = np.flatnonzero(late(m)) if len(m.sensor_type) else ()
    trees, numbers = sensor_trees(m), held(m)
    for s in late_ones:
        yield f"{label('sensor', s)}: a delay or interval beside trees that may sleep; allowed: none"
    start = m.body_asleep0[roots] >= 0
    for s in np.flatnonzero(numbers):
        if all(start[t] for t in trees[s] if t >= 0):
            name = ROWS[m.sensor_type[s]].name
            yield f"{label('sensor', s)}: {name} of a tree that sleeps at the start; allowed: other sensors"
