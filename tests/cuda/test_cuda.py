"""A GPU against the CPU: states and gradients of robots in contact, both precisions. Not run where there is no GPU."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.compiler.backend import gpus

WORKER = Path(__file__).with_name("worker.py")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    if not gpus():
        pytest.skip("CUDA not run: no NVIDIA GPU here")
    folder, kept = tmp_path_factory.mktemp("cuda"), {}

    def result(arch, precision):
        if (arch, precision) not in kept:
            file = folder / f"{arch}_{precision}.npz"
            command = [sys.executable, str(WORKER), arch, precision, str(file)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-3000:]
            kept[arch, precision] = dict(np.load(file))
        return kept[arch, precision]

    return result


def distance(a, b):
    """Largest difference over the largest number."""
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-9)) if b.size else 0.0


# on a CPU f32 is within 3e-5 of f64's states and 1.4e-3 of its gradients
@pytest.mark.parametrize(("precision", "states", "gradients"), (("f64", 1e-9, 1e-8), ("f32", 1e-3, 1e-2)))
def test_parity_with_the_cpu(results, precision, states, gradients):
    ours, cpu = results("cuda", precision), results("cpu", "f64")
    assert set(cpu) - set(ours) <= {n for n in cpu if n.startswith(("tensors", "gradcheck"))}
    for name, value in ours.items():
        if name.startswith(("states", "gradients", "controller", "tensors")):
            bound = states if name.startswith("states") else gradients
            assert np.isfinite(value).all() and distance(value, cpu[name]) <= bound, name


@pytest.mark.parametrize("precision", ("f64", "f32"))
def test_a_repeated_part_gives_the_same_bits(results, precision):
    ours = results("cuda", precision)
    for name in ours:
        if " whole " in name:
            assert np.array_equal(ours[name], ours[name.replace(" whole ", " part ")]), name


def test_gradients_against_differences_on_the_device(results):
    right = results("cuda", "f64")["gradcheck right"]
    assert right.size and right.all()


@pytest.mark.parametrize("precision", ("f64", "f32"))
def test_faults_raise(results, precision):
    assert results("cuda", precision)["errors raised"].tolist() == [1.0, 1.0]


@pytest.mark.skipif(gpus() > 0, reason="there is a GPU")
def test_without_a_gpu_cuda_is_refused_and_nothing_is_decided():
    """Taichi alone would warn and compute on the CPU."""
    code = """if True:
        import engine
        try:
            engine.init(arch="cuda")
        except RuntimeError as error:
            print(error)
        print(engine.init(arch="cpu").arch)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=WORKER.parents[2])
    assert done.stdout.splitlines() == [
        'arch: got "cuda", but the driver of NVIDIA finds no GPU here; allowed: "cpu"', "cpu",
    ], done.stderr  # fmt: skip
