"""What a process of its own computes on one architecture, as arrays in a file: states, gradients, checks.

    python tests/cuda/worker.py ARCH PRECISION FILE
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import controllers
import engine
import scenes

ROBOTS = ("half_cheetah", "hopper", "ant", "quadruped", "ball_toss")
WORLDS, STEPS = 5, 12


def started(name):
    scene = scenes.load(name)
    sim = engine.Simulator(scene.model, WORLDS)
    rng = np.random.default_rng(0)
    sim.reset(*scene.start(rng, WORLDS))
    return scene, sim, rng


def states(name):
    """After half a second, in which the robot falls to the ground or moves on it, under its own controls."""
    scene, sim, rng = started(name)
    sim.data.ctrl[:] = rng.uniform(-0.5, 0.5, sim.data.ctrl.shape)
    sim.step(max(1, round(0.5 / scene.model.opt.timestep)))
    sim.forward()
    found = {"qpos": sim.data.qpos, "qvel": sim.data.qvel, "ncon": sim.data.ncon, "sensordata": sim.data.sensordata}
    return found | sim.com_based()._asdict()


def gradients(name):
    """Of a rollout from there, stored whole and with part of it repeated, and A, B of its first state."""
    scene, sim, rng = started(name)
    sim.step(max(1, round(0.3 / scene.model.opt.timestep)))
    start = {n: getattr(sim.data, n).copy() for n in ("qpos", "qvel")}
    controls = rng.uniform(-0.5, 0.5, (STEPS, WORLDS, scene.model.nu))
    whole = engine.Tape(sim, STEPS, frame_skip=2)
    part = engine.Tape(sim, STEPS, frame_skip=2, memory=whole.fixed_bytes + whole.bytes // 20)
    found = {}
    for tape, label in ((whole, "whole"), (part, "part")):
        sim.reset(**start)
        trajectory = tape.rollout(controls)
        weights = np.random.default_rng(1).normal(size=trajectory.qpos.shape)
        g = tape.backward(qpos=weights, qvel=0.1 * weights[..., : scene.model.nv])
        found |= {f"{label} {n}": getattr(g, n) for n in ("ctrl", "qpos0", "qvel0")}
        found[f"{label} theta"] = g.model.theta_bar
    sim.reset(**start)
    found["A"], found["B"] = sim.linearize()
    return found


def controller():
    """Gradient of a network's parameters, evaluated inside the kernel."""
    scene, sim, _ = started("half_cheetah")
    policy = controllers.MLP(scene.model, hidden=(8,), seed=0)
    tape = engine.Tape(sim, STEPS, frame_skip=scene.frame_skip)
    trajectory = tape.rollout(policy)
    return {"params": tape.backward(qpos=np.ones_like(trajectory.qpos)).params}


def verdicts():
    """gradcheck's verdicts: 1 for each input that is not wrong."""
    scene, sim, _ = started("hopper")
    sim.step(200)
    tape = engine.Tape(sim, STEPS, frame_skip=2)

    def loss(trajectory):
        return float((trajectory.qpos[-1] ** 2).sum()), {"qpos": np.concatenate(
            [np.zeros_like(trajectory.qpos[:-1]), 2 * trajectory.qpos[-1:]])}  # fmt: skip

    report = engine.gradcheck(tape, loss, wrt=("ctrl", "qpos0", "qvel0", "body_mass", "geom_friction"))
    return {"right": np.array([entry.verdict != "wrong" for entry in report.entries], float)}


def errors():
    """1 for each fault that raised its error by name."""
    _, sim, _ = started("hopper")
    raised = []
    for array, value, error in ((sim.data.qvel, np.nan, ValueError), (sim.data.qvel, 1e9, engine.DivergenceError)):
        array[2, -1] = value
        try:
            sim.step(50)
        except error:
            raised.append(1.0)
        array[2, -1] = 0.0
    return {"raised": np.array(raised)}


def tensors():
    """A chain of torch steps on the device, and its gradient; nothing where torch has none."""
    try:
        import torch
    except ModuleNotFoundError:
        return {}
    device = engine.compiler.backend.settings().arch
    if device == "cuda" and not torch.cuda.is_available():
        return {}
    import engine.torch as bridge

    scene, sim, rng = started("ant")
    start = [torch.tensor(a, device=device, requires_grad=True) for a in scene.start(rng, WORLDS)]
    (qpos, qvel), mass = start, torch.tensor(sim.params.body_mass, device=device, requires_grad=True)
    for t in range(STEPS):
        ctrl = torch.tanh(qvel[:, -scene.model.nu :]) * (0.3 + 0.1 * t)
        qpos, qvel, _, _ = bridge.step(sim, qpos, qvel, None, ctrl, params={"body_mass": mass}, frame_skip=2)
    assert qpos.device.type == device
    (qpos[:, 0] + qvel.square().mean(-1)).sum().backward()
    live = bridge.data(sim)
    live["ctrl"][:] = 0.1
    sim.step(5)
    found = {"end": qpos.detach(), "mass": mass.grad, "live": live["qpos"]}
    found |= {"qpos": start[0].grad, "qvel": start[1].grad}
    return {name: a.cpu().numpy() for name, a in found.items()}


def main():
    arch, precision, file = sys.argv[1:]
    engine.init(arch=arch, precision=precision)
    found = {}
    for name in ROBOTS:
        found |= {f"states {name} {k}": np.array(v) for k, v in states(name).items()}
        found |= {f"gradients {name} {k}": np.array(v) for k, v in gradients(name).items()}
    parts = {"controller": controller, "errors": errors, "tensors": tensors}
    if precision == "f64":
        parts["gradcheck"] = verdicts
    for part, compute in parts.items():
        found |= {f"{part} {k}": np.array(v) for k, v in compute().items()}
    np.savez(file, **found)


if __name__ == "__main__":
    main()
