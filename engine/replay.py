"""Replay of a recorded trajectory: what can be seen and measured at every row, for pictures and plots."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.arguments import whole
from engine.clocks import times_of
from engine.model.model import Model, require_model
from engine.quantities import chain, energy
from engine.simulator import Simulator
from engine.words import required, shapes


@dataclass(repr=False)
class Replay:
    """One world of a trajectory at `rows` instants.

    time (rows,): s. geom_xpos (rows, ngeom, 3), geom_xquat (rows, ngeom, 4); xpos, xquat: the same of the bodies; xipos
    (rows, nbody, 3): their centres of mass. dof_ang, dof_lin (rows, nv, 3): the motion that each dof makes, about the
    root body's position. mass_matrix (rows, nv, nv). qpos (rows, nq). normal_force {geom name: (rows,)}: sum of the
    normal forces on each geom that ever touched something, N. contacts: for each row the arrays pos (n, 3), m, force
    (n, 3), N, on the second geom in world axes, geom1 (n,) and geom2 (n,). kinetic, potential (rows,): J, the
    potential of gravity and of the joints' springs. eq_active (neq,): which equality constraints act.
    """

    time: np.ndarray
    geom_xpos: np.ndarray
    geom_xquat: np.ndarray
    normal_force: dict
    xpos: np.ndarray
    xquat: np.ndarray
    xipos: np.ndarray
    dof_ang: np.ndarray
    dof_lin: np.ndarray
    mass_matrix: np.ndarray
    qpos: np.ndarray
    contacts: list
    kinetic: np.ndarray
    potential: np.ndarray
    eq_active: np.ndarray

    def __repr__(self):
        arrays = {name: a for name, a in vars(self).items() if isinstance(a, np.ndarray)}
        return f"<Replay: {shapes(arrays)}, contacts {len(self.contacts)}>"


_PER_ROW = ("geom_xpos", "geom_xquat", "xpos", "xquat", "xipos", "dof_ang", "dof_lin")


def replay(model: Model, trajectory: Any, world: int = 0, every: int = 1) -> Replay:
    """Evaluate every `every`-th row of one world of a Trajectory, or of a Recording, of this model.

    trajectory: or positions alone, an array (rows, nq) or (rows, worlds, nq) a timestep apart, which stand still.
    """
    require_model(model)
    if isinstance(trajectory, (np.ndarray, list, tuple)) and not hasattr(trajectory, "qpos"):
        trajectory = standing(model, trajectory)
    _checked(model, trajectory, world, every)
    sim = Simulator(model)
    rows = range(0, len(trajectory.qpos), every)
    found = {name: [] for name in _PER_ROW}
    masses, contacts, energies, forces = [], [], [], np.zeros((len(rows), model.ngeom))
    stride = max(len(trajectory.ctrl) // max(len(trajectory.qpos) - 1, 1), 1)
    for i, row in enumerate(rows):
        sim.reset(trajectory.qpos[row, world], trajectory.qvel[row, world])
        sim.data.act[0] = trajectory.act[row, world]
        set_inputs(sim.data, trajectory, [min(row * stride, len(trajectory.ctrl) - 1)], world)
        sim.forward()
        for name in _PER_ROW:
            found[name].append(getattr(sim.data, name)[0].copy())
        contact = sim.data.contacts()
        for geoms in (model.pair_geom1, model.pair_geom2):
            np.add.at(forces[i], geoms[contact["pair"]], contact["force"][:, 0])
        contacts.append(in_world_axes(model, contact))
        masses.append(sim.data.mass_matrix())
        energies.append([part[0] for part in energy(model, sim.params, sim.data)])
    moving = np.asarray(model.body_weldid)[model.geom_bodyid] != 0  # mocap bodies, too
    touched = np.flatnonzero(forces.any(axis=0) & moving)
    named = {model.geom_names[g] or f"geom {g}": forces[:, g] for g in touched}
    kinetic, potential = np.array(energies).T
    return Replay(
        time=times_of(trajectory)[list(rows), world].copy(), normal_force=named, mass_matrix=np.array(masses),
        contacts=contacts, qpos=np.array(trajectory.qpos[list(rows), world]), kinetic=kinetic, potential=potential,
        eq_active=sim.data.eq_active[0].copy(), **{name: np.array(values) for name, values in found.items()},
    )  # fmt: skip


def _checked(model, trajectory, world, every):
    """Refuse what is no trajectory of this model, and a world or an `every` that it does not have."""
    if not hasattr(trajectory, "qpos") or not hasattr(trajectory, "qvel"):
        raise TypeError(
            f"trajectory: got {type(trajectory).__name__}, allowed: a Trajectory (what tape.rollout returns), a "
            f"Recording (engine.Recording.load), or positions (rows, {model.nq})"
        )
    shape = np.shape(trajectory.qpos)
    if len(shape) != 3 or shape[2] != model.nq:
        raise ValueError(f"trajectory: its qpos has shape {shape}, allowed: (rows, worlds, {model.nq}) of this model")
    if isinstance(world, bool) or not isinstance(world, (int, np.integer)) or not 0 <= world < shape[1]:
        raise ValueError(f"world: got {world!r}, allowed: 0 to {shape[1] - 1}")
    whole("every", every)


def standing(model, qpos):
    """What `replay` takes, of positions alone: an array (rows, nq) or (rows, worlds, nq), a timestep apart."""
    require_model(model)
    qpos = np.asarray(qpos)
    qpos = qpos[:, None] if qpos.ndim == 2 else qpos
    if qpos.ndim != 3 or not len(qpos) or qpos.shape[2] != model.nq:
        raise ValueError(f"trajectory: got an array of shape {qpos.shape}, allowed: (rows, worlds, {model.nq})")
    rows, worlds = qpos.shape[:2]
    times = np.repeat(model.opt.timestep * np.arange(rows)[:, None], worlds, axis=1)
    qvel, act, ctrl = (np.zeros((rows, worlds, n)) for n in (model.nv, model.na, model.nu))
    return SimpleNamespace(qpos=qpos, qvel=qvel, act=act, ctrl=ctrl, times=times)


def set_inputs(data: Any, trajectory: Any, steps: int, world: int = 0) -> None:
    """What acted in control steps of one world of a trajectory, into as many worlds of a simulator's data: controls,
    poses of mocap bodies, active equalities. What a trajectory does not have stays as it is there."""
    for name in ("ctrl", "mocap_pos", "mocap_quat"):
        live = getattr(data, name)
        if live.size and hasattr(trajectory, name):
            live[:] = getattr(trajectory, name)[steps, world]
    if data.eq_active.size and hasattr(trajectory, "eq_active"):
        data.eq_active[:] = trajectory.eq_active[world]


def body_jacobian(model: Model, seen: Any, row: Any, body: Any) -> np.ndarray:
    """Velocity of a body's centre of mass for a unit of each velocity, (3, nv), at one row of a Replay."""
    jacobian = np.zeros((3, require_model(model).nv))
    arm = seen.xipos[row, body] - seen.xpos[row, model.body_rootid[body]]
    for i in chain(model, body):
        jacobian[:, i] = seen.dof_lin[row, i] + np.cross(seen.dof_ang[row, i], arm)
    return jacobian


def pushes(model: Model, seen: Any, qvel_bar: Any) -> np.ndarray:
    """Which push at each body lowers the loss: (rows, nbody, 3), loss per N s, at the centres of mass.

    qvel_bar (rows, nv) is the adjoint of the velocity at these rows (`engine.adjoint`). An impulse p at a body changes
    the velocity by M^-1 J^T p, and so the loss by (J M^-1 qvel_bar) . p: the push is minus that derivative.
    """
    require_model(model)
    out = np.zeros(required("seen", seen, Replay, "engine.replay.replay(model, trajectory)").xipos.shape)
    for row, bar in enumerate(qvel_bar):
        wanted = -np.linalg.solve(seen.mass_matrix[row], bar)
        for body in range(1, model.nbody):
            out[row, body] = body_jacobian(model, seen, row, body) @ wanted
    return out


def in_world_axes(model: Model, contact: Any) -> Any:
    """Contacts of a world (`data.contacts()`) as a Replay keeps them.

    They are arrays of their own: a simulator's soon show its next state. Force and torque act on geom 2; the frame's
    rows are the normal, from geom 1 to geom 2, and the tangents.
    """
    require_model(model)
    turned = {name: np.einsum("ni,nij->nj", contact[name], contact["frame"]) for name in ("force", "torque")}
    pair = contact["pair"]
    return {"pos": contact["pos"].copy(), **turned, "geom1": model.pair_geom1[pair], "geom2": model.pair_geom2[pair]}
