"""Load a robot file, let it fall for a second, print contacts and sensors: python demos/load_my_robot.py FILE"""

import sys

import pullback as pb

model = pb.load(sys.argv[1])
print(model.report)
sim = pb.Simulator(model)
sim.step(round(1.0 / model.opt.timestep))
sim.forward()  # contacts and sensors of the state in which it is now

contacts = sim.data.contacts(world=0)
for geom1, geom2, place, force in zip(*(contacts[name] for name in ("geom1", "geom2", "pos", "force")), strict=True):
    print(f"{model.label('geom', geom1)} meets {model.label('geom', geom2)} at {place} m with {force[0]:.2f} N")
for name in model.sensor_names:
    print(name, sim.data.sensor(name).data[0])
energy = sim.energy()
print(f"kinetic {energy.kinetic[0]:.3g} J, potential {energy.potential[0]:.3g} J")
