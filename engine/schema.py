"""One table of every device array: where it lies, its shape, unit and meaning, and whether gradients exist for it.

A *buffer* is a flat array of one element type; the buffers of a pack lie in two blocks of memory, which kernels bind.
Quantities of the same entity and element type share a buffer. A *column* is one named quantity in it. Ways to share:

    rows     entity-major: element `entity * width + COLUMN` (what one body needs lies together)
    blocks   column-major: element `COLUMN * count + entity` (vectors over degrees of freedom stay contiguous)

Buffers of Data and Adjoint hold one such array per world, worlds one after the other.
"""

from collections import namedtuple

# Entities of a kind (bodies, dofs, contacts, ...) over all worlds are fewer than this (math/index.py).
MOST = 1 << 23

# ---------------------------------------------------------------------------------------------- sizes (m.dims)

DIMS = (
    "NBODY NJNT NQ NV NU NA NGEOM NPAIR NSITE NSENSOR NSENSORDATA INTEGRATOR CONE ITERATIONS LS_ITERATIONS EULERDAMP "
    "NCONMAX NROWMAX NTHETA T_GRAVITY T_MASS T_INERTIA T_ARMATURE T_DAMPING T_FRICTIONLOSS T_STIFFNESS T_GEAR "
    "T_GAIN T_BIAS T_PAIRFRICTION NSTAGE LD NCOORD NM NH NCHAIN NSWEEP NALWAYS NNEAR"
).split()
(
    NBODY, NJNT, NQ, NV, NU, NA, NGEOM, NPAIR, NSITE, NSENSOR, NSENSORDATA, INTEGRATOR, CONE, ITERATIONS,
    LS_ITERATIONS, EULERDAMP, NCONMAX, NROWMAX, NTHETA, T_GRAVITY, T_MASS, T_INERTIA, T_ARMATURE, T_DAMPING,
    T_FRICTIONLOSS, T_STIFFNESS, T_GEAR, T_GAIN, T_BIAS, T_PAIRFRICTION, NSTAGE, LD, NCOORD, NM, NH, NCHAIN,
    NSWEEP, NALWAYS, NNEAR,
) = range(len(DIMS))  # fmt: skip

Sign = namedtuple("Sign", "allowed zeros")
"""allowed: what a parameter may be, None for any number. zeros: what a difference does with entries that are zero: they
"move", "stay" (there is nothing), "rise" (the derivative is the one to the right), or "rise together" where all are
zero and else stay."""
ANY = Sign(None, "move")
ABOVE_ZERO = Sign("more than zero", "stay")
NOT_NEGATIVE = Sign("zero or more", "stay")
RISING = Sign("zero or more", "rise")
RISING_TOGETHER = Sign("zero or more", "rise together")

# Differentiable physical parameters, one flat vector `m.theta`; the k-th group starts at m.dims[T_...].
Parameter = namedtuple("Parameter", "name offset width unit sign meaning")
THETA = (
    Parameter("gravity", T_GRAVITY, 3, "m/s^2", ANY, "gravitational acceleration"),
    Parameter("body_mass", T_MASS, 1, "kg", NOT_NEGATIVE, "mass"),
    Parameter("body_inertia", T_INERTIA, 3, "kg m^2", NOT_NEGATIVE, "principal moments about the centre of mass"),
    Parameter("dof_armature", T_ARMATURE, 1, "kg m^2 or kg", ANY, "inertia added to the diagonal of M"),
    Parameter("dof_damping", T_DAMPING, 1, "N m s or N s/m", RISING, "viscous damping"),
    Parameter("dof_frictionloss", T_FRICTIONLOSS, 1, "N m or N", RISING_TOGETHER, "dry friction"),
    Parameter("jnt_stiffness", T_STIFFNESS, 1, "N m/rad or N/m", ANY, "spring constant towards qpos_spring"),
    Parameter("actuator_gear", T_GEAR, 6, "1 or m", ANY, "transmission: joint force per actuator force"),
    Parameter("actuator_gainprm", T_GAIN, 3, "N per unit", ANY, "gain = [0] + [1] length + [2] velocity"),
    Parameter("actuator_biasprm", T_BIAS, 3, "N per unit", ANY, "bias = [0] + [1] length + [2] velocity"),
    Parameter("pair_friction", T_PAIRFRICTION, 5, "1", ABOVE_ZERO, "friction coefficients; the first two are used"),
)
DIFFERENTIABLE = tuple(p.name for p in THETA)
SIGNS = {p.name: p.sign for p in THETA}

# ------------------------------------------------------------------------------------- opt (m.opt), not differentiated
OPT = "TIMESTEP IMPRATIO TOLERANCE REFSAFE".split()
TIMESTEP, IMPRATIO, TOLERANCE, REFSAFE = range(4)

# -------------------------------------------------------------------------------------------- columns of the buffers

# B_TURNED, B_ITURNED: the frame, the inertia's frame is turned in the body's parent, in the body
B_PARENT, B_ROOT, B_JNTADR, B_JNTNUM, B_DOFADR, B_DOFNUM, B_LASTDOF, B_TURNED, B_ITURNED = range(9)
NBI = 9
B_POS, B_IPOS = range(2)
NBV = 2
B_QUAT, B_IQUAT = range(2)
NBQ = 2

J_TYPE, J_QPOSADR, J_DOFADR, J_BODY, J_LIMITED, J_OFF = range(6)  # J_OFF: not at its body's origin
NJI = 6
J_POS, J_AXIS = range(2)
NJV = 2
# limit parameters: range, margin, stiffness K and damping B of the reference, diagonal of A, solimp
J_LO, J_HI, J_MARGIN, J_SOLREF, J_DIAGA, J_SOLIMP = 0, 1, 2, 3, 5, 6
NJR = 11

# a coordinate is a scalar or a quaternion (model/coordinates.py)
COORD_KIND, COORD_QPOSADR, COORD_DOFADR, COORD_JNT = range(4)
NCO = 4

# a tree over dofs, of elimination (in Data) or of kinematics (the first columns of a dof): see dynamics/factor.py
E_PARENT, E_RUN, E_DEPTH, E_ROW = range(4)
NEI = 4
# D_GROUP: first dof of the quaternion's or translation's triple; D_TURNS: a rotation, not a translation
D_PARENT, D_RUN, D_DEPTH, D_ROW, D_BODY, D_JNT, D_GROUP, D_TURNS = range(8)
NDI = 8
D_DIAGA, D_SOLREF, D_SOLIMP = 0, 1, 3
NDR = 8

G_TYPE, G_BODY, G_COLLIDES = range(3)
NGI = 3
G_POS, G_SIZE = range(2)
NGV = 2

P_GEOM1, P_GEOM2, P_DIM = range(3)
NPI = 3
P_SOLREF, P_SOLREFFRICTION, P_SOLIMP, P_MARGIN, P_GAP, P_DIAGA, P_RBOUND = 0, 2, 4, 9, 10, 11, 12
NPR = 13

# broad phase: a geom that is swept, where its partners of higher number begin and end; a partner, and the pair's number
K_GEOM, K_FIRST, K_END = range(3)
NKG = 3
K_OTHER, K_PAIR = range(2)
NKP = 2

S_BODY, S_TYPE = range(2)
NSI = 2
S_POS, S_SIZE = range(2)
NSV = 2

A_JNT, A_DYN, A_ACTADR, A_CTRLLIMITED, A_FORCELIMITED, A_ACTLIMITED, A_WRAP = range(7)  # wrap: see actuation.py
NAI = 7
A_TAU, A_CTRLLO, A_CTRLHI, A_FORCELO, A_FORCEHI, A_ACTLO, A_ACTHI = range(7)
NAR = 7

N_TYPE, N_OBJTYPE, N_OBJ, N_DIM, N_ADR = range(5)
NNI = 5

# Data, per world ----------------------------------------------------------------------------------------------
# body vectors; spatial vectors are (ang, lin) about the position of the tree's root body, in world axes
(X_POS, X_IPOS, V_ANG, V_LIN, A_ANG, A_LIN, F_ANG, F_LIN, H_COM, U_ANG, U_LIN, L_ANG, L_LIN, P_ANG, P_LIN, Q_ANG,
 Q_LIN, ID_COM, IO_COM, ID_CRB, IO_CRB) = range(21)  # fmt: skip
# inertia about the centre of mass (where the adjoint needs it); composite inertia about the origin: the diagonal D and
# what is off it, O (01, 02, 12)
NXV = 21

S_ANG, S_LIN, G_ANG, G_LIN = range(4)  # motion subspace; velocity of the frame that the axis is attached to
NSV_DOF = 4

(QFRC_BIAS, QFRC_PASSIVE, QFRC_ACTUATOR, QFRC_SMOOTH, QFRC_CONSTRAINT, QACC, MA, SEARCH, MSEARCH, QACC_EFF, V_STAGE,
 Z, MU, A_BAR, SIN, COS) = range(16)  # fmt: skip
NQR = 16

C_PAIR, C_K, C_FREE1, C_FREE2, C_AXIS, C_BODY1, C_BODY2, C_NDOF, C_ZONE, C_DIM = range(10)
NCI = 10
Q_DOF, Q_PLACE = range(2)  # a dof, and its place in rows of H
NQI = 2
C_POS, C_N, C_T1, C_T2, C_Y, C_JAR, C_JV, C_F, C_KD, C_KO, C_FBAR = range(11)  # K: diagonal, off-diagonal (01,02,12)
NCV = 11
C_DIST, C_X1, C_X2, C_D, C_B, C_BT, C_KP, C_IMP, C_IMPP = range(9)  # B, BT: of the normal and of the tangents
NCR = 9

R_DOF, R_KIND, R_ZONE = range(3)  # kind: 0 dry friction, 1 limit
NRI = 3
R_SIGN, R_AREF, R_D, R_FLOSS, R_JAR, R_JV, R_F, R_K, R_DIST, R_B, R_KP, R_IMP, R_IMPP = range(13)
NRR = 13

W_NCON, W_NROW, W_STATUS, W_STEP, W_INDEX, W_NITER, W_NEED, W_MERGED = range(8)
NWI = 8
OK, DIVERGED, OVERFLOW = range(3)  # W_STATUS

# Adjoint, per world: wrench-like adjoints of the motion vectors and of the pose (ang, lin)
LB_ANG, LB_LIN, AB_ANG, AB_LIN, UB_ANG, UB_LIN, VB_ANG, VB_LIN, XB_ANG, XB_LIN, PB_ANG, PB_LIN, QB_ANG, QB_LIN = range(
    14
)
NBAR = 14

# Linearisation, per world (dynamics/derivatives.py). Of dofs: psi, phi, sig; S moved by the acceleration of what lies
# before it, and by a_eff - a. Of bodies, summed over what hangs on them: force, that of a_eff - a, 2 m v, columns of N.
PSI_ANG, PSI_LIN, PHI_ANG, PHI_LIN, SIG_ANG, SIG_LIN, KAP_ANG, KAP_LIN, OME_ANG, OME_LIN = range(10)
NLD = 10
CF_ANG, CF_LIN, CW_ANG, CW_LIN, CP, CN0, CN1, CN2 = range(8)
NLB = 8
# Of a contact, for each of its two bodies and six unit motions: adjoints of pose, acceleration and velocity.
CX_ANG, CX_LIN, CU_ANG, CU_LIN, CV_ANG, CV_LIN = range(6)
NLC = 6

# ---------------------------------------------------------------------------------------------------- the buffers

Buffer = namedtuple("Buffer", "name dtype count width")
"""dtype: real, int, vec3, vec4. count: the symbol counted (a function of the sizes). width: columns."""

MODEL = (
    Buffer("dims", "int", "one", len(DIMS)),
    Buffer("opt", "real", "one", len(OPT)),
    Buffer("theta", "real", "ntheta", 1),
    Buffer("body_i", "int", "nbody", NBI),
    Buffer("body_v", "vec3", "nbody", NBV),
    Buffer("body_q", "vec4", "nbody", NBQ),
    Buffer("jnt_i", "int", "njnt", NJI),
    Buffer("jnt_v", "vec3", "njnt", NJV),
    Buffer("jnt_r", "real", "njnt", NJR),
    Buffer("qpos_r", "real", "nq", 2),  # qpos0, qpos_spring
    Buffer("coord_i", "int", "ncoord", NCO),
    Buffer("dof_i", "int", "nv", NDI),
    Buffer("dof_r", "real", "nv", NDR),
    Buffer("geom_i", "int", "ngeom", NGI),
    Buffer("geom_v", "vec3", "ngeom", NGV),
    Buffer("geom_q", "vec4", "ngeom", 1),
    Buffer("pair_i", "int", "npair", NPI),
    Buffer("pair_r", "real", "npair", NPR),
    Buffer("sweep_i", "int", "nsweep", NKG),
    Buffer("sweep_r", "real", "nsweep", 1),  # radius
    Buffer("partner", "int", "npartner", NKP),
    Buffer("always", "int", "nalways", 1),  # pairs that the broad phase leaves alone
    Buffer("site_i", "int", "nsite", NSI),
    Buffer("site_v", "vec3", "nsite", NSV),
    Buffer("site_q", "vec4", "nsite", 1),
    Buffer("act_i", "int", "nu", NAI),
    Buffer("act_r", "real", "nu", NAR),
    Buffer("sensor_i", "int", "nsensor", NNI),
    Buffer("sensor_r", "real", "nsensor", 1),
)

# State: exactly what a step reads and does not recompute.
STATE = (
    Buffer("time", "real", "one", 1),
    Buffer("qpos", "real", "nq", 1),
    Buffer("qvel", "real", "nv", 1),
    Buffer("act", "real", "na", 1),
    Buffer("ctrl", "real", "nu", 1),
    Buffer("qacc_warmstart", "real", "nv", 1),
    Buffer("qfrc_applied", "real", "nv", 1),
    Buffer("xfrc_applied", "vec3", "nbody", 2),  # force at the body's centre of mass, torque
)

# Work: everything that a step recomputes.
WORK = (
    Buffer("world_i", "int", "one", NWI),
    Buffer("body", "vec3", "nbody", NXV),
    Buffer("xquat", "vec4", "nbody", 1),
    Buffer("geom_xpos", "vec3", "ngeom", 1),
    Buffer("geom_xquat", "vec4", "ngeom", 1),
    Buffer("crb_mass", "real", "nbody", 1),
    Buffer("dof", "vec3", "nv", NSV_DOF),
    Buffer("dofr", "real", "nv", NQR),
    Buffer("M", "real", "nm", 1),  # mass matrix; where each row begins: dynamics/factor.py
    Buffer("MhD", "real", "nm", 1),  # M + h D, factored in place
    Buffer("H", "real", "nh", 1),  # the solver's Hessian, factored in place
    Buffer("lone", "real", "nlone", 1),  # free_body.py
    Buffer("etree", "int", "nv", NEI),  # elimination tree of H
    Buffer("sweep_order", "int", "nsweep", 1),  # swept geoms by their lower ends along the axis of the sweep
    Buffer("sweep_low", "real", "nsweep", 1),
    Buffer("near", "int", "nnear", 1),  # a bit for each pair, 16 in a number
    Buffer("con_i", "int", "nconmax", NCI),
    Buffer("con_v", "vec3", "nconmax", NCV),
    Buffer("con_r", "real", "nconmax", NCR),
    Buffer("con_dof", "int", "ncolumn", NQI),  # the dofs that move a contact's bodies against each other, deepest first
    Buffer("con_J", "vec3", "ncolumn", 1),  # and their columns of its Jacobian
    Buffer("row_i", "int", "nrowmax", NRI),
    Buffer("row_r", "real", "nrowmax", NRR),
    Buffer("act_dot", "real", "na", 1),
    Buffer("actuator_force", "real", "nu", 1),
    Buffer("sensordata", "real", "nsensordata", 1),
    Buffer("stage", "real", "nstage", 1),  # RK4: the stages' velocities and accelerations, and the start state
)

# Adjoint of the state and the parameters, and scratch of the reverse step.
ADJOINT = (
    Buffer("body_bar", "vec3", "nbody", NBAR),
    Buffer("qpos_bar", "real", "nv", 1),  # in the tangent space
    Buffer("qvel_bar", "real", "nv", 1),
    Buffer("act_bar", "real", "na", 1),
    Buffer("ctrl_bar", "real", "nu", 1),
    Buffer("force_bar", "real", "nu", 1),  # of actuator forces that sensors read
    Buffer("qfrc_bar", "real", "nv", 1),  # of qfrc_applied and xfrc_applied, over all steps in which they act
    Buffer("xfrc_bar", "vec3", "nbody", 2),
    Buffer("theta_bar", "real", "ntheta", 1),
    Buffer("stage_bar", "real", "nstage", 1),
    Buffer("params_bar", "real", "nparam", 1),
    Buffer("scratch_bar", "real", "nscratch", 1),
)

# Rollout: outputs by output row and world, controls by control step and world, records by physics step and world.
TRAJECTORY = (
    Buffer("traj_qpos", "real", "nq", 1),
    Buffer("traj_qvel", "real", "nv", 1),
    Buffer("traj_act", "real", "na", 1),
    Buffer("traj_ctrl", "real", "nu", 1),
    Buffer("traj_sensordata", "real", "nsensordata", 1),
    Buffer("record", "real", "nrecord", 1),
)

COTANGENT = (
    Buffer("cot_qpos", "real", "nv", 1),
    Buffer("cot_qvel", "real", "nv", 1),
    Buffer("cot_act", "real", "na", 1),
    Buffer("cot_ctrl", "real", "nu", 1),
    Buffer("cot_sensordata", "real", "nsensordata", 1),
    Buffer("ctrl_total", "real", "nu", 1),
)

# Linearisation of a step: rows of derivatives by q, v, act and ctrl (linearized.py), and A and B.
LINEAR = (
    Buffer("lin_dof", "vec3", "nv", NLD),
    Buffer("lin_body", "vec3", "nbody", NLB),
    Buffer("lin_con", "vec3", "sides", NLC),
    Buffer("lin_J", "vec3", "nv", 1),  # a contact's Jacobian, by dof
    Buffer("lin_rows", "real", "nlinear", 1),
    Buffer("lin_A", "real", "nstate2", 1),
    Buffer("lin_B", "real", "nstatenu", 1),
)

# Controller: parts that add up (engine/feedback.py).
CONTROLLER = (
    Buffer("part", "int", "npart", 8),
    Buffer("ints", "int", "nint", 1),
    Buffer("params", "real", "nparam", 1),
    Buffer("scratch", "real", "nscratch", 1),
)

# Names are unique over all packs: Taichi binds the members of a kernel's packs by name.
PACKS = {
    "model": MODEL,
    "data": STATE + WORK,
    "controller": CONTROLLER,
    "trajectory": TRAJECTORY,
    "adjoint": ADJOINT,
    "cotangent": COTANGENT,
    "linear": LINEAR,
}

# Which pack a letter stands for, everywhere in device code.
LETTERS = {
    "m": "model", "d": "data", "c": "controller", "r": "trajectory", "g": "adjoint", "b": "cotangent", "l": "linear"
}  # fmt: skip
# (letter, buffer): its number in the table of where buffers begin, which every kernel takes (launch.py, stages.py).
NUMBERS = {use: k for k, use in enumerate((letter, b.name) for letter, p in LETTERS.items() for b in PACKS[p])}


def kind_of(buffer):
    """Which block of its pack holds a buffer: that of integers or that of real numbers."""
    return "int" if buffer.dtype == "int" else "real"


def kinds_of(letter):
    """The blocks that a pack has, in the order in which kernels take them."""
    return sorted({kind_of(b) for b in PACKS[LETTERS[letter]]})
