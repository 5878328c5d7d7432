"""A residual by a pair of Taichi functions of the user's: the page's, read and run as a reader would."""

import pickle

import numpy as np
import pytest

import engine
from tests.papers.pages import Reader, blocks

PAGE = "engine/RESIDUALS.md"
pytestmark = pytest.mark.slow  # kernels with the pair inside are compiled anew


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    return Reader(PAGE, tmp_path_factory.mktemp("residual"))


@pytest.mark.parametrize("block", [pytest.param(b, id=str(b)) for b in blocks(PAGE)])
def test_block(reader, block, capsys):
    reader.run(block)
    if "gradcheck" in block.text:
        told = capsys.readouterr().out
        assert told.count(" ok") == 6 and "wrong" not in told, told


def test_passive_and_bounded(reader):
    """The bounds are the engine's: the same for a pair. And a robot without it keeps its bits."""
    page = reader.module
    model, bits = page.model, []
    for options in ({}, {"passive": 0.2}, {"power": 0.01}):
        own = engine.residuals.Own(model, ["elbow"], page.cable, page.cable_vjp, {"k": -2.0, "speed": 0.3},
                                   ints=page.where, **options)  # fmt: skip
        sim = engine.Simulator(own.model)
        tape = engine.Tape(sim, 20)
        report = engine.gradcheck(tape, page.loss, ("residual_prm", "qpos0", "qvel0", "dof_damping"),
                                  qpos0=[0.3, 0.8], qvel0=[0.1, 0.6])  # fmt: skip
        assert set(report.verdicts.values()) == {"ok"}, f"\n{report}"
        bits.append(tape.trajectory.qpos.copy())
        bare = engine.Simulator(model)
        A = sim.reset([0.3, 0.8], [0.1, 0.2]).linearize()[0]
        bare.reset([0.3, 0.8], [0.1, 0.2])
        assert np.abs(A - bare.linearize()[0]).max() > 1e-6
        copied = pickle.loads(pickle.dumps(engine.Recording.of(tape).model))
        assert copied.own_residual is not None
        with pytest.raises(ValueError, match="residual cable, whose code no file holds"):
            engine.Recording.of(tape).save("run.npz")
        again = engine.Recording.of(tape)
        assert again.differences(again.replay()) == []
    assert not np.array_equal(bits[0], bits[1]) and not np.array_equal(bits[0], bits[2])
    with pytest.raises(ValueError, match="has a function of one's own already"):
        engine.residuals.Own(own.model, ["elbow"], page.cable, page.cable_vjp)
