"""The command line `pullback`; engine/commands/ has a file for each command."""

import argparse
import os
import re
import select
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

    def refuse(self, words):
        """End with what is no option or argument of a command."""
        near = "".join(meant(word.partition("=")[0], self._option_string_actions) for word in words[:1])
        self.error(f"unrecognized arguments: {' '.join(words)}{near}")


def main(argv=None):
    """Run one command; returns its exit code (engine/commands/common.py)."""
    p = parser()
    args, rest = p.parse_known_args(argv)
    if rest:
        p.commands[args.command].refuse(rest)
    try:
        return args.run(args)
    except BrokenPipeError as e:
        return _unread(e)
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
    commands = p.add_subparsers(required=True, metavar="command", dest="command")
    for command in COMMANDS:
        command.add(commands)
    p.commands = commands.choices
    return p


def _unread(error):
    """The exit code where whoever read the output, as `head`, wants no more of it."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    if output.poll(0):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the end of Python is quiet, too
        return INTERRUPTED
    print(f"pullback: {error}", file=sys.stderr)  # a pipe between processes
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
