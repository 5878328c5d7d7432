"""What a second thread brings on 8 and 1,024 worlds, and whether the results are the same, bit for bit.

Two processes, engine.init(threads=1) and (threads=2), measured in turn.
"""

import hashlib

import common
import numpy as np


class Batches:
    """One process's simulators of half_cheetah."""

    def __init__(self, threads):
        import engine
        import scenes

        engine.init(threads=threads)
        self.engine, self.scene = engine, scenes.load("half_cheetah")

    def prepare(self, worlds, steps):
        self.sim = self.engine.Simulator(self.scene.model, worlds)
        self.tape = self.engine.Tape(self.sim, steps, memory="8GiB", record_every=steps)
        rng = np.random.default_rng(0)
        self.start = self.scene.start(rng, worlds)
        self.controls = 0.5 * rng.uniform(-1, 1, (steps, worlds, self.sim.model.nu))
        self.cotangent = rng.normal(size=(2, worlds, self.sim.model.nv))
        self.steps = steps

    def forward(self):
        """Seconds of the steps, hash of the states."""
        self.sim.reset(*self.start)
        self.sim.data.ctrl[:] = self.controls[0]
        taken = common.seconds(lambda: self.sim.step(self.steps))
        return taken, digest(self.sim.data.qpos, self.sim.data.qvel)

    def gradient(self):
        """Seconds of rollout and backward, hash of the gradients."""
        self.sim.reset(*self.start)
        found = []

        def both():
            self.tape.rollout(self.controls)
            found.append(self.tape.backward(qvel=self.cotangent))

        taken = common.seconds(both)
        grads = found[0]
        return taken, digest(grads.ctrl, grads.qpos0, grads.qvel0, grads.model.per_world("body_mass"))


def digest(*arrays):
    h = hashlib.sha256()
    for a in arrays:
        h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()[:12]


def measure(workers, worlds, steps, what, repetitions):
    for worker in workers:
        worker.ask("prepare", worlds, steps)
    answers = [[worker.ask(what) for worker in workers] for _ in range(repetitions + 1)][1:]
    times = np.array([[seconds for seconds, _ in turn] for turn in answers])
    hashes = {h for turn in answers for _, h in turn}
    rate = worlds * steps / np.median(times, axis=0)
    return {
        "worlds": worlds,
        "steps": steps,
        "what": what,
        "1 thread steps/s": float(rate[0]),
        "2 threads steps/s": float(rate[1]),
        "speed-up": float(np.median(times[:, 0] / times[:, 1])),
        "best": float(times[:, 0].min() / times[:, 1].min()),
        "spread": common.spread(times[:, 0] / times[:, 1]),
        "bit-equal": "yes" if len(hashes) == 1 else "NO",
        "hash": sorted(hashes)[0],
    }


def main():
    args = common.arguments(__doc__, repetitions=9)
    workers = [common.Worker(Batches, 1), common.Worker(Batches, 2)]
    cases = [(w, n, what) for w, n in ((8, 1000), (1024, 50)) for what in ("forward", "gradient")]
    rows = [measure(workers, worlds, steps, what, args.repetitions) for worlds, steps, what in cases]
    for worker in workers:
        worker.close()
    notes = (
        "bit-equal: states (forward) or gradients of controls, start and masses (gradient), over threads and turns. "
        "best: ratio of the fastest repetitions. The speed-up means something only on a machine with two idle cores.",
    )
    common.report(f"half_cheetah, medians of {args.repetitions} interleaved repetitions", rows, notes, args.json)
    if any(row["bit-equal"] != "yes" for row in rows):
        raise SystemExit("results depend on the number of threads")


if __name__ == "__main__":
    main()
