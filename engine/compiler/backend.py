"""What the engine runs on, decided once per process: architecture, precision, threads. session.py starts Taichi."""

import ctypes
import os
import warnings

import numpy as np

# Any module of the engine may be the first to import Taichi, which greets, and asks for a locale in a way that Python
# warns of.
os.environ.setdefault("ENABLE_TAICHI_HEADER_PRINT", "0")
warnings.filterwarnings("ignore", "'locale.getdefaultlocale'", DeprecationWarning, r"taichi\._lib\.utils")

PRECISIONS = ("f32", "f64")
ARCHS = ("cpu", "cuda")
FEATURES = ("robot", "all")
# Kernels as Taichi makes them, everything inlined: minutes of compiling, to see whether a fault is ours (inlined.py).
PLAIN = bool(os.environ.get("PULLBACK_PLAIN"))

_settings = None


class Settings:
    """What `init` decided: `arch`, `precision`, `threads`, `features`."""

    def __init__(self, arch, precision, threads, features):
        self.arch, self.precision, self.threads, self.features = arch, precision, threads, features
        self.dtype = np.float64 if precision == "f64" else np.float32

    def key(self):
        return self.arch, self.precision, self.threads, self.features

    @property
    def real(self):
        """Taichi's scalar type of real numbers."""
        import taichi as ti

        return ti.f64 if self.precision == "f64" else ti.f32


def init(
    arch: str = "cpu", precision: str | None = None, threads: int | None = None, features: str = "robot",
) -> Settings:  # fmt: skip
    """Decide what the engine runs on; optional, the first simulator decides for the defaults.

    arch: "cpu" or "cuda" (an NVIDIA GPU; with several, CUDA_VISIBLE_DEVICES chooses).
    precision: "f64" (default on the CPU) or "f32" (default on CUDA).
    threads: CPU threads for batches of worlds, default all cores that the process may use; these are then given a core
    each (Linux), any other number is left to the system.
    features: "robot" compiles for each robot what it needs (features.py), robots with the same needs sharing it; "all"
    compiles once for whatever may come, which suits a process with many robots.
    Raises ValueError for an unknown value and RuntimeError when the process already runs with other settings,
    because compiled kernels hold their precision, or when there is no GPU.
    """
    global _settings
    if arch not in ARCHS:
        raise ValueError(f"arch: got {arch!r}, allowed: {', '.join(ARCHS)}")
    precision = precision or ("f64" if arch == "cpu" else "f32")
    if precision not in PRECISIONS:
        raise ValueError(f"precision: got {precision!r}, allowed: {', '.join(PRECISIONS)}")
    threads = len(cores()) if threads is None else threads
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ValueError(f"threads: got {threads!r}, allowed: a whole number from 1")
    if features not in FEATURES:
        raise ValueError(f"features: got {features!r}, allowed: {', '.join(FEATURES)}")
    if _settings is not None:
        if _settings.key() != (arch, precision, threads, features):
            raise RuntimeError(
                f"engine.init: this process already runs with arch, precision, threads, features = {_settings.key()}; "
                f"asked for {(arch, precision, threads, features)}. Call engine.init before the first simulator."
            )
        return _settings
    if arch == "cuda" and not gpus():  # Taichi would fall back to the CPU
        raise RuntimeError('arch: got "cuda", but the driver of NVIDIA finds no GPU here; allowed: "cpu"')
    _settings = Settings(arch, precision, threads, features)
    return _settings


def cores():
    """The numbers of the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


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
    """The settings in force; the defaults, from now on, if nobody has called `init`."""
    return _settings or init()


def np_real():
    """NumPy's type of real numbers in the precision in force."""
    return settings().dtype
