"""A cart-pole that plans while it moves: python -m demos.cart_pole_mpc [PICTURE.png] [--seconds 12] [--rival]

Each 20 ms the next second is planned by one iteration of iLQR, from the rest of the plan before. The pole hangs at
first; the cart's target jumps to and fro; and twice the pole is struck, which no plan knows. The real-time factor is
the time simulated by the time spent planning. `--rival` drives the same cart by predictive sampling on MuJoCo, with 64
samples.
"""

import argparse
import time

import numpy as np

import pullback as pb

CART = """<mujoco><option timestep="0.01" integrator="implicitfast"/><worldbody>
<body name="cart" pos="0 0 1"><joint name="slide" type="slide" axis="1 0 0" damping=".1"/>
 <geom type="box" size=".15 .1 .08" mass="1" contype="0" conaffinity="0"/>
 <body name="pole"><joint name="pole" axis="0 1 0" damping=".005"/>
  <geom type="capsule" fromto="0 0 0 0 0 .6" size=".03" mass=".2" contype="0" conaffinity="0"/></body></body>
</worldbody><actuator><motor joint="slide" gear="15" ctrlrange="-1 1"/></actuator></mujoco>"""
HORIZON, SKIP, DT = 50, 2, 0.02
RUNNING, ENDING, EFFORT = (1.0, 1.0, 0.02, 0.02), (5.0, 20.0, 1.0, 1.0), 0.05  # place, angle, their speeds; control
STRIKES = {5.0: 1.5, 8.0: -1.5}  # s: rad/s

model = pb.load(CART)


def target(t):
    """Where the cart should be, m."""
    return 0.0 if t < 3 else 0.6 if t % 6 < 3 else -0.6


class ByGradient:
    """The next control by receding-horizon iLQR."""

    def __init__(self):
        o = pb.objectives
        follow = o.Track(model, lambda t: np.array([target(t), 0.0]), qpos=[0, 1], weight=RUNNING[:2])
        slow = o.Track(model, lambda t: np.zeros(2), qvel=[0, 1], weight=RUNNING[2:])
        self.lasting, self.now = follow + slow + EFFORT * o.Effort(), None
        self.mpc = pb.controllers.MPC(model, self._aimed(0.0), HORIZON, 1, SKIP)
        self.mpc.plan(np.array([0, np.pi]), np.zeros(2))  # the first plan waits for the compiler
        self.mpc.controls[:] = 0

    def _aimed(self, at):
        """What a plan costs whose end should be at this place."""
        o = pb.objectives
        ends = [o.Reach(model, [at if k == 0 else 0.0], qpos=[k], terminal=ENDING[k], running=0.0) for k in range(2)]
        still = o.Reach(model, np.zeros(2), qvel=[0, 1], terminal=ENDING[2], running=0.0)
        return self.lasting + ends[0] + ends[1] + still

    def __call__(self, qpos, qvel, t):
        if target(t + HORIZON * DT) != self.now:
            self.now = target(t + HORIZON * DT)
            self.mpc.planner.aim_at(self._aimed(self.now))
        u, _ = self.mpc.plan(qpos, qvel, time=t)
        self.mpc.controls = np.concatenate([self.mpc.controls[1:], self.mpc.controls[-1:]])
        return u


def by_sampling():
    """The same by predictive sampling on MuJoCo."""
    from demos.by_differences import Cost, Sampling

    return Sampling(CART, Cost(RUNNING, ENDING, EFFORT, np.zeros(4), DT), HORIZON, SKIP, target)


def drive(planner, seconds):
    """(time, place, tilt and control (rows, 4), real-time factor) of a run."""
    cart, rows, spent = pb.Simulator(model), [], 0.0
    cart.reset(np.array([0, np.pi]))
    for k in range(round(seconds / DT)):
        began = time.perf_counter()
        u = planner(cart.data.qpos[0].copy(), cart.data.qvel[0].copy(), k * DT)
        spent += time.perf_counter() - began
        rows.append([k * DT, *cart.data.qpos[0], *u])
        cart.data.qvel[0, 1] += STRIKES.get(round(k * DT, 6), 0.0)
        cart.data.ctrl[0] = u
        cart.step(SKIP)
    return np.array(rows), seconds / spent


def main(picture=None, seconds=12.0, sampling=False):
    runs = {}
    for name, kind in {"iLQR by gradient": ByGradient, "predictive sampling": by_sampling}.items():
        if kind is by_sampling and not sampling:
            continue
        rows, factor = runs[name] = drive(kind(), seconds)
        tilt = np.abs((rows[:, 2] + np.pi) % (2 * np.pi) - np.pi)
        off = np.abs(rows[:, 1] - [target(t) for t in rows[:, 0]])
        late = rows[:, 0] >= min(2.0, seconds / 2)
        print(f"{name}: real-time factor {factor:.1f}; after 2 s on average tilted {tilt[late].mean():.3f} rad, "
              f"{off[late].mean():.3f} m beside the target")  # fmt: skip
    if picture:
        draw(picture, runs)
    return runs


def draw(path, runs):
    from matplotlib.figure import Figure

    figure = Figure((9, 4.5), layout="constrained")
    place, tilt = figure.subplots(2, 1, sharex=True)
    for name, (rows, factor) in runs.items():
        place.plot(rows[:, 0], rows[:, 1], label=f"{name}, {factor:.1f} times real time")
        tilt.plot(rows[:, 0], (rows[:, 2] + np.pi) % (2 * np.pi) - np.pi)
    place.plot(rows[:, 0], [target(t) for t in rows[:, 0]], "k--", lw=1, label="target")
    for t in STRIKES:
        tilt.axvline(t, color="tab:red", lw=0.8)
    place.set(ylabel="cart (m)")
    tilt.set(ylabel="pole from upright (rad)", xlabel="time (s); red: the pole is struck")
    place.legend(fontsize=8)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(": python")[0])
    parser.add_argument("picture", nargs="?", help="file for a picture of the run")
    parser.add_argument("--seconds", type=float, default=12.0, help="of the run (12)")
    parser.add_argument("--rival", action="store_true", help="drive it by predictive sampling on MuJoCo, too")
    args = parser.parse_args()
    main(args.picture, args.seconds, args.rival)
