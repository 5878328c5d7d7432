"""A policy that learned with demos.shac, in Gymnasium's own environment, whose simulator is MuJoCo.

    pip install "pullback[rl,mjcf,torch]"
    python -m demos.policy_in_gymnasium runs/shac_hopper_0

Nothing of Pullback's steps there: it tells whether a policy lives off errors of the simulator in which it learned.
"""

import argparse
from pathlib import Path

import gymnasium
import numpy as np
import torch

from demos.shac import Actor, Normalizer
from demos.torch_tasks import load_saved

IDS = {"hopper": "Hopper-v5", "ant": "Ant-v5"}


def load(folder):
    """(policy of an observation array, the environment, control steps that a decision holds)."""
    saved = load_saved(Path(folder) / "policy.pt")
    nobs, nu = len(saved["normalizer"]["mean"]), len(saved["actor"]["log_std"])
    actor, normalizer = Actor(nobs, nu, saved["settings"]["actor_hidden"]), Normalizer(nobs)
    actor.load_state_dict(saved["actor"])
    normalizer.load_state_dict(saved["normalizer"])

    @torch.no_grad()
    def policy(observation):  # the ant's contact forces come after what the policy knows
        return actor(normalizer(torch.from_numpy(observation[:nobs].astype(float)))).numpy()

    return policy, gymnasium.make(IDS[saved["scene"]]), saved["settings"]["repeat"]


def main(arguments=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("run", type=Path, help="folder of a run of demos.shac")
    p.add_argument("--episodes", type=int, default=5)
    p.add_argument("--seed", type=int, default=100)
    a = p.parse_args(arguments)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    policy, env, repeat = load(a.run)
    returns, lengths = [], []
    for episode in range(a.episodes):
        observation, _ = env.reset(seed=a.seed + episode)
        total, step, ended = 0.0, 0, False
        while not ended:
            if step % repeat == 0:
                ctrl = policy(observation)
            observation, reward, fell, late, _ = env.step(ctrl)
            total, step, ended = total + reward, step + 1, fell or late
        returns.append(total)
        lengths.append(step)
    print(f"{env.spec.id}: returns {np.round(returns, 1)}, mean {np.mean(returns):.1f}; lengths {lengths}")
    return returns, lengths


if __name__ == "__main__":
    main()
