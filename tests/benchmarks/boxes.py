"""Boxes through contact: friction, mass and bounce from noisy poses, by free windows and by a chain of pieces.

python tests/benchmarks/boxes.py [--seeds 6] [--page PATH]
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
from engine.identify import fit
from engine.identify.judged import SURE
from tests.identify import boxes


def found(case, seed, chained):
    """(Fit, seconds of processor time) of a case."""
    log, _ = boxes.log(case, seed=seed)
    began = time.process_time()
    got = fit(engine.load(boxes.model(**case.guess)), log, case.unknowns, window=0.1, chained=chained, held_out=0)
    return got, time.process_time() - began


def rows_of(case, seeds):
    """(rows of the table, errors (seeds, numbers) in shares, in standard deviations, whether all have settled)."""
    free = None if case.ball else found(case, 0, False)[0].values
    fits = [found(case, seed, True) for seed in range(seeds)]
    values, sd = (np.array([getattr(got, name) for got, _ in fits]) for name in ("values", "sd"))
    true = np.array(case.values)
    off, z = values / true - 1, (values - true) / sd
    seconds, rows = np.median([s for _, s in fits]), []
    for k, (name, truth) in enumerate(zip(fits[0][0].names, case.values, strict=True)):
        before = "-" if free is None else f"{100 * (free[k] / truth - 1):+.1f} %"
        rows.append(f"| {case.name} | {name} | {truth:g} | {before} | {100 * off[0, k]:+.2f} % "
                    f"| ± {100 * SURE * sd[0, k] / truth:.2f} % | {100 * np.sqrt((off[:, k] ** 2).mean()):.2f} % "
                    f"| {np.sum(np.abs(z[:, k]) > SURE)} | {seconds:.1f} |")  # fmt: skip
        print(rows[-1], flush=True)
    return rows, off, z, all(got.converged for got, _ in fits)


def often(count=8):
    """What so many logs of a bouncing box say together, each with a velocity of its own, as a line."""
    case, rng = boxes.CASES["tossed, bouncing"], np.random.default_rng(5)
    ways = [tuple(np.array(case.velocity) * (1 + 0.2 * rng.normal(size=6))) for _ in range(count)]
    logs = [boxes.log(case._replace(velocity=way), seed=k)[0] for k, way in enumerate(ways)]
    guess = engine.load(boxes.model(**case.guess))
    got = fit(guess, logs, case.unknowns, window=0.1, chained=True, held_out=0)
    off, wide = 100 * (got.values / case.values - 1), 100 * SURE * got.sd / case.values
    told = ",\n  ".join(f"{n} {a:+.2f} % ± {b:.2f} %" for n, a, b in zip(got.names, off, wide, strict=True))
    return f"* {count} tosses of the bouncing box together, off and interval:\n  {told}.\n"


def as_many(missed, total, share=0.05):
    """The probability that so many or more intervals of 95 % miss."""
    return sum(math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(missed, total + 1))


def text_of(seeds):
    """The page."""
    rows, offs, z, settled = [], {True: [], False: []}, [], True
    for case in boxes.CASES.values():
        more, off, errors, good = rows_of(case, seeds)
        rows, z, settled = rows + more, [*z, *errors.ravel()], settled and good
        for k, one in enumerate(case.unknowns):
            offs[isinstance(one, str)] += np.abs(off[:, k]).tolist()
    z, missed = np.abs(z), int(np.sum(np.abs(z) > SURE))
    chance, size = as_many(missed, z.size), np.sqrt((z**2).mean())
    worst, bounce = (100 * max(offs[kind]) for kind in (True, False))
    close = sum(np.sum(np.array(offs[kind]) < 0.02) for kind in (True, False))
    return (
        "# Boxes through contact\n\n"
        f"`python tests/benchmarks/boxes.py --seeds {seeds} --page PATH`: a box that is pulled, tossed, or hit by a\n"
        "ball, simulated by MuJoCo for 1 s; poses at 125 Hz with noise of 1 mm and 5 mrad, the floor's friction, the\n"
        "box's mass and the contact's solref from a first guess that is off by up to 3.3 times. Free windows of "
        f"0.1 s,\nand `chained`. Noise is drawn {seeds} times for each box; single figures are of the first.\n\n"
        "| case | number | truth | off, free windows | off, chained | its interval (95 %) | off, root mean square "
        "| intervals that miss | CPU s |\n"
        "|---|---|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n"
        f"* Of {z.size} intervals of 95 % {missed} miss the truth, where {0.05 * z.size:.1f} are expected "
        f"(so many or more\n  by chance: {chance:.2f}). Errors are {size:.2f} standard deviations, root\n"
        f"  mean square, the greatest {z.max():.1f}.\n"
        f"* Friction and mass are off by at most {worst:.2g} %, the bounce (solref) by {bounce:.2g} %: "
        "an impact or two\n"
        "  under this noise tell no more of it, and the intervals say so.\n"
        f"{often()}"
        f"* {close} of {z.size} numbers are within 2 % of the truth.\n"
        f"* {'Every search has' if settled else 'Not every search has'} settled.\n\n"
        f"{platform.processor() or platform.machine()}, one thread, {time.strftime('%Y-%m-%d')}.\n"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--page", type=Path)
    args = parser.parse_args()
    engine.init(threads=1)
    text = text_of(args.seeds)
    print("\n" + text)
    if args.page:
        rest = args.page.read_text(encoding="utf-8").partition("\n## ") if args.page.exists() else ("", "", "")
        args.page.write_text(text + "".join(rest[1:]), encoding="utf-8")


if __name__ == "__main__":
    main()
