"""A gait for any robot with legs, from its model: feet that step in turn, inverse kinematics of the way they go, what
its actuators must do for it, and feedback that places the feet.

Where the feet step: Raibert, Legged Robots That Balance (1986): half the way that the trunk makes while a foot stands
before its neutral place, and further by a share of the error of the velocity.

Notation: phase 0 .. 1 of a foot, of which it stands `duty` and swings the rest; p its place in the trunk's axes.
"""

from typing import NamedTuple

import numpy as np

from controllers.linear_feedback import LinearFeedback
from controllers.stance import Stance
from controllers.tasks.feet import across, bent_pose, feet_of, hips, placed_at, stands_straight
from controllers.tasks.forces import controls_for
from controllers.tasks.kinematics import driven
from engine.model.coordinates import difference
from engine.simulator import Simulator

PHASES = 20  # rows of a period
GRAVITY = 9.81
OMEGA = 4.0  # natural frequency of a joint's servo, of a pendulum of the robot's height
BEND = 0.35  # rad at which a joint's servo would ask for its largest force
QUICK = 0.7  # share of a light limb's velocity that a control takes away at most
DAMPED = 0.12  # of a servo's damping force to its stiffness, in pendulums' times


class Pace(NamedTuple):
    """speed: of the feet to that which is aimed at. period: in pendulums' times sqrt(height / g). duty: share of the
    period that a foot stands. lift: of feet, in heights. shift: of the feet forward, in heights. catch: by how much
    feet are put further than half their way, in pendulums' times. stiff, damp: of servos, to those that suit. turn:
    back to the heading, 1/s. crouch: share of its height that the robot is lower by. level: of the feet to what a
    tilted trunk would need. push: of the weight that standing legs are told to carry. upright: of feet that stay flat,
    the turn that standing legs give a trunk to its tilt, back. begin: phase of the first foot at the start. steps: of a
    robot that is to stand, until it does."""

    speed: float = 1.1
    period: float = 2.4
    duty: float = 0.55
    lift: float = 0.22
    shift: float = 0.0
    catch: float = 0.2
    stiff: float = 1.0
    damp: float = 1.0
    turn: float = 1.5
    crouch: float = 0.05
    level: float = 0.1
    push: float = 0.8
    upright: float = 0.0
    begin: float = 0.0
    steps: float = 4.0


SPREAD = Pace(0.3, 0.6, 0.07, 0.08, 0.08, 0.2, 0.4, 0.4, 0.8, 0.06, 0.15, 0.3, 0.7, 0.5, 3.0)  # standard deviations
LEAST = Pace(0.3, 1.0, 0.4, 0.05, -0.3, 0.0, 0.2, 0.2, 0.0, -0.05, 0.0, 0.0, 0.0, -1.0, 0.0)
MOST = Pace(2.5, 5.0, 0.8, 0.5, 0.3, 1.0, 3.0, 3.0, 4.0, 0.3, 0.6, 1.5, 4.0, 1.0, 20.0)


class Gait(NamedTuple):
    """A period in `PHASES` rows: qpos, qvel the motion, ctrl the controls that belong to it, gains (., nu, nx) of
    u = ctrl + gains (x* - x). rest: (qpos, ctrl) of standing. seconds: of the period. fade: in which it begins.
    until: when it ends, s, with `hold`, (qpos, ctrl, gains)."""

    qpos: np.ndarray
    qvel: np.ndarray
    ctrl: np.ndarray
    gains: np.ndarray
    rest: tuple
    seconds: float
    fade: float
    until: float
    hold: tuple | None

    def row(self, time):
        """(qpos, qvel, ctrl, gains) at this time, s."""
        if time >= self.until:
            qpos, ctrl, gains = self.hold
            return qpos, np.zeros_like(self.qvel[0]), ctrl, gains
        k = int(time / self.seconds * len(self.qpos)) % len(self.qpos)
        share = min(1.0, time / self.fade)
        q0, u0 = self.rest
        return q0 + share * (self.qpos[k] - q0), share * self.qvel[k], u0 + share * (self.ctrl[k] - u0), self.gains[k]


def feedback(model, gait, steps, dt, every):
    """The LinearFeedback of a gait for so many control steps of `dt` s, a row for each `every` of them."""
    rows = [gait.row(k * dt) for k in range(0, steps, every)]
    qpos, qvel, ctrl, gains = (np.array(a) for a in zip(*rows, strict=True))
    return LinearFeedback(model, gains, qpos, qvel, np.zeros((len(qpos), model.na)), ctrl, every=every)


def footing(model, qpos, task="run"):
    """(stance, feet): how a robot stands that is to step, from `qpos` (nq,), its legs bent where they are straight."""
    stance = Stance(model, qpos)
    feet = feet_of(model, stance.root, stance.qpos)
    if can_step(feet, task) and stands_straight(model, feet, stance.qpos):
        # weak servos would sag: the controls of a gait carry the weight
        stance = Stance(model, bent_pose(model, feet, stance.qpos), settle=False)
        feet = feet_of(model, stance.root, stance.qpos)
    return stance, feet


def can_step(feet, task="run"):
    """Whether these feet can step in turn and stand on the others meanwhile: to run on four legs or more, to stand on
    two that are flat as well. In a plane two such are enough to run, and one to stand."""
    planar, flat = all(f.planar for f in feet), all(f.flat for f in feet)
    if flat and (planar or task == "stand"):
        return len(feet) >= (1 if planar and task == "stand" else 2)
    return len(feet) >= 4 and all(len(f.dofs) >= 2 for f in feet)


class Stepper:
    """Gaits of one robot.

    model; stance: how it stands; feet: its Feet there; speed: m/s, aimed at, 0: it steps where it is, and then stands
    as `hold` says, (qpos, ctrl, gains). dt: s, of its controls.
    """

    def __init__(self, model, stance, feet, speed, hold=None, dt=0.004):
        self.model, self.stance, self.feet, self.speed, self.hold = model, stance, feet, speed, hold
        self.dt, m, self.act = dt, model, driven(model)
        self.time = float(np.sqrt(stance.height / GRAVITY))  # of the pendulum that the robot is
        self.sim, self.one = Simulator(m, PHASES), Simulator(m)
        self.sim.reset(stance.qpos)
        self.sim.forward()
        self.places = np.array([f.point.place(self.sim.data)[0] for f in feet])
        self.joints = np.array([hips(m, self.sim, f)[0] for f in feet])
        self.trunk = self.sim.data.xpos[0, m.dof_bodyid[stance.root.vx]].copy()
        self.weight = GRAVITY * float(np.sum(m.body_mass))
        self._servos()

    def _servos(self):
        """Stiffness and damping that suit each driven joint, what it has of its own, and what a control makes of it."""
        m, legs = self.model, {int(i) for f in self.feet for i in f.dofs}
        mass = self.sim.data.mass_matrix(0)
        # a damper that acts once in dt shakes a foot in the air that is lighter than this
        self.most = QUICK * np.diag(mass) / self.dt
        carried = self.weight / GRAVITY * self.stance.height**2 / len(self.feet)
        self.slope, self.own, self.stiffness = np.zeros(m.nv), np.zeros((m.nv, 2)), np.zeros(m.nv)
        for i, u in self.act.items():
            j, gear = m.actuator_trnid[u], m.actuator_gear[u, 0]
            self.slope[i] = gear * m.actuator_gainprm[u, 0]
            self.own[i] = -gear * gear * m.actuator_biasprm[u, 1:3]
            inertia = mass[i, i] + (carried if i in legs else 0.0)
            self.stiffness[i] = inertia * (OMEGA / self.time) ** 2
            most = [np.inf]
            if m.actuator_forcelimited[u]:
                most.append(abs(gear) * np.abs(m.actuator_forcerange[u]).max())
            if m.actuator_ctrllimited[u] and not m.actuator_biasprm[u].any():
                most.append(abs(self.slope[i]) * np.abs(m.actuator_ctrlrange[u]).max())
            if m.jnt_actfrclimited[j]:
                most.append(np.abs(m.jnt_actfrcrange[j]).max())
            self.stiffness[i] = min(self.stiffness[i], min(most) / BEND)
        self.own[:, 1] += m.dof_damping

    def most_controls(self):
        """(nu,): half the range of each control, or what bends its joint by BEND where that is less."""
        m, most = self.model, np.array(self.stance.scale, float)
        for i, u in self.act.items():
            force = BEND * self.stiffness[i] / abs(self.slope[i])
            most[u] = min(most[u], force) if m.actuator_ctrllimited[u] else force
        return most

    def gait(self, pace):
        """The Gait of a Pace."""
        m, s, n, p = self.model, self.stance, len(self.feet), pace
        phase = np.arange(PHASES) / PHASES
        T, size = p.period * self.time, s.height
        v, speed = p.speed * self.speed, self.speed
        stride, stands = v * p.duty * T, np.zeros((PHASES, n), bool)
        targets, along, held = (np.zeros((PHASES, n, 3)), *np.zeros((2, PHASES, n)))
        for i, place in enumerate(self.places):
            x, z, held[:, i], stands[:, i] = step((phase + p.begin + (i % 2) / 2) % 1.0, p.duty)
            along[:, i] = x
            way = np.stack([stride * x + p.shift * size, 0 * x, p.lift * size * z + p.crouch * size], axis=1)
            targets[:, i] = place + way
        qpos = placed_at(self.sim, self.feet, targets, s.qpos)
        dt = T / PHASES
        qvel = difference(m, np.roll(qpos, 1, axis=0), np.roll(qpos, -1, axis=0)) / (2 * dt)
        qvel[:, s.root.vx] = speed
        stiff, damp = p.stiff * self.stiffness, p.stiff * p.damp * DAMPED * self.time * self.stiffness
        total = np.maximum(stiff, self.own[:, 0])
        more = np.stack([total - self.own[:, 0], np.clip(damp - self.own[:, 1], 0.0, self.most)])
        shifts = self._shifts(p, along, held, T)
        if all(f.flat for f in self.feet):
            shifts = np.concatenate([shifts, np.zeros_like(shifts)], axis=2)
            self._tilts(p, stands, shifts)
        gains = np.zeros((PHASES, m.nu, 2 * m.nv + m.na))
        for i, u in self.act.items():
            gains[:, u, i], gains[:, u, m.nv + i] = more[:, i] / self.slope[i]
        for k, f in enumerate(self.feet):
            moved = across(f, self.sim.data, shifts[:, k])
            for j, i in enumerate(f.dofs):
                gains[:, self.act[i]] += total[i] / self.slope[i] * moved[:, j]
        force = self.sim.data.qfrc_bias - self.sim.data.qfrc_passive
        force = force + np.asarray(m.dof_damping) * qvel - self._carrying(self.sim, p.push, stands)
        ctrl, _ = controls_for(m, force, qpos, qvel, 0 * qvel, s.ctrl)
        fade = 1.5 * T if self.speed else 0.25 * T
        until = 0.5 * T * round(p.steps) if self.hold else np.inf
        return Gait(qpos, qvel, ctrl, gains, self.rest(p), T, fade, until, self.hold)

    def _carrying(self, sim, share, stands):
        """(worlds, nv): what the ground's forces on standing feet, which carry `share` of the weight, do in joints."""
        out = np.zeros((len(stands), self.model.nv))
        each = share * self.weight * stands / np.maximum(stands.sum(axis=1, keepdims=True), 1)
        for k, f in enumerate(self.feet):
            out += f.point.jacobian(sim.data)[:, 2] * each[:, k, None]
        return out

    def rest(self, p):
        """(qpos, ctrl) of standing lower by the pace's crouch."""
        s, sim, still = self.stance, self.one, np.zeros((1, self.model.nv))
        up = np.array([p.shift * s.height, 0, p.crouch * s.height])
        pose = placed_at(sim, self.feet, (self.places + up)[None], s.qpos)
        force = sim.data.qfrc_bias - sim.data.qfrc_passive
        force = force - self._carrying(sim, p.push, np.ones((1, len(self.feet)), bool))
        return pose[0], controls_for(self.model, force, pose, still, still, s.ctrl)[0][0]

    def _shifts(self, p, along, held, T):
        """(PHASES, feet, 3, nx): how far each foot is moved for x* - x."""
        m, root, free = self.model, self.stance.root, self.stance.free
        out = np.zeros((PHASES, len(self.feet), 3, 2 * m.nv + m.na))
        catch, stand = p.catch * self.time, p.duty * T
        v = m.nv + root.vx
        out[:, :, 0, v] = -held * catch
        if not free:
            return out
        first = int(m.jnt_dofadr[m.dof_jntid[root.vx]])
        x, y, _ = np.moveaxis(self.places - self.trunk, 1, 0)
        out[:, :, 1, v + 1] = -held * catch
        out[:, :, 1, first + 1] = along * stand * 0.5 * p.turn
        out[:, :, 0, first + 5] = -along * stand * p.turn * y
        out[:, :, 1, first + 5] += along * stand * p.turn * x
        for at, lag in ((first, 1.0), (m.nv + first, 0.5 * self.time)):
            out[:, :, 2, at + 3] = -p.level * lag * y
            out[:, :, 2, at + 4] = p.level * lag * x
        return out


    def _tilts(self, p, stands, shifts):
        """Adds to shifts (PHASES, feet, 6, nx) how flat feet turn about the hips where the trunk tilts: in the air so
        that they stay as they are in the world, on the ground so that they turn it back."""
        m, root = self.model, self.stance.root
        if self.stance.free:
            first = int(m.jnt_dofadr[m.dof_jntid[root.vx]])
            axes = {first + 3: np.array([1.0, 0, 0]), first + 4: np.array([0, 1.0, 0])}
        else:
            joints = np.flatnonzero(np.isin(m.jnt_qposadr, root.tilt))
            axes = {int(m.jnt_dofadr[j]): np.asarray(m.jnt_axis[j], float) for j in joints}
        share = np.where(stands, -p.upright, 1.0)[:, :, None]
        for k, arm in enumerate(self.places - self.joints):
            for i, axis in axes.items():
                turn = share[:, k] * np.concatenate([np.cross(axis, arm), axis])
                shifts[:, k, :, i] += turn
                shifts[:, k, :, m.nv + i] += 0.5 * self.time * turn


def step(phase, duty):
    """(x, z, held, stands) of a foot at these phases (n,): its place along its stride, 1/2 to -1/2 and back; its
    height, 0 to 1; how much of what it is put further is left; whether it stands."""
    stands = phase < duty
    s = np.where(stands, phase / duty, (phase - duty) / (1 - duty))
    over = s - np.sin(2 * np.pi * s) / (2 * np.pi)
    x = np.where(stands, 0.5 - s, over - 0.5)
    return x, np.where(stands, 0.0, np.sin(np.pi * s) ** 2), np.where(stands, 1 - s, over), stands
