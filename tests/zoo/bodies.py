"""Bodies that the models are made of, and what makes a model of them."""

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
