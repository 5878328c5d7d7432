"""The page that `python -m tests.robots FOLDER --page PATH` writes of its rows."""

import datetime
import platform
from pathlib import Path

from tests.robot_files import said

ACCURACY = ("nv", "ncon", "other", "smooth", "dist", "normal", "least", "qacc", "sensors", "free", "stepwise", "apart",
            "rounding", "deeper", "gradient")  # fmt: skip
TIMES = ("load s", "first s", "us", "ratio", "back")
# What is asked of a figure. Of states with contacts: with shapes that are searched for, and without.
BARS = {"smooth": 1e-9, "dist": 1e-6, "normal": 1e-6, "qacc": (1e-3, 1e-5), "sensors": (1e-3, 1e-5), "free": 1e-9,
        "stepwise": (1e-3, 1e-5), "gradient": 1e-6, "back": 4.0}  # fmt: skip

# What is said of forces where tendons' velocities are.
SLOPES = " (of {} tendons' velocities that differ ours is the one by differences of MuJoCo's lengths)"

TEXT = """# Robot files beside MuJoCo

{loaded} of {all} files of a folder of other people's robots load. This page is written by
`python -m tests.robots FOLDER --page PATH`: {date}, {cpu}, Python {python}, MuJoCo {mujoco}, f64.

**What is compared.** In {states} states along kicked rollouts of each robot, with random forces, MuJoCo's Newton
solver is run to 1e-14, whatever the file says. `ncon`: contacts in a state, on average; `other`: states with another
number than in MuJoCo, which are left out of what follows. `smooth`: poses, M, bias, passive and actuator forces, and
the acceleration where nothing touches. `dist` (m) and `normal`: of contacts, against MuJoCo's search at its finest
(`ccd_tolerance` 1e-14), which finds a normal of round shapes to some 1e-5. `least`: of normals that differ by more than
1e-6, those of ours along which the shapes, by what each reaches in a direction, overlap less than along MuJoCo's and
than along eight others 1e-6 beside: there MuJoCo's is the one that is off. `qacc`: where something touches. `free`:
`qpos` over 300 steps, until something touches. `stepwise`: the state after each of 300 steps, from MuJoCo's before it;
`apart`: steps with another number of contacts; `rounding`: steps that differ by more than 1e-6 and by less than half of
that from one that MuJoCo takes from a state 1e-15 beside, which is then the one to compare with; both sides search to
1e-14 there. `deeper`: of the states and steps with another number, those where by `least` MuJoCo's search is what ends
elsewhere, for every pair that differs. `gradient`: of 20 steps, by start, controls and masses, against central
differences where these are known to 1e-7; -: nowhere. Errors are relative but for places and distances.

**How times are taken.** One core; ours, MuJoCo's and our gradient in turns of {burst} steps from one state, medians of
{bursts} turns, so ratios hold on a machine that has other work, too, and microseconds (`us`) are indicative. `ratio`:
MuJoCo's time over ours, with the file's own options. `back`: forward and backward over forward. `first s`: seconds to
the first gradient in a new process, with kernels cached. A file that asks for friction without slip has no gradient: it
is without for `gradient` and `back`. MuJoCo is timed with dense Jacobians where it diverges with the file's options.

## Accuracy

{accuracy}

## Time

{times}

## Below what is asked

Asked are 1e-9 of what is smooth, 1e-5 with contacts, 1e-3 with those that are searched for and 1e-6 of their distance
and normal, but where `least` has all of ours, gradients within 1e-6, as many contacts but where `deeper` has all, a
step in MuJoCo's time and a gradient in 4 of ours.

{losses}

## What does not load

{refused}
"""


def table(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value):
    if value is None:
        return "-"
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def title(entry):
    return "/".join(Path(entry["file"]).parts[-2:])


def losses(entry):
    """Lines of a row's figures that miss what is asked."""
    found = []
    for name, bar in BARS.items():
        value = entry.get(name)
        if value is None:
            continue
        least = bar if isinstance(bar, float) else bar[0 if entry["searched"] else 1]
        if value > least and not (name == "normal" and better(entry, "least")):
            why = SLOPES.format(entry["strung"]) if name == "smooth" and better(entry, "strung") else ""
            found.append(f"{name} {cell(value)}{why}")
    if entry.get("ratio", 1.0) < 1.0:
        found.append(f"ratio {cell(entry['ratio'])}")
    if not better(entry, "deeper"):
        found += [f"{name} {entry[name]}" for name in ("other", "apart") if not entry.get(name, "0/").startswith("0/")]
    return found + ([entry["failed"]] if "failed" in entry else [])


def better(entry, name):
    """Whether all of our numbers that are not MuJoCo's are found to be the right ones."""
    ours, _, others = entry[name].partition("/")
    return ours == others != "0"


def page(entries, states, burst, bursts):
    import mujoco

    loaded = [e for e in entries if "nv" in e]
    others = [e for e in entries if "nv" not in e]
    below = [f"* {title(e)}: {', '.join(found)}" for e in loaded if (found := losses(e))]
    tables = [table(["robot", *columns], [[title(e), *(cell(e.get(name)) for name in columns)] for e in loaded])
              for columns in (ACCURACY, TIMES)]  # fmt: skip
    return TEXT.format(
        loaded=len(loaded), all=len(entries), date=datetime.date.today(), cpu=cpu(), python=platform.python_version(),
        mujoco=mujoco.__version__, states=states, burst=burst, bursts=bursts, accuracy=tables[0], times=tables[1],
        losses="\n".join(below) or "Nothing.",
        refused="\n".join(f"* {title(e)}: {said(e)}" for e in others) or "Nothing.",
    )  # fmt: skip


def cpu():
    """What kind of processor this is."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
