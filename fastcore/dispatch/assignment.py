"""Which arm a key belongs to while a flag ramps: the same one in every process and on both twins."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator
from contextvars import ContextVar

from fastcore import _ext

__all__ = ["Key", "assigned", "assignment_key", "belongs", "bucket"]

Key = Hashable

assignment_key: ContextVar[Key | None] = ContextVar("fastcore_assignment_key", default=None)


@contextlib.contextmanager
def assigned(key: Key | None) -> Iterator[None]:
    """Make `key` the assignment key of every call in the ``with`` block, in this thread or task.

    Parameters
    ----------
    key : hashable
        A symbol, a connection, a user; None means that each call draws. A str, bytes or int, or another value that has
        one text in every process: float, Decimal, UUID, date, Enum, numpy numbers, a tuple of these.

    Raises
    ------
    TypeError
        If `key` is of another type.

    Examples
    --------
    >>> from fastcore import Switch, assigned, flags
    >>> price = Switch("assigned_price", control=lambda: "old", candidate=lambda: "new")
    >>> flags.set("assigned_price", "ramp:50").mode
    'ramp:50'
    >>> with assigned("AAPL"):
    ...     len({price() for _ in range(100)})       # one symbol always gets the same arm
    1
    """
    token = assignment_key.set(plain(key))
    try:
        yield
    finally:
        assignment_key.reset(token)


def plain(key: Key | None) -> str | bytes | int | None:
    """Return `key` as what is hashed: itself, or the text that stands for it."""
    if key is None or isinstance(key, (str, bytes, int)):
        return key
    from python_fallback.shared.assignment_key import plain_key

    return plain_key(key)


def bucket(salt: str, key: Key) -> int:
    """Return ``murmur3_32(salt + ":" + key)``, in 0..2**32-1.

    Raises
    ------
    TypeError
        If `salt` is not a str, or `key` has no text that is the same in every process.
    """
    if not isinstance(salt, str):
        raise TypeError(f"salt: expected a str, got {type(salt).__name__}")
    found: int = _ext.pick("switch").bucket(salt, key)
    return found


def belongs(salt: str, threshold: int, key: Key | None = None) -> bool:
    """Say whether `key`, or else the context's key, or else a draw, falls below `threshold` of 2**32."""
    if key is None:
        key = assignment_key.get()
    found: bool = _ext.pick("switch").belongs(salt, threshold, key)
    return found
