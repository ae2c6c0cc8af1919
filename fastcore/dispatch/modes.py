"""The words a flag may hold, parsed strictly."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

__all__ = ["PATH_WORDS", "SERVICE_WORDS", "Mode", "parse"]

PATH_WORDS = ("auto", "compiled", "python")
SERVICE_WORDS = ("control", "candidate")

_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)
_LATER = ("shadow", "canary")


class Mode(NamedTuple):
    """A parsed mode: its word and, for ``ramp``, the percentage of keys that get the candidate."""

    word: str
    percent: float = 0.0

    def __str__(self) -> str:
        return f"ramp:{_short(self.percent)}" if self.word == "ramp" else self.word

    @property
    def threshold(self) -> int:
        """The number of hash values, out of 2**32, that belong to the candidate."""
        return math.ceil(self.percent / 100 * 2**32)


def parse(text: object, words: tuple[str, ...], where: str = "mode") -> Mode:
    """Parse `text`, which must be one of `words` or ``ramp:P`` with P in 0..100; `where` names it in errors."""
    expected = f"{where}: expected one of {', '.join(words)}, ramp:P with P in 0..100"
    if not isinstance(text, str):
        raise TypeError(f"{expected}, got {type(text).__name__}")
    word, colon, number = text.strip().lower().partition(":")
    if word in _LATER:
        raise ValueError(f"{where}: {text!r} is not available yet in this version; {expected.partition(': ')[2]}")
    if word in words and not colon:
        return Mode(word)
    if word == "ramp" and _NUMBER.fullmatch(number) and float(number) <= 100:
        return Mode("ramp", float(number))
    raise ValueError(f"{expected}, got {text!r}")


def _short(number: float) -> str:
    text = f"{number:g}"
    return text if float(text) == number and "e" not in text else f"{number!r}"
