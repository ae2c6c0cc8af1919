"""What a cache of the pure twin is made of: its entries, and the section that keeps threads apart."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any

from python_fallback.cache.held import Held, Watch

if TYPE_CHECKING:
    from python_fallback.cache.books import Books


class Entry(Held):
    """What the cache knows of one key. It counts as there once it has a place in the order of use."""

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

    __slots__ = ("cache", "depth", "lock", "nested")

    def __init__(self, cache: Books) -> None:
        self.cache = cache
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
                left = self.cache._balance()
        finally:
            self.depth -= 1
            self.lock.release()
        if left:
            self.cache._release(left)
