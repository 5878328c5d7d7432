"""A cart swings up two poles, one upon the other, and balances them: python -m demos.two_poles [PICTURE.gif] [--rival]

One motor, three joints, 3 s. iLQR finds the controls and, with them, feedback along the way; each iteration linearises
all steps at once by the reverse kernel. A linear regulator takes over where the plan ends. What comes of it is seen
from starts that are off: 32 carts, 10 s. `--rival` solves the same with MuJoCo alone, by finite differences.
"""

import argparse
import time

import numpy as np

import pullback as pb

CART = """<mujoco><option timestep="0.01" integrator="implicitfast"/><worldbody>
<geom type="capsule" fromto="-2.2 .15 1 2.2 .15 1" size=".02" contype="0" conaffinity="0" rgba=".6 .6 .65 1"/>
<body name="cart" pos="0 0 1"><joint name="slide" type="slide" axis="1 0 0" damping=".1"/>
 <geom type="box" size=".15 .1 .08" mass="1" contype="0" conaffinity="0" rgba=".3 .35 .4 1"/>
 <body name="lower"><joint name="lower" axis="0 1 0" damping=".005"/>
  <geom type="capsule" fromto="0 0 0 0 0 .5" size=".03" mass=".2" contype="0" conaffinity="0" rgba=".2 .4 .8 1"/>
  <body name="upper" pos="0 0 .5"><joint name="upper" axis="0 1 0" damping=".005"/>
   <geom type="capsule" fromto="0 0 0 0 0 .4" size=".03" mass=".15" contype="0" conaffinity="0" rgba=".9 .5 .2 1"/>
</body></body></body></worldbody><actuator><motor joint="slide" gear="20" ctrlrange="-1 1"/></actuator></mujoco>"""
STEPS, SKIP, HANGING = 150, 2, np.array([0.0, np.pi, 0.0])
GUESS = 0.3 * np.sin(2 * np.pi * np.arange(STEPS) / 50)
RUNNING, ENDING, SPEED, EFFORT = 0.1, (100.0, 1000.0, 1000.0), (0.01, 20.0), 0.5

model = pb.load(CART)


def objective():
    """Squares of the way to upright and at rest, m and rad, all along and, heavily, at the end."""
    places = [pb.objectives.Reach(model, [0.0], qpos=[k], terminal=ENDING[k], running=RUNNING) for k in range(3)]
    rest = pb.objectives.Reach(model, np.zeros(3), qvel=[0, 1, 2], terminal=SPEED[1], running=SPEED[0])
    return sum(places[1:], places[0]) + rest + EFFORT * pb.objectives.Effort()


def clock():
    """Seconds of the wall and of the processor, all threads."""
    return np.array([time.perf_counter(), time.process_time()])


def search():
    """The ILQR before its first iteration."""
    return pb.controllers.ILQR(model, objective(), STEPS, SKIP, (HANGING, np.zeros(3)), GUESS[:, None])


def swing_up(iterations):
    """(ILQR after its search, seconds): the kernels are there before the clock starts."""
    plan = search()
    plan.prepare()
    plan.iterate()
    plan.begin(GUESS[:, None].copy())
    began, last = clock(), plan.iteration + iterations
    while not plan.finished and plan.iteration < last:
        plan.iterate()
    return plan, clock() - began


def with_regulator(plan):
    """The plan's feedback, and after it that of the linear regulator about upright, as one controller."""
    sim, t = pb.Simulator(model), plan.trajectory
    sim.reset(np.zeros(3))
    A, B = sim.linearize(SKIP)
    K = pb.controllers.lqr(A[0], B[0], np.diag([1, 1, 1, 0.1, 0.1, 0.1]), 1.0)[0]
    rows = (np.concatenate([a, np.zeros((1, a.shape[1]))]) for a in (t.qpos[:-1, 0], t.qvel[:-1, 0], plan.controls))
    qpos, qvel, ctrl = rows
    return pb.controllers.LinearFeedback(model, np.concatenate([-plan.K, K[None]]), qpos, qvel, None, ctrl)


def checked(controller, worlds=32, seconds=10.0):
    """(share of carts that stand for the last second, Trajectory), from starts off by 0.05 m, rad, m/s and rad/s."""
    sim, rng = pb.Simulator(model, worlds), np.random.default_rng(0)
    sim.reset(HANGING + 0.05 * rng.normal(size=(worlds, 3)), 0.05 * rng.normal(size=(worlds, 3)))
    run = pb.Tape(sim, round(seconds / 0.01 / SKIP), SKIP).rollout(controller)
    return float((np.abs(run.qpos[-50:, :, 1:]).max(axis=(0, 2)) < 0.05).mean()), run


def cost_for_rival():
    from demos.by_differences import Cost

    return Cost([RUNNING] * 3 + [SPEED[0]] * 3, [*ENDING] + [SPEED[1]] * 3, EFFORT, np.zeros(6), 0.01 * SKIP)


def rival(iterations):
    """(cost, iterations, seconds) of iLQR by finite differences on MuJoCo."""
    from demos.by_differences import Differences

    search = Differences(CART, cost_for_rival(), STEPS, SKIP)
    began = clock()
    *_, cost, _, done = search.solve(np.r_[HANGING, np.zeros(3)], GUESS, iterations)
    return cost, done, clock() - began


def main(picture=None, iterations=300, by_differences=False):
    report = "{}: cost {:.3f} after {} iterations, {:.2f} s, processor {:.2f} s"
    plan, seconds = swing_up(iterations)
    print(report.format("by gradient", plan.cost, plan.iteration - 1, *seconds))
    share, run = checked(with_regulator(plan))
    print(f"{share:.0%} of 32 carts with other starts stand after 10 s")
    if by_differences:
        cost, done, spent = rival(iterations)
        print(report.format("by differences", cost, done, *spent))
    if picture:
        seen, camera = pb.replay.replay(model, run, every=5), {"lookat": (0, 0, 1), "width": 4.6, "elevation": 0}
        pb.view.save_animation(picture, model, seen.geom_xpos[:40], seen.geom_xquat[:40], fps=10, camera=camera)
    return plan, share


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(": python")[0])
    parser.add_argument("picture", nargs="?", help="file for an animation (.gif, .mp4)")
    parser.add_argument("--iterations", type=int, default=300, help="of iLQR at most (300)")
    parser.add_argument("--rival", action="store_true", help="solve it by finite differences on MuJoCo, too")
    args = parser.parse_args()
    main(args.picture, args.iterations, args.rival)
