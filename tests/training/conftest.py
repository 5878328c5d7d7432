"""Robots with their tasks. What imports torch does so within: a policy's tests need none."""

from pathlib import Path

import pytest

import engine
import scenes

DEMOS = Path(__file__).parents[2] / "demos"


@pytest.fixture
def doubles():
    import torch

    threads = torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)  # as a training: small layers only wait for a second
    yield
    torch.set_default_dtype(torch.float32)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def crawler():
    import torch

    from controllers.training.legged import Legged

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    model = engine.load(DEMOS / "robot.xml")
    task = Legged(model, model.key_qpos[model.key("stand")], "run")
    torch.set_default_dtype(before)
    return task


@pytest.fixture
def hopper(doubles):
    from controllers.training.legged import Legged

    scene = scenes.load("hopper")
    return Legged(scene.model, scene.qpos0, "run")


@pytest.fixture
def arm(doubles):
    from controllers.training.reaching import Reaching

    model = engine.load(DEMOS / "arm.xml")
    return Reaching(model, [0.3, 0.5], "hand")
