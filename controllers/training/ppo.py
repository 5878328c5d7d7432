"""PPO of Stable-Baselines3 (extra `sb3`) on the tasks of this folder, as a learner that resumes bit for bit."""

import io

import numpy as np
import torch

from controllers.training.network import Normalizer, arrays_of
from controllers.training.worlds import Worlds

STEPS = 24  # decisions of each world between two updates
HIDDEN = (128, 64)
REWARD = 0.05  # as Settings.reward_scale of SHAC


def _environment(worlds, normalizer):
    """The worlds as Stable-Baselines3 has them: a VecEnv of normalised observations."""
    from gymnasium import spaces
    from stable_baselines3.common.vec_env import VecEnv

    class Environment(VecEnv):
        """Episodes that end by their age are told apart from those that fail ("TimeLimit.truncated")."""

        def __init__(self):
            self.rewards, self.ends = [], []
            seen = worlds.observe()[0].shape[-1]
            nu = worlds.task.body.model.nu
            super().__init__(worlds.n, spaces.Box(-10.0, 10.0, (seen,), np.float64),
                             spaces.Box(-8.0, 8.0, (nu,), np.float32))  # fmt: skip
            self.raw = []

        def observed(self):
            seen = worlds.observe()[0]
            self.raw.append(seen)
            return normalizer(seen).numpy()

        def reset(self):
            return self.observed()

        def step_async(self, actions):
            self.actions = torch.from_numpy(np.asarray(actions, float))

        def step_wait(self):
            with torch.no_grad():
                made = worlds.decide(self.actions)
                reward, survival, _ = worlds.paid(made)
                end = made.end
                reward, failed = REWARD * reward, worlds.task.fallen(worlds.state) | (survival == 0)
                last = normalizer(worlds.observe()[0]).numpy()
                worlds.begin(end)
            infos = [{} for _ in range(worlds.n)]
            for w in torch.nonzero(end)[:, 0].tolist():
                infos[w] = {"terminal_observation": last[w], "TimeLimit.truncated": not bool(failed[w])}
            self.rewards.append(float(reward.mean()) / REWARD)
            self.ends.append(float(end.double().mean()))
            return self.observed(), reward.numpy(), end.numpy(), infos

        def close(self):
            pass

        def seed(self, seed=None):
            return [None] * worlds.n

        def get_attr(self, attr_name, indices=None):
            return [getattr(self, attr_name, None)] * worlds.n

        def set_attr(self, attr_name, value, indices=None):
            raise NotImplementedError("set_attr")

        def env_method(self, method_name, *args, indices=None, **kwargs):
            raise NotImplementedError(method_name)

        def env_is_wrapped(self, wrapper_class, indices=None):
            return [False] * worlds.n

    return Environment()


class PPO:
    """A learner of Training (job.py): one update of Stable-Baselines3's PPO is one iteration."""

    imitates = False

    def __init__(self, task, worlds, seed):
        from stable_baselines3 import PPO as Agent

        self.task, self.iteration = task, 0
        self.rng = torch.Generator().manual_seed(seed)
        self.worlds = Worlds(task, worlds, self.rng)
        self.nobs = self.worlds.observe()[0].shape[-1]
        self.normalizer = Normalizer(self.nobs)
        self.env = _environment(self.worlds, self.normalizer)
        policy = {"net_arch": {"pi": list(HIDDEN), "vf": list(HIDDEN)}, "log_std_init": -1.0,
                  "activation_fn": torch.nn.ELU}  # fmt: skip
        self.agent = Agent("MlpPolicy", self.env, n_steps=STEPS, batch_size=STEPS * worlds // 4, n_epochs=5, gamma=0.98,
                           gae_lambda=0.95, learning_rate=1e-3, target_kl=0.02, ent_coef=0.0, seed=seed, device="cpu",
                           policy_kwargs=policy)  # fmt: skip
        self.agent.policy.float()  # observations reach it as single numbers
        self.agent._last_obs = self.env.reset()
        self.agent._last_episode_starts = np.ones(worlds, bool)

    def iterate(self, done=0.0):
        self.env.rewards.clear()
        self.env.ends.clear()
        self.env.raw.clear()
        self.agent.lr_schedule = lambda _: 1e-3 * max(1 - done, 0.1)
        # the statistics of what is seen change between updates alone
        self.agent._last_obs = self.env.observed()
        self.agent.learn(STEPS * self.worlds.n, reset_num_timesteps=False)
        self.normalizer.update(torch.stack(self.env.raw))
        self.iteration += 1
        spread = float(self.agent.policy.log_std.detach().exp().mean())
        return {"iteration": self.iteration, "steps": self.worlds.steps, "reward": float(np.mean(self.env.rewards)),
                "ends": float(np.mean(self.env.ends)), "spread": spread}  # fmt: skip

    def policy(self):
        """(arrays, activation) of controllers.training.policy.Policy, of the mean action."""
        p = self.agent.policy
        return arrays_of([*p.mlp_extractor.policy_net, p.action_net], self.normalizer, self.nobs), "elu"

    def checkpoint(self):
        """Everything that the next iteration depends on."""
        weights, kind, numbers = io.BytesIO(), *np.random.get_state()[:2]
        policy = self.agent.policy
        torch.save({"policy": policy.state_dict(), "adam": policy.optimizer.state_dict()}, weights)
        place = list(np.random.get_state()[2:])
        return {
            "agent": weights.getvalue(), "iteration": self.iteration, "rng": self.rng.get_state(),
            "torch": torch.get_rng_state(), "numpy": [kind, numbers.tolist(), *place],
            "timesteps": self.agent.num_timesteps, "begins": torch.from_numpy(self.agent._last_episode_starts.copy()),
            "normalizer": self.normalizer.state_dict(), **{n: getattr(self.worlds, n) for n in Worlds.KEPT},
        }  # fmt: skip

    def restore(self, saved):
        """Go on exactly where `checkpoint` was taken."""
        parts = torch.load(io.BytesIO(saved["agent"]), weights_only=True)
        self.agent.policy.load_state_dict(parts["policy"])
        self.agent.policy.optimizer.load_state_dict(parts["adam"])
        for n in Worlds.KEPT:
            setattr(self.worlds, n, saved[n])
        self.normalizer.load_state_dict(saved["normalizer"])
        self.iteration, self.agent.num_timesteps = saved["iteration"], saved["timesteps"]
        self.rng.set_state(saved["rng"])
        torch.set_rng_state(saved["torch"])
        kind, numbers, *place = saved["numpy"]
        np.random.set_state((kind, np.array(numbers, np.uint32), *place))
        self.agent._last_episode_starts = saved["begins"].numpy()
