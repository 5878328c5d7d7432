"""Proximal policy optimisation of Stable-Baselines3 learns a scene through the vector environment.

    pip install "pullback[sb3]"
    python demos/ppo_stable_baselines.py cartpole
    python demos/ppo_stable_baselines.py hopper          (or ant)

Stops when the steps are used up or the mean return of 20 whole episodes, without exploration, reaches the threshold.
Leaves the policy, the learning curve (curve.csv: steps, seconds, return) and its picture in runs/ppo_sb3_<scene>.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

import gymnasium
import numpy as np
import torch
from matplotlib.figure import Figure
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize

import engine.rl
from engine.files import replacing

# threshold: cartpole's is Gymnasium's own; a hopper or an ant with 1000 can stand for its time, with 2000 it moves on
SCENES = {
    "cartpole": {"threshold": 950.0, "steps": 100_000},
    "hopper": {"threshold": 2000.0, "steps": 2_000_000},
    "ant": {"threshold": 2000.0, "steps": 3_000_000},
}
ENVS, HORIZON = 32, 128


def make(scene, num_envs):
    envs = gymnasium.make_vec(engine.rl.env_id(scene), num_envs, autoreset_mode="SameStep")
    return VecNormalize(VecMonitor(engine.rl.SB3VecEnv(envs)), clip_obs=10.0)


def evaluate(model, envs, scene, episodes=20):
    """Mean return of one whole episode of each of `episodes` robots, acting without noise."""
    test = make(scene, episodes)
    test.obs_rms, test.training, test.norm_reward = envs.obs_rms, False, False
    test.seed(10_000)
    observations, returns, going = test.reset(), np.zeros(episodes), np.ones(episodes, bool)
    while going.any():
        actions, _ = model.predict(observations, deterministic=True)
        observations, rewards, ends, _ = test.step(actions)
        returns += going * rewards
        going &= ~ends
    return float(returns.mean())


class Curve(BaseCallback):
    """Notes steps, seconds and return every `every` steps, and stops learning at the threshold."""

    def __init__(self, scene, threshold, every):
        super().__init__()
        self.scene, self.threshold, self.every = scene, threshold, every
        self.rows, self.start = [], time.perf_counter()

    @property
    def reached(self):
        return bool(self.rows) and self.rows[-1][2] >= self.threshold

    def _on_rollout_start(self):
        if self.num_timesteps >= len(self.rows) * self.every:
            self.note()

    def _on_step(self):
        return not self.reached

    def note(self):
        value = evaluate(self.model, self.training_env, self.scene)
        self.rows.append((self.num_timesteps, time.perf_counter() - self.start, value))
        print("{:9,d} steps  {:6.0f} s  return {:7.1f}".format(*self.rows[-1]), flush=True)


def learn(scene, steps, threshold, seed=0, every=50_000):
    """Train for at most `steps` control steps; returns the model, its environments and the rows of the curve."""
    torch.set_num_threads(1)
    envs = make(scene, ENVS)
    model = PPO(
        "MlpPolicy", envs, n_steps=HORIZON, batch_size=512, n_epochs=10, gamma=0.99, gae_lambda=0.95,
        learning_rate=lambda left: 3e-4 * left, seed=seed, device="cpu",
    )  # fmt: skip
    curve = Curve(scene, threshold, every)
    model.learn(steps, callback=curve)
    if not curve.reached:
        curve.note()
    return model, envs, curve.rows


def save(folder, scene, model, envs, rows, threshold):
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "policy.zip")
    envs.save(str(folder / "normalisation.pkl"))
    with replacing(folder / "curve.csv", "w", newline="") as f:
        csv.writer(f).writerows([("steps", "seconds", "return"), *rows])
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    figure.suptitle(f"PPO of Stable-Baselines3, {scene}; dashed: the threshold")
    labels = {"thousands of control steps": 1e3, "time, s": 1.0}
    for column, (ax, (label, unit)) in enumerate(zip(axes, labels.items(), strict=True)):
        ax.plot([row[column] / unit for row in rows], [row[2] for row in rows], marker="o", markersize=3)
        ax.axhline(threshold, color="0.6", linestyle="--", linewidth=1)
        ax.set_xlabel(label)
    axes[0].set_ylabel("return of an episode")
    figure.savefig(folder / "curve.png")


def main(argv=None):
    parser = argparse.ArgumentParser(description="PPO of Stable-Baselines3 through the vector environment.")
    parser.add_argument("scene", choices=SCENES, nargs="?", default="cartpole")
    parser.add_argument("--steps", type=int, help="control steps at most, over all robots")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args(argv)
    threshold = SCENES[args.scene]["threshold"]
    steps = args.steps or SCENES[args.scene]["steps"]
    model, envs, rows = learn(args.scene, steps, threshold, args.seed, every=max(steps // 40, 5_000))
    save(args.out or Path("runs") / f"ppo_sb3_{args.scene}", args.scene, model, envs, rows, threshold)
    reached = rows[-1][2] >= threshold
    print(f"threshold {threshold:g} {'reached' if reached else 'not reached'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
