"""The decorator: results of functions, coroutine functions and methods kept in a cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, overload

from fastcore.cache.binding import Binding
from fastcore.cache.controls import CacheEntry, CacheInfo
from fastcore.cache.options import Options
from fastcore.cache.policy import Policy, Tags, Ttl
from fastcore.cache.results import Copy, checked_copy, is_generator_function
from python_fallback.shared.cache.stats import CacheStats

__all__ = ["CachedDecorator", "CachedFunction", "Ttl", "cached", "decorated"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class CachedFunction(Protocol[P, R_co]):
    """A function with cached results.

    Those of its methods that take arguments take the function's: passed by position or by name, defaults given or left
    out, they mean the same call.

    Examples
    --------
    >>> from fastcore.cache import cached
    >>> @cached
    ... def spread(bid, ask=2.0):
    ...     return ask - bid
    >>> spread(1.5)
    0.5
    >>> spread.contains(bid=1.5, ask=2.0)            # the same call
    True
    >>> spread.invalidate(1.5)
    True
    >>> spread.contains(1.5)
    False
    """

    __wrapped__: Callable[..., Any]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> CachedFunction[Q, R]: ...
    @property
    def cache(self) -> Any:
        """The results by their keys, as a mapping; see `Results`."""

    def key(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return the key under which the result of these arguments is kept."""

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Drop the result of these arguments; one that is being computed will not be kept. False if there was none."""

    def contains(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether a call with these arguments would be served from the cache; looking counts and changes nothing."""

    def peek(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Return the result that is kept for these arguments, or None; looking counts and changes nothing."""

    def get_entry(self, *args: P.args, **kwargs: P.kwargs) -> CacheEntry | None:
        """Return what is kept for these arguments and for how long, or None."""

    def put(self, value: Any, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Keep a value as the result of these arguments, as if it had just been computed."""

    def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Compute the result of these arguments now, keep it and return it; to be awaited for a coroutine function.

        Until then calls get the old result. An error is raised, and the old result stays.
        """

    def cache_clear(self) -> None:
        """Drop every result and set the statistics to 0; results that are being computed will not be kept."""

    def cache_info(self) -> CacheInfo:
        """Return hits, misses and sizes, as ``functools.lru_cache`` does."""

    def cache_parameters(self) -> dict[str, Any]:
        """Return the options that the function was decorated with."""

    def stats(self) -> CacheStats:
        """Return the statistics of the cache."""


class CachedClassFunction(CachedFunction[Concatenate[type[S_contra], Q], R_co], Protocol[S_contra, Q, R_co]):
    """A function whose first argument is a class: a class method, which is bound to the class from instances too."""

    def __get__(  # type: ignore[override]
        self, instance: S_contra | None, owner: type[S_contra] | None = None
    ) -> CachedFunction[Q, R_co]: ...


class CachedDecorator(Protocol):
    """Turns a function into one with cached results."""

    @overload
    def __call__(self, function: Callable[Concatenate[type[S], Q], R], /) -> CachedClassFunction[S, Q, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> CachedFunction[P, R]: ...


@overload
def cached(function: Callable[Concatenate[type[S], Q], R], /) -> CachedClassFunction[S, Q, R]: ...
@overload
def cached(function: Callable[P, R], /) -> CachedFunction[P, R]: ...
@overload
def cached(
    *,
    maxsize: float | None = ...,
    ttl: Ttl | Callable[[Any], Ttl] = ...,
    max_bytes: float | None = ...,
    key: Callable[..., Any] | None = ...,
    typed: bool = ...,
    normalize: bool = ...,
    stale: Ttl = ...,
    early: bool | float = ...,
    negative_ttl: Ttl = ...,
    tags: Tags = ...,
    jitter: float = ...,
    keep_if: Callable[[Any], object] | None = ...,
    name: str | None = ...,
    per_instance: bool = ...,
    copy: Copy = ...,
    timer: Callable[[], Any] | None = ...,
    on_evict: Callable[[Any, Any, str], object] | None = ...,
) -> CachedDecorator: ...
def cached(
    function: Callable[..., Any] | None = None,
    /,
    *,
    maxsize: float | None = 1024,
    ttl: Ttl | Callable[[Any], Ttl] = None,
    max_bytes: float | None = None,
    key: Callable[..., Any] | None = None,
    typed: bool = False,
    normalize: bool = False,
    stale: Ttl = None,
    early: bool | float = False,
    negative_ttl: Ttl = None,
    tags: Tags = (),
    jitter: float = 0.0,
    keep_if: Callable[[Any], object] | None = None,
    name: str | None = None,
    per_instance: bool = False,
    copy: Copy = "on-write",
    timer: Callable[[], Any] | None = None,
    on_evict: Callable[[Any, Any, str], object] | None = None,
) -> Any:
    """Keep the results of a function, a coroutine function or a method.

    One call computes a missing result and concurrent calls with the same arguments wait for it, whether they come
    from threads or tasks. Errors reach all of them and are not kept.

    Parameters
    ----------
    maxsize : float or None, default 1024
        The greatest number of results; None: no bound.
    ttl : float, timedelta or callable, optional
        Seconds for which a result is served; by default forever. ``ttl(result)`` gives those of one result; 0 or less:
        it is not kept.
    max_bytes : float, optional
        The greatest sum of their sizes; arrays, Series and DataFrames are measured.
    key : callable, optional
        ``key(*args, **kwargs)`` returns the key of a call. By default the arguments are: hashable ones by equality,
        arrays, Series and DataFrames (also inside lists, tuples, dicts and sets) by their content.
    typed : bool, default False
        Distinguish ``f(3)`` and ``f(3.0)``.
    normalize : bool, default False
        Take ``f(1)`` and ``f(1, b=2)`` for one call where 2 is the default of ``b``. An argument passed by position and
        by name is the same one in any case.
    stale : float or timedelta, optional
        Seconds beyond `ttl` for which the old result is still served while one refresh runs in the background.
    early : bool or float, default False
        Refresh in the background before expiry, the likelier the longer it takes to compute (XFetch); a number is
        its factor beta.
    negative_ttl : float or timedelta, optional
        Keep an error, and a result of None, for this many seconds; each caller gets a copy of the error.
    tags : str, iterable of str, or callable
        Names under which `invalidate_tag` finds the results; a callable gets the arguments. A str is one name.
    jitter : float, default 0
        The greatest part, below 1, by which each lifetime is shortened at random, so that results that were computed
        together do not expire together.
    keep_if : callable, optional
        ``keep_if(result)`` returns whether a result is cached; others only go to the waiting callers. A refresh
        with such a result leaves the old one.
    name : str, optional
        The name of the cache in `named_caches`, for monitoring and for freeing memory.
    per_instance : bool, default False
        For methods: each instance, by its identity, has its own cache with these bounds, freed with the instance. By
        default **all instances share results**: the instance is not part of the key. (The class of a class method is.)
    copy : {"on-write", True, False}, default "on-write"
        How each caller gets its own result. ``"on-write"`` protects arrays, Series and DataFrames, also in lists,
        tuples, dicts, dataclasses and the like: a DataFrame or Series is a shallow copy that copies its data when it is
        edited (pandas 3 and polars; a full copy with pandas 2), an array is read-only. True: a deep copy
        of any result. False gives all callers the same object, as ``functools.lru_cache`` does.
    timer : callable, optional
        The clock, in seconds; by default a monotonic one.
    on_evict : callable, optional
        As in `LRUCache`: ``on_evict(key, value, cause)``. Where an error was kept it gets the error as the value.

    Returns
    -------
    CachedFunction
        It has the methods of `CachedFunction`, also where it is bound: ``obj.method.invalidate("A")``.

    Raises
    ------
    TypeError
        On decorating a generator function, whose result can be used only once; at a call that returns a generator or
        another iterator; at one whose arguments can neither be hashed nor keyed by content; and with `per_instance` at
        one of an instance that cannot have weak references.

    Notes
    -----
    Binding decides which argument is the instance, not the names of the arguments: the function is a method of the
    class in whose body it is defined. The flag ``cache`` can be flipped at any time: results, statistics and
    computations under way move to the other twin with the next call.

    Examples
    --------
    >>> import numpy as np
    >>> from fastcore.cache import cached
    >>> @cached(maxsize=256, ttl=60)
    ... def volatility(close):
    ...     return float(np.std(np.diff(np.log(close))))
    >>> close = np.array([100.0, 101.0, 99.5, 102.0])
    >>> volatility(close) == volatility(close.copy())      # equal content: computed once
    True
    >>> volatility.cache_info().hits
    1
    """
    given = {name: value for name, value in locals().items() if name != "function"}
    policy = Policy.of(ttl, stale, early, negative_ttl, tags, jitter, keep_if)
    for option, value in (("key", key), ("on_evict", on_evict)):
        if value is not None and not callable(value):
            raise TypeError(f"{option}: expected a callable or None, got {type(value).__name__}")
    options = Options(
        policy,
        maxsize,
        max_bytes,
        key,
        typed,
        normalize,
        checked_copy(copy),
        name,
        per_instance,
        timer=timer,
        on_evict=on_evict,
        given=given,
    )

    def decorate(function: Any) -> Any:
        return decorated(function, options)

    return decorate if function is None else decorate(function)


def decorated(function: Any, options: Options) -> Any:
    """Return the replacement of a function, static method, class method or property with cached results."""
    if isinstance(function, staticmethod):
        return type(function)(decorated(function.__func__, options))
    if isinstance(function, classmethod):
        return CachedClassMethod(decorated(function.__func__, options))
    if isinstance(function, property):
        return type(function)(decorated(function.fget, options), function.fset, function.fdel, function.__doc__)
    if is_generator_function(function):
        raise TypeError(f"function: expected one that returns its result, got the generator {function!r}")
    if not callable(function):
        hint = f"; write cached(maxsize={function!r})" if isinstance(function, int) else ""
        raise TypeError(f"function: expected a callable, got {type(function).__name__}{hint}")
    label = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    return Binding(function, replace(options, label=label)).public.call


class CachedClassMethod(classmethod):  # type: ignore[type-arg]
    """A class method that has the methods of `CachedFunction` when it is bound, in every version of Python."""

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        bound = type(instance) if owner is None else owner
        return self.__func__.__get__(bound, bound)
