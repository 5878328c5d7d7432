"""A depth camera on a site, and rays that are asked for, with gradients."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from engine.finite import require_finite
from engine.model.constants import CAM_TRACK
from engine.model.coordinates import quat_gradient
from engine.named import rotation
from engine.rays.caster import MOCAP, MOST, PARAMETERS, Caster, product, seen_geoms
from engine.simulator import Simulator
from engine.words import required


class Gradients(NamedTuple):
    """Of a loss on what rays tell. qpos (..., worlds, nq), mocap_pos (..., worlds, nmocap, 3), mocap_quat: cotangents
    of the states, as `Tape.backward` takes them. model: {name: gradient} of geom_size, geom_pos, geom_quat, of a camera
    also site_pos, site_quat: summed over states and worlds, or worlds first where these have parameters of their own.
    """

    qpos: np.ndarray
    mocap_pos: np.ndarray
    mocap_quat: np.ndarray
    model: dict


@dataclass
class Image:
    """depth (..., worlds, height, width), m: along the camera's axis, `far` where there is nothing. hit, the same
    shape: whether a ray meets anything. coverage: the share of a pixel's light that ends in a shape, of a soft camera
    less than one at silhouettes. geom: the number of the first one, or -1; of several rays in a pixel the largest."""

    depth: np.ndarray
    hit: np.ndarray
    coverage: np.ndarray
    geom: np.ndarray
    states: dict

    def __repr__(self):
        return f"<Image {self.depth.shape}: {self.hit.mean():.0%} of the pixels meet something>"


class Depth:
    """A depth camera at a site of a simulator's robot, in all its worlds.

    It looks along the site's -z axis, y is up and x to the right, as MuJoCo's cameras do. size: (width, height) in
    pixels. fov: of the height, degrees. far: m, what is told where there is nothing. soft: 0 for surfaces, or the
    length (m, along the axis) in which a shape takes 63 % of the light (casting.py): then silhouettes have gradients.
    samples: rays in a pixel along each side, whose depths (of misses `far`) and coverages are averaged, as a sensor's
    area does; one ray goes through the middle. exclude_own: the geoms of the site's own body, unless that is the world,
    are not seen. geoms: numbers or
    names of those that are; by default all that rays can see.

    Seen are primitive shapes, height fields, planes from their front, and meshes by their triangles from both sides;
    what is quite transparent is not. A soft camera sees meshes that may touch by their convex hulls and no others, and
    height fields and planes as they are, since they have no end behind a surface.

        camera = engine.rays.Depth(sim, "eye", size=(32, 24), fov=60)
        image = camera()                          # of the present states, without a step
        image = camera.along(tape.rollout(u))     # of every row of a rollout
        grads = camera.pull(image, depth_bar)     # depth_bar: the loss's slope, of the image's shape
        tape.backward(qpos=grads.qpos)
    """

    def __init__(
        self, sim: Simulator, site: str | int, size: tuple[int, int] = (32, 24), fov: float = 45.0, far: float = 10.0,
        soft: float = 0.0, samples: int = 1, exclude_own: bool = True, geoms: Any = None,
    ) -> None:  # fmt: skip
        m = required("sim", sim, Simulator, "engine.Simulator(model)").model
        if not isinstance(size, (tuple, list, np.ndarray)) or len(size) != 2 or not all(map(_whole, size)):
            raise ValueError(f"size: got {size!r}, allowed: (width, height), whole numbers from 1")
        if not _number(fov) or not 0 < fov < 180:
            raise ValueError(f"fov: got {fov!r}, allowed: degrees between 0 and 180")
        for name, value in (("far", far), ("soft", soft)):
            if not _number(value) or value < 0:
                raise ValueError(f"{name}: got {value!r}, allowed: a number of metres, not negative")
        if not _whole(samples):
            raise ValueError(f"samples: got {samples!r}, allowed: a whole number from 1")
        if size[0] * size[1] * samples**2 > MOST:
            raise ValueError(f"size: got {size!r} with {samples} samples, allowed: together up to {MOST} rays")
        self.site = m.site(site) if isinstance(site, str) else _index("site", site, m.nsite)
        if m.site_camera[self.site] >= CAM_TRACK:
            who = m.label("site", self.site)
            raise ValueError(f"site: got {who}, a camera that follows or targets a body, allowed: a place on one")
        self.sim, self.size, self.far, self.samples = sim, (int(size[0]), int(size[1])), float(far), int(samples)
        seen = _chosen(m, geoms, soft > 0)
        if exclude_own and m.site_bodyid[self.site]:
            seen &= m.geom_bodyid != m.site_bodyid[self.site]
        width, height = (n * self.samples for n in self.size)
        high = np.tan(np.radians(fov) / 2)
        x = (2 * np.arange(width) + 1 - width) / height * high
        y = (height - 1 - 2 * np.arange(height)) / height * high
        self.directions = np.stack(np.broadcast_arrays(x[None, :], y[:, None], -1.0), axis=-1).reshape(-1, 3)
        self._seen, self._soft, self._casters, self._last = seen, float(soft), {}, None

    def __getstate__(self):  # bound kernels are of this process
        return self.__dict__ | {"_casters": {}, "_last": None}

    def __call__(self) -> Image:
        """The images of the worlds' present states, (worlds, height, width)."""
        return self._image(_state(self.sim.data), ())

    def along(self, trajectory: Any) -> Image:
        """Those of every row of a Trajectory or Recording, or of positions (rows, worlds, nq) or (worlds, nq)."""
        worlds, nq = self.sim.worlds, self.sim.model.nq
        qpos = np.asarray(getattr(trajectory, "qpos", trajectory), float)
        if qpos.ndim not in (2, 3) or qpos.shape[-2:] != (worlds, nq) or not qpos.size:
            raise ValueError(f"along: got qpos {qpos.shape}, allowed: (rows, {worlds}, {nq}) or ({worlds}, {nq})")
        rows = qpos.reshape(-1, worlds, nq)
        states = {"qpos": rows.reshape(-1, nq)}
        for name in MOCAP if self.sim.model.nmocap else ():
            value = getattr(trajectory, name, None)
            if value is not None:  # a row is the state that the controls before it have made
                every = max(len(value) // max(len(rows) - 1, 1), 1)
                which = np.clip(np.arange(len(rows)) * every - 1, 0, len(value) - 1)
                states[name] = value[which].reshape(-1, *value.shape[2:])
        return self._image(states, qpos.shape[:-2])

    def _image(self, states, leading):
        shape = (*leading, self.sim.worlds, self.size[1], self.size[0])
        depth, coverage, geom = self._seen_by(states)[1]
        depth = np.where((geom >= 0) | (coverage > 0), depth, self.far)
        geom = self._pixels(geom).max(axis=-1).reshape(shape)
        depth, coverage = (self._pixels(a).mean(axis=-1).reshape(shape) for a in (depth, coverage))
        return Image(depth, geom >= 0, coverage, geom, states)

    def _pixels(self, a):
        """Of each ray (n, rays) as of each pixel and ray in it, (n, pixels, rays)."""
        (width, height), k = self.size, self.samples
        a = a.reshape(len(a), height, k, width, k)
        return np.moveaxis(a, 2, 3).reshape(len(a), height * width, k * k)

    def _spread(self, bar):
        """A slope by each pixel (n, pixels) as one by each ray."""
        (width, height), k = self.size, self.samples
        bar = np.repeat(np.repeat(bar.reshape(len(bar), height, width), k, axis=1), k, axis=2)
        return bar.reshape(len(bar), -1) / k**2

    def _seen_by(self, states):
        """(Caster, what it tells, camera) at states; camera: where it is, its axes and the rays' directions."""
        rows = len(states["qpos"]) // self.sim.worlds
        if rows not in self._casters:
            if len(self._casters) == 4:
                self._casters.clear()
            nray = len(self.directions)
            self._casters[rows] = Caster(self.sim, nray, self._seen, self._soft, self.far, rows)
        caster = self._casters[rows]
        if self._last and self._last[0] is caster and caster.stands(states):  # what it holds is what it was asked
            return caster, *self._last[1:]
        caster.place(states)
        m, d = self.sim.model, caster.data
        body = m.site_bodyid[self.site]
        pos, quat = (caster.parameter(name)[:, self.site] for name in ("site_pos", "site_quat"))
        at = d.xpos[:, body] + np.einsum("wij,wj->wi", caster.frames[:, body], np.broadcast_to(pos, (len(d.xpos), 3)))
        axes = rotation(product(d.xquat[:, body], quat / np.linalg.norm(quat, axis=-1, keepdims=True)))
        directions = self.directions @ np.swapaxes(axes, 1, 2)
        self._last = caster, caster.cast(at[:, None], directions), (at, axes, directions)
        return self._last

    def push(self, image: Image, qpos: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """How fast depth and coverage, of the image's shape each, move along `qpos` (..., worlds, nq), a tangent of the
        image's states: the forward twin of `pull`. Of k tangents (k, ..., worlds, nq) one after the other, for which
        rays are followed once. Bodies that no joint moves stay."""
        self._check(image)
        qpos = np.asarray(qpos, float)
        want = (*image.depth.shape[:-2], self.sim.model.nq)
        if qpos.shape[-len(want) :] != want or qpos.ndim > len(want) + 1 or 0 in qpos.shape[: -len(want)]:
            raise ValueError(f"qpos: got {qpos.shape}, allowed: a tangent of the image's states, {want}, or several")
        body = int(self.sim.model.site_bodyid[self.site])
        caster, _, (at, _, directions) = self._seen_by(image.states)
        bodies, geoms = caster.twists(qpos.reshape(-1, len(at), want[-1]))
        turn = bodies[:, :, None, body, :3]
        point = bodies[:, :, body, 3:] + np.cross(bodies[:, :, body, :3], at - caster.data.xpos[:, body])
        dots = caster.push(geoms, point[:, :, None], np.cross(turn, directions))
        shape = (*qpos.shape[: qpos.ndim - len(want)], *image.depth.shape)
        depth, coverage = (self._pixels(a.reshape(-1, a.shape[-1])).mean(axis=-1).reshape(shape) for a in dots)
        return depth, coverage

    def _check(self, image):
        if not isinstance(image, Image):
            raise TypeError(f"image: got {type(image).__name__}, allowed: an Image of this camera")
        want = (self.sim.worlds, self.size[1], self.size[0])
        if image.depth.shape[-3:] != want:
            raise ValueError(f"image: got {image.depth.shape}, allowed: this camera's, (..., {str(want)[1:]}")

    def pull(
        self, image: Image, depth_bar: ArrayLike | None = None, coverage_bar: ArrayLike | None = None,
    ) -> Gradients:  # fmt: skip
        """The Gradients of a loss whose slope by `image.depth` is depth_bar, and by its coverage coverage_bar (of a
        soft camera), each of the image's shape. Where a hard camera sees the edge of a shape, depth jumps: there this
        is the slope to the one side, and what a moving silhouette does is not in it."""
        self._check(image)
        bars = []
        for name, bar in (("depth_bar", depth_bar), ("coverage_bar", coverage_bar)):
            bar = np.zeros(image.depth.shape) if bar is None else np.asarray(bar, float)
            if bar.shape != image.depth.shape:
                raise ValueError(f"{name}: got {bar.shape}, allowed: the image's shape, {image.depth.shape}")
            require_finite(name, bar)
            bars.append(self._spread(bar.reshape(len(image.states["qpos"]), -1)))
        m, body = self.sim.model, int(self.sim.model.site_bodyid[self.site])
        caster, _, (at, axes, directions) = self._seen_by(image.states)
        *geoms, point_bar, direction_bar = caster.pull(*bars)
        force, torque = point_bar.sum(axis=1), np.cross(directions, direction_bar).sum(axis=1)
        found = caster.gradients(*geoms, (body, at, force, torque))
        n = len(at)
        found["site_pos"], found["site_quat"] = np.zeros((n, m.nsite, 3)), np.zeros((n, m.nsite, 4))
        found["site_pos"][:, self.site] = np.einsum("wji,wj->wi", caster.frames[:, body], force)
        quat = np.broadcast_to(caster.parameter("site_quat")[:, self.site], (n, 4))
        found["site_quat"][:, self.site] = quat_gradient(quat, np.einsum("wji,wj->wi", axes, torque))
        return _gradients(self.sim, found, image.depth.shape[:-3], (*PARAMETERS, "site_pos", "site_quat"))


@dataclass
class Rays:
    """dist (worlds, n): how far along each ray, in lengths of its direction, -1 where it meets nothing. geom (worlds,
    n): the number of what it meets, or -1. `pull(dist_bar)`: Gradients, whose `model` has "points" and "directions"
    (worlds, n, 3) as well."""

    dist: np.ndarray
    geom: np.ndarray
    _sim: Simulator
    _caster: Caster
    _state: dict
    _rays: tuple
    _length: np.ndarray

    def __repr__(self):
        return f"<Rays {self.dist.shape}: {(self.geom >= 0).sum()} meet something>"

    def pull(self, dist_bar: ArrayLike) -> Gradients:
        """From the slope of a loss by dist, (worlds, n)."""
        dist_bar = np.asarray(dist_bar, float)
        if dist_bar.shape != self.dist.shape:
            raise ValueError(f"dist_bar: got {dist_bar.shape}, allowed: {self.dist.shape}")
        require_finite("dist_bar", dist_bar)
        self._caster.place(self._state)
        self._caster.cast(*self._rays)
        *geoms, points, directions = self._caster.pull(dist_bar / self._length)
        found = _gradients(self._sim, self._caster.gradients(*geoms), (), PARAMETERS)
        directions = directions / self._length[..., None]
        return found._replace(model=found.model | {"points": points, "directions": directions})


def rays(sim: Simulator, points: ArrayLike, directions: ArrayLike, exclude: Any = None, geoms: Any = None) -> Rays:
    """See Simulator.rays."""
    required("sim", sim, Simulator, "engine.Simulator(model)")
    try:
        points, directions = (np.asarray(a, float) for a in (points, directions))
    except (TypeError, ValueError):
        raise ValueError("rays: got points or directions that are not numbers") from None
    try:
        shape = np.broadcast_shapes(points.shape, directions.shape)
    except ValueError:
        shape = ()
    if not 1 <= len(shape) <= 3 or shape[-1] != 3 or len(shape) == 3 and shape[0] not in (1, sim.worlds):
        raise ValueError(
            f"rays: got points {points.shape} and directions {directions.shape}, allowed: (n, 3) or "
            f"({sim.worlds}, n, 3)"
        )
    n = shape[-2] if len(shape) > 1 else 1
    points, directions = (np.broadcast_to(a, (sim.worlds, n, 3)) for a in (points, directions))
    with np.errstate(over="ignore"):
        length = np.linalg.norm(directions, axis=-1)
    if not (np.isfinite(points).all() and np.isfinite(length).all() and (length > 1e-150).all()):
        raise ValueError("rays: got a point or direction that is not finite or a direction of no length")
    # a ray meets the same, however long its direction is: what the kernels hold for zero is not for the user's units
    given = points.copy(), directions / length[..., None]
    seen = _chosen(sim.model, geoms, False)
    if exclude is not None:
        body = sim.model.body(exclude) if isinstance(exclude, str) else _index("body", exclude, sim.model.nbody)
        seen &= sim.model.geom_bodyid != body
    kept, key = sim.__dict__.setdefault("_casters", {}), (n, seen.tobytes())
    if key not in kept:
        if len(kept) == 8:
            kept.clear()
        kept[key] = Caster(sim, n, seen)
    state = _state(sim.data)
    kept[key].place(state)
    dist, _, geom = kept[key].cast(*given)
    return Rays(np.where(geom >= 0, dist / length, -1.0), geom, sim, kept[key], state, given, length)


def _gradients(sim, found, leading, names):
    states = [found[name].reshape(*leading, sim.worlds, *found[name].shape[1:]) for name in ("qpos", *MOCAP)]
    model = {name: found[name].reshape(-1, sim.worlds, *found[name].shape[1:]).sum(axis=0) for name in names}
    if not sim.own_params:
        model = {name: value.sum(axis=0) for name, value in model.items()}
    return Gradients(*states, model)


def _state(data):
    return {name: getattr(data, name).copy() for name in ("qpos", *MOCAP)}


def _chosen(m, geoms, soft):
    seen = seen_geoms(m, soft)
    if geoms is None:
        return seen
    chosen = np.zeros(m.ngeom, bool)
    for g in [geoms] if isinstance(geoms, (str, int, np.integer)) else geoms:
        i = m.geom(g) if isinstance(g, str) else _index("geom", g, m.ngeom)
        if not seen[i]:
            reason = "transparent, or has no hull, by which a soft camera sees" if soft else "transparent"
            raise ValueError(f"geoms: {m.label('geom', i)} is not seen by rays: it is {reason}")
        chosen[i] = True
    return chosen


def _number(value):
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(np.isfinite(value))


def _whole(value):
    return _number(value) and value == int(value) and value >= 1


def _index(kind, i, n):
    if isinstance(i, bool) or not isinstance(i, (int, np.integer)) or not 0 <= i < n:
        raise ValueError(f"{kind}: got {i!r}, allowed: a name, or a number below {n}")
    return int(i)
