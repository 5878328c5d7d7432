"""Without their extras the doors say what to install; with f32 the bridges work in f32."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]

# Gradient of a batch of cheetahs that have fallen to the ground, in the precision and to the file of the command line.
GRADIENT = """
import sys
import numpy as np, torch
import engine, scenes

def gradient(precision, out, dtype=torch.float64):
    engine.init(precision=precision)
    scene = scenes.load("half_cheetah")
    sim = engine.Simulator(scene.model, 4)
    rng = np.random.default_rng(0)
    q, v = (torch.tensor(x, dtype=dtype, requires_grad=True) for x in scene.start(rng, 4))
    controls = torch.tensor(rng.uniform(-0.5, 0.5, (12, 4, 6)), dtype=dtype, requires_grad=True)
    state = q, v, None
    for u in controls:
        state = engine.torch.step(sim, *state[:3], u, frame_skip=5)
    assert state.qpos.dtype == dtype  # the state's, not the engine's
    (state.qvel * torch.linspace(-1, 1, 9)).sum().backward()
    assert controls.grad.dtype == dtype
    np.savez(out, qpos=q.grad, qvel=v.grad, ctrl=controls.grad, end=state.qpos.detach())

gradient(*sys.argv[1:])
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("name", ("torch", "jax"))
def test_a_missing_extra_is_named(name):
    code = f"import sys; sys.modules[{name!r}] = None\nimport engine\nengine.{name}.step"
    done = run(code)
    assert done.returncode == 1
    assert f'pip install "pullback[{name}]"' in done.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason='needs PyTorch: pip install "pullback[torch]"')
def test_f32_against_f64(tmp_path):
    path = tmp_path / "gradient.py"  # kernels need a source file
    path.write_text(GRADIENT)
    for precision in ("f32", "f64"):
        command = [sys.executable, str(path), precision, str(tmp_path / precision)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "f32.npz") as a, np.load(tmp_path / "f64.npz") as b:
        for name in b.files:
            np.testing.assert_allclose(a[name], b[name], rtol=0, atol=5e-3 * np.abs(b[name]).max(), err_msg=name)
