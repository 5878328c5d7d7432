"""Microseconds per physics step of one world on one core: Pullback against MuJoCo, and our gradient against both.

Both run the same compiled model with the same integrator, start state and controls, pinned to one core, in turn.
MuJoCo's time is the faster of mujoco.rollout and mj_step(nstep=...), both loops in C.
"""

import common
import mujoco
import mujoco.rollout
import numpy as np

import engine

NEWTON = int(mujoco.mjtSolver.mjSOL_NEWTON)
# name, integrator or None for the file's own, solver (of MuJoCo's; ours is Newton's) or None for the file's own
MODELS = (
    ("chain 8", None, None), ("chain 16", None, None), ("chain 32", None, None), ("chain 64", None, None),
    ("chain 128", None, None), ("balls 100", None, None), ("balls 200", None, None),
    ("inverted_pendulum", common.EULER, None), ("inverted_pendulum", None, None),
    ("hopper", common.EULER, None), ("hopper", None, None), ("half_cheetah", None, None),
    ("ant", common.EULER, None), ("ant", None, None),
    ("humanoid", common.EULER, NEWTON), ("humanoid", None, NEWTON), ("humanoid", None, None),
)  # fmt: skip
COMPARED = 100  # steps after which the two states are compared


class Case:
    def __init__(self, name, integrator, solver, steps):
        self.mj = common.mujoco_model(name, integrator)
        if solver is not None:
            self.mj.opt.solver = solver
        self.steps = steps
        self.model = engine.load(self.mj)
        self.sim = engine.Simulator(self.model)
        self.tape = engine.Tape(self.sim, steps, memory="8GiB")
        rng = np.random.default_rng(0)
        self.qvel = 0.3 * rng.normal(size=self.mj.nv)
        self.ctrl = 0.5 * rng.uniform(-1, 1, self.mj.nu)
        self.controls = np.tile(self.ctrl, (steps, 1, 1))
        shape = (steps + 1, 1)
        self.cotangents = {"qpos": rng.normal(size=(*shape, self.mj.nq)), "qvel": rng.normal(size=(*shape, self.mj.nv))}
        self.md = mujoco.MjData(self.mj)
        full = mujoco.mjtState.mjSTATE_FULLPHYSICS
        self.md.qvel[:] = self.qvel
        self.start = np.zeros(mujoco.mj_stateSize(self.mj, full))
        mujoco.mj_getState(self.mj, self.md, self.start, full)
        self.states = np.zeros((1, steps, len(self.start)))

    def reset(self):
        self.sim.reset(qvel=self.qvel)
        self.sim.data.ctrl[:] = self.ctrl

    def reset_mujoco(self):
        mujoco.mj_resetData(self.mj, self.md)
        self.md.qvel[:], self.md.ctrl[:] = self.qvel, self.ctrl

    def ours(self):
        self.reset()
        return common.seconds(lambda: self.sim.step(self.steps))

    def rollout(self):
        self.reset_mujoco()
        control = self.controls[:, 0][None] if self.mj.nu else None
        return common.seconds(
            lambda: mujoco.rollout.rollout(
                self.mj, self.md, self.start[None], control, nstep=self.steps, state=self.states
            )
        )

    def mj_step(self):
        self.reset_mujoco()
        return common.seconds(lambda: mujoco.mj_step(self.mj, self.md, self.steps))

    def tape_forward(self):
        self.reset()
        return common.seconds(lambda: self.tape.rollout(self.controls))

    def tape_backward(self):
        return common.seconds(lambda: self.tape.backward(**self.cotangents))

    def difference(self):
        """Largest difference of a coordinate after COMPARED steps."""
        self.reset()
        self.reset_mujoco()
        self.sim.step(COMPARED)
        mujoco.mj_step(self.mj, self.md, COMPARED)
        return float(np.abs(self.sim.data.qpos[0] - self.md.qpos).max())


def measure(name, integrator, solver, steps, repetitions):
    case = Case(name, integrator, solver, steps)
    times = common.interleave(repetitions, case.ours, case.rollout, case.mj_step, case.tape_forward, case.tape_backward)
    us = times / steps * 1e6
    ours, rollout, mj_step, forward, backward = np.median(us, axis=0)
    # ratios within a repetition, so that the machine's slow moments cancel
    theirs = us[:, 1 + int(mj_step < rollout)]
    gradient = us[:, 3] + us[:, 4]
    return {
        "model": name,
        "nv": case.mj.nv,
        "integrator": mujoco.mjtIntegrator(case.mj.opt.integrator).name.removeprefix("mjINT_"),
        "its solver": mujoco.mjtSolver(case.mj.opt.solver).name.removeprefix("mjSOL_"),
        "ours us": ours,
        "rollout us": rollout,
        "mj_step us": mj_step,
        "MuJoCo/ours": float(np.median(theirs / us[:, 0])),
        "spread": common.spread(theirs / us[:, 0]),
        "tape us": forward,
        "backward us": backward,
        "gradient/ours": float(np.median(gradient / us[:, 0])),
        "gradient/MuJoCo": float(np.median(gradient / theirs)),
        "difference": case.difference(),
    }


def main():
    args = common.arguments(__doc__, steps=1000, repetitions=9)
    common.pin()
    engine.init(threads=1)
    rows = [measure(*case, args.steps, args.repetitions) for case in MODELS]
    notes = (
        "MuJoCo/ours above 1: we are faster. gradient = Tape.rollout + Tape.backward of the same steps.",
        f"difference: largest difference of a coordinate from MuJoCo's after {COMPARED} steps. its solver: MuJoCo's, "
        "ours is Newton's; PGS (humanoid as shipped) is slower and does not converge to the minimum.",
    )
    title = f"One world, one core, {args.steps} steps, medians of {args.repetitions} interleaved repetitions"
    common.report(title, rows, notes, args.json)


if __name__ == "__main__":
    main()
