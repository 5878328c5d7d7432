"""A population of swing-ups over random seeds, on all cores of this machine or of a Ray cluster.

    pip install "pullback[ray]"
    python demos/population_search.py                                        # here
    ray job submit --address http://HEAD:8265 -- python -m demos.population_search   # on a cluster

Each member is a sequence of controls for the pendulum. A round moves it by 20 gradients of the return through the whole
rollout; then the worst quarter goes on from the best ones, disturbed. Leaves scores.csv and controls.npy in
runs/population, and goes on from there when it was stopped.
"""

import argparse
from pathlib import Path

import numpy as np


def tape():
    """A simulator in the process of the member; its kernels are loaded once per process."""
    import engine
    import scenes

    engine.init(threads=1)
    scene = scenes.load("pendulum")
    return scene, engine.Tape(engine.Simulator(scene.model), scene.steps, frame_skip=scene.frame_skip)


def start(rng):
    from controllers import Adam

    controls = np.cumsum(rng.normal(scale=0.15, size=(250, 1, 1)), axis=0)  # slow random torques
    return {"controls": np.clip(controls, -1, 1), "adam": Adam(lr=0.05).state()}


def improve(state, rng, iterations=20):
    """20 gradient steps; returns the best controls met, and their return."""
    from controllers import Adam

    scene, rollouts = tape()
    controls, adam = state["controls"].copy(), Adam().load_state(state["adam"])
    controls += rng.normal(scale=0.02, size=controls.shape)  # copies part ways
    best = -np.inf, controls
    for _ in range(iterations):
        rollouts.sim.reset(scene.qpos0, scene.qvel0)
        value, bars = total(scene.task, rollouts.rollout(controls))
        if value > best[0]:
            best = value, controls.copy()
        adam.step(controls, -rollouts.backward(**bars).ctrl)
        np.clip(controls, -1, 1, out=controls)
    return {"controls": best[1], "adam": adam.state()}, best[0]


def total(task, trajectory):
    """Sum of the task's rewards, and its derivatives: quadratic costs, of the states that each control leads to."""
    angle, speed, u = task.angle(trajectory.qpos[1:]), trajectory.qvel[1:], trajectory.ctrl
    weights = task.angle_weight, task.velocity_weight, task.ctrl_weight
    value = -sum(w * np.square(a).sum() for w, a in zip(weights, (angle, speed, u), strict=True))
    bars = {name: np.zeros_like(getattr(trajectory, name)) for name in ("qpos", "qvel")}
    bars["qpos"][1:], bars["qvel"][1:] = -2 * weights[0] * angle, -2 * weights[1] * speed
    return value, bars | {"ctrl": -2 * weights[2] * u}


def main(argv=None):
    from engine.population import population

    parser = argparse.ArgumentParser(description="Population-based search over seeds as a Ray job.")
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("runs/population"))
    args = parser.parse_args(argv)

    def report(k, scores):
        print(f"round {k + 1:2d}/{args.rounds}  best {scores.max():8.1f}  median {np.median(scores):8.1f}", flush=True)

    found = population(start, improve, range(args.members), args.rounds, folder=args.out, report=report)
    np.savetxt(args.out / "scores.csv", found.scores, delimiter=",", fmt="%.3f")
    np.save(args.out / "controls.npy", found.state["controls"])
    print(f"best return {found.score:.1f}, of seed {found.seed}; hanging still pays {-(np.pi**2) * 250:.1f}")


if __name__ == "__main__":
    main()
