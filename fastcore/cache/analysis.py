"""Analyses of symbols: cached as by `cached`, and found by their symbol."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from fastcore.cache.caches import LRUCache
from fastcore.cache.decorator import CachedClassMethod, CachedDecorator, decorated
from fastcore.cache.libraries import library_of
from fastcore.cache.memo import Memo
from fastcore.cache.options import Options
from fastcore.cache.policy import Policy, Ttl
from fastcore.cache.results import Copy, checked_copy
from python_fallback.shared.cache.clock import ttl_seconds

__all__ = ["cache_technical_analysis", "get_cached_analysis"]

_NAME = "technical_analysis"
_PER_SYMBOL = 16  # the latest calls of a symbol that are looked at

_MISSING = object()

Call = tuple[Callable[[], Memo | None], Any]  # gives what serves a function's calls; the key of one of them


@functools.cache
def _calls_by_symbol() -> Any:
    """Return the latest calls of each symbol, newest first; their results are in the functions' own caches."""
    return LRUCache(10_000)


def cache_technical_analysis(ttl: Ttl = 600, *, maxsize: float = 10_000, copy: Copy = "on-write") -> CachedDecorator:
    """Keep analyses of symbols, so that `get_cached_analysis` finds them.

    Decorates a function, coroutine function or method. The symbol of a call is its argument ``symbol``; else that of
    its first DataFrame or Series that has one (``attrs["symbol"]``, or a column or index level ``symbol`` with one
    value); else its first argument that is a str. All arguments are part of the key as in `cached`. Instances of a
    class have separate results.

    Parameters
    ----------
    ttl : float or timedelta, default 600
        Seconds for which an analysis is served.
    maxsize : float, default 10,000
        The greatest number of analyses.
    copy : {"on-write", True, False}, default "on-write"
        How each caller gets its own copy of an analysis, as in `cached`.

    Raises
    ------
    TypeError
        If it is used without parentheses.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.cache import cache_technical_analysis, get_cached_analysis
    >>> @cache_technical_analysis(ttl=60)
    ... def analyse(symbol, bars=500):
    ...     return {"symbol": symbol, "bars": bars}
    >>> analyse("NVDA")
    {'symbol': 'NVDA', 'bars': 500}
    >>> asyncio.run(get_cached_analysis("NVDA"))
    {'symbol': 'NVDA', 'bars': 500}
    """
    if callable(ttl):
        raise TypeError(
            "cache_technical_analysis: expected @cache_technical_analysis() or @cache_technical_analysis(ttl=seconds), "
            f"got the function {getattr(ttl, '__qualname__', ttl)!r} without parentheses"
        )
    if ttl_seconds(ttl) <= 0:
        raise ValueError(f"ttl: expected a time longer than 0, got {ttl!r}")

    def decorate(function: Any) -> Any:
        if isinstance(function, staticmethod):
            return type(function)(decorate(function.__func__))
        if isinstance(function, classmethod):
            return CachedClassMethod(decorate(function.__func__))
        if not callable(function):
            raise TypeError(f"function: expected a callable, got {type(function).__name__}")
        symbol_of = _symbol_finder(function)

        def remember(memo: Memo, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            symbol = symbol_of(args, kwargs)
            if symbol is not None:
                _remember(symbol, memo, key)

        label = f"{_NAME}:{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
        return decorated(
            function,
            Options(
                Policy.of(ttl),
                maxsize,
                copy=checked_copy(copy),
                name=label,
                per_instance=True,
                unbound=False,
                kept=remember,
            ),
        )

    return decorate


def _remember(symbol: str, memo: Memo, key: Any) -> None:
    """Record a call as the symbol's latest.

    The latest call of an instance is kept after the instance is freed, as with a service made for each request;
    earlier calls are not.
    """
    calls = _calls_by_symbol()
    others: list[Call] = []
    for call, other in calls.peek(symbol, ()):
        kept = call()
        if kept is not None and (other != key or kept is not memo):
            others.append((call if type(call) is weakref.ref else weakref.ref(kept), other))
    latest = functools.partial(_same, memo) if memo.skip else weakref.ref(memo)
    calls[symbol] = ((latest, key), *others[: _PER_SYMBOL - 1])


def _same(memo: Memo) -> Memo:
    return memo


async def get_cached_analysis(symbol: str) -> Any:
    """Return the latest analysis of a symbol that a function decorated with `cache_technical_analysis` gave.

    If that analysis has expired, or was invalidated or evicted, the latest one still cached is returned; None if
    there is none. A coroutine function, though it never waits.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.cache import get_cached_analysis
    >>> print(asyncio.run(get_cached_analysis("a symbol that was never analysed")))
    None
    """
    if not isinstance(symbol, str):
        raise TypeError(f"symbol: expected a str, got {type(symbol).__name__}")
    for call, key in _calls_by_symbol().get(symbol, ()):
        memo = call()
        analysis = _MISSING if memo is None else memo.peek(key, _MISSING)
        if analysis is not _MISSING:
            return analysis
    return None


# ---- the symbol of a call ----


def _symbol_finder(function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], str | None]:
    signature = inspect.signature(function)
    place = _place_of_symbol(signature)

    def find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        if place is not None and place < len(args) and isinstance(args[place], str):
            return args[place]  # type: ignore[no-any-return]
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments.get("symbol", bound.kwargs.get("symbol"))
        if isinstance(given, str):
            return given
        values = list(_values(bound))
        symbols = (_symbol_of_data(value) for value in values)
        texts = (value for value in (*args, *kwargs.values()) if isinstance(value, str))
        return next((symbol for symbol in symbols if symbol is not None), None) or next(texts, None)

    return find


def _place_of_symbol(signature: inspect.Signature) -> int | None:
    """Return at which position ``symbol`` is passed, None where it has none."""
    for place, parameter in enumerate(signature.parameters.values()):
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return None
        if parameter.name == "symbol":
            return place
    return None


def _values(bound: inspect.BoundArguments) -> Iterator[Any]:
    yield from bound.args
    yield from bound.kwargs.values()


def _symbol_of_data(value: Any) -> str | None:
    """Return the one symbol that a DataFrame or Series is about."""
    library = library_of(type(value))
    if library not in ("pandas", "polars") or not hasattr(value, "shape"):
        return None
    named = getattr(value, "attrs", {}).get("symbol")
    if isinstance(named, str):
        return named
    if "symbol" in getattr(value, "columns", ()):
        column = value["symbol"]
    elif library == "pandas" and hasattr(value, "index") and "symbol" in value.index.names:
        column = value.index.get_level_values("symbol")
    else:
        return None
    if not len(column):
        return None
    first = column[0] if library == "polars" or not hasattr(column, "iloc") else column.iloc[0]
    return first if isinstance(first, str) and bool((column == first).all()) else None
