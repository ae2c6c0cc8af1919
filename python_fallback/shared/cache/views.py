"""Keys, values and items of a cache: each pass is over the entries that were there when it began."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from typing import Any

_MISSING = object()


def live(cache: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the pairs of the keys that are there now, least recently used first, without those that left meanwhile."""
    for key, *_ in cache._snapshot():
        value = cache.peek(key, _MISSING)
        if value is not _MISSING:
            yield key, value


class CacheKeys(KeysView[Any]):
    """The keys, least recently used first."""

    __slots__ = ()


class CacheValues(ValuesView[Any]):
    """The values in the order of the keys; looking at them uses none."""

    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return (value for _, value in live(self._mapping))  # type: ignore[attr-defined]

    def __contains__(self, value: object) -> bool:
        return any(mine is value or mine == value for mine in self)


class CacheItems(ItemsView[Any, Any]):
    """The pairs in the order of the keys; looking at them uses none."""

    __slots__ = ()

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        return live(self._mapping)  # type: ignore[attr-defined]

    def __contains__(self, item: object) -> bool:
        if not isinstance(item, tuple) or len(item) != 2:
            return False
        value = self._mapping.peek(item[0], _MISSING)  # type: ignore[attr-defined]
        return value is not _MISSING and (value is item[1] or bool(value == item[1]))
