"""Checks of published objects: both clients of a hub must be able to read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcore.framing import packb, unpackb
from fastcore.framing.functions import message_size

__all__ = ["check_body", "check_key", "one_default", "packed"]

SIZE = (16 << 20) - 4096  # bytes of an object; a client takes 16 MiB in a message
DEPTH = 62  # levels of an object; a client takes 64, and the object is in an array
MEMORY = 255 << 20  # bytes an object may take in a client


def packed(obj: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """An object as it is published."""
    body = packb(obj, numpy=True, datetime=True, decimal="str", default=default)
    check_body(body)
    return body


def one_default(
    default: Callable[[Any], Any] | None, enc_hook: Callable[[Any], Any] | None
) -> Callable[[Any], Any] | None:
    """The one function of two names."""
    if default is not None and enc_hook is not None:
        raise ValueError("enc_hook: expected it or default, which are the same, got both")
    for name, given in (("default", default), ("enc_hook", enc_hook)):
        if given is not None and not callable(given):
            raise TypeError(f"{name}: expected a function or None, got {type(given).__name__}")
    return default if enc_hook is None else enc_hook


def check_key(key: Any) -> None:
    """Raise for what is no key of a message."""
    if key is not None and type(key) not in (str, bytes, int):
        raise TypeError(f"key: expected a str, bytes, int or None, got {type(key).__name__}")
    if type(key) is int and not -(2**63) <= key < 2**64:
        raise ValueError(f"key: expected an int of 64 bits, got one of {key.bit_length()}")
    if type(key) is str and not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"key: expected text without lone surrogates, got one at character {error.start}"
            ) from None


def check_body(body: bytes) -> None:
    """Raise ValueError for a packed object that a client could not read.

    Maps have keys of type str or int: a page makes objects of them.
    """
    if len(body) > SIZE:
        raise ValueError(f"obj: expected at most {SIZE} bytes packed, got {len(body)}")
    try:
        size = message_size(body, max_depth=DEPTH, max_memory=MEMORY)
        if size == len(body) and not (b"\xc4" in body or b"\xc5" in body or b"\xc6" in body):
            return  # there are no bytes in it, so that every key is a str
    except TypeError:  # no bytes
        raise
    except Exception:  # perhaps only a key that is an int
        pass
    try:
        unpackb(body, strict_map_key=False, max_depth=DEPTH, max_memory=MEMORY, object_pairs_hook=_plain)
    except Exception as error:
        raise ValueError(
            f"obj: expected a value that every client can read, got {str(error) or type(error).__name__}"
        ) from None


def _plain(pairs: list[tuple[Any, Any]]) -> None:
    for key, _ in pairs:
        if type(key) is not str and type(key) is not int:
            raise ValueError(f"a map with a key of type {type(key).__name__}; keys are str or int")
