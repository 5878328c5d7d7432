"""The cells of a notebook that shows a robot: python demos/look_in_notebook.py ROBOT"""

# %%
import sys

import numpy as np

import pullback as pb

model = pb.load(sys.argv[1])
tape = pb.Tape(pb.Simulator(model), steps=50, frame_skip=4)
trajectory = tape.rollout(np.zeros((50, model.nu)))
print(trajectory)

# %%
page = pb.view.show(tape)
page  # noqa: B018  the end of a cell, in which it is shown: play, turn, zoom

# %%
page.save("robot.html")  # the same for anybody with a browser
