"""Equality constraints, which the engine lacks: those that are active are refused."""

import numpy as np

from .kind import Kind
from .option import disabled


class Equality(Kind):
    name = "equality"

    def refused(self, mujoco, mj):
        if not disabled(mujoco, mj, "EQUALITY", "CONSTRAINT"):
            for e in np.flatnonzero(mj.eq_active0):
                kind = mujoco.mjtEq(mj.eq_type[e]).name.removeprefix("mjEQ_").lower()
                yield f"{self.who(mujoco, mj, e)}: constraint {kind}; allowed: none that is active"

    def changed(self, mujoco, mj):
        if mj.neq:
            yield f"{mj.neq} equality constraints are switched off: left out"
