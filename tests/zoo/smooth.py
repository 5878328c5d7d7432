"""Models in which nothing constrains: compared with MuJoCo to rounding."""

from tests.zoo.bodies import BALL, BY_ACTUATORS, CHAIN, COMPENSATED, FLOATER, FREE, HINGE, actuated, model, single

WATER = '<option density="200" viscosity=".3" wind=".4 -.2 .1"'
# Geoms that the fluid takes for ellipsoids on bodies of all kinds, one for its box among them; a free body alone in its
# tree with one of some millimetres.
ELLIPSOIDS = FLOATER.replace('type="box"', 'type="box" fluidshape="ellipsoid"').replace(
    'type="capsule"', 'type="capsule" fluidshape="ellipsoid" fluidcoef=".6 .3 1.2 .8 .7"', 3
) + (
    '<body pos="0 3 1"><freejoint/><geom type="ellipsoid" size=".1 .2 .15" fluidshape="ellipsoid" pos=".1 0 .2"/>'
    '<geom type="cylinder" size=".003 .005" mass="1" fluidshape="ellipsoid" fluidcoef="30 20 90 40 30" '
    'euler="10 20 30"/><body pos=".2 0 0" euler="50 20 10"><geom type="box" size=".1 .02 .2" fluidshape="ellipsoid"/>'
    "</body></body>"
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
    "fluid": model(FLOATER).replace("<option", WATER, 1),
    "ellipsoids in a fluid": model(ELLIPSOIDS).replace("<option", WATER, 1),
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
    "pid": actuated(
        HINGE,
        '<pid joint="j" kp="20" kv="2" ki="30" gear="1.5" input="pos"/>'
        '<general joint="k" dyntype="filter" dynprm=".05"/>'
        '<pid joint="k" kp="3" kv=".3" ki="9" imax=".2" slewmax="4" input="pos"/>'
        '<pid joint="j" kp="4" slewmax="300" input="pos" forcerange="-1.7 1.9" ctrlrange="-.5 .5"/>'
        '<pid joint="k" kp="4" kv=".1" ki="3" imax=".1" slewmax="300" input="pos"/>'
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
