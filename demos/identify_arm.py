"""A robot's damping, rotor inertia and a delay from a log of its motion: python demos/identify_arm.py demos/arm.xml"""

import sys

import numpy as np

import pullback as pb

real, time = pb.load(sys.argv[1]), 0.01 * np.arange(800)  # a simulated robot stands for the real one
real.dof_damping[:], real.dof_armature[:] = (0.8, 0.3), (0.02, 0.01)
command = np.stack([4 * np.sin(3 * time + 0.2 * time**2), 2 * np.sin(5 * time + 0.4 * time**2)], axis=1)
late = np.stack([np.interp(time - 0.017, time, c) for c in command.T], axis=1)  # its motors hear late
angles = pb.Tape(pb.Simulator(real), steps=800).rollout(late).qpos[:800, 0]
angles = angles + 1e-3 * np.random.default_rng(0).normal(size=angles.shape)

log = pb.identify.Log({"qpos": (time, angles), "ctrl": (time, command)}, "a log of the arm")
delay = pb.identify.Unknown("delay:*", tied=True, guess=0.005)
fit = pb.identify.fit(pb.load(sys.argv[1]), log, ["dof_damping:*", "dof_armature:*", delay], window=1.0, hold="linear")
print(fit)
fit.save("identified")  # fit.json, fitted.xml
