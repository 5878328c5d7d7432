"""Parameters of their own for each world in torch and JAX: the numbers of one call for each world, bit for bit."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')
jax = pytest.importorskip("jax", reason='needs JAX: pip install "pullback[jax]"')

import jax.numpy as jnp  # noqa: E402

import engine  # noqa: E402
import engine.jax  # noqa: E402
import engine.torch  # noqa: E402
import scenes  # noqa: E402

jax.config.update("jax_enable_x64", True)
WORLDS = 3


@pytest.fixture(scope="module")
def case():
    """(Simulator, qpos, qvel, ctrl, masses of each world)."""
    scene = scenes.load("half_cheetah")
    sim = engine.Simulator(scene.model, WORLDS)
    rng = np.random.default_rng(0)
    sim.reset(*scene.start(rng, WORLDS))
    sim.step(200)
    masses = sim.params.body_mass * rng.uniform(0.8, 1.2, (WORLDS, scene.model.nbody))
    return sim, sim.data.qpos.copy(), sim.data.qvel.copy(), rng.uniform(-0.5, 0.5, (WORLDS, scene.model.nu)), masses


def in_torch(sim, qpos, qvel, ctrl, mass, **options):
    """(qpos after, gradient of its sum by mass)."""
    mass = torch.tensor(mass, requires_grad=True)
    given = (torch.tensor(a) for a in (qpos, qvel))
    params = {"body_mass": mass, "dof_damping": torch.tensor(sim.model.dof_damping)}
    out = engine.torch.step(sim, *given, None, torch.tensor(ctrl), params=params, frame_skip=4, **options).qpos
    out.sum().backward()
    return out.detach().numpy(), mass.grad.numpy()


def in_jax(sim, qpos, qvel, ctrl, mass):
    def moved(mass):
        out = engine.jax.step(sim, qpos, qvel, None, ctrl, params={"body_mass": mass}, frame_skip=4).qpos
        return out.sum(), out

    (_, out), grad = jax.value_and_grad(moved, has_aux=True)(jnp.asarray(mass))
    return np.asarray(out), np.asarray(grad)


@pytest.mark.parametrize("door", (in_torch, in_jax))
def test_each_world_is_a_call_of_its_own(case, door):
    sim, *arrays = case
    out, grad = door(sim, *arrays)
    assert grad.shape == arrays[-1].shape and np.all(np.abs(grad[:, 1:]).sum(axis=1) > 0)
    for w in range(WORLDS):
        its, its_grad = door(sim, *(a[w] for a in arrays))
        assert np.array_equal(its, out[w]) and np.array_equal(its_grad, grad[w])


def test_of_the_simulator(case):
    """Masses that the simulator has, world by world, in a call that names none of them."""
    sim, qpos, qvel, ctrl, mass = case
    own = engine.Simulator(sim.model, WORLDS, own_params=True)
    own.params.body_mass[:] = mass
    step = engine.torch.step(own, *(torch.tensor(a) for a in (qpos, qvel)), None, torch.tensor(ctrl), frame_skip=4)
    expected = in_torch(sim, qpos, qvel, ctrl, mass)[0]
    assert np.array_equal(step.qpos.numpy(), expected)
    assert np.array_equal(engine.jax.step(own, qpos, qvel, None, ctrl, frame_skip=4).qpos, expected)
    with pytest.raises(ValueError, match=r"qpos: got 2 world\(s\), allowed: 3, since each"):
        engine.jax.step(own, qpos[:2], qvel[:2], None, ctrl[:2])


def test_a_diverged_world_leaves_the_others_theirs(case):
    sim, qpos, qvel, ctrl, mass = case
    wild = np.array(qvel)
    wild[1] = 1e12
    given = [torch.tensor(a) for a in (qpos, wild)]
    tensor = torch.tensor(mass, requires_grad=True)
    out, diverged = engine.torch.step(
        sim, *given, None, torch.tensor(ctrl), params={"body_mass": tensor}, frame_skip=4, on_divergence="mask"
    )
    out.qpos.sum().backward()
    assert diverged.tolist() == [False, True, False] and not tensor.grad[1].any()
    expected, grad = in_torch(sim, qpos, qvel, ctrl, mass)
    for w in (0, 2):
        assert np.array_equal(out.qpos[w].detach(), expected[w]) and np.array_equal(tensor.grad[w], grad[w])


def test_mapped(case):
    sim, qpos, qvel, ctrl, mass = case
    expected = in_jax(sim, qpos, qvel, ctrl, mass)[0]
    many = jax.vmap(lambda m: engine.jax.step(sim, qpos, qvel, None, ctrl, params={"body_mass": m}, frame_skip=4).qpos)
    assert np.array_equal(many(jnp.stack([mass, mass]))[1], expected)
    call = torch.vmap(
        lambda q: engine.torch.step(
            sim, q, torch.tensor(qvel), None, torch.tensor(ctrl), params={"body_mass": torch.tensor(mass)}
        ).qpos
    )
    with pytest.raises(NotImplementedError, match="vmap over a call in which worlds have parameters of their own"):
        call(torch.tensor(np.stack([qpos, qpos])))


def test_what_follows_from_masses(case):
    """Calls after set_const have its constants, whatever was called before; the gradient of an earlier call has those
    that it went by."""
    sim, qpos, qvel, ctrl, mass = case
    own = engine.Simulator(sim.model, WORLDS, own_params=True)
    given = [torch.tensor(a) for a in (qpos, qvel)]
    call = lambda sim, v=given[1]: engine.torch.step(sim, given[0], v, None, torch.tensor(ctrl), frame_skip=4).qpos  # noqa: E731
    in_jax = lambda sim: engine.jax.step(sim, qpos, qvel, None, ctrl, frame_skip=4).qpos  # noqa: E731
    own.params.body_mass[:] = 3.0 * mass
    before, by = call(own), torch.tensor(qvel, requires_grad=True)
    assert np.array_equal(in_jax(own), before)
    earlier, later = call(own, by).sum(), call(own, by).sum()
    (expected,) = torch.autograd.grad(earlier, by)
    own.set_const()
    fresh = engine.Simulator(sim.model, WORLDS, own_params=True)
    fresh.params.body_mass[:] = 3.0 * mass
    fresh.set_const()
    assert not torch.equal(call(fresh), before) and torch.equal(call(own), call(fresh))
    assert np.array_equal(in_jax(own), call(fresh))
    assert torch.equal(torch.autograd.grad(later, by)[0], expected)
    assert not torch.equal(torch.autograd.grad(call(own, by).sum(), by)[0], expected)


def test_parameters_that_mean_nothing_are_refused(case):
    """As those of the simulator's own steps, whether a call is given them or the simulator has them."""
    sim, qpos, qvel, ctrl, mass = case
    wrong, nan = mass.copy(), mass.copy()
    wrong[1, 2], nan[0, 1] = -1.0, np.nan
    for door in (in_torch, in_jax):
        with pytest.raises(Exception, match=r"params.body_mass: entry \(1, 2\) is -1.0, allowed: zero or more"):
            door(sim, qpos, qvel, ctrl, wrong)
        with pytest.raises(Exception, match=r"params.body_mass: entry \(0, 1\) is nan, allowed: finite numbers"):
            door(sim, qpos, qvel, ctrl, nan)
    own = engine.Simulator(sim.model, WORLDS, own_params=True)
    own.params.body_mass[:] = wrong
    with pytest.raises(ValueError, match=r"params.body_mass: entry \(1, 2\)"):
        engine.torch.step(own, *(torch.tensor(a) for a in (qpos, qvel)), None, torch.tensor(ctrl))
    with pytest.raises(ValueError, match="params.body_mass"):
        engine.jax.step(own, qpos, qvel, None, ctrl)
    with pytest.raises(ValueError, match="ctrl: got complex128, allowed: real numbers"):
        engine.jax.step(sim, qpos, qvel, None, ctrl + 0j)
