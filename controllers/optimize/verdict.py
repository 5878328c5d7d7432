"""What came of a search, in the units of the person who asked: whether it did what was wanted, how well, what stood in
the way and what to try. From the recorded rollout alone, so that anybody can check it on the run file."""

from typing import NamedTuple

import numpy as np

from controllers.optimize.job import placed, span
from controllers.optimize.observed import (
    fallen,
    falls_freely,
    in_the_air,
    observed,
    overlapping,
    peak_load,
    pushed_by,
    share_at_limit,
    touching_itself,
)
from controllers.tasks.kinematics import Point, named
from controllers.tasks.push import GIVES
from controllers.tasks.upright import from_upright
from engine.clocks import times_of
from engine.diff.trajectory import Trajectory
from engine.model.constants import HINGE
from engine.objectives.ready import Quantity

WITHIN = 2e-3  # m: a target is reached where the site stays this near
TURNED = np.radians(1.0)  # rad: and its frame as asked, where that is asked for
HELD = 0.05  # s: at least, before the end
STILL = 0.05  # rad/s or m/s: slower is at rest
SHARE = 0.5  # of the speed that a run aims at, or that suits the robot's size
ON_PLACE, ON_WAY, ONTO = 5e-3, 0.05, 0.1  # m of a point, rad or m of joints: near enough on a way, after so many s
BROUGHT, AS_TURNED = 5e-3, np.radians(3.0)  # m, rad: so near to its target is what is pushed
SETTLING = 0.25  # share of a run in which it may gather speed
UPRIGHT = 0.2  # rad: nearer than this to its pose a robot balances
SLOW = 1.0  # rad/s: and no joint is faster
STEADY = 1.0  # s: and it stays so to the end, so long at least
AIRBORNE = 0.03  # s in the air at a time, at least, of what has jumped
QUIET = 1.0  # per s: of the fastest joint, of what has landed
LIFTED = 0.02  # m: less is no carrying
ASLANT = 0.3  # sine: what presses so far from the way leaves it
HARDER = 1.3  # times the weight: a hand that holds less by friction may lose what is moved


class Verdict(NamedTuple):
    """solved: was it done? None: nobody says when it is. text: what came of it, one line. numbers {name: SI}. hindered:
    what stood in the way, hints: what to try, where it was not done."""

    solved: object
    text: str
    numbers: dict
    hindered: list
    hints: list

    def lines(self):
        """For people."""
        word = {True: "solved", False: "not solved", None: "done"}[self.solved]
        out = [f"{word}: {self.text}"]
        label = "beside that" if self.solved else "in the way"
        out += [f"{label}: {'; '.join(self.hindered)}"] if self.hindered else []
        return out + ([f"try: {'; '.join(self.hints)}"] if self.hints else [])

    def record(self):
        """For machines."""
        return {"solved": self.solved, "verdict": self.text, "hindered": self.hindered, "try": self.hints,
                **self.numbers}  # fmt: skip


def verdict(job, trajectory):
    """The Verdict of a Job (job.py) on a recorded rollout of what it found."""
    trial = _trial(job, trajectory)
    if trial is not None:
        found = _of_goals(job.robot.scene.task, trial)
    else:
        found = {"run": _of_run, "stand": _of_stand, "jump": _of_jump, "balance": _of_balance, "swingup": _of_balance,
                 "reach": _of_reach, "track": _of_track, "push": _of_push,
                 "carry": _of_carry, "scene": _of_scene}[job.task](job, trajectory)  # fmt: skip
    found = _to_the_end(found, job, trajectory)
    share = share_at_limit(job.robot.model, trajectory)
    numbers = found.numbers | ({} if share is None else {"share_at_limit": share})
    hindered, hints = list(found.hindered), list(found.hints)
    if found.solved is False:
        if share is not None and share > 0.3:
            hindered.append(f"the controls stand at a limit {100 * share:.0f} % of the time")
        # a plan that is carried out while it is made has neither
        more = [] if job.method_name == "mpc" else ["more --iterations or a larger --budget"]
        hints = hints or [*more, "another --method or --seed"]
    return found._replace(numbers=numbers, hindered=hindered, hints=hints if found.solved is False else [])


def _to_the_end(found, job, trajectory):
    """The same Verdict, not solved where a plan that is carried out while it is made ended before its time."""
    asked = job.steps * job.dt
    if job.method_name != "mpc" or _duration(trajectory) > asked - 0.5 * job.dt:
        return found
    short = f"the run ended after {_duration(trajectory):.2f} of {asked:.2f} s"
    return found._replace(solved=False, hindered=[short, *found.hindered], hints=["more --iterations or --max-steps"])


def paced(found, rows):
    """The same Verdict with how fast a run was planned that goes on while it is (mpc), from its metrics: seconds of the
    run for one of the clock. The first plan, which waits for the compiler, does not count; nor do steps taken back."""
    if len(rows) < 2 or "seconds_simulated" not in rows[0]:
        return found
    way = rows[-1]["seconds_simulated"] - rows[0]["seconds_simulated"]
    factor = float(way / max(sum(r["seconds"] for r in rows[1:]), 1e-9))
    return found._replace(text=f"{found.text}, planned {factor:.2g} times as fast as real time",
                          numbers=found.numbers | {"real_time_factor": factor})  # fmt: skip


def _trial(job, trajectory):
    """The part of a rollout that a built-in scene judges by its own goals; None where there is none, or not enough."""
    scene = job.robot.scene
    if scene is None or not scene.task.goals or job.task not in ("scene", "run"):
        return None
    rows = int(np.searchsorted(times_of(trajectory)[:, 0] - times_of(trajectory)[0, 0], scene.trial - 1e-6)) + 1
    if rows > len(trajectory.qpos):
        return None
    arrays = {name: getattr(trajectory, name)[:rows] for name in ("qpos", "qvel", "act", "sensordata")}
    return Trajectory(arrays | {"ctrl": trajectory.ctrl[: rows - 1]}, trajectory.times[:rows])


def _duration(trajectory):
    time = times_of(trajectory)[:, 0]
    return float(time[-1] - time[0])


def _of_goals(task, trajectory):
    """A scene's own goals, each with its number."""
    measured = np.asarray(task.measure(trajectory))[0]
    kept = [bool(g.low <= x <= g.high) for g, x in zip(task.goals, measured, strict=True)]
    said = [f"{g.name} {x:.3g} {g.unit}".strip() + ("" if ok else f" (asked: {str(g)[len(g.name) + 1 :]})")
            for g, x, ok in zip(task.goals, measured, kept, strict=True)]  # fmt: skip
    numbers = {g.name: float(x) for g, x in zip(task.goals, measured, strict=True)}
    missed = [f"{g.name}: {x:.3g}, asked {str(g)[len(g.name) + 1 :]}"
              for g, x, ok in zip(task.goals, measured, kept, strict=True) if not ok]  # fmt: skip
    return Verdict(all(kept), ", ".join(said), numbers, missed, [])


def _of_run(job, trajectory):
    """Speed along x after it has gathered it, upright, drift aside."""
    root, time = job.standing().root, times_of(trajectory)[:, 0]
    aimed, q = job.speed, trajectory.qpos[:, 0]
    k = int(np.searchsorted(time, time[0] + SETTLING * _duration(trajectory)))
    speed = float((q[-1, root.x] - q[k, root.x]) / (time[-1] - time[k])) if time[-1] > time[k] else 0.0
    numbers = {"speed": speed, "speed_aimed": float(aimed), "distance": float(q[-1, root.x] - q[0, root.x])}
    text = f"runs {speed:.2f} m/s of {aimed:.2f} aimed at, {numbers['distance']:.2f} m in {_duration(trajectory):.1f} s"
    text, hindered, up = _upright(job, trajectory, text, numbers)
    if job.standing().free:
        numbers["drift"] = float(q[-1, root.x + 1] - q[0, root.x + 1])
        text += f", {abs(numbers['drift']):.2f} m aside"
    slow = speed < SHARE * aimed
    if slow and up:
        hindered.append(f"slower than {SHARE:.0%} of what was aimed at")
    longer = ["a longer --horizon"] if job.method_name == "mpc" else []
    hints = [f"--speed {0.6 * aimed:.2g}", *longer, "another --seed"] if not up else []
    return Verdict(bool(up and not slow), text, numbers, hindered, hints)


def _upright(job, trajectory, text, numbers):
    """(text, what stood in the way, upright to the end?) with the time of a fall in `numbers`."""
    up = job.standing().upright(trajectory.qpos)[:, 0]
    numbers["upright"] = bool(up.all())
    if numbers["upright"]:
        return f"{text}, upright", [], True
    time = times_of(trajectory)[:, 0]
    numbers["fell_at"] = float(time[int(np.argmin(up))] - time[0])
    return f"{text}, falls after {numbers['fell_at']:.2f} s", [f"it fell after {numbers['fell_at']:.2f} s"], False


def _of_stand(job, trajectory):
    numbers = {"moved": float(np.abs(trajectory.qpos[:, 0] - trajectory.qpos[0, 0])[:, job.standing().root.x].max())}
    text, hindered, up = _upright(job, trajectory, f"stands {_duration(trajectory):.1f} s", numbers)
    if not up:
        text = text.replace("stands", "asked to stand", 1)
    speed = float(np.abs(trajectory.qvel[-1, 0]).max(initial=0.0))
    numbers["speed_at_end"] = speed
    text += f", moves {numbers['moved']:.2f} m, fastest joint at the end {speed:.2f} per s"
    return Verdict(up, text, numbers, hindered, [])


def _of_jump(job, trajectory):
    """How much higher than standing the trunk gets, how long it flies, whether it lands and comes to rest."""
    stance, time = job.standing(), times_of(trajectory)[:, 0]
    rise = trajectory.qpos[:, 0, stance.root.z] - stance.qpos[stance.root.z]
    air = longest(in_the_air(job.robot.model, trajectory, stance.root), time)
    speed = float(np.abs(trajectory.qvel[-1, 0]).max(initial=0.0))
    numbers = {"rise": float(rise.max()), "rise_asked": float(job.height), "airborne": air, "speed_at_end": speed}
    text = (f"the trunk rises {rise.max():.3f} m above standing, {job.height:.3f} asked, after "
            f"{time[rise.argmax()] - time[0]:.2f} s, {air:.2f} s in the air")  # fmt: skip
    text, hindered, up = _upright(job, trajectory, text, numbers)
    text += f", fastest joint at the end {speed:.2f} per s"
    if rise.max() < job.height:
        hindered.append(f"it rises {job.height - rise.max():.3f} m less than asked")
    if air < AIRBORNE:
        hindered.append("its feet do not leave the ground together")
    if speed > QUIET:
        hindered.append("it has not come to rest")
    hints = [f"--height {max(0.6 * job.height, 0.5 * rise.max()):.2g}", "more --iterations", "another --seed"]
    solved = up and rise.max() >= job.height and air >= AIRBORNE and speed <= QUIET
    return Verdict(bool(solved), text, numbers, hindered, hints)


def longest(which, time):
    """The longest time, s, for which `which` (rows,) is true without a break."""
    best, since = 0.0, None
    for now, t in zip(which, time, strict=True):
        since = (t if since is None else since) if now else None
        best = best if since is None else max(best, t - since)
    return float(best)


def _of_balance(job, trajectory):
    """How far the hinges are from upright, and since when they stay near."""
    m, time = job.robot.model, times_of(trajectory)[:, 0]
    hinges = np.flatnonzero(m.jnt_type == HINGE)
    away = from_upright(m, trajectory.qpos[:, 0], job.goal)
    speed = np.abs(trajectory.qvel[:, 0])[:, m.jnt_dofadr[hinges]].max(axis=1)
    inside = np.logical_and.accumulate(((away < UPRIGHT) & (speed < SLOW))[::-1])[::-1]
    numbers = {"angle_at_end": float(away[-1]), "nearest": float(away.min()), "speed_at_end": float(speed[-1])}
    text = f"{np.degrees(away[-1]):.1f} degrees from upright after {_duration(trajectory):.1f} s"
    if inside.any():
        numbers["upright_since"] = float(time[int(np.argmax(inside))] - time[0])
        text += f", upright since {numbers['upright_since']:.2f} s"
    text += f", the fastest joint at {speed[-1]:.2f} per s"
    held = _duration(trajectory) - numbers.get("upright_since", np.inf)
    solved = bool(held >= min(STEADY, 0.5 * _duration(trajectory)))
    hindered = [] if solved else [f"it was never nearer to upright than {np.degrees(away.min()):.0f} degrees"]
    if not solved and away.min() < UPRIGHT:
        hindered = ["it was upright and did not stay there"]
    if not solved:
        hindered += fallen(m, getattr(getattr(job, "search", None), "falling", ()))
    return Verdict(solved, text, numbers, hindered, [])


def _of_reach(job, trajectory):
    """Distance of the site from the target at the end, since when it stays near, whether it rests there."""
    m, o, time = job.robot.model, job.options, times_of(trajectory)[:, 0]
    place, sites = place_of(m, o.site, trajectory), named(o.site)
    away = farthest(place, o.target)
    own = np.isin(m.body_rootid[m.dof_bodyid], [m.body_rootid[Point(m, n).body] for n in sites])  # others may move
    speed = float(np.abs(trajectory.qvel[-1, 0, own]).max(initial=0.0))
    inside = np.logical_and.accumulate((away <= WITHIN)[::-1])[::-1]
    numbers = {"distance_to_target": float(away[-1]), "speed_at_end": speed, "nearest": float(away.min())}
    most, whose = ("at most ", "their targets") if len(sites) > 1 else ("", "the target")
    text = f"{', '.join(sites)} {most}{1e3 * away[-1]:.1f} mm from {whose} after {_duration(trajectory):.1f} s"
    if inside.any():
        numbers["reached_at"] = float(time[int(np.argmax(inside))] - time[0])
        text += f", within {1e3 * WITHIN:.0f} mm since {numbers['reached_at']:.2f} s"
    text += ", at rest" if speed < STILL else f", the fastest joint still at {speed:.2f} per s"
    sim = observed(m, trajectory)
    touching, load = touching_itself(sim), peak_load(sim, trajectory)
    numbers["touches_itself"] = touching
    if load is not None:
        numbers["peak_load"] = load[0]
        text += f", peak force {100 * load[0]:.0f} % of what {load[1]} can"
    text += f", touches itself {100 * touching:.0f} % of the time" if touching else ""
    hindered, hints = [], []
    way = getattr(job, "way", None)
    each = zip(sites, np.reshape(o.target, (-1, 3)), strict=True)
    out = max(beyond_reach(m, *one) for one in each) or (way.away if way is not None and way.away > WITHIN else 0.0)
    if out > 0:
        numbers["out_of_reach"] = out
        lies = "the target lies" if len(sites) == 1 else "the targets, together, lie"
        hindered.append(f"{lies} {100 * out:.1f} cm or more beyond what the arm can reach")
        hints = [f"--target nearer by {100 * out:.1f} cm"]
    elif way is not None and way.share > 1.0 and (away[-1] > WITHIN or speed >= STILL):
        hindered.append(f"the actuators cannot be there in {_duration(trajectory):g} s")
        hints = [f"more --seconds than {_duration(trajectory):g}"]
    if away[-1] > WITHIN and falls_freely(m, Point(m, sites[0]).body, trajectory):
        hindered.append("the robot falls: nothing is below it")
        hints = ["--floor, or the maker's file of a scene"]
    if way is not None and way.touches and away[-1] > WITHIN:
        hindered.append("on each way that was found the robot touches itself or something else")
        hints = hints or ["another --start, or other targets first, that lead round"]
    for one, other, deep in overlapping(sim)[:1] if away[-1] > WITHIN else ():
        hindered.append(f"{one} and {other} lie {1e3 * deep:.0f} mm in each other from the start on, and rub")
        hints.append(f'<exclude body1="{one}" body2="{other}"/> in <contact> of the file')
    if not hints and away.min() < 2 * away[-1] and away[-1] > WITHIN:
        hints = [f"more --seconds than {_duration(trajectory):g}", "more --iterations or a larger --budget"]
    held = _duration(trajectory) - numbers.get("reached_at", np.inf) >= min(HELD, 0.5 * _duration(trajectory))
    targets = getattr(job, "targets", ())
    if len(targets) > 1:
        numbers["targets_reached"] = in_turn(place, targets)
        text += f"; {numbers['targets_reached']} of {len(targets)} targets reached in turn"
        held &= numbers["targets_reached"] == len(targets)
    if getattr(o, "quat", None) is not None:
        sine = np.linalg.norm(Point(m, o.site).turn_to(sim.data, o.quat), axis=1)[time >= time[-1] - HELD - 1e-9] / 2
        numbers["turned_off"] = 2 * float(np.arcsin(min(sine.max(), 1.0)))
        text += f", turned {np.degrees(numbers['turned_off']):.2f} degrees from what was asked"
        held &= numbers["turned_off"] <= TURNED
    return Verdict(bool(held and speed < STILL), text, numbers, hindered, hints)


def place_of(m, name, trajectory):
    """(rows, 3 k), m: of the site, body or geom of this name in the first world, or of k of them."""
    return np.concatenate([Quantity(m, **placed(m, n)).of(trajectory)[:, 0] for n in named(name)], axis=-1)


def farthest(place, target):
    """(rows,), m: how far k points at `place` (rows, 3 k) are from `target` (3 k,), the farthest of them."""
    off = place - np.asarray(target, float)
    return np.linalg.norm(off.reshape(len(off), -1, 3), axis=-1).max(axis=-1)


def in_turn(place, targets):
    """How many targets (n, 3 k) points at `place` (rows, 3 k) come to one after the other, from the first on."""
    row = 0
    for k, target in enumerate(targets):
        near = farthest(place[row:], target) <= WITHIN
        if not near.any():
            return k
        row += int(np.argmax(near))
    return len(targets)


def _of_track(job, trajectory):
    """How far the robot is from its way, after it has come onto it: a point, or the joints of the table."""
    m, way, time = job.robot.model, job.way, times_of(trajectory)[:, 0]
    on = time - time[0] >= min(ONTO, 0.5 * _duration(trajectory))
    if getattr(job, "catches", False):
        return _of_catch(job, trajectory)
    if job.place is not None:
        off = farthest(place_of(m, job.options.site, trajectory), job.place)[on]
        who, unit, scale, most = job.options.site, "mm", 1e3, ON_PLACE
    else:
        joints = m.dof_jntid[way.dofs]
        each = np.abs(trajectory.qpos[:, 0] - way.qpos)[on][:, m.jnt_qposadr[joints]]
        off, worst = each.max(axis=1), int(joints[np.argmax(each.max(axis=0))])
        who, most = f"joint {m.joint_names[worst] or worst}", ON_WAY
        unit, scale = ("degrees", 180 / np.pi) if m.jnt_type[worst] == HINGE else ("mm", 1e3)
    numbers = {"off_most": float(off.max()), "off_mean": float(off.mean()), "off_at_end": float(off[-1])}
    text = (f"{who} is at most {scale * off.max():.2f} {unit} off its way (asked: {scale * most:.3g}), "
            f"{scale * off.mean():.2f} in the mean, for {_duration(trajectory):.1f} s")  # fmt: skip
    return Verdict(bool(off.max() <= most), text, numbers, *_asked_of(way))


def _asked_of(way):
    """(what stands in the way, hints) of a Way that a file prescribes."""
    hindered = [f"the way asks for {way.share:.0%} of what the actuators can"] if way.share > 1.0 else []
    if way.away > WITHIN:
        hindered.append(f"it leads {100 * way.away:.1f} cm beyond what the robot can reach")
    return hindered, ["a slower way"] if way.share > 1.0 else []


def _of_catch(job, trajectory):
    """Since when the point is at a target that moves, and how far from it then."""
    time, sites = times_of(trajectory)[:, 0] - times_of(trajectory)[0, 0], named(job.options.site)
    away = farthest(place_of(job.robot.model, job.options.site, trajectory), job.place)
    inside = np.logical_and.accumulate((away <= ON_PLACE)[::-1])[::-1]
    numbers = {"off_at_end": float(away[-1]), "nearest": float(away.min())}
    who, whose = ", ".join(sites), "its moving target" if len(sites) == 1 else "their moving targets"
    text = f"{who} {1e3 * away[-1]:.2f} mm from {whose} after {time[-1]:.1f} s"
    if inside.any():
        numbers |= {"reached_at": float(time[np.argmax(inside)]), "off_most": float(away[inside].max()),
                    "off_mean": float(away[inside].mean())}  # fmt: skip
        text += (f", with it since {numbers['reached_at']:.2f} s, then at most {1e3 * numbers['off_most']:.2f} mm off "
                 f"(asked: {1e3 * ON_PLACE:.3g}), {1e3 * numbers['off_mean']:.2f} in the mean")  # fmt: skip
    hindered, hints = _asked_of(job.way)
    solved = numbers.get("reached_at", np.inf) <= 0.5 * time[-1]
    if not solved and inside.any():
        hindered.append("it is not there in the first half of the time")
    return Verdict(bool(solved), text, numbers, hindered, hints)


def _of_push(job, trajectory):
    """Distance of the body from its target at the end, its turn, whether it rests there, whether it was touched."""
    m, o, time = job.robot.model, job.options, times_of(trajectory)[:, 0]
    place = Quantity(m, **placed(m, o.object)).of(trajectory)[:, 0]
    away = np.linalg.norm(place - np.asarray(o.target, float), axis=-1)
    speed = float(np.abs(trajectory.qvel[-1, 0, job.loose]).max())
    inside = np.logical_and.accumulate((away <= BROUGHT)[::-1])[::-1]
    numbers = {"object_distance": float(away[-1]), "nearest": float(away.min()), "speed_at_end": speed}
    text, hindered, hints = f"{o.object} {1e3 * away[-1]:.1f} mm", [], []
    sim, turned = observed(m, trajectory), 0.0
    if o.quat is not None:
        sine = np.linalg.norm(Point(m, o.object).turn_to(sim.data, o.quat), axis=1)[time >= time[-1] - HELD - 1e-9] / 2
        turned = numbers["turned_off"] = 2 * float(np.arcsin(min(sine.max(), 1.0)))
        text += f" and {np.degrees(turned):.1f} degrees"
    text += f" from its target after {_duration(trajectory):.1f} s"
    if inside.any():
        numbers["brought_at"] = float(time[int(np.argmax(inside))] - time[0])
        text += f", within {1e3 * BROUGHT:.0f} mm since {numbers['brought_at']:.2f} s"
    text += ", at rest" if speed < STILL else f", still moving at {speed:.2f} per s"
    numbers["touched"] = pushed_by(sim, job.loose)
    if not numbers["touched"]:
        hindered.append(f"nothing that is driven touched {o.object}")
    way = job.way
    if way is None:
        hindered.append("no way was found for the tool: joints with an actuator of their own must move it from a fixed "
                        "base")  # fmt: skip
    elif way.away > 2 * WITHIN:
        numbers["out_of_reach"] = float(way.away)
        hindered.append(f"the tool's way leads {100 * way.away:.1f} cm beyond what the robot can reach")
        hints.append("another --target, or another --site")
    elif way.share > 1.0:
        hindered.append(f"the way asks for {way.share:.0%} of what the actuators can")
    if way is not None and way.touches:
        hindered.append("on its way the robot touches something else")
    if away[-1] > BROUGHT and job.sinks > GIVES:
        numbers["sinks"] = job.sinks
        hindered.append(f"what pushes sinks {1e3 * job.sinks:.0f} mm into {o.object}, which is too soft for this speed")
        hints.append("more --seconds")
    if away[-1] > BROUGHT and job.aslant > ASLANT:
        numbers["pressed_aslant"] = angle = float(np.arcsin(min(job.aslant, 1.0)))
        hindered.append(f"what touches {o.object} presses {np.degrees(angle):.0f} degrees off the way")
        hints.append("another --site, or a tool that is round")
    if away[-1] > BROUGHT and numbers["touched"] and not hindered:
        hindered.append(f"it slid {1e3 * away[-1]:.0f} mm off")
        hints.append("a nearer --target, another --site, or more --iterations and a larger --budget")
    held = _duration(trajectory) - numbers.get("brought_at", np.inf) >= min(HELD, 0.5 * _duration(trajectory))
    return Verdict(bool(held and speed < STILL and turned <= AS_TURNED), text, numbers, hindered, hints)


def _of_carry(job, trajectory):
    """As of a push, and how far the body was lifted."""
    found = _of_push(job, trajectory)
    z = Quantity(job.robot.model, **placed(job.robot.model, job.options.object)).of(trajectory)[:, 0, 2]
    lifted, hindered = float(z.max() - z[0]), list(found.hindered)
    if found.solved is False and lifted < LIFTED:
        hindered.append(f"it was lifted by {1e3 * lifted:.0f} mm only")
    g, hints = job.grip, list(found.hints)
    if found.solved is False and g.holds < HARDER * g.weight:
        hindered.append(f"the hand presses with {g.press:.2g} N, which with a friction of {g.friction:.2g} holds "
                        f"{g.holds:.2g} kg at rest, and {job.options.object} has {g.weight:.2g} kg")  # fmt: skip
        hints = ["a lighter or rougher body, or a hand that presses harder"]
    return found._replace(text=f"{found.text}, lifted by {1e2 * lifted:.1f} cm", hindered=hindered, hints=hints,
                          numbers=found.numbers | {"lifted": lifted, "press": g.press, "holds": g.holds})  # fmt: skip


def _of_scene(job, trajectory):
    """An objective without goals, or less than its episode: only its cost says anything."""
    cost = float(np.asarray(job.objective(trajectory)[0])[0])
    return Verdict(None, f"cost {cost:.4g} over {_duration(trajectory):.1f} s", {"cost_of_rollout": cost}, [], [])


def beyond_reach(m, name, target):
    """How far at least (m) a target lies beyond the reach of a site, body or geom; 0 where it may be within."""
    b = Point(m, name).body
    return max(0.0, float(np.linalg.norm(np.asarray(target, float) - m.body_pos[m.body_rootid[b]])) - span(m, name))
