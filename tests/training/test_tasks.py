"""What tasks of robots are made of, in torch: places, rewards, observations, steps, motions."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import engine  # noqa: E402
import scenes  # noqa: E402
from controllers.tasks.kinematics import Point, times  # noqa: E402
from controllers.training.chain import Chains, Trunk  # noqa: E402
from controllers.training.reaching import Reaching  # noqa: E402
from engine.objectives import find_root  # noqa: E402
from engine.simulator import Simulator  # noqa: E402

pytestmark = pytest.mark.usefixtures("doubles")
DEMOS = Path(__file__).parents[2] / "demos"


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


def turned(vector):
    """The unit quaternion of a rotation vector."""
    angle = np.linalg.norm(vector)
    return np.append(np.cos(angle / 2), np.sin(angle / 2) * vector / angle)


def test_a_free_body_is_brought_nowhere_by_an_arm():
    model = engine.load(DEMOS / "robot.xml")
    with pytest.raises(engine.ModelError, match="fixed base"):
        Reaching(model, model.qpos0, "imu")


def test_the_example_of_an_arm_ends_at_its_target(arm):
    """Played by the engine, whatever the servos are: a target that is in reach, at rest; and the arm's weight in any
    pose is the engine's."""
    body, rng, n = arm.body, torch.Generator().manual_seed(4), 6
    sim = Simulator(body.exact, n)
    qpos, told = arm.starts(n, rng)[0], arm.commands(n, rng)
    sim.reset(qpos.numpy())
    sim.forward()
    with torch.enable_grad():
        q = qpos.clone().requires_grad_()
        (weight,) = torch.autograd.grad(arm._potential(q).sum(), q)
    np.testing.assert_allclose(weight.numpy(), sim.data.qfrc_bias, atol=1e-9)
    for _ in range(150):
        state = [torch.from_numpy(a.copy()) for a in (sim.data.qpos, sim.data.qvel, sim.data.act)]
        sim.data.ctrl[:] = body.control(arm.example(state, told, None)).numpy()
        sim.advance(body.repeat)
    place = arm.chains.places(torch.from_numpy(sim.data.qpos))[:, 0]
    assert float((place - told).norm(dim=-1).max()) < 5e-3
    assert np.abs(sim.data.qvel).max() < 0.05
    assert arm.follows(state, told) == 1.0
