"""Meshes of a URDF: where they lie, and those of formats that MuJoCo does not read.

A file is looked for where its name says, then without the folders of its name (MuJoCo before 3.5 left them out), then,
of package://name/path and the like, in the folder `name` above the robot's file or beside one above it. Where none is
there, a file is taken whose name differs in its case alone, as where names are compared without it.
"""

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

from engine.words import meant, neighbours

from ..errors import ModelError
from ..mesh_files import as_obj, reads

_SHOWN = 4


class Meshes:
    """The meshes of a URDF. folder: that of the file, or None for XML text. assets: {file name: bytes}, or None."""

    def __init__(self, title, robot, folder, assets):
        self.title, self.folder, self.given = title, folder, dict(assets or {})
        self.assets = {}  # what MuJoCo is to be given
        self.found = Counter()  # how, in words: number of meshes
        self.names, self.stems = {}, set()
        self.moved = False  # whether a mesh lies where MuJoCo would not look, or is of another format
        self._told = set()
        compiler = robot.find("mujoco/compiler")
        compiler = {} if compiler is None else compiler.attrib
        self.directory = compiler.get("meshdir", compiler.get("assetdir", ""))
        self.drawn = compiler.get("discardvisual") == "false"

    def settle(self, robot):
        """Give every mesh that is read the name under which MuJoCo finds it. Raises ModelError for those that are
        nowhere; lines about what changed."""
        for link in robot.iter("link") if self.drawn else ():
            for visual in link.findall("visual"):
                try:
                    self._rename(visual)
                except (ImportError, ModelError) as error:
                    link.remove(visual)
                    yield f"<visual> of link {link.get('name')!r}: left out, since it is only drawn: {error}"
        missing = []
        for link in robot.iter("link"):
            if not all(mesh.get("filename") for mesh in link.iterfind("collision//mesh")):
                who = f"{self.title}: <mesh> of link {link.get('name')!r}"
                raise ModelError(f"{who} without a filename; allowed: the name of a mesh file")
        for collision in robot.iter("collision"):
            lacking = self._lacking(collision)
            missing += lacking
            if not lacking:
                self._rename(collision)
        if missing:
            raise ModelError(self._advice(missing))
        for words, count in self.found.items():
            yield words.format(f"{count} mesh" + "es" * (count > 1))

    def _lacking(self, shape):
        """Names of meshes that are nowhere."""
        named = [mesh.get("filename") for mesh in shape.iter("mesh")]
        return [name for name in named if name and name not in self.names and self._content(name) is None]

    def _rename(self, shape):
        for mesh in shape.iter("mesh"):
            name = mesh.get("filename")
            if name and name not in self.names:
                self.names[name] = self._settled(name)
            mesh.set("filename", self.names.get(name, ""))

    def _settled(self, name):
        """The name under which MuJoCo finds a mesh."""
        content = self._content(name)
        if content is None:
            raise ModelError(name)
        file = Path(_path(name))
        suffix, data = file.suffix.lower(), content if isinstance(content, bytes) else content.read_bytes()
        if not reads(data, suffix):
            kind = "text" if suffix == ".stl" else suffix
            made = self._asset(file.stem, ".obj", as_obj(f"{self.title}: mesh {name!r}", data, suffix))
            self.found[f"{{}} in {kind}, which MuJoCo does not read: taken as triangles"] += 1
            return made
        if isinstance(content, bytes) or file.stem in self.stems:
            return self._asset(file.stem, suffix, data)
        self.stems.add(file.stem)
        self.moved |= _parted(name)[0] == "file"
        return str(content)

    def _asset(self, stem, suffix, data):
        """The name of a mesh that MuJoCo is given. It calls meshes by their stems; before 4.0 those of one stem were
        the same to it."""
        unique, n = stem, 1
        while unique in self.stems:
            unique, n = f"{stem}.{n}", n + 1
        self.stems.add(unique)
        self.moved = True
        self.assets[unique + suffix] = data
        return unique + suffix

    def _content(self, name):
        """Bytes or a path, or None where there is none."""
        path = _path(name)
        for key in (name, path, Path(path).name):
            if key in self.given:
                return self.given[key]
        for words, candidate in self._candidates(name, path) if path else ():
            if candidate.is_file():
                if words and name not in self._told:
                    self.found[words] += 1
                    self._told.add(name)
                    self.moved = True
                return candidate.resolve()
        for _, candidate in self._candidates(name, path) if path else ():
            near = _of_any_case(candidate)
            if near is not None:
                if name not in self._told:
                    self.found["{} found by a name of another case"] += 1
                    self._told.add(name)
                    self.moved = True
                return near.resolve()
        return None

    def _candidates(self, name, path):
        """(what the report says of it, a place where the mesh may lie)"""
        folder = Path.cwd() if self.folder is None else self.folder
        scheme, _ = _parted(name)
        if scheme in ("", "file"):
            yield "", folder / self.directory / path
            yield "{} found without the folders of the name", folder / self.directory / Path(path).name
            yield "{} found without <compiler> meshdir", folder / path
            return
        words = f"{{}} of {scheme}://: found in the folders above the file"
        package, _, rest = path.partition("/")
        for above in (folder, *folder.resolve().parents):
            if above.name == package:
                yield words, above / rest
            yield words, above / path
        for above in (folder, *list(folder.resolve().parents)[:3]):  # a package of another name
            yield words, above / rest

    def _advice(self, missing):
        names = list(dict.fromkeys(missing))
        shown = ", ".join(repr(name) + self._near(name) for name in names[:_SHOWN])
        shown += f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
        file = Path(_path(names[0])).name
        where = "the folder that the program runs in" if self.folder is None else "the file's folder and those above"
        allowed = f"a file there, or the content of each, assets={{{file!r}: bytes}}"
        return f"{self.title}: mesh {shown}: not found (looked in {where}); allowed: {allowed}"


    def _near(self, name):
        """The file that may be meant: one of a name like this, where it was looked for."""
        path = _path(name)
        looked = [candidate for _, candidate in self._candidates(name, path)] if path else []
        return meant(Path(path).name, [Path(place).name for at in looked for place in neighbours(at)])


def _parted(name):
    """(scheme or "", the rest with slashes) of a mesh's name."""
    name = re.sub(r"^\$\(find ([^)]*)\)/?", r"package://\1/", name.replace("\\", "/"))  # of launch files
    name = re.sub(r"^file:/(?!/)", "file:///", name)
    scheme, mark, rest = name.partition("://")
    return (scheme, rest) if mark else ("", name)


def _path(name):
    """A mesh's name without scheme, with slashes."""
    scheme, path = _parted(name)
    return path if scheme in ("", "file") else path.lstrip("/")


def _of_any_case(path):
    """The one file whose path differs from this in its case, or in marks of a URL (%20), or None."""
    found = Path(path.anchor)
    for part in path.parts[1:] if path.anchor else path.parts:
        names = dict.fromkeys((part, unquote(part)))
        there = next((found / name for name in names if (found / name).exists()), None)
        if there is None:
            try:
                like = [p for p in found.iterdir() if p.name.lower() in {name.lower() for name in names}]
            except OSError:
                return None
            if len(like) != 1:
                return None
            (there,) = like
        found = there
    return found if found.is_file() else None
