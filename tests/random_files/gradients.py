"""Gradients of rollouts of random robots against differences, in directions of all inputs and parameters.

    python -m tests.random_files.gradients --count 100 [--seed 0] [--first 0] [--keep FOLDER] [--words muscle]

One line for each derivative that is wrong, with the command that repeats it, and the number of those that were
compared: a derivative counts where differences know it to a tenth of the tolerance. The exit code is 1 where one is
wrong. Robots are those of robots.py without the sweeps of noslip and without sleep, which have no gradient. Every third
rollout has applied forces, every second one two physics steps in a control step and a memory in which some are computed
again.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import mujoco
import numpy as np

TOLERANCE, KNOWN = 1e-6, 1e-7  # relative


def simulator_of(text):
    """(MjModel, Simulator with all leaves that it can have), or None where either does not have the file, or nothing
    of it moves."""
    import engine
    from engine.model import UnsupportedError
    from tests.asked import leaves_of

    try:
        mj = mujoco.MjModel.from_xml_string(text)
        model = engine.load(text)
    except (ValueError, UnsupportedError, mujoco.FatalError):
        return None
    if not mj.nv or model.neq != mj.neq:
        return None
    model.opt.tolerance, model.opt.iterations, model.opt.noslip_iterations = 1e-14, 100, 0
    model.opt.sleep = model.opt.speculative = False
    model.opt.ccd_tolerance, model.opt.ccd_iterations = 1e-14, 1000
    return mj, engine.Simulator(model, leaves=leaves_of(model))


def rollouts(mj, sim, seed):
    """Three of them, from kicked states."""
    from engine import Tape
    from tests import zoo
    from tests.gradients.differences import Rollout

    rng = np.random.default_rng((seed, 6))
    for k in range(3):
        qpos, qvel, _, ctrl = zoo.random_state(mujoco, mj, rng, rng.choice((0.1, 0.5)), 0.3)
        act = rng.normal(size=sim.model.na) * 0.4
        steps, skip = int(rng.choice((1, 4, 12))), int(rng.integers(1, 3))
        tape = {"frame_skip": skip}
        if skip > 1 and steps > 1:
            whole = Tape(sim, steps, **tape)
            room = whole.bytes - 0.6 * whole.traj["record"].nbytes
            tape["memory"] = int(room)
        try:
            yield Rollout(sim, mj, (qpos, qvel, act, ctrl), steps, seed=seed + k, applied=k == 2, **tape)
        except ValueError as error:  # the memory does not suffice
            if "memory" not in str(error):
                raise
            yield Rollout(sim, mj, (qpos, qvel, act, ctrl), steps, seed=seed + k, applied=k == 2, frame_skip=skip)


def judged(text, seed, names=None):
    """[(name, error, known to, words)] of one robot, and the number of its derivatives that are compared; None where it
    has none."""
    from engine import DivergenceError
    from engine.errors import ContactOverflowError

    found = simulator_of(text)
    if found is None:
        return None
    mj, sim = found
    wrong, compared = [], Counter()
    start = {name: sim.params[name].copy() for name in sim.params}
    for k, rollout in enumerate(rollouts(mj, sim, seed)):
        for name, value in start.items():
            sim.params[name][...] = value
        try:
            errors = rollout.errors(names, leaves=True)
        except (DivergenceError, ContactOverflowError):
            continue
        for name, error in errors.items():
            known = rollout.known[name]
            if known < KNOWN:
                compared[name] += 1
                if not error < TOLERANCE:
                    wrong.append((name, error, known, f"rollout {k}, {rollout.tape.steps} steps"))
            elif not np.isfinite(error):
                wrong.append((name, error, known, f"rollout {k}: not finite"))
    return wrong, compared


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--count", type=int, default=10)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--first", type=int, default=0, help="number of the first robot")
    p.add_argument("--keep", type=Path, help="folder for robots with a wrong gradient")
    p.add_argument("--all", action="store_true", help="a line for each robot")
    p.add_argument("--words", nargs="*", default=[""], help="only robots whose text has one of these")
    p.add_argument("--names", nargs="*", help="only these inputs and parameters")
    args = p.parse_args(argv)
    from tests.random_files.robots import AnyRobot
    from tests.random_files.run import started

    started()
    total, bad, robots, without, begin = Counter(), 0, 0, 0, time.perf_counter()
    for number in range(args.first, args.first + args.count):
        robot = int(np.random.default_rng((args.seed, 7, number)).integers(2**31))
        text = AnyRobot(robot).xml
        if not any(word in text for word in args.words):
            continue
        found = judged(text, robot, args.names)
        if found is None:
            without += 1
            continue
        robots += 1
        wrong, compared = found
        total += compared
        bad += len(wrong)
        for name, error, known, words in wrong:
            print(f"wrong: --seed {args.seed} --first {number} --count 1: {name} by {error:.1e}, known to {known:.1e}, "
                  f"{words}", flush=True)  # fmt: skip
        if wrong and args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            (args.keep / f"gradient-{args.seed}-{number}.xml").write_text(text)
        if args.all:
            print(f"{number}: {sum(compared.values())} compared, {len(wrong)} wrong", flush=True)
    print(f"{robots} robots, {sum(total.values())} derivatives of {len(total)} inputs and parameters, "
          f"{bad} wrong, {time.perf_counter() - begin:.0f} s; {without} files refused or without motion")  # fmt: skip
    for name, n in sorted(total.items()):
        print(f"{n:7} {name}")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
