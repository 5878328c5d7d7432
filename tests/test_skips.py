"""What needs an extra is run by CI's second stage, where a skip is a failure."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# those that the extra `test`, of the first stage, does not bring
EXTRAS = "torch|jax|ray|stable_baselines3|imageio_ffmpeg"
NEEDS = re.compile(rf"""(importorskip|find_spec)\(["']({EXTRAS})["']""")

SKIPPING = """
import pytest

def test_passes(): pass
def test_gpu(): pytest.skip("CUDA not run: no NVIDIA GPU here")
"""
OTHERS = """
@pytest.mark.skipif(True, reason="needs PyTorch")
def test_marked(): pass
def test_called(): pytest.skip("at a whim")
"""


def test_a_skip_fails_the_run_but_for_a_gpu(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_gpu_only.py").write_text(SKIPPING)
    (tmp_path / "test_more.py").write_text(SKIPPING + OTHERS)
    (tmp_path / "test_module.py").write_text("import pytest\npytest.importorskip('no_such_module', reason='needs X')\n")

    def run(*names):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.skips", *(str(tmp_path / n) for n in names)]
        plain = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}  # no options of the run around it
        return subprocess.run(command, cwd=ROOT, env=plain, capture_output=True, text=True)

    done = run("test_gpu_only.py")
    assert done.returncode == 0, done.stdout + done.stderr
    done = run("test_more.py", "test_module.py")
    assert done.returncode == 1, done.stdout + done.stderr
    told = done.stdout.split("want of a GPU")[1]
    assert all(reason in told for reason in ("needs PyTorch", "at a whim", "needs X")) and "CUDA not run" not in told


def test_the_second_stage_has_every_test_that_needs_an_extra():
    stage = (ROOT / ".ci" / "run").read_text(encoding="utf-8").partition("-p tests.skips")[2]
    listed = [ROOT / word.partition("::")[0] for word in stage.split() if word.startswith("tests/")]
    assert listed and all(path.exists() for path in listed)
    needing = [p for p in (ROOT / "tests").rglob("test_*.py") if NEEDS.search(p.read_text(encoding="utf-8"))]
    missing = [str(p.relative_to(ROOT)) for p in needing if not any(p == a or a in p.parents for a in listed)]
    assert len(needing) >= 8 and not missing


def test_the_second_stage_installs_every_extra():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = set(re.findall(r"^(\w+) = \[", text.partition("optional-dependencies]")[2].partition("\n[")[0], re.M))
    installed = set(
        re.search(r'-e "\.\[([^]]*)\]"\n', (ROOT / ".ci" / "run").read_text(encoding="utf-8"))[1].split(",")
    )
    # the others come with `test`: tests/test_structure.py and the first stage see to that; of RSL-RL, which brings a
    # dozen packages, tests/rl/test_rsl.py has the interface, and a slow test the package itself
    assert extras - installed <= {"mjcf", "meshes", "scipy", "view", "rl", "all", "rsl"}
