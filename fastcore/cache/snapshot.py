"""Caches that survive a restart: their entries in a file, with the time they have left."""

from __future__ import annotations

import io
import logging
import math
import os
import pickle
import struct
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Restored", "restore", "save"]

logger = logging.getLogger("fastcore.cache")

_MAGIC = b"fastcore cache 1\n"
_HEAD = struct.Struct("<dQ16s")  # wall time of saving, length and checksum of what follows


class Restored(NamedTuple):
    """What came back from a file.

    Attributes
    ----------
    entries : int
        How many entries were put into the cache.
    problem : str
        Why none could be; empty if the file was sound.
    """

    entries: int
    problem: str


def save(cache: Any, path: str | os.PathLike[str]) -> int:
    """Write the live entries of a cache to a file, least recently used first.

    The file is complete or not there: it is written beside its place, flushed to the disk and then renamed. The wall
    clock is noted, so that `restore` takes off the time that passes until then.

    Parameters
    ----------
    cache : cache of fastcore
        Its keys and values must have pickles. For a decorated function, its ``cache``.
    path : str or path

    Returns
    -------
    int
        How many entries were written.
    """
    import xxhash

    now = cache._now()
    items = []
    for key, value, expires, weight in cache._snapshot():
        if expires == math.inf or now < expires:
            items.append((key, value, (expires - now) / cache._unit, weight))
    body = pickle.dumps(items, protocol=5)
    head = _HEAD.pack(time.time(), len(body), xxhash.xxh3_128_digest(body))
    place = Path(path)
    descriptor, beside = tempfile.mkstemp(prefix=place.name, suffix=".tmp", dir=place.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + head + body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
    except BaseException:
        os.unlink(beside)
        raise
    return len(items)


def restore(cache: Any, path: str | os.PathLike[str]) -> Restored:
    """Put the entries of a file that `save` wrote into a cache.

    All of it is read and checked before the first entry is stored, so a damaged file changes nothing: it is logged,
    and said in the result. Entries whose time is over by now, or that are too large for this cache, are left out.

    .. warning:: The file is a pickle, and a pickle can run code: restore only files that only you can write.

    Parameters
    ----------
    cache : cache of fastcore
    path : str or path
    """
    try:
        items, away = _read(Path(path))
    except FileNotFoundError:
        return Restored(0, "there is no such file")
    except Exception as error:  # whatever a foreign pickle raises
        problem = str(error) if isinstance(error, _Damaged) else f"{type(error).__name__}: {error}"
        logger.warning("the cache file %s was ignored: %s", path, problem)
        return Restored(0, problem)
    entries = 0
    for key, value, remaining, weight in items:
        if remaining > away:
            try:
                cache._put(key, value, (remaining - away) * cache._unit, weight)
            except ValueError as error:
                if str(error) != "value too large":
                    raise
            else:
                entries += 1
    return Restored(entries, "")


class _Damaged(Exception):
    """The file is not what `save` wrote."""


def _read(path: Path) -> tuple[list[tuple[Any, Any, float, float]], float]:
    import xxhash

    data = path.read_bytes()
    start = len(_MAGIC) + _HEAD.size
    if not data.startswith(_MAGIC):
        raise _Damaged("it does not begin as the file of a cache does")
    if len(data) < start:
        raise _Damaged("it is cut short")
    saved, length, checksum = _HEAD.unpack_from(data, len(_MAGIC))
    body = data[start:]
    if len(body) != length:
        raise _Damaged(f"it should hold {length} bytes and holds {len(body)}")
    if xxhash.xxh3_128_digest(body) != checksum:
        raise _Damaged("its checksum is wrong")
    items = pickle.load(io.BytesIO(body))
    return items, max(0.0, time.time() - saved)
