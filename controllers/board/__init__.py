"""The board: every task with every method that applies, from fixed seeds, in one table. `pullback board` runs it."""

from importlib import import_module

_HOME = {"Board": "board", "Recipe": "recipes", "RECIPES": "recipes", "run_cell": "cell"}
__all__ = list(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(import_module(f"controllers.board.{_HOME[name]}"), name)
    raise AttributeError(f"module 'controllers.board' has no attribute {name!r}; it has: {', '.join(__all__)}")
