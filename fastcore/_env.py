"""Environment switches, parsed strictly: an unknown value is an error, and ``0`` means off."""

from __future__ import annotations

import os

_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"", "0", "false", "no", "off"})


def boolean(name: str) -> bool:
    """Return the switch `name` as a bool; unset and empty mean off.

    Raises
    ------
    ValueError
        If the variable holds anything but 1/true/yes/on or 0/false/no/off.
    """
    raw = os.environ.get(name, "")
    word = raw.strip().lower()
    if word in _ON:
        return True
    if word in _OFF:
        return False
    raise ValueError(f"{name}: expected one of 1, true, yes, on, 0, false, no, off, got {raw!r}")


def choice(name: str, allowed: tuple[str, ...]) -> str | None:
    """Return the value of `name`, which must be one of `allowed`; None when unset or empty."""
    raw = os.environ.get(name, "")
    word = raw.strip().lower()
    if not word:
        return None
    if word not in allowed:
        raise ValueError(f"{name}: expected one of {', '.join(allowed)}, got {raw!r}")
    return word


def names(name: str) -> list[str]:
    """Return the words of `name`, which are separated by commas; none when unset or empty."""
    return [word for part in os.environ.get(name, "").split(",") if (word := part.strip())]
