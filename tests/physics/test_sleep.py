"""Trees of bodies that sleep, step by step as MuJoCo's: who does when, who wakes by what, and what sensors tell."""

import copy

import mujoco
import numpy as np
import pytest

import engine
from engine import Simulator
from engine.compiler.features import features_of
from engine.model import ModelError, UnsupportedError, load, set_const, sleeping
from engine.model.portable import model_from_arrays, model_to_arrays

pytestmark = pytest.mark.skipif(mujoco.__version__ < "4", reason="as MuJoCo 4.0 does it")

HEAD = """<mujoco><option timestep=".002" tolerance="1e-14" iterations="200" ls_iterations="200" sleep_tolerance=".02"
{}><flag sleep="enable" {}/></option><worldbody><geom type="plane" size="5 5 1"/>"""

BOXES = "".join(
    f"<body name='b{i}' pos='{0.5 * i} 0 {0.12 + 0.05 * i}'><freejoint/><geom type='box' size='.1 .1 .1'/>"
    f"<site name='s{i}' size='.2'/></body>" for i in range(3)
) + """<body name="thrown" pos="-1.5 0 .12"><freejoint/><geom size=".1"/></body></worldbody>
<sensor><touch site="s1"/><accelerometer site="s1"/><framepos objtype="body" objname="b1"/>
<contact body1="b0" data="found force dist" num="4"/><framelinvel objtype="body" objname="b2"/></sensor></mujoco>"""

STACK = "".join(
    f"<body name='b{i}' pos='{0.01 * i} 0 {0.101 + 0.201 * i}'><freejoint/><geom type='box' size='.1 .1 .1'/></body>"
    for i in range(3)
) + """<body name="m" mocap="true" pos="-1 0 .3"><geom size=".1"/></body>
<body name="p" pos="1 0 1">
<joint name="h" axis="0 1 0" damping=".5" range="-20 20" limited="true" frictionloss=".05"/>
<geom type="capsule" size=".03 .2" pos=".1 0 -.2" mass="1"/>
<body pos=".1 0 -.4"><joint type="ball" damping=".1" range="0 40" limited="true"/><geom size=".05" pos="0 0 -.1"/>
</body></body><body name="q" pos="2 0 1"><joint type="slide" axis="0 0 1" damping="5" stiffness="50"/><geom size=".1"/>
<site name="qs"/></body></worldbody>
<sensor><jointlimitfrc joint="h"/><jointlimitpos joint="h"/><accelerometer site="qs"/><subtreecom body="b2"/>
<rangefinder site="qs"/><contact data="found force"/><framepos objtype="body" objname="b0" reftype="body" refname="p"/>
<e_potential/></sensor></mujoco>"""

TIED = "".join(
    f"<body name='b{i}' pos='{0.5 * i} 0 {0.1 + 0.02 * i}' sleep='{'never' if i == 4 else 'auto'}'><freejoint/>"
    f"<geom type='box' size='.1 .1 .1'/><site name='s{i}'/></body>" for i in range(5)
) + """<body pos="0 2 1"><joint name="j1" axis="0 1 0" damping="1" frictionloss=".01"/>
<geom size=".05" pos="0 0 -.2"/></body><body pos="0 3 1"><joint name="j2" axis="0 1 0" damping="1" frictionloss=".01"/>
<geom size=".05" pos="0 0 -.2"/></body></worldbody>
<equality><weld body1="b0" body2="b1" active="false"/><connect body1="b2" body2="b4" anchor="0 0 0" active="false"/>
<joint joint1="j1" joint2="j2" active="false"/></equality>
<tendon><spatial name="t" limited="true" range="0 .6"><site site="s2"/><site site="s3"/></spatial></tendon>
<sensor><tendonlimitfrc tendon="t"/></sensor></mujoco>"""

START = """<body name="a" pos="0 0 1" sleep="init"><freejoint/><geom size=".1"/></body>
<body name="a2" pos=".19 0 1" sleep="init"><freejoint/><geom size=".1"/></body>
<body name="c" pos="0 1 .5"><freejoint/><geom size=".1"/></body>
<body name="d" pos="0 0 2.5"><freejoint/><geom size=".05"/><site name="e"/></body>
<body pos="3 0 1" sleep="allowed"><joint name="x" axis="0 1 0" damping="2"/><geom size=".1" pos="0 0 -.3"/></body>
<body pos="4 0 1"><joint name="y" axis="0 1 0" damping="2"/><geom size=".1" pos="0 0 -.3"/></body></worldbody>
<actuator><motor name="mx" joint="x"/><position joint="y" kp="3"/></actuator>
<sensor><framepos objtype="body" objname="a"/><actuatorfrc actuator="mx"/></sensor></mujoco>"""


PULLED = START.replace("</body></worldbody>", '<site name="c" pos=".05 0 -.3"/></body></worldbody>').replace(
    "<motor name", """<motor joint="x" delay=".01" nsample="5" gear=".3"/>
<general site="c" gear=".2 0 .3 0 .1 0"/><adhesion body="d" ctrlrange="0 1" gain="2"/><motor name""").replace(
    '<joint name="y"', '<joint name="y" stiffness="40" springyield=".002"')
for found in ('name="d"', 'pos="4 0 1"'):  # where MuJoCo lets nothing that an actuator moves sleep by itself
    PULLED = PULLED.replace(f"<body {found}", f'<body sleep="allowed" {found}')


def throw(k, mj, data, sim):
    if k == 400:
        a = mj.body("thrown").dofadr[0]
        data.qvel[a] = sim.data.qvel[0, a] = 3


def disturb(k, mj, data, sim):
    """Forces of any size, a change of qpos, and a mocap body that comes along."""
    if k >= 1500:
        data.mocap_pos[0] = sim.data.mocap_pos[0, 0] = -1 + 0.001 * (k - 1500), 0, 0.3
    b, q = mj.body("q").id, mj.joint("h").qposadr[0]
    data.xfrc_applied[b, 2] = sim.data.xfrc_applied[0, b, 2] = 1e-9 * (k in (1200, 1201))
    if k == 1250:
        data.qpos[q] = sim.data.qpos[0, q] = data.qpos[q] + 0.01
    data.qfrc_applied[0] = sim.data.qfrc_applied[0, 0] = 0.5 * (1300 <= k < 1310)


def tie(k, mj, data, sim):
    """Equalities become active: of two islands that sleep, and of one with what never does. A tendon gets taut."""
    for e, when in ((0, 500), (2, 1000), (1, 1300)):
        if k == when:
            data.eq_active[e] = sim.data.eq_active[0, e] = 1
    if k == 800:
        a = mj.body("b3").dofadr[0]
        data.qvel[a] = sim.data.qvel[0, a] = 2


def drive(k, mj, data, sim):
    """A control does not wake what sleeps; the least velocity does."""
    data.ctrl[:] = sim.data.ctrl[0] = (0.3 * (600 <= k < 900),) * (len(data.ctrl) - 1) + (0.2,)
    if k == 700:
        a = mj.joint("x").dofadr[0]
        data.qvel[a] = sim.data.qvel[0, a] = 1e-5


# what is there, options, flags, steps, what the user does, how often trees fall asleep and wake at least
SCENES = {
    "boxes": (BOXES, "", "", 700, throw, 4, 2),
    "stack": (STACK, "", "", 2600, disturb, 10, 6),
    "tied": (TIED, "", "", 1600, tie, 12, 8),
    "asleep at the start": (START, "", "", 1200, drive, 4, 4),
    "discrete": (BOXES, 'integrator="discrete"', "", 700, throw, 4, 2),
    "discrete servo": (START, 'integrator="discrete"', "", 1200, drive, 4, 3),
    "gap": (BOXES.replace("<geom type", "<geom gap='.1' type"), "", "", 700, throw, 6, 4),
    "rubbing tendon": (TIED.replace("limited", "frictionloss='.3' armature='.2' limited"), "", "", 1290, tie, 10, 6),
    "pulled": (PULLED, "", "", 1200, drive, 3, 4),
    "no islands": (STACK, "", 'island="disable"', 300, None, 0, 0),
    "elliptic": (BOXES, 'integrator="implicitfast" cone="elliptic"', "", 700, throw, 4, 2),
    "noslip": (STACK, 'cone="elliptic" noslip_iterations="5" integrator="implicit"', "", 1400, disturb, 8, 4),
}
SLOW = {"discrete servo", "no islands", "elliptic", "noslip"}


def scene(name):
    body, option, flags, *_ = SCENES[name]
    return HEAD.format(option, flags) + body


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in SCENES])
def test_step_by_step(name):
    """Who sleeps, where everything is, and what sensors tell."""
    _, _, _, steps, act, slept, woken = SCENES[name]
    mj = mujoco.MjModel.from_xml_string(scene(name))
    data, sim = mujoco.MjData(mj), Simulator(load(scene(name)))
    changes, before = np.zeros(2, int), data.tree_asleep >= 0
    for k in range(steps):
        if act:
            act(k, mj, data, sim)
        mujoco.mj_step(mj, data)
        sim.step()
        assert sim.data.tree_asleep[0].tolist() == data.tree_asleep.tolist(), k
        now = data.tree_asleep >= 0
        changes += (now & ~before).sum(), (before & ~now).sum()
        before = now
        assert np.abs(sim.data.qpos[0] - data.qpos).max() < 1e-7, k
        assert np.abs(sim.data.qvel[0] - data.qvel).max() < 1e-6, k
        assert (np.abs(sim.data.sensordata[0] - data.sensordata) < 1e-6 * (1 + np.abs(data.sensordata))).all(), k
        assert not sim.data.qvel[0, now[mj.dof_treeid]].any()
    assert (changes >= (slept, woken)).all(), changes


def test_same_bits():
    """Many steps at once, copies of what sleeps, a state that is put back, worlds of their own."""
    model = load(scene("boxes"))
    one, many = Simulator(model, worlds=2), Simulator(model, worlds=2)
    for sim in (one, many):
        sim.data.qvel[1, 0] = 2.5
    apart = 0
    for _ in range(300):
        one.step()
        asleep = one.data.tree_asleep >= 0
        apart += (asleep[0] & ~asleep[1]).any()
    many.step(300)
    assert apart > 10 and asleep.all()
    other = copy.deepcopy(many)
    state = many.state()
    many.data.qvel[:, 18] = other.data.qvel[:, 18] = one.data.qvel[:, 18] = 3
    for sim in (one, many, other):
        sim.step(250)
        assert (sim.data.tree_asleep[0] == one.data.tree_asleep[0]).all()
    for name in ("qpos", "qvel", "act", "sensordata"):
        np.testing.assert_array_equal(getattr(one.data, name), getattr(many.data, name))
        np.testing.assert_array_equal(getattr(one.data, name), getattr(other.data, name))
    many.load_state(state)
    many.data.qvel[:, 18] = 3
    many.step(250)
    np.testing.assert_array_equal(many.data.qpos, one.data.qpos)


def test_what_wakes_what_sleeps():
    sim = Simulator(load(scene("boxes")))
    sim.step(300)
    assert (sim.data.tree_asleep >= 0).sum() == 4
    kept = sim.data.qpos.copy()
    sim.data.qpos[0, 0] = np.nextafter(kept[0, 0], 1)
    sim.forward()
    assert sim.data.tree_asleep[0, 0] == sleeping.AWAKE and (sim.data.tree_asleep[0, 1:] >= 0).all()
    sim.set_const()
    assert (sim.data.tree_asleep == sleeping.AWAKE).all()
    sim.reset()
    assert (sim.data.tree_asleep == sleeping.AWAKE).all()


def test_keyframes_of_what_sleeps_at_the_start():
    """One that moves it wakes it, and its island; one that does not leaves it asleep."""
    text = scene("asleep at the start")
    rest = mujoco.MjModel.from_xml_string(text).qpos0
    moved = rest.copy()
    moved[0] -= 0.5
    keys = "".join(f"<key qpos='{' '.join(map(repr, q.tolist()))}'/>" for q in (rest, moved))
    text = text.replace("</mujoco>", f"<keyframe>{keys}</keyframe></mujoco>")
    mj = mujoco.MjModel.from_xml_string(text)
    data, sim = mujoco.MjData(mj), Simulator(load(text))
    for key in (0, 1):
        mujoco.mj_resetDataKeyframe(mj, data, key)
        sim.reset(sim.model.key_qpos[key])
        mujoco.mj_step(mj, data)
        sim.step()
        assert sim.data.tree_asleep[0].tolist() == data.tree_asleep.tolist()
        assert (data.tree_asleep[:2] < 0).all() == (key == 1)
        np.testing.assert_allclose(sim.data.qpos[0], data.qpos, rtol=0, atol=1e-9)


def test_no_gradient():
    sim = Simulator(load(scene("boxes")))
    with pytest.raises(ValueError, match="tape: the option sleep has no gradient.*model.opt.sleep = False"):
        engine.Tape(sim, 2)
    with pytest.raises(ValueError, match="linearize: the option sleep has no gradient"):
        sim.linearize()
    awake = load(scene("boxes"))
    awake.opt.sleep = False
    assert "sleep" in features_of(sim.model) and "sleep" not in features_of(awake)
    tape = engine.Tape(Simulator(awake), 3)
    rows = tape.rollout(np.zeros((3, 0)))
    assert np.isfinite(tape.backward(qpos=np.ones_like(rows.qpos)).qvel0).all()


def test_written_and_stored():
    for name in ("boxes", "tied", "asleep at the start"):
        model = load(scene(name))
        for made in (load(model.to_mjcf()), model_from_arrays(model_to_arrays(model))):
            assert (made.opt.sleep, made.opt.sleep_tolerance) == (True, 0.02)
            for array in ("body_sleep", "body_asleep0"):
                np.testing.assert_array_equal(getattr(made, array), getattr(model, array))
            np.testing.assert_allclose(made.dof_length, model.dof_length, rtol=1e-12)
    start = model.body_asleep0[sleeping.first_bodies(model)].tolist()
    assert start[:2] == [1, 0] and max(start[2:]) < 0
    set_const(model)
    assert sleeping.count(load(HEAD.format("", "").replace("enable", "disable") + BOXES)) == 0


HANGS = "<geom size='.1'/><body><joint/><geom size='.1' pos='0 0 .5'/></body></body>"
INTEGRATES = "<general joint='x' dyntype='integrator' actrange='-1 1' actlimited='true'/><motor name"
LATE = "<touch delay='.01' nsample='5' "
REFUSED = {
    "with the integrator RK4; allowed: Euler, implicit, implicitfast, discrete": (BOXES, "", "", 'integrator="RK4"'),
    "may sleep, on a mocap body": (STACK, '<geom size=".1"/></body>', HANGS, ""),
    "actuator 0: on a tree that may sleep": (START, "<motor name", INTEGRATES, ""),
    "actuator 0: between trees that may sleep": (
        PULLED, "<motor joint=", "<general site='c' refsite='e' gear='1'/><motor joint=", ""),
    "equality 0: of tendons beside trees that may sleep, which MuJoCo refuses": (
        TIED, "<equality>", "<equality><tendon tendon1='t'/>", ""),
    "a delay or interval beside trees that may sleep": (BOXES, "<touch ", LATE, ""),
    "accelerometer of a tree that sleeps at the start": (
        BOXES, "<body name='b1' pos='0.5 0 0.16", "<body name='b1' sleep='init' pos='0.5 0 1.16", ""),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_refused_by_name(words):
    body, before, after, option = REFUSED[words]
    assert before in body
    with pytest.raises(UnsupportedError) as error:
        load(HEAD.format(option, "") + body.replace(before, after, 1))
    assert words in str(error.value)


def test_a_robot_without_policies():
    model = load(scene("boxes").replace('sleep="enable"', ""))
    model.opt.sleep = True
    with pytest.raises(ModelError, match="body 'b0': body_sleep = 0 with the option sleep; allowed: a file that has"):
        Simulator(model)
