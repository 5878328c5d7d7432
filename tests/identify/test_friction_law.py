"""Friction that falls with speed and grows with load, found in logs of an arm that MuJoCo simulated, whose
frictionloss was set before each step."""

import mujoco
import numpy as np
import pytest

import engine
from engine.identify import Log, Problem, Unknown, fit
from engine.residuals import Friction, friction_places

from .twin import STEP, arm

TRUTH = {"dof_damping:lone": 0.06, "stribeck:lone": 0.12, "stribeck_speed:lone": 0.25, "load_friction:lone": 0.08}
DRY = 0.03


def log(seconds=4.0, noise=1e-4, seed=1):
    """The lone joint swings slowly, through rest again and again."""
    mj, rng = arm(), np.random.default_rng(seed)
    dof, u = mj.joint("lone").dofadr[0], mj.actuator("lone").id
    mj.dof_damping[dof] = TRUTH["dof_damping:lone"]
    size, speed, share = (TRUTH[f"{n}:lone"] for n in ("stribeck", "stribeck_speed", "load_friction"))
    t = STEP * np.arange(round(seconds / STEP))
    command = 0.2 * np.sin(2 * np.pi * 0.4 * t) + 0.08 * np.sin(2 * np.pi * 1.7 * t + 1)
    data, shown = mujoco.MjData(mj), np.empty(len(t))
    data.qpos[dof] = 0.5 * np.pi  # it hangs down
    for k in range(len(t)):
        shown[k], data.ctrl[u] = data.qpos[dof], command[k]
        mj.dof_frictionloss[dof] = DRY + size * np.exp(-((data.qvel[dof] / speed) ** 2)) + share * abs(2.0 * command[k])
        mujoco.mj_step(mj, data)
    shown = shown[::2] + noise * rng.normal(size=len(t[::2]))
    return Log({"lone": (t[::2], shown), "ctrl:lone": (t, command)}, "a joint that sticks")


def test_the_law_is_found(tmp_path):
    """Each number inside its interval, which is short; without the law nothing fits, and the report says so."""
    model = engine.load(arm())
    model.dof_frictionloss[model.jnt_dofadr[model.joint("lone")]] = DRY
    found = fit(model, log(), [*TRUTH], window=0.5)
    assert found.converged and found.runs < 1.5 and found.names == [*TRUTH]
    for name, value, sd in zip(found.names, found.values, found.sd, strict=True):
        assert abs(value - TRUTH[name]) < 3 * sd and sd < 0.1 * TRUTH[name], (name, value, sd)
    bare = fit(model, log(), ["dof_damping:lone", "dof_frictionloss:lone"], window=0.5)
    assert bare.runs > 1.5 and bare.after["qpos:lone"][0] > 1.5 * found.after["qpos:lone"][0]
    found.save(tmp_path)
    assert (tmp_path / "fit.json").exists() and (tmp_path / "fitted_without_residuals.xml").exists()
    assert not (tmp_path / "fitted.xml").exists() and found.model().nresidual == 1


def test_robots_are_given_the_law():
    """Of the joints that fit, with a load only where one is asked for, and none where one is there."""
    model = engine.load(arm())
    words = ["stribeck:*", "load_friction:lone", "dof_damping:lone"]
    problem = Problem(model, log(0.6), words, window=0.5)
    assert problem.unknowns.names == ["stribeck:shoulder", "stribeck:elbow", "stribeck:lone", "load_friction:lone",
                                      "dof_damping:lone"]  # fmt: skip
    assert [p["load"] is not None for p in friction_places(problem.model).values()] == [False, False, True]
    assert problem.unknowns.guess[:3].tolist() == [0.04, 0.025, 0.015] and model.nresidual == 0
    own = Friction(model, ["lone"], 0.3, 0.2).model
    problem = Problem(own, log(0.6), [Unknown("stribeck:lone", guess=0.2), "stribeck_speed:lone"], window=0.5)
    assert problem.model.nresidual == 1 and problem.unknowns.guess.tolist() == [0.2, 0.2]
    with pytest.raises(ValueError, match="'load_friction:lone' fits nothing"):  # the law that is there has none
        Problem(own, log(0.6), ["load_friction:lone"], window=0.5)
    with pytest.raises(ValueError, match="'stribeck:knee' fits nothing"):
        Problem(model, log(0.6), ["stribeck:knee"], window=0.5)
