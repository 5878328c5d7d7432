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
ARM = 0.2  # m: a target's turn of one radian counts as much
STRIDE = 0.5  # rad or m, of one round at most
NEAR = 1e-5  # m: the target is reached


class Point:
    """A point that moves with a robot: `name` of a site, else of a body, else of a geom."""

    def __init__(self, model, name):
        m = model
        if name in m.site_names:
            k = m.site(name)
            self._fix(m, "site", int(m.site_bodyid[k]), m.site_pos[k], m.site_quat[k])
        elif name in m.body_names:
            self._fix(m, "body", m.body(name), np.zeros(3))
        elif name in m.geom_names:
            k = m.geom(name)
            self._fix(m, "geom", int(m.geom_bodyid[k]), m.geom_pos[k], m.geom_quat[k])
        else:
            raise ModelError(f"no site, body or geom {name!r}; there are the sites {m.site_names}, "
                             f"the bodies {m.body_names}")  # fmt: skip

    @classmethod
    def on(cls, model, body, offset):
        """The point at `offset` (3,) in the frame of a body, by number."""
        made = cls.__new__(cls)
        made._fix(model, "body", int(body), np.asarray(offset, float))
        return made

    def _fix(self, model, kind, body, offset, quat=(1.0, 0.0, 0.0, 0.0)):
        m, self.model, self.kind, self.body, self.offset, self.quat = model, model, kind, body, offset, np.array(quat)
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

    def turn_to(self, data, goal):
        """(worlds, 3): twice the sine of half the angle by which the point's frame is turned from the unit quaternion
        `goal` (4,), about the axis in the world that turns it there."""
        return turn_to(times(data.xquat[:, self.body], self.quat), goal)

    def turning(self, data):
        """(worlds, 3, nv): the angular velocity of the point's frame for a unit of each velocity."""
        out = np.zeros((len(data.xpos), 3, self.model.nv))
        out[:, :, self.dofs] = np.swapaxes(data.dof_ang[:, self.dofs], 1, 2)
        return out

    def jacobian(self, data):
        """(worlds, 3, nv): velocity of the point for a unit of each velocity."""
        arm = self.place(data) - data.xpos[:, self.model.body_rootid[self.body]]
        out = np.zeros((len(arm), 3, self.model.nv))
        for i in self.dofs:
            out[:, :, i] = data.dof_lin[:, i] + np.cross(data.dof_ang[:, i], arm)
        return out


class Points:
    """Several points that are to be somewhere at once: their places, one after the other, as if they were one."""

    def __init__(self, model, names):
        self.points = [Point(model, name) for name in names]
        self.dofs = sorted({i for point in self.points for i in point.dofs})

    def place(self, data):
        """(worlds, 3 k), m."""
        return np.concatenate([point.place(data) for point in self.points], axis=1)

    def jacobian(self, data):
        """(worlds, 3 k, nv)."""
        return np.concatenate([point.jacobian(data) for point in self.points], axis=1)


def points(model, name):
    """The Point called so; of a list of several names Points."""
    names = named(name)
    return Point(model, names[0]) if len(names) == 1 else Points(model, names)


def named(name):
    """The names of a name or a list of them."""
    return [name] if isinstance(name, str) else list(name)


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


def times(a, b):
    """Products of quaternions (..., 4)."""
    w, u, x, v = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    return np.concatenate([w * x - (u * v).sum(axis=-1, keepdims=True), w * v + x * u + np.cross(u, v)], axis=-1)


def turn_to(quat, goal):
    """(worlds, 3), in the world's axes: twice the sine of half the angle from unit quaternions (worlds, 4) to `goal`
    (4,), along the axis; the shorter way round."""
    off = times(np.asarray(goal, float), quat * [1, -1, -1, -1])
    return 2.0 * off[:, 1:] * np.where(off[:, :1] < 0, -1.0, 1.0)


def reaching(sim, point, target, starts, dofs, quat=None):
    """(qpos (worlds, nq), away (worlds,)): from each of `starts` (worlds, nq) moved in `dofs` alone, and how far (m)
    the point is from the target (3,) or (worlds, 3) then, several `Points` together; where its frame is to be turned
    like `quat` (4,), the turn counts, too, a radian as `ARM`. sim: a Simulator with as many worlds."""
    dofs = np.asarray(dofs, int)
    at, low, high = ranges(sim.model, dofs)
    q = np.array(starts, float)
    q[:, at] = np.clip(q[:, at], low, high)
    best, least = q.copy(), np.full(len(q), np.inf)
    for _ in range(ROUNDS):
        sim.reset(q)
        sim.forward()
        error, J = target - point.place(sim.data), point.jacobian(sim.data)[:, :, dofs]
        if quat is not None:
            error = np.concatenate([error, ARM * point.turn_to(sim.data, quat)], axis=1)
            J = np.concatenate([J, ARM * point.turning(sim.data)[:, :, dofs]], axis=1)
        away = np.linalg.norm(error, axis=1)
        better = away < least
        best[better], least[better] = q[better], away[better]
        if (least < NEAR).all():
            break
        # a joint at its limit that would go on is held, and the others are asked again
        held = np.zeros(q[:, at].shape, bool)
        for _ in range(2):
            free = np.where(held[:, None], 0.0, J)
            damping = (0.5 * away**2 + LEAST)[:, None, None] * np.eye(error.shape[1])
            H = np.einsum("wia,wja->wij", free, free) + damping
            step = np.einsum("wia,wi->wa", free, np.linalg.solve(H, error[:, :, None])[:, :, 0])
            beyond = q[:, at] + step
            held |= (beyond < low) & (q[:, at] <= low) | (beyond > high) & (q[:, at] >= high)
        step *= np.minimum(1.0, STRIDE / np.maximum(np.abs(step).max(axis=1), 1e-12))[:, None]
        q[:, at] = np.clip(q[:, at] + step, low, high)
    return best, least
