"""The viewer in the browser: what a frame holds, what the scene holds, and (with a Chromium) what a person sees."""

import sys
import time

import numpy as np
import pytest

import engine
import scenes
from engine.replay import replay
from tests import zoo
from tests.view.chromium import READY, Page, executable, scrub
from tests.view.walker import MESH

pytest.importorskip("viser", reason="viser is not installed (extra `view`)")

from engine.view import live, play, save_html  # noqa: E402
from engine.view.browser.film import film  # noqa: E402
from engine.view.browser.frames import frames_of, joint_limits, robot_size  # noqa: E402
from engine.view.browser.overlays import CONTACTS, FORCES, LIMITS, RANGES, TIES  # noqa: E402
from engine.view.browser.shapes import capsule  # noqa: E402
from engine.view.browser.stage import Stage  # noqa: E402
from engine.view.painter import visible_geoms  # noqa: E402

needs_chromium = pytest.mark.skipif(
    executable() is None, reason="no Chromium here (Debian package chromium, or name one in CHROMIUM)"
)


def test_a_frame_holds_the_forces_on_the_robot(seen):
    model, s = seen
    frames = frames_of(model, s)
    weight = model.body_mass.sum() * 9.81
    forces = [f.contact_force.sum(axis=0)[2] for f in frames]
    assert min(forces) >= 0.0 and max(forces) > weight  # the ground pushes upwards, and stops the fall
    touched = sum(s.normal_force.values())
    np.testing.assert_allclose(forces, touched, atol=1e-9)


def test_a_hinge_at_its_limit_is_marked(seen):
    model, s = seen
    size = robot_size(model)
    j = model.joint("bthigh")
    for x, at_limit in ((model.jnt_range[j, 1], True), (0.0, False)):
        qpos = s.qpos[0].copy()
        qpos[model.jnt_qposadr[j]] = x
        ranges, limits = joint_limits(
            model, size, s.xpos[0], s.xquat[0], s.xipos[0], s.dof_ang[0], s.dof_lin[0], qpos
        )  # fmt: skip
        assert bool(len(limits)) == at_limit and len(ranges)
    # the arc lies in the plane across the axis, about the joint, as wide as the range
    anchor = s.xpos[0, model.jnt_bodyid[j]]
    arms = limits_of(model, s, j) - anchor
    assert np.abs(arms @ s.dof_ang[0, model.jnt_dofadr[j]]).max() < 1e-9


def limits_of(model, s, j):
    only = model.copy()
    only.jnt_limited[:] = False
    only.jnt_limited[j] = True
    ranges, _ = joint_limits(only, 1.0, s.xpos[0], s.xquat[0], s.xipos[0], s.dof_ang[0], s.dof_lin[0], s.qpos[0])
    return ranges.reshape(-1, 3)


def test_a_capsule_is_closed_and_faces_outwards():
    vert, face = capsule(0.2, 0.5)
    np.testing.assert_allclose(np.ptp(vert, axis=0), [0.4, 0.4, 1.4], atol=1e-12)
    a, b, c = (vert[face[:, k]] for k in range(3))
    volume = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0
    exact = np.pi * 0.04 * 1.0 + 4.0 / 3.0 * np.pi * 0.008
    assert 0.95 * exact < volume < exact


def test_shapes_colours_and_meshes_are_those_of_the_file(server):
    model = engine.load(MESH)
    assert [model.geom_names[g] for g in visible_geoms(model)] == ["", ""]  # what only collides is hidden
    sim = engine.Simulator(model)
    sim.forward()
    s = replay(model, engine.Tape(sim, 2).rollout(np.zeros((2, 0))))
    stage = Stage(server.scene, model, ["one"], *film(model, s).low[None].repeat(2, axis=0))
    stage.show([frames_of(model, s)[0]])
    node = server.scene.get_handle_by_name("/scene/robots/one/body 1/geom 1 1")
    np.testing.assert_allclose(node.vertices, model.mesh_vert[0], atol=1e-6)
    np.testing.assert_array_equal(node.faces, model.mesh_face[0])
    assert tuple(node.color) == (229, 25, 25)  # 0.9 0.1 0.1
    np.testing.assert_allclose(node.position, model.geom_pos[1], atol=1e-6)
    ball = server.scene.get_handle_by_name("/scene/robots/one/body 1/geom 2 2")
    assert ball.radius == pytest.approx(0.05) and ball.opacity == pytest.approx(0.5)
    floor = server.scene.get_handle_by_name("/scene/ground/plane 0 0/light")
    assert tuple(floor.color) == (51, 102, 153) and floor.position[2] == 0.0
    assert len(floor.vertices) and np.all(floor.vertices[:, 2] == 0.0)


def test_worlds_stand_side_by_side_and_follow_moves_the_scene(server, seen):
    model, s = seen
    shown = film(model, [s, s], labels=["before", "after"])
    stage = Stage(server.scene, model, shown.labels, shown.low, shown.high)
    stage.show(shown.frames[-1], follow=np.array([0.5, 0.0, 0.0]))
    body = model.body("torso")
    first, second = (stage.bodies[w][body].position for w in (0, 1))
    np.testing.assert_allclose(second, s.xpos[-1, body], atol=1e-6)
    assert first[1] - second[1] == pytest.approx(stage.gap) and stage.gap > robot_size(model)
    np.testing.assert_allclose(stage.root.position, [-0.5, 0.0, 0.0])


def test_worlds_and_bodies_that_are_called_alike(server):
    """viser ends a node whose path another one takes."""
    body = "<body name='{}' pos='0 0 {}'><joint name='{}' type='slide'/><geom size='0.1'/></body>".format
    model = engine.load(f"<mujoco><worldbody>{body('a/b', 0, 'j')}{body('a_b', 1, 'k')}</worldbody></mujoco>")
    s = replay(model, engine.Tape(engine.Simulator(model), 2).rollout(np.zeros((2, 0))))
    shown = film(model, [s] * 4, labels=["x", "x", "", ""])
    stage = Stage(server.scene, model, shown.labels, shown.low, shown.high)
    stage.show(shown.frames[-1])
    for bodies in stage.bodies:
        for b, node in bodies.items():
            assert node.position[2] == pytest.approx(s.xpos[-1, b, 2], abs=1e-6)
    assert [text.text for text in stage.texts.values()] == ["x", "x"]


def test_layers_appear_when_there_is_something_to_show(server, seen):
    model, s = seen
    shown = film(model, s)
    stage = Stage(server.scene, model, shown.labels, shown.low, shown.high)
    stage.show(shown.frames[0])
    assert not stage.nodes[FORCES].visible and not stage.nodes[CONTACTS].visible  # it falls
    touching = next(k for k, (f,) in enumerate(shown.frames) if len(f.contact_pos))
    stage.show(shown.frames[touching])
    assert stage.nodes[FORCES].visible
    np.testing.assert_allclose(stage.nodes[CONTACTS].points, shown.frames[touching][0].contact_pos, atol=1e-6)
    assert not stage.nodes[RANGES].visible
    stage.shown.update({RANGES: True, FORCES: False})
    stage.show(shown.frames[touching])
    assert stage.nodes[RANGES].visible and not stage.nodes[FORCES].visible and LIMITS in stage.nodes


def test_a_film_is_thinned_to_its_rate_and_checked(seen):
    model, s = seen
    assert len(film(model, s, fps=25.0).times) == 14  # 0.5 s, every fourth row, and the last
    with pytest.raises(ValueError, match="1 replays, 2 labels"):
        film(model, s, labels=["a", "b"])
    with pytest.raises(ValueError, match="fps=0"):
        film(model, s, fps=0)


def test_what_is_missing_or_wrong_is_named(tmp_path, seen, monkeypatch):
    model, s = seen
    with pytest.raises(ValueError, match="must end in .html"):
        save_html(tmp_path / "a.txt", model, s)
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(ImportError, match=r'pip install "pullback\[view\]"'):
        save_html(tmp_path / "a.html", model, s)
    assert not list(tmp_path.iterdir())


def test_the_player_plays_pauses_and_changes_speed(seen):
    model, s = seen
    player = play(model, s, port=8191)
    try:
        assert wait_until(lambda: player.frame > 0)
        player.playing.value = False
        time.sleep(0.3)
        at = player.frame
        time.sleep(0.3)
        assert player.frame == at
        player.show(player.film.index(0.25))
        np.testing.assert_allclose(player.film.times[player.frame] - s.time[0], 0.25, atol=0.011)
    finally:
        player.close()


def test_the_live_page_follows_the_simulator():
    scene = scenes.load("hopper")
    sim = engine.Simulator(scene.model, worlds=2)
    sim.reset(scene.qpos0)
    with live(sim, worlds=[1], port=8192) as page:
        body = scene.model.body("torso")
        before = page.stage.bodies[0][body].position[2]
        sim.step(100)
        assert wait_until(lambda: page.stage.bodies[0][body].position[2] < before - 0.005)
        assert page.clock.value == pytest.approx(100 * scene.model.opt.timestep, abs=1e-3)
        tape = engine.Tape(sim, 30)
        sim.reset(scene.qpos0)
        page.play(tape.rollout(np.zeros((30, scene.model.nu))), worlds=[0])
        assert wait_until(lambda: 0.0 < page.clock.value < 31 * scene.model.opt.timestep)
        with pytest.raises(ValueError, match="allowed: 1 of them"):
            page.play(tape.trajectory, worlds=[0, 1])
    with pytest.raises(ValueError, match="worlds="):
        live(sim, worlds=[2])


def test_equalities_and_mocap_bodies_are_lines(server):
    """What acts, where it is: of a weld two frames and the gap, of points two crosses and the gap."""
    model = engine.load(zoo.MOCAPS["sites, of what hangs on it"])
    sim = engine.Simulator(model)
    tape = engine.Tape(sim, 2)
    for active, count in (((1, 1), 3 + 7 + 7), ((1, 0), 3 + 7), ((0, 0), 3)):
        sim.reset().data.eq_active[:] = active
        s = replay(model, tape.rollout(np.zeros((2, 0))))
        shown = film(model, s)
        stage = Stage(server.scene, model, shown.labels, shown.low, shown.high)
        stage.show(shown.frames[0])
        points = stage.nodes[TIES].points
        assert points.shape == (count, 2, 3) and stage.nodes[TIES].visible
        hand, held = s.xpos[0, model.body("hand")], s.xpos[0, model.body("held")]
        np.testing.assert_allclose(points[-1, 0], hand, atol=1e-6)
        gap = points[:-3][np.linalg.norm(points[:-3, 1] - points[:-3, 0], axis=1) > 0.15]
        assert len(gap) == sum(active) and all(np.linalg.norm(line[1] - held) < 0.2 for line in gap)


def test_a_mocap_body_is_dragged_in_the_live_page():
    model = engine.load(zoo.MOCAPS["weld"])
    sim = engine.Simulator(model, worlds=2)
    with live(sim, worlds=[0, 1], port=8193) as page:
        handle = page.handles[1, 0]
        np.testing.assert_allclose(handle.position, model.body_pos[1] + page.stage.offsets[1], atol=1e-6)
        handle.position, handle.wxyz = np.array([0.1, 0.2, 1.3]) + page.stage.offsets[1], (0.6, 0.8, 0.0, 0.0)
        (dragged,) = handle._impl_aux.update_cb  # what the page calls when a person drags
        dragged(None)
        np.testing.assert_allclose(sim.data.mocap_pos[1, 0], (0.1, 0.2, 1.3), atol=1e-6)
        np.testing.assert_allclose(sim.data.mocap_quat[1, 0], (0.6, 0.8, 0, 0), atol=1e-6)
        np.testing.assert_array_equal(sim.data.mocap_pos[0, 0], model.body_pos[1])
        drawn = page.stage.bodies[1][1]
        assert wait_until(lambda: abs(drawn.position[2] - 1.3) < 1e-5)  # before a step was made
        sim.step(20)
        assert (sim.data.qpos[0] != sim.data.qpos[1]).any()
        sim.reset()
        assert wait_until(lambda: np.allclose(handle.wxyz, model.body_quat[1], atol=1e-6))
        assert wait_until(lambda: np.allclose(handle.position, model.body_pos[1] + page.stage.offsets[1], atol=1e-6))
        page.play(engine.Tape(sim, 3).rollout(np.zeros((3, 0))), worlds=[0, 1])
        assert wait_until(lambda: not handle.visible)


def wait_until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def difference(a, b):
    """Mean difference of two pictures, without the bars and notes of the page."""
    return np.abs(a[120:300].astype(float) - b[120:300]).mean()


def picture_at(page, seconds, before, patience=30.0):
    """What a replay shows at a time, once it is no longer `before` and stays: a busy machine draws late."""
    scrub(page, seconds)
    end = time.monotonic() + patience
    last = page.picture()
    while True:
        now = page.picture()
        drawn = before is None or difference(now, before) > 0
        if drawn and difference(now, last) == 0 or time.monotonic() > end:
            return now
        last = now


@needs_chromium
@pytest.mark.slow
def test_the_html_file_shows_a_robot_that_moves_without_a_network(tmp_path, seen):
    model, s = seen
    path = save_html(tmp_path / "run.html", model, s, fps=20.0, camera=scenes.load("half_cheetah").camera)
    (tmp_path / "profile").mkdir()
    with Page(tmp_path / "profile", size=(480, 360), offline=True) as page:
        page.open(path.as_uri())
        page.wait_for(READY, 240)
        pictures = [None]
        for seconds in (0.1, 0.5, 0.1):
            pictures.append(picture_at(page, seconds, pictures[-1]))
        pictures = pictures[1:]
        assert page.errors == []
        assert {url.partition(":")[0] for url in page.requests} <= {"file", "data", "blob"}, page.requests
        assert [url for url in page.requests if url.startswith("file")] == [path.as_uri()]
        assert pictures[0].std() > 5.0  # not an empty page
        assert difference(pictures[0], pictures[1]) > 5.0 * difference(pictures[0], pictures[2]) + 0.05


@needs_chromium
@pytest.mark.slow
def test_the_pages_of_the_player_and_of_a_simulator(tmp_path, seen):
    """Served: they load, move while something runs, stay while nothing does, and call nobody else."""
    model, s = seen
    scene = scenes.load("hopper")
    sim = engine.Simulator(scene.model)
    (tmp_path / "profile").mkdir()
    player = play(model, s, port=8193)
    player.playing.value = False
    try:
        with live(sim, port=8194) as shown, Page(tmp_path / "profile", size=(480, 360)) as page:
            for address, change in (
                (player.address, lambda: player.show(player.film.last)), (shown.address, lambda: sim.step(150))
            ):  # fmt: skip
                page.open(address)
                page.wait_for(READY, 240)
                time.sleep(5)
                first, still = page.picture(), page.picture()
                change()
                time.sleep(8)
                moved = page.picture()
                assert difference(first, moved) > 3.0 * difference(first, still) + 0.05
            assert page.errors == []
            own = (player.address, shown.address, "data:", "blob:")
            assert all(url.startswith(own) for url in page.requests), page.requests
    finally:
        player.close()
