"""CPG: a central pattern generator, one sine for every control, all with one frequency."""

import numpy as np
from numpy.typing import ArrayLike

from engine import parts

from .controller import Controller, Named, whole


class CPG(Controller):
    """u_i = offset_i + amplitude_i sin(omega time + phase_i).

    nu: controls. params: start values, default omega = 2 pi rad/s and zero else.
    """

    omega = Named("angular frequency, rad/s, ()")
    amplitude = Named("(nu,)")
    phase = Named("rad, (nu,)")
    offset = Named("(nu,)")

    def __init__(self, nu: int, params: ArrayLike | None = None) -> None:
        nu = whole("CPG: nu", nu)
        super().__init__({"nu": nu}, {"omega": (), "amplitude": (nu,), "phase": (nu,), "offset": (nu,)}, nu)
        self.omega = 2 * np.pi
        if params is not None:
            self.params = params

    def _parts(self, tape):
        return [parts.Part(parts.CPG, parts.TO_CTRL, self.nparam)]

    def _control(self, t, time, qpos, qvel):
        angle = (self.omega * time)[..., None] + self.phase
        return self.offset + self.amplitude * np.sin(angle)
