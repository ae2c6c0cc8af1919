"""Follows the flag file and the journal: in a thread once calls begin, and when asked before that."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping

from fastcore.dispatch.flagfile import FlagFile
from fastcore.dispatch.formatting import meant
from fastcore.dispatch.server_journal import server_journal
from fastcore.dispatch.store import HOT_PATHS, FlagStore
from fastcore.dispatch.ticker import Ticker

__all__ = ["Sync", "journal_path"]

_PREFIX = "FASTCORE_"
VARIABLES = (
    *(path.upper() for path in HOT_PATHS),
    *("BACKEND", "FLAGS_FILE", "JOURNAL", "FILE_MODE", "ADMIN_TOKEN", "PUBLIC", "ALLOWED_HOSTS"),
    *("METRICS_DIR", "BASELINE_FILE", "ISA", "NO_EXTENSIONS", "REQUIRE_EXTENSIONS"),
)

_log = logging.getLogger("fastcore.flags")


def journal_path(environ: Mapping[str, str]) -> str:
    """Where the journal is: ``FASTCORE_JOURNAL``, else next to the flag file, else that of a server with workers.

    The empty string where there is none but in memory.
    """
    given = environ.get("FASTCORE_JOURNAL", "").strip()
    flags_file = environ.get("FASTCORE_FLAGS_FILE", "").strip()
    if given or not flags_file:
        return given or server_journal()
    return os.path.splitext(flags_file)[0] + ".journal.jsonl"


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """Report variables whose names resemble one of fastcore's."""
    found = []
    for name in environ:
        word = name.removeprefix(_PREFIX)
        if word != name and word not in VARIABLES and (close := meant(word, VARIABLES, _PREFIX)):
            found.append(f"{name}: no such variable{close}")
    return found


class Sync:
    """Keeps the flags of a process in step with what the processes of the host share.

    A process that forks, such as a server that loads its application first, should have no threads by then: ours is
    started by the first call of a Switch or the first object made, and again in a child that is forked later.
    """

    def __init__(
        self, store: FlagStore, ticker: Ticker, file: FlagFile, environ: Mapping[str, str] | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._declared = 0  # names that the state file was given
        self._store = store
        self._ticker = ticker
        self._file = file
        self._said = self._said_of_provider = ""
        self._looked = 0.0
        self.waiting = bool(file.path or store.journal.path)  # there is something to follow, and no thread yet

    def begin(self) -> None:
        """Follow in a thread from now on."""
        if self.waiting:
            self.waiting = False
            self._ticker.add(self.look)
            self.look()
            self._ticker.start()

    def look(self, strict: bool = False) -> None:
        """Read changes. Those that cannot be applied are logged once, or with `strict` raised."""
        self._looked = time.monotonic()
        try:
            if self._file.path and self._file.read(hasty=strict):
                try:
                    self._store.outside("file", self._file.lines)
                finally:
                    self._file.applied()
            self._said = ""
        except ValueError as error:
            if strict:
                raise
            if str(error) != self._said:
                self._said = str(error)
                _log.error("the flag file is not applied: %s", error)
        self._store.follow_journal()
        if not self.waiting and self._store.journal.path and len(self._store.names()) != self._declared:
            names = self._store.names()
            self._declared = len(names)
            self._store.journal.declare(names)

    def first_look(self) -> None:
        """Read both before anything runs. If the file cannot be read, no candidate is enabled.

        So a worker that starts again while somebody is editing the file serves, with the pure twins and the controls.
        """
        try:
            self.look(strict=True)
        except ValueError as error:
            self._said = str(error)
            _log.error("the flag file is not applied, and what it may switch off stays off: %s", error)
            self._store.distrust(self._file.problem)
            self._store.follow_journal()

    def problems(self) -> list[str]:
        """Return the problems of the flag file, the environment and the journal; usually none."""
        wrong = [self._file.problem] if self._file.problem else list(self._store.wrong.values())
        wrong += [self._file.missing] if self._file.missing else []
        known = self._store.names()
        for name in self._file.lines:
            if name not in known:
                wrong.append(f"{self._file.path}: {name}: no such flag is declared{meant(name, known)}")
        return [*wrong, *misspelt(self._environ), *self._store.journal.problems()]

    def in_file(self) -> list[str]:
        """Return the names of the flags that the file has."""
        return list(self._file.lines)

    def look_sometimes(self) -> None:
        """Read what has changed, at most a few times a second, while no thread does."""
        if self.waiting and time.monotonic() - self._looked > self._ticker.interval:
            self.look()

    def provided(self, settings: Mapping[str, str]) -> None:
        """Apply the modes of an outside provider; those that cannot be applied are logged."""
        try:
            self._store.outside("provider", {name: (mode, "") for name, mode in settings.items()})
            self._said_of_provider = ""
        except ValueError as error:
            if str(error) != self._said_of_provider:  # not once an interval
                self._said_of_provider = str(error)
                _log.error("the flag provider is not applied: %s", error)
