"""State: all that the next step of some worlds depends on, beside the robot and its parameters."""

import numpy as np

from engine import schema as s
from engine.compiler.backend import np_real

NAMES = tuple(b.name for b in s.STATE)


class State:
    """What `Simulator.state` returns: copies, (worlds, ...), under MuJoCo's names.

    time, qpos, qvel, act, ctrl, mocap_pos, mocap_quat, eq_active, qacc_warmstart, qfrc_applied, xfrc_applied, as in
    `sim.data`. robot: name of the model; of: what tells the model from others. Pickle and copy serve.
    """

    def __init__(self, robot: str, of: str, arrays: dict[str, np.ndarray]) -> None:
        self.robot, self.of = robot, of
        self.__dict__.update(arrays)

    @property
    def worlds(self) -> int:
        """The number of worlds that it holds."""
        return len(self.qpos)

    def check(self, robot, of, worlds):
        """Raises ValueError for the state of another model, of another number of worlds or of another precision."""
        if self.of != of:
            raise ValueError(f"state: one of another model, {named(self.robot, self.of)}; allowed: one of "
                             f"this simulator's, {named(robot, of)}")  # fmt: skip
        if self.worlds not in (1, worlds):
            raise ValueError(f"state: got one of {self.worlds} worlds, allowed: 1 or {worlds}; choose with worlds=...")
        got, here = self.qpos.dtype, np.dtype(np_real())
        if got != here:
            raise ValueError(f"state: got one in {got}, allowed: {here}, in which this process computes (engine.init)")

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {getattr(self, name).shape}" for name in NAMES if getattr(self, name).size)
        return f"<State of {named(self.robot, self.of)}: {arrays}>"


def named(robot, of):
    """How messages call a model that is not at hand."""
    return f"{robot!r} ({of})" if robot else of
