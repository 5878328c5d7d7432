"""Contacts of two convex shapes: that which the search finds (search.py), or several where the shapes are flat against
each other (multicontact.py)."""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.contact.corners import netted_vjp
from engine.contact.frame import contact_frame_vjp
from engine.contact.multicontact import multicontact, multicontact_vjp, ruled_vjp
from engine.contact.prism import prism_vjp
from engine.contact.record import add_contact, pair_poses
from engine.contact.search import core, features_vjp, look
from engine.contact.witness import GENERAL, NETTED, RULED, TILTED
from engine.math.types import vec3
from engine.model.constants import HFIELD


@outline("md", "w p", when="convex")
@ti.func
def convex_contacts(m: ti.template(), d: ti.template(), w: ti.i32, p: ti.i32):
    """Adds the contacts of pair p."""
    look(m, d, w, p)
    if d.ccd_found[w]:
        multicontact(m, d, w, p)
    if d.ccd_found[w] and d.ccd_dist[w] < d.felt_within[w]:
        _, r1 = core(m.geom_type[m.pair_geom1[p]], m.geom_size[m.pair_geom1[p]])
        _, r2 = core(m.geom_type[m.pair_geom2[p]], m.geom_size[m.pair_geom2[p]])
        n = d.ccd_n[w]
        pos = 0.5 * (d.ccd_x1[w] + d.ccd_x2[w] + (r1 - r2) * n)
        zero = vec3(0.0, 0.0, 0.0)
        d.ncon[w] = add_contact(
            m, d, w, p, d.ncon[w], d.ccd_dist[w], pos, n, zero, GENERAL + d.ccd_kind1[w], d.ccd_axis1[w], r1,
            GENERAL + d.ccd_kind2[w], d.ccd_axis2[w], r2,
        )  # fmt: skip


@outline("mdg", "w c", when="convex")
@ti.func
def convex_contacts_vjp(m: ti.template(), d: ti.template(), g: ti.template(), w: ti.i32, c: ti.i32):
    """From the adjoints of a contact, bar_dist, bar_pos, ..., to the poses of its bodies."""
    if d.con_kind1[c] >= NETTED:  # of height fields alone
        netted_vjp(m, d, g, w, c)
    elif d.con_kind1[c] >= RULED:
        ruled_vjp(m, d, g, w, c)
    elif d.con_kind1[c] >= TILTED:
        multicontact_vjp(m, d, g, w, c)
    else:
        p = d.con_pair[c]
        n = d.con_normal[c]
        half = 0.5 * d.con_dist[c]
        nb, _ = contact_frame_vjp(
            n, d.con_y[c], d.con_tangent1[c], d.bar_normal[w], d.bar_tangent1[w], d.bar_tangent2[w]
        )
        d.bar_normal[w] = nb
        d.ccd_n[w] = n
        d.ccd_x1[w] = d.con_pos[c] - (d.con_r1[c] + half) * n
        d.ccd_x2[w] = d.con_pos[c] + (d.con_r2[c] + half) * n
        d.ccd_kind1[w] = d.con_kind1[c] - GENERAL
        d.ccd_kind2[w] = d.con_kind2[c] - GENERAL
        d.ccd_axis1[w] = d.con_axis1[c]
        d.ccd_axis2[w] = d.con_axis2[c]
        _, q1, _, q2 = pair_poses(m, d, w, p)
        d.ccd_quat1[w] = q1
        d.ccd_quat2[w] = q2
        features_vjp(m, d, g, w, p)
        if ti.static(has.field_leaf):
            if m.nfieldleaf > 0 and m.geom_type[m.pair_geom1[p]] == HFIELD:
                prism_vjp(m, d, g, w, c)
