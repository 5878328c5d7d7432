"""The commands of `pullback`, one file each: `add(commands)` declares the arguments, `run(args)` does it."""

from engine.commands import bench, board, check, info, optimize

COMMANDS = (optimize, board, check, bench, info)
