"""A run of a gait search in its folder: progress, checkpoints, metrics, parameters, pictures."""

import csv
import json
import os
import time
from pathlib import Path

import numpy as np

from controllers.gait import GaitSearch, gait_controller
from engine.recording import Recording
from engine.replay import replay
from engine.simulator import Simulator
from engine.view import Camera, plot_contact_forces, plot_joints, plot_loss, save_animation

CONTROL_PERIOD = 0.01  # s, at least; a robot's timestep divides it as far as possible


class Run:
    """What `pullback optimize` does. The folder holds:

    checkpoint.npz  the search after its last iteration; `resume` goes on from it with the same result
    metrics.csv     a row per iteration      controller.npz  the best controller (`controllers.load`)
    run.npz         the rollouts before and after (`engine.Recording`), for `pullback view` and `pullback plot`
    loss.png joints.png contact_forces.png animation.gif  before and after
    """

    def __init__(self, folder, name, model, qpos0, qvel0, camera, options):
        from engine.diff.tape import Tape

        self.folder, self.name, self.model, self.camera = Path(folder), name, model, camera
        self.start = (np.asarray(qpos0), np.asarray(qvel0) if len(qvel0) else np.zeros(model.nv))
        self.frame_skip = max(1, round(CONTROL_PERIOD / model.opt.timestep))
        dt = self.frame_skip * model.opt.timestep
        window = max(1, round(options.window / dt))
        self.windows = max(1, round(options.seconds / (dt * window)))
        self.began = time.perf_counter()
        self.sim = Simulator(model, worlds=options.worlds)
        self.tape = Tape(self.sim, window, frame_skip=self.frame_skip)
        self.search_state = GaitSearch(self.tape, self.windows, self.start, seed=options.seed)
        self.rows, self.seed = [], options.seed
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {"robot": name, "worlds": options.worlds, "window": window, "windows": self.windows,
                    "seed": options.seed}  # fmt: skip
        if options.resume:
            self._resume(settings)
        else:
            (self.folder / "settings.json").write_text(json.dumps(settings, indent=1))
            (self.folder / "checkpoint.npz").unlink(missing_ok=True)

    def _resume(self, settings):
        path = self.folder / "checkpoint.npz"
        if not path.exists():
            raise FileNotFoundError(f"--resume: {path} does not exist; start without --resume first")
        stored = json.loads((self.folder / "settings.json").read_text())
        if stored != settings:
            raise ValueError(f"--resume: the folder was made with {stored}, asked for {settings}")
        with np.load(path) as state:
            self.rows = json.loads(str(state["rows"]))
            self.search_state.load_state({k: state[k] for k in state.files if k != "rows"})

    def search(self, iterations, budget):
        """Iterate up to `iterations` in all, or until `budget` seconds have gone; a checkpoint after each."""
        print(f"{self.name}: {self.sim.worlds} worlds, {self.windows} windows of {self.tape.steps} control steps, "
              f"{self.frame_skip} physics steps each; compiling")  # fmt: skip
        steps = self.sim.worlds * self.windows * self.tape.steps * self.frame_skip
        clock = time.perf_counter()
        while self.search_state.iteration < iterations:
            t = time.perf_counter()
            row = self.search_state.iterate()
            row["steps_per_second"] = steps / (time.perf_counter() - t)
            self.rows.append(row)
            self._checkpoint()
            took = time.perf_counter() - clock
            rate = took / max(len(self.rows), 1) if len(self.rows) < 3 else time.perf_counter() - t
            left = min((iterations - row["iteration"]) * rate, max(budget - took, 0))
            print(f"{row['iteration']:4d}/{iterations}  loss {row['loss']:8.3f}  distance {row['distance']:6.2f} m  "
                  f"best {row['best_distance']:6.2f} m  |gradient| {row['gradient_norm']:8.2e}  "
                  f"{row['steps_per_second']:9.0f} steps/s  left {left:5.1f} s", flush=True)  # fmt: skip
            if took > budget:
                print(f"stopped after the budget of {budget:g} s")
                break

    def _checkpoint(self):
        """Written beside and renamed, so that a kill leaves the last whole one."""
        beside = self.folder / "checkpoint.tmp.npz"
        np.savez(beside, rows=json.dumps(self.rows), **self.search_state.state())
        os.replace(beside, self.folder / "checkpoint.npz")

    def report(self):
        """Parameters, metrics and pictures of the best rollout beside the one that it started from."""
        with open(self.folder / "metrics.csv", "w", newline="") as f:
            table = csv.DictWriter(f, list(self.rows[0]))
            table.writeheader()
            table.writerows(self.rows)
        plot_loss(self.folder / "loss.png", {
            "best loss": [r["best_loss"] for r in self.rows], "distance (m)": [r["distance"] for r in self.rows],
            "gradient norm": [r["gradient_norm"] for r in self.rows],
        }, title=f"{self.name}: optimisation")  # fmt: skip
        best = self.search_state.best
        first, _ = self._play(best["first"])
        last, controller = self._play(best["params"])
        before, after = first.trajectory, last.trajectory
        recorded = Recording.of([first, last], name=self.name, labels=["before", "after"], seed=self.seed)
        recorded.save(self.folder / "run.npz")
        controller.save(self.folder / "controller.npz")
        plot_joints(self.folder / "joints.png", self.model, after.time, before.qpos[:, 0], after.qpos[:, 0],
                    title=f"{self.name}: joints")  # fmt: skip
        every = max(1, round(0.04 / (after.time[1] - after.time[0])))
        takes = [replay(self.model, t, every=every) for t in (before, after)]
        forces = replay(self.model, after).normal_force
        if forces:
            plot_contact_forces(self.folder / "contact_forces.png", after.time, np.array(list(forces.values())).T,
                                list(forces), title=f"{self.name}: contact forces after")  # fmt: skip
        camera = {k: v for k, v in self.camera.items() if k in ("azimuth", "elevation", "width")}
        save_animation(
            self.folder / "animation.gif", self.model, [t.geom_xpos for t in takes], [t.geom_xquat for t in takes],
            fps=25, times=takes[0].time, title=self.name, labels=["before", "after"], camera=Camera(**camera),
        )  # fmt: skip
        x = self.search_state.objective.root.x
        print(f"before: {before.qpos[-1, 0, x] - before.qpos[0, 0, x]:.2f} m, "
              f"after: {after.qpos[-1, 0, x] - after.qpos[0, 0, x]:.2f} m in {after.time[-1]:.1f} s; "
              f"{time.perf_counter() - self.began:.0f} s in all. Look at {self.folder / 'animation.gif'}")  # fmt: skip

    def _play(self, params):
        """A tape with the whole rollout of one world with these parameters, and its controller."""
        from engine.diff.tape import Tape

        sim = Simulator(self.model)
        sim.reset(*self.start)
        controller, _ = gait_controller(self.model, 1, np.random.default_rng(0))
        controller.params = np.asarray(params)[None]
        tape = Tape(sim, self.windows * self.tape.steps, frame_skip=self.frame_skip)
        tape.rollout(controller)
        return tape, controller
