"""The reference of the public names as pages of HTML, from their docstrings (extra `docs`).

    python -m tests.papers.reference site             # the folder that is written
"""

import importlib
import importlib.util
import sys
from pathlib import Path

MODULES = ("pullback", "engine.objectives", "engine.replay", "engine.view", "engine.distributed", "engine.population",
           "engine.quantities", "engine.state", "controllers", "controllers.optimize", "scenes")  # fmt: skip
BEHIND_EXTRAS = {"torch": "engine.torch", "jax": "engine.jax", "gymnasium": "engine.rl"}


def modules():
    """What is documented here: parts whose extra is not installed are left out."""
    return [*MODULES, *(module for package, module in BEHIND_EXTRAS.items() if importlib.util.find_spec(package))]


def names_of(module):
    """{name: thing} of the public names of a module, without those whose extra is not installed."""
    found = {}
    for name in getattr(module, "__all__", [name for name in dir(module) if name[0] != "_"]):
        try:
            found[name] = getattr(module, name)
        except ImportError:  # engine.rl has adapters for packages of others
            continue
    return found


def write(folder):
    """Write the pages; returns the names of the modules. Raises ImportError, which names the extra, without pdoc."""
    try:
        import pdoc
    except ImportError:
        raise ImportError('the reference needs pdoc: pip install "pullback[docs]"') from None
    pdoc.render.configure(docformat="restructuredtext", show_source=False)
    found = modules()
    for module in map(importlib.import_module, found):  # pdoc sees names that are there, not those made when asked for
        vars(module).update(names_of(module))
    listed = {module: module.__all__ for module in map(sys.modules.get, found) if hasattr(module, "__all__")}
    try:
        for module in listed:  # or pdoc asks for those whose extra is missing
            module.__all__ = list(names_of(module))
        pdoc.pdoc(*found, output_directory=Path(folder))
    finally:
        for module, names in listed.items():
            module.__all__ = names
    return found


if __name__ == "__main__":
    print(", ".join(write(sys.argv[1])), "in", sys.argv[1])
