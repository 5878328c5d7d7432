"""Are the verdicts of `pullback optimize` true? Many short runs, each judged from outside (outside.py).

    python tests/benchmarks/verdicts.py --robots ../shared/robots --out runs/verdicts
    python tests/benchmarks/verdicts.py --only jump go2 --most 10

Robots x tasks x seeds with small budgets, in one process whose kernels serve all. Half of them are meant to fail:
targets out of reach, ways too fast, pushes too hard, jumps too high. A line a run goes to lines.jsonl in the folder, so
that a killed list goes on where it was, in an order that mixes the tasks; `--judge` judges the folders again and runs
nothing. Exit code 1 where a verdict is contradicted.
"""

import argparse
import contextlib
import io
import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import outside  # noqa: E402
from tests.benchmarks.suite import FLAT, folders, swimmer_file  # noqa: E402
from tests.controllers.test_carry import GANTRY  # noqa: E402
from tests.controllers.test_push import PUSHER  # noqa: E402

ADDED = ("--floor", "--floating", "--actuators", "--collide")  # options that make the robot another than its file's


class Ask(NamedTuple):
    """What is run `seeds` times: a file (folder's key, path), or (None, scene). options: words, or seed -> words.
    site: of a reach, whose target is then drawn: where it is in random joint positions, every third time 1.4 times as
    far from its robot's place. moves: the target goes along where a table of joints would bring the site."""

    file: tuple
    task: str
    seeds: int
    options: object = ()
    site: str | None = None
    moves: bool = False

    @property
    def name(self):
        return f"{Path(self.file[1]).stem}-{'moving' if self.moves else self.task}"

    def path(self, places):
        """The robot as the command takes it; None where there is no such file."""
        if self.file[0] is None:
            return self.file[1]
        place = places.get(self.file[0])
        return place / self.file[1] if place is not None and (place / self.file[1]).exists() else None


def pushes(*speeds):
    return lambda seed: ("--push", str(speeds[seed % len(speeds)]), "--seconds", "2", "--budget", "20")


def heights(*metres, more=()):
    return lambda seed: ("--height", str(metres[seed % len(metres)]), "--seconds", "2", "--budget", "25", *more)


def speeds(*each, more=()):
    return lambda seed: ("--speed", str(each[seed % len(each)]), "--seconds", "2", "--budget", "25", *more)


def pushed_to(seed):
    """A place about the box of the planar arm, every third beyond its reach."""
    rng = np.random.default_rng(500 + seed)
    angle, far = rng.uniform(0.4, 2.6), 1.0 if seed % 3 == 2 else rng.uniform(0.1, 0.22)
    place = 0.35 + far * np.cos(angle), 0.1 + far * np.sin(angle), 0.04
    return "--object", "box", "--site", "tool", *SHORT, "--target", *(f"{x:.4f}" for x in place)


def carried_to(seed):
    """A place above the floor that the gantry reaches, every other time turned."""
    rng = np.random.default_rng(600 + seed)
    place, half = (*rng.uniform(-0.5, 0.5, 2), rng.uniform(0.03, 0.4)), rng.uniform(-0.6, 0.6)
    turned = ("--quat", f"{np.cos(half):.6f}", "0", "0", f"{np.sin(half):.6f}") if seed % 2 else ()
    return "--object", "box", *SHORT, *turned, "--target", *(f"{x:.4f}" for x in place)


MADE = {"pusher": PUSHER, "gantry": GANTRY, "slippery": GANTRY.replace('friction="1 .02 .001"', 'friction=".03 0 0"')}
R, S, G, B, M = "robots", "suite", "gym", None, "tests"
SHORT = ("--budget", "4", "--iterations", "6")
A1, GO2 = (*FLAT, "--actuators", "--kp", "60", "--kd", "2"), ("--floor",)
ANYMAL = (*FLAT, "--actuators", "--kp", "120", "--kd", "4")
LIST = [
    Ask((R, "franka_emika_panda/panda.xml"), "reach", 16, SHORT, "hand"),
    Ask((R, "universal_robots_ur5e/ur5e.xml"), "reach", 16, SHORT, "attachment_site"),
    Ask((R, "rethink_robotics_sawyer/sawyer.xml"), "reach", 10, SHORT, "attachment_site"),
    Ask((R, "so101/so101_new_calib.xml"), "reach", 12, SHORT, "gripperframe"),
    Ask((R, "universal_robots_ur5e/ur5e.xml"), "reach", 4, (*SHORT, "--quat", "0", "1", "0", "0"), "wrist_3_link"),
    Ask((S, "reacher.xml"), "reach", 6, SHORT, "finger"),
    Ask((S, "manipulator.xml"), "reach", 4, SHORT, "grasp"),
    Ask((B, "arm_reach"), "reach", 16, (*SHORT, "--seconds", "1"), "hand"),
    Ask((R, "universal_robots_ur5e/ur5e.xml"), "track", 8, SHORT),
    Ask((R, "so101/so101_new_calib.xml"), "track", 8, SHORT),
    Ask((R, "universal_robots_ur5e/ur5e.xml"), "reach", 4, SHORT, "attachment_site", True),
    Ask((R, "so101/so101_new_calib.xml"), "reach", 4, SHORT, "gripperframe", True),
    *[Ask((S, f"{n}.xml"), t, 3, SHORT) for n in ("cartpole", "pendulum", "acrobot") for t in ("balance", "swingup")],
    *[Ask((B, n), "balance", 8, (*SHORT, "--seconds", "3")) for n in ("acrobot", "cartpole", "double_pendulum")],
    Ask((B, "pendulum"), "swingup", 3, SHORT),
    Ask((R, "unitree_go1/scene.xml"), "stand", 4, pushes(0.3, 1.5)),
    Ask((R, "unitree_go2/go2.xml"), "stand", 4, lambda seed: (*pushes(0.3, 2.5)(seed), *GO2)),
    Ask((R, "unitree_a1/urdf/a1.urdf"), "stand", 3, lambda seed: (*pushes(0.5, 2.0)(seed), *A1)),
    Ask((G, "ant.xml"), "stand", 3, pushes(0.5, 3.0)),
    Ask((S, "walker.xml"), "stand", 3, pushes(0.3, 1.5)),
    Ask((S, "hopper.xml"), "stand", 3, pushes(0.1, 1.0)),
    Ask((R, "unitree_h1/h1.xml"), "stand", 3, lambda seed: (*pushes(0.4, 1.5)(seed), *GO2)),
    Ask((R, "unitree_go1/scene.xml"), "run", 4, speeds(0.5, 3.0)),
    Ask((R, "unitree_go2/go2.xml"), "run", 4, speeds(0.7, 4.0, more=GO2)),
    Ask((R, "unitree_a1/urdf/a1.urdf"), "run", 3, speeds(0.5, more=A1)),
    Ask((R, "anymal_c/urdf/anymal_c.urdf"), "run", 3, speeds(0.9, more=ANYMAL)),
    Ask((G, "ant.xml"), "run", 4, speeds(0.8, 4.0)),
    Ask((S, "walker.xml"), "run", 3, speeds(1.0, 3.0)),
    Ask((S, "hopper.xml"), "run", 3, speeds(1.0)),
    Ask((S, "cheetah.xml"), "run", 3, ("--seconds", "2", "--budget", "15")),
    Ask((B, "half_cheetah"), "run", 3, ("--seconds", "1", "--budget", "10")),
    Ask((M, "pusher.xml"), "push", 15, pushed_to),
    Ask((M, "gantry.xml"), "carry", 20, carried_to),
    Ask((M, "slippery.xml"), "carry", 6, carried_to),
    Ask((B, "quadruped"), "jump", 4, heights(0.1, 0.15, 0.6)),
    Ask((R, "unitree_go1/scene.xml"), "jump", 5, heights(0.05, 0.12, 0.2, 0.8)),
    Ask((R, "unitree_go2/go2.xml"), "jump", 5, heights(0.05, 0.12, 0.2, 0.8, more=GO2)),
    Ask((R, "unitree_a1/urdf/a1.urdf"), "jump", 3, heights(0.05, 0.12, more=A1)),
    Ask((G, "ant.xml"), "jump", 3, heights(0.12, 0.3)),
]


def made_files(places, out):
    """Writes the robots of `MADE`; returns `places` with their folder."""
    (out / "robots").mkdir(exist_ok=True)
    for name, text in MADE.items():
        (out / "robots" / f"{name}.xml").write_text(text)
    return places | {M: out / "robots"}


def words_of(ask, seed, path, folder):
    """Arguments of `pullback optimize`."""
    options = ask.options(seed) if callable(ask.options) else ask.options
    words = ["optimize", str(path), "--task", ask.task, *options, "--seed", str(seed), "--json", "--out", str(folder)]
    rng = np.random.default_rng(77 + seed)
    if ask.task == "reach" and ask.moves:
        words += ["--site", ask.site, "--target", str(table_for(path, folder, seed, rng, ask.site))]
    elif ask.task == "reach":
        words += ["--site", ask.site, "--target", *(f"{x:.6f}" for x in target_of(ask, path, seed, rng))]
    if ask.task == "track":
        words += ["--path", str(table_for(path, folder, seed, rng))]
    return words


def model_of(ask, path):
    """The engine's model of the robot, without what options add."""
    import engine
    import scenes

    return scenes.load(path).model if ask.file[0] is None else engine.load(path)


def loses_contacts(ask, path):
    """Whether the command leaves out contacts of the file, of bodies that overlap everywhere."""
    import engine
    from engine.commands.optimize import TOOLED
    from engine.model.overlaps import OVERLAP

    return ask.task in TOOLED and any(OVERLAP in x for x in engine.load(path, exclude="overlapping").report.changed)


def target_of(ask, path, seed, rng):
    import engine
    from controllers.tasks.kinematics import Point

    m = model_of(ask, path)
    sim, point = engine.Simulator(m), Point(m, ask.site)
    low, high = np.where(np.asarray(m.jnt_limited, bool)[:, None], m.jnt_range, [-np.pi, np.pi]).T
    qpos = sim.data.qpos[0].copy()
    scalar = np.isin(m.jnt_type, (outside.SLIDE, outside.HINGE))
    qpos[m.jnt_qposadr[scalar]] = rng.uniform(low, high)[scalar]
    sim.reset(qpos)
    sim.forward()
    place, base = point.place(sim.data)[0], sim.data.xpos[0, m.body_rootid[point.body]]
    return base + (1.4 if seed % 3 == 2 else 1.0) * (place - base)


def table_for(path, folder, seed, rng, site=None):
    """A CSV of three joints that swing, every other time too fast; of the places to which they bring a site."""
    import engine
    from controllers.tasks.kinematics import Point

    m = engine.load(path)
    t, fast = np.linspace(0.0, 1.5, 31), 9.0 if seed % 2 else 2.0
    columns, names = [t], ["time"]
    for j in rng.permutation(m.njnt)[:3]:
        low, high = m.jnt_range[j] if m.jnt_limited[j] else (-2.0, 2.0)
        columns.append(0.5 * (low + high) + 0.25 * (high - low) * np.sin(fast * t + rng.uniform(0, 6)))
        names.append(m.joint_names[j])
    if site is not None:
        sim = engine.Simulator(m, len(t))
        sim.data.qpos[:, m.jnt_qposadr[[m.joint(n) for n in names[1:]]]] = np.stack(columns[1:], axis=1)
        sim.forward()
        columns, names = [t, *Point(m, site).place(sim.data).T], ["time", "x", "y", "z"]
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(folder / "way.csv", np.stack(columns, axis=1), delimiter=",", header=",".join(names), comments="")
    return folder / "way.csv"


def run(ask, seed, places, out):
    """The line of a run: what the command did and what outside.py finds."""
    from engine.cli import main as command

    folder, path = out / f"{ask.name}-{LIST.index(ask)}-{seed}", ask.path(places)
    line = {"name": ask.name, "entry": LIST.index(ask), "seed": seed, "folder": folder.name}
    began = time.perf_counter()
    words = words_of(ask, seed, path, folder)
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        code = command(words)
    line |= {"code": code, "seconds": time.perf_counter() - began, "words": words}
    if not (folder / "run.npz").exists() or '"event": "result"' not in said.getvalue():
        return line | {"refused": (errors.getvalue().strip().splitlines() or ["nothing said"])[-1][:300]}
    robot = path
    other = ask.file[0] is None or Path(path).suffix != ".xml" or any(w in ADDED for w in words)
    if other or loses_contacts(ask, path):
        import engine

        robot = folder / "robot.xml"
        engine.Recording.load(folder / "run.npz").model.to_mjcf(robot)
    return judged(line | {"robot": str(robot)}, out)


def judged(line, out):
    found = outside.judge(out / line["folder"], line["robot"])
    if (found["said"] is False) != (line["code"] in (1, 3)):
        found["wrong"].append(f"exit code {line['code']} of solved={found['said']}")
    return line | found


def ordered(most):
    """(ask, seed), the first seeds of all first."""
    pairs = [(a, s) for a in LIST for s in range(a.seeds)]
    return sorted(pairs, key=lambda p: p[1])[:most]


def summary(lines):
    judged_ = [x for x in lines if "wrong" in x]
    wrong = [x for x in judged_ if x["wrong"]]
    out = ["| task | runs | solved | not solved | refused | contradicted | too near to say |", "|---" * 7 + "|"]
    for task in dict.fromkeys(x["name"].rpartition("-")[2] for x in lines):
        rows = [x for x in lines if x["name"].endswith(f"-{task}")]
        out.append(f"| {task} | {len(rows)} | {sum(x.get('said') is True for x in rows)} | "
                   f"{sum(x.get('said') is False for x in rows)} | {sum('refused' in x for x in rows)} | "
                   f"{sum(bool(x.get('wrong')) for x in rows)} | "
                   f"{sum(bool(x.get('ties')) for x in rows)} |")  # fmt: skip
    out += [f"\n{len(judged_)} verdicts judged, {len(wrong)} contradicted."]
    return "\n".join(out + [f"{x['folder']}: {'; '.join(x['wrong'])} ({x['verdict']})" for x in wrong])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--robots", type=Path, default=ROOT.parent / "shared" / "robots", help="folder of robot files")
    p.add_argument("--suite", type=Path, default=None, help="dm_control's `suite` (default: where it is installed)")
    p.add_argument("--only", nargs="+", default=None, help="parts of names, of a file and its task")
    p.add_argument("--most", type=int, default=None, help="runs at most")
    p.add_argument("--out", type=Path, default=ROOT / "runs" / "verdicts")
    p.add_argument("--features", choices=("all", "robot"), default="all", help="kernels for all robots, or for each "
                   "its own: less to compile where few are asked for")  # fmt: skip
    p.add_argument("--judge", action="store_true", help="judge what there is again")
    p.add_argument("--pictures", action="store_true", help="draw them as the command does")
    args = p.parse_args()
    out = args.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    store, places = (
        out / "lines.jsonl",
        made_files(swimmer_file(folders(args.robots, [f"suite={args.suite}"] if args.suite else ()), out), out),
    )
    lines = [json.loads(x) for x in store.read_text().splitlines()] if store.exists() else []
    if args.judge:
        lines = [judged(x, out) if "robot" in x else x for x in lines]
        store.write_text("".join(json.dumps(x) + "\n" for x in lines))
    else:
        import engine

        engine.init(features=args.features)
        if not args.pictures:
            without_pictures()
        done = {(x["entry"], x["seed"]) for x in lines}
        for ask, seed in ordered(args.most):
            chosen = args.only is None or any(o in ask.name for o in args.only)
            if not chosen or (LIST.index(ask), seed) in done or ask.path(places) is None:
                continue
            line = run(ask, seed, places, out)
            lines.append(line)
            with store.open("a") as f:
                f.write(json.dumps(line) + "\n")
            print(f"{line['folder']}: {line.get('refused') or line['verdict']}  {line['seconds']:.0f} s  "
                  f"{line.get('wrong') or ''} {line.get('ties') or ''}", flush=True)  # fmt: skip
    print(summary(lines))
    return 1 if any(x.get("wrong") for x in lines) else 0


def without_pictures():
    """The report's files without the drawn ones, which take longer than a short run."""
    from controllers.optimize import report

    for name in ("plot_loss", "plot_joints", "plot_contact_forces", "plot_series", "save_animation"):
        setattr(report, name, lambda *args, **named: None)


if __name__ == "__main__":
    sys.exit(main())
