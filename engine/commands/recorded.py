"""What `view` and `plot` share: finding the recorded run that a person means, and differentiating it."""

from pathlib import Path

import numpy as np

from engine.words import meant

RUN_FILE = "run.npz"


def is_recorded(what):
    """Is this a run folder or a run file, and not a scene or a robot file?"""
    return Path(what).is_dir() or Path(what).suffix == ".npz"


def recording(what):
    """The Recording in a run folder or a run file."""
    from engine.recording import Recording

    path = Path(what)
    if path.is_dir():
        if not (path / RUN_FILE).exists():
            raise FileNotFoundError(f"{path} has no {RUN_FILE}; it is written when a run ends")
        path = path / RUN_FILE
    return Recording.load(path)


def world_of(run, label):
    """Index of the world called `label`; the last one without a label."""
    from engine.view.quantities import distinct

    if label is None:
        return run.worlds - 1
    labels = distinct(run.labels)
    if label in labels:
        return labels.index(label)
    raise ValueError(f"--world: got {label!r}{meant(label, labels)}, allowed: {', '.join(labels)}")


def along(model):
    """(index into qpos or None for all, words) of what is differentiated: the distance along x, where there is one."""
    from engine.model import ModelError
    from engine.objectives.locomotion import find_root

    try:
        return find_root(model).x, "distance along x"
    except ModelError:
        return None, "sum of the last qpos"


def end_adjoint(run, world):
    """(Adjoint of one world's distance along x at the end of its rollout, computed again, and its words)."""
    from engine.diff.adjoint import adjoint

    tape = run.tape([world])
    entry, words = along(run.model)
    bar = np.zeros_like(tape.trajectory.qpos)
    bar[-1, :, slice(None) if entry is None else entry] = 1.0
    return adjoint(tape, qpos=bar), words
