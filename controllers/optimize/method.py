"""Method: a search, one `iterate()` at a time, that can be stopped anywhere between two and resumed bit for bit."""

import json

import numpy as np

from engine import files
from engine.words import counted


class Method:
    """Base of all searches.

    A subclass sets `kept`, names of the attributes (arrays, numbers) that the next iteration depends on, `members`,
    names of those that have a state of their own, and gives `_iterate() -> dict` of what it measured.
    `best` = lowest cost of any rollout so far, `best_params` what made it.
    """

    kept, members = (), ()
    growing = {}  # those of `kept` that grow: how many rows each has more than the first of them; None: any number
    ending = "finished: no further gain"  # what is said when a search is `finished`

    def __init__(self, problem, seed=0):
        if not hasattr(problem, "first"):
            got = type(problem).__name__
            raise TypeError(f"problem: got {got}, allowed: a Problem (controllers.optimize.Problem)")
        self.problem = problem
        self.rng = np.random.default_rng(seed)
        self.iteration = 0
        self.best, self.best_measured = np.inf, np.nan
        self.best_params = problem.first.copy()

    def __repr__(self):
        so_far = f"iteration {self.iteration}, best cost {self.best:.6g}" if self.iteration else "no iteration yet"
        return f"<{type(self).__name__}: {self._searched()}; {so_far}>"

    def _searched(self):
        """What is looked for, in words."""
        return counted(self.problem.n, "parameter")

    def iterate(self):
        """One iteration; returns its metrics: iteration, cost (of the best world now), best, measured, steps, ..."""
        row = self._iterate()
        self.iteration += 1
        counter = self.problem.counter
        return {"iteration": self.iteration, **row, "best": float(self.best),
                "best_measured": float(self.best_measured), "steps": counter.steps,
                "reversed": counter.reversed}  # fmt: skip

    def _iterate(self):
        raise NotImplementedError

    @property
    def finished(self):
        """No further iteration would change anything."""
        return False

    def note(self, rows, cost):
        """Remember the best of some rows (in units of scale); returns metrics of this evaluation."""
        i = int(np.argmin(cost))
        if cost[i] < self.best:
            self.best = float(cost[i])
            self.best_params = np.array(np.broadcast_to(rows, (len(cost), self.problem.n))[i] * self.problem.scale)
            self.best_measured = float(self.problem.measured[i])
        return {"cost": float(cost[i]), "median": float(np.median(cost) if len(cost) > 1 else cost[0]),
                "measured": float(self.problem.measured[i])}  # fmt: skip

    def state(self):
        """Everything that the next iteration depends on, as arrays for `np.savez`."""
        counter = self.problem.counter
        own = {name: np.asarray(getattr(self, name)) for name in self.kept}
        return {
            "iteration": np.asarray(self.iteration), "best": np.asarray(self.best),
            "best_measured": np.asarray(self.best_measured), "best_params": self.best_params,
            "work": np.array([counter.steps, counter.reversed]),
            "rng": np.asarray(json.dumps(self.rng.bit_generator.state)), **own,
            **{f"{name}_{k}": np.asarray(v) for name, x in self._members() for k, v in x.state().items()},
        }  # fmt: skip

    def _members(self):
        """(name, object) of everything inside that has a state of its own."""
        value = getattr(self.problem, "value", None)
        learned = [("value", value)] if hasattr(value, "load_state") else []
        return [(name, getattr(self, name)) for name in self.members] + learned

    def load_state(self, state):
        """Go on exactly where `state` was taken; returns self. Raises ValueError where it is of another search."""
        rng = self._check(state)
        self.iteration, self.best = int(state["iteration"]), float(state["best"])
        self.best_measured, self.best_params = float(state["best_measured"]), np.array(state["best_params"])
        self.problem.counter.steps, self.problem.counter.reversed = (int(x) for x in state["work"])
        self.rng.bit_generator.state = rng
        for name in self.kept:
            value = np.array(state[name])
            setattr(self, name, value.item() if value.ndim == 0 else value)
        for name, member in self._members():
            member.load_state({k[len(name) + 1 :]: state[k] for k in state if k.startswith(f"{name}_")})
        return self

    def _check(self, state):
        """Refuse arrays that are not of this search; returns the state of the random numbers."""
        who, lengths = type(self).__name__, {}
        files.check_keys(f"{who}: the state", state, self.state())
        of_members = tuple(f"{name}_" for name, _ in self._members())
        for name, value in Method.state(self).items():
            got, allowed = np.asarray(state[name]), np.asarray(value)
            if name == "rng" or name.startswith(of_members) and name not in self.kept:
                continue  # whose owners look at them
            free = name in self.growing or name == "best_params"
            shape = (got.shape[1:], allowed.shape[1:]) if free else (got.shape, allowed.shape)
            if got.dtype.kind != allowed.dtype.kind or got.ndim != allowed.ndim or shape[0] != shape[1]:
                want = f"rows of shape {shape[1]}" if free else allowed.shape
                found = f"shape {got.shape} of {got.dtype}"
                raise ValueError(f"{who}: {name}: got {found}, allowed: {want} of {allowed.dtype}")
            if self.growing.get(name) is not None:
                lengths[name] = len(got) - self.growing[name]
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{who}: rows: got {lengths}, allowed: one number")
        for name in ("iteration", "work"):
            if np.min(state[name]) < 0:
                raise ValueError(f"{who}: {name}: got {state[name]}, allowed: zero or more")
        rng = files.parse_json(state["rng"])
        try:
            np.random.default_rng().bit_generator.state = rng
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ValueError(f"{who}: rng: got {rng!r}, which is no state of NumPy's generator ({error})") from error
        return rng
