"""Posteriors: gradients, samplers against distributions that are known, resuming, two modes, worlds drawn from data."""

import pickle

import mujoco
import numpy as np
import pytest

import engine
from engine.identify import Draws, LogNormal, Normal, Posterior, Uniform, Unknown, batch, fit
from engine.identify.draws import ess, rhat
from engine.identify.nuts import nuts
from engine.identify.priors import Coordinates
from engine.identify.svgd import svgd

from . import two_masses
from .twin import ARM, arm, random_log

UNKNOWNS = [
    Unknown("dof_armature:*", prior=LogNormal(None, 0.3)), Unknown("dof_damping:*", low=0.0, high=1.0),
    Unknown("offset:elbow", prior=(0.0, 0.1)), Unknown("bias:lone", prior=(0.0, 0.1)),
    Unknown("kp:*", prior=LogNormal(None, 0.2)), Unknown("inertia:lower", prior=Normal(None, 0.2)),
    Unknown("delay:*", tied=True, guess=0.0071, prior=LogNormal(0.007, 0.3)),
]  # fmt: skip


@pytest.fixture(scope="module")
def arms():
    return Posterior(engine.load(arm()), random_log(), UNKNOWNS, noise=0.5, window=0.2, hold="linear", particles=3)


def test_gradient(arms):
    """Of all kinds of numbers and of starts, against differences, and beside Gauss-Newton's, which has J' r."""
    rng = np.random.default_rng(0)
    z = arms.prior_draws(2, seed=1)
    z[:, arms.np :] = 0.05 * rng.normal(size=(2, arms.nstart))
    logp, grad = arms.logp_and_grad(z)
    for k in range(6):
        way = rng.normal(size=arms.dim) * (np.arange(arms.dim) % 3 == k % 3)
        ends = [arms.logp_and_grad(z[0] + np.array([[h], [-h]]) * way)[0] for h in (1e-4, 1e-5)]
        errors = [abs((a - b) / (2 * h) - grad[0] @ way) for (a, b), h in zip(ends, (1e-4, 1e-5), strict=True)]
        assert min(errors) < 1e-6 * np.abs(grad[0] * way).sum()
    value, slope, H = arms.normal(z)
    assert np.abs(value - logp).max() < 1e-9 * np.abs(logp).max()
    assert np.abs(slope - grad).max() < 1e-9 * np.abs(grad).max()
    assert np.linalg.eigvalsh(H)[:, 0].min() > 0


@pytest.mark.slow
def test_worlds_with_leaves_of_their_own(monkeypatch):
    """Points over leaves are worlds of one launch, with the same values as one after the other, and the right slope: of
    inertias, of which one is turned and the others not, of a joint's place and of a limit."""
    unknowns = [
        Unknown("inertial:lower", prior=Normal(None, 0.3)), Unknown("jnt_pos:elbow[0]", prior=(0.0, 0.02)),
        Unknown("jnt_range:shoulder[1]", prior=(0.1, 0.01)), Unknown("dof_damping:*", prior=LogNormal(None, 0.3)),
    ]  # fmt: skip
    xml = ARM.format(integrator="implicitfast", more="", sensors="").replace(
        'name="shoulder" axis', 'name="shoulder" limited="true" range="-2 .1" axis')  # fmt: skip
    model = engine.load(mujoco.MjModel.from_xml_string(xml))
    made = [Posterior(model, random_log(), unknowns, noise=0.5, window=0.2, hold="linear", particles=4)]
    monkeypatch.setattr(batch, "PLAIN", True)
    made.append(Posterior(model, random_log(), unknowns, noise=0.5, window=0.2, hold="linear", particles=4))
    together, alone = made
    assert together.batch.size == 4 and alone.batch.size == 1
    z = together.prior_draws(6, seed=3)
    z[0, :10] = together.coordinates_of(together.problem.unknowns.guess)[:10]
    for a, b in zip(together.logp_and_grad(z), alone.logp_and_grad(z), strict=True):
        assert np.isfinite(a).all() and np.abs(a - b).max() <= 1e-12 * np.abs(b).max()
    for a, b in zip(together.normal(z[:3]), alone.normal(z[:3]), strict=True):
        assert np.abs(a - b).max() <= 1e-12 * np.abs(b).max()
    rng, grad = np.random.default_rng(0), together.logp_and_grad(z)[1]
    for k in range(3):
        way = rng.normal(size=together.dim) * (np.arange(together.dim) < together.np)
        errors = []
        for h in (1e-4, 1e-5, 1e-6):
            up, down = together.logp_and_grad(z[k] + np.array([[h], [-h]]) * way)[0]
            errors.append(abs((up - down) / (2 * h) - grad[k] @ way) / np.abs(grad[k] * way).sum())
        assert min(errors) < 1e-6
    again = pickle.loads(pickle.dumps(together.batch.residuals.sim))
    again.params.body_ipos[1, 2, 0] += 0.1
    before = again.params.model(0).body_ipos
    assert np.array_equal(before, together.batch.residuals.sim.params.model(0).body_ipos)
    assert again.params.model(1).body_ipos[2, 0] == again.params.body_ipos[1, 2, 0]


def test_a_point_does_not_feel_the_others(arms):
    """Bit for bit, wherever it stands in a launch; and one that means nothing is impossible, the others are not."""
    z = arms.prior_draws(3, seed=2)
    logp, grad = arms.logp_and_grad(z)
    again = arms.logp_and_grad(z[::-1])
    assert np.array_equal(again[0][::-1], logp) and np.array_equal(again[1][::-1], grad)
    z[1, 0] = 800.0
    broken = arms.logp_and_grad(z)
    assert broken[0][1] == -np.inf and not broken[1][1].any()
    assert np.array_equal(broken[0][[0, 2]], logp[[0, 2]]) and np.array_equal(broken[1][[0, 2]], grad[[0, 2]])


def test_what_means_nothing_is_refused():
    model, log = two_masses.model(), two_masses.log(steps=20)
    for unknowns, words in (
        (["body_mass:left"], "body_mass:left: got no prior, allowed: prior="),
        ({"body_mass:left": Uniform(-2.0, -1.0)}, "leaves nothing between its bounds"),
        ({"body_mass:left": (1.0, 0.1, 2.0)}, "allowed: .mean, standard deviation., Normal"),
        ({"body_mass:left": (1.0, -0.1)}, "a positive standard deviation"),
        ({"body_mass:lefd": (1.0, 0.1)}, "fits nothing"),
    ):
        with pytest.raises(ValueError, match=words):
            Posterior(model, log, unknowns, noise=1.0, start="known")
    with pytest.raises(ValueError, match="allowed in a fit: Normal"):
        fit(model, log, [Unknown("body_mass:left", prior=LogNormal(None, 0.1))], window=0.1, noise=1.0, held_out=0)
    for make in (lambda: Normal(0.0, 0.0), lambda: LogNormal(-1.0, 0.1), lambda: Uniform(2.0, 1.0)):
        with pytest.raises(ValueError, match="prior: got"):
            make()


def test_coordinates_and_priors():
    """Slopes and curvatures against differences; there and back; densities of z are those of x times |dx/dz|."""
    bounds = Coordinates([0.5, -np.inf, -2.0, -np.inf], [np.inf, 3.0, 1.0, np.inf], [1.0, 1.0, 1.0, 0.2])
    z, h = np.array([0.3, -0.7, 1.1, 0.4]), 1e-5
    x, first, second, size, slope = bounds.back(z)
    up, down = bounds.back(z + h), bounds.back(z - h)
    assert np.allclose(bounds.to(x), z) and np.allclose(size, np.log(np.abs(first)))
    assert np.allclose((up[0] - down[0]) / (2 * h), first, rtol=1e-8)
    assert np.allclose((up[1] - down[1]) / (2 * h), second, rtol=1e-7, atol=1e-9)
    assert np.allclose((up[3] - down[3]) / (2 * h), slope, rtol=1e-8, atol=1e-10)
    assert np.isfinite(bounds.back(np.array([-900.0, 900.0, 900.0, 5.0]))[3]).all()
    for prior in (Normal(1.0, 0.3), LogNormal(1.2, 0.4)):
        value, slope, curve = prior.value(1.3)
        assert abs((prior.value(1.3 + h)[0] - prior.value(1.3 - h)[0]) / (2 * h) - slope) < 1e-8
        assert abs((prior.value(1.3 + h)[1] - prior.value(1.3 - h)[1]) / (2 * h) - curve) < 1e-8
    with pytest.raises(ValueError, match="1000 draws were outside of 9 to 10"):
        Normal(0.0, 1.0).draw(np.random.default_rng(0), 9.0, 10.0)


class Known:
    """A distribution whose moments are known: normals of unequal width and correlation about the rows of `modes`."""

    def __init__(self, modes, covariance):
        self.modes, self.inverse = np.atleast_2d(modes), np.linalg.inv(covariance)
        self.dim = self.np = self.modes.shape[1]
        self.names = [f"x{k}" for k in range(self.dim)]

    def numbers(self, z):
        return z

    def logp_and_grad(self, z):
        off = z[:, None] - self.modes
        each = -0.5 * np.einsum("nkd,de,nke->nk", off, self.inverse, off)
        share = np.exp(each - each.max(axis=1, keepdims=True))
        logp = each.max(axis=1) + np.log(share.sum(axis=1))
        share /= share.sum(axis=1, keepdims=True)
        return logp, -np.einsum("nk,nkd,de->ne", share, off, self.inverse)

    def normal(self, z):
        return *self.logp_and_grad(z), np.tile(self.inverse, (len(z), 1, 1))

    def prior_draws(self, n, seed=0):
        return np.random.default_rng(seed).normal(size=(n, self.dim))

    def descended(self, z):
        return z


COVARIANCE = np.array([[1.0, 0.0, 0.0], [0.0, 0.04, 0.03], [0.0, 0.03, 9.0]])


@pytest.mark.parametrize("mass", ("dense", "diagonal", "laplace"))
def test_nuts_draws_a_normal(mass):
    """Means, covariances and quantiles within what so many effective draws allow."""
    known = Known([0.5, -1.0, 2.0], COVARIANCE)
    got = nuts(known, 600, 200, 4, seed=1, mass=mass, init=np.full((4, 3), 3.0))
    sd = np.sqrt(np.diag(COVARIANCE))
    assert got.rhat.max() < 1.02 and got.divergent == 0 and (got.ess > 500).all() and not got.warnings()
    assert (np.abs(got.values - known.modes[0]) < 4 * sd / np.sqrt(got.ess)).all()
    x = got.numbers.reshape(-1, 3)
    assert np.abs(np.cov(x.T) / np.outer(sd, sd) - COVARIANCE / np.outer(sd, sd)).max() < 0.12
    assert 0.6 < got.stats["accept"].mean() < 0.99 and got.numbers.shape == (4, 600, 3)


def test_nuts_goes_on_where_it_was_broken_off(tmp_path):
    """Bit for bit, wherever it is interrupted; the same seed is the same run, another is another."""
    known = Known([0.0, 0.0, 0.0], COVARIANCE)
    whole = nuts(known, 60, 90, 3, seed=5)
    assert np.array_equal(whole.z, nuts(known, 60, 90, 3, seed=5).z)
    assert not np.array_equal(whole.z, nuts(known, 60, 90, 3, seed=6).z)
    left = [7, 130, 31, 400]

    def interrupt(row):
        left[0] -= 1
        if left[0] == 0:
            left.pop(0)
            raise KeyboardInterrupt

    while len(left) > 1:
        with pytest.raises(KeyboardInterrupt):
            nuts(known, 60, 90, 3, seed=5, folder=tmp_path, report=interrupt)
    again = nuts(known, 60, 90, 3, seed=5, folder=tmp_path)
    assert np.array_equal(again.z, whole.z) and all(np.array_equal(again.stats[n], a) for n, a in whole.stats.items())
    with pytest.raises(ValueError, match="is of another posterior, seed or number of draws"):
        nuts(known, 60, 90, 3, seed=4, folder=tmp_path)
    with pytest.raises(ValueError, match="is of other logs, priors or noise"):
        nuts(Known([0.0, 0.1, 0.0], COVARIANCE), 60, 90, 3, seed=5, folder=tmp_path)


@pytest.mark.parametrize(("kind", "numbers"), [
    (Normal, (np.nan, 1.0)), (Normal, (0.0, np.inf)), (Normal, (0.0, 0.0)), (LogNormal, (np.inf, 0.1)),
    (LogNormal, (1.0, np.nan)), (Uniform, (0.0, np.inf)), (Uniform, (1.0, 1.0)),
])  # fmt: skip
def test_priors_that_mean_nothing(kind, numbers):
    with pytest.raises(ValueError, match="prior: got"):
        kind(*numbers)


def test_nuts_tells_divergences():
    class Cliff(Known):
        def logp_and_grad(self, z):
            logp, grad = super().logp_and_grad(z)
            return np.where(z[:, 0] > 0.5, -np.inf, logp), grad

    got = nuts(Cliff([0.0, 0.0, 0.0], COVARIANCE), 100, 50, 2, seed=0, init=np.zeros((2, 3)))
    assert got.divergent > 0 and any("paths diverged" in w for w in got.warnings())
    assert (got.numbers[:, :, 0] <= 0.5).all()
    with pytest.raises(ValueError, match="chain 1 begins where the robot cannot be simulated"):
        nuts(Cliff([0.0, 0.0, 0.0], COVARIANCE), 10, 10, 2, init=np.array([[0.0] * 3, [1.0] * 3]))


def test_chains_are_judged():
    rng = np.random.default_rng(0)
    white = rng.normal(size=(4, 1000))
    assert rhat(white) < 1.01 and 3000 < ess(white) < 5000
    assert rhat(white + np.arange(4)[:, None]) > 1.3
    assert rhat(white * np.array([1, 1, 1, 4.0])[:, None]) > 1.1  # the same mean, another width
    slow = np.zeros((4, 5000))  # x' = 0.9 x + noise: a draw is worth (1 - 0.9) / (1 + 0.9) of one
    for k in range(1, 5000):
        slow[:, k] = 0.9 * slow[:, k - 1] + rng.normal(size=4)
    assert 0.7 < ess(slow) / (20000 / 19) < 1.4


def test_svgd_finds_both_modes_and_their_widths(tmp_path):
    known = Known([[-3.0, 0.0], [3.0, 1.0]], np.diag([0.09, 0.25]))
    start = 3 * known.prior_draws(80, seed=2)
    got = svgd(known, 80, 120, init=start, folder=tmp_path)
    left = got.numbers[0, :, 0] < 0
    assert 0.2 < left.mean() < 0.8 and got.rhat.shape == (2,)
    for part, mode in ((left, known.modes[0]), (~left, known.modes[1])):
        x = got.numbers[0, part]
        assert np.abs(x.mean(axis=0) - mode).max() < 0.02
        assert np.abs(x.std(axis=0) / np.array([0.3, 0.5]) - 1).max() < 0.1
    (tmp_path / "b").mkdir()
    svgd(known, 80, 53, init=start, folder=tmp_path / "b")
    assert np.array_equal(svgd(known, 80, 120, folder=tmp_path / "b").z, got.z)
    with pytest.raises(ValueError, match="another posterior, seed or step"):
        svgd(known, 80, 120, step=0.1, folder=tmp_path)
    with pytest.raises(ValueError, match="is of other logs, priors or noise"):
        svgd(Known([[-3.0, 0.0], [3.0, 1.1]], np.diag([0.09, 0.25])), 80, 120, folder=tmp_path)


def test_worlds_are_drawn_from_data():
    """Draws become parameters of worlds, by the names of elements, of another model too."""
    post = two_masses.posterior(particles=2, steps=20)
    numbers = np.array([[0.3, 1.2], [0.5, 1.0], [0.4, 1.1]])
    sampler = post.sampler(numbers)
    other = two_masses.XML.replace('<body name="cart">', '<body name="more" pos="0 0 9"/><body name="cart">')
    sim = engine.Simulator(engine.load(two_masses.mujoco.MjModel.from_xml_string(other)), 4, own_params=True)
    before = sim.params.body_mass.copy()
    drawn = sampler.apply(sim, np.random.default_rng(0), rows=[1, 3])
    left, right = (sim.model.body_names.index(n) for n in ("left", "right"))
    assert left == two_masses.model().body_names.index("left") + 1
    assert np.array_equal(sim.params.body_mass[[1, 3]][:, [left, right]], drawn) and all(d in numbers for d in drawn)
    before[[1, 3], left], before[[1, 3], right] = drawn.T
    assert np.array_equal(sim.params.body_mass, before)  # and nothing else
    assert sampler.draw(np.random.default_rng(1)).shape == (2,)
    with pytest.raises(ValueError, match="share their parameters; allowed: Simulator.*own_params=True"):
        sampler.put(engine.Simulator(two_masses.model()), numbers[:1])
    renamed = other.replace('body name="left"', 'body name="l"')
    stranger = engine.load(two_masses.mujoco.MjModel.from_xml_string(renamed))
    with pytest.raises(ValueError, match="has a body 'left', this simulator's has not"):
        sampler.put(engine.Simulator(stranger, 1, own_params=True), numbers[:1])
    with pytest.raises(ValueError, match="got no draws"):
        post.sampler(np.zeros((0, 2)))


@pytest.mark.slow
def test_both_masses_are_found(tmp_path):
    """Exchanged masses make the same log: Laplace, chains and particles are in both places, and nowhere else."""
    post = two_masses.posterior()
    laplace = post.laplace()
    assert len(laplace.modes) == 2 and np.allclose(laplace.weights, 0.5, atol=0.01)
    chains = post.nuts(80, 40, 8, seed=1, mass="laplace", folder=tmp_path)
    particles = post.svgd(40, 40, seed=1)
    for draws in (chains, particles):
        assert isinstance(draws, Draws)
        x = draws.numbers.reshape(-1, 2)
        swapped = x[:, 0] > x[:, 1]
        assert 0.1 < swapped.mean() < 0.9, draws.how
        x = np.where(swapped[:, None], x[:, ::-1], x)
        assert (np.abs(x.mean(axis=0) - two_masses.TRUTH) < 4 * laplace.sd).all(), draws.how
        assert np.abs(np.log(x.std(axis=0) / laplace.sd)).max() < 0.4, draws.how
    assert any("several modes" in w for w in chains.warnings())
    saved = np.load(chains.save(tmp_path) / "draws.npz")
    assert np.array_equal(saved["numbers"], chains.numbers)


@pytest.mark.slow
def test_ranks_of_the_truth_are_uniform():
    """Simulation-based calibration over 200 logs (benchmarks/calibration.py)."""
    from tests.benchmarks import calibration

    found, sizes, diverged = calibration.ranks(200)
    for seen, p in calibration.judged(found):
        assert seen.sum() == 200 and p > 0.01, seen
    assert diverged < 50 and np.median(sizes) > 100  # of 51,200 paths
