"""The locomotion tasks of `scenes` in torch, so that rewards have gradients: the same numbers, tested against them."""

import math

import torch

from engine.files import reading, replacing


def save(parts, path):
    """Tensors and plain values in a file of torch's, whole or not at all."""
    with replacing(path, sync=True) as f:
        torch.save(parts, f)


def load_saved(path):
    """What `save` wrote. Raises ValueError, which names the file, where it is damaged or would run code."""
    with reading(path, "a file of this demo") as f:
        return torch.load(f, weights_only=True)


class TorchLocomotion:
    """A `scenes.Locomotion` for tensors (..., worlds, .). Gradients flow through velocity and controls; `healthy`,
    which is true or false, has none: `survival` is its smooth twin."""

    def __init__(self, task):
        self.task = task

    def observation(self, qpos, qvel):
        limit = self.task.velocity_clip
        return torch.cat([qpos[..., self.task.horizontal :], qvel.clamp(-limit, limit)], dim=-1)

    def reward(self, qpos_before, ctrl, qpos_after, qvel_after, dt, survival=None):
        """survival: a probability to be used instead of `healthy`."""
        task = self.task
        velocity = (qpos_after[..., 0] - qpos_before[..., 0]) / dt
        alive = self.healthy(qpos_after, qvel_after) if survival is None else survival
        effort = ctrl.square().sum(dim=-1)
        return task.forward_weight * velocity - task.ctrl_weight * effort + task.healthy_reward * alive

    def healthy(self, qpos, qvel):
        return torch.from_numpy(self.task.healthy(qpos.detach().numpy(), qvel.detach().numpy()))

    def survival(self, qpos, width):
        """The probability of being healthy if the bounds of height (m) and pitch (rad) were blurred: logistic
        distributions of scale `width`, centred 1.5 widths within each bound, so that what has learned to keep away from
        the blur keeps within the bounds. Tends to `healthy` as width goes to zero. The bounds of single coordinates,
        which are there to catch what is no longer a motion, stay out."""
        height, pitch, inside = qpos[..., self.task.horizontal], qpos[..., 2], []
        for value, (low, high) in ((height, self.task.healthy_z), (pitch, self.task.healthy_angle)):
            inside += [(value - low) / width] if math.isfinite(low) else []
            inside += [(high - value) / width] if math.isfinite(high) else []
        return torch.sigmoid(torch.stack(inside) - 1.5).prod(dim=0) if inside else torch.ones(qpos.shape[:-1])
