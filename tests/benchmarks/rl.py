"""Environment steps per second of a batch, and microseconds of one step of one environment, against Gymnasium's own.

The batch: our vector environment against Gymnasium's SyncVectorEnv and AsyncVectorEnv over its own MuJoCo environment,
in turn, with the same random actions and resets where an episode ends; all cores.

One environment: what `step` costs beyond the simulation, and beyond what Gymnasium's base class and wrappers cost,
which an environment that does nothing shows. "bare" is the time of a control step inside one long launch; "one launch"
is Simulator.step from Python.
"""

import common
import gymnasium
import numpy as np

import engine.rl

ENVS = {"HalfCheetah": "half_cheetah", "Hopper": "hopper", "Ant": "ant"}


class Nothing(gymnasium.Env):
    """An environment whose step costs nothing: what remains is Gymnasium."""

    action_space = gymnasium.spaces.Box(-1, 1, (6,), np.float32)
    observation_space = gymnasium.spaces.Box(-1, 1, (17,), np.float64)
    metadata = {"render_modes": []}
    seen = np.zeros(17)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.seen, {}

    def step(self, action):
        return self.seen, 0.0, False, False, {}


def stepping(envs, steps, seed=0):
    """A function that takes `steps` steps of an environment with random actions and resets, and returns its seconds."""
    envs.action_space.seed(seed)
    actions = [envs.action_space.sample() for _ in range(64)]
    envs.reset(seed=seed)
    vector = isinstance(envs, gymnasium.vector.VectorEnv)

    def run():
        for k in range(steps):
            _, _, terminated, truncated, _ = envs.step(actions[k % 64])
            if not vector and (terminated or truncated):
                envs.reset()

    return lambda: common.seconds(run)


def batch(name, num_envs, steps, repetitions):
    ours, theirs = engine.rl.env_id(ENVS[name]), f"{name}-v5"
    envs = [
        gymnasium.make_vec(ours, num_envs),
        gymnasium.make_vec(theirs, num_envs, vectorization_mode="sync"),
        gymnasium.make_vec(theirs, num_envs, vectorization_mode="async"),
    ]
    times = common.interleave(repetitions, *(stepping(e, steps) for e in envs))
    for e in envs:
        e.close()
    rates = num_envs * steps / np.median(times, axis=0)
    ratio = times[:, 1:].min(axis=1) / times[:, 0]
    return {
        "environment": name,
        "worlds": num_envs,
        "ours /s": float(rates[0]),
        "Sync /s": float(rates[1]),
        "Async /s": float(rates[2]),
        "ours/faster": float(np.median(ratio)),
        "spread": common.spread(ratio),
    }


def one(name, steps, repetitions):
    env = gymnasium.make(engine.rl.env_id(ENVS[name]))
    theirs = gymnasium.make(f"{name}-v5")
    nothing = gymnasium.wrappers.TimeLimit(gymnasium.wrappers.OrderEnforcing(gymnasium.wrappers.PassiveEnvChecker(
        Nothing())), 10**9)  # fmt: skip
    simulated, sim = stepping(env, steps), env.unwrapped.sim
    skip = env.unwrapped.scene.frame_skip

    def again(f):
        """From the state that the environment is in, which therefore moves as in its own steps."""
        state = {n: getattr(sim.data, n).copy() for n in ("qpos", "qvel", "ctrl", "qacc_warmstart")}
        seconds = common.seconds(f)
        for n, value in state.items():
            getattr(sim.data, n)[:] = value
        return seconds

    def launches():
        for _ in range(20):
            sim.step(skip)

    measures = (
        simulated, lambda: again(lambda: sim.step(20 * skip)), lambda: again(launches), stepping(nothing, steps),
        stepping(theirs, steps),
    )  # fmt: skip
    counts = np.array([steps, 20, 20, steps, steps])
    us = np.median(common.interleave(repetitions, *measures) / counts, axis=0) * 1e6
    return {
        "environment": name,
        "step us": us[0],
        "bare us": us[1],
        "one launch us": us[2],
        "Gymnasium us": us[3],
        "step - bare - Gymnasium": us[0] - us[1] - us[3],
        "step - launch - Gymnasium": us[0] - us[2] - us[3],
        "its own env us": us[4],
    }


def main():
    args = common.arguments(__doc__, worlds=64, steps=100, repetitions=9)
    rows = [batch(name, args.worlds, args.steps, args.repetitions) for name in ENVS]
    notes = ("Environment steps per second; ours/faster: over the faster of the two, median within a repetition.",)
    common.report("Vector environments", rows, notes, args.json and args.json.with_stem(f"{args.json.stem}_vector"))
    rows = [one(name, 3 * args.steps, args.repetitions) for name in ENVS]
    notes = ("Microseconds. The bar: step - bare - Gymnasium at most 60.",)
    common.report("One environment", rows, notes, args.json)


if __name__ == "__main__":
    main()
