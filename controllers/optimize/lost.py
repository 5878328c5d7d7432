"""What came of a search whose best run does not stay finite, in words."""

from controllers.optimize.observed import fallen
from controllers.optimize.verdict import Verdict
from engine.clocks import times_of


def not_finite(job, error, trajectory=None):
    """The Verdict on a search whose best run ends with `error`. trajectory: the run until then, where there is one."""
    m, time = job.robot.model, 0.0
    if trajectory is not None:
        time = float(times_of(trajectory)[-1, 0] - times_of(trajectory)[0, 0])
    text = f"the simulation does not stay finite: after {time:.2f} of {job.steps * job.dt:.2f} s it diverges"
    why = str(error).rpartition("control step")[2].partition(": ")[2].partition(". A smaller")[0] or str(error)
    hindered = [*fallen(m, getattr(job.search, "falling", ())), why]
    hints = [f"a smaller timestep in the file, which has {m.opt.timestep:g} s", "controls with a range (ctrlrange)",
             "another --start, --method or --seed"]  # fmt: skip
    return Verdict(False, text, {"diverged_at": time}, hindered, hints)
