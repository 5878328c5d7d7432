"""Many machines: rollouts and gradients divided among Ray workers, and a search over seeds (extra `ray`).

    with Workers(model, worlds=256, steps=200, workers=8) as workers:
        value, grads = workers.gradient(loss, controller, qpos0)

A worker keeps nothing from one call to the next: an iteration is a function of what the call is given, so the part of a
worker that died is computed again by its replacement, with the same result. Without a cluster Ray runs on this machine;
`ray.init(address=...)` before, or the environment variable RAY_ADDRESS, points it at one.
"""

import copy
import ipaddress
import os
import re
import warnings
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.compiler.backend import init, settings
from engine.errors import ContactOverflowError, DivergenceError
from engine.model import Model

# What holds kernels is imported inside functions: a worker imports this file before it knows its engine's settings.
STARTS = ("qpos", "qvel")
APPLIED = ("qfrc_applied", "xfrc_applied")
PER_STEP = ("ctrl", "mocap_pos", "mocap_quat")
OUTPUTS = ("qpos", "qvel", "act", "sensordata", "ctrl")
# variables of Ray: "token": only who has the token is answered; "0": stay on the loopback interface
_AUTH, _CLUSTER = "RAY_AUTH_MODE", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"


def started_ray(cpus: int) -> Any:
    """The module ray, running: on this machine with at least `cpus` cores, or on the cluster that was named before.

    What it starts here listens on the loopback interface alone, and answers only who has the token that Ray keeps in
    the user's home. Raises ImportError where Ray is missing or too old for that, RuntimeError where others could reach
    it.
    """
    elsewhere = os.environ.get("RAY_ADDRESS")
    if not elsewhere:
        os.environ.setdefault(_AUTH, "token")  # Ray reads it when it is imported
    try:
        import ray
    except ImportError as e:
        raise ImportError('engine.distributed needs Ray: pip install "pullback[ray]"') from e
    if not ray.is_initialized():
        if elsewhere:
            ray.init(log_to_driver=False)
        else:
            _start_here(ray, max(cpus, os.cpu_count() or 1))
    have = ray.cluster_resources().get("CPU", 0)
    if have < cpus:
        raise ValueError(f"workers: {cpus} cores are needed, and the Ray cluster has {have:g}")
    return ray


def _start_here(ray, cpus):
    """Start Ray on this machine, for nobody else: without a say Ray would listen on all interfaces."""
    try:
        from ray._private import ray_constants
        from ray._private.authentication.authentication_utils import is_token_auth_enabled
        from ray._raylet import Config
    except ImportError as e:
        raise ImportError(
            f'Ray {ray.__version__} has no token authentication; allowed: 2.52 or later (pip install "pullback[ray]")'
        ) from e
    Config.initialize("")  # the mode above, where Ray was imported before
    # Ray's own way to stay on the loopback interface, which it goes on macOS and Windows; here for one start
    kept = os.environ.get(_CLUSTER), ray_constants.ENABLE_RAY_CLUSTER
    os.environ[_CLUSTER], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False)
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = kept[1]
        os.environ.pop(_CLUSTER)
        if kept[0] is not None:
            os.environ[_CLUSTER] = kept[0]
    reached = [node["NodeManagerAddress"] for node in ray.nodes()]
    guarded = is_token_auth_enabled() or os.environ.get(_AUTH) != "token"  # who set it to something else has decided
    if not guarded or not all(ipaddress.ip_address(a).is_loopback for a in reached):
        ray.shutdown()
        state = "on" if guarded else "off"
        raise RuntimeError(
            f"Ray {ray.__version__} listens at {', '.join(reached)}, token authentication {state}; "
            f"allowed: the loopback interface, on; or start it yourself with ray.init before"
        )


class Workers:
    """`worlds` worlds of a model, divided among `workers` processes, each with a simulator and a tape of its part.

    steps, frame_skip, memory (of each worker) and record_every are a Tape's. threads: cores of each worker.
    retries: how many workers may die in one call before it gives up and raises RuntimeError. leaves: a Simulator's.
    """

    def __init__(
        self, model: Model, worlds: int, steps: int, workers: int = 2, frame_skip: int = 1, memory: int | str = "1GiB",
        record_every: int = 1, threads: int = 1, retries: int = 3, leaves: Iterable[str] = (),
    ) -> None:  # fmt: skip
        from engine.arguments import whole
        from engine.leaves import checked_leaves

        self.leaves = checked_leaves(model, leaves)
        self.model, self.worlds, self.retries = model, whole("worlds", worlds), retries
        count, threads = whole("workers", workers), whole("threads", threads)
        if count > self.worlds:
            raise ValueError(f"workers: got {count}, allowed: 1 to {self.worlds}, the number of worlds")
        self._ray = started_ray(count * threads)
        free = self._ray.available_resources().get("CPU", 0)
        if free < count * threads:
            warnings.warn(f"{count * threads} cores are needed, {free:g} are free: waiting for more", stacklevel=2)
        errors = self._ray.exceptions
        self._deaths = (  # of the process, of its machine, of the memory with its result, or for want of memory
            errors.RayActorError, errors.NodeDiedError, errors.ObjectLostError, errors.OutOfMemoryError,
        )  # fmt: skip
        bounds = [k * self.worlds // count for k in range(count + 1)]
        self.parts = [slice(a, b) for a, b in zip(bounds[:-1], bounds[1:], strict=True)]
        tape = {"steps": steps, "frame_skip": frame_skip, "memory": memory, "record_every": record_every}
        kind = self._ray.remote(num_cpus=threads)(_Worker)
        held = self._ray.put(model)
        # another precision gives other numbers, other features other last bits
        same = {"precision": settings().precision, "features": settings().features, "threads": threads}
        self._make = lambda part: kind.remote(held, part.stop - part.start, tape, same, self.leaves)
        self._workers = [self._make(part) for part in self.parts]

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            self._ray.kill(worker)
        self._workers = []

    def rollout(self, controls: Any, qpos0: Any = None, qvel0: Any = None, params: Any = None) -> Any:
        """Outputs of all worlds, as arrays of a Trajectory's shapes: qpos, qvel, act, sensordata, ctrl, times, time.

        controls: as for Tape.rollout. qpos0, qvel0: start states, one for all worlds or (worlds, ...); default the
        model's. params: {name: array} of the model's differentiable parameters that differ from the model's own.
        """
        done = self._all("rollout", controls, qpos0, qvel0, params)
        outputs = {n: np.concatenate([d[n] for d in done], axis=1) for n in (*OUTPUTS, "times")}
        return SimpleNamespace(time=outputs["times"][:, 0], **outputs)

    def gradient(self, loss: Any, controls: Any, qpos0: Any = None, qvel0: Any = None, params: Any = None) -> Any:
        """(value, Gradients) of a loss that is a sum over worlds: both as if one process had simulated all of them.

        loss(trajectory) -> (value, {output: cotangent}) sees the worlds of one worker, as `trajectory.worlds` (a range)
        of all. It goes to the workers by pickle. The other arguments are those of `rollout`.
        """
        from engine.diff.gradients import Gradients, ModelGradients

        done = self._all("gradient", controls, qpos0, qvel0, params, loss)
        shared = done[0]["params"] is None or done[0]["params"].ndim == 1
        join = dict.fromkeys(PER_STEP, 1) | dict.fromkeys(("qpos0", "qvel0", "act0", "theta", *APPLIED), 0)
        join |= {} if shared else {"params": 0}
        whole = {n: np.concatenate([d[n] for d in done], axis=axis) for n, axis in join.items()}
        if shared:
            whole["params"] = None if done[0]["params"] is None else sum(d["params"] for d in done)
        theta = whole.pop("theta")
        return sum(d["value"] for d in done), Gradients(**whole, model=ModelGradients(self.model, theta, self.leaves))

    def _all(self, what, controls, qpos0, qvel0, params, *more):
        """Have every worker do its part; replace those that die, and have their part done again."""
        if not self._workers:
            raise RuntimeError("Workers: they were closed; make new ones")
        calls = [self._call(part, controls, qpos0, qvel0, params) + more for part in self.parts]
        done, left = [None] * len(calls), self.retries
        submit = lambda k: getattr(self._workers[k], what).remote(*calls[k])  # noqa: E731
        pending = {submit(k): k for k in range(len(calls))}
        while pending:
            (ready,), _ = self._ray.wait(list(pending), num_returns=1)
            k = pending.pop(ready)
            try:
                done[k] = self._ray.get(ready)
            except self._deaths as e:
                if left == 0:
                    raise RuntimeError(f"{self.retries + 1} workers died in one call; the last one: {e}") from e
                left -= 1
                self._ray.kill(self._workers[k])
                self._workers[k] = self._make(self.parts[k])
                pending[submit(k)] = k
        for part, result in zip(self.parts, done, strict=True):
            if "stopped" in result:
                raise _renumbered(*result["stopped"], part.start)
        return done

    def _call(self, part, controls, qpos0, qvel0, params):
        from engine.arguments import checked

        m, start = self.model, {}
        for name, value, n in zip(STARTS, (qpos0, qvel0), (m.nq, m.nv), strict=True):
            if value is not None:
                start[name] = checked(f"{name}0", value, (self.worlds, n))[part].copy()
        if not hasattr(controls, "parts"):
            a = np.asarray(controls)
            controls = a[:, part] if a.ndim == 3 else a
        elif np.ndim(controls.params) == 2:
            rows = controls.params[part].copy()
            controls = copy.deepcopy(controls)
            controls.params = rows
        return part.start, start, controls, self._params(params or {})

    def _params(self, params):
        from engine.arguments import checked
        from engine.arrays import parameter, theta_layout

        there = theta_layout(self.model, self.leaves)[0]
        unknown = sorted(set(params) - set(there))
        if unknown:
            raise ValueError(f"params: got {unknown}, allowed: {', '.join(there)}")
        return {n: checked(f"params: {n}", a, np.shape(parameter(self.model, n))).copy() for n, a in params.items()}


class _Worker:
    """The process of one part. The engine starts with the first call, whose errors then reach the caller."""

    def __init__(self, model, worlds, tape, engine, leaves):
        self.model, self.worlds, self.options, self.leaves = model, worlds, tape, leaves
        self.engine = engine
        self.tape = None

    def rollout(self, first, start, controls, params):
        trajectory, stopped = self._roll(first, start, controls, params)
        if stopped:
            return {"stopped": stopped}
        return {n: getattr(trajectory, n) for n in (*OUTPUTS, "times")}

    def gradient(self, first, start, controls, params, loss):
        trajectory, stopped = self._roll(first, start, controls, params)
        if stopped:
            return {"stopped": stopped}
        trajectory.worlds = range(first, first + self.worlds)
        value, cotangents = loss(trajectory)
        g = self.tape.backward(**cotangents)
        parts = {n: getattr(g, n) for n in (*PER_STEP, "params", "qpos0", "qvel0", "act0", *APPLIED)}
        return {"value": float(value), "theta": g.model.theta_bar, **parts}

    def _roll(self, first, start, controls, params):
        if self.tape is None:
            init(**self.engine)
            from engine.diff.tape import Tape
            from engine.simulator import Simulator

            self.tape = Tape(Simulator(self.model, self.worlds, leaves=self.leaves), **self.options)
            self.params = {n: self.tape.sim.params[n].copy() for n in self.tape.sim.params}
        sim = self.tape.sim
        for name, value in (self.params | params).items():
            sim.params[name][...] = value
        sim.reset(start.get("qpos"), start.get("qvel"))
        try:
            return self.tape.rollout(controls), None
        except (DivergenceError, ContactOverflowError) as e:  # raised by the caller, with the world's own number
            last = e.dof if isinstance(e, DivergenceError) else e.needed
            return None, (type(e), str(e), e.world, e.step, last)


def _renumbered(kind, message, world, step, last, first):
    """The error of a worker, with the world's number among all."""
    return kind(re.sub(r"^world \d+", f"world {first + world}", message), first + world, step, last)
