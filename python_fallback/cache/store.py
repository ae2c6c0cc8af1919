"""The store of a cache of the pure twin: its entries, their order and their weights.

Everything here but `_entry` happens inside the section and runs none of the caller's code.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self

from python_fallback.cache.entry import Entry, Section
from python_fallback.shared.cache.clock import Timer
from python_fallback.shared.cache.hashed_key import Exactly, Watch
from python_fallback.shared.cache.mixin import Mixin
from python_fallback.shared.cache.singleflight import Flights
from python_fallback.shared.cache.stats import CAUSES

Left = tuple[Any, Any, str]  # key, value, cause of an entry that left
Row = tuple[Any, Any, float, float]  # key, value, expires, weight
Evicted = Callable[[Any, Any, str], object] | None

_OVERRIDABLE = ("popitem", "__getitem__", "__setitem__", "__delitem__", "__contains__")


class Store(Mixin):
    """The fields of a cache, and the steps that every operation is made of."""

    __slots__ = (
        "__weakref__",
        "_evicted",
        "_evicting",
        "_flights",
        "_getsizeof",
        "_given",
        "_heap",
        "_hits",
        "_index",
        "_max_count",
        "_max_weight",
        "_misses",
        "_on_evict",
        "_order",
        "_overrides",
        "_scale",
        "_section",
        "_timer",
        "_ttl",
        "_turns",
        "_version",
        "_weight",
    )

    _index: dict[Any, Entry]
    _order: OrderedDict[int, Entry]
    _heap: list[tuple[float, int, Entry]]
    _turns: int
    _weight: float
    _version: int
    _section: Section
    _evicting: int
    _flights: Flights
    _timer: Timer | None
    _getsizeof: Callable[[Any], Any] | None
    _given: dict[str, Any]
    _ttl: float
    _scale: float
    _max_weight: float
    _max_count: float
    _on_evict: Evicted
    _hits: int
    _misses: int
    _evicted: dict[str, int]
    _overrides: frozenset[str]
    _plain: type[Any]  # the class whose methods count as not overridden

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        self._overrides = frozenset(
            name for name in _OVERRIDABLE if getattr(cls, name) is not getattr(cls._plain, name)
        )
        self._index = {}
        self._order = OrderedDict()  # by identity, least recently used first
        self._heap = []
        self._turns = 0
        self._weight = 0
        self._version = 0
        self._section = Section(self)
        self._evicting = 0
        self._flights = Flights()
        self._timer = None
        self._getsizeof = None
        self._given = {"maxsize": 0, "max_bytes": None, "ttl": None, "ttu": None}
        self._ttl = math.inf
        self._scale = 1.0
        self._max_weight = self._max_count = 0.0  # until __init__ ran
        self._on_evict = None
        self._set_counters(0, 0, 0, 0, 0, 0)
        return self

    def _entry(self, key: Any) -> tuple[Entry, dict[Any, Entry]]:
        """Return the entry of the key, a new one without a place if there is none. Runs ``__eq__``.

        The second item is the index that it is in: once it is not the cache's any more, the entry is out of date.
        """
        fresh = Entry(key, Watch(self))
        index = self._index
        entry = index.setdefault(fresh, fresh)
        fresh.watch = None
        return entry, index

    def _write(self, entry: Entry, value: Any, weight: float, expires: float, left: list[Left]) -> None:
        if id(entry) in self._order:
            self._evicted["replaced"] += 1
            left.append((entry.key, entry.value, "replaced"))
            self._weight += weight - entry.weight
            self._order.move_to_end(id(entry))
        else:
            self._order[id(entry)] = entry
            self._weight += weight
            self._version += 1
        entry.value, entry.weight = value, weight
        self._set_expiry(entry, expires)

    def _set_expiry(self, entry: Entry, expires: float) -> None:
        self._turns += 1
        entry.turn, entry.expires = self._turns, expires
        if expires != math.inf:
            heapq.heappush(self._heap, (expires, entry.turn, entry))
            if len(self._heap) > 2 * len(self._order) + 64:
                self._heap = [place for place in self._heap if self._holds(place)]
                heapq.heapify(self._heap)

    def _holds(self, place: tuple[float, int, Entry]) -> bool:
        return place[1] == place[2].turn and not place[2].gone

    # ---- removing ----

    def _unindex(self, entry: Entry) -> None:
        self._index.pop(Exactly(entry), None)
        entry.gone = True
        self._version += 1

    def _remove(self, entry: Entry, cause: str, left: list[Left]) -> None:
        if self._order.pop(id(entry), None) is None:
            return
        self._unindex(entry)
        self._weight = self._weight - entry.weight if self._order else 0
        self._evicted[cause] += 1
        left.append((entry.key, entry.value, cause))
        entry.key = entry.value = None  # its old places in the heap must not keep them

    def _drop_expired(self, now: float, most: float, left: list[Left]) -> None:
        most += len(left)
        while self._heap and len(left) < most:
            if self._holds(self._heap[0]):
                if now < self._heap[0][0]:
                    return
                self._remove(self._heap[0][2], "expired", left)
            heapq.heappop(self._heap)

    def _over(self, more_weight: float, more: bool) -> bool:
        return self._weight + more_weight > self._max_weight or len(self._order) + more > self._max_count

    def _drop_oldest(self, more_weight: float, more: bool, left: list[Left], spared: Entry | None = None) -> None:
        while self._over(more_weight, more):
            victim = next((entry for entry in self._order.values() if entry is not spared), None)
            if victim is None:
                return  # only rounding of weights is left
            self._remove(victim, "size", left)

    def _release(self, left: list[Left]) -> None:
        """Report removed entries, then release them. One error of on_evict is raised itself, several as a group."""
        report = self._on_evict
        errors: list[BaseException] = []
        if report is not None:
            for key, value, cause in left:
                try:
                    report(key, value, cause)
                except BaseException as error:
                    errors.append(error)
        left.clear()
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise BaseExceptionGroup("on_evict raised for several entries", errors)

    def _rows(self) -> list[Row]:
        return [(entry.key, entry.value, entry.expires, entry.weight) for entry in self._order.values()]

    def _balance(self) -> list[Left]:
        """Make the store agree with the order of use, after a finalizer changed the cache inside a section."""
        left: list[Left] = []
        for entry in list(self._index.values()):
            if id(entry) not in self._order and entry.expires != -math.inf:
                self._unindex(entry)
        for entry in list(self._order.values()):
            if entry.gone:
                self._order.pop(id(entry), None)
        self._weight = math.fsum(entry.weight for entry in self._order.values())
        while self._order and self._over(0, False):
            self._remove(next(iter(self._order.values())), "size", left)
        return left

    def _repair(self) -> None:
        """Drop entries that a thread of the parent process left half written or half removed, and order the rest."""
        entries = [entry for entry in self._order.values() if not entry.gone and entry.expires != -math.inf]
        self._order = OrderedDict((id(entry), entry) for entry in entries)
        for entry in list(self._index.values()):
            if id(entry) not in self._order:
                self._unindex(entry)
        self._heap = [(entry.expires, entry.turn, entry) for entry in entries if entry.expires != math.inf]
        heapq.heapify(self._heap)
        self._balance()

    def _check(self) -> None:
        """Raise AssertionError where the parts contradict each other; for tests, while nothing else runs."""
        with self._section:
            entries = list(self._order.values())
            places = {id(place[2]) for place in self._heap if self._holds(place)}
            problems = {
                "the index and the order of use differ": set(map(id, self._index.values())) != set(self._order),
                "an entry that is gone is in the order of use": any(entry.gone for entry in entries),
                "the weights do not add up": not math.isclose(
                    self._weight, math.fsum(entry.weight for entry in entries), abs_tol=1e-6
                ),
                "the heap is out of order": any(
                    self._heap[at] < self._heap[(at - 1) // 2] for at in range(1, len(self._heap))
                ),
                "an expiry is not in the heap": any(
                    entry.expires != math.inf and id(entry) not in places for entry in entries
                ),
                "the cache holds more than its bounds allow": bool(entries)
                and (self._weight > self._max_weight * (1 + 1e-9) or len(entries) > self._max_count),
            }
        for problem, there in problems.items():
            if there:
                raise AssertionError(problem)

    def _counters(self) -> tuple[int, ...]:
        return (self._hits, self._misses, *self._evicted.values())

    def _count(self, hits: int, misses: int) -> None:
        """Count hits and misses of lookups that were judged elsewhere, or judged again."""
        with self._section:
            self._hits += hits
            self._misses += misses

    def _set_counters(self, hits: int, misses: int, *evicted: int) -> None:
        self._hits, self._misses = hits, misses
        self._evicted = dict(zip(CAUSES, evicted))
