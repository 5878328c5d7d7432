"""Pictures and files of what a search found: parameters, the run file (`engine.Recording`, for `pullback view` and
`pullback plot`), loss, joints, contact forces, animation before and after."""

import numpy as np

from engine.recording import Recording
from engine.replay import replay
from engine.view import Camera, plot_contact_forces, plot_joints, plot_loss, save_animation, tie_lines


def write_report(job, folder, title):
    """Write everything into a Folder's path; returns (trajectory before, trajectory after)."""
    path, rows, model = folder.path, folder.rows, job.robot.model
    first = job.before()
    last, controller = job.after()
    before, after = first.trajectory, last.trajectory
    controller.save(path / "controller.npz")
    # worlds of one file are of the same length
    tapes, labels = ([first, last], ["before", "after"]) if first.steps == last.steps else ([last], ["after"])
    Recording.of(tapes, name=title, labels=labels, seed=job.options.seed).save(path / "run.npz")
    if "plan" in rows[0]:
        curves = {"cost of the run so far": [r["cost"] for r in rows], "cost of the plan": [r["plan"] for r in rows]}
    else:
        curves = {"best cost": [r["best"] for r in rows], "cost": [r["cost"] for r in rows]}
    if job.measure is not None:
        curves["distance (m)"] = [r["measured"] for r in rows]
    if "gradient_norm" in rows[0]:
        curves["gradient norm"] = [r["gradient_norm"] for r in rows]
    plot_loss(path / "loss.png", curves, title=f"{title}: optimisation")
    n = min(len(before.qpos), len(after.qpos))
    plot_joints(path / "joints.png", model, after.time[:n], before.qpos[:n, 0], after.qpos[:n, 0],
                title=f"{title}: joints")  # fmt: skip
    every = max(1, round(0.04 / (after.time[1] - after.time[0])))
    takes = [replay(model, t, every=every) for t in (before, after)]
    forces = replay(model, after).normal_force
    if forces:
        plot_contact_forces(path / "contact_forces.png", after.time, np.array(list(forces.values())).T, list(forces),
                            title=f"{title}: contact forces after")  # fmt: skip
    camera = {k: v for k, v in job.robot.camera.items() if k in ("azimuth", "elevation", "width", "lookat")}
    times = max((t.time for t in takes), key=len)
    save_animation(path / "animation.gif", model, [t.geom_xpos for t in takes], [t.geom_xquat for t in takes], fps=25,
                   times=times, title=title, labels=["before", "after"], camera=Camera(**camera),
                   lines=[tie_lines(model, t) for t in takes])  # fmt: skip
    return before, after
