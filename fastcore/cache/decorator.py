"""The decorators: results of functions, coroutine functions and methods kept in a cache."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload

from fastcore.cache import registry
from fastcore.cache.caches import LRUCache, TTLCache
from fastcore.cache.memo import AsyncMemo, CacheInfo, Memo
from fastcore.cache.policy import Kept, Policy, Tags
from fastcore.cache.results import Copy, checked_copy, is_coroutine_function, is_generator_function
from fastcore.dispatch import backends
from python_fallback.cache.call import Keywords
from python_fallback.cache.stats import CacheStats

__all__ = ["CachedFunction", "cached"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Ttl = float | timedelta | None


class CachedFunction(Protocol[P, R_co]):
    """A function whose results are kept; what it offers beside being called."""

    cache: Any
    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., R_co]: ...
    def key(self, *args: Any, **kwargs: Any) -> Any: ...
    def invalidate(self, *args: Any, **kwargs: Any) -> bool: ...
    def cache_clear(self) -> None: ...
    def cache_info(self) -> CacheInfo: ...
    def stats(self) -> CacheStats: ...


class _Decorator(Protocol):
    def __call__(self, function: Callable[P, R], /) -> CachedFunction[P, R]: ...


@overload
def cached(function: Callable[P, R], /) -> CachedFunction[P, R]: ...
@overload
def cached(
    *,
    maxsize: float = ...,
    ttl: Ttl = ...,
    max_bytes: float | None = ...,
    key: Callable[..., Any] | None = ...,
    typed: bool = ...,
    stale: Ttl = ...,
    early: bool | float = ...,
    negative_ttl: Ttl = ...,
    tags: Tags = ...,
    name: str | None = ...,
    per_instance: bool = ...,
    copy: Copy = ...,
    timer: Callable[[], float] | None = ...,
    on_evict: Callable[[Any, Any, str], object] | None = ...,
) -> _Decorator: ...
def cached(
    function: Callable[..., Any] | None = None,
    /,
    *,
    maxsize: float = 1024,
    ttl: Ttl = None,
    max_bytes: float | None = None,
    key: Callable[..., Any] | None = None,
    typed: bool = False,
    stale: Ttl = None,
    early: bool | float = False,
    negative_ttl: Ttl = None,
    tags: Tags = (),
    name: str | None = None,
    per_instance: bool = False,
    copy: Copy = "on-write",
    timer: Callable[[], float] | None = None,
    on_evict: Callable[[Any, Any, str], object] | None = None,
) -> Any:
    """Keep the results of a function, a coroutine function or a method.

    One call computes a missing result and concurrent calls with the same arguments wait for it, whether they come
    from threads or tasks. Errors reach all of them and are not kept.

    Parameters
    ----------
    maxsize : float, default 1024
        The greatest number of results.
    ttl : float or timedelta, optional
        Seconds for which a result is served; by default for ever.
    max_bytes : float, optional
        The greatest sum of their sizes; arrays, Series and DataFrames are measured.
    key : callable, optional
        ``key(*args, **kwargs)`` gives what tells calls apart. By default the arguments do: hashable ones by equality,
        arrays, Series and DataFrames (also inside lists, tuples, dicts and sets) by their content.
    typed : bool, default False
        Tell ``f(3)`` and ``f(3.0)`` apart.
    stale : float or timedelta, optional
        Seconds beyond `ttl` for which the old result is still served while one refresh runs in the background.
    early : bool or float, default False
        Refresh in the background before expiry, the likelier the longer it takes to compute (XFetch); a number is
        its factor beta.
    negative_ttl : float or timedelta, optional
        Keep an error, and a result of None, for this many seconds; the error is raised again.
    tags : iterable of str, or callable
        Names under which `invalidate_tag` finds the results; a callable gets the arguments.
    name : str, optional
        The name of the cache in `named_caches`, for monitoring and for giving memory back.
    per_instance : bool, default False
        For methods: tell instances apart. By default ``self`` (or ``cls``) is not part of the key, so **all instances
        share results**.
    copy : {"on-write", True, False}, default "on-write"
        How each caller gets a result of its own. ``"on-write"`` protects arrays, Series and DataFrames, also in lists,
        tuples, dicts, dataclasses and the like: a DataFrame or Series is a shallow copy that copies its data when it is
        edited (pandas 3 and polars; a full copy with pandas 2), an array is read-only. True gives everyone a deep copy
        of whatever it is. False gives everyone the same object, as ``functools.lru_cache`` does.
    timer : callable, optional
        The clock, in seconds; by default a monotonic one.
    on_evict : callable, optional
        As in `LRUCache`. With `stale`, `early`, `negative_ttl` or `tags`, and for results that are copied, it gets
        records of results as values.

    Returns
    -------
    CachedFunction
        With ``invalidate(*args)``, ``cache_clear()``, ``cache_info()``, ``stats()``, ``key(*args)`` and ``cache``.

    Raises
    ------
    TypeError
        On decorating a generator function, whose result can be used only once; at a call that returns a generator or
        another iterator; and at one whose arguments can neither be hashed nor keyed by content.
    """
    policy = Policy.of(ttl, stale, early, negative_ttl, tags)
    if key is not None and not callable(key):
        raise TypeError(f"key: expected a callable or None, got {type(key).__name__}")
    mode = checked_copy(copy)
    options: dict[str, Any] = {"timer": timer, "max_bytes": max_bytes, "on_evict": on_evict}

    def decorate(function: Callable[..., Any]) -> Any:
        if is_generator_function(function):
            raise TypeError(f"function: expected one that returns its result, got the generator {function!r}")
        if not callable(function):
            raise TypeError(f"function: expected a callable, got {type(function).__name__}")
        plain_ttl = ttl if policy is None else None
        cache: Any = LRUCache(maxsize, **options) if plain_ttl is None else TTLCache(maxsize, plain_ttl, **options)
        skip = 1 if not per_instance and _is_method(function) else 0
        if is_coroutine_function(function):
            memo: Memo = AsyncMemo(function, cache, policy, key, typed, skip, mode)
            wrapper: Any = _async_wrapper(cast(AsyncMemo, memo), key is not None or typed)
        else:
            memo = Memo(function, cache, policy, key, typed, skip, mode)
            # With a key of its own no call is simple: more leading arguments than there can be leave it all to `miss`.
            ahead = sys.maxsize if key is not None or typed else skip
            kind = backends.twin("cache", _backend_of(cache)).CachedCall
            wrapper = kind(cache, memo.miss, Keywords, ahead, Kept)
        functools.update_wrapper(wrapper, function)
        wrapper.invalidate, wrapper.key, wrapper.stats = memo.invalidate, memo.key, memo.stats
        wrapper.peek_key = memo.peek_key
        wrapper.cache_clear, wrapper.cache_info = memo.cache_clear, memo.cache_info
        if not hasattr(wrapper, "cache"):
            wrapper.cache = cache
        if name is not None:
            registry.register(name, cache)
        return wrapper

    return decorate if function is None else decorate(function)


def _backend_of(cache: Any) -> str:
    return "python" if type(cache).__module__.startswith("python_fallback") else "compiled"


def _is_method(function: Callable[..., Any]) -> bool:
    """Whether it is defined in a class body with a first parameter of the customary name, and not bound yet."""
    import inspect

    if inspect.ismethod(function):  # its code has a `self` that its callers do not pass
        return False
    outer, _, _ = getattr(function, "__qualname__", "").rpartition(".")
    code = getattr(inspect.unwrap(function), "__code__", None)
    first = code.co_varnames[0] if code is not None and code.co_argcount else ""
    return bool(outer) and not outer.endswith("<locals>") and first in ("self", "cls")


def _async_wrapper(memo: AsyncMemo, own_key: bool) -> Callable[..., Any]:
    from python_fallback.cache.call import simple_key

    get, skip, serve, missing = memo.cache.get, memo.skip, memo.serve, object()

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        if own_key or len(args) < skip:
            return await serve(args, kwargs, None)
        key = simple_key(args[skip:] if skip else args, kwargs)
        try:
            value = get(key, missing)
        except TypeError:  # not hashable, or an __eq__ raised it: what keys by content finds out
            return await serve(args, kwargs, None)
        if value is missing or type(value) is Kept:
            return await serve(args, kwargs, key)
        return value

    return wrapper
