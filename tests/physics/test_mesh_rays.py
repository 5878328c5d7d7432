"""Rangefinders that see meshes: the triangles of the mesh itself, from both sides, as in MuJoCo."""

from pathlib import Path
from types import SimpleNamespace

import mujoco
import numpy as np
import pytest

import engine
from engine.model.triangles import BOX, CORNERS, LEAF, NODE, ranged, tree_sizes, trees
from tests import zoo

ROBOTS = Path(__file__).resolve().parents[2].parent / "shared" / "robots"
QUIET = 'contype="0" conaffinity="0"'


def words(numbers):
    return " ".join(map(str, np.ravel(numbers)))


def bumpy(name, around, up, seed, more=""):
    """(element, vertices) of a closed mesh of bumps and dents, whose every point the origin sees."""
    rng = np.random.default_rng(seed)
    rows, turns = np.pi * np.arange(1, up) / up, 2 * np.pi * np.arange(around) / around
    rows, turns = (a.ravel() for a in np.meshgrid(rows, turns, indexing="ij"))
    sides = np.stack([np.sin(rows) * np.cos(turns), np.sin(rows) * np.sin(turns), np.cos(rows)], axis=1)
    vert = np.concatenate([sides * rng.uniform(0.12, 0.35, (len(sides), 1)), [[0, 0, 0.3], [0, 0, -0.25]]])
    face = []
    for j in range(around):
        k = (j + 1) % around
        for low in around * np.arange(up - 2):
            face += [[low + j, low + j + around, low + k], [low + k, low + j + around, low + k + around]]
        last = around * (up - 2)
        face += [[len(sides), j, k], [len(sides) + 1, last + k, last + j]]
    return f'<mesh name="{name}" vertex="{words(vert)}" face="{words(face)}" {more}/>', vert


ASSETS = bumpy("fine", 14, 10, 1)[0] + bumpy("flat", 7, 5, 2, 'scale="1 1.3 .4"')[0] + bumpy("rough", 5, 4, 3)[0]


def sites_and_sensors(points, directions):
    sites = "".join(
        f'<site name="s{k}" pos="{words(p)}" zaxis="{words(z)}"/>'
        for k, (p, z) in enumerate(zip(points, directions, strict=True))
    )
    return sites, "".join(f'<rangefinder site="s{k}"/>' for k in range(len(points)))


def landscape():
    """Meshes of which several geoms share one, on two bodies, the world and a mocap body; one mesh cannot be seen; rays
    of a third body from everywhere, from within as well."""
    rng = np.random.default_rng(0)
    sites, sensors = sites_and_sensors(rng.uniform(-0.7, 0.7, (40, 3)), rng.normal(size=(40, 3)))

    def mesh(name, place, more=""):
        return f'<geom type="mesh" mesh="{name}" {place} {more} {QUIET}/>'

    return zoo.model(
        f"""{mesh("fine", 'pos="0 0 -.5" euler="10 20 30"')}
        <body pos="0 .3 0"><freejoint/>{mesh("flat", 'mass="1"')}
        {mesh("fine", 'pos=".4 .1 0" euler="0 0 80"', 'mass="1"')}</body>
        <body pos="0 -.3 0"><freejoint/>{mesh("flat", 'euler="40 2 3"', 'mass="1"')}
        {mesh("rough", "", 'rgba="1 1 1 0"')}<geom type="box" size=".1 .1 .1" pos="-.4 .1 0" {QUIET}/></body>
        <body mocap="true" pos=".3 0 .6">{mesh("rough", 'euler="3 4 5"')}</body>
        <body><freejoint/>{sites}<geom size=".01" mass="1" {QUIET}/></body>""",
        "<sensor>" + sensors.replace("/>", ' data="dist normal"/>') + "</sensor>", default=f"<asset>{ASSETS}</asset>",
    )  # fmt: skip


def test_what_rangefinders_see(simulators):
    mj, sim = simulators(landscape())
    rng, data, met, missed = np.random.default_rng(0), mujoco.MjData(mj), 0, 0
    assert ranged(sim.model).size == 3  # the rough one for the mocap body's sake
    for seed in range(60):
        qpos, qvel, _, _ = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.3)
        data.qpos[:], data.qvel[:] = qpos, qvel
        data.mocap_pos[:] = rng.normal(size=3) * 0.3
        mujoco.mj_forward(mj, data)
        sim.reset(qpos, qvel)
        sim.data.mocap_pos[:] = data.mocap_pos
        sim.forward()
        assert np.abs(sim.data.sensordata[0] - data.sensordata).max() < 1e-9
        dist = data.sensordata[::4]
        met, missed = met + (dist >= 0).sum(), missed + (dist < 0).sum()
    assert met > 300 and missed > 300


def test_no_ray_goes_through_an_edge(simulators):
    """From without through each corner and the middle of each edge to a point that all of the mesh sees, and from there
    out again: what is closed is met, at no more than the corner's distance. MuJoCo's own rays may slip through."""
    text, _ = bumpy("fine", 9, 7, 4)
    mj = mujoco.MjModel.from_xml_string(f"<mujoco><asset>{text}</asset><worldbody><geom type='mesh' mesh='fine'/>"
                                        "</worldbody></mujoco>")  # fmt: skip
    vert, face = mj.mesh_vert.astype(float), mj.mesh_face
    start = mujoco.MjData(mj)
    mujoco.mj_forward(mj, start)
    turn, middle = start.geom_xmat[0].reshape(3, 3), start.geom_xpos[0]
    edges = np.unique(np.sort(np.concatenate([face[:, :2], face[:, 1:], face[:, ::2]]), axis=1), axis=0)
    on = np.concatenate([vert, 0.5 * (vert[edges[:, 0]] + vert[edges[:, 1]])]) @ turn.T + middle
    out = on / np.linalg.norm(on, axis=1, keepdims=True)  # the origin is what sees all
    points, directions = np.concatenate([on + 0.7 * out, 0 * on]), np.concatenate([-out, out])
    sites, sensors = sites_and_sensors(points, directions)
    body = f'<geom type="mesh" mesh="fine"/><body>{sites}<joint axis="0 0 1"/><geom size=".001" {QUIET}/></body>'
    mj, sim = simulators(zoo.model(body, f"<sensor>{sensors}</sensor>", default=f"<asset>{text}</asset>"))
    data = mujoco.MjData(mj)
    mujoco.mj_forward(mj, data)
    sim.forward()
    found, n = sim.data.sensordata[0], len(on)
    assert (found >= 0).all() and (found[:n] < 0.7 + 1e-7).all()  # corners are in float32
    np.testing.assert_allclose(found[n:], np.linalg.norm(on, axis=1), rtol=0, atol=1e-7)
    alike = np.abs(found - data.sensordata) < 1e-9
    assert alike.mean() > 0.95 and ((data.sensordata < 0) | (data.sensordata > found))[~alike].all()


def test_trees_hold_their_triangles():
    rng = np.random.default_rng(0)
    for n in (0, 1, LEAF, LEAF + 1, 2 * LEAF + 1, 300):
        vert = rng.normal(size=(max(n // 2, 3), 3))
        m = SimpleNamespace(mesh_vert=[vert] * 3, mesh_face=[rng.integers(0, len(vert), (n, 3))] * 3)
        node, number, ends = trees(m, [0, 2], 10, 20)
        assert tree_sizes(m, [0, 2]) == (len(node), len(number)) and (ends[1] == 0).all()
        told = []
        for begin, end in ends[[0, 2]]:
            for i in range(begin, end, NODE):
                after, box, _, _ = node[i - 10 : i - 10 + NODE]
                assert i < after <= end
                low, high = number[box - 20 : box - 20 + BOX].reshape(2, 3)
                for j in range(i, after, NODE):
                    _, _, first, count = node[j - 10 : j - 10 + NODE]
                    own = number[first - 20 : first - 20 + CORNERS * count].reshape(-1, 3)
                    assert (own >= low).all() and (own <= high).all()
                    told += own.reshape(-1, 3, 3).tolist() if i == begin else []
        assert sorted(told) == sorted(2 * vert[m.mesh_face[0]].tolist())


def test_robots_without_rangefinders_have_no_trees():
    text = landscape()
    without = engine.load(text[: text.index("<sensor>")] + "</mujoco>")
    assert not ranged(without).size and "mesh_range" not in engine.compiler.features.features_of(without)
    sim = engine.Simulator(without)
    assert sim.model_pack["ray_number"].size == 1
    assert "mesh_range" in engine.compiler.features.features_of(engine.load(text))


@pytest.mark.slow
@pytest.mark.parametrize("robot", ["unitree_go1/scene.xml", "rethink_robotics_sawyer/scene.xml"])
def test_robots_of_other_people(robot):
    """Two rangefinders, and forty more all around, on the last body of a robot that is drawn with meshes."""
    if not (ROBOTS / robot).exists():
        pytest.skip(f"there is no {robot} beside this checkout")
    spec, rng = mujoco.MjSpec.from_file(str(ROBOTS / robot)), np.random.default_rng(0)
    bodies = [body for body in spec.bodies if body.name != "world"]
    for k in range(42):
        body = bodies[1] if k == 0 else bodies[-1]
        site = body.add_site(name=f"ray{k}", pos=0.1 * rng.normal(size=3), quat=rng.normal(size=4))
        spec.add_sensor(name=f"range{k}", type=mujoco.mjtSensor.mjSENS_RANGEFINDER, objname=site.name,
                        objtype=mujoco.mjtObj.mjOBJ_SITE, intprm=[1, 0, 0])  # fmt: skip
    mj = spec.compile()
    sim, data = engine.Simulator(engine.load(mj)), mujoco.MjData(mj)
    own = [k for k in range(mj.nsensor) if mj.sensor_type[k] == mujoco.mjtSensor.mjSENS_RANGEFINDER]
    of, met = mj.sensor_adr[own], np.zeros(mj.ngeom, bool)
    geom = np.zeros(1, np.int32)
    for seed in range(40):
        qpos = zoo.random_state(mujoco, mj, np.random.default_rng(seed), 0.5)[0]
        data.qpos[:], data.qvel[:] = qpos, 0
        mujoco.mj_forward(mj, data)
        sim.reset(qpos)
        sim.forward()
        np.testing.assert_allclose(sim.data.sensordata[0, of], data.sensordata[of], rtol=1e-9, atol=1e-9)
        for k in range(mj.nsite):
            mujoco.mj_ray(mj, data, data.site_xpos[k], data.site_xmat[k, 2::3], None, 1, mj.site_bodyid[k], geom)
            met[geom[0]] |= geom[0] >= 0
    assert (met & (mj.geom_type == mujoco.mjtGeom.mjGEOM_MESH)).sum() > 5
