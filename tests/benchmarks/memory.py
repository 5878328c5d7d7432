"""The gradient of 10,000 half_cheetah steps within a budget of bytes: what is stored, what is computed twice, how long.

Every budget runs in a process of its own, which warms its kernels up on a tiny tape before its memory is read.
"""

import contextlib
import ctypes
import gc
import hashlib
from pathlib import Path

import common
import numpy as np

WARM = 8  # steps of the tiny tape


class Gradient:
    """One process: the tape of one budget."""

    def __init__(self):
        import engine
        import scenes

        engine.init(threads=1)
        self.engine, self.scene = engine, scenes.load("half_cheetah")
        self.sim = engine.Simulator(self.scene.model)

    def fixed(self, steps, every):
        """Bytes of outputs, cotangents and work, which no schedule changes. Compiles the kernels on the way."""
        self._warm_up()
        return self.engine.Tape(self.sim, steps, record_every=every, memory="8GiB").fixed_bytes

    def _warm_up(self):
        self._make(WARM, 1, "1GiB")
        schedule = self.tape.schedule
        repeating = self.tape.fixed_bytes + self.tape.extra * schedule.record_bytes
        repeating += schedule.snapshot_bytes + 4 * schedule.record_bytes  # so that replaying is warm too
        for budget in ("1GiB", repeating):
            self._make(WARM, 1, budget)
            self.times()

    def prepare(self, steps, every, memory):
        """Bytes of the tape; growth of this process's memory, at the end and at the highest."""
        self._warm_up()
        self.tape = None
        release()
        before = resident("VmRSS")
        reset_peak()
        self._make(steps, every, memory)
        self.times()
        growth, peak = resident("VmRSS") - before, resident("VmHWM") - before
        return {"plan": self.tape.plan(), "bytes": self.tape.bytes, "growth": growth, "peak": peak,
                "schedule": self.tape.schedule.name, "recompute": self.tape.schedule.recompute}  # fmt: skip

    def _make(self, steps, every, memory):
        self.tape = self.engine.Tape(self.sim, steps, record_every=every, memory=memory)
        rng = np.random.default_rng(0)
        # slow waves rather than noise: the cheetah moves all the time and its gradient stays finite
        phase = rng.uniform(0, 2 * np.pi, self.sim.model.nu)
        self.controls = 0.3 * np.sin(0.05 * np.arange(steps)[:, None, None] + phase)
        self.qpos = rng.normal(size=(self.tape.rows, 1, self.sim.model.nq))
        self.qvel = rng.normal(size=(self.tape.rows, 1, self.sim.model.nv))

    def times(self):
        """Seconds of rollout and backward, hash and size of the gradient."""
        self.sim.reset()
        rollout = common.seconds(lambda: self.tape.rollout(self.controls))
        found = []
        backward = common.seconds(lambda: found.append(self.tape.backward(qpos=self.qpos, qvel=self.qvel)))
        g = found[0]
        h = hashlib.sha256()
        for a in (g.ctrl, g.qpos0, g.qvel0, *(g.model[name] for name in g.model)):
            h.update(np.ascontiguousarray(a).tobytes())
        return rollout, backward, h.hexdigest()[:12], float(np.abs(g.ctrl).max())


def release():
    """Give freed memory back, so that what grows afterwards is seen to grow."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def resident(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


def reset_peak():
    Path("/proc/self/clear_refs").write_text("5")


def measure(steps, every, budgets, repetitions):
    first = common.Worker(Gradient)
    fixed = first.ask("fixed", steps, every)
    first.close()  # which leaves its kernels in the cache
    workers = [common.Worker(Gradient) for _ in budgets]
    memories = [fixed + b if isinstance(b, int) else b for b in budgets]
    stored = [w.ask("prepare", steps, every, m) for w, m in zip(workers, memories, strict=True)]
    turns = [[w.ask("times") for w in workers] for _ in range(repetitions)]
    for worker in workers:
        worker.close()
    rows = []
    for k, (memory, s) in enumerate(zip(memories, stored, strict=True)):
        mine = [turn[k] for turn in turns]
        rollout, backward = np.median([(r, b) for r, b, _, _ in mine], axis=0)
        whole = [sum(turn[k][:2]) / sum(turn[0][:2]) for turn in turns]
        print(f"\nrecord_every={every}, memory={memory}\n{s['plan']}")
        rows.append({
            "record_every": every,
            "memory": f"{memory / 2**20:.3f}MiB" if isinstance(memory, int) else memory,
            "schedule": s["schedule"],
            "tape MiB": s["bytes"] / 2**20,
            "RSS growth MiB": s["growth"] / 2**20,
            "peak MiB": s["peak"] / 2**20,
            "recompute": s["recompute"],
            "rollout s": float(rollout),
            "backward s": float(backward),
            "time ratio": float(np.median(whole)),
            "spread": common.spread(whole),
            "bit-equal": "yes" if {h for _, _, h, _ in mine} == {turns[0][0][2]} else "NO",
            "largest gradient": mine[0][3],
        })  # fmt: skip
    return rows


def main():
    args = common.arguments(__doc__, steps=10_000, repetitions=9)
    common.pin()
    rows = measure(args.steps, 1, ("8GiB", "64MiB", 96 * 1024, 12 * 1024), args.repetitions)
    rows += measure(args.steps, args.steps, ("8GiB", "64MiB", 96 * 1024, 12 * 1024), args.repetitions)
    notes = (
        "8GiB is as good as unlimited. RSS growth, peak: of the process, around tape, rollout and backward, with the "
        "arrays that go in and come out. time ratio: rollout and backward over those of the first row with this "
        "record_every; bit-equal: all gradients against that row.",
    )
    title = f"half_cheetah, gradient of {args.steps:,} steps, medians of {args.repetitions} interleaved repetitions"
    common.report(title, rows, notes, args.json)
    if any(row["bit-equal"] != "yes" for row in rows):
        raise SystemExit("gradients depend on the budget")


if __name__ == "__main__":
    main()
