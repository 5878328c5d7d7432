"""A humanoid does a backflip by receding-horizon iLQR: python -m demos.backflip ROBOT.xml flip.gif

Every 20 ms four iterations of iLQR plan half a second ahead, by exact derivatives through contact, within the torque
limits of the file. No motion was captured. What is followed is made of six poses and of mechanics: a crouch, a push at
constant acceleration, a flight whose time the height gives and whose turning keeps its momentum, a landing. `--rival`:
the same planner beside it, whose derivatives are finite differences of MuJoCo's steps.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import pullback as pb
from engine.replay import replay
from engine.view import Camera, save_animation

G, DT, HORIZON, ITERATIONS = 9.81, 0.02, 25, 4
LEGS, SIDE = 20, 20  # weights of joints: with less it lands deeper, on a knee
JOINTS = ("hip_pitch", "knee", "shoulder_pitch", "elbow", "ankle_pitch")
FEET = ("left_ankle_roll_link", "right_ankle_roll_link")
SOLE = 0.035  # m, of an ankle above the ground
#                 hip,  knee, shoulder, elbow, ankle, pitch of the trunk: on the ground the feet are level
STAND = np.array([-0.25, 0.5, 0.2, 0.6, -0.25, 0.0])
CROUCH = np.array([-1.8, 2.2, 1.2, 0.3, -0.75, 0.35])
OFF = np.array([-0.05, 0.15, -2.2, 0.3, 0.2, -0.3])
TUCK = np.array([-2.0, 2.3, -0.6, 0.6, -0.3, 0.0])
LAND = np.array([-0.7, 0.8, -0.6, 0.6, -0.35, 0.25])
DEEP = np.array([-1.65, 2.0, -0.6, 0.6, -0.7, 0.35])


def placed(model, rows):
    """(qpos with the pelvis at the origin, centres of mass, ankles, moments of inertia about y) of poses (n, 6)."""
    qpos = np.tile(model.qpos0, (len(rows), 1))
    for side in ("left", "right"):
        for name, values in zip(JOINTS, rows.T[:5], strict=True):
            qpos[:, model.jnt_qposadr[model.joint(f"{side}_{name}_joint")]] = values
    # half the angle: after a turn of 360 degrees the quaternion is the negative one, as far away as can be
    zero, half = np.zeros(len(rows)), rows[:, 5] / 2
    qpos[:, :7] = np.stack([zero, zero, zero, np.cos(half), zero, np.sin(half), zero], axis=1)
    sim = pb.Simulator(model, len(rows))
    sim.reset(qpos)
    sim.forward()
    share = model.body_mass / model.body_mass.sum()
    middle = np.einsum("b,wbi->wi", share, sim.data.xipos)
    off = sim.data.xipos - middle[:, None]
    inertia = (model.body_mass * (off[..., 0] ** 2 + off[..., 2] ** 2)).sum(axis=1)
    return qpos, middle, sim.data.xpos[:, [model.body(name) for name in FEET]].mean(axis=1), inertia


def reference(model, height):
    """(qpos (rows, nq), qvel (rows, nv)) every DT: up by `height` m in flight, one turn backwards."""
    _, middle, ankle, _ = placed(model, np.array([CROUCH, OFF, LAND, DEEP]))
    low, high, met, deep = (middle - ankle)[:, 2]
    speed = np.sqrt(2 * G * height)
    falling = np.sqrt(speed**2 + 2 * G * (high - met))
    lasts = np.array([0.2, 0.5, 2 * (high - low) / speed, (speed + falling) / G, 2 * (met - deep) / falling, 0.8, 1.0])
    ends, fine = np.cumsum(lasts), DT / 4
    poses = (STAND, STAND), (STAND, CROUCH), (CROUCH, OFF), (OFF, TUCK), (LAND, DEEP), (DEEP, STAND), (STAND, STAND)
    rows, times = [], np.arange(0, ends[-1] - fine, fine)
    for t in times:
        k = int(np.searchsorted(ends, t, side="right"))
        s, (first, last) = 1 - (ends[k] - t) / lasts[k], poses[k]
        if k == 3:  # tucked from 0.4 to 0.55 of the flight
            first, last, s = (OFF, TUCK, min(s / 0.4, 1)) if s < 0.55 else (TUCK, LAND, (s - 0.55) / 0.45)
        # the push has constant acceleration, and so has the braking
        share = {2: s * s, 4: 1 - (1 - s) ** 2}.get(k, s * s * (3 - 2 * s))
        rows.append(first + (last - first) * share - [0, 0, 0, 0, 0, 2 * np.pi * (k > 3)])
    rows, air, landed = np.array(rows), (times >= ends[2]) & (times < ends[3]), times >= ends[3]
    rows[air, 5] = 0.0
    rate = 1 / placed(model, rows[air])[3]
    turning = np.cumsum(rate) - 0.5 * rate
    rows[air, 5] = OFF[5] + (LAND[5] - 2 * np.pi - OFF[5]) * turning / turning[-1]
    qpos, middle, ankle, _ = placed(model, rows)
    place, k = [0, 0, SOLE] - ankle, int(np.flatnonzero(air)[0])
    at = middle[k - 1] + place[k - 1]
    aside = np.clip((at - middle[k - 4] - place[k - 4])[0] / (3 * fine), -0.6, 0.3)
    since = times[air] - ends[2]
    flight = np.stack([at[0] + aside * since, 0 * since, SOLE + high + speed * since - G * since**2 / 2], axis=1)
    place[air] = flight - middle[air]
    place[landed, 0] += flight[-1, 0] - (middle + place)[landed][0, 0]
    qpos[:, :3], qpos[:, 1] = place, 0.0
    qvel = np.zeros((len(qpos), model.nv))
    qvel[:, :3], qvel[:, 6:] = np.gradient(qpos[:, :3], fine, axis=0), np.gradient(qpos[:, 7:], fine, axis=0)
    qvel[:, 4] = np.gradient(rows[:, 5], fine)
    return qpos[::4], qvel[::4]


def followed(model, qpos, qvel):
    """The cost: heights and turns of the trunk weigh most, joints little, torques least."""
    def at(rows):
        return lambda t: rows[min(round(t / DT), len(rows) - 1)]

    by_place, by_speed = np.full(model.nq, 2.5), np.full(model.nv, 0.01)
    by_place[:7] = 4, 4, 200, 240, 240, 240, 240
    by_speed[:6] = 2, 2, 6, 1, 1.5, 1
    weights = {"roll": SIDE, "yaw": SIDE, "waist": SIDE, "hip_pitch": LEGS, "knee": LEGS, "ankle_pitch": LEGS}
    for word, weight in weights.items():
        for name in model.joint_names:
            if word in name and "wrist" not in name:
                by_place[model.jnt_qposadr[model.joint(name)]] = weight
    track = pb.objectives.Track
    places, speeds = (slice(None), by_place, at(qpos)), (slice(None), by_speed, at(qvel))
    return (track(model, places[2], qpos=places[0], weight=places[1])
            + track(model, speeds[2], qvel=speeds[0], weight=speeds[1]) + 1e-4 * pb.objectives.Effort())  # fmt: skip


def planner(model, qpos, qvel, steps):
    """The MPC before its first plan."""
    return pb.controllers.MPC(model, followed(model, qpos, qvel), HORIZON, steps, round(DT / model.opt.timestep),
                              iterations=ITERATIONS, start=(qpos[0], 0 * qvel[0]),
                              # contacts come and go within a plan: the search for one that gains may be longer than
                              # that of a robot that waits
                              together=(1, 3, 4), searches=5)  # fmt: skip


def with_differences(mpc, folder):
    """The same MPC, which linearises by MuJoCo's differences."""
    from demos.by_differences import Transitions

    path, plan = Path(folder) / "robot.xml", mpc.planner
    mpc.model.to_mjcf(path)
    transitions = Transitions(path, HORIZON, plan.frame_skip)

    def linearize():
        t = plan.trajectory
        return transitions(t.qpos[:-1, 0], t.qvel[:-1, 0], t.ctrl[:, 0])

    plan._linearize = linearize
    return mpc


def flown(mpc, how, qpos):
    """The run, (rows, nq), after all its plans, of which it tells."""
    mpc.iterate()  # and compile
    clocks, k = (time.perf_counter(), time.process_time()), len(mpc.done_ctrl)
    while not mpc.finished:
        mpc.iterate()
    plans = len(mpc.done_ctrl) - k
    took = 1e3 * (np.array([time.perf_counter(), time.process_time()]) - clocks) / max(plans, 1)
    q = mpc.done_qpos
    off = np.sqrt(np.square(q[:, 7:] - qpos[: len(q), 7:]).mean())
    tilt = np.degrees(np.abs(turn_of(q) - turn_of(qpos)[: len(q)]).max())
    print(f"{how}: {plans} plans, {took[0]:.0f} ms each ({took[1]:.0f} of processor time); cost {mpc.spent:.2f}, "
          f"joints {off:.3f} rad off (root of the mean square), the trunk {tilt:.0f} degrees at most")  # fmt: skip
    return q


def turn_of(q):
    """rad, (rows,): by how much the trunk has turned about y."""
    return np.unwrap(2 * np.arctan2(q[:, 5], q[:, 3]))


def main(robot, picture=None, height=0.4, seconds=np.inf, rival=False):
    """(degrees turned, m from the next ankle where the ground was met, seconds upright at the end)."""
    model = pb.load(robot, floor=True, collide="ground")
    qpos, qvel = reference(model, height)
    steps = min(len(qpos), round(min(seconds, 60) / DT))
    mpc = planner(model, qpos, qvel, steps)
    q = flown(mpc, "by gradient", qpos)
    turned = np.degrees(turn_of(q))
    take = replay(model, q)
    met = {model.body_names[b] for c in take.contacts for g in ("geom1", "geom2") for b in model.geom_bodyid[c[g]]}
    feet = take.xpos[:, [model.body(name) for name in FEET]]
    # a shank ends in the shell of the ankle, which may be a heel; a shin or a knee is farther from there
    away = max(np.linalg.norm(c["pos"][:, None] - at, axis=2).min(axis=1).max(initial=0.0)
               for c, at in zip(take.contacts, feet, strict=True))  # fmt: skip
    tilted = 1 - 2 * (q[:, 4] ** 2 + q[:, 5] ** 2) < np.cos(np.radians(20))
    bad = np.flatnonzero(tilted | (q[:, 2] < 0.9 * qpos[0, 2]))
    upright = DT * (len(q) - 1 - (bad[-1] if len(bad) else -1))
    full = np.isclose(np.abs(mpc.done_ctrl), model.actuator_ctrlrange[:, 1], rtol=1e-3).any(axis=1).mean()
    print(f"motors at a limit in {full:.0%} of it")
    print(f"turned by {turned[-1]:.0f} degrees, pelvis up to {q[:, 2].max():.2f} m; upright the last {upright:.2f} s")
    parts = ", ".join(sorted(met - {model.body_names[0]}))
    print(f"the ground was met by {parts}, at most {away:.2f} m from an ankle")
    if rival:
        with TemporaryDirectory() as folder:
            flown(with_differences(planner(model, qpos, qvel, steps), folder), "by differences", qpos)
    if picture:
        save_animation(picture, model, [take.geom_xpos[::2]], [take.geom_xquat[::2]], fps=25,
                       camera=Camera(azimuth=90, elevation=-8))  # fmt: skip
    return turned[-1], away, upright


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(": python")[0])
    parser.add_argument("robot", help="an MJCF file of a humanoid whose joints are called as the Unitree G1's")
    parser.add_argument("picture", nargs="?", help="file for an animation")
    parser.add_argument("--height", type=float, default=0.4, help="m, that the centre of mass rises in flight")
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so many")
    parser.add_argument("--rival", action="store_true", help="plan it by MuJoCo's finite differences, too")
    main(**vars(parser.parse_args()))
