"""What stands behind a function decorated with @cached: its cache, its keys and how a miss is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastcore.cache.keys import arguments_key
from fastcore.cache.policy import Kept, Policy, Stopwatch, in_background, logger
from python_fallback.cache.flight import MISSING, fly, fly_async
from python_fallback.cache.stats import CacheStats

__all__ = ["CacheInfo", "Memo"]


class CacheInfo(NamedTuple):
    """As ``functools.lru_cache`` gives it."""

    hits: int
    misses: int
    maxsize: float
    currsize: float


class Memo:
    """The results of one function.

    Parameters
    ----------
    function : callable
    cache : cache of fastcore
    policy : Policy or None
        None: results are kept as they are, for as long as the cache keeps them.
    key : callable or None
        ``key(*args, **kwargs)`` instead of the arguments themselves.
    typed : bool
    skip : int
        Leading arguments that are left out of the key.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        cache: Any,
        policy: Policy | None,
        key: Callable[..., Any] | None,
        typed: bool,
        skip: int,
    ) -> None:
        self.function = function
        self.cache = cache
        self.policy = policy
        self.skip = skip
        self._key = key
        self._typed = typed
        self._tasks: set[Any] = set()  # the loop itself holds its tasks only weakly
        self._name = getattr(function, "__qualname__", repr(function))

    # ---- the decorated function's own methods ----

    def key(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the key under which the result of these arguments is kept."""
        args = args[self.skip :]
        if self._key is not None:
            return self._key(*args, **kwargs)
        return arguments_key(args, kwargs, self._typed)

    def invalidate(self, /, *args: Any, **kwargs: Any) -> bool:
        """Drop the result of these arguments; one that is being computed will not be kept. False if there was none."""
        key = self.key(*args, **kwargs)
        self.cache._flights.disown(key)
        return self.cache.pop(key, MISSING) is not MISSING

    def cache_clear(self) -> None:
        """Drop every result; those being computed will not be kept."""
        self.cache._flights.disown_all()
        self.cache.clear()
        self.cache._set_counters(0, 0, 0, 0, 0, 0)

    def cache_info(self) -> CacheInfo:
        """Return hits, misses and sizes."""
        stats = self.cache.stats()
        return CacheInfo(stats.hits, stats.misses, self.cache.maxsize, self.cache.currsize)

    def stats(self) -> CacheStats:
        """Return the cache's statistics."""
        stats: CacheStats = self.cache.stats()
        return stats

    # ---- serving ----

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.function(*args, **kwargs)

    def find(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any) -> tuple[Any, Any]:
        """Return the key, and what the cache holds under it; a key that comes was looked up and counted already."""
        if key is not None:
            return key, self.cache.peek(key, MISSING)
        key = self.key(*args, **(kwargs or {}))
        return key, self.cache.get(key, MISSING)

    def miss(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any) -> Any:
        """Serve a call that the fast path could not."""
        key, found = self.find(args, kwargs, key)
        named = kwargs or {}
        policy = self.policy
        if policy is None:
            if found is not MISSING:
                return found
            return fly(self.cache, key, lambda: self._call(args, named), lambda value: self._keep(key, value))
        if type(found) is Kept and found.current():
            if policy.needs_refresh(found, self.cache.ttl_remaining(key)) and found.take_ticket():
                in_background(lambda: self._refresh(found, key, args, named), self._name)
            return found.unwrap()
        kept: Kept = fly(
            self.cache,
            key,
            lambda: self._compute(policy, args, named),
            lambda kept: self._keep_for(policy, key, kept),
            lambda: self._find_current(key),
        )
        return _first(kept)

    def _compute(self, policy: Policy, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Kept:
        tags = policy.label(args[self.skip :], kwargs)
        watch = Stopwatch()
        try:
            return Kept(self._call(args, kwargs), None, tags, watch.elapsed())
        except Exception as error:
            if policy.negative_ttl is None:
                raise
            return Kept(None, error, tags, watch.elapsed())

    def _refresh(self, old: Kept, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        assert self.policy is not None
        try:
            kept = self._compute(self.policy, args, kwargs)
            if self.cache.peek(key, MISSING) is old:  # else it was invalidated, or replaced by someone faster
                if kept.error is not None:
                    raise kept.error
                self._keep_for(self.policy, key, kept)
        finally:
            old.tickets.append(None)

    def _find_current(self, key: Any) -> Any:
        found = self.cache.peek(key, MISSING)
        if type(found) is not Kept or not found.current():
            return MISSING
        remaining = self.cache.ttl_remaining(key)
        return found if remaining is not None and remaining > found.spare else MISSING

    def _fits(self, weight: float) -> bool:
        cache = self.cache
        bound = cache.maxsize if cache.max_bytes is None else cache.max_bytes
        return bool(weight <= bound and cache.maxsize >= 1)

    def _keep(self, key: Any, value: Any) -> None:
        weight = self.cache.getsizeof(value)
        if self._fits(weight):
            self.cache.set(key, value, weight=weight)

    def _keep_for(self, policy: Policy, key: Any, kept: Kept) -> None:
        fresh, total = policy.lifetime(kept)
        weight = self.cache.getsizeof(kept.value)
        if total > 0 and self._fits(weight):
            kept.spare = 0.0 if total == fresh else total - fresh
            self.cache.set(key, kept, ttl=total, weight=weight)


def _first(kept: Kept) -> Any:
    """Return a result that was just computed, or raise its error with the traceback it has."""
    if kept.error is not None:
        raise kept.error
    return kept.value


class AsyncMemo(Memo):
    """The results of one coroutine function."""

    async def serve(self, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        """Serve a call that the fast path could not."""
        key, found = self.find(args, kwargs, key)
        policy = self.policy
        if policy is None:
            if found is not MISSING:
                return found
            return await fly_async(
                self.cache, key, lambda: self._call(args, kwargs), lambda value: self._keep(key, value)
            )
        if type(found) is Kept and found.current():
            if policy.needs_refresh(found, self.cache.ttl_remaining(key)) and found.take_ticket():
                self._start_refresh(found, key, args, kwargs)
            return found.unwrap()
        kept: Kept = await fly_async(
            self.cache,
            key,
            lambda: self._compute_async(policy, args, kwargs),
            lambda kept: self._keep_for(policy, key, kept),
            lambda: self._find_current(key),
        )
        return _first(kept)

    async def _compute_async(self, policy: Policy, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Kept:
        tags = policy.label(args[self.skip :], kwargs)
        watch = Stopwatch()
        try:
            return Kept(await self._call(args, kwargs), None, tags, watch.elapsed())
        except Exception as error:
            if policy.negative_ttl is None:
                raise
            return Kept(None, error, tags, watch.elapsed())

    def _start_refresh(self, old: Kept, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        import asyncio

        async def refresh() -> None:
            assert self.policy is not None
            try:
                kept = await self._compute_async(self.policy, args, kwargs)
                if self.cache.peek(key, MISSING) is old:
                    if kept.error is not None:
                        raise kept.error
                    self._keep_for(self.policy, key, kept)
            except Exception:
                logger.warning("refreshing %s failed; the old result stays", self._name, exc_info=True)
            finally:
                old.tickets.append(None)

        task = asyncio.get_running_loop().create_task(refresh())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
