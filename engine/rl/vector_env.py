"""Many worlds of one scene as a gymnasium.vector.VectorEnv: one simulator, one launch a step."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import gymnasium
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from engine.arguments import whole
from engine.rl.env import RENDER_MODES, checked_mode, position_info, step_info
from engine.rl.render import Screen
from engine.rl.state_view import worlds_of


class VectorEnv(gymnasium.vector.VectorEnv):
    """`num_envs` robots of a scene at its task; what Env says of one holds for each.

    max_episode_steps: control steps after which an episode is truncated; None is the scene's own number, -1 no limit.
    autoreset_mode: gymnasium.vector.AutoresetMode or its value. NEXT_STEP (default): the step after the last one
    ignores the action and returns the first observation. SAME_STEP: the last step returns the first observation of the
    next episode, infos["final_obs"] and infos["final_info"] the end of the old one. DISABLED: the user resets ended
    environments with `reset(options={"reset_mask": mask})`; stepping one that ended raises ResetNeeded.
    render_mode: "rgb_array": `render` returns an image for each environment. "human": a window shows the first one.

    Environment k behaves as a single one that was reset with its seed: `reset(seed=s)` gives environment k the seed
    s + k; a list gives each its own. A world that diverges ends alone, the others do not notice.
    """

    def __init__(
        self, scene: Any, num_envs: int = 1, max_episode_steps: int | None = None,
        autoreset_mode: Any = AutoresetMode.NEXT_STEP, render_mode: str | None = None, width: int = 720,
        height: int = 405,
    ) -> None:  # fmt: skip
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.render_mode = checked_mode(render_mode)
        self.num_envs = n = whole("worlds", num_envs)
        self.worlds = worlds_of(scene, n)
        self.scene, self.sim = self.worlds.scene, self.worlds.sim
        self.limit = _limit(self.scene.steps if max_episode_steps is None else max_episode_steps)
        self.metadata = {
            "render_modes": list(RENDER_MODES), "render_fps": round(1.0 / self.scene.dt),
            "autoreset_mode": self.autoreset_mode,
        }  # fmt: skip
        self.single_action_space = self.worlds.single_action_space
        self.single_observation_space = self.worlds.single_observation_space
        self.action_space = batch_space(self.single_action_space, n)
        self.observation_space = batch_space(self.single_observation_space, n)
        self._random = [(None, None)] * n  # generator and seed of each environment, made when first asked for
        self._elapsed = np.zeros(n, int)
        self._ended, self._started = np.ones(n, bool), np.zeros(n, bool)
        self._all = np.ones(n, bool)
        self._screen = Screen(self.scene, width, height) if render_mode else None

    def __repr__(self) -> str:
        seen, acts, scene = self.observation_space.shape, self.action_space.shape, self.scene
        return f"<VectorEnv {scene.name!r}: observation {seen}, action {acts}, steps of {scene.dt:g} s>"

    @property
    def episode_lengths(self) -> np.ndarray:
        """Control steps of each environment's episode so far (num_envs,), live: writing shortens or prolongs them."""
        return self._elapsed

    @property
    def np_random(self) -> Any:
        """The generators of all environments."""
        return tuple(self._generator(k) for k in range(self.num_envs))

    @property
    def np_random_seed(self) -> Any:
        """The seeds of all environments."""
        return tuple(self._generator(k) and self._random[k][1] for k in range(self.num_envs))

    def _generator(self, k):
        if self._random[k][0] is None:
            self._random[k] = seeding.np_random()
        return self._random[k][0]

    # ------------------------------------------------------------------------------------------------------ reset

    def reset(self, *, seed: Any = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Start all environments, or those of options["reset_mask"] (booleans), again.

        seed: None, a number, or a list with a number or None for each environment. options: see Env.
        """
        seeds = self._seeds(seed)
        options = dict(options or {})
        mask = self._mask(options.pop("reset_mask", None))
        rows = np.flatnonzero(mask)
        for k in rows:
            if seeds[k] is not None:
                self._random[k] = seeding.np_random(seeds[k])
        self._start(rows, options)
        if self.render_mode == "human":
            self.render()
        infos = {}
        for name, value in position_info(self.worlds).items():
            infos[name], infos[f"_{name}"] = np.where(mask, value, 0.0), mask.copy()
        return self.worlds.observe(), infos

    def _start(self, rows, options=None):
        self.worlds.reset(rows, [self._generator(k) for k in rows], options)
        self._elapsed[rows] = 0
        self._ended[rows], self._started[rows] = False, True

    def _seeds(self, seed):
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, Integral):
            return [int(seed) + k for k in range(self.num_envs)]
        if not isinstance(seed, Sequence | np.ndarray) or isinstance(seed, str):
            raise TypeError(f"seed: got {seed!r}, allowed: None, a whole number, or a list with one for each")
        if len(seed) != self.num_envs:
            raise ValueError(f"seed: got a list of {len(seed)}, allowed: one for each of {self.num_envs} environments")
        return list(seed)

    def _mask(self, mask):
        if mask is None:
            return np.ones(self.num_envs, bool)
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask']: got {mask!r}, allowed: a NumPy array of booleans")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"options['reset_mask']: got shape {mask.shape} with {mask.sum()} True, "
                f"allowed: shape ({self.num_envs},) with one or more"
            )
        return mask

    # ------------------------------------------------------------------------------------------------------- step

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One control step of every environment; actions (num_envs, nu). Returns what gymnasium's VectorEnv does."""
        controls = self.worlds.controls(actions)
        held = self._before_step()
        observations, rewards, terms, terminations, diverged = self.worlds.step(controls, held)
        self._elapsed += 1
        if held is not None:
            rewards, terminations = np.where(held, 0.0, rewards), terminations & ~held
            self._elapsed[held] = 0
        truncations = self._elapsed >= self.limit
        self._ended = ended = terminations | truncations
        moved = self._all if held is None else ~held
        values = {name: (value, moved) for name, value in step_info(self.worlds, terms).items()}
        if diverged is not None:
            values["diverged"] = diverged, diverged & moved
        infos = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP and np.count_nonzero(ended):
            infos = self._same_step(ended, observations, values)
        if held is not None or infos:  # those that start again know where they are
            values |= {name: (value, self._all) for name, value in position_info(self.worlds).items()}
        self._add(infos, values)
        if self.render_mode == "human":
            self.render()
        return observations, np.array(rewards, float), terminations, truncations, infos

    def _before_step(self):
        """Environments that start again instead of taking this step."""
        if not np.count_nonzero(self._ended):  # a fifth of the time of any()
            return None
        if self.autoreset_mode != AutoresetMode.NEXT_STEP or not self._started.all():
            rows = np.flatnonzero(self._ended if self._started.all() else ~self._started).tolist()
            raise gymnasium.error.ResetNeeded(f"environments {rows} have ended or were never reset: reset them")
        held = self._ended.copy()
        self._start(np.flatnonzero(held))
        return held

    def _same_step(self, ended, observations, values):
        """Keep the end of the episodes in infos, and begin the next ones in `observations` and `values`."""
        rows = np.flatnonzero(ended)
        final = np.full(self.num_envs, None, dtype=object)
        for k in rows:
            final[k] = observations[k].copy()
        last = {name: (value, mask & ended) for name, (value, mask) in values.items()}
        infos = {"final_obs": final, "_final_obs": ended.copy()}
        infos |= {"final_info": self._add({}, last), "_final_info": ended.copy()}
        for name, (value, mask) in values.items():
            values[name] = value, mask & ~ended
        self._start(rows)
        observations[rows] = self.worlds.observe()[rows]
        return infos

    def _add(self, infos, values):
        """Gymnasium's form: an array over the environments for each name, and under _name which entries are there."""
        for name, (value, mask) in values.items():
            there = np.count_nonzero(mask)
            if there:
                each = mask.reshape(-1, *[1] * (value.ndim - 1))
                infos[name] = value if there == len(mask) else np.where(each, value, np.zeros((), value.dtype))
                infos[f"_{name}"] = mask.copy()
        return infos

    # ----------------------------------------------------------------------------------------------------- pictures

    def render(self) -> Any:
        if self._screen is None:
            return None
        data = self.sim.data
        images = (self._screen.image(data.qpos[k], data.qvel[k], float(data.time[k])) for k in range(self.num_envs))
        if self.render_mode == "rgb_array":
            return tuple(images)
        self._screen.show(next(images))
        return None

    def close_extras(self, **kwargs: Any) -> None:
        if self._screen is not None:
            self._screen.close()


def _limit(steps):
    if isinstance(steps, bool) or not isinstance(steps, Integral) or not (steps > 0 or steps == -1):
        raise ValueError(f"max_episode_steps: got {steps!r}, allowed: a whole number from 1, or -1 for no limit")
    return np.inf if steps == -1 else int(steps)
