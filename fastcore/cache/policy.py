"""How long a decorated function's result is served: fresh, stale, early or negative, and until a tag is invalidated."""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from fastcore.cache.results import Copy, copy_of
from python_fallback.cache.clock import ttl_seconds

logger = logging.getLogger("fastcore.cache")

_versions: dict[str, int] = {}
_versions_lock = threading.Lock()


def invalidate_tag(tag: str) -> None:
    """Invalidate every result that was stored under `tag`, in all decorated functions of this process.

    Takes constant time: results of an older version of their tag are not served again.
    """
    if not isinstance(tag, str):
        raise TypeError(f"tag: expected a str, got {type(tag).__name__}")
    with _versions_lock:
        _versions[tag] = _versions.get(tag, 0) + 1


def _version_of(tag: str) -> int:
    return _versions.get(tag, 0)


class Kept:
    """A result in the cache with what decides whether it is served."""

    __slots__ = ("awaited", "copy", "error", "spare", "tags", "tickets", "took", "value")

    def __init__(
        self,
        value: Any,
        error: Exception | None,
        tags: tuple[tuple[str, int], ...] = (),
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
        return all(_version_of(tag) == version for tag, version in self.tags)

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
            raise self.error.with_traceback(None)
        return copy_of(self.value, self.copy) if self.copy else self.value


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

    def label(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[str, int], ...]:
        """Return the tags of a call with their versions, read before it computes."""
        tags = self.tags(*args, **kwargs) if callable(self.tags) else self.tags
        return tuple((tag, _version_of(tag)) for tag in tags)

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
