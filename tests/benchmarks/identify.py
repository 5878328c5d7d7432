"""Identification of Go1 on a stand: 49 numbers from encoders alone, beside CMA-ES on the same cost.

    python tests/benchmarks/identify.py --robots ../shared/robots [--seed 1] [--evaluations 4000] [--seeds 10]
        [--page PATH]

The protocol is that of PACE (arXiv 2509.06342): position servos follow chirps of 0.1 to 10 Hz for 20 s, all legs in the
air. The robot that makes the log is simulated by MuJoCo: armature, damping, dry friction and encoder offset of each
joint are drawn at random, commands act 8 ms late. Encoders are read at 400 Hz, with noise of 5e-4 rad and 14 bits a
turn; the servos read the same encoders. Looked for: these 4 x 12 + 1 numbers from the robot file's own.

CMA-ES (the package cmaes) gets the same log, the same numbers, and the same squares of residuals as its cost, on the
same machine, with so many evaluations; its members are worlds of one launch. With --seeds other robots and logs are
fitted, too, and how many of all 95 % intervals hold the truth is printed.
"""

import argparse
import datetime
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

STEP, EVERY, SECONDS = 0.00125, 2, 20.0  # an encoder is read every second step: 400 Hz
NOISE, BITS, DELAY = 5e-4, 14, 0.008
LOW, HIGH = 0.1, 10.0  # Hz
STAND = (0.0, 0.9, -1.8)
WITHIN = 0.02


def on_a_stand(robots, delay=0.0):
    """MjSpec of Go1 with its trunk held, and nothing that touches."""
    import mujoco

    spec = mujoco.MjSpec.from_file(str(robots / "unitree_go1" / "go1.xml"))
    for joint in spec.joints:
        if joint.type == mujoco.mjtJoint.mjJNT_FREE:
            spec.delete(joint)
            break
    for key in list(spec.keys):
        spec.delete(key)
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
    spec.option.timestep = STEP
    for actuator in spec.actuators if delay else ():
        actuator.delay, actuator.nsample, actuator.interp = delay, int(delay / STEP) + 4, 1
    return spec


def chirps(model_nu, seconds, seed):
    """Commands (steps, nu): chirps about the stand, each joint with a phase and a top speed of its own."""
    rng = np.random.default_rng(seed)
    t = STEP * np.arange(round(seconds / STEP))
    high = HIGH * rng.uniform(0.8, 1.0, model_nu)
    turns = LOW * t[:, None] + (high - LOW) * t[:, None] ** 2 / (2 * seconds)
    phase = 2 * np.pi * turns + rng.uniform(0, 2 * np.pi, model_nu)
    size = np.tile((0.25, 0.3, 0.3), model_nu // 3)
    return t, np.tile(STAND, model_nu // 3) + size * np.sin(phase)


def twin(robots, seconds=SECONDS, seed=1):
    """(Log, truth {name: value}) of a robot that nobody knows."""
    import mujoco

    from engine.identify import Log

    rng = np.random.default_rng(seed)
    mj = on_a_stand(robots, DELAY).compile()
    nv = mj.nv
    names = [mj.joint(i).name for i in range(mj.njnt)]
    acts = [mj.actuator(i).name for i in range(mj.nu)]
    truth = {}
    for array, lo, hi in (("dof_armature", 0.6, 1.6), ("dof_damping", 0.5, 1.6), ("dof_frictionloss", 0.4, 2.0)):
        getattr(mj, array)[:] *= rng.uniform(lo, hi, nv)
        truth |= {f"{array}:{n}": x for n, x in zip(names, getattr(mj, array), strict=True)}
    offset = rng.uniform(-0.05, 0.05, nv)
    truth |= {f"offset:{n}": x for n, x in zip(names, offset, strict=True)}
    truth["delay:*"] = DELAY
    t, command = chirps(mj.nu, seconds, seed)
    data = mujoco.MjData(mj)
    # it stands still with its first command before the log begins
    for _ in range(round(2.0 / STEP)):
        data.ctrl[:] = command[0] - offset
        mujoco.mj_step(mj, data)
    shown = np.empty((len(t), nv))
    for k in range(len(t)):
        shown[k] = data.qpos
        data.ctrl[:] = command[k] - offset
        mujoco.mj_step(mj, data)
    bit = 2 * np.pi / 2**BITS
    shown = shown[::EVERY] + offset
    shown = bit * np.round((shown + rng.normal(scale=NOISE, size=shown.shape)) / bit)
    channels = {n: (t[::EVERY], shown[:, k]) for k, n in enumerate(names)}
    channels |= {f"ctrl:{a}": (t, command[:, k]) for k, a in enumerate(acts)}
    return Log(channels, "go1 on a stand"), truth


def unknowns():
    from engine.identify import Unknown

    each = [f"{w}:*" for w in ("dof_armature", "dof_damping", "dof_frictionloss", "offset")]
    return [*each, Unknown("delay:*", tied=True, guess=0.004, high=0.05)]


def judged(found, truth):
    """[(name, truth, found, half interval, within 2 % or inside the interval)]."""
    rows = []
    for n, v, lo, hi in zip(found.names, found.values, found.low, found.high, strict=True):
        x = truth[n]
        rows.append((n, x, v, 0.5 * (hi - lo), bool(abs(v - x) <= WITHIN * abs(x) or lo <= x <= hi)))
    return rows


class Rollouts:
    """The cost that CMA-ES gets: squared residuals of the whole log, rolled out once from its start, at rest as it is;
    a population's members are worlds with parameters of their own, on all threads."""

    def __init__(self, model, log, members):
        import engine
        from engine.identify.parameters import Unknowns
        from engine.identify.targets import interpreted
        from engine.identify.windows import Windows

        self.steps = round((log.channels[model.joint_names[0]].time[-1]) / STEP)
        self.windows = Windows(model, [interpreted(model, log, NOISE)], self.steps, "linear")
        self.sim = engine.Simulator(model, members, own_params=True)
        self.one = engine.Simulator(model)
        self.unknowns = Unknowns(model, self.one, unknowns())
        self.tape = engine.Tape(self.sim, self.steps)
        self.model, self.members, self.count = model, members, 0

    def __call__(self, points):
        """Costs (members,) of numbers (members, 49)."""
        m, u = self.model, self.unknowns
        ctrl = np.zeros((self.steps, self.members, m.nu))
        qpos, shown = np.zeros((self.members, m.nq)), np.zeros((self.members, m.nv))
        theta = self.sim.model_pack["theta"].reshape(self.members, -1)
        width = self.one.sizes["ntheta"]
        for k, p in enumerate(points):
            u.apply(p)
            theta[k, :width] = self.one.model_pack["theta"][:width]
            shown[k], _, servo, _ = u.offsets(p)
            ctrl[:, k] = self.windows.controls(u.delays(p)[0])[0][:, 0] + servo
            qpos[k] = [s.value[:8].mean() for s in self.windows.samples] - shown[k]
        self.sim.reset(qpos)
        found = self.tape.rollout(ctrl).qpos
        self.count += len(points)
        cost = np.zeros(self.members)
        for s in self.windows.samples:
            at = s.rows[:, 0]
            r = found[at, :, s.what.first] + shown[:, s.what.first] - s.value
            cost += 0.5 * ((r / NOISE) ** 2).sum(axis=0)
        return cost


def cma_es(model, log, truth, evaluations, seed):
    """The best numbers that CMA-ES (package cmaes) finds in so many evaluations, and how it got there."""
    from cmaes import CMA

    members = 4 + int(3 * np.log(49))
    cost = Rollouts(model, log, members + members % 2)
    u = cost.unknowns
    low = np.where(np.isfinite(u.low), 0.1 * u.guess, -0.1)
    high = np.where(np.isfinite(u.low), 4.0 * u.guess, 0.1)
    x0 = (u.guess - low) / (high - low)
    search = CMA(mean=x0, sigma=0.15, bounds=np.tile((0.0, 1.0), (len(x0), 1)), seed=seed,
                 population_size=cost.members)  # fmt: skip
    cost(np.tile(u.guess, (cost.members, 1)))  # compiles
    cost.count, best, curve, began = 0, (np.inf, None), [], time.process_time()
    wall = time.perf_counter()
    while cost.count < evaluations:
        asked = [search.ask() for _ in range(cost.members)]
        found = cost([low + x * (high - low) for x in asked])
        search.tell([(x, float(c)) for x, c in zip(asked, found, strict=True)])
        k = int(np.argmin(found))
        if found[k] < best[0]:
            best = float(found[k]), low + asked[k] * (high - low)
        curve.append((time.process_time() - began, cost.count, best[0]))
    true = np.array([truth[n] for n in u.names])
    return {"cost": best[0], "values": best[1], "curve": curve, "rollouts": cost.count,
            "cpu": time.process_time() - began, "wall": time.perf_counter() - wall,
            "first": float(cost(np.tile(u.guess, (cost.members, 1)))[0]),
            "true": float(cost(np.tile(true, (cost.members, 1)))[0]), "cost_of": cost}  # fmt: skip


def coverage(robots, seeds, args):
    """How many of the 95 % intervals of fits of other robots hold the truth: [(seed, inside, numbers, within 2 % or
    inside, seconds of processor time)]."""
    import engine
    from engine.identify import Problem, solved

    rows = []
    for seed in seeds:
        log, truth = twin(robots, args.seconds, seed)
        began = time.process_time()
        model = engine.load(on_a_stand(robots).compile())
        found = solved(Problem(model, log, unknowns(), window=args.window, hold="linear"))
        cpu = time.process_time() - began
        each = judged(found, truth)
        inside = sum(abs(r[1] - r[2]) <= r[3] for r in each)
        rows.append((seed, inside, len(each), sum(r[4] for r in each), cpu))
        print(f"seed {seed}: {inside} of {len(each)} intervals hold the truth, {cpu:.1f} s", flush=True)
    return rows


def page(rows, found, wall, cpu, other, args, others=()):
    from tests.benchmarks.common import machine

    good, inside = sum(r[4] for r in rows), sum(abs(r[1] - r[2]) <= r[3] for r in rows)
    lines = [
        "# Identification of Go1 on a stand",
        "",
        "`python tests/benchmarks/identify.py --evaluations 4000 --seeds 10 --page PATH` (needs cmaes): the protocol",
        "of PACE on a robot simulated by MuJoCo, whose armature, damping, dry friction and encoder offsets are drawn",
        f"at random; {args.seconds:g} s, encoders at 400 Hz with noise of {NOISE:g} rad and {BITS} bits, commands",
        f"{1e3 * DELAY:g} ms late.",
        "",
        f"* {good} of {len(rows)} numbers are within 2 % of the truth or their interval holds it; the 95 % intervals "
        f"hold {inside} of {len(rows)}.",
        f"* The fit took {wall:.1f} s of wall clock and {cpu:.1f} s of processor time, {found.iterations} Jacobians; "
        "kernels were compiled before.",
        f"* Errors on windows that were held out: {_rms(found.before):.2e} rad with the first guess, "
        f"{_rms(found.after):.2e} rad fitted.",
    ]
    if others:
        inside, numbers = sum(r[1] for r in others), sum(r[2] for r in others)
        lines.append(
            f"* Of {len(others)} such robots and logs, seeds {others[0][0]} to {others[-1][0]}, the 95 % intervals "
            f"hold {inside} of {numbers} numbers, {100 * inside / numbers:.1f} %; {sum(r[3] for r in others)} are "
            f"within 2 % or inside. A fit took {np.median([r[4] for r in others]):.1f} s of processor time (median)."
        )
    box = machine()
    if other:
        fitted = float(other["cost_of"](np.tile(found.values, (other["cost_of"].members, 1)))[0])
        truth = np.array([r[1] for r in rows])
        errors = [np.abs(values / truth - 1) for values in (found.values, other["values"])]
        lines += [
            "",
            f"| cost of the whole log (at first {other['first']:.4g}, of the truth {other['true']:.4g}) | this fit "
            "| CMA-ES |",
            "|---|---|---|",
            f"| cost reached | {fitted:.5g} | {other['cost']:.5g} |",
            "| numbers within 2 % of the truth | " + " | ".join(f"{int((e < WITHIN).sum())}" for e in errors) + " |",
            "| median error | " + " | ".join(f"{100 * np.median(e):.2g} %" for e in errors) + " |",
            f"| work | {found.iterations} Jacobians | {other['rollouts']} rollouts of the log |",
            f"| processor time, s | {cpu:.1f} | {other['cpu']:.0f} |",
            f"| wall clock, s | {wall:.1f} | {other['wall']:.0f} |",
            "",
            "CMA-ES rolls the whole log out from its start, at rest as it is; the fit finds the starts of its windows.",
        ]
    lines += [
        "",
        f"{box['processor']}, {box['cores']} cores, {datetime.date.today()}, load {box['load'][0]:.1f}"
        f"{', so of the times only those of the processor count' * (box['load'][0] > box['cores'])}.",
        "",
        "| number | truth | found | ± (95 %) |",
        "|---|---|---|---|",
    ]
    lines += [f"| {n} | {x:.6g} | {v:.6g} | {h:.2g} |{'' if g else ' missed'}" for n, x, v, h, g in rows]
    return "\n".join(lines) + "\n"


def _rms(errors):
    return float(np.sqrt(np.mean([out**2 for _, out in errors.values()])))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--robots", type=Path, default=ROOT.parent / "shared" / "robots", help="folder of robot files")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--seconds", type=float, default=SECONDS, help=f"of the log (default {SECONDS:g})")
    p.add_argument("--window", type=float, default=1.0, help="s (default 1)")
    p.add_argument("--evaluations", type=int, default=0, help="of the cost for CMA-ES (default none)")
    p.add_argument("--seeds", type=int, default=0, help="robots and logs whose intervals are counted (default none)")
    p.add_argument("--page", type=Path, help="write the page there")
    args = p.parse_args()
    import engine
    from engine.identify import Problem, solved

    log, truth = twin(args.robots, args.seconds, args.seed)
    model = engine.load(on_a_stand(args.robots).compile())
    solved(Problem(model, log, unknowns(), window=args.window, noise=NOISE, hold="linear"), iterations=1)  # compiles
    wall, cpu = time.perf_counter(), time.process_time()
    found = solved(Problem(model, log, unknowns(), window=args.window, hold="linear"))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rows = judged(found, truth)
    print(found)
    print(f"{sum(r[4] for r in rows)} of {len(rows)} within 2 % or inside; {wall:.1f} s, {cpu:.1f} s of processor time")
    others = coverage(args.robots, range(args.seed, args.seed + args.seeds), args)
    if others:
        inside, numbers = sum(r[1] for r in others), sum(r[2] for r in others)
        print(f"{inside} of {numbers} intervals of 95 % hold the truth, {100 * inside / numbers:.1f} %")
    other = cma_es(model, log, truth, args.evaluations, args.seed) if args.evaluations else None
    text = page(rows, found, wall, cpu, other, args, others)
    print(text)
    if args.page:
        args.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
