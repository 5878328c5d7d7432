"""Enumerations of the model, with MuJoCo's names and values (mjmodel.h), so that arrays compare one to one."""

FREE, BALL, SLIDE, HINGE = 0, 1, 2, 3  # jnt_type (mjtJoint)
PLANE, HFIELD, SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX, MESH, SDF = range(9)  # geom_type (mjtGeom)
EULER, RK4, IMPLICIT, IMPLICITFAST, DISCRETE = range(5)  # opt.integrator (mjtIntegrator)
PYRAMIDAL, ELLIPTIC = 0, 1  # opt.cone (mjtCone)
EQ_CONNECT, EQ_WELD, EQ_JOINT, EQ_TENDON = range(4)  # eq_type (mjtEq)
EQUALITY_NAMES = {EQ_CONNECT: "connect", EQ_WELD: "weld", EQ_JOINT: "joint", EQ_TENDON: "tendon"}
# actuator_trntype (mjtTrn); of orientation servos those between sites are TRN_SO3, those of ball joints TRN_JOINT
TRN_JOINT, TRN_JOINTINPARENT, TRN_SLIDERCRANK, TRN_TENDON, TRN_SITE, TRN_BODY, TRN_SO3 = range(7)
# what they are on, where that is not a joint
DRIVEN = {TRN_TENDON: "tendon", TRN_BODY: "body", TRN_SITE: "site", TRN_SLIDERCRANK: "site", TRN_SO3: "site"}
LONE_FLOW = 2  # body_flows of what moves with a free body alone in its tree
OF_BALL, OF_SITES = 1, 2  # what a position servo turns, which goes the shorter way round
WRAP_JOINT, WRAP_PULLEY, WRAP_SITE, WRAP_SPHERE, WRAP_CYLINDER = range(1, 6)  # wrap_type (mjtWrap)

JOINT_NAMES = {FREE: "free", BALL: "ball", SLIDE: "slide", HINGE: "hinge"}
GEOM_NAMES = {
    PLANE: "plane", HFIELD: "hfield", SPHERE: "sphere", CAPSULE: "capsule",
    ELLIPSOID: "ellipsoid", CYLINDER: "cylinder", BOX: "box", MESH: "mesh", SDF: "sdf",
}  # fmt: skip
INTEGRATOR_NAMES = {EULER: "Euler", RK4: "RK4", IMPLICIT: "implicit", IMPLICITFAST: "implicitfast",
                    DISCRETE: "discrete"}  # fmt: skip
PGS, CG, NEWTON = range(3)  # opt.solver (mjtSolver)
SOLVER_NAMES = {PGS: "PGS", CG: "CG", NEWTON: "Newton"}
CONE_NAMES = {PYRAMIDAL: "pyramidal", ELLIPTIC: "elliptic"}

NQ = {FREE: 7, BALL: 4, SLIDE: 1, HINGE: 1}  # coordinates of a joint
NV = {FREE: 6, BALL: 3, SLIDE: 1, HINGE: 1}  # degrees of freedom of a joint

# actuator_dyntype (mjtDyn)
DYN_NONE, DYN_INTEGRATOR, DYN_FILTER, DYN_FILTEREXACT, DYN_MUSCLE, DYN_DCMOTOR, DYN_PID = range(7)
# actuator_gaintype (mjtGain), actuator_biastype (mjtBias); a fixed gain and no bias are affine ones with zeros
GAIN_AFFINE, GAIN_MUSCLE, GAIN_DCMOTOR, GAIN_SO3 = BIAS_AFFINE, BIAS_MUSCLE, BIAS_DCMOTOR, BIAS_SO3 = 1, 2, 3, 4
CHART_EXPMAP, CHART_QUAT = 1, 2  # actuator_inputs of an orientation servo (mjtCtrlChart)

# What a sensor is attached to: a joint, a tendon, an actuator, a site, or a body frame; sensors.py has what may be.
# BODY is the inertial frame (MuJoCo's objtype "body"), XBODY the body's own frame ("xbody").
OBJ_BODY, OBJ_XBODY, OBJ_SITE, OBJ_GEOM, OBJ_JOINT, OBJ_ACTUATOR, OBJ_NONE, OBJ_TENDON = range(8)
OBJ_NAMES = ("body", "xbody", "site", "geom", "joint", "actuator", "none", "tendon")

MAXVAL = 1e10  # the largest coordinate, velocity or acceleration taken for a finite state (mjMAXVAL)

# site_camera: what a site is; of a camera MuJoCo's mjtCamLight + 1
CAM_NONE, CAM_FIXED, CAM_TRACK, CAM_TRACKCOM, CAM_TARGETBODY, CAM_TARGETBODYCOM = range(6)
CAMERA_NAMES = dict(enumerate(("no camera", "fixed", "track", "trackcom", "targetbody", "targetbodycom")))
