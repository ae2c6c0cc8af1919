"""Colours of the command line: words of states, on a terminal only."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

__all__ = ["coloured", "painted"]

_RED, _GREEN, _YELLOW, _CYAN = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"
_END = "\x1b[0m"
_WORDS = {
    **dict.fromkeys(("compiled", "candidate", "succeeded", "promote", "faster", "alive"), _GREEN),
    **dict.fromkeys(("python", "control", "queued", "cancelled", "pause", "slower"), _YELLOW),
    **dict.fromkeys(("unavailable", "failed", "dead", "rollback", "guard"), _RED),
    **dict.fromkeys(("running", "canary"), _CYAN),
}
_CELL = re.compile(rf"(?m)(?:(?<=  )|^)({'|'.join(_WORDS)})(?=  |$)")  # a cell of a table that is such a word


def coloured(stream: TextIO) -> bool:
    """Whether a stream gets colours: a terminal, unless ``NO_COLOR`` is set; with ``FORCE_COLOR`` any."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    if os.environ.get("TERM") == "dumb" or (os.name == "nt" and not os.environ.get("WT_SESSION")):
        return False
    return stream.isatty()


def painted(text: str, stream: TextIO | None = None) -> str:
    """Return a table with its states in colour, where the stream (standard output by default) gets colours."""
    if not coloured(sys.stdout if stream is None else stream):
        return text
    return _CELL.sub(lambda found: f"{_WORDS[found[1]]}{found[1]}{_END}", text)
