"""The same policy in MuJoCo alone, what the judge finds there, and what it measures."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import engine  # noqa: E402
from controllers.training import in_mujoco  # noqa: E402
from controllers.training.job import Training  # noqa: E402
from controllers.training.judge import Judge  # noqa: E402
from controllers.training.shac import Settings, Shac  # noqa: E402

pytestmark = pytest.mark.usefixtures("doubles")
TINY = Settings(worlds=3, horizon=4, critic_epochs=1, minibatches=1, actor_hidden=(8,), critic_hidden=(8,))


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
