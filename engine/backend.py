"""Taichi, set up once per process: architecture, precision, threads and the compile options that the kernels need."""

import contextlib
import ctypes
import os
import sys
import time

# Taichi greets on import; any module of the engine may be the first to import it.
os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")

PRECISIONS = ("f32", "f64")
ARCHS = ("cpu", "cuda")

_settings = None


class Settings:
    """What `init` decided: `arch`, `precision`, `threads` and the Taichi scalar type `real`."""

    def __init__(self, arch, precision, threads, real):
        self.arch, self.precision, self.threads, self.real = arch, precision, threads, real

    def key(self):
        return self.arch, self.precision, self.threads


def init(arch="cpu", precision=None, threads=None):
    """Set the engine up; optional, the first use calls it with the defaults.

    arch: "cpu" or "cuda" (an NVIDIA GPU; with several, CUDA_VISIBLE_DEVICES chooses).
    precision: "f64" (default on the CPU) or "f32" (default on CUDA).
    threads: CPU threads for batches of worlds, default all cores.
    Raises ValueError for an unknown value and RuntimeError when the process already runs with other settings,
    because compiled kernels hold their precision, or when there is no GPU.
    """
    global _settings
    if arch not in ARCHS:
        raise ValueError(f"arch: got {arch!r}, allowed: {', '.join(ARCHS)}")
    precision = precision or ("f64" if arch == "cpu" else "f32")
    if precision not in PRECISIONS:
        raise ValueError(f"precision: got {precision!r}, allowed: {', '.join(PRECISIONS)}")
    cores = os.cpu_count() or 1
    threads = cores if threads is None else threads
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ValueError(f"threads: got {threads!r}, allowed: a whole number from 1")
    if _settings is not None:
        if _settings.key() != (arch, precision, threads):
            raise RuntimeError(
                f"engine.init: this process already runs with arch, precision, threads = {_settings.key()}; "
                f"asked for {(arch, precision, threads)}. Call engine.init before the first simulator."
            )
        return _settings
    if arch == "cuda" and not gpus():  # Taichi would fall back to the CPU
        raise RuntimeError('arch: got "cuda", but the driver of NVIDIA finds no GPU here; allowed: "cpu"')
    _settings = _start(arch, precision, threads)
    return _settings


def cuda_driver():
    """The C library of NVIDIA's driver. Raises OSError where there is none."""
    return ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")


def gpus():
    """How many NVIDIA GPUs there are."""
    count = ctypes.c_int(0)
    try:
        driver = cuda_driver()
    except OSError:
        return 0
    found = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
    return count.value if found else 0


def settings():
    """The settings in force; starts the engine with the defaults if nobody has."""
    return _settings or init()


def _start(arch, precision, threads):
    import taichi as ti

    from engine import tracing

    _remove_stale_lock()
    real = ti.f64 if precision == "f64" else ti.f32
    # Taichi prints "Starting on arch" unconditionally.
    with contextlib.redirect_stdout(sys.stderr if os.environ.get("PULLBACK_DEBUG") else open(os.devnull, "w")):
        ti.init(
            arch=ti.cpu if arch == "cpu" else ti.cuda,
            default_fp=real,
            # With it on, compile time grows with the square of the kernel's size.
            advanced_optimization=False,
            # On CUDA it means approximate division, roots and sines, and no subnormal numbers.
            fast_math=arch == "cpu",
            cpu_max_num_threads=threads,
            offline_cache=True,
            # Kernels of one setting take some 45 MB, those with a user's controller the same again; beyond its limit of
            # 100 MB Taichi would drop the least used ones, and the next start would compile.
            offline_cache_max_size_of_files=2**30,
            # Indices are checked on the host before a launch; checks in the kernel would triple its size.
            debug=False,
        )
    tracing.set_up()
    return Settings(arch, precision, threads, real)


def _remove_stale_lock():
    """Taichi guards its cache with a file that a killed process leaves behind; then nothing is ever cached again."""
    path = os.environ.get("TI_OFFLINE_CACHE_FILE_PATH") or os.path.expanduser("~/.cache/taichi/ticache")
    lock = os.path.join(path, "ticache.lock")
    # a living process holds it for a moment only
    with contextlib.suppress(OSError):
        if time.time() - os.path.getmtime(lock) > 60:
            os.remove(lock)
