"""The command line `pullback`. The one file of `engine` that uses scenes and controllers, inside its functions."""

import argparse
import sys
from pathlib import Path

from engine.model import ModelError


def main(argv=None):
    """Exit codes: 0 done, 2 bad input, 130 interrupted (the run folder can be resumed)."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except (ModelError, ValueError, FileNotFoundError, ImportError) as e:
        print(f"pullback: {e}", file=sys.stderr)
        return 2


def parser():
    p = argparse.ArgumentParser(prog="pullback", description="Differentiable rigid-body physics.")
    commands = p.add_subparsers(required=True, metavar="command")
    o = commands.add_parser("optimize", help="find a controller that makes a robot run, by gradient")
    o.add_argument("robot", nargs="?", default="half_cheetah", help="built-in scene, or an MJCF or URDF file")
    o.add_argument("--out", type=Path, default=None, help="run folder (default runs/<robot>)")
    o.add_argument("--iterations", type=int, default=50)
    o.add_argument("--worlds", type=int, default=16, help="starts tried at once (default 16)")
    o.add_argument("--seconds", type=float, default=5.0, help="simulated seconds of a rollout (default 5)")
    o.add_argument("--window", type=float, default=0.5, help="simulated seconds differentiated at once (default 0.5)")
    o.add_argument("--budget", type=float, default=75.0, help="wall-clock seconds to iterate for at most (default 75)")
    o.add_argument("--seed", type=int, default=0)
    o.add_argument("--resume", action="store_true", help="go on from the run folder")
    o.set_defaults(run=optimize)
    i = commands.add_parser("info", help="what a robot file holds and what the importer made of it")
    i.add_argument("robot")
    i.set_defaults(run=info)
    return p


def robot(name):
    """(name, Model, qpos0, qvel0, camera) of a built-in scene or a robot file."""
    import scenes
    from engine.model import load

    if name in scenes.names():
        scene = scenes.load(name)
        return name, scene.model, scene.qpos0, scene.qvel0, scene.camera
    if not Path(name).exists():
        raise ValueError(f"{name!r} is neither a file nor a built-in scene; scenes: {', '.join(scenes.names())}")
    model = load(name)
    return Path(name).stem, model, model.qpos0, model.qpos0[:0], {}


def info(args):
    from engine.model import load

    model = load(args.robot)
    print(model)
    print(model.report)
    return 0


def optimize(args):
    from controllers.run import Run

    name, model, qpos0, qvel0, camera = robot(args.robot)
    for option in ("iterations", "worlds", "seconds", "window", "budget"):
        if getattr(args, option) <= 0:
            raise ValueError(f"--{option}: got {getattr(args, option)}, allowed: a positive number")
    run = Run(args.out or Path("runs") / name, name, model, qpos0, qvel0, camera, args)
    try:
        run.search(args.iterations, args.budget)
    except KeyboardInterrupt:
        print(f"\ninterrupted; go on with: pullback optimize {args.robot} --out {run.folder} --resume")
        return 130
    run.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
