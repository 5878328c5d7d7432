"""Boxes on a floor, pulled, tossed, or hit by a ball: simulated by MuJoCo, logged as noisy poses."""

from typing import NamedTuple

import mujoco
import numpy as np

from engine.identify import Log, Unknown

XML = """<mujoco><option timestep="0.002" cone="elliptic" integrator="Euler"/><worldbody>
<geom name="floor" type="plane" size="9 9 1" friction="{friction}" solref="{time} {ratio}"/>
<body name="box" pos="0 0 0.0999"><freejoint name="box"/>
 <inertial pos="0 0 0" mass="{mass}" diaginertia=".008 .011 .012"/>
 <geom name="box" type="box" size=".15 .12 .1" friction="0.01"/><site name="middle"/></body>
{ball}</worldbody><actuator><motor name="pull" site="middle" gear="1 0 0 0 0 0"/></actuator></mujoco>"""
BALL = """<body name="ball" pos="-.5 0 .1"><freejoint name="ball"/>
 <geom name="ball" size=".1" mass="{other}" friction="0.01"/></body>"""
NOISE, TURN, EVERY = 1e-3, 5e-3, 4  # m; of a quaternion, rad; steps between poses


def model(friction=0.4, mass=1.0, time=0.02, ratio=1.0, other=None):
    """The MjModel; with a ball of a mass `other`."""
    ball = "" if other is None else BALL.format(other=other)
    return mujoco.MjModel.from_xml_string(XML.format(friction=friction, mass=mass, time=time, ratio=ratio, ball=ball))


def pulled(t):
    """N."""
    return 6.0 * np.sin(2 * np.pi * 1.5 * t) + 4.0 * np.sin(2 * np.pi * 3.1 * t)


class Case(NamedTuple):
    """A box: what it is, and its first guess; where it begins, and how fast; the unknowns and their true values."""

    name: str
    truth: dict
    guess: dict
    height: float
    velocity: tuple
    unknowns: tuple
    values: tuple
    pull: bool = True
    ball: tuple = ()  # its velocity


FRICTION, MASS = "geom_friction:floor[0]", "body_mass:box"
BOUNCE = Unknown("geom_solref:floor[0]", low=0.005), Unknown("geom_solref:floor[1]", low=0.05)
CASES = {
    c.name: c
    for c in (
        Case("pulled, sliding", {"friction": 0.3, "mass": 1.4}, {"friction": 0.5}, 0.0999, (0.8, 0.3, 0, 0, 0, 1.0),
             (FRICTION, MASS), (0.3, 1.4)),
        Case("pulled, slippery", {"friction": 0.15, "mass": 2.0}, {"friction": 0.5}, 0.0999, (1.5, -0.3, 0, 0, 0, 2.0),
             (FRICTION, MASS), (0.15, 2.0)),
        Case("pulled, tumbling", {"friction": 0.4, "mass": 1.2}, {"friction": 0.5}, 0.0999, (1.5, 0.5, 2.0, 3, 2, 1.0),
             (FRICTION, MASS), (0.4, 1.2)),
        Case("tossed", {"friction": 0.3, "mass": 1.4, "time": 0.03, "ratio": 0.5}, {"ratio": 0.7}, 0.25,
             (0.8, 0.3, 1.5, 0, 0, 1.0), (FRICTION, MASS, *BOUNCE), (0.3, 1.4, 0.03, 0.5)),
        Case("tossed, bouncing", {"friction": 0.5, "mass": 0.8, "time": 0.015, "ratio": 0.3}, {"ratio": 0.7}, 0.25,
             (1.0, 0.5, 2.0, 1, 2, 1.0), (FRICTION, MASS, *BOUNCE), (0.5, 0.8, 0.015, 0.3)),
        Case("hit by a ball of 0.5 kg", {"friction": 0.3, "mass": 1.3, "other": 0.5}, {"other": 0.5}, 0.0999,
             (0, 0, 0, 0, 0, 0), (FRICTION, MASS), (0.3, 1.3), False, (3.0, 0.1, 0, 0, 0, 0)),
    )
}  # fmt: skip


def log(case, seconds=1.0, seed=0):
    """(Log of noisy poses at 125 Hz, share of the time without a contact)."""
    mj = model(**case.truth)
    data, rng = mujoco.MjData(mj), np.random.default_rng(seed)
    data.qpos[2], data.qvel[:] = case.height, (*case.velocity, *case.ball)
    count = round(seconds / mj.opt.timestep)
    t = mj.opt.timestep * np.arange(count)
    force = pulled(t) if case.pull else np.zeros(count)
    poses, free = np.empty((count, mj.nq)), 0
    for k in range(count):
        poses[k], data.ctrl[:] = data.qpos, force[k]
        mujoco.mj_step(mj, data)
        free += data.ncon == 0
    channels = {"ctrl:pull": (t, force)}
    for at, name in enumerate(("box", "ball")[: mj.njnt]):
        pose = poses[:, 7 * at : 7 * at + 7]
        pose = pose + np.where(np.arange(7) < 3, NOISE, TURN / 2) * rng.normal(size=pose.shape)
        channels[f"pose:{name}"] = t[::EVERY], pose[::EVERY]
    return Log(channels, "a box"), free / count
