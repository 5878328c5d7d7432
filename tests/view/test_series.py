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


def measured(picture):
    """How far right of the ball's middle the arrow leaves it, m, and the ball's column; None: one is out of sight."""
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    rows, columns = np.nonzero((blue > 90) & (blue > 2 * red))
    if not len(rows):
        return None
    near = slice(max(rows.min() - 8, 0), max(rows.min() - 1, 0))
    arrow = np.flatnonzero(((red > 120) & (red > 2 * blue) & (green < 0.75 * red))[near].any(axis=0))
    if not len(arrow):
        return None
    ball, width = (columns.min() + columns.max()) / 2.0, np.ptp(columns) + 1
    return ((arrow[0] + arrow[-1]) / 2.0 - ball) * 2.0 * RADIUS / width, ball


@pytest.mark.slow
@pytest.mark.skipif(executable() is None, reason="no Chromium here (Debian package chromium, or name one in CHROMIUM)")
@pytest.mark.parametrize("follow", [False, True])
def test_an_arrow_stays_at_its_contact_while_the_robot_plays(tmp_path, follow):
    """A ball that crosses the picture at 3 m/s, on the force that carries it: within 1 cm in every picture of where the
    arrow is when the page stands still (seen from above, what is upright leans outwards)."""
    model = engine.load(BALL)
    qpos = np.tile(model.qpos0, (11, 1))
    qpos[:, 0], qpos[:, 2] = SPEED * (np.arange(11) - 5) / FPS, RADIUS - 1e-3
    seen = replay(model, qpos)
    assert all(len(contacts["pos"]) for contacts in seen.contacts)
    player = play(model, seen, fps=FPS, port=8410, camera={"width": 2.2, "lookat": (0, 0, 0.2), "elevation": 0.0})
    player.follow.value = follow
    try:
        with Page(tmp_path, size=(900, 420)) as page:
            page.open(player.address)
            page.wait_for(READY, 240)
            time.sleep(5)
            player.playing.value, still = False, []
            for k in (2, 5, 8):
                player.show(k)
                time.sleep(4)
                still.append(measured(page.picture()[:, 40:600]))
            player.playing.value = True
            found = [measured(page.picture()[:, 40:600]) for _ in range(20)]  # beside the panel and viser's note
            assert page.errors == []
    finally:
        player.close()
    apart, places = np.array([one for one in found if one is not None and 20 < one[1] < 540]).T
    assert len(apart) >= 8 and (follow or np.ptp(places) > 100)  # it was seen to move
    leaning, columns = np.array(sorted(still, key=lambda one: one[1])).T
    apart = np.abs(apart - np.interp(places, columns, leaning))
    print(f"at most {100 * apart.max():.2f} cm apart in {len(apart)} pictures")
    assert apart.max() < 0.01, apart
