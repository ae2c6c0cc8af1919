"""The callable that @cached puts in place of a plain function, and the keys of its arguments."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

_MISSING = object()


class Keywords:
    """Stands between positional and keyword arguments in a key; the class itself is the mark."""


def simple_key(args: tuple[Any, ...], kwargs: dict[str, Any] | None) -> Any:
    """Return the key of arguments that can be hashed: a lone str or int is its own key."""
    if kwargs:
        return (*args, Keywords, *(part for item in sorted(kwargs.items()) for part in item))
    if len(args) == 1 and type(args[0]) in (str, int):
        return args[0]
    return args


class CachedCall:
    """Serves hits from `cache`; everything else is for ``miss(args, kwargs or None, key or None)``."""

    def __init__(
        self, cache: Any, miss: Callable[[Any, Any, Any], Any], mark: type, skip: int = 0, guard: type | None = None
    ) -> None:
        self.cache = cache
        self._miss = miss
        self._skip = max(skip, 0)
        self._guard = guard

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        key = simple_key(args[self._skip :], kwargs)
        if len(args) < self._skip or len(kwargs) > 1:
            return self._miss(args, kwargs or None, None)
        try:
            hash(key)
        except TypeError:  # arrays, frames, lists: keyed by content elsewhere
            return self._miss(args, kwargs or None, None)
        value = self.cache.get(key, _MISSING)
        if value is _MISSING or (self._guard is not None and type(value) is self._guard):
            return self._miss(args, kwargs or None, key)
        return value

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<cached {vars(self).get('__wrapped__')!r}>"

    def __reduce__(self) -> str:
        name: str = vars(self)["__qualname__"]
        return name

    def __copy__(self) -> CachedCall:
        return self

    def __deepcopy__(self, memo: object) -> CachedCall:
        return self
