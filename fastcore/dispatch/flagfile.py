"""The flag file: TOML that every process of a host follows."""

from __future__ import annotations

import os
import tomllib
from typing import NamedTuple

__all__ = ["FlagFile", "Line"]


class Line(NamedTuple):
    """What the file says of one flag."""

    mode: str
    reason: str


class FlagFile:
    """The file at `path`, read again when it has changed.

    ``name = "mode"``, or a table ``[name]`` with ``mode`` and ``reason``; both also below a table ``[flags]``. Write it
    elsewhere and move it into place, so that nobody reads half of it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.lines: dict[str, Line] = {}
        self._seen: tuple[int, int, int] | None = None

    def read(self) -> bool:
        """Read the file if it has changed; returns whether `lines` are new. A file that is not there has none.

        Raises
        ------
        ValueError
            If it is not as described; `lines` stay as they were, and the next change is tried again.
        """
        try:
            status = os.stat(self.path)
            seen = status.st_mtime_ns, status.st_size, status.st_ino
            if seen == self._seen:
                return False
            with open(self.path, "rb") as file:
                text = file.read()
        except FileNotFoundError:
            new = bool(self.lines)
            self._seen, self.lines = None, {}
            return new
        except OSError as error:
            raise ValueError(f"{self.path}: cannot be read: {error}") from None
        self._seen = seen
        self.lines = parsed(text, self.path)
        return True


def parsed(text: bytes, path: str) -> dict[str, Line]:
    try:
        body = tomllib.loads(text.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected TOML, {error}") from None
    inner = body.pop("flags", {})
    if not isinstance(inner, dict):
        raise ValueError(f"{path}: flags: expected a table, got {inner!r}")
    lines = {}
    for name, value in {**body, **inner}.items():
        given = {"mode": value} if isinstance(value, str) else value
        if not isinstance(given, dict) or not isinstance(given.get("mode"), str):
            raise ValueError(f'{path}: {name}: expected a mode in quotes, or a table with mode = "...", got {value!r}')
        unknown = set(given) - {"mode", "reason"}
        if unknown:
            raise ValueError(f"{path}: {name}: expected mode and reason, got {', '.join(sorted(unknown))}")
        lines[name] = Line(given["mode"], str(given.get("reason", "")))
    return lines
