"""The command line, ``python -m fastcore``: its subcommands are defined by the parts that they belong to.

Exit codes: 0 done; 1 what was named does not exist or is not in a state for it; 2 the command line, a setting or a file
cannot be used; 130 interrupted.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from typing import NamedTuple

from fastcore._command_line import EXIT_CODES, Parser, guarded
from fastcore._version import __version__

__all__ = ["COMMANDS", "Command", "main"]


class Command(NamedTuple):
    """A subcommand: the module and the function in it that is given a parser and returns what to run."""

    help: str
    module: str
    function: str = "command"


COMMANDS = {
    "bench": Command("measure the hot paths here, compared with what you would pick instead", "fastcore.bench"),
    "demo": Command("serve a small market-data service with the dashboard, under load", "fastcore.service.demo"),
    "flags": Command("read and set the flags of all processes that share the journal", "fastcore.dispatch.cli"),
    "status": Command("say which twin of every hot path runs, and why", "fastcore.dispatch.status"),
    "tasks": Command("list, show, retry and watch the tasks of a database, or run a worker", "fastcore.tasks.cli"),
}


_quiet = logging.NullHandler()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code, or exits with 2 for a wrong command line."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    logging.getLogger("fastcore").addHandler(_quiet)  # errors are printed once, by the command
    return guarded(lambda: _run(given))


def _run(given: list[str]) -> int:
    parser = Parser(prog="fastcore", description="Compiled hot paths with pure-Python twins.", epilog=EXIT_CODES)
    parser.add_argument("--version", action="version", version=f"fastcore {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="command", required=True)
    chosen = next((word for word in given if not word.startswith("-")), None)
    run = None
    for name, entry in COMMANDS.items():
        subparser = subparsers.add_parser(
            name, help=entry.help, description=f"{entry.help.capitalize()}.", epilog=EXIT_CODES
        )
        if name == chosen:  # the others are not even imported
            run = getattr(importlib.import_module(entry.module), entry.function)(subparser)
    options = parser.parse_args(given)
    assert run is not None  # parse_args ends the program for any other command
    code: int = run(options)
    return code
