"""contact_law and its friction_vjp, row_law and impedance against differences, in every zone and at the corners."""

from functools import partial

import numpy as np
import pytest

from tests.adjoints import leaves

RNG = np.random.default_rng(0)
ELLIPTIC = pytest.mark.parametrize("elliptic", (0, 1), ids=("pyramidal", "elliptic"))


def table(jar, fr0=0.8, fr1=0.8, D=2.5, impratio=1.0):
    jar = np.atleast_2d(np.asarray(jar, float))
    return np.concatenate([jar, np.tile([fr0, fr1, D, impratio], (len(jar), 1))], axis=1)


def check(x, condim, elliptic, h=1e-5):
    k = np.tile([condim, elliptic, 0, 0], (len(x), 1))
    return leaves.check(leaves.law, x, 3, k=k, columns=range(6 if condim == 3 else 3), h=h)


@ELLIPTIC
@pytest.mark.parametrize("frictions", ((0.8, 0.8), (0.3, 1.4), (1.0, 1e-3)), ids=str)
@pytest.mark.parametrize("impratio", (1.0, 5.0, 0.3))
def test_contact_law(elliptic, frictions, impratio):
    """Force, Hessian, friction's adjoint: every zone is met."""
    jar = np.random.default_rng(0).normal(size=(600, 3))
    jar[:300, 1:] *= 0.02
    x = table(jar, *frictions, impratio=impratio)
    smooth, k = check(x, 3, elliptic)
    assert smooth.sum() > 580
    zones = set(k[smooth, 2])
    if elliptic:
        assert zones == {0, 1, 64}
    else:  # one bit for each of the four edges that push
        assert {0, 15} <= zones
        assert len(zones) >= (9 if min(frictions) > 0.1 else 4)


def rolling_table(jar, frictions, D=2.5, impratio=1.0):
    return np.concatenate([jar, np.tile([*frictions, D, impratio], (len(jar), 1))], axis=1)


@ELLIPTIC
@pytest.mark.parametrize("condim", (4, 6))
@pytest.mark.parametrize("frictions", ((0.8, 0.8, 0.1, 0.05, 0.05), (0.3, 1.4, 0.9, 0.2, 1.1)), ids=str)
@pytest.mark.parametrize("impratio", (1.0, 5.0, 0.3))
def test_rolling_law(elliptic, condim, frictions, impratio):
    """The same with torsional and rolling friction; an eighth of the rows spins or rolls and nothing else."""
    rng = np.random.default_rng(0)
    jar = rng.normal(size=(800, 6))
    jar[:400, 1:] *= 0.02
    jar[100:200, 1:3] = 0
    jar[400:500] *= (1, 0, 0, 30, 30, 30)
    if condim == 4:
        frictions = (*frictions[:3], 0.0, 0.0)  # as `contacts` gives them
    x = rolling_table(jar, frictions, impratio=impratio)
    k = np.tile([condim, elliptic, 0, 0], (len(x), 1))
    columns = [*range(9), *((9, 10) if condim > 4 else ()), 11]
    smooth, k = leaves.check(leaves.rolling, x, 6, k=k, columns=columns, h=1e-5)
    assert smooth.sum() > 760
    zones = set(k[smooth, 2])
    if elliptic:
        assert zones == {0, 1, 64}
        assert 64 in set(k[400:500, 2])  # where torsion slips alone
    else:
        assert {0, (1 << 2 * (condim - 1)) - 1 << 7} <= zones and len(zones) > 20


@ELLIPTIC
def test_law_of_three_rows_is_that_of_six_without_further_friction(elliptic):
    jar = np.random.default_rng(0).normal(size=(200, 6))
    k = np.tile([3, elliptic, 0, 0], (200, 1))
    f, _, _ = leaves.run(leaves.law, table(jar[:, :3], 0.3, 1.4), np.ones((200, 3)), k)
    more, _, _ = leaves.run(leaves.rolling, rolling_table(jar, (0.3, 1.4, 0, 0, 0)), np.ones((200, 6)), k)
    np.testing.assert_allclose(more[:, :3], f, rtol=1e-13, atol=1e-13)
    assert not more[:, 3:].any()


def test_without_friction():
    smooth, k = check(table(RNG.normal(size=(50, 3))), 1, 0)
    assert set(k[smooth, 2]) == {0, 1}


@pytest.mark.parametrize(
    "jar", ((-1, 0, 0), (-1, 1e-9, 0), (-1, 1e-3, 1e-3), (-1e-9, 0, 0)), ids=("axis", "beside it", "near it", "tip")
)
def test_elliptic_axis(jar):
    """No tangential part: within the polar cone, where the law is linear."""
    jar = np.array([jar], float)
    _, k = check(table(jar), 3, 1, h=1e-11 if jar[0, 0] > -1e-6 else 1e-5)
    assert k[0, 2] == 1


@ELLIPTIC
@pytest.mark.parametrize("jar", ((0, 0, 0), (1, 0, 0), (0.8, 1.0, 0.0)), ids=("apex", "open", "on the cone"))
def test_no_force_at_and_above_the_cone(elliptic, jar):
    """Where the force vanishes its derivatives do, exactly at the apex too; nothing is NaN."""
    f, x_bar, _ = leaves.run(leaves.law, table(jar), np.ones((1, 3)), [[3, elliptic, 0, 0]])
    assert np.abs(f).max() < 1e-15
    assert np.isfinite(x_bar).all()
    assert np.abs(x_bar[0, 3:]).max() < 1e-12


@pytest.mark.parametrize("jar", ((-1.0, 0.8, 0.0), (-0.5, 0.4, 0.0)))
def test_edge_of_the_polar_cone(jar):
    """Where the elliptic zones meet, force and Hessian of both sides agree in what is continuous: the force."""
    near = table(np.array(jar) * [[1 - 1e-9, 1, 1], [1 + 1e-9, 1, 1]])
    f, _, k = leaves.run(leaves.law, near, np.ones((2, 3)), np.tile([3, 1, 0, 0], (2, 1)))
    assert set(k[:, 2]) == {1, 64}
    assert np.allclose(f[0], f[1], rtol=1e-7)


def test_scalar_rows():
    jar = RNG.normal(size=(200, 1))
    x = np.concatenate([jar, np.full((200, 1), 2.5), np.full((200, 1), 1.2)], axis=1)
    for kind, zones in ((0, {0, 2, 3}), (1, {0, 1})):
        k = np.tile([kind, 0, 0, 0], (200, 1))
        smooth, k = leaves.check(leaves.scalar_row, x, 1, k=k, columns=(0,), h=1e-5)
        assert set(k[smooth, 1]) == zones


@pytest.mark.parametrize("solimp", (
    (0.9, 0.95, 0.001, 0.5, 2), (0.3, 0.9, 0.1, 0.3, 3.5), (0.3, 0.9, 0.1, 0.5, 1), (0.8, 0.8, 0.1, 0.5, 2),
    (0.3, 0.9, 0.0, 0.5, 2), (0.0, 1.0, 0.1, 0.5, 2), (0.9, 0.3, 0.1, 0.4, 2.5),
), ids=str)  # fmt: skip
def test_impedance(solimp):
    a = np.array(solimp, float)
    width = a[2] or 0.1
    x = RNG.uniform(-1.3, 1.3, size=(200, 1)) * width
    # left out: the ends of the width and, for a power of one, the kink in the middle
    clear = (np.abs(np.abs(x) - width) > 0.02 * width) & (np.abs(x) > 0.02 * width)
    clear &= np.abs(np.abs(x) - a[3] * width) > 0.02 * width
    leaves.check(leaves.impedances, x[clear[:, 0]], 1, before=(a[None],), h=1e-4 * width, tolerance=1e-7)


def test_parameters_of_impedance():
    """On both sides of the midpoint, beyond the width, at no width, and of numbers beyond their bounds."""
    rng = np.random.default_rng(2)
    x = rng.uniform([0.1, 0.5, 0.05, 0.2, 1.2, -0.3], [0.6, 0.98, 0.2, 0.8, 4, 0.3], size=(300, 6))
    x[:20, 2], x[20:40, 1], x[40:60, 0], x[60:80, 4], x[80:100, 3] = 0, 1.5, -1, 0.3, 1.4
    share = np.abs(x[:, 5]) / np.where(x[:, 2] == 0, 1, x[:, 2])
    clear = (np.abs(share - 1) > 0.02) & (np.abs(share - x[:, 3]) > 0.02)
    flat = x[:, 2] == 0
    leaves.check(leaves.impedance_parameters, x[clear & ~flat], 1, columns=range(5), h=1e-5, tolerance=1e-7)
    leaves.check(leaves.impedance_parameters, x[flat], 1, columns=(0, 1, 3, 4), h=1e-5, tolerance=1e-7)


def test_numbers_at_a_bound_have_half_an_adjoint():
    """What a central difference gives, of the power of an impedance and of a time constant of two steps."""
    x = np.array([[0.3, 0.9, 0.1, 0.4, 1.0, -0.03]])
    _, x_bar, _ = leaves.run(leaves.impedance_parameters, x, np.ones((1, 1)), np.zeros((1, 4)))
    assert x_bar[0, 4] == pytest.approx(0.5 * 0.6 * 0.3 * np.log(0.75))
    bar, solimp = np.array([[0.0, 1.0]]), np.array([[0.9, 0.95, 0.001, 0.5, 2]])
    for time, share in ((0.008, 0.5), (0.007, 0.0), (0.009, 1.0)):
        x = np.array([[time, 1.0]])
        _, x_bar, _ = leaves.run(leaves.reference_parameters, x, bar, np.zeros((1, 4)), solimp)
        assert x_bar[0, 0] == pytest.approx(-share * 2 / (0.95 * time**2))


def test_parameters_of_the_reference():
    rng = np.random.default_rng(3)
    n = 60
    solref = rng.uniform([0.01, 0.4], [0.1, 2], size=(n, 2))
    solref[::3] = -rng.uniform([100, 5], [3000, 50], size=(n // 3, 2))
    solimp = rng.uniform([0.1, 0.5, 0.05, 0.2, 1.2], [0.6, 0.98, 0.2, 0.8, 4], size=(n, 5))
    check = partial(leaves.check, leaves.reference_parameters, width=2, h=1e-6, tolerance=1e-6)
    check(x=solref, before=(np.tile(solimp, (6, 1)),))
    k = np.tile([1, 0, 0, 0], (n, 1))
    check(x=solimp, columns=(1,), k=k, before=(np.tile(solref, (6, 1)),))


def test_impedance_at_zero_penetration():
    """A power above one is flat there, a power of one has the slope of the inner side."""
    for power, slope in ((2.0, 0.0), (1.0, (0.9 - 0.3) / 0.1)):
        a = np.array([0.3, 0.9, 0.1, 0.5, power])
        _, x_bar, _ = leaves.run(leaves.impedances, np.zeros((1, 1)), np.ones((1, 1)), np.zeros((1, 4)), a[None])
        assert abs(x_bar[0, 0]) == pytest.approx(slope)
