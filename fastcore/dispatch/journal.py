"""The journal: one line for every change of a flag, and what the processes of a host share."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from fastcore._filelock import locked
from fastcore._text import storable
from fastcore.dispatch.private_files import move_into_place, open_private, sync_folder, write_private
from fastcore.dispatch.shared_state import KINDS, SharedState, checked, guard_yields

__all__ = ["Entry", "Journal", "take_in"]

LIMIT = 8 << 20  # bytes, after which the file is rewritten with the entries in force
KEPT = 1000  # entries in memory, and of those that cannot be written
RECENT = 100  # entries in memory that the file has too: of use once it was removed
LAST = 256  # bytes by which a file is known again
TAIL = 64 << 10  # bytes at the end of the file that are read first for its newest entries
PATIENCE = 2.0  # seconds for the lock, which others hold for microseconds: a rollback waits no longer

_log = logging.getLogger("fastcore.journal")


class Entry(NamedTuple):
    """One change.

    Attributes
    ----------
    when : str
        UTC, ISO 8601.
    pid : int
    who : str
        ``operator`` for a call of ``flags``, ``guard``, ``breaker``, ``flag file``, or a name given to the admin API.
    what : str
        ``set``, ``clear``, ``rollback``, ``resume``, ``advance``, ``promote``, ``pause``, ``breaker``, ``probe``,
        ``change`` for what the file or the environment has changed; ``would ...`` in a dry run.
    flag : str
    old, new : dict
        ``mode``, ``source`` and ``reason`` before and after.
    why : str
    evidence : dict
        What the decision rests on.
    scope : str
        ``host`` where every process obeys, else ``process``; ``late`` where it could be written only after a newer one
        of another process, which holds.
    session : str
        Which process wrote it: unlike its pid never used again.

    Examples
    --------
    >>> from fastcore import flags
    >>> flag = flags.declare("entered")
    >>> flag = flags.set("entered", "candidate", reason="release 12", who="deploy")
    >>> entry = flags.journal("entered")[-1]
    >>> entry.who, entry.what, entry.why
    ('deploy', 'set', 'release 12')
    """

    when: str
    pid: int
    who: str
    what: str
    flag: str
    old: dict[str, str]
    new: dict[str, str]
    why: str
    evidence: dict[str, Any]
    scope: str
    session: str


class Journal:
    """Entries in memory and, with a `path`, as JSON lines in a file that all processes of the host append to.

    The journal raises no error to its caller: entries that cannot be written, as on a full disk, are kept and written
    later; `problems` reports them.
    """

    def __init__(self, path: str = "", clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self.session = secrets.token_hex(8)
        self._clock = clock
        self._lock = threading.RLock()
        self._recent: deque[Entry] = deque(maxlen=RECENT if path else KEPT)
        self._listeners: list[Callable[[Entry], object]] = []
        self._saving = threading.RLock()
        self._unsaved: deque[Entry] = deque(maxlen=KEPT)
        self._unkept: deque[Entry] = deque(maxlen=KEPT)  # those that the state file does not have yet
        # Those of both, by id, that have failed before: other processes may have made newer ones since.
        self._late: dict[int, Entry] = {}
        self._problems: dict[str, str] = {}
        self._torn = 0
        self._offset = 0
        self._identity: tuple[int, int] | None = None
        self._changed = 0
        self._last = b""  # the end of what was read
        self.state = SharedState(f"{path}.state" if path else "")
        self._state_read: list[Entry] = []  # what of it was returned by `news` without a journal
        self._state_seen = (0, 0, 0)  # the version of it that was compared with what was journaled
        self._told: dict[tuple[str, str], str] = {}  # when the newest entry of each kind was made that `news` returned
        self._tail: tuple[tuple[int, int, int, str], int, list[Entry]] | None = None  # what `entries` read last

    def after_fork(self) -> None:
        self._lock, self._saving = threading.RLock(), threading.RLock()
        self.session = secrets.token_hex(8)
        for parents in (self._unsaved, self._unkept, self._late):  # the parent's to write
            parents.clear()

    @property
    def lost(self) -> int:
        """Entries that are not in the file yet, because they could not be written."""
        return len(self._unsaved)

    @property
    def usable(self) -> bool:
        """Whether the last attempts to read and write the file succeeded."""
        return not {"read", "write"} & self._problems.keys()

    @property
    def behind(self) -> bool:
        """Whether :meth:`save` has something to do."""
        return bool(self._unsaved or self._unkept)

    def problems(self) -> list[str]:
        """Return the problems of the file; usually none."""
        found = list(self._problems.values())
        if self.lost:
            found.append(f"{self.path}: {self.lost} entries are not written yet: other processes do not know of them")
        if self._torn:
            found.append(f"{self.path}: {self._torn} lines are no entries, and were passed over")
        return found

    def write(
        self,
        who: str,
        what: str,
        flag: str,
        why: str = "",
        *,
        old: dict[str, str] | None = None,
        new: dict[str, str] | None = None,
        evidence: dict[str, Any] | None = None,
        shared: bool = False,
    ) -> Entry:
        """Append an entry, tell the listeners, and return it."""
        when = self._clock().isoformat(timespec="milliseconds")
        scope = "host" if shared else "process"
        entry = Entry(
            when,
            os.getpid(),
            storable(who),
            what,
            flag,
            old or {},
            new or {},
            storable(why),
            evidence or {},
            scope,
            self.session,
        )
        with self._lock:
            self._recent.append(entry)
            listeners = self._listeners
        if self.path:
            self._unsaved.append(entry)
            if shared:
                self._unkept.append(entry)
            self.save()
        for listener in listeners:
            try:
                listener(entry)
            except KeyboardInterrupt:
                raise
            except BaseException:
                _log.exception("a listener of the journal raised")
        return entry

    def save(self) -> None:
        """Write what could not be written before, and go on at the first entry that still cannot."""
        with self._saving:
            while self._unsaved:
                entry = self._unsaved.popleft()
                try:
                    self._append(entry)
                except Exception as error:
                    self._unsaved.appendleft(entry)
                    self._late = {id(entry): entry for entry in (*self._unsaved, *self._unkept)}
                    self._trouble("write", f"could not be written: {error}")
                    return
            self._trouble("write", "")
            if self._unkept:
                self.declare(())
            self._late = {id(entry): entry for entry in self._unkept}

    def _trouble(self, kind: str, text: str) -> None:
        """Record a problem, and log it once."""
        if not text:
            self._problems.pop(kind, None)
        elif self._problems.get(kind) != f"{self.path}: {text}":
            self._problems[kind] = f"{self.path}: {text}"
            _log.error("journal %s", self._problems[kind])

    def subscribe(self, listener: Callable[[Entry], object]) -> Callable[[], None]:
        """Call `listener` with every entry of this process; return a function that removes it."""
        with self._lock:
            self._listeners = [*self._listeners, listener]

        def stop() -> None:
            with self._lock:
                self._listeners = [known for known in self._listeners if known is not listener]

        return stop

    def entries(self, flag: str = "", limit: int = 100) -> list[Entry]:
        """Return the newest entries, of all processes where there is a file, the oldest first."""
        with self._lock:
            found: Iterable[Entry] = list(self._recent)
        if self.path:
            try:
                found = [*self._newest(flag, limit), *self._unsaved]
            except FileNotFoundError:
                pass
            except OSError as error:
                self._trouble("read", f"cannot be read: {error}")
        chosen = [entry for entry in found if not flag or entry.flag == flag]
        return chosen[-limit:] if limit > 0 else []

    def _newest(self, flag: str, limit: int) -> list[Entry]:
        """The last `limit` entries of the flag in the file; kept until it changes."""
        with open(self.path, "rb") as file:
            status = os.fstat(file.fileno())
            seen = status.st_ino, status.st_size, status.st_mtime_ns
            size = TAIL
            kept = self._tail
            if kept is not None and kept[0] == (*seen, flag) and kept[1] >= limit:
                return kept[2]
            while True:
                begin = max(0, status.st_size - size)
                file.seek(begin)
                data = file.read(status.st_size - begin)
                found = _last_of(data[data.find(b"\n") + 1 :] if begin else data, flag, limit)
                if not begin or len(found) >= limit:
                    break
                size *= 4
        self._tail = (*seen, flag), limit, found
        return found

    def news(self) -> tuple[bool, list[Entry]]:
        """Return whether the file was replaced, and the entries appended since the last call by any process.

        If it was replaced, the entries are all those in force.
        """
        if not self.path:
            return False, []
        try:
            status = os.stat(self.path)
            identity = status.st_dev, status.st_ino
            replaced = identity != self._identity or status.st_size < self._offset
            if not replaced and (status.st_size, status.st_mtime_ns) == (self._offset, self._changed):
                return False, self._only_in_state()
            with open(self.path, "rb") as file:
                opened = os.fstat(file.fileno())
                if not replaced:  # a truncated file may have grown past the offset
                    file.seek(self._offset - len(self._last))
                    replaced = not self._last or file.read(len(self._last)) != self._last
                if replaced:
                    self._offset, self._last = 0, b""
                    file.seek(0)
                data = file.read()
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self._trouble("read", f"cannot be read: {error}")
            kept = list(self._in_state().values())
            if kept == self._state_read:
                return False, []
            self._state_read = kept
            return True, kept
        self._trouble("read", "")
        self._state_read = []
        whole = data[: data.rfind(b"\n") + 1]  # an incomplete last line is read by the next call
        self._identity, self._changed = (opened.st_dev, opened.st_ino), opened.st_mtime_ns
        self._offset += len(whole)
        self._last = (self._last + whole)[-LAST:]
        entries, torn = _parsed(whole)
        self._torn = torn if replaced else self._torn + torn
        found = self._completed(entries) if replaced else entries
        self._tell(found)
        return replaced, found

    def _only_in_state(self) -> list[Entry]:
        """What other processes have kept and cannot journal, as in a file that belongs to another user."""
        try:
            status = os.stat(self.state.path)
            seen = status.st_ino, status.st_mtime_ns, status.st_size
            if self._state_seen == seen:
                return []
            kept = self._in_state()
            status = os.stat(self.path)
        except OSError:
            return []
        if (status.st_size, status.st_mtime_ns) != (self._offset, self._changed):
            return []  # an entry is journaled before it is kept: what was kept meanwhile is read there first
        self._state_seen = seen
        found = [entry for key, entry in kept.items() if entry.when > self._told.get(key, "")]
        self._tell(found)
        return found

    def _tell(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            if entry.scope == "host" and entry.what in KINDS:
                key = entry.flag, KINDS[entry.what]
                self._told[key] = max(entry.when, self._told.get(key, ""))

    def _completed(self, entries: list[Entry]) -> list[Entry]:
        """The entries in force, which a rotated journal may lack, and those of the journal that are not older."""
        kept = self._in_state()

        def older(entry: Entry) -> bool:
            known = kept.get((entry.flag, KINDS.get(entry.what, "")))
            if known is None or entry.scope != "host" or entry.when > known.when or entry == known:
                return False
            if entry.when == known.when and known.what != "rollback":  # of one millisecond no rollback is lost
                return entry.what != "rollback"
            return True

        return [*kept.values(), *(entry for entry in entries if not older(entry))]

    def _in_state(self) -> dict[tuple[str, str], Entry]:
        try:
            found = {key: _entry(body) for key, body in self.state.entries().items()}
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._trouble("state", f"its state file {self.state.path} cannot be read: {error}")
            return {}
        self._trouble("state", "")
        return found

    def declare(self, names: Iterable[str]) -> None:
        """Note the names of flags for those who set them from outside, such as the command line. Never raises."""
        try:
            with locked(f"{self.path}.lock", PATIENCE):
                self._keep(names)
        except OSError as error:
            self._trouble("kept", f"its state file {self.state.path} could not be written: {error}")

    def declared(self) -> frozenset[str]:
        """Return the names of flags that processes have noted."""
        try:
            return self.state.declared() if self.path else frozenset()
        except (OSError, ValueError):
            return frozenset()

    def _append(self, entry: Entry) -> None:
        with locked(f"{self.path}.lock", PATIENCE):
            line = _line(entry._replace(scope="late") if self._overtaken(entry) else entry)
            written = False
            try:
                with open_private(self.path, "ab") as file:
                    if file.tell() and not _ends_whole(self.path):
                        file.write(b"\n")  # a writer died in the middle of its line
                    file.write(line)
                    size = file.tell()
                written = True
            finally:
                if self._unkept:  # what cannot be journaled outlives the process too
                    self._keep(but=self._unsaved if written else ())
            if size > LIMIT:
                try:
                    self._rewrite()
                except OSError:  # on Windows while another process reads it: the next entry tries again
                    _log.warning("journal %s could not be rewritten", self.path, exc_info=True)

    def _keep(self, names: Iterable[str] = (), but: Iterable[Entry] = ()) -> None:
        """Note entries for all, and names, in the state file; the lock is held. What fails is tried again by `save`.

        Those of `but` are journaled first, since a reader would be given them twice.
        """
        later = set(map(id, tuple(but)))
        kept = [entry for entry in tuple(self._unkept) if id(entry) not in later]  # other threads append meanwhile
        try:
            news = [json.loads(_line(entry)) for entry in kept if not self._overtaken(entry)]
            self.state.update(news, names, self._in_force)
        except (OSError, ValueError) as error:
            self._trouble("kept", f"its state file {self.state.path} could not be written: {error}")
        else:
            for entry in kept:
                with contextlib.suppress(ValueError):  # one of too many
                    self._unkept.remove(entry)
            self._trouble("kept", "")
            self._trouble("state", "")

    def _overtaken(self, entry: Entry) -> bool:
        """Whether an entry that has failed before is older than what has been kept since; the lock is held."""
        if id(entry) not in self._late or entry.scope != "host":
            return False
        known = self._in_state().get((entry.flag, KINDS.get(entry.what, "")))
        return known is not None and entry.when < known.when

    def _in_force(self) -> list[dict[str, Any]]:
        """What a state file begins with: what the journal has, where it can be read."""
        try:
            with open(self.path, "rb") as file:
                found = in_force(_parsed(file.read())[0])
        except OSError:
            return []
        return [json.loads(_line(entry)) for entry in found]

    def _rewrite(self) -> None:
        """Move the file aside and begin with the entries that are in force; the lock is held."""
        with open(self.path, "rb") as file:
            kept = in_force(_parsed(file.read())[0])
        fresh = write_private(f"{self.path}.new", b"".join(map(_line, kept)))
        move_into_place(self.path, f"{self.path}.1")
        move_into_place(fresh, self.path)
        sync_folder(self.path)


def take_in(last: dict[str, Entry], entry: Entry) -> None:
    """Note in `last`, the entries of a flag by kind, one that every process is to obey."""
    kind = KINDS.get(entry.what)
    before = None if kind is None else last.get(kind)
    if kind is not None and (before is None or not guard_yields(entry.who, before.what, before.who)):
        last[kind] = entry


def in_force(entries: Iterable[Entry]) -> list[Entry]:
    """Return what of `entries` still holds for every process: the last rollback and the last setting of each flag."""
    last: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        if entry.scope == "host":
            take_in(last.setdefault(entry.flag, {}), entry)
    return [entry for kinds in last.values() for entry in kinds.values() if entry.what in ("rollback", "set")]


def _entry(body: Any) -> Entry:
    return Entry(**{field: checked(body)[field] for field in Entry._fields})


def _line(entry: Entry) -> bytes:
    body = json.dumps(entry._asdict(), separators=(",", ":"), default=str)
    return body.encode() + b"\n"


def _ends_whole(path: str) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _parsed(data: bytes) -> tuple[list[Entry], int]:
    """Return the entries of the lines, and the number of invalid lines, such as those cut short by a crash."""
    found, torn = [], 0
    for line in data.splitlines():
        try:
            found.append(_entry(json.loads(line)))
        except (ValueError, KeyError, TypeError, RecursionError):
            torn += bool(line.strip())
    return found, torn


def _last_of(data: bytes, flag: str, limit: int) -> list[Entry]:
    """Return the last `limit` entries of a flag, or of all, in the lines; no other entry outlives its line."""
    found: list[Entry] = []
    for line in reversed(data.splitlines()):
        if len(found) >= limit:
            break
        found += (entry for entry in _parsed(line)[0] if not flag or entry.flag == flag)
    return found[::-1]
