"""SHAC: short-horizon actor-critic on the gradients of the simulator (Xu et al., "Accelerated Policy Learning with
Parallel Differentiable Simulation", ICLR 2022).

    python -m demos.shac hopper                  until full episodes return 2000
    python -m demos.shac ant --seed 1
    python -m demos.shac hopper --resume

Many worlds run through a window of `horizon` decisions. The actor ascends the window's discounted reward plus what a
target critic makes of its end, by backpropagation through policy and simulator; the next window goes on from the states
where this one ended, without their history. The critic learns TD(lambda) returns of the same window.

The reward is Gymnasium's; so are the episodes of every evaluation, with the policy's mean. For learning,

* the end of an episode is blurred. Gymnasium's is a jump: a gradient along the motion cannot see it, and a hopper that
  dives has no reason to stop. Here an episode goes on after each decision with a probability that falls smoothly about
  the bounds of height and pitch (`TorchLocomotion.survival`), by which all that comes later counts, in the actor's
  objective as in the critic's returns. A robot beyond the bounds starts again.
* the window is as long as gradients of different noise agree (`python -m demos.gradient_noise`), no longer, and many
  worlds take the place of long windows: hopper 0.5 s, ant 0.2 s.
* episodes are shorter, and two of three start with a push forward: worlds that all stand in one place teach nothing.
  The third starts at rest, as evaluations do: a policy that had seen pushed starts alone fell from this one.

The run folder holds metrics.csv (control steps of all worlds, seconds and CPU seconds without evaluation, return of
full episodes), policy.pt (the best of them), checkpoint.pt (`--resume` goes on with the same result) and
learning_curve.png. Iterations are counted, not time, so a seed gives the same policy on a busy machine.
"""

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

import engine
import engine.torch
import scenes
from controllers.training import network
from controllers.training.network import limit, td_returns, teach
from demos.learning_curve import plot
from demos.torch_tasks import TorchLocomotion, load_saved, save
from engine.files import write_table
from engine.lock import FolderLock


@dataclass
class Settings:
    """worlds, horizon (decisions in a window) and the paper's other numbers.

    repeat: control steps that a decision holds. episode: seconds of an episode for learning. push: its greatest forward
    speed at the start, m/s. width: of the blur of an episode's end, m and rad. state_clip: the longest gradient that a
    world's state may send back, in units of the loss of that world alone. reward_scale: what a reward of 1 is worth.
    """

    worlds: int = 64
    horizon: int = 32
    repeat: int = 2
    episode: float = 3.0
    push: float = 2.0
    width: float = 0.02
    gamma: float = 0.99
    lam: float = 0.95
    actor_lr: float = 2e-3
    critic_lr: float = 1e-3
    critic_epochs: int = 8
    minibatches: int = 4
    target_keep: float = 0.2
    clip: float = 1.0
    state_clip: float = 100.0
    reward_scale: float = 0.1
    actor_hidden: tuple = (128, 64, 32)
    critic_hidden: tuple = (64, 64)


# Numbers that differ from Settings(), and the return to reach: hopper's is the bar that PPO is usually held to.
SCENES = {
    "hopper": ({}, 2000.0),
    "ant": ({"worlds": 256, "horizon": 4, "repeat": 1, "episode": 10.0}, 2000.0),
}
LOST = 0.05  # a world with less survival starts again: it is beyond the bounds, so that the critic learns both sides


def mlp(sizes, last):
    layers = []
    for a, b in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(a, b), nn.ELU(), nn.LayerNorm(b)]
    end = nn.Linear(sizes[-2], sizes[-1])
    end.weight.data *= last
    return nn.Sequential(*layers, end)


class Actor(nn.Module):
    """Observation to control in (-1, 1): tanh of a normal variable whose spread does not depend on the state."""

    def __init__(self, nobs, nu, hidden):
        super().__init__()
        self.mean, self.log_std = mlp((nobs, *hidden, nu), last=0.1), nn.Parameter(torch.full((nu,), -1.0))

    def forward(self, obs, noise=0.0):
        return torch.tanh(self.mean(obs) + self.log_std.exp() * noise)


class Normalizer(network.Normalizer):
    FLOOR = 1e-5


class Shac:
    """Actor, critic and the worlds they learn in."""

    def __init__(self, scene, settings, seed):
        torch.manual_seed(seed)
        self.scene, self.s, self.task = scene, settings, TorchLocomotion(scene.task)
        self.sim = engine.Simulator(scene.model, settings.worlds)
        self.rng = torch.Generator().manual_seed(seed)
        self.dt, self.limit = settings.repeat * scene.dt, round(settings.episode / (settings.repeat * scene.dt))
        self.state, self.steps, self.iteration = self.starts(settings.worlds), 0, 0
        self.age = torch.randint(self.limit, (settings.worlds,), generator=self.rng)  # spread the episodes' ends
        nobs = self.task.observation(*self.state).shape[-1]
        self.normalizer = Normalizer(nobs)
        self.actor = Actor(nobs, scene.model.nu, settings.actor_hidden)
        self.critic, self.target = (mlp((nobs, *settings.critic_hidden, 1), last=1.0) for _ in range(2))
        self.target.load_state_dict(self.critic.state_dict())
        adam = {"betas": (0.7, 0.95), "fused": True}
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), settings.actor_lr, **adam)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), settings.critic_lr, **adam)

    def starts(self, worlds):
        seed = int(torch.randint(2**31, (), generator=self.rng))
        qpos, qvel = (torch.from_numpy(x) for x in self.scene.start(seed, worlds))
        qvel[:, 0] += self.s.push * (1.5 * torch.rand(worlds, generator=self.rng) - 0.5).clamp(min=0)
        return [qpos, qvel]

    def advance(self, state, ctrl, repeat):
        """`repeat` control steps of all worlds; gradients that come back through the state are limited."""
        skip = repeat * self.scene.frame_skip
        qpos, qvel, _, _ = engine.torch.step(self.sim, *state, None, ctrl, frame_skip=skip)
        size = self.s.state_clip / (self.s.worlds * self.s.horizon)
        for x in (qpos, qvel):
            if x.requires_grad:
                x.register_hook(lambda bar: limit(bar, size))
        return qpos, qvel

    def rollout(self):
        """`horizon` decisions from where the last window ended: what was seen, done and reached, rows first."""
        s, state = self.s, [x.detach() for x in self.state]
        rows = {n: [] for n in ("obs", "before", "ctrl", "qpos", "qvel", "end")}
        noise = torch.randn(s.horizon, s.worlds, self.scene.model.nu, generator=self.rng)
        for t in range(s.horizon):
            obs = self.task.observation(*state)
            ctrl = self.actor(self.normalizer(obs), noise[t])
            new = self.advance(state, ctrl, s.repeat)
            self.age += 1
            with torch.no_grad():
                end = (self.task.survival(new[0], s.width) < LOST) | (self.age >= self.limit)
            for name, x in zip(rows, (obs.detach(), state[0], ctrl, *new, end), strict=True):
                rows[name].append(x)
            state = new
            if end.any():
                state = [x.index_put((end,), y) for x, y in zip(new, self.starts(int(end.sum())), strict=True)]
                self.age[end] = 0
        self.state, self.steps = [x.detach() for x in state], self.steps + s.worlds * s.horizon * s.repeat
        return {k: torch.stack(v) for k, v in rows.items()}

    def window(self):
        """(actor loss, what the critic learns from).

        An episode goes on after a decision with the probability `survival`, by which all that comes later counts.
        """
        s, rows = self.s, self.rollout()
        survival = self.task.survival(rows["qpos"], s.width)
        arguments = (rows[n] for n in ("before", "ctrl", "qpos", "qvel"))
        reward = s.reward_scale * s.repeat * self.task.reward(*arguments, self.dt, survival)
        value = self.target(self.normalizer(self.task.observation(rows["qpos"], rows["qvel"])))[..., 0]
        total, weight = torch.zeros(s.worlds), torch.ones(s.worlds)
        for t in range(s.horizon):
            total = total + weight * reward[t]
            weight = s.gamma * weight * survival[t]
            end = rows["end"][t]
            last = torch.ones_like(end) if t == s.horizon - 1 else end
            total = total + torch.where(last, weight * value[t], 0.0)
            weight = torch.where(end, 1.0, weight)
        found = {"obs": rows["obs"], "reward": reward, "survival": survival, "next": value, "end": rows["end"]}
        return -total.sum() / (s.worlds * s.horizon), {k: v.detach() for k, v in found.items()}

    def iterate(self):
        """One window: a step of the actor, then the critic's epochs."""
        s = self.s
        loss, rows = self.window()
        self.actor_optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.actor.parameters(), s.clip)
        self.actor_optimizer.step()
        obs, goal = self.normalizer(rows["obs"]).flatten(0, 1), td_returns(rows, s.gamma, s.lam).flatten()
        error = teach(self.critic, self.target, self.critic_optimizer, obs, goal, s, self.rng)
        self.normalizer.update(rows["obs"])
        self.iteration += 1
        return {"loss": float(loss.detach()), "critic_error": error, "gradient_norm": float(norm),
                "reward": float(rows["reward"].mean()) / (s.reward_scale * s.repeat),
                "ends": float(rows["end"].double().mean()),
                "spread": float(self.actor.log_std.detach().exp().mean())}  # fmt: skip

    @torch.no_grad()
    def evaluate(self, episodes=16, seed=1234):
        """(mean return, mean length) of full episodes under the policy's mean, with Gymnasium's reward and end."""
        state = [torch.from_numpy(x) for x in self.scene.start(seed, episodes)]
        total, length, alive = torch.zeros(episodes), torch.zeros(episodes), torch.ones(episodes, dtype=torch.bool)
        for t in range(self.scene.steps):
            if t % self.s.repeat == 0:
                ctrl = self.actor(self.normalizer(self.task.observation(*state)))
            new = self.advance(state, ctrl, 1)
            total += alive * self.task.reward(state[0], ctrl, *new, self.scene.dt)
            length += alive
            alive &= self.task.healthy(*new)
            if not alive.any():
                break
            # those that fell stay where they were, where nothing can diverge
            state = [torch.where(alive[:, None], a, b) for a, b in zip(new, state, strict=True)]
        return float(total.mean()), float(length.mean())

    PARTS = ("actor", "critic", "target", "normalizer", "actor_optimizer", "critic_optimizer")

    def checkpoint(self):
        numbers = {"steps": self.steps, "iteration": self.iteration, "state": self.state, "age": self.age}
        return {n: getattr(self, n).state_dict() for n in self.PARTS} | numbers | {"rng": self.rng.get_state()}

    def restore(self, saved):
        for n in self.PARTS:
            getattr(self, n).load_state_dict(saved[n])
        self.steps, self.iteration, self.state, self.age = (saved[n] for n in ("steps", "iteration", "state", "age"))
        self.rng.set_state(saved["rng"])

    def anneal(self, part):
        """Learning rates after this part of the run."""
        for optimizer, lr in ((self.actor_optimizer, self.s.actor_lr), (self.critic_optimizer, self.s.critic_lr)):
            optimizer.param_groups[0]["lr"] = lr * max(1 - part, 0.05)


def evaluated(shac, table, clocks, folder):
    """A new row of the table and of metrics.csv; keeps the best policy and a checkpoint."""
    value, length = shac.evaluate()
    row = {"iteration": shac.iteration, "steps": shac.steps, "seconds": clocks[0], "cpu_seconds": clocks[1],
           "return": value, "length": length}  # fmt: skip
    table.append(row)
    if value == max(r["return"] for r in table):
        parts = {n: getattr(shac, n).state_dict() for n in ("actor", "normalizer")}
        save(parts | {"scene": shac.scene.name, "settings": asdict(shac.s)}, folder / "policy.pt")
    save(shac.checkpoint() | {"table": table, "settings": asdict(shac.s)}, folder / "checkpoint.pt")
    write_table(folder / "metrics.csv", list(row), table)
    print("  ".join(f"{k} {v:.6g}" for k, v in row.items()), flush=True)


def train(scene_name, folder, settings, iterations, seed=0, threshold=None, resume=False, stop=None, every=25):
    """Learn until an evaluation, every so many iterations, returns `threshold`; returns the rows of metrics.csv.

    iterations: of the whole run, along which the learning rates fall. stop: leave after this many, to be resumed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FolderLock(folder):
        return _train(scene_name, folder, settings, iterations, seed, threshold, resume, stop, every)


def _train(scene_name, folder, settings, iterations, seed, threshold, resume, stop, every):
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # small layers: a second thread only waits, and takes a core from the simulator
    shac, table = Shac(scenes.load(scene_name), settings, seed), []
    if resume:
        saved = load_saved(folder / "checkpoint.pt")
        if saved["settings"] != asdict(settings):
            raise ValueError(f"--resume: the folder was made with {saved['settings']}, asked for {asdict(settings)}")
        shac.restore(saved)
        table = saved["table"]
    clocks = [table[-1]["seconds"], table[-1]["cpu_seconds"]] if table else [0.0, 0.0]
    if not table:
        evaluated(shac, table, clocks, folder)
    stop = iterations if stop is None else stop
    while shac.iteration < stop:
        began = time.perf_counter(), time.process_time()
        shac.anneal(shac.iteration / iterations)
        found = shac.iterate()
        clocks[0] += time.perf_counter() - began[0]
        clocks[1] += time.process_time() - began[1]
        if shac.iteration % every == 0 or shac.iteration == stop:
            print("  ".join(f"{k} {v:.4g}" for k, v in found.items()), flush=True)
            evaluated(shac, table, clocks, folder)
            if threshold is not None and table[-1]["return"] >= threshold:
                break
    return table


def main(arguments=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scene", nargs="?", default="hopper", choices=SCENES)
    p.add_argument("--out", type=Path, help="run folder, default runs/shac_SCENE_SEED")
    p.add_argument("--iterations", type=int, default=200, help="at most; the learning rates fall along them")
    p.add_argument("--threshold", type=float, help="return of full episodes at which to stop, default the scene's")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint, with the same settings")
    for name, value in asdict(Settings()).items():
        if isinstance(value, int | float):
            p.add_argument("--" + name.replace("_", "-"), type=type(value), help=f"default {value}, or the scene's")
    a = p.parse_args(arguments)
    numbers, threshold = SCENES[a.scene]
    given = {k: v for k, v in vars(a).items() if k in asdict(Settings()) and v is not None}
    threshold = threshold if a.threshold is None else a.threshold
    folder = a.out or Path("runs") / f"shac_{a.scene}_{a.seed}"
    rows = train(a.scene, folder, Settings(**numbers | given), a.iterations, a.seed, threshold, a.resume)
    plot({"SHAC": [folder / "metrics.csv"]}, folder / "learning_curve.png", a.scene, bar=threshold)
    return 0 if rows[-1]["return"] >= threshold else 1


if __name__ == "__main__":
    raise SystemExit(main())
