"""How long a decorated function's result is served: fresh, stale, early or negative, and until a tag is invalidated."""

from __future__ import annotations

import logging
import math
import os
import random
import threading
import time
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fastcore.cache.results import Copy, copy_of
from python_fallback.cache.clock import ttl_seconds
from python_fallback.cache.errors import copy_error

logger = logging.getLogger("fastcore.cache")


# ---- tags ----
#
# A tag is an object that its results share. Invalidating marks it, and the next result under that name gets another
# one; a tag that no result has any more is garbage. What is remembered of invalidated names serves pickles that are
# older than the invalidation, and is bounded.

REMEMBERED = 10_000  # names

_process = uuid.uuid4().bytes
_lock = threading.RLock()  # reentrant: a finalizer may come here while it is held
_current: weakref.WeakValueDictionary[str, Tag] = weakref.WeakValueDictionary()
_invalidations = 0
_versions: OrderedDict[str, tuple[int, float]] = OrderedDict()  # name -> number and wall time of its invalidation
_forgotten = (0, 0.0)  # number and wall time of the newest that is no longer in _versions


class Tag:
    """One name, from one invalidation to the next.

    Attributes
    ----------
    name : str
    valid : bool
        False once it was invalidated; never True again.
    born : int
        How many invalidations of any tag there had been in this process.
    """

    __slots__ = ("__weakref__", "born", "name", "valid")

    def __init__(self, name: str, born: int, valid: bool = True) -> None:
        self.name = name
        self.born = born
        self.valid = valid

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.name, self.valid, _process, self.born, time.time())


def _restored(name: str, valid: bool, process: bytes, born: int, pickled: float) -> Tag:
    """Return the tag of a pickle: the current one unless its name was invalidated since."""
    with _lock:
        number, moment = _versions.get(name, _forgotten)
        since = number > born if process == _process else moment >= pickled
        return _tag(name) if valid and not since else Tag(name, born, valid=False)


def _tag(name: str) -> Tag:
    tag = _current.get(name)
    if tag is None:
        tag = _current[name] = Tag(name, _invalidations)
    return tag


def tags_of(names: Iterable[str] | str) -> tuple[Tag, ...]:
    """Return the current tags of these names; a str is one name."""
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if not isinstance(name, str):
            raise TypeError(f"tags: expected str, got {type(name).__name__}")
    with _lock:
        return tuple(map(_tag, wanted))


def invalidate_tag(tag: str) -> None:
    """Invalidate every result that was stored under `tag`, in all decorated functions of this process.

    Takes constant time. Results that are being computed under it are not kept, and calls from now on do not wait for
    them. What another process saved before is not served here after `restore` either.
    """
    global _invalidations, _forgotten
    if not isinstance(tag, str):
        raise TypeError(f"tag: expected a str, got {type(tag).__name__}")
    with _lock:
        _invalidations += 1
        found = _current.pop(tag, None)
        if found is not None:
            found.valid = False
        _versions[tag] = (_invalidations, time.time())
        _versions.move_to_end(tag)
        if len(_versions) > REMEMBERED:
            _forgotten = _versions.popitem(last=False)[1]


def _after_fork() -> None:
    """Count apart from the parent: pickles are compared with its invalidations by time."""
    global _lock, _process
    _lock, _process = threading.RLock(), uuid.uuid4().bytes


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# ---- results ----


class Kept:
    """A result in the cache with what decides whether it is served."""

    __slots__ = ("awaited", "copy", "error", "spare", "tags", "tickets", "took", "value")

    def __init__(
        self,
        value: Any,
        error: Exception | None,
        tags: tuple[Tag, ...] = (),
        took: float = 0.0,
        copy: Copy = False,
        awaited: bool = False,
    ) -> None:
        self.value = value
        self.error = error
        self.tags = tags
        self.took = took
        self.copy = copy  # how each caller gets its copy of the value; False: all share it
        self.awaited = awaited  # the function is a plain one whose callers await what it returns
        self.spare = 0.0  # seconds before the cache drops it from when on it is no longer fresh
        self.tickets = [None]  # whoever takes the one ticket may refresh it

    def current(self) -> bool:
        """Whether none of its tags was invalidated."""
        return all(tag.valid for tag in self.tags)

    def take_ticket(self) -> bool:
        """Whether the caller is the one to refresh it; taking from a list is atomic."""
        try:
            self.tickets.pop()
        except IndexError:
            return False
        return True

    def unwrap(self) -> Any:
        """Return the result, or raise the error that it was."""
        if self.error is not None:
            raise copy_error(self.error)
        return copy_of(self.value, self.copy) if self.copy else self.value

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "tickets"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self.tickets = [None]  # a refresh that ran elsewhere


Tags = Iterable[str] | Callable[..., Iterable[str]]


@dataclass(frozen=True)
class Policy:
    """The options of @cached that need more than the cache's own expiry.

    Attributes
    ----------
    ttl : float
        Seconds for which a result is fresh.
    stale : float
        Seconds after that for which it is served while one caller's place is taken by a refresh in the background.
    early : float
        The XFetch factor: a result is refreshed before it expires with a probability that grows with the time it took
        to compute (Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015).
    negative_ttl : float or None
        Seconds for which an error, or a result of None, is kept.
    tags : iterable of str, or callable of the arguments
    """

    ttl: float
    stale: float
    early: float
    negative_ttl: float | None
    tags: Tags

    @classmethod
    def of(cls, ttl: Any, stale: Any, early: bool | float, negative_ttl: Any, tags: Tags) -> Policy | None:
        """Return the policy of these options, or None where the cache alone will do."""
        seconds = ttl_seconds(ttl)
        if seconds <= 0:
            raise ValueError(f"ttl: expected a time longer than 0, got {ttl!r}")
        extra = 0.0 if stale is None else ttl_seconds(stale, "stale")
        negative = None if negative_ttl is None else ttl_seconds(negative_ttl, "negative_ttl")
        for name, given, value in (("stale", stale, extra), ("negative_ttl", negative_ttl, negative or 0.0)):
            if value < 0:
                raise ValueError(f"{name}: expected a time of 0 or longer, got {given!r}")
        if isinstance(tags, str):
            raise TypeError("tags: expected an iterable of str or a callable, got str")
        factor = float(early)
        if not factor >= 0:
            raise ValueError(f"early: expected a bool or a factor of at least 0, got {early!r}")
        if (extra or factor) and seconds == math.inf:
            raise ValueError("ttl: expected a time, as stale= and early= count from it, got none")
        labels = tags if callable(tags) else tuple(tags)
        if not (extra or factor or labels or negative is not None):
            return None
        return cls(seconds, extra, factor, negative, labels)

    def label(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tag, ...]:
        """Return the tags of a call, as they are before it computes."""
        return tags_of(self.tags(*args, **kwargs) if callable(self.tags) else self.tags)

    def is_negative(self, kept: Kept) -> bool:
        return self.negative_ttl is not None and (kept.error is not None or kept.value is None)

    def lifetime(self, kept: Kept) -> tuple[float, float]:
        """Return for how many seconds a result is fresh, and for how many it stays in the cache."""
        if self.is_negative(kept):
            fresh = self.negative_ttl or 0.0
            return fresh, fresh
        return self.ttl, self.ttl + self.stale

    def needs_refresh(self, kept: Kept, remaining: float | None) -> bool:
        """Whether it is stale, or the draw says to refresh it early; `remaining` is what the cache gives it."""
        if remaining is None:
            return True
        ahead = 0.0
        if self.early and kept.error is None:
            ahead = -kept.took * self.early * math.log(1.0 - random.random())
        return remaining - ahead <= kept.spare


class Stopwatch:
    """How long a computation took."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def elapsed(self) -> float:
        return time.perf_counter() - self.start


# ---- refreshing in the background ----

_pool_lock = threading.Lock()
_pool: Any = None


def in_background(work: Callable[[], object], name: str) -> None:
    """Run `work` on one of a few threads, in a copy of the caller's context; an error is logged."""
    import contextvars
    from concurrent.futures import ThreadPoolExecutor

    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max_workers=4, thread_name_prefix="fastcore-refresh")
        pool = _pool

    def run() -> None:
        try:
            work()
        except Exception:
            logger.warning("refreshing %s failed; the old result stays", name, exc_info=True)

    pool.submit(contextvars.copy_context().run, run)
