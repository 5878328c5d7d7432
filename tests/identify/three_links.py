"""An arm of three links that turn about different axes, whose inertias are not those of its file, by MuJoCo."""

import mujoco
import numpy as np

import engine
from engine.identify import Log
from engine.identify.inertial import Inertial

STEP = 0.002
LINKS = ("base", "upper", "lower")
ARM = """
<mujoco><option timestep="0.002" integrator="implicitfast"/><default><geom contype="0" conaffinity="0"/></default>
<worldbody>
 <body name="base"><joint name="yaw" axis="0 0 1" damping="0.3"/><geom type="cylinder" size=".06 .1" mass="2"/>
  <body name="upper" pos="0 .05 .1"><joint name="shoulder" axis="0 1 0" damping="0.3"/>
   <geom type="capsule" size=".04" fromto="0 0 0 .3 0 0" mass="1.5"/>
   <body name="lower" pos=".3 0 0"><joint name="wrist" axis="1 0 1" damping="0.1"/>
    <geom type="box" size=".12 .03 .02" pos=".12 0 .03" mass="0.8"/></body></body></body>
</worldbody><actuator>
 <motor name="yaw" joint="yaw"/><motor name="shoulder" joint="shoulder"/><motor name="wrist" joint="wrist"/></actuator>
</mujoco>
"""


def unlike(model, seed, size=0.3):
    """{link: ten numbers} of links that are not as the file says: each number so many units off, by chance."""
    rng, law, found = np.random.default_rng(seed), Inertial(), {}
    for link in LINKS:
        value, _, _, unit = np.array(law.begin(model, model.body_names.index(link))).T
        found[link] = value + size * unit * rng.normal(size=10)
    return found


def measured(seconds=4.0, noise=1e-4, seed=0, size=0.3):
    """(Model of the file, Log of the robot as it is, {link: its ten numbers})."""
    spec = mujoco.MjSpec.from_string(ARM)
    model = engine.load(spec.compile())
    truth, law = unlike(model, seed, size), Inertial()
    for link, p in truth.items():  # compiled anew, since MuJoCo keeps which frames are one
        value, body = law.values(p, model, model.body_names.index(link))[0], spec.body(link)
        body.explicitinertial, body.mass, body.ipos, body.inertia, body.iquat = (
            True, value[0], value[1:4], value[4:7], value[7:],
        )  # fmt: skip
    mj = spec.compile()
    data, rng = mujoco.MjData(mj), np.random.default_rng(seed + 100)
    t = STEP * np.arange(round(seconds / STEP))
    torque, angles = np.zeros((len(t), 3)), np.zeros((len(t), 3))
    pace = np.array([[2.1, 5.3], [2.9, 6.1], [3.7, 7.9]])
    for k in range(len(t)):
        aim = np.array([0.9, 0.7, 1.2]) * np.sin(pace * t[k]).mean(axis=1) * min(t[k], 1.0)
        torque[k] = np.array([60, 60, 8]) * (aim - data.qpos) - np.array([4, 4, 0.4]) * data.qvel
        angles[k], data.ctrl[:] = data.qpos, torque[k]
        mujoco.mj_step(mj, data)
    shown = (angles + noise * rng.normal(size=angles.shape))[::2]
    names = ("yaw", "shoulder", "wrist")
    channels = {n: (t[::2], shown[:, k]) for k, n in enumerate(names)}
    channels |= {f"ctrl:{n}": (t, torque[:, k]) for k, n in enumerate(names)}
    return model, Log(channels, "three links"), truth
