"""The public caches; each replaces cachetools' class of its name, and constructing one returns one of its twins."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from datetime import timedelta
from typing import TYPE_CHECKING, Any, overload

from fastcore.dispatch.twins import Generic, Twin
from python_fallback.shared.cache.stats import CacheStats

if TYPE_CHECKING:
    from collections.abc import MutableMapping as _Base

    from typing_extensions import TypeVar  # its defaults, which typing's has since Python 3.13

    K = TypeVar("K", default=Any)
    V = TypeVar("V", default=Any)
    D = TypeVar("D")
    T = TypeVar("T", default=float)  # what a timer gives
else:
    from typing import TypeVar

    K, V, D, T = map(TypeVar, "KVDT")
    # The twins are registered as mappings; were this class one, every isinstance(…, Mapping) in the process would
    # ask it, and so load the twins.
    _Base = Generic

Ttl = float | timedelta | None
Evicted = Callable[[Any, Any, str], object]


class Cache(_Base[K, V], metaclass=Twin, path="cache"):
    """Base class of the caches; construct one of its subclasses.

    Every operation takes constant time (logarithmic for an entry whose lifetime is out of order). All operations are
    thread-safe, and no ``__eq__`` or ``__hash__`` of a key, ``__del__`` of a value, `getsizeof`, `timer` or `on_evict`
    can corrupt the cache.

    Notes
    -----
    Iteration is over the entries that were there when it began, least recently used first, and leaves out those that
    have expired or were removed by the time they are reached. An expired entry is never served; it is dropped by the
    next write, by ``len`` or by `expire`.

    Examples
    --------
    >>> from fastcore.cache import Cache, LRUCache
    >>> isinstance(LRUCache(10), Cache)
    True
    """

    def __getitem__(self, key: K) -> V:
        """Return a value and mark it as used; call ``__missing__`` of a subclass, or raise KeyError."""
        raise NotImplementedError

    def __setitem__(self, key: K, value: V) -> None:
        """Store a value with the default lifetime and weight.

        Raises
        ------
        ValueError
            If the value alone weighs more than the cache may hold.
        """

    def __delitem__(self, key: K) -> None:
        """Remove an entry; KeyError if there is none, or it had expired."""

    def __contains__(self, key: object) -> bool:
        """Whether a key is there and has not expired; looking does not mark it as used."""
        raise NotImplementedError

    def __missing__(self, key: K) -> V:
        """Raise KeyError; a subclass may give a value for a missing key instead."""
        raise NotImplementedError

    def __copy__(self) -> Any:
        """Return another cache with the same entries, lifetimes and options."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over the state of a pickle."""

    def __iter__(self) -> Iterator[K]:
        """Iterate over the keys, least recently used first."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Drop what has expired and count what remains."""
        raise NotImplementedError

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D) -> V | D: ...
    def get(self, key: K, default: Any = None) -> Any:
        """Return a value and mark it as used, or return `default`."""

    def peek(self, key: K, default: Any = None) -> Any:
        """Return a value without marking it as used or counting a hit, or return `default`."""

    def get_many(self, keys: Iterable[K], /) -> dict[K, V]:
        """Return the entries of those keys that are there, each marked as used."""
        raise NotImplementedError

    def set(self, key: K, value: V, *, ttl: Ttl = None, weight: float | None = None) -> None:
        """Store a value.

        Parameters
        ----------
        key, value : object
        ttl : float or timedelta, optional
            Seconds until it expires; by default the cache's own. ``math.inf``: never.
        weight : float, optional
            Its weight instead of what `getsizeof` says.
        """

    def set_many(self, items: Mapping[K, V] | Iterable[tuple[K, V]], *, ttl: Ttl = None) -> None:
        """Store several values."""

    def get_or_compute(self, key: K, compute: Callable[[], V], *, ttl: Ttl = None, weight: float | None = None) -> V:
        """Return the value of a key, computing and storing it if it is missing.

        If several threads and tasks ask for a missing key, one computes it and the others wait. An error is raised in
        all of them and is not stored. A computation that asks for its own key, or two that ask for each other's,
        compute what they need themselves, unstored, instead of waiting forever. A value too large for the cache
        is returned but not stored.
        """
        raise NotImplementedError

    async def aget_or_compute(
        self, key: K, compute: Callable[[], Awaitable[V] | V], *, ttl: Ttl = None, weight: float | None = None
    ) -> V:
        """Do what `get_or_compute` does without blocking the event loop.

        Cancelling one waiter cancels only its own wait; when the last waiter is cancelled, so is the computation.
        """
        raise NotImplementedError

    def touch(self, key: K, ttl: Ttl = None) -> bool:
        """Restart an entry's lifetime and mark it as used; False if it is not in the cache."""
        raise NotImplementedError

    def ttl_remaining(self, key: K, /) -> float | None:
        """Return the seconds until an entry expires: infinite if it never does, None if it is not there."""

    def expire(self, time: Any = None) -> list[tuple[K, V]]:
        """Drop what has expired, by `time` or by now; return the pairs, soonest expired first."""
        raise NotImplementedError

    def keys(self) -> KeysView[K]:
        """Return a view of the keys, least recently used first."""
        raise NotImplementedError

    def values(self) -> ValuesView[V]:
        """Return a view of the values; looking at them marks none as used."""
        raise NotImplementedError

    def items(self) -> ItemsView[K, V]:
        """Return a view of the pairs; looking at them marks none as used."""
        raise NotImplementedError

    def setdefault(self, key: K, default: Any = None) -> Any:
        """Return a value, storing `default` first where there is none; of several threads one stores."""

    def pop(self, key: K, default: Any = ...) -> Any:
        """Remove an entry and return its value, or return the default given, or raise KeyError."""

    def update(self, other: Any = ..., /, **kwds: Any) -> None:
        """Store the pairs of a mapping, of an iterable, and of the keywords."""

    def clear(self) -> None:
        """Remove every entry; `on_evict` is called for each."""

    def popitem(self) -> tuple[K, V]:
        """Remove and return the least recently used pair; KeyError if the cache is empty."""
        raise NotImplementedError

    def resize(self, maxsize: float | None = None, *, max_bytes: float | None = None) -> None:
        """Change the bounds, evicting the least recently used entries that no longer fit."""

    def stats(self) -> CacheStats:
        """Return hits, misses, hit ratio, size, weight and evictions by cause."""
        raise NotImplementedError

    def getsizeof(self, value: V, /) -> float:
        """Return the weight of a value; a subclass may override it."""
        raise NotImplementedError

    @property
    def maxsize(self) -> float:
        """The bound given as `maxsize`."""
        raise NotImplementedError

    @property
    def max_bytes(self) -> float | None:
        """The bound given as `max_bytes`."""

    @property
    def currsize(self) -> float:
        """What `maxsize` bounds: the sum of weights, or with `max_bytes` the number of entries."""
        raise NotImplementedError

    @property
    def on_evict(self) -> Evicted | None:
        """The function called for each entry that was removed."""

    @on_evict.setter
    def on_evict(self, function: Evicted | None) -> None: ...


class LRUCache(Cache[K, V], path="cache"):
    """A bounded mapping in which the least recently used entry makes room.

    Parameters
    ----------
    maxsize : float
        The greatest sum of weights; a weight is 1 unless `getsizeof` or ``set(weight=)`` says otherwise. With
        `max_bytes` it is the greatest number of entries. May be 0 or infinite.
    getsizeof : callable, optional
        ``getsizeof(value)`` gives a value's weight.
    timer : callable, optional
        The clock of lifetimes given to `set`; by default a monotonic one.
    max_bytes : float, optional
        The greatest sum of sizes in bytes. Arrays, Series and DataFrames are measured, unless `getsizeof` is given.
    on_evict : callable, optional
        ``on_evict(key, value, cause)`` is called after an entry was removed; the causes are ``expired``, ``size``,
        ``replaced`` and ``explicit``. What it raises reaches the caller whose operation removed the entry, after that
        operation was completed.

    Examples
    --------
    >>> from fastcore.cache import LRUCache
    >>> cache = LRUCache(maxsize=2)
    >>> cache["AAPL"], cache["MSFT"] = 187.2, 410.5
    >>> cache["AAPL"]
    187.2
    >>> cache["IBM"] = 160.0                         # MSFT was not used for the longest time
    >>> list(cache)
    ['AAPL', 'IBM']
    """

    def __init__(
        self,
        maxsize: float,
        getsizeof: Callable[[V], float] | None = None,
        *,
        timer: Callable[[], Any] | None = None,
        max_bytes: float | None = None,
        on_evict: Evicted | None = None,
    ) -> None: ...


class TTLCache(Cache[K, V], Generic[K, V, T], path="cache"):
    """A bounded mapping whose entries expire a fixed time after they were set.

    The least recently used entry makes room where nothing has expired. The default clock is monotonic, and read with
    a precision of milliseconds where every lifetime is a second or more.

    Parameters
    ----------
    maxsize : float
        As in `LRUCache`.
    ttl : float or timedelta
        Seconds until an entry expires; None or infinite: never. ``set(ttl=)`` overrides it for one entry.
    timer : callable, default ``time.monotonic``
        The clock: numbers, or datetimes.
    getsizeof, max_bytes, on_evict : optional
        As in `LRUCache`.

    Examples
    --------
    >>> from fastcore.cache import TTLCache
    >>> quotes = TTLCache(maxsize=10_000, ttl=600)
    >>> quotes["AAPL"] = 187.2
    >>> quotes.get("AAPL")
    187.2
    """

    def __init__(
        self,
        maxsize: float,
        ttl: Ttl,
        timer: Callable[[], T] | None = None,
        getsizeof: Callable[[V], float] | None = None,
        *,
        max_bytes: float | None = None,
        on_evict: Evicted | None = None,
    ) -> None: ...

    @property
    def ttl(self) -> Ttl:
        """The lifetime of entries, as given."""

    @property
    def timer(self) -> Callable[[], T]:
        """The clock; ``with cache.timer as time`` freezes one that was given."""
        raise NotImplementedError


class TLRUCache(Cache[K, V], Generic[K, V, T], path="cache"):
    """A bounded mapping in which a function determines when each entry expires.

    Parameters
    ----------
    maxsize : float
        As in `LRUCache`.
    ttu : callable
        ``ttu(key, value, now)`` gives the time at which an entry expires, on the clock that `now` was read from. A
        time in the past stores nothing, and removes the existing entry.
    timer, getsizeof, max_bytes, on_evict : optional
        As in `TTLCache`.

    Examples
    --------
    >>> from fastcore.cache import TLRUCache
    >>> cache = TLRUCache(100, ttu=lambda key, value, now: now + (3600 if key == "closed" else 1))
    >>> cache["closed"], cache["open"] = 1, 2
    >>> cache.ttl_remaining("closed") > 3590 > cache.ttl_remaining("open")
    True
    """

    def __init__(
        self,
        maxsize: float,
        ttu: Callable[[Any, Any, Any], Any],
        timer: Callable[[], T] | None = None,
        getsizeof: Callable[[V], float] | None = None,
        *,
        max_bytes: float | None = None,
        on_evict: Evicted | None = None,
    ) -> None: ...

    @property
    def ttu(self) -> Callable[[Any, Any, Any], Any]:
        """The function that returns the expiry time of an entry."""
        raise NotImplementedError

    @property
    def timer(self) -> Callable[[], T]:
        """The clock; ``with cache.timer as time`` freezes one that was given."""
        raise NotImplementedError
