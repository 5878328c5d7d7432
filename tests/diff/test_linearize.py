"""linearize against MuJoCo's own finite differences of a step, and against the engine's laws."""

from pathlib import Path

import numpy as np
import pytest

import engine
from engine import Simulator
from engine.model.coordinates import qpos_to_tangent, tangent_to_qpos
from tests import zoo
from tests.physics.reference import skip_older_rk4

mujoco = pytest.importorskip("mujoco", reason='needs MuJoCo: pip install "pullback[mjcf]"')
gymnasium = pytest.importorskip("gymnasium", reason='needs Gymnasium: pip install "pullback[rl]"')

ASSETS = Path(gymnasium.__file__).parent / "envs/mujoco/assets"
ROBOTS = (
    "hopper", "walker2d_v5", "inverted_pendulum", "inverted_double_pendulum", "reacher",
)  # fmt: skip
# MuJoCo steps from the start to each state of a robot: falling, landing, lying
STEPS = (0, 5, 20, 60, 120, 200)

# activation states, ball and slide joints, damping that the integrator takes implicitly
ARM = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.005" integrator="implicitfast"/>
  <worldbody>
    <geom name="floor" type="plane" size="1 1 1"/>
    <body name="a" pos="0 0 0.6">
      <joint name="shoulder" type="ball" damping="0.1" stiffness="2"/>
      <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.05"/>
      <body name="b" pos="0.3 0 0">
        <joint name="rail" type="slide" axis="1 0.5 0" damping="0.5" range="-0.1 0.1" limited="true"/>
        <joint name="elbow" axis="0 1 0" damping="0.2" frictionloss="0.05"/>
        <geom type="capsule" fromto="0 0 0 0.4 0 0" size="0.04"/>
      </body>
    </body>
    <body name="ball" pos="0.2 0.1 0.099">
      <freejoint/>
      <geom size="0.1"/>
    </body>
  </worldbody>
  <actuator>
    <general joint="elbow" dyntype="filter" dynprm="0.05" gainprm="5" biastype="affine" biasprm="0 -1 -0.3"/>
    <general joint="rail" dyntype="integrator" gainprm="3"/>
    <motor joint="shoulder" gear="1 2 3"/>
    <position joint="elbow" kp="4" kv="0.7"/>
  </actuator>
</mujoco>
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """MuJoCo writes its warnings to a file where it runs."""
    monkeypatch.chdir(tmp_path)


def exact(mj):
    mj.opt.tolerance, mj.opt.iterations, mj.opt.ls_tolerance, mj.opt.ls_iterations = 1e-15, 200, 1e-8, 200
    return mj


def states(mj, seed):
    """(qpos, qvel, act, ctrl) of a flailing robot, rows."""
    rng, d, rows = np.random.default_rng(seed), mujoco.MjData(mj), []
    for n in STEPS:
        mujoco.mj_resetData(mj, d)
        qpos = d.qpos.copy()
        mujoco.mj_integratePos(mj, qpos, 0.1 * rng.normal(size=mj.nv), 1.0)
        d.qpos[:], d.qvel[:] = qpos, 0.5 * rng.normal(size=mj.nv)
        for _ in range(n):
            d.ctrl[:] = rng.uniform(-0.8, 0.8, size=mj.nu)
            mujoco.mj_step(mj, d)
        rows.append([d.qpos.copy(), d.qvel.copy(), d.act.copy(), rng.uniform(-0.8, 0.8, size=mj.nu)])
    return [np.array(x) for x in zip(*rows, strict=True)]


def after(mj, d, state, dx, du):
    """State one MuJoCo step after `state` moved by the tangent vector dx and the controls by du."""
    nv = mj.nv
    mujoco.mj_resetData(mj, d)
    qpos = state[0].copy()
    mujoco.mj_integratePos(mj, qpos, dx[:nv], 1.0)
    d.qpos[:], d.qvel[:], d.ctrl[:] = qpos, state[1] + dx[nv : 2 * nv], state[3] + du
    d.act[:] = state[2] + dx[2 * nv :]
    mujoco.mj_forward(mj, d)  # from a cold start MuJoCo's solver may stop too early for differences
    d.qacc_warmstart[:] = d.qacc
    mujoco.mj_step(mj, d)
    return d.qpos.copy(), d.qvel.copy(), d.act.copy()


def differences(mj, d, state, eps=1e-6):
    """A and B of one MuJoCo step, central; the same as mjd_transitionFD, which has no RK4."""
    nv, n = mj.nv, 2 * mj.nv + mj.na
    columns = []
    for e in np.eye(n + mj.nu):
        plus, minus = (after(mj, d, state, s * eps * e[:n], s * eps * e[n:]) for s in (1, -1))
        dq = np.zeros(nv)
        mujoco.mj_differentiatePos(mj, dq, 2 * eps, minus[0], plus[0])
        columns.append(np.concatenate([dq, *((p - q) / (2 * eps) for p, q in zip(plus[1:], minus[1:], strict=True))]))
    J = np.array(columns).T
    return J[:, :n], J[:, n:]


def mujocos(mj, d, state, eps=1e-6):
    if mj.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4:
        return differences(mj, d, state, eps)
    n = 2 * mj.nv + mj.na
    A, B = np.zeros((n, n)), np.zeros((n, mj.nu))
    mujoco.mj_resetData(mj, d)
    d.qpos[:], d.qvel[:], d.ctrl[:] = state[0], state[1], state[3]
    d.act[:] = state[2]
    mujoco.mjd_transitionFD(mj, d, eps, 1, A, B, None, None)
    return A, B


def put(sim, rows):
    for name, value in zip(("qpos", "qvel", "act", "ctrl"), rows, strict=True):
        getattr(sim.data, name)[:] = value


def relative(x, reference):
    return np.abs(x - reference).max() / max(np.abs(reference).max(), 1e-12)


SLOW = ("half_cheetah", "ant", "several equalities", "tendon held", "limited actuators")


@pytest.mark.parametrize("name", [*ROBOTS, "arm", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_against_mujoco(name):
    read = mujoco.MjModel.from_xml_string, {"arm": ARM, **zoo.EQUALITIES, **zoo.TAUT, **zoo.TENDONS}.get(name)
    if read[1] is None:
        read = mujoco.MjModel.from_xml_path, str(ASSETS / f"{name}.xml")
    mj = exact(read[0](read[1]))
    skip_older_rk4(mj)
    rows, d = states(mj, seed=3), mujoco.MjData(mj)
    sim = Simulator(engine.load(mj), worlds=len(STEPS))
    put(sim, rows)
    A, B = sim.linearize()
    contacts = 0
    for k in range(len(STEPS)):
        state = [x[k] for x in rows]
        RA, RB = mujocos(mj, d, state)
        contacts += d.ncon > 0
        assert relative(A[k], RA) < 1e-5, k
        assert B[k].size == 0 or relative(B[k], RB) < 1e-5, k
    if name in ("half_cheetah", "hopper", "walker2d_v5", "ant", "arm"):
        assert contacts >= 2


@pytest.fixture(scope="module")
def ant():
    mj = exact(mujoco.MjModel.from_xml_path(str(ASSETS / "ant.xml")))
    sim = Simulator(engine.load(mj), worlds=2)
    return sim, [x[3:5] for x in states(mj, seed=7)]


def test_several_steps_are_a_product(ant):
    sim, rows = ant
    sim.reset()
    put(sim, rows)
    A, B = sim.linearize(frame_skip=3)
    n = 2 * sim.model.nv
    product, total = np.eye(n), np.zeros((n, sim.model.nu))
    for _ in range(3):
        Ak, Bk = sim.linearize()
        product, total = Ak @ product, Ak @ total + Bk
        sim.step()
    np.testing.assert_allclose(A, product, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(B, total, rtol=1e-9, atol=1e-9)


def test_the_simulator_does_not_move_and_its_parameters_count(ant):
    sim, rows = ant
    sim.reset()
    put(sim, rows)
    before = {n: a.copy() for n, a in sim.pack.buffers.items()}
    A, B = sim.linearize()
    assert all(np.array_equal(before[n], a) for n, a in sim.pack.buffers.items())
    again = engine.linearize(sim)
    assert np.array_equal(A, again[0]) and np.array_equal(B, again[1])
    other = sim.model.copy()
    other.actuator_gear *= 2
    strong = Simulator(other, worlds=2)
    put(strong, rows)
    sim.params.actuator_gear[...] *= 2
    assert np.array_equal(sim.linearize()[1], strong.linearize()[1])
    sim.params.actuator_gear[...] /= 2
    sim.data.xfrc_applied[:, 1, :3] = 500.0
    assert np.abs(sim.linearize()[0] - A).max() > 1e-3
    sim.data.xfrc_applied[:] = 0
    assert np.array_equal(sim.linearize()[0], A)


def test_leaves_count():
    """A and B are those of a model with these numbers."""
    model = engine.load(ARM)
    sim, other = Simulator(model, leaves=("body_pos", "geom_size")), model.copy()
    before = sim.linearize()[0]
    for places in (sim.params.body_pos, other.body_pos):
        places[2, 0] *= 1.2
    sim.params.geom_size[3, 0] = other.geom_size[3, 0] = other.geom_rbound[3] = 0.103
    found = sim.linearize()[0]
    np.testing.assert_allclose(found, Simulator(other).linearize()[0], rtol=0, atol=1e-12 * np.abs(found).max())
    assert np.abs(found - before).max() > 1e-3


@pytest.mark.parametrize("name", (pytest.param("ant", marks=pytest.mark.slow), "arm"))
def test_push_is_the_twin_of_backward(name):
    """<bar, push(dot)> = <pull(bar), dot>, through contacts, with every quaternion and activation."""
    mj = mujoco.MjModel.from_xml_string(ARM) if name == "arm" else mujoco.MjModel.from_xml_path(str(ASSETS / "ant.xml"))
    sim = Simulator(engine.load(mj), worlds=2)
    tape, rng = engine.Tape(sim, 12, frame_skip=2, record_every=3), np.random.default_rng(5)
    put(sim, [x[2:4] for x in states(mj, seed=7)])
    sim.data.qpos[:, tape.sim.model.nq - 4 :] *= 1.7 if name == "arm" else 1.0  # a quaternion's length is its own
    traj = tape.rollout(rng.uniform(-0.5, 0.5, (12, 2, mj.nu)))
    dot = {n: rng.normal(size=s) for n, s in
           (("qpos0", (2, mj.nq)), ("qvel0", (2, mj.nv)), ("act0", (2, mj.na)), ("ctrl", (12, 2, mj.nu)))}  # fmt: skip
    ahead = tape.push(**dot)
    bars = {n: rng.normal(size=getattr(traj, n).shape) for n in ("qpos", "qvel", "act", "ctrl")}
    grads = tape.backward(**bars)
    pushed = sum((bar * getattr(ahead, n)).sum() for n, bar in bars.items())
    pulled = sum((getattr(grads, n) * d).sum() for n, d in dot.items())
    size = sum(np.abs(bar * getattr(ahead, n)).sum() for n, bar in bars.items())
    assert abs(pushed - pulled) < 1e-11 * size
    assert np.abs(ahead.qvel).max() > 1.0
    with pytest.raises(ValueError, match="direction of qvel0"):
        tape.push(qvel0=np.zeros((2, mj.nv + 1)))


def test_inertia_of_a_path_that_comes_later():
    """Its force depends on where the bodies are, which the rows of joints do not know."""
    mj = exact(mujoco.MjModel.from_xml_string(zoo.strung(near='stiffness="3"')))
    state = [x[:1] for x in states(mj, seed=3)]
    model = engine.load(mj)
    sim = Simulator(model)
    put(sim, state)
    before = sim.linearize()[0]
    sim.params.tendon_armature[...] = model.tendon_armature[...] = 0.5
    heavy = Simulator(model)
    put(heavy, state)
    after = sim.linearize()[0]
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(after, heavy.linearize()[0], rtol=1e-9, atol=1e-9)


def test_what_is_held_stays(ant):
    """A and B are handed out where the kernel puts them, which happens there again only when nobody holds them."""
    sim, rows = ant
    sim.reset()
    put(sim, rows)
    places = sim._linearization.handed
    kept = []
    for k in range(4):
        sim.data.qvel[:, 7] = 0.1 * k
        A, B = sim.linearize()
        fresh = sim.linearize(frame_skip=1)  # while those are held
        assert np.array_equal(A, fresh[0]) and not np.shares_memory(A, fresh[0])
        part = [A[1, 2:5], B.T, memoryview(A[0])][k % 3]  # a part of them keeps both
        kept.append((part, np.array(part)))
        inside = [any(np.shares_memory(x, p.A) or np.shares_memory(x, p.B) for p in places) for x in (A, B)]
        assert inside == [k < len(places)] * 2  # then their memory is their own
        del A, B, fresh
    assert all(np.array_equal(part, copy) for part, copy in kept)
    assert not np.array_equal(kept[0][1], kept[3][1][:3])
    del kept, part
    A, _ = sim.linearize()
    assert np.shares_memory(A, places[0].A)
    assert np.array_equal(A, engine.linearize(sim)[0])


def test_mistakes_are_named(ant):
    sim, _ = ant
    with pytest.raises(ValueError, match="frame_skip: got 0"):
        sim.linearize(0)
    sim.data.qvel[1, 2] = np.nan
    with pytest.raises(ValueError, match="data.qvel"):
        sim.linearize()
    sim.reset()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_state_that_is_not_finite_is_refused(ant, bad):
    """Each part of it by name, in whichever world; the kernel looks for it, which LLVM may not take for granted."""
    sim, _ = ant
    A, B = (x.copy() for x in sim.linearize())
    for name in ("time", "qpos", "qvel", "ctrl", "qacc_warmstart", "qfrc_applied", "xfrc_applied"):
        last = getattr(sim.data, name)[-1:].reshape(-1)[-1:]
        kept = last[0]
        last[0] = bad
        with pytest.raises(ValueError, match=rf"data.{name}: entry .*{bad}"):
            sim.linearize()
        last[0] = kept
    assert np.array_equal(A, sim.linearize()[0]) and np.array_equal(B, sim.linearize()[1])


# ------------------------------------------------------------------------------ against the adjoint, to rounding

INTEGRATORS = {"Euler": 0, "RK4": 1, "implicitfast": 3}
KINDS = {f"smooth {n}": xml for n, xml in zoo.SMOOTH.items()} | {f"rows {n}": xml for n, xml in zoo.ROWS.items()}
KINDS |= {f"{a} {b} {cone}": (a, b, cone) for a, b in zoo.PAIRS + zoo.CONVEX[::4] for cone in zoo.CONES}
KINDS |= {f"{a} {b} {cone} rolling": (a, b, cone) for a, b in zoo.PAIRS[1:4] for cone in zoo.CONES}
KINDS |= {f"one tree {cone}{more}": cone for cone in zoo.CONES for more in ("", " rolling")} | {"arm": ARM}
KINDS |= {f"tendon {n}": xml for n, xml in (zoo.TENDONS | zoo.TAUT).items()}
KINDS |= zoo.MUSCLES | {"delays": zoo.DELAYED}
KINDS |= {f"equality {n}": xml for n, xml in zoo.EQUALITIES.items() if n.startswith("joint")}
KINDS |= {"rests that yield": zoo.YIELDING}


def rows_by_tape(sim):
    """A and B of every world, each of their rows the gradient that `Tape.backward` gives one copy of it."""
    m, n = sim.model, 2 * sim.model.nv + sim.model.na
    copies = Simulator(m, sim.worlds * n, sim.ncon_max)
    for name in ("qpos", "qvel", "act", "ctrl", "qacc_warmstart", "qfrc_applied", "xfrc_applied"):
        getattr(copies.data, name)[:] = np.repeat(getattr(sim.data, name), n, axis=0)
    tape, start = engine.Tape(copies, 1), copies.data.qpos.copy()
    final = tape.rollout(copies.data.ctrl[None].copy()).qpos[-1]
    unit = np.zeros((2, sim.worlds * n, n))
    unit[1] = np.tile(np.eye(n), (sim.worlds, 1))
    qpos = np.zeros((2, *final.shape))
    qpos[1] = tangent_to_qpos(m, final, unit[1, :, : m.nv])
    grads = tape.backward(qpos=qpos, qvel=unit[..., m.nv : 2 * m.nv], act=unit[..., 2 * m.nv :])
    rows = [qpos_to_tangent(m, start, grads.qpos0), grads.qvel0, grads.act0]
    return np.concatenate(rows, axis=-1).reshape(sim.worlds, n, n), grads.ctrl[0].reshape(sim.worlds, n, m.nu)


# The quick tests take one integrator for each, in turn; the slow ones the others.
CASES = [
    pytest.param(name, word, id=f"{name}-{word}", marks=() if (i + j) % 3 == 0 else pytest.mark.slow)
    for i, name in enumerate(KINDS)
    for j, word in enumerate(INTEGRATORS)
]


@pytest.mark.parametrize(("name", "integrator"), CASES)
def test_rows_are_those_of_the_adjoint(name, integrator):
    kind, rng = KINDS[name], np.random.default_rng(5)
    contact = zoo.CONDIMS[6] if "rolling" in name else ""
    if name.startswith("one tree"):
        kind = zoo.one_tree(f'cone="{kind}"', contact)
    elif isinstance(kind, tuple):
        kind = zoo.touching(*kind[:2], contact, f'cone="{kind[2]}"')
    mj = exact(mujoco.MjModel.from_xml_string(kind))
    mj.opt.integrator = INTEGRATORS[integrator]
    sim, data = Simulator(engine.load(mj), worlds=4), mujoco.MjData(mj)
    for w in range(sim.worlds):
        if mj.ngeom and (mj.geom_contype != 0).any() and "arm" not in name:
            state = zoo.touching_state(mujoco, mj, data, rng)
        else:
            state = zoo.random_state(mujoco, mj, rng)
        sim.data.qpos[w], sim.data.qvel[w] = state[:2]
    sim.data.act[:] = rng.normal(size=sim.data.act.shape)
    sim.data.ctrl[:] = rng.uniform(-1, 1, sim.data.ctrl.shape)
    sim.data.qfrc_applied[:] = rng.normal(size=sim.data.qfrc_applied.shape)
    sim.data.xfrc_applied[2:, 1:] = rng.normal(size=(2, mj.nbody - 1, 6))
    for ours, theirs in zip(sim.linearize(), rows_by_tape(sim), strict=True):
        size = np.abs(theirs).max(axis=(1, 2), initial=1e-3)
        assert (np.abs(ours - theirs).max(axis=(1, 2), initial=0) <= 1e-10 * size).all()


def test_contacts_of_which_not_all_are_summed():
    """Those with the ground are summed over bodies where their B is the first one's; others go through the dofs."""
    soft = ARM.replace('<geom size="0.1"/>', '<geom size="0.1" solref="0.03 0.8"/>')
    mj = exact(mujoco.MjModel.from_xml_string(soft.replace('pos="0 0 0.6"', 'pos="0 0 0.045"')))
    sim, rng = Simulator(engine.load(mj), worlds=4), np.random.default_rng(0)
    sim.data.qvel[:] = 0.1 * rng.normal(size=sim.data.qvel.shape)
    sim.forward()
    assert all(len(sim.data.contacts(w)["dist"]) == 4 for w in range(4))
    for ours, theirs in zip(sim.linearize(), rows_by_tape(sim), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-10 * np.abs(theirs).max()
