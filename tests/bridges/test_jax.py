"""engine.jax: gradients against differences and against the tape, under jit, vmap and scan; refusals."""

import gc
import weakref

import numpy as np
import pytest

jax = pytest.importorskip("jax", reason='needs JAX: pip install "pullback[jax]"')

import jax.numpy as jnp  # noqa: E402
import mujoco  # noqa: E402
from jax.test_util import check_grads  # noqa: E402

import engine  # noqa: E402
import engine.jax  # noqa: E402
import scenes  # noqa: E402
from engine.diff.tape import Tape  # noqa: E402
from tests import zoo  # noqa: E402

OUTPUTS = ("qpos", "qvel", "sensordata")


@pytest.fixture(autouse=True)
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module", params=("half_cheetah", "ant"))
def taped(request):
    """(tape, start, controls, trajectory, cotangents, gradients) of a robot that lies on the ground and stirs."""
    scene = scenes.load(request.param)
    sim, rng = engine.Simulator(scene.model, 3), np.random.default_rng(3)
    sim.reset(*scene.start(rng, 3))
    sim.data.ctrl[:] = rng.uniform(-0.5, 0.5, sim.data.ctrl.shape)
    sim.step(60 * scene.frame_skip)
    assert (sim.data.ncon > 0).all()
    start = sim.data.qpos.copy(), sim.data.qvel.copy()
    sim.reset(*start)
    ctrl = rng.uniform(-1, 1, (6, 3, sim.model.nu))
    tape = Tape(sim, 6, frame_skip=3)
    t = tape.rollout(ctrl)
    bars = {n: rng.normal(size=getattr(t, n).shape) for n in OUTPUTS}
    return tape, start, ctrl, t, bars, tape.backward(**bars)


def weighed(t, bars):
    return sum((getattr(t, n) * bars[n]).sum() for n in OUTPUTS)


@pytest.mark.parametrize("budget", ("all", "repeated"))
@pytest.mark.parametrize("compiled", (True, False), ids=("jit", "eager"))
def test_a_rollout_equals_the_tape_bit_for_bit(taped, compiled, budget):
    tape, start, ctrl, t, bars, grads = taped
    memory = "1GiB" if budget == "all" else tape.fixed_bytes + 40000

    def loss(qpos, qvel, ctrl, params):
        found = engine.jax.rollout(
            tape.sim, qpos, qvel, None, ctrl, frame_skip=3, params=params, sensordata=True, memory=memory
        )  # fmt: skip
        return weighed(found, bars), found

    f = jax.grad(loss, argnums=(0, 1, 2, 3), has_aux=True)
    params = {n: tape.sim.params[n].copy() for n in ("body_mass", "gravity", "geom_friction")}
    found, trajectory = (jax.jit(f) if compiled else f)(*start, ctrl, params)
    for name in OUTPUTS:
        np.testing.assert_array_equal(getattr(trajectory, name), getattr(t, name))
    for a, b in zip(found, (grads.qpos0, grads.qvel0, grads.ctrl), strict=False):
        np.testing.assert_array_equal(a, b)
    for name in params:
        np.testing.assert_allclose(found[3][name], grads.model[name], rtol=1e-14, atol=0)


@pytest.mark.parametrize("masses", ("shared", "own"))
def test_vmap_maps_to_worlds(taped, masses, monkeypatch):
    """One launch for all, unless every one has parameters of its own; the same numbers as the batch."""
    tape, start, ctrl, _, bars, grads = taped
    mass = tape.sim.params.body_mass.copy()
    launches = []
    monkeypatch.setattr(
        engine.jax, "pure_rollout",
        lambda sim, worlds, _f=engine.jax.pure_rollout, **k: launches.append(worlds) or _f(sim, worlds, **k),
    )  # fmt: skip

    def loss(qpos, qvel, ctrl, mass, *bars):
        t = engine.jax.rollout(
            tape.sim, qpos, qvel, None, ctrl, frame_skip=3, params={"body_mass": mass}, sensordata=True
        )  # fmt: skip
        return weighed(t, dict(zip(OUTPUTS, bars, strict=True)))

    by_world = [np.moveaxis(bars[n], 1, 0) for n in OUTPUTS]
    shared = masses == "shared"
    f = jax.vmap(jax.grad(loss, argnums=(0, 1, 2, 3)), in_axes=(0, 0, 1, None if shared else 0, 0, 0, 0))
    found = jax.jit(f)(*start, ctrl, mass if shared else np.tile(mass, (3, 1)), *by_world)
    expected = grads.qpos0, grads.qvel0, np.moveaxis(grads.ctrl, 1, 0), grads.model.per_world("body_mass")
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
    assert launches.count(3) == (2 if shared else 0)

    # the sum over a mapped batch, differentiated outside the map
    total = jax.vmap(loss, in_axes=(0, 0, 1, None, 0, 0, 0))
    g = jax.grad(lambda mass: total(*start, ctrl, mass, *by_world).sum())(mass)
    np.testing.assert_allclose(g, grads.model["body_mass"], rtol=1e-12)


def test_nested_maps_and_leading_axes(taped):
    tape, start, ctrl, t, _, _ = taped
    f = lambda q, v, u: engine.jax.step(tape.sim, q, v, None, u, frame_skip=3, sensordata=True)  # noqa: E731
    plain = f(*start, ctrl[0])
    np.testing.assert_array_equal(plain.qpos, t.qpos[1])
    # two axes of controls, one of states: (2, worlds)
    mapped = jax.vmap(jax.vmap(f), in_axes=(None, None, 0))(*start, ctrl[:2])
    np.testing.assert_array_equal(mapped.qpos[0], plain.qpos)
    np.testing.assert_array_equal(mapped.sensordata[0], plain.sensordata)
    # an axis of worlds inside a map
    inside = jax.vmap(f, in_axes=(None, None, 0))(*start, ctrl[:2])
    np.testing.assert_array_equal(inside.qvel, mapped.qvel)


def test_steps_in_a_scan_equal_the_tape(taped):
    tape, start, ctrl, _, bars, _ = taped
    bar = bars["qvel"].copy()
    bar[0] = 0
    grads = tape.backward(qvel=bar)

    def loss(qpos, qvel, ctrl):
        def body(state, u):
            s = engine.jax.step(tape.sim, *state, u, frame_skip=3)
            return s[:3], s.qvel

        _, rows = jax.lax.scan(body, (qpos, qvel, jnp.zeros((3, 0))), ctrl)
        return (rows * bar[1:]).sum()

    found = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(*map(jnp.asarray, (*start, ctrl)))
    for a, b in zip(found, (grads.qpos0, grads.qvel0, grads.ctrl), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10 * np.abs(b).max())


@pytest.mark.parametrize("case", ("chain", "activation", "touching"))
def test_gradients_against_differences(simulators, case):
    rng = np.random.default_rng(4)
    if case == "touching":
        mj, sim = simulators(zoo.touching("plane", "box", 'friction=".6 .005 .001"', 'cone="elliptic"'))
        state = zoo.touching_state(mujoco, mj, mujoco.MjData(mj), rng)
    else:
        mj, sim = simulators(zoo.SMOOTH[case], 1)
        state = zoo.random_state(mujoco, mj, rng)
    f = lambda *x: engine.jax.step(sim, *x, frame_skip=2)[:3]  # noqa: E731
    check_grads(f, tuple(jnp.asarray(x) for x in state), order=1, modes=("rev",), eps=1e-6, atol=1e-6, rtol=1e-5)


def test_parameters_are_constants_of_the_trace():
    scene = scenes.load("half_cheetah")
    sim = engine.Simulator(scene.model)
    q, v = scene.start()
    v = v + 1.0
    f = lambda: engine.jax.step(sim, q, v, None, np.zeros((1, 6))).qvel  # noqa: E731
    g = jax.jit(f)
    before = g()
    sim.params.body_mass[:] *= 2
    np.testing.assert_array_equal(g(), before)
    assert np.abs(f() - before).max() > 1e-3


def test_a_large_batch_does_not_hang():
    scene = scenes.load("cartpole")
    sim = engine.Simulator(scene.model)
    x = jnp.zeros((20_000, 2))
    g = jax.jit(jax.grad(lambda x: engine.jax.step(sim, x, x, None, x[:, :1]).qpos.sum()))(x)
    assert np.isfinite(g).all()


def test_bad_input_is_named():
    scene = scenes.load("half_cheetah")
    sim = engine.Simulator(scene.model, 2)
    q, v = scene.start(0, 2)
    u = np.zeros((2, 6))
    for error, match, more in (
        (ValueError, r"ctrl: got shape \(2, 5\), allowed: shape \(2, 6\)", {"ctrl": u[:, :5]}),
        (ValueError, "ctrl: got None", {"ctrl": None}),
        (ValueError, "no differentiable parameter 'geom_size'", {"params": {"geom_size": u}}),
        (ValueError, "frame_skip: got 0", {"frame_skip": 0}),
    ):
        with pytest.raises(error, match=match):
            engine.jax.step(sim, q, v, **{"ctrl": u} | more)
    with pytest.raises(Exception, match="ctrl: entry .* is nan"):
        jax.block_until_ready(engine.jax.step(sim, q, v, None, u * np.nan))
    with jax.enable_x64(False), pytest.raises(RuntimeError, match="jax_enable_x64"):
        engine.jax.step(sim, q, v, None, u)


def test_other_derivatives_raise():
    scene = scenes.load("half_cheetah")
    sim = engine.Simulator(scene.model)
    q, v = scene.start()
    f = lambda u: engine.jax.step(sim, q, v, None, u).qvel.sum()  # noqa: E731
    u = jnp.zeros((1, 6))
    with pytest.raises(NotImplementedError, match="second derivatives"):
        jax.grad(lambda u: jax.grad(f)(u).sum())(u)
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(f, (u,), (u,))


@pytest.mark.parametrize("budget", ("all", "repeated"))
def test_forces_are_the_tapes(taped, budget):
    tape, start, ctrl, _, bars, _ = taped
    sim, rng, m = tape.sim, np.random.default_rng(6), tape.sim.model
    forces = 0.1 * rng.normal(size=(3, m.nv)), rng.normal(size=(3, m.nbody, 6))
    sim.reset(*start)
    sim.data.qfrc_applied[:], sim.data.xfrc_applied[:] = forces
    other = Tape(sim, 6, frame_skip=3)  # the shared one's gradients are those without forces
    t = other.rollout(ctrl)
    grads = other.backward(**bars)
    sim.reset()
    memory = "1GiB" if budget == "all" else tape.fixed_bytes + 40000

    def loss(ctrl, qfrc, xfrc):
        found = engine.jax.rollout(sim, *start, None, ctrl, frame_skip=3, sensordata=True, memory=memory,
                                   qfrc_applied=qfrc, xfrc_applied=xfrc)  # fmt: skip
        return weighed(found, bars), found

    found, trajectory = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))(ctrl, *forces)
    np.testing.assert_array_equal(trajectory.qpos, t.qpos)
    for a, b in zip(found, (grads.ctrl, grads.qfrc_applied, grads.xfrc_applied), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match=r"xfrc_applied: got shape \(3, 6\), allowed: shape"):
        engine.jax.step(sim, *start, None, ctrl[0], xfrc_applied=np.zeros((3, 6)))


@pytest.mark.parametrize("rolled", (False, True), ids=("step", "rollout"))
def test_worlds_that_diverge_beside_others(taped, rolled):
    """The others have outputs and gradients of a batch without them, bit for bit; theirs are finite, and zero."""
    tape, (qpos, qvel), ctrl, _, bars, _ = taped
    wild = qvel.copy()
    wild[1] = 1e9
    call, u = (engine.jax.rollout, ctrl) if rolled else (engine.jax.step, ctrl[0])
    options = {"frame_skip": 3, "sensordata": True}
    params = {"body_mass": jnp.asarray(tape.sim.params.body_mass)}

    def gradient(worlds, qvel, mapped=False, **more):
        def loss(qpos, qvel, u, params):
            out = call(tape.sim, qpos, qvel, None, u, params=params, **options, **more)
            t, diverged = out if more else (out, jnp.zeros(qpos.shape[:-1], bool))
            weight = {n: bars[n] if rolled else bars[n][1] for n in OUTPUTS}
            return sum((getattr(t, n) * weight[n][..., worlds, :]).sum() for n in OUTPUTS), (t, diverged)

        f = jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3), has_aux=True))
        return f(qpos[worlds], qvel[worlds], u[..., worlds, :], params)

    everyone = np.arange(3)
    with pytest.raises(Exception, match="world 1, control step 0"):
        jax.block_until_ready(gradient(everyone, wild))
    found, (t, diverged) = gradient(everyone, wild, on_divergence="mask")
    assert diverged.tolist() == [False, True, False]
    good = np.array([0, 2])
    wanted, (alone, _) = gradient(good, qvel)
    for n in OUTPUTS:
        assert np.isfinite(getattr(t, n)).all()
        np.testing.assert_array_equal(getattr(t, n)[..., good, :], getattr(alone, n))
    for a, b in zip(found[:3], wanted, strict=False):
        np.testing.assert_array_equal(a[..., good, :], b)
        assert not a[..., 1, :].any()
    np.testing.assert_array_equal(found[3]["body_mass"], wanted[3]["body_mass"])
    if not rolled:
        one = lambda q, v, u: call(tape.sim, q, v, None, u, on_divergence="mask")[1]  # noqa: E731
        assert jax.vmap(one)(qpos, wild, u).tolist() == [False, True, False]


def test_simulators_are_freed_and_few_sizes_kept():
    """JAX kept every one: 5 of 5."""
    scene = scenes.load("pendulum")
    x = jnp.zeros((12, 1))

    def use(sim):
        f = lambda x: engine.jax.step(sim, x, x, None, x).qpos.sum()  # noqa: E731
        f(x), jax.grad(f)(x), jax.jit(jax.vmap(jax.grad(f)))(x)
        return weakref.ref(sim)

    used = [use(engine.Simulator(scene.model)) for _ in range(5)]
    gc.collect()
    assert [there() for there in used] == [None] * 5
    sim = engine.Simulator(scene.model)
    for n in range(1, 13):
        engine.jax.step(sim, x[:n], x[:n], None, x[:n])
    assert len(sim._jax) <= 8 and len(sim._pure) <= 8
    u, there = x[:1], weakref.ref(sim)
    alone = jax.jit(lambda u: engine.jax.step(there(), u, u, None, u).qpos)
    alone(u)
    del sim
    gc.collect()
    with pytest.raises(Exception, match="simulator of this compiled function does not exist any more"):
        jax.block_until_ready(alone(u))
