"""Tendons, which the engine lacks: those that do something are refused."""

import numpy as np

from .kind import Kind


class Tendon(Kind):
    name = "tendon"

    def refused(self, mujoco, mj):
        for t in range(mj.ntendon):
            if not _inert(mj, t):
                yield (
                    f"{self.who(mujoco, mj, t)}: tendon with a spring, damper, limit, friction or armature; "
                    "allowed: none of these"
                )

    def changed(self, mujoco, mj):
        for t in range(mj.ntendon):
            if _inert(mj, t):
                name = mujoco.mj_id2name(mj, mujoco.mjtObj.mjOBJ_TENDON, t) or t
                yield f"tendon {name!r} exerts no force: left out"


def _inert(mj, t):
    """Whether tendon `t` exerts no force and has no inertia, so that leaving it out changes nothing."""
    forces = ("stiffness", "stiffnesspoly", "damping", "dampingpoly", "armature", "frictionloss", "limited")
    return not any(np.any(getattr(mj, f"tendon_{name}")[t]) for name in forces)
