"""What the buffers of a tape take, asked before the first of them is made.

Outputs and cotangents grow with the steps, whatever the schedule; records and snapshots are what the schedule fits
into the rest of the budget. No pack may hold more numbers than an index of the kernels reaches (`arrays.REACH`).
"""

from dataclasses import dataclass

import numpy as np

from engine import schema as s
from engine.arrays import REACH, data_elements, pack_bytes, pack_end
from engine.compiler.backend import np_real
from engine.diff.schedule import format_bytes
from engine.model.constants import RK4

# What a snapshot holds: the part of State that a step changes.
SNAPSHOT = ("time", "qpos", "qvel", "act", "qacc_warmstart")


def item_size():
    """Bytes of a real number."""
    return np.dtype(np_real()).itemsize


def record_numbers(model):
    """Numbers in the record of one physics step of one world (records.py)."""
    stages = 4 if model.opt.integrator == RK4 else 1
    return model.nq + model.nv + model.na + stages * model.nv + 1


def row_elements(sim, steps, every):
    """{buffer: entries} of the packs of outputs and cotangents, without the records."""
    rows = steps // every + 1
    entries = {b.name: rows * sim.worlds * sim.sizes.get(b.count, 0) for b in s.TRAJECTORY + s.COTANGENT}
    entries |= {name: steps * sim.worlds * sim.model.nu for name in entries if "ctrl" in name}
    return entries | mocap_elements(steps * sim.worlds * sim.model.nmocap) | {"record": 0}


def mocap_elements(n):
    """{buffer: entries} of what these packs hold of n poses of mocap bodies."""
    return {b.name: n * b.width for b in s.TRAJECTORY + s.COTANGENT if "mocap" in b.name}


def adjoint_elements(sim, nparam, nscratch):
    count = {**sim.sizes, "nparam": nparam, "nscratch": nscratch}
    return {b.name: sim.worlds * count[b.count] * b.width for b in s.ADJOINT}


@dataclass(frozen=True)
class Budget:
    """The budget `memory` (bytes) of a tape of `sim` with this many physics steps in a control step."""

    sim: object
    frame_skip: int
    memory: int

    @property
    def record(self):
        """Bytes that a control step's records take."""
        return self.frame_skip * self.sim.worlds * record_numbers(self.sim.model) * item_size()

    @property
    def last(self):
        """Numbers of the record of the final state, which its sensors need."""
        return self.sim.worlds * record_numbers(self.sim.model) if self.sim.model.nsensordata else 0

    @property
    def snapshot(self):
        """Bytes of a snapshot."""
        return sum(self.sim.pack[n].nbytes for n in SNAPSHOT)

    def least(self, steps):
        """Bytes that every schedule of so many steps needs."""
        return min(steps * self.record, self.snapshot + self.record)

    def fixed(self, steps, every):
        """(bytes of everything but what the schedule decides, numbers in the larger pack)."""
        rows = row_elements(self.sim, steps, every)
        packs = {"trajectory": rows, "cotangent": rows, "adjoint": adjoint_elements(self.sim, 1, 1),
                 "data": data_elements(self.sim.sizes, self.sim.worlds)}  # fmt: skip
        size = sum(pack_bytes(name, elements) for name, elements in packs.items()) + self.last * item_size()
        return size, max(pack_end("trajectory", rows) + self.last, pack_end("cotangent", rows))

    def for_schedule(self, steps, every):
        """Bytes that records and snapshots may take. Raises ValueError, naming what is allowed, where nothing fits."""
        size, numbers = self.fixed(steps, every)
        least = self.least(steps)
        what = f"steps={steps}, record_every={every} and worlds={self.sim.worlds}"
        if numbers > REACH:
            raise ValueError(
                f"steps: got {steps}, but outputs and cotangents of {what} are {numbers:,} numbers in one piece, of "
                f"which {REACH:,} can be; allowed: {', '.join(self._ways(steps, every)) or 'fewer worlds'}"
            )
        if numbers + least // item_size() > REACH:
            raise ValueError(
                f"frame_skip: got {self.frame_skip}, but the records of one control step and what else {what} need are "
                f"{numbers + least // item_size():,} numbers in one piece, of which {REACH:,} can be; allowed: "
                f"{', '.join(self._ways(steps, every)) or 'fewer worlds'}"
            )
        if self.memory < size + least:
            raise ValueError(
                f"memory: got {format_bytes(self.memory)}, but outputs, cotangents and work of {what} alone take "
                f"{format_bytes(size)}, and a schedule needs at least {format_bytes(least)} more; allowed: "
                f"{', '.join([f'memory={size + least}', *self._ways(steps, every)])}"
            )
        return min(self.memory - size, (REACH - numbers) * item_size())

    def _ways(self, steps, every):
        """What would fit into the present memory, in words: none, one or two ways."""
        below, above = 0, steps // every  # in rows: the first fits, the second does not
        while above - below > 1:
            middle = (below + above) // 2
            below, above = (middle, above) if self._fits(middle * every, every) else (below, middle)
        ways = [f"steps up to {below * every} with this memory (a longer way in windows: a rollout goes on where the "
                "last one ended)"] * (below > 0)  # fmt: skip
        ways += ["a larger record_every"] * self._fits(steps, steps)
        skip = self._longest_skip(steps, every)
        return ways + [f"frame_skip up to {skip}"] * (0 < skip < self.frame_skip)

    def _longest_skip(self, steps, every):
        """Physics steps in a control step of so many that fit."""
        size, numbers = self.fixed(steps, every)
        room = min(self.memory - size, (REACH - numbers) * item_size())
        record = self.record // self.frame_skip
        return max((room - self.snapshot) // record, room // (steps * record))

    def _fits(self, steps, every):
        (size, numbers), least = self.fixed(steps, every), self.least(steps)
        return self.memory >= size + least and numbers + least // item_size() <= REACH
