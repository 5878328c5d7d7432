"""A PD controller learns to reach, by a loss in PyTorch: python demos/pd_by_gradient.py ROBOT ITERATIONS"""

import sys

import torch

import pullback as pb

model = pb.load(sys.argv[1])
sim = pb.Simulator(model)
tape = pb.Tape(sim, steps=100)
pd = pb.controllers.PD(model, kp=5.0, kd=0.5)
adam = pb.controllers.Adam(lr=0.05)


def loss(t: pb.torch.Outputs) -> torch.Tensor:
    error = t.sensordata[-20:, 0, :3] - torch.tensor([0.4, 0.0, 0.7])  # the hand's place in the last 20 rows, m
    return error.square().sum() + 1e-3 * t.ctrl.square().mean()


for iteration in range(int(sys.argv[2])):
    sim.reset()
    cost, cotangents = pb.torch.loss(tape.rollout(pd), loss)
    adam.step(pd.params, tape.backward(**cotangents).params)
    print(iteration, cost)
