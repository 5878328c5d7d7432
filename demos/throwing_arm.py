"""A throwing arm, its proportions and controls: python -m demos.throwing_arm ITERATIONS [PICTURE] [--rival]

Two links, 1 m long in all, throw a ball of 0.3 kg, which is let go after 0.4 s. The elbow, with its motor of 0.3 kg,
may sit anywhere between shoulder and hand. First the torques alone are improved, then both together. `--rival`: the
same by finite differences of MuJoCo's simulations, all 323 that a slope takes at once.
"""

import sys
import time

import numpy as np

import pullback as pb

ARM = """<mujoco><option timestep="0.005"/><worldbody>
<body name="upper" pos="0 0 1.2"><joint name="shoulder" axis="0 1 0" damping=".2" armature=".05"/>
<inertial pos="0 0 0" mass=".5" diaginertia=".01 .01 .01"/>
<body name="fore" pos="0 0 -.5"><joint name="elbow" axis="0 1 0" damping=".1" armature=".02"/>
<inertial pos="0 0 0" mass=".3" diaginertia=".005 .005 .005"/>
<body name="hand" pos="0 0 -.5"><inertial pos="0 0 0" mass=".3" diaginertia=".0005 .0005 .0005"/></body></body></body>
</worldbody><actuator><motor joint="shoulder" gear="15" ctrlrange="-1 1"/>
<motor joint="elbow" gear="5" ctrlrange="-1 1"/></actuator>
<sensor><framepos objtype="xbody" objname="hand"/><framelinvel objtype="xbody" objname="hand"/></sensor>
</mujoco>"""
STEPS, G = 80, 9.81


def flight(x, z, vx, vz):
    """Where a ball that is let go lands, m, and the derivatives by its place and velocity."""
    root = np.sqrt(vz**2 + 2 * G * z)
    time = (vz + root) / G
    return x + vx * time, np.array([1, vx / root, time, vx * (1 + vz / root) / G])


model = pb.load(ARM)
sim = pb.Simulator(model, leaves=["body_pos"])
tape = pb.Tape(sim, steps=STEPS)
fore, hand = model.body("fore"), model.body("hand")


def throw(torques, elbow):
    """The distance, and its derivatives by the torques and the elbow's place along the arm (m from the shoulder)."""
    sim.reset()
    sim.params.body_pos[[fore, hand], 2] = -elbow[0], elbow[0] - 1
    last = tape.rollout(torques).sensordata[-1, 0]
    distance, by = flight(*last[[0, 2, 3, 5]])
    bar = np.zeros((STEPS + 1, 1, 6))
    bar[-1, 0, [0, 2, 3, 5]] = by
    grads = tape.backward(sensordata=bar)
    places = grads.model["body_pos"][[fore, hand], 2]
    return distance, grads.ctrl[:, 0], np.array([places[1] - places[0]])


def design(throw, torques, elbow, lr):
    """Improves both in place; lr: step sizes of their Adams. throw: what gives distance and slopes."""
    steps = [pb.controllers.Adam(rate) for rate in lr if rate]
    for _ in range(ITERATIONS):
        _, *slopes = throw(torques, elbow)
        for adam, value, slope in zip(steps, (torques, elbow), slopes, strict=False):
            adam.step(value, -slope)
            np.clip(value, *((-1, 1) if value is torques else (0.2, 0.8)), out=value)
    return throw(torques, elbow)[0]


def designed(throw, how):
    """(torques, elbow, (distance at first, after each of both searches)), of which it tells."""
    torques, elbow = 0.1 * np.sin(np.arange(2.0 * STEPS)).reshape(STEPS, 2), np.array([0.3])
    start, began = throw(torques, elbow)[0], np.array([time.perf_counter(), time.process_time()])
    alone = design(throw, torques.copy(), elbow.copy(), (0.05, 0))
    together = design(throw, torques, elbow, (0.05, 0.01))
    seconds = np.array([time.perf_counter(), time.process_time()]) - began
    print(f"{how}: torques alone {start:.2f} m -> {alone:.2f} m; with the elbow at {elbow[0]:.2f} m {together:.2f} m; "
          "{:.2f} s, processor {:.2f} s".format(*seconds))  # fmt: skip
    return torques, elbow, (start, alone, together)


ITERATIONS = int(sys.argv[1])
torques, elbow, (start, alone, together) = designed(throw, "by gradient")
if "--rival" in sys.argv:
    from demos.by_differences import Throws, throw_slopes

    throws = Throws(ARM, 2 * (2 * STEPS + 1) + 1, flight)
    other = designed(lambda *design: throw_slopes(throws, *design), "by differences")
if sys.argv[2:] not in ([], ["--rival"]):
    from matplotlib.figure import Figure

    sim.reset()
    path, axes = tape.rollout(torques), Figure((8, 3), layout="constrained").subplots()
    turned = np.cumsum(path.qpos[:, 0], axis=1)[..., None]  # each link hangs from its joint, and turns about y
    ways = np.array([elbow[0], 1 - elbow[0]])[:, None] * np.concatenate([-np.sin(turned), -np.cos(turned)], axis=2)
    joints = np.cumsum(np.concatenate([np.tile([0, 1.2], (STEPS + 1, 1, 1)), ways], axis=1), axis=1)
    for pose in joints[::8]:
        axes.plot(*pose.T, "o-", color="tab:blue", alpha=0.4, ms=3)
    x, z, vx, vz = path.sensordata[-1, 0, [0, 2, 3, 5]]
    t = np.linspace(0, (vz + np.sqrt(vz**2 + 2 * G * z)) / G)
    axes.plot(x + vx * t, z + vz * t - G * t**2 / 2, color="tab:orange")
    axes.set(xlabel="m", ylabel="m", aspect="equal", title=f"elbow at {elbow[0]:.2f} m: thrown {together:.2f} m")
    axes.figure.savefig(sys.argv[2], dpi=80)
