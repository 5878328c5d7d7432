"""Reading logs, what channels are to a robot, patterns of unknowns: what is taken and what is refused."""

import json
import re

import numpy as np
import pytest

import engine
from engine.cli import main
from engine.commands.identify import unknown_of
from engine.identify import Log, Problem, Unknown, read, solved
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
        ("t,y,y[0]\n0,1,2\n", "columns y and y[0]"),
        ("t,y,\n0,1,2\n", "column 3 has no name"),
        (b"t,\xe9\n0,1\n", "is not a table"),
    ],
)
def test_bad_csv(tmp_path, text, message):
    (tmp_path / "a.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
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
    with pytest.raises(ValueError, match="not made of numbers"):
        Log({"elbow": (TIME, 1j * TIME)})
    with pytest.raises(ValueError, match=r"allowed: \(time, values\)"):
        Log({"elbow": (TIME, TIME, TIME)})
    for channels in (None, [("elbow", (TIME, TIME))]):
        with pytest.raises(TypeError, match="allowed: {name"):
            Log(channels)
    with pytest.raises(ValueError, match="two channels would be called 'b'"):
        Log({"a": (TIME, TIME), "b": (TIME, TIME)}).renamed({"a": "b"})


def test_damaged_files(tmp_path):
    np.savez(tmp_path / "whole.npz", time=TIME, elbow=TIME)
    whole = (tmp_path / "whole.npz").read_bytes()
    for name, data in (("cut.npz", whole[:200]), ("empty.npz", b""), ("empty.parquet", b"")):
        (tmp_path / name).write_bytes(data)
        if name.endswith("parquet"):
            pytest.importorskip("pyarrow")
        with pytest.raises(ValueError, match=f"{name} is not .* or is damaged"):
            read(tmp_path / name)


def test_parquet_with_gaps(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"t": [0.0, 0.1, 0.2], "a": [None, 1.0, 2.0], "b": [[1.0], None, [3.0]]}),
                        tmp_path / "a.parquet")  # fmt: skip
    log = read(tmp_path / "a.parquet")
    assert log.channels["a"].time.tolist() == [0.1, 0.2] and log.channels["b"].time.tolist() == [0.0, 0.2]
    parquet.write_table(arrow.table({"t": [0.0, 0.1], "b": [[1.0], [1.0, 2.0]]}), tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="row 1: b is"):
        read(tmp_path / "b.parquet")
    rows = {"t": [0.0, 0.0, 0.1], "episode_index": [0, 1, 1], "a": [1.0, 2.0, 3.0]}  # the first has one row
    parquet.write_table(arrow.table(rows), tmp_path / "c.parquet")
    assert np.allclose(read(tmp_path / "c.parquet").channels["a"].time, [0, 0.2, 0.3])


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
        ([Unknown("dof_damping:elbow", low=-1.0)], "low -1, allowed: from 0"),
        (["gravity[5]"], r"gravity\[5\], allowed: from 0 to 2"),
        (["gravity:x"], r"allowed: gravity or gravity\[k\]"),
        (["wrap_prm"], "the model has none"),
        ([], "got none"),
    ],
)
def test_unknowns_that_mean_nothing(model, unknowns, message):
    with pytest.raises(ValueError, match=message):
        Problem(model, random_log(), unknowns, window=0.2)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"pattern": 3}, "NAME:PATTERN"), ({"tied": "no"}, "tied: got 'no'"), ({"low": np.nan}, "low: got nan"),
        ({"low": 2.0, "high": 1.0}, "low 2 is above high 1"), ({"guess": np.inf}, "guess: got inf"),
        ({"guess": "1"}, "guess: got '1'"), ({"unit": -1.0}, "unit: got -1"), ({"unit": 0.0}, "a positive number"),
        ({"prior": 1.0}, "prior: got 1.0"), ({"prior": (1, 2, 3)}, "mean, standard deviation"),
        ({"prior": (np.nan, 1.0)}, "mean of"),
        ({"prior": (1.0, 0.0)}, "positive standard deviation"),
    ],
)  # fmt: skip
def test_an_unknown_that_means_nothing(given, message):
    with pytest.raises(ValueError, match=message):
        Unknown(**({"pattern": "dof_damping:elbow"} | given))


def test_settings_that_mean_nothing(model):
    for given, message in (
        ({"window": 0.0}, "allowed: a timestep"), ({"window": 9.0}, "but a log has"),
        ({"loss": "l1"}, "allowed: squares"), ({"hold": "cubic"}, "allowed: hold"), ({"held_out": 1.0}, "less than 1"),
        ({"start": "known"}, "a window for each"), ({"window": np.nan}, "got nan"), ({"window": np.inf}, "got inf"),
        ({"window": "1"}, "got '1'"), ({"noise": 0.0}, "noise: got 0.0"), ({"noise": -1.0}, "a positive"),
        ({"noise": {"elbo": 1.0}}, "nothing measured is called 'elbo' (did you mean 'elbow'?)"),
        ({"noise": {"qvel": np.nan}}, "noise of qvel: got nan"), ({"ctrl0": [1.0, 2.0]}, "one or (3,)"),
        ({"ctrl0": np.nan}, "allowed: finite numbers"), ({"held_out": np.nan}, "held_out: got nan"),
    ):  # fmt: skip
        message = re.escape(message)
        with pytest.raises(ValueError, match=message):
            Problem(model, random_log(), ["dof_damping:*"], **({"window": 0.2} | given))
    with pytest.raises(TypeError, match="allowed: a Model"):
        Problem("robot.xml", random_log(), ["dof_damping:*"])
    for logs, unknowns, message in ((3, ["dof_damping:*"], "logs: got int"), (random_log(), [3], "unknowns: got")):
        with pytest.raises(TypeError, match=message):
            Problem(model, logs, unknowns)


def test_one_window_at_least_counts(model):
    for share in (0.5, 0.99):
        assert Problem(model, random_log(), "dof_damping:*", window=0.2, held_out=share).used.any()


def test_a_log_that_no_rollout_comes_near(model):
    wild = Log({"elbow": (TIME, 1e250 * np.ones(10)), "ctrl:elbow": (TIME, TIME)})
    problem = Problem(model, wild, ["dof_damping:*"], window=0.08)
    with pytest.raises(engine.DivergenceError, match="the first guess diverges"):
        problem.levenberg(problem.unknowns.guess, problem.starts)
    problem = Problem(model, random_log(), ["dof_damping:*"], window=0.08, noise=1e-200)
    with pytest.raises(ValueError, match="no sum of squares is finite"):
        problem.levenberg(problem.unknowns.guess, problem.starts)


def test_what_an_earlier_fit_kept_is_damaged(model, tmp_path):
    (tmp_path / "state.npz").write_bytes(b"PK")
    problem = Problem(model, random_log(), ["dof_damping:*"], window=0.2)
    with pytest.raises(ValueError, match="state.npz is not what an earlier fit kept or is damaged"):
        solved(problem, 1, tmp_path)
    with pytest.raises(ValueError, match="iterations: got 1.5"):
        solved(problem, 1.5)


def test_two_controls_of_one_actuator(model):
    log = random_log()
    both = Log({**log.channels, "ctrl": (TIME, np.zeros((10, 3)))})
    with pytest.raises(ValueError, match="two channels are controls of actuator 'shoulder'"):
        Problem(model, both, ["dof_damping:*"], window=0.02)


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


def test_delays_of_whole_steps(model):
    """Controls logged at the steps themselves: no delay, or one of whole steps, is a kink, with the slope that a longer
    delay has. (The slope had been zero, and a delay whose guess was none was never found.)"""
    t = 0.002 * np.arange(300)
    control = {1: Log({"u": (t, np.sin(20 * t))}).channels["u"]}
    measured = Problem(model, random_log(), ["dof_damping:*"], window=0.2).windows.logs[0][0]
    windows = Windows(model, [(measured, control)], 100)
    for delay in (0.0, 0.002, 0.006):
        value, slope = windows.controls(np.full(3, delay))
        further = (windows.controls(np.full(3, delay + 1e-6))[0] - value) / 1e-6
        assert np.abs(slope[:, :, 1]).max() > 5 and np.abs(further - slope).max() < 0.1


def test_noise_is_found_in_motion():
    t, rng = 0.0025 * np.arange(4000), np.random.default_rng(0)
    moving = 0.3 * np.sin(2 * np.pi * (0.1 + 0.45 * t) * t)
    assert noise_of((moving + 5e-4 * rng.normal(size=4000))[:, None])[0] == pytest.approx(5e-4, rel=0.05)


def test_what_looks_like_a_mistake(model, tmp_path):
    """Times in ms, degrees, actuators that nothing commands, an encoder that is dead: refused, or said."""
    log = random_log()
    slow = Log({name: (1e3 * c.time, c.values) for name, c in log.channels.items()}, "in ms")
    with pytest.raises(ValueError, match=r"in ms: its samples are .* s apart, a window is 0.2 s; .* times in seconds"):
        Problem(model, slow, ["dof_damping:*"], window=0.2)
    channels = dict(log.channels)
    del channels["ctrl:elbow"]
    channels["shoulder"] = channels["shoulder"].time, 100.0 * channels["shoulder"].values
    channels["lone"] = channels["lone"].time, 0 * channels["lone"].values
    said = Problem(model, Log(channels, "odd"), ["dof_damping:*"], window=0.2).doubts
    assert len(said) == 3 and all(sentence.startswith("odd: ") for sentence in said)
    for words in (r"no channel commands 1 actuator \(elbow\), which is taken to hold 0", "qpos:lone never changes",
                  "qpos:shoulder goes to .* is it in degrees"):  # fmt: skip
        assert any(re.search(words, sentence) for sentence in said), words
    assert not Problem(model, log, ["dof_damping:*"], window=0.2).doubts


def test_channels_are_left_out(model, tmp_path, capsys):
    """A robot has no channel for a temperature; cells may be separated by semicolons."""
    log = Log({"elbow": (TIME, TIME), "heat.a": (TIME, TIME), "heat.b": (TIME, TIME)})
    assert list(log.without(["heat.*"]).channels) == ["elbow"]
    with pytest.raises(ValueError, match="no channel fits 'cold'; it has: elbow, heat.a"):
        log.without(["cold"])
    (tmp_path / "a.csv").write_text("time;elbow;heat\n0;1;2\n0.1;3;\n")
    assert read(tmp_path / "a.csv").channels["elbow"].values.tolist() == [1.0, 3.0]
    model.to_mjcf(tmp_path / "robot.xml")
    words = ["identify", str(tmp_path / "robot.xml"), str(tmp_path / "a.csv"), "--fit", "dof_damping:*", "--out",
             str(tmp_path / "out")]  # fmt: skip
    cases = {"": "no joint 'heat'", "cold": "no channel fits 'cold'; there are: elbow, heat", "he*": "a log has 0.1 s"}
    for pattern, message in cases.items():
        more = ["--ignore", pattern] if pattern else []
        assert main([*words, *more]) == 2 and message in capsys.readouterr().err
