"""Shared by the command lines: unknown names get a suggestion, and errors are one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastcore.dispatch.formatting import meant, plain

__all__ = [
    "DONE",
    "EXIT_CODES",
    "INTERRUPTED",
    "REFUSED",
    "WRONG",
    "Parser",
    "Refused",
    "guarded",
    "known_name",
    "number",
    "remark",
    "whole",
]

DONE = 0
REFUSED = 1  # the named object does not exist or is in the wrong state
WRONG = 2  # the command line, a setting or a file cannot be used
INTERRUPTED = 130

EXIT_CODES = (
    "exit codes: 0 done; 1 what was named does not exist or is not in a state for it; 2 the command line, "
    "a setting or a file cannot be used; 130 interrupted"
)


class Refused(Exception):
    """The request cannot be carried out: the exit code is 1."""


class Parser(argparse.ArgumentParser):
    """A parser that accepts no abbreviations and suggests a similar name."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and refuse unknown arguments with the name and usage of the subcommand."""
        words = list(sys.argv[1:] if args is None else args)
        if not words and self._subparsers is not None:
            self.print_help(sys.stderr)  # what there is, and not only that something is missing
            self.exit(WRONG)
        self._check_options(words)
        found, left = super().parse_known_args(words, namespace)
        if left:
            self.error(f"unexpected arguments: {' '.join(left)}")
        return found, left

    def _check_options(self, words: Sequence[str]) -> None:
        """Refuse a misspelt option before reporting required ones as missing."""
        for word in words:
            name = word.partition("=")[0]
            if word == "--" or (self._subparsers is not None and not word.startswith("-")):
                return
            if name.startswith("--") and name not in self._option_string_actions:
                known = [one for one in self._option_string_actions if one.startswith("--")]
                self.error(f"unknown option {name}{meant(name, known) or '; known are ' + ', '.join(known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(one) for one in action.choices]
            text = f"expected one of {', '.join(known)}, got {value!r}{meant(str(value), known)}"
            raise argparse.ArgumentError(action, text)


def whole(text: str) -> int:
    """Return the int of at least 1 that `text` spells."""
    try:
        found = int(text)
    except ValueError:
        found = 0
    if found < 1:
        raise argparse.ArgumentTypeError(f"expected an int >= 1, got {text!r}")
    return found


def number(text: str) -> float:
    """Return the finite number above 0 that `text` spells."""
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return found


def known_name(what: str, name: str, known: Iterable[str], where: str) -> None:
    """Raise Refused unless `name` is one of the known; the text suggests one of them."""
    names = sorted(known)
    if name not in names:
        listed = f"; known are {', '.join(names)}" if 0 < len(names) <= 20 else ""
        raise Refused(f"{what}: expected one of {where}, got {name!r}{meant(name, names) or listed}")


def remark(text: str, *, apart: bool) -> None:
    """Print a remark below a list; `apart` from it, on standard error, where the list is for programs."""
    print(text, file=sys.stderr if apart else sys.stdout)


def guarded(run: Callable[[], int]) -> int:
    """Run a command and return its exit code; an error is one line on standard error.

    A reader that closes the pipe early, such as ``head``, is no error.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed: the next file opened would get its number
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        stream = getattr(sys, name)
        if hasattr(stream, "reconfigure"):  # a character that the terminal's encoding lacks must not end the command
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run()
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Refused as error:
        return _told(error, REFUSED)
    except (ValueError, OSError, ImportError) as error:
        return _told(error, WRONG)
    return code


def _told(error: BaseException, code: int) -> int:
    print("\n".join(map(plain, f"fastcore: {error}".splitlines())), file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:  # as on a full disk: Python would try once more at exit
        _discard_output()
    return code


def _discard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
