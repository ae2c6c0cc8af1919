"""``python -m fastcore tasks``: what is in a database of tasks, and a worker for a queue."""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastcore._command_line import Refused, known_name, number, remark, whole
from fastcore.dispatch.colours import painted
from fastcore.dispatch.formatting import meant, plain
from fastcore.tasks import cli_text as text
from fastcore.tasks.errors import TaskError, UnknownTask
from fastcore.tasks.records import Cancelled, State, TaskView
from fastcore.tasks.stores.sqlite import reader
from fastcore.tasks.stores.sqlite.errors import told
from fastcore.tasks.stores.sqlite.location import parsed
from fastcore.tasks.stores.sqlite.owner_lock import is_alive
from fastcore.tasks.stores.sqlite.schema import connect_reader
from fastcore.tasks.stores.sqlite.store import SqliteStore

__all__ = ["command"]

_RETRIABLE = (State.DEAD, State.FAILED)
_GUESSED = 1000  # the newest tasks, among which a misspelt id is looked for
_RUNNING = 50  # shown by `watch`
_CLEAR = "\x1b[H\x1b[2J"


def command(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """Prepare ``python -m fastcore tasks``."""
    parser.add_argument("--db", metavar="FILE", help="the database, as in sqlite:///FILE; for all actions but run")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    actions = parser.add_subparsers(dest="action", metavar="action", required=True)

    listing = actions.add_parser("list", help="list tasks, the latest first")
    listing.add_argument("--state", action="append", choices=[state.value for state in State], help="may be repeated")
    listing.add_argument("--task", metavar="NAME", help="only tasks of this name")
    listing.add_argument("--limit", type=whole, default=20, metavar="N")
    showing = actions.add_parser("show", help="show all that is known of a task")
    showing.add_argument("id", metavar="ID", help="its id, or a beginning or an end that no other has")
    retrying = actions.add_parser(
        "retry", help="queue a dead or failed task again, whether or not a process is at work"
    )
    retrying.add_argument("id", metavar="ID", nargs="?")
    retrying.add_argument("--all-dead", action="store_true", help="instead of ID: all dead tasks")
    retrying.add_argument("--task", metavar="NAME", help="with --all-dead: only tasks of this name")
    actions.add_parser("stats", help="count tasks, and say who works on them")
    steering = [
        actions.add_parser("pause", help="have no worker begin tasks of a name until it is resumed"),
        actions.add_parser("resume", help="let the tasks of a name begin again"),
        actions.add_parser("purge", help="cancel all tasks of a name that wait"),
    ]
    for action in steering:
        action.add_argument("task", metavar="NAME", help="as `stats` lists it")
    watching = actions.add_parser("watch", help="show what runs, again and again")
    watching.add_argument("--interval", type=_interval, default=1.0, metavar="SECONDS")
    watching.add_argument("--times", type=whole, metavar="N", help="end after N looks")
    running = actions.add_parser("run", help="work on a queue's tasks until SIGTERM, which drains it first")
    running.add_argument("queue", metavar="MODULE:QUEUE", help="where the queue is, as in service.jobs:queue")
    for action in (listing, showing, retrying, watching, *steering, actions.choices["stats"]):
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON, for programs")
        action.add_argument("--db", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)

    def run(options: argparse.Namespace) -> int:
        if options.action != "run":
            if not options.db:
                parser.error("--db: expected the file of the database, as in sqlite:///FILE")
            if options.db.startswith("sqlite:///"):
                options.db, _ = parsed(options.db)
            if Path(options.db).is_dir():
                raise ValueError(f"{options.db}: expected a database of tasks, got a directory")
        actors = {"list": _list, "show": _show, "retry": _retry, "stats": _stats, "watch": _watch, "run": _run}
        actors |= dict.fromkeys(("pause", "resume", "purge"), _steer)
        try:
            return actors[options.action](options)
        except UnknownTask as error:
            raise Refused(str(error)) from error
        except TaskError as error:
            raise ValueError(str(error)) from error

    return run


# ---- actions ----


def _list(options: argparse.Namespace) -> int:
    states = None if options.state is None else [State(name) for name in options.state]
    with _reading(options.db) as connection:
        counts = reader.counts(connection)
        if options.task is not None:
            _check_task(options.task, counts, options.db)
        views = [view for view, _ in reader.find(connection, reader.Wanted(states, options.task, limit=options.limit))]
    if options.json:
        _print_json([text.as_dict(view) for view in views])
    else:
        print(painted("\n".join(text.rows(views, time.time(), _width()))))
    wanted = [its for kind, its in counts.items() if options.task in (None, kind)]
    total = sum(n for its in wanted for state, n in its.items() if states is None or state in states)
    _say_cut(len(views), total, options)
    return 0


def _show(options: argparse.Namespace) -> int:
    with _reading(options.db) as connection:
        view = _one(connection, options.id)
    if options.json:
        _print_json(text.as_dict(view, whole=True))
    else:
        print("\n".join(text.details(view, time.time())))
    return 0


def _retry(options: argparse.Namespace) -> int:
    if (options.id is None) != options.all_dead or (options.task is not None and not options.all_dead):
        raise ValueError("retry: expected either ID, or --all-dead with or without --task")
    view: TaskView | None = None
    with _reading(options.db) as connection:
        if options.id is not None:
            view = _one(connection, options.id)
        elif options.task is not None:
            _check_task(options.task, reader.counts(connection), options.db)
    if view is not None and view.state not in _RETRIABLE:
        raise Refused(f"{view.id}: expected a task that is dead or failed, got one that is {view.state}")
    store = SqliteStore(options.db)
    try:
        wanted = None if view is None else [view.id]
        retried = store.retry_dead(wanted, options.task, time.time()).result()
    finally:
        store.close()
    if options.json:
        _print_json({"retried": retried})
    else:
        print("\n".join(f"{id} is queued again" for id in retried) or "no task was dead")
    if view is not None and not retried:
        raise Refused(f"{view.id}: expected its unique key to be free, got another live task with it")
    return 0


def _steer(options: argparse.Namespace) -> int:
    kind: str = options.task
    with _reading(options.db) as connection:
        _check_task(kind, {*reader.counts(connection), *reader.paused(connection)}, options.db)
    store = SqliteStore(options.db)
    purged: list[Cancelled] = []
    changed = False
    try:
        if options.action == "purge":
            while part := store.purge(kind).result():
                purged += part
        else:
            changed = store.pause(kind, options.action == "pause").result()
    finally:
        store.close()
    if options.json:
        _print_json({"purged": [one.id for one in purged]} if options.action == "purge" else {"changed": changed})
    elif options.action == "purge":
        print(f"{kind}: {len(purged)} cancelled")
    else:
        word = "paused" if options.action == "pause" else "resumed"
        print(f"{kind} is {word}" if changed else f"{kind} was {word} already")
    return 0


def _stats(options: argparse.Namespace) -> int:
    with _reading(options.db) as connection:
        found = _statistics(connection, Path(options.db))
        counts = reader.counts(connection)
    if options.json:
        _print_json(found)
        return 0
    width = _width()
    print(painted("\n".join(text.counts_table(counts, width))))
    oldest = found["oldest_waiting_seconds"]
    print(f"\nlongest wait now: {'-' if oldest is None else text.age(oldest)}; file: {found['bytes'] / 1e6:.1f} MB")
    for owner in found["owners"]:
        print(f"owner {plain(owner['name'])}: {owner['running']} running, {'alive' if owner['alive'] else 'dead'}")
    if found["paused"]:
        print("paused: " + ", ".join(map(plain, found["paused"])))
    for one in found["schedules"]:
        print(f"schedule {plain(one['name'])}: next {text.age(time.time() - one['next_at'])}")
    return 0


def _watch(options: argparse.Namespace) -> int:
    terminal = sys.stdout.isatty() and not options.json
    looks = 0
    with _reading(options.db) as connection:
        while True:
            counts = reader.counts(connection)
            wanted = reader.Wanted([State.RUNNING], limit=_RUNNING)
            running = [view for view, _ in reader.find(connection, wanted)]
            if options.json:
                sums = {kind: {state.value: n for state, n in its.items()} for kind, its in counts.items()}
                _print_json(
                    {"at": time.time(), "counts": sums, "running": list(map(text.as_dict, running))}, indent=None
                )
            else:
                width = _width()
                lines = [*text.counts_table(counts, width), "", *text.rows(running, time.time(), width)]
                total = sum(its.get(State.RUNNING, 0) for its in counts.values())
                if total > len(running):
                    lines.append(f"{len(running):,} of {total:,} that run")
                print((_CLEAR if terminal else "") + painted("\n".join(lines)), end="\n" if terminal else "\n\n")
            sys.stdout.flush()
            looks += 1
            if looks == options.times:
                return 0
            time.sleep(options.interval)


def _run(options: argparse.Namespace) -> int:
    from fastcore.tasks.worker import work

    return work(options.queue)


# ---- parts ----


@contextmanager
def _reading(path: str) -> Iterator[sqlite3.Connection]:
    """Open the database for reading; an error of SQLite's says what it means."""
    try:
        connection = connect_reader(Path(path).absolute())
        try:
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise told(error, path) from error


def _one(connection: sqlite3.Connection, id: str) -> TaskView:
    try:
        return reader.get(connection, id)[0]
    except UnknownTask as error:
        if not id.isalnum():  # a pattern would match anything
            raise
        found = [
            one
            for (one,) in connection.execute(
                "SELECT id FROM task WHERE id LIKE ? || '%' OR id LIKE '%' || ? LIMIT 3", (id, id)
            )
        ]
        if not found:
            newest = [view.id for view, _ in reader.find(connection, reader.Wanted(limit=_GUESSED))]
            raise UnknownTask(f"{error}{meant(id, newest)}") from None
    if len(found) > 1:
        several = ", ".join(found[:2]) + (" and others" if len(found) > 2 else "")
        raise UnknownTask(f"id: expected the id of one task, got {id!r}, which fits {several}")
    return reader.get(connection, found[0])[0]


def _statistics(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    counts = reader.counts(connection)
    (oldest,) = connection.execute("SELECT min(submitted_at) FROM task WHERE state = 0").fetchone()
    owners = connection.execute(
        "SELECT owner, count(*) FROM task INDEXED BY task_running WHERE state = 2 GROUP BY owner"
    ).fetchall()
    files = [path, path.with_name(path.name + "-wal")]
    return {
        "counts": {kind: {state.value: n for state, n in its.items()} for kind, its in counts.items()},
        "oldest_waiting_seconds": None if oldest is None else time.time() - oldest,
        "bytes": sum(file.stat().st_size for file in files if file.exists()),
        "owners": [
            {"name": owner, "running": n, "alive": is_alive(path.resolve(), owner.partition(":")[0])}
            for owner, n in owners
        ],
        "paused": reader.paused(connection),
        "schedules": [one._asdict() for one in reader.schedules(connection)],
    }


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _check_task(name: str, known: Iterable[str], db: str) -> None:
    known_name("task", name, known, f"the names of tasks in {db}")


def _say_cut(shown: int, total: int, options: argparse.Namespace) -> None:
    if shown < total and shown == options.limit:
        remark(f"{shown:,} of {total:,} tasks; --limit shows more", apart=options.json)


def _print_json(value: Any, indent: int | None = 1) -> None:
    print(json.dumps(value, indent=indent))


def _interval(word: str) -> float:
    found = number(word)
    if found >= 86400:
        raise argparse.ArgumentTypeError(f"expected seconds below a day, got {word}")
    return found
