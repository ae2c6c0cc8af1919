"""The flags in force for every process of a host, in a separate file: the journal may be rotated or lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from fastcore.dispatch.private_files import replace_private

__all__ = ["KINDS", "SharedState", "checked", "guard_yields"]

KINDS = {"rollback": "rollback", "resume": "rollback", "set": "set", "clear": "set"}  # what of an entry replaces what


_TEXTS = ("when", "what", "flag", "why", "scope")
_MAPPINGS = ("old", "new", "evidence")


def checked(body: Any) -> dict[str, Any]:
    """Return the fields of an entry as a file has them.

    Raises
    ------
    KeyError, TypeError
        If it is no entry.
    """
    for names, kind in ((_TEXTS, str), (_MAPPINGS, dict)):
        for name in names:
            if not isinstance(body[name], kind):
                raise TypeError(f"{name}: expected a {kind.__name__}, got {type(body[name]).__name__}")
    found: dict[str, Any] = body
    return found


def guard_yields(who: str, before_what: str, before_who: str) -> bool:
    """Whether an entry yields to the one before it: a guard neither replaces nor ends a person's rollback."""
    return who == "guard" and before_what == "rollback" and before_who != "guard"


class SharedState:
    """The last rollback or resume, and the last setting or clearing, of each flag; and the names that are declared.

    Written in full, synced and moved into place; the writer holds the lock of the journal.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._entries: dict[tuple[str, str], dict[str, Any]] = {}
        self._declared: frozenset[str] = frozenset()

    def entries(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the entries by flag and kind.

        Raises
        ------
        OSError, ValueError
            If it cannot be read, or is not as described.
        """
        self._read()
        return self._entries

    def declared(self) -> frozenset[str]:
        """Return the names that processes have declared."""
        self._read()
        return self._declared

    def update(
        self, entries: Iterable[dict[str, Any]] = (), declared: Iterable[str] = (),
        lost: Callable[[], Iterable[dict[str, Any]]] = tuple,
    ) -> None:  # fmt: skip
        """Store entries and names; the lock of the journal is held.

        `lost` returns the entries to begin with where there is no file yet, or one that is not as described.
        """
        try:
            begun = self._read()
        except ValueError:
            begun = False
        kept = dict(self._entries)
        for entry in entries if begun else (*lost(), *entries):
            if entry["what"] in KINDS and entry["scope"] == "host":
                key = entry["flag"], KINDS[entry["what"]]
                before = kept.get(key)
                if before is None or not guard_yields(entry["who"], before["what"], before["who"]):
                    kept[key] = entry
        names = self._declared.union(declared)
        if not begun or kept != self._entries or names != self._declared:
            self._write(kept, names)

    def _read(self) -> bool:
        """Read the file; returns whether there is one. Two versions of a moment may look alike from outside."""
        try:
            with open(self.path, "rb") as file:
                body = json.loads(file.read())
        except FileNotFoundError:
            return False
        try:
            if not isinstance(body["entries"], list):
                raise TypeError("entries: expected a list")
            entries = {(entry["flag"], KINDS[entry["what"]]): entry for entry in map(checked, body["entries"])}
            declared = frozenset(map(str, body["declared"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected entries and declared names, {type(error).__name__}: {error}") from None
        self._entries, self._declared = entries, declared
        return True

    def _write(self, entries: dict[tuple[str, str], dict[str, Any]], declared: frozenset[str]) -> None:
        body = {"entries": list(entries.values()), "declared": sorted(declared)}
        replace_private(self.path, json.dumps(body, default=str).encode())
        self._entries, self._declared = entries, declared
