"""Film: what the replay viewer and the HTML file show, frame by frame, of one or several worlds."""

from dataclasses import dataclass

import numpy as np

from engine.model import require_model
from engine.replay import Replay
from engine.view.browser.curves import curves_of
from engine.view.browser.frames import frames_of, leading_body, robot_size
from engine.view.camera import follow
from engine.words import required


@dataclass(frozen=True)
class Film:
    """frames[k][w]: world w at times[k], s. low, high (3,): where the robots go, m. track (T, 3): the followed one.
    stage: further arguments of a Stage. curves: of the followed one (curves.py)."""

    model: object
    title: str
    labels: list
    times: np.ndarray
    frames: list
    low: np.ndarray
    high: np.ndarray
    track: np.ndarray
    camera: dict
    stage: dict
    curves: list

    @property
    def duration(self):
        return float(self.times[-1] - self.times[0])

    def index(self, seconds):
        """The frame that is shown so long after the first one."""
        return int(np.clip(np.searchsorted(self.times - self.times[0], seconds + 1e-9, "right") - 1, 0, self.last))

    @property
    def last(self):
        return len(self.times) - 1


def film(model, seen, labels=None, pushes=None, camera=None, fps=30.0, followed=-1, title=None, ghosts=False,
         names=False):  # fmt: skip
    """Film of a Replay or a list of them, which stand side by side, with at most `fps` frames a second.

    labels: a word for each. pushes: (rows, nbody, 3) of each (`engine.replay.pushes`), or None. camera: keywords of
    engine.view.Camera. followed: the world that the camera goes with. title: by default the model's name. ghosts:
    all but the last are pale and in its place. names: those of the bodies stand at them. A shorter replay stays at its
    end.
    """
    require_model(model, like="geom_type")
    seen = [required("seen", s, Replay, "engine.replay.replay(model, trajectory)")
            for s in (seen if isinstance(seen, (list, tuple)) else [seen])]  # fmt: skip
    labels = labels or ([""] if len(seen) == 1 else [f"world {w}" for w in range(len(seen))])
    stage = {"pushes": pushes is not None, "ghosts": ghosts, "names": names}
    pushes = [None] * len(seen) if pushes is None else pushes
    if not len(seen) == len(labels) == len(pushes) > 0:
        raise ValueError(f"{len(seen)} replays, {len(labels)} labels and {len(pushes)} pushes: there must be as many")
    if not fps > 0:
        raise ValueError(f"fps={fps!r}; allowed: a positive number")
    longest = max(seen, key=lambda s: len(s.time))
    rows = _thinned(longest.time, fps)
    worlds = [frames_of(model, s, p) for s, p in zip(seen, pushes, strict=True)]
    frames = [[w[min(k, len(w) - 1)] for w in worlds] for k in rows]
    low, high = bounds(model, np.concatenate([s.xpos for s in seen]))
    body = leading_body(model)
    lead = seen[followed].xpos
    track = np.stack([lead[min(k, len(lead) - 1), body] for k in rows])
    track = smooth(track, robot_size(model), fps)
    title = model.name if title is None else title
    curves = curves_of(model, seen[followed])
    return Film(model, title, labels, longest.time[rows], frames, low, high, track, camera or {}, stage, curves)


def smooth(track, size, fps):
    """The path (T, 3) of a camera after a body: along the ground, smoothed, at rest if the body stays in place."""
    level = track * [1.0, 1.0, 0.0]
    return np.array(follow(level, size, max(2, round(0.4 * fps))))


def bounds(model, xpos):
    """The corners (3,) of what the moving bodies reach, from their places (T, nbody, 3)."""
    moving = model.body_weldid != 0
    moving = moving if moving.any() else np.ones(model.nbody, bool)
    places = xpos[:, moving].reshape(-1, 3)
    return places.min(axis=0), places.max(axis=0)


def _thinned(times, fps):
    """Rows about 1 / fps apart, the first and the last among them."""
    if len(times) == 1:
        return np.zeros(1, int)
    step = max(1, int(round(1.0 / (fps * (times[1] - times[0])))))
    return np.unique(np.append(np.arange(0, len(times), step), len(times) - 1))
