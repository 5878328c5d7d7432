"""Friction and start velocity of a tossed box, from 20 noisy depth images: python demos/depth_toss.py [PICTURE]

A box slides in on a table and comes to rest, and a fixed camera of 32 x 24 pixels sees it 20 times in 0.8 s, with an
error of 5 mm in every pixel. Of 256 guesses, which are as many worlds, the best three are improved by Gauss-Newton
steps, and the next three, where none explains the images: some end in a box that has turned too far. Their Jacobian is
exact, through the camera and the contacts: each step of the rollout is a world that makes this step alone, and thirteen
reverse passes of all these worlds are the derivatives of all steps; their products are those of the box's way, and the
camera tells how the pixels follow. The guess's camera is a soft one, so that the box's outline counts.
"""

import argparse
import time

import numpy as np

import pullback as pb

TABLE = """<mujoco><option timestep="0.005" cone="elliptic"/><worldbody>
<geom type="plane" size="9 9 1" friction="0.01"/><site name="eye" pos="0.15 -0.8 0.9" euler="43 0 0"/>
<body name="box" pos="0 0 .08"><freejoint/><geom name="box" type="box" size=".12 .08 .08" mass="0.5"/></body>
</worldbody></mujoco>"""
STEPS, EVERY, NOISE, GUESSES = 160, 8, 0.005, 256
ROWS, NQ, NV, MOVING = STEPS // EVERY, 7, 6, [0, 1, 5]
NAMES = "friction", "velocity x, m/s", "velocity y, m/s", "spin, rad/s"
ENOUGH = 5  # times the noise's square is what a soft camera leaves of images that a guess explains
TRUTH = np.array([0.35, 1.3, 0.4, 1.5])
LOW, HIGH = np.array([[0.02, -2, -2, -4], [1.5, 2, 2, 4]])

model = pb.load(TABLE)
box = model.geom("box")


class Toss:
    """Rollouts of guesses (worlds, 4) and their images, but for the first, which is known."""

    def __init__(self, worlds, soft=0.0, samples=2, seen=slice(None)):
        self.sim, self.seen = pb.Simulator(model, worlds, own_params=True), seen
        self.tape = pb.Tape(self.sim, STEPS, record_every=EVERY)
        self.eye = pb.rays.Depth(self.sim, "eye", size=(32, 24), fov=30, far=3.0, soft=soft, samples=samples)

    def rollout(self, guess):
        guess = np.broadcast_to(guess, (self.sim.worlds, 4))
        self.sim.params.geom_friction[:, box, 0] = guess[:, 0]
        qvel = np.zeros((len(guess), NV))
        qvel[:, MOVING] = guess[:, 1:]
        self.sim.reset(qvel=qvel)
        return self.tape.rollout(np.zeros((STEPS, len(guess), 0))).qpos[1:][self.seen]

    def images(self, guess):
        return self.eye.along(self.rollout(guess))


class Slopes:
    """d(qpos)/d(guess) (4, rows, 1, nq) at a guess (4,), the rows as those of a Toss."""

    def __init__(self):
        self.path = pb.Tape(pb.Simulator(model), STEPS)
        self.step = pb.Tape(pb.Simulator(model, STEPS), 1)  # a world for each step

    def __call__(self, guess):
        whole, each = self.path.sim, self.step.sim
        for sim in (whole, each):
            sim.params.geom_friction[box, 0] = guess[0]
        qvel = np.zeros(NV)
        qvel[MOVING] = guess[1:]
        whole.reset(qvel=qvel)
        path = self.path.rollout(np.zeros((STEPS, 1, 0)))
        each.reset(path.qpos[:-1, 0], path.qvel[:-1, 0])
        self.step.rollout(np.zeros((1, STEPS, 0)))
        by = np.zeros((STEPS, NQ + NV, NQ + NV + 1))  # of a step's end, by its start and the friction
        for k in range(NQ + NV):
            end = np.zeros((2, STEPS, NQ + NV))
            end[1, :, k] = 1.0
            grads = self.step.backward(qpos=end[..., :NQ], qvel=end[..., NQ:])
            friction = grads.model.per_world("geom_friction")[:, box, :1]
            by[:, k] = np.concatenate([grads.qpos0, grads.qvel0, friction], axis=1)
        slope, rows = np.zeros((NQ + NV, 4)), []
        slope[NQ + np.array(MOVING), 1:] = np.eye(3)
        for t in range(STEPS):
            slope = by[t, :, :-1] @ slope
            slope[:, 0] += by[t, :, -1]
            if (t + 1) % EVERY == 0:
                rows.append(slope[None, :NQ])
        return np.moveaxis(rows, -1, 0)


def improved(guess, measured, toss, slopes, enough=1e-3):
    """(loss, guess) after Levenberg-Marquardt steps with this camera, until one brings, or promises, less than `enough`
    of the loss."""
    damping, image = 1e-3, toss.images(guess)
    left = (image.depth - measured).ravel()
    for _ in range(12):
        J = toss.eye.push(image, slopes(guess))[0].reshape(4, -1).T
        H, g, loss = J.T @ J, J.T @ left, left @ left
        for _ in range(5):
            move = np.linalg.solve(H + damping * np.diag(np.diag(H) + 1e-12), g)
            tried = np.clip(guess - move, LOW, HIGH)
            seen = toss.images(tried)
            rest = (seen.depth - measured).ravel()
            fallen = loss - rest @ rest
            if fallen > 0 or move @ g < enough * loss:
                break
            damping *= 10
        if fallen <= 0:
            break
        guess, image, left, damping = tried, seen, rest, 0.1 * damping
        if fallen < enough * loss:
            break
    return left @ left / left.size, guess


def estimate(measured, rng):
    guesses = rng.uniform(LOW, HIGH, (GUESSES, 4))
    few = slice(3, None, 4)  # of the images, enough to tell good guesses from bad ones
    seen = Toss(GUESSES, 0.05, 1, few).images(guesses)
    losses = ((seen.depth - measured[few]) ** 2).mean(axis=(0, 2, 3))
    coarse, finer, slopes, ends, order = Toss(1, 0.05, 1), Toss(1, 0.015), Slopes(), [], np.argsort(losses)
    for first in range(0, 12, 3):
        three = [improved(guesses[k], measured, coarse, slopes, 0.05) for k in order[first : first + 3]]
        ends.append(improved(min(three, key=lambda end: end[0])[1], measured, finer, slopes))
        if ends[-1][0] < ENOUGH * NOISE**2:
            break
    guess = min(ends, key=lambda end: end[0])[1]
    for soft in (0.004, 0.001):
        guess = improved(guess, measured, Toss(1, soft), slopes)[1]
    return guess


def main(picture=None):
    rng = np.random.default_rng(0)
    measured = Toss(1).images(TRUTH).depth
    measured = measured + NOISE * rng.normal(size=measured.shape)
    start = time.perf_counter()
    found = estimate(measured, rng)
    print(f"{time.perf_counter() - start:.1f} s")
    for name, value, truth in zip(NAMES, found, TRUTH, strict=True):
        print(f"{name:16s} {value:7.4f}, true {truth:.4f}: {abs(value / truth - 1):.2%} off")
    if picture:
        draw(picture, measured, Toss(1).images(found).depth)
    return found


def draw(path, measured, found):
    """Every fourth image as measured, and that of the estimate below."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 5, figsize=(12, 4.2), layout="constrained")
    for row, (images, word) in enumerate(((measured, "measured"), (found, "estimate"))):
        for column, k in enumerate(range(3, ROWS, 4)):
            shown = axes[row, column].imshow(images[k, 0], vmin=0.8, vmax=1.5, cmap="viridis_r")
            axes[row, column].set(xticks=[], yticks=[], ylabel="" if column else word)
            if not row:
                axes[row, column].set_title(f"{(k + 1) * EVERY * model.opt.timestep:.2f} s")
    figure.colorbar(shown, ax=axes, label="depth, m")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0].split(": python")[0])
    pb.init(threads=1)  # of little work: kernels for several threads would be compiled beside the others
    parser.add_argument("picture", nargs="?", help="file for a picture of what was measured and what was found")
    main(parser.parse_args().picture)
