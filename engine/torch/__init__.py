"""PyTorch: steps and rollouts as differentiable functions of tensors (extra `torch`).

    qpos, qvel, act, _ = engine.torch.step(sim, qpos, qvel, act, policy(observation(qpos, qvel)), frame_skip=5)
    loss(qpos).backward()

Both are pure functions of their arguments. The simulator gives the model, its parameters (`sim.params`) and the contact
capacity; its own state is neither read nor moved. The number of worlds is that of the tensors, whose leading axes are
worlds. What a step's backward reads is kept in the graph (a few hundred bytes per world), so it does not matter what
happened since; `detach()` cuts the graph as everywhere in torch, which is how windows are made.

Tensors are on the CPU or, after `engine.init(arch="cuda")`, on the GPU, where nothing passes through the host:
arguments are copied into the engine's buffers on the device, results out of them. The engine computes in its own
precision, whatever the tensors' types are. Outputs have the type of the state that was given, so a float32 policy can
read what its float32 state became: that of qpos, qvel and act, by `torch.promote_types` where these differ; the types
of controls, forces and parameters do not count. Gradients have the type of their tensor. Where qpos holds quaternions,
gradients are in its own coordinates, without a part along a quaternion's length, as those of `engine.Tape`.

`torch.func.grad`, `vjp`, `jacrev` and `vmap` work; what is mapped becomes worlds of one launch (parameters that are
mapped: one launch for each). Forward-mode and second derivatives do not exist and raise. `torch.compile` leaves these
calls out of its graphs.

With small networks call `torch.set_num_threads(1)`: torch's second thread is no help there, and while it waits for work
it takes a core from the simulator.

`loss` finds the cotangents of a rollout that a Tape recorded; `TorchCost` is an objective made so.

The solver's warm start is no argument: every call starts the solver afresh, so that the same arguments give the same
numbers, bit for bit, whatever ran before.
"""

try:
    import torch
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('engine.torch needs PyTorch: pip install "pullback[torch]"') from error

from collections.abc import Callable
from typing import Any, NamedTuple

from engine.arguments import whole
from engine.compiler.backend import settings
from engine.simulator import Simulator
from engine.torch.call import Call
from engine.torch.loss import Outputs, TorchCost, loss
from engine.torch.space import on_device

__all__ = ["Outputs", "State", "TorchCost", "Trajectory", "data", "loss", "rollout", "step"]


@torch.compiler.disable
def data(sim: Simulator) -> dict[str, torch.Tensor]:
    """The simulator's own state and work as tensors that share its memory, {name: tensor (worlds, ...)}.

    The names and shapes are those of `sim.data`; on CUDA the tensors are on the GPU, and a loop of writing `ctrl`,
    `sim.step()` and reading `qpos` moves nothing to the host. Without gradients: those are for `step` and `rollout`.
    """
    device = "cpu" if settings().arch == "cpu" else torch.device("cuda", 0)
    return {name: on_device(a, device) for name, a in sim.data.arrays().items()}


class State(NamedTuple):
    """What `step` returns: qpos (..., nq), qvel (..., nv), act (..., na), sensordata (..., nsensordata) or None."""

    qpos: torch.Tensor
    qvel: torch.Tensor
    act: torch.Tensor
    sensordata: torch.Tensor | None


class Trajectory(NamedTuple):
    """What `rollout` returns: as State with rows first, steps // record_every + 1 of them, row 0 being the start.

    ctrl: (steps, ..., nu), the controls that acted.
    """

    qpos: torch.Tensor
    qvel: torch.Tensor
    act: torch.Tensor
    sensordata: torch.Tensor | None
    ctrl: torch.Tensor


@torch.compiler.disable
def step(
    sim: Simulator, qpos: torch.Tensor, qvel: torch.Tensor, act: torch.Tensor | None = None,
    ctrl: torch.Tensor | None = None, *, params: dict[str, torch.Tensor] | None = None, frame_skip: int = 1,
    sensordata: bool = False, qfrc_applied: torch.Tensor | None = None, xfrc_applied: torch.Tensor | None = None,
    on_divergence: str = "raise",
) -> Any:  # fmt: skip
    """The state after one control step: `frame_skip` physics steps under the same control. Returns a State.

    qpos (..., nq), qvel (..., nv), act (..., na), ctrl (..., nu): the same leading axes, which are worlds; act and ctrl
    may be None where the model has none. params: {name: tensor} of differentiable parameters of the model (the names
    of `sim.params`, the model's shapes) to be used instead of the simulator's, the same in all worlds, or
    with the worlds' leading axes one for each.
    sensordata: also return the sensors of the new state, under the same control. qfrc_applied (..., nv; N m or N) and
    xfrc_applied (..., nbody, 6; force in N, torque in N m at the body's centre of mass, world axes): forces that act
    all the while, as in `sim.data`; None: no forces. Mocap bodies stay where the model has them, and equality
    constraints act as they do at first; a simulator whose data says otherwise is refused.

    on_divergence="mask": returns (State, diverged), booleans (...). A world that diverges then ends nobody else's step:
    it has the state that it was given, sensors of zero, and the gradient zero.

    Raises ValueError for shapes, devices, names or values that are not allowed, and DivergenceError and
    ContactOverflowError as Simulator.step does; a world's number in them counts the leading axes row by row.
    """
    options = {"frame_skip": frame_skip, "sensors": sensordata, "on_divergence": on_divergence}
    call = Call(sim, qpos, params, (qfrc_applied, xfrc_applied), None, options)
    *values, last = call(qpos, qvel, act, ctrl)
    return (State(*values), last) if call.pure.masked else State(*values, last)


@torch.compiler.disable
def rollout(
    sim: Simulator, qpos: torch.Tensor, qvel: torch.Tensor, act: torch.Tensor | None = None,
    ctrl: torch.Tensor | Callable[..., torch.Tensor] | None = None, *, steps: int | None = None,
    params: dict[str, torch.Tensor] | None = None, frame_skip: int = 1, record_every: int = 1,
    sensordata: bool = False, memory: int | str = "1GiB", qfrc_applied: torch.Tensor | None = None,
    xfrc_applied: torch.Tensor | None = None, on_divergence: str = "raise",
) -> Any:  # fmt: skip
    """Many control steps from a state. Returns a Trajectory.

    ctrl: controls (steps, ..., nu), all steps in one launch; or a function ctrl(t, qpos, qvel, act) -> (..., nu) of
    torch, called before each of `steps` steps. Other arguments are as in `step`; forces act in all steps.
    record_every: control steps between output rows (controls only). memory: bytes of what is kept for backward; a
    longer rollout is repeated there, on a checkpointed tape of this size (controls only). The sensors of a row are
    those of its state and its control, at the last row of the last control.

    on_divergence="mask" (controls only): returns (Trajectory, diverged), booleans (...). A world that diverges stays in
    the last row before that, with sensors of zero, and has the gradient zero in all its rows.
    """
    forces = qfrc_applied, xfrc_applied
    if not callable(ctrl):
        if steps is not None and ctrl is not None and steps != len(ctrl):
            raise ValueError(f"steps: got {steps}, but ctrl has {len(ctrl)} rows")
        count = whole("steps", steps) if ctrl is None else len(ctrl)
        options = {"frame_skip": frame_skip, "record_every": record_every, "sensors": sensordata, "memory": memory,
                   "on_divergence": on_divergence}  # fmt: skip
        call = Call(sim, qpos, params, forces, count, options)
        qpos, qvel, act, sensors, *diverged = call(qpos, qvel, act, ctrl)
        ctrl = qpos.new_empty((count, *qpos.shape[1:-1], 0)) if ctrl is None else ctrl
        trajectory = Trajectory(qpos, qvel, act, sensors, ctrl)
        return (trajectory, *diverged) if diverged else trajectory
    if record_every != 1 or sensordata or on_divergence != "raise":
        raise ValueError(
            "record_every, sensordata, on_divergence: not with a function as ctrl; call `step` in a loop of your own"
        )
    call = Call(sim, qpos, params, forces, None, {"frame_skip": frame_skip})
    rows, controls = [], []
    state = State(qpos, qvel, qpos.new_empty((*qpos.shape[:-1], 0)) if act is None else act, None)
    for t in range(whole("steps", steps)):
        rows.append(state)
        controls.append(ctrl(t, *state[:3]))
        state = State(*call(*state[:3], controls[-1]))
    rows.append(state)
    rows[0] = [x.to(state.qpos.dtype) for x in rows[0][:3]]  # the caller's may be several
    return Trajectory(*(torch.stack([r[i] for r in rows]) for i in range(3)), None, torch.stack(controls))
