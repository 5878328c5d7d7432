"""What does an arm carry? python -m demos.arm_inertia [PICTURE.png] [--seconds 4] [--rival]

Mass, centre of mass and principal moments of a load at an arm's hand, seven numbers, from a log of its four encoders
and the torques of its motors. The arm that is logged is simulated by MuJoCo, with noise of 1 mrad. The fit's Jacobian
is exact and comes from the reverse kernel; each number has a 95 % interval. `--rival` solves the same least squares
with MuJoCo's own `mujoco.minimize`, whose Jacobian is that of finite differences.
"""

import argparse
import time

import mujoco
import numpy as np

import pullback as pb

LINK = '<geom type="capsule" fromto="0 0 0 {} 0 0" size=".035" mass="{}" contype="0" conaffinity="0"/>'
ARM = f"""<mujoco><option timestep="0.005" integrator="implicitfast"/>
<default><joint damping="1.5" armature=".08"/></default>
<worldbody><body name="base" pos="0 0 .4"><joint name="turn" axis="0 0 1"/>
 <geom type="cylinder" size=".06 .08" mass="2" contype="0" conaffinity="0" rgba=".3 .35 .4 1"/>
 <body name="upper"><joint name="shoulder" axis="0 1 0"/>{LINK.format(".45", "2")}
  <body name="fore" pos=".45 0 0"><joint name="elbow" axis="0 1 0"/>{LINK.format(".35", "1.2")}
   <body name="load" pos=".37 0 0"><joint name="wrist" axis="1 0 0" damping=".3" armature=".01"/>
    <inertial pos=".05 0 0" mass="1" diaginertia=".004 .004 .004"/>
    <geom type="box" pos=".08 .01 .03" size=".06 .05 .07" contype="0" conaffinity="0" rgba=".9 .5 .2 1"/>
</body></body></body></body></worldbody><actuator><motor joint="turn"/><motor joint="shoulder"/><motor joint="elbow"/>
<motor joint="wrist"/></actuator></mujoco>"""
STEP, NOISE, WINDOW = 0.005, 1e-3, 0.5
NAMES = "mass (kg)", "centre x (m)", "centre y (m)", "centre z (m)", "moment x (kg m2)", "moment y", "moment z"
TRUTH = np.array([2.3, 0.08, 0.012, 0.035, 0.009, 0.0075, 0.006])
GUESS = np.array([1.0, 0.05, 0.0, 0.0, 0.004, 0.004, 0.004])


def logged(seconds):
    """(time, encoders, torques), (rows, 4): the arm with its load follows a motion under PD, simulated by MuJoCo."""
    m = mujoco.MjModel.from_xml_string(ARM)
    put(m, TRUTH)
    d, steps, rng = mujoco.MjData(m), round(seconds / STEP), np.random.default_rng(0)
    t, angles, torques = STEP * np.arange(steps), np.zeros((steps, 4)), np.zeros((steps, 4))
    pace = np.array([2.1, 2.9, 3.7, 5.3])
    for k in range(steps):
        aim = np.array([0.8, 0.6, 0.8, 1.2]) * np.sin(pace * t[k]) * min(t[k], 1.0)
        torques[k] = np.array([60, 60, 40, 8]) * (aim - d.qpos) - np.array([6, 6, 4, 0.4]) * d.qvel
        angles[k], d.ctrl[:] = d.qpos, torques[k]
        mujoco.mj_step(m, d)
    return t, angles + NOISE * rng.normal(size=angles.shape), torques


def clock():
    """Seconds of the wall and of the processor, all threads."""
    return np.array([time.perf_counter(), time.process_time()])


def put(m, numbers):
    """The load's seven numbers, into an MjModel."""
    load = m.body("load").id
    m.body_mass[load], m.body_ipos[load], m.body_inertia[load] = numbers[0], numbers[1:4], numbers[4:]
    mujoco.mj_setConst(m, mujoco.MjData(m))


def fitted(t, angles, torques):
    """(numbers, half widths of their 95 % intervals, Fit), from windows whose starts are found with them."""
    log = pb.identify.Log({"qpos": (t, angles), "ctrl": (t, torques)}, "the arm's log")
    unknowns = ["inertia:load", "body_ipos:load"]
    fit = pb.identify.fit(pb.load(ARM), log, unknowns, window=WINDOW, noise=NOISE, held_out=0)
    ends = "mass", "Sx", "Sy", "Sz", "[0]", "[1]", "[2]"
    at = [next(k for k, n in enumerate(fit.names) if n.endswith(end)) for end in ends]
    p, cov = fit.values[at], fit.covariance[np.ix_(at, at)]
    mass, second = np.exp(p[0]), np.exp(p[1:4])
    by = np.zeros((7, 7))  # of mass, centre and moments, by what is fitted: logarithms, and the centre
    by[0, 0], by[1:4, 4:], by[4:, 1:4] = mass, np.eye(3), (1 - np.eye(3)) * second
    return np.r_[mass, p[4:], second.sum() - second], 1.96 * np.sqrt(np.diag(by @ cov @ by.T)), fit


def rival(data):
    from demos.by_differences import load_by_least_squares

    return load_by_least_squares(ARM, GUESS, data, NOISE, STEP, WINDOW)


def main(picture=None, seconds=4.0, by_differences=False):
    data = logged(seconds)
    fitted(*(a[:120] for a in data))  # the compiler's time is not the fit's
    began = clock()
    numbers, half, fit = fitted(*data)
    print("by gradient: {} iterations, {:.2f} s, processor {:.2f} s".format(fit.iterations, *(clock() - began)))
    for row in zip(NAMES, TRUTH, numbers, half, strict=True):
        print("{:18s} true {:9.5f}  found {:9.5f} +- {:.5f}".format(*row))
    if by_differences:
        began = clock()
        theirs, iterations = rival(data)
        print("by differences: {} iterations, {:.2f} s, processor {:.2f} s".format(iterations, *(clock() - began)))
        print("found", np.array2string(theirs, precision=5, suppress_small=True))
    if picture:
        draw(picture, numbers, half)
    return numbers, half, fit


def draw(path, numbers, half):
    """The errors with their intervals, in parts of the first guess's."""
    from matplotlib.figure import Figure

    figure = Figure((7, 3.2), layout="constrained")
    axes = figure.subplots()
    scale = np.abs(GUESS - TRUTH)
    errors, label = 100 * (numbers - TRUTH) / scale, "found, with 95 % interval"
    axes.errorbar(range(7), errors, 100 * half / scale, fmt="o", capsize=4, label=label)
    axes.axhline(0, color="tab:red", lw=1, label="truth")
    axes.set_xticks(range(7), [n.split(" (")[0] for n in NAMES])
    axes.set(ylabel="error (% of the guess's)", title="The load at the hand, from encoders and torques")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(" python")[0])
    parser.add_argument("picture", nargs="?", help="file for a picture of errors and intervals")
    parser.add_argument("--seconds", type=float, default=4.0, help="of the log (4)")
    parser.add_argument("--rival", action="store_true", help="fit by MuJoCo's own finite differences, too")
    args = parser.parse_args()
    main(args.picture, args.seconds, args.rival)
