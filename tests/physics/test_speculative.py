"""Contacts before an impact (the flag speculative), beside MuJoCo's: where they are, what they do, what hides them."""

import itertools

import mujoco
import numpy as np
import pytest

import engine
from engine import Simulator
from engine.compiler.features import features_of
from engine.model import ModelError, load
from engine.model.portable import model_from_arrays, model_to_arrays

pytestmark = pytest.mark.skipif(mujoco.__version__ < "4", reason="as MuJoCo 4.0 does it")

HEAD = """<mujoco><option timestep=".01" gravity="0 0 -2" tolerance="1e-13" iterations="200" ls_iterations="200"
ccd_tolerance="1e-8" {}><flag speculative="enable" {}/></option><asset>
<mesh name="t" vertex="-.3 -.2 -.1 .2 0 0 0 .25 0 0 0 .3"/></asset><worldbody>"""
SHAPES = {
    "plane": 'type="plane" size="1 1 1"', "sphere": 'size=".2"', "capsule": 'type="capsule" size=".1 .3"',
    "ellipsoid": 'type="ellipsoid" size=".1 .2 .15"', "cylinder": 'type="cylinder" size=".15 .2"',
    "box": 'type="box" size=".1 .2 .3"', "mesh": 'type="mesh" mesh="t"',
}  # fmt: skip
PAIRS = [pair for pair in itertools.combinations_with_replacement(SHAPES, 2) if pair[1] != "plane"]


def both(text, qvel):
    mj = mujoco.MjModel.from_xml_string(text)
    data, sim = mujoco.MjData(mj), Simulator(load(text))
    data.qvel[:] = sim.data.qvel[0] = qvel
    mujoco.mj_forward(mj, data)
    sim.forward()
    return mj, data, sim


def ours(sim):
    """{(geom1, geom2): [[dist, normal, pos], ...]}, in the order of geoms."""
    found, told = {}, sim.data.contacts(0)
    for g1, g2, dist, frame, pos in zip(*(told[n] for n in ("geom1", "geom2", "dist", "frame", "pos")), strict=True):
        n = frame[0] if g1 < g2 else -frame[0]
        found.setdefault((min(g1, g2), max(g1, g2)), []).append([dist, *n, *pos])
    return found


def theirs(data):
    found = {}
    for c in data.contact:
        if c.exclude == 0:
            g1, g2 = (int(g) for g in c.geom)
            n = c.frame[:3] if g1 < g2 else -c.frame[:3]
            found.setdefault((min(g1, g2), max(g1, g2)), []).append([c.dist, *n, *c.pos])
    return found


def same_contacts(sim, data, places=True, bar=2e-6):
    a, b = ours(sim), theirs(data)
    assert {k: len(v) for k, v in a.items()} == {k: len(v) for k, v in b.items()}
    for pair, rows in a.items():
        width = 7 if places else 4
        one = sorted((list(np.array(r[:width]) + 0.0) for r in rows), key=lambda r: np.round(r, 5).tolist())
        other = sorted((list(np.array(r[:width]) + 0.0) for r in b[pair]), key=lambda r: np.round(r, 5).tolist())
        np.testing.assert_allclose(one, other, rtol=bar, atol=bar, err_msg=str(pair))
    return a


def zoo(seed):
    """Every shape thrown at every other, each pair by itself; four kinds of throws."""
    rng = np.random.default_rng(seed)
    text, qvel = "", []
    for k, (a, b) in enumerate(PAIRS):
        x = rng.normal(size=3)
        x *= rng.uniform(0.7, 1.2) / np.linalg.norm(x)
        turn = rng.normal(size=3) * (0, 3, 60)[(k + seed) % 3]
        if (k + seed) % 3 == 0 or a == "plane":
            x = np.array([0.05, 0.03, 1.0])
        mask = f'contype="{1 << k}" conaffinity="{1 << k}"'
        text += f"<geom {SHAPES[a]} {mask} pos='{3 * k} 0 0'/>"
        at, euler = " ".join(map(str, x + [3 * k, 0, 0])), " ".join(map(str, turn))
        text += f"<body pos='{at}' euler='{euler}'><freejoint/><geom {SHAPES[b]} {mask}/></body>"
        qvel += [*(-x / np.linalg.norm(x) * rng.uniform(100, 300) + rng.normal(size=3) * 10)]
        qvel += [*rng.normal(size=3) * 10 * (k % 2)]
    return HEAD.format("", "") + text + "</worldbody></mujoco>", np.array(qvel)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_shapes(seed):
    """Number, place, normal and distance of the contacts of all pairs, and what they do."""
    text, qvel = zoo(seed)
    mj, data, sim = both(text, qvel)
    # which four of a cap's sixteen corners meet a plane is rounding in MuJoCo
    cap = {k for k, pair in enumerate(PAIRS) if pair == ("plane", "cylinder")}
    a, b = ours(sim), theirs(data)
    assert {k: len(v) for k, v in a.items()} == {k: len(v) for k, v in b.items()}
    assert len(a) > 20 and max(map(len, a.values())) == 4
    for pair, rows in a.items():
        width = 4 if pair[0] in cap else 7
        one, other = (np.array(x)[:, :width] for x in (rows, b[pair]))
        for row in one:  # the normal of what is round is as good as the search
            assert np.abs(other - row).max(axis=1).min() < 3e-5 * max(1, abs(row[0])), (pair, PAIRS[pair[0]])
        if pair[0] not in cap:
            at = slice(6 * pair[0], 6 * pair[0] + 6)
            scale = np.abs(data.qacc[at]).max()
            np.testing.assert_allclose(
                sim.data.qacc[0, at], data.qacc[at], rtol=0, atol=1e-4 * scale, err_msg=str(pair)
            )


SLATS = """<geom type="plane" size="2 2 1"/><geom type="box" size=".5 .5 .01" pos="0 0 .6"/>
<body pos="0 0 1.1"><freejoint/><geom size=".03"/></body>
<body pos=".3 .2 1.3" euler="1 2 0"><freejoint/><geom type="box" size=".05 .08 .02"/></body>
<body pos="-2 0 1" ><joint axis="0 1 0"/><geom type="capsule" size=".02" fromto="0 0 0 .7 0 0"/>
<body pos=".7 0 0"><joint axis="0 1 0"/><geom type="cylinder" size=".06 .01" pos=".1 0 0"/></body></body>
<geom type="box" size=".02 .3 .02" pos="-1.2 0 .5"/></worldbody></mujoco>"""
OPTIONS = {
    "Euler": ("", ""),
    "implicit": ('integrator="implicit" cone="elliptic"', ""),
    "implicitfast": ('integrator="implicitfast"', 'diagexact="enable"'),
    "RK4": ('integrator="RK4"', ""),
    "discrete": ('integrator="discrete"', ""),
    "elliptic discrete": ('integrator="discrete" cone="elliptic"', 'multiccd="disable"'),
    "unsafe": ("", 'refsafe="disable"'),
}
DEFAULTS = (
    "", 'condim="6" solref=".05 .7"', 'condim="1" margin=".02" gap=".03"', 'solref="-3000 -60" solimp=".5 .9 1"',
    'condim="4" solref="0 -60" solimp=".99 .99 .001"', 'solref=".002 1"',
)  # fmt: skip


@pytest.mark.parametrize("name", OPTIONS)
def test_steps(name):
    """Each step from MuJoCo's own state: nothing passes through a slat, with all integrators and contact parameters."""
    option, flags = OPTIONS[name]
    k = list(OPTIONS).index(name)
    text = HEAD.format(option, flags).replace("<asset>", f"<default><geom {DEFAULTS[k % 6]}/></default><asset>") + SLATS
    mj, data, sim = both(text, [1, 2, -40, 0, 0, 0, -3, 0, -55, 2, 4, 3, 14, -5])
    seen = 0
    for _ in range(8):
        sim.data.qpos[0], sim.data.qvel[0] = data.qpos, data.qvel
        data.qacc_warmstart[:] = sim.data.qacc_warmstart[0] = 0
        mujoco.mj_forward(mj, data)
        sim.forward()
        seen += sum(c.dist > c.includemargin for c in data.contact)
        assert {p: len(v) for p, v in ours(sim).items()} == {p: len(v) for p, v in theirs(data).items()}
        scale = max(np.abs(data.qacc).max(), 1)
        np.testing.assert_allclose(sim.data.qacc[0], data.qacc, rtol=0, atol=1e-5 * scale)
        data.qacc_warmstart[:] = sim.data.qacc_warmstart[0] = 0
        mujoco.mj_step(mj, data)
        sim.step()
        np.testing.assert_allclose(sim.data.qpos[0], data.qpos, rtol=0, atol=1e-5)
    assert seen or name in ("discrete", "elliptic discrete")
    assert data.qpos[2] > 0.6 or name != "Euler"


FALL = [0, 0, -200, 0, 0, 0]
BALL = '<body name="s" pos="0 0 1"><freejoint/><geom name="s" size=".05" {}/>{}</body>'
SHELF = '<geom name="k" type="box" size=".3 .3 .02" pos="{} .5" {}/>'
FLOOR = '<geom name="f" type="plane" size="1 1 1" {}/>'
TABLE = """<body {}><geom type="box" size=".5 .5 .02"/><geom type="box" size=".3 .3 .02" pos="0 0 .3"/></body>"""
HIDDEN = {
    "a shelf": (FLOOR + SHELF.format("0 0", "") + BALL.format("", ""), ["k"]),
    "beside": (FLOOR + SHELF.format(".4 0", "") + BALL.format("", ""), ["f"]),
    "of another kind": (FLOOR + SHELF.format("0 0", 'contype="2" conaffinity="2"') + BALL.format("", ""), ["f"]),
    "of the ball's kind": (
        FLOOR.format('contype="2" conaffinity="2"') + SHELF.format("0 0", "")
        + BALL.format('contype="3" conaffinity="3"', ""), ["k"],
    ),
    "touched": (
        FLOOR + '<geom name="k" type="box" size=".003 .3 .4" euler="0 5.71 0" pos=".027 0 .75"/>' + BALL.format("", ""),
        ["f", "k"],
    ),
    "two in one that stands": (TABLE.format("") + BALL.format("", ""), [1]),
    "two in a mocap body": (TABLE.format('mocap="true"') + BALL.format("", ""), [0, 1]),
    "its own": (
        FLOOR + BALL.format("", '<geom name="k" type="box" size=".3 .3 .02" pos="0 0 -.3"/>'), ["f"] * 5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN)
def test_what_is_hidden(name):
    text, met = HIDDEN[name]
    mj, data, sim = both(HEAD.format("", "") + text.replace("{}", "") + "</worldbody></mujoco>", FALL)
    a = same_contacts(sim, data)
    numbers = sorted(mj.geom(g).id for g in met)
    ball = mj.geom("s").id
    assert sorted(min(p) if ball in p else p[0] for p, rows in a.items() for _ in rows) == numbers or name == "its own"
    assert sum(map(len, a.values())) == len(met)


@pytest.mark.parametrize("what, qvel, found", [
    ("as thick", [0, 0, -9.999, 0, 0, 0], 0), ("further", [0, 0, -10.001, 0, 0, 0], 1),
    ("short of it", [0, 0, -39.99, 0, 0, 0], 0), ("up to it", [0, 0, -40.01, 0, 0, 0], 1),
    ("away", [0, 0, 90, 0, 0, 0], 0),
])  # fmt: skip
def test_who_is_fast(what, qvel, found):
    """One that moves less than it is thick makes none, nor one that does not arrive."""
    height = 0.5 if "it" in what else 0.15
    text = HEAD.format("", "") + FLOOR.format("") + f"<body pos='0 0 {height}'><freejoint/><geom size='.1'/></body>"
    _, data, sim = both(text + "</worldbody></mujoco>", qvel)
    assert len(data.contact) == found == sum(map(len, ours(sim).values()))


def test_spinning():
    """Of a rod that spins so fast that a safe step is short the search ends before it is near."""
    text = (
        HEAD.format("", "")
        + FLOOR.format("")
        + """<body pos="0 0 1.3" euler="30 40 0"><freejoint/>
<geom type="box" size="1 .02 .02"/></body></worldbody></mujoco>"""
    )
    for turn in ((0, 0, 300), (0, 50, 500), (30, -60, 600)):
        _, data, sim = both(text, [5, 0, -105, *turn])
        assert same_contacts(sim, data)
        np.testing.assert_allclose(sim.data.qacc[0], data.qacc, rtol=0, atol=1e-7 * np.abs(data.qacc).max())


def test_refused():
    """There is no gradient; no contacts in a gap beside what asks for them; the flag is kept."""
    model = load(HEAD.format("", "") + FLOOR.format("") + BALL.format("", "") + "</worldbody></mujoco>")
    sim = Simulator(model)
    for ask in (lambda: engine.Tape(sim, 3), sim.linearize):
        with pytest.raises(ValueError, match="the option speculative has no gradient"):
            ask()
    assert {"speculative", "convex"} <= features_of(model)
    again = model_from_arrays(model_to_arrays(model))
    assert again.opt.speculative and load(model.to_mjcf()).opt.speculative
    model.opt.speculative = False
    assert not {"speculative", "convex"} & features_of(model)
    engine.Tape(Simulator(model), 3)
    again.opt.speculative = 2
    with pytest.raises(ModelError, match="option speculative = 2; allowed: True, False"):
        Simulator(again)
