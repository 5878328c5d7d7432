"""`pullback board`: every task with every method that applies, in one table; a killed board goes on where it was."""

from pathlib import Path

from engine.commands.common import DONE, INTERRUPTED, NOT_REACHED, Output, positive, seed


def add(commands):
    o = commands.add_parser("board", help="all tasks with all methods from fixed seeds: solved, seconds, steps")
    o.add_argument("--tasks", nargs="+", default=None, help="default: all")
    methods = "of lqr, ilqr, mpc, lbfgs, gradient, windows, random; default: all"
    o.add_argument("--methods", nargs="+", default=None, help=methods)
    o.add_argument("--budget", type=float, default=100.0, help="seconds of a cell at most (default 100)")
    o.add_argument("--seed", type=seed, default=0)
    o.add_argument("--out", type=Path, default=Path("runs/board"), help="folder (default runs/board)")
    o.add_argument("--json", action="store_true", help="one JSON object a line")
    o.set_defaults(run=run)


def run(args):
    """Exit code 0 when every task that was asked for is solved by a gradient method, else 1."""
    import scenes
    from controllers.board import Board

    positive(args, "budget")
    out = Output(args.json)
    board = Board(args.out, scenes.load, args.tasks, args.methods, args.budget, args.seed, out)
    try:
        rows = board.run()
    except KeyboardInterrupt:
        out.say(f"\ninterrupted; the same command goes on in {board.folder}")
        return INTERRUPTED
    unsolved = board.unsolved(rows)
    out.say(f"table: {board.folder / 'table.md'}, plot: {board.folder / 'board.png'}")
    out.say(f"not solved by any gradient method: {', '.join(unsolved) or 'none'}")
    return NOT_REACHED if unsolved else DONE
