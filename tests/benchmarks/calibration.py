"""Simulation-based calibration of the posterior's draws (Talts, Betancourt, Simpson, Vehtari, Gelman 2018).

    python tests/benchmarks/calibration.py [--logs 200] [--page PATH]

Numbers are drawn from their priors, a robot with them leaves a noisy log, and the posterior of that log is drawn from.
If the sampler and the density are right, the rank of each true number among its draws is uniform: told by a chi-square
test of the ranks' histogram. A pendulum with a motor, three numbers: damping, rotor, and the motor's gain.
"""

import argparse
import math
import platform
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.identify import Log, LogNormal, Normal, Posterior, Unknown

XML = """<mujoco><option timestep="0.01" integrator="implicitfast"/><worldbody><body pos="0 0 1">
<joint name="j" axis="0 1 0" damping="0.05" armature="0.01"/>
<geom type="capsule" fromto="0 0 0 0 0 -.4" size=".02" mass="0.5" contype="0" conaffinity="0"/></body></worldbody>
<actuator><motor name="j" joint="j"/></actuator></mujoco>"""
UNKNOWNS = [
    Unknown("dof_damping:j", prior=LogNormal(0.05, 0.5)), Unknown("dof_armature:j", prior=LogNormal(0.01, 0.5)),
    Unknown("actuator_gear:j[0]", prior=Normal(1.0, 0.2)),
]  # fmt: skip
NOISE, STEPS, CHAINS = 0.05, 80, 16
WARMUP, DRAWS, THIN = 24, 16, 2
BINS = 16  # of (CHAINS DRAWS / THIN + 1) ranks


def chi_square_tail(x, dof):
    """P(chi-square with `dof` >= x), by the series of the incomplete gamma function."""
    a, x = 0.5 * dof, 0.5 * x
    term = total = 1.0 / a
    k = a
    while term > 1e-16 * total:
        k += 1
        term *= x / k
        total += term
    return max(0.0, 1.0 - total * math.exp(-x + a * math.log(x) - math.lgamma(a))) if x > 0 else 1.0


class World:
    """A robot with numbers drawn from the priors, many at once, and their logs."""

    def __init__(self, count, seed):
        import mujoco

        self.model = engine.load(mujoco.MjModel.from_xml_string(XML))
        rng = np.random.default_rng(seed)
        bounds = (1e-9, np.inf), (1e-9, np.inf), (-np.inf, np.inf)
        self.truth = np.array([[u.prior.draw(rng, *b) for u, b in zip(UNKNOWNS, bounds, strict=True)]
                               for _ in range(count)])  # fmt: skip
        sim = engine.Simulator(self.model, count, own_params=True)
        sim.params.dof_damping[:, 0], sim.params.dof_armature[:, 0] = self.truth[:, 0], self.truth[:, 1]
        sim.params.actuator_gear[:, 0, 0] = self.truth[:, 2]
        self.time = 0.01 * np.arange(STEPS)
        self.torque = 0.6 * np.sin(2 * np.pi * 1.3 * self.time)
        angles = engine.Tape(sim, steps=STEPS).rollout(self.torque[:, None, None].repeat(count, 1)).qpos[:STEPS, :, 0]
        self.shown = (angles + NOISE * rng.normal(size=angles.shape))[::4]

    def log(self, k):
        return Log({"j": (self.time[::4], self.shown[:, k]), "ctrl:j": (self.time, self.torque)}, f"log {k}")


def ranks(count, seed=0, told=None):
    """Ranks (count, numbers) of the truth among CHAINS DRAWS / THIN draws, effective sample sizes, divergences."""
    world, found, sizes, diverged = World(count, seed), [], [], 0
    for k in range(count):
        posterior = Posterior(world.model, world.log(k), UNKNOWNS, NOISE, start="known", particles=CHAINS)
        draws = posterior.nuts(DRAWS, WARMUP, CHAINS, seed=1000 * seed + k, mass="laplace")
        x = draws.numbers[:, ::THIN].reshape(-1, len(UNKNOWNS))
        found.append((x < world.truth[k]).sum(axis=0))
        sizes.append(draws.ess)
        diverged += draws.divergent
        if told:
            told(k)
    return np.array(found), np.array(sizes), diverged


def judged(found):
    """For each number (histogram (BINS,), p-value of uniform ranks)."""
    total = CHAINS * DRAWS // THIN + 1
    edges = np.linspace(0, total, BINS + 1)
    expected = len(found) * np.diff(np.ceil(edges)) / total
    out = []
    for column in found.T:
        seen = np.histogram(column, np.ceil(edges))[0]
        out.append((seen, chi_square_tail(((seen - expected) ** 2 / expected).sum(), BINS - 1)))
    return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--logs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path)
    args = parser.parse_args()
    engine.init(threads=1)  # so many chains are one launch of a millisecond
    began, cpu = time.perf_counter(), time.process_time()
    found, sizes, diverged = ranks(args.logs, args.seed, lambda k: print(f"\r{k + 1} logs", end="", file=sys.stderr))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    rows = [f"| {u.pattern} | {p:.3f} | {' '.join(map(str, seen))} |"
            for u, (seen, p) in zip(UNKNOWNS, judged(found), strict=True)]  # fmt: skip
    text = (
        "# Calibration of posteriors\n\n"
        "`python tests/benchmarks/calibration.py --page PATH`: a pendulum's damping, rotor and motor gain, drawn from\n"
        f"their priors; {args.logs} logs of {STEPS // 4} noisy angles ({NOISE} rad), {CHAINS} chains for each, and of\n"
        f"their {CHAINS * DRAWS} draws every second one. If all is right, the rank of the truth among them\n"
        "is uniform.\n\n"
        "| number | p (chi-square) | histogram of the ranks |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"Of {CHAINS * DRAWS} draws the median is worth {np.median(sizes):.0f}, and {diverged} paths diverged. "
        f"{took:.0f} s of wall clock,\n{cpu:.0f} s of processor time, with compiling. "
        f"{platform.processor() or platform.machine()}, {time.strftime('%Y-%m-%d')}.\n"
    )
    print("\n" + text)
    if args.page:
        args.page.write_text(text, encoding="utf-8")
    return min(p for _, p in judged(found)) > 0.01


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
