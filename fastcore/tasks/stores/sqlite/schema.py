"""The tables, how an older file becomes one of today, and how connections are opened."""

from __future__ import annotations

import os
import sqlite3
import sys
import warnings
from pathlib import Path
from typing import Final

from fastcore.dispatch.private_files import make_private
from fastcore.tasks.errors import StoreError

__all__ = ["APPLICATION", "MIGRATIONS", "connect", "connect_reader", "migrate"]

APPLICATION: Final = 0x66637431  # "fct1", in the header of every file of ours

_OLDEST: Final = (3, 35, 0)  # RETURNING

if (3, 12) <= sys.version_info < (3, 12, 4):  # these take numbered placeholders for named ones, and warn by mistake
    warnings.filterwarnings("ignore", r"Binding \d+ \('\?\d+'\) is a named parameter", DeprecationWarning)

# States are numbers, so that partial indexes stay small: no index that a claim reads has finished tasks.
_FIRST = """
CREATE TABLE task (
    seq INTEGER PRIMARY KEY,        -- first in, first out among equals
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state INTEGER NOT NULL,         -- 0 ready 1 delayed 2 running 3 succeeded 4 failed 5 cancelled 6 dead 7 expired
    priority REAL NOT NULL,
    rank REAL NOT NULL,
    run_at REAL NOT NULL,
    submitted_at REAL NOT NULL,
    attempts INTEGER NOT NULL,
    timeout REAL,
    result_ttl REAL NOT NULL,
    unique_key TEXT,
    idempotency_key TEXT,
    fingerprint TEXT,
    grp TEXT,
    idx INTEGER NOT NULL,
    collects TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    token INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    lease REAL,
    cancel INTEGER NOT NULL DEFAULT 0,
    started_at REAL,
    finished_at REAL,
    prune_at REAL,                  -- of the ended: when the result is dropped; of a tombstone: when it is forgotten
    progress REAL,
    note TEXT NOT NULL DEFAULT '',
    reports INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    payload BLOB,
    result BLOB
);
CREATE INDEX task_ready ON task (kind, rank, seq) WHERE state = 0;
CREATE INDEX task_delayed ON task (run_at) WHERE state = 1;
CREATE INDEX task_running ON task (cancel) WHERE state = 2;  -- without owners: each would be written into it
CREATE INDEX task_prune ON task (prune_at) WHERE state >= 3;
CREATE INDEX task_failure ON task (state, id) WHERE state IN (4, 5, 6);
CREATE INDEX task_member ON task (grp, idx) WHERE grp IS NOT NULL;
CREATE UNIQUE INDEX task_unique ON task (unique_key) WHERE unique_key IS NOT NULL AND state <= 2;
CREATE UNIQUE INDEX task_idempotent ON task (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE TABLE tally (kind TEXT NOT NULL, state INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (kind, state))
    WITHOUT ROWID;
CREATE TABLE grp (id TEXT PRIMARY KEY, remaining INTEGER NOT NULL, callback TEXT, payload BLOB) WITHOUT ROWID;
CREATE TABLE schedule (name TEXT PRIMARY KEY, definition TEXT NOT NULL, next_at REAL NOT NULL, last_at REAL)
    WITHOUT ROWID;
"""

# A task whose key another holds is in state -1, which no claim reads.
_SECOND = """
ALTER TABLE task ADD COLUMN serial_key TEXT;
CREATE INDEX task_serial ON task (serial_key, state, rank, seq) WHERE serial_key IS NOT NULL AND state <= 2;
CREATE TABLE paused (kind TEXT PRIMARY KEY) WITHOUT ROWID;
"""

# Groups are kept for as long as their tasks are known; some members are tasks that another submission had stored.
_THIRD = """
ALTER TABLE task ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grp ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grp ADD COLUMN open INTEGER NOT NULL DEFAULT 1;
ALTER TABLE grp ADD COLUMN then_id TEXT;
ALTER TABLE grp ADD COLUMN submitted_at REAL NOT NULL DEFAULT 0;
ALTER TABLE grp ADD COLUMN cancel INTEGER NOT NULL DEFAULT 0;
ALTER TABLE grp ADD COLUMN error TEXT;
CREATE TABLE joined (grp TEXT NOT NULL, idx INTEGER NOT NULL, task TEXT NOT NULL, PRIMARY KEY (grp, idx))
    WITHOUT ROWID;
CREATE INDEX joined_task ON joined (task);
UPDATE grp SET
    size = (SELECT coalesce(max(idx) + 1, 0) FROM task WHERE task.grp = grp.id),
    submitted_at = (SELECT coalesce(min(submitted_at), 0) FROM task WHERE task.grp = grp.id),
    then_id = json_extract(callback, '$.id');
"""

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST, _SECOND, _THIRD)
"""The n-th brings a file of version n to version n + 1; a new file goes through all of them."""


def connect(path: Path, durability: str, timeout: float = 5.0) -> sqlite3.Connection:
    """Open for writing, by one thread at a time, and bring the file up to date."""
    if sqlite3.sqlite_version_info < _OLDEST:
        raise StoreError(
            f"{path}: expected SQLite 3.35 or later, got {sqlite3.sqlite_version}; use a newer Python build"
        )
    if path.exists() and not os.access(path, os.W_OK):  # SQLite would open it, and refuse the first submission
        raise StoreError(f"{path}: expected a file and a directory that can be written, got a file that cannot")
    make_private(str(path))  # the log and its index have the permissions of the database
    connection = sqlite3.connect(
        path, timeout=timeout, isolation_level=None, cached_statements=256, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA foreign_keys = OFF")
        _check_kind(connection, path)
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(f"{path}: expected a file system that allows a write-ahead log, got journal mode {mode!r}")
        connection.execute(f"PRAGMA synchronous = {synchronous(durability)}")
        if sys.platform == "darwin" and durability != "normal":  # fsync alone leaves it in the drive's cache there
            connection.execute("PRAGMA fullfsync = 1")
            connection.execute("PRAGMA checkpoint_fullfsync = 1")
        connection.execute("PRAGMA cache_size = -16384")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def synchronous(durability: str) -> str:
    """Return SQLite's word for how long a commit waits for the disk."""
    return "NORMAL" if durability == "normal" else "FULL"


def connect_reader(path: Path, timeout: float = 5.0, *, same_thread: bool = True) -> sqlite3.Connection:
    """Open an existing file for reading only; it neither waits for the writer nor hinders it."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a database of tasks, got no such file")
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, timeout=timeout, isolation_level=None, check_same_thread=same_thread
    )
    try:
        _check_kind(connection, path)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != len(MIGRATIONS):
            how = (
                "open it once with the queue, which brings it up to date"
                if version < len(MIGRATIONS)
                else "a later release of fastcore has written it: install that"
            )
            raise StoreError(f"{path}: expected schema version {len(MIGRATIONS)}, got {version}: {how}")
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(connection: sqlite3.Connection, path: Path, migrations: tuple[str, ...] | None = None) -> None:
    """Bring the file to the latest version, or refuse a later one."""
    scripts = MIGRATIONS if migrations is None else migrations
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == len(scripts):
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be at it
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(scripts):
            raise StoreError(
                f"{path}: expected schema version {len(scripts)} or earlier, got {version}: "
                "a later release of fastcore has written it: install that"
            )
        for script in scripts[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(scripts)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    # executescript would commit what is open: a migration that fails half-way must leave nothing.
    found: list[str] = []
    text = ""
    for line in script.splitlines(keepends=True):
        text += line
        if sqlite3.complete_statement(text):
            found.append(text.strip())
            text = ""
    if text.strip():
        found.append(text.strip())
    return found


def _check_kind(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application == APPLICATION:
        return
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 4")]
    if application or tables:
        named = ", ".join(tables) or "no tables"
        raise StoreError(f"{path}: expected a database of tasks or an empty file, got another program's ({named})")
