"""Steps of 1,000 worlds with masses, friction and gains of their own against the same worlds with shared ones.

Both on all cores, in turn; and the gradient of a rollout likewise.
"""

import argparse

import common
import numpy as np

import engine
import scenes

MODELS = ("hopper", "half_cheetah", "ant", "humanoid")


class Case:
    """Two simulators of a scene, with the same parameters in all worlds: the work is then the same."""

    def __init__(self, name, worlds, steps):
        scene = scenes.load(name)
        self.start, self.steps = scene.start(np.random.default_rng(0), worlds), steps
        self.tapes = []
        for own in (False, True):
            sim = engine.Simulator(scene.model, worlds, own_params=own)
            self.tapes.append(engine.Tape(sim, steps, memory="4GiB", record_every=steps))
        self.controls = np.random.default_rng(1).uniform(-0.3, 0.3, (steps, worlds, scene.model.nu))
        self.bar = np.ones((2, worlds, scene.model.nv))

    def forward(self, tape):
        tape.sim.reset(*self.start)
        tape.sim.data.ctrl[:] = self.controls[0]
        return common.seconds(lambda: tape.sim.step(self.steps))

    def gradient(self, tape):
        tape.sim.reset(*self.start)

        def both():
            tape.rollout(self.controls)
            tape.backward(qvel=self.bar)

        return common.seconds(both)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=15)
    args = parser.parse_args()
    print(f"{'':14}{'forward, ms':>14}{'own / shared':>14}{'gradient, ms':>14}{'own / shared':>14}")
    for name in MODELS:
        case, row = Case(name, args.worlds, args.steps), []
        for what in (case.forward, case.gradient):
            times = np.array([[what(tape) for tape in case.tapes] for _ in range(args.repetitions + 1)])[1:]
            row += [1e3 * np.median(times[:, 0]), np.median(times[:, 1] / times[:, 0])]
        print(f"{name:14}{row[0]:14.1f}{row[1]:14.3f}{row[2]:14.1f}{row[3]:14.3f}", flush=True)


if __name__ == "__main__":
    main()
