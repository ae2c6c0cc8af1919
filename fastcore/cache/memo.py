"""How a decorated function's calls are served that the call object leaves to Python: misses, records, refreshes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from fastcore.cache.keys import arguments_key
from fastcore.cache.options import Options
from fastcore.cache.record import Kept
from fastcore.cache.refresh import Attempts, Outage, in_background
from fastcore.cache.results import Copy, is_awaitable, owned, refuse_single_use
from fastcore.cache.storage import Storage
from python_fallback.shared.cache.errors import as_kept
from python_fallback.shared.cache.seat import Computation, Seat
from python_fallback.shared.cache.shape import MISSING, shape_of

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

    @contextlib.contextmanager
    def trying(self, attempts: Attempts) -> Iterator[None]:
        """Let a refresh that fails be tried again later; what it raises is logged."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception):
                self.outage.failed(error)
            attempts.failed()
            if not isinstance(error, Exception):
                raise

    def refreshed(self, attempts: Attempts, kept: bool) -> None:
        """End a refresh that raised nothing; a result that is not kept leaves the old one."""
        if not kept:
            attempts.failed()
            return
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
        self.keep(key, Kept(None, as_kept(error, outer), tags, awaited=self._awaited), permit)


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
        with self.trying(attempts):
            if self.storage.cache.peek(key, MISSING) is not old:  # invalidated, or replaced by someone faster
                attempts.ended()
            else:
                self.refreshed(attempts, self.compute_now(key, args, kwargs)[1])

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

    def renew(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._awaiting is not None:
            return self._awaiting.renew(args, kwargs)
        key = self.key(args, kwargs)
        self.storage.cache._flights.disown(key)
        return self.given(self.compute_now(key, args, kwargs)[0], args, kwargs, key)


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
