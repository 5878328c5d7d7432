"""Allocation of packs from the schema, conversion of a Model to device buffers, and live NumPy views for people.

Every buffer is a NumPy array that the kernels use in place (memory.py), so a view written by the user is what the next
step reads.
"""

import math

import numpy as np

from engine import schema as s
from engine.compiler.backend import np_real
from engine.compiler.features import features_of
from engine.compiler.memory import LINES, copy, zeros
from engine.model import plastic, sleeping
from engine.model.arms import arm_dofs, arms
from engine.model.bounds import clipped, field_contacts, looked_ahead, most_corners
from engine.model.broad import broad_phase
from engine.model.cameras import followers
from engine.model.constants import BALL, BOX, CAPSULE, CYLINDER, DISCRETE, EQ_WELD, HFIELD, MESH, PGS, PLANE
from engine.model.coordinates import coordinates
from engine.model.delays import clock_times, first_of_sensors, past_of_sensors
from engine.model.elements import KINDS
from engine.model.elements.equality import ties
from engine.model.flows import in_flow
from engine.model.pairs import CLOSED
from engine.model.sensors import apart_pairs
from engine.model.tendons import couples, most_columns, rows, spans, tendon_dofs
from engine.model.trees import hessian_entries, longest_chain, pair_dofs, strays, tree, tree_ids
from engine.model.triangles import ranged, tree_sizes, trees
from engine.parts import RESIDUAL_FRICTION
from engine.theta import (
    BODY_LEAVES,
    CONTACT_LEAVES,
    EQUALITY_LEAVES,
    FIELD_LEAVES,
    FOLLOWING,
    FRICTION_LEAVES,
    INERTIA_LEAVES,
    JOINT_LEAVES,
    LEAVES,
    LIMIT_LEAVES,
    SHAPE_LEAVES,
    SITE_LEAVES,
    TENDON_LEAVES,
    THETA,
)

EXTRA_VERTICES = 13  # of the search between convex shapes: a simplex, features, the first ones of a polytope
PRISM = 7  # corners of a prism and its half lengths (contact/prism.py)
INNER = {"real": (), "int": (), "vec3": (3,), "vec4": (4,)}
REACH = 2**31  # numbers in a block that the kernels' indices reach
TREES = ("mesh_ray", "ray_node", "ray_number")
APART = LINES // 4  # numbers: a buffer begins on cache lines of its own, whatever its type


class Pack:
    """The buffers of one pack, by name: NumPy arrays in two blocks of memory, one of integers and one of real numbers.

    A copy (also by pickle) has blocks of its own with the same numbers; ValueError where the process that unpickles it
    computes in another precision. A kernel binds the blocks; where each buffer begins in its block (`starts`, in
    numbers) is looked up when a launch is bound (launch.py). elements: {buffer: entries}; every buffer has at least
    one. Raises ValueError where a buffer would end beyond what an index reaches.
    """

    owners = 0  # of a model: worlds that have parameters of their own; 0: the worlds share them
    owned = frozenset()  # of a model: buffers of schema.OWN_LEAVES that each of these worlds has for itself, too
    constants = None  # of a model: what follows from parameters of now, {name: array}, once set (parameters.py)
    filled = None  # of a model: the bits of leaves that its other buffers follow, a row a world (leaves.py)

    def __init__(self, name, elements):
        self.name, self.elements = name, elements
        shapes, self.starts, lengths = pack_layout(name, elements)
        if pack_end(name, elements) > REACH:
            raise ValueError(f"{name}: {max(lengths.values()):,} numbers in one pack, allowed: some {REACH:,}")
        self.blocks = {kind: zeros(n, block_type(kind), constant=name == "model") for kind, n in lengths.items()}
        self.table = None  # of where buffers begin, in the block of integers of packs that are joined
        self._name_buffers(shapes)

    def _name_buffers(self, shapes):
        self.buffers = {}
        for b in s.PACKS[self.name]:
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

    @property
    def strides(self):
        """Of a model: numbers from what a world owns to that of the next, of each such buffer."""
        found = {name: len(self[name]) // self.owners if self.owners else 0 for name in s.STRIDES}
        return found | {n: self[n].size // self.owners if n in self.owned else 0 for n in s.OWN_LEAVES}


def join(packs):
    """Move packs into two blocks of memory that they share, the table of where buffers begin at the head of the
    integers: a kernel of them takes two arrays, which makes its launch shorter by 0.5 us for each that it does not
    take. What views of their buffers showed stays behind."""
    table = -(-len(s.NUMBERS) // APART) * APART
    for kind, first in (("int", table), ("real", 0)):
        ends = first + np.cumsum([len(p.blocks[kind]) for p in packs])
        if ends[-1] > REACH:
            raise ValueError(f"{ends[-1]:,} numbers in joined packs, allowed: some {REACH:,}")
        memory = zeros(ends[-1], block_type(kind))
        for p, end in zip(packs, ends, strict=True):
            at = int(end) - len(p.blocks[kind])
            copy(memory[at:end], p.blocks[kind])
            p.blocks[kind] = memory
            p.starts |= {b.name: p.starts[b.name] + at for b in s.PACKS[p.name] if s.kind_of(b) == kind}
    for p in packs:
        p.table = p.blocks["int"][: len(s.NUMBERS)]
        p._name_buffers(pack_layout(p.name, p.elements)[0])


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


def sizes_of(model, nconmax, leaves=()):
    """The counts that the schema's symbols stand for. leaves: further parameters (engine/leaves.py)."""
    columns, entries = tree(model)
    coupled = coupled_dofs(model)
    chain = max(longest_chain(columns, coupled), most_columns(model), *map(len, metric_arms(model)), 0)
    swept, partners, always = broad_phase(model)
    features = features_of(model)
    convex, rolling, implicit = ("convex" in features), ("rolling" in features), ("implicit" in features)
    discrete, exact = "discrete" in features, "diagexact" in features
    plastic_robot = "plastic" in features
    moulded = int(any(p.name in leaves for p in FIELD_LEAVES))
    resting = model.ntendon * plastic_robot
    ntree = ranked_trees(model) if "long" in features else 0
    slipless, narm, nflow = "noslip" in features, len(arms(model)[0]), int(in_flow(model).sum())
    stages = 4 * (2 * model.nv + model.na) + model.nq + model.nv + model.na
    alone = bool({"spatial", "gravcomp", "lone"} & features)  # what has adjoints that go to q by themselves
    traced = ranged(model)  # meshes that have trees
    node, number = tree_sizes(model, traced)
    taken = alone and any(p.name in leaves for p in BODY_LEAVES + JOINT_LEAVES)
    return {
        "one": 1, "nbody": model.nbody, "njnt": model.njnt, "nq": model.nq, "nv": model.nv, "nu": model.nu,
        "ncoord": len(coordinates(model)),
        "na": model.na, "ngeom": model.ngeom, "npair": model.npair, "nown": model.nown, "neq": model.neq,
        "nmocap": model.nmocap, "nsite": model.nsite, "nsensor": model.nsensor, "ntendon": model.ntendon,
        "nwrap": model.nwrap, "nJten": len(rows(model)[2]), "nspan": sum(map(len, spans(model))),
        "ncouple": len(couples(model)[0]),
        "nsensordata": model.nsensordata, "nm": entries, "nh": hessian_entries(model, columns, coupled),
        "ntree": ntree, "nlink": ntree * ntree, "stray": int(strays(model)),
        "nlone": 6 * model.nv if "lone" in features else 0, "nfluid": model.nbody if "fluid" in features else 0,
        "nflow": nflow, "nflowslope": 12 * nflow,
        "nflowbody": model.nbody if nflow else 0, "nflowcolumn": 6 * model.nbody if nflow else 0,
        "nfull": entries * implicit, "nslope": model.nbody * implicit, "nslopedof": model.nv * implicit,
        "nsimple": model.nbody if "fluid" in features and discrete else 0,
        "nmetric": discrete * model.nv, "nmetrictendon": discrete * model.ntendon,
        "nmetriccon": discrete * nconmax, "ndiagcon": max(discrete, exact) * nconmax,
        "ndiagcolumn": max(discrete, exact) * nconmax * chain,
        "nmetricrow": discrete * (model.nv + 2 * model.njnt),
        "nservo": discrete * model.nu, "naxis": max(discrete, exact, narm > 0) * model.nv,
        "nbackbone": ("backbone" in features) * entries, "nexactM": exact * entries,
        "nlisted": model.npair + len(apart_pairs(model)[0]), "nconmax": nconmax,
        "nchain": chain, "ncolumn": nconmax * chain,
        **{n: getattr(model, n) for n in ("nmesh", "nhullvert", "nhulledge", "nhullface", "nface", "nfacevert",
                                    "nhfield", "nhfielddata")},
        "nraymesh": len(model.mesh_vert) * (len(traced) > 0), "nraynode": node, "nraynumber": number,
        **residual_sizes(model),
        "nrolling": rolling * nconmax, "nrollingcolumn": rolling * nconmax * chain, "nline": int(rolling),
        "nlens": model.nsensor if {"image_sensor", "range_camera"} & set(features) else 0,
        "ncam": len(followers(model)),
        **sleep_sizes(model, "sleep" in features),
        "nlate": model.nsensordata if "sensor_delay" in features else 0, "nlatetime": clock_times(model),
        "latefirst": first_of_sensors(model), "lateend": first_of_sensors(model) + past_of_sensors(model),
        "ndelay": model.nu if "delay" in features else 0,
        "nrest": plastic.count(model), "nrestjoint": model.njnt * plastic_robot, "nresttendon": resting,
        "nrestJ": len(rows(model)[2]) * (resting > 0 and "rk4" in features), "nrestlinear": resting * model.nv,
        "nturn": model.nu if "turns" in features else 0,
        "npid": model.nu if "pid" in features else 0, "npidbar": model.na if {"pid", "dcmotor"} & features else 0,
        "nmotorstate": model.na if "dcmotor" in features else 0,
        "nmotor": model.nu if "dcmotor" in features else 0,
        "nso3": model.nu if "so3" in features else 0,
        "nmuscle": model.nu if "muscle" in features else 0,
        "narm": narm, "narmsite": 2 * narm, "narmrow": narm * model.nv, "narmdof": (narm > 0) * model.nv,
        "nslip": int(slipless), "nslipping": slipless * nconmax, "nisland": slipless * model.nv,
        "nboxed": model.ngeom * convex, "nclip": 24 if "box_box" in features else 0,
        "nccd": int(convex), "nccdvert": convex * (EXTRA_VERTICES + model.opt.ccd_iterations),
        "nccdface": convex * 6 * model.opt.ccd_iterations,
        "nprism": PRISM if "hfield" in features else 0,
        "nnetted": 6 * nconmax if "hfield" in features else 0,
        "npoly": 6 * most_corners(model), "nccdside": 2 * convex,
        "nsweep": len(swept), "npartner": len(partners), "nalways": len(always),
        "nnear": (model.npair + 15) // 16 if len(swept) else 0,
        "nmatch": nconmax if "contact_sensor" in features else 0,
        "nrowmax": model.nv + 2 * model.njnt, "nstage": stages if model.opt.integrator == 1 else 0,
        "nplace": int(model.npair > 0 or "distance_search" in features),
        "nshapeleaf": int(any(p.name in leaves for p in SHAPE_LEAVES)), "nfieldleaf": moulded,
        "nframeleaf": int(any(p.name in leaves for p in SHAPE_LEAVES + SITE_LEAVES + INERTIA_LEAVES)),
        "nfieldcon": moulded * nconmax, "ntaken": taken * model.nbody, "ntakendof": taken * model.nv,
        "ntheta": theta_layout(model, leaves)[1], "nfollowing": theta_layout(model, table=FOLLOWING)[1],
        "ld": (model.nv + 3) // 4 * 4,
    }  # fmt: skip


def sleep_sizes(model, on):
    """Of trees that may sleep: none where nothing does."""
    sizes = {"body": model.nbody, "qpos": model.nq, "dof": model.nv, "tendon": model.ntendon, "eq": model.neq,
             "sensor": model.nsensor, "tree": len(sleeping.first_bodies(model)) if on else 0}  # fmt: skip
    return {f"nsleep{name}": on * n for name, n in sizes.items()} | {
        "nslept": int(on), "sleepfirst": sleeping.first(model) if on else 0
    }  # fmt: skip


def residual_sizes(model):
    """Of residuals: of each at a time the forces and what it computes with, and their adjoints with that of qpos."""
    laws = model.residual_kind == RESIDUAL_FRICTION
    work = int(np.max((model.residual_num + model.residual_scratch)[~laws], initial=0))
    return {"nresidual": model.nresidual, "nresidualint": model.nresidualint, "nresidualwork": work,
            "nresidualbar": work + model.nq if work else 0, "nrub": model.nv if laws.any() else 0}  # fmt: skip


def ranked_trees(model):
    """The kinematic trees of which some order is better than another to eliminate them: none where there is one alone,
    or where dofs of one stand between those of another."""
    ids = tree_ids(model)
    n = int(ids.max(initial=-1)) + 1
    return n if n > 1 and (np.diff(ids) >= 0).all() else 0


def theta_layout(model, leaves=(), table=THETA):
    """Where each parameter group begins in theta, {name: (start, shape)}, and the total length. leaves: names of those
    of theta.LEAVES that are there. table: THETA, or FOLLOWING for the vector of what follows."""
    count = {"gravity": 1, "body": model.nbody, "dof": model.nv, "jnt": model.njnt, "actuator": model.nu,
             "geom": model.ngeom, "pair": model.nown, "tendon": model.ntendon, "wrap": model.nwrap,
             "residual": model.nresidualprm, "site": model.nsite, "eq": model.neq, "hfield": model.nhfield,
             "hfield_data": model.nhfielddata}  # fmt: skip
    layout, at = {}, 0
    for p in table + tuple(p for p in LEAVES if p.name in leaves):
        n = count.get(p.name, count[p.name.split("_")[0]])
        layout[p.name] = (at, (p.width,) if p.name == "gravity" else (n, p.width) if p.width > 1 else (n,))
        at += n * p.width
    return layout, at


def parameter(model, name):
    """A differentiable parameter of the model, as the Model holds it."""
    return model.opt.gravity if name == "gravity" else getattr(model, name)


CROWD = 16  # contacts with others than planes that a geom makes on average in no heap


def default_contacts(model):
    """Contacts that a world has room for by default: all that can be or, where pairs are so many that they are swept,
    those with planes and CROWD for each geom, so that memory grows with the geoms and not with their square."""
    most = contact_capacity(model)
    swept, _, always = broad_phase(model)
    if len(swept):
        others = np.delete(pair_contacts(model), always).sum()
        most -= max(int(others) - CROWD * len(swept), 0)
    return most


def contact_capacity(model):
    """Contacts that the candidate pairs can make at most, and the blocks of others."""
    return int(pair_contacts(model).sum()) + other_blocks(model)


def other_blocks(model):
    """Blocks of constraints that are no contacts, at most: limited ball joints, equalities, and of each tendon two
    limits and dry friction, of which there may be some later; with the integrator discrete also what springs and servos
    on tendons and actuators with arms add to the solver's metric."""
    welds = sum(int(tie["kind"] == EQ_WELD) for tie in ties(model))
    balls = int(np.sum((model.jnt_type == BALL) & model.jnt_limited))
    pulled = model.ntendon * (model.opt.integrator == DISCRETE) + len(metric_arms(model))
    return balls + len(ties(model)) + welds + model.ntendon + 2 * int(np.sum(model.tendon_limited)) + pulled


def coupled_dofs(model):
    """The deepest dofs that move the two sides of each candidate pair and each tie, -1 for the world's: (2, n). Of a
    tendon or an arm, its deepest dof with each of the others."""
    tied = [(tie["last1"], tie["last2"]) for tie in ties(model)]
    tied += [(dofs[-1], dof) for dofs in (*tendon_dofs(model), *metric_arms(model)) for dof in dofs[:-1]]
    return np.concatenate([pair_dofs(model), np.array(tied, int).reshape(-1, 2).T], axis=1)


def metric_arms(model):
    """Of each actuator that may have a block of the metric of the integrator discrete its dofs."""
    return arm_dofs(model) if model.opt.integrator == DISCRETE else []


# contacts with a plane before an impact (contact/speculative.py)
_AHEAD = {CAPSULE: 2, CYLINDER: 4, BOX: 4, MESH: 4}


def pair_contacts(model):
    """Contacts that each candidate pair can make at most, (npair,)."""
    type1, type2 = model.geom_type[model.pair_geom1], model.geom_type[model.pair_geom2]
    most = np.ones(len(type1), int)
    for (one, other), number in CLOSED.items():
        most[(type1 == one) & (type2 == other)] = number
    if model.opt.multiccd:
        most[clipped(model)] = np.where(type1 == CAPSULE, 2, 4)[clipped(model)]
    ahead = looked_ahead(model)
    several = np.array([_AHEAD.get(int(kind), 1) for kind in type2], int)
    most[ahead] = np.maximum(most, np.where(type1 == PLANE, several, most))[ahead]
    return np.where(type1 == HFIELD, field_contacts(model), most)


def model_pack(model, nconmax, features, leaves=(), owners=0, owned=()):
    """Device buffers of a Model. features: those that its kernels are compiled for. leaves: parameters that it has
    beyond those of THETA. owners: worlds that have parameters of their own, one after the other; 0: all share one set.
    owned: buffers of schema.OWN_LEAVES that these have of their own, too.
    """
    sizes = sizes_of(model, nconmax, leaves)
    elements = {b.name: sizes[b.count] * b.width for b in s.MODEL}
    elements |= {name: elements[name] * max(owners, 1) for name in s.STRIDES}
    pack = Pack("model", elements | {name: max(elements[name], 1) * owners for name in owned})
    pack.owners, pack.owned = owners, frozenset(owned)
    _fill_dims(pack, model, sizes, leaves)
    opt = model.opt
    discrete = opt.integrator == DISCRETE
    pack["opt"][:] = (
        opt.timestep, opt.impratio, 1e-2 * opt.tolerance, opt.refsafe and not discrete, *opt.magnetic,
        opt.ccd_tolerance, opt.density, opt.viscosity, *opt.wind, opt.noslip_tolerance, opt.refsafe and discrete,
        opt.sleep_tolerance,
    )  # fmt: skip
    for name, (at, shape) in theta_layout(model, leaves)[0].items():
        value = parameter(model, name)
        if np.size(value):
            pack["theta"].reshape(-1, sizes["ntheta"])[:, at : at + int(np.prod(shape))] = np.ravel(value)
    pack.features, pack.leaves, pack.own = features, leaves, model.own_residual
    fill_columns(pack, model, derived_columns(model))
    fill_following(pack, model)
    _fill_trees(pack, model, sizes)
    return pack


def derived_columns(model):
    """What the kernels read that is no array of the Model, {column: values}."""
    return {name: values for kind in KINDS for name, values in kind.device(model).items()}


def fill_columns(pack, model, derived, names=None, world=None):
    """Write the columns of these names, or all, as they are derived (`derived`) or a Model has them.

    world: the one whose leaves these are, where each has its own; None: all. What no world has of its own then says
    what any of them needs: that a frame is turned, that no two geoms are alike."""
    for b in s.MODEL:
        if b.name not in ("dims", "opt", *s.STRIDES, *TREES):
            for column in b.columns.values():
                if names is None or column.name in names:
                    values = derived[column.name] if column.name in derived else getattr(model, column.name)
                    array = pack[b.name]
                    if b.name in pack.owned:
                        rows = array.reshape(pack.owners, -1, *array.shape[1:])
                        for row in rows if world is None else rows[world : world + 1]:
                            _fill(row, b, column, values)
                        continue
                    if world is not None:
                        if b.dtype != "int":
                            continue  # no leaf of a world's own changes it
                        values = _of_any(array, b, column, values)
                    _fill(array, b, column, values)


def _of_any(array, buffer, column, values):
    """A column that all worlds share, from what it is and what one of them needs."""
    if column.name == "geom_alike":
        return np.arange(len(values))
    before = array[: len(values) * buffer.width].reshape(len(values), buffer.width)
    return np.maximum(before[:, column.start], np.asarray(values, array.dtype))


def fill_following(pack, model, world=None):
    """Write what follows from parameters, as a Model has it, in all worlds or in one."""
    made = derived_columns(model)
    layout, n = theta_layout(model, table=FOLLOWING)
    rows = pack["following"][: n * max(pack.owners, 1)].reshape(-1, n)
    for name, (at, shape) in layout.items():
        values = made[name] if name in made else getattr(model, name)
        rows[slice(None) if world is None else world, at : at + int(np.prod(shape))] = values


def _fill_dims(pack, model, sizes, leaves):
    layout, n = theta_layout(model, leaves)
    following = theta_layout(model, table=FOLLOWING)[0]
    opt = model.opt
    values = {
        **sizes, "integrator": opt.integrator, "cone": opt.cone, "iterations": opt.iterations,
        "ls_iterations": opt.ls_iterations, "eulerdamp": opt.eulerdamp, "ntheta": n,
        "ccd_iterations": opt.ccd_iterations, "multiccd": opt.multiccd, "noslip_iterations": opt.noslip_iterations,
        "noslip_apart": opt.island, "diagexact": opt.diagexact,
        "speculative": opt.speculative,
        "bare_metric": opt.integrator == DISCRETE and opt.solver == PGS,
        **{p.offset: layout.get(p.name, (-1,))[0] for p in THETA + LEAVES},
        **{p.offset: following[p.name][0] for p in FOLLOWING},
        "nbodyleaf": sum(p.name in leaves for p in BODY_LEAVES),
        "ncontactleaf": sum(p.name in leaves for p in CONTACT_LEAVES),
        "nlimitleaf": sum(p.name in leaves for p in LIMIT_LEAVES),
        "ninertialeaf": sum(p.name in leaves for p in INERTIA_LEAVES),
        "nfrictionleaf": sum(p.name in leaves for p in FRICTION_LEAVES),
        "ntendonleaf": sum(p.name in leaves for p in TENDON_LEAVES),
        "nequalityleaf": sum(p.name in leaves for p in EQUALITY_LEAVES),
        "nsiteleaf": sum(p.name in leaves for p in SITE_LEAVES),
        "njointleaf": sum(p.name in leaves for p in JOINT_LEAVES),
    }  # fmt: skip
    for name, column in s.PLACES["m", "dims"].columns.items():
        pack["dims"][column.start] = values[name]


def _fill_trees(pack, model, sizes):
    """Write the trees of meshes, which no column of a kind of element is, since whatever asks for one asks for all."""
    if sizes["nraymesh"]:
        node, number, ends = trees(model, ranged(model))
        pack["ray_node"][:], pack["ray_number"][:], pack["mesh_ray"][:] = node, number, ends.ravel()


def _fill(array, buffer, column, values):
    """Write an entity-major buffer's column, of an element or several for each entity."""
    table = array[: len(values) * buffer.width].reshape(-1, buffer.width, *array.shape[1:])
    values = np.reshape(values, (len(values), column.size, *array.shape[1:]))
    table[:, column.start : column.start + column.size] = values


def most_worlds(sizes):
    """How many worlds the indices of the kernels reach (math/index.py)."""
    entities = [sizes[n] for n in ("nbody", "nv", "ngeom", "nsite", "nconmax", "nrowmax", "nccdface")]
    numbers = sum(sizes[b.count] * b.width * math.prod(INNER[b.dtype]) for b in s.STATE + s.WORK)
    vectors, matrix = max(sizes["ncolumn"], 1), max(sizes["nh"], 1)
    return min((s.MOST - 1) // max(entities), (2**31 - 1) // numbers, (2**29 - 1) // vectors, (2**30 - 1) // matrix)


def data_pack(model, worlds, nconmax, leaves=()):
    """State and work of `worlds` worlds. Raises ValueError where the kernels' indices do not reach."""
    sizes = sizes_of(model, nconmax, leaves)
    if worlds > most_worlds(sizes):
        raise ValueError(f"worlds: got {worlds}, allowed: at most {most_worlds(sizes)} of this model")
    return Pack("data", data_elements(sizes, worlds))


def data_elements(sizes, worlds):
    return {b.name: worlds * sizes[b.count] * b.width for b in s.STATE + s.WORK}


def state_of(pack):
    """All numbers of the state of all worlds as one flat array (with zeros between the buffers)."""
    end = s.STATE[-1].name
    return pack.blocks["real"][pack.starts[s.STATE[0].name] : pack.starts[end] + pack[end].size]
