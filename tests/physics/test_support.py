"""Support points of every shape, and boxes that tell pairs apart before a search."""

import itertools

import mujoco
import numpy as np
import pytest
import taichi as ti

from engine.compiler.launch import BoundKernel
from engine.compiler.stages import INTS, REALS, Block, outline
from engine.contact.bounds import boxes_apart
from engine.contact.support import support
from engine.model import constants as c
from engine.model import load, pairs
from engine.simulator import Simulator
from engine.views import column
from tests import zoo

SHAPES = ("sphere", "capsule", "ellipsoid", "cylinder", "box", "mesh")


@outline("md", "w g1 g2")
@ti.func
def both(m: ti.template(), d: ti.template(), w: ti.i32, g1: ti.i32, g2: ti.i32):
    """acc_ang of body 0, a direction -> acc_lin, geom g1's point; ncon: the vertex, begun at nblock; nrow: whether g1
    and g2 are farther apart than time."""
    d.acc_lin[0], d.ncon[w] = support(
        m, g1, d.geom_xpos[g1], d.geom_xquat[g1], m.geom_size[g1], d.acc_ang[0], d.nblock[w], 0.0
    )
    d.nrow[w] = boxes_apart(
        m, g1, d.geom_xpos[g1], d.geom_xquat[g1], g2, d.geom_xpos[g2], d.geom_xquat[g2], d.time[w]
    )


@ti.kernel
def run_both(o: INTS, mi: INTS, mr: REALS, di: INTS, dr: REALS, g1: ti.i32, g2: ti.i32):
    ti.loop_config(serialize=True)
    for w in range(1):
        both(Block(o, mi, mr), Block(o, di, dr), w, g1, g2)


CORNERS = " ".join(f"{x} {y} {z}" for x, y, z in itertools.product((0.1, -0.1), repeat=3))


class Bench:
    """Bodies of all shapes, two of each, and one kernel that asks for points and for boxes."""

    def __init__(self):
        cube = f'<mesh name="cube" vertex="{CORNERS} 0 0 .1"/></asset>'
        geoms = [zoo.SHAPES[kind] for kind in SHAPES] + ['type="mesh" mesh="cube"']
        bodies = "".join(f"<body><freejoint/><geom {geom}/></body>" for geom in 2 * geoms)
        self.mj = mujoco.MjModel.from_xml_string(zoo.model(bodies, default=zoo.ROCK.replace("</asset>", cube)))
        self.data = mujoco.MjData(self.mj)
        self.model = load(self.mj)
        sim = Simulator(self.model)
        self.kernel = BoundKernel(run_both, [sim.model_pack, sim.pack], 2)
        for name in ("geom_xpos", "geom_xquat", "acc_ang", "acc_lin", "ncon", "nblock", "nrow", "time"):
            setattr(self, name, column(sim.pack, sim.sizes, 1, name)[0])

    def support(self, g, x, q, direction, near=-1):
        self.geom_xpos[g], self.geom_xquat[g], self.acc_ang[0], self.nblock[...] = x, q, direction, near
        self.kernel.launch(g, g)
        return self.acc_lin[0].copy(), int(self.ncon[0])

    def reach(self, g, v):
        """How far geom g reaches from its centre along unit vectors v, (..., 3), of its frame."""
        r, h, _ = size = self.mj.geom_size[g]
        flat, up = np.linalg.norm(v[..., :2], axis=-1), np.abs(v[..., 2])
        return {
            c.SPHERE: r + 0 * up, c.CAPSULE: r + h * up, c.CYLINDER: r * flat + h * up, c.BOX: np.abs(v) @ size,
            c.ELLIPSOID: np.linalg.norm(v * size, axis=-1), c.MESH: (v @ self.vertices(g).T).max(axis=-1),
        }[self.mj.geom_type[g]]  # fmt: skip

    def vertices(self, g):
        mesh = self.mj.geom_dataid[g]
        return self.mj.mesh_vert[self.mj.mesh_vertadr[mesh] :][: self.mj.mesh_vertnum[mesh]].astype(float)


@pytest.fixture(scope="module")
def bench():
    before = set(pairs.SUPPORTED)
    pairs.SUPPORTED.update(itertools.product(range(c.SPHERE, c.MESH + 1), repeat=2))
    yield Bench()
    pairs.SUPPORTED.clear()
    pairs.SUPPORTED.update(before)


def random_pose(rng, spread):
    q = rng.normal(size=4)
    return spread * rng.normal(size=3), q / np.linalg.norm(q)


@pytest.mark.parametrize("g", range(len(SHAPES) + 1), ids=(*SHAPES, "small mesh"))
def test_points(bench, g):
    """As far along the direction as the shape reaches, and in no direction farther."""
    rng = np.random.default_rng(g)
    others = rng.normal(size=(200, 3))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    vertex = -1
    for k in range(60):
        x, q = random_pose(rng, 1.0)
        v = np.eye(3)[k % 3] * (-1) ** k if k < 6 else others[k]
        mat = np.zeros(9)
        mujoco.mju_quat2Mat(mat, q)
        point, vertex = bench.support(g, x, q, mat.reshape(3, 3) @ v, vertex if k % 2 else -1)
        local = (point - x) @ mat.reshape(3, 3)
        assert abs(local @ v - bench.reach(g, v)) < 1e-14
        assert (others @ local <= bench.reach(g, others) + 1e-14).all()
        if bench.mj.geom_type[g] == c.MESH:
            np.testing.assert_allclose(bench.model.hull_vert[vertex], local, atol=1e-15)
        elif bench.mj.geom_type[g] == c.BOX:
            assert [vertex >> e & 1 for e in range(3)] == (local > 0).tolist()
        else:
            assert vertex == -1


def test_of_several_vertices_the_first_stays(bench):
    """Among all of a small mesh, those within a face, too."""
    g, identity = len(SHAPES), np.array([1.0, 0, 0, 0])
    first = bench.model.mesh_hulladr[bench.model.geom_dataid[g]]
    corners = bench.vertices(g)
    for axis, side in itertools.product(range(3), (1, -1)):
        v = side * np.eye(3)[axis]
        lie = np.flatnonzero(corners @ v > 0.0999)
        assert len(lie) == 4 + (axis == 2 and side == 1)
        for near in (-1, *lie):
            _, vertex = bench.support(g, np.zeros(3), identity, v, near if near < 0 else first + near)
            assert vertex - first == (lie[0] if near < 0 else near)


@pytest.mark.parametrize("margin", (0.0, 0.05))
def test_boxes_that_are_apart(bench, margin):
    """Never where MuJoCo finds the shapes nearer than the margin; nearly always where they are well apart."""
    rng = np.random.default_rng(1)
    bench.time[0] = margin
    told = far = near = 0
    for _ in range(1500):
        g1, g2 = rng.integers(bench.mj.ngeom, size=2)
        if g1 == g2:
            continue
        for g in (g1, g2):
            bench.geom_xpos[g], bench.geom_xquat[g] = random_pose(rng, 0.2)
            bench.data.geom_xpos[g] = bench.geom_xpos[g]
            mujoco.mju_quat2Mat(bench.data.geom_xmat[g], bench.geom_xquat[g])
        bench.kernel.launch(g1, g2)
        distance = mujoco.mj_geomDistance(bench.mj, bench.data, g1, g2, 1.0, None)
        assert distance > margin - 1e-9 or not bench.nrow[0]
        near += distance < margin
        far += distance > margin + 0.05
        told += distance > margin + 0.05 and bench.nrow[0]
    assert near > 200 and far > 300 and told > 0.9 * far
