"""Meshes and boxes against each other: all contacts against MuJoCo, at random and with faces nearly flat against each
other."""

import re

import mujoco
import numpy as np
import pytest

from engine.model import constants as c
from tests import zoo
from tests.physics.test_parity import touching_states

# Of faces that lean against each other, radians and metres.
LEANING = (1e-3, 0.02, 0.06, 0.1)
FINE = 'ccd_tolerance="1e-14" ccd_iterations="1000"'
DEPTHS = (1e-4, 2e-3, 0.02)


def turned(axis, angle):
    q = np.zeros(4)
    mujoco.mju_axisAngle2Quat(q, np.array(axis, float), angle)
    return q


def times(p, q):
    r = np.zeros(4)
    mujoco.mju_mulQuat(r, p, q)
    return r


def face_upwards(mj, geom, rng, up):
    """A pose of the body of a geom at which one of its faces, taken at random, looks along up z, spun at random."""
    if mj.geom_type[geom] == c.MESH:
        mesh = mj.geom_dataid[geom]
        n = mj.mesh_polynormal[mj.mesh_polyadr[mesh] + rng.integers(mj.mesh_polynum[mesh])]
    else:
        n = np.eye(3)[rng.integers(3)] * rng.choice((-1, 1))
    mujoco.mju_rotVecQuat(n := np.array(n), n, mj.geom_quat[geom])
    z = np.array([0.0, 0, up])
    axis = np.cross(n, z)
    sine = np.linalg.norm(axis)
    q = turned(axis / sine if sine > 1e-9 else (1, 0, 0), np.arctan2(sine, n @ z))
    return times(turned((0, 0, 1), rng.uniform(0, 6)), q)


def leaning_states(mj, count, seed=0, leaning=LEANING):
    """States with a face of the first geom nearly flat against one of the second, a little inside it."""
    rng, data = np.random.default_rng(seed), mujoco.MjData(mj)
    geoms = mj.geom("g1").id, mj.geom("g2").id
    for _ in range(count):
        axis = rng.normal(size=3)
        lean = turned(axis / np.linalg.norm(axis), rng.choice(leaning) * rng.normal())
        data.qpos[3:7] = face_upwards(mj, geoms[0], rng, 1)
        data.qpos[10:] = times(lean, face_upwards(mj, geoms[1], rng, -1))
        way = np.append(0.3 * rng.normal(size=2), 1)
        near, far = 0.0, 1.0
        for _ in range(30):
            data.qpos[:3], data.qpos[7:10] = 0, (near + far) / 2 * way
            mujoco.mj_kinematics(mj, data)
            if mujoco.mj_geomDistance(mj, data, *geoms, 0.01, None) > 1e-9:
                far = (near + far) / 2
            else:
                near = (near + far) / 2
        data.qpos[7:10] = far * way - (0, 0, rng.choice(DEPTHS))
        yield data.qpos.copy()


def compare(mj, sim, qpos):
    """How many contacts there are, as many as MuJoCo's, and the largest differences of their dist, pos and normal."""
    data = mujoco.MjData(mj)
    data.qpos[:] = qpos
    mujoco.mj_fwdPosition(mj, data)
    sim.reset(qpos)
    sim.forward()
    found = sim.data.contacts()
    ours = np.column_stack([found["dist"], found["pos"], found["frame"][:, 0]])
    real = data.contact.exclude == 0
    theirs = np.column_stack([data.contact.dist, data.contact.pos, data.contact.frame[:, :3]])[real]
    assert len(ours) == len(theirs)
    errors = np.zeros(3)
    left = list(theirs)
    for contact in ours:  # MuJoCo's order of an edge's ends is that in which it found them
        other = left.pop(np.argmin([np.linalg.norm(contact[:4] - x[:4]) for x in left]))
        apart = np.abs(contact - other)
        errors = np.maximum(errors, (apart[0], apart[1:4].max(), apart[4:].max()))
    return len(ours), errors


@pytest.mark.parametrize("kinds", zoo.HULLS, ids="-".join)
def test_at_random(simulators, kinds):
    mj, sim = simulators(zoo.touching(*kinds))
    counts = []
    for state in touching_states(mj, 100):
        count, errors = compare(mj, sim, state[0])
        # the corners of a mesh's face, of 32 bits, are not quite in a plane
        assert (errors < (1e-7 if count == 1 else 1e-9)).all(), errors
        counts.append(count)
    assert set(counts) >= {1, 2}


@pytest.mark.parametrize("kinds", zoo.HULLS, ids="-".join)
def test_nearly_flat(simulators, kinds):
    mj, sim = simulators(zoo.touching(*kinds))
    counts = []
    for qpos in leaning_states(mj, 100):
        count, errors = compare(mj, sim, qpos)
        assert (errors < (1e-7 if count == 1 else 1e-9)).all(), errors
        counts.append(count)
    assert set(counts) >= {1, 2, 3, 4}


@pytest.mark.parametrize("bend", (0.02, 0.03), ids="{}".format)
def test_faces_that_are_not_flat(simulators, bend):
    """Of what MuJoCo takes for one face, as triangles lean against each other by less than 4 milliradians, each has its
    own plane; and an edge may be one of three faces, of which two count."""
    grid = np.linspace(-0.15, 0.15, 5)
    bowls = [(x, y, side * (0.05 - bend * (x * x + y * y))) for x in grid for y in grid for side in (1, -1)]
    vertices = " ".join(f"{x:.6f} {y:.6f} {z:.6f}" for x, y, z in bowls)
    mj, sim = simulators(re.sub('vertex="[^"]*"', f'vertex="{vertices}"', zoo.touching("mesh", "mesh")))
    for qpos in [state[0] for state in touching_states(mj, 30)] + list(leaning_states(mj, 30)):
        _, errors = compare(mj, sim, qpos)
        assert (errors < (1e-9, 1e-9, 1e-7)).all(), errors


@pytest.mark.parametrize("kinds", zoo.HULLS, ids="-".join)
def test_flat(simulators, kinds):
    """Of clipped corners that coincide rounding decides which one is named twice; the rest is as in MuJoCo."""
    mj, sim = simulators(zoo.touching(*kinds))
    same = 0
    for qpos in leaning_states(mj, 60, leaning=(0.0, 1e-12)):
        _, errors = compare(mj, sim, qpos)
        assert errors[0] < 1e-7 and errors[2] < 1e-6
        same += errors[1] < 1e-7
    assert same >= 55


@pytest.mark.parametrize("kinds", zoo.HULLS, ids="-".join)
def test_within_a_margin(simulators, kinds):
    """MuJoCo inflates the shapes and finds the normal of a single contact, and with it the rest, to 1e-3 only."""
    mj, sim = simulators(zoo.touching(*kinds, 'margin=".02" gap=".01"'))
    counts = []
    for qpos in leaning_states(mj, 60, seed=1):
        count, errors = compare(mj, sim, qpos)
        assert (errors < (1e-5, 1e-2, 2e-2) if count == 1 else errors < 1e-9).all(), errors
        counts.append(count)
    assert set(counts) >= {2, 3, 4}


ROUND = (("capsule", "mesh"), ("capsule", "cylinder"), ("cylinder", "mesh"), ("cylinder", "box"))


@pytest.mark.parametrize("margin", ("", 'margin=".02"'), ids=("", "margin"))
@pytest.mark.parametrize("kinds", ROUND, ids="-".join)
def test_round_sides(simulators, kinds, margin):
    """Lines of sides, caps and edges against faces. Which corners of a cap there are is a tie where some coincide."""
    mj, sim = simulators(zoo.touching(*kinds, margin, FINE))
    counts, other = [], 0
    for qpos in leaning_states(mj, 60, seed=2):
        count, errors = compare(mj, sim, qpos)
        assert errors[2] < 1e-4
        other += (errors > (1e-6, 1e-4, 1e-4)).any()
        counts.append(count)
    assert 2 in counts and other <= ("cylinder" in kinds)


def test_caps(simulators):
    """Of two rings of sixteen corners many fours are of one size: MuJoCo's digits of their corners decide."""
    xml = zoo.touching("cylinder", "cylinder", "", FINE)
    small = 'type="cylinder" size=".06 .05"'
    mj, sim = simulators(small.join(xml.rsplit(zoo.SHAPES["cylinder"], 1)))
    rng, same, tried = np.random.default_rng(0), 0, 0
    for _ in range(60):
        tilt = turned((1, 0, 0), 0.02)
        spin, place = turned((0, 0, 1), rng.uniform(0, 6)), 0.04 * rng.normal(size=2)
        height = sum(mj.geom(name).size[1] for name in ("g1", "g2"))
        qpos = np.concatenate([(0, 0, 0), times(tilt, spin), (*place, height - 0.005), (1, 0, 0, 0)])
        count, errors = compare(mj, sim, qpos)
        tried += count == 4
        same += count == 4 and errors[1] < 1e-7
    assert tried > 50 and same > 0.8 * tried


@pytest.mark.parametrize("kinds", zoo.HULLS, ids="-".join)
def test_without_multiccd(simulators, kinds):
    mj, sim = simulators(zoo.touching(*kinds).replace("<size", '<option><flag multiccd="disable"/></option><size'))
    for qpos in leaning_states(mj, 20):
        count, errors = compare(mj, sim, qpos)
        assert count == 1 and errors[0] < 1e-8


# A box so deep in a cylinder that the search meets one of its faces in two corners, or in three, as rounding decides.
DEEP = """<mujoco><option ccd_tolerance="1e-14" ccd_iterations="1000"/><worldbody>
<body pos="-.162223833 .314317125 .262192286" quat=".272100982 -.497881203 .82306987 .025127086"><freejoint/>
<geom name="g1" type="cylinder" size=".083449 .094649" mass="1"/></body>
<body pos="-.235359866 .34980188 .202033657" quat=".365272315 .851232797 -.217326995 -.307811367"><freejoint/>
<geom name="g2" type="box" size=".074994 .14799 .13604" mass="1"/></body></worldbody></mujoco>"""


def test_a_face_of_a_box_met_in_two_corners(simulators):
    """It is no edge then: that would lie along the cylinder's cap, twice as deep."""
    mj, sim = simulators(DEEP)
    rng = np.random.default_rng(0)
    for size in 10.0 ** rng.uniform(-16, -8, 60):
        count, errors = compare(mj, sim, mj.qpos0 + size * rng.normal(size=mj.nq))
        assert count == 1
        assert (errors < 1e-7).all(), errors


APART = [0.088467, 0.357214, 0.363173, -0.441258, 0.352198, 0.701884, 0.434289,
         0.360407, 0.24953, 0.373827, 0.099546, 0.636494, 0.082285, 0.760391]  # fmt: skip


def test_an_edge_beside_a_corner(simulators):
    """Of an edge and a corner that are next to each other an edge at the corner is asked first whether it lies in a
    face; the numbers are those of a random file, and some beside."""
    corners = [[x, y, z] for x in (-0.0675, 0.0675) for y, z in ((0.12, 0), (0.06, 0.124704), (-0.06, 0.124704))]
    hull = " ".join(f"{s * v:g}" for s in (-1, 1) for v in np.ravel(corners))
    xml = f"""<mujoco><option {FINE}/><asset><mesh name="a" vertex="{hull}"/></asset><worldbody>
      <body><freejoint/><geom type="box" size=".14855 .11852 .062767" margin=".0135"/></body>
      <body><freejoint/><geom type="mesh" mesh="a" margin=".0135"/></body></worldbody></mujoco>"""
    mj, sim = simulators(xml, mujoco.mjtIntegrator.mjINT_EULER)
    data, rng, sets = mujoco.MjData(mj), np.random.default_rng(0), 0
    for k in range(200):
        data.qpos[:] = APART
        if k:
            turn = [*np.zeros(6), *0.003 * rng.normal(size=3), *0.05 * rng.normal(size=3)]
            mujoco.mj_integratePos(mj, data.qpos, turn, 1.0)
        mujoco.mj_forward(mj, data)
        sim.reset(data.qpos, np.zeros(mj.nv))
        sim.forward()
        ours, theirs = np.sort(sim.data.contacts()["dist"]), np.sort(data.contact.dist[data.contact.exclude == 0])
        assert len(ours) == len(theirs) and np.allclose(ours, theirs, rtol=0, atol=1e-6), (k, ours, theirs)
        sets += len(ours) > 1
    assert 10 < sets < 190, sets
