"""`pullback optimize`: find a controller for a robot and a task, in a folder that can be resumed."""

import time
from pathlib import Path

import numpy as np

from engine import files
from engine.commands.common import (
    DIVERGED,
    DONE,
    NOT_REACHED,
    Output,
    add_wishes,
    finite,
    interrupted,
    is_file,
    positive,
    progress,
    robot,
    seed,
    started,
    wishes,
    within_ranges,
)
from engine.errors import DivergenceError
from engine.words import counted

# duplicated from controllers/optimize/job.py, whose import starts Taichi; a test compares them
METHODS = ("gradient", "windows", "lbfgs", "alpha", "es", "cem", "random", "gait", "gnms", "ilqr", "mpc")
TASKS = ("run", "stand", "jump", "balance", "swingup", "reach", "track", "push", "carry", "scene")

# what reads an option: one that nobody reads is refused, since its absence would go unnoticed
TASKS_OF = {"speed": ("run",), "height": ("jump",), "site": ("reach", "track", "push", "carry"),
            "target": ("reach", "push", "carry"), "quat": ("reach", "push", "carry"), "object": ("push", "carry"),
            "path": ("track",),
            "push": ("run", "stand", "jump")}  # fmt: skip
METHODS_OF = {"worlds": ("gradient", "windows", "alpha", "es", "cem", "random", "gait"), "window": ("windows",),
              "horizon": ("mpc",), "plateau": tuple(m for m in METHODS if m != "mpc")}  # fmt: skip
TOOLED = ("reach", "track", "push", "carry")  # of arms, whose bases rub where they are drawn into their shoulders
DEFAULTS = {"worlds": 16, "window": 0.5, "horizon": 0.8}


def add(commands):
    o = commands.add_parser("optimize", help="find a controller for a robot: run, stand, jump, reach, push, carry")
    o.add_argument("robot", nargs="?", default="half_cheetah", help="built-in scene, or an MJCF or URDF file")
    o.add_argument("--task", choices=TASKS, metavar="TASK", default=None,
                   help=f"{', '.join(TASKS)}; default: run where the robot has a root that can, else what the scene "
                   "itself asks for")  # fmt: skip
    o.add_argument("--method", choices=METHODS, metavar="METHOD", default=None,
                   help=f"{', '.join(METHODS)}; default: gait for a file's robot on four legs or more, mpc for another "
                   "that can fall or is told a --speed, windows for one that cannot, ilqr for other tasks")  # fmt: skip
    o.add_argument("--out", type=Path, default=None, help="run folder (default runs/<robot>)")
    o.add_argument("--iterations", type=int, default=None, help="default 50, or as many as a plan needs")
    o.add_argument("--worlds", type=int, default=None, help="starts or samples tried at once (default 16), of all "
                   "methods but lbfgs, ilqr, gnms and mpc")  # fmt: skip
    o.add_argument("--seconds", type=float, default=None,
                   help="simulated seconds (default 5, or the scene's if less; 10 to swing up, 3 to jump; to reach as "
                   "many as it takes, at most 2)")  # fmt: skip
    o.add_argument("--window", type=float, default=None, help="--method windows: simulated seconds differentiated at "
                   "once (default 0.5)")  # fmt: skip
    o.add_argument("--horizon", type=float, default=None, help="--method mpc: simulated seconds planned ahead "
                   "(default 0.8)")  # fmt: skip
    o.add_argument("--speed", type=float, default=None, help="m/s that plans of --task run aim at (default: 1.5 "
                   "times what the scene asks for; of a file, what suits the robot's size)")  # fmt: skip
    o.add_argument("--height", type=float, default=None, help="--task jump: m, how much higher than standing the trunk "
                   "is to be at its highest (default: 0.3 of its height)")  # fmt: skip
    o.add_argument("--site", action="append", help="--task reach, track, push: the site, body or geom to bring to the "
                   "target, of a reach several at once, a --site each; carry: where it grasps")  # fmt: skip
    o.add_argument("--target", type=number, nargs="+", metavar="X Y Z", help="--task reach, push, carry: m, in the "
                   "world; several are reached one after the other. reach: or a CSV or NPZ file of time, x, y, z of a "
                   "target that moves, for each --site one")  # fmt: skip
    o.add_argument("--object", metavar="BODY", help="--task push, carry: the body, driven by nothing, to bring to "
                   "the target; --site of a push is what pushes it (default: what can touch it and most joints "
                   "move)")  # fmt: skip
    o.add_argument("--quat", type=float, nargs=4, metavar=("W", "X", "Y", "Z"), help="--task reach, push, carry: how "
                   "its frame is to be turned there, in the world")  # fmt: skip
    o.add_argument("--path", type=Path, help="--task track: CSV or NPZ of time (s) and joints (rad, m), or of time and "
                   "x, y, z (m) of --site")  # fmt: skip
    o.add_argument("--push", type=float, default=None, help="--task run, stand, jump: m/s that the robot is given at "
                   "the start, in a direction that the seed chooses")  # fmt: skip
    o.add_argument("--start", metavar="KEYFRAME", help="where a file's robot starts (default: home, stand, standing, "
                   "default or the only keyframe; else as the file has it)")  # fmt: skip
    o.add_argument("--budget", type=float, default=None,
                   help="wall-clock seconds to iterate for at most (default 75; mpc goes on to the end)")
    o.add_argument("--cost", type=float, default=None, help="stop at this cost; exit code 1 if it is not reached")
    o.add_argument("--plateau", type=int, default=None, help="stop after this many iterations without gain; of "
                   "all methods but mpc")  # fmt: skip
    o.add_argument("--max-steps", type=int, default=None, help="stop after this many physics steps, over all worlds")
    o.add_argument("--seed", type=seed, default=0)
    o.add_argument("--resume", action="store_true", help="go on from the run folder")
    o.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
    add_wishes(o)
    o.set_defaults(run=run)


def number(text):
    """The type of --target: a number, or the name of a file."""
    try:
        return float(text)
    except ValueError:
        return text


def catching(args):
    """A reach whose target moves: the files of --target are the paths of a track, which begins where the robot is."""
    args.catch, words = None, [x for x in args.target or () if isinstance(x, str)]
    if not words:
        return
    lost = [x for x in words if not Path(x).is_file()]
    if args.task != "reach" or lost or len(words) < len(args.target):
        got, none = " ".join(map(str, args.target)), "".join(f"; {x!r} is no file" for x in lost)
        raise ValueError(f"--target: got {got}, allowed: X Y Z (m), or of --task reach files of time, x, y, z, one for "
                         f"each --site{none}")  # fmt: skip
    if args.site is None or args.quat is not None:
        raise ValueError("--target FILE: allowed: with --site NAME, and without --quat")
    args.task, args.catch, args.path, args.target = "track", True, words, None


def run(args):
    if args.task is not None:
        check_read(args, "task", args.task, TASKS_OF)  # before anything is loaded
    catching(args)
    if args.method is not None:
        check_read(args, "method", args.method, METHODS_OF)
    asked = wishes(args)
    points = [x for x in (*(args.site or ()), args.object) if x is not None]
    if args.site is not None and len(args.site) == 1:
        args.site = args.site[0]
    if points and is_file(args.robot):
        asked["sense"] = points
    if args.task in TOOLED and args.exclude is None and is_file(args.robot):
        asked["exclude"] = "overlapping"
    chosen = robot(args.robot, asked)
    if args.task == "push" and args.object is not None and args.site is None:
        chosen, args.site = with_tool(chosen, args, asked)
    if chosen.scene is None:
        meant, moved = started(chosen, args.start), []
        if meant is chosen and args.task in TOOLED:
            meant, moved = within_ranges(chosen)
        chosen = meant
        told(Output(args.json), chosen.model, moved, args.exclude is None)
    elif args.start is not None:
        raise ValueError(f"--start: for a robot file, not for the built-in scene {chosen.name!r}")
    positive(args, "iterations", "worlds", "seconds", "window", "budget", "horizon", "speed", "height", "plateau",
             "max_steps")  # fmt: skip
    finite(args, "push", "cost")
    task = args.task or default_task(chosen)
    check_task(chosen, task)
    check_read(args, "task", task, TASKS_OF)
    method = args.method or default_method(chosen, task, args.speed)
    check_read(args, "method", method, METHODS_OF)
    for name, value in DEFAULTS.items():
        setattr(args, name, value if getattr(args, name) is None else getattr(args, name))
    if args.seconds is None:
        if chosen.scene is not None:
            args.seconds = min(chosen.scene.duration, 5.0)
        elif task not in ("reach", "track", "push", "carry") or method not in ("gnms", "ilqr", "mpc"):
            args.seconds = {"swingup": 10.0, "jump": 3.0}.get(task, 5.0)
    return search(args, chosen, task, method)


def told(out, model, moved, overlapping):
    """Say what this command makes otherwise than the file: where joints begin, and contacts that nobody left out."""
    from engine.model.overlaps import OVERLAP
    from engine.model.wishes import IMPLICIT

    lines = [f"{', '.join(moved)}: beyond the range in the file's pose, here amid it"] if moved else []
    lines += [line for line in model.report.changed if line == IMPLICIT or OVERLAP in line and overlapping]
    for line in lines:
        out.say(f"changed: {line}")
    if lines:
        out.record("changed", lines=lines)


def check_read(args, of, chosen, readers):
    """Refuse options that this task or method (`of` says which) does not read. readers: {option: who reads it}."""
    for name, who in readers.items():
        if getattr(args, name) is not None and chosen not in who:
            raise ValueError(f"--{name}: --{of} {chosen} does not read it, allowed: with --{of} {', '.join(who)}")


def with_tool(chosen, args, asked):
    """(robot, name) where nobody says what is to push the object: found in the model, which is loaded with a sensor of
    its place."""
    from controllers.tasks.push import tool_of  # starts Taichi

    tool = tool_of(chosen.model, args.object)
    return (robot(args.robot, asked | {"sense": [tool, args.object]}) if chosen.scene is None else chosen), tool


def default_task(chosen):
    """Run, where there is something to run with."""
    if missing_root(chosen):
        if not states_objective(chosen):
            raise ValueError(f"{chosen.name} has no root to run with; say what to do: --task reach")
        return "scene"
    if not states_objective(chosen):
        return "run"
    walks = hasattr(chosen.scene.task, "forward_weight") or hasattr(chosen.scene.task, "command")
    return "run" if walks else "scene"


def states_objective(chosen):
    return getattr(chosen.scene, "objective", None) is not None


def missing_root(chosen):
    """What a robot lacks that can neither run nor stand, in words; None where it lacks nothing."""
    from engine.model import ModelError
    from engine.objectives import find_root

    try:
        find_root(chosen.model)
    except ModelError as error:
        return str(error).partition(" needs ")[2]
    return None


def check_task(chosen, task):
    """Refuse a task that the robot cannot have, before anything is made for it."""
    own = ", scene" if states_objective(chosen) else ""
    lacking = missing_root(chosen)
    if task == "scene" and not own:
        allowed = "balance, swingup" if lacking else "run, stand, jump"
        raise ValueError(f"--task scene: {chosen.name} states no objective of its own, allowed: {allowed}, "
                         "reach, track, push, carry")  # fmt: skip
    if lacking and task in ("run", "stand", "jump"):
        allowed = f"balance, swingup, reach, track, push, carry{own}"
        raise ValueError(f"--task {task} needs {lacking} ({chosen.name}), allowed: {allowed}")
    if chosen.scene is None and task in ("run", "stand", "jump") and groundless(chosen.model):
        raise ValueError(f"--task {task}: {chosen.name} would fall, as nothing of the world can touch it; allowed: "
                         "with --floor, or a file of a scene that has one")  # fmt: skip


def groundless(m):
    """Whether gravity pulls at a free body and nothing that stands still can touch anything that moves."""
    from engine.model.constants import FREE

    moves = np.asarray(m.body_weldid)[m.geom_bodyid] != 0
    meets = (moves[m.pair_geom1] != moves[m.pair_geom2]).any()
    return bool((m.jnt_type == FREE).any() and np.any(m.opt.gravity) and not meets)


def default_method(chosen, task, speed=None):
    """speed: m/s, of a run for which one is asked."""
    if task == "jump":
        return "gait"
    if task in ("stand", "run") and chosen.scene is None:
        from controllers.stance import Stance  # starts Taichi
        from controllers.tasks.trot import can_step, footing
        from engine.compiler.features import expecting
        from engine.parts import LINEAR

        with expecting(LINEAR):  # the kernel of the plan, which most of these robots get
            stance = Stance(chosen.model, chosen.qpos0)
            # what moves in a plane and stands by itself does not fall either, and runs as fast as it gets
            if task == "run" and stance.steady and not stance.free:
                return "windows" if speed is None else "mpc"
            return "gait" if can_step(footing(chosen.model, chosen.qpos0, task)[1], task) else "mpc"
    if task != "run":
        return "ilqr"
    # a scene whose episode never ends early is a robot that cannot fall
    return "mpc" if getattr(chosen.scene.task, "healthy_reward", 1.0) or speed is not None else "windows"


def search(args, chosen, task, method):
    from controllers.optimize.folder import Folder
    from controllers.optimize.job import PLANS, Job
    from engine.compiler.features import expecting
    from engine.model.portable import fingerprint
    from engine.parts import LINEAR

    began = time.perf_counter()
    settings = {"robot": chosen.name, "task": task, "method": method, "worlds": args.worlds, "seconds": args.seconds,
                "window": args.window, "horizon": args.horizon, "speed": args.speed, "height": args.height,
                "site": args.site, "target": args.target, "quat": args.quat, "catch": args.catch,
                "path": args.path and (args.path if args.catch else str(args.path)),
                "push": args.push, "object": args.object, "start": args.start, "seed": args.seed,
                "model": fingerprint(chosen.model)}  # fmt: skip
    with expecting(*([LINEAR] if method in PLANS else [])):  # a plan is run with its feedback
        job = Job(chosen, task, method, args)
        with Folder(args.out or Path("runs") / chosen.name, settings, args.resume) as folder:
            if args.resume:
                folder.load(job.search)
            return carried_out(args, job, folder, began)


def carried_out(args, job, folder, began):
    """The search of a job in its folder, to its end, and its report; returns the exit code."""
    from controllers.optimize.folder import LOST, Stop
    from controllers.optimize.folder import run as iterate
    from controllers.optimize.lost import not_finite
    from controllers.optimize.report import write_report
    from controllers.optimize.verdict import paced, verdict

    out, task, method = Output(args.json), job.task, job.method_name
    planned = method in ("gait", "gnms", "ilqr", "mpc")
    most = {"mpc": None, "ilqr": 200, "gnms": 200, "gait": 6 if task == "run" else 16}
    iterations = args.iterations or most.get(method, 50)
    if task == "reach" and job.beyond and args.iterations is None and method != "mpc":
        iterations = 1  # its way leads as near as there is a pose for; no search leads nearer
    budget = args.budget or (np.inf if method == "mpc" else 75.0)
    title = f"{job.robot.name}, {'reach of what moves' if job.catches else task} by {method}"
    aim = f", at {job.speed:.2f} m/s" if planned and task == "run" else ""
    out.say(f"{title}{aim}: {job.dt * job.steps:.2f} s, {job.steps} control steps of "
            f"{counted(job.frame_skip, 'physics step')}")
    # the cost of a run that goes on grows with its time: it says nothing before the end
    target, plateau = (None, None) if method == "mpc" else (args.cost, args.plateau)
    solved = None
    if method in ("gnms", "ilqr") and task != "run":

        def solved(search):
            return search.trajectory is not None and verdict(job, search.trajectory).solved

    # what is cheap to judge, or does not converge, is judged after every iteration
    stop = Stop(iterations, target, plateau, budget, args.max_steps, solved,
                eager=job.way is not None or job.goal is not None)
    total = iterations or -(-job.steps // job.search.every)
    try:
        with progress(total, title, args.json) as bar:
            reason = iterate(job.search, folder, stop, Show(out, bar, total, budget, job.steps * job.dt))
        if not folder.rows:
            raise ValueError(f"nothing was iterated ({reason})")
        out.say(f"stopped: {reason}; writing pictures")
        before, after = write_report(job, folder, title, out.say)
    except KeyboardInterrupt:
        return interrupted(out, ["optimize", args.robot], folder.path, folder.checkpoint)
    except DivergenceError as error:
        return told_lost(out, folder, not_finite(job, error), _summary(job, LOST, began, folder))
    summary = _summary(job, reason, began, folder)
    if job.lost is not None:
        return told_lost(out, folder, not_finite(job, job.lost, after), summary)
    if job.measure is not None:
        summary["distance_before"], summary["distance"] = (float(job.measure(t)[0]) for t in (before, after))
        way = summary["distance_before"], summary["distance"]
        out.say(f"before: {way[0]:.2f} m, after: {way[1]:.2f} m in {after.time[-1]:.1f} s")
    found = paced(verdict(job, after), folder.rows)
    summary |= found.record()
    files.write_json(folder.path / "verdict.json", {**found.record(), "reason": reason}, indent=1)
    for line in found.lines():
        out.say(line)
    out.say(f"cost {job.search.best:.4g} after {summary['steps']:,} physics steps forward and "
            f"{summary['reversed']:,} reversed; {summary['seconds']:.0f} s in all. "
            f"Look at {folder.path / 'animation.gif'}")  # fmt: skip
    out.record("result", **summary)
    missed = found.solved is False or args.cost is not None and job.search.best > args.cost
    return NOT_REACHED if missed else DONE


def _summary(job, reason, began, folder):
    """What a machine is told beside the verdict. The cost of a search of which no run stayed finite is None."""
    best, counter = job.search.best, job.search.problem.counter
    return {"reason": reason, "cost": best if np.isfinite(best) else None, "iterations": job.search.iteration,
            "steps": counter.steps, "reversed": counter.reversed, "seconds": time.perf_counter() - began,
            "folder": folder.path}  # fmt: skip


def told_lost(out, folder, found, summary):
    """Say the Verdict on a search whose best run does not stay finite; returns the exit code."""
    files.write_json(folder.path / "verdict.json", {**found.record(), "reason": summary["reason"]}, indent=1)
    for line in found.lines():
        out.say(line)
    out.record("result", **summary, **found.record())
    return DIVERGED


class Show:
    """One line an iteration, at most two a second, or a bar; or JSON."""

    def __init__(self, out, bar, total, budget, seconds):
        self.out, self.bar, self.total, self.budget, self.seconds = out, bar, total, budget, seconds
        self.began = self.last = time.perf_counter()
        self.start = None

    def __call__(self, row):
        self.out.record("iteration", **row)
        self.bar.update(1)
        now = time.perf_counter()
        done, total, label = self._progress(row)
        took = now - self.began
        self.start = done if self.start is None else self.start
        # the first row took what there was to load; a run that goes on has not made what was there before
        rate = took / (done - self.start) if done > self.start else took / max(done, 1e-9)
        left = max(min((total - done) * rate, self.budget - took), 0.0)
        text = f"cost {row['cost']:9.3f}" if np.isfinite(row["cost"]) else "the run diverges"
        if "back" not in row and np.isfinite(row["best"]):
            text += f"  best {row['best']:9.3f}"
        if row["measured"] == row["measured"] and row["measured"]:
            text += f"  distance {row['measured']:6.2f} m"
        if "gradient_norm" in row:
            text += f"  |gradient| {row['gradient_norm']:8.2e}"
        if row.get("back"):
            text += f"  fell: back by {row['back']:.1f} s"
        self.bar.set_postfix_str(text)
        if hasattr(self.bar, "n"):  # a real bar
            return
        if row["iteration"] == 1 or now - self.last > 0.5 or done >= total or row.get("back"):
            self.last = now
            speed = row["steps_per_second"]
            self.out.say(f"{label}  {text}  {speed:9.0f} steps/s  left {left:5.1f} s")

    def _progress(self, row):
        """(done, of how much, in words): iterations, or of a plan that is carried out seconds."""
        if "seconds_simulated" in row:
            done = row["seconds_simulated"]
            return done, self.seconds, f"{done:5.2f}/{self.seconds:g} s"
        return row["iteration"], self.total, f"{row['iteration']:4d}/{self.total}"
