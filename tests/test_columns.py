"""Columns by name: where device code finds them is where the host's views and fillings have them."""

import numpy as np
import pytest

import engine
import scenes
from engine import schema
from engine.arrays import parameter, theta_layout
from engine.compiler import columns
from engine.compiler.columns import Named, Sizes
from engine.theta import THETA
from engine.views import column

WORLDS = 3


@pytest.fixture(scope="module")
def sim():
    return engine.Simulator(scenes.load("humanoid").model, WORLDS)


@pytest.fixture(autouse=True)
def numbers_for_expressions(monkeypatch):
    """A pack's buffers as NumPy arrays are read as such, so that the arithmetic of places is done on numbers."""
    monkeypatch.setattr(columns, "_element", lambda array, i: array[i])


def named(letter, pack, sim):
    sizes = {name: int(value) for name, value in zip(schema.DIMS.split(), sim.model_pack["dims"], strict=True)}
    return Named(letter, Sizes(None, **sizes), pack.buffers)


def distinct(pack):
    for kind, block in pack.blocks.items():
        block[:] = np.arange(len(block)) % (1 << 30 if kind == "int" else 1 << 52)
    return pack


COUNTED = [
    name for b in schema.STATE + schema.WORK for name, c in b.columns.items()
    if c.size == 1 and b.count in schema.DIMS.split()
]  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_by_world_and_entity_as_the_host_sees_it(sim, name):
    pack = distinct(engine.arrays.data_pack(sim.model, WORLDS, sim.ncon_max))
    seen = column(pack, sim.sizes, WORLDS, name)
    found, n = getattr(named("d", pack, sim), name), seen.shape[1]
    for w in range(WORLDS):
        for i in range(min(n, 9)):
            np.testing.assert_array_equal(found[w, i], seen[w, i])
            if not schema.PLACES["d", name].blocks:  # by the number over all worlds
                np.testing.assert_array_equal(found[w * n + i], seen[w, i])


def test_arrays_of_the_model(sim):
    m = named("m", sim.model_pack, sim)
    assert (m.nv, m.nbody) == (sim.model.nv, sim.model.nbody)
    for b in schema.MODEL:
        for name, c in b.columns.items():
            value = getattr(sim.model, name, None)
            if b.count == "one" or value is None:
                continue
            for i, row in enumerate(value):
                if c.size == 1:
                    np.testing.assert_array_equal(getattr(m, name)[i], row, name)
                else:
                    assert [getattr(m, name)[i, k] for k in range(c.size)] == row.tolist(), name


def test_parameters_and_their_adjoints(sim):
    m = named("m", sim.model_pack, sim)
    n = sim.sizes["ntheta"]
    bar = np.arange(WORLDS * n, dtype=float)
    g = Named("g", m.sizes, {"theta_bar": bar})
    for p in THETA:
        value = parameter(sim.model, p.name)
        at, shape = theta_layout(sim.model)[0][p.name]
        views = bar.reshape(WORLDS, n)[:, at : at + value.size].reshape(WORLDS, *shape) if value.size else ()
        for index in np.ndindex(value.shape):
            assert getattr(m, p.name)[index] == value[index], p.name
            assert getattr(g, p.name)[(1, *index)] == views[1][index], p.name


def test_too_few_numbers_and_unknown_names_are_refused(sim):
    m = named("m", sim.model_pack, sim)
    g = Named("g", m.sizes, {"theta_bar": np.zeros(WORLDS * sim.sizes["ntheta"])})
    d = named("d", sim.pack, sim)
    for wrong in (
        lambda: m.jnt_solref[0], lambda: m.actuator_gear[0], lambda: g.body_mass[0], lambda: g.actuator_gear[0, 0],
        lambda: d.qacc[0], lambda: m.body_mass[0, 0],
    ):  # fmt: skip
        with pytest.raises(IndexError, match="numbers in brackets, allowed"):
            wrong()
    with pytest.raises(AttributeError, match="no array, size or option 'qac'"):
        d.qac  # noqa: B018
