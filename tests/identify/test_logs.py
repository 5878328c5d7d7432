"""Reading logs, what channels are to a robot, patterns of unknowns: what is taken and what is refused."""

import json

import numpy as np
import pytest

import engine
from engine.commands.identify import unknown_of
from engine.identify import Log, Problem, Unknown, read
from engine.identify.targets import noise_of
from engine.identify.windows import Windows

from .twin import arm, random_log

TIME = np.arange(10) * 0.01


@pytest.fixture(scope="module")
def model():
    return engine.load(arm())


def test_csv_with_rates_of_its_own(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("t, a, b[0], b[1]\n0, 1, 2, 3\n0.01,, 4, 5\n0.02, 6, ,\n")
    log = read(path, {"a": "elbow"})
    assert log.channels["elbow"].time.tolist() == [0, 0.02] and log.channels["elbow"].values.tolist() == [1, 6]
    assert log.channels["b"].values.tolist() == [[2, 3], [4, 5]]


def test_npz_with_shared_and_own_times(tmp_path):
    np.savez(tmp_path / "a.npz", **{"time": TIME, "elbow": TIME**2, "slow": TIME[:5], "slow.time": 2 * TIME[:5]})
    log = read(tmp_path / "a.npz")
    assert log.channels["slow"].time[-1] == 0.08 and len(log.channels["elbow"].time) == 10


def test_parquet_of_episodes(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = {
        "timestamp": [0.0, 0.1, 0.0, 0.1], "episode_index": [0, 0, 1, 1],
        "observation.state": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]],
    }  # fmt: skip
    parquet.write_table(arrow.table(rows), tmp_path / "a.parquet")
    channel = read(tmp_path / "a.parquet", {"observation.state": "qpos"}).channels["qpos"]
    assert channel.values[:, 1].tolist() == [2, 4, 6, 8] and (np.diff(channel.time) > 0).all()


def test_mcap_of_joint_states(tmp_path):
    pytest.importorskip("mcap")
    from mcap.writer import Writer

    with open(tmp_path / "a.mcap", "wb") as file:
        writer = Writer(file)
        writer.start()
        schema = writer.register_schema("s", "jsonschema", b"{}")
        topics = {n: writer.register_channel(n, "json", schema) for n in ("joints", "command")}
        for k in range(3):
            state = {"name": ["elbow"], "position": [0.1 * k], "velocity": [1.0]}
            for n, data in (("joints", state), ("command", {"elbow": 2.0 * k})):
                stamp = 5_000_000_000 + 10_000_000 * k
                writer.add_message(topics[n], stamp, json.dumps(data).encode(), stamp)
        writer.finish()
    log = read(tmp_path / "a.mcap", {"command.elbow": "ctrl:elbow"})
    assert np.allclose(log.channels["qpos:elbow"].time, [0, 0.01, 0.02])
    assert log.channels["ctrl:elbow"].values.tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    "text, message",
    [
        ("x,y\n1,2\n", "no column of times"),
        ("t,y\n0,1\n0,2\n", "do not rise"),
        ("t,y\n0,1\n0.1,abc\n", "line 3: y is 'abc'"),
        ("t,y\n0,1,2\n", "line 2: 3 cells"),
        ("t,y,y\n0,1,2\n", "two columns have one name"),
        ("t,y\n", "a header and values"),
        ("t,y[0],y[2]\n0,1,2\n", "have the numbers"),
    ],
)
def test_bad_csv(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        read(tmp_path / "a.csv")


def test_bad_logs(tmp_path):
    with pytest.raises(ValueError, match="ends with '.txt', allowed: .csv"):
        read(tmp_path / "a.txt")
    with pytest.raises(ValueError, match="no such file"):
        read(tmp_path / "a.csv")
    with pytest.raises(ValueError, match=r"did you mean 'elbow'"):
        Log({"elbow": (TIME, TIME)}).renamed({"elbo": "x"})
    with pytest.raises(ValueError, match=r"times \(10,\) and values \(9,\)"):
        Log({"elbow": (TIME, TIME[:9])})
    with pytest.raises(ValueError, match="has no values"):
        Log({"elbow": (TIME, TIME * np.nan)})


@pytest.mark.parametrize(
    "channels, message",
    [
        ({"elbo": TIME}, "no joint 'elbo' (did you mean 'elbow'?)"),
        ({"ctrl:elbow": TIME}, "got no measurement"),
        ({"pose:elbow": np.zeros((10, 7))}, "allowed: a free joint"),
        ({"elbow": np.zeros((10, 2))}, "has 2 column(s), allowed: 1"),
        ({"qpos": np.zeros((10, 2))}, "has 2 column(s), allowed: 3"),
        ({"sensor:x": TIME}, "no sensor 'x'"),
    ],
)
def test_channels_that_mean_nothing(model, channels, message):
    import re

    with pytest.raises(ValueError, match=re.escape(message)):
        Problem(model, Log({k: (TIME, v) for k, v in channels.items()}), ["dof_damping:*"], window=0.02)


@pytest.mark.parametrize(
    "unknowns, message",
    [
        (["dof_dampin:*"], "did you mean 'dof_damping'"),
        (["dof_damping"], "allowed: dof_damping:PATTERN"),
        (["dof_damping:knee*"], "fits nothing; joints: shoulder, elbow, lone"),
        (["dof_damping:elbow", "dof_damping:*"], "are the same parameter"),
        (["body_mass:upper", "inertia:upper"], "are the same parameter"),
        ([Unknown("inertia:*", tied=True)], "take no tie"),
        (["kp:lone"], "fits nothing"),
        ([Unknown("dof_damping:elbow", guess=-1.0)], "allowed: from 0"),
        ([Unknown("dof_damping:elbow", prior=(1.0, 0.0))], "positive standard deviation"),
        ([], "got none"),
    ],
)
def test_unknowns_that_mean_nothing(model, unknowns, message):
    with pytest.raises(ValueError, match=message):
        Problem(model, random_log(), unknowns, window=0.2)


def test_settings_that_mean_nothing(model):
    for given, message in (
        ({"window": 0.0}, "allowed: a timestep"), ({"window": 9.0}, "but a log has"),
        ({"loss": "l1"}, "allowed: squares"), ({"hold": "cubic"}, "allowed: hold"), ({"held_out": 1.0}, "less than 1"),
        ({"start": "known"}, "a window for each"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            Problem(model, random_log(), ["dof_damping:*"], **({"window": 0.2} | given))
    with pytest.raises(TypeError, match="allowed: a Model"):
        Problem("robot.xml", random_log(), ["dof_damping:*"])


def test_unknowns_of_the_command_line():
    assert unknown_of("dof_damping:*,tied,min=0.1,max=2,prior=1/0.5") == Unknown(
        "dof_damping:*", tied=True, low=0.1, high=2.0, prior=(1.0, 0.5)
    )
    for word in ("a:b,tide", "a:b,min=x", "a:b,prior=1", "a:b,guess="):
        with pytest.raises(ValueError, match="allowed"):
            unknown_of(word)


def test_samples_between_rows(model):
    """A cubic through four rows: exact for a cubic path, at any time, also at a window's ends."""
    windows = Problem(model, random_log(), ["dof_damping:*"], window=0.1).windows
    rows = np.arange(windows.steps + 1)
    path = 0.3 * rows**3 - rows**2 + 2.0
    for s in windows.samples:
        if s.what.kind == "qpos":
            at = (s.time - windows.start[s.window]) / windows.h
            assert np.allclose((s.weights * path[s.rows]).sum(axis=1), 0.3 * at**3 - at**2 + 2.0, atol=1e-8)
    assert sum(len(s.window) for s in windows.samples) > 150


def test_controls_between_samples(model):
    """Held controls count with their mean over a step; both kinds have the slope that differences say."""
    t = np.arange(0, 0.6, 0.005)  # two and a half steps
    log = [([], {1: Log({"u": (t, np.sin(20 * t))}).channels["u"]})]
    measured = Problem(model, random_log(), ["dof_damping:*"], window=0.2).windows.logs[0][0]
    for hold in ("hold", "linear"):
        windows = Windows(model, [(measured, log[0][1])], 100, hold)
        assert windows.controls(np.zeros(3))[0][0, 0, 1] == pytest.approx(0.0, abs=1e-9)
        for delay in (0.0021, 0.0173):
            value, slope = windows.controls(np.full(3, delay))
            ends = [windows.controls(np.full(3, delay + d))[0] for d in (1e-7, -1e-7)]
            differences = (ends[0] - ends[1]) / 2e-7
            kinks = np.abs(differences - slope) > 1e-5
            assert kinks.mean() < 0.03 and np.abs(slope[:, :, 1]).max() > 5
            assert np.abs(value).max() <= 1 and not slope[:, :, 0].any()


def test_noise_is_found_in_motion():
    t, rng = 0.0025 * np.arange(4000), np.random.default_rng(0)
    moving = 0.3 * np.sin(2 * np.pi * (0.1 + 0.45 * t) * t)
    assert noise_of((moving + 5e-4 * rng.normal(size=4000))[:, None])[0] == pytest.approx(5e-4, rel=0.05)
