"""A Model as MJCF, which MuJoCo and its viewers open: what `Model.to_mjcf` writes.

Everything stands in the file as the Model has it: inertias instead of densities, radians, no defaults. What has
MJCF's own default is left out. Numbers are written so that they are read back bit for bit; what MuJoCo then
makes of them (unit quaternions, frames of meshes) may differ in the last digits.
"""

import xml.etree.ElementTree as ET

import numpy as np

from . import constants as c
from . import plastic, sleeping
from .delays import INTERPOLATIONS
from .elements.actuator import DYNTYPES, TARGETS
from .elements.hfield import elevations, normalized
from .elements.key import KEYS
from .errors import ModelError
from .mesh_frames import cut_hull, inertia_of
from .motors import TOKENS, further_inputs
from .orientations import behind_first, written_orientation
from .pairs import contact_parameters, filtered_pairs
from .sensors import CONTACT_FIELDS, REDUCES, ROWS, fields_of_range
from .servos import states_of
from .shapes import COUNT
from .written import IDENTITY, OF, attributes, entry, text_of, unique_names
from .written_cameras import Cameras

# Attributes that are arrays, or some numbers of one array after those of another.
_JOINT = {
    "pos": "jnt_pos", "axis": "jnt_axis", "stiffness": "jnt_stiffness jnt_stiffnesspoly", "range": "jnt_range",
    "limited": "jnt_limited", "margin": "jnt_margin", "solreflimit": "jnt_solref", "solimplimit": "jnt_solimp",
    "actuatorfrclimited": "jnt_actfrclimited", "actuatorfrcrange": "jnt_actfrcrange",
    "actuatorgravcomp": "jnt_actgravcomp", "springyield": "jnt_springyield",
}  # fmt: skip
_DOF = {
    "armature": "dof_armature", "damping": "dof_damping dof_dampingpoly", "frictionloss": "dof_frictionloss",
    "solreffriction": "dof_solref", "solimpfriction": "dof_solimp",
}  # fmt: skip
_GEOM = {
    "pos": "geom_pos", "quat": "geom_quat", "rgba": "geom_rgba", "group": "geom_group", "contype": "geom_contype",
    "conaffinity": "geom_conaffinity", "condim": "geom_condim", "priority": "geom_priority", "solmix": "geom_solmix",
    "solref": "geom_solref", "solimp": "geom_solimp", "friction": "geom_friction", "margin": "geom_margin",
    "gap": "geom_gap", "surfacevel": "geom_surfacevel",
}  # fmt: skip
_SITE = {"pos": "site_pos", "quat": "site_quat", "rgba": "site_rgba"}
_TENDON = {
    "limited": "tendon_limited", "range": "tendon_range", "margin": "tendon_margin",
    "solreflimit": "tendon_solref_lim", "solimplimit": "tendon_solimp_lim", "solreffriction": "tendon_solref_fri",
    "solimpfriction": "tendon_solimp_fri", "stiffness": "tendon_stiffness tendon_stiffnesspoly",
    "damping": "tendon_damping tendon_dampingpoly", "armature": "tendon_armature",
    "frictionloss": "tendon_frictionloss", "springlength": "tendon_lengthspring",
    "springyield": "tendon_springyield",
    "actuatorfrclimited": "tendon_actfrclimited", "actuatorfrcrange": "tendon_actfrcrange", "width": "tendon_width",
    "rgba": "tendon_rgba",
}  # fmt: skip
_ACTUATOR = {
    "gear": "actuator_gear", "cranklength": "actuator_cranklength", "dynprm": "actuator_dynprm",
    "gainprm": "actuator_gainprm", "biasprm": "actuator_biasprm", "ctrllimited": "actuator_ctrllimited",
    "ctrlrange": "actuator_ctrlrange", "forcelimited": "actuator_forcelimited", "forcerange": "actuator_forcerange",
    "actlimited": "actuator_actlimited", "actrange": "actuator_actrange", "actearly": "actuator_actearly",
    "delay": "actuator_delay", "lengthrange": "actuator_lengthrange",
}  # fmt: skip
_PAIR = {"condim": "dim", "friction": "friction", "solref": "solref", "solreffriction": "solreffriction",
         "solimp": "solimp", "margin": "margin", "gap": "gap"}  # fmt: skip
_OPTION = (
    "timestep gravity impratio tolerance iterations ls_iterations magnetic density viscosity wind ccd_tolerance "
    "ccd_iterations noslip_iterations noslip_tolerance sleep_tolerance"
).split()
_FLAGS = ("eulerdamp", "refsafe", "multiccd", "island")
_ENDS = {c.OBJ_GEOM: "geom", c.OBJ_BODY: "body", c.OBJ_XBODY: "subtree", c.OBJ_SITE: "site"}

# What follows from the rest, or says only where something stands: a file does not have it.
DERIVED = set(
    "body_rootid body_weldid body_jntadr body_jntnum body_dofadr body_dofnum body_invweight0 body_subtreemass "
    "jnt_qposadr jnt_dofadr dof_bodyid dof_jntid dof_parentid dof_invweight0 geom_rbound mesh_hulladr mesh_hullnum "
    "mesh_extrema hull_vert hull_edgeend hull_faceend hull_edge hull_face face_normal face_vertend face_vert "
    "hfield_adr tendon_adr tendon_num tendon_length0 tendon_invweight0 actuator_actadr sensor_dim sensor_adr "
    "site_pos0 site_quat0 body_asleep0 dof_length".split()
)
# What MJCF has no words for.
REFUSED = {f"residual_{name}" for name in (
    "kind num scratch intadr intnum prmadr prmnum passive speed power int prm".split()
)}  # fmt: skip
# What is written; a new array of a Model belongs into one of the three (tests/model/test_to_mjcf.py).
WRITTEN = set(
    " ".join([*_JOINT.values(), *_DOF.values(), *_GEOM.values(), *_SITE.values(), *_TENDON.values(),
              *_ACTUATOR.values()]).split()
) | {f"pair_{name}" for name in _PAIR.values()} | set(
    "qpos0 qpos_spring body_parentid body_pos body_quat body_ipos body_iquat body_mass body_inertia body_gravcomp "
    "body_mocapid body_sleep jnt_type jnt_bodyid geom_type geom_bodyid geom_dataid geom_size geom_fluid site_bodyid "
    "site_type site_size site_camera site_targetbodyid hfield_size hfield_nrow hfield_ncol hfield_data "
    "wrap_objid wrap_type wrap_prm eq_type eq_objtype eq_obj1id eq_obj2id eq_active0 eq_solref eq_solimp eq_data "
    "actuator_trnid actuator_trntype actuator_refid actuator_dyntype actuator_gaintype actuator_biastype "
    "actuator_gaincurve actuator_biascurve actuator_dynrest actuator_inputs actuator_history sensor_type "
    "sensor_objtype sensor_objid sensor_reftype sensor_refid sensor_intprm sensor_cutoff sensor_delay sensor_history "
    "sensor_interval sensor_lens sensor_view pair_geom1 pair_geom2 pair_own".split()
)  # fmt: skip


def to_mjcf(m):
    """The MJCF of Model `m`, a text. Raises ModelError where MJCF has no words for what the model has."""
    if m.nresidual:
        raise ModelError(f"{m.name or 'model'}: {m.nresidual} residuals; allowed in MJCF: none (residuals.without)")
    return _Writer(m).text()


class _Writer:
    def __init__(self, m):
        self.m = m
        named = [kind for kind in OF if hasattr(m, f"{kind}_names")]
        self.names = {kind: unique_names(kind, getattr(m, f"{kind}_names")) for kind in named}
        self.root = ET.Element("mujoco", {"model": m.name} if m.name else {})
        self.called = set()  # (kind, number) of what another element names
        self.felt = _felt(m)
        self.cameras = Cameras(m, lambda body: self.call("body", body))

    def text(self):
        ET.SubElement(self.root, "compiler", {
            "angle": "radian", "autolimits": "false", "inertiafromgeom": "false", "boundmass": "0", "boundinertia": "0",
        })  # fmt: skip
        option = ET.SubElement(self.root, "option")
        asset = ET.SubElement(self.root, "asset")
        world = ET.SubElement(self.root, "worldbody")
        sections = [self.contact, self.tendon, self.equality, self.actuator, self.sensor, self.keyframe]
        made = [f() for f in sections]  # they decide which elements need a name
        self.option(option)
        self.meshes(asset)
        self.hfields(asset)
        self.bodies(world)
        self.root.extend(section for section in made if len(section))
        if not len(asset):
            self.root.remove(asset)
        ET.indent(self.root)
        return ET.tostring(self.root, encoding="unicode") + "\n"

    def call(self, kind, i):
        """The name of an element that another one refers to."""
        if kind == "body" and i == 0:
            return "world"
        self.called.add((kind, int(i)))
        return self.names[kind][i]

    def named(self, kind, i):
        """{"name": name} of an element that has one or needs one."""
        own = getattr(self.m, f"{kind}_names")[i]
        return {"name": self.names[kind][i]} if own or (kind, i) in self.called else {}

    def option(self, out):
        opt = self.m.opt
        known = OF["option"]
        out.attrib |= attributes({name: getattr(opt, name) for name in _OPTION}, known)
        out.attrib |= {"integrator": c.INTEGRATOR_NAMES[opt.integrator], "cone": c.CONE_NAMES[opt.cone]}
        out.attrib |= {"solver": c.SOLVER_NAMES[opt.solver]} if opt.solver != c.NEWTON else {}
        flags = {name: "disable" for name in _FLAGS if not getattr(opt, name)} | self.flags
        flags |= {"diagexact": "enable"} if opt.diagexact else {}
        flags |= {"limit": "disable"} if self.felt else {}
        flags |= {"sleep": "enable"} if opt.sleep else {}
        flags |= {"speculative": "enable"} if opt.speculative else {}
        if flags:
            ET.SubElement(out, "flag", flags)

    def meshes(self, out):
        for k, (vert, face) in enumerate(zip(self.m.mesh_vert, self.m.mesh_face, strict=True)):
            vert, face = cut_hull(self.m, k) or (vert, face)  # MuJoCo would cut another mesh otherwise
            inertia = inertia_of(vert, face)
            ET.SubElement(out, "mesh", {
                "name": self.names["mesh"][k], "inertia": inertia, "face": " ".join(map(str, face.ravel().tolist())),
                "vertex": " ".join(str(x).removesuffix(".0") for x in vert.ravel().astype(np.float32)),
            })  # fmt: skip

    def hfields(self, out):
        for k in range(self.m.nhfield):
            data, size = elevations(self.m, k), self.m.hfield_size[k].copy()
            if data.min() > 0:
                raise ModelError(
                    f"{self.m.label('hfield', k)}: its least elevation is {data.min()}; allowed in MJCF: 0, which the "
                    "compiler makes of it"
                )
            if data.max() > 0:  # likewise 1 of the greatest
                size[2] *= data.max()
                data = normalized(data)
            ET.SubElement(out, "hfield", {
                "name": self.names["hfield"][k], "nrow": str(len(data)), "ncol": str(data.shape[1]),
                "size": text_of(size), "elevation": " ".join(str(x).removesuffix(".0") for x in
                                                           data[::-1].ravel().astype(np.float32)),
            })  # fmt: skip

    # -------------------------------------------------------------------------------------------- the tree

    def bodies(self, world):
        m, places = self.m, [world]
        words = {sleeping.NEVER: "never", sleeping.ALLOWED: "allowed", sleeping.INIT: "init"}
        self.asleep = {b: words[k] for b in sleeping.first_bodies(m) if (k := int(m.body_sleep[b])) in words}
        for b in range(1, m.nbody):
            free = [j for j in np.flatnonzero(m.jnt_bodyid == b) if m.jnt_type[j] == c.FREE]
            pos, quat = m.body_pos[b], m.body_quat[b]
            if free:  # where it starts; its body_pos says nothing else
                at = m.jnt_qposadr[free[0]]
                pos, quat = m.qpos0[at : at + 3], m.qpos0[at + 3 : at + 7]
            given = attributes({"pos": pos, "quat": quat, "gravcomp": m.body_gravcomp[b]}, OF["body"])
            mocap = {"mocap": "true"} if m.body_mocapid[b] >= 0 else {}
            slept = {"sleep": self.asleep[b]} if b in self.asleep else {}
            body = ET.Element("body", self.named("body", b) | given | mocap | slept)
            places.append(body)
            if m.body_mass[b] or m.body_inertia[b].any():
                own = {"pos": m.body_ipos[b], "quat": m.body_iquat[b]}
                mass = {"mass": text_of(m.body_mass[b]), "diaginertia": text_of(m.body_inertia[b])}
                ET.SubElement(body, "inertial", {"pos": "0 0 0"} | attributes(own, OF["body"]) | mass)
        for j, b in enumerate(m.jnt_bodyid):
            self.joint(j, places[b])
        for g, b in enumerate(m.geom_bodyid):
            self.geom(g, places[b])
        for s, b in enumerate(m.site_bodyid):
            if m.site_camera[s]:
                continue
            shape = {"type": c.GEOM_NAMES[int(m.site_type[s])], "size": text_of(m.site_size[s])}
            ET.SubElement(places[b], "site", self.named("site", s) | shape | entry(m, "site", _SITE, s))
        for s, given in self.cameras.elements:
            ET.SubElement(places[m.site_bodyid[s]], "camera", given)
        for parent, body in zip(m.body_parentid[1:], places[1:], strict=True):  # below what is the parent's own
            places[parent].append(body)

    def joint(self, j, out):
        m, kind = self.m, int(self.m.jnt_type[j])
        dofs = slice(m.jnt_dofadr[j], m.jnt_dofadr[j] + c.NV[kind])
        for array in " ".join(_DOF.values()).split():
            values = getattr(m, array)[dofs]
            if (values != values[0]).any():
                raise ModelError(
                    f"{m.label('joint', j)}: {array} = {values.tolist()}; allowed in MJCF: one for a joint"
                )
        given = entry(m, "joint", _JOINT, j) | entry(m, "joint", _DOF, dofs.start)
        given |= {"limited": "true"} if (c.OBJ_JOINT, j) in self.felt else {}
        q = slice(m.jnt_qposadr[j], m.jnt_qposadr[j] + c.NQ[kind])
        if kind in (c.HINGE, c.SLIDE):
            given |= attributes({"ref": m.qpos0[q][0], "springref": m.qpos_spring[q][0]}, OF["joint"])
        else:
            given.pop("axis", None)
            if kind == c.FREE:
                given.pop("pos", None)
            rest = m.qpos0[q] if kind == c.FREE else np.array(IDENTITY)
            for array in ("qpos0", "qpos_spring"):
                if not np.allclose(getattr(m, array)[q], rest, rtol=0, atol=1e-12):
                    found = getattr(m, array)[q].tolist()
                    raise ModelError(f"{m.label('joint', j)}: {array} = {found}; allowed in MJCF: {rest.tolist()}")
        ET.SubElement(out, "joint", self.named("joint", j) | {"type": c.JOINT_NAMES[kind]} | given)

    def geom(self, g, out):
        m, kind = self.m, int(self.m.geom_type[g])
        data = m.geom_dataid[g]
        if kind not in (*COUNT, c.MESH) and not (kind == c.HFIELD and data >= 0):
            out.append(ET.Comment(f" {m.label('geom', g)}: a {c.GEOM_NAMES[kind]}, which is only drawn, is left out "))
            return
        shape = {"type": c.GEOM_NAMES[kind]}
        if kind in (c.MESH, c.HFIELD):
            shape[c.GEOM_NAMES[kind]] = self.names[c.GEOM_NAMES[kind]][data]
        else:
            shape["size"] = text_of(m.geom_size[g][: COUNT[kind]])
        if m.geom_fluid[g, 0]:
            shape |= {"fluidshape": "ellipsoid", "fluidcoef": text_of(m.geom_fluid[g, 1:6])}
        ET.SubElement(out, "geom", self.named("geom", g) | shape | entry(m, "geom", _GEOM, g))

    # -------------------------------------------------------------------------------------- what acts on it

    def contact(self):
        """Pairs with parameters of their own; what keeps others apart; and, where no rule finds it, a pair."""
        m, out, self.flags = self.m, ET.Element("contact"), {}
        number = {pair: k for k, pair in enumerate(_listed(m.pair_geom1, m.pair_geom2))}
        there, own = set(number), {pair for pair, k in number.items() if m.pair_own[k] >= 0}
        found = {flag: set(_listed(*filtered_pairs(m, (), flag))) for flag in (True, False)}
        if not there and found[True]:
            self.flags = {"contact": "disable"}
            return out
        usual = len(there - found[True]) <= len(there - found[False])
        if not usual:
            self.flags = {"filterparent": "disable"}
        bodies = {}
        for pair in found[usual] - own:
            bodies.setdefault(tuple(sorted(m.geom_bodyid[list(pair)].tolist())), set()).add(pair)
        listed = there - found[usual] | own
        for (b1, b2), pairs in sorted(bodies.items()):
            if pairs - there:  # some of two bodies' geoms touch, others do not: say which
                listed |= pairs & there
                ET.SubElement(out, "exclude", {"body1": self.call("body", b1), "body2": self.call("body", b2)})
        values = contact_parameters(m)
        for pair in sorted(listed, key=number.get):
            k = number[pair]
            given = {name: values[array][k] for name, array in _PAIR.items()}
            given["condim"] = int(given["condim"])
            ends = {f"geom{i}": self.call("geom", g) for i, g in enumerate(pair, 1)}
            ET.SubElement(out, "pair", ends | attributes(given, OF["pair"]))
        return out

    def tendon(self):
        m, out = self.m, ET.Element("tendon")
        for t in range(m.ntendon):
            places = range(m.tendon_adr[t], m.tendon_adr[t] + m.tendon_num[t])
            fixed = m.wrap_type[places[0]] == c.WRAP_JOINT
            given = entry(m, "tendon", _TENDON, t)
            given |= {"limited": "true"} if (c.OBJ_TENDON, t) in self.felt else {}
            if fixed:
                for drawn in ("width", "rgba"):
                    given.pop(drawn, None)
            given["springlength"] = text_of(m.tendon_lengthspring[t])  # no default: it is never what the joints say
            tendon = ET.SubElement(out, "fixed" if fixed else "spatial", {"name": self.names["tendon"][t]} | given)
            for k in places:
                kind, i, x = m.wrap_type[k], m.wrap_objid[k], m.wrap_prm[k]
                if kind == c.WRAP_JOINT:
                    ET.SubElement(tendon, "joint", {"joint": self.call("joint", i), "coef": text_of(x)})
                elif kind == c.WRAP_PULLEY:
                    ET.SubElement(tendon, "pulley", {"divisor": text_of(x)})
                elif kind == c.WRAP_SITE:
                    ET.SubElement(tendon, "site", {"site": self.call("site", i)})
                else:
                    side = {"sidesite": self.call("site", int(x))} if x >= 0 else {}
                    ET.SubElement(tendon, "geom", {"geom": self.call("geom", i)} | side)
        return out

    def equality(self):
        m, out = self.m, ET.Element("equality")
        for e in range(m.neq):
            word, data = c.EQUALITY_NAMES[int(m.eq_type[e])], m.eq_data[e]
            kind = c.OBJ_NAMES[m.eq_objtype[e]]
            ends = {f"{kind}{k}": self.call(kind, i) for k, i in ((1, m.eq_obj1id[e]), (2, m.eq_obj2id[e])) if i >= 0}
            given = {"solref": m.eq_solref[e], "solimp": m.eq_solimp[e], "active": bool(m.eq_active0[e])}
            if kind in ("joint", "tendon"):
                given["polycoef"] = data[:5]
            elif kind == "body":
                given["anchor"] = data[:3]
            text = attributes(given, OF["equality"])
            if word == "weld":
                text["torquescale"] = text_of(data[10])
                if kind == "body":
                    text["relpose"] = text_of(data[3:10])
            if word == "connect" and kind == "body":
                text["anchor"] = text_of(data[:3])
            ET.SubElement(out, word, self.named("equality", e) | ends | text)
        return out

    def actuator(self):
        m, out = self.m, ET.Element("actuator")
        words = {kind: word for word, kind in TARGETS.items()} | {c.TRN_SO3: "site"}
        dynamics = {kind: word for word, kind in DYNTYPES.items()}
        inputs = further_inputs(m) | behind_first(m)
        for u in np.flatnonzero(~inputs):
            word = words[int(m.actuator_trntype[u])]
            kind = {"jointinparent": "joint", "cranksite": "site"}.get(word, word)
            on = {word: self.call(kind, m.actuator_trnid[u])}
            if m.actuator_refid[u] >= 0:
                on["refsite" if word == "site" else "slidersite"] = self.call("site", m.actuator_refid[u])
            given = entry(m, "actuator", _ACTUATOR, u)
            given.pop("lengthlimited", None)
            if m.actuator_history[u, 0]:
                number, interp = m.actuator_history[u].tolist()
                given |= {"nsample": str(number), "interp": list(INTERPOLATIONS)[interp]}
            if m.actuator_gaintype[u] == c.GAIN_SO3:
                own = {k: x if isinstance(x, str) else text_of(x) for k, x in written_orientation(m, u).items()}
                given.pop("gear", None)
                ET.SubElement(out, "general", self.named("actuator", u) | on | given | own)
                continue
            if m.actuator_dyntype[u] == c.DYN_PID:
                ET.SubElement(out, "pid", self.named("actuator", u) | on | self.controller(u, given))
                continue
            if m.actuator_dyntype[u] == c.DYN_DCMOTOR:
                ET.SubElement(out, "dcmotor", self.named("actuator", u) | on | self.motor(u, given))
                continue
            types = {
                "dyntype": dynamics[int(m.actuator_dyntype[u])],
                "gaintype": "affine" if m.actuator_gainprm[u, 1:].any() else "fixed",
                "biastype": "affine" if m.actuator_biasprm[u].any() else "none",
            }
            for part, kind in (("gain", c.GAIN_MUSCLE), ("bias", c.BIAS_MUSCLE)):
                if getattr(m, f"actuator_{part}type")[u] == kind:
                    types[f"{part}type"] = "muscle"
                    parameters = [getattr(m, f"actuator_{part}{name}")[u] for name in ("prm", "curve")]
                    given[f"{part}prm"] = text_of(np.concatenate(parameters))
            types = {name: word for name, word in types.items() if word not in ("none", "fixed")}
            ET.SubElement(out, "general", self.named("actuator", u) | on | types | given)
        return out

    def controller(self, u, given):
        """The attributes of a pid with states of its own, of the one control that it has here."""
        m, gain, (constant, by_length, by_velocity) = self.m, self.m.actuator_gainprm[u], self.m.actuator_biasprm[u]
        if constant or gain[1:].any() or gain[0] != -by_length:
            raise ModelError(
                f"{m.label('actuator', u)}: gain {gain.tolist()} and bias {m.actuator_biasprm[u].tolist()} of a pid; "
                "allowed in MJCF: kp, 0, 0 and 0, -kp, -kv"
            )
        given = {name: text for name, text in given.items() if not name.endswith("prm")}
        prm = dict(zip(("imax", "slewmax", "ki"), m.actuator_dynprm[u], strict=True))
        prm |= {"kp": gain[0], "kv": -by_velocity}
        return given | {"input": "pos"} | {k: text_of(x) for k, x in prm.items()}

    def motor(self, u, given):
        """The attributes of a dcmotor, of which the actuators behind it are further controls."""
        m = self.m
        words = [word for k, word in enumerate(TOKENS) if m.actuator_inputs[u] >> k & 1]
        if m.actuator_gaintype[u] != c.GAIN_DCMOTOR:
            raise ModelError(f"{m.label('actuator', u)}: bristles that push nothing; allowed in MJCF: those of a motor")
        for name in ("ctrllimited", "ctrlrange", "delay", "history"):
            own = getattr(m, f"actuator_{name}")[u : u + max(len(words), 1)]
            if (own != own[0]).any():
                who = m.label("actuator", u)
                raise ModelError(f"{who}: {name} {own.tolist()}; allowed in MJCF: one for all controls")
        low, high = m.actuator_forcerange[u]
        if m.actuator_forcelimited[u] and low != -high:
            raise ModelError(f"{m.label('actuator', u)}: forcerange {low:g} {high:g}; allowed in MJCF: -x x")
        R, K, alpha = m.actuator_gainprm[u]
        T0, kp, ki, kd, vmax, _ = m.actuator_gaincurve[u]
        te, dimax, RT = m.actuator_dynprm[u]
        C, Ta, s0, s1, slew, imax = m.actuator_dynrest[u]
        numbers = {
            "motorconst": (K,), "resistance": (R,), "inductance": (0, te), "thermal": (RT, C, 0, alpha, T0, Ta),
            "saturation": (high * m.actuator_forcelimited[u], 0, dimax), "cogging": m.actuator_biasprm[u],
            "controller": (kp, ki, kd, slew, imax, vmax), "lugre": (s0, s1, *m.actuator_biascurve[u, :3]),
        }  # fmt: skip
        given = {name: text for name, text in given.items() if not name.endswith("prm") and "force" not in name}
        given.pop("actearly", None)
        return given | {"input": " ".join(words) or "none"} | {k: text_of(x) for k, x in numbers.items() if np.any(x)}

    def sensor(self):
        m, out = self.m, ET.Element("sensor")
        for s in range(m.nsensor):
            row = ROWS[m.sensor_type[s]]
            given = self.named("sensor", s)
            ends = ((m.sensor_objtype[s], m.sensor_objid[s]), (m.sensor_reftype[s], m.sensor_refid[s]))
            if row.level in ("contact", "distance"):
                for k, (kind, i) in enumerate(ends, 1):
                    if kind != c.OBJ_NONE:
                        word = "site" if kind == c.OBJ_SITE else f"{_ENDS[kind]}{k}"
                        given[word] = self.call(c.OBJ_NAMES[kind].removeprefix("x"), i)
            elif row.level == "image":
                given |= {"camera": self.cameras.of[s], "site": self.call("site", m.sensor_objid[s])}
            elif s in self.cameras.of:
                given["camera"] = self.cameras.of[s]
            elif row.references or len(row.objects) > 1:
                for word, (kind, i) in zip(("obj", "ref"), ends, strict=True):
                    if row.level == "inside" and word == "ref":
                        given["site"] = self.call("site", i)
                    elif kind == c.OBJ_SITE and i in self.cameras.at:
                        given |= {f"{word}type": "camera", f"{word}name": self.cameras.at[i]}
                    elif kind != c.OBJ_NONE:
                        given[f"{word}type"] = c.OBJ_NAMES[kind]
                        given[f"{word}name"] = self.call(c.OBJ_NAMES[kind].removeprefix("x"), i)
            elif ends[0][0] != c.OBJ_NONE:
                kind = c.OBJ_NAMES[ends[0][0]].removeprefix("x")
                given[kind] = self.call(kind, ends[0][1])
            if row.level == "contact":
                bits, reduce, number = m.sensor_intprm[s].tolist()
                data = [word for k, word in enumerate(CONTACT_FIELDS) if bits >> k & 1]
                given |= {"data": " ".join(data), "reduce": REDUCES[reduce], "num": str(number)}
            if row.level == "range":
                given["data"] = " ".join(fields_of_range(m.sensor_intprm[s, 0]))
            if m.sensor_history[s, 0]:
                number, interp = m.sensor_history[s].tolist()
                given |= {"nsample": str(number), "interp": list(INTERPOLATIONS)[interp]}
            numbers = {"cutoff": m.sensor_cutoff[s], "delay": m.sensor_delay[s], "interval": m.sensor_interval[s]}
            ET.SubElement(out, row.name, given | attributes(numbers, OF["sensor"]))
        return out

    def keyframe(self):
        m, out = self.m, ET.Element("keyframe")
        for k, name in enumerate(m.key_names):
            key = ET.SubElement(out, "key", {"name": name} if name else {})
            for array in KEYS:
                value = getattr(m, f"key_{array}")[k]
                if array == "act":  # without the controls of the past
                    if plastic.count(m):
                        key.set("plastic", text_of(plastic.plastic(m, value)))
                    value = value[: np.sum(states_of(m))]
                if array == "ctrl":  # without those that nothing reads
                    value = value[(m.actuator_dyntype != c.DYN_DCMOTOR) | (m.actuator_inputs > 0)]
                if np.size(value):
                    key.set(array, text_of(value))
        return out


def _felt(m):
    """{(kind, number)} of joints and tendons whose limit a sensor reads, though an option has switched limits off."""
    limited = {c.OBJ_JOINT: m.jnt_limited, c.OBJ_TENDON: m.tendon_limited}
    span = {c.OBJ_JOINT: m.jnt_range, c.OBJ_TENDON: m.tendon_range}
    of = [s for s in range(m.nsensor) if ROWS[m.sensor_type[s]].level == "limit"]
    found = {(int(m.sensor_objtype[s]), int(m.sensor_objid[s])) for s in of}
    found = {(kind, i) for kind, i in found if not limited[kind][i]}
    for kind, i in found:
        if np.any(m.jnt_limited) or np.any(m.tendon_limited) or not span[kind][i][0] < span[kind][i][1]:
            what = m.label(c.OBJ_NAMES[kind], i)
            raise ModelError(f"{what}: a sensor reads its limit, which it has not; allowed in MJCF: one with a limit")
    return found


def _listed(geoms1, geoms2):
    """Pairs of geoms, in their order."""
    return list(zip(geoms1.tolist(), geoms2.tolist(), strict=True))
