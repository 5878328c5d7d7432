"""A policy in PyTorch, in float32, learns through the simulator: python demos/torch_policy.py ROBOT ITERATIONS"""

import sys

import torch

import pullback as pb

torch.set_num_threads(1)
model = pb.load(sys.argv[1])
sim = pb.Simulator(model)
policy = torch.nn.Sequential(torch.nn.Linear(model.nq + model.nv, 32), torch.nn.Tanh(), torch.nn.Linear(32, model.nu))
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
start = torch.tensor(model.key_qpos[0], dtype=torch.float32).repeat(16, 1)  # of the file's first keyframe, 16 worlds
for iteration in range(int(sys.argv[2])):
    qpos, qvel, act = start, torch.zeros(16, model.nv), None
    for _ in range(20):
        ctrl = 0.5 * torch.tanh(policy(torch.cat([qpos, qvel], dim=-1)))
        qpos, qvel, act, _ = pb.torch.step(sim, qpos, qvel, act, ctrl, frame_skip=5)
    loss = -qpos[:, 0].mean()  # go far along x
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(iteration, loss.item(), qpos.dtype)
