"""The integrator discrete: steps, rows and accelerations against MuJoCo's, gradients against differences, what it
refuses, and that robots without it have nothing of it."""

import mujoco
import numpy as np
import pytest

from engine import Simulator, Tape
from engine.compiler.features import features_of
from engine.model import load
from engine.model.constants import DISCRETE
from engine.model.flows import simple_bodies
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.physics.random_robots import Robot
from tests.physics.reference import gymnasium_asset
from tests.physics.test_integrators import MODELS, difference
from tests.physics.test_random_robots import check_gradient, check_motion

QUICK = {
    "trees", "position", "polynomial ball spring", "early activation", "servo on ball", "limits on joints",
    "ball limit",
    "friction and limits", "several equalities", "tendon motors", "tendon limited actuators", "paths that follow",
    "lone free bodies", "ellipsoids in a fluid", "muscles along paths", "reference sites", "arms of limited joints",
}  # fmt: skip
ALL = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in MODELS]

# Stiff servos, springs and dampers, a limit and a contact, at 10 ms: what no other integrator steps through.
STIFF = """<mujoco><option timestep="0.01" integrator="discrete" {option}/>
<worldbody><geom type="plane" size="3 3 .1" {contact}/>
<body pos="0 0 .35"><freejoint/><geom type="sphere" size=".2" mass="3" {contact}/>
<body pos=".2 0 .1"><joint name="a" axis="0 1 0" stiffness="900" damping="1"/>
<geom type="capsule" size=".04" fromto="0 0 0 .3 0 0" mass=".4"/>
<body pos=".3 0 0"><joint name="b" axis="0 1 0" limited="true" range="-.3 .2" {limit}/>
<geom type="capsule" size=".03" fromto="0 0 0 .3 0 -.1" mass=".2"/></body></body></body></worldbody>
<tendon><fixed name="t" stiffness="300" damping=".3" springlength="-.05">
<joint joint="a" coef="1"/><joint joint="b" coef="-.7"/></fixed>
</tendon>
<actuator><position joint="b" kp="2000" kv="2"/><position tendon="t" kp="400" kv=".5"/><motor joint="a"/>
</actuator></mujoco>"""
ROWS = {
    "usual": {},
    "hard": {"contact": 'solref=".001 1"', "limit": 'solreflimit=".002 .6"'},
    "harder than any step": {"contact": 'solref="-1e5 -400"', "limit": 'solreflimit="-9e4 -90"'},
    "as given": {"option": "><flag refsafe='disable'/></option><option", "contact": 'solref=".003 1"'},
    "greatest impedance": {"contact": 'solimp=".9999 .9999 .001"', "limit": 'solimplimit=".9999 .9999 .01"'},
    "rolling": {"contact": 'condim="6" friction=".7 .02 .01"'},
    "margins": {"contact": 'margin=".02"', "limit": 'margin=".1" solimplimit=".5 .95 .05"'},
}  # fmt: skip


def stiff(name, cone):
    words = {"option": "", "contact": "", "limit": "", **ROWS[name]}
    text = STIFF.format(**words)
    return text.replace('integrator="discrete"', f'integrator="discrete" cone="{cone}"', 1)


def steps_apart(mj, sim, states, steps=1):
    """The largest error of accelerations and of steps from these states, that of forces, and the most rows met.
    MuJoCo starts from our accelerations, since with curved cones its solver, from elsewhere, stops at 1e-8 of them."""
    data, worst, forces, met = mujoco.MjData(mj), 0.0, 0.0, 0
    for qpos, qvel, act, ctrl in states:
        mujoco.mj_resetData(mj, data)
        data.qpos[:], data.qvel[:], data.act[:], data.ctrl[:] = qpos, qvel, act, ctrl
        for _ in range(steps):
            sim.reset(data.qpos, data.qvel)
            sim.data.act[0], sim.data.ctrl[0] = data.act, data.ctrl
            sim.forward()
            data.qacc_warmstart[:] = sim.data.qacc[0]
            mujoco.mj_forward(mj, data)
            met = max(met, data.nefc)
            worst = max(worst, apart(sim, data, "qacc"))
            forces = max(forces, apart(sim, data, "qfrc_constraint"), apart(sim, data, "qfrc_smooth"))
            data.qacc_warmstart[:] = sim.data.qacc[0]
            mujoco.mj_step(mj, data)
            sim.step()
            worst = max(worst, difference(sim, data))
    return worst, forces, met


def apart(sim, data, name):
    ours, theirs = getattr(sim.data, name)[0], getattr(data, name)
    return np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max())


@pytest.mark.parametrize("name", ALL)
def test_steps_are_mujocos(simulators, name):
    mj, sim = simulators(MODELS[name], DISCRETE)
    rng = np.random.default_rng(0)
    worst, forces, _ = steps_apart(mj, sim, [zoo.random_state(mujoco, mj, rng, 1.0, 4.0) for _ in range(8)])
    print(worst, forces)
    assert max(worst, 0.01 * forces) < (1e-7 if name.removeprefix("tendon ") in zoo.WITHIN else 1e-12)


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize("name", ROWS)
def test_stiff_rows(simulators, name, cone):
    """Rows that the step resolves, and that it does not."""
    mj, sim = simulators(stiff(name, cone))
    rng = np.random.default_rng(1)
    worst, forces, met = steps_apart(mj, sim, [landed(mj, rng) for _ in range(4)], 12)
    print(worst, forces, met)
    assert met >= 4
    assert max(worst, 0.01 * forces) < 1e-12


def landed(mj, rng):
    qpos, qvel, act, ctrl = zoo.random_state(mujoco, mj, rng, 0.2, 1.0)
    qpos[:3] = 0, 0, 0.195
    return qpos, qvel, act, ctrl


TURNS = [(name, cone) for name in ROWS for cone in zoo.CONES]  # the quick tests take every other one


@pytest.mark.parametrize(("name", "cone"), [
    pytest.param(*case, marks=() if k % 4 in (0, 3) else pytest.mark.slow) for k, case in enumerate(TURNS)
])  # fmt: skip
def test_gradients_of_stiff_robots(simulators, name, cone):
    """Of all parameters: kp, kv, stiffness and damping stand in the metric, the solver's D and the forces."""
    mj, sim = simulators(stiff(name, cone))
    off_kinks(sim)
    for seed, steps in ((2, 1), (3, 12)):
        state = landed(mj, np.random.default_rng(seed))
        rollout = Rollout(sim, mj, state, steps, seed=seed)
        # at the greatest impedance that there is, beyond which nothing changes
        held = {n for n in rollout.params if n.endswith("solimp") and name == "greatest impedance"}
        names = [n for n in (*rollout.inputs, *rollout.params) if n not in KINKED | held]
        assert_gradients(rollout.errors(names))


KINKED = {"dof_frictionloss"}  # of a lone free body the first bit of friction ends what turns it


@pytest.mark.parametrize("name", ALL)
def test_gradients(simulators, name):
    mj, sim = simulators(MODELS[name], DISCRETE)
    off_kinks(sim)
    for steps in (1, 8):
        state = zoo.random_state(mujoco, mj, np.random.default_rng(steps), 0.4)
        rollout = Rollout(sim, mj, state, steps, seed=steps, applied=True)
        names = [n for n in (*rollout.inputs, *rollout.params) if not (n in KINKED and (mj.jnt_type == 0).any())]
        assert_gradients(rollout.errors(names))


def off_kinks(sim):
    """Gains and dampings of exactly zero have a derivative to either side (constraint/metric.py)."""
    for name, value in (("tendon_damping", 0.1), ("tendon_stiffness", 0.2), ("jnt_stiffness", 0.1)):
        x = sim.params[name]
        x[x == 0] = value
    x = sim.params.actuator_biasprm[..., 1:]
    x[x == 0] = -0.05


def test_from_rest(simulators):
    mj, sim = simulators(stiff("usual", "elliptic"))
    off_kinks(sim)
    state = mj.qpos0, np.zeros(mj.nv), np.zeros(mj.na), np.zeros((3, mj.nu))
    rollout = Rollout(sim, mj, state, 3)
    assert_gradients(rollout.errors([n for n in (*rollout.inputs, *rollout.params) if n not in KINKED]))


def test_a_gain_of_zero_has_half_of_each_side(simulators):
    """As a central difference of max(0, gain) has it."""
    mj, sim = simulators(MODELS["motor"], DISCRETE)
    start = sim.params.actuator_biasprm.copy()

    def end(x):
        sim.params.actuator_biasprm[...] = start
        sim.params.actuator_biasprm[0, 1] = x
        sim.reset(qvel=np.full(mj.nv, 2.0))
        sim.data.ctrl[0] = 0.3
        sim.step()
        return float(sim.data.qvel[0, 0])

    def sided(side):
        eps = side * 1e-6
        return (4 * end(eps) - 3 * end(0.0) - end(2 * eps)) / (2 * eps)

    end(0.0)
    left, right = sided(-1), sided(1)
    assert abs(left - right) > 1e-3 * max(abs(left), abs(right))
    sim.params.actuator_biasprm[...] = start
    sim.reset(qvel=np.full(mj.nv, 2.0))
    tape = Tape(sim, 1)
    tape.rollout(np.full((1, 1, mj.nu), 0.3))
    bar = np.zeros((2, 1, mj.nv))
    bar[1, 0, 0] = 1.0
    found = tape.backward(qvel=bar).model["actuator_biasprm"][0, 1]
    assert found == pytest.approx(0.5 * (left + right), rel=1e-6)


def test_linearize(simulators):
    mj, sim = simulators(stiff("usual", "pyramidal"))
    qpos, qvel, act, ctrl = landed(mj, np.random.default_rng(4))
    sim.reset(qpos, qvel)
    sim.data.ctrl[0] = ctrl
    A, B = sim.linearize()
    data, n = mujoco.MjData(mj), 2 * mj.nv
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, ctrl
    a, b = np.zeros((n, n)), np.zeros((n, mj.nu))
    mujoco.mjd_transitionFD(mj, data, 1e-7, True, a, b, None, None)
    assert np.abs(A[0] - a).max() < 1e-6 * np.abs(a).max()
    assert np.abs(B[0] - b).max() < 1e-6 * np.abs(b).max()


@pytest.mark.parametrize("seed", (0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 40))))
def test_random_robots(simulators, seed):
    """Of which test_random_robots.py has some with this integrator: here all have it."""
    mj, sim = simulators(Robot(seed).xml, DISCRETE)
    check_motion(mj, sim, seed)
    check_gradient(mj, sim, seed)


@pytest.mark.slow
@pytest.mark.parametrize("cone", zoo.CONES)
def test_without_slip(simulators, cone):
    """Forward only. MuJoCo's sweeps take its metric without what tendons and actuators couple."""
    text = stiff("usual", cone).replace("<option ", '<option noslip_iterations="5" noslip_tolerance="0" ')
    mj, sim = simulators(text)
    rng = np.random.default_rng(1)
    worst, forces, met = steps_apart(mj, sim, [landed(mj, rng) for _ in range(4)], 12)
    print(worst, forces, met)
    assert met >= 4
    assert max(worst, 0.01 * forces) < (1e-12 if cone == "pyramidal" else 1e-9)
    with pytest.raises(ValueError, match="noslip_iterations = 5 has no gradient"):
        Tape(sim, 1)


PULLED = """<mujoco><worldbody><geom type="plane" size="1 1 .1"/><body name="b" pos="0 0 .1"><freejoint/>
<geom size=".1"/></body></worldbody>
<actuator><general body="b" biastype="affine" biasprm="0 0 -1"/></actuator></mujoco>"""


def test_simple_bodies():
    """Whose drag has the diagonal alone: those that MuJoCo's compiler takes for simple."""
    seen = set()
    for text in (PULLED, *(Robot(seed).xml for seed in range(20))):
        mj = mujoco.MjModel.from_xml_string(text)
        moves = mj.body_dofnum > 0
        np.testing.assert_array_equal(simple_bodies(mj)[moves], mj.body_simple[moves] > 0)
        seen |= set((mj.body_simple[moves] > 0).tolist())
    assert seen == {False, True}


def test_stands_where_others_fall_over(simulators):
    """Servos and springs far beyond what a step of 10 ms can resolve; nothing grows."""
    mj, sim = simulators(stiff("usual", "elliptic"))
    sim.reset()
    sim.step(300)
    assert np.abs(sim.data.qvel).max() < 0.5
    other = mujoco.MjModel.from_xml_string(stiff("usual", "elliptic"))
    other.opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    data = mujoco.MjData(other)
    for _ in range(300):
        mujoco.mj_step(other, data)
    assert data.warning.number.any() or np.abs(data.qvel).max() > 5


def test_nobody_else_has_any_of_it():
    assert "discrete" in features_of(load(stiff("usual", "elliptic")))
    usual = stiff("usual", "elliptic").replace('integrator="discrete"', 'integrator="implicitfast"')
    assert "discrete" not in features_of(load(usual))


def test_written_and_read_again():
    model = load(stiff("usual", "elliptic"))
    assert load(model.to_mjcf()).opt.integrator == DISCRETE


def humanoid(integrator, timestep):
    """Gymnasium's humanoid with stiff, hardly damped position servos in the place of its motors."""
    spec = mujoco.MjSpec.from_file(gymnasium_asset("humanoid"))
    for drive in spec.actuators:
        drive.gainprm[0], drive.biastype = 1000.0, mujoco.mjtBias.mjBIAS_AFFINE
        drive.biasprm[1], drive.biasprm[2] = -1000.0, -10.0
        drive.gear[0], drive.ctrllimited = 1.0, 0
    mj = spec.compile()
    mj.opt.timestep, mj.opt.integrator, mj.opt.solver = timestep, integrator, mujoco.mjtSolver.mjSOL_NEWTON
    return mj


def waves(mj, steps):
    rng = np.random.default_rng(0)
    size, rate = rng.uniform(-0.4, 0.4, mj.nu), rng.uniform(1.0, 4.0, mj.nu)
    return (size * np.sin(rate * mj.opt.timestep * np.arange(steps)[:, None]))[:, None]


@pytest.mark.slow
def test_a_humanoid_at_10_ms():
    """Joints as fast as at 1 ms, where implicitfast shakes; a third of the steps of 3 ms and of a tape's bytes."""
    def fastest(integrator, timestep):
        mj = humanoid(integrator, timestep)
        sim = Simulator(load(mj))
        steps = round(3 / timestep)
        tape = Tape(sim, steps, memory="4GiB")
        qvel = tape.rollout(waves(mj, steps)).qvel[:, 0, 6:]
        return np.abs(qvel[steps // 3 :]).max(), tape.bytes - tape.fixed_bytes

    true, _ = fastest(3, 0.001)
    usual, most = fastest(3, 0.003)
    shaking, _ = fastest(3, 0.01)
    stiff, least = fastest(DISCRETE, 0.01)
    print(f"{true:.1f} {usual:.1f} {shaking:.1f} {stiff:.1f} rad/s, {most / 1e6:.2f} {least / 1e6:.2f} MB")
    assert shaking > 1.6 * true and abs(stiff - true) < 0.2 * true
    assert most > 3 * least


@pytest.mark.slow
def test_gradient_of_a_humanoid_at_10_ms(simulators):
    mj = humanoid(DISCRETE, 0.01)
    model = load(mj)
    model.opt.tolerance = 1e-14
    sim = Simulator(model)
    state = mj.qpos0, np.zeros(mj.nv), np.zeros(mj.na), waves(mj, 30)[:, 0]
    rollout = Rollout(sim, mj, state, 30)
    names = [n for n in (*rollout.inputs, *rollout.params) if n in ("qvel0", "ctrl", "actuator_biasprm", "dof_damping")]
    assert names
    assert_gradients(rollout.errors(names))
