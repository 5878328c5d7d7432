"""`pullback info`: what a robot file holds and what the importer made of it: used, changed, refused."""

from engine.commands.common import BAD_INPUT, DONE, Output, add_wishes, is_file, robot, wishes

_SIZES = ("nq", "nv", "nu", "na", "nbody", "njnt", "ngeom", "nsite", "ntendon", "nsensor", "npair")


def add(commands):
    p = commands.add_parser("info", help="what a robot file holds and what the importer made of it")
    p.add_argument("robot", help="built-in scene, or an MJCF or URDF file")
    p.add_argument("--json", action="store_true", help="one JSON object on standard output")
    add_wishes(p)
    p.set_defaults(run=run)


def run(args):
    from engine.model import load

    asked = wishes(args)
    report = load(args.robot, report=True, **asked) if is_file(args.robot) else None
    model = report.model if report is not None else robot(args.robot, asked).model
    out = Output(args.json)
    if model is not None:
        out.say(model)
    if report is not None:
        out.say(report)
    lists = {} if report is None else {
        "used": report.used, "changed": report.changed,
        "refused": [{"kind": line.kind, "count": line.count_of, "line": line} for line in report.refused],
    }  # fmt: skip
    known = {} if model is None else {
        "name": model.name, "timestep": model.opt.timestep, **{n: getattr(model, n) for n in _SIZES}
    }  # fmt: skip
    out.record("info", report=str(report or ""), **known, **lists)
    return DONE if model is not None else BAD_INPUT
