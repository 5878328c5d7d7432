"""Steps: the windows of a log as worlds, all their steps, and the exact derivatives of all of them.

A rollout leaves a record of every physics step (step/records). The adjoint of one step is linear in its cotangent, and
to it a record of T steps in W worlds is the same memory as one of a single step in T W worlds. So the reverse kernel
pulls one unit cotangent through hundreds of steps in a launch, each a world of its own: nv of them give the rows
d(qvel')/d(qpos, qvel, act, ctrl, theta), of which follow all others. What is then carried forwards is

    S' = A S + B du/dp + C dtheta/dp,        S = d(dq, qvel, act)/d(p, x0),      x0 the start of a window

on the host, in dense small matrices (`propagate.py`). A reverse pass for each measurement would be T/2 times as much.

Legs that stand apart (`trees`) do not feel each other's cotangents: one pull takes one dof of each, so Go1 on a stand
needs three pulls, not twelve. That holds where nothing couples them; contacts are looked at, step by step.
"""

import numpy as np

from engine import schema as s
from engine.arrays import Pack
from engine.compiler.backend import np_real
from engine.diff.budget import adjoint_elements, mocap_elements, record_numbers
from engine.diff.forward_only import require_gradient
from engine.diff.program import Program
from engine.identify.trees import colours
from engine.model.constants import RK4
from engine.model.coordinates import QUATERNION, coordinates
from engine.simulator import Simulator

PULLED = 256  # steps of all windows that a launch pulls a cotangent through, about
MOCAP = ("mocap_pos", "mocap_quat")


class Steps:
    """`steps` physics steps of a simulator's worlds under given controls, and the derivatives of each of them.

    sim: Simulator; its worlds are the windows, its parameters those of all. theta: entries of the flat parameters whose
    derivatives are wanted, indices. Raises as a Tape does where the model has no gradient.
    """

    def __init__(self, sim, steps, theta):
        require_gradient(sim, "identify")
        m = sim.model
        self.sim, self.steps, self.theta = sim, steps, np.asarray(theta, int)
        self.worlds, self.sensing = sim.worlds, m.nsensordata > 0
        self.per = min(max(PULLED // sim.worlds, 1), steps)  # steps of each window in a launch
        self.launches = -(-(steps + self.sensing) // self.per)
        self.turning = self._turning()
        self._allocate()
        self.apart = colours(m, sim, self.theta)  # rows that are pulled together, or None
        self.rows = m.nv + m.na + len(self.turning)

    def _turning(self):
        """Dofs whose rows of qpos' are pulled, too: those of quaternions, for RK4 all."""
        m = self.sim.model
        if m.opt.integrator == RK4:
            return list(range(m.nv))
        return [c.dofadr + k for c in coordinates(m) if c.kind == QUATERNION for k in range(3)]

    def _allocate(self):
        sim, m, w = self.sim, self.sim.model, self.worlds
        rows = self.launches * self.per + self.per  # the last launch may reach beyond the last step
        entries = {b.name: rows * w * sim.sizes.get(b.count, 0) for b in s.TRAJECTORY + s.COTANGENT}
        entries |= mocap_elements(rows * w * m.nmocap) | {"record": rows * w * record_numbers(m)}
        self._traj, self._cot = Pack("trajectory", entries), Pack("cotangent", entries | {"record": 1})
        self._program = program = Program(nu=m.nu)
        self._forward = sim.bind_rollout(sim.pack, program.pack, self._traj)
        # one step of `per` steps of each window at once
        self._one = Simulator(m, self.per * w, sim.ncon_max, sim.features, sim.leaves, sim.own_params)
        if not sim.own_params:
            self._one.model_pack, self._one.params = sim.model_pack, sim.params
        self._one._derive()
        self._whole = None
        self._adj = Pack("adjoint", adjoint_elements(self._one, 1, program.nscratch + m.nq))
        self._back = self._one.bind_reverse(self._one.pack, program.pack, self._traj, self._adj, self._cot)
        first, last = self._adj.starts["qpos_bar"], self._adj.starts["theta_bar"] + self._adj["theta_bar"].size
        self._summed = self._adj.blocks["real"][first:last]
        for name in MOCAP if m.nmocap else ():
            self._traj[f"traj_{name}"][:] = np.tile(sim.pack[name][: w * m.nmocap], (rows, 1))

    def _view(self, pack, name, rows, width):
        return pack[name].reshape(-1)[: rows * self.worlds * width].reshape(rows, self.worlds, width)

    # ------------------------------------------------------------------------------------------------ forwards

    def rollout(self, qpos, qvel, act, ctrl):
        """States and sensors of all steps, (steps + 1, worlds, ...): qpos, qvel, act, sensordata; views.

        qpos (worlds, nq), qvel, act: the starts. ctrl (steps, worlds, nu). Raises DivergenceError.
        """
        sim, m = self.sim, self.sim.model
        d = sim.data
        d.qpos[:], d.qvel[:], d.act[:] = qpos, qvel, act
        d.qacc_warmstart[:], d.time[:] = 0, 0
        self._view(self._traj, "traj_ctrl", self.steps, m.nu)[:] = ctrl
        sim.check_state()
        d._status[:] = 0
        self._forward.launch(0, self.steps, 1, int(self.sensing), 0, 1)
        sim.raise_status(d)
        sizes = {"qpos": m.nq, "qvel": m.nv, "act": m.na, "sensordata": m.nsensordata}
        return {n: self._view(self._traj, f"traj_{n}", self.steps + 1, k) for n, k in sizes.items()}

    # ------------------------------------------------------------------------------------------------ derivatives

    def pieces(self):
        """For one launch after the other: (steps of it, a range; derivatives of them, a Derivatives)."""
        m, width = self.sim.model, record_numbers(self.sim.model)
        record = self._view(self._traj, "record", self.launches * self.per, width)
        ctrl = self._view(self._traj, "traj_ctrl", self.launches * self.per, m.nu)
        known = self.steps + int(self.sensing)
        record[known:], ctrl[self.steps :] = record[known - 1], ctrl[self.steps - 1]
        if self.sim.own_params:
            self._one.model_pack["theta"].reshape(self.per, -1)[:] = self.sim.model_pack["theta"]
        self._one.check_state()
        for k in range(self.launches):
            start = k * self.per
            if start < self.steps:
                stop = min(start + self.per, self.steps)
                yield range(start, stop), self._rows(k, stop - start)

    def pulled(self, qpos, qvel, sensordata):
        """What cotangents of the last rollout's outputs are to what made it, in one reverse pass: {"qpos": (worlds,
        nv), "qvel", "act", "ctrl": (steps, worlds, nu), "theta": (worlds, len(theta))}.

        qpos (steps + 1, worlds, nv; of tangents), qvel, sensordata: the cotangents.
        """
        sim, m, w = self.sim, self.sim.model, self.worlds
        if self._whole is None:
            self._all = Pack("adjoint", adjoint_elements(sim, 1, self._program.nscratch + m.nq))
            self._whole = sim.bind_reverse(sim.pack, self._program.pack, self._traj, self._all, self._cot)
        for name in ("cot_qpos", "cot_qvel", "cot_act", "cot_ctrl", "cot_sensordata"):
            self._cot[name][:] = 0
        for name, bar in (("qpos", qpos), ("qvel", qvel), ("sensordata", sensordata)):
            self._cot[f"cot_{name}"].reshape(-1)[: bar.size] = bar.ravel()
        self._cot["cot_qpos"].reshape(-1)[: w * m.nv] = 0  # the start's own is added below
        for buffer in self._all.buffers.values():
            buffer[:] = 0
        sim.data._status[:] = 0
        self._whole.launch(0, self.steps, 1, int(self.sensing), 0, 1)
        self._cot["cot_sensordata"][:] = 0  # `sensor_rows` sets its own alone
        sizes = {"qpos": m.nv, "qvel": m.nv, "act": m.na, "theta": sim.sizes["ntheta"]}
        found = {n: self._all[f"{n}_bar"].reshape(-1)[: w * k].reshape(w, k).copy() for n, k in sizes.items()}
        found["qpos"] += qpos[0]
        found["theta"] = found["theta"][:, self.theta]
        found["ctrl"] = self._view(self._cot, "ctrl_total", self.steps, m.nu).copy()
        return found

    def _rows(self, k, count):
        """Rows of the derivatives of the steps of launch k, (count, worlds, rows, columns)."""
        m = self.sim.model
        nv, na, turning = m.nv, m.na, self.turning
        units = [("qvel_bar", i, i) for i in range(nv)] + [("act_bar", i, nv + i) for i in range(na)]
        units += [("qpos_bar", i, nv + na + j) for j, i in enumerate(turning)]
        out = np.zeros((count, self.worlds, self.rows, 2 * nv + na + m.nu + len(self.theta)), np_real())
        groups = self.apart.groups if self.apart else [[u] for u in range(len(units))]
        for number, group in enumerate(groups):
            self._pull(k, [units[u] for u in group])
            if number == 0 and self.apart and self._one.data.ncon.any():
                for unit in units:  # legs touch each other or the same thing: each row by itself
                    self._pull(k, [unit])
                    out[:, :, unit[2]] = self._columns(k, count)
                return out
            found = self._columns(k, count)
            for u in group:
                out[:, :, units[u][2]] = found * self.apart.columns[u] if self.apart else found
        return out

    def _pull(self, k, units):
        self._summed[:] = 0
        for name, entry, _ in units:
            size = self.sim.model.na if name == "act_bar" else self.sim.model.nv
            self._bar(name, size)[:, entry] = 1.0
        self._one.data._status[:] = 0
        self._back.launch(k, k + 1, 1, 0, k, 0)

    def _bar(self, name, width):
        worlds = self._one.worlds
        return self._adj[name].reshape(-1)[: worlds * width].reshape(worlds, width)

    def _columns(self, k, count):
        """What the last pull of launch k left: by qpos, qvel, act, ctrl, theta."""
        m, n = self.sim.model, count * self.worlds
        parts = [self._bar("qpos_bar", m.nv), self._bar("qvel_bar", m.nv), self._bar("act_bar", m.na)]
        at = k * self._one.worlds
        total = self._cot["ctrl_total"].reshape(-1)[at * m.nu : (at + self._one.worlds) * m.nu]
        parts.append(total.reshape(self._one.worlds, m.nu))
        parts.append(self._bar("theta_bar", self.sim.sizes["ntheta"])[:, self.theta])
        return np.concatenate([part[:n] for part in parts], axis=1).reshape(count, self.worlds, -1)

    def sensor_rows(self, start, count, columns):
        """d(sensordata[columns])/d(qpos, qvel, act, ctrl, theta) of the `count` rows from step `start` on, a multiple
        of `per`: (count, worlds, len(columns), ...). Row `steps` is read with the last control."""
        m, k = self.sim.model, start // self.per
        one = self._one.worlds
        cot = self._cot["cot_sensordata"].reshape(-1)
        width = 2 * m.nv + m.na + m.nu + len(self.theta)
        out = np.zeros((count, self.worlds, len(columns), width), np_real())
        at = (k + 1) * one * m.nsensordata
        bars = cot[at : at + one * m.nsensordata].reshape(one, m.nsensordata)
        for j, column in enumerate(columns):
            self._summed[:] = 0
            bars[:] = 0
            bars[:, column] = 1.0
            self._one.data._status[:] = 0
            self._back.launch(k + 1, k + 1, 1, 1, k, 1)  # of the sensors alone, as at the end of a rollout
            parts = [self._bar(f"{n}_bar", size) for n, size in
                     (("qpos", m.nv), ("qvel", m.nv), ("act", m.na), ("ctrl", m.nu))]  # fmt: skip
            parts.append(self._bar("theta_bar", self.sim.sizes["ntheta"])[:, self.theta])
            found = np.concatenate([part[: count * self.worlds] for part in parts], axis=1)
            out[:, :, j] = found.reshape(count, self.worlds, width)
        bars[:] = 0
        return out
