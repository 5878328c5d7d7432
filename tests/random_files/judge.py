"""What becomes of a file, beside what MuJoCo makes of it.

    same      it loads on both sides and moves alike
    neither   both refuse it
    refused   MuJoCo takes it and the engine refuses it by name
    opened    the engine takes it with what it changed to open it, and says so; MuJoCo does not
    tie       the sides differ where MuJoCo differs from itself: by name, what decides there
    wrong     anything else

Forces are compared with the engine's contacts in MuJoCo's place
where both have the same ones, since MuJoCo's search between convex shapes ends at a tolerance.
"""

import re
from collections import Counter
from typing import NamedTuple

import mujoco
import numpy as np

import engine
from engine import DivergenceError
from engine.errors import ContactOverflowError
from engine.model import ModelError, UnsupportedError
from engine.model import constants as c
from engine.model.opening import opened
from engine.model.wishes import Wishes
from tests import zoo
from tests.physics.reference import SMOOTH, poison, set_reference
from tests.physics.test_convex import farthest

SAME, NEITHER, REFUSED, OPENED, TIE, WRONG = "same", "neither", "refused", "opened", "tie", "wrong"
BAR, FORCE = 1e-9, 1e-6  # relative: without constraints, with them
DEPTH, PLACE = 1e-6, 1e-3  # of contacts that are searched, m, 1
FAR = 1e8  # rad
HUGE = 1e10  # where MuJoCo gives up
NUDGES, NUDGE, ROUNDING = 6, 1e-8, 1e-13
ALONG = 8  # steps
SIZES = ("nq", "nv", "nu", "na", "nbody", "njnt", "ngeom", "nsite", "nsensor", "nsensordata", "neq", "nmocap")
SEARCHED = {c.ELLIPSOID, c.CYLINDER, c.MESH}  # a contact with one of them may be searched


class Verdict(NamedTuple):
    outcome: str
    detail: str = ""


class Differs(Exception):
    """With a Verdict: the first thing that is not the same."""


def tie(detail):
    raise Differs(Verdict(TIE, detail))


def wrong(detail):
    raise Differs(Verdict(WRONG, detail))


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
    try:
        return compared(text, theirs, model, seed)
    except Differs as found:
        return found.args[0]
    except mujoco.FatalError as error:
        return Verdict(TIE, f"MuJoCo raises: {said_by(error)}")
    except Exception as error:
        return Verdict(WRONG, f"run: {type(error).__name__}: {said_by(error)}")


def said_by(error):
    return " ".join(str(error).split())[:300]


class MjOf:
    """`mj`, what MuJoCo compiles of a text, or None, and why."""

    def __init__(self, text):
        self.mj, self.error = None, ""
        try:
            self.mj = mujoco.MjModel.from_xml_string(text)
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
    copied(sim, data)
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
    found = errors(ours, theirs, scales)
    check(mj, data, ours, {k: x for k, x in found.items() if k not in CONSTRAINED and "sensed" not in k}, BAR, "")
    check(mj, data, ours, {k: x for k, x in found.items() if "sensed" in k}, FORCE, "")
    kind, ties = same_contacts(mj, sim, data)
    if kind:
        with_contacts(mj, data, sim)
    theirs, scales = quantities(mj, data)
    late = {name: error for name, error in errors(ours, theirs, scales).items() if name in CONSTRAINED}
    if max(late.values()) > FORCE and solved_better(mj, data, ours["qacc"]):
        theirs, scales = quantities(mj, data)
        late = {name: error for name, error in errors(ours, theirs, scales).items() if name in CONSTRAINED}
    check(mj, data, ours, late, FORCE, f" with contacts of {kind}" if kind else "")
    if ties:
        tie(ties[0])


def copied(sim, data):
    """The state of MjData."""
    sim.reset(data.qpos, data.qvel)
    for name in ("act", "ctrl", "qfrc_applied", "xfrc_applied", "mocap_pos", "mocap_quat", "eq_active"):
        if name != "eq_active" or sim.model.neq == len(data.eq_active):  # those that are switched off are left out
            getattr(sim.data, name)[0] = getattr(data, name)
    sim.data.time[0] = data.time


CONSTRAINED = ("qacc", "qfrc_constraint", "sensordata")


def well(x):
    return np.isfinite(x).all() and (np.abs(x) < HUGE).all()


def diverged(mj, data, fit, error):
    if not fit:
        return
    if hangs(mj, data, 1.0, lambda other: (mujoco.mj_forward(mj, other), 0.0 if well(other.qacc) else np.inf)[1]):
        tie("diverges or not by rounding")
    wrong(f"only ours diverges: {said_by(error)}; MuJoCo's qacc up to {np.abs(data.qacc).max():.1e}")


def of_sim(mj, sim):
    d = sim.data
    for name in (*SMOOTH, "xquat", "qacc", "qfrc_constraint"):
        yield name, getattr(d, name)[0]
    yield from sensed(mj, d.sensordata[0]).items()
    yield "mass_matrix", d.mass_matrix()
    if sim.model.ntendon == mj.ntendon:
        yield "ten_length", d.ten_length[0]
        yield "ten_velocity", d.ten_velocity[0]


def aligned(quat, other):
    """The quaternions with the signs of the others."""
    return np.array(quat) * np.where((quat * other).sum(axis=1, keepdims=True) < 0, -1, 1)


def quantities(mj, data):
    """{name: array} of MjData, and {name: what an error of it is relative to}."""
    found = {name: np.array(getattr(data, name)) for name in (*SMOOTH, "xquat", "qacc", "qfrc_constraint")}
    found |= sensed(mj, data.sensordata)
    # MuJoCo tells how the states of actuators that an option switches off would move, and leaves them where they are
    for i in np.flatnonzero((mj.opt.disableactuator >> np.clip(mj.actuator_group, 0, 30)) & 1):
        found["act_dot"][mj.actuator_actadr[i] :][: mj.actuator_actnum[i]] = 0
    found["mass_matrix"] = np.zeros((mj.nv, mj.nv))
    mujoco.mj_fullM(mj, data, found["mass_matrix"])
    found |= {"ten_length": np.array(data.ten_length), "ten_velocity": np.array(data.ten_velocity)}
    scales = {name: max(np.abs(x).max(initial=0), 1e-6) for name, x in found.items()}
    forces = max(np.abs(getattr(data, f"qfrc_{name}")).max(initial=0) for name in ("bias", "passive", "actuator"))
    for name in ("qfrc_bias", "qfrc_passive", "qfrc_actuator", "qfrc_smooth", "qfrc_constraint"):
        scales[name] = max(scales[name], forces, np.abs(data.qfrc_applied).max(initial=0))
    # what a sensor reads is a difference of larger numbers
    scales |= {name: max(scales[name], 1.0) for name in sensed(mj, data.sensordata)}
    return found, scales


def sensed(mj, sensordata):
    """Of sensors the numbers of each stage by themselves, zero elsewhere: of places, velocities, accelerations."""
    late = mj.sensor_type == int(mujoco.mjtSensor.mjSENS_CONTACT)  # which are held
    stages = np.repeat(np.where(late, 3, mj.sensor_needstage), mj.sensor_dim)
    names = {"sensed places": 1, "sensed velocities": 2, "sensordata": 3}
    return {name: np.where(stages == stage, sensordata, 0.0) for name, stage in names.items()}


def errors(ours, theirs, scales):
    out = {}
    for name, value in ours.items():
        if value.shape != theirs[name].shape:
            wrong(f"{name} of shape {value.shape}, MuJoCo {theirs[name].shape}")
        error = np.abs(value - theirs[name]).max(initial=0) / scales[name]
        out[name] = error if np.isfinite(error) else np.inf
    return out


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
        tie("a sensor feels the force of a constraint that nothing can move, which is rounding")
    if hangs(mj, data, found[name], moved, held=bool(where)):
        tie(f"{name} hangs on rounding{where}")
    wrong(f"{name} differs by {found[name]:.1e}{where}{largest(mj, name, ours[name], theirs[name])}")


FEELING = mujoco.mjtSensor.mjSENS_FORCE, mujoco.mjtSensor.mjSENS_TORQUE


def feels_rounding(mj, data):
    """Whether there are force or torque sensors, and a row of an equality with which no dof moves."""
    feels = np.isin(mj.sensor_type, [int(kind) for kind in FEELING]).any()
    rows = data.efc_J.reshape(-1, mj.nv)[: data.ne] if feels and data.ne else np.ones((1, 1))
    return bool((np.abs(rows).max(axis=1) < 1e-12).any())


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


def largest(mj, name, ours, theirs):
    """Where the largest difference is, of sensors."""
    if not name.startswith("sens"):
        return ""
    adr = int(np.argmax(np.abs(ours - theirs)))
    sensor = int(np.searchsorted(mj.sensor_adr, adr, side="right") - 1)
    kind = mujoco.mjtSensor(mj.sensor_type[sensor]).name.removeprefix("mjSENS_").lower()
    return f": {kind} {ours[adr]:.9g}, MuJoCo {theirs[adr]:.9g}"


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
    mujoco.mj_island(mj, data)
    mujoco.mj_projectConstraint(mj, data)
    mujoco.mj_sensorPos(mj, data)
    for _ in range(2):  # once more from the solution
        mujoco.mj_forwardSkip(mj, data, int(mujoco.mjtStage.mjSTAGE_POS), 0)
        data.qacc_warmstart[:] = data.qacc


# ---------------------------------------------------------------------------------------------------------- contacts


def real(data):
    """Which of MuJoCo's contacts exert a force; the others lie within a gap."""
    return np.asarray(data.contact.exclude) == 0


def pair_name(mj, geoms):
    kinds = sorted(int(mj.geom_type[g]) for g in geoms)
    return "-".join(mujoco.mjtGeom(k).name.removeprefix("mjGEOM_").lower() for k in kinds)


def same_contacts(mj, sim, data):
    """The kinds of the contacts' pairs, in words, and the ties among them. Raises Differs unless they are the same."""
    ours, theirs, ties = sim.data.contacts(), np.flatnonzero(real(data)), []
    mine, other = np.column_stack([ours["geom1"], ours["geom2"]]), data.contact.geom[theirs]
    counts, wanted = Counter(map(pair_of, mine)), Counter(map(pair_of, other))
    for pair in sorted(counts | wanted):
        if counts[pair] != wanted[pair]:
            ties.append(other_number(mj, data, ours, pair, counts[pair], wanted[pair]))
    if ties:
        tie(ties[0])
    for k, at in matched(mine, ours["pos"], other, data.contact.pos[theirs]):
        at = theirs[at]
        searched = SEARCHED & {int(mj.geom_type[g]) for g in mine[k]}
        apart = abs(ours["dist"][k] - data.contact.dist[at])
        moved = np.linalg.norm(ours["pos"][k] - data.contact.pos[at])
        turned = np.linalg.norm(ours["frame"][k, 0] - data.contact.frame[at, :3])
        bars = (DEPTH, PLACE, PLACE) if searched else (1e-9, 1e-8, 1e-8)
        if apart > bars[0] or moved > bars[1] or turned > bars[2]:
            ties.append(at_odds(mj, data, mine[k], (apart, moved, turned), sim, k, at))
    return ", ".join(sorted({pair_name(mj, g) for g in mine})), ties


def pair_of(geoms):
    return tuple(sorted(int(g) for g in geoms))


def other_number(mj, data, ours, pair, count, wanted):
    """Why a pair has another number of contacts than MuJoCo's. Raises Differs where there is no reason."""
    name = pair_name(mj, pair)
    depths = [depth_along(mj, data, pair, ours["frame"][k, 0], ours["geom1"][k]) for k in of_pair(ours, pair)]
    their = [depth_along(mj, data, pair, c.frame[:3], c.geom[0]) for c in data.contact if pair_of(c.geom) == pair]
    least, other = min(depths, default=np.inf), min(their, default=np.inf)
    if least < other - 1e-7 and np.isfinite(other):
        return f"MuJoCo's depth is not the least: {name}"
    if len(numbers_near(mj, data, pair)) > 1:
        return f"number of contacts hangs on rounding: {name}"
    least = f", depth {least:.3g} along the normal, MuJoCo's {other:.3g}"
    wrong(f"{name}{margin_of(mj, pair)}: {count} contacts, MuJoCo {wanted}{least}")


def margin_of(mj, pair):
    return " with a margin" * bool(mj.geom_margin[list(pair)].any())


def of_pair(ours, pair):
    return [k for k in range(len(ours["dist"])) if pair_of((ours["geom1"][k], ours["geom2"][k])) == pair]


def depth_along(mj, data, pair, normal, first):
    """How far two shapes overlap along a normal, which points from `first` to the other; of a plane, its own."""
    one, two = pair if pair[0] == first else pair[::-1]
    n = np.array(normal)
    for geom, other in ((one, two), (two, one)):
        if mj.geom_type[geom] == c.PLANE:
            up = data.geom_xmat[geom].reshape(3, 3)[:, 2]
            return farthest(mj, data, other, -up) + up @ data.geom_xpos[geom]
    return farthest(mj, data, one, n) + farthest(mj, data, two, -n)


def numbers_near(mj, data, pair):
    """The numbers of MuJoCo's contacts of a pair at states near by."""
    rng, other, counts = np.random.default_rng(0), mujoco.MjData(mj), set()
    for size in (0.0, NUDGE, 1e-6):
        for _ in range(NUDGES):
            mujoco.mj_copyData(other, mj, data)
            beside(mj, other, rng, size)
            mujoco.mj_fwdPosition(mj, other)
            counts.add(sum(pair_of(other.contact.geom[i]) == pair for i in np.flatnonzero(real(other))))
    return counts


def matched(mine, places, other, there):
    """[(number of ours, number of theirs)], of the same geoms and the nearest."""
    left, pairs = list(range(len(other))), []
    for k in range(len(mine)):
        fits = [i for i in left if set(other[i]) == set(mine[k])]
        if not fits:
            wrong("contacts of other geoms")
        best = min(fits, key=lambda i: np.linalg.norm(there[i] - places[k]))
        left.remove(best)
        pairs.append((k, best))
    return pairs


def at_odds(mj, data, geoms, found, sim, k, at):
    """Why a contact that is not MuJoCo's is a tie: MuJoCo's own moves as much when nudged, or its search ends early, or
    it inflated the shapes by a margin. Raises Differs otherwise."""
    rng, other, spread = np.random.default_rng(0), mujoco.MjData(mj), np.zeros(3)
    contact = data.contact
    for size in (1e-9, 1e-7):
        for _ in range(NUDGES):
            mujoco.mj_copyData(other, mj, data)
            beside(mj, other, rng, size)
            mujoco.mj_fwdPosition(mj, other)
            there = [i for i in np.flatnonzero(real(other)) if set(other.contact.geom[i]) == set(geoms)]
            if not there:
                continue
            i = min(there, key=lambda i: np.linalg.norm(other.contact.pos[i] - contact.pos[at]))
            spread = np.maximum(spread, (
                abs(other.contact.dist[i] - contact.dist[at]),
                np.linalg.norm(other.contact.pos[i] - contact.pos[at]),
                np.linalg.norm(other.contact.frame[i, :3] - contact.frame[at, :3]),
            ))  # fmt: skip
    name = pair_name(mj, geoms)
    if (np.array(found) < 100 * spread + (DEPTH, PLACE, PLACE)).all():
        return f"place of a contact hangs on rounding: {name}"
    ours = sim.data.contacts()
    if chosen_near(mj, data, pair_of(geoms), ours):
        return f"which points touch hangs on rounding: {name}"
    pair, dist = pair_of(geoms), ours["dist"][k]
    along = depth_along(mj, data, pair, ours["frame"][k, 0], ours["geom1"][k])
    there = depth_along(mj, data, pair, contact.frame[at, :3], contact.geom[at, 0])
    if along < there - 1e-7 or (along < there + 1e-9 and abs(along + dist) < 1e-6):
        return f"MuJoCo's depth is not the least: {name}"
    if along > there + 1e-7:
        wrong(f"{name}{margin_of(mj, pair)}: the shapes overlap less along MuJoCo's normal, by {along - there:.1e} of "
              f"{along:.1e}")  # fmt: skip
    mine = off(mj, data, geoms, ours["dist"][k], ours["pos"][k], ours["frame"][k, 0])
    their = off(mj, data, contact.geom[at], contact.dist[at], contact.pos[at], contact.frame[at, :3])
    if mine < 1e-8 and mine < 0.1 * their:
        return f"MuJoCo's contact is off the surfaces: {name}{margin_of(mj, geoms)}"
    by = " ".join(f"{x:.1e}" for x in found)
    wrong(f"{name}{margin_of(mj, geoms)} at {contact.dist[at]:.2g}: depth, place, normal by {by}, "
          f"off the surfaces by {mine:.0e}, MuJoCo's {their:.0e}")  # fmt: skip


def chosen_near(mj, data, pair, ours):
    """Whether MuJoCo, at a state near by, has just our contacts of a pair."""
    rng, other, mine = np.random.default_rng(1), mujoco.MjData(mj), of_pair(ours, pair)
    for size in np.repeat((ROUNDING, 1e-9), 20):
        mujoco.mj_copyData(other, mj, data)
        beside(mj, other, rng, size)
        mujoco.mj_fwdPosition(mj, other)
        left = [other.contact[i] for i in np.flatnonzero(real(other)) if pair_of(other.contact.geom[i]) == pair]
        for k in mine:
            same = [i for i, c in enumerate(left) if abs(c.dist - ours["dist"][k]) < DEPTH
                    and np.linalg.norm(c.pos - ours["pos"][k]) < 10 * DEPTH]  # fmt: skip
            if not same:
                break
            left.pop(same[0])
        else:
            if not left:
                return True
    return False


def off(mj, data, geoms, dist, pos, normal):
    """How far the two points of a contact are from their shapes' surfaces, m."""
    ends = zip(geoms, (-1, 1), strict=True)
    return max(abs(outside(mj, data, int(g), pos + side * dist / 2 * normal)) for g, side in ends)


def outside(mj, data, geom, p):
    """A function of a point that is zero on a geom's surface, of slope one there."""
    size, kind = mj.geom_size[geom], mj.geom_type[geom]
    x = data.geom_xmat[geom].reshape(3, 3).T @ (p - data.geom_xpos[geom])
    if kind == c.MESH:
        mesh = mj.geom_dataid[geom]
        corners = mj.mesh_vert[mj.mesh_vertadr[mesh] :]
        return max(
            mj.mesh_polynormal[f] @ (x - corners[mj.mesh_polyvert[mj.mesh_polyvertadr[f]]])
            for f in mj.mesh_polyadr[mesh] + np.arange(mj.mesh_polynum[mesh])
        )
    if kind == c.ELLIPSOID:
        return (np.linalg.norm(x / size) - 1) * np.linalg.norm(x / size) / np.linalg.norm(x / size**2)
    return {
        c.PLANE: lambda: x[2],
        c.SPHERE: lambda: np.linalg.norm(x) - size[0],
        c.CAPSULE: lambda: np.hypot(np.hypot(x[0], x[1]), max(abs(x[2]) - size[1], 0)) - size[0],
        c.CYLINDER: lambda: max(np.hypot(x[0], x[1]) - size[0], abs(x[2]) - size[1]),
        c.BOX: lambda: (np.abs(x) - size).max(),
    }[kind]()


def with_contacts(mj, data, sim):
    """MuJoCo's forward pass goes on from our contacts, those of a pair in our order."""
    ours, theirs = sim.data.contacts(), np.flatnonzero(real(data))
    mine = np.column_stack([ours["geom1"], ours["geom2"]])
    left = [[int(i) for i in theirs if set(data.contact.geom[i]) == set(pair)] for pair in mine]
    slots = [here[[set(p) for p in mine[:k]].count(set(mine[k]))] for k, here in enumerate(left)]
    swapped = [(mine[k] != data.contact.geom[i]).any() for k, i in enumerate(slots)]
    for k, i in enumerate(slots):
        frame = np.array(ours["frame"][k])
        frame[:2] *= 1 - 2 * swapped[k]
        contact = data.contact[i]
        contact.dist, contact.pos[:], contact.frame[:] = ours["dist"][k], ours["pos"][k], frame.ravel()
    go_on(mj, data)


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
    """How far the acceleration is from one that its forces explain."""
    force = np.zeros(mj.nv)
    mujoco.mj_mulM(mj, data, force, data.qacc)
    return np.abs(force - data.qfrc_smooth - data.qfrc_constraint).max(initial=0)


# ------------------------------------------------------------------------------------------------------------- steps


def along(mj, sim, rng):
    """Steps, each from MuJoCo's state, with controls at random."""
    data = mujoco.MjData(mj)
    if mj.nkey:
        mujoco.mj_resetDataKeyframe(mj, data, 0)
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
        copied(sim, data)
        sim.data.qacc_warmstart[0] = data.qacc_warmstart
        mujoco.mj_step(mj, data)
        fit = well(data.qpos) and well(data.qvel) and not data.warning.number[BAD].any()
        try:
            sim.step()
        except DivergenceError as error:
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

    if hangs(mj, before, found, moved):
        tie("a step hangs on rounding")
    ours = sim.data.qpos[0].copy(), sim.data.qvel[0].copy(), sim.data.act[0].copy()
    ties = stages(mj, sim, before)
    if ties:
        tie(f"a step from a tie: {ties[0]}")
    if mj.opt.integrator != mujoco.mjtIntegrator.mjINT_RK4:  # the same from our contacts
        one = mujoco.mj_Euler if mj.opt.integrator == mujoco.mjtIntegrator.mjINT_EULER else mujoco.mj_implicit
        other = mujoco.MjData(mj)
        mujoco.mj_copyData(other, mj, before)
        one(mj, other)
        sim.data.qpos[0], sim.data.qvel[0], sim.data.act[0] = ours
        if apart(mj, sim, before, other) < FORCE:
            return
    elif SEARCHED & {int(mj.geom_type[g]) for geoms in before.contact.geom for g in geoms}:
        tie("a step of RK4 with searched contacts")
    wrong(f"a step differs by {found:.1e}, integrator {mujoco.mjtIntegrator(mj.opt.integrator).name[6:]}, "
          f"{before.nefc} rows, {before.ncon} contacts")  # fmt: skip


def reach(before, data):
    return max(np.abs(data.qvel - before.qvel).max(), np.abs(data.qvel).max(), 1e-6)


def apart(mj, sim, before, data):
    """How far our state is from MuJoCo's after a step."""
    scale = reach(before, data)
    found = np.abs(sim.data.qvel[0] - data.qvel).max() / scale
    if mj.na:
        found = max(found, np.abs(sim.data.act[0] - data.act).max() / max(np.abs(data.act).max(), 1e-6))
    turn = np.zeros(mj.nv)
    mujoco.mj_differentiatePos(mj, turn, 1.0, data.qpos, np.array(sim.data.qpos[0]))
    return max(found, np.abs(turn).max() / max(scale * mj.opt.timestep, 1e-3))


def stages(mj, sim, before):
    """The ties among the states at which a step asks for accelerations. Raises Differs where one is wrong. Afterwards
    `before` has our contacts."""
    h, ties = mj.opt.timestep, []
    shares = (0.0, 0.5, 0.5, 1.0) if mj.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4 else (0.0,)
    data, last = mujoco.MjData(mj), mujoco.MjData(mj)
    for share in shares:
        mujoco.mj_copyData(data, mj, before)
        if share:
            mujoco.mj_integratePos(mj, data.qpos, last.qvel, share * h)
            data.qvel[:] += share * h * last.qacc
            data.act[:] += share * h * last.act_dot
        for _ in range(2):
            mujoco.mj_forward(mj, data)
            data.qacc_warmstart[:] = data.qacc
        mujoco.mj_copyData(last, mj, data)
        try:
            forward(mj, sim, data)
        except Differs as found:
            if found.args[0].outcome == WRONG:
                raise
            ties.append(found.args[0].detail)
        if not share and not ties:
            mujoco.mj_copyData(before, mj, data)
    return ties
