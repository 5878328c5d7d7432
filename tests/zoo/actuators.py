"""Actuators whose moment arms depend on the pose, muscles, adhesion."""

from tests.zoo.bodies import BRICK, HINGE, ROD, actuated, model
from tests.zoo.tendons import driven, strung

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


def limited(xml):
    """The same with joints of which most limit what actuators do to them, and sensors of that."""
    for name, most in (("a", 1.2), ("b", 0.4), ("d", 0.6), ("e", 0.3)):
        xml = xml.replace(f'<joint name="{name}"', f'<joint name="{name}" actuatorfrcrange="-{most} {most}"')
    felt = "".join(f'<jointactuatorfrc joint="{name}"/>' for name in "abde")
    return xml.replace("</sensor>", f"{felt}</sensor>")


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
    "branches": armed(
        '<position name="x" site="bs" refsite="ds" kp="3" kv=".4" gear="1 .2 .3 .1 -.2 .3"/>'
        '<position name="y" site="es" refsite="ds" kp="2" kv=".3" gear="1 .2 .3 .1 -.2 .3"/>'
        '<position cranksite="cs" slidersite="ds" cranklength="1" kp="3" kv=".3" gear="1.5"/>'
        '<motor cranksite="fs" slidersite="bs" cranklength="3"/>'
    ),
    "turning setpoints": armed(
        '<position joint="c" kp="3" kv=".2" gear="1 .5 0" timeconst=".05"/>'
        '<intvelocity name="x" joint="c" kp="3" gear=".2 1 -.3" actrange="-20 20"/>'
        '<general joint="c" gainprm="2" biastype="affine" biasprm=".1 -2 -.1" dyntype="filter" dynprm=".03" '
        'actearly="true" gear="0 .4 .9"/>'
        '<intvelocity name="y" site="cs" refsite="as" kp="2" gear="0 0 0 .3 .2 -.5" actrange="-5 5"/>'
        '<general jointinparent="c" gainprm="2" biastype="affine" biasprm="0 -2 0" dyntype="filterexact" '
        'dynprm=".03" gear="0 .4 .9"/>'
    ),
    "orientation servos": armed(
        '<orientation name="x" joint="c" kp="3" kv=".2" forcerange="0 90"/><motor joint="a" gear="2"/>'
        '<general joint="c" gaintype="so3" biastype="so3" gainprm="2" biasprm=".1 -2 -.1" dyntype="integrator" '
        'actearly="true" actrange="-4 4"/><orientation name="y" site="cs" refsite="as" kp="2" kv=".1"/>'
        '<general site="es" refsite="ws" gaintype="so3" biastype="so3" gainprm="1" biasprm="0 -1 -.1" '
        'dyntype="integrator" ctrlrange="-3 3"/>'
    ),
    "arms of limited joints": limited(armed(
        '<position name="x" site="bs" refsite="ds" kp="3" kv=".4" gear="1 .2 .3 .1 -.2 .3"/>'
        '<velocity name="y" site="es" kv=".8" gear=".3 .5 -1 .4 -.2 1"/><motor joint="a" gear="2"/>'
        '<position cranksite="cs" slidersite="as" cranklength="1" kp="3" kv=".3" gear="1.5"/>'
        '<velocity jointinparent="f" kv=".4" gear=".3 .5 -1 .4 -.2 1"/>'
    )),
}  # fmt: skip

# Orientation servos as quaternions, whose force a range clamps, which act on controls of the past, between branches and
# trees, on joints that limit what acts on them, and all that sensors tell of them.
TORQUES = "".join(f'<actuator{what} actuator="{name}"/>' for name in "pqr" for what in ("pos", "vel", "frc"))
ORIENTED = limited(armed(
    '<orientation name="p" joint="c" kp="3" kv=".2" input="quat" ctrlrange="-.8 .9"/><motor name="x" joint="a"/>'
    '<orientation name="q" site="bs" refsite="ds" kp="4" kv=".3" forcerange="0 1"/><motor name="y" joint="b"/>'
    '<orientation site="fs" refsite="es" kp="2" kv=".1" input="quat" forcerange="0 9"/>'
    '<general name="r" joint="c" gaintype="so3" biastype="so3" gainprm="2" biasprm=".1 -2 -.1" dyntype="integrator" '
    'delay=".009" nsample="4" interp="linear" forcerange="0 .7"/>'
)).replace("</sensor>", f'{TORQUES}<actuatorfrc actuator="q" cutoff=".3"/></sensor>')

# Muscles on joints and tendons, half of them with one part of a muscle alone. Their controls and their states are
# clamped at zero, and most of them switch between rise and fall at once: kinks that are at rest exactly.
MUSCLES = {
    "muscles on joints": actuated(
        HINGE,
        '<muscle joint="j" lengthrange="-1 1" range=".2 1.8" force="30" gear="1.2" timeconst=".03 .05"/>'
        '<muscle joint="k" lengthrange="-1.2 .8" range=".3 1.7" scale="9" lmin=".4" lmax="1.5" vmax="2" fpmax="1.1" '
        'fvmax="1.4" tausmooth=".6" timeconst=".02 .06" ctrlrange="-1 .8"/>'
        '<general joint="k" lengthrange="-2 1" dyntype="muscle" dynprm=".03 .05 .3" actearly="true" gaintype="muscle" '
        'gainprm=".2 1.6 2 200 .5 1.6 1.5 1.3 1.2" biastype="muscle" biasprm=".3 1.8 3 200 .5 1.6 1.5 1.3 1.2"/>'
        '<general joint="j" lengthrange="-2 2" gaintype="muscle" gainprm=".5 1.5 8 200 .5 1.6 1.5 1.3 1.2" '
        'biastype="affine" biasprm=".4 -1.5 -.2" gear="-1.5"/>'
        '<general joint="k" dyntype="muscle" dynprm=".05 .04 0" gaintype="affine" gainprm="2 .3 .1" '
        'lengthrange="-1 1" biastype="muscle" biasprm=".4 1.3 4 200 .5 1.4 1.5 1.3 1.2" forcerange="-1 1"/>',
    ),
    "muscles along paths": strung(driven(
        '<muscle tendon="far" lengthrange="1.2 2.4" range=".4 1.6" force="9" timeconst=".02 .04" tausmooth=".3"/>'
        '<muscle tendon="ball" lengthrange=".2 1" range=".4 1.6" force="7" gear="1.2" timeconst=".02 .04"/>'
        '<muscle tendon="far" lengthrange=".5 2" force="20" gear=".8" timeconst=".03 .02"/><motor joint="b"/>'),
        far='actuatorfrcrange="-6 .7"', ball='damping=".2"'),
}  # fmt: skip

# DC motors: currents, heat, bristles, cogging, setpoints and voltages that are clamped and that are not.
COIL = 'motorconst=".3" resistance="2"'
HOT, STICKY = 'thermal="2 .05 0 .02 20 30"', 'lugre="30 .4 .1 .2 .3"'
MOTORS = actuated(
    HINGE,
    f'<dcmotor joint="j" {COIL} inductance="0 .006" gear="1.5"/><general joint="k" dyntype="filter" dynprm=".05"/>'
    f'<dcmotor name="m" joint="k" {COIL} inductance=".004 0" {HOT} controller="5 7 .4 6 .02 1.5" '
    'input="pos vel ff voltage" saturation=".3 0 50" ctrlrange="-1.5 1.5"/>'
    f'<dcmotor joint="j" {COIL} {HOT} cogging=".2 6 .3"/><dcmotor joint="k" {COIL} {STICKY} saturation=".05 0 0"/>'
    f'<dcmotor joint="j" {COIL} controller="3 2 .2 0 .3 2" input="pos" lugre="20 0 .2 .3 .2" inductance="0 .01" '
    f'cogging=".1 3 .3"/><dcmotor joint="k" {COIL} controller="0 0 .2 .5 0 2" input="vel" delay=".01" nsample="3"/>',
).replace("</mujoco>", '<sensor><actuatorfrc actuator="m"/></sensor></mujoco>')

# Controllers and motors of turns, whose integrals and limited setpoints go round a circle, and motors without inputs.
TURNED = armed(
    '<pid name="x" joint="c" kp="3" kv=".2" ki="4" slewmax="8" imax=".3" gear="1 .5 0" input="pos"/>'
    '<pid site="cs" refsite="as" kp="0" ki="2" gear="0 0 0 .3 .2 -.5" input="pos vel"/>'
    f'<dcmotor joint="a" {COIL} {HOT} {STICKY} inductance="0 .006" cogging=".2 6 .3" input="none" ctrlrange="1 2"/>'
    '<pid jointinparent="c" kp="2" kv=".2" slewmax="3" gear="0 .4 .9" input="pos"/>'
    '<pid joint="c" kp=".4" kv=".2" input="vel" gear=".3 .1 .2"/><motor name="y" joint="b"/>'
    f'<dcmotor joint="c" {COIL} controller="3 2 .2 4 .3 2" input="pos" gear="0 .4 .9"/>'
    f'<dcmotor name="idle" joint="d" {COIL} input="none"/>'
)

# Read at samples and between them, by every rule, past the oldest one; one that nobody reads.
DELAYED = actuated(
    HINGE,
    '<motor joint="j" gear="2" delay=".008" nsample="2"/>'
    '<position joint="k" kp="3" kv=".4" delay=".0065" nsample="3" interp="linear" ctrlrange="-.8 .8"/>'
    '<general joint="j" dyntype="filter" dynprm=".05" actearly="true" delay=".009" nsample="4" interp="cubic" '
    'gaintype="affine" gainprm="2 .3 .1"/><motor joint="k" delay=".05" nsample="2"/><motor joint="k" nsample="3"/>'
    '<velocity joint="k" kv=".2"/>',
)


def adhesive(option="", most=""):
    """A hand that sticks to a box, and a ball that sticks to both, within gaps or closer; all of them near a floor.
    most: of the forces of actuators on the hand's joint, which a sensor feels then."""
    shapes = {"hand": 'type="capsule" size=".08 .2"', "ball": 'size=".15"', "box": 'type="box" size=".2 .15 .12"'}
    bodies = '<geom type="plane" size="3 3 .1" pos="0 0 -.2"/>'
    for k, (name, shape) in enumerate(shapes.items()):
        cut = f' actuatorfrcrange="-{most} {most}"' * bool(most)
        joint = f'<joint name="j"{cut} axis="0 1 .3"/><joint type="slide" axis="1 0 .5"/>' if k == 0 else "<freejoint/>"
        bodies += f'<body name="{name}" pos="{.25 * k} 0 {.1 * k}">{joint}<geom {shape} mass="1" gap=".2"/></body>'
    pulls = '<adhesion name="x" body="hand" gain="5" ctrlrange="0 2"/><adhesion name="y" body="ball" ctrlrange="0 1"/>'
    pulls += '<general body="box" dyntype="filter" dynprm=".05" biastype="affine" biasprm=".3 0 -.2" gear="1"/>'
    felt = READ.replace("</sensor>", '<jointactuatorfrc joint="j"/></sensor>') if most else READ
    return model(bodies, driven(pulls) + felt, default='<default><geom margin=".02"/></default>', option=option)
