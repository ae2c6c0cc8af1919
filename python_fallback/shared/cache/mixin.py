"""The cold half of a cache, the same for both twins: written over the few operations that each of them provides.

A twin provides ``get peek set _put pop clear expire _now _snapshot _take _counters _set_counters _configure _options
_set_bounds _evict_to _flights _unit _weight``.
"""

from __future__ import annotations

import copyreg
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from reprlib import recursive_repr
from types import GenericAlias, MethodDescriptorType
from typing import Any

from python_fallback.shared.cache.clock import MONOTONIC, as_timer, clock_number, ttl_seconds
from python_fallback.shared.cache.seat import Seat, fly_async
from python_fallback.shared.cache.shape import MISSING
from python_fallback.shared.cache.singleflight import Flights
from python_fallback.shared.cache.sizes import sizeof
from python_fallback.shared.cache.stats import CAUSES, CacheStats
from python_fallback.shared.cache.views import CacheItems, CacheKeys, CacheValues, live

__all__ = [
    "BORROWED",
    "MONOTONIC",
    "Flights",
    "Mixin",
    "as_timer",
    "bounds_of",
    "clock_number",
    "computed",
    "equal",
    "iterate",
    "represent",
    "sizeof",
    "ttl_seconds",
]

# Set by the public package: gives an empty cache of that class name on the twin that the flag names.
restore: Callable[[str], Any] | None = None


def bounds_of(maxsize: Any, max_bytes: Any) -> tuple[float, float]:
    """Return the greatest weight and the greatest number of entries.

    Without `max_bytes` it is the weights that `maxsize` bounds, as in cachetools.
    """
    for name, bound in (("maxsize", maxsize), ("max_bytes", max_bytes)):
        if bound is None and name == "max_bytes":
            continue
        try:
            negative = not bound >= 0
        except TypeError:
            raise TypeError(f"{name}: expected a number, got {type(bound).__name__}") from None
        if negative:
            raise ValueError(f"{name} must be non-negative")
    if max_bytes is None:
        return float(maxsize), math.inf
    return float(max_bytes), float(maxsize)


def iterate(self: Any) -> Iterator[Any]:
    """Yield the keys, least recently used first."""
    return (key for key, _ in live(self))


def equal(self: Any, other: object) -> Any:
    """Compare as mappings do: by what is in them."""
    if not isinstance(other, Mapping):
        return NotImplemented
    return dict(live(self)) == dict(other.items())


@recursive_repr()
def represent(self: Any) -> str:
    """Show the class, the live entries and the sizes."""
    return f"{type(self).__name__}({dict(live(self))!r}, maxsize={self.maxsize!r}, currsize={self.currsize!r})"


def _keep(self: Any, key: Any, value: Any, ttl: Any, weight: float | None, permit: list[None]) -> None:
    """Store a computed value if it still may be; one too large for the cache is not stored, and that is no error."""
    if not permit:
        return
    size = self.getsizeof(value) if weight is None else weight
    bound = self.maxsize if self.max_bytes is None else self.max_bytes
    if not (size <= bound and (self.max_bytes is None or self.maxsize >= 1)):
        return
    own = type(self).set
    if isinstance(own, MethodDescriptorType) or own.__module__ == "python_fallback.cache.base":
        self._store_if(permit, key, value, ttl, size)
    else:  # a subclass overrides it
        self.set(key, value, ttl=ttl, weight=size)


def computed(self: Any, key: Any, compute: Callable[[], Any], *, ttl: Any = None, weight: float | None = None) -> Any:
    """Compute a missing value: `get_or_compute` after its lookup missed."""
    with Seat(self, key) as seat:
        if seat.value is MISSING:
            seat.value = compute()
            _keep(self, key, seat.value, ttl, weight, seat.permit)
    return seat.value


class Mixin(MutableMapping[Any, Any]):
    """The methods that are not hot."""

    __slots__ = ()

    def keys(self) -> CacheKeys:
        return CacheKeys(self)

    def values(self) -> CacheValues:
        return CacheValues(self)

    def items(self) -> CacheItems:
        return CacheItems(self)

    def set_many(self: Any, items: Any, *, ttl: Any = None) -> None:
        pairs: Iterable[tuple[Any, Any]] = items.items() if isinstance(items, Mapping) else items
        for key, value in pairs:
            self.set(key, value, ttl=ttl)

    def resize(self: Any, maxsize: Any = None, *, max_bytes: Any = None) -> None:
        maxsize = self.maxsize if maxsize is None else maxsize
        if max_bytes is not None and self.max_bytes is None:
            raise ValueError("max_bytes: expected None, as the cache was made without it, got a number")
        max_bytes = self.max_bytes if max_bytes is None else max_bytes
        self._set_bounds(maxsize, max_bytes, *bounds_of(maxsize, max_bytes))

    def _shrink(self: Any, fraction: float) -> None:
        size = len(self)
        self._evict_to(self._weight * fraction, math.ceil(size * fraction))

    def stats(self: Any) -> CacheStats:
        hits, misses, *evicted = self._counters()
        lookups = hits + misses
        return CacheStats(
            hits,
            misses,
            hits / lookups if lookups else 0.0,
            len(self),
            self._weight,
            dict(zip(CAUSES, evicted)),
        )

    async def aget_or_compute(
        self: Any,
        key: Any,
        compute: Callable[[], Awaitable[Any] | Any],
        *,
        ttl: Any = None,
        weight: float | None = None,
    ) -> Any:
        value = self.get(key, MISSING)
        if value is not MISSING:
            return value

        async def run(permit: list[None]) -> Any:
            computed = compute()
            value = await computed if hasattr(computed, "__await__") else computed
            _keep(self, key, value, ttl, weight, permit)
            return value

        return await fly_async(self, key, run)

    # ---- state: pickles, copies, the other twin ----

    def _state(self: Any, rows: list[tuple[Any, Any, float, float]]) -> dict[str, Any]:
        now = self._now()
        return {
            **self._options,
            "items": [(key, value, expires - now, weight) for key, value, expires, weight in rows],
            "attributes": dict(getattr(self, "__dict__", {})),
        }

    def __reduce__(self: Any) -> tuple[Any, ...]:
        cls = type(self)
        state = self._state(self._snapshot())
        if restore is not None and "_public_path" in cls.__dict__:
            return restore, (cls.__name__,), state
        return copyreg.__newobj__, (cls,), state  # type: ignore[attr-defined]

    def __setstate__(self: Any, state: dict[str, Any]) -> None:
        state = dict(state)
        items, attributes, counters = state.pop("items"), state.pop("attributes"), state.pop("counters", None)
        on_evict = state.pop("on_evict")
        self._configure(**state, on_evict=None)
        for key, value, remaining, weight in items:
            if remaining > 0:
                self._put(key, value, remaining, weight)
        self._set_counters(*(counters or (0,) * (2 + len(CAUSES))))
        self.on_evict = on_evict
        if attributes:
            self.__dict__.update(attributes)

    def __copy__(self: Any) -> Any:
        cls: Any = type(self)
        copied = cls.__new__(cls)
        copied.__setstate__(self._state(self._snapshot()))
        return copied

    def _take_state(self: Any) -> dict[str, Any]:
        counters = self._counters()
        return {**self._state(self._take()), "counters": counters}

    @classmethod
    def _from_state(cls, state: dict[str, Any]) -> Any:
        made: Any = cls.__new__(cls)
        made.__setstate__(state)
        return made


_NAMES = (
    "keys",
    "values",
    "items",
    "set_many",
    "resize",
    "_shrink",
    "stats",
    "aget_or_compute",
    "_state",
    "__reduce__",
    "__setstate__",
    "__copy__",
    "_take_state",
    "_from_state",
)
# What the compiled twin takes over as it is.
BORROWED: dict[str, Any] = {name: Mixin.__dict__[name] for name in _NAMES}
BORROWED["update"] = MutableMapping.update
BORROWED["__class_getitem__"] = classmethod(GenericAlias)
