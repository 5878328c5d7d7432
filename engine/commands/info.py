"""`pullback info`: what a robot holds, element by element; of a scene what it asks for, of a file what the importer
made of it: used, changed, refused."""

from engine.commands.common import BAD_INPUT, DONE, Output, add_wishes, is_file, robot, wishes
from engine.commands.contents import contents, lines
from engine.words import counted

_SIZES = ("nq", "nv", "nu", "na", "nbody", "njnt", "ngeom", "nsite", "ntendon", "nsensor", "npair")


def add(commands):
    p = commands.add_parser("info", help="what a robot holds, and what the importer made of its file")
    p.add_argument("robot", help="built-in scene, or an MJCF or URDF file")
    p.add_argument("--json", action="store_true", help="one JSON object on standard output")
    p.add_argument("--mjcf", metavar="PATH", help="write the robot as MuJoCo's engine and viewers read it")
    add_wishes(p)
    p.set_defaults(run=run)


def run(args):
    from engine.model import load

    asked = wishes(args)
    report = load(args.robot, report=True, **asked) if is_file(args.robot) else None
    chosen = robot(args.robot, asked) if report is None else None
    model = chosen.model if report is None else report.model
    scene, elements = chosen and chosen.scene, contents(model) if model is not None else {}
    out = Output(args.json)
    if model is not None:
        out.say(model)
    if scene is not None:
        out.say(f"task: {scene.description}; {counted(scene.steps, 'control')} in {scene.duration:g} s")
        out.say(f"goal: {scene.threshold}")
    for line in lines(elements):
        out.say(line)
    if report is not None:
        out.say(report)
    lists = {} if report is None else {
        "used": report.used, "changed": report.changed,
        "refused": [{"kind": line.kind, "count": line.count_of, "line": line} for line in report.refused],
    }  # fmt: skip
    known = {} if model is None else {
        "name": model.name, "timestep": model.opt.timestep, **{n: getattr(model, n) for n in _SIZES}
    }  # fmt: skip
    if model is not None and args.mjcf:
        model.to_mjcf(args.mjcf)
        out.say(f"written as MJCF: {args.mjcf}")
    task = {} if scene is None else {"task": scene.description, "goal": scene.threshold, "duration": scene.duration}
    out.record("info", report=str(report or ""), **known, **lists, **task, **elements)
    return DONE if model is not None else BAD_INPUT
