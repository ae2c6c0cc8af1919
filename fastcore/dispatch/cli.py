"""``python -m fastcore flags``: read and set the flags of all processes that share the journal."""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable

from fastcore._command_line import DONE, WRONG, Refused, known_name, remark, whole
from fastcore.dispatch import flags, process
from fastcore.dispatch.colours import painted
from fastcore.dispatch.formatting import meant, table

__all__ = ["command"]

_NO_JOURNAL = "FASTCORE_JOURNAL or FASTCORE_FLAGS_FILE"


def command(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """Prepare ``python -m fastcore flags``."""
    actions = ("list", "set", "clear", "rollback", "resume", "journal")
    parser.add_argument("action", nargs="?", default="list", choices=actions, help="list by default")
    parser.add_argument("name", nargs="?", default="", help="the flag")
    parser.add_argument("mode", nargs="?", default="", help="for set: control, candidate, ramp:10, canary, ...")
    parser.add_argument("--reason", default="", help="kept with the flag and in the journal")
    parser.add_argument("--limit", type=whole, default=20, metavar="N", help="entries of the journal (20)")
    parser.add_argument("--declare", action="store_true", help="take a name that no process has declared yet")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")

    def run(options: argparse.Namespace) -> int:
        if options.mode and options.action != "set":
            parser.error(f"mode: only set takes one, got {options.action} {options.name} {options.mode}")
        if options.action == "set" and options.name and not options.mode:
            parser.error("mode: expected one, such as control, candidate or ramp:10")
        if options.action in ("set", "clear", "rollback", "resume"):
            _change(parser, options)
        if options.action == "journal":
            _print_journal(options)
        else:
            _print_flags(options)
        problems = flags.problems()
        for problem in problems:
            print(f"fastcore: {problem}", file=sys.stderr)
        return DONE if process.store.journal.usable else WRONG

    return run


def _known() -> set[str]:
    store = process.store
    return {*flags.snapshot(), *store.shared(), *store.journal.declared(), *process.sync.in_file()}


def _change(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    action, name = options.action, options.name
    if not name:
        parser.error(f"name: expected the flag to {action}")
    if not process.store.journal.path:
        raise ValueError(f"{_NO_JOURNAL}: expected one, for other processes to obey")
    known = _known()
    if name not in known and not options.declare:
        print(f"known flags: {', '.join(sorted(known))}")
        raise Refused(
            f"name: expected a flag that a process has declared, got {name!r}{meant(name, known)} "
            "(--declare takes another)"
        )
    flags.declare(name)
    who = f"cli:{_user()}"
    if action == "set":
        note = flags.not_acting(flags.set(name, options.mode, options.reason, everywhere=True, who=who))
        if note:
            print(f"{name}: {options.mode} {note}", file=sys.stderr)
    elif action == "clear":
        flags.clear(name, everywhere=True, who=who)
    elif action == "rollback":
        flags.rollback(name, options.reason or "by hand", who=who)
    else:
        flags.resume(name, who=who)


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # as in a container whose user has no name
        return "unknown"


def _print_journal(options: argparse.Namespace) -> None:
    name, path = options.name, process.store.journal.path
    entries = flags.journal(name, options.limit + 1)
    if name and not entries:
        known_name("name", name, _known(), "the flags that a process has declared")
    if not path:
        print(f"fastcore: {_NO_JOURNAL} is not set: only this process's own entries are known", file=sys.stderr)
    elif not os.path.exists(path):
        print(f"fastcore: {path}: no such file: no flag was changed, or the journal is another file", file=sys.stderr)
    more = len(entries) > options.limit
    entries = entries[-options.limit :]
    if options.json:
        print(json.dumps([entry._asdict() for entry in entries], indent=1))
    else:
        rows: list[tuple[str, ...]] = [("when", "pid", "who", "what", "flag", "from", "to", "why")]
        for e in entries:
            modes = e.old.get("mode", ""), e.new.get("mode", "")
            rows.append((e.when, str(e.pid), e.who, e.what, e.flag, *modes, e.why))
        print(painted(table(rows, numbers=0)))
    if more:
        total = len(flags.journal(name, sys.maxsize))
        remark(f"{len(entries):,} of {total:,} entries, the newest; --limit shows more", apart=options.json)


def _print_flags(options: argparse.Namespace) -> None:
    name = options.name
    for declared in process.store.shared():
        flags.declare(declared)
    found = {key: flag for key, flag in flags.snapshot().items() if not name or key == name}
    if name and not found:
        known = _known()
        if name in known:
            flags.declare(name)
            found = {name: flags.get(name)}
        known_name("name", name, known, "the flags that a process has declared")
    if options.json:
        print(json.dumps({k: {**f._asdict(), "since": f.since.isoformat()} for k, f in found.items()}, indent=1))
    else:
        rows: list[tuple[str, ...]] = [("flag", "mode", "source", "since", "reason")]
        rows += [(k, f.mode, f.source, f.since.isoformat(timespec="seconds"), f.reason) for k, f in found.items()]
        print(painted(table(rows, numbers=0)))
