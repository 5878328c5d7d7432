"""The Taichi program that the engine's kernels live in, shared with the user's own use of Taichi in the same process.

Taichi has one program, one set of options and one set of functions for a whole process, and `ti.init` or `ti.reset`
ends the program that ran. The engine therefore

* compiles into the program that runs, whoever started it, and starts one only where there is none;
* puts its own options, its own runtime object and its own ways of tracing (`replace`) in Taichi's place only while it
  traces, compiles or launches for the first time (`entered`): a user's kernels never see them;
* keeps all that belongs to a program in a `Session`, so that another program begins with nothing, and everything is
  made again in it at the next launch, mostly from the cache on disk.

With tracing.py, stages.py and launch.py, one of the files that touch Taichi's internals.
"""

import contextlib
import copy
import ctypes
import hashlib
import linecache
import os
import sys
import threading
import time

import taichi as ti
from taichi._lib import core as ti_core
from taichi.lang import impl, kernel_impl
from taichi.lang.kernel_impl import Kernel

from engine.compiler.backend import PLAIN, cores, settings

# What decides the code of a kernel. Taichi's defaults hold for the engine but for those below.
_KEPT = (
    "arch", "offline_cache", "device_memory", "num_compile_threads", "print_", "verbose", "timeline", "vk_api_version",
    "use_llvm", "max_block_dim", "saturating_grid_dim", "cuda_stack_limit",
)  # fmt: skip

VERSION = (1, 7, 4)  # of Taichi, whose inside these files know
DEPTH = 3000  # calls of Python within each other that tracing may add: stages within stages take some 900

_lock = threading.RLock()
_replacements = []
_session = None
_started = None  # the program that the engine itself started
_inherited = ()  # in a child of os.fork: the parent's programs, whose threads are not there
_owner = None  # the thread that has entered
_leave = None  # what it calls to give everything back


def replace(owner, name, function):
    """Have `owner.name` be `function` while the engine is entered; not in plain mode."""
    if not PLAIN:
        _replacements.append((owner, name, function))


@contextlib.contextmanager
def defining():
    """While the engine's functions are defined: what Taichi's decorators ask of each, whether it stands in a class, is
    answered from the line alone. Taichi's own way goes through all modules that are loaded, three times for each of
    800 functions, a fifth of what a new process does in Python until its first gradient."""
    before, kernel_impl._inside_class = kernel_impl._inside_class, _inside_class
    try:
        yield
    finally:
        kernel_impl._inside_class = before


def _inside_class(level_of_class_stackframe):
    """Taichi's function of this name, of a frame's line that linecache has."""
    frame = sys._getframe(level_of_class_stackframe)
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno, frame.f_globals).strip()
    return any(pattern.match(line) for pattern in kernel_impl._KERNEL_CLASS_STACKFRAME_STMT_RES)


class Runtime(impl.PyTaichi):
    """Taichi's Python side of a program, as the engine uses it: with no fields, and the engine's number types."""

    def __init__(self, program):
        super().__init__()
        self.prog, self.config, self.materialized = program, program.config(), True
        self.compiled = {}  # {kernel: what it keeps in compiled_kernels}
        self.default_fp, self.default_ip, self.default_up = settings().real, ti.i32, ti.u32
        self.short_circuit_operators, self.print_full_traceback, self.unrolling_limit = True, False, 32

    def materialize(self):
        """Nothing: a user's fields are the user's to place."""


class Session:
    """What the engine has made in one program.

    compiled: kernels, made by launch.py. functions: stages, made by stages.py, which takes their Functions from
    `places`; `youngest` is the address of the last one taken. `real` are all functions that a call may find again.
    """

    def __init__(self, program):
        self.program, self.runtime, self.options = program, Runtime(program), _options(program)
        self.compiled, self.functions, self.real = {}, {}, []
        self.places, self.youngest = [], 0
        self.threads = set()

    def close(self):
        """Forget functions of a program that has ended; Taichi itself would call them in the next one."""
        for function in self.real:
            function.compiled, function.taichi_functions = None, {}


def session():
    """The session of the program that runs; starts a program where there is none.

    Raises RuntimeError where a program of the user's runs on something else than the engine.
    """
    global _session
    program = impl.pytaichi.prog
    if _session is not None and _session.program is program:
        return _session
    with _lock:
        _require_version(ti.__version__)
        program = impl.pytaichi.prog or _start()
        _require_arch(program)
        if _session is not None:
            _session.close()
        _session = Session(program)
        if program.get_snode_tree_size() == 0:  # a program without fields needs an empty tree before its first kernel
            with entered():
                ti.FieldsBuilder().finalize(raise_warning=False)
    return _session


def require_compiler():
    """Raise RuntimeError where compiling would wait for ever: a program's compiling threads do not survive a fork."""
    if not worker_threads() and session().program.config().num_compile_threads > 0:
        raise RuntimeError(
            "this process is a fork of one in which ti.init started a Taichi program, whose compiling threads are not "
            'here. Allowed: start processes with multiprocessing.get_context("spawn"), do the same before the fork, '
            "or call ti.init(..., num_compile_threads=0) there"
        )


@ti.kernel
def _nothing(number: ti.template()):
    _ = number


def ready_to_compile():
    """A program without threads of its own compiles in the calling one. LLVM decides for each thread, by what that
    compiles first, what its pointers are, and ends the process where a kernel of arrays made it decide otherwise than
    Taichi's own code. So another kernel comes first, a new one, because one that is cached is not compiled."""
    now = session()
    config, thread = now.program.config(), threading.get_ident()
    if config.num_compile_threads > 0 or thread in now.threads:
        return
    kept, config.offline_cache = config.offline_cache, False
    try:
        with adopted(_nothing._primal) as primal:
            traced = primal.compiled_kernels[primal.ensure_compiled(len(now.threads))]
        now.program.compile_kernel(config, now.program.get_device_caps(), traced)
    finally:
        config.offline_cache = kept
    now.threads.add(thread)


def cache_folder():
    """Where the engine keeps what it knows of its kernels, beside them."""
    return os.path.join(session().program.config().offline_cache_file_path, "pullback")


def first_time(what):
    """Has this machine, as far as its cache of kernels shows, not yet compiled this?"""
    folder = cache_folder()
    path = os.path.join(folder, hashlib.sha1(what.encode()).hexdigest())
    known = os.path.exists(path)
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        open(path, "a").close()
    return not known


def worker_threads():
    """Has this process the threads of its program? A child of os.fork has those of one that it starts itself."""
    return impl.pytaichi.prog not in _inherited


@contextlib.contextmanager
def entered():
    """The engine's options, runtime and ways of tracing in Taichi's place. Yields the session.

    Other threads that use Taichi meanwhile wait until it is given back: what they make and compile is theirs.
    """
    global _owner, _leave
    with _lock:
        now = session()
        if impl.pytaichi is now.runtime:
            yield now
            return
        users, config = impl.pytaichi, now.program.config()
        # a type of numbers is given out as a reference into the options
        options = {name: copy.deepcopy(getattr(config, name)) for name in now.options}
        functions = [(owner, name, vars(owner)[name]) for owner, name, _ in _replacements]
        limit = sys.getrecursionlimit()

        def leave():
            global _owner, _leave
            sys.setrecursionlimit(limit)
            for owner, name, function in functions:
                setattr(owner, name, function)
            _set(config, options)
            impl.pytaichi, _owner, _leave = users, None, None

        try:
            _owner, _leave = threading.get_ident(), leave
            sys.setrecursionlimit(limit + DEPTH)
            impl.pytaichi = now.runtime
            _set(config, now.options)
            for owner, name, function in _replacements:
                setattr(owner, name, function)
            yield now
        finally:
            leave()


@contextlib.contextmanager
def adopted(kernel):
    """A kernel (Taichi's object), whoever else uses it, in the engine's runtime for a while."""
    runtime, elsewhere = session().runtime, (kernel.runtime, kernel.compiled_kernels)
    kernel.runtime, kernel.compiled_kernels = runtime, runtime.compiled.setdefault(kernel, {})
    try:
        yield kernel
    finally:
        kernel.runtime, kernel.compiled_kernels = elsewhere


def _called(self, *args, **kwargs):
    """Kernel.__call__ while the engine is entered, of a user's function or Taichi's own."""
    if threading.get_ident() != _owner:
        with _lock:  # the engine has left
            return _call(self, *args, **kwargs)
    ready_to_compile()
    with adopted(self):
        return _call(self, *args, **kwargs)


def _runtime():
    """impl.get_runtime while the engine is entered, which only the thread that entered may know of."""
    if threading.get_ident() != _owner:
        with _lock:
            return impl.pytaichi
    return impl.pytaichi


def _inside_kernel():
    return _runtime().inside_kernel


_call = Kernel.__call__
_replacements += [
    (Kernel, "__call__", _called), (impl, "get_runtime", _runtime), (impl, "inside_kernel", _inside_kernel),
]  # fmt: skip


def _set(config, options):
    for name, value in options.items():
        setattr(config, name, value)


def _options(program):
    """Compile options of the engine's kernels, by name."""
    chosen, defaults, config = settings(), ti_core.CompileConfig(), program.config()
    names = [n for n in dir(config) if not n.startswith(("_", *_KEPT))]
    return {name: getattr(defaults, name) for name in names} | {
        "default_fp": chosen.real, "default_ip": ti.i32, "default_up": ti.u32,
        # With it on, compile time grows with the square of the kernel's size.
        "advanced_optimization": False,
        # On CUDA it means approximate division, roots and sines, and no subnormal numbers.
        "fast_math": chosen.arch == "cpu",
        "cpu_max_num_threads": chosen.threads,
        # Indices are checked on the host before a launch; checks in the kernel would triple its size.
        "debug": False,
        "check_out_of_bound": False,
        "offline_cache": True,
    }  # fmt: skip


def _require_version(found):
    if tuple(found) != VERSION:
        known, other = (".".join(map(str, v)) for v in (VERSION, found))
        raise RuntimeError(f"Taichi {other} is installed; the engine knows the inside of {known} only. "
                           f"Allowed: pip install taichi=={known}")  # fmt: skip


def _require_arch(program):
    wanted = {"cpu": ti_core.host_arch(), "cuda": ti.cuda}[settings().arch]
    runs = program.config().arch
    if runs != wanted:
        name = ti_core.arch_name(runs)
        raise RuntimeError(
            f"Taichi already runs in this process, on arch {name!r} (ti.init), where the engine's kernels for "
            f"{settings().arch!r} cannot live: a process has one Taichi program. Allowed: "
            f"ti.init(arch=ti.{settings().arch}), or ti.reset() once nothing of that program is needed any more"
        )


def _start():
    """Start a program: there is none, so nothing of anybody's is lost."""
    global _started
    _remove_stale_lock()
    chosen, before = settings(), _threads_of_process()
    # Taichi prints "Starting on arch" unconditionally.
    with contextlib.ExitStack() as stack:
        heard = sys.stderr if os.environ.get("PULLBACK_DEBUG") else stack.enter_context(open(os.devnull, "w"))
        stack.enter_context(contextlib.redirect_stdout(heard))
        ti.init(
            arch=ti.cpu if chosen.arch == "cpu" else ti.cuda,
            default_fp=chosen.real,
            cpu_max_num_threads=chosen.threads,
            offline_cache=True,
            # Kernels of one setting take some 45 MB, those with a user's controller the same again; beyond its limit of
            # 100 MB Taichi would drop the least used ones, and the next start would compile.
            offline_cache_max_size_of_files=2**30,
            # A kernel is one task or two, and threads that compile do not survive a fork.
            num_compile_threads=0,
        )
    if chosen.arch == "cpu" and chosen.threads == len(cores()):
        _give_cores(sorted(_threads_of_process() - before)[-chosen.threads :])
    _started = impl.pytaichi.prog
    return _started


def _threads_of_process():
    """The system's numbers of this process' threads; none where the system does not say."""
    with contextlib.suppress(OSError):
        return {int(number) for number in os.listdir("/proc/self/task")}
    return set()


def _give_cores(workers):
    """A core for each of Taichi's worker threads, which are the last that its start makes.

    A launch wakes them together, while the thread that launches is about to sleep. Linux then often puts two on one
    core and leaves them there for a time slice: measured, a step of 64 worlds took on two cores as long as on one.
    """
    if len(workers) == len(cores()):
        for thread, core in zip(workers, cores(), strict=True):
            with contextlib.suppress(OSError):
                os.sched_setaffinity(thread, {core})


def _remove_stale_lock():
    """Taichi guards its cache with a file that a killed process leaves behind; then nothing is ever cached again."""
    path = os.environ.get("TI_OFFLINE_CACHE_FILE_PATH") or os.path.expanduser("~/.cache/taichi/ticache")
    lock = os.path.join(path, "ticache.lock")
    # a living process holds it for a moment only
    with contextlib.suppress(OSError):
        if time.time() - os.path.getmtime(lock) > 60:
            os.remove(lock)


def _after_fork():
    """In a child: worlds are stepped by the thread that launches, and the parent's programs are never destroyed, since
    that waits for threads that are not there."""
    global _inherited, _lock, _session
    _lock = threading.RLock()
    if _leave and _owner != threading.get_ident():  # that thread is not here to finish what it was making
        _leave()
        _session.close()
        _session = None
    programs = {impl.pytaichi.prog, _session and _session.program} - {None, *_inherited}
    for program in programs:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(program))
    _inherited = (*_inherited, *programs)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
