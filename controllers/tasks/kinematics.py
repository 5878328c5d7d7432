"""Inverse kinematics: joint positions that bring a point of a robot to a target, from many starts at once.

Levenberg-Marquardt with the squared error as damping (Sugihara: Solvability-unconcerned inverse kinematics by the
Levenberg-Marquardt method, IEEE Transactions on Robotics 27, 2011), joints held within their ranges. Targets out of
reach give the nearest place.
"""

import numpy as np

from engine.model import ModelError
from engine.model.constants import HINGE, SLIDE, TRN_JOINT

ROUNDS = 80
LEAST = 1e-9  # m^2, of the damping
STRIDE = 0.5  # rad or m, of one round at most
NEAR = 1e-5  # m: the target is reached


class Point:
    """A point that moves with a robot: `name` of a site, else of a body, else of a geom."""

    def __init__(self, model, name):
        m = self.model = model
        if name in m.site_names:
            k = m.site(name)
            self.kind, self.body, self.offset = "site", int(m.site_bodyid[k]), m.site_pos[k]
        elif name in m.body_names:
            self.kind, self.body, self.offset = "body", m.body(name), np.zeros(3)
        elif name in m.geom_names:
            k = m.geom(name)
            self.kind, self.body, self.offset = "geom", int(m.geom_bodyid[k]), m.geom_pos[k]
        else:
            raise ModelError(f"no site, body or geom {name!r}; there are the sites {m.site_names}, "
                             f"the bodies {m.body_names}")  # fmt: skip
        self.dofs = []  # that move it
        b = self.body
        while b > 0 and not m.body_dofnum[b]:
            b = int(m.body_parentid[b])
        i = int(m.body_dofadr[b] + m.body_dofnum[b] - 1) if b > 0 else -1
        while i >= 0:
            self.dofs.insert(0, i)
            i = int(m.dof_parentid[i])

    def place(self, data):
        """(worlds, 3), m, after a `forward`."""
        quat = data.xquat[:, self.body]
        u = quat[:, 1:]
        turn = 2 * np.cross(u, np.cross(u, self.offset) + quat[:, :1] * self.offset)
        return data.xpos[:, self.body] + self.offset + turn

    def jacobian(self, data):
        """(worlds, 3, nv): velocity of the point for a unit of each velocity."""
        arm = self.place(data) - data.xpos[:, self.model.body_rootid[self.body]]
        out = np.zeros((len(arm), 3, self.model.nv))
        for i in self.dofs:
            out[:, :, i] = data.dof_lin[:, i] + np.cross(data.dof_ang[:, i], arm)
        return out


def driven(model):
    """{dof: actuator} of hinges and slides that one actuator acts on directly."""
    found, twice = {}, set()
    for u in np.flatnonzero(model.actuator_trntype == TRN_JOINT):
        j = model.actuator_trnid[u]
        if model.jnt_type[j] in (HINGE, SLIDE) and model.actuator_gear[u, 0] != 0:
            i = int(model.jnt_dofadr[j])
            twice |= {i} if i in found else set()
            found[i] = int(u)
    return {i: u for i, u in found.items() if i not in twice}


def ranges(model, dofs):
    """(qposadr, low, high) of the scalar joints of these dofs; infinite where there is no limit."""
    j = model.dof_jntid[dofs]
    limited = np.asarray(model.jnt_limited[j], bool)
    low, high = np.where(limited[:, None], model.jnt_range[j], (-np.inf, np.inf)).T
    return model.jnt_qposadr[j], low, high


def reaching(sim, point, target, starts, dofs):
    """(qpos (worlds, nq), away (worlds,)): from each of `starts` (worlds, nq) moved in `dofs` alone, and how far (m)
    the point is from the target (3,) then. sim: a Simulator with as many worlds."""
    dofs = np.asarray(dofs, int)
    at, low, high = ranges(sim.model, dofs)
    q = np.array(starts, float)
    q[:, at] = np.clip(q[:, at], low, high)
    best, least = q.copy(), np.full(len(q), np.inf)
    for _ in range(ROUNDS):
        sim.reset(q)
        sim.forward()
        error = target - point.place(sim.data)
        away = np.linalg.norm(error, axis=1)
        better = away < least
        best[better], least[better] = q[better], away[better]
        if (least < NEAR).all():
            break
        J = point.jacobian(sim.data)[:, :, dofs]
        # a joint at its limit that would go on is held, and the others are asked again
        held = np.zeros(q[:, at].shape, bool)
        for _ in range(2):
            free = np.where(held[:, None], 0.0, J)
            H = np.einsum("wia,wja->wij", free, free) + (0.5 * away**2 + LEAST)[:, None, None] * np.eye(3)
            step = np.einsum("wia,wi->wa", free, np.linalg.solve(H, error[:, :, None])[:, :, 0])
            beyond = q[:, at] + step
            held |= (beyond < low) & (q[:, at] <= low) | (beyond > high) & (q[:, at] >= high)
        step *= np.minimum(1.0, STRIDE / np.maximum(np.abs(step).max(axis=1), 1e-12))[:, None]
        q[:, at] = np.clip(q[:, at] + step, low, high)
    return best, least
