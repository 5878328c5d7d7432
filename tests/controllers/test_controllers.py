"""Controllers in the kernel: equal to their NumPy twins, with gradients equal to differences, on robots in contact."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import controllers
import engine
import scenes
from controllers import CPG, MLP, PD, FeaturePolicy, OpenLoop, Spline, load
from engine import Simulator, Tape
from engine.model import ModelBuilder

STEPS = 30
WORLDS = 2


class Robot:
    """A simulator that is put back to the same start before every rollout, and a loss with fixed random weights."""

    def __init__(self, name, stretch=1.0):
        self.scene = scenes.load(name)
        self.model = self.scene.model
        self.sim = Simulator(self.model, worlds=WORLDS)
        self.tapes = {}
        rng = np.random.default_rng(5)
        self.qpos, self.qvel = self.scene.start(rng, WORLDS)
        self.qvel = self.qvel + 0.3 * rng.normal(size=self.qvel.shape)
        if stretch != 1.0:
            self.qpos[:, 3:7] *= stretch
        m = self.model
        self.weights = {
            n: scale * rng.normal(size=(rows, WORLDS, size))
            for n, rows, size, scale in (
                ("qpos", STEPS + 1, m.nq, 1.0), ("qvel", STEPS + 1, m.nv, 0.1), ("ctrl", STEPS, m.nu, 1.0),
            )
        }  # fmt: skip

    def tape(self, frame_skip=1, memory="1GiB"):
        key = frame_skip, memory
        if key not in self.tapes:
            self.tapes[key] = Tape(self.sim, STEPS, frame_skip, memory)
        return self.tapes[key]

    def start(self):
        self.sim.reset(self.qpos, self.qvel)
        self.sim.data.time[:] = 0.37
        return self

    def loss(self, trajectory):
        w = self.weights
        value = sum((w[n] * getattr(trajectory, n)).sum() for n in ("qpos", "qvel"))
        value += 0.5 * (w["ctrl"] * trajectory.ctrl**2).sum()
        return value, {"qpos": w["qpos"], "qvel": w["qvel"], "ctrl": w["ctrl"] * trajectory.ctrl}

    def backward(self, tape):
        return tape.backward(**self.loss(tape.trajectory)[1])


@pytest.fixture(scope="module")
def hopper():
    return Robot("hopper")


@pytest.fixture(scope="module")
def ant():
    return Robot("ant", stretch=1.7)


def shaken(controller, size=0.1):
    controller.params += size * np.random.default_rng(2).normal(size=controller.params.shape)
    return controller


CONTROLLERS = {
    "open loop": lambda m: OpenLoop(STEPS + 3, m.nu),
    "spline": lambda m: Spline(m.nu, Spline.knots_for(STEPS, 7), 7),
    "short spline": lambda m: Spline(m.nu, 3, 4),
    "cpg": lambda m: CPG(m.nu),
    "pd": lambda m: PD(m, kp=2.0),
    "pd tracking a cpg": lambda m: PD(m, kp=2.0).tracking(CPG(m.nu)),
    "mlp": lambda m: MLP(m, (5, 4), [("qpos", 2), "qvel", ("sin", 0.31), ("cos", 0.5)]),
    "linear feedback": lambda m: MLP(m, ()),
    "features": lambda m: FeaturePolicy(m, ["qvel", ("sin_qpos", 2), ("cos_qpos", 3), ("sin", 0.4)], (3,)),
    "two tracking PDs and more": lambda m: (
        PD(m, kp=2.0).tracking(CPG(m.nu) + Spline(m.nu, 4, 9))
        + PD(m, kd=0.3).tracking(MLP(m, (4,), ["qpos", ("sin", 0.3)]))
        + PD(m)
        + OpenLoop(STEPS, m.nu)
        + MLP(m, (3,))
    ),
    "worlds apart": lambda m: (CPG(m.nu) + MLP(m, (4,))).spread(WORLDS),
}


@pytest.mark.parametrize("frame_skip", [1, 3])
@pytest.mark.parametrize("name", CONTROLLERS)
def test_twin_and_gradients(hopper, name, frame_skip):
    controller = shaken(CONTROLLERS[name](hopper.model))
    tape = hopper.start().tape(frame_skip)
    check_twin(tape, controller)
    hopper.start()
    report = engine.gradcheck(tape, hopper.loss, ("params", "ctrl", "qpos0", "qvel0"), controller, directions=1)
    assert report.ok, f"\n{report}"
    assert set(report.verdicts.values()) == {"ok"}


@pytest.mark.parametrize("name", ["mlp", "pd tracking a cpg", "two tracking PDs and more", "up"])
def test_free_joint_with_a_long_quaternion(ant, name):
    up = FeaturePolicy(ant.model, [("up", "root"), ("qpos", 4), ("cos_qpos", 8)]) if name == "up" else None
    controller = shaken(up or CONTROLLERS[name](ant.model), 0.03)
    tape = ant.start().tape(2)
    check_twin(tape, controller)
    ant.start()
    wrt, seed = ("params", "ctrl", "qpos0", "qvel0"), 2 if name == "up" else 1  # where no event lies in between
    report = engine.gradcheck(tape, ant.loss, wrt, controller, directions=1, seed=seed)
    assert report.ok, f"\n{report}"


def check_twin(tape, controller):
    traj = tape.rollout(controller)
    assert np.abs(traj.ctrl).max() > 0.01
    for t in range(tape.steps):
        twin = controller.control(t, traj.time[t], traj.qpos[t], traj.qvel[t])
        np.testing.assert_allclose(twin, traj.ctrl[t], rtol=0, atol=1e-13)


def test_control_without_worlds(hopper):
    """One state in, one row of controls out, the same as in a batch."""
    c = shaken(CONTROLLERS["two tracking PDs and more"](hopper.model))
    batch = c.control(3, 0.2, hopper.qpos, hopper.qvel)
    assert batch.shape == (WORLDS, hopper.model.nu)
    np.testing.assert_allclose(c.control(3, 0.2, hopper.qpos[1], hopper.qvel[1]), batch[1], atol=1e-15)


def test_rows_of_params_belong_to_worlds(hopper):
    """World k with row k is world k with that row for all; a shared row's gradient is the sum over worlds."""
    shared = shaken(CONTROLLERS["two tracking PDs and more"](hopper.model))
    apart = shaken(CONTROLLERS["two tracking PDs and more"](hopper.model)).spread(WORLDS)
    apart.params[1] += 0.05
    tape = hopper.tape()
    hopper.start()
    both, rows = tape.rollout(apart).ctrl.copy(), hopper.backward(tape).params
    for k in range(WORLDS):
        shared.params[:] = apart.params[k]
        hopper.start()
        assert np.array_equal(tape.rollout(shared).ctrl[:, k], both[:, k])
    apart.params[0] = apart.params[1]
    hopper.start()
    tape.rollout(apart)
    rows = hopper.backward(tape).params
    hopper.start()
    tape.rollout(shared)
    np.testing.assert_allclose(hopper.backward(tape).params, rows.sum(axis=0), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["cpg", "mlp", "two tracking PDs and more"])
def test_schedules_agree_bit_for_bit(hopper, name):
    """Also in what a controller makes of the clock, which steps computed again must see as it was."""
    controller = shaken(CONTROLLERS[name](hopper.model))
    results = []
    tapes = [hopper.tape(2), hopper.tape(2, memory=hopper.tape(2).fixed_bytes + 6000)]
    assert "Revolve" in repr(type(tapes[1].schedule)) or "Segments" in repr(type(tapes[1].schedule))
    for tape in tapes:
        hopper.start()
        tape.rollout(controller)
        results.append(hopper.backward(tape))
    for n in ("params", "ctrl", "qpos0", "qvel0"):
        assert np.array_equal(getattr(results[0], n), getattr(results[1], n)), n


def test_spline_passes_through_its_knots():
    spline = Spline(2, 4, 5)
    spline.values = np.random.default_rng(0).normal(size=(4, 2))
    q = np.zeros(0)
    for k in range(4):
        np.testing.assert_allclose(spline.control(5 * k, 0.0, q, q), spline.values[k], atol=1e-15)
    for t in (20, 23, 1000):  # from one interval after the last knot on
        np.testing.assert_allclose(spline.control(t, 0.0, q, q), spline.values[-1], atol=1e-15)
    straight = Spline(1, 6, 4)
    straight.values = np.arange(6.0)[:, None]
    inner = [straight.control(t, 0.0, q, q)[0] for t in range(4, 17)]
    np.testing.assert_allclose(inner, np.arange(4, 17) / 4, atol=1e-14)


@pytest.mark.parametrize("steps, every, knots", [(1, 5, 1), (2, 5, 2), (6, 5, 2), (7, 5, 3), (100, 1, 100)])
def test_number_of_knots(steps, every, knots):
    assert Spline.knots_for(steps, every) == knots


@pytest.mark.parametrize("name", CONTROLLERS)
def test_saved_and_loaded(hopper, name, tmp_path):
    controller = shaken(CONTROLLERS[name](hopper.model))
    controller.save(tmp_path / "c.npz")
    again = load(tmp_path / "c.npz")
    assert type(again) is type(controller) and np.array_equal(again.params, controller.params)
    at = (4, 0.3, hopper.qpos, hopper.qvel)
    assert np.array_equal(again.control(*at), controller.control(*at))
    assert np.array_equal(hopper.start().tape().rollout(again).ctrl, hopper.start().tape().rollout(controller).ctrl)


def test_a_sums_params_are_its_members():
    cpg, table = CPG(2), OpenLoop(3, 2)
    both = cpg + table
    cpg.amplitude = [0.5, 0.25]
    assert both.params[1:3].tolist() == [0.5, 0.25]
    both.params[-1] = 7.0
    assert table.values[2, 1] == 7.0
    both.params -= 1.0
    assert cpg.amplitude.tolist() == [-0.5, -0.75]
    both.spread(3)
    assert cpg.phase.shape == (3, 2) and cpg.omega.shape == (3,)
    both.params[2] = 9.0
    assert (cpg.phase[2] == 9.0).all() and (table.values[2] == 9.0).all()
    third = both + CPG(2)
    assert len(third.members) == 3 and third.params.shape == (3, 2 * cpg.nparam + table.nparam)
    with pytest.raises(ValueError, match="set params of that one"):
        cpg.params = np.zeros(cpg.nparam)
    with pytest.raises(ValueError, match="already a member"):
        cpg + CPG(2)


def test_named_views_are_live(hopper):
    mlp = MLP(hopper.model, (4,), seed=3)
    mlp.weights[1][...] = 2.0
    assert (mlp.view("W2") == 2.0).all() and (mlp.params == 2.0).sum() == 12
    assert [w.shape for w in mlp.weights] == [(4, 12), (3, 4)] and [b.shape for b in mlp.biases] == [(4,), (3,)]
    assert mlp.names() == ("W1", "b1", "W2", "b2")
    with pytest.raises(KeyError, match="W1, b1, W2, b2"):
        mlp.view("W3")


def test_start_weights(hopper):
    """Seeded, and small in what they make."""
    a, b = MLP(hopper.model, seed=1), MLP(hopper.model, seed=1)
    assert np.array_equal(a.params, b.params) and not np.array_equal(a.params, MLP(hopper.model, seed=2).params)
    assert np.abs(a.control(0, 0.0, hopper.qpos, hopper.qvel)).max() < 0.5


def test_actuators_own_joints(hopper):
    m = hopper.model
    named = PD(m, [m.joint_names[j] for j in m.actuator_trnid])
    assert named._qadr == PD(m)._qadr == m.jnt_qposadr[m.actuator_trnid].tolist()


def two_joints():
    b = ModelBuilder("two")
    b.body("a", pos=(0, 0, 1))
    b.joint("a", "socket", type="ball")
    b.geom("a", "a", size=0.1)
    b.body("b", "a", pos=(1, 0, 0))
    b.joint("b", "elbow")
    b.geom("b", "b", size=0.1)
    b.motor("socket", "socket")
    return b.compile()


MISTAKES = [
    (lambda m: OpenLoop(0, 3), "OpenLoop: steps: got 0"),
    (lambda m: OpenLoop(2, 3, params=np.zeros(5)), r"OpenLoop: params: got shape \(5,\), allowed: \(6,\)"),
    (lambda m: CPG(3, params=np.full(10, np.nan)), r"CPG: params: entry \(0,\) is nan"),
    (lambda m: setattr(CPG(3), "phase", [1, 2]), r"CPG: phase: got shape \(2,\), allowed: \(3,\)"),
    (lambda m: setattr(CPG(3), "omega", np.inf), "CPG: omega"),
    (lambda m: Spline(3, 2, 1.5), "Spline: every: got 1.5"),
    (lambda m: PD(m, ["thigh_joint"]), "joints: got 1, allowed: 3"),
    (lambda m: PD(m, ["knee"] * 3), "no joint 'knee'; it has: 'rootx'"),
    (lambda m: PD(m, [0, 1, 99]), "joint: got 99, allowed: 0 to 5"),
    (lambda m: PD(m, kp=[1, 2]), r"PD: kp: got shape \(2,\), allowed: \(3,\)"),
    (lambda m: PD(two_joints()), "joint 'socket' is a ball joint, allowed: hinge and slide"),
    (lambda m: MLP(m, observe="qpos"), "observe: got 'qpos', allowed: a list"),
    (lambda m: MLP(m, observe=["xpos"]), "observe: got 'xpos'"),
    (lambda m: MLP(m, observe=[("qvel", 6)]), "qvel: got 6, allowed: 0 to 5"),
    (lambda m: MLP(m, observe=[("sin", 0.0)]), "period 0.0"),
    (lambda m: MLP(m, (3, 0)), "MLP: hidden: got 0"),
    (lambda m: FeaturePolicy(m, [("up", 0)]), "observe up: got 0, allowed: a free or ball joint"),
    (lambda m: FeaturePolicy(m, [("sin_qpos", 1)]), "observe sin_qpos: got 1, allowed: the index of a hinge"),
    (lambda m: CPG(2) + CPG(3), "member 1 makes 3 controls, member 0 makes 2"),
    (lambda m: CPG(3).spread(2) + CPG(3).spread(4), "different numbers of worlds"),
]


@pytest.mark.parametrize("mistake, message", MISTAKES)
def test_mistakes_are_named(hopper, mistake, message):
    with pytest.raises((ValueError, engine.ModelError), match=message):
        mistake(hopper.model)


def test_mistakes_at_the_tape(hopper, ant):
    tape = hopper.start().tape()
    nan = CPG(3)
    nan.params[4] = np.nan
    pd = PD(hopper.model)
    for controller, message in (
        (CPG(2), "CPG: made for 2 controls, but the model has 3"),
        (OpenLoop(STEPS - 1, 3), f"OpenLoop: has {STEPS - 1} steps, but the tape has {STEPS}"),
        (nan, "parameter 4 is not finite"),
        (CPG(3).spread(WORLDS + 1), "allowed: .10,. or .worlds"),
        (pd.tracking(PD(hopper.model)), "has a PD in it"),
    ):
        with pytest.raises(ValueError, match=message):
            tape.rollout(controller)
    wide = MLP(scenes.load("walker2d").model, ())
    wide.nu = 3
    with pytest.raises(ValueError, match="MLP: made for a model with nq=9, this one has 6"):
        tape.rollout(wide)
    with pytest.raises(ValueError, match="t: got 30, allowed: 0 to 29"):
        OpenLoop(30, 3).control(30, 0.0, np.zeros(6), np.zeros(6))


def test_importing_controllers_does_not_start_taichi():
    """So that `engine.init` can still come after the imports."""
    code = "import controllers, sys; assert not any(n.split('.')[0] == 'taichi' for n in sys.modules)"
    root = Path(controllers.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
