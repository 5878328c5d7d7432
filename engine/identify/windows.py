"""Windows: pieces of logs, each of which becomes a world, with the controls that acted and the samples that fall in.

Time is the log's. A window has `steps` physics steps; its rows 0 .. steps are the states at its start and after each.
A sample between two rows is compared with what the rows around it make: a cubic through four of a position, a line
through two of anything else. So channels may have any rates, and what lies on a row is that row.
"""

import numpy as np

from engine.identify.targets import noise_of, turned

GRID = 1e-6  # of a step: a sample so near a row is on it
HOLD, LINEAR = "hold", "linear"


def noise_of_target(m):
    """The standard deviations (k,) of a Measurement's residuals: those given, or found in its samples."""
    if m.noise is not None:
        return np.broadcast_to(np.asarray(m.noise, float), (m.what.size,)).copy()
    if m.what.kind == "pose":
        return np.concatenate([noise_of(m.values[:, :3]), noise_of(turned(m.values[:, 3:]))])
    return noise_of(m.values)


def span(measured, controls):
    """When a log begins, where it has all controls, and when it ends."""
    first = max([c.time[0] for c in controls.values()], default=min(m.time[0] for m in measured))
    return first, max(m.time[-1] for m in measured)


class Samples:
    """All samples of one measured thing: window (n,), value (n, k), rows (n, 4) and weights (n, 4), sd of the noise."""

    def __init__(self, what, window, time, value, rows, weights, sd, given):
        self.what, self.window, self.time, self.value, self.rows, self.weights = (
            what,
            window,
            time,
            value,
            rows,
            weights,
        )
        self.sd, self.given = sd, given

    def of(self, windows):
        """Which samples lie in these windows (a mask of windows)."""
        return windows[self.window]


class Windows:
    """Windows of `steps` steps of `h` seconds of some logs, one after the other.

    logs: [(measurements, controls)], as `targets.interpreted` gives. hold: how a control goes on from one sample to
    the next, "hold" or "linear". ctrl0 (nu,): controls that no log has. Raises ValueError where a log is shorter than
    a window.
    """

    def __init__(self, model, logs, steps, hold=HOLD, ctrl0=None):
        self.h, self.steps, self.nu = model.opt.timestep, steps, model.nu
        self.hold, self.logs = hold, logs
        self.ctrl0 = np.zeros(model.nu) if ctrl0 is None else np.asarray(ctrl0, float)
        self.log, self.start = [], []
        for i, log in enumerate(logs):
            first, last = span(*log)
            count = int((last - first) / (steps * self.h) + 1e-6)
            if count < 1:
                raise ValueError(f"window: got {steps * self.h:g} s, but a log has {last - first:g} s of controls and "
                                 "measurements; allowed: a shorter one")  # fmt: skip
            self.log += [i] * count
            self.start += [first + k * steps * self.h for k in range(count)]
        self.log, self.start = np.array(self.log), np.array(self.start)
        self.count = len(self.start)
        self.follows = np.append(False, self.log[1:] == self.log[:-1])  # begins where the one before ended
        self.samples = self._samples()

    def _samples(self):
        found = {}
        for i, (measured, _) in enumerate(self.logs):
            mine = np.flatnonzero(self.log == i)
            for m in measured:
                at = (m.time - self.start[mine[0]]) / (self.steps * self.h)
                k = np.floor(at + GRID / self.steps).astype(int)
                there = (k >= 0) & (k < len(mine))
                rows, weights = self._around((at - k)[there] * self.steps, m.what.kind == "qpos")
                sd = noise_of_target(m)
                part = mine[k[there]], m.time[there], m.values[there], rows, weights
                found.setdefault(m.what, []).append((part, sd, m.noise is not None))
        return [
            Samples(what, *(np.concatenate(a) for a in zip(*(p for p, _, _ in parts), strict=True)),
                    sd=np.mean([sd for _, sd, _ in parts], axis=0), given=all(given for *_, given in parts))
            for what, parts in found.items()
        ]  # fmt: skip

    def _around(self, at, cubic):
        """Rows and weights, (n, 4), that interpolate at the places `at`, in steps."""
        n = len(at)
        near = np.rint(at)
        on = np.abs(at - near) < GRID
        count = min(4 if cubic else 2, self.steps + 1)
        first = np.clip(np.floor(at).astype(int) - (count // 2 - 1), 0, self.steps + 1 - count)
        rows, weights = np.zeros((n, 4), int), np.zeros((n, 4))
        for k in range(count):
            rows[:, k], weights[:, k] = first + k, 1.0
            for j in range(count):
                if j != k:
                    weights[:, k] *= (at - first - j) / (k - j)
        rows[on, 0], weights[on] = near[on].astype(int), (1.0, 0.0, 0.0, 0.0)
        return rows, weights

    def controls(self, delay):
        """(ctrl, slope): the controls that act in each step, (steps, windows, nu), and d(ctrl)/d(delay).

        delay (nu,): s, of each actuator. Held controls count with their mean over the step, so that they, too, move
        with the delay.
        """
        shape = self.steps, self.count, self.nu
        ctrl, slope = np.broadcast_to(self.ctrl0, shape).copy(), np.zeros(shape)
        for i, (_, controls) in enumerate(self.logs):
            mine = np.flatnonzero(self.log == i)
            for u, channel in controls.items():
                time = self.start[mine] + self.h * np.arange(self.steps)[:, None] - delay[u]
                ctrl[:, mine, u], slope[:, mine, u] = self._read(channel, time)
        return ctrl, slope

    def _read(self, channel, time):
        tc, vc = channel.time, channel.values
        if self.hold == LINEAR:
            k = np.clip(np.searchsorted(tc, time, side="right") - 1, 0, max(len(tc) - 2, 0))
            if len(tc) < 2:
                return np.full(time.shape, vc[0]), np.zeros(time.shape)
            steep = np.diff(vc) / np.diff(tc)
            inside = (time >= tc[0]) & (time < tc[-1])
            return np.interp(time, tc, vc), np.where(inside, -steep[k], 0.0)
        ends = np.append(tc[1:], tc[-1] + 1.0)
        total = np.concatenate([[0.0], np.cumsum(vc * (ends - tc))])
        edges = np.append(tc, ends[-1])
        slack = GRID * self.h  # a sample at the beginning of a step acts in it, whatever rounding says

        def sample(t):
            return np.clip(np.searchsorted(tc, t, side="right") - 1, 0, len(tc) - 1)

        def summed(t):
            k = sample(t + slack)
            return total[k] + vc[k] * (t - edges[k])

        end = time + self.h - 2 * slack
        # with samples at beginnings of steps the mean has a kink at a delay of whole steps, none among them: there this
        # is the slope to longer delays
        slope = (vc[sample(time - slack)] - vc[sample(end - slack)]) / (self.h - 2 * slack)
        return (summed(end) - summed(time)) / (self.h - 2 * slack), slope
