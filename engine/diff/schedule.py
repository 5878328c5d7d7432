"""Checkpoint schedules: which steps of a rollout to store and which to compute again, as pure arithmetic.

The reverse of a step reads its *record*; a step can be recorded again from any earlier *snapshot* (a State).
A schedule fits both into a number of bytes and lists the actions of the primal and of the reverse pass; the tape
executes them. Nothing here knows what a State or a record holds.

Notation
    n = steps    control steps of the rollout
    R = rows     rows of the record buffer: so many consecutive steps can be recorded and then reversed
    S = slots    snapshots held at once
    block        R consecutive steps, recorded and reversed in one piece
    t            repeats: how often a step is advanced over, at most, before it is recorded
    beta(s, t)   C(s + t, s), the number of blocks that s slots and t repeats can reverse

The binomial schedule is the one of A. Griewank and A. Walther, "Algorithm 799: revolve", ACM TOMS 26 (2000), with
blocks of R steps in place of single steps. Storing everything (S = 0) and equal segments (t = 1) are its two ends,
so one walk over the blocks yields the actions of all three schedules.
"""

import operator
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import comb

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


@dataclass(frozen=True, slots=True)
class Forward:
    """Advance the state from step `start` to step `stop`, recording nothing."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Record:
    """Advance from `start` to `stop`, writing the record of step `start + i` to row i of the record buffer."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Save:
    """Copy the current state, which is the one at the start of `step`, into a slot."""

    slot: int
    step: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Make the snapshot in a slot, taken at the start of `step`, the current state."""

    slot: int
    step: int


@dataclass(frozen=True, slots=True)
class Reverse:
    """The adjoint of steps `stop - 1` down to `start`, whose records fill the buffer from row 0."""

    start: int
    stop: int


Action = Forward | Record | Save | Restore | Reverse


@dataclass(frozen=True)
class Schedule:
    """A checkpoint schedule and its cost. `primal` visits every step once; `reverse` undoes all of them."""

    steps: int
    rows: int
    slots: int
    snapshot_bytes: int
    record_bytes: int

    def __post_init__(self):
        for name in ("steps", "rows", "snapshot_bytes", "record_bytes"):
            object.__setattr__(self, name, _count(name, getattr(self, name), least=1))
        object.__setattr__(self, "rows", min(self.rows, self.steps))
        slots = _count("slots", self.slots, least=0 if self.rows == self.steps else 1)
        # The last block is recorded on the way and needs no snapshot: more than one per other block is never used.
        object.__setattr__(self, "slots", min(slots, self.blocks - 1))

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def blocks(self) -> int:
        return -(-self.steps // self.rows)

    @property
    def bytes(self) -> int:
        return self.slots * self.snapshot_bytes + self.rows * self.record_bytes

    @cached_property
    def repeats(self) -> int:
        return _repeats(self.blocks, self.slots)

    @property
    def repeated_steps(self) -> int:
        """Steps advanced over and recorded later: what the schedule computes twice or more often."""
        return _repeated_steps(self.steps, self.rows, self.slots, self.repeats)

    @property
    def recompute(self) -> float:
        """Forward steps of both passes together, per step of the rollout, beyond the first one."""
        return self.repeated_steps / self.steps

    @property
    def primal(self) -> tuple[Action, ...]:
        return self._passes[0]

    @property
    def reverse(self) -> tuple[Action, ...]:
        return self._passes[1]

    @cached_property
    def _passes(self) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
        actions = tuple(_walk(self.steps, self.rows, self.slots, self.repeats))
        end = next(i for i, action in enumerate(actions) if isinstance(action, Reverse))
        return actions[:end], actions[end:]

    def __str__(self) -> str:
        everything = self.steps * self.record_bytes
        again = f"{self.repeated_steps:,} steps computed again, none more than {self.repeats}x"
        rows = (
            ("snapshots", f"{self.slots:,} x {format_bytes(self.snapshot_bytes)}", self.slots * self.snapshot_bytes),
            ("records", f"{self.rows:,} x {format_bytes(self.record_bytes)}", self.rows * self.record_bytes),
            ("together", "", self.bytes),
            ("all records", f"{self.steps:,} x {format_bytes(self.record_bytes)}", everything),
        )
        table = [f"  {what:<12}{product:>24}  {format_bytes(size):>12}" for what, product, size in rows]
        table[-1] += "  (what storing everything takes)"
        return "\n".join(
            [
                f"{self.name}: {self.steps:,} steps in {self.blocks:,} blocks of at most {self.rows:,}",
                *table,
                f"  recompute factor {self.recompute:.3g} ({again})",
            ]
        )


class StoreAll(Schedule):
    """Record every step of the rollout: no snapshot, nothing computed again."""

    def __init__(self, steps: int, snapshot_bytes: int, record_bytes: int):
        super().__init__(steps, steps, 0, snapshot_bytes, record_bytes)

    @classmethod
    def fit(cls, steps: int, snapshot_bytes: int, record_bytes: int, budget_bytes: int) -> "StoreAll | None":
        return cls(steps, snapshot_bytes, record_bytes) if steps * record_bytes <= budget_bytes else None


class Segments(Schedule):
    """A snapshot at the start of each segment of `rows` steps: no step is computed more than twice.

    When `rows` does not divide `steps`, the first segment is the short one. The last segment, which is recorded on
    the way, is then a full one.
    """

    def __init__(self, steps: int, rows: int, snapshot_bytes: int, record_bytes: int):
        super().__init__(steps, rows, steps, snapshot_bytes, record_bytes)

    @classmethod
    def fit(cls, steps: int, snapshot_bytes: int, record_bytes: int, budget_bytes: int) -> "Segments | None":
        """The longest segments that fit. The longer, the fewer steps are computed twice: it is all but the last."""
        for rows in range(min(steps, budget_bytes // record_bytes), 0, -1):
            if (-(-steps // rows) - 1) * snapshot_bytes + rows * record_bytes <= budget_bytes:
                return cls(steps, rows, snapshot_bytes, record_bytes)
        return None


class Revolve(Schedule):
    """The binomial schedule: the fewest repeated steps possible with `slots` snapshots and `rows` record rows."""

    def __init__(self, steps: int, rows: int, slots: int, snapshot_bytes: int, record_bytes: int):
        super().__init__(steps, rows, slots, snapshot_bytes, record_bytes)

    @classmethod
    def fit(cls, steps: int, snapshot_bytes: int, record_bytes: int, budget_bytes: int) -> "Revolve | None":
        """The balance of slots against rows with the fewest repeated steps, and of those the one with most rows.

        t repeats cost more than (t - 1) / 2 and at most t steps per step. A balance that needs more than twice the
        repeats of one already found therefore loses, and is left as soon as that shows.
        """
        best = None
        limit = steps
        for rows in range(min(steps, budget_bytes // record_bytes), 0, -1):
            blocks = -(-steps // rows)
            slots = min((budget_bytes - rows * record_bytes) // snapshot_bytes, blocks - 1)
            if slots == 0 and blocks > 1:
                continue
            repeats = _repeats(blocks, slots, limit)
            if repeats > limit:
                continue
            limit = min(limit, 2 * repeats)
            cost = _repeated_steps(steps, rows, slots, repeats)
            if best is None or cost < best[0]:
                best = cost, rows, slots
        return None if best is None else cls(steps, *best[1:], snapshot_bytes, record_bytes)


def choose(steps: int, snapshot_bytes: int, record_bytes: int, budget_bytes: int | str) -> Schedule:
    """The schedule with the smallest recompute factor that fits into the budget; of equal ones the simplest."""
    steps = _count("steps", steps, least=1)
    snapshot_bytes = _count("snapshot_bytes", snapshot_bytes, least=1)
    record_bytes = _count("record_bytes", record_bytes, least=1)
    sizes = steps, snapshot_bytes, record_bytes, parse_bytes(budget_bytes)
    fitting = [schedule for kind in (StoreAll, Segments, Revolve) if (schedule := kind.fit(*sizes)) is not None]
    if not fitting:
        raise ValueError(_too_small(*sizes))
    return min(fitting, key=lambda schedule: schedule.repeated_steps)


def parse_bytes(memory: int | str) -> int:
    """A number of bytes from an int or from text such as "64MiB" or "1.5 GB"."""
    allowed = f'an int (bytes) or a number with one of {", ".join(UNITS)}, such as "64MiB"'
    if isinstance(memory, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", memory)
        if match is None or match[2] not in UNITS:
            raise ValueError(f"memory={memory!r} is not a size; allowed: {allowed}")
        size = round(float(match[1]) * UNITS[match[2]])
    elif isinstance(memory, bool) or not hasattr(memory, "__index__"):
        raise TypeError(f"memory={memory!r} is not a size; allowed: {allowed}")
    else:
        size = operator.index(memory)
    if size <= 0:
        raise ValueError(f"memory={memory!r} must be positive; allowed: {allowed}")
    return size


def format_bytes(size: int) -> str:
    """A size in the largest binary unit that leaves a number of at least one, e.g. 1536 -> "1.5 KiB"."""
    for unit in ("GiB", "MiB", "KiB"):
        if size >= UNITS[unit]:
            return f"{size / UNITS[unit]:,.4g} {unit}"
    return f"{size} B"


def _count(name: str, value: int, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name}={value!r} must be an int")
    if value < least:
        raise ValueError(f"{name}={value} must be at least {least}")
    return operator.index(value)


def _too_small(steps: int, snapshot_bytes: int, record_bytes: int, budget_bytes: int) -> str:
    everything, smallest = steps * record_bytes, snapshot_bytes + record_bytes
    if everything <= smallest:
        needed, why = everything, f"the records of {steps} steps"
    else:
        needed = smallest
        why = f"one snapshot of {format_bytes(snapshot_bytes)} and one record of {format_bytes(record_bytes)}"
    return (
        f"memory of {format_bytes(budget_bytes)} is too small for a rollout of {steps} steps: "
        f"it needs at least {format_bytes(needed)} ({needed} bytes), {why}"
    )


def _repeats(blocks: int, slots: int, limit: int | None = None) -> int:
    """The least t with beta(slots, t) >= blocks, or limit + 1 if it is above the limit."""
    t, cover = 0, 1
    while cover < blocks and (limit is None or t <= limit):
        t += 1
        cover = cover * (slots + t) // t  # beta(s, t) = beta(s, t - 1) (s + t) / t, without remainder
    return t


def _repeated_steps(steps: int, rows: int, slots: int, repeats: int) -> int:
    """t n - R beta(s + 1, t - 1): Griewank and Walther's count for blocks of R steps, linear in between."""
    return repeats * steps - rows * comb(slots + repeats, slots + 1) if repeats else 0


def _walk(steps: int, rows: int, slots: int, repeats: int) -> Iterator[Action]:
    """The actions of both passes, one after the other; the first Reverse starts the reverse pass.

    Of the blocks still to be reversed, `pending` holds ranges (first, last, t) from left to right. The state at the
    start of range k lies in slot k, so that slots - k slots are left for it, its own among them.
    """
    blocks = -(-steps // rows)
    short = blocks * rows - steps

    def start(block):
        # The first block is the short one: it is advanced over t times, as often as any, where the last never is.
        return max(0, block * rows - short)

    if blocks == 1:
        yield from (Record(0, steps), Reverse(0, steps))
        return
    pending = [(0, blocks, repeats)]
    yield Save(0, 0)
    while pending:
        k = len(pending) - 1
        first, last, t = pending[k]
        middle, t_right = first, 0
        if last - first > 1:
            left, t_right = _split(last - first, slots - k, t)
            middle = first + left
            yield Forward(start(first), start(middle))
            pending[k] = (first, middle, t - 1)
        else:
            pending.pop()
        if last - middle > 1:
            yield Save(k + 1, start(middle))
            pending.append((middle, last, t_right))
            continue
        yield Record(start(middle), start(last))
        yield Reverse(start(middle), start(last))
        if pending:
            yield Restore(len(pending) - 1, start(pending[-1][0]))


def _split(blocks: int, slots: int, repeats: int) -> tuple[int, int]:
    """How many blocks go to the left of the next snapshot, and the repeats of those on its right.

    The left part keeps all slots and loses a repeat, the right part loses a slot. As many as possible go left:
    beta(s, t - 1), unless fewer than beta(s - 1, t - 1) would remain on the right, which would waste repeats there.
    """
    right_full = comb(slots + repeats - 2, slots - 1)
    left = min(comb(slots + repeats - 1, slots), blocks - right_full)
    return left, repeats if blocks - left > right_full else repeats - 1
