"""What a policy does with commands, targets and pushes that it has not seen, on the file's own model at its own step.

A robot with a root begins at rest on the ground, its clock at zero. Servos made of motors act at each physics step.
Both are as `run_in_mujoco.py` has them, whose measures these are: from the same starts MuJoCo does the same.
"""

import numpy as np
import torch

from controllers.optimize.verdict import Verdict
from controllers.training.chain import Chains
from controllers.training.in_mujoco import EVERY, NEAR, OFF, REST, SHARE, UP, pushes, walked
from engine.simulator import Simulator

CHOOSING, HELD_OUT = 1_000_003, 1_000_033  # seeds of what a policy is chosen by and of what it is judged by
SECONDS, RUNS = 6.0, 24
HIT = 0.9  # share of the targets


class Judge:
    """A task and the worlds to judge in: a third runs straight ahead at the fastest command, a third as told by
    commands that were held out, a third is pushed as well; an arm goes to targets that were held out."""

    def __init__(self, task, runs=RUNS, seconds=SECONDS, push=None):
        self.task, self.runs, self.dt = task, runs, task.body.dt
        self.steps = round((3.0 if task.task == "reach" else seconds) / self.dt)
        self.push = task.push if push is None else push
        self.sim = Simulator(task.body.exact, runs)

    def play(self, act, seed=HELD_OUT, until=False):
        """Run `act`, observations (n, nobs) to actions: {"qpos", "qvel" (rows, n, .), "ctrl" (steps, n, nu), "told"
        (n, 3), "kicks" (pushes, n, 2), "diverged" (n,)}. A world that diverges stays where it was. until: also one that
        has fallen does, and where all have the run ends, since nothing more is asked of them."""
        task, n, rng = self.task, self.runs, torch.Generator().manual_seed(seed)
        qpos, qvel, _ = task.resting(n, rng)
        told = task.commands(n, rng)
        third = n // 3
        if task.task == "run":
            told[:third] = torch.tensor([task.fastest, 0.0, 0.0])
        kicks = np.zeros((0, n, 2))
        if self.push and task.task != "reach":
            kicks = pushes(self.push, self.steps, self.dt, lambda k: torch.rand(k, n, generator=rng).numpy())
            kicks[:, : 2 * third if task.task == "run" else 0] = 0.0
        every = round(EVERY / self.dt)
        last, clock, sim = torch.zeros(n, task.body.model.nu), torch.zeros(n), self.sim
        sim.reset(qpos.numpy(), qvel.numpy())
        rows, controls, diverged = [(qpos.numpy(), qvel.numpy())], [], np.zeros(n, bool)
        for k in range(self.steps):
            held = diverged | task.fallen([torch.from_numpy(sim.data.qpos)]).numpy() if until else diverged
            if held.all():
                break
            if k and k % every == 0 and len(kicks):
                sim.data.qvel[:, task.moved] += kicks[k // every - 1][:, : len(task.moved)]
            state = [torch.from_numpy(a.copy()) for a in (sim.data.qpos, sim.data.qvel, sim.data.act)]
            action = torch.from_numpy(act(task.observe(state, told, last, clock)[0].numpy()))
            sim.data.ctrl[:] = task.body.control(action).numpy()
            controls.append(sim.data.ctrl.copy())
            before = sim.data.qpos.copy(), sim.data.qvel.copy()
            bad = sim.advance(task.body.repeat, held if held.any() else None)
            if bad is not None and bad.any():
                diverged |= bad
                sim.reset(before[0][bad], before[1][bad], worlds=np.flatnonzero(bad))
            last, clock = action, task.advance_clock(clock)
            rows.append((sim.data.qpos.copy(), sim.data.qvel.copy()))
        qpos, qvel = (np.array(a) for a in zip(*rows, strict=True))
        return {"qpos": qpos, "qvel": qvel, "ctrl": np.array(controls), "told": told.numpy(), "kicks": kicks,
                "diverged": diverged}  # fmt: skip

    def verdict(self, act, seed=HELD_OUT):
        """(Verdict, what was run). numbers["score"]: 1 where all is done as told, by which policies are compared."""
        found = self.play(act, seed, until=seed == CHOOSING)
        found["measures"] = self.measures(found)
        judged = {"run": self._run, "stand": self._stand, "reach": self._reach}[self.task.task](found)
        return judged, found

    def measures(self, found):
        """{name: (n,)}: as `again` of in_mujoco.py finds them for the same runs there."""
        if self.task.task == "reach":
            place = self.task.chains.places(torch.from_numpy(found["qpos"][-1]))[:, 0].numpy()
            fastest = np.abs(found["qvel"][-1][:, self.task.body.dofadr]).max(axis=1)
            return {"away": np.linalg.norm(place - found["told"], axis=-1), "speed": fastest}
        each = walked(*self.trunk(found), found["told"], self.dt, self.task.spec()["upright"])
        return each | {"up": each["up"] & ~found["diverged"]}

    def record(self, found):
        """The arrays of judged.npz: how each run began, what it was told, and its measures."""
        begin = {name: found[name][0] for name in ("qpos", "qvel")}
        return {**begin, "steps": self.steps, "told": found["told"], "kicks": found["kicks"], **found["measures"]}

    def trunk(self, found):
        """(place, turn) of the trunk's body in the world; in a plane its origin is not where the slides are."""
        q, trunk = torch.from_numpy(found["qpos"]), self.task.trunk
        chains = None if trunk.free else Chains(self.task.body.model, [(trunk.body, np.zeros(3))])
        place = trunk.place(q) if chains is None else chains.places(q)[..., 0, :]
        return place.numpy(), trunk.turn(q).numpy()

    def _run(self, found):
        task, n, third = self.task, self.runs, self.runs // 3
        each, asked = found["measures"], task.fastest
        up = each["up"]
        speed = float(each["forward"][:third][up[:third]].mean()) if up[:third].any() else 0.0
        own, pushed = slice(third, 2 * third), slice(2 * third, n)
        fair = up[own]
        off = float(each["off"][own][fair].mean()) if fair.any() else np.inf
        turning = float(each["off_turning"][own][fair].mean()) if fair.any() else np.inf
        score = float((up * np.clip(1 - each["off"] / asked, 0.0, 1.0)).mean())
        numbers = {"score": score, "speed": speed, "speed_asked": asked, "off": off, "off_turning": turning,
                   "upright_share": float(up.mean()), "upright_pushed": float(up[pushed].mean()),
                   "runs": n, "push": self.push}  # fmt: skip
        text = (f"walks at {speed:.2f} of commanded {asked:.2f} m/s; of commands that it has not seen {off:.2f} m/s "
                f"and {turning:.2f} rad/s off; upright in {int(up.sum())} of {n} runs of {self.steps * self.dt:.0f} s, "
                f"{int(up[pushed].sum())} of the {n - 2 * third} pushed at {self.push:.2f} m/s")  # fmt: skip
        hindered, hints = [], []
        if up.mean() < UP:
            when = each["fell_at"][~up]
            hindered.append(f"it falls in {int((~up).sum())} runs, first after {np.nanmin(np.append(when, 9e9)):.1f} s")
        if speed < SHARE * asked:
            hindered.append(f"slower than {SHARE:.0%} of what was commanded")
            hints = [f"--speed {max(0.8 * asked, 1.1 * speed):.2g}"]
        if not off <= OFF * asked:
            hindered.append(f"{off:.2f} m/s off its commands, allowed {OFF * asked:.2f}")
        return self._told(not hindered, text, numbers, hindered, hints)

    def _stand(self, found):
        up, place = found["measures"]["up"], self.trunk(found)[0]
        away = np.linalg.norm(place[-1, :, :2] - place[0, :, :2], axis=1)
        score = float(up.mean() - 0.01 * np.minimum(away, 1.0).mean())
        numbers = {"score": score, "upright_share": float(up.mean()), "moved": float(away.mean()), "runs": self.runs,
                   "push": self.push}  # fmt: skip
        text = (f"stands in {int(up.sum())} of {self.runs} runs of {self.steps * self.dt:.0f} s, pushed at "
                f"{self.push:.2f} m/s every {EVERY:g} s, {away.mean():.2f} m from where it began")  # fmt: skip
        hindered = [] if up.mean() >= UP else [f"it falls in {int((~up).sum())} runs"]
        return self._told(not hindered, text, numbers, hindered, [])

    def _reach(self, found):
        task = self.task
        away, speed = found["measures"]["away"], found["measures"]["speed"]
        hit = (away <= NEAR) & (speed <= REST) & ~found["diverged"]
        score = float((0.9 * hit + 0.1 / (1 + away / NEAR)).mean())
        numbers = {"score": score, "reached_share": float(hit.mean()), "away": float(np.median(away)),
                   "away_most": float(away.max()), "speed_at_end": float(np.median(speed)),
                   "runs": self.runs}  # fmt: skip
        text = (f"{task.site} ends within {1e3 * NEAR:.0f} mm and at rest at {int(hit.sum())} of {self.runs} targets "
                f"that it has not seen, {1e3 * np.median(away):.1f} mm away in the median")  # fmt: skip
        hindered = [] if hit.mean() >= HIT else [f"it misses {int((~hit).sum())} targets"]
        return self._told(not hindered, text, numbers, hindered, [])

    def _told(self, solved, text, numbers, hindered, hints):
        hints = hints or ["more --iterations", "a larger --budget", "another --seed"]
        return Verdict(bool(solved), text, numbers, hindered, [] if solved else hints)
