"""MuJoCo's results at a state, and the errors of ours against them."""

from pathlib import Path

import mujoco
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from tests.zoo import random_poses

SMOOTH = (
    "qfrc_bias", "qfrc_passive", "qfrc_actuator", "qfrc_smooth", "xpos", "xipos", "act_dot", "actuator_force",
)  # fmt: skip
POISONED = (
    "body", "xquat", "dof", "dofr", "M", "MhD", "H", "lone", "fluid", "con_v", "con_r", "con_feature", "con_J",
    "con_turn", "turn_J", "row_r", "act_dot", "sensordata", "tendon", "ten_J",
)  # fmt: skip
RNG_FORCE = 1.0


def gymnasium_asset(name):
    import gymnasium

    return str(Path(gymnasium.__file__).parent / "envs/mujoco/assets" / f"{name}.xml")


# Python 3.10 has no later one than 3.17, which loads the same robots and does two things otherwise.
BEFORE_4 = mujoco.__version__ < "4"
resting_accelerometer = pytest.mark.skipif(BEFORE_4, reason="MuJoCo before 4.0: what cannot move measures no gravity")


def skip_older_rk4(mj):
    """MuJoCo before 4.0 adds up the turns of Runge-Kutta's stages otherwise; the engine does as 4.0."""
    turning = {int(mujoco.mjtJoint.mjJNT_FREE), int(mujoco.mjtJoint.mjJNT_BALL)} & set(mj.jnt_type.tolist())
    if BEFORE_4 and mj.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4 and turning:
        pytest.skip("RK4 on ball and free joints is compared with MuJoCo 4.0 or later")


def skip_older_slopes(mj):
    """Before 4.0 implicitfast takes the slopes of actuators whose joint limits their force; the engine does as 4.0."""
    if BEFORE_4 and mj.opt.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST and mj.jnt_actfrclimited.any():
        pytest.skip("implicitfast with limits of joints on actuators is compared with MuJoCo 4.0 or later")


def relative(ours, theirs, floor=1e-9):
    if not np.size(theirs):
        return 0.0
    return float(np.abs(ours - theirs).max() / max(floor, np.abs(theirs).max()))


def set_reference(mj, data, state, rng=None, warm=None):
    """MuJoCo at a state, with random applied forces if rng is given, solved and then solved again from its solution."""
    mujoco.mj_resetData(mj, data)
    data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = state
    if rng is not None:
        data.qfrc_applied[:] = rng.normal(size=mj.nv) * RNG_FORCE
        data.xfrc_applied[1:] = rng.normal(size=(mj.nbody - 1, 6)) * RNG_FORCE
        if mj.nmocap:
            data.mocap_pos[:], data.mocap_quat[:] = random_poses(mj, rng)
    sweeps, mj.opt.noslip_iterations = mj.opt.noslip_iterations, 0  # which come after the solution
    for _ in range(3):
        mujoco.mj_forward(mj, data)
        data.qacc_warmstart[:] = data.qacc
    if sweeps:
        mj.opt.noslip_iterations = sweeps
        mujoco.mj_forward(mj, data)


def copy_state(sim, data):
    sim.reset(data.qpos, data.qvel)
    for name in ("act", "ctrl", "qfrc_applied", "xfrc_applied", "mocap_pos", "mocap_quat", "eq_active"):
        getattr(sim.data, name)[0] = getattr(data, name)


def poison(sim):
    """No result of an earlier call survives in the work buffers."""
    for name in POISONED:
        sim.pack[name][...] = np.nan


def errors(mj, sim, data):
    """{quantity: relative error} of `sim.forward()` at MuJoCo's state."""
    copy_state(sim, data)
    poison(sim)
    sim.forward()
    d = sim.data
    out = {name: relative(getattr(d, name)[0], getattr(data, name)) for name in SMOOTH}
    sign = np.sign((d.xquat[0] * data.xquat).sum(axis=1, keepdims=True))
    out["xquat"] = float(np.abs(d.xquat[0] * sign - data.xquat).max())
    mass = np.zeros((mj.nv, mj.nv))
    mujoco.mj_fullM(mj, data, mass)
    out["mass_matrix"] = relative(d.mass_matrix(), mass)
    out["qacc"] = relative(d.qacc[0], data.qacc)
    scale = np.abs(data.qfrc_smooth).max()
    out["qfrc_constraint"] = relative(d.qfrc_constraint[0], data.qfrc_constraint, scale)
    if sim.model.ntendon == mj.ntendon:  # tendons that nobody uses are left out
        for name in ("ten_length", "ten_velocity"):
            out[name] = relative(getattr(d, name)[0], getattr(data, name))
    out["sensordata"] = relative(d.sensordata[0], data.sensordata, 1e-3)
    return out | contact_errors(d, data)


def contact_errors(d, data):
    """Contacts one to one; MuJoCo also lists those within the gap, which exert no force."""
    ours, theirs = d.contacts(), data.contact
    real = np.asarray(theirs.exclude) == 0
    out = {"ncon": float(abs(len(ours["dist"]) - real.sum()))}
    if not out["ncon"] and real.any():
        out["dist"] = float(np.abs(ours["dist"] - theirs.dist[real]).max())
        out["pos"] = float(np.abs(ours["pos"] - theirs.pos[real]).max())
        out["frame"] = float(np.abs(ours["frame"].reshape(-1, 9) - theirs.frame[real]).max())
    return out


def pairs_of(contacts):
    """{(geom1, geom2): numbers of the contacts that act}, of ours or of MuJoCo's."""
    if isinstance(contacts, dict):
        geoms = zip(contacts["geom1"], contacts["geom2"], strict=True)
        acts = np.ones(len(contacts["dist"]), bool)
    else:
        geoms, acts = contacts.geom, np.asarray(contacts.exclude) == 0
    found = {}
    for k, (one, two) in enumerate(geoms):
        if acts[k]:
            found.setdefault((int(one), int(two)), []).append(k)
    return found


def paired(ours, theirs):
    """The numbers of as many contacts as MuJoCo has, of ours and of those of its that act, each with the nearest."""
    acts = np.flatnonzero(np.asarray(theirs.exclude) == 0)
    far = np.linalg.norm(ours["pos"][:, None] - theirs.pos[acts][None], axis=2)
    row, at = linear_sum_assignment(far)
    return row, acts[at]


def matched_contacts(ours, theirs):
    """Errors of as many contacts as MuJoCo has, each paired with the one nearest to it."""
    row, at = paired(ours, theirs)
    moved = np.linalg.norm(ours["pos"][row] - theirs.pos[at], axis=1)
    turned = ours["frame"].reshape(-1, 9)[row, :3] - theirs.frame[at, :3]
    return {"pos": moved.max(), "dist": np.abs(ours["dist"][row] - theirs.dist[at]).max(),
            "normal": np.abs(turned).max()}  # fmt: skip


def worst(mj, sim, states, seed=0):
    """Largest error of every quantity over states; a state is what zoo.random_state returns."""
    data, rng = mujoco.MjData(mj), np.random.default_rng(seed)
    out = {}
    for state in states:
        set_reference(mj, data, state, rng)
        for name, error in errors(mj, sim, data).items():
            out[name] = max(out.get(name, 0.0), error if np.isfinite(error) else np.inf)
    return out
