"""Episodes made by hand: of each scene one that a person would call solved, and for each goal one that misses it alone.

Physics did not make them. They say what `measure`, `solved`, `reward`, `terminated` and the objective must agree on.
"""

from types import SimpleNamespace

import numpy as np

LEGS = ("fl", "fr", "rl", "rr")


def still(scene):
    """The start state for the length of a trial, at rest; without sensors but a hand's place."""
    m, rows = scene.model, scene.trial_steps + 1
    t = SimpleNamespace(
        time=scene.dt * np.arange(rows), qpos=np.tile(scene.qpos0, (rows, 1, 1)), qvel=np.zeros((rows, 1, m.nv)),
        act=np.zeros((rows, 1, m.na)), ctrl=np.zeros((rows - 1, 1, m.nu)),
        sensordata=np.zeros((rows, 1, m.nsensordata)), params={},
    )  # fmt: skip
    if hasattr(scene.task, "home"):
        t.ctrl[:] = scene.task.home
    if hasattr(scene.task, "chain"):
        sense_hand(scene, t)
    return t


def sense_hand(scene, t):
    t.sensordata[:, 0, :3] = scene.task.chain.place(t.qpos[:, 0])


def ramp(t, seconds):
    """From 0 to 1 in so many seconds, and then 1: (rows,)"""
    return np.minimum(t.time / seconds, 1.0)


def turned(angle):
    """Quaternion of a turn about the world's x axis."""
    return np.cos(angle / 2), np.sin(angle / 2), 0, 0


# --------------------------------------------------------------------------------------------------- what is solved


def swung_up(scene, t):
    t.qpos[:, 0, 0] = np.pi * ramp(t, 1.0)


def balanced(scene, t):
    pass


def reached(scene, t):
    chain, start = scene.task.chain, scene.task.chain.place(scene.qpos0)
    follow(scene, t, start + ramp(t, 1.0)[:, None] * (scene.task.target - start))
    assert np.linalg.norm(chain.place(t.qpos[-1, 0]) - scene.task.target) < 1e-6


def tracked(scene, t):
    follow(scene, t, scene.task.target(t.time))


def follow(scene, t, points):
    """Angles that bring the hand to a path, by Gauss-Newton steps from row to row."""
    chain, q, nudge = scene.task.chain, scene.qpos0, 1e-6 * np.eye(scene.model.nq)
    for k, point in enumerate(points):
        for _ in range(8 if k == 0 else 3):
            J = (chain.place(q + nudge) - chain.place(q - nudge)).T / 2e-6
            q = q - np.linalg.pinv(J, rcond=1e-3) @ (chain.place(q) - point)
        t.qpos[k, 0] = q
    sense_hand(scene, t)


def tossed(scene, t):
    task, s = scene.task, t.time / t.time[-1]
    place = t.qpos[0, 0, 2:5] + np.outer(s * 1.1, task.target - t.qpos[0, 0, 2:5])
    place[:, 2] += 3.0 * s * (1 / 1.1 - s)
    t.qpos[:, 0, 2:5] = place


def potted(scene, t):
    ball = t.qpos[:, 0, scene.task.ball :][:, :2]
    ball += ramp(t, 3.0)[:, None] * (scene.task.spot - ball)


def pushed(scene, t):
    task, k, angle = scene.task, scene.task.box, ramp(t, 2.0) * scene.task.turn / 2
    t.qpos[:, 0, k : k + 2] = ramp(t, 2.0)[:, None] * task.place
    t.qpos[:, 0, k + 3 : k + 7] = np.stack([np.cos(angle), 0 * angle, 0 * angle, np.sin(angle)], axis=-1)


def identified(scene, t):
    t.params = {u.array: getattr(scene.task.real, u.array).copy() for u in scene.task.unknowns}
    t.sensordata[:, 0] = scene.task.recording.sensordata


def run(scene, t):
    speed = 1.1 * scene.task.least_speed
    t.qpos[:, 0, 0], t.qvel[:, 0, 0] = speed * t.time, speed


def trotted(scene, t):
    speed = scene.task.command
    t.qpos[:, 0, 0], t.qvel[:, 0, 0] = speed * t.time, speed
    down = np.sin(2 * np.pi * 2.0 * t.time + 0.1) > 0
    for leg, touches in zip(LEGS, (down, ~down, ~down, down), strict=True):
        foot(scene, t, leg, touches)


def foot(scene, t, leg, touches):
    t.sensordata[:, 0, scene.task.touch[LEGS.index(leg)]] = 30.0 * touches


SOLVED = {
    **dict.fromkeys(("pendulum", "double_pendulum", "acrobot"), swung_up), "cartpole": balanced,
    **dict.fromkeys(("reacher", "arm_reach"), reached), "arm_track": tracked, "ball_toss": tossed, "billiards": potted,
    "box_push": pushed, **dict.fromkeys(("sysid_pendulum", "sysid_box"), identified),
    **dict.fromkeys(("half_cheetah", "hopper", "walker2d", "ant", "humanoid_run"), run), "quadruped": trotted,
    "humanoid": balanced,
}  # fmt: skip

# --------------------------------------------------------------------------------- what misses one goal: see MISSES


def leaned(scene, t):
    """Tilted beyond the goal at one moment, with a planar root or a free one."""
    planar = getattr(scene.task, "horizontal", 2) == 1
    angle = 1.01 * scene.task.most_tilt
    if planar:
        t.qpos[9, 0, 2] = -angle
    else:
        t.qpos[9, 0, 3:7] = turned(angle)


def sank(scene, t):
    t.qpos[9, 0, getattr(scene.task, "horizontal", 2)] = scene.task.least_height - 0.01


def slow(scene, t):
    t.qpos[:, 0, 0] *= 0.7


def away(scene, t):
    t.sensordata[-1, 0, 1] += 1.05 * scene.task.most_distance


def put(array, row, column, by):
    """A miss by changing one number."""

    def miss(scene, t):
        getattr(t, array)[row, 0, column] += by

    return miss


def mistaken(k):
    def miss(scene, t):
        u = scene.task.unknowns[k]
        t.params[u.array][u.entries] *= 1.011

    return miss


def legs_of_one_side(scene, t):
    foot(scene, t, "fl", t.sensordata[:, 0, scene.task.touch[1]] > 0)


def hopped(scene, t):
    for leg in LEGS:
        foot(scene, t, leg, np.sin(4 * np.pi * t.time) > 0)


# In the order of the scene's goals.
MISSES = {
    "pendulum": (put("qpos", -1, 0, 0.11), put("qvel", -9, 0, 0.31)),
    "double_pendulum": (put("qpos", -1, 1, -0.11), put("qvel", -9, 1, -0.31)),
    "acrobot": (put("qpos", -1, 1, 0.11), put("qvel", -9, 0, 0.51)),
    "cartpole": (put("qpos", 9, 1, -0.21),),
    **dict.fromkeys(("reacher", "arm_reach", "arm_track"), (away,)),
    "ball_toss": (put("qpos", slice(None), 3, 0.15),),
    "billiards": (put("qpos", -1, 10, 0.031), put("qvel", -1, 9, -0.021)),
    "box_push": (put("qpos", -1, 3, -0.021), put("qpos", -1, 8, 0.06), put("qvel", -1, 3, 0.021)),
    "sysid_pendulum": tuple(mistaken(k) for k in range(3)),
    "sysid_box": tuple(mistaken(k) for k in range(2)),
    "half_cheetah": (slow, leaned),
    **dict.fromkeys(("hopper", "walker2d", "ant", "humanoid_run"), (slow, leaned, sank)),
    "quadruped": (slow, legs_of_one_side, hopped, leaned, put("qpos", 9, 1, -0.51)),
    "humanoid": (sank, leaned, put("qpos", 9, 0, -0.26), put("qvel", -1, 2, 0.11)),
}  # fmt: skip


def fell(scene, t):
    """Lies on the ground from the tenth row on."""
    if scene.name == "cartpole":
        t.qpos[10:, 0, 1] = 1.0
    else:
        horizontal = getattr(scene.task, "horizontal", 2)
        t.qpos[10:, 0, horizontal] = 0.1
        t.qpos[10:, 0, 0] = t.qpos[10, 0, 0]
        t.qvel[10:] = 0
        if horizontal == 1:
            t.qpos[10:, 0, 2] = 1.5
        else:
            t.qpos[10:, 0, 3:7] = turned(1.5)


# where a fall ends the episode
FALLS = ("cartpole", "hopper", "walker2d", "ant", "quadruped", "humanoid", "humanoid_run")
