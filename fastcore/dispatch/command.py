"""``python -m fastcore flags``: read and set the flags of all processes that share the journal."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Callable

from fastcore.dispatch import flags
from fastcore.dispatch.text import meant, table

__all__ = ["command"]


def command(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """Prepare ``python -m fastcore flags``."""
    actions = ("list", "set", "clear", "rollback", "resume", "journal")
    parser.add_argument("action", nargs="?", default="list", choices=actions, help="list by default")
    parser.add_argument("name", nargs="?", default="", help="the flag")
    parser.add_argument("mode", nargs="?", default="", help="for set: control, candidate, ramp:10, canary, ...")
    parser.add_argument("--reason", default="", help="kept with the flag and in the journal")
    parser.add_argument("--limit", type=int, default=20, help="entries of the journal (20)")
    parser.add_argument("--declare", action="store_true", help="take a name that no process has declared yet")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return run


def _check_known(name: str, declare: bool) -> None:
    known = {*flags.snapshot(), *flags._store.shared(), *flags._store.journal.declared(), *flags._following.in_file()}
    if name not in known and not declare:
        print(f"known flags: {', '.join(sorted(known))}")
        raise ValueError(
            f"name: expected a flag that a process has declared, got {name!r}{meant(name, known)} "
            "(--declare takes it all the same)"
        )


def run(options: argparse.Namespace) -> int:
    action, name = options.action, options.name
    if action == "journal":
        entries = flags.journal(name, options.limit)
        if options.json:
            print(json.dumps([entry._asdict() for entry in entries], indent=1))
        else:
            rows: list[tuple[str, ...]] = [("when", "pid", "who", "what", "flag", "from", "to", "why")]
            for e in entries:
                modes = e.old.get("mode", ""), e.new.get("mode", "")
                rows.append((e.when, str(e.pid), e.who, e.what, e.flag, *modes, e.why))
            print(table(rows, numbers=0))
        return 0
    if action != "list":
        if not name:
            raise ValueError(f"name: expected the flag to {action}")
        if not flags._store.journal.path:
            raise ValueError("FASTCORE_JOURNAL or FASTCORE_FLAGS_FILE: expected one, for other processes to obey")
        _check_known(name, options.declare)
        flags.declare(name)
        who = f"cli:{getpass.getuser()}"
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
    for declared in flags._store.shared():
        flags.declare(declared)
    found = {key: flag for key, flag in flags.snapshot().items() if not name or key == name}
    if options.json:
        print(json.dumps({k: {**f._asdict(), "since": f.since.isoformat()} for k, f in found.items()}, indent=1))
    else:
        rows = [("flag", "mode", "source", "since", "reason")]
        rows += [(k, f.mode, f.source, f.since.isoformat(timespec="seconds"), f.reason) for k, f in found.items()]
        print(table(rows, numbers=0))
    return 0
