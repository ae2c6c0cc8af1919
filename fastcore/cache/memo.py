"""What stands behind a function decorated with @cached: its cache, its keys and how a miss is served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fastcore.cache.keys import arguments_key
from fastcore.cache.policy import Kept, Policy, Stopwatch, Tag, in_background, logger
from fastcore.cache.results import Copy, is_awaitable, owned, refuse_single_use
from python_fallback.cache.errors import as_kept
from python_fallback.cache.flight import MISSING
from python_fallback.cache.seat import Seat, fly_async
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
        return self.cache.pop(key, MISSING) is not MISSING

    def cache_clear(self) -> None:
        """Drop every result; those being computed will not be kept."""
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

    def _owned(self, value: Any, tags: tuple[Tag, ...], watch: Stopwatch) -> Any:
        """Return what the cache is to hold: the result or a record of it; TypeError where it serves only one caller."""
        took = watch.elapsed()
        refuse_single_use(value, self._name)
        value, copied = owned(value, self.copy, self._name)
        if self.policy is None and not copied and not self._awaited:
            return value
        return Kept(value, None, tags, took, self.copy if copied else False, self._awaited)

    def find(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any) -> tuple[Any, Any]:
        """Return the key, and what the cache holds under it; a key that comes was looked up and counted already."""
        if key is not None:
            return key, self.cache.peek(key, MISSING)
        key = self.key(*args, **(kwargs or {}))
        return key, self.cache.get(key, MISSING)

    def miss(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any, old: Kept | None = None) -> Any:
        """Serve a call that the fast path could not; with `old`, compute what takes the place of that."""
        named = kwargs or {}
        if self._awaiting is not None:
            return self._awaiting.serve(args, named, key)
        policy = self.policy
        if old is None:
            key, found = self.find(args, kwargs, key)
            if type(found) is Kept and found.awaited:  # restored from a file
                return self._await_from_now_on().serve(args, named, key)
            if policy is None and found is not MISSING:
                return _given(found)
            if policy is not None and type(found) is Kept and found.current():
                if policy.needs_refresh(found, self.cache.ttl_remaining(key)) and found.take_ticket():
                    in_background(lambda: self._refresh(found, key, args, named), self._name)
                return found.unwrap()
        tags = () if policy is None else policy.label(args[self.skip :], named)
        find = None if policy is None else lambda: self._find_current(key, old)
        with Seat(self.cache, key, find, tags) as seat:  # what calls itself gets deep: no frame between here and there
            if seat.value is MISSING:
                watch = Stopwatch()
                try:
                    value = self.function(*args, **named)
                except Exception as error:
                    if old is None:
                        self._keep_error(seat.permit, key, error, seat.outer, tags, watch.elapsed())
                    raise
                seat.value = Returned(value) if is_awaitable(value) else self._owned(value, tags, watch)
                self._keep(seat.permit, key, seat.value)
        if type(seat.value) is Returned:
            memo = self._await_from_now_on()
            first = seat.value.take()
            return memo.serve(args, named, key) if first is None else memo.serve_first(first, args, named, key)
        return _given(seat.value)

    def _await_from_now_on(self) -> AsyncMemo:
        if self._awaiting is None:

            async def function(*args: Any, **kwargs: Any) -> Any:
                value = self.function(*args, **kwargs)
                return await value if is_awaitable(value) else value

            function.__qualname__ = self._name
            memo = AsyncMemo(function, self.cache, self.policy, self._key, self._typed, self.skip, self.copy, True)
            self._awaiting = memo
        return self._awaiting

    def _refresh(self, old: Kept, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            self.miss(args, kwargs, key, old)
        finally:
            old.tickets.append(None)

    def _find_current(self, key: Any, old: Kept | None = None) -> Any:
        """Return what the cache holds if it is fresh, and not the `old` that is to be replaced."""
        found = self.cache.peek(key, MISSING)
        if type(found) is not Kept or found is old or not found.current():
            return MISSING
        remaining = self.cache.ttl_remaining(key)
        return found if remaining is not None and remaining > found.spare else MISSING

    def _fits(self, weight: float) -> bool:
        cache = self.cache
        bound = cache.maxsize if cache.max_bytes is None else cache.max_bytes
        return bool(weight <= bound and cache.maxsize >= 1)

    def _keep(self, permit: list[None], key: Any, value: Any) -> None:
        """Store what was computed, if it still may be and has room."""
        if not permit or type(value) is Returned:
            return
        total = None
        if self.policy is not None:
            fresh, total = self.policy.lifetime(value)
            value.spare = 0.0 if total == fresh else total - fresh
        weight = self.cache.getsizeof(value.value if type(value) is Kept else value)
        if (total is None or total > 0) and self._fits(weight):
            self.cache._store_if(permit, key, value, total, weight)

    def _keep_error(
        self,
        permit: list[None],
        key: Any,
        error: Exception,
        outer: BaseException | None,
        tags: tuple[Tag, ...],
        took: float,
    ) -> None:
        if self.policy is not None and self.policy.negative_ttl is not None:
            self._keep(permit, key, Kept(None, as_kept(error, outer), tags, took, awaited=self._awaited))


def _given(found: Any) -> Any:
    """Return a caller's own of what the cache holds."""
    return found.unwrap() if type(found) is Kept else found


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
            return _given(await self._computed(call, args, kwargs, key) if found is MISSING else found)
        if type(found) is not Kept or not found.current():
            return _given(await self._computed(call, args, kwargs, key))
        if policy.needs_refresh(found, self.cache.ttl_remaining(key)) and found.take_ticket():
            self._start_refresh(found, args, kwargs, key)
        return found.unwrap()

    async def _computed(
        self,
        call: Callable[[], Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        key: Any,
        old: Kept | None = None,
    ) -> Any:
        policy = self.policy
        tags = () if policy is None else policy.label(args[self.skip :], kwargs)

        async def compute(permit: list[None]) -> Any:
            watch = Stopwatch()
            try:
                value = await call()
            except Exception as error:
                if old is None:
                    self._keep_error(permit, key, error, None, tags, watch.elapsed())
                raise
            value = self._owned(value, tags, watch)
            self._keep(permit, key, value)
            return value

        find = None if policy is None else lambda: self._find_current(key, old)
        return await fly_async(self.cache, key, compute, find, tags)

    def _start_refresh(self, old: Kept, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> None:
        import asyncio

        async def refresh() -> None:
            try:
                await self._computed(lambda: self._call(args, kwargs), args, kwargs, key, old)
            except Exception:
                logger.warning("refreshing %s failed; the old result stays", self._name, exc_info=True)
            finally:
                old.tickets.append(None)

        task = asyncio.get_running_loop().create_task(refresh())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
