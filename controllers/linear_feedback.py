"""LinearFeedback: gains times the way from the state to a reference, in the tangent space."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from engine import parts
from engine.model import Model, require_model
from engine.model.constants import NQ, NV
from engine.model.coordinates import difference

from .controller import Controller, Named, numbers, stored, whole
from .pd import same_robot


class LinearFeedback(Controller):
    """u = clip(u0[k] + K[k] (x*[k] - x), lo, hi), k = min(t // every, rows - 1) at control step t.

    x* - x = (dq, dv, dact), (2 nv + na,), in the tangent space, as `linearize` has it: dq of a ball or free joint is
    a rotation vector in its own axes. K: (nu, 2 nv + na) or (rows, nu, 2 nv + na). qpos, qvel, act: the reference,
    default the model's qpos0 at rest; ctrl: u0, default zero; each with or without rows. every: control steps between
    rows. limits: "model" (ctrlrange of actuators that have one), None, or (lo, hi) of (nu,). A clipped control passes
    no gradient on but to its limit.
    """

    K = Named("gains, (rows, nu, 2 nv + na)")
    qpos = Named("reference, (rows, nq)")
    qvel = Named("reference, (rows, nv)")
    act = Named("reference, (rows, na)")
    ctrl = Named("controls at the reference, (rows, nu)")
    lo = Named("lower limit of the controls that have one, (nu,)")
    hi = Named("upper limit, (nu,)")

    def __init__(
        self, model: Model, K: ArrayLike, qpos: ArrayLike | None = None, qvel: ArrayLike | None = None,
        act: ArrayLike | None = None, ctrl: ArrayLike | None = None, every: int = 1, limits: Any = "model",
    ) -> None:  # fmt: skip
        m, K = require_model(model, "LinearFeedback: model"), np.asarray(K, float)
        nx = 2 * m.nv + m.na
        K = K[None] if K.ndim == 2 else K
        if K.ndim != 3 or K.shape[1:] != (m.nu, nx):
            raise ValueError(f"LinearFeedback: K: got shape {K.shape}, allowed: (rows, {m.nu}, {nx}) or ({m.nu}, {nx})")
        limited, lo, hi = control_limits(m, limits)
        self._make({"nq": m.nq, "nv": m.nv, "na": m.na, "nu": m.nu, "rows": len(K), "every": whole("every", every),
                    "qposadr": m.jnt_qposadr.tolist(), "dofadr": m.jnt_dofadr.tolist(),
                    "jnt_type": m.jnt_type.tolist(), "limited": limited.astype(int).tolist()})  # fmt: skip
        self.K = K
        given = {"qpos": m.qpos0 if qpos is None else qpos, "qvel": qvel, "act": act, "ctrl": ctrl}
        for name, value in given.items():
            if value is not None:
                view = self.view(name)
                shapes = [view.shape, view.shape[1:], (1, *view.shape[1:])]
                view[...] = numbers(f"LinearFeedback: {name}", value, shapes, broadcast=True)
        self.lo, self.hi = lo, hi

    def _make(self, config):
        nq, nv, na, nu, rows = (config[n] for n in ("nq", "nv", "na", "nu", "rows"))
        # one row of the kernel's table after the other: K, x*, u0
        self._row = {"K": (nu, 2 * nv + na), "qpos": (nq,), "qvel": (nv,), "act": (na,), "ctrl": (nu,)}
        self._width = sum(int(np.prod(s)) for s in self._row.values())
        super().__init__(config, {"table": (rows, self._width), "lo": (nu,), "hi": (nu,)}, nu)

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """The controller that `save` described; ValueError where the description means nothing."""
        stored("LinearFeedback", config, nq=0, nv=0, na=0, nu=0, rows=1, every=1)
        nq, nv, nu = (config[n] for n in ("nq", "nv", "nu"))
        stored("LinearFeedback", config, jnt_type=(0, 4), limited=(0, 2), qposadr=(0, nq), dofadr=(0, nv))
        joints = list(zip(*(config[n] for n in ("jnt_type", "qposadr", "dofadr")), strict=True))
        fit = all(q + NQ[kind] <= nq and v + NV[kind] <= nv for kind, q, v in joints)
        if not fit or len(config["limited"]) != nu:
            raise ValueError(f"LinearFeedback: config: got {config!r}, allowed: joints and limits of one robot")
        made = cls.__new__(cls)
        made._make(config)
        return made

    def names(self) -> tuple[str, ...]:
        return (*self._row, "lo", "hi")

    def view(self, name: str) -> Any:
        if name not in self._row:
            return super().view(name)
        table, at = super().view("table"), 0
        for other, shape in self._row.items():
            n = int(np.prod(shape))
            if other == name:
                view = table[..., at : at + n]
                return view.reshape((*view.shape[:-1], *shape))
            at += n

    def _parts(self, tape):
        same_robot(self, tape.sim.model, ("nq", "nv", "na"))
        c = self._config
        nx = 2 * c["nv"] + c["na"]
        return [parts.Part(parts.LINEAR, parts.TO_CTRL, self.nparam, c["limited"], size=c["rows"], step=c["every"],
                           scratch=nx + 2 * c["nu"])]  # fmt: skip

    def _control(self, t, time, qpos, qvel, act=None):
        c = self._config
        k = min(t // c["every"], c["rows"] - 1)
        K, goal, v, u0 = (getattr(self, n)[..., k, :] for n in ("qpos", "qpos", "qvel", "ctrl"))
        K = self.K[..., k, :, :]
        act = np.zeros((*qpos.shape[:-1], c["na"])) if act is None else act
        x = np.concatenate([np.broadcast_arrays(difference(_joints(c), qpos, goal), qvel * 0)[0], v - qvel,
                            self.act[..., k, :] - act], axis=-1)  # fmt: skip
        u = u0 + (K @ x[..., None])[..., 0]
        return np.where(c["limited"], np.clip(u, self.lo, self.hi), u)


def control_limits(model, limits="model"):
    """(limited, lo, hi), (nu,) each: "model": ctrlrange where there is one; None: no limits; or (lo, hi)."""
    limited = np.asarray(model.actuator_ctrllimited, bool)
    if limits is None:
        return limited & False, np.zeros(model.nu), np.zeros(model.nu)
    if isinstance(limits, str):
        return limited, *np.where(limited[:, None], model.actuator_ctrlrange, 0.0).T
    lo, hi = (numbers("limits", x, [(model.nu,), ()], broadcast=True) for x in limits)
    if (lo >= hi).any():
        raise ValueError(f"limits: got {limits!r}, allowed: lower ones below upper ones")
    return limited | True, lo, hi


def _joints(config):
    """What `difference` asks of a model, from a stored configuration."""
    return SimpleNamespace(
        jnt_type=config["jnt_type"], jnt_qposadr=config["qposadr"], jnt_dofadr=config["dofadr"], nv=config["nv"]
    )
