"""`identify.compare` and `pullback compare ROBOT LOG`: the first sample that differs, and the number behind it."""

import json

import mujoco
import numpy as np
import pytest

import engine
from engine import cli
from engine.identify import Log, compare
from tests.benchmarks.causes import share
from tests.identify.twin import STEP, arm

NAMES = ("shoulder", "elbow", "lone")


def log_of(change, seconds=1.2, noise=1e-4, late=0):
    """The log of an arm whose MjModel was changed, with commands that act `late` steps later."""
    mj, rng = arm(), np.random.default_rng(0)
    change(mj)
    t = STEP * np.arange(round(seconds / STEP))
    ctrl = np.stack([0.5 * np.sin(9 * t), 0.4 * np.sin(14 * t + 1), 0.3 * np.sin(11 * t)], axis=1)
    data, shown = mujoco.MjData(mj), np.empty((len(t), 3))
    for k in range(len(t)):
        shown[k], data.ctrl[:] = data.qpos, ctrl[max(k - late, 0)]
        mujoco.mj_step(mj, data)
    shown = (shown + noise * rng.normal(size=shown.shape))[::2]
    return Log({n: (t[::2], shown[:, j]) for j, n in enumerate(NAMES)} | {"ctrl": (t, ctrl)}, "a log")


def damped(mj):
    mj.dof_damping[2] = 0.16


def weaker(mj):
    mj.actuator_gainprm[0, 0], mj.actuator_biasprm[0, 1] = 15.0, -15.0


def turned(mj):
    mj.dof_armature[1] = 0.018


CASES = {
    "damping": (damped, "dof_damping:lone", 0.1, 0.16),
    "gain": (weaker, "kp:shoulder", 20.0, 15.0),
    "armature": (turned, "dof_armature:elbow", 0.01, 0.018),
}


@pytest.mark.parametrize("case", [pytest.param(n, marks=() if n == "damping" else pytest.mark.slow) for n in CASES])
def test_the_number_that_differs_is_found(case):
    change, name, robot, log = CASES[case]
    found = compare(engine.load(arm()), log_of(change))
    assert not found and found.excess > 2 and found.first.name == name and found.first.robot == robot
    assert abs(found.first.log - log) < max(3 * found.first.sd, 0.02 * log) and found.first.share > 0.8
    assert 0 <= found.time < 0.5 and found.step == round(found.time / STEP)
    assert found.channel.removeprefix("qpos:") in (("lone",) if case == "damping" else NAMES[:2])  # a tree of its own
    assert name in str(found) and found.left < 1.5


@pytest.mark.slow
def test_a_delay_is_found():
    found = compare(engine.load(arm()), log_of(lambda mj: None, late=4))
    assert found.first.name == "delay:*" and abs(found.first.log - 4 * STEP) < 0.001


@pytest.mark.slow
def test_single_faults_at_random_are_named_first():
    """Or beside a number that is the same to a log; the benchmark has more of them."""
    rows = []
    right, alike, same, total = share(2, 0, rows.append)
    assert right + alike == total == 6 and right >= 5 and same == 0, "\n".join(rows)


def test_the_same_robot_is_the_same(tmp_path, capsys):
    """Also on the command line, whose answer is its status; what does not fit is refused."""
    model, log = engine.load(arm()), log_of(lambda mj: None)
    found = compare(model, log)
    assert found and found.first is None and 0.7 < found.excess < 1.3 and "the same but for noise" in str(found)
    robot, path = tmp_path / "arm.xml", tmp_path / "run.csv"
    model.to_mjcf(robot)
    t, ctrl = log.channels["ctrl"]
    columns = {"time": t} | {f"ctrl:{n}": ctrl[:, k] for k, n in enumerate(NAMES)}
    columns |= {n: np.repeat(log.channels[n].values, 2) for n in NAMES}
    rows = [",".join(columns)]
    for k in range(len(t)):
        rows.append(",".join("" if n in NAMES and k % 2 else f"{c[k]:.9g}" for n, c in columns.items()))
    path.write_text("\n".join(rows) + "\n")
    assert cli.main(["compare", str(robot), str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["same"] and told["causes"] == [] and told["names"][1] == "run.csv"
    with pytest.raises(ValueError, match="terms: got 'dof_dampin', did you mean|terms: got 'dof_dampin'"):
        compare(model, log, terms=["dof_dampin"])
    with pytest.raises(ValueError, match="window: got -1"):
        compare(model, log, window=-1)
