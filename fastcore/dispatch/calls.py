"""A call described in one line: its key and its arguments, each shortened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastcore.dispatch.assignment import assignment_key
from fastcore.dispatch.formatting import BRIEF, cut

__all__ = ["called_with"]

LONGEST = 200  # characters of all arguments


def called_with(
    describe: Callable[..., str] | Literal[False] | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str:
    """Return ``", called with (...), key ..."``; the empty string where `describe` is False."""
    if describe is False:
        return ""
    try:
        if describe is not None:
            return f", called with {cut(str(describe(*args, **kwargs)), LONGEST)}"
        given = [_argument(value) for value in args]
        given += [f"{name}={_argument(value)}" for name, value in kwargs.items()]
        key = assignment_key.get()
        return f", called with ({cut(', '.join(given), LONGEST)})" + ("" if key is None else f", key {BRIEF.repr(key)}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a caller's __repr__, or its `describe`
        return f", called with arguments of which {type(error).__name__} was raised"


def _argument(value: Any) -> str:
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):  # an array or a frame: writing one out takes milliseconds
        return f"<{type(value).__name__} {' x '.join(map(str, shape))}>"
    text = BRIEF.repr(value)
    return f"<{type(value).__name__}>" if " at 0x" in text else text
