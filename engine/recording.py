"""Recording: a rollout in one portable file, with all that it takes to look at it and to compute it again, bit for bit.

    tape.rollout(controls)
    engine.Recording.of(tape, name="hop", seed=3).save("hop.npz")
    r = engine.Recording.load("hop.npz")
    r.differences(r.replay())        # [] : not a bit is different

The file is a NumPy archive without pickled objects: the model (every array, its meshes and options), the start state,
the controls that acted, the recorded outputs, and a JSON text with seed, labels, sizes and versions.
"""

import json
import platform
from collections.abc import Sequence
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import parameter, theta_layout
from engine.clocks import one_clock, row_times, times_of
from engine.compiler.features import NAMES
from engine.files import check_array, check_keys, check_whole, parse_json, read_arrays, write_arrays
from engine.model.constants import WRAP_JOINT, WRAP_PULLEY
from engine.model.elements.equality import ties
from engine.model.model import Model
from engine.model.portable import model_from_arrays, model_to_arrays, stored_age
from engine.model.sensors import features_of_sensors
from engine.model.validate import validate
from engine.schema import STRIDES
from engine.theta import FOLLOWING, LEAF_NAMES, LEAVES, THETA
from engine.words import required

if TYPE_CHECKING:
    from engine.diff.tape import Tape
    from engine.diff.trajectory import Trajectory

FORMAT = 1
OUTPUTS = ("qpos", "qvel", "act", "sensordata", "ctrl", "time")
MOCAP = ("mocap_pos", "mocap_quat")  # of a robot that has mocap bodies
FOLLOWS = "following"  # among params: what followed from them, of worlds that had it set anew (Simulator.set_const)
_INFO = ("name", "labels", "seed", "frame_skip", "record_every", "precision", "memory", "ncon", "versions", "features")


class Recording:
    """A rollout of one or several worlds of one model.

    model: with the parameters that were in force, those of the first world where each had its own; params {name:
    (worlds, ...)}: these, else empty. start {name: (worlds, ...)}: the state before the rollout. qpos
    (rows, worlds, nq), qvel, act, sensordata, times (rows, worlds), time (rows,) and ctrl (steps, worlds, nu): as in a
    Trajectory; eq_active and, of a robot with mocap bodies, mocap_pos and mocap_quat, too. labels: a word for each
    world. seed: what the caller's random numbers began with. frame_skip: physics steps with one control. record_every:
    control steps between rows. versions: programs and machine that made it.
    features: what the kernels were compiled for.
    """

    model: Model
    start: dict[str, np.ndarray]
    worlds: int
    times: np.ndarray
    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    sensordata: np.ndarray
    ctrl: np.ndarray
    name: str
    labels: list[str]
    frame_skip: int
    record_every: int

    def __init__(
        self, model: Model, start: dict[str, np.ndarray], outputs: dict[str, np.ndarray], info: dict[str, Any],
        params: dict[str, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        self.model, self.start, self.params = model, start, params or {}
        self.__dict__.update({n: a for n, a in outputs.items() if n != "time"})
        self.__dict__.update({name: info[name] for name in _INFO})
        self.worlds = self.qpos.shape[1]
        self.times = np.repeat(np.asarray(outputs["time"])[:, None], self.worlds, axis=1)
        clocks = start.get("time")
        if clocks is not None and (clocks != clocks[0]).any():  # the file's `time` is that of the first world
            seconds = self.record_every * self.frame_skip * model.opt.timestep
            self.times = row_times(clocks, len(self.qpos), seconds)

    @property
    def time(self) -> np.ndarray:
        """Seconds of the rows (rows,), where all worlds have one clock."""
        return one_clock(self.times)

    @classmethod
    def of(cls, tapes: Any, name: str = "", labels: Sequence[str] | None = None, seed: Any = None) -> "Recording":
        """The last rollouts of one or several tapes of the same model and length; their worlds stand side by side.

        Raises StaleTapeError where a parameter of a model has changed since: the file would hold another; ModelError
        where no robot can have the parameters (the first world's), so that nobody could read the file.
        seed: a number, text, None, or lists of these; NumPy's numbers and arrays become Python's.
        """
        from engine.compiler.backend import settings
        from engine.diff.tape import Tape

        tapes = list(tapes) if isinstance(tapes, (list, tuple)) else [tapes]
        if not tapes:
            raise ValueError("tapes: got none, allowed: one or several")
        first = tapes[0]
        for tape in tapes:
            required("tapes", tape, Tape, "engine.Tape(sim, steps)")
            tape.check_fresh("Recording.of", of_model=True)
            _same(tape, first)
        parts, starts = [t.trajectory for t in tapes], [t.start for t in tapes]
        names = [n for n in _outputs(first.sim.model) if n != "time"]
        outputs = {n: np.concatenate([getattr(p, n) for p in parts], axis=1) for n in names}
        worlds = outputs["qpos"].shape[1]
        labels = [f"world {w}" for w in range(worlds)] if labels is None else [str(x) for x in labels]
        if len(labels) != worlds:
            raise ValueError(f"labels: got {labels}, allowed: one for each of {worlds} worlds")
        info = {
            "name": str(name or first.sim.model.name), "labels": labels, "seed": _plain(seed),
            "frame_skip": first.frame_skip, "record_every": first.every, "precision": settings().precision,
            "memory": first.memory, "ncon": max(t.sim.ncon_max for t in tapes), "versions": versions(),
            "features": sorted(first.sim.features),
        }  # fmt: skip
        names = [n for n in starts[0] if n != "eq_active" or first.sim.model.neq]
        start = {n: np.concatenate([s[n] for s in starts]) for n in names}
        names = first.sim.params if first.sim.own_params else ()
        params = {n: np.concatenate([t.sim.params[n] for t in tapes]) for n in names}
        if names and any(t.sim.model_pack.constants for t in tapes):
            params[FOLLOWS] = np.concatenate([_following(t.sim) for t in tapes])
        return cls(_model_in_force(first.sim), start, outputs | {"time": parts[0].times[:, 0].copy()}, info, params)

    @property
    def steps(self) -> int:
        """Control steps."""
        return len(self.ctrl)

    @property
    def eq_active(self) -> np.ndarray:
        """Which equality constraints acted, (worlds, neq)."""
        return self.start.get("eq_active", np.zeros((self.worlds, 0), np.int32))

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the file; its name must end in .npz. Returns the path."""
        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"path={str(path)!r} must end in .npz")
        if self.model.own_residual is not None:
            name = self.model.own_residual[0].__name__
            raise ValueError(f"save: the robot has the residual {name}, whose code no file holds; allowed: an MLP")
        info = {name: getattr(self, name) for name in _INFO} | {"format": FORMAT}
        arrays = {f"model.{n}": a for n, a in model_to_arrays(self.model).items()}
        arrays |= {f"start.{n}": a for n, a in self.start.items()} | {f"params.{n}": a for n, a in self.params.items()}
        arrays |= {n: getattr(self, n) for n in _outputs(self.model) if n != "time"} | {"time": self.times[:, 0]}
        write_arrays(path, {"info": np.array(json.dumps(info)), **arrays}, compressed=True)
        return path

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Recording":
        """Read a file. Starts neither Taichi nor a simulation.

        Raises ValueError, which names the file, where it is not such a file, or damaged: whatever is missing or does
        not fit together.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
        arrays = read_arrays(path, "a run file of this program")
        if "info" not in arrays:
            raise ValueError(f"{path} is not a run file of this program (it lacks info)")
        try:
            info = parse_json(arrays["info"])
            if info.get("format") != FORMAT:
                raise ValueError(f"it has format {info.get('format')!r}; this version reads {FORMAT}")
            info.setdefault("features", list(NAMES))  # of files that do not say: compiled for everything
            model = model_from_arrays(_under("model.", arrays))
            arrays = _younger(model, arrays, info)
            check_recorded(model, arrays, info)
            if "sensor" in info["features"]:  # which in older files stands for all of them
                info["features"] = sorted({*info["features"], *features_of_sensors(model)})
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        outputs = {n: arrays[n] for n in _outputs(model)}
        return cls(model, _under("start.", arrays), outputs, info, _under("params.", arrays))

    def tape(self, worlds: Sequence[int] | None = None) -> "Tape":
        """A tape whose rollout has just repeated this one: of all worlds, or of those listed; to differentiate it."""
        from engine.compiler.backend import settings
        from engine.diff.tape import Tape
        from engine.simulator import Simulator

        if settings().precision != self.precision:
            raise ValueError(
                f"the run was made in {self.precision}, this process computes in {settings().precision}; "
                f'call engine.init(precision="{self.precision}") first'
            )
        rows = np.arange(self.worlds) if worlds is None else np.asarray(worlds)
        leaves = [name for name in self.params if name in LEAF_NAMES]
        sim = Simulator(self.model, len(rows), self.ncon, self.features, leaves, own_params=bool(self.params))
        for name, value in self.params.items():
            (_following(sim) if name == FOLLOWS else sim.params[name])[...] = value[rows]
        for name, value in self.start.items():
            getattr(sim.data, name)[...] = value[rows]
        tape = Tape(sim, self.steps, self.frame_skip, memory=self.memory, record_every=self.record_every)
        tape.rollout(self.ctrl[:, rows], *(getattr(self, n)[:, rows] for n in MOCAP if self.model.nmocap))
        return tape

    def replay(self) -> "Trajectory":
        """Compute the rollout again from start state and controls; a Trajectory."""
        return self.tape().trajectory

    def differences(self, trajectory: Any) -> list[str]:
        """Names of the outputs of a Trajectory whose bits differ from the recorded ones."""
        pairs = {n: (getattr(self, n), getattr(trajectory, n)) for n in OUTPUTS if n != "time"}
        pairs["time"] = self.times, times_of(trajectory)
        return [n for n, (a, b) in pairs.items() if not np.array_equal(a, b, equal_nan=True)]


def _outputs(model):
    return OUTPUTS + (MOCAP if model.nmocap else ())


def _younger(model, arrays, info):
    """The arrays of a file, and of one that is older than a choice which equality constraints act, the model's. A
    process that replays it also compiles for those that never act."""
    age = stored_age(arrays["model.header"])
    if age < 3 and model.nown:  # of which it was not asked
        info["features"] = sorted({*info["features"], "own_pair"})
    if not model.neq or age >= 2:
        return arrays
    if ties(model):
        info["features"] = sorted({*info["features"], "equality", "block"})
    return arrays | {"start.eq_active": np.tile(model.eq_active0.astype(np.int32), (len(arrays["start.qpos"]), 1))}


def _plain(seed):
    """A seed as the file's JSON gives it back."""
    try:
        return json.loads(json.dumps(seed, default=lambda a: a.tolist()))
    except (TypeError, ValueError, AttributeError):
        raise TypeError(f"seed: got {seed!r}, allowed: numbers, text, None, or lists of these") from None


def versions():
    """{program: version} of what decides the bits of a rollout, and the machine."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    for package in ("pullback", "taichi", "numpy"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def check_recorded(model, arrays, info):
    """Refuse what a run file holds beside the model where it is not what `save` writes for this model."""
    check_keys("it", arrays, OUTPUTS)
    check_keys("its info", info, _INFO)
    _, every = (check_whole(name, info[name], 1) for name in ("frame_skip", "record_every"))
    check_whole("memory", info["memory"], 1)
    check_whole("ncon", info["ncon"])
    labels, precision = info["labels"], info["precision"]
    if precision not in ("f32", "f64"):
        raise ValueError(f"precision: got {precision!r}, allowed: f32, f64")
    if not isinstance(labels, list) or not labels or not all(isinstance(x, str) for x in labels):
        raise ValueError(f"labels: got {labels!r}, allowed: a word for each world")
    if not isinstance(info["name"], str) or not isinstance(info["versions"], dict):
        raise ValueError(f"name, versions: got {info['name']!r}, {info['versions']!r}, allowed: text and a table")
    features = info["features"]
    if not isinstance(features, list) or not all(name in NAMES for name in features):
        raise ValueError(f"features: got {features!r}, allowed: a list of {', '.join(NAMES)}")
    if arrays["qpos"].ndim != 3 or arrays["qpos"].shape[1] != len(labels):
        shape = arrays["qpos"].shape
        raise ValueError(f"labels: got {len(labels)} and qpos of shape {shape}, allowed: one for a world")
    m, worlds, steps = model, len(labels), len(np.atleast_1d(arrays["ctrl"]))
    if steps == 0 or steps % every:
        raise ValueError(f"record_every: got {every} in a run of {steps} steps, allowed: a divisor of one step or more")
    rows = steps // every + 1
    shapes = {"qpos": (rows, worlds, m.nq), "qvel": (rows, worlds, m.nv), "act": (rows, worlds, m.na),
              "sensordata": (rows, worlds, m.nsensordata), "ctrl": (steps, worlds, m.nu), "time": (rows,)}  # fmt: skip
    starts = {"time": (), "qpos": (m.nq,), "qvel": (m.nv,), "act": (m.na,), "qacc_warmstart": (m.nv,),
              "qfrc_applied": (m.nv,), "xfrc_applied": (m.nbody, 6)}  # fmt: skip
    shapes |= {f"start.{name}": (worlds, *shape) for name, shape in starts.items()}
    if m.neq:
        shapes["start.eq_active"] = worlds, m.neq
    if m.nmocap:
        shapes |= {"mocap_pos": (steps, worlds, m.nmocap, 3), "mocap_quat": (steps, worlds, m.nmocap, 4)}
    given = sorted(name for name in arrays if name.startswith("params."))  # of an older file fewer
    known = {f"params.{p.name}": np.shape(parameter(m, p.name)) for p in THETA + LEAVES}
    known[f"params.{FOLLOWS}"] = (theta_layout(m, table=FOLLOWING)[1],)
    check_keys("its params", known, given)
    shapes |= {name: (worlds, *known[name]) for name in given}
    found = {name for name in arrays if name in (*OUTPUTS, *MOCAP, *given) or name.startswith("start.")}
    if found != set(shapes):
        raise ValueError(f"its arrays: got {', '.join(sorted(found))}, allowed: {', '.join(sorted(shapes))}")
    for name, shape in shapes.items():
        check_array(name, arrays[name], "i" if name == "start.eq_active" else "f", shape)
    if not (np.diff(arrays["time"]) > 0).all():
        raise ValueError("time: got rows out of order, allowed: growing")


def _model_in_force(sim):
    """A copy of the model that holds the simulator's parameters, which may have been changed since it was made."""
    from engine.leaves import Leaves

    model = Leaves(sim.model, sim.model_pack).changed_model().copy()
    for name in sim.params:
        if name not in sim.leaves:
            parameter(model, name)[...] = sim.params[name][0] if sim.own_params else sim.params[name]
    for name, value in (sim.model_pack.constants or {}).items() if not sim.own_params else ():
        getattr(model, name)[...] = value
    if model.nwrap:  # which geom's side a path is on is no parameter, though it stands among them
        kept = ~np.isin(model.wrap_type, (WRAP_JOINT, WRAP_PULLEY))
        model.wrap_prm[kept] = sim.model.wrap_prm[kept]
    model.report = None
    return validate(model)


def _following(sim):
    """What follows from parameters, of each world that has its own."""
    pack = sim.model_pack
    return pack["following"][: sim.sizes["nfollowing"] * pack.owners].reshape(pack.owners, -1)


def _same(tape, first):
    for name in ("steps", "frame_skip", "every"):
        if getattr(tape, name) != getattr(first, name):
            raise ValueError(f"tapes: {name} is {getattr(tape, name)} and {getattr(first, name)}; allowed: one value")
    own = all(t.sim.own_params for t in (tape, first))
    if not own and not all(np.array_equal(*(t.sim.model_pack[name] for t in (tape, first))) for name in STRIDES):
        raise ValueError("tapes: their simulators have different parameters; allowed: the same model")


def _under(prefix, arrays):
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
