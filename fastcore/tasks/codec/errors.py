"""The errors of encoding and decoding."""

from __future__ import annotations

from fastcore.tasks.errors import TaskError

__all__ = ["CodecError", "TooLarge", "Unserializable"]


class CodecError(TaskError, ValueError):
    """A stored message cannot be read: damaged, of another format, or not what it claims to be.

    Examples
    --------
    >>> from fastcore.tasks.codec import Codec, CodecError
    >>> try:
    ...     Codec().decode(b"not a message")
    ... except CodecError:
    ...     print("damaged")
    damaged
    """


class TooLarge(TaskError, ValueError):
    """An argument or a result is beyond the limit; which one, its size and the limit are in the text.

    Examples
    --------
    >>> from fastcore.tasks.codec import Codec, TooLarge
    >>> try:
    ...     Codec(max_bytes=1024).encode("x" * 2000)
    ... except TooLarge:
    ...     print("store it elsewhere, and pass its name")
    store it elsewhere, and pass its name
    """


class Unserializable(TaskError, TypeError):
    """An argument or a result has a type that the format does not have.

    Examples
    --------
    >>> from fastcore.tasks.codec import Codec, Unserializable
    >>> try:
    ...     Codec().encode(print)
    ... except Unserializable:
    ...     print("pass its name")
    pass its name
    """
