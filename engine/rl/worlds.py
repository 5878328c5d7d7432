"""Worlds of one scene as environments need them: stepped together, judged by the scene's task, reset one by one.

Observations, rewards and their terms are arrays with the worlds first; with `worlds=None` there is one world and no
such axis, which spares a single environment time.

A task may also use what a step leaves in the simulator and the state does not hold (contact forces). It then has
`workspace(sim)` (worlds, n) after a step, `start_workspace(sim, rows)` (len(rows), n) of worlds that were just reset,
`observation_with` and `reward_with`; scenes/ant.py is an example.
"""

import numpy as np
from gymnasium import spaces

from engine.arguments import checked
from engine.compiler.backend import np_real
from engine.finite import require_finite, within
from engine.model.constants import MAXVAL
from engine.rl.registration import find_scene
from engine.simulator import Simulator

OPTIONS = ("qpos", "qvel")  # what `reset(options=...)` takes: the state to start from


class Worlds:
    """The simulator, the task and the spaces behind an environment."""

    extra = False  # whether the task uses what a step leaves in the simulator

    def __init__(self, scene, worlds=None):
        self.scene = find_scene(scene)
        self.task, self.model, self.dt = self.scene.task, self.scene.model, self.scene.dt
        leaves, own = getattr(self.task, "leaves", ()), getattr(self.task, "own_params", False)
        self.sim = Simulator(self.model, worlds or 1, leaves=leaves, own_params=own)
        self.row = 0 if worlds is None else slice(None)
        self._before = self.sim.data.qpos.copy(), self.sim.data.qvel.copy()
        self._look()
        self._prepare()

    def _prepare(self):
        """What is asked of the task once, and the spaces."""
        self.extra = hasattr(self.task, "workspace")
        self.workspace = self.task.start_workspace(self.sim, np.arange(self.sim.worlds)) if self.extra else None
        self.single_action_space = _action_space(self.model)
        size = self.observe().shape[-1]
        self.single_observation_space = spaces.Box(-MAXVAL, MAXVAL, (size,), np_real())

    def _look(self):
        """Views of the simulator's memory and of the state before a step."""
        data = self.sim.data
        self.qpos, self.qvel, self.ctrl = (a[self.row] for a in (data.qpos, data.qvel, data.ctrl))
        self.before = tuple(a[self.row] for a in self._before)

    def __getstate__(self):
        return {n: value for n, value in self.__dict__.items() if n not in ("qpos", "qvel", "ctrl", "before")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._look()

    def observe(self):
        if self.extra:
            observation = self.task.observation_with(self.qpos, self.qvel, self.workspace[self.row])
        else:
            observation = self.task.observation(self.qpos, self.qvel)
        # users keep what they are given: never a view of the live state
        return observation if observation.base is None else observation.copy()

    def reset(self, rows, rngs, options=None):
        """Start the worlds `rows` again, each from its own random numbers or from options' "qpos" and "qvel".

        Options are (nq,) or (all worlds, nq), likewise qvel.
        """
        options = options or {}
        unknown = set(options) - set(OPTIONS)
        if unknown:
            raise ValueError(f"reset options: got {sorted(unknown)}, allowed: {', '.join(OPTIONS)}")
        starts = [self.scene.start(rng) for rng in rngs]
        state = []
        for k, name in enumerate(OPTIONS):
            value = np.concatenate([start[k] for start in starts])
            if name in options:
                value = checked(f"reset options: {name}", options[name], getattr(self.sim.data, name).shape)[rows]
            state.append(value)
        self.sim.reset(*state, worlds=rows)
        if self.extra:
            self.workspace[rows] = self.task.start_workspace(self.sim, np.asarray(rows))

    def controls(self, action):
        """An action as numbers, or an error that names what is wrong with it."""
        try:
            action = np.asarray(action, float)
        except (TypeError, ValueError):
            raise ValueError(f"action: got {action!r}, allowed: numbers of shape {self.ctrl.shape}") from None
        if action.shape != self.ctrl.shape:
            raise ValueError(f"action: got shape {action.shape}, allowed: {self.ctrl.shape}")
        require_finite("action", action)
        return action

    def step(self, action, held=None):
        """Hold `controls` for one control step: (observation, reward, its terms, terminated, diverged or None).

        held: worlds that do not move, booleans (worlds,); what is returned for them means nothing. A world that
        diverges ends there, with the reward 0, and is left in the last state that was finite.
        """
        self.ctrl[...] = action
        if held is not None:
            self.ctrl[held] = 0.0
        diverged = self._advance(held)
        if self.extra:
            workspace, self.workspace = self.workspace, self.task.workspace(self.sim)
            for stopped in (held, diverged):
                if stopped is not None:
                    self.workspace[stopped] = workspace[stopped]
        observation = self.observe()
        # The engine stops at velocities beyond the observation space's limits; positions could creep past them.
        if not within(observation, MAXVAL):
            diverged = self._outside(observation, diverged)
        reward, terms, terminated = self.task.outcome(*self.before, action, self.qpos, self.qvel, self.dt)
        if self.extra:
            around = workspace[self.row], self.workspace[self.row]
            reward, terms = self.task.reward_with(terms, *around, self.dt)
        return observation, *self._judged(reward, terms, terminated, diverged)

    def _advance(self, held):
        """The control step; which worlds diverged, which are back in the state before it, or None."""
        self.before[0][...], self.before[1][...] = self.qpos, self.qvel
        diverged = self.sim.advance(self.scene.frame_skip, held)
        if diverged is not None:
            self.sim.reset(*(before[diverged] for before in self._before), worlds=diverged)
        return diverged

    def _judged(self, reward, terms, terminated, diverged):
        """These, with nothing paid to worlds that diverged, and their end."""
        if diverged is not None:
            diverged = diverged[self.row]
            reward, terminated = np.where(diverged, 0.0, reward), terminated | diverged
            terms = {name: np.where(diverged, 0.0, value) for name, value in terms.items()}
        return reward, terms, terminated, diverged

    def info(self):
        """More than the terms of the reward and the place, for `info` and `infos`."""
        return {}

    def _outside(self, observation, diverged):
        outside = (np.abs(observation) > MAXVAL).reshape(self.sim.worlds, -1).any(axis=1)
        if not outside.any():
            return diverged
        np.clip(observation, -MAXVAL, MAXVAL, out=observation)
        return outside if diverged is None else outside | diverged


def _action_space(model):
    """The controls within their ranges; those without one are unbounded."""
    limited = np.asarray(model.actuator_ctrllimited, bool)[:, None]
    low, high = np.where(limited, model.actuator_ctrlrange, (-np.inf, np.inf)).T.astype(np.float32)
    return spaces.Box(low, high, dtype=np.float32)
