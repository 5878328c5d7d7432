"""Two hundred valid files and as many mutated ones, of which `python -m tests.random_files` has more; whether the judge
sees what is wrong."""

import mujoco
import numpy as np
import pytest

import engine
from engine.model import constants as c
from engine.model.delays import sensor_columns
from engine.model.pairs import SUPPORTED
from engine.model.sensors import RANGE_BITS
from tests import zoo
from tests.gradients.differences import Rollout
from tests.gradients.test_smooth import assert_gradients
from tests.physics.reference import BEFORE_4, set_reference
from tests.physics.test_convex import FINE
from tests.physics.test_parity import touching_states
from tests.random_files import gradients, judge, rk4, touching
from tests.random_files.measured import told_right
from tests.random_files.robots import AnyRobot
from tests.random_files.run import MUTATED, VALID, text_of

SEED, COUNT, PIECES = 11, 200, 8
pytestmark = pytest.mark.skipif(BEFORE_4, reason="random files are compared with MuJoCo 4.0 or later")


@pytest.fixture(autouse=True)
def silent(tmp_path, monkeypatch):
    """MuJoCo writes its warnings to a file where it runs."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("kind", (VALID, MUTATED))
def test_files(kind, piece):
    outcomes, wrong = {}, []
    for number in range(piece, COUNT, PIECES):
        verdict = judge.judged(text_of(kind, number, SEED))
        outcomes[verdict.outcome] = outcomes.get(verdict.outcome, 0) + 1
        if verdict.outcome == judge.WRONG:
            wrong.append(f"--seed {SEED} --first {number} --{kind} 1: {verdict.detail}")
    print(outcomes)
    assert not wrong, "\n".join(wrong)
    assert outcomes.get(judge.SAME, 0) > COUNT / PIECES * {VALID: 0.4, MUTATED: 0.05}[kind]


FALLEN = """<mujoco><option timestep="0.004"/><asset><mesh name="m"
vertex=".1 0 0 0 .1 0 0 0 .1 -.1 0 0 0 -.1 0 .01 .02 -.1"/></asset><worldbody>
<geom type="plane" size="2 2 .1"/><body pos="0 0 .06"><freejoint/><geom type="mesh" mesh="m"/><site name="s"/></body>
<body pos=".15 0 .09"><joint type="slide" axis="0 0 1"/><joint name="h" axis="0 1 .2" damping=".1"/>
<geom type="box" size=".1 .08 .05"/></body></worldbody>
<actuator><position joint="h" kp="3"/></actuator><sensor><accelerometer site="s"/></sensor></mujoco>"""
FAULTS = {
    "mass": lambda m: m.body_mass.__setitem__(1, m.body_mass[1] * (1 + 1e-6)),
    "damping": lambda m: m.dof_damping.__imul__(1 + 1e-4),
    "friction": lambda m: m.geom_friction.__imul__(1.01),
    "hull": lambda m: m.hull_vert.__imul__(1 + 1e-3),
    "pairs": lambda m: m.geom_margin.__iadd__(0.02),
    "gain": lambda m: m.actuator_gainprm.__imul__(1 + 1e-6),
    "reference": lambda m: m.geom_solref.__imul__(1.001),
    "axis": lambda m: m.site_quat.__setitem__(0, (0, 1, 0, 0)),
}


def test_the_judge_takes_a_robot_for_itself():
    assert judge.judged(FALLEN) == judge.Verdict(judge.SAME)


BLOCK = '<geom type="box" size=".1 .2 .15" contype="0" conaffinity="0"/>'
FOUND = {  # what random files have found, as small as it gets
    "frames that slide alike": f"""<mujoco><worldbody><body name="a"><joint type="slide" axis="0 1 1"/>{BLOCK}
<body name="b" pos=".3 0 0" euler="10 0 30">{BLOCK}<site name="s"/></body></body></worldbody>
<equality><connect body1="a" body2="b" anchor=".1 0 0"/>
<weld body1="a" body2="b" relpose="0 .1 0 .8 .6 0 0"/></equality>
<sensor><force site="s"/><torque site="s"/></sensor></mujoco>""",
    "several turns in a step of RK4": f"""<mujoco><option timestep="5" integrator="RK4"/><worldbody><body>
<joint type="ball" pos="0 0 .1" damping="1"/>{BLOCK}</body></worldbody></mujoco>""",
    "a motor where nothing moves": f"""<mujoco><worldbody><body>{BLOCK}<site name="s"/></body></worldbody>
<actuator><motor site="s" gear="0 0 1 0 0 0"/></actuator></mujoco>""",
    "surfaces that move, of meshes": """<mujoco><option timestep="0.004"/><asset><mesh name="m"
vertex=".1 0 0 0 .1 0 0 0 .1 -.1 0 0 0 -.1 0 .01 .02 -.1"/></asset><worldbody><geom type="plane" size="2 2 .1"/>
<body pos="0 0 .06"><freejoint/><geom type="mesh" mesh="m" surfacevel=".5 .2 -.3 1 2 -1" condim="4"/></body>
<body pos=".05 .02 .2"><freejoint/><geom type="ellipsoid" size=".1 .07 .09"/></body></worldbody></mujoco>""",
    "friction of a motor beside its tendon's limit": f"""<mujoco><option integrator="implicitfast"/><worldbody><body>
<joint name="a" axis="0 1 0"/>{BLOCK}<body pos=".3 0 0"><joint name="b" axis="0 1 0"/>{BLOCK}</body></body></worldbody>
<tendon><fixed name="t" actuatorfrcrange="-.6 .4"><joint joint="a" coef="1"/><joint joint="b" coef="-.5"/></fixed>
</tendon><actuator><position tendon="t" kp="20" kv=".5"/><dcmotor tendon="t" motorconst=".3" resistance="2"
lugre="30 .4 .1 .2 .3" cogging=".3 3 .4"/></actuator></mujoco>""",
    "a joint that follows a hand's tendon": """<mujoco><worldbody><site name="w"/><body pos="0 0 1"><joint name="j"
axis="0 1 0"/><geom size=".1" pos=".2 0 0"/></body><body mocap="true"><geom size=".1" contype="0"/><site name="m"
pos=".1 0 .3"/></body></worldbody><tendon><fixed name="f"><joint joint="j" coef="1"/></fixed><spatial name="s"><site
site="w"/><site site="m"/></spatial></tendon><equality><tendon tendon1="f" tendon2="s" polycoef=".1 1 .5 0 0"/>
</equality></mujoco>""",
}


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found(name):
    assert judge.judged(FOUND[name]) == judge.Verdict(judge.SAME)


def test_gradients_of_what_was_found(simulators):
    """Of a mocap body's pose, of which a joint hears by nothing but the length of a tendon that no joint moves."""
    mj, sim = simulators(FOUND["a joint that follows a hand's tendon"])
    rollout = Rollout(sim, mj, (mj.qpos0, np.full(1, 0.1), np.zeros(0), np.zeros(0)), 3)
    assert_gradients(rollout.errors())
    assert np.abs(rollout.gradients().mocap_pos).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("seed", (2, 5))
def test_gradients_of_a_robot(seed):
    """By all inputs and parameters; `python -m tests.random_files.gradients` has more robots."""
    wrong, compared = gradients.judged(AnyRobot(seed).xml, seed)
    assert not wrong and len(compared) > 15, (wrong, compared)


@pytest.mark.parametrize("name", FAULTS)
def test_the_judge_sees(name, monkeypatch):
    """Each of them small, in a robot that stands on the floor."""
    load = engine.load

    def faulty(text):
        model = load(text)
        FAULTS[name](model)
        return model

    monkeypatch.setattr(judge.engine, "load", faulty)
    assert judge.judged(FALLEN).outcome == judge.WRONG


@pytest.mark.parametrize("integrator", ("Euler", "implicit", "RK4"))
def test_the_judge_sees_a_step(integrator, monkeypatch):
    """That is off by less than what MuJoCo's search moves contacts by."""
    step = engine.Simulator.step

    def faulty(sim):
        step(sim)
        sim.data.qvel[0] *= 1 + 1e-5

    xml = FALLEN.replace('timestep="0.004"', f'timestep="0.004" integrator="{integrator}"')
    assert judge.judged(xml) == judge.Verdict(judge.SAME)
    monkeypatch.setattr(engine.Simulator, "step", faulty)
    assert judge.judged(xml).outcome == judge.WRONG


LATE = """<mujoco><worldbody><body><freejoint/><geom name="a" type="ellipsoid" size=".1 .07 .05"/></body>
<body pos=".25 .1 .05" euler="20 40 10"><freejoint/><geom name="b" type="ellipsoid" size=".12 .05 .09"/></body>
</worldbody><sensor><clock interval=".008" nsample="3"/><normal geom1="a" geom2="b" cutoff="2" interval=".008"
nsample="2"/></sensor></mujoco>"""


def test_what_late_sensors_told_is_judged_by_the_shapes():
    """A normal along which two shapes are less far apart is no excuse for ours, only one of MuJoCo's."""
    mj, model = mujoco.MjModel.from_xml_string(LATE), engine.load(LATE)
    judge.exactly(mj)
    data, late, good = mujoco.MjData(mj), sensor_columns(model), np.zeros(model.na)
    mujoco.mj_forward(mj, data)
    last = (late["late_adr"] + late["late_num"])[1:] - 1
    good[last] = data.sensordata[1:]
    off = good.copy()
    off[last] += 1e-4 * np.array([0.3, -0.5, 0.8])
    off[last] /= np.linalg.norm(off[last])
    assert told_right(mj, data, model, good, off).sum() == 6
    assert not told_right(mj, data, model, off, good).any()


CORNERS = """<mujoco><worldbody><body pos="-.03660513 .02642802 .68712419"
quat=".197169178 .667180527 -.189095746 .692991528"><freejoint/><geom type="box" size=".14951 .090641 .099818"/></body>
<body pos=".25361325 .121591 .47609036" quat=".523577027 .333989631 -.631739756 .463921225"><freejoint/>
<geom type="box" size=".078776 .086937 .11388" margin=".018182"/></body></worldbody></mujoco>"""


def test_corners_that_only_the_broad_phase_parts(monkeypatch):
    """No axis of the two boxes parts them by the margin; another number of contacts is no tie."""
    assert "broad phase" in judge.judged(CORNERS).detail
    load = engine.load

    def faulty(text):
        model = load(text)
        model.geom_size[1] *= 1.001
        return model

    monkeypatch.setattr(judge.engine, "load", faulty)
    assert judge.judged(CORNERS).outcome == judge.WRONG


@pytest.mark.parametrize("kind", ("box", "capsule"))
def test_depths_along_normals_of_height_fields(kind):
    """Of the prism that a contact is one of."""
    mj = mujoco.MjModel.from_xml_string(zoo.touching("hfield", kind, 'margin=".03"', FINE))
    data, tried = mujoco.MjData(mj), 0
    for state in touching_states(mj, 20):
        set_reference(mj, data, state)
        for contact in data.contact:
            pair = touching.pair_of(contact.geom)
            depth = touching.depth_along(mj, data, pair, contact.frame[:3], contact.geom[0], contact.pos, contact.dist)
            assert abs(depth + contact.dist) < 1e-6
            tried += 1
    assert tried > 20


STATES = """<mujoco><option timestep="0.02" integrator="RK4"/><worldbody><body><joint name="j" axis="0 1 0"
damping="1"/><geom size=".1" pos="0 0 .2"/></body></worldbody><actuator><dcmotor joint="j" motorconst=".3"
resistance="2" input="voltage" inductance="0 .06" thermal="2 .05 0 .02 20 30" lugre="30 .4 .1 .2 .3"/>
<general joint="j" dyntype="filterexact" dynprm=".05"/><general joint="j" dyntype="integrator"
actlimited="true" actrange="-.1 .41"/></actuator></mujoco>"""


@pytest.mark.parametrize("text", (FOUND["several turns in a step of RK4"], STATES))
def test_stages_are_those_of_mujoco(text):
    mj = mujoco.MjModel.from_xml_string(text)
    data, stage, start, rates = mujoco.MjData(mj), mujoco.MjData(mj), mujoco.MjData(mj), [None]
    data.qvel[:] = (1.3, -0.8, 0.4)[: mj.nv]
    data.ctrl[:], data.act[:] = 0.7, 0.4
    mujoco.mj_forward(mj, data)
    mujoco.mj_copyData(start, mj, data)
    for share in rk4.SHARES:
        mujoco.mj_copyData(stage, mj, data)
        if share:
            rk4.further(mj, stage, rates[-1], share * mj.opt.timestep)
        mujoco.mj_forward(mj, stage)
        rates.append(rk4.rates_of(mj, stage, rates[-1], share * mj.opt.timestep))
    act = rk4.act_after(mj, start, rk4.mean(rates[1:])[2])
    mujoco.mj_copyData(stage, mj, data)
    rk4.further(mj, stage, rk4.mean(rates[1:]), mj.opt.timestep)
    mujoco.mj_step(mj, data)
    np.testing.assert_allclose(stage.qpos, data.qpos, atol=1e-12)
    np.testing.assert_allclose(stage.qvel, data.qvel, atol=1e-12)
    np.testing.assert_allclose(act, data.act, atol=1e-12)
    assert (np.abs(data.act - start.act) > 1e-3).all()


@pytest.mark.parametrize(("fault", "says"), [
    (KeyError("x"), "load: KeyError"), (ValueError("no"), "MuJoCo compiles it"), (engine.ModelError("bad"), "bad")
])  # fmt: skip
def test_the_judge_asks_for_refusals_by_name(fault, says, monkeypatch):
    def refuse(text):
        raise fault

    monkeypatch.setattr(judge.engine, "load", refuse)
    verdict = judge.judged(FALLEN)
    assert verdict.outcome == judge.WRONG and says in verdict.detail


def test_robots_use_everything():
    """Of what the engine has, these robots leave nothing out."""
    found = [judge.MjOf(AnyRobot(seed).xml).mj for seed in range(60)]
    models = [mj for mj in found if mj is not None]  # seldom there is something that MuJoCo refuses
    assert len(models) > 50
    pairs = set()
    for m in models:
        kinds = m.geom_type[[g for g in range(m.ngeom) if m.geom_contype[g] and m.geom_conaffinity[g]]]
        pairs |= {tuple(sorted((int(a), int(b)))) for a in kinds for b in kinds}
    assert pairs >= {pair for pair in SUPPORTED if not {c.PLANE, c.HFIELD} & {*pair}}
    sensors = np.concatenate([m.sensor_type for m in models])
    named = {mujoco.mjtSensor(kind).name.removeprefix("mjSENS_") for kind in sensors}
    assert {"GEOMDIST", "GEOMNORMAL", "GEOMFROMTO", "CONTACT", "RANGEFINDER"} <= named
    kind, camera = int(mujoco.mjtSensor.mjSENS_RANGEFINDER), int(mujoco.mjtObj.mjOBJ_CAMERA)
    ranging = [(m, s) for m in models for s in np.flatnonzero(m.sensor_type == kind)]
    assert {int(m.sensor_objtype[s]) for m, s in ranging} == {int(mujoco.mjtObj.mjOBJ_SITE), camera}
    told = np.bitwise_or.reduce([m.sensor_intprm[s, 0] for m, s in ranging])
    assert told == sum(RANGE_BITS.values()) and any(m.sensor_dim[s] > 30 for m, s in ranging)
    assert any(m.nmocap for m in models) and any(m.nkey for m in models) and any(m.npair for m in models)
    transmissions = np.concatenate([m.actuator_trntype for m in models])
    assert {0, 2, 3, 4, 5, 6} <= set(transmissions.tolist()) and any(m.nactuator < m.nu for m in models)
    assert any(m.nhistory for m in models) and any(m.opt.noslip_iterations for m in models)
    dynamics = np.concatenate([m.actuator_dyntype for m in models])
    assert int(mujoco.mjtDyn.mjDYN_MUSCLE) in dynamics
    assert {m.opt.integrator for m in models} == {0, 1, 2, 3, 4} and {m.opt.solver for m in models} == {0, 1, 2}
