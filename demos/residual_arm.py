"""An arm whose joints rub in a way that no number of its file says: friction that falls with speed (Stribeck) and a
cable that drags the more, the more the elbow is bent. Damping, rotors and dry friction are fitted to logs, alone and
with a small network inside the step that can only take energy away. Needs MuJoCo, which plays the real arm.

    python demos/residual_arm.py demos/arm.xml residual_arm.png
"""

import argparse

import numpy as np

import pullback as pb

H, NOISE = 0.002, {"qpos": 1e-4, "qvel": 3e-3}  # s; rad, rad/s
NUMBERS = ["dof_damping:*", "dof_armature:*", "dof_frictionloss:*"]


def rubbing(qpos, qvel):
    """What the real arm has besides: N m on shoulder and elbow."""
    stribeck = 0.2 + 0.5 * np.exp(-((qvel / 0.8) ** 2))
    cable = np.stack([0 * qpos[..., 1], 0.3 * np.abs(qpos[..., 1])], axis=-1)
    return -(stribeck + cable) * np.tanh(qvel / 0.15)


def torques(time, seed):
    """Chirps from 0.2 to 1.4 Hz of random phases."""
    phase = np.random.default_rng(seed).uniform(0, 2 * np.pi, 4)
    sweep = 2 * np.pi * (0.2 * time + 0.6 * time**2 / time[-1])
    return np.stack([
        2.0 * np.sin(sweep + phase[0]) + 1.0 * np.sin(0.37 * sweep + phase[1]),
        0.9 * np.sin(1.3 * sweep + phase[2]) + 0.6 * np.sin(0.6 * sweep + phase[3]),
    ], axis=1)  # fmt: skip


def real_arm(path, seconds, seed):
    """Time, controls, angles and velocities of the arm that MuJoCo simulates, without noise."""
    import mujoco

    arm = mujoco.MjModel.from_xml_path(path)
    arm.opt.timestep, arm.dof_damping[:], arm.dof_armature[:] = H, (0.3, 0.1), (0.02, 0.01)
    data, time = mujoco.MjData(arm), H * np.arange(int(seconds / H))
    controls, angles, rates = torques(time, seed), [], []
    for u in controls:
        angles.append(data.qpos.copy())
        rates.append(data.qvel.copy())
        data.ctrl[:], data.qfrc_applied[:] = u, rubbing(data.qpos, data.qvel)
        mujoco.mj_step(arm, data)
    return time, controls, np.array(angles), np.array(rates)


def friction_networks(arm, rng):
    """One for each joint, of its speed and the elbow's also of its bend, the same both ways, in the place of the arm's
    dry friction, where they begin."""
    networks = []
    sees = {"shoulder": [("speed", "shoulder")], "elbow": [("speed", "elbow"), ("cos_qpos", "elbow")]}
    for joint, inputs in sees.items():
        arm = networks[-1].model if networks else arm
        made = pb.residuals.MLP(arm, inputs, [joint], hidden=(6,), passive=0.15, scale=0.5)
        made.view("b1")[:] = rng.normal(size=6)
        made.view("W2")[:] = 0.3 * rng.normal(size=(1, 6))
        made.view("b2")[:] = np.sqrt(arm.dof_frictionloss[made.dofs])
        made.model.dof_frictionloss[made.dofs] = 0
        networks.append(made)
    return networks


def friction(networks, model, qpos, qvel):
    """N m on both joints, (..., 2)."""
    return np.concatenate([n.force(qpos, qvel, residual_prm=model.residual_prm) for n in networks], axis=-1)


def fitted(model, logs, unknowns, iterations):
    """The robot with the unknowns that the logs tell. Windows are short at first, since in these the motion is nearly
    linear in what is unknown, and then longer, since what adds up in these is known better."""
    for window in (0.04, 0.2):
        model = pb.identify.fit(model, logs, unknowns, window=window, noise=NOISE, iterations=iterations).model()
    return model


def held_out(model, runs):
    """Root mean square error of the angles, rad, of whole runs that no fit has seen, and the last run's angles."""
    errors = []
    for _, controls, angles, _ in runs:
        rows = pb.Tape(pb.Simulator(model), steps=len(controls)).rollout(controls[:, None])
        errors.append(rows.qpos[:-1, 0] - angles)
    return float(np.sqrt(np.mean(np.square(errors)))), angles + errors[-1]


def main(path="demos/arm.xml", picture=None, seconds=8.0, iterations=16, starts=2):
    rng = np.random.default_rng(0)
    logs = []
    for seed in range(2):
        time, controls, angles, rates = real_arm(path, seconds, seed)
        channels = {"ctrl": (time, controls)}
        for name, true in (("qpos", angles), ("qvel", rates)):  # encoders at 250 Hz
            channels[name] = time[::2], true[::2] + NOISE[name] * rng.normal(size=true[::2].shape)
        logs.append(pb.identify.Log(channels, f"run {seed}"))
    fresh = [real_arm(path, min(seconds, 4.0), seed) for seed in (10, 11)]

    arm = pb.load(path)
    arm.opt.timestep, arm.dof_armature[:], arm.dof_frictionloss[:] = H, 0.01, 0.1
    weights = pb.identify.Unknown("residual_prm", unit=0.3, prior=(0.0, 1.0))
    alone = fitted(arm, logs, NUMBERS, iterations)
    judge, tried = [real_arm(path, min(seconds, 4.0), 20)], []
    for _ in range(starts):  # of the networks; a run by itself says which of them ended best
        networks = friction_networks(alone, rng)
        together = fitted(networks[-1].model, logs, [*NUMBERS[:2], weights], iterations)
        tried.append((held_out(together, judge)[0], networks, together))
    print("by the run that judges, mrad:", *(f"{1e3 * error:.1f}" for error, *_ in tried))
    _, networks, together = min(tried, key=lambda one: one[0])

    found = {name: held_out(model, fresh) for name, model in (("numbers", alone), ("with a network", together))}
    for name, (error, _) in found.items():
        print(f"{name:15s} {1e3 * error:7.2f} mrad off in runs that no fit has seen")
    _, _, angles, qvel = fresh[-1]
    power = (friction(networks, together, angles, qvel) * qvel).sum(axis=1)
    print(f"power of the network: {power.min():.2f} to {power.max():.2g} W")
    if picture:
        draw(picture, angles, found, networks, together)
    return found, power, together


def draw(path, angles, found, networks, model):
    """The elbow of a run that no fit has seen, and the friction that the network has found, beside the true one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained")
    time = H * np.arange(len(angles))
    left.plot(time, angles[:, 1], "k", lw=2, label="real arm")
    for (name, (error, there)), style in zip(found.items(), ("C1--", "C0--"), strict=True):
        left.plot(time, there[:, 1], style, label=f"{name}: {1e3 * error:.1f} mrad")
    left.set(xlabel="time, s", ylabel="elbow, rad", title="a run that no fit has seen")
    left.legend()
    v = np.linspace(-6, 6, 601)
    for k, bend in enumerate((0.0, 1.2)):
        qpos, qvel = np.stack([0 * v, 0 * v + bend], axis=1), np.stack([0 * v, v], axis=1)
        learnt = friction(networks, model, qpos, qvel)[:, 1] - model.dof_damping[1] * v
        right.plot(v, rubbing(qpos, qvel)[:, 1] - 0.1 * v, "k", lw=2, label="real arm" if k == 0 else None)
        right.plot(v, learnt, f"C{k}--", label=f"fitted, elbow at {bend} rad")
    right.set(xlabel="velocity of the elbow, rad/s", ylabel="N m", title="what rubs in the elbow")
    right.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="An arm's friction, by numbers and by a network inside the step")
    parser.add_argument("path", nargs="?", default="demos/arm.xml", help="the arm (demos/arm.xml)")
    parser.add_argument("picture", nargs="?", help="file for a picture of the runs and of the friction")
    parser.add_argument("seconds", nargs="?", type=float, default=8.0, help="of each log (8)")
    parser.add_argument("iterations", nargs="?", type=int, default=16, help="of each fit (16)")
    parser.add_argument("starts", nargs="?", type=int, default=2, help="of the networks (2)")
    main(**vars(parser.parse_args()))
