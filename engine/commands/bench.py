"""`pullback bench`: how fast a robot is stepped and differentiated here, beside MuJoCo where it is installed."""

import time

import numpy as np

from engine.commands.common import DONE, Output, add_wishes, positive, robot, wishes
from engine.words import counted

REPETITIONS = 5


def add(commands):
    p = commands.add_parser("bench", help="time forward and gradient of a robot, beside MuJoCo if it is installed")
    p.add_argument("robot", help="built-in scene, or an MJCF or URDF file")
    p.add_argument("--steps", type=int, default=500, help="physics steps of a rollout (default 500)")
    p.add_argument("--worlds", type=int, nargs="+", default=[1, 64], help="numbers of worlds (default 1 64)")
    p.add_argument("--json", action="store_true", help="one JSON object a row")
    add_wishes(p)
    p.set_defaults(run=run)


def run(args):
    positive(args, "steps")
    chosen, out = robot(args.robot, wishes(args)), Output(args.json)
    out.say(f"{chosen.name}: {counted(args.steps, 'step')}, medians of {REPETITIONS}; compiling")
    out.say(f"{'worlds':>6}  {'forward us':>10}  {'forward + backward us':>21}  {'ratio':>6}   per step and world")
    for worlds in args.worlds:
        forward, both = _ours(chosen, args.steps, worlds)
        out.say(f"{worlds:6d}  {forward:10.2f}  {both:21.2f}  {both / forward:6.2f}")
        out.record("bench", worlds=worlds, forward_us=forward, gradient_us=both)
    theirs = None if wishes(args) else _mujoco(args.robot, chosen, args.steps)
    if theirs is None:
        out.say("MuJoCo: only for a robot file as it is, with the mujoco package (pip install 'pullback[mjcf]')")
    else:
        out.say(f"MuJoCo, one world, one thread: {theirs:.2f} us a step")
        out.record("mujoco", forward_us=theirs)
    return DONE


def _ours(chosen, steps, worlds):
    """Microseconds per step and world, forward alone and with the gradient."""
    import engine

    m, rng = chosen.model, np.random.default_rng(0)
    sim = engine.Simulator(m, worlds)
    tape = engine.Tape(sim, steps, memory="4GiB")
    qvel = chosen.qvel0 + 0.1 * rng.normal(size=(worlds, m.nv))
    controls = 0.3 * rng.normal(size=(steps, worlds, m.nu))
    bar = rng.normal(size=(steps + 1, worlds, m.nq))
    times = []
    for _ in range(REPETITIONS + 1):  # the first one compiles
        sim.reset(chosen.qpos0, qvel)
        start = time.perf_counter()
        tape.rollout(controls)
        middle = time.perf_counter()
        tape.backward(qpos=bar)
        times.append((middle - start, time.perf_counter() - start))
    return np.median(times[1:], axis=0) / steps / worlds * 1e6


def _mujoco(path, chosen, steps):
    """The same of MuJoCo's own C loop on the same file; None where there is none."""
    if chosen.scene is not None:
        return None
    try:
        import mujoco
    except ImportError:
        return None
    m = mujoco.MjModel.from_xml_path(path)
    d, rng = mujoco.MjData(m), np.random.default_rng(0)
    qvel, ctrl = 0.1 * rng.normal(size=m.nv), 0.3 * rng.normal(size=m.nu)
    times = []
    for _ in range(REPETITIONS + 1):
        mujoco.mj_resetData(m, d)
        d.qpos[:], d.qvel[:], d.ctrl[:] = chosen.qpos0, qvel, ctrl
        start = time.perf_counter()
        mujoco.mj_step(m, d, steps)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:]) / steps * 1e6)
