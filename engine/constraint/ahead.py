"""The distance of a contact before an impact (contact/speculative.py), by which its row leaves the geoms the share t of
their closing speed u over a step h (MuJoCo documentation, "Effective contact distance"). With k0 = h^2 K imp^2 and b0 =
h B imp, imp the greatest impedance, a penetration delta makes

    h a = b0 u + k0 delta / h,    delta = (1 - t - b0) / k0 h u

and with the integrator discrete, whose spring and damper act at the end of the step, (1 - t - t (b0 + k0)) / k0 h u. A
row without a spring has the width of its impedance for delta."""

import taichi as ti

from engine.compiler.features import has
from engine.compiler.stages import outline
from engine.constraint.impedance import MAXIMP, MINIMP, reference
from engine.contact.mixing import margin_of
from engine.contact.speculative import AHEAD
from engine.math.types import MINVAL
from engine.model.constants import DISCRETE


@ti.func
def is_ahead(d: ti.template(), c: ti.i32):
    """Whether contact c is one before an impact."""
    return d.con_kind1[c] == AHEAD


@outline("md", "c p", when="speculative")
@ti.func
def set_distance(m: ti.template(), d: ti.template(), c: ti.i32, p: ti.i32):
    """Writes the distance of contact c of pair p, whose t and h u are in con_r1 and con_r2."""
    h = m.timestep
    t = d.con_r1[c]
    imp = ti.min(ti.max(d.con_solimp[c, 1], MINIMP), MAXIMP)
    k, b = reference(d.con_solref, d.con_solimp, c, h, m.refsafe)
    end_of_step = 0
    if ti.static(has.discrete):
        if m.integrator == DISCRETE:
            end_of_step = 1
            if m.resolved != 0 and d.con_solref[c, 0] > 0 and k * imp * h * h > 1:  # as in at_end_of_step
                b = b * ti.sqrt(1.0 / (h * h * imp * k))
                k = 1.0 / (h * h * imp)
    k0 = h * h * k * imp * imp
    b0 = h * b * imp
    left = 1 - t - b0
    if end_of_step:
        left = 1 - t - t * (b0 + k0)
    delta = ti.max(d.con_solimp[c, 2], 0.0)
    if k0 > MINVAL:
        delta = left / k0 * d.con_r2[c]
    d.con_dist[c] = margin_of(m, p) - delta
