"""How long a decorated function's result is served: fresh, stale, early or negative, and until a tag is invalidated."""

from __future__ import annotations

import math
import os
import random
import threading
import time
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastcore.cache.record import Kept
from python_fallback.shared.cache.clock import ttl_seconds

__all__ = ["Kept", "Policy", "Tag", "Tags", "Ttl", "invalidate_tag", "tags_of"]

# ---- tags ----
#
# A tag is an object that its results share. Invalidating marks it, and the next result under that name gets another
# one; a tag that no result has any more is garbage. What is remembered of invalidated names serves pickles that are
# older than the invalidation, and is bounded.

REMEMBERED = 10_000  # names

_process = uuid.uuid4().bytes
_lock = threading.RLock()  # reentrant: a finalizer may come here while it is held
_current: weakref.WeakValueDictionary[str, Tag] = weakref.WeakValueDictionary()
_invalidations = 0
_versions: OrderedDict[str, tuple[int, float]] = OrderedDict()  # name -> number and wall time of its invalidation
_forgotten = (0, 0.0)  # number and wall time of the newest that is no longer in _versions


class Tag:
    """One name, from one invalidation to the next.

    Attributes
    ----------
    name : str
    valid : bool
        False once it was invalidated; never True again.
    born : int
        How many invalidations of any tag there had been in this process.
    """

    __slots__ = ("__weakref__", "born", "name", "valid")

    def __init__(self, name: str, born: int, valid: bool = True) -> None:
        self.name = name
        self.born = born
        self.valid = valid

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.name, self.valid, _process, self.born, time.time())


def _restored(name: str, valid: bool, process: bytes, born: int, pickled: float) -> Tag:
    """Return the tag of a pickle: the current one unless its name was invalidated since."""
    with _lock:
        number, moment = _versions.get(name, _forgotten)
        since = number > born if process == _process else moment >= pickled
        return _tag(name) if valid and not since else Tag(name, born, valid=False)


def _tag(name: str) -> Tag:
    tag = _current.get(name)
    if tag is None:
        tag = _current[name] = Tag(name, _invalidations)
    return tag


def _several(names: Iterable[str] | str) -> tuple[str, ...]:
    return tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)


def tags_of(names: Iterable[str] | str) -> tuple[Tag, ...]:
    """Return the current tags of these names; a str is one name."""
    wanted = _several(names)
    for name in wanted:
        if not isinstance(name, str):
            raise TypeError(f"tags: expected str, got {type(name).__name__}")
    with _lock:
        return tuple(map(_tag, wanted))


def invalidate_tag(tag: str) -> None:
    """Invalidate every result that was stored under `tag`, in all decorated functions of this process.

    Takes constant time. Results that are being computed under it are not kept, and calls from now on do not wait for
    them. What another process saved before is not served here after `restore` either.

    Examples
    --------
    >>> from fastcore.cache import cached, invalidate_tag
    >>> @cached(tags="prices")
    ... def quote(symbol):
    ...     return symbol.lower()
    >>> quote("AAPL")
    'aapl'
    >>> invalidate_tag("prices")
    >>> quote.contains("AAPL")
    False
    """
    global _invalidations, _forgotten
    if not isinstance(tag, str):
        raise TypeError(f"tag: expected a str, got {type(tag).__name__}")
    with _lock:
        _invalidations += 1
        found = _current.pop(tag, None)
        if found is not None:
            found.valid = False
        _versions[tag] = (_invalidations, time.time())
        _versions.move_to_end(tag)
        if len(_versions) > REMEMBERED:
            _forgotten = _versions.popitem(last=False)[1]


def _after_fork() -> None:
    """Count apart from the parent: pickles are compared with its invalidations by time."""
    global _lock, _process
    _lock, _process = threading.RLock(), uuid.uuid4().bytes


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# ---- what is kept, and for how long ----

Ttl = float | timedelta | None
Tags = str | Iterable[str] | Callable[..., Iterable[str] | str]

_SURE = 36.8  # -log of the least number that a draw gives: no draw asks for a refresh further ahead than this


@dataclass(frozen=True)
class Policy:
    """Which results are cached, and for how long.

    Attributes
    ----------
    ttl : float or callable
        Seconds for which a result is fresh, or a function of the result that gives them.
    stale : float
        Seconds after that for which it is served while a refresh runs in the background.
    early : float
        The XFetch factor: a result is refreshed before it expires with a probability that grows with the time it took
        to compute (Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", 2015).
    negative_ttl : float or None
        Seconds for which an error, or a result of None, is kept.
    tags : iterable of str, or callable of the arguments
    jitter : float
        The greatest part by which a lifetime is shortened, at random.
    keep_if : callable or None
        Says of a result whether it is kept.
    """

    ttl: float | Callable[[Any], Any]
    stale: float = 0.0
    early: float = 0.0
    negative_ttl: float | None = None
    tags: tuple[str, ...] | Callable[..., Iterable[str] | str] = ()
    jitter: float = 0.0
    keep_if: Callable[[Any], object] | None = None

    @classmethod
    def of(
        cls,
        ttl: Ttl | Callable[[Any], Ttl] = None,
        stale: Ttl = None,
        early: bool | float = False,
        negative_ttl: Ttl = None,
        tags: Tags = (),
        jitter: float = 0.0,
        keep_if: Callable[[Any], object] | None = None,
    ) -> Policy:
        """Return the policy of these options, or raise."""
        seconds = ttl if callable(ttl) else ttl_seconds(ttl)
        if not callable(seconds) and seconds <= 0:
            raise ValueError(f"ttl: expected a time longer than 0, got {ttl!r}")
        extra = 0.0 if stale is None else ttl_seconds(stale, "stale")
        negative = None if negative_ttl is None else ttl_seconds(negative_ttl, "negative_ttl")
        for name, given, value in (("stale", stale, extra), ("negative_ttl", negative_ttl, negative or 0.0)):
            if value < 0:
                raise ValueError(f"{name}: expected a time of 0 or longer, got {given!r}")
        factor = _number("early", early, "a bool or a factor of at least 0")
        if not 0 <= factor < math.inf:
            raise ValueError(f"early: expected a bool or a factor of at least 0, got {early!r}")
        spread = _number("jitter", jitter, "a number from 0 to below 1")
        if not 0 <= spread < 1:
            raise ValueError(f"jitter: expected a number from 0 to below 1, got {jitter!r}")
        if (extra or factor) and seconds == math.inf:
            raise ValueError("ttl: expected a time, as stale= and early= count from it, got none")
        if keep_if is not None and not callable(keep_if):
            raise TypeError(f"keep_if: expected a callable or None, got {type(keep_if).__name__}")
        if not callable(tags):
            tags = _several(tags)
            tags_of(tags)
        return cls(seconds, extra, factor, negative, tags, spread, keep_if)

    @property
    def fixed_ttl(self) -> float | None:
        """Seconds for which the cache itself can keep every result; None where each has its own lifetime."""
        if callable(self.ttl) or self.stale or self.jitter:
            return None
        return self.ttl

    @property
    def records(self) -> bool:
        """Whether results are kept as records."""
        return bool(self.stale or self.early or self.tags)

    def label(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tag, ...]:
        """Return the tags of a call, read before it computes."""
        return tags_of(self.tags(*args, **kwargs) if callable(self.tags) else self.tags) if self.tags else ()

    def accepts(self, value: Any) -> bool:
        """Whether a result is to be kept."""
        return self.keep_if is None or bool(self.keep_if(value))

    def lifetime(self, value: Any, error: BaseException | None) -> tuple[float, float]:
        """Return how many seconds a result is fresh, and how many it stays in the cache."""
        if self.negative_ttl is not None and (error is not None or value is None):
            fresh, stale = self.negative_ttl, 0.0
        else:
            fresh = ttl_seconds(self.ttl(value)) if callable(self.ttl) else self.ttl
            stale = self.stale
        if self.jitter:
            fresh *= 1.0 - self.jitter * random.random()
        return fresh, fresh + stale if fresh > 0 else 0.0

    def prepare(self, kept: Kept, fresh: float, total: float) -> None:
        """Note in a record when its hits are to be judged."""
        kept.spare = total - fresh if total < math.inf else 0.0
        if kept.look < math.inf:
            kept.look = kept.spare + (_SURE * self.early * kept.took if self.early else 0.0)

    def needs_refresh(self, kept: Kept, remaining: float | None) -> bool:
        """Whether it is stale, or the draw says to refresh it early; `remaining` is what the cache gives it."""
        if remaining is None:
            return True
        if kept.error is not None or not (self.stale or self.early):
            return False
        ahead = -kept.took * self.early * math.log(1.0 - random.random()) if self.early else 0.0
        return remaining - ahead <= kept.spare


def _number(name: str, given: Any, expected: str) -> float:
    try:
        return float(given)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected {expected}, got {type(given).__name__}") from None
