"""Where learning by gradient begins: at a policy that imitates what the task knows of itself, where that throws the
robot over little more often than doing nothing does.

The policy is fitted to the task's `example`, at states that the example and then the policy itself come to (Ross,
Gordon and Bagnell, "A reduction of imitation learning and structured prediction to no-regret online learning", AISTATS
2011). The critic then learns what that policy is worth, since the gradient of an untaught one would undo it. It need
not earn more: a robot that stands still earns much, and finds no way from there to steps.
"""

import torch
from torch import nn

MOST, LENGTH = 12, 64  # rounds of collecting at most, of which a task has a `practice` at least; decisions of each
PASSES, BATCH, RATE = 12, 256, 2e-3  # of fitting
FOLLOWS = 0.2  # share of what is told that a policy, pushed and begun anew meanwhile, does where it walks
WINDOWS = 12  # from which the critic learns
MORE = 0.5  # falls of a world in a round: by how many more than doing nothing it may
ALIKE = 0.1  # and by how many more than the example a policy may that is fitted well enough


def imitate(learner):
    """Begin a Shac so; returns whether it does, which it does not where its task has no example."""
    w = learner.worlds
    if learner.task.example(w.state, w.told, w.clock) is None:
        return False
    before = learner.task.prepared
    learner.task.prepare(learner.rng)
    with torch.no_grad():
        still, _, _ = _collect(learner)
        falls, pairs, _ = _collect(learner, example=True)
        if falls > still + MORE:
            learner.task.prepared = before
            return False
        learner.normalizer.update(pairs[0])
        for k in range(MOST):
            if k:
                fell, more, follows = _collect(learner, act=learner.act)
                if k >= learner.task.practice and fell <= falls + ALIKE:
                    break
                pairs = [torch.cat(x) for x in zip(pairs, more, strict=True)]
            with torch.enable_grad():
                _fit(learner, *pairs)
        learner.careful = bool(learner.task.balances or follows > FOLLOWS)
        for _ in range(WINDOWS):
            _, rows = learner.window()
            with torch.enable_grad():
                learner.learn_values(rows)
    return True


def _collect(learner, example=False, act=None):
    """(falls of a world, [all that was seen, the example's actions], share of what was told that was done) of worlds
    that do as the example, as `act` or nothing, with the noise of learning."""
    w, s, rows, falls = learner.worlds, learner.s, [], 0
    for _ in range(LENGTH):
        seen = torch.cat(w.observe(), dim=-1)
        action = s.spread * torch.randn(w.n, w.task.body.model.nu, generator=learner.rng)
        shown = w.task.example(w.state, w.told, w.clock) if example else torch.zeros_like(action)
        rows.append((seen, shown, *w.state, w.told, w.clock))
        made = w.decide(action + (act(seen) if act else shown))
        falls += int((w.task.fallen(made.after) | made.diverged).sum())
        w.begin(made.end)
    seen, shown, *state, told, clock = (torch.cat(x) for x in zip(*rows, strict=True))
    shown = shown if example else w.task.example(state, told, clock) if act else None
    return falls / w.n, [seen, shown], w.task.follows(state, told)


def _fit(learner, seen, shown):
    optimizer = torch.optim.Adam(learner.actor.mean.parameters(), RATE, fused=True)
    for _ in range(PASSES):
        for k in torch.randperm(len(seen), generator=learner.rng).split(BATCH):
            optimizer.zero_grad()
            (learner.act(seen[k]) - shown[k]).square().mean().backward()
            nn.utils.clip_grad_norm_(learner.actor.parameters(), 1.0)
            optimizer.step()
