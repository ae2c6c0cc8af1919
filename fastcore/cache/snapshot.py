"""Caches that survive a restart: their entries in a file, with the time they have left.

The file: a first line, the wall time of saving, the number of entries, a checksum of the index; the index, with the
length and checksum of each entry; the entries, each a separate pickle.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import pickle
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fastcore.cache.caches import Cache
from fastcore.cache.mapping import Results
from fastcore.dispatch.private_files import move_into_place, sync_folder

__all__ = ["Restored", "Saved", "restore", "save"]

logger = logging.getLogger("fastcore.cache")

_MAGIC = b"fastcore cache 2\n"
_HEAD = struct.Struct("<dQ16s")  # wall time of saving, number of entries, checksum of the index
_PLACE = struct.Struct("<Q16s")  # length and checksum of an entry


class Saved(int):
    """How many entries were written.

    Attributes
    ----------
    left_out : int
        The number of entries left out because their key or value cannot be pickled.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastcore.cache import LRUCache, save
    >>> cache = LRUCache(10)
    >>> cache["AAPL"], cache["lambda"] = 187.2, lambda: None
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = save(cache, os.path.join(folder, "cache"))
    >>> int(saved), saved.left_out
    (1, 1)
    """

    left_out: int

    def __new__(cls, entries: int, left_out: int) -> Saved:
        saved = super().__new__(cls, entries)
        saved.left_out = left_out
        return saved


class Restored(NamedTuple):
    """The outcome of restoring a file.

    Attributes
    ----------
    entries : int
        How many entries were put into the cache.
    problem : str
        Why none could be, or how many could not; empty if the file was sound.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastcore.cache import LRUCache, restore, save
    >>> cache = LRUCache(10)
    >>> cache["AAPL"] = 187.2
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = save(cache, os.path.join(folder, "cache"))
    ...     restore(LRUCache(10), os.path.join(folder, "cache"))
    Restored(entries=1, problem='')
    """

    entries: int
    problem: str


def save(cache: Any, path: str | os.PathLike[str]) -> Saved:
    """Write the live entries of a cache to a file, least recently used first.

    The file is either complete or missing: it is written under another name, flushed to disk and renamed. The wall
    clock is noted, so that `restore` takes off the time that passes until then. Entries whose key or value cannot be
    pickled are left out, which is logged.

    Parameters
    ----------
    cache : cache of fastcore
        For a decorated function, its ``cache``. Each entry is pickled by itself, so what two of them share is written
        twice.
    path : str or path

    Returns
    -------
    Saved
        How many entries were written, an int; its ``left_out`` says how many were not.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastcore.cache import LRUCache, save
    >>> cache = LRUCache(10)
    >>> cache["AAPL"] = 187.2
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     int(save(cache, os.path.join(folder, "quotes")))
    1
    """
    import xxhash

    entries, index = [], []
    left_out, reason = 0, ""
    for item in _live_items(_storage_of(cache)):
        try:
            entry = pickle.dumps(item, protocol=5)
        except Exception as error:  # whatever a foreign __reduce__ raises
            left_out, reason = left_out + 1, reason or f"{type(error).__name__}: {error}"
            continue
        entries.append(entry)
        index.append(_PLACE.pack(len(entry), xxhash.xxh3_128_digest(entry)))
    if left_out:
        logger.warning("%d entries have no pickle and are left out of %s; the first: %s", left_out, path, reason)
    places = b"".join(index)
    head = _HEAD.pack(time.time(), len(entries), xxhash.xxh3_128_digest(places))
    _write(Path(path), [_MAGIC, head, places, *entries])
    return Saved(len(entries), left_out)


def _storage_of(cache: Any) -> Any:
    """Return what holds the entries: of a decorated function, the cache of its results and records."""
    found = cache._cache if isinstance(cache, Results) else cache
    if not isinstance(found, Cache):
        raise TypeError(
            f"cache: expected a cache of fastcore, or `function.cache` of a decorated one, got {type(cache).__name__}"
        )
    return found


def _live_items(cache: Any) -> Iterator[tuple[Any, Any, float, float]]:
    now = cache._now()
    for key, value, expires, weight in cache._snapshot():
        if expires == math.inf or now < expires:
            yield key, value, (expires - now) / cache._unit, weight


def _write(place: Path, parts: list[bytes]) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=place.name, suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        move_into_place(temporary, str(place))
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(str(place))


def restore(cache: Any, path: str | os.PathLike[str]) -> Restored:
    """Put the entries of a file that `save` wrote into a cache.

    All of it is read and checked before the first entry is stored. An entry that is damaged, or whose pickle cannot be
    read any more, is left out and does not lose the others; a file that is not complete changes nothing. Either is
    logged, and said in the result. Entries whose time is over by now, or that are too large for this cache, are left
    out too.

    .. warning:: The file is a pickle, and a pickle can run code: restore only files that only you can write.

    Parameters
    ----------
    cache : cache of fastcore
    path : str or path

    Examples
    --------
    >>> import os, tempfile
    >>> from fastcore.cache import LRUCache, restore, save
    >>> cache, next_start = LRUCache(10), LRUCache(10)
    >>> cache["AAPL"] = 187.2
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = save(cache, os.path.join(folder, "quotes"))
    ...     restored = restore(next_start, os.path.join(folder, "quotes"))
    >>> restored.entries, next_start["AAPL"]
    (1, 187.2)
    """
    try:
        cache = _storage_of(cache)
        items, away, problem = _read(Path(path))
    except FileNotFoundError:
        return Restored(0, "there is no such file")
    except (_Damaged, OSError) as error:
        items, away, problem = [], 0.0, str(error)
    if problem:
        logger.warning("the cache file %s was not restored whole: %s", path, problem)
    entries = 0
    if items:
        cache._now()  # the first reading of a timer says in what unit it counts
    for key, value, remaining, weight in items:
        if remaining > away:
            try:
                cache._put(key, value, (remaining - away) * cache._unit, weight)
            except ValueError as error:
                if str(error) != "value too large":
                    raise
            else:
                entries += 1
    return Restored(entries, problem)


class _Damaged(Exception):
    """The file is not what `save` wrote."""


def _read(path: Path) -> tuple[list[tuple[Any, Any, float, float]], float, str]:
    """Return the entries that can be read, the time since they were saved, and what was wrong."""
    import xxhash

    data = path.read_bytes()
    start = len(_MAGIC) + _HEAD.size
    if not data.startswith(_MAGIC):
        raise _Damaged("it does not begin as the file of a cache does")
    if len(data) < start:
        raise _Damaged("it is cut short")
    saved, count, checksum = _HEAD.unpack_from(data, len(_MAGIC))
    places = data[start : start + count * _PLACE.size]
    if xxhash.xxh3_128_digest(places) != checksum:
        raise _Damaged("the checksum of its index is wrong")
    index = list(_PLACE.iter_unpack(places))
    ends = list(itertools.accumulate((length for length, _ in index), initial=start + len(places)))
    if len(data) != ends[-1]:
        raise _Damaged(f"it should hold {ends[-1]} bytes and holds {len(data)}")
    items, lost, reason = [], 0, ""
    for begin, end, (_, expected) in zip(ends, ends[1:], index):
        entry = data[begin:end]
        try:
            if xxhash.xxh3_128_digest(entry) != expected:
                raise _Damaged("its checksum is wrong")
            key, value, remaining, weight = pickle.loads(entry)
            hash(key)
            items.append((key, value, float(remaining), float(weight)))
        except Exception as error:  # whatever a foreign pickle raises
            lost += 1
            reason = reason or (str(error) if isinstance(error, _Damaged) else f"{type(error).__name__}: {error}")
    problem = f"{lost} of {count} entries could not be read; the first: {reason}" if lost else ""
    return items, max(0.0, time.time() - saved), problem
