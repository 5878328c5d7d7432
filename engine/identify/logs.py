"""Logs: named channels, each with times of its own, read from CSV, NPZ, Parquet and MCAP files.

What a channel is to a robot its name says, or a map that renames it (`targets.py`). Nothing is resampled here.
"""

import csv
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.files import read_arrays, reading
from engine.words import meant

TIMES = ("time", "t", "timestamp", "times")  # what a column of times may be called
READERS = {".csv": "csv", ".npz": "npz", ".parquet": "parquet", ".mcap": "mcap"}


class Channel(NamedTuple):
    """time (n,): s, rising. values (n,) or (n, k)."""

    time: np.ndarray
    values: np.ndarray


class Log:
    """Channels by name, of one run of a robot: `Log({"knee": (time, values), "ctrl:knee": (time, values)})`.

    channels: {name: (time, values)}; time (n,) in s, values (n,) or (n, k). Rows with a value that is not a number are
    left out: not measured then. `name` is what messages call it. Raises ValueError for times that do not rise and for
    shapes that do not fit.
    """

    def __init__(self, channels, name="log"):
        self.name, self.channels = str(name), {}
        if not isinstance(channels, dict):
            raise TypeError(f"{self.name}: channels: got {type(channels).__name__}, allowed: {{name: (time, values)}}")
        for key, pair in channels.items():
            if not isinstance(key, str) or not key:
                raise ValueError(f"{self.name}: got a channel called {key!r}, allowed: a name")
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise ValueError(f"{self.name}: channel {key!r}: got {type(pair).__name__}, allowed: (time, values)")
            self.channels[key] = _checked(self.name, key, *pair)
        if not self.channels:
            raise ValueError(f"{self.name}: got no channels, allowed: one or more")

    def renamed(self, names):
        """A Log whose channels have other names, {old: new}. Raises ValueError for a name that it lacks, and where two
        channels would have one name."""
        if not isinstance(names, dict):
            raise TypeError(f"{self.name}: names: got {type(names).__name__}, allowed: {{old: new}}")
        for old in names:
            if old not in self.channels:
                near = meant(old, self.channels)
                raise ValueError(f"{self.name}: no channel {old!r}{near}; it has: {', '.join(self.channels)}")
        new = [names.get(key, key) for key in self.channels]
        for k, name in enumerate(new):
            if name in new[:k]:
                raise ValueError(f"{self.name}: two channels would be called {name!r}, allowed: names of their own")
        return Log(dict(zip(new, self.channels.values(), strict=True)), self.name)

    def without(self, patterns):
        """A Log without the channels whose names fit one of these patterns (* and ?). Raises ValueError for one that
        fits none, and where nothing would be left."""
        for pattern in patterns:
            if not any(fnmatchcase(key, pattern) for key in self.channels):
                raise ValueError(f"{self.name}: no channel fits {pattern!r}; it has: {', '.join(self.channels)}")
        left = {k: c for k, c in self.channels.items() if not any(fnmatchcase(k, p) for p in patterns)}
        return Log(left, self.name)

    def __repr__(self):
        return f"<Log {self.name!r}: {', '.join(f'{k} ({len(c.time)})' for k, c in self.channels.items())}>"


def _checked(log, name, time, values):
    try:
        if np.iscomplexobj(time) or np.iscomplexobj(values):
            raise TypeError
        time, values = np.asarray(time, float), np.asarray(values, float)
    except (TypeError, ValueError):
        raise ValueError(f"{log}: channel {name!r} is not made of numbers") from None
    if time.ndim != 1 or values.ndim not in (1, 2) or len(values) != len(time):
        raise ValueError(f"{log}: channel {name!r} has times {time.shape} and values {values.shape}, allowed: (n,) "
                         "and (n,) or (n, k)")  # fmt: skip
    there = np.isfinite(time) & np.isfinite(values.reshape(len(time), -1)).all(axis=1)
    time, values = time[there], values[there]
    if len(time) == 0:
        raise ValueError(f"{log}: channel {name!r} has no values")
    if (np.diff(time) <= 0).any():
        k = int(np.argmax(np.diff(time) <= 0))
        raise ValueError(f"{log}: times of channel {name!r} do not rise: {time[k]} s is followed by {time[k + 1]} s")
    return Channel(time, values)


def read(path, names=None):
    """The Log of a file, by its ending: .csv .npz .parquet .mcap; names: {name in the file: name of the channel}.

    CSV: a header of names, a column of times (time, t or timestamp, s), cells that may be empty; between cells commas,
    or where the header has none semicolons or tabs. NPZ: an array for each
    channel, its times in NAME.time or for all in time. Parquet (pyarrow): columns as in CSV, also of lists, of which
    the entries count as NAME[0], NAME[1], ..., and several episodes (episode_index) follow one another. MCAP (mcap):
    messages in JSON; of one with name, position, velocity the joints, of others each number as TOPIC.FIELD.
    Raises ValueError for what cannot be read, OSError for what cannot be opened, ImportError naming what to install.
    """
    if not isinstance(path, (str, Path)):
        raise TypeError(f"path: got {type(path).__name__}, allowed: a file's name")
    path = Path(path)
    kind = READERS.get(path.suffix.lower())
    if path.is_dir():
        raise ValueError(f"{path}: a folder, allowed: a file that ends in {', '.join(READERS)}")
    if kind is None:
        raise ValueError(f"{path}: got a log that ends with {path.suffix!r}, allowed: {', '.join(READERS)}")
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    log = Log({"csv": _csv, "npz": _npz, "parquet": _parquet, "mcap": _mcap}[kind](path), path.name)
    return log.renamed(names) if names else log


def _time_column(path, names):
    found = next((name for name in TIMES if name in names), None)
    if found is None:
        raise ValueError(f"{path}: no column of times, allowed: one called {', '.join(TIMES)}")
    return found


def _csv(path):
    with reading(path, "a table (CSV, UTF-8)", "r", newline="", encoding="utf-8-sig") as file:
        header = file.readline()
        file.seek(0)
        between = next((mark for mark in ",;\t" if mark in header), ",")
        rows = list(csv.reader(file, delimiter=between))
    if len(rows) < 2:
        raise ValueError(f"{path}: got {len(rows)} line(s), allowed: a header and values")
    header = [name.strip() for name in rows[0]]
    if len(set(header)) < len(header):
        raise ValueError(f"{path}: two columns have one name")
    if "" in header:
        raise ValueError(f"{path}: column {header.index('') + 1} has no name")
    table = np.full((len(rows) - 1, len(header)), np.nan)
    for i, row in enumerate(rows[1:]):
        if row and len(row) != len(header):
            raise ValueError(f"{path}, line {i + 2}: {len(row)} cells, the header has {len(header)}")
        for j, cell in enumerate(row):
            try:
                table[i, j] = float(cell) if cell.strip() else np.nan
            except ValueError:
                raise ValueError(f"{path}, line {i + 2}: {header[j]} is {cell!r}, allowed: a number") from None
    return _of_columns(path, dict(zip(header, table.T, strict=True)))


def _of_columns(path, columns):
    """Channels of columns that share their times; those of lists together where their names end with [0], [1], ..."""
    time = columns.pop(_time_column(path, columns))
    groups = {}
    for name, values in columns.items():
        stem, _, number = name.partition("[")
        if number.endswith("]") and number[:-1].isdecimal():
            if stem in columns:
                raise ValueError(f"{path}: columns {stem} and {name}, allowed: one of them")
            groups.setdefault(stem, []).append((int(number[:-1]), values))
        else:
            groups[name] = values
    for name, found in groups.items():
        if isinstance(found, list):
            numbers = sorted(n for n, _ in found)
            if numbers != list(range(len(found))):
                raise ValueError(f"{path}: columns {name}[...] have the numbers {numbers}, allowed: all from 0 on")
            groups[name] = np.stack([v for _, v in sorted(found, key=lambda entry: entry[0])], axis=1)
    return {name: (time, values) for name, values in groups.items() if np.isfinite(values).any()}


def _npz(path):
    arrays = read_arrays(path)
    shared = next((name for name in TIMES if name in arrays), None)
    found = {}
    for name, values in arrays.items():
        if name == shared or name.endswith(".time"):
            continue
        time = arrays.get(f"{name}.time", arrays.get(shared))
        if time is None:
            raise ValueError(f"{path}: no times of {name!r}, allowed: an array {name}.time, or time for all")
        found[name] = time, values
    return found


def _parquet(path):
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise ImportError("reading Parquet needs pyarrow: pip install 'pullback[logs]'") from None
    with reading(path, "a table (Parquet)") as file:
        table, columns = parquet.read_table(file), {}
        values = {name: table.column(name).to_pylist() for name in table.column_names}
    for name, cells in values.items():
        columns |= _cells(path, name, cells)
    episodes = columns.pop("episode_index", None)
    if episodes is not None:  # each has a clock of its own: the next one begins where the last one ended
        time = columns[_time_column(path, columns)]
        same = np.diff(episodes) == 0
        if not same.any():
            raise ValueError(f"{path}: every episode (episode_index) has one row, allowed: two or more in one of them")
        gap = 2 * np.median(np.diff(time)[same])
        for k in np.flatnonzero(~same):
            time[k + 1 :] += time[k] - time[k + 1] + gap
    return _of_columns(path, columns)


def _cells(path, name, cells):
    """{column: numbers} of the cells of a column of numbers or of lists of them, of which some may be empty; of other
    cells none."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {int, float}:
        return {name: np.array([np.nan if cell is None else cell for cell in cells], float)}
    width = max((len(cell) for cell in cells if cell is not None), default=0) if kinds == {list} else 0
    if width == 0:
        return {}
    for k, cell in enumerate(cells):
        if cell is not None and (len(cell) != width or any(isinstance(x, (list, dict, str)) for x in cell)):
            raise ValueError(f"{path}, row {k + 1}: {name} is {cell}, allowed: {width} numbers, as in other rows")
    rows = np.array([[np.nan] * width if cell is None else cell for cell in cells], float).reshape(-1, width)
    return {f"{name}[{k}]": rows[:, k] for k in range(width)}


def _mcap(path):
    try:
        from mcap.reader import make_reader
    except ImportError:
        raise ImportError("reading MCAP needs mcap: pip install 'pullback[logs]'") from None
    found = {}
    with reading(path, "a recording (MCAP)") as file:
        for _, channel, message in make_reader(file).iter_messages():
            if channel.message_encoding != "json":
                raise ValueError(f"topic {channel.topic} is encoded in {channel.message_encoding!r}, allowed: json")
            data, time = json.loads(message.data), 1e-9 * message.log_time
            for name, value in _numbers(channel.topic, data):
                times, values = found.setdefault(name, ([], []))
                times.append(time)
                values.append(value)
    start = min((times[0] for times, _ in found.values()), default=0.0)
    return {name: (np.array(times) - start, values) for name, (times, values) in found.items()}


def _numbers(name, data):
    """(name, number or list of numbers) of all that a message holds."""
    if isinstance(data, dict) and isinstance(data.get("name"), list):  # joint states
        for kind, key in (("qpos", "position"), ("qvel", "velocity")):
            for joint, value in zip(data["name"], data.get(key) or (), strict=False):
                yield f"{kind}:{joint}", float(value)
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _numbers(f"{name}.{key}", value)
    elif isinstance(data, (int, float)) and not isinstance(data, bool):
        yield name, float(data)
    elif isinstance(data, list) and data and all(isinstance(v, (int, float)) for v in data):
        yield name, [float(v) for v in data]
