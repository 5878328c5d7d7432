"""linearize and push of a robot with residuals: against differences of its steps, and forwards against backwards."""

import mujoco
import numpy as np
import pytest

import engine
from engine import Simulator
from engine.model.coordinates import difference, displace
from tests import zoo
from tests.zoo.residuals import LIMBS, limbs

INTEGRATORS = ("Euler", "RK4", "implicitfast", "implicit", "discrete")  # the last two by pulls of rows


def random_state(seed, kick=0.3):
    mj = mujoco.MjModel.from_xml_string(LIMBS.format(integrator="Euler"))
    return zoo.random_state(mujoco, mj, np.random.default_rng(seed), kick, 0.7)


def put(sim, state):
    sim.reset(state[0], state[1])
    sim.data.act[:], sim.data.ctrl[:] = state[2], state[3]


def differences(sim, state, eps=1e-6):
    m = sim.model
    n, columns = 2 * m.nv + m.na, []

    def after(dx):
        put(sim, (displace(m, state[0], dx[: m.nv]), state[1] + dx[m.nv : 2 * m.nv], state[2] + dx[2 * m.nv : n],
                  state[3] + dx[n:]))  # fmt: skip
        sim.forward()
        sim.step()
        return [getattr(sim.data, a)[0].copy() for a in ("qpos", "qvel", "act")]

    for e in np.eye(n + m.nu):
        plus, minus = after(eps * e), after(-eps * e)
        dq = difference(m, minus[0], plus[0])
        columns.append(np.concatenate([dq, plus[1] - minus[1], plus[2] - minus[2]]) / (2 * eps))
    J = np.array(columns).T
    return J[:, :n], J[:, n:]


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_linearize_has_the_slopes_of_residuals(integrator):
    model = limbs(integrator)
    model.opt.tolerance, model.opt.iterations = 1e-14, 100
    sim = Simulator(model)
    for seed in range(2):
        state = random_state(seed)
        put(sim, state)
        found = sim.linearize()
        bare = Simulator(limbs(integrator, bare=True))
        put(bare, state)
        for a, b, without in zip(found, differences(sim, state), bare.linearize(), strict=True):
            assert np.abs(a[0] - b).max() < 1e-6 * np.abs(b).max()
            assert np.abs(a - without).max() > 1e-3 * np.abs(b).max()


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_push_is_the_twin_of_backward(integrator):
    """<bar, push(dot)> = <pull(bar), dot>, through contact, to rounding."""
    sim = Simulator(limbs(integrator))
    m, rng = sim.model, np.random.default_rng(5)
    put(sim, random_state(1, 0.1))
    tape = engine.Tape(sim, 8, frame_skip=2)
    traj = tape.rollout(rng.uniform(-0.5, 0.5, (8, 1, m.nu)))
    dot = {n: rng.normal(size=s) for n, s in
           (("qpos0", (1, m.nq)), ("qvel0", (1, m.nv)), ("act0", (1, m.na)), ("ctrl", (8, 1, m.nu)))}  # fmt: skip
    ahead = tape.push(**dot)
    bars = {n: rng.normal(size=getattr(traj, n).shape) for n in ("qpos", "qvel", "act", "ctrl")}
    grads = tape.backward(**bars)
    pushed = sum((bar * getattr(ahead, n)).sum() for n, bar in bars.items())
    pulled = sum((getattr(grads, n) * d).sum() for n, d in dot.items())
    size = sum(np.abs(bar * getattr(ahead, n)).sum() for n, bar in bars.items())
    assert abs(pushed - pulled) < 1e-11 * size
