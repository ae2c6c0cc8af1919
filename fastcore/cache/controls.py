"""What a decorated function offers besides being called: its keys, its entries, its statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fastcore.cache.memo import Memo
from fastcore.cache.options import Options
from fastcore.cache.record import Kept
from fastcore.cache.spelling import spellings
from python_fallback.shared.cache.shape import MISSING
from python_fallback.shared.cache.stats import CAUSES, CacheStats

__all__ = ["BY_ARGUMENTS", "CacheEntry", "CacheInfo", "Controls"]


class CacheInfo(NamedTuple):
    """As ``functools.lru_cache`` gives it.

    Examples
    --------
    >>> from fastcore.cache import cached
    >>> @cached(maxsize=100)
    ... def square(x):
    ...     return x * x
    >>> square(3), square(3)
    (9, 9)
    >>> square.cache_info()
    CacheInfo(hits=1, misses=1, maxsize=100, currsize=1...)
    """

    hits: int
    misses: int
    maxsize: float | None
    currsize: float


class CacheEntry(NamedTuple):
    """The cached result of one call.

    Attributes
    ----------
    value : object
        The result; None where an error is kept.
    error : BaseException or None
        The error that is kept.
    fresh_for : float
        Seconds for which it is fresh; below 0 it is stale and still served.
    kept_for : float
        Seconds until it leaves the cache, if it is not evicted before.
    tags : tuple of str

    Examples
    --------
    >>> from fastcore.cache import cached
    >>> @cached(ttl=60)
    ... def square(x):
    ...     return x * x
    >>> square(3)
    9
    >>> entry = square.get_entry(3)
    >>> entry.value, entry.fresh_for > 59
    (9, True)
    """

    value: Any
    error: BaseException | None
    fresh_for: float
    kept_for: float
    tags: tuple[str, ...]


BY_ARGUMENTS = ("key", "invalidate", "contains", "peek", "put", "refresh", "get_entry")


class Controls:
    """The methods of a decorated function; those that take arguments take the function's own.

    An argument may be passed by position or by name, and left out or given its default: all of that means one call.

    Parameters
    ----------
    options : Options
    memo_of : callable
        ``memo_of(args)`` gives the memo that serves a call with these positional arguments.
    memos : callable
        Gives all of them.
    """

    def __init__(
        self, options: Options, memo_of: Callable[[tuple[Any, ...]], Memo], memos: Callable[[], list[Memo]]
    ) -> None:
        self._options = options
        self._memo_of = memo_of
        self._memos = memos

    def put_on(self, target: Any) -> None:
        """Set the methods as attributes of a call object."""
        for name in (*BY_ARGUMENTS, "cache_clear", "cache_info", "cache_parameters", "stats"):
            setattr(target, name, getattr(self, name))

    def _keys(self, memo: Memo, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
        """Yield the keys of all ways to write one call; the one that was written first."""
        yield memo.key(args, kwargs)
        if memo.options.key is not None or memo.shape.one_key:
            return
        for other in spellings(memo.function, args, kwargs, memo.skip):
            yield memo.key(*other)

    def _find(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Memo, Any, Any]:
        memo = self._memo_of(args)
        memo.storage.follow()
        for key in self._keys(memo, args, kwargs):
            found = memo.current(key)
            if found is not MISSING:
                return memo, key, found
        return memo, None, MISSING

    def key(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the key under which the result of these arguments is kept."""
        return self._memo_of(args).key(args, kwargs)

    def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        """Drop the result of these arguments; one that is being computed will not be kept. False if there was none."""
        memo = self._memo_of(args)
        storage = memo.storage
        there = False
        with storage.lock:
            cache = storage.follow()
            for key in dict.fromkeys(self._keys(memo, args, kwargs)):
                cache._flights.disown(key)
                there = cache.pop(key, MISSING) is not MISSING or there
        return there

    def contains(self, /, *args: Any, **kwargs: Any) -> bool:
        """Whether a call with these arguments would be served from the cache; looking counts and changes nothing."""
        return self._find(args, kwargs)[2] is not MISSING

    def peek(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the result that is kept for these arguments, or None; looking counts and changes nothing."""
        memo, key, found = self._find(args, kwargs)
        return None if found is MISSING else memo.peek(key)

    def get_entry(self, /, *args: Any, **kwargs: Any) -> CacheEntry | None:
        """Return what is kept for these arguments and for how long, or None."""
        memo, key, found = self._find(args, kwargs)
        remaining = None if found is MISSING else memo.storage.cache.ttl_remaining(key)
        if remaining is None:
            return None
        if type(found) is not Kept:
            return CacheEntry(found, None, remaining, remaining, ())
        error = None if found.error is None else found.own_error()
        value = None if error is not None else found.unwrap()
        tags = tuple(tag.name for tag in found.tags)
        return CacheEntry(value, error, remaining - found.spare, remaining, tags)

    def put(self, value: Any, /, *args: Any, **kwargs: Any) -> None:
        """Keep a value as the result of these arguments, as if it had just been computed."""
        memo = self._memo_of(args)
        key, *others = dict.fromkeys(self._keys(memo, args, kwargs))
        tags = memo.policy.label(args[memo.skip :], kwargs)
        found = memo.taken(value, tags, 0.0)
        with memo.storage.lock:
            cache = memo.storage.follow()
            cache._flights.disown(key)
            if memo.keep(key, found, [None]):
                memo.share(found, others)

    def refresh(self, /, *args: Any, **kwargs: Any) -> Any:
        """Compute the result of these arguments now, keep it and return it; to be awaited for a coroutine function.

        Until then calls get the old result. An error is raised, and the old result stays.
        """
        memo = self._memo_of(args)
        memo.storage.follow()
        return memo.renew(args, kwargs, list(dict.fromkeys(self._keys(memo, args, kwargs))))

    def cache_clear(self) -> None:
        """Drop every result and set the statistics to 0; results that are being computed will not be kept."""
        for memo in self._memos():
            with memo.storage.lock:
                cache = memo.storage.follow()
                cache._flights.disown_all()
                cache.clear()
                cache._set_counters(0, 0, 0, 0, 0, 0)

    def cache_info(self) -> CacheInfo:
        """Return hits, misses and sizes, as ``functools.lru_cache`` does."""
        caches = [memo.storage.follow() for memo in self._memos()]
        stats = self.stats()
        return CacheInfo(stats.hits, stats.misses, self._options.maxsize, sum(cache.currsize for cache in caches))

    def stats(self) -> CacheStats:
        """Return the statistics of the cache, with `per_instance` their sums over all instances."""
        parts = [memo.storage.follow().stats() for memo in self._memos()]
        hits, misses = sum(part.hits for part in parts), sum(part.misses for part in parts)
        return CacheStats(
            hits,
            misses,
            hits / (hits + misses) if hits + misses else 0.0,
            sum(part.size for part in parts),
            sum(part.weight for part in parts),
            {cause: sum(part.evictions[cause] for part in parts) for cause in CAUSES},
        )

    def cache_parameters(self) -> dict[str, Any]:
        """Return the options that the function was decorated with."""
        return dict(self._options.given)
