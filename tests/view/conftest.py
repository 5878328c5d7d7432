"""Robots for the tests of pictures: a small one without any simulation, a hull and two legs, and a cheetah that ran."""

from types import SimpleNamespace

import numpy as np
import pytest

from engine.model.constants import CAPSULE, HINGE, PLANE, SLIDE, SPHERE
from tests.view.walker import HULL_RADIUS, LEG_HALF, LEG_RADIUS


@pytest.fixture
def robot():
    """A model with the arrays that pictures read: a plane, a spherical hull, and two capsules for legs."""
    return SimpleNamespace(
        ngeom=4,
        geom_type=np.array([PLANE, SPHERE, CAPSULE, CAPSULE]),
        geom_size=np.array([[0, 0, 1], [HULL_RADIUS, 0, 0], [LEG_RADIUS, LEG_HALF, 0], [LEG_RADIUS, LEG_HALF, 0]]),
        geom_rgba=np.array([[0.8, 0.9, 0.8, 1], [0.9, 0.1, 0.1, 1], [0.1, 0.2, 0.9, 1], [0.1, 0.2, 0.9, 1]]),
        geom_bodyid=np.array([0, 1, 2, 3]),
        geom_group=np.zeros(4, int),
        jnt_type=np.array([SLIDE, HINGE]),
        jnt_qposadr=np.array([0, 1]),
        jnt_range=np.array([[0.0, 0.0], [-1.0, 0.5]]),
        jnt_limited=np.array([False, True]),
        joint_names=["slider", ""],
    )


@pytest.fixture(scope="session")
def seen():
    """The model of a cheetah, and a Replay of half a second in which it falls on its feet and kicks."""
    import engine
    import scenes
    from engine.replay import replay

    scene = scenes.load("half_cheetah")
    tape = engine.Tape(engine.Simulator(scene.model), 50)
    run = tape.rollout(np.sin(np.arange(50)[:, None] * 0.3 + np.arange(scene.model.nu)))
    return scene.model, replay(scene.model, run)


@pytest.fixture
def server():
    """A viser server of its own."""
    from engine.view.browser.server import stop, viser_server

    made = viser_server(port=8190)
    yield made
    stop(made)
