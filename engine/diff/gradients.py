"""What a reverse pass of a tape returns: gradients by states, controls, forces and parameters."""

from collections.abc import Iterator, KeysView
from functools import cached_property

import numpy as np

from engine.arrays import parameter, theta_layout
from engine.leaves import unasked
from engine.words import counted, meant, shapes


class ModelGradients:
    """Gradients with respect to the model's differentiable parameters: `[name]` summed over worlds, or of each where
    worlds have `own` parameters.

    theta_bar: all of them, (worlds, ntheta), in the order of `arrays.theta_layout`.
    """

    def __init__(self, model, theta_bar, leaves=(), own=False):
        self._model, self.theta_bar, self._leaves, self.own = model, theta_bar, leaves, own

    @cached_property
    def _layout(self):
        return theta_layout(self._model, self._leaves)[0]

    def __getitem__(self, name: str) -> np.ndarray:
        found = self.per_world(name)
        return found if self.own else found.sum(axis=0)

    def per_world(self, name: str) -> np.ndarray:
        """The same before the sum, (worlds, ...)."""
        if name not in self._layout:
            known = unasked(name) or f"{meant(name, self._layout)}; there are: {', '.join(self._layout)}"
            raise KeyError(f"no gradient with respect to {name!r}{known}")
        at, _ = self._layout[name]
        shape = np.shape(parameter(self._model, name))
        return self.theta_bar[:, at : at + int(np.prod(shape))].reshape(len(self.theta_bar), *shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layout)

    def keys(self) -> KeysView[str]:
        return self._layout.keys()

    def __repr__(self):
        how = "of each of" if self.own else "each summed over"
        return f"<gradients of parameters, {how} {counted(len(self.theta_bar), 'world')}: {', '.join(self)}>"


class Gradients:
    """What `Tape.backward` returns.

    ctrl (steps, worlds, nu): with respect to the controls that acted (with a controller: through the robot, the
    controller's own output included). params: the controller's parameters, their own shape. qpos0 (worlds, nq),
    qvel0 (worlds, nv), act0 (worlds, na): the start state. model: the model's parameters. qfrc_applied (worlds, nv),
    xfrc_applied (worlds, nbody, 6; force, then torque, at the body's centre of mass): the forces that the rollout held.
    mocap_pos (steps, worlds, nmocap, 3), mocap_quat (steps, worlds, nmocap, 4): the mocap bodies in each control
    step; of a pose that was held, sum over the steps. A quaternion counts normalised: the gradient is across it.
    """

    ctrl: np.ndarray
    params: np.ndarray
    qpos0: np.ndarray
    qvel0: np.ndarray
    act0: np.ndarray
    model: ModelGradients
    qfrc_applied: np.ndarray
    xfrc_applied: np.ndarray
    mocap_pos: np.ndarray
    mocap_quat: np.ndarray

    def __init__(self, ctrl, params, qpos0, qvel0, act0, model, qfrc_applied, xfrc_applied, mocap_pos, mocap_quat):
        self.ctrl, self.params, self.qpos0, self.qvel0, self.act0, self.model = ctrl, params, qpos0, qvel0, act0, model
        self.qfrc_applied, self.xfrc_applied = qfrc_applied, xfrc_applied
        self.mocap_pos, self.mocap_quat = mocap_pos, mocap_quat

    def __repr__(self):
        arrays = {n: a for n, a in vars(self).items() if n != "model"}
        return f"<Gradients: {shapes(arrays)}, model: {', '.join(self.model)}>"
