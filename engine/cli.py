"""The command line `pullback`; engine/commands/ has a file for each command."""

import argparse
import re
import sys

from engine.commands import COMMANDS
from engine.commands.common import BAD_INPUT, DIVERGED, EXIT_CODES, INTERRUPTED
from engine.errors import ContactOverflowError, DivergenceError
from engine.model import ModelError
from engine.version import __version__
from engine.words import meant

_CHOICE = re.compile(r"invalid choice: '(.*?)' \(choose from (.*)\)")


class Parser(argparse.ArgumentParser):
    """Says what a word that is none of those allowed may have meant."""

    def error(self, message):
        found = _CHOICE.search(message)
        near = meant(found[1], re.findall(r"[\w-]+", found[2])) if found else ""
        super().error(message + near)


def main(argv=None):
    """Run one command; returns its exit code (engine/commands/common.py)."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except KeyboardInterrupt:
        print("pullback: interrupted", file=sys.stderr)
        return INTERRUPTED
    except (DivergenceError, ContactOverflowError) as e:
        print(f"pullback: {e}", file=sys.stderr)
        return DIVERGED
    except (ModelError, ValueError, OSError, ImportError) as e:
        print(f"pullback: {e}", file=sys.stderr)
        return BAD_INPUT


def parser():
    p = Parser(prog="pullback", description="Differentiable rigid-body physics.", epilog=EXIT_CODES)
    p.add_argument("--version", action="version", version=f"pullback {__version__}")
    commands = p.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        command.add(commands)
    return p


if __name__ == "__main__":
    sys.exit(main())
