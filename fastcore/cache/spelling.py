"""The ways to write one call: by position or by name, defaults given or left out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import islice, product
from typing import Any

__all__ = ["spellings"]

MOST = 256

Call = tuple[tuple[Any, ...], dict[str, Any]]


def spellings(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], fixed: int = 0
) -> Iterator[Call]:
    """Yield the ways to write a call that its signature shows, at most `MOST`; none if the call is wrong.

    The signature is the one that `inspect` shows: that of the wrapped function, where a wrapper hands its arguments on.
    The first `fixed` arguments stay where they are.
    """
    try:
        signature = inspect.signature(function)
        bound = signature.bind(*args, **kwargs)
    except (TypeError, ValueError):
        return
    bound.apply_defaults()
    positional: list[tuple[inspect.Parameter, Any]] = []
    by_name: list[tuple[inspect.Parameter, Any]] = []
    more: tuple[Any, ...] = ()
    others: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        parameter = signature.parameters[name]
        if parameter.kind is parameter.VAR_POSITIONAL:
            more = value
        elif parameter.kind is parameter.VAR_KEYWORD:
            others = value
        else:
            (by_name if parameter.kind is parameter.KEYWORD_ONLY else positional).append((parameter, value))
    yield from islice(_written(positional, by_name, more, others, fixed), MOST)


def _written(
    positional: list[tuple[inspect.Parameter, Any]],
    by_name: list[tuple[inspect.Parameter, Any]],
    more: tuple[Any, ...],
    others: dict[str, Any],
    fixed: int,
) -> Iterator[Call]:
    for ahead in range(len(positional), fixed - 1 if not more else len(positional) - 1, -1):
        named = [*positional[ahead:], *by_name]
        if any(p.kind is p.POSITIONAL_ONLY and not _is_default(p, value) for p, value in named):
            return
        needed = {p.name: value for p, value in named if not _is_default(p, value)}
        free = [(p.name, value) for p, value in named if p.name not in needed and p.kind is not p.POSITIONAL_ONLY]
        for chosen in product((False, True), repeat=len(free)):
            defaults = {name: value for (name, value), given in zip(free, chosen) if given}
            yield (*(value for _, value in positional[:ahead]), *more), {**needed, **defaults, **others}


def _is_default(parameter: inspect.Parameter, value: Any) -> bool:
    if parameter.default is parameter.empty:
        return False
    if value is parameter.default:
        return True
    try:
        return type(value) is type(parameter.default) and bool(value == parameter.default)
    except Exception:  # arrays
        return False
