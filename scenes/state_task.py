"""Tasks that see the whole simulator, remember things, and change worlds: commands, pushes, delays, other masses."""

from typing import Any

import numpy as np

from .task import Task


class StateTask(Task):
    """A task of all worlds at once, whose methods take a state view `s` (engine.rl.StateView), worlds first:

    s.data      the simulator's data: qpos qvel act ctrl sensordata xpos ..., `s.data.sensor("gyro").data`, contacts
    s.params    its parameters, with `own_params` of each world: s.params.body_mass[w, b]; else read-only
    s.time, s.steps, s.dt       seconds and control steps since the episode began, (worlds,); seconds of a control step
    s.action, s.last_action     the policy's numbers of this control step and of the one before, (worlds, size)
    s.draw(f, rows)             f(rng) of each world's own generator, one row for each
    s.<name>                    what `remembered` names, (worlds, size), zero when an episode begins

    remembered  {name: numbers that each world keeps}: a command, a queue of delayed controls
    own_params  each world has parameters of its own; those of a world whose episode begins are the model's again, and
                `begin` may change them
    leaves      names of further parameters, as a Simulator takes them: frames, sizes, contacts
    evaluated   results (sensors, poses, contacts) are those of the state itself, which takes the time of one physics
                step more in each control step; else those of its last physics step, as in MuJoCo

    Draw random numbers and write only for the worlds that a method names, by `rows`: an environment of many worlds is
    then the same as many of one, bit for bit. Only `observe` and `terms` have to be there.
    """

    stateful = True
    remembered: dict[str, int] = {}  # noqa: RUF012
    own_params = False
    leaves: tuple[str, ...] = ()
    evaluated = False

    def actions(self, model: Any) -> Any:
        """(low, high), (size,) each, of the policy's numbers; by default the controls and their ranges."""
        limited = np.asarray(model.actuator_ctrllimited, bool)[:, None]
        return np.where(limited, model.actuator_ctrlrange, (-np.inf, np.inf)).T

    def begin(self, s: Any, rows: np.ndarray) -> None:
        """An episode begins in the worlds `rows`, whose start state is set: another pose, a command, parameters."""

    def before(self, s: Any, rows: np.ndarray) -> None:
        """A control step of `rows` begins, s.action is there: pushes (s.data.xfrc_applied), new commands."""

    def controls(self, s: Any) -> np.ndarray:
        """The controls (worlds, nu) that s.action means."""
        return s.action

    def observe(self, s: Any) -> np.ndarray:
        """What a policy sees, (worlds, size)."""
        raise NotImplementedError(f"{type(self).__name__} has no observe(s), what a policy sees")

    def terms(self, s: Any) -> dict[str, np.ndarray]:
        """The parts of the reward by name, (worlds,) each, of the control step that has ended."""
        raise NotImplementedError(f"{type(self).__name__} has no terms(s), the parts of its reward")

    def ended(self, s: Any) -> np.ndarray:
        """Is the episode over, before its time? Booleans (worlds,)."""
        return np.zeros(len(s.data.qpos), bool)

    def info(self, s: Any) -> dict[str, np.ndarray]:
        """More for `info` and `infos`, (worlds, ...) each."""
        return {}
