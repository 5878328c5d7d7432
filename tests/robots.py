"""Robot files against MuJoCo, one row a file: what loads, and how near and how fast it is.

    python -m tests.robots ../shared/robots [--json PATH] [--quick] [--only WORD]

    load s      seconds of `engine.load`, MuJoCo's compile included
    ncon        contacts at the states compared, on average
    state       worst error of poses, M, bias, passive and actuator forces over kicked states, relative
    contact     of the contacts' distance, place and frame there, and whether their number differs (then inf)
    qacc        of the acceleration there, relative
    100 steps   of qpos over 100 steps from the same start, relative; stepwise: of a step, from MuJoCo's states
    gradient    of 20 steps by start, controls and masses against central differences, relative; -: not smooth there
    us, ratio   microseconds of a step on one core, MuJoCo's time over ours; back: forward and backward over forward

Each robot runs in its own process with the kernels of its own features, as a user's would; `first s` is how long that
process took to its first gradient. --quick leaves gradients and times out.
"""

import argparse
import json
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

from tests.robot_files import files_under, row, said

STATE = ("qfrc_bias", "qfrc_passive", "qfrc_actuator", "xpos", "xquat", "xipos", "mass_matrix", "actuator_force")
CONTACT = ("ncon", "dist", "pos", "frame")
COLUMNS = ("load s", "nv", "ncon", "state", "contact", "qacc", "100 steps", "stepwise", "gradient", "first s", "us",
           "ratio", "back")  # fmt: skip
STEPS, BURST = 20, 40


def compiled(path):
    """The MjModel that `engine.load` reads."""
    from engine.model.opening import opened, the_mujoco
    from engine.model.wishes import Wishes

    return opened(the_mujoco(), path, None, Wishes()).mj


def start_of(mj):
    """qpos of the first keyframe, or qpos0."""
    return mj.key_qpos[0].copy() if mj.nkey else mj.qpos0.copy()


def kicked(mj, rng, speed):
    """A state somewhere along a rollout from a kicked start: qpos, qvel, act, ctrl."""
    import mujoco

    data = mujoco.MjData(mj)
    data.qpos[:] = start_of(mj)
    data.qvel[:] = speed * rng.normal(size=mj.nv)
    ctrl = controls(mj, rng)
    data.ctrl[:] = ctrl
    for _ in range(int(rng.integers(0, 150))):
        mujoco.mj_step(mj, data)
    if data.warning.number.any() or not np.isfinite(data.qpos).all():
        return start_of(mj), 0.1 * rng.normal(size=mj.nv), np.zeros(mj.na), ctrl
    return data.qpos.copy(), data.qvel.copy(), data.act.copy(), ctrl


def controls(mj, rng):
    """Within the range of each actuator, or within +-0.3."""
    low, high = np.where(mj.actuator_ctrllimited[:, None] != 0, mj.actuator_ctrlrange, [-0.3, 0.3]).T
    return rng.uniform(low, high)


def physics(mj, sim, rng, states=8):
    from tests.physics.reference import worst
    from tests.physics.test_integrators import run

    found = worst(mj, sim, [kicked(mj, rng, 0.5) for _ in range(states)])
    out = {"ncon": float(len(sim.data.contacts()["dist"]))}
    out["state"] = max(found[name] for name in STATE)
    out["contact"] = np.inf if found["ncon"] else max(found.get(name, 0.0) for name in CONTACT)
    out["qacc"] = found["qacc"]
    free, stepwise, _, _ = run(mj, sim, 100, np.array([controls(mj, rng)] * 100), kicked(mj, rng, 0.2)[:2])
    return out | {"100 steps": free, "stepwise": stepwise}


def gradient(mj, sim, rng, starts=3):
    """The worst error where differences say what is right to 1e-7, or None."""
    from engine import DivergenceError
    from tests.gradients.differences import Rollout

    worst = None
    for _ in range(starts):
        rollout = Rollout(sim, mj, kicked(mj, rng, 0.3), STEPS)
        try:
            errors = rollout.errors(["qpos0", "qvel0", "ctrl", "body_mass"])
        except DivergenceError:
            continue
        errors = [e for name, e in errors.items() if rollout.known[name] < 1e-7]
        worst = max([*errors, *([] if worst is None else [worst])], default=None)
    return worst


def speed(mj, model, rng, bursts=15):
    """{us, ratio, back}: medians over bursts that take turns."""
    import mujoco

    import engine

    sim, data = engine.Simulator(model), mujoco.MjData(mj)
    tape = engine.Tape(engine.Simulator(model), steps=BURST)
    qpos, qvel, act, ctrl = kicked(mj, rng, 0.2)
    weights = {"qpos": rng.normal(size=(BURST + 1, 1, mj.nq)), "qvel": rng.normal(size=(BURST + 1, 1, mj.nv))}

    def ours():
        sim.reset(qpos, qvel)
        sim.data.act[0], sim.data.ctrl[0] = act, ctrl
        return seconds(lambda: sim.step(BURST))

    def theirs():
        mujoco.mj_resetData(mj, data)
        data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = qpos, qvel, act, ctrl
        return seconds(lambda: mujoco.mj_step(mj, data, BURST))

    def both():
        tape.sim.reset(qpos, qvel)
        tape.sim.data.act[0] = act
        return seconds(lambda: (tape.rollout(np.tile(ctrl, (BURST, 1, 1))), tape.backward(**weights)))

    times = np.array([[ours(), theirs(), both()] for _ in range(bursts)])[2:]
    ratio = np.median(times / times[:, :1], axis=0)
    return {"us": float(np.median(times[:, 0]) / BURST * 1e6), "ratio": float(ratio[1]), "back": float(ratio[2])}


def seconds(f):
    began = time.perf_counter()
    f()
    return time.perf_counter() - began


def examined(path, quick):
    """The row of a file: of one that loads, with its physics."""
    import engine

    entry = row(path, {}, False)
    if "nv" not in entry:
        return entry
    try:
        began = time.perf_counter()
        model, mj, rng = engine.load(path), compiled(path), np.random.default_rng(0)
        sim = engine.Simulator(model)
        if not quick:
            tape = engine.Tape(sim, STEPS)
            qpos = tape.rollout(np.zeros((STEPS, 1, model.nu))).qpos
            tape.backward(qpos=np.ones_like(qpos))
            entry["first s"] = time.perf_counter() - began
        entry |= {"load s": entry["seconds"]} | physics(mj, sim, rng)
        if not quick:
            entry["gradient"] = gradient(mj, sim, rng)
            entry |= speed(mj, model, rng)
    except Exception as error:
        entry["failed"] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return entry


def _child(path, quick, pipe):
    pipe.send(examined(path, quick))


def apart(path, quick):
    """`examined` in a process of its own, so that one robot that ends it takes no other with it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_child, args=(path, quick, there))
    process.start()
    there.close()
    try:
        entry = here.recv()
    except EOFError:
        process.join()
        entry = {"file": str(path), "error": f"the process ended with code {process.exitcode}"}
    process.join()
    return entry


def cell(value):
    if value is None:
        return "-"
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("folders", nargs="+")
    p.add_argument("--json", type=Path, help="write the rows there")
    p.add_argument("--quick", action="store_true", help="neither gradients nor times")
    p.add_argument("--only", default="", help="files whose path has this word in it")
    args = p.parse_args(argv)
    entries = []
    print(f"{'':44}" + "".join(f"{name:>10}" for name in COLUMNS))
    for path in files_under(args.folders):
        if args.only not in str(path):
            continue
        entries.append(entry := apart(path, args.quick))
        text = said(entry)
        if "nv" in entry:
            text = "".join(f"{cell(entry.get(name)):>10}" for name in COLUMNS)
            text += f"  {entry['failed'][:80]}" if "failed" in entry else ""
        print(f"{'/'.join(path.parts[-2:]):44}{text}", flush=True)
    loaded = [e for e in entries if "nv" in e]
    print(f"\n{len(loaded)} of {len(entries)} load, {sum('failed' in e for e in loaded)} of them fail here")
    if args.json:
        args.json.write_text(json.dumps(entries, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
