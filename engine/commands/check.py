"""`pullback check`: compare the gradient of a rollout of a robot with central differences."""

import numpy as np

from engine.commands.common import DONE, NOT_REACHED, Output, add_wishes, positive, robot, seed, wishes
from engine.words import counted

DEFAULT = ("ctrl", "qpos0", "qvel0", "body_mass")


def add(commands):
    p = commands.add_parser("check", help="compare a robot's gradients with central differences (gradcheck)")
    p.add_argument("robot", help="built-in scene, or an MJCF or URDF file")
    p.add_argument("--steps", type=int, default=50, help="control steps of the rollout (default 50)")
    p.add_argument("--wrt", nargs="+", default=list(DEFAULT), help=f"inputs, or 'all' (default {' '.join(DEFAULT)})")
    p.add_argument("--directions", type=int, default=2, help="random directions of every input (default 2)")
    p.add_argument("--noise", type=float, default=0.1, help="size of the random start and controls (default 0.1)")
    p.add_argument("--seed", type=seed, default=0)
    p.add_argument("--json", action="store_true", help="one JSON object for each input")
    add_wishes(p)
    p.set_defaults(run=run)


def run(args):
    """A random smooth-ish loss of all outputs, from a randomly displaced start with random controls."""
    positive(args, "steps", "directions")
    chosen, out = robot(args.robot, wishes(args)), Output(args.json)
    import engine
    from engine.diff.gradcheck import NOT_SMOOTH, WRONG
    from engine.model.coordinates import displace
    from engine.theta import LEAF_NAMES

    m, rng = chosen.model, np.random.default_rng(args.seed)
    out.say(f"{chosen.name}: {counted(args.steps, 'step')} with random controls; compiling")
    sim = engine.Simulator(m, leaves=[name for name in LEAF_NAMES if name in args.wrt])
    tape = engine.Tape(sim, args.steps)
    qpos = displace(m, chosen.qpos0, args.noise * rng.normal(size=m.nv))
    qvel = chosen.qvel0 + args.noise * rng.normal(size=m.nv)
    sim.reset(qpos, qvel)
    inputs = ("ctrl", "qpos0", "qvel0", "act0", *(("mocap_pos", "mocap_quat") if m.nmocap else ()))
    wrt = (*inputs, *sim.params) if args.wrt == ["all"] else tuple(args.wrt)
    wrt = tuple(n for n in wrt if not (n == "ctrl" and not m.nu or n == "act0" and not m.na))
    report = engine.gradcheck(tape, _loss(tape, rng), wrt, args.noise * rng.normal(size=(args.steps, m.nu)),
                              directions=args.directions, seed=args.seed)  # fmt: skip
    out.say(report)
    for e in report.entries:
        out.record("check", **e._asdict())
    worst = report.verdicts
    wrong = [n for n, v in worst.items() if v == WRONG]
    rough = [n for n, v in worst.items() if v == NOT_SMOOTH]
    if wrong:
        out.say(f"wrong: {', '.join(wrong)}")
    if rough:
        out.say(f"no verdict for {', '.join(rough)}: an event (a contact or limit made or broken) lies within the "
                f"smallest difference; try other --seed or fewer --steps")  # fmt: skip
    return NOT_REACHED if wrong else DONE


def _loss(tape, rng):
    m, weights = tape.sim.model, {}
    for name, size, scale in (("qpos", m.nq, 1.0), ("qvel", m.nv, 0.1)):
        weights[name] = scale * rng.normal(size=(tape.rows, 1, size))

    def loss(trajectory):
        return sum((w * getattr(trajectory, n)).sum() for n, w in weights.items()), weights

    return loss
