"""The commands of `pullback`, one file each: `add(commands)` declares the arguments, `run(args)` does it."""

from engine.commands import bench, board, check, compare, info, list, optimize, plot, view

COMMANDS = (optimize, board, view, plot, check, compare, bench, info, list)
