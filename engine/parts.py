"""Parts of controllers, and residuals: the numbers that the kernel (feedback.py, dynamics/residual.py) branches on and
those who make them write. No Taichi here."""

OPEN, SPLINE, CPG, PD, MLP, LINEAR, OWN = range(7)  # kind
TO_CTRL, TO_TARGET = range(2)  # output
# kinds of observed entries; OBS_QUAT + e is entry e of the quaternion that begins at the index, OBS_UP + e entry e of
# the world's z axis as that quaternion's body sees it
OBS_QPOS, OBS_QVEL, OBS_SIN, OBS_COS, OBS_QUAT, OBS_SIN_QPOS, OBS_COS_QPOS, OBS_UP = (*range(5), 8, 9, 10)
OBS_ACT, OBS_CTRL, OBS_SPEED = 13, 14, 15  # of residuals alone
RESIDUAL_KINDS = RESIDUAL_MLP, RESIDUAL_OWN, RESIDUAL_FRICTION = range(3)  # dynamics/residual.py
NPART = 8  # integers of a part
# c.ints begins with: number of parts, parameters, parameters from one world's row to the next (0: shared), scratch
H_PARTS, H_PARAMS, H_STRIDE, H_SCRATCH = range(4)


class Part:
    """One part: kind and output, its number of parameters, its integers, two sizes, scratch values it needs.

    own: of the kind OWN, the user's pair of ti.funcs (act, act_vjp).
    """

    def __init__(self, kind, output, nparam, ints=(), size=0, step=0, scratch=0, own=None):
        self.own = own
        self.kind, self.output, self.nparam = kind, output, nparam
        self.ints, self.size, self.step, self.scratch = list(ints), size, step, scratch
