"""MuJoCo a little beside a state, or once more from its own solution: what of its numbers hangs on rounding."""

import mujoco
import numpy as np

NUDGES, NUDGE, ROUNDING = 6, 1e-8, 1e-13

FEELING = mujoco.mjtSensor.mjSENS_FORCE, mujoco.mjtSensor.mjSENS_TORQUE


def feels_rounding(mj, data):
    """Whether there are force or torque sensors, and an equality of frames that could move something and does not but
    by rounding: MuJoCo leaves it out where its rows are zero to the last digit. A weld's row along which nothing can
    move stays, and what its frames are apart there, which is rounding, is divided by a compliance of 1e-15."""
    if not np.isin(mj.sensor_type, [int(kind) for kind in FEELING]).any():
        return False
    rows = np.abs(data.efc_J.reshape(-1, mj.nv)[: data.ne]).max(axis=1, initial=0)
    number = data.efc_id[: data.ne]
    frames = (int(mujoco.mjtEq.mjEQ_CONNECT), int(mujoco.mjtEq.mjEQ_WELD))
    for e in np.flatnonzero(data.eq_active & np.isin(mj.eq_type, frames)):
        ends = [int(mj.eq_obj1id[e]), int(mj.eq_obj2id[e])]
        if mj.eq_objtype[e] == int(mujoco.mjtObj.mjOBJ_SITE):
            ends = [int(mj.site_bodyid[end]) for end in ends]
        own = number == e
        if (own & (rows < 1e-12) & (data.efc_R[: data.ne] < 1e-9)).any():
            return True
        if rows[own].max(initial=0) < 1e-12 and any(turned(mj, body) for body in ends):
            return True
    return False


TENDONS = mujoco.mjtConstraint.mjCNSTR_LIMIT_TENDON, mujoco.mjtConstraint.mjCNSTR_FRICTION_TENDON


def swamped(mj, data):
    """Why the forces of constraints are no more than rounding, or "": a tendon between frames that cannot move against
    each other has a row of rounding, along which it weighs nothing and pulls with any force; and a margin of 1e30 makes
    a force beside which no other has a digit left."""
    rows = np.abs(data.efc_J.reshape(-1, mj.nv)[: data.nefc]).max(axis=1, initial=0)
    tendons = np.isin(data.efc_type[: data.nefc], [int(kind) for kind in TENDONS])
    if (tendons & (rows > 0) & (rows < 1e-12)).any():
        return "a tendon pulls at what it cannot move but by rounding"
    if mj.opt.integrator == mujoco.mjtIntegrator.mjINT_DISCRETE:
        low, high = mj.tendon_lengthspring.T
        near = (np.abs(data.ten_length[:, None] - mj.tendon_lengthspring) < 1e-12).any(axis=1)
        if (near & (low == high) & (mj.tendon_stiffness > 0)).any():
            return "rounding decides whether a tendon at its rest length has a stiffness"
    if rounded_down(mj, data):
        return "rounding decides whether a clamped orientation servo has a slope"
    if shorted(mj, data):
        return "rounding of a motor's voltage over a resistance of nothing is a current"
    return "a force beside which the others are rounding" if np.abs(data.efc_force).max(initial=0) > 1e20 else ""


def rounded_down(mj, data):
    """Whether what MuJoCo has clamped of an orientation servo is below its range by rounding, where slopes count."""
    if mj.opt.integrator in (mujoco.mjtIntegrator.mjINT_EULER, mujoco.mjtIntegrator.mjINT_RK4):
        return False
    for a in np.flatnonzero((mj.actuator_gaintype == int(mujoco.mjtGain.mjGAIN_SO3)) & (mj.actuator_forcelimited > 0)):
        size, most = np.linalg.norm(data.actuator_force[mj.actuator_outadr[a] :][:3]), mj.actuator_forcerange[a, 1]
        if most * (1 - 1e-12) < size < most * (1 + 1e-15):
            return True
    return False


def shorted(mj, data):
    """Whether a dcmotor's V - K l', where V is K l' and what its controller asks for, is so small beside K l' that its
    digits, over R, are some of those of the current's rate."""
    motors = np.flatnonzero(mj.actuator_dyntype == int(mujoco.mjtDyn.mjDYN_DCMOTOR))
    R, K = np.maximum(mj.actuator_gainprm[motors, :2].T, 1e-15)
    te = np.maximum(mj.actuator_dynprm[motors, 0], 1e-15)
    rate = np.finfo(float).eps * np.abs(K * data.actuator_velocity[motors]) / (R * te)
    return (rate > 1e-10 * np.abs(data.act_dot).max(initial=1)).any()


def turned(mj, body):
    """Whether a joint turns a body."""
    while body > 0:
        joints = mj.body_jntadr[body] + np.arange(mj.body_jntnum[body])
        if (mj.jnt_type[joints] != int(mujoco.mjtJoint.mjJNT_SLIDE)).any():
            return True
        body = int(mj.body_parentid[body])
    return False


def hangs(mj, data, error, moved, held=False):
    """Whether MuJoCo differs from itself as much: by its condition, or since it jumps near by.

    moved: of MjData a little beside, which it may change, the difference from `data`.
    """
    by_size, rng, other = {}, np.random.default_rng(0), mujoco.MjData(mj)
    for size in (ROUNDING, NUDGE):
        found = []
        for _ in range(NUDGES):
            mujoco.mj_copyData(other, mj, data)
            beside(mj, other, rng, size, held)
            found.append(moved(other))
        by_size[size] = np.max(found) if np.isfinite(found).all() else np.inf
    return error < 1e3 * by_size[ROUNDING] or (error < 10 * by_size[NUDGE] and by_size[NUDGE] > 1e-4)


def beside(mj, data, rng, size, held=False):
    """Move a state a little; held: its contacts, not its place."""
    data.qvel[:] *= 1 + size * rng.normal(size=mj.nv)
    data.qacc_warmstart[:] = data.qacc
    if held:
        for k in range(data.ncon):
            data.contact[k].dist += size * rng.normal()
    else:
        mujoco.mj_integratePos(mj, data.qpos, size * rng.normal(size=mj.nv), 1.0)


def go_on(mj, data):
    """MuJoCo's forward pass from the contacts that are there."""
    mujoco.mj_makeConstraint(mj, data)
    mujoco.mj_transmission(mj, data)  # adhesion is along the contacts
    mujoco.mj_island(mj, data)
    mujoco.mj_projectConstraint(mj, data)
    mujoco.mj_sensorPos(mj, data)
    for _ in range(2):  # once more from the solution
        mujoco.mj_forwardSkip(mj, data, int(mujoco.mjtStage.mjSTAGE_POS), 0)
        data.qacc_warmstart[:] = data.qacc


def solved_better(mj, data, qacc):
    """Whether MuJoCo's solver, begun at our solution, ends nearer to a minimum than it had by itself; if so, data is
    there."""
    before, kept = unbalanced(mj, data), mujoco.MjData(mj)
    mujoco.mj_copyData(kept, mj, data)
    data.qacc_warmstart[:] = qacc
    mujoco.mj_fwdConstraint(mj, data)
    if not unbalanced(mj, data) <= before:
        mujoco.mj_copyData(data, mj, kept)
        return False
    mujoco.mj_sensorAcc(mj, data)
    return True


def unbalanced(mj, data):
    """How far the acceleration is from one that its forces explain; in discrete time, where M is not what it weighs
    with, the gradient that MuJoCo's solver ended with."""
    if mj.opt.integrator == mujoco.mjtIntegrator.mjINT_DISCRETE:
        islands, most = max(int(data.nisland), 1), len(data.solver) // len(data.solver_niter)
        last = [(k, int(data.solver_niter[k])) for k in range(min(islands, len(data.solver_niter)))]
        return max(data.solver[k * most + n - 1].gradient if n else 0.0 for k, n in last)
    force = np.zeros(mj.nv)
    mujoco.mj_mulM(mj, data, force, data.qacc)
    return np.abs(force - data.qfrc_smooth - data.qfrc_constraint).max(initial=0)
