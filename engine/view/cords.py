"""Tendons that go from site to site, as lines of their colour and width."""

from typing import Any, NamedTuple

import numpy as np

from engine.model import Model, require_model
from engine.model.path import courses
from engine.model.tendons import is_spatial, spans
from engine.view.marks import VIOLET, tie_lines

_PIECES = 24  # of a span that may go round a geom


class Lines(NamedTuple):
    """Lines for pictures: places (rows, n, 2, 3), m; rgb (n, 3); width (n,), m, NaN for a thin stroke."""

    places: np.ndarray
    rgb: np.ndarray
    width: np.ndarray


def lines_of(model: Model, seen: Any, step: int = 1) -> Lines:
    """Every `step`-th row of a Replay: its `tie_lines`, and the tendons that go from site to site."""
    require_model(model, like="geom_type")
    ties, tendons = tie_lines(model, seen)[::step], cord_lines(model, seen.xpos[::step], seen.xquat[::step])
    n = ties.shape[1]
    rgb = np.concatenate([np.tile(VIOLET, (n, 1)), tendons.rgb])
    return Lines(np.concatenate([ties, tendons.places], axis=1), rgb, np.append(np.full(n, np.nan), tendons.width))


def cord_lines(model, xpos, xquat):
    """The tendons alone, from poses of the bodies, (rows, nbody, 3) and (rows, nbody, 4)."""
    places = np.stack([cords(model, *pose) for pose in zip(xpos, xquat, strict=True)])
    which = cord_tendons(model)
    return Lines(places, model.tendon_rgba[which, :3], 2 * model.tendon_width[which])


def cord_tendons(model):
    """(n,): the tendon of each of the lines of `cords`."""
    found = [[t] * (_PIECES if span.geom >= 0 else 1) for t, own in enumerate(spans(model)) for span in own]
    return np.array([t for own in found for t in own], int)


def cords(model, xpos, xquat):
    """Lines (n, 2, 3) of one instant, as many in each. xpos (nbody, 3), xquat (nbody, 4): the bodies' poses."""
    if not is_spatial(model).any():
        return np.zeros((0, 2, 3))
    found = []
    for along, own in zip(courses(model, xpos, xquat), spans(model), strict=True):
        for course, span in zip(along, own, strict=True):
            places = course.places
            if span.geom >= 0:
                last = np.repeat(places[-1:], _PIECES + 1 - len(places), axis=0)
                places = np.concatenate([places, last])
            found.append(np.stack([places[:-1], places[1:]], axis=1))
    return np.concatenate(found)
