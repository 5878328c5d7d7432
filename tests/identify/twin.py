"""Robots whose numbers nobody knows, simulated by MuJoCo, and the logs that they leave."""

import mujoco
import numpy as np

from engine.identify import Log

STEP, DELAY = 0.002, 0.007
ARM = """
<mujoco><option timestep="0.002" integrator="{integrator}"/><worldbody>
 <body name="upper"><joint name="shoulder" axis="0 1 0" damping="0.3" armature="0.02" frictionloss="0.08"/>
  <geom size=".03" fromto="0 0 0 .3 0 0" type="capsule" contype="0" conaffinity="0"/>
  <body name="lower" pos=".3 0 0"><joint name="elbow" axis="0 1 0" damping="0.1" armature="0.01" frictionloss="0.05"/>
   <geom size=".02" fromto="0 0 0 .3 0 0" type="capsule" contype="0" conaffinity="0"/><site name="tip" pos=".3 0 0"/>
  </body></body>
 <body name="other" pos="0 1 0"><joint name="lone" axis="0 1 0" damping="0.1" armature="0.01" frictionloss="0.03"/>
  <geom size=".02" fromto="0 0 0 .3 0 0" type="capsule" contype="0" conaffinity="0"/></body>
 {more}
</worldbody><actuator>
 <position name="shoulder" joint="shoulder" kp="20" kv="1"/><position name="elbow" joint="elbow" kp="10"/>
 <motor name="lone" joint="lone" gear="2"/></actuator>
<sensor>{sensors}</sensor></mujoco>
"""
BALL = (
    '<body name="swing" pos="0 2 0"><joint name="swing" type="ball" damping="0.01"/>'
    '<geom size=".05" pos="0 0 -.2" contype="0" conaffinity="0"/></body>'
)
SENSORS = (
    '<framepos objtype="site" objname="tip" name="tip"/><jointvel joint="shoulder" name="rate"/>'
    '<actuatorfrc actuator="shoulder" name="effort"/><accelerometer site="tip" name="acc"/>'
)


def arm(integrator="implicitfast", more="", sensors=""):
    return mujoco.MjModel.from_xml_string(ARM.format(integrator=integrator, more=more, sensors=sensors))


def random_log(seed=0, ball=False, sensors=False):
    """Values that no robot made, at times of their own, as what residuals are compared with."""
    rng = np.random.default_rng(seed)
    t = STEP * np.arange(300)
    channels = {f"ctrl:{n}": (t, 0.5 * np.sin(2 * np.pi * f * t))
                for n, f in (("shoulder", 1.0), ("elbow", 2.3), ("lone", 1.7))}  # fmt: skip
    for joint in ("shoulder", "elbow", "lone"):
        channels[joint] = np.sort(rng.uniform(0, 0.6, 60)), 0.2 * rng.normal(size=60)
    grid = np.arange(0, 0.6, 0.01)
    channels["qvel:lone"] = grid, rng.normal(size=len(grid))
    for name, size in (("tip", 3), ("rate", 1), ("effort", 1), ("acc", 3)) if sensors else ():
        channels[f"sensor:{name}"] = grid[::2] + 1e-3 * (size == 1), rng.normal(size=(len(grid[::2]), size))
    return Log(channels)


def measured(truth, seconds=4.0, noise=3e-4, seed=1):
    """(Log, the MjModel of the arm as it is): chirps, encoders at 250 Hz with offsets, commands DELAY late.

    truth: {array: values of the three dofs, or "offset"}; what it lacks is as in the file.
    """
    rng, mj = np.random.default_rng(seed), arm()
    for array, values in truth.items():
        if array != "offset":
            getattr(mj, array)[:] = values
    offset = np.asarray(truth.get("offset", np.zeros(3)))
    t = STEP * np.arange(round(seconds / STEP))
    phase = 2 * np.pi * (0.3 * t + 1.2 * t**2 / seconds)[:, None] * (1.0, 1.3, 0.7) + (0.0, 1.0, 2.0)
    command = (0.5, 0.6, 0.25) * np.sin(phase)
    late = np.stack([np.interp(t - DELAY, t, c) for c in command.T], axis=1)
    data, shown = mujoco.MjData(mj), np.empty((len(t), 3))
    for k in range(len(t)):
        shown[k] = data.qpos
        data.ctrl[:] = late[k] - offset * (1, 1, 0)  # servos read the same encoders
        mujoco.mj_step(mj, data)
    shown = (shown + offset + rng.normal(scale=noise, size=shown.shape))[::2]
    names = ("shoulder", "elbow", "lone")
    channels = {n: (t[::2], shown[:, k]) for k, n in enumerate(names)}
    return Log(channels | {f"ctrl:{n}": (t, command[:, k]) for k, n in enumerate(names)}, "chirps"), mj
