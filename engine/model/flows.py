"""Geoms that a fluid takes for ellipsoids (MuJoCo documentation, Computation, "Passive forces"): what their sizes and
coefficients come to."""

import numpy as np

from . import constants as c

# geom_fluid: whether it is one; coefficients of blunt drag, slender drag, angular drag, Kutta's and Magnus' lift; the
# fluid's mass and moment of inertia that move along its axes, for a density of one
COEFFICIENTS = (0.5, 0.25, 1.5, 1.0, 1.0)  # MJCF's fluidcoef, where none is given
# Gauss-Kronrod quadrature with 15 nodes (QUADPACK) on [0, 1], as MuJoCo to eight digits
_NODES = np.array([0.00427231, 0.02544604, 0.06756779, 0.12923441, 0.20695638, 0.29707742, 0.39610752, 0.5])
_NODES = np.concatenate([_NODES, 1 - _NODES[-2::-1]])
_HALF = (0.01146766, 0.03154605, 0.05239501, 0.07032663, 0.08450236, 0.09517529, 0.10221647)
_WEIGHTS = np.array([*_HALF, 0.10474107, *_HALF[::-1]])


def in_flow(m):
    """Which geoms are ellipsoids in a fluid, on bodies that move, (ngeom,)."""
    moves = np.asarray(m.body_weldid)[m.geom_bodyid] > 0
    return moves & (np.asarray(m.geom_fluid)[:, 0] > 0) & (m.opt.density > 0 or m.opt.viscosity > 0)


def simple_bodies(m):
    """Bodies of whose dofs MuJoCo's M has the diagonal alone ("simple" in MJCF), (nbody,): of the world or of what is
    fixed to it without a dof, nothing hangs on them, frames and axes lie as the principal axes do, and no joint but
    slides comes behind one that turns."""
    tiny = 1e-14  # MuJoCo's mjEPS
    parent = np.asarray(m.body_parentid)
    root = (parent == 0) | (parent > 0) & (parent[parent] == 0) & (np.asarray(m.body_dofnum)[parent] == 0)
    aligned = (np.abs(m.body_ipos) < tiny).all(axis=1) & (np.abs(m.body_iquat[:, 1:]) < tiny).all(axis=1)
    simple = root & aligned
    simple[parent] = False
    turned = np.zeros(m.nbody, bool)
    for j, b in enumerate(m.jnt_bodyid):
        straight = (np.abs(m.jnt_axis[j]) > tiny).sum() == 1 or m.jnt_type[j] in (c.FREE, c.BALL)
        simple[b] &= not turned[b] and straight and (np.abs(m.jnt_pos[j]) < tiny).all()
        turned[b] |= m.jnt_type[j] in (c.BALL, c.HINGE)
    for t in np.flatnonzero(m.tendon_armature):
        for i in range(m.tendon_adr[t], m.tendon_adr[t] + m.tendon_num[t]):
            kind, obj = m.wrap_type[i], m.wrap_objid[i]
            found = {c.WRAP_SITE: m.site_bodyid, c.WRAP_SPHERE: m.geom_bodyid}.get(min(int(kind), c.WRAP_SPHERE))
            if found is not None:
                simple[found[obj]] = False
    return simple


def semi_axes(kind, size):
    """Those of the ellipsoid that each geom is taken for, (ngeom, 3) in m."""
    x, y, z = size.T
    round_ = np.isin(kind, (c.SPHERE, c.CAPSULE, c.CYLINDER))
    along = np.select([kind == c.SPHERE, kind == c.CAPSULE, kind == c.CYLINDER], [x, x + y, y], z)
    return np.column_stack([x, np.where(round_, x, y), along])


def _kappa(x, y, z):
    """The integral of x y z / sqrt((x^2 + l)^3 (y^2 + l) (z^2 + l)) over l > 0 (Tuckerman, NACA report 210, 1925), by
    l = scale t^3 / (1 - t)^2."""
    scale = (x**3 * y * z) ** 0.4
    lam = scale * _NODES**3 / (1 - _NODES) ** 2
    rate = scale * _NODES**2 * (3 - _NODES) / (1 - _NODES) ** 3
    fx, fy, fz = (1 + lam / size**2 for size in (x, y, z))
    return float(np.sum(rate * _WEIGHTS / (fx * np.sqrt(fx * fy * fz)))) / x**2


def added_mass(axes):
    """Mass and moments of inertia of a fluid of density one that move along with an ellipsoid: (3,) each."""
    volume, tiny = 4 / 3 * np.pi * np.prod(axes), 1e-14  # MuJoCo's mjEPS
    k = np.array([_kappa(*np.roll(axes, -i)) for i in range(3)])
    mass, inertia = volume * k / np.maximum(tiny, 2 - k), np.zeros(3)
    for i in range(3):
        (y, z), (ky, kz) = (np.roll(v, -i - 1)[:2] for v in (axes, k))
        across = y * y - z * z
        below = abs(2 * across + (y * y + z * z) * (ky - kz))
        inertia[i] = volume / 5 * across**2 * abs(kz - ky) / max(tiny, below)
    return mass, inertia


def _drag(m, geoms, size):
    """What forces on these geoms, of these sizes, are in proportion to, {column: values}. The mass of a fluid that
    moves along is none of it: as masses of bodies, it is a number of its own."""
    axes, rho, beta, pi = semi_axes(m.geom_type[geoms], size), m.opt.density, m.opt.viscosity, np.pi
    blunt, slender, angular, kutta, magnus = m.geom_fluid[geoms, 1:6].T
    x, y, z = axes.T
    low, mid, high = np.sort(axes, axis=1).T
    areas = np.column_stack([y * z, z * x, x * y]) ** 2
    most_area = areas.max(axis=1, initial=1e-300)
    diameter = 2 / 3 * axes.sum(axis=1)
    moments = 8 / 15 * pi * axes * np.column_stack([np.maximum(y, z), np.maximum(z, x), np.maximum(x, y)]) ** 4
    most = 8 / 15 * pi * mid * high**4
    return {
        "flow_area": areas / most_area[:, None],
        "flow_moment": angular[:, None] * moments + slender[:, None] * (most[:, None] - moments),
        "flow_magnus": magnus * rho * 4 / 3 * pi * x * y * z,
        "flow_kutta": kutta * rho * pi * np.sqrt(most_area),
        "flow_blunt": rho * pi * (blunt - slender) * np.sqrt(most_area),
        "flow_slender": rho * slender * pi * high * mid,
        "flow_slide": 3 * pi * beta * diameter, "flow_turn": pi * beta * diameter**3,
    }  # fmt: skip


def _by_size(m, geoms):
    """Derivatives of `_drag` by the three numbers of a size, (geoms, 12, 3): of its columns in their order, from the
    imaginary part of a tiny one, which is exact. Meshes have no size to change."""
    tiny, found = 1e-30, []
    for k in range(3):
        size = m.geom_size[geoms] + tiny * 1j * (np.arange(3) == k)
        found.append(np.column_stack(list(_drag(m, geoms, size).values())).imag / tiny)
    found = np.stack(found, axis=2)
    found[m.geom_type[geoms] == c.MESH] = 0
    return found


def flow_columns(m):
    """What the device's arrays hold of them, {column: values}: coefficients times the fluid's density and viscosity, in
    the order of bodies."""
    geoms = np.flatnonzero(in_flow(m))
    geoms = geoms[np.argsort(m.geom_bodyid[geoms], kind="stable")]
    body = m.geom_bodyid[geoms]
    lone = np.zeros(m.nbody, bool)
    lone[m.jnt_bodyid[m.jnt_type == c.FREE]] = True
    lone &= np.bincount(m.body_rootid, m.body_dofnum, m.nbody) == 6
    flows = np.zeros(m.nbody, int)
    flows[body] = np.where(lone[m.body_rootid[body]], c.LONE_FLOW, 1)
    simple = (m.opt.density > 0 or m.opt.viscosity > 0) and m.opt.integrator == c.DISCRETE
    return {
        "body_simple": simple_bodies(m)[: m.nbody if simple else 0],
        "body_flows": flows[: m.nbody if geoms.size else 0], "flow_geom": geoms, "flow_body": body,
        "flow_first": np.diff(body, prepend=-1) != 0, "flow_mass": m.opt.density * m.geom_fluid[geoms, 6:9],
        "flow_inertia": m.opt.density * m.geom_fluid[geoms, 9:], **_drag(m, geoms, m.geom_size[geoms]),
        "flow_by_size": _by_size(m, geoms).reshape(-1, 3),
    }  # fmt: skip
