"""The words for what becomes of a file, beside what MuJoCo makes of it.

    same      it loads on both sides and moves alike
    neither   both refuse it
    refused   MuJoCo takes it and the engine refuses it by name
    opened    the engine takes it with what it changed to open it, and says so; MuJoCo does not
    tie       the sides differ where MuJoCo differs from itself: by name, what decides there
    wrong     anything else
"""

from typing import NamedTuple

import numpy as np

SAME, NEITHER, REFUSED, OPENED, TIE, WRONG = "same", "neither", "refused", "opened", "tie", "wrong"
HUGE = 1e10  # where MuJoCo gives up


class Verdict(NamedTuple):
    outcome: str
    detail: str = ""


class Differs(Exception):
    """With a Verdict: the first thing that is not the same."""


def tie(detail):
    raise Differs(Verdict(TIE, detail))


def wrong(detail):
    raise Differs(Verdict(WRONG, detail))


def said_by(error):
    return " ".join(str(error).split())[:300]


def well(x):
    return np.isfinite(x).all() and (np.abs(x) < HUGE).all()
