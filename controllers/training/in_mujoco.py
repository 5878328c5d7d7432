"""Run a policy of `pullback train` in the mujoco package, and print what comes of it.

    python run_in_mujoco.py                                # robot.xml and policy.npz beside this file
    python run_in_mujoco.py --command 0.5 0 0 --seconds 10 --push 0.5 --view
    python run_in_mujoco.py --target 0.4 0 0.3             # an arm
    python run_in_mujoco.py --judged                       # the verdict's own runs, beside what the verdict found

This file needs NumPy and mujoco alone. It is written into every folder of a run, whose verdict is measured by the same
functions.
"""

import argparse
import json
from pathlib import Path

import numpy as np

SHARE, OFF, UP = 0.8, 0.2, 0.9  # of the speed; error in speeds; share of the runs that stay up: what is solved
NEAR, REST = 0.01, 0.2  # m, per s: a target is reached
EVERY = 2.0  # s, between two pushes
GATHERING = 1.0 / 3.0  # share of a run in which the robot gathers speed


# ------------------------------------------------------------------------------------------------------- measures


def moved(place, turn, dt):
    """(rows - 1, n, 3): forward and left (m/s, as the trunk heads), turning left (rad/s), from where a trunk is:
    place (rows, n, 3), turn (rows, n, 3, 3), rows dt seconds apart."""
    v, ahead = np.diff(place, axis=0) / dt, turn[:-1, ..., :2, 0]
    ahead = ahead / (np.linalg.norm(ahead, axis=-1, keepdims=True) + 1e-9)
    yaw = np.unwrap(np.arctan2(turn[..., 1, 0], turn[..., 0, 0]), axis=0)
    forward = (v[..., :2] * ahead).sum(axis=-1)
    left = ahead[..., 0] * v[..., 1] - ahead[..., 1] * v[..., 0]
    return np.stack([forward, left, np.diff(yaw, axis=0) / dt], axis=-1)


def stays_up(place, turn, upright):
    """(rows, n): whether it has not fallen until then. upright: {"z", "height", "low", "tilted"} of the spec."""
    low = 1.0 + (place[..., 2] - upright["z"]) / upright["height"] < upright["low"]
    return np.logical_and.accumulate(~(low | (turn[..., 2, 2] < upright["tilted"])), axis=0)


def walked(place, turn, told, dt, upright):
    """{name: (n,)} of runs: mean velocities after it has gathered speed, how far they are from what was told (n, 3),
    and whether it stays up."""
    mean = moved(place, turn, dt)[int(GATHERING * (len(place) - 1)) :].mean(axis=0)
    up = stays_up(place, turn, upright)
    fell = np.where(up[-1], np.nan, dt * np.argmin(up, axis=0))
    return {"forward": mean[:, 0], "left": mean[:, 1], "turning": mean[:, 2], "up": up[-1], "fell_at": fell,
            "off": np.linalg.norm((mean - told)[:, :2], axis=1), "off_turning": np.abs(mean - told)[:, 2]}  # fmt: skip


# --------------------------------------------------------------------------------------------------------- policy


class Policy:
    """policy.npz: arrays and spec."""

    def __init__(self, path):
        with np.load(path, allow_pickle=False) as file:
            self.a = {name: file[name] for name in file.files if name != "spec"}
            self.spec = json.loads(str(file["spec"]))
        self.layers = sum(name.startswith("W") for name in self.a)

    def __call__(self, observation):
        a, x = self.a, np.clip((observation - self.a["mean"]) / self.a["std"], -10.0, 10.0)
        for k in range(1, self.layers + 1):
            x = a[f"W{k}"] @ x + a[f"b{k}"]
            if k < self.layers:
                x = np.tanh(x) if self.spec["activation"] == "tanh" else np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
            if k < self.layers and f"g{k}" in a:
                x = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * a[f"g{k}"] + a[f"c{k}"]
        return x


class Robot:
    """A robot of the mujoco package that a policy sees and moves."""

    def __init__(self, mujoco, model, spec):
        self.mujoco, self.m, self.s, self.d = mujoco, model, spec, mujoco.MjData(model)
        joints = [self._index("joint", name) for name in spec["joints"]]
        self.q, self.v = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        self.u = [self._index("actuator", name) for name in spec["actuators"]]
        servos = [k for k, name in enumerate(spec["servo_joint"]) if name]
        self.made = np.array(servos, int)
        moved = [self._index("joint", spec["servo_joint"][k]) for k in servos]
        self.made_q, self.made_v = model.jnt_qposadr[moved], model.jnt_dofadr[moved]
        self.trunk = self._index("body", spec["trunk"]) if spec.get("trunk") else 0
        self.repeat = round(spec["dt"] / model.opt.timestep)
        self.center, self.scale, self.kp, self.kd, self.home = (
            np.array(spec[name]) for name in ("center", "scale", "kp", "kd", "home"))  # fmt: skip
        self.start()

    def _index(self, kind, name):
        if name.startswith("#"):
            return int(name[1:])
        found = self.mujoco.mj_name2id(self.m, getattr(self.mujoco.mjtObj, f"mjOBJ_{kind.upper()}"), name)
        if found < 0:
            raise SystemExit(f"this robot has no {kind} {name!r}, which the policy moves")
        return found

    def start(self, qpos=None, qvel=None, clock=0.0):
        self.mujoco.mj_resetData(self.m, self.d)
        self.d.qpos[:] = self.s["qpos0"] if qpos is None else qpos
        if qvel is not None:
            self.d.qvel[:] = qvel
        self.last, self.clock = np.zeros(len(self.u)), clock
        self.mujoco.mj_forward(self.m, self.d)

    def observation(self, told):
        """(nobs,): the parts that the spec names, in its order."""
        d, velocity = self.d, np.zeros(6)
        if self.trunk:
            self.mujoco.mj_objectVelocity(self.m, d, self.mujoco.mjtObj.mjOBJ_XBODY, self.trunk, velocity, 1)
        angle = 2 * np.pi * self.clock
        off = told - self.point() if "point_body" in self.s else np.zeros(0)
        parts = {
            "gravity": -d.xmat[self.trunk].reshape(3, 3)[2],
            "gyro": self.s["gyro_scale"] * velocity[:3],
            "joints": np.concatenate([d.qpos[self.q] - self.home, self.s["joint_velocity_scale"] * d.qvel[self.v]]),
            "told": np.array(told) * self.s["told_scale"],
            "off": off,
            "last_action": self.last,
            "clock": np.array([np.sin(angle), np.cos(angle)]),
        }
        return np.concatenate([parts[name] for name, _ in self.s["observation"]])

    def point(self):
        """(3,), m: where the point of an arm is that goes to targets."""
        b = self._index("body", self.s["point_body"])
        return self.d.xpos[b] + self.d.xmat[b].reshape(3, 3) @ np.array(self.s["point_offset"])

    def step(self, action):
        """One decision: servos hold the targets that an action asks for."""
        target, d, m = self.center + self.scale * action, self.d, self.m
        for _ in range(self.repeat):
            ctrl = target.copy()
            if len(self.made):
                k, u = self.made, np.array(self.u)[self.made]
                force = self.kp[k] * (target[k] - d.qpos[self.made_q]) - self.kd[k] * d.qvel[self.made_v]
                ctrl[k] = force / (m.actuator_gear[u, 0] * m.actuator_gainprm[u, 0])
            d.ctrl[self.u] = ctrl
            self.mujoco.mj_step(m, d)
        self.mujoco.mj_forward(m, d)
        self.last, self.clock = action, (self.clock + self.s.get("clock_step", 0.0)) % 1.0

    def where(self):
        """(place (3,), turn (3, 3)) of the trunk."""
        return self.d.xpos[self.trunk].copy(), self.d.xmat[self.trunk].reshape(3, 3).copy()


def pushes(push, steps, dt, draw):
    """(pushes, 2), m/s: one every two seconds of a run; draw(number): where to, shares of a turn."""
    angle = 2 * np.pi * draw((steps - 1) // round(EVERY / dt))
    return push * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def run(robot, policy, told, steps, kicks=(), start=(), watch=None):
    """(place (rows, 3), turn (rows, 3, 3)) of a run of so many decisions. kicks: of `pushes`, of which a robot in a
    plane gets the first component. start: (qpos, qvel), default home at rest."""
    robot.start(*start)
    rows, every, v = [robot.where()], round(EVERY / robot.s["dt"]), robot.s.get("root_v", 0)
    n = 2 if robot.s.get("free") else 1
    for k in range(steps):
        if k and k % every == 0 and len(kicks):
            robot.d.qvel[v : v + n] += kicks[k // every - 1][:n]
        robot.step(policy(robot.observation(told)))
        rows.append(robot.where())
        if watch is not None:
            watch()
    return tuple(np.array(a) for a in zip(*rows, strict=True))


def reached(robot, told):
    """(m from the target, speed of the fastest joint) of an arm."""
    return float(np.linalg.norm(robot.point() - told)), float(np.abs(robot.d.qvel[robot.v]).max())


def again(robot, policy, judged):
    """{name: (n,)} of the runs in judged.npz, as it has them: with the same starts, commands and pushes."""
    s, rows = robot.s, []
    for k, told in enumerate(judged["told"]):
        start = judged["qpos"][k], judged["qvel"][k]
        place, turn = run(robot, policy, told, int(judged["steps"]), judged["kicks"][:, k], start)
        if s["task"] == "reach":
            rows.append(dict(zip(("away", "speed"), reached(robot, told), strict=True)))
        else:
            found = walked(place[:, None], turn[:, None], told[None], s["dt"], s["upright"])
            rows.append({name: x[0] for name, x in found.items()})
    return {name: np.array([r[name] for r in rows]) for name in rows[0]}


def _compare(mujoco, robot, policy, judged):
    """Print what MuJoCo makes of each run, and the verdict's measure behind it."""
    found, reach = again(robot, policy, judged), robot.s["task"] == "reach"
    names = ("away", "speed") if reach else ("forward", "left", "turning", "up", "fell_at")
    for k, told in enumerate(judged["told"]):
        said = ", ".join(f"{name} {float(found[name][k]):.3f} ({float(judged[name][k]):.3f})" for name in names)
        print(f"run {k}, told {' '.join(f'{x:.2f}' for x in told)}: {said}")
    good = [(x["away"] < NEAR) & (x["speed"] < REST) if reach else x["up"] for x in (found, judged)]
    word = "at the target" if reach else "upright"
    print(f"MuJoCo {mujoco.__version__} (the verdict): {word} {int(good[0].sum())} ({int(good[1].sum())}) "
          f"of {len(good[0])}")  # fmt: skip
    return 0 if (good[0] == good[1]).all() else 1


def main(arguments=None):
    here = Path(__file__).resolve().parent
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--policy", type=Path, default=here / "policy.npz")
    p.add_argument("--robot", type=Path, default=here / "robot.xml")
    p.add_argument("--command", type=float, nargs=3, metavar=("FORWARD", "LEFT", "TURN"), help="m/s, m/s, rad/s")
    p.add_argument("--target", type=float, nargs=3, metavar=("X", "Y", "Z"), help="m, of an arm")
    p.add_argument("--seconds", type=float, default=6.0)
    p.add_argument("--push", type=float, default=0.0, help="m/s, every two seconds")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--judged", action="store_true", help="the runs of the verdict (judged.npz beside the policy)")
    p.add_argument("--view", action="store_true", help="in MuJoCo's viewer, as fast as it is")
    a = p.parse_args(arguments)
    import mujoco

    policy = Policy(a.policy)
    s, robot = policy.spec, Robot(mujoco, mujoco.MjModel.from_xml_path(str(a.robot)), policy.spec)
    told = np.array(a.command or a.target or s["told_default"], float)
    if a.judged:
        with np.load(a.policy.with_name("judged.npz"), allow_pickle=False) as file:
            return _compare(mujoco, robot, policy, dict(file))
    watch, steps = _viewer(mujoco, robot) if a.view else None, round(a.seconds / s["dt"])
    rng = np.random.default_rng(a.seed)
    kicks = pushes(a.push, steps, s["dt"], rng.random) if s["task"] != "reach" else ()
    place, turn = run(robot, policy, told, steps, kicks, watch=watch)
    if s["task"] == "reach":
        away, speed = reached(robot, told)
        print(f"MuJoCo {mujoco.__version__}: {1e3 * away:.1f} mm from the target after {a.seconds:g} s, the fastest "
              f"joint at {speed:.2f} per s")  # fmt: skip
        return 0 if away < NEAR else 1
    found = walked(place[:, None], turn[:, None], told[None], s["dt"], s["upright"])
    found = {name: float(x[0]) for name, x in found.items()}
    up = "upright" if found["up"] else f"falls after {found['fell_at']:.2f} s"
    print(f"MuJoCo {mujoco.__version__}: told {told[0]:.2f} {told[1]:.2f} m/s {told[2]:.2f} rad/s, does "
          f"{found['forward']:.2f} {found['left']:.2f} m/s {found['turning']:.2f} rad/s, {up}")  # fmt: skip
    return 0 if found["up"] and found["off"] <= OFF * s["fastest"] else 1


def _viewer(mujoco, robot):
    import time

    import mujoco.viewer

    viewer = mujoco.viewer.launch_passive(robot.m, robot.d)

    def watch():
        viewer.sync()
        time.sleep(robot.s["dt"])

    return watch


if __name__ == "__main__":
    raise SystemExit(main())
