"""A vector environment for RSL-RL (extra `rsl`), whose interface is of tensors and leaves resets to the environment."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

try:
    import torch
    from rsl_rl.env import VecEnv
    from tensordict import TensorDict
except ImportError as e:
    raise ImportError('engine.rl.rsl needs RSL-RL: pip install "pullback[rsl]"') from e

_NO_LIMIT = 10**9  # control steps


class RslVecEnv(VecEnv):
    """`envs`, an engine.rl.VectorEnv in the mode SAME_STEP, as an rsl_rl VecEnv of version 3 or later.

        envs = engine.rl.VectorEnv("hopper", 64, autoreset_mode="SameStep")
        OnPolicyRunner(engine.rl.RslVecEnv(envs), config, "runs/hopper").learn(300)

    The one group of observations is "policy", (num_envs, n), in float32; `obs_groups` of the config names it for actor
    and critic. Actions beyond their bounds are cut off there: a Gaussian policy knows none. `extras` has "time_outs"
    and, as "log", means of the numbers in the infos, the terms of the reward among them. device: of all tensors. seed:
    of the first episodes, as in `VectorEnv.reset`.
    """

    def __init__(self, envs: Any, device: str = "cpu", seed: int | None = None) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(f"envs: got autoreset mode {mode}, allowed: SAME_STEP, the one of RSL-RL")
        self.envs, self.device, self.cfg = envs, device, {"scene": envs.unwrapped.scene.name}
        self.num_envs, self.num_actions = envs.num_envs, envs.single_action_space.shape[0]
        self.max_episode_length = int(min(envs.unwrapped.limit, _NO_LIMIT))
        self._bounds = envs.single_action_space.low, envs.single_action_space.high
        self._seen = self._observed(envs.reset(seed=seed)[0])

    @property
    def episode_length_buf(self) -> torch.Tensor:
        """Control steps of each environment's episode so far; what is assigned shortens the episodes that run."""
        return torch.as_tensor(self.envs.unwrapped.episode_lengths.copy(), device=self.device)

    @episode_length_buf.setter
    def episode_length_buf(self, lengths: torch.Tensor) -> None:
        self.envs.unwrapped.episode_lengths[:] = lengths.cpu().numpy()

    def get_observations(self) -> TensorDict:
        """Those that the last step left."""
        return self._seen

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """One control step; actions (num_envs, num_actions). Returns observations, rewards, ends, extras."""
        controls = np.clip(actions.detach().cpu().numpy().astype(float), *self._bounds)
        observations, rewards, terminations, truncations, infos = self.envs.step(controls)
        self._seen = self._observed(observations)
        extras = {"time_outs": self._tensor(truncations & ~terminations), "log": _means(infos)}
        return self._seen, self._tensor(rewards, torch.float32), self._tensor(terminations | truncations), extras

    def reset(self) -> tuple[TensorDict, dict[str, Any]]:
        """Start all environments again."""
        self._seen = self._observed(self.envs.reset()[0])
        return self._seen, {}

    def close(self) -> None:
        """Close `envs`."""
        self.envs.close()

    def _tensor(self, array, dtype=None):
        return torch.as_tensor(np.array(array), dtype=dtype, device=self.device)

    def _observed(self, observations):
        return TensorDict({"policy": self._tensor(observations, torch.float32)}, batch_size=[self.num_envs])


def _means(infos):
    """The mean over the environments of each number that the infos have of all."""
    found = {}
    for name, values in infos.items():
        number = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind == "f"
        if name[0] != "_" and number and infos[f"_{name}"].all():
            found[f"/{name}"] = float(values.mean())
    return found
