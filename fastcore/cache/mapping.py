"""The results of a decorated function as a mapping: its attribute ``cache``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from fastcore.cache.memo import Memo
from fastcore.cache.policy import Ttl
from fastcore.cache.record import Kept
from fastcore.dispatch.twins import migrate
from python_fallback.shared.cache import mixin
from python_fallback.shared.cache.clock import ttl_seconds
from python_fallback.shared.cache.shape import MISSING
from python_fallback.shared.cache.stats import CacheStats
from python_fallback.shared.cache.views import CacheItems, CacheValues

__all__ = ["Results"]


class Results(MutableMapping[Any, Any]):
    """The results of a decorated function by their keys, whatever its options.

    ``f.cache.get(f.key(x))`` gives what ``f(x)`` would be served, or None. Results that are stale and still served are
    included; cached errors and results with an invalidated tag are not. Each lookup returns a copy of the result
    if the option ``copy`` gives one to each caller. A value that is set expires and is protected as if the function
    had returned it; it gets the tags that do not depend on arguments. A copy or a pickle is an independent cache.
    """

    __slots__ = ("__weakref__", "_memo")

    def __init__(self, memo: Memo) -> None:
        self._memo = memo

    @property
    def _cache(self) -> Any:
        """The cache of the results and records, on the twin that the flag names now."""
        return self._memo.storage.follow()

    # ---- reading ----

    def get(self, key: Any, default: Any = None) -> Any:
        """Return a result, mark it as used and count a hit, or return `default` and count a miss."""
        self._memo.storage.follow()
        return _result(self._memo.look_up(key), default)

    def __getitem__(self, key: Any) -> Any:
        result = self.get(key, MISSING)
        if result is MISSING:
            raise KeyError(key)
        return result

    def peek(self, key: Any, default: Any = None) -> Any:
        """Return a result, or `default`, without counting or marking it as used."""
        self._memo.storage.follow()
        return self._memo.peek(key, default)

    def __contains__(self, key: Any) -> bool:
        self._memo.storage.follow()
        return _is_result(self._memo.current(key))

    def _snapshot(self) -> list[Any]:
        rows: list[Any] = self._cache._snapshot()
        return rows

    def __iter__(self) -> Iterator[Any]:
        return (key for key, *_ in self._snapshot() if key in self)

    def __len__(self) -> int:
        policy = self._memo.policy
        return sum(1 for _ in self) if policy.tags or policy.negative_ttl is not None else len(self._cache)

    def values(self) -> CacheValues:
        """Return a view of the results; looking at them marks none as used."""
        return CacheValues(self)

    def items(self) -> CacheItems:
        """Return a view of the pairs; looking at them marks none as used."""
        return CacheItems(self)

    def ttl_remaining(self, key: Any, /) -> float | None:
        """Return the seconds until a result leaves the cache, or None if it is not there."""
        remaining: float | None = self._cache.ttl_remaining(key)
        return remaining if key in self else None

    def __eq__(self, other: object) -> Any:
        return mixin.equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return mixin.represent(self)

    # ---- writing ----

    def set(self, key: Any, value: Any, *, ttl: Ttl = None, weight: float | None = None) -> None:
        """Store a result.

        Parameters
        ----------
        key : hashable
            As the function's ``key`` gives it.
        value : object
        ttl : float or timedelta, optional
            Seconds for which it is fresh; by default what the function's options say.
        weight : float, optional

        Raises
        ------
        ValueError
            If the value alone weighs more than the cache may hold.
        """
        memo, policy = self._memo, self._memo.policy
        found = Memo.taken(memo, value, () if callable(policy.tags) else policy.label((), {}), 0.0)
        record = found if type(found) is Kept else None
        stored = found if record is None else record.value
        total = self._lifetime(stored, record, ttl)
        with memo.storage.lock:
            cache = memo.storage.follow()
            cache.set(key, found, ttl=total, weight=cache.getsizeof(stored) if weight is None else weight)

    def _lifetime(self, value: Any, record: Kept | None, ttl: Ttl) -> float:
        policy = self._memo.policy
        if ttl is None:
            fresh, total = policy.lifetime(value, None)
        else:
            fresh = ttl_seconds(ttl)
            total = fresh + policy.stale
        if record is not None:
            policy.prepare(record, fresh, total)
        return total

    def __setitem__(self, key: Any, value: Any) -> None:
        self.set(key, value)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Return a result, storing `default` first where there is none."""
        with self._memo.storage.lock:
            result = self.get(key, MISSING)
            if result is MISSING:
                self.set(key, default)
                result = default
        return result

    def touch(self, key: Any, ttl: Ttl = None) -> bool:
        """Begin the lifetime of a result again and mark it as used; False if it is not there."""
        cache = self._cache
        found = self._memo.current(key)
        if not _is_result(found):
            return False
        record = found if type(found) is Kept else None
        return bool(cache.touch(key, self._lifetime(found if record is None else record.value, record, ttl)))

    # ---- removing ----

    def pop(self, key: Any, *default: Any) -> Any:
        """Remove a result and return it, or return the default given, or raise KeyError."""
        if len(default) > 1:
            raise TypeError(f"pop: expected at most 2 arguments, got {1 + len(default)}")
        result = _result(self._cache.pop(key, MISSING), MISSING)
        if result is not MISSING:
            return result
        if not default:
            raise KeyError(key)
        return default[0]

    def __delitem__(self, key: Any) -> None:
        self.pop(key)

    def popitem(self) -> tuple[Any, Any]:
        """Remove and return the least recently used pair; KeyError if there is none."""
        while True:
            key, found = self._cache.popitem()
            result = _result(found, MISSING)
            if result is not MISSING:
                return key, result

    def clear(self) -> None:
        """Remove every result; `on_evict` is called for each."""
        self._cache.clear()

    def expire(self, time: Any = None) -> list[tuple[Any, Any]]:
        """Drop what has expired; return the pairs, with the error where one was kept."""
        return [(key, found.content() if type(found) is Kept else found) for key, found in self._cache.expire(time)]

    # ---- bounds and statistics ----

    def resize(self, maxsize: float | None = None, *, max_bytes: float | None = None) -> None:
        """Change the bounds, evicting the least recently used entries that no longer fit."""
        self._cache.resize(maxsize, max_bytes=max_bytes)

    def _shrink(self, fraction: float) -> None:
        self._cache._shrink(fraction)

    def stats(self) -> CacheStats:
        """Return hits, misses, hit ratio, size, weight and evictions by cause; kept errors count."""
        stats: CacheStats = self._cache.stats()
        return stats

    @property
    def maxsize(self) -> float:
        """The bound given as `maxsize`; infinite where that was None."""
        return self._cache.maxsize  # type: ignore[no-any-return]

    @property
    def max_bytes(self) -> float | None:
        """The bound given as `max_bytes`."""
        return self._cache.max_bytes  # type: ignore[no-any-return]

    @property
    def currsize(self) -> float:
        """What `maxsize` bounds; kept errors count."""
        return self._cache.currsize  # type: ignore[no-any-return]

    # ---- copies ----

    def _apart(self, rows: Iterable[tuple[Any, Any, float, float]], cache: Any) -> Any:
        """Return a cache of the class and options of `cache`, with the results among these rows."""
        found = ((key, _result(kept, MISSING), *rest) for key, kept, *rest in rows)
        return type(cache)._from_state(cache._state([row for row in found if row[1] is not MISSING]))

    def __copy__(self) -> Any:
        cache = self._cache
        return self._apart(cache._snapshot(), cache)

    def __reduce__(self) -> Any:
        return self.__copy__().__reduce__()

    def _migrate(self, backend: str) -> Any:
        """Move the results into a cache apart from the function, which keeps following its flag."""
        cache = self._cache
        return migrate(self._apart(cache._take(), cache), backend)


def _is_result(found: Any) -> bool:
    """Whether the object found is a result that may be served, directly or in a record."""
    return found is not MISSING and (type(found) is not Kept or (found.error is None and found.current()))


def _result(found: Any, default: Any) -> Any:
    """Return a caller's copy of the result found, or `default`."""
    if not _is_result(found):
        return default
    return found.unwrap() if type(found) is Kept else found
