"""A training from its beginning to its verdict: the task, the learner, when to judge and to stop, what is written."""

import time
from pathlib import Path

import numpy as np
import torch

from controllers.training import in_mujoco
from controllers.training.judge import CHOOSING, Judge
from controllers.training.legged import Legged
from controllers.training.policy import Policy
from controllers.training.reaching import Reaching
from controllers.training.shac import Settings, Shac
from engine import files
from engine.diff.tape import Tape
from engine.recording import Recording
from engine.replay import replay
from engine.simulator import Simulator
from engine.view import Camera, plot_loss, plot_series, save_animation
from engine.words import counted

KEEP = 5  # iterations between two checkpoints
JUDGE = 25  # and between two verdicts: on the Go2, one takes as long as three iterations
METHODS = ("shac", "ppo")


def make_task(chosen, task, options):
    """The task of a `Robot` (engine/commands/common.py). options: speed, push, site."""
    if task == "reach":
        return Reaching(chosen.model, chosen.qpos0, options.site, chosen.ctrl0)
    return Legged(chosen.model, chosen.qpos0, task, options.speed, options.push)


def make_learner(task, method, options):
    if method == "ppo":
        from controllers.training.ppo import PPO

        return PPO(task, options.worlds or 64, options.seed)
    given = {"worlds": options.worlds, "horizon": options.horizon, "spread": task.spread}
    return Shac(task, Settings(**{k: v for k, v in given.items() if v is not None}), options.seed)


class Training:
    """learner: Shac or another with its protocol: iterate(done) -> row, checkpoint(), restore(), policy(), iteration,
    imitates: whether it began at an example.

    iterations: of the whole run, along which rates fall. budget: wall-clock seconds of this call. judged: judge after
    every so many iterations, and after the first where the learner began at an example, keep the best policy, and stop
    where the verdict is good. The best is chosen by other runs
    than those of the last verdict, which would flatter it otherwise.
    """

    def __init__(self, task, learner, iterations, budget=np.inf, judged=JUDGE, patient=False):
        self.task, self.learner, self.iterations, self.budget = task, learner, iterations, budget
        self.judge, self.judged, self.patient = Judge(task), judged, patient
        self.clocks = [0.0, 0.0]

    def run(self, folder, show=None):
        """Iterate in a TrainingFolder; returns why it stopped, in words."""
        learner, rows = self.learner, folder.rows
        if rows:
            self.clocks = [rows[-1]["seconds"], rows[-1]["cpu_seconds"]]
        began = None
        try:
            while True:
                if learner.iteration >= self.iterations:
                    return counted(self.iterations, "iteration")
                if began is not None and time.perf_counter() - began >= self.budget:
                    return f"budget of {self.budget:g} s"
                clocks = time.perf_counter(), time.process_time()
                row = learner.iterate(learner.iteration / self.iterations)
                self.clocks[0] += time.perf_counter() - clocks[0]
                self.clocks[1] += time.process_time() - clocks[1]
                row |= {"seconds": self.clocks[0], "cpu_seconds": self.clocks[1], "solved": False}
                due = learner.iteration % self.judged == 0 or (learner.iteration == 1 and learner.imitates)
                found = self._judged(folder) if due else None
                row["solved"] = bool(found is not None and found.solved)
                rows.append(row)
                if learner.iteration % KEEP == 0 or due:
                    folder.save(learner)
                began = time.perf_counter() if began is None else began
                if show is not None:
                    show(row, found)
                if row["solved"] and not self.patient:
                    return "solved"
        except KeyboardInterrupt:
            folder.save(learner)
            raise
        finally:
            folder.write_metrics()

    def _judged(self, folder):
        """The Verdict on the policy of now, which is kept if it is the best so far."""
        candidate, found = self._candidate()
        if folder.best is None or _rank(candidate) > _rank(folder.best):
            folder.best = candidate
            self.policy(candidate).save(folder.path / "policy.npz")
        return found

    def _candidate(self):
        """(what a TrainingFolder keeps of the policy of now, its Verdict)."""
        policy = self.policy()
        found = self.judge.verdict(policy, CHOOSING)[0]
        if found.solved:
            found = found._replace(solved=self.judge.verdict(policy)[0].solved)
        return {"iteration": self.learner.iteration, "solved": found.solved, "score": found.numbers["score"],
                "arrays": policy.arrays(), "activation": policy.spec["activation"]}, found  # fmt: skip

    def policy(self, kept=None):
        """The Policy of now, of the mean action; or that of what a TrainingFolder keeps."""
        arrays, activation = (kept["arrays"], kept["activation"]) if kept else self.learner.policy()
        return Policy(arrays, self.spec() | {"activation": activation})

    def spec(self):
        task = self.task
        seen = [[name, task.sizes[name]] for name in task.seen]
        return {"observation": seen} | task.body.spec() | task.spec()

    def write(self, folder, title, camera=None, pictures=True):
        """Best policy, robot, script, recording and pictures of a folder; returns the Verdict on that policy.

        The last policy is judged too. It does not enter the checkpoint, so that where a run is stopped does not change
        what it comes to when it goes on.
        """
        path, best = folder.path, folder.best
        if best is None or self.learner.iteration % self.judged:
            last = self._candidate()[0]
            best = last if best is None or _rank(last) > _rank(best) else best
        policy = self.policy(best)
        policy.save(path / "policy.npz")
        try:
            policy.to_onnx(path / "policy.onnx")
        except ImportError:
            (path / "policy.onnx").unlink(missing_ok=True)
        self.task.body.model.to_mjcf(path / "robot.xml")
        files.write_text(path / "run_in_mujoco.py", Path(in_mujoco.__file__).read_text(encoding="utf-8"))
        verdict, found = self.judge.verdict(policy)
        verdict = verdict._replace(numbers=verdict.numbers | {"policy_of_iteration": best["iteration"]})
        files.write_json(path / "verdict.json", verdict.record(), indent=1)
        files.write_arrays(path / "judged.npz", self.judge.record(found))
        tape = self._tape(found)
        Recording.of([tape], name=title, labels=["policy"], seed=0).save(path / "run.npz")
        if pictures:
            self._pictures(folder, title, tape, found, camera or {})
        return verdict

    def _tape(self, found):
        """The first of the runs that were judged, on a tape."""
        sim, body = Simulator(self.task.body.exact), self.task.body
        sim.reset(found["qpos"][0, 0], found["qvel"][0, 0])
        tape = Tape(sim, len(found["ctrl"]), frame_skip=body.repeat)
        tape.rollout(found["ctrl"][:, 0])
        return tape

    def _pictures(self, folder, title, tape, found, camera):
        path, rows, m, t = folder.path, folder.rows, self.task.body.exact, tape.trajectory
        if rows:
            curve = {"reward of a decision": [r["reward"] for r in rows]}
            plot_loss(path / "loss.png", curve, title=f"{title}: training")
        every = max(1, round(0.04 / self.task.body.dt))
        take = replay(m, t, every=every)
        camera = {k: v for k, v in camera.items() if k in ("azimuth", "elevation", "width", "lookat")}
        told = " ".join(f"{x:.2f}" for x in found["told"][0])
        notes = [[f"told {told}"] * len(take.time)]
        save_animation(path / "animation.gif", m, [take.geom_xpos], [take.geom_xquat], fps=25, times=take.time,
                       title=title, labels=["policy"], camera=Camera(**camera), notes=notes)  # fmt: skip
        if self.task.task == "run":
            place, turn = self.judge.trunk(found)
            speed = in_mujoco.moved(place[:, :1], turn[:, :1], self.task.body.dt)[:, 0]
            asked = np.full(len(speed), found["told"][0, 0])
            plot_series(path / "speed.png", np.arange(len(speed)) * self.task.body.dt,
                        {"forward": speed[:, 0], "commanded": asked}, "m/s", title=f"{title}: speed")  # fmt: skip


def _rank(kept):
    return kept["solved"], kept["score"]


def started(seed=0):
    """What torch needs before anything is made: doubles, and one thread, since small layers only wait for a second."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(seed)
