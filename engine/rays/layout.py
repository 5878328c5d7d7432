"""How the arrays of the kernels in casting.py are laid out: so many numbers for each."""

POSE = 10  # of a geom in a world: place, quaternion, sizes
RAY = 6  # point and direction
GEOM_BAR = 9  # adjoint of a geom: force, torque about its centre, of its sizes
TWIST = 6  # of a geom: angular velocity, velocity of its centre
SEEN = 2  # of a ray: distance, share that is hit
KINDS = 4  # of a geom: its type, first face (row of a height field, box of a mesh) and end, whether rays see it
FACE = 4  # of a hull: normal, how far out
