"""Robots at random, as MJCF: everything that the engine supports, in combinations that nobody would think of.

A seed gives one robot: trees of bodies with several joints each, every shape, spring, limit, friction, fixed tendon,
actuator, equality and sensor, classes of defaults, all ways to write a frame, and options. Cylinders touch the floor
and spheres alone, and ellipsoids the floor, since the engine refuses the rest; where a contact has a gap there are no
contact sensors.
"""

import numpy as np

ANGLES = ("radian", "degree")
SEQUENCES = ("xyz", "zyx", "XYZ", "zxZ")
JOINTS = (  # of one body, in order
    (), ("hinge",), ("hinge",), ("hinge", "hinge"), ("slide",), ("slide", "hinge"), ("hinge", "slide", "hinge"),
    ("ball",), ("slide", "ball"), ("slide", "slide", "ball"), ("hinge", "hinge", "hinge"),
)  # fmt: skip
SIZES = {"sphere": 1, "capsule": 2, "cylinder": 2, "box": 3, "ellipsoid": 3}
TOUCHING, FEW = ("sphere", "capsule", "box"), ("cylinder", "ellipsoid")  # with one another, with some


class Robot:
    """Collects the text of one robot; `xml` is all of it."""

    KINDS = TOUCHING * 3 + FEW  # of geoms
    TOUCH = {"sphere": (1, 3), "cylinder": (2, 0), "ellipsoid": (4, 0)}  # contype, conaffinity where not 1, 1
    PAIRED = TOUCHING  # which explicit pairs may have
    INTEGRATORS = ("Euler", "RK4", "implicitfast")
    WET = 0.25  # of robots in a fluid, and of those with the implicit integrator
    SITE_SENSORS = ("gyro", "velocimeter", "accelerometer", "touch", "magnetometer", "force", "torque", "rangefinder")

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        # of what came later, so that a seed's robot is the same otherwise; of equalities; of tendons; of fluids
        self.more, self.ties, self.last, self.wet = (np.random.default_rng((seed, k)) for k in (1, 2, 3, 6))
        self.stiff = np.random.default_rng((seed, 9))  # whether it steps in discrete time
        self.exact = np.random.default_rng((seed, 15)).random() < 0.12  # whether diagonals are exact
        self.angle, self.cone = self.pick(ANGLES), self.pick(("pyramidal", "elliptic"))
        self.moved_by = {}  # the body whose joints move a body
        self.joints, self.limited, self.geoms, self.sites, self.bodies, self.parent = [], [], [], [], [], {}
        world = self.floor() + "".join(self.tree() for _ in range(self.rng.integers(1, 4)))
        sections = self.actuators() + self.contacts() + self.equalities()
        sections += self.sensors("" if " gap=" in world + sections else self.contact_sensors())
        self.xml = (
            f"<mujoco>{self.compiler()}{self.option()}{self.defaults()}"
            f"<worldbody>{world}</worldbody>{sections}{self.tendons()}</mujoco>"
        )

    # ------------------------------------------------------------------------------------------------- small things

    def pick(self, choices):
        return choices[self.rng.integers(len(choices))]

    def chance(self, p):
        return self.rng.random() < p

    def numbers(self, n, low=-1.0, high=1.0):
        return " ".join(f"{x:.5g}" for x in self.rng.uniform(low, high, n))

    def number(self, low, high):
        return self.numbers(1, low, high)

    def degrees(self, radians):
        return np.degrees(radians) if self.angle == "degree" else radians

    def given(self, p, name, value):
        """An attribute, with probability p."""
        return f' {name}="{value}"' if self.chance(p) else ""

    def also(self, p, *words):
        """These words, with probability p; `None` among them becomes a number from -1 to 1."""
        numbers = self.more.uniform(-1, 1, len(words))
        words = [f"{x:.5g}" if word is None else word for word, x in zip(words, numbers, strict=True)]
        return "".join(words) if self.more.random() < p else ""

    def solref(self, p, name):
        soft = f"{self.number(0.015, 0.06)} {self.number(0.4, 1.5)}"
        direct = f"{self.number(-2000, -300)} {self.number(-40, -5)}"
        return self.given(p, name, soft if self.chance(0.6) else direct)

    def solimp(self, p, name):
        d0, width = self.rng.uniform(0.3, 0.9), self.pick((0.0, 0.001, 0.05))
        return self.given(
            p, name, f"{d0:.4g} {self.number(d0, 0.98)} {width} {self.number(0.2, 0.8)} {self.number(1, 3)}"
        )

    def turn(self):
        """An orientation in one of MJCF's ways."""
        way = self.pick(("", "quat", "euler", "axisangle", "xyaxes", "zaxis"))
        if way == "axisangle":
            return f'axisangle="{self.numbers(3)} {self.degrees(self.rng.uniform(-3, 3)):.5g}"'
        if way == "euler":
            return f'euler="{" ".join(f"{self.degrees(x):.5g}" for x in self.rng.uniform(-1.5, 1.5, 3))}"'
        return f'{way}="{self.numbers({"quat": 4, "xyaxes": 6, "zaxis": 3}[way])}"' if way else ""

    # ---------------------------------------------------------------------------------------------------- the header

    def compiler(self):
        sequence = self.given(0.6, "eulerseq", self.pick(SEQUENCES))
        return f'<compiler angle="{self.angle}"{sequence}/>'

    def option(self):
        flags = self.given(0.2, "eulerdamp", "disable") + self.given(0.2, "refsafe", "disable")
        flags += self.given(0.15, self.pick(("spring", "damper", "limit", "frictionloss", "clampctrl")), "disable")
        flags += self.given(0.2, "filterparent", "disable")
        flags += ' diagexact="enable"' * self.exact
        return (
            f'<option timestep="{self.pick((0.002, 0.004))}" gravity="{self.numbers(2)} {self.number(-12, -5)}" '
            f'{self.integrator()} cone="{self.cone}" '
            f'impratio="{self.pick((1, 1, 0.5, 4))}" wind="1 2 3" magnetic="0 1 0"{self.fluid()}>'
            f"<flag{flags}/></option>"
            '<size memory="8M"/>'
        )

    def integrator(self):
        kind = self.pick(self.INTEGRATORS)
        if self.stiff.random() < 0.2:
            kind = "discrete"
        self.kind = "implicit" if self.wet.random() < self.WET else kind
        return f'integrator="{self.kind}"'

    def fluid(self):
        """Air to water, and up to what is as viscous as oil."""
        text = f' density="{self.wet.choice((1.2, 50, 1000)):.4g}"' * (self.wet.random() < self.WET)
        text += f' viscosity="{self.wet.choice((0.001, 0.05, 0.5)):.4g}"' * (self.wet.random() < self.WET)
        return text

    def defaults(self):
        return (
            f'<default><geom condim="{self.pick((1, 1, 3, 3, 4, 6))}" friction="{self.number(0.2, 1.2)} .01 .001"'
            f'{self.solimp(0.5, "solimp")}/><joint armature="{self.number(0, 0.1)}"{self.solimp(0.5, "solimplimit")}/>'
            f'<default class="loose"><joint damping="{self.number(0.1, 1)}"{self.solref(0.5, "solreflimit")}/>'
            f'<geom friction="{self.number(0.1, 0.5)}" condim="3" solmix="2"/>'
            f'<default class="looser"><joint frictionloss="{self.number(0.05, 0.3)}"/></default></default></default>'
        )

    # ---------------------------------------------------------------------------------------------------- the bodies

    def floor(self):
        tilt = self.given(0.3, "zaxis", ".1 -.05 1")
        tilt += self.solref(0.3, "solref") + self.given(0.2, "priority", "1")
        floor = f'<geom name="floor" type="plane" size="3 3 .1" contype="1" conaffinity="7"{tilt}/>'
        return floor + '<site name="origin" pos="1 2 3"/>'

    def tree(self):
        if self.chance(0.4):
            return self.body("world", 0, free=True)
        return self.body("world", 0)

    def body(self, parent, depth, free=False):
        name = f"b{len(self.bodies)}"
        self.bodies.append(name)
        self.parent[name] = parent
        place = f"{self.numbers(2, -0.6, 0.6)} {self.number(0.3, 0.7)}" if depth == 0 else self.numbers(3, -0.25, 0.25)
        kinds = ("free",) if free else self.pick(JOINTS)
        self.moved_by[name] = name if kinds else self.moved_by.get(parent)
        inside = "".join(self.joint(name, kind) for kind in kinds)
        inside += "".join(self.geom(name) for _ in range(self.rng.integers(1, 3))) + self.site(name)
        if self.chance(0.2):
            inside += (
                f'<inertial pos="{self.numbers(3, -0.05, 0.05)}" mass="{self.number(0.5, 2)}" '
                'fullinertia=".02 .03 .025 .002 -.003 .004"/>'
            )
        if depth < 3:
            children = self.pick((0, 1, 1, 2) if depth else (1, 1, 2))
            inside += "".join(self.body(name, depth + 1) for _ in range(children))
        if not kinds and self.chance(0.6):
            inside = f'<frame pos="{self.numbers(3, -0.1, 0.1)}" {self.turn()}>{inside}</frame>'
        child = self.given(0.3, "childclass", self.pick(("loose", "looser")))
        child += self.also(0.3, ' gravcomp="', None, '"')
        return f'<body name="{name}" pos="{place}" {self.turn()}{child}>{inside}</body>'

    def joint(self, body, kind):
        name = f"j{len(self.joints)}"
        self.joints.append((name, kind))
        text = f'<joint name="{name}" type="{kind}"'
        text += self.given(0.4, "damping", self.number(0, 1.5) + self.also(0.3, " .1 .01"))
        text += self.given(0.3, "armature", self.number(0, 0.3))
        text += self.given(0.25, "frictionloss", self.number(0.05, 0.6)) + self.solref(0.2, "solreffriction")
        bent = self.also(0.3, " ", None, " 2") if kind != "free" else ""
        text += self.given(0.3, "stiffness", self.number(1, 30) + bent)
        if kind == "free":
            return text + "/>"
        text += self.also(0.3, ' actuatorgravcomp="true"')
        text += self.given(0.6, "pos", self.numbers(3, -0.1, 0.1))
        limit = self.solref(0.3, "solreflimit") + self.solimp(0.3, "solimplimit") + self.given(0.3, "margin", ".05")
        if kind == "ball":
            return text + self.range(0.4, name, f"0 {self.degrees(self.rng.uniform(0.2, 1)):.4g}") + limit + "/>"
        turn = self.degrees if kind == "hinge" else lambda x: x / 3
        low, high = turn(self.rng.uniform(-1, -0.1)), turn(self.rng.uniform(0.1, 1))
        text += f' axis="{self.numbers(3)}"' + self.range(0.5, name, f"{low:.4g} {high:.4g}") + limit
        text += self.also(0.3, ' actuatorfrcrange="-.4 .5"')
        text += self.given(0.3, "ref", f"{turn(self.rng.uniform(-0.3, 0.3)):.4g}")
        return text + self.given(0.3, "springref", f"{turn(self.rng.uniform(-0.5, 0.5)):.4g}") + "/>"

    def range(self, p, name, ends):
        text = self.given(p, "range", ends)
        if text:
            self.limited.append(name)
        return text

    def geom(self, body):
        kind, name = self.pick(self.KINDS), f"g{len(self.geoms)}"
        self.geoms.append((name, kind, body))
        touch = self.TOUCH.get(kind, (1, 1))
        text = f'<geom name="{name}" type="{kind}" contype="{touch[0]}" conaffinity="{touch[1]}"'
        if kind in ("capsule", "cylinder") and self.chance(0.4):
            text += f' fromto="{self.numbers(6, -0.2, 0.2)}" size="{self.number(0.03, 0.08)}"'
        else:
            text += f' {self.size(kind)} pos="{self.numbers(3, -0.1, 0.1)}" {self.turn()}'
        text += f' mass="{self.number(0.2, 2)}"' if self.chance(0.6) else f' density="{self.number(300, 2000)}"'
        text += self.solref(0.3, "solref") + self.solimp(0.3, "solimp") + self.given(0.3, "solmix", self.number(0, 3))
        text += self.given(0.2, "priority", self.rng.integers(-1, 3))
        text += self.given(0.2, "condim", self.pick((1, 1, 4, 6)))
        text += self.given(0.3, "margin", self.number(0, 0.02)) + self.given(0.2, "gap", self.number(0, 0.02))
        return text + self.given(0.3, "friction", f"{self.number(0, 1)} .02 .003") + "/>"

    def size(self, kind):
        return f'size="{self.numbers(SIZES[kind], 0.04, 0.15)}"'

    def site(self, body):
        name = f"s{len(self.sites)}"
        self.sites.append(name)
        kind = self.pick(("sphere", "capsule", "box", "cylinder", "ellipsoid"))
        return (
            f'<site name="{name}" type="{kind}" size="{self.numbers(3, 0.05, 0.2)}" pos="{self.numbers(3, -0.1, 0.1)}" '
            f"{self.turn()}/>"
        )

    # -------------------------------------------------------------------------------------------------- the sections

    def actuators(self):
        self.motors = []
        text = "".join(self.actuator(*joint) for joint in self.joints if self.chance(0.7))
        return f"<actuator>{text}</actuator>"

    def actuator(self, joint, kind):
        n = {"free": 6, "ball": 3}.get(kind, 1)
        name = f"m{len(self.motors)}"
        self.motors.append(name)
        common = f'name="{name}" joint="{joint}" gear="{self.numbers(n, -2, 2)}"'
        common += self.given(0.4, "ctrlrange", "-.7 .6") + self.given(0.3, "forcerange", "-1.5 1.2")
        lone = kind in ("hinge", "slide")
        gain = f"{self.number(-1, 2)} {self.number(-0.5, 0.5)} {self.number(-0.1, 0.1)}"  # hardly drives itself
        gains = f'gaintype="affine" gainprm="{gain}" biastype="affine"'
        gains += f' biasprm="{self.numbers(3, -1, 0)}"'
        ways = [
            f"<motor {common}/>", f'<velocity {common} kv="{self.number(0, 1)}"/>',
            f'<position {common} kp="{self.number(1, 9)}" kv="{self.number(0, 0.5)}"/>', f"<general {common} {gains}/>",
            f'<general {common} dyntype="filter" dynprm="{self.number(0.02, 0.2)}" {gains}/>',
            f'<general {common} dyntype="integrator" gainprm="2"/>',
            f'<general {common} dyntype="filterexact" dynprm="{self.number(0.02, 0.2)}" actrange="-.5 .4"/>',
        ]  # fmt: skip
        if lone:
            ways += [
                f'<intvelocity {common} kp="5" actrange="-1 1"/>',
                f'<position {common} kp="5" dampratio="1" timeconst=".05"/>',
                f'<cylinder {common} area="2" timeconst=".1" bias=".1 -.5 -.1"/>',
                f'<damper name="{name}" joint="{joint}" kv=".5" ctrlrange="0 2"/>',
                f'<motor name="{name}" jointinparent="{joint}" gear="1.5"/>',
            ]
        return self.pick(ways)

    def tendons(self):
        """Up to three over some scalar joints, and what acts on them and reads them."""
        rng = self.last
        single = [name for name, kind in self.joints if kind in ("hinge", "slide")]
        tendons = drives = ties = sensors = ""
        names = [f"t{k}" for k in range(rng.integers(0, 4) if single else 0)]
        for k, name in enumerate(names):
            over = rng.choice(single, rng.integers(1, min(5, len(single)) + 1), replace=False)
            inside = "".join(f'<joint joint="{joint}" coef="{rng.uniform(-1, 1):.4g}"/>' for joint in over)
            text = f'stiffness="{rng.uniform(0, 9):.4g} .5 .3"'
            for part in (
                'damping=".2 .05 .01"', 'springlength="-.1 .2"', 'armature=".002"', 'frictionloss=".2"',
                'solreffriction=".03 .8"', 'actuatorfrcrange="-.6 .4"',
            ):  # fmt: skip
                text += f" {part}" * (rng.random() < 0.4)
            limited = rng.random() < 0.5
            text += ' range="-.1 .3" margin=".02" solreflimit=".03 1" solimplimit=".8 .95 .05"' * limited
            tendons += f'<fixed name="{name}" {text}>{inside}</fixed>'
            common = f'name="m{name}" tendon="{name}" gear="{rng.uniform(-2, 2):.4g}"'
            common += ' forcerange="-.9 1.1"' * (rng.random() < 0.3)
            drives += ("", f"<motor {common}/>", f'<position {common} kp="3" kv=".2"/>',
                       f'<general {common} dyntype="filter" dynprm=".1" gaintype="affine" gainprm="1 .3 -.1"/>',
                       f'<motor {common}/><velocity tendon="{name}" kv=".3"/>')[rng.integers(5)]  # fmt: skip
            if rng.random() < 0.4:
                other = f'tendon2="{names[k - 1]}" ' * (k > 0)
                ties += f'<tendon tendon1="{name}" {other}polycoef=".05 .4 .1 0 0" solref=".04 1"/>'
            read = ("pos", "vel", "actuatorfrc") + ("limitpos", "limitvel", "limitfrc") * limited
            sensors += "".join(f'<tendon{what} tendon="{name}"/>' for what in read)
        return f"<tendon>{tendons}</tendon><actuator>{drives}</actuator><equality>{ties}</equality>" + (
            f"<sensor>{sensors}</sensor>"
        )

    def contacts(self):
        text, seen = "", set()
        touching = [g for g in self.geoms if g[1] in self.PAIRED]
        for _ in range(self.rng.integers(0, 3)):
            if len(touching) < 2:
                break
            a, b = (touching[i] for i in self.rng.choice(len(touching), 2, replace=False))
            if a[2] == b[2] or frozenset((a[0], b[0])) in seen:
                continue
            if self.moved_by.get(a[2]) == self.moved_by.get(b[2]):  # which no force can move: refused beside sensors
                continue
            seen.add(frozenset((a[0], b[0])))
            text += f'<pair geom1="{a[0]}" geom2="{b[0]}" condim="{self.pick((1, 1, 3, 3, 4, 6))}"'
            text += self.solref(0.4, "solref") + self.solimp(0.4, "solimp")
            text += self.solref(0.4, "solreffriction")
            text += self.given(0.6, "friction", f"{self.numbers(2, 0.1, 1)} .01 .001 .001")
            text += self.given(0.3, "margin", ".01") + self.given(0.3, "gap", ".01") + "/>"
        if len(self.bodies) > 3 and self.chance(0.5):
            a, b = self.rng.choice(len(self.bodies), 2, replace=False)
            text += f'<exclude body1="b{a}" body2="b{b}"/>'
        return f"<contact>{text}</contact>" if text else ""

    def equalities(self):
        """Of some robots, up to three of every kind between what lies anywhere."""
        rng = self.ties
        if rng.random() < 0.5:
            return ""

        def soft():
            ref = f' solref="{rng.uniform(0.02, 0.06):.4g} {rng.uniform(0.6, 1.4):.4g}"' if rng.random() < 0.5 else ""
            imp = f' solimp=".{rng.integers(3, 9)} .95 .0{rng.integers(1, 9)}"' if rng.random() < 0.5 else ""
            return ref + imp + (' active="false"' if rng.random() < 0.15 else "")

        def two(names):
            return [names[i] for i in rng.choice(len(names), 2, replace=False)]

        scalar = [name for name, kind in self.joints if kind in ("hinge", "slide")]
        text = ""
        for kind in rng.choice(("joint", "connect", "weld"), rng.integers(1, 4)):
            if kind == "joint":
                if len(scalar) < 2:
                    continue
                a, b = two(scalar)
                other = f' joint2="{b}"' if rng.random() < 0.7 else ""
                text += f'<joint joint1="{a}"{other} polycoef="{" ".join(f"{x:.3g}" for x in rng.uniform(-1, 1, 5))}"'
                text += soft() + "/>"
                continue
            if len(self.sites) > 1 and rng.random() < 0.3:
                a, b = two(self.sites)
                ends = f'site1="{a}" site2="{b}"'
            else:
                a, b = two(self.bodies) if len(self.bodies) > 1 else (self.bodies[0], None)
                ends = f'body1="{a}"' + (f' body2="{b}"' if b and rng.random() < 0.7 else "")
                if kind == "connect" or rng.random() < 0.5:
                    ends += f' anchor="{" ".join(f"{x:.3g}" for x in rng.uniform(-0.2, 0.2, 3))}"'
            torque = f' torquescale="{rng.uniform(0.1, 2):.3g}"' if kind == "weld" and rng.random() < 0.5 else ""
            text += f"<{kind} {ends}{torque}{soft()}/>"
        return f"<equality>{text}</equality>" if text else ""

    def contact_sensors(self):
        fields = ("found", "force", "dist", "pos", "normal", "tangent", "linvel", "angvel")
        text = ""
        for _ in range(4):
            reduce = self.pick(("none", "mindist", "maxforce", "netforce"))
            data = " ".join(f for f in fields if self.chance(0.4) and not (f.endswith("vel") and reduce == "netforce"))
            one = self.given(0.7, self.pick(("body1", "subtree1")), self.pick(self.bodies))
            two = self.given(0.5, self.pick(("body2", "subtree2")), self.pick(self.bodies))
            num = 1 if reduce == "netforce" else 3
            text += f'<contact{one}{two} data="{data or "force"}" reduce="{reduce}" num="{num}"/>'
        return text

    def sensors(self, more):
        def cut():
            return self.given(0.2, "cutoff", self.number(0.05, 0.8))

        text = ""
        for name, kind in self.joints:
            if kind in ("hinge", "slide"):
                text += f'<jointpos joint="{name}"{cut()}/><jointvel joint="{name}"{cut()}/>'
                text += f'<jointactuatorfrc joint="{name}"{cut()}/>'
            elif kind == "ball":
                text += f'<ballquat joint="{name}"/><ballangvel joint="{name}"{cut()}/>'
        for name in self.limited:
            text += "".join(f'<jointlimit{what} joint="{name}"{cut()}/>' for what in ("pos", "vel", "frc"))
        for name in self.motors:
            text += "".join(f'<actuator{what} actuator="{name}"{cut()}/>' for what in ("pos", "vel", "frc"))
        for name in self.sites:
            text += "".join(f'<{kind} site="{name}"{cut()}/>' for kind in self.SITE_SENSORS)
        for name in self.bodies:
            kinds = ("subtreecom", "subtreelinvel", "subtreeangmom")
            text += "".join(f'<{kind} body="{name}"{cut()}/>' for kind in kinds)
        objects = [("site", s) for s in self.sites] + [("geom", g[0]) for g in self.geoms]
        objects += [(kind, b) for b in self.bodies for kind in ("body", "xbody")]
        axes = ("framexaxis", "frameyaxis", "framezaxis")
        for kind in ("framepos", "framequat", "framelinvel", "frameangvel", *axes, "framelinacc", "frameangacc"):
            for i in self.rng.choice(len(objects), min(4, len(objects)), replace=False):
                end = "" if kind in ("framequat", *axes) else cut()  # MuJoCo allows none there
                if not kind.endswith("acc") and self.chance(0.3):
                    word, name = objects[self.rng.integers(len(objects))]
                    end += f' reftype="{word}" refname="{name}"'
                text += f'<{kind} objtype="{objects[i][0]}" objname="{objects[i][1]}"{end}/>'
        text += "<clock/><e_potential/><e_kinetic/>" + more
        return f"<sensor>{text}</sensor>"
