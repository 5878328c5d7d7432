"""Tendons of both kinds: what acts along them, limits, dry friction, equalities, sensors."""

from tests.zoo.bodies import BRICK, ROD, model

# Two branches of one tree, and a tree beside it, for tendons over them.
SINEWED = f"""
<body pos="0 0 1"><joint name="a" axis="0 1 0" ref="10" springref="20"/>{ROD}
  <body pos=".1 0 -.3"><joint name="b" axis="0 1 .3" damping=".1"/>{ROD}
    <body pos="0 0 -.3"><joint name="c" type="slide" axis="1 0 1"/>{BRICK}</body></body>
  <body pos=".1 0 .3"><joint name="d" axis="1 1 0" armature=".05"/>{ROD}
    <body pos=".2 0 0"><joint type="ball"/>{BRICK}<site name="bs"/></body></body></body>
<body pos="1 0 1"><freejoint/>{BRICK}<body pos=".3 0 0"><joint name="e" axis="0 1 0"/>{ROD}</body></body>"""
OVER = {
    "s": '<joint joint="d" coef=".8"/><joint joint="a" coef="-1.2"/>', "one": '<joint joint="c" coef="2"/>',
    "t": '<joint joint="e" coef=".7"/><joint joint="b" coef="1.1"/><joint joint="c" coef="-.5"/>'
    '<joint joint="a" coef=".6"/><joint joint="d" coef="-.9"/>', "chain": '<joint joint="c"  coef=".4"/>'
    '<joint joint="b" coef="1"/>',
}  # fmt: skip


def sinewed(extra="", **tendons):
    """Tendons by their names in OVER, with these attributes."""
    text = "".join(f'<fixed name="{name}" {attributes}>{OVER[name]}</fixed>' for name, attributes in tendons.items())
    return model(SINEWED, f"<tendon>{text}</tendon>{extra}")


TENSE = '<sensor><force site="bs"/><torque site="bs"/></sensor>'


def driven(actuators):
    return f"<actuator>{actuators}</actuator>"


TENDONS = {
    "springs": sinewed(
        t='stiffness="7"', s='stiffness="9" springlength="-.1 .2"', one='stiffness="30" springlength=".1"'),
    "polynomial": sinewed(t='stiffness="5 .5 .3" damping=".4 .02 .01"', s='stiffness="0 .5 .4" damping="0 .03 0"'),
    "dampers": sinewed(t='damping=".4"', s='damping=".3"', chain='damping=".2"'),
    "armature": sinewed(t='armature=".004"', s='armature=".05"', chain='armature=".1" damping=".2"'),
    "motors": sinewed(driven(
        '<motor tendon="t" gear="2"/><motor tendon="one" ctrlrange="-.5 .5" forcerange="-.4 .4" gear="-2"/>'
        '<position tendon="s" kp="3" kv=".4" gear="1.5"/><velocity tendon="t" kv=".3" gear="-.7"/>'
        '<general tendon="s" gaintype="affine" gainprm="1 .5 .3" biastype="affine" biasprm=".4 -1.5 -.2" gear=".8"/>'
        '<motor joint="b" gear="1.3"/>'), t="", s='damping=".2"', one=""),
    "activation": sinewed(driven(
        '<general tendon="t" dyntype="integrator" gainprm="2" biastype="affine" biasprm="0 -1 -.1"/>'
        '<general tendon="s" dyntype="filter" dynprm=".05" gaintype="affine" gainprm="2 .3 .1"/>'
        '<general tendon="chain" dyntype="filterexact" dynprm=".03" gainprm="1.5" actlimited="true" actrange="-.5 .5"/>'
        ), t="", s="", chain=""),
    "limited actuators": sinewed(driven(
        '<motor tendon="t" gear="2"/><position tendon="t" kp="3" kv=".4" forcerange="-.8 .5"/>'
        '<motor tendon="s"/>'
        '<general tendon="s" gaintype="affine" gainprm="1 .5 .3" biastype="affine" biasprm="0 -.5 -.2"/>'
        '<motor joint="b" gear="1.3"/>'), t='actuatorfrcrange="-.6 .7"', s='actuatorfrcrange="-.3 5"')
    .replace('"b" axis', '"b" actuatorfrcrange="-.9 .8" axis'),
}  # fmt: skip
# Limits, dry friction, and lengths that follow.
TAUT = {
    "tendon limits": sinewed(t='range="-.1 .2"', s='range="-.3 -.2"', one='range="-.1 .1" margin=".15"'),
    "tendon limit parameters": sinewed(
        t='range="-.1 .2" solreflimit="-300 -20"', s='range="-.1 .1" margin=".2" solimplimit=".5 .97 .3 .4 3"'),
    "tendon friction": sinewed(
        '<sensor><tendonvel tendon="chain"/></sensor>', t='frictionloss=".8"', chain="",
        s='frictionloss="3" solreffriction="-10 -4" solimpfriction=".7 .8 .1 .5 2"'),
    "tendon follows tendon": sinewed(
        '<equality><tendon tendon1="t" tendon2="s" polycoef=".1 .5 .3 -.2 .1"/></equality>' + TENSE, t="", s=""),
    "tendon follows one that overlaps": sinewed(
        '<equality><tendon tendon1="one" tendon2="t" polycoef="0 1.5 .4 0 0" solimp=".8 .95 .1"/></equality>',
        one="", t='range="-.2 .2"'),
    "tendon held": sinewed(
        '<equality><tendon tendon1="t" polycoef=".2 0 0 0 0" solref=".05 1.2"/>'
        '<joint joint1="b" joint2="d"/></equality>',
        t='frictionloss=".5" armature=".01"', s='range="-.1 .1" frictionloss=".2"'),
}  # fmt: skip

# The same robot with sites, and geoms for tendons to go round: on the world, on bodies.
STRUNG = f"""
<site name="w" pos=".4 -.3 1.2"/><geom name="post" type="cylinder" size=".15 .5" pos=".3 -.1 .9" euler="70 20 0"/>
<site name="beside" pos=".3 -.1 1.2"/>
<body pos="0 0 1"><joint name="a" axis="0 1 0" ref="10" springref="20"/>{ROD}<site name="as" pos=".05 .2 .1"/>
  <geom name="ball" size=".14" pos=".1 .15 -.1" mass=".1"/><site name="above" pos=".1 .15 .2"/>
  <site name="within" pos=".1 .2 -.1"/>
  <body pos=".1 0 -.3"><joint name="b" axis="0 1 .3" damping=".1"/>{ROD}<site name="b" pos=".1 .2 -.1"/>
    <body pos="0 0 -.3"><joint name="c" type="slide" axis="1 0 1"/>{BRICK}<site name="c" pos=".1 -.1 -.1"/>
    </body></body>
  <body pos=".1 0 .3"><joint name="d" axis="1 1 0" armature=".05"/>{ROD}<site name="d" pos=".1 .3 0"/>
    <body pos=".2 0 0"><joint type="ball"/>{BRICK}<geom name="roll" type="cylinder" size=".1 .3" mass=".1"/>
      <site name="bs" pos=".3 .1 0"/><site name="core" pos=".03 .02 .05"/></body></body></body>
<body pos="1 0 1"><freejoint/>{BRICK}<site name="f" pos="-.2 .1 0"/>
  <body pos=".3 0 0"><joint name="e" axis="0 1 0"/>{ROD}<site name="e" pos="0 .1 .1"/></body></body>"""
ALONG = {
    "far": "w as c f", "near": "b c d", "pulleys": "w as c /2 d bs /.7 e f",
    "ball": "b ball d", "side": "b ball:above f", "post": "as post f", "beside": "d post:beside e",
    "within": "b ball:within d", "roll": "w roll bs /3 e roll:core d", "both": "w post as ball c",
}  # fmt: skip


def path_of(places):
    """Sites, geoms with a side after a colon, and pulleys with their divisors, as MJCF has them."""
    geoms = ("ball", "post", "roll")
    found = ""
    for place in places.split():
        name, _, side = place.partition(":")
        if place[0] == "/":
            found += f'<pulley divisor="{place[1:]}"/>'
        elif name in geoms:
            found += f'<geom geom="{name}"' + (f' sidesite="{side}"' if side else "") + "/>"
        else:
            found += f'<site site="{place}"/>'
    return found


def strung(extra="", **tendons):
    """Spatial tendons by their names in ALONG, with these attributes."""
    text = "".join(f'<spatial name="{n}" {given}>{path_of(ALONG[n])}</spatial>' for n, given in tendons.items())
    return model(STRUNG, f"<tendon>{text}</tendon>{extra}")


TENDONS |= {
    "along sites": strung(far='stiffness="7" damping=".4"', near='stiffness="9" springlength=".3 .7"',
                          pulleys='stiffness="5 .5 .3" damping=".2 .02 .01"'),
    "inertia along sites": strung(far='armature=".2"', near='armature=".4" damping=".3"', pulleys='armature=".3"'),
    "round geoms": strung(ball='stiffness="7" springlength=".5"', side='stiffness="9"',
                          post='stiffness="6" damping=".2"', beside='stiffness="4"'),
    "within geoms": strung(within='stiffness="7" springlength=".4 .5"', roll='stiffness="9" damping=".3"',
                           both='stiffness="9"'),
    "pulled along paths": strung(driven(
        '<motor tendon="far" gear="2"/><position tendon="ball" kp="3" kv=".4" gear="1.5"/>'
        '<velocity tendon="beside" kv=".3" gear="-.7"/><motor joint="b" gear="1.3"/>'
        '<general tendon="far" gaintype="affine" gainprm="1 .5 .3" biastype="affine" biasprm=".4 -1.5 -.2" gear=".8"/>'
        '<general tendon="roll" dyntype="filter" dynprm=".05" gaintype="affine" gainprm="2 .3 .1"/>'),
        far='actuatorfrcrange="-.6 .7"', ball='damping=".2"', beside="", roll=""),
}  # fmt: skip
TAUT |= {
    "limits of paths": strung(far='range="1 2.2"', near='range="1 1.2" margin=".15"', ball='range=".2 .6"'),
    "friction along paths": strung(
        pulleys='frictionloss=".8"', within="", post='frictionloss="3" solreffriction="-10 -4"'),
    "paths that follow": strung(
        '<equality><tendon tendon1="far" tendon2="side" polycoef=".1 .5 .3 -.2 .1"/>'
        '<tendon tendon1="both" polycoef=".1 0 0 0 0" solref=".05 1.2"/></equality>',
        far='armature=".1"', side='range=".2 .9"', both=""),
}  # fmt: skip
WITHIN = ("within geoms", "pulled along paths", "friction along paths")  # where MuJoCo's places are good to 1e-6


def tendon_sensors(option=""):
    """Sensors of tendons, their limits and energies; one that nothing pulls among them."""
    read = ("pos", "vel", "actuatorfrc")
    sensors = "".join(f'<tendon{what} tendon="{t}"/>' for what in read for t in ("t", "s", "one"))
    sensors += "".join(f'<tendonlimit{what} tendon="{t}"/>' for what in ("pos", "vel", "frc") for t in ("t", "s"))
    text = sinewed(
        driven('<motor name="m" tendon="t" gear="2"/><position name="n" tendon="s" kp="3" kv=".4" forcerange="-1 1"/>'
               '<general tendon="t" biastype="affine" biasprm=".4 -1.5 -.2"/>')
        + f'<sensor>{sensors}<actuatorpos actuator="m"/><actuatorvel actuator="n"/><actuatorfrc actuator="m"/>'
        '<jointactuatorfrc joint="b"/><e_potential/><e_kinetic/><tendonpos tendon="t" cutoff=".3"/></sensor>',
        t='range="-.1 .2" armature=".004" stiffness="3 1 2"', one="",
        s='range="-.2 .2" margin=".1" armature=".05" damping=".1" stiffness="2" springlength="-.05 .05"')  # fmt: skip
    return text.replace('gravity="0.3 -0.2 -9.81" ', f'gravity="0.3 -0.2 -9.81" {option}')

# Springs whose rest yields, of all joints that may have one, of a sum of coordinates and of paths; one tendon is slack
# below its one length.
YIELDING = model(
    f"""<site name="s" pos=".6 .1 .8"/><geom name="g" type="cylinder" size=".15 1" euler="90 0 0" pos=".5 0 .3"/>
<body><joint name="a" axis="0 1 0" stiffness="3 .5 .2" damping=".1" springref="6" springyield="6"/>
  <geom size=".1" mass=".5" pos=".9 0 0"/><site name="e" pos="1 0 0"/>
  <body pos="1 0 0"><joint name="c" type="ball" stiffness="4 .3" damping=".02" springyield="17"/>{ROD}
    <site name="f" pos=".4 0 0"/><body pos=".4 0 0">
      <joint name="b" type="slide" axis="1 0 1" stiffness="30" springyield=".02"/><joint name="h" axis="1 0 0"
      stiffness="1"/>{BRICK}</body></body></body>""",
    '<tendon><spatial name="s" stiffness="20 3 4" damping=".1" springyield=".15" springlength="1.2 1.3">'
    '<site site="s"/><geom geom="g"/><site site="e"/><site site="f"/></spatial>'
    '<fixed name="t" stiffness="9" springyield=".05" springlength="-.05 .1"><joint joint="a" coef=".7"/>'
    '<joint joint="b" coef="-1"/></fixed>'
    '<spatial name="slack" stiffness="7" springyield=".2" springlength="0 1.1"><site site="s"/>'
    '<site site="e"/></spatial>'
    '<spatial name="u" stiffness="2" damping=".1"><site site="s"/><site site="f"/></spatial></tendon>'
    '<actuator><motor name="m" joint="a"/><general joint="h" dyntype="filter" dynprm=".05"/>'
    '<position joint="b" kp="3" kv=".2"/></actuator><sensor><e_potential/><tendonpos tendon="s"/></sensor>',
)  # fmt: skip
