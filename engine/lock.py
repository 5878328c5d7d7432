"""The lock of a run folder: one run at a time writes there, and who comes second learns who was first.

The kernel holds the lock on the file `run.lock` (flock; on Windows locking) and lets go of it when its process ends, in
whatever way: a lock that was left behind stops nobody. The file says who holds it, for messages. A file system without
such locks gets the next best: the file names the holder, and the next one looks whether that process still lives.
"""

import errno
import json
import os
import socket
import time
import weakref
from datetime import datetime
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

NAME = "run.lock"
_FAR = 1 << 30  # the byte that Windows locks, which nobody can then read
_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}
_UNKNOWN = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, getattr(errno, "ENOTSUP", errno.EOPNOTSUPP)}
_PATIENCE = 1.0  # seconds in which a holder says its name
_held = weakref.WeakSet()


class FolderInUseError(OSError):
    """Another run holds the folder. Attributes: folder, and of the holder host, pid, since (text); None: unknown."""

    def __init__(self, message, folder, host=None, pid=None, since=None):
        super().__init__(message)
        self.folder, self.host, self.pid, self.since = folder, host, pid, since

    def __reduce__(self):  # so that another process' error arrives
        return type(self), (str(self), self.folder, self.host, self.pid, self.since), self.__dict__


class FolderLock:
    """Holds a folder, which must exist, until `release()`, the end of a `with`, of the object, or of the process.

    Raises FolderInUseError, at once, where another process, thread or object holds it. A forked child does not hold it.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.path = self.folder / NAME
        self._box = [self._acquired()]  # the open file; shared with the finalizer
        _held.add(self)
        self._let_go = weakref.finalize(self, _release, self._box, str(self.path))

    def release(self):
        """Let another process have the folder."""
        self._let_go()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()

    def _acquired(self):
        end, named = time.monotonic() + _PATIENCE, {}
        while True:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                got = _lock(fd)
                if (got or got is None and not _lives(_read(self.path))) and _is(fd, self.path):
                    if _signed(fd, self.path, certain=bool(got)):
                        return fd
                elif not got:
                    named = _read(self.path)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)
            if _lives(named) or time.monotonic() > end:
                raise _in_use(self.folder, named if _lives(named) else {}, got is not None)
            time.sleep(0.01)  # it was just let go, or taken by one that has not signed yet


def _in_use(folder, holder, certain):
    """The error that names who holds a folder. certain: whether the kernel says so."""
    host, pid, since = (holder.get(name) for name in ("host", "pid", "since"))
    who = "another process"
    if holder:
        here = host == socket.gethostname() and pid == os.getpid()
        who = f"{'this process' if here else 'process'} {pid} on {host}, since {since}"
    gone = "" if certain else f" (if it is gone, remove {NAME} there)"
    message = f"{folder} is in use by {who}; end that run first, or choose another folder{gone}"
    return FolderInUseError(message, folder, host, pid, since)


def _lock(fd):
    """Take the kernel's lock: True; False: somebody has it; None: there are no locks on this file system."""
    try:
        if fcntl:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            os.lseek(fd, _FAR, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
    except OSError as e:
        if e.errno in _TAKEN or e.errno in _UNKNOWN:
            return False if e.errno in _TAKEN else None
        raise
    return True


def _is(fd, path):
    """Whether the open file still is the one of this name: the holder before removes it."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False


def _signed(fd, path, certain):
    """Write who holds it. Without a kernel's lock the last one to sign has it."""
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    text = json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": since}).encode()
    os.lseek(fd, 0, os.SEEK_SET)
    os.ftruncate(fd, 0)
    os.write(fd, text)
    if certain:
        return True
    time.sleep(0.2)
    return path.read_bytes() == text


def _read(path):
    """Who has signed; {}: nobody, or somebody is just writing."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return holder if isinstance(holder.get("pid"), int) else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _lives(holder):
    """Whether the process that signed may still run; one of another machine may."""
    if not holder or holder.get("host") != socket.gethostname() or os.name == "nt":
        return bool(holder)
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def _release(box, path):
    fd, box[0] = box[0], None
    if fd is None:
        return
    if fcntl:
        _remove(path)  # while it is held: who waits sees that the name is another file's
        os.close(fd)
    else:
        os.close(fd)  # Windows removes no open file
        _remove(path)


def _remove(path):
    try:
        os.unlink(path)
    except OSError:  # somebody has removed it, or on Windows holds it by now
        pass


def _forget():
    """In a forked child: the lock is the parent's alone, which keeps it although the child closes its copy."""
    for lock in list(_held):
        fd, lock._box[0] = lock._box[0], None
        if fd is not None:
            os.close(fd)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
