"""A TOML file that remembers where its tables stand, so that errors can say it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["TomlFile"]


class TomlFile:
    """What a TOML file says, in `body`.

    Raises
    ------
    ValueError
        If it is not TOML; the text has the line and the column.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        text = Path(path).read_text(encoding="utf-8")
        try:
            self.body: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{self.path}: {error}") from None
        self._lines = text.splitlines()

    def tables(self, kind: str) -> list[Any]:
        """Return the ``[[kind]]`` tables."""
        found = self.body.get(kind, [])
        if not isinstance(found, list):
            raise ValueError(f"{self.path}: expected [[{kind}]] tables, got {kind} of type {type(found).__name__}")
        return found

    def where(self, kind: str, index: int, key: str = "") -> str:
        """Return ``path:line`` of a ``[[kind]]`` table or of one of its keys; the path alone where that is unclear."""
        header = re.compile(rf"\s*\[\[\s*[\"']?{re.escape(kind)}[\"']?\s*\]\]")
        starts = [number for number, line in enumerate(self._lines) if header.match(line)]
        if len(starts) != len(self.tables(kind)):  # inline tables, or text of several lines that looks like a header
            return self.path
        line = starts[index]
        if key:
            said = re.compile(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[.=]")
            end = starts[index + 1] if index + 1 < len(starts) else len(self._lines)
            line = next((number for number in range(line, end) if said.match(self._lines[number])), line)
        return f"{self.path}:{line + 1}"
