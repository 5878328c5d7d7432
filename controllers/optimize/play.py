"""The run of a controller from a start, to its end or as far as it stays finite."""

import numpy as np

from engine.diff.tape import Tape
from engine.errors import DivergenceError
from engine.simulator import Simulator

WILD = 1e3  # rad/s or m/s: what follows shows nothing


def played(model, start, controls, steps, frame_skip):
    """(tape with the rollout from `start`, None), or where that diverges (tape until then, the DivergenceError).

    controls: a controller, or rows (steps, nu). Raises it where not even the first control step stays finite.
    """
    lost = None
    while True:
        tape = Tape(_at(model, start), steps, frame_skip=frame_skip)
        try:
            trajectory = tape.rollout(controls[:steps] if isinstance(controls, np.ndarray) else controls)
        except DivergenceError as error:
            lost = lost or error
            if error.step < 1:
                raise
            steps = min(error.step, steps - 1)
            continue
        calm = np.abs(trajectory.qvel[:, 0]).max(axis=1, initial=0.0) <= WILD
        if lost is None or calm.all() or steps == 1:
            return tape, lost
        steps = max(1, int(np.argmin(calm)) - 1)


def _at(model, start):
    sim = Simulator(model)
    sim.reset(*start)
    return sim
