"""Allocation of packs from the schema, conversion of a Model to device buffers, and live NumPy views for people.

Every buffer is a NumPy array that the kernels use in place (memory.py), so a view written by the user is what the next
step reads.
"""

import math

import numpy as np

from engine import schema as s
from engine.backend import np_real
from engine.features import features_of
from engine.layout import broad_phase, hessian_entries, last_dof, longest_chain, pair_types, reaches, tree
from engine.memory import LINES, zeros
from engine.model.constants import BALL, BOX, CAPSULE, FREE, NV, PLANE, SLIDE, SPHERE

INNER = {"real": (), "int": (), "vec3": (3,), "vec4": (4,)}
REACH = 2**31  # numbers in a block that the kernels' indices reach
APART = LINES // 4  # numbers: a buffer begins on cache lines of its own, whatever its type


class Pack:
    """The buffers of one pack, by name: NumPy arrays in two blocks of memory, one of integers and one of real numbers.

    A copy (also by pickle) has blocks of its own with the same numbers; ValueError where the process that unpickles it
    computes in another precision. A kernel binds the blocks; where each buffer begins in its block (`starts`, in
    numbers) is looked up when a launch is bound (launch.py). elements: {buffer: entries}; every buffer has at least
    one. Raises ValueError where a buffer would end beyond what an index reaches.
    """

    def __init__(self, name, elements):
        self.name, self.elements = name, elements
        shapes, self.starts, lengths = pack_layout(name, elements)
        if pack_end(name, elements) > REACH:
            raise ValueError(f"{name}: {max(lengths.values()):,} numbers in one pack, allowed: some {REACH:,}")
        self.blocks = {kind: zeros(n, block_type(kind), constant=name == "model") for kind, n in lengths.items()}
        self.buffers = {}
        for b in s.PACKS[name]:
            at, shape = self.starts[b.name], shapes[b.name]
            self.buffers[b.name] = self.blocks[s.kind_of(b)][at : at + math.prod(shape)].reshape(shape)

    def __getitem__(self, name):
        return self.buffers[name]

    def __getstate__(self):
        return {n: a for n, a in self.__dict__.items() if n not in ("starts", "buffers")}

    def __setstate__(self, state):
        same_precision(f"the {state['name']} pack", state["blocks"]["real"])
        self.__init__(state["name"], state["elements"])
        for kind, block in self.blocks.items():
            block[:] = state["blocks"][kind]
        self.__dict__.update({n: a for n, a in state.items() if n not in self.__dict__})

    @property
    def nbytes(self):
        return sum(a.nbytes for a in self.blocks.values())


def block_type(kind):
    """NumPy's type of a pack's block."""
    return np.int32 if kind == "int" else np_real()


def same_precision(what, a):
    """Refuse real numbers that were pickled by a process of another precision than this one's."""
    if a.dtype != np_real():
        got, here = ("f64" if d == np.float64 else "f32" for d in (a.dtype, np_real()))
        raise ValueError(
            f"{what}: was copied in {got}, this process computes in {here}; "
            f'call engine.init(precision="{got}") before it is unpickled'
        )


def pack_layout(name, elements):
    """Shapes of a pack's buffers, where they begin in their blocks, and the blocks' lengths in numbers."""
    shapes, starts, lengths = {}, {}, {"int": 0, "real": 0}
    for b in s.PACKS[name]:
        kind = s.kind_of(b)
        shapes[b.name] = (max(elements[b.name], 1), *INNER[b.dtype])
        starts[b.name] = lengths[kind]
        lengths[kind] += -(-math.prod(shapes[b.name]) // APART) * APART
    return shapes, starts, lengths


def pack_end(name, elements):
    """Where the last buffer of a pack ends in its block, in numbers."""
    shapes, starts, _ = pack_layout(name, elements)
    return max(at + math.prod(shapes[buffer]) for buffer, at in starts.items())


def pack_bytes(name, elements):
    """Bytes of a pack, before it is made."""
    return sum(n * np.dtype(block_type(kind)).itemsize for kind, n in pack_layout(name, elements)[2].items())


def sizes_of(model, nconmax):
    """The counts that the schema's symbols stand for."""
    columns, entries = tree(model)
    chain = longest_chain(model, columns)
    swept, partners, always = broad_phase(model)
    stages = 4 * (2 * model.nv + model.na) + model.nq + model.nv + model.na
    return {
        "one": 1, "nbody": model.nbody, "njnt": model.njnt, "nq": model.nq, "nv": model.nv, "nu": model.nu,
        "na": model.na, "ngeom": model.ngeom, "npair": model.npair, "nsite": model.nsite, "nsensor": model.nsensor,
        "nsensordata": model.nsensordata, "nm": entries, "nh": hessian_entries(model, columns),
        "nlone": 6 * model.nv if "lone" in features_of(model) else 0, "nconmax": nconmax,
        "nchain": chain, "ncolumn": nconmax * chain,
        "nsweep": len(swept), "npartner": len(partners), "nalways": len(always),
        "nnear": (model.npair + 15) // 16 if len(swept) else 0,
        "nrowmax": model.nv + 2 * model.njnt, "nstage": stages if model.opt.integrator == 1 else 0,
        "ntheta": theta_layout(model)[1],
    }  # fmt: skip


def theta_layout(model):
    """Where each parameter group begins in theta, {name: (start, shape)}, and the total length."""
    count = {"gravity": 1, "body": model.nbody, "dof": model.nv, "jnt": model.njnt, "actuator": model.nu,
             "pair": max(model.npair, 1)}  # fmt: skip
    layout, at = {}, 0
    for p in s.THETA:
        n = count[p.name.split("_")[0]]
        layout[p.name] = (at, (p.width,) if p.name == "gravity" else (n, p.width) if p.width > 1 else (n,))
        at += n * p.width
    return layout, at


def parameter(model, name):
    """A differentiable parameter of the model, as the Model holds it."""
    return model.opt.gravity if name == "gravity" else getattr(model, name)


def contact_capacity(model):
    """Contacts that the candidate pairs and the limited ball joints can make at most."""
    type1, type2 = pair_types(model)
    most = np.where((type1 == CAPSULE) | (type2 == CAPSULE) & (type1 == SPHERE), 2, 1)
    for kind, number in ((SPHERE, 1), (CAPSULE, 2), (BOX, 4)):
        most[(type1 == PLANE) & (type2 == kind)] = number
    return int(most.sum() + np.sum((model.jnt_type == BALL) & model.jnt_limited))


def model_pack(model, nconmax, features):
    """Device buffers of a Model. features: those that its kernels are compiled for."""
    sizes = sizes_of(model, nconmax)
    pack = Pack("model", {b.name: sizes[b.count] * b.width for b in s.MODEL})
    _fill_dims(pack, model, sizes)
    pack["opt"][:] = (model.opt.timestep, model.opt.impratio, 1e-2 * model.opt.tolerance, model.opt.refsafe)
    for name, (at, shape) in theta_layout(model)[0].items():
        value = parameter(model, name)
        if np.size(value):
            pack["theta"][at : at + int(np.prod(shape))] = np.ravel(value)
    pack.features = features
    for fill in (_fill_bodies, _fill_joints, _fill_geoms, _fill_actuators):
        fill(pack, model)
    return pack


def _fill_dims(pack, model, sizes):
    d = pack["dims"]
    layout, n = theta_layout(model)
    counts = (
        "NBODY NJNT NQ NV NU NA NGEOM NPAIR NSITE NSENSOR NSENSORDATA NCONMAX NROWMAX NSTAGE NM NH NCHAIN "
        "NSWEEP NALWAYS NNEAR"
    )
    for symbol in counts.split():
        d[getattr(s, symbol)] = sizes[symbol.lower()]
    d[s.INTEGRATOR] = model.opt.integrator
    d[s.CONE] = model.opt.cone
    d[s.ITERATIONS] = model.opt.iterations
    d[s.LS_ITERATIONS] = model.opt.ls_iterations
    d[s.EULERDAMP] = model.opt.eulerdamp
    d[s.NTHETA] = n
    for p in s.THETA:
        d[p.offset] = layout[p.name][0]


def _columns(buffer, width, columns):
    """Write {column: array} into an entity-major buffer."""
    if not len(next(iter(columns.values()))):
        return
    table = buffer.reshape(-1, width, *buffer.shape[1:])
    for k, value in columns.items():
        value = np.asarray(value)
        n = len(value)
        if value.ndim == table.ndim - 1:
            table[:n, k] = value
        else:
            table[:n, k : k + value.shape[1]] = value


def turned(quat):
    """Which unit quaternions (n, 4) are a rotation."""
    return (quat[:, 1:] != 0).any(axis=1)


def _fill_bodies(pack, m):
    _columns(pack["body_i"], s.NBI, {
        s.B_PARENT: m.body_parentid, s.B_ROOT: m.body_rootid, s.B_JNTADR: m.body_jntadr, s.B_JNTNUM: m.body_jntnum,
        s.B_DOFADR: m.body_dofadr, s.B_DOFNUM: m.body_dofnum, s.B_LASTDOF: last_dof(m),
        s.B_TURNED: turned(m.body_quat), s.B_ITURNED: turned(m.body_iquat),
    })  # fmt: skip
    _columns(pack["body_v"], s.NBV, {s.B_POS: m.body_pos, s.B_IPOS: m.body_ipos})
    _columns(pack["body_q"], s.NBQ, {s.B_QUAT: m.body_quat, s.B_IQUAT: m.body_iquat})


def _fill_joints(pack, m):
    dof0 = np.minimum(m.jnt_dofadr, max(m.nv - 1, 0))
    _columns(pack["jnt_i"], s.NJI, {
        s.J_TYPE: m.jnt_type, s.J_QPOSADR: m.jnt_qposadr, s.J_DOFADR: m.jnt_dofadr, s.J_BODY: m.jnt_bodyid,
        s.J_LIMITED: m.jnt_limited, s.J_OFF: (m.jnt_pos != 0).any(axis=1),
    })  # fmt: skip
    _columns(pack["jnt_v"], s.NJV, {s.J_POS: m.jnt_pos, s.J_AXIS: m.jnt_axis})
    _columns(pack["jnt_r"], s.NJR, {
        s.J_LO: m.jnt_range, s.J_MARGIN: m.jnt_margin, s.J_SOLREF: m.jnt_solref, s.J_DIAGA: m.dof_invweight0[dof0],
        s.J_SOLIMP: m.jnt_solimp,
    })  # fmt: skip
    if m.nq:
        pack["qpos_r"][:] = np.concatenate([m.qpos0, m.qpos_spring])
    group = np.arange(m.nv, dtype=np.int32)
    turns = m.jnt_type[m.dof_jntid] != SLIDE
    for t, a in zip(m.jnt_type, m.jnt_dofadr, strict=True):
        if t == FREE:
            turns[a : a + 3] = False
        if t in (FREE, BALL):
            group[a : a + NV[int(t)]] = np.repeat(np.arange(a, a + NV[int(t)], 3), 3)
    _columns(pack["dof_i"], s.NDI, {
        s.D_PARENT: tree(m)[0], s.D_BODY: m.dof_bodyid, s.D_JNT: m.dof_jntid, s.D_GROUP: group, s.D_TURNS: turns,
    })  # fmt: skip
    _columns(pack["dof_r"], s.NDR, {
        s.D_DIAGA: m.dof_invweight0, s.D_SOLREF: m.dof_solref, s.D_SOLIMP: m.dof_solimp,
    })  # fmt: skip


def _fill_geoms(pack, m):
    collides = np.isin(np.arange(m.ngeom), np.concatenate([m.pair_geom1, m.pair_geom2]))
    _columns(pack["geom_i"], s.NGI, {s.G_TYPE: m.geom_type, s.G_BODY: m.geom_bodyid, s.G_COLLIDES: collides})
    _columns(pack["geom_v"], s.NGV, {s.G_POS: m.geom_pos, s.G_SIZE: m.geom_size})
    _columns(pack["geom_q"], 1, {0: m.geom_quat})
    b1, b2 = m.geom_bodyid[m.pair_geom1], m.geom_bodyid[m.pair_geom2]
    r1 = np.where(m.geom_type[m.pair_geom1] == PLANE, 0.0, m.geom_rbound[m.pair_geom1])
    _columns(pack["pair_i"], s.NPI, {s.P_GEOM1: m.pair_geom1, s.P_GEOM2: m.pair_geom2, s.P_DIM: m.pair_dim})
    _columns(pack["pair_r"], s.NPR, {
        s.P_SOLREF: m.pair_solref, s.P_SOLREFFRICTION: m.pair_solreffriction, s.P_SOLIMP: m.pair_solimp,
        s.P_MARGIN: m.pair_margin, s.P_GAP: m.pair_gap,
        s.P_DIAGA: m.body_invweight0[b1, 0] + m.body_invweight0[b2, 0], s.P_RBOUND: r1 + m.geom_rbound[m.pair_geom2],
    })  # fmt: skip
    swept, partners, always = broad_phase(m)
    _columns(pack["sweep_i"], s.NKG, {k: swept[:, k] for k in range(s.NKG)})
    _columns(pack["partner"], s.NKP, {k: partners[:, k] for k in range(s.NKP)})
    _columns(pack["always"], 1, {0: always})
    _columns(pack["sweep_r"], 1, {0: reaches(m, swept[:, s.K_GEOM])})
    _columns(pack["site_i"], s.NSI, {s.S_BODY: m.site_bodyid, s.S_TYPE: m.site_type})
    _columns(pack["site_v"], s.NSV, {s.S_POS: m.site_pos, s.S_SIZE: m.site_size})
    _columns(pack["site_q"], 1, {0: m.site_quat})


def servo_on_ball(m):
    """Which actuators are position servos of ball joints: force = kp (input - length) - kv velocity + constant."""
    gain, bias = m.actuator_gainprm, m.actuator_biasprm
    servo = (bias[:, 1] == -gain[:, 0]) & (gain[:, 0] != 0) & (gain[:, 1:] == 0).all(axis=1)
    return servo & (m.jnt_type[m.actuator_trnid] == BALL)


def _fill_actuators(pack, m):
    _columns(pack["act_i"], s.NAI, {
        s.A_JNT: m.actuator_trnid, s.A_DYN: m.actuator_dyntype, s.A_ACTADR: m.actuator_actadr,
        s.A_CTRLLIMITED: m.actuator_ctrllimited, s.A_FORCELIMITED: m.actuator_forcelimited,
        s.A_ACTLIMITED: m.actuator_actlimited, s.A_WRAP: servo_on_ball(m),
    })  # fmt: skip
    _columns(pack["act_r"], s.NAR, {
        s.A_TAU: m.actuator_dynprm[:, 0], s.A_CTRLLO: m.actuator_ctrlrange, s.A_FORCELO: m.actuator_forcerange,
        s.A_ACTLO: m.actuator_actrange,
    })  # fmt: skip
    _columns(pack["sensor_i"], s.NNI, {
        s.N_TYPE: m.sensor_type, s.N_OBJTYPE: m.sensor_objtype, s.N_OBJ: m.sensor_objid, s.N_DIM: m.sensor_dim,
        s.N_ADR: m.sensor_adr,
    })  # fmt: skip
    _columns(pack["sensor_r"], 1, {0: m.sensor_cutoff})


def most_worlds(sizes):
    """How many worlds the indices of the kernels reach (math/index.py)."""
    entities = [sizes[n] for n in ("nbody", "nv", "ngeom", "nsite", "nconmax", "nrowmax")]
    numbers = sum(sizes[b.count] * b.width * math.prod(INNER[b.dtype]) for b in s.STATE + s.WORK)
    vectors, matrix = max(sizes["ncolumn"], 1), max(sizes["nh"], 1)
    return min((s.MOST - 1) // max(entities), (2**31 - 1) // numbers, (2**29 - 1) // vectors, (2**30 - 1) // matrix)


def data_pack(model, worlds, nconmax):
    """State and work of `worlds` worlds. Raises ValueError where the kernels' indices do not reach."""
    sizes = sizes_of(model, nconmax)
    if worlds > most_worlds(sizes):
        raise ValueError(f"worlds: got {worlds}, allowed: at most {most_worlds(sizes)} of this model")
    return Pack("data", data_elements(sizes, worlds))


def data_elements(sizes, worlds):
    return {b.name: worlds * sizes[b.count] * b.width for b in s.STATE + s.WORK}


def state_of(pack):
    """All numbers of the state of all worlds as one flat array (with zeros between the buffers)."""
    end = s.STATE[-1].name
    return pack.blocks["real"][: pack.starts[end] + pack[end].size]
