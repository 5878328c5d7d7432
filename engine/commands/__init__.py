"""The commands of `pullback`, one file each: `add(commands)` declares the arguments, `run(args)` does it."""

from engine.commands import bench, board, check, compare, identify, info, list, optimize, plot, train, view

COMMANDS = (optimize, train, identify, board, view, plot, check, compare, bench, info, list)
