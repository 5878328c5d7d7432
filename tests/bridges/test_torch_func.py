"""engine.torch among torch's other ways to differentiate, to map, to compile, and among its floating types."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import torch.autograd.forward_ad as forward_ad  # noqa: E402

import engine  # noqa: E402
import engine.torch  # noqa: E402
from tests.bridges.test_torch import settled, tensor  # noqa: E402

WORLDS = 3
FORWARD = "engine.torch: forward-mode derivatives"


@pytest.fixture(scope="module")
def case():
    """(function of qpos, qvel, ctrl, masses -> loss, arguments, their gradients by backward)."""
    sim, qpos, qvel, ctrl = settled("half_cheetah", worlds=WORLDS)
    arguments = [tensor(a, False) for a in (qpos, qvel, ctrl, sim.params.body_mass)]

    def loss(qpos, qvel, ctrl, mass):
        s = engine.torch.step(sim, qpos, qvel, None, ctrl, params={"body_mass": mass}, frame_skip=2, sensordata=True)
        return s.qpos.square().sum() + s.qvel.square().sum() + 0.01 * s.sensordata.sum()

    wanted = [a.clone().requires_grad_() for a in arguments]
    return loss, arguments, torch.autograd.grad(loss(*wanted), wanted)


def equal(found, wanted):
    return all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_grad_and_vjp(case):
    loss, arguments, wanted = case
    assert equal(torch.func.grad(loss, (0, 1, 2, 3))(*arguments), wanted)
    one = torch.ones((), dtype=torch.float64)
    value, back = torch.func.vjp(loss, *arguments)
    assert equal(back(one), wanted) and torch.equal(value, loss(*arguments))
    with torch.no_grad():
        assert equal(back(one), wanted)


@pytest.mark.parametrize("masses", ("shared", "own"))
def test_vmap_of_grad_maps_to_worlds(case, masses, monkeypatch):
    """One launch for all, unless each has parameters of its own; the same numbers as the batch."""
    loss, (qpos, qvel, ctrl, mass), wanted = case
    launches, pure_rollout = [], engine.torch.call.pure_rollout

    def counted(sim, worlds, **options):
        launches.append(worlds)
        return pure_rollout(sim, worlds, **options)

    monkeypatch.setattr(engine.torch.call, "pure_rollout", counted)
    shared = masses == "shared"
    each = torch.func.vmap(torch.func.grad(loss, (0, 1, 2, 3)), in_dims=(0, 0, 0, None if shared else 0))
    found = each(qpos, qvel, ctrl, mass if shared else mass.expand(WORLDS, -1))
    assert equal(found[:3], wanted[:3]) and torch.equal(found[3].sum(0), wanted[3])
    assert found[3].shape == (WORLDS, len(mass)) and launches.count(WORLDS) == (2 if shared else 0)
    summed = torch.func.grad(
        lambda *a: torch.func.vmap(loss, in_dims=(0, 0, 0, None))(*a).sum(), (0, 1, 2, 3)
    )  # fmt: skip
    assert equal(summed(qpos, qvel, ctrl, mass), wanted)
    again = torch.func.vmap(each, in_dims=(0, None, None, None))(
        torch.stack([qpos, 0.5 * qpos]), qvel, ctrl, mass if shared else mass.expand(WORLDS, -1)
    )
    assert equal([a[0] for a in again], found)


def test_jacrev_and_a_rollout_in_a_map(case):
    sim, qpos, qvel, ctrl = settled("half_cheetah", worlds=WORLDS)
    q, v, u = (tensor(a, False) for a in (qpos, qvel, ctrl))
    end = lambda u, q, v: engine.torch.step(sim, q, v, None, u).qvel  # noqa: E731
    whole = torch.func.jacrev(end)(u, q, v)
    assert torch.equal(whole, torch.autograd.functional.jacobian(lambda u: end(u, q, v), u))
    each = torch.func.vmap(torch.func.jacrev(end))(u, q, v)
    assert torch.equal(each, torch.stack([whole[w, :, w] for w in range(WORLDS)]))
    controls = torch.stack([u, -u])

    def rolled(q, v, u):
        t = engine.torch.rollout(sim, q, v, None, u, sensordata=True)
        return t.qpos.square().sum() + t.sensordata[:, 0].sum()

    together = [a.clone().requires_grad_() for a in (q, v, controls)]
    wanted = torch.autograd.grad(sum(rolled(*(a[..., w, :] for a in together)) for w in range(WORLDS)), together)
    found = torch.func.vmap(torch.func.grad(rolled, (0, 1, 2)), in_dims=(0, 0, 1), out_dims=(0, 0, 1))(q, v, controls)
    assert equal(found, wanted)


def test_forward_mode_raises_by_name(case):
    """It dropped the tangent where no gradient was recorded."""
    loss, (qpos, qvel, ctrl, mass), _ = case
    f = lambda u: loss(qpos, qvel, u, mass)  # noqa: E731
    for need in (False, True):
        with forward_ad.dual_level(), pytest.raises(NotImplementedError, match=FORWARD):
            f(forward_ad.make_dual(ctrl.clone().requires_grad_(need), torch.ones_like(ctrl)))
    with forward_ad.dual_level():  # others may be dual
        assert torch.equal(f(ctrl), f(ctrl.clone()))
    with pytest.raises(NotImplementedError, match=FORWARD):
        torch.func.jvp(f, (ctrl,), (ctrl,))
    with pytest.raises(NotImplementedError, match=FORWARD):
        torch.func.jacfwd(f)(ctrl)
    with pytest.raises(NotImplementedError, match=FORWARD):
        torch.func.hessian(f)(ctrl)


def test_second_derivatives_raise_by_name(case):
    loss, (qpos, qvel, ctrl, mass), _ = case
    f = lambda u: loss(qpos, qvel, u, mass)  # noqa: E731
    for second in (
        lambda: torch.func.grad(lambda u: torch.func.grad(f)(u).sum())(ctrl),
        lambda: torch.func.jacrev(torch.func.jacrev(f))(ctrl),
        lambda: torch.autograd.functional.hvp(f, ctrl, ctrl),
    ):
        with pytest.raises(RuntimeError, match="second derivatives of the simulator do not exist"):
            second()


def test_compile_leaves_the_simulator_out_of_its_graphs(case):
    loss, arguments, wanted = case

    def f(qpos, qvel, ctrl, mass):
        return loss(qpos, qvel, ctrl * 1.0, mass) * 1.0

    given = [a.clone().requires_grad_() for a in arguments]
    compiled = torch.compile(f, backend="aot_eager")
    assert equal(torch.autograd.grad(compiled(*given), given), wanted)
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported, match="function step"):
        torch.compile(f, backend="aot_eager", fullgraph=True)(*given)


# ------------------------------------------------------------------------------------------------- floating types


class Policy(torch.nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.layer = torch.nn.Linear(18, 6, dtype=dtype)

    def forward(self, qpos, qvel):
        return torch.tanh(self.layer(torch.cat([qpos, qvel], -1)))


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16, torch.float16))
def test_a_policy_reads_what_its_state_became(dtype):
    """Of the second step: it died there, since the first had returned the engine's type."""
    sim, qpos, qvel, _ = settled("half_cheetah")
    start = [torch.tensor(a, dtype=dtype) for a in (qpos, qvel)]
    policy, state = Policy(dtype), [*start, None, None]
    for _ in range(3):
        state = engine.torch.step(sim, *state[:3], policy(*state[:2]), sensordata=True)
        assert {x.dtype for x in state} == {dtype}
    state.qpos.square().sum().backward()
    assert policy.layer.weight.grad.dtype == dtype and policy.layer.weight.grad.abs().max() > 0
    t = engine.torch.rollout(sim, *start, None, lambda t, q, v, a: policy(q, v), steps=2)
    assert {t.qpos.dtype, t.qvel.dtype, t.act.dtype, t.ctrl.dtype} == {dtype}


def test_autocast(case):
    sim, qpos, qvel, _ = settled("half_cheetah")
    state, policy = [torch.tensor(a, dtype=torch.float32) for a in (qpos, qvel)], Policy(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in range(2):
            ctrl = policy(*state[:2])
            assert ctrl.dtype == torch.bfloat16
            state = engine.torch.step(sim, *state[:2], None, ctrl)
    assert state.qpos.dtype == torch.float32
    state.qpos.square().sum().backward()
    assert policy.layer.weight.grad.abs().max() > 0


def test_types_that_differ(case):
    """The state's type is promoted as torch does; the numbers are those of the same values in float64."""
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    types = torch.bfloat16, torch.float32, torch.float64, torch.float16
    numbers = qpos, qvel, ctrl, sim.params.body_mass
    given = [torch.tensor(a, dtype=dtype) for a, dtype in zip(numbers, types, strict=True)]

    def gradients(q, v, u, m):
        x = [a.clone().requires_grad_() for a in (q, v, u, m)]
        s = engine.torch.step(sim, x[0], x[1], None, x[2], params={"body_mass": x[3]})
        s.qvel.sum().backward()
        return s, [a.grad for a in x]

    s, found = gradients(*given)
    exact, wanted = gradients(*(a.double() for a in given))
    assert s.qpos.dtype == s.qvel.dtype == torch.float32 and torch.equal(s.qvel, exact.qvel.float())
    assert [g.dtype for g in found] == [a.dtype for a in given]
    assert equal(found, [w.to(a.dtype) for w, a in zip(wanted, given, strict=True)])


def test_tensors_that_are_views(case):
    """A negated view, strides, an expanded world; and what is not dense is named."""
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    q, v, u = (tensor(a, False) for a in (qpos, qvel, ctrl))
    plain = engine.torch.step(sim, q, v, None, -u).qvel
    assert torch.equal(plain, engine.torch.step(sim, q, v, None, torch._neg_view(u)).qvel)
    wide = torch.stack([q, q], -1)
    assert torch.equal(plain, engine.torch.step(sim, wide[..., 1], v, None, -u).qvel)
    one = u[:1].expand(2, -1).requires_grad_()
    engine.torch.step(sim, q, v, None, one).qvel.sum().backward()
    assert one.grad.shape == u.shape
    with pytest.raises(ValueError, match="ctrl: got torch.sparse_coo, allowed: dense tensors"):
        engine.torch.step(sim, q, v, None, u.to_sparse())
    for wrong in (u.bool(), u.long(), torch.complex(u, u)):
        with pytest.raises(ValueError, match=f"ctrl: got {wrong.dtype}, allowed: floating-point tensors"):
            engine.torch.step(sim, q, v, None, wrong)


def test_how_many_steps(case):
    sim, qpos, qvel, ctrl = settled("half_cheetah")
    q, v = tensor(qpos, False), tensor(qvel, False)
    for ctrl in (None, lambda *a: None, np.zeros((0, 2, 6))):
        with pytest.raises(ValueError, match="steps: got (None|0), allowed: a whole number from 1"):
            engine.torch.rollout(sim, q, v, None, ctrl)
