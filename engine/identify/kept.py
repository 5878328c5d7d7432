"""What a fit keeps of each iteration in its folder, and goes on from."""

import json
from pathlib import Path

import numpy as np

from engine.files import check_keys, read_arrays, write_arrays

_STARTS = ("start_qpos", "start_qvel", "start_act")


def _fingerprint(problem):
    w, u = problem.windows, problem.unknowns
    return json.dumps([problem.model.name, u.names, u.guess.tolist(), w.count, w.steps, w.start.tolist(),
                       problem.loss, problem.chained, [len(s.window) for s in w.samples],
                       [float(np.sum(s.value)) for s in w.samples], u.low.tolist(), u.high.tolist()])  # fmt: skip


def keep(folder, problem, solver, before):
    """What `read_kept` reads."""
    state = {f"start_{n}": a for n, a in solver.point.starts.items()}
    state |= {"p": solver.point.p, "lam": solver.lam, "iterations": solver.iterations, "moved": solver.moved}
    state |= {"sd": _padded([s.sd for s in problem.windows.samples]), "before": json.dumps(before)}
    write_arrays(Path(folder) / "state.npz", state | {"problem": _fingerprint(problem)})


_CHAIN = ("problem", "p", "covariance", "iterations", "known", "ends", "fits", "sd")


def keep_chain(folder, chain):
    """What `read_chain` reads."""
    state = {f"start_{n}": a for n, a in chain.starts.items()}
    size = len(chain.p)
    state |= {"p": chain.p, "covariance": chain.covariance, "iterations": chain.iterations}
    state |= {"known": np.array(chain.known), "ends": np.reshape(chain.ends, (-1, size)), "fits": np.array(chain.fits)}
    state |= {"sd": _padded([s.sd for s in chain.problem.windows.samples]), "problem": _fingerprint(chain.problem)}
    write_arrays(Path(folder) / "state.npz", state)


def read_chain(folder, chain):
    """A Chain goes on from what an earlier run of the same problem left, if anything. Raises ValueError where it was
    another problem."""
    kept = _read(folder, chain.problem, (*_CHAIN, *_STARTS))
    if kept is None:
        return
    chain.p, chain.covariance, chain.iterations = kept["p"], kept["covariance"], int(kept["iterations"])
    chain.starts = {n.removeprefix("start_"): kept[n] for n in _STARTS}
    chain.known, chain.ends, chain.fits = list(kept["known"]), list(kept["ends"]), list(kept["fits"])
    for s, sd in zip(chain.problem.windows.samples, kept["sd"], strict=True):
        s.sd = sd[np.isfinite(sd)]


def _padded(rows):
    """Rows of different lengths as one array."""
    table = np.full((len(rows), max(len(row) for row in rows)), np.nan)
    for k, row in enumerate(rows):
        table[k, : len(row)] = row
    return table


def read_kept(folder, problem):
    """What an earlier run of the same problem left, or None. Raises ValueError where it was another problem."""
    kept = _read(folder, problem, ("problem", "p", "lam", "iterations", "moved", "sd", "before", *_STARTS))
    if kept is not None:
        kept["starts"] = {n.removeprefix("start_"): kept[n] for n in _STARTS}
        kept["before"] = {k: tuple(v) for k, v in json.loads(str(kept["before"])).items()}
    return kept


def _read(folder, problem, names):
    path = None if folder is None else Path(folder) / "state.npz"
    if path is None or not path.exists():
        return None
    kept = read_arrays(path, "what an earlier fit kept")
    check_keys(path, kept, names)
    if str(kept["problem"]) != _fingerprint(problem):
        raise ValueError(f"{path}: is of other logs, unknowns or windows; allowed: another folder, or the same problem")
    return kept
