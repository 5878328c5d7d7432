"""Which motion would tell more: what is promised of it is kept, and it moves what the logs left unknown."""

import json

import mujoco
import numpy as np
import pytest

import engine
from engine.identify import Log, fit, read

from .twin import STEP, arm

NOISE = 3e-4
UNKNOWNS = ["dof_damping:*", "dof_armature:lone", "dof_armature:elbow"]


def measured(time, ctrl, start=None, seed=0):
    """The log of a robot that MuJoCo simulates, with other numbers than the file's."""
    mj, rng = arm(), np.random.default_rng(seed)
    mj.dof_armature[:], mj.dof_damping[:], mj.dof_frictionloss[:] = (0.02, 0.014, 0.013), (0.25, 0.12, 0.08), 0.0
    data, shown = mujoco.MjData(mj), np.empty((len(time), 3))
    if start is not None:
        data.qpos[:], data.qvel[:] = start
    for k in range(len(time)):
        shown[k], data.ctrl[:] = data.qpos, ctrl[k]
        mujoco.mj_step(mj, data)
    shown = (shown + NOISE * rng.normal(size=shown.shape))[::2]
    joints = {name: (time[::2], shown[:, j]) for j, name in enumerate(("shoulder", "elbow", "lone"))}
    return Log(joints | {"ctrl": (time, ctrl)}, "a log")


@pytest.fixture(scope="module")
def found():
    """Of a log in which only the shoulder moves much, and the lone joint's motor hardly."""
    model, time = engine.load(arm()), STEP * np.arange(600)
    model.dof_frictionloss[:] = 0.0
    ctrl = np.stack([0.5 * np.sin(6 * time), 0 * time, 0.02 * np.sin(3 * time)], axis=1)
    return fit(model, measured(time, ctrl), UNKNOWNS, window=0.4)


def test_what_is_promised_is_kept(found, tmp_path):
    """The intervals of a fit of both logs are those foretold, and those of numbers badly known fall."""
    got = found.suggest(1.2, drives=1, bands=2)
    assert len(got.drives) == 1 and got.tried >= 4 and (got.after <= got.before * (1 + 1e-9)).all()
    assert got.after.min() > 0 and (got.after / got.before).min() < 0.3
    saved = read(got.save(tmp_path) / "suggested.csv")
    ctrl = np.stack([c.values for c in saved.channels.values()], axis=1)
    np.testing.assert_allclose(ctrl, got.ctrl, atol=1e-8)
    assert json.loads((tmp_path / "suggested.json").read_text())["drives"][0]["name"] == got.drives[0].name
    start = found.point.starts["qpos"][0], found.point.starts["qvel"][0]
    new = measured(saved.channels["ctrl:lone"].time, ctrl, start, seed=1)
    model = engine.load(arm())
    model.dof_frictionloss[:] = 0.0
    both = fit(model, [found.problem._asked["logs"][0], new], UNKNOWNS, window=0.4, held_out=0)
    np.testing.assert_allclose(both.sd, got.after, rtol=0.2)
    assert (both.sd < found.sd).all()
    assert "interval" in str(got) and got.drives[0].name in str(got)


def test_it_moves_what_is_unknown(found):
    """All that the log does not tell is of the lone joint and the elbow, and the motion keeps to what was commanded."""
    got = found.suggest(0.8, drives=2, bands=1)
    assert {d.name for d in got.drives} <= {"elbow", "lone", "shoulder"} and got.drives[0].name != "elbow"
    assert np.abs(got.ctrl[:, 2]).max() <= 0.0201 and not got.ctrl[:, 1].any()  # of the elbow there were no commands
    for arguments, error in (
        ({"seconds": 0.1}, r"seconds: got 0.1, allowed: a window \(.* s\) or more"),
        ({"drives": 0}, "drives: got 0"),
        ({"fastest": -1}, "fastest: got -1"),
    ):
        with pytest.raises(ValueError, match=error):
            found.suggest(**arguments)


def test_what_goes_too_far_is_tried_at_half(found):
    slow = found.suggest(0.8, drives=1, bands=1, fastest=0.2)
    assert slow.tried > 2 or not slow.drives
    wild = found.suggest(0.8, drives=1, bands=1, fastest=1e-6)
    assert not wild.drives and str(wild) == "no motion of those tried would tell more"
    assert np.array_equal(wild.after, found.sd)
