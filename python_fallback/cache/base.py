"""The pure twin of a cache.

A dict finds entries, an ordered dict keeps them in order of use, a heap by expiry. A lock keeps threads apart, and
nothing of the caller's runs while it is held: keys are hashed and compared, values weighed and timers read before,
and entries that left are reported and released after. A garbage collection may run finalizers anywhere, even inside
the section; where one of them changed the cache, the section repairs its bookkeeping before it ends.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from python_fallback.cache.entry import Entry
from python_fallback.cache.store import Left, Row, Store
from python_fallback.shared.cache import mixin
from python_fallback.shared.cache.clock import MONOTONIC, as_timer, clock_number, is_monotonic, ttl_seconds
from python_fallback.shared.cache.hashed_key import HashedKey, Watch
from python_fallback.shared.cache.shape import MISSING
from python_fallback.shared.cache.sizes import sizeof

_MISSING = object()
_SWEEP = 128  # expired entries that one write drops at most


class Cache(Store):
    """Base class of LRUCache, TTLCache and TLRUCache."""

    __slots__ = ()

    def _configure(
        self, maxsize: Any, ttl: Any, ttu: Any, timer: Any, getsizeof: Any, max_bytes: Any, on_evict: Any
    ) -> None:
        for name, given in (("timer", timer), ("getsizeof", getsizeof), ("ttu", ttu), ("on_evict", on_evict)):
            _check_callable(name, given)
        seconds = ttl_seconds(ttl)
        bounds = mixin.bounds_of(maxsize, max_bytes)
        self._given = {"maxsize": maxsize, "max_bytes": max_bytes, "ttl": ttl, "ttu": ttu}
        self._timer = None if is_monotonic(timer) else as_timer(timer)
        self._getsizeof = sizeof if getsizeof is None and max_bytes is not None else getsizeof
        self._ttl = seconds
        self._scale = 1.0
        self._max_weight, self._max_count = bounds
        self._on_evict = on_evict
        self._set_counters(0, 0, 0, 0, 0, 0)
        self._take()  # __init__ may run again; last, as finalizers may store under the new bounds

    # ---- properties ----

    @property
    def maxsize(self) -> Any:
        return self._given["maxsize"]

    @property
    def max_bytes(self) -> Any:
        return self._given["max_bytes"]

    @property
    def currsize(self) -> float:
        size = len(self)
        return size if self.max_bytes is not None else _plain(self._weight)

    @property
    def on_evict(self) -> Callable[[Any, Any, str], object] | None:
        return self._on_evict

    @on_evict.setter
    def on_evict(self, function: Callable[[Any, Any, str], object] | None) -> None:
        _check_callable("on_evict", function)
        self._on_evict = function

    @property
    def _options(self) -> dict[str, Any]:
        return {**self._given, "timer": self._timer, "getsizeof": self._getsizeof, "on_evict": self._on_evict}

    @property
    def _unit(self) -> float:
        return self._scale

    def getsizeof(self, value: Any, /) -> Any:
        return 1 if self._getsizeof is None else self._getsizeof(value)

    # ---- time ----

    def _number(self, reading: Any) -> float:
        number, scale = clock_number(reading)
        if scale != 1.0:
            self._scale = scale
        if math.isnan(number):
            raise ValueError("timer: expected a number or a datetime, got nan")
        return number

    def _now(self) -> float:
        return time.monotonic() if self._timer is None else self._number(self._timer())

    def _until(self, now: float, ttl: Any) -> float:
        seconds = self._ttl if ttl is None else ttl_seconds(ttl)
        return now + (seconds if self._scale == 1.0 or seconds == math.inf else round(seconds * self._scale))

    def _expiry(self, key: Any, value: Any, ttl: Any) -> tuple[float, float]:
        """Return the time and the expiry of a write that happens now."""
        ttu = self._given["ttu"]
        if ttl is not None or ttu is None:
            now = self._now()
            return now, self._until(now, ttl)
        reading = (self._timer or MONOTONIC)()
        return self._number(reading), self._number(ttu(key, value, reading))

    # ---- reading ----

    def _live(self, key: Any) -> Entry | None:
        now = None if self._timer is None else self._now()
        entry = self._index.get(HashedKey(key, Watch(self)))
        if entry is None or entry.expires == math.inf:
            return entry
        return entry if (self._now() if now is None else now) < entry.expires else None

    def _hit(self, key: Any) -> Any:
        entry = self._live(key)
        with self._section:
            if entry is None or entry.gone:  # it may have left since it was found
                self._misses += 1
                return _MISSING
            self._hits += 1
            if id(entry) in self._order:
                self._order.move_to_end(id(entry))
            return entry.value

    def _hit_if(self, key: Any, fresh: Callable[[Any, float], Any]) -> Any:
        """Return what `fresh` gives for a live value and its expiry, a hit unless that is MISSING."""
        entry = self._live(key)
        value = MISSING if entry is None else fresh(entry.value, entry.expires)
        with self._section:
            if entry is None or entry.gone or value is MISSING:
                return MISSING
            self._hits += 1
            if id(entry) in self._order:
                self._order.move_to_end(id(entry))
            return value

    def __getitem__(self, key: Any) -> Any:
        value = self._hit(key)
        return self.__missing__(key) if value is _MISSING else value

    def __missing__(self, key: Any) -> Any:
        raise KeyError(key)

    def get(self, key: Any, default: Any = None) -> Any:
        if self._overrides & {"__getitem__", "__contains__"}:
            return self[key] if key in self else default  # noqa: SIM401 - that would be this method
        value = self._hit(key)
        return default if value is _MISSING else value

    def peek(self, key: Any, default: Any = None) -> Any:
        entry = self._live(key)
        value = default if entry is None else entry.value
        return default if entry is None or entry.gone else value

    def get_many(self, keys: Iterable[Any], /) -> dict[Any, Any]:
        found = {}
        for key in keys:
            value = self._hit(key)
            if value is not _MISSING:
                found[key] = value
        return found

    def get_or_compute(
        self, key: Any, compute: Callable[[], Any], *, ttl: Any = None, weight: float | None = None
    ) -> Any:
        value = self._hit(key)
        if value is not _MISSING:
            return value
        return mixin.computed(self, key, compute, ttl=ttl, weight=weight)

    def ttl_remaining(self, key: Any, /) -> float | None:
        now = self._now()
        entry = self._index.get(HashedKey(key, Watch(self)))
        return (entry.expires - now) / self._scale if entry is not None and now < entry.expires else None

    def __contains__(self, key: Any) -> bool:
        return self._live(key) is not None

    def __len__(self) -> int:
        if self._heap:
            self.expire()
        return len(self._order)

    def __iter__(self) -> Iterator[Any]:
        return mixin.iterate(self)

    def __eq__(self, other: object) -> Any:
        return mixin.equal(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return mixin.represent(self)

    # ---- writing ----

    def set(self, key: Any, value: Any, *, ttl: Any = None, weight: float | None = None) -> None:
        self._disown(key)
        self._store(key, value, ttl, weight)
        self._disown(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._disown(key)
        self._store(key, value)
        self._disown(key)

    def _disown(self, key: Any) -> None:
        """Let what is being computed for a key not be stored: before and after each change by a caller.

        Before it, so that no older value is stored over the change; after it, as another computation may have begun.
        """
        if self._flights.by_key:
            self._flights.disown(key)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if self._overrides & {"__getitem__", "__setitem__", "__contains__"}:
            if key in self:
                return self[key]
            self[key] = default
            return default
        value = self._hit(key)
        if value is not _MISSING:
            return value
        self._disown(key)
        value = self._store(key, default, keep=True)
        self._disown(key)
        return value

    def _store_if(self, permit: list[None], key: Any, value: Any, ttl: Any, weight: float) -> None:
        self._store(key, value, ttl, weight, permit=permit)

    def _store(
        self,
        key: Any,
        value: Any,
        ttl: Any = None,
        weight: float | None = None,
        keep: bool = False,
        permit: list[None] | None = None,
    ) -> Any:
        hash(key)  # what cannot be a key fails before anything else of the caller's runs
        size = float(self.getsizeof(value) if weight is None else weight)
        now, expires = self._expiry(key, value, ttl)
        if not now < expires and ttl is None and self._given["ttu"] is not None:
            if permit is None or permit:
                self._discard(key)
            left: list[Left] = []
            with self._section:
                self._drop_expired(now, _SWEEP, left)
            self._release(left)
            return value
        return self._store_until(key, value, size, now, expires, keep, permit)

    def _put(self, key: Any, value: Any, remaining: float, weight: float) -> None:
        if math.isnan(remaining):
            raise ValueError("remaining: expected a number, got nan")
        now = self._now()
        self._store_until(key, value, weight, now, now + remaining)

    def _store_until(
        self,
        key: Any,
        value: Any,
        weight: float,
        now: float,
        expires: float,
        keep: bool = False,
        permit: list[None] | None = None,
    ) -> Any:
        left: list[Left] = []
        with self._section:
            self._drop_expired(now, _SWEEP, left)
            if self._over(weight, True):  # no living entry makes room before an expired one
                self._drop_expired(now, math.inf, left)
        if weight > self._max_weight or weight == math.inf or self._max_count < 1 or not weight >= 0:
            self._release(left)
            raise ValueError("value size must be non-negative" if weight < 0 or weight != weight else "value too large")
        entry = None
        by_method = "popitem" in self._overrides
        tries = len(self._order) + 8  # a popitem() that adds entries gets no further
        try:
            while True:
                entry, index = self._entry(key)
                with self._section:
                    if entry.gone or index is not self._index:
                        continue
                    there = id(entry) in self._order
                    if there and keep and now < entry.expires:
                        self._order.move_to_end(id(entry))
                        return entry.value
                    if permit is not None and not permit:
                        return value
                    if weight > self._max_weight or self._max_count < 1:  # a comparison may have lowered the bounds
                        raise ValueError("value too large")
                    grows = weight - entry.weight if there else weight
                    if not (by_method and self._order and self._over(grows, not there)):
                        self._drop_oldest(grows, not there, left, spared=entry)
                        self._write(entry, value, weight, expires, left)
                        return value
                by_method = self._evict_by_method() and tries > 0
                tries -= 1
        finally:
            if entry is not None:
                with self._section:
                    if id(entry) not in self._order and not entry.gone:
                        self._unindex(entry)
            self._release(left)

    # ---- removing ----

    def _evict_by_method(self) -> bool:
        version = self._version
        self._evicting += 1
        try:
            self.popitem()
        finally:
            self._evicting -= 1
        return self._version != version

    def _discard(self, key: Any, only_live: bool = False) -> tuple[bool, Any]:
        """Remove a key; say whether it was live, and its value. What has expired may be left for `expire` to report."""
        now = None if self._timer is None else self._now()
        entry = self._index.get(HashedKey(key, Watch(self)))
        left: list[Left] = []
        live = False
        with self._section:
            if entry is not None and id(entry) in self._order:
                live = entry.expires == math.inf or (self._now() if now is None else now) < entry.expires
                if live or not only_live:
                    self._remove(entry, "explicit" if live else "expired", left)
        value = left[0][1] if left else None
        self._release(left)
        return live, value

    def __delitem__(self, key: Any) -> None:
        self._disown(key)
        live = self._discard(key)[0]
        self._disown(key)
        if not live:
            raise KeyError(key)

    def pop(self, key: Any, default: Any = _MISSING) -> Any:
        self._disown(key)
        if self._overrides & {"__getitem__", "__delitem__", "__contains__"}:
            live = key in self
            value = self[key] if live else None
            if live:
                del self[key]
        else:
            live, value = self._discard(key, only_live=True)
        self._disown(key)
        if live:
            return value
        if default is _MISSING:
            raise KeyError(key)
        return default

    def popitem(self) -> tuple[Any, Any]:
        now = self._now()
        left: list[Left] = []
        with self._section:
            self._drop_expired(now, math.inf, left)
            oldest = next(iter(self._order.values()), None)
            if oldest is not None:
                item = oldest.key, oldest.value
                self._remove(oldest, "size" if self._evicting else "explicit", left)
        self._release(left)
        if oldest is None:
            raise KeyError(f"{type(self).__name__} is empty") from None
        if not self._evicting:
            self._disown(item[0])
        return item

    def expire(self, time: Any = None) -> list[tuple[Any, Any]]:
        now = self._now() if time is None else self._number(time)
        left: list[Left] = []
        with self._section:
            self._drop_expired(now, math.inf, left)
        expired = [(key, value) for key, value, _ in left]
        self._release(left)
        return expired

    def clear(self) -> None:
        left = [(key, value, "explicit") for key, value, _, _ in self._take()]
        self._evicted["explicit"] += len(left)
        self._release(left)

    def touch(self, key: Any, ttl: Any = None) -> bool:
        entry = self._live(key)
        now, expires = self._expiry(key, None if entry is None else entry.value, ttl)
        with self._section:
            if entry is None or id(entry) not in self._order or not now < entry.expires:
                return False
            self._set_expiry(entry, expires)
            self._order.move_to_end(id(entry))
        return True

    # ---- what the mixin builds on ----

    def _set_bounds(self, maxsize: Any, max_bytes: Any, weight: float, count: float) -> None:
        self._given = {**self._given, "maxsize": maxsize, "max_bytes": max_bytes}
        self._max_weight, self._max_count = weight, count
        if "popitem" in self._overrides:
            tries = len(self._order) + 8
            while tries > 0 and self._order and self._over(0, False) and self._evict_by_method():
                tries -= 1
        self._evict_to(weight, count)

    def _evict_to(self, weight: float, count: float) -> None:
        left: list[Left] = []
        with self._section:
            while self._order and (self._weight > weight or len(self._order) > count):
                self._remove(next(iter(self._order.values())), "size", left)
        self._release(left)

    def _snapshot(self) -> list[Row]:
        with self._section:
            return self._rows()

    def _take(self) -> list[Row]:
        self._flights.disown_all()
        with self._section:
            rows = self._rows()
            for entry in self._order.values():
                entry.gone = True
            self._index, self._order, self._heap, self._weight = {}, OrderedDict(), [], 0
            self._version += 1
        self._flights.disown_all()
        return rows


def _check_callable(name: str, given: Any) -> None:
    if given is not None and not callable(given):
        raise TypeError(f"{name}: expected a callable or None, got {type(given).__name__}")


def _plain(number: float) -> float:
    return int(number) if number == math.floor(number) else number


Cache._plain = Cache
