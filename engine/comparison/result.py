"""What a comparison found, and how it is told."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

MOST = 12  # names or arrays in a message


@dataclass
class Part:
    """A term that differs. step, time: first where it does, s. worst: the largest difference there, of `element`, whose
    values are a and b; where there are several, those of the worst. causes: the numbers of the models that enter into
    it and differ. largest: the largest difference of all steps."""

    term: str
    words: str
    step: int
    time: float
    element: str
    worst: float
    a: Any
    b: Any
    largest: float
    causes: list = field(default_factory=list)

    def __str__(self):
        at = f"step {self.step} ({self.time:.4g} s)"
        text = f"{self.term} ({self.words}) from {at} on: {self.element}"
        if self.a is not None:
            text += f" {self.a:.6g} against {self.b:.6g}"
        return text + (f"; largest difference {self.largest:.3g}" if self.largest > 1.001 * self.worst else "")


@dataclass
class Comparison:
    """What `engine.compare` found. `bool(...)` is whether the two are the same.

    numbers: those of the models that differ, [Number(array, element, a, b)]. missing, added: {kind: names} of what the
    first model alone has, and the second. orders: {kind: (names in a, names in b)} where both have the same in another
    order: of joints, qpos and qvel; of actuators, ctrl; of sensors, sensordata. parts: the terms that differ, in the
    order of their first step and, within a step, of the computation: [Part]. times (n,), s, and apart (n,): the
    largest distance between the same bodies, m, when each goes its own way from the same start.
    """

    names: tuple
    steps: int
    tolerance: float
    numbers: list
    missing: dict
    added: dict
    orders: dict
    parts: list
    times: np.ndarray
    apart: np.ndarray

    def __bool__(self):
        return not (self.parts or self.numbers or self.missing or self.added or self.orders)

    @property
    def first(self):
        """The Part in which they differ first, or None."""
        return self.parts[0] if self.parts else None

    def __str__(self):
        return "\n".join(_lines(self))


def _lines(found):
    a, b = found.names
    if a == b:
        a, b = f"the first {a}", f"the second {b}"
    yield f"{a} against {b}: {found.steps} steps of the first, tolerance {found.tolerance:g}"
    if found:
        yield "the same: every number, and every term at every step"
        return
    for kind, (one, other) in found.orders.items():
        k = next(k for k, (x, y) in enumerate(zip(one, other, strict=True)) if x != y)
        of = {"joint": "qpos and qvel", "actuator": "ctrl", "sensor": "sensordata"}[kind]
        yield f"{kind}s stand in another order ({of}): at place {k} {one[k]} against {other[k]}"
    for which, those in ((a, found.missing), (b, found.added)):
        for kind, names in those.items():
            more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
            yield f"only in {which}: {kind} {', '.join(names[:MOST])}{more}"
    for k, part in enumerate(found.parts):
        yield f"{'then' if k else 'first difference'}: {part}"
        seen = {n for p in found.parts[:k] for n in map(id, p.causes)}
        yield from _grouped([n for n in part.causes if id(n) not in seen])
    if not found.parts:
        yield "every term is the same at every step"
    told = {id(n) for p in found.parts for n in p.causes}
    rest = [n for n in found.numbers if id(n) not in told]
    if rest:
        yield "other numbers that differ:"
        yield from _grouped(rest)
    if found.apart.size:
        yield f"each on its own: bodies are {found.apart.max():.3g} m apart at most, " + _when(found)


def _grouped(found):
    """A line for each array that differs: one element of it, and how many others."""
    arrays = {}
    for n in found:
        arrays.setdefault(n.array, []).append(n)
    for k, those in enumerate(arrays.values()):
        if k == MOST:
            yield f"  and {len(arrays) - MOST} other arrays"
            return
        yield f"  {those[0]}" + (f", and {len(those) - 1} more" if len(those) > 1 else "")


def _when(found):
    """When they are a millimetre apart, a centimetre, a tenth of a metre."""
    words = []
    for distance, word in ((1e-3, "1 mm"), (1e-2, "1 cm"), (0.1, "10 cm")):
        over = np.flatnonzero(found.apart > distance)
        if over.size:
            words.append(f"{word} after {found.times[over[0]]:.3g} s")
    return ", ".join(words) or "never 1 mm"
