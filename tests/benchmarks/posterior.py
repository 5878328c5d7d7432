"""Points of a posterior over leaves, the ten inertial numbers of an arm's link, as worlds of one launch against one by
one: processor time of log densities with their gradients.

    python tests/benchmarks/posterior.py [--particles 16] [--repetitions 8]
"""

import argparse
import sys
import time
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def made(model, log, particles, together):
    from engine.identify import Posterior, batch

    if together:
        return Posterior(model, log, ["inertial:lower"], noise=1e-3, start="known", particles=particles)
    with mock.patch.object(batch, "PLAIN", True):
        return Posterior(model, log, ["inertial:lower"], noise=1e-3, start="known", particles=particles)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--particles", type=int, default=16)
    p.add_argument("--repetitions", type=int, default=8)
    args = p.parse_args()
    from tests.identify.three_links import STEP, measured

    print(f"{'steps':>8}{'one by one, ms':>18}{'worlds, ms':>14}{'times':>8}")
    for seconds in (0.2, 2.0):
        model, log, _ = measured(seconds=seconds, seed=3, size=0.1)
        both = [made(model, log, args.particles, together) for together in (False, True)]
        z = both[0].coordinates_of(both[0].problem.unknowns.guess)
        z = z + 0.3 * np.random.default_rng(0).normal(size=(args.particles, len(z)))
        found = [posterior.logp_and_grad(z) for posterior in both]  # compiles
        assert np.abs(found[0][1] - found[1][1]).max() < 1e-9 * np.abs(found[1][1]).max()
        best = np.full(2, np.inf)
        for _ in range(args.repetitions):
            for k, posterior in enumerate(both):
                began = time.process_time()
                posterior.logp_and_grad(z)
                best[k] = min(best[k], time.process_time() - began)
        print(f"{seconds / STEP:8.0f}{1e3 * best[0]:18.1f}{1e3 * best[1]:14.1f}{best[0] / best[1]:8.1f}", flush=True)


if __name__ == "__main__":
    main()
