"""The task of a fixed arm: bring a point to a target, wherever within reach, and rest there."""

import numpy as np
import torch

from controllers.tasks.kinematics import Point
from controllers.training.chain import Chains
from controllers.training.embodiment import Embodiment
from controllers.training.legged import near
from engine.model import ModelError
from engine.model.constants import BALL, FREE, HINGE, PLANE
from engine.simulator import Simulator

EPISODE, CHANGE = 3.0, 3.0  # s
ABOUT = 1.0  # rad or m, about home: where joints may be at targets, within their ranges
ABOVE = 0.05  # m above a floor
COARSE, FINE = 0.2, 0.02  # m: errors that two terms of the reward tell apart
REST = 0.5  # per s
STEP, DAMPED = 0.2, 0.03  # m at most, share of the reach: of a step of what a policy begins with
GAIN, SLOW = (0.7, 2.0), 0.06  # of such a step, from servos that follow at once on; s, of lag for each one of it
HOMEWARDS = 0.1  # of the way home, where the target leaves it open
PRACTICE = 12  # rounds of imitating that
RETRIES = 8


class Reaching:
    """model: of the file; qpos0 (nq,): home; site: the site, body or geom that is brought to the target. Otherwise as
    Legged (legged.py): `told` (worlds, 3) is the target in the world, m."""

    seen = ("joints", "told", "off", "last_action")
    units = ("m", "m", "m")
    episode, change = EPISODE, CHANGE
    spread = balances = prepared = None
    push = 0.0
    practice = PRACTICE

    def __init__(self, model, qpos0, site, ctrl0=None):
        self.task, self.site, m = "reach", site, model
        self.point = Point(m, site)
        if not self.point.dofs or any(m.jnt_type[m.dof_jntid[i]] in (FREE, BALL) for i in self.point.dofs):
            raise ModelError(f"--task reach: no hinge or slide from a fixed base moves {site!r}, which a policy needs")
        self.body = Embodiment(m, qpos0, ctrl0)
        self.home = torch.tensor(self.body.home)
        body, offset = int(self.point.body), self.point.offset
        self.chains = Chains(m, [(body, offset)])
        joints = m.dof_jntid[np.array(self.point.dofs, int)]
        self.at = torch.tensor(m.jnt_qposadr[joints])
        middle = self.body.home[m.jnt_qposadr[joints]]
        limited = np.asarray(m.jnt_limited[joints], bool)
        about = np.where(m.jnt_type[joints] == HINGE, ABOUT, 0.2 * ABOUT)
        low = np.where(limited, np.maximum(m.jnt_range[joints, 0], middle - about), middle - about)
        high = np.where(limited, np.minimum(m.jnt_range[joints, 1], middle + about), middle + about)
        self.low, self.high = torch.tensor(np.minimum(low, high)), torch.tensor(np.maximum(low, high))
        floor = [float(m.geom_pos[g, 2]) for g in np.flatnonzero(m.geom_type == PLANE)]
        self.floor = max(floor) + ABOVE if floor else -np.inf
        self.rest = self.chains.places(self.home)[0]
        self.length = float(self.chains.pos.norm(dim=-1).sum() + self.chains.offset.norm())
        limits = np.where(limited[:, None], m.jnt_range[joints], (-np.inf, np.inf))
        self.least, self.most, self.dofs = *torch.tensor(limits.T), torch.tensor(m.jnt_dofadr[joints])
        self.weights = _weights(m, joints)
        self.gain = float(np.clip(self.body.lag() / SLOW, *GAIN))
        self.told_scale = [1.0, 1.0, 1.0]
        self.sizes = {"joints": 2 * len(self.body.joints), "told": 3, "off": 3, "last_action": m.nu}
        self.near_v = torch.tensor(self.body.dofadr)

    def observe(self, state, told, last, clock):
        off = told - self.chains.places(state[0])[..., 0, :]
        parts = {"joints": self.body.joints_seen(*state[:2]), "told": told, "off": off, "last_action": last}
        return torch.cat([parts[n] for n in self.seen], dim=-1), off[..., :0]

    def advance_clock(self, clock):
        return clock

    def reward(self, before, after, told, last, action, clock):
        off = (self.chains.places(after[0])[..., 0, :] - told).square().sum(-1)
        total = 1.5 * near(off / COARSE**2) + 1.0 * near(off / FINE**2)
        speed = after[1][..., self.near_v].square().mean(-1)
        total = total + 0.3 * near(speed / REST**2) * near(off / COARSE**2)
        total = total + 0.2 * near((action - last).square().mean(-1) / 0.3**2)
        return total, torch.ones_like(total)

    def example(self, state, told, clock):
        """Actions (n, nu) by which servos go a damped least-squares step of their joints towards the target (Wampler,
        "Manipulator inverse kinematic solutions", 1986), and carry the arm's weight."""
        with torch.enable_grad():
            q = state[0].detach().requires_grad_()
            place, energy = self.chains.places(q)[:, 0], self._potential(q)
            slopes = [torch.autograd.grad(x.sum(), q, retain_graph=True)[0] for x in (*place.T, energy)]
        jacobian, now = torch.stack(slopes[:3], dim=1)[..., self.at], state[0][:, self.at]
        off = told - place.detach()
        step = off * (STEP / off.norm(dim=-1, keepdim=True).clamp(min=STEP))
        damping = (DAMPED * self.length) ** 2 * torch.eye(3)
        inverse = torch.linalg.solve(jacobian @ jacobian.mT + damping, jacobian).mT
        home = HOMEWARDS * (self.home[self.at] - now)
        turn = home + (inverse @ (self.gain * step - (jacobian @ home[..., None])[..., 0])[..., None])[..., 0]
        wished, force = state[0].detach().clone(), torch.zeros(len(off), self.body.model.nv)
        wished[:, self.at] = (now + turn).clamp(self.least, self.most)
        force[:, self.dofs] = slopes[3][:, self.at]
        return torch.from_numpy(self.body.towards(wished.numpy(), force.numpy()))

    def _potential(self, qpos):
        """(n,), J: of the arm's weight."""
        if self.weights is None:
            return 0.0 * qpos.sum(dim=-1)
        chains, force = self.weights
        return -(chains.places(qpos) * force).sum(dim=(-1, -2))

    def prepare(self, rng):
        """Nothing is to be found first."""

    def follows(self, state, told):
        """Share of these states that are near their targets."""
        off = (told - self.chains.places(state[0])[:, 0]).norm(dim=-1)
        return float((off < 2 * FINE).double().mean())

    def fallen(self, state):
        return torch.zeros(len(state[0]), dtype=torch.bool)

    def starts(self, n, rng):
        m, qpos = self.body.model, self.home.repeat(n, 1)
        qpos[:, self.at] = torch.lerp(self.home[self.at], self._poses(n, rng), 0.5)
        return [qpos, torch.zeros(n, m.nv), torch.zeros(n, m.na)]

    resting = starts

    def _poses(self, n, rng):
        return self.low + (self.high - self.low) * torch.rand(n, len(self.at), generator=rng)

    def commands(self, n, rng):
        """(n, 3): places of the point in random poses, above the floor; where none is found that of home."""
        told, missing = self.rest.repeat(n, 1), torch.ones(n, dtype=torch.bool)
        for _ in range(RETRIES):
            qpos = self.home.repeat(n, 1)
            qpos[:, self.at] = self._poses(n, rng)
            place = self.chains.places(qpos)[:, 0]
            take = missing & (place[:, 2] > self.floor)
            told, missing = torch.where(take[:, None], place, told), missing & ~take
        return told

    def disturbed(self, state, rng):
        return state

    def simulator(self, worlds):
        return Simulator(self.body.learned, worlds)

    def spec(self):
        """What this task adds to the spec of a policy."""
        m = self.body.model
        name = m.body_names[self.point.body] or f"#{self.point.body}"
        return {"task": "reach", "site": self.site, "point_body": name, "point_offset": self.point.offset.tolist(),
                "told_scale": self.told_scale, "told_default": self.rest.tolist()}  # fmt: skip


def _weights(m, joints):
    """(Chains of the centres of mass of the bodies that these joints move, their weights (bodies, 3), N); None where a
    ball or free joint is among them."""
    moved = {int(m.jnt_bodyid[j]) for j in joints}
    bodies = []
    for b in range(1, m.nbody):
        if b in moved or int(m.body_parentid[b]) in moved:
            moved.add(b)
            if m.body_mass[b] > 0:
                bodies.append(b)
    force = [m.body_mass[b] * (1 - m.body_gravcomp[b]) * np.asarray(m.opt.gravity) for b in bodies]
    try:
        return Chains(m, [(b, m.body_ipos[b]) for b in bodies]), torch.tensor(np.array(force).reshape(-1, 3))
    except ValueError:
        return None
