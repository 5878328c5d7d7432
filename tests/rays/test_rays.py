"""Rays and depth cameras: MuJoCo's distances, exact gradients of everything that a ray depends on, clear refusals."""

import copy
import pickle

import mujoco
import numpy as np
import pytest

import engine
from engine.model import constants as c
from engine.model.coordinates import direction, displace
from engine.rays import Depth
from tests.gradients import differences

SCENE = """
<mujoco>
  <asset><mesh name="wedge" vertex="0 0 0  .3 0 0  0 .3 0  .3 .3 0  .1 .1 .3  .2 .2 .3"/>
    <mesh name="dented" vertex=".2 0 0 0 .25 0 -.2 0 0 0 -.15 0 0 0 .2 .02 .01 .05"
      face="0 1 4 1 2 4 2 3 4 3 0 4 1 0 5 2 1 5 3 2 5 0 3 5"/></asset>
  <worldbody>
    <geom name="floor" type="plane" size="3 3 1" pos="0 0 -0.1"/>
    <geom name="glass" type="box" size=".2 .2 .2" pos="0 0 .4" rgba="1 1 1 0"/>
    <body name="arm" pos="-1 0 .8"><joint name="turn" axis="0 0 1"/><joint name="nod" axis="0 1 0"/>
      <geom name="own" type="capsule" size=".05 .2"/>
      <site name="eye" pos=".1 .02 .03" euler="10 -75 5"/>
      <body pos=".1 .5 0"><joint name="wrist" axis="1 0 0"/>
        <geom name="hand" type="cylinder" size=".1 .15"/></body>
    </body>
    <body name="loose" pos="0 .1 .3"><freejoint/>
      <geom name="box" type="box" size=".1 .15 .2" pos=".1 0 0" euler="20 30 40"/>
      <geom name="egg" type="ellipsoid" size=".1 .2 .15" pos="-.3 .2 .1"/>
      <geom name="pill" type="capsule" size=".08 .2" pos="0 -.4 .1" euler="60 0 0"/>
      <geom name="stone" type="mesh" mesh="wedge" pos=".4 .4 0"/>
      <geom name="drawn" type="mesh" mesh="dented" pos="-.3 -.3 .2" euler="-60 10 0" contype="0" conaffinity="0"/>
    </body>
    <body name="ball" pos=".5 -.5 .5"><joint type="ball"/>
      <geom name="ball" type="sphere" size=".12" pos=".1 0 0"/></body>
    <body name="hook" mocap="true" pos=".3 .6 .6"><geom name="hook" type="cylinder" size=".2 .3" euler="80 0 0"/></body>
  </worldbody>
</mujoco>"""
STEPS = (1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 1e-7)
FRAMES = ("geom_pos", "geom_quat", "geom_size")


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """(MjModel, Simulator of two worlds, at two states), whose parameters of geoms are leaves."""
    path = tmp_path_factory.mktemp("rays") / "scene.xml"
    path.write_text(SCENE)
    model = engine.load(path)
    sim = engine.Simulator(model, 2, leaves=FRAMES)
    rng = np.random.default_rng(0)
    sim.reset(displace(model, np.tile(model.qpos0, (2, 1)), 0.1 * rng.normal(size=(2, model.nv))))
    return mujoco.MjModel.from_xml_string(SCENE), sim


def derivative(f):
    return differences.derivative(f, STEPS, 1e-13)[0]


def some_rays(n, seed=1):
    rng = np.random.default_rng(seed)
    points = rng.uniform([-1.5, -1.5, -0.05], [1.5, 1.5, 1.5], (n, 3))
    directions = rng.uniform(-0.5, 0.5, (n, 3)) + [0, 0, 0.3] - points
    return points, 0.7 * directions


def test_distances_are_mujocos(scene):
    mj, sim = scene
    points, directions = some_rays(400)
    found = sim.rays(points, directions, exclude="arm")
    d = mujoco.MjData(mj)
    arm = mujoco.mj_name2id(mj, mujoco.mjtObj.mjOBJ_BODY, "arm")
    hits = set()
    for w in range(2):
        d.qpos[:] = sim.data.qpos[w]
        mujoco.mj_forward(mj, d)
        for k in range(len(points)):
            geom = np.zeros(1, np.int32)
            length = np.linalg.norm(directions[k])
            x = mujoco.mj_ray(mj, d, points[k], directions[k] / length, None, 1, arm, geom)
            assert found.geom[w, k] == geom[0], (w, k)
            assert found.dist[w, k] == pytest.approx(x / length if geom[0] >= 0 else -1, rel=1e-10)
            hits.add(int(geom[0]))
    names = {sim.model.geom_names[g] for g in hits if g >= 0}
    assert names == {"floor", "hand", "box", "egg", "pill", "stone", "drawn", "ball", "hook"} and -1 in hits


def test_some_geoms_alone(scene):
    _, sim = scene
    points, directions = some_rays(50)
    assert set(np.unique(sim.rays(points, directions, geoms=["floor", "box"]).geom)) <= {-1, 0, sim.model.geom("box")}
    for wrong, message in ((["glass"], "geoms: geom 'glass' is not seen"), (["flor"], "no geom 'flor'")):
        with pytest.raises((ValueError, engine.ModelError), match=message):
            sim.rays(points, directions, geoms=wrong)
    with pytest.raises(ValueError, match=r"rays: got points \(3, 2\)"):
        sim.rays(np.zeros((3, 2)), directions)
    with pytest.raises(ValueError, match="no length"):
        sim.rays(points, np.zeros(3))


def test_a_soft_camera_sees_hulls_alone(scene):
    _, sim = scene
    seen = [set(np.unique(Depth(sim, "eye", (48, 36), fov=70, soft=soft)().geom)) for soft in (0.0, 1e-3)]
    assert seen[0] - seen[1] == {sim.model.geom("drawn")}
    with pytest.raises(ValueError, match="geom 'drawn' is not seen by rays: .* has no hull"):
        Depth(sim, "eye", soft=0.1, geoms=["drawn"])


def moved(sim, loss, name, way, h):
    """`loss()` after the state or a parameter has moved by h along a way."""
    array = getattr(sim.data, name, None) if name in ("qpos", "mocap_pos", "mocap_quat") else None
    array = sim.params[name] if array is None else array
    kept = array.copy()
    try:
        array[...] = kept + h * way
        return loss()
    finally:
        array[...] = kept


@pytest.mark.parametrize("soft", [0.0, 0.15])
@pytest.mark.parametrize("name", ["qpos", "mocap_pos", "mocap_quat", *FRAMES])
def test_gradients_of_a_camera(scene, name, soft):
    """Of depth, and of a soft camera's coverage, by states and shapes. A hard camera's silhouettes jump, so there the
    loss keeps to pixels that see the same geom all around."""
    _, sim = scene
    camera = Depth(sim, "eye", (24, 18), fov=70, soft=soft)
    first = camera()
    rng = np.random.default_rng(2)
    weight, share = rng.normal(size=first.depth.shape), rng.normal(size=first.depth.shape) * bool(soft)
    if not soft:
        weight = weight * smooth(first.geom)
        assert (weight != 0).sum() > 100

    def loss():
        image = camera()
        return float((weight * image.depth + share * image.coverage).sum())

    grads = camera.pull(camera(), weight, share)
    value = getattr(grads, name) if hasattr(grads, name) else grads.model[name]
    direction = rng.normal(size=value.shape)
    if name == "geom_size":
        direction *= (sim.params[name] != 0) & (sim.model.geom_type != c.MESH)[:, None]
    got = float((value * direction).sum())
    want = derivative(lambda h: moved(sim, loss, name, direction, h))
    scale = np.linalg.norm(value) * np.linalg.norm(direction)
    assert abs(got - want) <= 1e-6 * max(abs(want), 0.1 * scale) and scale > 1e-3


def smooth(geom):
    """Pixels whose neighbours see the same geom."""
    same = np.zeros(geom.shape, bool)
    inner = geom[..., 1:-1, 1:-1]
    same[..., 1:-1, 1:-1] = inner >= 0
    for y in (-1, 0, 1):
        for x in (-1, 0, 1):
            rows, columns = slice(1 + y, geom.shape[-2] - 1 + y), slice(1 + x, geom.shape[-1] - 1 + x)
            same[..., 1:-1, 1:-1] &= geom[..., rows, columns] == inner
    return same


@pytest.mark.parametrize("name", ["site_pos", "site_quat"])
def test_gradients_by_the_camera(scene, name):
    _, sim = scene
    camera = Depth(sim, "eye", (16, 12), fov=70, soft=0.1)
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(2, 12, 16))
    value = camera.pull(camera(), weight).model[name]
    direction = rng.normal(size=value.shape)
    array = getattr(sim.model, name)
    kept = array.copy()

    def loss(h):
        array[...] = kept + h * direction
        array_quat = sim.model.site_quat
        array_quat /= np.linalg.norm(array_quat, axis=1, keepdims=True)
        try:
            return float((weight * camera().depth).sum())
        finally:
            array[...] = kept

    got = float((value * direction).sum())
    want = derivative(loss)
    assert abs(got - want) <= 1e-6 * max(abs(want), 0.1 * np.linalg.norm(value) * np.linalg.norm(direction))
    others = np.delete(value, camera.site, axis=0)
    assert not others.any()


@pytest.mark.parametrize("soft", [0.0, 0.15])
def test_forwards_against_backwards(scene, soft):
    """<bar, push(dot)> = <pull(bar), dot>, to rounding, with several rays in a pixel."""
    _, sim = scene
    camera = Depth(sim, "eye", (12, 9), fov=70, soft=soft, samples=2)
    image, rng = camera(), np.random.default_rng(4)
    dot = direction(sim.model, sim.data.qpos, rng.normal(size=(2, sim.model.nv)))
    bars = rng.normal(size=(2, *image.depth.shape))
    depth, coverage = camera.push(image, dot)
    forwards = float((bars[0] * depth + bars[1] * coverage).sum())
    backwards = float((camera.pull(image, *bars).qpos * dot).sum())
    assert forwards == pytest.approx(backwards, rel=1e-9) and abs(forwards) > 1e-3
    other = direction(sim.model, sim.data.qpos, rng.normal(size=(2, sim.model.nv)))
    both = camera.push(image, np.stack([other, dot]))
    for several, alone, another in zip(both, (depth, coverage), camera.push(image, other), strict=True):
        np.testing.assert_array_equal(several, np.stack([another, alone]))
    for wrong in (dot[0], np.zeros((0, *dot.shape)), dot[None, None]):
        with pytest.raises(ValueError, match="qpos: got"):
            camera.push(image, wrong)


def test_a_pixel_of_several_rays_is_their_mean(scene):
    _, sim = scene
    fine, coarse = Depth(sim, "eye", (24, 18), fov=70)(), Depth(sim, "eye", (8, 6), fov=70, samples=3)()
    mean = fine.depth.reshape(2, 6, 3, 8, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(coarse.depth, mean, rtol=1e-12)
    np.testing.assert_array_equal(coarse.hit, fine.hit.reshape(2, 6, 3, 8, 3).any(axis=(2, 4)))


def test_gradients_of_rays(scene):
    _, sim = scene
    points, directions = some_rays(40, seed=5)
    found = sim.rays(points, directions)
    weight = np.random.default_rng(6).normal(size=found.dist.shape) * (found.geom >= 0)
    grads = found.pull(weight)
    for name, array in (("points", points), ("directions", directions)):
        direction = np.random.default_rng(7).normal(size=array.shape)

        def loss(h, array=array, direction=direction, name=name):
            given = {"points": points, "directions": directions} | {name: array + h * direction}
            moved = sim.rays(**given)
            same = moved.geom == found.geom
            return float((weight * np.where(same, moved.dist, np.nan)).sum())

        got = float((grads.model[name].sum(axis=0) * direction).sum())
        want = derivative(loss)
        assert abs(got - want) <= 1e-6 * abs(want)
    with pytest.raises(ValueError, match="dist_bar"):
        found.pull(weight[0])


def test_a_soft_camera_becomes_a_hard_one(scene):
    _, sim = scene
    both = [name for name in sim.model.geom_names if name not in ("glass", "drawn")]  # what both see
    hard = Depth(sim, "eye", (16, 12), fov=70, geoms=both)()
    soft = Depth(sim, "eye", (16, 12), fov=70, soft=1e-4, geoms=both)()
    inner = smooth(hard.geom)
    np.testing.assert_allclose(soft.depth[inner], hard.depth[inner], atol=2e-3)
    assert (soft.coverage[inner] > 0.99).all() and (hard.depth[~hard.hit] == 10).all()
    np.testing.assert_array_equal(hard.coverage, hard.hit)


def test_along_a_rollout_back_to_its_start(scene):
    """The gradient of a loss on the images of all rows by the start and by controls' absence: through tape.backward."""
    _, sim = scene
    model = sim.model
    alone = engine.Simulator(model)
    camera = Depth(alone, "eye", (8, 6), fov=70, soft=0.2)
    tape = engine.Tape(alone, 4)
    rng = np.random.default_rng(8)
    qvel = 0.3 * rng.normal(size=model.nv)
    weight = rng.normal(size=(5, 1, 6, 8))

    def loss(h, direction=0.0):
        alone.reset(sim.data.qpos[0], qvel + h * direction)
        return float((weight * camera.along(tape.rollout(np.zeros((4, 0)))).depth).sum())

    loss(0.0)
    grads = camera.pull(camera.along(tape.trajectory), weight)
    back = tape.backward(qpos=grads.qpos)
    direction = rng.normal(size=model.nv)
    got = float(back.qvel0[0] @ direction)
    want = derivative(lambda h: loss(h, direction))
    assert abs(got - want) <= 1e-6 * max(abs(want), 0.1 * np.linalg.norm(back.qvel0) * np.linalg.norm(direction))


def test_worlds_with_parameters_of_their_own(scene):
    """Images and gradients of a world are those of a simulator with its parameters alone."""
    _, sim = scene
    own = engine.Simulator(sim.model, 2, own_params=True)
    own.reset(sim.data.qpos)
    camera, other = Depth(own, "eye", (8, 6)), Depth(sim, "eye", (8, 6))
    image = camera()
    np.testing.assert_array_equal(image.depth, other().depth)
    bar = np.ones(image.depth.shape)
    np.testing.assert_allclose(
        camera.pull(image, bar).model["geom_size"].sum(axis=0), other.pull(other(), bar).model["geom_size"], atol=1e-12
    )


def test_what_a_camera_refuses(scene):
    _, sim = scene
    for given, message in (
        ({"size": (0, 3)}, "size"), ({"fov": 180}, "fov"), ({"soft": -1}, "soft"), ({"site": 7}, "site: got 7"),
        ({"far": np.inf}, "far"), ({"samples": 0}, "samples"), ({"size": "ab"}, "size"),
        ({"size": (np.nan, 3)}, "size"), ({"size": None}, "size"), ({"fov": "a"}, "fov: got 'a'"),
        ({"size": (10**5, 10**5)}, "together up to"),
        ({"samples": np.nan}, "samples"), ({"far": None}, "far: got None"), ({"soft": "a"}, "soft"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            Depth(sim, **{"site": "eye"} | given)
    with pytest.raises(engine.ModelError, match="no site 'eya'"):
        Depth(sim, "eya")
    camera = Depth(sim, "eye")
    with pytest.raises(ValueError, match="along: got qpos"):
        camera.along(np.zeros((3, 1, sim.model.nq)))
    with pytest.raises(ValueError, match="depth_bar: got"):
        camera.pull(camera(), np.zeros(3))
    with pytest.raises(ValueError, match=r"depth_bar: entry \(0, 0, 0\) is nan"):
        camera.pull(camera(), np.full((2, 24, 32), np.nan))
    with pytest.raises(ValueError, match="allowed: this camera's"):
        camera.pull(Depth(sim, "eye", size=(2, 2))())
    with pytest.raises(TypeError, match="allowed: an Image"):
        camera.push(None, np.zeros((2, sim.model.nq)))
    with pytest.raises(TypeError, match="allowed: a Simulator"):
        Depth(sim.model, "eye")
    for points, directions in (("a", (0, 0, 1)), ((0, 0, 1), (0, 0, 0)), ((0, 0, 1), (0, 0, 1e-200))):
        with pytest.raises(ValueError, match="rays: got"):
            sim.rays(points, directions)


def test_directions_of_any_length(scene):
    """A ray meets the same, however long its direction is, and distances are in its lengths."""
    _, sim = scene
    points, directions = some_rays(50)
    usual = sim.rays(points, directions)
    bar = np.ones(usual.dist.shape)
    for scale in (1e-25, 1e-6, 1e12):
        found = sim.rays(points, scale * directions)
        assert np.array_equal(found.geom, usual.geom)
        hit = usual.geom >= 0
        assert np.allclose(found.dist[hit] * scale, usual.dist[hit], rtol=1e-12) and (found.dist[~hit] == -1).all()
        a, b = found.pull(scale * bar).model, usual.pull(bar).model
        assert np.allclose(a["points"], b["points"], rtol=1e-9)
        assert np.allclose(a["directions"] * scale, b["directions"], rtol=1e-9)


def test_an_image_follows_a_parameter_in_the_same_state(scene):
    """What the camera keeps of its last image is of that state and those parameters."""
    _, sim = scene
    camera, kept = Depth(sim, "eye", (8, 6), fov=70), sim.params.geom_pos.copy()
    depth = camera().depth
    assert np.array_equal(camera().depth, depth)
    sim.params.geom_pos[:, 2] += 0.02
    changed = camera().depth
    sim.params.geom_pos[:] = kept
    assert (changed != depth).any() and np.array_equal(camera().depth, depth)


def test_a_copied_camera(scene):
    _, sim = scene
    camera = Depth(sim, "eye", size=(4, 3))
    depth = camera().depth
    assert np.array_equal(copy.deepcopy(camera)().depth, depth)
    assert np.array_equal(pickle.loads(pickle.dumps(camera))().depth, depth)


def test_a_ray_that_is_tangent_or_starts_inside(scene):
    """From inside, the ray meets the shape where it leaves it; a graze has a finite distance and no gradient that is
    not a number."""
    _, sim = scene
    ball = sim.model.geom("ball")
    sim.forward()
    centre = sim.data.geom_xpos[0, ball]
    found = sim.rays(np.stack([centre, centre + [0.12, 0, 3]]), [[0, 0, 1], [0, 0, -1]], geoms=["ball"])
    assert found.dist[0, 0] == pytest.approx(0.12, rel=1e-9)
    assert np.isfinite(found.pull(np.ones(found.dist.shape)).qpos[0]).all() or found.geom[0, 1] < 0
