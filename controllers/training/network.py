"""Networks of an actor-critic, in torch, and how its critic learns."""

import torch
from torch import nn

EPS = 1e-5  # of LayerNorm, as torch has it


def mlp(sizes, last):
    """Layers of ELU and LayerNorm; weights of the last one are `last` times what torch begins with."""
    layers = []
    for a, b in zip(sizes[:-2], sizes[1:-1], strict=True):
        layers += [nn.Linear(a, b), nn.ELU(), nn.LayerNorm(b, eps=EPS)]
    end = nn.Linear(sizes[-2], sizes[-1])
    end.weight.data *= last
    end.bias.data *= last
    return nn.Sequential(*layers, end)


class Actor(nn.Module):
    """Observation to action: a normal variable whose spread does not depend on the state."""

    def __init__(self, nobs, nu, hidden, spread):
        super().__init__()
        self.mean = mlp((nobs, *hidden, nu), last=0.1)
        self.log_std = nn.Parameter(torch.full((nu,), spread).log())

    def forward(self, obs, noise=0.0):
        return self.mean(obs) + self.log_std.exp() * noise


class Normalizer(nn.Module):
    """Running mean and spread of all observations so far."""

    FLOOR = 1e-4  # of the variance

    def __init__(self, nobs):
        super().__init__()
        self.register_buffer("mean", torch.zeros(nobs))
        self.register_buffer("var", torch.ones(nobs))
        self.register_buffer("count", torch.tensor(1e-4))

    def spread(self):
        return (self.var + self.FLOOR).sqrt()

    def forward(self, obs):
        """Of observations, or of their first numbers."""
        n = obs.shape[-1]
        return ((obs - self.mean[:n]) / self.spread()[:n]).clamp(-10, 10)

    def update(self, obs):
        obs = obs.reshape(-1, obs.shape[-1])
        var, mean = torch.var_mean(obs, dim=0, correction=0)
        n, total = len(obs), self.count + len(obs)
        delta = mean - self.mean
        self.var.copy_((self.var * self.count + var * n + delta.square() * self.count * n / total) / total)
        self.mean += delta * n / total
        self.count.copy_(total)


def limit(bar, size):
    """A cotangent whose rows, one for each world, are at most `size` long: contact can make single ones huge."""
    norm = bar.norm(dim=-1, keepdim=True)
    return bar * (size / norm.clamp(min=size))


def td_returns(rows, gamma, lam):
    """TD(lambda) of a window's rows, reward, survival p, value of what came next and whether an episode was left:
    G_t = r_t + gamma p_t ((1 - lambda) V_t+1 + lambda G_t+1); V_t+1 alone where it was."""
    ahead, out = rows["next"][-1], []
    backwards = (rows[n].flip(0) for n in ("reward", "survival", "next", "end"))
    for reward, survival, value, end in zip(*backwards, strict=True):
        ahead = reward + gamma * survival * torch.where(end, value, (1 - lam) * value + lam * ahead)
        out.append(ahead)
    return torch.stack(out).flip(0)


def teach(critic, target, optimizer, obs, goal, s, rng):
    """Epochs of a critic on what its window returned, after which the target follows it; returns the last error.
    s: Settings with critic_epochs, minibatches, clip and target_keep."""
    for _ in range(s.critic_epochs):
        for k in torch.randperm(len(obs), generator=rng).chunk(s.minibatches):
            optimizer.zero_grad()
            error = (critic(obs[k])[:, 0] - goal[k]).square().mean()
            error.backward()
            nn.utils.clip_grad_norm_(critic.parameters(), s.clip)
            optimizer.step()
    with torch.no_grad():
        for a, b in zip(target.parameters(), critic.parameters(), strict=True):
            a.lerp_(b, 1 - s.target_keep)
    return float(error.detach())


def arrays_of(net, normalizer, nobs):
    """The arrays of a Policy: of the first nobs numbers that `normalizer` knows, and layers Linear, activation and
    perhaps LayerNorm."""
    found, k = {"mean": normalizer.mean[:nobs], "std": normalizer.spread()[:nobs]}, 0
    for layer in net:
        if isinstance(layer, nn.Linear):
            k += 1
            found |= {f"W{k}": layer.weight, f"b{k}": layer.bias}
        elif isinstance(layer, nn.LayerNorm):
            found |= {f"g{k}": layer.weight, f"c{k}": layer.bias}
    return {name: a.detach().to(torch.float64).numpy().copy() for name, a in found.items()}
