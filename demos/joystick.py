"""A quadruped learns to walk as told, then drives a course: python -m demos.joystick ROBOT.xml drive.gif

The policy sees gravity, gyro, joints and the command, as `pullback train` has it (PyTorch is needed). It learns at
random commands by gradient (SHAC) until it does as told; the course is none of them. drive.png, beside the GIF, has
velocities and the path, which nobody steers: errors of heading add up, as under a person who looks away.
`--policy runs/joystick/policy.npz` drives again without learning; `--drive course.csv`, rows
of seconds and three numbers from -1 to 1 under a header, drives elsewhere. `--rival`: PPO of Stable-Baselines3 (extra
`sb3`) learns the same task in MuJoCo for as many seconds, and drives the same course.
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from controllers.training.folder import TrainingFolder
from controllers.training.in_mujoco import moved, stays_up
from controllers.training.job import Training, started
from controllers.training.legged import BACK, Legged
from controllers.training.policy import Policy
from controllers.training.shac import Settings, Shac
from engine.commands import common
from engine.replay import replay
from engine.simulator import Simulator
from engine.view import Camera, save_animation

# seconds, and how far the stick is forward, left and turned left; 1: the fastest command of each
DRIVE = ((3, 1, 0, 0), (4, 0.6, 0, 1), (2, 0, 0, 0), (3, 0, 1, 0), (3, 0.6, 0, -1), (2, -BACK, 0, 0), (2, 0, 0, 0))


def learn(task, folder, budget):
    """(the best Policy of a training of at most so many seconds, how many it took)."""
    job = Training(task, Shac(task, Settings(), 0), 1500, budget)
    with TrainingFolder(folder, {"robot": task.body.model.name}) as kept:
        reason = job.run(kept, lambda row, verdict: verdict and print(f"iteration {row['iteration']}: {verdict.text}"))
        print(f"learned in {job.clocks[0]:.0f} s, {job.clocks[1]:.0f} s of processor time: {reason}")
        if kept.best is None:
            job.write(kept, task.body.model.name, pictures=False)
        return Policy.load(kept.path / "policy.npz"), job.clocks[0]


def learn_by_ppo(task, folder, budget):
    """The Policy after so many seconds of PPO in MuJoCo, of the same robot with the same coarse step."""
    from controllers.training.ppo import PPO
    from demos.by_differences import Robots

    learner = PPO(task, 64, 0)
    worlds, body = learner.worlds, task.body
    Path(folder).mkdir(parents=True, exist_ok=True)
    body.learned.to_mjcf(Path(folder) / "coarse.xml")
    steps = Robots(Path(folder) / "coarse.xml", worlds.n, body.substeps)

    def stepped(act, ctrl):
        qpos, qvel, lost = steps(*(x.numpy() for x in (*worlds.state[:2], ctrl)))
        return [torch.from_numpy(qpos), torch.from_numpy(qvel), worlds.state[2]], torch.from_numpy(lost)

    worlds.stepped = stepped
    job = Training(task, learner, 10**6, budget, 10**9)
    with TrainingFolder(folder, {"robot": task.body.model.name, "rival": "ppo"}) as kept:
        job.run(kept)
        print("PPO in MuJoCo: {:.0f} s, {:.0f} s of processor time; {:.2g} decisions, {:.2g} physics steps".format(
            *job.clocks, worlds.steps / body.substeps, worlds.steps))  # fmt: skip
        job.write(kept, task.body.model.name, pictures=False)
        return Policy.load(kept.path / "policy.npz")


def driven(task, policy, drive):
    """(qpos (rows, nq), told (rows - 1, 3) in m/s and rad/s, place (rows, 3), turn (rows, 3, 3)) of one drive."""
    sticks = np.repeat(drive[:, 1:], np.round(drive[:, 0] / task.body.dt).astype(int), axis=0)
    told = torch.from_numpy(np.clip(sticks, [-BACK, -1, -1], 1)) * task.most
    sim = Simulator(task.body.exact)
    sim.reset(task.home.numpy())
    last, clock, rows = torch.zeros(1, task.body.model.nu), torch.zeros(1), [sim.data.qpos[0].copy()]
    for command in told:
        state = [torch.from_numpy(a.copy()) for a in (sim.data.qpos, sim.data.qvel, sim.data.act)]
        last = torch.from_numpy(policy(task.observe(state, command[None], last, clock)[0].numpy()))
        sim.data.ctrl[:] = task.body.control(last).numpy()
        sim.advance(task.body.repeat)
        clock = (clock + policy.spec["clock_step"]) % 1.0
        rows.append(sim.data.qpos[0].copy())
    qpos = np.array(rows)
    seen = torch.from_numpy(qpos)
    return qpos, told.numpy(), task.trunk.place(seen).numpy(), task.trunk.turn(seen).numpy()


def asked(told, dt):
    """(rows, 2): where one comes who does what is told at once, from the origin, looking along x."""
    heading = np.cumsum(told[:, 2]) * dt
    c, s = np.cos(heading), np.sin(heading)
    steps = np.stack([c * told[:, 0] - s * told[:, 1], s * told[:, 0] + c * told[:, 1]], axis=1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps * dt, axis=0)])


def draw(path, told, does, way, place, dt):
    """The path as told and as driven, and the three velocities, smoothed over a third of a second."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplot_mosaic("PPA;PPB;PPC", figsize=(11, 4.6), layout="constrained")
    n, times = round(0.33 / dt), np.arange(len(told)) * dt
    for line, word in ((way, "as told"), (place[:, :2] - place[0, :2], "driven")):
        axes["P"].plot(*line.T, label=word)
    axes["P"].set(xlabel="x, m", ylabel="y, m", aspect="equal")
    axes["P"].legend()
    for k, (key, word) in enumerate((("A", "forward, m/s"), ("B", "left, m/s"), ("C", "turning, rad/s"))):
        axes[key].plot(times, told[:, k], times, np.convolve(does[:, k], np.ones(n) / n, "same"))
        axes[key].set(ylabel=word, xlabel="s" if key == "C" else "")
    figure.savefig(path, dpi=90)


def told_of(task, policy, drive):
    """(run as of `driven`, velocities (rows, 3), errors (sections, 3), whether it stayed up) of a drive, and prints."""
    began, dt = time.perf_counter(), task.body.dt
    qpos, told, place, turn = driven(task, policy, drive)
    does = moved(place[:, None], turn[:, None], dt)[:, 0]
    up = bool(stays_up(place, turn, task.spec()["upright"])[-1])
    ends = np.cumsum(np.round(drive[:, 0] / dt).astype(int))
    # the second half of each section counts: until then the robot comes from the command before
    errors = np.array([(does - told)[(a + b) // 2 : b].mean(axis=0) for a, b in pairwise([0, *ends])])
    for (seconds, *_), end, error in zip(drive, ends, errors, strict=True):
        print(f"{seconds:4.1f} s told {told[end - 1].round(2)}, does {(told[end - 1] + error).round(2)}")
    print(f"{len(told) * dt:g} s driven in {time.perf_counter() - began:.1f} s, {'upright' if up else 'FALLEN'}")
    print(f"off by {np.hypot(*errors[:, :2].T).mean():.2f} m/s and {abs(errors[:, 2]).mean():.2f} rad/s in the mean")
    return (qpos, told, place, turn), does, errors, up


def main(robot, picture=None, drive=None, policy=None, budget=600.0, folder="runs/joystick", rival=False):
    """(errors (sections, 3) of the mean velocities as told, m/s, m/s, rad/s; whether it stayed up)."""
    started(0)
    chosen = common.started(common.robot(robot))
    task = Legged(chosen.model, chosen.qpos0, "run")
    policy, took = (Policy.load(policy), budget) if policy else learn(task, folder, budget)
    drive = np.array(DRIVE) if drive is None else np.loadtxt(drive, delimiter=",", skiprows=1, ndmin=2)
    (qpos, told, place, _), does, errors, up = told_of(task, policy, drive)
    if rival:
        told_of(task, learn_by_ppo(task, Path(folder) / "ppo", took), drive)
    if picture:
        way, dt = asked(told, task.body.dt), task.body.dt
        every = round(0.08 / dt)
        take = replay(task.body.exact, qpos, every=every)
        notes = [[f"told {x:.2f} {y:.2f} m/s {w:.2f} rad/s" for x, y, w in [told[0], *told][::every]]]
        save_animation(picture, task.body.exact, [take.geom_xpos], [take.geom_xquat], fps=12.5, notes=notes,
                       times=np.arange(len(take.time)) * every * dt, camera=Camera(120, -25))  # fmt: skip
        draw(Path(picture).with_suffix(".png"), told, does, way, place, dt)
    return errors, up


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(": python")[0])
    parser.add_argument("robot", help="an MJCF file of a robot on four legs, with a floor")
    parser.add_argument("picture", nargs="?", help="file for an animation; the plot is written beside it")
    parser.add_argument("--drive", help="a CSV file: seconds, forward, left, turn, from -1 to 1")
    parser.add_argument("--policy", help="drive by this policy.npz, without learning")
    parser.add_argument("--budget", type=float, default=600.0, help="seconds to learn for at most")
    parser.add_argument("--folder", default="runs/joystick", help="where the training is kept")
    parser.add_argument("--rival", action="store_true", help="PPO in MuJoCo, too, for as many seconds")
    main(**vars(parser.parse_args()))
