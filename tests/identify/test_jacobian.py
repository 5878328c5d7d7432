"""The Jacobian of residuals by unknowns and starts against central differences, column by column."""

import mujoco
import numpy as np
import pytest

import engine
from engine.identify import Log, Problem, Unknown
from engine.identify.residuals import turn_slope
from engine.identify.targets import turn
from engine.identify.trees import body_trees, dof_trees

from .twin import BALL, SENSORS, arm, random_log

BAR = 1e-6
JOINTS = [
    "dof_armature:*", "dof_damping:*", "dof_frictionloss:*", "offset:elbow", "offset:shoulder", "bias:lone", "kp:*",
    "kv:*", "actuator_gear:lone[0]", "jnt_stiffness:lone", "inertia:lower", "body_mass:upper",
    Unknown("delay:*", tied=True, guess=0.0071),
]  # fmt: skip
SENSED = [
    "dof_armature:elbow", "dof_damping:shoulder", "dof_frictionloss:lone", "kp:*", "inertia:lower", "gravity[2]",
    Unknown("delay:*", tied=True, guess=0.0071),
]  # fmt: skip


def worst_column(problem, qvel=None):
    """(name, error) of the column that differs most from differences, relative to its greatest entry."""
    r, u, starts = problem.residuals, problem.unknowns, problem.starts
    starts["qvel"] = np.random.default_rng(2).normal(size=starts["qvel"].shape) if qvel is None else qvel
    p = u.guess.copy()

    def values(q, dx):
        return np.concatenate([a.ravel() for a in r(q, r.moved(starts, dx))])

    still = np.zeros((problem.windows.count, r.n))
    values(p, still)
    jacobian = np.concatenate([a.reshape(-1, a.shape[-1]) for a in r.jacobian()])
    size = np.abs(jacobian).max(axis=0)
    worst = "", 0.0
    for c in range(jacobian.shape[1]):
        error = np.inf
        for step in (1e-4, 1e-5, 1e-6):
            if c < len(p):
                h = step * max(u.unit[c], 1e-3)
                there = [(p + s * h * (np.arange(len(p)) == c), still) for s in (1, -1)]
            else:
                h = step
                there = [(p, s * h * np.tile(np.arange(r.n) == c - len(p), (len(still), 1))) for s in (1, -1)]
            found = (values(*there[0]) - values(*there[1])) / (2 * h)
            error = min(error, np.abs(found - jacobian[:, c]).max() / max(size[c], 1e-4))
        worst = max(worst, (u.names[c] if c < len(p) else f"start {c - len(p)}", error), key=lambda pair: pair[1])
    return worst


def test_columns_of_joints_of_trees_apart():
    """The lone joint is pulled together with the arm's."""
    problem = Problem(engine.load(arm()), random_log(), JOINTS, window=0.2, noise=1.0, hold="linear")
    assert problem.residuals.machine.apart.groups == [[0, 2], [1]]
    name, error = worst_column(problem)
    assert error < BAR, name


def test_columns_of_sensors():
    """Sensors of place, rate, force and acceleration, off the grid, and gravity, which all trees share."""
    problem = Problem(engine.load(arm("Euler", sensors=SENSORS)), random_log(sensors=True), SENSED, window=0.2,
                      noise=1.0, hold="linear")  # fmt: skip
    assert problem.residuals.machine.apart is None
    name, error = worst_column(problem)
    assert error < BAR, name


@pytest.mark.slow
@pytest.mark.parametrize("integrator", ("RK4", "Euler", "implicitfast"))
@pytest.mark.parametrize("hold", ("hold", "linear"))
def test_columns_with_a_ball_joint(integrator, hold):
    problem = Problem(engine.load(arm(integrator, BALL, SENSORS)), random_log(sensors=True), SENSED, window=0.2,
                      noise=1.0, hold=hold)  # fmt: skip
    name, error = worst_column(problem)
    assert error < BAR, name


BOX = """<mujoco><option timestep="0.002"/><worldbody>
 <geom name="floor" type="plane" size="5 5 1" friction="0.5"/>
 <body name="box" pos="0 0 0.077"><freejoint name="box"/><inertial pos="0 0 -.02" mass="1.5" diaginertia=".02 .03 .02"/>
 <geom name="box" type="box" size=".15 .12 .08" friction="0.4"/></body></worldbody></mujoco>"""


def test_columns_through_contact():
    """A box that slides: pose, friction, mass, inertia and the contact's reference, which is a leaf."""
    rng, t = np.random.default_rng(0), np.arange(0.0, 0.0401, 0.004)
    pose = np.tile((0.0, 0.0, 0.077, 1.0, 0.0, 0.0, 0.0), (len(t), 1)) + 1e-2 * rng.normal(size=(len(t), 7))
    unknowns = ["geom_friction:floor[0]", "geom_solref:box", "geom_solref:floor", "inertia:box"]
    model = engine.load(mujoco.MjModel.from_xml_string(BOX))
    problem = Problem(model, Log({"pose:box": (t, pose)}), unknowns, window=0.04, noise=1.0, held_out=0)
    problem.starts["qpos"][:] = model.qpos0  # three millimetres deep
    name, error = worst_column(problem, np.array([[1.0, 0.4, -0.01, 0.02, 0.03, 0.4]]))
    assert problem.residuals.machine._one.data.ncon.sum() > 20  # it bounces off
    assert error < BAR, name


def test_trees():
    model = engine.load(arm(more=BALL))
    assert dof_trees(model).tolist() == [0, 0, 2, 3, 3, 3]
    assert body_trees(model).tolist() == [-1, 0, 0, 2, 3]


def test_slope_of_turns():
    """d log(a^-1 b exp(x))/dx, near zero, at an angle, and almost half a turn."""
    rng = np.random.default_rng(0)
    for angle in (0.0, 1e-6, 1e-3, 0.7, 2.5, 3.1):
        axis = rng.normal(size=3)
        v = angle * axis / np.linalg.norm(axis)
        a = rng.normal(size=4)
        b = _times(a, _exp(v))
        found = np.stack([
            (turn(a[None], _times(b, _exp(e))[None]) - turn(a[None], _times(b, _exp(-e))[None]))[0] / 2e-6
            for e in 1e-6 * np.eye(3)
        ], axis=1)  # fmt: skip
        assert np.abs(turn_slope(turn(a[None], b[None]))[0] - found).max() < 1e-8


def _exp(v):
    angle = np.linalg.norm(v)
    return np.array([np.cos(angle / 2), *(0.5 * np.sinc(angle / (2 * np.pi)) * v)])


def _times(a, b):
    return np.array([a[0] * b[0] - a[1:] @ b[1:], *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))])
