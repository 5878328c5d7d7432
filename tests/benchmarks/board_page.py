"""The page and the picture that `robots.py --page PATH` writes of the board of other people's robots."""

import datetime

import numpy as np

from tests.benchmarks.common import machine

COLUMNS, WIDTH, LABEL = 5, 256, 18  # of the picture
AT = 0.8  # a frame of each animation, as a share of its length
PART = (0.2, 0.58, 0.8, 0.98)  # of a frame, from left and top: what the run made of it, without the words above
ASKED = {  # of a row: what it must reach, its aim
    "arms reach": ("within 2 mm and at rest in 2 s simulated", "of each arm nine targets in ten"),
    "quadrupeds run": ("a body's length a second for 5 s, upright", "four of five"),
    "humanoids stand": ("upright 5 s after a push of 0.5 m/s", "three makers'"),
    "suite": ("mean of the last second's reward above 0.8", "seven of nine robots"),
}

TEXT = """# Robots of other people

```sh
{command}
python tests/benchmarks/robots.py --robots FOLDER --only panda "stand" --seeds 2    # some of it
```

This page is written by the first command, which goes on where it was when it is killed: {date}, {machine};
{runs} runs of {robots} robots in {minutes:.0f} minutes, one after the other.

Each run is a robot's file, a task and a seed, by `pullback optimize` in a process of its own, so seconds hold its
start, the kernels that it compiles or loads, and its pictures. A robot's first run compiles. Each is judged a second
time by [suite.py](suite.py) with the mujoco package alone, from the states in `run.npz` and the file as its maker
publishes it. Targets of arms are the places of their tools in random joint positions without contacts. dm_control's
robots are judged by its own formulas of reward. The swimmer's file has the head alone; the board adds the five links
and motors that the suite adds. FOLDER holds robots of MuJoCo Menagerie and of their makers, a folder each; those of
packages are found where they lie, or by `--files`.

![a picture of each robot's first run]({picture})

## Solved

| what | asked | solved, by both measures |
|---|---|---|
{sums}

Of {judged} verdicts the second measure contradicts {contradicted}.

## Runs

`seconds` and `CPU s` are medians, `first` is the first run; steps count those that were run back as well.

| robot, task | solved | by the second measure | its figures | first s | seconds | CPU s | steps |
|---|---|---|---|---|---|---|---|
{rows}

## Not solved

{others}

Other tasks, judged from outside as well: [JUDGED.md](JUDGED.md).
"""


def good(line):
    return bool(line.get("found")) and (line["solved"] or line.get("loose", False))


def page(lines, command, picture):
    """Markdown of the lines of a board."""
    cells = {key: [x for x in lines if x["cell"] == key] for key in dict.fromkeys(x["cell"] for x in lines)}
    judged = [x for x in lines if x.get("agrees") is not None]
    wrong = [f"{x['cell']} seed {x['seed']}" for x in judged if not x["agrees"]]
    return TEXT.format(
        command=command, date=datetime.date.today(), machine=where(), runs=len(lines), picture=picture,
        robots=len({key.rpartition(" ")[0] for key in cells}), minutes=sum(x["seconds"] for x in lines) / 60,
        sums="\n".join(sums(cells)), judged=len(judged), contradicted=", ".join(wrong) or "none",
        rows="\n".join(row(key, runs) for key, runs in cells.items()),
        others="\n".join(missed(lines)) or "Nothing.",
    )  # fmt: skip


def where():
    found = machine()
    return f"{found['processor']}, {found['cores']} cores, Python {found['python']}"


def sums(cells):
    for name, (asked, aim) in ASKED.items():
        found = {key: runs for key, runs in cells.items() if runs[0]["row"] == name}
        if found:
            runs = [x for rows in found.values() for x in rows]
            robots = {key.rpartition(" ")[0]: True for key in found}
            for key, rows in found.items():
                robots[key.rpartition(" ")[0]] &= sum(map(good, rows)) >= 0.9 * len(rows)
            yield (f"| {name} | {asked}; {aim} | {sum(map(good, runs))} of {len(runs)} runs, "
                   f"{sum(robots.values())} of {len(robots)} robots in all tasks |")  # fmt: skip


def row(key, runs):
    middle = {name: np.median([x.get(name, np.nan) for x in runs]) for name in ("seconds", "cpu", "steps")}
    figures = "; ".join(dict.fromkeys(str(x.get("figure") or "-") for x in runs))
    if len(runs) > 3:
        figures = "; ".join(str(x.get("figure") or "-") for x in runs[:2]) + "; ..."
    return (f"| {key} | {sum(x['solved'] for x in runs)} of {len(runs)} | {sum(bool(x['found']) for x in runs)} | "
            f"{figures} | {runs[0]['seconds']:.0f} | {middle['seconds']:.0f} | {middle['cpu']:.0f} | "
            f"{thousands(middle['steps'])} |")  # fmt: skip


def thousands(steps):
    return "-" if np.isnan(steps) else f"{float(f'{steps:.2g}'):,.0f}"


def missed(lines):
    for x in lines:
        if not good(x):
            why = f" ({'; '.join(x['hindered'])})" if x.get("hindered") else ""
            yield f"* {x['cell']}, seed {x['seed']}: {x['verdict']}{why}"


def sheet(lines, folder, path):
    """A picture of the first run of each robot and task, side by side, as a JPEG."""
    from PIL import Image, ImageDraw

    cells, frames = {}, []
    for x in lines:
        cells.setdefault(x["cell"], x)
    for key, x in cells.items():
        animation = folder / x["folder"] / "animation.gif" if x.get("folder") else None
        if animation is not None and animation.exists():
            with Image.open(animation) as gif:
                gif.seek(int(AT * (gif.n_frames - 1)))
                whole = (gif.width, gif.height) * 2
                frames.append((key, gif.convert("RGB").crop([int(a * b) for a, b in zip(PART, whole, strict=True)])))
    if not frames:
        return None
    height = int(WIDTH * max(f.height / f.width for _, f in frames))
    across = -(-len(frames) // COLUMNS)
    picture = Image.new("RGB", (COLUMNS * WIDTH, across * (height + LABEL)), "white")
    draw = ImageDraw.Draw(picture)
    for k, (key, frame) in enumerate(frames):
        x, y = k % COLUMNS * WIDTH, k // COLUMNS * (height + LABEL)
        picture.paste(frame.resize((WIDTH, round(WIDTH * frame.height / frame.width)), Image.LANCZOS), (x, y + LABEL))
        draw.text((x + 4, y + 3), key, fill="black")
    picture.save(path, quality=80)
    return path
