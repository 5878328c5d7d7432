"""The solver's Hessian among many bodies that touch in turn, carried out in Python (interpreter.py): its factors
against NumPy, the order of elimination, and what an iteration factors anew."""

import numpy as np
import pytest

import engine
from engine.model.setconst import derived_topology
from engine.model.trees import strays
from engine.views import column
from tests.adjoints.interpreter import interpreted

BALL = (
    '<body pos="{} {} {}"><joint type="slide" axis="1 0 0"/><joint type="slide" axis="0 1 0"/>'
    '<joint type="slide" axis="0 0 1" range="-.1 .1"/><geom size=".05" density="{}" condim="{}"/></body>'
)


def heap(cone, condim):
    """A tray on which balls lie, three by two by two, all of whose chains merge; and far away two pairs of balls."""
    places = [(0.098 * x, 0.098 * y, 0.098 * z) for x in range(3) for y in range(2) for z in range(2)]
    places += [(x, y, 0.0) for x in (2.0, 4.0) for y in (0.0, 0.098)]
    balls = "".join(BALL.format(*at, 300 + 100 * k, condim) for k, at in enumerate(places))
    tray = '<joint type="slide" axis="1 0 0" frictionloss=".1"/><geom type="box" size=".5 .5 .01"/>'
    world = f'<worldbody><body pos="0 0 -.058">{tray}</body>{balls}</worldbody>'
    return f'<mujoco><option cone="{cone}"/>{world}</mujoco>'


def walkers():
    """Two on legs whose feet stand on loose boxes, two on each other; one foot is tied to the other walker's by a
    tendon over three trees."""
    leg = (
        '<body pos="{} 0 -.2"><joint name="{}" axis="0 1 0"/><geom size=".03" contype="0" conaffinity="0"/>'
        '<body pos="0 0 -.2"><joint axis="0 1 0"/><joint axis="1 0 0"/><geom size=".05"/></body></body>'
    )
    torso = '<body pos="{} 0 {}"><freejoint/><geom size=".05" contype="0" conaffinity="0"/>{}</body>'
    box = '<body pos="{} 0 {}"><freejoint name="{}"/><geom type="box" size=".1 .1 .05"/></body>'
    bodies = "".join(
        torso.format(x, 0.5, leg.format(-0.1, f"left{x}") + leg.format(0.1, f"right{x}"))
        + "".join(box.format(x + y, z, f"box{x}{y}{z}") for y, z in ((-0.1, 0.001), (0.1, 0.001)))
        for x in (0, 0.4)
    )
    slide = '<body pos="0 3 0"><joint name="alone" type="slide" limited="true" range="-1 1"/><geom size=".05"/></body>'
    tendon = "".join(f'<joint joint="{name}" coef="1"/>' for name in ("left0", "alone", "right0.4"))
    return (
        f"<mujoco><worldbody>{bodies}{slide}</worldbody><tendon><fixed limited='true' range='.1 1'>{tendon}</fixed>"
        "</tendon></mujoco>"
    )


class Hessian:
    def __init__(self, sim):
        self.sim, self.device = sim, interpreted().device
        self.m, self.d = interpreted().named(sim)

    def column(self, name):
        return column(self.sim.pack, self.sim.sizes, 1, name)[0]

    def factored(self, fresh):
        self.device.hessian(self.m, self.d, 0, fresh)
        return self.sim.pack["H"].copy()

    def dense(self):
        """M + J^T K J."""
        H = self.sim.data.mass_matrix(0).copy()
        nchain = len(self.column("chain_dof")) // len(self.column("con_ndof"))
        for r in range(self.sim.pack["world_i"][2]):
            k = self.column("row_dof")[r]
            H[k, k] += self.column("row_k")[r]
        for c in range(self.column("nblock")[0]):
            at = slice(c * nchain, c * nchain + self.column("con_ndof")[c])
            J = np.zeros((3, len(H)))
            J[:, self.column("chain_dof")[at]] = self.column("con_J")[at].T
            (a, b, e), (x, y, z) = self.column("con_kd")[c], self.column("con_ko")[c]
            H += J.T @ [[a, x, y], [x, b, z], [y, z, e]] @ J
        return H


def solved(mjcf):
    sim = engine.Simulator(engine.load(mjcf))
    rng = np.random.default_rng(0)
    sim.data.qpos[:] = sim.model.qpos0 + rng.normal(scale=2e-4, size=sim.model.nq)
    sim.data.qvel[:] = rng.normal(scale=0.1, size=sim.model.nv)
    interpreted().forward(sim)
    return Hessian(sim)


@pytest.fixture(params=[("pyramidal", 3), ("elliptic", 3), ("pyramidal", 1)], ids=["pyramidal", "elliptic", "sliding"])
def hessian(request):
    return solved(heap(*request.param))


def depths(H):
    """How many ancestors each dof has, where dofs are eliminated from the last on."""
    filled, depth = H != 0, np.zeros(len(H), int)
    for k in range(len(H) - 1, -1, -1):
        before = np.flatnonzero(filled[k, :k])
        filled[np.ix_(before, before)] = True
    for k in range(len(H)):
        before = np.flatnonzero(filled[k, :k])
        depth[k] = depth[before[-1]] + 1 if len(before) else 0
    return depth


def check_factors(hessian):
    H = hessian.dense()
    hessian.factored(1)
    b = np.random.default_rng(1).normal(size=len(H))
    hessian.column("search")[:] = b
    hessian.device.solve_hessian(hessian.m, hessian.d, 0, hessian.d.search)
    np.testing.assert_allclose(hessian.column("search"), np.linalg.solve(H, b), rtol=1e-9, atol=1e-9)


def check_ranks(hessian):
    """Numbers of all dofs, depth first along a tree on which one dof leads to another that H couples with it."""
    rank, dof, parent = (hessian.column(name) for name in ("tree_rank", "tree_dof", "tree_parent"))
    np.testing.assert_array_equal(rank[dof], np.arange(len(rank)))
    paths = []
    for r in range(len(rank)):
        path = paths[-1] if paths else []
        assert parent[r] < 0 or parent[r] in path
        paths.append([*(path[: path.index(parent[r]) + 1] if parent[r] >= 0 else []), r])
    np.testing.assert_array_equal(hessian.column("tree_depth"), [len(path) - 1 for path in paths])
    for i, j in zip(*np.nonzero(hessian.dense()), strict=True):
        assert min(rank[i], rank[j]) in paths[max(rank[i], rank[j])]


def test_factors_solve_as_numpy(hessian):
    depth = hessian.column("tree_depth")
    assert depth.max() >= 20 and hessian.column("merged")[0]
    H = hessian.dense()
    assert (H[np.tril_indices(len(H))] == 0).mean() > 0.5  # what the factors pass over
    check_factors(hessian)
    check_ranks(hessian)
    assert depth.sum() < 0.8 * depths(H).sum()  # of the order of the file


def test_trees_with_branches():
    hessian = solved(walkers())
    assert hessian.sim.sizes["ntree"] == 7 and hessian.column("ncon")[0] >= 8 and hessian.column("merged")[0]
    last = hessian.column("nblock")[0] - 1  # of the tendon
    assert hessian.column("con_ndof")[last] == 3 and hessian.column("con_kd")[last, 0] > 0
    assert len(set(hessian.column("tree_root"))) == 1
    check_factors(hessian)
    check_ranks(hessian)
    rank, columns = hessian.column("tree_rank"), hessian.column("chain_dof")
    nchain = len(columns) // len(hessian.column("con_ndof"))
    for c in range(last + 1):  # ancestors come later, as the Hessian takes for granted
        ranks = rank[columns[c * nchain : c * nchain + hessian.column("con_ndof")[c]]]
        assert (np.diff(ranks) < 0).all()


def test_bodies_that_do_not_come_depth_first():
    """A Model may have them so; then no order but that of the elimination tree is depth first."""
    part = '<body pos="{} 0 {}"><joint axis="0 1 0"/><geom size=".05" pos=".02 0 -.1"/>{}</body>'
    hanging = part.format(0, -0.2, "")
    beside = part.format(0.2, 0, "")
    robot = "<mujoco><worldbody>{}{}</worldbody></mujoco>"
    model = engine.load(robot.format(part.format(0, 0, ""), part.format(0.2, 0, hanging)))
    proper = engine.load(robot.format(part.format(0, 0, hanging), beside))
    model.body_parentid[3] = 1
    for name, array in derived_topology(model).items():
        getattr(model, name)[...] = array
    assert strays(model) and not strays(proper)
    found = []
    for m, order in ((model, [0, 2, 1]), (proper, [0, 1, 2])):
        sim = engine.Simulator(m)
        assert sim.sizes["stray"] == (m is model)
        sim.data.qpos[0, order] = [0.3, -0.2, 0.1]
        interpreted().forward(sim)
        found.append(sim.data.qacc[0, order])
    np.testing.assert_allclose(*found, rtol=1e-12)
    assert np.abs(found[0]).min() > 1


def test_an_island_is_factored_anew_where_a_zone_changed(hessian):
    """And the others stand; all is as if everything were."""
    before = hessian.factored(1)
    last = hessian.column("nblock")[0] - 1  # a contact of the last pair of balls
    hessian.column("con_jar")[last] *= -3.0
    hessian.column("con_jv")[:] = 0.0
    hessian.device.evaluate(hessian.m, hessian.d, 0, 0.0, hessian.d.z)
    root, stale = hessian.column("tree_root")[hessian.column("tree_rank")], hessian.column("tree_stale").copy()
    curved = hessian.column("con_zone") == 64
    expected = {root[hessian.d.chain_dof[c * hessian.m.nchain]] for c in np.flatnonzero(curved[: last + 1])}
    expected.add(root[-1])
    assert set(np.flatnonzero(stale)) == expected
    assert len(set(root)) == 3 and list(root).count(root[-1]) == 6
    after = hessian.factored(0)
    assert not np.array_equal(after, before)
    assert not hessian.column("tree_stale").any()
    np.testing.assert_array_equal(hessian.factored(1), after)


def test_what_stands_is_left_alone(hessian):
    kept = hessian.factored(1)
    kept[:] = 7.0
    hessian.sim.pack["H"][:] = kept
    np.testing.assert_array_equal(hessian.factored(0), kept)
