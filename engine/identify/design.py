"""Input design: which motion would tell more about numbers that a Fit knows badly.

A motion is one or a few actuators that follow sums of sines of a band of frequencies (Schroeder's phases, 1970, keep
peaks low), the others hold still. Each one tried is a world of the fitted robot. What its log would tell is the Fisher
information that the same Jacobian gives, the starts of windows unknown as before; the logs there are and the new one
together make the intervals that are promised. Chosen is, drive after drive, what leaves the least unknown,

    sum v / (1 + v),    v = (standard deviation / size)^2 of each number.

(Fedorov 1972; Swevers et al. 1997 for sines. Motions are chosen among those tried, not by gradient: a derivative of
information is one of second order.)
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.arguments import whole
from engine.diff.tape import Tape
from engine.errors import ContactOverflowError, DivergenceError
from engine.files import write_text
from engine.identify.arguments import number
from engine.identify.judged import inverse
from engine.identify.logs import Log
from engine.simulator import Simulator
from engine.words import counted, shapes

LINES = 8  # sines of a band, at most
SHARE = 0.05  # of what is unknown, that another drive must tell
RAMP = 0.05  # of the time, in which a motion begins
HALVED = 3  # times, before a motion that goes too far is given up
FASTEST = 2.0  # times as fast as in the logs
MOST = 15.0  # Hz
WORLDS = 512  # windows of motions that are rolled out at once


class Drive(NamedTuple):
    """What an actuator does: its number and name, the band (Hz), how far from which command it goes."""

    actuator: int
    name: str
    low: float
    high: float
    amplitude: float
    about: float

    def __str__(self):
        return f"{self.name}: {self.low:.2g} to {self.high:.2g} Hz, {self.amplitude:.3g} about {self.about:.3g}"


class Suggestion:
    """A motion that would tell more. drives: [Drive], of which none tells more where the list is empty. time (n,), ctrl
    (n, nu): its commands. names, values; before, after (np,): standard deviations of the numbers now, and with a log of
    the motion beside the present ones. tried: how many motions were. `str(...)` is a table."""

    def __init__(self, fit, drives, time, ctrl, after, tried):
        self.names, self.values, self.before, self.after = list(fit.names), fit.values, fit.sd, after
        self.drives, self.time, self.ctrl, self.tried = drives, time, ctrl, tried
        self._labels = fit.problem.model.actuator_names
        self._size = np.maximum(fit.problem.unknowns.size(fit.values, 0.0), 1e-300)

    def as_dict(self):
        keys = ("names", "tried")
        arrays = {k: getattr(self, k).tolist() for k in ("values", "before", "after")}
        drives = [d._asdict() for d in self.drives]
        seconds = float(self.time[-1]) if len(self.time) else 0.0
        return {k: getattr(self, k) for k in keys} | arrays | {"drives": drives, "seconds": seconds}

    def save(self, folder):
        """`suggested.json`, and the commands as `suggested.csv`, into a folder, which is returned."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "suggested.json", json.dumps(self.as_dict(), indent=1) + "\n")
        names = [f"ctrl:{name or u}" for u, name in enumerate(self._labels)]
        rows = [",".join(["time", *names])]
        rows += [",".join(f"{x:.9g}" for x in (t, *u)) for t, u in zip(self.time, self.ctrl, strict=True)]
        write_text(folder / "suggested.csv", "\n".join(rows) + "\n")
        return folder

    def __repr__(self):
        return f"<Suggestion of {counted(len(self.drives), 'drive')}: {shapes({'time': self.time, 'ctrl': self.ctrl})}>"

    def __str__(self):
        if not self.drives:
            return "no motion of those tried would tell more"
        rows = [f"a motion that would tell more, {self.time[-1]:.3g} s:", *(f"  {d}" for d in self.drives)]
        width = max(len(n) for n in self.names)
        for k in np.argsort(-self.before / self._size):
            size = self._size[k]
            rows.append(f"  {self.names[k]:{width}}  interval {_percent(self.before[k] / size)} -> "
                        f"{_percent(self.after[k] / size)}")  # fmt: skip
        return "\n".join(rows)


def _every(time, h):
    """Steps of h s from one sample to the next, of samples at these times."""
    apart = np.diff(np.unique(time))
    return max(int(np.rint(np.median(apart) / h)), 1) if len(apart) else 1


def _percent(relative):
    share = 196 * relative
    return "unknown" if not share < 1e4 else f"± {share:.2g} %"


def suggest(fit, seconds=None, *, drives=3, bands=4, fastest=None):
    """The Suggestion of a Fit.

    seconds: how long the motion lasts, a window of the fit or more, by default as the first log, at most 8. drives:
    how many actuators move at most.
    bands: how many bands of frequencies each is tried in. fastest: rad/s or m/s that no joint may exceed, by default
    twice what the logs show. Commands keep to an actuator's range, else to what the logs commanded; joints with a range
    to that. Raises ValueError where the robot has no actuator, or none that may move.
    """
    m, windows = fit.problem.model, fit.problem.windows
    log = windows.steps * windows.h * int((windows.log == 0).sum())
    window = windows.steps * windows.h
    seconds = number("seconds", max(min(log, 8.0), window) if seconds is None else seconds,
                     f"a window ({window:g} s) or more", lambda x: x >= window - 1e-9)  # fmt: skip
    whole("drives", drives)
    whole("bands", bands)
    if fastest is not None:
        number("fastest", fastest, "a speed above zero", lambda x: 0 < x < np.inf)
    if not m.nu:
        raise ValueError("suggest: the robot has no actuator; allowed: robots with one")
    return _Search(fit, seconds, bands, fastest).best(drives)


class _Search:
    """Motions of a fitted robot, and what each would tell."""

    def __init__(self, fit, seconds, bands, fastest):
        self.fit, self.problem, self.model = fit, fit.problem, fit.model()
        windows, h = self.problem.windows, self.model.opt.timestep
        self.every = {s.what: _every(s.time, h) for s in windows.samples}
        # whole windows, and a sample more, without which a log would end before the last one
        self.steps = int(np.ceil(seconds / (windows.steps * h) - 1e-9)) * windows.steps + max(self.every.values())
        self.time = h * np.arange(self.steps)
        self.start = {n: a[0] for n, a in fit.point.starts.items()}
        outputs = self.problem.residuals.outputs
        shown = 0.0 if outputs is None else float(np.abs(outputs["qvel"]).max(initial=0.0))
        self.fastest = fastest or FASTEST * max(shown, 0.1)
        self.about, self.reach = self._ranges()
        high = min(MOST, 0.2 / (h * max(self.every.values())))
        self.bands = np.geomspace(1 / self.time[-1], max(high, 4 / self.time[-1]), bands + 1)
        unit = self.problem.unknowns.unit
        self.unit, self.size = unit, self.problem.unknowns.size(fit.values, 1e-3)
        self.known = inverse(fit.covariance / unit / unit[:, None])
        self.scale = max(fit.judged.s2, 1.0)  # of noise that is given, what the residuals say of it
        self.tried = 0

    def _ranges(self):
        """The command about which each actuator moves, and how far it may go: (nu,), (nu,)."""
        m, logged = self.model, [[] for _ in range(self.model.nu)]
        for _, controls in self.problem.windows.logs:
            for u, channel in controls.items():
                logged[u].append(channel.values)
        low, high = m.actuator_ctrlrange.T.copy()
        about = self.problem.windows.ctrl0.copy()
        for u, values in enumerate(logged):
            if values:
                values = np.concatenate(values)
                about[u] = np.median(values)
                if not m.actuator_ctrllimited[u]:
                    low[u], high[u] = values.min(), values.max()
            elif not m.actuator_ctrllimited[u]:
                low[u] = high[u] = about[u]
        about = np.clip(about, low, high)
        middle = 0.5 * (low + high)
        near = np.minimum(about - low, high - about) < 0.25 * (high - low)
        about = np.where(near, middle, about)
        reach = np.minimum(about - low, high - about)
        if not (reach > 0).any():
            raise ValueError("suggest: no actuator has a range, and the logs command no motion; allowed: a ctrlrange, "
                             "or logs with commands that change")  # fmt: skip
        return about, reach

    def waves(self, drives):
        """Commands (steps, nu)."""
        ctrl = np.tile(self.about, (self.steps, 1))
        whole, ramp = self.time[-1], np.minimum(1.0, self.time / (RAMP * self.time[-1]))
        for d in drives:
            lines = np.unique(np.rint(np.geomspace(d.low, d.high, LINES) * whole)) / whole
            k = np.arange(len(lines))
            phase = -np.pi * k * (k - 1) / len(lines) + 0.7 * d.actuator
            wave = np.sin(2 * np.pi * lines * self.time[:, None] + phase).sum(axis=1) * ramp
            ctrl[:, d.actuator] += d.amplitude * wave / np.abs(wave).max()
        return ctrl

    def best(self, most):
        chosen, after, loss = [], self.fit.sd, self._unknown(self.known)
        while len(chosen) < most:
            busy = {d.actuator for d in chosen}
            free = [u for u in np.flatnonzero(self.reach > 0).tolist() if u not in busy]
            options = [[*chosen, self._drive(u, b)] for u in free for b in range(len(self.bands) - 1)]
            found = self.told(options)
            if not found:
                break
            losses = [self._unknown(self.known + info) for _, info in found]
            k = int(np.argmin(losses))
            if not losses[k] < (1 - SHARE) * loss:
                break
            chosen, info = found[k]
            loss, after = losses[k], np.sqrt(np.diag(inverse(self.known + info))) * self.unit
        ctrl = self.waves(chosen) if chosen else np.zeros((0, self.model.nu))
        return Suggestion(self.fit, chosen, self.time[: len(ctrl)], ctrl, after, self.tried)

    def _drive(self, u, band):
        low, high = self.bands[band : band + 2].tolist()
        name = self.model.actuator_names[u] or f"actuator {u}"
        return Drive(u, name, low, high, float(self.reach[u]), float(self.about[u]))

    def _unknown(self, information):
        v = np.diag(inverse(information)) * (self.unit / self.size) ** 2
        return float((v / (1 + v)).sum())

    def told(self, motions):
        """[(motion, information (np, np) in units of the numbers)] of motions that stay within limits; what goes too
        far is tried at half the amplitude."""
        found, most = [], max(WORLDS * self.problem.windows.steps // self.steps, 1)
        if len(motions) > most:
            return [f for k in range(0, len(motions), most) for f in self.told(motions[k : k + most])]
        for _ in range(HALVED + 1):
            if not motions:
                break
            self.tried += len(motions)
            ctrl = np.stack([self.waves(d) for d in motions], axis=1)
            moved, good = self.moved(ctrl)
            if good.any():
                kept = np.flatnonzero(good)
                infos = self.information(ctrl[:, kept], {n: a[:, kept] for n, a in moved.items()})
                found += [(motions[k], info) for k, info in zip(kept, infos, strict=True)]
            motions = [[*d[:-1], d[-1]._replace(amplitude=0.5 * d[-1].amplitude)]
                       for d, ok in zip(motions, good, strict=True) if not ok]  # fmt: skip
        return found

    def moved(self, ctrl):
        """({array: rows (steps + 1, worlds, n)}, whether each world stays within limits)."""
        m, worlds = self.model, ctrl.shape[1]
        good, ctrl = np.ones(worlds, bool), ctrl.copy()
        tape = Tape(Simulator(m, worlds, leaves=self.problem.sim.leaves), self.steps)
        while True:
            for name, value in self.start.items():
                getattr(tape.sim.data, name)[:] = value
            tape.sim.data.time[:] = 0
            try:
                rows = tape.rollout(ctrl)
                break
            except (DivergenceError, ContactOverflowError) as error:
                if not good[error.world]:
                    raise
                good[error.world] = False
                ctrl[:, error.world] = self.about
                tape.sim.reset()
        out = {n: np.array(getattr(rows, n)) for n in ("qpos", "qvel", "act", "sensordata")}
        good &= (np.abs(out["qvel"]) <= self.fastest).all(axis=(0, 2))
        for j in np.flatnonzero(m.jnt_limited & (m.jnt_type >= 2)):
            q, (low, high) = out["qpos"][..., m.jnt_qposadr[j]], m.jnt_range[j]
            begin = self.start["qpos"][m.jnt_qposadr[j]]
            good &= ((q >= min(low, begin)) & (q <= max(high, begin))).all(axis=0)
        return out, good

    def information(self, ctrl, rows):
        """What a log of each world would tell: (worlds, np, np)."""
        asked, windows = self.problem, self.problem.windows
        logs = [Log(self._channels(ctrl[:, w], rows, w), f"motion {w}") for w in range(ctrl.shape[1])]
        noise = {s.what.label: s.sd if s.what.size > 1 else float(s.sd[0]) for s in windows.samples}
        known = asked.start == "known"
        steps = self.steps - max(self.every.values()) if known else windows.steps
        design = asked.designed(self.model, logs, noise, steps)
        at = np.rint((design.windows.start) / self.model.opt.timestep).astype(int)
        starts = {n: rows[n][at, design.windows.log] for n in ("qpos", "qvel", "act")}
        arrow = design.levenberg(self.fit.values.copy(), starts).linearized()
        unit = self.unit / design.unknowns.unit  # which are those of the fitted robot
        each = arrow.each() * unit * unit[:, None]
        return [each[design.windows.log == w].sum(axis=0) / self.scale for w in range(len(logs))]

    def _channels(self, ctrl, rows, w):
        """Channels as those of the present logs, at their rates, without noise."""
        m, h, channels = self.model, self.model.opt.timestep, {"ctrl": (self.time, ctrl)}
        for s in self.problem.windows.samples:
            at, first = np.arange(0, self.steps + 1, self.every[s.what]), s.what.first
            if s.what.kind == "pose":
                value = rows["qpos"][at, w, s.what.qposadr : s.what.qposadr + 7]
            elif s.what.kind == "sensor":
                value = rows["sensordata"][at, w, first : first + s.what.size]
            elif s.what.kind == "qvel":
                value = rows["qvel"][at, w, first]
            else:
                value = rows["qpos"][at, w, m.jnt_qposadr[m.dof_jntid[first]]]
            channels[s.what.label] = h * at, value
        return channels
