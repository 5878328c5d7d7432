"""Which form of a kernel a launch takes: worlds one after the other, spread over threads, or on a device.

Forms give the same bits, so it is a matter of time alone. Waking threads costs a launch some 100 us, and what runs
after it another 80 (measured on two cores: whoever has slept finds the caches cold). Little work is therefore done by
the calling thread itself. Each form is compiled when it is first taken.

A launch cannot be interrupted, so a long one is made in slices, between which Python takes notice of Ctrl-C. The worlds
then stand at some step of those asked for. Slices give the same bits as one launch.
"""

import time

from engine.compiler.backend import settings
from engine.compiler.launch import BoundKernel
from engine.compiler.session import defining, worker_threads
from engine.model.constants import RK4

with defining():
    from engine.kernels import (
        linearize_device,
        linearize_parallel,
        linearize_serial,
        reverse_device,
        reverse_parallel,
        reverse_serial,
        rollout_device,
        rollout_parallel,
        rollout_serial,
    )

WAKING = 180e-6  # s
STEP = 0.3e-6  # s of a physics step for each degree of freedom, roughly; RK4 takes four stages of most of it
STAGES, BACKWARDS = 3.3, 1.5
SLICE = 0.1  # s of a launch, about
ROLLOUT = {"serial": rollout_serial, "parallel": rollout_parallel, "device": rollout_device}
REVERSE = {"serial": reverse_serial, "parallel": reverse_parallel, "device": reverse_device}
LINEARIZE = {"serial": linearize_serial, "parallel": linearize_parallel, "device": linearize_device}


class WorldsKernel:
    """A rollout, its reverse, or a linearized step of all worlds of a simulator, bound to packs.

    kernels: ROLLOUT, REVERSE or LINEARIZE."""

    def __init__(self, sim, kernels, packs):
        self.kernels, self.packs, self.worlds = kernels, packs, sim.worlds
        self.bound, self.form = {}, sim.form
        m, threads = sim.model, settings().threads
        cost = sim.worlds * max(m.nv, 1) * STEP * (STAGES if m.opt.integrator == RK4 else 1.0)
        cost *= BACKWARDS if kernels is REVERSE else 1.0
        self.guess = max(int(2 * SLICE / cost), 1)  # physics steps in a launch, at most
        self.most = self.guess // 2 + 1
        # spread over n threads, the time T of one becomes T / n + WAKING
        self.few = WAKING * threads / max(threads - 1, 1) / cost
        # pieces for the threads: enough to balance them, of four worlds where that leaves every thread one, since
        # neighbours share cache lines
        self.chunks = min(sim.worlds, 8 * threads, max(threads, sim.worlds // 4))

    def hold(self, n, last):
        """n physics steps with the controls as they are, and the last one's sensors; `last` as in kernels.run_world."""
        while (count := self._piece(n, 1)) < n:
            self._timed(count, 0, 1, count, 0, -1, 0)
            n = n - count
        self._launch(0, 1 if n else 0, n or 1, last, -1, -1)

    def launch(self, t0, t1, frame_skip, last, row0, every):
        """See kernels.run_world and kernels.reverse_world."""
        while (count := self._piece(t1 - t0, frame_skip)) < t1 - t0:
            steps = count * frame_skip
            if self.kernels is ROLLOUT:
                self._timed(steps, t0, t0 + count, frame_skip, 0, row0, every)
                t0, row0 = t0 + count, row0 + steps if row0 >= 0 else -1
            else:
                row = row0 + (t1 - t0 - count) * frame_skip
                self._timed(steps, t1 - count, t1, frame_skip, last, row, every)
                t1, last = t1 - count, 0
        self._launch(t0, t1, frame_skip, last, row0, every)

    def _piece(self, n, steps):
        """How many of n control steps, of `steps` physics steps each, the next launch takes: pieces of one size, since
        a small one would take another form and compile it."""
        if n * steps <= self.most:
            return n
        return -(-n // -(-n * steps // self.most))

    def _timed(self, steps, *ints):
        start = time.perf_counter()
        self._launch(*ints)
        seconds = time.perf_counter() - start
        # worlds that diverged are fast, and say nothing about others
        self.most = min(max(int(steps * SLICE / seconds), self.most // 4, 1), self.guess)

    def _launch(self, t0, t1, frame_skip, last, row0, every):
        self.once((t1 - t0) * frame_skip + last, t0, t1, frame_skip, last, row0, every)

    def once(self, steps, *ints):
        """One launch, which takes the time of so many steps, with what the kernel asks beside numbers of worlds."""
        form = self.form
        if form == "parallel" and (steps <= self.few or not worker_threads()):
            form = "serial"
        bound = self.bound.get(form)
        if bound is None:
            bound = self.bound[form] = BoundKernel(self.kernels[form], self.packs, 2 + len(ints))
        bound.launch(self.worlds, self.chunks, *ints)
