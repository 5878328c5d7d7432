"""The solver's Hessian among many bodies that touch in turn, carried out in Python (interpreter.py): its factors
against NumPy, and what an iteration factors anew."""

import numpy as np
import pytest

import engine
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


@pytest.fixture(params=[("pyramidal", 3), ("elliptic", 3), ("pyramidal", 1)], ids=["pyramidal", "elliptic", "sliding"])
def hessian(request):
    sim = engine.Simulator(engine.load(heap(*request.param)))
    rng = np.random.default_rng(0)
    sim.data.qpos[:] = rng.normal(scale=2e-4, size=sim.model.nq)
    sim.data.qvel[:] = rng.normal(scale=0.1, size=sim.model.nv)
    interpreted().forward(sim)
    return Hessian(sim)


def test_factors_solve_as_numpy(hessian):
    depth = hessian.column("tree_depth")
    assert depth.max() >= 30 and hessian.column("merged")[0]
    H = hessian.dense()
    assert (H[np.tril_indices(len(H))] == 0).mean() > 0.5  # what the factors pass over
    hessian.factored(1)
    b = np.random.default_rng(1).normal(size=len(H))
    hessian.column("search")[:] = b
    hessian.device.solve_hessian(hessian.m, hessian.d, 0, hessian.d.search)
    np.testing.assert_allclose(hessian.column("search"), np.linalg.solve(H, b), rtol=1e-9, atol=1e-9)


def test_an_island_is_factored_anew_where_a_zone_changed(hessian):
    """And the others stand; all is as if everything were."""
    before = hessian.factored(1)
    last = hessian.column("nblock")[0] - 1  # a contact of the last pair of balls
    hessian.column("con_jar")[last] *= -3.0
    hessian.column("con_jv")[:] = 0.0
    hessian.device.evaluate(hessian.m, hessian.d, 0, 0.0, hessian.d.z)
    root, stale = hessian.column("tree_root"), hessian.column("tree_stale").copy()
    curved = hessian.column("con_zone") == 64
    expected = {root[hessian.d.chain_dof[c * hessian.m.nchain]] for c in np.flatnonzero(curved[: last + 1])}
    expected.add(root[-1])
    assert set(np.flatnonzero(stale)) == expected
    assert len(set(root)) == 3 and root[-1] == hessian.sim.model.nv - 6
    after = hessian.factored(0)
    assert not np.array_equal(after, before)
    assert not hessian.column("tree_stale").any()
    np.testing.assert_array_equal(hessian.factored(1), after)


def test_what_stands_is_left_alone(hessian):
    kept = hessian.factored(1)
    kept[:] = 7.0
    hessian.sim.pack["H"][:] = kept
    np.testing.assert_array_equal(hessian.factored(0), kept)
