"""What MuJoCo reads of a URDF, and what it passes over without a word: lines for the import's report."""

import codecs
import re
from collections import defaultdict
from xml.etree import ElementTree

_POSED = {"origin", "geometry"}
_TENSOR = {"ixx", "iyy", "izz", "ixy", "ixz", "iyz"}
# Element: the attributes and the elements in it that MuJoCo reads. All else has no effect there.
_READ = {
    "robot": ({"name"}, {"link", "joint", "material", "mujoco"}),
    "link": ({"name"}, {"inertial", "visual", "collision"}),
    "inertial": (set(), {"origin", "mass", "inertia"}),
    "mass": ({"value"}, set()),
    "inertia": (_TENSOR, set()),
    "origin": ({"xyz", "rpy"}, set()),
    "visual": ({"name"}, _POSED | {"material"}),
    "collision": ({"name"}, _POSED),
    "geometry": (set(), {"box", "cylinder", "sphere", "capsule", "mesh"}),
    "box": ({"size"}, set()),
    "sphere": ({"radius"}, set()),
    "cylinder": ({"radius", "length"}, set()),
    "capsule": ({"radius", "length"}, set()),
    "mesh": ({"filename", "scale"}, set()),
    "material": ({"name"}, {"color"}),
    "color": ({"rgba"}, set()),
    "joint": ({"name", "type"}, {"parent", "child", "origin", "axis", "dynamics", "limit", "mimic"}),
    "parent": ({"link"}, set()),
    "child": ({"link"}, set()),
    "axis": ({"xyz"}, set()),
    "dynamics": ({"damping", "friction"}, set()),
    "limit": ({"lower", "upper", "effort"}, set()),
    "mimic": ({"joint", "multiplier", "offset"}, set()),  # an equality, or refused or left out below
    "mujoco": (set(), {"compiler", "option", "size"}),
}
_OWN = {"compiler", "option", "size"}  # MuJoCo's, which it checks itself
_SHOWN = 4  # names in a line


def robot_of(text):
    """The root of a URDF, or None where `text` (str or bytes) is MJCF or no XML (of which the compiler complains)."""
    if isinstance(text, bytes) and text[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        text = text.decode("utf-16", errors="replace")
    if ("<robot" if isinstance(text, str) else b"<robot") not in text:
        return None
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    return root if root.tag == "robot" else None


def mimics(robot, made):
    """A refusal for each joint that follows another, but for those `made` a constraint and those that are fixed."""
    for joint in robot.iter("joint"):
        passed = joint.get("name") in made or joint.get("type") == "fixed"
        for mimic in () if passed else joint.findall("mimic"):
            yield (
                f"joint {joint.get('name')!r}: mimic of joint {mimic.get('joint')!r}; allowed: a joint that is "
                "revolute, continuous or prismatic, as the joint itself"
            )


def left_out(robot, body_names):
    """What has no effect on the Model, one line each; `body_names` are the bodies that MuJoCo made of the links."""
    found = defaultdict(list)
    _collect(robot, None, found)
    for what, owners in found.items():
        yield f"{what} of {_list(owners)}: left out"
    fixed = [joint for joint in robot.iter("joint") if joint.get("type") == "fixed" and joint.find("mimic") is not None]
    if fixed:
        names = _list([repr(joint.get("name")) for joint in fixed])
        yield f"mimic of joint {names}: left out, since what is fixed follows nothing"
    ranges = defaultdict(list)
    for joint in robot.iter("joint"):
        for limit in joint.findall("limit"):
            for kind, text in _no_range(joint.get("type"), limit):
                ranges[kind].append((repr(joint.get("name")), text))
    for lines in ranges.values():
        names, texts = zip(*lines, strict=True)
        what, why = texts[0]
        yield f"limit of joint {_list(names)}{what}{', ...' if len(set(texts)) > 1 else ''}: {why}"
    compiler = robot.find("mujoco/compiler")
    if compiler is None or compiler.get("discardvisual") != "false":
        visuals = [f"link {link.get('name')!r}" for link in robot.iter("link") if link.find("visual") is not None]
        if visuals:
            yield f'<visual> of {_list(visuals)}: left out (kept with <compiler discardvisual="false"/> in <mujoco>)'
    fused = [repr(link.get("name")) for link in robot.findall("link") if link.get("name") not in body_names]
    if fused:
        yield f"link {_list(fused)}: part of what it is fixed to"


def _no_range(kind, limit):
    """(kind, (what, what becomes of it)) of a limit that limits nothing."""
    low, high = ((limit.get(end) or "").strip() or None for end in ("lower", "upper"))
    effort = (limit.get("effort") or "").strip()
    if (low is None) != (high is None):
        yield "one", (f" without {'upper' if high is None else 'lower'}", "left out, since limits have two ends")
    elif low is not None and float(low) > float(high):
        yield "above", (f", lower {low} above upper {high}", "left out")
    elif low is not None and kind in ("revolute", "prismatic") and float(low) == float(high):
        yield "empty", (f", lower and upper {low}", "left out, so that it moves freely")
    if effort and float(effort) == 0:
        yield "effort", (", effort 0", "left out, so that its force has no limit")


def _collect(element, owner, found):
    """Lists of owners by what is passed over in `element`: the link, joint or robot that it belongs to."""
    if element.tag in ("robot", "link", "joint"):
        owner = f"{element.tag} {element.get('name')!r}"
    attributes, elements = _READ[element.tag]
    for attribute in element.attrib:
        if attribute not in attributes:
            found[f"{_plain(element.tag)} {_plain(attribute)}"].append(owner)
    for child in element:
        if not isinstance(child.tag, str):  # a comment
            continue
        if child.tag not in elements:
            found[f"<{_plain(child.tag)}>"].append(owner)
        elif child.tag not in _OWN:
            _collect(child, owner, found)


def _plain(tag):
    return re.sub(r"^\{.*\}", "", tag)


def _list(owners):
    owners = list(dict.fromkeys(owners))
    more = f" and {len(owners) - _SHOWN} more" if len(owners) > _SHOWN else ""
    return ", ".join(owners[:_SHOWN]) + more
