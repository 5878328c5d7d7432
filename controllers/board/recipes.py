"""How each task of the board is gone about: a controller, where its parameters start, and how far steps go.

Every method of a task searches the same parameters from the same random starts.
"""

from dataclasses import dataclass, field

import numpy as np

from controllers.cpg import CPG
from controllers.mlp import MLP
from controllers.pd import PD
from controllers.spline import Spline
from controllers.walking import walk_plan


@dataclass(frozen=True)
class Plan:
    """Receding-horizon control by iLQR that makes the robot walk at `speed` (m/s) and takes falls back
    (controllers.walking)."""

    speed: float

    def search(self, scene, seed):
        return walk_plan(scene.model, (scene.qpos0, scene.qvel0), scene.trial, self.speed, seed=seed)


@dataclass(frozen=True)
class Hold:
    """Where a regulator keeps the robot (PlanAndHold): goal (nq,), None: where it starts. seconds: of the plan that
    brings it there, 0: none. options: of PlanAndHold.
    """

    goal: tuple | None = None
    seconds: float = 0.0
    options: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """make(scene, worlds, rng) -> (controller, start rows (worlds, n), scale): what is searched, and from where.

    methods   those that apply, of lqr, ilqr, mpc, lbfgs, gradient, windows, random
    worlds    starts that gradient and windows try at once; lbfgs takes the first of them alone
    windows   pieces into which method `windows` cuts a rollout
    policy    one set of parameters for all worlds, which start in different noisy states and must all be solved
    lr, clip, options  of optimize.Restarts, optimize.Problem and optimize.Restarts
    sigma     spread of the random search, in units of scale
    spark     standard deviation of the first controls of ilqr and mpc
    plan      how mpc plans
    hold      where lqr regulates, and what ilqr plans the way to; without it ilqr plans the whole trial
    bounds    (lo, hi) within which lbfgs keeps the parameters, or None
    """

    make: object
    methods: tuple = ("gradient", "random")
    worlds: int = 4
    windows: int = 1
    policy: bool = False
    lr: float = 0.05
    clip: float | None = None
    sigma: float = 0.1
    spark: float = 0.1
    plan: object = None
    hold: object = None
    bounds: tuple | None = None
    options: dict = field(default_factory=dict)


def splines(every, spread, mean=0.0, scale=1.0):
    """Controls from smooth curves with a knot every `every` control steps, around `mean` (number or (nu,))."""

    def make(scene, worlds, rng):
        nu = scene.model.nu
        controller = Spline(nu, Spline.knots_for(scene.trial_steps, every), every)
        noise = rng.normal(size=(worlds, controller.knots, nu)) * np.broadcast_to(spread, nu)
        rows = (np.broadcast_to(mean, nu) + noise).reshape(worlds, -1)
        return controller, rows, np.tile(np.broadcast_to(scale, nu), controller.knots)

    return make


def servos(every, spread, kp, kd):
    """A PD around the start's angles whose targets move along smooth curves; the gains stay."""

    def make(scene, worlds, rng):
        m = scene.model
        curve = Spline(m.nu, Spline.knots_for(scene.trial_steps, every), every)
        target = scene.qpos0[m.jnt_qposadr[m.actuator_trnid]]
        controller = PD(m, kp=kp, kd=kd, target=target).tracking(curve)
        rows = np.tile(controller.params, (worlds, 1))
        rows[:, : curve.nparam] += spread * rng.normal(size=(worlds, curve.nparam))
        scale = np.ones(controller.nparam)
        scale[curve.nparam :] = FIXED
        return controller, rows, scale

    return make


FIXED = 1e-9  # scale of a parameter that is not searched


def gait(kp=1.0, kd=0.1, hertz=(1.5, 3.5), swing=(0.1, 0.4), feel=None):
    """A PD on a CPG from random frequencies, swings and phases; `feel`: entries of the state fed back linearly."""

    def make(scene, worlds, rng):
        m, nu = scene.model, scene.model.nu
        target = scene.qpos0[m.jnt_qposadr[m.actuator_trnid]]
        controller = PD(m, kp=kp, kd=kd, target=target).tracking(CPG(nu))
        plain = controller.nparam
        if feel:
            controller = controller + MLP(m, hidden=(), observe=feel)
        rows = np.tile(controller.params, (worlds, 1))
        rows[:, 0] = 2 * np.pi * rng.uniform(*hertz, worlds)
        rows[:, 1 : 1 + nu] = rng.uniform(*swing, (worlds, nu))
        rows[:, 1 + nu : 1 + 2 * nu] = rng.uniform(-np.pi, np.pi, (worlds, nu))
        rows[:, 1 + 2 * nu : 1 + 3 * nu] = rng.uniform(-0.1, 0.1, (worlds, nu))
        rows[:, plain:] = 0.05 * rng.normal(size=rows[:, plain:].shape)
        scale = np.ones(rows.shape[1])
        scale[0] = scale[1 + nu : 1 + 2 * nu] = 2.0  # frequency and phase move further than angles
        return controller, rows, scale

    return make


def linear_policy(spread):
    """Controls linear in the whole state, from random weights."""

    def make(scene, worlds, rng):
        controller = MLP(scene.model, hidden=())
        rows, scale = spread * rng.normal(size=controller.nparam), np.ones(controller.nparam)
        rows[-scene.model.nu :], scale[-scene.model.nu :] = 0.0, FIXED  # no bias
        return controller, rows, scale

    return make


def stance(spread):
    """A PD around the start's angles with random gains, and the trunk's motion fed back linearly to every motor."""

    def make(scene, worlds, rng):
        m, nu = scene.model, scene.model.nu
        servo = PD(m, kp=1.5, kd=0.15, target=scene.qpos0[m.jnt_qposadr[m.actuator_trnid]])
        feel = [("qpos", 0), ("qpos", 4), ("qpos", 5), ("qvel", 0), ("qvel", 1), ("qvel", 3), ("qvel", 4)]
        controller = servo + MLP(m, hidden=(), observe=feel)
        rows = np.tile(controller.params, (worlds, 1))
        rows[:, :nu] *= rng.uniform(0.7, 2.0, (worlds, 1))
        rows[:, nu : 2 * nu] *= rng.uniform(0.7, 2.0, (worlds, 1))
        rows[:, 3 * nu :] = spread * rng.normal(size=rows[:, 3 * nu :].shape)
        scale = np.ones(rows.shape[1])
        scale[nu : 2 * nu], scale[2 * nu : 3 * nu] = 0.1, 0.2
        return controller, rows, scale

    return make


def trot(scene, worlds, rng):
    """Sines for the servos around the standing robot's angles, the legs of a diagonal together, hardly any swing."""
    nu = scene.model.nu
    controller = CPG(nu)
    rows = np.tile(controller.params, (worlds, 1))
    rows[:, 0] = 2 * np.pi * rng.uniform(1.5, 2.5, worlds)
    rows[:, 1 : 1 + nu] = np.tile((0.0, 0.05, 0.12), 4) * rng.uniform(0.5, 1.5, (worlds, 1))
    knees = np.tile((0, 0, 1), 4) * rng.uniform(-np.pi, np.pi, (worlds, 1))
    rows[:, 1 + nu : 1 + 2 * nu] = np.repeat((0.0, np.pi, np.pi, 0.0), 3) + knees
    rows[:, 1 + 2 * nu :] = scene.task.home
    scale = np.ones(rows.shape[1])
    scale[0], scale[1 : 1 + nu], scale[1 + 2 * nu :] = 2.0, 0.5, 0.3
    return controller, rows, scale


ARM = servos(20, 0.02, kp=0.5, kd=0.05)
SMOOTH = ("ilqr", "gradient", "random")
CURVES = ("lbfgs", "gradient", "random")
RUN = {"windows": 10, "clip": 3.0, "worlds": 16, "methods": ("windows", "random")}
STAND = {**RUN, "methods": ("lqr", "windows", "random"), "hold": Hold()}
LEGS = {**RUN, "methods": ("windows", "mpc", "random")}
PITCH = (("qpos", 1), ("qpos", 2), ("qvel", 0), ("qvel", 1), ("qvel", 2))  # height, pitch, velocities

RECIPES = {
    "pendulum": Recipe(
        servos(10, 0.5, kp=3.0, kd=0.5), SMOOTH, lr=0.3, sigma=0.3, hold=Hold((np.pi,), 3.0)
    ),
    "double_pendulum": Recipe(
        servos(10, 0.5, kp=3.0, kd=0.5), SMOOTH, lr=0.1, sigma=0.3, hold=Hold((np.pi, 0.0), 3.0)
    ),
    "acrobot": Recipe(splines(10, 0.5), SMOOTH, lr=0.1, sigma=0.3, hold=Hold((np.pi, 0.0), 3.0)),
    "cartpole": Recipe(
        linear_policy(0.1), ("lqr", "windows", "random"), policy=True, windows=20, lr=0.1, clip=1.0, sigma=0.3,
        hold=Hold(),
    ),
    "reacher": Recipe(servos(10, 0.1, kp=3.0, kd=0.5), SMOOTH, worlds=1, lr=0.1, sigma=0.1),
    "arm_reach": Recipe(ARM, CURVES, worlds=1, lr=0.1, options={"patience": 0.2}),
    "arm_track": Recipe(ARM, worlds=1, lr=0.05, options={"patience": 0.2}),
    "ball_toss": Recipe(splines(10, 0.1, mean=(0.4, 0.0)), CURVES, worlds=1, lr=0.02),
    "billiards": Recipe(
        splines(20, (0.05, 0.0005), mean=(0.15, 0.0), scale=(1.0, 0.01)), ("gradient", "random"), worlds=1, lr=0.05
    ),
    "box_push": Recipe(splines(15, 0.05, mean=(0.1, 0.0)), CURVES, worlds=1, lr=0.03),
    "sysid_pendulum": Recipe(None, CURVES, worlds=1, lr=0.1, bounds=(-3.0, 3.0), options={"patience": np.inf}),
    "sysid_box": Recipe(None, worlds=1, lr=0.1, options={"patience": np.inf, "betas": (0.5, 0.9)}),
    "half_cheetah": Recipe(gait(), lr=0.012, options={"exchange": 8}, **RUN),
    "hopper": Recipe(gait(feel=PITCH), lr=0.02, options={"exchange": 8}, plan=Plan(1.5), **LEGS),
    "walker2d": Recipe(gait(feel=PITCH), lr=0.02, options={"exchange": 8}, plan=Plan(1.5), **LEGS),
    "ant": Recipe(gait(), lr=0.02, options={"exchange": 8}, plan=Plan(1.5), **LEGS),
    "quadruped": Recipe(trot, lr=0.02, **{**RUN, "windows": 8, "clip": 1.0, "worlds": 8}),
    "humanoid": Recipe(stance(0.02), lr=0.03, **{**STAND, "clip": 1.0, "worlds": 8}, options={"exchange": 8}),
}
