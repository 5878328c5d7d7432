"""Kernels are compiled once per machine: whatever a process did before, it finds those of an earlier one on disk."""

import os
import re
import subprocess
import sys

import pytest

GRADIENT = """
import sys
garbage = [bytearray(n % 3000) for n in range(int(sys.argv[1]))]
del garbage[:: 2 + int(sys.argv[1]) % 5]  # holes in memory, which the next objects fill
import numpy as np
import engine, scenes
tape = engine.Tape(engine.Simulator(scenes.load("hopper").model), 2)
tape.rollout(np.zeros((2, 1, 3)))
tape.backward(qpos=np.ones((3, 1, 6)))
"""


@pytest.mark.slow
def test_a_later_process_compiles_nothing(tmp_path):
    environment = {**os.environ, "TI_OFFLINE_CACHE_FILE_PATH": str(tmp_path)}
    kernels = []
    for objects in (0, 10_000, 123_456, 777_777):
        subprocess.run([sys.executable, "-c", GRADIENT, str(objects)], env=environment, check=True, timeout=600)
        kernels.append(sorted(p.name for p in tmp_path.glob("*.tic")))
    assert len(kernels[0]) == 2  # the rollout and its reverse
    assert kernels == kernels[:1] * 4
    # LLVM makes vectors of no loop over the dofs of a body or a chain (COMPILER.md), at most of one over all dofs
    code = [(tmp_path / name).read_bytes() for name in kernels[0]]
    assert all(b"stage" in text for text in code)
    assert sum(len(re.findall(rb"^vector\.body\d*:", text, re.MULTILINE)) for text in code) <= 1
