"""Random robot files, valid ones and mutated ones, beside MuJoCo: they load and move alike, or are refused by name.

    python -m tests.random_files --valid 1000 --mutated 1000 [--seed 0] [--first 0] [--json PATH] [--keep FOLDER]

One line for each file that is wrong, with the command that repeats it; then how many ended how (verdict.py has the
words), and what is refused or hangs on rounding, by kind. The exit code is 1 where a file is wrong.

--first: number of the first file. --json: one JSON object a file goes there; the files that it has already are not
asked again. --keep: the text of each wrong file, and a small one with the same fault, go there. --all: a line for each
file. Files are judged in a process of their own, which ends with those that end it or take longer than a minute.
"""

import argparse
import json
import re
import shlex
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np

from tests.apart import Apart, Ended

LIMIT = 60.0  # seconds a file
VALID, MUTATED = "valid", "mutated"
SHOWN = 40
URDFS = 0.08  # of the files


def text_of(kind, number, seed):
    """The text of a file: of kind VALID or MUTATED."""
    from tests.random_files.mutations import mutated
    from tests.random_files.robots import AnyRobot, urdf

    rng = np.random.default_rng((seed, (VALID, MUTATED).index(kind), number))
    robot = int(rng.integers(2**31))
    text = urdf(robot) if rng.random() < URDFS else AnyRobot(robot).xml
    return text if kind == VALID else mutated(text, rng)


def judge_of(seed, smaller):
    """A function (kind, number) -> (outcome, detail, small text or None), for a process of its own."""
    started()
    from tests.random_files.judge import WRONG, judged
    from tests.random_files.smaller import small

    judged(text_of(VALID, 0, 0))  # waits for the compiler

    def judge(kind, number):
        text = text_of(kind, number, seed)
        verdict = judged(text)
        less = small(text, verdict) if smaller and verdict.outcome == WRONG else None
        return verdict.outcome, verdict.detail, less

    return judge


def started():
    """What a process that judges does first."""
    import mujoco

    import engine

    engine.init(features="all", threads=1)
    mujoco.set_mju_user_warning(lambda *_: None)  # which else go to a file


def mujoco_of(seed):
    """A function (kind, number), which has MuJoCo alone open a file and move it, for a process of its own. Twice, since
    after some errors it waits for itself."""
    import mujoco

    def move(kind, number):
        for _ in range(2):
            try:
                mj = mujoco.MjModel.from_xml_string(text_of(kind, number, seed))
                mujoco.mj_step(mj, mujoco.MjData(mj), 20)
            except Exception:
                pass

    return move


def ended(kind, number, seed, said):
    """What becomes of a file that ends the judge: MuJoCo alone may end, too."""
    alone = Apart(partial(mujoco_of, seed), LIMIT, start=60.0)
    try:
        alone(kind, number)
    except Ended as also:
        return "tie", f"MuJoCo alone {also}", None
    finally:
        alone.close()
    return "wrong", said, None


def rows(args):
    """The files' rows, {"kind", "number", "outcome", "detail"}: those of args.json first."""
    known = {}
    if args.json and args.json.exists():
        for line in args.json.read_text().splitlines():
            entry = json.loads(line)
            known[entry["kind"], entry["number"]] = entry
    judge = Apart(partial(judge_of, args.seed, args.keep is not None), LIMIT + 100 * (args.keep is not None))
    wanted = [(VALID, k) for k in range(args.first, args.first + args.valid)]
    wanted += [(MUTATED, k) for k in range(args.first, args.first + args.mutated)]
    try:
        for kind, number in wanted:
            if (kind, number) in known:
                yield known[kind, number]
                continue
            try:
                outcome, detail, less = judge(kind, number)
            except Ended as error:
                outcome, detail, less = ended(kind, number, args.seed, str(error))
            entry = {"kind": kind, "number": number, "outcome": outcome, "detail": detail}
            if args.json:
                with args.json.open("a") as file:
                    file.write(json.dumps(entry) + "\n")
            if args.keep and outcome == "wrong":
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{kind}-{args.seed}-{number}.xml").write_text(text_of(kind, number, args.seed))
                if less:
                    (args.keep / f"{kind}-{args.seed}-{number}-small.xml").write_text(less)
            yield entry
    finally:
        judge.close()


def kind_of(detail):
    """A detail without names and numbers."""
    return re.sub(r"'[^']*'|[-+]?\d[\d.e+-]*|inf|nan", "..", detail)[:110]


def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--valid", type=int, default=0, help="how many")
    p.add_argument("--mutated", type=int, default=0, help="how many")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--first", type=int, default=0, help="number of the first file")
    p.add_argument("--json", type=Path, help="a row for each file, there; those in it are not asked again")
    p.add_argument("--keep", type=Path, help="folder for wrong files and small ones with their faults")
    p.add_argument("--all", action="store_true", help="a line for each file")
    p.add_argument("--print", action="store_true", help="only the texts")
    args = p.parse_args(argv)
    if args.print:
        for kind, count in ((VALID, args.valid), (MUTATED, args.mutated)):
            for k in range(args.first, args.first + count):
                print(text_of(kind, k, args.seed))
        return 0
    outcomes, details = Counter(), Counter()
    for entry in rows(args):
        kind, outcome = entry["kind"], entry["outcome"]
        outcomes[kind, outcome] += 1
        if outcome in ("refused", "tie", "wrong"):
            details[outcome, kind_of(entry["detail"])] += 1
        if outcome == "wrong" or args.all:
            again = shlex.join(["--seed", str(args.seed), "--first", str(entry["number"]), f"--{kind}", "1"])
            print(f"{outcome}: {again}: {entry['detail'][:300]}", flush=True)
    for (kind, outcome), n in sorted(outcomes.items()):
        print(f"{n:7} {kind:8} {outcome}")
    for (outcome, detail), n in details.most_common(SHOWN):
        print(f"{n:7} {outcome:8} {detail}")
    return int(any(outcome == "wrong" for _, outcome in outcomes))
