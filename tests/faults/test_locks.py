"""Two runs in one folder: the second learns who has it before it touches anything, and files are whole at all times."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import engine.lock
from engine.cli import main
from engine.files import remove_leftovers, replacing
from engine.lock import FolderInUseError, FolderLock

ROOT = Path(__file__).parents[2]
RUN = ["optimize", "pendulum", "--method", "random", "--worlds", "2", "--seconds", "0.1", "--out"]


def python(*arguments, **options):
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


def wait_for(path, process):
    end = time.monotonic() + 300
    while not path.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.005)
    assert path.exists()


def test_a_second_run_learns_who_has_the_folder_and_touches_nothing(tmp_path, capsys):
    """Two real processes; then the first is killed, and what it left behind stops nobody."""
    env = {**os.environ, "MPLBACKEND": "Agg"}
    first = python("-m", "engine.cli", *RUN, str(tmp_path), "--iterations", "100000", "--budget", "600", env=env)
    try:
        wait_for(tmp_path / "checkpoint.npz", first)
        for more in ([], ["--resume"]):
            assert main([*RUN, str(tmp_path), "--iterations", "2", *more]) == 2
            said = capsys.readouterr().err
            assert f"by process {first.pid} on {socket.gethostname()}, since 20" in said and said.count("\n") == 1
        for _ in range(50):  # the first one writes on, and at no moment is there half a file
            with np.load(tmp_path / "checkpoint.npz") as state:
                at = int(state["iteration"])
        assert at >= 1 and first.poll() is None
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
        first.stdout.close()
    with np.load(tmp_path / "checkpoint.npz") as state:
        done = int(state["iteration"])
    left = tmp_path / ".checkpoint.npz.1-aa.tmp"
    left.write_text("what a kill leaves")
    assert (tmp_path / "run.lock").exists()
    assert main([*RUN, str(tmp_path), "--iterations", str(done + 1), "--resume"]) == 0
    assert not (tmp_path / "run.lock").exists() and not left.exists()


STARTING = """
import sys, time
from engine.lock import FolderInUseError, FolderLock
print("ready", flush=True)
sys.stdin.readline()
try:
    lock = FolderLock(sys.argv[1])
    print("held", flush=True)
    sys.stdin.readline()
except FolderInUseError as e:
    print("in use by", e.pid, flush=True)
"""


def test_of_processes_that_start_at_one_moment_one_has_the_folder(tmp_path):
    processes = [python("-c", STARTING, str(tmp_path), stdin=subprocess.PIPE) for _ in range(3)]
    try:
        assert [p.stdout.readline() for p in processes] == ["ready\n"] * 3
        for p in processes:
            p.stdin.write("go\n")
            p.stdin.flush()
        said = [p.stdout.readline().strip() for p in processes]
        holder = processes[said.index("held")]
        assert sorted(said) == ["held", *[f"in use by {holder.pid}"] * 2]
    finally:
        for p in processes:
            p.communicate()
    FolderLock(tmp_path).release()


FORKING = """
import os, sys, time
from engine.lock import FolderLock
lock = FolderLock(sys.argv[1])
if os.fork() == 0:
    os.close(1)
    lock.release()  # the parent's alone
    time.sleep(60)
print(os.path.exists(sys.argv[1] + "/run.lock"), flush=True)
os._exit(1)  # a crash: nothing is cleaned up, and the child lives on
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_neither_holds_the_lock_nor_lets_it_go(tmp_path):
    process = python("-c", FORKING, str(tmp_path), start_new_session=True)
    try:
        assert process.communicate()[0] == "True\n" and process.returncode == 1
        FolderLock(tmp_path).release()
    finally:
        os.killpg(process.pid, signal.SIGKILL)


def test_one_process_meets_itself(tmp_path):
    """Another thread, another object; free again after an error, and when nobody has the object any more."""
    found = []

    def other():
        try:
            FolderLock(tmp_path)
        except FolderInUseError as e:
            found.append((e.pid, e.host, str(e)))

    with pytest.raises(ZeroDivisionError), FolderLock(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        raise ZeroDivisionError
    ((pid, host, text),) = found
    assert (pid, host) == (os.getpid(), socket.gethostname()) and f"in use by this process {pid}" in text
    lock = FolderLock(tmp_path)
    del lock
    FolderLock(tmp_path).release()
    assert list(tmp_path.iterdir()) == []


def test_searches_and_boards_hold_their_folders(tmp_path):
    import scenes
    from controllers.board import Board
    from controllers.optimize import Folder, Stop, run

    with FolderLock(tmp_path):
        for start in (
            lambda: Folder(tmp_path), lambda: run(None, tmp_path, Stop(iterations=1)),
            lambda: Board(tmp_path, scenes.load, ["reacher"], ["random"]).run(),
        ):  # fmt: skip
            with pytest.raises(FolderInUseError, match=f"this process {os.getpid()}"):
                start()
    with pytest.raises(TypeError, match="method: got NoneType"):  # no search; the folder is free again
        run(None, tmp_path, Stop(iterations=1))
    FolderLock(tmp_path).release()


def test_where_the_file_system_has_no_locks_the_name_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(engine.lock, "_lock", lambda fd: None)
    with FolderLock(tmp_path):
        with pytest.raises(FolderInUseError, match=f"this process {os.getpid()} .*remove run.lock"):
            FolderLock(tmp_path)
    process = python("-c", "")
    process.communicate()
    for host, free in ((socket.gethostname(), True), ("elsewhere", False)):  # whose process is dead; nobody can know
        (tmp_path / "run.lock").write_text(json.dumps({"host": host, "pid": process.pid, "since": "then"}))
        if free:
            FolderLock(tmp_path).release()
            continue
        with pytest.raises(FolderInUseError, match=f"process {process.pid} on elsewhere, since then"):
            FolderLock(tmp_path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path, "w") as one, replacing(path, "w") as other:  # two writers do not meet
        one.write("one")
        other.write("other")
    assert path.read_text() == "one"
    with pytest.raises(KeyboardInterrupt), replacing(path, "w") as f:
        f.write("half")
        raise KeyboardInterrupt
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    with replacing(link, "w") as f:
        f.write("through the link")
    assert link.is_symlink() and path.read_text() == "through the link" and path.stat().st_mode & 0o777 == 0o640
    (tmp_path / ".a.txt.7-ff.tmp").touch()
    remove_leftovers(path)
    assert sorted(tmp_path.iterdir()) == [path, link]
    with replacing(os.devnull) as f:
        f.write(b"nothing")
    assert not Path(os.devnull).is_file()
