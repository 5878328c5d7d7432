"""MuJoCo writes its warnings to a file where it runs."""

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run where such a file is thrown away."""
    monkeypatch.chdir(tmp_path)
