"""The differentiable physical parameters: which there are, their units, and what they may be. They lie one after the
other in a flat vector, `theta` (schema.py), each where the size `at_NAME` says."""

from collections import namedtuple

Sign = namedtuple("Sign", "allowed zeros")
"""allowed: what a parameter may be, None for any number. zeros: what a difference does with entries that are zero: they
"move", "stay" (there is nothing), "rise" (the derivative is the one to the right), "rise together" where all are
zero and else stay, or "stay, equals together", where the greatest or the least of several counts."""
ANY = Sign(None, "move")
SCALED = Sign(None, "stay")
LEAST = Sign(None, "stay, equals together")
ABOVE_ZERO = Sign("more than zero", "stay")
NOT_NEGATIVE = Sign("zero or more", "stay")
GREATEST = Sign("zero or more", "stay, equals together")
RISING = Sign("zero or more", "rise")
RISING_TOGETHER = Sign("zero or more", "rise together")

# Differentiable physical parameters, one flat vector: m.body_mass[b], m.actuator_gear[u, k], and of each world w its
# adjoint: g.body_mass[w, b]. `offset`: the size that says
# where a group begins.
class Parameter(namedtuple("Parameter", "name width unit sign meaning")):
    @property
    def offset(self):
        return f"at_{self.name}"


THETA = (
    Parameter("gravity", 3, "m/s^2", ANY, "gravitational acceleration"),
    Parameter("body_mass", 1, "kg", NOT_NEGATIVE, "mass"),
    Parameter("body_inertia", 3, "kg m^2", NOT_NEGATIVE, "principal moments about the centre of mass"),
    Parameter("dof_armature", 1, "kg m^2 or kg", ANY, "inertia added to the diagonal of M"),
    Parameter("dof_damping", 1, "N m s or N s/m", RISING, "viscous damping"),
    Parameter("dof_frictionloss", 1, "N m or N", RISING_TOGETHER, "dry friction"),
    Parameter("jnt_stiffness", 1, "N m/rad or N/m", ANY, "spring constant towards qpos_spring"),
    Parameter("actuator_gear", 6, "1 or m", ANY, "transmission: joint force per actuator force"),
    Parameter("actuator_gainprm", 3, "N per unit", ANY, "gain = [0] + [1] length + [2] velocity"),
    Parameter("actuator_biasprm", 3, "N per unit", ANY, "bias = [0] + [1] length + [2] velocity"),
    Parameter("geom_friction", 3, "1, m, m", GREATEST, "friction of sliding, spinning and rolling"),
    Parameter("pair_friction", 5, "1, m, m", ABOVE_ZERO, "the same of pairs: two of sliding, spinning, two of rolling"),
    Parameter("tendon_stiffness", 1, "N/m", ANY, "spring constant outside tendon_lengthspring"),
    Parameter("tendon_damping", 1, "N s/m", ANY, "viscous damping along the tendon"),
    Parameter("tendon_armature", 1, "kg", ANY, "inertia of changes in length"),
    Parameter("tendon_frictionloss", 1, "N", RISING_TOGETHER, "dry friction along the tendon"),
    Parameter("tendon_lengthspring", 2, "m", ANY, "lengths between which the spring is at rest"),
    Parameter("wrap_prm", 1, "1 or m", ANY, "length of a fixed tendon for a unit of a coordinate; pulleys' divisors"),
    Parameter("residual_prm", 1, "1", ANY, "weights and biases of residuals, or a function's parameters"),
)
# Those that are there, behind the others, where a simulator is asked for them (engine/leaves.py). Kernels read their
# values in the buffers of the table, which the host fills from theta; of them alone the adjoints have these names.
BODY_LEAVES = (
    Parameter("body_pos", 3, "m", ANY, "place in the body above; of one with a free joint it is without effect"),
    Parameter("body_quat", 4, "1", ANY, "orientation in the body above, of any length"),
)
SHAPE_LEAVES = (
    Parameter("geom_size", 3, "m", NOT_NEGATIVE, "radius, half lengths"),
    Parameter("geom_pos", 3, "m", ANY, "place in the body"),
    Parameter("geom_quat", 4, "1", ANY, "orientation in the body, of any length"),
)
CONTACT_LEAVES = (
    Parameter("geom_solref", 2, "s, 1", LEAST, "reference of contacts"),
    Parameter("geom_solimp", 5, "", SCALED, "impedance of contacts"),
    Parameter("geom_margin", 1, "m", SCALED, "distance at which a contact is felt"),
    Parameter("geom_gap", 1, "m", SCALED, "distance beyond it at which a contact is found"),
    Parameter("geom_surfacevel", 6, "m/s, rad/s", ANY, "velocity of a surface, linear and about the geom's place"),
    Parameter("pair_solref", 2, "s, 1", SCALED, "reference of the normal direction of explicit pairs"),
    Parameter("pair_solreffriction", 2, "s, 1", SCALED, "of their tangential directions; zeros: the same"),
    Parameter("pair_solimp", 5, "", SCALED, "impedance of explicit pairs"),
    Parameter("pair_margin", 1, "m", SCALED, "distance at which their contact is felt"),
    Parameter("pair_gap", 1, "m", SCALED, "distance beyond it at which it is found"),
)
LIMIT_LEAVES = (
    Parameter("jnt_range", 2, "m or rad", SCALED, "lower and upper end of a joint; of a ball the largest angle"),
    Parameter("jnt_margin", 1, "m or rad", SCALED, "distance from a limit at which it is felt"),
    Parameter("jnt_solref", 2, "s, 1", SCALED, "reference of a limit"),
    Parameter("jnt_solimp", 5, "", SCALED, "impedance of a limit"),
)
FRICTION_LEAVES = (
    Parameter("dof_solref", 2, "s, 1", SCALED, "reference of dry friction"),
    Parameter("dof_solimp", 5, "", SCALED, "impedance of dry friction"),
)
TENDON_LEAVES = (
    Parameter("tendon_range", 2, "m", SCALED, "lower and upper end of a length"),
    Parameter("tendon_margin", 1, "m", SCALED, "distance from a limit at which it is felt"),
    Parameter("tendon_solref_lim", 2, "s, 1", SCALED, "reference of a limit"),
    Parameter("tendon_solimp_lim", 5, "", SCALED, "impedance of a limit"),
    Parameter("tendon_solref_fri", 2, "s, 1", SCALED, "reference of dry friction along the tendon"),
    Parameter("tendon_solimp_fri", 5, "", SCALED, "impedance of that"),
)
EQUALITY_LEAVES = (
    Parameter("eq_solref", 2, "s, 1", SCALED, "reference of an equality"),
    Parameter("eq_solimp", 5, "", SCALED, "impedance of an equality"),
    Parameter("eq_data", 11, "m, 1, ...", ANY, "anchors, relative pose, torquescale, or coefficients"),
)
DRIVE_LEAVES = (
    Parameter("actuator_dynprm", 3, "s, ...", SCALED, "dynamics: time constants; of pid and dcmotor their own numbers"),
    Parameter("actuator_dynrest", 6, "...", SCALED, "further numbers of a dcmotor's dynamics"),
    Parameter("actuator_gaincurve", 6, "...", SCALED, "shape of a muscle's gain; further numbers of a dcmotor's"),
    Parameter("actuator_biascurve", 6, "...", SCALED, "shape of a muscle's bias; friction of a dcmotor"),
)
JOINT_LEAVES = (
    Parameter("jnt_pos", 3, "m", ANY, "place in the body; without effect of slides and free joints"),
    Parameter("jnt_axis", 3, "1", ANY, "axis in the body, of any length, of hinges and slides"),
)
SITE_LEAVES = (
    Parameter("site_pos", 3, "m", ANY, "place in the body"),
    Parameter("site_quat", 4, "1", ANY, "orientation in the body, of any length"),
)
INERTIA_LEAVES = (
    Parameter("body_ipos", 3, "m", ANY, "centre of mass in the body"),
    Parameter("body_iquat", 4, "1", ANY, "principal axes in the body, of any length"),
)
FIELD_LEAVES = (
    Parameter("hfield_data", 1, "1", SCALED, "elevations of height fields; contacts end at that of 1"),
    Parameter("hfield_size", 4, "m", ABOVE_ZERO, "half lengths of height fields, height of an elevation of 1, depth"),
)
LEAVES = (
    BODY_LEAVES + SHAPE_LEAVES + CONTACT_LEAVES + LIMIT_LEAVES + DRIVE_LEAVES + JOINT_LEAVES + SITE_LEAVES
    + INERTIA_LEAVES + FRICTION_LEAVES + TENDON_LEAVES + EQUALITY_LEAVES + FIELD_LEAVES
)  # fmt: skip
# What follows from them when a model is made (MuJoCo's mj_setConst): constants without a gradient, which worlds with
# parameters of their own have for each (Simulator.set_const). They lie in a vector of their own in the same way.
FOLLOWING = (
    Parameter("jnt_diaga", 1, "1/kg or 1/(kg m^2)", ANY, "inverse inertia that limits meet: dof_invweight0"),
    Parameter("dof_diaga", 1, "1/kg or 1/(kg m^2)", ANY, "the one that dry friction meets: dof_invweight0"),
    Parameter("geom_diaga", 1, "1/kg", ANY, "the one that a contact meets: body_invweight0"),
    Parameter("eq_diaga", 1, "1/kg, ...", ANY, "the one that an equality meets"),
    Parameter("eq_turned", 1, "1/(kg m^2)", ANY, "the one that a weld's rotation meets"),
    Parameter("eq_ref1", 1, "m or rad", ANY, "of two joints or tendons that are tied, the first one's place or length"),
    Parameter("eq_ref2", 1, "m or rad", ANY, "and the second one's"),
    Parameter("tendon_invweight0", 1, "1/kg", ANY, "inverse inertia along a tendon"),
)
LEAF_NAMES = tuple(p.name for p in LEAVES)
DIFFERENTIABLE = tuple(p.name for p in THETA)
SIGNS = {p.name: p.sign for p in THETA + LEAVES}
