"""Geoms: shapes with mass and contact, and what is only drawn."""

from typing import Any

import numpy as np

from .. import constants as c
from ..attributes import CONTACT, POSE, RGBA, choice, name_of, number, read_attributes, vector, whole
from ..bounds import geom_boxes
from ..checks import below, check, first, one_of, unit_quaternions
from ..errors import ModelError
from ..flows import COEFFICIENTS, added_mass, flow_columns, semi_axes
from ..pairs import CONDIMS
from ..same_frames import frames_on
from ..shapes import COUNT, place, quat_of
from .hfield import geom_size_of
from .kind import Kind, integer, real

SHAPES = {c.GEOM_NAMES[k]: k for k in COUNT}  # that a builder knows, but for height fields
_DEFAULT_RGBA = (0.5, 0.5, 0.5, 1.0)


class Geom(Kind):
    name, plural, named = "geom", "geoms", "ngeom"
    on_bodies = defaulted = True
    fields = {
        "ngeom": {
            "geom_type": integer("PLANE, SPHERE, CAPSULE, ..., MESH"),
            "geom_bodyid": integer("the body that it is part of"),
            "geom_dataid": integer("its mesh or height field, or -1"),
            "geom_pos": real("m", "place in the body", 3),
            "geom_quat": real("1", "orientation in the body", 4),
            "geom_size": real("m", "radius, half lengths", 3),
            "geom_rbound": real("m", "radius of the ball about its centre that holds it; 0 of a plane", least=0),
            "geom_rgba": real("1", "colour", 4),
            "geom_group": integer("for drawing"),
            "geom_contype": integer("bits: touches those whose conaffinity has one of them"),
            "geom_conaffinity": integer("bits"),
            "geom_condim": integer("dimensions of its contacts"),
            "geom_priority": integer("whose contact parameters count"),
            "geom_solmix": real("1", "weight where parameters are mixed", least=0),
            "geom_solref": real("s, 1", "reference of contacts", 2),
            "geom_solimp": real("", "impedance of contacts", 5),
            "geom_friction": real("1, m, m", "sliding, spinning and rolling friction", 3, least=0, differentiable=True),
            "geom_margin": real("m", "distance at which a contact is felt"),
            "geom_gap": real("m", "distance beyond it at which a contact is found"),
            "geom_surfacevel": real(
                "m/s, rad/s", "velocity of its surface, linear and about its place", 6, before=0, since=4),
            "geom_fluid": real("1, m^3, m^5", "whether a fluid takes it for an ellipsoid, its coefficients, what moves "
                               "along of a fluid of density one", 12, before=0, since=6),
        },
    }
    attributes = {
        **POSE,
        **CONTACT,
        "type": choice("sphere", SHAPES | {"hfield": c.HFIELD}),
        "hfield": name_of("a height field"),
        "size": vector(None, 3, partial=True),
        "fromto": vector(None, 6),
        "mass": number(None, 0),
        "density": number(1000.0, 0),
        "friction": vector((1.0, 0.005, 0.0001), 3, partial=True),
        "contype": whole(1),
        "conaffinity": whole(1),
        "priority": whole(0),
        "solmix": number(1.0, 0),
        "rgba": RGBA,
        "group": whole(0),
        "surfacevel": vector((0.0,) * 6, 6, partial=True),
        "fluidshape": choice("none", {"none": 0, "ellipsoid": 1}),
        "fluidcoef": vector(COEFFICIENTS, 5, partial=True),
    }
    must_be_zero = (("geom_adhesion", "adhesion"),)

    class Methods:
        def geom(self, body: str, name: str | None = None, **attributes: Any) -> str:
            """A shape: mass (or density) and contact. Types: plane, sphere, capsule, ellipsoid, cylinder, box, hfield;
            hfield: the height field, which has the size."""
            who = f"geom {name or ''!r} of body {body!r}"
            target = self._find("body", body, who)
            a = read_attributes(Geom.attributes, who, attributes, self._defaults["geom"])
            if a.type == c.HFIELD:
                a.hfield = self._find("hfield", a.hfield, who)
                if a.size is not None or a.fromto is not None:
                    raise ModelError(f"{who}: size or fromto; allowed: none, its height field has the size")
                a.quat, a.size = quat_of(who, a), geom_size_of(a.hfield.size)
            elif a.hfield is not None:
                raise ModelError(f"{who}: hfield = {a.hfield!r}; allowed: with type hfield")
            else:
                a.pos, a.quat, a.size = place(who, a, attributes)
            if a.type in (c.PLANE, c.HFIELD) and a.mass:
                raise ModelError(f"{who}: mass = {a.mass}; allowed: none for a {c.GEOM_NAMES[a.type]}")
            return self._add("geom", name, a, target)

    def assembled(self, order, m):
        owners = order.owners(self.plural)
        geoms = order.elements[self.name]
        data = [-1 if geom.hfield is None else order.of(geom.hfield) for geom in geoms]
        fluid = [(a.fluidshape, *(a.fluidshape * np.asarray(a.fluidcoef)), *[0] * 6) for a in geoms]
        return super().assembled(order, m) | {
            "geom_bodyid": owners, "geom_dataid": data, "geom_fluid": np.reshape(fluid, (-1, 12)),
        }  # fmt: skip

    def read(self, mujoco, mj, m):
        arrays = super().read(mujoco, mj, m)
        arrays["geom_pos"], arrays["geom_quat"] = frames_on(mj, "geom")
        drawn_by_material = (arrays["geom_rgba"] == _DEFAULT_RGBA).all(axis=1) & (mj.geom_matid >= 0)
        arrays["geom_rgba"][drawn_by_material] = mj.mat_rgba[mj.geom_matid[drawn_by_material]]
        arrays["geom_dataid"][~np.isin(mj.geom_type, (c.MESH, c.HFIELD))] = -1  # of others nothing is kept
        return arrays

    def check_indices(self, m):
        one_of(m, "geom_type", c.GEOM_NAMES)
        below(m, "geom_bodyid", "nbody", "body")
        check(m, "geom_condim", ~np.isin(m.geom_condim, CONDIMS), ", ".join(map(str, CONDIMS)))
        field = m.geom_type == c.HFIELD
        count = np.where(field, m.nhfield, len(m.mesh_vert))
        least = np.where(m.geom_type == c.MESH, 0, -1)  # a height field may be none, and then is not there
        words = np.where(field, "height field", "mesh")
        bad = (m.geom_dataid < least) | (m.geom_dataid >= count)
        check(m, "geom_dataid", bad, lambda g: f"{least[g]} to {count[g] - 1}, a {words[g]}" + ", or -1" * -least[g])

    def check(self, m):
        unit_quaternions(m, "geom_quat")
        for kind, used in COUNT.items():
            bad = (m.geom_type == kind)[:, None] & (m.geom_size[:, :used] <= 0) & (kind != c.PLANE)
            check(m, "geom_size", bad, f"{used} positive number(s) for a {c.GEOM_NAMES[kind]}")
        geom = first((m.geom_type == c.PLANE) & (m.body_dofnum[m.body_weldid[m.geom_bodyid]] > 0))
        if geom is not None:
            body = m.label("body", m.geom_bodyid[geom])
            raise ModelError(
                f"{m.label('geom', geom)} is a plane on {body}; allowed: on the world, on what is fixed to it, and on "
                "mocap bodies"
            )
        shape = m.geom_fluid[:, 0]
        check(m, "geom_fluid", (shape != 0) & (shape != 1), "0 or 1 first")
        flat = (shape == 1) & (m.geom_size <= 0).any(axis=1) & ~np.isin(m.geom_type, (c.SPHERE, c.CAPSULE, c.CYLINDER))
        check(m, "geom_fluid", flat, "no ellipsoid without a size")
        # a negative margin shrinks the shape, within what is looked for
        check(m, "geom_margin", m.geom_margin + m.geom_gap < 0, "margin + gap of zero or more")

    def set_const(self, m):
        kinds = zip(m.geom_type, m.geom_size, m.geom_rbound, strict=True)
        m.geom_rbound[:] = [bounding_radius(kind, size, old) for kind, size, old in kinds]
        bound_fields(m)
        axes = semi_axes(m.geom_type, m.geom_size)
        for g in np.flatnonzero(m.geom_fluid[:, 0]):
            m.geom_fluid[g, 6:] = np.concatenate(added_mass(axes[g]))

    def device(self, m):
        collides = np.isin(np.arange(m.ngeom), np.concatenate([m.pair_geom1, m.pair_geom2]))
        centre, half = geom_boxes(m)
        mixed = (m.geom_condim, m.geom_priority, m.geom_solmix, m.geom_solref, m.geom_solimp)
        told = np.column_stack(mixed)
        alike = np.unique(told, axis=0, return_inverse=True)[1].reshape(m.ngeom)  # contacts of these mix nothing
        seen = (m.geom_rgba[:, 3] > 0) & ((m.geom_type != c.HFIELD) | (m.geom_dataid >= 0))
        return {
            "geom_collides": collides, "geom_seen": seen, "geom_center": centre, "geom_half": half,
            "geom_alike": alike, "surface_lin": m.geom_surfacevel[:, :3], "surface_ang": m.geom_surfacevel[:, 3:],
            **flow_columns(m),
        }  # fmt: skip


def bound_fields(m):
    """Set geom_rbound of height fields."""
    for g in np.flatnonzero((m.geom_type == c.HFIELD) & (m.geom_dataid >= 0)):
        x, y, height, depth = m.hfield_size[m.geom_dataid[g]]
        m.geom_rbound[g] = np.sqrt(x * x + y * y + max(height, depth) ** 2)


def bounding_radius(kind, size, old):
    """Radius of the ball about a geom's centre that holds it; 0 for a plane, which nothing holds."""
    x, y, z = size
    if kind in (c.MESH, c.HFIELD, c.SDF):
        return old  # depends on more than its size
    return {
        c.PLANE: 0.0, c.SPHERE: x, c.CAPSULE: x + y, c.CYLINDER: np.hypot(x, y),
        c.ELLIPSOID: max(x, y, z), c.BOX: np.sqrt(x * x + y * y + z * z),
    }[kind]  # fmt: skip
