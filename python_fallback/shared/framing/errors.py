"""Errors of unpacking, which both twins raise."""

from __future__ import annotations

import msgpack

__all__ = ["ExtraData", "Incomplete"]


class ExtraData(msgpack.ExtraData):  # type: ignore[misc]
    r"""More than one message; `unpacked` is the first and `extra` the rest.

    Examples
    --------
    >>> from fastcore.framing import ExtraData, packb, unpackb
    >>> try:
    ...     unpackb(packb(1) + packb(2))
    ... except ExtraData as error:
    ...     error.unpacked, error.extra
    (1, b'\x02')
    """

    def __str__(self) -> str:
        return f"data: expected one message, got {len(self.extra)} more bytes after it"


class Incomplete(ValueError):
    """The message ends too early; `position` is where the item begins that lacks `missing` bytes.

    Examples
    --------
    >>> from fastcore.framing import Incomplete, packb, unpackb
    >>> try:
    ...     unpackb(packb("AAPL")[:-1])
    ... except Incomplete as error:
    ...     error.missing
    1
    """

    def __init__(self, position: int, missing: int) -> None:
        super().__init__(f"data: expected a whole message, got one that lacks {missing} bytes at byte {position}")
        self.position, self.missing = position, missing


# Where they are public: pickles name that place and outlive this one.
for _public in (ExtraData, Incomplete):
    _public.__module__ = "fastcore.framing"
