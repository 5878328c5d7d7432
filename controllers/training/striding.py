"""Steps that a robot on two feet walks by: of all Strides (stepping.py) those that keep it up and go as told, by the
cross-entropy method (Rubinstein, Kroese, 2004) on whole walks, without a gradient.

Each candidate walks by several commands from rest, thrown a little. What falls is worth the less the sooner it does.
"""

import numpy as np
import torch

from controllers.training.stepping import Stride
from engine.simulator import Simulator

FIRST = Stride(2.0, 0.15, 1.0, 0.8, 0.0, 0.02, 0.4, 0.4, 1.0, 1.0, 0.15, 1.0)
SPREAD = Stride(0.3, 0.03, 0.4, 0.2, 0.05, 0.02, 0.15, 0.15, 0.5, 0.5, 0.1, 0.1)
LEAST = Stride(1.3, 0.05, 0.0, 0.3, -0.2, -0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3)
MOST = Stride(3.0, 0.3, 2.0, 2.0, 0.2, 0.1, 1.0, 1.0, 5.0, 5.0, 1.5, 1.4)
CANDIDATES, EACH = 24, 4  # of a generation, and walks of one
ELITE, KEPT = 6, 0.5  # of them, that the next are drawn around; of the last spread, in the next
SECONDS = 4.0
GENERATIONS, GOOD = 12, 0.12  # at most; median of a generation's costs that is enough
THROWN = 0.25  # of the fastest command: velocities to begin with
SPUN = 0.2  # rad/s that count as much as being off by the fastest command: 1 / this


def find_stride(task, rng, show=None):
    """The Stride around which the best ones lie, for a Legged task; as it was where all fall. rng: a torch.Generator.
    show: called with each generation's number, costs (candidates,) and mean."""
    mean, spread = np.array(FIRST), np.array(SPREAD)
    sim, best, least = Simulator(task.body.learned, CANDIDATES * EACH), mean.copy(), np.inf
    for k in range(GENERATIONS):
        rows = mean + spread * torch.randn(CANDIDATES, len(mean), generator=rng).numpy()
        rows[0] = mean if k else FIRST
        if k > 1:
            rows[1] = best
        rows = np.clip(rows, LEAST, MOST)
        cost = walked_by(task, sim, rows, rng)
        order = np.argsort(cost, kind="stable")[:ELITE]
        mean = rows[order].mean(axis=0)
        spread = np.maximum(KEPT * spread + (1 - KEPT) * rows[order].std(axis=0), 0.1 * np.array(SPREAD))
        best, least = rows[order[0]], float(cost[order[0]])
        if show is not None:
            show(k, cost, mean)
        if np.median(cost) < GOOD:
            break
    return Stride(*(float(x) for x in mean)) if least < 1.0 else task.steps.stride


def walked_by(task, sim, rows, rng):
    """(candidates,) cost of Strides (candidates, .), the mean of their walks."""
    n, dt = len(rows) * EACH, task.body.dt
    strides = np.repeat(rows, EACH, axis=0)
    told = task.commands(EACH, rng)
    told[0], told[1] = torch.tensor([task.fastest, 0.0, 0.0]), torch.tensor([0.5 * task.fastest, 0.0, 0.0])
    told[2] = 0.0
    told = told.repeat(len(rows), 1)
    qpos, qvel, _ = (x.repeat(len(rows), 1) for x in task.resting(EACH, rng))
    kick = THROWN * task.fastest * torch.randn(EACH, len(task.moved), generator=rng)
    qvel[:, task.moved] += kick.repeat(len(rows), 1)
    sim.reset(qpos.numpy(), qvel.numpy())
    steps, clock = round(SECONDS / dt), np.zeros(n)
    down, last, way, spun = np.zeros(n, bool), np.full(n, steps), np.zeros((n, 2)), np.zeros(n)
    for k in range(steps):
        state = [torch.from_numpy(a.copy()) for a in (sim.data.qpos, sim.data.qvel)]
        up = ~down
        moves = task.motion(*state)
        if k > steps // 3:
            way += moves.velocity
            spun += (task.trunk.turn(state[0])[..., 2, :] * task.trunk.gyro(state[1])).sum(-1).numpy()
        action = task.example([x[up] for x in state], told[up], torch.from_numpy(clock[up]), strides[up])
        sim.data.ctrl[up] = task.body.control(action).numpy()
        bad = sim.advance(task.body.substeps, down if down.any() else None)
        if bad is not None and bad.any():
            sim.reset(qpos.numpy()[bad], worlds=np.flatnonzero(bad))
        fell = task.fallen([torch.from_numpy(sim.data.qpos)]).numpy() | (False if bad is None else bad)
        last[fell & ~down] = k
        down |= fell
        if down.all():
            break
        clock = (clock + dt / (strides[:, 0] * task.time)) % 1.0
    count = steps - steps // 3 - 1
    off = np.linalg.norm(way / count - told[:, :2].numpy(), axis=1) / task.fastest
    off += SPUN * np.abs(spun / count - told[:, 2].numpy())
    return np.where(down, 2.0 - last / steps, np.minimum(off, 1.0)).reshape(-1, EACH).mean(axis=1)
