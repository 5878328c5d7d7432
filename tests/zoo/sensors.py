"""Sensors of every kind."""

import re

from tests.zoo.bodies import FLOATER, ROD, model
from tests.zoo.contacts import CONVEX, HULLS, ROCK, SHAPES, one_tree
from tests.zoo.joints import LIMITED

SENSORS = """<sensor>
<jointpos joint="t1"/><jointvel joint="t1"/><jointpos joint="u2"/><actuatorfrc actuator="m"/><actuatorfrc actuator="n"/>
<framepos objtype="site" objname="s"/><framepos objtype="body" objname="t2"/><framepos objtype="xbody" objname="t2"/>
<framepos objtype="geom" objname="g"/><framequat objtype="site" objname="s"/><framequat objtype="body" objname="t2"/>
<framequat objtype="xbody" objname="t2"/><framequat objtype="geom" objname="g"/>
<framelinvel objtype="site" objname="s"/><framelinvel objtype="body" objname="t2"/>
<framelinvel objtype="xbody" objname="t2"/><framelinvel objtype="geom" objname="g"/>
<frameangvel objtype="site" objname="s"/><frameangvel objtype="body" objname="t2"/>
<subtreecom body="t"/><subtreecom body="t1"/><subtreelinvel body="t"/><subtreelinvel body="t1"/>
<gyro site="s"/><velocimeter site="s"/><accelerometer site="s"/><gyro site="s" cutoff=".5"/>
<accelerometer site="s" cutoff="3"/><accelerometer site="w"/><framepos objtype="site" objname="w"/>
<framepos objtype="site" objname="s" cutoff=".9"/><actuatorfrc actuator="m" cutoff=".2"/>
<jointvel joint="t1" cutoff=".4"/>
<subtreelinvel body="t1" cutoff=".3"/><velocimeter site="r"/><accelerometer site="r"/>
<force site="s"/><torque site="s"/><force site="r"/><torque site="r"/><torque site="s" cutoff=".5"/>
<framexaxis objtype="site" objname="s"/><frameyaxis objtype="body" objname="t2"/>
<framezaxis objtype="geom" objname="g"/><magnetometer site="s"/><magnetometer site="r" cutoff=".3"/>
<subtreeangmom body="t"/><subtreeangmom body="t1"/><jointactuatorfrc joint="t1"/>
<actuatorpos actuator="m"/><actuatorpos actuator="n"/><actuatorpos actuator="o"/>
<actuatorvel actuator="m"/><actuatorvel actuator="n"/><actuatorvel actuator="o"/>
<ballquat joint="t2"/><ballangvel joint="t2"/><frameangacc objtype="body" objname="t2"/>
<framelinacc objtype="site" objname="s"/><framelinacc objtype="site" objname="w"/>
<clock/><e_potential/><e_kinetic/>
<framepos objtype="site" objname="s" reftype="body" refname="t2"/>
<framepos objtype="geom" objname="g" reftype="xbody" refname="t3" cutoff=".2"/>
<framepos objtype="site" objname="s" reftype="site" refname="w"/>
<framequat objtype="site" objname="s" reftype="geom" refname="g"/>
<framexaxis objtype="body" objname="t3" reftype="site" refname="s"/>
<frameyaxis objtype="site" objname="w" reftype="site" refname="s"/>
<framelinvel objtype="xbody" objname="t3" reftype="site" refname="s"/>
<framelinvel objtype="site" objname="w" reftype="site" refname="s"/>
<frameangvel objtype="xbody" objname="t3" reftype="body" refname="t2"/>
<framequat objtype="camera" objname="c"/>
<framelinvel objtype="site" objname="s" reftype="camera" refname="c"/></sensor>"""


def sensing(option=""):
    """All sensors but those of contacts and limits, on the trees."""
    body = FLOATER.replace(
        ROD, ROD.replace("<geom", '<geom name="g"') + '<site name="s" pos=".1 .05 -.1" euler="20 30 40"/>', 2
    )
    body = body.replace('name="g"', "", 1).replace('<site name="s"', '<site name="r"', 1)
    body = body.replace('joint name="t1"', 'joint name="t1" stiffness="3" springref="20" armature=".1"')
    body = body.replace('type="ball"', 'type="ball" stiffness="2"')
    body = body.replace("<geom", '<camera name="c" pos=".1 .2 .3" euler="30 20 10"/><geom', 1)
    motors = '<motor name="m" joint="t1" gear="2"/><position name="n" joint="t2" kp=".1" gear="1 .2 .3"/>'
    motors += '<motor name="o" joint="f" gear=".1 .2 .3 .1 -.2 .1"/><position joint="t1" kp=".3" forcerange="-1 1"/>'
    extra = f"<actuator>{motors}</actuator>"
    return model('<site name="w" pos="1 2 3"/>' + body, extra + SENSORS, option=option)


def seen():
    """A site in the images of a camera that stands and of one that moves along, and what moves in and out of sites."""
    body = ROD.replace("<geom", '<geom name="g"', 1)
    return model(
        f"""<camera name="stands" pos="0 -3 1" xyaxes="1 0 .1 0 .2 1" fovy="40" resolution="640 480"/>
        <site name="zone" type="box" size=".3 .25 .3" pos="0 0 .8"/>
        <body name="a" pos="0 0 1"><joint axis="1 .4 0" damping=".2"/>{ROD}<site name="s" pos=".1 .2 .3"/>
        <camera name="moves" pos=".2 .1 0" euler="80 10 5" resolution="32 20" sensorsize=".004 .003"
        focal=".003 .0035"/>
        <body name="b" pos=".1 0 -.3"><joint type="ball"/>{body}
        <site name="t" pos="0 .1 -.3" euler="10 30 0" type="capsule" size=".65 .2"/></body></body>""",
        """<sensor><camprojection camera="stands" site="t"/><camprojection camera="moves" site="t" cutoff="30"/>
        <camprojection camera="moves" site="zone"/><insidesite site="zone" objtype="site" objname="t"/>
        <insidesite site="t" objtype="site" objname="s"/><insidesite site="zone" objtype="geom" objname="g"/>
        <insidesite site="zone" objtype="xbody" objname="b"/>
        <insidesite site="t" objtype="body" objname="b"/></sensor>""",
    )


TOUCH_SITES = {
    "sphere": 'type="sphere" size=".12"',
    "box": 'type="box" size=".1 .2 .05"',
    "capsule": 'type="capsule" size=".06 .1"',
    "cylinder": 'type="cylinder" size=".08 .05"',
    "ellipsoid": 'type="ellipsoid" size=".05 .15 .1"',
}


def touch(option=""):
    """Touch sensors of every shape on two bodies that touch each other and the floor."""
    sites = "".join(f'<site name="{{0}}{n}" {a} pos=".05 .03 -.06" euler="20 10 0"/>' for n, a in TOUCH_SITES.items())
    sensors = "".join(f'<touch site="{b}{n}"/>' for b in "ab" for n in TOUCH_SITES)
    return model(
        f"""<geom type="plane" size="2 2 .1"/>
        <body pos="0 0 .1"><freejoint/><geom type="box" size=".2 .15 .12" mass="1"/>{sites.format("a")}</body>
        <body pos="0 .1 .25"><freejoint/><geom type="capsule" size=".08 .2" mass="1"/>{sites.format("b")}</body>""",
        f"<sensor>{sensors}<touch site='abox' cutoff='3'/></sensor>", default="", option=option,
    )  # fmt: skip


def limit_sensors(option=""):
    """Limits of joints of every type that has them, with both sides and a margin, and what they do to forces."""
    return model(
        f"""<body pos="0 0 1"><joint name="h" axis="0 1 0" range="-.1 .1" margin=".05"/>{ROD}<body pos="0 0 -.3">
        <joint name="s" type="slide" axis="1 0 0" range="-.05 .05"/>{ROD}<site name="tip" pos="0 .1 0" euler="20 30 0"/>
        <body pos=".2 0 0"><joint name="b" type="ball" range="0 .2"/>{ROD}</body></body></body>""",
        "<sensor>" + "".join(f'<jointlimit{what} joint="{j}"/>' for what in ("pos", "vel", "frc") for j in "hsb")
        + '<jointlimitfrc joint="s" cutoff="5"/><force site="tip"/><torque site="tip"/></sensor>',
        default=LIMITED, option=option,
    )  # fmt: skip


def feeling(option="", contact=""):
    """Force and torque sensors in fingers that touch each other, the floor and a ball: of a link and of a subtree."""
    sites = iter("abcd")
    text = re.sub(r"(<body pos=[^>]*><joint)", lambda x: x[1].replace(
        "<joint", f'<site name="{next(sites)}" pos=".02 .01 0" euler="10 20 30"/><joint'), one_tree(option, contact))
    sensors = "".join(f'<force site="{s}"/><torque site="{s}"/>' for s in "abcd")
    return text.replace("</mujoco>", f'<sensor>{sensors}<accelerometer site="b"/></sensor></mujoco>')


# an octahedron with a corner turned in: a mesh that is not its hull
DENTED = """<asset><mesh name="dented" vertex=".2 0 0 0 .25 0 -.2 0 0 0 -.15 0 0 0 .2 .02 .01 .05"
face="0 1 4 1 2 4 2 3 4 3 0 4 1 0 5 2 1 5 3 2 5 0 3 5"/></asset>"""


def ranging(option=""):
    """Rangefinders that look at each other's bodies, in all directions, at every shape, some from within."""
    quiet = 'contype="0" conaffinity="0"'
    shapes = {k: v for k, v in SHAPES.items() if k != "hfield"} | {"mesh": 'type="mesh" mesh="dented"'}
    shapes |= {"cylinder": 'type="cylinder" size=".15 .1"', "ellipsoid": 'type="ellipsoid" size=".1 .15 .2"'}
    bodies, sensors = '<geom type="plane" size="3 3 .1" contype="0" conaffinity="0"/>', ""
    for k, (name, shape) in enumerate(shapes.items()):
        if name != "plane":
            sites = "".join(f'<site name="{name}{i}" pos=".05 0 .02" {turn}/>' for i, turn in enumerate(
                ('euler="80 0 0"', 'euler="-100 10 0"', 'euler="0 85 0"', 'euler="0 -95 5"', 'euler="170 10 0"')))
            sensors += "".join(f'<rangefinder site="{name}{i}"/>' for i in range(5))
            bodies += f'<body pos="{k % 2 * .35} {k // 2 * .35} .5"><freejoint/><geom {shape} mass="1" {quiet}/>{sites}'
            bodies += f'<geom size=".01" pos="0 .04 0" mass=".1" rgba="1 1 1 0" {quiet}/></body>'
    cut = '<rangefinder site="sphere0" cutoff=".2"/><rangefinder site="capsule4" cutoff=".4"/>'
    cut += '<rangefinder site="box0" data="dist dir origin point depth"/><rangefinder site="mesh3" data="dir point"/>'
    cut += '<rangefinder site="capsule1" data="origin depth" cutoff=".5"/>'
    cut += "".join(f'<rangefinder site="{n}{i}" data="normal"/>' for n in shapes if n != "plane" for i in (1, 4))
    cut += '<rangefinder site="cylinder2" data="dist normal depth" cutoff=".9"/>'
    return model(bodies, f"<sensor>{sensors}{cut}</sensor>", default=DENTED, option=option)


# a camera with a lens in degrees, one with a sensor, whose axis is off its middle, and one without perspective
CAMERAS = {
    "angle": 'fovy="70" resolution="4 3" euler="20 10 0"',
    "lens": 'resolution="3 5" sensorsize=".004 .003" focal=".002 .0025" principal=".0003 -.0002" euler="190 20 0"',
    "flat": 'projection="orthographic" fovy=".5" resolution="4 4" euler="0 90 20"',
}


def watching(option=""):
    """Cameras with a ray for each pixel on bodies of every shape, told of all that there is."""
    quiet, bodies = 'contype="0" conaffinity="0"', '<geom type="plane" size="3 3 .1" contype="0" conaffinity="0"/>'
    shapes = {"sphere": 'size=".1"', "capsule": 'type="capsule" size=".08 .1"', "box": 'type="box" size=".1 .12 .08"'}
    shapes |= {"cylinder": 'type="cylinder" size=".15 .1"', "ellipsoid": 'type="ellipsoid" size=".1 .15 .2"'}
    for k, (name, shape) in enumerate(shapes.items()):
        camera = "".join(f'<camera name="{c}" {CAMERAS[c]}/>' for i, c in enumerate(CAMERAS) if i == k)
        bodies += f'<body name="{name}" pos="{k % 2 * .35} {k // 2 * .35} .5"><freejoint/>'
        bodies += f'<geom {shape} mass="1" {quiet}/>{camera}<geom size=".05" pos=".2 .1 0" mass=".1" {quiet}/></body>'
    sensors = '<rangefinder camera="angle"/><rangefinder camera="flat" data="dist normal" cutoff="1.5"/>'
    sensors += "".join(f'<rangefinder camera="{c}" data="dist dir origin point normal depth"/>' for c in CAMERAS)
    return model(bodies, f"<sensor>{sensors}</sensor>", option=option)


FOLLOWING = {
    "targets": 'mode="targetbody" target="b" pos="0 -3 1" fovy="40" resolution="3 2"',
    "com_of_all": 'mode="trackcom" pos="0 -2 1" xyaxes="1 0 .1 0 .2 1"',
    "mocap_targets": 'mode="targetbodycom" target="a" resolution="3 3"',
    "tracks": 'mode="track" pos=".3 .2 .5" euler="20 30 0" fovy="60" resolution="3 2"',
    "tracks_com": 'mode="trackcom" pos=".3 .2 .5" euler="20 -30 0" projection="orthographic" fovy="1" resolution="2 2"',
    "looks_up": 'mode="targetbody" target="a" pos=".1 .1 .5" resolution="2 3" sensorsize=".004 .003" '
                'focal=".003 .0035" principal=".0002 -.0001"',
}  # fmt: skip


def following(option=""):
    """Cameras that follow or target bodies, seen, seeing, and measured in: on the world, on mocap and moving bodies."""
    quiet = 'contype="0" conaffinity="0"'
    camera = {name: f'<camera name="{name}" {text}/>' for name, text in FOLLOWING.items()}
    sensors = ""
    for name in FOLLOWING:
        sensors += f'<camprojection camera="{name}" site="t"/>'
        if "resolution" in FOLLOWING[name]:
            sensors += f'<rangefinder camera="{name}" data="dist dir origin point normal depth"/>'
        for kind in ("framepos", "framequat", "framexaxis", "framezaxis", "framelinvel", "frameangvel"):
            sensors += f'<{kind} objtype="camera" objname="{name}" reftype="body" refname="b"/>'
            sensors += f'<{kind} objtype="site" objname="t" reftype="camera" refname="{name}"/>'
        sensors += f'<framelinacc objtype="camera" objname="{name}"/><frameyaxis objtype="camera" objname="{name}"/>'
        sensors += f'<insidesite site="t" objtype="camera" objname="{name}"/>'
    return model(
        f"""<geom type="plane" size="3 3 .1" {quiet}/>{camera["targets"]}{camera["com_of_all"]}
        <body name="m" mocap="true" pos=".5 .5 2">{camera["mocap_targets"]}</body>
        <body name="a" pos="0 0 1" euler="10 20 30"><freejoint/><geom type="box" size=".1 .2 .1" mass="1" {quiet}/>
        {camera["tracks"]}{camera["tracks_com"]}<site name="s" pos=".1 0 .1"/>
        <body name="b" pos=".3 0 .2"><joint type="ball"/><geom size=".1" mass=".5" pos="0 .1 .1" {quiet}/>
        <site name="t" pos="0 .1 0" size=".8"/>{camera["looks_up"]}
        <body name="c" pos="0 0 .3"><joint axis="1 .2 0"/><geom size=".05" mass=".3" pos="0 .1 .1" {quiet}/>
        </body></body></body>""",
        f"<sensor>{sensors}</sensor>", default="", option=option,
    )  # fmt: skip


def apart(option=""):
    """Shapes in the air, and sensors of distance, normal and nearest points of every pair that has them, either way
    round; of bodies with two geoms each; beyond a cutoff, and deeper than one."""
    quiet = 'contype="0" conaffinity="0"'
    near = {"sphere": "capsule box cylinder", "plane": "sphere capsule box cylinder ellipsoid"}
    bodies, sensors = f'<geom name="plane" type="plane" size="3 3 .1" euler="5 3 0" {quiet}/>', ""
    for k, name in enumerate(("sphere", "capsule", "box", "cylinder", "ellipsoid")):
        other = "sphere" if name == "cylinder" else "capsule" if name in ("sphere", "capsule") else ""
        more = f'<geom name="{name}2" {SHAPES[other]} pos=".1 .05 .2" {quiet}/>' if other else ""
        bodies += f'<body name="{name}" pos="{k % 2 * .4} {k // 2 * .4} .6"><freejoint/>'
        bodies += f'<geom name="{name}" {SHAPES[name]} mass="1" {quiet}/>{more}</body>'
    pairs = [(a, b) for a, others in near.items() for b in others.split()]
    pairs += [("sphere", "cylinder2"), ("sphere2", "capsule2")]
    for kind in ("distance", "normal", "fromto"):
        for k, (a, b) in enumerate(pairs):
            a, b = (a, b) if k % 2 else (b, a)
            sensors += f'<{kind} geom1="{a}" geom2="{b}" cutoff="2"/>'
        sensors += f'<{kind} body1="sphere" body2="capsule" cutoff="2"/>'
        sensors += f'<{kind} body1="capsule" geom2="sphere2" cutoff=".1"/>'
        sensors += f'<{kind} geom1="plane" geom2="box" cutoff=".3"/>'
        sensors += f'<{kind} geom1="capsule" geom2="sphere" cutoff=".002"/>'
    return model(bodies, f"<sensor>{sensors}</sensor>", option=option)


SOUGHT = (*CONVEX, *HULLS, ("box", "box"), ("capsule", "box"))


def sought(option="", alone='contype="1" conaffinity="2"'):
    """Shapes in the air, two of each, and sensors of distance, normal and nearest points of every pair that the engine
    has no formula for, either way round, and of a plane and a mesh; of bodies with several geoms; beyond a cutoff.
    alone: why nothing touches; of meshes that never could MuJoCo makes no hulls."""
    bodies, sensors = f'<geom name="plane" type="plane" size="3 3 .1" euler="5 3 0" {alone}/>', ""
    for k, name in enumerate(("sphere", "capsule", "ellipsoid", "cylinder", "box", "mesh")):
        for i in (1, 2):
            bodies += f'<body name="{name}{i}" pos="{(k % 3 - 1) * .42} {k // 3 * .42} {i * .45}"><freejoint/>'
            bodies += f'<geom name="{name}{i}" {SHAPES[name]} mass="1" pos=".02 .01 -.03" euler="2 {30 * k} 5"'
            bodies += f" {alone}/>"
            bodies += f'<geom size=".02" pos=".1 .2 .1" mass=".1" {alone}/>' * (name == "cylinder") + "</body>"
    pairs = [("plane", "mesh1"), *((f"{a}1", f"{b}2") for a, b in SOUGHT)]
    for kind in ("distance", "normal", "fromto"):
        for k, (a, b) in enumerate(pairs):
            a, b = (a, b) if k % 2 else (b, a)
            sensors += f'<{kind} geom1="{a}" geom2="{b}" cutoff="3"/>'
        sensors += f'<{kind} body1="cylinder1" body2="cylinder2" cutoff="2"/>'
        sensors += f'<{kind} body1="box1" geom2="box2" cutoff=".1"/>'
    return model(bodies, f"<sensor>{sensors}</sensor>", default=ROCK, option=option)


EVERYTHING = "found force torque dist pos normal tangent linvel angvel"
CONTACT_SENSORS = f"""<sensor>
<contact data="found force dist"/><contact geom1="floor" data="{EVERYTHING}" num="3"/>
<contact geom2="floor" data="{EVERYTHING}" num="2" reduce="mindist"/>
<contact subtree1="hand" data="{EVERYTHING}" num="2" reduce="maxforce"/>
<contact subtree1="hand" subtree2="hand" data="found force normal" num="2"/>
<contact body1="ball" geom2="floor" data="found force torque dist pos normal tangent" reduce="netforce"/>
<contact subtree1="hand" data="force torque pos" reduce="netforce"/><contact subtree2="hand" data="force"/>
<contact body1="ball" subtree2="hand" data="pos linvel"/><contact data="found pos" num="5" reduce="maxforce"/>
{"".join(f'<contact site="{name}" geom2="floor" data="found force dist"/>' for name in TOUCH_SITES)}</sensor>"""


def contact_sensors(option="", contact=""):
    """Contacts by what touches what, of every kind and reduction, on `one_tree` with links of different thickness."""
    text = one_tree(option, contact).replace('<geom type="plane"', '<geom name="floor" type="plane"')
    sizes = iter("4678")
    text = re.sub(r'size="\.04"', lambda _: f'size=".03{next(sizes)}"', text)
    size = {n: re.sub(r'size="([^"]*)"', 'size=".3 .25 .2"', a) for n, a in TOUCH_SITES.items()}
    sites = "".join(f'<site name="{n}" {a} pos=".2 .05 0" euler="20 10 0"/>' for n, a in size.items())
    text = text.replace('<geom type="box"', sites + '<geom type="box"', 1)
    return text.replace("</mujoco>", CONTACT_SENSORS + "</mujoco>")
