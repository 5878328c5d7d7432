"""Damaged files of every kind that the project reads: a ValueError that names the file, or the very same content."""

import csv
import io
import json
import math
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest

import controllers
import engine
import scenes
from controllers.board import Board
from controllers.optimize import Folder, Stop, run
from engine import files, plain
from engine.cli import main
from engine.model.portable import model_to_arrays
from engine.population import _keep, _resumed
from engine.recording import OUTPUTS, Recording
from tests.optimize.cases import SEARCHES

SEEDS = {"seeds": [3, 5], "replace": 0.25}
ROW = {"task": "reacher", "method": "random", "solved": True, "reason": "", "threshold": "near",
       "measured": [0.01, 2.5], "iterations": 3, "steps": 40, "reversed": 0, "wall": 1.5, "cpu": 1.25, "start": 2.0,
       "curve": [[20, 0, 3.5], [40, 0, 1.5]]}  # fmt: skip


def recorded(path):
    scene = scenes.load("pendulum")
    tape = engine.Tape(engine.Simulator(scene.model, 2), 8, frame_skip=2, record_every=2)
    tape.rollout(np.full((8, 1), 0.3))
    return Recording.of(tape, name="run", labels=["a", "b"], seed=1).save(path)


def same_recording(path):
    r = Recording.load(path)
    info = {name: getattr(r, name) for name in ("name", "labels", "seed", "frame_skip", "record_every", "versions")}
    return (
        model_to_arrays(r.model) | r.start | {n: getattr(r, n) for n in OUTPUTS} | {"info": np.array(json.dumps(info))}
    )


def controlled(path):
    model = scenes.load("half_cheetah").model
    K = np.ones((3, model.nu, 2 * model.nv))
    feedback = controllers.LinearFeedback(model, K)
    (controllers.PD(model) + controllers.MLP(model, (4,), ["qvel", ("sin", 0.5)]) + feedback).save(path)
    return path


def same_controller(path):
    made = controllers.load(path)
    return {"spec": np.array(json.dumps(made.spec())), "params": made.params}


def searched(name):
    def make(path):
        run(SEARCHES[name](), path.parent, Stop(iterations=2))
        return path.parent / "checkpoint.npz"

    return make


def same_search(name):
    search = SEARCHES[name]()

    def load(path):
        with Folder(path.parent, {}, resume=True) as folder:
            return {**folder.load(search).state(), "metrics": np.array(json.dumps(folder.rows))}

    return load


def populated(path):
    rng = np.random.default_rng(0)
    states = [{"x": rng.normal(size=3), "more": (1, 2.5, None, [True, "word", np.float64(0.1)])} for _ in range(2)]
    at = SimpleNamespace(settings=SEEDS, states=states, scores=[np.array([1.0, 2.0])], best=(states[1], 2.0, 5))
    _keep(path.parent, at)
    return path.parent / "population.npz"


def same_population(path):
    return plain.to_arrays(vars(_resumed(path.parent, SEEDS)))


# kind: (writes the file, reads it into {name: array})
ARCHIVES = {
    "run file": (recorded, same_recording),
    "controller": (controlled, same_controller),
    "restarts": (searched("restarts"), same_search("restarts")),
    "l-bfgs": (searched("l-bfgs"), same_search("l-bfgs")),
    "mpc": (searched("mpc"), same_search("mpc")),
    "annealed": (searched("annealed"), same_search("annealed")),
    "population": (populated, same_population),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """kind -> (path, its whole bytes, load, what it holds), each made once."""
    known = {}

    def get(kind):
        if kind not in known:
            write, load = ARCHIVES[kind]
            path = write(tmp_path_factory.mktemp(kind.replace(" ", "_")) / "file.npz")
            known[kind] = path, path.read_bytes(), load, load(path)
        return known[kind]

    return get


def check(path, load, whole, what):
    """It is refused by name, or is as it was; returns whether it was refused."""
    try:
        found = load(path)
    except ValueError as e:
        assert str(path) in str(e), f"{what}: {e}"
        return True
    assert whole is not None, f"{what}: was taken"
    assert found.keys() == whole.keys(), what
    for name, a in whole.items():
        np.testing.assert_array_equal(found[name], a, err_msg=f"{what}: {name}")
    return False


@pytest.mark.parametrize("kind", ARCHIVES)
def test_bytes_that_are_missing_or_wrong(kind, made):
    path, data, load, whole = made(kind)
    rng = np.random.default_rng(0)
    for length in sorted({0, 1, 4, 22, len(data) - 1, len(data) - 23, *rng.integers(0, len(data), 25).tolist()}):
        path.write_bytes(data[:length])
        assert check(path, load, None, f"cut to {length} of {len(data)}")
    refused = 0
    for at in [*range(0, 60, 2), *rng.integers(0, len(data), 60), *range(len(data) - 120, len(data), 3)]:
        wrong = bytearray(data)
        wrong[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(wrong)
        refused += check(path, load, whole, f"byte {at}: {data[at]} is {wrong[at]}")
    assert refused > 30
    path.write_bytes(b"not an archive\n" * 20)
    assert check(path, load, None, "text")


def spoiled(a):
    """(what, array) of an array that is not of its kind: its dtype, its shape, its width, its numbers."""
    yield (
        "text for numbers" if a.dtype.kind != "U" else "a number for text",
        np.zeros(a.shape, "f" if a.dtype.kind == "U" else "U3"),
    )
    yield "complex", np.zeros(a.shape, complex)
    yield "one dimension more", a[None] if a.dtype.kind != "U" else np.zeros((1, 2))
    if a.dtype.kind != "U" and a.ndim > 1:
        yield (
            "wider",
            np.concatenate([a, a[..., :1]], axis=-1) if a.shape[-1] else np.zeros((*a.shape[:-1], 1), a.dtype),
        )


@pytest.mark.parametrize("kind", ARCHIVES)
def test_arrays_that_are_missing_or_of_another_kind(kind, made):
    path, data, load, _ = made(kind)
    arrays = files.read_arrays(io_path(path, data))
    # of a model's many arrays some; of all others all
    names = [n for n in arrays if not n.startswith("model.")] + [n for n in arrays if n.startswith("model.")][::4]
    for name in names:
        a, others = arrays[name], {n: b for n, b in arrays.items() if n != name}
        np.savez(path, **others)
        assert check(path, load, None, f"without {name}")
        if kind == "population" and name != "tree":
            continue  # a member's state is the user's; what was stored is what comes back
        for what, wrong in spoiled(a):
            if (kind, name, what) == ("controller", "params", "one dimension more"):
                continue  # which is a row of parameters for one world
            np.savez(path, **others, **{name: wrong})
            assert check(path, load, None, f"{name}: {what}")
    np.savez(path, **arrays | {next(iter(arrays)): np.array([{"a": 1}], object)})
    assert check(path, load, None, "an object, which would be a pickle")


def io_path(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("shape", [(1 << 60,), (1 << 40, 1 << 40), (-1,), (2, -1, -4), (1 << 33, 0)])
def test_a_header_declares_what_is_not_there(shape, tmp_path):
    """Nothing is allocated by what a header says."""
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("params.npy", member.getvalue() + bytes(64 if 0 not in shape else 8))
    with pytest.raises(ValueError, match="a.npz .*params.npy declares"):
        files.read_arrays(tmp_path / "a.npz")


INFO = [
    ("frame_skip", 0), ("frame_skip", 1.5), ("frame_skip", True), ("record_every", 0), ("record_every", 3),
    ("memory", "much"), ("ncon", -1), ("precision", "f16"), ("labels", []), ("labels", [1, 2]), ("labels", ["a"]),
    ("name", None), ("versions", None), ("format", 7), ("frame_skip", None),
    ("features", [["contact"]]), ("features", "contact"),
]  # fmt: skip


@pytest.mark.parametrize("name, value", INFO)
def test_a_run_file_of_impossible_numbers(name, value, made):
    path, data, _, _ = made("run file")
    arrays = files.read_arrays(io_path(path, data))
    info = json.loads(str(arrays["info"])) | {name: value}
    np.savez(path, **arrays | {"info": np.array(json.dumps(info))})
    with pytest.raises(ValueError, match=f"{path.name}.*{name}"):
        Recording.load(path)
    del info[name]
    np.savez(path, **arrays | {"info": np.array(json.dumps(info))})
    if name == "features":  # files of earlier versions do not say
        assert Recording.load(path).features
        return
    with pytest.raises(ValueError, match=f"{path.name}.*(lacks|it has) {name}"):
        Recording.load(path)


@pytest.mark.parametrize("change", [
    {"opt": {"timestep": 0.01}}, {"opt": 3}, {"names": {}}, {"meshes": -1}, {"meshes": 1}, {"keys": ["a"]}, {"keys": 3},
    {"name": 5},
])  # fmt: skip
def test_a_stored_model_whose_header_does_not_fit(change, made):
    path, data, _, _ = made("run file")
    arrays = files.read_arrays(io_path(path, data))
    header = json.loads(str(arrays["model.header"])) | change
    np.savez(path, **arrays | {"model.header": np.array(json.dumps(header))})
    with pytest.raises(ValueError, match=path.name):
        Recording.load(path)


def spec(**config):
    return {"class": "MLP", "config": {"nq": 2, "nv": 2, "sizes": [1, 1], "entries": [[0, 1]]} | config}


@pytest.mark.parametrize("wrong", [
    [], {"class": "Missing", "config": {}}, {"class": "PD"}, {"class": "PD", "config": 3},
    {"class": "CPG", "config": {}},
    {"class": "CPG", "config": {"nu": 0}}, {"class": "CPG", "config": {"nu": 1, "more": 2}},
    {"class": "OpenLoop", "config": {"steps": 1 << 32, "nu": 1 << 32}},  # whose product is zero in 64 bits
    {"class": "Sum", "config": []}, {"class": "Sum", "config": [3]}, {"class": "Tracking", "config": []},
    {"class": "PD", "config": {"nq": 2, "nv": 2, "qposadr": [2], "dofadr": [0]}},
    {"class": "PD", "config": {"nq": 2, "nv": 2, "qposadr": [0], "dofadr": [0, 1]}},
    spec(entries=[[0, 2]]), spec(entries=[[0, -1]]), spec(entries=[[7, 0]]), spec(entries=[[2, 0]]),
    spec(entries=[[99, 0]]),
    spec(entries=[[0]]), spec(entries=[3]), spec(entries=3), spec(sizes=[1]), spec(sizes=[2, 1]), spec(sizes=[1, -1]),
    {"class": "LinearFeedback", "config": {"nq": 2, "nv": 2, "na": 0, "nu": 1, "rows": 1, "every": 0, "qposadr": [0],
                                           "dofadr": [0], "jnt_type": [3], "limited": [0]}},
    {"class": "LinearFeedback", "config": {"nq": 2, "nv": 2, "na": 0, "nu": 1, "rows": 1, "every": 1, "qposadr": [0],
                                           "dofadr": [0], "jnt_type": [0], "limited": [0]}},
])  # fmt: skip
def test_a_controller_that_no_robot_has(wrong, tmp_path):
    """Also: none that would read beside the state in the kernel."""
    path = tmp_path / "controller.npz"
    np.savez(path, controller=json.dumps(wrong), params=np.zeros(0 if "OpenLoop" in str(wrong) else 2))
    with pytest.raises(ValueError, match="controller.npz"):
        controllers.load(path)


def test_a_feedback_of_another_robot_is_refused():
    """Its rows would be read in another width."""
    scene = scenes.load("pendulum")
    feedback = controllers.LinearFeedback(scene.model, np.zeros((1, 2)))
    feedback._config["na"] = 1
    with pytest.raises(ValueError, match="na=1"):
        feedback.parts(SimpleNamespace(sim=SimpleNamespace(model=scene.model)))


def test_a_board_names_a_damaged_cell(tmp_path):
    board = Board(tmp_path, scenes.load, ["reacher"], ["random"])
    path = board.path("reacher", "random")
    path.parent.mkdir()
    files.write_json(path, ROW)
    assert board.rows() == [ROW]
    text = path.read_text()
    for cut in range(len(text)):
        path.write_text(text[:cut])
        with pytest.raises(ValueError, match="reacher-random.json"):
            board.rows()
    for name in ROW:
        for wrong in ({k: v for k, v in ROW.items() if k != name}, ROW | {name: None}, ROW | {name: [[1]]}):
            files.write_json(path, wrong)
            with pytest.raises(ValueError, match=f"reacher-random.json is damaged: {name}"):
                board.rows()
    rng = np.random.default_rng(0)
    for at in range(0, len(text), 3):  # a digit may be another: there is no checksum in a text
        wrong = bytearray(text.encode())
        wrong[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(wrong)
        try:
            board.rows()
        except ValueError as e:
            assert "reacher-random.json" in str(e)


def test_tables_name_the_line(tmp_path):
    path = tmp_path / "metrics.csv"
    for text, named in (
        ("", "no rows"), ("a,b\n", "no rows"), ("a,b\n1,2\n1\n", "line 3: b: got None"),
        ("a,b\n1,x\n", "line 2: b: got 'x'"),
        ("a,b\n1,2\0\n", "metrics.csv"), (b"a,b\n\xff,1\n", "metrics.csv"), ('a\n"' + "1" * 200_000, "metrics.csv"),
    ):  # fmt: skip
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(ValueError, match=named):
            files.read_table(path)
    path.write_text("a,b\n1,nan\n2,3\n")
    np.testing.assert_equal(files.read_table(path), {"a": np.array([1.0, 2.0]), "b": np.array([math.nan, 3.0])})
    files.write_table(path, ["b"], [{"a": 1, "b": 2}])
    assert list(csv.DictReader(path.open())) == [{"b": "2"}]


def test_a_population_is_stored_without_pickle(tmp_path):
    path = populated(tmp_path / "file.npz")
    at = _resumed(tmp_path, SEEDS)
    assert isinstance(at.best, tuple) and at.best[1:] == (2.0, 5) and isinstance(at.states[0]["more"][3][2], np.float64)
    with np.load(path, allow_pickle=False) as stored:
        assert all(not stored[name].dtype.hasobject for name in stored.files)
    with pytest.raises(ValueError, match=r"\['f'\]\[0\]: got set"):
        plain.to_arrays({"f": [{1}]})
    with pytest.raises(ValueError, match="keys that are not text"):
        plain.to_arrays({1: 2})
    path.unlink()
    (tmp_path / "population.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(ValueError, match="population.pkl is an earlier version's, a pickle"):
        _resumed(tmp_path, SEEDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a finished `optimize`, with its whole files."""
    out = tmp_path_factory.mktemp("run")
    assert main([*optimize(out), "--iterations", "1"]) == 0
    return out, {
        p: p.read_bytes() for p in (out / n for n in ("run.npz", "checkpoint.npz", "settings.json", "metrics.csv"))
    }


def optimize(out):
    return ["optimize", "pendulum", "--method", "random", "--worlds", "2", "--seconds", "0.1", "--out", str(out)]


def inside(data):
    """A place in the middle of a file, of an archive within its largest array: what lies between may be anything."""
    if not data.startswith(b"PK"):
        return len(data) // 2
    largest = max(zipfile.ZipFile(io.BytesIO(data)).infolist(), key=lambda member: member.compress_size)
    names = data[largest.header_offset + 26 : largest.header_offset + 30]  # lengths of the name and of what follows it
    head = 30 + int.from_bytes(names[:2], "little") + int.from_bytes(names[2:], "little")
    return largest.header_offset + head + largest.compress_size // 2


@pytest.mark.parametrize("command, file", [
    ("plot", "run.npz"), ("view", "run.npz"), ("plot", "metrics.csv"), ("resume", "checkpoint.npz"),
    ("resume", "settings.json"), ("board", "settings.json"), ("board", "cells/reacher-random.json"),
])  # fmt: skip
def test_commands_say_it_in_a_line(command, file, folder, tmp_path, capsys):
    out, whole = folder
    if command == "board":
        out, data = tmp_path, b'{"seconds": 100.0, "seed": 0}'
        (out / "cells").mkdir()
    else:
        data = whole[out / file]
    arguments = {
        "plot": ["plot", str(out), "loss" if file == "metrics.csv" else "qpos"],
        "view": ["view", str(out), "--no-browser"],
        "resume": [*optimize(out), "--iterations", "2", "--resume"],
        "board": ["board", "--tasks", "reacher", "--methods", "random", "--out", str(out)],
    }[command]  # fmt: skip
    middle = inside(data)
    try:
        for damaged in (b"", data[:middle], data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]):
            (out / file).write_bytes(damaged)
            assert main(arguments) == 2
            said = capsys.readouterr().err
            assert said.startswith("pullback: ") and file in said and said.count("\n") == 1, said
    finally:
        (out / file).write_bytes(data)
