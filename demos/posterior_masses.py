"""Two robots that explain one log: python demos/posterior_masses.py [PICTURE] [DRAWS]

A driven cart carries two masses on equal springs, and its encoder is all that is logged. Exchanged, the masses make the
same log, so what is known about them is a density with two peaks. `fit` would find one of them, with an interval that
holds the truth or misses it wholly. Chains of the No-U-Turn sampler begin in both; particles of SVGD go to both; and
Laplace's approximation weighs them. The draws then become worlds of a simulator, which show what would tell the robots
apart: the motion of the left mass.
"""

import argparse
import time

import numpy as np

import pullback as pb

CART = """<mujoco><option timestep="0.01" integrator="implicitfast"/><worldbody>
<body><joint name="cart" type="slide" axis="1 0 0" damping="0.5" stiffness="20"/>
 <geom size=".1" mass="1" contype="0" conaffinity="0"/>
 <body name="left" pos="0 .4 0"><joint type="slide" axis="1 0 0" damping="0.3" stiffness="30"/>
  <geom size=".1" mass="1" contype="0" conaffinity="0"/></body>
 <body name="right" pos="0 -.4 0"><joint type="slide" axis="1 0 0" damping="0.3" stiffness="30"/>
  <geom size=".1" mass="1" contype="0" conaffinity="0"/></body>
</body></worldbody><actuator><motor joint="cart"/></actuator></mujoco>"""
TRUTH, NOISE, STEPS = (0.4, 1.1), 0.02, 150

model = pb.load(CART)
seconds = 0.01 * np.arange(STEPS)
push = 3.0 * np.sin(2 * np.pi * (0.4 * seconds + 0.4 * seconds**2))


def rollout(masses):
    """Positions (steps, worlds, 3) of carts with these masses (worlds, 2)."""
    sim = pb.Simulator(model, len(masses), own_params=True)
    sim.params.body_mass[:, [model.body("left"), model.body("right")]] = masses
    return pb.Tape(sim, STEPS).rollout(np.tile(push[:, None, None], (1, len(masses), 1))).qpos[:STEPS]


def measured():
    """The Log of a cart that nobody knows."""
    shown = rollout(np.array([TRUTH]))[:, 0, 0] + NOISE * np.random.default_rng(3).normal(size=STEPS)
    return pb.identify.Log({"qpos:" + model.joint_names[0]: (seconds, shown), "ctrl": (seconds, push)}, "a cart")


def picture(path, posterior, chains, particles):
    """The density with draws and particles, and how draws say that the left mass moved."""
    from matplotlib.figure import Figure

    figure = Figure((11, 4.6), layout="constrained")
    where, motion = figure.subplots(1, 2)
    grid = np.linspace(0.15, 1.6, 60)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    logp = posterior.logp_and_grad(posterior.coordinates_of(points))[0].reshape(60, 60)
    where.contourf(grid, grid, np.log10(1 + logp.max() - logp), 20, cmap="Blues_r")
    where.plot(*chains.numbers.reshape(-1, 2).T, ".", color="tab:orange", ms=4, label="draws of NUTS")
    where.plot(*particles.numbers[0].T, "o", color="none", mec="black", ms=5, label="particles of SVGD")
    where.plot(*TRUTH, "x", color="tab:red", ms=11, mew=2.5, label="truth")
    where.set(xlabel="left mass (kg)", ylabel="right mass (kg)", title="What the cart's encoder tells", aspect="equal")
    where.legend(loc="lower left")
    some = chains.numbers.reshape(-1, 2)[:: max(chains.numbers[..., 0].size // 60, 1)]
    moved = rollout(some)[:, :, 1]
    motion.plot(seconds, moved, color="tab:orange", lw=0.7, alpha=0.5)
    motion.plot(seconds, rollout(np.array([TRUTH]))[:, 0, 1], color="tab:red", lw=1.5, label="truth")
    motion.set(xlabel="time (s)", ylabel="left mass against the cart (m)", title="What would tell them apart")
    motion.legend()
    figure.savefig(path, dpi=110)


def main(path=None, draws=150):
    masses = {"body_mass:left": pb.identify.Uniform(0.1, 2.0), "body_mass:right": pb.identify.Uniform(0.1, 2.0)}
    posterior = pb.identify.Posterior(model, measured(), masses, noise=NOISE, start="known", particles=32)
    print(laplace := posterior.laplace())
    began = time.perf_counter()
    chains = posterior.nuts(draws, warmup=40, chains=8, seed=1, mass="laplace")
    print(f"\n{chains}\n{time.perf_counter() - began:.1f} s for {8 * draws} draws\n")
    particles = posterior.svgd(32, iterations=50)
    for draw in (chains, particles):
        left = draw.numbers[..., 0] < draw.numbers[..., 1]
        print(f"{draw.how}: {100 * left.mean():.0f} % say that the left mass is the lighter one")
    if path:
        picture(path, posterior, chains, particles)
    return laplace, chains, particles


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(": python")[0])
    parser.add_argument("picture", nargs="?", help="file for a picture of the draws")
    parser.add_argument("draws", nargs="?", type=int, default=150, help="of each chain (150)")
    args = parser.parse_args()
    main(args.picture, args.draws)
