"""Environment steps per second of a batch, and microseconds of one step of one environment, against Gymnasium's own.

The batch: our vector environment against Gymnasium's SyncVectorEnv and AsyncVectorEnv over its own MuJoCo environment,
in turn, with the same random actions and resets where an episode ends; all cores. On a busy machine the 64 processes of
AsyncVectorEnv take seconds a round, so the rounds end when --seconds are over, three at the least.

One environment: what `step` costs beyond the simulation, and beyond what Gymnasium's base class and wrappers cost,
which an environment that does nothing shows. "bare" is the time of a control step inside one long launch; "one launch"
is Simulator.step from Python. The steps of ant and humanoid also sum up the contact forces of their observations, that
of the humanoid also makes the inertias and velocities about the centre of mass.
"""

import contextlib
import os
import time

import common
import gymnasium
import numpy as np

import engine.rl

ENVS = {
    "HalfCheetah": "half_cheetah", "Hopper": "hopper", "Walker2d": "walker2d", "Ant": "ant", "Humanoid": "humanoid_run",
}  # fmt: skip


class Nothing(gymnasium.Env):
    """An environment whose step costs nothing: what remains is Gymnasium."""

    action_space = gymnasium.spaces.Box(-1, 1, (6,), np.float32)
    observation_space = gymnasium.spaces.Box(-1, 1, (17,), np.float64)
    metadata = {"render_modes": []}
    seen = np.zeros(17)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self.seen.copy(), {}

    def step(self, action):
        return self.seen.copy(), 0.0, False, False, {}


@contextlib.contextmanager
def quiet():
    """Without what MuJoCo's C code writes, once for each robot file that it loads."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept), os.close(nowhere)


def rounds(repetitions, limit, *measures):
    """common.interleave, one repetition after the other, until `limit` seconds are over; three at the least."""
    start, found = time.perf_counter(), []
    for measure in measures:
        measure()
    while len(found) < 3 or (len(found) < repetitions and time.perf_counter() - start < limit):
        found.append([measure() for measure in measures])
    return np.array(found)


def stepping(envs, steps, seed=0):
    """A function that takes `steps` steps of a vector environment with random actions, and returns its seconds."""
    envs.action_space.seed(seed)
    actions = [envs.action_space.sample() for _ in range(64)]
    envs.reset(seed=seed)

    def run():
        for k in range(steps):
            envs.step(actions[k % 64])

    return lambda: common.seconds(run)


def batch(name, num_envs, steps, repetitions, limit):
    ours, theirs = engine.rl.env_id(ENVS[name]), f"{name}-v5"
    with quiet():
        envs = [
            gymnasium.make_vec(ours, num_envs),
            gymnasium.make_vec(theirs, num_envs, vectorization_mode="sync"),
            gymnasium.make_vec(theirs, num_envs, vectorization_mode="async"),
        ]
    times = rounds(repetitions, limit, *(stepping(e, steps) for e in envs))
    for e in envs:
        e.close()
    rates = num_envs * steps / np.median(times, axis=0)
    ratio, least = times[:, 1:].min(axis=1) / times[:, 0], times.min(axis=0)
    return {
        "environment": name,
        "worlds": num_envs,
        "ours /s": float(rates[0]),
        "Sync /s": float(rates[1]),
        "Async /s": float(rates[2]),
        "ours/faster": float(np.median(ratio)),
        "best": float(least[1:].min() / least[0]),
        "spread": common.spread(ratio),
        "rounds": len(times),
    }


def one(name, steps, repetitions):
    """At rest, without controls, so that every measure simulates the same: a robot that lies or stands."""
    env = gymnasium.make(engine.rl.env_id(ENVS[name]), max_episode_steps=10**9)
    sim, skip = env.unwrapped.sim, env.unwrapped.scene.frame_skip
    nothing = gymnasium.wrappers.TimeLimit(gymnasium.wrappers.OrderEnforcing(gymnasium.wrappers.PassiveEnvChecker(
        Nothing())), 10**9)  # fmt: skip
    nothing.reset()
    env.reset(seed=0)
    action = np.zeros(env.action_space.shape, np.float32)
    for _ in range(300):
        env.step(action)

    def times(f):
        def run():
            for _ in range(steps):
                f()

        return lambda: common.seconds(run)

    with quiet():
        theirs = gymnasium.make(f"{name}-v5", max_episode_steps=10**9)
    theirs.reset(seed=0)
    measures = (
        times(lambda: env.step(action)), lambda: common.seconds(lambda: sim.step(steps * skip)),
        times(lambda: sim.step(skip)), times(lambda: nothing.step(np.zeros(6, np.float32))),
        times(lambda: theirs.step(action)),
    )  # fmt: skip
    times = 1e6 * common.interleave(repetitions, *measures) / steps
    us, least = np.median(times, axis=0), times.min(axis=0)
    return {
        "environment": name,
        "step us": float(us[0]),
        "bare us": float(us[1]),
        "one launch us": float(us[2]),
        "Gymnasium us": float(us[3]),
        "step - bare - Gymnasium": float(us[0] - us[1] - us[3]),
        "of least times": float(least[0] - least[1] - least[3]),
        "its own env us": float(us[4]),
    }


def main():
    args = common.arguments(__doc__, worlds=64, steps=100, repetitions=9, seconds=30)
    rows = [one(name, 3 * args.steps, args.repetitions) for name in ENVS]
    notes = ("Microseconds, medians; of least times: the same difference of the fastest of each. The bar: at most 60.",)
    common.report("One environment", rows, notes, args.json)
    rows = [batch(name, args.worlds, args.steps, args.repetitions, args.seconds) for name in ENVS]
    notes = (
        "Environment steps per second, medians; ours/faster: over the faster of the two, median within a round; best: "
        "of the fastest of each.",
    )
    common.report("Vector environments", rows, notes, args.json and args.json.with_stem(f"{args.json.stem}_vector"))


if __name__ == "__main__":
    main()
