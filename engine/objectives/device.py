"""A cost written as Taichi functions, differentiated once by Taichi and checked once against differences."""

import inspect
from typing import Any

import numpy as np
import taichi as ti

from engine.clocks import times_of
from engine.compiler.backend import np_real, settings
from engine.compiler.session import entered
from engine.model import Model, require_model
from engine.objectives.check import check_objective
from engine.objectives.objective import Objective, durations
from engine.objectives.refusals import refuse

INPUTS = ("qpos", "qvel", "ctrl", "sensordata", "time")


class TaichiCost(Objective):
    """Running and terminal cost as `@ti.func`s of one recorded row:

        @ti.func
        def running(qpos, qvel, ctrl, sensordata, time):
            return (qpos[0] - 1.0) ** 2 + 0.01 * ctrl[0] ** 2

    cost = integral of running dt + terminal at the last row. The arguments are vectors of the row (nq, nv, nu,
    nsensordata entries, one 0 where the model has none) and the time in s, on the world's own clock; indices are
    constants. `ctrl` is the control of the step that begins at the row (with record_every > 1: of the first one);
    terminal sees a control of zeros. The first call compiles for a second or two, once for a model's sizes; Taichi
    keeps the result on disk.

    Refused with file and line: what Taichi's reverse mode gets wrong, an index beyond a vector (refusals.py), a cost
    that is not one number. The gradient is compared with central differences at three random trajectories when the cost
    is made (f64 only; f32 has too few digits for it). Raises ValueError for all.

    A copy, or what pickle makes in another process, makes its kernels again. The functions go by their names, as all
    that is pickled.
    """

    def __init__(self, model: Model, running: Any = None, terminal: Any = None) -> None:
        require_model(model, "TaichiCost: model")
        given = {"running": running, "terminal": terminal}
        if running is None and terminal is None:
            raise ValueError("TaichiCost: got neither running nor terminal, allowed: one or both")
        for name, f in given.items():
            if f is not None and not getattr(f, "_is_taichi_function", False):
                raise ValueError(f"TaichiCost: {name}: got {f!r}, allowed: a function decorated with @ti.func")
        sizes = [max(n, 1) for n in (model.nq, model.nv, model.nu, model.nsensordata)]
        self.sizes = dict(zip(INPUTS[:4], sizes, strict=True))
        for name, f in given.items():
            if f is not None:
                refuse(f, f"TaichiCost: {name}", sizes)
        self.kernels = [_Kernel(f, f"TaichiCost: {name}", sizes) if f else None for name, f in given.items()]
        if np_real() is np.float64:  # f32 has too few digits for it
            check_objective(self, model)

    def evaluate(self, trajectory: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rows, worlds = trajectory.qpos.shape[:2]
        stride = len(trajectory.ctrl) // (rows - 1)
        inputs = {
            "qpos": trajectory.qpos, "qvel": trajectory.qvel, "sensordata": trajectory.sensordata,
            "ctrl": trajectory.ctrl[::stride][: rows - 1], "time": times_of(trajectory)[..., None],
        }  # fmt: skip
        bars = {n: np.zeros_like(getattr(trajectory, n)) for n in INPUTS[:4]}
        cost = np.zeros(worlds)
        running, terminal = self.kernels
        if running:
            rows_ = slice(0, rows - 1)
            cost += self._launch(running, inputs, rows_, rows_, durations(trajectory)[:-1], bars, stride)
        if terminal:
            cost += self._launch(terminal, inputs, slice(rows - 1, rows), None, np.ones((1, 1)), bars, stride)
        return cost, bars

    def _launch(self, kernel, inputs, rows, ctrl_rows, weight, bars, stride):
        """Weighted cost of some rows, summed; adds its cotangents."""
        with entered():
            return self._launched(kernel, inputs, rows, ctrl_rows, weight, bars, stride)

    def _launched(self, kernel, inputs, rows, ctrl_rows, weight, bars, stride):
        worlds, real = inputs["qpos"].shape[1], settings().real
        n = len(weight)
        arrays = {}
        for name in INPUTS:
            size = self.sizes.get(name, 1)
            a = np.zeros((n, worlds, size), np_real())
            chosen = ctrl_rows if name == "ctrl" else rows
            if chosen is not None:
                source = inputs[name][chosen]
                a[..., : source.shape[-1]] = source
            arrays[name] = ti.ndarray(real, a.shape, needs_grad=True)
            arrays[name].from_numpy(a)
        out = ti.ndarray(real, (n, worlds), needs_grad=True)
        kernel(*arrays.values(), out)
        out.grad.from_numpy(np.broadcast_to(weight, (n, worlds)).astype(np_real()))
        kernel.grad(*arrays.values(), out)
        for name, bar in bars.items():
            if bar.shape[-1] and (name != "ctrl" or ctrl_rows is not None):
                grad = arrays[name].grad.to_numpy()[..., : bar.shape[-1]]
                if name == "ctrl":
                    bar[::stride][:n] += grad
                else:
                    bar[rows] += grad
        return (weight * out.to_numpy()).sum(axis=0)


class _Kernel:
    """Evaluates a ti.func at every row of every world. A copy compiles again."""

    def __init__(self, function, what, sizes):
        self.function, self.what, self.sizes = function, what, sizes
        self._made = self._returned = None

    def __getstate__(self):
        return self.__dict__ | {"_made": None, "_returned": None}

    def __call__(self, *arrays):
        if self._made is None:
            self._made, self._returned = _kernel(self.function, *self.sizes)
        self._made(*arrays)
        for what in self._returned:
            f = inspect.unwrap(self.function)
            raise ValueError(
                f'{self.what}: File "{inspect.getsourcefile(f)}", line {f.__code__.co_firstlineno}, in {f.__name__}: '
                f"it returns {what}, allowed: one number"
            )

    def grad(self, *arrays):
        self._made.grad(*arrays)


def _kernel(function, nq, nv, nu, ns):
    """(kernel, list): after its first call the list says what the function returns, where that is not one number.

    Taichi ends the process for a store of anything else, so what is returned is asked for while it is traced.
    """
    real, wrong = settings().real, []
    array = ti.types.ndarray(dtype=real, ndim=3)

    def is_number(cost):
        kind = str(cost.ptr.get_rvalue_type())
        if kind == "unknown" or cost.ptr.is_tensor():
            wrong.append("nothing" if kind == "unknown" else f"a vector or matrix, {kind}")
        return not wrong

    @ti.kernel
    def evaluate(qpos: array, qvel: array, ctrl: array, sensordata: array, time: array,
                 out: ti.types.ndarray(dtype=real, ndim=2)):  # fmt: skip
        for t, w in out:
            cost = function(
                ti.Vector([qpos[t, w, i] for i in range(nq)]), ti.Vector([qvel[t, w, i] for i in range(nv)]),
                ti.Vector([ctrl[t, w, i] for i in range(nu)]), ti.Vector([sensordata[t, w, i] for i in range(ns)]),
                time[t, w, 0],
            )  # fmt: skip
            if ti.static(is_number(cost)):
                out[t, w] = cost

    return evaluate, wrong
