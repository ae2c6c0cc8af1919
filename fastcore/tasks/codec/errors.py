"""The errors of encoding and decoding."""

from __future__ import annotations

from fastcore.tasks.errors import TaskError

__all__ = ["CodecError", "TooLarge", "Unserializable"]


class CodecError(TaskError, ValueError):
    """A stored message cannot be read: damaged, of another format, or not what it claims to be."""


class TooLarge(TaskError, ValueError):
    """An argument or a result is beyond the limit; which one, its size and the limit are in the text."""


class Unserializable(TaskError, TypeError):
    """An argument or a result has a type that the format does not have."""
