"""Search with a population over seeds as Ray tasks: all improve apart, then the best take the places of the worst.

The exploiting half of population based training (Jaderberg et al. 2017, arXiv:1711.09846, "truncation selection"); the
exploring half is up to `improve`, which gets random numbers of its own. Whose worker dies is improved again, from the
same state with the same random numbers: neither that nor the number of workers changes the result.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine import files, plain
from engine.distributed import started_ray
from engine.lock import FolderLock

FILE = "population.npz"


def population(
    start: Any, improve: Any, seeds: Any, rounds: Any, replace: float = 0.25, folder: Any = None, cpus: float = 1,
    retries: int = 3, report: Any = None,
) -> Any:  # fmt: skip
    """Improve a member for every seed, `rounds` times.

    start(rng) -> state            of a new member; anything that pickle takes, with a folder what `engine.plain` takes
    improve(state, rng) -> (state, score), a higher score being better; rng is the member's own of this round
    seeds: whole numbers, one for each member. replace: share of the members (at most a half) whose places are taken by
    copies of as many best ones after each round. folder: every round is kept there, and a search that was stopped goes
    on from it with the same result. cpus: cores of a member's task. retries: how often Ray tries a task again whose
    worker died. report(round, scores): called after every round.

    Returns state, score and seed of the best member of all rounds, and `scores` (rounds, members). Raises ValueError
    where the folder is of another search or damaged, FolderInUseError where another search runs in it.
    """
    from engine.arguments import whole

    seeds, rounds = [int(seed) for seed in seeds], whole("rounds", rounds)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds: got {seeds}, allowed: one or more, all different")
    if not 0.0 <= replace <= 0.5:
        raise ValueError(f"replace: got {replace!r}, allowed: 0 to 0.5")
    if folder is None:
        return _search(start, improve, seeds, rounds, replace, None, cpus, retries, report)
    Path(folder).mkdir(parents=True, exist_ok=True)
    with FolderLock(folder):
        return _search(start, improve, seeds, rounds, replace, Path(folder), cpus, retries, report)


def _search(start, improve, seeds, rounds, replace, folder, cpus, retries, report):
    settings = {"seeds": seeds, "replace": replace}
    fresh = SimpleNamespace(settings=settings, states=[None] * len(seeds), scores=[], best=None)
    at = _resumed(folder, settings) or fresh
    ray = started_ray(cpus)
    task = ray.remote(num_cpus=cpus, max_retries=retries)(_improved)
    while len(at.scores) < rounds:
        k = len(at.scores)
        done = ray.get([
            task.remote(start, improve, state, seed, k) for state, seed in zip(at.states, seeds, strict=True)
        ])  # fmt: skip
        at.states, scores = [state for state, _ in done], np.array([score for _, score in done], float)
        top = int(np.argmax(scores))
        if at.best is None or scores[top] > at.best[1]:
            at.best = at.states[top], float(scores[top]), seeds[top]
        order, n = np.argsort(-scores, kind="stable"), int(replace * len(seeds))
        for better, worse in zip(order[:n], order[len(order) - n :], strict=True):
            at.states[worse] = at.states[better]
        at.scores.append(scores)
        if folder is not None:
            _keep(folder, at)
        if report is not None:
            report(k, scores)
    state, score, seed = at.best
    return SimpleNamespace(state=state, score=score, seed=seed, scores=np.array(at.scores[:rounds]))


def _improved(start, improve, state, seed, k):
    if k == 0:
        state = start(np.random.default_rng([seed, 0]))
    state, score = improve(state, np.random.default_rng([seed, k + 1]))
    if np.isnan(score):
        raise ValueError(f"population: improve gave the score {score} to the member of seed {seed} in round {k}")
    return state, float(score)


def _keep(folder, at):
    """Written beside and renamed, so that a kill leaves the last whole one."""
    files.write_arrays(folder / FILE, plain.to_arrays(vars(at)))


def _resumed(folder, settings):
    """The search as its folder has it, or None."""
    path = None if folder is None else folder / FILE
    if path is None or not path.exists():
        if path is not None and (old := folder / "population.pkl").exists():
            raise ValueError(
                f"folder: {old} is an earlier version's, a pickle, which could run anything and is no longer read; "
                f"choose another folder, or remove it"
            )
        return None
    arrays = files.read_arrays(path, "a population's search")
    try:
        at = plain.from_arrays(arrays)
        _check(at, settings)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return SimpleNamespace(**at)


def _check(at, settings):
    """Refuse what is not a search of these settings."""
    if not isinstance(at, dict) or set(at) != {"settings", "states", "scores", "best"}:
        raise ValueError("got something else than a search")
    if at["settings"] != settings:
        raise ValueError(f"folder: it was made with {at['settings']}, asked for {settings}")
    members, rounds = len(settings["seeds"]), at["scores"]
    if not isinstance(at["states"], list) or len(at["states"]) != members or not isinstance(rounds, list) or not rounds:
        raise ValueError(f"states, scores: allowed: {members} states, and scores of a round or more")
    for k, scores in enumerate(rounds):
        if not isinstance(scores, np.ndarray) or scores.dtype.kind != "f" or scores.shape != (members,):
            raise ValueError(f"scores: round {k}: got {scores!r}, allowed: {members} numbers")
    best = at["best"]
    if not isinstance(best, tuple) or len(best) != 3 or type(best[1]) is not float or best[2] not in settings["seeds"]:
        raise ValueError(f"best: got {best!r}, allowed: a state, its score and its seed")
