"""Milliseconds of one iLQR iteration, one core, by stage: an arm, a quadruped, a humanoid, or the files that are named.

Every iteration linearises all control steps, expands the objective, goes backwards and tries steps. The robot goes to a
pose beside that in which it starts (its first keyframe, where it has one). Times are the processor's, so that other
programs count less.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import common
import numpy as np

import engine
from controllers import ILQR
from engine.model.constants import SLIDE
from engine.model.coordinates import displace
from engine.objectives import Effort, Reach

MODELS = ("arm", "pusher_v5", "ant", "humanoid")
STAGES = ("linearise", "expand", "backward", "rollouts")


def seconds(f):
    """Processor seconds of a call, and what it returned."""
    start = time.process_time()
    out = f()
    return time.process_time() - start, out


class Timed(ILQR):
    """ILQR with the seconds of each stage of the present iteration."""

    def _iterate(self):
        self.spent = dict.fromkeys(STAGES, 0.0)
        return super()._iterate()

    def within(self, stage, f):
        def timed(*args, **named):
            spent, out = seconds(lambda: f(*args, **named))
            self.spent[stage] += spent
            return out

        return timed


def planner(m, knots, skip, way, rng):
    qpos = np.array(m.key_qpos[0] if len(m.key_names) else m.qpos0, float)
    start = qpos, 0.1 * rng.normal(size=m.nv)
    joints = m.jnt_type[m.dof_jntid] >= SLIDE
    goal = displace(m, qpos, way * joints * rng.normal(size=m.nv))
    still = Reach(m, np.zeros(m.nv), qvel=slice(None), running=0.1, terminal=0.1)
    objective = 10 * Reach(m, goal, qpos=slice(None)) + still + 1e-3 * Effort()
    controls = np.tile(m.key_ctrl[0], (knots, 1)) if len(m.key_names) else None
    plan = Timed(m, objective, knots, skip, start, controls, tolerance=0.0)
    plan.quadratic.expansion = plan.within("expand", plan.quadratic.expansion)
    plan._backward, plan._try = plan.within("backward", plan._backward), plan.within("rollouts", plan._try)
    plan._linearize = plan.within("linearise", plan._linearize)
    return plan


def robot(name):
    """The Model of a file, or of one of Gymnasium's by its name. "arm": the seven joints of the pusher alone."""
    if name != "arm":
        return engine.load(name if Path(name).suffix else common.gymnasium_asset(name))
    tree = ElementTree.parse(common.gymnasium_asset("pusher_v5"))
    world = tree.find("worldbody")
    for body in world.findall("body"):
        if body.get("name") in ("object", "goal"):
            world.remove(body)
    with TemporaryDirectory() as folder:
        tree.write(Path(folder) / "arm.xml")
        return engine.load(Path(folder) / "arm.xml")


def measure(name, knots, skip, way, iterations, repetitions):
    m = robot(name)
    m.opt.integrator = 0
    rows, tried = [], []
    for seed in range(repetitions + 1):
        plan = planner(m, knots, skip, way, np.random.default_rng(0))
        plan.spent = dict.fromkeys(STAGES, 0.0)
        plan.rollout()
        plan.iterate()  # makes what the others have
        for _ in range(iterations):
            plan.done, before = False, plan.problem.counter.steps
            whole, _ = seconds(plan.iterate)
            steps = plan.problem.counter.steps - before - knots * skip * (2 * m.nv + m.na)
            if seed and plan.spent["rollouts"]:
                rows.append([whole, *(plan.spent[s] for s in STAGES)])
                tried.append(steps // (knots * skip))
    rows, tried = 1e3 * np.array(rows), np.array(tried)
    full = tried == 1
    chosen = rows[full] if full.any() else rows
    least = chosen[np.argmin(chosen[:, 0])]
    return {"model": Path(name).stem, "nv": m.nv, "nu": m.nu, "knots": knots, "steps": knots * skip,
            "full steps": f"{full.sum()}/{len(full)}", "ms": float(np.median(chosen[:, 0])),
            "others' ms": float(np.median(rows[~full, 0])) if not full.all() else float("nan"),
            "least ms": float(least[0]),
            **{stage: float(ms) for stage, ms in zip(STAGES, least[1:], strict=True)}}  # fmt: skip


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("files", nargs="*", help="robot files; default: an arm, the same with a puck, a quadruped and a "
                   "humanoid of Gymnasium's")  # fmt: skip
    p.add_argument("--json", type=Path, help="write the table there as well")
    p.add_argument("--way", type=float, default=0.02, help="rad or m, of each joint, the standard deviation")
    for name, value in (("knots", 50), ("skip", 1), ("iterations", 4), ("repetitions", 8)):
        p.add_argument(f"--{name}", type=int, default=value, help=f"default {value}")
    args = p.parse_args()
    common.pin()
    engine.init(threads=1)
    rows = [measure(f, args.knots, args.skip, args.way, args.iterations, args.repetitions)
            for f in args.files or MODELS]  # fmt: skip
    notes = ("Of iterations after the first in which the full step was taken: the median, the one that took least, and "
             "its stages, ms. The others tried three or seven shorter steps beside it.",)  # fmt: skip
    common.report("One iLQR iteration, one core", rows, notes, args.json)


if __name__ == "__main__":
    main()
