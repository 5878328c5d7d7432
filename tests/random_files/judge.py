"""What becomes of a file, beside what MuJoCo makes of it; verdict.py has the words.

Forces are compared with the engine's contacts in MuJoCo's place where both have the same ones (touching.py), since
MuJoCo's search between convex shapes ends at a tolerance.
"""

import re

import mujoco
import numpy as np

import engine
from engine import DivergenceError
from engine.errors import ContactOverflowError
from engine.model import ModelError, UnsupportedError
from engine.model import constants as c
from engine.model.delays import first_of_sensors, past, past_of_sensors
from engine.model.opening import opened
from engine.model.plastic import count
from engine.model.servos import ours as controls_of
from engine.model.wishes import Wishes
from tests import zoo
from tests.physics.reference import poison, set_reference
from tests.random_files.measured import excused, told_right
from tests.random_files.nearby import feels_rounding, go_on, hangs, solved_better, swamped
from tests.random_files.quantities import (
    CONSTRAINED,
    act_errors,
    act_of,
    aligned,
    copied,
    errors,
    of_sim,
    quantities,
    state_of,
    told_of_cameras,
    told_of_forces,
    unsensed,
)
from tests.random_files.rk4 import SHARES, act_after, further, mean, rates_of
from tests.random_files.touching import same_contacts, with_contacts
from tests.random_files.verdict import (
    NEITHER,
    OPENED,
    REFUSED,
    SAME,
    TIE,
    WRONG,
    Differs,
    Verdict,
    said_by,
    tie,
    well,
    wrong,
)  # fmt: skip

BAR, FORCE = 1e-9, 1e-6  # relative: without constraints, with them
FAR = 1e8  # rad
FELT = "a sensor feels the force of a constraint that nothing can move, which is rounding"
MEMORY = 1 << 24  # bytes
ALONG = 8  # steps
SIZES = ("nq", "nv", "nu", "na", "nbody", "njnt", "ngeom", "nsite", "nsensor", "nsensordata", "neq", "nmocap")


def judged(text, seed=0):
    """The Verdict of XML text."""
    theirs = MjOf(text)
    try:
        model = engine.load(text)
    except UnsupportedError as error:
        unnamed = [line for line in error.refused if not re.search("allowed|;", line)]
        kinds = ", ".join(line.kind for line in error.refused)
        return Verdict(WRONG, f"refused without a way out: {unnamed[0]}") if unnamed else Verdict(REFUSED, kinds)
    except ModelError as error:
        if theirs.mj is None:
            return Verdict(NEITHER)
        said = " ".join(str(error).split())
        return Verdict(REFUSED if "allowed" in said else WRONG, said)
    except (ValueError, FileNotFoundError, NotImplementedError) as error:
        if theirs.mj is None:
            return Verdict(NEITHER)
        return Verdict(WRONG, f"MuJoCo compiles it, but not here: {said_by(error)}")
    except Exception as error:
        return Verdict(WRONG, f"load: {type(error).__name__}: {said_by(error)}")
    model.opt.solver = c.NEWTON  # as `exactly` has MuJoCo's, since its sweeps come to no end
    try:
        return compared(text, theirs, model, seed)
    except Differs as found:
        return found.args[0]
    except mujoco.FatalError as error:
        return Verdict(TIE, f"MuJoCo raises: {said_by(error)}")
    except Exception as error:
        return Verdict(WRONG, f"run: {type(error).__name__}: {said_by(error)}")


class MjOf:
    """`mj`, what MuJoCo compiles of a text, or None, and why. Where a file has so little memory that MuJoCo would leave
    contacts and constraints out, it has more."""

    def __init__(self, text):
        self.mj, self.error = None, ""
        try:
            self.mj = mujoco.MjModel.from_xml_string(text)
            if self.mj.narena < MEMORY:
                spec = mujoco.MjSpec.from_string(text)
                spec.memory = MEMORY
                self.mj = spec.compile()
        except Exception as error:  # ValueError; of some, UnicodeError or FatalError
            self.error = said_by(error)


def compared(text, theirs, model, seed):
    mj, outcome = theirs.mj, Verdict(SAME)
    if mj is None:
        if not model.report.changed:
            wrong(f"loads, where MuJoCo does not, and nothing is changed: {theirs.error}")
        outcome = Verdict(OPENED, theirs.error)
    if mj is None or text.lstrip().startswith("<robot"):
        mj = opened(mujoco, text, None, Wishes()).mj
    exactly(mj)
    model.opt.tolerance, model.opt.iterations = 1e-14, 200
    model.opt.ccd_tolerance, model.opt.ccd_iterations = 1e-14, 1000
    for name in SIZES:  # of cameras that are sensed, sites are made; equalities that are switched off are left out
        ours, other = getattr(model, name), getattr(mj, name)
        other += {"na": past(model) + count(model), "nu": len(controls_of(mj, np.zeros(mj.nu))) - mj.nu}.get(name, 0)
        if name in ("nsensor", "nsensordata") and unsensed(mj):  # MuJoCo keeps zeros for them
            other = 0
        same = {"nsite": ours >= other, "neq": ours <= other}.get(name, ours == other)
        if not same:
            wrong(f"{name} {ours}, MuJoCo {other}")
    if not mj.nv:
        return outcome
    try:
        sim = engine.Simulator(model)
    except ValueError as error:
        return Verdict(REFUSED, said_by(error))
    rng, ties = np.random.default_rng(seed), []
    for k, state in enumerate(starts(mj, rng)):
        if not all(well(x) for x in state):
            continue
        try:
            at_state(mj, sim, state, np.random.default_rng((seed, k)))
        except Differs as found:
            if found.args[0].outcome == WRONG:
                raise
            ties.append(found.args[0].detail)
    try:
        along(mj, sim, rng)
    except Differs as found:
        if found.args[0].outcome == WRONG:
            raise
        ties.append(found.args[0].detail)
    return Verdict(TIE, ties[0]) if ties else outcome


def exactly(mj):
    mj.opt.solver, mj.opt.jacobian = mujoco.mjtSolver.mjSOL_NEWTON, mujoco.mjtJacobian.mjJAC_DENSE
    mj.opt.tolerance, mj.opt.ls_tolerance = 1e-14, 1e-9
    mj.opt.iterations, mj.opt.ls_iterations = 200, 100
    mj.opt.ccd_tolerance, mj.opt.ccd_iterations = 1e-14, 1000


def starts(mj, rng):
    """At rest as drawn, a keyframe, and kicked."""
    still = np.zeros(mj.nv), np.zeros(mj.na), np.zeros(mj.nu)
    yield mj.qpos0.copy(), *still
    if mj.nkey:
        yield mj.key_qpos[0].copy(), mj.key_qvel[0].copy(), mj.key_act[0].copy(), mj.key_ctrl[0].copy()
    for spread in (0.05, 0.3, 1.0):
        yield zoo.random_state(mujoco, mj, rng, spread, 2.0)


# --------------------------------------------------------------------------------------------------------- one state


def at_state(mj, sim, state, rng):
    """Everything up to the acceleration; raises Differs."""
    data = mujoco.MjData(mj)
    set_reference(mj, data, state, rng)
    forward(mj, sim, data)


def forward(mj, sim, data):
    """The same at MuJoCo's state, solved there, which then goes on from our contacts."""
    fit = well(data.qacc) and all(well(x) for x in quantities(mj, data)[0].values())
    if np.abs(data.qpos).max() > FAR:
        tie("a coordinate beyond what sines of angles are good for")
    copied(mj, sim, data)
    poison(sim)
    try:
        sim.forward()
    except DivergenceError as error:
        return diverged(mj, data, fit, error)
    except ContactOverflowError:
        tie("more contacts than the default capacity")
    if not fit:
        return  # MuJoCo's numbers are no reference
    theirs, scales = quantities(mj, data)
    ours = {name: (np.array(v) if name != "xquat" else aligned(v, theirs[name])) for name, v in of_sim(mj, sim)}
    ours["sensed places"] = excused(mj, data, ours["sensed places"], theirs["sensed places"])
    found, held = errors(ours, theirs, scales), CONSTRAINED
    if (mj.actuator_trntype == c.TRN_BODY).any():  # which pulls along the normals of contacts
        held += ("actuator_force", "qfrc_actuator", "qfrc_smooth")
    check(mj, data, ours, {k: x for k, x in found.items() if k not in held and "sensed" not in k}, BAR, "")
    check(mj, data, ours, {k: x for k, x in found.items() if "sensed" in k}, FORCE, "")
    kind, ties = same_contacts(mj, sim, data)
    if kind:
        with_contacts(mj, data, sim)
    theirs, scales = quantities(mj, data)
    late = {name: error for name, error in errors(ours, theirs, scales).items() if name in held}
    if max(late.values()) > FORCE and solved_better(mj, data, ours["qacc"]):
        theirs, scales = quantities(mj, data)
        late = {name: error for name, error in errors(ours, theirs, scales).items() if name in held}
    check(mj, data, ours, late, FORCE, f" with contacts of {kind}" if kind else "")
    if ties:
        tie(ties[0])


def diverged(mj, data, fit, error):
    if not fit:
        return
    if hangs(mj, data, 1.0, lambda other: (mujoco.mj_forward(mj, other), 0.0 if well(other.qacc) else np.inf)[1]):
        tie("diverges or not by rounding")
    wrong(f"only ours diverges: {said_by(error)}; MuJoCo's qacc up to {np.abs(data.qacc).max():.1e}")


def check(mj, data, ours, found, bar, where):
    """Raise Differs for the worst error over the bar: a tie where MuJoCo's number hangs on rounding as much. where:
    words, with which the contacts are held."""
    name = max(found, key=found.get)
    if found[name] < bar:
        return
    theirs, scales = quantities(mj, data)

    def moved(other):
        if where:
            go_on(mj, other)
        else:
            mujoco.mj_forward(mj, other)
        return errors({name: quantities(mj, other)[0][name]}, theirs, scales)[name]

    if name == "sensordata" and feels_rounding(mj, data):
        tie(FELT)
    if swamped(mj, data):
        tie(swamped(mj, data))
    if hangs(mj, data, found[name], moved, held=bool(where)):
        tie(f"{name} hangs on rounding{where}")
    wrong(f"{name} differs by {found[name]:.1e}{where}{largest(mj, name, ours[name], theirs[name])}")


def largest(mj, name, ours, theirs):
    """Where the largest difference is, of sensors."""
    if not name.startswith("sens"):
        return ""
    adr = int(np.argmax(np.abs(ours - theirs)))
    sensor = int(np.searchsorted(mj.sensor_adr, adr, side="right") - 1)
    kind = mujoco.mjtSensor(mj.sensor_type[sensor]).name.removeprefix("mjSENS_").lower()
    return f": {kind} {ours[adr]:.9g}, MuJoCo {theirs[adr]:.9g}"


# ------------------------------------------------------------------------------------------------------------- steps


def along(mj, sim, rng):
    """Steps, each from MuJoCo's state, with controls at random."""
    data = mujoco.MjData(mj)
    if mj.nkey:
        mujoco.mj_resetDataKeyframe(mj, data, 0)
        data.time = 0.0  # that of the controls of the past
    else:
        data.qpos[:], data.qvel[:] = zoo.random_state(mujoco, mj, rng, 0.1, 0.5)[:2]
    before = mujoco.MjData(mj)
    for _ in range(ALONG):
        data.ctrl[:] = rng.uniform(-1, 1, mj.nu)
        mujoco.mj_forward(mj, data)
        if not well(data.qacc):
            return
        data.qacc_warmstart[:] = data.qacc
        mujoco.mj_copyData(before, mj, data)
        copied(mj, sim, data)
        sim.data.qacc_warmstart[0] = data.qacc_warmstart
        mujoco.mj_step(mj, data)
        fit = well(data.qpos) and well(data.qvel) and not data.warning.number[BAD].any()
        try:
            sim.step()
        except DivergenceError as error:
            if fit and not well((data.qvel - before.qvel) / mj.opt.timestep):
                tie("an acceleration within a step of RK4 beyond where MuJoCo gives up, which it asks before")
            if fit:
                wrong(f"only ours diverges in a step: {said_by(error)}")
            return
        except ContactOverflowError:
            tie("more contacts than the default capacity")
        if not fit:
            return
        step(mj, sim, before, data)


BAD = [int(getattr(mujoco.mjtWarning, f"mjWARN_BAD{name}")) for name in ("QPOS", "QVEL", "QACC")]


def step(mj, sim, before, data):
    """Raise Differs where a step from `before` is not MuJoCo's."""
    found, bar = apart(mj, sim, before, data), FORCE if before.nefc or data.nefc else BAR
    if found < bar:
        return

    def moved(other):
        mujoco.mj_step(mj, other)
        return np.abs(other.qvel - data.qvel).max() / reach(before, data)

    told = told_of_forces(mj, sim.model)
    if told.any() and feels_rounding(mj, before) and apart(mj, sim, before, data, told) < bar:
        tie(FELT)
    told = told_of_cameras(mj, sim.model)
    if told.any() and apart(mj, sim, before, data, told) < bar:
        tie("what a late ray of a camera told, which MuJoCo may spare")
    told = told_right(mj, data, sim.model, act_of(sim.model, sim.data.act[0]), state_of(sim.model, mj, data))
    if told.any() and apart(mj, sim, before, data, told) < bar:
        tie("a late sensor told a distance beside which MuJoCo's search ends")
    if swamped(mj, before):
        tie(swamped(mj, before))
    ours = sim.data.qpos[0].copy(), sim.data.qvel[0].copy(), sim.data.act[0].copy()
    held = mujoco.MjData(mj)
    mujoco.mj_copyData(held, mj, before)
    ties = stages(mj, sim, held)
    if ties:
        tie(f"a step from a tie: {ties[0]}")
    sim.data.qpos[0], sim.data.qvel[0], sim.data.act[0] = ours
    if apart(mj, sim, before, held) < FORCE:  # MuJoCo's step from our contacts
        return
    first = first_of_sensors(sim.model)
    told = (np.arange(sim.model.na) >= first) & (np.arange(sim.model.na) < first + past_of_sensors(sim.model))
    if rk4(mj) and told.any() and apart(mj, sim, before, held, told) < FORCE:
        tie("what a late sensor told in a step of RK4")
    if hangs(mj, before, found, moved):
        tie("a step hangs on rounding")
    wrong(f"a step differs by {found:.1e}, integrator {mujoco.mjtIntegrator(mj.opt.integrator).name[6:]}, "
          f"{before.nefc} rows, {before.ncon} contacts")  # fmt: skip


def reach(before, data):
    return max(np.abs(data.qvel - before.qvel).max(), np.abs(data.qvel).max(), 1e-6)


def apart(mj, sim, before, data, but=False):
    """How far our state is from MuJoCo's after a step. but: which numbers of act do not count."""
    scale = reach(before, data)
    found = np.abs(sim.data.qvel[0] - data.qvel).max() / scale
    late = act_errors(mj, sim.model, act_of(sim.model, sim.data.act[0]), state_of(sim.model, mj, data))
    found = max(found, np.where(but, 0.0, late).max(initial=0))
    turn = np.zeros(mj.nv)
    mujoco.mj_differentiatePos(mj, turn, 1.0, data.qpos, np.array(sim.data.qpos[0]))
    return max(found, np.abs(turn).max() / max(scale * mj.opt.timestep, 1e-3))


def rk4(mj):
    return mj.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4


def stages(mj, sim, before):
    """The ties among the states at which a step asks for accelerations. Raises Differs where one is wrong. Where there
    is no tie, `before` is then a step further, by our contacts."""
    h, ties, rates = mj.opt.timestep, [], [None]
    data, after = mujoco.MjData(mj), mujoco.MjData(mj)
    mujoco.mj_copyData(after, mj, before)
    mujoco.mj_step(mj, after)
    for share in SHARES if rk4(mj) else SHARES[:1]:
        mujoco.mj_copyData(data, mj, before)
        if share:
            further(mj, data, rates[-1], share * h)
        for _ in range(2):
            mujoco.mj_forward(mj, data)
            data.qacc_warmstart[:] = data.qacc
        try:
            forward(mj, sim, data)
        except Differs as found:
            if found.args[0].outcome == WRONG:
                raise
            ties.append(found.args[0].detail)
        rates.append(rates_of(mj, data, rates[-1], share * h))
    if ties:
        return ties
    if rk4(mj):
        act = act_after(mj, before, mean(rates[1:])[2])
        further(mj, before, mean(rates[1:]), h)
        before.act[:], before.history[:], before.plastic[:] = act, after.history, after.plastic
    else:
        ways = {mujoco.mjtIntegrator.mjINT_EULER: mujoco.mj_Euler, mujoco.mjtIntegrator.mjINT_DISCRETE: mujoco.mj_step2}
        mujoco.mj_copyData(before, mj, data)
        ways.get(mujoco.mjtIntegrator(mj.opt.integrator), mujoco.mj_implicit)(mj, before)
    return ties
