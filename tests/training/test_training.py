"""Learning a policy: a window's gradient, examples, resuming, the best one kept; the command and its refusals."""

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
from controllers.training import striding  # noqa: E402
from controllers.training.folder import TrainingFolder  # noqa: E402
from controllers.training.imitate import imitate  # noqa: E402
from controllers.training.job import Training  # noqa: E402
from controllers.training.legged import Legged  # noqa: E402
from controllers.training.policy import Policy  # noqa: E402
from controllers.training.shac import Settings, Shac  # noqa: E402
from controllers.training.stepping import Stride  # noqa: E402
from engine.cli import main  # noqa: E402
from tests.controllers.test_gaits import BIPED  # noqa: E402

pytestmark = pytest.mark.usefixtures("doubles")
DEMOS = Path(__file__).parents[2] / "demos"
TINY = Settings(worlds=3, horizon=4, critic_epochs=1, minibatches=1, actor_hidden=(8,), critic_hidden=(8,))


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
