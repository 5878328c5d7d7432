"""Learning a policy: what tasks are made of, a window's gradient, resuming, the same policy in MuJoCo; refusals."""

import contextlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import engine  # noqa: E402
import scenes  # noqa: E402
from controllers.tasks.kinematics import Point, times  # noqa: E402
from controllers.training import in_mujoco, striding  # noqa: E402
from controllers.training.chain import Chains, Trunk  # noqa: E402
from controllers.training.folder import TrainingFolder  # noqa: E402
from controllers.training.imitate import imitate  # noqa: E402
from controllers.training.job import Training  # noqa: E402
from controllers.training.judge import Judge  # noqa: E402
from controllers.training.legged import Legged  # noqa: E402
from controllers.training.policy import Policy  # noqa: E402
from controllers.training.reaching import Reaching  # noqa: E402
from controllers.training.shac import Settings, Shac  # noqa: E402
from controllers.training.stepping import Stride  # noqa: E402
from engine.cli import main  # noqa: E402
from engine.objectives import find_root  # noqa: E402
from tests.controllers.test_gaits import BIPED  # noqa: E402

DEMOS = Path(__file__).parents[2] / "demos"
TINY = Settings(worlds=3, horizon=4, critic_epochs=1, minibatches=1, actor_hidden=(8,), critic_hidden=(8,))


@pytest.fixture(autouse=True)
def doubles():
    threads = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # as a training: small layers only wait for a second
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def crawler():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    model = engine.load(DEMOS / "robot.xml")
    task = Legged(model, model.key_qpos[model.key("stand")], "run")
    torch.set_default_dtype(before)
    return task


@pytest.fixture
def hopper():
    scene = scenes.load("hopper")
    return Legged(scene.model, scene.qpos0, "run")


@pytest.fixture
def arm():
    model = engine.load(DEMOS / "arm.xml")
    return Reaching(model, [0.3, 0.5], "hand")


def states(task, n, seed=0):
    """States of all worlds, generic: turned, moved, fast."""
    rng, m = np.random.default_rng(seed), task.body.model
    qpos = task.home.numpy() + 0.3 * rng.normal(size=(n, m.nq))
    return [torch.from_numpy(x) for x in (qpos, rng.normal(size=(n, m.nv)), np.zeros((n, m.na)))]


@pytest.mark.parametrize("name", ["quadruped", "hopper", "arm"])
def test_places_are_the_engines(name):
    """Chains through hinges and slides, with frames turned, against forward kinematics; and their derivative."""
    m = engine.load(DEMOS / "arm.xml") if name == "arm" else scenes.load(name).model
    free = name == "quadruped"
    base = int(m.jnt_bodyid[m.dof_jntid[find_root(m).vx]]) if free else 0
    points = [(b, np.array([0.1, -0.2, 0.3])) for b in range(base + 1, m.nbody)]
    rng, sim = np.random.default_rng(0), engine.Simulator(m, 3)
    qpos = m.qpos0 + rng.normal(size=(3, m.nq))
    sim.reset(qpos)
    sim.forward()
    chains = Chains(m, points, base)
    found = chains.places(torch.from_numpy(qpos))
    if free:
        trunk = Trunk(m, find_root(m))
        q = torch.from_numpy(qpos)
        found = (trunk.turn(q)[:, None] @ found[..., None])[..., 0] + trunk.place(q)[:, None]
    wanted = np.stack([Point.on(m, b, offset).place(sim.data) for b, offset in points], axis=1)
    np.testing.assert_allclose(found, wanted, atol=1e-12)
    q = torch.from_numpy(qpos[:1]).requires_grad_()
    assert torch.autograd.gradcheck(chains.places, (q,))


@pytest.mark.parametrize("name", ["quadruped", "hopper"])
def test_a_trunk_turns_and_moves_as_in_the_engine(name):
    m = scenes.load(name).model
    trunk, sim = Trunk(m, find_root(m)), engine.Simulator(m, 4)
    rng = np.random.default_rng(1)
    qpos, qvel = m.qpos0 + rng.normal(size=(4, m.nq)), rng.normal(size=(4, m.nv))
    sim.reset(qpos, qvel)
    sim.forward()
    w, x, y, z = sim.data.xquat[:, trunk.body].T
    up = np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1)
    turn = trunk.turn(torch.from_numpy(qpos)).numpy()
    np.testing.assert_allclose(turn[:, 2], up, atol=1e-12)
    v = torch.from_numpy(qvel)
    spin = (turn @ trunk.gyro(v).numpy()[..., None])[..., 0]
    wanted = np.einsum("wiv,wv->wi", Point.on(m, trunk.body, np.zeros(3)).turning(sim.data), qvel)
    np.testing.assert_allclose(spin, wanted, atol=1e-9)
    moving = Point.on(m, trunk.body, np.zeros(3)).jacobian(sim.data)
    np.testing.assert_allclose(trunk.velocity(v), np.einsum("wiv,wv->wi", moving, qvel), atol=1e-9)


def test_the_reward_has_the_derivative_that_torch_says(crawler):
    """Through a state after a decision, at generic states: a window's gradient is made of it."""
    task, before, after = crawler, states(crawler, 2), states(crawler, 2, 1)
    told, last = torch.ones(2, 3), torch.zeros(2, task.body.model.nu)
    clock = torch.tensor([0.1, 0.7])

    def reward(qpos, qvel, action):
        return task.reward(before, [qpos, qvel, after[2]], told, last, action, clock)

    inputs = [x.clone().requires_grad_() for x in (*after[:2], last + 0.1)]
    assert torch.autograd.gradcheck(reward, inputs, eps=1e-6, atol=1e-6)


def test_observations_have_the_sizes_that_the_spec_says(crawler, arm):
    for task in (crawler, arm):
        n, m = 3, task.body.model
        seen, _ = task.observe(states(task, n), torch.ones(n, 3), torch.zeros(n, m.nu), torch.zeros(n))
        assert seen.shape == (n, sum(task.sizes[name] for name in task.seen))


def test_steps_lift_feet_by_the_clock_and_move_the_ground_as_told(crawler):
    """Feet are as high as the reward wants them, and those that stand go under the trunk as it is told to move."""
    told = torch.tensor([[0.2, 0.05, 0.1]]).repeat(3, 1)
    h = 0.01
    clock = torch.tensor([0.6, 0.6 + h, 0.2])
    m = crawler.body.learned
    damping = m.dof_damping[m.jnt_dofadr[m.actuator_trnid]] - m.actuator_biasprm[:, 2]
    lag = float(np.mean(damping / -m.actuator_biasprm[:, 1]))
    ahead = (clock + lag / crawler.steps.period) % 1.0  # where feet are told to be
    qpos, force = crawler.steps(told.numpy(), clock.numpy())
    qpos = torch.from_numpy(qpos)
    feet, rest = crawler._feet(qpos), crawler._feet(crawler.home)
    wave = torch.sin(2 * torch.pi * (ahead[:, None] + crawler.begins)).clamp(min=0.0)
    lifted = crawler.steps.lift * wave
    np.testing.assert_allclose(feet[..., 2] - rest[:, 2], lifted, atol=0.02 * crawler.height)
    stand = (wave[0] == 0) & (wave[1] == 0)
    assert stand.any() and not stand.all()
    moved = (feet[1] - feet[0])[:, :2] / (h * crawler.steps.period)
    arm = rest - crawler.trunk.place(crawler.home)
    turning = 0.1 * torch.stack([-arm[:, 1], arm[:, 0]], dim=-1)
    # no joint of this robot moves a foot sideways
    np.testing.assert_allclose(moved[stand][:, 0], -(told[0, 0] + turning[:, 0])[stand], atol=0.01)
    at_home = [crawler.home.repeat(3, 1), torch.zeros(3, m.nv), torch.zeros(3, m.na)]
    actions = crawler.example(at_home, told, clock).numpy()
    j = m.actuator_trnid
    ctrl = crawler.body.control(torch.from_numpy(actions)).numpy()
    length = m.actuator_gear[:, 0] * qpos[:, m.jnt_qposadr[j]].numpy()
    gives = m.actuator_gear[:, 0] * (m.actuator_gainprm[:, 0] * ctrl + m.actuator_biasprm[:, 1] * length)
    np.testing.assert_allclose(gives, force[:, m.jnt_dofadr[j]], atol=1e-9)


def test_a_motion_is_how_the_trunk_goes_tilts_and_turns(crawler):
    """To any heading: ahead and aside are where it looks, roll and pitch as it was turned, and their rates."""
    trunk, q = crawler.trunk, crawler.home.repeat(2, 1)
    at, vx = slice(trunk.root.x + 3, trunk.root.x + 7), trunk.root.vx
    ahead, left, up = (np.array(x, float) for x in ([1, 0, 0], [0, 1, 0], [0, 0, 1]))
    small, yaw = np.array([0.02, -0.03]), np.array([0.4, -2.0])
    for k in range(2):
        tilted = times(turned(small[0] * ahead), turned(small[1] * left))
        q[k, at] = torch.from_numpy(times(times(turned(yaw[k] * up), tilted), crawler.home[at].numpy()))
    v = torch.zeros(2, crawler.body.model.nv)
    v[:, vx : vx + 3] = torch.tensor([[np.cos(a) - 0.5 * np.sin(a), np.sin(a) + 0.5 * np.cos(a), 0.1] for a in yaw])
    # an angular velocity in the trunk's axes
    rate = 0.3 * ahead + 0.7 * left
    v[:, vx + 3 : vx + 6] = (trunk.turn(crawler.home).T @ torch.from_numpy(rate)).repeat(2, 1)
    motion = crawler.motion(q, v)
    np.testing.assert_allclose(motion.velocity, [[1.0, 0.5]] * 2, atol=2e-3)
    np.testing.assert_allclose(motion.tilt, [small] * 2, atol=1e-3)
    np.testing.assert_allclose(motion.rate, [[0.3, 0.7]] * 2, atol=1e-6)


@pytest.mark.slow
def test_strides_that_are_found_keep_a_biped_up():
    """By commands and throws that were not searched on it goes about as told; by steps without feedback it falls."""
    model = engine.load(BIPED)
    task = Legged(model, model.qpos0, "run")
    assert task.balances and not any(task.steps.stride[Stride._fields.index("catch") : Stride._fields.index("push")])
    before = task.prepared
    task.prepare(torch.Generator().manual_seed(0))
    sim = engine.Simulator(task.body.learned, 2 * striding.EACH)
    cost = striding.walked_by(task, sim, np.array([before, task.prepared]), torch.Generator().manual_seed(7))
    assert cost[0] > 1.0 and cost[1] < 0.4
    learner = Shac(task, TINY, 0)
    kept = learner.checkpoint()
    task.prepared = before
    learner.restore(kept)
    assert task.prepared == kept["prepared"] != before


def turned(vector):
    """The unit quaternion of a rotation vector."""
    angle = np.linalg.norm(vector)
    return np.append(np.cos(angle / 2), np.sin(angle / 2) * vector / angle)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["arm", "crawler"])
def test_a_window_at_once_is_its_decisions_one_by_one(which, request):
    """Rewards, survival and what the critic sees; and the window's loss, summed up as it is written."""
    task = request.getfixturevalue(which)
    shac = Shac(task, replace(TINY, horizon=8, calm=0.4), 0)
    shac.worlds.age[0] = shac.worlds.limit - 3  # an episode ends on the way
    kept = {n: [x.clone() for x in v] if n == "state" else v for n, v in shac.checkpoint().items()}
    loss, rows = shac.window()
    shac.restore(kept)
    s, w = shac.s, shac.worlds
    noise = torch.randn(s.horizon, s.worlds, task.body.model.nu, generator=shac.rng)
    noise[:, :1] = 0.0
    total, weight, ends = torch.zeros(s.worlds), torch.ones(s.worlds), 0
    for t in range(s.horizon):
        np.testing.assert_allclose(torch.cat(w.observe(), dim=-1).detach(), rows["obs"][t], atol=1e-12)
        made = w.decide(shac.act(w.observe()[0], noise[t]))
        reward, survival, after = w.paid(made)
        np.testing.assert_allclose(s.reward_scale * reward.detach(), rows["reward"][t], atol=1e-12)
        total = total + weight * s.reward_scale * reward
        weight = weight * s.gamma * survival
        value, ends = shac.target(shac.normalizer(after))[..., 0], ends + int(made.end.sum())
        for i in range(s.worlds):
            if made.end[i] or t == s.horizon - 1:
                total[i] = total[i] + weight[i] * value[i]
                weight[i] = 1.0
        w.begin(made.end)
    assert ends >= 1
    np.testing.assert_allclose(-total.detach().mean() / s.horizon, loss.detach(), atol=1e-12)


@pytest.mark.slow
def test_learning_begins_at_the_example_where_that_does_not_fall(crawler, monkeypatch):
    """On the demo's robot a policy that was fitted acts like the example. Where legs that go far count as a fall, an
    example that moves them far is not taken up."""
    learner = Shac(crawler, replace(TINY, worlds=16, actor_hidden=(32, 16)), 0)
    first = {n: x.clone() for n, x in learner.actor.state_dict().items()}
    w, good, at = learner.worlds, crawler.example, torch.from_numpy(crawler.body.qposadr)
    far = torch.full((learner.s.worlds, crawler.body.model.nu), 4.0)
    monkeypatch.setattr(crawler, "example", lambda state, told, clock: far)
    monkeypatch.setattr(crawler, "fallen", lambda state: (state[0] - crawler.home)[:, at].abs().amax(dim=-1) > 0.6)
    assert not imitate(learner)
    monkeypatch.undo()
    for name, x in learner.actor.state_dict().items():
        assert torch.equal(x, first[name])
    assert imitate(learner)
    with torch.no_grad():
        off = learner.act(w.observe()[0]) - good(w.state, w.told, w.clock)
    assert off.square().mean() < 0.2 * good(w.state, w.told, w.clock).square().mean()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["arm", "crawler"])
def test_the_gradient_of_a_window_is_its_derivative(which, request):
    """Actor, observation, servos, engine, reward, survival, critic: along one direction of all weights."""
    task = request.getfixturevalue(which)
    shac = Shac(task, TINY, 0)
    shac.worlds.state_clip = None  # what is clipped is no derivative
    kept = shac.checkpoint()
    kept = {n: [x.clone() for x in v] if n == "state" else v for n, v in kept.items()}
    weights = list(shac.actor.parameters())
    rng = torch.Generator().manual_seed(3)
    way = [torch.randn(w.shape, generator=rng) for w in weights]
    first = [w.detach().clone() for w in weights]

    def loss(h):
        shac.restore(kept | {"actor": {n: v.clone() for n, v in start.items()}})
        with torch.no_grad():
            for w, x, d in zip(weights, first, way, strict=True):
                w.copy_(x + h * d)
        return shac.window()[0]

    start = {n: v.clone() for n, v in shac.actor.state_dict().items()}
    value = loss(0.0)
    value.backward()
    slope = sum(float((w.grad * d).sum()) for w, d in zip(weights, way, strict=True))
    found = [(float(loss(h).detach()) - float(loss(-h).detach())) / (2 * h) for h in (1e-4, 1e-5)]
    assert abs(slope) > 1e-4
    assert min(abs(f - slope) for f in found) < 1e-6 * abs(slope) + 1e-9


def trained(task, folder, iterations, stop, resume=False):
    learner = Shac(task, TINY, 7)
    job = Training(task, learner, iterations, judged=10**9)
    with TrainingFolder(folder, {"a": 1}, resume) as kept:
        if resume:
            kept.load(learner)
        while learner.iteration < stop:
            kept.rows.append(learner.iterate(learner.iteration / iterations))
        kept.save(learner)
    return job, learner


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_with_the_same_bits(arm, tmp_path):
    _, whole = trained(arm, tmp_path / "whole", 6, 6)
    trained(arm, tmp_path / "parts", 6, 3)
    _, parts = trained(arm, tmp_path / "parts", 6, 6, resume=True)
    for a, b in zip(whole.policy()[0].values(), parts.policy()[0].values(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(whole.worlds.state[0], parts.worlds.state[0])
    with pytest.raises(ValueError, match="made with a 1, asked for a 2"):
        TrainingFolder(tmp_path / "parts", {"a": 2}, resume=True)
    with pytest.raises(FileNotFoundError, match="without --resume"):
        TrainingFolder(tmp_path / "none", {}, resume=True)


def scripted(task, folder, scores, stop, resume=False):
    """A Training of eight iterations, interrupted after `stop`, whose judgings, every second one, find `scores`."""
    learner = Shac(task, TINY, 7)
    job = Training(task, learner, 8, judged=2)

    def verdict(act, seed=None):
        return SimpleNamespace(solved=False, numbers={"score": scores[learner.iteration]}), None

    def interrupt(row, found):
        if row["iteration"] == stop:
            raise KeyboardInterrupt

    job.judge = SimpleNamespace(verdict=verdict)
    with TrainingFolder(folder, {}, resume) as kept:
        if resume:
            kept.load(learner)
        with contextlib.suppress(KeyboardInterrupt):
            job.run(kept, interrupt)
    assert learner.iteration == stop
    return kept, learner


@pytest.mark.slow
def test_a_run_keeps_its_best_policy_and_goes_on_with_its_last(arm, tmp_path):
    scores = {2: 0.3, 4: 0.7, 6: 0.5, 8: 0.6}
    whole, last = scripted(arm, tmp_path / "whole", scores, 8)
    at, best = scripted(arm, tmp_path / "short", scores, 4)
    assert (whole.best["iteration"], whole.best["score"]) == (4, 0.7) == (at.best["iteration"], at.best["score"])
    scripted(arm, tmp_path / "parts", scores, 5)
    parts, again = scripted(arm, tmp_path / "parts", scores, 8, resume=True)
    assert parts.best["iteration"] == 4
    for folder in (whole, parts):
        for name, a in Policy.load(folder.path / "policy.npz").arrays().items():
            np.testing.assert_array_equal(a, best.policy()[0][name])
    for name, a in last.policy()[0].items():
        np.testing.assert_array_equal(a, again.policy()[0][name])
    assert any((a != best.policy()[0][name]).any() for name, a in last.policy()[0].items())
    TrainingFolder(tmp_path / "parts", {})
    assert not (tmp_path / "parts" / "policy.npz").exists()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["arm", "crawler"])
def test_a_policy_does_the_same_in_mujoco(which, request, tmp_path):
    """Motors as servos, observation, clock: the states of a run in MuJoCo alone are those of the engine, and the policy
    in NumPy is torch's."""
    import mujoco

    task = request.getfixturevalue(which)
    learner = Shac(task, TINY, 1)
    job = Training(task, learner, 1)
    with torch.no_grad():
        learner.actor.mean[-1].weight *= 20  # it does something
    policy = job.policy()
    policy.save(tmp_path / "policy.npz")
    task.body.model.to_mjcf(tmp_path / "robot.xml")
    theirs = in_mujoco.Policy(tmp_path / "policy.npz")
    robot = in_mujoco.Robot(mujoco, mujoco.MjModel.from_xml_path(str(tmp_path / "robot.xml")), theirs.spec)
    told = np.array(theirs.spec["told_default"])
    sim = engine.Simulator(task.body.exact)
    sim.reset(task.home.numpy())
    last, clock = torch.zeros(1, task.body.model.nu), torch.zeros(1)
    for _ in range(12):
        state = [torch.from_numpy(a.copy()) for a in (sim.data.qpos, sim.data.qvel, sim.data.act)]
        seen = task.observe(state, torch.from_numpy(told)[None], last, clock)[0]
        np.testing.assert_allclose(robot.observation(told), seen[0], atol=1e-5)
        full = torch.cat(task.observe(state, torch.from_numpy(told)[None], last, clock), dim=-1)
        np.testing.assert_allclose(policy(seen.numpy()), learner.act(full).detach(), atol=1e-10)
        np.testing.assert_allclose(theirs(seen[0].numpy()), policy(seen.numpy())[0], atol=1e-10)
        last = torch.from_numpy(policy(seen.numpy()))
        sim.data.ctrl[:] = task.body.control(last).numpy()
        sim.step(task.body.repeat)
        clock = task.advance_clock(clock)
        robot.step(last[0].numpy())
        np.testing.assert_allclose(robot.d.qpos, sim.data.qpos[0], atol=1e-5)
    assert np.abs(sim.data.qpos[0] - task.home.numpy()).max() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("which", ["arm", "hopper", "crawler"])
def test_the_judge_finds_what_run_in_mujoco_finds(which, request, tmp_path):
    """From the same starts, with the same commands and pushes; and the judge begins where `run_in_mujoco.py` begins."""
    import mujoco

    task = request.getfixturevalue(which)
    learner = Shac(task, TINY, 1)
    with torch.no_grad():
        learner.actor.mean[-1].weight *= 5
    job = Training(task, learner, 1)
    job.judge = judge = Judge(task, runs=6, seconds=2.2)
    policy = job.policy()
    _, found = judge.verdict(policy)
    policy.save(tmp_path / "policy.npz")
    task.body.model.to_mjcf(tmp_path / "robot.xml")
    theirs = in_mujoco.Policy(tmp_path / "policy.npz")
    robot = in_mujoco.Robot(mujoco, mujoco.MjModel.from_xml_path(str(tmp_path / "robot.xml")), theirs.spec)
    kept = judge.record(found)
    again = in_mujoco.again(robot, theirs, kept)
    # the hopper's RK4 has servos anew in each stage here, a force per step there
    within = 5e-3 if which == "hopper" else 1e-4
    for name, x in again.items():
        np.testing.assert_allclose(found["measures"][name], x, rtol=0, atol=within, err_msg=name)
    assert not kept["qvel"].any()
    if which != "arm":
        np.testing.assert_allclose(kept["qpos"][0], robot.s["qpos0"], atol=1e-12)
        assert kept["kicks"][:, 4:].any() and not kept["kicks"][:, :4].any()
        place, _ = in_mujoco.run(robot, theirs, np.array(robot.s["told_default"]), judge.steps)
        np.testing.assert_allclose(place, judge.trunk(found)[0][:, 0], atol=within)


def test_measures_say_what_a_trunk_does():
    """A trunk that circles to the left, heading along its way, and one that falls after a second."""
    dt, t = 0.02, np.arange(0, 4, 0.02)
    yaw = 0.5 * t
    place = np.stack([2 * np.sin(yaw), 2 * (1 - np.cos(yaw)), np.full_like(t, 0.3)], axis=-1)
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.stack([c, -s, 0 * c, s, c, 0 * c, 0 * c, 0 * c, 1 + 0 * c], axis=-1).reshape(-1, 3, 3)
    low = place.copy()
    low[50:, 2] = 0.1
    upright = {"z": 0.3, "height": 0.3, "low": 0.6, "tilted": 0.6}
    told = np.array([[1.0, 0.0, 0.5], [1.0, 0.3, 0.5]])
    found = in_mujoco.walked(np.stack([place, low], axis=1), np.stack([turn, turn], axis=1), told, dt, upright)
    np.testing.assert_allclose(found["forward"], 1.0, atol=1e-3)
    np.testing.assert_allclose(found["turning"], 0.5, atol=1e-9)
    np.testing.assert_allclose(found["off"], [0.0, 0.3], atol=0.01)
    assert found["up"].tolist() == [True, False] and found["fell_at"][1] == 1.0


@pytest.mark.parametrize("arguments, said", [
    (["arm.xml", "--task", "run"], "allowed: reach"),
    (["arm.xml", "--task", "swingup"], "no policy form, allowed: run, stand, reach"),
    (["robot.xml", "--task", "jump"], "no policy form"),
    (["robot.xml", "--task", "stant"], "--task 'stant' (did you mean 'stand'?), allowed: run, stand, reach"),
    (["arm.xml"], "needs --site"),
    (["arm.xml", "--site", "hand", "--worlds", "0"], "--worlds"),
])  # fmt: skip
def test_what_has_no_policy_is_refused_by_name(arguments, said, capsys):
    assert main(["train", str(DEMOS / arguments[0]), *arguments[1:]]) == 2
    assert said in capsys.readouterr().err


def test_help_offers_the_tasks_that_there_are(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "--task TASK run, stand, reach; default: run" in " ".join(capsys.readouterr().out.split())


def test_a_free_body_is_brought_nowhere_by_an_arm():
    model = engine.load(DEMOS / "robot.xml")
    with pytest.raises(engine.ModelError, match="fixed base"):
        Reaching(model, model.qpos0, "imu")


@pytest.mark.slow
def test_the_command_learns_to_reach(tmp_path, capsys):
    """A small arm learns to reach in some minutes; its folder runs in MuJoCo by its own script."""
    out = tmp_path / "run"
    code = main(["train", str(DEMOS / "arm.xml"), "--site", "hand", "--iterations", "10", "--json", "--out", str(out)])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert code == 1 and lines[-1]["event"] == "result" and lines[-1]["solved"] is False
    for name in ("policy.npz", "robot.xml", "run.npz", "animation.gif", "verdict.json", "metrics.csv", "loss.png"):
        assert (out / name).exists(), name
    script = shutil.copy(out / "run_in_mujoco.py", tmp_path / "elsewhere.py")
    done = subprocess.run([sys.executable, script, "--policy", out / "policy.npz", "--robot", out / "robot.xml",
                           "--target", "0.3", "0", "0.6"], capture_output=True, text=True)  # fmt: skip
    assert done.returncode in (0, 1) and "mm from the target" in done.stdout, done.stderr
    done = subprocess.run([sys.executable, out / "run_in_mujoco.py", "--judged"], capture_output=True, text=True)
    assert done.returncode == 0 and "at the target" in done.stdout, done.stderr


@pytest.mark.slow
def test_ppo_that_was_stopped_ends_with_the_same_bits(arm):
    pytest.importorskip("stable_baselines3", reason='needs Stable-Baselines3: pip install "pullback[sb3]"')
    from controllers.training.ppo import PPO

    whole = PPO(arm, 4, 0)
    for k in range(4):
        whole.iterate(k / 4)
    half = PPO(arm, 4, 0)
    for k in range(2):
        half.iterate(k / 4)
    saved = half.checkpoint()
    again = PPO(arm, 4, 1)
    again.restore(saved)
    for k in (2, 3):
        again.iterate(k / 4)
    for a, b in zip(whole.policy()[0].values(), again.policy()[0].values(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_an_arm_learns_to_reach(arm, tmp_path):
    """Nine of ten targets that it has not seen, within a centimetre and at rest."""
    job = Training(arm, Shac(arm, Settings(worlds=32, horizon=16), 0), 600, judged=50)
    with TrainingFolder(tmp_path, {}) as folder:
        assert job.run(folder) == "solved"
    assert folder.best["solved"]
