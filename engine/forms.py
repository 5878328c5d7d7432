"""Which form of a kernel a launch takes: worlds one after the other, spread over threads, or on a device.

Forms give the same bits, so it is a matter of time alone. Waking threads costs a launch some 100 us, and what runs
after it another 80 (measured on two cores: whoever has slept finds the caches cold). Little work is therefore done by
the calling thread itself. Each form is compiled when it is first taken.
"""

from engine.backend import settings
from engine.kernels import (
    reverse_device,
    reverse_parallel,
    reverse_serial,
    rollout_device,
    rollout_parallel,
    rollout_serial,
)
from engine.launch import BoundKernel
from engine.model.constants import RK4

WAKING = 180e-6  # s
STEP = 0.3e-6  # s of a physics step for each degree of freedom, roughly; RK4 takes four stages of most of it
STAGES, BACKWARDS = 3.3, 1.5
ROLLOUT = {"serial": rollout_serial, "parallel": rollout_parallel, "device": rollout_device}
REVERSE = {"serial": reverse_serial, "parallel": reverse_parallel, "device": reverse_device}


class WorldsKernel:
    """A rollout, or its reverse, of all worlds of a simulator, bound to packs. kernels: ROLLOUT or REVERSE."""

    def __init__(self, sim, kernels, packs):
        self.kernels, self.packs, self.worlds = kernels, packs, sim.worlds
        self.bound, self.form = {}, sim.form
        m, threads = sim.model, settings().threads
        cost = sim.worlds * max(m.nv, 1) * STEP * (STAGES if m.opt.integrator == RK4 else 1.0)
        cost *= BACKWARDS if kernels is REVERSE else 1.0
        # spread over n threads, the time T of one becomes T / n + WAKING
        self.few = WAKING * threads / max(threads - 1, 1) / cost
        # pieces for the threads: enough to balance them, of four worlds where that leaves every thread one, since
        # neighbours share cache lines
        self.chunks = min(sim.worlds, 8 * threads, max(threads, sim.worlds // 4))

    def launch(self, t0, t1, frame_skip, last, row0, every):
        """See kernels.run_world and kernels.reverse_world."""
        form = self.form
        if form == "parallel" and (t1 - t0) * frame_skip + last <= self.few:
            form = "serial"
        if form not in self.bound:
            self.bound[form] = BoundKernel(self.kernels[form], self.packs, 8)
        self.bound[form].launch(self.worlds, self.chunks, t0, t1, frame_skip, last, row0, every)
