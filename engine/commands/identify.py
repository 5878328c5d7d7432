"""`pullback identify`: a robot's unknown numbers from logs of its motion."""

from fnmatch import fnmatchcase
from pathlib import Path

from engine.commands.common import DONE, NOT_REACHED, Output, add_wishes, interrupted, positive, progress, robot, wishes
from engine.words import counted

_KEYS = ("min", "max", "guess", "prior", "unit")
EXAMPLE = (
    "example: pullback identify robot.xml run.csv --fit 'dof_armature:*' 'dof_damping:*_knee,tied' "
    "'delay:*,tied,guess=0.005' --out runs/identified"
)


def add(commands):
    p = commands.add_parser("identify", help="find a robot's unknown numbers in logs of its motion", epilog=EXAMPLE)
    p.add_argument("robot", help="MJCF or URDF file, or a built-in scene: the first guess")
    p.add_argument("logs", nargs="+", type=Path, help="CSV, NPZ, Parquet or MCAP; channels are called as a joint, or "
                   "qpos: qvel: pose: sensor: ctrl: and a name")  # fmt: skip
    p.add_argument("--fit", nargs="+", required=True, metavar="NUMBER",
                   help="numbers to find, each as NAME:PATTERN[,tied][,min=][,max=][,guess=][,prior=M/SD]; names: "
                   "those of Simulator.params, and kp kv delay offset bias inertia inertial")  # fmt: skip
    p.add_argument("--map", nargs="+", default=[], metavar="IN_FILE=CHANNEL", help="other names for channels")
    p.add_argument("--ignore", nargs="+", default=[], metavar="CHANNEL", help="channels to leave out, with * and ?")
    p.add_argument("--window", type=float, default=1.0, help="s; pieces that the logs are cut into (default 1)")
    p.add_argument("--noise", nargs="+", default=[], metavar="SD or CHANNEL=SD",
                   help="standard deviation of the measurements (default: found from the data)")  # fmt: skip
    p.add_argument("--hold", choices=("hold", "linear"), default="hold", help="how a control goes on between samples")
    p.add_argument("--held-out", type=float, default=0.2, help="share of windows that only judge (default 0.2)")
    p.add_argument("--loss", choices=("squares", "huber", "cauchy"), default="squares")
    p.add_argument("--chained", action="store_true",
                   help="each window begins where the one before it ends: for motion through contact")  # fmt: skip
    p.add_argument("--start", metavar="KEYFRAME", help="state for what the logs do not measure")
    p.add_argument(
        "--replicas",
        type=int,
        default=0,
        help="logs of the robot found to fit, too, for intervals through contact (0, or 3 and more)",
    )
    p.add_argument("--suggest", type=float, metavar="SECONDS",
                   help="say which motion would tell more, and write it as suggested.csv")  # fmt: skip
    p.add_argument("--iterations", type=int, default=50, help="at most (default 50)")
    p.add_argument("--out", type=Path, help="folder for report, numbers and fitted robot (default runs/identify_ROBOT)")
    p.add_argument("--resume", action="store_true", help="go on from that folder")
    p.add_argument("--json", action="store_true", help="one JSON object a line on standard output")
    add_wishes(p)
    p.set_defaults(run=run)


def run(args):
    positive(args, "window", "iterations", "suggest")
    names = dict(pair("--map", word) for word in args.map)
    noise = noise_of(args.noise)
    unknowns = [unknown_of(word) for word in args.fit]
    chosen, out = robot(args.robot, wishes(args)), Output(args.json)
    from engine.identify import Problem, read, solved
    from engine.identify.report import write_report

    folder = args.out or Path("runs") / f"identify_{chosen.name}"
    state = folder / "state.npz"
    if not args.resume:
        state.unlink(missing_ok=True)
    elif not state.exists():
        raise ValueError(f"--resume: {state} is not there")
    logs = [read(path) for path in args.logs]
    for pattern in args.ignore:
        if not any(fnmatchcase(key, pattern) for log in logs for key in log.channels):
            raise ValueError(f"--ignore: no channel fits {pattern!r}; there are: {', '.join(logs[0].channels)}")
    fits = [[p for p in args.ignore if any(fnmatchcase(key, p) for key in log.channels)] for log in logs]
    logs = [log.without(patterns) for log, patterns in zip(logs, fits, strict=True)]
    logs = [log.renamed({k: v for k, v in names.items() if k in log.channels or len(logs) == 1}) for log in logs]
    problem = Problem(chosen.model, logs, unknowns, window=args.window, noise=noise, hold=args.hold,
                      held_out=args.held_out, loss=args.loss, keyframe=args.start,
                      chained=args.chained)  # fmt: skip
    least = problem.windows.steps * problem.windows.h
    if args.suggest is not None and args.suggest < least - 1e-9:
        raise ValueError(f"--suggest: got {args.suggest:g} s, allowed: a window ({least:g} s), or more")
    numbers, windows = len(problem.unknowns.names), problem.windows.count
    sizes = f"{counted(numbers, 'number')}, {counted(windows, 'window')} of {least:g} s"
    for sentence in problem.doubts:
        out.say(f"note: {sentence}")
    out.say(f"{chosen.name}: {sizes}; compiling")
    with progress(args.iterations, "identify", args.json) as bar:

        def told(row):
            bar.update(1)
            bar.set_postfix_str(f"cost {row['cost']:.6g}")
            out.record("iteration", **row)

        try:
            found = solved(problem, args.iterations, folder, told, args.replicas)
        except KeyboardInterrupt:
            return interrupted(out, ["identify", args.robot, *map(str, args.logs)], folder, state)
    found.save(folder)
    wish = None if args.suggest is None else found.suggest(args.suggest)
    page = write_report(found, folder, wish)
    out.say(found)
    out.say(f"{page}, {folder / found.robot_file}, {folder / 'fit.json'}")
    if found.problem.model.nresidual:
        out.say("MJCF has no words for friction that falls with speed or grows with load: see fit.json")
    out.record("fit", report=page, robot=folder / found.robot_file, **found.as_dict())
    if wish is not None:
        wish.save(folder)
        out.say(wish)
        out.record("suggestion", commands=folder / "suggested.csv", **wish.as_dict())
    return DONE if found.converged else NOT_REACHED


def unknown_of(word):
    """The Unknown of an argument of --fit."""
    from engine.identify import Unknown

    pattern, *options = word.split(",")
    given = {}
    for option in options:
        key, _, value = option.partition("=")
        if option == "tied":
            given["tied"] = True
        elif key in _KEYS and value:
            name = {"min": "low", "max": "high"}.get(key, key)
            given[name] = tuple(_number(word, v) for v in value.split("/")) if key == "prior" else _number(word, value)
        else:
            raise ValueError(f"--fit: {word!r}: got {option!r}, allowed: tied, {', '.join(f'{k}=' for k in _KEYS)}")
    if len(given.get("prior", (0, 0))) != 2:
        raise ValueError(f"--fit: {word!r}: allowed: prior=MEAN/SD")
    return Unknown(pattern, **given)


def _number(word, text):
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{word!r}: got {text!r}, allowed: a number") from None


def pair(option, word):
    left, found, right = word.rpartition("=")
    if not found or not left or not right:
        raise ValueError(f"{option}: got {word!r}, allowed: NAME=VALUE")
    return left, right


def noise_of(words):
    """A number, {channel: number}, or None."""
    if len(words) == 1 and "=" not in words[0]:
        return _number("--noise", words[0])
    return {name: _number("--noise", value) for name, value in (pair("--noise", w) for w in words)} or None
