"""engine.torch: gradients against differences and against the tape, purity, windows, threads, memory, refusals."""

import gc
import sys
import threading

import mujoco
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import engine  # noqa: E402
import engine.torch  # noqa: E402
import scenes  # noqa: E402
from engine.diff.tape import Tape  # noqa: E402
from tests import zoo  # noqa: E402


def tensor(array, grad=True):
    return torch.tensor(np.asarray(array), dtype=torch.float64, requires_grad=grad)


def settled(name, worlds=2, steps=60, seed=0):
    """(Simulator, qpos, qvel, ctrl) of a scene that has fallen to the ground and stirs, with contacts."""
    scene = scenes.load(name)
    sim = engine.Simulator(scene.model, worlds)
    rng = np.random.default_rng(seed)
    sim.reset(*scene.start(rng, worlds))
    sim.data.ctrl[:] = rng.uniform(-0.5, 0.5, sim.data.ctrl.shape)
    sim.step(steps * scene.frame_skip)
    assert (sim.data.ncon > 0).all()
    return sim, sim.data.qpos.copy(), sim.data.qvel.copy(), rng.uniform(-0.5, 0.5, (worlds, scene.model.nu))


def zoo_case(simulators, xml, integrator, seed, touching):
    """(Simulator, state) of a model of the zoo; `touching`: with a contact."""
    mj, sim = simulators(xml, integrator)
    rng = np.random.default_rng(seed)
    if touching:
        return sim, zoo.touching_state(mujoco, mj, mujoco.MjData(mj), rng)
    return sim, zoo.random_state(mujoco, mj, rng)


def assert_gradcheck(function, inputs, eps=1e-6):
    assert torch.autograd.gradcheck(function, inputs, eps=eps, atol=1e-6, rtol=1e-5)


SMOOTH = ("chain", "trees", "activation", "motor on ball", "affine")


@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
@pytest.mark.parametrize("name", SMOOTH)
def test_gradcheck_without_contact(simulators, name, integrator):
    sim, state = zoo_case(simulators, zoo.SMOOTH[name], integrator, 1, touching=False)
    inputs = [tensor(x) for x in state]
    assert_gradcheck(lambda *x: engine.torch.step(sim, *x, frame_skip=2)[:3], inputs)


@pytest.mark.parametrize("cone", zoo.CONES)
@pytest.mark.parametrize("kinds", (("plane", "box"), ("capsule", "capsule"), ("sphere", "box")), ids="-".join)
def test_gradcheck_with_contact(simulators, kinds, cone):
    xml = zoo.touching(*kinds, 'friction=".6 .005 .001"', f'cone="{cone}"')
    sim, state = zoo_case(simulators, xml, 0, 4, touching=True)
    inputs = [tensor(x) for x in state]
    assert_gradcheck(lambda *x: engine.torch.step(sim, *x, frame_skip=2)[:3], inputs)


@pytest.mark.parametrize("name", ("half_cheetah", "hopper", "ant"))
def test_gradcheck_of_robots_on_the_ground(name):
    """A batch of two worlds, with the sensors as an output and two parameters as inputs."""
    sim, qpos, qvel, ctrl = settled(name)
    mass = tensor(sim.params.body_mass)
    friction = tensor(sim.params.geom_friction)

    def function(qpos, qvel, ctrl, mass, friction):
        params = {"body_mass": mass, "geom_friction": friction}
        s = engine.torch.step(sim, qpos, qvel, None, ctrl, params=params, sensordata=True)
        return s.qpos, s.qvel, s.sensordata * 0.01

    # standing contacts are strongly curved: at 1e-6 the difference, not the gradient, is off by up to 4e-3
    assert_gradcheck(function, [tensor(qpos), tensor(qvel), tensor(ctrl), mass, friction], eps=1e-7)


def test_gradcheck_of_a_rollout():
    sim, qpos, qvel, _ = settled("hopper")
    ctrl = tensor(0.3 * np.random.default_rng(2).normal(size=(4, 2, 3)))

    def function(qpos, qvel, ctrl):
        t = engine.torch.rollout(sim, qpos, qvel, None, ctrl, frame_skip=2, record_every=2, sensordata=True)
        return t.qpos, t.qvel, t.sensordata * 0.01

    assert_gradcheck(function, [tensor(qpos), tensor(qvel), ctrl])


# ----------------------------------------------------------------------------------------------------- the tape


@pytest.fixture(scope="module", params=("half_cheetah", "ant"))
def taped(request):
    """A rollout and its gradients by Tape: (sim, start, controls, trajectory, cotangents, gradients)."""
    sim, qpos, qvel, _ = settled(request.param, worlds=3)
    rng = np.random.default_rng(3)
    ctrl = rng.uniform(-1, 1, (6, 3, sim.model.nu))
    sim.reset(qpos, qvel)
    tape = Tape(sim, 6, frame_skip=3)
    t = tape.rollout(ctrl)
    bars = {n: rng.normal(size=getattr(t, n).shape) for n in ("qpos", "qvel", "sensordata")}
    return tape, (qpos, qvel), ctrl, t, bars, tape.backward(**bars)


@pytest.mark.parametrize("budget", ("all", "repeated"))
def test_a_rollout_equals_the_tape_bit_for_bit(taped, budget):
    tape, start, ctrl, t, bars, grads = taped
    sim = tape.sim
    qpos, qvel, u = tensor(start[0]), tensor(start[1]), tensor(ctrl)
    params = {n: tensor(sim.params[n]) for n in ("body_mass", "gravity", "actuator_gear", "geom_friction")}
    memory = "1GiB" if budget == "all" else tape.fixed_bytes + 40000
    found = engine.torch.rollout(
        sim, qpos, qvel, None, u, frame_skip=3, sensordata=True, params=params, memory=memory
    )  # fmt: skip
    for name in bars:
        np.testing.assert_array_equal(getattr(found, name).detach(), getattr(t, name))
    sum((getattr(found, n) * tensor(b)).sum() for n, b in bars.items()).backward()
    np.testing.assert_array_equal(qpos.grad, grads.qpos0)
    np.testing.assert_array_equal(qvel.grad, grads.qvel0)
    np.testing.assert_array_equal(u.grad, grads.ctrl)
    for name, p in params.items():
        np.testing.assert_array_equal(p.grad, grads.model[name])


def test_a_chain_of_steps_equals_the_tape(taped):
    tape, start, ctrl, t, bars, _ = taped
    grads = tape.backward(qpos=bars["qpos"], qvel=bars["qvel"])
    qpos, qvel, u = tensor(start[0]), tensor(start[1]), tensor(ctrl)
    mass = tensor(tape.sim.params.body_mass)
    found = engine.torch.rollout(
        tape.sim, qpos, qvel, None, lambda t, *state: u[t], steps=6, frame_skip=3, params={"body_mass": mass}
    )  # fmt: skip
    np.testing.assert_allclose(found.qpos.detach(), t.qpos, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(found.ctrl.detach(), ctrl)
    ((found.qpos * tensor(bars["qpos"])).sum() + (found.qvel * tensor(bars["qvel"])).sum()).backward()
    # every step starts the solver afresh, so the last bits differ
    for a, b in ((qpos.grad, grads.qpos0), (qvel.grad, grads.qvel0), (u.grad, grads.ctrl),
                 (mass.grad, grads.model["body_mass"])):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10 * np.abs(b).max())


def test_records_between_rows_and_the_end_alone(taped):
    """record_every, and the last row's sensors of a step, are those of the whole trajectory."""
    tape, start, ctrl, t, bars, _ = taped
    args = tape.sim, tensor(start[0]), tensor(start[1]), None
    rows = engine.torch.rollout(*args, tensor(ctrl), frame_skip=3, record_every=3, sensordata=True)
    np.testing.assert_array_equal(rows.sensordata.detach(), t.sensordata[::3])
    np.testing.assert_array_equal(rows.qvel.detach(), t.qvel[::3])
    first = engine.torch.step(*args, tensor(ctrl[0]), frame_skip=3, sensordata=True)
    one = engine.torch.rollout(*args, tensor(ctrl[:1]), frame_skip=3, sensordata=True)
    np.testing.assert_array_equal(first.sensordata.detach(), one.sensordata[1].detach())
    np.testing.assert_array_equal(first.qpos.detach(), one.qpos[1].detach())


# ------------------------------------------------------------------------------------------------------- purity


def chain(sim, qpos, qvel, ctrl, steps=4):
    state = (qpos, qvel, None)
    for _ in range(steps):
        state = engine.torch.step(sim, *state[:3], ctrl)
    return state


def test_backward_does_not_depend_on_what_ran_since():
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    before = sim.data.qpos.copy()

    def gradient(disturb):
        x = [tensor(a) for a in (qpos, qvel, ctrl)]
        end = chain(sim, *x)
        mass = sim.params.body_mass.copy()
        if disturb:
            other = chain(sim, tensor(qpos + 0.1), tensor(qvel), tensor(-ctrl))
            other.qpos.sum().backward()
            sim.params.body_mass[:] *= 2
            sim.step(3)
            x[2].data *= 1  # the caller's memory is not read again
        (end.qpos.sum() + end.qvel.square().sum()).backward()
        sim.params.body_mass[:] = mass
        return [a.grad for a in x]

    plain = gradient(False)
    np.testing.assert_array_equal(sim.data.qpos, before)  # the simulator itself did not move
    for a, b in zip(plain, gradient(True), strict=True):
        assert torch.equal(a, b)


def test_the_same_arguments_give_the_same_bits():
    sim, qpos, qvel, ctrl = settled("ant")
    x = [tensor(a) for a in (qpos, qvel, ctrl)]
    first = chain(sim, *x)
    chain(sim, tensor(qpos), tensor(2 * qvel), tensor(ctrl))
    again = chain(sim, *x)
    assert torch.equal(first.qpos, again.qpos) and torch.equal(first.qvel, again.qvel)


def test_outputs_may_be_changed_in_place():
    """As an environment does that resets some worlds."""
    sim, qpos, qvel, ctrl = settled("ant")
    u = tensor(ctrl)
    s = engine.torch.step(sim, tensor(qpos), tensor(qvel), None, u)
    new = s.qpos * 1.0
    s.qpos[0] = tensor(qpos[0])
    end = engine.torch.step(sim, s.qpos, s.qvel, None, u)
    (end.qpos.sum() + new.sum()).backward()
    assert torch.isfinite(u.grad).all()


def test_leading_axes_are_worlds():
    sim, qpos, qvel, ctrl = settled("ant", worlds=4)
    flat = [tensor(a) for a in (qpos, qvel, ctrl)]
    folded = [tensor(a.reshape(2, 2, -1)) for a in (qpos, qvel, ctrl)]
    one = [tensor(a[3]) for a in (qpos, qvel, ctrl)]
    for x in (flat, folded, one):
        chain(sim, *x, steps=2).qvel.square().sum().backward()
    for a, b, c in zip(flat, folded, one, strict=True):
        assert torch.equal(a.grad.reshape(b.shape), b.grad) and torch.equal(a.grad[3], c.grad)


def test_float32_tensors():
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    u = torch.tensor(ctrl, dtype=torch.float32, requires_grad=True)
    s = engine.torch.step(sim, torch.tensor(qpos), torch.tensor(qvel), None, u)
    assert s.qpos.dtype == torch.float64
    s.qpos.sum().backward()
    exact = tensor(u.detach().double())
    engine.torch.step(sim, tensor(qpos), tensor(qvel), None, exact).qpos.sum().backward()
    assert u.grad.dtype == torch.float32 and torch.equal(u.grad, exact.grad.float())


# ------------------------------------------------------------------------------------------ graphs as in torch


def test_second_derivatives_raise():
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    u = tensor(ctrl)
    end = engine.torch.step(sim, tensor(qpos), tensor(qvel), None, u)
    (g,) = torch.autograd.grad(end.qpos.sum(), u, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivatives"):
        torch.autograd.grad((g.square() + u.square()).sum(), u)
    end = engine.torch.step(sim, tensor(qpos), tensor(qvel), None, u)
    (g,) = torch.autograd.grad(end.qpos.sum(), u, create_graph=True)
    with pytest.raises(RuntimeError, match="second derivatives"):
        g.sum().backward()


def test_a_graph_is_freed_and_can_be_retained():
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    u = tensor(ctrl)
    loss = chain(sim, tensor(qpos), tensor(qvel), u).qpos.sum()
    loss.backward(retain_graph=True)
    first = u.grad.clone()
    loss.backward()
    assert torch.equal(u.grad, 2 * first)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_windows():
    """detach() between windows: the gradient is the sum of the windows' own."""
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    u = tensor(np.tile(ctrl, (6, 1, 1)))
    state, loss = (tensor(qpos), tensor(qvel), None), 0.0
    starts = []
    for t in range(6):
        if t % 3 == 0:
            state = [x if x is None else x.detach() for x in state[:3]]
            starts.append(state)
        state = engine.torch.step(sim, *state[:3], u[t])
        loss = loss + state.qvel.square().sum()
    loss.backward()
    for k, start in enumerate(starts):
        v = tensor(np.tile(ctrl, (3, 1, 1)))
        t = engine.torch.rollout(sim, *start, lambda t, *state, v=v: v[t], steps=3)
        t.qvel[1:].square().sum().backward()
        np.testing.assert_allclose(u.grad[3 * k : 3 * k + 3], v.grad, rtol=1e-12, atol=1e-12)


def test_only_what_needs_a_gradient_gets_one():
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    u = tensor(ctrl)
    s = engine.torch.step(sim, tensor(qpos, False), tensor(qvel, False), None, u)
    assert s.qpos.requires_grad
    s.qpos.sum().backward()
    assert u.grad.abs().max() > 0
    plain = engine.torch.step(sim, tensor(qpos, False), tensor(qvel, False), None, tensor(ctrl, False))
    assert plain.qpos.grad_fn is None
    with torch.no_grad():
        assert not engine.torch.step(sim, tensor(qpos), tensor(qvel), None, u).qpos.requires_grad


def test_backward_in_other_threads():
    sim, qpos, qvel, ctrl = settled("ant")

    def gradient(scale, out, key):
        u = tensor(scale * ctrl)
        for _ in range(10):
            u.grad = None
            chain(sim, tensor(qpos), tensor(qvel), u).qvel.square().sum().backward()
        out[key] = u.grad

    alone, together = {}, {}
    for k in range(3):
        gradient(0.1 * k, alone, k)
    threads = [threading.Thread(target=gradient, args=(0.1 * k, together, k)) for k in range(3)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(torch.equal(alone[k], together[k]) for k in alone)


# ------------------------------------------------------------------------------------------------------- memory


def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_no_growth_over_ten_thousand_steps():
    scene = scenes.load("cartpole")
    sim = engine.Simulator(scene.model, 8)
    qpos, qvel = (torch.from_numpy(a) for a in scene.start(0, 8))
    u = tensor(np.zeros((8, 1)))

    def run(n):
        state = (qpos, qvel, None)
        for _ in range(n):
            state = engine.torch.step(sim, *state[:3], u)
        return state

    def tensors():
        gc.collect()
        return sum(issubclass(type(o), torch.Tensor) for o in gc.get_objects())

    def least_growth(work, blocks=3):
        """Of several blocks of work the smallest growth: a leak shows in each block, an allocator's hoard does not."""
        sizes = [resident()]
        for _ in range(blocks):
            work()
            sizes.append(resident())
        return min(np.diff(sizes))

    with torch.no_grad():
        run(200)
        count = tensors()
        assert least_growth(lambda: run(10_000)) < 1 << 20
        assert tensors() == count

    # with a graph, and windows: freed as they go
    def learn():
        for _ in range(20):
            run(25).qpos.sum().backward()

    learn()
    count = tensors()
    assert least_growth(learn) < 1 << 18
    assert tensors() == count


def test_a_long_graph_is_walked_and_freed():
    scene = scenes.load("pendulum")
    sim = engine.Simulator(scene.model)
    u = tensor(np.zeros((1, 1)))
    state = (tensor([[0.3]], False), tensor([[0.0]], False), None)
    for _ in range(5000):
        state = engine.torch.step(sim, *state[:3], u)
    state.qpos.sum().backward()
    grad = u.grad.clone()
    sim.reset([[0.3]])
    tape = Tape(sim, 5000)
    tape.rollout(np.zeros((5000, 1, 1)))
    bar = np.zeros((5001, 1, 1))
    bar[-1] = 1
    np.testing.assert_allclose(grad, tape.backward(qpos=bar).ctrl.sum(axis=0), rtol=1e-9)


def test_sizes_that_are_kept_are_few():
    scene = scenes.load("pendulum")
    sim = engine.Simulator(scene.model)
    x = tensor(np.zeros((20, 1)))
    for n in range(1, 21):
        engine.torch.step(sim, x[:n], x[:n], None, x[:n])
    assert len(sim._pure) <= 8


# ----------------------------------------------------------------------------------------------------- refusals


def refused(error, match, sim, **changes):
    scene = scenes.load("half_cheetah")
    q, v = scene.start(0, 2)
    args = {"qpos": tensor(q), "qvel": tensor(v), "act": None, "ctrl": tensor(np.zeros((2, 6)))} | changes
    with pytest.raises(error, match=match):
        engine.torch.step(sim, **args)


def test_bad_input_is_named():
    sim = engine.Simulator(scenes.load("half_cheetah").model, 2)
    zeros = np.zeros((2, 6))
    nan = zeros.copy()
    nan[1, 2] = np.nan
    refused(ValueError, r"ctrl: got shape \(2, 5\), allowed: \(2, 6\)", sim, ctrl=tensor(zeros[:, :5]))
    refused(TypeError, "ctrl: got NoneType", sim, ctrl=None)
    refused(ValueError, r"ctrl: entry \(0, 1, 2\) is nan", sim, ctrl=tensor(nan))
    refused(TypeError, "qpos: got ndarray", sim, qpos=np.zeros((2, 9)))
    refused(ValueError, "qvel: got torch.int64", sim, qvel=torch.zeros(2, 9, dtype=torch.int64))
    refused(ValueError, "qvel: got a tensor on meta", sim, qvel=torch.zeros(2, 9, device="meta"))
    refused(ValueError, "no differentiable parameter 'geom_rgba'; there are: gravity", sim, params={"geom_rgba": None})
    refused(ValueError, "params.'body_mass'.: got shape", sim, params={"body_mass": tensor(np.ones(3))})
    refused(ValueError, "frame_skip: got 0", sim, frame_skip=0)
    with pytest.raises(TypeError, match="sim: got str"):
        engine.torch.step("half_cheetah", None, None)
    sim.data.qfrc_applied[0, 0] = 1.0
    refused(ValueError, "qfrc_applied is not zero", sim)


def test_a_model_without_sensors_has_no_sensordata():
    sim = engine.Simulator(scenes.load("cartpole").model)
    if sim.model.nsensordata == 0:
        with pytest.raises(ValueError, match="no sensors"):
            engine.torch.step(sim, torch.zeros(1, 2), torch.zeros(1, 2), None, torch.zeros(1, 1), sensordata=True)


def test_divergence_is_raised_and_the_next_call_is_well():
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    fast = qvel.copy()
    fast[1, 3] = 1e9
    with pytest.raises(engine.DivergenceError, match="world 1"):
        engine.torch.rollout(sim, tensor(qpos), tensor(fast), None, lambda t, *s: tensor(ctrl), steps=50)
    assert torch.isfinite(engine.torch.step(sim, tensor(qpos), tensor(qvel), None, tensor(ctrl)).qpos).all()


def test_cotangents_that_are_not_finite_are_refused():
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    s = engine.torch.step(sim, tensor(qpos), tensor(qvel), None, tensor(ctrl))
    with pytest.raises(ValueError, match="cotangent of qpos"):
        (s.qpos * np.nan).sum().backward()
