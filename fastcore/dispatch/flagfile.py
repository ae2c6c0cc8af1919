"""The flag file: TOML that every process of a host follows."""

from __future__ import annotations

import os
import time
import tomllib
from typing import NamedTuple

__all__ = ["FlagFile", "Line"]


SETTLED = 0.2  # seconds


class Line(NamedTuple):
    """The entry of one flag in the file."""

    mode: str
    reason: str


class FlagFile:
    """The file at `path`, read again when it has changed.

    ``name = "mode"``, or a table ``[name]`` with ``mode`` and ``reason``; both also below a table ``[flags]``. Write it
    elsewhere and move it into place, so that no process reads half of it; a file written in place is read once it has
    been unchanged for a moment.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[str, Line] = {}
        self.problem = ""  # why its current contents are not applied
        self.missing = ""  # whether there is no file
        self._seen: tuple[int, int, int] | None = None
        self._read: tuple[int, int, int] | None = None  # of the lines
        self._gone = False

    def read(self, hasty: bool = False) -> bool:
        """Read the file if it has changed; returns whether `lines` are new.

        If the file was deleted, its last lines stay in force and `missing` is True, as if there never was a file.

        With `hasty` also one that may still be being written.

        Raises
        ------
        ValueError
            If it is not as described; `lines` stay as they were, and the next change is tried again.
        """
        try:
            with open(self.path, "rb") as file:
                status = os.fstat(file.fileno())
                seen = status.st_mtime_ns, status.st_size, status.st_ino
                if seen == self._seen:
                    self._gone, self.missing = False, ""
                    return False
                in_place = self._seen is not None and self._seen[2] == status.st_ino
                if in_place and not hasty and abs(time.time() - status.st_mtime) < SETTLED:
                    return False
                text = file.read()
        except FileNotFoundError:
            if self._seen is None or hasty or self._gone:  # else an editor may be about to move the new one into place
                held = "; its last settings stay in force" if self.lines else ""
                self.missing, self.problem = f"{self.path}: expected a file, found none{held}", ""
            self._gone = True
            return False
        except OSError as error:
            self.problem = f"{self.path}: cannot be read: {error}"
            raise ValueError(self.problem) from None
        self._gone, self.missing = False, ""
        try:
            self.lines = parsed(text, self.path)
        except ValueError as error:
            self._seen, self.problem = seen, str(error)
            raise
        self._read, self.problem = seen, ""
        return True

    def applied(self) -> None:
        """Note that the lines last read are in force; until then another thread that reads gets them too."""
        self._seen = self._read


def parsed(text: bytes, path: str) -> dict[str, Line]:
    try:
        body = tomllib.loads(text.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: expected TOML, {error}") from None
    inner = body.pop("flags", {})
    if not isinstance(inner, dict):
        raise ValueError(f"{path}: flags: expected a table, got {inner!r}")
    lines = {}
    for name, value in {**body, **inner}.items():
        given = {"mode": value} if isinstance(value, str) else value
        if not isinstance(given, dict) or not isinstance(given.get("mode"), str):
            dotted = f'; a name with a dot stands in quotes: "{name}.{next(iter(value))}"' if _is_nested(value) else ""
            raise ValueError(
                f'{path}: {name}: expected a mode in quotes, or a table with mode = "...", got {value!r}{dotted}'
            )
        unknown = set(given) - {"mode", "reason"}
        if unknown:
            raise ValueError(f"{path}: {name}: expected mode and reason, got {', '.join(sorted(unknown))}")
        lines[name] = Line(given["mode"], str(given.get("reason", "")))
    return lines


def _is_nested(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and "mode" not in value and "reason" not in value
