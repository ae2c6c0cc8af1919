"""Text from outside, on its way into records."""

from __future__ import annotations

__all__ = ["storable"]


def storable(text: str) -> str:
    r"""Return text that can be written as UTF-8: lone surrogates, as of undecodable file names, become ``\udce9``."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text
