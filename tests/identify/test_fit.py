"""Fits of robots that MuJoCo simulated: numbers, intervals, what cannot be known, resuming, the command."""

import json

import mujoco
import numpy as np
import pytest

import engine
from engine.cli import main
from engine.identify import Log, Problem, Unknown, fit, solved
from engine.identify.judged import sentence, togetherness
from engine.identify.levenberg import KNEE, loss_of

from .twin import DELAY, arm, measured

TRUTH = {
    "dof_armature": (0.027, 0.0072, 0.013), "dof_damping": (0.21, 0.14, 0.06), "dof_frictionloss": (0.12, 0.03, 0.05),
    "offset": (0.03, -0.02, 0.0),
}  # fmt: skip
JOINTS = ("shoulder", "elbow", "lone")
UNKNOWNS = [
    *(f"{n}:*" for n in ("dof_armature", "dof_damping", "dof_frictionloss")), "offset:shoulder", "offset:elbow",
    Unknown("delay:*", tied=True, guess=0.003, high=0.05),
]  # fmt: skip


@pytest.fixture(scope="module")
def log():
    return measured(TRUTH)[0]


@pytest.fixture(scope="module")
def found(log):
    return fit(engine.load(arm()), log, UNKNOWNS, window=0.5, hold="linear")


def truths():
    values = {f"{array}:{j}": x for array, row in TRUTH.items() for j, x in zip(JOINTS, row, strict=True)}
    return values | {"delay:*": DELAY}


def test_numbers_are_found(found):
    """Within 2 % or inside the 95 % interval, and the intervals are short: the encoder's noise is all that is left."""
    assert found.converged and len(found.names) == 12
    for name, value, sd in zip(found.names, found.values, found.sd, strict=True):
        true = truths()[name]
        assert abs(value - true) < max(0.02 * abs(true), 3 * sd), name
        assert sd < 0.1 * abs(true), name
    assert all(abs(sd / 3e-4 - 1) < 0.1 for sd in found.noise.values())
    assert found.runs < 1.5 and not found.unknown


def test_held_out_windows_are_judged(found):
    for label, (used, out) in found.after.items():
        assert abs(used / 3e-4 - 1) < 0.1 and abs(out / 3e-4 - 1) < 0.2, label
        assert found.before[label][1] > 3 * out, label


def test_the_fitted_robot_is_written(found, tmp_path):
    found.save(tmp_path)
    again = engine.load(str(tmp_path / "fitted.xml"))
    assert np.array_equal(again.dof_armature, found.values[:3])
    written = json.loads((tmp_path / "fit.json").read_text())
    assert written["values"] == found.values.tolist() and written["names"] == found.names


def test_it_goes_on_where_it_was_broken_off(log, found, tmp_path):
    model = engine.load(arm())
    part = fit(model, log, UNKNOWNS, window=0.5, hold="linear", iterations=2, folder=tmp_path)
    assert not part.converged
    whole = fit(model, log, UNKNOWNS, window=0.5, hold="linear", folder=tmp_path)
    assert whole.converged and whole.iterations > part.iterations and whole.before == found.before
    assert np.abs((whole.values - found.values) / found.sd).max() < 0.2
    with pytest.raises(ValueError, match="is of other logs, unknowns or windows"):
        fit(model, log, UNKNOWNS[:1], window=0.5, hold="linear", folder=tmp_path)


def test_only_a_ratio():
    """A motor against inertia and damping alone: all three together change nothing."""
    xml = """<mujoco><option timestep="0.002" gravity="0 0 0"/><worldbody><body>
      <joint name="j" axis="0 0 1" damping="0.1" armature="0.05"/>
      <geom size=".01" mass="1e-6" contype="0"/></body></worldbody>
      <actuator><motor name="j" joint="j"/></actuator></mujoco>"""
    mj = mujoco.MjModel.from_xml_string(xml)
    data, rng, t = mujoco.MjData(mj), np.random.default_rng(0), 0.002 * np.arange(1000)
    torque, shown = 0.3 * np.sin(2 * np.pi * 1.5 * t), []
    for k in range(len(t)):
        shown.append(data.qpos[0])
        data.ctrl[:] = torque[k]
        mujoco.mj_step(mj, data)
    log = Log({"j": (t, np.array(shown) + 1e-4 * rng.normal(size=len(t))), "ctrl:j": (t, torque)})
    unknowns = ["dof_armature:j", "dof_damping:j", "actuator_gear:j[0]"]
    found = fit(engine.load(mj), log, unknowns, window=0.5, hold="linear", held_out=0)
    assert len(found.unknown) == 1 and "apart a common change" in found.unknown[0]
    assert all(name in found.unknown[0] for name in ("dof_armature:j by +1.00", "dof_damping:j by +", "gear"))
    assert found.correlation[0, 1] > 0.99
    # with the gear known the others are, too; and so they are with a prior of it
    prior = Unknown("actuator_gear:j[0]", prior=(1.0, 0.01))
    assert not fit(engine.load(mj), log, unknowns[:2], window=0.5, hold="linear", held_out=0).unknown
    known = fit(engine.load(mj), log, [*unknowns[:2], prior], window=0.5, hold="linear", held_out=0)
    assert abs(known.values[0] / 0.05 - 1) < 0.03 and 0.0003 < known.sd[0] < 0.001


def test_words():
    assert "b and a are known only as a ratio" in sentence(["a", "b"], np.array([0.7, 0.71]), np.inf)
    assert "known only as a product" in sentence(["a", "b"], np.array([0.71, -0.7]), 2.0)
    assert sentence(["a", "b"], np.array([1.0, 0.01]), 0.7) == "a is known within 70 % from these data"


def test_outliers_do_not_matter(log):
    """A tenth of the samples 100 times the noise away: squares are led astray, Cauchy's loss is not."""
    rng, channels = np.random.default_rng(3), dict(log.channels)
    for joint in JOINTS:
        time, values = channels[joint]
        values = values.copy()
        hit = rng.random(len(values)) < 0.1
        values[hit] += 0.03 * rng.normal(size=hit.sum())
        channels[joint] = time, values
    model, spoiled = engine.load(arm()), Log(channels)
    errors = {}
    for loss in ("squares", "cauchy"):
        got = fit(model, spoiled, UNKNOWNS, window=0.5, hold="linear", loss=loss, noise=3e-4)
        errors[loss] = np.median([abs(v / truths()[n] - 1) for n, v in zip(got.names, got.values, strict=True)])
    assert errors["cauchy"] < 0.02 and errors["cauchy"] < 0.5 * errors["squares"]


def test_losses():
    """Weights are derivatives of the loss over r."""
    r = np.array([-5.0, -1.0, -0.1, 0.3, 1.3, 2.0, 40.0])
    for loss in ("squares", *KNEE):
        slope = (loss_of(r + 1e-6, loss)[0] - loss_of(r - 1e-6, loss)[0]) / 2e-6
        assert np.allclose(loss_of(r, loss)[1] * r, slope, rtol=1e-6)


def test_togetherness():
    rng = np.random.default_rng(0)
    white = rng.normal(size=20000)
    assert togetherness([white]) < 1.15
    slow = np.convolve(white, np.ones(5) / 5, "valid")
    assert 4 < togetherness([slow]) < 6


@pytest.mark.slow
def test_intervals_hold_the_truth():
    """20 logs with other noise: z-scores of all numbers are those of a normal distribution."""
    scores = []
    for seed in range(20):
        problem = Problem(engine.load(arm()), measured(TRUTH, seed=seed)[0], UNKNOWNS, window=0.5, hold="linear")
        got = solved(problem)
        scores.append([(v - truths()[n]) / s for n, v, s in zip(got.names, got.values, got.sd, strict=True)])
    scores = np.array(scores)
    assert 0.85 < scores.std() < 1.2 and 0.90 < np.mean(np.abs(scores) < 1.96) <= 0.99


def test_command(log, tmp_path, capsys):
    """`pullback identify` from a CSV to a report, a fit and a robot."""
    t = log.channels["ctrl:elbow"].time
    names = list(log.channels)
    table = np.full((len(t), len(names)), np.nan)
    for k, name in enumerate(names):
        time, values = log.channels[name]
        table[np.rint(time / (t[1] - t[0])).astype(int), k] = values
    rows = ["time," + ",".join(names)]
    rows += [f"{a!r}," + ",".join("" if np.isnan(v) else repr(float(v)) for v in row)
             for a, row in zip(t.tolist(), table, strict=True)]  # fmt: skip
    (tmp_path / "run.csv").write_text("\n".join(rows))
    engine.load(arm()).to_mjcf(tmp_path / "robot.xml")
    words = ["identify", str(tmp_path / "robot.xml"), str(tmp_path / "run.csv"), "--fit", "dof_armature:*",
             "dof_damping:*", "dof_frictionloss:*", "offset:shoulder,guess=0.01", "offset:elbow",
             "delay:*,tied,guess=0.003,max=0.05", "--hold", "linear", "--window", "0.5", "--out",
             str(tmp_path / "out"), "--json"]  # fmt: skip
    assert main(words) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert events[-1]["event"] == "fit" and sum(e["event"] == "iteration" for e in events) >= 3
    assert abs(events[-1]["values"][-1] / DELAY - 1) < 0.02
    out = tmp_path / "out"
    page = (out / "report.html").read_text()
    assert "What the data do not tell" in page and page.count("data:image/png;base64,") == 4
    for name in ("fit.png", "residuals.png", "numbers.png", "correlations.png", "fitted.xml", "fit.json"):
        assert (out / name).stat().st_size > 500, name
    assert main([*words[:-1], "--resume"]) == 0
    assert "+- (95 %)" in capsys.readouterr().out
    assert main(["identify", str(tmp_path / "robot.xml"), str(tmp_path / "run.csv"), "--fit", "mass:*"]) == 2
    assert "nothing is called 'mass'" in capsys.readouterr().err
