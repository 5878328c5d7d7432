"""Pictures and files of what a search found: parameters, the run file (`engine.Recording`, for `pullback view` and
`pullback plot`), loss, joints, contact forces, animation before and after with what the task is about, and of a reach
the error over time."""

import time

import numpy as np

from controllers.optimize.job import BRINGING
from controllers.optimize.verdict import farthest, place_of
from controllers.tasks.upright import from_upright
from engine.errors import DivergenceError
from engine.recording import Recording
from engine.replay import replay
from engine.view import Camera, plot_contact_forces, plot_joints, plot_loss, plot_series, save_animation, tie_lines
from engine.view.extent import robot_size

EVERY = 1.5  # s
MARK = 0.04  # half the cross at a target, in robots' lengths


def write_report(job, folder, title, say=lambda text: None):
    """Write everything into a Folder's path; returns (trajectory before, trajectory after). say: what hears what is
    written, and how far the animation is, which takes the longest."""
    path, rows, model = folder.path, folder.rows, job.robot.model
    tell = _told(say)
    last, controller = job.after()
    try:
        first = job.before()
    except DivergenceError:  # at once: there is nothing to show
        first = last
    before, after = first.trajectory, last.trajectory
    controller.save(path / "controller.npz")
    # worlds of one file are of the same length
    tapes, labels = ([first, last], ["before", "after"]) if first.steps == last.steps else ([last], ["after"])
    Recording.of(tapes, name=title, labels=labels, seed=job.options.seed).save(path / "run.npz")
    if "plan" in rows[0]:
        curves = {"cost of the run so far": [r["cost"] for r in rows], "cost of the plan": [r["plan"] for r in rows]}
    else:
        curves = {"best cost": [r["best"] for r in rows], "cost": [r["cost"] for r in rows]}
    if "nodes" in rows[0]:
        curves["cost of the nodes"] = [r["nodes"] for r in rows]
    if job.measure is not None:
        curves["distance (m)"] = [r["measured"] for r in rows]
    if "gradient_norm" in rows[0]:
        curves["gradient norm"] = [r["gradient_norm"] for r in rows]
    tell("pictures: loss")
    plot_loss(path / "loss.png", curves, title=f"{title}: optimisation")
    n = min(len(before.qpos), len(after.qpos))
    tell("pictures: joints")
    plot_joints(path / "joints.png", model, after.time[:n], before.qpos[:n, 0], after.qpos[:n, 0],
                title=f"{title}: joints")  # fmt: skip
    every = max(1, round(0.04 / (after.time[1] - after.time[0])))
    takes = [replay(model, t, every=every) for t in (before, after)]
    forces = replay(model, after).normal_force
    if forces:
        tell("pictures: contact forces")
        plot_contact_forces(path / "contact_forces.png", after.time, np.array(list(forces.values())).T, list(forces),
                            title=f"{title}: contact forces after")  # fmt: skip
    tell("animation")
    camera = {k: v for k, v in job.robot.camera.items() if k in ("azimuth", "elevation", "width", "lookat")}
    times = max((t.time for t in takes), key=len)
    shown = [_of_task(job, t, every, len(take.time)) for t, take in zip((before, after), takes, strict=True)]
    lines = [np.concatenate([tie_lines(model, t), more], axis=1) for t, (more, _) in zip(takes, shown, strict=True)]
    notes = [note for _, note in shown] if job.measure is None else None
    save_animation(path / "animation.gif", model, [t.geom_xpos for t in takes], [t.geom_xquat for t in takes], fps=25,
                   times=times, title=title, labels=["before", "after"], camera=Camera(**camera), lines=lines,
                   notes=notes, progress=lambda k, frames: tell(f"animation: frame {k} of {frames}"))  # fmt: skip
    if _has_target(job):
        away = [1e3 * _away(job, t)[:n] for t in (before, after)]
        plot_series(path / "error.png", after.time[:n], dict(zip(("before", "after"), away, strict=True)),
                    "distance from the target (mm)", title=f"{title}: error")  # fmt: skip
    return before, after


def _told(say):
    """What says what is written: at once, then every EVERY seconds."""
    last = -np.inf

    def tell(text):
        nonlocal last
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            say(f"  {text}")

    return tell


def _of_task(job, trajectory, every, rows):
    """(lines (rows, n, 2, 3), texts) that show what a task is about: of a reach, push or carry the target, the way
    that the point has come, and how far it is away; of balancing how far the robot is from upright."""
    none = np.zeros((rows, 0, 2, 3))
    if job.goal is not None:
        off = np.degrees(from_upright(job.robot.model, trajectory.qpos[::every, 0], job.goal))
        return none, [f"{x:.0f}\N{DEGREE SIGN} from upright" for x in off]
    if job.task == "jump":
        z = job.standing().root.z
        return none, [f"{x:+.2f} m to standing" for x in trajectory.qpos[::every, 0, z] - job.standing().qpos[z]]
    if not _has_target(job):
        return none, [""] * rows
    place, size = _place(job, trajectory)[::every], robot_size(job.robot.model)
    target = np.broadcast_to(_target(job, trajectory), _place(job, trajectory).shape)[::every]
    arms = MARK * size * np.eye(3)
    spread = target.reshape(rows, -1, 1, 1, 3)
    lines = np.concatenate([spread - arms[:, None], spread + arms[:, None]], axis=3).reshape(rows, -1, 2, 3)
    # the way until then: what lies ahead has no length
    now = np.arange(rows)[:, None]
    ways = [np.stack([x[np.minimum(np.arange(rows - 1) + end, now)] for end in (0, 1)], axis=2)
            for x in np.split(place, target.shape[1] // 3, axis=1)]  # fmt: skip
    away = 1e3 * farthest(place, target)
    return np.concatenate([lines, *ways], axis=1), [f"{x:.1f} mm from the target" for x in away]


def _away(job, trajectory):
    """m, (rows,): of the point from its target."""
    return farthest(_place(job, trajectory), _target(job, trajectory))


def _has_target(job):
    """Whether a point or a body is to be somewhere, at rest or moving."""
    return job.task in ("reach", *BRINGING) or job.task == "track" and job.place is not None


def _target(job, trajectory):
    """m, (3 k,) or (rows, 3 k): where it is to be."""
    return np.asarray(job.options.target, float) if job.table is None else job.place[: len(trajectory.qpos)]


def _place(job, trajectory):
    """m, (rows, 3 k): of the points that are to be at the target, or of the body that is brought there."""
    return place_of(job.robot.model, job.options.object if job.task in BRINGING else job.options.site, trajectory)
