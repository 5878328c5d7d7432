"""The path of engine.torch for tensors on a device, here with the CPU as the device: the same bits as the other path.

On a GPU tests/cuda runs it.
"""

import mujoco
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "pullback[torch]"')

import engine  # noqa: E402
import engine.torch  # noqa: E402
import scenes  # noqa: E402
from tests import zoo  # noqa: E402

DEVICE = engine.torch.space.DeviceTensors(torch.device("cpu"))
NAMES = ("qpos", "qvel", "act", "sensordata")


@pytest.fixture(scope="module")
def cases():
    found = {}
    for name in ("hopper", "ant"):
        scene = scenes.load(name)
        sim = engine.Simulator(scene.model)
        found[name] = sim, scene.start(np.random.default_rng(0), 3)
    mj = mujoco.MjModel.from_xml_string(zoo.SMOOTH["activation"])
    sim = engine.Simulator(engine.load(mj))
    assert sim.model.na
    states = [zoo.random_state(mujoco, mj, np.random.default_rng(k)) for k in range(3)]
    found["activation"] = sim, [np.stack([state[i] for state in states]) for i in (0, 1)]
    return found


def run(monkeypatch, space, sim, start, roll, **options):
    """Outputs and gradients of a step, or of a rollout of four steps with rows, in a space."""
    monkeypatch.setattr(engine.torch.space, "space_of", lambda device: space)
    m, rng = sim.model, np.random.default_rng(1)
    qpos, qvel = (torch.tensor(a, requires_grad=True) for a in start)
    worlds = len(qpos)
    act = torch.tensor(0.1 * rng.normal(size=(worlds, m.na)), requires_grad=True) if m.na else None
    steps = (4,) if roll else ()
    ctrl = torch.tensor(0.3 * rng.normal(size=(*steps, worlds, m.nu)), requires_grad=True)
    mass = torch.tensor(sim.params.body_mass, requires_grad=True)
    call = engine.torch.rollout if roll else engine.torch.step
    values = call(sim, qpos, qvel, act, ctrl, params={"body_mass": mass}, frame_skip=2, **options)
    there = [v for v in values[:4] if v is not None and v.numel()]
    sum((v * torch.from_numpy(rng.normal(size=v.shape))).sum() for v in there).backward()
    inputs = [t for t in (qpos, qvel, act, ctrl, mass) if t is not None]
    return [v.detach().numpy() for v in there] + [t.grad.numpy() for t in inputs]


@pytest.mark.parametrize("roll", (False, True), ids=("step", "rollout"))
@pytest.mark.parametrize("name", ("hopper", "ant", "activation"))
def test_is_the_other_path(monkeypatch, cases, name, roll):
    sim, start = cases[name]
    options = {"sensordata": bool(sim.model.nsensordata)} | ({"record_every": 2} if roll else {})
    ours = run(monkeypatch, DEVICE, sim, start, roll, **options)
    host = run(monkeypatch, engine.torch.space.CPU, sim, start, roll, **options)
    assert len(ours) == len(host) and all(np.array_equal(a, b) for a, b in zip(ours, host, strict=True))
    assert all(np.abs(g).max() > 0 for g in ours)


def test_beyond_the_memory_the_rollout_is_repeated(monkeypatch, cases):
    sim, start = cases["ant"]
    kept = run(monkeypatch, DEVICE, sim, start, True)
    smallest = engine.Tape(engine.Simulator(sim.model, 3), 4, frame_skip=2).fixed_bytes + 20000
    repeated = run(monkeypatch, DEVICE, sim, start, True, memory=smallest)
    assert all(np.allclose(a, b, rtol=1e-9, atol=1e-12) for a, b in zip(kept, repeated, strict=True))


def test_a_value_that_is_not_finite_is_named(monkeypatch, cases):
    monkeypatch.setattr(engine.torch.space, "space_of", lambda device: DEVICE)
    sim, (qpos, qvel) = cases["hopper"]
    ctrl = torch.zeros(3, sim.model.nu, dtype=torch.float64)
    ctrl[1, 2] = torch.nan
    with pytest.raises(ValueError, match=r"ctrl: entry \(0, 1, 2\) is nan"):
        engine.torch.step(sim, torch.tensor(qpos), torch.tensor(qvel), None, ctrl)
    ctrl[1, 2] = 0
    start = torch.tensor(qpos, requires_grad=True)
    state = engine.torch.step(sim, start, torch.tensor(qvel), None, ctrl)
    with pytest.raises(ValueError, match=r"cotangent of qpos: entry \(0, 0\) is inf"):
        state.qpos.backward(torch.full_like(state.qpos, torch.inf))


def test_data_are_tensors_on_the_simulators_memory(cases):
    model = cases["ant"][0].model
    sim = engine.Simulator(model, 2)
    tensors = engine.torch.data(sim)
    assert set(NAMES) | {"ctrl", "xpos", "qfrc_applied", "xfrc_applied"} <= set(tensors)
    tensors["ctrl"][:] = 0.2
    sim.step(5)
    for name, tensor in tensors.items():
        assert np.array_equal(tensor.numpy(), getattr(sim.data, name)), name
    assert (sim.data.ctrl == 0.2).all() and np.abs(tensors["qvel"].numpy()).max() > 0


@pytest.mark.parametrize("roll", (False, True), ids=("step", "rollout"))
def test_forces_and_worlds_that_diverge(monkeypatch, cases, roll):
    """In single precision tensors, whose type outputs and gradients have."""
    sim, (qpos, qvel) = cases["ant"]
    m, rng = sim.model, np.random.default_rng(2)
    arrays = [qpos, qvel.copy(), 0.3 * rng.normal(size=(3, m.nu)), rng.normal(size=(3, m.nbody, 6))]
    arrays[1][1] = 1e9
    if roll:
        arrays[2] = np.stack([arrays[2]] * 4)
    found = []
    for space in (DEVICE, engine.torch.space.CPU):
        monkeypatch.setattr(engine.torch.space, "space_of", lambda device, space=space: space)
        x = [torch.tensor(a, dtype=torch.float32, requires_grad=True) for a in arrays]
        call = engine.torch.rollout if roll else engine.torch.step
        options = {"sensordata": True, "on_divergence": "mask"}
        s, diverged = call(sim, *x[:2], None, x[2], xfrc_applied=x[3], **options)
        assert diverged.tolist() == [False, True, False]
        (s.qvel.sum() + s.sensordata.sum()).backward()
        found.append([s.qpos, s.qvel, s.sensordata, *(t.grad for t in x)])
    for a, b in zip(*found, strict=True):
        assert a.dtype == torch.float32 and torch.isfinite(a).all() and torch.equal(a, b)
    assert not found[0][-1][1].any() and found[0][-1][0].any()
