"""Bodies that are pushed: who pushes them, the cost with its cotangents, and whole pushes."""

from types import SimpleNamespace

import numpy as np
import pytest

import engine
from controllers.tasks.bring import LATER, Bring
from controllers.tasks.forces import gains_along, servo_gains
from controllers.tasks.kinematics import Point
from controllers.tasks.push import STEER, _played, _steer, loose_dofs, push_way, tool_of
from controllers.tasks.way import Way
from engine.diff.trajectory import Trajectory
from engine.model import ModelError

PUSHER = """<mujoco model="pusher"><option timestep="0.004" integrator="implicitfast" cone="elliptic"/>
  <worldbody><geom name="floor" type="plane" size="1 1 .1" friction=".5"/>
  <body name="base" pos="0 0 .04"><joint name="shoulder" axis="0 0 1" damping=".5" armature=".02" range="-170 170"/>
  <geom type="capsule" fromto="0 0 .06 .3 0 .06" size=".02" contype="0" conaffinity="0"/>
  <body name="fore" pos=".3 0 0"><joint name="elbow" axis="0 0 1" damping=".5" armature=".02" range="-160 160"/>
  <geom type="capsule" fromto="0 0 .06 .25 0 .06" size=".02" contype="0" conaffinity="0"/>
  <geom name="tip" type="capsule" fromto=".25 0 -.01 .25 0 .06" size=".02"/><site name="tool" pos=".25 0 0"/></body>
  </body>
  <body name="box" pos=".35 .1 .04"><freejoint/><geom type="box" size=".04 .04 .04" mass=".2" friction=".4"/></body>
  <body name="shelf" pos="2 0 0"><geom size=".1" contype="0" conaffinity="0"/></body></worldbody>
  <actuator><motor joint="shoulder" gear="8" ctrlrange="-1 1"/><motor joint="elbow" gear="6" ctrlrange="-1 1"/>
  </actuator>
  <keyframe><key name="home" qpos="-1.2 1.6  .35 .1 .04 1 0 0 0"/></keyframe></mujoco>"""
# a round body without friction, on two slides that are damped, and a pin without friction, too
ROUND = PUSHER.replace('size=".02"/><site', 'size=".02" condim="1"/><site').replace(" .35 .1 .04 1 0 0 0", " 0 0")
ROUND = ROUND.replace('pos=".35 .1 .04"><freejoint/><geom type="box" size=".04 .04 .04" mass=".2" friction=".4"/>', """
  pos=".35 .1 .05"><joint type="slide" axis="1 0 0" damping="2"/><joint type="slide" axis="0 1 0" damping="2"/>
  <geom type="cylinder" size=".04 .04" mass=".2" condim="1"/>""")
UNLIKE = PUSHER.replace('name="tip" type="capsule"', 'name="tip" type="capsule" contype="0" conaffinity="0"')


@pytest.fixture(scope="module")
def pusher():
    return engine.load(PUSHER, sense=["tool", "box"])


def test_who_pushes_what(pusher):
    assert tool_of(pusher, "box") == "tip" and loose_dofs(pusher, "box").tolist() == [2, 3, 4, 5, 6, 7]
    nameless = engine.load(PUSHER.replace('name="tip" ', ""))
    assert tool_of(nameless, "box") == "fore"
    with pytest.raises(ModelError, match="nothing that an actuator moves can touch it"):
        tool_of(engine.load(UNLIKE), "box")
    with pytest.raises(ModelError, match="an actuator drives it"):
        loose_dofs(pusher, "fore")
    with pytest.raises(ModelError, match="it cannot move"):
        loose_dofs(pusher, "shelf")


def episode(m, rng, rows=6, worlds=2):
    arrays = {name: rng.normal(size=(rows, worlds, n)) for name, n in
              (("qpos", m.nq), ("qvel", m.nv), ("act", 0), ("sensordata", m.nsensordata))}  # fmt: skip
    arrays["ctrl"] = rng.normal(size=(rows - 1, worlds, m.nu))
    return Trajectory(arrays, np.tile(0.02 * np.arange(rows)[:, None], (1, worlds)))


def test_the_cost_and_its_cotangents(pusher):
    """By central differences of every number of an episode at random, with and without each of its parts."""
    rng, place = np.random.default_rng(0), np.full((6, 3), 0.3)
    place[:2] = np.nan
    turned = np.array([0.8, 0.0, 0.0, 0.6])
    for behind, quat in ((np.array([0.1, 0.0, -0.2]), turned), (None, None), (np.array([0.1, 0.0, -0.2]), None)):
        cost = Bring(pusher, {"body": "box"}, {"site": "tool"}, place, behind, loose_dofs(pusher, "box"), 30.0, quat)
        t = episode(pusher, rng)
        bars, h = cost(t)[1], 1e-6
        for name in ("qpos", "qvel", "sensordata", "ctrl"):
            x, found = getattr(t, name), np.zeros_like(getattr(t, name))
            for i in np.ndindex(x.shape):
                was = x[i]
                x[i] = was + h
                more = cost(t)[0].sum()
                x[i] = was - h
                found[i] = (more - cost(t)[0].sum()) / (2 * h)
                x[i] = was
            np.testing.assert_allclose(bars.get(name, 0.0 * x), found, atol=2e-6 * np.abs(found).max(initial=1.0))


def test_what_the_cost_is(pusher):
    """A body a millimetre off its target at the end, at rest, with the tool behind it."""
    m = pusher
    t = episode(m, np.random.default_rng(0), worlds=1)
    t.qvel[:], t.sensordata[:] = 0.0, 0.0
    t.sensordata[..., 3:] = [0.301, 0.0, 0.0]
    t.sensordata[..., :3] = [0.201, 0.0, 0.0]
    there = np.array([0.3, 0.0, 0.0])
    args = m, {"body": "box"}, {"site": "tool"}, there, np.array([-0.1, 0.0, 0.0]), loose_dofs(m, "box"), 30.0
    assert Bring(*args)(t)[0][0] == pytest.approx(30.0 * 1e-6 * (0.1 + LATER))
    t.qpos[-1, 0, 5:] = 0.5 * np.array([np.cos(0.1), 0, 0, np.sin(0.1)])
    more = Bring(*args, [1.0, 0.0, 0.0, 0.0])(t)[0][0] - Bring(*args)(t)[0][0]
    assert more == pytest.approx(30.0 * LATER * 4 * 0.1**2 * np.sin(0.1) ** 2)
    sliding = engine.load(PUSHER.replace("<freejoint/>", '<joint type="slide" axis="1 0 0"/>')
                          .replace(".35 .1 .04 1 0 0 0", "0"), sense=["tool", "box"])  # fmt: skip
    with pytest.raises(ModelError, match="--quat: allowed for a body with a free joint"):
        Bring(sliding, *args[1:5], loose_dofs(sliding, "box"), 30.0, [1, 0, 0, 0])


def job_for(model, target, **more):
    from controllers.optimize.job import Job
    from engine.commands.common import Robot, started

    given = {"seconds": None, "window": 0.5, "worlds": 1, "seed": 0, "speed": None, "height": None, "horizon": 0.8,
             "site": "tool", "target": target, "quat": None, "path": None, "push": None, "object": "box"}  # fmt: skip
    robot = started(Robot("pusher", model, model.qpos0.copy(), np.zeros(model.nv), {}))
    return Job(robot, "push", "ilqr", SimpleNamespace(**given | more))


def test_the_tool_goes_further_aside_than_the_body(pusher):
    """Where it pushes, and along nothing else: controls of a body 1 m aside are those of a tool `STEER` m aside."""
    m, dofs, rows = pusher, [0, 1], 8
    q = np.tile(m.key_qpos[0], (rows + 1, 1))
    way = Way(q, np.zeros((rows + 1, m.nv)), np.zeros((rows, m.nu)), np.array(dofs), q[0], 0.0, 0.1, 0.5, False)
    plain = gains_along(m, q[:-1], way.qvel[:-1], 0.01)
    K, pushes, point = plain.copy(), np.arange(rows) >= 3, Point(m, "tool")
    along = np.array([0.8, 0.6, 0.0])
    _steer(m, point, Point(m, "box"), along, way, dofs, pushes, K)
    np.testing.assert_array_equal(K[:3], plain[:3])
    sim = engine.Simulator(m)
    sim.reset(q[0])
    sim.forward()
    J = point.jacobian(sim.data)[0][:, dofs]
    for row in K[3:]:
        np.testing.assert_array_equal(row[:, [*dofs, *range(4, 2 * m.nv)]], plain[3][:, [*dofs, *range(4, 2 * m.nv)]])
        np.testing.assert_allclose(row[:, 2:4] @ along[:2], 0.0, atol=1e-9 * np.abs(row).max())
        moved = np.linalg.solve(row[:, dofs], -row[:, 2:4] @ [-0.6, 0.8])
        np.testing.assert_allclose(J @ moved, STEER * np.array([-0.6, 0.8, 0.0]), atol=0.05)
    upward = plain.copy()
    _steer(m, point, Point(m, "box"), np.array([0.0, 0.0, 1.0]), way, dofs, pushes, upward)
    np.testing.assert_array_equal(upward, plain)


def test_what_a_servo_is_told_for_a_joint_further_on():
    from tests.controllers.test_carry import GANTRY

    m = engine.load(GANTRY.replace('joint="x"', 'joint="x" gear="-2"'))
    np.testing.assert_allclose(servo_gains(m)[:, :6], np.diag([-2.0, 1, 1, 1, 1, 1]))
    assert not servo_gains(engine.load(PUSHER)).any()


@pytest.mark.slow
def test_a_round_body_without_friction_stays_on_the_tool():
    """One that lies 6 mm beside the tool's line slides off it, where the tool goes no further aside than the body."""
    m = engine.load(ROUND, sense=["tool", "box"])
    target, start = np.array([0.3, 0.3, 0.05]), m.key_qpos[0]
    found = push_way(m, "tool", "box", target, start, np.zeros(2), 500, 0.01)
    plain = found._replace(K=gains_along(m, found.way.qpos[:-1], found.way.qvel[:-1], 0.01))
    aside = start + [0, 0, -0.006 * 0.970, -0.006 * 0.243]
    off, lost = (np.linalg.norm(_played(m, "box", p, aside, 2)[0] - target) for p in (found, plain))
    assert off < 0.015 and lost > 0.04 and lost > 3 * off


@pytest.mark.slow
def test_a_tool_that_meets_the_floor_pushes_higher():
    """A hand whose fingers reach 5 cm below the place that pushes, which is lower than the middle of the box: it goes
    above that, and one whose fingers do not reach the floor pushes in the middle."""
    from tests.controllers.test_carry import GANTRY

    for low, high in (("-.07", True), ("-.1", False)):
        m = engine.load(GANTRY.replace('pos="0 0 -.09"', f'pos="0 0 {low}"'))
        found = push_way(m, "tool", "box", [0.5, 0.1, 0.03], m.qpos0, np.zeros(6), 500, 0.01)
        assert not found.way.touches and found.way.away < 1e-3 and (found.up[2] > 0.02) == high
        assert found.behind[2] == pytest.approx(found.up[2]) and found.behind[0] < -0.04


@pytest.mark.slow
def test_a_box_is_pushed_to_its_target(pusher):
    """The way and its feedback bring it to within centimetres, the plan through the contact to within 5 mm."""
    from controllers.optimize.verdict import verdict

    job = job_for(pusher, [0.3, 0.3, 0.04])
    assert not job.way.touches and job.way.away < 1e-3 and job.way.share < 1.0 and job.trials > 0
    job.search.iterate()
    first = verdict(job, job.search.trajectory)
    assert first.numbers["touched"] and first.numbers["object_distance"] < 0.04
    while job.search.iteration < 20 and not verdict(job, job.search.trajectory).solved:
        job.search.iterate()
    found = verdict(job, job.search.trajectory)
    assert found.solved and "mm from its target" in found.text and found.numbers["object_distance"] < 5e-3
    away = job_for(pusher, [1.5, 0.5, 0.04], seconds=2.0)
    away.search.iterate()
    missed = verdict(away, away.search.trajectory)
    assert missed.solved is False and "beyond what the robot can reach" in missed.hindered[0]
    assert missed.numbers["out_of_reach"] > 0.3
