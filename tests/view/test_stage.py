"""What the pages show beside the robot: arrows, ghosts, names, curves, and what a person does to a simulation."""

from types import SimpleNamespace

import numpy as np
import pytest

import engine
import scenes
from engine.model.elements.key import Keyframes, take_keyframes
from engine.model.rotation import quat_to_mat
from tests.view.walker import MESH

pytest.importorskip("viser", reason="viser is not installed (extra `view`)")

from engine.view import image  # noqa: E402
from engine.view.browser.film import film  # noqa: E402
from engine.view.browser.hand import Hand  # noqa: E402
from engine.view.browser.overlays import CONTACTS, FORCES, PUSHES, arrows  # noqa: E402
from engine.view.browser.panel import Panel  # noqa: E402
from engine.view.browser.server import stop, viser_server  # noqa: E402
from engine.view.browser.sheet import with_sheet  # noqa: E402
from engine.view.browser.stage import Stage  # noqa: E402
from engine.view.exits import way_out  # noqa: E402


def test_an_arrow_is_two_bones_and_ends_outside_of_what_it_pushes(server, seen):
    """Poses move it, which a browser applies together with the robot's; unused ones wait far away."""
    model, s = seen
    shown = film(model, s)
    stage = Stage(server.scene, model, shown.labels, shown.low, shown.high)
    drawn = stage.nodes[FORCES]
    most = max(range(len(shown.frames)), key=lambda k: len(shown.frames[k][0].contact_pos))
    for k in (most, 0, most):
        (frame,) = shown.frames[k]
        stage.show([frame])
        assert drawn.visible == bool(len(frame.contact_pos)) and PUSHES not in stage.nodes
    bones = np.array([bone.position for bone in drawn._node.bones]).reshape(-1, 2, 3)
    n = len(drawn.points)
    assert n >= 1 and np.all(bones[n:, :, 2] < -1e3)
    np.testing.assert_allclose(bones[:n], drawn.points, atol=1e-6)
    for (tail, tip), place, clear in zip(drawn.points, frame.contact_pos, frame.contact_clear, strict=True):
        np.testing.assert_allclose(tail, place, atol=1e-6)
        assert np.linalg.norm(tip - tail) > clear > 0.03  # through the foot, and out of it
    many = np.arange(60.0).reshape(10, 2, 3)
    drawn.show(many)  # more than there was room for
    np.testing.assert_allclose([bone.position for bone in drawn._node.bones[:20]], many.reshape(-1, 3))
    along = arrows(np.zeros((2, 3)), np.array([[0, 0, 9.0], [0, 0, 0.01]]), 2.0, np.array([0.5, 0.5]))
    np.testing.assert_allclose(along, [[[0, 0, 0], [0, 0, 2.5]]])


def test_how_far_a_way_leads_through_a_geom():
    lengths = {"sphere": 0.2, "capsule": 0.4, "ellipsoid": 0.3, "cylinder": 0.3, "box": 0.3}  # half, along z
    for kind, half in lengths.items():
        size, want = {"sphere": ".2", "capsule": ".1 .3", "cylinder": ".1 .3"}.get(kind, ".1 .2 .3"), 2.0 * half
        geom = f"<geom type='{kind}' size='{size}' pos='.5 0 0' euler='20 0 0'/>"
        body = f"<body pos='1 2 3' euler='0 90 0'><freejoint/>{geom}</body>"
        model = engine.load(f"<mujoco><worldbody>{body}</worldbody></mujoco>")
        xpos, xquat = model.body_pos, model.body_quat
        turned = quat_to_mat(model.body_quat[1])
        middle, axis = model.body_pos[1] + turned @ model.geom_pos[0], turned @ quat_to_mat(model.geom_quat[0])[:, 2]
        found = way_out(model, 0, xpos, xquat, middle - 0.5 * want * axis, 7.0 * axis)
        assert found == pytest.approx(want, abs=0.03), kind
        assert way_out(model, 0, xpos, xquat, middle + 0.6 * want * axis, axis) == 0.0  # it leads away


def test_ghosts_stand_in_the_place_of_the_last(server, seen):
    model, s = seen
    shown = film(model, [s, s], labels=["before", "after"], ghosts=True)
    stage = Stage(server.scene, model, shown.labels, shown.low, shown.high, **shown.stage)
    stage.show(shown.frames[-1])
    body = model.body("torso")
    np.testing.assert_allclose(stage.bodies[0][body].position, stage.bodies[1][body].position)
    assert len(stage.nodes[CONTACTS].points) == len(shown.frames[-1][1].contact_pos)  # once
    pale, clear = ({node.opacity for w, _, node, _ in stage.geoms if w == world} for world in (0, 1))
    assert clear == {None} and all(0.1 < opacity < 0.5 for opacity in pale)
    stage.see_through(True)
    assert {node.opacity for *_, node, _ in stage.geoms} == pale | {0.4}
    stage.see_through(False)
    assert {node.opacity for w, _, node, _ in stage.geoms if w} == {None}


def test_what_is_clicked_says_its_name(server, seen):
    model, s = seen
    shown = film(model, s)
    stage = Stage(server.scene, model, shown.labels, shown.low, shown.high)
    g = model.geom("head")
    for again in (False, True):
        stage.name(0, g)
        stage.show(shown.frames[-1])
        label = server.scene.get_handle_by_name("/scene/labels/clicked/name")
        assert (label is None) == again and (again or label.text == "body 'torso', geom 'head'")
    assert server.scene.get_handle_by_name(f"/scene/robots/{stage.words[0]}/torso/name") is None


def test_a_saved_page_has_names_where_asked(server, seen):
    """It cannot tell what is clicked. A name is at the body's node, so it goes along without further messages."""
    model, s = seen
    shown = film(model, [s, s], labels=["before", "after"], ghosts=True, names=True)
    stage = Stage(server.scene, model, shown.labels, shown.low, shown.high, **shown.stage)
    path = "/scene/robots/after/{}/name"
    named = {b: server.scene.get_handle_by_name(path.format(stage.body_words[b])) for b in stage.bodies[1]}
    assert {node.text for node in named.values()} == set(model.body_names[1:])
    assert all(np.allclose(node.position, model.body_ipos[b]) for b, node in named.items())
    assert server.scene.get_handle_by_name("/scene/robots/before/torso/name") is None


def test_the_sheet_has_title_legend_and_curves(seen):
    model, s = seen
    shown = film(model, s, title="<it>")
    page = with_sheet("<html><head><title>Viser</title></head><body></body></html>", shown)
    assert "<title>&lt;it&gt;</title>" in page and page.endswith("</body></html>")
    assert "joint ranges, switched off" in page and "wanted pushes" not in page
    assert "<option value=\"0\">position (m)</option>" in page and "energy (J)" in page
    assert page.count("<svg") == len(shown.curves) >= 4 and "bthigh" in page
    assert "rotation" not in page and all(len(plot.lines) <= 7 for plot in shown.curves)


def test_a_hand_pulls_at_a_body():
    """A spring to the mouse, at the place that was taken; nothing once it is let go."""
    model = engine.load(MESH)
    sim = engine.Simulator(model, worlds=2)
    sim.forward()
    server = viser_server(port=8196)
    try:
        stage = Stage(server.scene, model, ["a", "b"], np.zeros(3), np.ones(3))
        hand = Hand(stage, sim, [0, 1])
        place = sim.data.xpos[1, 1] + [0.1, 0.0, 0.0]
        hand.take(1, 1, place)
        hand.lead(1, 1, place + [0.0, 0.5, 0.0])
        force, torque = sim.data.xfrc_applied[1, 1, :3], sim.data.xfrc_applied[1, 1, 3:]
        assert force[1] > 0 and force[[0, 2]] == pytest.approx(0)
        np.testing.assert_allclose(torque, np.cross(place - sim.data.xipos[1, 1], force))
        assert not sim.data.xfrc_applied[0].any()
        before = sim.data.qpos[1, 1]
        sim.step(20)
        hand.pull()
        assert sim.data.qpos[1, 1] > before
        hand.release(1, 1)
        hand.pull()
        assert not sim.data.xfrc_applied.any()
    finally:
        stop(server)


def test_the_panel_steps_pauses_and_places_joints(server):
    scene = scenes.load("hopper")
    sim = engine.Simulator(scene.model)
    panel = Panel(server.gui, sim, lambda sim: sim.reset(scene.qpos0, scene.qvel0))
    panel._toggle()
    assert panel.folder.visible and len(panel.joints) == 6
    panel._one()
    panel.advance()
    assert sim.data.time[0] == pytest.approx(scene.model.opt.timestep)
    adr, slider = next(iter(panel.joints.items()))
    panel._place(adr, 0.1)
    panel.advance()
    assert sim.data.xpos[0, scene.model.body("torso"), 0] == pytest.approx(0.1) and not sim.data.qvel.any()
    panel._toggle()
    panel._toggle()
    assert slider.value == pytest.approx(0.1)
    panel._reset(panel.start)
    panel.advance()
    assert slider.value == pytest.approx(0.0) and sim.data.time[0] == 0.0


def test_a_keyframe_moves_the_controls_too(server):
    """A keyframe may be called start; after a reset the same one can be chosen again."""
    model = scenes.load("hopper").model
    ctrl, qpos = np.array([[0.5, 0.0, -0.5], [0.0, 0.1, 0.0]]), np.tile(model.qpos0, (2, 1))
    none = {name: np.zeros((2, 0)) for name in ("act", "mpos", "mquat")}
    take_keyframes(model, Keyframes(["start", "start"], qpos, np.zeros((2, 6)), ctrl=ctrl, time=np.zeros(2), **none))
    sim = engine.Simulator(model)
    panel = Panel(server.gui, sim, lambda sim: sim.reset())
    assert panel.keyframe.options == ("start", "start 2", "start 3")
    for _ in range(2):
        panel.keyframe.value = "start 2"
        for told in panel.keyframe._impl.update_cb:
            told(SimpleNamespace(client=server, target=panel.keyframe))
        panel.advance()
        assert sim.data.ctrl[0].tolist() == [s.value for s in panel.controls] == [0.5, 0.0, -0.5]
        panel._reset(panel.start)
        panel.advance()
        assert panel.keyframe.value == "start" and sim.data.ctrl[0].tolist() == [0.5, 0.0, -0.5]


def test_an_image_of_a_simulator():
    model = engine.load(MESH)
    sim = engine.Simulator(model, worlds=2)
    first = image(sim)  # before any forward
    sim.forward()
    one, two = image(sim), image(sim, [0, 1], title="two")
    assert (first == one).all() and (image(sim, camera={"azimuth": 90.0}) == one).all()
    assert one.dtype == np.uint8 and one.std() > 5.0 and two.shape[0] > one.shape[0] and two.shape[2] == 3
    sim.data.qpos[1, 2] += 0.5
    sim.forward()
    assert (image(sim, 1) != one).any() and (image(sim, 0) == one).all()
    with pytest.raises(ValueError, match="worlds: got 2, allowed: numbers from 0 to 1"):
        image(sim, 2)
