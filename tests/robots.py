"""Robot files against MuJoCo, one row a file: what loads, and how near and how fast it is.

    python -m tests.robots ../shared/robots [--json PATH] [--page PATH] [--quick] [--only WORD]

States along kicked rollouts, with random forces; MuJoCo solves its problem as exactly as it can, whatever the file
says, and searches its contacts as far as it can, but for `other`, which counts them by the file's own tolerance. Errors
are relative but for places and distances, in metres, and normals.

    load s      seconds of `engine.load`, MuJoCo's compile included
    ncon        contacts in a state, on average; other: states with another number than in MuJoCo, left out from here on
    smooth      poses, M, bias, passive and actuator forces in all states, and the acceleration where nothing touches
    dist        of contacts, paired by their places: distances, and normal: their normals' worst component
    least       of normals further apart than 1e-6, those of ours along which the shapes overlap less (whose.py)
    qacc        acceleration in states with contacts; sensors: their readings in all
    free        qpos over 300 steps from the same start, until something touches
    stepwise    the state after each of these steps, from MuJoCo's before it, where the number of contacts is the same;
                apart: how many others there are; rounding: how many are nearer to one from 1e-15 beside
    deeper      of apart and of other, those where MuJoCo's search ends beside the least overlap, ours does not
    gradient    of 20 steps by start, controls and masses against central differences; -: not smooth there
    first s     seconds to the first gradient in a new process, kernels cached
    us, ratio   microseconds of a step on one core, MuJoCo's time over ours; back: forward and backward over forward

What has no gradient, a solver without slip, is left out of `gradient` and `back`. Where MuJoCo diverges from the state
that is timed, with the file's options but not with dense Jacobians, it is timed with these.

Each robot runs in its own process with the kernels of its own features, as a user's would. Times are medians of bursts
that take turns. --quick leaves gradients and times out.
"""

import argparse
import copy
import json
import multiprocessing
import sys
import time
from pathlib import Path

import numpy as np

from tests.robot_files import files_under, row, said
from tests.robots_page import cell, page, title

STATE = ("qfrc_bias", "qfrc_passive", "qfrc_actuator", "xpos", "xquat", "xipos", "mass_matrix", "actuator_force")
COLUMNS = ("load s", "nv", "ncon", "other", "smooth", "dist", "normal", "least", "qacc", "sensors", "free", "stepwise",
           "apart", "rounding", "deeper", "gradient", "first s", "us", "ratio", "back")  # fmt: skip
STEPS, STATES, BURST, BURSTS = 20, 40, 200, 15
MEMORY = 1 << 26  # bytes
CCD = 1e-14, 1000  # ccd_tolerance, ccd_iterations


def compiled(path):
    """The MjModel that `engine.load` reads. Where a file has so little memory that MuJoCo might leave contacts and
    constraints out, or end, it has more."""
    import mujoco

    from engine.model.opening import opened
    from engine.model.wishes import Wishes

    mj = opened(mujoco, path, None, Wishes()).mj
    if mj.narena < MEMORY and path.suffix != ".urdf":
        try:
            spec = mujoco.MjSpec.from_file(str(path))
        except ValueError:  # a file of an older MuJoCo, which `opened` has made readable
            return mj
        spec.memory = MEMORY
        mj = spec.compile()
    return mj


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


def solving(mj, fine=False):
    """A copy of an MjModel that solves as exactly as it can; fine: its search for contacts, too."""
    mj = copy.copy(mj)
    mj.opt.solver, mj.opt.jacobian = 2, 0  # Newton, dense
    mj.opt.tolerance, mj.opt.ls_tolerance, mj.opt.iterations, mj.opt.ls_iterations = 1e-14, 1e-9, 500, 200
    if fine:
        mj.opt.ccd_tolerance, mj.opt.ccd_iterations = CCD
    return mj


def physics(mj, sim, rng, states=STATES):
    """The columns from `ncon` to `sensors`."""
    import mujoco

    from tests.physics.reference import errors, matched_contacts, set_reference
    from tests.whose import deeper, judged, strung

    file, fine = solving(mj), solving(mj, fine=True)
    data, near = mujoco.MjData(file), mujoco.MjData(fine)
    found = {"ncon": [], "other": 0, "least": np.zeros(2, int), "strung": np.zeros(2, int), "deeper": np.zeros(2, int)}
    out = dict.fromkeys(("smooth", "dist", "normal", "qacc", "sensors"), 0.0)
    for k in range(states):
        state = kicked(mj, rng, 0.5)
        set_reference(file, data, state, np.random.default_rng(k))
        set_reference(fine, near, state, np.random.default_rng(k))
        got = errors(fine, sim, near)
        out["smooth"] = max(out["smooth"], *(got[name] for name in STATE))
        found["strung"] += strung(fine, sim, near)
        count, contacts = int((data.contact.exclude == 0).sum()), sim.data.contacts()
        found["ncon"].append(count)
        if len(contacts["dist"]) != count:
            found["other"] += 1
            found["deeper"] += deeper(file, data, contacts), 1
        if got["ncon"] or len(contacts["dist"]) != count:
            continue
        if count:
            paired = matched_contacts(contacts, near.contact)
            out |= {name: max(out[name], paired[name]) for name in ("dist", "normal")}
            found["least"] += judged(fine, near, contacts)
        which = "qacc" if count else "smooth"
        out |= {which: max(out[which], got["qacc"]), "sensors": max(out["sensors"], got["sensordata"])}
    counted = {"ncon": float(np.mean(found["ncon"])), "other": f"{found['other']}/{states}"}
    counted |= {name: "{}/{}".format(*found[name]) for name in ("least", "strung")}
    return counted | {"deeper": found["deeper"]} | out


def trajectory(mj, sim, rng, steps=300):
    """Errors along a trajectory of MuJoCo's, until it diverges: `free`, `stepwise`, `apart`, `rounding`. Both sides
    search for contacts as far as they can: which faces of meshes meet there may hang on how far."""
    import mujoco

    import engine
    from tests.physics.test_integrators import difference
    from tests.whose import deeper, nearest

    model = sim.model.copy()
    model.opt.ccd_tolerance, model.opt.ccd_iterations = CCD
    sim = engine.Simulator(model)
    mj, (qpos, qvel, _, _), ctrl = solving(mj, fine=True), kicked(mj, rng, 0.2), controls(mj, rng)
    data, running = mujoco.MjData(mj), engine.Simulator(model)
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, ctrl
    running.reset(qpos, qvel)
    running.data.ctrl[0] = ctrl
    free, stepwise, apart, rounding, found, touched, t = 0.0, 0.0, 0, 0, np.zeros(2, int), False, 0
    before = mujoco.MjData(mj)
    while t < steps:
        sim.reset(data.qpos, data.qvel)
        sim.data.act[0], sim.data.ctrl[0], sim.data.qacc_warmstart[0] = data.act, ctrl, data.qacc_warmstart
        mujoco.mj_copyData(before, mj, data)
        mujoco.mj_step(mj, data)
        if data.warning.number.any():
            break
        t += 1
        sim.step()
        touched |= data.ncon > 0
        if not touched:
            running.step()
            free = max(free, float(np.abs(running.data.qpos[0] - data.qpos).max()))
        contacts = sim.data.contacts()
        if len(contacts["dist"]) == (data.contact.exclude == 0).sum():
            error = difference(sim, data)
            near = min(error, nearest(mj, before, sim.data)) if error > 1e-6 else error
            rounding, stepwise = rounding + (near < 0.5 * error), max(stepwise, near)
        else:
            apart += 1
            found += deeper(mj, data, contacts), 1
    steps = {"apart": f"{apart}/{t}", "rounding": f"{rounding}/{t}", "deeper": found}
    return {"free": free, "stepwise": stepwise} | steps


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


def smooth(model, mj):
    """Copies with friction that may slip, of which nothing sleeps: these have gradients."""
    import mujoco

    model, mj = model.copy(), copy.copy(mj)
    model.opt.noslip_iterations = mj.opt.noslip_iterations = 0
    model.opt.sleep = False
    mj.opt.enableflags &= ~int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    return model, mj


def lasting(mj, state):
    """mj, or what has dense Jacobians and goes on for a burst from a state where mj does not."""
    import mujoco

    dense = copy.copy(mj)
    dense.opt.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    for one in (mj, dense):
        data = mujoco.MjData(one)
        data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = state
        mujoco.mj_step(one, data, BURST)
        if not data.warning.number.any():
            return one
    return mj


def speed(mj, model, rng, bursts=BURSTS):
    """{us, ratio, back}: medians over bursts that take turns."""
    import mujoco

    import engine

    qpos, qvel, act, ctrl = state = kicked(mj, rng, 0.2)
    mj = lasting(mj, state)
    sim, data = engine.Simulator(model), mujoco.MjData(mj)
    slipping = sim if not (mj.opt.noslip_iterations or model.opt.sleep) else engine.Simulator(smooth(model, mj)[0])
    tape = engine.Tape(engine.Simulator(slipping.model), steps=BURST)
    weights = {"qpos": rng.normal(size=(BURST + 1, 1, mj.nq)), "qvel": rng.normal(size=(BURST + 1, 1, mj.nv))}

    def ours(sim=sim):
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

    times = []
    for _ in range(bursts + 2):
        forward = ours()
        times.append([forward, theirs(), both(), forward if slipping is sim else ours(slipping)])
    forward, other, back, alone = np.array(times[2:]).T
    ratio, back = np.median(other / forward), np.median(back / alone)
    return {"us": float(np.median(forward) / BURST * 1e6), "ratio": float(ratio), "back": float(back)}


def seconds(f):
    began = time.perf_counter()
    f()
    return time.perf_counter() - began


def compared(path, quick):
    """The row of a file: of one that loads, with its physics and gradients."""
    import engine

    entry = row(path, {}, False)
    if "nv" not in entry:
        return entry
    try:
        model, mj, rng = engine.load(path), compiled(path), np.random.default_rng(0)
        model.opt.tolerance, model.opt.iterations = 1e-14, 100
        sim = engine.Simulator(model)
        entry |= {"load s": entry["seconds"], "searched": "convex" in sim.features}
        states, steps = physics(mj, sim, rng), trajectory(mj, sim, rng)
        entry |= states | steps | {"deeper": "{}/{}".format(*states["deeper"] + steps["deeper"])}
        if not quick:
            if mj.opt.noslip_iterations or model.opt.sleep:
                slipping, mj = smooth(model, mj)
                sim = engine.Simulator(slipping)
            entry["gradient"] = gradient(mj, sim, rng)
    except Exception as error:
        entry |= failure(error)
    return entry


def timed(path):
    """`first s` and the columns of `speed`."""
    import engine

    mj = compiled(path)
    began = time.perf_counter()
    model = engine.load(path)
    tape = engine.Tape(engine.Simulator(smooth(model, mj)[0]), STEPS)
    qpos = tape.rollout(np.zeros((STEPS, 1, model.nu))).qpos
    tape.backward(qpos=np.ones_like(qpos))
    entry = {"first s": time.perf_counter() - began}
    return entry | speed(mj, model, np.random.default_rng(0))


def failure(error):
    return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())}"}


def _child(function, args, pipe):
    try:
        pipe.send(function(*args))
    except Exception as error:
        pipe.send(failure(error))


def apart(function, *args):
    """The dictionary that a function returns in a process of its own, or what becomes of it: "failed"."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_child, args=(function, args, there))
    process.start()
    there.close()
    try:
        entry = here.recv()
    except EOFError:
        process.join()
        entry = {"failed": f"the process ended with code {process.exitcode}"}
    process.join()
    return entry


def examined(path, quick):
    """The row of a file, by processes of its own, so that one robot that ends one takes no other with it."""
    entry = {"file": str(path)} | apart(compared, path, quick)
    if "nv" not in entry and "failed" in entry:
        entry["error"] = entry.pop("failed")
    if "gradient" in entry:
        entry |= apart(timed, path)  # with the kernels that the first process has left on disk
    return entry


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("folders", nargs="+")
    p.add_argument("--json", type=Path, help="write the rows there")
    p.add_argument("--page", type=Path, help="write a page of the rows there")
    p.add_argument("--quick", action="store_true", help="neither gradients nor times")
    p.add_argument("--only", default="", help="files whose path has this word in it")
    args = p.parse_args(argv)
    entries = []
    print(f"{'':44}" + "".join(f"{name:>10}" for name in COLUMNS))
    for path in files_under(args.folders):
        if args.only not in str(path):
            continue
        entries.append(entry := examined(path, args.quick))
        text = said(entry)
        if "nv" in entry:
            text = "".join(f"{cell(entry.get(name)):>10}" for name in COLUMNS)
            text += f"  {entry['failed'][:80]}" if "failed" in entry else ""
        print(f"{title(entry):44}{text}", flush=True)
    loaded = [e for e in entries if "nv" in e]
    print(f"\n{len(loaded)} of {len(entries)} load, {sum('failed' in e for e in loaded)} of them fail here")
    if args.json:
        args.json.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    if args.page:
        args.page.write_text(page(entries, STATES, BURST, BURSTS), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
