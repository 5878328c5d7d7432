"""SHAC: short-horizon actor-critic by exact gradients of the engine (Xu et al., "Accelerated Policy Learning with
Parallel Differentiable Simulation", ICLR 2022), for tasks of this folder.

Many worlds run through a window of `horizon` decisions. The actor ascends the window's discounted reward plus what a
target critic makes of its end, by backpropagation through policy and engine; the next window goes on from the states
where this one ended, without their history. The critic learns TD(lambda) returns of the same window. An episode goes on
after a decision with a probability that falls smoothly as the robot falls, by which all that comes later counts.
"""

from dataclasses import dataclass

import torch
from torch import nn

from controllers.training.imitate import imitate
from controllers.training.network import Actor, Normalizer, arrays_of, mlp, td_returns, teach
from controllers.training.worlds import Decision, Worlds


@dataclass
class Settings:
    """worlds, horizon (decisions in a window) and the method's other numbers. state_clip: the longest gradient that a
    world's state may send back, in units of the loss of that world alone. careful_lr: of the actor where learning
    begins at a policy that walks, or at steps on two feet: a larger one loses the walk. calm: share of the worlds that
    act without noise, as the policy does when it is judged."""

    worlds: int = 32
    horizon: int = 16
    gamma: float = 0.98
    lam: float = 0.95
    actor_lr: float = 2e-3
    careful_lr: float = 3e-4
    critic_lr: float = 1e-3
    critic_epochs: int = 6
    minibatches: int = 4
    target_keep: float = 0.2
    clip: float = 1.0
    state_clip: float = 3.0
    spread: float = 0.25
    calm: float = 0.5
    reward_scale: float = 0.05
    actor_hidden: tuple = (128, 64)
    critic_hidden: tuple = (128, 64)


class Shac:
    """Actor, critic and the worlds they learn in."""

    PARTS = ("actor", "critic", "target", "normalizer", "actor_optimizer", "critic_optimizer")

    def __init__(self, task, settings, seed):
        torch.manual_seed(seed)
        self.task, self.s, self.iteration, s = task, settings, 0, settings
        self.imitates = self.careful = False
        self.rng = torch.Generator().manual_seed(seed)
        self.worlds = Worlds(task, s.worlds, self.rng, s.state_clip / (s.worlds * s.horizon))
        seen, more = self.worlds.observe()
        self.nobs, nu = seen.shape[-1], task.body.model.nu
        full = self.nobs + more.shape[-1]
        self.normalizer = Normalizer(full)
        self.actor = Actor(self.nobs, nu, s.actor_hidden, s.spread)
        self.critic, self.target = (mlp((full, *s.critic_hidden, 1), last=1.0) for _ in range(2))
        self.target.load_state_dict(self.critic.state_dict())
        adam = {"betas": (0.7, 0.95), "fused": True}
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), s.actor_lr, **adam)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), s.critic_lr, **adam)

    def act(self, seen, noise=0.0):
        return self.actor(self.normalizer(seen[..., : self.nobs]), noise)

    def window(self):
        """(actor loss, what the critic learns from): `horizon` decisions from where the last window ended.

        Only what the next decision depends on is found one after the other; rewards and values are those of the whole
        window at once, since torch takes about as long for a row as for sixteen.
        """
        s, w, made = self.s, self.worlds, []
        noise = torch.randn(s.horizon, s.worlds, self.task.body.model.nu, generator=self.rng)
        noise[:, : round(s.calm * s.worlds)] = 0.0
        for t in range(s.horizon):
            made.append(w.decide(self.act(w.observe()[0], noise[t])))
            w.begin(made[-1].end)
        w.detach()
        d = Decision.of(made)
        reward, survival, after = w.paid(d)
        reward, value = s.reward_scale * reward, self.target(self.normalizer(after))[..., 0]
        last = d.end.clone()
        last[-1] = True
        total, weight = torch.zeros(s.worlds), torch.ones(s.worlds)
        steps = (x.unbind() for x in (reward, s.gamma * survival, torch.where(last, value, 0.0), d.end))
        for earned, goes_on, ahead, end in zip(*steps, strict=True):
            total = total + weight * earned
            weight = weight * goes_on
            total = total + weight * ahead
            weight = torch.where(end, 1.0, weight)
        with torch.no_grad():
            obs = torch.cat(self.task.observe(d.before, d.told, d.last, d.clock), dim=-1)
        rows = {"obs": obs, "reward": reward, "survival": survival, "next": value, "end": d.end}
        return -total.sum() / (s.worlds * s.horizon), {name: x.detach() for name, x in rows.items()}

    def learn_values(self, rows):
        """The critic's epochs on what a window returned; the last error."""
        s = self.s
        obs, goal = self.normalizer(rows["obs"]).flatten(0, 1), td_returns(rows, s.gamma, s.lam).flatten()
        return teach(self.critic, self.target, self.critic_optimizer, obs, goal, s, self.rng)

    def iterate(self, done=0.0):
        """One window: a step of the actor, then the critic's epochs. done: share of the run, along which rates fall."""
        s = self.s
        if not self.iteration:
            self.imitates = imitate(self)
        actor_lr = min(s.actor_lr, s.careful_lr) if self.careful else s.actor_lr
        for optimizer, lr in ((self.actor_optimizer, actor_lr), (self.critic_optimizer, s.critic_lr)):
            optimizer.param_groups[0]["lr"] = lr * max(1 - done, 0.1)
        loss, rows = self.window()
        self.actor_optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.actor.parameters(), s.clip)
        if torch.isfinite(norm):
            self.actor_optimizer.step()
        error = self.learn_values(rows)
        self.normalizer.update(rows["obs"])
        self.iteration += 1
        reward = float(rows["reward"].mean()) / s.reward_scale
        return {"iteration": self.iteration, "steps": self.worlds.steps, "reward": reward,
                "ends": float(rows["end"].double().mean()), "critic_error": error,
                "gradient_norm": float(norm), "spread": float(self.actor.log_std.detach().exp().mean())}  # fmt: skip

    def policy(self):
        """(arrays, activation) of controllers.training.policy.Policy, of the mean action."""
        return arrays_of(self.actor.mean, self.normalizer, self.nobs), "elu"

    def checkpoint(self):
        """Everything that the next iteration depends on."""
        parts = {n: getattr(self, n).state_dict() for n in self.PARTS}
        parts |= {n: getattr(self.worlds, n) for n in Worlds.KEPT}
        parts |= {"prepared": self.task.prepared, "careful": self.careful}
        return parts | {"iteration": self.iteration, "rng": self.rng.get_state()}

    def restore(self, saved):
        """Go on exactly where `checkpoint` was taken."""
        for n in self.PARTS:
            getattr(self, n).load_state_dict(saved[n])
        for n in Worlds.KEPT:
            setattr(self.worlds, n, saved[n])
        self.task.prepared, self.careful = saved["prepared"], saved["careful"]
        self.iteration = saved["iteration"]
        self.rng.set_state(saved["rng"])
