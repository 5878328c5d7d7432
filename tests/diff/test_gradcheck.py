"""The verdicts of gradcheck: on functions whose derivative is known, and on rollouts of robots in contact."""

import numpy as np
import pytest

import engine
import scenes
from controllers import CPG, PD
from engine import Simulator, Tape, gradcheck
from engine.diff import gradcheck as module
from engine.model import ModelBuilder

LADDER = module.LADDER * 6e-6


def verdict(f, slope, noise=1e-15, rtol=1e-6, steps=LADDER):
    plus, minus = (np.array([f(sign * t) for t in steps]) for sign in (1, -1))
    return module.judge(slope, abs(slope), steps, plus, minus, f(0.0), noise, rtol)


def wavy(x):
    return np.sin(3 * x + 1) + 0.3 * np.exp(2 * x)


SLOPE = 3 * np.cos(1) + 0.6


def test_smooth_functions():
    difference, error, uncertainty, word = verdict(wavy, SLOPE)
    assert word == "ok" and error < 1e-8 and uncertainty < 1e-7
    assert difference == pytest.approx(SLOPE, rel=1e-8)
    assert verdict(wavy, SLOPE * (1 + 1e-5))[3] == "wrong"
    assert verdict(wavy, -SLOPE)[3] == "wrong"
    assert verdict(wavy, 0.0)[3] == "wrong"
    assert verdict(wavy, SLOPE * (1 + 1e-5), rtol=1e-4)[3] == "ok"
    # strong curvature is not a kink
    assert verdict(lambda x: x + 1e4 * x * x, 1.0)[3] == "ok"
    assert verdict(lambda x: x + 1e4 * x * x, 1.1)[3] == "wrong"


def test_a_missing_gradient_is_wrong_and_an_absent_one_is_zero():
    assert verdict(lambda x: 1e-3 * x, 0.0)[3] == "wrong"
    assert verdict(lambda x: 5.0, 0.0) == (0.0, 0.0, 0.0, "zero")
    assert verdict(lambda x: 5.0, 1e-3)[3] == "wrong"


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0, SLOPE, SLOPE + 0.5])
def test_a_kink_has_no_derivative(slope):
    assert verdict(lambda x: wavy(x) + max(x, 0.0), slope)[3] == "not smooth here"
    assert verdict(lambda x: wavy(x) + (x > 0), slope)[3] == "not smooth here"
    assert verdict(abs, slope)[3] == "not smooth here"


def test_a_kink_beyond_the_smaller_steps_does_no_harm():
    def f(x):
        return wavy(x) + 5 * max(x - 2e-6, 0.0)

    assert verdict(f, SLOPE)[3] == "ok"
    assert verdict(f, SLOPE * 1.001)[3] == "wrong"


def test_noise_is_not_a_verdict():
    """A function of few digits, gradient right or wrong by less than what can be known; and one of no digits."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert verdict(lambda x: wavy(x) + 1e-13 * rng.normal(), SLOPE, noise=3e-13)[3] == "ok"
        assert verdict(lambda x: wavy(x) + 1e-13 * rng.normal(), 2 * SLOPE, noise=3e-13)[3] == "wrong"
        assert verdict(lambda x: wavy(x) + 1e-6 * rng.normal(), SLOPE)[3] == "not smooth here"


STEPS, WORLDS = 25, 2


class Case:
    def __init__(self, name, steps=STEPS):
        self.model = scenes.load(name).model
        self.sim = Simulator(self.model, worlds=WORLDS)
        self.tape = Tape(self.sim, steps)
        rng, m = np.random.default_rng(1), self.model
        qpos, qvel = scenes.load(name).start(rng, WORLDS)
        self.sim.reset(qpos, qvel + 0.3 * rng.normal(size=qvel.shape))
        self.controls = 0.4 * rng.normal(size=(steps, WORLDS, m.nu))
        self.weights = {
            n: rng.normal(size=(steps + 1, WORLDS, size))
            for n, size in (("qpos", m.nq), ("qvel", m.nv), ("sensordata", m.nsensordata))
        }

    def loss(self, trajectory):
        return sum((w * getattr(trajectory, n)).sum() for n, w in self.weights.items()), self.weights


@pytest.fixture(scope="module")
def cheetah():
    return Case("half_cheetah")


def test_every_input_of_a_running_robot(cheetah):
    wrt = ("ctrl", "qpos0", "qvel0", "act0", "qfrc_applied", "xfrc_applied", *cheetah.sim.params)
    report = gradcheck(cheetah.tape, cheetah.loss, wrt, cheetah.controls)
    verdicts = report.verdicts
    assert verdicts.pop("act0") == "zero"  # there is no activation
    # dry friction that begins at nothing has a derivative to the right
    assert verdicts["body_mass"] == verdicts["geom_friction"] == verdicts["dof_frictionloss"] == "ok"
    assert set(verdicts.values()) <= {"ok", "zero"}, f"\n{report}"
    assert report.ok and len(report.entries) == 2 * len(wrt)
    assert str(report).splitlines()[1].split()[0] == "ctrl"


def test_a_wrong_cotangent_is_found(cheetah):
    def loss(trajectory):
        value, bars = cheetah.loss(trajectory)
        return value, {**bars, "qvel": bars["qvel"] * 1.001}

    report = gradcheck(cheetah.tape, loss, ("ctrl", "qvel0"), cheetah.controls)
    assert set(report.verdicts.values()) == {"wrong"} and not report.ok


def only(row, output):
    bar = np.zeros_like(output)
    bar[row] = 1.0
    return bar


def test_an_input_that_never_reaches_the_loss(cheetah):
    def loss(trajectory):  # the start's velocity only
        return trajectory.qvel[0].sum(), {"qvel": only(0, trajectory.qvel)}

    report = gradcheck(cheetah.tape, loss, ("ctrl", "body_mass", "qpos0", "qvel0"), cheetah.controls)
    assert report.verdicts == {"ctrl": "zero", "body_mass": "zero", "qpos0": "zero", "qvel0": "ok"}
    assert report.ok


def test_contact_that_is_just_made():
    """A ball exactly at the height where it touches: pushed down the floor pushes back, pulled up it does not."""
    b = ModelBuilder("ball", timestep=0.01)
    b.geom("world", "floor", type="plane", size=(1, 1, 1))
    b.body("ball", pos=(0, 0, 0.1))
    b.joint("ball", "z", type="slide", axis=(0, 0, 1))
    b.geom("ball", "ball", size=0.1)
    sim = Simulator(b.compile(), worlds=WORLDS)
    tape = Tape(sim, 3)

    def loss(trajectory):
        return trajectory.qvel[-1].sum(), {"qvel": only(-1, trajectory.qvel)}

    assert gradcheck(tape, loss, "qpos0").verdicts == {"qpos0": "not smooth here"}
    for height in (0.05, -0.005):
        sim.reset(np.array([height]))
        report = gradcheck(tape, loss, ("qvel0", "body_mass"))
        assert report.ok, f"\n{report}"
    assert gradcheck(tape, loss, "qpos0").verdicts == {"qpos0": "ok"}


def test_everything_is_put_back(cheetah):
    sim, tape = cheetah.sim, cheetah.tape
    controller = PD(cheetah.model).tracking(CPG(cheetah.model.nu))
    controller.params += 0.1
    names = (*module.STATE,)
    before = {n: getattr(sim.data, n).copy() for n in names}
    theta, params = sim.model_pack["theta"].copy(), controller.params.copy()
    report = gradcheck(tape, cheetah.loss, ("params", "ctrl", "body_mass", "qpos0"), controller, directions=1)
    assert report.ok, f"\n{report}"
    assert all(np.array_equal(before[n], getattr(sim.data, n)) for n in names)
    assert np.array_equal(theta, sim.model_pack["theta"]) and np.array_equal(params, controller.params)
    after = tape.backward(**cheetah.weights).params
    tape.rollout(controller)
    assert np.array_equal(tape.backward(**cheetah.weights).params, after)
    for n in names:
        getattr(sim.data, n)[:] = before[n]


def test_start_state_and_held_controls(cheetah):
    """qpos0, qvel0 replace the simulator's; without controls those in data.ctrl are held."""
    sim = cheetah.sim
    q, v = cheetah.model.qpos0 + 0.1, np.full(cheetah.model.nv, 0.2)
    sim.data.ctrl[:] = 0.3
    seen = []

    def loss(trajectory):
        seen.append((trajectory.qpos[0].copy(), trajectory.qvel[0].copy(), trajectory.ctrl.copy()))
        return cheetah.loss(trajectory)

    assert gradcheck(cheetah.tape, loss, "ctrl", qpos0=q, qvel0=v, directions=1).ok
    first = seen[0]
    assert (first[0] == q).all() and (first[1] == v).all() and (first[2] == 0.3).all()
    sim.data.ctrl[:] = 0.0


def test_mistakes_are_named(cheetah, monkeypatch):
    def check(wrt="ctrl", loss=cheetah.loss, **more):
        return gradcheck(cheetah.tape, loss, wrt, cheetah.controls, **more)

    with pytest.raises(ValueError, match="got 'mass', allowed: ctrl, qpos0, qvel0, act0, qfrc.*, gravity, body_mass"):
        check("mass")
    with pytest.raises(ValueError, match="got 'params', allowed: .*; params needs a controller"):
        check(("ctrl", "params"))
    with pytest.raises(ValueError, match="directions: got 0"):
        check(directions=0)
    with pytest.raises(ValueError, match="loss returned float"):
        check(loss=lambda trajectory: 1.0)
    with pytest.raises(ValueError, match="cotangent of 'xpos', allowed: qpos, qvel"):
        check(loss=lambda trajectory: (1.0, {"xpos": 0}))
    with pytest.raises(ValueError, match="loss is nan"):
        check(loss=lambda trajectory: (np.nan, {}))
    monkeypatch.setattr(module, "np_real", lambda: np.float32)
    with pytest.raises(RuntimeError, match="precision='f64'"):
        check()
    assert engine.gradcheck is gradcheck


@pytest.mark.parametrize("damping", ((0.0, 0.0), (0.3, 0.0)), ids=("none", "one dof"))
def test_damping_of_zero_has_the_derivative_to_the_right(damping):
    """The implicit update begins with the first bit of damping, so a difference to both sides would be wrong."""
    b = ModelBuilder("arm", timestep=0.01)
    b.body("a", pos=(0, 0, 1))
    b.joint("a", "x", axis=(0, 1, 0), damping=damping[0])
    b.geom("a", type="capsule", fromto=(0, 0, 0, 0.4, 0, 0), size=0.04)
    b.body("b", "a", pos=(0.4, 0, 0))
    b.joint("b", "y", axis=(0, 1, 0.2), damping=damping[1])
    b.geom("b", type="capsule", fromto=(0, 0, 0, 0.3, 0, 0), size=0.03)
    model = b.compile()
    sim = Simulator(model)
    sim.data.qvel[:] = 1.0, -2.0
    tape = Tape(sim, 20)
    w = np.random.default_rng(0).normal(size=(21, 1, 2))
    report = gradcheck(tape, lambda t: ((w * t.qvel).sum(), {"qvel": w}), wrt=("dof_damping", "dof_frictionloss"))
    print(report)
    assert report.verdicts["dof_damping"] == "ok"
    assert all(e.error < 1e-6 for e in report.entries if e.input == "dof_damping")
    assert report.verdicts["dof_frictionloss"] in ("ok", "not smooth here")
    assert not (sim.params.dof_damping - damping).any()
