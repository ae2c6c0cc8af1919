"""Calls of a decorated function that the call object passes to Python."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastcore.cache.async_memo import AsyncMemo
from fastcore.cache.memo import Memo
from fastcore.cache.options import Options
from fastcore.cache.record import Kept
from fastcore.cache.refresh import Attempts, in_background
from fastcore.cache.results import is_awaitable
from fastcore.cache.storage import Storage
from python_fallback.shared.cache.seat import Computation, Seat
from python_fallback.shared.cache.shape import MISSING
from python_fallback.shared.cache.singleflight import aboard

__all__ = ["SyncMemo"]


class SyncMemo(Memo):
    """The results of a plain function."""

    def __init__(self, function: Callable[..., Any], options: Options, storage: Storage, skip: int = 0) -> None:
        super().__init__(function, options, storage, skip)
        self._awaiting: Any = None  # an AsyncMemo, once the function was seen to return an awaitable

    # ---- serving ----

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any) -> Any:
        """Return the answer to a call that the call object could not serve, or the computation of it."""
        named = kwargs or {}
        if self._awaiting is not None:
            return self._awaiting.miss(args, named, key)
        if key is None:
            key = self.key(args, named)
        found = self.look_up(key)
        if found is MISSING:
            return Computed(self, key, args, named)
        if type(found) is Kept and found.awaited:  # restored from a file
            return self.awaiting().miss(args, named, key)
        return self.served(found, key, args, named)

    def miss(self, args: tuple[Any, ...], kwargs: dict[str, Any] | None, key: Any) -> Any:
        """Serve a call that the call object could not."""
        # One frame from here to the function: recursion goes nearly as deep as without the cache.
        answer = self.begin(args, kwargs, key)
        if type(answer) is not Computed:
            return answer
        try:
            with answer:
                if answer.value is MISSING:
                    answer.value = self.function(*args, **(kwargs or {}))
            return answer.result()
        finally:
            del answer  # an error would make a cycle through this frame

    def given(self, found: Any, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> Any:
        if type(found) is Returned:
            memo = self.awaiting()
            first = found.take()
            return memo.miss(args, kwargs, key) if first is None else memo.serve_first(first, args, kwargs, key)
        return found.unwrap() if type(found) is Kept else found

    def taken(self, value: Any, tags: tuple[Any, ...], took: float) -> Any:
        return Returned(value) if is_awaitable(value) else super().taken(value, tags, took)

    def keep(self, key: Any, found: Any, permit: list[None]) -> bool:
        return type(found) is not Returned and super().keep(key, found, permit)

    def awaiting(self) -> Any:
        """Return what serves a plain function whose callers await what it returns."""
        if self._awaiting is None:
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
        aboard.set(())  # no computation waits for this one, though one may have started it
        with self.trying(attempts):
            if self.storage.cache.peek(key, MISSING) is not old:  # invalidated, or replaced by a faster caller
                attempts.ended()
            else:
                self.refreshed(attempts, self.compute_now(key, args, kwargs)[1])

    def compute_now(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, bool]:
        """Compute a result without reading the cache; return it, and whether it is cached. Errors are not cached."""
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

    def renew(self, args: tuple[Any, ...], kwargs: dict[str, Any], keys: list[Any]) -> Any:
        if self._awaiting is not None:
            return self._awaiting.renew(args, kwargs, keys)
        key, *others = keys
        self.storage.cache._flights.disown(key)
        found, kept = self.compute_now(key, args, kwargs)
        if kept:
            self.share(found, others)
        return self.given(found, args, kwargs, key)


class Computed(Computation):
    """The computation of one call's result, which it keeps."""

    __slots__ = ("_args", "_computes", "_kwargs", "_labels", "_memo", "_start")

    def __init__(self, memo: SyncMemo, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._labels = memo.policy.label(args[memo.skip :], kwargs)
        super().__init__(memo.storage.cache, key, lambda: memo.current_fresh(key), self._labels)
        self.function = memo.function
        self._memo = memo
        self._args = args
        self._kwargs = kwargs
        self._computes = False

    def __enter__(self) -> Computed:
        super().__enter__()
        self._computes = self.value is MISSING
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> None:
        if self._computes:
            try:
                self._keep(error)
            except BaseException as failure:
                super().__exit__(type(failure), failure, None)
                raise
        super().__exit__(kind, error, traceback)

    def _keep(self, error: BaseException | None) -> None:
        memo, key, permit = self._memo, self._key, self.permit
        if error is None:
            self.value = memo.taken(self.value, self._labels, time.perf_counter() - self._start)
            if memo.keep(key, self.value, permit) and memo.options.kept is not None:
                memo.options.kept(memo, key, self._args, self._kwargs)
        elif isinstance(error, Exception) and memo.policy.negative_ttl is not None:
            memo.keep_error(key, error, self.outer, self._labels, permit)

    def result(self) -> Any:
        return self._memo.given(self.value, self._args, self._kwargs, self._key)


class Returned:
    """An awaitable that a plain function returned: it goes to one of the waiting callers and is not cached."""

    __slots__ = ("_awaitable",)

    def __init__(self, awaitable: Any) -> None:
        self._awaitable = [awaitable]

    def take(self) -> Any:
        """Return the awaitable to the first caller, None to the others."""
        try:
            return self._awaitable.pop()
        except IndexError:
            return None
