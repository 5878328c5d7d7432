"""A series of screenshots while a robot plays: what is drawn about it keeps up with it."""

import time

import numpy as np
import pytest

import engine
from engine.replay import replay
from tests.view.chromium import READY, Page, executable

pytest.importorskip("viser", reason="viser is not installed (extra `view`)")

from engine.view import play  # noqa: E402

FPS, SPEED, RADIUS = 30, 3.0, 0.1  # 1/s, m/s, m
BALL = f"""<mujoco><option timestep="{1 / FPS}"/><worldbody>
<geom type="plane" size="5 5 1" rgba=".9 .9 .9 1"/>
<body pos="0 0 {RADIUS}"><freejoint/><geom type="sphere" size="{RADIUS}" rgba=".1 .2 .9 1"/>
<geom type="capsule" fromto="0 .3 0 0 1.3 0" size=".02" rgba="1 1 1 1" contype="0" conaffinity="0"/></body>
</worldbody></mujoco>"""


def middle(picture, where):
    """The mean column of some pixels, and how many columns they take."""
    columns = np.flatnonzero(where(*np.moveaxis(picture.astype(int), -1, 0)).any(axis=0))
    return (columns[0] + columns[-1]) / 2.0, len(columns)


@pytest.mark.slow
@pytest.mark.skipif(executable() is None, reason="no Chromium here (Debian package chromium, or name one in CHROMIUM)")
@pytest.mark.parametrize("follow", [False, True])
def test_an_arrow_stays_at_its_contact_while_the_robot_plays(tmp_path, follow):
    """A ball that crosses the picture at 3 m/s, on the force that carries it: within 1 cm in every picture."""
    model = engine.load(BALL)
    qpos = np.tile(model.qpos0, (25, 1))
    qpos[:, 0], qpos[:, 2] = SPEED * (np.arange(25) / FPS - 0.4), RADIUS - 1e-3
    seen = replay(model, qpos)
    assert all(len(contacts["pos"]) for contacts in seen.contacts)
    player = play(model, seen, fps=FPS, port=8410, camera={"width": 4.0, "lookat": (0, 0, 0.2), "elevation": 0.0})
    player.follow.value = follow
    try:
        with Page(tmp_path, size=(900, 420)) as page:
            page.open(player.address)
            page.wait_for(READY, 240)
            time.sleep(5)
            apart, places = [], []
            for _ in range(25):
                picture = page.picture()[:, :600]  # beside the panel
                try:
                    ball, width = middle(picture, lambda r, g, b: (b > 90) & (b > 2 * r))
                    arrow, _ = middle(picture, lambda r, g, b: (r > 120) & (r > 2 * b) & (g < 0.75 * r))
                except IndexError:
                    continue  # behind the panel
                if 10 < ball < 580:
                    apart.append(abs(ball - arrow) * 2 * RADIUS / width)
                    places.append(ball)
            assert page.errors == []
    finally:
        player.close()
    assert len(apart) >= 10 and (follow or np.ptp(places) > 100)  # it was seen to move
    assert max(apart) < 0.01, apart
