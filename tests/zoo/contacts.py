"""Contacts of all pairs of shapes, and of all parameters that a file may give them."""

from tests.zoo.bodies import model

SHAPES = {
    "plane": 'type="plane" size="3 3 .1"',
    "sphere": 'type="sphere" size=".15"',
    "capsule": 'type="capsule" size=".08 .2"',
    "ellipsoid": 'type="ellipsoid" size=".1 .2 .15"',
    "cylinder": 'type="cylinder" size=".15 .12"',
    "box": 'type="box" size=".2 .15 .12"',
    "mesh": 'type="mesh" mesh="rock"',
    "hfield": 'type="hfield" hfield="hills"',
}
# a hull with a face of seven corners and one of four
ROCK = """<asset><mesh name="rock" vertex=".2 0 -.1 .12 .14 -.1 -.03 .17 -.1 -.15 .1 -.1 -.18 -.02 -.1 -.1 -.15 -.1
.1 -.13 -.1 .1 .02 .12 .02 .1 .12 -.08 .03 .12 0 -.08 .12"/></asset>"""
HILLS = """<asset><hfield name="hills" nrow="5" ncol="4" size=".4 .5 .12 .1" elevation="
.3 .1 .4 .9 .2 .6 0 .3 .8 .5 .7 .2 .1 1 .3 .6 .4 .2 .9 .5"/></asset>"""
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
# of a height field's prisms (contact/hfield.py)
FIELDS = tuple(("hfield", kind) for kind in ("sphere", "capsule", "ellipsoid", "cylinder", "box", "mesh"))
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
    assets = ROCK * ("mesh" in (kind1, kind2)) + HILLS * (kind1 == "hfield")
    return model(first + second, default=assets, option=option)


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


def strewn(option="", attributes=""):
    """All shapes that touch a height field, on one, each on a body of its own; they do not touch each other."""
    bodies = '<geom type="hfield" hfield="hills" euler="3 -4 0" contype="1" conaffinity="2"/>'
    for k, (_, kind) in enumerate(FIELDS):
        turn = f"{20 * k} {35 - 15 * k} {40 * k}"
        bodies += f"""<body name="{kind}" pos="{0.24 * (k % 3) - 0.22} {0.44 * (k // 3) - 0.2} 1" euler="{turn}">
        <freejoint/><geom {SHAPES[kind]} mass="1" contype="2" conaffinity="1" {attributes}/></body>"""
    return model(bodies, default=ROCK + HILLS, option=option)


def dropped(mujoco, mj, deep=2e-3):
    """qpos of the bodies of `strewn` where each is about so deep in the ground, m."""
    data, qpos = mujoco.MjData(mj), mj.qpos0.copy()
    for z in range(2, mj.nq, 7):
        for step in (1e-2, 1e-3, 1e-4):
            touching = False
            while not touching:
                qpos[z] -= step
                data.qpos[:] = qpos
                mujoco.mj_fwdPosition(mj, data)
                touching = (data.contact.geom[: data.ncon, 1] == 1 + z // 7).any()
            qpos[z] += step
        qpos[z] -= deep
    return qpos
