"""Rays of all worlds of a simulator at given states: its shapes for the kernels of casting.py, and the way back from
shapes to coordinates, parameters and the frame that the rays stand in."""

import numpy as np

from engine.compiler.memory import zeros
from engine.leaves import FIELD
from engine.model.constants import HFIELD, MESH, SDF
from engine.model.coordinates import quat_gradient, tangent_along, tangent_to_qpos
from engine.model.triangles import trees
from engine.named import rotation
from engine.rays.layout import FACE, GEOM_BAR, KINDS, POSE, RAY, SEEN, TWIST
from engine.simulator import Simulator

PARAMETERS = ("geom_size", "geom_pos", "geom_quat")
MOCAP = ("mocap_pos", "mocap_quat")
MOST = (2**31 - 1) // RAY  # rays, whose numbers the kernels count with 32 bits
PARALLEL_FROM = 4096  # rays of a launch for which threads are woken


def seen_geoms(model, soft=False):
    """Whether rays see each geom, (ngeom,): what is not quite transparent, and is a primitive shape, a height field or
    a mesh; rays of `soft` shapes see meshes whose hull has faces."""
    seen = (model.geom_type != SDF) & (model.geom_rgba[:, 3] > 0)
    if soft:
        seen &= (model.geom_type != MESH) | (np.diff(hull_faces(model)[1], axis=1)[:, 0] > 0)
    return seen


def hull_faces(model):
    """(planes (n, 4): normal and how far out it lies; first and end of each geom's (ngeom, 2)). Of a hull all faces."""
    ends = np.zeros((model.ngeom, 2), int)
    if not model.nmesh:
        return np.zeros((1, FACE)), ends
    owner = model.face_vert[np.r_[0, model.face_vertend[:-1]]] if model.nface else np.zeros(0, int)
    offset = np.einsum("fi,fi->f", model.face_normal, model.hull_vert[owner])
    for g in np.flatnonzero(model.geom_type == MESH):
        low = model.mesh_hulladr[model.geom_dataid[g]]
        of = np.flatnonzero((owner >= low) & (owner < low + model.mesh_hullnum[model.geom_dataid[g]]))
        if of.size:
            ends[g] = of[0], of[-1] + 1
    return np.column_stack([model.face_normal, offset]), ends


def field_rows(model, before):
    """(rows (n, 4), first of each geom (ngeom,)) that tell of height fields behind `before` other rows: half lengths,
    height and that of the base; numbers of rows and columns; elevations, row by row."""
    rows, first = [np.zeros((0, FACE))], np.zeros(model.ngeom, int)
    for g in np.flatnonzero(model.geom_type == HFIELD):
        k = model.geom_dataid[g]
        count = model.hfield_nrow[k] * model.hfield_ncol[k]
        numbers = np.zeros(2 * FACE + -(-count // FACE) * FACE)
        numbers[:4], numbers[4:6] = model.hfield_size[k], (model.hfield_nrow[k], model.hfield_ncol[k])
        numbers[8 : 8 + count] = model.hfield_data[model.hfield_adr[k] : model.hfield_adr[k] + count]
        first[g] = before + sum(map(len, rows))
        rows.append(numbers.reshape(-1, FACE))
    return np.concatenate(rows), first


def laid_out(sim, geoms, soft):
    """(integers, numbers, features) that tell the kernels of shapes: of each geom KINDS, then the boxes of meshes; the
    faces of hulls, by which `soft` rays see meshes, or their triangles, and height fields."""
    m = sim.model
    planes, ends = hull_faces(m) if soft > 0 else (np.zeros((1, FACE)), np.zeros((m.ngeom, 2), int))
    fields, first = field_rows(m, len(planes))
    numbers, nodes = np.concatenate([planes, fields]).ravel(), np.zeros(0, int)
    ends[:, 0] += first
    features = {"field_range"} if len(fields) else set()
    meshes = (m.geom_type == MESH) & geoms
    if soft == 0 and meshes.any():
        which = tuple(np.unique(m.geom_dataid[meshes]).tolist())
        kept = sim.__dict__.setdefault("_trees", {})  # at the same places for all casters that see these
        if which not in kept:
            kept.clear()
            kept[which] = trees(m, which, KINDS * m.ngeom, numbers.size)
        nodes, triangles, trunks = kept[which]
        ends[meshes], numbers = trunks[m.geom_dataid[meshes]], np.concatenate([numbers, triangles])
        features.add("mesh_range")
    kinds = np.column_stack([m.geom_type, ends, geoms])
    assert kinds.shape[1] == KINDS
    return np.concatenate([kinds.ravel(), nodes]), numbers, frozenset(features)


class Caster:
    """`nray` rays in each of `rows` states of all worlds of `sim`. geoms: which of them are seen, booleans (ngeom,).
    soft, far: casting.py. Below, n is rows times worlds.

    `place(...)` puts the simulator's shapes where a state has them, `cast(rays)` follows rays, `pull(bar)` goes back
    from what the last cast told to `geom_bar` and `ray_bar`, `coordinates()` from there to qpos.
    """

    def __init__(self, sim, nray, geoms, soft=0.0, far=0.0, rows=1):
        from engine.compiler.launch import BoundKernel  # kernels have the precision that `engine.init` decides on
        from engine.compiler.session import defining, worker_threads

        with defining():
            from engine.rays.casting import CAST, PULL, PUSH

        m, n = sim.model, rows * sim.worlds
        if n * max(nray * RAY, m.ngeom * POSE) >= 2**31:
            raise ValueError(f"rays: got {nray} in each of {n} states, allowed: together up to {MOST}")
        asked = [name for name in sim.leaves if name in FIELD]
        if asked and (m.geom_type == HFIELD).any():
            raise ValueError(f"rays: got the leaf {asked[0]}, by which rays have no gradient; allowed: none of {FIELD}")
        self.sim, self.rows, self.nray, self.shapes = sim, rows, nray, (n, m.ngeom)
        real = sim.pack["body"].dtype
        kinds, planes, features = laid_out(sim, geoms, soft)
        self._pose, self._rays = zeros(n * m.ngeom * POSE, real), zeros(n * nray * RAY, real)
        self._seen, self._bar = (zeros(n * nray * SEEN, real) for _ in range(2))
        self._which = zeros(n * nray, np.int32)
        self._geom_bar, self._ray_bar = zeros(n * m.ngeom * GEOM_BAR, real), zeros(self._rays.shape, real)
        how = zeros(2, real)
        how[:] = soft, far
        faces, numbers = zeros(planes.size, real), zeros(kinds.size, np.int32)
        faces[:], numbers[:] = planes, kinds
        shapes = [numbers, faces, self._pose, self._rays, how]
        many = sim.form != "serial" and n > 1 and n * nray >= PARALLEL_FROM and worker_threads()
        form = "parallel" if many or sim.form == "device" else "serial"
        self._cast = BoundKernel(CAST[form], [], 3, [*shapes, self._seen, self._which], features)
        self._pull = BoundKernel(PULL[form], [], 3, [*shapes, self._bar, self._geom_bar, self._ray_bar], features)
        self._push_kernel = PUSH[form], shapes, features
        self._pushes = {}  # by the number of tangents
        self._placed = None
        # beside the simulator's own, whose results stay
        self._beside = Simulator(m, n, sim.ncon_max, sim.features, sim.leaves, sim.own_params)

    def place(self, state):
        """Evaluate `state`, {name: (n, ...)} of qpos and the mocap bodies' poses, at rest; with the parameters of now.
        Raises DivergenceError where it is none."""
        beside, sim = self._beside, self.sim
        for name in sim.params:
            value = sim.params[name]
            repeated = (self.rows, *[1] * (value.ndim - 1))
            beside.params[name][...] = np.tile(value, repeated) if sim.own_params else value
        beside.reset(state["qpos"])
        for name in MOCAP:
            if name in state:
                getattr(beside.data, name)[...] = state[name]
        beside.forward()
        d, m = beside.data, sim.model
        body = m.geom_bodyid
        self.frames = rotation(d.xquat)
        pos, quat, size = (self.parameter(name) for name in ("geom_pos", "geom_quat", "geom_size"))
        pose = self._pose.reshape(*self.shapes, POSE)
        pose[..., :3] = d.xpos[:, body] + np.einsum("wgij,wgj->wgi", self.frames[:, body], pos)
        pose[..., 3:7] = product(d.xquat[:, body], quat / np.linalg.norm(quat, axis=-1, keepdims=True))
        pose[..., 7:] = size
        self._placed = self._asked(state)

    def stands(self, state):
        """Whether the last place was this state, with the parameters of now."""
        return self._placed == self._asked(state)

    def _asked(self, state):
        """All that decides a place, as bytes."""
        parts = [self.sim.model_pack["theta"], *(state[name] for name in ("qpos", *MOCAP) if name in state)]
        parts += [self.parameter(name) for name in (*PARAMETERS, "site_pos", "site_quat")]  # also a model's
        return [np.asarray(part).tobytes() for part in parts]

    def parameter(self, name):
        """Of each state or of all, (n or 1, ngeom, numbers): a simulator's where it has it, else the model's."""
        value = self.sim.params[name] if name in self.sim.params else getattr(self.sim.model, name)
        return np.tile(value, (self.rows, 1, 1)) if value.ndim == 3 else value[None]

    @property
    def data(self):
        """Views of what `place` has evaluated."""
        return self._beside.data

    def cast(self, points, directions):
        """(distance (n, nray), share that is hit, geom or -1) of rays (n, nray, 3)."""
        rays = self._rays.reshape(self.shapes[0], self.nray, RAY)
        rays[..., :3], rays[..., 3:] = points, directions
        self._cast.launch(*self.shapes, self.nray)
        seen = self._seen.reshape(self.shapes[0], self.nray, SEEN)
        return seen[..., 0].copy(), seen[..., 1].copy(), self._which.reshape(self.shapes[0], self.nray).copy()

    def pull(self, distance_bar, share_bar=0.0):
        """(force, torque about the geom's centre, sizes' adjoint: (n, ngeom, 3) each; adjoints of points and
        directions (n, nray, 3)) of the last rays, at the last place."""
        bar = self._bar.reshape(self.shapes[0], self.nray, SEEN)
        bar[..., 0], bar[..., 1] = distance_bar, share_bar
        self._geom_bar[:], self._ray_bar[:] = 0, 0
        self._pull.launch(*self.shapes, self.nray)
        geom = self._geom_bar.reshape(*self.shapes, 3, 3)
        ray = self._ray_bar.reshape(self.shapes[0], self.nray, 2, 3)
        return geom[:, :, 0], geom[:, :, 1], geom[:, :, 2], ray[:, :, 0].copy(), ray[:, :, 1].copy()

    def push(self, twist, points_dot, directions_dot):
        """(distance, share), (k, n, nray) each: how fast what the last rays tell moves with the geoms' `twist` (k, n,
        ngeom, 6), as `twists` has it, and with the rays, for each of k tangents."""
        k, (n, ngeom) = len(twist), self.shapes
        most = max((2**31 - 1) // (n * max(self.nray * RAY, ngeom * TWIST)), 1)
        if k > most:
            given = twist, points_dot, directions_dot
            parts = [self.push(*(a[i : i + most] for a in given)) for i in range(0, k, most)]
            return tuple(np.concatenate(pair) for pair in zip(*parts, strict=True))
        if k not in self._pushes:
            self._pushes.clear()
            self._pushes[k] = self._pushing(k)
        kernel, twists, rays, dot = self._pushes[k]
        twists.reshape(k, n, ngeom, TWIST)[...] = twist
        rays = rays.reshape(k, n, self.nray, RAY)
        rays[..., :3], rays[..., 3:] = points_dot, directions_dot
        kernel.launch(n, ngeom, self.nray, k)
        dot = dot.reshape(k, n, self.nray, SEEN)
        return dot[..., 0].copy(), dot[..., 1].copy()

    def _pushing(self, k):
        """The kernel for k tangents, bound to the arrays that it reads and writes."""
        from engine.compiler.launch import BoundKernel

        (n, ngeom), real = self.shapes, self._pose.dtype
        kernel, shapes, features = self._push_kernel
        arrays = [zeros(k * n * size, real) for size in (ngeom * TWIST, self.nray * RAY, self.nray * SEEN)]
        return BoundKernel(kernel, [], 4, [*shapes, *arrays], features), *arrays

    def twists(self, qpos_dot):
        """Of each d(qpos) (k, n, nq): angular velocity and velocity of each body's frame (k, n, nbody, 6), and of each
        geom's centre (k, n, ngeom, 6)."""
        m, d = self.sim.model, self.data
        speed = np.stack([tangent_along(m, d.qpos, dot) for dot in qpos_dot])
        about = np.zeros((*speed.shape[:2], m.nbody, 6))  # of the place of the tree's root, as if it moved along
        motion = np.concatenate([d.dof_ang, d.dof_lin], axis=-1) * speed[..., None]
        for b in range(1, m.nbody):
            own = slice(m.body_dofadr[b], m.body_dofadr[b] + m.body_dofnum[b])
            above = about[..., m.body_parentid[b], :] * bool(m.body_parentid[b])
            about[..., b, :] = above + motion[..., own, :].sum(axis=-2)
        bodies, of = about.copy(), m.geom_bodyid
        bodies[..., 3:] += np.cross(about[..., :3], d.xpos - d.xpos[:, m.body_rootid])
        geoms = bodies[..., of, :].copy()
        place = self._pose.reshape(*self.shapes, POSE)[..., :3]
        geoms[..., 3:] += np.cross(geoms[..., :3], place - d.xpos[:, of])
        return bodies, geoms

    def gradients(self, force, torque, size_bar, camera=None):
        """{name: adjoint} of qpos (n, nq), the mocap bodies' poses (n, nmocap, ...) and, for each state, of
        the geoms' sizes and frames, from wrenches on geoms about their centres. camera: (body, point (n, 3), force
        on it, torque about it) of a frame that rays stand in."""
        m, d, body = self.sim.model, self.data, self.sim.model.geom_bodyid
        place = self._pose.reshape(*self.shapes, POSE)[..., :3]
        found = {"geom_size": size_bar.copy(), "geom_pos": np.einsum("wgji,wgj->wgi", self.frames[:, body], force)}
        turn = rotation(self._pose.reshape(*self.shapes, POSE)[..., 3:7])
        quat = np.broadcast_to(self.parameter("geom_quat"), (*self.shapes, 4))
        found["geom_quat"] = quat_gradient(quat, np.einsum("wgji,wgj->wgi", turn, torque))
        loads = np.zeros((2, self.shapes[0], m.nbody, 3))  # forces, and torques about the place of the tree's root
        wrenches = [(body, place, force, torque)]
        if camera is not None:
            wrenches.append((np.array([camera[0]]), *(x[:, None] for x in camera[1:])))
        for of, at, f, t in wrenches:
            about = t + np.cross(at - d.xpos[:, m.body_rootid[of]], f)
            for k, load in enumerate((f, about)):
                np.add.at(loads[k], (slice(None), of), load)
        for b in range(m.nbody - 1, 0, -1):
            if m.body_parentid[b] > 0:
                loads[:, :, m.body_parentid[b]] += loads[:, :, b]
        lin, ang = loads[:, :, m.dof_bodyid]
        bar = (d.dof_lin * lin + d.dof_ang * ang).sum(axis=-1)
        found["qpos"] = tangent_to_qpos(m, d.qpos, bar)
        mocap = np.flatnonzero(m.body_mocapid >= 0)
        mocap = mocap[np.argsort(m.body_mocapid[mocap])]
        found["mocap_pos"] = loads[0][:, mocap]
        own = np.einsum("wbji,wbj->wbi", self.frames[:, mocap], loads[1][:, mocap])
        found["mocap_quat"] = quat_gradient(d.mocap_quat, own) if len(mocap) else np.zeros((self.shapes[0], 0, 4))
        return found


def product(p, q):
    """Hamilton product of quaternions (..., 4)."""
    p, q = np.broadcast_arrays(p, q)
    w = p[..., :1] * q[..., :1] - (p[..., 1:] * q[..., 1:]).sum(axis=-1, keepdims=True)
    return np.concatenate([w, p[..., :1] * q[..., 1:] + q[..., :1] * p[..., 1:] + np.cross(p[..., 1:], q[..., 1:])], -1)
