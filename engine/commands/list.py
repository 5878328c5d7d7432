"""`pullback list`: the built-in scenes, with what each asks for."""

from engine.commands.common import DONE, Output
from engine.words import counted


def add(commands):
    p = commands.add_parser("list", help="the built-in scenes: robots, and what each is asked to do")
    p.add_argument("--json", action="store_true", help="one JSON object a scene")
    p.set_defaults(run=run)


def run(args):
    import scenes

    out, width = Output(args.json), max(len(name) for name in scenes.names())
    for name in scenes.names():
        scene = scenes.load(name)
        m = scene.model
        size = f"{counted(m.nv, 'dof'):>7}, {counted(m.nu, 'control'):>11}"
        out.say(f"{name:{width}}  {size}  {scene.description}")
        out.record("scene", name=name, description=scene.description, threshold=scene.threshold, nq=m.nq, nv=m.nv,
                   nu=m.nu, duration=scene.duration, dt=scene.dt)  # fmt: skip
    out.say("more of one: pullback info NAME; see it: pullback view NAME; improve it: pullback optimize NAME")
    return DONE
