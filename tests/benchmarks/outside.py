"""Judges a run folder of `pullback optimize` from outside: the task itself, from recorded states and controls.

    python tests/benchmarks/outside.py RUN ROBOT.xml

Needs numpy and mujoco alone: settings.json says what was asked, run.npz what the robot did, verdict.json what the
command says of it. The robot is an MJCF file as MuJoCo reads it. Every number that has an independent measure here is
compared, and some moments of the run are simulated again by MuJoCo. Prints what contradicts the verdict; exit code 1
where something does.
"""

import csv
import json
import sys
from pathlib import Path

import mujoco
import numpy as np

WITHIN, HELD, STILL, TURNED = 2e-3, 0.05, 0.05, np.radians(1.0)  # m, s, per s, rad: of a reach
NEAR, AS_TURNED = 5e-3, np.radians(3.0)  # m, rad: of what is pushed
ANGLE, DROP = 0.7, 0.3  # rad, share of the trunk's height: it has fallen where it tilts or sinks by more
TIE = 0.05  # of these limits, and of what else decides: so near two measures may differ
LIMIT = 0.98  # of half its range: a control stands at its limit
AIR, QUIET = 0.03, 1.0  # s without contact of a jump, per s after it
UPRIGHT, SLOW, STEADY = 0.2, 1.0, 1.0  # rad, rad/s, s: of what balances
MOMENTS = 40  # control steps that are simulated again
FREE, BALL, SLIDE, HINGE = 0, 1, 2, 3


class Run:
    """What a folder holds, of the last of its worlds: qpos (rows, nq), qvel, ctrl (steps, nu); time (rows,) from 0."""

    def __init__(self, folder, robot):
        folder = Path(folder)
        self.said, self.asked = (json.loads((folder / f"{n}.json").read_text()) for n in ("verdict", "settings"))
        with np.load(folder / "run.npz") as f:
            self.qpos, self.qvel, self.act = (f[n][:, -1].astype(float) for n in ("qpos", "qvel", "act"))
            self.ctrl, self.time = f["ctrl"][:, -1].astype(float), f["time"] - f["time"][0]
            self.clock = float(f["time"][0])
            info = json.loads(str(f["info"]))
        self.skip, self.every = info["frame_skip"], info["record_every"]
        self.m = mujoco.MjModel.from_xml_path(str(robot))
        if (self.m.nq, self.m.nv, self.m.nu) != (self.qpos.shape[1], self.qvel.shape[1], self.ctrl.shape[1]):
            raise ValueError(f"{robot}: another robot than that of {folder}")
        self.wrong, self.ties, self.found = [], [], {}

    def states(self, rows=None):
        """(row, MjData after `mj_forward`) of these rows, one after the other."""
        m, d = self.m, mujoco.MjData(self.m)
        for k in range(len(self.qpos)) if rows is None else rows:
            d.qpos[:], d.qvel[:] = self.qpos[k], self.qvel[k]
            if m.na:
                d.act[:] = self.act[k]
            d.ctrl[:], d.time = self.ctrl[min(k * self.every, len(self.ctrl) - 1)], self.clock + self.time[k]
            mujoco.mj_forward(m, d)
            yield k, d

    def same(self, name, value, most, relative=0.0):
        """Notes the number, and whether the verdict says another one."""
        self.found[name] = float(value)
        if name in self.said and abs(self.said[name] - value) > most + relative * abs(value):
            self.wrong.append(f"{name}: said {self.said[name]:.6g}, found {value:.6g}")

    def decide(self, done, tie=False):
        """Notes whether the task is done."""
        self.found["solved"] = bool(done)
        if self.said["solved"] is not None and bool(self.said["solved"]) != bool(done):
            (self.ties if tie else self.wrong).append(f"said solved={self.said['solved']}, found {bool(done)}")


def judge(folder, robot):
    """{task, solved (by this measure; None where it has none), said, wrong [...], ties [...], found {...}}."""
    run = Run(folder, robot)
    task = {"run": ran, "stand": stood, "jump": jumped, "balance": balanced, "swingup": balanced, "reach": reached,
            "track": tracked, "push": pushed, "carry": pushed}.get(run.asked["task"])  # fmt: skip
    if task is not None and not (run.asked["task"] == "run" and "speed" not in run.said):
        task(run)
    share_at_limit(run)
    simulated_again(run)
    if run.said["solved"] is False and not (run.said["try"] and run.said["verdict"]):
        run.wrong.append("not solved, and nothing is said to try")
    return {"task": run.asked["task"], "said": run.said["solved"], "solved": run.found.get("solved"),
            "verdict": run.said["verdict"], "wrong": run.wrong, "ties": run.ties, "found": run.found}  # fmt: skip


def share_at_limit(run):
    """Share of controls at an end of their range."""
    limited = run.m.actuator_ctrllimited.astype(bool)
    if limited.any():
        low, high = run.m.actuator_ctrlrange[limited].T
        off = np.abs(run.ctrl[:, limited] - (low + high) / 2)
        at = off >= LIMIT * (high - low) / 2
        # rounding decides of a control that stands exactly there
        run.same("share_at_limit", at.mean(), 1e-9 + (np.abs(off - LIMIT * (high - low) / 2) < 1e-9).mean())


def simulated_again(run):
    """MuJoCo steps from recorded states under the recorded controls: the next row must be where the run was."""
    m, d = run.m, mujoco.MjData(run.m)
    if getattr(m, "actuator_history", np.zeros(1)).any():
        return  # a delayed control's past is not recorded
    off, rows = [], len(run.qpos) - 1
    for k in np.unique(np.linspace(0, rows - 1, min(MOMENTS, rows)).astype(int)):
        mujoco.mj_resetData(m, d)
        d.qpos[:], d.qvel[:], d.time = run.qpos[k], run.qvel[k], run.clock + run.time[k]
        if m.na:
            d.act[:] = run.act[k]
        for step in range(run.every):
            d.ctrl[:] = run.ctrl[k * run.every + step]
            mujoco.mj_step(m, d, run.skip)
        way = np.zeros(m.nv)
        mujoco.mj_differentiatePos(m, way, 1.0, run.qpos[k + 1], d.qpos)
        moved = np.zeros(m.nv)
        mujoco.mj_differentiatePos(m, moved, 1.0, run.qpos[k], run.qpos[k + 1])
        off.append(np.abs(way).max() / (1e-3 + np.abs(moved).max()))
    run.found["simulated_again_off"] = float(np.median(off))
    if np.median(off) > 0.01:
        run.wrong.append(f"MuJoCo's steps lead elsewhere: by {np.median(off):.3f} of the way in the median")


def place_of(m, d, name):
    """(place (3,), frame (3, 3), body) of a site, else a body, else a geom."""
    for kind, where, frame, body in (("SITE", d.site_xpos, d.site_xmat, m.site_bodyid),
                                     ("BODY", d.xpos, d.xmat, np.arange(m.nbody)),
                                     ("GEOM", d.geom_xpos, d.geom_xmat, m.geom_bodyid)):  # fmt: skip
        k = mujoco.mj_name2id(m, getattr(mujoco.mjtObj, f"mjOBJ_{kind}"), name)
        if k >= 0:
            return where[k].copy(), frame[k].reshape(3, 3).copy(), int(body[k])
    raise ValueError(f"no site, body or geom {name!r}")


def turned(frame, quat):
    """rad, of a frame from a quaternion's."""
    asked = np.zeros(9)
    mujoco.mju_quat2Mat(asked, np.asarray(quat, float) / np.linalg.norm(quat))
    return float(np.arccos(np.clip((np.trace(frame.T @ asked.reshape(3, 3)) - 1) / 2, -1, 1)))


def reached(run):
    """The point within 2 mm of its target for the last 0.05 s (half of a shorter run), at rest, turned as asked; of
    several points each."""
    sites = [run.asked["site"]] if isinstance(run.asked["site"], str) else run.asked["site"]
    targets = np.reshape(np.asarray(run.asked["target"], float), (-1, len(sites), 3))
    if "targets_reached" not in run.said and len(targets) > 1:
        run.wrong.append("several targets, and no word of how many were reached")
    places, frames, bodies = [], [], []
    for _, d in run.states():
        found = [place_of(run.m, d, site) for site in sites]
        places.append([place.copy() for place, _, _ in found]), frames.append(found[0][1])
        bodies = [body for _, _, body in found]
    places = np.array(places)
    away = np.linalg.norm(places - targets[-1], axis=2).max(axis=1)
    own = np.isin(run.m.body_rootid[run.m.dof_bodyid], run.m.body_rootid[bodies])
    speed = np.abs(run.qvel[-1, own]).max(initial=0.0)
    last = run.time >= run.time[-1] - min(HELD, run.time[-1] / 2) - 1e-9
    run.same("distance_to_target", away[-1], 1e-6)
    run.same("nearest", away.min(), 1e-6)
    run.same("speed_at_end", speed, 1e-6)
    done, tie = away[last].max() <= WITHIN and speed < STILL, abs(away[last].max() - WITHIN) < TIE * WITHIN
    if run.asked.get("quat") is not None:
        off = max(turned(f, run.asked["quat"]) for f, now in zip(frames, last, strict=True) if now)
        run.same("turned_off", off, 1e-4)
        done &= off <= TURNED
    count, row = 0, 0
    for target in targets:
        near = np.flatnonzero(np.linalg.norm(places[row:] - target, axis=2).max(axis=1) <= WITHIN)
        if not len(near):
            break
        count, row = count + 1, row + near[0]
    if len(targets) > 1:
        run.same("targets_reached", count, 0)
    run.decide(done and (len(targets) == 1 or count == len(targets)), tie)
    touches_and_load(run)


def touches_and_load(run):
    """Share of rows with a contact within the robot that was not there at the start, and the largest force."""
    m, first, rows, load = run.m, None, [], np.zeros(run.m.nu)
    for k, d in run.states():
        pairs = set()
        for c in d.contact[: d.ncon]:
            a, b = sorted(int(m.geom_bodyid[g]) for g in c.geom) if c.dist < 0 and min(c.geom) >= 0 else (0, 0)
            if a and m.body_rootid[a] == m.body_rootid[b]:
                pairs.add((a, b))
        first = pairs if first is None else first
        rows.append(bool(pairs - first))
        if k < len(run.qpos) - 1:
            load = np.maximum(load, np.abs(d.actuator_force))
    # a row more or less: touching is a matter of rounding
    run.same("touches_itself", np.mean(rows), 1.5 / len(rows))
    known = m.actuator_forcelimited.astype(bool)
    if known.all() and m.nu:
        most = np.abs(m.actuator_forcerange).max(axis=1)
        run.same("peak_load", min((load / np.maximum(most, 1e-12)).max(), 1.0), 1e-3, 1e-2)


def root_of(m):
    """(body, qpos address of x, of z or -1, free?) of what runs and stands: the first body with a free joint or a slide
    along x."""
    for b in range(1, m.nbody):
        joints = range(m.body_jntadr[b], m.body_jntadr[b] + m.body_jntnum[b])
        if m.body_jntnum[b] and m.jnt_type[joints[0]] == FREE:
            at = int(m.jnt_qposadr[joints[0]])
            return b, at, at + 2, True
        along = {axis: int(m.jnt_qposadr[j]) for j in joints for axis in (0, 2)
                 if m.jnt_type[j] == SLIDE and abs(m.jnt_axis[j][axis]) > 0.99}  # fmt: skip
        if 0 in along:
            return b, along[0], along.get(2, -1), False
    raise ValueError("nothing that could run")


def falls(run):
    """(time of the fall or None, near the limits?, share of rows with the trunk on the ground): the trunk tilted or
    sunk from how it began, whatever way it faces."""
    m, (b, _, z, _) = run.m, root_of(run.m)
    tilt, height, lies, start = [], [], [], None
    for _, d in run.states():
        up = d.xmat[b].reshape(3, 3)[2].copy()
        start = up if start is None else start
        tilt.append(np.arccos(np.clip(up @ start, -1, 1)))
        height.append(d.xpos[b][2])
        lies.append(any({0, b} == {int(m.body_weldid[m.geom_bodyid[g]]) for g in c.geom}
                        for c in d.contact[: d.ncon] if c.dist < 0 and min(c.geom) >= 0))  # fmt: skip
    tilt, sunk = np.array(tilt), (height[0] - np.array(height)) / max(height[0], 0.05)
    down = (tilt >= ANGLE) | (sunk >= DROP if z >= 0 else False)
    worst = max(tilt.max() / ANGLE, sunk.max() / DROP if z >= 0 else 0.0)
    run.found |= {"tilt": float(tilt.max()), "sunk": float(sunk.max()), "trunk_on_ground": float(np.mean(lies))}
    lain = 0.0 if lies[0] else float(np.mean(lies))
    return (run.time[int(np.argmax(down))] if down.any() else None), abs(worst - 1) < 2 * TIE, lain


def upright(run):
    """(stayed up?, too near to say?), compared with what was said."""
    fell, tie, lain = falls(run)
    if "upright" in run.said and run.said["upright"] != (fell is None) and not tie:
        what = "no fall" if fell is None else f"a fall at {fell:.2f} s"
        run.wrong.append(f"said upright={run.said['upright']}, found {what}")
    elif fell is not None and "fell_at" in run.said and abs(run.said["fell_at"] - fell) > 0.1:
        run.wrong.append(f"said to fall at {run.said['fell_at']:.2f} s, found {fell:.2f} s")
    if run.said["solved"] and lain > 0.02:
        run.wrong.append(f"said to be upright, but its trunk is on the ground {100 * lain:.0f} % of the time")
    return fell is None, tie


def ran(run):
    """Half of the speed that was aimed at after a quarter of the run, upright; drift aside."""
    _, x, _, free = root_of(run.m)
    k = int(np.searchsorted(run.time, 0.25 * run.time[-1] - 1e-9))
    speed = (run.qpos[-1, x] - run.qpos[k, x]) / (run.time[-1] - run.time[k])
    run.same("speed", speed, 1e-6, 1e-3)
    run.same("distance", run.qpos[-1, x] - run.qpos[0, x], 1e-6)
    if free:
        run.same("drift", run.qpos[-1, x + 1] - run.qpos[0, x + 1], 1e-6)
    up, tie = upright(run)
    asked = run.asked.get("speed")
    if asked and abs(run.said["speed_aimed"] - asked) > 1e-9:
        run.wrong.append(f"asked for {asked} m/s, aimed at {run.said['speed_aimed']:.3f}")
    half = 0.5 * run.said["speed_aimed"]
    run.decide(up and speed >= half, tie or abs(speed - half) < TIE * half)


def stood(run):
    """Upright to the end, after the push that was asked for."""
    _, x, _, free = root_of(run.m)
    run.same("moved", np.abs(run.qpos[:, x] - run.qpos[0, x]).max(), 1e-6)
    run.same("speed_at_end", np.abs(run.qvel[-1]).max(), 1e-6)
    push = run.asked.get("push")
    if push:
        at = int(run.m.jnt_dofadr[int(np.flatnonzero(run.m.jnt_qposadr == x)[0])])
        got = np.linalg.norm(run.qvel[0, at : at + 2]) if free else abs(run.qvel[0, at])
        if abs(got - push) > 1e-6:
            run.wrong.append(f"asked for a push of {push} m/s, found {got:.3f}")
    up, tie = upright(run)
    run.decide(up, tie)


def jumped(run):
    """The trunk as much higher than where it stood as was asked, nothing but itself touched for 0.03 s on end, landed
    and at rest."""
    m, (b, _, z, _) = run.m, root_of(run.m)
    stands = [run.qpos[0, z]]  # it may begin a little above, and sinks; then it ends where it stands, or nearly
    stands += [run.qpos[-1, z]] if np.abs(run.qvel[-1]).max() <= QUIET else []
    rises = np.sort(run.qpos[:, z].max() - np.array(stands))
    ours = m.body_rootid == m.body_rootid[b]
    air, best, since = [], 0.0, None
    for _, d in run.states():
        air.append(not any(ours[m.geom_bodyid[c.geom[0]]] != ours[m.geom_bodyid[c.geom[1]]]
                           for c in d.contact[: d.ncon] if c.dist < 0))  # fmt: skip
    for now, t in zip(air, run.time, strict=True):
        since = (t if since is None else since) if now else None
        best = best if since is None else max(best, t - since)
    run.same("rise", np.clip(run.said["rise"], rises[0], rises[-1]), 2e-3)
    run.same("airborne", best, 1.5 * run.time[1])
    run.same("speed_at_end", np.abs(run.qvel[-1]).max(), 1e-6)
    if run.asked.get("height") and abs(run.said["rise_asked"] - run.asked["height"]) > 1e-9:
        run.wrong.append(f"asked for {run.asked['height']} m, aimed at {run.said['rise_asked']:.3f}")
    up, tie = upright(run)
    lacks = rises - run.said["rise_asked"]
    near = lacks[0] < 0 <= lacks[-1] or np.abs(lacks).min() < 2e-3 or abs(best - AIR) < 2 * run.time[1]
    run.decide(up and lacks[-1] >= 0 and best >= AIR and np.abs(run.qvel[-1]).max() <= QUIET, tie or near)


def highest(m, qpos, rng):
    """(goal (nq,), hinges that matter): where the weight stands highest over the hinges, found by climbing from many
    poses along one joint after the other."""
    d = mujoco.MjData(m)
    hinges = [j for j in range(m.njnt) if m.jnt_type[j] == HINGE]
    low, high = np.where(m.jnt_limited[:, None], m.jnt_range, [-np.inf, np.inf]).T

    def potential(q):
        d.qpos[:] = q
        mujoco.mj_kinematics(m, d)
        return -float(m.body_mass @ (d.xipos @ m.opt.gravity))

    def climbed(q):
        stride, now = 0.5, potential(q)
        while stride > 1e-6:
            before = now
            for j in hinges:
                for sign in (1, -1):
                    other = q.copy()
                    k = m.jnt_qposadr[j]
                    other[k] = np.clip(q[k] + sign * stride, low[j], high[j])
                    there = potential(other)
                    if there > now + 1e-15:
                        q, now = other, there
            stride *= 0.5 if now - before < 1e-3 * abs(now) * stride else 1.0
        return q, now

    starts = [qpos.copy()]
    for _ in range(12):
        q = qpos.copy()
        for j in hinges:
            q[m.jnt_qposadr[j]] = rng.uniform(*np.clip([low[j], high[j]], -np.pi, np.pi))
        starts.append(q)
    found = [climbed(q) for q in starts]
    top = max(height for _, height in found)
    goals = [q for q, height in found if height > top - 1e-6 * abs(top)]

    def matters(j):
        q = goals[0].copy()
        q[m.jnt_qposadr[j]] += 0.3
        return abs(potential(q) - top) > 1e-9

    return goals, [j for j in hinges if matters(j)]


def balanced(run):
    """Within 0.2 rad of the highest pose, all hinges slower than 1 rad/s, for the last second (half of a shorter
    run)."""
    m = run.m
    goals, hinges = highest(m, run.qpos[0], np.random.default_rng(0))
    at, dofs = m.jnt_qposadr[hinges], m.jnt_dofadr[hinges]
    limited = m.jnt_limited[hinges].astype(bool)

    def off(goal):
        way = run.qpos[:, at] - goal[at]
        return np.abs(np.where(limited, way, np.mod(way + np.pi, 2 * np.pi) - np.pi)).max(axis=1)

    away = np.min([off(goal) for goal in goals], axis=0)
    inside = (away < UPRIGHT) & (np.abs(run.qvel[:, dofs]).max(axis=1) < SLOW)
    last = run.time >= run.time[-1] - min(STEADY, run.time[-1] / 2) + 1e-9
    run.same("angle_at_end", away[-1], 2e-3)
    run.same("nearest", away.min(), 2e-3)
    run.decide(inside[last].all(), abs(away[last].max() - UPRIGHT) < TIE * UPRIGHT)


def table_of(path):
    """{name: (rows,)} of a CSV or an NPZ file."""
    if str(path).endswith(".npz"):
        with np.load(path) as f:
            return {n: np.asarray(f[n], float) for n in f.files}
    with open(path, newline="") as f:
        rows = list(csv.reader(f))
    return dict(zip((n.strip() for n in rows[0]), np.array(rows[1:], float).T, strict=True))


def tracked(run):
    """At the table's own times from 0.1 s on: the point within 5 mm, the joints within 0.05 rad or m."""
    if run.asked.get("catch"):
        caught(run)
        return
    table = table_of(run.asked["path"])
    time = table["time"] - table["time"][0]
    now = (time >= min(0.1, run.time[-1] / 2)) & (time <= run.time[-1] + 1e-9)
    if {"x", "y", "z"} <= table.keys():
        places = np.array([place_of(run.m, d, run.asked["site"])[0] for _, d in run.states()])
        was = np.stack([np.interp(time, run.time, places[:, i]) for i in range(3)], axis=1)
        off, most = np.linalg.norm(was - np.stack([table[c] for c in "xyz"], axis=1), axis=1)[now], 5e-3
    else:
        names, off, most = [n for n in table if n != "time"], np.zeros(now.sum()), 0.05
        for name in names:
            at = run.m.jnt_qposadr[mujoco.mj_name2id(run.m, mujoco.mjtObj.mjOBJ_JOINT, name)]
            off = np.maximum(off, np.abs(np.interp(time, run.time, run.qpos[:, at]) - table[name])[now])
    run.found["off_at_table_times"] = float(off.max())
    if off.max() > run.said["off_most"] + 0.02 * most:
        run.wrong.append(f"said at most {run.said['off_most']:.5f} off its way, found {off.max():.5f}")
    # between the table's rows it may be farther off
    run.decide(off.max() <= most, off.max() <= most)


def caught(run):
    """Points at their moving targets, whose tables are gone along as by straight lines: all within 5 mm in the second
    half of the run. Judged where a table has a row, since the way between two rows is a curve."""
    sites = [run.asked["site"]] if isinstance(run.asked["site"], str) else run.asked["site"]
    places, late = np.array([[place_of(run.m, d, name)[0] for name in sites] for _, d in run.states()]), []
    for k, path in enumerate(run.asked["path"]):
        table = table_of(path)
        time = table["time"] - table["time"][0]
        now = time <= run.time[-1] + 1e-9
        was = np.stack([np.interp(time[now], run.time, places[:, k, i]) for i in range(3)], axis=1)
        off = np.linalg.norm(was - np.stack([table[c][now] for c in "xyz"], axis=1), axis=1)
        late.append(off[time[now] >= 0.5 * run.time[-1]])
    most = max(float(x.max(initial=0.0)) for x in late)
    run.found["off_in_second_half"] = most
    if run.said["solved"] and most > run.said["off_most"] + 1e-4:
        run.wrong.append(f"said at most {run.said['off_most']:.5f} m off, found {most:.5f}")
    run.decide(most <= 5e-3, abs(most - 5e-3) < 0.02 * 5e-3)


def pushed(run):
    """The body within 5 mm of its target, turned by 3 degrees at most from what was asked, for the last 0.05 s, and at
    rest."""
    m, target = run.m, np.asarray(run.asked["target"], float)
    b = mujoco.mj_name2id(m, mujoco.mjtObj.mjOBJ_BODY, run.asked["object"])
    last = np.flatnonzero(run.time >= run.time[-1] - min(HELD, run.time[-1] / 2) - 1e-9)
    away, off = [], []
    for _, d in run.states(last):
        away.append(np.linalg.norm(d.xpos[b] - target))
        if run.asked.get("quat") is not None:
            off.append(turned(d.xmat[b].reshape(3, 3), run.asked["quat"]))
    speed = np.abs(run.qvel[-1, m.body_rootid[m.dof_bodyid] == m.body_rootid[b]]).max()
    run.same("object_distance", away[-1], 1e-6)
    run.same("speed_at_end", speed, 1e-6)
    if off:
        run.same("turned_off", max(off), 1e-4)
    run.decide(max(away) <= NEAR and max(off, default=0.0) <= AS_TURNED and speed < STILL,
               abs(max(away) - NEAR) < 0.01 * NEAR)  # fmt: skip


def main():
    found = judge(*sys.argv[1:3])
    print(json.dumps(found, indent=1))
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
