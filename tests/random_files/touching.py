"""Contacts beside MuJoCo's: as many, and where; and why they may be elsewhere.

MuJoCo's search between convex shapes ends at a tolerance, or at a depth that is not the least: a tie, where the
engine's own contact is on both surfaces and no deeper.
"""

from collections import Counter
from itertools import product

import mujoco
import numpy as np
from scipy.spatial import ConvexHull

from engine.model import constants as c
from tests.physics.test_convex import farthest
from tests.random_files.nearby import NUDGE, NUDGES, ROUNDING, beside, go_on
from tests.random_files.verdict import tie, wrong

DEPTH, PLACE = 1e-6, 1e-3  # of contacts that are searched, m, 1
SEARCHED = {c.ELLIPSOID, c.CYLINDER, c.MESH, c.HFIELD}  # a contact with one of them may be searched


def real(data):
    """Which of MuJoCo's contacts exert a force; the others lie within a gap."""
    return np.asarray(data.contact.exclude) == 0


def pair_name(mj, geoms):
    kinds = sorted(int(mj.geom_type[g]) for g in geoms)
    return "-".join(mujoco.mjtGeom(k).name.removeprefix("mjGEOM_").lower() for k in kinds)


def same_contacts(mj, sim, data):
    """The kinds of the contacts' pairs, in words, and the ties among them. Raises Differs unless they are the same."""
    ours, theirs, ties = sim.data.contacts(), np.flatnonzero(real(data)), []
    mine, other = np.column_stack([ours["geom1"], ours["geom2"]]), data.contact.geom[theirs]
    counts, wanted = Counter(map(pair_of, mine)), Counter(map(pair_of, other))
    for pair in sorted(counts | wanted):
        if counts[pair] != wanted[pair]:
            ties.append(other_number(mj, data, ours, pair, counts[pair], wanted[pair]))
    if ties:
        tie(ties[0])
    for k, at in matched(mine, ours["pos"], other, data.contact.pos[theirs]):
        at = theirs[at]
        searched = SEARCHED & {int(mj.geom_type[g]) for g in mine[k]}
        apart = abs(ours["dist"][k] - data.contact.dist[at])
        moved = np.linalg.norm(ours["pos"][k] - data.contact.pos[at])
        turned = np.linalg.norm(ours["frame"][k, 0] - data.contact.frame[at, :3])
        bars = (DEPTH, PLACE, PLACE) if searched else (1e-9, 1e-8, 1e-8)
        if apart > bars[0] or moved > bars[1] or turned > bars[2]:
            ties.append(at_odds(mj, data, mine[k], (apart, moved, turned), sim, k, at))
    return ", ".join(sorted({pair_name(mj, g) for g in mine})), ties


def pair_of(geoms):
    return tuple(sorted(int(g) for g in geoms))


def other_number(mj, data, ours, pair, count, wanted):
    """Why a pair has another number of contacts than MuJoCo's. Raises Differs where there is no reason."""
    name = pair_name(mj, pair)
    depths = [
        depth_along(mj, data, pair, ours["frame"][k, 0], ours["geom1"][k], ours["pos"][k], ours["dist"][k])
        for k in of_pair(ours, pair)
    ]
    their = [
        depth_along(mj, data, pair, c.frame[:3], c.geom[0], c.pos, c.dist)
        for c in data.contact
        if pair_of(c.geom) == pair
    ]
    least, other = min(depths, default=np.inf), min(their, default=np.inf)
    if least < other - 1e-7 and np.isfinite(other):
        return f"MuJoCo's depth is not the least: {name}"
    if len(numbers_near(mj, data, pair)) > 1:
        return f"number of contacts hangs on rounding: {name}"
    if not wanted and apart_by_corners(mj, data, ours, pair):
        return f"corners farther apart than the margin, which MuJoCo's broad phase sees: {name}"
    least = f", depth {least:.3g} along the normal, MuJoCo's {other:.3g}"
    wrong(f"{name}{margin_of(mj, pair)}: {count} contacts, MuJoCo {wanted}{least}")


def apart_by_corners(mj, data, ours, pair):
    """Whether two boxes are farther apart than where contacts are found, but along no axis that MuJoCo tries for two
    boxes: it finds our contacts where it asks for just this pair, and none where its broad phase parts them."""
    own = [pair_of(geoms) for geoms in zip(mj.pair_geom1, mj.pair_geom2, strict=True)]
    override = mj.opt.enableflags & int(mujoco.mjtEnableBit.mjENBL_OVERRIDE)
    if pair in own or override or (mj.geom_type[list(pair)] != c.BOX).any():
        return False
    margin, gap = mj.geom_margin[list(pair)].sum(), mj.geom_gap[list(pair)].sum()
    if mujoco.mj_geomDistance(mj, data, *pair, 1.0, None) < margin + gap:
        return False
    boxes = "".join(f'<body mocap="true"><geom name="g{g}" type="box" size="1 1 1"/></body>' for g in pair)
    asked = f'<contact><pair geom1="g{pair[0]}" geom2="g{pair[1]}"/></contact>'
    alone = mujoco.MjModel.from_xml_string(f"<mujoco><worldbody>{boxes}</worldbody>{asked}</mujoco>")
    alone.geom_size[:], alone.geom_rbound[:] = mj.geom_size[list(pair)], mj.geom_rbound[list(pair)]
    alone.pair_margin[:], alone.pair_gap[:] = margin, gap
    other = mujoco.MjData(alone)
    other.geom_xpos[:], other.geom_xmat[:] = data.geom_xpos[list(pair)], data.geom_xmat[list(pair)]
    mujoco.mj_collision(alone, other)
    mine = sorted(ours["dist"][of_pair(ours, pair)])
    return other.ncon == len(mine) and np.allclose(mine, sorted(other.contact.dist), rtol=0, atol=1e-9)


def margin_of(mj, pair):
    return " with a margin" * bool(mj.geom_margin[list(pair)].any())


def of_pair(ours, pair):
    return [k for k in range(len(ours["dist"])) if pair_of((ours["geom1"][k], ours["geom2"][k])) == pair]


def depth_along(mj, data, pair, normal, first, pos, dist):
    """How far two shapes overlap along the normal of a contact, which points from `first` to the other; of a plane,
    along its own; of a height field, with the prism that has the contact's point of the field."""
    one, two = pair if pair[0] == first else pair[::-1]
    n = np.array(normal)
    for geom, other, out in ((one, two, n), (two, one, -n)):
        place, turn = data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3)
        if mj.geom_type[geom] == c.PLANE:
            return farthest(mj, data, other, -turn[:, 2]) + turn[:, 2] @ place
        if mj.geom_type[geom] == c.HFIELD:
            corners = list(prisms(mj, geom))
            x = turn.T @ (pos - dist / 2 * out - place)
            beyond = np.array([(f[:, :3] @ x + f[:, 3]).max() for f in (ConvexHull(p).equations for p in corners)])
            reach = [(p @ (turn.T @ out)).max() for p, b in zip(corners, beyond, strict=True)
                     if b <= max(beyond.min(), 0) + DEPTH]  # fmt: skip
            return min(reach) + out @ place + farthest(mj, data, other, -out)
    return farthest(mj, data, one, n) + farthest(mj, data, two, -n)


def numbers_near(mj, data, pair):
    """The numbers of MuJoCo's contacts of a pair at states near by."""
    rng, other, counts = np.random.default_rng(0), mujoco.MjData(mj), set()
    for size in (0.0, NUDGE, 1e-6):
        for _ in range(NUDGES):
            mujoco.mj_copyData(other, mj, data)
            beside(mj, other, rng, size)
            mujoco.mj_fwdPosition(mj, other)
            counts.add(sum(pair_of(other.contact.geom[i]) == pair for i in np.flatnonzero(real(other))))
    return counts


def matched(mine, places, other, there):
    """[(number of ours, number of theirs)], of the same geoms, the nearest ones first."""
    near = [(np.linalg.norm(there[i] - places[k]), k, i) for k, i in product(range(len(mine)), range(len(other)))
            if set(mine[k]) == set(other[i])]  # fmt: skip
    pairs = {}
    for _, k, i in sorted(near):
        if k not in pairs and i not in pairs.values():
            pairs[k] = i
    if len(pairs) < len(mine):
        wrong("contacts of other geoms")
    return sorted(pairs.items())


def at_odds(mj, data, geoms, found, sim, k, at):
    """Why a contact that is not MuJoCo's is a tie: MuJoCo's own moves as much when nudged, or its search ends early, or
    it inflated the shapes by a margin. Raises Differs otherwise."""
    rng, other, spread = np.random.default_rng(0), mujoco.MjData(mj), np.zeros(3)
    contact = data.contact
    for size in (1e-9, 1e-7):
        for _ in range(NUDGES):
            mujoco.mj_copyData(other, mj, data)
            beside(mj, other, rng, size)
            mujoco.mj_fwdPosition(mj, other)
            there = [i for i in np.flatnonzero(real(other)) if set(other.contact.geom[i]) == set(geoms)]
            if not there:
                continue
            i = min(there, key=lambda i: np.linalg.norm(other.contact.pos[i] - contact.pos[at]))
            spread = np.maximum(spread, (
                abs(other.contact.dist[i] - contact.dist[at]),
                np.linalg.norm(other.contact.pos[i] - contact.pos[at]),
                np.linalg.norm(other.contact.frame[i, :3] - contact.frame[at, :3]),
            ))  # fmt: skip
    name = pair_name(mj, geoms)
    if (np.array(found) < 100 * spread + (DEPTH, PLACE, PLACE)).all():
        return f"place of a contact hangs on rounding: {name}"
    ours = sim.data.contacts()
    if chosen_near(mj, data, pair_of(geoms), ours):
        return f"which points touch hangs on rounding: {name}"
    if c.HFIELD in mj.geom_type[list(geoms)]:
        return of_a_prism(mj, data, geoms, ours["dist"][k], contact.dist[at])
    pair, dist = pair_of(geoms), ours["dist"][k]
    along = depth_along(mj, data, pair, ours["frame"][k, 0], ours["geom1"][k], ours["pos"][k], dist)
    there = depth_along(mj, data, pair, contact.frame[at, :3], contact.geom[at, 0], contact.pos[at], contact.dist[at])
    if along < there - 1e-7 or (along < there + 1e-9 and abs(along + dist) < 1e-6):
        return f"MuJoCo's depth is not the least: {name}"
    if along > there + 1e-7:
        wrong(f"{name}{margin_of(mj, pair)}: the shapes overlap less along MuJoCo's normal, by {along - there:.1e} of "
              f"{along:.1e}")  # fmt: skip
    mine = off(mj, data, geoms, ours["dist"][k], ours["pos"][k], ours["frame"][k, 0])
    their = off(mj, data, contact.geom[at], contact.dist[at], contact.pos[at], contact.frame[at, :3])
    if mine < 1e-8 and mine < 0.1 * their:
        return f"MuJoCo's contact is off the surfaces: {name}{margin_of(mj, geoms)}"
    by = " ".join(f"{x:.1e}" for x in found)
    wrong(f"{name}{margin_of(mj, geoms)} at {contact.dist[at]:.2g}: depth, place, normal by {by}, "
          f"off the surfaces by {mine:.0e}, MuJoCo's {their:.0e}")  # fmt: skip


def of_a_prism(mj, data, geoms, mine, their):
    """Why a contact of a height field is elsewhere: it has the depth of one of the prisms, and MuJoCo's that of none,
    since its search ends early, or at another face than the nearest. Raises Differs otherwise."""
    name = pair_name(mj, geoms)
    field, other = sorted(geoms, key=lambda g: mj.geom_type[g] != c.HFIELD)
    if mj.geom_type[other] in (c.BOX, c.MESH, c.CAPSULE, c.SPHERE):
        depths = prisms_depths(mj, data, field, other)
        if np.abs(depths - mine).min() < 1e-8 and np.abs(depths - their).min() > DEPTH:
            return f"MuJoCo's depth is that of no prism: {name}"
    wrong(f"{name}{margin_of(mj, pair_of(geoms))}: depth {mine:.3g}, MuJoCo's {their:.3g}")


def prisms_depths(mj, data, field, other):
    """The depth, below zero, at which each prism of a height field overlaps a shape with corners, or the middle of a
    capsule or of a sphere: that of the polytope of all differences of their corners."""
    place, turn = data.geom_xpos[field], data.geom_xmat[field].reshape(3, 3)
    kind, radius = mj.geom_type[other], 0.0
    corners = mj.geom_size[other] * np.array(list(product((-1, 1), repeat=3)))
    if kind == c.MESH:
        mesh = mj.geom_dataid[other]
        corners = mj.mesh_vert[mj.mesh_vertadr[mesh] :][: mj.mesh_vertnum[mesh]]
    elif kind in (c.CAPSULE, c.SPHERE):
        radius, half = mj.geom_size[other][0], mj.geom_size[other][1] * (kind == c.CAPSULE)
        corners = np.array([(0, 0, half), (0, 0, -half)])
    corners = (corners @ data.geom_xmat[other].reshape(3, 3).T + data.geom_xpos[other] - place) @ turn
    depths = []
    for prism in prisms(mj, field):
        faces = ConvexHull((prism[:, None] - corners).reshape(-1, 3)).equations
        depths.append(faces[:, 3].max() - radius)
    return np.array(depths)


def prisms(mj, field):
    """The six corners of each prism of a height field, in its frame."""
    number = mj.geom_dataid[field]
    rows, columns, size = mj.hfield_nrow[number], mj.hfield_ncol[number], mj.hfield_size[number]
    heights = mj.hfield_data[mj.hfield_adr[number] :][: rows * columns].reshape(rows, columns) * size[2]
    x, y = np.linspace(-size[0], size[0], columns), np.linspace(-size[1], size[1], rows)
    for row, t in product(range(rows - 1), range(2 * (columns - 1))):
        at = [(row + 1 - (s & 1), s >> 1) for s in (t, t + 1, t + 2)]
        yield np.array([(x[j], y[i], z) for i, j in at for z in (-size[3], heights[i, j])])


def chosen_near(mj, data, pair, ours):
    """Whether MuJoCo, at a state near by, has just our contacts of a pair."""
    rng, other, mine = np.random.default_rng(1), mujoco.MjData(mj), of_pair(ours, pair)
    for size in np.repeat((ROUNDING, 1e-9), 20):
        mujoco.mj_copyData(other, mj, data)
        beside(mj, other, rng, size)
        mujoco.mj_fwdPosition(mj, other)
        left = [other.contact[i] for i in np.flatnonzero(real(other)) if pair_of(other.contact.geom[i]) == pair]
        for k in mine:
            same = [i for i, c in enumerate(left) if abs(c.dist - ours["dist"][k]) < DEPTH
                    and np.linalg.norm(c.pos - ours["pos"][k]) < 10 * DEPTH]  # fmt: skip
            if not same:
                break
            left.pop(same[0])
        else:
            if not left:
                return True
    return False


def off(mj, data, geoms, dist, pos, normal):
    """How far the two points of a contact are from their shapes' surfaces, m."""
    ends = zip(geoms, (-1, 1), strict=True)
    return max(abs(outside(mj, data, int(g), pos + side * dist / 2 * normal)) for g, side in ends)


def outside(mj, data, geom, p):
    """A function of a point that is zero on a geom's surface, of slope one there."""
    size, kind = mj.geom_size[geom], mj.geom_type[geom]
    x = data.geom_xmat[geom].reshape(3, 3).T @ (p - data.geom_xpos[geom])
    if kind == c.MESH:
        mesh = mj.geom_dataid[geom]
        corners = mj.mesh_vert[mj.mesh_vertadr[mesh] :]
        return max(
            mj.mesh_polynormal[f] @ (x - corners[mj.mesh_polyvert[mj.mesh_polyvertadr[f]]])
            for f in mj.mesh_polyadr[mesh] + np.arange(mj.mesh_polynum[mesh])
        )
    if kind == c.ELLIPSOID:
        return (np.linalg.norm(x / size) - 1) * np.linalg.norm(x / size) / np.linalg.norm(x / size**2)
    return {
        c.PLANE: lambda: x[2],
        c.SPHERE: lambda: np.linalg.norm(x) - size[0],
        c.CAPSULE: lambda: np.hypot(np.hypot(x[0], x[1]), max(abs(x[2]) - size[1], 0)) - size[0],
        c.CYLINDER: lambda: max(np.hypot(x[0], x[1]) - size[0], abs(x[2]) - size[1]),
        c.BOX: lambda: (np.abs(x) - size).max(),
    }[kind]()


def with_contacts(mj, data, sim):
    """MuJoCo's forward pass goes on from our contacts, those of a pair in our order."""
    ours, theirs = sim.data.contacts(), np.flatnonzero(real(data))
    mine = np.column_stack([ours["geom1"], ours["geom2"]])
    left = [[int(i) for i in theirs if set(data.contact.geom[i]) == set(pair)] for pair in mine]
    slots = [here[[set(p) for p in mine[:k]].count(set(mine[k]))] for k, here in enumerate(left)]
    swapped = [(mine[k] != data.contact.geom[i]).any() for k, i in enumerate(slots)]
    for k, i in enumerate(slots):
        frame = np.array(ours["frame"][k])
        frame[:2] *= 1 - 2 * swapped[k]
        contact = data.contact[i]
        contact.dist, contact.pos[:], contact.frame[:] = ours["dist"][k], ours["pos"][k], frame.ravel()
        contact.surfacevel[:] = slip(mj, data, contact)
    go_on(mj, data)


def slip(mj, data, contact):
    """What MuJoCo keeps of a contact of surfaces that move: how the second moves against the first, along the tangents
    and about the normal."""
    velocity, spin = np.zeros(3), np.zeros(3)
    for sign, geom in zip((-1, 1), contact.geom, strict=True):
        lin, ang = (data.geom_xmat[geom].reshape(3, 3) @ half for half in np.split(mj.geom_surfacevel[geom], 2))
        velocity += sign * (lin + np.cross(ang, contact.pos - data.geom_xpos[geom]))
        spin += sign * ang
    normal, *tangents = contact.frame.reshape(3, 3)
    return np.array([*(t @ velocity for t in tangents), normal @ spin])
