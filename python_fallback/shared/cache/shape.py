"""The key of a call: what its arguments are, however they were passed."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

MISSING: Any = object()

_OPEN_ENDED = 0x4 | 0x8  # of a code object: *args, **kwargs


class Keywords:
    """Stands between positional and named arguments in a key; the class itself is the mark."""


class Shape:
    """How the arguments of a function become a key.

    An argument that has a position is keyed by it, whether it was passed by position or by name; the names and values
    of all others follow the mark.

    Parameters
    ----------
    names : tuple of str or None
        The positional parameters, None where one cannot be passed by name, then the keyword-only ones.
    positional : int
        How many of them are positional.
    defaults : tuple or None
        Of all parameters, `MISSING` where there is none. None: an argument left out is not the same as its default.
    typed : bool
        Whether the types of arguments count.
    keyed : bool
        Whether a function of the caller's makes the keys instead.
    one_key : bool
        Whether all ways to write a call are known to have the same key.
    """

    __slots__ = ("_places", "defaults", "keyed", "names", "one_key", "positional", "typed")

    def __init__(
        self,
        names: tuple[str | None, ...] = (),
        positional: int = 0,
        defaults: tuple[Any, ...] | None = None,
        typed: bool = False,
        keyed: bool = False,
        one_key: bool = False,
    ) -> None:
        self.names = names
        self.positional = positional
        self.defaults = defaults
        self.typed = typed
        self.keyed = keyed
        self.one_key = one_key
        self._places = {name: place for place, name in enumerate(names) if name is not None}

    def fields(self) -> tuple[Any, ...]:
        """Return what the compiled twin makes keys from."""
        return self.names, self.positional, self.defaults, Keywords, MISSING, self.typed, self.keyed

    def key(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        part: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return the key of a call; `part` gives what stands for an argument that may not be hashable."""
        values: dict[int, Any] = {}
        unknown: list[tuple[str, Any]] = []
        for name, value in sorted(kwargs.items()) if kwargs else ():
            place = self._places.get(name, -1)
            if place < 0 or place < min(self.positional, len(args)):
                unknown.append((name, value))
            else:
                values[place] = value
        if self.defaults is not None:
            for place, value in enumerate(self.defaults):
                if value is not MISSING and place >= min(self.positional, len(args)):
                    values.setdefault(place, value)
        ahead = list(args)
        while len(ahead) < self.positional and len(ahead) in values:
            ahead.append(values.pop(len(ahead)))
        named = [*((self.names[place], values[place]) for place in sorted(values)), *unknown]
        if len(ahead) == 1 and not named and type(ahead[0]) in (str, int):
            return ahead[0]
        found = [*ahead, *(value for _, value in named)]
        kinds = tuple(type(value) for value in found) if self.typed else ()
        if part is not None:
            found = [part(value) for value in found]
        if not named:
            return (*found, *kinds)
        pairs = (half for (name, _), value in zip(named, found[len(ahead) :]) for half in (name, value))
        return (*found[: len(ahead)], Keywords, *pairs, *kinds)


def shape_of(
    function: Callable[..., Any], skip: int = 0, *, typed: bool = False, normalize: bool = False, keyed: bool = False
) -> Shape:
    """Return the shape of a function's calls without its first `skip` arguments.

    What it was wrapped around (``__wrapped__``) does not count: it is this function that gets the arguments.
    """
    names, positional, defaults = _parameters(function)
    skip = min(skip, positional)
    one_key = _has_one_key(function, normalize)
    return Shape(names[skip:], positional - skip, defaults[skip:] if normalize else None, typed, keyed, one_key)


def _has_one_key(function: Callable[..., Any], normalize: bool) -> bool:
    """Return whether it is plain that every way to write a call of `function` has the same key."""
    if isinstance(function, types.MethodType):
        function = function.__func__
    if type(function) is not types.FunctionType or vars(function).keys() & {"__wrapped__", "__signature__"}:
        return False
    if function.__code__.co_flags & _OPEN_ENDED:
        return False
    return normalize or not (function.__defaults__ or function.__kwdefaults__)


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str | None, ...], int, tuple[Any, ...]]:
    if isinstance(function, types.MethodType):
        names, positional, defaults = _parameters(function.__func__)
        taken = min(1, positional)
        return names[taken:], positional - taken, defaults[taken:]
    code = getattr(function, "__code__", None)
    if isinstance(function, types.FunctionType) and isinstance(code, types.CodeType):
        positional = code.co_argcount
        names = code.co_varnames[: positional + code.co_kwonlyargcount]
        given = function.__defaults__ or ()
        by_name = function.__kwdefaults__ or {}
        return (
            (*(None,) * code.co_posonlyargcount, *names[code.co_posonlyargcount :]),
            positional,
            (*(MISSING,) * (positional - len(given)), *given, *(by_name.get(n, MISSING) for n in names[positional:])),
        )
    import inspect

    try:
        parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
    except (TypeError, ValueError):  # a builtin that does not tell
        return (), 0, ()
    known = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return (
        tuple(None if p.kind is p.POSITIONAL_ONLY else p.name for p in known),
        sum(p.kind is not p.KEYWORD_ONLY for p in known),
        tuple(MISSING if p.default is p.empty else p.default for p in known),
    )
