"""Parts that several scenes share: colours, the ground, limbs, arms, the joints of a robot that moves in a plane."""

import numpy as np

BLUE = (0.20, 0.44, 0.69, 1.0)
SKY = (0.49, 0.67, 0.83, 1.0)
ORANGE = (0.91, 0.50, 0.18, 1.0)
APRICOT = (0.95, 0.69, 0.42, 1.0)
TEAL = (0.13, 0.58, 0.55, 1.0)
PLUM = (0.55, 0.33, 0.57, 1.0)
RED = (0.83, 0.27, 0.25, 1.0)
STEEL = (0.50, 0.55, 0.60, 1.0)
SLATE = (0.27, 0.32, 0.38, 1.0)
GROUND = (0.80, 0.86, 0.84, 1.0)

UNTOUCHED = {"contype": 0, "conaffinity": 0}  # a geom that is only looked at


def ground(b, **attributes):
    """The floor z = 0 under the robot; `size` is only the part of it that is drawn."""
    b.geom("world", "floor", type="plane", **{"size": (40, 40, 40), "rgba": GROUND, **attributes})


def planar_root(b, body, height=0.0):
    """Free motion of `body` in the xz plane. With its origin at z = `height`, the coordinate rootz is that z."""
    free = {"armature": 0, "damping": 0, "stiffness": 0, "limited": False}
    foot = (0, 0, -height)
    b.joint(body, "rootx", type="slide", axis=(1, 0, 0), pos=foot, **free)
    b.joint(body, "rootz", type="slide", axis=(0, 0, 1), pos=foot, ref=height, **free)
    b.joint(body, "rooty", type="hinge", axis=(0, 1, 0), **free)


def trunk_sensors(b, trunk):
    """Where the trunk is, and the robot's centre of mass with its velocity."""
    b.sensor("framepos", f"{trunk}_pos", objtype="xbody", objname=trunk)
    b.sensor("subtreecom", "com", objname=trunk)
    b.sensor("subtreelinvel", "com_velocity", objname=trunk)


def foot_sensors(b, site):
    """Where a foot is, and how hard it presses; `site` must enclose the foot's contact points."""
    b.sensor("framepos", f"{site}_pos", objtype="site", objname=site)
    b.sensor("touch", f"{site}_touch", objname=site)


FLEXION = np.radians((-150, 0))
ANKLE = np.radians((-45, 45))


def planar_leg(b, side, colours, toe, half, friction):
    """Gymnasium's leg of hopper and walker2d: thigh, leg and foot; hip and knee bend with a negative angle.

    side: the end of all names. toe: from the shank to the foot's tip, m. half: half the foot's length, m.
    """
    thigh, leg, foot = (f"{part}{side}" for part in ("thigh", "leg", "foot"))
    b.body(thigh, "torso", pos=(0, 0, -0.2))
    b.joint(thigh, f"{thigh}_joint", range=FLEXION)
    b.geom(thigh, f"{thigh}_geom", pos=(0, 0, -0.225), size=(0.05, 0.225), rgba=colours[0])
    b.body(leg, thigh, pos=(0, 0, -0.7))
    b.joint(leg, f"{leg}_joint", pos=(0, 0, 0.25), range=FLEXION)
    b.geom(leg, f"{leg}_geom", size=(0.04, 0.25), rgba=colours[1])
    b.body(foot, leg, pos=(toe, 0, -0.35))
    b.joint(foot, f"{foot}_joint", pos=(-toe, 0, 0.1), range=ANKLE)
    along = {"pos": (-toe / 2, 0, 0.1), "euler": (0, -np.pi / 2, 0), "type": "capsule"}
    b.geom(foot, f"{foot}_geom", size=(0.06, half), friction=friction, rgba=colours[2], **along)
    b.site(foot, f"{foot}_site", size=(0.07, half), **along)
    for part in (thigh, leg, foot):
        b.motor(f"{part}_joint", f"{part}_joint")


def link(b, name, parent, end, joints, pos=(0, 0, 0), **geom):
    """A body that turns about its origin, with a capsule from there to `end`; `joints`: attributes by name."""
    b.body(name, parent, pos=pos)
    for joint, attributes in joints.items():
        b.joint(name, joint, **attributes)
    b.geom(name, name, type="capsule", fromto=(0, 0, 0, *end), **geom)
    return name


def pole(b, name, parent, length, colours, pos=(0, 0, 0), bob=0.5):
    """A hanging rod that swings about y, with a ball of `bob` kg at its end and a site there, `name`_tip."""
    joint = {f"{name}_hinge": {"axis": (0, 1, 0), "damping": 0.01}}
    link(b, name, parent, (0, 0, -length), joint, pos, size=0.02, mass=0.2, rgba=colours[0])
    b.geom(name, f"{name}_bob", type="sphere", pos=(0, 0, -length), size=0.06, mass=bob, rgba=colours[1])
    b.site(name, f"{name}_tip", pos=(0, 0, -length))
    b.sensor("framepos", f"{name}_tip_pos", objtype="site", objname=f"{name}_tip")


ARM_TORQUES = (120, 120, 60, 60, 20, 20, 8)  # N m
ARM_BENT = (0.0, 0.6, 0.0, 1.2, 0.0, 0.6, 0.0)  # rad: bent forward


def arm(b):
    """An arm with seven hinges on a column: shoulder (z, y, z), elbow (y, z), wrist (y, z); straight up at zero.

    It touches nothing. Sensors: hand_pos (m) and hand_velocity (m/s).
    """
    b.default("geom", **UNTOUCHED)
    b.default("joint", damping=1.0, armature=0.05)
    b.default("actuator", ctrlrange=(-1, 1))
    about_y, about_z = {"axis": (0, 1, 0), "range": (-2.2, 2.2)}, {"axis": (0, 0, 1), "range": (-2.9, 2.9)}
    b.geom("world", "column", type="capsule", fromto=(0, 0, 0, 0, 0, 0.3), size=0.07, rgba=STEEL)
    shoulder = {"shoulder_yaw": about_z, "shoulder_pitch": about_y, "shoulder_roll": about_z}
    link(b, "upper", "world", (0, 0, 0.4), shoulder, (0, 0, 0.38), size=0.055, mass=3.0, rgba=BLUE)
    elbow = {"elbow": about_y, "forearm_roll": about_z}
    link(b, "forearm", "upper", (0, 0, 0.38), elbow, (0, 0, 0.4), size=0.045, mass=2.0, rgba=SKY)
    wrist = {"wrist": about_y, "hand_roll": about_z}
    link(b, "hand", "forearm", (0, 0, 0.1), wrist, (0, 0, 0.38), size=0.035, mass=0.6, rgba=SLATE)
    for x in (-0.03, 0.03):
        b.geom("hand", type="capsule", fromto=(x, 0, 0.1, x, 0, 0.16), size=0.012, mass=0.05, rgba=ORANGE)
    b.site("hand", "hand", pos=(0, 0, 0.14), size=0.015)
    for joint, torque in zip((*shoulder, *elbow, *wrist), ARM_TORQUES, strict=True):
        b.motor(joint, joint, gear=torque)
    b.sensor("framepos", "hand_pos", objtype="site", objname="hand")
    b.sensor("framelinvel", "hand_velocity", objtype="site", objname="hand")
