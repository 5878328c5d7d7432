"""Files that something happened to: numbers, words, elements and names changed at random, or the text itself."""

import re
from xml.etree import ElementTree

import numpy as np

EXTREMES = ("nan", "inf", "-inf", "1e308", "-1e308", "1e-308", "1e30", "1e-30", "0", "-1", "1", "-0", "", " ", "abc",
            "1e", "0x10", "1,2,3", "--1", "99999999999", "4294967297", "1 2 3 4 5 6 7 8 9 10 11 12", "true", "false",
            "auto", "\u00bd", "none", "x" * 3000)  # fmt: skip
# What a file may say that random robots do not.
SAID = (
    ("joint", "springyield", ".1"), ("joint", "limited", "true"), ("joint", "limited", "false"),
    ("joint", "range", "0 0"), ("joint", "range", "1 -1"), ("joint", "armature", "-1"), ("joint", "type", "free"),
    ("joint", "axis", "0 0 0"), ("joint", "group", "7"), ("joint", "margin", "-.1"), ("joint", "damping", "-1"),
    ("geom", "surfacevel", "1 0 0 0 0 0"), ("geom", "adhesion", "1"), ("geom", "condim", "2"), ("geom", "gap", "-.01"),
    ("geom", "size", "0"), ("geom", "size", "-1 1 1"), ("geom", "mass", "0"), ("geom", "density", "0"),
    ("geom", "type", "plane"), ("geom", "type", "mesh"), ("geom", "type", "hfield"), ("geom", "type", "sdf"),
    ("geom", "margin", "-.05"), ("geom", "solimp", "1 0 0 1 0"), ("geom", "solref", "-1 1"), ("geom", "solmix", "0"),
    ("geom", "fluidshape", "ellipsoid"), ("geom", "shellinertia", "true"), ("geom", "hfield", "hills"),
    ("geom", "contype", "4294967295"), ("geom", "friction", "0 0 0"), ("geom", "friction", "-1"),
    ("body", "mocap", "true"), ("body", "sleep", "never"), ("body", "quat", "0 0 0 0"), ("body", "gravcomp", "1e9"),
    ("body", "childclass", "nothing"), ("site", "size", "0 0 0"), ("site", "type", "mesh"), ("site", "type", "plane"),
    ("mesh", "vertex", "0 0 0 1 0 0 0 1 0"), ("mesh", "vertex", "0 0 0"), ("mesh", "scale", "0 1 1"),
    ("mesh", "file", "nowhere.obj"), ("mesh", "inertia", "legacy"), ("mesh", "face", "0 1 9"),
    ("motor", "ctrlrange", "1 -1"), ("motor", "ctrllimited", "true"), ("motor", "gear", "0"), ("motor", "delay", ".1"),
    ("general", "dyntype", "muscle"), ("general", "gaintype", "user"), ("general", "biastype", "muscle"),
    ("general", "actearly", "true"), ("general", "actdim", "3"), ("position", "timeconst", "0"),
    ("position", "dampratio", "-1"), ("position", "kp", "-5"), ("position", "inheritrange", "1"),
    ("option", "integrator", "implicit"), ("option", "timestep", "0"), ("option", "timestep", "-.002"),
    ("option", "impratio", "0"), ("option", "iterations", "0"), ("option", "cone", "round"), ("option", "apirate", "9"),
    ("option", "collision", "all"), ("option", "collision", "predefined"), ("option", "density", "1000"),
    ("option", "noslip_iterations", "3"), ("option", "o_margin", "1"), ("option", "gravity", "0 0"),
    ("option", "timestep", "5"), ("option", "wind", "nan 0 0"), ("option", "ccd_iterations", "0"),
    ("option", "ccd_tolerance", "0"), ("option", "ls_iterations", "0"), ("option", "tolerance", "-1"),
    ("flag", "passive", "disable"), ("flag", "sensornoise", "enable"), ("flag", "override", "enable"),
    ("flag", "sleep", "enable"), ("flag", "actuation", "disable"), ("flag", "constraint", "disable"),
    ("compiler", "coordinate", "global"), ("compiler", "autolimits", "false"), ("compiler", "eulerseq", "xxx"),
    ("compiler", "convexhull", "false"), ("compiler", "strippath", "true"), ("compiler", "angle", "grad"),
    ("compiler", "settotalmass", "0"), ("compiler", "boundmass", "-1"), ("compiler", "exactmeshinertia", "true"),
    ("weld", "relpose", "0 0 0 0 0 0 0"), ("weld", "torquescale", "0"), ("connect", "active", "maybe"),
    ("pair", "friction", "0"), ("pair", "condim", "5"), ("pair", "solreffriction", "1 -1"), ("key", "qpos", "1 2"),
    ("key", "time", "nan"), ("contact", "num", "0"), ("contact", "num", "99"), ("contact", "reduce", "sum"),
    ("distance", "cutoff", "0"), ("framepos", "objtype", "camera"), ("framepos", "reftype", "site"),
    ("fixed", "range", "0 0"), ("fixed", "width", "0"), ("fixed", "springlength", "1 0"), ("size", "memory", "1K"),
    ("size", "nconmax", "1"), ("size", "njmax", "1"), ("size", "nuser_body", "2"), ("exclude", "body1", "world"),
    ("mujoco", "model", "\u00e9\u4e16"), ("frame", "quat", "0 0 0 0"), ("inertial", "mass", "0"),
    ("inertial", "diaginertia", "1 1 9"), ("inertial", "fullinertia", "1 1 1 5 5 5"), ("mass", "value", "0"),
    ("limit", "lower", "2"), ("limit", "effort", "-1"), ("mimic", "joint", "j1"), ("mesh", "filename", "a.dae"),
)  # fmt: skip
ELEMENTS = (
    '<joint type="hinge"/>', "<freejoint/>", '<geom size=".1"/>', '<geom type="mesh" mesh="nothing"/>', "<site/>",
    '<inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/>', "<body/>", '<body mocap="true"/>', "<frame/>", "<camera/>",
    "<nonsense/>", '<include file="nowhere.xml"/>', '<composite prefix="a" type="cable" count="4 1 1" size="1"/>',
    '<flexcomp name="f" type="grid" count="3 3 1" spacing=".1 .1 .1"/>', '<plugin plugin="mujoco.elasticity.cable"/>',
    '<attach model="m" body="b" prefix="p"/>', '<replicate count="2" offset="1 0 0"/>', '<light dir="0 0 -1"/>',
    '<replicate count="3" euler="0 0 30"><geom size=".03" pos=".3 0 0"/></replicate>', "<default/>", "<actuator/>",
    '<default class="loose"/>', "<worldbody/>", "<link name='l0'/>", "<material name='m'/>", "<visual/>", "<origin/>",
    '<geom type="ellipsoid" size=".1 .1 .1"/>', '<geom type="box" size=".1 .1 .1" mass="1e-9"/>', "<option/>",
)  # fmt: skip
NAMES = ("", "world", "b0", "j0", "g0", "s0", "m0", "nothing", "a b", "a/b", "'", "\u4e16\u754c", "x" * 300)
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")


def mutated(text, rng):
    """XML text with one to three mutations of an XML text, of which three in ten only change numbers a little: most
    others make files that nobody takes."""
    root, count = ElementTree.fromstring(text), int(rng.choice((1, 1, 1, 2, 3)))
    if rng.random() < 0.3:
        for _ in range(count):
            a_little(root, rng)
        return ElementTree.tostring(root, encoding="unicode")
    torn = rng.random() < 0.12
    for _ in range(count - torn):
        rng.choice(KINDS, p=WEIGHTS)(root, rng)
    text = ElementTree.tostring(root, encoding="unicode")
    return tear(text, rng) if torn else text


def one(choices, rng):
    choices = list(choices)
    return choices[rng.integers(len(choices))] if choices else None


def with_attributes(root, rng):
    return one((e for e in root.iter() if e.attrib), rng)


def extreme(root, rng):
    element = with_attributes(root, rng)
    element.set(one(element.attrib, rng), one(EXTREMES, rng))


def number(root, rng):
    """One number of a value becomes another, or is left out, or said twice."""
    found = [(e, k) for e in root.iter() for k, v in e.attrib.items() if NUMBER.fullmatch(f"{v} ".split(" ", 1)[0])]
    element, name = one(found, rng) or (root, None)
    if name is None:
        return
    words = element.get(name).split()
    k = rng.integers(len(words))
    what = rng.integers(6)
    if what == 0:
        del words[k]
    elif what == 1:
        words.insert(k, words[k])
    elif what == 2:
        words[k] = one(EXTREMES, rng)
    else:
        try:
            words[k] = f"{float(words[k]) * (-1, 0, 10.0 ** rng.integers(-9, 10))[what - 3]:.6g}"
        except ValueError:
            return
    element.set(name, " ".join(words))


def a_little(root, rng):
    """One number, by a factor of two at most."""
    element = with_attributes(root, rng)
    name = one([n for n in element.attrib if NUMBER.search(element.get(n))], rng)
    if name is not None:
        found = list(NUMBER.finditer(element.get(name)))
        at, by = found[rng.integers(len(found))], 2.0 ** rng.uniform(-1, 1)
        text, old = element.get(name), at[0]
        new = f"{float(old) * by:.6g}" if re.search("[.e]", old) else old  # whole numbers count or number something
        element.set(name, text[: at.start()] + new + text[at.end() :])


def said(root, rng):
    known = {e.tag for e in root.iter()}
    tag, name, value = one((s for s in SAID if s[0] in known), rng) or ("mujoco", "model", "m")
    element = one(root.iter(tag), rng)
    if element is not None:
        element.set(name, value)


def attribute(root, rng):
    """Left out, misspelt, or taken over from another element."""
    element = with_attributes(root, rng)
    name, what = one(element.attrib, rng), rng.integers(3)
    if what < 2:
        value = element.attrib.pop(name)
    if what == 1:
        element.set(name[:-1] + "x", value)
    if what == 2:
        other = with_attributes(root, rng)
        name = one(other.attrib, rng)
        element.set(name, other.get(name))


def word(root, rng):
    """A value becomes that of the same attribute elsewhere."""
    element = with_attributes(root, rng)
    name = one(element.attrib, rng)
    element.set(name, one((e.get(name) for e in root.iter() if name in e.attrib), rng))


def reference(root, rng):
    """A name, or what refers to one."""
    refers = re.compile("name|joint|body|geom|site|tendon|class|mesh|link|actuator")
    found = [(e, k) for e in root.iter() for k in e.attrib if refers.search(k)]
    if found:
        element, name = one(found, rng)
        element.set(name, one(NAMES, rng))


def parents(root):
    return [(parent, child) for parent in root.iter() for child in parent]


def left_out(root, rng):
    parent, child = one(parents(root), rng) or (None, None)
    if parent is not None:
        parent.remove(child)


def twice(root, rng):
    parent, child = one(parents(root), rng) or (None, None)
    if parent is not None:
        parent.insert(int(rng.integers(len(parent) + 1)), child)


def moved(root, rng):
    parent, child = one(parents(root), rng) or (None, None)
    if parent is None:
        return
    inside = set(child.iter())
    target = one((e for e in root.iter() if e not in inside), rng)
    parent.remove(child)
    target.insert(int(rng.integers(len(target) + 1)), child)


def renamed(root, rng):
    one(root.iter(), rng).tag = one(sorted({e.tag for e in root.iter()} | {"nonsense"}), rng)


def added(root, rng):
    target = one(root.iter(), rng)
    target.insert(int(rng.integers(len(target) + 1)), ElementTree.fromstring(one(ELEMENTS, rng)))


def tear(text, rng):
    """The text itself: cut, a part left out or said twice, characters changed."""
    a, b = sorted(int(k) for k in rng.integers(0, len(text), 2))
    b = min(b, a + int(rng.choice((1, 3, 30, 300, 30000))))
    return one((
        lambda: text[:a], lambda: text[a:], lambda: text[:a] + text[b:], lambda: text[:b] + text[a:b] + text[b:],
        lambda: text[:a] + one("<>&\"'/ \0\t\ufeff\u4e16;=", rng) + text[a + 1 :], lambda: "<?xml version='9'?>" + text,
        lambda: "<!DOCTYPE a [<!ENTITY b 'c'>]>" + text, lambda: "<!-- a -->" + text + "<!-- b", lambda: text + text,
        lambda: "<a>" * 2000 + text, lambda: text[:a] + "<![CDATA[" + text[a:], lambda: text.replace('"', "'", 1),
    ), rng)()  # fmt: skip


KINDS = (extreme, number, said, attribute, word, reference, left_out, twice, moved, renamed, added)
WEIGHTS = np.array((3, 4, 5, 2, 2, 3, 2, 1, 2, 1, 2)) / 27
