"""What `pullback optimize` searches: a robot, a task and a method made into a search that can be run and replayed."""


import numpy as np

from controllers.add import Sum
from controllers.gait import gait_controller
from controllers.gnms import GNMS
from controllers.ilqr import ILQR
from controllers.mlp import MLP
from controllers.mpc import MPC
from controllers.optimize.alpha_order import AlphaOrder
from controllers.optimize.gaits import GaitSearch
from controllers.optimize.gradient import Restarts
from controllers.optimize.jumps import JumpSearch
from controllers.optimize.lbfgs import LBFGS
from controllers.optimize.play import played
from controllers.optimize.population import CEM, EvolutionStrategy, RandomSearch
from controllers.optimize.problem import Counter, Problem
from controllers.pd import PD
from controllers.plan_and_hold import PlanAndHold, balance
from controllers.riccati import settled
from controllers.spline import Spline
from controllers.stance import Stance, control_scale, holding
from controllers.tasks.aim import aim_at
from controllers.tasks.bring import Bring
from controllers.tasks.carry import carried
from controllers.tasks.follow import Follow
from controllers.tasks.forces import gains_along, period
from controllers.tasks.kinematics import Point, named, points
from controllers.tasks.pump import pumped
from controllers.tasks.push import SLANT, aimed, loose_dofs
from controllers.tasks.track import Table, tracking
from controllers.tasks.trot import can_step, footing
from controllers.tasks.upright import extreme_pose
from controllers.walking import plan_period, stand_cost, walk_cost, walk_plan
from engine.diff.tape import Tape
from engine.model import ModelError
from engine.model.constants import FREE, SLIDE
from engine.model.coordinates import displace
from engine.objectives import Effort, Reach, RunForward, Stand
from engine.simulator import Simulator

CONTROL_PERIOD = 0.01  # s, at least; a robot's timestep divides it as far as possible
STEPPING = 0.004, 0.012  # s: of the control of a gait, and of its rows
KNOT_PERIOD = 0.1  # s between the knots of a spline
NEAR = 1000.0  # of --task reach: so much that holding a robot up against gravity costs it less than a millimetre
NOISE = 0.05  # rad or m: standard deviation of where a robot that is to balance begins
AT_MOST, RESTING = 2.0, 0.3  # s: of a reach that is given no time, to each target, and of that at the last
LONGEST, STANDS = 5.0, 0.5  # s: of a push that is given no time, and of that after its way
LOOSELY = 0.1  # of the weight of a way: that of a push, which the body need not follow
FARTHER = 0.01  # m: a target that the nearest pose misses by more is out of reach
RISING = 0.8  # of a swing-up's time, for the way up at most
ENDS = 100.0, 10.0, 1.0  # weights of the end of a swing-up's plan: of the cost to go, the way to the goal, the velocity
HOLDS = 10.0  # of the end of each plan of mpc that holds a pose, s
PIECES = 12  # of a plan of mpc, of which one is carried out
PATIENCE = 100  # iterations of a plan
ENOUGH = 5.0  # of that, where the way up ends
CATCH = 2.5  # s at the end of a longer one that are planned; before them energy is pumped
FEET, BRINGING = ("run", "stand"), ("push", "carry")
RISE = 0.3  # of its height, that a robot is to jump where nobody says how high
PLANS = {"gait", "gnms", "ilqr", "mpc"}
PLANNERS = {"gnms": GNMS, "ilqr": ILQR}
SEARCHES = ("gradient", "windows", "lbfgs", "alpha", "es", "cem", "random")
METHODS = (*SEARCHES, *sorted(PLANS))
TASKS = ("run", "stand", "jump", "balance", "swingup", "reach", "track", "push", "carry", "scene")


class Job:
    """A search and how to play what it found.

    robot: name, model, qpos0, qvel0 and, where there are such, scene (built-in) and ctrl0 (controls at the start).
    task: one of TASKS ("scene": the objective that the scene itself states). method: one of METHODS. options: seconds
    (None, of a reach, a push, a carry: as it needs), window, worlds, seed, speed, height, horizon, site, target, quat,
    path, push, object.

    start: (qpos, qvel). goal (nq,): the pose to balance in. way: the Way of a reach, a track or a push. table, place:
    of a track, what its files say and where its point is to be (rows, 3), also of a reach of several targets (rows, 3 k
    of k points) and of the body that is pushed. stance: how the robot stands, of what is planned on its feet. behind
    (3,): of a push, the tool's place less the body's. gains: of a reach, a push, a carry, the feedback along its way.
    grip: of a carry, how hard it is held. lost: of what `after` played, the error with which it ended before its time.
    Each None where the task has none.
    """

    def __init__(self, robot, task, method, options):
        self.robot, self.task, self.method_name, self.options = robot, task, method, options
        m, o = robot.model, options
        self.start = (np.asarray(robot.qpos0), np.asarray(robot.qvel0))
        if o.quat is not None:
            if task not in ("reach", *BRINGING) or not np.linalg.norm(o.quat) > 1e-6:
                raise ValueError(f"--quat: got {o.quat}, allowed: four numbers, not all zero, of --task reach, push, "
                                 "carry")  # fmt: skip
            o.quat = (np.asarray(o.quat) / np.linalg.norm(o.quat)).tolist()
        self.stance = self.goal = self.way = self.place = self.behind = self.gains = self.grip = None
        self.aslant = self.sinks = 0.0  # of a push: sine of the angle between its way and what presses; m, how deep
        self.trials = 0  # physics steps before the search
        self.lost = None
        if task == "reach" and (o.site is None or o.target is None):
            raise ValueError("--task reach needs --site NAME and --target X Y Z (m)")
        if task in BRINGING and (getattr(o, "object", None) is None or o.target is None):
            raise ValueError(f"--task {task} needs --object BODY and --target X Y Z (m)")
        for name in named(o.site or ()) if task in ("reach", "track", "push") else ():
            if not points(m, name).dofs:
                raise ModelError(f"--site {name}: no joint moves it")
        self.targets = self._targets()
        own = robot.scene.frame_skip if task == "scene" else max(1, round(CONTROL_PERIOD / m.opt.timestep))
        if task == "carry" and method != "ilqr":
            raise ValueError(f"--task carry: got --method {method}, allowed: ilqr")
        if task == "jump" and method != "gait":
            raise ValueError(f"--task jump: got --method {method}, allowed: gait")
        if method == "gait":
            self._step_in_turn()
            own = max(1, round(STEPPING[0] / m.opt.timestep))
        elif task in FEET and method in PLANS:
            self.stance, own = Stance(m, robot.qpos0), plan_period(m)
        elif method in ("gnms", "ilqr", "mpc") and o.site is not None and task in ("reach", "track", "push"):
            own = self._pace()
        self.table = self._table() if task == "track" else None
        self.frame_skip, self.dt = own, own * m.opt.timestep
        self.ahead = max(2, round(o.horizon / self.dt))  # control steps of a plan of mpc
        self.steps = self._whole(max(1, round((self._longest() if o.seconds is None else o.seconds) / self.dt)))
        {"reach": self._aim, "track": self._track, "push": self._bring, "carry": self._carry, "balance": self._rise,
         "swingup": self._rise}.get(task, self._put)()  # fmt: skip
        self.objective = self._objective()
        self.measure = RunForward(m, robot.qpos0).distance if task == "run" else None
        self.search = self._plan() if method in PLANS else self._search()
        self.search.problem.counter.steps += self.trials

    def _whole(self, steps):
        """So many control steps or a few more: of mpc whole pieces of what is carried out of a plan."""
        every = max(1, self.ahead // PIECES)
        return -(-steps // every) * every if self.method_name == "mpc" and self.task not in FEET else steps

    def _put(self):
        """The start of what stands: a file's robot on the ground, pushed where that is asked for."""
        (qpos, qvel), push = self.start, getattr(self.options, "push", None)
        if self.robot.scene is None and self.stance is not None:
            qpos = self.stance.qpos
        if push:
            root, angle = self.standing().root, np.random.default_rng(self.options.seed).uniform(0, 2 * np.pi)
            qvel = qvel.copy()
            if self.standing().free:
                qvel[root.vx : root.vx + 2] += push * np.array([np.cos(angle), np.sin(angle)])
            else:
                qvel[root.vx] += push * np.sign(np.cos(angle))
        self.start = qpos, qvel

    def _step_in_turn(self):
        """How the robot stands, and its feet."""
        if self.task not in (*FEET, "jump"):
            raise ValueError(f"--method gait: for --task run, stand and jump, not for --task {self.task}")
        as_asked = "run" if self.task == "run" else "stand"
        self.stance, self.feet = footing(self.robot.model, self.robot.qpos0, as_asked)
        if not can_step(self.feet, as_asked):
            raise ModelError(f"--method gait needs four legs of two driven joints, to stand or jump two of five; "
                             f"{self.robot.name} has {len(self.feet)} feet")  # fmt: skip

    def _rise(self):
        """The pose to balance in, and where to begin: beside it, or with the weight as low as it gets."""
        m, rng = self.robot.model, np.random.default_rng(self.options.seed)
        self.goal = extreme_pose(m, self.start[0])
        low = self.goal if self.task == "balance" else extreme_pose(m, self.start[0], lowest=True)
        noise = NOISE if self.task == "balance" else 0.1 * NOISE
        self.start = displace(m, low, noise * rng.normal(size=m.nv)), np.zeros(m.nv)

    def _pace(self):
        """Physics steps with one control of a reach."""
        m, o = self.robot.model, self.options
        return max(1, round(period(m, self.start[0], points(m, o.site).dofs) / m.opt.timestep))

    def _targets(self):
        """(n, 3 k), m: of a reach of k points, one after the other; the options' own is the last of them."""
        o = self.options
        alone = self.task != "reach" and not self.catches or o.quat is not None
        if len(named(o.site or "")) > 1 and alone:
            raise ValueError(f"--site: got {', '.join(o.site)}, allowed: one; several of --task reach, without --quat")
        if self.task not in ("reach", *BRINGING):
            return np.zeros((1, 3))
        target = np.ravel(np.asarray(self.options.target, float))
        if not np.isfinite(target).all():
            raise ValueError(f"--target: got {' '.join(f'{x:g}' for x in target)}, allowed: finite numbers")
        if self.task in BRINGING and target.size != 3:
            raise ValueError(f"--target: got {len(target)} numbers, allowed: X Y Z (m)")
        size = 3 * len(named(o.site or ""))
        if not target.size or target.size % size:
            each = "of each target" if size == 3 else f"of each of {', '.join(o.site)}, once or more"
            raise ValueError(f"--target: got {len(target)} numbers, allowed: X Y Z (m), {each}")
        o.target = target[-size:].tolist()
        return target.reshape(-1, size)

    def _aim(self):
        """The way to the targets of a reach, one after the other."""
        o, found = self.options, None
        if self.method_name in ("gnms", "ilqr", "mpc"):
            found = aim_at(self.robot.model, o.site, self.targets, o.quat, self.start[0], self.hold, self.steps,
                           self.dt, self.frame_skip, o.seed, self._needed)  # fmt: skip
        if found is None and (o.quat is not None or self.targets.size > 3):
            raise ModelError("--quat and several targets: for points that joints with an actuator of their own move "
                             "from a fixed base, by --method ilqr, gnms or mpc")  # fmt: skip
        if found is not None:
            self.way, self.place, self.gains, self.trials = found.way, found.place, found.gains, found.tried
            self.steps = len(self.way.ctrl)

    @property
    def beyond(self):
        """Whether the target of a reach is farther away than any pose leads."""
        return self.task == "reach" and self.way is not None and self.way.away > FARTHER

    def _needed(self, arrival):
        """Control steps of a reach whose way arrives after so many seconds."""
        own = self.steps if self.options.seconds is not None else int(np.ceil((arrival + RESTING) / self.dt))
        return min(self.steps, self._whole(own))

    def _bring(self):
        """The way of the tool behind the body that is pushed, and along."""
        m, o = self.robot.model, self.options
        self.loose = loose_dofs(m, o.object)
        if self.method_name not in ("gnms", "ilqr"):
            return
        found = aimed(m, o.site, o.object, self.targets[0], self.start[0], self.hold, self.steps, self.dt, o.seed,
                      STANDS)  # fmt: skip
        if found is None:
            return
        push, self.trials = found
        if o.seconds is None:
            self.steps = min(self.steps, int(np.ceil((push.way.arrival + STANDS) / self.dt)))
        push = push.cut(self.steps)
        self.way, self.place, self.behind, self.gains = push.way, push.place, push.behind, push.K
        self.aslant, self.sinks = push.aslant * SLANT, push.sinks

    def _carry(self):
        """The way of the hand that grasps the body and brings it."""
        m, o = self.robot.model, self.options
        self.loose = loose_dofs(m, o.object)
        found, self.trials = carried(m, o.object, self.targets[0], o.quat, self.start[0], self.hold, self.steps,
                                     self.dt, o.site, o.seed)  # fmt: skip
        self.way, self.gains, self.place, self.grip = found
        self.steps = len(self.way.ctrl)

    @property
    def catches(self):
        """Whether a track begins where the robot is, as a reach does whose target moves."""
        return bool(getattr(self.options, "catch", None))

    def _table(self):
        if self.options.path is None:
            raise ValueError("--task track needs --path FILE, of time and joints, or of time, x, y, z with --site NAME")
        if self.method_name not in ("gnms", "ilqr", "mpc"):
            raise ValueError(f"--task track: got --method {self.method_name}, allowed: ilqr, gnms, mpc")
        paths, sites = self.options.path, named(self.options.site or "")
        if not isinstance(paths, list):
            return [Table(paths)]
        if len(paths) != len(sites):
            raise ValueError(f"--target: got {', '.join(paths)}, allowed: a file for each of {', '.join(sites)}")
        return [Table(path) for path in paths]

    def _longest(self):
        """s, where nobody says how long: a reach takes less."""
        if self.table is not None:
            return max(table.seconds for table in self.table)
        return {"push": LONGEST, "carry": 2 * LONGEST}.get(self.task, AT_MOST * len(self.targets))

    def _track(self):
        """The way that a table prescribes, and its first row as the start."""
        m = self.robot.model
        self.way, self.place = tracking(m, self.table, self.options.site, self.start[0], self.hold, self.steps, self.dt,
                                        self.catches)  # fmt: skip
        self.start = self.way.qpos[0], self.way.qvel[0]

    @property
    def hold(self):
        """Controls (nu,) that hold the start."""
        given = getattr(self.robot, "ctrl0", None)
        return holding(self.robot.model, self.start[0]) if given is None else np.asarray(given, float)

    def _objective(self):
        m, o, q0 = self.robot.model, self.options, self.robot.qpos0
        if self.task == "scene":
            return self.robot.scene.objective()
        if self.goal is not None:
            holds = {"running": 1.0, "terminal": HOLDS} if self.method_name == "mpc" else {"running": 0.0}
            there, rest = (Reach(m, x, **{of: slice(None)}, **holds) for of, x in
                           (("qpos", self.goal), ("qvel", np.zeros(m.nv))))  # fmt: skip
            cost = there + 0.1 * rest
            return cost + 1e-3 * Effort() if self.method_name == "mpc" else cost
        if self.table is not None:
            sites = () if self.place is None else named(o.site)
            near, place = NEAR / min(*(span(m, n) for n in sites), 10.0) ** 2, [placed(m, n) for n in sites] or None
            return Follow(m, self.way, place, self.place, near, control_scale(m))
        if self.task in BRINGING:
            return self._bringing()
        if self.task == "reach":
            near = NEAR / min(*(span(m, n) for n in named(o.site)), 10.0) ** 2
            if self.way is not None:
                target, places = o.target if self.place is None else self.place, [placed(m, n) for n in named(o.site)]
                return Follow(m, self.way, places, target, near, control_scale(m))
            still = Reach(m, np.zeros(m.nv), qvel=slice(None), terminal=0.1, running=0.01)
            place = Reach(m, o.target, **placed(m, o.site), terminal=1.0, running=1.0)
            return near * place + still + 1e-3 * Effort()
        k = self.stance
        if self.task == "jump":
            return stand_cost(self.standing())
        if self.task == "stand":
            return Stand(m, q0, last=0.2 if self.method_name in PLANS else 0.0) if k is None else stand_cost(k)
        return RunForward(m, q0) if k is None else walk_cost(k, self.speed)

    def _bringing(self):
        """Of a push: the body, the tool behind it, and loosely the way."""
        m, o = self.robot.model, self.options
        tool = o.object if self.task == "carry" else o.site
        near = NEAR / min(span(m, o.site) if self.task == "push" else 1.0, 10.0) ** 2
        place = o.target if self.place is None else self.place
        bring = Bring(m, placed(m, o.object), placed(m, tool), place, self.behind, self.loose, near, o.quat)
        if self.way is None:
            return bring + 1e-3 * Effort()
        return bring + LOOSELY * Follow(m, self.way, None, None, near, control_scale(m))

    @property
    def speed(self):
        """What plans of a run aim at, m/s: the option, what the scene asks for, or what suits the robot."""
        task = getattr(self.robot.scene, "task", None)
        asked = getattr(task, "command", 0.0) or 1.5 * getattr(task, "least_speed", 0.0)
        trots = True if self.method_name == "gait" else None
        return self.options.speed or asked or self.standing().walking_speed(trots)

    @property
    def height(self):
        """m: how much higher than standing a jump brings the trunk."""
        return getattr(self.options, "height", None) or RISE * self.standing().height

    def standing(self):
        """How the robot stands (stance.py)."""
        if self.stance is None:
            self.stance = Stance(self.robot.model, self.robot.qpos0)
        return self.stance

    def _plan(self):
        m, o = self.robot.model, self.options
        if self.goal is not None and self.method_name != "mpc":
            return self._regulated()
        if self.method_name == "gait":
            every = max(1, round(STEPPING[1] / self.dt))
            if self.task == "jump":
                return JumpSearch(m, self.stance, self.feet, self.height, self.steps, self.frame_skip, every,
                                  self.start, 2 * o.worlds, o.seed)  # fmt: skip
            speed = self.speed if self.task == "run" else 0.0
            return GaitSearch(m, self.stance, self.feet, speed, self.steps, self.frame_skip, every, self.start,
                              2 * o.worlds, o.seed, self.measure)  # fmt: skip
        if self.method_name == "mpc" and self.task in FEET:
            speed = self.speed if self.task == "run" else 0.0
            return walk_plan(m, self.start, self.steps * self.dt, speed, horizon=o.horizon, seed=o.seed,
                             measure=self.measure, stance=self.stance)  # fmt: skip
        first = 0.2 * np.random.default_rng(o.seed).normal(size=(self.steps, m.nu))
        if self.method_name in ("gnms", "ilqr"):
            about = None
            if self.way is not None:
                first, qpos, qvel = self.way.ctrl, self.way.qpos, self.way.qvel
                K = gains_along(m, qpos[:-1], qvel[:-1], self.dt) if self.gains is None else self.gains
                about = qpos, qvel, -K
            return PLANNERS[self.method_name](m, self.objective, self.steps, self.frame_skip, self.start, first,
                                              measure=self.measure, about=about)  # fmt: skip
        horizon, ahead = self.ahead, None if self.way is None else self.way.ctrl
        first = np.resize(first, (horizon, m.nu))
        if ahead is not None:
            first = ahead[np.minimum(np.arange(horizon), len(ahead) - 1)]
        return MPC(m, self.objective, horizon, self.steps, self.frame_skip, max(1, horizon // PIECES), 2, self.start,
                   first, measure=self.measure, ahead=ahead)  # fmt: skip

    def _regulated(self):
        """A regulator in the pose to balance in, and for a swing-up the plan of a way to where it holds, which begins
        by pumping energy."""
        m, scale = self.robot.model, control_scale(self.robot.model)
        steps, ways, R, counter = 0, [], scale**-2, Counter()
        if self.task == "swingup":
            ctrl, A, B, _ = balance(Simulator(m), self.goal, self.frame_skip)
            _, P = settled(A, B, np.eye(len(A)), R * np.eye(m.nu))
            catch = round(CATCH / self.dt)
            # as near as what is planned then asks for
            P = ENDS[0] / np.linalg.eigvalsh(P)[-1] * P + np.diag(np.repeat(ENDS[1:], m.nv))
            found = pumped(m, self.goal, self.start, self.frame_skip, round(RISING * self.steps), P, catch,
                           ENOUGH, self.options.seed, counter)
            if found is None:
                raise ModelError(f"--task swingup: no actuator of {self.robot.name} drives a hinge or slide alone")
            self.goal, ways = found
            self.objective, steps = self._objective(), min(len(ways[0]), catch)
        search = PlanAndHold(m, self.goal, self.objective, steps, self.steps, self.frame_skip, self.start, R=R,
                             weights=(*ENDS, 0.01 / np.mean(scale**2)), spark=0.3 * float(np.mean(scale)),
                             patience=PATIENCE, seed=self.options.seed, beginnings=ways,
                             planner=PLANNERS.get(self.method_name, ILQR))  # fmt: skip
        search.problem.counter.steps += counter.steps
        return search

    def _search(self):
        m, o = self.robot.model, self.options
        window = max(1, round(o.window / self.dt)) if self.method_name == "windows" else self.steps
        windows = max(1, round(self.steps / window))
        self.steps = window * windows
        worlds = 1 if self.method_name == "lbfgs" else o.worlds
        rng = np.random.default_rng(o.seed)
        controller, rows, scale = start_controller(self.robot, self.task, self.steps, self.dt, worlds, rng)
        self.controller = controller
        tape = Tape(Simulator(m, worlds), window, frame_skip=self.frame_skip)
        clip = 3.0 if self.method_name in ("windows", "gradient", "alpha") else None
        problem = Problem(tape, self.objective, controller, self.start, windows, clip=clip, measure=self.measure,
                          scale=scale)  # fmt: skip
        problem.first = rows[0].copy()
        seed = o.seed
        make = {
            "gradient": lambda: Restarts(problem, rows, seed=seed),
            "windows": lambda: Restarts(problem, rows, seed=seed),
            "lbfgs": lambda: LBFGS(problem, seed=seed), "alpha": lambda: AlphaOrder(problem, seed=seed),
            "es": lambda: EvolutionStrategy(problem, seed=seed), "cem": lambda: CEM(problem, seed=seed),
            "random": lambda: RandomSearch(problem, rows, seed=seed),
        }  # fmt: skip
        return make[self.method_name]()

    def before(self):
        """A tape with the rollout that the search began with, one world."""
        if self.method_name in PLANS:
            rest = self.hold if self.way is not None or self.method_name == "gait" else np.zeros(self.robot.model.nu)
            return self._play(np.tile(rest, (self.steps, 1)))
        return self._play(self._with(self.search.problem.first))

    def after(self):
        """(tape with the rollout, controller) of the best that was found."""
        if self.method_name in PLANS:
            controller = self.search.controller()
            whole = self.goal is not None and self.method_name != "mpc" or self.method_name == "gait"
            return self._best(controller, self.steps if whole else len(controller.K)), controller
        controller = self._with(self.search.best_params)
        return self._best(controller, self.steps), controller

    def _with(self, params):
        controller, _, _ = start_controller(self.robot, self.task, self.steps, self.dt, 1, np.random.default_rng(0))
        controller.params = np.asarray(params)
        return controller

    def _play(self, controls):
        return played(self.robot.model, self.start, controls, self.steps, self.frame_skip)[0]

    def _best(self, controller, steps):
        tape, self.lost = played(self.robot.model, self.start, controller, steps, self.frame_skip)
        return tape


def placed(model, name):
    """What Reach takes for the place of a site, where no site is called so of a body, else of a geom: {kind: name}."""
    return {Point(model, name).kind: name}


def span(model, name):
    """How far (m) a site, body or geom can be at most from where its robot stands, from lengths alone: the way along
    the bodies from the first joint can be no longer than straight. inf where nothing holds it."""
    m, point = model, Point(model, name)
    length, b = float(np.linalg.norm(point.offset)), point.body
    while b > 0:
        for j in range(m.body_jntadr[b], m.body_jntadr[b] + m.body_jntnum[b]):
            if m.jnt_type[j] == FREE or m.jnt_type[j] == SLIDE and not m.jnt_limited[j]:
                return np.inf
            if m.jnt_type[j] == SLIDE:
                length += float(np.abs(m.jnt_range[j] - m.qpos0[m.jnt_qposadr[j]]).max())
            length += 2.0 * float(np.linalg.norm(m.jnt_pos[j]))
        if m.body_parentid[b] != 0:
            length += float(np.linalg.norm(m.body_pos[b]))
        b = int(m.body_parentid[b])
    return length


def start_controller(robot, task, steps, dt, worlds, rng):
    """(controller, start rows (worlds, n), scale (n,)) that searches of a task begin with.

    run: a PD on a CPG, drawn around small smooth motions. stand: a PD with a linear policy added. Else spline knots.
    """
    m = robot.model
    if task == "run":
        controller, scale = gait_controller(m, worlds, rng)
        rows = controller.params.copy()
        if worlds == 1:
            controller.params = rows[0]
        return controller, rows, scale
    if task == "stand":
        policy = MLP(m, ())
        policy.params[:] = 0.0
        controller = Sum(PD(m), policy)
        scale = np.concatenate([np.full(controller.members[0].nparam, 0.3), np.full(policy.nparam, 0.1)])
        noise = 0.1
    else:
        every = max(1, round(KNOT_PERIOD / dt))
        controller = Spline(m.nu, Spline.knots_for(steps, every), every)
        scale, noise = np.ones(controller.nparam), 0.3
    rows = controller.params + noise * scale * rng.normal(size=(worlds, controller.nparam))
    return controller, rows, scale
