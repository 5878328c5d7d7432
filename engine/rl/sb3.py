"""A vector environment for Stable-Baselines3 (extra `sb3`), whose own interface is older than Gymnasium's."""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

try:
    from stable_baselines3.common.vec_env import VecEnv
except ImportError as e:
    raise ImportError('engine.rl.sb3 needs Stable-Baselines3: pip install "pullback[sb3]"') from e


class SB3VecEnv(VecEnv):
    """`envs`, a gymnasium.vector.VectorEnv in the mode SAME_STEP, as a stable_baselines3 VecEnv.

        envs = gymnasium.make_vec("Pullback/Hopper-v0", 16, autoreset_mode="SameStep")
        model = PPO("MlpPolicy", VecMonitor(SB3VecEnv(envs)))

    Attributes and methods (`get_attr`, `env_method`) are those of the whole vector environment: it has no parts.
    """

    def __init__(self, envs: Any) -> None:
        mode = envs.metadata.get("autoreset_mode")
        if mode != AutoresetMode.SAME_STEP:
            raise ValueError(f"envs: got autoreset mode {mode}, allowed: SAME_STEP, the one of Stable-Baselines3")
        self.envs = envs
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> Any:
        observations, _ = self.envs.reset(seed=list(self._seeds), options=self._options_of_all())
        self._reset_seeds()
        self._reset_options()
        return observations

    def _options_of_all(self):
        """What `set_options` was given for each environment, as arrays over them; one dict for all goes as it is."""
        first, *others = self._options
        if all(options is first for options in others):
            return first or None
        if any(set(options) != set(first) for options in others):
            raise ValueError("set_options: got other names for some environments, allowed: the same for each")
        return {name: np.stack([options[name] for options in self._options]) for name in first} or None

    def step_async(self, actions: Any) -> None:
        self._actions = actions

    def step_wait(self) -> Any:
        observations, rewards, terminations, truncations, infos = self.envs.step(self._actions)
        ends = terminations | truncations
        each = _apart(infos, self.num_envs)
        last = _apart(infos.get("final_info", {}), self.num_envs)
        for k in np.flatnonzero(ends):
            each[k] = last[k]
            each[k]["terminal_observation"] = infos["final_obs"][k]
            each[k]["TimeLimit.truncated"] = bool(truncations[k] and not terminations[k])
        return observations, rewards.astype(np.float32), ends, each

    def close(self) -> None:
        self.envs.close()

    def get_images(self) -> Any:
        return self.envs.render() or [None] * self.num_envs

    def get_attr(self, attr_name: Any, indices: Any = None) -> Any:
        return [getattr(self.envs, attr_name)] * len(self._get_indices(indices))

    def set_attr(self, attr_name: Any, value: Any, indices: Any = None) -> Any:
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: Any, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> Any:
        result = getattr(self.envs, method_name)(*method_args, **method_kwargs)
        return [result] * len(self._get_indices(indices))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> Any:
        return [False] * len(self._get_indices(indices))


def _apart(infos, n):
    """Gymnasium's arrays over the environments as a dict for each, without the reports of what ended."""
    each = [{} for _ in range(n)]
    for name, values in infos.items():
        if name[0] != "_" and not name.startswith("final_"):
            for k in np.flatnonzero(infos[f"_{name}"]):
                each[k][name] = values[k]
    return each
