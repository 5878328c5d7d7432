"""The board's table: a line for each cell, what random search needs over what gradients need, and the thresholds."""

FEWER = 10  # times fewer steps than random search is what a gradient should need


def work(row):
    """Simulator steps of a cell: forward ones over all worlds, those of line searches, linearisations and failed tries
    included, and reversed ones."""
    return row["steps"] + row["reversed"]


def best(rows):
    """The cheapest cell that solved its task by a gradient method, or None. rows: of one task."""
    return min((r for r in rows if r["solved"] and r["method"] != "random"), key=work, default=None)


def ratios(rows):
    """{task: (cell of the cheapest gradient method, cell of random search, steps of random over steps of gradient)} of
    the tasks that a gradient method has solved and that have both. Where random search did not solve the task, the
    ratio is a lower bound.
    """
    out = {}
    for task in dict.fromkeys(r["task"] for r in rows):
        of = [r for r in rows if r["task"] == task]
        cheapest, random = best(of), next((r for r in of if r["method"] == "random"), None)
        if cheapest and random:
            out[task] = cheapest, random, work(random) / work(cheapest)
    return out


def times(random, ratio):
    """How the ratio is written: a number, or its lower bound where random search gave up."""
    return f"{'' if random['solved'] else '>= '}{ratio:.1f}"


def markdown(rows):
    """The whole table. rows: of Board.rows, each with its task's `threshold` in words."""
    lines = [
        "| task | method | solved | wall s | with start s | CPU s | iterations | steps | reversed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r['task']} | {r['method']} | {'yes' if r['solved'] else '**no**'} | {r['wall']:.1f} | "
            f"{r['wall'] + r['start']:.1f} | {r['cpu']:.1f} | {r['iterations']} | {r['steps']:,} | {r['reversed']:,} |"
        )
    gave_up = [f"* {r['task']}, {r['method']}: {r['reason']}" for r in rows if not r["solved"]]
    parts = [lines, _comparison(ratios(rows)), gave_up and ["Not solved, and why the search ended:", "", *gave_up]]
    thresholds = {r["task"]: r["threshold"] for r in rows}
    parts.append(["What counts as solved:", "", *(f"* {task}: {text}" for task, text in thresholds.items())])
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _comparison(found):
    """Random search's steps over those of the task's cheapest gradient method."""
    if not found:
        return []
    head = ("task", "cheapest gradient method", "its steps, reversed ones included", "steps of random search", "ratio")
    lines = [f"| {' | '.join(head)} |", "|---|---|---|---|---|"]
    for task, (cheapest, random, ratio) in found.items():
        steps = f"{work(random):,}" + ("" if random["solved"] else ", unsolved")
        lines.append(f"| {task} | {cheapest['method']} | {work(cheapest):,} | {steps} | {times(random, ratio)} |")
    many = sum(ratio >= FEWER for *_, ratio in found.values())
    won = [task for task, (_, random, ratio) in found.items() if random["solved"] and ratio < 1]
    lines += ["", f"Gradients need at least {FEWER} times fewer steps on {many} of these {len(found)} tasks."]
    lines += [f"Random search needs fewer on: {', '.join(won)}."] if won else []
    return lines
