"""The folder of a training: settings, checkpoint, best policy, metrics; one run at a time, which goes on bit for bit
when killed."""

from pathlib import Path

import torch

from engine import files
from engine.lock import FolderLock

RESULTS = ("policy.npz", "policy.onnx", "verdict.json", "judged.npz")  # of an earlier run, where one begins anew


class TrainingFolder:
    """settings.json, checkpoint.pt (all of the last iteration that was kept), metrics.csv, and policy.npz, the best
    policy that was judged, in `path`.

    rows: of metrics.csv. best: {"iteration", "solved", "score", "arrays", "activation"} of that policy, or None.

    It is this object's alone until the end of a `with`: FolderInUseError where another run has it. resume: go on with
    what is there; ValueError where that was made with other settings, FileNotFoundError where there is nothing.
    """

    def __init__(self, path, settings, resume=False):
        self.path, self.rows, self.best = Path(path), [], None
        self.checkpoint = self.path / "checkpoint.pt"
        if resume and not self.checkpoint.exists():
            raise FileNotFoundError(f"--resume: {self.checkpoint} does not exist; start without --resume first")
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(self.path)
        try:
            files.remove_leftovers(self.checkpoint)
            if resume:
                self._compare(settings)
            else:
                for name in (self.checkpoint.name, *RESULTS):
                    (self.path / name).unlink(missing_ok=True)
                files.write_json(self.path / "settings.json", settings, indent=1)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._lock.release()

    def _compare(self, settings):
        stored = files.read_json(self.path / "settings.json", "settings of a training")
        other = sorted(k for k in stored.keys() | settings if stored.get(k) != settings.get(k))
        if other:
            made, asked = (", ".join(f"{k} {said.get(k)!r}" for k in other) for said in (stored, settings))
            raise ValueError(f"--resume: the folder was made with {made}, asked for {asked}")

    def save(self, learner):
        """Written beside and renamed, so that a kill at any moment leaves the last whole one."""
        best = self.best and self.best | {"arrays": {k: torch.from_numpy(a) for k, a in self.best["arrays"].items()}}
        with files.replacing(self.checkpoint, sync=True) as f:
            torch.save(learner.checkpoint() | {"rows": self.rows, "best": best}, f)

    def load(self, learner):
        """Bring a learner to where the checkpoint was written; ValueError, which names the file, if it cannot."""
        with files.reading(self.checkpoint, "a checkpoint of a training") as f:
            saved = torch.load(f, weights_only=True)
            self.rows, best = saved["rows"], saved.get("best")
            self.best = best and best | {"arrays": {k: a.numpy() for k, a in best["arrays"].items()}}
            learner.restore(saved)

    def write_metrics(self):
        if self.rows:
            files.write_table(self.path / "metrics.csv", list(self.rows[-1]), self.rows)
