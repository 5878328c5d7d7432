"""What the host asks before and after a launch, asked on the device where the state lies there.

On the CPU NumPy answers this (simulator.py, finite.py). That of a GPU it would fetch whole for every step.
"""

import numpy as np
import taichi as ti

from engine.arrays import state_of
from engine.compiler.launch import BoundKernel
from engine.compiler.stages import INTS, REALS
from engine.schema import NUMBERS, OK, PLACES

NWI = PLACES["d", "status"].width
W_STATUS = PLACES["d", "status"].columns["status"].start
LARGE = 1e30  # within f32; what is larger is looked at on the host
STATUS, CTRL, ACTING = NUMBERS["d", "world_i"], NUMBERS["d", "ctrl"], NUMBERS["r", "traj_ctrl"]


@ti.kernel
def find_unfit(s: INTS, di: INTS, dr: REALS, found: INTS, n: ti.i32):
    """found[0] = 1 where one of the first n numbers, which are the state's, is not finite (or very large)."""
    for i in range(n):
        good = ti.abs(dr[i]) < LARGE
        if not good:
            found[0] = 1


@ti.kernel
def start_step(s: INTS, di: INTS, dr: REALS, rr: REALS, nworld: ti.i32, nctrl: ti.i32):
    """Every world is well, and its control acts."""
    for w in range(nworld):
        di[s[STATUS] + w * NWI + W_STATUS] = OK
    for i in range(nctrl):
        rr[s[ACTING] + i] = dr[s[CTRL] + i]


@ti.kernel
def find_stopped(s: INTS, di: INTS, dr: REALS, found: INTS, nworld: ti.i32):
    """found[x] = 1 for every status x but OK that a world has."""
    for w in range(nworld):
        status = di[s[STATUS] + w * NWI + W_STATUS]
        if status != OK:
            found[status] = 1


class Guard:
    """These questions about the worlds of a data pack."""

    def __init__(self, pack, worlds):
        self.worlds = worlds
        # the host's own memory: Taichi sends these few numbers there and back
        self.found = np.zeros(4, np.int32)
        self.state = state_of(pack).size
        self._unfit = BoundKernel(find_unfit, [pack], 1, [self.found])
        self._stopped = BoundKernel(find_stopped, [pack], 1, [self.found])

    def fit(self):
        """Are all numbers of the state finite? False may be wrong."""
        return not self._ask(self._unfit, self.state)

    def well(self):
        """Has no world stopped?"""
        return not self._ask(self._stopped, self.worlds)

    def _ask(self, kernel, n):
        self.found[:] = 0
        kernel.launch(n)
        return self.found.any()


class Start:
    """`start_step` bound to a data pack and the trajectory pack of a plain step."""

    def __init__(self, pack, trajectory, worlds, nu):
        self.kernel, self.sizes = BoundKernel(start_step, [pack, trajectory], 2), (worlds, worlds * nu)

    def __call__(self):
        self.kernel.launch(*self.sizes)
