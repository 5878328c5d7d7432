"""A look at every part, for somebody who has just installed it: `pytest -m smoke`, less than a minute."""

from pathlib import Path

import numpy as np
import pytest

import engine
from engine.cli import main

pytestmark = pytest.mark.smoke
ARM = str(Path(__file__).parents[1] / "demos" / "arm.xml")


def test_a_robot_moves_as_in_mujoco_and_its_gradient_is_right(tmp_path, capsys):
    mujoco = pytest.importorskip("mujoco")
    mj = mujoco.MjModel.from_xml_path(ARM)
    data, model = mujoco.MjData(mj), engine.load(ARM)
    sim, rng = engine.Simulator(model), np.random.default_rng(0)
    data.ctrl[:] = sim.data.ctrl[:] = rng.normal(size=model.nu)
    mujoco.mj_step(mj, data, 50)
    sim.step(50)
    np.testing.assert_allclose(sim.data.qpos[0], data.qpos, rtol=1e-10)

    tape = engine.Tape(sim, steps=20)
    loss = engine.objectives.Reach(model, [0.4, 0.0, 0.7], sensor="hand_position")
    controls = rng.normal(size=(20, model.nu))
    report = engine.gradcheck(tape, loss.total, wrt=("ctrl", "qpos0", "body_mass"), controls=controls)
    assert report.ok, report
    path = tmp_path / "run.npz"
    engine.Recording.of(tape).save(path)
    recording = engine.Recording.load(path)
    assert recording.differences(recording.replay()) == []
    assert main(["info", ARM]) == 0 and "hand_position" in capsys.readouterr().out
