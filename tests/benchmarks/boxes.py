"""Boxes through contact: friction, mass and bounce from noisy poses, by free windows and by a chain of them.

python tests/benchmarks/boxes.py [--seeds 2] [--page PATH]
"""

import argparse
import platform
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import engine
from engine.identify import fit
from tests.identify import boxes


def found(case, seed, chained):
    """(Fit, seconds of processor time) of a case."""
    log, _ = boxes.log(case, seed=seed)
    began = time.process_time()
    got = fit(engine.load(boxes.model(**case.guess)), log, case.unknowns, window=0.1, chained=chained, held_out=0)
    return got, time.process_time() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--page", type=Path)
    args = parser.parse_args()
    engine.init(threads=1)
    rows, worst, inside, total = [], 0.0, 0, 0
    for case in boxes.CASES.values():
        for seed in range(args.seeds):
            free, _ = found(case, seed, False)
            got, seconds = found(case, seed, True)
            parts = zip(got.names, case.values, free.values, got.values, got.sd, strict=True)
            for name, true, loose, value, sd in parts:
                off, before, total = value / true - 1, loose / true - 1, total + 1
                worst, inside = max(worst, abs(off)), inside + (abs(value - true) < 1.96 * sd)
                rows.append(f"| {case.name} | {name} | {true:g} | {100 * before:+.1f} % | {100 * off:+.2f} % "
                            f"| ± {196 * sd / true:.2f} % | {seconds:.0f} |")  # fmt: skip
                print(rows[-1], flush=True)
    text = (
        "# Boxes through contact\n\n"
        "`python tests/benchmarks/boxes.py --page PATH`: a box that is pulled, tossed, or hit by a ball, simulated by\n"
        "MuJoCo for 1 s; poses at 125 Hz with noise of 1 mm and 5 mrad, the floor's friction, the box's mass and the\n"
        "contact's solref from a first guess that is off by up to 2.7 times. Free windows of 0.1 s, and `chained`.\n\n"
        "| case | number | truth | off, free windows | off, chained | its interval (95 %) | CPU s |\n"
        "|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"The greatest error of {total} numbers is {100 * worst:.1f} %; {inside} intervals hold the truth. "
        f"{platform.processor() or platform.machine()}, {time.strftime('%Y-%m-%d')}.\n"
    )
    print("\n" + text)
    if args.page:
        args.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
