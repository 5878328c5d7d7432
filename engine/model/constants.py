"""Enumerations of the model, with MuJoCo's names and values (mjmodel.h), so that arrays compare one to one."""

FREE, BALL, SLIDE, HINGE = 0, 1, 2, 3  # jnt_type (mjtJoint)
PLANE, HFIELD, SPHERE, CAPSULE, ELLIPSOID, CYLINDER, BOX, MESH, SDF = range(9)  # geom_type (mjtGeom)
EULER, RK4, IMPLICIT, IMPLICITFAST = range(4)  # opt.integrator (mjtIntegrator)
PYRAMIDAL, ELLIPTIC = 0, 1  # opt.cone (mjtCone)
EQ_CONNECT, EQ_WELD, EQ_JOINT = range(3)  # eq_type (mjtEq)
EQUALITY_NAMES = {EQ_CONNECT: "connect", EQ_WELD: "weld", EQ_JOINT: "joint"}

JOINT_NAMES = {FREE: "free", BALL: "ball", SLIDE: "slide", HINGE: "hinge"}
GEOM_NAMES = {
    PLANE: "plane", HFIELD: "hfield", SPHERE: "sphere", CAPSULE: "capsule",
    ELLIPSOID: "ellipsoid", CYLINDER: "cylinder", BOX: "box", MESH: "mesh", SDF: "sdf",
}  # fmt: skip
INTEGRATOR_NAMES = {EULER: "Euler", RK4: "RK4", IMPLICIT: "implicit", IMPLICITFAST: "implicitfast"}
CONE_NAMES = {PYRAMIDAL: "pyramidal", ELLIPTIC: "elliptic"}

NQ = {FREE: 7, BALL: 4, SLIDE: 1, HINGE: 1}  # coordinates of a joint
NV = {FREE: 6, BALL: 3, SLIDE: 1, HINGE: 1}  # degrees of freedom of a joint

DYN_NONE, DYN_INTEGRATOR, DYN_FILTER, DYN_FILTEREXACT = range(4)  # actuator_dyntype (mjtDyn)

# Sensors of the engine, in the order of the kernels' branches (MuJoCo numbers them otherwise, and renumbers them).
(
    SENS_JOINTPOS, SENS_JOINTVEL, SENS_FRAMEPOS, SENS_FRAMEQUAT, SENS_FRAMELINVEL, SENS_FRAMEANGVEL, SENS_SUBTREECOM,
    SENS_SUBTREELINVEL, SENS_GYRO, SENS_VELOCIMETER, SENS_ACCELEROMETER, SENS_ACTUATORFRC, SENS_TOUCH,
) = range(13)  # fmt: skip
SENSOR_NAMES = (
    "jointpos", "jointvel", "framepos", "framequat", "framelinvel", "frameangvel", "subtreecom",
    "subtreelinvel", "gyro", "velocimeter", "accelerometer", "actuatorfrc", "touch",
)  # fmt: skip
SENSOR_DIM = (1, 1, 3, 4, 3, 3, 3, 3, 3, 3, 3, 1, 1)

# What a sensor is attached to: a joint, an actuator, a site, or a body frame.
# BODY is the inertial frame (MuJoCo's objtype "body"), XBODY the body's own frame ("xbody").
OBJ_BODY, OBJ_XBODY, OBJ_SITE, OBJ_GEOM, OBJ_JOINT, OBJ_ACTUATOR = range(6)
OBJ_NAMES = ("body", "xbody", "site", "geom", "joint", "actuator")

# What each sensor may be attached to: by the word for it, its OBJ_ number.
_FRAMES = {"body": OBJ_BODY, "xbody": OBJ_XBODY, "geom": OBJ_GEOM, "site": OBJ_SITE}
SENSOR_OBJECTS = {
    **dict.fromkeys(("jointpos", "jointvel"), {"joint": OBJ_JOINT}),
    **dict.fromkeys(("framepos", "framequat", "framelinvel", "frameangvel"), _FRAMES),
    **dict.fromkeys(("subtreecom", "subtreelinvel"), {"body": OBJ_BODY}),
    **dict.fromkeys(("gyro", "velocimeter", "accelerometer", "touch"), {"site": OBJ_SITE}),
    "actuatorfrc": {"actuator": OBJ_ACTUATOR},
}

MAXVAL = 1e10  # the largest coordinate, velocity or acceleration taken for a finite state (mjMAXVAL)
