"""Robots at random with all that came after those of tests/physics/random_robots.py, and URDFs.

Every shape meets every other, meshes and mocap bodies among them; distances are sensed; there are keyframes, more
options, and now and then something that the engine refuses.
"""

import re

import numpy as np

from engine.model.sensors import CONTACT_FIELDS, RANGE_FIELDS
from tests.physics.random_robots import Robot
from tests.random_files.drives import driven

SHAPES = ("sphere", "capsule", "box", "cylinder", "ellipsoid", "mesh")
FLAGS = ("multiccd", "warmstart", "island", "midphase", "autoreset", "gravity", "contact", "equality", "constraint",
         "sensor", "actuation", "nativeccd")  # fmt: skip
ON = ("energy", "fwdinv", "invdiscrete", "override", "sleep")
FORMULAS = {  # shapes whose distances from each shape have a formula
    "sphere": ("sphere", "capsule", "box", "cylinder"), "capsule": ("sphere", "capsule"), "box": ("sphere",),
    "cylinder": ("sphere",), "ellipsoid": (), "mesh": (),
}  # fmt: skip
# What may be refused, by the section it stands in; {j} is a joint, {b} a body, {s} and {t} two sites.
RARE = (
    ("tendon", '<spatial name="rare" stiffness="3" springyield=".1"><site site="{s}"/><site site="{t}"/></spatial>'),
    ("actuator", '<muscle joint="{j}"/>'), ("actuator", '<adhesion body="{b}" ctrlrange="0 1"/>'),
    ("actuator", '<motor site="{s}"/>'), ("actuator", '<dcmotor joint="{j}"/>'),
    ("actuator", '<motor slidersite="{s}" cranksite="{t}" cranklength=".3"/>'),
    ("sensor", '<user dim="2"/>'), ("sensor", '<camprojection camera="cam" site="{s}"/>'),
    ("sensor", '<insidesite objtype="body" objname="{b}" site="{s}"/>'),
    ("worldbody", '<geom type="hfield" hfield="hills"/>'), ("worldbody", '<geom type="plane" size="1 1 1"/>'),
    ("worldbody", '<flexcomp name="cloth" type="grid" count="3 3 1" spacing=".1 .1 .1" pos="0 0 2"/>'),
    ("worldbody", '<replicate count="3" offset=".2 0 0"><geom size=".05"/></replicate>'),
    ("worldbody", '<light pos="0 0 3"/>'),
    ("option", 'integrator="discrete" density="1"'), ("option", 'actuatorgroupdisable="0"'),
)  # fmt: skip


class AnyRobot(Robot):
    """`xml`, as of a Robot, of one seed."""

    KINDS = SHAPES
    TOUCH = {"capsule": (3, 3), "cylinder": (1, 2)}
    PAIRED = SHAPES

    def __init__(self, seed):
        # of what came later, so that a seed's robot is the same otherwise
        self.new, self.late = np.random.default_rng((seed, 4)), np.random.default_rng((seed, 8))
        if self.late.random() < 0.4:
            self.TOUCH = {}  # everything touches its like
        self.soft, self.earth, self.apart, self.seeing = (np.random.default_rng((seed, k)) for k in (11, 12, 13, 14))
        self.barred = np.random.default_rng((seed, 16))
        self.meshes = []
        self.gapless, self.ranging = self.maybe(0.4), self.maybe(0.2)
        if not self.ranging:
            self.SITE_SENSORS = self.SITE_SENSORS[:-1]
        super().__init__(seed)
        more = self.assets() + self.distances() + self.keyframes() + self.rare() + self.paths()
        self.xml = self.xml.replace("</mujoco>", more + "</mujoco>")
        drives = self.arms()
        self.xml = self.with_more(self.xml.replace("</mujoco>", drives + "</mujoco>"))
        if self.ranging:
            self.xml = self.with_rays(self.xml)
        self.xml = driven(self, np.random.default_rng((seed, 9)))
        if self.earth.random() < 0.12:
            self.xml = self.xml.replace("</mujoco>", self.ground() + "</mujoco>")

    # ------------------------------------------------------------------------------------------------- small things

    def maybe(self, p):
        return self.new.random() < p

    def one(self, choices):
        return choices[self.new.integers(len(choices))]

    def some(self, n, low=-1.0, high=1.0):
        return " ".join(f"{x:.5g}" for x in self.new.uniform(low, high, n))

    def given(self, p, name, value):
        return "" if name == "gap" and self.gapless else super().given(p, name, value)

    # ---------------------------------------------------------------------------------------------------- the header

    def compiler(self):
        more = ""
        for part in ('boundmass=".01"', 'boundinertia="1e-4"', 'balanceinertia="true"', 'settotalmass="9"',
                     'inertiafromgeom="true"', 'fusestatic="true"', 'alignfree="true"', 'saveinertial="true"',
                     'inertiagrouprange="0 3"', 'discardvisual="true"'):  # fmt: skip
            more += f" {part}" * self.maybe(0.05)
        return super().compiler().replace("/>", f"{more}/>") + '<visual><global offwidth="64"/></visual>'

    def option(self):
        flags = "".join(f' {name}="disable"' for name in FLAGS[:5] if self.maybe(0.15))
        flags += "".join(f' {name}="disable"' for name in FLAGS[5:] if self.maybe(0.006))
        flags += "".join(f' {name}="enable"' for name in ON if self.maybe(0.005))
        more = f'solver="{self.one(("Newton", "CG", "PGS"))}" jacobian="{self.one(("dense", "sparse", "auto"))}" '
        more += 'iterations="30" ' * self.maybe(0.2) + 'ccd_iterations="20" ' * self.maybe(0.2)
        text = super().option().replace("<flag", f"<flag{flags}").replace("<option ", f"<option {more}")
        if 'integrator="discrete"' in text and 'solver="PGS"' not in text and self.barred.random() < 0.1:
            text = text.replace("<flag", '<flag ipc="enable"', 1)
        if self.barred.random() < 0.03:
            text = text.replace("<flag", '<flag speculative="enable"', 1)
        return text.replace('memory="8M"', 'memory="64M"')

    def defaults(self):
        more = '<site rgba="1 0 0 1"/><mesh scale="1 1.2 .9"/><equality solref=".03 1"/><pair margin=".004"/>'
        return super().defaults().replace("<default>", f"<default>{more * self.maybe(0.5)}", 1)

    # ---------------------------------------------------------------------------------------------------- the bodies

    def tree(self):
        return self.mocap() if self.maybe(0.2) else super().tree()

    def mocap(self):
        name = f"b{len(self.bodies)}"
        self.bodies.append(name)
        self.parent[name] = "world"
        inside = self.geom(name) + self.site(name)
        plane = f'<geom type="plane" size="1 1 .1" contype="0" conaffinity="{self.new.integers(4)}"/>'
        inside += plane * self.maybe(0.1)
        if self.maybe(0.6):
            inside += self.body(name, 1)
        return f'<body name="{name}" mocap="true" pos="{self.some(3, 0, 0.5)}" {self.turn()}>{inside}</body>'

    def size(self, kind):
        if kind != "mesh":
            return super().size(kind)
        if not self.meshes or self.maybe(0.7):
            self.meshes.append(self.hull())
        seen = 'rgba="1 1 1 0" ' * (self.ranging and self.maybe(0.3))
        return f'{seen}mesh="hull{self.new.integers(len(self.meshes))}"'

    def hull(self):
        """Corners at random, or those of a prism, whose faces have many corners."""
        if self.maybe(0.4):
            n = self.new.integers(3, 8)
            angle = np.sort(self.new.uniform(0, 2 * np.pi, n)) if self.maybe(0.5) else np.arange(n) * 2 * np.pi / n
            ring = 0.12 * np.column_stack([np.cos(angle), np.sin(angle)])
            points = np.vstack([np.column_stack([ring, np.full(n, z)]) for z in (-0.08, 0.07)])
        else:
            points = self.new.normal(size=(self.new.integers(4, 30), 3))
            points *= 0.1 / np.linalg.norm(points, axis=1, keepdims=True) if self.maybe(0.5) else 0.06
        return " ".join(f"{x:.5g}" for x in points.ravel())

    # -------------------------------------------------------------------------------------------------- the sections

    def assets(self):
        text = '<hfield name="hills" nrow="2" ncol="2" size="1 1 .1 .1"/>'
        for k, vertex in enumerate(self.meshes):
            more = self.one(("", "", ' inertia="shell"', ' inertia="exact"', ' maxhullvert="8"', ' refpos=".01 0 .02"',
                             ' refquat=".9 .1 0 .3"', ' scale="1 -1 1"'))  # fmt: skip
            text += f'<mesh name="hull{k}" vertex="{vertex}"{more}/>'
        return f"<asset>{text}</asset>"

    def distances(self):
        """Of the shapes that have a formula, and of the floor; and of all shapes."""
        text = ""
        kinds = {name: (kind, body) for name, kind, body in self.geoms}
        for name, (kind, body) in kinds.items():
            others = [g for g, (k, b) in kinds.items() if b != body and (k in FORMULAS[kind] or self.maybe(0.001))]
            others += ["floor"] * (kind != "mesh")
            if not others or self.maybe(0.5):
                continue
            what, cutoff = self.one(("distance", "normal", "fromto")), self.one(("2", ".3", ".01"))
            text += f'<{what} geom1="{name}" geom2="{self.one(others)}" cutoff="{cutoff}"/>'
        rng = self.apart
        for name, (_, body) in kinds.items():
            others = [g for g, (_, b) in kinds.items() if b != body] + ["floor"]
            if rng.random() < 0.3:
                what, cutoff = rng.choice(("distance", "normal", "fromto")), rng.choice(("2", ".3", ".01"))
                text += f'<{what} geom1="{name}" geom2="{rng.choice(others)}" cutoff="{cutoff}"/>'
        return f"<sensor>{text}</sensor>"

    def keyframes(self):
        if self.maybe(0.5):
            return ""
        qpos = " ".join(self.some({"free": 7, "ball": 4}.get(kind, 1), 0.1, 0.6) for _, kind in self.joints)
        qvel = " ".join(self.some({"free": 6, "ball": 3}.get(kind, 1), -1, 1) for _, kind in self.joints)
        return f'<keyframe><key name="home" qpos="{qpos}"/><key qvel="{qvel}" time="2"/></keyframe>'

    def paths(self):
        """Spatial tendons over sites and pulleys, round spheres and cylinders, and what acts on them."""
        names = [f"p{k}" for k in range(self.new.integers(1, 4) if len(self.sites) > 1 and self.maybe(0.25) else 0)]
        if not names:
            return ""
        self.xml = re.sub("<(force|torque) site=[^>]*/>", "", self.xml)  # which are refused beside pulls on bodies
        round_ones = [name for name, kind, _ in self.geoms if kind in ("sphere", "cylinder")]
        tendons = drives = sensors = ""
        for name in names:
            inside, last, bent = "", "", False
            for branch in range(1 + self.maybe(0.3)):
                inside += f'<pulley divisor="{self.some(1, 0.5, 3)}"/>' * branch
                for place in range(self.new.integers(2, 4)):
                    if place and round_ones and self.maybe(0.5):
                        side = ' sidesite="far"' * self.maybe(0.3)
                        inside, bent = f'{inside}<geom geom="{self.one(round_ones)}"{side}/>', True
                    last = self.one([site for site in self.sites if site != last])
                    inside += f'<site site="{last}"/>'
            text = f'stiffness="{self.some(1, 0, 9)}"'
            for part in ('damping=".2 .05 .01"', 'springlength=".2 .5"', 'frictionloss=".2"', 'range="0 .6"',
                         'actuatorfrcrange="-.6 .4"', 'armature=".02"'):  # fmt: skip
                text += f" {part}" * (self.maybe(0.4) and not (bent and "armature" in part))
            tendons += f'<spatial name="{name}" {text}>{inside}</spatial>'
            drives += f'<position tendon="{name}" kp="3" kv=".2" gear="{self.some(1)}"/>' * self.maybe(0.4)
            sensors += f'<tendonpos tendon="{name}"/><tendonvel tendon="{name}"/>'
        tie = f'<equality><tendon tendon1="p0" tendon2="{names[-1]}"/></equality>' * (len(names) > 2)
        return (f'<worldbody><site name="far" pos="0 0 9"/></worldbody><tendon>{tendons}</tendon>{tie}'
                f"<actuator>{drives}</actuator><sensor>{sensors}</sensor>")  # fmt: skip

    def arms(self):
        """Actuators on sites, between two, on cranks and in parents' frames."""
        late = self.late
        if len(self.sites) < 2 or late.random() < 0.7:
            return ""
        held = [(name, kind) for name, kind in self.joints if kind in ("free", "ball")]
        drives = sensors = ""
        for k in range(late.integers(1, 4)):
            one, other = (self.sites[i] for i in late.choice(len(self.sites), 2, replace=False))
            gear = " ".join(f"{x:.4g}" for x in late.uniform(-1, 1, 6) * (late.random(6) < 0.7))
            on = f'site="{one}" gear="{gear}"'
            way = late.integers(4)
            if way == 1:
                turn = late.random() < 0.3
                on = f'site="{one}" refsite="{other}" gear="{"0 0 0 1 .5 -.3" if turn else gear}"'
            if way == 2:
                on = f'cranksite="{one}" slidersite="{other}" cranklength="{late.uniform(0.1, 0.9):.3g}" gear="-.7"'
            if way == 3 and held:
                joint, kind = held[late.integers(len(held))]
                on = f'jointinparent="{joint}" gear="{gear if kind == "free" else "1 -.5 .3"}"'
            common = f'name="a{k}" {on}' + ' forcerange="-2 3"' * (late.random() < 0.2)
            filtered = 'gainprm="2" biastype="affine" biasprm=".1 -1 -.2"'
            drives += (f"<motor {common}/>", f'<position {common} kp="3" kv=".1"/>', f'<velocity {common} kv=".2"/>',
                       f'<general {common} dyntype="filter" dynprm=".1" {filtered}/>')[late.integers(4)]  # fmt: skip
            sensors += f'<actuatorpos actuator="a{k}"/><actuatorvel actuator="a{k}"/><actuatorfrc actuator="a{k}"/>'
        return f"<actuator>{drives}</actuator><sensor>{sensors}</sensor>"

    def with_more(self, text):
        """Attributes here and there: surfaces that move, forces of states after the step, torques in contact sensors,
        noslip iterations."""
        late = self.late

        def some(p, pattern, more):
            nonlocal text
            text = re.sub(pattern, lambda found: found[0] + more() * (late.random() < p), text)

        def torque(found):
            words = {*found[1].split(), *(("torque",) if late.random() < 0.4 else ())}
            return 'data="' + " ".join(word for word in CONTACT_FIELDS if word in words) + '"'

        def speeds():
            return ' surfacevel="' + " ".join(f"{x:.3g}" for x in late.uniform(-1, 1, 6)) + '"'

        if late.random() < 0.2:
            some(0.3, '<geom name="g[0-9]+"', speeds)
        some(0.2, 'dyntype="(filter|integrator|filterexact)"', lambda: ' actearly="true"')
        if self.soft.random() < 0.1:
            places = r'<joint name="[^"]*" (?!type="free")|<(?:spatial|fixed) name="[^"]*" (?![^>]*springyield)'
            text = re.sub(places, lambda found: found[0] + self.yields() * (self.soft.random() < 0.7), text)
        if late.random() < 0.06:
            text = text.replace("<option ", f'<option noslip_iterations="{late.integers(1, 20)}" ', 1)
        return re.sub('data="([^"]*)"', torque, text)

    def with_rays(self, text):
        """Rangefinders that tell more than the distance, from sites and through the pixels of cameras."""
        rng = self.seeing

        def told(found):
            words = [word for word in RANGE_FIELDS if rng.random() < 0.4]
            return found[0] + f'data="{" ".join(words)}" ' * bool(words and rng.random() < 0.6)

        sensors = far = ""
        for k in range(rng.choice((0, 1, 1, 2))):
            camera = self.camera(f"eye{k}")
            at = rng.choice(self.sites) if self.sites and rng.random() < 0.8 else None
            if at is None:
                far += f"<worldbody>{camera}</worldbody>"
            else:
                text = text.replace(f'<site name="{at}"', f'{camera}<site name="{at}"', 1)
            for _ in range(rng.integers(1, 3)):
                cut = f' cutoff="{rng.uniform(0.05, 2):.3g}"' * (rng.random() < 0.3)
                sensors += f'<rangefinder camera="eye{k}"{cut}/>'
        text = text.replace("</mujoco>", f"{far}<sensor>{sensors}</sensor></mujoco>")
        return re.sub("<rangefinder ", told, text)

    def camera(self, name):
        """With an angle, a lens or without perspective; some keep their orientation."""
        rng = self.seeing

        def some(n, low, high):
            return " ".join(f"{x:.4g}" for x in rng.uniform(low, high, n))

        text = f'name="{name}" pos="{some(3, -0.3, 0.3)}" quat="{some(4, -1, 1)}"'
        text += f' resolution="{rng.integers(1, 5)} {rng.integers(1, 5)}"' * (rng.random() < 0.9)
        way = rng.integers(4)
        if way == 1:
            text += f' projection="orthographic" fovy="{some(1, 0.1, 2)}"'
        elif way == 2:
            text += f' sensorsize="{some(2, 0.002, 0.005)}" focal="{some(2, 0.001, 0.004)}"'
            text += f' principal="{some(2, -0.0005, 0.0005)}"' * (rng.random() < 0.5)
        elif way == 3:
            text += f' sensorsize="{some(2, 0.002, 0.005)}" focalpixel="{some(2, 1, 4)}"'
            text += f' principalpixel="{some(2, -1, 1)}"' * (rng.random() < 0.5)
        else:
            text += f' fovy="{some(1, 10, 140)}"' * (rng.random() < 0.8)
        text += ("", ' mode="track"', ' mode="trackcom"')[int(np.searchsorted((0.7, 0.85), rng.random()))]
        return f"<camera {text}/>"

    def ground(self):
        """A height field under all that falls, of few cells or many, now and then with a margin or steep."""
        rng = self.earth
        nrow, ncol = rng.integers(2, 8, 2)
        height = rng.choice((0.05, 0.2, 0.5))
        size = f"{rng.uniform(0.5, 1.2):.4g} {rng.uniform(0.5, 1.2):.4g} {height} .2"
        text = " ".join(f"{x:.4g}" for x in rng.uniform(size=nrow * ncol))
        geom = f'pos="{rng.uniform(-0.2, 0.2):.4g} .03 {rng.choice((0.0, 0.1)) - height:.4g}" euler=".1 -.07 .3"'
        geom += (' margin=".01"', ' margin=".02"', "")[rng.integers(3)] + ' condim="4"' * (rng.random() < 0.2)
        return (f'<asset><hfield name="earth" nrow="{nrow}" ncol="{ncol}" size="{size}" elevation="{text}"/></asset>'
                f'<worldbody><geom name="earth" type="hfield" hfield="earth" contype="1" conaffinity="7" {geom}/>'
                "</worldbody>")  # fmt: skip

    def yields(self):
        return f'springyield="{self.soft.choice(("1", ".1", ".02"))}" '

    def rare(self):
        if self.maybe(0.9):
            return ""
        section, text = self.one(RARE)
        of = {"j": self.joints, "b": self.bodies, "s": self.sites, "t": self.sites[::-1]}
        if any(f"{{{word}}}" in text and not names for word, names in of.items()):
            return ""
        of = {word: names[0][0] if word == "j" else names[0] for word, names in of.items() if names}
        text = text.format(**of)
        camera = '<worldbody><camera name="cam" pos="0 0 1"/></worldbody>' * ("cam" in text)
        return camera + (f"<option {text}/>" if section == "option" else f"<{section}>{text}</{section}>")


def urdf(seed):
    """The text of a URDF: links at random on joints of all types."""
    rng = np.random.default_rng((seed, 5))

    def some(n, low=-0.3, high=0.3):
        return " ".join(f"{x:.4g}" for x in rng.uniform(low, high, n))

    def origin():
        return f'<origin xyz="{some(3)}" rpy="{some(3, -1, 1)}"/>'

    shapes = ('<sphere radius=".05"/>', '<box size=".1 .2 .15"/>', '<cylinder radius=".05" length=".2"/>')
    text, n = "", rng.integers(2, 7)
    for k in range(n):
        a, b, c = np.sort(rng.uniform(0.01, 0.02, 3)) * (1, 1, rng.choice((1, 1, 1, 3)))
        inertia = f'<inertia ixx="{a:.4g}" iyy="{b:.4g}" izz="{c:.4g}" ixy="0" ixz="{rng.choice((0, 0.001))}" iyz="0"/>'
        inside = f'<inertial>{origin()}<mass value="{rng.uniform(0.3, 2):.3g}"/>{inertia}</inertial>'
        inside = inside * (rng.random() < 0.9 or k > 0)
        for word in ("collision", "visual"):
            if rng.random() < 0.7:
                inside += f"<{word}>{origin()}<geometry>{rng.choice(shapes)}</geometry></{word}>"
        text += f'<link name="l{k}">{inside}</link>'
    turning = []
    for k in range(1, n):
        kind = rng.choice(("revolute", "revolute", "continuous", "prismatic", "fixed", "floating", "planar"))
        inside = f'{origin()}<parent link="l{rng.integers(k)}"/><child link="l{k}"/><axis xyz="{some(3)}"/>'
        inside += '<limit lower="-.5" upper=".4" effort="9" velocity="3"/>' * (kind in ("revolute", "prismatic"))
        inside += f'<dynamics damping="{rng.uniform(0, 1):.3g}" friction=".1"/>' * (rng.random() < 0.3)
        if turning and kind == "revolute" and rng.random() < 0.3:
            inside += f'<mimic joint="{rng.choice(turning)}" multiplier=".5" offset=".1"/>'
        elif kind == "revolute":
            turning.append(f"j{k}")
        text += f'<joint name="j{k}" type="{kind}">{inside}</joint>'
    return f'<robot name="arm">{text}</robot>'
