"""The commands of `pullback`, one file each: `add(commands)` declares the arguments, `run(args)` does it."""

from engine.commands import bench, board, check, info, optimize, plot, view

COMMANDS = (optimize, board, view, plot, check, bench, info)
