"""A task of one's own, learned by PPO: python demos/own_task_ppo.py ROBOT STEPS"""

import sys
from typing import Any

import numpy as np
from stable_baselines3 import PPO

import pullback as pb


class Walk(pb.scenes.Task):
    def observation(self, qpos: Any, qvel: Any) -> Any:
        return np.concatenate([qpos[..., 2:], qvel], axis=-1)

    def reward(self, before: Any, qvel_before: Any, ctrl: Any, qpos: Any, qvel: Any, dt: float) -> Any:
        return (qpos[..., 0] - before[..., 0]) / dt - 0.05 * np.square(ctrl).sum(axis=-1), {}

    def terminated(self, qpos: Any, qvel: Any) -> Any:
        return qpos[..., 2] < 0.15


scene = pb.scenes.Scene("mine", "it walks", pb.load(sys.argv[1]), Walk(), frame_skip=5, duration=4.0, reset_noise=0.02)
envs = pb.rl.VectorEnv(scene, num_envs=8, autoreset_mode="SameStep")
PPO("MlpPolicy", pb.rl.SB3VecEnv(envs), n_steps=16, batch_size=64, verbose=1).learn(int(sys.argv[2])).save("walk.zip")
