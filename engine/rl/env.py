"""One scene as a gymnasium.Env."""

from typing import Any, ClassVar

import gymnasium
import numpy as np

from engine.rl.render import Screen
from engine.rl.state_view import worlds_of
from engine.words import counted

RENDER_MODES = ("human", "rgb_array")


class Env(gymnasium.Env):
    """A scene's robot at its task.

    scene: name of a built-in scene, or a Scene that has a task. render_mode: None, "rgb_array" (`render` returns an
    image (height, width, 3) of bytes) or "human" (a window shows every step). width, height: of the picture, pixels.

    Observation, reward and termination are the task's; actions are the controls of the model, clamped to their ranges
    by the physics as in MuJoCo, not in the reward. `info` holds the terms of the reward (`reward_forward`) and where
    the robot is (`x_position`, `x_velocity`). The time limit is Gymnasium's wrapper: `gymnasium.make` adds it.
    `reset(options={"qpos": ..., "qvel": ...})` starts from a given state. A state that diverges terminates the episode
    with the reward 0 and `info["diverged"]`; the observation is that of the last finite state.
    """

    metadata: ClassVar[dict] = {"render_modes": list(RENDER_MODES)}

    def __init__(self, scene: Any, render_mode: str | None = None, width: int = 720, height: int = 405) -> None:
        self.render_mode = checked_mode(render_mode)
        self.worlds = worlds_of(scene)
        self.scene, self.sim = self.worlds.scene, self.worlds.sim
        self.metadata = self.metadata | {"render_fps": round(1.0 / self.scene.dt)}
        self.action_space = self.worlds.single_action_space
        self.observation_space = self.worlds.single_observation_space
        self._screen = Screen(self.scene, width, height) if render_mode else None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None,
    ) -> tuple[np.ndarray, dict[str, Any]]:  # fmt: skip
        super().reset(seed=seed)
        self.worlds.reset([0], [self.np_random], options)
        if self.render_mode == "human":
            self.render()
        return self.worlds.observe(), position_info(self.worlds)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        observation, reward, terms, terminated, diverged = self.worlds.step(self.worlds.controls(action))
        info = step_info(self.worlds, terms)
        if diverged:
            info["diverged"] = True
        if self.render_mode == "human":
            self.render()
        return observation, float(reward), bool(terminated), False, info

    def render(self) -> Any:
        if self._screen is None:
            return None
        data = self.sim.data
        image = self._screen.image(data.qpos[0], data.qvel[0], float(data.time[0]))
        if self.render_mode == "rgb_array":
            return image
        self._screen.show(image)
        return None

    def __repr__(self) -> str:
        scene, seen, acts = self.scene, self.observation_space.shape, self.action_space.shape
        steps = f"{counted(scene.steps, 'step')} of {scene.dt:g} s"
        return f"<Env {scene.name!r}: observation {seen}, action {acts}, {steps}>"

    def close(self) -> None:
        if self._screen is not None:
            self._screen.close()


def checked_mode(mode):
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"render_mode: got {mode!r}, allowed: None, {', '.join(RENDER_MODES)}")
    return mode


def position_info(worlds):
    """Where the robot is, by Gymnasium's names."""
    return {f"{axis}_position": copied(value) for axis, value in worlds.task.position(worlds.qpos).items()}


def step_info(worlds, terms):
    """The terms of the reward, where the robot is, and its velocity over the control step."""
    info = {f"reward_{name}": copied(value) for name, value in terms.items()}
    position = worlds.task.position
    before, after = position(worlds.before[0]), position(worlds.qpos)
    for axis in after:
        info[f"{axis}_position"] = copied(after[axis])
        info[f"{axis}_velocity"] = (after[axis] - before[axis]) / worlds.dt
    return info | {name: copied(value) for name, value in worlds.info().items()}


def copied(value):
    """An array of the caller's own, or a scalar: what is given away must not change with the state."""
    return value if isinstance(value, np.generic) else np.array(value)[()]
