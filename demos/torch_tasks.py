"""The locomotion tasks of `scenes` in torch, so that rewards have gradients: the same numbers, tested against them."""

import torch


class TorchLocomotion:
    """A `scenes.Locomotion` for tensors (worlds, .). Gradients flow through velocity and controls; `healthy`, which is
    true or false, has none."""

    def __init__(self, task):
        self.task = task

    def observation(self, qpos, qvel):
        limit = self.task.velocity_clip
        return torch.cat([qpos[..., self.task.horizontal :], qvel.clamp(-limit, limit)], dim=-1)

    def reward(self, qpos_before, ctrl, qpos_after, qvel_after, dt):
        task = self.task
        velocity = (qpos_after[..., 0] - qpos_before[..., 0]) / dt
        alive = task.healthy_reward * self.healthy(qpos_after, qvel_after) if task.healthy_reward else 0.0
        return task.forward_weight * velocity - task.ctrl_weight * ctrl.square().sum(dim=-1) + alive

    def healthy(self, qpos, qvel):
        return torch.from_numpy(self.task.healthy(qpos.detach().numpy(), qvel.detach().numpy()))
