"""MJCF of older MuJoCo: what it no longer reads is left out where it has no effect here, or said in its words of today.

A file is touched only where MuJoCo's compiler refuses it. `include` elements are then put in, since what is to be left
out may stand in any of the files.
"""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from .errors import ModelError

# (element, attribute): why it may be left out
_LEFT_OUT = {
    ("option", "apirate"): "nothing has read it",
    ("option", "mpr_tolerance"): "the engine has no such tolerance",
    ("option", "mpr_iterations"): "the engine has no such iteration",
    ("flag", "sensornoise"): "sensors have no noise",
    ("compiler", "convexhull"): "hulls are made where they are needed",
    ("contact", "internal"): "flexes are refused as such",
    ("contact", "vertcollide"): "flexes are refused as such",
    ("global", "treedepth"): "it is only drawn",
    ("global", "treeid"): "it is only drawn",
}


def stripped(path, text, assets):
    """XML text with its includes in it and without what was removed from MJCF, and lines about what was changed.

    path: of the file, or None for `text`; assets: {file name: bytes}, or None. Raises ModelError for an included file
    that is not there.
    """
    try:
        root = ElementTree.fromstring(text if path is None else path.read_bytes())
    except ElementTree.ParseError:
        return text, []
    _include(root, None if path is None else path.parent, assets or {}, ())
    changed = list(_strip(root))
    return ElementTree.tostring(root, encoding="unicode"), changed


def _strip(root):
    counts = Counter()
    for element in root.iter():
        for name in list(element.attrib):
            if (element.tag, name) in _LEFT_OUT:
                del element.attrib[name]
                counts[element.tag, name] += 1
    for (tag, name), count in counts.items():
        times = f", {count} times" * (count > 1)
        yield f"{tag} {name}{times}: no longer MJCF, left out, since {_LEFT_OUT[tag, name]}"
    for flag in root.iter("flag"):
        passive = flag.attrib.pop("passive", None)
        if passive == "disable":
            flag.attrib |= {"spring": "disable", "damper": "disable"}
        if passive:
            yield f"flag passive = {passive}: no longer MJCF, read as flags spring and damper"
    for option in root.iter("option"):
        if option.get("collision") == "all":
            del option.attrib["collision"]
            yield "option collision = all: no longer MJCF, left out, since that is the rule"
    exact = [compiler.attrib.pop("exactmeshinertia") for compiler in root.iter("compiler")
             if "exactmeshinertia" in compiler.attrib]  # fmt: skip
    if exact:
        if exact[-1] == "true":
            for mesh in root.findall("asset/mesh"):
                mesh.set("inertia", mesh.get("inertia", "exact"))
        yield f"compiler exactmeshinertia = {exact[-1]}: no longer MJCF, read as inertia of each mesh"


def _include(element, folder, assets, above):
    """Put included files in the place of `include`. Their names are seen from the main file's folder."""
    for i in reversed(range(len(element))):
        child = element[i]
        if child.tag != "include":
            _include(child, folder, assets, above)
            continue
        name = child.get("file", "")
        content = assets.get(name)
        file = Path(name) if folder is None else folder / name
        if content is None and file.is_file():
            content = file.read_bytes()
        if content is None or name in above:
            what = "includes itself" if name in above else "not found"
            raise ModelError(f"include {name!r}: {what}; allowed: a file seen from the main file's folder")
        root = ElementTree.fromstring(content)
        _include(root, folder, assets, (*above, name))
        element[i : i + 1] = list(root)
