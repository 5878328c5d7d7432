"""A Ray of this machine is for nobody else: what it listens at, and whom it answers."""

import ipaddress
import os
import subprocess
import sys
from pathlib import Path

import pytest

ray = pytest.importorskip("ray", reason='needs Ray: pip install "pullback[ray]"')

from engine.distributed import started_ray  # noqa: E402

PROC = Path("/proc")


@pytest.fixture(scope="module")
def running():
    ray.shutdown()
    before = dict(os.environ)
    yield started_ray(2), before
    ray.shutdown()


def descendants(pid):
    """Processes that this one started, and so on."""
    parents = {}
    for entry in PROC.iterdir():
        try:
            if entry.name.isdigit():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found, new = set(), {pid}
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in found} - found
    return found


def listening(pids):
    """Addresses at which these processes listen for TCP connections."""
    sockets = set()
    for pid in pids:
        try:
            sockets |= {os.readlink(fd) for fd in (PROC / str(pid) / "fd").iterdir()}
        except OSError:
            continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in (PROC / "net" / table).read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                digits = local.partition(":")[0]
                words = [bytes.fromhex(digits[i : i + 8])[::-1] for i in range(0, len(digits), 8)]
                found.append(ipaddress.ip_address(b"".join(words)))
    return found


@pytest.mark.skipif(not (PROC / "net" / "tcp").exists(), reason="this system has no /proc/net/tcp")
def test_it_listens_on_the_loopback_interface_alone(running):
    running[0].get(running[0].remote(lambda: 1).remote())  # a worker of its own listens, too
    found = listening(descendants(os.getpid()))
    found = [getattr(a, "ipv4_mapped", None) or a for a in found]
    assert len(found) >= 4 and all(a.is_loopback for a in found), found


def test_it_answers_who_has_the_token_alone(running):
    address = running[0].get_runtime_context().gcs_address
    code = f"import ray; ray.init(address='{address}', log_to_driver=False); print('in')"
    env = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    # the variable: or Ray would ask at this machine's other addresses, where nobody listens
    env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "in" not in done.stdout.split() and "InvalidAuthToken" in done.stderr


def test_it_leaves_the_users_settings(running):
    from ray._private import ray_constants

    name = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
    assert os.environ.get(name) == running[1].get(name)
    if sys.platform == "linux":
        assert ray_constants.ENABLE_RAY_CLUSTER


def test_a_ray_without_tokens_is_refused(monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setitem(sys.modules, "ray._private.authentication.authentication_utils", None)
    monkeypatch.setattr(ray, "init", lambda **_: pytest.fail("it was started"))
    with pytest.raises(ImportError, match="no token authentication; allowed: 2.52 or later"):
        started_ray(1)
