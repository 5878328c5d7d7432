"""Parts that several scenes share: colours, the ground, and the joints of a robot that moves in a plane."""

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
