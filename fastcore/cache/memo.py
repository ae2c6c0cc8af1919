"""What stands behind a function decorated with @cached: its cache, its keys and how a miss is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastcore.cache.keys import arguments_key
from fastcore.cache.policy import Kept, Policy, Stopwatch, in_background, logger
from fastcore.cache.results import Copy, is_awaitable, owned, refuse_single_use
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
    copy : {"on-write", True, False}
        How each caller gets a copy of the result.
    awaited : bool
        Whether it is a plain function whose callers await what it returns.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        cache: Any,
        policy: Policy | None,
        key: Callable[..., Any] | None,
        typed: bool,
        skip: int,
        copy: Copy = False,
        awaited: bool = False,
    ) -> None:
        self.function = function
        self.cache = cache
        self.policy = policy
        self.skip = skip
        self._key = key
        self._typed = typed
        self.copy = copy
        self._awaited = awaited
        self._awaiting: AsyncMemo | None = None  # serves a plain function once it was seen to return an awaitable
        self._tasks: set[Any] = set()  # the loop itself holds its tasks only weakly
        self._name = getattr(function, "__qualname__", repr(function))

    # ---- the decorated function's own methods ----

    def key(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the key under which the result of these arguments is kept."""
        args = args[self.skip :]
        if self._key is not None:
            return self._key(*args, **kwargs)
        return arguments_key(args, kwargs, self._typed)

    def peek_key(self, key: Any, default: Any = None) -> Any:
        """Return the result kept under a key that `key` gave; looking counts and changes nothing."""
        found = self.cache.peek(key, MISSING)
        if type(found) is Kept:
            found = MISSING if found.error is not None or not found.current() else found.unwrap()
        return default if found is MISSING else found

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

    def _owned(self, value: Any) -> Any:
        """Return what the cache is to hold where no policy asks for a record: the result, or a record of it."""
        value, copied = self._taken(value)
        return Kept(value, None, copy=copied, awaited=self._awaited) if copied or self._awaited else value

    def _taken(self, value: Any) -> tuple[Any, Copy]:
        """Return a result as the cache owns it, and how callers get copies; TypeError where it serves only one."""
        refuse_single_use(value, self._name)
        value, copied = owned(value, self.copy, self._name)
        return value, self.copy if copied else False

    def find(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any) -> tuple[Any, Any]:
        """Return the key, and what the cache holds under it; a key that comes was looked up and counted already."""
        if key is not None:
            return key, self.cache.peek(key, MISSING)
        key = self.key(*args, **(kwargs or {}))
        return key, self.cache.get(key, MISSING)

    def miss(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any) -> Any:
        """Serve a call that the fast path could not."""
        named = kwargs or {}
        if self._awaiting is not None:
            return self._awaiting.serve(args, named, key)
        key, found = self.find(args, kwargs, key)
        if type(found) is Kept and found.awaited:  # restored from a file
            return self._await_from_now_on().serve(args, named, key)
        policy = self.policy
        if policy is None:
            if found is MISSING:
                found = fly(self.cache, key, lambda: self._compute(args, named), lambda value: self._keep(key, value))
        elif type(found) is Kept and found.current():
            if policy.needs_refresh(found, self.cache.ttl_remaining(key)) and found.take_ticket():
                in_background(lambda: self._refresh(policy, found, key, args, named), self._name)
            return found.unwrap()
        else:
            found = fly(
                self.cache,
                key,
                lambda: self._compute_kept(policy, args, named),
                lambda kept: self._keep_for(policy, key, kept),
                lambda: self._find_current(key),
            )
        if type(found) is Returned:
            memo = self._await_from_now_on()
            first = found.take()
            return memo.serve(args, named, key) if first is None else memo.serve_first(first, args, named, key)
        return _given(found)

    def _await_from_now_on(self) -> AsyncMemo:
        if self._awaiting is None:

            async def function(*args: Any, **kwargs: Any) -> Any:
                value = self.function(*args, **kwargs)
                return await value if is_awaitable(value) else value

            function.__qualname__ = self._name
            memo = AsyncMemo(function, self.cache, self.policy, self._key, self._typed, self.skip, self.copy, True)
            self._awaiting = memo
        return self._awaiting

    def _compute(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = self._call(args, kwargs)
        return Returned(value) if is_awaitable(value) else self._owned(value)

    def _compute_kept(self, policy: Policy, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tags = policy.label(args[self.skip :], kwargs)
        watch = Stopwatch()
        try:
            value = self._call(args, kwargs)
            if is_awaitable(value):
                return Returned(value)
            value, copied = self._taken(value)
            return Kept(value, None, tags, watch.elapsed(), copied)
        except Exception as error:
            if policy.negative_ttl is None:
                raise
            return Kept(None, error, tags, watch.elapsed())

    def _refresh(self, policy: Policy, old: Kept, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            kept = self._compute_kept(policy, args, kwargs)
            if (
                type(kept) is Kept and self.cache.peek(key, MISSING) is old
            ):  # else it was invalidated, or replaced by someone faster
                if kept.error is not None:
                    raise kept.error
                self._keep_for(policy, key, kept)
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
        if type(value) is Returned:
            return
        weight = self.cache.getsizeof(value.value if type(value) is Kept else value)
        if self._fits(weight):
            self.cache.set(key, value, weight=weight)

    def _keep_for(self, policy: Policy, key: Any, kept: Any) -> None:
        if type(kept) is Returned:
            return
        fresh, total = policy.lifetime(kept)
        weight = self.cache.getsizeof(kept.value)
        if total > 0 and self._fits(weight):
            kept.spare = 0.0 if total == fresh else total - fresh
            self.cache.set(key, kept, ttl=total, weight=weight)


def _given(found: Any) -> Any:
    """Return a caller's own of what the cache holds; an error that was just raised keeps the traceback it has."""
    if type(found) is not Kept:
        return found
    if found.error is not None:
        raise found.error
    return found.unwrap()


class Returned:
    """An awaitable that a plain function returned: it is for one caller of those who waited, and not kept."""

    __slots__ = ("_awaitable",)

    def __init__(self, awaitable: Any) -> None:
        self._awaitable = [awaitable]

    def take(self) -> Any:
        """Return the awaitable to the first who asks, None to the others."""
        try:
            return self._awaitable.pop()
        except IndexError:
            return None


class AsyncMemo(Memo):
    """The results of one coroutine function."""

    async def serve(self, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        """Serve a call that the fast path could not."""
        return await self._serve(lambda: self._call(args, kwargs), args, kwargs, key)

    async def serve_first(self, first: Any, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        """Serve the call of a plain function that has returned the awaitable `first`."""
        begun = [first]
        try:
            return await self._serve(lambda: begun.pop() if begun else self._call(args, kwargs), args, kwargs, key)
        finally:
            if begun and hasattr(first, "close"):  # another caller's was faster
                first.close()

    async def _serve(self, call: Callable[[], Any], args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        key, found = self.find(args, kwargs, key)
        policy = self.policy
        if policy is None:
            if found is MISSING:
                found = await fly_async(
                    self.cache, key, lambda: self._compute_async(call), lambda value: self._keep(key, value)
                )
            return _given(found)
        if type(found) is Kept and found.current():
            if policy.needs_refresh(found, self.cache.ttl_remaining(key)) and found.take_ticket():
                self._start_refresh(policy, found, key, args, kwargs)
            return found.unwrap()
        kept: Kept = await fly_async(
            self.cache,
            key,
            lambda: self._compute_kept_async(policy, call, args, kwargs),
            lambda kept: self._keep_for(policy, key, kept),
            lambda: self._find_current(key),
        )
        return _given(kept)

    async def _compute_async(self, call: Callable[[], Any]) -> Any:
        return self._owned(await call())

    async def _compute_kept_async(
        self, policy: Policy, call: Callable[[], Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Kept:
        tags = policy.label(args[self.skip :], kwargs)
        watch = Stopwatch()
        try:
            value, copied = self._taken(await call())
            return Kept(value, None, tags, watch.elapsed(), copied, self._awaited)
        except Exception as error:
            if policy.negative_ttl is None:
                raise
            return Kept(None, error, tags, watch.elapsed(), awaited=self._awaited)

    def _start_refresh(
        self, policy: Policy, old: Kept, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        import asyncio

        async def refresh() -> None:
            try:
                kept = await self._compute_kept_async(policy, lambda: self._call(args, kwargs), args, kwargs)
                if self.cache.peek(key, MISSING) is old:
                    if kept.error is not None:
                        raise kept.error
                    self._keep_for(policy, key, kept)
            except Exception:
                logger.warning("refreshing %s failed; the old result stays", self._name, exc_info=True)
            finally:
                old.tickets.append(None)

        task = asyncio.get_running_loop().create_task(refresh())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
