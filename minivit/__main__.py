"""python -m minivit: train, test, look inside."""

import argparse
import difflib
import importlib
import os
import pkgutil
import sys

from . import cli
from .cli import describe
from .names import expect
from .processes import processes


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line."""

    def error(self, message):
        """Say what is wrong, and where help is."""
        self.exit(2, f"{self.prog}: {message} (help: {self.prog} --help)\n")


def build_parser():
    """The parser of all commands, and {name: parser} of each."""
    parser = Parser("python -m minivit", epilog="python -m minivit COMMAND --help tells more about a command.",
                    description="Vision transformers from scratch, on an autograd engine in NumPy.")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in pkgutil.iter_modules(cli.__path__, f"{cli.__name__}."):
        importlib.import_module(module.name).add_commands(subparsers)
    for command in [parser, *subparsers.choices.values()]:
        command.add_argument("--debug", action="store_true", default=argparse.SUPPRESS,
                             help="show where an error comes from")
    return parser, subparsers.choices


def parse(arguments):
    """The arguments as a namespace; a wrong name of a command or an option suggests the nearest right one."""
    parser, commands = build_parser()
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    if command is not None:
        expect("command", command, list(commands))
    args, unknown = parser.parse_known_args(arguments)
    if unknown:
        options = commands[command]._option_string_actions
        nearest = difflib.get_close_matches(unknown[0].partition("=")[0], options, n=1)
        commands[command].error(f"unknown argument {unknown[0]}" + (f"; did you mean {nearest[0]}?" if nearest else ""))
    return args


def main(arguments=None):
    """Run a command; returns the exit code: 0, 1 if training failed, 2 for a mistake, 130 after Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        args = parse(arguments)
        return args.run(args) or 0
    except KeyboardInterrupt as interrupt:
        return processes().end(str(interrupt) or "stopped", 130)
    except BrokenPipeError:  # whoever reads, as `head` does, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python's last flush finds no fault
        return 0
    except (ValueError, TypeError, OSError, RuntimeError, ArithmeticError, MemoryError) as error:
        if "--debug" in arguments:
            raise
        return processes().end(f"minivit: {describe(error)}", 1 if isinstance(error, ArithmeticError) else 2)


if __name__ == "__main__":
    sys.exit(main())
