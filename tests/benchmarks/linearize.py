"""Time per world of A and B: Simulator.linearize (exact) against MuJoCo's mjd_transitionFD (central differences).

Semi-implicit Euler, in contact where the robot has any, both pinned to one core, in turn.
"""

import common
import mujoco
import numpy as np

import engine

MODELS = ("chain 8", "chain 16", "inverted_pendulum", "hopper", "half_cheetah", "ant", "humanoid")
EPSILON = 1e-6
BURST = 5e-3  # s


def burst(f):
    """Seconds of a call, in a burst of some milliseconds: one alone would find the other's data in the caches."""
    first = common.seconds(f)
    calls = max(int(BURST / first), 1)
    # results are let go: memory for a burst of ours would be new to the processor, and theirs has the same place
    return common.seconds(lambda: [None for _ in range(calls) if f()]) / calls


class Case:
    def __init__(self, name, worlds, settle=100):
        self.mj = common.mujoco_model(name, common.EULER)
        self.mj.opt.solver = mujoco.mjtSolver.mjSOL_NEWTON  # humanoid comes with PGS, which does not converge
        self.md = mujoco.MjData(self.mj)
        self.sim = engine.Simulator(engine.load(self.mj), worlds)
        ctrl = 0.3 * np.random.default_rng(0).uniform(-1, 1, self.mj.nu)
        self.sim.data.ctrl[:] = ctrl
        self.sim.step(settle)
        d = self.sim.data
        self.md.qpos[:], self.md.qvel[:], self.md.ctrl[:] = d.qpos[0], d.qvel[0], ctrl
        self.md.qacc_warmstart[:] = d.qacc_warmstart[0]
        self.A = np.zeros((2 * self.mj.nv, 2 * self.mj.nv))
        self.B = np.zeros((2 * self.mj.nv, self.mj.nu))

    def ours(self):
        return burst(self.sim.linearize) / self.sim.worlds

    def theirs(self):
        return burst(lambda: self.difference(True))

    def forward_differences(self):
        return burst(lambda: self.difference(False))

    def difference(self, central):
        mujoco.mjd_transitionFD(self.mj, self.md, EPSILON, central, self.A, self.B if self.mj.nu else None, None, None)

    def error(self):
        A, _ = self.sim.linearize()
        self.difference(True)
        return float(np.abs(A[0] - self.A).max() / np.abs(self.A).max())


def measure(name, worlds, repetitions):
    case = Case(name, worlds)
    times = common.interleave(repetitions, case.ours, case.theirs, case.forward_differences) * 1e6
    ours, central, forward = np.median(times, axis=0)
    return {
        "model": name,
        "nv": case.mj.nv,
        "contacts": int(case.md.ncon),
        "worlds": worlds,
        "ours us": ours,
        "central us": central,
        "forward us": forward,
        "central/ours": float(np.median(times[:, 1] / times[:, 0])),
        "forward/ours": float(np.median(times[:, 2] / times[:, 0])),
        "spread": common.spread(times[:, 1] / times[:, 0]),
        "A differs by": case.error(),
    }


def main():
    args = common.arguments(__doc__, repetitions=15, worlds=16)
    common.pin()
    engine.init(threads=1)
    rows = [measure(name, worlds, args.repetitions) for name in MODELS for worlds in (1, args.worlds)]
    notes = (
        "Times per world. central/ours above 1: we are faster. A differs by: largest over the largest entry, "
        "the differences' own error included.",
    )
    title = f"A and B of one step, one core, medians of {args.repetitions} interleaved repetitions"
    common.report(title, rows, notes, args.json)


if __name__ == "__main__":
    main()
