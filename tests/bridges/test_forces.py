"""Forces as differentiable inputs of engine.torch, and worlds that diverge beside others that do not."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import engine  # noqa: E402
import engine.torch  # noqa: E402
from engine.diff.tape import Tape  # noqa: E402
from tests import zoo  # noqa: E402
from tests.bridges.test_torch import assert_gradcheck, settled, tensor, zoo_case  # noqa: E402


@pytest.mark.parametrize("integrator", (0, 1, 3), ids=("Euler", "RK4", "implicitfast"))
@pytest.mark.parametrize("touching", (False, True), ids=("chain", "contact"))
def test_gradcheck_of_forces(simulators, touching, integrator):
    xml = zoo.touching("capsule", "capsule", 'friction=".6 .005 .001"') if touching else zoo.SMOOTH["chain"]
    sim, state = zoo_case(simulators, xml, integrator, 4, touching)
    rng, m = np.random.default_rng(0), sim.model
    forces = tensor(0.1 * rng.normal(size=m.nv)), tensor(0.3 * rng.normal(size=(m.nbody, 6)))
    qpos, qvel, act, ctrl = (tensor(a, False) for a in state)

    def function(qfrc, xfrc):
        return engine.torch.step(
            sim, qpos, qvel, act, ctrl, frame_skip=2, qfrc_applied=qfrc, xfrc_applied=xfrc
        )[:2]  # fmt: skip

    assert_gradcheck(function, forces)


@pytest.fixture(scope="module")
def pushed():
    """(sim, qpos, qvel, controls, qfrc, xfrc, cotangents) of three ants on the ground."""
    sim, qpos, qvel, _ = settled("ant", worlds=3)
    rng, m = np.random.default_rng(5), sim.model
    arrays = rng.uniform(-1, 1, (4, 3, m.nu)), 0.1 * rng.normal(size=(3, m.nv)), rng.normal(size=(3, m.nbody, 6))
    bars = [rng.normal(size=(5, 3, n)) for n in (m.nq, m.nv, m.nsensordata)]
    return sim, qpos, qvel, *arrays, bars


@pytest.mark.parametrize("budget", ("all", "repeated"))
def test_forces_of_a_rollout_are_the_tapes(pushed, budget):
    sim, qpos, qvel, ctrl, qfrc, xfrc, bars = pushed
    sim.reset(qpos, qvel)
    sim.data.qfrc_applied[:], sim.data.xfrc_applied[:] = qfrc, xfrc
    tape = Tape(sim, 4, frame_skip=2)
    t = tape.rollout(ctrl)
    grads = tape.backward(**dict(zip(("qpos", "qvel", "sensordata"), bars, strict=True)))
    end = t.qpos.copy()
    with pytest.raises(ValueError, match="sim.data.xfrc_applied is not zero, .*; give xfrc_applied="):
        engine.torch.step(sim, tensor(qpos), tensor(qvel), None, tensor(ctrl[0]), qfrc_applied=tensor(qfrc))
    given = [tensor(a) for a in (qpos, qvel, ctrl, qfrc, xfrc)]
    memory = "1GiB" if budget == "all" else tape.fixed_bytes + 20000
    found = engine.torch.rollout(
        sim, *given[:2], None, given[2], frame_skip=2, sensordata=True, memory=memory, qfrc_applied=given[3],
        xfrc_applied=given[4],
    )  # fmt: skip
    sim.reset()
    np.testing.assert_array_equal(found.qpos.detach(), end)
    sum((a * tensor(b, False)).sum() for a, b in zip((found.qpos, found.qvel, found.sensordata), bars, strict=True)
        ).backward()  # fmt: skip
    wanted = grads.qpos0, grads.qvel0, grads.ctrl, grads.qfrc_applied, grads.xfrc_applied
    for a, b in zip(given, wanted, strict=True):
        np.testing.assert_array_equal(a.grad, b)
    assert grads.xfrc_applied[:, 1:].all() and not grads.xfrc_applied[:, 0].any()


def test_forces_in_a_map_and_bad_ones(pushed):
    sim, qpos, qvel, ctrl, _, xfrc, _ = pushed
    q, v, u, x = (tensor(a, False) for a in (qpos, qvel, ctrl[0], xfrc))
    end = lambda x, q, v, u: engine.torch.step(sim, q, v, None, u, xfrc_applied=x).qvel.square().sum()  # noqa: E731
    wanted = torch.func.grad(end)(x, q, v, u)
    assert torch.equal(torch.func.vmap(torch.func.grad(end))(x, q, v, u), wanted)
    for wrong, match in (
        (x[:, 1:], r"xfrc_applied: got shape \(3, 13, 6\), allowed: \(3, 14, 6\)"),
        (x * torch.nan, r"xfrc_applied: entry \(0, 0, 0\) is nan"),
    ):
        with pytest.raises(ValueError, match=match):
            engine.torch.step(sim, q, v, None, u, xfrc_applied=wrong)


# --------------------------------------------------------------------------------------------------- divergence


def wild(qvel, world):
    """Velocities with which this world diverges in its first step."""
    wild = qvel.copy()
    wild[world] = 1e9
    return wild


@pytest.mark.parametrize("budget", ("all", "repeated"))
def test_a_rollout_among_worlds_that_diverge(pushed, budget):
    """The others have outputs and gradients of a batch without them, bit for bit; theirs are finite, and zero."""
    sim, qpos, qvel, ctrl, qfrc, xfrc, bars = pushed
    qpos, qvel = qpos.copy(), qvel.copy()
    # world 2 flies beyond the largest coordinate in the fifth physics step, which is of control step 2
    speed = 2e8
    qpos[2, [0, 2]], qvel[2], qvel[2, 0] = (1e10 - 4.5 * speed * sim.model.opt.timestep, 100.0), 0.0, speed
    memory = "1GiB" if budget == "all" else Tape(sim, 4, frame_skip=2).fixed_bytes + 20000

    def run(worlds, qvel, ctrl, mask):
        x = [tensor(a) for a in (qpos[worlds], qvel[worlds], ctrl[:, worlds], qfrc[worlds], xfrc[worlds])]
        mass = tensor(sim.params.body_mass)
        out = engine.torch.rollout(
            sim, *x[:2], None, x[2], frame_skip=2, sensordata=True, memory=memory, params={"body_mass": mass},
            qfrc_applied=x[3], xfrc_applied=x[4], on_divergence="mask" if mask else "raise",
        )  # fmt: skip
        t, diverged = out if mask else (out, torch.zeros(len(worlds), dtype=torch.bool))
        rows = t.qpos, t.qvel, t.sensordata
        weights = [tensor(b[:, worlds], False) for b in bars]
        if mask:
            weights[0][:, 1] = torch.nan  # whatever a loss makes of them
        sum((a * b).sum() for a, b in zip(rows, weights, strict=True)).backward()
        return rows, diverged, [a.grad for a in x], mass.grad

    with pytest.raises(engine.DivergenceError, match="world 1, control step 0"):
        run([0, 1, 2], wild(qvel, 1), ctrl, False)
    rows, diverged, grads, mass = run([0, 1, 2], wild(qvel, 1), ctrl, True)
    assert diverged.tolist() == [False, True, True] and not diverged.requires_grad
    alone, _, wanted, mass_alone = run([0], qvel, ctrl, False)
    for a, b in zip(rows, alone, strict=True):
        assert torch.isfinite(a).all() and torch.equal(a[:, :1], b)
    assert torch.equal(rows[0][:, 1], tensor(qpos[1]).expand(5, -1)) and not rows[2][:, 1].any()
    short = engine.torch.rollout(sim, tensor(qpos[2:]), tensor(qvel[2:]), None, tensor(ctrl[:2, 2:]), frame_skip=2,
                                 qfrc_applied=tensor(qfrc[2:]), xfrc_applied=tensor(xfrc[2:]))  # fmt: skip
    assert torch.equal(rows[0][:3, 2:], short.qpos) and torch.equal(rows[0][3:, 2], short.qpos[2].expand(2, -1))
    assert rows[2][:2, 2].any() and not rows[2][2:, 2].any()
    for k, (a, b) in enumerate(zip(grads, wanted, strict=True)):
        own, others = (a[:, :1], a[:, 1:]) if k == 2 else (a[:1], a[1:])
        assert torch.equal(own, b) and not others.any()
    assert torch.equal(mass, mass_alone) and mass.any()


def test_steps_among_worlds_that_diverge(pushed):
    """In a loop, in a map, and where none is left."""
    sim, qpos, qvel, ctrl, *_ = pushed
    q, u = tensor(qpos), tensor(ctrl[0])
    options = {"sensordata": True, "on_divergence": "mask"}
    state = q, tensor(wild(qvel, 1))
    for _ in range(3):
        (*state, act, sensors), diverged = engine.torch.step(sim, *state, None, u, **options)
        assert diverged.tolist() == [False, True, False] and torch.isfinite(state[1]).all()
        assert not sensors[1].any() and sensors[0].any()
    torch.where(diverged, 0.0, state[1].square().sum(-1)).sum().backward()
    assert not u.grad[1].any() and u.grad[0].any() and torch.isfinite(u.grad).all()

    def one(u, q, v):
        s, diverged = engine.torch.step(sim, q, v, None, u, **options)
        return s.qvel.square().sum(), diverged

    v = tensor(wild(qvel, 1), False)
    found, told = torch.func.vmap(torch.func.grad(one, has_aux=True))(tensor(ctrl[0], False), q.detach(), v)
    assert told.tolist() == [False, True, False] and not found[1].any() and found[2].any()
    u = tensor(ctrl[0])
    s, diverged = engine.torch.step(sim, q.detach(), torch.full_like(q[:, : sim.model.nv], 1e9), None, u, **options)
    s.qvel.sum().backward()
    assert diverged.all() and torch.equal(s.qpos, q) and not u.grad.any()
    s, diverged = engine.torch.step(sim, q.detach(), tensor(qvel), None, u, on_divergence="mask")
    assert not diverged.any() and torch.equal(s.qvel, engine.torch.step(sim, q.detach(), tensor(qvel), None, u).qvel)


def test_what_the_mask_does_not_hide(pushed):
    sim, qpos, qvel, ctrl, *_ = pushed
    q, v, u = tensor(qpos), tensor(wild(qvel, 0)), tensor(ctrl[0])
    with pytest.raises(ValueError, match="on_divergence: got 'ignore', allowed: 'raise' or 'mask'"):
        engine.torch.step(sim, q, v, None, u, on_divergence="ignore")
    with pytest.raises(ValueError, match="on_divergence: not with a function as ctrl"):
        engine.torch.rollout(sim, q, v, None, lambda *a: u, steps=2, on_divergence="mask")
    with pytest.raises(ValueError, match=r"qvel: entry \(0, 0\) is nan"):
        engine.torch.step(sim, q, v * torch.nan, None, u, on_divergence="mask")
    few = engine.Simulator(sim.model, ncon=1)
    with pytest.raises(engine.ContactOverflowError, match="world [12], control step 0: . contacts"):
        engine.torch.step(few, q, v, None, u, on_divergence="mask")
