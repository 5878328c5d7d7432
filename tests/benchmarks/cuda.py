"""Physics steps per second on a GPU, forward, and forward and backward, from one world to 65,536.

The time loop runs on the device: a forward measure is one launch of `--steps` physics steps, forward and backward is a
Tape's rollout and `backward` of as many. Robots start as their scenes do, each world from its own random state, and
move under random controls that are held. Where the memory does not suffice for a row, it says so. `--arch cpu` runs the
same on the CPU, to compare or where there is no GPU.
"""

import argparse
import sys
from pathlib import Path

import common
import numpy as np

ROBOTS, WORLDS = ("hopper", "ant", "humanoid"), (1, 64, 1024, 16384, 65536)


class Case:
    def __init__(self, name, worlds, steps):
        import engine
        import scenes

        scene = scenes.load(name)
        self.sim, self.steps, self.worlds = engine.Simulator(scene.model, worlds), steps, worlds
        rng = np.random.default_rng(0)
        self.start = scene.start(rng, worlds)
        self.ctrl = rng.uniform(-0.3, 0.3, (worlds, scene.model.nu))
        self.tape = None

    def forward(self):
        self.sim.reset(*self.start)
        self.sim.data.ctrl[:] = self.ctrl
        return common.seconds(lambda: self.sim.step(self.steps))

    def both(self):
        import engine

        if self.tape is None:
            self.tape = engine.Tape(self.sim, 1, frame_skip=self.steps, memory=1 << 50)
            self.bar = np.zeros((2, self.worlds, self.sim.model.nv))
            self.bar[-1] = 1.0
        self.sim.reset(*self.start)

        def run():
            self.tape.rollout(self.ctrl[None])
            self.tape.backward(qvel=self.bar)

        return common.seconds(run)


def measure(name, worlds, args):
    row = {"robot": name, "worlds": worlds}
    try:
        case = Case(name, worlds, args.steps)
        for label, run in (("forward /s", case.forward), ("forward + backward /s", case.both)):
            times = [run() for _ in range(args.repetitions + 1)][1:]
            row[label] = worlds * args.steps / float(np.median(times))
    except (MemoryError, ValueError) as error:
        row |= {label: "-" for label in ("forward /s", "forward + backward /s") if label not in row}
        print(f"{name}, {worlds} worlds: {error}", file=sys.stderr)
    return row


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--json", type=Path, help="write the table there as well")
    p.add_argument("--arch", choices=("cuda", "cpu"), default="cuda")
    p.add_argument("--precision", choices=("f32", "f64"), default="f32")
    p.add_argument("--robots", nargs="+", default=ROBOTS)
    p.add_argument("--worlds", nargs="+", type=int, default=WORLDS)
    p.add_argument("--steps", type=int, default=50, help="physics steps of a measure, default 50")
    p.add_argument("--repetitions", type=int, default=5)
    args = p.parse_args()
    import engine

    try:
        engine.init(arch=args.arch, precision=args.precision)
    except RuntimeError as error:
        sys.exit(f"not run: {error}")
    rows = [measure(name, worlds, args) for name in args.robots for worlds in args.worlds]
    notes = (f"Physics steps per second, {args.arch}, {args.precision}, medians; launch and synchronisation included.",)
    common.report("Steps per second", rows, notes, args.json)


if __name__ == "__main__":
    main()
