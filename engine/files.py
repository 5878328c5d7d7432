"""Files on disk: written whole or not at all, and read with one kind of error, whatever is wrong with them.

A file is made beside its place under a name of its own and renamed at the end: a kill leaves the last whole one, and
two processes that write the same file do not meet. What is read is never trusted: no pickled objects, and no array
whose header declares more than the file holds. Where a file cannot be opened its OSError is raised as it is.
"""

import csv
import errno
import io
import json
import math
import os
import secrets
import shutil
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_KINDS = {"f": "real numbers", "i": "whole numbers", "b": "truth values", "U": "text"}

# ------------------------------------------------------------------------------------------------------- writing


@contextmanager
def replacing(path, mode="wb", sync=False, **options):
    """A new file, open for writing, that takes the place of `path` when the block ends; not when it raises.

    mode, options: as for `open`. sync: wait until the disk has it, so that it is whole after a power failure too.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    if path.exists() and not path.is_file():  # a device or a pipe, which nothing may replace
        with open(path, mode, **options) as f:
            yield f
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(path.parent))
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with open(beside, mode.replace("w", "x"), **options) as f:
            yield f
            if sync:
                f.flush()
                os.fsync(f.fileno())
        if path.exists():
            shutil.copymode(path, beside)
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def remove_leftovers(path):
    """Remove what killed processes left beside `path`. Only while nobody else can be writing it."""
    path = Path(os.path.realpath(path))
    for left in path.parent.glob(f".{path.name}.*-*.tmp"):
        left.unlink(missing_ok=True)


def write_text(path, text):
    with replacing(path, "w", encoding="utf-8") as f:
        f.write(text)


def write_json(path, value, indent=None):
    write_text(path, json.dumps(value, indent=indent))


def write_arrays(path, arrays, compressed=False, sync=False):
    """{name: array} as a NumPy archive. Raises ValueError for arrays of Python objects, before anything is written."""
    arrays = {name: np.asarray(a) for name, a in arrays.items()}
    for name, a in arrays.items():
        if a.dtype.hasobject:
            raise ValueError(f"{path}: {name}: got an array of Python objects, allowed: numbers, truth values, text")
    with replacing(path, sync=sync) as f:
        (np.savez_compressed if compressed else np.savez)(f, **arrays)


def write_table(path, columns, rows):
    """A CSV file. rows: dicts; what they hold beside `columns` is left out."""
    with replacing(path, "w", newline="", encoding="utf-8") as f:
        table = csv.DictWriter(f, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


# ------------------------------------------------------------------------------------------------------- reading


@contextmanager
def reading(path, what, mode="rb", **options):
    """The open file; whatever its damaged bytes make a reader raise becomes one ValueError that names the file."""
    with open(path, mode, **options) as f:
        try:
            yield f
        except Exception as error:  # zipfile, zlib and NumPy raise a dozen kinds
            reason = str(error) or type(error).__name__
            raise ValueError(f"{path} is not {what} or is damaged ({reason})") from error


def read_arrays(path, what="a NumPy archive"):
    """{name: array} of a NumPy archive. Raises ValueError, which names the file, where it is damaged or another kind.

    what: how the message calls it, "a run file".
    """
    with reading(path, what) as f, zipfile.ZipFile(f) as archive:
        return {info.filename.removesuffix(".npy"): _array(archive, info) for info in archive.infolist()}


def _array(archive, info):
    name = info.filename
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name} is compressed in a way that NumPy does not write")
    data = archive.read(info)  # which compares the checksum
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"{name} is of the version {version} of NumPy's format")
    shape, fortran, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects")
    begin, count = stream.tell(), math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(data) - begin:
        raise ValueError(f"{name} declares {shape} of {dtype}, and {len(data) - begin} bytes follow")
    if count * dtype.itemsize == 0:
        return np.zeros(shape, dtype)
    a = np.frombuffer(data, dtype, count, begin).reshape(shape, order="F" if fortran else "C")
    return a.astype(dtype.newbyteorder("="), order="C")  # a copy, which may be written to


def read_json(path, what="a JSON file", kind=dict):
    """The value in a JSON file, of the Python type `kind`. Raises ValueError, which names the file."""
    with reading(path, what, "r", encoding="utf-8") as f:
        return parse_json(f.read(), kind)


def parse_json(text, kind=dict):
    """The value of a JSON text, or of an array that holds one. Raises ValueError where it is not of type `kind`."""
    try:
        value = json.loads(str(text))
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    if not isinstance(value, kind):
        allowed = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"JSON: got a {type(value).__name__}, allowed: a {allowed}")
    return value


def read_table(path, what="a table (CSV)"):
    """{column: (rows,) array} of a CSV file of numbers. Raises ValueError, which names file, line and column."""
    with reading(path, what, "r", newline="", encoding="utf-8") as f:
        table = csv.DictReader(f)
        rows = list(table)
        if not rows:
            raise ValueError("it has no rows")
        return {name: np.array([_number(k, name, row) for k, row in enumerate(rows, 2)]) for name in table.fieldnames}


def _number(line, column, row):
    try:
        return float(row[column])
    except (TypeError, ValueError):
        raise ValueError(f"line {line}: {column}: got {row[column]!r}, allowed: a number") from None


# ------------------------------------------------------------------------------------------------------- checking


def check_keys(where, found, wanted):
    """Refuse a dict that lacks one of the keys `wanted`."""
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise ValueError(f"{where} lacks {', '.join(missing)}")


def check_array(where, array, kind, shape):
    """Refuse an array that is not of this dtype kind ("f", "i", "b", "U") and shape; None in it: any length."""
    fits = array.ndim == len(shape) and all(n is None or n == m for n, m in zip(shape, array.shape, strict=False))
    if array.dtype.kind != kind or not fits:
        wanted = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
        allowed = f"{_KINDS[kind]} of shape {wanted}"
        raise ValueError(f"{where}: got shape {array.shape} of {array.dtype}, allowed: {allowed}")
    if kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{where}: got numbers that are not finite, allowed: finite ones")


def check_whole(where, value, least=0, below=None):
    """Refuse what is not a whole number (of JSON) from `least`, below `below`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least or below is not None and value >= below:
        end = "" if below is None else f" to {below - 1}"
        raise ValueError(f"{where}: got {value!r}, allowed: a whole number from {least}{end}")
    return value
