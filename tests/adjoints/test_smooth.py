"""Adjoints of smooth forces, each alone: passive, actuation with act_dot, and z . (M a + bias - J^T xfrc) by rnea."""

import re

import mujoco
import numpy as np
import pytest

from tests import zoo
from tests.adjoints import probe as p

pytestmark = pytest.mark.slow  # the kernel that takes each stage alone compiles for a minute

SPRINGS = [n for n in zoo.SMOOTH if "spring" in n] + ["trees"]
DRIVEN = ["motor", "position", "velocity", "affine", "activation", "early activation", "pid"]
DRIVEN += [n for n in zoo.SMOOTH if " on " in n]
FORCES = p.TERMS, p.ACTUATION_VJP  # the second reads qfrc_actuator where joints limit it


def states(mj, seeds):
    """Kicked states, rest exactly, and the rest position in motion."""
    for seed in seeds:
        yield zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.7)
    rng = np.random.default_rng(0)
    yield mj.qpos0, np.zeros(mj.nv), np.zeros(mj.na), np.zeros(mj.nu)
    yield mj.qpos0, rng.normal(size=mj.nv), 0.3 * rng.normal(size=mj.na), 0.3 * rng.normal(size=mj.nu)


def passive(probe, state):
    case = p.Case(probe, state)
    z = case.rng.normal(size=case.model.nv)

    def forward():
        case.run(p.TERMS)
        return float(-z @ case.sim.data.qfrc_passive[0])

    case.set()
    probe.clear()
    probe.column("z")[:] = z
    case.run(p.PASSIVE_VJP)
    case.compare(forward, {n: probe.bar(n) for n in ("qpos", "qvel", "dof_damping", "jnt_stiffness")})


@pytest.mark.parametrize("name", SPRINGS)
def test_passive(probes, name):
    mj, probe = probes(zoo.SMOOTH[name])
    for state in states(mj, (0, 1)):
        passive(probe, state)


def of_frames(probe):
    return [n for n in probe.sim.leaves if n.startswith(("body_pos", "body_quat", "jnt_pos", "jnt_axis", "site"))]


@pytest.mark.parametrize("name", [n for n in zoo.SMOOTH if n.startswith("gravcomp")])
def test_compensation_of_gravity(probes, name):
    """Where it is passive, and where it is the actuators', so that joints' limits may cut it off."""
    mj, probe = probes(zoo.SMOOTH[name])
    for state in states(mj, (0, 1)):
        case = p.Case(probe, state)
        z = case.rng.normal(size=case.model.nv)

        def forward(case=case, z=z):
            case.run(p.TERMS)
            d = case.sim.data
            return float(-z @ (d.qfrc_passive[0] + d.qfrc_actuator[0]))

        case.set()
        case.run(p.TERMS)
        probe.clear()
        probe.column("z")[:] = z
        case.run(p.GRAVCOMP_VJP, p.PASSIVE_VJP, p.ACTUATION_VJP, p.TREE_LEAVES_VJP)
        assert (probe.bar("body_mass") != 0).tolist() == (case.model.body_gravcomp != 0).tolist()
        names = ("qpos", "qvel", "ctrl", "body_mass", "gravity", "dof_damping", "actuator_gear", *of_frames(probe))
        case.compare(forward, {n: probe.bar(n) for n in names if np.size(probe.bar(n))})


@pytest.mark.parametrize("angle", (0.0, 1e-14, 1e-9, 1e-4, 1.001e-3, 1.5, 3.1, 3.14))
def test_passive_of_a_ball_at_an_angle(probes, angle):
    mj, probe = probes(zoo.SMOOTH["ball spring"])
    qpos = np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * np.array([0.6, 0, -0.8])])
    passive(probe, (qpos, np.zeros(3), [], []))


def actuation(probe, state, side=0, names=None):
    case = p.Case(probe, state)
    m = case.model
    z, force_bar, dot_bar = (case.rng.normal(size=n) for n in (m.nv, m.nu, m.na))

    def forward():
        case.run(p.TERMS)
        d = case.sim.data
        return float(-z @ d.qfrc_actuator[0] + force_bar @ d.actuator_force[0] + dot_bar @ d.act_dot[0])

    case.set()
    probe.clear()
    probe.column("z")[:] = z
    probe.g["force_bar"][: m.nu] = force_bar
    case.run(*FORCES)
    case.sim.data.act_dot[0] = dot_bar
    case.run(p.ACT_DOT_VJP)
    names = names or ("qpos", "qvel", "act", "ctrl", "actuator_gear", "actuator_gainprm", "actuator_biasprm")
    return case.compare(forward, {n: probe.bar(n) for n in names}, side=side)


SERVOS = (
    '<orientation joint="j" kp="3" kv=".2"/><orientation joint="j" kp="2" kv=".1" input="quat"/>'
    '<general joint="j" gaintype="so3" biastype="so3" gainprm="2" biasprm=".1 -2 -.1" dyntype="integrator"/>'
)


@pytest.mark.parametrize("name", DRIVEN)
def test_actuation(probes, name):
    mj, probe = probes(zoo.SMOOTH[name])
    for state in states(mj, (0, 1, 2)):
        actuation(probe, state)


def test_muscles(probes):
    """Lengths and velocities on every piece of their curves, controls and states on either side of both ends."""
    mj, probe = probes(zoo.MUSCLES["muscles on joints"])
    for seed in range(8):
        actuation(probe, zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.7))


def test_motors(probes):
    """Voltages, currents and setpoints that are clamped and that are not; bristles either way and at rest."""
    mj, probe = probes(zoo.MOTORS.replace(' delay=".01" nsample="3"', ""))
    for seed in range(4):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.7)
        actuation(probe, state)
    actuation(probe, (state[0], np.zeros(mj.nv), *state[2:]), names=("qpos", "act", "ctrl", "actuator_gainprm"))


@pytest.mark.parametrize("clamped", (False, True), ids=("free", "clamped"))
def test_orientations(probes, clamped):
    """Errors up to half a turn, forces within their range and beyond, controls and states many turns away."""
    mj, probe = probes(zoo.actuated(zoo.BALL, SERVOS.replace("/>", ' forcerange="0 .4"/>') if clamped else SERVOS))
    for seed, turns in ((0, 1), (1, 1), (2, 9)):
        qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 1.2)
        actuation(probe, (qpos, qvel, turns * act, turns * ctrl))


@pytest.mark.parametrize(("angle", "wanted"), [
    (0.0, 0.0), (1e-14, 0.0), (1e-9, 1e-4), (1.001e-3, 0.0), (0.3, -3.1), (1.5, -1.64), (3.14, 0.0),
    (0.0, 6.28318), (1e-4, 6.2831853),
])  # fmt: skip
def test_orientations_at_an_angle(probes, angle, wanted):
    """No error, almost half a turn to either side, no turn and a whole one wanted."""
    mj, probe = probes(zoo.actuated(zoo.BALL, SERVOS))
    axis = np.array([0.6, 0, -0.8])
    qpos = np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * axis, [0.2]])
    aimed = np.concatenate([[np.cos(wanted / 2)], np.sin(wanted / 2) * axis])
    ctrl = np.concatenate([wanted * axis, 3 * aimed, [0.1, 0.2, -0.3]])
    actuation(probe, (qpos, np.array([0.3, -0.2, 0.5, 0.1]), wanted * axis, ctrl))


@pytest.mark.parametrize("end", (0, 1), ids=("lower", "upper"))
def test_control_exactly_at_its_limit(probes, end):
    """The derivative there is that of the inner side."""
    mj, probe = probes(zoo.actuated(zoo.HINGE, '<motor joint="k" ctrlrange="-1 2" gear="1.5"/>'))
    state = mj.qpos0, np.zeros(mj.nv), np.zeros(0), mj.actuator_ctrlrange[:, end]
    case = p.Case(probe, state)
    case.direction = lambda name: np.ones(1)
    case.set()
    case.run(p.TERMS)
    case.set()
    probe.clear()
    probe.column("z")[:] = 1
    case.run(p.ACTUATION_VJP)

    def forward():
        case.run(p.TERMS)
        return float(-case.sim.data.qfrc_actuator[0].sum())

    case.compare(forward, {"ctrl": probe.bar("ctrl")}, side=(1, -1)[end])


def rnea(probe, state, applied):
    case = p.Case(probe, state, applied=applied)
    m = case.model
    z = case.rng.normal(size=m.nv)

    def forward():
        case.run(p.TERMS)
        d = case.sim.data
        xfrc = d.qfrc_smooth[0] - (d.qfrc_passive[0] - d.qfrc_bias[0] + d.qfrc_actuator[0] + d.qfrc_applied[0])
        return float(z @ (probe.column("ma") + d.qfrc_bias[0] - xfrc))

    case.set()
    case.run(p.TERMS)
    probe.clear()
    probe.column("z")[:] = z
    case.run((p.MOTIONS, 0))
    if applied:
        case.run(p.APPLIED_VJP)
    case.run((p.RNEA_VJP, 0))
    frames = [n for n in case.sim.leaves if n.startswith("body")]
    names = ("qpos", "qvel", "body_mass", "body_inertia", "dof_armature", "gravity", *frames)
    bars = {n: probe.bar(n) for n in (*names, *["xfrc_applied"] * applied)}
    case.compare(forward, bars)
    if applied:  # qfrc enters as it is
        np.testing.assert_array_equal(probe.g["qfrc_bar"][: m.nv], -z)


@pytest.mark.parametrize("applied", (False, True), ids=("rnea", "xfrc"))
@pytest.mark.parametrize("name", zoo.SMOOTH)
def test_rnea_and_xfrc(probes, name, applied):
    """z . (M a + bias) and, with applied wrenches, - z . J^T xfrc."""
    mj, probe = probes(zoo.SMOOTH[name])
    for state in states(mj, (0,)):
        rnea(probe, state, applied)


FLUID_BARS = ("qpos", "qvel", "body_mass", "body_inertia", "gravity")


def drag(probe, state):
    """z . (M a + bias - passive) at a state, and its adjoints: drag has those of bodies' motions, which RNEA's turns
    into those of the state."""
    case = p.Case(probe, state)
    z = case.rng.normal(size=case.model.nv)

    def forward():
        case.run(p.TERMS)
        d = case.sim.data
        return float(z @ (probe.column("ma") + d.qfrc_bias[0] - d.qfrc_passive[0]))

    case.set()
    case.run(p.TERMS)
    probe.clear()
    probe.column("z")[:] = z
    case.run((p.MOTIONS, 0), p.PASSIVE_VJP, p.FLUID_VJP, (p.RNEA_VJP, 0))
    return case, forward, {n: probe.bar(n) for n in FLUID_BARS}


@pytest.mark.parametrize("name", ["fluid", "ellipsoids in a fluid"])
def test_fluid(probes, name):
    mj, probe = probes(zoo.SMOOTH[name])
    for state in states(mj, (0, 1)):
        case, forward, bars = drag(probe, state)
        case.compare(forward, bars)


@pytest.mark.parametrize("name", ["fluid", "ellipsoids in a fluid"])
def test_fluid_at_rest(probes, name):
    """|v| v is flat there: density does nothing, and the derivative is viscosity's."""
    still = zoo.SMOOTH[name].replace('wind=".4 -.2 .1"', "")
    mj, probe = probes(still)
    thin = probes(still.replace('density="200"', ""))[1]
    for qpos, qvel, act, ctrl in states(mj, (0,)):
        state = qpos, 0 * qvel, act, ctrl
        dense = drag(probe, state)[2]
        case, forward, bars = drag(thin, state)
        case.compare(forward, bars)
        for name in FLUID_BARS:
            np.testing.assert_allclose(dense[name], bars[name], rtol=1e-12, atol=1e-12)


PULLED = zoo.TENDONS | zoo.ARMS | zoo.MUSCLES | {"adhesion": zoo.adhesive()}
PULLED["orientations"] = re.sub(' delay="[^"]*" nsample="[^"]*" interp="[^"]*"', "", zoo.ORIENTED)


@pytest.mark.parametrize("name", [n for n in PULLED if n != "muscles on joints"])
def test_tendons_and_arms(probes, name):
    """z . (M a + bias - passive - actuator forces): lengths, springs, dampers, armature and actuators together."""
    mj, probe = probes(PULLED[name])
    kinks = name in zoo.MUSCLES or name in ("adhesion", "orientations")  # which are at rest
    rest, kick = ([], 0.15 if name == "adhesion" else 0.7) if kinks else (list(states(mj, ())), 0.7)
    for state in [*(zoo.random_state(mujoco, mj, np.random.default_rng(seed), kick) for seed in (0, 1)), *rest]:
        case = p.Case(probe, state)
        z, force_bar = case.rng.normal(size=case.model.nv), case.rng.normal(size=case.model.nu)

        def forward(case=case, z=z, force_bar=force_bar):
            case.run(p.TERMS)
            d = case.sim.data
            forces = d.qfrc_bias[0] - d.qfrc_passive[0] - d.qfrc_actuator[0]
            return float(z @ (probe.column("ma") + forces) + force_bar @ d.actuator_force[0])

        case.set()
        case.run(p.TERMS)
        probe.clear()
        probe.column("z")[:] = z
        probe.g["force_bar"][: case.model.nu] = force_bar
        case.run((p.MOTIONS, 0), p.PASSIVE_VJP, p.ACTUATION_VJP, (p.TENDON_VJP, 0), (p.RNEA_VJP, 0), p.TREE_LEAVES_VJP)
        names = ["qpos", "qvel", "act", "ctrl", *(n for n in case.sim.params if n[:4] in ("tend", "wrap", "actu"))]
        names += of_frames(probe)
        case.compare(forward, {n: probe.bar(n) for n in names if np.size(probe.bar(n)) and n != "tendon_frictionloss"})


SLIDES = "".join(f'<joint type="slide" axis="{axis}"/>' for axis in ("1 0 0", "0 1 0", "0 0 1"))
DEGENERATE = zoo.model(
    '<geom name="ball" size=".1"/><geom name="post" type="cylinder" size=".1 .3"/><site name="in"/>'
    + "".join(f'<body>{SLIDES}<geom size=".1" mass="1"/><site name="{name}"/></body>' for name in "pq"),
    "<tendon>" + "".join(f'<spatial stiffness="3" springlength=".1">{zoo.path_of(path)}</spatial>' for path in (
        "p q", "p ball q", "p post q", "p ball:in q", "p post:in q")) + "</tendon>",
)  # fmt: skip


@pytest.mark.parametrize("places", [
    (0.05, 0, 0, 1, 0, 0), (0.1, 0, 0, 0, 1, 0), (0.5, 0, 0, -0.5, 0, 0), (0.5, 0, 0, 0.5, 0, 0),
    (0, 0, 0.5, 0, 0, -0.5), (0, 0, 0, 0.5, 0, 0), (0.1, 0, 0, 0.1, 0, 0), (0.3, 0, 0, 0.5, 0, 0),
], ids=["inside", "on it", "opposite", "one place", "on the axis", "centre", "on it both", "on one line"])  # fmt: skip
def test_where_a_path_has_no_derivative(probes, places):
    """A site in or on what the tendon goes round, or in line with it: MuJoCo's lengths, and a finite adjoint."""
    mj, probe = probes(DEGENERATE)
    data = mujoco.MjData(mj)
    data.qpos[:] = places
    mujoco.mj_forward(mj, data)
    case = p.Case(probe, (np.array(places), np.full(6, 0.1), np.zeros(0), np.zeros(0)))
    case.set()
    case.run(p.TERMS)
    np.testing.assert_allclose(case.sim.data.ten_length[0], data.ten_length, rtol=1e-12, atol=1e-12)
    probe.clear()
    probe.column("z")[:] = case.rng.normal(size=6)
    case.run((p.MOTIONS, 0), p.PASSIVE_VJP, (p.TENDON_VJP, 0), (p.RNEA_VJP, 0))
    assert np.abs(probe.bar("qpos")).max() < 1e6
