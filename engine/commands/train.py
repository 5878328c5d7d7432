"""`pullback train`: learn a policy for a robot and a task, in a folder that can be resumed, and say what it does."""

import time
from pathlib import Path

import numpy as np

from engine.commands.common import (
    DONE,
    NOT_REACHED,
    Output,
    add_wishes,
    finite,
    interrupted,
    positive,
    progress,
    robot,
    seed,
    started,
    wishes,
)
from engine.commands.optimize import TASKS as PLANNED
from engine.commands.optimize import missing_root
from engine.words import meant

TASKS = ("run", "stand", "reach")
METHODS = ("shac", "ppo")
ITERATIONS = {"shac": 1500, "ppo": 1000}


NAMED = 12  # sites or bodies that a refusal names


def add(commands):
    o = commands.add_parser("train", help="learn a policy: run at a commanded velocity, stand when pushed, reach")
    o.add_argument("robot", help="an MJCF or URDF file, or a built-in scene")
    o.add_argument("--task", metavar="TASK", default=None,
                   help=f"{', '.join(TASKS)}; default: run where the robot has a root that can, else reach")
    o.add_argument("--method", choices=METHODS, default="shac", help="shac: by gradient; ppo: Stable-Baselines3's")
    o.add_argument("--out", type=Path, default=None, help="run folder (default runs/<robot>_policy)")
    o.add_argument("--iterations", type=int, default=None,
                   help="at most; rates fall along them (default 1500; ppo 1000)")
    o.add_argument("--budget", type=float, default=600.0, help="wall-clock seconds to learn for at most (default 600)")
    o.add_argument("--worlds", type=int, default=None, help="that learn at once (default 32; ppo 64)")
    o.add_argument("--horizon", type=int, default=None, help="shac: decisions that are differentiated at once "
                   "(default 16)")  # fmt: skip
    o.add_argument("--speed", type=float, default=None, help="--task run: m/s of the fastest command (default: what "
                   "suits the robot's size)")  # fmt: skip
    o.add_argument("--push", type=float, default=None, help="m/s that pushes give, in learning and judging (default: "
                   "0.3 of the fastest command)")  # fmt: skip
    o.add_argument("--site", help="--task reach: the site, body or geom to bring to targets")
    o.add_argument("--start", metavar="KEYFRAME", help="the pose that it begins in (default: as `pullback optimize`)")
    o.add_argument("--patient", action="store_true", help="go on when the task is solved, to the end")
    o.add_argument("--seed", type=seed, default=0)
    o.add_argument("--resume", action="store_true", help="go on from the run folder, with the same options")
    o.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
    add_wishes(o)
    o.set_defaults(run=run)


def run(args):
    """Exit code 0 where the verdict is good, else 1."""
    positive(args, "iterations", "budget", "worlds", "horizon", "speed")
    finite(args, "push", least=0.0)
    chosen = robot(args.robot, wishes(args))
    if chosen.scene is None:
        chosen = started(chosen, args.start)
    elif args.start is not None:
        raise ValueError(f"--start: for a robot file, not for the built-in scene {chosen.name!r}")
    task = checked_task(chosen, args)
    needed(args.method)
    return train(args, chosen, task)


def checked_task(chosen, args):
    """The task, or an error that says why there is no policy for it."""
    lacking = missing_root(chosen)
    task, allowed = args.task or ("reach" if lacking else "run"), ", ".join(TASKS)
    if task in PLANNED and task not in TASKS:
        raise ValueError(f"--task {task} has no policy form, allowed: {allowed}; `pullback optimize` has it")
    if task not in TASKS:
        raise ValueError(f"--task {task!r}{meant(task, TASKS)}, allowed: {allowed}")
    if lacking and task != "reach":
        raise ValueError(f"--task {task} needs {lacking} ({chosen.name}), allowed: reach")
    if task == "reach" and args.site is None:
        m = chosen.model
        kind, names = ("sites", m.site_names) if m.site_names else ("bodies", m.body_names)
        there = ", ".join([n for n in names if n and n != "world"][:NAMED])
        raise ValueError("--task reach needs --site: the site, body or geom to bring to targets; "
                         f"{chosen.name} has the {kind} {there}")  # fmt: skip
    return task


def needed(method):
    """Say which extra a method needs, before anything is made for it."""
    from importlib.util import find_spec

    for package, extra in (("torch", "torch"), *((("stable_baselines3", "sb3"),) if method == "ppo" else ())):
        if find_spec(package) is None:
            raise ValueError(f'pullback train needs {package}: pip install "pullback[{extra}]"')


def train(args, chosen, task):
    from controllers.training.folder import TrainingFolder
    from controllers.training.job import Training, make_learner, make_task
    from controllers.training.job import started as begin
    from engine.model.portable import fingerprint

    out, began = Output(args.json), time.perf_counter()
    iterations = args.iterations or ITERATIONS[args.method]
    settings = {"robot": chosen.name, "task": task, "method": args.method, "iterations": iterations,
                "worlds": args.worlds, "horizon": args.horizon, "speed": args.speed, "push": args.push,
                "site": args.site, "start": args.start, "seed": args.seed,
                "model": fingerprint(chosen.model)}  # fmt: skip
    begin(args.seed)
    made = make_task(chosen, task, args)
    learner = make_learner(made, args.method, args)
    job = Training(made, learner, iterations, args.budget, patient=args.patient)
    title = f"{chosen.name}, {task} by {args.method}"
    told = f", commands up to {made.fastest:.2f} m/s" if task == "run" else ""
    out.say(f"{title}{told}: {learner.nobs} numbers seen, {chosen.model.nu} moved, every {made.body.dt:g} s")
    with TrainingFolder(args.out or Path("runs") / f"{chosen.name}_policy", settings, args.resume) as folder:
        if args.resume:
            folder.load(learner)
        try:
            with progress(iterations, title, args.json) as bar:
                reason = job.run(folder, Show(out, bar, iterations, args.budget))
        except KeyboardInterrupt:
            return interrupted(out, ["train", args.robot], folder.path, folder.checkpoint)
        out.say(f"stopped: {reason}; writing policy and pictures")
        verdict = job.write(folder, title, chosen.camera)
        rows = folder.rows
        summary = {"reason": reason, "iterations": learner.iteration, "steps": rows[-1]["steps"] if rows else 0,
                   "learning_seconds": job.clocks[0], "learning_cpu_seconds": job.clocks[1],
                   "seconds": time.perf_counter() - began, "folder": folder.path, **verdict.record()}  # fmt: skip
        for line in verdict.lines():
            out.say(line)
        best = verdict.numbers["policy_of_iteration"]
        out.say(f"the policy is that of iteration {best} of {learner.iteration}; {summary['steps']:,} physics steps, "
                f"{job.clocks[0]:.0f} s of learning, {summary['seconds']:.0f} s in all. Look at "
                f"{folder.path / 'animation.gif'}; in MuJoCo: python {folder.path / 'run_in_mujoco.py'}")  # fmt: skip
        out.record("result", **summary)
        return DONE if verdict.solved else NOT_REACHED


class Show:
    """One line every two seconds, and with each verdict; or a bar; or JSON."""

    def __init__(self, out, bar, total, budget):
        self.out, self.bar, self.total, self.budget = out, bar, total, budget
        self.began, self.last, self.first = time.perf_counter(), -np.inf, None

    def __call__(self, row, verdict):
        said = {} if verdict is None else {"verdict": verdict.text}
        self.out.record("iteration", **row, **said)
        self.bar.update(1)
        now = time.perf_counter()
        self.first = self.first or (row["iteration"], now)
        text = f"reward {row['reward']:6.3f}  ends {100 * row['ends']:5.2f} %"
        self.bar.set_postfix_str(text)
        if verdict is not None:
            self.out.say(f"{row['iteration']:5d}  {verdict.text}")
        elif not hasattr(self.bar, "n") and now - self.last > 2.0:
            self.last = now
            done = row["iteration"] - self.first[0]
            rate = (now - self.first[1]) / done if done else 0.0
            left = min((self.total - row["iteration"]) * rate, max(self.budget - (now - self.first[1]), 0.0))
            self.out.say(f"{row['iteration']:5d}/{self.total}  {now - self.began:6.1f} s  {text}  left {left:5.0f} s")
