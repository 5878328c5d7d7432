"""Kinds of MuJoCo's that the engine lacks altogether."""

from .kind import Kind


class Flex(Kind):
    name = "flex"

    def refused(self, mujoco, mj):
        for f in range(mj.nflex):
            yield f"{self.who(mujoco, mj, f)}: deformable body; allowed: rigid bodies"


class Plugin(Kind):
    name = "plugin"

    def refused(self, mujoco, mj):
        for p in range(mj.nplugin):
            yield f"{self.who(mujoco, mj, p)}: plugin; allowed: none"
