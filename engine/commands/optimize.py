"""`pullback optimize`: find a controller for a robot, in a folder that can be resumed."""

from pathlib import Path

from engine.commands.common import DONE, INTERRUPTED, positive, robot


def add(commands):
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
    o.set_defaults(run=run)


def run(args):
    from controllers.run import Run

    name, model, qpos0, qvel0, camera, _ = robot(args.robot)
    positive(args, "iterations", "worlds", "seconds", "window", "budget")
    job = Run(args.out or Path("runs") / name, name, model, qpos0, qvel0, camera, args)
    try:
        job.search(args.iterations, args.budget)
    except KeyboardInterrupt:
        print(f"\ninterrupted; go on with: pullback optimize {args.robot} --out {job.folder} --resume")
        return INTERRUPTED
    job.report()
    return DONE
