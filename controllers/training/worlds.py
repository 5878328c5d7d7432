"""Worlds in which a task is learned, in torch."""

from typing import NamedTuple

import torch

import engine.torch
from controllers.training.network import limit


class Decision(NamedTuple):
    """What a decision was, of all worlds: states before and after [qpos, qvel, act]; what was told, the action before
    and the clock (worlds, .) as it was seen; which worlds diverged, and which episodes end with it, booleans."""

    before: list
    after: list
    told: torch.Tensor
    last: torch.Tensor
    action: torch.Tensor
    clock: torch.Tensor
    diverged: torch.Tensor
    end: torch.Tensor

    @classmethod
    def of(cls, decisions):
        """Several as one: a window, time first."""
        columns = zip(*decisions, strict=True)
        return cls(*([torch.stack(x) for x in zip(*c, strict=True)] if isinstance(c[0], list) else torch.stack(c)
                     for c in columns))  # fmt: skip


class Worlds:
    """Worlds in which a task is learned: their states, commands, clocks and ages."""

    def __init__(self, task, worlds, rng, state_clip=None):
        self.task, self.n, self.rng = task, worlds, rng
        self.sim = task.simulator(worlds)
        self.limit = max(1, round(task.episode / task.body.dt))
        self.state, self.steps = task.starts(worlds, rng), 0
        self.told = task.commands(worlds, rng)
        self.last = torch.zeros(worlds, task.body.model.nu)
        self.clock = torch.rand(worlds, generator=rng)
        self.age = torch.randint(self.limit, (worlds,), generator=rng)  # spread the episodes' ends
        self.state_clip = state_clip

    def observe(self):
        return self.task.observe(self.state, self.told, self.last, self.clock)

    def detach(self):
        """Leave the history of the states behind."""
        self.state, self.last = [x.detach() for x in self.state], self.last.detach()

    def decide(self, action):
        """Go through one Decision."""
        task = self.task
        act = self.state[2] if task.body.model.na else None
        ctrl = task.body.control(action)
        new, diverged = self.stepped(act, ctrl)
        if self.state_clip is not None:
            for x in new:
                if x.requires_grad:
                    x.register_hook(lambda bar: limit(bar, self.state_clip))
        self.age = self.age + 1
        with torch.no_grad():
            end = task.fallen(new) | diverged | (self.age >= self.limit)
        made = Decision(self.state, new, self.told, self.last, action, self.clock, diverged, end)
        self.clock = task.advance_clock(self.clock)
        self.state, self.last, self.steps = new, action, self.steps + self.n * task.body.substeps
        return made

    def stepped(self, act, ctrl):
        """([qpos, qvel, act] after these controls, which worlds diverged)."""
        new, diverged = engine.torch.step(self.sim, *self.state[:2], act, ctrl, frame_skip=self.task.body.substeps,
                                          on_divergence="mask")  # fmt: skip
        return [new.qpos, new.qvel, self.state[2] if act is None else new.act], diverged

    def paid(self, d):
        """(reward, survival, what the critic sees of where it led) of a Decision, or of a window of them at once."""
        task = self.task
        reward, survival = task.reward(d.before, d.after, d.told, d.last, d.action, d.clock)
        seen, more = task.observe(d.after, d.told, d.action, task.advance_clock(d.clock))
        return reward, torch.where(d.diverged, 0.0, survival), torch.cat([seen, more], dim=-1)

    def begin(self, end):
        """New episodes where the old ones ended; elsewhere pushes, and a new command now and then."""
        task, n = self.task, self.n
        self.state = task.disturbed(self.state, self.rng)
        again = (torch.rand(n, generator=self.rng) < task.body.dt / task.change) | end
        told = task.commands(n, self.rng)
        self.told = torch.where(again[:, None], told, self.told)
        if end.any():
            starts = task.starts(int(end.sum()), self.rng)
            self.state = [x.index_put((end,), y) for x, y in zip(self.state, starts, strict=True)]
            self.last = torch.where(end[:, None], 0.0, self.last)
            self.clock = torch.where(end, torch.rand(n, generator=self.rng), self.clock)
            self.age = torch.where(end, 0, self.age)

    KEPT = ("state", "told", "last", "clock", "age", "steps")
