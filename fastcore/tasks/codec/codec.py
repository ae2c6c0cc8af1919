"""Values to bytes and back, within limits, with errors that name the argument."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from fastcore.framing import packb
from fastcore.tasks.codec import builtin as _builtin  # noqa: F401  # enters its kinds
from fastcore.tasks.codec import classes as _classes  # noqa: F401  # the same
from fastcore.tasks.codec.errors import CodecError, TooLarge, Unserializable
from fastcore.tasks.codec.message import join, overhead, split
from fastcore.tasks.codec.serializer import Decoder, Encoder, read
from fastcore.tasks.records import Encoded

__all__ = ["MAX_BYTES", "Codec"]

MAX_BYTES = 64 << 20
Data = bytes | bytearray | memoryview
_OBJECTS = 4  # the objects of a message may take this part of it: in memory they are many times as large
_MSGPACK, _PICKLE = b"m", b"p"
_NONE = Encoded(join(_MSGPACK, Encoder().body(None), ()))
_PLAIN = join(_MSGPACK, b"", ())  # what a message without buffers begins with
_SHORT = 4096  # bytes that are sooner copied than viewed
_BODY = len(_PLAIN)


class _NotPlain(Exception):
    """There is more to it than msgpack's own types."""


def _refused(*_: Any) -> Any:
    raise _NotPlain


def _arguments_of(task: str) -> str:
    return f"arguments of {task}" if task else "arguments"


class Codec:
    """What turns the arguments and the result of a task into bytes and back.

    Parameters
    ----------
    serializer : {"msgpack", "pickle"}
        "msgpack" keeps None, bool, int of any size, float, complex, str, bytes, list, tuple, named tuples, dict, set,
        frozenset, range, enum members, dataclasses, pydantic's models and URLs, Decimal, UUID, Path, datetime, date,
        time, timedelta, time zones, addresses of ``ipaddress``; numpy's arrays, scalars and dtypes; pandas' DataFrame,
        Series, Index, Categorical, Timestamp, Timedelta, Period, Interval, NaT and NA: with dtypes, order in memory,
        names, frequencies and attrs. ``bytearray`` and ``memoryview`` come back as bytes. Reading it runs no code of
        the message's choosing. "pickle" keeps everything that pickle does, and anyone who can write to the store can
        then run code: for stores that no one else writes to.
    max_bytes : int, default 64 MiB
        Longest message. A quarter of it may be objects (text, lists, numbers); the rest is for the data of arrays.

    Notes
    -----
    An enum member, a dataclass or a model comes back as one of its class if the class's module is loaded by then, else
    that is an error; a named tuple whose module is not loaded comes back as a named tuple of the same fields.
    Dataclasses and models are made without ``__init__`` and without validation, as pickle makes them; fields that the
    class has and the message has not get their defaults.

    Examples
    --------
    >>> codec = Codec()
    >>> codec.decode(codec.encode({"fast": (12, 26), "symbols": {"AAPL"}}))
    {'fast': (12, 26), 'symbols': {'AAPL'}}
    """

    __slots__ = ("_plainly", "max_bytes", "serializer")

    def __init__(self, serializer: Literal["msgpack", "pickle"] = "msgpack", *, max_bytes: int = MAX_BYTES) -> None:
        if serializer not in ("msgpack", "pickle"):
            raise ValueError(f"serializer: expected one of msgpack, pickle, got {serializer!r}")
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int):
            raise TypeError(f"max_bytes: expected an int >= 1024, got {type(max_bytes).__name__}")
        if max_bytes < 1024:
            raise ValueError(f"max_bytes: expected an int >= 1024, got {max_bytes}")
        self.serializer = serializer
        self.max_bytes = max_bytes
        self._plainly = max_bytes // _OBJECTS - overhead(0)
        """Bodies shorter than this are within all limits."""

    # ---- values ----

    def encode(self, value: Any, what: str = "result") -> Encoded:
        """Return a value as bytes.

        Raises
        ------
        Unserializable
            If it holds a type that cannot be stored; a TypeError.
        TooLarge
            If the bytes would be more than `max_bytes`; a ValueError.
        """
        if value is None and self.serializer == "msgpack":  # what most tasks return
            return _NONE
        return Encoded(self._written(value, what))

    def decode(self, data: Data, what: str = "result") -> Any:
        """Return the value of some bytes.

        Raises
        ------
        CodecError
            If the bytes are not what `encode` wrote, or were written by a serializer that this one does not read.
        """
        try:
            return self._read(data)
        except Exception as error:  # whatever the bytes may lead to, down to MemoryError
            text = str(error) if isinstance(error, CodecError) else f"{type(error).__name__}: {error}"
            raise CodecError(f"{what}: cannot be read: {text}") from error

    # ---- calls ----

    def encode_call(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str] = (), task: str = ""
    ) -> Encoded:
        """Return the arguments of a call as bytes.

        Parameters
        ----------
        args, kwargs
            The arguments.
        names : sequence of str
            The names of the positional parameters, for error texts.
        task : str
            The name of the task, for error texts.
        """
        if self.serializer == "msgpack":
            try:
                body = packb(
                    [list(args), dict(kwargs)],
                    default=_refused,
                    strict_types=True,
                    unicode_errors="surrogatepass",
                )
            except Exception:  # not plain, or not to be written at all
                pass
            else:
                if len(body) < self._plainly:
                    return Encoded(_PLAIN + body)
        try:
            return Encoded(self._written([list(args), dict(kwargs)], "arguments"))
        except (Unserializable, TooLarge) as whole:
            raise self._blamed(whole, args, kwargs, names, f" of {task}" if task else "") from None

    def decode_call(self, data: Data, task: str = "") -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call, positional ones and keywords."""
        try:
            found = self._read(data)
        except Exception:
            found = self.decode(data, _arguments_of(task))  # which says what is wrong
        if type(found) is list and len(found) == 2:
            args, kwargs = found
            if (
                type(args) is list
                and type(kwargs) is dict
                and (not kwargs or all(type(name) is str for name in kwargs))
            ):
                return tuple(args), kwargs
        raise CodecError(f"{_arguments_of(task)}: expected the arguments of a call, got another message")

    # ---- inside ----

    def _written(self, value: Any, what: str) -> bytes:
        if self.serializer == "pickle":
            return self._pickled(value, what)
        encoder = Encoder()
        try:
            body = encoder.body(value)
        except Unserializable as error:
            raise Unserializable(f"{what}: {error}; serializer='pickle' might") from None
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
            raise Unserializable(f"{what}: expected a value that can be stored, got {got}") from error
        if not encoder.buffers and not encoder.object_bytes and len(body) < self._plainly:
            return join(_MSGPACK, body, ())
        objects = encoder.object_bytes + len(body)
        total = len(body) + sum(map(len, encoder.buffers)) + overhead(len(encoder.buffers))
        self._check_size(total, self.max_bytes, what, "")
        self._check_size(objects, self.max_bytes // _OBJECTS, what, " besides the data of arrays")
        return join(_MSGPACK, body, encoder.buffers)

    def _pickled(self, value: Any, what: str) -> bytes:
        apart: list[pickle.PickleBuffer] = []
        try:
            body = pickle.dumps(value, protocol=5, buffer_callback=apart.append)
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
            raise Unserializable(f"{what}: expected a value that can be pickled, got {got}") from error
        buffers = [buffer.raw() for buffer in apart]
        total = len(body) + sum(map(len, buffers)) + overhead(len(buffers))
        self._check_size(total, self.max_bytes, what, "")
        return join(_PICKLE, body, buffers)

    def _check_size(self, size: int, limit: int, what: str, kind: str) -> None:
        if size > limit:
            raise TooLarge(f"{what}: expected at most {limit} bytes{kind}, got {size} (max_bytes={self.max_bytes})")

    def _blamed(
        self, whole: Exception, args: Sequence[Any], kwargs: Mapping[str, Any], names: Sequence[str], of: str
    ) -> Exception:
        """Return the error with the name of the argument that is to blame: the one that fails, or the largest."""
        blamed: Exception | None = None
        most = -1
        named = [(names[i] if i < len(names) else str(i), value) for i, value in enumerate(args)]
        for name, value in (*named, *kwargs.items()):
            what = f"argument {name!r}{of}"
            try:
                size = len(self._written(value, what))
            except Unserializable as error:
                return error
            except TooLarge as error:
                return error
            if size > most:
                most = size
                blamed = TooLarge(f"{what}: {size} bytes are most of the arguments; {whole}")
        return blamed if blamed is not None and isinstance(whole, TooLarge) else type(whole)(f"{whole}{of}")

    def _read(self, data: Data) -> Any:
        if len(data) < self._plainly and data[:_BODY] == _PLAIN:  # most
            try:
                return read(data[_BODY:] if len(data) < _SHORT else memoryview(data)[_BODY:], _refused)
            except _NotPlain:
                pass
        if len(data) > self.max_bytes:
            raise CodecError(f"expected at most {self.max_bytes} bytes, got {len(data)}")
        serializer, body, buffers = split(data)
        if serializer == _MSGPACK:
            return Decoder(buffers, self.max_bytes // _OBJECTS).body(body, whole=True)
        if serializer != _PICKLE:
            raise CodecError(f"expected serializer {_MSGPACK!r} or {_PICKLE!r}, got {serializer!r}")
        if self.serializer != "pickle":
            raise CodecError("expected msgpack, got a pickle, which is read only with serializer='pickle'")
        return pickle.loads(body, buffers=[bytearray(buffer) for buffer in buffers])
