"""Calls of a decorated coroutine function that the call object passes to Python."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

from fastcore.cache.memo import Memo
from fastcore.cache.record import Kept
from fastcore.cache.refresh import Attempts
from python_fallback.shared.cache.seat import fly_async
from python_fallback.shared.cache.shape import MISSING
from python_fallback.shared.cache.singleflight import aboard

__all__ = ["AsyncMemo", "ready"]

_tasks: set[asyncio.Task[None]] = set()  # the loop itself holds its tasks only weakly


async def ready(value: Any) -> Any:
    """Return a result to the caller who awaits it."""
    return value


class AsyncMemo(Memo):
    """The results of one coroutine function."""

    async def miss(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any) -> Any:
        """Serve a call that the call object could not."""
        named = kwargs or {}
        return await self._serve(lambda: self.function(*args, **named), args, named, key)

    begin = miss

    async def serve_first(self, first: Any, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        """Serve the call of a plain function that has returned the awaitable `first`."""
        begun = [first]
        try:
            return await self._serve(
                lambda: begun.pop() if begun else self.function(*args, **kwargs), args, kwargs, key
            )
        finally:
            if begun and hasattr(first, "close"):  # another caller was faster
                first.close()

    async def _serve(self, call: Callable[[], Any], args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        if key is None:
            key = self.key(args, kwargs)
        found = self.look_up(key)
        if found is not MISSING:
            return self.served(found, key, args, kwargs)
        found = await self._compute(call, args, kwargs, key)
        return found.unwrap() if type(found) is Kept else found

    async def _compute(self, call: Callable[[], Any], args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        policy = self.policy
        tags = policy.label(args[self.skip :], kwargs)
        outer = sys.exc_info()[1] if policy.negative_ttl is not None else None

        async def compute(permit: list[None]) -> Any:
            start = time.perf_counter()
            try:
                value = await call()
            except Exception as error:
                if policy.negative_ttl is not None:
                    self.keep_error(key, error, outer, tags, permit)
                raise
            found = self.taken(value, tags, time.perf_counter() - start)
            if self.keep(key, found, permit) and self.options.kept is not None:
                self.options.kept(self, key, args, kwargs)
            return found

        return await fly_async(self.storage.cache, key, compute, lambda: self.current_fresh(key), tags)

    async def compute_now(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, bool]:
        """Compute a result without reading the cache; return it, and whether it is cached. Errors are not cached."""
        tags = self.policy.label(args[self.skip :], kwargs)
        kept = True

        async def compute(permit: list[None]) -> Any:
            nonlocal kept
            start = time.perf_counter()
            found = self.taken(await self.function(*args, **kwargs), tags, time.perf_counter() - start)
            kept = self.keep(key, found, permit)
            if kept and self.options.kept is not None:
                self.options.kept(self, key, args, kwargs)
            return found

        found = await fly_async(self.storage.cache, key, compute, lambda: MISSING, tags)
        return found, kept

    async def renew(self, args: tuple[Any, ...], kwargs: dict[str, Any], keys: list[Any]) -> Any:
        key, *others = keys
        self.storage.cache._flights.disown(key)
        found, kept = await self.compute_now(key, args, kwargs)
        if kept:
            self.share(found, others)
        return found.unwrap() if type(found) is Kept else found

    async def _refresh_on_loop(
        self, old: Kept, attempts: Attempts, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        aboard.set(())  # no computation waits for this one, though one may have started it
        with self.trying(attempts):
            if self.storage.cache.peek(key, MISSING) is not old:
                attempts.ended()
            else:
                self.refreshed(attempts, (await self.compute_now(key, args, kwargs))[1])

    def start_refresh(self, old: Kept, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        attempts = old.attempts = old.attempts or Attempts()
        if not attempts.begin(loop):
            return
        refresh = self._refresh_on_loop(old, attempts, key, args, kwargs)
        try:
            task = loop.create_task(refresh)
        except BaseException:
            refresh.close()
            attempts.failed()
            return
        _tasks.difference_update([one for one in _tasks if one.get_loop().is_closed()])
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
