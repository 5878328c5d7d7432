"""Actuators whose moment arms depend on the pose."""

from tests.zoo.bodies import BRICK, ROD, model

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
