"""Rays and depth cameras above height fields: MuJoCo's distances, gradients to poses, and nothing of it without one."""

import functools

import mujoco
import numpy as np
import pytest

import engine
from engine.model.coordinates import displace
from engine.rays import Depth
from engine.rays.caster import field_rows
from tests.rays.test_rays import derivative

HILLS = np.random.default_rng(0).uniform(0, 1, (9, 12))
SCENE = f"""<mujoco><default><geom contype="0"/></default><asset>
<hfield name="hills" nrow="9" ncol="12" size="1.2 .9 .5 .2" elevation="{' '.join(f'{z:.3f}' for z in HILLS.ravel())}"/>
</asset><worldbody>
<body name="tray" pos="0 .1 .2"><joint axis="1 .3 0"/><joint axis="0 1 .2"/><joint type="slide"/>
<geom name="ground" type="hfield" hfield="hills" euler="5 -8 20"/>
<geom name="stone" size=".15" pos=".2 .1 .5"/></body>
<body pos="0 0 1.6"><joint axis="0 1 0"/><geom size=".05" mass="1"/><site name="eye" euler="10 15 0"/></body>
</worldbody></mujoco>"""


@pytest.fixture(scope="module")
def scene():
    model = engine.load(SCENE)
    sim = engine.Simulator(model)
    sim.reset(displace(model, model.qpos0[None], 0.1 * np.random.default_rng(1).normal(size=(1, model.nv))))
    return mujoco.MjModel.from_xml_string(SCENE), sim


def some_rays(n):
    rng = np.random.default_rng(2)
    points = rng.uniform([-1.5, -1.2, -0.2], [1.5, 1.2, 1.6], (n, 3))
    return points, 0.8 * (rng.uniform([-1, -0.8, 0], [1, 0.8, 0.5], (n, 3)) - points)


def test_without_a_field_there_is_none_of_it():
    bare = engine.load("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
    assert field_rows(bare, 7)[0].shape == (0, 4)


@pytest.mark.slow
def test_distances_are_mujocos(scene):
    mj, sim = scene
    points, directions = some_rays(500)
    found = sim.rays(points, directions)
    data = mujoco.MjData(mj)
    data.qpos[:] = sim.data.qpos[0]
    mujoco.mj_forward(mj, data)
    met = set()
    for k, (p, v) in enumerate(zip(points, directions, strict=True)):
        geom, length = np.zeros(1, np.int32), np.linalg.norm(v)
        x = mujoco.mj_ray(mj, data, p, v / length, None, 1, -1, geom)
        assert found.geom[0, k] == geom[0]
        assert found.dist[0, k] == pytest.approx(x / length if x >= 0 else -1, abs=1e-6)  # its elevations are float32
        met.add(int(geom[0]))
    assert met >= {-1, sim.model.geom("ground"), sim.model.geom("stone")}


@pytest.mark.slow
def test_gradients(scene):
    """By poses and rays, of rays and of a camera, soft or not."""
    _, sim = scene
    points, directions = some_rays(40)
    rng = np.random.default_rng(3)
    weight, way = rng.normal(size=(1, 40)), rng.normal(size=sim.model.nv)
    start = sim.data.qpos.copy()

    def image(camera, h):
        sim.reset(displace(sim.model, start, h * way[None]))
        return sim.rays(points, directions) if camera is None else camera()

    def loss(camera, h):
        found = image(camera, h)
        told = found.dist if camera is None else found.depth
        return float((weight.ravel()[: told.size] * told.ravel()).sum())

    for camera in (None, Depth(sim, "eye", (6, 5), fov=50), Depth(sim, "eye", (6, 5), fov=50, soft=0.1)):
        now = image(camera, 0.0)
        if camera is None:
            got = now.pull(weight)
            assert np.count_nonzero(now.geom == sim.model.geom("ground")) > 10
        else:
            got = camera.pull(now, weight.ravel()[: now.depth.size].reshape(now.depth.shape))
        got, want = float(got.qpos[0] @ way), derivative(functools.partial(loss, camera))
        assert got == pytest.approx(want, rel=1e-6)
    sim.reset(start)
