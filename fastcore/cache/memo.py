"""How a decorated function's calls are served that the call object leaves to Python: misses, records, refreshes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from fastcore.cache.keys import arguments_key
from fastcore.cache.policy import Kept, Policy, Stopwatch, Tag, in_background, logger
from fastcore.cache.results import Copy, is_awaitable, owned, refuse_single_use
from python_fallback.cache.errors import as_kept
from python_fallback.cache.flight import MISSING
from python_fallback.cache.seat import Seat
from python_fallback.cache.shape import shape_of

__all__ = ["Memo", "SyncMemo"]


class Memo:
    """The results of one function, or of one instance's method: what plain and coroutine functions have in common.

    Parameters
    ----------
    function : callable
    options : Options
    storage : Storage
        The cache of the results.
    skip : int
        Leading arguments that are not part of the key.
    awaited : bool
        Whether it is a plain function whose callers await what it returns.
    """

    def __init__(
        self, function: Callable[..., Any], options: Options, storage: Storage, skip: int = 0, awaited: bool = False
    ) -> None:
        self.function = function
        self.options = options
        self.policy = options.policy
        self.storage = storage
        self.skip = skip
        self.shape = shape_of(
            function, skip, typed=options.typed, normalize=options.normalize, keyed=options.key is not None
        )
        self.outage = Outage(options.label)
        self._awaited = awaited

    # ---- keys and what is found under them ----

    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the key under which the result of these arguments is kept."""
        args = args[self.skip :]
        if self.options.key is not None:
            return self.options.key(*args, **kwargs)
        return arguments_key(args, kwargs, self.shape)

    def current(self, key: Any) -> Any:
        """Return the result or record that may be served, or MISSING; looking counts and changes nothing."""
        found = self.storage.cache.peek(key, MISSING)
        return MISSING if type(found) is Kept and not found.current() else found

    def peek(self, key: Any, default: Any = None) -> Any:
        """Return a caller's own of the result that is kept, or `default`; errors are no results."""
        found = self.current(key)
        if type(found) is Kept:
            return default if found.error is not None else found.unwrap()
        return default if found is MISSING else found

    def current_fresh(self, key: Any) -> Any:
        """Return what `current` does if it is no stale one."""
        found = self.current(key)
        if type(found) is Kept and found.spare:
            remaining = self.storage.cache.ttl_remaining(key)
            return found if remaining is not None and remaining > found.spare else MISSING
        return found

    def look_up(self, key: Any) -> Any:
        """Return what `current` does, and count the hit or miss."""
        cache = self.storage.cache
        found = cache.get(key, MISSING)
        if type(found) is Kept and not found.current():
            cache._count(-1, 1)
            return MISSING
        return found

    # ---- hits that are judged ----

    def served(self, found: Any, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if type(found) is not Kept:
            return found
        if self.due(found, key):
            self.start_refresh(found, key, args, kwargs)
        return found.unwrap()

    def due(self, found: Kept, key: Any) -> bool:
        return self.policy.needs_refresh(found, self.storage.cache.ttl_remaining(key))

    def start_refresh(self, old: Kept, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Refresh a record in the background, unless that is being done or failed a moment ago."""
        raise NotImplementedError

    def renew(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute the result of these arguments now, keep it and return it; the old one stays until then."""
        raise NotImplementedError

    def refreshed(self, attempts: Attempts) -> None:
        if attempts.failures:
            self.outage.recovered()
        attempts.ended()

    # ---- keeping ----

    def taken(self, value: Any, tags: tuple[Any, ...], took: float) -> Any:
        """Return what the cache is to hold of a result: itself, or a record; TypeError where it serves only one."""
        name = self.options.label
        refuse_single_use(value, name)
        value, copied = owned(value, self.options.copy, name)
        mode: Copy = self.options.copy if copied else False
        if copied or self._awaited or self.policy.records:
            return Kept(value, None, tags, took, mode, self._awaited)
        return value

    def keep(self, key: Any, found: Any, permit: list[None]) -> bool:
        """Store what `taken` gave while the permit lasts; False where it is not to be kept."""
        if type(found) is Returned or not permit:
            return False
        record = found if type(found) is Kept else None
        value, error = (found, None) if record is None else (record.value, record.error)
        policy = self.policy
        if error is None and not policy.accepts(value):
            return False
        fresh, total = policy.lifetime(value, error)
        if record is not None:
            policy.prepare(record, fresh, total)
        cache = self.storage.cache
        weight = cache.getsizeof(value)
        if not total > 0 or not self.storage.fits(weight):
            return False
        cache._store_if(permit, key, found, total, weight)
        return True

    def keep_error(
        self, key: Any, error: Exception, outer: BaseException | None, tags: tuple[Any, ...], permit: list[None]
    ) -> None:
        """Store an error that a computation raised, without frames and without what its caller was handling."""
        kept = copy_error(error, outer=outer, frames=False)
        self.keep(key, Kept(None, kept, tags, awaited=self._awaited), permit)


class SyncMemo(Memo):
    """The results of a plain function."""

    def __init__(self, function: Callable[..., Any], options: Options, storage: Storage, skip: int = 0) -> None:
        super().__init__(function, options, storage, skip)
        self._awaiting: Any = None  # an AsyncMemo, once the function was seen to return an awaitable

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
            return self._awaiting.miss(args, named, key)
        if key is None:
            key = self.key(args, named)
        found = self.look_up(key)
        if found is not MISSING:
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

    def _given(self, found: Any, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        if type(found) is Returned:
            memo = self.awaiting()
            first = found.take()
            return memo.miss(args, kwargs, key) if first is None else memo.serve_first(first, args, kwargs, key)
        return found.unwrap() if type(found) is Kept else found

    def taken(self, value: Any, tags: tuple[Any, ...], took: float) -> Any:
        return Returned(value) if is_awaitable(value) else super().taken(value, tags, took)

    def awaiting(self) -> Any:
        """Return what serves a plain function whose callers await what it returns."""
        if self._awaiting is None:
            from fastcore.cache.async_memo import AsyncMemo

            call = self.function

            async def function(*args: Any, **kwargs: Any) -> Any:
                value = call(*args, **kwargs)
                return await value if is_awaitable(value) else value

            memo = AsyncMemo(function, self.options, self.storage, self.skip, awaited=True)
            memo.shape = self.shape
            self._awaiting = memo
        return self._awaiting

    # ---- refreshing ----

    def start_refresh(self, old: Kept, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        attempts = old.attempts = old.attempts or Attempts()
        if attempts.begin(None) and not in_background(lambda: self._refresh(old, attempts, key, args, kwargs)):
            attempts.failed()

    def _refresh(self, old: Kept, attempts: Attempts, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            if self.storage.cache.peek(key, MISSING) is not old:  # invalidated, or replaced by someone faster
                attempts.ended()
            elif self.compute_now(key, args, kwargs)[1]:
                self.refreshed(attempts)
            else:
                attempts.failed()
        except BaseException as error:
            attempts.failed()
            if not isinstance(error, Exception):
                raise
            self.outage.failed(error)

    def compute_now(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, bool]:
        """Compute a result whatever the cache holds; return it, and whether it is kept. Errors are not kept."""
        tags = self.policy.label(args[self.skip :], kwargs)
        kept = True
        with Seat(self.storage.cache, key, lambda: MISSING, tags) as seat:
            if seat.value is MISSING:
                start = time.perf_counter()
                seat.value = self.taken(self.function(*args, **kwargs), tags, time.perf_counter() - start)
                kept = self.keep(key, seat.value, seat.permit)
                if kept and self.options.kept is not None:
                    self.options.kept(self, key, args, kwargs)
        return seat.value, kept

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
