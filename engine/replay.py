"""Replay of a recorded trajectory: poses of all geoms and contact forces at every row, for pictures."""

import numpy as np

from engine.simulator import Simulator


class Replay:
    """Poses and contact forces of one world of a trajectory.

    time (rows,): s. geom_xpos (rows, ngeom, 3), geom_xquat (rows, ngeom, 4). normal_force {geom name: (rows,)}: sum of
    the normal forces on each geom that ever touched something, N.
    """

    def __init__(self, time, geom_xpos, geom_xquat, normal_force):
        self.time, self.geom_xpos, self.geom_xquat, self.normal_force = time, geom_xpos, geom_xquat, normal_force


def replay(model, trajectory, world=0, every=1):
    """Evaluate every `every`-th row of one world of a Trajectory of this model."""
    sim = Simulator(model)
    rows = range(0, len(trajectory.qpos), every)
    xpos, xquat, forces = [], [], np.zeros((len(rows), model.ngeom))
    stride = max(len(trajectory.ctrl) // max(len(trajectory.qpos) - 1, 1), 1)
    for i, row in enumerate(rows):
        sim.reset(trajectory.qpos[row, world], trajectory.qvel[row, world])
        sim.data.act[0] = trajectory.act[row, world]
        if model.nu:
            sim.data.ctrl[0] = trajectory.ctrl[min(row * stride, len(trajectory.ctrl) - 1), world]
        sim.forward()
        xpos.append(sim.data.geom_xpos[0].copy())
        xquat.append(sim.data.geom_xquat[0].copy())
        contact = sim.data.contacts()
        for geoms in (model.pair_geom1, model.pair_geom2):
            np.add.at(forces[i], geoms[contact["pair"]], contact["force"][:, 0])
    moving = np.asarray(model.body_weldid)[model.geom_bodyid] != 0
    touched = np.flatnonzero(forces.any(axis=0) & moving)
    named = {model.geom_names[g] or f"geom {g}": forces[:, g] for g in touched}
    return Replay(trajectory.time[list(rows)], np.array(xpos), np.array(xquat), named)
