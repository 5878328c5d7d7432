"""Tasks that see everything: commands, pushes, delays, parameters of their own; many worlds as many single ones."""

import pickle

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env, data_equivalence  # noqa: E402
from gymnasium.vector import AutoresetMode, SyncVectorEnv  # noqa: E402

import engine  # noqa: E402
import engine.rl  # noqa: E402
import scenes  # noqa: E402

DELAY = 2  # control steps


class Hop(scenes.StateTask):
    """Follow a speed that is drawn anew, with delayed controls, pushes, and another mass in each episode."""

    remembered = {"command": 1, "queue": DELAY * 3, "pushes": 1}  # noqa: RUF012
    own_params = evaluated = True

    def actions(self, model):
        return -np.ones(model.nu), np.ones(model.nu)

    def begin(self, s, rows):
        s.command[rows] = s.draw(lambda rng: rng.uniform(0.5, 1.5, 1), rows)
        s.params.body_mass[rows] *= s.draw(lambda rng: rng.uniform(0.8, 1.2, 1), rows)

    def before(self, s, rows):
        late = rows[s.steps[rows] % 5 == 4]
        s.command[late] = s.draw(lambda rng: rng.uniform(0.5, 1.5, 1), late)
        s.data.xfrc_applied[rows, 1, 0] = 0.0
        s.data.xfrc_applied[late, 1, 0] = 40.0
        s.pushes[late] += 1
        s.queue[rows] = np.concatenate([s.queue[rows, 3:], s.action[rows]], axis=1)

    def controls(self, s):
        return s.queue[:, :3]

    def observe(self, s):
        parts = s.data.qpos[:, 1:], s.data.qvel, s.command, s.last_action, s.params.body_mass[:, 1:2], s.time[:, None]
        return np.concatenate(parts, axis=1)

    def terms(self, s):
        speed = s.data.body("torso").xpos[:, 0]
        return {"place": speed, "effort": -0.01 * np.square(s.action - s.last_action).sum(axis=1)}

    def ended(self, s):
        return s.data.qpos[:, 1] < 0.9

    def info(self, s):
        return {"command": s.command, "contacts": s.data.ncon}


def scene():
    hopper = scenes.load("hopper")
    return scenes.Scene("hop_on_command", "a hopper follows a speed", hopper.model, Hop(), 4, 1.0, hopper.qpos0,
                        reset_noise=0.01)  # fmt: skip


def single():
    env = engine.rl.Env(scene())
    return gymnasium.wrappers.TimeLimit(env, 12)


@pytest.mark.parametrize("mode", AutoresetMode)
def test_is_as_many_single_environments(mode):
    envs = engine.rl.VectorEnv(scene(), 3, max_episode_steps=12, autoreset_mode=mode)
    reference = SyncVectorEnv([single] * 3, autoreset_mode=mode)
    assert envs.observation_space == reference.observation_space and envs.action_space == reference.action_space
    a, b = envs.reset(seed=5), reference.reset(seed=5)
    assert data_equivalence(a[0], b[0], exact=True)
    envs.action_space.seed(1)
    ended = 0
    for step in range(30):
        actions = envs.action_space.sample()
        ours, theirs = envs.step(actions), reference.step(actions)
        for x, y in zip(ours, theirs, strict=True):
            assert data_equivalence(x, y, exact=True), (step, x, y)
        over = ours[2] | ours[3]
        ended += over.sum()
        if mode == AutoresetMode.DISABLED and over.any():
            a, b = envs.reset(options={"reset_mask": over}), reference.reset(options={"reset_mask": over.copy()})
            assert data_equivalence(a[0], b[0], exact=True)
    assert ended >= 6


def test_one_environment():
    env = engine.rl.Env(scene())
    check_env(env, skip_render_check=True)
    observation, _ = env.reset(seed=2)
    mass = env.sim.params.body_mass[0].copy()
    nominal = env.scene.model.body_mass
    assert observation[-1] == 0.0 and not np.allclose(mass[1:], nominal[1:])
    np.testing.assert_allclose(mass[1:] / nominal[1:], mass[1] / nominal[1])
    first = env.step(np.ones(3))
    assert not env.sim.data.ctrl.any()  # what was asked for comes DELAY steps later
    for _ in range(DELAY):
        _, reward, _, _, info = env.step(np.ones(3))
    assert env.sim.data.ctrl.all() and reward == info["reward_place"] + info["reward_effort"]
    assert first[0][-1] == pytest.approx(env.scene.dt) and info["command"].shape == (1,)
    env.reset(seed=2)
    assert np.array_equal(env.sim.params.body_mass[0], mass)  # of the model's own, not of the last episode's


def test_options_outlast_the_task():
    env = engine.rl.Env(scene())
    qpos = scene().qpos0 + 0.1
    env.reset(seed=0, options={"qpos": qpos})
    assert np.array_equal(env.sim.data.qpos[0], qpos)


def test_results_are_those_of_the_state():
    env = engine.rl.Env(scene())
    env.reset(seed=0)
    env.step(np.ones(3))
    place = env.sim.data.body("torso").xpos.copy()
    env.sim.forward()
    assert np.array_equal(place, env.sim.data.body("torso").xpos)


def test_a_copy_goes_on_alike():
    env = engine.rl.Env(scene())
    env.reset(seed=3)
    env.step(np.zeros(3))
    twin = pickle.loads(pickle.dumps(env.worlds))
    for worlds in (twin, env.worlds):
        last = worlds.step(np.full(3, 0.5))
    again = twin.step(np.zeros(3)), env.worlds.step(np.zeros(3))
    assert np.array_equal(again[0][0], again[1][0]) and last[0].shape == env.observation_space.shape


def test_what_is_refused():
    class Wrong(Hop):
        def terms(self, s):
            return {"place": 1.0}

    class Reserved(Hop):
        remembered = {"time": 1}  # noqa: RUF012

    env = engine.rl.Env(scenes.Scene("wrong", "", scene().model, Wrong(), 4, 1.0))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"terms\['place'\]: got shape \(\), allowed: \(worlds,\) of 1 worlds"):
        env.step(np.zeros(3))
    with pytest.raises(ValueError, match="remembered: got time, allowed: other names than sim"):
        engine.rl.Env(scenes.Scene("reserved", "", scene().model, Reserved(), 4, 1.0))
    with pytest.raises(ValueError, match=r"action: got shape \(2,\), allowed: \(3,\)"):
        env.step(np.zeros(2))
    with pytest.raises(NotImplementedError, match="Hop has no objective"):
        scene().objective()


def test_registered_scenes(tmp_path, monkeypatch):
    scenes.register("hop_on_command", scene)
    assert "hop_on_command" in scenes.names() and scenes.load("hop_on_command").description.startswith("a hopper")
    assert "Pullback/HopOnCommand-v0" in engine.rl.register_scenes()
    assert gymnasium.make("Pullback/HopOnCommand-v0").reset(seed=0)[0].shape == (17,)
    with pytest.raises(ValueError, match="there is a scene 'hopper' already"):
        scenes.register("hopper", scene)
    with pytest.raises(TypeError, match="allowed: a function without arguments -> Scene"):
        scenes.register("nothing", lambda: 3)
    (tmp_path / "my_own_scenes.py").write_text(
        "import scenes\ndef crawler():\n    s = scenes.load('hopper')\n    s.name = 'mine'\n    return s\n"
    )
    monkeypatch.chdir(tmp_path)
    assert scenes.load("my_own_scenes:crawler").name == "mine"
    with pytest.raises(ValueError, match="no scene 'my_own_scenes:nobody'"):
        scenes.load("my_own_scenes:nobody")


@pytest.fixture(autouse=True)
def forget():
    yield
    scenes._OWN.clear()


class Heavy(Hop):
    """Every second episode has another mass and what follows from it."""

    def begin(self, s, rows):
        super().begin(s, rows)
        odd = np.array([w for w in rows if s.draw(lambda rng: rng.integers(2), [w])[0]], int)
        s.params.body_mass[odd] *= 4.0
        s.sim.set_const(odd)


def test_what_follows_from_masses_is_the_models_again_too():
    """An episode after one whose task has called set_const is that of a new environment, bit for bit."""
    hopper = scenes.load("hopper")
    env = engine.rl.Env(scenes.Scene("heavy", "a hopper", hopper.model, Heavy(), 4, 1.0, hopper.qpos0))
    follows, seen = env.sim.model_pack["following"], {}
    model = follows.copy()
    for seed in range(6):
        env.reset(seed=seed)
        heavy = env.sim.params.body_mass[0, 1] > 2 * hopper.model.body_mass[1]
        seen[bool(heavy)] = seed
        assert np.array_equal(follows, model) != heavy
    assert len(seen) == 2


class Thrown(Hop):
    """World 1 is thrown away by a force; results are seen as a step leaves them."""

    evaluated = False
    own_params = False

    def begin(self, s, rows):
        s.command[rows] = 1.0

    def before(self, s, rows):
        s.data.xfrc_applied[1, 1, 2] = 1e18 * (s.steps[1] == 2)

    def observe(self, s):
        return np.concatenate([s.data.qpos, s.data.qvel, s.data.qacc, s.data.geom_xpos[:, -1]], axis=1)


def thrown(task):
    hopper = scenes.load("hopper")
    scene = scenes.Scene("thrown", "a hopper", hopper.model, task, 4, 1.0, hopper.qpos0)
    envs = engine.rl.VectorEnv(scene, 2, autoreset_mode=AutoresetMode.DISABLED)
    envs.reset(seed=0)
    return envs


def test_a_diverged_world_is_seen_as_it_was_last():
    envs = thrown(Thrown())
    nothing = np.zeros((2, envs.single_action_space.shape[0]))
    for _ in range(2):
        envs.step(nothing)
    observations, rewards, ended, _, infos = envs.step(nothing)
    assert infos["diverged"].tolist() == ended.tolist() == [False, True] and rewards[1] == 0.0
    assert np.abs(observations).max() < 1e4  # accelerations, too


@pytest.mark.parametrize("what", ("observe", "terms"))
def test_what_a_task_says_is_made_of_numbers(what):
    """A quotient of zeros in somebody's reward would end in the weights of a policy."""

    class Wrong(Hop):
        def observe(self, s):
            return super().observe(s) / (np.zeros((2, 1)) if what == "observe" and s.steps[0] else 1.0)

        def terms(self, s):
            return {"speed": np.array([0.0, np.nan])} if what == "terms" else super().terms(s)

    envs = thrown(Wrong())
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=rf"{what}.*entry .* is (nan|-?inf), allowed"):
        envs.step(np.zeros((2, envs.single_action_space.shape[0])))


def test_shared_parameters_can_only_be_read():
    """A world's number is no body's: a task that forgets own_params would change other masses, in all worlds."""

    class Forgets(Thrown):
        def begin(self, s, rows):
            s.params.body_mass[rows] *= 1.1

    with pytest.raises(ValueError, match="read-only"):
        thrown(Forgets())
    envs = thrown(Thrown())
    s = envs.worlds.state
    assert np.array_equal(s.params.body_mass, envs.sim.params.body_mass) and "body_mass" in list(s.params)
    with pytest.raises(AttributeError, match=r"params.body_mass: all worlds share it; allowed: own_params = True"):
        s.params.body_mass = 1.0
    pickle.loads(pickle.dumps(s.params))


def test_what_a_task_lacks_is_named():
    with pytest.raises(NotImplementedError, match=r"StateTask has no observe\(s\), what a policy sees"):
        thrown(scenes.StateTask())
    with pytest.raises(TypeError, match=r"seed: got 1.5, allowed: None, a whole number, or a list"):
        thrown(Thrown()).reset(seed=1.5)
