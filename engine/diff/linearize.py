"""linearize: the derivative of a physics step, made beside the step in one launch (engine/linearized.py).

Several steps are a product of theirs.
"""

import numpy as np

from engine import schema as s
from engine.arrays import Pack, state_of
from engine.compiler.backend import np_real
from engine.compiler.memory import copy
from engine.diff.budget import adjoint_elements
from engine.model.constants import RK4
from engine.simulator import Simulator, whole

COST = 6  # of a step with its derivatives, in steps, roughly


def linearize(sim, frame_skip=1):
    """A (worlds, 2nv+na, 2nv+na), B (worlds, 2nv+na, nu): dx' = A dx + B du at the simulator's state and controls.

    x = (dq, qvel, act), dq in the tangent space, as in MuJoCo's mjd_transitionFD. One control step is `frame_skip`
    physics steps. The simulator does not move. Where a contact or a limit is just being made or broken the derivative
    is one-sided, that of the present contacts.
    """
    frame_skip = whole("frame_skip", frame_skip)
    sim.check_state()
    if sim.model.nv == 0 and sim.model.na == 0:  # nothing can move: the matrices are there, and empty
        return np.zeros((sim.worlds, 0, 0), np_real()), np.zeros((sim.worlds, 0, sim.model.nu), np_real())
    steps = getattr(sim, "_linearizer", None)
    if steps is None:
        steps = sim._linearizer = Linearizer(sim)
    return steps(frame_skip)


class Linearizer:
    """The worlds of a simulator once more, for steps that do not move it; they share the parameters."""

    def __init__(self, sim):
        from engine.compiler.forms import LINEARIZE, WorldsKernel

        m = sim.model
        self.sim = Simulator(m, sim.worlds, sim.ncon_max, sim.features)
        self.sim.model_pack, self.sim.params = sim.model_pack, sim.params
        n = 2 * m.nv + m.na
        row = -(-(2 * sim.sizes["ld"] + m.na + m.nu) // 16) * 16
        count = {**sim.sizes, "sides": 12, "nstate2": n * n, "nstatenu": n * m.nu}
        count["nlinear"] = row * (1 + m.nv * (4 if m.opt.integrator == RK4 else 2))
        linear = Pack("linear", {b.name: sim.worlds * count[b.count] * b.width for b in s.LINEAR})
        adjoint = Pack("adjoint", adjoint_elements(sim, 1, 1))
        self.kernel = WorldsKernel(self.sim, LINEARIZE, [sim.model_pack, self.sim.pack, adjoint, linear])
        self.A = linear["lin_A"][: sim.worlds * n * n].reshape(sim.worlds, n, n)
        self.B = linear["lin_B"][: sim.worlds * n * m.nu].reshape(sim.worlds, n, m.nu)
        self.state, self.source = state_of(self.sim.pack), state_of(sim.pack)
        self.status = self.sim.data._status

    def __call__(self, frame_skip):
        copy(self.state, self.source)
        self.status.fill(s.OK)
        A = B = None
        for _ in range(frame_skip):
            self.kernel.once(COST)
            self.sim.raise_status(self.sim.data)
            if A is None:
                A, B = self.A.copy(), self.B.copy()
            else:
                A, B = self.A @ A, self.A @ B + self.B
        return A, B
