"""Keys by content: of arrays, Series and DataFrames, and of arguments that hold them."""

from __future__ import annotations

from typing import Any

from fastcore.cache.keys.content import NoContent, digest_of
from fastcore.cache.libraries import library_of, record_state
from python_fallback.shared.cache.shape import Shape

__all__ = ["ContentKey", "arguments_key", "dataframe_key"]


class ContentKey:
    """128 bits that represent a value; equal for equal content of one kind.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcore.cache import dataframe_key
    >>> dataframe_key(np.arange(3.0)) == dataframe_key(np.array([0.0, 1.0, 2.0]))
    True
    """

    __slots__ = ("digest",)

    def __init__(self, digest: bytes) -> None:
        self.digest = digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ContentKey) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"ContentKey({self.digest.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return ContentKey, (self.digest,)


def dataframe_key(frame: Any) -> ContentKey:
    """Return a key for the content of a DataFrame, Series or array.

    Values, dtypes, shape, index, column names and their order count, as do the class and the attributes of a subclass
    (a mask, a unit); the memory layout, the object's identity and ``attrs`` do not. Objects in cells count by their
    values. The key is the same in every process and on both twins; another version of fastcore may give another. Two
    different contents get the same key with a probability of 2**-128 (xxHash3); the hash does not resist a deliberate
    search for such a pair.

    Parameters
    ----------
    frame : DataFrame, Series, Index or array of pandas, polars or numpy, or table or array of pyarrow

    Raises
    ------
    TypeError
        If `frame` is something else, or holds an object that has no content.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastcore.cache import dataframe_key
    >>> frame = pd.DataFrame({"close": [187.2, 187.3]})
    >>> dataframe_key(frame) == dataframe_key(frame.copy())
    True
    >>> dataframe_key(frame) == dataframe_key(frame.rename(columns={"close": "open"}))
    False
    """
    if not library_of(type(frame)):
        raise TypeError(f"frame: expected a DataFrame, a Series or an array, got {type(frame).__name__}")
    try:
        return ContentKey(digest_of(frame) or b"")
    except NoContent as error:
        raise TypeError(f"frame: {error}") from None
    except RecursionError:
        raise TypeError("frame: expected objects nested less deeply, got one that may hold itself") from None


_ANY = Shape()


def arguments_key(args: tuple[Any, ...], kwargs: dict[str, Any] | None, shape: Shape = _ANY) -> Any:
    """Return the key of a call: as `Shape.key` where everything can be hashed, by content where not.

    Raises
    ------
    TypeError
        If an argument can neither be hashed nor is made of what has content.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcore.cache.keys import arguments_key
    >>> arguments_key((np.arange(3.0),), {"period": 14}) == arguments_key((np.arange(3.0),), {"period": 14})
    True
    """
    try:
        return shape.key(args, kwargs, _argument)
    except _NoKey as error:
        given = [*enumerate(args, 1), *(kwargs or {}).items()]
        place = next((f"argument {name!r}: " for name, value in given if value is error.value), "")
        raise TypeError(f"{place}{error.text}") from None


class _NoKey(Exception):
    """An argument that is no part of a key, and why."""

    def __init__(self, value: Any, text: str) -> None:
        self.value = value
        self.text = text
        super().__init__(text)


def _argument(value: Any) -> Any:
    try:
        return _part(value)
    except NoContent as error:
        text = f"{error}; pass key= to say what counts"
    except _Unhashable as error:
        text = (
            "expected arguments that can be hashed, containers of them, arrays or DataFrames, "
            f"got {error}; pass key= to say what counts"
        )
    except RecursionError:
        text = f"expected values nested less deeply, got a {type(value).__name__} that may hold itself"
    raise _NoKey(value, text)


class _Unhashable(Exception):
    """The name of a type whose objects are no part of a key."""


def _part(value: Any) -> Any:
    """Return the representation of `value` in a key: itself if it can be hashed."""
    try:
        hash(value)
    except (TypeError, ValueError):  # a view of memory that can be written raises the latter
        pass
    else:
        return value
    kind = type(value)
    if isinstance(value, (tuple, list)):
        return (kind, *map(_part, value), *_attributes(value))
    if isinstance(value, dict):
        pairs = [(key, _part(item)) for key, item in value.items()]
        ordered = any(base.__name__ == "OrderedDict" for base in kind.__mro__)
        return (kind, tuple(pairs) if ordered else frozenset(pairs), *_attributes(value))
    if isinstance(value, (set, frozenset)):
        return (kind, frozenset(map(_part, value)), *_attributes(value))
    if isinstance(value, bytearray):
        return (kind, bytes(value))
    if isinstance(value, memoryview):
        return (kind, value.format, value.shape, value.tobytes())
    state = record_state(value)
    if state is not None and not library_of(kind):
        return (kind, frozenset((name, _part(item)) for name, item in state.items()))
    digest = digest_of(value)
    if digest is not None:
        return ContentKey(digest)
    return _content_of(value)


def _attributes(value: Any) -> tuple[Any, ...]:
    """Return the part of the attributes that an object of a subclass of a container has."""
    state = getattr(value, "__dict__", None)
    return (_part(state),) if state else ()


def _content_of(value: Any) -> ContentKey:
    from fastcore.cache.keys.content import hasher
    from fastcore.cache.keys.objects import encode

    try:
        return ContentKey(hasher()(encode(value)).digest())
    except NoContent as error:
        if not error.where:
            raise _Unhashable(type(value).__name__) from None
        raise
