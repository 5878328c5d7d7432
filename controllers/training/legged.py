"""Tasks of robots with a root: run at a commanded velocity, stand whatever pushes.

The reward of a decision is a sum of bounded terms, each at most its weight: w / sqrt(1 + e^2) of errors e in the
robot's own units (its height, the time of a pendulum as high), whose gradient reaches far. Feet have a clock: one after
the other is to be lifted, neighbours half a period apart. That, and no motion, is what is given.
"""

import math

import numpy as np
import torch

from controllers.tasks.feet import feet_of
from controllers.tasks.trot import can_step, footing
from controllers.training.chain import Chains, Trunk
from controllers.training.embodiment import GYRO, Embodiment
from controllers.training.stepping import Motion, Stepping, Stride, held
from controllers.training.striding import find_stride
from engine.model import ModelError
from engine.simulator import Simulator

GRAVITY = 9.81
QUIET = 0.1  # spread of actions of a robot on two feet
TROT, WALK = 0.25, 0.1  # Froude number of the fastest command, on four legs and on two
BACK, ASIDE, SPIN = 0.4, 0.3, 0.15  # of the fastest command: backwards, sideways, and turning in speeds per height
STILL, AHEAD = 0.15, 0.15  # shares of the commands that ask to stay where it is, and for the fastest straight ahead
RESTING = 0.34  # share of the episodes that begin at rest at home
PUSHED, EVERY = 0.3, 3.0  # of the fastest command, the velocity that a push gives; s between two in the mean
EPISODE, CHANGE = 8.0, 4.0  # s, of an episode, and between two commands in the mean
LOW, TILTED = 0.6, 0.6  # of its height, cosine: a robot that is lower or tilts further has fallen
BLUR = 0.05  # of both


def near(error2):
    """1 where nothing is wrong, falling like one over the error."""
    return torch.rsqrt(1.0 + error2)


class Legged:
    """run or stand. model: of the file; qpos0 (nq,): its start. speed: m/s, of the fastest command; default what suits
    its size. push: m/s, of pushes while it learns.

    body: the Embodiment. A state is (qpos, qvel, act) of torch, worlds first; `told` (worlds, 3): forward, left (m/s)
    and turning left (rad/s); `clock` (worlds,): of a period, from 0 to 1.
    """

    seen = ("gravity", "gyro", "joints", "told", "last_action", "clock")
    units = ("m/s", "m/s", "rad/s")
    episode, change = EPISODE, CHANGE
    practice = 3

    def __init__(self, model, qpos0, task, speed=None, push=None):
        self.task, m = task, model
        # how it stands on servos of its own; a file's motors alone would let it sink
        stance, feet = footing(m, qpos0, task)
        if len(feet) > 1 and not can_step(feet, task) and can_step(feet, "stand"):
            stance, feet = footing(m, qpos0, "stand")  # on two legs it learns to walk from bent knees
        root, up = stance.root, float(np.sqrt(stance.height / GRAVITY))
        trunk = Trunk(m, root)
        carried = float(np.sum(m.body_mass)) * stance.height**2 / max(len(feet), 1)
        self.stance, self.trunk, self.height, self.time = stance, trunk, stance.height, up
        self.feet = feet or feet_of(m, root, stance.qpos)
        # on two feet it neither stands by itself nor takes much noise
        self.balances = 1 < len(self.feet) < 3 and all(f.flat for f in self.feet)
        if task == "run" and not self.feet:
            raise ModelError("--task run: a policy needs feet, limbs that touch a floor; this robot has none; "
                             "allowed: --task reach with --site")
        sim = Simulator(m)
        sim.reset(stance.qpos)
        sim.forward()
        force = held(sim, self.feet, np.ones((1, len(self.feet)), bool), stance.height)[0] if self.feet else None
        self.spread = QUIET if self.balances else None
        self.body = Embodiment(m, stance.qpos, stance.ctrl, carried, up, trunk.joints, force, self.balances)
        self.fastest = float(speed or np.sqrt((WALK if self.balances else TROT) * GRAVITY * stance.height))
        self.push = PUSHED * self.fastest if push is None else float(push)
        self.planar = not trunk.free
        self.chains = Chains(m, [(f.point.body, f.point.offset) for f in self.feet], trunk.body)
        self.home = torch.tensor(stance.qpos)
        self.rest = self._feet(self.home)[..., 2]
        self.z0 = float(stance.qpos[root.z]) if root.z >= 0 else 0.0
        self.lifted = float(sim.data.xpos[0, trunk.body, 2]) - self.z0
        self.begins = torch.tensor([0.5 * (k % 2) for k in range(len(self.feet))])
        self.moved = list(range(root.vx, root.vx + 2)) if trunk.free else [root.vx]
        ends = [1.0, 0.0 if self.planar else ASIDE, 0.0 if self.planar else SPIN / self.height]
        self.most = torch.tensor(ends) * self.fastest
        self.told_scale = (1.0 / np.where(np.array(ends) > 0, self.most.numpy(), 1.0)).tolist()
        self.sizes = {"gravity": 3, "gyro": 3, "joints": 2 * len(self.body.joints), "told": 3,
                      "last_action": m.nu, "clock": 2}  # fmt: skip
        if task == "stand":
            self.seen = tuple(n for n in self.seen if n != "clock")
        self._told_scale = torch.tensor(self.told_scale)
        heading = trunk.turn(self.home)[:2, 0].numpy()
        self.upright = trunk.turn(self.home)
        begins, lag = self.begins.numpy(), self.body.lag()
        self.steps = Stepping(m, stance, self.feet, up, trunk.body, heading, begins, lag, Stride())

    @property
    def step(self):
        """Periods of the clock that a decision takes."""
        return self.body.dt / self.steps.period

    # ------------------------------------------------------------------------------------------- what a policy sees

    def observe(self, state, told, last, clock):
        """(observation, what only the critic sees), each (..., n)."""
        qpos, qvel = state[:2]
        turn = self.trunk.turn(qpos)
        gyro = self.trunk.gyro(qvel)
        velocity = (turn.transpose(-1, -2) @ self.trunk.velocity(qvel)[..., None])[..., 0]
        angle = 2 * math.pi * clock
        parts = {
            "gravity": -turn[..., 2, :], "gyro": GYRO * gyro, "joints": self.body.joints_seen(qpos, qvel),
            "told": told * self._told_scale, "last_action": last,
            "clock": torch.stack([torch.sin(angle), torch.cos(angle)], dim=-1),
        }  # fmt: skip
        seen = torch.cat([parts[n] for n in self.seen], dim=-1)
        height = (self.trunk.place(qpos)[..., 2:] - self.z0) / self.height
        return seen, torch.cat([velocity / self.fastest, 5 * height], dim=-1)

    def advance_clock(self, clock):
        return (clock + self.step) % 1.0

    def _feet(self, qpos):
        """(..., feet, 3): in the world's axes, from where the root is."""
        return (self.trunk.turn(qpos)[..., None, :, :] @ self.chains.places(qpos)[..., None])[..., 0] + (
            self.trunk.place(qpos)[..., None, :])  # fmt: skip

    # ---------------------------------------------------------------------------------------------------- reward

    def reward(self, before, after, told, last, action, clock):
        """(reward, survival): of a decision from one state to the next; the probability that the episode goes on."""
        qpos, qvel = after[:2]
        turn, velocity = self.trunk.turn(qpos), self.trunk.velocity(qvel)
        gyro, up = self.trunk.gyro(qvel), turn[..., 2, 2]
        forward, left = self._axes(turn)
        ahead, aside = (velocity[..., :2] * forward).sum(-1), (velocity[..., :2] * left).sum(-1)
        spin = (turn[..., 2, :] * gyro).sum(-1)
        v, w = 0.25 * self.fastest, 0.25 / self.time * 0.5
        total = 2.5 * near(((ahead - told[..., 0]) / v) ** 2 + ((aside - told[..., 1]) / v) ** 2)
        total = total + 0.5 * near(((spin - told[..., 2]) / w) ** 2)
        low = (self.trunk.place(qpos)[..., 2] - self.z0) / self.height
        total = total + 0.5 * near((low / 0.1) ** 2 + (1 - up**2).clamp(min=0) / 0.1**2)
        jerk = (gyro[..., :2] * self.time).square().sum(-1) + (velocity[..., 2] / self.fastest).square()
        total = total + 0.2 * near(jerk / 0.3**2)
        rate = (action - last).square().mean(-1)
        total = total + 0.2 * near(rate / 0.5**2) + 0.2 * near(action.square().mean(-1) / 0.7**2)
        if self.task == "run":
            total = total + self._stepping(before, qpos, clock)
        survival = torch.sigmoid((low + 1 - LOW) / BLUR - 1.5) * torch.sigmoid((up - TILTED) / BLUR - 1.5)
        return total, survival

    def _stepping(self, before, qpos, clock):
        """Feet as high as their clock says, and those on the ground where they are."""
        at = self._feet(qpos)
        wave = torch.sin(2 * math.pi * (clock[..., None] + self.begins))
        wanted = self.steps.lift * wave.clamp(min=0.0)
        off = (at[..., 2] - self.rest - wanted) / (0.3 * self.steps.lift)
        slip = (at - self._feet(before[0]))[..., :2].square().sum(-1) / self.body.dt**2 / (0.5 * self.fastest) ** 2
        stands = (wave < -0.2).to(slip.dtype)
        return near(off.square()).mean(-1) + 0.3 * (near(slip) * stands).mean(-1)

    def example(self, state, told, clock, strides=None):
        """Actions (n, nu) that step as told, for a policy to begin with; None to stand. strides: as Stepping has it."""
        if self.task != "run":
            return None
        moves = self.motion(state[0], state[1])
        return torch.from_numpy(self.body.towards(*self.steps(told.numpy(), clock.numpy(), moves, strides)))

    def prepare(self, rng):
        """Find what a robot on two feet steps by, before `example` is asked."""
        if self.balances and self.task == "run":
            self.steps.stride = find_stride(self, rng)

    @property
    def prepared(self):
        """What `prepare` found, as plain values."""
        return tuple(self.steps.stride)

    @prepared.setter
    def prepared(self, found):
        self.steps.stride = Stride(*found)

    def follows(self, state, told):
        """Share of what is told that is done in these states."""
        done = torch.from_numpy(self.motion(*state[:2]).velocity)
        return float((done * told[:, :2]).sum() / told[:, :2].square().sum())

    def motion(self, qpos, qvel):
        """The Motion of the trunk in states (n, .)."""
        turn, velocity = self.trunk.turn(qpos), self.trunk.velocity(qvel)
        ahead, left = self._axes(turn)
        moves = torch.stack([(velocity[..., :2] * ahead).sum(-1), (velocity[..., :2] * left).sum(-1)], dim=-1)
        # the vertical, and how it turns, as one sees them who stands upright and looks where the robot does
        up, gyro = turn[..., 2, :] @ self.upright.T, self.trunk.gyro(qvel) @ self.upright.T
        ahead, left = self._axes(self.upright)
        tilt = torch.stack([(up[..., :2] * left).sum(-1), -(up[..., :2] * ahead).sum(-1)], dim=-1)
        rate = torch.stack([(gyro[..., :2] * ahead).sum(-1), (gyro[..., :2] * left).sum(-1)], dim=-1)
        return Motion(moves.numpy(), tilt.numpy(), rate.numpy())

    @staticmethod
    def _axes(turn):
        """Where a trunk looks and what is left of that, (..., 2) each, level."""
        ahead = turn[..., :2, 0] / (turn[..., :2, 0].norm(dim=-1, keepdim=True) + 1e-6)
        return ahead, torch.stack([-ahead[..., 1], ahead[..., 0]], dim=-1)

    def fallen(self, state):
        """Booleans (worlds,)."""
        qpos = state[0]
        low = (self.trunk.place(qpos)[..., 2] - self.z0) / self.height
        return (low + 1 < LOW) | (self.trunk.turn(qpos)[..., 2, 2] < TILTED)

    # ---------------------------------------------------------------------------------------------------- worlds

    def starts(self, n, rng):
        """(qpos, qvel, act): n states to begin an episode in."""
        m = self.body.model
        qpos = self.home.repeat(n, 1)
        at = torch.tensor(self.body.qposadr)
        qpos[:, at] += 0.1 * (2 * torch.rand(n, len(at), generator=rng) - 1)
        self._head(qpos, rng)
        if self.stance.root.z >= 0:
            qpos[:, self.stance.root.z] += 0.05 * self.height * torch.rand(n, generator=rng)
        qvel = torch.zeros(n, m.nv)
        qvel[:, self.moved] += 0.5 * self.fastest * torch.randn(n, len(self.moved), generator=rng).clamp(-2, 2)
        # a policy that had seen moving starts alone would fall from this one
        resting = torch.rand(n, 1, generator=rng) < RESTING
        qpos[:, at] = torch.where(resting, self.home[at], qpos[:, at])
        return [qpos, torch.where(resting, 0.0, qvel), torch.zeros(n, m.na)]

    def _head(self, qpos, rng):
        """Turn free trunks, in place, to any heading."""
        if self.planar:
            return
        yaw = 2 * math.pi * torch.rand(len(qpos), generator=rng)
        quat = slice(self.stance.root.x + 3, self.stance.root.x + 7)
        w, x, y, z = qpos[:, quat].clone().unbind(dim=-1)
        c, s = torch.cos(yaw / 2), torch.sin(yaw / 2)
        qpos[:, quat] = torch.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], dim=-1)

    def resting(self, n, rng):
        """(qpos, qvel, act): n states to be judged in, at rest on the ground as a robot begins: the first at home, the
        others with joints up to 0.1 rad off, to any heading."""
        m, qpos = self.body.model, self.home.repeat(n, 1)
        at = torch.tensor(self.body.qposadr)
        qpos[:, at] += 0.1 * (2 * torch.rand(n, len(at), generator=rng) - 1)
        self._head(qpos, rng)
        if self.stance.root.z >= 0 and self.feet:
            qpos[:, self.stance.root.z] -= (self._feet(qpos)[..., 2] - self.rest).amin(dim=-1)
        qpos[0] = self.home
        return [qpos, torch.zeros(n, m.nv), torch.zeros(n, m.na)]

    def commands(self, n, rng):
        """(n, 3)."""
        if self.task == "stand":
            return torch.zeros(n, 3)
        low = torch.tensor([-BACK, -1.0, -1.0])
        share = low + (1 - low) * torch.rand(n, 3, generator=rng)
        kind = torch.rand(n, 1, generator=rng)
        told = torch.where(kind > 1 - AHEAD, torch.tensor([1.0, 0.0, 0.0]), share) * self.most
        return torch.where(kind < STILL, 0.0, told)

    def disturbed(self, state, rng):
        """The state after pushes that come now and then."""
        qvel = state[1].clone()
        n = len(qvel)
        pushed = torch.rand(n, 1, generator=rng) < self.body.dt / EVERY
        kick = self.push * torch.randn(n, len(self.moved), generator=rng).clamp(-2, 2)
        qvel[:, self.moved] += torch.where(pushed, kick, 0.0)
        return [state[0], qvel, state[2]]

    def simulator(self, worlds):
        return Simulator(self.body.learned, worlds)

    def spec(self):
        """What this task adds to the spec of a policy."""
        m, root = self.body.model, self.stance.root
        told = [self.fastest if self.task == "run" else 0.0, 0.0, 0.0]
        return {"task": self.task, "trunk": m.body_names[self.trunk.body] or f"#{self.trunk.body}",
                "free": self.trunk.free, "root_v": int(root.vx), "told_scale": self.told_scale, "told_default": told,
                "clock_step": self.step, "fastest": self.fastest,
                "upright": {"z": self.stands_at, "height": self.height, "low": LOW, "tilted": TILTED}}  # fmt: skip

    @property
    def stands_at(self):
        """Height of the trunk's origin in the world where it stands, m; `place` counts from the root's own zero."""
        return self.z0 + self.lifted
