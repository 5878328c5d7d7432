"""What goes into a pure call and its reverse, and what comes out (pure.py)."""

from typing import NamedTuple

import numpy as np

from engine.arrays import parameter, theta_layout
from engine.diff.tape import APPLIED, MOCAP
from engine.finite import within
from engine.leaves import unasked
from engine.model.elements.key import start_state
from engine.simulator import Simulator
from engine.words import meant

ARGUMENTS = ("qpos", "qvel", "act", "ctrl")
COTANGENTS = tuple(f"cotangent of {name}" for name in ("qpos", "qvel", "act", "sensordata"))
ON_DIVERGENCE = ("raise", "mask")
NEGLIGIBLE = 1e-20  # N and N m


class Values(NamedTuple):
    """State outputs, or their cotangents, (worlds, .) of the end or (rows, worlds, .) of a trajectory."""

    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    sensordata: np.ndarray | None


class Saved(NamedTuple):
    """What a call's reverse reads. `qpos`: its outputs, where the robot has quaternions; `record` is empty where the
    reverse repeats the rollout from `start` (memory budget), and `start` is empty where it does not. Forces are empty
    where they were no argument, `diverged` (not zero: it did) where that raises."""

    ctrl: np.ndarray
    theta: np.ndarray
    qpos: np.ndarray
    record: np.ndarray
    start: np.ndarray
    qfrc_applied: np.ndarray
    xfrc_applied: np.ndarray
    diverged: np.ndarray


class Gradient(NamedTuple):
    """dloss/d(argument): qpos (worlds, nq), qvel, act, ctrl (steps, worlds, nu), theta (worlds, ntheta) or None, and
    qfrc_applied (worlds, nv), xfrc_applied (worlds, nbody, 6), each None where it was no argument."""

    qpos: np.ndarray
    qvel: np.ndarray
    act: np.ndarray
    ctrl: np.ndarray
    theta: np.ndarray | None
    qfrc_applied: np.ndarray | None = None
    xfrc_applied: np.ndarray | None = None


def theta_slots(model, names, leaves=()):
    """{name: (slice of theta, shape)} of the named parameters; raises ValueError for one that has no gradient."""
    layout, slots = theta_layout(model, leaves)[0], {}
    for name in names:
        if name not in layout:
            known = unasked(name) or f"{meant(name, layout)}; there are: {', '.join(layout)}"
            raise ValueError(f"params: no differentiable parameter {name!r}{known}")
        shape = np.shape(parameter(model, name))
        at = layout[name][0]
        slots[name] = (slice(at, at + int(np.prod(shape))), shape)
    return slots


def check_own(sim, worlds):
    """Whether the simulator's worlds have parameters of their own; a call must then have as many."""
    if sim.own_params and worlds != sim.worlds:
        raise ValueError(
            f"qpos: got {worlds} world(s), allowed: {sim.worlds}, since each of the simulator's worlds has parameters "
            "of its own"
        )
    return sim.own_params


def check_simulator(sim, forces=()):
    """A simulator whose parameters mean something, and whose data holds no forces but those that are arguments: the
    others would be left out."""
    if not isinstance(sim, Simulator):
        raise TypeError(f"sim: got {type(sim).__name__}, allowed: an engine.Simulator")
    sim.check_parameters()
    for name in APPLIED:
        if name not in forces and not within(sim.pack[name], NEGLIGIBLE) and sim.pack[name].any():
            raise ValueError(f"sim.data.{name} is not zero, but the simulator's state is not read; give {name}=...")
    if sim.model.nmocap or sim.model.neq:
        rest = start_state(sim.model)
        for name in (*MOCAP, "eq_active"):
            if (getattr(sim.data, name) != rest[name]).any():
                raise ValueError(
                    f"sim.data.{name} is not the model's own, but the simulator's state is not read; allowed: what the "
                    "model says, which a pure call holds (a Tape takes other values)"
                )
