"""The functions of message framing, each a Switch between its twins."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar

from fastcore import _ext
from fastcore.dispatch import backends
from fastcore.dispatch.switch import Switch

__all__ = ["frame", "frame_packed", "message_size", "packb", "unpackb"]

P = ParamSpec("P")
R = TypeVar("R")


def _switched(documented: Callable[P, R]) -> Switch[P, R]:
    """A Switch between the twins of `documented`, which serves help() and type checkers."""
    name = documented.__name__
    control = getattr(backends.twin("framing", "python"), name)
    compiled = _ext.probe("framing").module
    candidate = None if compiled is None else getattr(compiled, name)
    made: Switch[P, R] = Switch(f"framing.{name}", control, candidate, flag="framing")
    functools.update_wrapper(made, documented, updated=())
    return made


@_switched
def packb(
    obj: Any,
    *,
    default: Callable[[Any], Any] | None = None,
    use_single_float: bool = False,
    use_bin_type: bool = True,
    strict_types: bool = False,
    datetime: bool = False,
    unicode_errors: str | None = None,
    numpy: bool = False,
    decimal: Literal["str", "float"] | None = None,
    max_depth: int = 128,
) -> bytes:
    """Pack `obj` as the msgpack package does.

    Parameters
    ----------
    obj : object
        None, bool, int, float, str, bytes, bytearray, memoryview, list, tuple, dict, ExtType, Timestamp, and, unless
        `strict_types`, their subclasses. A subclass of dict is packed as its ``items()`` say.
    default : callable, optional
        Called with an object of any other type, and with an int beyond 64 bits; what it returns is packed
        instead. It is asked once for an object: if the answer cannot be packed either, that is an error.
    use_single_float : bool, default False
        Pack floats in 4 bytes.
    use_bin_type : bool, default True
        False writes the format before 2013, which has no bytes and no short str header.
    strict_types : bool, default False
        Subclasses and tuples go to `default`.
    datetime : bool, default False
        Pack a datetime that has a tzinfo as a Timestamp; a pandas Timestamp keeps its nanoseconds. A date
        that `default` does not take becomes the Timestamp of its midnight in UTC.
    unicode_errors : str, default "strict"
        What to do about surrogates: an error handler of :meth:`str.encode`.
    numpy : bool, default False
        Pack numpy scalars as the builtin values they hold, arrays as nested msgpack arrays, datetime64 as Timestamp,
        NaT as None.
    decimal : {"str", "float"}, optional
        Pack a Decimal as that.
    max_depth : int, default 128
        Levels of nesting accepted, at most 256. An object that contains itself runs into it.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError
        If there is an object that cannot be packed.
    OverflowError
        If an int is outside -2**63..2**64-1, or a float too large for 4 bytes.
    ValueError
        If the nesting is too deep, something longer than 2**32-1, or a datetime lacks its tzinfo.
    UnicodeEncodeError
        If a str holds surrogates.
    RuntimeError
        If `default` changes the size of a list or dict that is being packed.

    Examples
    --------
    >>> packb({"symbol": "AAPL", "price": 187.5}).hex(" ", 4)
    '82a67379 6d626f6c a4414150 4ca57072 696365cb 40677000 00000000'
    """
    raise NotImplementedError


@_switched
def unpackb(
    data: Any,
    *,
    use_list: bool = True,
    raw: bool = False,
    timestamp: Literal[0, 1, 2, 3] = 0,
    strict_map_key: bool = True,
    object_hook: Callable[[dict[Any, Any]], Any] | None = None,
    object_pairs_hook: Callable[[list[tuple[Any, Any]]], Any] | None = None,
    list_hook: Callable[[Any], Any] | None = None,
    ext_hook: Callable[[int, bytes], Any] | None = None,
    unicode_errors: str | None = None,
    max_str_len: int | None = None,
    max_bin_len: int | None = None,
    max_array_len: int | None = None,
    max_map_len: int | None = None,
    max_ext_len: int | None = None,
    max_depth: int = 128,
    max_memory: int | None = None,
) -> Any:
    """Unpack the one message in `data`.

    No hook is called before the whole message is known to be well formed and within the limits. What arrays and maps
    promise is held against the bytes that are there, over all levels together, so that a short message cannot ask for
    much memory.

    Parameters
    ----------
    data : bytes-like
    use_list : bool, default True
        Make lists of arrays; False makes tuples.
    raw : bool, default False
        Leave str as bytes.
    timestamp : {0, 1, 2, 3}, default 0
        Make Timestamp, float seconds, int nanoseconds or an aware datetime of a timestamp.
    strict_map_key : bool, default True
        Accept only str and bytes as keys of maps.
    object_hook, object_pairs_hook, list_hook : callable, optional
        Called with each dict, list of pairs, or list (tuple, without `use_list`); the result takes its place.
    ext_hook : callable, optional
        Called with code and data of an extension; by default ExtType.
    unicode_errors : str, default "strict"
        What to do about bytes that are not UTF-8: an error handler of :meth:`bytes.decode`.
    max_str_len, max_bin_len, max_array_len, max_map_len, max_ext_len : int, optional
        Longest of each that is accepted.
    max_depth : int, default 128
        Levels of nesting accepted, at most 256.
    max_memory : int, optional
        Most bytes that all objects together may take, estimated from above.

    Returns
    -------
    object

    Raises
    ------
    Incomplete
        If the message ends too early.
    ExtraData
        If there is more than one message; it has `unpacked` and `extra`.
    FormatError
        If it is not msgpack.
    StackError
        If it is nested too deeply.
    ValueError
        Base class of all the above; also for the other limits.
    UnicodeDecodeError
        If a str is not UTF-8.

    Examples
    --------
    >>> unpackb(packb([1, "a", None]))
    [1, 'a', None]
    """
    raise NotImplementedError


@_switched
def message_size(data: Any, **options: Any) -> int:
    """How many bytes the message takes that `data` begins with. It is checked as a whole, and no object is made.

    Parameters
    ----------
    data : bytes-like
    **options
        Those of :func:`unpackb`.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        Where :func:`unpackb` does, except for data that goes on after the message.

    Examples
    --------
    >>> message_size(packb([1, 2]) + b"more", max_depth=8)
    3
    """
    raise NotImplementedError


@_switched
def frame(
    obj: Any,
    compress: bool = False,
    *,
    level: int = 6,
    wbits: int = 12,
    threshold: int = 256,
    default: Callable[[Any], Any] | None = None,
    use_single_float: bool = False,
    use_bin_type: bool = True,
    strict_types: bool = False,
    datetime: bool = False,
    unicode_errors: str | None = None,
    numpy: bool = False,
    decimal: Literal["str", "float"] | None = None,
    max_depth: int = 128,
) -> bytes:
    """One whole WebSocket binary frame that holds `obj` as msgpack: unmasked, so that every client can be sent it.

    Parameters
    ----------
    obj : object
        Packed as :func:`packb` does, with its options.
    compress : bool, default False
        Deflate the payload (permessage-deflate, without context takeover) unless that would not make it smaller. For
        clients that have agreed to the extension with a window of at least `wbits`.
    level : int, default 6
        Effort of deflate, 0 to 9.
    wbits : int, default 12
        Window of deflate, 9 to 15: a client can read what has a window no larger than its own.
    threshold : int, default 256
        Payloads shorter than this stay plain.

    Returns
    -------
    bytes

    Examples
    --------
    >>> frame([1, 2, 3]).hex()
    '820493010203'
    """
    raise NotImplementedError


@_switched
def frame_packed(
    payload: Any, compress: bool = False, *, text: bool = False, level: int = 6, wbits: int = 12, threshold: int = 256
) -> bytes:
    """One whole WebSocket frame around a payload that is ready.

    Parameters
    ----------
    payload : bytes-like
        For a text frame, UTF-8; it is not checked.
    compress, level, wbits, threshold
        As for :func:`frame`.
    text : bool, default False
        Make a text frame.

    Returns
    -------
    bytes

    Examples
    --------
    >>> from fastcore.framing import frame, frame_packed, packb
    >>> frame_packed(packb({"price": 187.2})) == frame({"price": 187.2})
    True
    """
    raise NotImplementedError
