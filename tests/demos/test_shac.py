"""SHAC on the torch bridge: its rewards, its gradient, its files and resuming; (slow) what it must reach."""

import csv

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import scenes  # noqa: E402
from controllers.training.network import td_returns  # noqa: E402
from demos.gradient_noise import agreement  # noqa: E402
from demos.gradient_noise import main as gradient_noise  # noqa: E402
from demos.learning_curve import plot, read  # noqa: E402
from demos.shac import Settings, Shac, main, train  # noqa: E402
from demos.torch_tasks import TorchLocomotion  # noqa: E402

LOCOMOTION = ("hopper", "half_cheetah", "walker2d", "ant")
TINY = ["--worlds", "4", "--horizon", "3", "--critic-epochs", "1"]


@pytest.fixture(autouse=True)
def doubles():
    threads = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", LOCOMOTION)
def test_torch_tasks_are_the_scenes_tasks(name):
    scene, rng = scenes.load(name), np.random.default_rng(0)
    task, own, m = scene.task, TorchLocomotion(scene.task), scene.model
    shape = (40, 3)
    states = [
        (scene.qpos0 + rng.normal(scale=0.2, size=(*shape, m.nq)), 15 * rng.normal(size=(*shape, m.nv))) for _ in "ab"
    ]  # fmt: skip
    ctrl = rng.uniform(-1, 1, (*shape, m.nu))
    (qpos, qvel), after = states
    tensors = [torch.from_numpy(x) for x in (qpos, ctrl, *after)]
    np.testing.assert_array_equal(own.observation(*tensors[2:]), task.observation(*after))
    np.testing.assert_array_equal(own.healthy(*tensors[2:]), task.healthy(*after))
    reward = task.reward(qpos, qvel, ctrl, *after, scene.dt)[0]
    np.testing.assert_allclose(own.reward(*tensors, scene.dt), reward, rtol=1e-12, atol=1e-12)
    if name != "half_cheetah":
        assert 0 < task.healthy(*after).mean() < 1


def test_survival_is_health_with_blurred_bounds():
    """`healthy` away from the bounds, half 1.5 widths within one of them, and a gradient where `healthy` has none."""
    for name in LOCOMOTION:
        scene, rng = scenes.load(name), np.random.default_rng(1)
        own = TorchLocomotion(scene.task)
        qpos = torch.from_numpy(scene.qpos0 + rng.normal(scale=0.3, size=(200, scene.model.nq)))
        qvel = torch.zeros(200, scene.model.nv)
        np.testing.assert_allclose(own.survival(qpos, 1e-9), own.healthy(qpos, qvel).double(), atol=1e-9)
    own = TorchLocomotion(scenes.load("hopper").task)
    qpos = torch.tensor([[0.0, 1.0, 0.17, 0, 0, 0], [0.0, 0.73, 0.0, 0, 0, 0], [0.0, 1.2, 0.19, 0, 0, 0]])
    np.testing.assert_allclose(own.survival(qpos, 0.02)[:2], 0.5, atol=1e-3)
    qpos.requires_grad_()
    torch.autograd.gradcheck(lambda q: own.survival(q, 0.02), (qpos,), eps=1e-7, rtol=1e-6, atol=1e-6)
    ctrl, qvel = torch.zeros(3, 3), torch.zeros(3, 6)
    own.reward(qpos, ctrl, qpos, qvel, 0.01, own.survival(qpos, 0.02)).sum().backward()
    assert qpos.grad[2, 2] < -5  # leaning on towards the bound costs


def test_the_actors_gradient_is_that_of_its_loss():
    """Through policy, simulator, critic and resets, against central differences along the gradient."""
    settings = Settings(worlds=3, horizon=4, state_clip=1e9, episode=0.06)

    def loss(change=None, step=0.0):
        shac = Shac(scenes.load("hopper"), settings, seed=1)
        shac.state[0][0, 2], shac.state[1][0, 2] = 0.17, 4.0  # the first is about to fall
        if change is not None:
            with torch.no_grad():
                for p, d in zip(shac.actor.parameters(), change, strict=True):
                    p += step * d
        value, rows = shac.window()
        assert rows["survival"].min() < 0.4 < 0.99 < rows["survival"].max() and rows["end"].any()
        return value, shac

    value, shac = loss()
    value.backward()
    gradient = [p.grad for p in shac.actor.parameters()]
    size = sum(g.square().sum() for g in gradient).sqrt()
    change, h = [g / size for g in gradient], 1e-6
    difference = (loss(change, h)[0] - loss(change, -h)[0]) / (2 * h)
    assert float(size) > 1e-3
    assert float(difference.detach()) == pytest.approx(float(size), rel=1e-5)


def test_returns_are_td_lambda():
    rows = {
        "reward": torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]),
        "next": torch.tensor([[10.0, 10.0], [20.0, 0.0], [30.0, 30.0]]),
        "survival": torch.tensor([[1.0, 1.0], [0.8, 1.0], [1.0, 1.0]]),
        "end": torch.tensor([[False, False], [False, True], [False, False]]),
    }
    third = 3 + 0.9 * 30
    second = 2 + 0.9 * 0.8 * (0.5 * 20 + 0.5 * third)
    expected = [[1 + 0.9 * (5 + 0.5 * second), 1 + 0.9 * (5 + 0.5 * 2)], [second, 2.0], [third, third]]
    np.testing.assert_allclose(td_returns(rows, 0.9, 0.5), expected)


def test_the_demo_runs_and_resumes_with_the_same_numbers(tmp_path):
    arguments = ["hopper", *TINY, "--seed", "3", "--out"]
    assert main([*arguments, str(tmp_path / "a"), "--iterations", "4"]) == 1  # far from the threshold
    for name in ("metrics.csv", "policy.pt", "checkpoint.pt", "learning_curve.png"):
        assert (tmp_path / "a" / name).stat().st_size > 100, name
    settings = Settings(worlds=4, horizon=3, critic_epochs=1)
    train("hopper", tmp_path / "b", settings, 4, seed=3, stop=2)
    main([*arguments, str(tmp_path / "b"), "--iterations", "4", "--resume"])
    a, b = (torch.load(tmp_path / x / "checkpoint.pt", weights_only=True) for x in "ab")
    for x, y in zip(a["actor"].values(), b["actor"].values(), strict=True):
        assert torch.equal(x, y)
    with pytest.raises(ValueError, match="--resume"):
        main([*arguments, str(tmp_path / "a"), "--iterations", "4", "--gamma", "0.9", "--resume"])


def test_curves_of_two_methods_share_their_axes(tmp_path):
    for label, name, scale in (("SHAC", "metrics.csv", 1), ("PPO", "curve.csv", 10)):
        (tmp_path / label).mkdir()
        with open(tmp_path / label / name, "w", newline="") as f:
            table = csv.writer(f)
            table.writerow(["steps", "seconds", "return", "more"])
            table.writerows([k * 1000 * scale, k * scale, k * k, 0] for k in range(5))
    plot({n: [tmp_path / n] for n in ("SHAC", "PPO")}, tmp_path / "curves.png", "hopper", bar=10)
    assert (tmp_path / "curves.png").stat().st_size > 5000
    (tmp_path / "metrics.csv").write_text("steps,seconds\n1,2\n")
    with pytest.raises(ValueError, match="no column return"):
        read(tmp_path)


def test_gradients_agree_with_themselves_in_short_windows():
    row = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    assert agreement(row[:2]) == pytest.approx(1) and agreement(row[1:]) == pytest.approx(0)
    found = gradient_noise(["ant", "--worlds", "16", "--horizons", "1", "24", "--repeats", "3"])
    assert found[1] > 0.4 > found[24]


def test_the_policy_file_walks_in_gymnasiums_own_simulator(tmp_path):
    pytest.importorskip("mujoco", reason='needs MuJoCo: pip install "pullback[mjcf]"')
    pytest.importorskip("gymnasium", reason='needs Gymnasium: pip install "pullback[rl]"')
    from demos.policy_in_gymnasium import main as in_gymnasium

    for scene in ("hopper", "ant"):
        main([scene, *TINY, "--iterations", "0", "--out", str(tmp_path / scene)])
        returns, lengths = in_gymnasium([str(tmp_path / scene), "--episodes", "2"])
        own = read(tmp_path / scene)["return"][0]
        assert np.mean(returns) == pytest.approx(own, rel=0.3) and min(lengths) > 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hopper_returns_two_thousand(tmp_path, seed):
    assert main(["hopper", "--seed", str(seed), "--out", str(tmp_path)]) == 0
    found = read(tmp_path)
    assert found["return"][-1] > 2000 and found["steps"][-1] < 1_000_000


@pytest.mark.slow
def test_ant_returns_two_thousand(tmp_path):
    assert main(["ant", "--out", str(tmp_path)]) == 0
    assert read(tmp_path)["return"][-1] > 2000
