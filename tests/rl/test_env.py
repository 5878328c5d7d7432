"""Single environments: Gymnasium's own checks, registration, pictures."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium")

from gymnasium.utils.env_checker import check_env  # noqa: E402

import engine.rl  # noqa: E402
import scenes  # noqa: E402

IDS = engine.rl.register_scenes()
# The one advice that equal definitions rule out: InvertedPendulum-v5, the cartpole, has controls within +-3.
WIDE_CONTROLS = "recommend using a symmetric and normalized space"


def test_every_scene_with_a_task_is_registered():
    assert {spec.kwargs["scene"] for name, spec in gymnasium.registry.items() if name in IDS} == set(scenes.names())
    assert "Pullback/HalfCheetah-v0" in IDS and "Pullback/Walker2d-v0" in IDS
    named = {name: env_id for name, env_id in zip(scenes.names(), IDS, strict=True) if "Humanoid" in env_id}
    assert named == {"humanoid": "Pullback/HumanoidStand-v0", "humanoid_run": "Pullback/Humanoid-v0"}
    for name in scenes.names():
        assert gymnasium.spec(engine.rl.env_id(name)).max_episode_steps == scenes.load(name).steps
    assert engine.rl.register_scenes() == IDS  # twice is once


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasiums_checks_pass_without_a_warning(env_id):
    env = gymnasium.make(env_id, render_mode="rgb_array")
    env.reset()  # what Taichi itself warns of at its start is not meant
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        check_env(env.unwrapped)
    messages = [str(w.message) for w in seen]
    wide = [m for m in messages if WIDE_CONTROLS in m]
    assert messages == wide and bool(wide) == bool((env.action_space.high > 1).any())


def test_what_an_environment_says():
    env, many = engine.rl.Env("pendulum"), engine.rl.VectorEnv("pendulum", 3)
    assert repr(env).startswith("<Env 'pendulum': observation (3,), action (1,), ")
    assert repr(many).startswith("<VectorEnv 'pendulum': observation (3, 3), action (3, 1), ")
    with pytest.raises(ValueError, match=r"action: got 'left', allowed: numbers of shape \(1,\)"):
        env.step("left")
    with pytest.raises(AttributeError, match=r"\(did you mean 'Env'\?\)"):
        engine.rl.Envv  # noqa: B018


def test_importing_registers_and_starts_nothing():
    """Neither Taichi nor pictures before the first environment; and with Gymnasium 1, an id may name the package."""
    code = (
        "import sys, gymnasium, engine.rl\n"
        "gymnasium.spec('Pullback/Hopper-v0')\n"
        "assert not {'taichi', 'matplotlib'} & set(sys.modules)\n"
    )
    make = (
        "import gymnasium, engine\n"
        "engine.init(threads=1)\n"
        "env = gymnasium.make('engine.rl:Pullback/Hopper-v0')\n"
        "assert env.reset(seed=0)[0].shape == (11,)\n"
    )
    for program in (code, make):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_missing_extra_is_named():
    code = "import sys; sys.modules['gymnasium'] = None\nimport engine.rl"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode != 0 and 'pip install "pullback[rl]"' in done.stderr


@pytest.mark.parametrize("env_id", IDS)
def test_pictures_show_the_robot_and_change_nothing(env_id):
    drawn, plain = gymnasium.make(env_id, render_mode="rgb_array", width=320, height=200), gymnasium.make(env_id)
    drawn.reset(seed=1), plain.reset(seed=1)
    drawn.action_space.seed(0)
    images = [drawn.render()]
    for _ in range(6):
        action = drawn.action_space.sample()
        got, want = drawn.step(action), plain.step(action)
        np.testing.assert_array_equal(got[0], want[0])
        images.append(drawn.render())
    assert all(im.shape == (200, 320, 3) and im.dtype == np.uint8 for im in images)
    assert not np.array_equal(images[0], images[-1])
    colours = np.unique(images[-1].reshape(-1, 3), axis=0)
    assert len(colours) > 100  # shaded bodies on a checkered ground, not an empty page
    assert not np.shares_memory(images[0], images[1])
    assert plain.render is not None and plain.unwrapped.render() is None


def test_vector_pictures_are_those_of_single_environments():
    envs = gymnasium.make_vec(IDS[0], 2, render_mode="rgb_array", width=200, height=200)
    one = gymnasium.make(IDS[0], render_mode="rgb_array", width=200, height=200)
    envs.reset(seed=4), one.reset(seed=5)
    np.testing.assert_array_equal(envs.render()[1], one.render())


def test_a_window_shows_every_step(capsys):
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    env = gymnasium.make("Pullback/Pendulum-v0", render_mode="human", width=200, height=200)
    env.reset(seed=0)
    told = capsys.readouterr().err
    assert 'render_mode="human": matplotlib has no display here, only agg: nothing is seen; allowed: ' in told
    shown = env.unwrapped._screen.shown
    pictures = [np.array(shown.get_array())]
    for _ in range(3):
        env.step(np.ones(1, np.float32))
        pictures.append(np.array(shown.get_array()))
    assert len({p.tobytes() for p in pictures}) == 4
    assert pyplot.fignum_exists("pendulum")
    env.close()
    assert not pyplot.fignum_exists("pendulum")
