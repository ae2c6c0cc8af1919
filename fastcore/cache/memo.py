"""Calls of a decorated function that the call object passes to Python: misses, records, refreshes."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

from fastcore.cache.keys import arguments_key
from fastcore.cache.options import Options
from fastcore.cache.record import Kept
from fastcore.cache.refresh import Attempts, Outage
from fastcore.cache.results import Copy, owned, refuse_single_use
from fastcore.cache.storage import Storage
from python_fallback.shared.cache.errors import as_kept
from python_fallback.shared.cache.shape import MISSING, shape_of

__all__ = ["Memo"]


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
        """Return a caller's copy of the cached result, or `default`; errors are no results."""
        found = self.current(key)
        if type(found) is Kept:
            return default if found.error is not None else found.unwrap()
        return default if found is MISSING else found

    def current_fresh(self, key: Any) -> Any:
        """Return the result of `current` unless it is stale."""
        found = self.current(key)
        if type(found) is Kept and found.spare:
            remaining = self.storage.cache.ttl_remaining(key)
            return found if remaining is not None and remaining > found.spare else MISSING
        return found

    def look_up(self, key: Any) -> Any:
        """Return the result of `current`, and count the hit or miss."""
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

    def renew(self, args: tuple[Any, ...], kwargs: dict[str, Any], keys: list[Any]) -> Any:
        """Compute the result of these arguments now, keep it and return it; the old one stays until then.

        The first key is that of the call as it is written, the others are those of other ways to write it.
        """
        raise NotImplementedError

    @contextlib.contextmanager
    def trying(self, attempts: Attempts) -> Iterator[None]:
        """Schedule another attempt for a refresh that fails; its error is logged."""
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
        if not permit:
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

    def share(self, found: Any, others: list[Any]) -> None:
        """Store a result under further keys of the same call, where these have an older result."""
        with self.storage.lock:
            cache = self.storage.follow()
            for key in others:
                cache._flights.disown(key)
                if cache.peek(key, MISSING) is not MISSING:
                    self.keep(key, copy.copy(found) if type(found) is Kept else found, [None])

    def keep_error(
        self, key: Any, error: Exception, outer: BaseException | None, tags: tuple[Any, ...], permit: list[None]
    ) -> None:
        """Store an error that a computation raised, without frames and without what its caller was handling."""
        self.keep(key, Kept(None, as_kept(error, outer), tags, awaited=self._awaited), permit)
