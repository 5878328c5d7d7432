"""Candidate pairs against the contacts that MuJoCo makes when all geoms overlap, and against its documented rules."""

import itertools

import numpy as np
import pytest

from engine.model import UnsupportedError, load
from engine.model.pairs import condims, contact_parameters

mujoco = pytest.importorskip("mujoco")

SHAPES = {
    "sphere": 'type="sphere" size="0.5"',
    "capsule": 'type="capsule" size="0.4 0.3"',
    "box": 'type="box" size="0.5 0.4 0.3"',
}


def random_geom(rng, name, box):
    kind = rng.choice(["sphere", "capsule", "box"] if box else ["sphere", "capsule"])
    numbers = {
        "condim": rng.choice([1, 3, 4, 6]),
        "priority": rng.choice([0, 0, 1]),
        "solmix": rng.choice([0, 1, 2.5]),
        "margin": rng.choice([0, 0.1, 0.2]),
        "gap": rng.choice([0, 0.05]),
        "contype": rng.choice([1, 1, 2, 3]),
        "conaffinity": rng.choice([1, 1, 2, 0]),
        "friction": f"{rng.uniform(0, 2)} {rng.uniform(0, 0.01)} 0",
        "solref": rng.choice(["0.02 1", "0.05 0.7", "-200 -5"]),
        "solimp": rng.choice(["0.9 0.95 0.001 0.5 2", "0.5 0.8 0.01 0.4 3"]),
        "pos": " ".join(map(str, rng.uniform(-0.02, 0.02, 3))),
    }
    attributes = " ".join(f'{key}="{value}"' for key, value in numbers.items())
    return f'<geom name="{name}" {SHAPES[kind]} {attributes}/>'


def random_scene(seed):
    """A random tree of bodies in one place, some welded, boxes only in the world (box-box has no collider)."""
    rng = np.random.default_rng(seed)
    parents = [0, *(int(rng.integers(0, b)) for b in range(1, 8))]
    children = {b: [k for k in range(1, 8) if parents[k] == b] for b in range(8)}

    def body(b):
        joint = '<joint type="ball"/>' if rng.random() < 0.6 else ""
        geoms = "".join(random_geom(rng, f"g{b}_{k}", False) for k in range(rng.integers(1, 3)))
        inside = joint + geoms + "".join(map(body, children[b]))
        return f'<body name="b{b}">{inside}</body>'

    world = '<geom name="floor" type="plane" size="1 1 1" pos="0 0 0.2"/>'
    world += "".join(random_geom(rng, f"g0_{k}", True) for k in range(2)) + "".join(map(body, children[0]))
    some = [tuple(rng.choice(8, 2, replace=False)) for _ in range(2)]
    exclude = "".join(f'<exclude body1="{_body(a)}" body2="{_body(b)}"/>' for a, b in some)
    pairs = [(f"g{a}_0", f"g{b}_0") for a, b in itertools.combinations(rng.choice(np.arange(1, 8), 3, False), 2)]
    pair = "".join(f'<pair geom1="{a}" geom2="{b}" margin="0.1" friction="0 0.5"/>' for a, b in pairs)
    flags = 'filterparent="disable" ' * (seed % 3 == 0) + 'midphase="disable"' * (seed % 2)
    flag = f"<option><flag {flags}/></option>"
    return f"<mujoco>{flag}<worldbody>{world}</worldbody><contact>{exclude}{pair}</contact></mujoco>"


def _body(b):
    return f"b{b}" if b else "world"


@pytest.mark.parametrize("seed", range(25))
def test_equal_to_mujocos_contacts(seed):
    mj = mujoco.MjModel.from_xml_string(random_scene(seed))
    data = mujoco.MjData(mj)
    mujoco.mj_forward(mj, data)
    m = load(mj)
    found, contact_of = [], {}
    for contact in data.contact[: data.ncon]:
        key = tuple(int(g) for g in contact.geom)
        weld1, weld2 = (mj.body_weldid[mj.geom_bodyid[g]] for g in key)
        if weld1 != weld2 and key not in contact_of:  # a pair within a weld group exerts no force, and we leave it out
            found.append(key)
            contact_of[key] = contact
    pairs, of = list(zip(m.pair_geom1.tolist(), m.pair_geom2.tolist(), strict=True)), contact_parameters(m)
    np.testing.assert_array_equal(condims(m), of["dim"])
    assert pairs == found
    for i, key in enumerate(pairs):
        contact = contact_of[key]
        assert of["dim"][i] == contact.dim
        for name, value in (
            ("friction", contact.friction),
            ("solref", contact.solref),
            ("solreffriction", contact.solreffriction),
            ("solimp", contact.solimp),
            ("margin", contact.includemargin),
        ):
            np.testing.assert_allclose(of[name][i], value, atol=1e-12, err_msg=f"{name} of {key}")
        if not any({*key} == {p, q} for p, q in zip(mj.pair_geom1, mj.pair_geom2, strict=True)):
            assert of["gap"][i] == pytest.approx(mj.geom_gap[key[0]] + mj.geom_gap[key[1]])


def scene(geoms, contact=""):
    return (
        f"<mujoco><asset><mesh name='m' vertex='0 0 0 1 0 0 0 1 0 0 0 1'/></asset>"
        f"<worldbody><geom name='floor' type='plane' size='1 1 1'/>"
        f"<body name='a'><freejoint/><geom name='a' {geoms[0]}/></body>"
        f"<body name='b'><freejoint/><geom name='b' {geoms[1]}/></body>"
        f"</worldbody><contact>{contact}</contact></mujoco>"
    )


@pytest.mark.parametrize(
    "geoms, message",
    [
        (("type='sdf' mesh='m'", SHAPES["box"]), "'b' with geom 'a': box-sdf; allowed are plane-s"),
        ((SHAPES["sphere"], "type='sdf' mesh='m'"), "geom 'a' with geom 'b': sphere-sdf"),
    ],
)
def test_refuses_pairs_by_name(geoms, message):
    with pytest.raises(UnsupportedError, match=message):
        load(scene(geoms))


def test_refused_shapes_may_be_drawn():
    unseen = "contype='0' conaffinity='0'"
    m = load(scene((f"type='cylinder' size='1 1' {unseen}", f"type='ellipsoid' size='1 1 1' condim='6' {unseen}")))
    assert m.npair == 0 and m.ngeom == 3


def test_explicit_pair_replaces_the_mixed_one():
    m = load(scene((SHAPES["capsule"], SHAPES["sphere"]), "<pair geom1='a' geom2='b' friction='0.3'/>"))
    row = list(zip(m.pair_geom1, m.pair_geom2, strict=True)).index((m.geom("b"), m.geom("a")))
    assert m.pair_own[row] == 0 and (np.delete(m.pair_own, row) == -1).all()
    np.testing.assert_allclose(m.pair_friction, [[0.3, 1, 0.005, 0.0001, 0.0001]])
    assert m.npair == 3 and m.nown == 1


def test_pair_of_geoms_fixed_to_each_other_is_left_out_and_reported():
    m = load(scene((SHAPES["capsule"], "size='0.1'/><geom name='c' size='0.1'"), "<pair geom1='b' geom2='c'/>"))
    fixed = {m.geom("b"), m.geom("c")}
    assert all({g1, g2} != fixed for g1, g2 in zip(m.pair_geom1, m.pair_geom2, strict=True))
    assert any("1 contact pairs of geoms fixed to each other" in line for line in m.report.changed)
