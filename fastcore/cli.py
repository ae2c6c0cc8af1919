"""The command line, ``python -m fastcore``: its subcommands are defined by the parts that they belong to."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from fastcore._version import __version__

__all__ = ["COMMANDS", "Command", "main"]


class Command(NamedTuple):
    """A subcommand: the module and the function in it that is given a parser and returns what to run."""

    help: str
    module: str
    function: str = "command"


COMMANDS = {
    "flags": Command("read and set the flags of all processes that share the journal", "fastcore.dispatch.command"),
    "status": Command("say which twin of every hot path runs, and why", "fastcore.dispatch.status"),
    "tasks": Command("list, show, retry and watch the tasks of a database, or run a worker", "fastcore.tasks.cli"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code: 2 for a wrong option or setting."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(prog="fastcore", description="Compiled hot paths with pure-Python twins.")
    parser.add_argument("--version", action="version", version=f"fastcore {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="command", required=True)
    chosen = next((word for word in given if not word.startswith("-")), None)
    run = None
    try:
        for name, entry in COMMANDS.items():
            subparser = subparsers.add_parser(name, help=entry.help, description=f"{entry.help.capitalize()}.")
            if name == chosen:  # the others are not even imported
                run = getattr(importlib.import_module(entry.module), entry.function)(subparser)
        options = parser.parse_args(given)
        assert run is not None  # parse_args ends the program for any other command
        code: int = run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, ImportError) as error:  # an environment variable, an extension that is insisted on
        print(f"fastcore: {error}", file=sys.stderr)
        return 2
