"""How long a window may be: does the gradient of a policy agree with itself?

    python -m demos.gradient_noise ant
    python -m demos.gradient_noise hopper --run runs/shac_hopper_0

SHAC's gradient of one window, again and again from the same states, with other noise in the controls. For each horizon
this prints the norm of a gradient (median) and the mean cosine between any two. A long window through contact is
chaotic: norms grow and the cosine falls to zero, where a step of the actor is a step in a random direction. With N
times the worlds, cosine c becomes N c / (1 + (N - 1) c): worlds are bought back from the horizon.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import torch

import scenes
from demos.shac import SCENES, Settings, Shac
from demos.torch_tasks import load_saved


def gradients(shac, repeats):
    """Gradients of the actor's loss, (repeats, parameters), from the states where the worlds are now."""
    state, age, rows = shac.state, shac.age, []
    for _ in range(repeats):
        shac.state, shac.age = state, age.clone()
        loss, _ = shac.window()
        found = torch.autograd.grad(loss, list(shac.actor.parameters()))
        rows.append(torch.cat([g.flatten() for g in found]))
    return torch.stack(rows)


def agreement(rows):
    """Mean cosine between two different rows."""
    n, unit = len(rows), rows / rows.norm(dim=1, keepdim=True)
    return float(((unit @ unit.T).sum() - n) / (n * (n - 1)))


def main(arguments=None):
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scene", nargs="?", default="hopper", choices=SCENES)
    p.add_argument("--run", type=Path, help="folder of a run of demos.shac: its policy, critic and states")
    p.add_argument("--worlds", type=int, default=64)
    p.add_argument("--horizons", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    p.add_argument("--repeats", type=int, default=8)
    p.add_argument("--seed", type=int, default=0)
    a, found = p.parse_args(arguments), {}
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    settings = Settings(**asdict(Settings()) | SCENES[a.scene][0] | {"worlds": a.worlds})
    print("horizon    norm  cosine")
    for horizon in a.horizons:
        shac = Shac(scenes.load(a.scene), replace(settings, horizon=horizon), a.seed)
        if a.run:
            saved = load_saved(a.run / "checkpoint.pt")
            for name in ("actor", "critic", "target", "normalizer"):
                getattr(shac, name).load_state_dict(saved[name])
        with torch.no_grad():
            for _ in range(-(-64 // horizon)):  # away from the start
                shac.rollout()
        rows = gradients(shac, a.repeats)
        found[horizon] = agreement(rows)
        print(f"{horizon:7d}  {float(rows.norm(dim=1).median()):6.3g}  {found[horizon]:6.3f}", flush=True)
    return found


if __name__ == "__main__":
    main()
