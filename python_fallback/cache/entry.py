"""Parts of a cache of the pure twin: its entries, and the critical section."""

from __future__ import annotations

import math
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

from python_fallback.shared.cache.hashed_key import HashedKey, Watch

if TYPE_CHECKING:
    from python_fallback.cache.store import Store


class Entry(HashedKey):
    """The entry of one key. It is part of the cache once it has a place in the order of use."""

    __slots__ = ("expires", "gone", "turn", "value", "weight")

    def __init__(self, key: Any, watch: Watch) -> None:
        super().__init__(key, watch)
        self.value: Any = None
        self.weight: float = 0
        self.expires = -math.inf
        self.turn = 0  # tells its place in the expiry heap from the places it had before
        self.gone = False  # no longer in the index


class Section:
    """The critical section: a lock that a finalizer of the same thread may pass, counted so that it is noticed."""

    __slots__ = ("__weakref__", "cache", "depth", "lock", "nested")

    def __init__(self, cache: Store) -> None:
        self.cache = weakref.ref(cache)
        _sections.add(self)
        self.lock = threading.RLock()
        self.depth = 0
        self.nested = False

    def __enter__(self) -> None:
        self.lock.acquire()
        self.depth += 1
        if self.depth > 1:
            self.nested = True

    def __exit__(self, *exc: object) -> None:
        left = None
        try:
            if self.depth == 1 and self.nested:
                self.nested = False
                left = cache._balance() if (cache := self.cache()) is not None else None
        finally:
            self.depth -= 1
            self.lock.release()
        if left and cache is not None:
            cache._release(left)

    def after_fork(self) -> None:
        """Begin with a new lock; a thread that was inside is not in this process, and left its work unfinished."""
        if self.lock._is_owned():  # type: ignore[attr-defined]
            return
        entered, cache = self.depth, self.cache()
        self.lock, self.depth, self.nested = threading.RLock(), 0, False
        if entered and cache is not None:
            cache._repair()


_sections: weakref.WeakSet[Section] = weakref.WeakSet()


def _after_fork() -> None:
    for section in list(_sections):
        section.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
