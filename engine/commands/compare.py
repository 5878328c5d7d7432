"""`pullback compare`: two robots, or a robot and a recorded run, under the same controls: where they differ first; or a
robot and a log of its motion."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from engine.commands.common import (
    DONE,
    NOT_REACHED,
    Output,
    add_wishes,
    is_file,
    positive,
    robot,
    seed,
    started,
    wishes,
)
from engine.commands.identify import noise_of, pair
from engine.commands.recorded import is_recorded, recording, world_of
from engine.files import read_arrays

OF_ROBOTS = {"steps": 500, "world": None, "tolerance": 1e-5, "seed": 0}  # what only two robots read, and the default
OF_A_LOG = {"window": 0.2, "map": [], "noise": []}


def add(commands):
    p = commands.add_parser("compare", help="two robots under the same controls, or a robot and a log: where they part")
    p.add_argument("a", help="built-in scene, MJCF or URDF file, or a recorded run: its robot, start and controls")
    p.add_argument("b", help="the same, to compare it with, of a run its robot; or a log, as `pullback identify` takes")
    p.add_argument("--window", type=float, help="s; pieces that a log is cut into (default 0.2)")
    p.add_argument("--map", nargs="+", metavar="IN_FILE=CHANNEL", help="other names for channels of a log")
    p.add_argument("--noise", nargs="+", metavar="SD or CHANNEL=SD",
                   help="standard deviation of a log's measurements (default: found from the data)")  # fmt: skip
    p.add_argument("--steps", type=int, help="steps of the first, with random controls (default 500)")
    p.add_argument("--key", help="keyframe of the first to start from (default as `pullback optimize` does)")
    p.add_argument("--world", help="of a recorded run (default: the last)")
    p.add_argument("--tolerance", type=float, help="relative (default 1e-5)")
    p.add_argument("--seed", type=seed, help="of the random controls (default 0)")
    p.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_wishes(p)
    p.set_defaults(run=run)


def run(args):
    if is_log(args.a):
        raise ValueError(f"{args.a}: got a log in the first place, allowed: a robot; the log is the second")
    with_log, asked = is_log(args.b), wishes(args)
    settled(args, OF_ROBOTS if with_log else OF_A_LOG, "a robot and a log" if with_log else "two robots")
    positive(args, "steps", "tolerance", "window")
    if with_log:
        return _with_log(args, asked)
    start = {"seed": args.seed, "steps": args.steps, "tolerance": args.tolerance}
    if is_recorded(args.a):
        a, what = _recorded(recording(args.a), args.world)
        start |= what
    else:
        chosen = robot(args.a, asked if is_file(args.a) else None)
        if chosen.scene is None:
            chosen = started(chosen, args.key)
        a, start = chosen.model, start | {"qpos": chosen.qpos0, "qvel": chosen.qvel0}
    b = recording(args.b).model if is_recorded(args.b) else robot(args.b, asked if is_file(args.b) else None).model
    import engine

    out = Output(args.json)
    found = engine.compare(a, b, **start)
    out.say(found)
    told = vars(found) | {"numbers": [n._asdict() for n in found.numbers]}
    told["parts"] = [asdict(p) | {"causes": [n._asdict() for n in p.causes]} for p in found.parts]
    out.record("compare", same=bool(found), **told)
    return DONE if found else NOT_REACHED


def settled(args, others, what):
    """Refuse options that what is compared does not read; put defaults for those that nobody gave."""
    for name in others:
        if getattr(args, name) is not None:
            raise ValueError(f"--{name}: a comparison of {what} does not read it")
    for name, value in (OF_ROBOTS | OF_A_LOG).items():
        if getattr(args, name) is None:
            setattr(args, name, value)


def is_log(name):
    """Whether a file is a log of a robot's motion, by its ending; of NPZ files those that are no recorded run."""
    kind = Path(name).suffix.lower()
    if kind == ".npz" and Path(name).is_file():
        return "info" not in read_arrays(name)  # which a recorded run has
    return kind in (".csv", ".parquet", ".mcap")


def _with_log(args, asked):
    if is_recorded(args.a):
        raise ValueError(f"{args.a}: got a recorded run and a log, allowed: a robot and a log")
    chosen, out = robot(args.a, asked if is_file(args.a) else None), Output(args.json)
    from engine.identify import compare, read

    log = read(args.b, dict(pair("--map", word) for word in args.map) or None)
    found = compare(chosen.model, log, window=args.window, noise=noise_of(args.noise), keyframe=args.key)
    out.say(found)
    out.record("compare", same=bool(found), **found.as_dict())
    return DONE if found else NOT_REACHED


def _recorded(run, world):
    """The run's robot, and its start and controls as arguments for `engine.compare`."""
    w = world_of(run, world)
    start = {name: run.start[name][w] for name in ("qpos", "qvel", "act")}
    return run.model, start | {"controls": np.repeat(run.ctrl[:, w], run.frame_skip, axis=0)}
