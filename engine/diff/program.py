"""What a controller compiles to: integers and parameters of the parts that the rollout kernel evaluates."""

import numpy as np

from engine import schema as s
from engine.arrays import Pack
from engine.compiler.backend import np_real
from engine.compiler.features import features_of_parts
from engine.parts import H_PARAMS, H_PARTS, H_SCRATCH, H_STRIDE, NPART


class Program:
    """Buffers of the parts of one controller (or of none: controls given as an array)."""

    def __init__(self, controls=None, parts=(), params=None, worlds=1, nu=0, owner=None):
        self.controls, self.owner = controls, owner
        self.nparam = sum(p.nparam for p in parts)
        self.nscratch = nu + max([p.scratch for p in parts], default=0)
        self.per_world = params is not None and np.ndim(params) == 2
        ints, rows, at = [0] * 4, [], 0
        for p in parts:
            rows.append([p.kind, p.output, at, len(ints), p.size, p.step, 0, 0])
            ints += p.ints
            at += p.nparam
        ints[H_PARTS], ints[H_PARAMS], ints[H_SCRATCH] = len(parts), self.nparam, self.nscratch
        ints[H_STRIDE] = self.nparam if self.per_world else 0
        sizes = {"npart": len(parts), "nint": len(ints), "nparam": np.size(params) if parts else 0,
                 "nscratch": worlds * self.nscratch}  # fmt: skip
        pairs = {p.own for p in parts if p.own}
        if len(pairs) > 1:
            raise ValueError(f"controller: {len(pairs)} different pairs of functions of one's own, allowed: one")
        self.pack = Pack("controller", {b.name: sizes[b.count] * b.width for b in s.CONTROLLER})
        self.pack.own = pairs.pop() if pairs else None
        self.pack.features = features_of_parts({p.kind for p in parts})
        self.pack["ints"][:] = ints
        if parts:
            self.pack["part"].reshape(-1, NPART)[:] = rows
            self.pack["params"][:] = np.ravel(params)

    def current_params(self):
        """The owner's parameters as they are now, flat."""
        if self.owner is None:
            return self.pack["params"]
        return np.ravel(self.owner.params).astype(np_real())

    def gradient(self, params_bar, worlds):
        """Adjoint of the parameters, in the controller's shape; None without a controller."""
        if self.owner is None:
            return None
        rows = params_bar[: worlds * self.nparam].reshape(worlds, self.nparam)
        return rows.copy() if self.per_world else rows.sum(axis=0)


def bind_program(tape, controls):
    """The Program of what `rollout` was given; a controller's is kept on the tape and gets its new parameters."""
    if controls is None or isinstance(controls, type):
        raise ValueError(
            f"controls: got {controls!r}, allowed: an array (steps, worlds, nu) or (steps, nu), or a controller"
        )
    if not hasattr(controls, "parts"):
        program = tape._plain or Program(nu=tape.sim.model.nu)
        tape._plain = program
        program.controls = controls
        return program
    params = np.asarray(controls.params, np_real())
    parts = controls.parts(tape)
    shape = (sum(p.nparam for p in parts),)
    if params.shape not in (shape, (tape.sim.worlds, *shape)):
        raise ValueError(f"controller: params has shape {params.shape}, allowed: {shape} or (worlds,) + {shape}")
    if not np.isfinite(params).all():
        raise ValueError(f"controller: parameter {int(np.argmin(np.isfinite(np.ravel(params))))} is not finite")
    program = tape._program
    if program is None or program.owner is not controls or program.per_world != (params.ndim == 2):
        program = Program(None, parts, params, tape.sim.worlds, tape.sim.model.nu, controls)
    program.pack["params"][: params.size] = params.ravel()
    return program
