"""The blocks of the pages that need PyTorch, JAX or Stable-Baselines3, which CI installs for this folder's tests."""

import pytest

from tests.papers.test_pages import cases, readers, run  # noqa: F401


@pytest.mark.parametrize("block", cases(("README.md", "engine/TORCH_AND_JAX.md", "engine/rl/README.md")))
def test_block(block, readers):  # noqa: F811
    run(readers(block.page), block)
