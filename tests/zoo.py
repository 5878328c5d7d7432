"""Small MJCF models, each isolating one feature, and random states for them.

A model is XML text with `{option}` filled in, so that one robot serves every cone and integrator.
"""

import re

import numpy as np

BASE = '<option timestep="0.004" gravity="0.3 -0.2 -9.81" {option}/><size memory="4M"/>'
QUIET = '<default><geom contype="0" conaffinity="0"/></default>'  # no contact
BRICK = '<geom type="box" size=".1 .15 .2" mass="1.5" pos=".05 .02 -.1" euler="10 20 30"/>'
ROD = '<geom type="capsule" size=".04 .2" mass=".7" pos=".02 .1 -.15" euler="20 5 0"/>'


def model(body, extra="", default=QUIET, option=""):
    """XML of a model whose world holds `body`; `extra` are further sections."""
    base = BASE.format(option=option)
    return f"<mujoco>{base}{default}<worldbody>{body}</worldbody>{extra}</mujoco>"


def single(joint, extra=""):
    return model(f'<body pos=".1 .2 .5" euler="10 -20 30">{joint}{BRICK}{ROD}</body>', extra)


CHAIN = f"""
<body name="a" pos="0 .1 1" euler="5 10 15"><joint name="a1" axis="1 2 .5" damping=".3" armature=".02"/>{BRICK}
  <body name="b" pos=".1 0 -.3"><joint name="b1" axis="0 1 0"/><joint name="b2" type="slide" axis="1 0 1"/>{ROD}
    <body name="c" pos="0 .2 -.2" euler="0 30 0"><joint name="c1" type="ball" pos=".01 .02 .03"/>{BRICK}
      <body name="rigid" pos=".2 0 0" euler="0 0 40">{ROD}
        <body name="d" pos="0 0 -.3"><joint name="d1" axis="0 0 1" pos="0 .1 0"/>{ROD}</body>
      </body>
    </body>
  </body>
  <body name="e" pos="-.1 .1 -.2">
    <joint name="e1" type="slide" axis="0 1 1"/><joint name="e2" axis="1 0 0"/>{BRICK}</body>
</body>"""

FLOATER = f"""
<body name="t" pos="0 0 1"><freejoint name="f"/>{BRICK}
  <body name="t1" pos=".2 0 0"><joint name="t1" axis="0 1 0"/>{ROD}
    <body name="t2" pos=".2 0 0"><joint name="t2" type="ball"/>{ROD}</body></body>
  <body name="t3" pos="-.2 0 0" euler="0 0 20">
    <joint name="t3" axis="1 1 0"/><joint name="t4" axis="0 0 1"/>{BRICK}</body>
</body>
<body name="u" pos="1 0 1"><joint name="u1" type="slide" axis="1 0 0"/><joint name="u2" type="slide" axis="0 1 .2"/>
  <joint name="u3" axis="0 0 1"/>{ROD}</body>
<body name="v" pos="0 1 1"><joint name="v1" type="slide" axis="0 0 1"/><joint name="v2" type="ball"/>{ROD}</body>"""


def actuated(joint, actuator):
    extra = f"<actuator>{actuator}</actuator>"
    child = f'<body pos="0 0 .3"><joint name="k" axis="0 1 0"/>{ROD}</body>'
    return model(f'<body pos=".1 .2 .5">{joint}{BRICK}{child}</body>', extra)


HINGE = '<joint name="j" axis="1 .4 0" damping=".2"/>'
BALL = '<joint name="j" type="ball"/>'
FREE = '<freejoint name="j"/>'

# Compensated bodies on every kind of joint, a light body and one that rises among them.
COMPENSATED = FLOATER.replace('name="t"', 'name="t" gravcomp=".7"').replace('name="t2"', 'name="t2" gravcomp="1"', 1)
COMPENSATED = COMPENSATED.replace('name="t3"', 'name="t3" gravcomp="1.4"', 1).replace(
    '<body name="u"', '<body name="u" gravcomp=".5"'
).replace('<body name="v"', '<body name="v" gravcomp="-.3"')
# Those of some joints are their actuators'; of them one is limited so far that it always is at an end, one never.
BY_ACTUATORS = COMPENSATED.replace(
    'name="t1" axis', 'name="t1" actuatorgravcomp="true" actuatorfrcrange="-90 90" axis'
).replace('name="t3" axis', 'name="t3" actuatorgravcomp="true" actuatorfrcrange="-.1 .05" axis').replace(
    'name="v2" type', 'name="v2" actuatorgravcomp="true" type'
)

# No constraint anywhere: compared with MuJoCo to rounding.
SMOOTH = {
    "hinge": single('<joint axis="1 2 3" pos=".1 0 .1" ref="20"/>'),
    "slide": single('<joint type="slide" axis="1 -1 .5" ref=".3"/>'),
    "ball": single('<joint type="ball" pos=".1 .05 0"/>'),
    "free": single("<freejoint/>"),
    "several joints": single(
        '<joint type="slide" axis="1 0 0"/><joint axis="0 1 0"/><joint axis="1 0 1" pos="0 .1 0"/>'
    ),
    "slides and ball": single('<joint type="slide" axis="1 0 0"/><joint type="ball" pos="0 .1 .1"/>'),
    "hinge then slide": single('<joint axis="0 1 0"/><joint type="slide" axis="1 0 0" pos=".1 .2 .3"/>'),
    "chain": model(CHAIN),
    "trees": model(FLOATER),
    "hinge spring": single('<joint axis="1 2 3" stiffness="7" springref="30" damping=".4" armature=".05" ref="10"/>'),
    "slide spring": single(
        '<joint type="slide" axis="0 1 1" stiffness="60" springref=".2" damping="3" armature=".4"/>'
    ),
    "ball spring": single('<joint type="ball" stiffness="5" damping=".4" armature=".05"/>'),
    "free spring": single('<joint type="free" stiffness="5" damping=".4" armature=".05"/>'),
    "polynomial hinge spring": single(
        '<joint axis="1 2 3" stiffness="7 4 9" springref="30" damping=".4 0 .0005"/>'
        '<joint axis="0 0 1" damping="0 0 .0005"/>'
    ),
    "polynomial slide spring": single(
        '<joint type="slide" axis="0 1 1" stiffness="0 20 50" damping="3 -1 0"/>'
        '<joint type="slide" axis="1 0 0" stiffness="30 -10 0" springref=".1" damping="0 0 2"/>'
    ),
    "polynomial ball spring": single('<joint type="ball" stiffness="5 3 2" damping=".4 .2 .3"/>'),
    "polynomial free damper": single('<joint type="free" damping=".4 .2 .3"/>'),
    "fluid": model(FLOATER).replace("<option", '<option density="200" viscosity=".3" wind=".4 -.2 .1"', 1),
    "gravcomp": model(COMPENSATED),
    "gravcomp of actuators": model(
        BY_ACTUATORS, '<actuator><motor joint="t1" gear="3"/><velocity joint="t3" kv="2"/></actuator>'
    ),
    "gravcomp of no actuator": model(BY_ACTUATORS),
    "limits on joints": actuated(
        HINGE.replace("axis", 'actuatorfrcrange="-2 1" axis'),
        '<motor joint="j" gear="2"/><position joint="j" kp="4" kv=".7" gear="1.5"/><velocity joint="k" kv=".3"/>'
        '<general joint="j" dyntype="integrator" gaintype="affine" gainprm="1 .2 .4" forcerange="-1 1"/>',
    ).replace('"k" axis', '"k" actuatorfrcrange="-.15 .2" axis'),
    "motor": actuated(
        HINGE, '<motor joint="j" gear="3"/><motor joint="k" ctrlrange="-.5 .5" forcerange="-.4 .4" gear="-2"/>'
    ),
    "position": actuated(
        HINGE, '<position joint="j" kp="20" kv="2" gear="1.5"/><position joint="k" kp="3" ctrlrange="-1 1"/>'
    ),
    "velocity": actuated(
        HINGE, '<velocity joint="j" kv="2" gear="1.5"/><velocity joint="k" kv=".3" forcerange="-1 1"/>'
    ),
    "affine": actuated(
        HINGE,
        '<general joint="j" gaintype="affine" gainprm="2 .5 .3" biastype="affine" biasprm=".4 -1.5 -.2" gear="1.3"/>'
        '<general joint="k" gaintype="affine" gainprm="1 -.5 .2" biastype="affine" biasprm="-.4 1 -.2" '
        'ctrlrange="-1 1"/>',
    ),
    "activation": actuated(
        HINGE,
        '<general joint="j" dyntype="integrator" gainprm="2" biastype="affine" biasprm="0 -1 -.1"/>'
        '<general joint="k" dyntype="filter" dynprm=".05" gaintype="affine" gainprm="2 .3 .1"/>'
        '<general joint="k" dyntype="filterexact" dynprm=".03" gainprm="1.5"/>'
        '<general joint="j" dyntype="integrator" actlimited="true" actrange="-.6 .6" ctrlrange="-.7 .7"/>'
        '<general joint="k" dyntype="filterexact" dynprm=".01" actlimited="true" actrange="-.5 .5"/>'
        '<general joint="k" dyntype="filter" dynprm=".02" actlimited="true" actrange="-.5 .5" forcerange="-.3 .3"/>',
    ),
    "early activation": actuated(
        HINGE,
        '<general joint="j" dyntype="integrator" actearly="true" gainprm="2" biastype="affine" biasprm="0 -1 -.1"/>'
        '<general joint="k" dyntype="filter" dynprm=".05" actearly="true" gaintype="affine" gainprm="2 .3 .1"/>'
        '<general joint="k" dyntype="filterexact" dynprm=".03" actearly="true" gainprm="1.5" ctrlrange="-.6 .6"/>'
        '<general joint="j" dyntype="filterexact" dynprm=".01" actearly="true" actlimited="true" actrange="-.2 .2"/>'
    ),
    "motor on ball": actuated(
        BALL, '<motor joint="j" gear="1 -2 .5"/><position joint="j" kp="3" kv=".4" gear=".3 .5 -1"/>'
        '<general joint="j" gaintype="affine" gainprm="1 .4 .3" biastype="affine" biasprm=".1 -1 -.2" gear="0 1 1"/>'
    ),
    "servo on ball": actuated(
        BALL,
        '<position joint="j" kp="3" kv=".4" gear=".2 -.3 .1"/><position joint="j" kp="1" gear="0 0 .2"/>'
        '<general joint="j" gainprm="2" biastype="affine" biasprm=".3 -2 0" gear=".3 0 0" ctrlrange="-2 2"/>'
        '<general joint="j" gainprm="2" biastype="affine" biasprm=".3 -1 0" gear=".3 0 0"/>'
    ),
    "motor on free": actuated(
        FREE, '<motor joint="j" gear="1 -2 .5 .3 .2 .1"/><velocity joint="j" kv=".4" gear=".3 .5 -1 .4 -.2 1"/>'
    ),
}  # fmt: skip

# Two branches of one tree, and a tree beside it, with sites that actuators pull at.
ARMED = f"""<site name="ws" pos=".2 .1 1.2" euler="10 20 30"/>
<body pos="0 0 1"><joint name="a" axis="0 1 0"/>{ROD}<site name="as" pos=".1 0 .1" euler="0 20 40"/>
  <body pos=".1 0 -.3"><joint name="b" axis="0 1 .3"/>{ROD}<site name="bs" pos=".1 .05 0" euler="20 30 10"/>
    <body pos="0 .1 -.2"><joint name="c" type="ball"/>{BRICK}<site name="cs" pos="0 .1 -.1" euler="5 0 20"/></body>
  </body>
  <body pos=".1 0 .3"><joint name="d" axis="1 1 0"/>{ROD}<site name="ds" pos="0 .1 .1" euler="-20 10 40"/></body></body>
<body pos="1 0 1"><freejoint name="f"/>{BRICK}<site name="fs" pos=".1 0 .2" euler="0 40 10"/>
  <body pos=".3 0 0"><joint name="e" axis="0 1 0"/>{ROD}<site name="es" pos=".1 .1 0"/></body></body>"""
READ = '<sensor><actuatorpos actuator="x"/><actuatorvel actuator="x"/><actuatorfrc actuator="y"/></sensor>'


def armed(actuators):
    return model(ARMED, f"<actuator>{actuators}</actuator>{READ}")


# Actuators whose moment arms depend on the pose.
ARMS = {
    "thrusters": armed(
        '<motor site="fs" gear="0 0 1 0 0 .1"/><motor name="x" site="bs" gear="1 .2 .3 .1 -.2 .3" ctrlrange="-1 1"/>'
        '<velocity name="y" site="fs" kv=".4" gear=".3 .5 -1 .4 -.2 1"/><motor joint="a" gear="2"/>'
        '<general site="cs" dyntype="filter" dynprm=".05" gear="0 .2 0 .3 0 0" gaintype="affine" gainprm="1 0 .3"/>'
    ),
    "reference sites": armed(
        '<motor site="cs" refsite="as" gear="1 .2 .3 .1 -.2 .3"/>'
        '<position name="x" site="fs" refsite="ws" kp="3" kv=".4" gear=".3 .5 -1 .4 -.2 1"/>'
        '<position name="y" site="cs" refsite="bs" kp="2" kv=".1" gear="0 0 0 .3 .2 -.5"/>'
        '<position site="es" refsite="fs" kp="2" gear="1 0 .3" forcerange="-.3 .3"/>'
    ),
    "cranks": armed(
        '<position name="x" cranksite="bs" slidersite="ws" cranklength=".9" kp="30" kv="2"/>'
        '<motor name="y" cranksite="cs" slidersite="as" cranklength=".9" gear="2"/>'
        '<position cranksite="ds" slidersite="ws" cranklength=".01" kp="3" kv=".2"/>'
    ),
    "parents' axes": armed(
        '<motor jointinparent="c" gear="2 3 4"/><motor jointinparent="f" gear="5 6 7 8 9 10"/>'
        '<position name="x" jointinparent="c" kp="3" kv=".4" gear=".2 -.3 .1"/>'
        '<velocity name="y" jointinparent="f" kv=".4" gear=".3 .5 -1 .4 -.2 1"/><motor jointinparent="b" gear="2"/>'
        '<general jointinparent="c" gaintype="affine" gainprm="1 .4 .3" biastype="affine" biasprm=".1 -1 -.2"/>'
    ),
}  # fmt: skip
# The same between sites on two branches, for integrators that take no velocity slope of theirs.
BRANCHED = {
    "branches": armed(
        '<position name="x" site="bs" refsite="ds" kp="3" kv=".4" gear="1 .2 .3 .1 -.2 .3"/>'
        '<position name="y" site="es" refsite="ds" kp="2" kv=".3" gear="1 .2 .3 .1 -.2 .3"/>'
        '<position cranksite="cs" slidersite="ds" cranklength="1" kp="3" kv=".3" gear="1.5"/>'
        '<motor cranksite="fs" slidersite="bs" cranklength="3"/>'
    ),
}  # fmt: skip

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

SHAPES = {
    "plane": 'type="plane" size="3 3 .1"',
    "sphere": 'type="sphere" size=".15"',
    "capsule": 'type="capsule" size=".08 .2"',
    "ellipsoid": 'type="ellipsoid" size=".1 .2 .15"',
    "cylinder": 'type="cylinder" size=".15 .12"',
    "box": 'type="box" size=".2 .15 .12"',
    "mesh": 'type="mesh" mesh="rock"',
}
# a hull with a face of seven corners and one of four
ROCK = """<asset><mesh name="rock" vertex=".2 0 -.1 .12 .14 -.1 -.03 .17 -.1 -.15 .1 -.1 -.18 -.02 -.1 -.1 -.15 -.1
.1 -.13 -.1 .1 .02 .12 .02 .1 .12 -.08 .03 .12 0 -.08 .12"/></asset>"""
PAIRS = (
    ("plane", "sphere"), ("plane", "capsule"), ("plane", "box"), ("sphere", "sphere"), ("sphere", "capsule"),
    ("capsule", "capsule"), ("sphere", "box"), ("capsule", "box"), ("plane", "cylinder"), ("sphere", "cylinder"),
    ("plane", "ellipsoid"), ("box", "box"), ("plane", "mesh"),
)  # fmt: skip
# by a search between them (contact/convex.py)
CONVEX = (
    ("sphere", "ellipsoid"), ("sphere", "mesh"), ("capsule", "ellipsoid"), ("ellipsoid", "ellipsoid"),
    ("ellipsoid", "cylinder"), ("ellipsoid", "box"), ("ellipsoid", "mesh"), ("capsule", "cylinder"),
    ("capsule", "mesh"), ("cylinder", "cylinder"), ("cylinder", "box"), ("cylinder", "mesh"),
)  # fmt: skip
# whose faces are clipped at each other (contact/multicontact.py)
HULLS = (("box", "mesh"), ("mesh", "mesh"))
CONES = ("pyramidal", "elliptic")
# attributes of a geom for each number of dimensions of its contacts
CONDIMS = {
    1: 'condim="1"', 3: 'condim="3"', 4: 'condim="4" friction=".9 .1 .001"', 6: 'condim="6" friction=".9 .1 .03"',
}  # fmt: skip


def touching(kind1, kind2, contact="", option="", held=""):
    """Two geoms that touch: a plane of the world or a body on joints `held` (default free), and a free body."""
    geom1, geom2 = (f'<geom name="{n}" {SHAPES[k]} mass="1" {contact}/>' for n, k in (("g1", kind1), ("g2", kind2)))
    first = geom1.replace('mass="1"', 'euler="3 -4 0"') if kind1 == "plane" else (
        f'<body name="one" pos="0 0 .5">{held or "<freejoint/>"}{geom1}<geom type="sphere" size=".03" pos=".1 .1 0" '
        f'mass=".3" contype="0" conaffinity="0"/></body>'
    )  # fmt: skip
    second = f'<body name="two" pos="0 0 .3"><freejoint/>{geom2}<geom type="sphere" size=".03" pos="0 .1 .1" mass=".2" '
    second += 'contype="0" conaffinity="0"/></body>'
    return model(first + second, default=ROCK if "mesh" in (kind1, kind2) else "", option=option)


def one_tree(option="", contact=""):
    """Two fingers of one hand that touch each other and the floor: contacts that couple branches."""
    finger = '<geom type="capsule" size=".04" fromto="0 0 0 .2 0 -.2" mass=".4"/>'
    return model(
        f"""<geom type="plane" size="2 2 .1"/><body name="hand" pos="0 0 .3"><freejoint/>
        <geom type="box" size=".1 .08 .05" mass="1"/>
        <body pos=".12 0 0"><joint name="l1" axis="0 1 0" damping=".05"/>{finger}
          <body pos=".2 0 -.2" euler="0 70 0"><joint name="l2" axis="0 1 .2"/>{finger}</body></body>
        <body pos="-.12 0 0" euler="0 0 180"><joint name="r1" axis="0 1 0" damping=".05"/>{finger}
          <body pos=".2 0 -.2" euler="0 70 0"><joint name="r2" axis="0 1 0"/>{finger}</body></body></body>
        <body name="ball" pos="0 0 .1"><freejoint/><geom type="sphere" size=".08" mass=".3"/></body>""",
        "<actuator><motor joint='l1'/><motor joint='l2'/><motor joint='r1'/><motor joint='r2'/></actuator>",
        default=f"<default><geom {contact}/></default>", option=option,
    )  # fmt: skip


def unlike(name, option):
    """Two capsules with the parameters of UNLIKE."""
    first, second, more = UNLIKE[name]
    text = touching("capsule", "capsule", "", f"{option} {more}")
    return text.replace('name="g1"', f'name="g1" {first}').replace('name="g2"', f'name="g2" {second}')


def explicit_pair(attributes, option=""):
    """A capsule and the floor with a pair of its own: two different tangential frictions and so on."""
    return model(
        '<geom name="floor" type="plane" size="2 2 .1"/><body pos="0 0 .1"><freejoint/>'
        '<geom name="c" type="capsule" size=".08 .2" mass="1" euler="0 80 0"/></body>',
        f'<contact><pair geom1="floor" geom2="c" {attributes}/></contact>', default="", option=option,
    )  # fmt: skip


# Contact parameters: name -> (attributes of both geoms, options)
PARAMETERS = {
    "frictionless": ('condim="1"', ""),
    "slippery": ('friction=".1 .005 .001"', ""),
    "direct solref": ('solref="-3000 -40"', ""),
    "slow solref": ('solref=".05 .6"', ""),
    "solimp power": ('solimp=".5 .95 .05 .3 3"', ""),
    "solimp flat": ('solimp=".8 .8 .01 .5 2"', ""),
    "solimp linear": ('solimp=".3 .9 .1 .5 1"', ""),
    "solimp no width": ('solimp=".3 .9 0 .5 2"', ""),
    "margin": ('margin=".03" solimp=".3 .9 .08 .5 2"', ""),
    "margin and gap": ('margin=".02" gap=".03"', ""),
    "impratio": ("", 'impratio="5"'),
    "small impratio": ("", 'impratio=".3"'),
    "small torsional": ('condim="4" friction=".8 .005 .001"', 'impratio="2"'),
    "no rolling": ('condim="6" friction=".8 .02 0" margin=".02"', 'impratio=".5"'),
    "moving surface": ('condim="6" friction=".8 .02 .01" surfacevel=".7 .3 .2 1 -2 3"', ""),
}
# Contacts of two geoms whose parameters differ: attributes of the first and of the second, options.
UNLIKE = {
    "greater friction": ('friction=".4 .03 .002"', 'friction=".7 .01 .005"', ""),
    "priority": ('condim="4" friction=".3 .02 .001" priority="2"', 'condim="6" friction=".9 .05 .01" priority="1"', ""),
    "solmix": (
        'solmix="2" solref=".03 .7" solimp=".7 .95 .02 .4 3" margin=".01"',
        'solmix=".5" solref=".05 1.2" solimp=".4 .9 .05 .6 1.5" margin=".02" condim="6" friction=".6 .02 .01"', "",
    ),
    "one direct": ('solref="-3000 -40" margin=".01"', 'solref=".02 1" solmix="0" gap=".02"', 'impratio="2"'),
    "weightless": ('solmix="0" solref=".04 .8" condim="1"', 'solmix="0" solimp=".5 .9 .01 .5 2" condim="3"', ""),
    "decided": ('solref="-900 -30" solimp=".5 .9 .01 .5 2"', 'solref=".03 1" priority="1" friction=".2 .005 .001"', ""),
    "no rolling friction": ('friction=".5 0 0" condim="6"', 'friction=".4 .02 0"', ""),
}  # fmt: skip
FRICTIONS = {
    "pair": 'condim="3" friction=".9 .2 .005 .0001 .0001"',
    "pair solimp": 'condim="3" friction=".3 1.1 .005 .0001 .0001" solref="-2000 -30" solimp=".4 .9 .05 .5 3" '
    'margin=".02"',
    "pair solreffriction": 'condim="3" friction=".9 .2 .005 .0001 .0001" solreffriction=".06 1.2"',
    "pair solreffriction direct": 'condim="3" friction=".5 .6 .005 .0001 .0001" solref="-2000 -30" '
    'solreffriction="-100 -20" solimp=".4 .9 .05 .5 3"',
    "pair torsional": 'condim="4" friction=".9 .4 .05 .3 .2" solreffriction=".06 1.2"',
    "pair rolling": 'condim="6" friction=".4 .7 .1 .02 .07" solref="-2000 -30" solimp=".4 .9 .05 .5 3"',
    "pair frictionless": 'condim="1" friction=".9 .2 .005 .0001 .0001" gap=".01" margin=".01"',
}

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


def ranging(option=""):
    """Rangefinders that look at each other's bodies, in all directions, at every shape, some from within."""
    quiet = 'contype="0" conaffinity="0"'
    shapes = {k: v for k, v in SHAPES.items() if k != "mesh"}
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
    return model(bodies, f"<sensor>{sensors}{cut}</sensor>", option=option)


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


def random_state(mujoco, mj, rng, kick=1.0, speed=1.0):
    """qpos, qvel, act, ctrl: qpos0 moved by a random velocity for a second."""
    qpos = mj.qpos0.copy()
    mujoco.mj_integratePos(mj, qpos, rng.normal(size=mj.nv) * kick, 1.0)
    act = rng.normal(size=mj.na) * 0.4
    return qpos, rng.normal(size=mj.nv) * speed, act, rng.normal(size=mj.nu)


def smooth_entries(m, name, value):
    """Which entries of a parameter a difference may move to both sides: not the size of a mesh, nor the power of an
    impedance that is at its bound."""
    moves = np.ones(value.shape, bool)
    if name == "geom_size":
        moves[m.geom_type == 7] = False
    if name.endswith("solimp"):
        moves[..., 4] = value[..., 4] > 1
    return moves


def random_poses(mj, rng, kick=0.03):
    """mocap_pos, mocap_quat: those of the model moved, the quaternions of any length."""
    bodies = np.flatnonzero(mj.body_mocapid >= 0)
    pos = mj.body_pos[bodies] + kick * rng.normal(size=(mj.nmocap, 3))
    quat = mj.body_quat[bodies] + kick * rng.normal(size=(mj.nmocap, 4))
    return pos, quat * rng.uniform(0.5, 2, size=(mj.nmocap, 1))


def touching_state(mujoco, mj, data, rng, speed=1.0, reach=0.55):
    """A random state with at least one contact, found by moving the last body close to the first."""
    for _ in range(1000):
        qpos, qvel, act, ctrl = random_state(mujoco, mj, rng, 1.0, speed)
        quat = rng.normal(size=4)
        qpos[-7:-4] = mj.body_pos[1] + rng.normal(size=3) * reach * 0.4
        if mj.nbody == 2:
            qpos[-7:-4] = rng.uniform(0, 0.25, size=3)
        else:
            qpos[:3] = mj.body_pos[1]
        qpos[-4:] = quat / np.linalg.norm(quat)
        data.qpos[:] = qpos
        mujoco.mj_fwdPosition(mj, data)
        if data.ncon:
            return qpos, qvel, act, ctrl
    raise AssertionError("no state with a contact found")


def with_cone(path, cone):
    """XML text of a file with another friction cone."""
    text = open(path).read()
    head, mark, tail = text.partition("<worldbody>")
    return f'{head}<option cone="{CONES[cone]}"/>{mark}{tail}'
