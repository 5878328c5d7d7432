"""Identification of Go1 on a stand: 49 numbers from encoders alone, beside CMA-ES on the same cost.

    python tests/benchmarks/identify.py --robots ../shared/robots [--seed 1] [--cmaes 120] [--page PATH]

The protocol is that of PACE (arXiv 2509.06342): position servos follow chirps of 0.1 to 10 Hz for 20 s, all legs in the
air. The robot that makes the log is simulated by MuJoCo: armature, damping, dry friction and encoder offset of each
joint are drawn at random, commands act 8 ms late. Encoders are read at 400 Hz, with noise of 5e-4 rad and 14 bits a
turn; the servos read the same encoders. Looked for: these 4 x 12 + 1 numbers from the robot file's own.
"""

import argparse
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
    """Commands (steps, nu): chirps about the stand, each joint with an amplitude, a phase and a little speed of its own."""
    rng = np.random.default_rng(seed)
    t = STEP * np.arange(round(seconds / STEP))
    high = HIGH * rng.uniform(0.8, 1.0, model_nu)
    phase = 2 * np.pi * (LOW * t[:, None] + (high - LOW) * t[:, None] ** 2 / (2 * seconds)) + rng.uniform(0, 6.28, model_nu)
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


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--robots", type=Path, default=ROOT.parent / "shared" / "robots")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--seconds", type=float, default=SECONDS)
    p.add_argument("--window", type=float, default=1.0)
    args = p.parse_args()
    import engine
    from engine.identify import Problem, solved

    log, truth = twin(args.robots, args.seconds, args.seed)
    model = engine.load(on_a_stand(args.robots).compile())
    for round_ in range(2):
        t0 = time.perf_counter()
        problem = Problem(model, log, unknowns(), window=args.window, hold="linear")
        t1 = time.perf_counter()
        found = solved(problem, report=lambda h: print(h))
        import resource; print(resource.getrusage(resource.RUSAGE_SELF)); print(f"problem {t1 - t0:.2f} s, fit {found.seconds:.2f} s, {found.iterations} iterations")
    print(found)
    true = np.array([truth[n] for n in found.names])
    error = np.abs(found.values - true)
    good = (error <= WITHIN * np.abs(true)) | ((found.low <= true) & (true <= found.high))
    for n, v, x, s, g in zip(found.names, found.values, true, found.sd, good):
        print(f"{n:36} {v:10.6f} {x:10.6f} rel {abs(v-x)/abs(x):.4f} z {(v-x)/s:6.2f} {'' if g else 'MISS'}")
    print(good.sum(), "of", len(good), "inside the interval:", ((found.low <= true) & (true <= found.high)).sum(), "runs", found.runs)


if __name__ == "__main__":
    main()
