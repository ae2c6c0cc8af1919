"""The words a flag may hold, parsed strictly."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from fastcore.dispatch.formatting import meant

__all__ = ["PATH_WORDS", "SERVICE_WORDS", "Mode", "parse"]

PATH_WORDS = ("auto", "compiled", "python")
SERVICE_WORDS = ("control", "candidate")

# What a flag of the other kind would hold in its place.
_ALIKE = {"candidate": "compiled", "compiled": "candidate", "python": "control", "control": "python"}
_NUMBER = re.compile(r"\d+(\.\d*)?|\.\d+", re.ASCII)


class Mode(NamedTuple):
    """A parsed mode: its word and a percentage.

    For ``ramp`` and ``canary`` that of the keys that get the candidate, for ``shadow`` that of the calls compared.
    """

    word: str
    percent: float = 0.0
    promoted: bool = False  # by the guard of a canary, which goes on watching

    def __str__(self) -> str:
        if self.word in ("ramp", "shadow") or (self.word == "canary" and self.percent):
            return f"{self.word}:{_short(self.percent)}"
        return self.word

    @property
    def threshold(self) -> int:
        """The number of hash values, out of 2**32, that belong to the candidate."""
        return math.ceil(self.percent / 100 * 2**32)


def parse(text: object, words: tuple[str, ...], where: str = "mode", trials: bool = True) -> Mode:
    """Parse `text`: one of `words`, ``ramp:P``, or with `trials` ``shadow:P``, ``canary`` or ``canary:P``; P in 0..100.

    `where` names it in errors.
    """
    expected = f"{where}: expected one of {', '.join(words)}, ramp:P with P in 0..100"
    if trials:
        expected += ", shadow:P, canary"
    if not isinstance(text, str):
        raise TypeError(f"{expected}, got {type(text).__name__}")
    word, colon, number = text.strip().lower().partition(":")
    if not colon and (word in words or (trials and word == "canary")):
        return Mode(word)
    with_number = ("ramp", "shadow", "canary") if trials else ("ramp",)
    if word in with_number and _NUMBER.fullmatch(number) and float(number) <= 100:
        return Mode(word, float(number))
    raise ValueError(f"{expected}, got {text!r}{_instead(word, number, words, with_number)}")


def _instead(word: str, number: str, words: tuple[str, ...], with_number: tuple[str, ...]) -> str:
    if word in with_number:
        return "" if number else f"; write {word}:10 for 10 percent"
    if _ALIKE.get(word) in words:
        return f"; did you mean {_ALIKE[word]}?"
    return meant(word, (*words, *with_number))


def _short(number: float) -> str:
    text = f"{number:g}"
    return text if float(text) == number and "e" not in text else f"{number!r}"
