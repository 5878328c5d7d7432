"""A whole step and its reverse, carried out in Python (interpreter.py) with one random direction of all inputs at once:
of what no stage of probe.py has: the integrator discrete, controls of the past, sensors of contacts and limits."""

import mujoco
import numpy as np
import pytest

from engine import Simulator
from engine.model import load
from engine.model.constants import DISCRETE
from engine.model.servos import ours
from engine.theta import LEAF_NAMES
from tests import zoo
from tests.adjoints import probe as p
from tests.adjoints.interpreter import interpreted
from tests.adjoints.test_integrate import NextState
from tests.gradients import test_friction_law as friction_law
from tests.gradients.differences import clock_entries
from tests.physics import test_diagexact as exact
from tests.physics.test_adhesion import touching
from tests.physics.test_discrete import stiff
from tests.physics.test_integrators import LONE
from tests.physics.test_sensor_delays import LATE, LATER, PERIODIC

INTEGRATORS = "Euler", "RK4", "implicit", "implicitfast"

STIFF = zoo.actuated(
    '<joint name="j" axis="1 .4 0" stiffness="9" damping=".2"/>',
    '<position joint="j" kp="30" kv="2"/><general joint="j" gainprm="4 1 .5" biasprm="1 -8 -.6" biastype="affine"/>',
)


def stiff_fingers(cone):
    """What touches has dofs that the metric is large of."""
    text = zoo.one_tree(f'cone="{cone}"', zoo.CONDIMS[3]).replace('damping=".05"', 'damping="2" stiffness="60"')
    return text.replace("<motor", "<position kp='30' kv='1'")


IN_DISCRETE = {
    "servos and springs": (STIFF, 0.5),
    "ball spring": (zoo.SMOOTH["ball spring"], 0.5),
    "activation": (zoo.SMOOTH["activation"], 0.5),
    "lone free bodies": (LONE, 0.5),
    "limits and friction": (zoo.ROWS["friction and limits"], 0.5),
    **{f"contacts, {cone}": (zoo.one_tree(f'cone="{cone}"', zoo.CONDIMS[3]), 0.3) for cone in zoo.CONES},
    **{f"stiff fingers, {cone}": (stiff_fingers(cone), 0.3) for cone in zoo.CONES},
    **{f"stiff, {cone}": (stiff("usual", cone).replace('pos="0 0 .35"', 'pos="0 0 .19"'), 0.03) for cone in zoo.CONES},
    **{name: (zoo.SMOOTH[name], 0.5) for name in ("fluid", "ellipsoids in a fluid")},
    **{name: (xml, 0.5) for name, xml in (zoo.TAUT | zoo.TENDONS | zoo.MUSCLES | zoo.ARMS).items()},
}
SENSED = {  # how far from where it was made, and the seed
    "touch": (zoo.touch(), 0.05, 0),
    "limits": (zoo.limit_sensors(), 0.4, 1),
    "contacts": (zoo.contact_sensors(), 0.3, 0),
    "ranges": (zoo.ranging(), 0.1, 0),
    "distances": (zoo.apart(), 0.1, 0),
    "sought distances": (zoo.sought(), 0.1, 0),
    "images": (zoo.seen(), 0.5, 0),
    "cameras": (zoo.following(), 0.1, 0),
}
QUICK = {
    "servos and springs", "lone free bodies", "limits and friction", "contacts, pyramidal", "motors", "stiff, elliptic",
    "limits", "ranges", "distances", "images", "cameras", "muscles on joints", "reference sites",
}  # fmt: skip


def cases(table):
    return [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in table]


class Together(p.Case):
    """All inputs move at once, each in a direction of its own."""

    def __init__(self, probe, state):
        super().__init__(probe, state)
        inputs = [n for n in self.x if n not in ("qacc", "xfrc_applied", "dof_frictionloss", "tendon_frictionloss")]
        self.along = {n: [self.direction(n) for _ in range(2)] for n in inputs if np.size(self.x[n])}
        self.x["together"] = np.zeros(2)

    def set(self, together=(0.0, 0.0)):
        super().set(**{n: self.moved(n, together[0] * a + together[1] * b, 1.0) for n, (a, b) in self.along.items()})


def step(probe, state, held=()):
    """held: entries of act that do not move."""
    python, case = interpreted(), Together(probe, state)
    m, out = case.model, NextState(case)
    for a in case.along.get("act", ()):
        a[list(held)] = 0.0
    weights = case.rng.normal(size=m.nsensordata)

    def forward():
        python.step(probe)
        return out.value() + float(weights @ probe.traj["traj_sensordata"][: m.nsensordata])

    case.set()
    forward()
    qpos = case.sim.data.qpos[0].copy()
    probe.clear()
    out.inject(qpos)
    probe.b["cot_sensordata"][: m.nsensordata] = weights
    python.step_vjp(probe)
    bars = {n: probe.bar(n) for n in case.along}
    bar = [sum(float((bars[n] * d[k]).sum()) for n, d in case.along.items()) for k in range(2)]
    case.compare(forward, {"together": np.array(bar)}, tolerance=1e-6, steps=10.0 ** -np.arange(3.0, 7.0))


def whole_state(probe, mj, seed, kick):
    """With values of the past, which act has behind the states of actuators."""
    rng = np.random.default_rng(seed)
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, rng, kick)
    return qpos, qvel, np.concatenate([act, rng.normal(size=probe.model.na - len(act))]), ctrl


@pytest.mark.parametrize("name", cases(IN_DISCRETE))
def test_discrete(probes, name):
    xml, kick = IN_DISCRETE[name]
    mj, probe = probes(xml, DISCRETE)
    speed = 8.0 if name == "lone free bodies" else 1.0  # which their bias goes with the square of
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(0), kick, speed)
    if name.startswith("stiff"):
        qpos[2], qpos[-1] = 0.195, -0.32  # a contact and a limit
    step(probe, (qpos, qvel, act, ctrl))


@pytest.mark.slow
@pytest.mark.parametrize("name", ("activation", "early activation", "pid", "muscles on joints", "muscles along paths"))
def test_rk4(probes, name):
    """What actuators leave from one stage to the next, with their time constants and curves."""
    mj, probe = probes((zoo.SMOOTH | zoo.MUSCLES)[name], 1)
    step(probe, zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.5))


IN_EXACT = {
    "friction and limits": (exact.ROBOTS["friction and limits"], 0.5),
    "armature of tendons": (exact.ROBOTS["armature of tendons"], 0.5),
    "limits in a fluid": (exact.ROBOTS["limits in a fluid"], 0.5),
    "several equalities": (exact.ROBOTS["several equalities"], 0.5),
    "limits of paths": (exact.ROBOTS["limits of paths"], 0.5),
    **{f"contacts, {cone}": (zoo.one_tree(f'cone="{cone}"', zoo.CONDIMS[6]), 0.3) for cone in zoo.CONES},
    **{f"stiff, {cone}": (stiff("usual", cone).replace('pos="0 0 .35"', 'pos="0 0 .19"'), 0.03) for cone in zoo.CONES},
}  # fmt: skip
EXACT_QUICK = {("armature of tendons", "Euler"), ("limits in a fluid", "discrete"), ("contacts, pyramidal", "implicit")}


@pytest.mark.parametrize(("name", "integrator"), [
    pytest.param(name, word, id=f"{name}-{word}", marks=() if (name, word) in EXACT_QUICK else pytest.mark.slow)
    for name in IN_EXACT for word in exact.INTEGRATORS
])  # fmt: skip
def test_exact_diagonals(probes, name, integrator):
    """The flag diagexact."""
    xml, kick = IN_EXACT[name]
    mj, probe = probes(exact.exactly(xml), exact.INTEGRATORS[integrator])
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(0), kick)
    if name.startswith("stiff"):
        qpos[2], qpos[-1] = 0.195, -0.32  # a contact and a limit
    if name == "armature of tendons":
        qpos[-1] = 0.3  # two limits
    step(probe, (qpos, qvel, act, ctrl))


ON_ARMS = {"limited": zoo.ARMS["arms of limited joints"], "branches": zoo.ARMS["branches"],
           "turns": zoo.ARMS["turning setpoints"],
           "adhesion": zoo.adhesive(most=".025")}  # fmt: skip


@pytest.mark.parametrize(("name", "integrator"), [
    pytest.param(name, k, id=f"{name}-{word}", marks=() if word == "implicitfast" else pytest.mark.slow)
    for name in ON_ARMS for k, word in enumerate((*INTEGRATORS, "discrete"))
])  # fmt: skip
def test_arms(probes, name, integrator):
    """What joints cut off of their forces, what is felt of them there, slopes where M has entries, and the metric."""
    mj, probe = probes(ON_ARMS[name], integrator)
    qpos, qvel, act, ctrl = touching(mj, 2)[1] if name == "adhesion" else zoo.random_state(
        mujoco, mj, np.random.default_rng(0), 0.5)  # fmt: skip
    turns = 5 if name == "turns" else 1  # of states and controls, some of which are whole turns away
    step(probe, (qpos, qvel, turns * act, turns * ctrl))


@pytest.mark.parametrize("integrator", range(5), ids=(*INTEGRATORS, "discrete"))
def test_motors(probes, integrator):
    """With the time constants and curves that simulators of tests are asked for."""
    mj, probe = probes(zoo.MOTORS, integrator)
    step(probe, whole_state(probe, mj, 0, 0.7))


@pytest.mark.parametrize("integrator", [
    pytest.param(k, id=word, marks=() if word == "RK4" else pytest.mark.slow)
    for k, word in enumerate((*INTEGRATORS, "discrete"))
])  # fmt: skip
def test_motors_of_turns(probes, integrator):
    """Setpoints whole turns away, and motors without inputs."""
    mj, probe = probes(zoo.TURNED, integrator)
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.5)
    step(probe, (qpos, qvel, 4 * act, ours(mj, 4 * ctrl)))


@pytest.mark.slow
@pytest.mark.parametrize("integrator", range(5), ids=(*INTEGRATORS, "discrete"))
@pytest.mark.parametrize("turns", (1, 9))
def test_orientations(probes, turns, integrator):
    """As quaternions, clamped, delayed; states and controls many turns away."""
    mj, probe = probes(zoo.ORIENTED, integrator)
    qpos, qvel, act, ctrl = whole_state(probe, mj, 0, 0.5)
    step(probe, (qpos, qvel, turns * act, turns * ctrl))


@pytest.mark.parametrize("integrator", range(4), ids=INTEGRATORS)
def test_sensors_of_the_past(probes, integrator):
    mj, probe = probes(LATE, integrator)
    step(probe, whole_state(probe, mj, 0, 0.5))


@pytest.mark.parametrize(("kind", "due", "integrator"), [
    pytest.param(kind, due, k, id=f"{kind}-{due}-{INTEGRATORS[k]}", marks=() if quick else pytest.mark.slow)
    for kind, due, k, quick in (
        ("periodic", "ticks", 0, True), ("late", "ticks", 1, True), ("periodic", "ticks", 1, False),
        ("late", "ticks", 0, False), ("late", "between", 0, False), ("periodic", "between", 1, False),
    )
])  # fmt: skip
def test_sensors_with_clocks(probes, kind, due, integrator):
    """Late ones read by when values were taken, which is held."""
    mj, probe = probes(PERIODIC % (LATER if kind == "late" else ""), integrator)
    qpos, qvel, act, ctrl = whole_state(probe, mj, 0, 0.5)
    held = clock_entries(probe.model)
    act[held] = 0.0
    act[held & ~np.roll(held, 1)] = -0.5 if due == "ticks" else 0.5  # the next tick
    step(probe, (qpos, qvel, act, ctrl), np.flatnonzero(held & (kind == "late")))


@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
def test_controls_of_the_past(probes, integrator):
    mj, probe = probes(zoo.DELAYED, integrator)
    step(probe, zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.5))


@pytest.mark.parametrize(
    "integrator", (0, 1, *(pytest.param(i, marks=pytest.mark.slow) for i in (2, 3, 4))), ids=(*INTEGRATORS, "discrete")
)
def test_rests_that_yield(probes, integrator):
    mj, probe = probes(zoo.YIELDING, integrator)
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.4, 3.0)
    moved = 0.1 * np.random.default_rng(0).normal(size=probe.model.na - len(act))
    step(probe, (qpos, qvel, np.concatenate([act, moved]), ctrl))


@pytest.mark.parametrize(
    "attributes", ("", pytest.param('margin=".02"', marks=pytest.mark.slow)), ids=("touching", "margin")
)
def test_elevations(probes, attributes):
    """Of all shapes on a height field, by its points and its size, too."""
    mj, probe = probes(zoo.strewn(attributes=attributes))
    rng = np.random.default_rng(0)
    state = zoo.dropped(mujoco, mj), rng.normal(size=mj.nv), np.zeros(0), np.zeros(0)
    step(probe, state)
    assert (np.abs(probe.bar("hfield_data")) > 0.1).sum() >= 8 and (np.abs(probe.bar("hfield_size")) > 0.1).sum() >= 3


def asked(xml, integrator, leaves):
    """A probe of a simulator that is asked for these leaves."""
    mj = mujoco.MjModel.from_xml_string(xml)
    model = load(mj)
    model.opt.integrator, model.opt.tolerance, model.opt.iterations = integrator, 1e-14, 100
    return mj, p.Probe(Simulator(model, leaves=leaves))


@pytest.mark.parametrize("integrator", [
    pytest.param(k, id=word, marks=() if word == "implicitfast" else pytest.mark.slow)
    for k, word in enumerate((*INTEGRATORS, "discrete"))
])  # fmt: skip
def test_shapes_in_a_fluid(integrator):
    """Of geoms that are taken for ellipsoids there."""
    names = "geom_pos", "geom_quat", "geom_size"
    mj, probe = asked(zoo.SMOOTH["ellipsoids in a fluid"], integrator, names)
    step(probe, zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.5, 2.0))
    assert min(np.abs(probe.bar(n)).max() for n in names) > 10


@pytest.mark.parametrize(("integrator", "cone"), [
    pytest.param(k, cone, id=f"{word}-{cone}", marks=() if word + cone == "Eulerelliptic" else pytest.mark.slow)
    for k, word in enumerate((*INTEGRATORS, "discrete")) for cone in zoo.CONES if k != 2
])  # fmt: skip
def test_moving_surfaces(integrator, cone):
    """By their velocities, and by all that contact asks of their geoms."""
    attributes, option = zoo.PARAMETERS["moving surface"]
    xml = zoo.touching("capsule", "capsule", attributes, f'cone="{cone}" {option}')
    names = [n for n in LEAF_NAMES if n.startswith(("body_pos", "geom"))]
    mj, probe = asked(xml, integrator, names)
    step(probe, zoo.touching_state(mujoco, mj, mujoco.MjData(mj), np.random.default_rng(1)))
    assert min(np.abs(probe.bar(n)).max() for n in ("geom_pos", "geom_quat", "geom_surfacevel")) > 1


@pytest.mark.parametrize("name", cases(SENSED))
def test_sensors(probes, name):
    xml, kick, seed = SENSED[name]
    mj, probe = probes(xml)
    step(probe, zoo.random_state(mujoco, mj, np.random.default_rng(seed), kick))


@pytest.mark.parametrize("pair", [
    pytest.param(pair, id="-".join(pair), marks=() if pair == ("box", "box") else pytest.mark.slow)
    for pair in (*zoo.SOUGHT, ("plane", "mesh"))
])  # fmt: skip
def test_distances_where_they_touch(pair):
    """Sensors search where contacts have searched before, and leave the adjoint of those alone; by leaves, too."""
    sensors = "".join(f'<{kind} geom1="g2" geom2="g1" cutoff="1"/>' for kind in ("distance", "normal", "fromto"))
    text = zoo.touching(*pair, option='cone="elliptic" ccd_tolerance="1e-10"')
    text = text.replace("</mujoco>", f"<sensor>{sensors}</sensor></mujoco>")
    mj, probe = asked(text, 0, ["geom_size", "geom_pos", "geom_quat"])
    data = mujoco.MjData(mj)
    step(probe, zoo.touching_state(mujoco, mj, data, np.random.default_rng(3)))
    assert data.ncon


@pytest.mark.slow
@pytest.mark.parametrize("gap", (0.0, 0.24, 0.3), ids=("concentric", "faces meet", "one above the other"))
def test_distances_of_shapes_in_line(probes, gap):
    """Where there is no one nearest point, readings and adjoints are finite."""
    mj, probe = probes(zoo.sought())
    python = interpreted()
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(0), 0.0)
    qpos.reshape(-1, 7)[:, :3] = np.outer(np.arange(mj.nbody - 1) % 2, [0, 0, gap])
    qpos.reshape(-1, 7)[:, 3:] = 1.0, 0.0, 0.0, 0.0
    p.Case(probe, (qpos, qvel, act, ctrl)).set()
    python.step(probe)
    readings = probe.traj["traj_sensordata"][: probe.model.nsensordata]
    assert np.isfinite(readings).all() and (readings != 0).mean() > 0.3
    probe.clear()
    probe.b["cot_sensordata"][: probe.model.nsensordata] = 1.0
    python.step_vjp(probe)
    bar = probe.bar("qpos")
    assert np.isfinite(bar).all() and np.abs(bar).max() > 0.1


@pytest.mark.parametrize("integrator", range(5), ids=(*INTEGRATORS, "discrete"))
@pytest.mark.parametrize("kick", (0.5, 0.0), ids=("moving", "at rest"))
def test_friction_law(integrator, kick):
    """By its own numbers, and those of the actuators whose force is its load; at rest it holds or gives way."""
    model = friction_law.arm().model
    model.opt.integrator = integrator
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    probe = p.Probe(Simulator(model))
    step(probe, (*friction_law.state(3, kick)[:2], np.zeros(0), friction_law.state(3)[2]))
