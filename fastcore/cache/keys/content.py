"""Digests of arrays and frames: none of these libraries is imported before an object of it comes in."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable
from typing import Any

from fastcore.cache.libraries import library_of
from fastcore.dispatch import backends, flags
from fastcore.dispatch.modes import Mode

__all__ = ["NoContent", "Update", "digest_of", "encode_with", "feed_columns", "hasher"]

Update = Callable[[Any], object]
"""Takes the next bytes of a content."""


class NoContent(TypeError):
    """An object that no key by content can be made of.

    Attributes
    ----------
    kind : type
        Its type.
    where : list of str
        The places that hold it, the innermost first.
    item : object
        What was being encoded: the object, then what holds it, and so on outwards.
    """

    def __init__(self, item: Any) -> None:
        self.kind = type(item)
        self.where: list[str] = []
        self.item = item
        super().__init__(self.kind)

    def __str__(self) -> str:
        place = " in " + " of ".join(self.where) if self.where else ""
        return f"expected objects with content, got {self.kind.__name__}{place}"

    def locate(self, places: Iterable[tuple[str, Any]]) -> None:
        """Note which of the places holds what was being encoded."""
        place = next((place for place, item in places if item is self.item), None)
        if place is not None:
            self.where.append(place)


def feed_columns(columns: Iterable[tuple[Any, Any]], feed: Callable[[Any, Update], None], update: Update) -> None:
    """Feed the columns of a frame, given with their names."""
    for name, column in columns:
        try:
            feed(column, update)
        except NoContent as error:
            error.where.append(f"column {name!r}")
            raise


@functools.cache
def hasher() -> Callable[..., Any]:
    """Return the constructor of the hash: xxHash3 of 128 bits."""
    import xxhash

    return xxhash.xxh3_128


@functools.cache
def _feeder(library: str) -> Callable[[Any, Update], None]:
    module = importlib.import_module(f"fastcore.cache.keys.{library}_content")
    feed: Callable[[Any, Update], None] = module.feed
    return feed


def digest_of(value: Any) -> bytes | None:
    """Return 16 bytes that stand for the content of an array, Series or frame; None for everything else."""
    library = library_of(type(value))
    if not library:
        return None
    digest = hasher()()
    _feeder(library)(value, digest.update)
    content: bytes = digest.digest()
    return content


def encode_with(items: list[Any], other: Callable[[Any], bytes]) -> bytes:
    """Return the bytes of plain objects, written by the twin that the cache's flag names now."""
    global _encoder
    mode, encode_cells = _encoder
    if mode is not (now := flags.mode_of("cache")):
        encode_cells = backends.twin("cache", backends.backend_of("cache", now)).encode_cells
        _encoder = now, encode_cells
    encoded: bytes = encode_cells(items, other)
    return encoded


_encoder: tuple[Mode | None, Any] = None, None  # of the mode that the flag had; a key's bytes are the same on both
