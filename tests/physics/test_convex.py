"""Pairs of convex shapes: contacts against MuJoCo, whose search stops at a tolerance, and against what defines them."""

import mujoco
import numpy as np
import pytest

from engine.contact.witness import GENERAL, TILTED
from engine.model import constants as c
from engine.views import column
from tests import zoo
from tests.physics.reference import copy_state, matched_contacts, poison, relative, set_reference
from tests.physics.test_parity import touching_states

FINE = 'ccd_tolerance="1e-14" ccd_iterations="1000"'  # MuJoCo's normals are then good to some 1e-5, its depths to 1e-9


def convex(simulators, kinds, attributes="", cone="pyramidal"):
    return simulators(zoo.touching(*kinds, attributes, f'cone="{cone}" {FINE}'))


def farthest(mj, data, geom, n):
    """How far a geom reaches along n, from its definition."""
    size, kind = mj.geom_size[geom], mj.geom_type[geom]
    v = data.geom_xmat[geom].reshape(3, 3).T @ n
    if kind == c.MESH:
        mesh = mj.geom_dataid[geom]
        h = (mj.mesh_vert[mj.mesh_vertadr[mesh] :][: mj.mesh_vertnum[mesh]] @ v).max()
    else:
        h = {
            c.SPHERE: lambda: size[0],
            c.CAPSULE: lambda: size[0] + size[1] * abs(v[2]),
            c.ELLIPSOID: lambda: np.linalg.norm(size * v),
            c.CYLINDER: lambda: size[0] * np.hypot(v[0], v[1]) + size[1] * abs(v[2]),
            c.BOX: lambda: size @ np.abs(v),
        }[kind]()
    return h + n @ data.geom_xpos[geom]


def overlap(mj, data, n):
    """How far the first geom reaches into the second one along n."""
    g1, g2 = mj.geom("g1").id, mj.geom("g2").id
    return farthest(mj, data, g1, n) + farthest(mj, data, g2, -n)


def compared(mj, sim, states):
    """Largest errors over states with as many contacts as MuJoCo finds, in any order, and how many have others."""
    data, found, other = mujoco.MjData(mj), {"dist": 0.0, "pos": 0.0, "normal": 0.0, "qacc": 0.0}, 0
    for state in states:
        set_reference(mj, data, state)
        copy_state(sim, data)
        poison(sim)
        sim.forward()
        ours, count = sim.data.contacts(), int((data.contact.exclude == 0).sum())
        if len(ours["dist"]) != count:
            other += 1
            continue
        if not count:
            continue
        for name, error in matched_contacts(ours, data.contact).items():
            found[name] = max(found[name], error)
        found["qacc"] = max(found["qacc"], relative(sim.data.qacc[0], data.qacc))
    print({k: float(f"{v:.1e}") for k, v in found.items()}, other)
    return found, other


@pytest.mark.parametrize("kinds", zoo.CONVEX + zoo.HULLS, ids="-".join)
def test_contacts(simulators, kinds):
    """As many as MuJoCo's, each in its place. Of deep cylinders some are not: which line of a cylinder's side touches a
    cap is a matter of chance there where the other one's axis is the normal."""
    mj, sim = convex(simulators, kinds)
    found, other = compared(mj, sim, touching_states(mj, 60))
    assert other <= ("cylinder" in kinds)
    assert found["dist"] < 1e-6 and found["pos"] < 1e-4 and found["normal"] < 1e-4 and found["qacc"] < 1e-3


@pytest.mark.parametrize("kinds", zoo.CONVEX + zoo.HULLS, ids="-".join)
def test_depth_is_exact(simulators, kinds):
    """Of a contact that the search finds: the shapes overlap by less along no direction near by."""
    mj, sim = convex(simulators, kinds)
    rng, data = np.random.default_rng(1), mujoco.MjData(mj)
    # the corners of a mesh's face are numbers of 32 bits and not quite in a plane, but count as if they were
    exact, tried = 1e-7 if "mesh" in kinds else 1e-12, 0
    for state in touching_states(mj, 40, seed=1):
        set_reference(mj, data, state)
        sim.reset(data.qpos)
        sim.forward()
        contacts = sim.data.contacts()
        if not GENERAL <= column(sim.pack, sim.sizes, 1, "con_kind1")[0][0] < TILTED:
            continue
        tried += 1
        n, dist, pos = contacts["frame"].reshape(-1, 9)[0, :3], contacts["dist"][0], contacts["pos"][0]
        assert abs(overlap(mj, data, n) + dist) < exact
        assert abs(farthest(mj, data, mj.geom("g1").id, n) - n @ pos + dist / 2) < exact
        for size in (1e-5, 1e-3):
            for step in size * rng.normal(size=(10, 3)):
                other = (n + step) / np.linalg.norm(n + step)
                assert overlap(mj, data, other) > -dist - exact
    assert tried > 10


def test_a_face_that_only_seems_to_be_as_near(simulators):
    """The polytope has a face as far from the origin as the shapes are deep, to a millionth, and this is not yet one of
    the shapes' own: another one tells the normal."""
    xml = zoo.touching("cylinder", "box").replace(zoo.SHAPES["cylinder"], 'type="cylinder" size=".05 .075"')
    mj, sim = simulators(xml.replace(zoo.SHAPES["box"], 'type="box" size=".1115 .05 .015"'))
    data = mujoco.MjData(mj)
    data.qpos[:] = (
        0.258528, 0.208315, 0.40278, 0.802533, 0.030841, -0.312087, 0.507546,
        0.339991, 0.279572, 0.298675, -0.388405, -0.321785, 0.849833, -0.152751,
    )  # fmt: skip
    mujoco.mj_fwdPosition(mj, data)
    sim.reset(data.qpos)
    sim.forward()
    assert data.ncon == sim.data.ncon[0] == 4
    errors = matched_contacts(sim.data.contacts(), data.contact)
    assert errors["dist"] < 1e-9 and errors["normal"] < 1e-9


def test_a_polytope_that_rounding_spoils(simulators):
    """A new vertex sees all of its faces: the depth is that which it has told so far."""
    xml = zoo.touching("cylinder", "box", "", FINE)
    xml = xml.replace(zoo.SHAPES["cylinder"], 'type="cylinder" size=".13886 .14882"')
    mj, sim = simulators(xml.replace(zoo.SHAPES["box"], 'type="box" size=".1147 .055841 .071165"'))
    data = mujoco.MjData(mj)
    data.qpos[:] = (
        -0.024443972606070733, -0.26753976510694777, 0.3584998597011653, 0.7620520973849213, -0.5761365802464828,
        -0.1980105603620943, 0.2192147253731054, -0.06962283833038903, -0.4596865663898509, 0.20029238022106802,
        0.6078943748124859, -0.09740941869433599, -0.7874667010325413, -0.029422355652004958,
    )  # fmt: skip
    mujoco.mj_fwdPosition(mj, data)
    sim.reset(data.qpos)
    sim.forward()
    assert sim.data.ncon[0] == data.ncon == 1
    assert matched_contacts(sim.data.contacts(), data.contact)["dist"] < 1e-9


def test_features_that_a_polytope_does_not_tell(simulators):
    """A block with rounded corners, of many small faces: where what a polytope within the tolerance has found leads to
    none that fit, the search goes closer."""
    v = np.random.default_rng(0).normal(size=(25, 3))
    corners = np.stack(np.meshgrid(*[(-1, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3) * (0.01, 0.02, 0.008)
    points = corners + 0.002 * v / np.linalg.norm(v, axis=1, keepdims=True)
    vertices = " ".join(f"{x:.9g}" for x in points.ravel())
    mj, sim = simulators(f'''<mujoco><option ccd_tolerance="1e-6"><flag multiccd="disable"/></option>
    <asset><mesh name="m" vertex="{vertices}"/></asset><worldbody><body><freejoint/><geom type="cylinder"
    size=".02 .016"/></body><body><freejoint/><geom type="mesh" mesh="m"/></body></worldbody></mujoco>''')
    mj.opt.ccd_tolerance, mj.opt.ccd_iterations = 1e-14, 1000
    data = mujoco.MjData(mj)
    data.qpos[3:] = -0.952, 0.014, -0.278, -0.128, -0.004, 0.01, -0.03, 0.839, 0.311, -0.445, 0.042
    mujoco.mj_normalizeQuat(mj, data.qpos)
    mujoco.mj_fwdPosition(mj, data)
    sim.reset(data.qpos)
    sim.forward()
    errors = matched_contacts(sim.data.contacts(), data.contact)
    assert errors["dist"] < 1e-9 and errors["normal"] < 1e-5


RIM = f"""<mujoco><option {FINE}/><worldbody><body pos="-.26024833 -.48807043 .53908498"
quat=".6919166325 -.1737335541 -.6846734164 -.1492994931"><freejoint/><geom type="cylinder" size=".12727 .12582"/>
</body><body pos="-.11850366 -.32035144 .44647443" quat=".6968945059 -.449891639 -.5342545029 .1628118147"><freejoint/>
<geom type="box" size=".06146 .1467 .080654"/></body></worldbody></mujoco>"""


def test_an_edge_and_a_rim(simulators):
    """A box's edge that is nearly along a cylinder and touches its rim: whatever rounding says, the faces that are
    clipped are those of the edge."""
    mj, sim = simulators(RIM, worlds=40)
    data, rng = mujoco.MjData(mj), np.random.default_rng(0)
    sim.data.qpos[1:] += 10.0 ** rng.uniform(-17, -13, (39, 1)) * rng.normal(size=(39, 14))
    sim.forward()
    mujoco.mj_forward(mj, data)
    for w in range(40):
        ours = sim.data.contacts(w)
        np.testing.assert_allclose(ours["dist"], data.contact.dist, atol=1e-6)
        np.testing.assert_allclose(ours["frame"][:, 0], data.contact.frame[:, :3], atol=1e-6)


@pytest.mark.parametrize("kinds", (zoo.CONVEX + zoo.HULLS)[::3], ids="-".join)
def test_margin(simulators, kinds):
    """Shapes that are apart by less than the margin, and by more."""
    mj, sim = convex(simulators, kinds, 'margin=".05" gap=".02"')
    found, other = compared(mj, sim, touching_states(mj, 40, seed=2))
    assert other == 0 and found["dist"] < 1e-7 and found["pos"] < 1e-3 and found["normal"] < 1e-3


@pytest.mark.parametrize("kinds", zoo.CONVEX + zoo.HULLS, ids="-".join)
def test_centres_in_one_place(simulators, kinds):
    """Turned alike, where the search has no direction to begin with: as many contacts as in MuJoCo, and finite."""
    mj, sim = convex(simulators, kinds)
    data = mujoco.MjData(mj)
    for quat in ([1.0, 0, 0, 0], [0.5, 0.5, 0.5, 0.5], [0.8, 0, 0.6, 0]):
        qpos = mj.qpos0.copy()
        qpos[:3], qpos[3:7], qpos[7:10], qpos[10:] = 0, quat, 0, quat
        data.qpos[:] = qpos
        mujoco.mj_forward(mj, data)
        sim.reset(qpos)
        sim.forward()
        contacts = sim.data.contacts()
        assert len(contacts["dist"]) == data.ncon > 0
        assert np.isfinite(sim.data.qacc).all() and np.isfinite(contacts["frame"]).all()


# Halves of the sides of two boxes, the second a mesh, and a tetrahedron.
SIDES = np.array([[0.25, 0.125, 0.0625], [0.25, 0.125, 2.0**-10]])
CORNERS = SIDES[1] * np.stack(np.meshgrid(*[(1, -1)] * 3), -1).reshape(-1, 3)
WITHIN = f"""<mujoco><asset><mesh name="plate" vertex="{" ".join(map(str, CORNERS.ravel()))}"/>
<mesh name="tetra" vertex="0 0 0 .25 0 0 0 .25 0 0 0 .25"/></asset><worldbody><body><freejoint/>
<geom GEOM mass="1"/></body><body><freejoint/><geom type="mesh" mesh="MESH" mass="1"/></body></worldbody></mujoco>"""
R = 0.5**0.5
QUARTERS = ((1, 0, 0, 0), (R, R, 0, 0), (R, 0, R, 0), (R, 0, 0, R), (0.5, 0.5, 0.5, 0.5), (0, 1, 0, 0))


IN_ONE_PLACE = {
    "box": ('type="box" size=".25 .125 .0625"', "plate"),
    "plate": ('type="mesh" mesh="plate"', "plate"),
    "tetra": ('type="mesh" mesh="tetra"', "tetra"),
}


@pytest.mark.parametrize("geom, mesh", IN_ONE_PLACE.values(), ids=IN_ONE_PLACE)
def test_centres_in_one_place_by_quarter_turns(simulators, geom, mesh):
    """Faces and edges of what a search knows go through the origin, where MuJoCo's finds nothing or stops at once. The
    least overlap is known here."""
    turns = [(p, q) for p in QUARTERS for q in QUARTERS if mesh == "plate" or p is q]
    mj, sim = simulators(WITHIN.replace("GEOM", geom).replace("MESH", mesh), worlds=len(turns))
    rotated = np.zeros((len(turns), 2, 9))
    for w, k in np.ndindex(len(turns), 2):
        mujoco.mju_quat2Mat(rotated[w, k], np.array(turns[w][k], float))
    if mesh == "plate":
        sides = SIDES if "box" in geom else SIDES[[1, 1]]
        least = np.einsum("wkij,kj->wi", np.abs(rotated).reshape(-1, 2, 3, 3), sides).min(axis=1)
    else:
        least = 0.25 / np.sqrt(3)
    for off in (0.0, 1e-12):
        qpos = np.array([[off, 0, 0, *p, 0, 0, 0, *q] for p, q in turns])
        sim.reset(qpos)
        sim.forward()
        depths = [-min(sim.data.contacts(w)["dist"], default=0.0) for w in range(len(turns))]
        np.testing.assert_allclose(depths, np.broadcast_to(least, len(turns)), atol=1e-7)
        assert np.isfinite(sim.data.qacc).all()


def test_a_core_in_the_middle_of_a_plate(simulators):
    """The search takes what lies in the plane of symmetry for just touching, and inflates it."""
    mj, sim = simulators(WITHIN.replace("GEOM", 'type="sphere" size=".002"').replace("MESH", "plate"), worlds=36)
    qpos = np.tile(mj.qpos0, (36, 1))
    for w in range(36):
        qpos[w, 10:] = QUARTERS[w // 6]
        place = np.array([0.04 * (w % 3), 0.02 * (w % 6 // 3), 0.0])
        mujoco.mju_rotVecQuat(qpos[w, :3], place, qpos[w, 10:])
    sim.reset(qpos)
    sim.forward()
    for w in range(36):
        np.testing.assert_allclose(-sim.data.contacts(w)["dist"].min(), SIDES[1, 2] + 0.002, atol=1e-7)


BEAM = """<mujoco><worldbody><body pos="0 0 0"><freejoint/>
<geom type="box" size="{} .1 .08" quat=".2 .7 -.4 .5" mass="1" margin=".005"/></body>
<body pos=".05 -.02 .25"><freejoint/><geom type="cylinder" size=".09 .11" mass="1"/></body></worldbody></mujoco>"""


@pytest.mark.parametrize("length", (1.0, 1e5))
def test_a_beam_of_a_hundred_kilometres(simulators, length):
    """As shares of its corners its points have no digits; the contacts are those of a short one."""
    mj, sim = simulators(BEAM.format(length))
    rng, data, found = np.random.default_rng(0), mujoco.MjData(mj), 0
    for _ in range(60):
        data.qpos[:] = mj.qpos0
        data.qpos[7:10] += rng.normal(size=3) * 0.06
        turn = rng.normal(size=4)
        data.qpos[10:] = turn / np.linalg.norm(turn)
        mujoco.mj_forward(mj, data)
        sim.reset(data.qpos)
        sim.forward()
        dist = sim.data.contacts()["dist"]
        assert len(dist) == data.ncon
        if data.ncon:
            found += 1
            assert abs(dist.min() - data.contact.dist.min()) < 1e-4
    assert found > 30
