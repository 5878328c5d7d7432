"""`pullback info`: what a robot file holds and what the importer made of it."""

from engine.commands.common import DONE, Output, robot


def add(commands):
    p = commands.add_parser("info", help="what a robot file holds and what the importer made of it")
    p.add_argument("robot", help="built-in scene, or an MJCF or URDF file")
    p.add_argument("--json", action="store_true", help="one JSON object on standard output")
    p.set_defaults(run=run)


def run(args):
    model = robot(args.robot).model
    out = Output(args.json)
    out.say(model)
    if model.report is not None:
        out.say(model.report)
    sizes = ("nq", "nv", "nu", "na", "nbody", "njnt", "ngeom", "nsite", "nsensor", "npair")
    out.record("info", name=model.name, timestep=model.opt.timestep, report=str(model.report or ""),
               **{n: getattr(model, n) for n in sizes})  # fmt: skip
    return DONE
