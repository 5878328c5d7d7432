"""The adjoint along a rollout, and the pushes drawn from it, against central differences through contact."""

import numpy as np
import pytest

import engine
import scenes
from engine.model.coordinates import displace
from engine.replay import body_jacobian, pushes, replay

STEPS, FRAME_SKIP, MIDDLE = 40, 2, 25


@pytest.fixture(scope="module", params=["half_cheetah", "hopper"])
def tape(request):
    """Euler, and RK4 with sensors that the loss reads; both land on their feet on the way."""
    scene = scenes.load(request.param)
    sim = engine.Simulator(scene.model, worlds=2)
    sim.reset(*scene.start(rng=2, worlds=2))
    tape = engine.Tape(sim, STEPS, frame_skip=FRAME_SKIP)
    tape.rollout(np.random.default_rng(1).uniform(-0.8, 0.8, (STEPS, 2, scene.model.nu)))
    assert sim.data.ncon.any()
    return tape


def cotangents(tape):
    t, rng = tape.trajectory, np.random.default_rng(5)
    return {n: rng.standard_normal(getattr(t, n).shape) for n in ("qpos", "qvel", "ctrl", "sensordata")}


def loss_from(tape, step, world, qpos, qvel, ctrl):
    """The part of the loss that the rows from `step` on decide, from another state there."""
    sim = engine.Simulator(tape.sim.model)
    sim.reset(qpos, qvel)
    part = engine.Tape(sim, STEPS - step, frame_skip=FRAME_SKIP)
    t = part.rollout(ctrl[step:, world])
    bars = cotangents(tape)
    rows = [np.sum(bars[n][step:, world] * getattr(t, n)[:, 0]) for n in ("qpos", "qvel", "sensordata")]
    return float(np.sum(rows)) + float(np.sum(bars["ctrl"][step:, world] * t.ctrl[:, 0]))


def test_start_and_gradients_are_those_of_backward(tape):
    bars = cotangents(tape)
    whole, kept = tape.backward(**bars), engine.adjoint(tape, **bars)
    np.testing.assert_array_equal(kept.ctrl, whole.ctrl)
    np.testing.assert_array_equal(kept.gradients.qpos0, whole.qpos0)
    np.testing.assert_array_equal(kept.qvel[0], whole.qvel0)
    for name in whole.model:
        np.testing.assert_array_equal(kept.gradients.model[name], whole.model[name], err_msg=name)


def test_checkpoints_change_nothing(tape):
    """Recomputed stretches give the same adjoint at every step."""
    sim = tape.sim
    small = engine.Tape(sim, STEPS, frame_skip=FRAME_SKIP, memory=tape.fixed_bytes + 20000)
    assert small.schedule.rows < STEPS
    for name, value in tape.start.items():
        getattr(sim.data, name)[...] = value
    small.rollout(tape.trajectory.ctrl)
    a, b = engine.adjoint(tape, **cotangents(tape)), engine.adjoint(small, **cotangents(tape))
    for name in ("qpos", "qvel", "ctrl"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.mark.parametrize("step", [0, MIDDLE, STEPS - 1])
def test_state_adjoint_against_differences(tape, step):
    t, model, world = tape.trajectory, tape.sim.model, 1
    qpos, qvel, ctrl = t.qpos[step, world].copy(), t.qvel[step, world].copy(), t.ctrl.copy()
    kept = engine.adjoint(tape, **cotangents(tape))
    for name in ("qpos", "qvel"):
        direction = np.random.default_rng(step).standard_normal(model.nv)
        found = getattr(kept, name)[step, world] @ direction
        errors = []
        for h in (1e-6, 1e-7, 1e-8):  # the loss bends at contacts: the best of a ladder of difference steps
            ends = []
            for sign in (1, -1):
                q = displace(model, qpos[None], sign * h * direction[None])[0] if name == "qpos" else qpos
                v = qvel + sign * h * direction if name == "qvel" else qvel
                ends.append(loss_from(tape, step, world, q, v, ctrl))
            errors.append(abs((ends[0] - ends[1]) / (2 * h) - found) / abs(found))
        assert min(errors) < 2e-6, (name, errors)


def test_the_last_entry_is_the_last_rows_own(tape):
    bars = cotangents(tape)
    kept = engine.adjoint(tape, qpos=bars["qpos"], qvel=bars["qvel"])
    np.testing.assert_allclose(kept.qvel[-1], bars["qvel"][-1], rtol=1e-12)
    assert kept.norms()["qvel"].shape == (STEPS + 1, 2) and kept.norms()["ctrl"].shape == (STEPS, 2)
    assert kept.time[-1] == pytest.approx(tape.trajectory.time[-1])


def test_a_push_lowers_the_loss_as_it_says(tape):
    """An impulse at a body's centre of mass, as a change of velocity, against central differences of the loss."""
    t, model, world, h = tape.trajectory, tape.sim.model, 0, 1e-6
    kept = engine.adjoint(tape, **cotangents(tape))
    seen = replay(model, t, world=world)
    wanted = pushes(model, seen, kept.qvel[:, world])
    ctrl = t.ctrl.copy()
    for body in (1, model.nbody - 1):
        impulse = np.array([0.3, 0.0, -0.7])
        jacobian = body_jacobian(model, seen, MIDDLE, body)
        change = np.linalg.solve(seen.mass_matrix[MIDDLE], jacobian.T @ impulse)
        ends = [
            loss_from(tape, MIDDLE, world, t.qpos[MIDDLE, world], t.qvel[MIDDLE, world] + sign * h * change, ctrl)
            for sign in (1, -1)
        ]
        assert -wanted[MIDDLE, body] @ impulse == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=2e-6, abs=1e-7)
