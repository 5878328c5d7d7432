"""MJCF text of a Model, so that MuJoCo can be asked what a robot that was built in Python does.

Masses, inertias and frames are the Model's; what the compiler derives from them (weights of the constraints, pairs of
geoms that may touch and their mixed parameters, topology, addresses) it derives by itself. Explicit pairs, excludes,
meshes and keyframes are not written: a robot that has such gives a text that loads as another robot.
"""

from xml.sax.saxutils import quoteattr

import numpy as np

from engine.model import constants as c
from engine.model.sensors import NAMES

_DYNTYPES = {c.DYN_INTEGRATOR: "integrator", c.DYN_FILTER: "filter", c.DYN_FILTEREXACT: "filterexact"}
_OBJECTS = {c.OBJ_BODY: "body", c.OBJ_XBODY: "xbody", c.OBJ_SITE: "site", c.OBJ_GEOM: "geom"}


def mjcf(model):
    """XML text of the robot."""
    world = _geoms(model, 0) + _sites(model, 0) + "".join(_body(model, b) for b in _children(model, 0))
    return (
        f"<mujoco model={quoteattr(model.name)}>"
        '<compiler angle="radian" autolimits="false" inertiafromgeom="false"/>'
        f"{_option(model.opt)}<worldbody>{world}</worldbody>"
        f"<actuator>{''.join(_actuator(model, a) for a in range(model.nu))}</actuator>"
        f"<sensor>{''.join(_sensor(model, s) for s in range(model.nsensor))}</sensor></mujoco>"
    )


def _element(tag, inside="", **attributes):
    return f"<{tag} {' '.join(f'{k}={quoteattr(_text(v))}' for k, v in attributes.items())}>{inside}</{tag}>"


def _text(value):
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    return " ".join(repr(number) for number in np.atleast_1d(value).tolist())


def _option(opt):
    flag = _element("flag", **{
        name: "enable" if getattr(opt, name) else "disable" for name in ("eulerdamp", "refsafe")
    })  # fmt: skip
    return _element(
        "option", flag, timestep=opt.timestep, gravity=opt.gravity, integrator=c.INTEGRATOR_NAMES[opt.integrator],
        cone=c.CONE_NAMES[opt.cone], impratio=opt.impratio, iterations=opt.iterations,
    )  # fmt: skip


def _children(m, b):
    return [k for k in range(1, m.nbody) if m.body_parentid[k] == b]


def _body(m, b):
    inside = "".join(_joint(m, j) for j in range(m.njnt) if m.jnt_bodyid[j] == b)
    if m.body_mass[b]:
        inside += _element(
            "inertial", mass=m.body_mass[b], pos=m.body_ipos[b], quat=m.body_iquat[b], diaginertia=m.body_inertia[b]
        )
    inside += _geoms(m, b) + _sites(m, b) + "".join(_body(m, k) for k in _children(m, b))
    return _element("body", inside, name=m.body_names[b], pos=m.body_pos[b], quat=m.body_quat[b])


def _joint(m, j):
    kind, q, d = m.jnt_type[j], m.jnt_qposadr[j], m.jnt_dofadr[j]
    turned = {"axis": m.jnt_axis[j], "ref": m.qpos0[q], "springref": m.qpos_spring[q]}
    return _element(
        "joint", name=m.joint_names[j], type=c.JOINT_NAMES[kind], **({"pos": m.jnt_pos[j]} if kind != c.FREE else {}),
        **(turned if kind in (c.SLIDE, c.HINGE) else {}), stiffness=m.jnt_stiffness[j], damping=m.dof_damping[d],
        armature=m.dof_armature[d], frictionloss=m.dof_frictionloss[d], limited=m.jnt_limited[j], range=m.jnt_range[j],
        margin=m.jnt_margin[j], solreflimit=m.jnt_solref[j], solimplimit=m.jnt_solimp[j],
        solreffriction=m.dof_solref[d], solimpfriction=m.dof_solimp[d],
    )  # fmt: skip


def _geoms(m, b):
    own = ("contype", "conaffinity", "condim", "priority", "solmix", "solref", "solimp", "friction", "margin", "gap",
           "pos", "quat", "size")  # fmt: skip
    return "".join(
        _element("geom", **({"name": m.geom_names[g]} if m.geom_names[g] else {}), type=c.GEOM_NAMES[m.geom_type[g]],
                 **{name: getattr(m, f"geom_{name}")[g] for name in own})
        for g in range(m.ngeom) if m.geom_bodyid[g] == b
    )  # fmt: skip


def _sites(m, b):
    return "".join(
        _element("site", name=m.site_names[s], type=c.GEOM_NAMES[m.site_type[s]], size=m.site_size[s],
                 pos=m.site_pos[s], quat=m.site_quat[s])
        for s in range(m.nsite) if m.site_bodyid[s] == b
    )  # fmt: skip


def _actuator(m, a):
    own = ("gear", "ctrllimited", "ctrlrange", "forcelimited", "forcerange", "actlimited", "actrange")
    dyn = m.actuator_dyntype[a]
    state = {"dyntype": _DYNTYPES[dyn], "dynprm": m.actuator_dynprm[a]} if dyn != c.DYN_NONE else {}
    gain, bias = m.actuator_gainprm[a], m.actuator_biasprm[a]
    return _element(
        "general", name=m.actuator_names[a], joint=m.joint_names[m.actuator_trnid[a]],
        **{name: getattr(m, f"actuator_{name}")[a] for name in own}, **state,
        gaintype="affine" if gain[1:].any() else "fixed", gainprm=gain,
        biastype="affine" if bias.any() else "none", biasprm=bias,
    )  # fmt: skip


def _sensor(m, s):
    kind, object_, i = NAMES[m.sensor_type[s]], m.sensor_objtype[s], m.sensor_objid[s]
    if kind.startswith("frame"):
        what = _OBJECTS[object_]
        target = {"objtype": what, "objname": getattr(m, f"{what.removeprefix('x')}_names")[i]}
    elif object_ == c.OBJ_JOINT:
        target = {"joint": m.joint_names[i]}
    elif object_ == c.OBJ_ACTUATOR:
        target = {"actuator": m.actuator_names[i]}
    else:
        target = {"body": m.body_names[i]} if object_ == c.OBJ_BODY else {"site": m.site_names[i]}
    return _element(kind, name=m.sensor_names[s], cutoff=m.sensor_cutoff[s], **target)
