"""Do walking plans stay up? Each robot from perturbed starts, held against its scene's threshold.

    python tests/benchmarks/walking.py hopper ant walker2d quadruped --starts 5

A start is the scene's with normal noise on all positions but the way forward; each has a seed of its own, for its noise
and that of the plan. A line for each: solved or not, way, lowest trunk, largest tilt, seconds taken back, steps and CPU
seconds.
"""

import argparse
import time
from types import SimpleNamespace

import numpy as np

import scenes
from controllers import walk_plan
from engine.objectives import find_root
from scenes.task import tilt

NOISE = (0.0, 1e-9, 1e-3, 1e-3, 5e-3)  # m and rad, one start after the other


def run(name, seed, seconds):
    scene = scenes.load(name)
    root = find_root(scene.model)
    noise = NOISE[seed % len(NOISE)] * np.random.default_rng(99 + seed).normal(size=scene.model.nq)
    noise[root.x] = 0.0
    cpu, back = time.process_time(), 0.0
    speed = 1.5 * getattr(scene.task, "least_speed", 0.0) or None
    plan = walk_plan(scene.model, (scene.qpos0 + noise, scene.qvel0), seconds or scene.trial, speed, seed=seed)
    while not plan.finished:
        back += plan.iterate()["back"]
    q = plan.done_qpos
    trial = SimpleNamespace(qpos=q[:, None], qvel=plan.done_qvel[:, None], time=plan.dt * np.arange(len(q)))
    judged = scene.task.solved(trial)[0] if hasattr(scene.task, "forward_weight") else plan.upright(trial.qpos).all()
    free = scene.model.jnt_type[scene.model.dof_jntid[root.vx]] == 0
    most = tilt(q, 2 if free else 1).max()
    work = plan.problem.counter
    print(f"{name:12} seed {seed} noise {NOISE[seed % len(NOISE)]:7.0e}  {'solved' if judged else 'NOT SOLVED':10}  "
          f"{q[-1, root.x]:5.2f} m in {trial.time[-1]:.1f} s  lowest {q[:, root.z].min():.3f} m  tilt {most:.2f} rad  "
          f"back {back:.1f} s  steps {work.steps:,} + {work.reversed:,}  {time.process_time() - cpu:.0f} CPU s",
          flush=True)  # fmt: skip
    return bool(judged)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("robots", nargs="*", default=["hopper", "ant", "walker2d"])
    arguments.add_argument("--starts", type=int, default=5)
    arguments.add_argument("--first", type=int, default=0, help="seed of the first start")
    arguments.add_argument("--seconds", type=float, default=None, help="default: the scene's trial")
    args = arguments.parse_args()
    seeds = range(args.first, args.first + args.starts)
    done = [run(name, seed, args.seconds) for name in args.robots for seed in seeds]
    print(f"{sum(done)} of {len(done)} solved")


if __name__ == "__main__":
    main()
