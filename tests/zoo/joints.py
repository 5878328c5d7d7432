"""Limits, dry friction and equalities of joints, mocap bodies."""

from tests.zoo.bodies import BRICK, QUIET, ROD, model

LIMITED = '<compiler angle="radian"/><default><geom contype="0" conaffinity="0"/></default>'


def limited(joint, option=""):
    return model(f'<body pos=".1 .2 .5">{joint}{BRICK}</body>', default=LIMITED, option=option)


# Bodies and joints that equality constraints tie together; nothing collides.
TIED = f"""
<body name="a" pos="0 0 1"><joint name="h1" axis="0 1 0" ref="10"/>{ROD}
  <body name="b" pos=".4 0 0"><joint name="h2" axis="0 1 0" ref="-20"/>{ROD}<site name="bs" pos=".1 0 0"/>
  </body></body>
<body name="c" pos=".8 .1 1.1"><joint type="ball"/>{BRICK}
  <body name="d" pos=".1 .3 0"><joint name="h3" axis="1 0 0"/>
    <joint name="s3" type="slide" axis="0 1 0"/>{ROD}<site name="ds" pos="0 .1 0" euler="20 10 0"/></body></body>
<body name="e" pos="0 1 1"><freejoint/>{BRICK}<site name="es" pos=".1 0 0" euler="20 10 0"/></body>
<body name="f" pos="0 1.5 1"><freejoint/>{BRICK}<site name="fs" pos="0 .1 0" euler="20 -10 0"/></body>
"""


FELT = '<force site="bs"/><torque site="bs"/><force site="ds"/><torque site="ds"/>'


def tied(equalities, sensors=FELT):
    return model(TIED, f"<equality>{equalities}</equality><sensor>{sensors}</sensor>")


# What joints feel of actuators that are limited and carry weight, and the energy of springs that are polynomials.
SENSED = f"""<body pos="0 0 1">
<joint name="j" axis="0 1 0" stiffness="3 2 1.5" damping=".1 .2 .05" springref="20"/>{ROD}
<body pos=".3 0 0" gravcomp=".4"><joint name="b" type="ball" stiffness="1 .5 .7"/>{BRICK}<site name="s" pos=".1 0 0"/>
<body pos=".3 0 .1" gravcomp="1.3">
<joint name="k" type="slide" axis="1 0 1" stiffness="20 50 80" actuatorfrcrange="-9 9" actuatorgravcomp="true"/>{ROD}
</body></body></body>"""
SENSED = model(
    SENSED,
    '<actuator><motor joint="k"/><motor joint="j"/></actuator><sensor><e_potential/><e_kinetic/><force site="s"/>'
    '<torque site="s"/><jointactuatorfrc joint="k"/><jointactuatorfrc joint="j"/></sensor>',
)


# Impedances that start at rest, where the residual is zero, are wide: differences look past a narrow one.
EQUALITIES = {
    "joint follows joint": tied('<joint joint1="h1" joint2="h2" polycoef=".1 .5 .3 -.2 .1"/>'),
    "joint held": tied('<joint joint1="h3" polycoef=".2 0 0 0 0" solref=".05 1.2"/>'),
    "joint follows one of another tree": tied(
        '<joint joint1="h2" joint2="s3" polycoef="0 1.5 0 0 0" solimp=".8 .95 .1"/>'
    ),
    "connect": tied('<connect body1="b" body2="c" anchor=".4 0 .1"/>'),
    "connect with the world": tied('<connect body1="e" anchor=".1 0 .1" solref="-300 -20"/>'),
    "connect within a tree": tied('<connect body1="d" body2="c" anchor=".05 0 .1" solimp=".5 .95 .3"/>'),
    "connect sites": tied('<connect site1="es" site2="ds"/>'),
    "weld": tied('<weld body1="e" body2="f" torquescale=".7" solimp=".8 .95 .2"/>'),
    "weld with the world": tied('<weld body1="e" solimp=".5 .95 .3 .4 3" relpose="0 1 1 .8 .6 0 0" anchor="0 .1 0"/>'),
    "weld sites": tied('<weld site1="ds" site2="fs"/>'),
    "several equalities": tied(
        '<weld body1="e" body2="f"/><connect body1="b" body2="c" anchor=".4 0 .1"/>'
        '<joint joint1="h1" joint2="h2" polycoef=".1 .5 .3 -.2 .1"/><connect body1="d" body2="a" anchor="0 0 0"/>'
        '<weld body1="c" active="false"/>'
    ),
}


def carried(bodies, extra, default=QUIET):
    """A mocap body with an arm on a hinge, what else there is, and sensors that see it move and feel it."""
    return model(
        f"""<body name="hand" mocap="true" pos="0 0 1" euler="10 20 30" gravcomp=".5">{BRICK}
        <site name="grip" pos=".1 0 0"/><geom name="pad" type="capsule" size=".08 .2" pos="0 .1 .2"/>
        <body name="arm" pos=".3 0 0" gravcomp=".7"><joint name="arm" axis="0 1 .3" stiffness="2"/>{ROD}
        <site name="tip" pos=".1 .1 0" euler="10 0 20"/></body></body>{bodies}""",
        extra + """<sensor><framepos objtype="site" objname="tip"/><framequat objtype="body" objname="arm"/>
        <framelinvel objtype="site" objname="tip" reftype="site" refname="grip"/><accelerometer site="tip"/>
        <accelerometer site="grip"/><gyro site="tip"/><force site="tip"/><torque site="tip"/><subtreecom body="hand"/>
        <framepos objtype="body" objname="held" reftype="site" refname="grip"/><magnetometer site="grip"/><e_potential/>
        <e_kinetic/><subtreeangmom body="hand"/></sensor>""",
        default=default,
    )


HELD = f'<body name="held" pos="0 .4 1"><freejoint/>{BRICK}<site name="hs" pos=".1 0 .1" euler="20 0 0"/></body>'
# Mocap bodies that pull by equalities and push by contact
MOCAPS = {
    "weld": carried(HELD, '<equality><weld body1="hand" body2="held" torquescale=".7" solimp=".8 .95 .2"/></equality>'),
    "path": carried(HELD, '<tendon><spatial range="0 .3" armature=".1"><site site="grip"/><site site="hs"/></spatial>'
                          "</tendon>"),
    "connect": carried(HELD, '<equality><connect body1="held" body2="hand" anchor="0 -.2 0"/></equality>'),
    "sites, of what hangs on it": carried(
        HELD, '<equality><weld site1="tip" site2="hs" solimp=".8 .95 .2"/>'
        '<connect site1="grip" site2="hs"/></equality>'
    ),
    "contact": carried(
        '<body name="held" pos="0 .2 1.15"><freejoint/><geom type="capsule" size=".1 .1" euler="80 0 0"/></body>'
        '<body pos=".35 .15 .7"><joint type="slide"/><joint axis="1 0 0"/><geom type="box" size=".1 .08 .2"/></body>',
        "", default="",
    ),
    "plane": carried(
        '<body name="ground" mocap="true" pos="0 0 -.05" euler="4 -3 0"><geom type="plane" size="2 2 .1"/></body>'
        '<body name="held" pos="0 0 -.02" euler="6 0 0"><freejoint/><geom type="box" size=".2 .1 .1" mass="1"/></body>',
        '<sensor><subtreecom body="ground"/></sensor>', default="",
    ),
}  # fmt: skip

# Limits and dry friction.
ROWS = {
    "hinge limit": limited('<joint axis="1 2 3" range="-.2 .3"/>'),
    "hinge limit direct": limited('<joint axis="1 2 3" range="-.2 .3" solreflimit="-300 -20"/>'),
    "hinge limit margin": limited('<joint axis="1 2 3" range="-.2 .3" margin=".2" solimplimit=".5 .97 .3 .4 3"/>'),
    "slide limit": limited('<joint type="slide" axis="1 0 1" range="-.1 .15" solimplimit=".8 .9 .1 .6 2.5"/>'),
    "ball limit": limited('<joint type="ball" range="0 .5" damping=".1"/>'),
    "ball limit margin": limited('<joint type="ball" range="0 .5" margin=".3" solimplimit=".3 .9 .4 .5 2"/>'),
    "frictionloss": limited(
        '<joint axis="1 2 3" frictionloss="1.5"/><joint type="slide" axis="1 0 0" frictionloss="8"/>'
    ),
    "friction direct": limited(
        '<joint axis="1 2 3" frictionloss="4" solreffriction="-10 -4" solimpfriction=".7 .8 .1 .5 2"/>'
    ),
    "ball friction": limited('<joint type="ball" frictionloss=".7"/>'),
    "free friction": limited('<joint type="free" frictionloss="2"/>'),
    "friction and limits": model(
        f'<body pos="0 0 1"><joint axis="0 1 0" range="-.2 .2" frictionloss=".4"/>{ROD}<body pos="0 0 -.3">'
        f'<joint axis="0 1 .3" range="-.1 .3" frictionloss=".2"/><joint type="slide" axis="1 0 0" range="-.1 .1"/>{ROD}'
        f'<body pos=".2 0 0"><joint type="ball" range="0 .2" frictionloss=".1"/>{ROD}</body></body></body>',
        default=LIMITED,
    ),
}  # fmt: skip

# Acts where the joint has not turned, so that no axis is that of its angle.
AT_ZERO = limited('<joint type="ball" range="0 .5" margin=".6" damping=".1"/>')
