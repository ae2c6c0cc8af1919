"""Keys for a dict: hashed once, and found again without running their code."""

from __future__ import annotations

from typing import Any

LIMIT = 64


class Watch:
    """Counts how often the comparisons of one lookup changed the cache: again and again is an error, not a hang."""

    __slots__ = ("cache", "changes", "version")

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.version = cache._version
        self.changes = 0

    def look(self) -> None:
        if self.cache._version != self.version:
            self.version = self.cache._version
            self.changes += 1
            if self.changes >= LIMIT:
                raise RuntimeError(
                    f"key: expected an __eq__ that leaves the cache alone, got {LIMIT} changes in one lookup"
                )


class HashedKey:
    """A key with its hash; equal to another where the keys are equal."""

    __slots__ = ("hash", "key", "watch")

    def __init__(self, key: Any, watch: Watch | None = None) -> None:
        self.key = key
        self.hash = hash(key)
        self.watch = watch

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Exactly):
            return other.holder is self
        if not isinstance(other, HashedKey):
            return NotImplemented
        if self.key is other.key:
            return True
        same = bool(self.key == other.key)
        if other.watch is not None:
            other.watch.look()
        return same


class Exactly:
    """Finds one holder by identity in a dict of `HashedKey`."""

    __slots__ = ("hash", "holder")

    def __init__(self, holder: HashedKey) -> None:
        self.holder = holder
        self.hash = holder.hash

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return self.holder is other
