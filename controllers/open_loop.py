"""OpenLoop: a table of controls, one row a control step."""

from numpy.typing import ArrayLike

from engine import parts

from .controller import Controller, Named, whole


class OpenLoop(Controller):
    """u = values[t].

    steps: rows of the table; a tape may have fewer steps. nu: controls. params: start values, default zero.
    """

    values = Named("controls, (steps, nu)")

    def __init__(self, steps: int, nu: int, params: ArrayLike | None = None) -> None:
        self.steps, nu = whole("OpenLoop: steps", steps), whole("OpenLoop: nu", nu)
        super().__init__({"steps": self.steps, "nu": nu}, {"values": (self.steps, nu)}, nu)
        if params is not None:
            self.params = params

    def _parts(self, tape):
        if tape.steps > self.steps:
            raise ValueError(f"OpenLoop: has {self.steps} steps, but the tape has {tape.steps}")
        return [parts.Part(parts.OPEN, parts.TO_CTRL, self.nparam)]

    def _control(self, t, time, qpos, qvel):
        if t >= self.steps:
            raise ValueError(f"OpenLoop: t: got {t}, allowed: 0 to {self.steps - 1}")
        return self.values[..., t, :]
