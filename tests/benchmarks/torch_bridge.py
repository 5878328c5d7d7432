"""A torch MLP in the loop of 64 half cheetahs: 100 steps and back, against the MLP alone plus the simulator alone.

The three run in turn. MLP alone: the same 100 calls on recorded observations, and back. Simulator alone: a Tape's
rollout of the recorded controls and its backward. Needs the extra `torch`. Torch gets one thread, as a user of small
networks should give it: a second one is no faster at these layers and takes a core from the simulator while it waits.
"""

import time

import common
import numpy as np
import torch

BAR = 2.0


def clocks(f):
    """Wall-clock seconds of a call, and the CPU seconds that all threads of the process spent in it."""
    cpu = time.process_time()
    return common.seconds(f), time.process_time() - cpu


class Bridge:
    """The three measures of one frame_skip; each returns `clocks`."""

    def __init__(self, steps, worlds, frame_skip, hidden=64):
        import engine
        import engine.torch
        import scenes

        self.rollout, scene = engine.torch.rollout, scenes.load("half_cheetah")
        m = scene.model
        self.sim, self.steps, self.frame_skip = engine.Simulator(m, worlds), steps, frame_skip
        self.tape = engine.Tape(self.sim, steps, frame_skip)
        torch.manual_seed(0)
        torch.set_num_threads(1)
        layers = torch.nn.Linear(m.nq + m.nv, hidden), torch.nn.Linear(hidden, hidden), torch.nn.Linear(hidden, m.nu)
        tanh = torch.nn.Tanh()
        self.mlp = torch.nn.Sequential(layers[0], tanh, layers[1], tanh, layers[2], tanh).double()
        self.start = scene.start(np.random.default_rng(0), worlds)
        with torch.no_grad():
            t = self.roll()
        self.controls, self.qvel = t.ctrl, t.qvel
        self.observations = torch.cat([t.qpos, t.qvel], dim=-1)[:-1]
        self.weights = torch.randn(self.qvel.shape, dtype=torch.float64)

    def roll(self):
        qpos, qvel = map(torch.from_numpy, self.start)
        policy = lambda t, qpos, qvel, act: self.mlp(torch.cat([qpos, qvel], dim=-1))  # noqa: E731
        return self.rollout(self.sim, qpos, qvel, None, policy, steps=self.steps, frame_skip=self.frame_skip)

    def together(self):
        def both():
            (self.roll().qvel * self.weights).sum().backward()

        return clocks(both)

    def mlp_alone(self):
        def both():
            torch.stack([self.mlp(x) for x in self.observations]).sum().backward()

        return clocks(both)

    def simulator_alone(self):
        controls, bar = self.controls.numpy(), self.weights.numpy()

        def both():
            self.sim.reset(*self.start)
            self.tape.rollout(controls)
            self.tape.backward(qvel=bar)

        return clocks(both)


def measure(frame_skip, args):
    bridge = Bridge(args.steps, args.worlds, frame_skip)
    both = common.interleave(args.repetitions, bridge.together, bridge.mlp_alone, bridge.simulator_alone)
    times, cpu = both[..., 0], both[..., 1]
    ratios, best = times[:, 0] / (times[:, 1] + times[:, 2]), times.min(axis=0)
    together, mlp, simulator = 1e3 * np.median(times, axis=0)
    return {
        "frame_skip": frame_skip,
        "together ms": float(together),
        "MLP alone ms": float(mlp),
        "simulator alone ms": float(simulator),
        "ratio": float(np.median(ratios)),
        "best": float(best[0] / (best[1] + best[2])),
        "spread": common.spread(ratios),
        "CPU ratio": float(np.median(cpu[:, 0] / (cpu[:, 1] + cpu[:, 2]))),
    }


def main():
    args = common.arguments(__doc__, repetitions=9, steps=100, worlds=64)
    rows = [measure(frame_skip, args) for frame_skip in (1, 5)]
    notes = (
        "ratio: together / (MLP alone + simulator alone), forward and backward, f64, median of the repetitions; best: "
        f"of the fastest of each. CPU ratio: of CPU seconds, which a busy machine distorts less. Bar: at most {BAR:g}. "
        "frame_skip 5 is the scene's own.",
    )
    common.report(f"half_cheetah, {args.worlds} worlds, {args.steps} steps, torch {torch.__version__}", rows, notes,
                  args.json)  # fmt: skip


if __name__ == "__main__":
    main()
