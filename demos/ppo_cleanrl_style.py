"""Proximal policy optimisation (Schulman et al. 2017, arXiv:1707.06347) in one file, to read from top to bottom.

    pip install "pullback[rl]" torch
    python demos/ppo_cleanrl_style.py cartpole
    python demos/ppo_cleanrl_style.py hopper

Stops when the steps are used up or the mean return of the last 50 episodes, with the exploring policy, reaches the
threshold. Leaves curve.csv (steps, seconds, return) and policy.pt in runs/ppo_<scene>.
"""

import argparse
import csv
import sys
import time
from collections import deque
from pathlib import Path

import gymnasium
import numpy as np
import torch
from torch import nn

import engine.rl
from engine.files import replacing

SCENES = {"cartpole": (950.0, 200_000), "hopper": (1000.0, 2_000_000)}  # threshold, control steps at most
ENVS, HORIZON, EPOCHS, MINIBATCH = 32, 128, 10, 512
GAMMA, LAMBDA, CLIP, RATE = 0.99, 0.95, 0.2, 3e-4


def layers(inputs, outputs, gain):
    net = nn.Sequential(nn.Linear(inputs, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))
    for layer, scale in zip(net[::2], (2**0.5, 2**0.5, gain), strict=True):
        nn.init.orthogonal_(layer.weight, scale)
        nn.init.zeros_(layer.bias)
    return net


class Running(nn.Module):
    """Running mean and variance of what it is shown (Chan et al.'s formula), which scale it."""

    def __init__(self, *shape):
        super().__init__()
        for name, start in (("mean", torch.zeros(shape)), ("var", torch.ones(shape)), ("count", torch.tensor(1e-4))):
            self.register_buffer(name, start)

    def watch(self, x):
        n, total, delta = len(x), self.count + len(x), x.mean(0) - self.mean
        within = self.var * self.count + x.var(0, unbiased=False) * n
        self.var = (within + delta.square() * self.count * n / total) / total
        self.mean, self.count = self.mean + delta * n / total, total

    def forward(self, x):
        return ((x - self.mean) / (self.var + 1e-8).sqrt()).clamp(-10, 10)


class Agent(nn.Module):
    """A Gaussian policy and a value, of scaled observations."""

    def __init__(self, seen, controls):
        super().__init__()
        self.scaled, self.returns = Running(seen), Running()
        self.mean, self.value = layers(seen, controls, 0.01), layers(seen, 1, 1.0)
        self.log_std = nn.Parameter(torch.zeros(controls))

    def policy(self, x):
        return torch.distributions.Normal(self.mean(x), self.log_std.exp())


class Robots:
    """The vector environment, and the returns of its episodes."""

    def __init__(self, scene, seed):
        self.envs = gymnasium.make_vec(engine.rl.env_id(scene), ENVS, autoreset_mode="SameStep")
        self.high = self.envs.single_action_space.high
        self.seen = as_tensor(self.envs.reset(seed=seed)[0])
        self.sums, self.discounted, self.returns = np.zeros(ENVS), np.zeros(ENVS), deque(maxlen=50)

    @torch.no_grad()
    def rollout(self, agent):
        """HORIZON steps: x, actions, their log probability, rewards, values, ends, each (HORIZON, ENVS, ...)."""
        steps = []
        for _ in range(HORIZON):
            agent.scaled.watch(self.seen)
            x = agent.scaled(self.seen)
            policy = agent.policy(x)
            actions = policy.sample()
            after, rewards, terminations, truncations, infos = self.envs.step(actions.clamp(-1, 1).numpy() * self.high)
            ends = terminations | truncations
            self.sums, self.discounted = self.sums + rewards, GAMMA * self.discounted + rewards
            agent.returns.watch(as_tensor(self.discounted))
            paid = as_tensor(rewards) / (agent.returns.var + 1e-8).sqrt()
            if truncations.any():  # only time ran out: what would have followed is part of the return
                last = as_tensor(np.stack(infos["final_obs"][truncations]))
                paid[torch.as_tensor(truncations)] += GAMMA * agent.value(agent.scaled(last))[:, 0]
            steps.append((x, actions, policy.log_prob(actions).sum(1), paid, agent.value(x)[:, 0], as_tensor(ends)))
            self.returns.extend(self.sums[ends])
            self.sums[ends] = self.discounted[ends] = 0.0
            self.seen = as_tensor(after)
        return [torch.stack(part) for part in zip(*steps, strict=True)]


def as_tensor(a):
    return torch.as_tensor(a, dtype=torch.float32)


def advantages(rewards, values, last, ends):
    """Generalised advantage estimation (arXiv:1506.02438); `ends` cuts between episodes."""
    out, running, following = torch.zeros_like(rewards), 0.0, last
    for t in reversed(range(len(rewards))):
        going = 1.0 - ends[t]
        running = rewards[t] + GAMMA * following * going - values[t] + GAMMA * LAMBDA * going * running
        out[t], following = running, values[t]
    return out


def improve(agent, optimiser, x, actions, logp, advantage, target):
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(MINIBATCH):
            policy, a = agent.policy(x[rows]), advantage[rows]
            ratio = (policy.log_prob(actions[rows]).sum(1) - logp[rows]).exp()
            a = (a - a.mean()) / (a.std() + 1e-8)
            gain = torch.min(ratio * a, ratio.clamp(1 - CLIP, 1 + CLIP) * a).mean()
            error = (agent.value(x[rows])[:, 0] - target[rows]).square().mean()
            optimiser.zero_grad()
            (0.5 * error - gain).backward()
            nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
            optimiser.step()


def learn(scene, steps, threshold, seed=0, every=25):
    """Train for at most `steps` control steps; returns the agent and the rows (steps, seconds, return) of the curve."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    robots = Robots(scene, seed)
    agent = Agent(robots.seen.shape[1], len(robots.high))
    optimiser = torch.optim.Adam(agent.parameters(), RATE, eps=1e-5)
    rows, start, updates = [], time.perf_counter(), steps // (ENVS * HORIZON)
    for update in range(updates):
        optimiser.param_groups[0]["lr"] = RATE * (1.0 - update / updates)
        x, actions, logp, rewards, values, ends = robots.rollout(agent)
        with torch.no_grad():
            last = agent.value(agent.scaled(robots.seen))[:, 0]
        advantage = advantages(rewards, values, last, ends)
        improve(agent, optimiser, *(a.flatten(0, 1) for a in (x, actions, logp, advantage, advantage + values)))
        mean = float(np.mean(robots.returns)) if robots.returns else 0.0
        rows.append(((update + 1) * ENVS * HORIZON, time.perf_counter() - start, mean))
        reached = mean >= threshold and len(robots.returns) == robots.returns.maxlen
        if reached or update % every == 0 or update == updates - 1:
            print("{:9,d} steps  {:6.0f} s  return {:7.1f}".format(*rows[-1]), flush=True)
        if reached:
            break
    return agent, rows


def main(argv=None):
    parser = argparse.ArgumentParser(description="PPO in one file, through the vector environment.")
    parser.add_argument("scene", choices=SCENES, nargs="?", default="cartpole")
    parser.add_argument("--steps", type=int, help="control steps at most, over all robots")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    threshold, steps = SCENES[args.scene]
    agent, rows = learn(args.scene, args.steps or steps, threshold, args.seed)
    folder = args.out or Path("runs") / f"ppo_{args.scene}"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(agent.state_dict(), folder / "policy.pt")
    with replacing(folder / "curve.csv", "w", newline="") as f:
        csv.writer(f).writerows([("steps", "seconds", "return"), *rows])
    reached = bool(rows) and rows[-1][2] >= threshold
    print(f"threshold {threshold:g} {'reached' if reached else 'not reached'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
