"""A compiled kernel as the function that it is in the end, of one argument, the address of its launch context.

At each launch Taichi copies the description of all parameters and looks every array up in tables: 0.4 us for an array
and more besides, of which nothing changes while the arrays stay. Where function and context lie within its objects is
read off the machine code of one build of it; that code is compared first. Where it is another, launches go Taichi's
own way.
"""

import ctypes
import sys

from taichi._lib import core as ti_core

from engine.compiler.backend import PLAIN

# Taichi's code between Program.launch_kernel and a kernel, as far as it says where things lie: (function, from which
# byte of it on, bytes). A "....", four bytes, is how far another address is from the next instruction.
CODE = (
    # program + 0x2b8: what implements it, handed to `launcher`
    ("launch", 0x0, "41574156534989d74889f34989fe488bbfb8020000e8....488b084889c74889de4c89faff11"),
    # that + 0x18: the launcher, whose functions 0, 3, 4 are `start`, `run`, `register`
    ("launcher", 0x0, "41565350488b5f184885db7544"),
    ("launcher", 0x51, "4889d84883c4085b415ec3"),
    ("start", 0x0, "554157415641554154534881ec880200004989d64889f34989ff488b064889f7ff501089c7e8....84c0744f"
                   "488d35....488d15....4889df31c9e8....4885c00f84e6000000498b0f4c89ff4889c6ff5120498b0f488b4918"
                   "4c89ff89c64c89f24881c4880200005b415c415d415e415f5dffe1"),
    # data + 0xc: whether it has a number, data + 0x8: the number
    ("register", 0x0, "554157415641554154534881ec280300004989f54989fc488b064889f7ff501089c7e8....84c00f84eb050000"
                      "41807d0c000f85c9040000"),
    ("register", 0x503, "418b4508"),
    # launcher + 0x18 to + 0x20: of each number 0x30 bytes, which `copy` copies
    ("run", 0x0, "554157415641554154534881ece80200004889d54863c6488b7718488b4f204829f148c1f90448baabaaaaaaaaaaaaaa"
                 "480fafd14839c20f86fe0900004889fb488d044048c1e0044801c6488dbc24d0000000e8...."),
    # which begin with the functions, each called with `context` of the launch context
    ("copy", 0x0, "41574156415453504989f64989ff4c8b66080f57c04c2b26"),
    ("copy", 0x5a, "498b364d8b66084929f4740b4889df4c89e2e8...."),
    ("run", 0x8f7, "488b9c24d00000004c8bbc24d80000004c39fb743d4c8b742468"),
    ("run", 0x920, "488b2b4c89f7e8....4889c7ffd5"),
    ("context", 0x0, "488b4710c3"),
)  # fmt: skip
SYMBOL = "_ZN6taichi4lang7Program13launch_kernelERKNS0_18CompiledKernelDataERNS0_20LaunchContextBuilderE"


def function_of(program, data, context):
    """A compiled kernel that has been launched with this context: a function of one argument, and that argument. It
    runs with the integers that are set in the context. None where Taichi alone can launch it.

    program, data, context: Taichi's Program, what its compile_kernel made, and a launch context.
    """
    if PLAIN or not sys.platform.startswith("linux"):
        return None
    first = _launch_kernel()
    if first is None:
        return None
    launcher = _known_launcher(first, _object(program))
    data = _object(data)
    if launcher is None or not ctypes.c_bool.from_address(data + 0xC).value:
        return None
    entry = _pointer(launcher + 0x18) + 0x30 * ctypes.c_int32.from_address(data + 0x8).value
    functions, end = _pointer(entry), _pointer(entry + 0x8)
    if end - functions != 8:  # several tasks
        return None
    # it keeps Python's global lock, as Taichi does
    call = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(_pointer(functions))
    return call, ctypes.c_void_p(_pointer(_object(context) + 0x10))


def _launch_kernel():
    """Where Program::launch_kernel begins, or None where it is unknown code."""
    try:
        function = getattr(ctypes.PyDLL(ti_core.__file__), SYMBOL)
    except (AttributeError, OSError):
        return None
    at = ctypes.cast(function, ctypes.c_void_p).value
    return at if _is_known("launch", at) else None


def _known_launcher(launch, program):
    """The launcher of a program, or None where code on the way to a kernel is unknown."""
    launcher = _target(launch, 0x15)
    if not _is_known("launcher", launcher):
        return None
    found = _pointer(_pointer(program + 0x2B8) + 0x18)
    functions = _pointer(found)
    start, run, register = (_pointer(functions + 8 * k) for k in (0, 3, 4))
    for name, at in (("start", start), ("run", run), ("register", register)):
        if not _is_known(name, at):
            return None
    copy, context = _target(run, 0x53), _target(run, 0x926)
    return found if _is_known("copy", copy) and _is_known("context", context) else None


def _is_known(name, at):
    """Is the code of the function at this address the one known by this name?"""
    for function, offset, code in CODE:
        if function == name:
            parts = code.split("....")
            for k, part in enumerate(parts):
                expected = bytes.fromhex(part)
                if ctypes.string_at(at + offset, len(expected)) != expected:
                    return False
                offset += len(expected) + 4 * (k < len(parts) - 1)
    return True


def _target(function, offset):
    """The function that is called by the instruction at this offset of another."""
    return function + offset + 5 + ctypes.c_int32.from_address(function + offset + 1).value


def _object(wrapped):
    """Where the C++ object of a pybind11 object lies: the pointer behind Python's own header."""
    return _pointer(id(wrapped) + object.__basicsize__)


def _pointer(at):
    return ctypes.c_void_p.from_address(at).value
